# SPDX-License-Identifier: Apache-2.0
# Boot cases: two machines, roles and what hangs on them through failover and switchover, the journal of it, and
# confd-hactl from elsewhere. To be sourced by test-boot.

# Units that record when they come and go, one on each role, as an administrator would hang them there.
hang_on_roles() { # MACHINE
    local m=$1 role
    for role in master slave; do
        write "$m" /etc/systemd/system/on-$role.service 644 <<END
[Unit]
PartOf=confd-ha-$role.target
After=confd-ha-$role.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo +$role >>/run/roles'
ExecStop=/bin/sh -c 'echo -$role >>/run/roles'
[Install]
WantedBy=confd-ha-$role.target
END
    done
    machine "$m" systemctl --quiet enable on-master.service on-slave.service
}

roles() { machine "$1" sh -c 'tr "\n" " " </run/roles 2>/dev/null || true'; } # MACHINE: what came and went

only_master() { active "$1" on-master.service && active "$1" confd-ha-master.target && inactive "$1" confd-ha-slave.target; }
only_slave() { active "$1" on-slave.service && active "$1" confd-ha-slave.target && inactive "$1" confd-ha-master.target; }
no_role() {
    inactive "$1" confd-ha-slave.target && inactive "$1" confd-ha-master.target &&
        inactive "$1" on-master.service && inactive "$1" on-slave.service
}

wrong_token_then_right() {
    token n2 $OTHER_TOKEN
    n2 systemctl reload confd-ha.service
    wait_for 5 connected n2
    bus n1 root BeMaster s n1
    contains "$(fails flagless n2 root BeSlave string:n2 string:n1 string:10.77.0.1 boolean:true 2>&1)" \
        org.confd.HA.Error.BadToken
    no_role n2
    token n2 $TOKEN
    n2 systemctl reload confd-ha.service
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    state_is n2 slave
}

targets_follow_the_first_orders() {
    wait_for 5 only_master n1
    wait_for 5 only_slave n2
    node_call n1 root Apply 'a{ss}as' 1 /city Lund 0
    equal 's "Lund"' "$(node_call n2 root Get s /city)"
    contains "$(fails node_call n2 root Apply 'a{ss}as' 1 /city Oslo 0 2>&1)" ""
}

restart_leaves_the_targets() {
    local on_master came displaced
    displaced=$(entries n1 DISPLACED)
    on_master=$(unit n1 on-master.service InvocationID)
    came=$(roles n1)
    n1 systemctl restart confd-ha.service
    wait_for 5 state_is n1 master
    n1 systemctl kill -s SIGKILL confd-ha.service
    back() { active n1 confd-ha.service && state_is n1 master; }
    wait_for 5 back
    n1 systemctl stop confd-ha.service
    only_master n1
    n1 systemctl start confd-ha.service
    wait_for 5 state_is n1 master
    only_master n1
    # A reconnect and a displacement of some seconds do not move it either.
    as n1 confd-ha python3 - <<'END'
import socket, struct, time
s = socket.socket(socket.AF_UNIX)
s.connect("/run/confd-ha-node/ipc.sock")
s.sendall(bytes([17]) + struct.pack(">HI", 82, 0x08020500) + bytes(2))
s.recv(9, socket.MSG_WAITALL)
token = b"0123456789abcdef0123456789abcdef"
s.sendall(struct.pack(">I", len(token)) + token)
time.sleep(1)
END
    was_displaced() { [ "$(entries n1 DISPLACED)" -gt "$displaced" ]; }
    wait_for 5 was_displaced
    wait_for 10 state_is n1 master
    only_master n1
    equal "$on_master" "$(unit n1 on-master.service InvocationID)"
    equal "$came" "$(roles n1)"
}

# The truth after a crash in the middle: the service is killed while an order is on its way, and the node has it.
crash_in_the_middle() {
    local pid
    pid=$(unit n2 confd-ha.service MainPID)
    bus n2 root BeNone >/dev/null &
    machine n2 kill -9 "$pid"
    wait $! || true
    settled() { active n2 confd-ha.service && connected n2; }
    wait_for 5 settled
    if state_is n2 none; then
        wait_for 5 no_role n2
    else
        state_is n2 slave
        wait_for 5 only_slave n2
    fi
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_slave n2
}

failover() {
    local killed
    # SlaveArrived and the rest of n1's view first.
    property_is n1 Slaves 'a(ss) 1 "n2" "10.77.0.2"'
    n2 rm -f /run/roles
    killed=$(date +%s%N)
    # The cable first, so that nobody closes a connection: three ticks of a second tell.
    ip -n "$machine_tag-n1" link set eth0 down
    machine_power_off n1
    wait_for 10 state_is n2 none
    contains "$(property n2 LastError)" org.confd.HA.Error.NoTick
    echo "master missed after $((($(date +%s%N) - killed) / 1000000)) ms"
    wait_for 5 no_role n2
    bus n2 root BeMaster s n2
    wait_for 5 only_master n2
    equal "-slave +master " "$(roles n2)"
    equal 's "Lund"' "$(node_call n2 root Get s /city)"
    node_call n2 root Apply 'a{ss}as' 1 /city Umea 0
}

come_back_as_slave() {
    ip -n "$machine_tag-n1" link set eth0 up
    machine_boot n1
    wait_for 5 active n1 confd-ha.service # enabled
    n1 systemctl start confd-ha-node.service
    wait_for 5 connected n1
    state_is n1 none
    no_role n1
    bus n1 root BeSlave sssb n1 n2 10.77.0.2 true
    wait_for 5 only_slave n1
    equal 's "Umea"' "$(node_call n1 root Get s /city)"
}

switchover() {
    n1 rm -f /run/roles
    n2 rm -f /run/roles
    bus n2 root BeNone
    wait_for 5 no_role n2
    wait_for 5 state_is n1 none
    bus n1 root BeMaster s n1
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_master n1
    wait_for 5 only_slave n2
    # From one role to the other without one in between: what hung on the old one is down first.
    bus n2 root BeMaster s n2
    wait_for 5 only_master n2
    equal "-master +slave -slave +master " "$(roles n2)"
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_slave n2
    equal "-master +slave -slave +master -master +slave " "$(roles n2)"
}

relay_counts_as_slave() {
    bus n2 root BeRelay
    state_is n2 slave-relay
    only_slave n2
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    only_slave n2
}

# ConfD gone: the role is unknown, the targets stay for the grace time, then go; they come back with it.
unknown_for_too_long() {
    printf '[Roles]\nGraceSec=3\n' | write n2 /etc/confd-ha/confd-ha.conf.d/z-grace.conf 644
    n2 systemctl reload confd-ha.service
    n2 systemctl stop confd-ha-node.service
    wait_for 2 state_is n2 unknown
    only_slave n2
    wait_for 6 no_role n2
    n2 systemctl start confd-ha-node.service
    wait_for 5 state_is n2 none
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_slave n2
    n2 rm /etc/confd-ha/confd-ha.conf.d/z-grace.conf
    n2 systemctl reload confd-ha.service
}

# A unit that cannot start is reported, and HA does not mind.
failing_target_is_reported() {
    printf '[Unit]\nRequires=nowhere.service\nAfter=nowhere.service\n' | drop_in n2 confd-ha-master.target
    bus n2 root BeMaster s n2
    state_is n2 master
    reported() { [ "$(entries n2 TARGET_FAILED)" -ge 1 ]; }
    wait_for 5 reported
    inactive n2 confd-ha-master.target
    drop_in_off n2 confd-ha-master.target
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_slave n2
}

targets_can_be_turned_off() {
    printf '[Roles]\nTargets=no\n' | write n2 /etc/confd-ha/confd-ha.conf.d/z-targets.conf 644
    n2 systemctl restart confd-ha.service
    wait_for 5 state_is n2 slave
    bus n2 root BeMaster s n2
    state_is n2 master
    only_slave n2
    n2 rm /etc/confd-ha/confd-ha.conf.d/z-targets.conf
    n2 systemctl restart confd-ha.service
    wait_for 5 only_master n2
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    wait_for 5 only_slave n2
}

field() { # JSON-LINE FIELD
    python3 -c 'import json, sys; print(json.loads(sys.argv[1]).get(sys.argv[2], ""))' "$1" "$2"
}

last_entry() { # MACHINE NAME-IN-message-ids.h
    journal "$1" -o json -n 1 "MESSAGE_ID=$(message_id "$2")"
}

journal_has_the_order() {
    local entry attempt
    # The unit is left out where systemd does not answer in time, which a busy machine may do once, but not always.
    for attempt in 1 2 3 4 5; do
        n1 systemd-run --quiet --wait --pipe --unit=probe-order --uid=alice \
            busctl call org.confd.HA /org/confd/HA org.confd.HA BeMaster s n1
        entry=$(last_entry n1 ORDER)
        [ -z "$(field "$entry" CONFD_HA_SENDER_UNIT)" ] || break
        echo "attempt $attempt: no unit"
    done
    equal BeMaster "$(field "$entry" CONFD_HA_METHOD)"
    equal n1 "$(field "$entry" CONFD_HA_NODE_ID)"
    equal "done" "$(field "$entry" CONFD_HA_RESULT)"
    equal "$(n1 id -u alice)" "$(field "$entry" CONFD_HA_SENDER_UID)"
    equal probe-order.service "$(field "$entry" CONFD_HA_SENDER_UNIT)"
    test "$(field "$entry" CONFD_HA_SENDER_PID)" -gt 1
    test "$(field "$entry" CONFD_HA_DURATION_USEC)" -gt 0
    fails flagless n1 bob BeNone
    entry=$(last_entry n1 ORDER_FAILED)
    equal BeNone "$(field "$entry" CONFD_HA_METHOD)"
    equal org.freedesktop.DBus.Error.InteractiveAuthorizationRequired "$(field "$entry" CONFD_HA_RESULT)"
}

journal_has_the_failover() {
    local entry
    entry=$(last_entry n2 MASTER_LOST)
    contains "$(field "$entry" CONFD_HA_RESULT)" org.confd.HA.Error.
    equal n2 "$(field "$entry" CONFD_HA_NODE_ID)"
    entry=$(journal n2 -o json "MESSAGE_ID=$(message_id STATE)" "CONFD_HA_NEW_STATE=master" | head -n 1)
    equal order "$(field "$entry" CONFD_HA_REASON)"
    entry=$(last_entry n1 SLAVE_ARRIVED)
    equal n2 "$(field "$entry" CONFD_HA_PEER_ID)"
    equal 10.77.0.2 "$(field "$entry" CONFD_HA_PEER_ADDRESS)"
    entry=$(last_entry n2 SLAVE_INITIALIZED)
    case $(field "$entry" CONFD_HA_BY_COPY) in yes | no) ;; *) false ;; esac
}

catalog_explains() {
    local text id
    journal n2 -x -o short >"$MACHINES/explained"
    text=$(cat "$MACHINES/explained")
    contains "$text" "HA master lost"
    contains "$text" "HA state changed from slave to"
    contains "$text" "man:confd-hactl(1)"
    fails grep -E '░░.*@CONFD_HA_' "$MACHINES/explained" # every field that a text names was there
    for id in $(sed -n 's/^#define CONFD_HA_MSG_[A-Z_]* "\([0-9a-f]*\)".*/\1/p' "$SOURCE_ROOT/src/basic/message-ids.h"); do
        contains "$(n1 journalctl --dump-catalog "$id")" Subject
    done
}

history_reads_back() {
    local out
    out=$(n2 confd-hactl --no-legend history)
    contains "$out" BeSlave
    contains "$out" master
    n2 confd-hactl --json=short history | python3 -c 'import json, sys; assert json.load(sys.stdin)'
    # bob may read nothing of it, and is told so; in the group systemd-journal he sees it all.
    contains "$(as n2 bob confd-hactl history 2>&1 || true)" systemd-journal
    n2 gpasswd -a bob systemd-journal >/dev/null
    contains "$(as n2 bob confd-hactl history)" BeSlave
    n2 gpasswd -d bob systemd-journal >/dev/null
}

status_is_in_one_line() {
    local text
    text=$(unit n1 confd-ha.service StatusText)
    equal 1 "$(printf '%s\n' "$text" | wc -l)"
    contains "$text" master
    contains "$text" n2
    contains "$(unit n2 confd-ha.service StatusText)" n1
}

hactl_into_a_container() {
    local hactl=$MACHINES/n1/root/usr/bin/confd-hactl name=$machine_tag-n2
    # This machine has no machined that would register the container: the one file that sd-bus asks for is enough.
    mkdir -p /run/systemd/machines
    printf 'NAME=%s\nCLASS=container\nLEADER=%s\n' "$name" "$(cat "$MACHINES/n2/init.pid")" >"/run/systemd/machines/$name"
    trap 'rm -f /run/systemd/machines/'"$name" EXIT
    contains "$("$hactl" -M "$name" status)" slave
    "$hactl" -M "$name" reload
}

start_sshd() { # MACHINE: with a key of this test's for root
    [ -e "$MACHINES/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$MACHINES/key"
    write "$1" /root/.ssh/authorized_keys 600 <"$MACHINES/key.pub"
    machine "$1" sh -c 'ssh-keygen -q -A; mkdir -p /run/sshd; /usr/sbin/sshd -o PermitRootLogin=yes'
}

hactl_over_ssh() {
    start_sshd n2
    write n1 /root/.ssh/id_ed25519 600 <"$MACHINES/key"
    printf 'StrictHostKeyChecking no\n' | write n1 /root/.ssh/config 600
    contains "$(n1 confd-hactl -H root@10.77.0.2 status)" slave
    contains "$(n1 confd-hactl -H root@10.77.0.2 --no-legend history)" BeSlave
    n1 confd-hactl -H root@10.77.0.2 reload
}
