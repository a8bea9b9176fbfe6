#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bare Debian 12 in a directory, with an ordinary user in it who has sudo and nothing else. He clones the project and types README's two
# commands. There is no terminal and no devpts in there, and no systemd runs: as poor as a container can be.
#
# test-bare.sh [whole|part]    as root; part: of the second command only what depends most on where it runs, the suites unit, bus and
#                              house. KEEP=1 leaves the directory, to look around
set -u
suites=""
[ "${1:-whole}" = whole ] || suites=" unit bus house"
# shellcheck source=tests/cluster/tap.sh
. "$(dirname "$0")/../cluster/tap.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can make a system in a directory"
command -v mmdebstrap >/dev/null || skip_all "mmdebstrap is missing: apt-get install mmdebstrap"

# In /var/tmp, since a system with compilers is larger than some /tmp.
bare=$(mktemp -d /var/tmp/confd-ha-bare.XXXXXX)
root=$bare/root
tap_at_exit() {
        if [ -n "${KEEP:-}" ]; then
                echo "# kept: $root" >&2
        else
                rm -rf --one-file-system "$bare"
        fi
}

# in_bare USER COMMAND...: in name spaces of its own, which take mounts and processes away with them. Other addresses than
# loopback's are not for its tests, but packages come over the machine's network.
in_bare() {
        local user=$1
        shift
        timeout --kill-after=10 "$TIME" unshare --mount --pid --fork --kill-child --uts --ipc bash -c '
                set -e
                root=$1 user=$2
                shift 2
                mount --make-rprivate /
                # As a container has it: its root is a mount of its own. This shell stays, as the one that reaps.
                mount --bind "$root" "$root"
                mount -t tmpfs -o mode=755,nosuid none "$root/dev"
                for node in null zero full random urandom tty; do
                        touch "$root/dev/$node"
                        mount --bind "/dev/$node" "$root/dev/$node"
                done
                mkdir -m 1777 "$root/dev/shm"
                mount -t tmpfs -o mode=1777 none "$root/dev/shm"
                ln -s /proc/self/fd "$root/dev/fd"
                mount -t sysfs -o ro none "$root/sys"
                mount -t proc none "$root/proc"
                chroot "$root" su - "$user" -c "$*"
        ' in_bare "$root" "$user" "$@" </dev/null
}

made() {
        local sources
        # This machine knows where its packages come from.
        sources=$(ls /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
        mmdebstrap --mode=root --variant=minbase --include=sudo,ca-certificates bookworm "$root" "$sources" || return 1
        for file in /etc/apt/apt.conf.d/*; do
                ! grep -qiE 'proxy|Check-' "$file" || cp "$file" "$root/etc/apt/apt.conf.d/"
        done
        cp /etc/resolv.conf /etc/hosts "$root/etc/" || return 1
        echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user" && chmod 440 "$root/etc/sudoers.d/user" &&
                chroot "$root" useradd --create-home --shell /bin/bash user || return 1
        # As git would: what is tracked, in the state in which it stands.
        mkdir "$root/home/user/confd-ha" &&
                (git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -type d \( -name 'build*' -o -name .git \) -prune -o -type f -print0) |
                tar -c --null --no-recursion -T - | tar -x -C "$root/home/user/confd-ha" &&
                chroot "$root" chown -R user:user /home/user/confd-ha
}

summed() { # the last line of a check tells that nothing failed
        tail -n 1 "$work/check.log" | grep -qE '^[0-9]{3,} passed, 0 failed, [0-9]+ skipped$'
}

cd "$top" || exit 1
DEADLINE=600
TIME=600
ok "a bare system is made, with an ordinary user" made || { finish; exit; }
TIME=900
ok "./quickstart works for an ordinary user with sudo" in_bare user 'cd confd-ha && ./quickstart'
TIME=2400
in_bare user "cd confd-ha && ./check --quick$suites" >"$work/check.log" 2>&1
ok "./check --quick$suites fails in nothing for him" summed || grep -E '^(not ok|FAILED|skipped)|^# ' "$work/check.log" | tail -n 100 | tap_comment
tail -n 1 "$work/check.log" | tap_comment
ok "nothing is left running or mounted there" bash -c '! grep -q "'"$root"'" /proc/mounts'
finish
