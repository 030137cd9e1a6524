/* State visitors: one pass saves, restores, refuses and tells the same values in the same order,
 * little-endian and without padding. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/state.h"
#include "suite.h"

enum { WAITING_MAX = 5, CONTENTS_MAX = 1000 };

struct thing {
    uint8_t small;
    uint64_t wide; /* padding before it */
    uint16_t pair[3];
    uint32_t cache; /* not in the table */
    bool on;
    uint32_t word;
    /* Not in the table either: */
    uint64_t x[2], total;
    unsigned mode;
    bool reads, writes;
    size_t waiting_count;
    uint16_t waiting[WAITING_MAX];
    char name[8];
    struct bytes contents; /* owned */
    uint8_t block[4];
};

static const struct field table[] = {
    FIELD(struct thing, small), FIELD(struct thing, wide), FIELD_ARRAY(struct thing, pair),
    FIELD(struct thing, on),    FIELD(struct thing, word), FIELD_END,
};

static void visit(struct thing *t, struct state *s)
{
    bool *const rights[] = {&t->reads, &t->writes};
    state_part(s, "%s %d", "part", 1);
    state_fields(s, table, t);
    state_part(s, "part 2");
    for (unsigned i = 0; i < 2; i++)
        t->x[i] = state_numbered(s, "X%u", i, t->x[i], 8);
    t->total = state_value(s, "total", t->total, STATE_VARINT);
    t->mode = (unsigned)state_up_to(s, "mode", t->mode, 2, 300);
    state_bits(s, "rights", rights, 2);
    state_fixed(s, "model", 0x1234, 2);
    state_within(s, "queue %u: ", 7);
    t->waiting_count = state_count(s, "how many wait", t->waiting_count, 4, WAITING_MAX);
    state_row(s, "who waits", t->waiting, sizeof t->waiting[0], t->waiting_count);
    state_within(s, NULL, 0);
    state_text(s, "name", t->name, sizeof t->name);
    state_contents(s, "contents", &t->contents, CONTENTS_MAX);
    state_bytes(s, "block", t->block, sizeof t->block);
    t->on = state_bool(s, "whether it is on", t->on);
}

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
    t.x[0] = 1;
    t.x[1] = 0xff00000000000000;
    t.total = 300;
    t.mode = 300;
    t.reads = false;
    t.writes = true;
    t.waiting_count = 2;
    t.waiting[0] = 0x2120;
    t.waiting[1] = 0x3130;
    strcpy(t.name, "abcdefg");
    t.contents = (struct bytes){0};
    bytes_put(&t.contents, "xyz", 3);
    memcpy(t.block, "BLOC", 4);
    return t;
}

/* clang-format off */
static const uint8_t saved[] = {
    0x11, 8, 7, 6, 5, 4, 3, 2, 1, 0xa0, 0xa1, 0xb0, 0xb1, 0xc0, 0xc1, 1, 0xd0, 0xd1, 0xd2, 0xd3,
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, /* x */
    0xac, 2, /* total */
    0x2c, 1, /* mode */
    2, 0x34, 0x12, /* rights, model */
    2, 0, 0, 0, 0x20, 0x21, 0x30, 0x31, /* who waits */
    7, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 3, 'x', 'y', 'z', 'B', 'L', 'O', 'C', 1,
};
/* clang-format on */

static bool restore(struct thing *t, const uint8_t *data, size_t size, const char **refused)
{
    struct reader in = reader_of(data, size);
    struct state s = state_restoring(&in);
    visit(t, &s);
    *refused = in.refused;
    ck_assert_int_eq(state_is_good(&s), !in.failed);
    return state_is_good(&s) && reader_at_end(&in);
}

START_TEST(saving_is_little_endian_in_the_order_of_the_visit)
{
    struct thing t = example(), same = t;
    struct bytes out = {0};
    bytes_put(&out, "before", 6);
    struct state s = state_saving(&out);
    visit(&t, &s);
    ck_assert(state_is_good(&s));
    ck_assert_uint_eq(out.size - 6, sizeof saved);
    ck_assert_mem_eq(out.data + 6, saved, sizeof saved);
    ck_assert_mem_eq(&t, &same, sizeof t);
    bytes_free(&out);
    bytes_free(&t.contents);
}
END_TEST

START_TEST(restoring_copies_and_nothing_else)
{
    struct thing t = {.cache = 5};
    struct bytes out = {0};
    const char *refused;
    bytes_put(&t.contents, "something longer", 16);
    strcpy(t.name, "other");
    ck_assert(restore(&t, saved, sizeof saved, &refused));
    ck_assert_ptr_null(refused);
    ck_assert(t.on && t.writes && !t.reads);
    ck_assert_uint_eq(t.cache, 5);
    ck_assert_uint_eq(t.wide, 0x0102030405060708);
    ck_assert_uint_eq(t.waiting[1], 0x3130);
    ck_assert_str_eq(t.name, "abcdefg");
    ck_assert_uint_eq(t.contents.size, 3);
    struct state s = state_saving(&out);
    visit(&t, &s);
    ck_assert_uint_eq(out.size, sizeof saved);
    ck_assert_mem_eq(out.data, saved, sizeof saved);
    bytes_free(&out);
    bytes_free(&t.contents);
}
END_TEST

/* Wherever it ends; and nothing has a name that is just not there, but for counts of what is not.
 */
START_TEST(too_little_data_is_noticed)
{
    for (size_t size = 0; size < sizeof saved; size++) {
        struct thing t = {0};
        const char *refused;
        ck_assert(!restore(&t, saved, size, &refused));
        bytes_free(&t.contents);
    }
}
END_TEST

/* A byte, what it becomes, and what cannot be then; a count that fits, and is more than is left. */
static const struct {
    size_t at;
    uint8_t value;
    const char *refused;
} impossible[] = {
    {15, 2, "on"},
    {38, 0x2d, "mode"},
    {40, 4, "rights"},
    {41, 0x35, "model"},
    {43, WAITING_MAX + 1, "how many wait"},
    {46, 0x80, "how many wait"},
    {51, 8, "name"},
    {54, 0, "name"},
    {59, 9, "contents"},
    {sizeof saved - 1, 2, "whether it is on"},
};

START_TEST(values_that_cannot_be_are_refused_by_name)
{
    struct thing t = {0};
    uint8_t data[sizeof saved];
    const char *refused;
    memcpy(data, saved, sizeof saved);
    data[impossible[_i].at] = impossible[_i].value;
    bool good = restore(&t, data, sizeof data, &refused);
    ck_assert_msg(!good && refused, "byte %zu", impossible[_i].at);
    ck_assert_str_eq(refused, impossible[_i].refused);
    bytes_free(&t.contents);
}
END_TEST

/* Whatever a length says, no more is allocated than the data has. */
START_TEST(lengths_allocate_nothing_that_is_not_there)
{
    static const uint8_t long_ones[][10] = {
        {0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
        {10, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++) {
        struct bytes contents = {0};
        struct reader in = reader_of(long_ones[i], sizeof long_ones[i]);
        struct state s = state_restoring(&in);
        state_contents(&s, "contents", &contents, SIZE_MAX);
        ck_assert(!state_is_good(&s));
        ck_assert_str_eq(in.refused, "contents");
        ck_assert_uint_eq(contents.capacity, 0);
    }
}
END_TEST

struct told {
    struct bytes text, bytes;
};

static void add_part(void *context, const char *name, size_t offset)
{
    struct told *told = context;
    bytes_put(&told->text, name, strlen(name));
    bytes_put(&told->text, "\n", 1);
    ck_assert_uint_eq(offset, told->bytes.size);
}

static void add_item(void *context, const struct state_item *item)
{
    struct told *told = context;
    bytes_put(&told->text, item->name, strlen(item->name));
    bytes_put(&told->text, " ", 1);
    ck_assert_uint_eq(item->offset, told->bytes.size);
    bytes_put(&told->bytes, item->data, item->size);
}

START_TEST(every_byte_is_told_once_and_has_a_name)
{
    struct thing t = example();
    struct bytes out = {0};
    struct told told = {{0}, {0}};
    const struct state_listener listener = {add_part, add_item, &told};
    bytes_put(&out, "before", 6);
    struct state s = state_telling(&out, &listener);
    visit(&t, &s);
    bytes_put(&told.text, "", 1);
    ck_assert_uint_eq(told.bytes.size, sizeof saved);
    ck_assert_mem_eq(told.bytes.data, saved, sizeof saved);
    ck_assert_mem_eq(out.data + 6, saved, sizeof saved);
    ck_assert_str_eq((const char *)told.text.data,
                     "part 1\nsmall wide pair[0] pair[1] pair[2] on word part 2\nX0 X1 total mode "
                     "rights model queue 7: how many wait queue 7: who waits[0] "
                     "queue 7: who waits[1] length of name name length of contents contents block "
                     "whether it is on ");
    bytes_free(&told.text);
    bytes_free(&told.bytes);
    bytes_free(&out);
    bytes_free(&t.contents);
}
END_TEST

static struct state_search look_for(const char *whole_name, size_t offset)
{
    struct thing t = example();
    struct bytes out = {0};
    struct state_search search = {.whole_name = whole_name, .offset = offset};
    const struct state_listener listener = state_searching(&search);
    struct state s = state_telling(&out, &listener);
    visit(&t, &s);
    bytes_free(&out);
    bytes_free(&t.contents);
    return search;
}

START_TEST(values_are_found_by_name_and_by_offset)
{
    static const struct {
        size_t at, begin, size;
        const char *name;
        uint64_t value;
    } cases[] = {
        {0, 0, 1, "part 1: small", 0x11},
        {8, 1, 8, "part 1: wide", 0x0102030405060708},
        {12, 11, 2, "part 1: pair[1]", 0xb1b0},
        {37, 36, 2, "part 2: total", 300},
        {50, 49, 2, "part 2: queue 7: who waits[1]", 0x3130},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct state_search here = look_for(NULL, cases[i].at), it = look_for(cases[i].name, 0);
        ck_assert_str_eq(here.found_name, cases[i].name);
        ck_assert_uint_eq(here.found.offset, cases[i].begin);
        ck_assert_uint_eq(here.found.size, cases[i].size);
        ck_assert_uint_eq(state_item_value(&here.found, saved + cases[i].begin), cases[i].value);
        ck_assert_uint_eq(it.found.offset, cases[i].begin);
    }
    struct state_search inside = look_for(NULL, 61);
    ck_assert_str_eq(inside.found_name, "part 2: contents[1]");
    ck_assert_uint_eq(inside.found.offset, 61);
    ck_assert_uint_eq(inside.found.size, 1);
    ck_assert_uint_eq(look_for("small", 0).found.size, 0);
    ck_assert_uint_eq(look_for(NULL, sizeof saved).found.size, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("state");
    tcase_add_test(t, saving_is_little_endian_in_the_order_of_the_visit);
    tcase_add_test(t, restoring_copies_and_nothing_else);
    tcase_add_test(t, too_little_data_is_noticed);
    tcase_add_loop_test(t, values_that_cannot_be_are_refused_by_name, 0,
                        (int)(sizeof impossible / sizeof impossible[0]));
    tcase_add_test(t, lengths_allocate_nothing_that_is_not_there);
    tcase_add_test(t, every_byte_is_told_once_and_has_a_name);
    tcase_add_test(t, values_are_found_by_name_and_by_offset);
    return suite_main("emu_state", t);
}
