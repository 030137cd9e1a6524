#include "hv/explain/inspect.h"

#include <string.h>

bool inspect_gpa(struct vm *vm, gpa_t at, hpa_t *place)
{
    struct guest_page leaf;
    if (!guest_tables_find(vm->tables, &vm->board->memory, gpa(at.v & ~PAGE_MASK), &leaf))
        return false;
    *place = hpa(leaf.page.v | (at.v & PAGE_MASK));
    return true;
}

bool inspect_place(struct vm *vm, const struct vcpu *v, gva_t at, hpa_t *place)
{
    gpa_t physical;
    return vm->arch->locate(vm, v, at, &physical) && inspect_gpa(vm, physical, place);
}

bool inspect_memory(struct vm *vm, const struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    uint8_t *out = to;
    while (size) {
        uint64_t in_page = PAGE_SIZE - (from.v & PAGE_MASK), part = size < in_page ? size : in_page;
        hpa_t place;
        const void *host = inspect_place(vm, v, from, &place)
                               ? memory_at(&vm->board->memory, place, part, MEMORY_READ)
                               : NULL;
        if (!host)
            return false;
        memcpy(out, host, (size_t)part);
        out += part;
        from.v += part;
        size -= part;
    }
    return true;
}
