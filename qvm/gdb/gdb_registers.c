#include "qvm/gdb/gdb_registers.h"

size_t register_size(const struct arch *arch, unsigned number)
{
    return arch->registers[number].bits / 8;
}

unsigned registers_general(const struct arch *arch)
{
    unsigned count = 0;
    while (count < arch->register_count && arch->registers[count].class != REGISTER_SYSTEM)
        count++;
    return count;
}

void register_get(const struct vcpu_registers *r, unsigned number, uint8_t to[16])
{
    size_t size = register_size(r->arch, number);
    store_le(to, r->value[number][0], size < 8 ? size : 8);
    if (size > 8)
        store_le(to + 8, r->value[number][1], 8);
}

void register_set(struct vcpu_registers *r, unsigned number, const uint8_t from[16])
{
    size_t size = register_size(r->arch, number);
    r->value[number][0] = load_le(from, size < 8 ? size : 8);
    r->value[number][1] = size > 8 ? load_le(from + 8, 8) : 0;
}
