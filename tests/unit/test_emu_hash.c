/* SHA-256 against FIPS 180-4's examples and sha256sum; the fast hash against xxhsum -H2. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/hash.h"
#include "suite.h"

static const struct {
    const char *message, *digest;
} examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmno"
     "pqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

START_TEST(the_standards_examples)
{
    char text[DIGEST_TEXT];
    digest_text(sha256_of(examples[_i].message, strlen(examples[_i].message)), text);
    ck_assert_str_eq(text, examples[_i].digest);
}
END_TEST

START_TEST(a_million_times_a)
{
    char text[DIGEST_TEXT], part[1000];
    struct sha256 s;
    sha256_init(&s);
    memset(part, 'a', sizeof part);
    for (int i = 0; i < 1000; i++)
        sha256_add(&s, part, sizeof part);
    digest_text(sha256_end(&s), text);
    ck_assert_str_eq(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* Byte i of the message is (7 * i + 3) % 256; lengths around the block and padding sizes. */
static const struct {
    size_t size;
    const char *digest;
} lengths[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5"},
    {3, "6ab0dba1f4f1dfbb37b4f9eeb092c09fca4900ad32bdcd147d8dde35d6c87c35"},
    {55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
    {56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27"},
    {57, "35df609437dcfea3279283ab79fd554e2bf78f8f7ae2de532d8ee300b09e8f73"},
    {63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055"},
    {64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
    {65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e"},
    {119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e"},
    {120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5"},
    {127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07"},
    {128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6"},
    {1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371"},
};

static uint8_t message[1000];

static void fill_message(void)
{
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(7 * i + 3);
}

START_TEST(every_kind_of_length)
{
    char text[DIGEST_TEXT];
    fill_message();
    digest_text(sha256_of(message, lengths[_i].size), text);
    ck_assert_str_eq(text, lengths[_i].digest);
}
END_TEST

START_TEST(pieces_make_no_difference)
{
    fill_message();
    struct digest whole = sha256_of(message, 200);
    for (size_t cut = 0; cut <= 200; cut++) {
        for (size_t second = cut; second <= 200; second += 13) {
            struct sha256 s;
            sha256_init(&s);
            sha256_add(&s, message, cut);
            sha256_add(&s, message + cut, second - cut);
            sha256_add(&s, message + second, 200 - second);
            struct digest d = sha256_end(&s);
            ck_assert_mem_eq(d.b, whole.b, sizeof d.b);
        }
    }
}
END_TEST

static const struct {
    const char *message, *digest;
} fast[] = {
    {"", "99aa06d3014798d86001c324468d497f"},
    {"abc", "06b05ab6733a618578af5f94892f3950"},
};

START_TEST(the_fast_hash_is_xxh3)
{
    char text[40];
    struct hash128 h = hash_fast(fast[_i].message, strlen(fast[_i].message));
    snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, h.high, h.low);
    ck_assert_str_eq(text, fast[_i].digest);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("hash");
    tcase_add_loop_test(tests, the_standards_examples, 0,
                        (int)(sizeof examples / sizeof examples[0]));
    tcase_add_test(tests, a_million_times_a);
    tcase_add_loop_test(tests, every_kind_of_length, 0, (int)(sizeof lengths / sizeof lengths[0]));
    tcase_add_test(tests, pieces_make_no_difference);
    tcase_add_loop_test(tests, the_fast_hash_is_xxh3, 0, (int)(sizeof fast / sizeof fast[0]));
    return suite_main("emu_hash", tests);
}
