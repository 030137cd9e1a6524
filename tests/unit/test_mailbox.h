/* `vdev mailbox`, which only tests have: it receives frames into the guest's memory, one at a time,
 * and sends them from there. And a board whose guest sends back what it receives, its first byte
 * plus one.
 *
 * This stands for vdev/all.c: a program with it has no other devices than these. */
#ifndef TEST_MAILBOX_H
#define TEST_MAILBOX_H

#include "hv/snapshot/snapshot.h"
#include "test_board_fixture.h"

/* Registers of 4 bytes. */
enum {
    RX_AT = 0x0, /* a write makes room at that guest-physical address for a frame's size (4 bytes,
                    written last) and what it holds */
    TX_AT = 0x4,
    TX_SIZE = 0x8, /* a write sends so many bytes from TX_AT */
};

struct mailbox {
    struct vdev v;
    uint32_t rx_at, tx_at;
    bool has_room;
};

static const struct field mailbox_fields[] = {FIELD(struct mailbox, rx_at),
                                              FIELD(struct mailbox, tx_at),
                                              FIELD(struct mailbox, has_room), FIELD_END};

static bool mailbox_frame(struct vdev *v, const uint8_t *data, size_t size)
{
    struct mailbox *m = (struct mailbox *)(void *)v;
    uint8_t head[4];
    struct dma_fault fault;
    if (!m->has_room)
        return false;
    m->has_room = false;
    store_le(head, size, sizeof head);
    ck_assert(dma_write(&v->dma, (iova_t){m->rx_at + 4}, data, size, &fault));
    ck_assert(dma_write(&v->dma, (iova_t){m->rx_at}, head, sizeof head, &fault));
    return true;
}

static void mailbox_send(struct mailbox *m, size_t size)
{
    static uint8_t frame[VDEV_FRAME_MAX];
    struct dma_fault fault;
    ck_assert(size <= sizeof frame);
    ck_assert(dma_read(&m->v.dma, (iova_t){m->tx_at}, frame, size, &fault));
    m->v.env->send_frame(m->v.env->context, m->v.channel, frame, size);
}

static enum bus_answer mailbox_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct mailbox *m = (struct mailbox *)(void *)v;
    (void)region;
    if (!a->is_write)
        return BUS_NOBODY;
    if (a->offset == RX_AT) {
        m->rx_at = (uint32_t)a->value;
        m->has_room = true;
    } else if (a->offset == TX_AT) {
        m->tx_at = (uint32_t)a->value;
    } else if (a->offset == TX_SIZE) {
        mailbox_send(m, (size_t)a->value);
    }
    return BUS_HANDLED;
}

static const struct vdev_type mailbox_type = {
    .name = "mailbox",
    .summary = "receives and sends frames",
    .size = sizeof(struct mailbox),
    .fields = mailbox_fields,
    .masters = true,
    .ranges = vdev_one_page,
    .access = mailbox_access,
    .frame = mailbox_frame,
};

extern const struct vdev_type gic_type;
const struct vdev_type *const vdev_types[] = {&gic_type, &mailbox_type, NULL};
const struct vdev_type *const vdev_default_pic = &gic_type;

/* x1 = the mailbox, x2 = where frames go. */
static const uint32_t mailbox_guest[] = {
    0xd2a38141, 0xd2a80202,             /* mov x1, #0x1c0a0000; mov x2, #0x40100000 */
    0xb900005f, 0xb9000022,             /* again: str wzr, [x2]; str w2, [x1, #RX_AT] */
    0xb9400043, 0x35000063,             /* wait: ldr w3, [x2]; cbnz w3, got */
    0xd503205f, 0x17fffffd,             /* wfe; b wait */
    0x39401044, 0x11000484, 0x39001044, /* got: ldrb w4, [x2, #4]; add w4, w4, #1; strb */
    0x11001045, 0xb9000425, 0xb9000823, /* add w5, w2, #4; str w5 and w3: TX_AT and TX_SIZE */
    0x17fffff4,                         /* b again */
};
static struct image mailbox_image = {mailbox_guest, sizeof mailbox_guest / sizeof *mailbox_guest};

#define MAILBOX 1 /* its channel: behind the interrupt controller */

static struct vm_config mailbox_config;

static struct board *mailbox_board(struct journal *j, const struct board_sinks *sinks,
                                   bool from_snapshot, struct exit_log *exit_log)
{
    static const char *const text[] = {"ram 0x40000000,4M load 0x40000000,image vdev gic "
                                       "vdev mailbox loc 0x1c0a0000"};
    struct config_reader reader = {0};
    struct error e = {0};
    struct board_options options = {.limit_ns = UINT64_MAX,
                                    .limit_ticks = UINT64_MAX,
                                    .limit_instructions = UINT64_MAX,
                                    .from_snapshot = from_snapshot,
                                    .exit_log = exit_log};
    if (!mailbox_config.vdev_count)
        ck_assert_msg(config_parse(&mailbox_config, text, 1, &reader, &e), "%s", e.text);
    struct board *b = board_new(NULL, &mailbox_config, 1, j, &options, sinks, &e);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

#endif
