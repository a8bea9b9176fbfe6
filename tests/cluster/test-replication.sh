#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A master and a slave with data: join with and without copy, commits, waiting or not, leaving.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 2
watch n1
watch n2
a1=$(address n1)
a2=$(address n2)

ok "n1 becomes master" be_master n1
is "n1 is master" "$(ha n1 State)" 's "master"'
is "n1 has its name" "$(ha n1 NodeId)" 's "n1"'
eventually "n1 told so" saw n1 "StateChanged none master order"
ok "n1 takes data" put n1 /a 1 /b 'two words' /c/ü '"quoted" \ ü'
put n2 /stale 'n2 had this before' >/dev/null

ok "n2 becomes its slave" be_slave n2 n1
is "n2 is slave" "$(ha n2 State)" 's "slave"'
is "n2 follows n1" "$(ha n2 Master)" "(ss) \"n1\" \"$a1\""
is "n1 has n2" "$(ha n1 Slaves)" "a(ss) 1 \"n2\" \"$a2\""
is "n2 is not synchronizing" "$(ha n2 Synchronizing)" "b false"
is "n2 has no slaves" "$(ha n2 Slaves)" "a(ss) 0"
ok "n2 has n1's data, key by key" same_data n1 n2
fails "and not its own any more" 1 "There is no /stale" on n2 busctl call org.confd.HANode /org/confd/HANode org.confd.HANode \
        Get s /stale
eventually "n2 was told that its data came by copy" saw n2 "SlaveInitialized true"
eventually "n2 was told the result" saw n2 "BeSlaveResult"
eventually "n2 was told its state" saw n2 "StateChanged none slave order"
eventually "n1 was told that n2 arrived" saw n1 "SlaveArrived n2 $a2"

ok "a commit" put n1 /d 4
ok "is at the slave when it returns" test "$(get n2 /d)" = 's "4"'
ok "with its id" same_data n1 n2
ok "a deletion" delete n1 /a /b
ok "is there too" same_data n1 n2
is "three keys are left at n2" "$(node n2 Entries)" "t 2"
fails "a slave takes no writes" 1 "" put n2 /x 1
ok "and has not kept any of it" same_data n1 n2
ok "a larger commit" fill n1 /big/ 200 4000
ok "is at the slave" same_data n1 n2
is "all of it" "$(node n2 Entries)" "t 202"

mark n1
mark n2
ok "the same order again" be_slave n2 n1
is "changes nothing" "$(ha n2 State)" 's "slave"'
is "nobody died or arrived at the master" "$(signals n1)" ""

ok "n2 leaves" ctl n2 be-none
is "n2 is none" "$(ha n2 State)" 's "none"'
eventually "the master saw it go" saw n1 "SlaveDied n2 $a2"
eventually "the master has no slaves" slaves_are n1 "a(ss) 0"
ok "n2 kept its data" same_data n1 n2

mark n2
ok "n2 joins again without waiting for the outcome" ctl n2 be-slave n2 n1 "$a1" --no-wait
eventually "it gets there" state_is n2 slave
eventually "and nothing was copied" saw n2 "SlaveInitialized false"
eventually "the result was told" saw n2 "BeSlaveResult"
ok "wait synced" ctl n2 --timeout=20 wait synced
ok "the data is the same" same_data n1 n2

ok "n2 leaves again" ctl n2 be-none
ok "n1 goes on" put n1 /e 5
mark n2
ok "n2 is ordered with busctl, as a user types it" on n2 busctl call --timeout=60 org.confd.HA /org/confd/HA \
        org.confd.HA BeSlave sssb n2 n1 "$a1" true
eventually "this time by copy" saw n2 "SlaveInitialized true"
ok "and the data is the same" same_data n1 n2
is "Status says what the properties say" "$(on n1 busctl call org.confd.HA /org/confd/HA org.confd.HA Status)" \
        "sa(ss) \"master\" 1 \"n2\" \"$a2\""
is "at the slave too" "$(on n2 busctl call org.confd.HA /org/confd/HA org.confd.HA Status)" \
        "sa(ss) \"slave\" 1 \"n1\" \"$a1\""

mark n1
ok "the master declares n2 dead" ctl n1 slave-dead n2
eventually "it is told" saw n1 "SlaveDied n2 $a2"
eventually "n2 has lost its master" state_is n2 none
finish
