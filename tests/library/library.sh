#!/usr/bin/env bash
# library.sh BUILD_DIR: libqvm as it is installed: what it shows, the example in C by pkg-config, and
# the module for Python, each compared with what the program says. Prints failures and a count.
set -uo pipefail
build="$(realpath -e "${1:?usage: tests/library/library.sh BUILD_DIR}")" || exit 2
cd "$(dirname "$0")/../.." || exit 2
. tests/support.sh

shown="$(nm -D --defined-only "$build/libqvm.so" | awk '{ print $3 }' | sort)"
declared="$(grep -v '^#' include/qvm.h | tr '\n' ' ' | grep -oE 'QVM_API [^(]*' | grep -oE 'qvm_[a-z_]+$' | sort)"
check "what it shows is what the header declares: $(diff <(echo "$shown") <(echo "$declared") | head -3)" \
    [ "$shown" = "$declared" ]
at_least 20 "$(wc -w <<<"$declared")" "functions of the library"
check "its name" grep -q 'SONAME.*\[libqvm\.so\.0\]' <(readelf -d "$build/libqvm.so")

check "it is installed" cmake --install "$build" --prefix "$work/installed" >/dev/null 2>"$work/err"
pc="$(find "$work/installed" -name libqvm.pc)"
# Where it was configured for is another place than where it is now.
export PKG_CONFIG_PATH="${pc%/*}" flags
flags="$(pkg-config --define-variable=prefix="$work/installed" --cflags --libs libqvm)"
libraries="${pc%/pkgconfig/*}"
# shellcheck disable=SC2086 # words, as pkg-config means them
check "the example compiles" cc -std=c99 -pedantic -Wall -Wextra -Werror -o "$work/example" tests/library/example.c $flags
check "a program that only includes it" cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -x c -I include - \
    <<<'#include <qvm.h>'

ours="$(LD_LIBRARY_PATH="$libraries" limited 60 "$work/example" configs/hello-arm64.qvmconf)"
check "the example's status" [ $? = 0 ]
programs="$("$build/qvm" run configs/hello-arm64.qvmconf 2>&1 </dev/null |
    sed -E 's/^qvm: //; s/ [0-9.]+ s virtual,//')"
check "the example says what the program does: '$ours', not '$programs'" [ "$ours" = "$programs" ]
LD_LIBRARY_PATH="$libraries" limited 60 "$work/example" tests/library/bad.qvmconf 2>"$work/err"
check "bad configurations end it" [ $? = 65 ]
check "and are named" grep -q '^\[bad\.qvmconf:3\]' "$work/err"

export QVM_LIBRARY="$libraries/libqvm.so.0" PYTHONPATH=python
limited 60 python3 -B python/tour.py >"$work/tour"
check "the tour's status" [ $? = 0 ]
check "the tour's way" grep -q "digest ${ours##* }$" <<<"digest $(grep -oE '[0-9a-f]{64}' "$work/tour" | head -n 1)"
check "its other way" grep -q '^ from EL7$' "$work/tour"
limited 120 python3 -B tests/library/test_qvm.py "$build/qvm"
check "the module" [ $? = 0 ]

finish
