#include "qvm/test/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "emu/hex.h"

#define STEPS_MAX 4096 /* with all repetitions written out */
#define DEPTH_MAX 64   /* groups in groups */

enum step_kind {
    STEP_CLASS,      /* takes a byte of class `x` */
    STEP_FORK,       /* goes on at `x` and at `y` */
    STEP_JUMP,       /* at `x` */
    STEP_LINE_START, /* the next, if a line begins here */
    STEP_LINE_END,
    STEP_MATCH,
};

struct pattern_step {
    enum step_kind kind;
    uint16_t x, y;
};

struct pattern_class {
    uint8_t has[32]; /* a bit for each byte */
};

/* Compiling ---------------------------------------------------------------------------------------
 */

struct compiler {
    struct pattern *p;
    const char *at;
    bool any_case;
    unsigned depth;
    struct error *e;
};

static bool fail(struct compiler *c, const char *why)
{
    return error_set(c->e, "the regular expression /%.200s/ %s", c->p->text, why);
}

static bool add_step(struct compiler *c, enum step_kind kind, size_t x, size_t y)
{
    if (c->p->count == STEPS_MAX)
        return fail(c, "is too long, or repeats too much");
    c->p->steps = array_grow(c->p->steps, c->p->count, sizeof *c->p->steps);
    c->p->steps[c->p->count++] =
        (struct pattern_step){.kind = kind, .x = (uint16_t)x, .y = (uint16_t)y};
    return true;
}

static void set_byte(struct pattern_class *class, uint8_t byte)
{
    class->has[byte >> 3] |= (uint8_t)(1u << (byte & 7));
}

static bool has_byte(const struct pattern_class *class, uint8_t byte)
{
    return class->has[byte >> 3] >> (byte & 7) & 1;
}

static void set_range(struct pattern_class *class, unsigned from, unsigned to)
{
    for (; from <= to; from++)
        set_byte(class, (uint8_t)from);
}

static void invert(struct pattern_class *class)
{
    for (size_t i = 0; i < sizeof class->has; i++)
        class->has[i] = (uint8_t) ~class->has[i];
}

static bool add_class(struct compiler *c, struct pattern_class class)
{
    for (unsigned small = 'a'; small <= 'z' && c->any_case; small++)
        if (has_byte(&class, (uint8_t)small) || has_byte(&class, (uint8_t)(small - 32))) {
            set_byte(&class, (uint8_t)small);
            set_byte(&class, (uint8_t)(small - 32));
        }
    struct pattern *p = c->p;
    p->classes = array_grow(p->classes, p->class_count, sizeof *p->classes);
    p->classes[p->class_count] = class;
    return add_step(c, STEP_CLASS, p->class_count++, 0);
}

/* \d, \w and \s, and what they are not. False: the letter is none of them. */
static bool named_class(char letter, struct pattern_class *class)
{
    *class = (struct pattern_class){0};
    char kind = (char)(letter | 0x20);
    if (kind == 'd' || kind == 'w')
        set_range(class, '0', '9');
    if (kind == 'w') {
        set_range(class, 'a', 'z');
        set_range(class, 'A', 'Z');
        set_byte(class, '_');
    }
    if (kind == 's') {
        set_range(class, '\t', '\r');
        set_byte(class, ' ');
    }
    if (kind != 'd' && kind != 'w' && kind != 's')
        return false;
    if (letter != kind)
        invert(class);
    return true;
}

/* Behind a backslash that is no class: the byte that is meant. */
static bool escaped_byte(struct compiler *c, uint8_t *byte)
{
    static const char letters[] = "nrtefv", bytes[] = "\n\r\t\033\f\v";
    char letter = *c->at++;
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found) {
        *byte = (uint8_t)bytes[found - letters];
        return true;
    }
    if (letter == 'x') {
        int high = hex_digit((uint8_t)c->at[0]), low = high < 0 ? -1 : hex_digit((uint8_t)c->at[1]);
        if (low < 0)
            return fail(c, "has a \\x without two hexadecimal digits");
        *byte = (uint8_t)(high << 4 | low);
        c->at += 2;
        return true;
    }
    bool is_word = (letter >= '0' && letter <= '9') || hex_digit((uint8_t)letter) >= 0 ||
                   (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
    if (!letter || is_word)
        return fail(c, letter ? "has a backslash before a letter or digit that means nothing so"
                              : "ends with a backslash");
    *byte = (uint8_t)letter;
    return true;
}

/* One member of a bracket, or the two ends of a range. */
static bool bracket_member(struct compiler *c, struct pattern_class *class)
{
    struct pattern_class named;
    uint8_t from = (uint8_t)*c->at, to;
    if (c->at[0] == '\\' && named_class(c->at[1], &named)) {
        for (size_t i = 0; i < sizeof named.has; i++)
            class->has[i] |= named.has[i];
        c->at += 2;
        return true;
    }
    c->at++;
    if (from == '\\' && !escaped_byte(c, &from))
        return false;
    to = from;
    if (c->at[0] == '-' && c->at[1] && c->at[1] != ']') {
        to = (uint8_t)c->at[1];
        c->at += 2;
        if (to == '\\' && !escaped_byte(c, &to))
            return false;
    }
    if (from > to)
        return fail(c, "has a range whose end is before its start");
    set_range(class, from, to);
    return true;
}

static bool bracket(struct compiler *c)
{
    struct pattern_class class = {0};
    bool is_inverted = *c->at == '^';
    c->at += is_inverted;
    const char *first = c->at;
    while (*c->at && (*c->at != ']' || c->at == first))
        if (!bracket_member(c, &class))
            return false;
    if (*c->at++ != ']')
        return c->at--, fail(c, "has a [ without its ]");
    if (is_inverted)
        invert(&class);
    return add_class(c, class);
}

static bool alternatives(struct compiler *c);

static bool group(struct compiler *c)
{
    if (++c->depth > DEPTH_MAX)
        return fail(c, "has too many groups in groups");
    if (!alternatives(c))
        return false;
    c->depth--;
    return *c->at == ')' ? c->at++, true : fail(c, "has a ( without its )");
}

static bool atom(struct compiler *c)
{
    struct pattern_class class = {0};
    char first = *c->at++;
    uint8_t byte = (uint8_t)first;
    switch (first) {
    case '(':
        return group(c);
    case '[':
        return bracket(c);
    case '^':
        return add_step(c, STEP_LINE_START, 0, 0);
    case '$':
        return add_step(c, STEP_LINE_END, 0, 0);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(c, "repeats something where there is nothing");
    case '.':
        set_byte(&class, '\n');
        invert(&class);
        return add_class(c, class);
    case '\\':
        if (named_class(*c->at, &class)) {
            c->at++;
            return add_class(c, class);
        }
        if (!escaped_byte(c, &byte))
            return false;
        break;
    default:
        break;
    }
    set_byte(&class, byte);
    return add_class(c, class);
}

static bool read_count(struct compiler *c, unsigned *count)
{
    if (*c->at < '0' || *c->at > '9')
        return false;
    for (*count = 0; *c->at >= '0' && *c->at <= '9'; c->at++)
        if (*count <= STEPS_MAX)
            *count = *count * 10 + (unsigned)(*c->at - '0');
    return true;
}

#define MANY UINT32_MAX

/* What stands behind an atom; once, if nothing does. */
static bool read_repetition(struct compiler *c, unsigned *least, unsigned *most)
{
    *least = *c->at == '*' || *c->at == '?' ? 0 : 1;
    *most = *c->at == '*' || *c->at == '+' ? MANY : 1;
    if (*c->at == '*' || *c->at == '+' || *c->at == '?') {
        c->at++;
        return true;
    }
    if (*c->at != '{')
        return true;
    c->at++;
    bool ok = read_count(c, least);
    *most = *least;
    if (ok && *c->at == ',') {
        c->at++;
        if (!read_count(c, most))
            *most = MANY;
    }
    if (!ok || *c->at++ != '}' || *most < *least)
        return fail(c, "has a { that is not {N}, {N,} or {N,M}");
    return true;
}

/* The steps from `from` to `to` once more. */
static bool copy_steps(struct compiler *c, unsigned from, unsigned to)
{
    unsigned by = c->p->count - from;
    for (unsigned i = from; i < to; i++) {
        struct pattern_step step = c->p->steps[i];
        bool moves = step.kind == STEP_FORK || step.kind == STEP_JUMP;
        if (!add_step(c, step.kind, step.x + (moves ? by : 0u), step.y + (moves ? by : 0u)))
            return false;
    }
    return true;
}

/* Puts a fork before what begins at `from`, whose own targets move with it. */
static bool insert_fork(struct compiler *c, unsigned from)
{
    if (!add_step(c, STEP_FORK, 0, 0))
        return false;
    struct pattern_step *steps = c->p->steps;
    memmove(&steps[from + 1], &steps[from], (c->p->count - 1 - from) * sizeof *steps);
    for (unsigned i = from + 1; i < c->p->count; i++)
        if (steps[i].kind == STEP_FORK || steps[i].kind == STEP_JUMP) {
            steps[i].x++;
            steps[i].y++;
        }
    steps[from] = (struct pattern_step){.kind = STEP_FORK, .x = (uint16_t)(from + 1)};
    return true;
}

/* An atom is compiled once, and written again as often as it must be there, then as often as it
 * may. */
static bool repeated(struct compiler *c)
{
    unsigned from = c->p->count, least, most;
    if (!atom(c))
        return false;
    unsigned size = c->p->count - from;
    if (!read_repetition(c, &least, &most))
        return false;
    if (strchr("*+?{", *c->at) && *c->at)
        return fail(c, "repeats a repetition");
    if (most == 0) {
        c->p->count = from;
        return true;
    }
    unsigned last = from;
    for (unsigned i = 1; i < least; i++) {
        last = c->p->count;
        if (!copy_steps(c, from, from + size))
            return false;
    }
    if (most == MANY && least > 0)
        return add_step(c, STEP_FORK, last, c->p->count + 1);
    if (least == 0) {
        if (!insert_fork(c, from) || (most == MANY && !add_step(c, STEP_JUMP, from, 0)))
            return false;
        c->p->steps[from].y = (uint16_t)c->p->count;
        least = 1;
        if (most == MANY)
            return true;
        /* The others that may be are copies of it without its fork, each behind its own. */
        from++;
    }
    for (unsigned i = least; i < most; i++) {
        unsigned fork = c->p->count;
        if (!add_step(c, STEP_FORK, fork + 1, fork + 1 + size) || !copy_steps(c, from, from + size))
            return false;
    }
    return true;
}

static bool sequence(struct compiler *c)
{
    while (*c->at && *c->at != '|' && *c->at != ')')
        if (!repeated(c))
            return false;
    return true;
}

static bool alternatives(struct compiler *c)
{
    unsigned from = c->p->count;
    if (!sequence(c))
        return false;
    if (*c->at != '|')
        return true;
    if (!insert_fork(c, from))
        return false;
    unsigned jump = c->p->count;
    if (!add_step(c, STEP_JUMP, 0, 0))
        return false;
    c->p->steps[from].y = (uint16_t)c->p->count;
    c->at++;
    if (!alternatives(c))
        return false;
    c->p->steps[jump].x = (uint16_t)c->p->count;
    return true;
}

bool pattern_compile(struct pattern *p, const char *text, bool any_case, struct error *e)
{
    *p = (struct pattern){.text = malloc(strlen(text) + 1)};
    CHECK_ROOM(p->text);
    strcpy(p->text, text);
    struct compiler c = {.p = p, .at = text, .any_case = any_case, .e = e};
    bool ok = *text ? alternatives(&c) : fail(&c, "is empty");
    if (ok && *c.at)
        ok = fail(&c, "has a ) without its (");
    if (ok && add_step(&c, STEP_MATCH, 0, 0))
        return true;
    pattern_free(p);
    return false;
}

void pattern_free(struct pattern *p)
{
    free(p->text);
    free(p->steps);
    free(p->classes);
    *p = (struct pattern){0};
}

/* Searching ---------------------------------------------------------------------------------------
 */

void pattern_search_begin(struct pattern_search *s, const struct pattern *p)
{
    *s = (struct pattern_search){.pattern = p, .line_begins = true};
    s->at = calloc(p->count, sizeof *s->at);
    s->next = calloc(p->count, sizeof *s->next);
    s->seen = calloc(p->count, sizeof *s->seen);
    CHECK_ROOM(s->at && s->next && s->seen);
}

void pattern_search_free(struct pattern_search *s)
{
    free(s->at);
    free(s->next);
    free(s->seen);
    *s = (struct pattern_search){0};
}

/* Reaches a step in this turn, without a byte; true: a match. The list grows while it is gone
 * through. */
static void reach(struct pattern_search *s, unsigned step)
{
    if (s->seen[step] == s->turn)
        return;
    s->seen[step] = s->turn;
    s->next[s->count++] = (uint16_t)step;
}

/* All that can be reached without a byte, from where the search is and from the start; true: a
 * match is among it. What takes a byte, or has to wait for the end of a line, stays in `next`. */
static bool close_over(struct pattern_search *s, bool line_ends)
{
    const struct pattern_step *steps = s->pattern->steps;
    unsigned before = s->count;
    bool matches = false;
    s->turn++;
    s->count = 0;
    for (unsigned i = 0; i < before; i++)
        reach(s, s->at[i]);
    reach(s, 0);
    for (unsigned i = 0; i < s->count; i++) {
        unsigned number = s->next[i];
        const struct pattern_step *step = &steps[number];
        matches |= step->kind == STEP_MATCH;
        if (step->kind == STEP_FORK || step->kind == STEP_JUMP)
            reach(s, step->x);
        if (step->kind == STEP_FORK)
            reach(s, step->y);
        if ((step->kind == STEP_LINE_START && s->line_begins) ||
            (step->kind == STEP_LINE_END && line_ends))
            reach(s, number + 1);
    }
    memcpy(s->at, s->next, s->count * sizeof *s->at);
    return matches;
}

/* Behind a match everything begins anew. */
static bool matched(struct pattern_search *s)
{
    s->count = 0;
    return true;
}

bool pattern_search_byte(struct pattern_search *s, uint8_t byte)
{
    const struct pattern *p = s->pattern;
    bool line_ends = byte == '\n' || byte == '\r';
    bool was = close_over(s, line_ends) && matched(s);
    if (was)
        close_over(s, false);
    unsigned before = s->count, after = 0;
    for (unsigned i = 0; i < before; i++) {
        const struct pattern_step *step = &p->steps[s->at[i]];
        if (step->kind == STEP_CLASS && has_byte(&p->classes[step->x], byte))
            s->next[after++] = (uint16_t)(s->at[i] + 1);
    }
    memcpy(s->at, s->next, after * sizeof *s->at);
    s->count = after;
    s->line_begins = byte == '\n';
    /* With what was just taken alone: an expression that matches nothing at all is none. */
    return (after && close_over(s, false) && matched(s)) || was;
}

bool pattern_search_end(struct pattern_search *s)
{
    return close_over(s, true);
}
