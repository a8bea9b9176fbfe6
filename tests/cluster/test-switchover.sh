#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confd-hactl over several hosts: cluster and its words, switchover and its way back. ssh is one that knows our hosts.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"
script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip_all "this machine has no pseudo-terminals"

export TERM=xterm SYSTEMD_PAGER=cat TZ=UTC DEADLINE
mkdir "$work/bin"
# ssh [OPTIONS] -- HOST COMMAND...: on that host of ours; some others are as hosts can be.
cat >"$work/bin/ssh" <<SSH
#!/bin/bash
printf '%s\n' "\$*" >>"$work/ssh.args"
while [ "\$1" != -- ]; do shift; done
host=\$2
shift 2
case \$host in
gone) echo 'ssh: connect to host gone port 22: No route to host' >&2; exit 255 ;;
silent) exec sleep 600 ;;
esac
exec "$hosts" run "$c/\$host" "\$@" --bus-path="unix:path=$c/\$host/bus"
SSH
chmod 755 "$work/bin/ssh"

mkdir -p "$c/confd-ha.conf.d"
printf '[ConfD]\nRequestTimeoutSec=2\n' >"$c/confd-ha.conf.d/test.conf"
up 4
watch n1
terminal() { /usr/bin/python3 "$here/../bus/terminal.py" "$@"; }
hactl() { PATH="$work/bin:$PATH" timeout --foreground "$DEADLINE" "$BUILD/src/ctl/confd-hactl" "$@"; }
export -f hactl
export work
cluster() { hactl cluster "$@"; }
# json NAME STATUS EXPRESSION COMMAND...
json() {
        local name=$1 status=$2 expression=$3 rc=0
        shift 3
        "$@" >"$work/json" 2>"$work/stderr" || rc=$?
        ok "$name" test "$rc" = "$status" && /usr/bin/python3 -c 'import json, sys
j = json.load(open(sys.argv[1], encoding="utf-8"))
h = {x["host"]: x for x in j["hosts"]}
kinds = [p["kind"] for p in j["problems"]]
sys.exit(0 if eval("(" + sys.argv[2] + ")") else "\n".join([str(j)]))' "$work/json" "$expression" ||
                { tap_failed=$((tap_failed + 1)); echo "not ok $((tap_count += 1)) - $name: $expression"; tap_comment <"$work/json"; }
}

# --- cluster ---------------------------------------------------------------------------------------------------------
fails 'without a master' 1 'There is no master.' cluster n1 n2 n3
: >"$work/empty.conf"
fails 'no hosts' 2 'No hosts are named' hactl --config="$work/empty.conf" cluster
fails 'a host twice' 2 'named twice' cluster n1 n1
fails 'a host that is none' 2 'Not a valid host' cluster n1 -- -oProxyCommand=x
be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
be_slave n3 n1 >/dev/null
fails 'one master, and all follow it' 0 'All is well.' cluster n1 n2 n3
cluster n1 n2 n3 >"$work/table"
is 'a line each' "$(awk '/^$/ { exit } { print $1, $2, $3, $4, $5 }' "$work/table")" 'HOST NODE STATE FOLLOWS IN
n1 n1 master - yes
n2 n2 slave n1 yes
n3 n3 slave n1 yes'
json 'as JSON' 0 'j["ok"] is True and j["master"] == "n1" and h["n2"]["state"] == "slave" and h["n3"]["in_sync"] is True and
  h["n1"]["reachable"] and not j["problems"]' cluster n1 n2 n3 --json=short
ok 'ssh asks no questions and has its time' grep -q -- '-xT -o ConnectTimeout=10 -o BatchMode=yes -o ServerAliveInterval=10 -- n1 systemd-stdio-bridge' "$work/ssh.args"
mkdir "$work/hactl.conf.d"
printf '[Cluster]\nHosts=n1\n' >"$work/hactl.conf"
printf '[Cluster]\nHosts=n1 n2, n3\n' >"$work/hactl.conf.d/more.conf"
json 'hosts of the configuration' 0 'list(h) == ["n1", "n2", "n3"]' hactl --config="$work/hactl.conf" cluster --json=short
printf '[Cluster]\nHosts=n1 -x\n' >"$work/hactl.conf.d/zz.conf"
fails 'one that is none there' 2 "Not a valid host: '-x'" hactl --config="$work/hactl.conf" cluster
rm "$work/hactl.conf.d/zz.conf"
fails 'a file that is not there' 2 'nowhere' hactl --config="$work/nowhere" cluster
json 'this host is "."' 0 'h["."]["node_id"] == "n2"' on n2 env PATH="$work/bin:$PATH" \
        "$BUILD/src/ctl/confd-hactl" cluster n1 . n3 --json=short

begin=$SECONDS
fails 'hosts that cannot be reached' 1 'gone is not reachable: ssh: connect to host gone port 22: No route to host' \
        cluster --timeout=3 n1 silent n2 gone n3
ok 'delay nobody' test $((SECONDS - begin)) -lt 12
json 'each is told' 1 'kinds == ["not-reachable", "not-reachable"] and j["master"] == "n1" and h["n3"]["state"] == "slave" and
  "no answer in time" in h["silent"]["error"]["message"] and h["gone"]["error"]["name"]' cluster --timeout=3 n1 silent n2 gone n3 --json=short
fails 'a service that does not run' 1 'n4 is not reachable: the service does not run' bash -c "'$hosts' kill '$c/n4' service
        hactl cluster n1 n4"
"$hosts" start "$c/n4" service
fails 'a node without a role' 1 'n4 has no role' cluster n1 n2 n3 n4
be_master n4 >/dev/null
fails 'two masters' 1 'n1 and n4 are both master' cluster n1 n2 n3 n4
json 'of which none is the master' 1 'j["master"] is None and "two-masters" in kinds' cluster n1 n4 --json=short
fails 'somebody follows another master' 1 'n2 follows n1 at' cluster n4 n2

# A tree: n3 is a relay, n4 follows it.
ctl n3 be-relay >/dev/null
be_slave n4 n3 >/dev/null
fails 'a relay and who follows it' 0 'All is well.' cluster n1 n2 n3 n4
LC_ALL=C.UTF-8 cluster n4 n3 n2 n1 >"$work/tree"
is 'are drawn as a tree' "$(sed -n '2,5s/^\([^a-z]*n[0-9]\).*/\1/p' "$work/tree")" 'n1
├─n3
│ └─n4
└─n2'

# --- the view that stays ---------------------------------------------------------------------------------------------
PATH="$work/bin:$PATH" terminal "expect n4 .*slave.*All is well
        run $hosts run $c/n4 $BUILD/src/ctl/confd-hactl be-none
        expect n4 has no role
        run $hosts run $c/n4 $BUILD/src/ctl/confd-hactl be-slave n4 n3 $(address n3)
        expect All is well
        send q" "$BUILD/src/ctl/confd-hactl" cluster --watch n1 n2 n3 n4 >"$work/watched" 2>&1
is 'cluster --watch shows what changes, until q' $? 0
fails 'it is for terminals' 2 'needs a terminal' cluster --watch n1
on n2 /usr/bin/python3 "$here/../bus/terminal.py" "expect State: .*slave
        run $hosts run $c/n2 $BUILD/src/ctl/confd-hactl be-none
        expect State: .*none
        resize 10 40
        send \\x03" "$BUILD/src/ctl/confd-hactl" status --watch=0.5 >"$work/watched" 2>&1
is 'status --watch, until ^C' $? 0
ok 'on a screen of its own' grep -q $'\e\\[?1049h' "$work/watched"
ok 'which it leaves as it was' bash -c "tail -c 40 '$work/watched' | grep -q \$'\e\\\\[?25h\e\\\\[?1049l'"
be_slave n2 n1 >/dev/null

# --- switchover ------------------------------------------------------------------------------------------------------
fails 'to nobody' 2 'n9 is none of the hosts' hactl switchover n9 n1 n2 n3 n4
fails 'to the master' 0 'n1 is master already' hactl switchover n1 n1 n2 n3 n4
fails 'the plan' 0 "   1. n1 ends its role (be-none), and its role target is down before anything else
   2. n2 becomes master (take-over n2 n1)
   3. n1 follows it (be-slave n1 n2 $(address n2))
   4. n3 follows it (be-slave n3 n2 $(address n2))
   5. n4 follows it (be-slave n4 n2 $(address n2))
Relays are relays no more: all follow n2 directly." hactl switchover --dry-run n2 n1 n2 n3 n4
ok 'is only a plan' state_is n1 master
fails 'nobody is there to be asked' 2 'add --yes' hactl switchover n2 n1 n2 n3 n4
PATH="$work/bin:$PATH" fails 'no is no' 1 'Nothing was changed' terminal "expect Shall it be done
        send n\\r" "$BUILD/src/ctl/confd-hactl" switchover n2 n1 n2 n3 n4
fails 'with a host that is gone' 1 'Not switched over: gone is not reachable' hactl switchover --yes --timeout=5 n2 n1 n2 gone
be_master n4 >/dev/null
fails 'with two masters' 1 'Not switched over: n1 and n4 are both master' hactl switchover --yes n2 n1 n2 n3 n4
be_slave n4 n1 >/dev/null
ok 'nothing of it touched a role' state_is n1 master

ok 'some data' fill n1 /base/ 50 1000
mark n1
fails 'done' 0 'n2: waits for those that follow ... done' hactl switchover --yes n2 n1 n2 n3 n4
ok 'n2 is master' state_is n2 master
fails 'and all follow it' 0 'All is well.' cluster n1 n2 n3 n4
ok 'the data is the same' same_data n1 n2
eventually 'nothing was copied' saw n1 'SlaveInitialized false'
PATH="$work/bin:$PATH" fails 'back, by a person' 0 'n1: take-over n1 n2 ... ' terminal "expect Shall it be done
        send y\\r" "$BUILD/src/ctl/confd-hactl" switchover n1 --config="$work/hactl.conf"
ok 'n1 is master again' state_is n1 master
fails 'all is well' 0 'All is well.' cluster n1 n2 n3

# The new master cannot be one: somebody listens on its HA port.
be_slave n4 n1 >/dev/null
/usr/bin/python3 -c "import signal, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$(address n2)', 4570))
s.listen()
print('listens', flush=True)
signal.pause()" >"$work/listens" & taker=$!
tap_at_exit() { kill "$taker" 2>/dev/null; }
wait_for grep -q listens "$work/listens"
fails 'when it cannot become master' 1 'Not switched over: n1 is master again.' hactl switchover --yes n2 n1 n2 n3 n4
ok 'the old one is' state_is n1 master
kill "$taker"
eventually 'and the others follow it' cluster n1 n2 n3 n4

# Its ConfD does not answer at all: it may be master, so nobody else is made one.
kill -STOP "$(pid_of n2 node)"
fails 'when nobody knows whether it is master' 1 'Not switched over' hactl switchover --yes --timeout=4 n2 n1 n2 n3
ok 'nothing is begun with a node that hangs' state_is n1 master
kill -CONT "$(pid_of n2 node)"
eventually 'it wakes up' cluster n1 n2 n3
PATH="$work/bin:$PATH" fails 'when a node hangs in the middle' 5 'It is not known whether n2 is master, so no other node is made' \
        terminal "expect Shall it be done
        run kill -STOP $(pid_of n2 node)
        send y\\r" "$BUILD/src/ctl/confd-hactl" switchover --timeout=8 n2 n1 n2 n3
ok 'the old one is not master' state_is n1 none
kill -CONT "$(pid_of n2 node)"
finish
