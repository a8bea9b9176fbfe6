#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The verbs of confd-hactl that follow the service: wait, monitor, check, each in all its endings.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

start_bus bus
start_mock
play_master

# confd-hactl in the background: its output in $work/NAME.out and .err, its exit status by `ended`. Returns once it has
# the service's properties, if there is a service: what is told after that, it hears.
declare -A running
background() { # NAME ARGS...
        local name=$1
        shift
        count_asked
        "$CONFD_HACTL" "$@" >"$work/$name.out" 2>"$work/$name.err" &
        running[$name]=$!
        pids+=($!)
        asked=$((asked + 1))
        wait_for has_asked || printf '# %s has asked nothing\n' "$name"
}

count_asked() { asked=$(mock Asked | sed 's/^u //'); }
has_asked() { [ "$(mock Asked | sed 's/^u //')" -ge "$asked" ]; }
alive() { kill -0 "${running[$1]}"; }
dead() { ! alive "$1"; }

# ended NAME CASE STATUS: it ends, with that exit status.
ended() {
        local rc=0
        wait_for dead "$1" || kill -KILL "${running[$1]}"
        wait "${running[$1]}" 2>/dev/null || rc=$?
        is "$2" $rc "$3"
}

# --- wait ------------------------------------------------------------------------------------------------------------
says 'the state is there' 0 'n1 is master' hactl wait master
says 'in the other words' 0 'n1 is master' hactl wait primary
says 'quietly' 0 '' hactl -q wait master
json 'as JSON' 0 'j == {"wanted": "master", "reached": True, "state": "master", "node_id": "n1",
  "synchronizing": False, "in_sync": True}' hactl --json=short wait master
fails 'not within its time' 1 'wait slave: not reached within 1s: the state is master' hactl --timeout=1 wait slave
json 'which is JSON too' 1 'j["reached"] is False and j["state"] == "master"' hactl --timeout=1 --json=short wait slave
fails 'looking once' 1 'the state is master' hactl --timeout=0 wait slave
says 'looking once, with success' 0 'n1 is master' hactl --timeout=0 wait master
for state in none slave slave-relay unknown; do
        background state wait $state
        set_property State s $state
        ended state "wait $state ends by a change" 0
done
says 'one of several states' 0 'n1 is unknown' hactl wait none,unknown
says 'in a list, too, in the other words' 0 'n1 is unknown' hactl wait primary,unknown
fails 'an empty word in a list' 2 "not ''" hactl wait none,
fails 'a slave is asked for by its id' 2 'wait slave ID' hactl wait master n1
play_slave slave false true
fails 'a slave that synchronizes is not synced' 1 'the state is slave and synchronizing' hactl --timeout=1 wait synced
background synced wait synced
set_property InSync b true
set_property Synchronizing b false
ended synced 'but it is once the data is in place' 0
is 'and says so' "$(cat "$work/synced.out")" 'n2 is slave, its data is in place'
set_property State s slave-relay
ok 'a relay is synced' hactl wait synced
set_property State s master
background quiet wait slave
mock SetQuietly sv State s slave
mock Invalidate sv State s slave
ended quiet 'a change that is announced without its value' 0

# --- wait for data: what failed is not waited for --------------------------------------------------------------------
play_slave none false true
set_property LastInSync '(sssts)' '' '' '' 0 ''
set_property LastError '(sst)' '' '' 0
background failing wait synced
mock Emit ssas BeSlaveResult ss 2 org.confd.HA.Error.Superseded 'by another'
heard() { grep -q "A be-slave failed: Superseded: by another" "$work/failing.err"; }
eventually 'a be-slave that fails is told' heard
ok 'and while another is under way, waited on' alive failing
set_property LastError '(sst)' org.confd.HA.Error.BadToken 'another token' 1795347248270924
set_property Synchronizing b false
ended failing 'a be-slave that fails ends the wait for data' 1
ok 'with its reason' grep -q 'wait synced: nothing is under way, and the last order failed: BadToken: another token' \
        "$work/failing.err"
fails 'who comes later hears it at once' 1 'the last order failed: BadToken: another token' hactl wait in-sync
json 'as JSON' 1 'j["reached"] is False and j["name"] == "org.confd.HA.Error.BadToken" and j["message"] == "another token"' \
        hactl wait synced --json=short
background mark wait synced --mark=1795347248270924
ok 'a wait with a mark does not believe an error from before it' alive mark
set_property LastError '(sst)' org.confd.HA.Error.Connect 'nobody listens' 1795347248270925
ended mark 'but one from after it' 1
fails 'a mark is a number' 2 'what be-slave --no-wait gave' hactl wait synced --mark=x
set_property LastError '(sst)' '' '' 0
background words wait in-sync,master
mock Emit ssas BeSlaveResult ss 2 org.confd.HA.Error.BadName 'it is n9'
ended words 'a result alone ends it, too, when nothing is under way' 1
ok 'with its words' grep -q 'BadName: it is n9' "$work/words.err"
set_property LastError '(sst)' org.confd.HA.Error.NotConnected 'it was away' 1795347248270924
background away wait in-sync
set_property LastInSync '(sssts)' slave n1 10.0.0.1 1795347248270920 master-lost
set_property LastError '(sst)' org.confd.HA.Error.Closed 'the master went down' 1795347248270924
mock Emit ssas MasterLost s 1 org.confd.HA.Error.Closed
ok 'neither a connection nor a lost master is a failed order' alive away
set_property LastInSync '(sssts)' slave n1 10.0.0.1 0 lasts
set_property InSync b true
ended away 'in sync at last' 0
set_property State s slave
says 'in sync' 0 'n2 is slave, its data is in place' hactl wait in-sync
set_property State s master
says 'a master is in sync' 0 'n2 is master, its data is in place' hactl wait in-sync
set_property Slaves 'a(ss)' 1 n3 10.0.0.3
says 'a slave that is there' 0 'n2 is master, and n3 follows it' hactl wait slave n3
background slave wait slave n4
set_property Slaves 'a(ss)' 2 n3 10.0.0.3 n4 10.0.0.4
ended slave 'a slave that comes' 0
fails 'a slave that does not' 1 'wait slave n5: not reached within 1s' hactl --timeout=1 wait slave n5
json 'which is JSON too' 1 'j["slave"] == "n5" and j["reached"] is False' hactl --timeout=1 wait slave n5 --json=short

set_property State s none
background restart wait slave
kill -KILL "$mock_pid"
told() { grep -q 'left the bus' "$work/restart.err"; }
eventually 'the service ends while it is waited for' told
ok 'and waiting goes on' alive restart
start_mock
set_property State s slave
ended restart 'until the new one has the state' 0
background gone wait unknown
mock Leave
ended gone 'a state without a service is unknown' 0
fails 'no service, looking once' 3 'The service does not run' hactl --timeout=0 wait master
"$CONFD_HACTL" wait master >/dev/null 2>"$work/early.err" & running[early]=$! pids+=($!)
"$CONFD_HACTL" monitor >"$work/early.out" 2>&1 & running[monitor]=$! pids+=($!)
absent() { grep -q 'The service is not there: .*; waiting for it' "$work/early.err" && grep -q ServiceGone "$work/early.out"; }
eventually 'wait and monitor wait for a service that is not there yet' absent
ok 'and go on' alive early
set_property State s master
mock Return
ended early 'until it comes and the state is there' 0
came() { grep -q 'ServiceBack' "$work/early.out" && grep -q 'Watching .*master' "$work/early.out"; }
eventually 'which monitor tells' came
kill "${running[monitor]}"
mock Leave
fails 'a wait for a service that never comes has its limit' 1 'wait master: not reached within 1s' \
        hactl --timeout=1 wait master
mock Return
mock Hang s GetAll
fails 'a service that does not answer' 1 'the service does not answer' hactl --timeout=1 wait master
fails 'nor does monitor wait for it for ever' 5 'monitor failed: No answer in time' hactl --timeout=1 monitor
mock Fail sss GetAll org.freedesktop.DBus.Error.AccessDenied 'go away'
fails 'a bus that does not allow it' 4 'AccessDenied: go away' hactl wait master
succeed GetAll

# Somebody else's signals: addressed to us, from a connection that does not own the name.
set_property State s none
background spoofed --timeout=20 wait slave
name=$(name_of "${running[spoofed]}")
ok 'the waiting client is on the bus' test -n "$name"
owner=$(busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" --json=short call org.freedesktop.DBus /org/freedesktop/DBus \
        org.freedesktop.DBus GetNameOwner s org.confd.HA | sed 's/.*\["\(.*\)"\].*/\1/')
busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" emit --destination="$name" /org/confd/HA org.freedesktop.DBus.Properties \
        PropertiesChanged 'sa{sv}as' org.confd.HA 1 State s slave 0
busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" emit --destination="$name" /org/freedesktop/DBus org.freedesktop.DBus \
        NameOwnerChanged sss org.confd.HA "$owner" ''
mock Emit ssas BeSlaveResult ss 2 org.confd.HA.Error.Closed 'a true one'
true_one() { grep -q 'a true one' "$work/spoofed.err"; }
eventually 'true signals arrive' true_one
ok 'false ones are not believed' alive spoofed
ok 'nor that the service left' test -z "$(grep 'left the bus' "$work/spoofed.err")"
set_property State s slave
ended spoofed 'but the service is' 0

# --- monitor ---------------------------------------------------------------------------------------------------------
play_master
background lines monitor
background json monitor --json=short
watching() { grep -q Watching "$work/lines.out" && grep -q Watching "$work/json.out"; }
eventually 'monitor begins with the state' watching
mock Emit ssas MasterLost s 1 org.confd.HA.Error.NoTick
mock Emit ssas SlaveDied ss 2 n2 10.0.0.2
mock Emit ssas SlaveArrived ss 2 $'n\e3' ''
mock Emit ssas SlaveInitialized b 1 yes
mock Emit ssas SlaveInitialized b 1 no
mock Emit ssas StateChanged sss 3 slave none master-lost
mock Emit ssas BeSlaveResult ss 2 '' ''
mock Emit ssas BeSlaveResult ss 2 org.confd.HA.Error.BadName 'it is n9'
mock Emit ssas SomethingNew s 1 what
mock Emit ssas StateChanged s 1 wrong-arguments
set_property Connected b false
set_property Connected b true
mock Leave
mock Return
set_property Transitions t 99
mock Emit ssas StateChanged sss 3 none slave external
last() { grep -q external "$work/lines.out" && grep -q external "$work/json.out"; }
eventually 'monitor tells of everything, over a restart' last
is 'one line an event' "$(sed 's/.*UTC  //; s/  *$//; s/  */ /' "$work/lines.out")" 'Watching n1 is master
MasterLost the master is lost: NoTick
SlaveDied n2 10.0.0.2
SlaveArrived n\x1b3
SlaveInitialized the data was copied and is in place
SlaveInitialized the data is in place, nothing was copied
StateChanged slave -> none (master-lost)
BeSlaveResult done
BeSlaveResult BadName: it is n9
ConfdDisconnected from 127.0.0.1:4565
ConfdConnected at 127.0.0.1:4565
ServiceGone the service left the bus
ServiceBack the service is on the bus
Watching n1 is master
StateChanged none -> slave (external)'
ok 'each with its time' test -z "$(grep -Ev '^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) 20[0-9-]+ [0-9:]+ UTC  [A-Z]' "$work/lines.out")"
ok 'each JSON line is JSON' /usr/bin/python3 -c 'import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
names = [e["event"] for e in events]
assert names == ["Watching", "MasterLost", "SlaveDied", "SlaveArrived", "SlaveInitialized", "SlaveInitialized",
                 "StateChanged", "BeSlaveResult", "BeSlaveResult", "ConfdDisconnected", "ConfdConnected", "ServiceGone",
                 "ServiceBack", "Watching", "StateChanged"], names
assert all(e["time_usec"] > 1e15 for e in events)
assert events[0]["state"] == "master" and events[0]["node_id"] == "n1"
assert events[1]["error"] == "org.confd.HA.Error.NoTick"
assert events[2]["id"] == "n2" and events[2]["address"] == "10.0.0.2"
assert events[3]["id"] == "n\x1b3"
assert events[4]["by_copy"] is True and events[5]["by_copy"] is False
assert (events[6]["old"], events[6]["new"], events[6]["reason"]) == ("slave", "none", "master-lost")
assert events[7]["error"] == "" and events[8]["message"] == "it is n9"
assert events[9]["address"] == "127.0.0.1:4565"' "$work/json.out"
kill -TERM "${running[lines]}" "${running[json]}"
ended lines 'monitor ends when it is interrupted' 143
mkfifo "$work/pipe"
head -n 1 "$work/pipe" >"$work/closed.out" & pids+=($!)
# Whoever runs the tests may ignore the signal, as services and some runners of jobs do.
env --default-signal=PIPE "$CONFD_HACTL" monitor >"$work/pipe" & running[closed]=$! pids+=($!)
eventually 'monitor speaks to a pipe at once' grep -q Watching "$work/closed.out"
ended closed 'monitor ends when nobody reads it, and waits for nothing more to tell' 141
says 'and where the signal is ignored' 0 '' sh -c 'trap "" PIPE; "$CONFD_HACTL" monitor | true'

# --- check -----------------------------------------------------------------------------------------------------------
play_master
says 'a node with a role' 0 'ok: n1 is master' hactl check
says 'the right role' 0 'ok: n1 is master' hactl check --role=master
says 'one of several' 0 'ok: n1 is master' hactl check --role=slave,master
says 'in the other words' 0 'ok: n1 is master' hactl check --role=primary
says 'another role' 1 'no: n1 is master, not slave,slave-relay' hactl check --role=slave,slave-relay
mock Calls >/dev/null
says 'ready' 0 'ok: n1 is master' hactl check --ready --role=master
is 'which is asked of ConfD' "$(mock Calls)" 'as 1 "Status interactive=1"'
hactl check >/dev/null
is 'but only then' "$(mock Calls)" 'as 0'
count_asked
json 'one picture' 0 'j["why"] == "n1 is master" and j["state"] == "master"' hactl check --ready --json=short
asked=$((asked + 2))
ok 'that was read after the question' has_asked
says 'quietly' 1 '' hactl -q check --role=none
json 'as JSON' 1 'j == {"answer": "no", "why": "n1 is master, not none", "state": "master", "node_id": "n1",
  "synchronizing": False, "in_sync": True, "targets": "reached"}' \
        hactl check --role=none --json=short
says 'in sync' 0 'ok: n1 is master' hactl check --in-sync
says 'its target' 0 'ok: n1 is master' hactl check --targets
for targets in off starting stopping 'failed: confd-ha-master.target: no such unit'; do
        set_property Targets s "$targets"
        says "a target that is not reached: $targets" 1 "no: n1 is master, the role target: $targets" hactl check --targets
done
says 'which matters to --targets only' 0 'ok: n1 is master' hactl check --in-sync --role=master
says 'the wanted role' 0 'ok: n1 is master' hactl check --wanted=none,master
says 'not the wanted role' 1 'no: n1 is master, not on the way to slave' hactl check --wanted=slave
fails 'a wanted role that is none' 2 "--wanted= takes" hactl check --wanted=king
play_slave none false true
says 'on the way' 0 'ok: n2 is none and synchronizing' hactl check --wanted=slave
says 'as good for a relay' 0 'ok: n2 is none and synchronizing' hactl check --wanted=slave-relay
says 'away from it' 1 'no: n2 is none and synchronizing, not on the way to none,master' hactl check --wanted=none,master
says 'not in sync' 1 'no: n2 is none and synchronizing, its data is not in place' hactl check --in-sync
set_property NodeId s n1
set_property State s slave
set_property Synchronizing b true
says 'synchronizing is not ready' 1 'no: n1 is slave and synchronizing' hactl check --ready --role=slave
says 'but it is a slave' 0 'ok: n1 is slave' hactl check --role=slave
set_property Synchronizing b false
mock Fail sss Status org.confd.HA.Error.Timeout 'no answer within 10 s'
says 'ConfD does not answer' 2 'unknown: ConfD does not answer: no answer within 10 s' hactl check --ready
mock Hang s Status
ok 'nor does the service' test "$(hactl --timeout=1 check --ready >"$work/check"; echo $?)" = 2
ok 'with one line' test "$(grep -c '^unknown: ' "$work/check")" = 1
says 'which matters to --ready only' 0 'ok: n1 is slave' hactl check
succeed Status
set_property Connected b false
set_property State s unknown
set_property LastError '(sst)' org.confd.HA.Error.NotConnected 'connection refused' 1
mock Calls >/dev/null
says 'no connection to ConfD' 2 'unknown: no connection to ConfD at 127.0.0.1:4565: connection refused' hactl check
says 'nor ready' 2 'unknown: no connection to ConfD at 127.0.0.1:4565: connection refused' hactl check --ready
is 'and no wait for one' "$(mock Calls)" 'as 0'
says 'somebody may ask for just that' 0 'ok: the state of n1 is unknown' hactl check --role=unknown
mock Hang s GetAll
ok 'a service that hangs' test "$(hactl --timeout=1 check >"$work/check"; echo $?)" = 2
ok 'with one line, too' test "$(grep -c '^unknown: the service does not answer' "$work/check")" = 1
mock Leave
says 'no service' 2 'unknown: the service does not run' hactl check
json 'no service, as JSON' 2 'j["answer"] == "unknown" and j["state"] == "unknown"' hactl check --json=short
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/nowhere says 'no bus' 2 'unknown: no connection to the system bus' hactl check
mock Return
mock Calls >/dev/null

# --- a service that the bus could start ------------------------------------------------------------------------------
make_activatable
mock Leave
says 'check leaves a stopped service stopped' 2 'unknown: the service does not run' hactl check --ready
ok 'and the bus has not started it' test ! -e "$work/was-activated"
says 'wait starts it' 0 'this node is none' hactl wait none
ok 'by the bus' test -e "$work/was-activated"
# The new one has taken the name; the old one ends, and the new one is told what to do under it.
busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.confd.HA /mock org.confd.Mock Quit
mock Return

# --- a service that cannot start -------------------------------------------------------------------------------------
# The one that the bus starts does not take the name: whoever asks the bus alone hears nothing for its 25 s.
printf '#!/bin/sh\n: >"%s"\nexec sleep 60\n' "$work/was-activated" >"$work/activated"
rm "$work/was-activated"
mock Leave
mock Unit ssssis confd-ha.service failed failed exit-code 78 ''
begin=$SECONDS
fails 'a unit that has failed is told' 3 'be-none failed: confd-ha.service has failed: it ended with status 78 (bad configuration)' \
        hactl be-none
fails 'with where to look' 3 'journalctl -u confd-ha.service -n 20' hactl status
json 'in JSON, too' 3 '"has failed" in j["message"] and "journalctl" in j["advice"]' hactl --json=short be-none
mock Unit ssssis confd-ha.service failed failed exit-code 78 '/etc/confd-ha/confd-ha.conf:3: bad value'
fails 'in its own words, where it left some' 3 'has failed: /etc/confd-ha/confd-ha.conf:3: bad value' hactl reload
mock Unit ssssis confd-ha.service failed failed oom-kill 0 'master, ConfD 8.2.5'
fails 'but not with what it said in better days' 3 'has failed: oom-kill' hactl reload
mock Unit ssssis confd-ha.service failed failed exit-code 78 '/etc/confd-ha/confd-ha.conf:3: bad value'
says 'check is as ever' 2 'unknown: the service does not run' hactl check
ok 'and says beside its one line where to look' grep -q 'confd-ha.conf:3: bad value' "$work/stderr"
says 'unless it is to be quiet' 2 '' sh -c "'$CONFD_HACTL' -q check 2>&1"
ok 'and nothing was started for it' test ! -e "$work/was-activated"
fails 'wait looks once' 3 'confd-ha.conf:3: bad value' hactl --timeout=0 wait master
mock Unit ssssis confd-ha.service inactive dead success 0 ''
hactl be-none 2>"$work/fresh.err" & running[fresh]=$! pids+=($!)
eventually 'a unit that has not failed is started' test -e "$work/was-activated"
mock Unit ssssis confd-ha.service failed failed exit-code 78 ''
ended fresh 'and when it fails meanwhile, the call ends' 3
ok 'at once, with the reason' grep -q 'it ended with status 78' "$work/fresh.err"
ok 'long before the bus gives up' test $((SECONDS - begin)) -lt 20
mock Unit ssssis confd-ha.service inactive dead success 0 ''
fails 'a start that takes too long is told as such' 3 'did not start in time' hactl --timeout=1 be-none
mock Return

# --- the bus goes ----------------------------------------------------------------------------------------------------
background slow wait none
succeed GetAll
background lost wait none
background blind monitor
kill -KILL "$bus_pid"
ended lost 'wait without a bus' 3
ended slow 'wait for a first answer without a bus' 3
ended blind 'monitor without a bus' 3
ok 'in words' grep -q 'monitor failed: The bus closed the connection' "$work/blind.err"
finish
