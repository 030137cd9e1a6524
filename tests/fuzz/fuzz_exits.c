/* Fuzzes guest exits of a recording that are played on a machine of another configuration than the
 * one that they are of: with other devices at other addresses, without semihosting, with fewer or
 * more vCPUs and VMs. The first byte of an input chooses it. */
#include "emu/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"

static const char *const machines[] = {
    fuzz_machine_words,
    "system bare cpu ram 0x40000000,64K",
    "system one cpu ram 0x40000000,64K rom 0x08000000,4K vdev pl011 loc 0x09000000 intr gic:33",
    "system v2 cpu cpu ram 0x40000000,1M vdev gic version 2 gicd 0x08000000 gicc 0x08010000 vdev "
    "pl031 loc 0x09000000 intr gic:33 vdev exit loc 0x09030000",
    "system dry set semihosting dry cpu ram 0x80000000,64K vdev gic gicd 0x08000000 gicr "
    "0x080a0000 vdev virtio-console loc 0x09000000 intr gic:33",
    "system a cpu ram 0x40000000,64K set semihosting on+system b cpu cpu ram 0x40000000,64K",
};
#define MACHINES (sizeof machines / sizeof machines[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;
    struct error e = {0};
    if (size < 2 || data[1] != EXIT_LOG_VERSION)
        return 0;
    const struct bytes exit_log = {.data = (uint8_t *)(uintptr_t)data + 1, .size = size - 1};
    CHECK(fuzz_machine_open(&m, machines[data[0] % MACHINES], &exit_log, NULL, &e));
    fuzz_machine_run(&m);
    fuzz_machine_close(&m);
    return 0;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    if (number >= MACHINES)
        return false;
    bytes_put_int(out, number, 1);
    fuzz_put_run(out);
    return true;
}
