#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confd-hactl on a terminal, as a person has it: colour, questions, completion by TAB.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

export DEADLINE TERM=xterm SYSTEMD_PAGER=cat
terminal() { /usr/bin/python3 "${SOURCE_ROOT:?}/tests/bus/terminal.py" "$@"; }
script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip_all "this machine has no pseudo-terminals"

start_bus bus
start_mock
play_master

# --- colour ----------------------------------------------------------------------------------------------------------
colourful() { grep -q $'\e\\[0;1;32mmaster\e\\[0m'; }
plain() { ! grep -q $'\e'; }
ok 'states have colour on a terminal' colourful < <(terminal '' "$CONFD_HACTL" status)
ok 'with and without a pager' colourful < <(terminal '' "$CONFD_HACTL" --no-pager)
ok 'not in a pipe' plain < <("$CONFD_HACTL" status)
ok 'not with NO_COLOR' plain < <(NO_COLOR=1 terminal '' "$CONFD_HACTL" status)
ok 'but with an empty one' colourful < <(NO_COLOR='' terminal '' "$CONFD_HACTL" status)
ok 'not with SYSTEMD_COLORS=0' plain < <(SYSTEMD_COLORS=0 terminal '' "$CONFD_HACTL" status)
ok 'with SYSTEMD_COLORS=1, which is stronger' colourful < <(NO_COLOR=1 SYSTEMD_COLORS=1 "$CONFD_HACTL" status)
ok 'not on a dumb terminal' plain < <(TERM=dumb terminal '' "$CONFD_HACTL" status)
ok 'never in JSON' plain < <(terminal '' "$CONFD_HACTL" --json=pretty)
mock Fail sss BeNone org.confd.HA.Error.BadState 'no'
ok 'errors are red' grep -q $'\e\\[0;1;31mconfd-hactl: be-none failed: BadState: no\e\\[0m' <(terminal '' "$CONFD_HACTL" be-none)
ok 'in a pipe they are words' test "$(hactl -q be-none 2>&1)" = 'confd-hactl: be-none failed: BadState: no'
succeed BeNone

# --- a master that is told to follow another is asked about ----------------------------------------------------------
mock Calls >/dev/null
order=("$CONFD_HACTL" be-slave n1 n2 10.0.0.2)
fails 'no' 1 'was not ordered' terminal $'expect n1 is master, and slaves follow it.*lost.*\\[y/N\\]\nsend n\\r' "${order[@]}"
fails 'nothing is no' 1 'was not ordered' terminal $'expect N\\]\nsend \\r' "${order[@]}"
fails 'the end of the input is no' 1 'was not ordered' terminal $'expect N\\]\nsend \\x04' "${order[@]}"
is 'and nothing was ordered' "$(mock Calls)" 'as 0'
fails 'yes' 0 'its data is in place' terminal $'expect N\\]\nsend y\\r' "${order[@]}"
is 'is done' "$(mock Calls)" 'as 1 "BeSlave n1 n2 10.0.0.2 yes interactive=1"'
ok 'nobody is asked with --yes' terminal '' "${order[@]}" --yes
ok 'nor where there is no terminal' "${order[@]}"
set_property State s slave
ok 'nor a node that is no master' terminal '' "${order[@]}"

# --- the view that stays ---------------------------------------------------------------------------------------------
play_master
view() { terminal "$1" bash -c "'$CONFD_HACTL' $2; echo ended \$?; read -r _"; }
watched() { # NAME SCRIPT COMMAND
        view "$2
                expect ended 0
                settings
                send \\r" "$3" >"$work/view" 2>&1
        is "$1" $? 0 || tap_comment <"$work/view"
}
mock="busctl --address=$DBUS_SYSTEM_BUS_ADDRESS call org.confd.Mock /mock org.confd.Mock"
watched 'a change is shown when it is signalled; q ends it, and the terminal is as it was' "expect State: .*master
        run $mock Set sv State s slave
        expect State: .*slave
        run $mock Set sv State s master
        expect State: .*master
        send q" 'status --watch=3600'
asked=$(mock Asked)
watched '^C ends it, too' 'expect Node: n1
        send \x03' 'status --watch'
is 'each view asks once, and polls nothing' "$(mock Asked)" "u $((${asked#u } + 1))"
set_property StateSince t "$(date +%s)000000"
watched 'times go on by themselves' 'expect 1s ago.*2s ago
        send q' 'status --watch=0.2'
tells() { echo "$mock SetQuietly sv NodeSlaves 'a(sstttt)' 1 n3 fd00::3 $1 250000 2048 2"; }
eval "$(tells 1500000)"
watched 'and so do those of slaves, where the node tells them' "expect n3 fd00::3.*last tick 1s ago, 2 transactions not acknowledged
        run $(tells 7500000)
        expect last tick 7s ago
        send q" 'status --watch=0.5'
watched 'the service may go and come' "expect State: .*master
        run $mock Leave
        expect the service does not run
        run $mock Return
        expect State: .*master
        send q" 'status --watch=3600'
view "expect State
        run kill -TERM \$(pgrep -f '^$CONFD_HACTL status --watch=3599')
        expect ended 0
        settings
        send \\r" 'status --watch=3599' >"$work/view" 2>&1
is 'a signal that ends it leaves the terminal as it was' $? 0
fails 'no view in a pipe' 2 'needs a terminal' hactl status --watch
fails 'nor in JSON' 2 'monitor --json=short' terminal '' "$CONFD_HACTL" status --watch --json=short
fails 'nor faster than anybody can see' 2 '0.1 at least' hactl status --watch=0.01

# --- completion, by a user's TAB -------------------------------------------------------------------------------------
cat >"$work/bashrc" <<RC
PS1='ready> '
HISTFILE=
bind 'set bell-style none' 'set enable-bracketed-paste off' 'set show-all-if-ambiguous on'
[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
. '$SOURCE_ROOT/src/ctl/completion/confd-hactl.bash'
machinectl() { printf 'box container systemd-nspawn\n'; }
confd-hactl() { printf 'GOT'; printf '<%s>' "\$@"; printf '\n'; }
RC
# typed WORDS: what the program gets when that is typed, with \t for TAB
typed() {
        terminal "expect ready>
                send $1\\r
                expect GOT([^\\r]*)\\r
                send exit\\r" bash --noprofile --rcfile "$work/bashrc" -i 2>&1 | tr -d '\r' | sed -n 's/^GOT//p'
}
completes() { is "TAB completes: $1" "$(typed "$1")" "$2"; }
completes 'confd-hactl be-m\t n1' '<be-master><n1>'
completes 'confd-hactl --json=p\t' '<--json=pretty>'
completes 'confd-hactl --json p\t' '<--json><pretty>'
completes 'confd-hactl check --role=ma\t' '<check><--role=master>'
completes 'confd-hactl check --role=slave,ma\t' '<check><--role=slave,master>'
completes 'confd-hactl check --wanted=ma\t' '<check><--wanted=master>'
completes 'confd-hactl --machine=b\t' '<--machine=box>'
completes 'confd-hactl -M b\t' '<-M><box>'
completes 'confd-hactl wait none,in\t' '<wait><none,in-sync>'
completes 'confd-hactl check --r\te --rol\tma\t' '<check><--re><--role=master>'
completes 'confd-hactl history --tr\t' '<history><--transitions>'
completes 'confd-hactl explain BadConfigu\t' '<explain><BadConfiguration>'
completes 'confd-hactl show -P Synch\t' '<show><-P><Synchronizing>'
completes 'confd-hactl show --property=NodeI\t' '<show><--property=NodeId>'
completes 'confd-hactl take-over n2 a\t' '<take-over><n2><any>'
completes 'confd-hactl help swi\t' '<help><switchover>'
completes 'confd-hactl switchover n2 --dr\t' '<switchover><n2><--dry-run>'
completes 'confd-hactl status --rea\t' '<status><--rea>'
completes 'confd-hactl be-none x\t' '<be-none><x>'
# offers WORDS: what is listed when nothing is left to complete
offers() {
        terminal "expect ready>
                send $1\t
                expect ready>
                send \x03
                expect ready>
                send exit\r" bash --noprofile --rcfile "$work/bashrc" -i 2>&1 | tr -d '\r' | sed -n '/^ready> confd/,/^ready>/p' |
                sed '1d;$d' | xargs
}
is 'TAB TAB offers several' "$(offers 'confd-hactl be-s')" 'be-secondary be-slave'
is 'also of states' "$(offers 'confd-hactl wait s')" 'slave slave-relay synced'
# shellcheck disable=SC2016 # for that shell
echo 'COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}' >>"$work/bashrc"
completes 'confd-hactl --json=p\t' '<--json=pretty>'
completes 'confd-hactl check --role=slave,ma\t' '<check><--role=slave,master>'

# --- the same in zsh -------------------------------------------------------------------------------------------------
mkdir "$work/zsh"
cp "$SOURCE_ROOT/src/ctl/completion/_confd-hactl" "$work/zsh"
cat >"$work/zsh/.zshrc" <<RC
PS1='ready> '
fpath=('$work/zsh' \$fpath)
autoload -Uz compinit
compinit -u -d '$work/zsh/dump'
unsetopt zle_bracketed_paste 2>/dev/null
zle_highlight=(none)
setopt no_list_ambiguous no_beep
machinectl() { printf 'box container systemd-nspawn\\n'; }
confd-hactl() { printf 'GOT'; printf '<%s>' "\$@"; printf '\\n'; }
RC
typed_zsh() {
        ZDOTDIR=$work/zsh terminal "expect ready>
                send $1\\r
                expect GOT<[^\\r]*>\\r
                send exit\\r" zsh -i 2>&1 | tr -d '\r' | sed -n 's/^GOT</</p'
}
zsh_completes() { is "TAB in zsh: $1" "$(typed_zsh "$1")" "$2"; }
zsh_completes 'confd-hactl be-m\tn1' '<be-master><n1>'
zsh_completes 'confd-hactl --json=p\t' '<--json=pretty>'
zsh_completes 'confd-hactl check --role=slave,ma\t' '<check><--role=slave,master>'
zsh_completes 'confd-hactl --machine=b\t' '<--machine=box>'
zsh_completes 'confd-hactl switchover n2 --dr\t' '<switchover><n2><--dry-run>'
zsh_completes 'confd-hactl explain BadConfigu\t' '<explain><BadConfiguration>'
zsh_completes 'confd-hactl wait none,in-s\t' '<wait><none,in-sync>'
zsh_completes 'confd-hactl help swi\t' '<help><switchover>'
finish
