/* Descriptors, memory types and syndromes as people read them (mmu/arm64/descriptor.c,
 * cpu/arm64/syndrome.c).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arm64/syndrome.h"
#include "mmu/arm64/descriptor.h"
#include "suite.h"

static struct descriptor decode(unsigned stage, int level, unsigned granule_bits, uint64_t value)
{
    struct walk_step step = {.stage = (uint8_t)stage,
                             .level = (int8_t)level,
                             .granule_bits = (uint8_t)granule_bits,
                             .descriptor = value};
    struct descriptor d;
    descriptor_decode(&step, &d);
    return d;
}

/* Of a field that must be there. */
static const struct descriptor_field *field(const struct descriptor *d, const char *name)
{
    for (size_t i = 0; i < d->field_count; i++)
        if (strcmp(d->fields[i].name, name) == 0)
            return &d->fields[i];
    ck_abort_msg("there is no field %s", name);
    return NULL;
}

START_TEST(kinds)
{
    ck_assert_int_eq(decode(1, 0, 12, 0).kind, DESCRIPTOR_INVALID);
    ck_assert_int_eq(decode(1, 0, 12, 0x40000001).kind, DESCRIPTOR_INVALID); /* no block there */
    ck_assert_int_eq(decode(1, 1, 12, 0x40000001).kind, DESCRIPTOR_BLOCK);
    ck_assert_int_eq(decode(1, 1, 14, 0x40000001).kind, DESCRIPTOR_INVALID);
    ck_assert_int_eq(decode(1, 1, 12, 0x40000003).kind, DESCRIPTOR_TABLE);
    ck_assert_int_eq(decode(1, 3, 12, 0x40000003).kind, DESCRIPTOR_PAGE);
    ck_assert_int_eq(decode(2, 3, 16, 0x40000001).kind, DESCRIPTOR_INVALID); /* reserved */
    ck_assert_uint_eq(decode(1, 0, 12, 0x40000001).field_count, 0);
}
END_TEST

START_TEST(outputs)
{
    struct descriptor d = decode(1, 2, 12, 0x0060000008200405);
    ck_assert_uint_eq(d.output, 0x8200000);
    ck_assert_uint_eq(d.output_size, 0x200000);
    d = decode(1, 3, 16, 0x0000123456785703); /* bits 15:12 are no address with 64 KiB */
    ck_assert_uint_eq(d.output, 0x123456780000);
    ck_assert_uint_eq(d.output_size, 0x10000);
    d = decode(2, 1, 12, 0x00000008804007ff);
    ck_assert_uint_eq(d.output, 0x880400000);
    ck_assert_uint_eq(d.field_count, 0); /* a stage 2 table has no attributes */
}
END_TEST

START_TEST(stage1_leaf_fields)
{
    /* AttrIndx 5, NS, AP 3, SH 2, AF, nG, DBM, Contiguous, PXN, UXN: each alone and all */
    static const struct {
        const char *name;
        uint64_t bits;
        unsigned value;
    } rows[] = {
        {"AttrIndx", (uint64_t)5 << 2, 5}, {"NS", (uint64_t)1 << 5, 1},
        {"AP[2:1]", (uint64_t)3 << 6, 3},  {"SH", (uint64_t)2 << 8, 2},
        {"AF", (uint64_t)1 << 10, 1},      {"nG", (uint64_t)1 << 11, 1},
        {"DBM", (uint64_t)1 << 51, 1},     {"Contiguous", (uint64_t)1 << 52, 1},
        {"PXN", (uint64_t)1 << 53, 1},     {"UXN", (uint64_t)1 << 54, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct descriptor d = decode(1, 3, 12, 0x1003 | rows[i].bits);
        ck_assert_uint_eq(d.field_count, sizeof rows / sizeof rows[0]);
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
            ck_assert_uint_eq(field(&d, rows[k].name)->value, k == i ? rows[k].value : 0);
        ck_assert_uint_eq(d.output, 0x1000);
    }
    struct descriptor d = decode(1, 3, 12, 0x1003 | (uint64_t)1 << 6);
    ck_assert_str_eq(field(&d, "AP[2:1]")->meaning, "EL1 and EL0 RW");
}
END_TEST

START_TEST(table_and_stage2_fields)
{
    struct descriptor d = decode(1, 1, 12, (uint64_t)0x15 << 59 | 0x1003);
    ck_assert_uint_eq(field(&d, "NSTable")->value, 1);
    ck_assert_uint_eq(field(&d, "APTable")->value, 1);
    ck_assert_str_eq(field(&d, "APTable")->meaning, "no EL0");
    ck_assert_uint_eq(field(&d, "UXNTable")->value, 0);
    ck_assert_uint_eq(field(&d, "PXNTable")->value, 1);
    d = decode(2, 3, 12, (uint64_t)2 << 53 | 0x1003 | 0x5 << 2 | 1 << 6 | 3 << 8);
    ck_assert_uint_eq(field(&d, "MemAttr")->value, 5);
    ck_assert_uint_eq(field(&d, "S2AP")->value, 1);
    ck_assert_str_eq(field(&d, "S2AP")->meaning, "RO");
    ck_assert_str_eq(field(&d, "SH")->meaning, "inner shareable");
    ck_assert_uint_eq(field(&d, "AF")->value, 0);
    ck_assert_uint_eq(field(&d, "XN")->value, 2);
}
END_TEST

static const char *type_text(struct memory_type t)
{
    static char text[64];
    memory_type_text(t, text, sizeof text);
    return text;
}

START_TEST(memory_types)
{
    ck_assert_str_eq(type_text(memory_type_of_mair(0x00)), "Device-nGnRnE");
    ck_assert_str_eq(type_text(memory_type_of_mair(0x04)), "Device-nGnRE");
    ck_assert_str_eq(type_text(memory_type_of_mair(0x0c)), "Device-GRE");
    ck_assert_str_eq(type_text(memory_type_of_mair(0x44)), "Normal, non-cacheable");
    ck_assert_str_eq(type_text(memory_type_of_mair(0xaa)), "Normal, write-through");
    ck_assert_str_eq(type_text(memory_type_of_mair(0xff)), "Normal, write-back");
    ck_assert_str_eq(type_text(memory_type_of_mair(0xf4)),
                     "Normal, outer write-back, inner non-cacheable");
    ck_assert_str_eq(type_text(memory_type_of_memattr(0xf)), "Normal, write-back");
    ck_assert_str_eq(type_text(memory_type_of_memattr(0x1)), "Device-nGnRE");
    ck_assert_str_eq(type_text(memory_type_of_memattr(0x6)),
                     "Normal, outer non-cacheable, inner write-through");
}
END_TEST

START_TEST(the_stronger_type_wins)
{
    struct memory_type device = memory_type_of_mair(0x04), ordered = memory_type_of_memattr(0),
                       cached = memory_type_of_mair(0xff), through = memory_type_of_memattr(0xb);
    ck_assert_str_eq(type_text(memory_type_combine(device, cached)), "Device-nGnRE");
    ck_assert_str_eq(type_text(memory_type_combine(cached, device)), "Device-nGnRE");
    ck_assert_str_eq(type_text(memory_type_combine(device, ordered)), "Device-nGnRnE");
    ck_assert_str_eq(type_text(memory_type_combine(cached, through)),
                     "Normal, outer write-through, inner write-back");
}
END_TEST

START_TEST(syndromes)
{
    char text[400];
    syndrome_text(0x93890045, text, sizeof text);
    ck_assert_str_eq(text, "EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=0x1 SAS=0x2 "
                           "SSE=0 SRT=0x9 SF=0 AR=0 CM=0 S1PTW=0 WnR=0x1 DFSC=0x05 (translation "
                           "fault, level 1)");
    syndrome_text(0x5a000000, text, sizeof text);
    ck_assert_str_eq(text, "EC=0x16 (HVC) IL=1 imm16=0");
    syndrome_text(0xffffffff, text, sizeof text);
    ck_assert_str_eq(text, "EC=0x3f (reserved) IL=1 ISS=0x1ffffff");
    syndrome_status_text(0x16, text, sizeof text);
    ck_assert_str_eq(text, "external abort on a table walk, level 2");
}
END_TEST

START_TEST(syndromes_of_faults)
{
    struct fault f = {.class = FAULT_PERMISSION, .stage = 1, .level = 3};
    ck_assert_uint_eq(syndrome_of_fault(&f, ACCESS_WRITE, false), 0x9600004f);
    ck_assert_uint_eq(syndrome_of_fault(&f, ACCESS_READ, true), 0x9200000f);
    ck_assert_uint_eq(syndrome_of_fault(&f, ACCESS_FETCH, true), 0x8200000f);
    ck_assert_uint_eq(syndrome_of_fault(&f, ACCESS_FETCH, false), 0x8600000f);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("descriptor");
    tcase_add_test(tests, kinds);
    tcase_add_test(tests, outputs);
    tcase_add_test(tests, stage1_leaf_fields);
    tcase_add_test(tests, table_and_stage2_fields);
    tcase_add_test(tests, memory_types);
    tcase_add_test(tests, the_stronger_type_wins);
    tcase_add_test(tests, syndromes);
    tcase_add_test(tests, syndromes_of_faults);
    return suite_main("descriptor", tests);
}
