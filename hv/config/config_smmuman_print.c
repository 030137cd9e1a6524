/* What smmuman is told, in its canonical form: a statement of the board for each of its own. */
#include "hv/config/board_config_internal.h"
#include "hv/config/config_text.h"
#include "mmu/walk.h"

static void put_permitted(struct bytes *out, const struct smmuman_range *r)
{
    text_put(out, " 0x%llx,0x%llx,%s%s%s", (unsigned long long)r->start,
             (unsigned long long)r->length, r->permits & PERMIT_R ? "r" : "",
             r->permits & PERMIT_W ? "w" : "", r->permits & PERMIT_X ? "x" : "");
}

static void put_device(struct bytes *out, const char *option, const struct smmuman_device *d)
{
    text_put(out, "%s mmio:0x%llx,0x%llx", option, (unsigned long long)d->start,
             (unsigned long long)d->length);
}

/* A statement that is a word of the board's. */
static void put_statement(struct bytes *out, struct bytes *statement)
{
    text_put(out, "smmuman ");
    bytes_put(statement, "", 1);
    config_text_word(out, (const char *)statement->data);
    text_put(out, "\n");
    bytes_clear(statement);
}

static void put_lists(struct bytes *out, const struct smmuman_config *c, struct bytes *s)
{
    for (size_t i = 0; i < c->allow_count; i++) {
        text_put(s, "allow ");
        config_text_word(s, c->allows[i].name);
        put_permitted(s, &c->allows[i]);
        put_statement(out, s);
    }
    for (size_t i = 0; i < c->device_count; i++) {
        put_device(s, "device", &c->devices[i]);
        text_put(s, " ");
        config_text_word(s, c->devices[i].name);
        put_statement(out, s);
    }
    for (size_t i = 0; i < c->reserved_count; i++) {
        put_device(s, "reserved", &c->reserved[i].device);
        put_permitted(s, &c->reserved[i].range);
        put_statement(out, s);
    }
}

void config_smmuman_print(const struct smmuman_config *c, struct bytes *out)
{
    struct bytes s = {0};
    if (!c->is_used)
        return;
    text_put(&s, "%s%s", c->foreground ? "foreground " : "", c->has_library ? "smmu smmuv3 " : "");
    if (c->debug)
        text_put(&s, "debug %u", c->debug);
    put_statement(out, &s);
    put_lists(out, c, &s);
    bytes_free(&s);
}
