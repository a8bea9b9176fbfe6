# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# What the master does about its slaves and itself. To be sourced by ocf:confd-ha:confd-ha.

# ---- what the master does ----

# shellcheck disable=SC2120
# Compares the membership with ConfD's slaves: the set, slave-dead, the scores. 75: some slave is on its way in.
look_at_slaves() { # nodes that count as gone
    local gone=" $* " n in_now='' again=0 dead='' known
    ask_membership || return 0
    # A stalled master in a minority must not become one that acknowledges.
    [ "$quorate" = yes ] || {
        say info "$ACTION: no quorum: slaves stay as they are"
        return 0
    }
    ask_configuration || return $AGAIN
    [ "$maintenance" = no ] || return 0
    [ -z "$set" ] || [ "$set_master" = "$NODE" ] || {
        say warning "$ACTION: $set_master is the master of the cluster's set, not this node: nothing is changed"
        return 0
    }
    ask_scores
    attributes "$ATTR_SYNC"
    for n in $slaves; do
        attribute_of "$n"
        if ! is_in "$n" "$members" || is_in "$n" "$gone"; then
            dead="$dead $n"
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
    for n in $dead; do
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

# Promoted, and ConfD has no role any more. Where another node may take over, a lower score moves the role there, without
# a stop and a start in between; else Pacemaker is told of the failure, and gives the role again.
look_at_lost_role() {
    local pair n
    now
    [ -z "$lost" ] || [ $((cs - lost)) -ge 500 ] || return $AGAIN
    ask_membership && [ "$quorate" = yes ] || return 0
    ask_configuration && [ "$maintenance" = no ] || return 0
    ask_scores
    # A demote holds the lock from its order to its word in the marker.
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

# Not an action of Pacemaker's: confd-ha-pacemaker-watch calls it when ConfD's state or the membership has changed.
look() {
    local rc
    marker_read || exit 0
    ask
    rc=$?
    if [ "$role" = promoted ]; then
        case $rc-$state-$absent in
        0-master-*)
            look_at_slaves
            exit
            ;;
        0-none-* | 0-slave*)
            look_at_lost_role
            exit
            ;;
        3-*-confd)
            # Lost with its process, or another client has displaced the service: that one is for an administrator.
            case $json in *Error.Displaced*) exit $AGAIN ;; esac
            ! is_same_process || exit $AGAIN
            look_at_lost_role
            exit
            ;;
        esac
        exit $AGAIN
    fi
    [ $rc = 0 ] || exit $AGAIN
    ask_configuration && [ "$maintenance" = no ] || exit 0
    tell_sync
    ask_scores
    find_promoted
    if [ -z "$promoted" ]; then
        ask_membership && [ "$quorate" = yes ] || exit 0
        offer_itself
        exit 0
    fi
    follow || exit $AGAIN
    follows && [ "$in_sync" = yes ] || exit $AGAIN
    exit 0
}
