/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text form of D-Bus messages. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/util.h"
#include "message-text.h"

static void must(int r) {
        if (r < 0) {
                fprintf(stderr, "# a broken message: %s\n", strerror(-r));
                abort();
        }
}

static void put_all(sd_bus_message *m, FILE *f, const char *separator);

static void put(sd_bus_message *m, FILE *f, char type, const char *contents) {
        switch (type) {
        case 's':
        case 'o':
        case 'g': {
                const char *s;

                must(sd_bus_message_read_basic(m, type, &s));
                fprintf(f, "'%s'", s);
                return;
        }
        case 'b': {
                int b;

                must(sd_bus_message_read_basic(m, type, &b));
                fputs(b ? "true" : "false", f);
                return;
        }
        case 'y': {
                uint8_t v;

                must(sd_bus_message_read_basic(m, type, &v));
                fprintf(f, "%u", v);
                return;
        }
        case 'h': { /* its number says nothing */
                int fd;

                must(sd_bus_message_read_basic(m, type, &fd));
                fputs("descriptor", f);
                return;
        }
        case 'i':
        case 'u': {
                uint32_t v;

                must(sd_bus_message_read_basic(m, type, &v));
                fprintf(f, "%" PRIu32, v);
                return;
        }
        case 'x':
        case 't': {
                uint64_t v;

                must(sd_bus_message_read_basic(m, type, &v));
                fprintf(f, "%" PRIu64, v);
                return;
        }
        case 'a':
        case 'r':
        case 'v':
        case 'e': {
                bool dict = type == 'a' && contents[0] == '{';
                const char *open = type == 'a' ? (dict ? "{" : "[") : type == 'r' ? "(" : "";
                const char *close = type == 'a' ? (dict ? "}" : "]") : type == 'r' ? ")" : "";

                must(sd_bus_message_enter_container(m, type, contents));
                fputs(open, f);
                put_all(m, f, type == 'e' ? ": " : dict ? ", " : " ");
                fputs(close, f);
                must(sd_bus_message_exit_container(m));
                return;
        }
        default:
                fprintf(stderr, "# no text for type %c\n", type);
                abort();
        }
}

static void put_all(sd_bus_message *m, FILE *f, const char *separator) {
        const char *contents;
        char type;
        bool first = true;

        for (;;) {
                int r = sd_bus_message_peek_type(m, &type, &contents);

                must(r);
                if (r == 0)
                        return;
                if (!first)
                        fputs(separator, f);
                first = false;
                put(m, f, type, contents);
        }
}

static char *text(sd_bus_message *m, bool all) {
        char *s = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&s, &n);
        const char *contents;
        char type;

        if (!f)
                abort();
        if (all)
                put_all(m, f, " ");
        else {
                must(sd_bus_message_peek_type(m, &type, &contents));
                put(m, f, type, contents);
        }
        if (fclose(f) != 0)
                abort();
        return s;
}

char *message_text(sd_bus_message *m) {
        return text(m, true);
}

char *message_argument_text(sd_bus_message *m) {
        return text(m, false);
}
