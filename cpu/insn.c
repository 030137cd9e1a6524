#include "cpu/insn.h"

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

/* opc of the GPR forms: 0 store, 1 load, 2 load signed to X, 3 load signed to W (or prefetch). */
static void decode_gpr_single(struct insn_memory *m, uint32_t word)
{
    unsigned size = bits(word, 31, 30), opc = bits(word, 23, 22);
    m->class = INSN_SINGLE;
    m->access_size = 1u << size;
    m->size = m->access_size;
    m->rt = bits(word, 4, 0);
    m->is_write = opc == 0;
    m->sign_extend = opc >= 2;
    m->to_64 = opc == 2 || (opc < 2 && size == 3);
    m->syndrome_valid = true;
}

static void decode_vector_single(struct insn_memory *m, uint32_t word)
{
    m->class = INSN_VECTOR;
    m->size = (uint64_t)1 << (bits(word, 31, 30) | bits(word, 23, 23) << 2);
    m->is_write = !bit(word, 22);
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

/* Load/store register: unsigned immediate, unscaled, pre/post-indexed, unprivileged, register
 * offset, atomics (LSE). */
static void decode_register_form(struct insn_memory *m, struct engine *e, uint32_t word)
{
    bool vector = bit(word, 26);
    unsigned scale = bits(word, 31, 30);
    if (vector) {
        decode_vector_single(m, word);
        scale |= bits(word, 23, 23) << 2;
    } else {
        decode_gpr_single(m, word);
    }
    m->rn = bits(word, 9, 5);
    uint64_t from = base(e, m->rn);
    if (bit(word, 24)) { /* unsigned immediate */
        m->address = from + ((uint64_t)bits(word, 21, 10) << scale);
        return;
    }
    int64_t imm9 = sign_extended(bits(word, 20, 12), 9);
    if (bit(word, 21)) {
        if (bits(word, 11, 10) == 2) {
            m->address = from + extended_offset(e, word, scale);
            return;
        }
        m->class = INSN_ATOMIC; /* bits 11:10 = 00: LD<op>, SWP, LDAPR */
        m->is_write = true;
        m->syndrome_valid = false;
        m->address = from;
        return;
    }
    switch (bits(word, 11, 10)) {
    case 0: /* unscaled */
        m->address = from + (uint64_t)imm9;
        break;
    case 2: /* unprivileged */
        m->unprivileged = true;
        m->address = from + (uint64_t)imm9;
        break;
    case 1: /* post-indexed */
        m->address = from;
        m->writeback = true;
        m->syndrome_valid = false;
        m->writeback_value = from + (uint64_t)imm9;
        break;
    default: /* pre-indexed */
        m->address = from + (uint64_t)imm9;
        m->writeback = true;
        m->syndrome_valid = false;
        m->writeback_value = m->address;
        break;
    }
}

static void decode_pair(struct insn_memory *m, struct engine *e, uint32_t word)
{
    bool vector = bit(word, 26);
    unsigned opc = bits(word, 31, 30), index = bits(word, 24, 23);
    unsigned scale = vector ? 2 + opc : opc == 2 ? 3 : 2;
    m->class = vector ? INSN_VECTOR : INSN_PAIR;
    m->access_size = 1u << scale;
    m->size = 2u << scale;
    m->is_write = !bit(word, 22);
    m->sign_extend = !vector && opc == 1;
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
    m->rn = bits(word, 9, 5);
    m->rt = bits(word, 4, 0);
    m->address = base(e, m->rn);
    m->access_size = 1u << size;
    m->size = m->access_size;
    m->to_64 = size == 3;
    if (o2 && !o1) { /* LDAR, STLR, LDLAR, STLLR */
        m->class = INSN_SINGLE;
        m->is_write = !load;
        m->ordered = true;
        m->syndrome_valid = true;
    } else if (o1 && (o2 || size < 2)) { /* CAS, and CASP (size is 0 or 1 there) */
        m->class = INSN_ATOMIC;
        m->is_write = true;
        if (!o2)
            m->size = size ? 16 : 8;
    } else {
        m->class = INSN_EXCLUSIVE;
        m->is_write = !load;
        if (o1)
            m->size *= 2;
    }
}

/* Advanced SIMD LD1..4/ST1..4, multiple and single structures. */
static void decode_structures(struct insn_memory *m, struct engine *e, uint32_t word)
{
    m->class = INSN_VECTOR;
    m->is_write = !bit(word, 22);
    m->rn = bits(word, 9, 5);
    m->address = base(e, m->rn);
    unsigned register_bytes = bit(word, 30) ? 16 : 8;
    if (!bit(word, 24)) {
        unsigned opcode = bits(word, 15, 12);
        unsigned registers = opcode == 7                   ? 1
                             : opcode == 8 || opcode == 10 ? 2
                             : opcode == 4 || opcode == 6  ? 3
                                                           : 4;
        m->size = registers * register_bytes;
        return;
    }
    unsigned opcode = bits(word, 15, 13), elements = (opcode & 1) * 2 + bits(word, 21, 21) + 1;
    unsigned scale = opcode >> 1;
    if (scale == 3)
        scale = bits(word, 11, 10); /* LD1R and friends */
    else if (scale == 2)
        scale = bit(word, 10) ? 3 : 2;
    m->size = (uint64_t)elements << scale;
}

static void decode_literal(struct insn_memory *m, uint64_t pc, uint32_t word)
{
    unsigned opc = bits(word, 31, 30);
    m->address = pc + (uint64_t)(sign_extended(bits(word, 23, 5), 19) * 4);
    m->rt = bits(word, 4, 0);
    if (bit(word, 26)) {
        m->class = INSN_VECTOR;
        m->size = 4u << opc;
        return;
    }
    m->class = INSN_SINGLE;
    m->access_size = opc == 1 ? 8 : 4;
    m->size = m->access_size;
    m->sign_extend = opc == 2;
    m->to_64 = opc != 0;
    m->syndrome_valid = true;
}

/* SYS instructions that take an address: op0 = 1, CRn = 7. */
static void decode_system(struct insn_memory *m, struct engine *e, uint32_t word)
{
    unsigned op1 = bits(word, 18, 16), crm = bits(word, 11, 8), op2 = bits(word, 7, 5);
    m->address = engine_x(e, bits(word, 4, 0));
    m->size = 1;
    if (op1 == 3 && crm == 4 && op2 == 1) {
        m->class = INSN_ZERO;
        m->size = 64; /* DCZID_EL0.BS = 4 */
        m->address &= ~(uint64_t)63;
    } else {
        m->class = INSN_CACHE;
    }
    /* Cache maintenance by VA reports WnR = 1 (ESR_EL1, ISS for Data Abort, CM). */
    m->is_write = true;
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
    switch (bits(word, 29, 28)) {
    case 0:
        if (bit(word, 26))
            decode_structures(&m, e, word);
        else
            decode_exclusive(&m, e, word);
        break;
    case 1:
        if (!bit(word, 24))
            decode_literal(&m, pc, word);
        break;
    case 2:
        decode_pair(&m, e, word);
        break;
    default:
        decode_register_form(&m, e, word);
        break;
    }
    return m;
}
