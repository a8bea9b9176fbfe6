/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the syntax of JSON. */
#include <inttypes.h>
#include <string.h>

#include "basic/escape.h"
#include "view/json.h"

/* Bytes of the valid UTF-8 sequence at s, 0 if it is none. */
static size_t sequence(const char *s) {
        for (size_t n = 1; n <= 4 && s[n - 1]; n++)
                if (utf8_is_valid(s, n))
                        return n;
        return 0;
}

/* The character of n bytes, which are well-formed, as \u and its number; beyond 16 bits as two surrogates. */
static void write_code_point(struct json *j, const char *s, size_t n) {
        static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        unsigned cp = (unsigned char) *s & masks[n];

        for (size_t i = 1; i < n; i++)
                cp = cp << 6 | ((unsigned char) s[i] & 0x3f);
        if (cp > 0xffff) {
                fprintf(j->f, "\\u%04x", 0xd800 + ((cp - 0x10000) >> 10));
                cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
        }
        fprintf(j->f, "\\u%04x", cp);
}

static void write_string(struct json *j, const char *value) {
        fputc('"', j->f);
        while (*value) {
                size_t n = sequence(value);

                if (n == 0) {
                        fputs("\\ufffd", j->f);
                        value++;
                        continue;
                }
                if (*value == '"' || *value == '\\')
                        fprintf(j->f, "\\%c", *value);
                else if (*value == '\n')
                        fputs("\\n", j->f);
                else if (!utf8_is_plain(value, n))
                        /* Much of it is allowed in JSON, but does things to a terminal, or hides on it. */
                        write_code_point(j, value, n);
                else
                        fwrite(value, 1, n, j->f);
                value += n;
        }
        fputc('"', j->f);
}

/* Separates from what came before, and names the value if it has a name: which may be anybody's, too. */
static void begin_value(struct json *j, const char *key) {
        if (j->has_members)
                fputc(',', j->f);
        if (j->pretty && j->depth > 0)
                fprintf(j->f, "\n%*s", (int) j->depth * 8, "");
        if (key) {
                write_string(j, key);
                fputs(j->pretty ? " : " : ":", j->f);
        }
        j->has_members = true;
}

static void begin_container(struct json *j, const char *key, char bracket) {
        begin_value(j, key);
        fputc(bracket, j->f);
        j->has_members = false;
        j->depth++;
}

static void end_container(struct json *j, char bracket) {
        j->depth--;
        if (j->pretty && j->has_members)
                fprintf(j->f, "\n%*s", (int) j->depth * 8, "");
        fputc(bracket, j->f);
        j->has_members = j->depth > 0;
        if (j->depth == 0)
                fputc('\n', j->f);
}

void json_begin_object(struct json *j, const char *key) {
        begin_container(j, key, '{');
}

void json_end_object(struct json *j) {
        end_container(j, '}');
}

void json_begin_array(struct json *j, const char *key) {
        begin_container(j, key, '[');
}

void json_end_array(struct json *j) {
        end_container(j, ']');
}

void json_string(struct json *j, const char *key, const char *value) {
        begin_value(j, key);
        if (value)
                write_string(j, value);
        else
                fputs("null", j->f);
}

void json_signed(struct json *j, const char *key, int64_t value) {
        begin_value(j, key);
        fprintf(j->f, "%" PRIi64, value);
}

void json_unsigned(struct json *j, const char *key, uint64_t value) {
        begin_value(j, key);
        fprintf(j->f, "%" PRIu64, value);
}

void json_boolean(struct json *j, const char *key, bool value) {
        begin_value(j, key);
        fputs(value ? "true" : "false", j->f);
}
