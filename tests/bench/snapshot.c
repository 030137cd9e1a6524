/* What a moment in memory costs: for so many pages that were written since the last one, taking an
 * image with the state of the machine, and going back to the one before. Prints for each number of
 * pages "PAGES TAKE_MS RESTORE_MS", medians of CPU time. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../unit/test_board_fixture.h"
#include "hv/hv_internal.h"
#include "mmu/memory_image.h"

#define ROUNDS 21

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

/* Every other page, each with other contents than before. */
static void write_pages(struct board *b, size_t count, unsigned round)
{
    hpa_t base = b->memory.banks[0].base;
    for (size_t i = 0; i < count; i++) {
        uint8_t *page =
            memory_at(&b->memory, hpa(base.v + 2 * i * PAGE_SIZE), PAGE_SIZE, MEMORY_WRITE);
        memset(page, (int)(round + i % 7 + 1), PAGE_SIZE);
    }
}

static void drop_code(void *context, hpa_t page)
{
    engine_drop_code(context, page, PAGE_SIZE);
}

static void measure(struct board *b, struct memory_images *images, size_t pages)
{
    double take[ROUNDS], restore[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct bytes machine = {0};
        struct memory_image *before = images_take(images);
        write_pages(b, pages, i);
        double from = now_ms();
        struct memory_image *image = images_take(images);
        snapshot_save_machine(b, &machine);
        engine_flush_tlb(b->engine);
        take[i] = now_ms() - from;
        from = now_ms();
        images_restore(images, before, drop_code, b->engine);
        struct reader in = reader_of(machine.data, machine.size);
        if (!snapshot_restore_machine(b, &in))
            abort();
        restore[i] = now_ms() - from;
        images_drop(images, image);
        images_drop(images, before);
        bytes_free(&machine);
    }
    printf("%zu %.3f %.3f\n", pages, median(take), median(restore));
}

int main(void)
{
    static const uint32_t program[] = {0x14000000}; /* B . */
    static const char *const text[] = {"ram 0x40000000,64M load 0x40000000,image"};
    struct image image = {program, 1};
    struct vm_config config = {0};
    struct config_reader reader = {0};
    struct journal j;
    struct error e = {0};
    struct board_options options = {BOARD_NO_LIMITS};
    struct board_sinks sinks = {.idle = on_idle};
    struct memory_images images;
    journal_live(&j, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &image});
    struct board *b = config_parse(&config, text, 1, &reader, &e)
                          ? board_new(NULL, &config, 1, &j, &options, &sinks, &e)
                          : NULL;
    if (!b) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    board_run_to(b, 1000);
    images_init(&images, &b->memory);
    for (size_t pages = 250; pages <= 4000; pages *= 2)
        measure(b, &images, pages);
    images_free(&images);
    board_free(b);
    journal_free(&j);
    config_free(&config);
    return 0;
}
