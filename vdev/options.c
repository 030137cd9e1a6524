/* What devices share when they read their options and describe themselves. */
#include <string.h>

#include "vdev/vdev.h"

const struct vdev_option *vdev_option_find(const struct vdev *v, const char *name)
{
    for (size_t i = v->option_count; i-- > 0;)
        if (strcmp(v->options[i].name, name) == 0)
            return &v->options[i];
    return NULL;
}

static unsigned multiplier_bits(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

bool vdev_number(const char *text, size_t length, unsigned base, uint64_t *value)
{
    unsigned bits = length ? multiplier_bits(text[length - 1]) : 0;
    if (bits) {
        length--;
        base = 10; /* a multiplier makes the digits decimal */
    }
    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'd')) {
        base = text[1] == 'x' ? 16 : 10;
        text += 2;
        length -= 2;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digit_of(text[i]);
        if (digit >= base || sum > (UINT64_MAX - digit) / base)
            return false;
        sum = sum * base + digit;
    }
    if (length == 0 || sum > UINT64_MAX >> bits)
        return false;
    *value = sum << bits;
    return true;
}

bool vdev_option_number(const struct vdev *v, const char *name, unsigned base, uint64_t *value,
                        struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, name);
    if (!o || vdev_number(o->value, strlen(o->value), base, value))
        return true;
    return error_at(e, o->file, o->line, "vdev %s: %s %s is not a number", v->type->name, name,
                    o->value);
}

void describe_reg(const struct describer *d, const struct vdev_region *regions, size_t count)
{
    uint32_t cells[4 * VDEV_REGIONS_MAX];
    for (size_t i = 0; i < count; i++) {
        cells[4 * i] = (uint32_t)(regions[i].base >> 32);
        cells[4 * i + 1] = (uint32_t)regions[i].base;
        cells[4 * i + 2] = (uint32_t)(regions[i].size >> 32);
        cells[4 * i + 3] = (uint32_t)regions[i].size;
    }
    d->cells(d->context, "reg", cells, 4 * count);
}

void describe_interrupt(const struct describer *d, unsigned line)
{
    enum { SPI = 0, PPI = 1, LEVEL_HIGH = 4 };
    uint32_t cells[3] = {line < 32 ? PPI : SPI, line < 32 ? line - 16 : line - 32, LEVEL_HIGH};
    uint32_t parent = PHANDLE_GIC;
    d->cells(d->context, "interrupt-parent", &parent, 1);
    d->cells(d->context, "interrupts", cells, 3);
}
