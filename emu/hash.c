#include "emu/hash.h"

#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define SHA256_X86
#endif

struct hash128 hash_fast(const void *data, size_t size)
{
    XXH128_hash_t h = XXH3_128bits(data, size);
    return (struct hash128){.low = h.low64, .high = h.high64};
}

/* FIPS 180-4 section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the
 * first 64 primes. */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* One round of section 6.2.2, step 3. The working variables a to h are not moved: they are named in
 * turned order by the next round. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
    do {                                                                                           \
        uint32_t t1 = v[h] + (ror(v[e], 6) ^ ror(v[e], 11) ^ ror(v[e], 25)) +                      \
                      ((v[e] & v[f]) ^ (~v[e] & v[g])) + sha256_k[t] + w[t];                       \
        v[d] += t1;                                                                                \
        v[h] = t1 + (ror(v[a], 2) ^ ror(v[a], 13) ^ ror(v[a], 22)) +                               \
               ((v[a] & v[b]) ^ (v[a] & v[c]) ^ (v[b] & v[c]));                                    \
    } while (0)

static void sha256_block_portable(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, h, sizeof v);
    for (size_t i = 0; i < 64; i += 8) {
        ROUND(0, 1, 2, 3, 4, 5, 6, 7, i);
        ROUND(7, 0, 1, 2, 3, 4, 5, 6, i + 1);
        ROUND(6, 7, 0, 1, 2, 3, 4, 5, i + 2);
        ROUND(5, 6, 7, 0, 1, 2, 3, 4, i + 3);
        ROUND(4, 5, 6, 7, 0, 1, 2, 3, i + 4);
        ROUND(3, 4, 5, 6, 7, 0, 1, 2, i + 5);
        ROUND(2, 3, 4, 5, 6, 7, 0, 1, i + 6);
        ROUND(1, 2, 3, 4, 5, 6, 7, 0, i + 7);
    }
    for (size_t i = 0; i < 8; i++)
        h[i] += v[i];
}

#ifdef SHA256_X86
/* The same with the instructions of the host's CPU (Intel SDM volume 2, SHA256RNDS2): seven times
 * as fast. The state is kept as they want it, words a, b, e, f in one register and c, d, g, h in
 * the other, a and c highest. Four rounds with the words w, and the next four words, from the last
 * sixteen. */
#define FOUR_ROUNDS(w, i)                                                                          \
    do {                                                                                           \
        __m128i wk = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)(sha256_k + 4 * (i))));     \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);                                              \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));                     \
    } while (0)
#define NEXT_WORDS(a, b, c, d)                                                                     \
    a = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d)

__attribute__((target("sha,ssse3,sse4.1"))) static void
sha256_blocks_x86(uint32_t h[8], const uint8_t *p, size_t count)
{
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    __m128i abef = _mm_set_epi32((int)h[0], (int)h[1], (int)h[4], (int)h[5]);
    __m128i cdgh = _mm_set_epi32((int)h[2], (int)h[3], (int)h[6], (int)h[7]);
    for (; count; count--, p += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), swap);
        __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16)), swap);
        __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 32)), swap);
        __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 48)), swap);
        FOUR_ROUNDS(w0, 0);
        FOUR_ROUNDS(w1, 1);
        FOUR_ROUNDS(w2, 2);
        FOUR_ROUNDS(w3, 3);
        for (size_t i = 4; i < 16; i += 4) {
            NEXT_WORDS(w0, w1, w2, w3);
            FOUR_ROUNDS(w0, i);
            NEXT_WORDS(w1, w2, w3, w0);
            FOUR_ROUNDS(w1, i + 1);
            NEXT_WORDS(w2, w3, w0, w1);
            FOUR_ROUNDS(w2, i + 2);
            NEXT_WORDS(w3, w0, w1, w2);
            FOUR_ROUNDS(w3, i + 3);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t out[8];
    static const uint8_t from[8] = {3, 2, 7, 6, 1, 0, 5, 4};
    _mm_storeu_si128((__m128i *)out, abef);
    _mm_storeu_si128((__m128i *)(out + 4), cdgh);
    for (size_t i = 0; i < 8; i++)
        h[i] = out[from[i]];
}

/* Asked once: CPUID is slow where there is a hypervisor below us. */
static bool cpu_has_sha(void)
{
    enum { UNKNOWN, YES, NO };
    static _Atomic int answer; /* threads may ask at the same time: each finds the same */
    unsigned a, b, c, d;
    if (answer == UNKNOWN) {
        bool sse = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
        bool sha = sse && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
        answer = sha ? YES : NO;
    }
    return answer == YES;
}
#endif

static void sha256_blocks(uint32_t h[8], const uint8_t *p, size_t count)
{
#ifdef SHA256_X86
    if (cpu_has_sha()) {
        sha256_blocks_x86(h, p, count);
        return;
    }
#endif
    for (; count; count--, p += 64)
        sha256_block_portable(h, p);
}

void sha256_init(struct sha256 *s)
{
    *s = (struct sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                               0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *s, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t used = s->length_bytes % 64;
    s->length_bytes += size;
    if (used) {
        size_t take = size < 64 - used ? size : 64 - used;
        memcpy(s->block + used, p, take);
        p += take;
        size -= take;
        if (used + take < 64)
            return;
        sha256_blocks(s->h, s->block, 1);
    }
    sha256_blocks(s->h, p, size / 64);
    if (size % 64)
        memcpy(s->block, p + size / 64 * 64, size % 64);
}

struct digest sha256_end(struct sha256 *s)
{
    uint64_t bits = s->length_bytes * 8;
    static const uint8_t pad[64] = {0x80};
    size_t used = s->length_bytes % 64;
    sha256_add(s, pad, used < 56 ? 56 - used : 120 - used);
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, length, 8);
    struct digest d;
    for (size_t i = 0; i < 32; i++)
        d.b[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
    return d;
}

struct digest sha256_of(const void *data, size_t size)
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, data, size);
    return sha256_end(&s);
}

void digest_text(struct digest d, char text[DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = hex[d.b[i] >> 4];
        text[2 * i + 1] = hex[d.b[i] & 15];
    }
    text[64] = 0;
}
