#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confd-ha-keepalived as keepalived runs it, against a scripted service: what each wish makes the worker do, and keep.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"
: "${CONFD_HA_KEEPALIVED:?names the program under test}"

start_bus bus
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
mkdir -p "$work/wishes"
port=$((20000 + $$ % 20000))
cat >"$work/keepalived.conf" <<END
[Node]
Id=n2
[Peer]
Id=n1
Address=127.0.0.1
HaPort=$port
[Keepalived]
Instance=confd
PeerInstance=alive-n1
END
keepalived() { "$CONFD_HA_KEEPALIVED" --config="$work/keepalived.conf" --directory="$work/wishes" "$@"; }
# As keepalived calls it.
wish() { keepalived INSTANCE confd "$1" 100; }
peer() { keepalived INSTANCE alive-n1 "$1" 50; }

# The calls since the last look, with those of the properties left out.
calls() {
        mock Calls | sed 's/^as [0-9]* *//; s/^as 0$//' >>"$work/calls"
        cat "$work/calls"
}
called() { case $(calls) in *"$1"*) ;; *) return 1 ;; esac; }
forget() {
        mock Calls >/dev/null
        : >"$work/calls"
}

# Somebody at the peer's HA port, as at a master's.
cat >"$work/listener" <<'END'
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(8)
while True:
    s.accept()[0].close()
END
listen() {
        /usr/bin/python3 "$work/listener" "$port" &
        listener=$!
        pids+=("$listener")
}
start_mock
set_property Connected b true
set_property NodeId s n2
set_property Slaves 'a(ss)' 0
"$CONFD_HA_KEEPALIVED" --config="$work/keepalived.conf" --directory="$work/wishes" worker 2>"$work/worker.log" &
worker=$!
pids+=("$worker")
wait_for busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" --auto-start=no get-property org.confd.HA /org/confd/HA org.confd.HA State

ok "a wish is stored" wish BACKUP
ok "nobody listens at the peer" wait_for grep -q "wishes BACKUP" "$work/worker.log"
is "and nothing is ordered" "$(calls | grep -c BeSlave)" 0
listen
eventually "a backup without data follows the peer" called 'BeSlave n2 n1 127.0.0.1 no'
forget
mock Fail sss BeSlave "" ""
mock Emit ssas BeSlaveResult ss 2 org.confd.HA.Error.Connect refused
eventually "a peer that is not master yet is tried again" called 'BeSlave n2 n1'
fails "a node that has no data is not fit to be master" 1 "not that of the last master" keepalived check

kill "$listener"
set_property Master '(ss)' n1 127.0.0.1
set_property InSync b true
set_property LastInSync '(sssts)' slave n1 127.0.0.1 0 lasts
set_property State s slave
ok "a slave in sync is fit to be master" wait_for keepalived check
forget

# The master dies: nothing is ordered that would spoil the take-over, while nobody listens at the other side.
set_property InSync b false
set_property LastInSync '(sssts)' slave n1 127.0.0.1 1700000000000000 master-lost
set_property Master '(ss)' "" ""
set_property State s none
ok "who lost its master is fit to be master" keepalived check
ok "a worker that has looked for the peer" wait_for grep -q "ConfD is none" "$work/worker.log"
is "has given no order" "$(calls | grep -c BeSlave)" 0
# Somebody listens there again: it is followed.
listen
eventually "a peer that listens is followed" called 'BeSlave n2 n1'
kill "$listener"
ok "after a be-slave was begun, this node is not fit" eval '! keepalived check'

set_property Master '(ss)' n1 127.0.0.1
set_property InSync b true
set_property State s slave
wait_for keepalived check
forget
ok "keepalived makes it master" wish MASTER
eventually "it takes over" called 'TakeOver n2'
set_property Master '(ss)' "" ""
set_property State s master
set_property LastInSync '(sssts)' master n2 "" 0 lasts
ok "a master that was wished is fit" wait_for keepalived check
forget

# Anybody can say something to the worker in the service's words, and that its name is somebody else's.
forge() { busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" --destination="$(name_of "$worker")" emit "$@"; }
forge /org/confd/HA org.freedesktop.DBus.Properties PropertiesChanged 'sa{sv}as' org.confd.HA 1 State s none 0
forge /org/freedesktop/DBus org.freedesktop.DBus NameOwnerChanged sss org.confd.HA :1.1 ""
set_property InSync b false
ok "the service's own word is heard" wait_for grep -q "wishes MASTER; ConfD is master$" "$work/worker.log"
fails "nobody else's is" 1 "" grep -E "wishes MASTER; ConfD is (none|unknown)" "$work/worker.log"
is "and nothing is ordered by it" "$(calls | grep -c -e TakeOver -e BeMaster)" 0

# A role that ConfD lost by itself is given again.
set_property LastInSync '(sssts)' master n2 "" 1700000000000000 outage
set_property State s none
eventually "a role that was lost is given again" called 'TakeOver n2'
set_property State s master
set_property InSync b true
forget

set_property Slaves 'a(ss)' 1 n1 127.0.0.1
peer MASTER
eventually "a peer that sends no advertisements is dead" called 'SlaveDead n1'
peer BACKUP
set_property Slaves 'a(ss)' 0
forget

mock Fail sss TakeOver org.confd.HA.Error.NotInSync "the data here is old"
set_property InSync b false
set_property State s none
twice() { [ "$(calls | grep -o "$1" | wc -l)" -ge 2 ]; }
eventually "a refused take-over is tried again" twice 'TakeOver n2'
succeed TakeOver
# Older than its grace: this is what puts the instance to FAULT.
touch -d '1 minute ago' "$work/wishes/role"
fails "a master that is none is not fit" 1 "ConfD is not" keepalived check
set_property State s master
set_property InSync b true
forget

# What the service heard last is no sign of life: a frozen ConfD says nothing any more.
ok "a ConfD that answers is alive" keepalived alive
mock Hang s Status
fails "a master that does not answer is not fit" 1 "does not answer" keepalived check
fails "and not alive" 1 "does not answer" keepalived alive
mock Fail sss Status org.confd.HA.Error.Timeout "no answer"
fails "nor is one of which the service says so" 1 "does not answer" keepalived alive
set_property Connected b false
ok "one that is not there holds nobody up" keepalived alive
set_property Connected b true
succeed Status
ok "who answers again is fit" keepalived check
forget

for state in STOP FAULT BACKUP; do
        wish $state
        eventually "$state ends the master's role" called BeNone
        wish MASTER
        forget
done
wish STOP
set_property State s none
set_property InSync b false
forget
many=()
for _ in 1 2 3 4 5 6 7 8; do
        wish STOP &
        many+=($!)
done
wait "${many[@]}"
ok "many at once are harmless" keepalived INSTANCE confd STOP
is "and order nothing" "$(calls | grep -cE 'BeSlave|BeNone|TakeOver')" 0

# One that was begun earlier and is late: what was told later stays.
mkfifo "$work/go"
late() { (read -r _ <"$work/go"; exec "$CONFD_HA_KEEPALIVED" --config="$work/keepalived.conf" --directory="$work/wishes" INSTANCE "$@" 100) & }
late confd MASTER
wish STOP
echo go >"$work/go"
rc=0
wait $! || rc=$?
is "a notification that comes late ends well" $rc 0
is "and changes nothing" "$(cut -d' ' -f1 "$work/wishes/role")" STOP
late alive-n1 MASTER
peer BACKUP
echo go >"$work/go"
wait $!
is "nor does one of the peer" "$(cut -d' ' -f1 "$work/wishes/peer")" there
ok "another instance is none of ours" keepalived INSTANCE other MASTER 100
fails "words that keepalived does not use" 64 "no state of keepalived" keepalived INSTANCE confd HAPPY

# Its service goes and comes back: the wish is kept.
set_property LastInSync '(sssts)' "" "" "" 0 ""
listen
wish BACKUP
mock Leave
mock Return
forget
eventually "a service that comes back is told again" called 'BeSlave n2 n1'
ok "the worker lives" kill -0 $worker
kill -TERM $worker
rc=0
wait $worker || rc=$?
is "and ends well" $rc 0
printf '[Node]\nId=n1\n[Peer]\nId=n1\nAddress=10.0.0.1\n' >"$work/bad.conf"
fails "two nodes with one id are refused" 78 "one id" "$CONFD_HA_KEEPALIVED" --config="$work/bad.conf" worker
printf '[Node]\nId=n1\n' >"$work/bad.conf"
fails "a peer is needed" 78 "[[]Peer[]] Id=" "$CONFD_HA_KEEPALIVED" --config="$work/bad.conf" worker
printf '[Peer]\nAddress=n1.example\n' >"$work/bad.conf"
fails "a name is no address" 78 "bad.conf:2" "$CONFD_HA_KEEPALIVED" --config="$work/bad.conf" check
# A service that hangs while a worker begins, and a wish that comes when it has not answered.
kill -STOP "$mock_pid"
"$CONFD_HA_KEEPALIVED" --config="$work/keepalived.conf" --directory="$work/wishes" worker 2>"$work/worker.log" &
pids+=($!)
ok "a service that hangs is told of" wait_for grep -q "has not answered for 20 s" "$work/worker.log"
wish STOP
ok "and a wish heard" wait_for grep -q "wishes STOP" "$work/worker.log"
wish BACKUP
kill -CONT "$mock_pid"
forget
eventually "it is asked until it answers" called 'BeSlave n2 n1'
finish
