/* Fuzzes what a replay takes from a trace besides the journal: guest exits, parts of the state, and
 * the symbols of an image. An input is read as each of the three; as guest exits it is also played
 * on a small machine with two vCPUs, which must come to an end, whatever the exits say. */
#include <string.h>

#include "emu/check.h"
#include "hv/snapshot/state_parts.h"
#include "hv/images/symbols.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"

/* An entry that was read is written and read again as the same. False: there is none. */
static bool read_entries(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    struct exit_log_entry entry, again;
    struct exit_log_values values;
    uint64_t before = 0;
    for (; exit_log_entry_get(&in, EXIT_LOG_VERSION, before, &entry); before = entry.instructions) {
        struct bytes out = {0};
        if (entry.kind == EXIT_LOG_READ)
            entry.memory.distance = 0; /* what it refers to is not here */
        exit_log_entry_put(&out, before, &entry);
        struct reader r = reader_of(out.data, out.size);
        CHECK(exit_log_entry_get(&r, EXIT_LOG_VERSION, before, &again) && reader_at_end(&r));
        CHECK(!exit_log_entry_differs(vm_arches[0]->cpu, &entry, &again, &values));
        bytes_free(&out);
    }
    return before != 0;
}

static void play(const uint8_t *data, size_t size)
{
    const struct bytes exit_log = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    struct fuzz_machine m;
    struct error e = {0};
    CHECK(fuzz_machine_open(&m, fuzz_machine_words, &exit_log, NULL, &e));
    fuzz_machine_run(&m);
    fuzz_machine_close(&m);
}

static void read_parts(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    struct state_parts_entry entry;
    uint64_t before = 0;
    while (state_parts_get(&in, before, &entry)) {
        CHECK(entry.count && entry.instructions >= before);
        before = entry.instructions;
        state_parts_free(&entry);
    }
    state_parts_free(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct symbol s;
    if (symbol_in_elf(data, size, 0x400000, &s))
        CHECK(s.name[0] && strlen(s.name) < sizeof s.name);
    read_parts(data, size);
    if (size == 0)
        return 0;
    if (data[0] == EXIT_LOG_VERSION && read_entries(data + 1, size - 1))
        play(data, size);
    return 0;
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
        fuzz_put_run(out);
    else if (number == 1)
        put_parts(out);
    else if (number == 2)
        put_elf(out);
    else
        return false;
    CHECK(number != 2 || (symbol_in_elf(out->data, out->size, 0x400000, &s) && s.offset == 0));
    return true;
}
