/* A code that finds the word in which two long rows of words differ, from some 300 bytes about each
 * row (R. W. Hamming, "Error Detecting and Error Correcting Codes", 1950, for words instead of
 * bits): the XOR of all words, and for each bit of their numbers the XOR of the words whose number
 * has it. If one word differs, its difference stands where its number has ones; if several do, it
 * hardly ever looks as if one did. Words that are zero need not be added. */
#ifndef EMU_WORD_CODE_H
#define EMU_WORD_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/bytes.h"

#define WORD_CODE_BITS  45  /* words of a 48-bit address space */
#define WORD_CODE_BLOCK 512 /* words in a page of 4 KiB */

struct word_code {
    uint64_t all, bit[WORD_CODE_BITS];
};

void word_code_add(struct word_code *c, uint64_t number, uint64_t word);
/* WORD_CODE_BLOCK words, little-endian, the first of which has the number block * WORD_CODE_BLOCK.
 */
void word_code_add_block(struct word_code *c, uint64_t block, const uint8_t *words);
/* A row of bytes, as words from number 0; zeros follow. */
void word_code_add_bytes(struct word_code *c, const uint8_t *data, size_t size);

/* The one word that differs, and by which bits. False: none or several do. */
bool word_code_find(const struct word_code *a, const struct word_code *b, uint64_t *number,
                    uint64_t *change);
bool word_code_equal(const struct word_code *a, const struct word_code *b);

void word_code_put(struct bytes *out, const struct word_code *c);
/* in->failed if it is none. */
void word_code_get(struct reader *in, struct word_code *c);

#endif
