#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: fuzzes each target (default: all) for that many seconds with clang's
# libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Where clang has no libFuzzer, the
# standalone main makes the inputs. What is found is in build/fuzz/TARGET-*; status 1 if anything.
set -uo pipefail
seconds="${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}"
shift
cd "$(dirname "$0")/../.." || exit 2
targets=("$@")
[ $# -gt 0 ] || targets=(trace config board tree gdb import script)

out=build/fuzz
flags=(-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror -g -O1
    -fno-omit-frame-pointer -fno-sanitize-recover=undefined -I.)
libraries=(-lzstd -lz -lxxhash -lfdt)
compiler="${CC:-clang}"
mkdir -p $out

sources_of() {
    case "$1" in
    trace) echo emu/*.c ;;
    config | board) echo hv/config*.c hv/board_config*.c vdev/*.c mmu/*.c emu/*.c ;;
    import) echo hv/import*.c hv/seen.c emu/*.c ;;
    tree) echo hv/fdt.c hv/user_tree.c hv/device_tree*.c hv/config_strings.c vdev/*.c mmu/*.c emu/*.c ;;
    gdb) echo qvm/gdb_{hex,packets,points,query,registers,run,server}.c hv/config_text.c vdev/*.c mmu/*.c emu/*.c ;;
    script) echo hv/*.c $(ls cpu/*.c | grep -v -e unicorn -e disasm -e interpose) vdev/*.c mmu/*.c emu/*.c ;;
    *) echo "run.sh: there is no target '$1'" >&2; exit 2 ;;
    esac
}

status=0
for target in "${targets[@]}"; do
    read -ra sources <<<"$(sources_of "$target")"
    [ ${#sources[@]} -gt 0 ] || exit 2
    sources+=("tests/fuzz/fuzz_$target.c")
    alone=$out/$target-standalone corpus=$out/$target-corpus
    mkdir -p "$corpus"
    # Compiled once: what libFuzzer wants to know is ignored by the standalone program.
    objects=$out/$target-objects
    rm -rf "$objects"
    mkdir -p "$objects"
    printf '%s\n' "${sources[@]}" tests/fuzz/standalone.c | xargs -P 2 -I SOURCE sh -c \
        'exec "$0" "$@" -c SOURCE -o "'"$objects"'/$(echo SOURCE | tr / -).o"' \
        "$compiler" "${flags[@]}" -fsanitize=fuzzer-no-link,address,undefined || exit 2
    main=$objects/tests-fuzz-standalone.c.o
    "$compiler" -fsanitize=address,undefined "$objects"/*.o "${libraries[@]}" -o "$alone" || exit 2
    "$alone" -write "$corpus" || exit 2
    rm "$main"
    if ! "$compiler" -fsanitize=fuzzer,address,undefined "$objects"/*.o \
        "${libraries[@]}" -o "$out/$target-fuzzer" 2>"$out/$target-build.log"; then
        echo "$target: no libFuzzer here ($out/$target-build.log); standalone for $seconds s"
        "$alone" -seconds "$seconds" || status=1
        continue
    fi
    options=(-max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=2500
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$out/$target-")
    [ ! -f "tests/fuzz/$target.dict" ] || options+=(-dict="tests/fuzz/$target.dict")
    if "$out/$target-fuzzer" "${options[@]}" "$corpus" >"$out/$target.log" 2>&1; then
        echo "$target: nothing found in $seconds s:" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log") inputs"
    else
        echo "$target: FAILED ($out/$target.log)"
        grep -E 'ERROR|SUMMARY|internal error|runtime error|Test unit written' "$out/$target.log"
        status=1
    fi
done
exit $status
