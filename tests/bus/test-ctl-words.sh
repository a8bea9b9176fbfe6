#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# That the help, the manual and the completions of confd-hactl name the same things, and that the completions complete.
# shellcheck disable=SC2317 # functions that are run by name
# shellcheck source=tests/bus/ctl-lib.sh
. "$(dirname "$0")/ctl-lib.sh"

: "${SOURCE_ROOT:?}"
# shellcheck disable=SC2034 # used by name
help=$(hactl --help)
man=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$SOURCE_ROOT/man/confd-hactl.1.in")
bash=$(cat "$SOURCE_ROOT/src/ctl/completion/confd-hactl.bash")
zsh=$(cat "$SOURCE_ROOT/src/ctl/completion/_confd-hactl")

# has NAME-OF-VARIABLE TEXT
has() { grep -qF -e "$2" <<<"${!1}"; }

while read -r verb; do
        ok "help has the command $verb" has help "$verb"
        ok "the manual has the command $verb" grep -qE "^\.(B|BI|BR|TP)? ?.*\b$verb\b" <<<"$man"
        ok "bash completes $verb" has bash "$verb"
        ok "zsh completes $verb" grep -q "[\"']$verb:" <<<"$zsh"
done < <(sed -n '/^static const struct verb verbs/,/^};/s/^        { "\([^"]*\)".*/\1/p' "$SOURCE_ROOT/src/ctl/verbs.c")

while read -r option; do
        ok "help has --$option" has help "--$option"
        ok "the manual has --$option" has man "--$option"
        ok "bash completes --$option" has bash "--$option"
        ok "zsh completes --$option" has zsh "--$option"
done < <(sed -n '/static const struct option options/,/};/s/^ *{ "\([^"]*\)".*/\1/p' "$SOURCE_ROOT/src/ctl/options.c")

while read -r name; do
        ok "bash completes the error $name" grep -qw "$name" <<<"$bash"
        ok "zsh completes the error $name" grep -qw "$name" <<<"$zsh"
done < <(sed -n 's/^        { HA("\([^"]*\)").*/\1/p' "$SOURCE_ROOT/src/ctl/error-table.c")

while read -r name; do
        ok "the manual has the variable $name" has man "$name"
done < <(grep -ho 'getenv("[A-Z_]*")' "$SOURCE_ROOT"/src/ctl/*.c | sed 's/.*"\(.*\)".*/\1/' | sort -u)

for status in 0 1 2 3 4 5; do
        ok "the manual has the exit status $status" grep -qx ".B $status" <<<"$man"
done

ok 'the manual is well-formed' test -z "$(groff -man -Tutf8 -ww -rLL=200n "$SOURCE_ROOT/man/confd-hactl.1.in" 2>&1 >/dev/null)"

ok 'zsh can read its completion' zsh -n "$SOURCE_ROOT/src/ctl/completion/_confd-hactl"
finish
