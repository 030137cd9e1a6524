#include "emu/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct state state_saving(struct bytes *out)
{
    return (struct state){.out = out, .start = out->size};
}

struct state state_telling(struct bytes *out, const struct state_listener *listener)
{
    return (struct state){.out = out, .start = out->size, .listener = listener};
}

struct state state_restoring(struct reader *in)
{
    return (struct state){.in = in};
}

void state_refuse(struct state *s, const char *name)
{
    if (s->in)
        reader_refuse(s->in, name);
}

/* Telling -----------------------------------------------------------------------------------------
 */

static bool is_told(const struct state *s)
{
    return s->listener && s->listener->item;
}

void state_part(struct state *s, const char *form, ...)
{
    char name[160];
    va_list args;
    if (!s->listener || !s->listener->part)
        return;
    va_start(args, form);
    vsnprintf(name, sizeof name, form, args);
    va_end(args);
    s->listener->part(s->listener->context, name, s->out->size - s->start);
}

void state_within(struct state *s, const char *form, unsigned number)
{
    s->within = form;
    s->number = number;
}

/* What was appended since `out` had `begin` bytes; `index` comes behind its name. */
static void tell(const struct state *s, const char *form, unsigned number, const char *index,
                 size_t begin, size_t unit)
{
    struct state_item item = {.offset = begin - s->start,
                              .size = s->out->size - begin,
                              .unit = unit,
                              .data = s->out->data + begin};
    char within[40] = "", name[56];
    if (s->within)
        snprintf(within, sizeof within, s->within, s->number);
    snprintf(name, sizeof name, form, number);
    snprintf(item.name, sizeof item.name, "%s%s%s", within, name, index);
    s->listener->item(s->listener->context, &item);
}

uint64_t state_item_value(const struct state_item *item, const uint8_t *bytes)
{
    struct reader varint = reader_of(bytes, item->size);
    return item->unit == STATE_VARINT ? reader_varint(&varint) : load_le(bytes, item->unit);
}

/* Values ------------------------------------------------------------------------------------------
 */

uint64_t state_numbered(struct state *s, const char *form, unsigned number, uint64_t value,
                        size_t size)
{
    if (s->in)
        return size == STATE_VARINT ? reader_varint(s->in) : reader_int(s->in, size);
    size_t begin = s->out->size;
    if (size == STATE_VARINT)
        bytes_put_varint(s->out, value);
    else
        bytes_put_int(s->out, value, size);
    if (is_told(s))
        tell(s, form, number, "", begin, size);
    return value;
}

bool state_bool(struct state *s, const char *name, bool value)
{
    return state_up_to(s, name, value, 1, 1);
}

void state_bits(struct state *s, const char *name, bool *const bits[], unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count && !s->in; i++)
        value |= (uint64_t)*bits[i] << i;
    value = state_up_to(s, name, value, 1, ((uint64_t)1 << count) - 1);
    for (unsigned i = 0; i < count && s->in; i++)
        *bits[i] = value >> i & 1;
}

size_t state_count(struct state *s, const char *name, size_t count, size_t size, size_t most)
{
    uint64_t now = state_up_to(s, name, count, size, most);
    if (!s->in || now <= s->in->size - s->in->at)
        return (size_t)now;
    state_refuse(s, name);
    return 0;
}

void state_fixed(struct state *s, const char *name, uint64_t value, size_t size)
{
    if (state_value(s, name, value, size) != value)
        state_refuse(s, name);
}

/* Rows --------------------------------------------------------------------------------------------
 */

static uint64_t scalar_load(const uint8_t *from, size_t size)
{
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;
    switch (size) {
    case 1:
        return *from;
    case 2:
        memcpy(&v2, from, 2);
        return v2;
    case 4:
        memcpy(&v4, from, 4);
        return v4;
    default:
        memcpy(&v8, from, 8);
        return v8;
    }
}

static void scalar_store(uint8_t *to, uint64_t value, size_t size)
{
    uint8_t v1 = (uint8_t)value;
    uint16_t v2 = (uint16_t)value;
    uint32_t v4 = (uint32_t)value;
    memcpy(to,
           size == 1   ? (void *)&v1
           : size == 2 ? (void *)&v2
           : size == 4 ? (void *)&v4
                       : (void *)&value,
           size);
}

/* Stops at the first element that cannot be. */
static void restore_row(struct state *s, const struct field *f, uint8_t *elements)
{
    for (size_t i = 0; i < f->count && !s->in->failed; i++) {
        uint64_t value = reader_int(s->in, f->size);
        if (value > f->most)
            state_refuse(s, f->name);
        else
            scalar_store(elements + i * f->size, value, f->size);
    }
}

static void save_row(struct state *s, const struct field *f, const uint8_t *elements)
{
    for (size_t i = 0; i < f->count; i++) {
        char index[24] = "";
        size_t begin = s->out->size;
        bytes_put_int(s->out, scalar_load(elements + i * f->size, f->size), f->size);
        if (f->count > 1 && is_told(s))
            snprintf(index, sizeof index, "[%zu]", i);
        if (is_told(s))
            tell(s, f->name, 0, index, begin, f->size);
    }
}

static void visit_row(struct state *s, const struct field *f, uint8_t *elements)
{
    if (s->in)
        restore_row(s, f, elements);
    else if (f->size == 1 && !is_told(s))
        bytes_put(s->out, elements, f->count);
    else
        save_row(s, f, elements);
}

void state_row(struct state *s, const char *name, void *elements, size_t size, size_t count)
{
    struct field row = {.name = name, .size = size, .count = count, .most = UINT64_MAX};
    visit_row(s, &row, elements);
}

void state_fields(struct state *s, const struct field *table, void *object)
{
    for (const struct field *f = table; f->name && state_is_good(s); f++)
        visit_row(s, f, (uint8_t *)object + f->offset);
}

void state_bytes(struct state *s, const char *name, void *data, size_t size)
{
    if (!size)
        return;
    if (s->in) {
        const uint8_t *from = reader_bytes(s->in, size);
        if (from)
            memcpy(data, from, size);
        return;
    }
    size_t begin = s->out->size;
    bytes_put(s->out, data, size);
    if (is_told(s))
        tell(s, name, 0, "", begin, 1);
}

/* Of what follows, which has that name. */
static size_t visit_length(struct state *s, const char *name, size_t length, size_t most)
{
    char of[56];
    if (!is_told(s))
        return state_count(s, name, length, STATE_VARINT, most);
    snprintf(of, sizeof of, "length of %s", name);
    return state_count(s, of, length, STATE_VARINT, most);
}

void state_text(struct state *s, const char *name, char *text, size_t room)
{
    size_t length = visit_length(s, name, s->in ? 0 : strlen(text), room - 1);
    state_bytes(s, name, text, length);
    if (!s->in)
        return;
    memset(text + length, 0, room - length);
    if (strlen(text) != length)
        state_refuse(s, name);
}

void state_contents(struct state *s, const char *name, struct bytes *contents, size_t most)
{
    size_t size = visit_length(s, name, contents->size, most);
    if (s->in) {
        bytes_free(contents);
        if (size)
            bytes_reserve(contents, size);
        contents->size = size;
    }
    state_bytes(s, name, contents->data, size);
}

/* Looking for a value -----------------------------------------------------------------------------
 */

static void search_part(void *context, const char *name, size_t offset)
{
    struct state_search *q = context;
    (void)offset;
    snprintf(q->part, sizeof q->part, "%s", name);
}

static void search_item(void *context, const struct state_item *item)
{
    struct state_search *q = context;
    char name[296];
    bool has_it = q->offset >= item->offset && q->offset - item->offset < item->size;
    if (q->found.size || !(q->whole_name || has_it))
        return;
    snprintf(name, sizeof name, "%s%s%s", q->part, *q->part ? ": " : "", item->name);
    if (q->whole_name && strcmp(q->whole_name, name) != 0)
        return;
    q->found = *item;
    snprintf(q->found_name, sizeof q->found_name, "%s", name);
    if (q->whole_name || item->unit != 1 || item->size == 1)
        return;
    q->found.offset = q->offset;
    q->found.size = 1;
    snprintf(q->found_name, sizeof q->found_name, "%s[%zu]", name, q->offset - item->offset);
}

struct state_listener state_searching(struct state_search *search)
{
    return (struct state_listener){.part = search_part, .item = search_item, .context = search};
}
