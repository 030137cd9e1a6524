/* The `inject` context: faults on purpose (docs/faults.md). */
#include <string.h>

#include "hv/config/config_internal.h"
#include "hv/vm_arch.h"

static struct inject_config *last(struct parser *p)
{
    return &p->config->injects[p->config->inject_count - 1];
}

/* "gpa:ADDRESS,BIT", of a byte of memory. */
static bool flip_memory(struct parser *p, const struct word *word, struct piece rest,
                        struct inject_config *inject)
{
    struct piece address = piece_next(&rest, ',');
    uint64_t bit;
    inject->kind = INJECT_FLIP_MEMORY;
    if (!parser_number(p, word, address, NUMBER_ADDRESS, &inject->start) ||
        !parser_number_in(p, word, "bit of a byte", rest, 0, 7, &bit))
        return false;
    inject->bit = (unsigned)bit;
    return true;
}

/* "vcpuN:REGISTER,BIT". */
static bool flip_register(struct parser *p, const struct word *word, struct piece vcpu,
                          struct piece rest, struct inject_config *inject)
{
    struct piece name = piece_next(&rest, ',');
    uint64_t number, bit;
    vcpu.text += strlen("vcpu");
    vcpu.size -= strlen("vcpu");
    inject->kind = INJECT_FLIP_REGISTER;
    if (!parser_number_in(p, word, "vCPU", vcpu, 0, CONFIG_VCPUS_MAX - 1, &number) ||
        !parser_number_in(p, word, "bit of a register", rest, 0, 127, &bit))
        return false;
    inject->vcpu = (unsigned)number;
    inject->bit = (unsigned)bit;
    inject->name = parser_keep(p, name);
    return true;
}

static bool flip(struct parser *p, const struct word *word, struct inject_config *inject)
{
    struct piece rest = config_parse_word_piece(word), place = piece_next(&rest, ':');
    bool is_vcpu = place.size > 4 && memcmp(place.text, "vcpu", 4) == 0;
    if (rest.text && config_parse_piece_is(place, "gpa"))
        return flip_memory(p, word, rest, inject);
    if (rest.text && is_vcpu)
        return flip_register(p, word, place, rest, inject);
    return parser_error(p, word, "'flip' wants gpa:ADDRESS,BIT or vcpuN:REGISTER,BIT, not '%.64s'",
                        word->text);
}

static bool unmap(struct parser *p, const struct word *word, struct inject_config *inject)
{
    struct piece rest = config_parse_word_piece(word), start = piece_next(&rest, ',');
    inject->kind = INJECT_UNMAP;
    if (!rest.text)
        return parser_error(p, word, "'unmap' wants START,LENGTH, not '%.64s'", word->text);
    return parser_number(p, word, start, NUMBER_ADDRESS, &inject->start) &&
           parser_number(p, word, rest, NUMBER_LENGTH, &inject->length) &&
           parser_aligned(p, word, "start", inject->start) &&
           parser_aligned(p, word, "length", inject->length) &&
           (range_inside(inject->start, inject->length, GUEST_SPACE) ||
            parser_error(p, word, "the range ends beyond the guest's 48-bit addresses"));
}

static bool of_device(struct parser *p, const struct word *word, struct inject_config *inject)
{
    inject->name = parser_keep(p, config_parse_word_piece(word));
    return true;
}

/* "PIC:LINE", and of `delay` ",NS". */
static bool of_line(struct parser *p, const struct word *word, struct inject_config *inject)
{
    struct piece rest = config_parse_word_piece(word), line = piece_next(&rest, ',');
    bool delays = inject->kind == INJECT_DELAY;
    if (delays != (rest.text != NULL))
        return parser_error(p, word, "the fault wants PIC:LINE%s, not '%.64s'", delays ? ",NS" : "",
                            word->text);
    if (!parser_intr(p, word, line, &inject->pic, &inject->line))
        return false;
    if (inject->line < p->pic->pic->first_shared)
        return parser_error(p, word, "line %u belongs to each vCPU: faults are of those from %u on",
                            inject->line, p->pic->pic->first_shared);
    return (!delays ||
            parser_number_in(p, word, "delay in ns", rest, 1, 1000000000000, &inject->length));
}

static const struct {
    const char *name;
    enum inject_kind kind;
    bool (*read)(struct parser *p, const struct word *word, struct inject_config *inject);
} faults[] = {
    {"flip", INJECT_FLIP_MEMORY, flip}, {"unmap", INJECT_UNMAP, unmap},
    {"lose", INJECT_LOSE, of_line},     {"double", INJECT_DOUBLE, of_line},
    {"delay", INJECT_DELAY, of_line},   {"refuse", INJECT_REFUSE, of_device},
};

static bool read_fault(struct parser *p, const struct word *kind, const struct word *what,
                       struct inject_config *inject)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        inject->kind = faults[i].kind;
        if (strcmp(kind->text, faults[i].name) == 0)
            return faults[i].read(p, what, inject);
    }
    return parser_error(p, kind,
                        "'%.40s' is no fault that can be injected (flip, unmap, lose, double, "
                        "delay, refuse)",
                        kind->text);
}

HANDLER(config_word_inject)
{
    struct vm_config *c = p->config;
    struct inject_config inject = {.place = option->place};
    inject.is_bad = !read_fault(p, &arguments[0], &arguments[1], &inject);
    c->injects = array_grow(c->injects, c->inject_count, sizeof inject);
    c->injects[c->inject_count++] = inject;
}

HANDLER(config_word_inject_at)
{
    struct piece rest = config_parse_word_piece(arguments), what = piece_next(&rest, '=');
    struct inject_config *inject = last(p);
    bool by_count = inject->kind >= INJECT_LOSE;
    (void)option;
    if (inject->is_bad)
        return;
    if (!rest.text || !config_parse_piece_is(what, by_count ? "count" : "insn"))
        inject->is_bad = !parser_error(p, arguments, "'at' wants %s=N here, not '%.64s'",
                                       by_count ? "count" : "insn", arguments->text);
    else
        inject->is_bad =
            !parser_number_in(p, arguments, by_count ? "count" : "instruction", rest, 1,
                              UINT64_MAX - 1, by_count ? &inject->count : &inject->instruction);
}

/* The register that is meant, or NULL. */
static const struct arch_register *find_register(const struct arch *arch, const char *name)
{
    for (unsigned i = 0; i < arch->register_count; i++)
        if (text_equals_in_any_case(arch->registers[i].name, name, strlen(name)))
            return &arch->registers[i];
    return NULL;
}

static bool check_register(struct parser *p, const struct inject_config *inject)
{
    const struct arch *arch = vm_arch_of(p->config->cpu_model)->cpu;
    const struct arch_register *r = find_register(arch, inject->name);
    if (inject->vcpu >= p->config->cpu_count)
        return errors_add(p->errors, inject->place, "inject: there is no vCPU %u", inject->vcpu);
    if (!r || r->class == REGISTER_SYSTEM)
        return errors_add(p->errors, inject->place,
                          "inject: '%.40s' is no register whose bits can be flipped (general, "
                          "status and vector registers)",
                          inject->name);
    return inject->bit < r->bits || errors_add(p->errors, inject->place,
                                               "inject: %s has bits 0 to %u", r->name, r->bits - 1);
}

static bool check_device(struct parser *p, const struct inject_config *inject)
{
    for (size_t i = 0; i < p->config->vdev_count; i++) {
        const struct vdev_config *v = &p->config->vdevs[i];
        if (strcmp(config_vdev_name(v), inject->name) == 0)
            return true;
    }
    return errors_add(p->errors, inject->place, "inject: there is no vdev '%.40s'", inject->name);
}

static bool check_one(struct parser *p, struct inject_config *inject)
{
    if (!inject->instruction && !inject->count)
        return errors_add(p->errors, inject->place, "inject: `at %s=N` is missing",
                          inject->kind >= INJECT_LOSE ? "count" : "insn");
    if (inject->kind == INJECT_FLIP_REGISTER)
        return check_register(p, inject);
    if (inject->kind == INJECT_REFUSE)
        return check_device(p, inject);
    return inject->kind != INJECT_UNMAP || inject->length ||
           errors_add(p->errors, inject->place, "inject: nothing would be unmapped");
}

void parser_check_injects(struct parser *p)
{
    struct vm_config *c = p->config;
    char *pic = strings_keep(&c->strings, p->pic_name, strlen(p->pic_name));
    for (size_t i = 0; i < c->inject_count; i++) {
        c->injects[i].pic = pic;
        if (!c->injects[i].is_bad)
            check_one(p, &c->injects[i]);
    }
}
