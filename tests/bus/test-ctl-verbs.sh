#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confd-hactl's questions and orders against a scripted service: output as text and as JSON, exit statuses, usage.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

E=org.confd.HA.Error
D=org.freedesktop.DBus.Error

# --- usage: nothing here needs a bus ---------------------------------------------------------------------------------
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/nowhere
ok 'help is printed' hactl --help
ok 'help is printed with -h' hactl -h
says 'the version is printed' 0 "confd-hactl ${VERSION:?}" hactl --version
fails 'an unknown option' 2 'Try: confd-hactl --help' hactl --bogus
fails 'an unknown letter' 2 'no option -x' hactl -qx
fails 'a beginning of several options' 2 "Several options begin with '--no-'" hactl --no-
fails 'a value where none belongs' 2 "'--quiet=3': that option takes no value" hactl --quiet=3
fails 'no value where one belongs' 2 '--host takes a value' hactl --host
json 'wrong usage is told in JSON, too, with what helps' 2 'j["message"] == "There is no option '"'--bogus'"'." and j["advice"] == "Try: confd-hactl --help"' \
        hactl --json=short --bogus
fails 'the version on a full disk' 1 'Cannot write the output' sh -c "'$CONFD_HACTL' --version >/dev/full"
fails 'help on a full disk' 1 'Cannot write the output' sh -c "'$CONFD_HACTL' --help >/dev/full"
fails 'an unknown command' 2 "no command 'frobnicate'" hactl frobnicate
fails 'too few arguments' 2 'takes one argument: confd-hactl be-master ID' hactl be-master
fails 'too many arguments' 2 'takes no arguments' hactl be-none n1
fails 'two of three arguments' 2 'be-slave ID MASTER-ID MASTER-ADDRESS' hactl be-slave n2 n1
fails 'an argument for status' 2 'takes no arguments' hactl status n1
fails 'explain of nothing' 2 'explain ERROR' hactl explain
fails '--json of something else' 2 'short, pretty or off' hactl --json=xml
fails '--timeout of no number' 2 'takes seconds' hactl --timeout=soon
fails '--timeout of a negative number' 2 'takes seconds' hactl --timeout=-1
fails '--timeout=0 for an order' 2 'is for wait' hactl --timeout=0 be-none
fails '--no-wait for another verb' 2 'is for be-slave' hactl be-none --no-wait
fails '--role for another verb' 2 'are for check' hactl status --role=master
fails '--lines for another verb' 2 'are for history' hactl status --lines=3
fails '--lines of nothing' 2 'from 1 to' hactl history --lines=0
fails 'two places at once' 2 'Only one of' hactl -H a -M b
fails 'an address that is none' 3 'at rubbish' hactl --address=rubbish
fails 'a host that is none' 2 "Not a valid host: '-oProxyCommand=x'" hactl --host=-oProxyCommand=x history
fails 'an empty node id' 2 'cannot be a node id' hactl be-master ''
fails 'a node id of 128 bytes' 2 'cannot be a node id' hactl be-master "$(printf '%128s' '' | tr ' ' x)"
fails 'a node id with a newline' 2 'n\\x0a1' hactl be-master $'n\n1'
fails 'a node id that is not UTF-8' 2 'n\\xff' hactl be-master $'n\xff'
fails 'an empty address' 2 'cannot be an address' hactl be-slave n2 n1 ''
fails 'wait for a state that is none' 2 "not 'asleep'" hactl wait asleep
fails 'check for a role that is none' 2 "not 'boss'" hactl check --role=master,boss
fails 'check for no role' 2 "not ''" hactl check --role=

# --- nobody there ----------------------------------------------------------------------------------------------------
fails 'no bus' 3 'Cannot connect to the system bus: No such file or directory' hactl
fails 'no bus at an address' 3 "at unix:path=$work/nowhere" hactl --address="unix:path=$work/nowhere" be-none
fails 'no bus for an order' 3 'Cannot connect' hactl be-master n1
fails 'no bus to wait on' 3 'Cannot connect' hactl wait master
fails 'no bus to monitor' 3 'Cannot connect' hactl monitor
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
start_bus bus
fails 'a bus without the service' 3 "The service does not run" hactl status
fails 'an order without the service' 3 'explain org.freedesktop.DBus.Error.ServiceUnknown' hactl be-none
fails 'looking once without the service' 3 'ServiceUnknown' hactl --timeout=0 wait master
start_mock

# --- status ----------------------------------------------------------------------------------------------------------
set_property ConfdAddress s 127.0.0.1:4565
ok 'status of a fresh service' hactl status
json 'a fresh service as JSON' 0 'j["master"] is None and j["slaves"] == [] and j["last_error"] is None' hactl --json=short
play_master
set_property LastError '(sst)' $E.Closed 'The slave n4 went away' 1
since=$(date -d "@$(($(date +%s) - 185))" '+%a %Y-%m-%d')
hactl >"$work/status"
is 'status: the state' "$(sed -n 1p "$work/status" | sed "s/$since.*UTC/WHEN/; s/[0-9]*s ago/Ns ago/")" \
        '       State: master since WHEN; 3min Ns ago'
is 'status: the node' "$(sed -n 2p "$work/status")" '        Node: n1'
is 'status: its slaves' "$(sed -n 3,4p "$work/status")" '      Slaves: n2 10.0.0.2
              n3 fd00::3'
is 'status: in sync, and its target' "$(sed -n 5,6p "$work/status")" '     In sync: yes
      Target: reached'
is 'status: ConfD' "$(sed -n 7p "$work/status")" '       ConfD: 8.2.5 at 127.0.0.1:4565 (protocol 82)'
is 'status: the last error' "$(sed -n 8p "$work/status" | sed 's/, .* ago//')" \
        '  Last error: Closed (Thu 1970-01-01 00:00:00 UTC)'
is 'status: its message' "$(sed -n 9,99p "$work/status")" '              The slave n4 went away'
is 'status was asked for, and is printed with -q, too' "$(hactl -q status | grep -c n1)" 1
mock Calls >/dev/null
hactl status >/dev/null
is 'status asks ConfD, and the reference node' "$(mock Calls)" 'as 2 "Status interactive=1" "Slaves interactive=1"'
hactl --json=short >"$work/short"
is 'short JSON is one line' "$(wc -l <"$work/short")" 1
json 'status as JSON' 0 'j["state"] == "master" and j["node_id"] == "n1" and j["master"] is None and
  j["slaves"] == [{"id": "n2", "address": "10.0.0.2"}, {"id": "n3", "address": "fd00::3"}] and
  j["connected"] is True and j["events_connected"] is True and j["synchronizing"] is False and
  j["confd_address"] == "127.0.0.1:4565" and j["confd_version"] == "8.2.5" and j["protocol_version"] == 82 and
  j["last_error"] == {"name": "org.confd.HA.Error.Closed", "message": "The slave n4 went away", "time_usec": 1} and
  j["transitions"] == 3 and j["version"] == "9.9" and j["state_since_usec"] > 1e15' hactl --json=short status
cp "$work/json" "$work/short"
json 'pretty JSON says the same' 0 'j == json.load(open("'"$work/short"'"))' hactl status --json=pretty
mock SetQuietly sv NodeSlaves 'a(sstttt)' 2 n3 fd00::3 1500000 250000 2048 2 n9 10.0.0.9 1 0 0 0
ok 'status shows how old its slaves are where the node tells' grep -q \
        'n3 fd00::3  (last tick 1s ago, 2 transactions not acknowledged, the oldest 250ms old, 2.0 KiB unsent)$' <(hactl)
ok 'and nothing beside those of which it does not' grep -qx '      Slaves: n2 10.0.0.2' <(hactl)
json 'which JSON has, too' 0 'j["slaves"] == [{"id": "n2", "address": "10.0.0.2"},
  {"id": "n3", "address": "fd00::3", "last_tick_age_usec": 1500000, "oldest_unacknowledged_age_usec": 250000,
   "bytes_unsent": 2048, "transactions_unacknowledged": 2}]' hactl --json=short
mock Fail sss Slaves org.freedesktop.DBus.Error.AccessDenied 'not for you'
says 'a node that may not be asked is not missed' 0 '' sh -c "'$CONFD_HACTL' | grep tick; :"
mock Hang s Slaves
ok 'nor one that does not answer' hactl
succeed Slaves
set_property Inhibitors 'a(ssut)' 1 apt 'upgrades ConfD' 1000 "$(date +%s)000000"
ok 'status names who inhibits' grep -q '   Inhibited: apt: upgrades ConfD (uid 1000, .*)$' <(hactl)
json 'in JSON' 0 'j["inhibitors"][0]["who"] == "apt" and j["inhibitors"][0]["uid"] == 1000' hactl --json=short
set_property Inhibitors 'a(ssut)' 0
set_property Targets s 'failed: confd-ha-master.target: not found'
ok 'status shows a target that failed' grep -q '      Target: failed: confd-ha-master.target: not found' <(hactl)
set_property InSync b false
set_property LastInSync '(sssts)' slave n7 10.0.0.7 1795347248270924 master-lost
ok 'status tells when the data was last in place' grep -q \
        '     In sync: no; last as slave of n7, until Sun 2026-11-22 11:34:08 UTC; .* (master-lost)' <(hactl)
set_property InSync b true
set_property Targets s reached
ok '--json=off is the table' grep -q Slaves <(hactl --json=off)
set_property State s slave
set_property NodeId s n2
set_property Master '(ss)' n1 10.0.0.1
set_property Slaves 'a(ss)' 0
set_property Synchronizing b true
set_property EventsConnected b false
set_property LastError '(sst)' '' '' 0
hactl >"$work/status"
ok 'status of a slave names its master' grep -qx '      Master: n1 10.0.0.1' "$work/status"
ok 'status of a slave: synchronizing' grep -q 'State: slave (synchronizing) since' "$work/status"
ok 'status without the event connection says so' grep -q 'no event connection' "$work/status"
ok 'status without an error does not speak of one' test -z "$(grep -i error "$work/status")"
json 'a slave as JSON' 0 'j["master"] == {"id": "n1", "address": "10.0.0.1"} and j["synchronizing"] is True' \
        hactl --json=short
mock Fail sss Status $E.Timeout 'ConfD did not answer within 10 s'
fails 'status that ConfD does not answer' 5 'Timeout: ConfD did not answer' hactl
ok 'and the picture all the same' grep -q 'State: slave' <(hactl 2>/dev/null)
set_property Connected b false
set_property State s unknown
mock Fail sss Status $E.NotConnected 'ConfD is not there'
fails 'status without ConfD' 3 'explain NotConnected' hactl
says 'and as JSON' 3 unknown sh -c "'$CONFD_HACTL' --json=short 2>/dev/null >'$work/json'; rc=\$?
        /usr/bin/python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[\"state\"])' '$work/json'; exit \$rc"
fails 'hints are left out with -q' 3 'NotConnected: ConfD is not there' hactl -q
ok 'no hint with -q' test -z "$(hactl -q 2>&1 | grep explain)"
mock Hang s Status
fails 'status that nobody answers' 5 'failed: org.freedesktop.DBus.Error.Timeout' hactl --timeout=1 status
# What asks for signs of life counts on its bound: who is silent is not asked for more.
set_property Slaves 'a(ss)' 1 n3 fd00::3
mock Calls >/dev/null
hactl --timeout=1 status >/dev/null 2>&1
is 'a ConfD that is silent is asked once' "$(mock Calls | grep -o Slaves | wc -l)" 0
set_property Slaves 'a(ss)' 0
succeed Status
mock Fail sss GetAll $D.UnknownInterface 'no such interface'
fails 'something else owns the name' 1 'UnknownInterface' hactl status
succeed GetAll

# --- odd names -------------------------------------------------------------------------------------------------------
play_master
wide=$'\xe7\xaf\x80\xe7\x82\xb9-\xc3\x9f-\xf0\x9f\x99\x82' # ideographs, a sharp s, a face
set_property NodeId s "$wide"
set_property Slaves 'a(ss)' 2 $'a b "c" \\x01\\\\' addr $'\xe7\xaf\x80' 10.0.0.2
ok 'wide characters in status' grep -q "Node: $wide" <(LC_ALL=C.UTF-8 hactl)
json 'odd names as JSON' 0 'j["node_id"] == "'$wide'" and j["slaves"][0]["id"] == "a b \"c\" \\x01\\\\"' hactl --json=short
set_property NodeId s $'evil\e[2Jnode\xc2\x9b'
ok 'control characters do not reach the terminal' grep -q 'evil\\x1b\[2Jnode\\xc2\\x9b' <(hactl)
json 'but JSON has them, escaped' 0 'j["node_id"] == "evil\x1b[2Jnode\x9b"' hactl --json=pretty
ok 'JSON is free of control characters' test -z "$(hactl --json=short | tr -d '\n' | grep '[[:cntrl:]]')"
mock Calls >/dev/null
ok 'an order with a wide id' hactl be-master "$wide"
is 'which the service gets as it is' "$(mock Calls | /usr/bin/python3 -c 'import re, sys
text = sys.stdin.read().split("\"", 1)[1].rsplit("\"", 1)[0]
print(re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), text.encode()).decode())')" "BeMaster $wide interactive=1"
ok 'an id that looks like an option' hactl be-master -- -n1
is 'is an id' "$(mock Calls)" 'as 1 "BeMaster -n1 interactive=1"'

# --- orders ----------------------------------------------------------------------------------------------------------
order() { # VERB-AND-ARGS CALL TEXT
        local -a args
        read -ra args <<<"$1"
        mock Calls >/dev/null
        says "$1" 0 "$3" hactl "${args[@]}"
        is "$1 is the right call" "$(mock Calls)" "as 1 \"$2 interactive=1\""
        says "$1 -q" 0 '' hactl -q "${args[@]}"
}
order 'be-master n1' 'BeMaster n1' 'This node is master, as n1.'
order 'be-primary n1' 'BeMaster n1' 'This node is master, as n1.'
order 'be-slave n2 n1 10.0.0.1' 'BeSlave n2 n1 10.0.0.1 yes' 'This node follows n1 at 10.0.0.1, as n2; its data is in place.'
order 'be-secondary n2 n1 fd00::1' 'BeSlave n2 n1 fd00::1 yes' \
        'This node follows n1 at fd00::1, as n2; its data is in place.'
order 'be-slave n2 n1 10.0.0.1 --no-wait' 'BeSlave n2 n1 10.0.0.1 no' \
        'ConfD has the order to follow n1 at 10.0.0.1, as n2.
To wait for the data: confd-hactl wait synced --mark=0'
order be-relay BeRelay 'This node is a relay: slaves may follow it.'
order be-none BeNone 'This node has no role and no peers.'
set_property Slaves 'a(ss)' 1 n2 10.0.0.2
order 'slave-dead n2' 'SlaveDead n2' 'Node n2 counts as dead.'
order 'secondary-dead n2' 'SlaveDead n2' 'Node n2 counts as dead.'
json 'a dead slave as JSON' 0 'j == {"method": "SlaveDead", "node_id": "n2", "was_peer": True, "result": "done"}' \
        hactl --json=short slave-dead n2
order 'slave-dead nobody-there' 'SlaveDead nobody-there' \
        'ConfD was told that nobody-there is dead; it is no peer of this node, so nothing changes.'
json 'which JSON tells, too' 0 'j["was_peer"] is False and j["result"] == "done"' hactl --json=short slave-dead nobody-there
set_property Master '(ss)' n9 10.0.0.9
order 'slave-dead n9' 'SlaveDead n9' 'Node n9 counts as dead.'
set_property Master '(ss)' '' ''
order 'take-over n2 n1' 'TakeOver n2 n1' 'This node is master, as n2; its data was in sync.'
mock Calls >/dev/null
hactl take-over n2 any >/dev/null
is 'any old master is the empty string' "$(mock Calls)" 'as 1 "TakeOver n2  interactive=1"'
fails 'but an empty argument is a mistake' 2 "'' cannot be a node id" hactl take-over n2 ''
fails 'take-over needs to hear under whom' 2 'takes two arguments: confd-hactl take-over ID OLD-MASTER|any' hactl take-over n2
order reload Reload 'The configuration was read again.'
mock Calls >/dev/null
hactl --no-ask-password be-none >/dev/null
is '--no-ask-password is told to the service' "$(mock Calls)" 'as 1 "BeNone interactive=0"'
json 'an order as JSON' 0 'j == {"method": "BeSlave", "node_id": "n2", "master_id": "n1", "master_address": "::1",
  "wait": False, "mark": 0, "result": "done"}' hactl --json=short be-slave n2 n1 ::1 --no-wait
set_property LastError '(sst)' $E.Connect 'nobody listened' 1795347248270924
json 'with a mark: when the last error before it was' 0 'j["mark"] == 1795347248270924' \
        hactl --json=short be-slave n2 n1 ::1 --no-wait
ok 'which the words name, too' grep -q 'wait synced --mark=1795347248270924$' <(hactl be-slave n2 n1 ::1 --no-wait)
json 'who waits needs none' 0 '"mark" not in j and j["wait"] is True' hactl --json=short be-slave n2 n1 ::1
mock Fail sss BeSlave $E.BadToken 'The token of n1 is another'
json 'a failed one, too' 1 'j["result"] == "org.confd.HA.Error.BadToken" and j["message"] == "The token of n1 is another"' \
        hactl --json=pretty be-slave n2 n1 10.0.0.1
fails 'a failure says what failed and why' 1 'be-slave n2 failed: BadToken: The token of n1 is another' \
        hactl be-slave n2 n1 10.0.0.1
fails 'and what to do next' 1 'confd-hactl explain BadToken' hactl be-slave n2 n1 10.0.0.1

# --- exit statuses ---------------------------------------------------------------------------------------------------
exit_status() { # ERROR STATUS
        mock Fail sss BeMaster "$1" 'so it is'
        fails "$1 is $2" "$2" 'so it is' hactl be-master n1
}
for name in NoToken BadState Connect Closed BadSchema BadToken BadName Bind NoTick WithUpgrade BadVersion \
        BadConfig Aborted AccessDenied Protocol Superseded Displaced Failed NotInSync Inhibited BadConfiguration Secret; do
        exit_status $E.$name 1
done
exit_status $E.NotConnected 3
exit_status $E.Timeout 5
exit_status $D.Timeout 5
exit_status $D.AccessDenied 4
exit_status $D.InteractiveAuthorizationRequired 4
exit_status $D.InvalidArgs 2
exit_status $D.LimitsExceeded 1
exit_status $D.NoReply 3
exit_status $D.TimedOut 3
exit_status $D.Spawn.ChildExited 3
exit_status org.freedesktop.systemd1.NoSuchUnit 3
exit_status org.example.Other 1
mock Fail sss BeMaster $D.InteractiveAuthorizationRequired 'authenticate'
fails 'who may not be asked hears of it' 4 'leave out --no-ask-password' hactl --no-ask-password be-master n1
mock Hang s BeMaster
fails 'an order that nobody answers has an unknown outcome' 5 'may still take effect' hactl --timeout=1 be-master n1
json 'with the full name of the error' 5 'j["result"] == "org.freedesktop.DBus.Error.Timeout" and j["message"]' \
        hactl --json=short --timeout=1 be-master n1
succeed BeMaster
mock Calls >/dev/null
mock Hang s GetAll
fails 'a service that does not answer gets no order' 3 'be-master n1 failed' hactl --timeout=1 be-master n1
is 'of which nothing is unknown' "$(mock Calls)" 'as 0'
succeed GetAll

# --- explain ---------------------------------------------------------------------------------------------------------
while read -r name; do
        ok "explain knows $name" hactl explain "$name"
done < <(sed -n 's/^        { \(HA\|DBUS\|NODE\)("\([^"]*\)").*/\2/p' "${SOURCE_ROOT:?}/src/ctl/error-table.c")
ok 'explain knows what the contract names' test "$(for name in NotConnected NoToken Timeout BadState Connect Closed \
        BadSchema BadToken BadName Bind NoTick WithUpgrade BadVersion BadConfig Aborted AccessDenied Protocol \
        Superseded Displaced Failed NotInSync Inhibited BadConfiguration Secret; do hactl explain $E.$name | sed -n '1s/ .*//; 1p'; done | grep -c "^$E\.")" = 24
for pair in 3:AccessDenied 17:BadState 25:Connect 26:Closed 27:BadSchema 28:BadToken 29:BadName 30:Bind 31:NoTick \
        47:WithUpgrade 52:BadVersion 69:BadConfig 71:Aborted; do
        json "explain ${pair%:*} is ${pair#*:}" 0 "j[0]['name'] == '$E.${pair#*:}' and j[0]['confd_code'] == ${pair%:*}" \
                hactl explain --json=short "${pair%:*}"
done
json 'explain of a number without a name of its own' 0 \
        'j[0]["name"].endswith(".Failed") and j[0]["confd_name"] == "MALLOC"' hactl explain 20 --json=short
json 'explain by the name that ConfD has for it' 0 'j[0]["confd_code"] == 26' hactl explain CONFD_ERR_HA_CLOSED --json=short
json 'explain by a name with two meanings gives both' 0 'len(j) == 2' hactl explain accessdenied --json=short
json 'explain of one full name gives one' 0 'len(j) == 1 and j[0]["look_at"]' hactl explain $D.AccessDenied --json=short
fails 'explain of nonsense' 1 'no error' hactl explain Nonsense
fails 'explain of a number that is none' 1 'no error' hactl explain 99
fails 'explain of control characters' 1 'no\\x1berror' hactl explain $'no\eerror'

# --- show ------------------------------------------------------------------------------------------------------------
play_master
set_property LastError '(sst)' $E.Closed $'a\ttab' 7
hactl show >"$work/show"
ok 'show has all properties' test "$(sed 's/=.*//' "$work/show" | sort -u | wc -l)" = 19
ok 'as they are on the bus' grep -qx 'State=master' "$work/show"
ok 'a line for each of a list, the members side by side' grep -qx $'Slaves=n3\tfd00::3' "$work/show"
ok 'words have no tabs' grep -qx "LastError=$E.Closed"$'\t'"a\\\\x09tab"$'\t7' "$work/show"
ok 'what is within a member is in its place' grep -qx $'Orders=10 20\t(BeMaster ok 3 1 2 2)' "$work/show"
ok 'an empty list is there' grep -qx 'Inhibitors=' "$work/show"
says 'one property is its bare value' 0 master hactl show -P State
says 'a truth' 0 yes hactl show --property=InSync
says 'two have their names' 0 'State=master
NodeId=n1' hactl show -P NodeId -P State
says 'an empty list has no lines' 0 '' hactl show -P Inhibitors
json 'as JSON' 0 'j["State"] == "master" and j["Slaves"] == [["n2", "10.0.0.2"], ["n3", "fd00::3"]] and j["InSync"] is True and
  j["Orders"] == [[10, 20], [["BeMaster", "ok", 3, [1, 2, 2]]]] and j["LastError"][2] == 7 and j["LastInSync"][0] == "master"' hactl show --json=pretty
json 'one of them' 0 'j == {"Transitions": 3}' hactl show --json=short -P Transitions
fails 'a property that is none' 1 "no property 'Nonsense'" hactl show -P Nonsense
says 'and of the others nothing, as one would be taken for the other' 1 '' hactl show -P State -P Nonsense
json 'which is JSON too, and nothing else' 1 'j["name"].endswith("UnknownProperty")' hactl --json=short show -P State -P Nonsense

# --- help ------------------------------------------------------------------------------------------------------------
ok 'help is a command' test "$(hactl help)" = "$(hactl --help)"
fails 'of a command it tells the arguments' 0 'be-slave ID MASTER-ID MASTER-ADDRESS' hactl help be-slave
fails 'and the options' 0 '--ignore-inhibitors' hactl help be-slave
fails 'of a second name, too' 0 'The same as be-slave' hactl help be-secondary
ok 'others have other options' test -z "$(hactl help reload | grep -e --no-wait)"
fails 'help for what is no command' 2 "no command 'frobnicate'" hactl help frobnicate

# --- inhibit ---------------------------------------------------------------------------------------------------------
mock Calls >/dev/null
says 'a command runs' 0 'hello world' hactl inhibit --who=apt --why='an upgrade' echo hello world
ended() { mock Calls | tee "$work/calls" | grep -q InhibitorEnd; }
ok 'while the service holds a descriptor for it' ended
is 'named as asked' "$(cat "$work/calls")" 'as 2 "Inhibit apt an upgrade interactive=1" "InhibitorEnd"'
says 'its options are its own' 0 '-n --json=short' hactl inhibit printf '%s' '-n --json=short'
is 'and its command is the name by itself' "$(mock Calls | grep -o 'Inhibit printf %s -n --json=short no reason given')" \
        'Inhibit printf %s -n --json=short no reason given'
ok 'its exit status is ours' test "$(hactl inhibit sh -c 'exit 7'; echo $?)" = 7
ok 'also when a signal ended it' test "$(hactl inhibit sh -c 'kill -TERM $$'; echo $?)" = 143
ok 'a command that is not there' test "$(hactl inhibit no-such-command 2>/dev/null; echo $?)" = 127
fails 'a command is needed' 2 'inhibit COMMAND...' hactl inhibit
mock Calls >/dev/null
"$CONFD_HACTL" inhibit sleep 60 & holder=$!
pids+=("$holder")
held() { mock Calls | grep -q 'Inhibit sleep'; }
wait_for held
kill -KILL $holder
eventually 'the end of the holder is the end of it, however it dies' ended
wait $holder 2>/dev/null
mock Fail sss Inhibit $E.Failed 'sixteen already'
fails 'what cannot be had is not run' 1 'sixteen already' hactl inhibit echo no
ok 'really' test -z "$(hactl inhibit echo no 2>/dev/null)"
succeed Inhibit
fails 'nobody inhibits' 0 'Nobody inhibits orders' hactl inhibitors
json 'nobody, in JSON' 0 'j == []' hactl inhibitors --json=short
set_property Inhibitors 'a(ssut)' 2 apt 'upgrades ConfD' 0 "$(($(date +%s) - 61))000000" $'ba\eckup' nightly 1000 1
is 'who inhibits' "$(hactl inhibitors --no-legend | sed 's/  */ /g; s/1min [0-9]*s/1min Ns/; s/[0-9]*y [0-9]*d/A while/')" 'apt upgrades ConfD 0 1min Ns ago
ba\x1bckup nightly 1000 A while ago'
json 'who, in JSON' 0 'j[0] == {"who": "apt", "why": "upgrades ConfD", "uid": 0, "since_usec": j[0]["since_usec"]}' \
        hactl inhibitors --json=short
mock Calls >/dev/null
for order in 'be-master n1' 'take-over n1 n2' 'be-slave n2 n1 ::1' be-relay be-none; do
        # shellcheck disable=SC2086 # words
        fails "$order is inhibited" 1 'Inhibited: apt inhibits orders: upgrades ConfD (uid 0, 1min *and 1 more' hactl $order
done
json 'by its name in JSON' 1 'j["result"] == "'$E.Inhibited'" and "--ignore-inhibitors" in j["advice"]' \
        hactl be-none --json=short
is 'and not given' "$(mock Calls)" 'as 0'
ok 'unless it is to be' hactl be-none --ignore-inhibitors
ok 'the dead are dead' hactl slave-dead n9
ok 'and files are read' hactl reload
is 'as these are not inhibited' "$(mock Calls | grep -o '[A-Z][A-Za-z]* ' | xargs)" 'BeNone SlaveDead Reload'
set_property Inhibitors 'a(ssut)' 0

# --- the service goes, the output goes -------------------------------------------------------------------------------
ok 'a full disk is a failure of a question' test "$(hactl >/dev/full 2>/dev/null; echo $?)" = 1
for full in '>/dev/full' '>&-' '>/dev/full 2>/dev/full' '>&- 2>&- <&-' '--json=short >/dev/full'; do
        mock Calls >/dev/null
        is "an order that was carried out is done, with be-none $full" \
                "$(eval "'$CONFD_HACTL' be-none $full" 2>/dev/null; echo $?)" 0
        is "and it was carried out" "$(mock Calls)" 'as 1 "BeNone interactive=1"'
done
is 'the same where nobody reads' "$(env --default-signal=PIPE bash -c "'$CONFD_HACTL' be-none | :; echo \${PIPESTATUS[0]}")" 0
mock Fail sss BeNone $E.BadState 'no'
is 'and one that was not is not' "$(hactl be-none >/dev/full 2>&1; echo $?)" 1
succeed BeNone

# --- errors as JSON --------------------------------------------------------------------------------------------------
json 'usage' 2 'j["name"] == "'$D.InvalidArgs'" and "be-master ID" in j["message"]' hactl --json=short be-master
json 'an option that is none' 2 'j["name"] == "'$D.InvalidArgs'"' hactl --bogus --json=short
json 'an id that is none' 2 '"node id" in j["message"]' hactl be-master '' --json=pretty
json 'no bus' 3 'j["name"] == "'$D.NoServer'" and "Is a bus" in j["advice"]' \
        hactl --json=short --address=unix:path=/nowhere be-none
mock Fail sss BeNone $E.BadState 'It is no slave'
json 'an order' 1 'j["result"] == j["name"] == "'$E.BadState'" and j["message"] == "It is no slave" and "state" in j["advice"]' \
        hactl --json=short be-none
succeed BeNone
mock Fail sss Status $E.Timeout 'No answer'
json 'status, beside the picture' 5 'j["state"] and j["error"]["name"] == "'$E.Timeout'" and j["error"]["advice"]' \
        hactl --json=short
succeed Status
json 'an error that is none' 1 'j["message"] == "There is no error '"'x'"'."' hactl explain x --json=short
json 'a host that is none' 2 'j["message"] == "Not a valid host: '"'-x'"'"' hactl --json=short --host=-x history
json 'a wait that is over' 1 'j["name"] == "'$D.Timeout'" and j["reached"] is False' hactl --json=short --timeout=1 wait unknown
ok 'one document, not two' test "$(hactl --json=short --timeout=1 wait unknown 2>/dev/null | wc -l)" = 1

mock Hang s BeNone
mock Calls >/dev/null
hactl be-none 2>"$work/gone" & order=$!
seen() { mock Calls | grep -q BeNone; }
wait_for seen
mock Quit
rc=0
wait $order || rc=$?
is 'a service that ends in the middle of an order' "$rc" 3
ok 'and what that means' grep -q 'may still take effect' "$work/gone"
finish
