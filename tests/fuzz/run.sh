#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: fuzzes each target (default: all) for that many seconds, two at a time,
# with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Where clang has no
# libFuzzer, the standalone main makes the inputs. What is found is in build/fuzz/TARGET-*; status 1
# if anything.
set -uo pipefail
seconds="${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}"
shift
cd "$(dirname "$0")/../.." || exit 2
targets=("$@")
[ $# -gt 0 ] || targets=(trace config board test_file tree gdb import exit_log exits verdict image snapshot virtio smmu frame)

out=build/fuzz
flags=(-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror -g -O1
    -fno-omit-frame-pointer -fno-sanitize-recover=undefined -I.)
libraries=(-lzstd -lz -lxxhash -lfdt)
compiler="${CC:-clang}"
objects="$out/objects-$(basename "$compiler")"
mkdir -p "$objects"

c_of() { # FOLDER...: every source there and below
    find "$@" -name '*.c' | sort
}

sources_of() {
    case "$1" in
    trace) echo emu/*.c ;;
    config | board) echo $(c_of hv/config vdev mmu emu) hv/vm_arch.c tests/fuzz/arches.c ;;
    test_file)
        echo qvm/test/test_file.c qvm/test/pattern.c $(c_of hv/config vdev mmu emu) hv/vm_arch.c tests/fuzz/arches.c
        ;;
    virtio | smmu) echo $(c_of vdev mmu emu) ;;
    tree) echo hv/tree/*.c hv/config/config_strings.c $(c_of vdev mmu emu) ;;
    gdb)
        echo qvm/gdb/gdb_{answer,hex,packets,points,query,registers,run,server}.c hv/config/config_text.c \
            $(c_of cpu vdev mmu emu | grep -v -e ^cpu/unicorn/ -e disasm)
        ;;
    exit_log | exits | import | verdict | image | snapshot | frame)
        echo $(c_of hv cpu vdev mmu emu | grep -v -e ^cpu/unicorn/ -e disasm) tests/fuzz/machine.c
        ;;
    *) echo "run.sh: there is no target '$1'" >&2; exit 2 ;;
    esac
}

objects_of() { # SOURCE...
    local source
    for source in "$@"; do
        echo "$objects/${source//\//-}.o"
    done
}

# Once for all targets; again what is older than its source, any header or this script. What
# libFuzzer wants to know is ignored by the standalone program.
compile() { # SOURCE...
    local source object newest
    newest="$(find emu mmu vdev cpu hv qvm tests \( -name '*.h' -o -path tests/fuzz/run.sh \) \
        -printf '%T@ %p\n' | sort -n | tail -n 1)"
    for source in "$@"; do
        object="$(objects_of "$source")"
        [ "$object" -nt "$source" -a "$object" -nt "${newest#* }" ] || echo "$source" "$object"
    done | COMPILE="$compiler ${flags[*]} -fsanitize=fuzzer-no-link,address,undefined" \
        xargs -r -n 2 -P 2 sh -c 'exec $COMPILE -c "$0" -o "$1"'
}

fuzz() { # TARGET: one line of what came of it
    local target="$1" alone="$out/$1-standalone" corpus="$out/$1-corpus" options
    local -a sources of_target
    read -ra sources <<<"$(sources_of "$target")"
    mapfile -t of_target < <(objects_of "${sources[@]}" "tests/fuzz/fuzz_$target.c")
    mkdir -p "$corpus"
    "$compiler" -fsanitize=address,undefined "${of_target[@]}" \
        "$(objects_of tests/fuzz/standalone.c)" "${libraries[@]}" -o "$alone" || return 2
    "$alone" -write "$corpus" || return 2
    if ! "$compiler" -fsanitize=fuzzer,address,undefined "${of_target[@]}" \
        "${libraries[@]}" -o "$out/$target-fuzzer" 2>"$out/$target-build.log"; then
        echo "$target: no libFuzzer here ($out/$target-build.log); standalone for $seconds s"
        "$alone" -seconds "$seconds"
        return
    fi
    options=(-max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=2500
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$out/$target-")
    [ ! -f "tests/fuzz/$target.dict" ] || options+=(-dict="tests/fuzz/$target.dict")
    local inputs=0
    if "$out/$target-fuzzer" "${options[@]}" "$corpus" >"$out/$target.log" 2>&1; then
        inputs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log")"
        echo "$target: nothing found in $seconds s: ${inputs:-no} inputs"
        [ "${inputs:-0}" -ge 100 ] || return 1
    else
        echo "$target: FAILED ($out/$target.log)"
        grep -E 'ERROR|SUMMARY|internal error|runtime error|Test unit written' "$out/$target.log"
        return 1
    fi
}

all=(tests/fuzz/standalone.c)
for target in "${targets[@]}"; do
    read -ra sources <<<"$(sources_of "$target")"
    [ ${#sources[@]} -gt 0 ] || exit 2
    all+=("${sources[@]}" "tests/fuzz/fuzz_$target.c")
done
mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -u)
compile "${all[@]}" || exit 2

status=0 running=0
for target in "${targets[@]}"; do
    [ $running -lt 2 ] || { wait -n || status=1; running=$((running - 1)); }
    fuzz "$target" &
    running=$((running + 1))
done
for ((; running; running--)); do
    wait -n || status=1
done
exit $status
