#include "hv/config/config_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/trace_format.h"
#include "hv/config/board_config.h"
#include "hv/config/config_numbers.h"
#include "hv/config/config_strings.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static void step(struct words *w)
{
    if (w->text[w->at++] == '\n' && w->file)
        w->place.line++;
}

static bool at_text(const struct words *w, const char *text)
{
    size_t size = strlen(text);
    return range_inside(w->at, size, w->size) && memcmp(w->text + w->at, text, size) == 0;
}

/* How many bytes a backslash and the line end behind it take; 0: there is no such thing here. */
static size_t joined_line(const struct words *w)
{
    return at_text(w, "\\\n") ? 2 : at_text(w, "\\\r\n") ? 3 : 0;
}

static void skip_blanks_and_comments(struct words *w)
{
    while (w->at < w->size) {
        if (is_blank(w->text[w->at]) || joined_line(w))
            step(w);
        else if (w->text[w->at] == '#')
            while (w->at < w->size && w->text[w->at] != '\n')
                step(w);
        else
            return;
    }
}

static void put(struct words *w, const char *text, size_t size)
{
    bytes_put(&w->word, text, size);
}

static bool put_env(struct words *w, struct place place, const char *name)
{
    const char *value = w->reader->env ? w->reader->env(w->reader->context, name) : NULL;
    if (!value)
        return errors_add(w->errors, place, "environment variable '%s' is not set", name);
    put(w, value, strlen(value));
    return true;
}

/* What to write instead: the nearest name there is, or else the first ones. */
static void suggest_region(const struct board_config *board, const char *name, char text[200])
{
    char suggestion[NEAREST_TEXT];
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; i < board->region_count; i++)
        nearest_try(&nearest, board->regions[i].name);
    size_t used = (size_t)snprintf(text, 200, "%s", nearest_text(&nearest, suggestion));
    for (size_t i = 0; i < board->region_count && !nearest.best && used < 120; i++)
        used += (size_t)snprintf(text + used, 200 - used, "%s%s", i ? ", " : " (it has ",
                                 board->regions[i].name);
    if (!nearest.best)
        snprintf(text + used, 200 - used, "%s",
                 used >= 120 ? ", ...)"
                 : used      ? ")"
                             : " (it has none)");
}

static const struct board_region *find_asinfo(struct words *w, struct place place, const char *name)
{
    const struct board_config *board = w->reader->board;
    char text[200];
    if (!board) {
        errors_add(w->errors, place, "no asinfo entry '%.64s': there is no board file", name);
        return NULL;
    }
    const struct board_region *region = board_region_find(board, name);
    if (region)
        return region;
    suggest_region(board, name, text);
    errors_add(w->errors, place, "board '%s' has no asinfo entry '%.64s'%s", board->name, name,
               text);
    return NULL;
}

static bool put_hex(struct words *w, uint64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    put(w, text, (size_t)size);
    return true;
}

static bool put_asinfo_start(struct words *w, struct place place, const char *name)
{
    const struct board_region *region = find_asinfo(w, place, name);
    return region && put_hex(w, region->start);
}

static bool put_asinfo_length(struct words *w, struct place place, const char *name)
{
    const struct board_region *region = find_asinfo(w, place, name);
    return region && put_hex(w, region->length);
}

static bool put_char(struct words *w, struct place place, const char *code)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    if (strlen(code) != 2 || strspn(code, hex) != 2 || strcmp(code, "00") == 0)
        return errors_add(w->errors, place, "'$char{%s}' needs two hexadecimal digits, not 00",
                          code);
    char c = (char)strtoul(code, NULL, 16);
    put(w, &c, 1);
    return true;
}

static const struct substitution {
    const char *start;
    bool (*put)(struct words *w, struct place place, const char *name);
} substitutions[] = {
    {"$env{", put_env},
    {"$asinfo_start{", put_asinfo_start},
    {"$asinfo_length{", put_asinfo_length},
    {"$char{", put_char},
};

/* At a `$`: replaces a substitution, or takes the character. Marks the word bad on a mistake. */
static void substitute(struct words *w, struct word *word)
{
    const struct substitution *s = substitutions, *end = s + sizeof substitutions / sizeof *s;
    while (s < end && !at_text(w, s->start))
        s++;
    if (s == end) {
        put(w, "$", 1);
        w->at++;
        return;
    }
    struct place place = w->place;
    w->at += strlen(s->start);
    size_t from = w->at;
    while (w->at < w->size && !strchr("}\"\n", w->text[w->at]))
        w->at++;
    const char *name = strings_keep(w->strings, (const char *)w->text + from, w->at - from);
    if (w->at == w->size || w->text[w->at] != '}') {
        errors_add(w->errors, place, "missing '}' after '%s%.40s'", s->start, name);
        word->bad = true;
        return;
    }
    w->at++;
    if (!s->put(w, place, name))
        word->bad = true;
}

/* One character that is neither a quote nor a blank outside quotes. */
static void take(struct words *w, struct word *word)
{
    if (w->text[w->at] == '$' && !w->as_is) {
        substitute(w, word);
        return;
    }
    if (w->text[w->at] == '\0' && !word->bad) {
        errors_add(w->errors, w->place, "a NUL character is not text");
        word->bad = true;
    }
    put(w, (const char *)w->text + w->at, 1);
    step(w);
}

static void take_quoted(struct words *w, struct word *word)
{
    struct place opened = w->place;
    w->at++;
    while (w->at < w->size && w->text[w->at] != '"') {
        size_t joined = joined_line(w);
        if (!joined)
            take(w, word);
        for (; joined; joined--)
            step(w);
    }
    if (w->at < w->size) {
        w->at++;
        return;
    }
    errors_add(w->errors, opened, "missing closing double quote");
    word->bad = true;
}

static void begin(struct words *w, struct word *word)
{
    *word = (struct word){.place = w->place};
    bytes_clear(&w->word);
}

static void end(struct words *w, struct word *word)
{
    word->text = strings_keep(w->strings, (const char *)w->word.data, w->word.size);
}

/* The next word of the text being read; false at its end. */
static bool lex_word(struct words *w, struct word *word)
{
    skip_blanks_and_comments(w);
    if (w->at == w->size)
        return false;
    begin(w, word);
    while (w->at < w->size && !is_blank(w->text[w->at]) && w->text[w->at] != '#' &&
           !joined_line(w)) {
        if (w->text[w->at] == '"')
            take_quoted(w, word);
        else
            take(w, word);
    }
    end(w, word);
    return true;
}

static void close_text(struct words *w)
{
    free(w->file);
    w->file = NULL;
    w->text = NULL;
}

static struct place place_of_argument(const struct words *w)
{
    return w->within.file ? w->within : (struct place){"cmdline", (unsigned)w->next};
}

static void open_argument(struct words *w)
{
    const char *text = w->arguments[w->next++];
    w->text = (const uint8_t *)text;
    w->size = strlen(text);
    w->at = 0;
    w->place = place_of_argument(w);
}

const char *words_leaf_name(const char *path)
{
    const char *leaf = path;
    for (; *path; path++)
        if (*path == '/' || *path == '\\')
            leaf = path + 1;
    return leaf;
}

/* What somebody took for a configuration: its name, and what it is for. NULL: text, or nothing that
 * is known. */
static const char *known_file(const uint8_t *file, size_t size)
{
    static const struct {
        size_t at;
        const char *magic, *what;
    } known[] = {
        {0, TRACE_MAGIC,
         "a trace or snapshot (qvm replay plays one, qvm run --from starts from it)"},
        {0, "\177ELF", "an ELF file (write `load FILE` in a configuration)"},
        {56, "ARM\x64", "a kernel Image (write `load FILE` in a configuration)"},
        {0, "\x1f\x8b", "a compressed file (write `load FILE` in a configuration)"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].magic);
        if (size >= known[i].at + length && memcmp(file + known[i].at, known[i].magic, length) == 0)
            return known[i].what;
    }
    return NULL;
}

static void open_file(struct words *w)
{
    const char *path = w->arguments[w->next++] + 1;
    struct place place = place_of_argument(w);
    struct error e = {0};
    size_t size = 0;
    uint8_t *file = w->reader->read_file(w->reader->context, path, &size, &e);
    if (!file) {
        errors_add(w->errors, place, "%s", e.text[0] ? e.text : "the file cannot be read");
        return;
    }
    const char *leaf = words_leaf_name(path), *what = known_file(file, size);
    if (what) {
        errors_add(w->errors, place, "'%.200s' is no configuration but %s", path, what);
        free(file);
        return;
    }
    w->file = file;
    w->text = file;
    w->size = size;
    w->at = 0;
    const char *name = w->reader->place ? w->reader->place(w->reader->context, path) : NULL;
    name = name ? name : leaf;
    w->place = (struct place){strings_keep(w->strings, name, strlen(name)), 1};
    if (at_text(w, "\xef\xbb\xbf")) /* the mark that some editors put before UTF-8 */
        w->at = 3;
}

bool words_option(struct words *w, struct word *word)
{
    for (;;) {
        if (w->text && lex_word(w, word))
            return true;
        close_text(w);
        if (w->next == w->count)
            return false;
        if (w->arguments[w->next][0] == '@')
            open_file(w);
        else
            open_argument(w);
    }
}

bool words_argument(struct words *w, struct word *word)
{
    if (w->text && lex_word(w, word))
        return true;
    if (w->file || w->next == w->count || w->arguments[w->next][0] == '@')
        return false;
    open_argument(w);
    begin(w, word);
    while (w->at < w->size)
        take(w, word);
    end(w, word);
    return true;
}

/* Behind the first slash: true at the one that ends it, which is passed. */
static bool take_slashed(struct words *w)
{
    while (w->at < w->size && w->text[w->at] != '\n' && w->text[w->at] != '/') {
        bool escaped = w->text[w->at] == '\\' && w->at + 1 < w->size && w->text[w->at + 1] != '\n';
        if (escaped && w->text[w->at + 1] != '/')
            put(w, "\\", 1);
        w->at += escaped;
        put(w, (const char *)w->text + w->at, 1);
        w->at++;
    }
    return w->at < w->size && w->text[w->at++] == '/';
}

bool words_slashed(struct words *w, struct word *word, struct word *flags)
{
    struct words_position before = words_position(w);
    if (w->text)
        skip_blanks_and_comments(w);
    if (!w->text || w->at == w->size || w->text[w->at] != '/') {
        words_return(w, before);
        return false;
    }
    w->at++;
    begin(w, word);
    if (!take_slashed(w) || memchr(w->word.data, 0, w->word.size)) {
        words_return(w, before);
        return false;
    }
    end(w, word);
    begin(w, flags);
    while (w->at < w->size && !is_blank(w->text[w->at]))
        take(w, flags);
    end(w, flags);
    return true;
}

void words_free(struct words *w)
{
    close_text(w);
    bytes_free(&w->word);
}
