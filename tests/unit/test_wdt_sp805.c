/* One clock of the watchdog is 40 ticks at the default 25 MHz. */
#include "test_vdev_fixture.h"

enum {
    LOAD = 0x000,
    VALUE = 0x004,
    CONTROL = 0x008,
    INTCLR = 0x00c,
    RIS = 0x010,
    MIS = 0x014,
    LOCK = 0xc00,
    ITCR = 0xf00,
    ITOP = 0xf04
};
enum { INTEN = 1, RESEN = 2 };
#define CLOCK UINT64_C(40)

static struct world w;

START_TEST(reset_values)
{
    static const uint8_t ids[8] = {0x05, 0x18, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1};
    world_open(&w, "wdt-sp805", 1, NULL);
    ck_assert_uint_eq(w.v->regions[0].base, 0x1c0f0000);
    ck_assert_uint_eq(get(&w, LOAD), 0xffffffff);
    ck_assert_uint_eq(get(&w, VALUE), 0xffffffff);
    ck_assert_uint_eq(get(&w, CONTROL), 0);
    ck_assert_uint_eq(get(&w, RIS), 0);
    ck_assert_uint_eq(get(&w, LOCK), 0);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(&w, 0xfe0 + 4 * i), ids[i]);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    ck_assert_int_eq(try_access(&w, 0, LOAD, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, LOAD, 2, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, LOAD + 2, 4, true), BUS_NOBODY);
    world_close(&w);
}
END_TEST

START_TEST(counts_only_while_enabled)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 100);
    world_advance(&w, 10 * CLOCK);
    ck_assert_uint_eq(get(&w, VALUE), 100);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 10 * CLOCK);
    ck_assert_uint_eq(get(&w, VALUE), 90);
    put(&w, CONTROL, INTEN | RESEN); /* no reload */
    ck_assert_uint_eq(get(&w, VALUE), 90);
    put(&w, CONTROL, 0);
    world_advance(&w, 500 * CLOCK);
    ck_assert_uint_eq(get(&w, VALUE), 90);
    ck_assert_uint_eq(get(&w, RIS), 0);
    put(&w, CONTROL, INTEN); /* reloads */
    ck_assert_uint_eq(get(&w, VALUE), 100);
    put(&w, LOAD, 7); /* restarts at once */
    ck_assert_uint_eq(get(&w, VALUE), 7);
    world_close(&w);
}
END_TEST

START_TEST(first_zero_interrupts)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 100);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 100 * CLOCK - 1);
    ck_assert(!w.irq_level);
    world_advance(&w, 1);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, VALUE), 0);
    ck_assert_uint_eq(get(&w, RIS), 1);
    ck_assert_uint_eq(get(&w, MIS), 1);
    world_advance(&w, CLOCK);
    ck_assert_uint_eq(get(&w, VALUE), 100);
    put(&w, CONTROL, 0);
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, RIS), 1);
    ck_assert_uint_eq(get(&w, MIS), 0);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 50 * CLOCK);
    put(&w, INTCLR, 0);
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, RIS), 0);
    ck_assert_uint_eq(get(&w, VALUE), 100);
    world_close(&w);
}
END_TEST

START_TEST(nothing_bites_without_resen)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 100);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 1000 * CLOCK);
    ck_assert(w.irq_level);
    ck_assert_int_eq(w.exit_status, -1);
    /* It goes on counting, without any event. */
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    ck_assert_uint_eq(get(&w, VALUE), 100 - 1000 % 101);
    /* Enabling the reset late: the next zero bites, not one that was. */
    put(&w, CONTROL, INTEN | RESEN);
    world_advance(&w, (100 - 1000 % 101) * CLOCK - 1);
    ck_assert_int_eq(w.exit_status, -1);
    world_advance(&w, 1);
    ck_assert_int_eq(w.exit_status, 4);
    world_close(&w);
}
END_TEST

/* 75,000,000 clocks of 25 MHz are 3 s: the bite comes after 6 s and one clock. */
START_TEST(second_zero_bites)
{
    const uint64_t second = 1000000000;
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 0x47868c0);
    put(&w, CONTROL, INTEN | RESEN);
    world_advance(&w, 3 * second);
    ck_assert(w.irq_level);
    world_advance(&w, 3 * second);
    ck_assert_int_eq(w.exit_status, -1);
    world_advance(&w, CLOCK);
    ck_assert_int_eq(w.exit_status, 4);
    ck_assert_uint_eq(w.dumps, 0);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    world_close(&w);
}
END_TEST

START_TEST(feeding_keeps_it_quiet)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 100);
    put(&w, CONTROL, INTEN | RESEN);
    for (unsigned i = 0; i < 50; i++) {
        world_advance(&w, 150 * CLOCK);
        ck_assert(w.irq_level);
        put(&w, INTCLR, i);
        ck_assert(!w.irq_level);
    }
    for (unsigned i = 0; i < 50; i++) {
        world_advance(&w, 99 * CLOCK);
        put(&w, LOAD, 100);
    }
    ck_assert_uint_eq(get(&w, RIS), 0);
    ck_assert_int_eq(w.exit_status, -1);
    world_close(&w);
}
END_TEST

START_TEST(a_load_of_zero_is_at_zero_at_once)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOAD, 0);
    ck_assert_uint_eq(get(&w, RIS), 0);
    put(&w, CONTROL, INTEN);
    ck_assert(w.irq_level);
    put(&w, INTCLR, 0);
    ck_assert(w.irq_level);
    put(&w, CONTROL, INTEN | RESEN);
    world_advance(&w, CLOCK);
    ck_assert_int_eq(w.exit_status, 4);
    world_close(&w);
}
END_TEST

START_TEST(lock)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, LOCK, 1);
    ck_assert_uint_eq(get(&w, LOCK), 1);
    put(&w, LOAD, 5);
    put(&w, CONTROL, INTEN);
    put(&w, ITCR, 1);
    ck_assert_uint_eq(get(&w, LOAD), 0xffffffff);
    ck_assert_uint_eq(get(&w, CONTROL), 0);
    ck_assert_uint_eq(get(&w, ITCR), 0);
    put(&w, LOCK, 0x1acce551);
    ck_assert_uint_eq(get(&w, LOCK), 0);
    put(&w, LOAD, 5);
    ck_assert_uint_eq(get(&w, LOAD), 5);
    world_close(&w);
}
END_TEST

START_TEST(integration_test)
{
    world_open(&w, "wdt-sp805", 1, NULL);
    put(&w, ITOP, 3); /* nothing before test mode is on */
    ck_assert(!w.irq_level);
    put(&w, ITOP, 2);
    put(&w, ITCR, 1);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, RIS), 0);
    ck_assert_int_eq(w.exit_status, -1);
    put(&w, ITOP, 0);
    ck_assert(!w.irq_level);
    put(&w, ITOP, 1);
    ck_assert_int_eq(w.exit_status, 4);
    put(&w, ITCR, 0);
    ck_assert(!w.irq_level);
    world_close(&w);
}
END_TEST

static void starve(const char *const *options)
{
    world_open(&w, "wdt-sp805", 1, options);
    put(&w, LOAD, 100);
    put(&w, CONTROL, INTEN | RESEN);
    world_advance(&w, 150 * CLOCK);
    ck_assert_uint_eq(w.irq_changes, 1);
    world_advance(&w, 51 * CLOCK);
}

START_TEST(fiq_is_an_edge)
{
    starve((const char *[]){"action", "fiq", NULL});
    ck_assert_int_eq(w.exit_status, -1);
    ck_assert_uint_eq(w.irq_changes, 3); /* down and up */
    ck_assert(w.irq_level);
    world_advance(&w, 1000 * CLOCK); /* one bite */
    ck_assert_uint_eq(w.irq_changes, 3);
    put(&w, INTCLR, 0);
    ck_assert(!w.irq_level);
    world_advance(&w, 201 * CLOCK); /* and after feeding and starving, another */
    ck_assert_uint_eq(w.irq_changes, 7);
    ck_assert_uint_eq(w.dumps, 0);
    world_close(&w);
}
END_TEST

/* That it has bitten is state. */
START_TEST(one_bite_over_a_restore)
{
    static struct world next;
    struct bytes saved = {0};
    starve((const char *[]){"action", "fiq", NULL});
    world_save(&w, &saved);
    world_open(&next, "wdt-sp805", 1, (const char *[]){"action", "fiq", NULL});
    struct reader in = reader_of(saved.data, saved.size);
    next.vtime = w.vtime;
    ck_assert(world_restore(&next, &in));
    next.v->type->restored(next.v);
    ck_assert(next.irq_level);
    put(&next, CONTROL, INTEN | RESEN); /* looks for the next zero */
    world_advance(&next, 1000 * CLOCK);
    ck_assert_uint_eq(next.irq_changes, 1);
    bytes_free(&saved);
    world_close(&next);
    world_close(&w);
}
END_TEST

START_TEST(dumps_come_first)
{
    starve((const char *[]){"action", "dump,terminate", NULL});
    ck_assert_uint_eq(w.dumps, 1);
    ck_assert_int_eq(w.exit_status, 4);
    world_close(&w);
    starve((const char *[]){"action", "dump,fiq", NULL});
    ck_assert_uint_eq(w.dumps, 1);
    ck_assert_int_eq(w.exit_status, -1);
    world_close(&w);
}
END_TEST

START_TEST(frequency)
{
    world_open(&w, "wdt-sp805", 1, (const char *[]){"frequency", "32768", NULL});
    put(&w, LOAD, 32768);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 999999999);
    ck_assert(!w.irq_level);
    world_advance(&w, 1);
    ck_assert(w.irq_level);
    world_close(&w);
    /* Faster than the board itself: time still moves. */
    world_open(&w, "wdt-sp805", 1, (const char *[]){"frequency", "1000000000", NULL});
    w.vtime.rate_hz = 1000;
    put(&w, LOAD, 0);
    put(&w, CONTROL, INTEN | RESEN);
    world_advance(&w, 1);
    ck_assert_int_eq(w.exit_status, 4);
    world_close(&w);
}
END_TEST

static void refused(const char *name, const char *value, const char *why)
{
    struct error e = {0};
    ck_assert(!world_try(&w, "wdt-sp805", 1, (const char *[]){name, value, NULL}, &e));
    ck_assert_str_eq(e.text, why);
    free(w.v);
}

START_TEST(wrong_options)
{
    static const char actions[] =
        "[test:1] vdev wdt-sp805: action '%s' is none of terminate, fiq, dump,terminate and "
        "dump,fiq";
    static const char *const wrong[] = {"dump", "dump,", "reset", "", "fiq,dump", "terminate,fiq"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, actions, wrong[i]);
        refused("action", wrong[i], text);
    }
    refused("frequency", "fast", "[test:1] vdev wdt-sp805: frequency fast is not a number");
    refused("frequency", "0",
            "[test:1] vdev wdt-sp805: the frequency 0 is not in the range 1 to 1000000000 Hz");
    refused("frequency", "4294967297",
            "[test:1] vdev wdt-sp805: the frequency 4294967297 is not in the range 1 to 1000000000 "
            "Hz");
}
END_TEST

START_TEST(description)
{
    struct tree_text t;
    char status[64];
    world_open(&w, "wdt-sp805", 1, (const char *[]){"frequency", "1000000", NULL});
    tree_of(w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "watchdog-clock-1c0f0000 {\ncompatible = fixed-clock\n"
                                         "#clock-cells = <0>\nclock-frequency = <f4240>\n"
                                         "phandle = <10>\n}\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "compatible = arm,sp805, arm,primecell\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "interrupts = <0 5 4>\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "clocks = <10 2>\nclock-names = wdog_clk, apb_pclk\n"));
    w.v->type->status(w.v, status, sizeof status);
    ck_assert_str_eq(status, "stopped");
    put(&w, LOAD, 1000);
    put(&w, CONTROL, INTEN);
    world_advance(&w, 1500000);
    w.v->type->status(w.v, status, sizeof status);
    ck_assert_str_eq(status, "at 501 of 1000, interrupt raised");
    w.v->irq.set = NULL; /* no `intr` */
    tree_of(w.v, &t);
    ck_assert_ptr_null(strstr(t.text, "interrupts"));
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("wdt-sp805");
    tcase_add_test(t, reset_values);
    tcase_add_test(t, counts_only_while_enabled);
    tcase_add_test(t, first_zero_interrupts);
    tcase_add_test(t, nothing_bites_without_resen);
    tcase_add_test(t, second_zero_bites);
    tcase_add_test(t, feeding_keeps_it_quiet);
    tcase_add_test(t, a_load_of_zero_is_at_zero_at_once);
    tcase_add_test(t, lock);
    tcase_add_test(t, integration_test);
    tcase_add_test(t, fiq_is_an_edge);
    tcase_add_test(t, one_bite_over_a_restore);
    tcase_add_test(t, dumps_come_first);
    tcase_add_test(t, frequency);
    tcase_add_test(t, wrong_options);
    tcase_add_test(t, description);
    return suite_main("vdev/wdt_sp805", t);
}
