# SPDX-License-Identifier: Apache-2.0
# Boot cases: activation, the verbs of systemctl, configuration and token, watchdog, crash loops, the sandbox with each
# kind of address. To be sourced by test-boot.

TOKEN=0123456789abcdef0123456789abcdef
OTHER_TOKEN=fedcba9876543210fedcba9876543210

# n1's node on the packaged Unix socket, and the service told about it.
start_node() { # MACHINE HA-ADDRESS
    node_settings "$1" <<END
[Node]
HaAddress=$2:4570
TickTimeoutSec=1
END
    machine "$1" systemctl start confd-ha-node.service
    equal active "$(machine "$1" systemctl is-active confd-ha-node.service)"
    equal "660 confd-ha-node confd-ha" "$(machine "$1" stat -c '%a %U %G' /run/confd-ha-node/ipc.sock)"
    service_settings "$1" <<END
[ConfD]
Address=unix:/run/confd-ha-node/ipc.sock
ReconnectMaxSec=1
END
}

token_others_may_read_is_refused() {
    token n1 $TOKEN
    n1 chmod 644 /etc/confd-ha/token
    fails n1 systemctl reload confd-ha.service
    contains "$(journal n1 -o cat -n 20)" /etc/confd-ha/token
    active n1 confd-ha.service
    property_is n1 Connected "b false"
    # A restart starts, and says why it does not connect.
    n1 systemctl restart confd-ha.service
    contains "$(property n1 LastError)" /etc/confd-ha/token
    contains "$(unit n1 confd-ha.service StatusText)" token
}

token_by_reload() {
    n1 chmod 640 /etc/confd-ha/token
    equal "640 root confd-ha" "$(n1 stat -c '%a %U %G' /etc/confd-ha/token)" # the directory's set-group-ID bit
    n1 systemctl reload confd-ha.service
    wait_for 5 connected n1
    state_is n1 none
    contains "$(unit n1 confd-ha.service StatusText)" unix:/run/confd-ha-node/ipc.sock
}

changed_token_by_reload() {
    local before
    before=$(entries n1 CONNECTION_UP)
    n1 systemctl reload confd-ha.service
    equal "$before" "$(entries n1 CONNECTION_UP)" # nothing has changed: nothing was disturbed
    token n1 $OTHER_TOKEN
    n1 systemctl reload confd-ha.service
    more_entries() { [ "$(entries n1 CONNECTION_UP)" -gt "$before" ]; }
    wait_for 5 more_entries
    wait_for 5 connected n1
}

token_as_credential() {
    n1 mv /etc/confd-ha/token /etc/confd-ha/token.away
    echo $TOKEN | write n1 /etc/credstore/ha-token 600
    n1 systemctl restart confd-ha.service
    wait_for 5 connected n1
    # It is used, and not only found: cases-cluster.sh joins with it.
}

activation_by_call() {
    n1 systemctl stop confd-ha.service
    contains "$(bus n1 bob Status)" 's'
    active n1 confd-ha.service
}

activation_needs_enabling() {
    n1 systemctl disable --now confd-ha.service
    contains "$(MACHINE_TIMEOUT=10 fails flagless n1 bob Status 2>&1)" Error
    inactive n1 confd-ha.service
    n1 systemctl enable --now confd-ha.service
    wait_for 5 connected n1
}

lifecycle_verbs() {
    local pid verb
    for verb in restart try-restart reload-or-restart try-reload-or-restart; do
        pid=$(unit n1 confd-ha.service MainPID)
        n1 systemctl $verb confd-ha.service
        active n1 confd-ha.service
        case $verb in
        *reload*) equal "$pid" "$(unit n1 confd-ha.service MainPID)" ;;
        *) fails test "$pid" = "$(unit n1 confd-ha.service MainPID)" ;;
        esac
    done
    n1 systemctl stop confd-ha.service
    equal success "$(unit n1 confd-ha.service Result)"
    n1 systemctl try-restart confd-ha.service
    inactive n1 confd-ha.service
    n1 systemctl mask --runtime confd-ha.service
    fails n1 systemctl start confd-ha.service
    n1 systemctl unmask --runtime confd-ha.service
    n1 systemctl start confd-ha.service
    n1 systemctl reenable confd-ha.service
    n1 systemctl status confd-ha.service >/dev/null
    n1 systemctl stop confd-ha.service
    n1 systemctl clean --what=runtime confd-ha.service
    n1 systemctl start confd-ha.service
    another_pid() { active n1 confd-ha.service && [ "$(unit n1 confd-ha.service MainPID)" != "$pid" ]; }
    # Who ends it by hand did not ask for a host without it, and a crash is mended, too.
    pid=$(unit n1 confd-ha.service MainPID)
    n1 systemctl kill confd-ha.service
    wait_for 5 another_pid
    pid=$(unit n1 confd-ha.service MainPID)
    n1 systemctl kill -s SIGKILL confd-ha.service
    wait_for 5 another_pid
}

logcontrol() {
    n1 systemctl service-log-level confd-ha.service debug
    equal debug "$(n1 systemctl service-log-level confd-ha.service)"
    equal journal "$(n1 systemctl service-log-target confd-ha.service)"
    fails as n1 bob busctl set-property org.confd.HA /org/freedesktop/LogControl1 org.freedesktop.LogControl1 \
        LogLevel s err
    n1 systemctl service-log-level confd-ha.service info
}

role_survives_stop_and_restart() {
    local started verb
    bus n1 root BeMaster s n1
    for verb in restart 'kill -s SIGKILL' stop; do
        n1 systemctl $verb confd-ha.service
        [ "$verb" != stop ] || n1 systemctl start confd-ha.service
        # shellcheck disable=SC2317
        wait_for 3 active n1 confd-ha.service
        started=$(date +%s%N)
        wait_for 1 state_is n1 master || { echo "$verb: not master a second after the start"; return 1; }
        echo "$verb: known again after $((($(date +%s%N) - started) / 1000000)) ms"
        equal 's "n1"' "$(property n1 NodeId)"
    done
    bus n1 root BeNone
}

sighup_reloads() {
    local pid before
    pid=$(unit n1 confd-ha.service MainPID)
    before=$(entries n1 RELOADED)
    n1 kill -HUP "$pid"
    reloaded() { [ "$(entries n1 RELOADED)" -gt "$before" ]; }
    wait_for 5 reloaded
    equal "$pid" "$(unit n1 confd-ha.service MainPID)"
}

# Losing the bus ends the service with an error; systemd starts it again, and what it had is there again.
bus_dies() {
    local pid
    bus n1 root BeMaster s n1
    wait_for 5 active n1 confd-ha-master.target
    pid=$(unit n1 confd-ha.service MainPID)
    n1 systemctl kill -s SIGKILL dbus.service
    back_as_master() { [ "$(unit n1 confd-ha.service MainPID)" != "$pid" ] && state_is n1 master; }
    wait_for 15 back_as_master
    active n1 confd-ha-master.target
    equal 's "n1"' "$(property n1 NodeId)"
    bus n1 root BeNone
    n1 systemctl restart polkit.service confd-ha-node.service
    wait_for 5 connected n1
}

# The drop-ins of confd-had(8), as an administrator would copy them.
documented_drop_ins() {
    local dir=/etc/systemd/system/confd-ha.service.d
    trap 'n1 rm -rf '$dir'; n1 systemctl daemon-reload; n1 systemctl restart confd-ha.service' EXIT
    equal "127.0.0.0/8 ::1/128" "$(unit n1 confd-ha.service IPAddressAllow | tr ' ' '\n' | sort | paste -s -d ' ')"
    contains "$(unit n1 confd-ha.service IPAddressDeny)" "0.0.0.0/0"
    contains "$(unit n1 confd-ha.service IPAddressDeny)" "::/0"
    n1 mkdir -p $dir
    n1 sh -c 'cd /usr/share/doc/confd-ha/examples && cp remote-confd.conf confd-unit.conf confd-socket.conf token-elsewhere.conf \
        core-files.conf '$dir
    n1 groupadd --force confd
    n1 systemctl daemon-reload
    equal "" "$(n1 systemd-analyze verify confd-ha.service 2>&1)"
    contains "$(unit n1 confd-ha.service IPAddressAllow)" 192.0.2.10/32
    contains "$(unit n1 confd-ha.service After)" my-confd.service
    contains "$(unit n1 confd-ha.service After)" dbus.socket
    n1 systemctl restart confd-ha.service
    wait_for 5 connected n1
    # Core files are made where the unit says so, and then its memory is no secret of root's.
    equal infinity "$(unit n1 confd-ha.service LimitCORE)"
    equal confd-ha "$(n1 stat -c %U "/proc/$(unit n1 confd-ha.service MainPID)/status")"
    contains "$(n1 sh -c 'grep Groups /proc/$(systemctl show -P MainPID confd-ha.service)/status')" \
        "$(n1 getent group confd | cut -d: -f3)"
}

node_lifecycle() {
    local pid
    trap 'n1 rm -f /etc/confd-ha/node.conf.d/z-bad.conf; n1 systemctl start confd-ha-node.service' EXIT
    printf '[Node]\nTickTimeoutSec=often\n' | write n1 /etc/confd-ha/node.conf.d/z-bad.conf 644
    fails n1 systemctl restart confd-ha-node.service
    equal 78 "$(unit n1 confd-ha-node.service ExecMainStatus)"
    contains "$(n1 journalctl -b -u confd-ha-node.service -o cat --no-pager -n 10)" z-bad.conf:2
    n1 rm /etc/confd-ha/node.conf.d/z-bad.conf
    printf '[Service]\nWatchdogSec=2\n' | drop_in n1 confd-ha-node.service
    n1 systemctl start confd-ha-node.service
    pid=$(unit n1 confd-ha-node.service MainPID)
    n1 kill -STOP "$pid"
    other_node() { active n1 confd-ha-node.service && [ "$(unit n1 confd-ha-node.service MainPID)" != "$pid" ]; }
    wait_for 10 other_node
    drop_in_off n1 confd-ha-node.service
    n1 systemctl restart confd-ha-node.service
    wait_for 5 connected n1
}

node_log() { n1 journalctl -b -u confd-ha-node.service -o cat --no-pager -n 20; }

node_reloads_and_comes_back() {
    local pid
    trap 'n1 rm -f /etc/confd-ha/node.conf.d/z-ticks.conf; n1 systemctl restart confd-ha-node.service' EXIT
    pid=$(unit n1 confd-ha-node.service MainPID)
    printf '[Node]\nTickTimeoutSec=7\nHaAddress=10.77.0.1:4599\n' | write n1 /etc/confd-ha/node.conf.d/z-ticks.conf 644
    n1 systemctl reload confd-ha-node.service
    read_again() { contains "$(node_log)" "has been read again"; }
    wait_for 5 read_again
    contains "$(node_log)" "HaAddress= has changed, which takes a restart"
    equal "$pid" "$(unit n1 confd-ha-node.service MainPID)"
    n1 systemctl kill confd-ha-node.service
    node_is_another() { active n1 confd-ha-node.service && [ "$(unit n1 confd-ha-node.service MainPID)" != "$pid" ]; }
    wait_for 5 node_is_another
}

what_a_person_has_to_mend_is_not_tried_again() {
    # A directory of the administrator's own, which no purge removes.
    trap 'n1 rm -f /etc/confd-ha/node.conf.d/z-data.conf; n1 systemctl restart confd-ha-node.service; n1 rm -rf /srv/confd-ha-node' EXIT
    n1 install -d -o confd-ha-node -m 700 /srv/confd-ha-node
    printf '[Node]\nDataDirectory=/srv/confd-ha-node\n' | write n1 /etc/confd-ha/node.conf.d/z-data.conf 644
    fails n1 systemctl restart confd-ha-node.service
    equal 78 "$(unit n1 confd-ha-node.service ExecMainStatus)"
    equal failed "$(unit n1 confd-ha-node.service ActiveState)"
    contains "$(node_log)" "ReadWritePaths=/srv/confd-ha-node"
    n1 sh -c 'mkdir -p /etc/systemd/system/confd-ha-node.service.d &&
        cp /usr/share/doc/confd-ha/examples/node-directory.conf /etc/systemd/system/confd-ha-node.service.d/boot-test.conf'
    n1 systemctl daemon-reload
    n1 systemctl start confd-ha-node.service
    contains "$(n1 ls /srv/confd-ha-node)" current
    drop_in_off n1 confd-ha-node.service
}

# A node that starts in phase 1 gets its role before anybody can write to it, and the role moves it on.
phase_is() { [ "$(n1 busctl get-property org.confd.HANode /org/confd/HANode org.confd.HANode Phase)" = "u $1" ]; }

the_role_moves_the_node_on() {
    trap 'n1 rm -f /etc/confd-ha/node.conf.d/z-phase.conf; n1 systemctl disable confd-ha-phase2.service
        n1 systemctl restart confd-ha-node.service' EXIT
    equal disabled "$(n1 systemctl is-enabled confd-ha-phase2.service)"
    n1 systemctl enable confd-ha-phase2.service
    printf '[Node]\nStartPhase=1\n' | write n1 /etc/confd-ha/node.conf.d/z-phase.conf 644
    n1 systemctl restart confd-ha-node.service
    wait_for 5 connected n1
    phase_is 1
    contains "$(fails node_call n1 root Apply 'a{ss}as' 1 /phase one 0 2>&1)" "phase 1"
    bus n1 root BeMaster s n1
    wait_for 10 phase_is 2
    node_call n1 root Apply 'a{ss}as' 1 /phase two 0
    # A crash: in phase 1 again, whatever the targets were, until there is a role anew.
    n1 systemctl kill -s SIGKILL confd-ha-node.service
    wait_for 10 state_is n1 none
    wait_for 10 inactive n1 confd-ha-master.target
    phase_is 1
    bus n1 root BeMaster s n1
    wait_for 10 phase_is 2
    bus n1 root BeNone
    wait_for 10 inactive n1 confd-ha-master.target
}

bad_configuration_does_not_loop() {
    trap 'n1 rm -f /etc/confd-ha/confd-ha.conf.d/z-bad.conf; n1 systemctl start confd-ha.service' EXIT
    printf '[ConfD]\n\nRequestTimeoutSec=soon\n' | write n1 /etc/confd-ha/confd-ha.conf.d/z-bad.conf 644
    fails n1 systemctl reload confd-ha.service
    contains "$(journal n1 -o cat -n 10)" "z-bad.conf:3"
    active n1 confd-ha.service
    fails n1 systemctl restart confd-ha.service
    equal 78 "$(unit n1 confd-ha.service ExecMainStatus)"
    equal failed "$(unit n1 confd-ha.service ActiveState)"
    contains "$(journal n1 -o cat -n 10)" "z-bad.conf:3"
    # Longer than RestartSec=: nothing starts it again.
    fails wait_for 2 active n1 confd-ha.service
    equal failed "$(unit n1 confd-ha.service ActiveState)"
    n1 rm /etc/confd-ha/confd-ha.conf.d/z-bad.conf
    n1 systemctl start confd-ha.service
    wait_for 5 connected n1
}

crash_loop_leaves_activation_alone() {
    local call
    printf '[Service]\nExecStart=\nExecStart=/bin/false\n' | drop_in n1 confd-ha.service
    n1 systemctl restart confd-ha.service || true
    loops() { [ "$(unit n1 confd-ha.service NRestarts)" -ge 6 ]; } # more than the default start limit of 5 in 10 s
    wait_for 15 loops
    # Somebody waits for the service meanwhile, and others are activated at once.
    bus n1 bob Status >"$MACHINES/pending" 2>&1 &
    call=$!
    n1 timeout 5 busctl call org.freedesktop.hostname1 /org/freedesktop/hostname1 org.freedesktop.DBus.Peer Ping
    # No reset by hand is needed once the cause is gone, and who waited is served.
    drop_in_off n1 confd-ha.service
    wait_for 10 active n1 confd-ha.service
    wait $call || { cat "$MACHINES/pending"; return 1; }
    wait_for 5 connected n1
}

watchdog_finds_a_stopped_process() {
    local pid started
    printf '[Service]\nWatchdogSec=2\n' | drop_in n1 confd-ha.service
    n1 systemctl restart confd-ha.service
    wait_for 5 connected n1
    pid=$(unit n1 confd-ha.service MainPID)
    sleep_past_watchdog() { [ $(($(date +%s) - started)) -ge 4 ]; }
    started=$(date +%s)
    wait_for 6 sleep_past_watchdog
    equal "$pid" "$(unit n1 confd-ha.service MainPID)" # fed while it runs
    n1 kill -STOP "$pid"
    other_pid() { active n1 confd-ha.service && [ "$(unit n1 confd-ha.service MainPID)" != "$pid" ]; }
    wait_for 10 other_pid
    contains "$(n1 journalctl -b -u confd-ha.service -o cat --no-pager -n 40)" "watchdog"
    wait_for 5 connected n1
    drop_in_off n1 confd-ha.service
    n1 systemctl restart confd-ha.service
}

# Service and node at ADDRESS, both in their sandboxes: connected, and an order goes through.
confd_at() { # ADDRESS
    printf '[Node]\nIpcAddress=%s\n' "$1" | write n1 /etc/confd-ha/node.conf.d/z-address.conf 644
    printf '[ConfD]\nAddress=%s\n' "$1" | write n1 /etc/confd-ha/confd-ha.conf.d/z-address.conf 644
    n1 systemctl restart confd-ha-node.service
    n1 systemctl reload confd-ha.service
    property_is n1 ConfdAddress "s \"$1\""
    wait_for 5 connected n1
    wait_for 5 property_is n1 EventsConnected "b true"
    bus n1 root BeMaster s n1
    bus n1 root BeNone
    n1 rm /etc/confd-ha/node.conf.d/z-address.conf /etc/confd-ha/confd-ha.conf.d/z-address.conf
    n1 systemctl restart confd-ha-node.service
    n1 systemctl reload confd-ha.service
    wait_for 5 connected n1
}

access_secret() {
    trap 'n1 rm -f /etc/confd-ha/node.conf.d/z-access.conf /etc/confd-ha/confd-ha.conf.d/z-access.conf \
        /etc/confd-ha/ipc-secret /etc/credstore/ipc-access
        n1 systemctl restart confd-ha-node.service confd-ha.service
        wait_for 5 connected n1' EXIT
    head -c 64 /dev/urandom | write n1 /etc/confd-ha/ipc-secret 640
    n1 chgrp confd-ha /etc/confd-ha/ipc-secret
    printf '[Node]\nAccessFile=/etc/confd-ha/ipc-secret\n' | write n1 /etc/confd-ha/node.conf.d/z-access.conf 644
    n1 systemctl restart confd-ha-node.service
    # Without a secret, and with a wrong one, as a credential.
    mentioned() { property n1 LastError | grep -q "$1"; }
    wait_for 5 mentioned 'access check'
    head -c 64 /dev/urandom | write n1 /etc/credstore/ipc-access 600
    n1 systemctl restart confd-ha.service
    wait_for 5 mentioned org.confd.HA.Error.AccessDenied
    n1 cp /etc/confd-ha/ipc-secret /etc/credstore/ipc-access
    n1 systemctl restart confd-ha.service
    wait_for 5 connected n1
    # As a file.
    n1 rm /etc/credstore/ipc-access
    printf '[ConfD]\nAccessFile=/etc/confd-ha/ipc-secret\n' |
        write n1 /etc/confd-ha/confd-ha.conf.d/z-access.conf 644
    n1 systemctl restart confd-ha.service
    wait_for 5 connected n1
}

# The sandbox as the kernel has it, for the processes themselves.
confined() { # UNIT
    local pid status
    pid=$(unit n1 "$1" MainPID)
    status=$(n1 cat "/proc/$pid/status")
    equal 2 "$(echo "$status" | sed -n 's/^Seccomp:\t//p')"
    equal 1 "$(echo "$status" | sed -n 's/^NoNewPrivs:\t//p')"
    equal 0000000000000000 "$(echo "$status" | sed -n 's/^CapEff:\t//p')"
    equal 0000000000000000 "$(echo "$status" | sed -n 's/^CapBnd:\t//p')"
    # It starts also where user namespaces are off, and nobody but root sees into its memory.
    equal no "$(unit n1 "$1" PrivateUsers)"
    equal 0 "$(unit n1 "$1" LimitCORE)"
    equal root "$(n1 stat -c %U "/proc/$pid/status")"
    # Its own view: nothing to write but its own directories, no homes, none of the system's /tmp.
    n1 touch /tmp/outside
    fails n1 nsenter -t "$pid" -m ls /tmp/outside
    fails n1 nsenter -t "$pid" -m touch /etc/probe /usr/probe
    equal "" "$(n1 nsenter -t "$pid" -m ls /home)"
    equal "" "$(n1 nsenter -t "$pid" -m sh -c 'ls /dev | grep -E "^(vd|sd|loop)" || true')"
}
