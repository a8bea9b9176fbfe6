# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# TAP for shell tests: plan, cases, waiting with a deadline, a directory that goes away.
#
# A test file says `. "$(dirname "$0")/tap.sh"`, makes cases, and ends with `finish`. A case is `ok`, `is` or `eventually`,
# each with its name first. What a case leaves unexplained is shown as a comment (#) below it.

export LC_ALL=C
tap_count=0
tap_failed=0

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
hosts=$top/tools/hosts
# How long anything may take: generous, for sanitizers on a busy machine; only failures wait for it.
DEADLINE=${TEST_DEADLINE:-30}

tap_comment() {
        sed 's/^/# /' >&1
}

tap_result() { # WORKED NAME
        tap_count=$((tap_count + 1))
        if [ "$1" = yes ]; then
                printf 'ok %d - %s\n' "$tap_count" "$2"
                return 0
        fi
        tap_failed=$((tap_failed + 1))
        printf 'not ok %d - %s\n' "$tap_count" "$2"
        return 1
}

# ok NAME COMMAND...: the command succeeds. What it prints is shown if it does not.
ok() {
        local name=$1 output rc=0
        shift
        output=$("$@" 2>&1) || rc=$?
        [ "$rc" != 0 ] || { tap_result yes "$name"; return 0; }
        tap_result no "$name" || :
        printf 'exit status %s of: %s\n%s\n' "$rc" "$*" "$output" | tap_comment
        return 1
}

# fails NAME STATUS TEXT COMMAND...: the command ends with that status and prints the text (a bash pattern).
fails() {
        local name=$1 status=$2 text=$3 output rc=0
        shift 3
        output=$("$@" 2>&1) || rc=$?
        # shellcheck disable=SC2053 # a pattern
        if [ "$rc" = "$status" ] && [[ $output == *$text* ]]; then
                tap_result yes "$name"
                return 0
        fi
        tap_result no "$name" || :
        printf 'exit status %s, wanted %s with the text "%s"\nof: %s\n%s\n' "$rc" "$status" "$text" "$*" "$output" |
                tap_comment
        return 1
}

# is NAME GOT WANTED
is() {
        if [ "$2" = "$3" ]; then
                tap_result yes "$1"
                return 0
        fi
        tap_result no "$1" || :
        printf 'got:    %s\nwanted: %s\n' "$2" "$3" | tap_comment
        return 1
}

# Waits until a command succeeds, at most DEADLINE seconds.
wait_for() {
        local end=$((SECONDS + DEADLINE))
        until "$@" >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.05
        done
}

# eventually NAME COMMAND...: the command succeeds within DEADLINE.
eventually() {
        local name=$1
        shift
        if wait_for "$@"; then
                tap_result yes "$name"
                return 0
        fi
        tap_result no "$name" || :
        { printf 'still not after %s s: %s\n' "$DEADLINE" "$*"; "$@" 2>&1 || :; } | tap_comment
        return 1
}

skip_all() { # REASON
        printf '1..0 # SKIP %s\n' "$1"
        exit 0
}

# A directory for the test; the hosts that it holds go down with it, however the test ends.
work=$(mktemp -d "${TMPDIR:-/tmp}/ha-test.XXXXXX")

# Sanitized programs leave their reports here.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$work/sanitizer
export UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$work/sanitizer
export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$work/sanitizer

tap_at_exit() { :; } # a test may have more to end

# Ends what runs below the directory. With a failure, what the hosts logged is shown.
tap_down() {
        local marker log
        tap_at_exit
        while read -r marker; do
                [ "$tap_failed" = 0 ] || for log in "${marker%/*}"/n*/{node,service,bus}.log; do
                        [ ! -s "$log" ] || { echo "${log#"$work"/}:"; tail -n 40 "$log"; } | tap_comment
                done
                "$hosts" down "${marker%/*}" >>"$work/down.log" 2>&1
        done < <(find "$work" -maxdepth 3 -name hosts -type f)
}

# Ends a test file. A test that ends otherwise broke off, which the missing plan tells.
finish() {
        tap_down
        is "everything ends when told to" "$(cat "$work/down.log" 2>/dev/null)" ""
        is "no sanitizer has anything to report" "$(cat "$work"/sanitizer.* 2>/dev/null)" ""
        printf '1..%d\n' "$tap_count"
        exit 0
}

tap_cleanup() {
        trap '' INT TERM HUP
        tap_down
        rm -rf "$work"
}
trap tap_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
