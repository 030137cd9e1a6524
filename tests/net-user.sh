#!/usr/bin/env bash
# net-user.sh QVM: a Linux guest on a switch that the host is at (--net user): it gets an address, gives
# 4 MiB to a client of the host through a forwarded port, and reaches the host only where that is asked
# for. The recording replays, without the host.
set -uo pipefail
[ $# = 1 ] || { echo "usage: net-user.sh QVM" >&2; exit 2; }
qvm="$1"
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
"$qvm" run --net user system x ram 1M dryrun >"$work/out" 2>&1
if grep -q 'has no user network' "$work/out"; then
    echo "skipped: no libslirp"
    exit 0
fi

# Ports that are free now, and a web server of the host at the third.
read -r web end own < <(python3 -c 'import socket
s = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(x.getsockname()[1] for x in s))')
mkdir "$work/www"
echo "from the host" >"$work/www/index.html"
python3 -m http.server --bind 127.0.0.1 -d "$work/www" "$own" >/dev/null 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
sed -e 's|peer /dev/qvm/[^ ]*|peer /dev/vdevpeers/vp0|' \
    -e "s/qvm.net=[a-z]*/qvm.net=host qvm.mib=4 qvm.port=$own/" configs/net-arm64.qvmconf >"$work/host.qvmconf"

# client: waits for the guest, fetches what it has, compares, and ends it.
client() {
    python3 - "$web" "$end" "$1" <<'PYTHON'
import hashlib, socket, sys, time, urllib.request
web, end, console = sys.argv[1:]
for _ in range(1500):
    with open(console, "rb") as file:
        if b"qvm: serving" in file.read():
            break
    time.sleep(0.1)
data = urllib.request.urlopen(f"http://127.0.0.1:{web}/data").read()
told = urllib.request.urlopen(f"http://127.0.0.1:{web}/sum").read().split()[0].decode()
socket.create_connection(("127.0.0.1", int(end))).close()
sys.exit(len(data) != 4 << 20 or hashlib.sha256(data).hexdigest() != told)
PYTHON
}

# visit NAME OPTIONS: a run with a visitor.
visit() {
    limited 200 "$qvm" record -o "$work/$1.qtrace" --limit-ns 300000000000 \
        --net "user$2,forward=tcp:$web:80,forward=tcp:$end:5000" "$work/host.qvmconf" \
        >"$work/$1.out" 2>"$work/err" &
    local run=$!
    check "$1: the visitor gets what the guest has" client "$work/$1.out"
    wait $run
    verdict "$1: the run" "$([ $? = 0 ] || tail -n 3 "$work/err")"
    check "$1: the guest has an address" grep -q 'inet addr:10.0.2.15' "$work/$1.out"
    limited 120 "$qvm" replay --verify "$work/$1.qtrace" >"$work/again" 2>"$work/err"
    verdict "$1: the recording replays" "$([ $? = 0 ] || tail -n 1 "$work/err")"
    check "$1: and prints the same" cmp "$work/$1.out" "$work/again"
}

visit closed ""
check "closed: there is no way out" sh -c '! grep -q "from the host" "$1"' sh "$work/closed.out"
visit open ",open"
check "open: there is a way out" grep -q "from the host" "$work/open.out"
finish
