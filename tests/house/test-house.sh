#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The house is in order: licences, sizes, who knows whom, scripts. docs/architecture.md says why.
set -u
# shellcheck source=tests/cluster/tap.sh
. "$(dirname "$0")/../cluster/tap.sh"
cd "$top" || exit 1

# Without git, as in a source archive, everything that is not a build directory.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard >"$work/files"
else
        find . -type d \( -name 'build*' -o -name .git \) -prune -o -type f -printf '%P\n' >"$work/files"
fi
ok "there are files" test "$(wc -l <"$work/files")" -gt 50
all() { grep -E "$1" "$work/files"; }

# Data that a program reads as it is, and lists of whom Debian's tools read, have no place for a comment.
is "every file that can has its licence" "$(all '' | grep -vE \
        '^LICENSE$|^man/alias\.in$|^\.git|\.tsv$|\.bin$|\.json$|\.svg$|\.png$|^tests/fuzz/corpus|^debian/(changelog|.*\.(install|manpages|links|docs|examples|dirs)|source/format|compat|copyright|\.gitignore|.*\.symbols)$' |
        xargs awk 'FNR <= 5 && /SPDX-License-Identifier: Apache-2\.0/ { ok[FILENAME] }
                END { for (i = 1; i < ARGC; i++) if (!(ARGV[i] in ok)) print ARGV[i] }')" ""

is "no file is longer than 700 lines" "$(all '\.(c|h|sh|py|erl|js|css|md|in)$|^(check|quickstart)$|^(tools|ocf)/' |
        xargs awk 'FNR == 701 { print FILENAME }')" ""
is "no function is longer than 70 lines" "$(all '\.[ch]$' | xargs awk '
        /^[A-Za-z_].*\{$/ && !/^(struct|enum|union|static const|const|typedef|extern)/ { start = FNR; name = $0 }
        /^}/ && start { if (FNR - start >= 70) print FILENAME ": " name; start = 0 }')" ""

# includes PREFIX: what the files of a directory and all below it include of ours, and of libraries.
includes() { all "^$1.*\.[ch]\$" | xargs -r grep -hoE '^#include +["<][^">]+' | sed -E 's/^#include +["<]//' | sort -u; }
knows() { # NAME DIR ALLOWED-OF-OURS
        is "$1" "$(includes "$2" | grep -E '^(basic|lib|service|node|view|ctl|exporter|keepalived)/' | grep -vE "$3")" ""
}
knows "src/basic knows itself only" src/basic/ '^basic/'
knows "src/lib knows basic" src/lib/ '^(basic|lib)/'
knows "src/service knows basic and lib" src/service/ '^(basic|lib|service)/'
knows "src/node knows basic, and of lib the terms and frames" src/node/ \
        '^(basic|node)/|^lib/(eterm|value|frame|errors|protocol|sink)\.h$'
knows "node/store knows basic only" src/node/store/ '^basic/|^node/store/'
knows "node/replication knows the store, not the role, the IPC port or whoever ties them together" src/node/replication/ \
        '^basic/|^node/(replication|store)/|^node/node-id\.h$'
for ends in 'master slave' 'slave master'; do
        is "node/replication/${ends% *} does not know ${ends#* }" \
                "$(includes "src/node/replication/${ends% *}" | grep -E "^node/replication/${ends#* }")" ""
done
knows "node/ipc knows terms, ids and the role's words, not the store or the replication" src/node/ipc/ \
        '^(basic|lib)/|^node/ipc/|^node/(node-id|role)\.h$'
knows "src/view knows basic" src/view/ '^(basic|view)/'
knows "src/ctl knows basic and the view, not the library" src/ctl/ '^(basic|view|ctl)/'
knows "src/exporter knows basic and the view" src/exporter/ '^(basic|view|exporter)/'
knows "src/keepalived knows basic and the view" src/keepalived/ '^(basic|view|keepalived)/'
is "the command line knows D-Bus only" "$(includes src/ctl/ | grep -E '^confd_')" ""
without_systemd() { includes "$1" | grep -E '^systemd/'; }
is "src/lib builds without libsystemd" "$(without_systemd src/lib/)" ""
for file in src/service/state src/node/role; do
        is "$file builds without libsystemd, sockets and clocks" "$(includes "$file" |
                grep -E '^systemd/|^sys/(socket|epoll|timerfd)|^time\.h|^sys/time')" ""
        is "$file asks no clock" "$(all "^${file}[^/]*\.c\$" | xargs -r grep -nE 'clock_gettime|now_(usec|monotonic|realtime)\(')" ""
done

version=$(sed -n "s/^ *version: '\(.*\)',$/\1/p" meson.build | head -n 1)
is "the packages have the project's version" "$(sed -n '1s/^confd-ha (\(.*\)) .*/\1/p' debian/changelog) $(sed -n 's/^Version: *//p' packaging/rpm/confd-ha.spec)" \
        "$version $version"

is "nothing is left for later" "$(all '^(src|tests|docs|include|tools|systemd|dbus|polkit|man)/|^(README.md|check|quickstart)$' |
        grep -v '^tests/house/' | xargs grep -nP '\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b|(?<!not )\bfor no[w]\b(?! and then)')" ""

is "docs/architecture.md knows every module" "$(all '^src/[a-z]+/.*\.[ch]$' | while read -r f; do
        stem=$(basename "${f%.[ch]}")
        case $stem in main | verb-*) continue ;; esac
        # A part is told with its whole: the name itself, or what is before its last dash.
        grep -qE "\`($stem|${stem%-*})\`" docs/architecture.md || echo "$f"
done)" ""

# Paths as they stand in the text, those of modules (service/state) without src/ and without .c or .h. What is in docs/bench ./bench
# writes.
is "every path in the documents is there" "$(grep -oHE '(^|[^A-Za-z0-9_./~-])(src|tests|tools|docs|dbus|man|ocf|cockpit|packaging|debian|polkit|systemd|include|basic|lib|service|node|view|ctl|exporter|keepalived)(/[A-Za-z0-9_.*-]+)+' \
        README.md NEWS.md SECURITY.md docs/*.md | sed -E 's/:[^a-z]/:/; s/[.,:]+$//' | grep -v ':docs/bench' | sort -u | while IFS=: read -r f path; do
        compgen -G "$path" >/dev/null || compgen -G "src/$path" >/dev/null || compgen -G "src/$path.[ch]" >/dev/null || echo "$f: $path"
done)" ""
is "every module in docs/architecture.md is there" "$(sed -n 's/^| \(`[^|]*\)|.*/\1/p' docs/architecture.md | grep -oE '`[a-z][a-z0-9-]+`' | tr -d '`' |
        sort -u | while read -r stem; do all "^(src|ocf)/.*/$stem\.[chp]\$" | grep -q . || echo "$stem"; done)" ""

# A name service, a daemon that is stopped, a full queue of the journal: whatever is asked may be silent.
is "the resource agent waits for nobody without a bound" "$(all '^ocf/(.*\.sh|confd-ha\.in)$' | xargs awk '
        !/^ *#/ && last !~ /\\$/ && !/bounded|&$/ &&
        /(^ *|\$\(|[|&!] *)(crm_[a-z]+|corosync-[a-z]+|cibadmin|attrd_updater|systemctl|busctl|confd-hactl|getent|logger) / { print FILENAME ": " $0 }
        { last = $0 }')" ""
is "lists and queues are those of sys/queue.h" "$(all '^src/.*\.[ch]$' | xargs grep -nE '\*\*prev|->next->|->prev(ious)?->')" ""
is "tests are named by sentences" "$(all '^tests/.*\.c$' | xargs grep -nE 'void test_[a-z0-9_]+\(void \*\*')" ""

mkdir -p "$work/build/meson-logs"
printf '%s\n' '{"name": "it", "stdout": "ok 1 - a\n", "stderr": "Traceback\n  in it\nOSError: No such device\n\n(test program exited with status code 1)\n", "result": "ERROR", "returncode": 1}' \
        >"$work/build/meson-logs/testlog.json"
fails "a test program that broke off is told with its last words" 1 'it (error, exit status 1: OSError: No such device)' \
        tools/count-tests "$work/build"

mapfile -t scripts < <(all '' | while read -r f; do
        head -n 1 "$f" | grep -qE '^#!/bin/(ba|da)?sh|^# shellcheck shell=' && echo "$f"
done)
shellchecked() { # some at a time: it is slow, and has one thread
        printf '%s\0' "${scripts[@]}" | LC_ALL=C.UTF-8 xargs -0 -n 8 -P "$(nproc)" shellcheck -S warning -x -P SCRIPTDIR
}
ok "shellcheck has nothing to say of ${#scripts[@]} scripts" shellchecked
finish
