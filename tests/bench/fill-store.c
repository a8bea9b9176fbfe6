/* SPDX-License-Identifier: Apache-2.0 */
/* fill-store DIRECTORY ENTRIES SIZE: a data directory for the reference node with so many entries of that size, which do not compress. */
#include <stdio.h>

#include "node/store/store.h"

enum { PENDING_MAX = 8 * 1024 * 1024 };

struct fill {
        sd_event *event;
        int result;
        bool done;
};

static void on_done(int result, void *userdata) {
        struct fill *f = userdata;

        f->result = result;
        f->done = true;
}

static int wait_done(struct fill *f) {
        int r = 0;

        while (r >= 0 && !f->done)
                r = sd_event_run(f->event, UINT64_MAX);
        f->done = false;
        return r < 0 ? r : f->result;
}

static int put_all(struct fill *f, struct store_copy *c, unsigned long entries, size_t size) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
        _cleanup_free_ char *value = malloc(size);
        uint64_t random = 1;
        char key[32];
        int r = 0;

        if (!value)
                return -ENOMEM;
        for (unsigned long i = 0; r >= 0 && i < entries; i++) {
                for (size_t k = 0; k < size; k++) {
                        if (k % 8 == 0)
                                random = random * 6364136223846793005u + 1442695040888963407u;
                        value[k] = letters[random >> (58 - k % 8 * 6) & 63];
                }
                snprintf(key, sizeof(key), "/fill/%010lu", i);
                r = store_copy_put(c, key, strlen(key), value, size);
                while (r >= 0 && store_copy_pending(c) > PENDING_MAX)
                        r = sd_event_run(f->event, /* usec= */ 10000);
        }
        return r < 0 ? r : 0;
}

int main(int argc, char *argv[]) {
        _cleanup_free_ char *error = NULL;
        _cleanup_store_ struct store *s = NULL;
        _cleanup_(store_copy_freep) struct store_copy *c = NULL;
        struct fill f = {};
        int r;

        if (argc != 4) {
                fprintf(stderr, "fill-store: DIRECTORY ENTRIES SIZE wanted\n");
                return 2;
        }
        r = sd_event_default(&f.event);
        if (r >= 0)
                r = store_open(argv[1], f.event, &s, &error);
        if (r >= 0)
                r = store_copy_new(s, &c);
        if (r >= 0)
                r = put_all(&f, c, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
        if (r >= 0)
                r = store_copy_finish(c, "filled by the benchmark", on_done, &f);
        if (r >= 0)
                r = wait_done(&f);
        if (r >= 0)
                r = store_copy_swap(c, store_chain_new(s), on_done, &f);
        if (r >= 0)
                r = wait_done(&f);
        if (r < 0) {
                fprintf(stderr, "fill-store: %s\n", error ?: strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
