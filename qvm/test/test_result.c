#include "qvm/test/test_result.h"

#include <string.h>

#include "emu/hex.h"

static void put_text(struct bytes *out, const char *text)
{
    size_t size = strlen(text);
    bytes_put_varint(out, size);
    bytes_put(out, text, size);
}

static bool get_text(struct reader *in, char *to, size_t room)
{
    uint64_t size = reader_varint(in);
    const uint8_t *text = size < room ? reader_bytes(in, (size_t)size) : NULL;
    if (!text)
        return false;
    memcpy(to, text, (size_t)size);
    to[size] = '\0';
    return true;
}

void test_result_put(const struct test_result *r, struct bytes *out)
{
    struct bytes b = {0};
    bytes_put_int(&b, r->outcome, 1);
    put_text(&b, r->why);
    bytes_put_varint(&b, r->line);
    put_text(&b, r->trace);
    bytes_put_int(&b, r->has_seed, 1);
    bytes_put_varint(&b, r->seed);
    bytes_put_int(&b, r->has_run, 1);
    bytes_put_varint(&b, (uint64_t)r->status);
    bytes_put_varint(&b, r->instructions);
    bytes_put_varint(&b, r->ns);
    put_text(&b, r->digest);
    put_text(&b, r->shown);
    bytes_put(out, TEST_RESULT_MARK, strlen(TEST_RESULT_MARK));
    hex_put(out, b.data, b.size);
    bytes_put(out, "\n", 1);
    bytes_free(&b);
}

static bool decode(struct test_result *r, const struct bytes *b)
{
    struct reader in = reader_of(b->data, b->size);
    *r = (struct test_result){0};
    r->outcome = (enum test_outcome)reader_int(&in, 1);
    bool ok = r->outcome < TEST_OUTCOMES && get_text(&in, r->why, sizeof r->why);
    r->line = (unsigned)reader_varint(&in);
    ok = ok && get_text(&in, r->trace, sizeof r->trace);
    r->has_seed = reader_int(&in, 1);
    r->seed = reader_varint(&in);
    r->has_run = reader_int(&in, 1);
    r->status = (int)reader_varint(&in);
    r->instructions = reader_varint(&in);
    r->ns = reader_varint(&in);
    return ok && get_text(&in, r->digest, sizeof r->digest) &&
           get_text(&in, r->shown, sizeof r->shown) && reader_at_end(&in);
}

/* The last place where the mark is. */
static size_t find_mark(const struct bytes *printed)
{
    size_t mark = strlen(TEST_RESULT_MARK);
    for (size_t at = printed->size; at-- > 0;)
        if (at + mark <= printed->size && memcmp(printed->data + at, TEST_RESULT_MARK, mark) == 0)
            return at;
    return printed->size;
}

bool test_result_get(struct test_result *r, const struct bytes *printed, size_t *others)
{
    struct bytes b = {0};
    struct reader digits = reader_of(printed->data, printed->size);
    *others = find_mark(printed);
    digits.at = *others + strlen(TEST_RESULT_MARK);
    for (uint8_t byte; digits.at < digits.size && hex_take(&digits, &byte, 1);)
        bytes_put(&b, &byte, 1);
    bool ok = b.size && decode(r, &b);
    bytes_free(&b);
    return ok;
}
