# SPDX-License-Identifier: Apache-2.0
# Machines for the boot tests: systemd-nspawn containers with a real PID 1 over an overlay of this machine's root, each
# in a network namespace of its own, on one wire. To be sourced by bash, as root.
#
# machine_init                  a place for all of them; call once, with machine_cleanup in an EXIT trap
# machine_net NAME              makes its network namespace, with a loopback interface only
# machine_wire A B              joins two of them: 10.77.0.1/24 at A's eth0, 10.77.0.2/24 at B's
# machine_bridge                a switch in a namespace of its own, for more than two
# machine_port NAME ADDRESS...  makes NAME's network namespace with an eth0 at the switch and these addresses (with /LENGTH)
# machine_carrier NAME up|down  plugs its cable in or out, at the switch's end
# machine_drop NAME [OTHER]     its frames, or those between the two, vanish in the switch; machine_undrop ends all of that
# machine_create NAME           the root directory ($MACHINES/NAME/root), not booted, to be changed at will; made on top
#                               of $MACHINE_BASE, if that is set: directories for lowerdir=, as in "$MACHINES/NAME/upper"
# machine_boot NAME             boots it and waits until systemd has started everything
# machine NAME COMMAND...       runs COMMAND as root inside, with a minimal environment (MACHINE_PATH, if that is set), for
#                               MACHINE_TIMEOUT (60) s at most
# machine_power_off NAME        as if the plug were pulled; a machine at the switch falls silent first, and is plugged in
#                               again by machine_power_on
# machine_power_on NAME         boots it again, with no addresses but its own
# machine_remove NAME           as if it had never been
# wait_for SECONDS COMMAND...   until COMMAND succeeds; 1 after the deadline
#
# Everything is named after this shell's process id, so that several can run at once, and machine_cleanup leaves nothing.

MACHINES=
machine_tag=cha$$
machine_cgroups=

wait_for() {
    local deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

machine_init() {
    local c
    MACHINES=$(mktemp -d /tmp/confd-ha-boot.XXXXXX) || return 1
    mount -t tmpfs -o size=4g,mode=755 "$machine_tag" "$MACHINES" || return 1
    # A subtree for each container in every hierarchy that systemd needs. Not in cpu: with realtime group scheduling,
    # a group there has no realtime runtime at all.
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        machine_cgroups=/sys/fs/cgroup
    else
        for c in systemd unified pids memory; do
            [ ! -d /sys/fs/cgroup/$c ] || machine_cgroups="$machine_cgroups /sys/fs/cgroup/$c"
        done
    fi
}

machine_net() {
    ip netns add "$machine_tag-$1" && ip -n "$machine_tag-$1" link set lo up
}

machine_wire() {
    local m a=$1 b=$2
    ip -n "$machine_tag-$a" link add eth0 type veth peer name eth0 netns "$machine_tag-$b" || return 1
    ip -n "$machine_tag-$a" addr add 10.77.0.1/24 dev eth0
    ip -n "$machine_tag-$b" addr add 10.77.0.2/24 dev eth0
    for m in "$a" "$b"; do ip -n "$machine_tag-$m" link set eth0 up || return 1; done
}

machine_bridge() {
    machine_net switch && ip -n "$machine_tag-switch" link add br0 type bridge && ip -n "$machine_tag-switch" link set br0 up
}

machine_port() {
    local name=$1
    shift
    machine_net "$name" &&
        ip -n "$machine_tag-switch" link add "p-$name" type veth peer name eth0 netns "$machine_tag-$name" &&
        ip -n "$machine_tag-switch" link set "p-$name" master br0 up || return 1
    mkdir -p "$MACHINES/$name"
    echo "$@" >"$MACHINES/$name/addresses"
    machine_addresses "$name"
}

# Its own addresses, and no others: a namespace outlives its machine, and would go on answering for what that had taken.
machine_addresses() {
    local address nodad
    ip -n "$machine_tag-$1" addr flush dev eth0
    for address in $(cat "$MACHINES/$1/addresses"); do
        case $address in *:*) nodad=nodad ;; *) nodad= ;; esac
        ip -n "$machine_tag-$1" addr add "$address" dev eth0 ${nodad:+"$nodad"} || return 1
    done
    ip -n "$machine_tag-$1" link set eth0 up
}

machine_carrier() { ip -n "$machine_tag-switch" link set "p-$1" "$2"; }

machine_drop() {
    local rules
    if [ $# = 1 ]; then
        rules="iifname p-$1 drop
oifname p-$1 drop"
    else
        rules="iifname p-$1 oifname p-$2 drop
iifname p-$2 oifname p-$1 drop"
    fi
    {
        echo "add table bridge part"
        echo "add chain bridge part f { type filter hook forward priority 0; policy accept; }"
        echo "$rules" | sed 's/^/add rule bridge part f /'
    } | ip netns exec "$machine_tag-switch" nft -f -
}

machine_undrop() { ip netns exec "$machine_tag-switch" nft delete table bridge part; }

machine_create() {
    local name=$1 dir=$MACHINES/$1 root=$MACHINES/$1/root unit wants
    mkdir -p "$dir/upper" "$dir/work" "$root"
    mount -t overlay overlay -o "lowerdir=${MACHINE_BASE:+$MACHINE_BASE:}/,upperdir=$dir/upper,workdir=$dir/work" "$root" || return 1
    : >"$root/etc/machine-id"
    echo "$name" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost\n10.77.0.1 n1\n10.77.0.2 n2\n' >"$root/etc/hosts"
    # What this machine has enabled is not the test's business, and neither is which bus daemon it prefers.
    for wants in "$root"/etc/systemd/system/*.wants; do rm -rf "$wants"; done
    rm -f "$root/etc/systemd/system/dbus.service"
    for unit in console-getty.service getty@tty1.service container-getty@.service systemd-networkd.service \
        systemd-timesyncd.service systemd-resolved.service e2scrub_reap.service apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer; do
        ln -sfn /dev/null "$root/etc/systemd/system/$unit"
    done
    # Container images of Debian forbid packages to start what they install.
    rm -f "$root/usr/sbin/policy-rc.d"
    rm -rf "$root/var/log/journal"
    mkdir -p "$root/var/log/journal"
}

machine_boot() {
    local name=$1 dir=$MACHINES/$1 cgroup init=
    (
        for cgroup in $machine_cgroups; do
            mkdir -p "$cgroup/$machine_tag-$name" && echo $BASHPID >"$cgroup/$machine_tag-$name/cgroup.procs"
        done
        exec setsid env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 systemd-nspawn --quiet --register=no \
            --keep-unit -D "$dir/root" -M "$machine_tag-$name" --hostname="$name" \
            --network-namespace-path="/run/netns/$machine_tag-$name" --capability=CAP_NET_ADMIN --boot \
            --console=pipe --link-journal=no --resolv-conf=off --timezone=off \
            systemd.unit=multi-user.target systemd.log_target=journal systemd.show_status=0
    ) >>"$dir/console" 2>&1 </dev/null &
    echo $! >"$dir/nspawn.pid"
    wait_for 10 machine_find_init "$name" || {
        tail "$dir/console" >&2
        return 1
    }
    wait_for 30 machine_is_up "$name"
}

machine_find_init() {
    local pid
    pid=$(pgrep -P "$(cat "$MACHINES/$1/nspawn.pid")" | head -n 1)
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm")" = systemd ] && echo "$pid" >"$MACHINES/$1/init.pid"
}

machine_is_up() {
    case $(machine "$1" systemctl is-system-running) in running | degraded) ;; *) return 1 ;; esac
}

machine() {
    local pid
    pid=$(cat "$MACHINES/$1/init.pid") || return 1
    shift
    timeout "${MACHINE_TIMEOUT:-60}" nsenter -t "$pid" -a env -i \
        PATH="${MACHINE_PATH:-/usr/sbin:/usr/bin:/sbin:/bin}" HOME=/root LANG=C.UTF-8 TERM=dumb "$@"
}

machine_power_off() {
    local nspawn init
    [ ! -e "$MACHINES/$1/addresses" ] || machine_carrier "$1" down
    nspawn=$(cat "$MACHINES/$1/nspawn.pid" 2>/dev/null) || return 0
    init=$(cat "$MACHINES/$1/init.pid" 2>/dev/null) && kill -9 "$init" 2>/dev/null || true
    wait_for 10 machine_process_gone "$nspawn" || kill -9 "$nspawn"
    rm -f "$MACHINES/$1/nspawn.pid" "$MACHINES/$1/init.pid"
}

machine_power_on() {
    machine_addresses "$1" && machine_carrier "$1" up && machine_boot "$1"
}

machine_process_gone() { ! kill -0 "$1"; }

# Its last processes may still be on their way out.
machine_cgroup_gone() {
    [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} +
    [ ! -d "$1" ]
}

# As if it had never been; machine_create, machine_port and machine_boot may make another of that name.
machine_remove() {
    local name=$1 root=$MACHINES/$1/root cgroup
    machine_power_off "$name"
    [ ! -d "$root" ] || wait_for 5 umount "$root" || umount -l "$root"
    ip -n "$machine_tag-switch" link del "p-$name" 2>/dev/null
    ip netns del "$machine_tag-$name" 2>/dev/null
    for cgroup in $machine_cgroups; do
        wait_for 5 machine_cgroup_gone "$cgroup/$machine_tag-$name"
    done
    rm -rf "${MACHINES:?}/$name"
}

machine_cleanup() {
    local dir name
    [ -n "$MACHINES" ] || return 0
    for dir in "$MACHINES"/*/root; do
        [ ! -d "$dir" ] || machine_remove "$(basename "$(dirname "$dir")")"
    done
    for name in $(ip netns list | awk -v "tag=$machine_tag-" 'index($1, tag) == 1 { print $1 }'); do
        ip netns del "$name"
    done
    wait_for 5 umount "$MACHINES" || umount -l "$MACHINES"
    rmdir "$MACHINES"
    MACHINES=
}
