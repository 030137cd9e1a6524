/* Fuzzes what `qvm import` reads: an input is a file, tried as each text and as a core. What is
 * understood must come back from the stream that a trace holds, and a refusal is one sentence. An
 * input is tried as such a stream, too. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/foreign/import.h"
#include "tests/fuzz/fuzz.h"

static void check_refusal(const struct error *e)
{
    CHECK(e->text[0] && !strchr(e->text, '\n'));
}

static void check_equal(const struct observed_stream *a, const struct observed_stream *b)
{
    struct bytes x = {0}, y = {0};
    observed_stream_put(a, &x);
    observed_stream_put(b, &y);
    CHECK(a->count == b->count && x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
    bytes_free(&x);
    bytes_free(&y);
}

static void try_text(const struct import_format *format, const char *text, size_t size)
{
    struct import i = {.file = "fuzz", .arch = vm_arches[0]};
    struct error e = {0};
    if (import_text(format, &i, text, size, &e)) {
        struct bytes data = {0};
        struct observed_stream again;
        observed_stream_put(&i.stream, &data);
        CHECK(observed_stream_get(&again, data.data, data.size));
        check_equal(&i.stream, &again);
        observed_stream_free(&again);
        bytes_free(&data);
    } else {
        check_refusal(&e);
    }
    observed_stream_free(&i.stream);
}

static void try_stream(const uint8_t *data, size_t size)
{
    struct observed_stream s, again;
    struct bytes out = {0};
    if (!observed_stream_get(&s, data, size))
        return;
    observed_stream_put(&s, &out);
    CHECK(observed_stream_get(&again, out.data, out.size));
    check_equal(&s, &again);
    observed_stream_free(&s);
    observed_stream_free(&again);
    bytes_free(&out);
}

/* Whatever it points to is in the file. */
static void try_core(const uint8_t *data, size_t size)
{
    struct import_core c;
    struct error e = {0};
    unsigned sum = 0;
    if (!import_core(&c, "fuzz", data, size, &e))
        check_refusal(&e);
    for (size_t i = 0; i < c.segment_count; i++) {
        CHECK(c.segments[i].size && c.segments[i].gpa <= UINT64_MAX - c.segments[i].size);
        sum += c.segments[i].data[0];
        sum += c.segments[i].data[c.segments[i].size - 1];
    }
    for (unsigned i = 0; i < c.vcpu_count; i++)
        if (c.vcpus[i].state_size)
            sum += c.vcpus[i].state[c.vcpus[i].state_size - 1];
    CHECK(sum < UINT32_MAX);
    import_core_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of its own, so that a step behind the end is seen. */
    uint8_t *copy = malloc(size + !size);
    struct error e = {0};
    CHECK(copy);
    if (size)
        memcpy(copy, data, size);
    for (unsigned i = 0; import_format(i); i++)
        try_text(import_format(i), (const char *)copy, size);
    import_choose(NULL, (const char *)copy, size, &e);
    try_stream(copy, size);
    try_core(copy, size);
    free(copy);
    return 0;
}

static const char *const texts[] = {
    "# tracer: nop\n"
    " qemu-system-aar-4321 [002] d.... 812.000101: kvm_entry: PC: 0xffff800008010d40\n"
    " CPU 0/KVM-4321 (4320) [002] ..... 812.000345: kvm_exit: TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: "
    "0xffff8000086a1b2c\n"
    " CPU 0/KVM-4321 (4320) [002] ..... 812.000346: kvm_guest_fault: ipa 0x9000000, hsr "
    "0x93830047, "
    "hxfar 0xffff80000900d018, pc 0xffff8000086a1b2c\n"
    " CPU 0/KVM-4321 (4320) [002] ..... 812.000350: kvm_mmio: mmio write len 4 gpa 0x9000018 val "
    "0x41\n",
    "CPU 0/KVM 2201 [001] 5021.123456789: kvm:kvm_exit: reason EPT_VIOLATION rip "
    "0xffffffff8104b7d0 info 181 0\n"
    "a-1 [001] 1.5: kvm_page_fault: vcpu 1 rip 0x7c00 address 0xfee00000 error_code 0x182\n"
    "a-1 [001] 1.5: kvm_exit: vcpu 1 reason HLT rip 0x7c00 info1 0x0 info2 0x0\n",
    "a-1 [001] 1.5: kvm_exit: TRAP: HSR_EC: 0x0016 (HVC64), PC: 0x40\n"
    "a-1 [001] 1.5: kvm_hvc_arm64: HVC at 0x40 (r0: 0x84000000, imm: 0x0)\n"
    "a-1 [001] 1.5: kvm_exit: TRAP: HSR_EC: 0x0001 (WFI), PC: 0x44\n"
    "a-1 [001] 1.5: kvm_wfx_arm64: guest executed wfi at: 0x44\n"
    "a-1 [001] 1.5: kvm_exit: TRAP: HSR_EC: 0x0018 (SYS64), PC: 0x44\n"
    "a-1 [001] 1.5: kvm_handle_sys_reg: HSR 0x62340c00\n"
    "a-1 [001] 1.5: kvm_exit: IRQ: HSR_EC: 0x0000 (UNKNOWN), PC: 0x44\n",
    "TRACEPRINTER version 1.02\nTRACE_CYCLES_PER_SEC:: 62500000\n"
    "t:0x3d2 CPU:00 QVM:GUEST_EXIT status:0x0 reason:0x24 clockcycles_offset:0x0 "
    "guest_ip:0x40080238 hw_payload:0x8000000 vm:rtos vcpu:0 insn:978 esr:0x93890045 "
    "gva:0x8000000 gpa:0x8000000 size:4 write:0x10 result:done\n"
    "t:0x3d3 CPU:01 CLASS:10 EVENT:1 hw_payload:0x0 reason:0x16 guest_ip:0x40080240\n",
};
#define TEXTS (sizeof texts / sizeof texts[0])

static void put_zeros(struct bytes *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, 0, 1);
}

static void put_program_header(struct bytes *out, unsigned type, uint64_t offset, uint64_t address,
                               uint64_t size)
{
    bytes_put_int(out, type, 4);
    bytes_put_int(out, 7, 4);
    bytes_put_int(out, offset, 8);
    bytes_put_int(out, address, 8);
    bytes_put_int(out, address, 8);
    bytes_put_int(out, size, 8);
    bytes_put_int(out, size, 8);
    bytes_put_int(out, 0, 8);
}

/* One vCPU with a note of ours, and 16 bytes of memory. */
static void put_core(struct bytes *out)
{
    enum { NOTES = 64 + 2 * 56, STATUS = 20 + 392, OURS = 16 + 12 };
    bytes_put(out,
              "\x7f"
              "ELF\2\1\1",
              7);
    put_zeros(out, 9);
    bytes_put_int(out, 4, 2);
    bytes_put_int(out, 183, 2);
    bytes_put_int(out, 1, 4);
    bytes_put_int(out, 0, 8);
    bytes_put_int(out, 64, 8);
    put_zeros(out, 12);
    bytes_put_int(out, 64, 2);
    bytes_put_int(out, 56, 2);
    bytes_put_int(out, 2, 2);
    put_zeros(out, 6);
    put_program_header(out, 4, NOTES, 0, STATUS + OURS);
    put_program_header(out, 1, NOTES + STATUS + OURS, 0x40000000, 16);
    bytes_put_int(out, 5, 4);
    bytes_put_int(out, 392, 4);
    bytes_put_int(out, 1, 4);
    bytes_put(out, "CORE\0\0\0", 8);
    put_zeros(out, 392);
    bytes_put_int(out, 4, 4);
    bytes_put_int(out, 12, 4);
    bytes_put_int(out, 1, 4);
    bytes_put(out, "QVM", 4);
    bytes_put(out,
              "\2PC\x8"
              "12345678",
              12);
    put_zeros(out, 16);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    if (number < TEXTS)
        bytes_put(out, texts[number], strlen(texts[number]));
    else if (number == TEXTS)
        put_core(out);
    else if (number == TEXTS + 1)
        bytes_put(out, "\2\1\0\x1f\1\x80\1\xff\1\1X\1\2\3\4\4\1", 17);
    return number <= TEXTS + 1;
}
