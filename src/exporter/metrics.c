/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names of the metrics, their units and their text.
 *
 * A counter's family is named without _total in OpenMetrics and with it in Prometheus' form; a stateset and an info are gauges
 * there. Of durations and times the unit is the second, as everywhere. */
#include <inttypes.h>

#include "basic/time-util.h"
#include "exporter/metrics.h"
#include "view/names.h"

enum kind { GAUGE, COUNTER, HISTOGRAM, INFO, STATESET };

struct writer {
        FILE *f;
        bool open; /* OpenMetrics */
};

/* The head of a family. `unit` is the last word of its name, NULL if it has none. */
static void family(struct writer *w, enum kind kind, const char *name, const char *unit, const char *help) {
        static const char *const types[] = {
                [GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram", [INFO] = "info", [STATESET] = "stateset",
        };
        const char *suffix = "", *type = types[kind];

        if (!w->open) {
                suffix = kind == COUNTER ? "_total" : kind == INFO ? "_info" : "";
                type = kind == INFO || kind == STATESET ? "gauge" : type;
        }
        fprintf(w->f, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, type);
        if (w->open && unit)
                fprintf(w->f, "# UNIT %s %s\n", name, unit);
}

/* A label's value; what is in it is text of ours or a name that the service has checked or escaped. */
static void quoted(FILE *f, const char *s) {
        fputc('"', f);
        for (; s && *s; s++)
                if (*s == '"' || *s == '\\')
                        fprintf(f, "\\%c", *s);
                else if (*s == '\n')
                        fputs("\\n", f);
                else
                        fputc(*s, f);
        fputc('"', f);
}

static void label(struct writer *w, bool first, const char *name, const char *value) {
        fprintf(w->f, "%s%s=", first ? "{" : ",", name);
        quoted(w->f, value);
}

static void seconds(struct writer *w, uint64_t usec) {
        fprintf(w->f, "%" PRIu64 ".%06" PRIu64, usec / USEC_PER_SEC, usec % USEC_PER_SEC);
}

static void gauge(struct writer *w, const char *name, const char *help, uint64_t value) {
        family(w, GAUGE, name, /* unit= */ NULL, help);
        fprintf(w->f, "%s %" PRIu64 "\n", name, value);
}

static void stateset(struct writer *w, const char *name, const char *help, const char *const *states, size_t n,
                     const char *current) {
        family(w, STATESET, name, /* unit= */ NULL, help);
        for (size_t i = 0; i < n; i++)
                fprintf(w->f, "%s{%s=\"%s\"} %d\n", name, name, states[i], streq(states[i], current));
}

/* An error's name without what they all begin with. */
static const char *short_name(const char *error) {
        size_t n = strlen(HA_ERROR_PREFIX);

        return strncmp(error, HA_ERROR_PREFIX, n) == 0 ? error + n : error;
}

static void write_infos(struct writer *w, const struct picture *p) {
        family(w, INFO, "confd_ha_service", /* unit= */ NULL, "The service, confd-had.");
        fputs("confd_ha_service_info", w->f);
        label(w, /* first= */ true, "version", p->version);
        fputs("} 1\n", w->f);

        family(w, INFO, "confd_ha_confd", /* unit= */ NULL, "The ConfD that the service is connected to.");
        fputs("confd_ha_confd_info", w->f);
        label(w, /* first= */ true, "version", p->confd_version);
        label(w, /* first= */ false, "address", p->confd_address);
        fprintf(w->f, ",protocol=\"%" PRIu32 "\"} 1\n", p->protocol_version);

        family(w, INFO, "confd_ha_node", /* unit= */ NULL, "This node's id, and the master that it follows.");
        fputs("confd_ha_node_info", w->f);
        label(w, /* first= */ true, "node_id", p->node_id);
        label(w, /* first= */ false, "master", p->master.id);
        label(w, /* first= */ false, "master_address", p->master.address);
        fputs("} 1\n", w->f);
}

static void write_states(struct writer *w, const struct picture *p) {
        static const char *const states[] = { "none", "slave", "master", "slave-relay", "unknown" };
        static const char *const targets[] = { "off", "reached", "starting", "stopping", "failed" };
        const char *target = p->targets ?: "off";

        stateset(w, "confd_ha_state", "The HA state of ConfD.", states, ELEMENTSOF(states), picture_state(p));
        /* "failed: why": the reason is no label, as nobody bounds how many there are. */
        stateset(w, "confd_ha_target", "The role target of systemd.", targets, ELEMENTSOF(targets),
                 strncmp(target, "failed", strlen("failed")) == 0 ? "failed" : target);
}

static void write_times(struct writer *w, const struct picture *p, uint64_t now) {
        family(w, GAUGE, "confd_ha_state_duration_seconds", "seconds", "How long the state has been what it is.");
        fputs("confd_ha_state_duration_seconds ", w->f);
        seconds(w, now > p->state_since_usec ? now - p->state_since_usec : 0);
        fputc('\n', w->f);
        family(w, GAUGE, "confd_ha_state_since_timestamp_seconds", "seconds", "When the state became what it is.");
        fputs("confd_ha_state_since_timestamp_seconds ", w->f);
        seconds(w, p->state_since_usec);
        fputc('\n', w->f);

        if (!isempty(p->error_name)) {
                family(w, GAUGE, "confd_ha_last_error_timestamp_seconds", "seconds",
                       "When the last order failed, or master or connection was lost, by the error's name.");
                fputs("confd_ha_last_error_timestamp_seconds", w->f);
                label(w, /* first= */ true, "error", short_name(p->error_name));
                fputs("} ", w->f);
                seconds(w, p->error_usec);
                fputc('\n', w->f);
        }
        if (p->last_in_sync.usec > 0) {
                family(w, GAUGE, "confd_ha_last_in_sync_timestamp_seconds", "seconds",
                       "Until when the data was in place, while it is not.");
                fputs("confd_ha_last_in_sync_timestamp_seconds ", w->f);
                seconds(w, p->last_in_sync.usec);
                fputc('\n', w->f);
        }
}

static uint64_t total(const struct picture *p, const struct order_count *c) {
        return c->counts[p->n_bounds];
}

/* Of each kind of order, whatever came of it. Rows of one kind stand together, as the service has them. */
static void write_durations(struct writer *w, const struct picture *p) {
        static const char name[] = "confd_ha_order_duration_seconds";

        family(w, HISTOGRAM, name, "seconds", "From an order's authorization to its outcome.");
        for (size_t i = 0, next; i < p->n_orders; i = next) {
                uint64_t counts[PICTURE_BOUNDS_MAX + 1] = {}, sum = 0;
                const char *order = p->orders[i].kind;

                for (next = i; next < p->n_orders && streq(p->orders[next].kind, order); next++) {
                        for (size_t k = 0; k <= p->n_bounds; k++)
                                counts[k] += p->orders[next].counts[k];
                        sum += p->orders[next].sum_usec;
                }
                for (size_t k = 0; k <= p->n_bounds; k++) {
                        fprintf(w->f, "%s_bucket", name);
                        label(w, /* first= */ true, "order", order);
                        fputs(",le=\"", w->f);
                        if (k < p->n_bounds)
                                fprintf(w->f, "%g", (double) p->bounds[k] / USEC_PER_SEC);
                        else
                                fputs("+Inf", w->f);
                        fprintf(w->f, "\"} %" PRIu64 "\n", counts[k]);
                }
                fprintf(w->f, "%s_sum", name);
                label(w, /* first= */ true, "order", order);
                fputs("} ", w->f);
                seconds(w, sum);
                fprintf(w->f, "\n%s_count", name);
                label(w, /* first= */ true, "order", order);
                fprintf(w->f, "} %" PRIu64 "\n", counts[p->n_bounds]);
        }
}

static void write_orders(struct writer *w, const struct picture *p) {
        family(w, COUNTER, "confd_ha_transitions", /* unit= */ NULL, "How often the state has changed.");
        fprintf(w->f, "confd_ha_transitions_total %" PRIu64 "\n", p->transitions);
        if (p->n_orders == 0)
                return;
        family(w, COUNTER, "confd_ha_orders", /* unit= */ NULL, "Orders that were authorized, by what came of them.");
        for (size_t i = 0; i < p->n_orders; i++) {
                fputs("confd_ha_orders_total", w->f);
                label(w, /* first= */ true, "order", p->orders[i].kind);
                label(w, /* first= */ false, "outcome", short_name(p->orders[i].outcome));
                fprintf(w->f, "} %" PRIu64 "\n", total(p, p->orders + i));
        }
        write_durations(w, p);
}

void metrics_write(const struct picture *p, uint64_t now_usec, enum metrics_format format, FILE *f) {
        struct writer w = { .f = f, .open = format == METRICS_OPENMETRICS };

        gauge(&w, "confd_ha_up", "Whether the service answers on the bus.", p != NULL);
        if (p) {
                write_infos(&w, p);
                write_states(&w, p);
                gauge(&w, "confd_ha_connected", "Whether the service is connected to ConfD.", p->connected);
                gauge(&w, "confd_ha_events_connected", "Whether ConfD tells the service of events.", p->events_connected);
                gauge(&w, "confd_ha_in_sync", "Whether this node is master, or has its master's data in place.", p->in_sync);
                gauge(&w, "confd_ha_synchronizing", "Whether a BeSlave is under way.", p->synchronizing);
                gauge(&w, "confd_ha_slaves", "How many nodes follow this one.", p->n_slaves);
                gauge(&w, "confd_ha_inhibitors", "How many hold role orders back.", p->n_inhibitors);
                write_times(&w, p, now_usec);
                write_orders(&w, p);
        }
        if (w.open)
                fputs("# EOF\n", f);
}

enum metrics_format metrics_format_from_accept(const char *accept) {
        return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

const char *metrics_content_type(enum metrics_format format) {
        return format == METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                             : "text/plain; version=0.0.4; charset=utf-8";
}
