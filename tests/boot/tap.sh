# SPDX-License-Identifier: Apache-2.0
# TAP output for shell tests. To be sourced by bash.
#
# tap_case NAME COMMAND...   one case: COMMAND (mostly a function) in a subshell that ends at the first command that
#                            fails; what it printed is shown when it fails; returns as COMMAND does
# tap_done                   the plan; exits 1 if a case has failed
# equal WANTED GOT           fails and shows both if they differ
# contains TEXT PART         fails and shows TEXT unless PART is in it
# fails COMMAND...           fails if COMMAND succeeds; its output is passed on

tap_count=0
tap_failed=0
tap_log=$(mktemp /tmp/confd-ha-tap.XXXXXX)

tap_case() {
    local name=$1 rc started
    started=$(date +%s%N)
    shift
    tap_count=$((tap_count + 1))
    (
        set -eE
        trap 'echo "failed: $BASH_COMMAND (${FUNCNAME[*]}, lines $LINENO ${BASH_LINENO[*]})" >&2; exit 1' ERR
        "$@"
    ) >"$tap_log" 2>&1 </dev/null
    rc=$?
    if [ $rc = 0 ]; then
        echo "ok $tap_count - $name # $((($(date +%s%N) - started) / 1000000)) ms"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $name"
        tail -n 60 "$tap_log" | cut -c 1-300 | sed 's/^/# /'
    fi
    return $rc
}

tap_done() {
    rm -f "$tap_log"
    echo "1..$tap_count"
    [ $tap_failed = 0 ]
}

equal() {
    [ "$1" = "$2" ] || {
        printf 'wanted: %s\n   got: %s\n' "$1" "$2"
        return 1
    }
}

contains() {
    case $1 in
    *"$2"*) ;;
    *)
        printf 'not found: %s\n       in: %s\n' "$2" "$1"
        return 1
        ;;
    esac
}

fails() {
    if "$@"; then
        echo "succeeded, and should not have: $*"
        return 1
    fi
}
