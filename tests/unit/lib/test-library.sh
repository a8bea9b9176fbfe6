#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The library as applications meet it: its headers in every dialect, its symbols, and a program from the man pages.
# Usage: test-library.sh SOURCE BUILD
set -u
source=$1 build=$2
dir=$(mktemp -d)
server=
cleanup() {
        [ -n "$server" ] && kill "$server" 2>/dev/null
        rm -rf "$dir"
}
trap cleanup EXIT

n=0
ok() { # STATUS DESCRIPTION: 0 is good; output of the check is in $dir/out
        n=$((n + 1))
        if [ "$1" = 0 ]; then
                echo "ok $n - $2"
        else
                echo "not ok $n - $2"
                sed 's/^/# /' "$dir/out"
        fi
}

warnings=(-Wall -Wextra -Werror -pedantic)
include=(-I"$source/include")
program=$source/tests/unit/lib/man-page-program.c
link=(-L"$build/src/lib" -lconfd-ha "-Wl,-rpath,$build/src/lib")
nm -D "$build/src/lib/libconfd-ha.so" | grep -q ' U __asan_init' && sanitized=1 || sanitized=

compilers=()
for cc in gcc clang; do command -v $cc >"$dir/out" && compilers+=("$cc"); done
for cc in "${compilers[@]}"; do
        cxx=g++
        [ "$cc" = clang ] && cxx=clang++
        for header in confd_lib confd_ha confd_events confd_ha_client; do
                echo "#include <$header.h>" >"$dir/one.c"
                echo 'int main(void) { return 0; }' >>"$dir/one.c"
                {
                        for std in c99 gnu99 c11 c17 c2x; do
                                $cc -std=$std "${warnings[@]}" "${include[@]}" -fsyntax-only "$dir/one.c" || echo "failed: $std"
                        done
                        for std in c++98 c++11 c++17 c++20; do
                                $cxx -x c++ -std=$std "${warnings[@]}" "${include[@]}" -fsyntax-only "$dir/one.c" || echo "failed: $std"
                        done
                } >"$dir/out" 2>&1
                [ ! -s "$dir/out" ]
                ok $? "$header.h stands alone, in C and C++ with $cc"
        done
        for std in c99 c17 c++98 c++20; do
                case $std in
                c++*) compile=("$cxx" -x c++) ;;
                *) compile=("$cc") ;;
                esac
                # -D_DEFAULT_SOURCE: strict C99 hides the system's own socket calls.
                "${compile[@]}" -std=$std -D_DEFAULT_SOURCE "${warnings[@]}" "${include[@]}" -c -o "$dir/$cc-$std.o" "$program" >"$dir/out" 2>&1
                ok $? "the program of the man pages compiles as $std with $cc"
        done
done

# What the headers declare, what the list says, and what is exported are the same.
"${compilers[0]}" -E -P "${include[@]}" -include confd_ha_client.h -x c /dev/null 2>"$dir/out" |
        tr '\n;' ' \n' | grep -oE '\bconfd_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u >"$dir/declared"
sed -n '/^global:/,/^local:/s/^ *\(confd_[a-z0-9_]*\);$/\1/p' "$source/src/lib/libconfd-ha.sym" | sort >"$dir/listed"
nm -D --defined-only "$build/src/lib/libconfd-ha.so" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | sort >"$dir/exported"
if [ -n "$sanitized" ]; then
        grep '^confd_' "$dir/exported" >"$dir/e" && mv "$dir/e" "$dir/exported"
fi
diff "$dir/listed" "$dir/exported" >"$dir/out" 2>&1
ok $? "the library exports what its list says and nothing else"
# Types of functions look like declarations too: only names that are functions count.
comm -13 "$dir/declared" "$dir/listed" >"$dir/out"
[ ! -s "$dir/out" ]
ok $? "every exported function is declared in a public header"
comm -23 "$dir/declared" "$dir/listed" >"$dir/out"
[ ! -s "$dir/out" ]
ok $? "every declared function is exported"
readelf -d "$build/src/lib/libconfd-ha.so" | grep -q 'SONAME.*\[libconfd-ha.so.0\]'
ok $? "its soname is libconfd-ha.so.0"
readelf -d "$build/src/lib/libconfd-ha.so" >"$dir/out"
[ -n "$sanitized" ] || ! grep NEEDED "$dir/out" | grep -vqE 'libcrypto|ld-linux|libc\.so'
ok $? "it needs OpenSSL's libcrypto and libc, and nothing else"

run_program() { # OBJECT LINKER
        local port out=$dir/run
        "$2" -o "$dir/program" "$1" "${link[@]}" >"$dir/out" 2>&1 || return 1
        coproc SERVER { exec erl +S 1 -noshell -pa "$build/tests/erlang" -s lib_server main; }
        server=$SERVER_PID
        cat >&"${SERVER[1]}" <<-'SCRIPT'
	{listen, tcp}.
	[{accept,17},{token,<<"secret">>},{expect,{1,<<"n1">>}},{send,ok},
	 {expect,{2,<<"n1">>,{<<"n2">>,{10,0,0,2}},1}},{send,ok},{expect,{6}},{send,ok},
	 {expect,{4}},{send,{4,[{<<"n2">>,{10,0,0,2}},{<<"n3">>,{64768,0,0,0,0,0,0,3}},{7,<<"h:1">>}]}},
	 {expect,{5,<<"n3">>}},{send,ok},{expect,{3}},{send,ok},{expect,{3}},{send,{error,17}},closed].
	[{accept,17},{token,<<"secret">>},{expect,{1,<<"n1">>}},{utf8,ok},
	 {expect,{2,<<"n1">>,{<<"n2">>,<<"host:4570">>},0}},{expect,{4}},{utf8,{3,[{<<"n2">>,"h"}]}},
	 {expect,{5,<<"n1">>}},{send,ok},closed].
	[{accept,11},{expect,{1056832,1000,0,undefined,0}},{send,ok},
	 {send,{64,{1,26}}},{expect,ha_synced},{send,{64,{2,{<<"n2">>,{10,0,0,2}}}}},{expect,ha_synced},
	 {send,{64,{3,{<<"n3">>,{10,0,0,3}}}}},{expect,ha_synced},{send,{8192}},{send,{2,skipped}},
	 {send,{64,{4,1}}},{expect,ha_synced},{send,{64,{5,0}}},{expect,ha_synced},{send,{64,{6,0}}},
	 {expect,ha_synced},{send,{64,{7,28}}},{expect,ha_synced}].
	[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},closed].
	SCRIPT
        read -r -t 30 _ port <&"${SERVER[0]}" || return 1
        timeout 30 "$dir/program" "$port" >"$out" 2>"$dir/out" || return 1
        for _ in 1 2 3 4; do
                read -r -t 30 line <&"${SERVER[0]}" || return 1
                [ "$line" = ok ] || { echo "$line" >"$dir/out"; return 1; }
        done
        kill "$server"
        wait "$server" 2>/dev/null
        server=
        diff - "$out" >"$dir/out" <<-'EXPECTED'
	relay n2@10.0.0.2 n3@fd00::3 7@h:1
	master n2@h
	nomaster 26 26
	died n2
	arrived n3
	initialized 1
	master
	none
	result 28
	EXPECTED
}
# A sanitized library wants its runtime in the program, too.
[ -z "$sanitized" ] || link+=(-fsanitize=address -fsanitize=undefined)
run_program "$dir/${compilers[0]}-c99.o" "${compilers[0]}"
ok $? "the C program runs"
run_program "$dir/${compilers[0]}-c++98.o" g++
ok $? "the C++ program runs"
echo "1..$n"
