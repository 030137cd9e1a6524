/* Images of memory: random writes, images, drops and returns, against plain copies. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/memory_image.h"
#include "suite.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t random_state = 1;
static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 20) % limit;
}

enum { PAGES = 96, IMAGES = 6 };

/* Pages of both banks, several groups, the first and last of the board among them. */
static hpa_t place(unsigned i)
{
    return i < PAGES / 2 ? hpa(0x101ff000 + (uint64_t)i * 37 * PAGE_SIZE)
                         : hpa(0x8000000000 + (uint64_t)(PAGES - 1 - i) * 85 * PAGE_SIZE);
}

static struct memory board(void)
{
    struct memory m = {0};
    struct error e = {0};
    ck_assert(memory_add_bank(&m, hpa(0x8000000000), 32 * MIB, &e));
    ck_assert(memory_add_bank(&m, hpa(0x101ff000), 9 * MIB + 0x3000, &e));
    return m;
}

static void write_some(struct memory *m, uint8_t (*now)[PAGE_SIZE])
{
    for (uint64_t k = random_below(40); k-- > 0;) {
        unsigned i = (unsigned)random_below(PAGES);
        uint64_t at = random_below(PAGE_SIZE), value = random_below(3); /* 0: often zero again */
        uint8_t *page = memory_at(m, place(i), PAGE_SIZE, MEMORY_WRITE);
        page[at] = now[i][at] = (uint8_t)value;
        if (value == 0) {
            memset(page, 0, PAGE_SIZE);
            memset(now[i], 0, PAGE_SIZE);
        }
    }
}

static void check_all(struct memory *m, uint8_t (*expected)[PAGE_SIZE])
{
    for (unsigned i = 0; i < PAGES; i++)
        ck_assert_msg(
            memcmp(memory_at(m, place(i), PAGE_SIZE, MEMORY_READ), expected[i], PAGE_SIZE) == 0,
            "page %u", i);
}

START_TEST(any_image_comes_back)
{
    static uint8_t now[PAGES][PAGE_SIZE], then[IMAGES][PAGES][PAGE_SIZE];
    struct memory_image *images[IMAGES] = {0};
    struct memory_images set;
    struct memory m = board();
    images_init(&set, &m);
    images[0] = images_take(&set);
    for (unsigned round = 0; round < 400; round++) {
        unsigned i = (unsigned)random_below(IMAGES);
        write_some(&m, now);
        if (!images[i]) {
            images[i] = images_take(&set);
            memcpy(then[i], now, sizeof now);
        } else if (random_below(3)) {
            images_restore(&set, images[i], NULL, NULL);
            memcpy(now, then[i], sizeof now);
        } else {
            images_drop(&set, images[i]);
            images[i] = NULL;
        }
        check_all(&m, now);
    }
    for (unsigned i = 0; i < IMAGES; i++)
        images_drop(&set, images[i]);
    images_free(&set);
    memory_free(&m);
}
END_TEST

static void count_page(void *context, hpa_t page)
{
    (void)page;
    ++*(unsigned *)context;
}

/* What did not change is neither kept again nor written again. */
START_TEST(an_image_costs_what_changed)
{
    struct memory_images set;
    struct memory m = board();
    unsigned written = 0;
    for (unsigned i = 0; i < PAGES; i++)
        memset(memory_at(&m, place(i), PAGE_SIZE, MEMORY_WRITE), 1, PAGE_SIZE);
    images_init(&set, &m);
    struct memory_image *first = images_take(&set);
    size_t whole = set.bytes;
    ck_assert(whole >= (size_t)PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < 10; i++) /* written, the last five with what was there */
        memset(memory_at(&m, place(i), PAGE_SIZE, MEMORY_WRITE), i < 5 ? 2 : 1, PAGE_SIZE);
    struct memory_image *second = images_take(&set);
    ck_assert(set.bytes - whole >= 5 * PAGE_SIZE);
    ck_assert(set.bytes - whole < 10 * PAGE_SIZE);
    images_restore(&set, first, count_page, &written);
    ck_assert_uint_eq(written, 5);
    images_drop(&set, first);
    images_drop(&set, second);
    images_free(&set);
    memory_free(&m);
}
END_TEST

/* A page is written unseen while its marks stand: both must be gone for it to be writable. */
START_TEST(marks_are_of_digests_and_images)
{
    struct memory_images set;
    struct memory m = board();
    images_init(&set, &m);
    memory_at(&m, place(0), 1, MEMORY_WRITE);
    ck_assert(memory_is_dirty(&m, place(0)));
    struct memory_image *image = images_take(&set);
    ck_assert(!memory_is_dirty(&m, place(0)));
    memory_at(&m, place(0), 1, MEMORY_WRITE);
    ck_assert(memory_is_dirty(&m, place(0)));
    struct sha256 s;
    sha256_init(&s);
    memory_digest(&m, &s);
    ck_assert(!memory_is_dirty(&m, place(0)));
    images_drop(&set, image);
    images_free(&set);
    memory_free(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("memory_image");
    tcase_add_test(t, any_image_comes_back);
    tcase_add_test(t, an_image_costs_what_changed);
    tcase_add_test(t, marks_are_of_digests_and_images);
    return suite_main("memory_image", t);
}
