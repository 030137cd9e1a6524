/* What only the whole board can tell: what is missing, names, CPUs, vectors, streams, overlaps. */
#include "hv/config/board_config_internal.h"

#include <stdio.h>
#include <string.h>

static void check_presence(struct parser *p)
{
    struct board_config *b = p->board;
    struct place start = {p->words.place.file ? p->words.place.file : "board", 1};
    if (!b->name)
        errors_add(p->errors, start, "a board begins with 'board NAME'");
    if (!p->said_memory)
        errors_add(p->errors, start, "the board has no 'ram START,LENGTH'");
    for (size_t i = 0; i < b->device_count; i++) {
        const struct board_device *d = &b->devices[i];
        if (d->type && !d->has_loc)
            errors_add(p->errors, d->place, "device %s needs 'loc START'", d->type->name);
        if (d->has_stream && !d->dma)
            errors_add(p->errors, d->place, "a device with a 'stream' needs 'dma on'");
    }
    for (size_t i = 0; i < b->smmu_count; i++) {
        const struct board_smmu *s = &b->smmus[i];
        if (s->start == ADDRESS_MISSING)
            errors_add(p->errors, s->place, "smmu '%s' needs 'loc START'", s->name);
        if (!s->stream_count)
            errors_add(p->errors, s->place, "smmu '%s' needs 'streams FIRST,COUNT'", s->name);
    }
}

/* Names ------------------------------------------------------------------------------------------
 */

struct named {
    const char *name, *kind;
    struct place place;
};

static void check_unique(struct parser *p, const struct named *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i].name, names[j].name) == 0) {
                errors_add(p->errors, names[i].place, "%s '%s' exists already [%s:%u]",
                           names[i].kind, names[i].name, names[j].place.file, names[j].place.line);
                break;
            }
}

static void check_names(struct parser *p)
{
    const struct board_config *b = p->board;
    struct named regions[BOARD_REGIONS_MAX], clusters[BOARD_CLUSTERS_MAX],
        devices[BOARD_DEVICES_MAX + BOARD_SMMUS_MAX];
    size_t device_count = 0;
    for (size_t i = 0; i < b->region_count; i++)
        regions[i] = (struct named){b->regions[i].name, "region", b->regions[i].place};
    for (size_t i = 0; i < b->cluster_count; i++)
        clusters[i] = (struct named){b->clusters[i].name, "cluster", b->clusters[i].place};
    for (size_t i = 0; i < b->device_count; i++)
        if (b->devices[i].name)
            devices[device_count++] =
                (struct named){b->devices[i].name, "device", b->devices[i].place};
    for (size_t i = 0; i < b->smmu_count; i++)
        devices[device_count++] = (struct named){b->smmus[i].name, "smmu", b->smmus[i].place};
    check_unique(p, regions, b->region_count);
    check_unique(p, clusters, b->cluster_count);
    check_unique(p, devices, device_count);
}

static void check_clusters(struct parser *p)
{
    const struct board_config *b = p->board;
    for (size_t i = 0; i < b->cluster_count; i++)
        for (unsigned cpu = b->cpu_count; cpu < BOARD_CPUS_MAX; cpu++)
            if (b->clusters[i].cpus >> cpu & 1) {
                errors_add(p->errors, b->clusters[i].place,
                           "cluster '%s': there is no CPU %u (the board has %u)",
                           b->clusters[i].name, cpu, b->cpu_count);
                break;
            }
}

static void check_vectors(struct parser *p)
{
    const struct board_config *b = p->board;
    for (size_t i = 0; i < b->device_count; i++)
        for (size_t j = 0; j < i && b->devices[i].has_intr; j++)
            if (b->devices[j].has_intr && b->devices[j].intr == b->devices[i].intr) {
                const struct place *first = &b->devices[j].place;
                errors_add(p->errors, b->devices[i].place,
                           "host interrupt %u belongs to another device already [%s:%u]",
                           b->devices[i].intr, first->file, first->line);
                break;
            }
}

static bool has_stream(const struct board_smmu *smmu, uint32_t stream)
{
    return stream >= smmu->first_stream && stream - smmu->first_stream < smmu->stream_count;
}

static void check_streams(struct parser *p)
{
    const struct board_config *b = p->board;
    for (size_t i = 0; i < b->smmu_count; i++)
        for (size_t j = 0; j < i; j++)
            if (has_stream(&b->smmus[j], b->smmus[i].first_stream) ||
                has_stream(&b->smmus[i], b->smmus[j].first_stream))
                errors_add(p->errors, b->smmus[i].place,
                           "smmu '%s': some of its streams belong to smmu '%s' already",
                           b->smmus[i].name, b->smmus[j].name);
    for (size_t i = 0; i < b->device_count; i++) {
        bool is_known = !b->devices[i].has_stream;
        for (size_t j = 0; j < b->smmu_count; j++)
            is_known |= has_stream(&b->smmus[j], b->devices[i].stream);
        if (!is_known)
            errors_add(p->errors, b->devices[i].place, "stream %u belongs to no smmu",
                       b->devices[i].stream);
    }
}

/* What smmuman is told of: devices that do DMA, in sets that exist, and memory. */
static void check_smmuman_device(struct parser *p, const struct smmuman_device *d)
{
    const struct board_config *b = p->board;
    bool is_one = false, has_set = !d->name;
    for (size_t i = 0; i < b->device_count; i++)
        is_one |= b->devices[i].dma && b->devices[i].start == d->start &&
                  b->devices[i].length == d->length;
    for (size_t i = 0; i < b->smmuman.allow_count && d->name; i++)
        has_set |= strcmp(b->smmuman.allows[i].name, d->name) == 0;
    if (!is_one)
        errors_add(p->errors, d->place,
                   "smmuman: the board has no device with 'dma on' of 0x%llx bytes at 0x%llx",
                   (unsigned long long)d->length, (unsigned long long)d->start);
    if (!has_set)
        errors_add(p->errors, d->place, "smmuman: no 'allow' has a set '%.64s'", d->name);
}

static void check_smmuman_range(struct parser *p, const struct smmuman_range *r)
{
    const struct board_config *b = p->board;
    for (size_t i = 0; i < b->region_count; i++)
        if (b->regions[i].in_bank && r->start >= b->regions[i].start &&
            range_inside(r->start - b->regions[i].start, r->length, b->regions[i].length))
            return;
    errors_add(p->errors, r->place,
               "smmuman: 0x%llx to 0x%llx is in no 'region' of the board's memory",
               (unsigned long long)r->start, (unsigned long long)(r->start + r->length - 1));
}

static void check_smmuman(struct parser *p)
{
    const struct smmuman_config *c = &p->board->smmuman;
    for (size_t i = 0; i < c->device_count; i++)
        check_smmuman_device(p, &c->devices[i]);
    for (size_t i = 0; i < c->allow_count; i++)
        check_smmuman_range(p, &c->allows[i]);
    for (size_t i = 0; i < c->reserved_count; i++) {
        check_smmuman_device(p, &c->reserved[i].device);
        check_smmuman_range(p, &c->reserved[i].range);
    }
}

/* Ranges -----------------------------------------------------------------------------------------
 */

enum kind { KIND_RAM, KIND_HOLE, KIND_REGION, KIND_DEVICE, KIND_SMMU };
static const char *const kind_names[] = {"ram", "hole", "region", "device", "smmu"};

struct range {
    uint64_t start, length;
    enum kind kind;
    const char *name; /* or NULL */
    struct place place;
};

#define RANGES_MAX                                                                                 \
    (BOARD_BANKS_MAX + BOARD_HOLES_MAX + BOARD_REGIONS_MAX + BOARD_DEVICES_MAX + BOARD_SMMUS_MAX)

static size_t list_ranges(const struct board_config *b, struct range *ranges)
{
    size_t count = 0;
    for (size_t i = 0; i < b->bank_count; i++)
        ranges[count++] = (struct range){b->banks[i].start, b->banks[i].length, KIND_RAM, NULL,
                                         b->banks[i].place};
    for (size_t i = 0; i < b->hole_count; i++)
        ranges[count++] = (struct range){b->holes[i].start, b->holes[i].length, KIND_HOLE, NULL,
                                         b->holes[i].place};
    for (size_t i = 0; i < b->region_count; i++)
        ranges[count++] = (struct range){b->regions[i].start, b->regions[i].length, KIND_REGION,
                                         b->regions[i].name, b->regions[i].place};
    for (size_t i = 0; i < b->device_count; i++)
        if (b->devices[i].has_loc && b->devices[i].start != ADDRESS_BAD)
            ranges[count++] = (struct range){b->devices[i].start, b->devices[i].length, KIND_DEVICE,
                                             b->devices[i].name, b->devices[i].place};
    for (size_t i = 0; i < b->smmu_count; i++)
        if (b->smmus[i].start < GUEST_SPACE)
            ranges[count++] = (struct range){b->smmus[i].start, BOARD_SMMU_SIZE, KIND_SMMU,
                                             b->smmus[i].name, b->smmus[i].place};
    return count;
}

static bool overlap(const struct range *a, const struct range *b)
{
    return ranges_overlap(a->start, a->length, b->start, b->length);
}

static bool is_within(const struct range *a, const struct range *whole)
{
    return range_inside(a->start - whole->start, a->length, whole->length);
}

/* A region may name a part of a bank, or where devices are. `a` has the smaller kind. */
static bool may_overlap(const struct range *a, const struct range *b)
{
    if (b->kind == KIND_REGION)
        return a->kind == KIND_RAM && is_within(b, a);
    return a->kind == KIND_REGION && is_within(b, a);
}

static void describe(const struct range *r, char text[160])
{
    snprintf(text, 160, "%s%s%.64s%s 0x%llx-0x%llx", kind_names[r->kind], r->name ? " '" : "",
             r->name ? r->name : "", r->name ? "'" : "", (unsigned long long)r->start,
             (unsigned long long)(r->start + r->length - 1));
}

/* At the one that was written later, as far as lines tell. */
static void report_overlap(struct parser *p, const struct range *a, const struct range *b)
{
    char first[160], second[160];
    if (a->place.line > b->place.line) {
        const struct range *swap = a;
        a = b;
        b = swap;
    }
    describe(a, first);
    describe(b, second);
    errors_add(p->errors, b->place, "%s overlaps %s [%s:%u]", second, first, a->place.file,
               a->place.line);
}

static void check_ranges(struct parser *p)
{
    struct range ranges[RANGES_MAX];
    size_t count = list_ranges(p->board, ranges);
    for (size_t j = 1; j < count; j++)
        for (size_t i = 0; i < j; i++)
            if (overlap(&ranges[i], &ranges[j]) && !may_overlap(&ranges[i], &ranges[j]))
                report_overlap(p, &ranges[i], &ranges[j]);
}

/* Which regions are memory. */
static void place_regions(struct board_config *b)
{
    for (size_t i = 0; i < b->region_count; i++)
        for (size_t j = 0; j < b->bank_count; j++)
            b->regions[i].in_bank |= b->regions[i].start >= b->banks[j].start &&
                                     b->regions[i].start - b->banks[j].start < b->banks[j].length;
}

void board_check(struct parser *p)
{
    check_presence(p);
    check_names(p);
    check_clusters(p);
    check_vectors(p);
    check_streams(p);
    check_ranges(p);
    place_regions(p->board);
    check_smmuman(p);
}
