# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# What the master does about its slaves and itself. To be sourced by ocf:confd-ha:confd-ha.

# ---- what the master does ----

# A set that is another's is so for longer than what is on its way here from the one who wrote it.
is_overtaken() {
    now
    [ -n "$overtaken" ] || note "overtaken=$cs" || return 1
    [ $((cs - overtaken)) -ge $OVERTAKEN_CS ]
}

# The set has another master. If that is promoted as well, as after a pause of this whole machine, it was so with quorum, and its data
# counts: this node gives up its role, whatever Pacemaker makes of two with one score.
give_way() {
    is_in "$set_master=$SCORE_MASTER" "$scores" && is_in "$set_master" "$members" || {
        say warning "$ACTION: $set_master is the master of the cluster's set, not this node: nothing is changed"
        return 0
    }
    is_overtaken || return $AGAIN
    say warning "$ACTION: $set_master is promoted as well, and is the master of the cluster's set: this node gives up its role"
    set_score -INFINITY
    return $AGAIN
}

# shellcheck disable=SC2120
# Compares the membership with ConfD's slaves: the set, slave-dead, the scores. 75: some slave is on its way in.
look_at_slaves() { # nodes that count as gone
    local away=" $* " n in_now='' again=0 dead='' known started=''
    # One at a time: the watch, a monitor and a notification may come together.
    exec 8>>"$MARKER.look.lock"
    flock -w 3 8 || return $AGAIN
    marker_read && [ "$role" = promoted ] || return 0
    find_leaving
    # While that was waited for another look may have written down what has changed since.
    ask 1 && [ "$state" = master ] || return $AGAIN
    ask_membership || return 0
    # A stalled master in a minority must not become one that acknowledges.
    [ "$quorate" = yes ] || {
        say info "$ACTION: no quorum: slaves stay as they are"
        return 0
    }
    ask_configuration || return $AGAIN
    [ "$maintenance" = no ] || return $LATER
    ask_scores
    [ -z "$set" ] || [ "$set_master" = "$NODE" ] || {
        give_way
        return
    }
    [ -z "$overtaken" ] || note overtaken= || return 0
    attributes "$ATTR_SYNC"
    # What it said as a slave. Not before all is calm: each change of an attribute stops a transition.
    [ "$ACTION" != monitor ] || {
        attribute_of "$NODE"
        [ "$value" = no ] || set_attribute "$ATTR_SYNC" no
    }
    read_started
    for n in $slaves; do
        attribute_of "$n"
        if ! is_in "$n" "$members" || { is_in "$n" "$away" && ! is_in "$n" " $started "; }; then
            dead="$dead $n"
        elif is_in "$n" "$leaving_nodes"; then
            again=$AGAIN
        elif [ "$value" = "$NODE" ]; then
            in_now="$in_now $n"
        else
            again=$AGAIN
        fi
    done
    marker_read && [ "$role" = promoted ] || return 0
    write_set "$NODE: $NODE$in_now" || {
        say warning "$ACTION: the cluster's configuration does not take who is in sync; nothing is done about slaves yet"
        return $AGAIN
    }
    [ "$written" = "$set" ] || note "written=$set" || return 0
    read_started
    for n in $dead; do
        is_in "$n" "$members" && is_in "$n" " $started " && continue
        if order slave-dead "$n"; then
            say notice "$ACTION: $n is gone: slave-dead"
        else
            why
            say warning "$ACTION: slave-dead $n: $words"
            again=$AGAIN
        fi
    done
    set_score $SCORE_MASTER
    for known in $scores; do
        n=${known%=*}
        [ "$n" = "$NODE" ] || is_in "$n" " $in_now " || ! is_in "$n" "$members" || set_score -INFINITY "$n"
    done
    for n in $in_now; do set_score $SCORE_IN_SYNC "$n"; done
    return $again
}

# Who is about to be stopped, follows still and is in the set no more. Sets $leaving_nodes, with blanks around each.
find_leaving() {
    leaving_nodes=' '
    now
    [ -z "$leaving" ] || [ $((cs - ${leaving%% *})) -ge $LEAVING_CS ] || leaving_nodes=" ${leaving#* } "
}

# The stop of these is over: of those that have not been started since, and may be about to be stopped once more.
have_left() {
    local n still='' started=''
    read_started
    for n in ${leaving#* }; do
        is_in "$n" " $OCF_RESKEY_CRM_meta_notify_stop_uname " && ! is_in "$n" " $started " || still="$still $n"
    done
    note "leaving=${still:+${leaving%% *}$still}"
}

# Slaves are about to be stopped in order. ConfD goes on without them from then on, so what is acknowledged is not theirs: the set tells
# that before they are, and no look tells otherwise meanwhile.
let_go() {
    local n still=''
    ! is_in "$NODE" " $OCF_RESKEY_CRM_meta_notify_stop_uname " || return 0
    ! ask 1 || [ "$state" = master ] || return 0
    now
    note "leaving=$cs $OCF_RESKEY_CRM_meta_notify_stop_uname" || return 0
    exec 8>>"$MARKER.look.lock"
    flock -w 1 8
    ask_membership && [ "$quorate" = yes ] && ask_configuration && [ "$set_master" = "$NODE" ] || return 0
    for n in $set_nodes; do is_in "$n" " $OCF_RESKEY_CRM_meta_notify_stop_uname " || still="$still $n"; done
    write_set "$NODE:$still" || {
        say warning "notify: the cluster's configuration does not take who is in sync:$still"
        return 0
    }
    [ "$written" = "$set" ] || note "written=$set"
}

# ---- giving up the role ----

# Whether another node is to be promoted in this transition. A score that changes would stop it, and the new master will change it.
# Sets $target, who is to be promoted.
is_handing_over() {
    target=$OCF_RESKEY_CRM_meta_notify_promote_uname
    target=${target% }
    [ -n "$target" ] && [ "$target" != "$NODE" ]
}

# Whom ConfD does not list any more has not what was acknowledged since, and may not take over. The master's look tells that too, some
# tenths of a second after it was lost; who gives up the role in between tells it now. The configuration is asked only if what was last
# written there is not true any more.
leave_a_true_set() {
    local n still='' true=yes
    [ -n "$asked" ] || ask 1
    [ "$state" = master ] || return 0
    for n in ${written#*: }; do is_in "$n" " $NODE$slaves" || true=no; done
    [ -z "$written" ] || [ $true = no ] || return 0
    ask_configuration && [ "$set_master" = "$NODE" ] || return 0
    for n in $set_nodes; do
        ! is_in "$n" " $NODE$slaves" || still="$still $n"
    done
    write_set "$NODE:$still" || say warning "$ACTION: the cluster's configuration does not take who is in sync:$still"
}

# At a master: whether $target has what was written last. Sets $target_why, and $asked: ConfD was, a moment ago.
is_target_in_sync() {
    asked=yes
    ask 1 && [ "$state" = master ] || return 0 # no role is left to be kept
    attributes "$ATTR_SYNC"
    attribute_of "$target"
    if ! is_in "$target" "$slaves"; then
        target_why="not connected to the ConfD here, or only being given all data"
    elif [ "$value" != "$NODE" ]; then
        target_why="its data is not in place yet"
    else
        return 0
    fi
    return 1
}

# Before this node gives up its role for $target. Writes go on meanwhile.
wait_for_the_target() {
    local until
    now
    until=$((cs + TARGET_PATIENCE_CS))
    while ! is_target_in_sync; do
        now
        left
        [ $cs -lt $until ] && [ "$left" -gt 500 ] || return 1
        sleep 0.1
    done
}

# What makes Pacemaker plan anew.
refuse_the_target() {
    ask_scores
    set_score -INFINITY "$target"
}

# Pacemaker is about to have this node demoted. Where that is for a node that is not in sync any more, which the next look would have
# told, it is told here, before anything is done: a demote that refuses is a failure, which Pacemaker mends with a stop and a start.
# Nothing of this can be heard as long as it is not in Pacemaker's own record, which every change of it reaches before the end of this.
warn_of_the_target() {
    local target tries=0 score asked=yes
    is_in "$NODE" " $OCF_RESKEY_CRM_meta_notify_demote_uname " && is_handing_over && [ -z "$overtaken" ] || return 0
    ask 1 && [ "$state" = master ] && ! is_in "$target" "$slaves" || return 0
    say warning "notify: $NODE stays master: $target is to be the next one, and is not connected to the ConfD here any more"
    refuse_the_target
    leave_a_true_set
    while [ $tries -lt 20 ]; do
        score=$(bounded 100 crm_attribute --node "$target" --name "$ATTR_SCORE" --lifetime reboot --query --quiet 2>/dev/null)
        [ "$score" != -INFINITY ] || return 0
        tries=$((tries + 1))
        sleep 0.05
    done
}

# At a master: which process it is, so that its end can be told from a connection's. With it what was lost before is over.
know_process() {
    [ -z "$process" ] || [ -n "$gone" ] || return 0
    find_process
    lock
    marker_read && [ "$role" = promoted ] && {
        process=$found_process quick=$found_quick gone='' lost=''
        marker_write
    }
    unlock
}

# What has to be so before anything is done about a role that is lost: with quorum, outside of maintenance-mode.
may_act() { ask_membership && [ "$quorate" = yes ] && ask_configuration && [ "$maintenance" = no ]; }

# ConfD was killed, and is there again without a role: it gets it back here, in less time than another node would take. Pacemaker
# promotes nobody else before it has demoted this node, so this data is the last. The slaves have lost their master, and
# do not count before they follow again: so it is written down first.
restore() {
    local rc before
    now
    [ -z "$lost" ] || return 1 # given up: another node is on the way
    [ -z "$restored" ] || [ $((cs - restored)) -ge $RESTORE_AGAIN_CS ] || return 1
    may_act || return 1
    [ "$set_master" = "$NODE" ] || return 1
    # A demote holds the lock from its order to its word in the marker.
    lock
    marker_read && [ "$role" = promoted ] || {
        unlock
        return 0
    }
    before=$set
    write_set "$NODE: $NODE" && order take-over "$NODE" "$NODE"
    rc=$?
    if [ $rc != 0 ]; then
        # Nothing was written meanwhile: whoever was in sync still is.
        write_set "$before" || say err "$ACTION: the set could not be restored to '$before'"
    else
        find_process
        now
        process=$found_process quick=$found_quick restored=$cs gone='' lost='' frozen='' written=$set
        marker_write
        say warning "$ACTION: ConfD lost the role of master, and has it again"
    fi
    unlock
    return $rc
}

# Promoted, and ConfD has no role any more, or is not there. One that is expected back in a moment is waited for.
look_at_lost_role() { # there|away
    now
    [ -n "$gone" ] || note "gone=$cs" || return $AGAIN
    if [ "$1" = there ]; then
        restore && {
            ask && [ "$state" = master ] && look_at_slaves
            return $AGAIN
        }
    elif [ -n "$quick" ] && [ $((cs - gone)) -lt $QUICK_RETURN_CS ]; then
        return $AGAIN
    fi
    give_up_role
}

# Where another node may take over, a lower score moves the role there, without a stop and a start in between; else Pacemaker is
# told of the failure, and gives the role again.
give_up_role() {
    local pair n
    now
    [ -z "$lost" ] || [ $((cs - lost)) -ge 500 ] || return $AGAIN
    may_act || return $LATER
    ask_scores
    lock
    marker_read && [ "$role" = promoted ] || return 0
    now
    lost=$cs
    marker_write
    unlock
    for pair in $scores; do
        n=${pair%=*}
        case $pair in
        "$NODE="*) ;;
        *"=$SCORE_IN_SYNC")
            is_in "$n" "$members" || continue
            say warning "$ACTION: ConfD lost the role of master; $n is in sync and may take over"
            set_score $SCORE_LOST_ROLE
            return $AGAIN
            ;;
        esac
    done
    say warning "$ACTION: ConfD lost the role of master, and no other node is in sync"
    bounded 500 crm_resource --fail --resource "$RSC" --node "$NODE" >/dev/null 2>&1
    return $AGAIN
}

# ConfD is there and has not answered for as long as one question may take. Whatever Pacemaker would do about it begins with
# killing it, and it holds up the writers meanwhile: at a slave, which the master waits for, as well as at the master.
look_at_frozen() {
    local which
    find_process
    which=$found_process
    may_act || return $LATER
    lock
    marker_read || return 0
    # An action may have killed it meanwhile.
    find_process
    [ "$which" = 0 ] || [ "$found_process" != "$which" ] || kill_confd "ConfD has not answered for $OCF_RESKEY_timeout s"
    unlock
    return $AGAIN
}

# It is the service that is there and answers nobody, and systemd's watchdog finds that much later. ConfD keeps its role while the service
# is started anew, as after any end of it.
look_at_hung_service() {
    may_act || return $LATER
    say warning "$ACTION: confd-ha.service has not answered for $OCF_RESKEY_timeout s; killing it, to be started anew"
    bounded 500 systemctl kill --signal=KILL confd-ha.service
    return $AGAIN
}

# Not an action of Pacemaker's: confd-ha-pacemaker-watch calls it when ConfD's state or the membership has changed.
look() {
    local rc
    marker_read && [ -n "$role" ] || exit 0
    ask $((OCF_RESKEY_timeout > 2 ? OCF_RESKEY_timeout - 1 : 1)) # it comes after a second without an answer
    rc=$?
    if [ $rc = 5 ]; then
        look_at_frozen
        exit
    fi
    if [ -n "$hung" ]; then
        look_at_hung_service
        exit
    fi
    if [ "$role" = promoted ]; then
        case $rc-$state-$absent in
        0-master-*)
            know_process
            look_at_slaves
            exit
            ;;
        0-none-* | 0-slave*)
            look_at_lost_role there
            exit
            ;;
        3-*-confd)
            # Lost with its process, or another client has displaced the service: that one is for an administrator.
            case $json in *Error.Displaced*) exit $AGAIN ;; esac
            ! is_same_process || exit $AGAIN
            look_at_lost_role away
            exit
            ;;
        esac
        exit $AGAIN
    fi
    [ $rc = 0 ] || exit $AGAIN
    ask_configuration && [ "$maintenance" = no ] || exit $LATER # no event tells that maintenance is over
    tell_sync
    ask_scores
    find_promoted
    if [ -z "$promoted" ]; then
        ask_membership && [ "$quorate" = yes ] || exit $AGAIN
        offer_itself
        exit $LATER # no event tells of a master elsewhere, but a notification does
    fi
    may_take_over && exit $LATER # a notification tells of who becomes master
    follow || exit $AGAIN
    follows && [ "$in_sync" = yes ] || exit $AGAIN
    exit 0
}
