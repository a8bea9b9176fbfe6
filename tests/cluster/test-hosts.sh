#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/hosts: what "up" makes, what "kill", "start" and "down" do to it, and what is refused.
# shellcheck disable=SC2317,SC2009 # cases name their commands; ps shows whole command lines
set -u
# shellcheck source=tests/cluster/tap.sh
. "$(dirname "$0")/tap.sh"

state() { # HOST
        "$hosts" run "$1" busctl get-property org.confd.HA /org/confd/HA org.confd.HA State
}
says() { # HOST STATE
        [ "$(state "$1")" = "s \"$2\"" ]
}
ours() { # the processes of hosts below a directory
        ps -eo stat=,args= | grep -v '^Z' | grep -F -- "$1/" | grep -E -- '--config(-file)?=' || :
}
claim_of() { # DIR
        find /tmp -maxdepth 1 -name 'confd-ha-hosts-*' -lname "$1" 2>/dev/null
}

# --- up ---------------------------------------------------------------------------------------------------------------

d="$work/two hosts"
mkdir -p "$d/node.conf.d" "$d/confd-ha.conf.d"
printf '[Node]\nTickTimeoutSec=7\n' >"$d/node.conf.d/tick.conf"
printf '[ConfD]\nRequestTimeoutSec=9\n' >"$d/confd-ha.conf.d/patience.conf"
ok "up 2, in a directory with a space in its name" "$hosts" up 2 "$d"
x=$(cut -d. -f3 "$d/n1/address" 2>/dev/null)
is "n1 has the first address" "$(cat "$d/n1/address")" "127.77.$x.1"
is "n2 has the second address" "$(cat "$d/n2/address")" "127.77.$x.2"
is "no third host" "$(ls -d "$d"/n*[0-9])" "$d/n1
$d/n2"
is "n1 says none" "$(state "$d/n1")" 's "none"'
is "n2 says none" "$(state "$d/n2")" 's "none"'
is "the secrets are nobody else's" "$(stat -c %a "$d"/n?/{token,ipc-access} | sort -u)" 600
ok "the token is the cluster's" cmp "$d/n1/token" "$d/n2/token"
is "the IPC access secret is the host's" "$(cmp -s "$d/n1/ipc-access" "$d/n2/ipc-access" || echo differs)" differs
ok "drop-ins for the node reach every host" grep -q TickTimeoutSec=7 "$d/n1/node.conf.d/tick.conf" \
        "$d/n2/node.conf.d/tick.conf"
ok "drop-ins for the service reach every host" grep -q RequestTimeoutSec=9 "$d/n2/confd-ha.conf.d/patience.conf"
is "each host has a bus of its own" "$("$hosts" run "$d/n1" busctl get-property org.confd.HA /org/confd/HA \
        org.confd.HA ConfdAddress)" "s \"127.77.$x.1:4565\""
is "the node's data is offered" "$("$hosts" run "$d/n1" busctl get-property org.confd.HANode /org/confd/HANode \
        org.confd.HANode Entries)" "t 0"
ok "run finds confd-hactl" "$hosts" run "$d/n1" confd-hactl status
fails "run passes arguments and the exit status on" 7 '\[a b\] \[$\]' \
        "$hosts" run "$d/n1" sh -c 'printf "[%s] " "$@"; exit 7' sh 'a b' "\$"
fails "a directory that holds hosts is refused" 1 "holds hosts already" "$hosts" up 1 "$d"

# --- kill and start ---------------------------------------------------------------------------------------------------

ok "kill n1's node" "$hosts" kill "$d/n1" node
is "its process is gone" "$(ours "$d/n1" | grep node.conf)" ""
eventually "n1's service says unknown" says "$d/n1" unknown
is "n2 does not care" "$(state "$d/n2")" 's "none"'
fails "kill again: it is not running" 1 "is not running" "$hosts" kill "$d/n1" node
ok "start n1's node" "$hosts" start "$d/n1" node
eventually "n1's service says none again" says "$d/n1" none
fails "start again: it is running" 1 "is running already" "$hosts" start "$d/n1" node

ok "kill n2's service" "$hosts" kill "$d/n2" service
fails "nobody answers for it" 1 "" "$hosts" run "$d/n2" busctl --auto-start=no status org.confd.HA
ok "start n2's service" "$hosts" start "$d/n2" service
eventually "n2's service says none" says "$d/n2" none

ok "kill n2's bus" "$hosts" kill "$d/n2" bus
service_gone() { ! ours "$d/n2" | grep -q confd-ha.conf; }
eventually "the service ends without its bus" service_gone
fails "no start without a bus" 1 "bus of * is not running" "$hosts" start "$d/n2" service
ok "start n2's bus" "$hosts" start "$d/n2" bus
ok "start n2's service on the new bus" "$hosts" start "$d/n2" service
eventually "and it says none" says "$d/n2" none

# --- down -------------------------------------------------------------------------------------------------------------

# A number that another process has now: the file of a service that ended says this shell's sleep, with a start time
# that is not its own.
ok "kill n1's service" "$hosts" kill "$d/n1" service
sleep 1000 &
stranger=$!
echo "$stranger 1" >"$d/n1/service.pid"
ok "down" "$hosts" down "$d"
ok "a stranger with the number of one of ours lives" kill -0 "$stranger"
{ kill "$stranger" && wait "$stranger"; } 2>/dev/null
is "no process is left" "$(ours "$d")" ""
is "what was there before is left, and nothing else" "$(cd "$d" && find . -type f | sort)" \
        "./confd-ha.conf.d/patience.conf
./node.conf.d/tick.conf"
is "the network is free again" "$(claim_of "$d")" ""
fails "down twice" 1 "was not made by" "$hosts" down "$d"

# --- what is refused --------------------------------------------------------------------------------------------------

fails "up 0" 2 "how many" "$hosts" up 0 "$work/zero"
fails "up 255" 2 "how many" "$hosts" up 255 "$work/many"
fails "up x" 2 "how many" "$hosts" up x "$work/x"
fails "no verb" 2 "what is to be done" "$hosts"
fails "an unknown verb" 2 "frob is no command" "$hosts" frob
fails "an unknown kind" 2 "none of node, service, bus" "$hosts" kill "$work" disk
fails "a host that is none" 1 "not a host" "$hosts" run "$work" true
fails "no build directory" 1 "no build directory" env BUILD=/nonexistent "$hosts" up 1 "$work/nobuild"
fits=$(printf "%$((99 - ${#work} - 1 - 7))s" '' | tr ' ' l)
fails "a directory one byte too long for a socket" 1 "too long" "$hosts" up 1 "$work/l$fits"
is "and it is not left behind" "$(find "$work" -maxdepth 1 -name "ll*")" ""
ok "a directory that just fits" "$hosts" up 1 "$work/$fits"
ok "down with it" "$hosts" down "$work/$fits"
is "a directory that up made goes with it" "$(ls -d "$work/$fits" 2>/dev/null)" ""

d=$work/bad
mkdir -p "$d/node.conf.d"
printf '[Node]\nTickTimeoutSec=soon\n' >"$d/node.conf.d/bad.conf"
fails "a node that cannot start: which, and the log's end" 1 "node of $d/n1 ended*TickTimeoutSec*" "$hosts" up 1 "$d"
is "nothing runs then" "$(ours "$d")" ""
ok "and down removes it" "$hosts" down "$d"

# --- side by side -----------------------------------------------------------------------------------------------------

for i in 1 2 3 4; do
        "$hosts" up 1 "$work/side$i" >"$work/side$i.out" 2>&1 &
        pids[i]=$!
done
for i in 1 2 3 4; do
        wait "${pids[i]}"
        is "up at the same time, $i" $? 0 || tap_comment <"$work/side$i.out"
done
is "each has a network of its own" "$(cat "$work"/side?/n1/address | sort -u | wc -l)" 4
for i in 1 2 3 4; do ok "down $i" "$hosts" down "$work/side$i"; done

out=$(TMPDIR=$work "$hosts" up 1 | tail -n 1)
ok "up without a directory names the one it made" test -S "$out/n1/bus"
ok "down of that" "$hosts" down "$out"

# --- without root -----------------------------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ]; then
        # The checkout may be in a place that others cannot reach.
        chmod 0755 "$work"
        build=${BUILD:-$top/build}
        install -D -t "$work/tree/tools" "$hosts"
        for p in service/confd-had node/confd-ha-node ctl/confd-hactl; do
                install -D "$build/src/$p" "$work/tree/build/src/$p"
        done
        install -d -o 65534 -g 65534 "$work/nobody"
        as_nobody() { env -u BUILD setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tree/tools/hosts" "$@"; }
        d=$work/nobody/hosts
        ok "up as nobody" as_nobody up 2 "$d"
        is "all of it is nobody's" "$(find "$d" ! -uid 65534)" ""
        is "nobody asks the service" "$(as_nobody run "$d/n1" busctl get-property org.confd.HA /org/confd/HA \
                org.confd.HA State)" 's "none"'
        ok "nobody orders, without polkit, as the user the service runs as" as_nobody run "$d/n1" busctl call \
                org.confd.HA /org/confd/HA org.confd.HA BeMaster s n1
        ok "nobody kills and starts" as_nobody kill "$d/n1" node
        ok "nobody starts" as_nobody start "$d/n1" node
        ok "down as nobody" as_nobody down "$d"
        is "no process is left of nobody's" "$(ours "$d")" ""
fi

finish
