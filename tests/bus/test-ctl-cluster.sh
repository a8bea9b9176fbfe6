#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What confd-hactl says of a cluster, and what keeps a switchover from being begun or has it go back: with scripted services,
# each on a bus of its own, that ssh leads to.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

mkdir "$work/bin"
cat >"$work/bin/ssh" <<'SSH'
#!/bin/bash
while [ "$1" != -- ]; do shift; done
exec systemd-stdio-bridge --bus-path="unix:path=$work/$2"
SSH
chmod 755 "$work/bin/ssh"
export work PATH=$work/bin:$PATH DEADLINE

E=org.confd.HA.Error
# at HOST COMMAND...: with that host's bus
at() {
        local host=$1
        shift
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/$host "$@"
}
for host in n1 n2 n3; do
        start_bus $host
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/$host start_mock
done
# is_slave HOST MASTER
is_slave() {
        at "$1" play_master
        at "$1" set_property NodeId s "$1"
        at "$1" set_property Slaves 'a(ss)' 0
        at "$1" set_property Master '(ss)' "$2" "10.0.0.${2#n}"
        at "$1" set_property State s slave
}
well() {
        at n1 play_master
        at n1 set_property Master '(ss)' '' ''
        is_slave n2 n1
        is_slave n3 n1
        at n1 set_property Inhibitors 'a(ssut)' 0
        at n1 set_property Targets s off
}
# shellcheck disable=SC2120 # its options come by way of `fails`
cluster() { hactl cluster n1 n2 n3 "$@"; }
# wrong NAME STATUS TEXT: cluster says so, and only so
wrong() {
        fails "$1" "$2" "$3" cluster
        ok "and nothing else: $1" test "$(hactl cluster n1 n2 n3 | sed '1,/^$/d' | wc -l)" = 1
        well
}

# --- the words -------------------------------------------------------------------------------------------------------
well
fails 'all is well' 0 'All is well.' cluster
at n3 set_property State s none
at n3 set_property LastError '(sst)' $E.BadToken 'another' 7
wrong 'no role' 1 'n3 has no role; its last error: BadToken.'
at n3 set_property LastError '(sst)' '' '' 0
at n3 set_property Master '(ss)' n9 10.0.0.9
wrong 'a stranger' 1 'n3 follows n9 at 10.0.0.9, which is none of these hosts.'
at n3 set_property Master '(ss)' n2 10.0.0.2
at n2 set_property Slaves 'a(ss)' 1 n3 10.0.0.3
fails 'a relay is on the way to the master' 0 'All is well.' cluster
well
at n1 set_property Slaves 'a(ss)' 1 n2 10.0.0.2
wrong 'a master that does not know it' 1 'n3 says that it follows n1, but n1 does not know it.'
at n3 set_property InSync b false
wrong 'not in sync' 1 'n3 is not in sync: its data is not in place.'
at n3 set_property Synchronizing b true
wrong 'synchronizing' 1 'n3 is synchronizing'
at n3 set_property Synchronizing b false
at n3 set_property Connected b false
at n3 set_property State s unknown
wrong 'no ConfD' 1 'n3 has no connection to ConfD at 127.0.0.1:4565.'
at n3 mock Fail sss Status $E.Timeout 'not within 10 s'
wrong 'ConfD does not answer' 1 'The ConfD of n3 does not answer: not within 10 s.'
at n3 succeed Status
at n3 mock Hang s Status
fails 'not even with an error' 1 'The ConfD of n3 does not answer' cluster --timeout=1
at n3 succeed Status
at n3 set_property NodeId s n2
fails 'the same id twice' 1 'n2 and n3 are the same node, or have the same id: n2.' cluster
well
at n3 set_property ConfdVersion s 9.0
wrong 'different versions' 0 'Different versions of ConfD: n1 has 8.2.5, n3 has 9.0.'
at n2 set_property Targets s 'failed: confd-ha-slave.target: no such unit'
wrong 'a target that failed' 0 'The role target of n2 failed: confd-ha-slave.target: no such unit'
at n2 set_property Inhibitors 'a(ssut)' 1 $'ap\et' 'an upgrade' 0 1
wrong 'somebody inhibits' 0 'ap\\x1bt inhibits orders on n2: an upgrade.'
at n2 set_property Inhibitors 'a(ssut)' 0
at n1 set_property NodeId s $'evil\e[2J'
ok 'what a node calls itself moves no cursor' test -z "$(cluster | grep $'\e')"
well

# --- what keeps a switchover from being begun ------------------------------------------------------------------------
over() { hactl switchover --yes n2 n1 n2 n3 "$@"; }
calls() { for host in n1 n2 n3; do at $host mock Calls; done | grep -o '"[^"]*"' | grep -v Status | tr -d '"' | sed 's/ interactive.*//'; }
refused() { # NAME TEXT
        calls >/dev/null
        fails "$1" 1 "$2" over
        is "and no order was given: $1" "$(calls)" ''
        well
}
at n3 set_property InSync b false
refused 'somebody is not in sync' 'Not switched over: n3 is not in sync'
at n2 mock Unit ssssis pacemaker.service active running success 0 ''
refused 'Pacemaker is in charge' 'Not switched over: pacemaker.service of n2 is in charge of the roles, and would undo it.*crm_resource --move'
at n2 mock Unit ssssis pacemaker.service inactive dead success 0 ''
at n3 mock Unit ssssis confd-ha-keepalived.service active running success 0 ''
refused 'keepalived is' 'confd-ha-keepalived.service of n3 is in charge'
at n3 mock Unit ssssis confd-ha-keepalived.service inactive dead success 0 ''
at n1 set_property Inhibitors 'a(ssut)' 1 apt 'an upgrade' 0 1
refused 'somebody inhibits orders' 'Not switched over: apt inhibits orders on n1: an upgrade.'
at n1 set_property Slaves 'a(ss)' 2 n2 '' n3 10.0.0.3
refused 'nobody knows the address' 'nobody knows the address'

# --- the order of things ---------------------------------------------------------------------------------------------
# What a service does when ordered is here done by hand, as soon as the order has been seen.
at n1 set_property Targets s reached
calls >/dev/null
over --timeout=15 >"$work/over" 2>&1 & over=$!
pids+=("$over")
ordered() { at "$1" mock Calls | tee -a "$work/seen" | grep -q "$2"; } # HOST ORDER
eventually 'first the master ends its role' ordered n1 BeNone
at n1 set_property State s none
at n1 set_property Targets s stopping
going() { grep -q 'its role target goes down' "$work/over"; }
eventually 'then its target goes down' going
ok 'before anything else' test -z "$(calls)"
at n1 set_property Targets s off
eventually 'then the other takes over' ordered n2 'TakeOver n2 n1'
at n2 set_property State s master
eventually 'then the others follow' ordered n3 'BeSlave n3 n2 10.0.0.2 no'
eventually 'the old one, too' grep -q 'n1: be-slave n1 n2 10.0.0.2' "$work/over"
is_slave n1 n2
is_slave n3 n2
wait "$over"
is 'and it is done' $? 0
well

goes_back() { # NAME TEXT
        calls >/dev/null
        fails "$1" 1 "$2" over --timeout=2
        is "and the old master is master again, with its slaves: $1" "$(calls | grep -v 'BeNone\|TakeOver' | sort)" 'BeMaster n1
BeSlave n2 n1 10.0.0.1 no
BeSlave n3 n1 10.0.0.1 no'
        well
}
at n1 set_property Targets s stopping
goes_back 'a target that does not go down' 'its role target goes down ... stopping*n1 is master again'
at n1 set_property Targets s 'failed: confd-ha-master.target: refused'
goes_back 'a target that fails' 'goes down ... failed: confd-ha-master.target: refused*n1 is master again'
at n2 mock Fail sss TakeOver $E.NotInSync 'its sync ended by an order'
goes_back 'a node that was not in sync to the end' 'take-over n2 n1 ... its sync ended by an order*n1 is master again'
at n2 succeed TakeOver
at n2 mock Fail sss TakeOver $E.Timeout 'not within 10 s'
goes_back 'an outcome that is not known, until be-none makes it certain' 'n2: be-none ... done*n1 is master again'
at n2 mock Fail sss BeNone $E.Timeout 'not within 10 s'
at n2 mock Fail sss Status $E.Timeout 'not within 10 s'
calls >/dev/null
fails 'while nobody knows' 1 'The ConfD of n2 does not answer' over
at n2 succeed Status
at n2 set_property State s unknown
at n2 set_property State s slave
calls >/dev/null
fails 'an outcome that nobody can find out' 5 'It is not known whether n2 is master, so no other node is made master.' over --timeout=2
is 'makes nobody master' "$(calls | grep BeMaster)" ''
at n2 succeed BeNone
at n2 succeed TakeOver
well
at n1 mock Fail sss BeNone org.freedesktop.DBus.Error.AccessDenied 'polkit says no'
calls >/dev/null
fails 'a master that does not let go' 1 'nothing was changed' over
is 'was asked, and nobody else' "$(calls)" 'BeNone'
at n1 succeed BeNone
finish
