# SPDX-License-Identifier: Apache-2.0
# corosync and Pacemaker on the machines of cluster.sh. To be sourced by bash, after it.

framework_stands() {
    local n
    for n in $NODES; do
        [ -e "$MACHINES/$n/init.pid" ] || continue
        MACHINE_TIMEOUT=10 machine "$n" crm_mon -1 -n -A -f 2>/dev/null | sed -n '/Node List/,$p' && break
    done
    # What the agent and the nodes said, of all machines, in the order of time.
    for n in $NODES; do
        [ ! -e "$MACHINES/$n/init.pid" ] || MACHINE_TIMEOUT=20 machine "$n" journalctl -b --no-pager -o short-precise \
            -t 'confd-ha(confd)' -t confd-ha-node -t confd-had -n "${LINES_EACH:-25}"
    done | sort | cut -c 8-240
}

write_corosync() { # NODE
    local root=$MACHINES/$1/root m
    {
        cat <<END
totem {
    version: 2
    cluster_name: confd
    transport: knet
    token: $TOKEN_MS
}
nodelist {
END
        for m in $NODES; do
            printf '    node {\n        ring0_addr: %s\n        name: %s\n        nodeid: %s\n    }\n' \
                "$(ring "$m")" "$m" "$(index "$m")"
        done
        printf '}\nquorum {\n    provider: corosync_votequorum\n}\nlogging {\n    to_syslog: yes\n    to_logfile: no\n}\n'
    } >"$root/etc/corosync/corosync.conf"
    # The first election of a coordinator waits 20 s unless the configuration says otherwise before the first start.
    cat >"$MACHINES/$1/cib.xml" <<'END'
<cib validate-with="pacemaker-3.8" epoch="1" num_updates="0" admin_epoch="0"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair id="o1" name="stonith-enabled" value="false"/><nvpair id="o2" name="no-quorum-policy" value="stop"/>
<nvpair id="o3" name="dc-deadtime" value="2s"/></cluster_property_set></crm_config>
<nodes/><resources/><constraints/></configuration><status/></cib>
END
    install -m 600 "$MACHINES/$1/cib.xml" "$root/var/lib/pacemaker/cib/cib.xml"
    chroot "$root" chown hacluster:haclient /var/lib/pacemaker/cib/cib.xml
    systemctl --root="$root" --quiet enable corosync.service pacemaker.service confd-ha-pacemaker-watch.service
}

make_pacemaker_node() {
    make_node "$1" && write_corosync "$1" || return
    [ -z "${FENCE:-}" ] || install -m 755 "$here/fence_switch" "$MACHINES/$1/root/usr/sbin/fence_switch"
    machine_boot "$1"
}

# FENCE=yes: the switch that the machines' fence agent asks. It carries out a request once, until it is ended.
power_switch() {
    local request n name
    while :; do
        for request in "$MACHINES"/n*/root/var/lib/power-switch/off-*; do
            [ -e "$request" ] || continue
            name=${request##*/off-}
            n=${name%%-*}
            machine_power_off "$n"
            echo "$(now_s) $n is off" >>"$MACHINES/switched"
            mv "$request" "${request%/off-*}/done-$name"
        done
        sleep 0.05
    done
}

crm() { # on the first machine that is up
    local n
    for n in $NODES; do
        [ -e "$MACHINES/$n/init.pid" ] || continue
        machine "$n" crm "$@"
        return
    done
}

online() { # NODE...: all of them, in the view of each
    local n
    for n; do
        [ "$(MACHINE_TIMEOUT=10 machine "$n" crm_node -p 2>/dev/null | wc -w)" = $# ] || return 1
        [ "$(MACHINE_TIMEOUT=10 machine "$n" crm_mon -1 2>/dev/null | sed -n 's/.*Online: \[ *\(.*\) *\]/\1/p' | wc -w)" -ge $# ] ||
            return 1
    done
}

# The configuration of docs/pacemaker.md, with a dummy beside it where times are compared.
configure_pacemaker() {
    local n fencing=${FENCE:+stonith-enabled=true stonith-action=off}
    n=$(first $NODES)
    cat >"$MACHINES/$n/root/root/confd.crm" <<END
property no-quorum-policy=stop ${fencing:-stonith-enabled=false}
primitive confd ocf:confd-ha:confd-ha \
    params confd_unit=confd-ha-node.service \
    op start timeout=30s interval=0 op stop timeout=30s interval=0 \
    op promote timeout=30s interval=0 op demote timeout=30s interval=0 op notify timeout=20s interval=0 \
    op monitor interval=5s role=Promoted timeout=20s op monitor interval=10s role=Unpromoted timeout=20s
clone confd-clone confd meta promotable=true promoted-max=1 notify=true interleave=true
primitive vip IPaddr2 params ip=$(vip) cidr_netmask=$(prefix_length) nic=eth0 op monitor interval=10s timeout=20s
colocation vip-with-master inf: vip confd-clone:Promoted
order master-then-vip Mandatory: confd-clone:promote vip:start
END
    [ -z "${FENCE:-}" ] || cat >>"$MACHINES/$n/root/root/confd.crm" <<END
primitive switch stonith:fence_switch params pcmk_host_list="$NODES" pcmk_host_check=static-list
END
    machine "$n" crm configure load update /root/confd.crm
}

configure_dummy() {
    local n
    n=$(first $NODES)
    cat >"$MACHINES/$n/root/root/dummy.crm" <<END
property no-quorum-policy=stop stonith-enabled=false
primitive dummy ocf:pacemaker:Stateful \
    op monitor interval=5s role=Promoted timeout=20s op monitor interval=10s role=Unpromoted timeout=20s
clone dummy-clone dummy meta promotable=true promoted-max=1 notify=true interleave=true
primitive dummy-vip IPaddr2 params ip=$(vip) cidr_netmask=$(prefix_length) nic=eth0 op monitor interval=10s timeout=20s
colocation dummy-vip-with-master inf: dummy-vip dummy-clone:Promoted
order dummy-then-vip Mandatory: dummy-clone:promote dummy-vip:start
END
    machine "$n" crm configure load update /root/dummy.crm
}

remove_dummy() {
    local n
    n=$(first $NODES)
    machine "$n" crm --wait resource stop dummy-vip
    machine "$n" crm --wait resource stop dummy-clone
    machine "$n" crm configure delete dummy-then-vip dummy-vip-with-master dummy-vip dummy-clone dummy
}
