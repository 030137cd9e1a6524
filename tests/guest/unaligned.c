/* Unaligned and page-crossing loads and stores of every size, singles, pairs and SIMD; and crossing
 * into a page that is not there: FAR is the lowest address that faults, the base register stays,
 * so that the instruction can be repeated. Arm ARM B2.8.2, D1.3.4, FAR_EL1. */
#include "mmu.h"
#include "trap.h"

/* Three pages in a row of which the third is unmapped, behind an unmapped one; the two are apart
 * and in the other order in physical memory. */
#define FIRST     0x80001000ull
#define SECOND    0x80002000ull
#define THIRD     0x80003000ull
#define FIRST_PA  (SCRATCH + 0x5000)
#define SECOND_PA (SCRATCH + 0x2000)

static struct tables tables;

/* An instruction form: `count` registers of `chunk` bytes each. Loads leave them in x1 and up,
 * stores take them from there; 16-byte registers are two chunks of 8. */
struct form {
    const char *name;
    const uint32_t *code;
    unsigned chunk, count;
    unsigned is_store, sign_bits; /* sign_bits: what a signed load extends to, or 0 */
    int offset;                   /* first byte accessed, from x0 */
};

#define FP_ON  ".arch_extension fp\n.arch_extension simd\n"
#define V0_OUT "\nmov x1, v0.d[0]\nmov x2, v0.d[1]\n"
#define V1_OUT "mov x3, v1.d[0]\nmov x4, v1.d[1]\n"
#define V0_IN  "mov v0.d[0], x1\nmov v0.d[1], x2\n"
#define V1_IN  "mov v1.d[0], x3\nmov v1.d[1], x4\n"

/* name, instructions, chunk, count, store, sign bits, offset */
#define FORMS(X)                                                                                   \
    X(ldrb, "ldrb w1, [x0]", 1, 1, 0, 0, 0)                                                        \
    X(ldrh, "ldrh w1, [x0]", 2, 1, 0, 0, 0)                                                        \
    X(ldr_w, "ldr w1, [x0]", 4, 1, 0, 0, 0)                                                        \
    X(ldr_x, "ldr x1, [x0]", 8, 1, 0, 0, 0)                                                        \
    X(ldrsb_w, "ldrsb w1, [x0]", 1, 1, 0, 32, 0)                                                   \
    X(ldrsh_x, "ldrsh x1, [x0]", 2, 1, 0, 64, 0)                                                   \
    X(ldrsh_w, "ldrsh w1, [x0]", 2, 1, 0, 32, 0)                                                   \
    X(ldrsw, "ldrsw x1, [x0]", 4, 1, 0, 64, 0)                                                     \
    X(ldur_x, "ldur x1, [x0, #-13]", 8, 1, 0, 0, -13)                                              \
    X(ldtr_w, "ldtr w1, [x0, #5]", 4, 1, 0, 0, 5)                                                  \
    X(ldr_offset, "ldr x1, [x0, #64]", 8, 1, 0, 0, 64)                                             \
    X(ldr_post, "ldr x1, [x0], #8", 8, 1, 0, 0, 0)                                                 \
    X(ldr_pre, "ldr x1, [x0, #-8]!", 8, 1, 0, 0, -8)                                               \
    X(ldp_w, "ldp w1, w2, [x0]", 4, 2, 0, 0, 0)                                                    \
    X(ldp_x, "ldp x1, x2, [x0]", 8, 2, 0, 0, 0)                                                    \
    X(ldpsw, "ldpsw x1, x2, [x0]", 4, 2, 0, 64, 0)                                                 \
    X(ldp_post, "ldp x1, x2, [x0], #16", 8, 2, 0, 0, 0)                                            \
    X(ldp_pre, "ldp x1, x2, [x0, #-16]!", 8, 2, 0, 0, -16)                                         \
    X(ldnp, "ldnp x1, x2, [x0]", 8, 2, 0, 0, 0)                                                    \
    X(ldr_h, FP_ON "ldr h0, [x0]" V0_OUT, 2, 1, 0, 0, 0)                                           \
    X(ldr_s, FP_ON "ldr s0, [x0]" V0_OUT, 4, 1, 0, 0, 0)                                           \
    X(ldr_d, FP_ON "ldr d0, [x0]" V0_OUT, 8, 1, 0, 0, 0)                                           \
    X(ldr_q, FP_ON "ldr q0, [x0]" V0_OUT, 8, 2, 0, 0, 0)                                           \
    X(ldur_q, FP_ON "ldur q0, [x0, #-3]" V0_OUT, 8, 2, 0, 0, -3)                                   \
    X(ldp_q, FP_ON "ldp q0, q1, [x0]" V0_OUT V1_OUT, 8, 4, 0, 0, 0)                                \
    X(ldp_q_post, FP_ON "ldp q0, q1, [x0], #32" V0_OUT V1_OUT, 8, 4, 0, 0, 0)                      \
    X(ld1, FP_ON "ld1 {v0.16b}, [x0]" V0_OUT, 8, 2, 0, 0, 0)                                       \
    X(ld1_two, FP_ON "ld1 {v0.2d, v1.2d}, [x0], #32" V0_OUT V1_OUT, 8, 4, 0, 0, 0)                 \
    X(strb, "strb w1, [x0]", 1, 1, 1, 0, 0)                                                        \
    X(strh, "strh w1, [x0]", 2, 1, 1, 0, 0)                                                        \
    X(str_w, "str w1, [x0]", 4, 1, 1, 0, 0)                                                        \
    X(str_x, "str x1, [x0]", 8, 1, 1, 0, 0)                                                        \
    X(stur_x, "stur x1, [x0, #-13]", 8, 1, 1, 0, -13)                                              \
    X(sttr_x, "sttr x1, [x0, #3]", 8, 1, 1, 0, 3)                                                  \
    X(str_post, "str x1, [x0], #8", 8, 1, 1, 0, 0)                                                 \
    X(str_pre, "str w1, [x0, #-4]!", 4, 1, 1, 0, -4)                                               \
    X(stp_w, "stp w1, w2, [x0]", 4, 2, 1, 0, 0)                                                    \
    X(stp_x, "stp x1, x2, [x0]", 8, 2, 1, 0, 0)                                                    \
    X(stp_pre, "stp x1, x2, [x0, #-16]!", 8, 2, 1, 0, -16)                                         \
    X(stp_post, "stp x1, x2, [x0], #16", 8, 2, 1, 0, 0)                                            \
    X(str_h, FP_ON V0_IN "str h0, [x0]", 2, 1, 1, 0, 0)                                            \
    X(str_s, FP_ON V0_IN "str s0, [x0]", 4, 1, 1, 0, 0)                                            \
    X(str_q, FP_ON V0_IN "str q0, [x0]", 8, 2, 1, 0, 0)                                            \
    X(stp_q, FP_ON V0_IN V1_IN "stp q0, q1, [x0]", 8, 4, 1, 0, 0)                                  \
    X(stp_q_pre, FP_ON V0_IN V1_IN "stp q0, q1, [x0, #-32]!", 8, 4, 1, 0, -32)                     \
    X(st1, FP_ON V0_IN "st1 {v0.16b}, [x0], #16", 8, 2, 1, 0, 0)                                   \
    X(st1_two, FP_ON V0_IN V1_IN "st1 {v0.2d, v1.2d}, [x0], #32", 8, 4, 1, 0, 0)

#define DEFINE(name, text, chunk, count, store, sign, offset) TRAP_CODE(name, text);
FORMS(DEFINE)
#define ENTRY(name, text, chunk, count, store, sign, offset)                                       \
    {#name, name, chunk, count, store, sign, offset},
static const struct form forms[] = {FORMS(ENTRY)};
enum { FORM_COUNT = sizeof forms / sizeof *forms };

static uint8_t pattern(uint64_t va)
{
    return (uint8_t)(va * 167 + (va >> 12) * 29 + 0x83);
}

static void fill(void)
{
    for (unsigned i = 0; i < 0x1000; i++) {
        ((volatile uint8_t *)FIRST_PA)[i] = pattern(FIRST + i);
        ((volatile uint8_t *)SECOND_PA)[i] = pattern(SECOND + i);
    }
}

/* Memory as the CPU's other mapping shows it. */
static uint8_t memory_byte(uint64_t va)
{
    uint64_t pa = va < SECOND ? FIRST_PA + (va - FIRST) : SECOND_PA + (va - SECOND);
    return *(volatile uint8_t *)pa;
}

static uint64_t chunk_of_pattern(uint64_t va, const struct form *f)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < f->chunk; i++)
        value |= (uint64_t)pattern(va + i) << 8 * i;
    unsigned unused_bits = 64 - 8 * f->chunk;
    if (f->sign_bits)
        value = (uint64_t)((int64_t)(value << unused_bits) >> unused_bits);
    return f->sign_bits == 32 ? (uint32_t)value : value;
}

static struct trap run(const struct form *f, uint64_t va)
{
    struct trap t = {.x = {va - (uint64_t)f->offset, 0x1122334455667788, 0x99aabbccddeeff00,
                           0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0}};
    trap_call(&t, f->code);
    return t;
}

static void check_load(const struct form *f, uint64_t va)
{
    struct trap t = run(f, va);
    CHECK_EQ("exception", t.esr, 0);
    for (unsigned i = 0; i < f->count; i++)
        CHECK_EQ("loaded", t.x[1 + i], chunk_of_pattern(va + i * f->chunk, f));
}

static void check_store(const struct form *f, uint64_t va)
{
    struct trap t = run(f, va);
    CHECK_EQ("exception", t.esr, 0);
    uint64_t wrong = 0, size = f->chunk * f->count;
    for (uint64_t a = va - 16; a < va + size + 16; a++) {
        uint64_t i = a - va;
        uint8_t expected = pattern(a);
        if (i < size)
            expected = (uint8_t)(t.x[1 + i / f->chunk] >> 8 * (i % f->chunk));
        wrong += memory_byte(a) != expected;
        /* Back to the pattern. */
        uint64_t pa = a < SECOND ? FIRST_PA + (a - FIRST) : SECOND_PA + (a - SECOND);
        *(volatile uint8_t *)pa = pattern(a);
    }
    CHECK_EQ("wrong bytes in memory", wrong, 0);
}

static void crossings(const struct form *f)
{
    for (uint64_t va = SECOND - 40; va < SECOND + 9; va++)
        (f->is_store ? check_store : check_load)(f, va);
}

/* Which instruction of the form accesses memory: after V0_IN and V1_IN there are moves. */
static uint64_t access_pc(const struct form *f)
{
    const uint32_t *at = f->code;
    while ((*at & 0xffe0fc00) == 0x4e001c00) /* INS (general) */
        at++;
    return (uint64_t)at;
}

static void check_fault(const struct form *f, uint64_t va, uint64_t far)
{
    struct trap t = run(f, va);
    unsigned iss = (f->is_store ? ESR_WNR : 0) | (FSC_TRANSLATION + 3);
    CHECK_TRAP("crossing", t, ESR(EC_DABORT_EL1, iss), 0x200, access_pc(f));
    CHECK_EQ("FAR", t.far, far);
    CHECK_EQ("base register", t.x[0], va - (uint64_t)f->offset);
}

static void into_nothing(const struct form *f)
{
    unsigned size = f->chunk * f->count;
    for (unsigned over = 1; over < size; over++) {
        uint64_t va = THIRD - size + over;
        check_fault(f, va, THIRD);
        /* Bytes before the access are untouched; those of the first page may be written. */
        for (unsigned i = 1; i <= 8; i++)
            CHECK_EQ("byte before", memory_byte(va - i), pattern(va - i));
        for (uint64_t a = va; f->is_store && a < THIRD; a++)
            *(volatile uint8_t *)(SECOND_PA + (a - SECOND)) = pattern(a);
        /* From an unmapped page into a mapped one. */
        check_fault(f, FIRST - over, FIRST - over);
    }
    check_fault(f, THIRD, THIRD);
    for (unsigned i = 0; i < 32; i++)
        CHECK_EQ("mapped bytes stay", memory_byte(FIRST + i), pattern(FIRST + i));
}

/* The base register is also loaded. */
TRAP_CODE(ldp_base_first, "ldp x0, x1, [x0]");
TRAP_CODE(ldp_base_second, "ldp x1, x0, [x0]");
TRAP_CODE(ldr_base, "ldr x0, [x0]");

static void base_loaded(const uint32_t *code, uint64_t va)
{
    struct trap t = trap_el1(code, va, 0x1234, 0);
    CHECK_TRAP("load of the base", t, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 3), 0x200,
               (uint64_t)code);
    CHECK_EQ("base register", t.x[0], va);
}

int main(void)
{
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    /* EL0 may as well, so that LDTR and STTR work. */
    uint64_t attributes = PTE_MEMORY | PTE_PXN | PTE_UXN | PTE_EL0;
    tables_map(&tables, FIRST, FIRST_PA, 0x1000, attributes, 3);
    tables_map(&tables, SECOND, SECOND_PA, 0x1000, attributes, 3);
    tlb_flush();
    fill();
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        check_context(forms[i].name, i);
        crossings(&forms[i]);
        into_nothing(&forms[i]);
    }
    check_context(NULL, 0);
    base_loaded(ldp_base_first, THIRD - 8);
    base_loaded(ldp_base_second, THIRD - 8);
    base_loaded(ldp_base_second, THIRD - 4);
    base_loaded(ldr_base, THIRD - 1);
    finish();
}
