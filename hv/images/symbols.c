/* ELF64, System V ABI, chapters 4 "Sections" and "Symbol Table". */
#include "hv/images/symbols.h"

#include <string.h>

#include "emu/journal_records.h"

enum { SHT_SYMTAB = 2, STT_NOTYPE = 0, STT_FUNC = 2, HEADER = 64, SECTION = 64, SYMBOL = 24 };

struct elf {
    const uint8_t *data;
    size_t size;
    uint64_t sections, section_count; /* headers, all inside */
};

static uint64_t get(const struct elf *e, uint64_t at, size_t size)
{
    return load_le(e->data + (size_t)at, size);
}

static bool open_elf(struct elf *e, const void *file, size_t size)
{
    *e = (struct elf){.data = file, .size = size};
    if (size < HEADER || memcmp(file, "\177ELF\2\1", 6) != 0 || get(e, 58, 2) != SECTION)
        return false;
    e->sections = get(e, 40, 8);
    e->section_count = get(e, 60, 2);
    return range_inside(e->sections, e->section_count * SECTION, size);
}

/* Where a section's header is; 0: there is none of that number. */
static uint64_t section(const struct elf *e, uint64_t number)
{
    return number < e->section_count ? e->sections + number * SECTION : 0;
}

/* What is in a section of the file. False: it is outside. */
static bool contents(const struct elf *e, uint64_t header, uint64_t *at, uint64_t *size)
{
    *at = header ? get(e, header + 24, 8) : 0;
    *size = header ? get(e, header + 32, 8) : 0;
    return header && range_inside(*at, *size, e->size);
}

static bool is_code(const struct elf *e, uint64_t symbol, uint64_t at)
{
    unsigned type = (unsigned)get(e, symbol + 4, 1) & 15;
    uint64_t value = get(e, symbol + 8, 8), size = get(e, symbol + 16, 8);
    uint64_t header = section(e, get(e, symbol + 6, 2));
    if ((type != STT_NOTYPE && type != STT_FUNC) || !header || value > at)
        return false;
    uint64_t begin = get(e, header + 16, 8), length = get(e, header + 32, 8);
    return at - begin < length && value >= begin && (!size || at - value < size);
}

/* False: it has none, or one of the assembler's own ($x, $d). */
static bool take_name(const struct elf *e, uint64_t strings, uint64_t size, uint64_t symbol,
                      struct symbol *s)
{
    uint64_t at = get(e, symbol, 4);
    size_t length = 0;
    char name[sizeof s->name];
    for (; length + 1 < sizeof name && at < size; length++, at++) {
        char c = (char)get(e, strings + at, 1);
        if (!c)
            break;
        name[length] = c > ' ' && c <= '~' ? c : '?';
    }
    name[length] = 0;
    if (!length || name[0] == '$')
        return false;
    memcpy(s->name, name, length + 1);
    return true;
}

static bool look_in(const struct elf *e, uint64_t table, uint64_t at, struct symbol *s)
{
    uint64_t from, size, strings, strings_size;
    bool found = false;
    if (!contents(e, table, &from, &size) ||
        !contents(e, section(e, get(e, table + 40, 4)), &strings, &strings_size))
        return false;
    for (uint64_t i = 0; i < size / SYMBOL; i++) {
        uint64_t symbol = from + i * SYMBOL;
        if (!is_code(e, symbol, at))
            continue;
        uint64_t offset = at - get(e, symbol + 8, 8);
        if ((!found || offset < s->offset) && take_name(e, strings, strings_size, symbol, s)) {
            s->offset = offset;
            found = true;
        }
    }
    return found;
}

bool symbol_in_elf(const void *file, size_t size, uint64_t at, struct symbol *s)
{
    struct elf e;
    if (!open_elf(&e, file, size))
        return false;
    for (uint64_t i = 0; i < e.section_count; i++)
        if (get(&e, section(&e, i) + 4, 4) == SHT_SYMTAB && look_in(&e, section(&e, i), at, s))
            return true;
    return false;
}

static bool is_named(const struct elf *e, uint64_t strings, uint64_t size, uint64_t symbol,
                     const char *name)
{
    uint64_t at = get(e, symbol, 4), length = strlen(name) + 1;
    return at < size && size - at >= length && get(e, symbol + 6, 2) != 0 &&
           memcmp(e->data + strings + at, name, length) == 0;
}

static bool find_in(const struct elf *e, uint64_t table, const char *name,
                    struct symbol_place *found)
{
    uint64_t from, size, strings, strings_size;
    if (!contents(e, table, &from, &size) ||
        !contents(e, section(e, get(e, table + 40, 4)), &strings, &strings_size))
        return false;
    for (uint64_t i = 0; i < size / SYMBOL; i++) {
        uint64_t symbol = from + i * SYMBOL;
        if (!is_named(e, strings, strings_size, symbol, name))
            continue;
        *found = (struct symbol_place){get(e, symbol + 8, 8), get(e, symbol + 16, 8)};
        return true;
    }
    return false;
}

static bool elf_find(const void *file, size_t size, const char *name, struct symbol_place *found)
{
    struct elf e;
    if (!open_elf(&e, file, size))
        return false;
    for (uint64_t i = 0; i < e.section_count; i++)
        if (get(&e, section(&e, i) + 4, 4) == SHT_SYMTAB &&
            find_in(&e, section(&e, i), name, found))
            return true;
    return false;
}

static bool is_image_of(const struct vm_config *config, const struct pull_record *r)
{
    for (size_t i = 0; i < config->load_count; i++) {
        const char *path = config->loads[i].path;
        if (strlen(path) == r->key_size && memcmp(path, r->key, r->key_size) == 0)
            return true;
    }
    return false;
}

/* The next image that the VM was loaded from; NULL: there are no more. */
static const struct journal_image *next_image(const struct journal *j,
                                              const struct vm_config *config, struct reader *in)
{
    struct pull_record r;
    while (journal_next_pull(in, &r)) {
        if (r.kind != PULL_FILE || r.absent || !is_image_of(config, &r))
            continue;
        for (size_t i = 0; i < j->image_count; i++)
            if (memcmp(j->images[i].digest.b, r.digest.b, sizeof r.digest.b) == 0)
                return &j->images[i];
    }
    return NULL;
}

bool symbol_find(const struct vm *vm, uint64_t at, struct symbol *s)
{
    const struct journal *j = vm->board->journal;
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    const struct journal_image *image;
    while ((image = next_image(j, vm->config, &in)))
        if (symbol_in_elf(image->contents.data, image->contents.size, at, s))
            return true;
    return false;
}

bool symbols_find(const struct journal *j, const struct vm_config *configs, size_t count,
                  const char *name, struct symbol_place *found)
{
    for (size_t i = 0; i < count; i++) {
        struct reader in = reader_of(j->pulls.data, j->pulls.size);
        const struct journal_image *image;
        while ((image = next_image(j, &configs[i], &in)))
            if (elf_find(image->contents.data, image->contents.size, name, found))
                return true;
    }
    return false;
}
