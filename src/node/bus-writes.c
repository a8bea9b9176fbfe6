/* SPDX-License-Identifier: Apache-2.0 */
/* Owns Applies, from the call until its answer. */
#include <stdlib.h>
#include <sys/queue.h>

#include "basic/log.h"
#include "node/bus-writes.h"
#include "node/replication/replication.h"

struct bus_writes {
        bus_commit_fn commit;
        void *userdata;
        unsigned n;
        bool ended;
        bus_idle_fn idle_fn;
        void *idle_userdata;
        LIST_HEAD(, apply) applies;
};

/* An Apply whose transaction is on its way. It may outlive the bus that it came from, and even the object. */
struct apply {
        struct bus_writes *writes; /* NULL: that is gone */
        LIST_ENTRY(apply) applies;
        sd_bus_message *message;
};

/* ---- errors ---- */

#define READ_AGAIN "read the data again, from whoever is master then"

int bus_bad_key(sd_bus_error *error) {
        return sd_bus_error_set(error, NODE_BUS_ERROR("BadKey"), "A key is 1 to 511 bytes and starts with '/'");
}

static int set_commit_error(sd_bus_error *error, int r) {
        switch (r) {
        case -EROFS:
                return sd_bus_error_set(error, NODE_BUS_ERROR("ReadOnly"),
                                        "Only a master, or a node that has no role and is not joining, takes writes");
        case -EBUSY:
                return sd_bus_error_set(error, NODE_BUS_ERROR("Busy"), "Too many transactions are under way, try again");
        case COMMIT_MAYBE_ELSEWHERE:
                return sd_bus_error_set(error, NODE_BUS_ERROR("Uncertain"),
                                        "The transaction is not stored here, but slaves that were given it may have it; " READ_AGAIN);
        case COMMIT_MAYBE_ONLY_HERE:
                return sd_bus_error_set(error, NODE_BUS_ERROR("Uncertain"),
                                        "The transaction is stored here, but perhaps nowhere else: the role ended before all slaves had it; "
                                        READ_AGAIN);
        case -ESHUTDOWN:
                return sd_bus_error_set(error, NODE_BUS_ERROR("Uncertain"),
                                        "The node ends before the transaction is stored: its next start shows whether it is; " READ_AGAIN);
        case -ENOTRECOVERABLE:
                return sd_bus_error_set(error, NODE_BUS_ERROR("Uncertain"),
                                        "The store has failed: only its next start shows whether the transaction is stored; " READ_AGAIN);
        case -ENOSPC:
        case -EDQUOT:
        case -EFBIG:
                return sd_bus_error_set(error, NODE_BUS_ERROR("NoSpace"), "No space left for the data; nothing was changed");
        case -E2BIG:
                return sd_bus_error_set(error, NODE_BUS_ERROR("TooLarge"),
                                        "A value is at most 8 MiB, a transaction at most 16 MiB and 65536 changes: make several of it");
        default:
                return sd_bus_error_set_errnof(error, r, "The transaction could not be stored: %s", strerror(-r));
        }
}

/* ---- writing ---- */

/* Whoever waits for it has had his answer, or has nobody any more who could give it. */
static void apply_detach(struct apply *a) {
        struct bus_writes *w = a->writes;

        if (!w)
                return;
        a->writes = NULL;
        LIST_REMOVE(a, applies);
        w->n--;
        if (w->idle_fn && w->n == 0)
                w->idle_fn(w->idle_userdata);
}

static struct apply *apply_free(struct apply *a) {
        if (!a)
                return NULL;
        apply_detach(a);
        sd_bus_message_unref(a->message);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(struct apply *, apply_free)

static void apply_answer(struct apply *a, int result, const struct transaction *t) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (result < 0) {
                (void) set_commit_error(&error, result);
                r = sd_bus_reply_method_error(a->message, &error);
        } else
                r = sd_bus_reply_method_return(a->message, "s", transaction_id(t));
        if (r < 0)
                log_debug("D-Bus: cannot answer an Apply: %s", strerror(-r));
}

static void on_committed(int result, struct transaction *t, void *userdata) {
        _cleanup_(apply_freep) struct apply *a = userdata;

        if (a->writes)
                apply_answer(a, result, t);
}

/* The keys of an Apply, to see whether one is named twice. They point into the message. */
struct keys {
        const char **key;
        size_t n, allocated;
};

static void keys_done(struct keys *k) {
        free(k->key);
}

static int keys_add(struct keys *k, const char *key) {
        if (k->n == k->allocated) {
                size_t want = MAX(k->allocated * 2, (size_t) 64);
                const char **p = reallocarray(k->key, want, sizeof(*p));

                if (!p)
                        return -ENOMEM;
                k->key = p;
                k->allocated = want;
        }
        k->key[k->n++] = key;
        return 0;
}

static int compare_keys(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int check_keys(struct keys *k, sd_bus_error *error) {
        if (k->n == 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "Nothing to set and nothing to delete");
        qsort(k->key, k->n, sizeof(*k->key), compare_keys);
        for (size_t i = 1; i < k->n; i++)
                if (streq(k->key[i - 1], k->key[i]))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s is named twice", k->key[i]);
        return 0;
}

static int add_change(struct transaction *t, struct keys *keys, const char *key, const char *value, sd_bus_error *error) {
        int r;

        if (!key_is_valid(key, strlen(key)))
                return bus_bad_key(error);
        r = keys_add(keys, key);
        if (r >= 0)
                r = value ? transaction_set(t, key, value) : transaction_delete(t, key);
        if (r == -E2BIG)
                return set_commit_error(error, r);
        return r;
}

static int read_changes(sd_bus_message *m, struct transaction *t, sd_bus_error *error) {
        _cleanup_(keys_done) struct keys keys = {};
        const char *key, *value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0) {
                r = add_change(t, &keys, key, value, error);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "s", &key)) > 0) {
                r = add_change(t, &keys, key, NULL, error);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : check_keys(&keys, error);
}

static bool has_place(const struct bus_writes *w, const char *sender) {
        struct apply *a;

        if (w->n < BUS_APPLIES_MAX - BUS_APPLIES_KEPT)
                return true;
        LIST_FOREACH(a, &w->applies, applies)
                if (streq(sd_bus_message_get_sender(a->message) ?: "", sender ?: ""))
                        return false;
        return w->n < BUS_APPLIES_MAX;
}

int bus_writes_add(struct bus_writes *w, sd_bus_message *m, sd_bus_error *error) {
        _cleanup_transaction_ struct transaction *t = NULL;
        struct apply *a;
        int r;

        if (w->ended)
                return sd_bus_error_set(error, NODE_BUS_ERROR("Busy"), NODE_BUS_ENDING);
        if (!has_place(w, sd_bus_message_get_sender(m)))
                return set_commit_error(error, -EBUSY);
        r = transaction_new(&t);
        if (r < 0)
                return r;
        r = read_changes(m, t, error);
        if (r < 0)
                return r;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->writes = w;
        a->message = sd_bus_message_ref(m);
        LIST_INSERT_HEAD(&w->applies, a, applies);
        w->n++;
        r = w->commit(t, on_committed, a, w->userdata);
        if (r < 0) {
                apply_free(a);
                return set_commit_error(error, r);
        }
        return 1; /* on_committed() answers */
}

void bus_writes_end(struct bus_writes *w, bus_idle_fn fn, void *userdata) {
        w->ended = true;
        w->idle_fn = fn;
        w->idle_userdata = userdata;
        if (fn && w->n == 0)
                fn(userdata);
}

void bus_writes_give_up(struct bus_writes *w) {
        struct apply *a;

        bus_writes_end(w, NULL, NULL);
        while ((a = LIST_FIRST(&w->applies))) {
                apply_answer(a, -ESHUTDOWN, NULL);
                apply_detach(a);
        }
}

unsigned bus_writes_under_way(const struct bus_writes *w) {
        return w->n;
}

/* ---- life ---- */

int bus_writes_new(bus_commit_fn commit, void *userdata, struct bus_writes **ret) {
        struct bus_writes *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        LIST_INIT(&w->applies);
        w->commit = commit;
        w->userdata = userdata;
        *ret = w;
        return 0;
}

struct bus_writes *bus_writes_free(struct bus_writes *w) {
        if (!w)
                return NULL;
        bus_writes_give_up(w);
        free(w);
        return NULL;
}
