/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, word by word on lines of their own: of confd-hactl, confd-ha-node, confd-ha-keepalived and confd-ha-exporter, by the first
 * byte. */
#include <getopt.h>
#include <stdio.h>

#include "ctl/options.h"
#ifdef HAVE_EXPORTER
#include "exporter/options.h"
#endif
#include "fuzz.h"
#include "keepalived/program.h"
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

/* What is taken is what was told, and what is left are words of ours or keepalived's. */
static void keepalived(int argc, char **argv) {
        const char *config = NULL, *directory = NULL;
        bool is_ours;
        int left;

        if (program_options_parse(argc, argv, &config, &directory) <= 0)
                return;
        left = argc - optind;
        is_ours = left == 1 && (streq(argv[optind], "worker") || streq(argv[optind], "check") || streq(argv[optind], "alive"));
        if (!is_ours && left != 3 && left != 4)
                abort();
        if ((config || directory) && optind < 2)
                abort();
}

#ifdef HAVE_EXPORTER
static void exporter(int argc, char **argv) {
        struct exporter_options o = {};

        if (exporter_options_parse(argc, argv, &o) <= 0)
                return;
        if (o.n_listen > HTTP_LISTENERS_MAX || o.n_listen >= (size_t) argc)
                abort();
        for (size_t i = 0; i < ELEMENTSOF(o.listen); i++)
                if (!o.listen[i] != (i >= o.n_listen))
                        abort();
}
#endif

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
        switch (data[0] % 4) {
        case 0:
                hactl(argc, argv);
                break;
        case 1:
                node(argc, argv);
                break;
        case 2:
                keepalived(argc, argv);
                break;
#ifdef HAVE_EXPORTER
        default:
                exporter(argc, argv);
#endif
        }
        stdout = out;
        stderr = err;
        free(text);
        return 0;
}
