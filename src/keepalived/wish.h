/* SPDX-License-Identifier: Apache-2.0 */
/* What keepalived wishes this node to be, as its notifications told last, kept in files that the worker follows. */
#pragma once

#include "basic/util.h"

enum wish {
        WISH_NOTHING, /* keepalived has not told anything since the machine started */
        WISH_MASTER,
        WISH_BACKUP,
        WISH_FAULT,
        WISH_STOP
};

struct wishes {
        enum wish role;
        bool peer_gone;      /* this node is master of the peer's own VRRP instance */
        bool stale;          /* the worker's own note: a BeSlave was begun, or TakeOver refused, since the data was in place */
        uint64_t role_usec;  /* when the role was stored, on the realtime clock; 0 if never */
};

/* Of a notification: when keepalived began the process that tells it, in the kernel's ticks, and its id. */
struct notice {
        uint64_t ticks;
        pid_t pid;
};

/* Two that run at a time may be late in any order. */
bool notice_is_later(const struct notice *n, const struct notice *than);

#define WISH_DIRECTORY "/run/confd-ha-keepalived"

const char *wish_to_string(enum wish w);
/* The last argument but one of keepalived's: MASTER BACKUP FAULT STOP; DELETED is STOP. -EINVAL */
_must_check_ int wish_from_string(const char *s, enum wish *ret);

/* Stores at once or not at all, by a rename in `directory`, and waits for nobody. What a process stored that was begun later is
 * left as it is; for roles and peers. A negative errno. */
_must_check_ int wish_store_role(const char *directory, enum wish w);
_must_check_ int wish_store_peer(const char *directory, bool gone);
_must_check_ int wish_store_stale(const char *directory, bool stale);

/* What is stored; nothing and false if there is none. A negative errno if it cannot be read. */
_must_check_ int wish_load(const char *directory, struct wishes *ret);
