# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# bash completion of confd-hactl(1).

__confd_hactl_machines() {
        machinectl list --no-legend --no-pager 2>/dev/null | { while read -r machine _; do echo "$machine"; done; }
}

# __confd_hactl_list WORDS: completes the last word of $cur, a list separated by commas, or the value of --option=.
# What stands before the = belongs to the word only where readline does not break words there.
__confd_hactl_list() {
        local value=$cur before=''
        if [[ $cur == --*=* ]]; then
                value=${cur#*=}
                [[ $COMP_WORDBREAKS == *=* ]] || before=${cur%%=*}=
        fi
        [[ $value != *,* ]] || before+=${value%,*},
        mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${value##*,}")
}

# The options of each command, beside those of all.
__confd_hactl_options() {
        case $1 in
        be-slave | be-secondary) echo --no-wait --yes --ignore-inhibitors ;;
        be-master | be-primary | take-over | be-relay | be-none) echo --ignore-inhibitors ;;
        check) echo --role= --wanted= --ready --in-sync --targets ;;
        wait) echo --mark= ;;
        status) echo --watch ;;
        cluster) echo --watch --config= ;;
        switchover) echo --config= --yes --dry-run --ignore-inhibitors ;;
        show) echo --property= ;;
        inhibit) echo --who= --why= ;;
        history) echo --lines= --since= --until= --follow --reverse --orders --transitions --all ;;
        esac
}

_confd_hactl() {
        local cur prev words cword
        local -r verbs='status cluster switchover be-master take-over be-slave be-relay be-none slave-dead monitor wait check show inhibit
                inhibitors history explain reload help be-primary be-secondary secondary-dead'
        local -r options='--help --version --host= --machine= --address= --json= --timeout= --no-ask-password --quiet
                --no-legend --no-pager'
        local -r states='none slave master slave-relay unknown'
        local -r errors='NotConnected NoToken Timeout BadState Connect Closed BadSchema BadToken BadName Bind NoTick
                WithUpgrade BadVersion BadConfig Aborted NotInSync Inhibited AccessDenied BadConfiguration Secret Protocol
                Superseded Displaced Failed'
        local -r properties='Version State NodeId Master Slaves Connected EventsConnected Synchronizing InSync LastInSync
                Inhibitors Targets ConfdAddress ConfdVersion ProtocolVersion LastError StateSince Transitions Orders'
        local verb='' n_args=0 i option

        _init_completion -n = 2>/dev/null || _get_comp_words_by_ref -n = cur prev words cword

        option=$prev
        [[ $cur != --*=* ]] || option=${cur%%=*}
        case $option in
        -H | --host)
                [[ $cur != --*=* ]] || cur=${cur#*=}
                declare -F _known_hosts_real >/dev/null && _known_hosts_real -a -- "$cur"
                return
                ;;
        -M | --machine) __confd_hactl_list "$(__confd_hactl_machines)" && return ;;
        --json) __confd_hactl_list 'short pretty off' && return ;;
        --role | --wanted) __confd_hactl_list "$states" && return ;;
        -P | --property) __confd_hactl_list "$properties" && return ;;
        --since | --until) __confd_hactl_list 'now today yesterday' && return ;;
        --config)
                [[ $cur != --*=* ]] || cur=${cur#*=}
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        --address | --timeout | -n | --lines | --mark | --who | --why) return ;;
        esac

        for ((i = 1; i < cword; i++)); do
                case ${words[i]} in
                -H | --host | -M | --machine | --address | --json | --timeout | --role | --wanted | -n | --lines | --since | \
                        --until | --mark | --who | --why | -P | --property | --config) i=$((i + 1)) ;;
                -*) ;;
                *) if [[ -z $verb ]]; then verb=${words[i]}; else n_args=$((n_args + 1)); fi ;;
                esac
        done

        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options $(__confd_hactl_options "$verb")" -- "$cur")
                [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
                return
        fi
        case $verb:$n_args in
        :0 | help:0) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
        cluster:* | switchover:*) declare -F _known_hosts_real >/dev/null && _known_hosts_real -a -- "$cur" ;;
        wait:0) __confd_hactl_list "$states synced in-sync" ;;
        take-over:1) mapfile -t COMPREPLY < <(compgen -W any -- "$cur") ;;
        explain:0) mapfile -t COMPREPLY < <(compgen -W "$errors" -- "$cur") ;;
        inhibit:0) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
        inhibit:*) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        esac
}

complete -F _confd_hactl confd-hactl
