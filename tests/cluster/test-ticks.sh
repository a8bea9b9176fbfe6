#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nodes that stand still (SIGSTOP) are found by their missing ticks, by either side, and delay nobody longer.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

configure TickTimeoutSec=0.4
up 3
for h in n1 n2 n3; do watch $h; done
now() { date +%s%N; }
stop_node() { kill -STOP "$(pid_of "$1" node)"; }
continue_node() { kill -CONT "$(pid_of "$1" node)"; }

be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
be_slave n3 n1 >/dev/null
ok "data" fill n1 /k/ 20 200

# As a hypervisor or a freezer does it: who slept has not listened either.
for h in n1 n2 n3; do mark $h; done
for h in n1 n2 n3; do stop_node $h; done
sleep 3 # this is the pause
for h in n1 n2 n3; do continue_node $h; done
ok "after a pause of all for many ticks a commit goes through" put n1 /paused 1
ok "n2 has it" same_data n1 n2
ok "n3 has it" same_data n1 n3
is "nobody was given up" "$(signals n1 | grep -c SlaveDied)$(signals n2 | grep -c MasterLost)$(signals n3 | grep -c MasterLost)" 000

mark n1
ok "n2's node stands still" stop_node n2
start=$(now)
ok "a commit goes through all the same" put n1 /during 1
took=$((($(now) - start) / 1000000))
ok "after three ticks at most, and some time for the machine ($took ms)" test "$took" -lt 8000
ok "the other slave has it" same_data n1 n3
eventually "the master dropped n2" saw n1 "SlaveDied n2 $(address n2)"
is "and only n2" "$(ha n1 Slaves)" "a(ss) 1 \"n3\" \"$(address n3)\""
start=$(now)
ok "the next commit" put n1 /later 1
took=$((($(now) - start) / 1000000))
ok "waits for nobody ($took ms)" test "$took" -lt 1000

mark n2
ok "n2 goes on" continue_node n2
eventually "it has lost its master" state_is n2 none
ok "n2 still has what it had" test "$(get n2 /k/19 | cut -c1)" = s
ok "n2 joins again" be_slave n2 n1
eventually "by copy" saw n2 "SlaveInitialized true"
ok "and has everything" same_data n1 n2

for h in n1 n2 n3; do mark $h; done
ok "the master stands still" stop_node n1
eventually "n2 misses its ticks" saw n2 "MasterLost org.confd.HA.Error.NoTick"
eventually "n3 misses its ticks" saw n3 "MasterLost org.confd.HA.Error.NoTick"
eventually "n2 is none" state_is n2 none
eventually "n3 is none" state_is n3 none
ok "LastError names it" last_error_is n3 NoTick
ok "n2 takes over" be_master n2
ok "n3 follows" be_slave n3 n2
eventually "without a copy" saw n3 "SlaveInitialized false"
ok "n2 takes writes" put n2 /new 1
ok "n3 has them" same_data n2 n3

ok "the old master wakes up" continue_node n1
eventually "it has lost its slaves" slaves_are n1 "a(ss) 0"
is "and does not know better" "$(ha n1 State)" 's "master"'
ok "it is told to follow" be_slave n1 n2
ok "and has the new master's data" same_data n1 n2

# An idle cluster keeps itself alive: ticks go both ways while nothing else does.
for h in n1 n2 n3; do mark $h; done
three_ticks_passed() { [ $((($(now) - start) / 1000000)) -ge 2500 ]; }
start=$(now)
wait_for three_ticks_passed
is "nobody is lost where nobody stands still" "$(for h in n1 n2 n3; do signals $h; done)" ""
finish
