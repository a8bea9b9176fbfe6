/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of confd-had: what its files say, with the secrets that they name. */
#pragma once

#include "basic/parse.h"
#include "basic/secret.h"
#include "basic/util.h"
#include "service/bus-errors.h"

enum {
        TOKEN_MAX = 255,
        ACCESS_SECRET_MAX = 65536,
};

struct config {
        char *address_text; /* as it stands in the file */
        char *address_name; /* the same in its usual form */
        struct socket_address address;
        char *token_file, *access_file;
        uint64_t request_timeout, sync_timeout;
        uint64_t reconnect_min, reconnect_max;
        bool allow_address_strings;
        bool targets;
        uint64_t grace;

        struct secret token, access;
        bool has_access;
        struct failure problem; /* why there is no connecting with these secrets; none if there is */
        char *problem_file;     /* which one it is about */
};

struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* Reads FILE (the default one, which may be missing, if NULL) with its drop-ins, and the secrets. What is wrong with a
 * secret is no error here but stands in `problem`. Returns 0, or a negative errno with the reason in *ret_error (file
 * and line), to be freed. */
_must_check_ int config_load(struct config **ret, const char *file, char **ret_error);

/* The name of the file that config_load() reads. */
const char *config_file_name(const char *file);

/* Whether another connection is due: another address, token or access secret. */
bool config_connection_equal(const struct config *a, const struct config *b);
