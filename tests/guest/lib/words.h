/* The words of the command line (semihosting's SYS_GET_CMDLINE), one after another. */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include "guest.h"

/* Asks for the command line; before the first of the others. */
void words_start(void);
/* The next word, empty behind the last, cut off at 63 characters; until the next call. */
const char *word(void);
/* The next word as a number: decimal, or hexadecimal with 0x. */
uint64_t number(void);
/* Two words are the same. */
bool is(const char *a, const char *b);

#endif
