#include "emu/word_code.h"

#include <string.h>

void word_code_add(struct word_code *c, uint64_t number, uint64_t word)
{
    c->all ^= word;
    for (unsigned i = 0; number >> i && i < WORD_CODE_BITS; i++)
        if (number >> i & 1)
            c->bit[i] ^= word;
}

/* XOR of the upper half, the words whose numbers have the bit `half`. Added to the lower half, the
 * two are as a block of half the size for the bits below. Inline, as sizes that the compiler knows
 * are twice as fast. */
static inline uint64_t fold(uint64_t *w, unsigned half)
{
    uint64_t upper = 0;
    for (unsigned i = 0; i < half; i++) {
        upper ^= w[i + half];
        w[i] ^= w[i + half];
    }
    return upper;
}

void word_code_add_block(struct word_code *c, uint64_t block, const uint8_t *words)
{
    uint64_t w[WORD_CODE_BLOCK];
    for (unsigned i = 0; i < WORD_CODE_BLOCK; i++)
        w[i] = load_le64(words + (size_t)8 * i);
    c->bit[8] ^= fold(w, 256);
    c->bit[7] ^= fold(w, 128);
    c->bit[6] ^= fold(w, 64);
    c->bit[5] ^= fold(w, 32);
    c->bit[4] ^= fold(w, 16);
    c->bit[3] ^= fold(w, 8);
    c->bit[2] ^= fold(w, 4);
    c->bit[1] ^= fold(w, 2);
    c->bit[0] ^= fold(w, 1);
    word_code_add(c, block * WORD_CODE_BLOCK, w[0]);
}

void word_code_add_bytes(struct word_code *c, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += 8)
        word_code_add(c, at / 8, load_le(data + at, size - at < 8 ? size - at : 8));
}

bool word_code_find(const struct word_code *a, const struct word_code *b, uint64_t *number,
                    uint64_t *change)
{
    *change = a->all ^ b->all;
    *number = 0;
    for (unsigned i = 0; i < WORD_CODE_BITS; i++) {
        uint64_t d = a->bit[i] ^ b->bit[i];
        if (d && d != *change)
            return false;
        *number |= (uint64_t)(d != 0) << i;
    }
    return *change != 0;
}

bool word_code_equal(const struct word_code *a, const struct word_code *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void word_code_put(struct bytes *out, const struct word_code *c)
{
    unsigned count = WORD_CODE_BITS;
    while (count && !c->bit[count - 1])
        count--;
    bytes_put_int(out, count, 1);
    bytes_put_int(out, c->all, 8);
    for (unsigned i = 0; i < count; i++)
        bytes_put_int(out, c->bit[i], 8);
}

void word_code_get(struct reader *in, struct word_code *c)
{
    unsigned count = (unsigned)reader_int(in, 1);
    *c = (struct word_code){.all = reader_int(in, 8)};
    if (count > WORD_CODE_BITS)
        in->failed = true;
    for (unsigned i = 0; i < count && !in->failed; i++)
        c->bit[i] = reader_int(in, 8);
}
