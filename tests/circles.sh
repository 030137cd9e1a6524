#!/usr/bin/env bash
# circles.sh BUILD_DIR: in each folder files use each other in one direction only, so that each can be
# read, tested and replaced with what lies below it alone. Looks at the objects of a build: a file uses
# another one if it takes a symbol that only that one defines. Prints each circle, with the symbols
# it is made of; silent when there is none.
set -uo pipefail
build="${1:?usage: circles.sh BUILD_DIR}"

# Lines "user definer symbol" of a folder's objects.
uses_of() {
    find "$1" -name '*.o' -exec nm -A -g -P {} + | awk '
        {
            object = $1
            sub(/:$/, "", object); sub(/\.o$/, "", object); sub(/.*\//, "", object)
            if ($3 == "U" || $3 == "w")
                wants[object, $2]
            else
                definer[$2] = object
        }
        END {
            for (pair in wants) {
                split(pair, part, SUBSEP)
                if (part[2] in definer && definer[part[2]] != part[1])
                    print part[1], definer[part[2]], part[2]
            }
        }' | sort
}

# circles_of FOLDER: a line for each set of files that reach each other and, indented, the uses among
# them.
circles_of() {
    awk -v folder="$1" '
        {
            if (!($1 in seen)) { seen[$1]; file[++files] = $1 }
            if (!($2 in seen)) { seen[$2]; file[++files] = $2 }
            if (!(($1, $2) in symbols)) next_of[$1] = next_of[$1] " " $2
            symbols[$1, $2] = symbols[$1, $2] " " $3
        }
        # All that can be reached from a file.
        function walk(from, start,    i, count, to) {
            count = split(next_of[start], to, " ")
            for (i = 1; i <= count; i++)
                if (!((from, to[i]) in reaches)) {
                    reaches[from, to[i]]
                    walk(from, to[i])
                }
        }
        function together(a, b) { return (a, b) in reaches && (b, a) in reaches }
        # By name.
        function sort_files(    i, j, held) {
            for (i = 2; i <= files; i++) {
                held = file[i]
                for (j = i - 1; j > 0 && file[j] > held; j--) file[j + 1] = file[j]
                file[j + 1] = held
            }
        }
        END {
            sort_files()
            for (i = 1; i <= files; i++) walk(file[i], file[i])
            for (i = 1; i <= files; i++) {
                if (file[i] in told || !((file[i], file[i]) in reaches)) continue
                line = folder ": files that use each other:"; uses = ""
                for (j = 1; j <= files; j++) {
                    if (!together(file[i], file[j])) continue
                    told[file[j]]
                    line = line " " file[j]
                    for (k = 1; k <= files; k++)
                        if ((file[j], file[k]) in symbols && together(file[i], file[k]))
                            uses = uses "\n    " file[j] " uses " file[k] ":" symbols[file[j], file[k]]
                }
                print line uses
            }
        }'
}

bad=0
for folder in emu mmu cpu vdev hv qvm library; do
    objects="$build/CMakeFiles/qvm_$folder.dir"
    [ "$folder" != qvm ] || objects="$build/CMakeFiles/qvm.dir"
    uses="$(uses_of "$objects")"
    # Without objects there would be nothing to find.
    if [ -z "$uses" ]; then
        echo "circles: cannot read the objects of $folder in $build"
        exit 2
    fi
    found="$(circles_of "$folder" <<<"$uses")"
    [ -z "$found" ] || { echo "$found"; bad=1; }
done
exit $bad
