/* The driver: words become options with their arguments, options find their handlers. */
#include "hv/config/config_internal.h"
#include "hv/vm_arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENS(context)   OPTION_OPENS, context
#define APPLIES(context) OPTION_APPLIES, context
#define NEITHER          OPTION_NEITHER, CONTEXT_NONE

const struct option config_options[] = {
    {"system", NEITHER, 1, handle_system, "NAME", "names the VM; the first option"},
    {"ram", NEITHER, 1, handle_ram, "[START,]LENGTH", "memory, zeroed; repeatable"},
    {"rom", NEITHER, 1, handle_rom, "[START,]LENGTH", "memory the guest cannot write; repeatable"},
    {"cpu", OPENS(CONTEXT_CPU), 0, handle_cpu, "", "one vCPU; repeatable, one if there is none"},
    {"sched", APPLIES(CONTEXT_CPU), 1, handle_sched, "PRIO[r|f|o] or HI,LO,REPL,PERIOD,BUDGETs",
     "priority 1 to 255 (default 10): round-robin, FIFO, other; or sporadic, times in ns"},
    {"s", APPLIES(CONTEXT_CPU), 0, handle_sched_suffix, "", "the end of a sporadic sched"},
    {"runmask", APPLIES(CONTEXT_CPU), 1, handle_runmask, "N{,N}",
     "physical CPUs it may use; default all"},
    {"cluster", APPLIES(CONTEXT_CPU), 1, handle_cluster, "NAME",
     "the same by name: _all, _cpu-N, clusters of the board"},
    {"partition", APPLIES(CONTEXT_CPU), 1, handle_partition, "NAME", "accepted without effect"},
    {"guest", NEITHER, 0, handle_blob, "", "before load: a guest image"},
    {"initrd", NEITHER, 0, handle_blob, "", "before load: an initial ramdisk"},
    {"fdt", NEITHER, 0, handle_blob, "", "before load: a device tree, merged with the VM's own"},
    {"acpi", NEITHER, 0, handle_blob, "", "before load: an ACPI table; x86 guests only"},
    {"data", NEITHER, 0, handle_blob, "", "before load: a plain copy"},
    {"load", NEITHER, 1, handle_load, "[ADDRESS,]FILE", "a file into guest memory; repeatable"},
    {"cmdline", NEITHER, 1, handle_cmdline, "\"STRING\"", "handed to the guest"},
    {"vdev", OPENS(CONTEXT_VDEV), 1, handle_vdev, "TYPE", "a virtual device; repeatable"},
    {"loc", APPLIES(CONTEXT_VDEV), 1, handle_vdev_loc, "[mem:]ADDRESS", "where it answers"},
    {"intr", APPLIES(CONTEXT_VDEV), 1, handle_vdev_intr, "PIC:LINE", "its interrupt"},
    {"name", APPLIES(CONTEXT_VDEV), 1, handle_vdev_name, "NAME",
     "its name; of the interrupt controller the one that intr uses"},
    {"log", APPLIES(CONTEXT_VDEV), 2, handle_vdev_log, "FILTER{,FILTER} DESTINATION",
     "what it logs where, instead of the VM's logger; repeatable"},
    {"hostvector", APPLIES(CONTEXT_VDEV), 1, handle_hostvector, "N",
     "interrupt controllers: host vector of line 0"},
    {"loc", APPLIES(CONTEXT_SKIPPED), 1, handle_skipped, "", ""},
    {"intr", APPLIES(CONTEXT_SKIPPED), 1, handle_skipped, "", ""},
    {"name", APPLIES(CONTEXT_SKIPPED), 1, handle_skipped, "", ""},
    {"log", APPLIES(CONTEXT_SKIPPED), 2, handle_skipped, "", ""},
    {"hostvector", APPLIES(CONTEXT_SKIPPED), 1, handle_skipped, "", ""},
    {"pass", OPENS(CONTEXT_PASS), 0, handle_pass, "",
     "memory and interrupts of the host for the guest; repeatable"},
    {"loc", APPLIES(CONTEXT_PASS), 1, handle_pass_loc, "[mem:]START[,LENGTH],ATTRS[=HOST]",
     "a range of host memory; repeatable"},
    {"intr", APPLIES(CONTEXT_PASS), 1, handle_pass_intr, "PIC:LINE[,FLAGS][=VECTOR]",
     "a host interrupt; repeatable"},
    {"reserve", OPENS(CONTEXT_RESERVE), 0, handle_reserve, "",
     "keeps automatic placement away; repeatable"},
    {"loc", APPLIES(CONTEXT_RESERVE), 1, handle_reserve_loc, "[mem:]START,LENGTH",
     "from a range; repeatable"},
    {"intr", APPLIES(CONTEXT_RESERVE), 1, handle_reserve_intr, "NUMBER",
     "from an interrupt line; repeatable"},
    {"logger", NEITHER, 2, handle_logger, "FILTER{,FILTER} DESTINATION",
     "which messages go where: stdout, stderr, slog, none; repeatable"},
    {"unsupported", NEITHER, 2, handle_unsupported, "TYPE ACTION",
     "what follows an instruction, reference or register nobody has: abort, fail, ignore"},
    {"set", NEITHER, 2, handle_set, "VARIABLE VALUE", "sets a variable (qvm set ?)"},
    {"dryrun", NEITHER, 0, handle_dryrun, "", "assemble everything, then stop"},
    {"debug", NEITHER, 0, handle_debug, "", "accepted without effect"},
    {"dump", NEITHER, 1, handle_dump, "DIRECTORY or \"|COMMAND\"", "where guest dumps go"},
    {"safety", NEITHER, 1, handle_safety, "none|warn|required", "accepted without effect"},
    {NULL, NEITHER, 0, NULL, NULL, NULL},
};

bool parser_error(struct parser *p, const struct word *word, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return errors_add(p->errors, word->place, "%s", text);
}

static void add_line(struct parser *p, const struct word *word, char ***lines, size_t *count,
                     const char *format, va_list args)
{
    char text[400];
    vsnprintf(text, sizeof text, format, args);
    *lines = array_grow(*lines, *count, sizeof **lines);
    (*lines)[(*count)++] =
        strings_format(&p->config->strings, "[%s:%u] %s", word->place.file, word->place.line, text);
}

void parser_accept(struct parser *p, const struct word *word, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(p, word, &p->config->accepted, &p->config->accepted_count, format, args);
    va_end(args);
}

void parser_note(struct parser *p, const struct word *word, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(p, word, &p->config->notes, &p->config->note_count, format, args);
    va_end(args);
}

bool config_memory(const struct vm_config *c, size_t i, struct memory_range *range)
{
    if (i < c->ram_count) {
        *range = (struct memory_range){c->rams[i].start, c->rams[i].length, c->rams[i].is_rom};
        return true;
    }
    i -= c->ram_count;
    for (size_t k = 0; k < c->pass_count; k++)
        if (c->passes[k].m && i-- == 0) {
            *range = (struct memory_range){c->passes[k].guest, c->passes[k].length, false};
            return true;
        }
    return false;
}

struct piece word_piece(const struct word *word)
{
    return (struct piece){word->text, strlen(word->text)};
}

bool piece_is(struct piece piece, const char *text)
{
    return piece.size == strlen(text) && (piece.size == 0 || !memcmp(piece.text, text, piece.size));
}

char *parser_keep(struct parser *p, struct piece piece)
{
    return strings_keep(p->words.strings, piece.text, piece.size);
}

bool parser_number(struct parser *p, const struct word *word, struct piece text,
                   enum number_kind kind, uint64_t *value)
{
    *value = 0;
    if (word->bad)
        return false;
    switch (number_parse(text.text, text.size, kind, value)) {
    case NUMBER_OK:
        return true;
    case NUMBER_OVERFLOW:
        return parser_error(p, word, "'%.*s' does not fit in 64 bits", (int)text.size, text.text);
    default:
        return parser_error(p, word, "'%.*s' is not %s", (int)text.size, text.text ? text.text : "",
                            number_kind_name(kind));
    }
}

bool parser_number_in(struct parser *p, const struct word *word, const char *what,
                      struct piece text, uint64_t least, uint64_t most, uint64_t *value)
{
    if (!parser_number(p, word, text, NUMBER_PLAIN, value))
        return false;
    if (*value < least || *value > most)
        return parser_error(p, word, "%s '%.*s' is not in the range %llu to %llu", what,
                            (int)text.size, text.text, (unsigned long long)least,
                            (unsigned long long)most);
    return true;
}

bool parser_aligned(struct parser *p, const struct word *word, const char *what, uint64_t value)
{
    return !(value & PAGE_MASK) ||
           parser_error(p, word, "the %s 0x%llx is not a multiple of the page size 0x1000", what,
                        (unsigned long long)value);
}

enum location_space location_space(struct piece *text)
{
    static const char *const prefixes[] = {"mem:", "io:", "pci:"};
    for (unsigned i = 0; i < 3; i++) {
        size_t size = strlen(prefixes[i]);
        if (text->size >= size && !memcmp(text->text, prefixes[i], size)) {
            text->text += size;
            text->size -= size;
            return (enum location_space)i;
        }
    }
    return SPACE_MEMORY;
}

HANDLER(handle_system)
{
    if (p->started) {
        parser_error(p, option, "'system' must be the first option");
        return;
    }
    if (arguments->bad)
        return;
    const char *equals = strchr(arguments->text, '=');
    if (equals && equals[1])
        parser_error(p, arguments, "'%s' is not a name for a system (write `system %s`)",
                     arguments->text, equals + 1);
    else if (!arguments->text[0] || strpbrk(arguments->text, "/="))
        parser_error(p, arguments, "'%s' is not a name for a system", arguments->text);
    p->config->system = parser_keep(p, word_piece(arguments));
}

/* The option of this name in the current context, or outside of all contexts. */
static const struct option *option_find(const struct parser *p, const char *name)
{
    for (const struct option *o = p->options; o->name; o++)
        if (!strcmp(o->name, name) && (o->class != OPTION_APPLIES || o->context == p->context))
            return o;
    return NULL;
}

static const char *context_opener(const struct parser *p, enum context context)
{
    for (const struct option *o = p->options; o->name; o++)
        if (o->class == OPTION_OPENS && o->context == context)
            return o->name;
    return NULL;
}

/* Says after which options a word of some other context may stand; false if of none. */
static bool explain_misplaced(struct parser *p, const struct word *word)
{
    char openers[64] = "";
    for (const struct option *o = p->options; o->name; o++) {
        const char *opener = o->class == OPTION_APPLIES ? context_opener(p, o->context) : NULL;
        if (!opener || strcmp(o->name, word->text))
            continue;
        size_t used = strlen(openers);
        snprintf(openers + used, sizeof openers - used, "%s'%s'", used ? ", " : "", opener);
    }
    if (openers[0])
        parser_error(p, word, "'%s' belongs behind %s", word->text, openers);
    return openers[0] != '\0';
}

static void report_unknown(struct parser *p, const struct word *word)
{
    char hint[HINT_TEXT];
    if (word->bad || explain_misplaced(p, word))
        return;
    if (*config_hint(p, word->text, hint)) {
        parser_error(p, word, "unknown option '%.64s'%s", word->text, hint);
        return;
    }
    struct nearest nearest = nearest_to(word->text);
    for (const struct option *o = p->options; o->name; o++)
        if (o->class != OPTION_APPLIES || o->context == p->context)
            nearest_try(&nearest, o->name);
    vdev_nearest_option(p, &nearest);
    char suggestion[NEAREST_TEXT];
    parser_error(p, word, "unknown option '%.64s'%s", word->text,
                 nearest_text(&nearest, suggestion));
}

/* A waiting blob-type word is used up by `load` and `pass`; anything else is wrong. */
static void check_blob_word(struct parser *p, const struct option *option)
{
    if (!p->blob_word.text || option->handle == handle_load || option->handle == handle_pass)
        return;
    parser_error(p, &p->blob_word, "'%s' must be followed by 'load' or 'pass'", p->blob_word.text);
    p->blob_word.text = NULL;
}

/* An option of a later line is no argument: the one of this line has been forgotten. */
static bool take_argument(struct parser *p, const struct word *option, struct word *argument)
{
    struct words_position before = words_position(&p->words);
    if (!words_argument(&p->words, argument))
        return false;
    if (argument->bad || !p->words.file || argument->place.line == option->place.line ||
        !option_find(p, argument->text))
        return true;
    words_return(&p->words, before);
    return false;
}

static void run_option(struct parser *p, const struct option *option, const struct word *word)
{
    struct word arguments[2] = {{0}};
    check_blob_word(p, option);
    for (unsigned i = 0; i < option->arguments; i++)
        if (!take_argument(p, word, &arguments[i])) {
            parser_error(p, word, "missing argument of '%s' (%s)", option->name, option->form);
            if (option->class != OPTION_OPENS)
                return;
            arguments[i] = (struct word){.text = "", .place = word->place, .bad = true};
        }
    if (option->class == OPTION_OPENS) {
        p->context = option->context;
        p->opened = word->place;
    }
    option->handle(p, word, arguments);
}

/* Behind a device of an unknown type everything on its line may be an option of it, and elsewhere
 * what is an option of some type. */
static bool may_be_skipped(const struct parser *p, const struct word *word)
{
    bool is_its_line = p->opened.file == word->place.file && p->opened.line == word->place.line;
    return p->context == CONTEXT_SKIPPED &&
           (is_its_line || !p->words.file || vdev_some_type_option(word->text));
}

/* After an unknown word the words behind it on the line are probably its arguments: nothing is said
 * about them. */
void parser_run(struct parser *p)
{
    struct word word, unknown = {0};
    while (words_option(&p->words, &word)) {
        const struct option *option = option_find(p, word.text);
        bool is_known = true;
        if (!word.bad && option)
            run_option(p, option, &word);
        else if (word.bad || !vdev_type_option(p, &word))
            is_known = false;
        if (is_known) {
            unknown.place.file = NULL;
            p->started = true;
            continue;
        }
        bool is_behind = unknown.place.file == word.place.file &&
                         (unknown.place.line == word.place.line || !p->words.file);
        if (!is_behind && !may_be_skipped(p, &word))
            report_unknown(p, &word);
        unknown = word;
    }
}

bool config_parse(struct vm_config *config, const char *const *words, size_t count,
                  const struct config_reader *reader, struct error *e)
{
    struct config_errors errors = {0};
    struct parser p = {.options = config_options,
                       .config = config,
                       .errors = &errors,
                       .pic = vdev_default_pic,
                       .pic_name = vdev_default_pic->name};
    *config = (struct vm_config){
        .unsupported_instruction = UNSUPPORTED_FAIL,
        .unsupported_reference = UNSUPPORTED_IGNORE,
        .unsupported_register = UNSUPPORTED_FAIL,
        .clock_rate_hz = 1000000000,
        .counter_offset = UINT64_MAX,
    };
    config->cpu_model = strings_keep(&config->strings, vm_arches[0]->cpu->models[0].name,
                                     strlen(vm_arches[0]->cpu->models[0].name));
    p.words = (struct words){.arguments = words,
                             .count = count,
                             .reader = reader,
                             .strings = &config->strings,
                             .errors = &errors};
    parser_run(&p);
    parser_finish(&p);
    words_free(&p.words);
    bool ok = errors.lines.count == 0;
    if (!ok) {
        errors_report(&errors, e);
        config_free(config);
    }
    strings_free(&errors.lines);
    return ok;
}

void config_free(struct vm_config *config)
{
    for (size_t i = 0; i < config->vdev_count; i++) {
        free(config->vdevs[i].options);
        free(config->vdevs[i].loggers);
    }
    free(config->rams);
    free(config->cpus);
    free(config->loads);
    free(config->vdevs);
    free(config->passes);
    free(config->pass_intrs);
    free(config->reserves);
    free(config->reserve_intrs);
    free(config->loggers);
    free(config->accepted);
    free(config->notes);
    strings_free(&config->strings);
    *config = (struct vm_config){0};
}
