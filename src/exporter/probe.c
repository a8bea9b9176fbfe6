/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what each probe means. */
#include "exporter/probe.h"
#include "view/json.h"

static bool is_known(const struct picture *p) {
        return p->connected && !streq(picture_state(p), "unknown");
}

static bool is_master(const struct picture *p) {
        return is_known(p) && streq(picture_state(p), "master");
}

static bool is_slave_in_sync(const struct picture *p) {
        return is_known(p) && p->in_sync && (streq(picture_state(p), "slave") || streq(picture_state(p), "slave-relay"));
}

static bool can_be_read(const struct picture *p) {
        return is_master(p) || is_slave_in_sync(p);
}

static bool is_ready(const struct picture *p) {
        return is_known(p) && !p->synchronizing;
}

static bool is_alive(const struct picture *p) {
        return true; /* it has answered */
}

static const struct probe probes[] = {
        { "/primary", is_master },
        { "/master", is_master },
        { "/replica", is_slave_in_sync },
        { "/slave", is_slave_in_sync },
        { "/read-only", can_be_read },
        { "/ready", is_ready },
        { "/live", is_alive },
};

const struct probe *probe_find(const char *path) {
        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                if (streq(path, probes[i].path))
                        return probes + i;
        return NULL;
}

bool probe_answer(const struct probe *probe, const struct picture *p) {
        return p && probe->answer(p);
}

void probe_write(const struct probe *probe, const struct picture *p, const char *why, FILE *f) {
        struct json j = { .f = f };

        json_begin_object(&j, NULL);
        json_string(&j, "probe", probe->path + 1);
        json_boolean(&j, "answer", probe_answer(probe, p));
        if (p) {
                json_string(&j, "state", picture_state(p));
                json_string(&j, "node_id", p->node_id ?: "");
                json_boolean(&j, "connected", p->connected);
                json_boolean(&j, "in_sync", p->in_sync);
                json_boolean(&j, "synchronizing", p->synchronizing);
                json_string(&j, "master", p->master.id ?: "");
                json_unsigned(&j, "slaves", p->n_slaves);
        } else
                json_string(&j, "error", why);
        json_end_object(&j);
}
