/* Two guests, each with a `vdev shmem`, and one registry of regions between them. */
#include "test_vdev_fixture.h"
#include "vdev/shmem/shmem_names.h"

enum { SIGNATURE = 0, SHMEM = 8, VECTOR = 0x10, STATUS = 0x14, SIZE = 0x18, NAME = 0x1c };
enum { FIND = 0x3c, FLAGS = 0x40 };
enum { C_STATUS = 0, C_IDX = 4, C_NOTIFY = 8, C_DETACH = 12 };
enum { OK, UNKNOWN, NOMEM, CLIENT_MAX, ILLEGAL_NAME, NO_PERMISSION, DOES_NOT_EXIST };

#define EVERYBODY  UINT32_MAX
#define BANK       ((uint64_t)0x880000000)
#define BANK_SIZE  ((uint64_t)64 << 20)
#define PLACES     ((uint64_t)0x4000000000)
#define PLACES_MAX 200

/* A guest: its device, and what stage 2 would hold. */
struct guest {
    struct world w;
    struct mapping {
        uint64_t at, size, memory;
    } maps[PLACES_MAX];
    unsigned map_count;
    unsigned maps_left; /* mappings that will still succeed */
    struct vdev_option options[8];
};

static struct memory memory;
static struct shmem_regions *regions;
static struct guest a, b;

/* Places are one gigabyte each: the first without a mapping and a region. */
static gpa_t find_place(void *context, uint64_t size)
{
    struct guest *g = context;
    ck_assert_uint_le(size, 1 << 30);
    for (uint64_t at = PLACES;; at += 1 << 30) {
        const struct bus_region *r = bus_next(&g->w.bus, gpa(at));
        if (!r || r->base >= at + size)
            return gpa(at);
    }
}

static bool map_memory(void *context, gpa_t at, hpa_t from, uint64_t size)
{
    struct guest *g = context;
    if (!g->maps_left)
        return false;
    g->maps_left--;
    ck_assert_uint_lt(g->map_count, PLACES_MAX);
    ck_assert_ptr_nonnull(memory_at(&memory, from, size, MEMORY_READ));
    g->maps[g->map_count++] = (struct mapping){at.v, size, from.v};
    return true;
}

static void unmap_memory(void *context, gpa_t at, uint64_t size)
{
    struct guest *g = context;
    uint64_t unmapped = 0;
    for (unsigned i = 0; i < g->map_count;) {
        if (g->maps[i].at - at.v < size) {
            unmapped += g->maps[i].size;
            g->maps[i] = g->maps[--g->map_count];
        } else {
            i++;
        }
    }
    ck_assert_uint_eq(unmapped, size);
}

static bool open_region(void *context, struct vdev *v, unsigned index, struct vdev_region region)
{
    struct error e = {0};
    ck_assert_uint_ge(index, VDEV_REGIONS_MAX);
    return bus_open(&((struct guest *)context)->w.bus, v, index, region, &e);
}

static void close_region(void *context, struct vdev *v, unsigned index)
{
    bus_close(&((struct guest *)context)->w.bus, v, index);
}

static bool guest_try(struct guest *g, const char *const *options, struct error *e)
{
    const struct vdev_type *t = vdev_type_find("shmem");
    memset(g, 0, sizeof *g);
    g->maps_left = UINT32_MAX;
    struct world *w = &g->w;
    w->env = (struct vdev_env){.vtime = &w->vtime,
                               .events = &w->events,
                               .vcpu_count = 1,
                               .find_place = find_place,
                               .map_memory = map_memory,
                               .unmap_memory = unmap_memory,
                               .open_region = open_region,
                               .close_region = close_region,
                               .shmem = regions,
                               .context = g};
    w->v = calloc(1, t->size);
    ck_assert_ptr_nonnull(w->v);
    w->v->type = t;
    w->v->env = &w->env;
    w->v->loc = 0x1c050000;
    w->v->irq = (struct wire){.set = world_wire, .context = w, .line = 38};
    w->v->irq_line = 38;
    w->v->options = g->options;
    for (; options && *options; options += 2)
        g->options[w->v->option_count++] = (struct vdev_option){options[0], options[1], "test", 1};
    return vdev_create(w->v, e) && bus_add(&w->bus, w->v, e);
}

static void guest_open(struct guest *g, const char *const *options)
{
    struct error e = {0};
    ck_assert_msg(guest_try(g, options, &e), "%s", e.text);
}

static void setup(void)
{
    struct error e = {0};
    ck_assert(memory_add_bank(&memory, hpa(BANK), BANK_SIZE, &e));
    regions = shmem_regions_new(&memory, (uint64_t)32 << 20, &e);
    ck_assert_ptr_nonnull(regions);
    guest_open(&a, NULL);
    guest_open(&b, NULL);
}

static void teardown(void)
{
    world_close(&a.w);
    world_close(&b.w);
    shmem_regions_free(regions);
    memory_free(&memory);
    memory = (struct memory){0};
}

/* The same, with options for guest a. */
static void reopen(struct guest *g, const char *const *options)
{
    world_close(&g->w);
    guest_open(g, options);
}

static void put_name(struct guest *g, const char *name)
{
    for (unsigned i = 0; i < 32; i++)
        put_as(&g->w, 0, 0, NAME + i, 1, i < strlen(name) ? (uint8_t)name[i] : 0);
}

static uint64_t create(struct guest *g, const char *name, uint32_t pages)
{
    put_name(g, name);
    put(&g->w, SIZE, pages);
    return get(&g->w, STATUS);
}

static uint64_t find(struct guest *g, const char *name)
{
    put_name(g, name);
    put(&g->w, FIND, 1);
    return get(&g->w, STATUS);
}

static uint64_t place(struct guest *g)
{
    return get_as(&g->w, 0, 0, SHMEM, 8);
}

static uint64_t must_create(struct guest *g, const char *name, uint32_t pages)
{
    ck_assert_uint_eq(create(g, name, pages), OK);
    return place(g);
}

/* A control page, by its address. */
static uint32_t control_get(struct guest *g, uint64_t at, uint64_t offset)
{
    struct bus_access x = {.size = 4};
    ck_assert_int_eq(bus_access(&g->w.bus, gpa(at + offset), &x), BUS_HANDLED);
    return (uint32_t)x.value;
}

static void control_put(struct guest *g, uint64_t at, uint64_t offset, uint32_t value)
{
    struct bus_access x = {.size = 4, .is_write = true, .value = value};
    ck_assert_int_eq(bus_access(&g->w.bus, gpa(at + offset), &x), BUS_HANDLED);
}

static enum bus_answer control_try(struct guest *g, uint64_t at, uint8_t size, bool is_write)
{
    struct bus_access x = {.size = size, .is_write = is_write};
    return bus_access(&g->w.bus, gpa(at), &x);
}

/* The board's address behind a guest-physical one; 0: none. */
static uint64_t behind(const struct guest *g, uint64_t at)
{
    for (unsigned i = 0; i < g->map_count; i++)
        if (at - g->maps[i].at < g->maps[i].size)
            return g->maps[i].memory + (at - g->maps[i].at);
    return 0;
}

/* The factory ------------------------------------------------------------------------------------
 */

START_TEST(factory_registers)
{
    ck_assert_uint_eq(get_as(&a.w, 0, 0, SIGNATURE, 8), UINT64_C(0x4d534732474d5651));
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get_as(&a.w, 0, 0, i, 1), (uint8_t) "QVMG2GSM"[i]);
    ck_assert_uint_eq(get(&a.w, VECTOR), 38);
    ck_assert_uint_eq(place(&a), 0);
    put(&a.w, FLAGS, 0x123);
    ck_assert_uint_eq(get(&a.w, FLAGS), 0x123);
    put(&a.w, STATUS, 77); /* read-only: ignored */
    ck_assert_uint_eq(get(&a.w, STATUS), 0);
    struct tree_text t;
    tree_of(a.w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "shmem@1c050000 {\ncompatible = qvm,guest_shm\n"
                                         "reg = <0 1c050000 0 1000>\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "interrupts = <0 6 4>\n"));
}
END_TEST

START_TEST(name_takes_every_width)
{
    put_as(&a.w, 0, 0, NAME, 8, UINT64_C(0x7766554433221141));
    put_as(&a.w, 0, 0, NAME + 28, 4, 0x44434241);
    put_as(&a.w, 0, 0, NAME + 8, 2, 0x4645);
    ck_assert_uint_eq(get_as(&a.w, 0, 0, NAME, 8), UINT64_C(0x7766554433221141));
    ck_assert_uint_eq(get_as(&a.w, 0, 0, NAME + 31, 1), 0x44);
    ck_assert_uint_eq(get_as(&a.w, 0, 0, NAME + 8, 4), 0x4645);
    ck_assert_int_eq(try_access(&a.w, 0, NAME + 28, 8, true), BUS_REFUSED);
    ck_assert_int_eq(try_access(&a.w, 0, SIZE, 8, true), BUS_REFUSED);
    ck_assert_int_eq(try_access(&a.w, 0, SIZE, 2, true), BUS_REFUSED);
    ck_assert_int_eq(try_access(&a.w, 0, FIND, 1, true), BUS_REFUSED);
    ck_assert_int_eq(try_access(&a.w, 0, FLAGS, 8, false), BUS_REFUSED);
    ck_assert_int_eq(try_access(&a.w, 0, 0x44, 4, false), BUS_NOBODY);
    ck_assert_uint_eq(get(&a.w, STATUS), OK);
}
END_TEST

START_TEST(first_creator_decides_the_size)
{
    ck_assert_uint_eq(find(&b, "frames"), DOES_NOT_EXIST);
    uint64_t at = must_create(&a, "frames", 5);
    ck_assert_uint_eq(get(&a.w, SIZE), 5);
    ck_assert_uint_eq(at & PAGE_MASK, 0);
    uint64_t other = must_create(&b, "frames", 1000);
    ck_assert_uint_eq(get(&b.w, SIZE), 5);
    for (unsigned i = 1; i <= 5; i++) {
        ck_assert_uint_ne(behind(&a, at + i * PAGE_SIZE), 0);
        ck_assert_uint_eq(behind(&a, at + i * PAGE_SIZE), behind(&b, other + i * PAGE_SIZE));
    }
    ck_assert_uint_eq(behind(&a, at), 0);
    ck_assert_uint_eq(behind(&a, at + 6 * PAGE_SIZE), 0);
    /* Another region is other memory. */
    uint64_t second = must_create(&a, "other", 1);
    ck_assert_uint_ne(behind(&a, second + PAGE_SIZE), behind(&a, at + 5 * PAGE_SIZE));
    ck_assert_uint_eq(find(&b, "other"), OK);
    ck_assert_uint_eq(behind(&b, place(&b) + PAGE_SIZE), behind(&a, second + PAGE_SIZE));
}
END_TEST

START_TEST(names)
{
    ck_assert_uint_eq(create(&a, "", 1), ILLEGAL_NAME);
    ck_assert_uint_eq(create(&a, "a\nb", 1), ILLEGAL_NAME);
    ck_assert_uint_eq(create(&a, "abcdefghijklmnopqrstuvwxyz012345", 1), OK); /* 32 bytes */
    ck_assert_uint_eq(find(&b, "abcdefghijklmnopqrstuvwxyz01234"), DOES_NOT_EXIST);
    ck_assert_uint_eq(find(&b, "abcdefghijklmnopqrstuvwxyz012345"), OK);
    ck_assert_uint_eq(create(&a, "\xc3\xa4 b/c", 1), OK);
}
END_TEST

START_TEST(failures_change_nothing)
{
    uint64_t at = must_create(&a, "frames", 2);
    unsigned maps = a.map_count;
    size_t bus = a.w.bus.count;
    ck_assert_uint_eq(create(&a, "huge", 0x10000), NOMEM);
    ck_assert_uint_eq(create(&a, "huge", UINT32_MAX), NOMEM);
    ck_assert_uint_eq(create(&a, "none", 0), DOES_NOT_EXIST);
    ck_assert_uint_eq(find(&a, "huge"), DOES_NOT_EXIST);
    ck_assert_uint_eq(create(&a, "", 3), ILLEGAL_NAME);
    ck_assert_uint_eq(get(&a.w, SIZE), 2);
    ck_assert_uint_eq(place(&a), at);
    /* The mapping of the second chunk fails: the region is undone, name and memory. */
    a.maps_left = 1;
    ck_assert_uint_eq(create(&a, "late", 3 * 512), NOMEM);
    ck_assert_uint_eq(find(&b, "late"), DOES_NOT_EXIST);
    a.maps_left = 0;
    ck_assert_uint_eq(create(&a, "frames", 2), NOMEM);
    ck_assert_uint_eq(a.map_count, maps);
    ck_assert_uint_eq(a.w.bus.count, bus);
    a.maps_left = UINT32_MAX;
    ck_assert_uint_eq(create(&a, "all", 32 * 256 - 2), OK);
    ck_assert_uint_eq(create(&a, "more", 1), NOMEM);
}
END_TEST

/* The control page -------------------------------------------------------------------------------
 */

START_TEST(notifications)
{
    uint64_t at_a = must_create(&a, "r", 1), at_b = must_create(&b, "r", 1);
    ck_assert_uint_eq(control_get(&a, at_a, C_IDX), 0);
    ck_assert_uint_eq(control_get(&b, at_b, C_IDX), 1);
    ck_assert(a.w.irq_level); /* b has come */
    ck_assert(!b.w.irq_level);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x30000);
    ck_assert(!a.w.irq_level);

    control_put(&a, at_a, C_NOTIFY, 1 << 1);
    ck_assert(b.w.irq_level);
    ck_assert(!a.w.irq_level);
    control_put(&a, at_a, C_NOTIFY, 1 << 1); /* merges with the first */
    ck_assert_uint_eq(control_get(&b, at_b, C_STATUS), 0x30001);
    ck_assert(!b.w.irq_level);
    ck_assert_uint_eq(control_get(&b, at_b, C_STATUS), 0x30000);

    control_put(&b, at_b, C_NOTIFY, EVERYBODY);
    ck_assert(a.w.irq_level);
    ck_assert(!b.w.irq_level);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x30002);

    control_put(&b, at_b, C_NOTIFY, 1 << 1); /* oneself, if asked for by number */
    ck_assert(b.w.irq_level);
    ck_assert_uint_eq(control_get(&b, at_b, C_STATUS), 0x30002);
    control_put(&b, at_b, C_NOTIFY, 0xfffc); /* nobody there */
    ck_assert(!a.w.irq_level && !b.w.irq_level);
}
END_TEST

START_TEST(control_page_accesses)
{
    uint64_t at = must_create(&a, "r", 1);
    ck_assert_int_eq(control_try(&a, at, 8, false), BUS_REFUSED);
    ck_assert_int_eq(control_try(&a, at, 1, false), BUS_REFUSED);
    ck_assert_int_eq(control_try(&a, at + 2, 4, false), BUS_REFUSED);
    ck_assert_int_eq(control_try(&a, at + C_DETACH, 2, true), BUS_REFUSED);
    ck_assert_int_eq(control_try(&a, at + 0x10, 4, false), BUS_NOBODY);
    control_put(&a, at, C_STATUS, 5);
    control_put(&a, at, C_IDX, 5);
    ck_assert_uint_eq(control_get(&a, at, C_IDX), 0);
    ck_assert_uint_eq(control_get(&a, at, C_NOTIFY), 0);
    ck_assert_uint_eq(control_get(&a, at, C_DETACH), 0);
    ck_assert_uint_eq(control_get(&a, at, C_STATUS), 0x10000);
}
END_TEST

START_TEST(one_line_for_all_regions)
{
    uint64_t a1 = must_create(&a, "one", 1), b1 = must_create(&b, "one", 1);
    uint64_t a2 = must_create(&a, "two", 1), b2 = must_create(&b, "two", 1);
    control_get(&a, a1, C_STATUS);
    control_get(&a, a2, C_STATUS);
    control_put(&b, b1, C_NOTIFY, EVERYBODY);
    control_put(&b, b2, C_NOTIFY, EVERYBODY);
    ck_assert_uint_eq(control_get(&a, a1, C_STATUS), 0x30002);
    ck_assert(a.w.irq_level);
    ck_assert_uint_eq(control_get(&a, a2, C_STATUS), 0x30002);
    ck_assert(!a.w.irq_level);
}
END_TEST

START_TEST(detaching)
{
    uint64_t at_a = must_create(&a, "r", 3), at_b = must_create(&b, "r", 3);
    control_get(&a, at_a, C_STATUS);
    control_put(&a, at_a, C_NOTIFY, EVERYBODY);
    control_put(&b, at_b, C_DETACH, 0);
    ck_assert(!b.w.irq_level); /* what it had not read is gone too */
    ck_assert_uint_eq(b.map_count, 0);
    ck_assert_int_eq(control_try(&b, at_b, 4, false), BUS_NOBODY);
    ck_assert(a.w.irq_level);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x10000);
    ck_assert(!a.w.irq_level);
    /* The region stays, with what is in it, also when nobody is attached. */
    uint64_t memory_of_r = behind(&a, at_a + PAGE_SIZE);
    control_put(&a, at_a, C_DETACH, 1);
    ck_assert_uint_eq(find(&b, "r"), OK);
    ck_assert_uint_eq(get(&b.w, SIZE), 3);
    ck_assert_uint_eq(behind(&b, place(&b) + PAGE_SIZE), memory_of_r);
    ck_assert_uint_eq(control_get(&b, place(&b), C_IDX), 0);
    ck_assert_uint_eq(control_get(&b, place(&b), C_STATUS), 0x10000);
}
END_TEST

START_TEST(the_end_of_a_vm_is_seen_by_the_other)
{
    uint64_t at_a = must_create(&a, "r", 3);
    must_create(&b, "r", 3);
    must_create(&b, "r", 3);
    must_create(&b, "other", 1);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x70000);
    b.w.v->type->terminate(b.w.v);
    ck_assert_uint_eq(b.map_count, 0);
    ck_assert_uint_eq(b.w.bus.count, 1);
    ck_assert(a.w.irq_level);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x10000);
}
END_TEST

/* The end of the board: devices are freed one after the other, and nobody is told. */
START_TEST(the_end_of_a_device_leaves_no_trace)
{
    must_create(&a, "r", 3);
    uint64_t at_b = must_create(&b, "r", 3);
    world_close(&a.w);
    control_put(&b, at_b, C_NOTIFY, EVERYBODY);
    control_put(&b, at_b, C_DETACH, 0);
    guest_open(&a, NULL);
}
END_TEST

/* Limits -----------------------------------------------------------------------------------------
 */

START_TEST(sixteen_clients)
{
    uint64_t first = must_create(&a, "r", 1);
    for (unsigned i = 1; i < 16; i++) {
        struct guest *g = i % 2 ? &b : &a;
        ck_assert_uint_eq(find(g, "r"), OK);
        ck_assert_uint_eq(control_get(g, place(g), C_IDX), i);
    }
    unsigned maps = b.map_count;
    ck_assert_uint_eq(create(&b, "r", 1), CLIENT_MAX);
    ck_assert_uint_eq(find(&a, "r"), CLIENT_MAX);
    ck_assert_uint_eq(b.map_count, maps);
    ck_assert_uint_eq(control_get(&a, first, C_STATUS), 0xffff0000);
    control_put(&a, first, C_DETACH, 0);
    ck_assert_uint_eq(find(&b, "r"), OK);
    ck_assert_uint_eq(control_get(&b, place(&b), C_IDX), 0);
}
END_TEST

START_TEST(attaching_for_ever)
{
    uint64_t first = 0;
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t at = must_create(&a, "r", 700);
        ck_assert(!first || at == first);
        first = at;
        control_put(&a, at, C_DETACH, 0);
    }
    ck_assert_uint_eq(a.map_count, 0);
    ck_assert_uint_eq(a.w.bus.count, 1);
    /* And without ever detaching: 64 connections. */
    uint64_t status = OK;
    char name[2] = "a";
    for (unsigned i = 0; i < 200; i++) {
        name[0] = (char)('a' + i % 10);
        status = create(&a, name, 1);
        ck_assert_uint_eq(status, i < 64 ? OK : CLIENT_MAX);
    }
    ck_assert_uint_eq(a.w.bus.count, 65);
    a.w.v->type->terminate(a.w.v);
    ck_assert_uint_eq(a.map_count, 0);
}
END_TEST

START_TEST(creating_for_ever)
{
    unsigned created = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%u", i);
        uint64_t status = create(&a, name, 1);
        ck_assert_uint_eq(status, i < SHMEM_REGIONS_MAX ? OK : NOMEM);
        created += status == OK;
        if (status == OK)
            control_put(&a, place(&a), C_DETACH, 0);
    }
    ck_assert_uint_eq(created, SHMEM_REGIONS_MAX);
    ck_assert_uint_eq(find(&b, "r63"), OK);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void hostile_access(struct guest *g, uint64_t *random)
{
    static const uint8_t offsets[8] = {SIZE, FIND, NAME, NAME, C_NOTIFY, C_STATUS, C_DETACH, 2};
    uint64_t x = next_random(random);
    const struct bus_region *r = &g->w.bus.regions[(x >> 8) % g->w.bus.count];
    struct bus_access access = {.size = (uint8_t)(x & 3 ? 4 : 1u << (x >> 16 & 3)),
                                .is_write = x >> 18 & 1,
                                .value = x >> 19 & 3 ? x >> 40 & 0x3f : x};
    if (r->size == PAGE_SIZE && offsets[x >> 24 & 7] == NAME)
        access.value = 'a' + (x >> 40) % 6;
    bus_access(&g->w.bus, gpa(r->base + offsets[x >> 24 & 7]), &access);
}

START_TEST(hostile_guests)
{
    uint64_t random = 88172645463325252;
    for (unsigned i = 0; i < 200000; i++)
        hostile_access(i & 1 ? &a : &b, &random);
    ck_assert_uint_gt(a.w.bus.count, 1);
    a.w.v->type->terminate(a.w.v);
    b.w.v->type->terminate(b.w.v);
    ck_assert_uint_eq(a.map_count + b.map_count, 0);
    ck_assert_uint_eq(a.w.bus.count + b.w.bus.count, 2);
    ck_assert(!a.w.irq_level && !b.w.irq_level);
}
END_TEST

/* Options ----------------------------------------------------------------------------------------
 */

START_TEST(created_by_the_configuration)
{
    static const char *const wanted[] = {"create", "TEST1,0xf0000", "create", "x,y,5000", NULL};
    static const char *const again[] = {"create", "TEST1,4k", NULL};
    reopen(&a, wanted);
    reopen(&b, again);
    ck_assert_uint_eq(find(&b, "TEST1"), OK);
    ck_assert_uint_eq(get(&b.w, SIZE), 0xf0);
    ck_assert_uint_eq(find(&a, "x,y"), OK);
    ck_assert_uint_eq(get(&a.w, SIZE), 2);
    ck_assert_uint_eq(shmem_created_bytes(a.options, 2), 0xf2000);
}
END_TEST

static void refuse(const char *value, const char *expected, int exit_status)
{
    const char *options[] = {"create", value, NULL};
    struct error e = {0};
    struct guest g;
    ck_assert(!guest_try(&g, options, &e));
    ck_assert_str_eq(e.text, expected);
    ck_assert_int_eq(e.exit_status, exit_status);
    world_close(&g.w);
}

START_TEST(wrong_create)
{
    refuse("x", "[test:1] vdev shmem: create 'x' is not of the form NAME,SIZE", 0);
    refuse("x,", "[test:1] vdev shmem: create 'x,' is not of the form NAME,SIZE", 0);
    refuse("x,4q", "[test:1] vdev shmem: create 'x,4q' is not of the form NAME,SIZE", 0);
    refuse(",4k",
           "[test:1] vdev shmem: create ',4k': a name has 1 to 32 bytes and no control characters",
           0);
    refuse("abcdefghijklmnopqrstuvwxyz0123456,1",
           "[test:1] vdev shmem: create 'abcdefghijklmnopqrstuvwxyz0123456,1': a name has 1 to 32 "
           "bytes and no control characters",
           0);
    refuse("x,0", "[test:1] vdev shmem: create 'x,0': a size is 1 byte to 16 TiB - 4 KiB", 0);
    refuse("x,16384G", "[test:1] vdev shmem: create 'x,16384G': a size is 1 byte to 16 TiB - 4 KiB",
           0);
    refuse("x,33M",
           "[test:1] vdev shmem: create x: the board has too little memory for it, or more than 64 "
           "regions",
           64);
}
END_TEST

START_TEST(patterns)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"frames", "frames", true},
        {"frames", "frame", false},
        {"frame", "frames", false},
        {"*", "", true},
        {"*", "x", true},
        {"", "x", false},
        {"fr*", "frames", true},
        {"*mes", "frames", true},
        {"f*m*s", "frames", true},
        {"f*x*s", "frames", false},
        {"f?ames", "frames", true},
        {"f?ames", "fames", false},
        {"?", "", false},
        {"**a**", "banana", true},
        {"*na", "banana", true},
        {"*ana", "bananb", false},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[!a-c]x", "dx", true},
        {"[^a-c]x", "ax", false},
        {"[]a]", "]", true},
        {"[!]a]", "]", false},
        {"[a-]", "-", true},
        {"[a", "[a", true},
        {"[a", "a", false},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"x[0-9][0-9]", "x42", true},
        {"x[0-9][0-9]", "x4", false},
        {"\xc3?", "\xc3\xa4", true},
        {"*[b]*c", "aabbcc", true},
        {"\\[a]", "[a]", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(shmem_pattern_matches(cases[i].pattern, cases[i].name) == cases[i].matches,
                      "'%s' and '%s'", cases[i].pattern, cases[i].name);
    ck_assert(!shmem_pattern_matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(allow_and_deny)
{
    static const char *const allow[] = {"allow", "frames", "allow", "x*", NULL};
    static const char *const deny[] = {"deny", "x*", NULL};
    static const char *const both[] = {"deny", "pluto", "allow", "pluto*", NULL};
    reopen(&a, allow);
    ck_assert_uint_eq(create(&a, "frames", 1), OK);
    ck_assert_uint_eq(create(&a, "x1", 1), OK);
    ck_assert_uint_eq(create(&a, "y1", 1), NO_PERMISSION);
    ck_assert_uint_eq(find(&a, "y1"), NO_PERMISSION);
    reopen(&a, deny);
    ck_assert_uint_eq(create(&a, "x1", 1), NO_PERMISSION); /* though it exists */
    ck_assert_uint_eq(create(&a, "y1", 1), OK);
    reopen(&a, both);
    ck_assert_uint_eq(create(&a, "pluto", 1), NO_PERMISSION);
    ck_assert_uint_eq(create(&a, "plutoplanet", 1), OK);
    ck_assert_uint_eq(create(&a, "mars", 1), NO_PERMISSION);
}
END_TEST

/* State ------------------------------------------------------------------------------------------
 */

static void save_regions(struct bytes *out)
{
    struct state s = state_saving(out);
    shmem_regions_visit(regions, &s);
}

START_TEST(saved_and_restored)
{
    must_create(&a, "r", 3);
    uint64_t at_a = place(&a), at_b = must_create(&b, "r", 3);
    control_put(&b, at_b, C_NOTIFY, EVERYBODY);
    struct bytes saved = {0}, before = {0}, after = {0};
    world_save(&a.w, &saved);
    save_regions(&before);
    reopen(&a, NULL);
    ck_assert(!a.w.irq_level);
    struct reader in = reader_of(saved.data, saved.size);
    ck_assert(world_restore(&a.w, &in));
    a.w.v->type->restored(a.w.v);
    ck_assert(a.w.irq_level);
    save_regions(&after);
    ck_assert_uint_eq(before.size, after.size);
    ck_assert_int_eq(memcmp(before.data, after.data, before.size), 0);
    ck_assert_uint_eq(control_get(&a, at_a, C_STATUS), 0x30002);
    control_put(&b, at_b, C_NOTIFY, EVERYBODY);
    ck_assert(a.w.irq_level);
    bytes_clear(&after);
    save_regions(&after);
    control_get(&a, at_a, C_STATUS);
    bytes_clear(&before);
    save_regions(&before);
    ck_assert_int_ne(memcmp(before.data, after.data, before.size), 0);
    bytes_free(&saved);
    bytes_free(&before);
    bytes_free(&after);
    a.w.bus.count = 0; /* the mapping of a fresh stage 2 is not there to be unmapped */
}
END_TEST

START_TEST(status_report)
{
    char text[200] = "";
    a.w.v->type->status(a.w.v, text, sizeof text);
    ck_assert_str_eq(text, "");
    must_create(&a, "frames", 3);
    must_create(&a, "other", 3);
    a.w.v->type->status(a.w.v, text, sizeof text);
    ck_assert_str_eq(text, "frames: client 0 at 0x4000000000, other: client 0 at 0x4040000000");
    char tiny[10] = "";
    a.w.v->type->status(a.w.v, tiny, sizeof tiny);
    ck_assert_uint_eq(strlen(tiny), 9);
}
END_TEST

START_TEST(too_little_memory)
{
    struct error e = {0};
    ck_assert_ptr_null(shmem_regions_new(&memory, BANK_SIZE, &e));
    ck_assert_str_eq(e.text, "the board has no 32768 KiB left for shared memory");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("shmem");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, factory_registers);
    tcase_add_test(t, name_takes_every_width);
    tcase_add_test(t, first_creator_decides_the_size);
    tcase_add_test(t, names);
    tcase_add_test(t, failures_change_nothing);
    tcase_add_test(t, notifications);
    tcase_add_test(t, control_page_accesses);
    tcase_add_test(t, one_line_for_all_regions);
    tcase_add_test(t, detaching);
    tcase_add_test(t, the_end_of_a_vm_is_seen_by_the_other);
    tcase_add_test(t, the_end_of_a_device_leaves_no_trace);
    tcase_add_test(t, sixteen_clients);
    tcase_add_test(t, attaching_for_ever);
    tcase_add_test(t, creating_for_ever);
    tcase_add_test(t, hostile_guests);
    tcase_add_test(t, created_by_the_configuration);
    tcase_add_test(t, wrong_create);
    tcase_add_test(t, patterns);
    tcase_add_test(t, allow_and_deny);
    tcase_add_test(t, saved_and_restored);
    tcase_add_test(t, status_report);
    tcase_add_test(t, too_little_memory);
    return suite_main("vdev/shmem", t);
}
