# SPDX-License-Identifier: Apache-2.0
# keepalived on two of the machines of cluster.sh, with the packaged example configuration. To be sourced by bash, after it.

keepalived_stands() {
    local n
    for n in $NODES; do
        [ -e "$MACHINES/$n/init.pid" ] || continue
        echo "$n wishes $(machine "$n" sh -c 'cat /run/confd-ha-keepalived/role; echo; cat /run/confd-ha-keepalived/peer; echo; cat /run/confd-ha-keepalived/data' 2>/dev/null | xargs); $(MACHINE_TIMEOUT=5 machine "$n" confd-ha-keepalived check)"
        MACHINE_TIMEOUT=10 machine "$n" journalctl -b --no-pager -o short-precise -u confd-ha-keepalived -u keepalived -n 30 | cut -c 8-200
    done
}

# The example is written for n1 and n2 at 192.0.2.11 and .12; here it is fitted as its text says.
write_keepalived() { # NODE
    local n=$1 root=$MACHINES/$1/root peer config
    peer=$(first $(others "$n"))
    config=$(sed -e 's/192\.0\.2\.200/'"$(vip)"'/; s/192\.0\.2\.11/'"$(ring n1)"'/; s/192\.0\.2\.12/'"$(ring n2)"'/' \
        "$SOURCE_ROOT/systemd/examples/keepalived.conf")
    if [ "$n" = n2 ]; then
        config=$(printf '%s\n' "$config" | sed -e "s/$(ring n1)/@/; s/$(ring n2)/$(ring n1)/; s/@/$(ring n2)/" | awk '
            /^vrrp_instance/ { name = $2 }
            name == "alive-n1" { sub(/state MASTER/, "state BACKUP"); sub(/priority 200/, "priority 100") }
            name == "alive-n2" { sub(/state BACKUP/, "state MASTER"); sub(/priority 100/, "priority 200") }
            { print }')
    fi
    # The prefix of a package is /usr, that of a build may be another.
    [ -x "$root/usr/sbin/confd-ha-keepalived" ] || config=$(printf '%s\n' "$config" | sed 's,/usr/sbin/confd-ha,/usr/local/sbin/confd-ha,')
    printf '%s\n' "$config" >"$root/etc/keepalived/keepalived.conf"
    cat >"$root/etc/confd-ha/keepalived.conf.d.new" <<END
[Node]
Id=$n
[Peer]
Id=$peer
Address=$(ring "$peer")
[Keepalived]
Instance=confd
PeerInstance=alive-$peer
END
    mkdir -p "$root/etc/confd-ha/keepalived.conf.d"
    mv "$root/etc/confd-ha/keepalived.conf.d.new" "$root/etc/confd-ha/keepalived.conf.d/test.conf"
    systemctl --root="$root" --quiet enable keepalived.service confd-ha-keepalived.service
}

make_keepalived_node() { make_node "$1" && write_keepalived "$1" && machine_boot "$1"; }

peer_of() { first $(others "$1"); }
