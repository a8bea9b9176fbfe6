/* SPDX-License-Identifier: Apache-2.0 */
/* Every error that a user of org.confd.HA may meet: what it means and what to look at. */
#pragma once

#include <stddef.h>

struct error_entry {
        const char *name;       /* full D-Bus name */
        int code;               /* ConfD's number, or 0 */
        const char *confd_name; /* ConfD's name for it, without CONFD_ERR_, or NULL */
        const char *meaning;
        const char *look_at;
};

extern const struct error_entry error_table[];
extern const size_t error_table_size;

/* ConfD's name of an error number, without CONFD_ERR_; NULL for an unknown one. */
const char *confd_error_name(int code);

/* The highest number that confd_error_name() knows. */
enum { CONFD_ERROR_MAX = 71 };
