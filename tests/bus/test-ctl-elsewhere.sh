#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What confd-hactl has around it: ssh for other machines, pkttyagent and the pager on a terminal, the bus's own policy.
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

bin=$work/bin
mkdir "$bin"
chmod 755 "$work" "$bin"
install -m 755 "$CONFD_HACTL" "$bin/confd-hactl"
export PATH=$bin:$PATH TERM=xterm

program() { # NAME; its text on standard input
        { echo '#!/bin/bash'; cat; } >"$bin/$1"
        chmod 755 "$bin/$1"
}

# The agent is for people who are not root, so those cases run as somebody else.
somebody=(timeout --foreground "$DEADLINE")
[ "$(id -u)" != 0 ] || somebody+=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# Until it is the pager's turn there is none: which one would be found depends on the machine, and it may wait for a key.
export SYSTEMD_PAGER=cat
export DEADLINE

# terminal COMMAND...: with a terminal for standard input and output; prints what the terminal shows. With the deadline
# the terminal goes away, and so does what waits there.
terminal() (
        set -o pipefail
        timeout --kill-after=1 "$DEADLINE" script -qec "$(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r'
)

start_bus bus '<policy context="default">
  <deny send_destination="org.confd.HA" send_interface="org.confd.HA" send_member="SlaveDead"/>
</policy>'
start_mock
play_master

# --- the bus's policy ------------------------------------------------------------------------------------------------
fails 'the bus forbids a method' 4 'slave-dead n2 failed: org.freedesktop.DBus.Error.AccessDenied' hactl slave-dead n2
if [ "$(id -u)" = 0 ]; then
        mkdir -m 700 "$work/closed"
        fails 'a bus whose socket is out of reach' 4 'Permission denied' \
                "${somebody[@]}" "$bin/confd-hactl" --address="unix:path=$work/closed/bus"
        mkdir -m 755 "$work/open"
fi

# --- -H: ssh carries the bus's own protocol, and for history runs the confd-hactl over there -------------------------
program ssh <<'SSH'
printf '%s\n' "$*" >>"$work/ssh.args"
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
case $host in
dead) exit 255 ;;
bare) exec bash -c 'no-such-program-as-confd-hactl' 2>/dev/null ;;
failing) exit 1 ;;
silent) exec sleep 60 ;;
esac
case $1 in
systemd-stdio-bridge) exec "$@" --bus-path="$DBUS_SYSTEM_BUS_ADDRESS" ;;
*) exec bash -c "$*" ;;
esac
SSH
export work
says 'an order on another host' 0 'This node has no role and no peers.' hactl -H someone@host be-none
ok 'status of another host' grep -q 'Node: n1' <(hactl --host=host status)
json 'and as JSON' 0 'j["node_id"] == "n1"' hactl -H host --json=short
says 'wait on another host' 0 'n1 is master' hactl -H host wait master
says 'check on another host' 0 'ok: n1 is master' hactl -H host check
fails 'a host that is not there' 3 'system bus of dead' hactl -H dead
fails 'and what to try' 3 'ssh dead systemd-stdio-bridge' hactl -H dead be-none
fails 'a host that never answers' 3 'system bus of silent: No answer in time' hactl --timeout=1 -H silent be-none
: >"$work/ssh.args"
ok 'history of another host' hactl -H me@host:2222 history --lines=7 --json=pretty --no-legend -q
is 'runs there' "$(cat "$work/ssh.args")" '-xT -o ConnectTimeout=30 -o ServerAliveInterval=10 -p 2222 -- me@host confd-hactl history --no-pager --lines=7 --json=pretty --no-legend -q'
: >"$work/ssh.args"
hactl -H host --since=@1.5 --until=@1795347248 -r --orders --transitions -a history >/dev/null 2>&1
ok 'with all that was asked for' grep -q -- '--since=@1.500000 --until=@1795347248.000000 --reverse --orders --transitions --all$' "$work/ssh.args"
: >"$work/ssh.args"
hactl -H '[fd00::1]:22/box-1' --timeout=2.5 history >/dev/null 2>&1
is 'history of a container over there' "$(cat "$work/ssh.args")" '-xT -o ConnectTimeout=3 -o ServerAliveInterval=10 -p 22 -- fd00::1 confd-hactl history --no-pager --lines=1000 --json=off --machine=box-1'
: >"$work/ssh.args"
hactl -H fd00::1 history >/dev/null 2>&1
ok 'a bare IPv6 address has no port' grep -q -- '-- fd00::1 confd-hactl' "$work/ssh.args"
: >"$work/ssh.args"
for host in 'host/;reboot' 'host/' 'host:port' '[fd00::1' '-oX=y' '' 'user@'; do
        fails "no host: '$host'" 2 'Not a valid host' hactl -H "$host" history
done
is 'which ssh never sees' "$(cat "$work/ssh.args")" ''
fails 'history of a host that is not there' 3 'Try: ssh dead true' hactl -H dead history
fails 'history of a host without confd-hactl' 3 'not installed there' hactl -H bare history
ok 'a failure over there is one here' test "$(hactl -H failing history; echo $?)" = 1
rm "$bin/ssh"
ok 'no ssh at all' test "$(PATH=$bin "$CONFD_HACTL" -H host history 2>/dev/null; echo $?)" = 3
fails 'a container that does not run' 3 'system bus of container no-such-box' hactl -M no-such-box
ok 'nor has a history' test "$(hactl -M no-such-box history 2>/dev/null; echo $?)" != 0

# The rest is on a terminal, which a bare chroot may not have.
if ! script -qec true /dev/null </dev/null >/dev/null 2>&1; then
        tap_count=$((tap_count + 1))
        echo "ok $tap_count - an agent and a pager on a terminal # SKIP this machine has no pseudo-terminals"
        finish
fi

# --- the polkit agent ------------------------------------------------------------------------------------------------
log=$work/agent.log
: >"$log"
chmod 666 "$log"
export log
program pkttyagent <<'AGENT'
[ "$1" = --notify-fd ] && [ "$3" = --fallback ] || { echo "bad arguments: $*" >>"$log"; exit 1; }
echo "started, $(busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.confd.Mock /mock org.confd.Mock Calls)" >>"$log"
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then echo 'on a terminal' >>"$log"; fi
[ -z "$BROKEN" ] || exit 1
# Opened here, for a signal in the middle of it breaks what bash makes of the trap.
exec {never}<> <(:)
trap 'echo ended >>"$log"; exit 0' TERM
eval "exec $2>&-"
echo $$ >"$log.pid"
while :; do read -rt 1 -u "$never" || :; done
AGENT
as_somebody() { terminal "${somebody[@]}" "$bin/confd-hactl" "$@"; }
: >"$log.pid"
chmod 666 "$log.pid"
mock Calls >/dev/null
is 'an order on a terminal' "$(as_somebody be-none)" 'This node has no role and no peers.'
is 'has an agent: before the order, on the terminal, ended after it' "$(cat "$log")" 'started, as 0
on a terminal
ended'
ok 'which is gone' test ! -e "/proc/$(cat "$log.pid")"
mock Fail sss BeNone org.freedesktop.DBus.Error.AccessDenied 'polkit says no'
: >"$log"
ok 'a refused order' grep -q 'polkit says no' <(as_somebody be-none)
ok 'ends its agent too' grep -q ended "$log"
succeed BeNone
: >"$log"
terminal bash -c "$(printf '%q ' "${somebody[@]}" "$bin/confd-hactl" be-none) >/dev/null 2>&1"
ok 'an order whose output goes elsewhere asks on the terminal' grep -q 'on a terminal' "$log"
without() { # NAME COMMAND...
        local name=$1
        shift
        : >"$log"
        is "no agent $name" "$("$@" >/dev/null 2>&1; echo $?; cat "$log")" 0
}
without 'with --no-ask-password' as_somebody --no-ask-password be-none
without 'for status' as_somebody status
without 'for check' as_somebody check --ready
without 'without a terminal' "${somebody[@]}" "$bin/confd-hactl" be-none
[ "$(id -u)" != 0 ] || without 'for root' terminal "$bin/confd-hactl" be-none
: >"$log"
is 'an agent that fails is no hindrance' "$(BROKEN=1 as_somebody be-none)" 'This node has no role and no peers.'
rm "$bin/pkttyagent"
is 'nor is none at all' "$(terminal "${somebody[@]}" env PATH="$bin" "$bin/confd-hactl" be-none)" \
        'This node has no role and no peers.'

# --- the pager -------------------------------------------------------------------------------------------------------
export SYSTEMD_PAGERSECURE=0
program paging <<'PAGER'
echo "paged $*, LESS=$LESS, LESSSECURE=$LESSSECURE"
cat >/dev/null
PAGER
export SYSTEMD_PAGER='paging with words'
for verb in '' status 'explain 17' --help history; do
        # shellcheck disable=SC2086 # words
        is "paged: '$verb'" "$(terminal "$bin/confd-hactl" -q $verb 2>&1 | grep paged)" \
                'paged with words, LESS=FRSXMK, LESSSECURE='
done
is 'paged: status' "$(terminal "$bin/confd-hactl")" 'paged with words, LESS=FRSXMK, LESSSECURE='
is 'the options of less' "$(SYSTEMD_LESS=R terminal "$bin/confd-hactl")" 'paged with words, LESS=R, LESSSECURE='
is 'a secure pager' "$(SYSTEMD_PAGERSECURE=1 terminal "$bin/confd-hactl")" \
        'paged with words, LESS=FRSXMK, LESSSECURE=1'
is 'PAGER, in its turn' "$(SYSTEMD_PAGER='' PAGER=paging terminal "$bin/confd-hactl" explain 17 | head -n 1)" \
        "org.confd.HA.Error.BadState (ConfD's 17, CONFD_ERR_BADSTATE)"
is 'PAGER alone' "$(unset SYSTEMD_PAGER; PAGER=paging terminal "$bin/confd-hactl")" 'paged , LESS=FRSXMK, LESSSECURE='
unpaged() { # NAME COMMAND...
        local name=$1
        shift
        ok "not paged $name" grep -q 'Node: n1' <("$@")
}
unpaged 'with --no-pager' terminal "$bin/confd-hactl" --no-pager
unpaged 'with SYSTEMD_PAGER=cat' env SYSTEMD_PAGER=cat bash -c "$(declare -f terminal); terminal '$bin/confd-hactl'"
unpaged 'on a dumb terminal' env TERM=dumb bash -c "$(declare -f terminal); terminal '$bin/confd-hactl'"
unpaged 'into a file' "$bin/confd-hactl"
unset SYSTEMD_PAGER SYSTEMD_PAGERSECURE
for secure in 0 1; do
        is "no pager at all, secure: $secure" "$(SYSTEMD_PAGERSECURE=$secure terminal env PATH="$bin" "$bin/confd-hactl" |
                grep -o 'Node: n1'; echo "${PIPESTATUS[0]}")" $'Node: n1\n0'
done
program less <<'LESS'
echo "less with LESSSECURE=$LESSSECURE"
cat >/dev/null
LESS
ok 'where nobody can be trusted, only a secure less' test "$(SYSTEMD_PAGERSECURE=what SYSTEMD_PAGER=paging \
        terminal "$bin/confd-hactl")" = 'less with LESSSECURE=1'
program less <<'LESS'
read -r line
echo "$line"
LESS
# More than a pipe holds, so that the writer is still at it.
# shellcheck disable=SC2046 # words
set_property Slaves 'a(ss)' 3000 $(for i in $(seq 3000); do echo "slave-with-a-rather-long-name-$i" 2001:db8::1234:5678; done)
is 'a pager that is left early is no failure' "$(SYSTEMD_PAGERSECURE=1 terminal bash -c "'$bin/confd-hactl'; echo \$?" |
        tail -n 1)" 0
ok 'all of it is printed where there is none' test "$(hactl | grep -c slave-with)" = 3000
finish
