#include "hv/explain/board_place.h"

#include <inttypes.h>

#include "emu/json.h"
#include "emu/text.h"
#include "mmu/guest_tables.h"

/* Memory of a VM lies scattered: its tables are gone through, a leaf at a time. */
static bool is_in_ram(struct vm *vm, const struct ram_config *ram, hpa_t at, struct board_place *p)
{
    struct guest_page leaf;
    for (uint64_t done = 0, part; done < ram->length; done += part) {
        gpa_t here = gpa(ram->start + done);
        part = PAGE_SIZE;
        if (!guest_tables_find(vm->tables, &vm->board->memory, here, &leaf))
            continue;
        part = leaf.size - (here.v & (leaf.size - 1));
        if (at.v < leaf.page.v || at.v - leaf.page.v >= part)
            continue;
        uint64_t offset = done + (at.v - leaf.page.v);
        *p = (struct board_place){.what = ram->is_rom ? "ROM" : "RAM",
                                  .vm = vm,
                                  .gpa = gpa(ram->start + offset),
                                  .offset = offset};
        return offset < ram->length;
    }
    return false;
}

static bool is_of_vm(struct vm *vm, hpa_t at, struct board_place *p)
{
    for (size_t i = 0; i < vm->config->ram_count; i++)
        if (is_in_ram(vm, &vm->config->rams[i], at, p))
            return true;
    return false;
}

static bool is_a_device(const struct board *b, hpa_t at, struct board_place *p)
{
    for (size_t i = 0; i < b->config->device_count; i++) {
        const struct board_device *d = &b->config->devices[i];
        if (at.v < d->start || at.v - d->start >= d->length)
            continue;
        *p = (struct board_place){.what = "device",
                                  .vm = b->device_owner[i],
                                  .device = board_device_name(d),
                                  .offset = at.v - d->start};
        return true;
    }
    for (size_t i = 0; i < b->config->smmu_count; i++) {
        const struct board_smmu *s = &b->config->smmus[i];
        if (at.v < s->start || at.v - s->start >= BOARD_SMMU_SIZE)
            continue;
        *p = (struct board_place){.what = "SMMU", .device = s->name, .offset = at.v - s->start};
        return true;
    }
    return false;
}

void board_place_find(const struct board *b, hpa_t at, struct board_place *p)
{
    struct memory *m = (struct memory *)&b->memory;
    for (size_t i = 0; i < b->vm_count; i++)
        if (is_of_vm(b->vms[i], at, p))
            return;
    if (is_a_device(b, at, p))
        return;
    *p = (struct board_place){.what = memory_at(m, at, 1, MEMORY_READ) ? "memory of the board"
                                                                       : "nothing"};
}

void board_place_text(const struct board_place *p, struct bytes *out)
{
    text_put(out, "%s", p->what);
    if (p->device)
        text_put(out, " %s", p->device);
    if (p->vm)
        text_put(out, " of vm %s", p->vm->name);
    if (p->vm && !p->device)
        text_put(out, ", gpa 0x%" PRIx64, p->gpa.v);
    if (p->vm || p->device)
        text_put(out, ", offset 0x%" PRIx64, p->offset);
    text_put(out, "\n");
}

void board_place_json(const struct board_place *p, struct json *j)
{
    json_string(j, "place", p->what);
    json_string(j, "place_vm", p->vm ? p->vm->name : NULL);
    if (p->device)
        json_string(j, "place_device", p->device);
    if (p->vm && !p->device)
        json_number(j, "gpa", p->gpa.v);
    json_number(j, "offset", p->offset);
}
