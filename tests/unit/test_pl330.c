/* The DMA controller PL330: registers, each instruction, how programs share time and the MFIFO,
 * events and interrupts, and every fault. */
#include "emu/bytes.h"
#include "test_vdev_fixture.h"

enum {
    DSR = 0x000,
    DPC = 0x004,
    INTEN = 0x020,
    INT_EVENT_RIS = 0x024,
    INTMIS = 0x028,
    INTCLR = 0x02c,
    FSRD = 0x030,
    FSRC = 0x034,
    FTRD = 0x038,
    FTR0 = 0x040,
    CSR0 = 0x100,
    CPC0 = 0x104,
    SAR0 = 0x400,
    DAR0 = 0x404,
    CCR0 = 0x408,
    LC0_0 = 0x40c,
    LC1_0 = 0x410,
    DBGSTATUS = 0xd00,
    DBGCMD = 0xd04,
    DBGINST0 = 0xd08,
    DBGINST1 = 0xd0c,
    CR0 = 0xe00,
    CRD = 0xe14,
};
enum { STOPPED, EXECUTING, WFE = 4, WFP = 7, FAULTING = 15, CNS = 1 << 21, DNS = 1 << 9 };
enum {
    UNDEF_INSTR = 1 << 0,
    OPERAND_INVALID = 1 << 1,
    DMAGO_ERR = 1 << 4,
    CH_RDWR_ERR = 1 << 7,
    MFIFO_ERR = 1 << 12,
    ST_DATA_UNAVAILABLE = 1 << 13,
    INSTR_FETCH_ERR = 1 << 16,
    DATA_WRITE_ERR = 1 << 17,
    DATA_READ_ERR = 1 << 18,
    DBG_INSTR = 1 << 30,
};
#define LOCKUP_ERR 0x80000000u

/* Both sides: so many beats of so many bytes, incrementing, non-secure. */
#define CCR_NS 0x00800200u
#define CCR(beats, log2)                                                                           \
    (CCR_NS | 1u | (log2) << 1 | ((beats)-1u) << 4 | 1u << 14 | (log2) << 15 | ((beats)-1u) << 18)

/* Instructions, as bytes. */
#define END      0x00
#define KILL     0x01
#define LD       0x04
#define LDS      0x05
#define LDB      0x07
#define ST       0x08
#define STZ      0x0c
#define RMB      0x12
#define WMB      0x13
#define NOP      0x18
#define LP(c, n) 0x20 | (c) << 1, (n)-1
#define WORD(w)                                                                                    \
    (uint8_t)(w), (uint8_t)((w) >> 8), (uint8_t)((w) >> 16), (uint8_t)((uint32_t)(w) >> 24)
#define LPEND(c, back)  0x38 | (c) << 2, (back)
#define LPFEEND(back)   0x28, (back)
#define LDPS(n)         0x25, (n) << 3
#define LDPB(n)         0x27, (n) << 3
#define STPB(n)         0x2b, (n) << 3
#define SEV(n)          0x34, (n) << 3
#define FLUSHP(n)       0x35, (n) << 3
#define WAIT_EVENT(n)   0x36, (n) << 3
#define WFP_SINGLE(n)   0x30, (n) << 3
#define WFP_PERIPH(n)   0x31, (n) << 3
#define WFP_BURST(n)    0x32, (n) << 3
#define ADDH(r, n)      0x54 | (r) << 1, (uint8_t)(n), (n) >> 8
#define ADNH(r, n)      0x5c | (r) << 1, (uint8_t)(n), (n) >> 8
#define MOV_SAR(w)      0xbc, 0, WORD(w)
#define MOV_CCR(w)      0xbc, 1, WORD(w)
#define MOV_DAR(w)      0xbc, 2, WORD(w)
#define GO(channel, at) 0xa2, (uint8_t)(channel), WORD(at)

static struct world w;

static void open_one(void)
{
    world_open(&w, "pl330", 1, NULL);
    for (unsigned i = 0; i < WORLD_RAM_SIZE; i++)
        *world_ram(&w, i) = (uint8_t)(i * 5 + (i >> 8));
}

static void put_program(uint64_t offset, const uint8_t *code, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *world_ram(&w, offset + i) = code[i];
}

/* By the debug registers; of the manager, or of a channel. */
static void debug(int channel, const uint8_t *code, size_t size)
{
    uint8_t i[6] = {0};
    memcpy(i, code, size);
    ck_assert_uint_eq(get(&w, DBGSTATUS), 0);
    put(&w, DBGINST0,
        (channel < 0 ? 0u : 1u | (unsigned)channel << 8) | (uint32_t)i[0] << 16 |
            (uint32_t)i[1] << 24);
    put(&w, DBGINST1, load_le32(i + 2));
    put(&w, DBGCMD, 0);
}

#define DEBUG(channel, ...)                                                                        \
    debug(channel, (const uint8_t[]){__VA_ARGS__}, sizeof(uint8_t[]){__VA_ARGS__})

/* Programs are at 0x6000 and up, a page for each channel but the last ones. */
static uint32_t place_of(unsigned channel)
{
    return 0x6000 + channel * 0x200;
}

static void start(unsigned channel, const uint8_t *code, size_t size)
{
    put_program(place_of(channel), code, size);
    DEBUG(-1, GO(channel, WORLD_RAM + place_of(channel)));
}

#define START(channel, ...)                                                                        \
    start(channel, (const uint8_t[]){__VA_ARGS__}, sizeof(uint8_t[]){__VA_ARGS__})
#define RUN(channel, ...)                                                                          \
    do {                                                                                           \
        START(channel, __VA_ARGS__);                                                               \
        world_advance(&w, 1000000);                                                                \
    } while (0)

static unsigned state_of(unsigned channel)
{
    return get(&w, CSR0 + 8 * channel) & 15;
}

static void assert_stopped(unsigned channel)
{
    ck_assert_uint_eq(state_of(channel), STOPPED);
    ck_assert_uint_eq(get(&w, FSRC), 0);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
}

/* It has, at that instruction, and a kill ends it. */
static void assert_faulted(unsigned channel, uint32_t fault, uint32_t offset)
{
    ck_assert_uint_eq(state_of(channel), FAULTING);
    ck_assert_uint_eq(get(&w, FTR0 + 4 * channel), fault);
    ck_assert_uint_eq(get(&w, FSRC), 1u << channel);
    ck_assert_uint_eq(get(&w, CPC0 + 8 * channel), WORLD_RAM + place_of(channel) + offset);
    ck_assert(w.irq_level);
    DEBUG((int)channel, KILL);
    ck_assert(!w.irq_level);
    assert_stopped(channel);
    ck_assert_uint_eq(get(&w, FTR0 + 4 * channel), 0);
}

static void assert_copied(uint64_t from, uint64_t to, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        ck_assert_uint_eq(*world_ram(&w, to + i), *world_ram(&w, from + i));
}

START_TEST(it_says_what_it_is)
{
    static struct tree_text t;
    static const uint8_t ids[] = {0x30, 0x13, 0x34, 0, 0x0d, 0xf0, 0x05, 0xb1};
    open_one();
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(&w, 0xfe0 + 4 * i), ids[i]);
    ck_assert_uint_eq(get(&w, CR0), 1 | 1 << 2 | 7 << 4 | 3 << 12 | 15 << 17);
    ck_assert_uint_eq(get(&w, CR0 + 12), 0xffff);
    ck_assert_uint_eq(get(&w, CR0 + 16), 0xf);
    ck_assert_uint_eq(get(&w, CRD), 3 | 7 << 4 | 15 << 8 | 7 << 12 | 15 << 16 | 63 << 20);
    ck_assert_uint_eq(get(&w, DSR), DNS);
    ck_assert_uint_eq(get(&w, CCR0 + 0xe0), CCR_NS);
    tree_of(w.v, &t);
    ck_assert_str_eq(t.text, "dma-controller@1c090000 {\n"
                             "compatible = arm,pl330, arm,primecell\nreg = <0 1c090000 0 1000>\n"
                             "interrupt-parent = <1>\ninterrupts = <0 5 4>\nclocks = <2>\n"
                             "clock-names = apb_pclk\n#dma-cells = <1>\ndma-coherent\n}\n");
    ck_assert_int_eq(try_access(&w, 0, DSR, 2, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, DSR + 2, 4, false), BUS_NOBODY);
    world_close(&w);
}
END_TEST

START_TEST(a_program_copies)
{
    open_one();
    put(&w, INTEN, 1 << 3);
    START(0, MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), MOV_CCR(CCR(8, 3)), LP(1, 4),
          LP(0, 8), LD, RMB, ST, WMB, LPEND(0, 4), LPEND(1, 8), SEV(3), END);
    ck_assert_uint_eq(get(&w, CSR0), EXECUTING | CNS);
    ck_assert(!w.irq_level);
    world_advance(&w, 1000000);
    assert_copied(0, 0x2000, 32 * 64);
    ck_assert_uint_eq(get(&w, SAR0), WORLD_RAM + 0x800);
    ck_assert_uint_eq(get(&w, DAR0), WORLD_RAM + 0x2800);
    ck_assert_uint_eq(get(&w, CCR0), CCR(8, 3));
    ck_assert(w.irq_level && get(&w, INTMIS) == 8 && get(&w, INT_EVENT_RIS) == 8);
    put(&w, INTCLR, 8);
    ck_assert(!w.irq_level && get(&w, INT_EVENT_RIS) == 0);
    assert_stopped(0);
    world_close(&w);
}
END_TEST

/* Appendix B: unaligned bursts end at a multiple of their beat. */
START_TEST(unaligned_bursts)
{
    open_one();
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_SAR(WORLD_RAM + 0x1000), MOV_DAR(WORLD_RAM + 0x3004), LP(0, 16),
        LD, ST, LPEND(0, 2), MOV_CCR(CCR_NS | 1u << 14 | 2u << 15), ST, END);
    assert_stopped(0);
    assert_copied(0x1000, 0x3004, 512);
    ck_assert_uint_eq(get(&w, DAR0), WORLD_RAM + 0x3204);
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_SAR(WORLD_RAM + 0x1004), MOV_DAR(WORLD_RAM + 0x3800), LD,
        LP(0, 15), LD, ST, LPEND(0, 2), MOV_CCR((CCR(4, 3) & ~0xf0u & ~0xeu) | 2u << 1), LD, ST,
        END);
    assert_stopped(0);
    assert_copied(0x1004, 0x3800, 512);
    world_close(&w);
}
END_TEST

START_TEST(addresses_may_stay_and_bytes_may_turn)
{
    open_one();
    RUN(0, MOV_CCR((CCR(4, 1)) & ~1u), MOV_SAR(WORLD_RAM + 0x10), MOV_DAR(WORLD_RAM + 0x2000), LD,
        ST, END);
    for (unsigned i = 0; i < 4; i++)
        assert_copied(0x10, 0x2000 + 2 * i, 2);
    ck_assert_uint_eq(get(&w, SAR0), WORLD_RAM + 0x10);
    RUN(0, MOV_CCR((CCR(4, 1)) & ~1u), MOV_SAR(WORLD_RAM + 0x11), MOV_DAR(WORLD_RAM + 0x2100), LD,
        MOV_CCR(CCR(4, 0)), ST, END); /* a byte a beat */
    for (unsigned i = 0; i < 4; i++)
        assert_copied(0x11, 0x2100 + i, 1);
    RUN(0, MOV_CCR(CCR(2, 2) | 2u << 28), MOV_SAR(WORLD_RAM + 0x10), MOV_DAR(WORLD_RAM + 0x2000),
        LD, ST, END);
    for (unsigned i = 0; i < 8; i++)
        assert_copied(0x10 + i, 0x2000 + (i ^ 3), 1);
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_DAR(WORLD_RAM + 0x2000), STZ, END);
    for (unsigned i = 0; i < 32; i++)
        ck_assert_uint_eq(*world_ram(&w, 0x2000 + i), 0);
    RUN(0, MOV_SAR(0x40000000), MOV_DAR(0x40010000), ADDH(0, 0x1234), ADNH(1, 0xfff0), END);
    ck_assert_uint_eq(get(&w, SAR0), 0x40001234);
    ck_assert_uint_eq(get(&w, DAR0), 0x4000fff0);
    world_close(&w);
}
END_TEST

START_TEST(requests_choose_instructions)
{
    open_one();
    /* Interface 0 asks for bursts: what is for single transfers is not done. */
    RUN(0, MOV_CCR(CCR(4, 2)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), FLUSHP(0),
        WFP_PERIPH(0), LDPS(0), LDPB(0), STPB(0), END);
    assert_copied(0, 0x2000, 16);
    ck_assert_uint_eq(get(&w, SAR0), WORLD_RAM + 16);
    /* Interface 1 asks for single ones, and each is the last: a loop without end ends. */
    RUN(0, MOV_CCR(CCR(4, 2)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), WFP_PERIPH(1), LDS,
        LDB, LPFEEND(2), END);
    assert_stopped(0);
    ck_assert_uint_eq(get(&w, SAR0), WORLD_RAM + 4);
    RUN(0, MOV_SAR(WORLD_RAM), WFP_SINGLE(0), LDS, WFP_BURST(1), LDB, LDS, END);
    ck_assert_uint_eq(get(&w, SAR0), WORLD_RAM + 20);
    RUN(0, WFP_BURST(2), END); /* one that never asks */
    ck_assert_uint_eq(get(&w, CSR0), WFP | 2 << 4 | CNS);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    DEBUG(0, KILL);
    assert_stopped(0);
    RUN(0, WFP_BURST(4), END);
    assert_faulted(0, OPERAND_INVALID, 0);
    RUN(0, LDPB(4), END);
    assert_faulted(0, OPERAND_INVALID, 0);
    world_close(&w);
}
END_TEST

START_TEST(events_join_channels)
{
    open_one();
    RUN(1, WAIT_EVENT(5), MOV_SAR(1), END);
    ck_assert_uint_eq(get(&w, CSR0 + 8), WFE | 5 << 4 | CNS);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    RUN(2, SEV(5), END);
    ck_assert_uint_eq(state_of(1), STOPPED);
    ck_assert_uint_eq(get(&w, SAR0 + 0x20), 1);
    ck_assert_uint_eq(get(&w, INT_EVENT_RIS), 0);
    RUN(1, WAIT_EVENT(6), END);
    DEBUG(-1, SEV(6)); /* by software */
    world_advance(&w, 5000);
    assert_stopped(1);
    DEBUG(-1, SEV(7));
    put(&w, INTCLR, 1 << 7); /* clears interrupts only */
    ck_assert_uint_eq(get(&w, INT_EVENT_RIS), 1 << 7);
    put(&w, INTEN, 1 << 6);
    RUN(1, WAIT_EVENT(6), END);
    DEBUG(-1, SEV(6)); /* is an interrupt now */
    world_advance(&w, 5000);
    ck_assert(state_of(1) == WFE && w.irq_level);
    put(&w, INTEN, 0);
    world_advance(&w, 5000);
    ck_assert(state_of(1) == STOPPED && !w.irq_level);
    RUN(1, WAIT_EVENT(16), END);
    assert_faulted(1, OPERAND_INVALID, 0);
    RUN(1, SEV(31), END);
    assert_faulted(1, OPERAND_INVALID, 0);
    world_close(&w);
}
END_TEST

/* Whoever hears of DMASEV finds that DMAEND is done, wherever the steps end. */
START_TEST(an_interrupt_is_behind_the_end)
{
    for (unsigned length = 1; length <= 258; length += length < 250 ? 7 : 1) {
        uint8_t code[300];
        open_one();
        put(&w, INTEN, 1);
        memset(code, NOP, sizeof code);
        code[length] = 0x34;
        code[length + 1] = 0;
        code[length + 2] = END;
        start(7, code, length + 3);
        for (unsigned i = 0; i < 100 && !w.irq_level; i++)
            world_advance(&w, 256);
        ck_assert(w.irq_level);
        ck_assert_uint_eq(state_of(7), STOPPED);
        world_close(&w);
    }
}
END_TEST

START_TEST(programs_without_end_share_the_time)
{
    open_one();
    START(0, LPFEEND(0));
    START(1, MOV_SAR(0), LP(0, 256), ADDH(0, 1), LPEND(0, 3), END);
    world_advance(&w, 1024 * 8);
    ck_assert_uint_eq(state_of(0), EXECUTING);
    ck_assert_uint_eq(state_of(1), STOPPED);
    ck_assert_uint_eq(get(&w, SAR0 + 0x20), 256);
    DEBUG(0, KILL);
    world_advance(&w, 2000);
    assert_stopped(0);
    world_close(&w);
}
END_TEST

START_TEST(what_does_not_exist_aborts)
{
    static const uint8_t undefined[] = {0x02, 0x06, 0x0a, 0x0f, 0x2a, 0x2f, 0x33,
                                        0x3a, 0x40, 0x80, 0xa0, 0xbd, 0xff};
    open_one();
    for (unsigned i = 0; i < sizeof undefined; i++) {
        RUN(3, NOP, undefined[i]);
        assert_faulted(3, UNDEF_INSTR, 1);
    }
    RUN(0, 0xbc, 3, WORD(0));
    assert_faulted(0, OPERAND_INVALID, 0);
    RUN(0, MOV_CCR(CCR(1, 4)));
    assert_faulted(0, OPERAND_INVALID, 0);
    RUN(0, MOV_CCR(CCR(1, 3) | 5u << 28));
    assert_faulted(0, OPERAND_INVALID, 0);
    RUN(0, MOV_CCR(CCR(1, 3) & ~0x200u)); /* secure */
    assert_faulted(0, CH_RDWR_ERR, 0);
    world_close(&w);
}
END_TEST

START_TEST(what_cannot_be_accessed_aborts)
{
    open_one();
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_SAR(0x1000), LD);
    assert_faulted(0, DATA_READ_ERR, 12);
    RUN(0, MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x8000), LD, ST);
    assert_faulted(0, DATA_WRITE_ERR, 13);
    RUN(0, MOV_DAR(WORLD_RAM + 0x7ff8), STZ);
    assert_faulted(0, DATA_WRITE_ERR, 6);
    RUN(0, MOV_SAR(0xfffffff8), LD); /* round the addresses that there are */
    assert_faulted(0, DATA_READ_ERR, 6);
    RUN(0, ST);
    assert_faulted(0, ST_DATA_UNAVAILABLE, 0);
    RUN(0, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), LD, LD, LD, LD, LD);
    assert_faulted(0, MFIFO_ERR, 16);
    DEBUG(-1, GO(2, 0x2000));
    world_advance(&w, 5000);
    ck_assert_uint_eq(get(&w, FTR0 + 8), INSTR_FETCH_ERR);
    DEBUG(2, KILL);
    *world_ram(&w, 0x7fff) = 0xbc; /* its other bytes are on a page that is not there */
    w.pages[8].is_mapped = false;
    DEBUG(-1, GO(2, WORLD_RAM + 0x7fff));
    world_advance(&w, 5000);
    ck_assert_uint_eq(get(&w, FTR0 + 8), INSTR_FETCH_ERR);
    world_close(&w);
}
END_TEST

/* Two channels with half of the MFIFO each want more. */
START_TEST(the_fifo_is_shared)
{
    open_one();
    START(0, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), LD, LD, LD, WAIT_EVENT(1), END);
    world_advance(&w, 5000);
    START(1, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), LD, LD, ST, ST,
          END);
    world_advance(&w, 10000);
    ck_assert_uint_eq(state_of(1), EXECUTING); /* it waits for room */
    DEBUG(-1, SEV(1));
    world_advance(&w, 10000);
    assert_stopped(1);
    assert_copied(0, 0x2000, 256);
    for (unsigned i = 0; i < 2; i++)
        START(i, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), LD, LD, LD, END);
    world_advance(&w, 10000);
    ck_assert_uint_eq(get(&w, FSRC), 3);
    ck_assert_uint_eq(get(&w, FTR0), LOCKUP_ERR);
    ck_assert_uint_eq(get(&w, FTR0 + 4), LOCKUP_ERR);
    world_close(&w);
}
END_TEST

START_TEST(the_manager)
{
    open_one();
    DEBUG(-1, 0xa0, 0, WORD(WORLD_RAM)); /* secure */
    ck_assert_uint_eq(get(&w, FTRD), DMAGO_ERR | DBG_INSTR);
    ck_assert(get(&w, DSR) == (FAULTING | DNS) && get(&w, FSRD) == 1 && w.irq_level);
    DEBUG(-1, GO(0, WORLD_RAM)); /* it does not hear that */
    ck_assert_uint_eq(state_of(0), STOPPED);
    DEBUG(-1, KILL);
    ck_assert(get(&w, DSR) == DNS && get(&w, FSRD) == 0 && !w.irq_level);
    DEBUG(-1, GO(8, WORLD_RAM));
    ck_assert_uint_eq(get(&w, FTRD), OPERAND_INVALID | DBG_INSTR);
    DEBUG(-1, KILL);
    DEBUG(-1, LD);
    ck_assert_uint_eq(get(&w, FTRD), UNDEF_INSTR | DBG_INSTR);
    DEBUG(-1, KILL);
    DEBUG(4, GO(1, WORLD_RAM));
    ck_assert_uint_eq(get(&w, FTR0 + 16), UNDEF_INSTR | DBG_INSTR);
    DEBUG(4, KILL);
    START(0, LPFEEND(0));
    DEBUG(-1, GO(0, 0x1234)); /* it runs already */
    ck_assert_uint_eq(get(&w, CPC0), WORLD_RAM + place_of(0));
    put(&w, DBGINST0, 1u | (uint32_t)KILL << 16);
    put(&w, DBGCMD, 1); /* reserved */
    ck_assert_uint_eq(state_of(0), EXECUTING);
    world_close(&w);
}
END_TEST

START_TEST(the_manager_boots)
{
    const char *const options[] = {"boot", "0x40006000", NULL};
    const char *const far[] = {"boot", "0x140006000", NULL};
    static const uint8_t manager[] = {NOP, GO(1, WORLD_RAM + 0x6200), WAIT_EVENT(2), LD};
    static const uint8_t channel[] = {SEV(2), END};
    struct error e = {0};
    ck_assert(!world_try(&w, "pl330", 1, far, &e));
    ck_assert_str_eq(e.text, "[test:1] vdev pl330: boot 0x140006000 is beyond 32 bits");
    free(w.v);
    world_open(&w, "pl330", 1, options);
    ck_assert_uint_eq(get(&w, CR0 + 8), 0x40006000);
    ck_assert_uint_eq(get(&w, CR0) & 2, 2);
    put_program(0x6000, manager, sizeof manager);
    put_program(0x6200, channel, sizeof channel);
    world_advance(&w, 5000);
    ck_assert_uint_eq(get(&w, FTRD), UNDEF_INSTR); /* DMALD is not for managers */
    ck_assert_uint_eq(get(&w, DPC), WORLD_RAM + 0x6000 + sizeof manager - 1);
    world_close(&w);
}
END_TEST

START_TEST(a_restored_one_goes_on)
{
    static struct world other;
    struct bytes saved = {0};
    open_one();
    put(&w, INTEN, 1);
    START(5, MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), MOV_CCR(CCR(2, 2)), LP(0, 256), LD,
          ST, LPEND(0, 2), SEV(0), END);
    world_advance(&w, 1500);
    ck_assert_uint_eq(state_of(5), EXECUTING);
    world_save(&w, &saved);
    world_open(&other, "pl330", 1, NULL);
    struct reader in = reader_of(saved.data, saved.size);
    other.vtime = w.vtime;
    memcpy(other.ram, w.ram, sizeof w.ram);
    ck_assert(world_restore(&other, &in));
    other.v->type->restored(other.v);
    world_advance(&w, 100000);
    world_advance(&other, 100000);
    ck_assert(other.irq_level && w.irq_level);
    ck_assert_mem_eq(other.ram, w.ram, sizeof w.ram);
    assert_copied(0, 0x2000, 2048);
    world_close(&w);
    world_close(&other);
    bytes_free(&saved);
}
END_TEST

/* What an SMMU stalls: so many reads, and writes, of a page. */
static uint64_t stalled_page;
static unsigned stalls;

static bool is_stalled(iova_t at, struct dma_fault *fault)
{
    if (at.v >> PAGE_BITS != stalled_page || !stalls)
        return false;
    stalls--;
    fault->kind = DMA_FAULT_STALLED;
    return true;
}

/* How the last accesses were protected. */
static unsigned fetched_as, read_as, written_as;

static unsigned protection(const struct dma_port *p)
{
    return p->is_privileged + 4u * p->is_fetch;
}

static bool stalling_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                          struct dma_fault *fault)
{
    *(from.v >= WORLD_RAM + 0x6000 ? &fetched_as : &read_as) = protection(p);
    if (from.v >= 0xfffff000) { /* there is memory, too */
        memset(to, 0, (size_t)size);
        return true;
    }
    return !is_stalled(from, fault) && dma_read_by_map(p, from, to, size, fault);
}

static bool stalling_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                           struct dma_fault *fault)
{
    written_as = protection(p);
    return !is_stalled(to, fault) && dma_write_by_map(p, to, from, size, fault);
}

/* Of the program, what it reads, and what it writes; nobody takes it for a lock-up. */
START_TEST(stalled_accesses_come_again)
{
    static const unsigned pages[] = {0, 2, 6};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        open_one();
        w.v->dma.read = stalling_read;
        w.v->dma.write = stalling_write;
        stalled_page = (WORLD_RAM >> PAGE_BITS) + pages[i];
        stalls = 5;
        START(0, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), LP(0, 8), LD,
              ST, LPEND(0, 2), END);
        world_advance(&w, 4 * 1024);
        ck_assert_uint_eq(state_of(0), EXECUTING);
        ck_assert_uint_eq(stalls, 1);
        world_advance(&w, 4 * 1024);
        assert_stopped(0);
        assert_copied(0, 0x2000, 1024);
        world_close(&w);
    }
}
END_TEST

/* A channel whose store is stalled will make room: those that wait for it are not locked up. */
START_TEST(room_may_come_from_a_stalled_channel)
{
    open_one();
    w.v->dma.read = stalling_read;
    w.v->dma.write = stalling_write;
    stalled_page = (WORLD_RAM >> PAGE_BITS) + 3;
    stalls = 12;
    START(0, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x3000), LD, LD, LD, ST,
          ST, ST, END);
    world_advance(&w, 1024);
    START(1, MOV_CCR(CCR(16, 3)), MOV_SAR(WORLD_RAM), MOV_DAR(WORLD_RAM + 0x2000), LD, LD, ST, ST,
          END);
    world_advance(&w, 20 * 1024);
    assert_stopped(0);
    assert_stopped(1);
    assert_copied(0, 0x3000, 384);
    assert_copied(0, 0x2000, 256);
    world_close(&w);
}
END_TEST

/* Its bus has 32 bits of address. */
START_TEST(bursts_do_not_go_round)
{
    open_one();
    w.v->dma.read = stalling_read;
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_SAR(0xffffffe0), LD, END);
    assert_stopped(0);
    RUN(0, MOV_CCR(CCR(4, 3)), MOV_SAR(0xffffffe8), LD, END);
    assert_faulted(0, DATA_READ_ERR, 12);
    world_close(&w);
}
END_TEST

START_TEST(accesses_are_protected)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned source = (i & 1) + 4 * (i >> 1), destination = 5 - source;
        open_one();
        w.v->dma.read = stalling_read;
        w.v->dma.write = stalling_write;
        RUN(0, MOV_CCR(CCR(1, 0) | source << 8 | destination << 22), MOV_SAR(WORLD_RAM),
            MOV_DAR(WORLD_RAM + 0x2000), LD, ST, END);
        ck_assert_uint_eq(fetched_as, 1);
        ck_assert_uint_eq(read_as, source);
        ck_assert_uint_eq(written_as, destination);
        written_as = 0;
        RUN(0, MOV_DAR(WORLD_RAM + 0x2000), STZ, END);
        ck_assert_uint_eq(written_as, destination);
        world_close(&w);
    }
}
END_TEST

/* Whatever is in memory is a program that does no harm. */
START_TEST(random_programs)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    open_one();
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0x4000; i < 0x8000; i++) {
            static const uint8_t often[] = {0xbc, 0x00, 0x01, 0x04, 0x08, 0x20,
                                            0x38, 0x40, 0x02, 0x34, 0x36, 0x54};
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint8_t byte = (uint8_t)(random >> 56);
            *world_ram(&w, i) = byte & 1 ? often[byte / 2 % sizeof often] : byte;
        }
        for (unsigned c = 0; c < 8; c++) {
            DEBUG((int)c, KILL);
            DEBUG(-1, GO(c, WORLD_RAM + 0x4000 + (uint32_t)(random >> (8 + c)) % 0x3f00));
        }
        DEBUG(-1, KILL);
        world_advance(&w, 20000);
    }
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pl330");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, it_says_what_it_is);
    tcase_add_test(t, a_program_copies);
    tcase_add_test(t, unaligned_bursts);
    tcase_add_test(t, addresses_may_stay_and_bytes_may_turn);
    tcase_add_test(t, requests_choose_instructions);
    tcase_add_test(t, events_join_channels);
    tcase_add_test(t, an_interrupt_is_behind_the_end);
    tcase_add_test(t, programs_without_end_share_the_time);
    tcase_add_test(t, what_does_not_exist_aborts);
    tcase_add_test(t, what_cannot_be_accessed_aborts);
    tcase_add_test(t, the_fifo_is_shared);
    tcase_add_test(t, the_manager);
    tcase_add_test(t, the_manager_boots);
    tcase_add_test(t, a_restored_one_goes_on);
    tcase_add_test(t, stalled_accesses_come_again);
    tcase_add_test(t, room_may_come_from_a_stalled_channel);
    tcase_add_test(t, bursts_do_not_go_round);
    tcase_add_test(t, accesses_are_protected);
    tcase_add_test(t, random_programs);
    return suite_main("vdev/pl330", t);
}
