/* The driver: words become options with their arguments, options find their handlers. Which options
 * there are is in the language (config_language.c, board_config.c). */
#include "hv/config/config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool parser_error(struct parser *p, const struct word *word, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return errors_add(p->errors, word->place, "%s", text);
}

void parser_lacks(struct parser *p, struct place place, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!p->said_x86)
        errors_add(p->errors, place, "%s", text);
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

struct piece config_parse_word_piece(const struct word *word)
{
    return (struct piece){word->text, strlen(word->text)};
}

bool config_parse_piece_is(struct piece piece, const char *text)
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

enum location_space config_parse_location_space(struct piece *text)
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

/* The option of this name in the current context, or outside of all contexts. */
static const struct config_option *option_find(const struct parser *p, const char *name)
{
    for (const struct config_option *o = p->language->options; o->name; o++)
        if (!strcmp(o->name, name) && (o->class != OPTION_APPLIES || o->context == p->context))
            return o;
    return NULL;
}

static const char *context_opener(const struct parser *p, enum context context)
{
    for (const struct config_option *o = p->language->options; o->name; o++)
        if (o->class == OPTION_OPENS && o->context == context)
            return o->name;
    return NULL;
}

/* Says after which options a word of some other context may stand; false if of none. */
static bool explain_misplaced(struct parser *p, const struct word *word)
{
    char openers[64] = "";
    for (const struct config_option *o = p->language->options; o->name; o++) {
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
    for (const struct config_option *o = p->language->options; o->name; o++)
        if (o->class != OPTION_APPLIES || o->context == p->context)
            nearest_try(&nearest, o->name);
    p->language->nearest_other(p, &nearest);
    char suggestion[NEAREST_TEXT];
    parser_error(p, word, "unknown option '%.64s'%s", word->text,
                 nearest_text(&nearest, suggestion));
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

static void run_option(struct parser *p, const struct config_option *option,
                       const struct word *word)
{
    struct word arguments[2] = {{0}};
    if (p->language->before)
        p->language->before(p, option);
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
           (is_its_line || !p->words.file || p->language->is_other_somewhere(word->text));
}

/* After an unknown word the words behind it on the line are probably its arguments: nothing is said
 * about them. */
static void read_words(struct parser *p)
{
    struct word word, unknown = {0};
    while (words_option(&p->words, &word)) {
        const struct config_option *option = option_find(p, word.text);
        bool is_known = true;
        if (!word.bad && option)
            run_option(p, option, &word);
        else if (word.bad || !p->language->other_option(p, &word))
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

void parser_run_within(struct parser *p, const struct parser *outer)
{
    p->errors = p->words.errors = outer->errors;
    read_words(p);
    p->language->finish(p);
    words_free(&p->words);
}

bool parser_run(struct parser *p, struct error *e)
{
    struct config_errors errors = {0};
    p->errors = p->words.errors = &errors;
    read_words(p);
    p->language->finish(p);
    words_free(&p->words);
    bool ok = errors.lines.count == 0;
    if (!ok)
        errors_report(&errors, e);
    strings_free(&errors.lines);
    return ok;
}
