#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A relay between master and slave: what passes it, what happens without it and without its master.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 4
for h in n1 n2 n3 n4; do watch $h; done

be_master n1 >/dev/null
ok "data before anybody joins" fill n1 /before/ 50 500
ok "n2 follows n1" be_slave n2 n1
fails "no slave can follow a slave that is no relay" 1 "" be_slave n3 n2
is "and stays none" "$(ha n3 State)" 's "none"'
ok "n2 becomes a relay" ctl n2 be-relay
is "its state says so" "$(ha n2 State)" 's "slave-relay"'
ok "n3 follows the relay" be_slave n3 n2
ok "n4 follows the relay" be_slave n4 n2
is "the master has the relay only" "$(ha n1 Slaves)" "a(ss) 1 \"n2\" \"$(address n2)\""
is "the relay has its master" "$(ha n2 Master)" "(ss) \"n1\" \"$(address n1)\""
# A relay makes no events of its slaves, so its service learns of them when it is asked.
status_of() { on "$1" busctl call org.confd.HA /org/confd/HA org.confd.HA Status; }
is "the relay has its master and its slaves" "$(status_of n2)" \
        "sa(ss) \"slave-relay\" 3 \"n1\" \"$(address n1)\" \"n3\" \"$(address n3)\" \"n4\" \"$(address n4)\""
is "which its property says then" "$(ha n2 Slaves)" \
        "a(ss) 2 \"n3\" \"$(address n3)\" \"n4\" \"$(address n4)\""
is "n3 follows the relay" "$(ha n3 Master)" "(ss) \"n2\" \"$(address n2)\""
ok "n3 got the data through it" same_data n1 n3
ok "a commit" put n1 /x 1
ok "is at the relay" same_data n1 n2
ok "is behind the relay: n3" same_data n1 n3
ok "is behind the relay: n4" same_data n1 n4
ok "a large commit" fill n1 /large/ 300 3000
ok "is behind the relay" same_data n1 n4
is "a relay never reports arrivals" "$(signals n2 | grep -c SlaveArrived)" 0
fails "a relay takes no writes" 1 "" put n2 /y 1

mark n2
ok "n4 leaves" ctl n4 be-none
n4_left() { [ "$(status_of n2)" = "sa(ss) \"slave-relay\" 2 \"n1\" \"$(address n1)\" \"n3\" \"$(address n3)\"" ]; }
eventually "the relay has one slave" n4_left
ok "n4 joins again" be_slave n4 n2
is "nor departures" "$(signals n2 | grep -c SlaveDied)" 0

for h in n1 n2 n3 n4; do mark $h; done
ok "the relay dies" "$hosts" kill "$c/n2" node
eventually "n3 lost its master" state_is n3 none
eventually "n4 lost its master" state_is n4 none
eventually "n3 was told why" saw n3 "MasterLost org.confd.HA.Error.Closed"
eventually "the master lost the relay" saw n1 "SlaveDied n2 $(address n2)"
is "the master stays" "$(ha n1 State)" 's "master"'
ok "n3 goes to the master itself" be_slave n3 n1
eventually "without a copy" saw n3 "SlaveInitialized false"
ok "the master goes on" put n1 /z 1
ok "n3 follows" same_data n1 n3

ok "the relay comes back" "$hosts" start "$c/n2" node
eventually "in state none" state_is n2 none
ok "n2 follows n1" be_slave n2 n1
ok "n2 is a relay again" ctl n2 be-relay
ok "n4 follows it" be_slave n4 n2
ok "n4 has all of it" same_data n1 n4

# A circle: n2 follows n1, n4 follows n2; n2 told to follow n4 would be its own master.
ok "n4 is a relay too" ctl n4 be-relay
fails "a chain that would close a circle is refused" 1 "" be_slave n2 n4
is "n2 is none then" "$(ha n2 State)" 's "none"'

ok "n2 follows n1 once more" be_slave n2 n1
ok "and relays" ctl n2 be-relay
ok "n4 follows n2" be_slave n4 n2
for h in n2 n3 n4; do mark $h; done
ok "the master dies" "$hosts" kill "$c/n1" node
eventually "the relay goes to none" state_is n2 none
eventually "and so do those behind it" state_is n4 none
eventually "as do the master's own" state_is n3 none
eventually "n4 was told that its master went" saw n4 "MasterLost org.confd.HA.Error.Closed"
ok "the relay takes over" be_master n2
ok "n4 follows" be_slave n4 n2
ok "n3 follows" be_slave n3 n2
eventually "n4 without a copy" saw n4 "SlaveInitialized false"
eventually "n3 without a copy" saw n3 "SlaveInitialized false"
ok "n3 has the same data" same_data n2 n3
finish
