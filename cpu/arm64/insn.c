#include "cpu/arm64/insn.h"

#include "cpu/arm64/engine_arm64.h"

static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
    return word >> low & (uint32_t)(((uint64_t)1 << (high - low + 1)) - 1);
}

static bool bit(uint32_t word, unsigned n)
{
    return word >> n & 1;
}

static int64_t sign_extended(uint32_t value, unsigned width)
{
    uint64_t sign = (uint64_t)1 << (width - 1);
    return (int64_t)((value ^ sign) - sign);
}

static uint64_t base(struct engine *e, unsigned rn)
{
    return rn == 31 ? engine_sp(e) : engine_x(e, rn);
}

bool insn_is_unprivileged(uint32_t word)
{
    /* size 111 V=0 00 opc 0 imm9 10: "load/store register (unprivileged)". */
    return (word & 0x3f200c00) == 0x38000800;
}

bool insn_is_load_exclusive(uint32_t word)
{
    /* 001000 o2=0 L=1; with o1 only the word and doubleword pairs (else CASP). */
    return (word & 0x3fc00000) == 0x08400000 && (!bit(word, 21) || bit(word, 31));
}

bool insn_may_be_ordered(uint32_t word)
{
    uint32_t group = word & 0x3f000000;
    return group == 0x08000000 || group == 0x19000000 || (word & 0x3f200c00) == 0x38200000;
}

bool insn_has_register_offset(uint32_t word)
{
    /* size 111 V 00 opc 1 Rm option S 10. */
    return (word & 0x3b200c00) == 0x38200800;
}

/* A load or store that changes its base by something else than a multiple of 16. */
static bool moves_base_oddly(uint32_t word)
{
    bool vector = bit(word, 26);
    switch (bits(word, 29, 28)) {
    case 0: /* structures, post-indexed */
        return vector && bit(word, 23);
    case 2: {
        unsigned scale = vector ? 2 + bits(word, 31, 30) : bits(word, 31, 30) == 2 ? 3 : 2;
        return bit(word, 23) && (bits(word, 21, 15) << scale) % 16;
    }
    case 3:
        return !bit(word, 24) && bit(word, 10) && (bit(word, 21) || bits(word, 20, 12) % 16);
    default:
        return false;
    }
}

bool insn_misaligns_sp(uint32_t word)
{
    unsigned rd = bits(word, 4, 0), rn = bits(word, 9, 5);
    if ((bits(word, 28, 25) & 5) == 4)
        return rn == 31 && moves_base_oddly(word);
    if (rd != 31)
        return false;
    if ((word & 0x3f800000) == 0x11000000) /* ADD, SUB (immediate) */
        return rn != 31 || (!bit(word, 22) && bits(word, 21, 10) % 16);
    bool extended = (word & 0x3fe00000) == 0x0b200000; /* ADD, SUB (extended register) */
    bool logical = (word & 0x1f800000) == 0x12000000;  /* AND, ORR, EOR (immediate) */
    return extended || (logical && bits(word, 30, 29) != 3);
}

/* Of the group of LDXR and LDAR all that were there have CAS' o1 clear or are pairs, and LDLAR's o0
 * set. */
bool insn_is_after_v8_0(uint32_t word)
{
    bool o2 = bit(word, 23), o1 = bit(word, 21), o0 = bit(word, 15), large = bit(word, 31);
    if ((word & 0x3f000000) != 0x08000000)
        return insn_may_be_ordered(word);
    return o2 ? o1 || !o0 : o1 && !large;
}

/* Bases that loads and stores move: pre- and post-indexed ones, pairs, SIMD structures. */
static bool may_write_back(uint32_t word)
{
    return (word & 0x3b200400) == 0x38000400 || (word & 0x3a800000) == 0x28800000 ||
           (word & 0x3e800000) == 0x0c800000;
}

uint32_t insn_may_change_bases(uint32_t word)
{
    unsigned rs = bits(word, 20, 16);
    uint32_t to = 1u << bits(word, 4, 0);
    if ((bits(word, 28, 25) & 5) == 4) {
        to |= 1u << bits(word, 14, 10) | 1u << rs | 1u << (rs + 1) % 32;
        to |= may_write_back(word) ? 1u << bits(word, 9, 5) : 0;
    }
    return (to & 0x7fffffff) | (uint32_t)insn_misaligns_sp(word) << 31;
}

bool insn_is_fp(uint32_t word)
{
    /* op0 (28:25) = x111: data processing, scalar FP and Advanced SIMD; loads and stores with V. */
    uint32_t op0 = bits(word, 28, 25);
    if ((op0 & 7) == 7)
        return true;
    if ((op0 & 5) == 4 && bit(word, 26))
        return true;
    /* MRS/MSR of FPCR and FPSR: S3_3_C4_C4_0 and _1. */
    return (word & 0xffdfffc0) == 0xd51b4400;
}

/* opc of the GPR forms: 0 store, 1 load, 2 load signed to X, 3 load signed to W. False: a prefetch,
 * or there is no such load. */
static bool decode_gpr_single(struct insn_memory *m, uint32_t word)
{
    unsigned size = bits(word, 31, 30), opc = bits(word, 23, 22);
    if (opc >= 2 && size + opc >= 5)
        return false;
    m->class = INSN_SINGLE;
    m->access_size = 1u << size;
    m->size = m->access_size;
    m->rt = bits(word, 4, 0);
    m->is_write = opc == 0;
    m->sign_extend = opc >= 2;
    m->to_64 = opc == 2 || (opc < 2 && size == 3);
    m->syndrome_valid = true;
    return true;
}

/* opc<1>:size is log2 of the register's bytes. */
static bool decode_vector_single(struct insn_memory *m, uint32_t word)
{
    unsigned scale = bits(word, 31, 30) | bits(word, 23, 23) << 2;
    if (scale > 4)
        return false;
    m->class = INSN_VECTOR;
    m->access_size = 1u << scale;
    m->size = m->access_size;
    m->is_write = !bit(word, 22);
    return true;
}

static uint64_t extended_offset(struct engine *e, uint32_t word, unsigned shift)
{
    uint64_t value = engine_x(e, bits(word, 20, 16));
    switch (bits(word, 15, 13)) {
    case 2: /* UXTW */
        value = (uint32_t)value;
        break;
    case 6: /* SXTW */
        value = (uint64_t)sign_extended((uint32_t)value, 32);
        break;
    default: /* LSL, SXTX */
        break;
    }
    return value << (bit(word, 12) ? shift : 0);
}

/* LD<op>, SWP; and LDAPR, a load that lies among them. */
static void decode_atomic(struct insn_memory *m, uint32_t word)
{
    unsigned size = bits(word, 31, 30), operation = bits(word, 15, 12);
    bool is_ldapr = operation == 12 && bits(word, 23, 22) == 2;
    m->class = INSN_NOT_MEMORY;
    if (bit(word, 26) || (operation > 8 && !is_ldapr))
        return;
    m->class = is_ldapr ? INSN_SINGLE : INSN_ATOMIC;
    m->access_size = 1u << size;
    m->size = m->access_size;
    m->to_64 = size == 3;
    m->rt = bits(word, 4, 0);
    m->is_write = !is_ldapr;
    m->sign_extend = false; /* those bits are order here */
    m->ordered = is_ldapr;
    m->syndrome_valid = is_ldapr;
}

/* With a nine-bit offset: unscaled, post-indexed, unprivileged, pre-indexed. */
static void decode_unscaled(struct insn_memory *m, uint32_t word, uint64_t from)
{
    uint64_t indexed = from + (uint64_t)sign_extended(bits(word, 20, 12), 9);
    unsigned form = bits(word, 11, 10);
    m->address = form == 1 ? from : indexed;
    m->unprivileged = form == 2;
    m->writeback = form & 1;
    m->writeback_value = indexed;
    m->syndrome_valid &= !m->writeback;
    if (form == 2 && m->class == INSN_VECTOR)
        m->class = INSN_NOT_MEMORY;
}

/* Load/store register: unsigned immediate, those with a nine-bit offset, register offset, atomics.
 */
static void decode_register_form(struct insn_memory *m, struct engine *e, uint32_t word)
{
    bool vector = bit(word, 26), exists;
    exists = vector ? decode_vector_single(m, word) : decode_gpr_single(m, word);
    unsigned scale = bits(word, 31, 30) | (vector ? bits(word, 23, 23) << 2 : 0);
    m->rn = bits(word, 9, 5);
    m->address = base(e, m->rn);
    if (!bit(word, 24) && bit(word, 21) && bits(word, 11, 10) == 0)
        decode_atomic(m, word);
    else if (!exists)
        return;
    else if (bit(word, 24)) /* unsigned immediate */
        m->address += (uint64_t)bits(word, 21, 10) << scale;
    else if (!bit(word, 21))
        decode_unscaled(m, word, m->address);
    else if (bits(word, 11, 10) == 2 && bit(word, 14))
        m->address += extended_offset(e, word, scale);
    else /* LDRAA: not advertised */
        m->class = INSN_NOT_MEMORY;
}

/* LDAPUR*, STLUR*: FEAT_LRCPC2. */
static void decode_ordered_unscaled(struct insn_memory *m, struct engine *e, uint32_t word)
{
    if (bit(word, 26) || bit(word, 21) || bits(word, 11, 10) || !decode_gpr_single(m, word))
        return;
    m->rn = bits(word, 9, 5);
    m->ordered = true;
    m->address = base(e, m->rn) + (uint64_t)sign_extended(bits(word, 20, 12), 9);
}

static void decode_pair(struct insn_memory *m, struct engine *e, uint32_t word)
{
    bool vector = bit(word, 26), load = bit(word, 22);
    unsigned opc = bits(word, 31, 30), index = bits(word, 24, 23);
    unsigned scale = vector ? 2 + opc : opc == 2 ? 3 : 2;
    bool is_ldpsw = !vector && opc == 1;
    if (opc == 3 || (is_ldpsw && (!load || index == 0)))
        return;
    m->class = vector ? INSN_VECTOR : INSN_PAIR;
    m->access_size = 1u << scale;
    m->size = 2u << scale;
    m->is_write = !load;
    m->sign_extend = is_ldpsw;
    m->to_64 = opc != 0;
    m->rt = bits(word, 4, 0);
    m->rt2 = bits(word, 14, 10);
    m->rn = bits(word, 9, 5);
    uint64_t from = base(e, m->rn);
    uint64_t offset = (uint64_t)sign_extended(bits(word, 21, 15), 7) << scale;
    m->writeback = index == 1 || index == 3;
    m->writeback_value = from + offset;
    m->address = index == 1 ? from : from + offset;
}

/* o2 L o1 of "load/store exclusive", "ordered", and "compare and swap". */
static void decode_exclusive(struct insn_memory *m, struct engine *e, uint32_t word)
{
    unsigned size = bits(word, 31, 30);
    bool o2 = bit(word, 23), load = bit(word, 22), o1 = bit(word, 21);
    bool is_casp = !o2 && o1 && size < 2, is_pair = !o2 && o1;
    if (is_casp)
        size |= 2;
    m->rn = bits(word, 9, 5);
    m->rt = bits(word, 4, 0);
    m->rt2 = bits(word, 14, 10);
    m->address = base(e, m->rn);
    m->access_size = 1u << size;
    m->size = is_pair ? 2u << size : 1u << size;
    m->to_64 = size == 3;
    if (o2 && !o1) { /* LDAR, STLR, LDLAR, STLLR */
        m->class = INSN_SINGLE;
        m->is_write = !load;
        m->ordered = true;
        m->syndrome_valid = true;
    } else if (is_casp || (o2 && o1)) { /* CAS, CASP */
        m->class = INSN_ATOMIC;
        m->is_write = true;
    } else {
        m->class = INSN_EXCLUSIVE;
        m->is_write = !load;
    }
}

/* LD1..4, ST1..4 of whole registers, by opcode: how many registers; 0: there is none. */
static const uint8_t structure_registers[16] = {
    [0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};

static void decode_multiple_structures(struct insn_memory *m, uint32_t word)
{
    unsigned size = bits(word, 11, 10), opcode = bits(word, 15, 12);
    bool interleaves = !(opcode & 2), q = bit(word, 30);
    m->access_size = 1u << size;
    if (!interleaves || size < 3 || q) /* nothing to interleave in .1D */
        m->size = structure_registers[opcode] * (q ? 16u : 8u);
}

/* One lane of each register, or (opcode 11x) one element to all lanes. */
static void decode_single_structure(struct insn_memory *m, uint32_t word)
{
    unsigned opcode = bits(word, 15, 13), elements = (opcode & 1) * 2 + bits(word, 21, 21) + 1;
    unsigned scale = opcode >> 1, size = bits(word, 11, 10);
    bool exists = scale == 0 || (scale == 1 && !(size & 1)) ||
                  (scale == 2 && (size == 0 || (size == 1 && !bit(word, 12)))) ||
                  (scale == 3 && bit(word, 22) && !bit(word, 12));
    if (scale == 3)
        scale = size;
    else if (scale == 2 && size == 1)
        scale = 3;
    m->access_size = 1u << scale;
    m->size = exists ? (uint64_t)elements << scale : 0;
}

/* Advanced SIMD LD1..4/ST1..4, multiple and single structures. */
static void decode_structures(struct insn_memory *m, struct engine *e, uint32_t word)
{
    bool single = bit(word, 24), post_index = bit(word, 23);
    unsigned rm = bits(word, 20, 16);
    if (bit(word, 31) || (!post_index && rm) || (!single && bit(word, 21)))
        return;
    if (single)
        decode_single_structure(m, word);
    else
        decode_multiple_structures(m, word);
    if (!m->size)
        return;
    m->class = INSN_VECTOR;
    m->is_write = !bit(word, 22);
    m->rn = bits(word, 9, 5);
    m->address = base(e, m->rn);
    m->writeback = post_index;
    m->writeback_value = m->address + (rm == 31 ? m->size : engine_x(e, rm));
}

static void decode_literal(struct insn_memory *m, uint64_t pc, uint32_t word)
{
    unsigned opc = bits(word, 31, 30);
    bool vector = bit(word, 26);
    if (opc == 3) /* PRFM */
        return;
    m->address = pc + (uint64_t)(sign_extended(bits(word, 23, 5), 19) * 4);
    m->rt = bits(word, 4, 0);
    m->access_size = vector ? 4u << opc : opc == 1 ? 8 : 4;
    m->size = m->access_size;
    m->class = vector ? INSN_VECTOR : INSN_SINGLE;
    m->sign_extend = !vector && opc == 2;
    m->to_64 = !vector && opc != 0;
    m->syndrome_valid = !vector;
}

/* SYS instructions that take a virtual address and are no AT, as op1:CRm:op2 with CRn = 7. */
#define SYS7(op1, crm, op2) ((op1) << 7 | (crm) << 3 | (op2))

static enum insn_memory_class system_class(uint32_t word)
{
    switch (SYS7(bits(word, 18, 16), bits(word, 11, 8), bits(word, 7, 5))) {
    case SYS7(3, 4, 1): /* DC ZVA */
        return INSN_ZERO;
    case SYS7(0, 6, 1):  /* DC IVAC */
    case SYS7(3, 5, 1):  /* IC IVAU */
    case SYS7(3, 10, 1): /* DC CVAC */
    case SYS7(3, 11, 1): /* DC CVAU */
    case SYS7(3, 14, 1): /* DC CIVAC */
        return INSN_CACHE;
    default:
        return INSN_NOT_MEMORY;
    }
}

/* Cache maintenance by VA reports WnR = 1 (ESR_EL1, ISS for Data Abort, CM). */
static void decode_system(struct insn_memory *m, struct engine *e, uint32_t word)
{
    m->class = system_class(word);
    m->argument = engine_x(e, bits(word, 4, 0));
    m->address = m->argument;
    m->size = 1;
    m->is_write = true;
    if (m->class == INSN_ZERO) {
        m->size = 64; /* DCZID_EL0.BS = 4 */
        m->address &= ~(uint64_t)63;
    }
}

/* INSN_SINGLE, INSN_PAIR, and of INSN_VECTOR all but structures. */
static void note_registers(struct insn_memory *m, uint32_t word)
{
    bool vector = m->class == INSN_VECTOR && bits(word, 29, 28) != 0;
    bool pair = bits(word, 29, 28) == 2;
    if (vector || m->class == INSN_SINGLE || m->class == INSN_PAIR)
        m->registers = pair ? 2 : 1;
    if (vector) {
        m->rt = bits(word, 4, 0);
        m->rt2 = bits(word, 14, 10);
    }
}

struct insn_memory insn_memory_decode(struct engine *e, uint64_t pc, uint32_t word)
{
    struct insn_memory m = {0};
    if ((word & 0xfff8f000) == 0xd5087000) {
        decode_system(&m, e, word);
        return m;
    }
    if ((bits(word, 28, 25) & 5) != 4)
        return m;
    bool newer = bit(word, 24); /* in the first two groups, but for SIMD structures */
    switch (bits(word, 29, 28)) {
    case 0:
        if (bit(word, 26))
            decode_structures(&m, e, word);
        else if (!newer)
            decode_exclusive(&m, e, word);
        break;
    case 1:
        if (newer)
            decode_ordered_unscaled(&m, e, word);
        else
            decode_literal(&m, pc, word);
        break;
    case 2:
        decode_pair(&m, e, word);
        break;
    default:
        decode_register_form(&m, e, word);
        break;
    }
    note_registers(&m, word);
    return m;
}

uint32_t insn_syndrome(const struct insn_memory *m)
{
    uint32_t iss = m->class == INSN_CACHE ? ISS_CM : 0;
    if (!m->syndrome_valid)
        return iss;
    uint32_t log2_size = (uint32_t)__builtin_ctz(m->access_size);
    return iss | 1u << 24 | log2_size << 22 | (uint32_t)m->sign_extend << 21 |
           (uint32_t)m->rt << 16 | (uint32_t)m->to_64 << 15 | (uint32_t)m->ordered << 14;
}

/* Of the loads and stores: none that surely only reads. */
static bool may_store(uint32_t word)
{
    bool reads = bit(word, 22), vector = bit(word, 26);
    switch (bits(word, 29, 28)) {
    case 0: /* o1 is CAS, or with a large size and without o2 a pair */
        return !reads || (!vector && bit(word, 21) && (bit(word, 23) || !bit(word, 31)));
    case 1:
        return bit(word, 24);
    case 2:
        return !reads;
    default: /* opc is 2 or 3 for loads that extend the sign, and prefetches */
        if (!bit(word, 24) && bit(word, 21) && bits(word, 11, 10) != 2)
            return (word & 0x3ffffc00) != 0x38bfc000; /* LDAPR */
        return vector ? !reads : bits(word, 23, 22) == 0;
    }
}

enum insn_event insn_event(uint32_t word)
{
    if (word == 0xd503209f || (word & 0xfffff000) == 0xd69f0000) /* SEV; ERET, ERETAA, ERETAB */
        return INSN_SETS_EVENT | INSN_SENDS_EVENT;
    if (word == 0xd50320bf) /* SEVL */
        return INSN_SETS_EVENT;
    bool is_sys = (word & 0xfff80000) == 0xd5080000; /* DC ZVA is one */
    return is_sys || ((bits(word, 28, 25) & 5) == 4 && may_store(word)) ? INSN_SENDS_EVENT : 0;
}

uint64_t insn_extended(uint64_t value, const struct insn_memory *m)
{
    if (m->sign_extend && m->access_size < 8) {
        uint64_t sign = (uint64_t)1 << (8 * m->access_size - 1);
        value = (value ^ sign) - sign;
    }
    return m->to_64 ? value : (uint32_t)value;
}

void insn_write_back(struct engine *e, const struct insn_memory *m)
{
    if (!m->writeback)
        return;
    if (m->rn == 31)
        engine_set_sp(e, m->writeback_value);
    else
        engine_set_x(e, m->rn, m->writeback_value);
}
