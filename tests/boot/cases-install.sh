# SPDX-License-Identifier: Apache-2.0
# Boot cases: the packages, what they install, an upgrade, and what is left after a purge. To be sourced by test-boot.

build_packages() {
    [ -z "$(ls "$PACKAGES"/*.deb 2>/dev/null)" ] || return 0 # given
    DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" "$SOURCE_ROOT/tools/build-packages" "$PACKAGES"
}

package_set() {
    local p
    for p in libconfd-ha0 libconfd-ha-dev confd-ha confd-ha-node confd-ha-exporter confd-ha-pacemaker confd-ha-keepalived cockpit-confd-ha \
        confd-ha-doc; do
        [ -e "$(echo "$PACKAGES/${p}"_*.deb)" ] || { echo "no package $p"; return 1; }
    done
}

lintian_clean() {
    local out
    out=$(lintian --allow-root --fail-on error --tag-display-limit 0 "$PACKAGES"/*.changes) || { echo "$out"; return 1; }
}

# Everything that a package may leave: files in the system's own directories, users, groups, units.
snapshot() { # MACHINE
    machine "$1" sh -c '
        find /etc /usr /lib/systemd /var/lib /run /opt /srv -xdev \
            -not -path "/usr/share/man*" -not -path "/var/lib/dpkg/*" -not -path "/run/systemd/*" -not -path "/run/user*" \
            -not -path "/run/udev*" -not -path "/var/lib/systemd/catalog/*" -not -path "/run/log/*" \
            -not -path "/run/dbus/*" -not -path "/var/lib/private*" -not -path "/etc/.pwd.lock" \
            -not -path "/run/credentials*" -not -path "/var/lib/systemd/timers*" -not -path "/etc/*-" \
            -not -path "/var/lib/systemd/linger" -not -path "/run/dpkg*" 2>/dev/null | sort
        getent passwd | cut -d: -f1 | sort
        getent group | cut -d: -f1 | sort'
}

install_packages() { # MACHINE
    local m=$1
    snapshot "$m" >"$MACHINES/$m/before"
    mkdir -p "$MACHINES/$m/root/root/packages"
    cp "$PACKAGES"/*.deb "$MACHINES/$m/root/root/packages"
    # Those want a cluster around them: the framework tests have machines for them.
    rm -f "$MACHINES/$m/root/root/packages"/confd-ha-pacemaker_* "$MACHINES/$m/root/root/packages"/confd-ha-keepalived_*
    # On a busy machine the triggers alone may take a minute, and one that is cut short leaves no catalog.
    MACHINE_TIMEOUT=300 machine "$m" sh -c 'dpkg -i /root/packages/*.deb' || return 1
    equal "" "$(machine "$m" dpkg --audit)"
}

install_on_both() {
    local pid
    install_packages n1 >"$MACHINES/n1/install.log" 2>&1 &
    pid=$!
    install_packages n2 || { wait $pid; cat "$MACHINES/n1/install.log"; return 1; }
    wait $pid || { cat "$MACHINES/n1/install.log"; return 1; }
    fails grep -iE 'error|fail|warn' "$MACHINES/n1/install.log"
}

service_runs_node_does_not() {
    wait_for 5 active n1 confd-ha.service
    equal 0 "$(unit n1 confd-ha.service NRestarts)"
    equal enabled "$(n1 systemctl is-enabled confd-ha.service)"
    equal inactive "$(n1 systemctl is-active confd-ha-node.service)"
    equal disabled "$(n1 systemctl is-enabled confd-ha-node.service)"
    equal "" "$(n1 systemctl --failed --no-legend)"
}

users_and_directories() {
    n1 getent passwd confd-ha confd-ha-node >/dev/null
    n1 getent group confd-ha confd-ha-node confd-ha-admin >/dev/null
    equal "2755 root confd-ha" "$(n1 stat -c '%a %U %G' /etc/confd-ha)"
    equal "755 confd-ha confd-ha" "$(n1 stat -c '%a %U %G' /run/confd-ha)"
    equal confd-ha "$(n1 sh -c 'ps -o user= -p $(systemctl show -P MainPID confd-ha.service)')"
}

units_verify() {
    local out
    out=$(n1 systemd-analyze verify confd-ha.service confd-ha-node.service confd-ha-phase2.service confd-ha-master.target \
        confd-ha-slave.target 2>&1)
    equal "" "$out"
}

# The threshold is ten times the score.
units_are_secure() { # UNIT TENTHS
    n1 systemd-analyze --no-pager security --threshold="$2" "$1"
}

no_token_is_told() {
    local journal
    contains "$(unit n1 confd-ha.service StatusText)" token
    contains "$(property n1 LastError)" org.confd.HA.Error.NoToken
    journal=$(journal n1 -o cat)
    contains "$journal" "/etc/confd-ha/token"
    contains "$journal" "openssl rand -hex 32"
    contains "$(fails flagless n1 root BeNone 2>&1)" org.confd.HA.Error.NoToken
}

manual_reads() {
    local page
    for page in confd-had.8 confd-ha-node.8 confd-hactl.1 confd-ha.conf.5 org.confd.HA.5 libconfd-ha.3 \
        confd_ha_beslave.3; do
        n1 env MANROFFSEQ= man -P cat "${page##*.}" "${page%.*}" >/dev/null || { echo "no page $page"; return 1; }
    done
}

upgrade_running() {
    local deb new pid node
    deb=$(echo "$PACKAGES"/confd-ha_*.deb)
    new=$MACHINES/upgrade
    mkdir -p "$new"
    dpkg-deb -R "$deb" "$new/tree"
    sed -i 's/^Version: .*/&+boot1/; s/^Depends: .*/&/' "$new/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$new/tree" "$MACHINES/n1/root/root/upgrade.deb" >/dev/null
    pid=$(unit n1 confd-ha.service MainPID)
    node=$(unit n1 confd-ha-node.service MainPID)
    equal master "$(state_of n1)"
    MACHINE_TIMEOUT=300 n1 dpkg -i --force-confdef /root/upgrade.deb
    active n1 confd-ha.service
    fails test "$pid" = "$(unit n1 confd-ha.service MainPID)"
    wait_for 5 state_is n1 master
    equal 's "n1"' "$(property n1 NodeId)"
    active n1 confd-ha-master.target
    equal "$node" "$(unit n1 confd-ha-node.service MainPID)"
    # The node's own upgrade: it was running, so it runs, with its data; one that was not is left alone.
    MACHINE_TIMEOUT=300 n1 dpkg -i "/root/packages/$(basename "$PACKAGES"/confd-ha-node_*.deb)"
    active n1 confd-ha-node.service
    fails test "$node" = "$(unit n1 confd-ha-node.service MainPID)"
    n1 systemctl stop confd-ha-node.service
    MACHINE_TIMEOUT=300 n1 dpkg -i "/root/packages/$(basename "$PACKAGES"/confd-ha-node_*.deb)"
    inactive n1 confd-ha-node.service
}

state_of() { property "$1" State | cut -d'"' -f2; }

purge_leaves_nothing() { # MACHINE
    local m=$1
    # What other cases have put there.
    machine "$m" systemctl disable --now on-master.service on-slave.service || true
    machine "$m" rm -rf /etc/credstore /etc/confd-ha/token.away /run/roles /etc/systemd/system/on-master.service \
        /etc/systemd/system/on-slave.service
    MACHINE_TIMEOUT=300 machine "$m" dpkg --purge confd-ha confd-ha-node confd-ha-exporter cockpit-confd-ha confd-ha-doc libconfd-ha-dev libconfd-ha0
    snapshot "$m" >"$MACHINES/$m/after"
    fails diff "$MACHINES/$m/before" "$MACHINES/$m/after" >"$MACHINES/$m/difference" 2>&1 || return 0
    # What the tests themselves put there is not the packages' residue.
    grep '^>' "$MACHINES/$m/difference" | grep -v -e /etc/polkit-1/rules.d/ -e '^> [^/]*$' >"$MACHINES/$m/residue" || return 0
    cat "$MACHINES/$m/residue"
    return 1
}

# What a `meson install` onto a machine does, in two steps: the files, from here, and then, on it, the script that Meson
# would have run. The prefix is the build's own.
meson_install() {
    local prefix
    prefix=$(meson introspect --buildoptions "$BUILD_ROOT" |
        python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
    case $prefix in /usr | /usr/local) ;; *) echo "the build is for $prefix, where a system looks for nothing" && return 0 ;; esac
    machine_net n3
    machine_create n3
    machine_boot n3
    cp "$BUILD_ROOT/meson-logs/install-log.txt" "$MACHINES/install-log" 2>/dev/null || true
    meson install -C "$BUILD_ROOT" --no-rebuild --quiet --destdir "$MACHINES/n3/root"
    cp "$MACHINES/install-log" "$BUILD_ROOT/meson-logs/install-log.txt" 2>/dev/null || true
    write n3 /root/post-install.sh 755 <"$SOURCE_ROOT/systemd/post-install.sh"
    contains "$(machine n3 /root/post-install.sh "$prefix" /etc)" "openssl rand -hex 32"
    token n3 $TOKEN
    machine n3 systemctl enable confd-ha.service
    machine n3 systemctl start confd-ha-node.service
    printf '[ConfD]\nAddress=unix:/run/confd-ha-node/ipc.sock\n' | service_settings n3
    bus n3 nobody Status
    wait_for 5 connected n3
    bus n3 root BeMaster s n3
    wait_for 5 active n3 confd-ha-master.target
    contains "$(fails flagless n3 nobody BeNone 2>&1)" InteractiveAuthorizationRequired # polkit has the action
    node_call n3 root Apply 'a{ss}as' 1 /a one 0
    contains "$(fails request_name n3 root org.confd.HA 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    contains "$(machine n3 journalctl --dump-catalog "$(message_id ORDER)")" Subject
    machine_power_off n3
}
