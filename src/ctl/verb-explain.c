/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl explain`. */
#include <stdio.h>
#include <strings.h>

#include "basic/parse.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/error-table.h"
#include "view/json.h"
#include "ctl/pager.h"
#include "ctl/text.h"

#define CONFD_PREFIX "CONFD_ERR_"

enum { WRAP_COLUMN = 78, INDENT = 2 };

/* Where a name begins that is given without its prefix: after "Error.", as in Spawn.ChildExited. */
static const char *last_part(const char *name) {
        const char *p = strstr(name, ".Error.");

        return p ? p + strlen(".Error.") : name;
}

static bool entry_matches(const struct error_entry *e, const char *wanted, int code) {
        const char *confd = wanted;

        if (code > 0)
                return e->code == code;
        if (strncasecmp(wanted, CONFD_PREFIX, strlen(CONFD_PREFIX)) == 0)
                confd += strlen(CONFD_PREFIX);
        return strcasecmp(wanted, e->name) == 0 || strcasecmp(wanted, last_part(e->name)) == 0 ||
               (e->confd_name && strcasecmp(confd, e->confd_name) == 0);
}

/* The number of a ConfD error given by ConfD's name for it, 0 if it is none. */
static int code_from_name(const char *name) {
        if (strncasecmp(name, CONFD_PREFIX, strlen(CONFD_PREFIX)) == 0)
                name += strlen(CONFD_PREFIX);
        for (int i = 1; i <= CONFD_ERROR_MAX; i++)
                if (confd_error_name(i) && strcasecmp(confd_error_name(i), name) == 0)
                        return i;
        return 0;
}

static void print_wrapped(const char *text) {
        size_t column = 0;

        while (*text) {
                size_t n = strcspn(text, " ");

                if (column > 0 && column + 1 + n > WRAP_COLUMN) {
                        putchar('\n');
                        column = 0;
                }
                if (column == 0)
                        column = (size_t) printf("%*s", INDENT, "");
                else
                        column += (size_t) printf(" ");
                column += (size_t) printf("%.*s", (int) n, text);
                text += n;
                text += strspn(text, " ");
        }
        putchar('\n');
}

static void print_entry(struct json *j, const struct error_entry *e, int code, const char *confd_name) {
        if (j) {
                json_begin_object(j, NULL);
                json_string(j, "name", e->name);
                if (code > 0)
                        json_unsigned(j, "confd_code", (uint64_t) code);
                if (confd_name)
                        json_string(j, "confd_name", confd_name);
                json_string(j, "meaning", e->meaning);
                json_string(j, "look_at", e->look_at);
                json_end_object(j);
                return;
        }
        if (code > 0)
                printf("%s (ConfD's %i, " CONFD_PREFIX "%s)\n", e->name, code, confd_name);
        else
                printf("%s\n", e->name);
        print_wrapped(e->meaning);
        printf("Look at:\n");
        print_wrapped(e->look_at);
}

static void complain_unknown(struct ctl *c, const char *wanted) {
        _cleanup_free_ char *printable = text_printable(wanted), *advice = NULL;
        size_t size;
        FILE *f = open_memstream(&advice, &size);

        if (f) {
                fputs("The errors of " HA_BUS_NAME ":", f);
                for (size_t i = 0; i < error_table_size; i++)
                        if (text_short_error(error_table[i].name) != error_table[i].name)
                                fprintf(f, " %s", text_short_error(error_table[i].name));
                fputs("\nThose of D-Bus are known too, and ConfD's numbers (17) and names (HA_BADTOKEN).", f);
                (void) fclose(f);
        }
        complain(c, CTL_ERROR_USAGE, advice, "There is no error '%s'.", printable ?: "?");
}

enum ctl_exit verb_explain(struct ctl *c, char **args) {
        const char *wanted = args[1];
        struct json writer = { .f = stdout, .pretty = c->json == JSON_PRETTY }, *j = c->json == JSON_OFF ? NULL : &writer;
        const struct error_entry *failed = NULL;
        uint64_t number = 0;
        size_t found = 0;
        int code;

        if (parse_unsigned(wanted, 1, CONFD_ERROR_MAX, &number) < 0)
                number = 0;
        code = (int) number;

        for (size_t i = 0; i < error_table_size; i++) {
                const struct error_entry *e = error_table + i;

                if (streq(e->name, HA_ERROR_PREFIX "Failed"))
                        failed = e;
                if (!entry_matches(e, wanted, code))
                        continue;
                if (found == 0)
                        pager_open(c);
                if (j && found == 0)
                        json_begin_array(j, NULL);
                if (!j && found > 0)
                        putchar('\n');
                print_entry(j, e, e->code, e->confd_name);
                found++;
        }
        if (found == 0) {
                /* One of ConfD's many other numbers, which all come as Failed. */
                if (code == 0)
                        code = code_from_name(wanted);
                if (failed && confd_error_name(code)) {
                        pager_open(c);
                        if (j)
                                json_begin_array(j, NULL);
                        print_entry(j, failed, code, confd_error_name(code));
                        found++;
                }
        }
        if (found > 0) {
                if (j)
                        json_end_array(j);
                return CTL_DONE;
        }

        complain_unknown(c, wanted);
        return CTL_FAILED;
}
