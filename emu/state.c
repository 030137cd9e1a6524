#include "emu/state.h"

#include <stdio.h>
#include <string.h>

struct state state_saving(struct bytes *out)
{
    return (struct state){.out = out, .start = out->size};
}

struct state state_restoring(struct reader *in)
{
    return (struct state){.in = in};
}

static void tell(struct state *s, const char *form, unsigned number, size_t size)
{
    struct state_item item = {.offset = s->out->size - s->start, .size = size};
    snprintf(item.name, sizeof item.name, form, number);
    s->item(s->context, &item);
}

uint64_t state_numbered(struct state *s, const char *form, unsigned number, uint64_t value,
                        size_t size)
{
    if (s->in)
        return reader_int(s->in, size);
    if (s->item)
        tell(s, form, number, size);
    bytes_put_int(s->out, value, size);
    return value;
}

uint64_t state_value(struct state *s, const char *name, uint64_t value, size_t size)
{
    return state_numbered(s, name, 0, value, size);
}

uint64_t state_up_to(struct state *s, const char *name, uint64_t value, size_t size, uint64_t most)
{
    uint64_t now = state_value(s, name, value, size);
    if (now <= most)
        return now;
    state_refuse(s, name);
    return 0;
}

/* Names as C has them, with an index where there are several. */
static void tell_field(struct state *s, const struct field *f)
{
    size_t begin = s->out->size - s->start;
    for (size_t i = 0; i < f->count; i++) {
        struct state_item item = {.offset = begin + i * f->size, .size = f->size};
        if (f->count > 1)
            snprintf(item.name, sizeof item.name, "%s[%zu]", f->name, i);
        else
            snprintf(item.name, sizeof item.name, "%s", f->name);
        s->item(s->context, &item);
    }
}

void state_fields(struct state *s, const struct field *table, void *object)
{
    if (s->in) {
        fields_restore(table, object, s->in);
        return;
    }
    for (const struct field *f = table; f->name && s->item; f++) {
        const struct field one[] = {*f, FIELD_END};
        tell_field(s, f);
        fields_save(one, object, s->out);
    }
    if (!s->item)
        fields_save(table, object, s->out);
}

bool state_is_good(const struct state *s)
{
    return !s->in || !s->in->failed;
}

void state_refuse(struct state *s, const char *name)
{
    if (s->in)
        reader_refuse(s->in, name);
}

void state_search_item(void *search, const struct state_item *item)
{
    struct state_search *q = search;
    bool is_it = q->name ? strcmp(q->name, item->name) == 0
                         : q->offset >= item->offset && q->offset - item->offset < item->size;
    if (is_it && !q->found.size)
        q->found = *item;
}
