#!/usr/bin/env bash
# prefixes.sh BUILD: every function that others can call begins with a name of its file, or of the header
# that declares it: words of that name (gic_lines.c: gic_, lines_ or gic_lines_), in the plural or not; or a
# type that the header defines (bytes.h: reader_); or its architecture. Prints each that does not.
set -uo pipefail
[ $# = 1 ] || { echo "usage: prefixes.sh BUILD" >&2; exit 2; }
cd "$(dirname "$0")/.." || exit 2
bad=0
# words STEM: "|gic|gics|gic_lines|..." of it: each run of its words, and their initials.
words() {
    local parts=(${1//_/ }) from to word initials=""
    for ((from = 0; from < ${#parts[@]}; from++)); do
        word=""
        initials+="${parts[from]:0:1}"
        for ((to = from; to < ${#parts[@]}; to++)); do
            word="${word:+${word}_}${parts[to]}"
            printf '|%ss?|%s|%sies' "$word" "${word%s}" "${word%y}"
        done
    done
    [ ${#parts[@]} -lt 2 ] || printf '|%s' "$initials"
}

# Of each header: what its functions may begin with.
declare -A of_header declared_in
while IFS= read -r header; do
    stem="$(basename "$header" .h)"
    of_header[$header]="$(words "${stem%_internal}")$(sed -nE 's/^(struct|enum) ([a-z0-9_]+) \{$/|\2/p' "$header" | tr -d '\n')"
    for name in $(grep -oE '\<[a-z][a-z0-9_]*\(' "$header" | tr -d '('); do
        declared_in[$name]+=" $header"
    done
done < <(find emu mmu cpu vdev hv -name '*.h')

for folder in emu mmu cpu vdev hv; do
    while read -r object; do
        source="${object#*.dir/}" source="${source%.o}"
        own="$(words "$(basename "$source" .c)")"
        case "$source" in
        */arm64/*) own+='|arm64' ;;
        esac
        while read -r name; do
            case "$name" in
            load_le | store_le | *_aarch64) continue ;; # everywhere; the library's own names
            esac
            pattern="$own"
            for header in ${declared_in[$name]:-}; do
                pattern+="${of_header[$header]}"
            done
            [[ "$name" =~ ^(${pattern#|})(_|$) ]] || { echo "$source: $name"; bad=1; }
        done < <(nm --defined-only -g "$object" | awk '$2 == "T" {print $3}')
    done < <(find "$1/CMakeFiles/qvm_$folder.dir" -name '*.o' | sort)
done
exit $bad
