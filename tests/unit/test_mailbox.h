/* `vdev mailbox`, which only tests have: it receives frames into the guest's memory, one at a time,
 * and sends them from there; and it reads a host file by blocks. And a board with one, and
 * its recording.
 *
 * This stands for vdev/all.c: a program with it has no other devices than these. */
#ifndef TEST_MAILBOX_H
#define TEST_MAILBOX_H

#include "emu/trace.h"
#include "hv/exitlog/exit_log.h"
#include "hv/snapshot/snapshot.h"
#include "test_board_fixture.h"

/* Registers of 4 bytes. */
enum {
    RX_AT = 0x0, /* a write makes room at that guest-physical address for a frame's size (4 bytes,
                    written last) and what it holds */
    TX_AT = 0x4,
    TX_SIZE = 0x8, /* a write sends so many bytes from TX_AT */
    BLOCK = 0xc, /* a write of N reads block N of `file` to TX_AT; a read: there is such a block */
};
#define BLOCK_SIZE 4096

struct mailbox {
    struct vdev v;
    uint32_t rx_at, tx_at;
    bool has_room, has_block;
    const char *file; /* NULL: none */
    uint64_t file_size;
};

static const struct field mailbox_fields[] = {
    FIELD(struct mailbox, rx_at), FIELD(struct mailbox, tx_at), FIELD(struct mailbox, has_room),
    FIELD(struct mailbox, has_block), FIELD_END};

static bool mailbox_create(struct vdev *v, struct error *e)
{
    struct mailbox *m = (struct mailbox *)(void *)v;
    const struct vdev_option *o = vdev_option_find(v, "file");
    m->file = o ? o->value : NULL;
    return !o || v->env->open_file(v->env->context, o->value, &m->file_size, e);
}

static void mailbox_read(struct mailbox *m, uint64_t block)
{
    static uint8_t data[BLOCK_SIZE];
    const struct vdev_env *env = m->v.env;
    struct dma_fault fault;
    m->has_block =
        m->file && block < m->file_size / BLOCK_SIZE &&
        env->read_file(env->context, m->v.channel, m->file, block * BLOCK_SIZE, data, sizeof data);
    if (m->has_block)
        ck_assert(dma_write(&m->v.dma, (iova_t){m->tx_at}, data, sizeof data, &fault));
}

static bool mailbox_frame(struct vdev *v, const struct vdev_frame *frame)
{
    struct mailbox *m = (struct mailbox *)(void *)v;
    uint8_t head[4];
    struct dma_fault fault;
    if (!m->has_room)
        return false;
    m->has_room = false;
    store_le(head, frame->size, sizeof head);
    ck_assert(dma_write(&v->dma, (iova_t){m->rx_at + 4}, frame->data, frame->size, &fault));
    ck_assert(dma_write(&v->dma, (iova_t){m->rx_at}, head, sizeof head, &fault));
    return true;
}

static void mailbox_send(struct mailbox *m, size_t size)
{
    static uint8_t frame[VDEV_FRAME_MAX];
    struct dma_fault fault;
    ck_assert(size <= sizeof frame);
    ck_assert(dma_read(&m->v.dma, (iova_t){m->tx_at}, frame, size, &fault));
    m->v.env->send_frame(m->v.env->context, m->v.channel,
                         &(struct vdev_frame){.data = frame, .size = size});
}

static enum bus_answer mailbox_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct mailbox *m = (struct mailbox *)(void *)v;
    (void)region;
    if (!a->is_write) {
        a->value = a->offset == BLOCK && m->has_block;
    } else if (a->offset == RX_AT) {
        m->rx_at = (uint32_t)a->value;
        m->has_room = true;
    } else if (a->offset == TX_AT) {
        m->tx_at = (uint32_t)a->value;
    } else if (a->offset == TX_SIZE) {
        mailbox_send(m, (size_t)a->value);
    } else if (a->offset == BLOCK) {
        mailbox_read(m, a->value);
    }
    return BUS_HANDLED;
}

static const struct vdev_option_type mailbox_options[] = {
    {"file", "PATH", NULL, "what blocks are read of", false, false},
    {"peer", "PATH", NULL, "the other end of its link", false, false},
    VDEV_OPTIONS_END};

static const struct vdev_type mailbox_type = {
    .name = "mailbox",
    .summary = "receives and sends frames",
    .size = sizeof(struct mailbox),
    .fields = mailbox_fields,
    .masters = true,
    .options = mailbox_options,
    .create = mailbox_create,
    .ranges = vdev_one_page,
    .access = mailbox_access,
    .frame = mailbox_frame,
};

extern const struct vdev_type gic_type;
const struct vdev_type *const vdev_types[] = {&gic_type, &mailbox_type, NULL};

#define MAILBOX 1 /* its channel: behind the interrupt controller */

static struct vm_config mailbox_config;

/* `words`: more of its configuration. */
static inline struct board *mailbox_board(const char *words, struct journal *j,
                                          const struct board_sinks *sinks, bool from_snapshot,
                                          struct exit_log *exit_log)
{
    const char *const text[] = {"ram 0x40000000,4M load 0x40000000,image vdev gic "
                                "vdev mailbox loc 0x1c0a0000",
                                words};
    struct config_reader reader = {0};
    struct error e = {0};
    struct board_options options = {BOARD_NO_LIMITS, .from_snapshot = from_snapshot,
                                    .exit_log = exit_log};
    if (!mailbox_config.vdev_count)
        ck_assert_msg(config_parse(&mailbox_config, text, 2, &reader, &e), "%s", e.text);
    struct board *b = board_new(NULL, &mailbox_config, 1, j, &options, sinks, &e);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

/* Its recording, as a file and back. */
static inline struct bytes trace_of(const struct journal *j)
{
    struct trace_writer w;
    struct error e = {0};
    struct bytes file = {0};
    ck_assert(trace_writer_begin(&w, (struct trace_sink){.write = append, .context = &file}, 0));
    ck_assert(trace_write_config(&w, &(struct trace_text){"a", "x"}, 1));
    ck_assert_msg(trace_record_step(&w, j, &e), "%s", e.text);
    ck_assert(trace_writer_finish(&w));
    return file;
}

static inline struct journal journal_of(const struct bytes *file)
{
    struct trace t;
    struct journal j;
    struct error e = {0};
    ck_assert_msg(trace_parse(&t, file->data, file->size, NULL, &e), "%s", e.text);
    trace_into_journal(&t, &j);
    trace_free(&t);
    return j;
}

/* Of exits that are played. */
static inline void no_difference(void *context, const struct exit_log_difference *d)
{
    (void)context;
    ck_abort_msg("instruction %llu: %s", (unsigned long long)d->instructions,
                 d->what ? d->what : "something else");
}

#endif
