# SPDX-License-Identifier: Apache-2.0
# Faults under Pacemaker, each with writers through the virtual address and at each node, and what has to hold afterwards: one
# master, all follow it with their data in place, the virtual address with it, data equal key by key, and nothing lost that was
# acknowledged while its machine had the virtual address. To be sourced by test-framework.

# fault NAME WHAT [--but-loser] BREAK MEND: BREAK and MEND are functions, called with the master's and a slave's name. The case
# ends when all nodes are settled again. SAME=yes: the master has to stay the one it was. SETTLE: seconds for that. LIMIT: for how
# many seconds at most a patient writer may be kept waiting.
fault() {
    local name=$1 what=$2 but_loser=no broken slave old loser t
    shift 2
    [ "$1" != --but-loser ] || {
        but_loser=yes
        shift
    }
    wait_settled 40 $NODES
    old=$MASTER
    slave=$(first $(others "$old"))
    start_writers "$name"
    wait_for 20 acknowledged_since "$name-vip" 0
    wait_for 20 acknowledged_since "$name-vip2" 0
    # Two faults at once are none of these cases.
    wait_for 20 may_take_over $NODES
    t=$(now_s)
    broken=$t
    "$1" "$old" "$slave"
    wait_for "${STALL:-60}" acknowledged_since "$name-vip" "$(now_s)" || {
        echo "nothing is acknowledged after the fault"
        how_it_stands
        return 1
    }
    sleep_writers
    "$2" "$old" "$slave"
    wait_settled "${SETTLE:-60}" $NODES
    [ "${SAME:-no}" = no ] || equal "$old" "$MASTER"
    wait_for 20 acknowledged_since "$name-vip" "$(now_s)"
    stop_writers
    tell_stall "$what" "$MASTER" "$name-vip" "$t" | tee -a "$MACHINES/times"
    [ -z "${LIMIT:-}" ] || stall "$name-vip2" "$t" | awk -v limit="$LIMIT" '{ exit !($1 <= limit) }' || {
        echo "a patient writer waited $(stall "$name-vip2" "$t") s, more than $LIMIT"
        return 1
    }
    if [ $but_loser = yes ]; then
        # Of two without quorum it may be either.
        loser=$old
        [ "$MASTER" != "$old" ] || loser=$slave
        check_data "$name" --but "$loser" "$broken" $NODES
        "$here/loser" "$loser" "$broken" "$(reported "$loser" "${broken%.*}")" "$MACHINES/dump-$MASTER" "$MACHINES"/writes-"$name"-*
        return 0
    fi
    check_data "$name" $NODES || {
        how_it_stands
        return 1
    }
}

# What a loser tells that it had: its last transaction, when its data was replaced. It is the node that says it, and the agent.
reported() { # NODE SINCE
    MACHINE_TIMEOUT=10 machine "$1" journalctl -b --no-pager -o cat --since "@$2" -t confd-ha-node |
        sed -n 's/^The copy replaces .* transaction \('"$1"'-[^ ,]*\), by .*/\1/p' | tail -n 1
}

answered_since() { # NAME TIME
    awk -v t="$2" '$1 > t && $2 != "lost" { found = 1; exit } END { exit !found }' "$MACHINES/writes-$1"
}

# Some writes more in the state that the fault has made, so that the way back has something to lose.
sleep_writers() { wait_for 20 acknowledged_since "$name-vip" "$(awk -v t="$(now_s)" 'BEGIN { printf "%.3f", t + 0.7 }')"; }

nothing() { :; }
power_off_first() { machine_power_off "$1"; }
# The set has the slaves, and their scores have not been given yet.
take_scores_and_power_off() { # MASTER
    local n
    machine "$1" systemctl stop confd-ha-pacemaker-watch.service
    for n in $(others "$1"); do machine "$1" attrd_updater --name master-confd --update=-INFINITY --node "$n"; done
    machine_power_off "$1"
}
power_on_first() { machine_power_on "$1"; }
# The same faults with a promotable resource that does nothing: what the framework alone needs. Before ConfD's is configured, so that
# neither waits for the other. ROUNDS: how often each.
times_of_a_dummy() {
    local fault round
    configure_dummy
    wait_for 60 dummy_settled
    for round in $(seq "${ROUNDS:-1}"); do for fault in "power-off of the master:power_off_first:power_on_first" "standby of the master:standby_first:online_first" \
        "move:move_dummy:clear_dummy" "partition of the master, with carrier:silence_first:unsilence"; do
        time_of_a_dummy "$fault"
    done; done
    remove_dummy
}

# ROUNDS of the faults whose times are in the documents, one after the other, so that all of them see the machine as it is; and in an
# order that has no node lose its ConfD twice in a minute, for then another one takes over.
times_of_confd() {
    local round
    for round in $(seq "$ROUNDS"); do
        fault "t$round-off" "power-off of the master" power_off_first power_on_first
        fault "t$round-kill" "kill of ConfD at the master" kill_first nothing
        fault "t$round-standby" "standby of the master" standby_first online_first
        fault "t$round-freezes" "freeze of ConfD at a slave" freeze_second thaw_second
        fault "t$round-move" "move" move_to_second clear_moves
        fault "t$round-freeze" "freeze of ConfD at the master" freeze_first thaw_first
        fault "t$round-silence" "partition of the master, with carrier" --but-loser silence_first unsilence
        fault "t$round-kills" "kill of ConfD at a slave" kill_second nothing
        fault "t$round-offs" "power-off of a slave" power_off_second power_on_second
    done
}

# "WHAT | SECONDS" on standard input: for each the median, the least and the most, and how many.
medians() {
    sort -t '|' -k1,1 -k2,2n | awk -F ' *[|] *' '
        function tell() { if (n) printf "%s | median %.2f | %.2f to %.2f | n=%d\n", what, (v[int((n + 1) / 2)] + v[int((n + 2) / 2)]) / 2, v[1], v[n], n }
        $1 != what { tell(); what = $1; n = 0 }
        { v[++n] = $2 }
        END { tell() }'
}

dummy_holder() { vip_holders $NODES | sed 's/ $//'; }
dummy_settled() { [ "$(dummy_holder | wc -w)" = 1 ] && online $NODES; }
dummy_elsewhere() { [ -n "$(vip_holders $(others "$1"))" ]; }
move_dummy() { machine "$1" crm_resource --move --resource dummy-clone --node "$2" --promoted; }
clear_dummy() { machine "$1" crm_resource --clear --resource dummy-clone; }

time_of_a_dummy() { # WHAT:BREAK:MEND
    local what=${1%%:*} break mend holder other t
    break=${1#*:} && mend=${break#*:} && break=${break%:*}
    wait_for 60 dummy_settled
    holder=$(dummy_holder)
    other=$(first $(others "$holder"))
    start_writers dummy
    wait_for 20 answered_since dummy-vip 0
    t=$(now_s)
    $break "$holder" "$other"
    wait_for 60 dummy_elsewhere "$holder"
    wait_for 20 answered_since dummy-vip "$(now_s)"
    $mend "$holder" "$other"
    wait_for 60 dummy_settled
    stop_writers
    tell_stall "a promotable dummy: $what" "$(dummy_holder)" dummy-vip "$t" any | tee -a "$MACHINES/times"
}

# A slave's connection to a master that lives breaks, and nobody sees to it: the watch is stopped, and a monitor's look waits for its lock.
break_link() { # MASTER SLAVE
    local n
    for n in $NODES; do machine "$n" systemctl stop confd-ha-pacemaker-watch.service; done
    machine "$1" systemd-run --quiet --unit=hold-look flock /run/resource-agents/confd-ha-confd.look.lock sleep 600
    ip netns exec "$machine_tag-$2" nft -f - <<'END'
table inet broken { chain in { type filter hook input priority 0; tcp sport 4570 tcp flags & rst == 0 reject with tcp reset; }
chain out { type filter hook output priority 0; tcp dport 4570 tcp flags & rst == 0 reject with tcp reset; }; }
END
    wait_for 30 is_role "$2" none
}
mend_link() { # MASTER SLAVE
    local n
    ip netns exec "$machine_tag-$2" nft delete table inet broken
    machine "$1" systemctl stop hold-look.service
    for n in $NODES; do machine "$n" systemctl start confd-ha-pacemaker-watch.service; done
}
score_is() { [ "$(machine "$1" crm_attribute --node "$1" --name master-confd --lifetime reboot --query --quiet)" = "$2" ]; } # NODE SCORE
has_failed() { crm_mon_one "$1" | grep "$2"; } # NODE, which is asked, OPERATION
was_demoted() { # NODE: its ConfD, since the link broke
    machine "$1" journalctl -b --no-pager -o cat --since "@${broken%.*}" -t confd-ha-node | grep 'State none, was master'
}

# An administrator moves the role there, which has not what was acknowledged since: it stays, with the virtual address, and nothing has
# failed.
break_link_and_move() { # MASTER SLAVE
    break_link "$@"
    wait_for 30 acknowledged_since "$name-vip" "$(now_s)"
    move_to_second "$@"
    # By which Pacemaker plans anew.
    wait_for 30 score_is "$2" -INFINITY
}
mend_link_and_clear() {
    has_vip "$1"
    fails was_demoted "$1"
    fails eval 'crm_mon_one "$1" | grep "confd_\(demote\|promote\)"'
    mend_link "$@"
    clear_moves "$1"
}

# Under writers of that name. Sets $old, the master, $slave and $broken, the time.
lose_the_link_of_a_slave() { # NAME
    wait_settled 60 $NODES
    old=$MASTER
    slave=$(first $(others "$old"))
    start_writers "$1"
    wait_for 20 acknowledged_since "$1-vip" 0
    broken=$(now_s)
    break_link "$old" "$slave"
}

# The same between Pacemaker's notification and its demote: that keeps the role, tells why, and makes Pacemaker plan anew.
demote_for_who_is_not_in_sync() {
    local old slave out rc=0 broken
    lose_the_link_of_a_slave keep
    out=$(machine "$old" env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=confd:0 OCF_RESKEY_confd_unit=confd-ha-node.service \
        OCF_RESKEY_CRM_meta_on_node="$old" OCF_RESKEY_CRM_meta_timeout=30000 OCF_RESKEY_CRM_meta_notify_demote_uname="$old " \
        OCF_RESKEY_CRM_meta_notify_promote_uname="$slave " $AGENT demote 2>&1) || rc=$?
    equal 1 "$rc"
    contains "$out" "$old stays master: $slave is to be the next one, and is not in sync (not connected"
    fails was_demoted "$old"
    equal "$old: $old $(others "$old" | tr ' ' '\n' | grep -vx "$slave" | tr '\n' ' ' | sed 's/ *$//')" "$(set_of "$old")"
    wait_for 10 acknowledged_since keep-vip "$(now_s)"
    mend_link "$old" "$slave"
    wait_settled 60 $NODES
    equal "$old" "$MASTER"
    stop_writers
    check_data keep $NODES
}

# What a master does about a stop it does behind Pacemaker's back, and who was stopped may follow again meanwhile.
notify_master() { # TYPE OPERATION NODE [SETTING...]
    local type=$1 operation=$2 node=$3
    shift 3
    machine "$MASTER" env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=confd:0 OCF_RESKEY_confd_unit=confd-ha-node.service \
        OCF_RESKEY_CRM_meta_on_node="$MASTER" OCF_RESKEY_CRM_meta_timeout=20000 OCF_RESKEY_CRM_meta_notify_type="$type" \
        OCF_RESKEY_CRM_meta_notify_operation="$operation" OCF_RESKEY_CRM_meta_notify_${operation}_uname="$node " "$@" $AGENT notify 2>&1
}
declared_dead() { # NODE: by the master, since $began
    machine "$MASTER" journalctl -b --no-pager -o cat --since "@${began%.*}" -t confd-ha-node | grep "Slave $1 .*declared dead"
}
stop_that_is_told_late() {
    local slave began
    wait_settled 60 $NODES
    slave=$(first $(others "$MASTER"))
    wait_for 30 may_take_over $NODES
    began=$(now_s)
    notify_master pre start "$slave"
    # The watch looks at everything that is called so.
    equal confd-ha-confd "$(machine "$MASTER" sh -c 'cd /run/resource-agents && ls -d confd-ha-* | grep -v "lock$"')"
    notify_master post stop "$slave" CONFD_HA_BEHIND=yes
    fails declared_dead "$slave"
    follows_in_sync "$slave" "$MASTER"
    is_in_set "$MASTER" "$slave"
    # One who has not been started since is gone, whatever the connection looks like.
    notify_master post stop "$slave"
    notify_master post stop "$slave" CONFD_HA_BEHIND=yes # what was left behind may have ended with its caller
    wait_for 30 declared_dead "$slave"
    wait_settled 60 $NODES
}

# Nor does a master whose role is taken from it for nobody leave in the set whom it has lost.
stop_with_a_broken_link() {
    local old slave broken
    lose_the_link_of_a_slave left
    wait_for 30 acknowledged_since left-vip "$(now_s)"
    crm --wait resource stop confd-clone
    was_demoted "$old"
    fails is_in_set "$old" "$slave"
    mend_link "$old" "$slave"
    crm --wait resource start confd-clone
    wait_settled 60 $NODES
    stop_writers
    check_data left $NODES
}

# Debian's judge of agents, on a machine where the cluster has nothing to do with ConfD any more.
ocf_tester_passes() {
    wait_settled 60 $NODES
    crm --wait resource stop vip
    crm --wait resource stop confd-clone
    # It runs the agent as a resource of its own, which has no set yet: the administrator says whose data counts.
    machine n1 crm_attribute -t crm_config -s confd-ha -n confd-ha-trust-tested -v n1
    MACHINE_TIMEOUT=120 machine n1 ocf-tester -n tested -o confd_unit=confd-ha-node.service $AGENT
}

# An inhibitor is for people; the cluster goes on.
is_inhibited() { property "$1" Inhibitors | grep -q backup; }
move_to_inhibited() {
    machine "$2" systemd-run --quiet --unit=inhibitor "$(machine "$2" sh -c 'command -v confd-hactl')" inhibit --who=tests --why=backup sleep 600
    wait_for 10 is_inhibited "$2"
    move_to_second "$@"
}
uninhibit() {
    is_inhibited "$2"
    machine "$2" systemctl stop inhibitor.service
    clear_moves "$1"
}
# With fencing, who is cut off is switched off.
power_on_what_was_fenced() {
    machine_undrop
    grep -q " $1 is off" "$MACHINES/switched"
    power_on_first "$1"
}
power_off_second() { machine_power_off "$2"; }
power_on_second() { machine_power_on "$2"; }
kill_first() { kill_node_program "$1"; }
kill_second() { kill_node_program "$2"; }
kill_service() { machine "$1" systemctl kill --signal=KILL confd-ha.service; }
# The service is started anew, and ConfD goes on as it was.
process_of_confd() { machine "$1" systemctl show -P MainPID confd-ha-node.service; }
freeze_service() {
    process=$(process_of_confd "$1")
    machine "$1" systemctl kill --signal=STOP confd-ha.service
}
keeps_process() {
    wait_for 30 is_role "$1" master
    equal "$process" "$(process_of_confd "$1")"
}
kill_polkit() { machine "$1" systemctl kill --signal=KILL polkit.service || true; }
kill_bus() { machine "$1" systemctl kill --signal=KILL dbus.service; }
freeze_first() { machine "$1" systemctl kill --signal=STOP confd-ha-node.service; }
freeze_second() { machine "$2" systemctl kill --signal=STOP confd-ha-node.service; }
# One that was killed meanwhile has no use for it.
thaw_first() { machine "$1" systemctl kill --signal=CONT confd-ha-node.service || true; }
thaw_second() { machine "$2" systemctl kill --signal=CONT confd-ha-node.service || true; }
silence_first() { machine_drop "$1"; }
silence_second() { machine_drop "$2"; }
unsilence() { machine_undrop; }
unplug_first() { machine_carrier "$1" down; }
unplug_second() { machine_carrier "$2" down; }
plug_first() { machine_carrier "$1" up; }
plug_second() { machine_carrier "$2" up; }
standby_first() { machine "$2" crm node standby "$1"; }
online_first() { machine "$2" crm node online "$1"; }
stop_pacemaker() { machine "$1" systemctl stop pacemaker.service; }
start_pacemaker() { machine "$1" systemctl start pacemaker.service; }
move_to_second() { machine "$1" crm_resource --move --resource confd-clone --node "$2" --promoted; }
clear_moves() { machine "$1" crm_resource --clear --resource confd-clone; }

online_in_standby() {
    local n
    for n; do [ "$(MACHINE_TIMEOUT=10 machine "$n" crm_node -p 2>/dev/null | wc -w)" = $# ] || return 1; done
    MACHINE_TIMEOUT=10 machine "$1" crm_mon -1 2>/dev/null | grep -c ': standby' | grep -qx $#
}

# The one with the last data does not come back: an administrator says whose data is to count instead, and is told what that costs.
administrators_word() {
    local last stale third n
    wait_settled 60 $NODES
    last=$MASTER
    stale=$(first $(others "$last"))
    third=$(first $(others "$last" | tr ' ' '\n' | grep -vx "$stale"))
    machine "$last" crm node standby "$stale"
    machine "$last" crm node standby "$third"
    wait_for 30 set_is "$last" "$last: $last"
    for n in "$stale" "$third" "$last"; do machine_power_off "$n"; done
    # The two have quorum, and nobody is promoted.
    machine_power_on "$stale"
    machine_power_on "$third"
    wait_for 60 online_in_standby "$stale" "$third"
    machine "$stale" crm node online "$stale"
    machine "$stale" crm node online "$third"
    wait_for 60 online "$stale" "$third"
    machine "$stale" crm_attribute -t crm_config -s confd-ha -n confd-ha-trust-confd -v "$stale"
    wait_for 60 is_role "$stale" master
    wait_for 10 eval 'machine "$stale" journalctl -b --no-pager -o cat -t "confd-ha(confd)" | grep -q "by the administrator.s word.*lost is what"'
    fails machine "$stale" crm_attribute -t crm_config -s confd-ha -n confd-ha-trust-confd -G -q
    machine_power_on "$last"
    wait_settled 60 $NODES
    equal "$stale" "$MASTER"
    check_data none $NODES
}

# In maintenance-mode nobody but the administrator gives orders: a role that is lost stays lost.
maintenance_mode() {
    wait_settled 60 $NODES
    local old=$MASTER
    machine "$old" crm_attribute -t crm_config -n maintenance-mode -v true
    kill_node_program "$old"
    wait_for 10 is_role "$old" none
    machine "$old" systemctl restart confd-ha.service
    wait_for 10 is_role "$old" none
    equal "" "$(masters $NODES)"
    machine "$old" crm_attribute -t crm_config -n maintenance-mode -D
    wait_settled 60 $NODES
    check_data none $NODES
}

set_of() { # what the cluster's configuration has
    machine "$1" crm_attribute -t crm_config -s confd-ha -n confd-ha-set-confd -G -q 2>/dev/null
}
is_in_set() { set_of "$1" | grep "[ ]$2"; } # NODE, which is asked, NODE
set_is() { [ "$(set_of "$1")" = "$2" ]; }
# Whether every one of them may take over from the master, as it has written down.
may_take_over() { # NODE...
    local n set
    set=$(set_of "$MASTER")
    for n; do [ "$n" = "$MASTER" ] || { [[ " $set " == *" $n "* ]] && MACHINE_TIMEOUT=10 score_is "$n" 90; } || return 1; done
}

# One goes before the others write on; then these go. They come back in this order, each when the one before has booted, whoever
# then has quorum.
total_loss() { # NAME "stale|third|last"...
    local name=$1 stale last third who
    shift
    wait_settled 60 $NODES
    stale=$(first $(others "$MASTER"))
    start_writers "$name"
    wait_for 20 acknowledged_since "$name-vip" 0
    machine_power_off "$stale"
    wait_for 30 eval '! set_of "$MASTER" | grep -q "[ ]$stale"'
    wait_for 60 acknowledged_since "$name-vip" "$(now_s)"
    last=$MASTER
    third=$(first $(others "$last" | tr ' ' '\n' | grep -vx "$stale"))
    machine_power_off "$last"
    machine_power_off "$third"
    stop_writers
    for who; do
        # Two have quorum: if one of them has the data, it is master before the last one comes.
        [ "$who" != "$3" ] || wait_for 90 eval 'is_role "$third" master || is_role "$last" master'
        machine_power_on "${!who}"
    done
    wait_settled 90 $NODES
    check_data "$name" $NODES
}
total_loss_in_every_order() {
    local n=0 order
    for order in "stale last third" "third stale last" "third last stale" "last stale third" "last third stale"; do
        n=$((n + 1))
        echo "back in the order: $order"
        total_loss "order$n" $order
    done
}

# The only one with the last data does not come back at first: nobody is promoted until it does.
only_the_last_has_it() {
    local last a b
    wait_settled 60 $NODES
    last=$MASTER
    a=$(first $(others "$last"))
    b=$(first $(others "$last" | tr ' ' '\n' | grep -vx "$a"))
    # Its data ends here; the cluster goes on without it.
    machine "$a" systemctl stop pacemaker.service corosync.service
    start_writers only
    wait_for 20 acknowledged_since only-vip "$(now_s)"
    machine "$last" crm node standby "$b"
    wait_for 20 set_is "$last" "$last: $last"
    machine "$last" crm node online "$b" || true
    wait_for 20 acknowledged_since only-vip "$(now_s)"
    machine "$b" systemctl stop pacemaker.service corosync.service
    machine_power_off "$last"
    stop_writers
    each_of "$a $b" start_cluster_again
    wait_for 30 online "$a" "$b"
    sleep 20 # long enough for whoever would offer itself
    equal "" "$(masters "$a" "$b")"
    machine_power_on "$last"
    wait_settled 90 $NODES
    check_data only $NODES
}
start_cluster_again() { machine "$1" systemctl start corosync.service pacemaker.service; }
each_of() {
    local n
    for n in $1; do "$2" "$n"; done
}

# A node that cannot join is a failure of that node, and of nobody else. BREAK and MEND get its name.
cannot_follow() { # NAME BREAK MEND
    local name=$1 old bad
    wait_settled 60 $NODES
    old=$MASTER
    bad=$(first $(others "$old"))
    start_writers "$name"
    "$2" "$bad"
    kill_node_program "$bad"
    wait_for 60 tells_that_it_does_not_follow "$old" "$bad"
    equal "$old " "$(masters $NODES)"
    wait_for 10 acknowledged_since "$name-vip" "$(now_s)"
    "$3" "$bad"
    forget_failures "$old"
    wait_settled 60 $NODES
    equal "$old" "$MASTER"
    stop_writers
    check_data "$name" $NODES
}
tells_that_it_does_not_follow() { crm_mon_one "$1" | grep -q "$2.*ConfD does not follow"; } # MASTER, which is asked, NODE
forget_failures() { machine "$1" crm_resource --cleanup --resource confd-clone >/dev/null 2>&1; }
another_token() {
    echo another-token-that-nobody-else-has | machine "$1" sh -c 'cat >/etc/confd-ha/token'
    machine "$1" systemctl restart confd-ha.service
}
the_same_token() {
    echo 0123456789abcdef0123456789abcdef | machine "$1" sh -c 'cat >/etc/confd-ha/token'
    machine "$1" systemctl restart confd-ha.service
}
another_schema() {
    machine "$1" sh -c 'mkdir -p /etc/confd-ha/schema && echo another >/etc/confd-ha/schema/one.fxs &&
        printf "[Node]\nSchemaDirectory=/etc/confd-ha/schema\n" >/etc/confd-ha/node.conf.d/zz-schema.conf'
}
the_same_schema() {
    machine "$1" rm /etc/confd-ha/node.conf.d/zz-schema.conf
    kill_node_program "$1"
}
crm_mon_one() { MACHINE_TIMEOUT=10 machine "$1" crm_mon -1 -f 2>/dev/null; }

# ---- the agent by itself, on one of the machines ----

agent() { machine n1 env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=other "$@"; }
AGENT=/usr/lib/ocf/resource.d/confd-ha/confd-ha

meta_data_is_valid() {
    agent $AGENT meta-data >"$MACHINES/meta-data.xml"
    xmllint --noout --relaxng /usr/share/resource-agents/metadata.rng "$MACHINES/meta-data.xml"
}

# A look and an action may come together: in each of these the action has changed the role while the look asks ConfD, and the look has to
# leave it so. Of an instance of its own, with the watch out of the way.
a_look_leaves_what_an_action_did() {
    local before after
    machine n1 systemctl stop confd-ha-pacemaker-watch.service
    for before in promoted started; do
        after=started
        [ $before = promoted ] || after=promoted
        machine n1 bash -ec '
            rm -rf /run/look-lib && cp -r /usr/lib/ocf/lib/confd-ha /run/look-lib
            echo "ask() { sed -i s/^role=.*/role='$after'/ \$MARKER; state=none slaves= absent=; }" >>/run/look-lib/lead.sh
            printf "node=n1\nrole='$before'\nconfd_unit=confd-ha-node.service\naddress=\ntimeout=5\n" >/run/resource-agents/confd-ha-other'
        agent CONFD_HA_LIB=/run/look-lib $AGENT look || true
        machine n1 cat /run/resource-agents/confd-ha-other
        machine n1 grep -qx "role=$after" /run/resource-agents/confd-ha-other
    done
    machine n1 sh -c 'rm -r /run/look-lib /run/resource-agents/confd-ha-other*'
    machine n1 systemctl start confd-ha-pacemaker-watch.service
}

# status ACTION WANTED [SETTING...]: the exit status that the cluster goes by
status() {
    local action=$1 wanted=$2 got=0
    shift 2
    agent "$@" $AGENT "$action" >/dev/null 2>&1 || got=$?
    equal "$wanted" "$got"
}
parameters_are_checked() {
    status validate-all 0
    status validate-all 6 OCF_RESKEY_timeout=soon
    status validate-all 6 OCF_RESKEY_timeout=0
    status validate-all 6 OCF_RESKEY_confd_unit=/bin/sh
    status validate-all 6 OCF_RESKEY_address=n1.example
    status validate-all 0 OCF_RESKEY_address=fd77::1
    status validate-all 6 OCF_RESKEY_CRM_meta_promoted_max=2
    status nonsense 3
}
# State none is both "stopped" and "started, without a master": only the agent's own marker tells.
probe_of_what_was_not_started() {
    status monitor 7 OCF_RESKEY_CRM_meta_interval=0
    status monitor 7 OCF_RESKEY_CRM_meta_interval=10000
    status notify 0 OCF_RESKEY_CRM_meta_notify_type=pre OCF_RESKEY_CRM_meta_notify_operation=stop
    status notify 0 OCF_RESKEY_CRM_meta_notify_type=post OCF_RESKEY_CRM_meta_notify_operation=stop
    status promote 7
}
