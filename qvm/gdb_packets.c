#include "qvm/gdb_packets.h"

#include <string.h>

#include "hv/config_text.h"
#include "qvm/gdb_hex.h"

void packets_free(struct gdb_packets *p)
{
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
    } else if (c == '-' && !p->no_acks) {
        send_again(p);
    } else if (c != '+' && !p->begun) {
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

bool packets_receive(struct gdb_packets *p, struct reader *payload)
{
    for (;;) {
        advance(p, true);
        if (p->part != GDB_WHOLE)
            return false;
        p->part = GDB_BETWEEN;
        *payload = reader_of(p->payload, p->size);
        if (p->size <= sizeof p->payload)
            return true;
        packets_send(p, "E01", 3);
    }
}

bool packets_interrupted(void *packets)
{
    struct gdb_packets *p = packets;
    advance(p, false);
    return p->interrupt || p->ended || p->part == GDB_WHOLE;
}
