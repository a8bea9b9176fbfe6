# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# What slaves and nodes without a master do. To be sourced by ocf:confd-ha:confd-ha.

# ---- what slaves do ----

# Tells the master by this node's attribute whether its data is in place. A slave that lost its master says nothing: each change of
# an attribute stops the transition that is to promote somebody, and a master lists it only when it follows again, before which it
# says "no".
tell_sync() {
    local now_in=no
    [ "$in_sync" = yes ] && [ "$state" != master ] && [ -n "$master_id" ] && now_in=$master_id
    [ "$state" = none ] && [ "$synchronizing" = no ] && [ "$last_how" = master-lost ] && return 0
    attributes "$ATTR_SYNC"
    attribute_of "$NODE"
    [ "$value" = "$now_in" ] || set_attribute "$ATTR_SYNC" "$now_in"
}

# After a be-slave that copies nothing: at once, for before the master has heard it and has written it down, nobody could take over from
# it. What takes longer is the watch's.
tell_arrival() {
    bounded 200 confd-hactl --quiet --timeout=1 wait in-sync >/dev/null 2>&1 || return 0
    ask && tell_sync
}

# Before a be-slave: not in sync with its master, if it was that before. Returns when all have it, as far as this node can tell.
tell_not_in_sync() {
    local tries=0
    attributes "$ATTR_SYNC"
    attribute_of "$NODE"
    [ "$value" = "$promoted" ] || return 0
    set_attribute "$ATTR_SYNC" no
    while [ "$value" = "$promoted" ] && [ $tries -lt 10 ]; do
        tries=$((tries + 1))
        attributes "$ATTR_SYNC"
        attribute_of "$NODE"
    done
}

# Whether this node has to wait before it follows: it lost $promoted, and may be the one to take over from it. A be-slave would
# spoil that. If $promoted lives as master, it finds this node missing and takes its score away; then it is followed again.
may_take_over() {
    [ "$last_master" = "$promoted" ] && [ "$last_how" = master-lost ] && [ "$in_sync" = no ] || return 1
    attributes=$scores
    attribute_of "$NODE"
    [ "$value" = $SCORE_IN_SYNC ]
}

# Two were promoted for a moment, and the cluster has kept the one that the set is not of: this node's data is what counts, and would be
# replaced. Who is master by the set and was it last does not follow, and asks to be promoted again.
is_the_winner() {
    [ "$last_role" = master ] && { [ "$ACTION" = look ] || ask_configuration; } && [ "$set_master" = "$NODE" ] || return 1
    is_overtaken || return 0
    say warning "$ACTION: $promoted is promoted, and this node is master by the cluster's set: it does not follow, but is to be promoted again"
    set_score $SCORE_MASTER
}

follows() { [ "$master_id" = "$promoted" ] && { [ "$state" = slave ] || [ "$synchronizing" = yes ]; }; }

# Follows $promoted, unless it does. Waits for no copy. What this node alone may have had is logged, for it is replaced.
follow() {
    local was_role=$role rc
    ! is_the_winner || return 1
    # With a master there, a start without one is over: a refusal of take-over counts again.
    [ -z "$cold$overtaken" ] || note cold= overtaken= || true
    follows && return 0
    [ "$ACTION" != look ] || ! may_take_over || return 1
    # The name is told while a be-slave is under way, the master only when it is done.
    [ "$synchronizing" = yes ] && [ "$state" = none ] && [ -z "$master_id" ] && [ "$ACTION" = look ] && return 0
    find_address "$promoted" || {
        problem "no address is known for $promoted: neither an attribute confd-ha-address nor a ring address"
        return 1
    }
    [ "$ACTION" != look ] && [ "$ACTION" != notify ] || lock
    marker_read && [ "$role" = "$was_role" ] && [ "$role" = started ] || {
        unlock
        return 0 # somebody has changed it since
    }
    if [ "$last_role" = master ]; then
        ask_transaction
        say warning "$ACTION: this node was master last, up to transaction $transaction; whatever $promoted does not have of it is replaced now"
    fi
    tell_not_in_sync
    order be-slave "$NODE" "$promoted" "$address" --no-wait
    rc=$?
    [ "$ACTION" != look ] && [ "$ACTION" != notify ] || unlock
    [ $rc = 0 ] || {
        why
        say warning "$ACTION: cannot follow $promoted at $address yet: $words"
        return 1
    }
    say info "$ACTION: following $promoted at $address"
    state=joining
}

# Where nobody was master yet: whether this node is the first of all, all are there, and have the same data. Who tells of no
# transactions, as a real ConfD, may have anything. Sets $equals_why.
is_first_of_equals() {
    local n first='' line
    ask_transaction
    value=${transaction:-empty}
    case $value in *' '*) value=unknown ;; esac
    attributes "$ATTR_DATA"
    case $attributes in *" $NODE=$value "*) ;; *) set_attribute "$ATTR_DATA" "$value" && attributes="$attributes$NODE=$value " ;; esac
    [ "$value" != unknown ] || {
        equals_why="ConfD does not tell which data it has"
        return 1
    }
    ask_membership || return 1
    while read -r line; do
        case $line in
        nodelist.node.*.name\ *)
            n=${line##*= }
            [ -n "$first" ] || first=$n
            is_in "$n" "$members" || {
                equals_why="$n is not there"
                return 1
            }
            case $attributes in
            *" $n=$value "*) ;;
            *" $n="*)
                equals_why="$n has other data than this node"
                return 1
                ;;
            *)
                equals_why="$n has not told which data it has"
                return 1
                ;;
            esac
            ;;
        esac
    done <<END
$(bounded 300 corosync-cmapctl nodelist.node. 2>/dev/null)
END
    equals_why="all have the same data: $first is the first"
    [ "$first" = "$NODE" ]
}

# In the set, and its master went away with the node it was on, while this node followed it: there is nobody to be waited for.
has_seen_it_go() {
    attributes "$ATTR_SYNC"
    attribute_of "$NODE"
    [ "$value" = "$set_master" ] && ask_membership && ! is_in "$set_master" "$members"
}

# Where nobody is master: may this node offer itself? Sets $score and $score_why.
cold_score() {
    score=-INFINITY score_why=
    if [ "$trust" = "$NODE" ]; then
        score=$SCORE_TRUSTED score_why="the administrator trusts the data of this node"
    elif [ -n "$trust" ]; then
        score_why="the administrator trusts the data of $trust"
    elif [ -z "$set" ] && is_first_of_equals; then
        score=$SCORE_WAS_IN_SYNC score_why="all nodes have the same data, and this is the first"
    elif [ -z "$set" ]; then
        score_why="$equals_why, and nobody has said whose data counts: crm_attribute -t crm_config -s $PROPERTY_SET -n $TRUST_NAME -v NODE"
    elif [ "$set_master" = "$NODE" ]; then
        score=$SCORE_WAS_MASTER score_why="this node was the last master"
    elif is_in "$NODE" "$set_nodes"; then
        now
        [ -n "$cold" ] || cold=$cs
        if has_seen_it_go || [ $((cs - cold)) -ge $COLD_PATIENCE_CS ]; then
            score=$SCORE_WAS_IN_SYNC score_why="this node was in sync with $set_master, which is not promoted"
        else
            score_why="in sync with $set_master, which is waited for"
        fi
    else
        score_why="not in sync with the last master: that was${set_nodes%?}"
    fi
}

offer_itself() {
    local before=$cold
    cold_score
    attributes=$scores
    attribute_of "$NODE"
    case $value in
    # What a master gave, or this node before, is not lowered here.
    "$SCORE_MASTER" | "$SCORE_IN_SYNC" | "$SCORE_LOST_ROLE") return 0 ;;
    esac
    [ "$value" = "$score" ] && [ "$before" = "$cold" ] && return 0
    note "cold=$cold" || return 0
    set_score "$score"
    say notice "$ACTION: nobody is master; $score_why"
}
