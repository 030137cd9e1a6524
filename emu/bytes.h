/* A growable byte buffer and a bounded reader, both little-endian: the only way integers get into
 * and out of files and digests. */
#ifndef EMU_BYTES_H
#define EMU_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data; /* owned; free with bytes_free */
    size_t size;
    size_t capacity;
};

void bytes_free(struct bytes *b);
void bytes_clear(struct bytes *b);
/* Makes room for `size` more bytes at once. */
void bytes_reserve(struct bytes *b, size_t size);
/* The same, and false if the host has none: for sizes that come from a file. */
bool bytes_try_reserve(struct bytes *b, uint64_t size);
void bytes_put(struct bytes *b, const void *data, size_t size);
/* Appends the low `size` bytes (1 to 8) of `value`. */
void bytes_put_int(struct bytes *b, uint64_t value, size_t size);
/* LEB128: 7 bits a byte, least significant first. */
void bytes_put_varint(struct bytes *b, uint64_t value);
void bytes_put_string(struct bytes *b, const char *s); /* varint length, then the characters */

struct reader {
    const uint8_t *data; /* borrowed */
    size_t size;
    size_t at;
    bool failed;         /* set by the first read past the end; every later read gives 0 */
    const char *refused; /* borrowed; the first thing whose value could not be; NULL: none */
};

struct reader reader_of(const void *data, size_t size);
uint64_t reader_varint(struct reader *r);
/* Borrows `size` bytes from the underlying data; NULL (and failed) past the end. */
const uint8_t *reader_bytes(struct reader *r, size_t size);
/* What bytes_put_string wrote, into `to` with a NUL. Failed where it has no room or is not
 * printable ASCII: names from files end up on somebody's terminal. */
bool reader_string(struct reader *r, char *to, size_t room);
/* What was read cannot be a value of that: as if the data ended here. Returns false. */
bool reader_refuse(struct reader *r, const char *what);
bool reader_at_end(const struct reader *r);

/* Little-endian integers in memory, 1 to 8 bytes wide. */
uint64_t load_le(const void *from, size_t size);
void store_le(void *to, uint64_t value, size_t size);
/* The same for what is read in long rows: compilers make one load of it. */
static inline uint32_t load_le32(const void *from)
{
    const uint8_t *b = (const uint8_t *)from;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t load_le64(const void *from)
{
    const uint8_t *b = (const uint8_t *)from;
    return load_le32(b) | (uint64_t)load_le32(b + 4) << 32;
}

/* An integer of 1 to 8 bytes. States are long rows of them: all 8 bytes are loaded, which is one
 * instruction, without those that are too much; but for the last ones. */
uint64_t reader_int_by_bytes(struct reader *r, size_t size);
static inline uint64_t reader_int(struct reader *r, size_t size)
{
    if (r->failed || r->size - r->at < 8)
        return reader_int_by_bytes(r, size);
    uint64_t value = load_le64(r->data + r->at) & UINT64_MAX >> (64 - 8 * size);
    r->at += size;
    return value;
}

#endif
