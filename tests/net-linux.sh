#!/usr/bin/env bash
# net-linux.sh QVM: two Linux guests of one board (configs/net-arm64*.qvmconf) ping each other, and
# pass 16 MiB through a web server and back. The recording of the run replays: all of it, from a
# snapshot in the middle, and the exit logic alone. The same on a switch, where one of the two has a
# driver that does no work on frames.
set -uo pipefail
[ $# = 1 ] || { echo "usage: net-linux.sh QVM" >&2; exit 2; }
qvm="$1"
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
a=configs/net-arm64.qvmconf b=configs/net-arm64-peer.qvmconf

# talked FILE MIB: what both guests print when all went well.
talked() {
    grep -q '3 packets received, 0% packet loss' "$1" && grep -q "qvm: fetched $2 MiB" "$1" &&
        grep -q "qvm: sent $2 MiB" "$1" && grep -q 'qvm: it came back' "$1" &&
        [ "$(grep -c 'qvm: workload done' "$1")" = 2 ]
}

# digest FILE: of the machine, at the end.
digest() {
    sed -n 's/.* virtual, digest \(.*\)/\1/p' "$1"
}

limited 120 "$qvm" record -o "$work/run.qtrace" --exits --snapshot-every 1000000000 \
    --limit-ns 60000000000 "$a" "$b" >"$work/out" 2>"$work/err"
verdict "a run" "$([ $? = 0 ] || tail -n 3 "$work/err")"
check "the guests talk" talked "$work/out" 16
limited 120 "$qvm" replay "$work/run.qtrace" --verify >"$work/again" 2>"$work/err.again"
verdict "the recording replays" "$([ $? = 0 ] || tail -n 1 "$work/err.again")"
limited 60 "$qvm" replay --exits "$work/run.qtrace" >"$work/exits" 2>&1
verdict "its exits replay" "$([ $? = 0 ] || tail -n 1 "$work/exits")"
limited 120 "$qvm" replay --from 4000000000 "$work/run.qtrace" >"$work/from" 2>"$work/err.from"
check "it replays from the middle" [ "$(digest "$work/err")" = "$(digest "$work/err.from")" ]

# The driver of the server may leave work to others, that of the client may not and does none.
on_switch() {
    sed -e 's|peer /dev/qvm/[^ ]*|peer /dev/vdevpeers/vp0|' -e "s/qvm.net=[a-z]*/& qvm.mib=4/" "$@"
}
on_switch "$a" >"$work/a.qvmconf"
on_switch -e 's/peerfeats 0x7fc3//' "$b" >"$work/b.qvmconf"
limited 120 "$qvm" record -o "$work/switch.qtrace" --pcap "$work/a.pcapng" --limit-ns 60000000000 \
    "$work/a.qvmconf" "$work/b.qvmconf" >"$work/out" 2>"$work/err"
verdict "a run on a switch" "$([ $? = 0 ] || tail -n 3 "$work/err")"
check "the guests talk there" talked "$work/out" 4
limited 120 "$qvm" replay "$work/switch.qtrace" --pcap "$work/b.pcapng" >"$work/again" 2>"$work/err.again"
verdict "that recording replays" "$([ $? = 0 ] || tail -n 1 "$work/err.again")"
check "all frames are in both files" cmp "$work/a.pcapng" "$work/b.pcapng"
frames="$(tests/pcapng.py "$work/a.pcapng" net-a/eth0 net-b/eth0 2>"$work/err")"
check "the files are good" [ "${frames:-0}" -gt 1000 ]
finish
