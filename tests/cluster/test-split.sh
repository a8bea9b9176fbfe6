#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two masters by mistake: each has its own data; who is told to follow ends with the other's, whole.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 3
for h in n1 n2 n3; do watch $h; done

be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
be_slave n3 n1 >/dev/null
ok "common data" fill n1 /common/ 100 300
ok "n2 leaves" ctl n2 be-none
ok "n2 becomes a master, too" be_master n2
is "n1 is master" "$(ha n1 State)" 's "master"'
is "n2 is master" "$(ha n2 State)" 's "master"'
ok "n1 writes" put n1 /common/0 n1 /only/n1 1
ok "n2 writes" put n2 /common/0 n2 /only/n2 1
ok "n2 deletes" delete n2 /common/1 /common/2
ok "n3 has n1's data" same_data n1 n3

dump n1 >"$work/n1.before"
mark n2
ok "n2 is told to follow n1" be_slave n2 n1
eventually "by copy" saw n2 "SlaveInitialized true"
ok "n2 has n1's data, key by key" same_data n1 n2
ok "n1's data was not touched" data_is n1 "$work/n1.before"
fails "what n2 alone had is gone" 1 "There is no /only/n2" on n2 busctl call org.confd.HANode /org/confd/HANode org.confd.HANode \
        Get s /only/n2
is "what n2 had deleted is back" "$(get n2 /common/1 | cut -c1)" s

# A master of its own slaves that is told to follow drops them.
ok "n3 becomes a master" be_master n3
ok "n3 writes" put n3 /only/n3 1
ok "n2 follows n3" be_slave n2 n3
ok "n2 has n3's data" same_data n2 n3
mark n2
ok "n3 is told to follow n1" be_slave n3 n1
eventually "n2 lost its master" state_is n2 none
eventually "and was told" saw n2 "MasterLost org.confd.HA.Error.Closed"
ok "n3 has n1's data" same_data n1 n3
ok "n2 follows n1" be_slave n2 n1
ok "all are one again" same_data n1 n2
finish
