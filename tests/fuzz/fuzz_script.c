/* Fuzzes what a replay takes from a trace besides the journal: guest exits, parts of the state, and
 * the symbols of an image. An input is read as each of the three; as guest exits it is also played
 * on a small machine with two vCPUs, which must come to an end, whatever the exits say. */
#include <string.h>

#include "emu/check.h"
#include "hv/parts.h"
#include "hv/script.h"
#include "hv/symbols.h"
#include "tests/fuzz/fuzz.h"

#define INSTRUCTIONS 20000 /* of a played script */

/* Nothing here executes guest code. */
struct engine *engine_unicorn_new(const char *model, bool yields, struct memory *memory,
                                  struct error *e)
{
    (void)model, (void)yields, (void)memory, (void)e;
    CHECK(false);
    return NULL;
}

/* An entry that was read is written and read again as the same. False: there is none. */
static bool read_entries(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    struct script_entry entry, again;
    struct script_values values;
    uint64_t before = 0;
    for (; script_entry_get(&in, before, &entry); before = entry.instructions) {
        struct bytes out = {0};
        script_entry_put(&out, before, &entry);
        struct reader r = reader_of(out.data, out.size);
        CHECK(script_entry_get(&r, before, &again) && reader_at_end(&r));
        CHECK(!script_entry_differs(&entry, &again, &values));
        bytes_free(&out);
    }
    return before != 0;
}

static bool pull(void *context, enum pull_kind kind, const char *key, size_t size,
                 struct bytes *out, struct error *e)
{
    static const uint8_t zeros[256];
    (void)context, (void)key, (void)e;
    bytes_put(out, zeros, kind == PULL_WALL_CLOCK ? 8 : size);
    return true;
}

static bool poll_nothing(void *context, struct push *p)
{
    (void)context, (void)p;
    return false;
}

static bool idle(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns;
    return ns != UINT64_MAX;
}

static void on_difference(void *context, const struct script_difference *d)
{
    (void)context;
    CHECK(d->now || d->recorded);
}

static void open_config(struct vm_config *config)
{
    static const char *const words[] = {
        "system fuzz cpu cpu ram 0x40000000,1M set semihosting on vdev gic gicd 0x08000000 gicr "
        "0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 vdev pl031 loc 0x09010000 intr gic:34 "
        "vdev virtio-entropy loc 0x0a003c00 intr gic:78 vdev wdt-sp805 loc 0x09030000 intr gic:35"};
    const struct config_reader reader = {0};
    struct error e = {0};
    CHECK(config_parse(config, words, 1, &reader, &e));
}

static void play(const uint8_t *data, size_t size)
{
    struct vm_config config;
    struct script script = {0};
    struct journal journal;
    struct error e = {0};
    const struct board_options options = {.limit_ns = UINT64_MAX,
                                          .limit_ticks = 1000 * (uint64_t)INSTRUCTIONS,
                                          .limit_instructions = INSTRUCTIONS,
                                          .snapshot_at = UINT64_MAX,
                                          .script = &script};
    const struct board_sinks sinks = {.idle = idle};
    open_config(&config);
    script_expect(&script, SCRIPT_PLAYS, data, size, on_difference, NULL);
    journal_live(&journal, JOURNAL_LIVE, (struct journal_host){.pull = pull, .poll = poll_nothing});
    struct board *b = board_new(NULL, &config, 1, &journal, &options, &sinks, &e);
    CHECK(b);
    board_run(b);
    board_free(b);
    journal_free(&journal);
    script_free(&script);
    config_free(&config);
}

static void read_parts(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    struct parts_entry entry;
    uint64_t before = 0;
    while (parts_get(&in, before, &entry)) {
        CHECK(entry.count && entry.instructions >= before);
        before = entry.instructions;
        parts_free(&entry);
    }
    parts_free(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct symbol s;
    if (elf_symbol(data, size, 0x400000, &s))
        CHECK(s.name[0] && strlen(s.name) < sizeof s.name);
    read_parts(data, size);
    if (size == 0)
        return 0;
    if (data[0] == SCRIPT_VERSION && read_entries(data + 1, size - 1))
        play(data, size);
    return 0;
}

/* Exits of each reason that a guest with devices makes, in the order of a run. */
static void put_run(struct bytes *out)
{
    static const struct guest_exit exits[] = {
        {.reason = EXIT_MMIO, .size = 4, .gpa = {0x09000018}, .pc = {0x40000000}},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x08000000}, .value = 2},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x09030000}, .value = 9},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x09030008}, .value = 3},
        {.reason = EXIT_SYSREG, .is_write = true, .encoding = 0xc667, .value = 1},
        {.reason = EXIT_HVC},
        {.reason = EXIT_SEMIHOSTING},
        {.reason = EXIT_WFI},
    };
    bytes_put_int(out, SCRIPT_VERSION, 1);
    for (unsigned i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        struct script_entry entry = {.kind = SCRIPT_EXIT, .instructions = 10 * (i + 1)};
        entry.exit.x = exits[i];
        entry.exit.call[0] = exits[i].reason == EXIT_HVC ? 0xc4000003u : 5; /* CPU_ON; WRITE */
        entry.exit.call[1] = exits[i].reason == EXIT_HVC ? 1 : 0x40001000;
        script_entry_put(out, 10 * i, &entry);
    }
    struct script_entry entry = {.kind = SCRIPT_TIMER, .instructions = 100};
    entry.timer.op2 = 1;
    entry.timer.value = 1;
    script_entry_put(out, 80, &entry);
    entry = (struct script_entry){.kind = SCRIPT_READ, .instructions = 110};
    entry.memory.size = 3;
    entry.memory.ok = true;
    entry.memory.data = (const uint8_t *)"abc";
    script_entry_put(out, 100, &entry);
    entry = (struct script_entry){.kind = SCRIPT_TURN, .instructions = 120};
    script_entry_put(out, 110, &entry);
}

static void put_parts(struct bytes *out)
{
    const struct word_code none = {.all = 1};
    bytes_put_varint(out, 0);
    bytes_put_int(out, 1, 1);
    bytes_put_varint(out, 100);
    bytes_put_varint(out, 2);
    for (unsigned i = 0; i < 2; i++) {
        bytes_put_int(out, 7, 4);
        bytes_put_string(out, "part");
    }
    for (unsigned i = 0; i < 3; i++)
        word_code_put(out, &none);
}

/* A section of code, a symbol table with one symbol, and its strings. */
static void put_elf(struct bytes *out)
{
    uint8_t f[512] = "\177ELF\2\1";
    store_le(f + 40, 128, 8);
    store_le(f + 58, 64, 2);
    store_le(f + 60, 4, 2);
    uint8_t *text = f + 128 + 64, *table = text + 64, *strings = table + 64;
    store_le(text + 16, 0x400000, 8);
    store_le(text + 32, 0x100, 8);
    store_le(table + 4, 2, 4);
    store_le(table + 24, 400, 8);
    store_le(table + 32, 24, 8);
    store_le(table + 40, 3, 4);
    store_le(strings + 24, 430, 8);
    store_le(strings + 32, 8, 8);
    store_le(f + 400, 1, 4);
    f[404] = 2;
    store_le(f + 406, 1, 2);
    store_le(f + 408, 0x400000, 8);
    memcpy(f + 431, "main", 5);
    bytes_put(out, f, sizeof f);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    struct symbol s;
    if (number == 0)
        put_run(out);
    else if (number == 1)
        put_parts(out);
    else if (number == 2)
        put_elf(out);
    else
        return false;
    CHECK(number != 2 || (elf_symbol(out->data, out->size, 0x400000, &s) && s.offset == 0));
    return true;
}
