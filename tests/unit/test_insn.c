/* Every A64 instruction that the models advertise and that touches memory, by the encoding tables
 * of the Arm ARM (C4.1.91, C6.2, C7.2), against the decoder: each row with random registers and
 * offsets. Rows that Capstone knows must have their name there, too; words of the load and store
 * space that no row covers must be no access. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "cpu/arm64/engine_arm64.h"
#include "cpu/arm64/insn.h"
#include "suite.h"

enum mode {
    NONE, /* no access: prefetches, maintenance of everything */
    BASE, /* [Xn] */
    UIMM, /* [Xn, #imm12 * bytes] */
    IMM9, /* [Xn, #imm9] */
    PRE,
    POST,     /* the same with write-back */
    REGISTER, /* [Xn, Rm, extend #s] */
    PAIR_OFFSET,
    PAIR_PRE,
    PAIR_POST,      /* #imm7 * bytes */
    LITERAL,        /* PC + imm19 * 4 */
    STRUCTURE_POST, /* [Xn], Xm or #size */
    VA,             /* Xt is the address */
};
enum { WRITE = 1, SIGNED = 2, TO_64 = 4, ORDERED = 8, SYNDROME = 16, EL0 = 32, RT2 = 64, CM = 128 };

struct row {
    char name[12];
    uint32_t value, fixed; /* the other bits are random */
    enum insn_memory_class class;
    enum mode mode;
    unsigned bytes, count; /* of one access, and how many */
    unsigned flags;
    bool is_newer; /* than Capstone 4 */
};

static struct row rows[2048];
static size_t row_count;

static struct row *add(const char *name, uint32_t value, uint32_t fixed)
{
    ck_assert_uint_lt(row_count, sizeof rows / sizeof rows[0]);
    struct row *r = &rows[row_count++];
    *r = (struct row){.value = value, .fixed = fixed, .count = 1};
    snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

/* Rows --------------------------------------------------------------------------------------- */

/* size, opc and V of the load and store register groups. */
static const struct {
    const char *suffix;
    uint32_t bits;
    unsigned bytes, flags;
} registers[] =
    {
        {"b", 0x00000000, 1, WRITE},
        {"b", 0x00400000, 1, 0},
        {"sb", 0x00800000, 1, SIGNED | TO_64},
        {"sb", 0x00c00000, 1, SIGNED},
        {"h", 0x40000000, 2, WRITE},
        {"h", 0x40400000, 2, 0},
        {"sh", 0x40800000, 2, SIGNED | TO_64},
        {"sh", 0x40c00000, 2, SIGNED},
        {"", 0x80000000, 4, WRITE},
        {"", 0x80400000, 4, 0},
        {"sw", 0x80800000, 4, SIGNED | TO_64},
        {"", 0xc0000000, 8, WRITE | TO_64},
        {"", 0xc0400000, 8, TO_64},
},
  vectors[] = {
      {"", 0x04000000, 1, WRITE}, {"", 0x04400000, 1, 0},     {"", 0x44000000, 2, WRITE},
      {"", 0x44400000, 2, 0},     {"", 0x84000000, 4, WRITE}, {"", 0x84400000, 4, 0},
      {"", 0xc4000000, 8, WRITE}, {"", 0xc4400000, 8, 0},     {"", 0x04800000, 16, WRITE},
      {"", 0x04c00000, 16, 0},
};

static const struct {
    const char *letters;
    uint32_t value, fixed;
    enum mode mode;
    unsigned flags;
} forms[] = {
    {"r", 0x39000000, 0xffc00000, UIMM, SYNDROME},
    {"ur", 0x38000000, 0xffe00c00, IMM9, SYNDROME},
    {"r", 0x38000400, 0xffe00c00, POST, 0},
    {"r", 0x38000c00, 0xffe00c00, PRE, 0},
    {"r", 0x38204800, 0xffe04c00, REGISTER, SYNDROME},
    {"tr", 0x38000800, 0xffe00c00, IMM9, SYNDROME | EL0},
};

static void add_register_forms(void)
{
    char name[16];
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
            snprintf(name, sizeof name, "%s%s%s", registers[i].flags & WRITE ? "st" : "ld",
                     forms[f].letters, registers[i].suffix);
            struct row *r = add(name, forms[f].value | registers[i].bits, forms[f].fixed);
            r->class = INSN_SINGLE;
            r->mode = forms[f].mode;
            r->bytes = registers[i].bytes;
            r->flags = registers[i].flags | forms[f].flags;
        }
        for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
            if (forms[f].flags & EL0)
                continue;
            snprintf(name, sizeof name, "%s%s", vectors[i].flags & WRITE ? "st" : "ld",
                     forms[f].letters);
            struct row *r = add(name, forms[f].value | vectors[i].bits, forms[f].fixed);
            r->class = INSN_VECTOR;
            r->mode = forms[f].mode;
            r->bytes = vectors[i].bytes;
            r->flags = vectors[i].flags;
        }
    }
    add("prfm", 0xf9800000, 0xffc00000);
    add("prfum", 0xf8800000, 0xffe00c00);
    add("prfm", 0xf8a04800, 0xffe04c00);
}

static void add_literals(void)
{
    static const struct {
        uint32_t value;
        enum insn_memory_class class;
        unsigned bytes, flags;
    } list[] = {
        {0x18000000, INSN_SINGLE, 4, SYNDROME},
        {0x58000000, INSN_SINGLE, 8, SYNDROME | TO_64},
        {0x98000000, INSN_SINGLE, 4, SYNDROME | TO_64 | SIGNED},
        {0x1c000000, INSN_VECTOR, 4, 0},
        {0x5c000000, INSN_VECTOR, 8, 0},
        {0x9c000000, INSN_VECTOR, 16, 0},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct row *r = add(list[i].flags & SIGNED ? "ldrsw" : "ldr", list[i].value, 0xff000000);
        r->class = list[i].class;
        r->mode = LITERAL;
        r->bytes = list[i].bytes;
        r->flags = list[i].flags;
    }
    add("prfm", 0xd8000000, 0xff000000);
}

/* opc, V and the bytes of each. */
static void add_pairs(void)
{
    static const struct {
        uint32_t bits;
        enum insn_memory_class class;
        unsigned bytes, flags;
    } list[] = {
        {0x00000000, INSN_PAIR, 4, 0},     {0x40000000, INSN_PAIR, 4, SIGNED | TO_64},
        {0x80000000, INSN_PAIR, 8, TO_64}, {0x04000000, INSN_VECTOR, 4, 0},
        {0x44000000, INSN_VECTOR, 8, 0},   {0x84000000, INSN_VECTOR, 16, 0},
    };
    static const struct {
        uint32_t bits;
        const char *letter;
        enum mode mode;
    } index[] = {{0, "n", PAIR_OFFSET},
                 {1u << 23, "", PAIR_POST},
                 {2u << 23, "", PAIR_OFFSET},
                 {3u << 23, "", PAIR_PRE}};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        for (size_t n = 0; n < 4; n++)
            for (uint32_t load = 0; load < 2; load++) {
                bool is_signed = list[i].flags & SIGNED;
                char name[16];
                if (is_signed && (!load || n == 0))
                    continue;
                snprintf(name, sizeof name, "%s%sp%s", load ? "ld" : "st", index[n].letter,
                         is_signed ? "sw" : "");
                struct row *r =
                    add(name, 0x28000000 | list[i].bits | index[n].bits | load << 22, 0xffc00000);
                r->class = list[i].class;
                r->mode = index[n].mode;
                r->bytes = list[i].bytes;
                r->count = 2;
                r->flags = list[i].flags | (load ? 0 : WRITE) | RT2;
            }
}

static const char *const sizes[] = {"b", "h", "", ""};

static struct row *add_sized(const char *name, unsigned size, uint32_t value, uint32_t fixed)
{
    char text[24];
    snprintf(text, sizeof text, "%s%s", name, sizes[size]);
    struct row *r = add(text, (uint32_t)size << 30 | value, fixed);
    r->mode = BASE;
    r->bytes = 1u << size;
    r->flags = size == 3 ? TO_64 : 0;
    return r;
}

static void add_exclusives(unsigned size)
{
    static const char *const names[] = {"ldxr", "ldaxr", "stxr", "stlxr"};
    static const char *const pairs[] = {"ldxp", "ldaxp", "stxp", "stlxp"};
    for (uint32_t ordered = 0; ordered < 2; ordered++) {
        struct row *r = add_sized(names[ordered], size, 0x085f7c00 | ordered << 15, 0xfffffc00);
        r->class = INSN_EXCLUSIVE;
        r = add_sized(names[2 + ordered], size, 0x08007c00 | ordered << 15, 0xffe0fc00);
        r->class = INSN_EXCLUSIVE;
        r->flags |= WRITE;
        if (size < 2)
            continue;
        r = add_sized(pairs[ordered], size, 0x087f0000 | ordered << 15, 0xffff8000);
        r->class = INSN_EXCLUSIVE;
        r->flags |= RT2;
        r->count = 2;
        r = add_sized(pairs[2 + ordered], size, 0x08200000 | ordered << 15, 0xffe08000);
        r->class = INSN_EXCLUSIVE;
        r->flags |= RT2 | WRITE;
        r->count = 2;
    }
    struct row *r = add_sized("ldar", size, 0x08dffc00, 0xfffffc00);
    r->class = INSN_SINGLE;
    r->flags |= SYNDROME | ORDERED;
    r = add_sized("stlr", size, 0x089ffc00, 0xfffffc00);
    r->class = INSN_SINGLE;
    r->flags |= SYNDROME | ORDERED | WRITE;
}

static struct row *newer(struct row *r, enum insn_memory_class class, unsigned flags)
{
    r->is_newer = true;
    r->class = class;
    r->flags |= flags;
    return r;
}

/* FEAT_LSE: CAS, CASP, LD<op>, SWP, each with A and R. */
static void add_lse(unsigned size)
{
    for (uint32_t order = 0; order < 4; order++) {
        uint32_t a = order & 1, r = order >> 1;
        newer(add_sized("cas", size, 0x08a07c00 | a << 22 | r << 15, 0xffe0fc00), INSN_ATOMIC,
              WRITE);
        for (uint32_t operation = 0; operation <= 8; operation++)
            newer(add_sized("ldop", size, 0x38200000 | a << 23 | r << 22 | operation << 12,
                            0xffe0fc00),
                  INSN_ATOMIC, WRITE);
        if (size < 2)
            continue;
        /* bit 30 is sz; Rs and Rt are even. */
        struct row *p =
            newer(add("casp", 0x08207c00 | (size - 2) << 30 | a << 22 | r << 15, 0xffe1fc01),
                  INSN_ATOMIC, WRITE | (size == 3 ? TO_64 : 0));
        p->mode = BASE;
        p->bytes = 1u << size;
        p->count = 2;
    }
}

/* FEAT_LRCPC, FEAT_LRCPC2. */
static void add_lrcpc(void)
{
    for (unsigned size = 0; size < 4; size++)
        newer(add_sized("ldapr", size, 0x38a0c000, 0xffe0fc00), INSN_SINGLE, SYNDROME | ORDERED);
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
        struct row *r = newer(add("ldapur", 0x19000000 | registers[i].bits, 0xffe00c00),
                              INSN_SINGLE, SYNDROME | ORDERED | registers[i].flags);
        r->mode = IMM9;
        r->bytes = registers[i].bytes;
    }
}

static void add_structure(const char *name, uint32_t value, uint32_t fixed, unsigned bytes,
                          unsigned count)
{
    for (uint32_t form = 0; form < 4; form++) {
        bool load = form & 1, post = form & 2;
        char text[16];
        snprintf(text, sizeof text, "%s%s", load ? "ld" : "st", name);
        struct row *r = add(text, value | (uint32_t)load << 22 | (uint32_t)post << 23,
                            fixed | (post ? 0 : 0x001f0000));
        r->class = INSN_VECTOR;
        r->mode = post ? STRUCTURE_POST : BASE;
        r->bytes = bytes;
        r->count = count;
        r->flags = load ? 0 : WRITE;
    }
}

static void add_structures(void)
{
    static const struct {
        const char *name;
        uint32_t opcode;
        unsigned registers;
    } multiple[] = {{"1", 7, 1}, {"1", 10, 2}, {"1", 6, 3}, {"1", 2, 4},
                    {"2", 8, 2}, {"3", 4, 3},  {"4", 0, 4}};
    for (size_t i = 0; i < sizeof multiple / sizeof multiple[0]; i++)
        for (uint32_t q = 0; q < 2; q++)
            for (uint32_t size = 0; size < 4; size++) {
                if (multiple[i].name[0] != '1' && size == 3 && !q)
                    continue; /* reserved */
                add_structure(multiple[i].name,
                              0x0c000000 | q << 30 | multiple[i].opcode << 12 | size << 10,
                              0xffe0fc00, 1u << size, multiple[i].registers * (8u + 8 * q) >> size);
            }
    for (unsigned n = 1; n <= 4; n++) {
        char name[4];
        uint32_t selem = (uint32_t)((n - 1) & 1) << 21 | (uint32_t)((n - 1) >> 1) << 13;
        snprintf(name, sizeof name, "%u", n);
        add_structure(name, 0x0d000000 | selem, 0xbfe0e000, 1, n);
        add_structure(name, 0x0d004000 | selem, 0xbfe0e400, 2, n);
        add_structure(name, 0x0d008000 | selem, 0xbfe0ec00, 4, n);
        add_structure(name, 0x0d008400 | selem, 0xbfe0fc00, 8, n);
        for (uint32_t size = 0; size < 4; size++)
            for (uint32_t post = 0; post < 2; post++) {
                char text[8];
                snprintf(text, sizeof text, "ld%ur", n);
                struct row *r = add(text, 0x0d40c000 | selem | size << 10 | post << 23,
                                    0xbfe0fc00 | (post ? 0 : 0x001f0000));
                r->class = INSN_VECTOR;
                r->mode = post ? STRUCTURE_POST : BASE;
                r->bytes = 1u << size;
                r->count = n;
            }
    }
}

static void add_maintenance(void)
{
    struct row *r = add("dc", 0xd50b7420, 0xffffffe0); /* ZVA */
    r->class = INSN_ZERO;
    r->mode = VA;
    r->flags = WRITE;
    static const uint32_t by_address[] = {0xd5087620, 0xd50b7520, 0xd50b7a20, 0xd50b7b20,
                                          0xd50b7e20};
    for (size_t i = 0; i < sizeof by_address / sizeof by_address[0]; i++) {
        r = add(i == 1 ? "ic" : "dc", by_address[i], 0xffffffe0);
        r->class = INSN_CACHE;
        r->mode = VA;
        r->flags = WRITE | CM;
    }
    add("dc", 0xd5087640, 0xffffffe0); /* ISW */
    add("ic", 0xd508751f, 0xffffffff); /* IALLU */
    add("at", 0xd5087800, 0xffffffe0); /* S1E1R */
}

static void setup(void)
{
    row_count = 0;
    add_register_forms();
    add_literals();
    add_pairs();
    for (unsigned size = 0; size < 4; size++) {
        add_exclusives(size);
        add_lse(size);
    }
    add_lrcpc();
    add_structures();
    add_maintenance();
}

/* A register file ------------------------------------------------------------------------------ */

struct engine {
    struct engine_head head;
    uint64_t x[31], sp;
};

static uint64_t file_get(struct engine *e, unsigned id)
{
    return id == ARM64_SP ? e->sp : e->x[id];
}

static const struct engine_ops file_ops = {.get = file_get};
static struct engine file = {.head = {&file_ops}};

static uint64_t seed = 1;

static uint64_t random_bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void shuffle_registers(void)
{
    for (unsigned i = 0; i < 31; i++)
        file.x[i] = random_bits();
    file.sp = random_bits();
}

/* What is right -------------------------------------------------------------------------------- */

static int64_t field(uint32_t word, unsigned low, unsigned width, bool is_signed)
{
    int64_t value = (int64_t)(word >> low) & ((1 << width) - 1);
    return is_signed && value >> (width - 1) ? value - (1 << width) : value;
}

static uint64_t extended(uint32_t word, unsigned bytes)
{
    uint64_t value = engine_x(&file, (unsigned)field(word, 16, 5, false));
    unsigned option = word >> 13 & 7;
    if (option == 2)
        value &= 0xffffffff;
    if (option == 6)
        value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    return word >> 12 & 1 ? value * bytes : value;
}

static struct insn_memory right_one(const struct row *r, uint32_t word, uint64_t pc)
{
    unsigned rn = word >> 5 & 31, rm = word >> 16 & 31;
    uint64_t base = rn == 31 ? file.sp : file.x[rn];
    uint64_t imm9 = (uint64_t)field(word, 12, 9, true);
    uint64_t imm7 = (uint64_t)(field(word, 15, 7, true) * (int64_t)r->bytes);
    struct insn_memory m = {
        .class = r->class,
        .address = base,
        .size = (uint64_t)r->bytes * r->count,
        .access_size = r->bytes,
        .is_write = r->flags & WRITE,
        .unprivileged = r->flags & EL0,
        .sign_extend = r->flags & SIGNED,
        .to_64 = r->flags & TO_64,
        .ordered = r->flags & ORDERED,
        .rt = word & 31,
        .rt2 = word >> 10 & 31,
        .rn = rn,
        .syndrome_valid = r->flags & SYNDROME,
    };
    switch (r->mode) {
    case NONE:
    case BASE:
        break;
    case UIMM:
        m.address += (uint64_t)field(word, 10, 12, false) * r->bytes;
        break;
    case IMM9:
        m.address += imm9;
        break;
    case REGISTER:
        m.address += extended(word, r->bytes);
        break;
    case PAIR_OFFSET:
        m.address += imm7;
        break;
    case PRE:
    case PAIR_PRE:
        m.writeback = true;
        m.address += r->mode == PRE ? imm9 : imm7;
        m.writeback_value = m.address;
        break;
    case POST:
    case PAIR_POST:
        m.writeback = true;
        m.writeback_value = base + (r->mode == POST ? imm9 : imm7);
        break;
    case LITERAL:
        m.address = pc + (uint64_t)(field(word, 5, 19, true) * 4);
        break;
    case STRUCTURE_POST:
        m.writeback = true;
        m.writeback_value = base + (rm == 31 ? m.size : file.x[rm]);
        break;
    case VA:
        m.argument = engine_x(&file, m.rt);
        m.size = r->class == INSN_ZERO ? 64 : 1;
        m.address = m.argument / m.size * m.size;
        break;
    }
    return m;
}

static uint32_t right_syndrome(const struct row *r, uint32_t word)
{
    uint32_t iss = r->flags & CM ? 1u << 8 : 0;
    if (r->flags & SYNDROME) {
        iss |= 1u << 24 | (word & 31) << 16;
        iss |= (r->bytes == 1 ? 0u : r->bytes == 2 ? 1u : r->bytes == 4 ? 2u : 3u) << 22;
        iss |= r->flags & SIGNED ? 1u << 21 : 0;
        iss |= r->flags & TO_64 ? 1u << 15 : 0;
        iss |= r->flags & ORDERED ? 1u << 14 : 0;
    }
    return iss;
}

static void compare(const struct row *r, uint32_t word)
{
    uint64_t pc = random_bits() & ~(uint64_t)3;
    struct insn_memory is = insn_memory_decode(&file, pc, word), should = right_one(r, word, pc);
    bool general = r->class == INSN_SINGLE || r->class == INSN_PAIR;
#define SAME(member)                                                                               \
    if (is.member != should.member) /* a check that passes costs a write to a pipe */              \
    ck_abort_msg("%s 0x%08x: " #member " %#llx, not %#llx", r->name, word,                         \
                 (unsigned long long)is.member, (unsigned long long)should.member)
    SAME(class);
    if (r->class == INSN_NOT_MEMORY)
        return;
    SAME(address);
    SAME(size);
    SAME(is_write);
    SAME(unprivileged);
    SAME(syndrome_valid);
    SAME(writeback);
    SAME(argument);
    if (insn_syndrome(&is) != right_syndrome(r, word))
        ck_abort_msg("%s 0x%08x: ISS %#x", r->name, word, insn_syndrome(&is));
    if (insn_is_unprivileged(word) != should.unprivileged)
        ck_abort_msg("%s 0x%08x: whose rights?", r->name, word);
    if (r->mode != VA)
        SAME(access_size);
    if (should.writeback) {
        SAME(writeback_value);
        SAME(rn);
    }
    if (general) {
        SAME(sign_extend);
        SAME(to_64);
        SAME(ordered);
        SAME(rt);
    }
    if (r->flags & RT2 && r->class != INSN_VECTOR) {
        SAME(rt2);
    }
}

START_TEST(each_instruction_of_the_tables)
{
    for (size_t i = 0; i < row_count; i++)
        for (unsigned n = 0; n < 64; n++) {
            shuffle_registers();
            uint32_t any = n == 0 ? 0 : n == 1 ? UINT32_MAX : (uint32_t)random_bits();
            compare(&rows[i], rows[i].value | (any & ~rows[i].fixed));
        }
}
END_TEST

/* The tables above are right, as far as another disassembler can tell. */
START_TEST(another_disassembler_agrees)
{
    for (size_t i = 0; i < row_count; i++) {
        const struct row *r = &rows[i];
        /* Rt, Rt2 and Rn are 2, 3 and 4, Rs and Rm 5; the rest is 1 or 0. */
        uint32_t word = r->value | ((2u | 3u << 10 | 4u << 5 | 5u << 16) & ~r->fixed);
        char text[128];
        uint8_t bytes[4];
        store_le(bytes, word, sizeof bytes);
        disasm_text("arm64", 0, bytes, sizeof bytes, text, sizeof text);
        if (r->is_newer)
            continue;
        size_t length = strlen(r->name);
        ck_assert_msg(strncmp(text, r->name, length) == 0 && text[length] == ' ',
                      "0x%08x is %s, not %s", word, text, r->name);
    }
}
END_TEST

static bool has_row(uint32_t word)
{
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].class != INSN_NOT_MEMORY && (word & rows[i].fixed) == rows[i].value)
            return true;
    return false;
}

/* op0 = x1x0, and everything else at random. */
START_TEST(what_is_in_no_table_is_no_access)
{
    for (unsigned n = 0; n < 300000; n++) {
        uint32_t word = ((uint32_t)random_bits() & ~0x0a000000u) | 0x08000000;
        struct insn_memory m = insn_memory_decode(&file, 0, word);
        /* Has fields that should be ones and mean nothing, and registers that should be even. */
        bool is_exclusive = (word & 0x3f000000) == 0x08000000;
        if (!is_exclusive && (m.class != INSN_NOT_MEMORY) != has_row(word))
            ck_abort_msg("0x%08x: class %d", word, (int)m.class);
    }
}
END_TEST

START_TEST(other_instructions_are_no_accesses)
{
    for (unsigned n = 0; n < 100000; n++) {
        uint32_t word = (uint32_t)random_bits();
        bool may_be_one = (word >> 25 & 5) == 4 || word >> 22 == 0x354;
        if (!may_be_one && insn_memory_decode(&file, 0, word).class != INSN_NOT_MEMORY)
            ck_abort_msg("0x%08x", word);
    }
}
END_TEST

START_TEST(what_keeps_sp_a_multiple_of_16)
{
    static const struct {
        uint32_t word;
        bool misaligns;
    } words[] = {
        {0x910043ff, false}, /* add sp, sp, #16 */
        {0xd10023ff, true},  /* sub sp, sp, #8 */
        {0x914007ff, false}, /* add sp, sp, #1, lsl #12 */
        {0x9100013f, true},  /* mov sp, x9 */
        {0x910003e9, false}, /* mov x9, sp */
        {0xf10043ff, false}, /* subs xzr, sp, #16 */
        {0xcb2063ff, true},  /* sub sp, sp, x0 */
        {0xeb2063ff, false}, /* subs xzr, sp, x0 */
        {0x927cec1f, true},  /* and sp, x0, #~15 */
        {0xf27cec1f, false}, /* tst x0, #~15 */
        {0xa9bf7bfd, false}, /* stp x29, x30, [sp, #-16]! */
        {0x28c107e0, true},  /* ldp w0, w1, [sp], #8 */
        {0xa9407bfd, false}, /* ldp x29, x30, [sp] */
        {0xf84087e0, true},  /* ldr x0, [sp], #8 */
        {0xf81f0fe0, false}, /* str x0, [sp, #-16]! */
        {0xf8408400, false}, /* ldr x0, [x0], #8 */
        {0x4cdf7be0, true},  /* ld1 {v0.4s}, [sp], #16 */
        {0x4c407be0, false}, /* ld1 {v0.4s}, [sp] */
        {0xf94003e0, false}, /* ldr x0, [sp] */
        {0xf86168ff, false}, /* ldr xzr, [x7, x1] */
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_msg(insn_misaligns_sp(words[i].word) == words[i].misaligns, "%08x",
                      words[i].word);
    ck_assert(insn_has_register_offset(0xf86168ff));  /* ldr xzr, [x7, x1] */
    ck_assert(!insn_has_register_offset(0xf94003e0)); /* ldr x0, [sp] */
    ck_assert(!insn_has_register_offset(0xf84087e0)); /* ldr x0, [sp], #8 */
    ck_assert(insn_may_be_ordered(0xc8dffc01));       /* ldar x1, [x0] */
    ck_assert(insn_may_be_ordered(0xf8bfc001));       /* ldapr x1, [x0] */
    ck_assert(insn_may_be_ordered(0x99400001));       /* ldapur w1, [x0] */
    ck_assert(!insn_may_be_ordered(0xf94003e0));
}
END_TEST

START_TEST(alignment_is_of_the_whole_where_it_is_atomic)
{
    static const struct {
        uint32_t word;
        unsigned alignment;
    } list[] = {
        {0xf8400020, 8},  /* ldur x0, [x1] */
        {0xa9400820, 8},  /* ldp x0, x2, [x1] */
        {0xc87f0820, 16}, /* ldxp x0, x2, [x1] */
        {0x48207c82, 16}, /* casp x0, x1, x2, x3, [x4] */
        {0xb8200041, 4},  /* ldadd w0, w1, [x2] */
        {0x3dc00020, 16}, /* ldr q0, [x1] */
        {0x4c407420, 2},  /* ld1 {v0.8h}, [x1] */
        {0xd50b7420, 0},  /* dc zva, x0 */
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct insn_memory m = insn_memory_decode(&file, 0, list[i].word);
        ck_assert_uint_eq(insn_alignment(&m), list[i].alignment);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("insn");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, each_instruction_of_the_tables);
    tcase_add_test(t, another_disassembler_agrees);
    tcase_add_test(t, what_is_in_no_table_is_no_access);
    tcase_add_test(t, other_instructions_are_no_accesses);
    tcase_add_test(t, alignment_is_of_the_whole_where_it_is_atomic);
    tcase_add_test(t, what_keeps_sp_a_multiple_of_16);
    return suite_main("cpu/insn", t);
}
