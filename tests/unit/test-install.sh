#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs into a directory and uninstalls again: everything in its place, and nothing left behind. TAP.
# test-install.sh BUILD-ROOT MESON...
set -u
build=$1
shift
meson=("$@")
dest=$(mktemp -d /tmp/confd-ha-install.XXXXXX)
trap 'rm -rf "$dest"' EXIT
n=0 failed=0
ok() {
    n=$((n + 1))
    if out=$("${@:2}" 2>&1); then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$out" | sed 's/^/# /'; failed=1; fi
}

# The log of what was installed is what uninstalling goes by; it belongs to the build directory, and is put back.
log=$build/meson-logs/install-log.txt
[ ! -e "$log" ] || cp "$log" "$dest/log"
install_there() { "${meson[@]}" install -C "$build" --no-rebuild --destdir "$dest/root" --quiet; }
every_kind() {
    local f
    for f in confd-ha.service confd-ha-node.service confd-ha-phase2.service confd-ha-master.target confd-ha-slave.target confd-had confd-hactl \
        confd-ha-node libconfd-ha.so confd_ha.h confd-ha.pc org.confd.HA.xml org.confd.HANode.xml org.confd.HA.policy org.confd.HA.rules \
        org.confd.HA.conf org.confd.HANode.conf org.confd.HA.service confd-ha.catalog confd-had.8 confd-hactl.1 \
        confd-ha-keepalived confd-ha-keepalived.service org.confd.HA.keepalived.rules confd-ha-keepalived.8 \
        confd-ha-pacemaker-watch.service ocf_confd-ha_confd-ha.7; do
        [ -n "$(find "$dest/root" -name "$f")" ] || { echo "no $f"; return 1; }
    done
}
uninstall_there() { cd "$build" && DESTDIR="$dest/root" "${meson[@]}" --internal uninstall; }
nothing_left() { [ -z "$(find "$dest/root" -not -type d)" ] || { find "$dest/root" -not -type d; return 1; }; }
no_directory_left() {
    local left
    left=$(find "$dest/root" -mindepth 1 -path '*confd*')
    [ -z "$left" ] || { echo "$left"; return 1; }
}
ok "installs" install_there
ok "a file of every kind is there" every_kind
ok "uninstalls" uninstall_there
ok "no file is left" nothing_left
ok "no directory of its own is left" no_directory_left
[ ! -e "$dest/log" ] || cp "$dest/log" "$log"
echo "1..$n"
exit $failed
