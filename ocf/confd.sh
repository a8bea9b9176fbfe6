# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC3043,SC2154,SC2034
# Questions and orders to ConfD, by confd-hactl, and the last resort. To be sourced by ocf:confd-ha:confd-ha.

# ---- ConfD ----

# string NAME: sets $value to the first string of that name in $json; quotes inside strings are escaped, so they match nothing
string() {
    case $json in
    *"\"$1\":\""*) value=${json#*"\"$1\":\""} && value=${value%%\"*} ;;
    *) value='' && return 1 ;;
    esac
}

is_true() { case $json in *"\"$1\":true"*) ;; *) return 1 ;; esac; }

# Asks ConfD. 0: state, slaves, master_id, in_sync and synchronizing are set. 3: ConfD is not there (absent=confd), or the
# service is not (absent=service), or it is and does not tell what it has heard either (hung=yes). 4: not authorized. 5: there is
# a ConfD that does not answer. 1: anything else.
ask() { # [SECONDS]
    local rest ids='' rc patience=${1:-$OCF_RESKEY_timeout}
    json=$(bounded $((patience * 100 + 100)) confd-hactl --json=short --timeout="$patience" status 2>&1)
    rc=$?
    state='' slaves='' master_id='' in_sync=no synchronizing=no absent='' last_role='' last_master='' last_how='' hung=''
    case $json in
    *'"state":'*) ;;
    *) absent=service ;;
    esac
    case $rc-$json in
    0-*) ;;
    3-* | 1-*'"connected":false'*)
        [ -n "$absent" ] || absent=confd
        return 3
        ;;
    4-*) return 4 ;;
    5-* | 124-* | 137-* | 1-*imed?out*)
        [ -n "$absent" ] || return 5
        hung=yes
        return 3
        ;;
    *) return 1 ;;
    esac
    string state && state=$value
    case $json in
    *'"master":{'*) rest=${json#*'"master":{"id":"'} && master_id=${rest%%\"*} ;;
    esac
    rest=${json#*'"slaves":['}
    rest=${rest%%]*}
    while :; do
        case $rest in
        *'"id":"'*) rest=${rest#*'"id":"'} && ids="$ids ${rest%%\"*}" ;;
        *) break ;;
        esac
    done
    slaves="$ids "
    is_true synchronizing && synchronizing=yes
    is_true in_sync && in_sync=yes
    case $json in
    *'"last_in_sync":{'*)
        rest=$json
        json=${json#*'"last_in_sync":{'}
        string role && last_role=$value
        string master_id && last_master=$value
        string how && last_how=$value
        json=$rest
        ;;
    esac
    [ "$state" != unknown ]
}

# The same, waiting for a service that is restarting, and with "confd" for a ConfD that is.
ask_patiently() { # CENTISECONDS [confd]
    local until rc
    now
    until=$((cs + $1))
    while :; do
        ask
        rc=$?
        case $rc-$absent in 3-service | 1-*) ;; 3-confd) [ "${2:-}" = confd ] || return 3 ;; *) return $rc ;; esac
        now
        left
        [ $cs -lt $until ] && [ "$left" -gt 50 ] || return $rc
        sleep 0.1
    done
}

order() { # VERB ARGUMENT...: sets $words; returns as ask does
    local rc ignoring=
    # An inhibitor is for people and their scripts; who wants the cluster manager to wait has maintenance-mode.
    [ "$1" = slave-dead ] || ignoring=--ignore-inhibitors
    words=$(bounded $((OCF_RESKEY_timeout * 100 + 100)) \
        confd-hactl --json=short --timeout="$OCF_RESKEY_timeout" $ignoring "$@" 2>&1)
    rc=$?
    case $rc-$words in
    0-*) return 0 ;;
    *Error.NotInSync*) return 6 ;;
    *Error.NotConnected*) absent=confd && return 3 ;;
    3-*) absent=service && return 3 ;;
    124-* | 137-* | *Error.Timeout*) return 5 ;;
    esac
    return $rc
}

# In words for people: what confd-hactl said, without its JSON.
why() {
    case $words in
    *'"message":"'*) words=${words#*'"message":"'} && words=${words%%\"*} ;;
    *) words=$(printf '%s' "$words" | tail -n 1) ;;
    esac
}

# The id of the last transaction, where the node tells: of the reference node, not of a real ConfD. Sets $transaction.
ask_transaction() {
    transaction=$(bounded 100 busctl --auto-start=no get-property org.confd.HANode /org/confd/HANode \
        org.confd.HANode TransactionId 2>/dev/null) || transaction='s "not known"'
    transaction=${transaction#s \"}
    transaction=${transaction%\"}
}

# ConfD's main process, as systemd knows it; 0 if it is not running. And whether it is soon back after a crash, going by its last
# start: found_quick, "yes" or nothing.
find_process() {
    local line began=0 ready=0 restarts=no
    found_process=0 found_quick=''
    while read -r line; do
        case $line in
        MainPID=?*) found_process=${line#*=} ;;
        Restart=always | Restart=on-failure | Restart=on-abnormal | Restart=on-abort) restarts=yes ;;
        InactiveExitTimestampMonotonic=?*) began=${line#*=} ;;
        ActiveEnterTimestampMonotonic=?*) ready=${line#*=} ;;
        esac
    done <<END
$(bounded 200 systemctl show -p MainPID -p Restart -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic \
    "$OCF_RESKEY_confd_unit" 2>/dev/null)
END
    [ $restarts = no ] || [ $(((ready - began) / 10000)) -gt $QUICK_START_CS ] || found_quick=yes
}

# Whether the ConfD that was promoted still runs. If it does, a lost connection is the service's affair, which may have been
# started anew a moment ago; the role goes only with the process.
is_same_process() {
    [ -n "$process" ] && [ "$process" != 0 ] || return 1
    find_process
    [ "$found_process" = "$process" ]
}

# The last resort for a ConfD that cannot be asked to give up its role. What comes back is none.
kill_confd() {
    local reason=$1 before after=''
    say warning "$ACTION: $reason; killing $OCF_RESKEY_confd_unit"
    before=$(bounded 300 systemctl show -P MainPID "$OCF_RESKEY_confd_unit") || before=''
    case $before in
    '' | 0)
        # Not running: nobody holds a role.
        bounded 300 systemctl --quiet is-failed "$OCF_RESKEY_confd_unit" && return 0
        case $(bounded 300 systemctl show -P ActiveState "$OCF_RESKEY_confd_unit") in
        inactive | activating) [ "$(bounded 300 systemctl show -P LoadState "$OCF_RESKEY_confd_unit")" = loaded ] && return 0 ;;
        esac
        problem "$reason, and its unit $OCF_RESKEY_confd_unit (parameter confd_unit) is not there to be killed"
        return 1
        ;;
    esac
    bounded 500 systemctl kill --signal=KILL "$OCF_RESKEY_confd_unit" || {
        problem "$reason, and systemctl could not kill $OCF_RESKEY_confd_unit (parameter confd_unit)"
        return 1
    }
    while :; do
        after=$(bounded 300 systemctl show -P MainPID "$OCF_RESKEY_confd_unit")
        [ "$after" = "$before" ] || break
        left
        [ "$left" -gt 50 ] || {
            problem "$reason, and $OCF_RESKEY_confd_unit does not die"
            return 1
        }
        sleep 0.05
    done
    frozen=''
    state=none
}

# be-none whatever it takes. 1 only if ConfD can be neither asked nor killed.
no_role() {
    local rc until
    now
    until=$((cs + BUDGET / 3))
    if [ -n "$frozen" ]; then
        kill_confd "ConfD did not answer the last monitor"
        return
    fi
    while :; do
        order be-none
        rc=$?
        case $rc-$absent in
        0-*) state=none && return 0 ;;
        # Nobody listens: it is not running, or comes back, as none in either case. Unless it is the one that was promoted, and not
        # on its way to its end.
        3-confd)
            ! is_same_process || [ "$(bounded 300 systemctl show -P ActiveState "$OCF_RESKEY_confd_unit")" = deactivating ] || break
            state=absent
            return 0
            ;;
        3-service)
            now
            [ $cs -lt $until ] || break
            sleep 0.1
            continue
            ;;
        esac
        case $words in *Error.BadState*) state=none && return 0 ;; esac # start phase 0: no role yet
        break
    done
    why
    kill_confd "ConfD did not take the order to be none ($words)"
}
