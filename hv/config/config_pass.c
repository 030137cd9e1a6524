/* The `pass` context: host memory and interrupts given to the guest. */
#include "hv/config/config_internal.h"

HANDLER(config_word_pass)
{
    (void)option;
    (void)arguments;
    p->pass_blob = p->blob_word.text ? p->blob : BLOB_SNIFF;
    p->blob_word.text = NULL;
    p->pass_statements++;
}

#define ATTRIBUTES "rwxcestdnm"

static bool *attribute(struct pass_config *pass, char letter)
{
    switch (letter) {
    case 'r':
        return &pass->r;
    case 'w':
        return &pass->w;
    case 'x':
        return &pass->x;
    case 'c':
        return &pass->c;
    case 'e':
        return &pass->e;
    case 's':
        return &pass->s;
    case 't':
        return &pass->t;
    case 'd':
        return &pass->d;
    case 'n':
        return &pass->n;
    case 'm':
        return &pass->m;
    default:
        return NULL;
    }
}

static void turn(struct pass_config *pass, const char *letters, bool on)
{
    for (; *letters; letters++)
        *attribute(pass, *letters) = on;
}

static bool attributes(struct parser *p, const struct word *word, struct piece text,
                       struct pass_config *pass)
{
    bool on = true;
    for (size_t i = 0; i < text.size; i++) {
        char letter = text.text[i];
        if (letter == '+' || letter == '-') {
            on = letter == '+';
            continue;
        }
        bool *flag = attribute(pass, letter);
        if (!flag)
            return parser_error(p, word, "unknown attribute '%c' in '%s'", letter, word->text);
        *flag = on;
        if (letter == 'm' && on)
            turn(pass, "rwxcstn", true);
    }
    if (pass->d && pass->m)
        return parser_error(p, word, "attributes 'd' and 'm' exclude each other");
    if (pass->d && pass->n)
        return parser_error(p, word, "attributes 'd' and 'n' exclude each other");
    if (pass->d && !(pass->r && pass->w))
        return parser_error(p, word, "attribute 'd' needs 'r' and 'w'");
    return true;
}

static bool range_is_right(struct parser *p, const struct word *word,
                           const struct pass_config *pass)
{
    if (pass->length == 0)
        return parser_error(p, word, "the length is 0");
    if ((pass->guest & PAGE_MASK) != (pass->host & PAGE_MASK))
        return parser_error(p, word,
                            "the guest address 0x%llx and the host address 0x%llx are at different "
                            "places of a page",
                            (unsigned long long)pass->guest, (unsigned long long)pass->host);
    if (!range_inside(pass->guest, pass->length, GUEST_SPACE) ||
        !range_inside(pass->host, pass->length, GUEST_SPACE))
        return parser_error(p, word, "the range ends beyond the 48-bit addresses");
    return true;
}

/* START[,LENGTH],ATTRIBUTES[=HOST]: a length begins with a digit, attributes never do. Release 8.0
 * writes a comma before the `=`, too. */
static bool numbers(struct parser *p, const struct word *word, struct piece text,
                    struct pass_config *pass)
{
    struct piece host = text, letters = piece_next(&host, '=');
    struct piece guest = piece_next(&letters, ','), length = {0};
    if (letters.size && letters.text[0] >= '0' && letters.text[0] <= '9')
        length = piece_next(&letters, ',');
    pass->has_host = host.text != NULL;
    if (pass->has_host && letters.size && letters.text[letters.size - 1] == ',')
        letters.size--;
    if (!letters.text)
        return parser_error(p, word,
                            "'%s' is not START[,LENGTH],ATTRIBUTES[=HOST]: without attributes (r, "
                            "w, x and others) the guest has no right to anything there",
                            word->text);
    pass->length = PAGE_SIZE;
    if (!parser_number(p, word, guest, NUMBER_ADDRESS, &pass->guest) ||
        (length.text && !parser_number(p, word, length, NUMBER_LENGTH, &pass->length)))
        return false;
    pass->host = pass->guest;
    if (pass->has_host && !parser_number(p, word, host, NUMBER_ADDRESS, &pass->host))
        return false;
    return attributes(p, word, letters, pass);
}

/* Stage 2 gives whole pages. */
static bool widen(struct parser *p, const struct word *word, struct pass_config *pass)
{
    uint64_t before = pass->guest & PAGE_MASK;
    uint64_t length = (before + pass->length + PAGE_MASK) & ~PAGE_MASK;
    if (length == pass->length)
        return false;
    pass->guest -= before;
    pass->host -= before;
    pass->length = length;
    parser_note(p, word, "pass loc %s: the guest gets whole pages, 0x%llx bytes at 0x%llx",
                word->text, (unsigned long long)length, (unsigned long long)pass->guest);
    return true;
}

static bool same_attributes(struct pass_config *a, struct pass_config *b)
{
    for (const char *letter = ATTRIBUTES; *letter; letter++)
        if (*attribute(a, *letter) != *attribute(b, *letter))
            return false;
    return true;
}

/* Registers of several devices may be in one page: it is given once. */
static bool is_given(struct parser *p, struct pass_config *pass)
{
    for (size_t i = 0; i < p->config->pass_count; i++) {
        struct pass_config *other = &p->config->passes[i];
        if (pass->guest - pass->host == other->guest - other->host && pass->guest >= other->guest &&
            range_inside(pass->guest - other->guest, pass->length, other->length) &&
            same_attributes(pass, other))
            return true;
    }
    return false;
}

HANDLER(config_word_pass_loc)
{
    struct pass_config pass = {
        .place = option->place, .statement = p->pass_statements - 1, .type = p->pass_blob};
    struct piece text = config_parse_word_piece(arguments);
    enum location_space space = config_parse_location_space(&text);
    if (arguments->bad)
        return;
    if (space != SPACE_MEMORY) {
        parser_lacks(p, arguments->place, "there %s in this version",
                     space == SPACE_PCI ? "is no PCI bus" : "are no I/O ports");
        return;
    }
    if (!numbers(p, arguments, text, &pass) || !range_is_right(p, arguments, &pass))
        return;
    p->said_memory |= pass.m;
    if (widen(p, arguments, &pass) && is_given(p, &pass))
        return;
    struct vm_config *c = p->config;
    c->passes = array_grow(c->passes, c->pass_count, sizeof pass);
    c->passes[c->pass_count++] = pass;
}

static bool flags(struct parser *p, const struct word *word, struct piece text,
                  struct pass_intr_config *intr)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.text[i] != 'u' && text.text[i] != 't')
            return parser_error(p, word, "unknown interrupt flag '%c' in '%s'", text.text[i],
                                word->text);
        intr->unmask_at_once |= text.text[i] == 'u';
        intr->thread |= text.text[i] == 't';
    }
    return true;
}

HANDLER(config_word_pass_intr)
{
    struct pass_intr_config intr = {.place = option->place, .statement = p->pass_statements - 1};
    struct piece vector = config_parse_word_piece(arguments), guest = piece_next(&vector, '=');
    struct piece line = piece_next(&guest, ',');
    uint64_t number = VECTOR_OF_LINE;
    if (arguments->bad || !parser_intr(p, arguments, line, &intr.pic, &intr.line))
        return;
    if (!flags(p, arguments, guest, &intr))
        return;
    if (vector.text &&
        !parser_number_in(p, arguments, "vector", vector, 0, VECTOR_OF_LINE - 1, &number))
        return;
    intr.host_vector = (unsigned)number;
    struct vm_config *c = p->config;
    c->pass_intrs = array_grow(c->pass_intrs, c->pass_intr_count, sizeof intr);
    c->pass_intrs[c->pass_intr_count++] = intr;
}
