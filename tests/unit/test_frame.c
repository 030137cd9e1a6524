/* Frames whose sender left a checksum or the cutting of a segment to others, against a second,
 * slower way to compute both; and frames that say anything of themselves. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vdev/frame.h"

static uint8_t data[VDEV_FRAME_MAX], buffer[VDEV_FRAME_MAX];

static unsigned big(const uint8_t *at)
{
    return (unsigned)at[0] * 256 + at[1];
}

/* RFC 1071 word by word: 0 if the checksum among them is right. */
static unsigned check(const uint8_t *at, size_t size, unsigned sum)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 ? at[i] : (unsigned)at[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum == 0xffff ? 0 : sum;
}

/* Headers of a TCP segment with so much data, which `work` describes; returns their size. */
static size_t make(bool is_v4, unsigned tags, unsigned options, size_t payload,
                   struct vdev_frame *f)
{
    size_t ip = 14 + 4 * (size_t)tags, tcp = ip + (is_v4 ? 20 : 40), end = tcp + 20 + options;
    for (size_t i = 0; i < end + payload; i++)
        data[i] = (uint8_t)(i * 167 + (i >> 8));
    for (unsigned i = 0; i < tags; i++)
        memcpy(data + 12 + 4 * (size_t)i, i + 1 < tags ? "\x88\xa8" : "\x81\x00", 2);
    memcpy(data + ip - 2, is_v4 ? "\x08\x00" : "\x86\xdd", 2);
    data[ip] = is_v4 ? 0x45 : 0x60;
    memcpy(data + (is_v4 ? ip + 4 : ip), is_v4 ? "\xff\xff" : "\x60\x00", 2);
    memcpy(data + tcp + 4, "\xff\xff\xff\x00", 4); /* the sequence number wraps */
    data[tcp + 12] = (uint8_t)((20 + options) / 4 << 4);
    data[tcp + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR, ACK, PSH, FIN */
    *f = (struct vdev_frame){.data = data, .size = end + payload};
    f->work = (struct frame_work){.needs_checksum = true,
                                  .segments = is_v4 ? FRAME_TCPV4 : FRAME_TCPV6,
                                  .checksum_start = (uint16_t)tcp,
                                  .checksum_offset = 16,
                                  .header_size = (uint16_t)end,
                                  .segment_size = 1000};
    return end;
}

static unsigned pseudo(const uint8_t *ip, bool is_v4, size_t tcp_size)
{
    unsigned sum = 6 + (unsigned)tcp_size;
    for (size_t i = is_v4 ? 12 : 8; i < (is_v4 ? 20 : 40); i += 2)
        sum += big(ip + i);
    return (sum & 0xffff) + (sum >> 16);
}

START_TEST(segments)
{
    static const size_t payloads[] = {0, 1, 999, 1000, 1001, 2000, 63000};
    bool is_v4 = _i & 1;
    unsigned tags = (unsigned)_i >> 1 & 3, options = _i & 8 ? 12 : 0;
    for (size_t p = 0; tags < 3 && p < sizeof payloads / sizeof payloads[0]; p++) {
        struct vdev_frame f, s;
        struct frame_cutter c;
        size_t end = make(is_v4, tags, options, payloads[p], &f), done = 0;
        size_t ip = 14 + 4 * (size_t)tags, tcp = f.work.checksum_start;
        unsigned count = 0;
        ck_assert(frame_is_sound(&f));
        ck_assert(frame_cut(&c, &f));
        for (; frame_next(&c, buffer, &s); count++) {
            size_t part = s.size - end;
            bool is_last = done + part == payloads[p];
            ck_assert(part == 1000 || (is_last && (part || !payloads[p])));
            ck_assert(memcmp(s.data + end, data + end + done, part) == 0);
            ck_assert(!s.work.needs_checksum && !s.work.segments);
            if (is_v4) {
                ck_assert_uint_eq(big(s.data + ip + 2), s.size - ip);
                ck_assert_uint_eq(big(s.data + ip + 4), (0xffff + count) & 0xffff);
                ck_assert_uint_eq(check(s.data + ip, 20, 0), 0);
            } else {
                ck_assert_uint_eq(big(s.data + ip + 4), s.size - ip - 40);
            }
            ck_assert_uint_eq(
                check(s.data + tcp, s.size - tcp, pseudo(s.data + ip, is_v4, s.size - tcp)), 0);
            uint32_t sequence = (uint32_t)big(s.data + tcp + 4) << 16 | big(s.data + tcp + 6);
            ck_assert_uint_eq(sequence, (uint32_t)(0xffffff00 + done));
            ck_assert_uint_eq(s.data[tcp + 13],
                              0x10 | (count ? 0 : 0x80) | (is_last ? 0x08 | 0x01 : 0));
            done += part;
        }
        ck_assert_uint_eq(done, payloads[p]);
        ck_assert_uint_eq(count, payloads[p] ? (payloads[p] + 999) / 1000 : 1);
    }
}
END_TEST

/* The sum of the pseudo header stands where the checksum comes. */
START_TEST(checksums)
{
    struct vdev_frame f, done;
    for (size_t payload = 0; payload < 70; payload++) {
        size_t end = make(true, 0, 0, payload, &f), tcp = f.work.checksum_start;
        unsigned sum = pseudo(data + 14, true, f.size - tcp);
        f.work.segments = FRAME_WHOLE;
        data[tcp + 16] = (uint8_t)(sum >> 8);
        data[tcp + 17] = (uint8_t)sum;
        done = frame_complete(&f, buffer);
        ck_assert_uint_eq(done.size, end + payload);
        ck_assert_uint_eq(check(done.data + tcp, done.size - tcp, sum), 0);
        ck_assert_uint_ne(big(done.data + tcp + 16), 0);
        ck_assert(memcmp(done.data, data, tcp + 16) == 0 && !done.work.needs_checksum);
        f.work.needs_checksum = false;
        ck_assert_ptr_eq(frame_complete(&f, buffer).data, data);
    }
}
END_TEST

/* A checksum that comes out as 0 is sent as all ones. */
START_TEST(no_checksum_is_zero)
{
    struct vdev_frame f = {.data = data, .size = 20};
    f.work =
        (struct frame_work){.needs_checksum = true, .checksum_start = 14, .checksum_offset = 2};
    memset(data, 0, 20);
    memcpy(data + 14, "\xff\xff", 2);
    ck_assert_uint_eq(big(frame_complete(&f, buffer).data + 16), 0xffff);
}
END_TEST

static const struct {
    const char *what;
    size_t at; /* of the frame, from its IP header on; what is put there: */
    uint8_t value;
    struct frame_work work; /* in place of what is not 0 */
    size_t size;
    bool is_sound;
} wrong[] = {
    {"a checksum beyond the end", 0, 0x45, {.checksum_start = 1060}, 0, false},
    {"a checksum in the Ethernet header", 0, 0x45, {.checksum_start = 13}, 0, false},
    {"another protocol of segments", 0, 0x45, {.segments = 3}, 0, false},
    {"the other version of IP", 0, 0x45, {.segments = FRAME_TCPV6}, 0, true},
    {"TCP within the IP header", 0, 0x45, {.checksum_start = 33}, 0, true},
    {"TCP not behind the IP header", 0, 0x46, {.checksum_start = 34}, 0, true},
    {"a checksum that is not TCP's", 0, 0x45, {.checksum_offset = 6}, 0, true},
    {"a TCP header that is too short", 32, 0x40, {0}, 0, true},
    {"a TCP header beyond the end", 32, 0xf0, {0}, 60, true},
    {"no room for TCP", 0, 0x45, {0}, 53, true},
    {"a segment for each byte", 0, 0x45, {.segment_size = 1}, 0, true},
};

START_TEST(frames_that_lie)
{
    struct vdev_frame f;
    struct frame_cutter c;
    make(true, 0, 0, 1000, &f);
    ck_assert(frame_cut(&c, &f));
    const struct frame_work *w = &wrong[_i].work;
    data[14 + wrong[_i].at] = wrong[_i].value;
    f.work.checksum_start = w->checksum_start ? w->checksum_start : f.work.checksum_start;
    f.work.checksum_offset = w->checksum_offset ? w->checksum_offset : f.work.checksum_offset;
    f.work.segments = w->segments ? w->segments : f.work.segments;
    f.work.segment_size = w->segment_size ? w->segment_size : f.work.segment_size;
    f.size = wrong[_i].size ? wrong[_i].size : f.size;
    ck_assert_msg(frame_is_sound(&f) == wrong[_i].is_sound, "%s", wrong[_i].what);
    ck_assert_msg(!wrong[_i].is_sound || !frame_cut(&c, &f), "%s", wrong[_i].what);
}
END_TEST

START_TEST(work_that_makes_no_sense)
{
    struct vdev_frame f;
    make(true, 0, 0, 1000, &f);
    f.work.segment_size = 0;
    ck_assert(!frame_is_sound(&f));
    f.work.segment_size = 1;
    f.work.needs_checksum = false;
    ck_assert(!frame_is_sound(&f));
    f.work = (struct frame_work){.has_ecn = true};
    ck_assert(!frame_is_sound(&f));
    f.work = (struct frame_work){.checksum_start = 9999};
    ck_assert(frame_is_sound(&f));
}
END_TEST

/* Each frame in a buffer of its own size, for the sanitizer. */
START_TEST(any_frame)
{
    uint64_t random = (uint64_t)_i + 1;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[16];
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[i] = (uint8_t)(random >> 56);
        }
        struct vdev_frame f, s;
        struct frame_cutter c;
        make(bytes[0] & 1, bytes[0] >> 1 & 1, (bytes[0] >> 2 & 7) * 4, bytes[1], &f);
        f.work.segment_size = bytes[2];
        data[bytes[3] % 100] ^= bytes[4] & bytes[5];
        f.work.checksum_start = (uint16_t)(f.work.checksum_start + bytes[6] / 250);
        f.size = bytes[7] & 1 ? f.size : 1 + bytes[8] % f.size;
        uint8_t *copy = malloc(f.size);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, f.size);
        f.data = copy;
        unsigned count = 0;
        if (frame_is_sound(&f) && frame_complete(&f, buffer).size == f.size && frame_cut(&c, &f))
            while (frame_next(&c, buffer, &s))
                count++;
        if (count > FRAME_SEGMENTS_MAX)
            ck_abort_msg("%u segments", count);
        free(copy);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("frame");
    Suite *s = suite_create("vdev/frame");
    tcase_add_loop_test(t, segments, 0, 16);
    tcase_add_test(t, checksums);
    tcase_add_test(t, no_checksum_is_zero);
    tcase_add_loop_test(t, frames_that_lie, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(t, work_that_makes_no_sense);
    tcase_add_loop_test(t, any_frame, 0, 4);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
