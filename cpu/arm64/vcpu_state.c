/* Names for the bytes that vcpu_save writes, in its order: the field table, general registers,
 * vectors, then system registers and a second field table. */
#include <stdio.h>

#include "cpu/vcpu.h"

/* Is the offset in the item that begins at item->offset with that size? If not, on to the next. */
static bool is_in(struct vcpu_state_item *item, size_t offset, size_t size)
{
    item->size = size;
    if (offset - item->offset < size)
        return true;
    item->offset += size;
    return false;
}

static bool name_field(struct vcpu_state_item *item, size_t offset, const struct field *fields)
{
    for (const struct field *f = fields; f->name; f++)
        for (size_t i = 0; i < f->count; i++) {
            if (!is_in(item, offset, f->size))
                continue;
            if (f->count > 1)
                snprintf(item->name, sizeof item->name, "%s[%zu]", f->name, i);
            else
                snprintf(item->name, sizeof item->name, "%s", f->name);
            return true;
        }
    return false;
}

static bool name_general(struct vcpu_state_item *item, size_t offset)
{
    static const char *const others[] = {"SP_EL0", "SP_EL1", "PC", "PSTATE"};
    for (unsigned i = 0; i < 31 + sizeof others / sizeof others[0]; i++) {
        if (!is_in(item, offset, 8))
            continue;
        if (i < 31)
            snprintf(item->name, sizeof item->name, "X%u", i);
        else
            snprintf(item->name, sizeof item->name, "%s", others[i - 31]);
        return true;
    }
    return false;
}

static bool name_vector(struct vcpu_state_item *item, size_t offset)
{
    for (unsigned i = 0; i < 64; i++)
        if (is_in(item, offset, 8)) {
            snprintf(item->name, sizeof item->name, "V%u bits %s", i / 2,
                     i % 2 ? "127:64" : "63:0");
            return true;
        }
    return false;
}

static bool name_status(struct vcpu_state_item *item, size_t offset)
{
    static const struct {
        const char *name;
        size_t size;
    } items[] = {{"how PC was reached", 1},
                 {"FPCR", 4},
                 {"FPSR", 4},
                 {"monitor's address", 8},
                 {"monitor's value", 8},
                 {"monitor's value, high", 8}};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        if (is_in(item, offset, items[i].size)) {
            snprintf(item->name, sizeof item->name, "%s", items[i].name);
            return true;
        }
    return false;
}

void vcpu_state_item(size_t offset, struct vcpu_state_item *item)
{
    *item = (struct vcpu_state_item){.offset = 0};
    if (name_field(item, offset, vcpu_fields) || name_general(item, offset) ||
        name_vector(item, offset) || name_status(item, offset))
        return;
    for (unsigned i = 0; vcpu_sysreg_name(i); i++)
        if (is_in(item, offset, 8)) {
            snprintf(item->name, sizeof item->name, "%s", vcpu_sysreg_name(i));
            return;
        }
    if (!name_field(item, offset, vcpu_event_fields) && !name_field(item, offset, pmu_fields))
        snprintf(item->name, sizeof item->name, "?");
}
