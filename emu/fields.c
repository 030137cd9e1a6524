#include "emu/fields.h"

#include <string.h>

static uint64_t scalar_load(const uint8_t *from, size_t size)
{
    switch (size) {
    case 1:
        return *from;
    case 2: {
        uint16_t v;
        memcpy(&v, from, 2);
        return v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, from, 4);
        return v;
    }
    default: {
        uint64_t v;
        memcpy(&v, from, 8);
        return v;
    }
    }
}

static void scalar_store(uint8_t *to, uint64_t value, size_t size)
{
    uint8_t v1 = (uint8_t)value;
    uint16_t v2 = (uint16_t)value;
    uint32_t v4 = (uint32_t)value;
    memcpy(to,
           size == 1   ? (void *)&v1
           : size == 2 ? (void *)&v2
           : size == 4 ? (void *)&v4
                       : (void *)&value,
           size);
}

void fields_save(const struct field *table, const void *object, struct bytes *out)
{
    for (const struct field *f = table; f->name; f++) {
        const uint8_t *from = (const uint8_t *)object + f->offset;
        for (size_t i = 0; i < f->count; i++)
            bytes_put_int(out, scalar_load(from + i * f->size, f->size), f->size);
    }
}

bool fields_restore(const struct field *table, void *object, struct reader *in)
{
    for (const struct field *f = table; f->name; f++) {
        uint8_t *to = (uint8_t *)object + f->offset;
        for (size_t i = 0; i < f->count; i++) {
            uint64_t value = reader_int(in, f->size);
            if (value > f->most) {
                reader_refuse(in, f->name);
                return false;
            }
            scalar_store(to + i * f->size, value, f->size);
        }
    }
    return !in->failed;
}

const char *fields_first_difference(const struct field *table, const void *a, const void *b,
                                    size_t *index)
{
    for (const struct field *f = table; f->name; f++) {
        const uint8_t *pa = (const uint8_t *)a + f->offset;
        const uint8_t *pb = (const uint8_t *)b + f->offset;
        for (size_t i = 0; i < f->count; i++) {
            if (memcmp(pa + i * f->size, pb + i * f->size, f->size) != 0) {
                *index = i;
                return f->name;
            }
        }
    }
    return NULL;
}
