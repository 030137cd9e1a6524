/* The variables of `set`. */
#include "emu/text.h"
#include "hv/config/config_set.h"

#include <string.h>

#include "hv/config/config_internal.h"
#include "hv/vm_arch.h"

static void set_counter_offset(struct parser *p, const struct word *word, uint64_t value)
{
    (void)word;
    p->config->counter_offset = value;
}

static void set_fdt_dump_file(struct parser *p, const struct word *word, uint64_t value)
{
    (void)value;
    p->config->fdt_dump_file = parser_keep(p, config_parse_word_piece(word));
}

unsigned config_address_bits(const struct vm_config *c)
{
    return vm_arch_model(c->cpu_model)->address_bits;
}

/* "a57, a53, a72 or max": of all architectures; `word` is looked for. */
static bool find_model(const char *word, struct nearest *nearest, char *names, size_t size)
{
    *names = 0;
    for (size_t i = 0; vm_arches[i]; i++)
        for (const struct arch_model *m = vm_arches[i]->cpu->models; m->name; m++) {
            bool is_last = !m[1].name && !vm_arches[i + 1];
            text_add(names, size, "%s%s", !*names ? "" : is_last ? " or " : ", ", m->name);
            nearest_try(nearest, m->name);
            if (strcmp(word, m->name) == 0)
                return true;
        }
    return false;
}

static void set_cpu_model(struct parser *p, const struct word *word, uint64_t value)
{
    struct nearest nearest = nearest_to(word->text);
    char names[256];
    (void)value;
    if (!find_model(word->text, &nearest, names, sizeof names)) {
        parser_error(p, word, "unknown CPU model '%.64s' (%s)", word->text, names);
        return;
    }
    p->config->cpu_model = parser_keep(p, config_parse_word_piece(word));
    if (p->pic_place.file)
        return;
    p->pic = vm_arch_of(p->config->cpu_model)->pic;
    p->pic_name = p->pic->name;
}

static void set_clock_rate(struct parser *p, const struct word *word, uint64_t value)
{
    if (value < 1000 || value > 1000000000000)
        parser_error(p, word, "clock-rate '%s' is not in the range 1000 to 1000000000000",
                     word->text);
    p->config->clock_rate_hz = value;
}

static void set_semihosting(struct parser *p, const struct word *word, uint64_t value)
{
    (void)value;
    p->config->semihosting_dir = parser_keep(p, config_parse_word_piece(word));
    if (!strcmp(word->text, "on"))
        p->config->semihosting_dir[0] = '\0';
    if (!strcmp(word->text, "off"))
        p->config->semihosting_dir = NULL;
}

static void set_icache(struct parser *p, const struct word *word, uint64_t value)
{
    (void)value;
    if (strcmp(word->text, "coherent") && strcmp(word->text, "exact"))
        parser_error(p, word, "'%.64s' is neither coherent nor exact", word->text);
    p->config->icache_exact = !strcmp(word->text, "exact");
}

static bool is_true(const char *text)
{
    return !strcmp(text, "on") || !strcmp(text, "1") || !strcmp(text, "yes") ||
           !strcmp(text, "true");
}

static void set_debug(struct parser *p, const struct word *word, uint64_t value)
{
    (void)value;
    p->config->vdevs[p->config->vdev_count - 1].not_in_status = !is_true(word->text);
}

static void check_block_timeout(struct parser *p, const struct word *word, uint64_t value)
{
    if (value != 0 && (value < 5 || value > 10000))
        parser_error(p, word, "'%s' is neither 0 nor in the range 5 to 10000", word->text);
}

#define NO_EFFECT "accepted without effect"

const struct variable config_variables[] = {
    {"counter-offset", VARIABLE_NUMBER, false, true, set_counter_offset,
     "host minus guest counter; all ones (default): the guest's starts at 0"},
    {"debug", VARIABLE_BOOLEAN, true, true, set_debug,
     "off: the device is left out of the status report"},
    {"exit-on-halt", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"fdt-dump-file", VARIABLE_STRING, false, true, set_fdt_dump_file,
     "the file where the generated device tree is saved"},
    {"grow-heap", VARIABLE_ADDRESS, false, false, NULL, NO_EFFECT},
    {"message-block-timeout", VARIABLE_NUMBER, false, false, check_block_timeout,
     "0, or 5 to 10000 ms; " NO_EFFECT},
    {"vdev-message-block-timeout", VARIABLE_NUMBER, true, false, check_block_timeout,
     "0, or 5 to 10000 ms; " NO_EFFECT},
    {"slog-buffer", VARIABLE_ADDRESS, false, false, NULL, NO_EFFECT},
    {"legacy-free", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"posted-interrupts", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"virtual-interrupts", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"gic-hwassist", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"host-paddr-gicd", VARIABLE_ADDRESS, false, false, NULL, NO_EFFECT},
    {"host-paddr-gich", VARIABLE_ADDRESS, false, false, NULL, NO_EFFECT},
    {"host-paddr-gicv", VARIABLE_ADDRESS, false, false, NULL, NO_EFFECT},
    {"pointer-authentication", VARIABLE_BOOLEAN, false, false, NULL, NO_EFFECT},
    {"linux-fdt-free", VARIABLE_STRING, false, false, NULL, NO_EFFECT},
    {"psci-supported", VARIABLE_TRISTATE, false, false, NULL, NO_EFFECT ": PSCI is always there"},
    {"cpu-model", VARIABLE_STRING, false, true, set_cpu_model,
     "the vCPUs' model: a57 (default), a53, a72, max"},
    {"clock-rate", VARIABLE_NUMBER, false, true, set_clock_rate,
     "instructions a second of virtual time, 1000 to 10^12; default 10^9"},
    {"icache", VARIABLE_STRING, false, true, set_icache,
     "coherent (default), or exact: code that changes without IC instructions may run as it was"},
    {"semihosting", VARIABLE_STRING, false, true, set_semihosting,
     "off (default), on without files, or a directory for files"},
    {NULL, VARIABLE_STRING, false, false, NULL, NULL},
};

const char *variable_type_name(enum variable_type type)
{
    static const char *const names[] = {"boolean", "tristate", "number", "address", "string"};
    return names[type];
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static bool value_has_type(struct parser *p, const struct word *word, enum variable_type type,
                           uint64_t *value)
{
    static const char *const booleans[] = {"on", "off",  "1",     "0", "yes",
                                           "no", "true", "false", NULL};
    static const char *const tristates[] = {"on", "off", "auto", NULL};
    *value = 0;
    switch (type) {
    case VARIABLE_BOOLEAN:
        return is_one_of(word->text, booleans) ||
               parser_error(p, word,
                            "'%.64s' is not a boolean (on, off, 1, 0, yes, no, true, false)",
                            word->text);
    case VARIABLE_TRISTATE:
        return is_one_of(word->text, tristates) ||
               parser_error(p, word, "'%.64s' is not on, off or auto", word->text);
    case VARIABLE_NUMBER:
        return parser_number(p, word, config_parse_word_piece(word), NUMBER_PLAIN, value);
    case VARIABLE_ADDRESS:
        return parser_number(p, word, config_parse_word_piece(word), NUMBER_ADDRESS, value);
    default:
        return true;
    }
}

static const struct variable *variable_find(struct parser *p, const struct word *word)
{
    struct nearest nearest = nearest_to(word->text);
    for (const struct variable *v = config_variables; v->name; v++) {
        if (!strcmp(v->name, word->text))
            return v;
        nearest_try(&nearest, v->name);
    }
    char suggestion[NEAREST_TEXT];
    nearest_text(&nearest, suggestion);
    parser_error(p, word, "unknown variable '%.64s'%s", word->text,
                 suggestion[0] ? suggestion : " (qvm set ? lists them)");
    return NULL;
}

HANDLER(config_word_set)
{
    if (arguments[0].bad)
        return;
    const struct variable *v = variable_find(p, &arguments[0]);
    if (!v || arguments[1].bad)
        return;
    if (v->is_per_vdev && p->context != CONTEXT_VDEV) {
        if (p->context != CONTEXT_SKIPPED)
            parser_error(p, &arguments[0], "variable '%s' belongs behind 'vdev'", v->name);
        return;
    }
    uint64_t value;
    if (!value_has_type(p, &arguments[1], v->type, &value))
        return;
    if (v->apply)
        v->apply(p, &arguments[1], value);
    if (!v->has_effect)
        parser_accept(p, option, "set %s %s", v->name, arguments[1].text);
}
