/* Byte buffers and the bounded reader. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/hex.h"
#include "emu/text.h"
#include "suite.h"

/* Names from files end up on somebody's terminal, which takes C1 in UTF-8 for controls, too. */
START_TEST(control_characters_are_not_shown)
{
    static const char name[] = "a\33[2J\n\x7f\xc2\x9b"
                               "31m\xc3\xa4\xc2\xa0\xc2";
    static const char shown[] = "a?[2J????31m\xc3\xa4\xc2\xa0\xc2";
    struct bytes b = {0};
    char text[sizeof name];
    text_put_printable(&b, NULL, 0);
    text_put_printable(&b, name, sizeof name - 1);
    ck_assert_uint_eq(b.size, sizeof shown - 1);
    ck_assert_mem_eq(b.data, shown, b.size);
    text_make_printable(strcpy(text, name));
    ck_assert_str_eq(text, shown);
    bytes_free(&b);
}
END_TEST

static const struct {
    uint64_t value;
    size_t size;
    uint8_t bytes[10];
} varints[] = {
    {0, 1, {0}},
    {1, 1, {1}},
    {127, 1, {0x7f}},
    {128, 2, {0x80, 1}},
    {300, 2, {0xac, 2}},
    {16383, 2, {0xff, 0x7f}},
    {16384, 3, {0x80, 0x80, 1}},
    {UINT64_MAX, 10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
    {(uint64_t)1 << 63, 10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}},
};

START_TEST(varints_are_leb128)
{
    struct bytes b = {0};
    bytes_put_varint(&b, varints[_i].value);
    ck_assert_uint_eq(b.size, varints[_i].size);
    ck_assert_mem_eq(b.data, varints[_i].bytes, b.size);
    struct reader r = reader_of(b.data, b.size);
    ck_assert_uint_eq(reader_varint(&r), varints[_i].value);
    ck_assert(reader_at_end(&r) && !r.failed);
    for (size_t size = 0; size < b.size; size++) {
        struct reader cut = reader_of(b.data, size);
        ck_assert_uint_eq(reader_varint(&cut), 0);
        ck_assert(cut.failed);
    }
    bytes_free(&b);
}
END_TEST

START_TEST(an_endless_varint_fails)
{
    uint8_t data[32];
    memset(data, 0x80, sizeof data);
    struct reader r = reader_of(data, sizeof data);
    ck_assert_uint_eq(reader_varint(&r), 0);
    ck_assert(r.failed);
}
END_TEST

START_TEST(integers_are_little_endian)
{
    for (size_t size = 1; size <= 8; size++) {
        uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;
        struct bytes b = {0};
        bytes_put_int(&b, 0xf7e6d5c4b3a29180, size);
        ck_assert_uint_eq(b.size, size);
        ck_assert_uint_eq(b.data[0], 0x80);
        struct reader r = reader_of(b.data, b.size);
        ck_assert_uint_eq(reader_int(&r, size), 0xf7e6d5c4b3a29180 & mask);
        ck_assert_uint_eq(reader_int(&r, 1), 0);
        ck_assert(r.failed);
        bytes_free(&b);
    }
}
END_TEST

START_TEST(a_buffer_grows)
{
    struct bytes b = {0};
    for (unsigned i = 0; i < 10000; i++)
        bytes_put_int(&b, i, 3);
    ck_assert_uint_eq(b.size, 30000);
    for (unsigned i = 0; i < 10000; i++)
        ck_assert_uint_eq(load_le(b.data + 3 * i, 3), i);
    static const uint8_t big[100000] = {[99999] = 9};
    bytes_put(&b, big, sizeof big);
    ck_assert_uint_eq(b.size, 130000);
    ck_assert_uint_eq(b.data[129999], 9);
    uint8_t *data = b.data;
    bytes_clear(&b);
    ck_assert_uint_eq(b.size, 0);
    bytes_put(&b, "x", 1);
    ck_assert_ptr_eq(b.data, data); /* keeps what it has */
    bytes_free(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(nothing_may_be_put)
{
    struct bytes b = {0};
    bytes_put(&b, NULL, 0);
    ck_assert_uint_eq(b.size, 0);
    bytes_put_string(&b, "");
    ck_assert_uint_eq(b.size, 1);
    bytes_put_string(&b, "abc");
    ck_assert_mem_eq(b.data, "\0\3abc", 5);
    bytes_free(&b);
}
END_TEST

START_TEST(a_failed_reader_stays_failed)
{
    static const uint8_t data[4] = {1, 2, 3, 4};
    struct reader r = reader_of(data, sizeof data);
    ck_assert_uint_eq(reader_int(&r, 2), 0x0201);
    ck_assert_ptr_null(reader_bytes(&r, 3));
    ck_assert(reader_at_end(&r));
    ck_assert_uint_eq(reader_int(&r, 1), 0); /* although there are two bytes left */
    ck_assert_ptr_null(reader_bytes(&r, 0));
    ck_assert_uint_eq(reader_varint(&r), 0);
}
END_TEST

START_TEST(a_huge_size_does_not_wrap)
{
    static const uint8_t data[4];
    struct reader r = reader_of(data, sizeof data);
    reader_int(&r, 1);
    ck_assert_ptr_null(reader_bytes(&r, SIZE_MAX));
}
END_TEST

START_TEST(bytes_are_two_hexadecimal_digits)
{
    static const uint8_t data[] = {0x00, 0x9a, 0xff};
    uint8_t found[3] = {0};
    struct bytes b = {0};
    hex_put(&b, data, sizeof data);
    ck_assert_uint_eq(b.size, 6);
    ck_assert_mem_eq(b.data, "009aff", 6);
    bytes_put(&b, "9A4g", 4);
    struct reader r = reader_of(b.data, b.size);
    ck_assert(hex_take(&r, found, 3));
    ck_assert_mem_eq(found, data, 3);
    ck_assert(!hex_take(&r, found, 3)); /* there are but two */
    ck_assert(hex_take(&r, found, 1));
    ck_assert_uint_eq(found[0], 0x9a);
    ck_assert(!hex_take(&r, found, 1));
    bytes_free(&b);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("bytes");
    tcase_add_test(tests, control_characters_are_not_shown);
    tcase_add_loop_test(tests, varints_are_leb128, 0, (int)(sizeof varints / sizeof varints[0]));
    tcase_add_test(tests, an_endless_varint_fails);
    tcase_add_test(tests, integers_are_little_endian);
    tcase_add_test(tests, a_buffer_grows);
    tcase_add_test(tests, nothing_may_be_put);
    tcase_add_test(tests, a_failed_reader_stays_failed);
    tcase_add_test(tests, a_huge_size_does_not_wrap);
    tcase_add_test(tests, bytes_are_two_hexadecimal_digits);
    return suite_main("emu_bytes", tests);
}
