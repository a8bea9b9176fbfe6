#!/bin/bash
# shellcheck disable=SC2317 # functions that are run by name
# SPDX-License-Identifier: Apache-2.0
# confd-hactl history against a real journal: a journald of its own, in a mount namespace of its own.
if [ -z "$INSIDE" ]; then
        if [ "$(id -u)" = 0 ]; then
                exec env INSIDE=root unshare --mount --propagation private -- bash "$0"
        fi
        exec env INSIDE=user unshare --user --map-root-user --mount --propagation private -- bash "$0"
fi
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

if ! mount -t tmpfs tmpfs /run || ! mount -t tmpfs tmpfs /var/log; then
        skip_all 'no tmpfs may be mounted in a namespace here'
fi
mkdir -p /run/log/journal /run/systemd/journal
# journald ends at once where no cgroups are mounted, as in a bare chroot.
case $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) in
cgroup2fs | tmpfs) ;;
*) mount -t cgroup2 cgroup2 /sys/fs/cgroup || skip_all 'this machine has no cgroups, without which journald does not run' ;;
esac
unset JOURNAL_STREAM

chmod 755 "$work"
install -m 755 "$CONFD_HACTL" "$work/confd-hactl"

says 'no journal' 0 '' hactl history
ok 'is no secret' grep -q 'has no orders' "$work/stderr"
json 'and an empty list' 0 'j == []' hactl history --json=short

/lib/systemd/systemd-journald 2>"$work/journald.log" &
pids+=($!)
# It makes its sockets before it can fail.
eventually 'a journald of its own' compgen -G '/run/log/journal/*/system.journal' || finish

declare -A ids
while read -r name id; do ids[$name]=$id; done < <(sed -n 's/^#define CONFD_HA_MSG_\([A-Z_]*\) "\(.*\)"$/\1 \2/p' \
        "${SOURCE_ROOT:?}/src/basic/message-ids.h")
is 'the message ids are in the header' "${#ids[@]}" "$(grep -c '^#define CONFD_HA_MSG' "$SOURCE_ROOT/src/basic/message-ids.h")"

# entry ID FIELD=VALUE...: as the service would write it
entry() {
        local id=${ids[$1]} field
        shift
        { echo "MESSAGE_ID=$id"; for field in "$@"; do printf '%s\n' "$field"; done; } >"$work/entry"
        "${as[@]}" logger --journald="$work/entry"
}
as=()
BY='CONFD_HA_SENDER_UID=0 CONFD_HA_SENDER_PID=77'
# shellcheck disable=SC2086 # two fields
{
entry NO_TOKEN MESSAGE='No token' CONFD_HA_FILE=/etc/confd-ha/token CONFD_HA_RESULT=org.confd.HA.Error.NoToken
entry RELOADED MESSAGE='Read again' CONFD_HA_FILE=/etc/confd-ha/confd-ha.conf $BY
entry RELOAD_REFUSED MESSAGE=Refused CONFD_HA_FILE=/etc/confd-ha/confd-ha.conf CONFD_HA_RESULT=org.freedesktop.DBus.Error.InvalidArgs
entry CONNECTION_UP MESSAGE=Connected CONFD_HA_CONFD_ADDRESS=127.0.0.1:4565 CONFD_HA_CONFD_VERSION=8.2.5
entry ORDER MESSAGE='BeSlave done' CONFD_HA_METHOD=BeSlave CONFD_HA_NODE_ID=n2 CONFD_HA_MASTER_ID=n1 \
        CONFD_HA_MASTER_ADDRESS=10.0.0.1 CONFD_HA_RESULT=done CONFD_HA_DURATION_USEC=61500000 $BY \
        CONFD_HA_SENDER_UNIT=pacemaker.service
entry SLAVE_INITIALIZED MESSAGE=Ready CONFD_HA_NODE_ID=n2 CONFD_HA_MASTER_ID=n1 CONFD_HA_BY_COPY=yes
entry STATE MESSAGE='now slave' CONFD_HA_NODE_ID=n2 CONFD_HA_OLD_STATE=none CONFD_HA_NEW_STATE=slave CONFD_HA_REASON=order
entry MASTER_LOST MESSAGE=Lost CONFD_HA_NODE_ID=n2 CONFD_HA_MASTER_ID=n1 CONFD_HA_MASTER_ADDRESS=10.0.0.1 \
        CONFD_HA_RESULT=org.confd.HA.Error.NoTick
entry ORDER MESSAGE='SlaveDead done' CONFD_HA_METHOD=SlaveDead CONFD_HA_PEER_ID=n3 CONFD_HA_RESULT=done \
        CONFD_HA_DURATION_USEC=1200 CONFD_HA_SENDER_UID=1000
entry ORDER_FAILED MESSAGE='BeRelay failed' CONFD_HA_METHOD=BeRelay CONFD_HA_RESULT=org.confd.HA.Error.BadState \
        CONFD_HA_ERROR='No slave' CONFD_HA_DURATION_USEC=900 $BY
entry SLAVE_ARRIVED MESSAGE=Came CONFD_HA_PEER_ID=$'\xe7\xaf\x80\xe9\xbb\x9e' CONFD_HA_PEER_ADDRESS=10.0.0.4
entry SLAVE_DIED MESSAGE=Went CONFD_HA_PEER_ID=$'odd\xff\e[2J'
entry DISPLACED MESSAGE=Displaced CONFD_HA_CONFD_ADDRESS=127.0.0.1:4565 CONFD_HA_RESULT=org.confd.HA.Error.Displaced
entry TARGET_FAILED MESSAGE='No target' CONFD_HA_TARGET=confd-ha-slave.target
entry CONNECTION_LOST MESSAGE=Gone CONFD_HA_CONFD_ADDRESS=127.0.0.1:4565 CONFD_HA_RESULT=org.confd.HA.Error.NotConnected
}
printf 'MESSAGE=something else\nMESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1\n' >"$work/entry"
logger --journald="$work/entry"

all() { [ "$(hactl -q history --no-legend | wc -l)" = 15 ]; }
eventually 'every entry is shown, others are not' all
LC_ALL=C.UTF-8 hactl history >"$work/table"
is 'the table' "$(sed 's/^.* UTC  *//; s/  */ /g; s/ $//; s/\xe7\xaf\x80\xe9\xbb\x9e/IDEOGRAPHS/' "$work/table")" 'TIME EVENT NODE DETAILS RESULT TOOK BY
no-token /etc/confd-ha/token NoToken
reloaded /etc/confd-ha/confd-ha.conf uid 0 pid 77
reload-refused /etc/confd-ha/confd-ha.conf org.freedesktop.DBus.Error.InvalidArgs
connection-up 127.0.0.1:4565, ConfD 8.2.5
order n2 BeSlave n2 n1 10.0.0.1 done 1min 1s uid 0 pid 77 (pacemaker.service)
slave-initialized n2 of n1, by copy: yes
state n2 none -> slave (order)
master-lost n2 n1 10.0.0.1 NoTick
order SlaveDead n3 done 1ms uid 1000
order-failed BeRelay BadState: No slave 900us uid 0 pid 77
slave-arrived IDEOGRAPHS 10.0.0.4
slave-died odd\xff\x1b[2J
displaced 127.0.0.1:4565 Displaced
target-failed confd-ha-slave.target
connection-lost 127.0.0.1:4565 NotConnected'
ok 'each row has its time' test "$(grep -Ec '^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) 20[0-9-]+ [0-9:]+ UTC ' "$work/table")" = 15
ok 'no legend with --no-legend' test -z "$(hactl history --no-legend | grep TIME)"
json 'the JSON' 0 'len(j) == 15 and [e["event"] for e in j][:5] == ["no-token", "reloaded", "reload-refused",
  "connection-up", "order"] and all(e["time_usec"] > 1e15 and len(e["message_id"]) == 32 and e["message"] for e in j)' \
        hactl history --json=short
json 'an order in JSON' 0 '{k: v for k, v in j[4].items() if k != "time_usec"} == {"event": "order",
  "message_id": "'"${ids[ORDER]}"'", "method": "BeSlave", "node_id": "n2", "master_id": "n1",
  "master_address": "10.0.0.1", "result": "done", "duration_usec": 61500000, "sender_uid": 0, "sender_pid": 77,
  "sender_unit": "pacemaker.service", "message": "BeSlave done"}' hactl history --json=pretty
json 'a transition in JSON' 0 '(j[6]["old_state"], j[6]["new_state"], j[6]["reason"]) == ("none", "slave", "order")' \
        hactl history --json=short
json 'a failed order in JSON' 0 'j[9]["result"] == "org.confd.HA.Error.BadState" and j[9]["error"] == "No slave"' \
        hactl history --json=short
json 'the copy in JSON' 0 'j[5]["by_copy"] is True' hactl history --json=short
json 'bytes that are no text' 0 'j[11]["peer_id"] == "odd\\xff\\x1b[2J"' hactl history --json=short

json 'the last two' 0 '[e["event"] for e in j] == ["target-failed", "connection-lost"]' hactl history --lines=2 --json=short
ok 'says that there are older ones' grep -q 'Older entries were left out' "$work/stderr"
json 'all of them, just so' 0 'len(j) == 15' hactl history --lines=15 --json=short
is 'says nothing' "$(cat "$work/stderr")" ''
says 'which is no matter with -q' 0 'connection-lost' sh -c "'$CONFD_HACTL' -q history --lines=1 --no-legend | awk '{ print \$5 }'"

# --- what is asked for -----------------------------------------------------------------------------------------------
entry INHIBITED MESSAGE='Inhibited' CONFD_HA_WHO=apt CONFD_HA_WHY='an upgrade' CONFD_HA_SENDER_UID=0
entry INHIBITOR_GONE MESSAGE='Gone' CONFD_HA_WHO=apt CONFD_HA_WHY='an upgrade' CONFD_HA_SENDER_UID=0
entry SECRET MESSAGE='Unreadable' CONFD_HA_FILE=/etc/confd-ha/access CONFD_HA_RESULT=org.confd.HA.Error.Secret
entry CALL_REFUSED MESSAGE='Refused' CONFD_HA_METHOD=Status CONFD_HA_RESULT=org.freedesktop.DBus.Error.LimitsExceeded \
        CONFD_HA_ERROR='too many' CONFD_HA_SENDER_UID=1000
entry REFUSALS MESSAGE='More' CONFD_HA_COUNT=1234 CONFD_HA_DURATION_USEC=60000000 CONFD_HA_SENDER_UID=1000
newer() { [ "$(hactl -q history -n 1000 --no-legend | wc -l)" = 20 ]; }
eventually 'newer kinds of entries are shown' newer
is 'in words' "$(hactl -q history --no-legend | tail -n 5 | sed 's/^.* UTC  *//; s/  */ /g; s/ $//')" 'inhibited apt: an upgrade uid 0
inhibitor-gone apt: an upgrade uid 0
secret /etc/confd-ha/access Secret
call-refused Status org.freedesktop.DBus.Error.LimitsExceeded: too many uid 1000
refusals 1234 more calls were denied or refused, or nobody waited for them 1min uid 1000'
json 'and in JSON' 0 'j[-1]["count"] == 1234 and j[-5]["who"] == "apt" and j[-5]["why"] == "an upgrade"' \
        hactl -q history --json=short
json 'orders alone' 0 '{e["event"] for e in j} == {"order", "order-failed"} and len(j) == 3' hactl history --orders --json=short
json 'transitions alone' 0 '[e["event"] for e in j] == ["slave-initialized", "state", "master-lost", "slave-arrived",
  "slave-died"]' hactl history --transitions --json=short
json 'both' 0 'len(j) == 8' hactl history --orders --transitions --json=short
json 'the newest first' 0 '[e["event"] for e in j] == ["refusals", "call-refused", "secret", "inhibitor-gone"]' hactl history -r -n 2 --json=short
is 'in the table, too' "$(hactl history -r --no-legend -n 2 2>/dev/null | awk '{ print $5 }' | xargs)" 'refusals call-refused secret inhibitor-gone'
json 'nothing before' 0 'j == []' hactl history --until=-1h --json=short
ok 'in words' grep -q 'of that kind' "$work/stderr"
json 'all since' 0 'len(j) == 20' hactl history --since=-1h --json=short
json 'nothing since' 0 'j == []' hactl history --since=+1h --json=short
middle=$(hactl history --json=short | /usr/bin/python3 -c 'import json, sys
t = json.load(sys.stdin)[6]["time_usec"]
print("@%d.%06d" % divmod(t, 1000000))')
json 'to the microsecond' 0 'len(j) == 14 and j[0]["event"] == "state"' hactl history --since="$middle" --json=short
json 'from the other side' 0 'len(j) == 7 and j[-1]["event"] == "state"' hactl history --until="$middle" --json=short
json 'a moment' 0 'len(j) == 1' hactl history --since="$middle" --until="$middle" --json=short
fails 'no time' 2 '--since= takes a time' hactl history --since=soon
fails 'times that cross' 2 'is after' hactl history --since=now --until=-1h
fails 'no end to follow to' 2 'goes with neither' hactl history --follow --until=now
unread() { env --default-signal=PIPE timeout "$DEADLINE" "$CONFD_HACTL" history -f -n 1 | true; echo "${PIPESTATUS[0]}"; }
is 'who follows ends when nobody reads, and waits for no entry' "$(unread 2>/dev/null)" 141
"$CONFD_HACTL" history -f -n 1 >"$work/followed" 2>/dev/null & pids+=($!)
follower=$!
"$CONFD_HACTL" history -f --json=short >"$work/followed.json" 2>/dev/null & pids+=($!)
began() { grep -q refusals "$work/followed" && grep -q refusals "$work/followed.json"; }
eventually 'followed, it begins with the last' began
is 'as many as were asked for' "$(wc -l <"$work/followed")" 3
is 'or ten' "$(wc -l <"$work/followed.json")" 12
entry STATE MESSAGE='now none' CONFD_HA_NODE_ID=n2 CONFD_HA_OLD_STATE=slave CONFD_HA_NEW_STATE=none CONFD_HA_REASON=external
goes_on() { grep -q 'slave -> none (external)' "$work/followed" && grep -q '"new_state":"none"' "$work/followed.json"; }
eventually 'and goes on with what comes' goes_on
ok 'each line a document' /usr/bin/python3 -c 'import json, sys
assert len([json.loads(line) for line in open(sys.argv[1])]) == 13' "$work/followed.json"
kill "$follower" "${pids[-1]}"

# --- calls that were refused bury nothing ----------------------------------------------------------------------------
for i in $(seq 60); do
        entry ORDER_FAILED MESSAGE='BeMaster failed' CONFD_HA_METHOD=BeMaster CONFD_HA_NODE_ID="x$i" CONFD_HA_SENDER_UID=1000 \
                CONFD_HA_RESULT=org.freedesktop.DBus.Error.AccessDenied CONFD_HA_ERROR='polkit said no'
done
refused() { [ "$(hactl -q history --all --orders --json=short | grep -o 'polkit said no' | wc -l)" = 60 ]; }
eventually 'sixty calls are refused' refused
json 'the view has what counts, and a few of them' 0 'len([e for e in j if "polkit said no" not in e.get("error", "")]) == 19 and
  len([e for e in j if "polkit said no" in e.get("error", "")]) == 20' hactl history --json=short
ok 'and says how many more' grep -q '42 more calls were refused .*--all shows them' "$work/stderr"
json 'the last five are five that count' 0 'len([e for e in j if "polkit said no" not in e.get("error", "")]) == 5' \
        hactl history -n 5 --json=short
ok 'why a call was refused stands beside it' grep -q 'BeMaster x60 *org.freedesktop.DBus.Error.AccessDenied: polkit said no' <(hactl -q history --all)

if [ "$INSIDE" = root ]; then
        # Others may write what they like, but it is not believed.
        as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        entry ORDER MESSAGE=forged CONFD_HA_METHOD=BeMaster CONFD_HA_RESULT=done
        as=()
        entry STATE MESSAGE=true CONFD_HA_OLD_STATE=slave CONFD_HA_NEW_STATE=none CONFD_HA_REASON=external
        true_one() { hactl -q history --lines=1 --json=short | grep -q '"message":"true"'; }
        eventually 'what root wrote later is shown' true_one
        ok "what anybody wrote is not" test -z "$(hactl -q history --json=short | grep forged)"
        ok 'though the journal has it' grep -q forged <(journalctl --no-pager "MESSAGE_ID=${ids[ORDER]}")

        chmod 700 /run/log/journal/*/system.journal
        setfacl -b /run/log/journal/*/system.journal 2>/dev/null || :
        fails 'somebody who may not read the journal hears of it' 0 'only in part' \
                setpriv --reuid=65534 --regid=65534 --clear-groups "$work/confd-hactl" history
        chmod 700 /run/log/journal
        fails 'also if not even the directory' 0 'only in part' \
                setpriv --reuid=65534 --regid=65534 --clear-groups "$work/confd-hactl" history
        chmod 755 /run/log/journal
        ok 'and nothing of it with -q' test -z "$(setpriv --reuid=65534 --regid=65534 --clear-groups \
                "$work/confd-hactl" -q history 2>&1)"
fi

# A container: its journal is read through the root directory of its leader, whom machined knows. Here that is this
# shell, and the reader has another /run.
start_bus bus
export MOCK_LEADER=$$
start_mock
elsewhere=(unshare --mount --propagation private -- sh -c 'mount -t tmpfs tmpfs /run/log && exec "$@"' -)
says 'a reader with another root sees nothing' 0 '' "${elsewhere[@]}" "$CONFD_HACTL" -q history
json 'but with -M what the container has' 0 'len(j) >= 15' "${elsewhere[@]}" "$CONFD_HACTL" -M box history --json=short
fails 'a container that is not there' 3 'of container other' hactl -M other history
mock Quit

# A damaged journal file beside the good one.
good=$(echo /run/log/journal/*/system.journal)
head -c 70000 "$good" >"${good%/*}/system@0000000000000001-0000000000000001.journal~"
json 'a damaged file does not spoil the rest' 0 'len(j) >= 15' hactl history --json=short
finish
