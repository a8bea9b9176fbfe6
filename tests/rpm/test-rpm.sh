#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The RPM packages build from the source as it stands, rpmlint has no errors, and they hold the files that Debian's hold.
. "$(dirname "$0")/../cluster/tap.sh"

command -v rpmbuild >/dev/null && command -v rpmlint >/dev/null || skip_all "rpm and rpmlint are missing: tools/packages rpm"
cd "$top" || exit 1
spec=packaging/rpm/confd-ha.spec
version=$(sed -n 's/^Version: *//p' $spec)
is "its version is the project's" "$version" "$(sed -n "s/^ *version: '\(.*\)',$/\1/p" meson.build | head -n 1)"

r=$work/rpmbuild
mkdir -p "$r/SOURCES"
{ git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
        find . -type d \( -name 'build*' -o -name .git \) -prune -o -type f -printf '%P\0'; } |
        tar -c -z --null -T - --transform "s,^,confd-ha-$version/," -f "$r/SOURCES/confd-ha-$version.tar.gz"
built() { # what the tests said is what matters of it
        rpmbuild -bb --nodeps --define "_topdir $r" --load "$top/tests/rpm/macros" $spec </dev/null >"$work/rpmbuild.log" 2>&1 && return
        tools/count-tests "$r/BUILD/confd-ha-$version/_build"
        tail -n 40 "$work/rpmbuild.log"
        return 1
}
ok "they build, and the unit suite passes in %check" built || { finish; exit; }
ok "which has run" grep -qE '^Ok: +[0-9]{2}' "$work/rpmbuild.log"
mapfile -t rpms < <(find "$r/RPMS" -name '*.rpm' | sort)
is "there is one for each of Debian's, whatever they are called" \
        "$(for f in "${rpms[@]}"; do rpm -qp --qf '%{name}\n' "$f"; done | sort | paste -sd' ')" \
        "$(sed -n 's/^Package: //p' debian/control | sed 's/^libconfd-ha0$/libconfd-ha/; s/^libconfd-ha-dev$/libconfd-ha-devel/' | sort | paste -sd' ')"
rpmlint -c "$top/tests/rpm/rpmlint.toml" "${rpms[@]}" $spec >"$work/rpmlint" 2>&1
is "rpmlint finds no error" "$(grep ': E: ' "$work/rpmlint")" ""

# Of an RPM package: its files, as Debian names their places.
rpm_files() { # NAME
        local f
        for f in "${rpms[@]}"; do [ "$(rpm -qp --qf '%{name}' "$f")" != "$1" ] || rpm -qlp --qf '' "$f" 2>/dev/null; done |
                grep -vE '/licenses/|/\.build-id|^/usr/lib/\.build-id' | sed -E \
                -e 's,^/usr/lib/systemd/system/,/lib/systemd/system/,' -e 's,^/usr/lib64/,/usr/lib/*/,' \
                -e 's,/zsh/site-functions/,/zsh/vendor-completions/,' -e 's,\.gz$,,' | sort
}
# Of a Debian package: what its list stands for in the tree that was installed for the RPMs.
tree=$r/tree
mkdir "$tree"
for f in "${rpms[@]}"; do rpm2cpio "$f" | (cd "$tree" && cpio -idm --quiet 2>/dev/null); done
debian_files() { # NAME
        local pattern to path f
        while read -r pattern to; do
                case $pattern in '' | '#'*) continue ;; esac
                path=$(sed -E -e 's,^lib/systemd/system/,usr/lib/systemd/system/,' -e 's,^usr/lib/\*/,usr/lib64/,' \
                        -e 's,/zsh/vendor-completions/,/zsh/site-functions/,' <<<"$pattern")
                [ -z "$to" ] || path=$to/${path##*/}
                for f in "$tree"/$path "$tree"/$path.gz; do
                        [ ! -e "$f" ] || find "$f" ! -type d
                done
        done <"debian/$1.install" | sed -E -e "s,^$tree,," -e 's,^/usr/lib/systemd/system/,/lib/systemd/system/,' \
                -e 's,^/usr/lib64/,/usr/lib/*/,' -e 's,/zsh/site-functions/,/zsh/vendor-completions/,' -e 's,\.gz$,,' | sort -u
}
for list in debian/*.install; do
        name=$(basename "$list" .install)
        case $name in libconfd-ha0) rpm=libconfd-ha ;; libconfd-ha-dev) rpm=libconfd-ha-devel ;; *) rpm=$name ;; esac
        # Directories are the package's in RPM, and nobody's in Debian.
        is "$rpm has the files of Debian's $name" "$(rpm_files "$rpm" | while read -r f; do
                [ -d "$tree$(sed -E 's,^/lib/systemd/system/,/usr/lib/systemd/system/,; s,^/usr/lib/\*/,/usr/lib64/,; s,/zsh/vendor-completions,/zsh/site-functions,' <<<"$f")" ] || echo "$f"
        done)" "$(debian_files "$name")"
done
finish
