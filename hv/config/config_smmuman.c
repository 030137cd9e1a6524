/* smmuman's language (docs/smmu.md): what DMA devices of the board reach beside the memory of the
 * VM that has them. It has the grammar and the notation of numbers of a VM's configuration, and is
 * in files of its own (`*.smmu`) and in the board's file, behind `smmuman`. */
#include <stdlib.h>
#include <string.h>

#include "hv/config/board_config_internal.h"
#include "mmu/walk.h"

static struct smmuman_config *result(const struct parser *p)
{
    return &p->board->smmuman;
}

static bool has_room(struct parser *p, const struct word *option, size_t count)
{
    if (count < SMMUMAN_ENTRIES_MAX)
        return true;
    return parser_error(p, option, "more than %d times '%s'", SMMUMAN_ENTRIES_MAX, option->text);
}

static bool set_name(struct parser *p, const struct word *word, char **name)
{
    if (!word->bad && !word->text[0])
        return parser_error(p, word, "the name of a set is not empty");
    *name = parser_keep(p, config_parse_word_piece(word));
    return !word->bad;
}

/* START,LENGTH */
static bool range_of(struct parser *p, const struct word *word, struct piece start,
                     struct piece length, uint64_t *at, uint64_t *size)
{
    if (!parser_number(p, word, start, NUMBER_ADDRESS, at) ||
        !parser_number(p, word, length, NUMBER_LENGTH, size))
        return false;
    if (!parser_aligned(p, word, "address", *at) || !parser_aligned(p, word, "length", *size))
        return false;
    if (!*size)
        return parser_error(p, word, "the length is 0");
    return range_inside(*at, *size, GUEST_SPACE) ||
           parser_error(p, word, "the range ends beyond the 48-bit addresses");
}

static bool permits_of(struct parser *p, const struct word *word, struct piece text,
                       unsigned *permits)
{
    static const char letters[] = "rwx";
    static const unsigned values[] = {PERMIT_R, PERMIT_W, PERMIT_X};
    for (size_t i = 0; i < text.size; i++) {
        const char *letter = memchr(letters, text.text[i], 3);
        if (!letter)
            return parser_error(p, word, "unknown permission '%c' in '%s' (r, w and x)",
                                text.text[i], word->text);
        *permits |= values[letter - letters];
    }
    return *permits || parser_error(p, word, "'%s' permits nothing", word->text);
}

/* START,LENGTH[,PERMS] */
static bool permitted_range(struct parser *p, const struct word *word, struct smmuman_range *r)
{
    struct piece rest = config_parse_word_piece(word), start = piece_next(&rest, ',');
    if (word->bad)
        return false;
    if (!rest.text)
        return parser_error(p, word, "'%s' is not START,LENGTH[,PERMS]", word->text);
    struct piece length = piece_next(&rest, ',');
    if (!range_of(p, word, start, length, &r->start, &r->length))
        return false;
    if (rest.text)
        return permits_of(p, word, rest, &r->permits);
    r->permits = PERMIT_R | PERMIT_W;
    return true;
}

static bool begins(struct piece *text, const char *with)
{
    size_t size = strlen(with);
    if (text->size < size || memcmp(text->text, with, size) != 0)
        return false;
    text->text += size;
    text->size -= size;
    return true;
}

/* mmio:ADDR,LEN */
static bool device_of(struct parser *p, const struct word *word, struct smmuman_device *d)
{
    struct piece rest = config_parse_word_piece(word);
    if (word->bad)
        return false;
    if (begins(&rest, "pci:"))
        return parser_error(p, word,
                            "there is no PCI bus in this version: a device is "
                            "mmio:ADDR,LEN");
    bool is_mmio = begins(&rest, "mmio:");
    struct piece start = piece_next(&rest, ',');
    if (!is_mmio || !rest.text)
        return parser_error(p, word, "'%s' is not mmio:ADDR,LEN", word->text);
    return range_of(p, word, start, rest, &d->start, &d->length);
}

static HANDLER(handle_allow)
{
    struct smmuman_config *c = result(p);
    struct smmuman_range r = {.place = option->place};
    if (!set_name(p, &arguments[0], &r.name) || !permitted_range(p, &arguments[1], &r) ||
        !has_room(p, option, c->allow_count))
        return;
    c->allows = array_grow(c->allows, c->allow_count, sizeof r);
    c->allows[c->allow_count++] = r;
}

static HANDLER(handle_device)
{
    struct smmuman_config *c = result(p);
    struct smmuman_device d = {.place = option->place};
    if (!device_of(p, &arguments[0], &d) || !set_name(p, &arguments[1], &d.name) ||
        !has_room(p, option, c->device_count))
        return;
    c->devices = array_grow(c->devices, c->device_count, sizeof d);
    c->devices[c->device_count++] = d;
}

static HANDLER(handle_reserved)
{
    struct smmuman_config *c = result(p);
    struct smmuman_reserved r = {{.place = option->place}, {.place = option->place}};
    if (!device_of(p, &arguments[0], &r.device) || !permitted_range(p, &arguments[1], &r.range) ||
        !has_room(p, option, c->reserved_count))
        return;
    c->reserved = array_grow(c->reserved, c->reserved_count, sizeof r);
    c->reserved[c->reserved_count++] = r;
}

static HANDLER(handle_debug)
{
    uint64_t level;
    (void)option;
    if (parser_number_in(p, arguments, "debug level", config_parse_word_piece(arguments), 1, 2,
                         &level))
        result(p)->debug = (unsigned)level;
}

static HANDLER(handle_foreground)
{
    (void)option;
    (void)arguments;
    result(p)->foreground = true;
}

/* `smmu-smmuv3.so`, `smmu-smmuv3` and `smmuv3` are the same. */
static HANDLER(handle_library)
{
    struct piece name = config_parse_word_piece(arguments);
    (void)option;
    if (arguments->bad)
        return;
    begins(&name, "smmu-");
    if (name.size > 3 && !memcmp(name.text + name.size - 3, ".so", 3))
        name.size -= 3;
    if (config_parse_piece_is(name, "smmuv3"))
        result(p)->has_library = true;
    else
        parser_error(p, arguments, "there is no support for SMMUs of '%.64s': boards have smmuv3",
                     arguments->text);
}

static HANDLER(handle_unconfirmed)
{
    (void)arguments;
    parser_error(p, option, "'%s' is known by its name alone: what it does is not documented",
                 option->text);
}

static const struct config_option smmuman_options[] = {
    {"allow", NEITHER, 2, handle_allow, "NAME START,LEN[,PERMS]",
     "a range that the devices of the set reach; repeatable"},
    {"device", NEITHER, 2, handle_device, "mmio:ADDR,LEN NAME",
     "the device is in that set; repeatable"},
    {"reserved", NEITHER, 2, handle_reserved, "mmio:ADDR,LEN START,LEN[,PERMS]",
     "a range that the device cannot do without; repeatable"},
    {"debug", NEITHER, 1, handle_debug, "1|2", "says what it does; 2: more of it"},
    {"foreground", NEITHER, 0, handle_foreground, "", "accepted"},
    {"smmu", NEITHER, 1, handle_library, "smmuv3", "which SMMUs the board has"},
    {"user", NEITHER, 0, handle_unconfirmed, "", ""},
    {"set", NEITHER, 0, handle_unconfirmed, "", ""},
    {"use", NEITHER, 0, handle_unconfirmed, "", ""},
    {"foreach", NEITHER, 0, handle_unconfirmed, "", ""},
    {"safety", NEITHER, 0, handle_unconfirmed, "", ""},
    {NULL, NEITHER, 0, NULL, NULL, NULL},
};

static bool no_other(struct parser *p, const struct word *word)
{
    (void)p;
    (void)word;
    return false;
}

static bool none_somewhere(const char *name)
{
    (void)name;
    return false;
}

static void nothing_nearer(const struct parser *p, struct nearest *nearest)
{
    (void)p;
    (void)nearest;
}

/* What it names is looked for when the whole board is known (board_config_check.c). */
static void nothing_to_finish(struct parser *p)
{
    (void)p;
}

static const struct language smmuman_language = {
    .options = smmuman_options,
    .other_option = no_other,
    .is_other_somewhere = none_somewhere,
    .nearest_other = nothing_nearer,
    .finish = nothing_to_finish,
};

HANDLER(config_word_smmuman)
{
    const char *text = arguments->text;
    struct parser inner = {
        .language = &smmuman_language,
        .board = p->board,
        .words = {.arguments = &text,
                  .count = 1,
                  .within = option->place,
                  .reader = p->words.reader,
                  .strings = p->words.strings},
    };
    p->board->smmuman.is_used = true;
    if (p->board->smmuman.statement_count++ >= SMMUMAN_STATEMENTS_MAX)
        parser_error(p, option, "more than %d times '%s'", SMMUMAN_STATEMENTS_MAX, option->text);
    else if (!arguments->bad)
        parser_run_within(&inner, p);
}

void config_smmuman_free(struct smmuman_config *c)
{
    free(c->allows);
    free(c->devices);
    free(c->reserved);
}
