#!/usr/bin/env bash
# install.sh BUILD: what `cmake --install` puts where: the program runs from there, and the manual pages
# say all that the program's help says. Prints each failure, and a count.
set -uo pipefail
[ $# = 1 ] || { echo "usage: install.sh BUILD" >&2; exit 2; }
build="$(realpath -e "$1")" || exit 2
cd "$(dirname "$0")/.." || exit 2
for tool in mandoc man; do
    command -v $tool >/dev/null || { echo "install.sh needs $tool" >&2; exit 2; }
done
. tests/support.sh
trap 'exit 1' HUP INT TERM

root="$work/root/usr"
qvm="$root/bin/qvm"
pages=(man1/qvm.1 man5/qvmconf.5 man5/qvmtest.5)

run() {
    "$@" >"$work/out" 2>"$work/err" </dev/null
}

# Its options and commands.
words_of_help() {
    "$qvm" --help | grep -oE '(^|[ |[(])--?[a-z][a-z-]*' | tr -d ' |[('
    "$qvm" --help | sed -nE 's/.*\<qvm ([a-z]+) .*/qvm \1/p'
}

# has_not PAGE: of the words in standard input those that it has not, as a reader sees it.
has_not() {
    mandoc -Tutf8 -O width=500 "$root/share/man/$1" | col -bx >"$work/page"
    local words
    words="$(sort -u)"
    [ "$(wc -l <<<"$words")" -ge 6 ] || printf 'there are no words to look for; '
    while read -r word; do
        grep -qF -- "$word" "$work/page" || printf '%s is not there; ' "$word"
    done <<<"$words"
}

places() {
    local file
    check "cmake --install" run env DESTDIR="$work/root" cmake --install "$build" --prefix /usr
    for file in bin/qvm share/doc/qvm/{README.md,LICENSE,copyright} share/doc/qvm/docs/command-line.md \
        share/qvm/configs/hello-arm64.qvmconf share/qvm/configs/boards/default.board "${pages[@]/#/share/man/}"; do
        check "$file" test -s "$root/$file"
    done
    check "the installed program" run "$qvm" replay traces/hello.qtrace
}

manual() {
    local page
    for page in "${pages[@]}"; do
        verdict "mandoc on $page" "$(mandoc -Tlint "$root/share/man/$page" 2>&1 | head -n 3)"
        verdict "man on $page" "$(LC_ALL=C.UTF-8 man --warnings -l -Tutf8 "$root/share/man/$page" 2>&1 >/dev/null | head -n 3)"
    done
    words_of_help >"$work/help"
    verdict "there is help" "$([ "$(wc -l <"$work/help")" -gt 60 ] || echo "of few words")"
    verdict "qvm.1" "$(has_not man1/qvm.1 <"$work/help")"
    verdict "exit statuses" "$(seq 0 7 | grep -v 1 | has_not man1/qvm.1; printf '%s\n' '32 to 63' 64 65 66 67 96 | has_not man1/qvm.1)"
    verdict "options" "$("$qvm" '?' | grep -oE '^ {0,2}[a-z]{2,}' | has_not man5/qvmconf.5)"
    verdict "variables" "$("$qvm" set '?' | head -n -1 | cut -d' ' -f1 | has_not man5/qvmconf.5)"
    verdict "boards" "$("$qvm" board '?' | grep -oE '^ {0,2}[a-z]{2,}' | has_not man5/qvmconf.5)"
    verdict "tests" "$(sed -n 's/^| `\([a-z]*\) .*/\1/p' docs/testing.md | has_not man5/qvmtest.5)"
}

places
manual
finish
