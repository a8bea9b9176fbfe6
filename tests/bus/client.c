/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the callers on the bus. */
#include <stdio.h>

#include "client.h"
#include "harness.h"
#include "message-text.h"

/* s a{sv} as: the properties in one line. */
static void add_changed(struct client *c, sd_bus_message *m) {
        _cleanup_free_ char *line = strdup("changed");
        const char *interface, *name;
        int r;

        if (sd_bus_message_read(m, "s", &interface) < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                abort();
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                _cleanup_free_ char *value = NULL;
                char *longer;

                if (sd_bus_message_read(m, "s", &name) < 0)
                        abort();
                value = message_argument_text(m);
                if (asprintf(&longer, "%s %s=%s", line, name, value) < 0 || sd_bus_message_exit_container(m) < 0)
                        abort();
                free(line);
                line = longer;
        }
        if (r < 0 || sd_bus_message_exit_container(m) < 0 || sd_bus_message_enter_container(m, 'a', "s") < 0)
                abort();
        while (sd_bus_message_read(m, "s", &name) > 0) {
                char *longer;

                if (asprintf(&longer, "%s -%s", line, name) < 0)
                        abort();
                free(line);
                line = longer;
        }
        trace_add(&c->trace, "%s", line);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct client *c = userdata;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                add_changed(c, m);
        else {
                _cleanup_free_ char *s = message_text(m);

                trace_add(&c->trace, "signal %s%s%s", sd_bus_message_get_member(m), *s ? " " : "", s);
        }
        return 0;
}

struct client *client_new(struct fixture *f, uid_t uid) {
        struct client *c = calloc(1, sizeof(*c));
        char *name = NULL, *match = NULL;
        const char *unique;

        if (!c || sd_bus_new(&c->bus) < 0)
                abort();
        c->f = f;
        if (sd_bus_set_address(c->bus, f->bus_address) < 0 || sd_bus_set_bus_client(c->bus, true) < 0)
                abort();
        /* The bus sees who connected the socket, so it is enough to be that user for this moment. */
        if (uid != 0 && (setegid(uid) < 0 || seteuid(uid) < 0))
                abort();
        if (sd_bus_start(c->bus) < 0)
                abort();
        if (uid != 0 && (seteuid(0) < 0 || setegid(0) < 0))
                abort();
        if (sd_bus_attach_event(c->bus, f->event, SD_EVENT_PRIORITY_NORMAL) < 0 ||
            sd_bus_get_unique_name(c->bus, &unique) < 0 || asprintf(&name, "%s", unique) < 0 ||
            asprintf(&match, "type='signal',path='%s'", f->subject->path) < 0 ||
            sd_bus_add_match(c->bus, NULL, match, on_signal, c) < 0)
                abort();
        free(match);
        c->trace.name = keep(f, name);
        c->next = f->clients;
        f->clients = c;
        return c;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct call *call = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        call->done = true;
        if (e) {
                call->error = strdup(e->name);
                call->message = strdup(e->message ?: "");
                trace_add(&call->client->trace, "error %s %s: %s", call->method, call->error, call->message);
        } else {
                call->text = message_text(m);
                /* Waiting for a property asks for it again and again. */
                if (!streq(call->method, "Get"))
                        trace_add(&call->client->trace, "reply %s%s%s", call->method, *call->text ? " " : "",
                                  call->text);
        }
        return 0;
}

static struct call *start(struct client *c, bool interactive, const char *path, const char *interface,
                          const char *member, const char *types, va_list ap) {
        struct call *call = calloc(1, sizeof(*call));
        sd_bus_message *m = NULL;

        if (!call || !(call->method = strdup(member)))
                abort();
        call->client = c;
        call->next = c->calls;
        c->calls = call;
        if (sd_bus_message_new_method_call(c->bus, &m, c->f->subject->name, path, interface, member) < 0 ||
            sd_bus_message_set_allow_interactive_authorization(m, interactive) < 0 ||
            sd_bus_message_set_auto_start(m, false) < 0 ||
            (!isempty(types) && sd_bus_message_appendv(m, types, ap) < 0) ||
            sd_bus_call_async(c->bus, &call->slot, m, on_reply, call, 120 * USEC_PER_SEC) < 0)
                abort();
        sd_bus_message_unref(m);
        /* Now, so that calls of several clients go out in the order of the calls here. */
        (void) sd_bus_flush(c->bus);
        return call;
}

struct call *call_startv(struct client *c, bool interactive, const char *method, const char *types, va_list ap) {
        return start(c, interactive, c->f->subject->path, c->f->subject->interface, method, types, ap);
}

struct call *call_start(struct client *c, const char *method, const char *types, ...) {
        struct call *call;
        va_list ap;

        va_start(ap, types);
        call = call_startv(c, false, method, types, ap);
        va_end(ap);
        return call;
}

struct call *call_start_interactive(struct client *c, const char *method, const char *types, ...) {
        struct call *call;
        va_list ap;

        va_start(ap, types);
        call = call_startv(c, true, method, types, ap);
        va_end(ap);
        return call;
}

struct call *call_start_member(struct client *c, const char *path, const char *interface, const char *member,
                               const char *types, ...) {
        struct call *call;
        va_list ap;

        va_start(ap, types);
        call = start(c, false, path, interface, member, types, ap);
        va_end(ap);
        return call;
}

static struct call *call_free(struct call *call) {
        sd_bus_slot_unref(call->slot);
        free(call->method);
        free(call->text);
        free(call->error);
        free(call->message);
        free(call);
        return NULL;
}

void client_leave(struct client *c) {
        for (struct call *call = c->calls; call; call = call->next)
                call->slot = sd_bus_slot_unref(call->slot);
        sd_bus_detach_event(c->bus);
        sd_bus_close(c->bus);
        c->bus = sd_bus_unref(c->bus);
}

struct client *client_free(struct client *c) {
        while (c->calls) {
                struct call *call = c->calls;

                c->calls = call->next;
                call_free(call);
        }
        if (c->bus) {
                sd_bus_detach_event(c->bus);
                sd_bus_close(c->bus);
                sd_bus_unref(c->bus);
        }
        trace_done(&c->trace);
        free(c);
        return NULL;
}
