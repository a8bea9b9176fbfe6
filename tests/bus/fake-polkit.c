/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the polkit authority of the tests. */
#include <stdio.h>

#include "harness.h"
#include "message-text.h"

static int answer(sd_bus_message *m, enum polkit_answer how, bool may_ask) {
        bool yes = how == POLKIT_YES || (how == POLKIT_CHALLENGE && may_ask);

        if (how == POLKIT_ERROR)
                return sd_bus_reply_method_errorf(m, "org.freedesktop.PolicyKit1.Error.Failed", "told to fail");
        if (how == POLKIT_GARBAGE)
                return sd_bus_reply_method_return(m, "s", "yes");
        return sd_bus_reply_method_return(m, "(bba{ss})", yes, !yes && how == POLKIT_CHALLENGE, 0);
}

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct polkit *p = userdata;
        _cleanup_free_ char *text = message_text(m);
        const char *action;
        uint32_t flags = 0;
        int r;

        trace_add(&p->trace, "check %s", text);
        if (p->denied) {
                r = sd_bus_message_rewind(m, true);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "(sa{sv})");
                if (r >= 0)
                        r = sd_bus_message_read(m, "s", &action);
                if (r < 0)
                        return r;
                if (streq(action, p->denied))
                        return answer(m, POLKIT_NO, /* may_ask= */ false);
        }
        if (p->answer == POLKIT_HOLD) {
                if (p->n_held == ELEMENTSOF(p->held))
                        return -ENOBUFS;
                p->held[p->n_held++] = sd_bus_message_ref(m);
                return 1;
        }
        r = sd_bus_message_rewind(m, true);
        if (r < 0)
                return r;
        r = sd_bus_message_skip(m, "(sa{sv})sa{ss}");
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "u", &flags);
        if (r < 0)
                return r;
        return answer(m, p->answer, flags & 1);
}

static int on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct polkit *p = userdata;
        _cleanup_free_ char *text = message_text(m);

        trace_add(&p->trace, "cancel %s", text);
        return sd_bus_reply_method_return(m, NULL);
}

/* No vtable: that would keep the authority from answering with another type. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        static const char interface[] = "org.freedesktop.PolicyKit1.Authority";

        if (sd_bus_message_is_method_call(m, interface, "CheckAuthorization"))
                return on_check(m, userdata, ret_error);
        if (sd_bus_message_is_method_call(m, interface, "CancelCheckAuthorization"))
                return on_cancel(m, userdata, ret_error);
        return 0;
}

void polkit_start(struct fixture *f, enum polkit_answer how) {
        struct polkit *p = &f->polkit;

        p->f = f;
        p->answer = how;
        p->trace.name = "polkit";
        if (sd_bus_new(&p->bus) < 0 || sd_bus_set_address(p->bus, f->bus_address) < 0 ||
            sd_bus_set_bus_client(p->bus, true) < 0 || sd_bus_start(p->bus) < 0 ||
            sd_bus_attach_event(p->bus, f->event, SD_EVENT_PRIORITY_NORMAL) < 0 ||
            sd_bus_add_object(p->bus, NULL, "/org/freedesktop/PolicyKit1/Authority", on_message, p) < 0 ||
            sd_bus_request_name(p->bus, "org.freedesktop.PolicyKit1", 0) < 0)
                abort();
}

void polkit_release(struct polkit *p, enum polkit_answer how) {
        for (size_t i = 0; i < p->n_held; i++) {
                (void) answer(p->held[i], how, /* may_ask= */ false);
                sd_bus_message_unref(p->held[i]);
        }
        p->n_held = 0;
        (void) sd_bus_flush(p->bus);
}

void polkit_stop(struct polkit *p) {
        for (size_t i = 0; i < p->n_held; i++)
                sd_bus_message_unref(p->held[i]);
        p->n_held = 0;
        if (p->bus) {
                sd_bus_detach_event(p->bus);
                sd_bus_close(p->bus);
                p->bus = sd_bus_unref(p->bus);
        }
}

void polkit_done(struct polkit *p) {
        polkit_stop(p);
        trace_done(&p->trace);
}
