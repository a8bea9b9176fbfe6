# SPDX-License-Identifier: Apache-2.0
# Boot cases: role targets while polkit is away, metrics over the packaged socket, and a configuration that is bad.
# To be sourced by test-boot.

targets_are() { property n1 Targets | grep -q -- "$1"; } # PATTERN
checks_targets() { n1 confd-hactl check --targets; }
now_reached() { targets_are '^s "reached"$' && active n1 confd-ha-master.target; }

# A failover in which polkit is away, which lets the service start its targets: they follow when it is back, however late.
targets_follow_when_polkit_is_back() {
    local said
    trap 'n1 systemctl unmask --runtime polkit.service; bus n1 root BeNone' EXIT
    n1 systemctl mask --runtime polkit.service
    n1 systemctl stop polkit.service
    bus n1 root BeMaster s n1
    wait_for 40 targets_are '"failed: confd-ha-master.target: StartUnit: '
    inactive n1 confd-ha-master.target
    said=$(fails checks_targets 2>&1)
    contains "$said" confd-ha-master.target
    contains "$(n1 confd-hactl status --no-pager)" "confd-ha-master.target: StartUnit: "
    contains "$(unit n1 confd-ha.service StatusText)" confd-ha-master.target
    # Longer than a few quick tries last.
    tried() { [ "$(entries n1 TARGET_FAILED)" -ge 1 ] && [ "$(($(date +%s) - begun))" -ge 25 ]; }
    local begun
    begun=$(date +%s)
    wait_for 40 tried
    inactive n1 confd-ha-master.target
    n1 systemctl unmask --runtime polkit.service
    wait_for 60 now_reached
    checks_targets
    contains "$(n1 confd-hactl status --no-pager)" reached
}

targets_outlive_isolate_and_a_stop_by_hand() {
    local since verb
    trap 'n1 systemctl disable confd-ha-node.service; bus n1 root BeNone' EXIT
    n1 systemctl enable confd-ha-node.service # what is not part of a system that is isolated ends
    bus n1 root BeMaster s n1
    wait_for 20 now_reached
    since=$(unit n1 confd-ha-master.target ActiveEnterTimestampMonotonic)
    n1 systemctl isolate multi-user.target
    now_reached
    equal "$since" "$(unit n1 confd-ha-master.target ActiveEnterTimestampMonotonic)"
    # Stopped by hand it is started again: by and by, at once by an order for the role that there is, and by a reload.
    n1 systemctl stop confd-ha-master.target
    fails checks_targets
    wait_for 20 now_reached
    for verb in 'bus n1 root BeMaster s n1' 'n1 systemctl reload confd-ha.service'; do
        n1 systemctl stop confd-ha-master.target
        $verb
        wait_for 5 now_reached
    done
}

# ---- metrics and probes ----

probe() { # ADDRESS PATH: the HTTP status
    n1 curl -s -o /dev/null -w '%{http_code}' --max-time 20 "http://$1:9465/$2"
}

metrics_by_the_first_scrape() {
    local address metrics
    active n1 confd-ha-exporter.socket
    equal enabled "$(n1 systemctl is-enabled confd-ha-exporter.socket)"
    inactive n1 confd-ha-exporter.service
    bus n1 root BeMaster s n1
    for address in 127.0.0.1 '[::1]'; do
        metrics=$(n1 curl -sf --max-time 20 "http://$address:9465/metrics")
        contains "$metrics" 'confd_ha_state{confd_ha_state="master"} 1'
        contains "$metrics" 'confd_ha_connected 1'
        equal 200 "$(probe "$address" primary)"
        equal 503 "$(probe "$address" replica)"
        active n1 confd-ha-exporter.service
        n1 systemctl stop confd-ha-exporter.service # and the next one starts it
    done
    bus n1 root BeNone
    equal 503 "$(probe 127.0.0.1 primary)"
    equal 200 "$(probe 127.0.0.1 live)"
    # Its own user, whom nothing else belongs to, and nothing to say.
    equal confd-ha-exporter "$(n1 sh -c 'ps -o user:32= -p $(systemctl show -P MainPID confd-ha-exporter.service)')"
    equal yes "$(unit n1 confd-ha-exporter.service DynamicUser)"
    n1 journalctl --sync
    equal "" "$(n1 journalctl -b -o cat --no-pager _SYSTEMD_UNIT=confd-ha-exporter.service)"
    equal 0 "$(unit n1 confd-ha-exporter.service NRestarts)"
    n1 systemctl stop confd-ha-exporter.service
}

# ---- a bad configuration ----

# The service cannot start, and whoever asks hears at once where to look.
every_verb_says_where_to_look() {
    local verb said started
    trap 'n1 rm -f /etc/confd-ha/confd-ha.conf.d/z-bad.conf; n1 systemctl start confd-ha.service; wait_for 5 connected n1' EXIT
    printf '[ConfD]\n\nRequestTimeoutSec=soon\n' | write n1 /etc/confd-ha/confd-ha.conf.d/z-bad.conf 644
    fails n1 systemctl restart confd-ha.service
    for verb in status check 'check --ready' show inhibitors reload 'be-master n1' 'be-slave n1 n2 10.77.0.2' be-relay be-none \
        'slave-dead n2' 'take-over n1 any' 'inhibit --who=a --why=b true' '--json=short status'; do
        started=$(date +%s%N)
        # shellcheck disable=SC2086
        said=$(fails n1 confd-hactl $verb 2>&1) || { echo "$verb: $said"; return 1; }
        contains "$verb: $said" z-bad.conf:3
        contains "$verb: $said" "journalctl -u confd-ha.service"
        # The bus would keep a caller for 25 s.
        [ $((($(date +%s%N) - started) / 1000000000)) -lt 10 ] || { echo "$verb took its time"; return 1; }
    done
}
