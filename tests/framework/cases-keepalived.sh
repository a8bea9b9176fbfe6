# SPDX-License-Identifier: Apache-2.0
# Faults under keepalived; fault() and its breakers are those of cases-pacemaker.sh. To be sourced by test-framework.

stop_keepalived() { machine "$1" systemctl stop keepalived.service; }
start_keepalived() { machine "$1" systemctl start keepalived.service; }
# The script user has its right from polkit alone.
stop_where_polkit_is_gone() { kill_polkit "$2" && stop_keepalived "$1"; }
kill_worker() { machine "$1" systemctl kill --signal=KILL confd-ha-keepalived.service; }

# Nobody has data that is known to count: an administrator makes one master, and keepalived goes on from there.
first_master() {
    wait_for 20 framework_knows
    equal "" "$(vip_holders $NODES)"
    machine n1 confd-hactl be-master n1
    wait_settled 30 $NODES
    equal n1 "$MASTER"
}
framework_knows() {
    local n
    for n in $NODES; do machine "$n" test -s /run/confd-ha-keepalived/role || return 1; done
}

# A node that boots with old data while the other one has gone on must not become master, whatever its priority.
stale_boots() {
    local old peer
    wait_settled 60 $NODES
    old=$MASTER
    peer=$(peer_of "$old")
    start_writers stale
    wait_for 20 acknowledged_since stale-vip 0
    machine_power_off "$peer"
    wait_for 30 acknowledged_since stale-vip "$(now_s)"
    stop_writers
    machine_power_off "$old"
    machine_power_on "$peer"
    wait_for 20 machine "$peer" grep -q FAULT /run/confd-ha-keepalived/role
    sleep 3 # for it to do something wrong
    equal "" "$(vip_holders "$peer")"
    equal none "$(role_of "$peer")"
    machine_power_on "$old"
    wait_settled 60 $NODES
    equal "$old" "$MASTER"
    check_data stale $NODES
}

# The script user may give roles, and nothing else.
unprivileged() {
    equal confd-ha-keepalived "$(machine n1 sh -c 'ps -o user= -p $(systemctl show -P MainPID confd-ha-keepalived.service)' | cut -c 1-19)"
    machine n1 runuser -u confd-ha-keepalived -- confd-hactl --no-ask-password status >/dev/null
    fails machine n1 runuser -u confd-ha-keepalived -- confd-hactl --no-ask-password reload
}
