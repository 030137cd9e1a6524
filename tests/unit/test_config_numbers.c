/* Numbers of the configuration language. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_numbers.h"
#include "suite.h"

static const struct {
    const char *text;
    enum number_kind kind;
    enum number_result result;
    uint64_t value;
} numbers[] = {
    {"0", NUMBER_PLAIN, NUMBER_OK, 0},
    {"42", NUMBER_PLAIN, NUMBER_OK, 42},
    {"0x2a", NUMBER_PLAIN, NUMBER_OK, 42},
    {"0X2A", NUMBER_PLAIN, NUMBER_OK, 42},
    {"0d42", NUMBER_PLAIN, NUMBER_OK, 42},
    {"4K", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"2a", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"-1", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"+1", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {" 1", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"0x", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"0d", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    {"18446744073709551615", NUMBER_PLAIN, NUMBER_OK, UINT64_MAX},
    {"18446744073709551616", NUMBER_PLAIN, NUMBER_OVERFLOW, 0},
    {"99999999999999999999x", NUMBER_PLAIN, NUMBER_MALFORMED, 0},
    /* addresses are hexadecimal */
    {"80000000", NUMBER_ADDRESS, NUMBER_OK, 0x80000000},
    {"0x80000000", NUMBER_ADDRESS, NUMBER_OK, 0x80000000},
    {"1c090000", NUMBER_ADDRESS, NUMBER_OK, 0x1c090000},
    {"0d100", NUMBER_ADDRESS, NUMBER_OK, 100},
    {"a", NUMBER_ADDRESS, NUMBER_OK, 10},
    {"ffffffffffffffff", NUMBER_ADDRESS, NUMBER_OK, UINT64_MAX},
    {"10000000000000000", NUMBER_ADDRESS, NUMBER_OVERFLOW, 0},
    /* a multiplier makes the digits decimal, for addresses too; a prefix still wins */
    {"4K", NUMBER_ADDRESS, NUMBER_OK, 0x1000},
    {"10m", NUMBER_ADDRESS, NUMBER_OK, 0xa00000},
    {"2G", NUMBER_ADDRESS, NUMBER_OK, 0x80000000},
    {"aK", NUMBER_ADDRESS, NUMBER_MALFORMED, 0},
    {"0x10M", NUMBER_ADDRESS, NUMBER_OK, 0x1000000},
    {"K", NUMBER_ADDRESS, NUMBER_MALFORMED, 0},
    {"4KK", NUMBER_ADDRESS, NUMBER_MALFORMED, 0},
    {"4T", NUMBER_ADDRESS, NUMBER_MALFORMED, 0},
    /* lengths are decimal */
    {"1k", NUMBER_LENGTH, NUMBER_OK, 0x400},
    {"1000", NUMBER_LENGTH, NUMBER_OK, 1000},
    {"0xa0000", NUMBER_LENGTH, NUMBER_OK, 0xa0000},
    {"a0000", NUMBER_LENGTH, NUMBER_MALFORMED, 0},
    {"128m", NUMBER_LENGTH, NUMBER_OK, 128 << 20},
    {"17179869183G", NUMBER_LENGTH, NUMBER_OK, UINT64_MAX << 30},
    {"17179869184G", NUMBER_LENGTH, NUMBER_OVERFLOW, 0},
};

START_TEST(numbers_have_their_value)
{
    uint64_t value;
    const char *text = numbers[_i].text;
    enum number_result result = number_parse(text, strlen(text), numbers[_i].kind, &value);
    ck_assert_msg(result == numbers[_i].result, "%s: result %d", text, (int)result);
    if (result == NUMBER_OK)
        ck_assert_msg(value == numbers[_i].value, "%s: 0x%llx", text, (unsigned long long)value);
}
END_TEST

static enum number_result pair(const char *text, uint64_t *start, uint64_t *length)
{
    return number_pair((struct piece){text, strlen(text)}, start, length);
}

START_TEST(pairs_are_address_and_length)
{
    uint64_t start, length;
    ck_assert_int_eq(pair("4K,1k", &start, &length), NUMBER_OK);
    ck_assert_uint_eq(start, 0x1000);
    ck_assert_uint_eq(length, 0x400);
    ck_assert_int_eq(pair("100,100", &start, &length), NUMBER_OK);
    ck_assert_uint_eq(start, 0x100);
    ck_assert_uint_eq(length, 100);
    ck_assert_int_eq(pair("100", &start, &length), NUMBER_MALFORMED);
    ck_assert_int_eq(pair("100,", &start, &length), NUMBER_MALFORMED);
    ck_assert_int_eq(pair(",100", &start, &length), NUMBER_MALFORMED);
    ck_assert_int_eq(pair("1,2,3", &start, &length), NUMBER_MALFORMED);
}
END_TEST

START_TEST(pieces_end_with_the_text)
{
    struct piece rest = {"a,,b", 4};
    ck_assert_uint_eq(piece_next(&rest, ',').size, 1);
    ck_assert_uint_eq(piece_next(&rest, ',').size, 0);
    ck_assert_ptr_nonnull(rest.text);
    ck_assert_int_eq(piece_next(&rest, ',').text[0], 'b');
    ck_assert_ptr_null(rest.text);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("numbers");
    tcase_add_loop_test(tests, numbers_have_their_value, 0,
                        (int)(sizeof numbers / sizeof numbers[0]));
    tcase_add_test(tests, pairs_are_address_and_length);
    tcase_add_test(tests, pieces_end_with_the_text);
    return suite_main("config_numbers", tests);
}
