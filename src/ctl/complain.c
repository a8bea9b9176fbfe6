/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of complaints. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/colour.h"
#include "ctl/complain.h"
#include "ctl/error-table.h"
#include "ctl/text.h"

void complain_json_members(struct json *j, const char *name, const char *message, const char *advice) {
        for (size_t i = 0; !advice && i < error_table_size; i++)
                if (streq(error_table[i].name, name))
                        advice = error_table[i].look_at;
        json_string(j, "name", name);
        json_string(j, "message", message);
        json_string(j, "advice", advice);
}

void complain_json(struct ctl *c, const char *name, const char *message, const char *advice) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        if (c->json == JSON_OFF || c->json_said)
                return;
        c->json_said = true;
        json_begin_object(&j, NULL);
        complain_json_members(&j, name, message, advice);
        json_end_object(&j);
        (void) fflush(stdout);
}

/* Words may have in them what a service, ConfD, ssh or somebody in their place has said. What is printable already stays as it is. */
static void print_words(const char *words, const char *advice) {
        const char *begin = colour_err(COLOUR_BAD), *end = colour_err(COLOUR_NONE);
        _cleanup_free_ char *printable = text_printable(words);

        fprintf(stderr, "%sconfd-hactl: %s%s\n", begin, printable ?: "?", end);
        /* Advice may have several lines, of our own. */
        while (advice) {
                const char *line_end = strchrnul(advice, '\n');
                _cleanup_free_ char *line = strndup(advice, (size_t) (line_end - advice)), *shown = text_printable(line);

                fprintf(stderr, "%s\n", shown ?: "?");
                advice = *line_end ? line_end + 1 : NULL;
        }
}

void complain(struct ctl *c, const char *name, const char *advice, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        print_words(words, c->quiet ? NULL : advice);
        complain_json(c, name, words, advice ?: (streq(name, CTL_ERROR_USAGE) ? CTL_ADVICE_USAGE : NULL));
}

void complain_words(const char *advice, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        print_words(words, advice);
}

void notice(const struct ctl *c, const char *format, ...) {
        _cleanup_free_ char *words = NULL, *printable = NULL;
        va_list ap;

        if (c->quiet)
                return;
        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        printable = text_printable(words);
        fprintf(stderr, "confd-hactl: %s\n", printable ?: "?");
}
