#include "test_vdev_fixture.h"

enum {
    DR = 0x000,
    RSR = 0x004,
    FR = 0x018,
    ILPR = 0x020,
    IBRD = 0x024,
    FBRD = 0x028,
    LCR_H = 0x02c,
    CR = 0x030,
    IFLS = 0x034,
    IMSC = 0x038,
    RIS = 0x03c,
    MIS = 0x040,
    ICR = 0x044,
    DMACR = 0x048,
};
enum { RXFE = 1 << 4, TXFF = 1 << 5, RXFF = 1 << 6, TXFE = 1 << 7 };
enum { RX = 1 << 4, TX = 1 << 5, RT = 1 << 6, BE = 1 << 9, OE = 1 << 10 };

static struct world w;

static void open_uart(void)
{
    world_open(&w, "pl011", 1, NULL);
}

static void close_uart(void)
{
    world_close(&w);
}

static size_t push(const char *s)
{
    return w.v->type->input(w.v, 0, (const uint8_t *)s, strlen(s));
}

START_TEST(after_reset)
{
    open_uart();
    ck_assert_uint_eq(get(&w, CR), 0x300);
    ck_assert_uint_eq(get(&w, IFLS), 0x12);
    ck_assert_uint_eq(get(&w, IMSC), 0);
    ck_assert_uint_eq(get(&w, RIS), 0);
    ck_assert_uint_eq(get(&w, FR), TXFE | RXFE | 7); /* CTS, DSR, DCD */
    ck_assert_uint_eq(get(&w, DR), 0);
    static const uint8_t ids[8] = {0x11, 0x10, 0x34, 0, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(&w, 0xfe0 + 4 * i), ids[i]);
    close_uart();
}
END_TEST

START_TEST(registers_keep_their_bits)
{
    static const struct {
        uint64_t offset, bits;
    } registers[] = {{ILPR, 0xff}, {IBRD, 0xffff}, {FBRD, 0x3f},  {LCR_H, 0xff},
                     {CR, 0xff87}, {IFLS, 0x3f},   {IMSC, 0x7ff}, {DMACR, 7}};
    open_uart();
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
        put(&w, registers[i].offset, 0xffffffff);
        ck_assert_uint_eq(get(&w, registers[i].offset), registers[i].bits);
        put(&w, registers[i].offset, 0);
        ck_assert_uint_eq(get(&w, registers[i].offset), 0);
    }
    put(&w, RIS, 0xffff); /* read-only */
    put(&w, FR, 0);
    ck_assert_uint_eq(get(&w, FR) & TXFE, TXFE);
    close_uart();
}
END_TEST

START_TEST(sends_at_once_in_any_width)
{
    open_uart();
    put_as(&w, 0, 0, DR, 4, 'a');
    put_as(&w, 0, 0, DR, 2, 'b');
    put_as(&w, 0, 0, DR, 1, 'c');
    ck_assert_uint_eq(w.output_size, 3);
    ck_assert_mem_eq(w.output, "abc", 3);
    ck_assert_uint_eq(get_as(&w, 0, 0, FR, 2) & (TXFF | TXFE), TXFE);
    ck_assert_int_eq(try_access(&w, 0, DR, 8, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, DR + 1, 1, true), BUS_NOBODY);
    close_uart();
}
END_TEST

/* A driver unmasks TX and waits for the interrupt; each write goes through the trigger level. */
START_TEST(transmit_interrupt)
{
    open_uart();
    put(&w, IMSC, TX);
    ck_assert(!w.irq_level); /* no transition yet */
    put(&w, DR, 'a');
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, MIS), TX);
    put(&w, ICR, TX);
    ck_assert(!w.irq_level);
    put(&w, DR, 'b');
    ck_assert(w.irq_level);
    put(&w, IMSC, 0);
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, RIS), TX);
    close_uart();
}
END_TEST

START_TEST(one_character_without_fifo)
{
    open_uart();
    put(&w, IMSC, RX);
    ck_assert_uint_eq(push("xyz"), 1);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, FR) & (RXFE | RXFF), RXFF);
    ck_assert_uint_eq(push("yz"), 0);
    ck_assert_uint_eq(get(&w, DR), 'x');
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, FR) & (RXFE | RXFF), RXFE);
    close_uart();
}
END_TEST

START_TEST(fifo_level_interrupt)
{
    static const unsigned levels[5] = {4, 8, 16, 24, 28};
    for (unsigned i = 0; i < 5; i++) {
        open_uart();
        put(&w, LCR_H, 0x70);
        put(&w, IFLS, i << 3);
        put(&w, IMSC, RX);
        for (unsigned n = 1; n <= 32; n++) {
            ck_assert_uint_eq(push("q"), 1);
            ck_assert_int_eq(w.irq_level, n >= levels[i]);
        }
        ck_assert_uint_eq(push("q"), 0);
        ck_assert_uint_eq(get(&w, RIS) & OE, 0); /* the host keeps what does not fit */
        for (unsigned n = 32; n-- > 0;) {
            ck_assert_uint_eq(get(&w, DR), 'q');
            ck_assert_int_eq(w.irq_level, n >= levels[i]);
        }
        close_uart();
    }
}
END_TEST

START_TEST(characters_come_in_order)
{
    open_uart();
    put(&w, LCR_H, 0x70);
    unsigned next = 0;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 13; i++) {
            uint8_t c = (uint8_t)(round * 13 + i);
            ck_assert_uint_eq(w.v->type->input(w.v, 0, &c, 1), 1);
        }
        for (unsigned i = 0; i < 13; i++)
            ck_assert_uint_eq(get(&w, DR), next++ & 0xff);
    }
    close_uart();
}
END_TEST

/* At 115200 baud 32 bit periods are 277.7 us. */
START_TEST(receive_timeout)
{
    open_uart();
    put(&w, IBRD, 13);
    put(&w, FBRD, 1);
    put(&w, LCR_H, 0x70);
    put(&w, IMSC, RT | RX);
    push("a");
    world_advance(&w, 200000);
    ck_assert(!w.irq_level);
    push("b"); /* starts the period again */
    world_advance(&w, 277000);
    ck_assert(!w.irq_level);
    world_advance(&w, 1000);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, MIS), RT);
    get(&w, DR);
    ck_assert(w.irq_level); /* until it is empty */
    get(&w, DR);
    ck_assert(!w.irq_level);
    push("c");
    get(&w, DR); /* read in time */
    world_advance(&w, 1000000);
    ck_assert(!w.irq_level);
    close_uart();
}
END_TEST

START_TEST(receive_timeout_cleared_with_data_left_comes_again)
{
    open_uart();
    put(&w, LCR_H, 0x70);
    put(&w, IMSC, RT);
    push("a");
    world_advance(&w, 1000000);
    ck_assert(w.irq_level);
    put(&w, ICR, RT);
    ck_assert(!w.irq_level);
    world_advance(&w, 1000000);
    ck_assert(w.irq_level);
    close_uart();
}
END_TEST

START_TEST(nothing_is_received_when_disabled)
{
    open_uart();
    put(&w, CR, 0x101);
    ck_assert_uint_eq(push("a"), 0);
    put(&w, CR, 0x301);
    ck_assert_uint_eq(push("a"), 1);
    close_uart();
}
END_TEST

START_TEST(loopback_and_overrun)
{
    open_uart();
    put(&w, LCR_H, 0x70);
    put(&w, CR, 0x381);
    ck_assert_uint_eq(push("a"), 0); /* the pin is not listened to */
    for (unsigned i = 0; i < 33; i++)
        put(&w, DR, i);
    ck_assert_uint_eq(w.output_size, 0);
    ck_assert_uint_eq(get(&w, RSR), 8);
    ck_assert_uint_eq(get(&w, RIS) & OE, OE);
    ck_assert_uint_eq(get(&w, DR), 0x800); /* character 0, and one was lost */
    put(&w, DR, 99);
    ck_assert_uint_eq(get(&w, DR), 1); /* there was room again */
    put(&w, RSR, 0);
    ck_assert_uint_eq(get(&w, RSR), 0);
    put(&w, ICR, OE);
    ck_assert_uint_eq(get(&w, RIS) & OE, 0);
    close_uart();
}
END_TEST

START_TEST(loopback_of_break_and_modem_lines)
{
    open_uart();
    put(&w, CR, 0x381);
    ck_assert_uint_eq(get(&w, FR) & 0x107, 0);
    ck_assert_uint_eq(get(&w, RIS) & 15, 0xe); /* CTS, DCD and DSR changed */
    put(&w, ICR, 0x7ff);
    put(&w, CR, 0x381 | 1 << 11 | 1 << 13);
    ck_assert_uint_eq(get(&w, FR) & 0x107, 0x101); /* RTS to CTS, Out2 to RI */
    ck_assert_uint_eq(get(&w, RIS), 3);
    put(&w, LCR_H, 0x01);
    ck_assert_uint_eq(get(&w, RIS) & BE, BE);
    ck_assert_uint_eq(get(&w, DR), 0x400);
    ck_assert_uint_eq(get(&w, RSR), 4);
    close_uart();
}
END_TEST

START_TEST(a_break_comes_in_its_turn)
{
    open_uart();
    put(&w, LCR_H, 0x70);
    put(&w, IMSC, BE);
    push("a");
    ck_assert(!w.irq_level);
    w.v->type->line_break(w.v);
    push("b");
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, RIS) & BE, BE);
    ck_assert_uint_eq(get(&w, DR), 'a');
    ck_assert_uint_eq(get(&w, RSR), 0);
    ck_assert_uint_eq(get(&w, DR), 0x400);
    ck_assert_uint_eq(get(&w, RSR), 4);
    ck_assert_uint_eq(get(&w, DR), 'b');
    put(&w, ICR, BE);
    ck_assert(!w.irq_level);
    put(&w, CR, 0x101); /* the receiver is off */
    w.v->type->line_break(w.v);
    put(&w, CR, 0x381); /* the pin is not listened to */
    w.v->type->line_break(w.v);
    ck_assert_uint_eq(get(&w, FR) & RXFE, RXFE);
    close_uart();
}
END_TEST

START_TEST(switching_the_fifo_empties_it)
{
    open_uart();
    put(&w, LCR_H, 0x70);
    push("abc");
    put(&w, LCR_H, 0x60);
    ck_assert_uint_eq(get(&w, FR) & (RXFE | RXFF), RXFE);
    world_advance(&w, 10000000);
    ck_assert_uint_eq(get(&w, RIS), 0);
    close_uart();
}
END_TEST

START_TEST(device_tree)
{
    struct tree_text t;
    open_uart();
    tree_of(w.v, &t);
    ck_assert_str_eq(t.text, "serial@1c090000 {\n"
                             "compatible = arm,pl011, arm,primecell\n"
                             "reg = <0 1c090000 0 1000>\n"
                             "interrupt-parent = <1>\n"
                             "interrupts = <0 5 4>\n"
                             "clocks = <2 2>\n"
                             "clock-names = uartclk, apb_pclk\n"
                             "}\n");
    close_uart();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pl011");
    tcase_add_test(t, after_reset);
    tcase_add_test(t, registers_keep_their_bits);
    tcase_add_test(t, sends_at_once_in_any_width);
    tcase_add_test(t, transmit_interrupt);
    tcase_add_test(t, one_character_without_fifo);
    tcase_add_test(t, fifo_level_interrupt);
    tcase_add_test(t, characters_come_in_order);
    tcase_add_test(t, receive_timeout);
    tcase_add_test(t, receive_timeout_cleared_with_data_left_comes_again);
    tcase_add_test(t, nothing_is_received_when_disabled);
    tcase_add_test(t, loopback_and_overrun);
    tcase_add_test(t, loopback_of_break_and_modem_lines);
    tcase_add_test(t, a_break_comes_in_its_turn);
    tcase_add_test(t, switching_the_fifo_empties_it);
    tcase_add_test(t, device_tree);
    return suite_main("vdev/pl011", t);
}
