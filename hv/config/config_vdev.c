/* The `vdev` context. */
#include "hv/config/config_internal.h"

#include <string.h>

#include "hv/config/config_catalogue.h"

/* `vdev-pl011.so`, `vdev-pl011` and `pl011` are the same. */
static const char *type_name(struct parser *p, const struct word *word)
{
    struct piece name = config_parse_word_piece(word);
    if (name.size > 5 && !memcmp(name.text, "vdev-", 5)) {
        name.text += 5;
        name.size -= 5;
    }
    if (name.size > 3 && !memcmp(name.text + name.size - 3, ".so", 3))
        name.size -= 3;
    return parser_keep(p, name);
}

static void refuse_type(struct parser *p, const struct word *word, const char *name)
{
    const struct known_vdev *known = known_vdev_find(name);
    if (known) {
        parser_lacks(p, word->place, "vdev type '%s' is not available in this version%s", name,
                     known->is_x86 ? " (x86 guests only)" : "");
        p->said_x86 |= known->is_x86;
        return;
    }
    if (strpbrk(name, ",=")) {
        parser_error(p, word,
                     "unknown vdev type '%.64s' (options are words of their own: `vdev TYPE loc "
                     "ADDRESS intr PIC:LINE`)",
                     name);
        return;
    }
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; vdev_types[i]; i++)
        nearest_try(&nearest, vdev_types[i]->name);
    for (known = known_vdevs; known->name; known++)
        nearest_try(&nearest, known->name);
    char suggestion[NEAREST_TEXT];
    parser_error(p, word, "unknown vdev type '%.64s'%s", name, nearest_text(&nearest, suggestion));
}

const struct vdev_type *parser_type(struct parser *p, const struct word *word)
{
    const char *name = type_name(p, word);
    const struct vdev_type *type = word->bad ? NULL : vdev_type_find(name);
    if (!type && !word->bad)
        refuse_type(p, word, name);
    return type;
}

static bool is_pic(const struct vdev_config *vdev)
{
    return vdev->type->pic != NULL;
}

static struct vdev_config *current(const struct parser *p)
{
    return &p->config->vdevs[p->config->vdev_count - 1];
}

static void add_vdev(struct parser *p, const struct vdev_type *type, struct place place)
{
    struct vm_config *c = p->config;
    c->vdevs = array_grow(c->vdevs, c->vdev_count, sizeof *c->vdevs);
    c->vdevs[c->vdev_count++] = (struct vdev_config){.place = place, .type = type};
}

HANDLER(config_word_vdev)
{
    const struct vdev_type *type = parser_type(p, arguments);
    if (!type) {
        p->context = CONTEXT_SKIPPED;
        return;
    }
    if (type->pic && p->pic_place.file) {
        parser_error(p, option, "a second 'vdev %s'; the first is at [%s:%u]", type->name,
                     p->pic_place.file, p->pic_place.line);
        p->context = CONTEXT_SKIPPED;
        return;
    }
    add_vdev(p, type, option->place);
    if (!type->pic)
        return;
    p->pic = type;
    p->pic_name = type->name;
    p->pic_place = option->place;
}

/* The interrupt controller comes first and always exists. */
void parser_add_pic(struct parser *p)
{
    struct vm_config *c = p->config;
    if (!p->pic_place.file)
        add_vdev(p, p->pic, (struct place){"default", 0});
    size_t at = 0;
    while (!is_pic(&c->vdevs[at]))
        at++;
    struct vdev_config pic = c->vdevs[at];
    memmove(&c->vdevs[1], &c->vdevs[0], at * sizeof pic);
    c->vdevs[0] = pic;
}

HANDLER(config_word_skipped)
{
    (void)p;
    (void)option;
    (void)arguments;
}

HANDLER(config_word_vdev_loc)
{
    (void)option;
    struct vdev_config *vdev = current(p);
    struct piece text = config_parse_word_piece(arguments);
    enum location_space space = config_parse_location_space(&text);
    vdev->has_loc = true;
    vdev->loc = ADDRESS_BAD;
    uint64_t address;
    if (space == SPACE_PCI)
        parser_lacks(p, arguments->place, "there is no PCI bus in this version");
    else if (space == SPACE_IO)
        parser_lacks(p, arguments->place, "there are no I/O ports in this version");
    else if (!parser_number(p, arguments, text, NUMBER_ADDRESS, &address))
        return;
    else if (address >= GUEST_SPACE)
        parser_error(p, arguments, "'%s' is beyond the guest's 48-bit addresses", arguments->text);
    else
        vdev->loc = address;
}

bool parser_intr(struct parser *p, const struct word *word, struct piece text, char **pic,
                 unsigned *line)
{
    if (word->bad)
        return false;
    struct piece rest = text, name = piece_next(&rest, ':');
    uint64_t number;
    if (!rest.text)
        return parser_error(p, word, "'%s' is not PIC:LINE", word->text);
    if (!config_parse_piece_is(name, p->pic_name)) {
        parser_lacks(p, word->place, "unknown interrupt controller '%.*s' (known here: '%s')",
                     (int)name.size, name.text, p->pic_name);
        return false;
    }
    if (!parser_number_in(p, word, "interrupt line", rest, p->pic->pic->first_line,
                          p->pic->pic->last_line, &number))
        return false;
    *pic = parser_keep(p, name);
    *line = (unsigned)number;
    return true;
}

HANDLER(config_word_vdev_intr)
{
    (void)option;
    struct vdev_config *vdev = current(p);
    vdev->has_intr = true;
    vdev->intr_pic = NULL;
    parser_intr(p, arguments, config_parse_word_piece(arguments), &vdev->intr_pic,
                &vdev->intr_line);
}

/* Who it is can be told when all names are known. */
HANDLER(config_word_vdev_stream)
{
    (void)option;
    struct vdev_config *vdev = current(p);
    struct piece rest = config_parse_word_piece(arguments), name = piece_next(&rest, ':');
    uint64_t number;
    vdev->has_stream = false;
    if (arguments->bad)
        return;
    if (!rest.text || !name.size)
        parser_error(p, arguments, "'%s' is not SMMU:NUMBER", arguments->text);
    else if (parser_number_in(p, arguments, "stream", rest, 0, UINT32_MAX, &number)) {
        vdev->has_stream = true;
        vdev->stream_place = arguments->place;
        vdev->smmu = parser_keep(p, name);
        vdev->stream = (uint32_t)number;
    }
}

HANDLER(config_word_vdev_name)
{
    /* `intr` must be able to refer to it */
    static const char pic_letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    (void)option;
    struct vdev_config *vdev = current(p);
    if (arguments->bad)
        return;
    if (!arguments->text[0] || strlen(arguments->text) >= sizeof((struct vdev *)0)->name) {
        parser_error(p, arguments, "a name has 1 to %zu characters",
                     sizeof((struct vdev *)0)->name - 1);
        return;
    }
    if (is_pic(vdev) && strspn(arguments->text, pic_letters) != strlen(arguments->text)) {
        parser_error(p, arguments,
                     "the name of an interrupt controller has letters, digits, '_', '-', '.' only");
        return;
    }
    vdev->name = parser_keep(p, config_parse_word_piece(arguments));
    if (is_pic(vdev))
        p->pic_name = vdev->name;
}

HANDLER(config_word_vdev_log)
{
    (void)option;
    struct vdev_config *vdev = current(p);
    struct logger_config logger;
    if (!parser_logger(p, arguments, true, &logger))
        return;
    vdev->loggers = array_grow(vdev->loggers, vdev->logger_count, sizeof logger);
    vdev->loggers[vdev->logger_count++] = logger;
}

HANDLER(config_word_hostvector)
{
    struct vdev_config *vdev = current(p);
    uint64_t number;
    if (!is_pic(vdev)) {
        parser_error(p, option, "'hostvector' is for interrupt controllers only");
        return;
    }
    if (!parser_number_in(p, arguments, "vector", config_parse_word_piece(arguments), 0,
                          UINT32_MAX / 2, &number))
        return;
    vdev->has_hostvector = true;
    vdev->hostvector = (unsigned)number;
}

/* Who has type-specific options in the current context. */
struct option_owner {
    const struct vdev_type *type; /* NULL: nobody */
    struct vdev_option **options;
    size_t *count;
};

static struct option_owner option_owner(const struct parser *p)
{
    if (p->context == CONTEXT_VDEV) {
        struct vdev_config *vdev = current(p);
        return (struct option_owner){vdev->type, &vdev->options, &vdev->option_count};
    }
    if (p->context == CONTEXT_DEVICE) {
        struct board_device *device = &p->board->devices[p->board->device_count - 1];
        return (struct option_owner){device->type, &device->options, &device->option_count};
    }
    return (struct option_owner){0};
}

/* The last occurrence of an option that is not repeatable takes the place of the earlier one. */
static void add_option(const struct option_owner *owner, struct vdev_option option,
                       bool is_repeatable)
{
    for (size_t i = 0; i < *owner->count && !is_repeatable; i++)
        if (!strcmp((*owner->options)[i].name, option.name)) {
            (*owner->options)[i] = option;
            return;
        }
    *owner->options = array_grow(*owner->options, *owner->count, sizeof option);
    (*owner->options)[(*owner->count)++] = option;
}

bool vdev_type_option(struct parser *p, const struct word *option)
{
    const struct option_owner owner = option_owner(p);
    const struct vdev_option_type *type =
        owner.type ? vdev_option_type_find(owner.type, option->text) : NULL;
    if (!type)
        return false;
    struct word value = {.text = "", .place = option->place};
    if (type->form && !words_argument(&p->words, &value))
        parser_error(p, option, "missing argument of '%s' (%s)", option->text, type->form);
    else if (type->no_effect && p->config)
        parser_accept(p, option, "vdev %s %s%s%s", owner.type->name, option->text,
                      type->form ? " " : "", value.text);
    else
        add_option(&owner,
                   (struct vdev_option){type->name, value.text, value.place.file, value.place.line},
                   type->repeatable);
    return true;
}

bool vdev_some_type_option(const char *name)
{
    for (size_t i = 0; vdev_types[i]; i++)
        if (vdev_option_type_find(vdev_types[i], name))
            return true;
    return false;
}

void vdev_nearest_option(const struct parser *p, struct nearest *nearest)
{
    const struct option_owner owner = option_owner(p);
    const struct vdev_option_type *o = owner.type ? owner.type->options : NULL;
    for (; o && o->name; o++)
        nearest_try(nearest, o->name);
}
