/* System registers as one table: encoding, who holds it, reset value, writable bits. What is not in
 * the table is undefined to the guest. Encodings and names: Arm ARM D19 and C5. */
#include "cpu/arm64/cpu_internal.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/machine.h"

enum kind {
    NATIVE,        /* the engine holds it; nothing of ours depends on it */
    TRANSLATION,   /* the engine holds it, and so do we: the translation regime */
    TABLE_BASE,    /* ours alone: the engine would drop all translations at another ASID */
    DEBUG_CONTROL, /* MDSCR_EL1: ours; the engine has what the OS Lock leaves of it */
    SAVED_STATE,   /* SPSR_EL1: the engine holds it, illegal.c looks at it */
    CONSTANT,      /* read-only, `value` */
    IGNORED,       /* RAZ/WI */
    ABSENT,        /* RAZ/WI, and undefined to the engine: it arrives as an exception */
    FIELD64,       /* a field of struct arm64_vcpu at `value`, `mask` writable */
    BANK_BVR,
    BANK_BCR,
    BANK_WVR,
    BANK_WCR, /* debug registers, CRm is the number */
    IDENTITY, /* identification register: computed at reset from what the engine has */
    MPIDR,
    TIMER_FREQUENCY,
    TIMER_COUNTER,
    TIMER_VIRTUAL,
    TIMER_PHYSICAL,
    TIMER_CONTROL,
    INTERRUPT_STATUS,
    PMU, /* pmu.c: register `value`, of counter `mask` */
    PMU_USER,
    OSLAR,
};

/* Who may use it at EL0, beside what the engine itself checks. */
enum el0 { EL0_NONE, EL0_TIMER, EL0_PMU, EL0_PMU_SELECT, EL0_READ, EL0_CACHE_TYPE };

struct row {
    unsigned encoding;
    const char *name;
    enum kind kind;
    uint64_t value, mask;
    enum el0 el0;
};

#define OFFSET(member) offsetof(struct arm64_vcpu, member)
#define ALL            UINT64_MAX

static const struct row rows[] = {
    {0, "", IGNORED, 0, 0, EL0_NONE}, /* row 0 is "not in the table" */
    /* Debug: D19.3 */
    {SYS_MDSCR_EL1, "MDSCR_EL1", DEBUG_CONTROL, OFFSET(mdscr), ALL, EL0_NONE},
#define DEBUG_PAIR(n)                                                                              \
    {SYSREG(2, 0, 0, n, 4), "DBGBVR" #n "_EL1", BANK_BVR, 0, ~(uint64_t)3, EL0_NONE},              \
    {                                                                                              \
        SYSREG(2, 0, 0, n, 5), "DBGBCR" #n "_EL1", BANK_BCR, 0, 0x00ffe1e7, EL0_NONE               \
    }
#define WATCH_PAIR(n)                                                                              \
    {SYSREG(2, 0, 0, n, 6), "DBGWVR" #n "_EL1", BANK_WVR, 0, ~(uint64_t)3, EL0_NONE},              \
    {                                                                                              \
        SYSREG(2, 0, 0, n, 7), "DBGWCR" #n "_EL1", BANK_WCR, 0, 0x1f1fffff, EL0_NONE               \
    }
    DEBUG_PAIR(0),
    DEBUG_PAIR(1),
    DEBUG_PAIR(2),
    DEBUG_PAIR(3),
    DEBUG_PAIR(4),
    DEBUG_PAIR(5),
    WATCH_PAIR(0),
    WATCH_PAIR(1),
    WATCH_PAIR(2),
    WATCH_PAIR(3),
    {SYSREG(2, 0, 1, 0, 0), "MDRAR_EL1", CONSTANT, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 1, 0, 4), "OSLAR_EL1", OSLAR, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 1, 1, 4), "OSLSR_EL1", FIELD64, OFFSET(oslsr), 0, EL0_NONE},
    {SYSREG(2, 0, 1, 3, 4), "OSDLR_EL1", IGNORED, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 1, 4, 4), "DBGPRCR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 7, 8, 6), "DBGCLAIMSET_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 7, 9, 6), "DBGCLAIMCLR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(2, 0, 7, 14, 6), "DBGAUTHSTATUS_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(2, 3, 0, 1, 0), "MDCCSR_EL0", ABSENT, 0, 0, EL0_READ},
    {SYSREG(2, 0, 0, 2, 0), "MDCCINT_EL1", IGNORED, 0, 0, EL0_NONE},
/* Identification: D19.2, 3.0.0.0 to 3.0.0.7 */
#define ID_ROW(crm, op2, name)                                                                     \
    {                                                                                              \
        SYSREG(3, 0, 0, crm, op2), name, IDENTITY, 0, 0, EL0_NONE                                  \
    }
#define ID_ZERO(crm, op2)                                                                          \
    {                                                                                              \
        SYSREG(3, 0, 0, crm, op2), "ID_RES0", CONSTANT, 0, 0, EL0_NONE                             \
    }
    ID_ROW(0, 0, "MIDR_EL1"),
    {SYSREG(3, 0, 0, 0, 5), "MPIDR_EL1", MPIDR, 0, 0, EL0_NONE},
    ID_ROW(0, 6, "REVIDR_EL1"),
    /* AArch32 does not exist here: its identification registers are zero. */
    ID_ZERO(1, 0),
    ID_ZERO(1, 1),
    ID_ZERO(1, 2),
    ID_ZERO(1, 3),
    ID_ZERO(1, 4),
    ID_ZERO(1, 5),
    ID_ZERO(1, 6),
    ID_ZERO(1, 7),
    ID_ZERO(2, 0),
    ID_ZERO(2, 1),
    ID_ZERO(2, 2),
    ID_ZERO(2, 3),
    ID_ZERO(2, 4),
    ID_ZERO(2, 5),
    ID_ZERO(2, 6),
    ID_ZERO(2, 7),
    ID_ZERO(3, 0),
    ID_ZERO(3, 1),
    ID_ZERO(3, 2),
    ID_ZERO(3, 3),
    ID_ZERO(3, 4),
    ID_ZERO(3, 5),
    ID_ZERO(3, 6),
    ID_ZERO(3, 7),
    ID_ROW(4, 0, "ID_AA64PFR0_EL1"),
    ID_ROW(4, 1, "ID_AA64PFR1_EL1"),
    ID_ZERO(4, 2),
    ID_ZERO(4, 3),
    ID_ZERO(4, 4),
    ID_ZERO(4, 5),
    ID_ZERO(4, 6),
    ID_ZERO(4, 7),
    ID_ROW(5, 0, "ID_AA64DFR0_EL1"),
    ID_ZERO(5, 1),
    ID_ZERO(5, 2),
    ID_ZERO(5, 3),
    ID_ZERO(5, 4),
    ID_ZERO(5, 5),
    ID_ZERO(5, 6),
    ID_ZERO(5, 7),
    ID_ROW(6, 0, "ID_AA64ISAR0_EL1"),
    ID_ROW(6, 1, "ID_AA64ISAR1_EL1"),
    ID_ZERO(6, 2),
    ID_ZERO(6, 3),
    ID_ZERO(6, 4),
    ID_ZERO(6, 5),
    ID_ZERO(6, 6),
    ID_ZERO(6, 7),
    ID_ROW(7, 0, "ID_AA64MMFR0_EL1"),
    ID_ROW(7, 1, "ID_AA64MMFR1_EL1"),
    ID_ROW(7, 2, "ID_AA64MMFR2_EL1"),
    ID_ZERO(7, 3),
    ID_ZERO(7, 4),
    ID_ZERO(7, 5),
    ID_ZERO(7, 6),
    ID_ZERO(7, 7),
    {SYSREG(3, 1, 0, 0, 0), "CCSIDR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 0, 0, 1), "CLIDR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 0, 0, 7), "AIDR_EL1", CONSTANT, 0, 0, EL0_NONE},
    {SYS_CSSELR_EL1, "CSSELR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 3, 0, 0, 1), "CTR_EL0", CONSTANT, 0x8444c004, 0, EL0_CACHE_TYPE},
    {SYSREG(3, 3, 0, 0, 7), "DCZID_EL0", NATIVE, 0, 0, EL0_READ},
    /* Control, translation, exceptions: D19.2 */
    {SYS_SCTLR_EL1, "SCTLR_EL1", TRANSLATION, 0, 0, EL0_NONE},
    {SYS_ACTLR_EL1, "ACTLR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_CPACR_EL1, "CPACR_EL1", TRANSLATION, 0, 0, EL0_NONE},
    {SYS_TTBR0_EL1, "TTBR0_EL1", TABLE_BASE, OFFSET(stage1.ttbr0), ALL, EL0_NONE},
    {SYS_TTBR1_EL1, "TTBR1_EL1", TABLE_BASE, OFFSET(stage1.ttbr1), ALL, EL0_NONE},
    {SYS_TCR_EL1, "TCR_EL1", TRANSLATION, 0, 0, EL0_NONE},
    {SYS_MAIR_EL1, "MAIR_EL1", TRANSLATION, 0, 0, EL0_NONE},
    {SYS_VBAR_EL1, "VBAR_EL1", TRANSLATION, 0, 0, EL0_NONE},
    {SYS_SPSR_EL1, "SPSR_EL1", SAVED_STATE, 0, 0, EL0_NONE},
    {SYS_ELR_EL1, "ELR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_SP_EL0, "SP_EL0", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 0, 4, 2, 0), "SPSel", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 0, 4, 2, 2), "CurrentEL", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 0, 4, 2, 3), "PAN", NATIVE, 0, 0, EL0_NONE},
    {SYS_AFSR0_EL1, "AFSR0_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_AFSR1_EL1, "AFSR1_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_ESR_EL1, "ESR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_FAR_EL1, "FAR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_PAR_EL1, "PAR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_AMAIR_EL1, "AMAIR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYSREG(3, 0, 12, 1, 0), "ISR_EL1", INTERRUPT_STATUS, 0, 0, EL0_NONE},
    {SYS_CONTEXTIDR_EL1, "CONTEXTIDR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_TPIDR_EL1, "TPIDR_EL1", NATIVE, 0, 0, EL0_NONE},
    {SYS_TPIDR_EL0, "TPIDR_EL0", NATIVE, 0, 0, EL0_READ},
    {SYS_TPIDRRO_EL0, "TPIDRRO_EL0", NATIVE, 0, 0, EL0_READ},
    {SYSREG(3, 3, 4, 2, 0), "NZCV", NATIVE, 0, 0, EL0_READ},
    {SYSREG(3, 3, 4, 2, 1), "DAIF", NATIVE, 0, 0, EL0_READ},
    {SYSREG(3, 3, 4, 4, 0), "FPCR", NATIVE, 0, 0, EL0_READ},
    {SYSREG(3, 3, 4, 4, 1), "FPSR", NATIVE, 0, 0, EL0_READ},
    /* Generic timer: D11, D19.12 */
    {SYSREG(3, 0, 14, 1, 0), "CNTKCTL_EL1", TIMER_CONTROL, OFFSET(cntkctl), 0x3ff, EL0_NONE},
    {SYSREG(3, 3, 14, 0, 0), "CNTFRQ_EL0", TIMER_FREQUENCY, 0, 0, EL0_TIMER},
    {SYSREG(3, 3, 14, 0, 1), "CNTPCT_EL0", TIMER_COUNTER, 0, 0, EL0_TIMER},
    {SYSREG(3, 3, 14, 0, 2), "CNTVCT_EL0", TIMER_COUNTER, 0, 0, EL0_TIMER},
#define TIMER_ROWS(crm, which, letter)                                                             \
    {SYSREG(3, 3, 14, crm, 0), "CNT" letter "_TVAL_EL0", which, 0, 0, EL0_TIMER},                  \
        {SYSREG(3, 3, 14, crm, 1), "CNT" letter "_CTL_EL0", which, 0, 0, EL0_TIMER},               \
    {                                                                                              \
        SYSREG(3, 3, 14, crm, 2), "CNT" letter "_CVAL_EL0", which, 0, 0, EL0_TIMER                 \
    }
    TIMER_ROWS(2, TIMER_PHYSICAL, "P"),
    TIMER_ROWS(3, TIMER_VIRTUAL, "V"),
    /* Performance monitors: D13 */
    {SYSREG(3, 3, 9, 12, 0), "PMCR_EL0", PMU, PMU_CONTROL, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 1), "PMCNTENSET_EL0", PMU, PMU_ENABLE_SET, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 2), "PMCNTENCLR_EL0", PMU, PMU_ENABLE_CLEAR, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 3), "PMOVSCLR_EL0", PMU, PMU_OVERFLOW_CLEAR, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 4), "PMSWINC_EL0", PMU, PMU_SOFTWARE_INCREMENT, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 5), "PMSELR_EL0", FIELD64, OFFSET(pmselr), PMSELR_MOST, EL0_PMU_SELECT},
    {SYSREG(3, 3, 9, 12, 6), "PMCEID0_EL0", PMU, PMU_EVENTS, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 12, 7), "PMCEID1_EL0", CONSTANT, 0, 0, EL0_PMU_SELECT},
    {SYSREG(3, 3, 9, 13, 0), "PMCCNTR_EL0", PMU, PMU_CYCLE_COUNTER, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 13, 1), "PMXEVTYPER_EL0", PMU, PMU_SELECTED_TYPE, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 13, 2), "PMXEVCNTR_EL0", PMU, PMU_SELECTED_COUNTER, 0, EL0_PMU},
    {SYSREG(3, 3, 9, 14, 0), "PMUSERENR_EL0", PMU_USER, OFFSET(pmuserenr), 0xf, EL0_READ},
    {SYSREG(3, 3, 9, 14, 3), "PMOVSSET_EL0", PMU, PMU_OVERFLOW_SET, 0, EL0_PMU},
    {SYSREG(3, 0, 9, 14, 1), "PMINTENSET_EL1", PMU, PMU_INTEN_SET, 0, EL0_NONE},
    {SYSREG(3, 0, 9, 14, 2), "PMINTENCLR_EL1", PMU, PMU_INTEN_CLEAR, 0, EL0_NONE},
    {SYSREG(3, 3, 14, 15, 7), "PMCCFILTR_EL0", PMU, PMU_CYCLE_FILTER, 0, EL0_PMU},
#define EVENT_ROWS(n)                                                                              \
    {SYSREG(3, 3, 14, 8, n), "PMEVCNTR" #n "_EL0", PMU, PMU_COUNTER, n, EL0_PMU},                  \
    {                                                                                              \
        SYSREG(3, 3, 14, 12, n), "PMEVTYPER" #n "_EL0", PMU, PMU_TYPE, n, EL0_PMU                  \
    }
    EVENT_ROWS(0),
    EVENT_ROWS(1),
    EVENT_ROWS(2),
    EVENT_ROWS(3),
    EVENT_ROWS(4),
    EVENT_ROWS(5),
    /* Not offered in ID_AA64ISAR0_EL1, but the engine has them on `max`, from the host's own. */
    {SYSREG(3, 3, 2, 4, 0), "RNDR", CONSTANT, 0, 0, EL0_READ},
    {SYSREG(3, 3, 2, 4, 1), "RNDRRS", CONSTANT, 0, 0, EL0_READ},
    /* Cortex-A53/A57/A72 implementation defined: CPUACTLR, CPUECTLR, CPUMERRSR, L2* */
    {SYSREG(3, 1, 15, 2, 0), "CPUACTLR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 15, 2, 1), "CPUECTLR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 15, 2, 2), "CPUMERRSR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 15, 2, 3), "L2MERRSR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 11, 0, 2), "L2CTLR_EL1", ABSENT, 0, 0, EL0_NONE},
    {SYSREG(3, 1, 11, 0, 3), "L2ECTLR_EL1", ABSENT, 0, 0, EL0_NONE},
};
#define ROWS (sizeof rows / sizeof rows[0])
_Static_assert(ROWS < 256, "a row number is one byte");

struct sysreg_map {
    struct engine_asked asked;
    uint8_t row[1 << 16];
    uint64_t identity[ROWS];
};

/* Fields of identification registers that the guest may believe, besides what the engine reports
 * there (D19.2.61 and following). Everything else reads zero: not implemented. */
static uint64_t identity_of(struct engine *e, unsigned encoding)
{
    uint64_t native = engine_sysreg(e, encoding);
    switch (encoding) {
    case SYSREG(3, 0, 0, 0, 0): /* MIDR_EL1 */
    case SYSREG(3, 0, 0, 0, 6): /* REVIDR_EL1 */
        return native;
    case SYSREG(3, 0, 0, 4, 0): /* ID_AA64PFR0_EL1: EL0 and EL1 in AArch64, FP, AdvSIMD */
        return (native & 0x00ff0000) | 0x11;
    case SYSREG(3, 0, 0, 5, 0): /* ID_AA64DFR0_EL1: v8 debug, PMUv3, breakpoints, watchpoints */
        return 0x6 | 1 << 8 | (DEBUG_BREAKPOINTS - 1) << 12 | (DEBUG_WATCHPOINTS - 1) << 20 |
               (uint64_t)1 << 28;
    case SYSREG(3, 0, 0, 6, 0): /* ID_AA64ISAR0_EL1: AES..CRC32, Atomic, RDM, SHA3, SM, DP */
        return native & 0x0000fffff0fffff0u;
    case SYSREG(3, 0, 0, 6, 1): /* ID_AA64ISAR1_EL1: JSCVT, FCMA, LRCPC */
        return native & 0x00fff000u;
    case SYSREG(3, 0, 0, 7, 0): /* ID_AA64MMFR0_EL1: PARange, ASIDBits, granules */
        return native & 0xfff000ffu;
    case SYSREG(3, 0, 0, 7, 1): /* ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN (not the AT variants) */
        return (native & 0xf00fu) | ((native >> 20 & 15) ? 1u << 20 : 0);
    default:
        return 0;
    }
}

/* Writes of read-only registers and reads of write-only ones are undefined. */
static bool is_misuse(const struct row *r, bool is_read)
{
    switch (r->kind) {
    case CONSTANT:
    case IDENTITY:
    case MPIDR:
    case TIMER_COUNTER:
    case INTERRUPT_STATUS:
        return !is_read;
    case OSLAR:
        return is_read;
    case PMU:
        return r->value == (is_read ? PMU_SOFTWARE_INCREMENT : PMU_EVENTS);
    default:
        return r->kind == FIELD64 && !r->mask && !is_read;
    }
}

/* The engine has four event counters, whatever the model: those beyond arrive as an exception. */
static bool engine_lacks(const struct row *r)
{
    return r->kind == PMU && r->mask >= 4;
}

/* Never what the engine has not: see translate_operation. */
static bool row_is_asked(const struct row *r, bool is_read)
{
    if (engine_lacks(r))
        return false;
    switch (r->kind) {
    case NATIVE:
    case ABSENT:
        return false;
    case SAVED_STATE:
    case TRANSLATION:
        return !is_read;
    default:
        return !is_misuse(r, is_read);
    }
}

static void ask(struct sysreg_map *map, unsigned encoding, bool is_read)
{
    map->asked.bits[is_read][encoding >> 6] |= (uint64_t)1 << (encoding & 63);
}

static void ask_not(struct sysreg_map *map, unsigned encoding)
{
    for (unsigned is_read = 0; is_read < 2; is_read++)
        map->asked.bits[is_read][encoding >> 6] &= ~((uint64_t)1 << (encoding & 63));
}

/* On most of what guests use often nothing of ours depends. SYS: TLBI, IC, AT. */
static void note_asked(struct sysreg_map *map)
{
    for (size_t i = 1; i < ROWS; i++)
        for (unsigned is_read = 0; is_read < 2; is_read++)
            if (row_is_asked(&rows[i], is_read))
                ask(map, rows[i].encoding, is_read);
    for (unsigned op1 = 0; op1 < 8; op1++)
        for (unsigned op2 = 0; op2 < 8; op2++) {
            for (unsigned crm = 0; crm < 16; crm++)
                ask(map, SYSREG(1, op1, 8, crm, op2), false);
            ask(map, SYSREG(1, op1, 7, 1, op2), false);
            ask(map, SYSREG(1, op1, 7, 5, op2), false);
            ask(map, SYSREG(1, op1, 7, 8, op2), false);
            ask(map, SYSREG(1, op1, 7, 9, op2), false);
        }
}

struct sysreg_map *sysregs_new(struct engine *e)
{
    struct sysreg_map *map = calloc(1, sizeof *map);
    CHECK_ROOM(map);
    for (size_t i = 1; i < ROWS; i++) {
        map->row[rows[i].encoding] = (uint8_t)i;
        if (rows[i].kind == IDENTITY)
            map->identity[i] = identity_of(e, rows[i].encoding);
    }
    note_asked(map);
    if (!(engine_sysreg(e, SYSREG(3, 0, 0, 6, 0)) >> 60)) { /* ID_AA64ISAR0_EL1.RNDR */
        ask_not(map, SYSREG(3, 3, 2, 4, 0));
        ask_not(map, SYSREG(3, 3, 2, 4, 1));
    }
    return map;
}

const struct engine_asked *sysregs_asked(const struct sysreg_map *map)
{
    return &map->asked;
}

void sysregs_free(struct sysreg_map *map)
{
    free(map);
}

static uint64_t own_identity(const struct arm64_vcpu *v, unsigned encoding)
{
    return v->sysregs->identity[v->sysregs->row[encoding]];
}

/* The model that is no real part's, `max`: the only one with FEAT_LSE. */
static bool is_max(const struct arm64_vcpu *v)
{
    return own_identity(v, SYSREG(3, 0, 0, 6, 0)) >> 20 & 15;
}

static uint64_t identity(const struct arm64_vcpu *v, unsigned encoding)
{
    uint64_t value = own_identity(v, encoding);
    /* TGran16: the walker has it (mmu/arm64/stage1.c); the parts have it not. */
    bool has_16k = is_max(v) && !(v->cpu.world->quirks & QUIRK_NO_16K);
    if (encoding == SYSREG(3, 0, 0, 7, 0) && has_16k)
        value |= (uint64_t)1 << 20;
    if (encoding == SYSREG(3, 0, 0, 4, 0) && v->cpu.world->pic_registers)
        value |= (uint64_t)1 << 24;
    return value;
}

/* Reading and writing ----------------------------------------------------------------------------
 */

static uint64_t read_row(struct arm64_vcpu *v, const struct row *r)
{
    unsigned crm = r->encoding >> 3 & 15, op2 = r->encoding & 7;
    const char *field = (const char *)v + r->value;
    uint64_t value = 0;
    switch (r->kind) {
    case CONSTANT:
        return r->value;
    case IDENTITY:
        return identity(v, r->encoding);
    case MPIDR:
        return 0x80000000u | v->cpu.index;
    case FIELD64:
    case TABLE_BASE:
    case DEBUG_CONTROL:
    case TIMER_CONTROL:
    case PMU_USER:
        memcpy(&value, field, 8);
        return value;
    case BANK_BVR:
        return v->dbgbvr[crm];
    case BANK_BCR:
        return v->dbgbcr[crm];
    case BANK_WVR:
        return v->dbgwvr[crm];
    case BANK_WCR:
        return v->dbgwcr[crm];
    case INTERRUPT_STATUS: /* I and F: pending, whatever PSTATE masks */
        return (v->cpu.signals & CPU_SIGNAL_IRQ ? 1u << 7 : 0u) |
               (v->cpu.signals & CPU_SIGNAL_FIQ ? 1u << 6 : 0u);
    case TIMER_FREQUENCY:
        return COUNTER_HZ;
    case TIMER_COUNTER:
        return timer_counter(v);
    case TIMER_VIRTUAL:
        return timer_read(v, &v->timer_virtual, op2);
    case TIMER_PHYSICAL:
        return timer_read(v, &v->timer_physical, op2);
    case PMU:
        return pmu_read(v, (enum pmu_register)r->value, (unsigned)r->mask);
    default:
        return 0;
    }
}

/* TTBR0_EL1, TTBR1_EL1: what the engine has of another address space goes, global pages stay. */
static void write_table_base(struct arm64_vcpu *v, const struct row *r, uint64_t value)
{
    uint16_t before = stage1_asid(&v->stage1);
    memcpy((char *)v + r->value, &value, 8);
    new_regime(v);
    if (stage1_asid(&v->stage1) != before)
        engine_change_space(v->cpu.world->engine);
}

static void write_row(struct arm64_vcpu *v, const struct row *r, uint64_t value)
{
    unsigned crm = r->encoding >> 3 & 15, op2 = r->encoding & 7;
    uint64_t masked = value & r->mask;
    switch (r->kind) {
    case FIELD64:
    case TIMER_CONTROL:
    case PMU_USER:
        if (r->mask)
            memcpy((char *)v + r->value, &masked, 8);
        break;
    case TABLE_BASE:
        write_table_base(v, r, value);
        break;
    case DEBUG_CONTROL:
        v->mdscr = value;
        debug_regime_changed(v);
        break;
    case BANK_BVR:
        v->dbgbvr[crm] = masked;
        break;
    case BANK_BCR:
        v->dbgbcr[crm] = (uint32_t)masked;
        break;
    case BANK_WVR:
        v->dbgwvr[crm] = masked;
        engine_flush_tlb(v->cpu.world->engine);
        break;
    case BANK_WCR:
        v->dbgwcr[crm] = (uint32_t)masked;
        engine_flush_tlb(v->cpu.world->engine);
        break;
    case TIMER_VIRTUAL:
        timer_write(v, &v->timer_virtual, op2, value);
        break;
    case TIMER_PHYSICAL:
        timer_write(v, &v->timer_physical, op2, value);
        break;
    case PMU:
        pmu_write(v, (enum pmu_register)r->value, (unsigned)r->mask, value);
        break;
    case OSLAR: /* OSLSR_EL1: OSLM = 0b10, OSLK */
        v->oslsr = 8 | (value & 1) << 1;
        debug_regime_changed(v);
        break;
    default:
        break;
    }
    if (r->kind >= BANK_BVR && r->kind <= BANK_WCR)
        watch_changed(v);
}

/* The copies we need at once; the engine gets the write too. Changes of TCR, MAIR or SCTLR without
 * TLB maintenance have no defined effect on cached entries: ours start afresh. */
static void write_translation(struct arm64_vcpu *v, unsigned encoding, uint64_t value)
{
    new_regime(v);
    switch (encoding) {
    case SYS_SCTLR_EL1:
        if (v->stage1.sctlr != value)
            tlb_invalidate_all(v->cpu.tlb);
        v->stage1.sctlr = value;
        alignment_update_checks(v);
        break;
    case SYS_TCR_EL1:
        if (v->stage1.tcr != value)
            tlb_invalidate_all(v->cpu.tlb);
        v->stage1.tcr = value;
        break;
    case SYS_MAIR_EL1:
        if (v->stage1.mair != value) {
            tlb_invalidate_all(v->cpu.tlb);
            engine_flush_tlb(v->cpu.world->engine);
        }
        v->stage1.mair = value;
        break;
    case SYS_VBAR_EL1:
        v->vbar = value & ~(uint64_t)0x7ff;
        break;
    case SYS_CPACR_EL1:
        v->cpacr = value;
        watch_changed(v);
        break;
    default:
        break;
    }
}

/* May EL0 use it? When not, the engine gets the instruction and finds it undefined. */
static bool el0_may(const struct arm64_vcpu *v, const struct row *r, bool is_read)
{
    unsigned op2 = r->encoding & 7;
    switch (r->el0) {
    case EL0_NONE:
        return false;
    case EL0_READ:
        return is_read;
    case EL0_CACHE_TYPE:
        return is_read && (v->stage1.sctlr & SCTLR_UCT);
    case EL0_TIMER: /* CNTKCTL_EL1: EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN */
        if (r->kind == TIMER_FREQUENCY)
            return is_read && (v->cntkctl & 3);
        if (r->kind == TIMER_COUNTER)
            return is_read && (v->cntkctl & (op2 == 1 ? 1 : 2));
        return v->cntkctl & (r->kind == TIMER_VIRTUAL ? 1u << 8 : 1u << 9);
    case EL0_PMU:
        return pmu_el0_may(v, (enum pmu_register)r->value, is_read);
    case EL0_PMU_SELECT: /* with ER, PMSELR_EL0 is there for the event counters */
        return pmu_el0_may(v, r->kind == FIELD64 ? PMU_SELECTED_COUNTER : PMU_EVENTS, true);
    }
    return false;
}

/* TLBI (C5.5): the engine drops its own entries, we drop ours; with IS on every vCPU of the VM. */
static void invalidate_tlb(struct arm64_vcpu *v, unsigned op2, uint64_t value)
{
    uint64_t address = (uint64_t)((int64_t)(value << 20) >> 8);
    uint16_t asid = (uint16_t)(value >> 48);
    bool bigger_than_a_page = false;
    new_regime(v);
    switch (op2) {
    case 0:
        tlb_invalidate_all(v->cpu.tlb);
        break;
    case 1:
    case 5:
        bigger_than_a_page = tlb_invalidate_va(v->cpu.tlb, gva(address), asid);
        break;
    case 2:
        tlb_invalidate_asid(v->cpu.tlb, asid);
        break;
    default:
        bigger_than_a_page = tlb_invalidate_va_all_asids(v->cpu.tlb, gva(address));
        break;
    }
    /* The engine drops one page, and knows it under the address with its tag; what was one entry
     * may be many pages there. */
    bool by_address = op2 != 0 && op2 != 2;
    if (bigger_than_a_page || (by_address && v->tags_seen))
        engine_flush_tlb(v->cpu.world->engine);
}

static bool tlb_operation(struct arm64_vcpu *v, const struct engine_system *op)
{
    unsigned crm = op->number >> 3 & 15, op2 = op->number & 7;
    if (crm == 7)
        invalidate_tlb(v, op2, op->value);
    else if (crm == 3)
        for (unsigned i = 0; i < v->cpu.world->vcpu_count; i++)
            invalidate_tlb(arm64_of(v->cpu.world->vcpus[i]), op2, op->value);
    return false;
}

/* What is carried out here the engine must know: behind an instruction that is undefined to it, it
 * translates nothing, not even the step to the next, and the block would begin again. So S1E1RP and
 * S1E1WP are the engine's to refuse where there is no PAN, as is what has no name. */
static bool translate_operation(struct arm64_vcpu *v, const struct engine_system *op)
{
    unsigned op2 = op->number & 7;
    bool with_pan = (op->number >> 3 & 15) == 9; /* AT S1E1RP, S1E1WP */
    if (op2 >= (with_pan ? 2 : 4) || (with_pan && !v->has_pan))
        return false;
    struct access access = {
        .kind = op2 & 1 ? ACCESS_WRITE : ACCESS_READ,
        .privileged = op2 < 2,
        .pan = with_pan && (engine_mode(v->cpu.world->engine) & PSTATE_PAN),
        .translate_only = true,
    };
    engine_set_sysreg(v->cpu.world->engine, SYS_PAR_EL1,
                      translate_address(v, gva(op->value), &access));
    return true;
}

/* IC: the engine does not see stores through other mappings, so this is where code becomes new. */
static void instruction_cache_operation(struct arm64_vcpu *v, const struct engine_system *op,
                                        bool el0)
{
    unsigned crm = op->number >> 3 & 15;
    bool by_address = (op->number >> 11 & 7) == 3;
    if (!by_address) {
        if (!el0 && (crm == 1 || crm == 5))
            engine_flush_code_soon(v->cpu.world->engine);
        return;
    }
    if (crm != 5 || (el0 && !(v->stage1.sctlr & SCTLR_UCI)))
        return;
    struct access access = {.kind = ACCESS_READ, .privileged = !el0, .cache_op = true};
    struct found_page at;
    if (translate_page(v, gva(op->value), &access, &at))
        engine_drop_code(v->cpu.world->engine,
                         hpa(at.page.v + (op->value & PAGE_MASK & ~(uint64_t)63)), 64);
}

/* SYS instructions, op0 = 1: false = the engine carries them out as well. */
static bool system_instruction(struct arm64_vcpu *v, const struct engine_system *op, bool el0)
{
    unsigned crn = op->number >> 7 & 15, crm = op->number >> 3 & 15;
    if (crn == 8 && !el0)
        return tlb_operation(v, op);
    if (crn == 7 && (crm == 8 || crm == 9) && !el0 && (op->number >> 11 & 7) == 0)
        return translate_operation(v, op);
    if (crn == 7 && (crm == 1 || crm == 5))
        instruction_cache_operation(v, op, el0);
    return false;
}

/* ZEN is RES0 without SVE (D19.2.30), which no model offers. The engine's max has it, and asserts
 * where SVE is enabled and FP is not. */
static uint64_t implemented_bits(const struct arm64_vcpu *v, unsigned encoding, uint64_t value)
{
    bool has_zen = encoding != SYS_CPACR_EL1 || (v->cpu.world->quirks & QUIRK_ZEN);
    return has_zen ? value : value & ~(uint64_t)CPACR_ZEN;
}

bool sysreg_operation(void *cpu, const struct engine_system *op)
{
    struct arm64_vcpu *v = cpu;
    struct engine *e = v->cpu.world->engine;
    bool el0 = at_el0(engine_mode(e));
    if (op->number >> 14 == 1)
        return system_instruction(v, op, el0);
    const struct row *r = &rows[v->sysregs->row[op->number]];
    if (el0 && !el0_may(v, r, op->is_read))
        return false;
    if (r->kind == SAVED_STATE) {
        exception_note_spsr(v, op->value);
        return false;
    }
    if (r->kind == TRANSLATION) {
        uint64_t value = implemented_bits(v, r->encoding, op->value);
        write_translation(v, r->encoding, value);
        if (value == op->value)
            return false;
        engine_set_sysreg(e, r->encoding, value);
        return true;
    }
    if (op->is_read) {
        engine_set_x(e, op->n, read_row(v, r));
        return true;
    }
    write_row(v, r, op->value);
    /* The engine's own EL0 checks need these. */
    return r->kind != TIMER_CONTROL && r->kind != PMU_USER;
}

/* Undefined to the engine ------------------------------------------------------------------------
 */

static bool is_register_move(uint32_t word)
{
    return (word & 0xffd00000) == 0xd5100000;
}

/* ISS for a trapped MSR, MRS or system instruction (D19.2.37, EC 0x18). */
static uint32_t sysreg_iss(uint32_t word)
{
    unsigned encoding = sysreg_encoding(word);
    return (encoding >> 14) << 20 | (encoding & 7) << 17 | (encoding >> 11 & 7) << 14 |
           (encoding >> 7 & 15) << 10 | (word & 31) << 5 | (encoding >> 3 & 15) << 1 |
           (word >> 21 & 1);
}

static enum exit_result exit_for_sysreg(struct arm64_vcpu *v, struct guest_exit *x, bool is_read,
                                        unsigned rt)
{
    x->is_write = !is_read;
    x->value = is_read ? 0 : engine_x(v->cpu.world->engine, rt);
    enum exit_result result = v->cpu.world->exit(v->cpu.world->context, &v->cpu, x);
    if (result == EXIT_DONE && is_read)
        engine_set_x(v->cpu.world->engine, rt, x->value);
    return result;
}

bool sysreg_is_undefined(struct arm64_vcpu *v, uint32_t word)
{
    /* Of those it knows the engine refuses one for a reason, such as a read-only register. */
    const struct row *r = &rows[v->sysregs->row[sysreg_encoding(word)]];
    if (!is_register_move(word))
        return false;
    if (!at_el0(engine_mode(v->cpu.world->engine)))
        return r == rows || r->kind == ABSENT || engine_lacks(r);
    return engine_lacks(r) && el0_may(v, r, word >> 21 & 1);
}

bool sysreg_undefined(struct arm64_vcpu *v, uint32_t word)
{
    struct engine *e = v->cpu.world->engine;
    bool is_read = word >> 21 & 1;
    unsigned rt = word & 31, encoding = sysreg_encoding(word);
    const struct row *r = &rows[v->sysregs->row[encoding]];
    if (r != rows) {
        if (is_read)
            engine_set_x(e, rt, engine_lacks(r) ? read_row(v, r) : 0);
        else if (engine_lacks(r))
            write_row(v, r, engine_x(e, rt));
        return true;
    }
    uint64_t pc = engine_pc(e);
    struct guest_exit x = {
        .reason = EXIT_REGISTER_UNKNOWN,
        .pc = gva(pc),
        .next_pc = gva(pc + 4),
        .detail[EXIT_NUMBER] = encoding,
        .detail[EXIT_SYNDROME] = esr_of(EC_SYSREG, sysreg_iss(word)),
    };
    unsigned crn = encoding >> 7 & 15;
    if (encoding >> 11 == 3u << 3 && (crn == 12 || crn == 4))
        x.reason = EXIT_REGISTER; /* ICC_*_EL1 and ICC_PMR_EL1 */
    enum exit_result result = exit_for_sysreg(v, &x, is_read, rt);
    if (result == EXIT_STOPPED)
        engine_stop_soon(e);
    return result == EXIT_DONE || result == EXIT_STOPPED;
}

/* EL0 accesses that a control bit of EL1 traps are reported with EC 0x18 (or 0x01 for WFI, WFE);
 * everything else that is undefined has EC 0. */
static bool is_trapped_from_el0(const struct arm64_vcpu *v, uint32_t word)
{
    unsigned encoding = sysreg_encoding(word);
    unsigned op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15,
             crm = encoding >> 3 & 15;
    if (is_register_move(word)) {
        const struct row *r = &rows[v->sysregs->row[encoding]];
        if (r->el0 == EL0_TIMER || r->el0 == EL0_PMU || r->el0 == EL0_PMU_SELECT ||
            r->el0 == EL0_CACHE_TYPE)
            return true;
        return encoding == SYSREG(3, 3, 4, 2, 1); /* DAIF: SCTLR_EL1.UMA */
    }
    if ((word & 0xfff8f01f) == 0xd500401f) /* MSR (immediate): DAIFSet, DAIFClr */
        return (word >> 16 & 7) == 3 && (word >> 5 & 6) == 6;
    return op0 == 1 && op1 == 3 && crn == 7 && (crm == 4 || crm == 5 || crm >= 10);
}

uint32_t sysreg_esr_of_undefined(struct arm64_vcpu *v, uint32_t word)
{
    if (!at_el0(engine_mode(v->cpu.world->engine)))
        return esr_of(EC_UNKNOWN, 0);
    if ((word & 0xffffffdf) == 0xd503205f) /* WFE (CRm:op2 = 0:2) or WFI (0:3) */
        return esr_of(EC_WFX, ISS_ALWAYS | (word == 0xd503205f));
    if ((word & 0xffc00000) == 0xd5000000 && is_trapped_from_el0(v, word))
        return esr_of(EC_SYSREG, sysreg_iss(word));
    return esr_of(EC_UNKNOWN, 0);
}

bool arm64_has_granule(const struct arm64_vcpu *v, unsigned kib)
{
    uint64_t mmfr0 = identity(v, SYSREG(3, 0, 0, 7, 0));
    return kib == 16   ? (mmfr0 >> 20 & 15) != 0
           : kib == 64 ? (mmfr0 >> 24 & 15) == 0
                       : (mmfr0 >> 28 & 15) != 15;
}

/* Reset -------------------------------------------------------------------------------------------
 */

static void note_features(struct arm64_vcpu *v)
{
    uint64_t mmfr0 = identity(v, SYSREG(3, 0, 0, 7, 0)), mmfr1 = identity(v, SYSREG(3, 0, 0, 7, 1));
    static const uint8_t pa_bits[16] = {32, 36, 40, 42, 44, 48, 48, 48, 48};
    v->stage1.pa_bits = pa_bits[mmfr0 & 15] ? pa_bits[mmfr0 & 15] : 48;
    v->stage1.has_16k = arm64_has_granule(v, 16);
    v->stage1.has_64k = arm64_has_granule(v, 64);
    v->stage1.has_ha = (mmfr1 & 15) >= 1;
    v->stage1.has_hd = (mmfr1 & 15) >= 2;
    v->stage1.has_hpd = (mmfr1 >> 12 & 15) != 0;
    v->has_pan = (mmfr1 >> 20 & 15) != 0;
}

void sysregs_reset(struct arm64_vcpu *v)
{
    static const struct {
        unsigned encoding;
        uint64_t value;
    } engine_values[] = {
        {SYS_SCTLR_EL1, 0x00c50838},
        {SYS_CPACR_EL1, 0},
        {SYS_TCR_EL1, 0},
        {SYS_MAIR_EL1, 0},
        {SYS_VBAR_EL1, 0},
        {SYS_ESR_EL1, 0},
        {SYS_FAR_EL1, 0},
        {SYS_PAR_EL1, 0},
        {SYS_ELR_EL1, 0},
        {SYS_TPIDR_EL0, 0},
        {SYS_TPIDR_EL1, 0},
        {SYS_TPIDRRO_EL0, 0},
        {SYS_CONTEXTIDR_EL1, 0},
    };
    for (size_t i = 0; i < sizeof engine_values / sizeof engine_values[0]; i++) {
        engine_set_sysreg(v->cpu.world->engine, engine_values[i].encoding, engine_values[i].value);
        write_translation(v, engine_values[i].encoding, engine_values[i].value);
    }
    v->stage1.ttbr0 = v->stage1.ttbr1 = 0;
    note_features(v);
    v->cntkctl = 0;
    v->mdscr = 0;
    v->oslsr = 8 | 2; /* the OS Lock is set at reset (D2.5.9) */
    debug_regime_changed(v);
    pmu_reset(v);
    memset(v->dbgbcr, 0, sizeof v->dbgbcr);
    memset(v->dbgwcr, 0, sizeof v->dbgwcr);
    memset(v->dbgbvr, 0, sizeof v->dbgbvr);
    memset(v->dbgwvr, 0, sizeof v->dbgwvr);
    tlb_invalidate_all(v->cpu.tlb);
}

uint64_t sysreg_value(struct arm64_vcpu *v, unsigned encoding)
{
    const struct row *r = &rows[v->sysregs->row[encoding]];
    bool is_ours = r->kind == TABLE_BASE || r->kind == DEBUG_CONTROL;
    return is_ours ? read_row(v, r) : engine_sysreg(v->cpu.world->engine, encoding);
}

void sysreg_restored(struct arm64_vcpu *v, unsigned encoding, uint64_t value)
{
    const struct row *r = &rows[v->sysregs->row[encoding]];
    if (r->kind == TABLE_BASE || r->kind == DEBUG_CONTROL) {
        write_row(v, r, value);
        return;
    }
    value = implemented_bits(v, encoding, value);
    engine_set_sysreg(v->cpu.world->engine, encoding, value);
    if (r->kind == TRANSLATION)
        write_translation(v, encoding, value);
    if (encoding == SYS_SPSR_EL1)
        exception_note_spsr(v, value);
}

void sysregs_restored(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    note_features(v);
    engine_set_sysreg(e, SYSREG(3, 0, 14, 1, 0), v->cntkctl);
    engine_set_sysreg(e, SYSREG(3, 3, 9, 14, 0), v->pmuserenr);
}

const char *sysreg_name(unsigned encoding)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].encoding == encoding && rows[i].name)
            return rows[i].name;
    return "?";
}

const char *arm64_own_sysreg(const struct arm64_vcpu *v, unsigned encoding)
{
    unsigned row = v->sysregs->row[encoding & 0xffff];
    return row ? rows[row].name : NULL;
}
