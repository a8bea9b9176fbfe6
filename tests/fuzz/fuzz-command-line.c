/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, word by word on lines of their own: of confd-hactl and of confd-ha-node, by the first byte. */
#include <stdio.h>

#include "ctl/options.h"
#include "fuzz.h"
#include "node/config.h"

enum { WORDS_MAX = 64 };

static void hactl(int argc, char **argv) {
        struct ctl c = { .until = USEC_INFINITY, .mark = USEC_INFINITY, .watch_period = 1000000 };
        const struct verb *v = NULL;
        char **args = NULL;

        if (options_parse(&c, argc, argv, &v, &args) <= 0)
                return;
        if (!v || !args || !args[0] || c.n_properties > PROPERTIES_MAX)
                abort();
        for (size_t i = 0; args[i]; i++)
                if (i > WORDS_MAX)
                        abort();
}

static void node(int argc, char **argv) {
        struct node_options o = {};

        (void) !node_options_parse(argc, argv, &o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static FILE *nowhere;
        char *argv[WORDS_MAX + 2] = { (char *) "program" }, *text, *rest, *word;
        FILE *out = stdout, *err = stderr;
        int argc = 1;

        if (size < 1)
                return 0;
        if (!nowhere && !(nowhere = fopen("/dev/null", "we")))
                abort();
        text = rest = calloc(1, size);
        if (!text)
                abort();
        memcpy(text, data + 1, size - 1);
        while (argc <= WORDS_MAX && (word = strsep(&rest, "\n")))
                argv[argc++] = word;
        stdout = stderr = nowhere;
        if (data[0] & 1)
                node(argc, argv);
        else
                hactl(argc, argv);
        stdout = out;
        stderr = err;
        free(text);
        return 0;
}
