/* SPDX-License-Identifier: Apache-2.0 */
/* Owns jobs, from their making until what they carry is let go. */
#include "node/store/job.h"

struct job *job_new(enum job_kind kind) {
        struct job *j = calloc(1, sizeof(*j));

        if (j)
                j->kind = kind;
        return j;
}

struct job *job_free(struct job *j) {
        if (j) {
                transaction_unref(j->transaction);
                buffer_done(&j->block);
                free(j);
        }
        return NULL;
}

struct job *job_queue_pop(struct job_queue *q) {
        struct job *j = TAILQ_FIRST(q);

        if (j)
                TAILQ_REMOVE(q, j, queue);
        return j;
}
