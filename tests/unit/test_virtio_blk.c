/* virtio-blk, whose disk is a file that is no whole number of sectors, nor of blocks of 4 KiB: by
 * requests of a driver with split and with packed queues; and the disk behind it, beside a copy
 * that is simpler. */
#include "test_virtio_driver.h"
#include "vdev/disk/disk.h"

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NONE = 0xff };
enum { SECTOR = 512, BLOCK = 4096, HEADER = 16, UNMAP = 1, CLEAR_MAX = 65536, SEGMENTS_MAX = 16 };
#define SECTORS   ((WORLD_FILE_SIZE + SECTOR - 1) / SECTOR)
#define DISK_SIZE (SECTORS * SECTOR)
/* A request is a header, data and a status, one behind the other in RAM. */
enum { DATA = 0x4000, DATA_MAX = 0x3f00 };

static unsigned requests; /* since the driver began */

static void open_blk(const char *const *options)
{
    world_open(&w, "virtio-blk", 1, options);
    negotiate(INDIRECT_DESC);
    clear_queue(0);
    set_queue(0, TABLE_SIZE);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    requests = 0;
}

static void put_header(uint32_t type, uint64_t sector)
{
    store_le(ram(DATA - HEADER), type, 4);
    store_le(ram(DATA - HEADER + 4), 0, 4);
    store_le(ram(DATA - HEADER + 8), sector, 8);
}

/* [at, at + size) of RAM, in buffers of `step` bytes; 0: in one. */
static unsigned put_buffers(unsigned index, uint64_t at, size_t size, size_t step, unsigned flags)
{
    for (size_t part; size; size -= part, at += part, index++) {
        part = step && step < size ? step : size;
        put_descriptor(0, index, WORLD_RAM + at, (uint32_t)part, flags | NEXT, index + 1);
    }
    return index;
}

static bool device_writes(uint32_t type)
{
    return type == IN || type == GET_ID;
}

/* The status, and that of the bytes written the driver is told as many. */
static unsigned request_cut(uint32_t type, uint64_t sector, size_t size, size_t step,
                            uint32_t written)
{
    size_t readable = HEADER + (device_writes(type) ? 0 : size);
    ck_assert_uint_le(size, DATA_MAX);
    put_header(type, sector);
    *ram(DATA + size) = NONE;
    unsigned count = put_buffers(0, DATA - HEADER, readable, step, 0);
    count = put_buffers(count, DATA - HEADER + readable, HEADER + size + 1 - readable, step, WRITE);
    ck_assert_uint_le(count, TABLE_SIZE);
    uint8_t *last = ram(16 * (count - 1));
    if (is_packed)
        driver[0].table[count - 1].flags &= ~(unsigned)NEXT;
    else
        store_le(last + 12, WRITE, 2);
    make_available(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), requests + 1);
    check_used(0, requests++, 0, written);
    return *ram(DATA + size);
}

static unsigned request(uint32_t type, uint64_t sector, size_t size)
{
    return request_cut(type, sector, size, 0, 1 + (device_writes(type) ? (uint32_t)size : 0));
}

static unsigned fails(uint32_t type, uint64_t sector, size_t size)
{
    return request_cut(type, sector, size, 0, 1);
}

static uint8_t file_byte(uint64_t at)
{
    return at < WORLD_FILE_SIZE ? world_file_byte(at) : 0;
}

static void check_file(uint64_t sector, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (*ram(DATA + i) != file_byte(sector * SECTOR + i))
            ck_abort_msg("byte %zu of sector %u", i, (unsigned)sector);
}

static void check_bytes(size_t offset, size_t size, uint8_t expected)
{
    for (size_t i = 0; i < size; i++)
        if (*ram(DATA + offset + i) != expected)
            ck_abort_msg("byte %zu: %u", offset + i, *ram(DATA + offset + i));
}

static void fill(size_t size, uint8_t value)
{
    for (size_t i = 0; i < size; i++)
        *ram(DATA + i) = value;
}

START_TEST(what_it_offers)
{
    static const char *const read_only[] = {"hostdev", "<disk", NULL};
    open_blk(NULL);
    put(&w, DEVICE_FEATURES_SEL, 0);
    uint32_t features = (uint32_t)get(&w, DEVICE_FEATURES);
    ck_assert_uint_eq(features & (1 << 5 | 1 << 13 | 1 << 14), 1 << 13 | 1 << 14);
    ck_assert_uint_eq(get(&w, DEVICE_ID), 2);
    ck_assert_uint_eq(get(&w, CONFIG), SECTORS);
    ck_assert_uint_eq(get(&w, CONFIG + 4), 0);
    ck_assert_uint_eq(get(&w, CONFIG + 20), SECTOR);
    world_close(&w);
    open_blk(read_only);
    put(&w, DEVICE_FEATURES_SEL, 0);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES) & (1 << 5 | 1 << 13 | 1 << 14), 1 << 5);
    world_close(&w);
}
END_TEST

START_TEST(reads)
{
    open_blk(NULL);
    ck_assert_uint_eq(request(IN, 0, SECTOR), OK);
    check_file(0, SECTOR);
    ck_assert_uint_eq(request(IN, 5, 7 * SECTOR), OK);
    check_file(5, 7 * SECTOR);
    ck_assert_uint_eq(request(IN, SECTORS - 3, 3 * SECTOR), OK); /* with what the file has not */
    check_file(SECTORS - 3, 3 * SECTOR);
    ck_assert_uint_eq(request(IN, SECTORS, 0), OK); /* nothing, behind the end */
    ck_assert_uint_eq(w.file_bytes_read, WORLD_FILE_SIZE - (SECTORS - 3) * SECTOR + 8 * SECTOR);
    world_close(&w);
}
END_TEST

START_TEST(requests_beyond_the_end)
{
    static const uint64_t far[] = {SECTORS, SECTORS - 1, UINT64_MAX, UINT64_MAX / SECTOR,
                                   (UINT64_MAX / SECTOR) + 1};
    open_blk(NULL);
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        ck_assert_uint_eq(fails(IN, far[i], 2 * SECTOR), IOERR);
        ck_assert_uint_eq(fails(OUT, far[i], 2 * SECTOR), IOERR);
    }
    ck_assert_uint_eq(fails(IN, 0, SECTOR - 1), IOERR); /* no whole sectors */
    ck_assert_uint_eq(fails(OUT, 0, SECTOR + 1), IOERR);
    ck_assert_uint_eq(w.file_bytes_read, 0);
    ck_assert_uint_eq(w.store_changes, 0);
    world_close(&w);
}
END_TEST

/* However they are cut: the status is the last byte of what may be written (5.2.6). */
START_TEST(cuts)
{
    static const size_t steps[] = {0, 511, 700, 13, 37, 128};
    open_blk(NULL);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t size = steps[i] && steps[i] < 40 ? SECTOR : 3 * SECTOR;
        ck_assert_uint_eq(request_cut(IN, 9, size, steps[i], (uint32_t)size + 1), OK);
        check_file(9, size);
        fill(size, (uint8_t)(i + 1));
        ck_assert_uint_eq(request_cut(OUT, 100, size, steps[i], 1), OK);
        fill(size, 0);
        ck_assert_uint_eq(request(IN, 100, size), OK);
        check_bytes(0, size, (uint8_t)(i + 1));
    }
    world_close(&w);
}
END_TEST

/* A sector of a block; a block that goes beyond the end of the disk; parts of two blocks. */
START_TEST(writes_of_parts_of_blocks)
{
    static const struct {
        uint64_t sector;
        size_t sectors;
    } parts[] = {{3, 1}, {SECTORS - 1, 1}, {14, 4}, {32, 8}, {39, 17}};
    open_blk(NULL);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t size = parts[i].sectors * SECTOR;
        uint64_t first = parts[i].sector - 2;
        bool at_end = parts[i].sector + parts[i].sectors == SECTORS;
        fill(size, 0xa5);
        ck_assert_uint_eq(request(OUT, parts[i].sector, size), OK);
        ck_assert_uint_eq(request(IN, first, 2 * SECTOR), OK);
        if (parts[i].sector != 39)
            check_file(first, 2 * SECTOR);
        ck_assert_uint_eq(request(IN, parts[i].sector, size), OK);
        check_bytes(0, size, 0xa5);
        if (!at_end)
            ck_assert_uint_eq(request(IN, parts[i].sector + parts[i].sectors, SECTOR), OK);
        if (!at_end)
            check_file(parts[i].sector + parts[i].sectors, SECTOR);
    }
    world_close(&w);
}
END_TEST

START_TEST(a_disk_that_is_read_only)
{
    static const char *const read_only[] = {"hostdev", "<disk", NULL};
    open_blk(read_only);
    ck_assert_uint_eq(request(IN, 7, SECTOR), OK);
    check_file(7, SECTOR);
    ck_assert_uint_eq(fails(OUT, 7, SECTOR), IOERR);
    ck_assert_uint_eq(fails(DISCARD, 0, 16), IOERR);
    ck_assert_uint_eq(fails(WRITE_ZEROES, 0, 16), IOERR);
    ck_assert_uint_eq(request(IN, 7, SECTOR), OK);
    check_file(7, SECTOR);
    world_close(&w);
}
END_TEST

static unsigned clear(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    store_le(ram(DATA), sector, 8);
    store_le(ram(DATA + 8), sectors, 4);
    store_le(ram(DATA + 12), flags, 4);
    return fails(type, 0, 16);
}

static void check_cleared(uint64_t sector, bool is_cleared)
{
    ck_assert_uint_eq(request(IN, sector, SECTOR), OK);
    if (is_cleared)
        check_bytes(0, SECTOR, 0);
    else
        check_file(sector, SECTOR);
}

/* 5.2.6.1, 5.2.6.2: `unmap` is for write zeroes only, other flags are for nobody. */
START_TEST(discard_and_write_zeroes)
{
    open_blk(NULL);
    ck_assert_uint_eq(clear(DISCARD, 8, 16, 0), OK);
    check_cleared(7, false);
    check_cleared(8, true);
    check_cleared(23, true);
    check_cleared(24, false);
    ck_assert_uint_eq(clear(DISCARD, 40, 8, UNMAP), UNSUPP);
    ck_assert_uint_eq(clear(DISCARD, 40, 8, 2), UNSUPP);
    ck_assert_uint_eq(clear(WRITE_ZEROES, 40, 8, 2), UNSUPP);
    ck_assert_uint_eq(clear(WRITE_ZEROES, 40, 8, 3), UNSUPP);
    check_cleared(40, false);
    ck_assert_uint_eq(clear(WRITE_ZEROES, 40, 3, 0), OK); /* a part of a block */
    ck_assert_uint_eq(clear(WRITE_ZEROES, 50, 1, UNMAP), OK);
    check_cleared(42, true);
    check_cleared(43, false);
    check_cleared(49, false);
    check_cleared(50, true);
    ck_assert_uint_eq(clear(WRITE_ZEROES, SECTORS - 1, 1, 0), OK); /* the last block has no more */
    check_cleared(SECTORS - 1, true);
    check_cleared(SECTORS - 2, false);
    ck_assert_uint_eq(clear(DISCARD, SECTORS - 1, 2, 0), IOERR);
    ck_assert_uint_eq(clear(DISCARD, UINT64_MAX, 2, 0), IOERR);
    ck_assert_uint_eq(clear(DISCARD, 0, CLEAR_MAX + 1, 0), IOERR);
    check_cleared(0, false);
    world_close(&w);
}
END_TEST

START_TEST(several_segments)
{
    open_blk(NULL);
    for (unsigned i = 0; i <= SEGMENTS_MAX; i++) {
        store_le(ram(DATA + 16 * i), 16 * i, 8);
        store_le(ram(DATA + 16 * i + 8), 8, 4);
        store_le(ram(DATA + 16 * i + 12), 0, 4);
    }
    ck_assert_uint_eq(fails(DISCARD, 0, 16 * (SEGMENTS_MAX + 1)), IOERR);
    ck_assert_uint_eq(fails(DISCARD, 0, 24), IOERR);
    ck_assert_uint_eq(fails(DISCARD, 0, 16 * SEGMENTS_MAX), OK);
    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        check_cleared(16 * i, true);
        check_cleared(16 * i + 8, false);
    }
    world_close(&w);
}
END_TEST

START_TEST(other_requests)
{
    open_blk(NULL);
    ck_assert_uint_eq(fails(FLUSH, 0, 0), OK);
    ck_assert_uint_eq(request(GET_ID, 0, 20), OK);
    ck_assert(memcmp(ram(DATA), "virtio-blk\0\0\0\0\0\0\0\0\0\0", 20) == 0);
    ck_assert_uint_eq(fails(GET_ID, 0, 19), IOERR);
    ck_assert_uint_eq(fails(3, 0, 0), UNSUPP);
    ck_assert_uint_eq(fails(0xffffffff, 0, SECTOR), UNSUPP);
    world_close(&w);
}
END_TEST

/* Chains that are no request are given back as they are. */
START_TEST(chains_without_a_request)
{
    open_blk(NULL);
    put_header(IN, 0);
    put_descriptor(0, 0, WORLD_RAM + DATA - HEADER, HEADER - 1, NEXT, 1); /* half a header */
    put_descriptor(0, 1, WORLD_RAM + DATA, SECTOR + 1, WRITE, 0);
    put_descriptor(0, 2, WORLD_RAM + DATA - HEADER, HEADER, 0, 0); /* no status */
    for (unsigned head = 0; head < 3; head += 2) {
        make_available(0, head);
        kick(0);
        check_used(0, requests++, head, 0);
    }
    ck_assert_uint_eq(*ram(DATA), 0);
    ck_assert_uint_eq(request(IN, 1, SECTOR), OK);
    check_file(1, SECTOR);
    world_close(&w);
}
END_TEST

/* Many -------------------------------------------------------------------------------------------
 */

/* Requests of 192 KiB by one table: the data goes to, or comes from, the same 16 KiB each time. */
enum { MANY = 7, TABLE = 0x3000, PIECES = 12, PIECE = 0x4000 - 512 };
enum { MANY_SIZE = PIECES * PIECE };

static void put_many(uint32_t type)
{
    unsigned last = 1 + PIECES;
    put_header(type, 4);
    put_descriptor(TABLE, 0, WORLD_RAM + DATA - HEADER, HEADER, NEXT, 1);
    for (unsigned i = 1; i <= PIECES; i++)
        put_descriptor(TABLE, i, WORLD_RAM + DATA, PIECE, NEXT | (type == IN ? WRITE : 0), i + 1);
    put_descriptor(TABLE, last, WORLD_RAM + DATA + PIECE, 1, WRITE, 0);
    *ram(DATA + PIECE) = NONE;
    for (unsigned i = 0; i < MANY; i++) {
        put_descriptor(0, i, WORLD_RAM + TABLE, 16 * (last + 1), INDIRECT, 0);
        make_available(0, i);
    }
    kick(0);
}

/* What is more than 1 MiB comes later, in the middle of a request. */
START_TEST(many_requests_take_time)
{
    open_blk(NULL);
    for (unsigned round = 0; round < 2; round++) {
        uint32_t type = round ? OUT : IN;
        fill(PIECE, 0x77);
        put_many(type);
        unsigned used = used_index(0) - round * MANY;
        ck_assert(used > 0 && used < MANY);
        ck_assert_uint_ne(event_next(&w.events), EVENT_NEVER);
        exchange("virtio-blk", NULL);
        world_advance(&w, 10000000);
        ck_assert_uint_eq(used_index(0), (round + 1) * MANY);
        ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
        ck_assert_uint_eq(*ram(DATA + PIECE), OK);
        for (unsigned i = 0; i < MANY; i++)
            check_used(0, round * MANY + i, i, type == IN ? MANY_SIZE + 1 : 1);
        ck_assert(w.irq_level);
        if (type == IN) /* nothing twice */
            ck_assert_uint_eq(w.file_bytes_read, MANY * MANY_SIZE);
    }
    requests = 2 * MANY;
    for (unsigned sector = 3; sector < 4 + MANY_SIZE / SECTOR; sector += 31) {
        ck_assert_uint_eq(request(IN, sector, SECTOR), OK);
        if (sector < 4)
            check_file(sector, SECTOR);
        else
            check_bytes(0, SECTOR, 0x77);
    }
    world_close(&w);
}
END_TEST

/* The driver changes the request that is under way: it ends as what it is now. */
START_TEST(a_request_that_changes)
{
    open_blk(NULL);
    put_many(IN);
    unsigned used = used_index(0);
    put_descriptor(TABLE, 1, WORLD_RAM + DATA, SECTOR, WRITE | NEXT, PIECES + 1);
    if (is_packed) /* whose tables have no holes */
        for (unsigned i = 2; i <= PIECES; i++)
            put_descriptor(TABLE, i, WORLD_RAM + DATA, 0, WRITE, 0);
    world_advance(&w, 10000000);
    ck_assert_uint_eq(used_index(0), MANY);
    ck_assert_uint_lt(used, MANY);
    check_used(0, MANY - 1, MANY - 1, SECTOR + 1);
    world_close(&w);
}
END_TEST

START_TEST(a_reset_in_the_middle)
{
    open_blk(NULL);
    put_many(IN);
    put(&w, STATUS, 0);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    negotiate(0);
    clear_queue(0);
    set_queue(0, TABLE_SIZE);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    requests = 0;
    ck_assert_uint_eq(request(IN, 2, SECTOR), OK); /* from its start */
    check_file(2, SECTOR);
    world_close(&w);
}
END_TEST

/* A file that the host has no more is an error of the medium, and what was written is there. */
START_TEST(a_file_that_is_lost)
{
    open_blk(NULL);
    fill(SECTOR, 0x11);
    ck_assert_uint_eq(request(OUT, 8, SECTOR), OK);
    w.file_is_lost = true;
    ck_assert_uint_eq(fails(IN, 0, SECTOR), IOERR);
    ck_assert_uint_eq(fails(OUT, 16, SECTOR), IOERR); /* its block is not there to be written to */
    ck_assert_uint_eq(request(IN, 8, SECTOR), OK);
    check_bytes(0, SECTOR, 0x11);
    fill(BLOCK, 0x22);
    ck_assert_uint_eq(request(OUT, 24, BLOCK), OK); /* a whole one does not need it */
    ck_assert_uint_eq(clear(DISCARD, 32, 8, 0), OK);
    check_cleared(32, true);
    w.file_is_lost = false;
    ck_assert_uint_eq(request(IN, 16, SECTOR), OK);
    check_file(16, SECTOR);
    ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, 0);
    world_close(&w);
}
END_TEST

/* Buffers that are not memory break the device, as with any. */
START_TEST(buffers_outside_memory)
{
    static const uint64_t outside[] = {0, WORLD_RAM + 0x9000}; /* the second is read-only */
    for (unsigned i = 0; i < 2; i++) {
        open_blk(NULL);
        put_header(IN, 0);
        put_descriptor(0, 0, WORLD_RAM + DATA - HEADER, HEADER, NEXT, 1);
        put_descriptor(0, 1, outside[i], SECTOR, NEXT | WRITE, 2);
        put_descriptor(0, 2, WORLD_RAM + DATA, 1, WRITE, 0);
        make_available(0, 0);
        kick(0);
        ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, NEEDS_RESET);
        ck_assert_uint_eq(used_index(0), 0);
        world_advance(&w, 10000000);
        ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
        world_close(&w);
    }
}
END_TEST

/* The disk ---------------------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Anything that is done to a disk, done to an array, too. */
START_TEST(a_disk_is_an_array)
{
    static uint8_t model[DISK_SIZE], data[DISK_SIZE];
    uint64_t random = 99;
    struct disk d;
    struct error e = {0};
    world_open(&w, "virtio-blk", 1, NULL);
    ck_assert(disk_open(&d, w.v, &e));
    ck_assert_uint_eq(d.size, DISK_SIZE);
    for (size_t i = 0; i < DISK_SIZE; i++)
        model[i] = file_byte(i);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t x = next_random(&random), at = (x >> 8) % (SECTORS + 1);
        uint64_t most = x >> 4 & 3 ? 24 : SECTORS, left = SECTORS - at;
        uint64_t sectors = (x >> 32) % ((left < most ? left : most) + 1);
        size_t size = (size_t)(sectors * SECTOR);
        at *= SECTOR;
        if ((x & 3) == 0) {
            memset(model + at, 0, size);
            ck_assert(disk_clear(&d, at, size));
        } else if ((x & 3) == 1) {
            for (size_t j = 0; j < size; j++)
                model[at + j] = data[j] = (uint8_t)(j + i);
            ck_assert(disk_write(&d, at, data, size));
        } else {
            ck_assert(disk_read(&d, at, data, size));
            ck_assert_msg(memcmp(data, model + at, size) == 0, "step %u", i);
        }
    }
    world_close(&w);
}
END_TEST

static void use_split(void)
{
    is_packed = false;
}

static void use_packed(void)
{
    is_packed = true;
}

static void add_tests(TCase *t)
{
    tcase_set_timeout(t, 60);
    tcase_add_test(t, reads);
    tcase_add_test(t, requests_beyond_the_end);
    tcase_add_test(t, cuts);
    tcase_add_test(t, writes_of_parts_of_blocks);
    tcase_add_test(t, a_disk_that_is_read_only);
    tcase_add_test(t, discard_and_write_zeroes);
    tcase_add_test(t, several_segments);
    tcase_add_test(t, other_requests);
    tcase_add_test(t, chains_without_a_request);
    tcase_add_test(t, many_requests_take_time);
    tcase_add_test(t, a_request_that_changes);
    tcase_add_test(t, a_reset_in_the_middle);
    tcase_add_test(t, a_file_that_is_lost);
    tcase_add_test(t, buffers_outside_memory);
}

int main(void)
{
    Suite *s = suite_create("vdev/virtio_blk");
    TCase *split = tcase_create("split"), *packed = tcase_create("packed");
    tcase_add_checked_fixture(split, use_split, NULL);
    tcase_add_checked_fixture(packed, use_packed, NULL);
    add_tests(split);
    add_tests(packed);
    tcase_add_test(split, what_it_offers);
    tcase_add_test(split, a_disk_is_an_array);
    suite_add_tcase(s, split);
    suite_add_tcase(s, packed);
    return suite_run(s);
}
