/* What every device must do, whatever it is: survive any access, answer the same to the same
 * questions, and be the same after save and restore. */
#include "test_vdev_fixture.h"

struct subject {
    const char *type;
    unsigned vcpus;
    const char *options[3]; /* as world_open wants them */
};

/* Every type once as it comes, and those that have variants in each. */
static const struct subject variants[] = {
    {"gic", 1, {"version", "2", NULL}},
    {"gic", 8, {"version", "2", NULL}},
    {"gic", 8, {"version", "3", NULL}},
    {"virtio-console", 1, {"port", "log", NULL}},
    {"virtio-console", 1, {"size", "80x24", NULL}},
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct run {
    struct world w;
    uint64_t random;
    uint64_t answers;     /* a digest of everything the device said */
    uint64_t visited[32]; /* addresses accessed before, to read back what was written */
};

static void note(struct run *r, uint64_t x)
{
    r->answers = (r->answers ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    r->answers ^= r->answers >> 29;
}

/* Around the region's edges now and then; otherwise a word of a frame, more often of its start,
 * where registers are. */
static uint64_t some_address(struct run *r, const struct vdev_region *region)
{
    static const uint64_t spans[4] = {0x60, 0x1000, 0x1000, 0x10000};
    uint64_t x = next_random(&r->random), y = x >> 16;
    switch (x & 15) {
    case 0:
        return region->base + region->size - 16 + y % 32;
    case 1:
        return region->base - 16 + y % 32;
    case 2:
        return region->base + y % region->size;
    default:
        return region->base + (y % region->size & ~UINT64_C(0xffff)) +
               y % spans[x >> 4 & 3] / 4 * 4;
    }
}

static uint64_t next_address(struct run *r, const struct vdev_region *region)
{
    uint64_t x = next_random(&r->random);
    uint64_t *slot = &r->visited[x >> 8 & 31];
    if (*slot == 0 || (x & 3) == 0)
        *slot = some_address(r, region);
    return *slot;
}

static void one_access(struct run *r)
{
    struct vdev *v = r->w.v;
    uint64_t x = next_random(&r->random);
    const struct vdev_region *region = &v->regions[x % v->region_count];
    struct bus_access a = {.value = next_random(&r->random),
                           .size = (uint8_t)(1u << (x >> 8 & 3)),
                           .is_write = x >> 16 & 1,
                           .vcpu = (uint8_t)((x >> 20) % r->w.env.vcpu_count)};
    if (x >> 24 & 3)
        a.size = 4;
    if (x >> 26 & 1)
        a.value &= next_random(&r->random) & next_random(&r->random);
    enum bus_answer answer = bus_access(&r->w.bus, (gpa_t){next_address(r, region)}, &a);
    ck_assert(answer == BUS_HANDLED || answer == BUS_NOBODY || answer == BUS_REFUSED);
    if (!a.is_write && a.size < 8)
        ck_assert_uint_eq(a.value >> (8 * a.size), 0);
    note(r, answer);
    note(r, a.value);
}

static void one_push(struct run *r)
{
    uint8_t data[40];
    size_t size = next_random(&r->random) % sizeof data;
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)next_random(&r->random);
    if (r->w.v->type->resize && size > 36)
        r->w.v->type->resize(r->w.v, data[0], data[1]);
    if (!r->w.v->type->input)
        return;
    unsigned port = (unsigned)(r->random % r->w.v->port_count);
    size_t taken = r->w.v->type->input(r->w.v, port, data, size);
    ck_assert_uint_le(taken, size);
    note(r, taken);
}

/* What reaches an interrupt controller besides accesses. */
static void one_pic_event(struct run *r)
{
    struct pic *pic = pic_of(r->w.v);
    const struct pic_type *type = r->w.v->type->pic;
    unsigned lines = type->last_line - type->first_shared + 1;
    uint64_t x = next_random(&r->random), value = next_random(&r->random);
    unsigned vcpu = (unsigned)(x >> 8) % r->w.env.vcpu_count;
    unsigned encoding = 3u << 14 | 12u << 7 | (8 + (unsigned)(x >> 16) % 5) << 3 | (x >> 24 & 7);
    switch (x & 3) {
    case 0:
        type->set_line(pic, type->first_shared + (unsigned)(x >> 16) % lines, x >> 40 & 1);
        break;
    case 1:
        pic_set_local(pic, vcpu, (enum cpu_line)((x >> 16) % CPU_LINES), x >> 40 & 1);
        break;
    case 2:
        note(r, pic_cpu_register(pic, vcpu, encoding, false, &value));
        note(r, value);
        break;
    default:
        if (x >> 50 & 1)
            encoding = 3u << 14 | 4u << 7 | 6u << 3; /* ICC_PMR_EL1 */
        note(r, pic_cpu_register(pic, vcpu, encoding, true, &value));
        break;
    }
}

static void note_outputs(struct run *r)
{
    note(r, r->w.irq_level);
    note(r, r->w.output_size);
    note(r, (uint64_t)r->w.exit_status);
    note(r, event_next(&r->w.events));
    for (unsigned i = 0; i < GIC_VCPUS_MAX; i++)
        note(r, r->w.vcpu_irq[i] + 2u * r->w.vcpu_fiq[i]);
}

static void run_steps(struct run *r, unsigned steps)
{
    while (steps--) {
        uint64_t x = next_random(&r->random);
        if ((x & 15) == 0)
            world_advance(&r->w, x >> 8 & 0xfffff);
        else if ((x & 15) == 1)
            one_push(r);
        else if ((x & 3) == 2 && r->w.v->type->pic)
            one_pic_event(r);
        else
            one_access(r);
        note_outputs(r);
    }
}

static void run_open(struct run *r, const struct subject *s, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    world_open(&r->w, s->type, s->vcpus, s->options);
    r->random = seed;
}

static struct state_search name_at(struct run *r, size_t offset)
{
    struct state_search search = {.offset = offset};
    const struct state_listener listener = state_searching(&search);
    struct bytes out = {0};
    struct state s = state_telling(&out, &listener);
    vdev_visit(r->w.v, &s);
    bytes_free(&out);
    return search;
}

static void assert_same_state(struct run *a, struct run *b)
{
    struct bytes x = {0}, y = {0};
    world_save(&a->w, &x);
    world_save(&b->w, &y);
    ck_assert_uint_eq(x.size, y.size);
    for (size_t i = 0; i < x.size; i++)
        if (x.data[i] != y.data[i])
            ck_abort_msg("%s: %s differs", a->w.v->name, name_at(a, i).found_name);
    bytes_free(&x);
    bytes_free(&y);
}

/* Into `to`, which is fresh: time first, then the fields, then the wires. */
static void copy_by_restore(struct run *from, struct run *to)
{
    struct bytes saved = {0};
    world_save(&from->w, &saved);
    struct reader in = reader_of(saved.data, saved.size);
    to->w.vtime = from->w.vtime;
    to->w.output_size = from->w.output_size;
    to->w.exit_status = from->w.exit_status;
    memcpy(to->w.ram, from->w.ram, sizeof to->w.ram);
    to->w.random = from->w.random;
    to->random = from->random;
    to->answers = from->answers;
    memcpy(to->visited, from->visited, sizeof to->visited);
    ck_assert(world_restore(&to->w, &in));
    ck_assert(reader_at_end(&in));
    if (to->w.v->type->restored)
        to->w.v->type->restored(to->w.v);
    bytes_free(&saved);
}

/* Reads every word there is: what a register shows is state, and must have been saved. */
static void sweep(struct run *r)
{
    const struct vdev *v = r->w.v;
    for (size_t i = 0; i < v->region_count; i++) {
        for (uint64_t offset = 0; offset < v->regions[i].size; offset += 4) {
            struct bus_access a = {.size = 4};
            bus_access(&r->w.bus, (gpa_t){v->regions[i].base + offset}, &a);
            note(r, a.value);
        }
    }
}

static void check_subject(const struct subject *s)
{
    enum { STEPS = 4000, ROUNDS = 8 };
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct run a, b, c;
        run_open(&a, s, seed * UINT64_C(0x2545f4914f6cdd1d));
        run_open(&b, s, seed * UINT64_C(0x2545f4914f6cdd1d));
        run_open(&c, s, 1);
        run_steps(&a, STEPS);
        run_steps(&b, STEPS);
        ck_assert_uint_eq(a.answers, b.answers);
        assert_same_state(&a, &b);
        copy_by_restore(&a, &c);
        assert_same_state(&a, &c);
        ck_assert_int_eq(a.w.irq_level, c.w.irq_level);
        sweep(&a);
        sweep(&c);
        ck_assert_msg(a.answers == c.answers, "%s: a register was not restored", s->type);
        run_steps(&a, STEPS);
        run_steps(&c, STEPS);
        ck_assert_msg(a.answers == c.answers, "%s answers differently after a restore", s->type);
        assert_same_state(&a, &c);
        world_close(&a.w);
        world_close(&b.w);
        world_close(&c.w);
    }
}

START_TEST(every_type)
{
    for (const struct vdev_type *const *t = vdev_types; *t; t++)
        check_subject(&(struct subject){(*t)->name, 3, {NULL}});
}
END_TEST

START_TEST(every_variant)
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        check_subject(&variants[i]);
}
END_TEST

/* Any bytes that each field may be restored with. */
static void put_random(const struct field *fields, uint64_t *random, struct bytes *out)
{
    for (const struct field *f = fields; f->name; f++)
        for (size_t i = 0; i < f->count; i++) {
            uint64_t value = next_random(random);
            bytes_put_int(out, f->most == UINT64_MAX ? value : value % (f->most + 1), f->size);
        }
}

/* What is an index, a count or a bool is refused with more than it may be, by its name. */
START_TEST(fields_have_their_ranges)
{
    for (const struct vdev_type *const *t = vdev_types; *t; t++) {
        struct run r;
        struct bytes saved = {0};
        size_t at = 0;
        run_open(&r, &(struct subject){(*t)->name, 2, {NULL}}, 1);
        world_save(&r.w, &saved);
        for (const struct field *f = (*t)->fields; f->name; at += f->size * f->count, f++) {
            size_t last = at + f->size * (f->count - 1);
            uint64_t was = load_le(saved.data + last, f->size);
            if (f->most == UINT64_MAX)
                continue;
            store_le(saved.data + last, f->most + 1, f->size);
            struct reader in = reader_of(saved.data, saved.size);
            ck_assert_msg(!world_restore(&r.w, &in), "%s: %s", (*t)->name, f->name);
            ck_assert_str_eq(in.refused, f->name);
            store_le(saved.data + last, was, f->size);
        }
        bytes_free(&saved);
        world_close(&r.w);
    }
}
END_TEST

/* A snapshot is a file, and a file may say anything. */
START_TEST(random_bytes_are_restored_without_harm)
{
    uint64_t random = 12345;
    for (const struct vdev_type *const *t = vdev_types; *t; t++) {
        for (unsigned round = 0; round < 50; round++) {
            struct run r;
            struct bytes saved = {0};
            run_open(&r, &(struct subject){(*t)->name, 2, {NULL}}, next_random(&random));
            put_random((*t)->fields, &random, &saved);
            struct reader in = reader_of(saved.data, saved.size);
            ck_assert(world_restore(&r.w, &in));
            if ((*t)->restored)
                (*t)->restored(r.w.v);
            run_steps(&r, 300);
            bytes_free(&saved);
            world_close(&r.w);
        }
    }
}
END_TEST

START_TEST(types_are_complete)
{
    for (const struct vdev_type *const *t = vdev_types; *t; t++) {
        ck_assert_ptr_eq(vdev_type_find((*t)->name), *t);
        ck_assert(strlen((*t)->summary) > 0);
        ck_assert(strchr((*t)->summary, '\n') == NULL);
        ck_assert_uint_ge((*t)->size, sizeof(struct vdev));
        ck_assert_ptr_nonnull((*t)->fields);
        ck_assert((*t)->ranges && (*t)->access);
    }
    ck_assert_ptr_null(vdev_type_find("nothing"));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("contract");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, types_are_complete);
    tcase_add_test(t, every_type);
    tcase_add_test(t, every_variant);
    tcase_add_test(t, random_bytes_are_restored_without_harm);
    tcase_add_test(t, fields_have_their_ranges);
    return suite_main("vdev/contract", t);
}
