/* Dumps of a guest: an ELF64 core that gdb opens. Its notes are those of a Linux core (elf_prstatus
 * and the FP registers of each vCPU, as gdb expects them), its segments are the guest's RAM and ROM
 * at their guest-physical addresses and, over the same bytes of the file, at every virtual address
 * that the first running vCPU's stage 1 maps them to. Notes of our own have what gdb does not ask
 * for: all registers of each vCPU, and the time (hv/foreign/import.h). Nothing the guest runs on
 * changes.
 */
#include <stdlib.h>

#include "emu/check.h"
#include "hv/hv_internal.h"
#include "hv/foreign/elf_note.h"
#include "hv/foreign/import.h"

/* System V ABI, chapter 4 and 5; numbers of the notes as Linux has them. */
enum { EHDR_SIZE = 64, PHDR_SIZE = 56, EI_NIDENT = 16 };
enum { ELFCLASS64 = 2, ELFDATA2LSB = 1, EV_CURRENT = 1, ET_CORE = 4 };
enum { PT_LOAD = 1, PT_NOTE = 4, PF_X = 1, PF_W = 2, PF_R = 4 };
#define SEGMENTS_MAX 60000 /* e_phnum has 16 bits */

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

/* Every register by its name, so that another version finds those that it knows. */
static void put_item(void *context, const struct state_item *item)
{
    struct bytes *items = context;
    bytes_put_string(items, item->name);
    bytes_put_varint(items, item->size);
    bytes_put(items, item->data, item->size);
}

static void put_state(struct bytes *out, struct vcpu *v, struct vcpu *loaded)
{
    struct bytes items = {0}, state = {0};
    const struct state_listener listener = {.item = put_item, .context = &items};
    struct state s = state_telling(&state, &listener);
    vcpu_visit(v, loaded, &s);
    elf_put_note(out, IMPORT_NOTE_OWNER, IMPORT_NOTE_VCPU, &items);
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
        d->vm->arch->put_core_notes(&d->notes, i + 1, &r);
        put_state(&d->notes, d->vm->vcpus[i], b->current);
    }
    bytes_put_int(&time, b->vtime.instructions, 8);
    bytes_put_int(&time, b->vtime.idle_ticks, 8);
    elf_put_note(&d->notes, IMPORT_NOTE_OWNER, IMPORT_NOTE_TIME, &time);
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

static bool add_mapping(void *context, const struct guest_mapping *m)
{
    struct dump *d = context;
    for (size_t i = 0; i < d->ram_count; i++) {
        const struct segment ram = d->segments[i];
        if (m->gpa < ram.pa || m->gpa - ram.pa >= ram.size)
            continue;
        uint64_t room = ram.size - (m->gpa - ram.pa);
        add_segment(d, (struct segment){.va = m->va,
                                        .pa = m->gpa,
                                        .size = m->size < room ? m->size : room,
                                        .file_offset = ram.file_offset + (m->gpa - ram.pa),
                                        .flags = ram.flags});
    }
    return d->segment_count < SEGMENTS_MAX;
}

/* Of the first vCPU that is on and has other addresses than physical ones; else of the first. */
static void add_mappings(struct dump *d)
{
    struct vm *vm = d->vm;
    unsigned i = 0;
    while (i < vm->vcpu_count && !(vm->vcpus[i]->on && vm->arch->is_mapping(vm->vcpus[i])))
        i++;
    const struct vcpu *v = vm->vcpus[i < vm->vcpu_count ? i : 0];
    if (vm->arch->is_mapping(v))
        vm->arch->each_mapping(vm, v, add_mapping, d);
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
    bytes_put_int(out, d->vm->arch->elf_machine, 2);
    bytes_put_int(out, EV_CURRENT, 4);
    bytes_put_int(out, 0, 8);
    bytes_put_int(out, EHDR_SIZE, 8);
    bytes_put_int(out, 0, 8);
    bytes_put_int(out, 0, 4);
    bytes_put_int(out, EHDR_SIZE, 2);
    bytes_put_int(out, PHDR_SIZE, 2);
    bytes_put_int(out, d->segment_count + 1, 2);
    elf_put_zeros(out, 6);
    struct segment note = {.size = d->notes.size, .file_offset = notes};
    put_program_header(out, PT_NOTE, &note, 0);
    for (size_t i = 0; i < d->segment_count; i++)
        put_program_header(out, PT_LOAD, &d->segments[i], contents);
    bytes_put(out, d->notes.data, d->notes.size);
    elf_put_zeros(out, (size_t)(contents - out->size));
}

/* A page that nobody wrote is a hole in the file. */
static bool write_ram(const struct dump *d, const struct board_sinks *sinks)
{
    struct memory *m = &d->vm->board->memory;
    for (size_t i = 0; i < d->ram_count; i++)
        for (uint64_t at = 0; at < d->segments[i].size; at += PAGE_SIZE) {
            struct guest_page leaf;
            const void *page = NULL;
            if (guest_tables_find(d->vm->tables, m, gpa(d->segments[i].pa + at), &leaf))
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
        log_write(&vm->log, LOG_SEVERITY_ERROR, "no dump of the guest: %s", e.text);
    }
    bytes_free(&headers);
    bytes_free(&d.notes);
    free(d.segments);
}
