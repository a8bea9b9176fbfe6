/* SPDX-License-Identifier: Apache-2.0 */
/* The few macros that every part of the project uses: cleanup attributes, ownership transfer, sizes. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define MIN(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define MAX(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })

/* Hands the value over and leaves the variable empty, so that its cleanup attribute does nothing. */
#define TAKE_PTR(p) ({ __typeof__(p) *_pp = &(p); __typeof__(p) _v = *_pp; *_pp = NULL; _v; })
#define TAKE_FD(fd) ({ int *_fdp = &(fd); int _fd = *_fdp; *_fdp = -EBADF; _fd; })

/* Defines func##p() for use with _cleanup_; func takes a pointer and accepts NULL. */
#define DEFINE_CLEANUP(type, func) \
        static inline _unused_ void func##p(type *p) { \
                if (*p) \
                        func(*p); \
        }

static inline _unused_ void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline _unused_ void closep(int *fd) {
        if (*fd >= 0) {
                int saved = errno;
                close(*fd);
                errno = saved;
        }
}
#define _cleanup_close_ _cleanup_(closep)

/* Closes fd if it is one; always returns -EBADF, to be assigned to the variable that held it. */
static inline _unused_ int safe_close(int fd) {
        closep(&fd);
        return -EBADF;
}

/* Replaces the string *p by a copy of s (or NULL). Returns 0 or -ENOMEM, in which case *p is as it was. */
static inline _unused_ int free_and_strdup(char **p, const char *s) {
        char *n = NULL;

        if (s && !(n = strdup(s)))
                return -ENOMEM;
        free(*p);
        *p = n;
        return 0;
}

static inline _unused_ bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

static inline _unused_ bool isempty(const char *s) {
        return !s || !*s;
}
