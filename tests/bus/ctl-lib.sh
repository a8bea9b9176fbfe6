# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of confd-hactl stand on: a private bus with the scripted service of mock-ha-service.c, and its reins.
#
# shellcheck disable=SC2034 # what is set for the tests
#
# CONFD_HACTL and MOCK_HA_SERVICE name the programs.
# shellcheck source=tests/cluster/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/tap.sh"

: "${CONFD_HACTL:?names the program under test}" "${MOCK_HA_SERVICE:?names the scripted service}"

pids=()

ctl_cleanup() {
        local pid
        for pid in "${pids[@]}"; do
                kill "$pid" 2>/dev/null
                kill -CONT "$pid" 2>/dev/null
                wait "$pid" 2>/dev/null
        done
}
trap 'ctl_cleanup; tap_cleanup' EXIT

# start_bus NAME [POLICY]: a bus at $work/NAME, with more policy in its configuration if given.
start_bus() {
        cat >"$work/$1.conf" <<-CONF
                <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
                 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
                <busconfig>
                  <type>system</type>
                  <listen>unix:path=$work/$1</listen>
                  <auth>EXTERNAL</auth>
                  <servicedir>$work/services</servicedir>
                  <policy context="default">
                    <allow user="*"/>
                    <allow own="*"/>
                    <allow send_destination="*"/>
                    <allow receive_sender="*"/>
                  </policy>
                  ${2-}
                </busconfig>
	CONF
        dbus-daemon --config-file="$work/$1.conf" --nofork --nopidfile --nosyslog 2>"$work/$1.log" &
        pids+=($!)
        bus_pid=$!
        wait_for test -S "$work/$1"
}

# From here on the bus starts the mock when somebody calls it.
make_activatable() {
        mkdir -p "$work/services"
        printf '[D-BUS Service]\nName=org.confd.HA\nExec=%s\nUser=root\n' "$work/activated" >"$work/services/org.confd.HA.service"
        printf '#!/bin/sh\n: >"%s"\nexec "%s"\n' "$work/was-activated" "$MOCK_HA_SERVICE" >"$work/activated"
        chmod 755 "$work/activated"
        busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
                ReloadConfig
}

start_mock() {
        "$MOCK_HA_SERVICE" &
        pids+=($!)
        mock_pid=$!
        wait_for busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" --auto-start=no get-property \
                org.confd.Mock /org/confd/HA org.confd.HA State
}

# mock METHOD [SIGNATURE ARGS...]
mock() {
        busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" -- call org.confd.Mock /mock org.confd.Mock "$@"
}

set_property() { mock Set sv "$@"; }

succeed() { mock Fail sss "$1" "" ""; }

# name_of PID: the unique name of that process on the bus. (`busctl list` shows no process where no cgroups are mounted.)
name_of() {
        local name
        for name in $(ask_bus ListNames | grep -o '":[0-9.]*"' | tr -d '"'); do
                [ "$(ask_bus GetConnectionUnixProcessID s "$name" 2>/dev/null)" != "u $1" ] || printf '%s\n' "$name"
        done
}

ask_bus() {
        busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.freedesktop.DBus /org/freedesktop/DBus \
                org.freedesktop.DBus "$@"
}

# What waits for ever is wrong, and shows as exit status 124.
hactl() { timeout --foreground "$DEADLINE" "$CONFD_HACTL" "$@"; }

# says NAME STATUS OUTPUT COMMAND...: standard output, whole, and the exit status.
says() {
        local name=$1 status=$2 wanted=$3 output rc=0
        shift 3
        output=$("$@" 2>"$work/stderr") || rc=$?
        if [ "$rc" = "$status" ] && [ "$output" = "$wanted" ]; then
                tap_result yes "$name"
                return 0
        fi
        tap_result no "$name" || :
        printf 'exit status %s, wanted %s; of: %s\ngot:\n%s\nwanted:\n%s\nstandard error:\n%s\n' "$rc" "$status" "$*" \
                "$output" "$wanted" "$(cat "$work/stderr")" | tap_comment
        return 1
}

# json NAME STATUS EXPRESSION COMMAND...: standard output is JSON, and EXPRESSION in Python is true with it as `j`.
json() {
        local name=$1 status=$2 expression=$3 rc=0
        shift 3
        "$@" >"$work/json" 2>"$work/stderr" || rc=$?
        if [ "$rc" = "$status" ] && /usr/bin/python3 -m json.tool <"$work/json" >/dev/null 2>&1 &&
                /usr/bin/python3 -c 'import json, sys
j = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(0 if eval("(" + sys.argv[2] + ")") else 1)' "$work/json" "$expression"; then
                tap_result yes "$name"
                return 0
        fi
        tap_result no "$name" || :
        printf 'exit status %s, wanted %s with %s; of: %s\n%s\nstandard error:\n%s\n' "$rc" "$status" "$expression" "$*" \
                "$(cat "$work/json")" "$(cat "$work/stderr")" | tap_comment
        return 1
}

# A slave, or one that will be: ROLE IN-SYNC SYNCHRONIZING
play_slave() {
        set_property NodeId s n2
        set_property Slaves 'a(ss)' 0
        set_property InSync b "$2"
        set_property Synchronizing b "$3"
        set_property State s "$1"
}

# A host as it looks in the middle of its life.
play_master() {
        set_property State s master
        set_property NodeId s n1
        set_property Slaves 'a(ss)' 2 n2 10.0.0.2 n3 fd00::3
        set_property InSync b true
        set_property LastInSync '(sssts)' master n1 10.0.0.1 0 lasts
        set_property Targets s reached
        set_property Connected b true
        set_property EventsConnected b true
        set_property ConfdAddress s 127.0.0.1:4565
        set_property ConfdVersion s 8.2.5
        set_property ProtocolVersion u 82
        set_property StateSince t "$(($(date +%s) - 185))000000"
        set_property Transitions t 3
        set_property Version s 9.9
}

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
unset SYSTEMD_PAGER PAGER SYSTEMD_LESS SYSTEMD_LESSCHARSET SYSTEMD_PAGERSECURE
export TZ=UTC
