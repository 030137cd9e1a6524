/* The code that finds the word in which two rows differ. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/word_code.h"
#include "suite.h"

static void fill(uint8_t *words, uint32_t seed)
{
    for (size_t i = 0; i < (size_t)8 * WORD_CODE_BLOCK; i++) {
        seed = seed * 1664525 + 1013904223;
        words[i] = (uint8_t)(seed >> 24);
    }
}

START_TEST(a_block_is_its_words)
{
    uint8_t words[8 * WORD_CODE_BLOCK];
    struct word_code a = {0}, b = {0};
    fill(words, 1);
    word_code_add_block(&a, 0x12345, words);
    for (uint64_t i = 0; i < WORD_CODE_BLOCK; i++)
        word_code_add(&b, 0x12345 * WORD_CODE_BLOCK + i, load_le(words + 8 * i, 8));
    ck_assert(word_code_equal(&a, &b));
}
END_TEST

START_TEST(each_word_of_a_block_is_found)
{
    uint8_t words[8 * WORD_CODE_BLOCK];
    uint64_t number, change;
    fill(words, 2);
    for (unsigned i = 0; i < WORD_CODE_BLOCK; i++) {
        struct word_code a = {0}, b = {0};
        word_code_add_block(&a, 7, words);
        words[8 * i + i % 8] ^= 0x40;
        word_code_add_block(&b, 7, words);
        words[8 * i + i % 8] ^= 0x40;
        ck_assert(word_code_find(&a, &b, &number, &change));
        ck_assert_uint_eq(number, 7 * WORD_CODE_BLOCK + i);
        ck_assert_uint_eq(change, UINT64_C(0x40) << i % 8 * 8);
    }
}
END_TEST

START_TEST(none_and_two_are_not_one)
{
    struct word_code a = {0}, b = {0};
    uint64_t number, change;
    ck_assert(!word_code_find(&a, &b, &number, &change));
    word_code_add(&b, 1, 5);
    word_code_add(&b, 6, 9);
    ck_assert(!word_code_find(&a, &b, &number, &change));
    word_code_add(&b, 6, 9);
    ck_assert(word_code_find(&a, &b, &number, &change));
    ck_assert_uint_eq(number, 1);
}
END_TEST

START_TEST(what_is_put_is_got)
{
    static const uint8_t row[] = "a row of bytes";
    struct word_code a = {0}, b;
    struct bytes data = {0};
    word_code_add_bytes(&a, row, sizeof row);
    word_code_add(&a, (UINT64_C(1) << WORD_CODE_BITS) - 1, 3);
    word_code_put(&data, &a);
    struct reader in = reader_of(data.data, data.size);
    word_code_get(&in, &b);
    ck_assert(!in.failed && reader_at_end(&in) && word_code_equal(&a, &b));
    data.data[0] = WORD_CODE_BITS + 1;
    in = reader_of(data.data, data.size);
    word_code_get(&in, &b);
    ck_assert(in.failed);
    bytes_free(&data);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("codes");
    tcase_add_test(t, a_block_is_its_words);
    tcase_add_test(t, each_word_of_a_block_is_found);
    tcase_add_test(t, none_and_two_are_not_one);
    tcase_add_test(t, what_is_put_is_got);
    return suite_main("word_code", t);
}
