#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A full disk, at the slave and at the master: an error and not a crash, no data half written, and a way back.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

# A file system of its own for a node's data needs a mount namespace of the test's.
if [ "${1:-}" != inside ]; then
        unshare --mount --map-root-user true 2>/dev/null || unshare --mount true 2>/dev/null ||
                skip_all "this machine allows no mount namespaces"
        rmdir "$work" # the test inside has its own
        [ "$(id -u)" = 0 ] || exec unshare --mount --map-root-user "$0" inside
        exec unshare --mount "$0" inside
fi
up 3
tap_at_exit() { umount -l "$c"/n?/data 2>/dev/null; }
for h in n1 n2; do watch $h; done
small_disk() { # HOST
        "$hosts" kill "$c/$1" node && mount -t tmpfs -o size=4m tmpfs "$c/$1/data" && chmod 0700 "$c/$1/data" &&
                "$hosts" start "$c/$1" node && wait_for state_is "$1" none
}

ok "n2 gets a disk of 4 MiB" small_disk n2
be_master n1 >/dev/null
ok "n2 follows n1" be_slave n2 n1
ok "n3 follows n1" be_slave n3 n1
ok "little data fits" fill n1 /little/ 20 1000
ok "and is at n2" same_data n1 n2
dump n2 >"$work/n2.before"

for h in n1 n2; do mark $h; done
ok "more than fits n2 is written" fill n1 /much/ 80 100000
eventually "n2 leaves" state_is n2 none
eventually "it is told why" saw n2 "MasterLost org.confd.HA.Error.Closed"
eventually "the master is told" saw n1 "SlaveDied n2 $(address n2)"
ok "the other slave has everything" same_data n1 n3
whole() { # the data after some whole transaction: what was there before is
        dump n2 >"$work/n2.after" && [ "$(grep -c /little/ "$work/n2.after")" = 20 ]
}
ok "n2's data is whole" whole
fails "it cannot join: the copy does not fit" 1 "" be_slave n2 n1
ok "it is alive and none" state_is n2 none
dump n2 >"$work/n2.now"
ok "with what it had" cmp "$work/n2.after" "$work/n2.now"
ok "a larger disk" mount -o remount,size=64m "$c/n2/data"
ok "and it joins" be_slave n2 n1
ok "with all of the data" same_data n1 n2

ok "n2 leaves" ctl n2 be-none
ok "n3 leaves" ctl n3 be-none
ok "n1 leaves" ctl n1 be-none
ok "n3 gets a disk of 4 MiB" small_disk n3
ok "n3 becomes a master with little data" be_master n3
put n3 /first 1 >/dev/null
ok "n2 follows" be_slave n2 n3
dump n3 >"$work/n3.before"
before=$(transaction n3)
fails "a write that does not fit the master's disk is refused" 1 "" fill n3 /much/ 80 100000
full=$(transaction n3)
ok "n3 is still master" state_is n3 master
ok "n3's data is whole, up to the last transaction that fit" test "$(get n3 /first)" = 's "1"'
the_same_if_there() { ! state_is n2 slave || [ "$(transaction n2)" = "$full" ]; }
eventually "n2 has exactly the same, if it is still there" the_same_if_there
ok "n3 gets more room" mount -o remount,size=64m "$c/n3/data"
ok "and takes writes again" put n3 /second 2
ok "n2 follows, as before or anew" be_slave n2 n3
ok "the data is the same" same_data n2 n3
ok "not the id of before" test "$(transaction n3)" != "$before"
finish
