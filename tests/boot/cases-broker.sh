# SPDX-License-Identifier: Apache-2.0
# Boot cases: the same machine with dbus-broker in place of dbus-daemon. To be sourced by test-boot.

boot_with_broker() {
    machine_power_off n2
    ln -sf /lib/systemd/system/dbus-broker.service "$MACHINES/n2/root/etc/systemd/system/dbus.service"
    machine_boot n2
    active n2 dbus-broker.service
    n2 systemctl start confd-ha-node.service
    wait_for 5 connected n2
}

broker_activation() {
    n2 systemctl stop confd-ha.service
    bus n2 bob Status
    active n2 confd-ha.service
}

broker_policy() {
    contains "$(fails request_name n2 root org.confd.HA 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    contains "$(fails request_name n2 bob org.confd.HANode 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    node_call n2 carol List ssu / "" 0
    fails node_call n2 bob List ssu / "" 0
}

broker_authorization() {
    contains "$(fails flagless n2 bob BeNone 2>&1)" org.freedesktop.DBus.Error.InteractiveAuthorizationRequired
    flagless n2 alice BeMaster string:n1
    contains "$(fails flagless n2 alice BeMaster string:n2 2>&1)" InteractiveAuthorizationRequired
    bus n2 root BeNone
}

broker_orders() {
    n1 systemctl start confd-ha-node.service
    wait_for 5 connected n1
    bus n1 root BeMaster s n1
    bus n2 root BeSlave sssb n2 n1 10.77.0.1 true
    state_is n2 slave
    wait_for 5 only_slave n2
    # The broker tells at once that an activation has failed.
    printf '[ConfD]\nRequestTimeoutSec=soon\n' | write n2 /etc/confd-ha/confd-ha.conf.d/z-bad.conf 644
    fails n2 systemctl restart confd-ha.service
    MACHINE_TIMEOUT=10 fails bus n2 bob Status
    n2 rm /etc/confd-ha/confd-ha.conf.d/z-bad.conf
    n2 systemctl start confd-ha.service
    wait_for 5 state_is n2 slave
}
