/* ELF cores of guests: those of `qvm dump`, those that QEMU's dump-guest-memory writes, and whoever
 * else puts the registers of a vCPU into an NT_PRSTATUS and guest-physical addresses into p_paddr.
 * System V ABI, chapters 4 and 5. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/foreign/import.h"

enum { EHDR_SIZE = 64, PHDR_SIZE = 56 };
enum { ELFCLASS64 = 2, ELFDATA2LSB = 1, ET_CORE = 4 };
enum { PT_LOAD = 1, PT_NOTE = 4 };

/* So far no board comes, and the sum of two still has 64 bits. */
#define TIME_MAX ((uint64_t)1 << 62)

struct file {
    const char *name;
    const uint8_t *data;
    size_t size;
};

struct program_header {
    uint32_t type;
    uint64_t offset, paddr, filesz;
};

bool import_core_recognise(const void *data, size_t size)
{
    return size >= 4 && memcmp(data,
                               "\x7f"
                               "ELF",
                               4) == 0;
}

/* Notes -------------------------------------------------------------------------------------------
 */

static bool take_linux_note(struct import_core *c, const struct file *f, uint32_t type,
                            const uint8_t *data, size_t size, struct error *e)
{
    struct vcpu_registers r = {.arch = c->arch->cpu};
    struct error why = {0};
    if (c->vcpu_count)
        r = c->vcpus[c->vcpu_count - 1].r;
    enum core_note note = c->arch->take_core_note(type, data, size, &r, &why);
    if (note == CORE_NOTE_BAD)
        return error_set(e, "'%s': %s", f->name, why.text);
    if (note == CORE_NOTE_BEGINS && c->vcpu_count == IMPORT_CORE_VCPUS_MAX)
        return error_set(e, "'%s' has more than %d vCPUs", f->name, IMPORT_CORE_VCPUS_MAX);
    if (note == CORE_NOTE_BEGINS)
        c->vcpu_count++;
    if (note != CORE_NOTE_OTHER && c->vcpu_count)
        c->vcpus[c->vcpu_count - 1].r = r;
    return true;
}

static bool take_note(struct import_core *c, const struct file *f, const char *owner, uint32_t type,
                      const uint8_t *data, size_t size, struct error *e)
{
    struct import_core_vcpu *last = c->vcpu_count ? &c->vcpus[c->vcpu_count - 1] : NULL;
    bool is_ours = strcmp(owner, IMPORT_NOTE_OWNER) == 0;
    if (is_ours && type == IMPORT_NOTE_TIME && size == 16) {
        c->instructions = load_le(data, 8);
        c->idle_ticks = load_le(data + 8, 8);
        c->has_time = c->instructions < TIME_MAX && c->idle_ticks < TIME_MAX;
    } else if (is_ours && type == IMPORT_NOTE_VCPU && last) {
        last->state = data;
        last->state_size = size;
    } else if (strcmp(owner, "CORE") == 0) {
        return take_linux_note(c, f, type, data, size, e);
    }
    return true;
}

/* Names and contents are padded to 4 bytes. */
static const uint8_t *padded(struct reader *in, uint32_t size)
{
    const uint8_t *data = reader_bytes(in, size);
    if (size % 4 && in->size - in->at >= 4 - size % 4)
        reader_bytes(in, 4 - size % 4);
    return data;
}

static bool take_notes(struct import_core *c, const struct file *f, const struct program_header *p,
                       struct error *e)
{
    struct reader in = reader_of(f->data + p->offset, (size_t)p->filesz);
    while (in.size - in.at >= 12) {
        char owner[16] = "";
        uint32_t name_size = (uint32_t)reader_int(&in, 4), size = (uint32_t)reader_int(&in, 4);
        uint32_t type = (uint32_t)reader_int(&in, 4);
        const uint8_t *name = padded(&in, name_size), *data = name ? padded(&in, size) : NULL;
        if (!data)
            return error_set(e, "'%s': a note at byte %" PRIu64 " ends behind its segment", f->name,
                             p->offset + in.at);
        if (name_size < sizeof owner)
            memcpy(owner, name, name_size);
        if (!take_note(c, f, owner, type, data, size, e))
            return false;
    }
    return true;
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* Virtual mappings of memory that is there already (our cores have those) say nothing new. */
static bool is_there(const struct import_core *c, const struct program_header *p)
{
    for (size_t i = 0; i < c->segment_count; i++) {
        const struct import_core_segment *s = &c->segments[i];
        if (p->paddr >= s->gpa && p->paddr - s->gpa <= s->size &&
            p->filesz <= s->size - (p->paddr - s->gpa))
            return true;
    }
    return false;
}

static bool take_load(struct import_core *c, const struct file *f, const struct program_header *p,
                      struct error *e)
{
    if (!p->filesz || is_there(c, p))
        return true;
    if (p->filesz > UINT64_MAX - p->paddr)
        return error_set(e, "'%s': memory at %#" PRIx64 " ends behind the last address", f->name,
                         p->paddr);
    c->segments[c->segment_count++] = (struct import_core_segment){
        .gpa = p->paddr, .size = p->filesz, .data = f->data + p->offset};
    return true;
}

/* The file ----------------------------------------------------------------------------------------
 */

static const struct vm_arch *arch_of_machine(uint64_t machine)
{
    for (size_t i = 0; vm_arches[i]; i++)
        if (vm_arches[i]->elf_machine == machine)
            return vm_arches[i];
    return NULL;
}

static bool check_header(struct import_core *c, const struct file *f, struct error *e)
{
    if (f->size < EHDR_SIZE || f->data[4] != ELFCLASS64 || f->data[5] != ELFDATA2LSB ||
        load_le(f->data + 16, 2) != ET_CORE)
        return error_set(e, "'%s' is no little-endian ELF64 core", f->name);
    uint64_t machine = load_le(f->data + 18, 2);
    c->arch = arch_of_machine(machine);
    if (!c->arch)
        return error_set(e, "'%s' is a core of machine %" PRIu64 ", not of %s (%u)", f->name,
                         machine, vm_arches[0]->elf_machine_name, vm_arches[0]->elf_machine);
    uint64_t table = load_le(f->data + 32, 8), size = load_le(f->data + 54, 2);
    uint64_t count = load_le(f->data + 56, 2);
    if (size != PHDR_SIZE || table > f->size || count > (f->size - table) / PHDR_SIZE)
        return error_set(e, "'%s': its %" PRIu64 " program headers are not in the file", f->name,
                         count);
    return true;
}

static bool program_header(const struct file *f, uint64_t number, struct program_header *p,
                           struct error *e)
{
    const uint8_t *at = f->data + load_le(f->data + 32, 8) + number * PHDR_SIZE;
    *p = (struct program_header){.type = load_le32(at),
                                 .offset = load_le(at + 8, 8),
                                 .paddr = load_le(at + 24, 8),
                                 .filesz = load_le(at + 32, 8)};
    if ((p->type == PT_LOAD || p->type == PT_NOTE) &&
        (p->offset > f->size || p->filesz > f->size - p->offset))
        return error_set(e,
                         "'%s' is cut off: its segment %" PRIu64 " ends at byte %" PRIu64 " of %zu",
                         f->name, number, p->offset + p->filesz, f->size);
    return true;
}

static bool take_all(struct import_core *c, const struct file *f, struct error *e)
{
    uint64_t count = load_le(f->data + 56, 2);
    c->segments = calloc((size_t)count + 1, sizeof *c->segments);
    CHECK_ROOM(c->segments);
    for (uint64_t i = 0; i < count; i++) {
        struct program_header p;
        if (!program_header(f, i, &p, e) || (p.type == PT_NOTE && !take_notes(c, f, &p, e)) ||
            (p.type == PT_LOAD && !take_load(c, f, &p, e)))
            return false;
    }
    return true;
}

bool import_core(struct import_core *c, const char *file, const void *data, size_t size,
                 struct error *e)
{
    const struct file f = {.name = file, .data = data, .size = size};
    *c = (struct import_core){.vcpu_count = 0};
    if (!check_header(c, &f, e) || !take_all(c, &f, e))
        return false;
    if (!c->vcpu_count)
        return error_set(e, "'%s' holds no registers: no NT_PRSTATUS note", file);
    return c->segment_count || error_set(e, "'%s' holds no memory", file);
}

void import_core_free(struct import_core *c)
{
    free(c->segments);
    *c = (struct import_core){.vcpu_count = 0};
}
