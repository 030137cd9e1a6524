/* A VM beside one that means ill (tests/guest/attack.c): it fills its memory, and looks for a while
 * whether that is still there. What it does depends on nothing but its memory. */
#include "guest.h"

enum { WORDS = 1 << 17, ROUNDS = 24 };

static uint64_t memory[WORDS];

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15;
    return x ^ x >> 29;
}

int main(void)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < WORDS; i++)
        memory[i] = mix(i);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < WORDS; i++) {
            wrong += memory[i] != mix(i + round);
            memory[i] = mix(i + round + 1);
        }
    CHECK_EQ("words that are others", wrong, 0);
    return 0;
}
