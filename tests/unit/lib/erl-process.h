/* SPDX-License-Identifier: Apache-2.0 */
/* Erlang programs as children of a test: a line in, a line out, and the scripted server on top. */
#pragma once

#include <sys/socket.h>

#include "basic/util.h"

struct erl_process {
        pid_t pid;
        int in, out;
        char *line; /* the last one that was read */
        size_t used, have;
        char *buffer;
};

/* Runs `erl -s MODULE main` with the compiled programs of tests/erlang. Failures fail the test. */
void erl_start(struct erl_process *p, const char *module);
void erl_stop(struct erl_process *p);

_printf_(2, 3) void erl_write(struct erl_process *p, const char *format, ...);

/* The next line, without its newline; valid until the next call. Waits 30 s at most, then the test fails. */
const char *erl_read(struct erl_process *p);

/* lib_server: see its head for the steps of scripts. */
struct server {
        struct erl_process erl;
        struct sockaddr_storage address;
        socklen_t address_size;
        char path[64]; /* of a Unix socket, "" otherwise */
};

void server_start(struct server *s, int family);
void server_stop(struct server *s);

/* Adds a script for the next connection; server_done() waits until the oldest one is through and went well. */
_printf_(2, 3) void server_script(struct server *s, const char *format, ...);
void server_done(struct server *s);

/* Stops to listen. */
void server_close(struct server *s);

/* A socket that could be connected to it. */
int server_socket(const struct server *s);

/* One for all tests of a program, on TCP; set up and torn down with its group of tests. */
extern struct server server;
int server_setup(void **state);
int server_teardown(void **state);
