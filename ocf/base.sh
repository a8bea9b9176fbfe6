# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# What all of the agent stands on: time that is left, words, the marker. To be sourced by ocf:confd-ha:confd-ha.

# ---- words and time ----

# Centiseconds of uptime, without a process. Sets $cs.
now() {
    read -r cs _ </proc/uptime
    centiseconds "$cs"
}

centiseconds() { # SECONDS, as 2.50: sets $cs
    cs=${1%.*}${1#*.}
    while :; do case $cs in 0?*) cs=${cs#0} ;; *) break ;; esac; done
}

now
STARTED=$cs
# What the action may take, less two seconds for what cannot be interrupted.
BUDGET=${OCF_RESKEY_CRM_meta_timeout:-20000}
BUDGET=$((BUDGET / 10 - 200))
[ "$BUDGET" -ge 100 ] || BUDGET=100

left() { # sets $left, centiseconds, at least 50
    now
    left=$((STARTED + BUDGET - cs))
    [ $left -ge 50 ] || left=50
}

seconds() { # CENTISECONDS: sets $seconds, as 2.50
    seconds=$(($1 / 100)).$(($1 % 100 / 10))$(($1 % 10))
}

# bounded CENTISECONDS COMMAND...: at most that, and at most what is left of the action
bounded() {
    local most=$1
    shift
    left
    [ "$left" -ge "$most" ] || most=$left
    seconds "$most"
    timeout -k 1 "$seconds" "$@"
}

# Nobody waits for the journal, whose queue may be full, and nothing is kept open for it.
say() { # PRIORITY WORDS
    logger -t "confd-ha($RSC)" -p "daemon.$1" -- "$2" </dev/null >/dev/null 2>&1 8>&- 9>&- &
}

problem() { # WORDS for people at night, in crm_mon and in the log
    ocf_exit_reason "$1"
}

# The action's one line, and its end.
finish() { # STATUS [STATE-REACHED]
    now
    say info "$ACTION: found ${found:-?}, reached ${2:-${state:-?}}, status $1, $(((cs - STARTED) * 10)) ms"
    exit "$1"
}

# ---- the marker, and the lock of those who change ConfD's role ----

marker_read() { # 1 without one
    role='' lost='' gone='' restored='' unfollowed='' cold='' frozen='' process='' quick='' written='' overtaken='' leaving=''
    [ -e "$MARKER" ] || return 1
    local key value
    while IFS='=' read -r key value; do
        case $key in
        node) [ -n "$NODE" ] || NODE=$value ;;
        role) role=$value ;;
        lost) lost=$value ;;
        gone) gone=$value ;;
        restored) restored=$value ;;
        unfollowed) unfollowed=$value ;;
        cold) cold=$value ;;
        frozen) frozen=$value ;;
        process) process=$value ;;
        quick) quick=$value ;;
        written) written=$value ;;
        leaving) leaving=$value ;;
        overtaken) overtaken=$value ;;
        confd_unit) [ "$ACTION" != look ] || OCF_RESKEY_confd_unit=$value ;;
        address) [ "$ACTION" != look ] || OCF_RESKEY_address=$value ;;
        timeout) [ "$ACTION" != look ] || OCF_RESKEY_timeout=$value ;;
        esac
    done <"$MARKER"
}

marker_write() { # of the variables; a rename, so that readers without the lock see a whole one
    printf '%s\n' "node=$NODE" "role=$role" "lost=$lost" "gone=$gone" "restored=$restored" "unfollowed=$unfollowed" \
        "cold=$cold" "frozen=$frozen" "process=$process" "quick=$quick" "written=$written" "leaving=$leaving" "overtaken=$overtaken" \
        "confd_unit=$OCF_RESKEY_confd_unit" "address=$OCF_RESKEY_address" "timeout=$OCF_RESKEY_timeout" \
        >"$MARKER.$$" && mv -f "$MARKER.$$" "$MARKER"
}

# Nobody holds it for longer than a bounded order takes; an action does not fail for want of it.
locked=''
lock() {
    locked=yes
    exec 9>>"$MARKER.lock"
    flock -w 4 9 || say warning "$ACTION: another action holds the lock for long; going on without it"
}

unlock() {
    locked=''
    exec 9>&-
}

# note NAME=VALUE...: into the marker as it is now, for an action may have changed it since it was read. 1, and nothing is written, if
# the role is another one by then: a look that was under way would give a role back that was just given up.
note() {
    local was=$role had=$locked assignment rc=1
    [ -n "$had" ] || lock
    if marker_read && [ "$role" = "$was" ]; then
        for assignment; do eval "${assignment%%=*}=\${assignment#*=}"; done
        marker_write
        rc=0
    fi
    [ -n "$had" ] || unlock
    return $rc
}
