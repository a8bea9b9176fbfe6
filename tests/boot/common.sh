# SPDX-License-Identifier: Apache-2.0
# What the boot cases share: two machines n1 and n2, calls on their buses, and what to wait for.
# To be sourced by bash, after machine.sh and tap.sh.

n1() { machine n1 "$@"; }
n2() { machine n2 "$@"; }

# as MACHINE USER COMMAND...: without a login session, so polkit's defaults for "any" apply
as() {
    local m=$1 user=$2
    shift 2
    machine "$m" runuser -u "$user" -- "$@"
}

# bus MACHINE USER METHOD [SIGNATURE ARGUMENT...]: a call that allows polkit to ask; no agent is offered
bus() {
    local m=$1 user=$2
    shift 2
    as "$m" "$user" busctl --timeout=50 call org.confd.HA /org/confd/HA org.confd.HA "$@"
}

# flagless MACHINE USER METHOD [TYPE:ARGUMENT...]: a call that does not allow polkit to ask; prints error names
flagless() {
    local m=$1 user=$2 method=$3
    shift 3
    as "$m" "$user" dbus-send --system --print-reply --reply-timeout=50000 --dest=org.confd.HA /org/confd/HA \
        "org.confd.HA.$method" "$@"
}

property() { # MACHINE NAME
    machine "$1" busctl --auto-start=no get-property org.confd.HA /org/confd/HA org.confd.HA "$2"
}

property_is() { # MACHINE NAME VALUE, as busctl prints it
    [ "$(property "$1" "$2")" = "$3" ]
}

state_is() { property_is "$1" State "s \"$2\""; } # MACHINE STATE

unit() { # MACHINE UNIT PROPERTY
    machine "$1" systemctl show -P "$3" "$2"
}

active() { machine "$1" systemctl --quiet is-active "$2"; } # MACHINE UNIT
inactive() { ! machine "$1" systemctl --quiet is-active "$2"; }

# journal MACHINE [JOURNALCTL-ARGUMENT...]: what the service wrote since the machine booted, after a sync
journal() {
    local m=$1
    shift
    machine "$m" journalctl --sync
    machine "$m" journalctl -b -u confd-ha.service --no-pager "$@"
}

# The number of the service's entries with a message id so far, to be compared with later.
entries() { # MACHINE NAME-IN-message-ids.h
    journal "$1" -o cat "MESSAGE_ID=$(message_id "$2")" | grep -c . || true
}

message_id() {
    sed -n "s/^#define CONFD_HA_MSG_$1 \"\([0-9a-f]*\)\".*/\1/p" "$SOURCE_ROOT/src/basic/message-ids.h"
}

write() { # MACHINE FILE MODE: standard input becomes a file of root's inside
    mkdir -p "$(dirname "$MACHINES/$1/root$2")"
    machine "$1" install -D -m "$3" /dev/stdin "$2"
}

token() { # MACHINE TOKEN: as an administrator makes it
    printf '%s\n' "$2" | machine "$1" sh -c 'umask 027; cat >/etc/confd-ha/token'
}

service_settings() { # MACHINE, settings on standard input
    write "$1" /etc/confd-ha/confd-ha.conf.d/test.conf 644
}

node_settings() {
    write "$1" /etc/confd-ha/node.conf.d/test.conf 644
}

# drop_in MACHINE UNIT, text on standard input; drop_in_off MACHINE UNIT
drop_in() {
    write "$1" "/etc/systemd/system/$2.d/boot-test.conf" 644
    machine "$1" systemctl daemon-reload
}

drop_in_off() {
    machine "$1" rm -f "/etc/systemd/system/$2.d/boot-test.conf"
    machine "$1" systemctl daemon-reload
}

connected() { property_is "$1" Connected "b true"; } # MACHINE
