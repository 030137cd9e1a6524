/* Fuzzes the verdict on exits that were imported: an input is a stream of them, as a trace has it.
 * Each is judged by a machine whose devices are asked, and told in words. */
#include "emu/check.h"
#include "hv/foreign/import_verdict.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"

static void verdict_on_one(struct vm *vm, const struct observed_exit *x, bool lazy)
{
    struct import_verdict j;
    struct bytes text = {0};
    import_verdict(vm, x, lazy, &j);
    CHECK(j.model[0] && j.agrees == !j.why[0] && (j.is_judged || j.agrees));
    observed_text(x, &text);
    CHECK(text.size);
    bytes_free(&text);
    import_verdict_free(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct observed_stream s;
    struct fuzz_machine m;
    struct error e = {0};
    if (!observed_stream_get(&s, data, size))
        return 0;
    CHECK(fuzz_machine_open(&m, fuzz_machine_words, NULL, NULL, &e));
    for (size_t i = 0; i < s.count; i++)
        verdict_on_one(m.board->vms[0], &s.exits[i], size & 1);
    fuzz_machine_run(&m); /* devices have their events, whatever was asked of them */
    fuzz_machine_close(&m);
    observed_stream_free(&s);
    return 0;
}

static void put_trap(struct bytes *out, uint32_t esr, uint64_t ipa, uint8_t size, uint64_t value)
{
    struct observed_stream s = {0};
    struct observed_exit *x = observed_stream_add(&s);
    *x = (struct observed_exit){.kind = OBSERVED_TRAP,
                                .known = OBSERVED_PC | OBSERVED_IPA | OBSERVED_VALUE |
                                         (size ? OBSERVED_ACCESS : 0),
                                .syndrome = esr,
                                .syndrome_known = OBSERVED_SYNDROME_ALL,
                                .pc = 0x40000000,
                                .ipa = ipa,
                                .size = size,
                                .is_write = esr & 1u << 6,
                                .value = value};
    struct bytes one = {0};
    observed_stream_put(&s, &one);
    if (!out->size)
        bytes_put(out, one.data, 1);
    bytes_put(out, one.data + 1, one.size - 1);
    bytes_free(&one);
    observed_stream_free(&s);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const uint32_t classes[] = {0x01, 0x16, 0x17, 0x18, 0x00, 0x20, 0x07};
    static const uint64_t devices[] = {0x08000000, 0x080a0014, 0x09000000, 0x09010000,
                                       0x0a003c70, 0x09030008, 0x40000000, 0x70000000};
    if (number == 0)
        for (unsigned i = 0; i < sizeof classes / sizeof classes[0]; i++)
            put_trap(out, classes[i] << 26 | 1u << 25 | 0x300c00, 0, 0, 0x84000000);
    for (unsigned i = 0; number == 1 && i < 2 * sizeof devices / sizeof devices[0]; i++)
        put_trap(out, 0x93800007u | (i & 1) << 6, devices[i / 2], 4, 3);
    for (unsigned i = 0; number == 2 && i < sizeof devices / sizeof devices[0]; i++)
        put_trap(out, 0x93c00047u, devices[i], (uint8_t)(1u << i), UINT64_MAX);
    return number < 3;
}
