#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Joins that are refused, each for its cause: nothing changes, the data stays whole, the right join works after.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

mkdir -p "$work/schema1" "$work/schema2"
echo 'module a { }' >"$work/schema1/a.fxs"
echo 'module a { revision 2; }' >"$work/schema2/a.fxs"
configure "SchemaDirectory=$work/schema1"
up 3
a1=$(address n1)
a2=$(address n2)

be_master n1 >/dev/null
fill n1 /n1/ 20 100
fill n2 /n2/ 30 100
dump n2 >"$work/n2.before"
refused() { # NAME ERROR COMMAND...
        local name=$1 error=$2
        shift 2
        fails "$name" 1 "" "$@"
        ok "$name: $error" last_error_is n2 "$error"
        is "$name: n2 is none" "$(ha n2 State)" 's "none"'
        ok "$name: n2 has its own data, whole" data_is n2 "$work/n2.before"
        is "$name: n1 has no slave" "$(ha n1 Slaves)" "a(ss) 0"
}

refused "another name than the master's" BadName ctl n2 be-slave n2 somebody "$a1"
refused "its own name" BadName ctl n2 be-slave n2 n2 "$a2"
refused "nobody listens there" Connect ctl n2 be-slave n2 n3 "$(address n3)"

cp "$c/n2/token" "$work/token"
echo another >"$c/n2/token"
ok "n2 reads another token" ctl n2 reload
refused "another token" BadToken be_slave n2 n1
cp "$work/token" "$c/n2/token"
ok "n2 reads the right token" ctl n2 reload

echo "SchemaDirectory=$work/schema2" >>"$c/n2/node.conf.d/test.conf"
"$hosts" kill "$c/n2" node
ok "n2's node with another schema" "$hosts" start "$c/n2" node
wait_for state_is n2 none
refused "another schema" BadSchema be_slave n2 n1
sed -i '$d' "$c/n2/node.conf.d/test.conf"
"$hosts" kill "$c/n2" node
ok "n2's node with the right schema" "$hosts" start "$c/n2" node
wait_for state_is n2 none

# The port of the node's HA address is taken by somebody else: n3 cannot become a master.
"$hosts" kill "$c/n3" node
/usr/bin/python3 -c '
import socket, sys, time
s = socket.create_server((sys.argv[1], 4570))
print("listening", flush=True)
time.sleep(600)' "$(address n3)" >"$work/taken" &
taken=$!
wait_for grep -q listening "$work/taken"
ok "n3's node starts although its HA port is taken" "$hosts" start "$c/n3" node
wait_for state_is n3 none
fails "but it cannot become a master" 1 "" be_master n3
ok "for the port is taken" last_error_is n3 Bind
is "and nothing changed" "$(ha n3 State)" 's "none"'
{ kill $taken && wait $taken; } 2>/dev/null

ok "n3 can, once the port is free" be_master n3
ok "n2 joins n1, after all" be_slave n2 n1
ok "and has its data" same_data n1 n2
finish
