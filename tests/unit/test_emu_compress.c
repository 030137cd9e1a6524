/* Compression: round trips, what other programs wrote, limits, and damaged input. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/compress.h"
#include "suite.h"

#define HELLO "hello hello hello hello\n"

/* gzip -9n */
static const uint8_t gzipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                  0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0xb9,
                                  0x00, 0x00, 0x88, 0x59, 0x0b, 0x18, 0x00, 0x00, 0x00};
/* zstd -19 --no-check */
static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x6d, 0x00, 0x00, 0x38, 0x68,
                               0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x0a, 0x01, 0x00, 0x99, 0x4b, 0x11};

typedef bool expander(const void *data, size_t size, size_t limit, struct bytes *out,
                      struct error *e);
static const struct {
    expander *expand;
    const uint8_t *data;
    size_t size;
} formats[] = {
    {compress_expand_gzip, gzipped, sizeof gzipped},
    {compress_expand_zstd, zstd, sizeof zstd},
};

START_TEST(expands_what_others_wrote)
{
    struct bytes out = {0};
    struct error e = {0};
    bytes_put(&out, "before ", 7); /* appends */
    ck_assert_msg(formats[_i].expand(formats[_i].data, formats[_i].size, 24, &out, &e), "%s",
                  e.text);
    ck_assert_uint_eq(out.size, 31);
    ck_assert_mem_eq(out.data, "before " HELLO, 31);
    bytes_free(&out);
}
END_TEST

START_TEST(several_parts_are_one)
{
    struct bytes in = {0}, out = {0};
    struct error e = {0};
    bytes_put(&in, formats[_i].data, formats[_i].size);
    bytes_put(&in, formats[_i].data, formats[_i].size);
    ck_assert_msg(formats[_i].expand(in.data, in.size, 48, &out, &e), "%s", e.text);
    ck_assert_uint_eq(out.size, 48);
    ck_assert_mem_eq(out.data, HELLO HELLO, 48);
    ck_assert(!formats[_i].expand(in.data, in.size, 47, &out, &e));
    bytes_free(&in);
    bytes_free(&out);
}
END_TEST

START_TEST(more_than_the_limit_is_an_error)
{
    struct bytes out = {0};
    struct error e = {0};
    bytes_put(&out, "x", 1);
    ck_assert(!formats[_i].expand(formats[_i].data, formats[_i].size, 23, &out, &e));
    ck_assert_str_eq(e.text, "the compressed data expands to more than 23 bytes");
    ck_assert_uint_eq(out.size, 1);
    bytes_free(&out);
}
END_TEST

START_TEST(every_cut_is_an_error)
{
    for (size_t size = 0; size < formats[_i].size; size++) {
        struct bytes out = {0};
        struct error e = {0};
        uint8_t *copy = malloc(size + 1); /* exactly as large as the sanitizer must believe */
        memcpy(copy, formats[_i].data, size);
        ck_assert(!formats[_i].expand(size ? copy : NULL, size, 1000, &out, &e));
        ck_assert_msg(strstr(e.text, "data ends early"), "%s", e.text);
        ck_assert_uint_eq(out.size, 0);
        free(copy);
        bytes_free(&out);
    }
}
END_TEST

START_TEST(damage_is_an_error)
{
    struct bytes in = {0}, out = {0};
    struct error e = {0};
    bytes_put(&in, formats[_i].data, formats[_i].size);
    in.data[0] ^= 0xff;
    ck_assert(!formats[_i].expand(in.data, in.size, 1000, &out, &e));
    ck_assert_msg(strstr(e.text, "data is damaged: "), "%s", e.text);
    bytes_free(&in);
    bytes_free(&out);
}
END_TEST

START_TEST(the_gzip_checksum_is_checked)
{
    struct bytes in = {0}, out = {0};
    struct error e = {0};
    bytes_put(&in, gzipped, sizeof gzipped);
    in.data[sizeof gzipped - 6] ^= 1;
    ck_assert(!compress_expand_gzip(in.data, in.size, 1000, &out, &e));
    ck_assert_uint_eq(out.size, 0);
    bytes_free(&in);
    bytes_free(&out);
}
END_TEST

START_TEST(bytes_behind_gzip_are_ignored)
{
    static const char *const tails[] = {"\0", "\0\0\0\0", "\xd0\x0d\xfe\xed", "\x1f", "\x1f\x8a"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct bytes in = {0}, out = {0};
        struct error e = {0};
        bytes_put(&in, gzipped, sizeof gzipped);
        bytes_put(&in, tails[i], i == 1 ? 4 : strlen(tails[i]) + (i == 0));
        ck_assert_msg(compress_expand_gzip(in.data, in.size, 100, &out, &e), "%zu: %s", i, e.text);
        ck_assert_uint_eq(out.size, 24);
        bytes_free(&in);
        bytes_free(&out);
    }
}
END_TEST

static const size_t sizes[] = {0, 1, 63, 64, 65535, 65536, 65537, 131072, 1000003};

/* Half of it compresses well, half does not. */
static uint8_t *sample(size_t size)
{
    uint8_t *data = malloc(size + 1);
    uint32_t x = 12345;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = i & 4096 ? (uint8_t)(x >> 24) : (uint8_t)(i >> 8);
    }
    return data;
}

static void there_and_back(const uint8_t *data, size_t size, enum compress_effort effort)
{
    struct bytes packed = {0}, out = {0};
    struct error e = {0};
    bytes_put(&packed, "x", 1);
    ck_assert(compress_zstd(data, size, effort, &packed));
    ck_assert_uint_eq(packed.data[0], 'x');
    ck_assert_msg(compress_expand_zstd(packed.data + 1, packed.size - 1, size, &out, &e), "%s",
                  e.text);
    ck_assert_uint_eq(out.size, size);
    if (out.size)
        ck_assert_mem_eq(out.data, data, out.size);
    bytes_free(&packed);
    bytes_free(&out);
}

START_TEST(zstd_round_trip)
{
    uint8_t *data = sample(sizes[_i]);
    there_and_back(data, sizes[_i], COMPRESS_QUICKLY);
    there_and_back(data, sizes[_i], COMPRESS_MORE_QUICKLY);
    free(data);
}
END_TEST

START_TEST(a_bomb_costs_no_more_than_its_limit)
{
    struct bytes bomb = {0}, out = {0};
    struct error e = {0};
    uint8_t *zeros = calloc(1, (size_t)64 << 20);
    ck_assert(compress_zstd(zeros, (size_t)64 << 20, COMPRESS_QUICKLY, &bomb));
    free(zeros);
    ck_assert_uint_lt(bomb.size, 10000);
    ck_assert(!compress_expand_zstd(bomb.data, bomb.size, 100000, &out, &e));
    ck_assert_uint_eq(out.size, 0);
    ck_assert_uint_le(out.capacity, 131072);
    bytes_free(&bomb);
    bytes_free(&out);
}
END_TEST

START_TEST(the_crc_is_the_common_one)
{
    ck_assert_uint_eq(compress_crc32("123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(compress_crc32(NULL, 0), 0);
}
END_TEST

static uint32_t crc_by_bits(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Parts of it may be done by an instruction of the host: at each size, from each address. */
START_TEST(the_crc_is_that_of_the_definition)
{
    uint8_t *data = sample(1024);
    for (size_t from = 0; from < 17; from++)
        for (size_t size = 0; size < 700; size++)
            ck_assert_uint_eq(compress_crc32(data + from, size), crc_by_bits(data + from, size));
    free(data);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("compress");
    tcase_add_loop_test(tests, expands_what_others_wrote, 0,
                        (int)(sizeof formats / sizeof formats[0]));
    tcase_add_loop_test(tests, several_parts_are_one, 0, (int)(sizeof formats / sizeof formats[0]));
    tcase_add_loop_test(tests, more_than_the_limit_is_an_error, 0,
                        (int)(sizeof formats / sizeof formats[0]));
    tcase_add_loop_test(tests, every_cut_is_an_error, 0, (int)(sizeof formats / sizeof formats[0]));
    tcase_add_loop_test(tests, damage_is_an_error, 0, (int)(sizeof formats / sizeof formats[0]));
    tcase_add_test(tests, the_gzip_checksum_is_checked);
    tcase_add_test(tests, bytes_behind_gzip_are_ignored);
    tcase_add_loop_test(tests, zstd_round_trip, 0, (int)(sizeof sizes / sizeof sizes[0]));
    tcase_add_test(tests, a_bomb_costs_no_more_than_its_limit);
    tcase_add_test(tests, the_crc_is_the_common_one);
    tcase_add_test(tests, the_crc_is_that_of_the_definition);
    return suite_main("emu_compress", tests);
}
