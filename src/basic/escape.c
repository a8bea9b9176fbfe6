/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question whether bytes are text. */
#include "basic/escape.h"

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none; *cp is its code point. */
static size_t utf8_sequence(const unsigned char *s, size_t n, unsigned *cp) {
        static const unsigned smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t len;
        unsigned c;

        if (n == 0)
                return 0;
        c = s[0];
        if (c < 0x80) {
                *cp = c;
                return 1;
        }
        if ((c & 0xe0) == 0xc0)
                len = 2, c &= 0x1f;
        else if ((c & 0xf0) == 0xe0)
                len = 3, c &= 0x0f;
        else if ((c & 0xf8) == 0xf0)
                len = 4, c &= 0x07;
        else
                return 0;
        if (len > n)
                return 0;
        for (size_t i = 1; i < len; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *cp = c;
        return len;
}

static bool is_control(unsigned cp) {
        return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

struct range {
        unsigned first, last;
};

static bool is_in(const struct range *ranges, size_t n, unsigned cp) {
        for (size_t i = 0; i < n; i++)
                if (cp >= ranges[i].first && cp <= ranges[i].last)
                        return true;
        return false;
}

/* Unicode's Default_Ignorable_Code_Point, which has the controls of direction, and the two separators. */
static bool is_deceptive(unsigned cp) {
        static const struct range ranges[] = {
                { 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
                { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
                { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 },
                { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
        };

        return cp >= 0xad && is_in(ranges, ELEMENTSOF(ranges), cp);
}

static bool is_blank(unsigned cp) {
        static const struct range ranges[] = {
                { 0x20, 0x20 }, { 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x202f, 0x202f }, { 0x205f, 0x205f },
                { 0x2800, 0x2800 }, { 0x3000, 0x3000 },
        };

        return is_in(ranges, ELEMENTSOF(ranges), cp);
}

/* How many of the next bytes are ASCII but not NUL, in eights: values of megabytes are checked on the event loop. */
static size_t ascii_run(const unsigned char *p, size_t n) {
        const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
        size_t i;

        for (i = 0; n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
                uint64_t w;

                memcpy(&w, p + i, sizeof(w));
                if ((w & highs) || ((w - ones) & ~w & highs))
                        break;
        }
        return i;
}

enum demand { VALID, PRINTABLE, PLAIN };

static bool check(const char *s, size_t n, enum demand demand) {
        const unsigned char *p = (const unsigned char *) s;
        unsigned cp = 0;

        while (n > 0) {
                size_t k = demand == VALID ? ascii_run(p, n) : 0;

                if (k > 0) {
                        p += k;
                        n -= k;
                        continue;
                }
                k = utf8_sequence(p, n, &cp);
                if (k == 0 || cp == 0 || (demand >= PRINTABLE && is_control(cp)) || (demand >= PLAIN && is_deceptive(cp)))
                        return false;
                p += k;
                n -= k;
        }
        return true;
}

bool utf8_is_valid(const char *s, size_t n) {
        return check(s, n, VALID);
}

bool utf8_is_printable(const char *s, size_t n) {
        return check(s, n, PRINTABLE);
}

bool utf8_is_plain(const char *s, size_t n) {
        return check(s, n, PLAIN);
}

bool utf8_is_blank(const char *s, size_t n) {
        unsigned cp = 0;

        for (size_t k; n > 0; s += k, n -= k) {
                k = utf8_sequence((const unsigned char *) s, n, &cp);
                if (k == 0 || !is_blank(cp))
                        return false;
        }
        return true;
}

size_t utf8_escape_next(const void *p, size_t n, char out[UTF8_ESCAPED_MAX], size_t *ret_n) {
        static const char hex[] = "0123456789abcdef";
        const unsigned char *s = p;
        char *t = out;
        unsigned cp = 0;
        size_t k = utf8_sequence(s, n, &cp);

        if (k == 0 || is_control(cp) || is_deceptive(cp)) {
                /* A character of several bytes has all of them written. */
                k = MAX(k, (size_t) 1);
                for (size_t i = 0; i < k; i++) {
                        *t++ = '\\', *t++ = 'x';
                        *t++ = hex[s[i] >> 4];
                        *t++ = hex[s[i] & 15];
                }
        } else {
                if (cp == '\\')
                        *t++ = '\\';
                memcpy(t, s, k);
                t += k;
        }
        *ret_n = (size_t) (t - out);
        return k;
}

char *utf8_escape(const void *p, size_t n) {
        const char *s = p;
        char *r, *t;
        size_t k;

        if (n > (SIZE_MAX - 1 - UTF8_ESCAPED_MAX) / 4)
                return NULL;
        t = r = malloc(n * 4 + 1);
        if (!r)
                return NULL;
        for (size_t i = 0; i < n; t += k)
                i += utf8_escape_next(s + i, n - i, t, &k);
        *t = 0;
        return r;
}
