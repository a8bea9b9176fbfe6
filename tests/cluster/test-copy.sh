#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The initial copy: many keys and large values, commits meanwhile, either side killed in the middle of it.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

up 3
for h in n1 n2 n3; do watch $h; done
a1=$(address n1)

be_master n1 >/dev/null
ok "many small entries" fill n1 /small/ 20000 40
ok "and some large ones" fill n1 /large/ 300 100000
be_slave n3 n1 >/dev/null
ok "one has it all" same_data n1 n3

put n2 /own 'of n2' >/dev/null
dump n2 >"$work/n2.own"
write_on n1 /w
ok "a copy while somebody writes" be_slave n2 n1
eventually "the writer goes on after it" wrote $(($(wc -l <"$work/acknowledged") + 5))
{ kill "$writer" && wait "$writer"; } 2>/dev/null
eventually "n2 has all of it" same_data n1 n2
dump n2 | cut -f1 >"$work/keys"
is "every acknowledged write too" "$(grep -Fxvf "$work/keys" "$work/acknowledged")" ""

# n2 is killed at several moments of a copy. What it has then is what it had before, or the master's, whole.
ok "n2 leaves" ctl n2 be-none
put n2 /own 'n2 again' >/dev/null
dump n2 >"$work/n2.own"
dump n1 >"$work/n1.data"
for ms in 0 10 30 60 120 250; do
        ctl n2 be-slave n2 n1 "$a1" --no-wait >/dev/null 2>&1
        moment=$(($(date +%s%N) + ms * 1000000))
        moment_has_come() { [ "$(date +%s%N)" -ge "$moment" ]; }
        wait_for moment_has_come
        "$hosts" kill "$c/n2" node
        "$hosts" start "$c/n2" node || break
        wait_for state_is n2 none
        dump n2 >"$work/n2.data"
        whole=neither
        ! cmp -s "$work/n2.data" "$work/n2.own" || whole=old
        ! cmp -s "$work/n2.data" "$work/n1.data" || whole=new
        ok "killed $ms ms into a copy: the data is whole ($whole)" test $whole != neither
        if [ $whole = new ]; then
                put n2 /own "n2 after $ms" >/dev/null
                dump n2 >"$work/n2.own"
        fi
done

# The master is killed in the middle of a copy.
mark n2
ctl n2 be-slave n2 n1 "$a1" --no-wait >/dev/null 2>&1
ok "the master is killed while it copies" "$hosts" kill "$c/n1" node
settled() { ha_is n2 Synchronizing "b false" && { state_is n2 none; }; }
eventually "n2 gives up and is none" settled
dump n2 >"$work/n2.data"
cmp -s "$work/n2.data" "$work/n2.own" || cmp -s "$work/n2.data" "$work/n1.data"
is "with the old data or the new, whole" $? 0
ok "n3 takes over" be_master n3
ok "n2 follows it" be_slave n2 n3
ok "and has its data" same_data n2 n3
is "no half copy is left on the disk" "$(find "$c/n2/data" -name '*.mdb' | wc -l)" 1
finish
