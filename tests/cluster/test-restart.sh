#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Services and nodes that are killed and started again, in each role: what is kept, what is told.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 2
for h in n1 n2; do watch $h; done
a2=$(address n2)

be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
ok "data" fill n1 /k/ 50 100

ok "the master's service is killed" "$hosts" kill "$c/n1" service
ok "the node goes on as master" put n1 /while/service/down 1
ok "and replicates" same_data n1 n2
ok "the service comes back" "$hosts" start "$c/n1" service
eventually "it finds the master" state_is n1 master
is "its name is kept" "$(ha n1 NodeId)" 's "n1"'
is "and the slaves are known" "$(ha n1 Slaves)" "a(ss) 1 \"n2\" \"$a2\""

ok "the slave's service is killed" "$hosts" kill "$c/n2" service
ok "the slave's service comes back" "$hosts" start "$c/n2" service
eventually "it finds a slave" state_is n2 slave
is "and knows its master" "$(ha n2 Master)" "(ss) \"n1\" \"$(address n1)\""
is "nothing is going on" "$(ha n2 Synchronizing)" "b false"
ok "a clean end of the service leaves the role alone" kill -TERM "$(pid_of n2 service)"
service_gone() { ! kill -0 "$(pid_of n2 service)"; }
eventually "the service is gone" service_gone
ok "the slave still gets data" put n1 /x 1
ok "all of it" same_data n1 n2
ok "the service comes back once more" "$hosts" start "$c/n2" service
eventually "to a slave" state_is n2 slave

mark n1
mark n2
ok "the slave's node is killed" "$hosts" kill "$c/n2" node
eventually "the master is told" saw n1 "SlaveDied n2 $a2"
eventually "the slave's service does not know its state" state_is n2 unknown
eventually "and says so" saw n2 "StateChanged slave unknown disconnected"
ok "the slave's node starts" "$hosts" start "$c/n2" node
eventually "in state none" state_is n2 none
eventually "which is told" saw n2 "StateChanged unknown none connected"
is "a node that lost its role has no name" "$(ha n2 NodeId)" 's ""'
ok "it joins again" be_slave n2 n1
eventually "nothing was copied" saw n2 "SlaveInitialized false"

ok "the bus of the master's host dies" "$hosts" kill "$c/n1" bus
master_service_gone() { ! kill -0 "$(pid_of n1 service)"; }
eventually "its service ends" master_service_gone
eventually "the slave has its master still" state_is n2 slave
ok "the bus comes back" "$hosts" start "$c/n1" bus
ok "the service too" "$hosts" start "$c/n1" service
eventually "and finds a master" state_is n1 master
same_nodes() { same_data n1 n2; }
eventually "the node offers its data on the new bus" same_nodes

# A node is killed again and again while it is written to: what was acknowledged is there.
for round in 1 2 3; do
        write_on n1 "/round$round/"
        "$hosts" kill "$c/n1" node
        wait "$writer" 2>/dev/null
        "$hosts" start "$c/n1" node
        wait_for state_is n1 none
        dump n1 | cut -f1 >"$work/keys"
        is "round $round: every acknowledged write survived at the master" "$(grep -Fxvf "$work/keys" "$work/acknowledged")" ""
        dump n2 | cut -f1 >"$work/keys"
        is "round $round: and is at the slave" "$(grep -Fxvf "$work/keys" "$work/acknowledged")" ""
        ok "round $round: the slave takes over" be_master n2
        ok "round $round: the old master follows" be_slave n1 n2
        ok "round $round: with the same data" same_data n1 n2
        ok "round $round: and back" ctl n2 be-none
        be_master n1 >/dev/null
        be_slave n2 n1 >/dev/null
done
finish
