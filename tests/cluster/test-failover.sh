#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three hosts: the master is killed while somebody writes, a slave takes over without a copy, the dead one comes back.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 3
for h in n1 n2 n3; do watch $h; done

be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
be_slave n3 n1 >/dev/null
ok "some data" fill n1 /base/ 100 1000

write_on n1 /w
wait_for wrote 20
mark n2
mark n3
ok "n1's node dies while somebody writes" "$hosts" kill "$c/n1" node
wait "$writer" 2>/dev/null
eventually "n2 lost its master" state_is n2 none
eventually "n3 lost its master" state_is n3 none
eventually "n2 was told" saw n2 "MasterLost org.confd.HA.Error.Closed"
eventually "and of its state" saw n2 "StateChanged slave none master-lost"
is "MasterLost comes before StateChanged" "$(signals n2 | cut -d' ' -f1 | head -n 2 | tr '\n' ' ')" \
        "MasterLost StateChanged "
ok "n2's LastError says so" last_error_is n2 Closed
eventually "n1's service does not know its state" state_is n1 unknown
is "nor a name of a slave" "$(ha n1 Slaves)" "a(ss) 0"

# The two may differ in the one commit that was under way and that nobody was told of.
lost=$(while read -r key; do
        for h in n2 n3; do [[ $(get $h "$key") == 's "value '* ]] || echo "$key at $h"; done
done <"$work/acknowledged")
is "every acknowledged write ($(wc -l <"$work/acknowledged")) is at both slaves" "$lost" ""

before=$(transaction n2)
ok "n2 becomes master" be_master n2
is "a new master makes no new transaction id" "$(transaction n2)" "$before"
same=$([ "$(transaction n3)" = "$before" ] && echo false || echo true)
ok "n3 follows it" be_slave n3 n2
eventually "nothing was copied unless the last commit differed ($same)" saw n3 "SlaveInitialized $same"
ok "n2 and n3 have the same data" same_data n2 n3
ok "n2 takes writes" put n2 /after 1
ok "n3 gets them" same_data n2 n3

mark n1
ok "n1's node comes back" "$hosts" start "$c/n1" node
eventually "in state none" state_is n1 none
ok "with its data, whole" test "$(node n1 Entries | cut -d' ' -f2)" -ge 100
ok "it becomes a slave" be_slave n1 n2
eventually "by copy, for it missed something" saw n1 "SlaveInitialized true"
ok "its data is the master's" same_data n1 n2
is "the master has both" "$(ha n2 Slaves)" "a(ss) 2 \"n3\" \"$(address n3)\" \"n1\" \"$(address n1)\""

# Once more, with nothing written: nothing is copied at all.
ok "n2's node dies too" "$hosts" kill "$c/n2" node
eventually "n1 lost its master" state_is n1 none
eventually "n3 lost its master" state_is n3 none
mark n1
mark n3
before=$(transaction n3)
ok "n3 becomes master" be_master n3
ok "n1 follows" be_slave n1 n3
eventually "without a copy" saw n1 "SlaveInitialized false"
is "the transaction is the same at n1" "$(transaction n1)" "$before"
is "and at n3" "$(transaction n3)" "$before"
ok "n2 comes back" "$hosts" start "$c/n2" node
eventually "in state none again" state_is n2 none
mark n2
ok "n2 follows" be_slave n2 n3
eventually "without a copy, too: it was down, but nothing was written" saw n2 "SlaveInitialized false"
ok "all have the same data: n1" same_data n1 n3
ok "all have the same data: n2" same_data n2 n3
finish
