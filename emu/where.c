#include "emu/where.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token {
    char text[64];
    bool quoted;
};

static const char *const relations[] = {[WHERE_EQ] = "==", [WHERE_NE] = "!=", [WHERE_LT] = "<",
                                        [WHERE_LE] = "<=", [WHERE_GT] = ">",  [WHERE_GE] = ">="};

static const char blanks[] = " \t\n";

/* How long the token at `s` is: a relation, a quoted word with its quotes, or what goes on until
 * one of these or a blank. */
static size_t token_length(const char *s)
{
    size_t relation = strspn(s, "=!<>");
    if (relation)
        return relation;
    if (*s == '\'' || *s == '"') {
        const char *end = strchr(s + 1, *s);
        return end ? (size_t)(end - s) + 1 : strlen(s);
    }
    return strcspn(s, " \t\n=!<>'\"");
}

/* The next token; an empty one, not quoted, is the end. */
static bool next(const char **s, struct token *t, struct error *e)
{
    *s += strspn(*s, blanks);
    size_t length = token_length(*s);
    const char *from = *s;
    *s += length;
    t->quoted = length && (*from == '\'' || *from == '"');
    if (t->quoted && (length < 2 || from[length - 1] != *from))
        return error_set(e, "--where: the quote of %.40s does not end", from);
    from += t->quoted;
    length -= t->quoted ? 2 : 0;
    if (length >= sizeof t->text)
        return error_set(e, "--where: '%.60s...' is too long", from);
    memcpy(t->text, from, length);
    t->text[length] = 0;
    return true;
}

static bool parse_name(struct where_condition *c, const struct token *t,
                       const struct where_name *names, struct error *e)
{
    char known[400] = "";
    for (c->name = 0; names[c->name].name; c->name++) {
        size_t used = strlen(known);
        if (strcmp(names[c->name].name, t->text) == 0)
            return true;
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", names[c->name].name);
    }
    if (!*t->text)
        return error_set(e, "--where: it ends where a name belongs (%s)", known);
    return error_set(e, "--where: '%s' is none of %s", t->text, known);
}

static bool parse_relation(struct where_condition *c, const struct token *t,
                           const struct where_name *name, struct error *e)
{
    for (unsigned i = 0; i < sizeof relations / sizeof relations[0]; i++) {
        if (strcmp(t->text, relations[i]) != 0)
            continue;
        c->relation = (enum where_relation)i;
        if (name->is_word && i > WHERE_NE)
            return error_set(e, "--where: '%s' is a word, for which there are == and !=, not '%s'",
                             name->name, t->text);
        return true;
    }
    return error_set(e, "--where: behind '%s' belongs ==, !=, <, <=, > or >=, not '%s'", name->name,
                     t->text);
}

static bool is_known_word(const struct where_name *name, const char *word, struct error *e)
{
    char known[256] = "";
    for (unsigned i = 0; name->word && name->word(i); i++) {
        size_t used = strlen(known);
        if (strcmp(name->word(i), word) == 0)
            return true;
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", name->word(i));
    }
    return !name->word || error_set(e, "--where: '%s' is no %s: %s", word, name->name, known);
}

static bool parse_value(struct where_condition *c, const struct token *t,
                        const struct where_name *name, struct error *e)
{
    char *end;
    if (!*t->text && !t->quoted)
        return error_set(e, "--where: it ends where a value of '%s' belongs", name->name);
    memcpy(c->word, t->text, sizeof c->word);
    if (name->is_word)
        return is_known_word(name, t->text, e);
    errno = 0;
    bool hexadecimal = t->text[0] == '0' && (t->text[1] == 'x' || t->text[1] == 'X');
    c->number = strtoull(t->text, &end, hexadecimal ? 16 : 10);
    if (*t->text >= '0' && *t->text <= '9' && *end == 0 && errno == 0)
        return true;
    return error_set(e, "--where: '%s' is a number, and '%s' is none", name->name, t->text);
}

static bool parse_condition(struct where_condition *c, const char **s,
                            const struct where_name *names, struct error *e)
{
    struct token t;
    return next(s, &t, e) && parse_name(c, &t, names, e) && next(s, &t, e) &&
           parse_relation(c, &t, &names[c->name], e) && next(s, &t, e) &&
           parse_value(c, &t, &names[c->name], e);
}

bool where_parse(struct where *w, const char *text, const struct where_name *names, struct error *e)
{
    struct token t;
    *w = (struct where){.count = 0};
    for (bool alternative = false;; alternative = strcmp(t.text, "or") == 0) {
        if (w->count == WHERE_MAX)
            return error_set(e, "--where: more than %d conditions", WHERE_MAX);
        struct where_condition *c = &w->conditions[w->count++];
        c->begins_alternative = alternative;
        if (!parse_condition(c, &text, names, e) || !next(&text, &t, e))
            return false;
        if (!*t.text)
            return true;
        if (strcmp(t.text, "and") != 0 && strcmp(t.text, "or") != 0)
            return error_set(e, "--where: between conditions belongs `and` or `or`, not '%s'",
                             t.text);
    }
}

static bool condition_holds(const struct where_condition *c, bool is_word,
                            const struct where_value *v)
{
    uint64_t number = is_word ? strcmp(v->word, c->word) != 0 : v->number;
    uint64_t wanted = is_word ? 0 : c->number;
    switch (c->relation) {
    case WHERE_EQ:
        return number == wanted;
    case WHERE_NE:
        return number != wanted;
    case WHERE_LT:
        return number < wanted;
    case WHERE_LE:
        return number <= wanted;
    case WHERE_GT:
        return number > wanted;
    case WHERE_GE:
        return number >= wanted;
    }
    return false;
}

bool where_holds(const struct where *w, const struct where_name *names,
                 const struct where_value *values)
{
    bool all = true;
    for (size_t i = 0; i < w->count; i++) {
        const struct where_condition *c = &w->conditions[i];
        if (c->begins_alternative && all)
            return true;
        all = (c->begins_alternative || all) &&
              condition_holds(c, names[c->name].is_word, &values[c->name]);
    }
    return all;
}
