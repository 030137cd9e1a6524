/* Fuzzes what a VM loads: an input is a file, and its first byte says as what: recognised, raw
 * code, data, an initial ramdisk, a device tree, at an address or not. It is taken or refused with
 * one sentence, and whatever was taken is in the guest's memory. */
#include <string.h>
#include <zlib.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "hv/hv_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"

#define MACHINE "system fuzz cpu rom 0x20000000,64K ram 0x40000000,2304K "

static const char *const machines[] = {
    MACHINE "load f",
    MACHINE "load 0x40080000,f",
    MACHINE "guest load f",
    MACHINE "data load 0x20000000,f data load 0x40000100,f load f",
    MACHINE "load 0x20000000,f initrd load f",
    MACHINE "load f fdt load f",
    MACHINE "data load 0x4023fff0,f initrd load 0x40001000,f fdt load 0x40100000,f load f",
    "system small cpu ram 0x40000000,4K load f",
};
#define MACHINES (sizeof machines / sizeof machines[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;
    struct error e = {0};
    if (!size)
        return 0;
    const struct bytes file = {.data = (uint8_t *)(uintptr_t)data + 1, .size = size - 1};
    CHECK(fuzz_machine_open(&m, machines[data[0] % MACHINES], NULL, &file, &e));
    if (blobs_load(m.board->vms[0], &e))
        board_digest(m.board);
    else
        fuzz_check_refusal(&e);
    fuzz_machine_close(&m);
    return 0;
}

/* 16 bytes of code at 0x40080000, of which the file has 8. */
static void put_elf(struct bytes *out)
{
    uint8_t f[128] = "\177ELF\2\1\1";
    store_le(f + 18, 183, 2);
    store_le(f + 24, 0x40080004, 8);
    store_le(f + 32, 64, 8);
    store_le(f + 54, 56, 2);
    store_le(f + 56, 1, 2);
    store_le(f + 64, 1, 4);
    store_le(f + 72, 120, 8);
    store_le(f + 80, 0x40080000, 8);
    store_le(f + 88, 0x40080000, 8);
    store_le(f + 96, 8, 8);
    store_le(f + 104, 16, 8);
    bytes_put(out, f, sizeof f);
}

static void put_linux(struct bytes *out)
{
    uint8_t f[80] = {0};
    store_le(f + 8, 0x1000, 8);
    store_le(f + 16, 0x2000, 8);
    memcpy(f + 0x38, "ARM\x64", 4);
    bytes_put(out, f, sizeof f);
}

static void put_gzip(struct bytes *out)
{
    struct bytes elf = {0};
    uint8_t packed[512];
    z_stream z = {.next_out = packed, .avail_out = sizeof packed};
    put_elf(&elf);
    z.next_in = elf.data;
    z.avail_in = (uInt)elf.size;
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_FIXED) == Z_OK);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    bytes_put(out, packed, sizeof packed - z.avail_out);
    deflateEnd(&z);
    bytes_free(&elf);
}

static void put_zboot(struct bytes *out, const char *type, const struct bytes *payload)
{
    uint8_t head[64] = {'M', 'Z', 0, 0, 'z', 'i', 'm', 'g'};
    store_le(head + 8, sizeof head, 4);
    store_le(head + 12, payload->size, 4);
    memcpy(head + 24, type, strlen(type));
    bytes_put(out, head, sizeof head);
    bytes_put(out, payload->data, payload->size);
}

static void put_file(unsigned number, struct bytes *out)
{
    struct bytes plain = {0}, packed = {0};
    put_linux(&plain);
    if (number == 0)
        put_elf(out);
    else if (number == 1)
        put_linux(out);
    else if (number == 2)
        put_gzip(out);
    else if (number == 3)
        CHECK(compress_zstd(plain.data, plain.size, COMPRESS_QUICKLY, out));
    if (number == 4 && compress_zstd(plain.data, plain.size, COMPRESS_QUICKLY, &packed))
        put_zboot(out, "zstd22", &packed);
    if (number == 5)
        put_gzip(&packed), put_zboot(out, "gzip", &packed);
    if (number == 6)
        bytes_put(out, "\xd0\x0d\xfe\xed", 4);
    bytes_free(&plain);
    bytes_free(&packed);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    if (number >= 14)
        return false;
    bytes_put_int(out, number < 7 ? 0 : number - 6, 1);
    put_file(number % 7, out);
    return true;
}
