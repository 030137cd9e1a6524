#!/usr/bin/env bash
# arrows.sh [ROOT]: every folder includes only itself and the folders below it, a third-party library
# is included by one file only, no two files have the same name, devices reach memory through their
# ports only, no folder but its own and those of architectures names an interrupt controller, what an
# architecture is only its own folders know, what C does not have everywhere is asked for in qvm/host/
# only, and documents and comments name what there is. Prints each violation; silent when there is none.
set -uo pipefail
here="$(realpath "$(dirname "$0")")"
cd "${1:-$here/..}" || exit 2
. "$here/support.sh"

declare -A below=(
    [emu]=""
    [mmu]="emu"
    [cpu]="mmu emu"
    [vdev]="mmu emu"
    [hv]="vdev cpu mmu emu"
    [qvm]="hv vdev cpu mmu emu"
    [include]=""
    [library]="include qvm hv vdev cpu mmu emu"
)
# header pattern (extended regular expression) and the files that may include it
libraries=(
    'unicorn/.*|cpu/unicorn/unicorn_library.c cpu/unicorn/arm64/unicorn_arm64.c'
    'capstone(/.*)?\.h|cpu/disasm.c'
    '(SDL2?/)?SDL.*\.h|qvm/screen_sdl.c'
    '(libfdt.*|fdt)\.h|hv/tree/fdt.c'
    '(zstd.*|zlib)\.h|emu/compress.c'
    'slirp/.*|qvm/host/host_net_slirp.c'
)
# Words that name the interrupt controller (vdev/pic.h is what others know of one), and who may use
# which of them nevertheless:
controller='(^|[^a-zA-Z])v?gic'
may_name=(
    'vdev/all.c|gic_type'                                   # the table of what exists
    'hv/config/config_set.c|(gic-|host-paddr-gic)[a-z]+'    # variables of the language, without effect
    'emu/machine.h|QUIRK_GICR_ASLEEP'                       # what machines of the past did otherwise
)
bad=0

violation() {
    echo "$*"
    bad=1
}

# violations SENTENCE: each line "file:line:text" of standard input is one.
violations() {
    local file line text
    while IFS=: read -r file line text; do
        violation "$file:$line: $1: $text"
    done
}

# Prints "file:line:header" of every #include below the given folder.
includes_of() {
    find "$1" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + |
        sed -E 's/^([^:]*:[0-9]*:)[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]?([^>"]*)[>"]?.*/\1\2/'
}

all=
for folder in "${!below[@]}"; do
    [ -d "$folder" ] || { violation "$folder: no such folder"; continue; }
    lines="$(includes_of "$folder")"
    all+="$lines"$'\n'
    while IFS=: read -r file line header; do
        [ -n "$file" ] || continue
        first="${header%%/*}"
        case "$header" in
        *..*) violation "$file:$line: $header: no relative paths: they hide the folder" ;;
        tests/*) violation "$file:$line: $header: the program does not depend on its tests" ;;
        */*)
            [ -n "${below[$first]+known}" ] || continue
            case " $folder ${below[$folder]} " in
            *" $first "*) ;;
            *) violation "$file:$line: $folder may not include $header" ;;
            esac
            ;;
        esac
    done <<<"$lines"
done

for name in $(find "${!below[@]}" -name '*.[ch]' -printf '%f\n' | sort | uniq -d); do
    violation "$name: two files have this name:" $(find "${!below[@]}" -name "$name")
done

for library in "${libraries[@]}"; do
    pattern="${library%|*}" allowed="${library##*|}"
    users="$(grep -E "^[^:]*:[0-9]+:($pattern)\$" <<<"$all" | cut -d: -f1 | sort -u)"
    for user in $users; do
        case " $allowed " in
        *" $user "*) ;;
        *) violation "$user: only $allowed may include $pattern" ;;
        esac
    done
    [ "$(wc -w <<<"$users")" -le "$(wc -w <<<"$allowed")" ] || violation "$pattern: included by more files: ${users//$'\n'/ }"
done

# Headers that C has everywhere, compilers' for x86-64 (under the condition that it is one), and the
# libraries' above; all others are an operating system's. What the engine's library needs on one kind of
# host is built there only.
everywhere='assert|ctype|errno|inttypes|limits|setjmp|stdarg|stdbool|stddef|stdint|stdio|stdlib|string'
everywhere="($everywhere|immintrin|cpuid|xxhash|zstd_errors)\.h"
for library in "${libraries[@]}"; do
    everywhere+="|${library%|*}"
done
one_host='cpu/unicorn/code_buffer(_windows)?\.c|cpu/unicorn/arm64/wrapped\.c'
violations "only qvm/host/ knows an operating system" < <(
    grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' --include='*.[ch]' "${!below[@]}" |
        grep -vE "^(qvm/host/host_([a-z_]+\.c|windows\.h)|$one_host):|<($everywhere)>")

# Definitions of names that a header of some C library has: what includes what differs between them.
# (No system call is called as a register of AArch64 is.)
taken='SYS_[A-Za-z0-9_]+|SIG[A-Z]{3,5}|LOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG|USER|PID)'
taken="^[[:space:]]*(#[[:space:]]*define[[:space:]]+)?($taken)[[:space:]]*([=,(0-9]|\$)"
taken+='|^[[:space:]]*struct (option|stat|tm|time(spec|val)|pollfd|iovec|dirent|passwd|group) \{'
violations "a C library has a name like that" < <(grep -rnE "$taken" --include='*.[ch]' "${!below[@]}" |
    grep -vE '^qvm/host/host_[a-z_]+\.c:|SYS_[A-Z0-9]+_EL[0-3]')

# What a format of printf means to a compiler differs between hosts: emu/text.h says it once.
violations "TEXT_PRINTF (emu/text.h) says what takes a format" < <(
    grep -rnE '__attribute__.*\<_*format(_arg)?_*[[:space:]]*\(' --include='*.[ch]' "${!below[@]}" |
        grep -v '^emu/text\.h:')

# A device knows neither the board's memory nor how it is translated; regions that guests share are
# taken from the one, and shown to guests by the assembly. What a span points to is for vdev/dma.c. An
# SMMU translates for others, by tables that it reaches through its own port.
while IFS=: read -r file line header; do
    case "$file:$header" in
    vdev/shmem/shmem_regions.h:mmu/memory.h) ;;
    vdev/smmu/*:mmu/smmu/*) ;;
    vdev/*:mmu/*) violation "$file:$line: $header: a device reaches memory through vdev/dma.h only" ;;
    esac
done <<<"$all"
violations "a device reaches memory through vdev/dma.h only" < <(
    grep -rnE '\<memory_at\>|(\.|->)host\>' vdev --include='*.[ch]' | grep -v '^vdev/dma\.c:')

# Without FILE's own words nothing is left that names it.
while IFS=: read -r file line text; do
    [ -n "$file" ] || continue
    for entry in "${may_name[@]}"; do
        [ "$file" != "${entry%%|*}" ] || text="$(sed -E "s/${entry#*|}//g" <<<"$text")"
    done
    ! grep -qiE "$controller" <<<"$text" ||
        violation "$file:$line: only vdev/gic/ and architectures' folders name the interrupt controller"
done < <(grep -rniE "$controller" --include='*.[ch]' "${!below[@]}" | grep -vE '^vdev/gic/|^[a-z]+/(arm64|x86)/')

# The list of the architectures names them; an SMMU's tables are those of AArch64. Of the engine, one file
# says what of the library is replaced, and that is one architecture's so far.
while IFS=: read -r file line header; do
    case "$file:$header" in
    */arm64/*:* | mmu/smmu/*:mmu/arm64/* | hv/vm_arches.c:* | cpu/unicorn/engine_unicorn.c:*/interpose.h) ;;
    *:*/arm64/*) violation "$file:$line: $header: only arm64/ knows what AArch64 is" ;;
    esac
done <<<"$all"

# Nor does any other file speak of its registers, instructions or exception classes; but what older
# machines did has no other name (emu/machine.h).
words='\<[A-Z][A-Z0-9]*_EL[0-3]\>|\<(PSTATE|ESR|SYSREG|WFI|WFE|HVC|SMC|EL[0-3]|TLBI|ERET|LDXR)\>|\<EC_[A-Z]'
violations "only arm64/ speaks of AArch64" < <(grep -rnE "$words" --include='*.[ch]' "${!below[@]}" |
    grep -vE '^[a-z/]+/(arm64|x86|smmu)/|^vdev/gic/|^emu/machine\.h:')

# Files that documents and comments name are there, but for the one that writing-a-vdev.md writes.
files=0
while IFS=: read -r file line name; do
    files=$((files + 1))
    [ -e "$name" ] || [ "$name" = vdev/counter.c ] || violation "$file:$line: there is no $name"
done < <(grep -rnoE '\<(emu|mmu|cpu|vdev|hv|qvm|tests|docs|cmake)/[a-z0-9_/-]+\.(c|h|S|sh|md|cmake)\>' \
    --include='*.[ch]' --include='*.md' --exclude-dir=build .)
# So are functions and the like in documents; what is not ours is another library's, or a format's.
words="$(grep -rhoE '\<[a-z][a-z0-9]*_[a-z0-9_]+\>' --include='*.[ch]' --include='*.sh' "${!below[@]}" tests | sort -u)"
names=0
while IFS=: read -r file line name; do
    names=$((names + 1))
    name="${name//\`/}"
    case "$name" in
    uc_* | tcg_* | tb_* | tlb_reset_* | helper_* | lookup_tb_ptr | check_exit_request) continue ;;
    e_entry | text_offset) continue ;;
    esac
    grep -qx -- "$name" <<<"$words" || violation "$file:$line: nothing is called $name"
done < <(grep -rnoE '`[a-z][a-z0-9]*_[a-z0-9_]+`' docs)
at_least 1000 "$(wc -l <<<"$all")" "includes"
at_least 100 $files "files that are named"
at_least 30 $names "names in documents"
[ $failed = 0 ] && exit $bad
