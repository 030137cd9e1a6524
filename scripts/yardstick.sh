#!/usr/bin/env bash
# yardstick.sh: how many times longer than on a quiet machine of today things take here and now, a
# whole number from 1 to 30. ./check gives it to everything that has a time limit, as QVM_SLOWNESS.
set -euo pipefail
quiet_us=750000 # what the loop takes on a quiet core of 3 GHz
from=${EPOCHREALTIME/[.,]/}
for ((i = 0; i < 600000; i++)); do :; done
slowness=$(((${EPOCHREALTIME/[.,]/} - from + quiet_us - 1) / quiet_us))
echo $((slowness > 30 ? 30 : slowness))
