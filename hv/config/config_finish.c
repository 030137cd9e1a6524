/* The end of parsing: defaults, and what only the whole configuration can tell. */
#include "hv/config/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/config/config_ranges.h"
#include "hv/config/config_set.h"

static void fill_cpus(struct vm_config *c)
{
    if (c->cpu_count)
        return;
    c->cpus = array_grow(c->cpus, 0, sizeof *c->cpus);
    c->cpus[c->cpu_count++] = (struct cpu_config){
        .place = {"default", 0}, .priority = CONFIG_PRIORITY_DEFAULT, .policy = 'r'};
}

static void fill_loggers(struct vm_config *c)
{
    if (c->logger_count)
        return;
    c->loggers = array_grow(c->loggers, 0, sizeof *c->loggers);
    c->loggers[c->logger_count++] =
        (struct logger_config){.severities = LOG_SEVERITY_DEFAULT, .destination = LOGGER_STDERR};
}

/* Resolves what the interrupt controller's own options decide, wherever they were written. */
static void resolve_intrs(struct parser *p)
{
    struct vm_config *c = p->config;
    char *pic = strings_keep(&c->strings, p->pic_name, strlen(p->pic_name));
    unsigned hostvector = c->vdev_count ? c->vdevs[0].hostvector : 0;
    for (size_t i = 0; i < c->vdev_count; i++)
        if (c->vdevs[i].has_intr)
            c->vdevs[i].intr_pic = pic;
    for (size_t i = 0; i < c->pass_intr_count; i++) {
        struct pass_intr_config *intr = &c->pass_intrs[i];
        intr->pic = pic;
        if (intr->host_vector == VECTOR_OF_LINE)
            intr->host_vector = hostvector + intr->line;
    }
}

/* Options may place a device, too: its `loc` is where its first region is. */
static void resolve_place(struct parser *p, struct vdev_config *vdev)
{
    struct vdev v;
    struct error e = {0};
    if (!config_vdev_ranges(vdev, p->config->cpu_count, &v, &e))
        errors_keep(p->errors, &e);
    else if (v.region_count)
        vdev->loc = v.regions[0].base;
}

static void finish_vdev(struct parser *p, struct vdev_config *vdev)
{
    const struct vdev_type *type = vdev->type;
    if (!vdev->has_loc)
        vdev->loc = type->default_loc;
    if (!vdev->has_loc && type->is_placed) {
        vdev->loc = ADDRESS_BAD; /* so far: parser_give_places */
    } else if (!vdev->has_loc && !type->default_loc) {
        parser_lacks(p, vdev->place, "vdev %s needs 'loc ADDRESS'", type->name);
        vdev->loc = ADDRESS_BAD;
    }
    if (type->needs_intr && !type->is_placed && !vdev->has_intr)
        parser_lacks(p, vdev->place, "vdev %s needs 'intr PIC:LINE'", type->name);
    resolve_place(p, vdev);
}

static void check_names(struct parser *p)
{
    const struct vm_config *c = p->config;
    for (size_t i = 0; i < c->vdev_count; i++)
        for (size_t j = 0; j < i && c->vdevs[i].name; j++) {
            const struct vdev_config *a = &c->vdevs[j], *b = &c->vdevs[i];
            if (!a->name || strcmp(a->name, b->name))
                continue;
            errors_add(p->errors, b->place, "vdev name '%s' is already taken at [%s:%u]", b->name,
                       a->place.file, a->place.line);
            break;
        }
}

struct line_user {
    struct place place;
    char what[80];
};

static void use_line(struct parser *p, struct line_user *users, unsigned line, struct place place,
                     const char *what)
{
    struct line_user *user = &users[line];
    if (user->what[0]) {
        errors_add(p->errors, place, "%s: interrupt line %u belongs to %s already [%s:%u]", what,
                   line, user->what, user->place.file, user->place.line);
        return;
    }
    user->place = place;
    snprintf(user->what, sizeof user->what, "%s", what);
}

/* A line has one source: two would have to agree on its level. */
static void check_lines(struct parser *p)
{
    const struct vm_config *c = p->config;
    struct line_user *users = calloc(p->pic->pic->last_line + 1, sizeof *users);
    CHECK_ROOM(users);
    for (size_t i = 0; i < c->vdev_count; i++) {
        char what[80];
        snprintf(what, sizeof what, "vdev %s", c->vdevs[i].type->name);
        if (c->vdevs[i].has_intr && c->vdevs[i].intr_line)
            use_line(p, users, c->vdevs[i].intr_line, c->vdevs[i].place, what);
    }
    for (size_t i = 0; i < c->pass_intr_count; i++)
        use_line(p, users, c->pass_intrs[i].line, c->pass_intrs[i].place, "pass");
    free(users);
}

/* Of two ranges the one that was written later, as far as their places tell. */
static bool is_later(const struct config_range *a, const struct config_range *b)
{
    if (!a->place.line || !b->place.line)
        return a->place.line != 0;
    return a->place.line > b->place.line && !strcmp(a->place.file, b->place.file);
}

static void describe(const struct config_range *r, char text[320])
{
    char place[240] = "";
    if (r->place.line)
        snprintf(place, sizeof place, " [%.200s:%u]", r->place.file, r->place.line);
    snprintf(text, 320, "%s%s%.60s 0x%llx-0x%llx%s", range_kind_name(r->kind),
             r->what[0] ? " " : "", r->what, (unsigned long long)r->start,
             (unsigned long long)(r->start + r->size - 1), place);
}

static void report_overlap(struct parser *p, const struct config_range *a,
                           const struct config_range *b)
{
    if (is_later(a, b)) {
        const struct config_range *swap = a;
        a = b;
        b = swap;
    }
    char first[320], second[320];
    describe(a, first);
    describe(b, second);
    char *end = strstr(second, " [");
    if (end)
        *end = '\0';
    errors_add(p->errors, b->place, "%s overlaps %s", second, first);
}

/* An access there would be an Address size fault. */
static void check_reach(struct parser *p, const struct config_range *r)
{
    unsigned bits = config_address_bits(p->config);
    char text[320];
    if (p->words.reader->is_recorded || (r->start + r->size - 1) >> bits == 0)
        return;
    describe(r, text);
    char *end = strstr(text, " [");
    if (end)
        *end = '\0';
    errors_add(p->errors, r->place, "%s is beyond the %u-bit physical addresses of cpu-model %s",
               text, bits, p->config->cpu_model);
}

static void check_ranges(struct parser *p)
{
    size_t count;
    struct config_range *ranges = config_ranges(p->config, &count);
    for (size_t i = 0; i < count; i++)
        check_reach(p, &ranges[i]);
    size_t reach = 0; /* the range that ends highest of those before i */
    for (size_t i = 1; i < count; i++) {
        uint64_t end = ranges[reach].start + ranges[reach].size;
        if (ranges[i].start < end)
            report_overlap(p, &ranges[reach], &ranges[i]);
        if (ranges[i].start + ranges[i].size > end)
            reach = i;
    }
    free(ranges);
}

void parser_finish(struct parser *p)
{
    struct vm_config *c = p->config;
    if (p->blob_word.text)
        parser_error(p, &p->blob_word, "'%s' must be followed by 'load' or 'pass'",
                     p->blob_word.text);
    fill_cpus(c);
    fill_loggers(c);
    parser_add_pic(p);
    resolve_intrs(p);
    for (size_t i = 0; i < c->vdev_count; i++)
        finish_vdev(p, &c->vdevs[i]);
    parser_give_places(p);
    check_names(p);
    parser_check_streams(p);
    check_lines(p);
    check_ranges(p);
    parser_check_injects(p);
}
