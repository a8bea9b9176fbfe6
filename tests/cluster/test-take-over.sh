#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three hosts: who may take over from a lost master, and over what that is remembered; a copy outlives the service.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

take_over() { on "$1" busctl call org.confd.HA /org/confd/HA org.confd.HA TakeOver ss "$1" "$2" 2>&1; } # HOST OLD-MASTER
refused() { # HOST OLD-MASTER
        ! take_over "$1" "$2" >"$work/refused" && grep -q "$3" "$work/refused"
}
last_in_sync() { ha "$1" LastInSync | sed -E 's/ [0-9]+ "([a-z-]*)"$/ "\1"/'; } # HOST, without the time
last_in_sync_is() { [ "$(last_in_sync "$1")" = "(sssts) $2" ]; }

up 3
ok "a new cluster gets its first master by TakeOver from itself" take_over n1 n1
ok "who has never been in sync cannot take over from another" refused n2 n1 "never in sync"
be_slave n2 n1 >/dev/null
be_slave n3 n1 >/dev/null
ok "some data" fill n1 /base/ 20 100
ok "a slave is in sync" ha_is n2 InSync "b true"
ok "as such" last_in_sync_is n2 "\"slave\" \"n1\" \"$(address n1)\" \"lasts\""

ok "n3 leaves by order" ctl n3 be-none
ok "its record ends by that" last_in_sync_is n3 "\"slave\" \"n1\" \"$(address n1)\" \"order\""
ok "n2's service is killed" "$hosts" kill "$c/n2" service
ok "and comes back" "$hosts" start "$c/n2" service
eventually "an outage of the service alone ends nothing" last_in_sync_is n2 "\"slave\" \"n1\" \"$(address n1)\" \"lasts\""
ok "n2 is in sync" ha_is n2 InSync "b true"

ok "the master dies" "$hosts" kill "$c/n1" node
eventually "n2 lost it" last_in_sync_is n2 "\"slave\" \"n1\" \"$(address n1)\" \"master-lost\""
ok "n3 may not take over, for it does not know what the master did since" refused n3 n1 "an order ended it"
ok "n2 may not from somebody else" refused n2 n3 "another"
ok "n2 may from n1" take_over n2 n1
eventually "n2 is master" state_is n2 master
ok "with what n1 had" test "$(node n2 Entries)" = "t 20"

# n1 was master when it went away: it has all that it acknowledged, but n2 has gone on.
ok "n1's node comes back" "$hosts" start "$c/n1" node
eventually "in state none" state_is n1 none
ok "an outage ended its being master" last_in_sync_is n1 "\"master\" \"n1\" \"\" \"outage\""
ok "it may not take over from n2" refused n1 n2 "another"
ok "it follows n2" be_slave n1 n2
ok "and is in sync" last_in_sync_is n1 "\"slave\" \"n2\" \"$(address n2)\" \"lasts\""

# A host that loses its power: node and service are killed, what is on disk stays.
ok "n1 goes down whole" "$hosts" kill "$c/n1" service
ok "its node too" "$hosts" kill "$c/n1" node
rm -rf "$c/n1/run"
mkdir -m 0700 "$c/n1/run"
ok "n1's node starts" "$hosts" start "$c/n1" node
ok "n1's service starts" "$hosts" start "$c/n1" service
eventually "it is connected" state_is n1 none
ok "it knows whose data it had, and that it was away" last_in_sync_is n1 "\"slave\" \"n2\" \"$(address n2)\" \"outage\""
ok "so it may not take over" refused n1 n2 "an outage here ended it"


# The service is restarted while its node copies, as by an upgrade. A node that joins says none, like one that has failed.
ok "more data" fill n2 /large/ 300 100000
watch n1
ok "n1 is told to follow" ctl n1 be-slave n1 n2 "$(address n2)" --no-wait
ok "its service is killed meanwhile" "$hosts" kill "$c/n1" service
ok "and comes back" "$hosts" start "$c/n1" service
eventually "it tells how the order ended" saw n1 "BeSlaveResult"
is "once" "$(signals n1 | grep -c BeSlaveResult)" 1
ok "and how n1 is called" ha_is n1 NodeId 's "n1"'
ok "n1 is in sync" ha_is n1 InSync "b true"
ok "with n2's data" same_data n1 n2
finish
