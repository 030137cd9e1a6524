#include "test_vdev_fixture.h"

struct probe {
    struct vdev v;
    unsigned region;
    struct bus_access last;
    enum bus_answer answer;
};

static enum bus_answer probe_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct probe *p = (struct probe *)(void *)v;
    p->region = region;
    p->last = *a;
    a->value = 0x55;
    return p->answer;
}

static const struct vdev_type probe_type = {.name = "probe", .access = probe_access};

static struct probe probe_at(const char *name, uint64_t base, uint64_t size)
{
    struct probe p = {.v = {.type = &probe_type, .region_count = 1}};
    strncpy(p.v.name, name, sizeof p.v.name - 1);
    p.v.regions[0] = (struct vdev_region){base, size};
    return p;
}

static enum bus_answer read_at(struct bus *bus, uint64_t at, uint8_t size, uint64_t *value)
{
    struct bus_access a = {.value = 0xdead, .size = size};
    enum bus_answer answer = bus_access(bus, (gpa_t){at}, &a);
    *value = a.value;
    return answer;
}

START_TEST(finds_the_device_and_the_offset)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe p[20];
    for (unsigned i = 0; i < 20; i++) /* not in order of address */
        p[i] = probe_at("p", 0x10000u * ((i * 7) % 20 + 1), 0x1000);
    for (unsigned i = 0; i < 20; i++)
        ck_assert(bus_add(&bus, &p[i].v, &e));
    for (unsigned i = 0; i < 20; i++) {
        struct bus_access a = {.value = 9, .size = 4, .is_write = true, .vcpu = 3};
        uint64_t base = p[i].v.regions[0].base;
        ck_assert_int_eq(bus_access(&bus, (gpa_t){base + 0xffc}, &a), BUS_HANDLED);
        ck_assert_uint_eq(p[i].last.offset, 0xffc);
        ck_assert_uint_eq(p[i].last.value, 9);
        ck_assert_uint_eq(p[i].last.vcpu, 3);
        ck_assert_ptr_eq(bus_find(&bus, (gpa_t){base})->vdev, &p[i].v);
        ck_assert_ptr_null(bus_find(&bus, (gpa_t){base - 1}));
        ck_assert_ptr_null(bus_find(&bus, (gpa_t){base + 0x1000}));
    }
    bus_free(&bus);
}
END_TEST

START_TEST(nobody_answers_outside_and_across_the_end)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe p = probe_at("p", 0x1000, 0x1000);
    uint64_t value;
    ck_assert_int_eq(read_at(&bus, 0, 4, &value), BUS_NOBODY);
    ck_assert(bus_add(&bus, &p.v, &e));
    ck_assert_int_eq(read_at(&bus, 0x1ffe, 4, &value), BUS_NOBODY);
    ck_assert_uint_eq(value, 0);
    ck_assert_int_eq(read_at(&bus, 0xffe, 4, &value), BUS_NOBODY);
    ck_assert_int_eq(read_at(&bus, UINT64_MAX, 8, &value), BUS_NOBODY);
    ck_assert_int_eq(read_at(&bus, 0x1ff8, 8, &value), BUS_HANDLED);
    ck_assert_uint_eq(value, 0x55);
    bus_free(&bus);
}
END_TEST

START_TEST(a_refused_read_gives_no_value)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe p = probe_at("p", 0x1000, 0x1000);
    uint64_t value;
    ck_assert(bus_add(&bus, &p.v, &e));
    p.answer = BUS_REFUSED;
    ck_assert_int_eq(read_at(&bus, 0x1000, 4, &value), BUS_REFUSED);
    ck_assert_uint_eq(value, 0);
    bus_free(&bus);
}
END_TEST

START_TEST(regions_of_one_device_are_numbered)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe p = probe_at("p", 0x5000, 0x1000);
    uint64_t value, reads, writes;
    p.v.regions[1] = (struct vdev_region){0x3000, 0x1000};
    p.v.region_count = 2;
    ck_assert(bus_add(&bus, &p.v, &e));
    read_at(&bus, 0x3000, 4, &value);
    ck_assert_uint_eq(p.region, 1);
    read_at(&bus, 0x5000, 4, &value);
    ck_assert_uint_eq(p.region, 0);
    struct bus_access a = {.size = 4, .is_write = true};
    bus_access(&bus, (gpa_t){0x3000}, &a);
    bus_counts(&bus, &p.v, &reads, &writes);
    ck_assert_uint_eq(reads, 2);
    ck_assert_uint_eq(writes, 1);
    bus_free(&bus);
}
END_TEST

static void refused(uint64_t base, uint64_t size)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe a = probe_at("first", 0x2000, 0x1000), b = probe_at("second", base, size);
    ck_assert(bus_add(&bus, &a.v, &e));
    ck_assert(!bus_add(&bus, &b.v, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "first"));
    ck_assert_ptr_nonnull(strstr(e.text, "second"));
    bus_free(&bus);
}

START_TEST(overlap_names_both_devices)
{
    refused(0x2000, 0x1000);
    refused(0x1fff, 2);
    refused(0x2fff, 1);
    refused(0x1000, 0x10000);
    refused(0x2800, 4);
}
END_TEST

START_TEST(a_region_must_fit)
{
    struct bus bus = {0};
    struct error e = {0};
    struct probe empty = probe_at("empty", 0x1000, 0);
    struct probe wraps = probe_at("wraps", UINT64_MAX - 0xfff, 0x1001);
    struct probe last = probe_at("last", UINT64_MAX - 0xfff, 0x1000);
    ck_assert(!bus_add(&bus, &empty.v, &e));
    ck_assert(!bus_add(&bus, &wraps.v, &e));
    ck_assert(bus_add(&bus, &last.v, &e));
    uint64_t value;
    ck_assert_int_eq(read_at(&bus, UINT64_MAX, 1, &value), BUS_HANDLED);
    bus_free(&bus);
}
END_TEST

START_TEST(numbers_as_the_configuration_writes_them)
{
    static const struct {
        const char *text;
        unsigned base;
        uint64_t value;
    } good[] = {{"80000000", 16, 0x80000000},
                {"0x10", 10, 16},
                {"0d10", 16, 10},
                {"4K", 16, 4096},
                {"256M", 16, 1 << 28},
                {"1g", 10, 1 << 30},
                {"ffffffffffffffff", 16, UINT64_MAX}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 0;
        ck_assert(vdev_number(good[i].text, strlen(good[i].text), good[i].base, &value));
        ck_assert_uint_eq(value, good[i].value);
    }
    static const char *const bad[] = {
        "", "K", "0x", "12x", "1ffffffffffffffff", "99999999999999G", "-1", " 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value = 0;
        ck_assert_msg(!vdev_number(bad[i], strlen(bad[i]), 16, &value), "%s", bad[i]);
    }
}
END_TEST

START_TEST(exit_port)
{
    struct world w;
    world_open(&w, "exit", 1, NULL);
    put(&w, 0, 3);
    ck_assert_int_eq(w.exit_status, 35);
    put(&w, 0, 31);
    ck_assert_int_eq(w.exit_status, 63);
    put(&w, 0, 0xffffffff);
    ck_assert_int_eq(w.exit_status, 0);
    ck_assert_uint_eq(get(&w, 0), 0);
    ck_assert_int_eq(try_access(&w, 0, 4, 4, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, 0, 1, true), BUS_NOBODY);
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("bus");
    tcase_add_test(t, finds_the_device_and_the_offset);
    tcase_add_test(t, nobody_answers_outside_and_across_the_end);
    tcase_add_test(t, a_refused_read_gives_no_value);
    tcase_add_test(t, regions_of_one_device_are_numbered);
    tcase_add_test(t, overlap_names_both_devices);
    tcase_add_test(t, a_region_must_fit);
    tcase_add_test(t, numbers_as_the_configuration_writes_them);
    tcase_add_test(t, exit_port);
    return suite_main("vdev/bus", t);
}
