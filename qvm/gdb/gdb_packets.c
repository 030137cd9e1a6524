/* Until both sides agree to leave acknowledgements out, whoever hears nothing for a while says so
 * again: gdb repeats its packet when no + comes, and sends - when no answer does ("Packet
 * Acknowledgment"). By the time we read that, several of these may have come, and the answer to the
 * first serves them all: a second one would be taken for the answer to the next packet. */
#include "qvm/gdb/gdb_packets.h"

#include <string.h>

#include "emu/text.h"
#include "qvm/gdb/gdb_hex.h"

#define LOOK_NS UINT64_C(20000000) /* between two looks at the link while the target works */

void packets_free(struct gdb_packets *p)
{
    bytes_free(&p->received);
    bytes_free(&p->sent);
}

static void write_text(struct gdb_packets *p, const char *text)
{
    p->link->write(p->link->context, text, strlen(text));
}

static void send_again(struct gdb_packets *p)
{
    p->link->write(p->link->context, p->sent.data, p->sent.size);
}

void packets_send(struct gdb_packets *p, const void *payload, size_t size)
{
    const uint8_t *from = payload;
    uint8_t sum = 0;
    bytes_clear(&p->sent);
    text_put(&p->sent, "$");
    for (size_t i = 0; i < size; i++) {
        uint8_t c = from[i];
        if (c == '$' || c == '#' || c == '}' || c == '*') {
            text_put(&p->sent, "}");
            sum = (uint8_t)(sum + '}');
            c ^= 0x20;
        }
        bytes_put(&p->sent, &c, 1);
        sum = (uint8_t)(sum + c);
    }
    text_put(&p->sent, "#");
    hex_put(&p->sent, &sum, 1);
    p->unacknowledged = !p->no_acks;
    send_again(p);
}

/* Receiving ---------------------------------------------------------------------------------------
 */

static void give_up(struct gdb_packets *p)
{
    p->ended = true;
    p->input_at = p->input_size;
}

static void between(struct gdb_packets *p, uint8_t c)
{
    if (c == '$') {
        p->begun = true;
        p->part = GDB_PAYLOAD;
        p->size = 0;
        p->sum = 0;
    } else if (c == 3) {
        p->interrupt = true;
    } else if (c == '+') {
        p->acknowledges = true;
        p->unacknowledged = false;
    } else if (c == '-') {
        if (p->unacknowledged)
            send_again(p);
    } else if (!p->begun) {
        give_up(p); /* a web page must not talk to it, with a request whose body has packets */
    }
}

static void append(struct gdb_packets *p, uint8_t c)
{
    if (p->size < sizeof p->payload)
        p->payload[p->size] = c;
    if (p->size <= sizeof p->payload)
        p->size++;
}

/* A payload has no $ or # but these: others are escaped. */
static void inside(struct gdb_packets *p, uint8_t c)
{
    if (c == '$') { /* the end of the one before got lost */
        between(p, c);
        return;
    }
    if (c == '#') {
        p->part = GDB_SUM_HIGH;
        return;
    }
    p->sum = (uint8_t)(p->sum + c);
    if (p->part == GDB_ESCAPED) {
        append(p, c ^ 0x20);
        p->part = GDB_PAYLOAD;
    } else if (c == '}') {
        p->part = GDB_ESCAPED;
    } else {
        append(p, c);
    }
}

static void at_end(struct gdb_packets *p, uint8_t low)
{
    int digit = hex_digit(low);
    bool good = digit >= 0 && (p->sum_wanted | digit) == p->sum;
    p->part = good ? GDB_WHOLE : GDB_BETWEEN;
    if (good && !p->met)
        p->link->met(p->link->context);
    p->met |= good;
    if (!p->no_acks)
        write_text(p, good ? "+" : "-");
}

static void take(struct gdb_packets *p, uint8_t c)
{
    switch (p->part) {
    case GDB_BETWEEN:
    case GDB_WHOLE:
        between(p, c);
        break;
    case GDB_PAYLOAD:
    case GDB_ESCAPED:
        inside(p, c);
        break;
    case GDB_SUM_HIGH:
        p->part = hex_digit(c) < 0 ? GDB_BETWEEN : GDB_SUM_LOW;
        p->sum_wanted = (uint8_t)(hex_digit(c) * 16);
        break;
    case GDB_SUM_LOW:
        at_end(p, c);
        break;
    }
}

/* Goes on until a packet is whole or, without `wait`, there is nothing more. */
static void advance(struct gdb_packets *p, bool wait)
{
    while (p->part != GDB_WHOLE) {
        if (p->input_at == p->input_size) {
            p->input_at = 0;
            p->input_size = p->ended ? 0
                                     : p->link->read(p->link->context, p->input, sizeof p->input,
                                                     wait, &p->ended);
            if (p->input_size == 0)
                return;
        }
        take(p, p->input[p->input_at++]);
    }
}

static bool is_too_long(const struct gdb_packets *p)
{
    return p->size > sizeof p->payload;
}

/* Is the one that came the one before, once more? */
static bool is_repeated(const struct gdb_packets *p)
{
    return !p->no_acks && !is_too_long(p) && p->size == p->received.size &&
           (p->size == 0 || memcmp(p->payload, p->received.data, p->size) == 0);
}

/* The packet that came is the one in work. What was sent before it did arrive. */
static void begin_work(struct gdb_packets *p)
{
    p->part = GDB_BETWEEN;
    p->interrupt = p->unacknowledged = false;
    bytes_clear(&p->received);
    bytes_put(&p->received, p->payload, is_too_long(p) ? 0 : p->size);
}

/* What came meanwhile: its repetitions. Another packet stays for later. */
static void drop_repetitions(struct gdb_packets *p)
{
    for (advance(p, false); p->part == GDB_WHOLE && is_repeated(p); advance(p, false))
        p->part = GDB_BETWEEN;
}

/* Repeated while the answer was on its way. A peer that never acknowledges anything may as well
 * mean another. */
static bool is_answered(const struct gdb_packets *p)
{
    return p->acknowledges && p->unacknowledged && is_repeated(p);
}

bool packets_receive(struct gdb_packets *p, struct reader *payload)
{
    for (;;) {
        advance(p, true);
        if (p->part != GDB_WHOLE)
            return false;
        if (is_answered(p)) {
            p->part = GDB_BETWEEN;
            continue;
        }
        bool too_long = is_too_long(p);
        begin_work(p);
        if (!p->no_acks)
            drop_repetitions(p);
        *payload = reader_of(p->received.data, p->received.size);
        if (!too_long)
            return true;
        packets_send(p, "E01", 3);
    }
}

bool packets_pending(const struct gdb_packets *p)
{
    return p->part == GDB_WHOLE;
}

bool packets_interrupted(struct gdb_packets *p)
{
    uint64_t now = p->link->now_ns(p->link->context);
    if (now - p->looked_ns >= LOOK_NS) {
        p->looked_ns = now;
        advance(p, false);
    }
    return p->interrupt || p->ended || packets_pending(p);
}
