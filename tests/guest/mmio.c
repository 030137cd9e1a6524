/* Device registers of the PL011 and the GIC through every load and store that reports a syndrome
 * (ESR_ELx.ISS of a data abort with ISV = 1): sizes, signed forms, addressing modes, acquire and
 * release, unprivileged, to and from the zero register; and an address where nothing is. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

enum {
    UARTFR = 0x18,
    UARTIBRD = 0x24,
    UARTFBRD = 0x28,
    UARTIMSC = 0x38,
    PERIPH_ID0 = 0xfe0,
    CELL_ID0 = 0xff0,
    CELL_ID1 = 0xff4,
    CELL_ID3 = 0xffc
};
enum { IPRIORITYR = 0x400, IROUTER = 0x6000 };

/* The PL011 again, for EL0. */
#define UART_EL0 0x80000000ull

static struct tables tables;

/* Loads: x0 = base, x2 = index; the result is x1. */
#define LOADS(X)                                                                                   \
    X(ldrb, "ldrb w1, [x0]")                                                                       \
    X(ldrh, "ldrh w1, [x0]")                                                                       \
    X(ldr_w, "ldr w1, [x0]")                                                                       \
    X(ldrsb_w, "ldrsb w1, [x0]")                                                                   \
    X(ldrsb_x, "ldrsb x1, [x0]")                                                                   \
    X(ldrsh_w, "ldrsh w1, [x0]")                                                                   \
    X(ldrsh_x, "ldrsh x1, [x0]")                                                                   \
    X(ldrsw, "ldrsw x1, [x0]")                                                                     \
    X(ldr_imm, "ldr w1, [x0, #0x18]")                                                              \
    X(ldur_w, "ldur w1, [x0, #-4]")                                                                \
    X(ldurb, "ldurb w1, [x0, #-4]")                                                                \
    X(ldursb, "ldursb x1, [x0, #-4]")                                                              \
    X(ldursw, "ldursw x1, [x0, #-8]")                                                              \
    X(ldr_lsl, "ldr w1, [x0, x2, lsl #2]")                                                         \
    X(ldr_reg, "ldr w1, [x0, x2]")                                                                 \
    X(ldr_uxtw, "ldr w1, [x0, w2, uxtw]")                                                          \
    X(ldr_uxtw2, "ldr w1, [x0, w2, uxtw #2]")                                                      \
    X(ldr_sxtw, "ldr w1, [x0, w2, sxtw]")                                                          \
    X(ldr_sxtw2, "ldr w1, [x0, w2, sxtw #2]")                                                      \
    X(ldr_sxtx, "ldr w1, [x0, x2, sxtx #2]")                                                       \
    X(ldrb_sxtw, "ldrb w1, [x0, w2, sxtw]")                                                        \
    X(ldrsb_reg, "ldrsb x1, [x0, x2]")                                                             \
    X(ldar_w, "ldar w1, [x0]")                                                                     \
    X(ldarb, "ldarb w1, [x0]")                                                                     \
    X(ldarh, "ldarh w1, [x0]")                                                                     \
    X(ldtr_w, "ldtr w1, [x0]")                                                                     \
    X(ldtrb, "ldtrb w1, [x0]")                                                                     \
    X(ldtrsb, "ldtrsb x1, [x0]")                                                                   \
    X(ldtrsw, "ldtrsw x1, [x0]")                                                                   \
    X(ldr_base, "ldr w0, [x0]\nmov x1, x0")                                                        \
    X(ldr_zero, "ldr wzr, [x0]")                                                                   \
    X(ldrsb_zero, "ldrsb xzr, [x0]")
#define DEFINE(name, text) TRAP_CODE(name, text);
LOADS(DEFINE)
TRAP_CODE(ldr_x, "ldr x1, [x0]");
TRAP_CODE(ldr_x_zero, "ldr xzr, [x0]");
TRAP_CODE(ldar_x, "ldar x1, [x0]");
TRAP_CODE(ldtr_x, "ldtr x1, [x0]");
TRAP_CODE(prfm, "prfm pldl1keep, [x0]");

enum { KEPT = 0x7777 }; /* x1 before a load to the zero register */

static void check_load(const char *what, const uint32_t *code, uint64_t base, uint64_t index,
                       uint64_t expected)
{
    struct trap t = trap_el1(code, base, 0x7777777777770000 | KEPT, index);
    check_context(what, base);
    CHECK_NO_TRAP("load", t);
    CHECK_EQ("value", t.x[1], expected);
    check_context(NULL, 0);
}
#define LOAD(name, base, index, expected) check_load(#name, name, base, index, expected)

static void loads(void)
{
    uint64_t id3 = PL011 + CELL_ID3, id1 = PL011 + CELL_ID1; /* 0xb1 and 0xf0 */
    LOAD(ldrb, id3, 0, 0xb1);
    LOAD(ldrh, id3, 0, 0xb1);
    LOAD(ldr_w, id3, 0, 0xb1);
    LOAD(ldrsb_w, id3, 0, 0xffffffb1);
    LOAD(ldrsb_x, id3, 0, 0xffffffffffffffb1);
    LOAD(ldrsh_w, id3, 0, 0xb1);
    LOAD(ldrsh_x, id3, 0, 0xb1);
    LOAD(ldrsw, id3, 0, 0xb1);
    LOAD(ldur_w, id3 + 4, 0, 0xb1);
    LOAD(ldurb, id3 + 4, 0, 0xb1);
    LOAD(ldursb, id3 + 4, 0, 0xffffffffffffffb1);
    LOAD(ldursw, id3 + 8, 0, 0xb1);
    LOAD(ldr_lsl, PL011, CELL_ID3 / 4, 0xb1);
    LOAD(ldr_reg, PL011, CELL_ID3, 0xb1);
    /* The upper half of the index is not looked at. */
    LOAD(ldr_uxtw, PL011, 0x5555555500000000 | CELL_ID3, 0xb1);
    LOAD(ldr_uxtw2, PL011, 0x5555555500000000 | CELL_ID3 / 4, 0xb1);
    LOAD(ldr_sxtw, PL011 + 0x1000, 0x1fffffffc, 0xb1);
    LOAD(ldr_sxtw2, PL011 + 0x1000, 0x1ffffffff, 0xb1);
    LOAD(ldr_sxtx, PL011 + 0x1000, -1ull, 0xb1);
    LOAD(ldrb_sxtw, PL011 + 0x1000, 0xfffffffc, 0xb1);
    LOAD(ldrsb_reg, PL011, CELL_ID1, 0xfffffffffffffff0);
    LOAD(ldar_w, id1, 0, 0xf0);
    LOAD(ldarb, id1, 0, 0xf0);
    LOAD(ldarh, id1, 0, 0xf0);
    LOAD(ldr_base, id1, 0, 0xf0);
    uint64_t user = UART_EL0 + CELL_ID1;
    LOAD(ldtr_w, user, 0, 0xf0);
    LOAD(ldtrb, user, 0, 0xf0);
    LOAD(ldtrsb, user, 0, 0xfffffffffffffff0);
    LOAD(ldtrsw, user, 0, 0xf0);
    LOAD(ldr_zero, id1, 0, 0x7777777777770000 | KEPT);
    LOAD(ldrsb_zero, id1, 0, 0x7777777777770000 | KEPT);
    LOAD(ldr_x_zero, id1 - 4, 0, 0x7777777777770000 | KEPT);
    write32(PL011 + UARTIBRD, 0x1234);
    LOAD(ldr_w, PL011 + UARTIBRD, 0, 0x1234);
    struct trap t = trap_el1(ldr_imm, PL011, 0, 0);
    CHECK_EQ("UARTFR: transmitter empty, receiver empty", t.x[1] & 0x98, 0x90);
    t = trap_el1(prfm, PL011, 0, 0);
    CHECK_NO_TRAP("PRFM", t);
    t = trap_el1(prfm, NOTHING, 0, 0);
    CHECK_NO_TRAP("PRFM of nothing", t);
}

/* Byte-accessible and 64-bit registers are the GIC's. */
static void gic_widths(void)
{
    uint64_t p = GICD + IPRIORITYR + 60;
    write32(p, 0xf0803010);
    LOAD(ldr_w, p, 0, 0xf0803010);
    LOAD(ldrsw, p, 0, 0xfffffffff0803010);
    LOAD(ldtrsw, p + UART_EL0 - PL011, 0, 0xfffffffff0803010);
    LOAD(ldrb, p + 1, 0, 0x30);
    LOAD(ldrsb_x, p + 3, 0, 0xfffffffffffffff0);
    LOAD(ldrsb_w, p + 2, 0, 0xffffff80);
    write32(p, 0);
    uint64_t r = GICD + IROUTER + 8 * 60;
    write64(r, 0x80000000); /* IRM: any CPU */
    LOAD(ldr_x, r, 0, 0x80000000);
    LOAD(ldar_x, r, 0, 0x80000000);
    LOAD(ldr_w, r, 0, 0x80000000);
    LOAD(ldtr_x, r + UART_EL0 - PL011, 0, 0x80000000);
    write64(r, 0);
}

/* Stores: x0 = base, x1 = value, x2 = index. */
#define STORES(X)                                                                                  \
    X(str_w, "str w1, [x0]")                                                                       \
    X(strh, "strh w1, [x0]")                                                                       \
    X(strb, "strb w1, [x0]")                                                                       \
    X(str_x, "str x1, [x0]")                                                                       \
    X(stur_w, "stur w1, [x0, #-4]")                                                                \
    X(str_imm, "str w1, [x0, #0x24]")                                                              \
    X(str_lsl, "str w1, [x0, x2, lsl #2]")                                                         \
    X(str_reg, "str w1, [x0, x2]")                                                                 \
    X(str_uxtw, "str w1, [x0, w2, uxtw #2]")                                                       \
    X(str_sxtw, "str w1, [x0, w2, sxtw]")                                                          \
    X(strh_sxtx, "strh w1, [x0, x2, sxtx #1]")                                                     \
    X(stlr_w, "stlr w1, [x0]")                                                                     \
    X(stlrh, "stlrh w1, [x0]")                                                                     \
    X(stlrb, "stlrb w1, [x0]")                                                                     \
    X(sttr_w, "sttr w1, [x0]")                                                                     \
    X(sttrb, "sttrb w1, [x0]")                                                                     \
    X(str_zero, "str wzr, [x0]")                                                                   \
    X(strh_zero, "strh wzr, [x0]")                                                                 \
    X(stlr_zero, "stlr wzr, [x0]")
STORES(DEFINE)
EL0_CODE(str_el0, "str w1, [x0]\nldr w1, [x0]");

static void check_store(const char *what, const uint32_t *code, uint64_t base, uint64_t index,
                        uint64_t value, uint64_t expected)
{
    write32(PL011 + UARTIBRD, 0x5a5a);
    struct trap t = trap_el1(code, base, value, index);
    check_context(what, base);
    CHECK_NO_TRAP("store", t);
    CHECK_EQ("register", read32(PL011 + UARTIBRD), expected);
    CHECK_EQ("base register", t.x[0], base);
    check_context(NULL, 0);
}
#define STORE(name, base, index, value, expected)                                                  \
    check_store(#name, name, base, index, value, expected)

static void stores(void)
{
    uint64_t ibrd = PL011 + UARTIBRD; /* 16 bits, read and write */
    STORE(str_w, ibrd, 0, 0x1234, 0x1234);
    STORE(strh, ibrd, 0, 0x12345678, 0x5678);
    STORE(stur_w, ibrd + 4, 0, 0x2345, 0x2345);
    STORE(str_imm, PL011, 0, 0x3456, 0x3456);
    STORE(str_lsl, PL011, UARTIBRD / 4, 0x4567, 0x4567);
    STORE(str_reg, PL011, UARTIBRD, 0x5678, 0x5678);
    STORE(str_uxtw, PL011, 0x100000000 | UARTIBRD / 4, 0x6789, 0x6789);
    STORE(str_sxtw, PL011 + 0x30, 0xfffffff4, 0x789a, 0x789a);
    STORE(strh_sxtx, PL011 + 0x30, -6ull, 0x89ab, 0x89ab);
    STORE(stlr_w, ibrd, 0, 0x9abc, 0x9abc);
    STORE(stlrh, ibrd, 0, 0xabcd, 0xabcd);
    STORE(sttr_w, UART_EL0 + UARTIBRD, 0, 0xbcde, 0xbcde);
    STORE(str_zero, ibrd, 0, 0x1111, 0);
    STORE(strh_zero, ibrd, 0, 0x1111, 0);
    STORE(stlr_zero, ibrd, 0, 0x1111, 0);
    struct trap t = trap_el0(str_el0, UART_EL0 + UARTIBRD, 0x4321, 0);
    CHECK_NO_TRAP("store from EL0", t);
    CHECK_EQ("register", read32(ibrd), 0x4321);

    uint64_t p = GICD + IPRIORITYR + 60;
    write32(p, 0);
    t = trap_el1(strb, p + 2, 0x12345680, 0);
    CHECK_EQ("STRB", read32(p), 0x00800000);
    t = trap_el1(stlrb, p + 3, 0x40, 0);
    CHECK_EQ("STLRB", read32(p), 0x40800000);
    t = trap_el1(sttrb, p + UART_EL0 - PL011, 0xf0, 0);
    CHECK_EQ("STTRB", read32(p), 0x408000f0);
    write32(p, 0);
    uint64_t r = GICD + IROUTER + 8 * 60;
    t = trap_el1(str_x, r, 0x80000000, 0);
    CHECK_EQ("STR Xt", read64(r), 0x80000000);
    write64(r, 0);
}

/* Nothing there ---------------------------------------------------------------------------------*/

static void check_abort(const struct trap *t, bool write, uint64_t address, const uint32_t *code)
{
    CHECK_EQ("exception taken", t->taken, 1);
    /* ESR_ELx.EA, bit 9, is the implementation's. */
    CHECK_EQ("ESR", t->esr & ~(1ull << 9),
             ESR(EC_DABORT_EL1, (write ? ESR_WNR : 0) | FSC_EXTERNAL));
    CHECK_EQ("FAR", t->far, address);
    CHECK_EQ("ELR", t->elr, (uint64_t)code);
}

static void nothing_aborts(void)
{
    print("an access to nothing aborts\n");
    static const uint32_t *const reads[] = {ldrb, ldrh, ldr_w, ldr_x, ldrsb_x, ldar_w};
    static const uint32_t *const writes[] = {strb, strh, str_w, str_x, stlr_w, str_zero};
    for (unsigned i = 0; i < 6; i++) {
        struct trap t = trap_el1(reads[i], NOTHING + 8 * i, 0, 0);
        check_context("read", i);
        check_abort(&t, false, NOTHING + 8 * i, reads[i]);
        t = trap_el1(writes[i], NOTHING + 8 * i, 0, 0);
        check_context("write", i);
        check_abort(&t, true, NOTHING + 8 * i, writes[i]);
    }
    check_context(NULL, 0);
}

static void nothing_reads_ones(void)
{
    print("an access to nothing is ignored\n");
    LOAD(ldrb, NOTHING, 0, 0xff);
    LOAD(ldrh, NOTHING, 0, 0xffff);
    LOAD(ldr_w, NOTHING, 0, 0xffffffff);
    LOAD(ldr_x, NOTHING, 0, ~0ull);
    LOAD(ldrsb_w, NOTHING, 0, 0xffffffff);
    LOAD(ldrsb_x, NOTHING, 0, ~0ull);
    LOAD(ldrsw, NOTHING, 0, ~0ull);
    LOAD(ldar_w, NOTHING, 0, 0xffffffff);
    LOAD(ldr_zero, NOTHING, 0, 0x7777777777770000 | KEPT);
    static const uint32_t *const writes[] = {strb, strh, str_w, str_x, stlr_w, str_zero};
    for (unsigned i = 0; i < 6; i++) {
        struct trap t = trap_el1(writes[i], NOTHING, 0x55, 0);
        CHECK_NO_TRAP("write to nothing", t);
        LOAD(ldr_x, NOTHING, 0, ~0ull);
    }
}

int main(void)
{
    mmu_start(&tables);
    /* Where LDTR and EL0 may go: the same offset from PL011 for the GIC. */
    tables_map(&tables, UART_EL0, PL011, 0x1000, PTE_DEVICE | PTE_EL0, 3);
    tables_map(&tables, GICD + UART_EL0 - PL011, GICD, 0x10000, PTE_DEVICE | PTE_EL0, 3);
    tlb_flush();
    gic_start_distributor();
    loads();
    gic_widths();
    stores();
    struct trap t = trap_el1(ldr_w, NOTHING, 0, 0);
    (t.taken ? nothing_aborts : nothing_reads_ones)();
    finish();
}
