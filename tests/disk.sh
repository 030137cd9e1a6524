#!/usr/bin/env bash
# disk.sh QVM: Linux with a disk. What the guest reads is its file and what it has written; every kind
# of replay, and every run from a snapshot, ends in the same state; the file changes only where the
# configuration says so. Needs scripts/guests.sh.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/disk.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM

# In 16 MiB of numbered lines, no two blocks are equal.
image="$work/disk.img"
seq -w 2097152 | head -c 16777216 >"$image"
before="$(sha256sum <"$image")"

# conf FILE HOSTDEV COMMAND: a VM whose guest does that, with + for blanks.
conf() {
    sed "s|hostdev build/disk.img|hostdev $2|; s|nokaslr\"|nokaslr quiet qvm.do=$3\"|" \
        configs/disk-arm64.qvmconf >"$work/$1"
}

# final ARGUMENTS...: the digest in which a run ends; its output is in $work/out, messages in err.
final() {
    limited 120 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null
    sed -n 's/.*, digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err"
}

says() {
    grep -qF -- "$1" "$work/out"
}

# Blocks in part, at the end, zeroed and thrown away; then all is read past the guest's cache.
work_of='tr+x+y+</bin/busybox+|+dd+of=/dev/vda+bs=512+seek=3+count=2001+conv=notrunc'
work_of+=';dd+if=/bin/busybox+of=/dev/vda+bs=1k+count=1+seek=16383+conv=notrunc'
work_of+=';blkdiscard+-o+1048576+-l+65536+/dev/vda;blkdiscard+-z+-o+2097152+-l+6144+/dev/vda'
work_of+=';sync;echo+3+>/proc/sys/vm/drop_caches;echo+all:+$(sha256sum+</dev/vda)'
work_of="${work_of//|/\\|}"
conf kept.qvmconf "$image" "${work_of//&/\\&}"
conf through.qvmconf ">$work/through.img" "$work_of"

# One boot serves all that goes on from where the guest begins its work.
whole="$(final run --save-at 'console=userspace reached' "$work/s.qtrace" "$work/kept.qvmconf")"
check "the run ends" [ -n "$whole" ]
content="$(sed -n 's/^all: \([0-9a-f]*\).*/\1/p' "$work/out")"
check "the disk can be read" [ -n "$content" ]
check "the file stays as it is" [ "$before" = "$(sha256sum <"$image")" ]
check "recorded on from there" [ "$whole" = "$(final record --exits --snapshot-every 250000000 \
    -o "$work/a.qtrace" --from "$work/s.qtrace")" ]
check "its file is not spoken of" [ "$(grep -c 'as it is now' "$work/err")" = 0 ]
check "replayed" [ "$whole" = "$(final replay --verify "$work/a.qtrace")" ]
check "replayed from the middle" [ "$whole" = "$(final replay --from 1500000000 "$work/a.qtrace")" ]
final replay --exits "$work/a.qtrace" >/dev/null
check "replayed by its exits" grep -q 'all as recorded$' "$work/err"
check "on from behind the writes" [ "$whole" = "$(final run --from "$work/a.qtrace")" ]

# What a recording holds of the disk is what was read, once; without images it is in the file.
check "contents once" [ "$(stat -c %s "$work/a.qtrace")" -lt 60000000 ]
check "recorded from the start" [ "$whole" = \
    "$(final record --no-images -o "$work/n.qtrace" "$work/kept.qvmconf")" ]
check "without contents: small" [ "$(stat -c %s "$work/n.qtrace")" -lt 200000 ]
check "and replayed" [ "$whole" = "$(final replay "$work/n.qtrace")" ]

# A run that fails is kept, with what it read.
final run --limit-insns 1500000000 --from "$work/s.qtrace" >/dev/null
kept="$(sed -n 's/.*qvm replay //p' "$work/err")"
mv "$image" "$work/elsewhere.img"
check "a failure replays without the file" [ -n "$(final replay "$kept")" ]
mv "$work/elsewhere.img" "$image"

# Writing through: the file is what the guest has, once; a replay leaves it alone.
cp "$image" "$work/through.img"
final record -o "$work/t.qtrace" --save-at 'console=userspace reached' "$work/u.qtrace" \
    "$work/through.qvmconf" >/dev/null
check "the same disk" says "all: $content"
check "the file has it" [ "$content" = "$(sha256sum <"$work/through.img" | cut -d' ' -f1)" ]
cp "$image" "$work/through.img"
final replay "$work/t.qtrace" >/dev/null
check "a replay does not write" [ "$before" = "$(sha256sum <"$work/through.img")" ]

# A snapshot does not have that file: whoever goes on from it is told that it went on.
cp "$image" "$work/through.img"
final run --from "$work/u.qtrace" --trust >/dev/null
check "a file that went on" grep -q "^qvm: the disk '$work/through.img' is as it is now: what was written to it since" \
    "$work/err"

# A disk outlives its VM's restart, and nothing else does.
conf again.qvmconf "$image" 'case+$(head+-c+5+/dev/vda)+in+again)+poweroff+-f;;esac;echo+again+>/dev/vda;sync;reboot+-f'
sed -i 's/workload done/never/' "$work/again.qvmconf"
whole="$(final record --on-exit restart -o "$work/r.qtrace" "$work/again.qvmconf")"
check "a restart keeps the disk" [ "$(grep -c 'userspace reached' "$work/out")" = 2 ]
check "and is replayed" [ "$whole" = "$(final replay --verify "$work/r.qtrace")" ]

conf reads.qvmconf "<$image" 'cat+/sys/block/vda/ro;dd+if=/bin/busybox+of=/dev/vda;head+-c+8+/dev/vda'
final run "$work/reads.qvmconf" >/dev/null
check "read-only" says "Operation not permitted"
finish
