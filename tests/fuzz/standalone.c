/* A main for a fuzz target without libFuzzer.
 *
 *   FILE...                 tries these files
 *   -seconds N [-seed S]    tries changed copies of the target's inputs for that long
 *   -seed S -run R          tries run R of seed S again
 *   -write DIR              writes the target's inputs into the folder, for libFuzzer
 *
 * Run R of seed S is the same everywhere. What goes wrong stops the program; under a sanitizer, or
 * on abort, the last line says which run it was. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emu/check.h"
#include "tests/fuzz/fuzz.h"

#define SEEDS_MAX  16
#define SIZE_LIMIT 8192

static struct bytes seeds[SEEDS_MAX];
static unsigned seed_count;
static uint64_t seed = 1, run;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_run(void)
{
    fprintf(stderr, "to see it again: -seed %" PRIu64 " -run %" PRIu64 "\n", seed, run);
}

static void on_abort(int number)
{
    say_run();
    signal(number, SIG_DFL);
    raise(number);
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t random_state;

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t random_below(size_t limit)
{
    return limit ? (size_t)(random_next() % limit) : 0;
}

/* Puts `size` bytes where `old` bytes at `at` are. */
static void replace(struct bytes *b, size_t at, size_t old, const uint8_t *data, size_t size)
{
    struct bytes result = {0};
    bytes_put(&result, b->data, at);
    bytes_put(&result, data, size);
    bytes_put(&result, b->data + at + old, b->size - at - old);
    bytes_free(b);
    *b = result;
}

static void change(struct bytes *b)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       127,
                                       128,
                                       255,
                                       256,
                                       65535,
                                       65536,
                                       INT32_MAX,
                                       UINT32_MAX,
                                       (uint64_t)1 << 40,
                                       INT64_MAX,
                                       UINT64_MAX};
    const struct bytes *other = &seeds[random_below(seed_count)];
    size_t at = random_below(b->size + 1), left = b->size - at;
    size_t some = random_below((left < 64 ? left : 64) + 1);
    size_t from = random_below(other->size + 1), take = random_below(other->size - from + 1);
    uint8_t le[8];
    store_le(le, numbers[random_below(sizeof numbers / sizeof numbers[0])] + random_below(3) - 1,
             8);
    switch (random_below(7)) {
    case 0:
        if (left)
            b->data[at] ^= (uint8_t)(1 << random_below(8));
        break;
    case 1:
        if (left)
            b->data[at] = (uint8_t)random_next();
        break;
    case 2: /* a number over what is there */
        some = (size_t)1 << random_below(4);
        if (some <= left)
            memcpy(b->data + at, le, some);
        break;
    case 3:
        replace(b, at, 0, le, 1 + random_below(8));
        break;
    case 4:
        replace(b, at, some, NULL, 0);
        break;
    case 5: /* part of another input */
        replace(b, at, some, other->data + from, take);
        break;
    default: /* the same once more */
        if (some) {
            struct bytes copy = {0};
            bytes_put(&copy, b->data + at, some);
            replace(b, at, 0, copy.data, copy.size);
            bytes_free(&copy);
        }
    }
}

static void try_run(void)
{
    random_state = seed * 0x9e3779b97f4a7c15 ^ run;
    random_next();
    struct bytes input = {0};
    const struct bytes *start = &seeds[random_below(seed_count)];
    bytes_put(&input, start->data, start->size);
    for (size_t changes = 1 + random_below(8); changes && input.size < SIZE_LIMIT; changes--)
        change(&input);
    uint8_t *exact = malloc(input.size + !input.size); /* so that reads behind the end are seen */
    CHECK(exact);
    if (input.size)
        memcpy(exact, input.data, input.size);
    LLVMFuzzerTestOneInput(exact, input.size);
    free(exact);
    bytes_free(&input);
}

static int try_file(const char *path)
{
    uint8_t piece[4096];
    size_t got;
    struct bytes input = {0};
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return EXIT_FAILURE;
    }
    while ((got = fread(piece, 1, sizeof piece, f)) > 0)
        bytes_put(&input, piece, got);
    fclose(f);
    LLVMFuzzerTestOneInput(input.data, input.size);
    bytes_free(&input);
    return EXIT_SUCCESS;
}

static int write_seeds(const char *folder)
{
    for (unsigned i = 0; i < seed_count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/seed%u", folder, i);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(seeds[i].data, 1, seeds[i].size, f) != seeds[i].size || fclose(f) != 0) {
            perror(path);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

static void make_seeds(void)
{
    while (seed_count < SEEDS_MAX && fuzz_seed(seed_count, &seeds[seed_count]))
        seed_count++;
    CHECK(seed_count);
    for (unsigned i = 0; i < seed_count; i++)
        bytes_put(&seeds[i], "", 0);
}

static void run_for(uint64_t seconds)
{
    time_t end = time(NULL) + (time_t)seconds;
    for (unsigned i = 0; i < seed_count; i++)
        LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
    do
        for (unsigned i = 0; i < 256; i++, run++)
            try_run();
    while (time(NULL) < end);
    printf("%" PRIu64 " runs of seed %" PRIu64 "\n", run, seed);
}

int main(int count, char **arguments)
{
    uint64_t seconds = 0;
    bool one_run = false;
    int status = EXIT_SUCCESS;
    make_seeds();
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_run);
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        bool is_option = true;
        if (strcmp(name, "-seconds") == 0)
            seconds = strtoull(value, NULL, 10);
        else if (strcmp(name, "-seed") == 0)
            seed = strtoull(value, NULL, 10);
        else if (strcmp(name, "-run") == 0)
            run = strtoull(value, NULL, 10), one_run = true;
        else if (strcmp(name, "-write") == 0)
            status |= write_seeds(value);
        else
            is_option = false;
        if (is_option)
            i++;
        else
            status |= try_file(name);
    }
    if (one_run)
        try_run();
    else if (seconds)
        run_for(seconds);
    for (unsigned i = 0; i < seed_count; i++)
        bytes_free(&seeds[i]);
    return status;
}
