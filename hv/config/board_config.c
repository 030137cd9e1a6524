/* The options of the board language: words become a `struct board_config`. */
#include "hv/config/board_config_internal.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE (sizeof((struct vdev *)0)->name - 1)

/* A name that is one word in every message and file. */
static char *name_of(struct parser *p, const struct word *word)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:@+";
    size_t size = strlen(word->text);
    if (!word->bad && (size == 0 || size > NAME_MAX_SIZE || strspn(word->text, letters) != size))
        parser_error(p, word, "'%.64s' is not a name: 1 to %zu letters, digits and _-.,:@+",
                     word->text, NAME_MAX_SIZE);
    return parser_keep(p, config_parse_word_piece(word));
}

/* START,LENGTH in whole pages. */
static bool range_of(struct parser *p, const struct word *word, struct piece text, uint64_t *start,
                     uint64_t *length)
{
    struct piece first = piece_next(&text, ',');
    if (word->bad)
        return false;
    if (!text.text)
        return parser_error(p, word, "'%s' is not START,LENGTH", word->text);
    if (!parser_number(p, word, first, NUMBER_ADDRESS, start) ||
        !parser_number(p, word, text, NUMBER_LENGTH, length))
        return false;
    if (*length == 0)
        return parser_error(p, word, "the length is 0");
    if (!parser_aligned(p, word, "address", *start) || !parser_aligned(p, word, "length", *length))
        return false;
    return range_inside(*start, *length, GUEST_SPACE) ||
           parser_error(p, word, "the range ends beyond the 48-bit addresses");
}

/* Room for one more, unless there are too many; that is said once. */
static bool has_room(struct parser *p, const struct word *option, size_t count, size_t most)
{
    if (count == most)
        return parser_error(p, option, "more than %zu times '%s'", most, option->text);
    return true;
}

static HANDLER(handle_board)
{
    if (p->started)
        parser_error(p, option, "'board' must be the first option");
    p->board->name = name_of(p, arguments);
}

static void add_range(struct parser *p, const struct word *option, const struct word *argument,
                      struct board_range **ranges, size_t *count, size_t most)
{
    struct board_range range = {.place = option->place};
    if (!range_of(p, argument, config_parse_word_piece(argument), &range.start, &range.length) ||
        !has_room(p, option, *count, most))
        return;
    *ranges = array_grow(*ranges, *count, sizeof range);
    (*ranges)[(*count)++] = range;
}

static HANDLER(handle_bank)
{
    p->said_memory = true;
    add_range(p, option, arguments, &p->board->banks, &p->board->bank_count, BOARD_BANKS_MAX);
}

static HANDLER(handle_hole)
{
    add_range(p, option, arguments, &p->board->holes, &p->board->hole_count, BOARD_HOLES_MAX);
}

static HANDLER(handle_region)
{
    struct board_config *b = p->board;
    struct board_region region = {.place = option->place, .name = name_of(p, &arguments[0])};
    if (!range_of(p, &arguments[1], config_parse_word_piece(&arguments[1]), &region.start,
                  &region.length) ||
        !has_room(p, option, b->region_count, BOARD_REGIONS_MAX))
        return;
    b->regions = array_grow(b->regions, b->region_count, sizeof region);
    b->regions[b->region_count++] = region;
}

static HANDLER(handle_cpus)
{
    uint64_t count;
    (void)option;
    if (parser_number_in(p, arguments, "number of CPUs", config_parse_word_piece(arguments), 1,
                         BOARD_CPUS_MAX, &count))
        p->board->cpu_count = (unsigned)count;
}

static HANDLER(handle_board_cluster)
{
    struct board_config *b = p->board;
    struct board_cluster cluster = {.place = option->place, .name = name_of(p, &arguments[0])};
    uint64_t number;
    if (cluster.name[0] == '_') {
        parser_error(p, &arguments[0],
                     "names that begin with '_' are the board's own: _all, _cpu-0, ...");
        return;
    }
    for (struct piece rest = config_parse_word_piece(&arguments[1]); rest.text;) {
        if (!parser_number_in(p, &arguments[1], "CPU", piece_next(&rest, ','), 0,
                              BOARD_CPUS_MAX - 1, &number))
            return;
        cluster.cpus |= (uint64_t)1 << number;
    }
    if (!has_room(p, option, b->cluster_count, BOARD_CLUSTERS_MAX))
        return;
    b->clusters = array_grow(b->clusters, b->cluster_count, sizeof cluster);
    b->clusters[b->cluster_count++] = cluster;
}

/* Devices -----------------------------------------------------------------------------------------
 */

static struct board_device *device(const struct parser *p)
{
    return &p->board->devices[p->board->device_count - 1];
}

static HANDLER(handle_device)
{
    struct board_config *b = p->board;
    const bool is_none = strcmp(arguments->text, "none") == 0;
    const struct vdev_type *type = is_none ? NULL : parser_type(p, arguments);
    if (type && type->pic) {
        parser_error(p, arguments, "a board has its interrupt controller by itself");
        type = NULL;
    }
    if ((!type && !is_none) || !has_room(p, option, b->device_count, BOARD_DEVICES_MAX)) {
        p->context = CONTEXT_SKIPPED;
        return;
    }
    b->devices = array_grow(b->devices, b->device_count, sizeof *b->devices);
    b->devices[b->device_count++] = (struct board_device){.place = option->place, .type = type};
}

static HANDLER(handle_device_name)
{
    (void)option;
    device(p)->name = name_of(p, arguments);
}

static HANDLER(handle_device_loc)
{
    struct board_device *d = device(p);
    struct piece text = config_parse_word_piece(arguments), start = text;
    (void)option;
    d->has_loc = true;
    d->start = ADDRESS_BAD;
    uint64_t at = 0, length = PAGE_SIZE;
    if (strchr(arguments->text, ',')) {
        if (!range_of(p, arguments, text, &at, &length))
            return;
    } else if (!parser_number(p, arguments, start, NUMBER_ADDRESS, &at) ||
               !parser_aligned(p, arguments, "address", at)) {
        return;
    } else if (!range_inside(at, length, GUEST_SPACE)) {
        parser_error(p, arguments, "the range ends beyond the 48-bit addresses");
        return;
    }
    d->start = at;
    d->length = length;
}

static HANDLER(handle_device_intr)
{
    uint64_t vector;
    (void)option;
    if (!parser_number_in(p, arguments, "vector", config_parse_word_piece(arguments), 0,
                          BOARD_VECTOR_MAX, &vector))
        return;
    device(p)->has_intr = true;
    device(p)->intr = (unsigned)vector;
}

static HANDLER(handle_device_stream)
{
    uint64_t stream;
    (void)option;
    if (!parser_number_in(p, arguments, "stream", config_parse_word_piece(arguments), 0, UINT32_MAX,
                          &stream))
        return;
    device(p)->has_stream = true;
    device(p)->stream = (uint32_t)stream;
}

static HANDLER(handle_device_dma)
{
    (void)option;
    bool on = strcmp(arguments->text, "on") == 0;
    if (!arguments->bad && !on && strcmp(arguments->text, "off") != 0)
        parser_error(p, arguments, "'%.64s' is not on or off", arguments->text);
    device(p)->dma = on;
}

/* SMMUs -------------------------------------------------------------------------------------------
 */

static HANDLER(handle_smmu)
{
    struct board_config *b = p->board;
    if (!has_room(p, option, b->smmu_count, BOARD_SMMUS_MAX)) {
        p->context = CONTEXT_SKIPPED;
        return;
    }
    b->smmus = array_grow(b->smmus, b->smmu_count, sizeof *b->smmus);
    b->smmus[b->smmu_count++] = (struct board_smmu){
        .place = option->place, .name = name_of(p, arguments), .start = ADDRESS_MISSING};
}

static struct board_smmu *smmu(const struct parser *p)
{
    return &p->board->smmus[p->board->smmu_count - 1];
}

static HANDLER(handle_smmu_loc)
{
    uint64_t start;
    (void)option;
    smmu(p)->start = ADDRESS_BAD;
    if (!parser_number(p, arguments, config_parse_word_piece(arguments), NUMBER_ADDRESS, &start) ||
        !parser_aligned(p, arguments, "address", start))
        return;
    if (range_inside(start, BOARD_SMMU_SIZE, GUEST_SPACE))
        smmu(p)->start = start;
    else
        parser_error(p, arguments, "the range ends beyond the 48-bit addresses");
}

static HANDLER(handle_smmu_streams)
{
    struct piece rest = config_parse_word_piece(arguments), first = piece_next(&rest, ',');
    uint64_t from, count;
    (void)option;
    smmu(p)->stream_count = UINT32_MAX; /* not missing */
    if (arguments->bad)
        return;
    if (!rest.text) {
        parser_error(p, arguments, "'%s' is not FIRST,COUNT", arguments->text);
        return;
    }
    if (!parser_number_in(p, arguments, "stream", first, 0, UINT32_MAX, &from) ||
        !parser_number_in(p, arguments, "number of streams", rest, 1, UINT32_MAX - from, &count))
        return;
    smmu(p)->first_stream = (uint32_t)from;
    smmu(p)->stream_count = (uint32_t)count;
}

const struct config_option board_options[] = {
    {"board", NEITHER, 1, handle_board, "NAME", "names the board; the first option"},
    {"ram", NEITHER, 1, handle_bank, "START,LENGTH", "a bank of memory; repeatable"},
    {"hole", NEITHER, 1, handle_hole, "START,LENGTH", "neither memory nor device; repeatable"},
    {"region", NEITHER, 2, handle_region, "NAME START,LENGTH",
     "an asinfo entry: memory that is kept from VMs, or registers; repeatable"},
    {"cpus", NEITHER, 1, handle_cpus, "N", "physical CPUs, 1 to 64; default 1"},
    {"cluster", NEITHER, 2, handle_board_cluster, "NAME N{,N}", "a set of CPUs; repeatable"},
    {"device", OPENS(CONTEXT_DEVICE), 1, handle_device, "TYPE", "a device of the host; repeatable"},
    {"name", APPLIES(CONTEXT_DEVICE), 1, handle_device_name, "NAME", "its name"},
    {"loc", APPLIES(CONTEXT_DEVICE), 1, handle_device_loc, "START[,LENGTH]", "its registers"},
    {"intr", APPLIES(CONTEXT_DEVICE), 1, handle_device_intr, "N", "its host interrupt vector"},
    {"stream", APPLIES(CONTEXT_DEVICE), 1, handle_device_stream, "N", "the id of its DMA"},
    {"dma", APPLIES(CONTEXT_DEVICE), 1, handle_device_dma, "on|off", "whether it does DMA"},
    {"smmu", OPENS(CONTEXT_SMMU), 1, handle_smmu, "NAME", "an SMMU; repeatable"},
    {"loc", APPLIES(CONTEXT_SMMU), 1, handle_smmu_loc, "START", "its registers, 128 KiB"},
    {"streams", APPLIES(CONTEXT_SMMU), 1, handle_smmu_streams, "FIRST,COUNT",
     "the ids whose DMA it translates"},
    {"smmuman", NEITHER, 1, config_word_smmuman, "@FILE|WORDS",
     "what smmuman is told, in its own language; repeatable"},
    {"name", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"loc", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"intr", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"stream", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"dma", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"streams", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {NULL, NEITHER, 0, NULL, NULL, NULL},
};

static const struct language board_language = {
    .options = board_options,
    .other_option = vdev_type_option,
    .is_other_somewhere = vdev_some_type_option,
    .nearest_other = vdev_nearest_option,
    .finish = board_check,
};

bool board_config_parse(struct board_config *board, const char *const *words, size_t count,
                        const struct config_reader *reader, struct error *e)
{
    struct parser p = {
        .language = &board_language,
        .board = board,
        .words = {.arguments = words, .count = count, .reader = reader, .strings = &board->strings},
    };
    *board = (struct board_config){.cpu_count = 1};
    bool ok = parser_run(&p, e);
    if (!ok)
        board_config_free(board);
    return ok;
}

void board_config_free(struct board_config *board)
{
    for (size_t i = 0; i < board->device_count; i++)
        free(board->devices[i].options);
    free(board->banks);
    free(board->holes);
    free(board->regions);
    free(board->clusters);
    free(board->devices);
    free(board->smmus);
    config_smmuman_free(&board->smmuman);
    strings_free(&board->strings);
    *board = (struct board_config){0};
}
