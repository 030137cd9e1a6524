/* The port of devices that master, and ranges that are mapped through it: a copying machine behind
 * a port that translates page by page. Its addresses lead to scattered pages, so a byte that went
 * any other way would be another one. */
#include "emu/bytes.h"
#include "test_vdev_fixture.h"

static struct world w;
static const uint8_t scattered[WORLD_RAM_PAGES] = {5, 9,  2, 15, 3, 10, 12, 0,
                                                   7, 14, 1, 8,  4, 13, 6,  11};
static const uint8_t pairs[WORLD_RAM_PAGES] = {4, 5, 0,  1,  12, 13, 2,  3,
                                               8, 9, 14, 15, 6,  7,  10, 11};

/* A device that copies SIZE bytes from FROM to TO when START is written, in pieces. */
enum { FROM = 0, TO = 8, SIZE = 16, START = 24, REFUSED = 32 };
struct copier {
    struct vdev v;
    uint64_t registers[3];
    struct dma_fault fault;
};

static void run_copy(struct copier *c)
{
    uint8_t piece[0x1800];
    uint64_t left = c->registers[2], from = c->registers[0], to = c->registers[1], part;
    c->fault = (struct dma_fault){0};
    for (; left; left -= part, from += part, to += part) {
        part = left < sizeof piece ? left : sizeof piece;
        if (!dma_read(&c->v.dma, (iova_t){from}, piece, part, &c->fault) ||
            !dma_write(&c->v.dma, (iova_t){to}, piece, part, &c->fault))
            return;
    }
}

static enum bus_answer copier_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct copier *c = (struct copier *)(void *)v;
    (void)region;
    if (a->is_write && a->offset < START)
        c->registers[a->offset / 8] = a->value;
    else if (a->is_write)
        run_copy(c);
    else
        a->value = c->fault.kind;
    return BUS_HANDLED;
}

static const struct field no_fields[] = {FIELD_END};
static const struct vdev_type copier_type = {.name = "copier",
                                             .summary = "copies",
                                             .size = sizeof(struct copier),
                                             .fields = no_fields,
                                             .masters = true,
                                             .ranges = vdev_one_page,
                                             .access = copier_access};

static const struct dma_port *open_copier(const uint8_t *frames)
{
    struct error e = {0};
    world_frames = frames;
    ck_assert(world_try_type(&w, &copier_type, 1, NULL, &e));
    for (uint64_t i = 0; i < WORLD_RAM_SIZE; i++)
        *world_ram(&w, i) = (uint8_t)(i * 7 + (i >> PAGE_BITS));
    return &w.v->dma;
}

static const struct dma_fault *copy(uint64_t from, uint64_t to, uint64_t size)
{
    put_as(&w, 0, 0, FROM, 8, from);
    put_as(&w, 0, 0, TO, 8, to);
    put_as(&w, 0, 0, SIZE, 8, size);
    put_as(&w, 0, 0, START, 8, 1);
    const struct copier *c = (const struct copier *)(const void *)w.v;
    ck_assert_uint_eq(get_as(&w, 0, 0, REFUSED, 8), c->fault.kind);
    return &c->fault;
}

static void check_fault(const struct dma_fault *f, enum dma_fault_kind kind, uint64_t at,
                        bool is_write)
{
    ck_assert_int_eq(f->kind, kind);
    ck_assert_uint_eq(f->at.v, at);
    ck_assert_int_eq(f->is_write, is_write);
    ck_assert_str_eq(f->where, kind == DMA_FAULT_RANGE ? "the bus" : "the world");
}

START_TEST(bytes_go_through_the_port)
{
    open_copier(scattered);
    uint64_t announced = 0;
    ck_assert_int_eq(copy(WORLD_RAM + 0x8123, WORLD_RAM + 0x0ff1, 0x5a77)->kind, DMA_FAULT_NONE);
    for (uint64_t i = 0; i < WORLD_RAM_SIZE; i++) {
        uint64_t source = i - 0xff1 < 0x5a77 ? i - 0xff1 + 0x8123 : i;
        ck_assert_uint_eq(*world_ram(&w, i), (uint8_t)(source * 7 + (source >> PAGE_BITS)));
    }
    for (unsigned i = 0; i < WORLD_RAM_PAGES; i++)
        announced += w.announced[i];
    ck_assert_uint_eq(announced, 0x5a77);
    world_close(&w);
}
END_TEST

START_TEST(faults_are_values)
{
    uint8_t before[sizeof w.ram];
    open_copier(scattered);
    memcpy(before, w.ram, sizeof before);
    w.pages[10].reads = false;
    w.pages[3].writes = false;
    w.pages[12].is_mapped = false;
    check_fault(copy(WORLD_RAM + 0x9ff8, WORLD_RAM, 16), DMA_FAULT_PERMISSION, WORLD_RAM + 0xa000,
                false);
    check_fault(copy(WORLD_RAM, WORLD_RAM + 0x2ff8, 16), DMA_FAULT_PERMISSION, WORLD_RAM + 0x3000,
                true);
    check_fault(copy(WORLD_RAM + 0xbff8, WORLD_RAM, 16), DMA_FAULT_TRANSLATION, WORLD_RAM + 0xc000,
                false);
    check_fault(copy(WORLD_RAM - 8, WORLD_RAM, 16), DMA_FAULT_TRANSLATION, WORLD_RAM - 8, false);
    check_fault(copy(UINT64_MAX - 7, WORLD_RAM, 16), DMA_FAULT_RANGE, UINT64_MAX - 7, false);
    check_fault(copy(WORLD_RAM, UINT64_MAX - 14, 16), DMA_FAULT_RANGE, UINT64_MAX - 14, true);
    check_fault(copy(UINT64_MAX - 15, WORLD_RAM, 16), DMA_FAULT_TRANSLATION, UINT64_MAX - 15,
                false);
    ck_assert(memcmp(before, w.ram, sizeof before) == 0);
    /* What comes in pieces is done up to the one that is refused. */
    check_fault(copy(WORLD_RAM + 0x8000, WORLD_RAM, 0x3000), DMA_FAULT_PERMISSION,
                WORLD_RAM + 0xa000, false);
    ck_assert(memcmp(world_ram(&w, 0), world_ram(&w, 0x8000), PAGE_SIZE) == 0);
    ck_assert_uint_ne(*world_ram(&w, 0x17ff), before[w.pages[1].frame * PAGE_SIZE + 0x7ff]);
    ck_assert_uint_eq(*world_ram(&w, 0x1800), before[w.pages[1].frame * PAGE_SIZE + 0x800]);
    world_close(&w);
}
END_TEST

START_TEST(sizes_that_cannot_be)
{
    static const struct {
        uint64_t at, size;
        enum dma_fault_kind kind;
    } wrong[] = {
        {WORLD_RAM, 0, DMA_FAULT_RANGE},
        {WORLD_RAM, UINT64_MAX, DMA_FAULT_RANGE},
        {UINT64_MAX, 2, DMA_FAULT_RANGE},
        {1, UINT64_MAX, DMA_FAULT_TRANSLATION}, /* ends with the address space: it is a range */
        {WORLD_RAM, UINT64_MAX - WORLD_RAM + 1, DMA_FAULT_TRANSLATION},
        {WORLD_RAM, (uint64_t)1 << 40, DMA_FAULT_TRANSLATION},
        {WORLD_RAM + 1, WORLD_RAM_SIZE, DMA_FAULT_TRANSLATION},
    };
    const struct dma_port *p = open_copier(scattered);
    for (unsigned i = 0; i < WORLD_RAM_PAGES; i++)
        w.pages[i].writes = true;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct dma_mapping m = {0};
        struct dma_fault f;
        uint8_t byte = 0;
        iova_t at = {wrong[i].at};
        ck_assert(!dma_read(p, at, &byte, wrong[i].size, &f));
        ck_assert_int_eq(f.kind, wrong[i].kind);
        ck_assert(!dma_write(p, at, &byte, wrong[i].size, &f));
        ck_assert_int_eq(f.kind, wrong[i].kind);
        dma_mapping_set(&m, at, wrong[i].size, DMA_READ);
        ck_assert(!dma_mapped_read(&m, p, 0, &byte, 0, &f));
        ck_assert_int_eq(f.kind, DMA_FAULT_RANGE);
        ck_assert(!dma_mapped_read(&m, p, 8, &byte, UINT64_MAX, &f));
        ck_assert_uint_eq(m.span_count, 0);
        /* A range that is not there in whole still is where it is. */
        bool first_is_there = wrong[i].at - WORLD_RAM < WORLD_RAM_SIZE;
        ck_assert(dma_mapped_read(&m, p, 0, &byte, 1, &f) == first_is_there);
    }
    world_close(&w);
}
END_TEST

/* Where pages are neighbours or not; each field at, before and over the borders of pages. */
START_TEST(mapped_fields)
{
    const struct dma_port *p = open_copier(_i ? pairs : scattered);
    struct dma_mapping r = {0}, q = {0};
    struct dma_fault f;
    dma_mapping_set(&r, (iova_t){WORLD_RAM + 0x0f00}, 0x5100, DMA_READ); /* more than it holds */
    dma_mapping_set(&q, (iova_t){WORLD_RAM + 0x0f00}, 0x5100, DMA_WRITE);
    for (uint64_t offset = 0; offset + 8 <= 0x5200; offset += 1) { /* and beyond it */
        uint8_t found[8], expected[8];
        for (unsigned i = 0; i < 8; i++)
            expected[i] = *world_ram(&w, 0xf00 + offset + i);
        ck_assert(dma_mapped_read(&r, p, offset, found, 8, &f));
        ck_assert(memcmp(found, expected, 8) == 0);
        store_le(found, offset * UINT64_C(0x0123456789abcdef), 8);
        ck_assert(dma_mapped_write(&q, p, offset, found, 8, &f));
        for (unsigned i = 0; i < 8; i++)
            ck_assert_uint_eq(*world_ram(&w, 0xf00 + offset + i), found[i]);
    }
    world_close(&w);
}
END_TEST

START_TEST(mappings_last_until_the_generation_changes)
{
    const struct dma_port *p = open_copier(scattered);
    struct dma_mapping m = {0};
    struct dma_fault f;
    uint8_t byte;
    dma_mapping_set(&m, (iova_t){WORLD_RAM + 0x1000}, 0x2000, DMA_READ);
    ck_assert_uint_eq(w.translations, 0);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(dma_mapped_read(&m, p, 0x10 * i, &byte, 1, &f));
    ck_assert_uint_eq(w.translations, 2);
    w.pages[1].frame = w.pages[4].frame;
    w.generation++;
    ck_assert(dma_mapped_read(&m, p, 5, &byte, 1, &f));
    ck_assert_uint_eq(byte, *world_ram(&w, 0x4005));
    w.pages[1].reads = false;
    w.generation++;
    ck_assert(!dma_mapped_read(&m, p, 5, &byte, 1, &f));
    check_fault(&f, DMA_FAULT_PERMISSION, WORLD_RAM + 0x1005, false);
    ck_assert(dma_mapped_read(&m, p, 0x1005, &byte, 1, &f));
    ck_assert_uint_eq(byte, *world_ram(&w, 0x2005));
    world_close(&w);
}
END_TEST

/* A port that has to see all that is read (an exit log is one) gives no spans. */
static size_t map_nothing(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                          struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    (void)p, (void)at, (void)size, (void)kind, (void)spans, (void)room, (void)fault;
    return 0;
}

static unsigned reads;
static bool read_seven(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                       struct dma_fault *fault)
{
    (void)p, (void)from, (void)fault;
    reads++;
    memset(to, 7, (size_t)size);
    return true;
}

START_TEST(a_port_may_want_to_see_each_access)
{
    const struct dma_port p = {.read = read_seven, .map = map_nothing, .generation = &w.generation};
    struct dma_mapping m = {0};
    struct dma_fault f;
    uint8_t byte = 0;
    dma_mapping_set(&m, (iova_t){0}, 64, DMA_READ);
    for (unsigned i = 0; i < 10; i++)
        ck_assert(dma_mapped_read(&m, &p, i, &byte, 1, &f));
    ck_assert_uint_eq(reads, 10);
    ck_assert_uint_eq(byte, 7);
}
END_TEST

START_TEST(faults_in_words)
{
    char text[100];
    const struct dma_fault f = {
        .kind = DMA_FAULT_PERMISSION, .at = {0x1000}, .is_write = true, .where = "stage 2"};
    dma_fault_text(&f, text, sizeof text);
    ck_assert_str_eq(text, "write of iova 0x1000: stage 2 does not permit it");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("dma");
    tcase_add_test(t, bytes_go_through_the_port);
    tcase_add_test(t, faults_are_values);
    tcase_add_test(t, sizes_that_cannot_be);
    tcase_add_loop_test(t, mapped_fields, 0, 2);
    tcase_add_test(t, mappings_last_until_the_generation_changes);
    tcase_add_test(t, a_port_may_want_to_see_each_access);
    tcase_add_test(t, faults_in_words);
    return suite_main("vdev/dma", t);
}
