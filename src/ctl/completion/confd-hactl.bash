# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# bash completion of confd-hactl(1).

__confd_hactl_machines() {
        machinectl list --no-legend --no-pager 2>/dev/null | { while read -r machine _; do echo "$machine"; done; }
}

_confd_hactl() {
        local cur prev words cword
        local -r verbs='status be-master take-over be-slave be-relay be-none slave-dead monitor wait check history explain reload
                be-primary be-secondary secondary-dead'
        local -r options='--help --version --host= --machine= --address= --json= --timeout= --no-ask-password --quiet
                --no-legend --no-pager'
        local -r states='none slave master slave-relay unknown'
        local -r errors='NotConnected NoToken Timeout BadState Connect Closed BadSchema BadToken BadName Bind NoTick
                WithUpgrade BadVersion BadConfig Aborted NotInSync Inhibited AccessDenied BadConfiguration Secret Protocol
                Superseded Displaced Failed'
        local verb='' n_args=0 i

        _init_completion -n = 2>/dev/null || _get_comp_words_by_ref -n = cur prev words cword

        case $prev in
        -H | --host)
                declare -F _known_hosts_real >/dev/null && _known_hosts_real -a -- "$cur"
                return
                ;;
        -M | --machine)
                mapfile -t COMPREPLY < <(compgen -W "$(__confd_hactl_machines)" -- "$cur")
                return
                ;;
        --json)
                mapfile -t COMPREPLY < <(compgen -W 'short pretty off' -- "$cur")
                return
                ;;
        --role | --wanted)
                mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur")
                return
                ;;
        --address | --timeout | -n | --lines | --since | --until | --mark)
                return
                ;;
        esac
        case $cur in
        --json=*)
                mapfile -t COMPREPLY < <(compgen -P --json= -W 'short pretty off' -- "${cur#*=}")
                return
                ;;
        --role=* | --wanted=*)
                # A list: the last word of it is completed.
                local list=${cur#*=} before=
                [[ $list != *,* ]] || before=${list%,*},
                mapfile -t COMPREPLY < <(compgen -P "${cur%%=*}=$before" -W "$states" -- "${list##*,}")
                return
                ;;
        --machine=*)
                mapfile -t COMPREPLY < <(compgen -P --machine= -W "$(__confd_hactl_machines)" -- "${cur#*=}")
                return
                ;;
        esac

        for ((i = 1; i < cword; i++)); do
                case ${words[i]} in
                -H | --host | -M | --machine | --address | --json | --timeout | --role | --wanted | -n | --lines | --since | --until | --mark) i=$((i + 1)) ;;
                -*) ;;
                *) if [[ -z $verb ]]; then verb=${words[i]}; else n_args=$((n_args + 1)); fi ;;
                esac
        done

        if [[ $cur == -* ]]; then
                local more=''
                case $verb in
                be-slave | be-secondary) more=--no-wait ;;
                check) more='--role= --wanted= --ready --in-sync --targets' ;;
                wait) more=--mark= ;;
                history) more='--lines= --since= --until= --follow --reverse --orders --transitions --all' ;;
                esac
                mapfile -t COMPREPLY < <(compgen -W "$options $more" -- "$cur")
                [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
                return
        fi
        case $verb:$n_args in
        :0) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
        wait:0)
                local done=
                [[ $cur != *,* ]] || done=${cur%,*},
                mapfile -t COMPREPLY < <(compgen -P "$done" -W "$states synced in-sync" -- "${cur##*,}")
                ;;
        take-over:1) mapfile -t COMPREPLY < <(compgen -W any -- "$cur") ;;
        explain:0) mapfile -t COMPREPLY < <(compgen -W "$errors" -- "$cur") ;;
        esac
}

complete -F _confd_hactl confd-hactl
