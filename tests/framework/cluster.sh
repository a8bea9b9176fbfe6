# SPDX-License-Identifier: Apache-2.0
# Booted machines under a real HA framework: what all framework tests share. To be sourced by bash, after machine.sh, tap.sh
# and common.sh of the boot tests.
#
# NODES      the machines, as "n1 n2 n3"; FAMILY=ipv6 for their addresses; BUS=broker for dbus-broker on them
# VIP        the virtual address; a namespace "client" at the same switch is where writers write from

NODES=${NODES:-n1 n2 n3}
FAMILY=${FAMILY:-ipv4}
MASTER=
PORT=7000
TOKEN_MS=${TOKEN_MS:-1000}

index() { echo "${1#n}"; }
ring() { # NODE: its address
    if [ $FAMILY = ipv6 ]; then echo "fd77::1$(index "$1")"; else echo "10.77.0.1$(index "$1")"; fi
}
prefix_length() { if [ $FAMILY = ipv6 ]; then echo 64; else echo 24; fi; }
vip() { if [ $FAMILY = ipv6 ]; then echo fd77::200; else echo 10.77.0.200; fi; }

# MUTANT: an agent with a fault, to see that the tests find it.
mutate() { # ROOT
    local lib=$1/usr/lib/ocf/lib/confd-ha agent=$1/usr/lib/ocf/resource.d/confd-ha/confd-ha before
    before=$(cat "$lib"/*.sh "$agent" | cksum)
    case ${MUTANT:-} in
    '') return 0 ;;
    freshness) # promotes whoever is there, and lets everybody offer itself
        sed -i 's/order take-over "$NODE" "$old_master"/order be-master "$NODE"/; s/^        is_in "$NODE" "$set_nodes" ||$/        true ||/
            s/^    is_first_of_equals || refuse .*/    true/' "$agent"
        # shellcheck disable=SC2016 # for the agent
        echo 'cold_score() { cold=0 score=$SCORE_WAS_IN_SYNC score_why="whatever its data"; }' >>"$lib/follow.sh"
        ;;
    true-set) # gives up its role without leaving in the set who has everything
        echo 'leave_a_true_set() { :; }' >>"$lib/lead.sh"
        ;;
    target) # gives it up for whoever is to be promoted
        echo 'warn_of_the_target() { :; }; wait_for_the_target() { :; }' >>"$lib/lead.sh"
        ;;
    slave-dead) # forgets to tell ConfD of a slave that is gone
        sed -i 's/if order slave-dead "$n"; then/if true; then/' "$lib/lead.sh"
        ;;
    esac
    [ "$before" != "$(cat "$lib"/*.sh "$agent" | cksum)" ] && sh -n "$lib/follow.sh" && sh -n "$lib/lead.sh" && sh -n "$agent"
}

prefix_of_build() {
    meson introspect --buildoptions "$BUILD_ROOT" |
        python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))'
}

# What is installed once, for all machines: Meson's installation and the helpers of these tests.
make_base() {
    local root=$MACHINES/base/root prefix
    machine_create base
    cp "$BUILD_ROOT/meson-logs/install-log.txt" "$MACHINES/install-log" 2>/dev/null || true
    meson install -C "$BUILD_ROOT" --no-rebuild --quiet --destdir "$root"
    cp "$MACHINES/install-log" "$BUILD_ROOT/meson-logs/install-log.txt" 2>/dev/null || true
    prefix=$(prefix_of_build)
    chroot "$root" ldconfig
    systemd-sysusers --root="$root" "$root$prefix"/lib/sysusers.d/confd-ha*.conf
    systemd-tmpfiles --root="$root" --create "$root$prefix"/lib/tmpfiles.d/confd-ha*.conf || true
    install -m 755 "$BUILD_ROOT/tests/framework/data-door" "$root/usr/local/bin/data-door"
    install -m 755 "$SOURCE_ROOT/tests/cluster/node-data" "$root/usr/local/bin/node-data"
    cat >"$root/etc/systemd/system/data-door.service" <<END
[Unit]
After=dbus.socket
[Service]
ExecStart=/usr/local/bin/data-door $PORT
Restart=always
RestartSec=200ms
[Install]
WantedBy=multi-user.target
END
    mutate "$root"
    umount "$root"
    # What machine_cleanup would take for a machine.
    mv "$MACHINES/base" "$MACHINES/.base"
    MACHINE_BASE=$MACHINES/.base/upper
}

make_node() { # NODE
    local n=$1 root=$MACHINES/$1/root m
    machine_port "$n" "$(ring "$n")/$(prefix_length)"
    machine_create "$n"
    {
        echo "127.0.0.1 localhost"
        for m in $NODES; do echo "$(ring "$m") $m"; done
    } >"$root/etc/hosts"
    mkdir -p "$root/etc/confd-ha/node.conf.d" "$root/etc/confd-ha/confd-ha.conf.d"
    printf '[Node]\nHaAddress=%s:4570\nTickTimeoutSec=%s\nStartPhase=1\n' \
        "$(if [ $FAMILY = ipv6 ]; then echo "[$(ring "$n")]"; else ring "$n"; fi)" "${TICK_SEC:-20}" \
        >"$root/etc/confd-ha/node.conf.d/test.conf"
    printf '[ConfD]\nAddress=unix:/run/confd-ha-node/ipc.sock\nReconnectMaxSec=1\n' \
        >"$root/etc/confd-ha/confd-ha.conf.d/test.conf"
    [ "${BUS:-}" != broker ] || ln -sf /lib/systemd/system/dbus-broker.service "$root/etc/systemd/system/dbus.service"
    echo 0123456789abcdef0123456789abcdef >"$root/etc/confd-ha/token"
    chroot "$root" sh -c 'chgrp confd-ha /etc/confd-ha/token; chmod 640 /etc/confd-ha/token'
    systemctl --root="$root" --quiet enable confd-ha.service confd-ha-node.service data-door.service
    systemctl --root="$root" --quiet enable confd-ha-phase2.service 2>/dev/null || true
}

make_client() { machine_port client "$(if [ $FAMILY = ipv6 ]; then echo fd77::99/64; else echo 10.77.0.99/24; fi)"; }

# each FUNCTION: for all nodes, side by side; fails if one does
each() {
    local n pids=() failed=0 pid
    for n in $NODES; do
        "$@" "$n" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    return $failed
}

# ---- ConfD at a node, from outside of any framework ----

role_of() { # NODE
    MACHINE_TIMEOUT=5 property "$1" State 2>/dev/null | cut -d'"' -f2
}
is_role() { [ "$(role_of "$1")" = "$2" ]; }
in_sync() { [ "$(MACHINE_TIMEOUT=5 property "$1" InSync 2>/dev/null)" = "b true" ]; }
master_of() { # NODE: whom it follows
    MACHINE_TIMEOUT=5 property "$1" Master 2>/dev/null | cut -d'"' -f2
}
masters() { # of these nodes
    local n
    for n; do ! is_role "$n" master || printf '%s ' "$n"; done
}
last_error_of() { MACHINE_TIMEOUT=5 property "$1" LastError 2>/dev/null; }
follows_in_sync() { is_role "$1" slave && in_sync "$1" && [ "$(master_of "$1")" = "$2" ]; }

has_vip() { # NODE
    ip -n "$machine_tag-$1" -o addr show dev eth0 2>/dev/null | grep -q " $(vip)/"
}
vip_holders() {
    local n
    for n in "$@"; do ! has_vip "$n" || printf '%s ' "$n"; done
}

# settled NODE...: one of them is master and has the virtual address, the others follow it with their data in place
settled() {
    local m n
    m=$(masters "$@")
    m=${m% }
    [ -n "$m" ] && [ "${m#* }" = "$m" ] || return 1
    [ "$(vip_holders $NODES)" = "$m " ] || return 1
    for n; do [ "$n" = "$m" ] || follows_in_sync "$n" "$m" || return 1; done
    MASTER=$m
}
wait_settled() { # SECONDS NODE...
    local seconds=$1
    shift
    wait_for "$seconds" settled "$@" || {
        how_it_stands
        return 1
    }
    settled "$@"
}

how_it_stands() {
    local n
    for n in $NODES; do
        echo "$n: $(role_of "$n") of '$(master_of "$n")' $(in_sync "$n" && echo in sync) $(has_vip "$n" && echo with the virtual address)"
    done
    framework_stands 2>&1 || true
}

others() { # NODE: the other nodes
    local n
    for n in $NODES; do [ "$n" = "$1" ] || printf '%s ' "$n"; done
}
first() { echo "$1"; }

kill_node_program() { machine "$1" systemctl kill --signal=KILL confd-ha-node.service; }

# ---- writers ----

writers=()
# writer NAME ADDRESS [PATIENCE]
writer() {
    ip netns exec "$machine_tag-client" "$here/writer" "$1" "$MACHINES/writes-$1" "$2" $PORT "${3:-0.5}" \
        </dev/null >/dev/null 2>&1 &
    writers+=($!)
}
start_writers() { # NAME: through the virtual address, and at each node. They end with the case, however it ends
    local n
    writers=()
    trap stop_writers EXIT
    writer "$1-vip" "$(vip)" 0.5
    writer "$1-vip2" "$(vip)" 120
    for n in $NODES; do writer "$1-$n" "$(ring "$n")" 2; done
}
stop_writers() {
    # Without names "wait" would wait for everybody, machines too.
    [ ${#writers[@]} -gt 0 ] || return 0
    kill "${writers[@]}" 2>/dev/null || true
    wait "${writers[@]}" 2>/dev/null || true
    writers=()
}
acknowledged_since() { # NAME TIME: is there one?
    awk -v t="$2" '$1 > t && $2 == "ok" { found = 1; exit } END { exit !found }' "$MACHINES/writes-$1"
}
# longest NAME SINCE [any]: the longest time without an acknowledgement for this writer since then ("any": without any answer, as the
# machine that has the address gives it whatever its role), in seconds, and when it ended
longest() {
    awk -v t="$2" -v any="${3:-}" '($2 == "ok" || any != "" && $2 != "lost") && $1 > t {
            if (!have) { last = t; have = 1 }
            if ($1 - last > most) { most = $1 - last; end = $1 }
            last = $1
        }
        END { if (have) printf "%.2f %.3f\n", most, end; else print "never" }' "$MACHINES/writes-$1"
}
stall() { longest "$@" | cut -d' ' -f1; }

# tell_stall WHAT NODE NAME SINCE [any]: the same for people. And, where corosync at NODE has told of another membership within that
# time, how long it took from there: how soon it tells differs by a second from one time to the next.
tell_stall() {
    local what=$1 node=$2 length end
    shift 2
    read -r length end < <(longest "$@")
    echo "$what | $length"
    [ -z "${end:-}" ] || MACHINE_TIMEOUT=10 machine "$node" journalctl -b --no-pager -o short-unix --since "@${2%.*}" -t corosync |
        awk -v t="$2" -v end="$end" -v what="$what" '
            /A new membership/ && $1 > t && $1 < end { printf "%s, from the new membership | %.2f\n", what, end - $1; exit }'
}

# What was acknowledged and is not in FILE (a dump), of writers with names that begin with NAME, but by HOST after TIME. What was
# written at a machine counts while that had the virtual address: between two acknowledgements through the address that it gave.
# (A slave that has lost its master is none, and takes writes of its own until it follows again.)
lost_writes() { # NAME FILE [HOST TIME]
    local f
    for f in "$MACHINES"/writes-"$1"-*; do
        case $f in *-vip | *-vip2) sed 's/$/ V/' "$f" ;; *) sed 's/$/ L/' "$f" ;; esac
    done | sort -n | awk -v host="${3:-}" -v from="${4:-0}" -v dump="$2" '
        BEGIN { while ((getline row < dump) > 0) { split(row, f, "\t"); have[f[1]] = f[2] } }
        function judge(time, name, wrote, by, all) {
            if (!(by == host && time >= from) && have[name] != "\"" wrote "\"") print all
        }
        $2 != "ok" { next }
        $NF == "V" {
            for (i = 0; i < n; i++) if (who[i] == $5 && holder == $5) judge(t[i], key[i], value[i], who[i], line[i])
            n = 0
            holder = $5
            judge($1, $3, $4, $5, $0)
            next
        }
        { t[n] = $1; key[n] = $3; value[n] = $4; who[n] = $5; line[n++] = $0 }'
}

dump() { machine "$1" /usr/local/bin/node-data dump; }

# The end of every case: data equal key by key at all these nodes, and nothing acknowledged lost.
check_data() { # NAME [--but HOST TIME] NODE...
    local name=$1 but=() n lost
    shift
    [ "$1" != --but ] || {
        but=("$2" "$3")
        shift 3
    }
    for n; do
        dump "$n" >"$MACHINES/dump-$n" || return 1
        cmp "$MACHINES/dump-$1" "$MACHINES/dump-$n" || {
            echo "the data of $1 and $n differ"
            diff "$MACHINES/dump-$1" "$MACHINES/dump-$n" | head -n 20
            return 1
        }
    done
    # Called where a failure alone ends nothing.
    lost=$(lost_writes "$name" "$MACHINES/dump-$1" "${but[@]}") || return 1
    [ -z "$lost" ] || {
        echo "acknowledged and lost: $(echo "$lost" | wc -l), as:"
        echo "$lost" | head -n 10
        return 1
    }
}

now_s() { date +%s.%3N; }
