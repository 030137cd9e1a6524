/* `vdev virtio-blk`: a disk (virtio 1.2, section 5.2), with one queue of requests, which are done
 * in order and at once: what a request costs is the guest's instructions, and the disk has no time
 * of its own. A long one is done in pieces, with a pause between them in which the guest runs. */
#include "vdev/virtio/virtio_mmio.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"
#include "vdev/disk/disk.h"

enum { REQUESTS, QUEUES };
enum { QUEUE_SIZE = 256, PIECE = 128 << 10, BYTES_PER_CALL = 1 << 20 };

/* 5.2.3 */
#define VIRTIO_BLK_F_SEG_MAX      (UINT64_C(1) << 2)
#define VIRTIO_BLK_F_RO           (UINT64_C(1) << 5)
#define VIRTIO_BLK_F_BLK_SIZE     (UINT64_C(1) << 6)
#define VIRTIO_BLK_F_FLUSH        (UINT64_C(1) << 9)
#define VIRTIO_BLK_F_TOPOLOGY     (UINT64_C(1) << 10)
#define VIRTIO_BLK_F_DISCARD      (UINT64_C(1) << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES (UINT64_C(1) << 14)

/* 5.2.4, struct virtio_blk_config */
enum {
    CONFIG_CAPACITY = 0,
    CONFIG_SEG_MAX = 12,
    CONFIG_BLK_SIZE = 20,
    CONFIG_PHYSICAL_BLOCK_EXP = 24,
    CONFIG_MIN_IO_SIZE = 26,
    CONFIG_MAX_DISCARD_SECTORS = 36,
    CONFIG_MAX_DISCARD_SEG = 40,
    CONFIG_DISCARD_SECTOR_ALIGNMENT = 44,
    CONFIG_MAX_WRITE_ZEROES_SECTORS = 48,
    CONFIG_MAX_WRITE_ZEROES_SEG = 52,
    CONFIG_WRITE_ZEROES_MAY_UNMAP = 56,
    CONFIG_SIZE = 60,
};
enum { BLOCK_SECTORS = 8, CLEAR_SECTORS_MAX = 1 << 16, CLEAR_SEGMENTS_MAX = 16 };

/* 5.2.6: a request is a header that the device reads, data, and a status that it writes. */
enum { HEADER_SIZE = 16, SEGMENT_SIZE = 16, ID_SIZE = 20, SEGMENT_UNMAP = 1 };
enum {
    VIRTIO_BLK_T_IN = 0,
    VIRTIO_BLK_T_OUT = 1,
    VIRTIO_BLK_T_FLUSH = 4,
    VIRTIO_BLK_T_GET_ID = 8,
    VIRTIO_BLK_T_DISCARD = 11,
    VIRTIO_BLK_T_WRITE_ZEROES = 13,
};
enum { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };

struct blk {
    struct virtio_device virtio;
    struct disk disk;
    uint64_t done;        /* bytes of the next request that have been transferred already */
    uint8_t piece[PIECE]; /* no state */
};

static const struct field blk_fields[] = {
    VIRTIO_FIELDS(struct blk, virtio),
    VIRTIO_QUEUE_FIELDS(struct blk, virtio, REQUESTS),
    FIELD(struct blk, done),
    FIELD_END,
};

static struct blk *blk_of(struct vdev *v)
{
    return (struct blk *)(void *)v;
}

/* Requests
 * -----------------------------------------------------------------------------------------
 */

struct request {
    const struct virtq_chain *chain;
    uint32_t type;
    uint64_t sector;
    uint64_t data;   /* bytes, of the direction that its type has */
    uint64_t budget; /* bytes that may still be moved now */
};

/* In place of a status: there is more to do than may be done now. */
#define AGAIN (-1)

static bool is_inside(const struct disk *d, uint64_t sector, uint64_t bytes)
{
    return bytes % DISK_SECTOR == 0 &&
           range_inside(sector, bytes / DISK_SECTOR, d->size / DISK_SECTOR);
}

static bool move(struct blk *b, const struct request *r, uint64_t offset, size_t size)
{
    uint64_t at = r->sector * DISK_SECTOR + offset;
    if (r->type == VIRTIO_BLK_T_OUT)
        return virtio_read(&b->virtio, r->chain, HEADER_SIZE + offset, b->piece, size) &&
               disk_write(&b->disk, at, b->piece, size);
    return disk_read(&b->disk, at, b->piece, size) &&
           virtio_write(&b->virtio, r->chain, offset, b->piece, size);
}

/* The driver may have changed a request that was begun earlier, so `done` may be beyond its end. */
static int transfer(struct blk *b, struct request *r)
{
    if (!is_inside(&b->disk, r->sector, r->data) ||
        (r->type == VIRTIO_BLK_T_OUT && b->disk.read_only))
        return VIRTIO_BLK_S_IOERR;
    while (b->done < r->data) {
        uint64_t left = r->data - b->done;
        size_t size = left < PIECE ? (size_t)left : (size_t)PIECE;
        if (!r->budget)
            return AGAIN;
        if (!move(b, r, b->done, size))
            return VIRTIO_BLK_S_IOERR;
        b->done += size;
        r->budget -= size < r->budget ? size : r->budget;
    }
    return VIRTIO_BLK_S_OK;
}

/* 5.2.6.1: with write zeroes, `unmap` is up to the device; a discard must not have it. */
static int clear(struct blk *b, const struct request *r, const uint8_t segment[SEGMENT_SIZE])
{
    uint64_t sector = load_le(segment, 8), sectors = load_le(segment + 8, 4);
    uint32_t flags = load_le32(segment + 12);
    uint32_t known = r->type == VIRTIO_BLK_T_WRITE_ZEROES ? SEGMENT_UNMAP : 0;
    if (flags & ~known)
        return VIRTIO_BLK_S_UNSUPP;
    if (sectors > CLEAR_SECTORS_MAX || !is_inside(&b->disk, sector, sectors * DISK_SECTOR) ||
        !disk_clear(&b->disk, sector * DISK_SECTOR, sectors * DISK_SECTOR))
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

/* As one request may be about half a gigabyte, it is the last of its call. */
static int clear_all(struct blk *b, struct request *r)
{
    uint8_t segment[SEGMENT_SIZE];
    int status = VIRTIO_BLK_S_OK;
    if (!r->budget)
        return AGAIN;
    r->budget = 0;
    if (b->disk.read_only || r->data % SEGMENT_SIZE || r->data / SEGMENT_SIZE > CLEAR_SEGMENTS_MAX)
        return VIRTIO_BLK_S_IOERR;
    for (uint64_t at = 0; at < r->data && status == VIRTIO_BLK_S_OK; at += SEGMENT_SIZE)
        status = virtio_read(&b->virtio, r->chain, HEADER_SIZE + at, segment, sizeof segment)
                     ? clear(b, r, segment)
                     : VIRTIO_BLK_S_IOERR;
    return status;
}

/* The name that the configuration gives, or the type's; not terminated if it fills its 20 bytes. */
static int get_id(struct blk *b, const struct request *r)
{
    char id[ID_SIZE] = {0};
    size_t length = strlen(b->virtio.v.name);
    memcpy(id, b->virtio.v.name, length < sizeof id ? length : sizeof id);
    if (r->data < sizeof id || !virtio_write(&b->virtio, r->chain, 0, id, sizeof id))
        return VIRTIO_BLK_S_IOERR;
    b->done = sizeof id;
    return VIRTIO_BLK_S_OK;
}

/* What was written is where a crash of the guest does not reach it: there is nothing to flush. */
static int perform(struct blk *b, struct request *r)
{
    switch (r->type) {
    case VIRTIO_BLK_T_IN:
    case VIRTIO_BLK_T_OUT:
        return transfer(b, r);
    case VIRTIO_BLK_T_FLUSH:
        return VIRTIO_BLK_S_OK;
    case VIRTIO_BLK_T_GET_ID:
        return get_id(b, r);
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return clear_all(b, r);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

static bool is_read(uint32_t type)
{
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
}

/* False: there is no request in the chain. The status is the last byte of what the device writes.
 */
static bool read_request(struct blk *b, const struct virtq_chain *chain, struct request *r)
{
    uint8_t header[HEADER_SIZE];
    if (chain->readable_bytes < HEADER_SIZE || !chain->writable_bytes) {
        log_guest(b->virtio.v.env->log, "%s: a request without header or status", b->virtio.v.name);
        return false;
    }
    if (!virtio_read(&b->virtio, chain, 0, header, sizeof header))
        return false;
    r->chain = chain;
    r->type = load_le32(header);
    r->sector = load_le(header + 8, 8);
    r->data = is_read(r->type) ? chain->writable_bytes - 1 : chain->readable_bytes - HEADER_SIZE;
    return true;
}

/* False: it goes on later. */
static bool serve(struct blk *b, const struct virtq_chain *chain, uint64_t *budget)
{
    struct request r = {.budget = *budget};
    uint32_t written = 0;
    if (read_request(b, chain, &r)) {
        int status = perform(b, &r);
        uint8_t byte = (uint8_t)status;
        if (status == AGAIN || !virtio_is_live(&b->virtio))
            return false;
        written = (is_read(r.type) ? (uint32_t)b->done : 0) + 1;
        if (!virtio_write(&b->virtio, chain, chain->writable_bytes - 1, &byte, 1))
            return false;
    }
    b->done = 0;
    *budget = r.budget;
    return virtio_use(&b->virtio, REQUESTS, chain, written);
}

static void blk_notify(struct vdev *v, unsigned queue)
{
    struct blk *b = blk_of(v);
    struct virtq_chain chain;
    uint64_t budget = BYTES_PER_CALL;
    while (virtio_next(&b->virtio, queue, &chain)) {
        if (serve(b, &chain, &budget))
            continue;
        virtio_later(&b->virtio, queue);
        break;
    }
    virtio_signal(&b->virtio, queue);
}

static void blk_reset(struct vdev *v)
{
    blk_of(v)->done = 0;
}

static void blk_queue_stopped(struct vdev *v, unsigned queue)
{
    (void)queue;
    blk_of(v)->done = 0;
}

/* The device -------------------------------------------------------------------------------------
 */

static void blk_read_config(const struct vdev *v, uint8_t *config)
{
    const struct blk *b = (const struct blk *)(const void *)v;
    store_le(config + CONFIG_CAPACITY, b->disk.size / DISK_SECTOR, 8);
    store_le(config + CONFIG_SEG_MAX, QUEUE_SIZE - 2, 4); /* a header and a status are not data */
    store_le(config + CONFIG_BLK_SIZE, DISK_SECTOR, 4);
    config[CONFIG_PHYSICAL_BLOCK_EXP] = 3; /* what is written of a block brings all of it */
    store_le(config + CONFIG_MIN_IO_SIZE, BLOCK_SECTORS, 2);
    store_le(config + CONFIG_MAX_DISCARD_SECTORS, CLEAR_SECTORS_MAX, 4);
    store_le(config + CONFIG_MAX_DISCARD_SEG, CLEAR_SEGMENTS_MAX, 4);
    store_le(config + CONFIG_DISCARD_SECTOR_ALIGNMENT, BLOCK_SECTORS, 4);
    store_le(config + CONFIG_MAX_WRITE_ZEROES_SECTORS, CLEAR_SECTORS_MAX, 4);
    store_le(config + CONFIG_MAX_WRITE_ZEROES_SEG, CLEAR_SEGMENTS_MAX, 4);
    config[CONFIG_WRITE_ZEROES_MAY_UNMAP] = 1;
}

static const struct virtio_type blk_virtio = {
    .device_id = 2,
    .device_features =
        VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_TOPOLOGY,
    .queue_count = QUEUES,
    .queue_size_max = QUEUE_SIZE,
    .config_size = CONFIG_SIZE,
    .read_config = blk_read_config,
    .notify = blk_notify,
    .reset = blk_reset,
    .queue_stopped = blk_queue_stopped,
};

static bool blk_create(struct vdev *v, struct error *e)
{
    struct blk *b = blk_of(v);
    virtio_init(&b->virtio, &blk_virtio);
    if (!disk_open(&b->disk, v, e))
        return false;
    b->virtio.own_features =
        b->disk.read_only ? VIRTIO_BLK_F_RO : VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES;
    return true;
}

static void blk_status(const struct vdev *v, char *text, size_t size)
{
    const struct blk *b = (const struct blk *)(const void *)v;
    snprintf(text, size, "%" PRIu64 " sectors%s", b->disk.size / DISK_SECTOR,
             b->disk.read_only ? ", read-only" : "");
}

static const struct vdev_option_type blk_options[] = {
    DISK_OPTIONS,
    {"dio", "enable|disable", "disable", "direct access to the host's file", false, true},
    {"threads", "N", NULL, "threads that serve it", false, true},
    {"legacy", NULL, NULL, "the interface before virtio 1.0", false, true},
    {"sched", "PRIO", NULL, "priority of its host notifications", false, true},
    VDEV_OPTIONS_END,
};

const struct vdev_type virtio_blk_type = {
    .name = "virtio-blk",
    .summary = "virtio disk, a guest's vda",
    .size = sizeof(struct blk),
    .fields = blk_fields,
    .needs_intr = true,
    .masters = true,
    .options = blk_options,
    .ranges = virtio_mmio_ranges,
    .store = disk_store,
    .create = blk_create,
    .access = virtio_mmio_access,
    .registers = virtio_mmio_registers,
    .describe = virtio_mmio_describe,
    .status = blk_status,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
