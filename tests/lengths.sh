#!/usr/bin/env bash
# lengths.sh: how long functions are: the median is not above 9 lines, nine of ten have 20 at most, none has
# more than 73. Prints what is too long; silent when nothing is.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
# As clang-format leaves it, a function is from the line before its "{" to its "}", both alone in column 1.
find emu mmu cpu vdev hv qvm library -name '*.c' -exec awk '
    FNR == 1 { begin = 0 }
    /^\{$/ { begin = FNR; name = before }
    /^\}$/ && begin { print FNR - begin - 1, FILENAME ": " name; begin = 0 }
    { if ($0 ~ /^[A-Za-z]/) before = $0 }' {} + | sort -n | awk '
    { length_of[NR] = $1; if ($1 > 73) { print "more than 73 lines: " $0; bad = 1 } }
    END {
        median = length_of[int((NR + 1) / 2)]; ninety = length_of[int(NR * 0.9)]
        if (ENVIRON["SHOW"]) print NR " functions: median " median ", 90th percentile " ninety ", longest " length_of[NR]
        if (NR < 1000) { print "only " NR " functions were found"; bad = 1 }
        if (median > 9) { print "the median is " median " lines, more than 9"; bad = 1 }
        if (ninety > 20) { print "one in ten has more than 20 lines: " ninety; bad = 1 }
        exit bad
    }'
