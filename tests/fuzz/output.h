/* SPDX-License-Identifier: Apache-2.0 */
/* What may be printed: lines that move no cursor and hide nothing, and JSON that is JSON. */
#pragma once

#include <stdio.h>

#include "basic/escape.h"
#include "fuzz.h"

enum { JSON_DEPTH_MAX = 16 };

/* What a target catches of what is printed. */
struct output {
        FILE *file;
        char *p;
        size_t n;
};

static inline void output_begin(struct output *o) {
        *o = (struct output) {};
        o->file = open_memstream(&o->p, &o->n);
        if (!o->file)
                abort();
}

static inline void output_end(struct output *o) {
        if (fclose(o->file) != 0)
                abort();
}

static inline void judge_lines(const struct output *o) {
        size_t begin = 0;

        if (o->n > 0 && o->p[o->n - 1] != '\n')
                abort();
        for (size_t i = 0; i < o->n; i++)
                if (o->p[i] == '\n' || o->p[i] == '\t') {
                        if (!utf8_is_plain(o->p + begin, i - begin))
                                abort();
                        begin = i + 1;
                }
}

static inline const char *json_blanks(const char *p) {
        return p + strspn(p, " \n");
}

static inline const char *json_text(const char *p) {
        if (*p++ != '"')
                abort();
        for (; *p != '"'; p++) {
                if ((uint8_t) *p < ' ')
                        abort();
                if (*p != '\\')
                        continue;
                p++;
                if (*p == 'u') {
                        if (strspn(p + 1, "0123456789abcdefABCDEF") < 4)
                                abort();
                        p += 4;
                } else if (!*p || !strchr("\"\\/bfnrt", *p))
                        abort();
        }
        return p + 1;
}

/* One value; returns where it ends. */
static inline const char *judge_json_value(const char *p, unsigned depth) {
        static const char *const words[] = { "true", "false", "null" };
        char end;

        p = json_blanks(p);
        if (*p == '"')
                return json_text(p);
        if (*p == '-' || (*p >= '0' && *p <= '9')) {
                size_t n = strspn(p + (*p == '-'), "0123456789");

                if (n == 0)
                        abort();
                return p + (*p == '-') + n;
        }
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strncmp(p, words[i], strlen(words[i])) == 0)
                        return p + strlen(words[i]);
        if ((*p != '{' && *p != '[') || depth == JSON_DEPTH_MAX)
                abort();
        end = *p == '{' ? '}' : ']';
        p = json_blanks(p + 1);
        if (*p == end)
                return p + 1;
        for (;; p++) {
                if (end == '}') {
                        p = json_blanks(json_text(json_blanks(p)));
                        if (*p++ != ':')
                                abort();
                }
                p = json_blanks(judge_json_value(p, depth + 1));
                if (*p == end)
                        return p + 1;
                if (*p != ',')
                        abort();
        }
}

/* How many values there are, each with its line. */
static inline size_t judge_json(const struct output *o) {
        size_t values = 0;

        for (const char *p = o->p; *p; values++) {
                p = judge_json_value(p, 0);
                if (*p++ != '\n')
                        abort();
        }
        return values;
}
