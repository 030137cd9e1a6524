/* Field tables: what is saved is restored, little-endian, without padding; differences by name. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/fields.h"

struct thing {
    uint8_t small;
    uint64_t wide; /* padding before it */
    uint16_t pair[3];
    uint32_t cache; /* not in the table */
    bool on;
    uint32_t word;
};

static const struct field table[] = {
    FIELD(struct thing, small), FIELD(struct thing, wide), FIELD_ARRAY(struct thing, pair),
    FIELD(struct thing, on),    FIELD(struct thing, word), FIELD_END,
};

static struct thing example(void)
{
    struct thing t;
    memset(&t, 0xee, sizeof t); /* padding must not matter */
    t.small = 0x11;
    t.wide = 0x0102030405060708;
    t.pair[0] = 0xa1a0;
    t.pair[1] = 0xb1b0;
    t.pair[2] = 0xc1c0;
    t.cache = 7;
    t.on = true;
    t.word = 0xd3d2d1d0;
    return t;
}

static const uint8_t saved[] = {0x11, 8,    7,    6,    5,    4, 3,    2,    1,    0xa0,
                                0xa1, 0xb0, 0xb1, 0xc0, 0xc1, 1, 0xd0, 0xd1, 0xd2, 0xd3};

START_TEST(saving_is_little_endian_in_table_order)
{
    struct thing t = example();
    struct bytes out = {0};
    fields_save(table, &t, &out);
    ck_assert_uint_eq(out.size, sizeof saved);
    ck_assert_mem_eq(out.data, saved, sizeof saved);
    bytes_free(&out);
}
END_TEST

START_TEST(restoring_copies_and_nothing_else)
{
    struct thing t = {.cache = 5}, expected = example();
    struct reader in = reader_of(saved, sizeof saved);
    ck_assert(fields_restore(table, &t, &in));
    ck_assert(reader_at_end(&in));
    size_t index;
    ck_assert_ptr_null(fields_first_difference(table, &t, &expected, &index));
    ck_assert(t.on);
    ck_assert_uint_eq(t.cache, 5);
}
END_TEST

START_TEST(too_little_data_is_noticed)
{
    for (size_t size = 0; size < sizeof saved; size++) {
        struct thing t = {0};
        struct reader in = reader_of(saved, size);
        ck_assert(!fields_restore(table, &t, &in));
    }
}
END_TEST

START_TEST(the_first_difference_has_a_name)
{
    struct thing a = example(), b = example();
    size_t index = 99;
    b.cache = 8; /* nobody's business */
    ck_assert_ptr_null(fields_first_difference(table, &a, &b, &index));
    b.word++;
    ck_assert_str_eq(fields_first_difference(table, &a, &b, &index), "word");
    ck_assert_uint_eq(index, 0);
    b.pair[2] ^= 0x8000;
    ck_assert_str_eq(fields_first_difference(table, &a, &b, &index), "pair");
    ck_assert_uint_eq(index, 2);
    b.small = 0;
    ck_assert_str_eq(fields_first_difference(table, &a, &b, &index), "small");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_fields");
    TCase *tests = tcase_create("fields");
    tcase_add_test(tests, saving_is_little_endian_in_table_order);
    tcase_add_test(tests, restoring_copies_and_nothing_else);
    tcase_add_test(tests, too_little_data_is_noticed);
    tcase_add_test(tests, the_first_difference_has_a_name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
