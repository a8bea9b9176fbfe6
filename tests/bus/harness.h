/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of the bus tests: one test has a bus of its own with the service under test on it, a scripted ConfD, and
 * where it wants them a polkit authority and a systemd that do as they are told. All of them are served by one event
 * loop, which runs while the test waits, so what was seen has one order.
 *
 * Nothing is waited for by sleeping: WAIT_FOR() runs the loop until its condition holds, and fails the test with
 * everything that was seen when that takes too long. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/time-util.h"
#include "basic/util.h"
#include "child.h"
#include "client.h"
#include "fake-journal.h"
#include "fake-polkit.h"
#include "fake-systemd.h"
#include "trace.h"

enum { PATIENCE_SEC = 15, NOBODY = 65534, OTHER_USER = 1 /* the bus knows only users that exist: daemon */ };

#define HAD_NAME "org.confd.HA"
#define HAD_PATH "/org/confd/HA"
#define HAD_INTERFACE "org.confd.HA"
#define HAD_ERROR(name) "org.confd.HA.Error." name

/* Whom the tests call. */
struct subject {
        const char *name, *path, *interface;
};

struct fixture {
        const struct subject *subject;
        sd_event *event;
        char *dir;           /* of this test alone, removed at the end */
        int janitor_fd;      /* its other end removes the directory when we end without having done so */
        pid_t janitor;
        char *bus_address;
        char *config;        /* the service's configuration file; its drop-in is written by configure() */
        char *sim_address;   /* as the configuration has it */
        struct child daemon;
        struct child sim;
        struct child service;
        struct trace notify; /* what the service said to its manager */
        int notify_fd;
        sd_event_source *notify_source;
        struct polkit polkit;
        struct systemd systemd;
        struct journal journal;
        const char *journal_dir;     /* set by journal_start() */
        struct client *root; /* uid 0 (or whoever runs the tests) */
        struct client *clients;
        char **kept;         /* strings that live until the end */
        size_t n_kept;
        uid_t service_uid;   /* start the service as this user */
        const char *service_env[16]; /* for it, NAME=VALUE */
        bool dies;           /* the test has seen the service end; teardown does not demand that it runs */
        bool failed;
};

/* What the next bus takes of one connection before those whom it is for have read it. */
enum { BUS_INCOMING_MAX = 127 * 1024 * 1024 };
extern int bus_incoming_max;

/* Setups for cmocka_unit_test_setup_teardown(). */
int setup_connected(void **state); /* the service runs and has both connections */
int setup_as_on_a_system(void **state); /* the same, and the bus lets no connection have more than 128 calls under way */
int setup_running(void **state);   /* the service is about to run; the ConfD listens */
int setup_stopped(void **state);   /* the service is not started; the ConfD listens */
int setup_bare(void **state);      /* no ConfD either */
int setup_for(void **state, const struct subject *subject); /* a bus, for a program other than the service */
int teardown(void **state);        /* demands a clean end of a service that runs */

#define BUS_TEST(f) cmocka_unit_test_setup_teardown(f, setup_connected, teardown)
#define BUS_TEST_STOPPED(f) cmocka_unit_test_setup_teardown(f, setup_stopped, teardown)

/* Waiting */
void step(struct fixture *f, uint64_t usec);
_Noreturn void give_up(struct fixture *f, const char *file, int line, const char *what);
#define WAIT_FOR_SEC(f, sec, condition) \
        do { \
                uint64_t _end = now_monotonic() + (uint64_t) ((sec) * 1000000); \
                while (!(condition)) { \
                        if (now_monotonic() > _end) \
                                give_up((f), __FILE__, __LINE__, "waited in vain for: " #condition); \
                        step((f), 10000); \
                } \
        } while (0)
#define WAIT_FOR(f, condition) WAIT_FOR_SEC(f, PATIENCE_SEC, condition)
#define CHECK(f, condition) \
        do { \
                if (!(condition)) \
                        give_up((f), __FILE__, __LINE__, "not so: " #condition); \
        } while (0)
#define CHECK_TEXT(f, text, expected) check_text((f), __FILE__, __LINE__, (text), (expected))
void check_text(struct fixture *f, const char *file, int line, const char *text, const char *expected);
/* Waits for the next line that matches. */
#define EXPECT(f, trace, pattern) expect((f), __FILE__, __LINE__, (trace), (pattern))
const char *expect(struct fixture *f, const char *file, int line, struct trace *t, const char *pattern);

/* Runs the loop for so long: only where the absence of something is to be seen. */
void idle(struct fixture *f, double sec);

/* Returns when the service has read what the client sent before, and has had time to ask the bus who that is: it asks
 * at most a few times, and each of these pings makes the same way. */
void barrier(struct fixture *f, struct client *c);

/* Strings that live as long as the fixture. */
const char *keep(struct fixture *f, char *s);
_printf_(2, 3) const char *kept(struct fixture *f, const char *format, ...);

/* The bus, with a new root client; bus_end() leaves no client on it. */
void bus_start(struct fixture *f);
void bus_end(struct fixture *f);

/* Files */
_printf_(3, 4) const char *write_file(struct fixture *f, const char *name, const char *format, ...);
const char *in_dir(struct fixture *f, const char *name);

/* The service's drop-in, e.g. "[ConfD]\nRequestTimeoutSec=1\n"; replaces the one before. */
void configure(struct fixture *f, const char *text);
void service_start(struct fixture *f); /* returns at once */
void service_start_with(struct fixture *f, const char *const arguments[]);
void service_wait_name(struct fixture *f);
void service_wait_connected(struct fixture *f);
int service_wait_exit(struct fixture *f); /* exit status, or 128 + signal */
int service_stop(struct fixture *f);      /* by SIGTERM; the same */
void service_kill(struct fixture *f);     /* by SIGKILL */

/* The scripted ConfD: see confd_sim.erl. A command has been carried out when sim() returns. */
void sim_start(struct fixture *f);
_printf_(2, 3) void sim(struct fixture *f, const char *format, ...);
#define SIM_EXPECT(f, pattern) EXPECT(f, &(f)->sim.trace, pattern)
/* How often it has seen this. What has been seen elsewhere need not have come through its pipe yet, so it is asked. */
size_t sim_count(struct fixture *f, const char *pattern);
/* Until the service has no more questions of its own: what is scripted next meets what the test does next. */
void sim_settle(struct fixture *f);

/* Calls of the root client */
#define CALL_OK(f, method, ...) call_ok((f), __FILE__, __LINE__, (f)->root, (method), __VA_ARGS__)
#define CALL_FAILS(f, error, method, ...) call_fails((f), __FILE__, __LINE__, (f)->root, (error), (method), __VA_ARGS__)
#define CALL_OK_AS(f, c, method, ...) call_ok((f), __FILE__, __LINE__, (c), (method), __VA_ARGS__)
#define CALL_FAILS_AS(f, c, error, method, ...) call_fails((f), __FILE__, __LINE__, (c), (error), (method), __VA_ARGS__)
/* Both wait; the reply's text, or the error's message. types may be "" or NULL. */
const char *call_ok(struct fixture *f, const char *file, int line, struct client *c, const char *method,
                    const char *types, ...);
const char *call_fails(struct fixture *f, const char *file, int line, struct client *c, const char *error,
                       const char *method, const char *types, ...);
#define WAIT_CALL_OK(f, call) wait_call((f), __FILE__, __LINE__, (call), NULL)
#define WAIT_CALL_FAILS(f, call, error) wait_call((f), __FILE__, __LINE__, (call), (error))
const char *wait_call(struct fixture *f, const char *file, int line, struct call *call, const char *error);

/* A property of the service as text, asked anew. */
const char *property(struct fixture *f, const char *name);
#define CHECK_PROPERTY(f, name, expected) CHECK_TEXT(f, property((f), (name)), (expected))
/* What the subject answers to Introspect for its interface is what the file says, in which the project documents it. */
void check_introspection(struct fixture *f, const char *file);
#define WAIT_PROPERTY(f, name, expected) wait_property((f), __FILE__, __LINE__, (name), (expected))
void wait_property(struct fixture *f, const char *file, int line, const char *name, const char *pattern);
