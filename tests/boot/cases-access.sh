# SPDX-License-Identifier: Apache-2.0
# Boot cases: who may give orders, own the names, and call the node; with a real bus and a real polkit.
# To be sourced by test-boot.
#
# alice  has a rule of her own, that tests the details of an order
# bob    has nothing
# carol  is in the group confd-ha-admin
# dave   is an administrator to polkit (group sudo), with a password

PASSWORD=correct-horse

make_users() { # MACHINE
    local m=$1 user
    for user in alice bob carol dave; do machine "$m" useradd -m $user; done
    machine "$m" gpasswd -a carol confd-ha-admin >/dev/null
    machine "$m" gpasswd -a dave sudo >/dev/null
    echo "dave:$PASSWORD" | machine "$m" chpasswd
    write "$m" /root/answer.exp 600 <"$SOURCE_ROOT/tests/boot/answer.exp"
    write "$m" /etc/polkit-1/rules.d/40-alice.rules 644 <<'END'
polkit.addRule(function(action, subject) {
    if (subject.user == "alice" &&
        (action.id == "org.confd.HA.be-master" && action.lookup("node_id") == "n1" ||
         action.id == "org.confd.HA.be-slave" && action.lookup("node_id") == "n1" &&
         action.lookup("master_id") == "n9" && action.lookup("master_address") == "127.0.0.9"))
        return polkit.Result.YES;
});
END
}

root_needs_no_polkit() {
    trap 'n1 systemctl unmask --runtime polkit.service' EXIT
    n1 systemctl mask --runtime --now polkit.service
    bus n1 root BeMaster s n1
    state_is n1 master
    contains "$(fails flagless n1 carol BeNone 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    bus n1 root BeNone
}

user_without_rule() {
    contains "$(fails flagless n1 bob BeNone 2>&1)" org.freedesktop.DBus.Error.InteractiveAuthorizationRequired
    fails bus n1 bob BeNone # the flag, but nobody to ask
    contains "$(fails flagless n1 bob Reload 2>&1)" org.freedesktop.DBus.Error.InteractiveAuthorizationRequired
    bus n1 bob Status
}

user_with_rule_on_details() {
    bus n1 alice BeMaster s n1
    flagless n1 alice BeMaster string:n1
    state_is n1 master
    contains "$(fails flagless n1 alice BeMaster string:n2 2>&1)" InteractiveAuthorizationRequired
    contains "$(fails flagless n1 alice BeNone 2>&1)" InteractiveAuthorizationRequired
    # Authorized, and so refused by the node: there is no n9.
    contains "$(fails flagless n1 alice BeSlave string:n1 string:n9 string:127.0.0.9 boolean:true 2>&1)" org.confd.HA.Error.
    contains "$(fails flagless n1 alice BeSlave string:n1 string:n9 string:127.0.0.8 boolean:true 2>&1)" \
        InteractiveAuthorizationRequired
    bus n1 root BeNone
}

group_with_example_rule() {
    contains "$(fails flagless n1 carol BeMaster string:n1 2>&1)" InteractiveAuthorizationRequired
    n1 cp /usr/share/doc/confd-ha/examples/50-confd-ha-admin.rules /etc/polkit-1/rules.d/
    allowed() { flagless n1 carol BeMaster string:n1; } # polkit notices the file by itself
    wait_for 5 allowed
    bus n1 carol BeNone
    state_is n1 none
    contains "$(fails flagless n1 bob BeMaster string:n1 2>&1)" InteractiveAuthorizationRequired
    n1 rm /etc/polkit-1/rules.d/50-confd-ha-admin.rules
    forbidden() { ! flagless n1 carol BeNone; }
    wait_for 5 forbidden
}

# inhibiting USER COMMAND...: runs it while USER inhibits orders
inhibiting() {
    local user=$1 pid rc=0
    shift
    as n1 "$user" confd-hactl inhibit --who=upgrade --why=testing sleep 60 &
    pid=$!
    inhibited() { contains "$(property n1 Inhibitors)" upgrade >/dev/null; }
    wait_for 5 inhibited && "$@" || rc=$?
    n1 pkill -xf "sleep 60" # of this machine alone
    wait $pid || true # it ended by that signal
    free_again() { equal "a(ssut) 0" "$(property n1 Inhibitors)" >/dev/null; }
    wait_for 5 free_again && return $rc
}

orders_are_inhibited() {
    local out
    out=$(fails flagless n1 alice BeMaster string:n1 2>&1)
    contains "$out" org.confd.HA.Error.Inhibited
    contains "$out" upgrade
    contains "$out" testing
    state_is n1 none
    bus n1 root BeMaster s n1 # root passes
    bus n1 root BeNone
}

inhibitors_and_polkit() {
    bus n1 alice BeMaster s n1
    bus n1 root BeNone
    contains "$(fails flagless n1 bob Inhibit string:bob string:because 2>&1)" InteractiveAuthorizationRequired
    inhibiting root orders_are_inhibited
    bus n1 alice BeMaster s n1
    bus n1 root BeNone
}

who_does_not_stay_for_the_reply() {
    local line
    n1 dbus-send --system --dest=org.confd.HA /org/confd/HA org.confd.HA.BeMaster string:n1
    told() { line=$(n1 journalctl -b -u confd-ha.service -g 'print-reply' -o cat | tail -n 1) && [ -n "$line" ]; }
    wait_for 5 told
    contains "$line" BeMaster
    state_is n1 none
}

# asked PASSWORD COMMAND...: dave runs COMMAND on a terminal and answers the question; exits as COMMAND does
asked() {
    local password=$1
    shift
    n1 expect -f /root/answer.exp dave "$password" "$@"
}

password_on_the_terminal() {
    local out
    out=$(asked $PASSWORD confd-hactl be-master n1) || { echo "$out" && return 1; }
    contains "$out" "AUTHENTICATING FOR org.confd.HA.be-master"
    contains "$out" "HA master as n1" # the details, in the question
    state_is n1 master
    asked $PASSWORD confd-hactl be-none
    state_is n1 none
}

wrong_password() {
    local rc=0
    asked wrong confd-hactl be-master n1 || rc=$?
    equal 4 $rc
    state_is n1 none
}

no_ask_password() {
    local rc=0 out
    out=$(asked $PASSWORD confd-hactl --no-ask-password be-master n1) || rc=$?
    equal 4 $rc
    case $out in *AUTHENTICATING*) echo "$out" && return 1 ;; esac
    state_is n1 none
}

request_name() { # MACHINE USER NAME
    as "$1" "$2" dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.RequestName \
        "string:$3" uint32:0
}

names_are_reserved() {
    local user name
    for name in org.confd.HA org.confd.HANode; do
        for user in root bob carol; do
            contains "$(fails request_name n1 $user $name 2>&1)" org.freedesktop.DBus.Error.AccessDenied
        done
    done
    contains "$(fails request_name n1 confd-ha-node org.confd.HA 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    contains "$(fails request_name n1 confd-ha org.confd.HANode 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    request_name n1 confd-ha org.confd.HA # in the queue behind the service, and gone with dbus-send
}

node_call() { # MACHINE USER MEMBER ARGUMENT...
    local m=$1 user=$2 member=$3
    shift 3
    as "$m" "$user" busctl call org.confd.HANode /org/confd/HANode org.confd.HANode "$member" "$@"
}

node_data_is_for_administrators() {
    local get="dbus-send --system --print-reply --dest=org.confd.HANode /org/confd/HANode org.confd.HANode.Get string:/a"
    node_call n1 root Apply 'a{ss}as' 1 /a one 0
    equal 's "one"' "$(node_call n1 root Get s /a)"
    equal 's "one"' "$(node_call n1 carol Get s /a)"
    contains "$(fails as n1 bob $get 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    contains "$(fails as n1 confd-ha $get 2>&1)" org.freedesktop.DBus.Error.AccessDenied
    fails as n1 bob busctl get-property org.confd.HANode /org/confd/HANode org.confd.HANode State
    # What the service has to know, and no more.
    equal "b false" "$(as n1 confd-ha busctl get-property org.confd.HANode /org/confd/HANode org.confd.HANode Joining)"
}

ipc_socket_is_for_the_service() {
    local connect='import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/confd-ha-node/ipc.sock")'
    contains "$(fails as n1 bob python3 -c "$connect" 2>&1)" PermissionError
    contains "$(fails as n1 carol python3 -c "$connect" 2>&1)" PermissionError
    as n1 confd-ha python3 -c "$connect"
}

service_user_has_two_units() {
    local verb
    as n1 confd-ha systemctl --no-ask-password start confd-ha-slave.target
    as n1 confd-ha systemctl --no-ask-password stop confd-ha-slave.target
    as n1 confd-ha systemctl --no-ask-password start confd-ha-master.target
    as n1 confd-ha systemctl --no-ask-password stop confd-ha-master.target
    for verb in "restart confd-ha-master.target" "start confd-ha-node.service" "stop dbus.service" \
        "start multi-user.target" "kill confd-ha-slave.target" "restart confd-ha.service"; do
        fails as n1 confd-ha systemctl --no-ask-password $verb
    done
    fails as n1 confd-ha-node systemctl --no-ask-password start confd-ha-master.target
}
