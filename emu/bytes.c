#include "emu/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

void bytes_clear(struct bytes *b)
{
    b->size = 0;
}

static bool set_capacity(struct bytes *b, size_t capacity)
{
    uint8_t *data = realloc(b->data, capacity);
    if (!data)
        return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool bytes_try_reserve(struct bytes *b, uint64_t size)
{
    return size <= b->capacity - b->size ||
           (size <= PTRDIFF_MAX - b->size && set_capacity(b, b->size + (size_t)size));
}

void bytes_reserve(struct bytes *b, size_t size)
{
    CHECK_ROOM(bytes_try_reserve(b, size));
}

static void grow(struct bytes *b, size_t size)
{
    size_t capacity = b->capacity ? b->capacity : 256;
    CHECK_ROOM(size <= PTRDIFF_MAX / 2 - b->size);
    while (size > capacity - b->size)
        capacity *= 2;
    CHECK_ROOM(set_capacity(b, capacity));
}

void bytes_put(struct bytes *b, const void *data, size_t size)
{
    if (size > b->capacity - b->size)
        grow(b, size);
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* States are long rows of integers: all 8 bytes are stored, which is one instruction, and what is
 * too much is written over by what comes next. */
void bytes_put_int(struct bytes *b, uint64_t value, size_t size)
{
    if (b->capacity - b->size < 8)
        grow(b, 8);
    uint8_t *to = b->data + b->size;
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
    b->size += size;
}

void bytes_put_varint(struct bytes *b, uint64_t value)
{
    do {
        uint8_t low = value & 0x7f;
        value >>= 7;
        if (value)
            low |= 0x80;
        bytes_put(b, &low, 1);
    } while (value);
}

void bytes_put_string(struct bytes *b, const char *s)
{
    size_t length = strlen(s);
    bytes_put_varint(b, length);
    bytes_put(b, s, length);
}

struct reader reader_of(const void *data, size_t size)
{
    static const uint8_t nothing[1];
    return (struct reader){.data = data ? data : nothing, .size = size};
}

const uint8_t *reader_bytes(struct reader *r, size_t size)
{
    if (r->failed || size > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *from = r->data + r->at;
    r->at += size;
    return from;
}

uint64_t reader_int_by_bytes(struct reader *r, size_t size)
{
    const uint8_t *from = reader_bytes(r, size);
    return from ? load_le(from, size) : 0;
}

bool reader_refuse(struct reader *r, const char *what)
{
    if (!r->failed)
        r->refused = what;
    r->failed = true;
    return false;
}

uint64_t reader_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *from = reader_bytes(r, 1);
        if (!from)
            return 0;
        value |= (uint64_t)(*from & 0x7f) << shift;
        if (!(*from & 0x80))
            return value;
    }
    r->failed = true;
    return 0;
}

bool reader_string(struct reader *r, char *to, size_t room)
{
    uint64_t size = reader_varint(r);
    const uint8_t *text = size < room ? reader_bytes(r, (size_t)size) : NULL;
    r->failed |= text == NULL;
    for (uint64_t i = 0; text && i < size; i++)
        r->failed |= text[i] < ' ' || text[i] > '~';
    if (r->failed)
        return false;
    memcpy(to, text, (size_t)size);
    to[size] = 0;
    return true;
}

bool reader_at_end(const struct reader *r)
{
    return r->failed || r->at == r->size;
}

uint64_t load_le(const void *from, size_t size)
{
    const uint8_t *bytes = from;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

void store_le(void *to, uint64_t value, size_t size)
{
    uint8_t *bytes = to;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}
