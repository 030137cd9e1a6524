/* Address kinds. Each is a struct type, so that mixing them is a compile error; they compile to
 * the same instructions as plain integers. Only a page walk, or a helper whose name says why it
 * holds, converts one kind into another.
 *
 *   gva_t   what the guest's code uses            (virtual)
 *   gpa_t   what the guest believes is physical   (Arm: intermediate physical address, IPA)
 *   hpa_t   physical address on the modelled board
 *   iova_t  what a DMA master emits
 */
#ifndef EMU_ADDR_H
#define EMU_ADDR_H

#include <stdint.h>

_Static_assert(sizeof(void *) == 8 && SIZE_MAX == UINT64_MAX,
               "this program is for 64-bit hosts only: sizes and places in guests' memory are host "
               "sizes, and a board has up to 2^48 bytes");

typedef struct {
    uint64_t v;
} gva_t;

typedef struct {
    uint64_t v;
} gpa_t;

typedef struct {
    uint64_t v;
} hpa_t;

typedef struct {
    uint64_t v;
} iova_t;

static inline gva_t gva(uint64_t v)
{
    return (gva_t){v};
}

static inline gpa_t gpa(uint64_t v)
{
    return (gpa_t){v};
}

static inline hpa_t hpa(uint64_t v)
{
    return (hpa_t){v};
}

/* With stage 1 off a virtual address is the guest-physical one (Arm ARM D8.2.10, "flat map"). */
static inline gpa_t gpa_if_stage1_off(gva_t a)
{
    return (gpa_t){a.v};
}

#define PAGE_BITS 12
#define PAGE_SIZE ((uint64_t)1 << PAGE_BITS)
#define PAGE_MASK (PAGE_SIZE - 1)

/* Does [off, off + size) lie inside [0, total)? Never overflows. */
static inline _Bool range_inside(uint64_t off, uint64_t size, uint64_t total)
{
    return off <= total && size <= total - off;
}

/* Have [a, a+a_size) and [b, b+b_size) anything in common? Either may end at 2^64. */
static inline _Bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a_size && b_size && (b - a < a_size || a - b < b_size);
}

#endif
