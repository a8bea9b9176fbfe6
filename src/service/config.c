/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the service's configuration. */
#include <confd_lib.h>
#include <stdio.h>

#include "basic/ini-config.h"
#include "basic/secret-sources.h"
#include "basic/time-util.h"
#include "service/config.h"
#include "service/sandbox.h"

#define DEFAULT_FILE CONFD_HA_SYSCONFDIR "/confd-ha/confd-ha.conf"
#define DEFAULT_TOKEN_FILE CONFD_HA_SYSCONFDIR "/confd-ha/token"
#define DEFAULT_ADDRESS "127.0.0.1:4565"
/* Shorter times would only keep the machine busy. */
#define SHORTEST_USEC (10 * USEC_PER_MSEC)

const char *config_file_name(const char *file) {
        return file ?: DEFAULT_FILE;
}

struct config *config_free(struct config *c) {
        if (!c)
                return NULL;
        free(c->address_text);
        free(c->address_name);
        free(c->token_file);
        free(c->access_file);
        secret_done(&c->token);
        secret_done(&c->access);
        failure_done(&c->problem);
        free(c->problem_file);
        free(c);
        return NULL;
}

static int parse_address(const char *value, void *target, const char **ret_why) {
        struct socket_address a;

        *ret_why = "not an address, as 127.0.0.1:4565, [::1]:4565 or unix:/run/confd/ipc.sock";
        if (parse_socket_address(value, CONFD_PORT, &a) < 0)
                return -EINVAL;
        return config_parse_string(value, target, ret_why);
}

static int parse_duration(const char *value, void *target, const char **ret_why) {
        uint64_t usec;
        int r = config_parse_sec(value, &usec, ret_why);

        if (r < 0)
                return r;
        if (usec < SHORTEST_USEC) {
                *ret_why = "too short, at least 0.01";
                return -ERANGE;
        }
        *(uint64_t *) target = usec;
        return 0;
}

static int parse_token_file(const char *value, void *target, const char **ret_why) {
        if (!*value) {
                *ret_why = "names no file";
                return -EINVAL;
        }
        return config_parse_path(value, target, ret_why);
}

static const struct ini_key keys[] = {
        { "ConfD", "Address", parse_address, offsetof(struct config, address_text) },
        { "ConfD", "TokenFile", parse_token_file, offsetof(struct config, token_file) },
        { "ConfD", "AccessFile", config_parse_path, offsetof(struct config, access_file) },
        { "ConfD", "RequestTimeoutSec", parse_duration, offsetof(struct config, request_timeout) },
        { "ConfD", "SyncTimeoutSec", parse_duration, offsetof(struct config, sync_timeout) },
        { "ConfD", "ReconnectMinSec", parse_duration, offsetof(struct config, reconnect_min) },
        { "ConfD", "ReconnectMaxSec", parse_duration, offsetof(struct config, reconnect_max) },
        { "ConfD", "AllowAddressStrings", config_parse_bool, offsetof(struct config, allow_address_strings) },
        { "Roles", "Targets", config_parse_bool, offsetof(struct config, targets) },
        { "Roles", "GraceSec", config_parse_sec, offsetof(struct config, grace) },
        {}
};

/* ---- secrets ---- */

/* A secret of ours: a credential of systemd's, if there is one of that name, else a file that the configuration names. */
struct source {
        const char *credential;
        const char *file;
        size_t max;
        bool strip_newline;

        char *path; /* where it was looked for */
        bool is_credential;
};

static void source_done(struct source *s) {
        free(s->path);
}

static int source_read(struct source *s, struct secret *ret) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        int r;

        r = secret_read_credential(s->credential, s->max, s->strip_newline, ret);
        s->is_credential = r != -ENOENT && dir;
        if (s->is_credential) {
                if (asprintf(&s->path, "%s/%s", dir, s->credential) < 0) {
                        s->path = NULL;
                        return -ENOMEM;
                }
                return r;
        }
        if (r != -ENOENT)
                return r;
        if (free_and_strdup(&s->path, s->file) < 0)
                return -ENOMEM;
        return isempty(s->file) ? -ENOENT : secret_read_file(s->file, s->max, s->strip_newline, ret);
}

static const char *why_unreadable(int r, const struct source *s, const char *too_long) {
        switch (r) {
        case -ENOENT:
                return sandbox_hides(s->path) ? "there is no such file, or the sandbox of confd-ha.service hides it (/home, "
                                                       "/root, /run/user, /tmp and /var/tmp: move the file, or see confd-had(8) "
                                                       "for a drop-in)"
                                                     : "there is no such file";
        case -EACCES:
                return sandbox_hides(s->path) ? "the service may not read it, or the sandbox of confd-ha.service hides it "
                                                       "(/home, /root, /run/user, /tmp and /var/tmp: move the file, or see "
                                                       "confd-had(8) for a drop-in)"
                                                     : "the service may not read it (chgrp confd-ha it, chmod 640 it, and let the "
                                                       "group search the directories above)";
        case -EPERM:
                return "refused, because others than its owner and group may read or write it (chmod o= it)";
        case -EFBIG:
                return too_long;
        case -EINVAL:
                return "it is not a regular file";
        default:
                return strerror(-r);
        }
}

/* Why there is no connecting, and the file that it is about. */
static int set_problem(struct config *c, struct source *s, struct failure problem) {
        failure_done(&c->problem);
        c->problem = problem;
        free(c->problem_file);
        c->problem_file = TAKE_PTR(s->path);
        return 0;
}

static int read_token(struct config *c) {
        _cleanup_(source_done) struct source s = {
                .credential = "ha-token", .file = c->token_file, .max = TOKEN_MAX, .strip_newline = true,
        };
        const char *why = NULL;
        int r;

        r = source_read(&s, &c->token);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                why = why_unreadable(r, &s, "it is longer than 255 bytes");
        else if (c->token.size == 0)
                why = "it is empty";
        else if (memchr(c->token.data, 0, c->token.size))
                why = "it holds a NUL byte";
        if (!why)
                return 0;
        if (s.is_credential)
                return set_problem(c, &s, failure_make(FAILURE_NO_TOKEN, "no token from the credential ha-token (%s), which takes the "
                                                       "place of TokenFile=: %s; correct what confd-ha.service loads it from, or "
                                                       "remove that, then restart confd-ha", s.path, why));
        return set_problem(c, &s, failure_make(FAILURE_NO_TOKEN, "no token from %s: %s; every node of the cluster needs the same: "
                                               "(umask 027; openssl rand -hex 32 > %s), copy it to the other nodes, then reload "
                                               "confd-had", s.path, why, s.path));
}

static int read_access(struct config *c) {
        _cleanup_(source_done) struct source s = {
                .credential = "ipc-access", .file = c->access_file, .max = ACCESS_SECRET_MAX,
        };
        const char *why;
        int r;

        r = source_read(&s, &c->access);
        if (r == -ENOMEM)
                return r;
        if (r >= 0) {
                c->has_access = true;
                return 0;
        }
        if (!s.is_credential && isempty(c->access_file))
                return 0;
        why = why_unreadable(r, &s, "it is longer than 64 KiB");
        if (s.is_credential)
                return set_problem(c, &s, failure_make(FAILURE_SECRET, "no IPC access secret from the credential ipc-access (%s), "
                                                       "which takes the place of AccessFile=: %s; correct what confd-ha.service "
                                                       "loads it from, or remove that, then restart confd-ha", s.path, why));
        return set_problem(c, &s, failure_make(FAILURE_SECRET, "no IPC access secret from %s: %s; AccessFile= has to name a copy of "
                                               "ConfD's own access file, or nothing; then reload confd-had", s.path, why));
}

/* The service can run without secrets, if only to say what is wrong. */
static int read_secrets(struct config *c) {
        int r = read_token(c);

        return r < 0 || failure_is_set(&c->problem) ? r : read_access(c);
}

int config_load(struct config **ret, const char *file, char **ret_error) {
        _cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
        int r;

        *ret_error = NULL;
        if (!c)
                return -ENOMEM;
        c->request_timeout = 10 * USEC_PER_SEC;
        c->sync_timeout = 3600 * USEC_PER_SEC;
        c->reconnect_min = 200 * USEC_PER_MSEC;
        c->reconnect_max = 10 * USEC_PER_SEC;
        c->targets = true;
        c->grace = 10 * USEC_PER_SEC;
        if (free_and_strdup(&c->address_text, DEFAULT_ADDRESS) < 0 ||
            free_and_strdup(&c->token_file, DEFAULT_TOKEN_FILE) < 0 || free_and_strdup(&c->access_file, "") < 0)
                return -ENOMEM;

        r = ini_config_load(config_file_name(file), /* required= */ file, keys, c, ret_error);
        if (r < 0)
                return r;
        r = parse_socket_address(c->address_text, CONFD_PORT, &c->address);
        if (r < 0)
                return r;
        c->address_name = format_socket_address(&c->address);
        if (!c->address_name)
                return -ENOMEM;
        if (c->reconnect_max < c->reconnect_min) {
                if (asprintf(ret_error, "%s: ReconnectMaxSec= is less than ReconnectMinSec=", config_file_name(file)) < 0)
                        *ret_error = NULL;
                return -EINVAL;
        }
        r = read_secrets(c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

bool config_connection_equal(const struct config *a, const struct config *b) {
        return streq(a->address_name, b->address_name) && failure_is_set(&a->problem) == failure_is_set(&b->problem) &&
               secret_equal(&a->token, &b->token) && a->has_access == b->has_access && secret_equal(&a->access, &b->access);
}
