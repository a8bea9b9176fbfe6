# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the cluster tests ask and order of the hosts, on top of tap.sh: everything over each host's bus.

# shellcheck source=tests/cluster/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

here=$(dirname "${BASH_SOURCE[0]}")
c=$work/c
declare -A event_marks

# configure LINE...: goes into every node's configuration, before `up`.
configure() {
        mkdir -p "$c/node.conf.d"
        printf '%s\n' '[Node]' "$@" >"$c/node.conf.d/test.conf"
}

up() { # N
        "$hosts" up "$1" "$c" >"$work/up.log" 2>&1 && return 0
        tap_comment <"$work/up.log"
        echo "Bail out! The hosts did not come up."
        exit 1
}

on() { # HOST COMMAND...
        local host=$1
        shift
        "$hosts" run "$c/$host" "$@"
}
ctl() { # HOST ARGUMENT...
        local host=$1
        shift
        on "$host" confd-hactl --no-legend "$@"
}
address() { cat "$c/$1/address"; }
pid_of() { cut -d' ' -f1 "$c/$1/$2.pid"; } # HOST KIND

be_master() { ctl "$1" be-master "$1"; }
be_slave() { ctl "$1" be-slave "$1" "$2" "$(address "$2")"; } # HOST MASTER

ha() { on "$1" busctl get-property org.confd.HA /org/confd/HA org.confd.HA "$2" 2>&1; }         # HOST PROPERTY
node() { on "$1" busctl get-property org.confd.HANode /org/confd/HANode org.confd.HANode "$2" 2>&1; }
ha_is() { [ "$(ha "$1" "$2")" = "$3" ]; }                                                       # HOST PROPERTY VALUE
state_is() { ha_is "$1" State "s \"$2\""; }                                                     # HOST STATE
transaction() { node "$1" TransactionId; }

# nodes HOST: who a status names, one a line.
slaves_are() { ha_is "$1" Slaves "$2"; }
last_error() { ha "$1" LastError | cut -d'"' -f2; }
last_error_is() { [ "$(last_error "$1")" = "org.confd.HA.Error.$2" ]; }

# --- data -------------------------------------------------------------------------------------------------------------

put() { # HOST KEY VALUE...
        local host=$1
        shift
        on "$host" busctl call org.confd.HANode /org/confd/HANode org.confd.HANode Apply 'a{ss}as' $(($# / 2)) "$@" 0
}
delete() { # HOST KEY...
        local host=$1
        shift
        on "$host" busctl call org.confd.HANode /org/confd/HANode org.confd.HANode Apply 'a{ss}as' 0 $# "$@"
}
get() { on "$1" busctl call org.confd.HANode /org/confd/HANode org.confd.HANode Get s "$2" 2>&1; } # HOST KEY
# write_on HOST PREFIX: writes one entry after the other in the background, until the node or the test ends it (by
# `kill $writer`). The keys that were acknowledged are in $work/acknowledged.
write_on() {
        rm -f "$work/acknowledged"
        "$hosts" run "$c/$1" /usr/bin/python3 "$here/node-data" write "$2" "$work/acknowledged" >"$work/writer.log" 2>&1 &
        # shellcheck disable=SC2034 # for the test
        writer=$!
        wait_for wrote 10
}
wrote() { [ "$(wc -l <"$work/acknowledged")" -ge "$1" ]; }
# Everything, in key order, one entry a line; and many entries at once.
dump() { on "$1" /usr/bin/python3 "$here/node-data" dump; }                              # HOST
fill() { on "$1" /usr/bin/python3 "$here/node-data" fill "${@:2}"; }                     # HOST PREFIX COUNT SIZE

same_data() { # HOST HOST: key by key, and the transaction id
        dump "$1" >"$work/data.$1" && dump "$2" >"$work/data.$2" && diff "$work/data.$1" "$work/data.$2" | head -n 10 &&
                cmp -s "$work/data.$1" "$work/data.$2" && [ "$(transaction "$1")" = "$(transaction "$2")" ]
}
data_is() { # HOST FILE
        dump "$1" | diff - "$2" | head -n 10
        dump "$1" | cmp -s - "$2"
}

# --- events -----------------------------------------------------------------------------------------------------------

# watch HOST: from here on what its service signals is kept.
watch() {
        # Not by on(): what is to be ended later has to be the process itself, not a shell that waits for it.
        "$hosts" run "$c/$1" busctl --json=short monitor org.confd.HA >"$work/events.$1" 2>"$work/events.$1.err" &
        wait_for grep -q Monitoring "$work/events.$1.err" || tap_comment <"$work/events.$1.err"
        mark "$1"
}
mark() { event_marks[$1]=$(wc -l <"$work/events.$1"); }
signals() { # HOST: since the mark, as "MasterLost org.confd.HA.Error.Closed"
        tail -n +$((event_marks[$1] + 1)) "$work/events.$1" | /usr/bin/python3 "$here/node-data" signals
}
saw() { # HOST LINE
        signals "$1" | grep -Fxq -- "$2"
}

tap_at_exit() {
        local pid
        for pid in $(jobs -p); do
                kill "$pid" 2>/dev/null
                wait "$pid" 2>/dev/null
        done
}
