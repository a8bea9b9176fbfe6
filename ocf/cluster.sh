# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# What the cluster knows: members, attributes, the set of those in sync. To be sourced by ocf:confd-ha:confd-ha.

# ---- the cluster ----

# Members of the cluster and whether they have quorum. Sets $members, with blanks around each, and $quorate.
ask_membership() {
    local line name out
    out=$(bounded 300 corosync-quorumtool -s 2>/dev/null)
    members=' ' quorate=no
    case $out in *'Quorate:          Yes'* | *'Quorate: Yes'*) quorate=yes ;; esac
    case $out in *'Membership information'*) ;; *) quorate=no && return 1 ;; esac
    while read -r line; do
        case $line in
        [0-9]*)
            line=${line% (local)}
            name=${line##* }
            members="$members$name "
            ;;
        esac
    done <<END
${out#*Membership information}
END
}

is_in() { case $2 in *" $1 "*) ;; *) return 1 ;; esac; } # WORD LIST

# nvpair NAME: sets $value from $cib
nvpair() {
    local rest
    value=''
    case $cib in
    *" name=\"$1\" "* | *" name=\"$1\"/"*)
        rest=${cib#*" name=\"$1\""}
        rest=${rest%%>*}
        case $rest in *' value="'*) value=${rest#*' value="'} && value=${value%%\"*} ;; esac
        ;;
    esac
}

# What the configuration has: set (as it is), set_master, set_nodes (with blanks around each), trust, maintenance.
# Read from this node's own copy, which answers also while a coordinator is elected; whoever writes compares.
ask_configuration() {
    cib=$(bounded 300 cibadmin --query --local --scope crm_config 2>/dev/null) || return 1
    nvpair "$SET_NAME"
    set=$value
    set_master=${set%%:*}
    set_nodes=" ${set#*: } "
    [ -n "$set" ] || set_nodes=' '
    nvpair "$TRUST_NAME"
    trust=$value
    nvpair maintenance-mode
    maintenance=no
    case $value in [Tt][Rr][Uu][Ee] | [Yy][Ee][Ss] | [Oo][Nn] | [Yy] | 1) maintenance=yes ;; esac
}

# Writes the set over $set, and over nothing else.
write_set() { # NEW-VALUE
    local pair
    [ "$1" != "$set" ] || return 0
    pair="<nvpair id=\"$SET_NAME\" name=\"$SET_NAME\" value=\"$1\"/>"
    if [ -z "$set" ]; then
        bounded 500 cibadmin --modify --allow-create --scope crm_config \
            --xml-text "<cluster_property_set id=\"$PROPERTY_SET\">$pair</cluster_property_set>" >/dev/null 2>&1 || return 1
    else
        bounded 500 cibadmin --modify --xpath "//nvpair[@id='$SET_NAME' and @value='$set']" \
            --xml-text "$pair" >/dev/null 2>&1 || return 1
    fi
    say notice "$ACTION: in sync from now on: $1 (before: ${set:-nobody})"
    set=$1 set_master=${1%%:*} set_nodes=" ${1#*: } "
}

# attributes NAME: sets $attributes to " NODE=VALUE NODE=VALUE "
attributes() {
    local line host val
    attributes=' '
    while read -r line; do
        case $line in
        *'host="'*'value="'*)
            host=${line#*host=\"} && host=${host%%\"*}
            val=${line#*value=\"} && val=${val%%\"*}
            attributes="$attributes$host=$val "
            ;;
        esac
    done <<END
$(bounded 300 attrd_updater --query --all --name "$1" 2>/dev/null)
END
}

attribute_of() { # NODE: sets $value from $attributes
    case $attributes in
    *" $1="*) value=${attributes#*" $1="} && value=${value%% *} ;;
    *) value='' ;;
    esac
}

set_attribute() { # NAME VALUE [NODE]
    bounded 300 attrd_updater --name "$1" --update="$2" ${3:+--node "$3"} >/dev/null 2>&1
}

set_score() { # SCORE [NODE]; $scores is what attributes told before
    attributes=$scores
    attribute_of "${2:-$NODE}"
    [ "$value" = "$1" ] || {
        set_attribute "$ATTR_SCORE" "$1" "${2:-}"
        say notice "$ACTION: promotion score of ${2:-$NODE}: $1 (before: ${value:-none})"
    }
}

ask_scores() {
    attributes "$ATTR_SCORE"
    scores=$attributes
}

# The promoted node, other than this one. Sets $promoted; empty if there is none. One that gives its role to another one has the
# score for a while yet: the set, if it was asked for, has the later of them.
find_promoted() {
    local pair
    promoted=''
    for pair in $scores; do
        case $pair in
        "$NODE="*) ;;
        *"=$SCORE_MASTER") [ "$promoted" = "${set_master:-}" ] && [ -n "$promoted" ] || promoted=${pair%=*} ;;
        esac
    done
}

# The promoted node as an action or a notification is told: who was promoted and stays so, or has just become it. Who is
# only to be promoted is not followed yet: an order that fails leaves this node's own data without a warrant.
told_promoted() {
    local n new=''
    promoted=''
    [ "$ACTION-$OCF_RESKEY_CRM_meta_notify_operation" != notify-promote ] || new=$OCF_RESKEY_CRM_meta_notify_promote_uname
    for n in $new $OCF_RESKEY_CRM_meta_notify_promoted_uname $OCF_RESKEY_CRM_meta_notify_master_uname; do
        is_in "$n" " $OCF_RESKEY_CRM_meta_notify_demote_uname $OCF_RESKEY_CRM_meta_notify_stop_uname " && continue
        promoted=$n
        return 0
    done
    return 1
}

# The HA address of a node. Sets $address.
find_address() { # NODE
    local line name='' ring='' entry n found_ring=''
    address=$(bounded 300 crm_attribute --type nodes --node "$1" --name confd-ha-address --query --quiet 2>/dev/null)
    [ -z "$address" ] || return 0
    if [ -n "$OCF_RESKEY_address" ]; then
        attributes "$ATTR_ADDRESS"
        attribute_of "$1"
        address=$value
        [ -z "$address" ] || return 0
    fi
    # nodelist.node.0.ring0_addr (str) = 10.0.0.1, and .name beside it
    entry=$(bounded 300 corosync-cmapctl nodelist.node. 2>/dev/null)
    for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        name='' ring=''
        case $entry in *"nodelist.node.$n."*) ;; *) break ;; esac
        while read -r line; do
            case $line in
            "nodelist.node.$n.name "*) name=${line##*= } ;;
            "nodelist.node.$n.ring0_addr "*) ring=${line##*= } ;;
            esac
        done <<END
$entry
END
        [ "$name" = "$1" ] || [ "$ring" = "$1" ] || continue
        found_ring=$ring
        break
    done
    [ -n "$found_ring" ] || found_ring=$1
    case $found_ring in
    *:* | *[0-9].*[0-9].*[0-9].*[0-9]) address=$found_ring ;;
    *)
        address=$(bounded 300 getent ahosts "$found_ring") || address=''
        address=${address%%[!0-9a-fA-F:.]*}
        ;;
    esac
    [ -n "$address" ]
}
