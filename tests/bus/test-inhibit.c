/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that an inhibitor keeps others from changing the role, exactly as long as its descriptor is open. */
#include <fcntl.h>
#include <stdio.h>

#include "basic/message-ids.h"
#include "harness.h"

#define IGNORE "org.confd.HA.ignore-inhibitors"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define LIMITS_EXCEEDED "org.freedesktop.DBus.Error.LimitsExceeded"

struct holder {
        bool done;
        int fd;
        char error[128];
};

static int on_inhibited(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct holder *h = userdata;
        int fd;

        h->done = true;
        if (sd_bus_message_is_method_error(m, NULL))
                snprintf(h->error, sizeof(h->error), "%s", sd_bus_message_get_error(m)->name);
        else if (sd_bus_message_read(m, "h", &fd) >= 0)
                h->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static void inhibit_start(struct fixture *f, struct client *c, struct holder *h, const char *who, const char *why) {
        *h = (struct holder) { .fd = -EBADF };
        CHECK(f, sd_bus_call_method_async(c->bus, NULL, HAD_NAME, HAD_PATH, HAD_INTERFACE, "Inhibit", on_inhibited, h, "ss", who,
                                          why) >= 0);
}

static void inhibit(struct fixture *f, struct client *c, struct holder *h, const char *who, const char *why) {
        inhibit_start(f, c, h, who, why);
        WAIT_FOR(f, h->done);
        CHECK_TEXT(f, h->error, "");
        CHECK(f, h->fd >= 0);
}

static void let_go(struct holder *h) {
        h->fd = safe_close(h->fd);
}

/* polkit says yes to everything but that inhibitors are ignored. */
static void with_polkit(struct fixture *f) {
        if (geteuid() != 0)
                skip();
        polkit_start(f, POLKIT_YES);
        f->polkit.denied = IGNORE;
}

static void orders_of_others_fail_until_it_is_closed(void **state) {
        struct fixture *f = *state;
        struct client *other;
        struct holder h;
        const char *words;

        with_polkit(f);
        other = client_new(f, OTHER_USER);
        CHECK_PROPERTY(f, "Inhibitors", "[]");
        inhibit(f, client_new(f, NOBODY), &h, "upgrader", "a new version is installed");
        CHECK_PROPERTY(f, "Inhibitors", "[('upgrader' 'a new version is installed' 65534 1*)]");
        EXPECT(f, &f->root->trace, "changed Inhibitors=[('upgrader' *");
        words = CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "BeMaster", "s", "n1");
        CHECK(f, strstr(words, "upgrader") && strstr(words, "a new version is installed"));
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' *");
        EXPECT(f, &f->polkit.trace, "check * '" IGNORE "' {'node_id': 'n1'} 0 '*'");
        CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "BeRelay", "");
        CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "BeNone", "");
        CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "TakeOver", "ss", "n1", "");
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
        CHECK(f, sim_count(f, "{order,{2,*") == 0);
        /* What does not change the role is not inhibited. */
        CALL_OK_AS(f, other, "SlaveDead", "s", "n3");
        CALL_OK_AS(f, other, "Reload", "");
        CALL_OK_AS(f, other, "Status", "");
        let_go(&h);
        WAIT_PROPERTY(f, "Inhibitors", "[]");
        EXPECT(f, &f->root->trace, "changed Inhibitors=[]");
        CALL_OK_AS(f, other, "BeMaster", "s", "n1");
}

static void root_and_its_own_connection_pass(void **state) {
        struct fixture *f = *state;
        struct client *holder;
        struct holder h, second;

        with_polkit(f);
        holder = client_new(f, NOBODY);
        inhibit(f, holder, &h, "upgrader", "");
        CALL_OK(f, "BeMaster", "s", "roots");
        CALL_OK_AS(f, holder, "BeMaster", "s", "its");
        CHECK(f, trace_count(&f->polkit.trace, "*" IGNORE "*") == 0);
        /* Another connection of the same user is another. */
        CALL_FAILS_AS(f, client_new(f, NOBODY), HAD_ERROR("Inhibited"), "BeNone", "");
        /* And two of them inhibit each other. */
        inhibit(f, client_new(f, OTHER_USER), &second, "another", "");
        CALL_FAILS_AS(f, holder, HAD_ERROR("Inhibited"), "BeNone", "");
        let_go(&second);
        WAIT_PROPERTY(f, "Inhibitors", "[('upgrader' '' *)]");
        CALL_OK_AS(f, holder, "BeNone", "");
        let_go(&h);
}

static void whom_polkit_lets_ignore_it_passes(void **state) {
        struct fixture *f = *state;
        struct holder h;

        with_polkit(f);
        inhibit(f, client_new(f, NOBODY), &h, "upgrader", "");
        f->polkit.denied = NULL;
        CALL_OK_AS(f, client_new(f, OTHER_USER), "BeMaster", "s", "n1");
        CHECK(f, trace_count(&f->polkit.trace, "*" IGNORE "*") == 1);
        let_go(&h);
}

static void it_lives_as_long_as_any_copy(void **state) {
        struct fixture *f = *state;
        struct client *holder, *other;
        struct holder h;
        int copy;

        with_polkit(f);
        holder = client_new(f, NOBODY);
        other = client_new(f, OTHER_USER);
        inhibit(f, holder, &h, "upgrader", "");
        copy = fcntl(h.fd, F_DUPFD_CLOEXEC, 3);
        let_go(&h);
        client_leave(holder);
        /* What is written into it, or that it is full, is nothing. */
        while (write(copy, "x", 1) == 1)
                ;
        barrier(f, other);
        CALL_FAILS_AS(f, other, HAD_ERROR("Inhibited"), "BeNone", "");
        copy = safe_close(copy);
        WAIT_PROPERTY(f, "Inhibitors", "[]");
        CALL_OK_AS(f, other, "BeNone", "");
}

/* Its holder may not even have read the reply. */
static void who_leaves_before_the_reply_leaves_none_behind(void **state) {
        struct fixture *f = *state;
        struct client *c;
        struct holder h;

        with_polkit(f);
        for (int i = 0; i < 40; i++) {
                c = client_new(f, 0);
                inhibit_start(f, c, &h, "vanishing", "");
                CHECK(f, sd_bus_flush(c->bus) >= 0);
                if (i % 2)
                        barrier(f, f->root);
                client_leave(c);
                let_go(&h); /* should it have come */
        }
        WAIT_PROPERTY(f, "Inhibitors", "[]");
        inhibit(f, f->root, &h, "staying", "");
        let_go(&h);
}

/* The bus drops a reply that its receiver cannot take, and lets nobody send another. At least nothing stays behind. */
static void a_connection_that_takes_no_descriptors_inhibits_nothing(void **state) {
        struct fixture *f = *state;
        sd_bus *bus = NULL;
        struct holder h = { .fd = -EBADF };

        CHECK(f, sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, f->bus_address) >= 0);
        CHECK(f, sd_bus_set_bus_client(bus, true) >= 0 && sd_bus_negotiate_fds(bus, false) >= 0 && sd_bus_start(bus) >= 0);
        CHECK(f, sd_bus_attach_event(bus, f->event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        CHECK(f, sd_bus_call_method_async(bus, NULL, HAD_NAME, HAD_PATH, HAD_INTERFACE, "Inhibit", on_inhibited, &h, "ss", "old",
                                          "") >= 0);
        EXPECT(f, &f->root->trace, "changed Inhibitors=[('old' *");
        EXPECT(f, &f->root->trace, "changed Inhibitors=[]");
        sd_bus_detach_event(bus);
        sd_bus_close_unref(bus);
}

static void there_are_sixteen_at_most(void **state) {
        struct fixture *f = *state;
        struct holder h[16], more;

        for (size_t i = 0; i < ELEMENTSOF(h); i++)
                inhibit(f, f->root, &h[i], kept(f, "n%zu", i), "");
        inhibit_start(f, f->root, &more, "one more", "");
        WAIT_FOR(f, more.done);
        CHECK_TEXT(f, more.error, LIMITS_EXCEEDED);
        let_go(&h[7]);
        WAIT_FOR(f, !strstr(property(f, "Inhibitors"), "'n7'"));
        inhibit(f, f->root, &more, "one more", "");
        let_go(&more);
        for (size_t i = 0; i < ELEMENTSOF(h); i++)
                let_go(&h[i]);
        WAIT_PROPERTY(f, "Inhibitors", "[]");
}

static void who_and_why_are_text(void **state) {
        struct fixture *f = *state;
        const char *long_who = kept(f, "%0127d", 7), *long_why = kept(f, "%0255d", 7);
        struct holder h;

        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", "", "why");
        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", "a\nb", "why");
        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", "who", "why\x1b[1m");
        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", kept(f, "%s0", long_who), "why");
        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", "who", kept(f, "%s0", long_why));
        CHECK_PROPERTY(f, "Inhibitors", "[]");
        inhibit(f, f->root, &h, long_who, long_why);
        let_go(&h);
}

static void an_inhibitor_that_goes_while_polkit_is_asked_inhibits_no_more(void **state) {
        struct fixture *f = *state;
        struct holder h;
        struct call *c;

        with_polkit(f);
        inhibit(f, client_new(f, NOBODY), &h, "upgrader", "");
        f->polkit.answer = POLKIT_HOLD;
        f->polkit.denied = NULL;
        c = call_start(client_new(f, OTHER_USER), "BeMaster", "s", "n1");
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' *");
        polkit_release(&f->polkit, POLKIT_YES);
        EXPECT(f, &f->polkit.trace, "check * '" IGNORE "' *");
        let_go(&h);
        WAIT_PROPERTY(f, "Inhibitors", "[]");
        polkit_release(&f->polkit, POLKIT_NO);
        WAIT_CALL_OK(f, c);
}

/* It is there when polkit has decided, so it is looked at. */
static void an_inhibitor_that_comes_while_polkit_is_asked_inhibits(void **state) {
        struct fixture *f = *state;
        struct holder h;
        struct call *c;

        with_polkit(f);
        f->polkit.answer = POLKIT_HOLD;
        c = call_start(client_new(f, OTHER_USER), "BeMaster", "s", "n1");
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' *");
        inhibit(f, f->root, &h, "upgrader", "");
        polkit_release(&f->polkit, POLKIT_YES);
        WAIT_CALL_FAILS(f, c, HAD_ERROR("Inhibited"));
        let_go(&h);
}

static void inhibitors_are_in_the_journal(void **state) {
        struct fixture *f = *state;
        struct holder h;
        const char *line;

        if (geteuid() != 0)
                skip();
        journal_start(f);
        service_start(f);
        service_wait_connected(f);
        with_polkit(f);
        inhibit(f, client_new(f, NOBODY), &h, "upgrader", "a new version");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_INHIBITED);
        CHECK(f, strstr(line, "{CONFD_HA_WHO=upgrader}") && strstr(line, "{CONFD_HA_WHY=a new version}"));
        CHECK(f, strstr(line, "{CONFD_HA_SENDER_UID=65534}"));
        CALL_FAILS_AS(f, client_new(f, OTHER_USER), HAD_ERROR("Inhibited"), "BeNone", "");
        EXPECT(f, &f->journal.trace, "*{MESSAGE_ID=" CONFD_HA_MSG_ORDER_FAILED "}*{CONFD_HA_RESULT=org.confd.HA.Error.Inhibited}*");
        let_go(&h);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_INHIBITOR_GONE);
        CHECK(f, strstr(line, "{CONFD_HA_WHO=upgrader}"));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(orders_of_others_fail_until_it_is_closed),
                BUS_TEST(root_and_its_own_connection_pass),
                BUS_TEST(whom_polkit_lets_ignore_it_passes),
                BUS_TEST(it_lives_as_long_as_any_copy),
                BUS_TEST(who_leaves_before_the_reply_leaves_none_behind),
                BUS_TEST(a_connection_that_takes_no_descriptors_inhibits_nothing),
                BUS_TEST(there_are_sixteen_at_most),
                BUS_TEST(who_and_why_are_text),
                BUS_TEST(an_inhibitor_that_goes_while_polkit_is_asked_inhibits_no_more),
                BUS_TEST(an_inhibitor_that_comes_while_polkit_is_asked_inhibits),
                BUS_TEST_STOPPED(inhibitors_are_in_the_journal),
        };

        return cmocka_run_group_tests_name("inhibit", tests, NULL, NULL);
}
