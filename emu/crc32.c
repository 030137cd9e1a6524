#include "emu/crc32.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* x^n modulo the polynomial, bits reflected, one place to the left as the product of two reflected
 * numbers is one short. n is that of 64 bytes and of 16, for the two halves of a register (Gopal et
 * al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009). */
#define BY_64_LOW  0x154442bd4
#define BY_64_HIGH 0x1c6e41596
#define BY_16_LOW  0x1751997d0
#define BY_16_HIGH 0x0ccaa009e

/* The same remainder, so many bytes further on. */
__attribute__((target("pclmul"))) static inline __m128i moved(__m128i x, __m128i by)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11));
}

static inline __m128i next(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* `size` is a multiple of 64. Four at a time, as a product takes as long as four of them. */
__attribute__((target("pclmul"))) static void fold(const uint8_t *data, size_t size,
                                                   uint8_t folded[CRC32_FOLDED])
{
    const __m128i by_64 = _mm_set_epi64x(BY_64_HIGH, BY_64_LOW);
    const __m128i by_16 = _mm_set_epi64x(BY_16_HIGH, BY_16_LOW);
    __m128i x[4];
    for (size_t i = 0; i < 4; i++)
        x[i] = next(data + 16 * i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(-1)); /* the register begins with all ones */
    for (size_t at = 64; at < size; at += 64)
        for (size_t i = 0; i < 4; i++)
            x[i] = _mm_xor_si128(moved(x[i], by_64), next(data + at + 16 * i));
    for (size_t i = 1; i < 4; i++)
        x[i] = _mm_xor_si128(moved(x[i - 1], by_16), x[i]);
    _mm_storeu_si128((__m128i *)(void *)folded, x[3]);
}

size_t crc32_fold(const uint8_t *data, size_t size, uint8_t folded[CRC32_FOLDED])
{
    size &= ~(size_t)63;
    if (!size || !__builtin_cpu_supports("pclmul"))
        return 0;
    fold(data, size, folded);
    return size;
}

#else

size_t crc32_fold(const uint8_t *data, size_t size, uint8_t folded[CRC32_FOLDED])
{
    (void)data, (void)size, (void)folded;
    return 0;
}

#endif
