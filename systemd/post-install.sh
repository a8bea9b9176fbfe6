#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a `meson install` onto the running machine take effect: creates users and directories, and tells systemd, the
# bus, the journal and the dynamic linker what is new. post-install.sh PREFIX SYSCONFDIR
# A package does these things in its own scripts, and an installation into a DESTDIR does not get here.
set -u
prefix=$1 sysconfdir=$2

# Elsewhere nothing of the system looks for our files, and without privileges nobody could tell it.
case $prefix in /usr | /usr/local) ;; *) exit 0 ;; esac
[ "$(id -u)" = 0 ] || exit 0

run() {
    command -v "$1" >/dev/null 2>&1 || return 0
    "$@" || echo "confd-ha: '$*' failed; the next boot does the same" >&2
}

run ldconfig
run systemd-sysusers "$prefix/lib/sysusers.d/confd-ha.conf" "$prefix/lib/sysusers.d/confd-ha-node.conf" \
    "$prefix/lib/sysusers.d/confd-ha-keepalived.conf"
[ ! -e "$prefix/lib/sysusers.d/confd-ha-exporter.conf" ] || run systemd-sysusers "$prefix/lib/sysusers.d/confd-ha-exporter.conf"
run systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/confd-ha.conf"
run journalctl --update-catalog
if [ -d /run/systemd/system ]; then
    run systemctl daemon-reload
    run systemctl reload dbus.service
fi
[ -e "$sysconfdir/confd-ha/token" ] ||
    echo "confd-ha: the service needs a token: (umask 027; openssl rand -hex 32 > $sysconfdir/confd-ha/token)"
exit 0
