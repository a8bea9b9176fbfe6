#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a framework stands on, with real nodes: waits that end as soon as they can, marks, take-over, checks, exit statuses.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 3
ok 'show prints every property of the service' test "$(ctl n1 show | sed 's/=.*//' | sort -u)" = "$(sed -n \
        's/.*<property name="\([^"]*\)".*/\1/p' "$top/dbus/org.confd.HA.xml" | sort)"
ok 'also as JSON' /usr/bin/python3 -m json.tool <(ctl n1 show --json=short)
be_master n1 >/dev/null
ok 'a master is in sync' ctl n1 wait in-sync
fails 'a wait that is over' 1 'not reached within 1s' ctl n2 --timeout=1 wait in-sync

# An order that fails: whoever waits hears it, before and after.
on n2 confd-hactl --timeout="$DEADLINE" wait in-sync >/dev/null 2>"$work/waiting" & waiting=$!
asked() { ctl n1 wait none --timeout=0 || :; [ "$(on n2 busctl list | grep -c confd-hactl)" -ge 1 ]; }
wait_for asked
mark=$(ctl n2 be-slave --no-wait --json=short n2 wrong "$(address n1)" | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["mark"])')
rc=0
wait "$waiting" || rc=$?
is 'a wait that was there before hears that the order failed' $rc 1
ok 'with its reason' grep -q 'BadName' "$work/waiting"
fails 'one that comes later, at once' 1 'nothing is under way, and the last order failed: BadName' ctl n2 wait in-sync
fails 'by its mark, too' 1 'BadName' ctl n2 wait synced --mark="$mark"
later=$(on n2 confd-hactl show -P LastError | cut -f3)
fails 'but not by a later one' 1 'not reached within 1s' ctl n2 --timeout=1 wait in-sync --mark="$later"
fails 'check tells the same' 1 'its data is not in place' ctl n2 check --in-sync
fails 'and that it is not on the way' 1 'not on the way to slave' ctl n2 check --wanted=slave

# One that succeeds.
on n1 confd-hactl --timeout="$DEADLINE" wait slave n2 >"$work/arrived" 2>&1 & arrived=$!
mark=$(ctl n2 be-slave --no-wait --json=short n2 n1 "$(address n1)" | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["mark"])')
ok 'an order that succeeds' ctl n2 wait in-sync --mark="$mark"
ok 'is none of the old errors' ctl n2 wait synced
rc=0
wait "$arrived" || rc=$?
is 'the master has it among its slaves' "$rc: $(cat "$work/arrived")" '0: n1 is master, and n2 follows it'
ok 'all checks hold' ctl n2 check --ready --in-sync --wanted=slave --role=slave,slave-relay
ok 'a list of states' ctl n2 wait none,slave
is 'status shows the age of its tick' "$(ctl n1 status | grep -c 'n2 .*last tick .* ago')" 1

# An inhibitor: while its command runs, and no longer, however it ends.
is 'a command that runs under an inhibitor sees it' "$(ctl n1 inhibit --who=apt --why='an upgrade' confd-hactl inhibitors --no-legend |
        sed 's/  */ /g; s/ [^ ]* just now//')" 'apt an upgrade'
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$c/n1/bus "$BUILD/src/ctl/confd-hactl" inhibit --who=backup sleep 600 >/dev/null 2>&1 &
holder=$!
inhibited() { [ -n "$(ctl n1 show -P Inhibitors)" ]; }
eventually 'another one lasts' inhibited
fails 'orders are refused' 1 'Inhibited: backup inhibits orders' ctl n1 be-none
fails 'unless they are wanted all the same' 0 'This node is master' ctl n1 be-master n1 --ignore-inhibitors
kill -KILL "$holder"
free() { ! inhibited; }
eventually 'its end frees them, however it comes' free
wait "$holder" 2>/dev/null

# take-over: only where the data was in sync to the end.
fails 'a node that never was' 1 'take-over n3 failed: NotInSync' ctl n3 take-over n3 n1
ok 'an order that ends the sync' ctl n2 be-none
fails 'ends the right, too' 1 'NotInSync' ctl n2 take-over n2 n1
be_slave n2 n1 >/dev/null
fails 'another master is not this one' 1 'NotInSync' ctl n2 take-over n2 n7
ok 'the master dies' "$hosts" kill "$c/n1" node
eventually 'which its slave hears' state_is n2 none
fails 'a lost master is no failed order' 1 'not reached within 1s' ctl n2 --timeout=1 wait in-sync
is 'status tells since when' "$(ctl n2 status | grep -c 'In sync: no; last as slave of n1, until .*(master-lost)')" 1
ok 'who was in sync takes over' ctl n2 take-over n2 n1
ok 'and is' ctl n2 check --role=master --in-sync

# The node is frozen: what comes of an order is not known.
kill -STOP "$(pid_of n2 node)"
fails 'an order that is not answered' 5 'may still take effect' ctl n2 --timeout=2 be-none
fails 'nor is a question' 5 '' ctl n2 --timeout=2 status
kill -CONT "$(pid_of n2 node)"
finish
