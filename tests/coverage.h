/* SPDX-License-Identifier: Apache-2.0 */
/* In front of every file of ./check --coverage's build: a child that leaves by _exit() takes what it has counted with it, unless it is
 * told to write that down. No header is included here: what stands in front of a file's own settings would undo them. */
#pragma once

void __gcov_dump(void);

extern __attribute__((noreturn)) void exit_uncounted(int status) __asm__("_exit");

static inline __attribute__((unused, noreturn)) void exit_counted(int status) {
        __gcov_dump();
        exit_uncounted(status);
}

/* unistd.h declares this one, then, in place of its own. */
#define _exit exit_counted
