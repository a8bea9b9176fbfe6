/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, and what tests of the store do over and over. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "node/store/store.h"
#include "value-of.h"

enum { DEADLINE_USEC = 30 * 1000 * 1000 };

struct fixture {
        char directory[64];
        sd_event *event;
        struct store *store;
};

struct outcome {
        bool done;
        int result;
        char id[TRANSACTION_ID_MAX + 1];
};

struct collected {
        size_t n, bytes;
        char last[KEY_SIZE_MAX + 1];
};

void open_store(struct fixture *f);
void close_store(struct fixture *f);
int setup(void **state);
int teardown(void **state);
void run_until(sd_event *event, const bool *done);
void on_commit(int result, struct transaction *t, void *userdata);
void on_copy(int result, void *userdata);
struct transaction *one(const char *key, const char *value);
int commit(struct fixture *f, const char *key, const char *value);
void assert_value(struct fixture *f, const char *key, const char *value);
struct store_copy *finished_copy(struct fixture *f, size_t n);
void fill_copy(struct store_copy *c, size_t n, const char *value);
size_t count_files(const char *directory);
void in_tmpfs(void (*fn)(struct fixture *), struct fixture *f, const char *options);
bool has_file(const struct fixture *f, const char *name);
void rename_file(const struct fixture *f, const char *from, const char *to);
char *open_error(const struct fixture *f, int expected);
int in_child(void (*fn)(struct fixture *), struct fixture *f);
void write_file(struct fixture *f, const char *name, const void *p, size_t n, int flags);
int collect(const char *key, const char *value, void *userdata);
