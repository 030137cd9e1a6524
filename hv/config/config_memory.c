/* ram, rom, reserve; blob types, load, cmdline. */
#include "hv/config/config_internal.h"

#include <string.h>

#include "hv/config/config_text.h"

static uint64_t end_of_memory(const struct vm_config *c)
{
    uint64_t end = 0;
    for (size_t i = 0; i < c->ram_count; i++)
        if (c->rams[i].start + c->rams[i].length > end)
            end = c->rams[i].start + c->rams[i].length;
    return end;
}

/* The place right after the highest RAM or ROM so far, moved up past reserved ranges. */
static uint64_t place_for(const struct vm_config *c, uint64_t length)
{
    uint64_t start = end_of_memory(c);
    for (size_t i = 0; i < c->reserve_count; i++) {
        const struct reserve_config *r = &c->reserves[i];
        uint64_t end = (r->base + r->length + PAGE_MASK) & ~PAGE_MASK;
        if (ranges_overlap(start, length, r->base, end - r->base)) {
            start = end;
            i = (size_t)-1; /* the new place may meet one that was passed already */
        }
    }
    return start;
}

static bool length_is_right(struct parser *p, const struct word *word, uint64_t length)
{
    if (length == 0)
        return parser_error(p, word, "the length is 0");
    return parser_aligned(p, word, "length", length);
}

static bool start_is_right(struct parser *p, const struct word *word, uint64_t start,
                           uint64_t length)
{
    if (!parser_aligned(p, word, "address", start))
        return false;
    if (!range_inside(start, length, GUEST_SPACE))
        return parser_error(p, word, "the range ends beyond the guest's 48-bit addresses");
    return true;
}

/* A length more likely than an address. */
static bool ends_in_unit(struct piece text)
{
    return text.size && strchr("KMGkmg", text.text[text.size - 1]);
}

static void add_memory(struct parser *p, const struct word *option, const struct word *argument,
                       bool is_rom)
{
    struct piece length_text = config_parse_word_piece(argument), start_text = {0};
    if (!argument->bad && strchr(argument->text, '=')) {
        parser_error(p, argument, "'%s' is not [START,]LENGTH (write `%s 0x80000000,64M`)",
                     argument->text, option->text);
        return;
    }
    struct ram_config ram = {.place = option->place, .is_rom = is_rom};
    bool has_start = strchr(argument->text, ',') != NULL;
    if (has_start)
        start_text = piece_next(&length_text, ',');
    if (has_start && !parser_number(p, argument, start_text, NUMBER_ADDRESS, &ram.start))
        return;
    if (!parser_number(p, argument, length_text, NUMBER_LENGTH, &ram.length) ||
        !length_is_right(p, argument, ram.length))
        return;
    if (!has_start && ram.length <= GUEST_SPACE)
        ram.start = place_for(p->config, ram.length);
    if (!start_is_right(p, argument, ram.start, ram.length))
        return;
    if (has_start && ends_in_unit(start_text) && !ends_in_unit(length_text))
        parser_note(p, argument, "%s %s: it starts at 0x%llx and has 0x%llx bytes (START is first)",
                    option->text, argument->text, (unsigned long long)ram.start,
                    (unsigned long long)ram.length);
    struct vm_config *c = p->config;
    c->rams = array_grow(c->rams, c->ram_count, sizeof ram);
    c->rams[c->ram_count++] = ram;
}

HANDLER(config_word_ram)
{
    p->said_memory = true;
    add_memory(p, option, arguments, false);
}

HANDLER(config_word_rom)
{
    p->said_memory = true;
    add_memory(p, option, arguments, true);
}

HANDLER(config_word_reserve)
{
    (void)p;
    (void)option;
    (void)arguments;
}

/* PORT[,LENGTH] */
static bool are_ports(struct parser *p, const struct word *word, struct piece text)
{
    struct piece first = piece_next(&text, ',');
    uint64_t port, length = 1;
    if (!parser_number(p, word, first, NUMBER_ADDRESS, &port) ||
        (text.text && !parser_number(p, word, text, NUMBER_LENGTH, &length)))
        return false;
    return (length && range_inside(port, length, 0x10000)) ||
           parser_error(p, word, "'%s' is not a range of I/O ports", word->text);
}

/* BUS:DEV[.FUNC] */
static bool is_pci_address(struct parser *p, const struct word *word, struct piece text)
{
    struct piece bus = piece_next(&text, ':');
    if (!text.text)
        return parser_error(p, word, "'%s' is not pci:BUS:DEV[.FUNC]", word->text);
    struct piece function = text, device = piece_next(&function, '.');
    uint64_t number;
    return parser_number_in(p, word, "bus", bus, 0, 255, &number) &&
           parser_number_in(p, word, "device", device, 0, 31, &number) &&
           (!function.text || parser_number_in(p, word, "function", function, 0, 7, &number));
}

static void reserve_memory(struct parser *p, const struct word *option, const struct word *word,
                           struct piece text)
{
    struct reserve_config reserve = {.place = option->place};
    struct piece base = piece_next(&text, ',');
    if (!parser_number(p, word, base, NUMBER_ADDRESS, &reserve.base))
        return;
    if (!text.text) {
        parser_error(p, word, "'%s' needs a length", word->text);
        return;
    }
    if (!parser_number(p, word, text, NUMBER_LENGTH, &reserve.length))
        return;
    if (reserve.length == 0 || !range_inside(reserve.base, reserve.length, GUEST_SPACE)) {
        parser_error(p, word, "'%s' is not a range of guest-physical addresses", word->text);
        return;
    }
    struct vm_config *c = p->config;
    c->reserves = array_grow(c->reserves, c->reserve_count, sizeof reserve);
    c->reserves[c->reserve_count++] = reserve;
}

HANDLER(config_word_reserve_loc)
{
    struct piece text = config_parse_word_piece(arguments);
    switch (config_parse_location_space(&text)) {
    case SPACE_MEMORY:
        reserve_memory(p, option, arguments, text);
        return;
    case SPACE_IO:
        if (are_ports(p, arguments, text))
            parser_accept(p, option, "reserve loc %s", arguments->text);
        return;
    case SPACE_PCI:
        if (is_pci_address(p, arguments, text))
            parser_accept(p, option, "reserve loc %s", arguments->text);
    }
}

HANDLER(config_word_reserve_intr)
{
    uint64_t number;
    if (!parser_number_in(p, arguments, "interrupt line", config_parse_word_piece(arguments), 0,
                          BOARD_VECTOR_MAX, &number))
        return;
    struct vm_config *c = p->config;
    c->reserve_intrs =
        array_grow(c->reserve_intrs, c->reserve_intr_count, sizeof *c->reserve_intrs);
    c->reserve_intrs[c->reserve_intr_count++] =
        (struct reserve_intr_config){option->place, (unsigned)number};
}

HANDLER(config_word_blob)
{
    (void)arguments;
    p->blob_word = *option;
    for (unsigned i = BLOB_GUEST; i <= BLOB_DATA; i++)
        if (!strcmp(config_text_blob_type((enum blob_type)i), option->text))
            p->blob = (enum blob_type)i;
}

static bool is_memory(const struct vm_config *c, uint64_t address)
{
    struct memory_range r;
    for (size_t i = 0; config_memory(c, i, &r); i++)
        if (address >= r.start && address - r.start < r.length)
            return true;
    return false;
}

/* FILE may contain commas itself: only what begins with a digit or is a number is an address. */
static bool load_address(struct parser *p, const struct word *word, struct piece *path,
                         struct load_config *load)
{
    struct piece rest = *path, first = piece_next(&rest, ',');
    if (!rest.text)
        return true;
    uint64_t value;
    bool is_number = number_parse(first.text, first.size, NUMBER_ADDRESS, &value) == NUMBER_OK;
    if (!is_number && (first.size == 0 || first.text[0] < '0' || first.text[0] > '9'))
        return true;
    *path = rest;
    load->has_address = true;
    if (!parser_number(p, word, first, NUMBER_ADDRESS, &load->address))
        return false;
    if (p->said_memory && !is_memory(p->config, load->address))
        return parser_error(p, word, "0x%llx is not in the guest memory given so far",
                            (unsigned long long)load->address);
    return true;
}

HANDLER(config_word_load)
{
    struct load_config load = {.place = option->place};
    if (p->blob_word.text)
        load.type = p->blob;
    p->blob_word.text = NULL;
    if (!p->said_memory)
        parser_error(p, option, "'load' before any 'ram' or 'rom': there is nowhere to load to");
    struct piece path = config_parse_word_piece(arguments);
    if (arguments->bad || !load_address(p, arguments, &path, &load))
        return;
    if (path.size == 0)
        parser_error(p, arguments, "'load' needs a file name");
    load.path = parser_keep(p, path);
    struct vm_config *c = p->config;
    c->loads = array_grow(c->loads, c->load_count, sizeof load);
    c->loads[c->load_count++] = load;
}

HANDLER(config_word_cmdline)
{
    (void)option;
    p->config->cmdline = parser_keep(p, config_parse_word_piece(arguments));
}
