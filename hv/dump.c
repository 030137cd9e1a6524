/* Dumps of a guest: an ELF64 core that gdb opens. Its notes are those of a Linux core (elf_prstatus
 * and the FP registers of each vCPU, as gdb expects of AArch64), its segments are the guest's RAM
 * and ROM at their guest-physical addresses and, over the same bytes of the file, at every virtual
 * address that the first running vCPU's stage 1 maps them to. Notes of our own have what gdb does
 * not ask for: all registers of each vCPU, and the time (hv/foreign/import.h). Nothing the guest
 * runs on changes.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "emu/check.h"
#include "hv/hv_internal.h"
#include "hv/foreign/import.h"

/* System V ABI, chapter 4 and 5; numbers of the notes as Linux has them. */
enum { EHDR_SIZE = 64, PHDR_SIZE = 56, EI_NIDENT = 16 };
enum { ELFCLASS64 = 2, ELFDATA2LSB = 1, EV_CURRENT = 1, ET_CORE = 4, EM_AARCH64 = 183 };
enum { PT_LOAD = 1, PT_NOTE = 4, PF_X = 1, PF_W = 2, PF_R = 4 };
enum { NT_PRSTATUS = 1, NT_FPREGSET = 2 };
/* Sizes and places within Linux' struct elf_prstatus of AArch64. */
enum { PRSTATUS_SIZE = 392, PRSTATUS_PID = 32, PRSTATUS_REG = 112 };
enum { FPREGSET_SIZE = 32 * 16 + 4 + 4 + 8 };
#define SEGMENTS_MAX 60000               /* e_phnum has 16 bits */
#define WALKS_MAX    ((uint64_t)1 << 24) /* tables that refer to each other map for ever */

struct segment {
    uint64_t va, pa, size, file_offset;
    uint32_t flags;
};

struct dump {
    struct vm *vm;
    struct bytes notes;
    struct segment *segments; /* owned */
    size_t segment_count;
    size_t ram_count; /* the first segments: those with contents */
};

/* Notes -------------------------------------------------------------------------------------------
 */

static void put_zeros(struct bytes *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, 0, 1);
}

/* Name and contents are padded to 4 bytes; the sizes are those without. */
static void put_note(struct bytes *out, const char *owner, uint32_t type,
                     const struct bytes *contents)
{
    size_t size = strlen(owner) + 1;
    bytes_put_int(out, size, 4);
    bytes_put_int(out, contents->size, 4);
    bytes_put_int(out, type, 4);
    bytes_put(out, owner, size);
    put_zeros(out, -size & 3);
    bytes_put(out, contents->data, contents->size);
    put_zeros(out, -contents->size & 3);
}

static void put_registers(struct bytes *out, unsigned pid, const struct vcpu_registers *r)
{
    struct bytes status = {0}, fp = {0};
    put_zeros(&status, PRSTATUS_PID);
    bytes_put_int(&status, pid, 4);
    put_zeros(&status, PRSTATUS_REG - PRSTATUS_PID - 4);
    for (unsigned i = 0; i < 31; i++)
        bytes_put_int(&status, r->x[i], 8);
    bytes_put_int(&status, r->sp, 8);
    bytes_put_int(&status, r->pc, 8);
    bytes_put_int(&status, r->pstate, 8);
    put_zeros(&status, PRSTATUS_SIZE - status.size);
    put_note(out, "CORE", NT_PRSTATUS, &status);
    for (unsigned i = 0; i < 32; i++) {
        bytes_put_int(&fp, r->v[i][0], 8);
        bytes_put_int(&fp, r->v[i][1], 8);
    }
    bytes_put_int(&fp, r->fpsr, 4);
    bytes_put_int(&fp, r->fpcr, 4);
    put_zeros(&fp, FPREGSET_SIZE - fp.size);
    put_note(out, "CORE", NT_FPREGSET, &fp);
    bytes_free(&status);
    bytes_free(&fp);
}

/* Every register by its name, so that another version finds those that it knows. */
static void put_state(struct bytes *out, struct vcpu *v, struct vcpu *loaded)
{
    struct bytes state = {0}, items = {0};
    struct vcpu_state_item item;
    vcpu_save(v, loaded, &state);
    for (size_t at = 0; at < state.size; at += item.size) {
        vcpu_state_item(at, &item);
        bytes_put_string(&items, item.name);
        bytes_put_varint(&items, item.size);
        bytes_put(&items, state.data + at, item.size);
    }
    put_note(out, IMPORT_NOTE_OWNER, IMPORT_NOTE_VCPU, &items);
    bytes_free(&items);
    bytes_free(&state);
}

static void put_vcpus(struct dump *d)
{
    struct board *b = d->vm->board;
    struct bytes time = {0};
    for (unsigned i = 0; i < d->vm->vcpu_count; i++) {
        struct vcpu_registers r;
        vcpu_read_registers(d->vm->vcpus[i], b->current, &r);
        put_registers(&d->notes, i + 1, &r);
        put_state(&d->notes, d->vm->vcpus[i], b->current);
    }
    bytes_put_int(&time, b->vtime.instructions, 8);
    bytes_put_int(&time, b->vtime.idle_ticks, 8);
    put_note(&d->notes, IMPORT_NOTE_OWNER, IMPORT_NOTE_TIME, &time);
    bytes_free(&time);
}

/* Segments ----------------------------------------------------------------------------------------
 */

static void add_segment(struct dump *d, struct segment s)
{
    struct segment *last = d->segment_count ? &d->segments[d->segment_count - 1] : NULL;
    bool joins = last && d->segment_count > d->ram_count && last->va + last->size == s.va &&
                 last->file_offset + last->size == s.file_offset;
    if (joins)
        last->size += s.size;
    else if (d->segment_count < SEGMENTS_MAX)
        d->segments[d->segment_count++] = s;
}

/* Memory in more pieces than an ELF file can name has no dump. */
static bool has_room(const struct vm *vm, struct error *e)
{
    return vm->config->ram_count <= SEGMENTS_MAX ||
           error_set(e, "its memory is in %zu pieces, a core has at most %d", vm->config->ram_count,
                     SEGMENTS_MAX);
}

static void add_ram(struct dump *d)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < d->vm->config->ram_count; i++) {
        const struct ram_config *ram = &d->vm->config->rams[i];
        d->segments[d->segment_count++] =
            (struct segment){.va = ram->start,
                             .pa = ram->start,
                             .size = ram->length,
                             .file_offset = offset,
                             .flags = ram->is_rom ? PF_R | PF_X : PF_R | PF_W | PF_X};
        offset += ram->length;
    }
    d->ram_count = d->segment_count;
}

static void add_mapping(struct dump *d, uint64_t va, const struct stage1_leaf *leaf)
{
    for (size_t i = 0; i < d->ram_count; i++) {
        const struct segment ram = d->segments[i];
        uint64_t pa = leaf->page.v;
        if (pa < ram.pa || pa - ram.pa >= ram.size)
            continue;
        uint64_t room = ram.size - (pa - ram.pa);
        add_segment(d, (struct segment){.va = va,
                                        .pa = pa,
                                        .size = leaf->leaf_size < room ? leaf->leaf_size : room,
                                        .file_offset = ram.file_offset + (pa - ram.pa),
                                        .flags = ram.flags});
    }
}

/* What an entry at this level covers. */
static uint64_t span(unsigned granule_bits, int level)
{
    return (uint64_t)1 << (granule_bits + (granule_bits - 3) * (unsigned)(3 - level));
}

/* One half of the addresses, from mapping to mapping; whatever is not there is passed over by the
 * level at which the walk ended. */
static void add_half(struct dump *d, const struct vcpu *v, bool upper)
{
    static const struct access look = {.kind = ACCESS_READ, .privileged = true, .inspect = true};
    uint64_t tcr = v->stage1.tcr, txsz = tcr >> (upper ? 16 : 0) & 63;
    if (txsz < 16)
        return;
    uint64_t size = (uint64_t)1 << (64 - txsz), base = upper ? -size : 0, step, walks = 0;
    for (uint64_t at = 0; at < size && d->segment_count < SEGMENTS_MAX && walks < WALKS_MAX;
         at += step, walks++) {
        struct stage1_leaf leaf;
        struct fault fault = {0};
        if (stage1_walk(&v->stage1, &d->vm->stage2, &d->vm->board->memory, gva(base + at), &look,
                        NULL, &leaf, &fault)) {
            step = leaf.leaf_size;
            add_mapping(d, base + at, &leaf);
        } else {
            step = span(stage1_granule_bits(&v->stage1, upper), fault.level < 0 ? 0 : fault.level);
        }
    }
}

static void add_mappings(struct dump *d)
{
    const struct vcpu *v = d->vm->vcpus[0];
    for (unsigned i = 0; i < d->vm->vcpu_count; i++)
        if (d->vm->vcpus[i]->on && (d->vm->vcpus[i]->stage1.sctlr & SCTLR_M)) {
            v = d->vm->vcpus[i];
            break;
        }
    if (!(v->stage1.sctlr & SCTLR_M))
        return;
    add_half(d, v, false);
    add_half(d, v, true);
}

/* The file ----------------------------------------------------------------------------------------
 */

static void put_program_header(struct bytes *out, uint32_t type, const struct segment *s,
                               uint64_t contents)
{
    bytes_put_int(out, type, 4);
    bytes_put_int(out, s->flags, 4);
    bytes_put_int(out, contents + s->file_offset, 8);
    bytes_put_int(out, s->va, 8);
    bytes_put_int(out, s->pa, 8);
    bytes_put_int(out, s->size, 8);
    bytes_put_int(out, type == PT_NOTE ? 0 : s->size, 8);
    bytes_put_int(out, type == PT_NOTE ? 4 : PAGE_SIZE, 8);
}

static void put_headers(const struct dump *d, struct bytes *out)
{
    uint64_t notes = EHDR_SIZE + (d->segment_count + 1) * PHDR_SIZE;
    uint64_t contents = (notes + d->notes.size + PAGE_MASK) & ~PAGE_MASK;
    static const uint8_t ident[EI_NIDENT] = {0x7f,       'E',         'L',       'F',
                                             ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    bytes_put(out, ident, sizeof ident);
    bytes_put_int(out, ET_CORE, 2);
    bytes_put_int(out, EM_AARCH64, 2);
    bytes_put_int(out, EV_CURRENT, 4);
    bytes_put_int(out, 0, 8);
    bytes_put_int(out, EHDR_SIZE, 8);
    bytes_put_int(out, 0, 8);
    bytes_put_int(out, 0, 4);
    bytes_put_int(out, EHDR_SIZE, 2);
    bytes_put_int(out, PHDR_SIZE, 2);
    bytes_put_int(out, d->segment_count + 1, 2);
    put_zeros(out, 6);
    struct segment note = {.size = d->notes.size, .file_offset = notes};
    put_program_header(out, PT_NOTE, &note, 0);
    for (size_t i = 0; i < d->segment_count; i++)
        put_program_header(out, PT_LOAD, &d->segments[i], contents);
    bytes_put(out, d->notes.data, d->notes.size);
    put_zeros(out, (size_t)(contents - out->size));
}

/* A page that nobody wrote is a hole in the file. */
static bool write_ram(const struct dump *d, const struct board_sinks *sinks)
{
    struct memory *m = &d->vm->board->memory;
    for (size_t i = 0; i < d->ram_count; i++)
        for (uint64_t at = 0; at < d->segments[i].size; at += PAGE_SIZE) {
            struct stage2_leaf leaf;
            struct fault fault = {0};
            const void *page = NULL;
            if (stage2_inspect(&d->vm->stage2, m, gpa(d->segments[i].pa + at), NULL, &leaf, &fault))
                page = memory_is_touched(m, leaf.page)
                           ? memory_at(m, leaf.page, PAGE_SIZE, MEMORY_READ)
                           : NULL;
            if (!sinks->dump_write(sinks->context, page, PAGE_SIZE))
                return false;
        }
    return true;
}

void dump_write(struct vm *vm, const char *why)
{
    const struct board_sinks *sinks = &vm->board->sinks;
    struct dump d = {.vm = vm, .segments = calloc(SEGMENTS_MAX, sizeof(struct segment))};
    struct bytes headers = {0};
    struct error e = {0};
    CHECK_ROOM(d.segments);
    if (sinks->dump_begin && has_room(vm, &e) && sinks->dump_begin(sinks->context, vm, &e)) {
        put_vcpus(&d);
        add_ram(&d);
        add_mappings(&d);
        put_headers(&d, &headers);
        bool ok =
            sinks->dump_write(sinks->context, headers.data, headers.size) && write_ram(&d, sinks);
        sinks->dump_end(sinks->context, vm, ok, why);
    } else if (e.text[0]) {
        log_write(&vm->log, LOG_ERROR, "no dump of the guest: %s", e.text);
    }
    bytes_free(&headers);
    bytes_free(&d.notes);
    free(d.segments);
}
