#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# README.md promises nothing that is not there: its D-Bus examples are run, its C program is compiled and run.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

build=${BUILD:-$top/build}
up 2
a=$(address n1)
network=${a%.*}

# Blocks after "<!-- on: HOST -->": a line "$ COMMAND", then what it prints, if that is shown. 10.0.0.I is host I.
awk '/^<!-- on: n[12] -->$/ { host = $3; next }
     /^    / && host        { print host "\t" substr($0, 5); next }
                            { host = "" }' "$top/README.md" | sed "s/10\.0\.0\./$network./g" >"$work/examples"
ok "the README has examples" test "$(grep -c '	\$ ' "$work/examples")" -ge 10

host='' command='' wanted=''
run_example() {
        local got rc=0
        [ -n "$command" ] || return 0
        got=$(on "$host" bash -c "$command" 2>&1) || rc=$?
        if [ -n "$wanted" ]; then
                is "$host: $command" "$got"$'\n' "$wanted"
        else
                is "$host: $command" "$rc" 0
        fi || tap_comment <<<"$got"
}
while IFS=$'\t' read -r next line; do
        case $line in
        '$ '*)
                run_example
                host=$next command=${line#'$ '} wanted=''
                ;;
        *) wanted+=$line$'\n' ;;
        esac
done <"$work/examples"
run_example

# The program, as C99 with all warnings, against the headers and library of the build directory.
awk '/^<!-- file: promote.c -->$/ { wait = 1; next }
     wait && /^```c$/             { body = 1; next }
     /^```$/                      { body = wait = 0 }
     body' "$top/README.md" >"$work/promote.c"
mapfile -t sanitize < <(grep -oE -m 1 -e '-fsanitize=[a-z,]+' "$build/build.ninja" | head -n 1)
ok "the program compiles" cc -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -pedantic "${sanitize[@]}" \
        -I"$top/include" "$work/promote.c" -o "$work/promote" -L"$build/src/lib" -lconfd-ha
# One controller at a time: here it is the program.
ok "n2's service goes" "$hosts" kill "$c/n2" service
promote() {
        CONFD_IPC_ACCESS_FILE=$c/n2/ipc-access LD_LIBRARY_PATH=$build/src/lib \
                "$work/promote" "$(address n2)" "$(cat "$c/n2/token")" n2
}
is "it makes n2 a master" "$(promote 2>&1)" "n2 is master, 0 slaves"
is "which the node confirms" "$(node n2 State)" 's "master"'
ok "n2's service comes back" "$hosts" start "$c/n2" service
eventually "and finds a master" state_is n2 master

# What the README names is there.
while read -r file; do
        ok "$file exists" test -e "$top/$file"
done < <(grep -ohE '\b(docs|dbus|tools)/[a-zA-Z0-9_.-]*[a-zA-Z]' "$top/README.md" | sort -u)
finish
