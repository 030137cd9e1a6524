/* Boards without a parser: the default one, look-ups, the canonical text. */
#include "hv/config/board_config_internal.h"

#include <stdio.h>
#include <string.h>

#include "hv/config/config_strings.h"
#include "emu/array.h"
#include "emu/text.h"
#include "hv/config/config_text.h"

#define BANK_0_BASE  0x0000000880000000u
#define BANK_1_BASE  0x0000004000000000u
#define DEFAULT_CPUS 8

void board_config_default(struct board_config *board, uint64_t ram_needed)
{
    const struct place place = {"default", 0};
    const uint64_t block = (uint64_t)2 << 20;
    uint64_t half = (ram_needed / 2 + block - 1) / block * block;
    *board = (struct board_config){.cpu_count = DEFAULT_CPUS};
    board->name = strings_keep(&board->strings, "default", 7);
    for (; board->bank_count < 2; board->bank_count++) {
        board->banks = array_grow(board->banks, board->bank_count, sizeof *board->banks);
        board->banks[board->bank_count] =
            (struct board_range){place, board->bank_count ? BANK_1_BASE : BANK_0_BASE, half};
    }
}

const struct board_region *board_region_find(const struct board_config *board, const char *name)
{
    for (size_t i = 0; i < board->region_count; i++)
        if (strcmp(board->regions[i].name, name) == 0)
            return &board->regions[i];
    return NULL;
}

const char *board_device_name(const struct board_device *d)
{
    return d->name ? d->name : d->type ? d->type->name : NULL;
}

size_t board_smmu_of(const struct board_config *board, uint32_t stream)
{
    size_t i = 0;
    while (i < board->smmu_count &&
           stream - board->smmus[i].first_stream >= board->smmus[i].stream_count)
        i++;
    return i;
}

/* `_all` or `_cpu-N`, N as it is printed. */
static bool own_cluster(const struct board_config *board, const char *name, uint64_t *cpus)
{
    if (strcmp(name, "_all") == 0) {
        *cpus = UINT64_MAX >> (BOARD_CPUS_MAX - board->cpu_count);
        return true;
    }
    for (unsigned i = 0; i < board->cpu_count; i++) {
        char own[16];
        snprintf(own, sizeof own, "_cpu-%u", i);
        *cpus = (uint64_t)1 << i;
        if (strcmp(name, own) == 0)
            return true;
    }
    return false;
}

bool board_cluster_find(const struct board_config *board, const char *name, uint64_t *cpus)
{
    for (size_t i = 0; i < board->cluster_count; i++)
        if (strcmp(board->clusters[i].name, name) == 0) {
            *cpus = board->clusters[i].cpus;
            return true;
        }
    return own_cluster(board, name, cpus);
}

static void put_range(struct bytes *out, const char *option, uint64_t start, uint64_t length)
{
    text_put(out, "%s 0x%llx,0x%llx", option, (unsigned long long)start,
             (unsigned long long)length);
}

static void put_named(struct bytes *out, const char *option, const char *name)
{
    text_put(out, "%s ", option);
    config_text_word(out, name);
}

static void put_device(struct bytes *out, const struct board_device *d)
{
    text_put(out, "device %s", d->type ? d->type->name : "none");
    if (d->name)
        put_named(out, " name", d->name);
    if (d->has_loc)
        put_range(out, " loc", d->start, d->length);
    if (d->has_intr)
        text_put(out, " intr %u", d->intr);
    if (d->has_stream)
        text_put(out, " stream %lu", (unsigned long)d->stream);
    if (d->dma)
        text_put(out, " dma on");
    config_text_options(out, d->type, d->options, d->option_count);
    text_put(out, "\n");
}

static void put_regions(struct bytes *out, const struct board_config *board)
{
    for (size_t i = 0; i < board->region_count; i++) {
        put_named(out, "region", board->regions[i].name);
        put_range(out, "", board->regions[i].start, board->regions[i].length);
        text_put(out, "\n");
    }
}

static void put_ranges(struct bytes *out, const char *option, const struct board_range *ranges,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_range(out, option, ranges[i].start, ranges[i].length);
        text_put(out, "\n");
    }
}

static void put_clusters(struct bytes *out, const struct board_config *board)
{
    for (size_t i = 0; i < board->cluster_count; i++) {
        put_named(out, "cluster", board->clusters[i].name);
        text_put(out, " ");
        config_text_runmask(out, board->clusters[i].cpus);
        text_put(out, "\n");
    }
}

void board_config_print(const struct board_config *board, struct bytes *out)
{
    put_named(out, "board", board->name);
    text_put(out, "\ncpus %u\n", board->cpu_count);
    put_clusters(out, board);
    put_ranges(out, "ram", board->banks, board->bank_count);
    put_ranges(out, "hole", board->holes, board->hole_count);
    put_regions(out, board);
    for (size_t i = 0; i < board->smmu_count; i++) {
        put_named(out, "smmu", board->smmus[i].name);
        text_put(out, " loc 0x%llx streams %lu,%lu\n", (unsigned long long)board->smmus[i].start,
                 (unsigned long)board->smmus[i].first_stream,
                 (unsigned long)board->smmus[i].stream_count);
    }
    for (size_t i = 0; i < board->device_count; i++)
        put_device(out, &board->devices[i]);
    config_smmuman_print(&board->smmuman, out);
}
