/* Trace files: round trips, recording from a journal, every cut and every damaged byte of a small
 * file, and files whose sizes and contents lie. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/compress.h"
#include "emu/journal_records.h"
#include "emu/machine.h"
#include "emu/trace.h"
#include "emu/trace_format.h"
#include "suite.h"

/* ---- A sink in memory that may refuse, and a log that keeps its last line. ---- */

static struct bytes file;
static unsigned writes_allowed;

static bool keep(void *context, const void *data, size_t size)
{
    (void)context;
    if (writes_allowed == 0)
        return false;
    writes_allowed--;
    bytes_put(&file, data, size);
    return true;
}

static bool put_over(void *context, uint64_t offset, const void *data, size_t size)
{
    (void)context;
    ck_assert(offset + size >= file.size); /* nothing of what was there is left behind it */
    file.size = (size_t)offset;
    bytes_put(&file, data, size);
    return true;
}

static const struct trace_sink memory = {.write = keep};
static const struct trace_sink places = {.write = keep, .replace = put_over};

static char last_line[1024];

static void keep_line(void *context, enum log_severity severity, const char *line)
{
    (void)context;
    ck_assert_int_eq(severity, LOG_SEVERITY_WARN);
    snprintf(last_line, sizeof last_line, "%s", line);
}

static const struct log log_last = {.severities = LOG_SEVERITY_DEFAULT, .sink = keep_line};

static void set_up(void)
{
    bytes_clear(&file);
    writes_allowed = 1000000;
    last_line[0] = 0;
}

static struct trace parsed(void)
{
    struct trace t;
    struct error e = {0};
    bool good = trace_parse(&t, file.data, file.size, &log_last, &e);
    ck_assert_msg(good, "%s", e.text);
    ck_assert_str_eq(e.text, "");
    return t;
}

/* The parse must fail with one sentence that contains the text. */
static void refused(const char *text)
{
    struct trace t, empty = {0};
    struct error e = {0};
    ck_assert(!trace_parse(&t, file.data, file.size, &log_last, &e));
    ck_assert_msg(strstr(e.text, text), "'%s' instead of '%s'", e.text, text);
    ck_assert_ptr_null(strchr(e.text, '\n'));
    ck_assert_mem_eq(&t, &empty, sizeof t);
}

/* ---- A small file with everything in it. ---- */

static const struct trace_text configs[] = {{"one", "system one\nram 0x80000000,1m\n"}, {"", ""}};
static const struct trace_text machine[] = {{"qvm", "0.1.0"}, {"unicorn", "2.1.3"}};
static const char pulls[] = "\2\3rng\4abcd\1\5clock\1x";
static const uint8_t pushes[] = {5, PUSH_CONSOLE, 1, 2, 'h', 'i', 0, PUSH_POWER_CUT, 0, 0};
static uint8_t image[500]; /* compresses */

static struct trace_digest digest_at(uint64_t instructions)
{
    return (struct trace_digest){instructions, sha256_of(&instructions, 8)};
}

static struct trace_end example_end(void)
{
    return (struct trace_end){.exit_status = -3,
                              .instructions = 123456789012,
                              .ticks = UINT64_MAX,
                              .state = sha256_of("state", 5),
                              .output = sha256_of("output", 6),
                              .sentence = "the guest powered off"};
}

static void write_example(void)
{
    struct trace_writer w;
    struct trace_digest digests[] = {digest_at(0), digest_at(1000), digest_at(UINT64_MAX)};
    struct trace_end end = example_end();
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    ck_assert(trace_write_config(&w, configs, 2));
    ck_assert(trace_write_machine(&w, machine, 2));
    ck_assert(trace_write_image(&w, sha256_of(image, sizeof image), image, sizeof image));
    ck_assert(trace_write_image(&w, sha256_of(NULL, 0), NULL, 0));
    ck_assert(trace_write_pulls(&w, pulls, 10));
    ck_assert(trace_write_pushes(&w, pushes, 6));
    ck_assert(trace_write_digests(&w, digests, 2));
    ck_assert(trace_write_pulls(&w, pulls + 10, sizeof pulls - 11));
    ck_assert(trace_write_pushes(&w, pushes + 6, 4));
    ck_assert(trace_write_pushes(&w, NULL, 0));
    ck_assert(trace_write_digests(&w, digests + 2, 1));
    ck_assert(trace_write_digests(&w, NULL, 0));
    ck_assert(trace_write_exits(&w, "exits", 5));
    ck_assert(trace_write_end(&w, &end));
    ck_assert(trace_writer_finish(&w));
}

static void check_texts(const struct trace_text *a, size_t count, const struct trace_text *b)
{
    ck_assert_uint_eq(count, 2);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(a[i].name, b[i].name);
        ck_assert_str_eq(a[i].text, b[i].text);
    }
}

START_TEST(everything_comes_back)
{
    write_example();
    struct trace t = parsed();
    check_texts(t.configs, t.config_count, configs);
    check_texts(t.machine, t.machine_count, machine);
    ck_assert_uint_eq(t.image_count, 2);
    ck_assert(t.images[0].here && t.images[1].here);
    ck_assert_uint_eq(t.images[0].size, sizeof image);
    ck_assert_mem_eq(t.images[0].image.contents.data, image, sizeof image);
    ck_assert_uint_eq(t.images[1].size, 0);
    ck_assert_uint_eq(t.pulls.size, sizeof pulls - 1);
    ck_assert_mem_eq(t.pulls.data, pulls, t.pulls.size);
    ck_assert_uint_eq(t.pushes.size, sizeof pushes);
    ck_assert_mem_eq(t.pushes.data, pushes, sizeof pushes);
    ck_assert_uint_eq(t.digest_count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct trace_digest d = digest_at(i == 2 ? UINT64_MAX : 1000 * i);
        ck_assert_uint_eq(t.digests[i].instructions, d.instructions);
        ck_assert_mem_eq(t.digests[i].state.b, d.state.b, 32);
    }
    ck_assert_uint_eq(t.exits.size, 5);
    ck_assert(!t.truncated);
    ck_assert_uint_eq(t.warnings, 0);
    trace_free(&t);
}
END_TEST

START_TEST(the_end_comes_back)
{
    write_example();
    struct trace t = parsed();
    struct trace_end end = example_end();
    ck_assert(t.has_end);
    ck_assert_int_eq(t.end.exit_status, -3);
    ck_assert_uint_eq(t.end.instructions, end.instructions);
    ck_assert_uint_eq(t.end.ticks, end.ticks);
    ck_assert_mem_eq(t.end.state.b, end.state.b, 32);
    ck_assert_mem_eq(t.end.output.b, end.output.b, 32);
    ck_assert_str_eq(t.end.sentence, end.sentence);
    trace_free(&t);
}
END_TEST

START_TEST(writing_is_deterministic)
{
    write_example();
    struct digest first = sha256_of(file.data, file.size);
    write_example();
    struct digest second = sha256_of(file.data, file.size);
    ck_assert_mem_eq(first.b, second.b, 32);
}
END_TEST

START_TEST(the_last_bytes_lead_to_the_index)
{
    write_example();
    uint64_t at = load_le(file.data + file.size - 8, 8);
    ck_assert_uint_lt(at, file.size);
    ck_assert_mem_eq(file.data + at, "INDX", 4);
    uint64_t entries = load_le(file.data + at + TRACE_CHUNK_SIZE, 8);
    ck_assert_uint_eq(entries, 12);
    for (size_t i = 0; i < entries; i++) {
        const uint8_t *entry = file.data + at + TRACE_CHUNK_SIZE + 8 + i * TRACE_INDEX_ENTRY;
        ck_assert_mem_eq(file.data + load_le(entry + 4, 8), entry, 4);
    }
}
END_TEST

static void check_prefix(const struct trace *part, const struct trace *whole)
{
    ck_assert(part->truncated);
    ck_assert_uint_ge(part->warnings, 1);
    ck_assert_uint_eq(part->config_count, 2);
    ck_assert_uint_le(part->image_count, whole->image_count);
    ck_assert_uint_le(part->digest_count, whole->digest_count);
    ck_assert_uint_le(part->pulls.size, whole->pulls.size);
    ck_assert_uint_le(part->pushes.size, whole->pushes.size);
    if (part->pulls.size)
        ck_assert_mem_eq(part->pulls.data, whole->pulls.data, part->pulls.size);
    if (part->pushes.size)
        ck_assert_mem_eq(part->pushes.data, whole->pushes.data, part->pushes.size);
    for (size_t i = 0; i < part->digest_count; i++)
        ck_assert_uint_eq(part->digests[i].instructions, whole->digests[i].instructions);
}

START_TEST(every_cut_reads_as_a_prefix_or_is_refused)
{
    write_example();
    struct trace whole = parsed();
    size_t read = 0, ended = 0, last_read = 0;
    for (size_t size = 0; size < file.size; size++) {
        struct trace t;
        struct error e = {0};
        uint8_t *copy = malloc(size + 1); /* so that the sanitizer sees reads behind the end */
        memcpy(copy, file.data, size);
        if (trace_parse(&t, copy, size, &log_last, &e)) {
            check_prefix(&t, &whole);
            ended += t.has_end;
            ck_assert_uint_ge(t.digest_count, last_read); /* more bytes never give less */
            last_read = t.digest_count;
            read++;
            trace_free(&t);
        } else {
            ck_assert_str_ne(e.text, "");
            ck_assert_uint_eq(read, 0); /* once a prefix is readable all longer ones are */
        }
        free(copy);
    }
    ck_assert_uint_gt(read, file.size / 2);
    ck_assert_uint_gt(ended, 0);
    trace_free(&whole);
}
END_TEST

START_TEST(every_damaged_byte_is_noticed)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x20};
    write_example();
    for (size_t at = 0; at < file.size; at++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            struct trace t;
            struct error e = {0};
            file.data[at] ^= flips[i];
            ck_assert_msg(!trace_parse(&t, file.data, file.size, NULL, &e), "byte %zu", at);
            ck_assert_msg(strstr(e.text, "damaged") || strstr(e.text, "not a trace"), "%s", e.text);
            file.data[at] ^= flips[i];
        }
    }
}
END_TEST

START_TEST(something_behind_the_end_is_refused)
{
    write_example();
    bytes_put(&file, "", 1);
    refused("something follows the end of the trace");
}
END_TEST

/* The example of docs/trace-format.md, without the index. */
START_TEST(the_documented_example_is_written)
{
    static const uint8_t example[] = {
        0x89, 0x51, 0x54, 0x52, 2,    0,    0,    0,    0,    0,    0,    0,    0x45, 0xd9, 0xf5,
        0x91, 'C',  'O',  'N',  'F',  0,    0,    0,    0,    5,    0,    0,    0,    0,    0,
        0,    0,    5,    0,    0,    0,    0,    0,    0,    0,    0x90, 0xd0, 0x2e, 0x4d, 0x7c,
        0x2b, 0x74, 0xa3, 1,    1,    'a',  1,    'x',  'P',  'U',  'S',  'H',  0,    0,    0,
        0,    5,    0,    0,    0,    0,    0,    0,    0,    5,    0,    0,    0,    0,    0,
        0,    0,    0x17, 0x3e, 0x0c, 0xe3, 0xad, 0xb4, 0x17, 0xcb, 5,    1,    0,    1,    '!'};
    struct trace_writer w;
    set_up();
    ck_assert(trace_writer_begin(&w, memory, MACHINE_QUIRKS));
    ck_assert(trace_write_config(&w, &(struct trace_text){"a", "x"}, 1));
    ck_assert(trace_write_pushes(&w, "\5\1\0\1!", 5));
    trace_writer_free(&w);
    ck_assert_uint_eq(file.size, sizeof example);
    ck_assert_mem_eq(file.data, example, sizeof example);
}
END_TEST

/* ---- Recording from a journal. ---- */

static bool host_pull(void *context, enum pull_kind kind, const char *key, size_t size,
                      struct bytes *out, struct error *e)
{
    (void)context;
    (void)e;
    (void)kind;
    bytes_put(out, key, size ? size : strlen(key));
    return true;
}

static bool host_poll(void *context, struct push *p)
{
    unsigned *left = context;
    *p = (struct push){
        .kind = PUSH_CONSOLE, .target = 0x301, .size = 2, .data = (const uint8_t *)"hi"};
    return *left && (*left)--;
}

static const char *const keys[] = {"kernel", "initrd", "kernel", "the device tree"};

/* Four files and as many pushes, with a step behind each. */
static void record(struct trace_writer *w, struct journal *j)
{
    unsigned left = 4;
    struct bytes got = {0};
    struct error e = {0};
    ck_assert(trace_write_config(w, configs, 2));
    journal_live(j, JOURNAL_RECORD,
                 (struct journal_host){.pull = host_pull, .poll = host_poll, .context = &left});
    for (size_t i = 0; i < 4; i++) {
        struct push p;
        ck_assert(journal_pull(j, PULL_FILE, keys[i], 0, &got, &e));
        ck_assert(journal_pull(j, PULL_ENTROPY, "rng", i, &got, &e));
        ck_assert(journal_push(j, 1000 * i, &p));
        ck_assert_msg(trace_record_step(w, j, &e), "%s", e.text);
        ck_assert(trace_record_step(w, j, &e)); /* nothing new, nothing written */
    }
    bytes_free(&got);
}

static void check_replay(struct journal *j)
{
    struct bytes got = {0};
    struct error e = {0};
    struct push p;
    for (size_t i = 0; i < 4; i++) {
        bytes_clear(&got);
        ck_assert_msg(journal_pull(j, PULL_FILE, keys[i], 0, &got, &e), "%s", e.text);
        ck_assert_uint_eq(got.size, strlen(keys[i]));
        ck_assert_mem_eq(got.data, keys[i], got.size);
        ck_assert(journal_pull(j, PULL_ENTROPY, "rng", i, &got, &e));
        ck_assert_uint_eq(journal_next_tick(j), 1000 * i);
        ck_assert(journal_push(j, 1000 * i, &p));
        ck_assert_uint_eq(p.target, 0x301);
    }
    ck_assert(!journal_push(j, UINT64_MAX - 1, &p));
    bytes_free(&got);
}

START_TEST(a_recorded_journal_replays)
{
    struct trace_writer w;
    struct journal j, again;
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    record(&w, &j);
    size_t size = file.size;
    struct error e = {0};
    ck_assert(trace_record_step(&w, &j, &e));
    ck_assert_uint_eq(file.size, size);
    ck_assert(trace_writer_finish(&w));
    journal_free(&j);
    struct trace t = parsed();
    ck_assert(!t.truncated && !t.has_end);
    ck_assert_uint_eq(t.image_count, 3);
    trace_into_journal(&t, &again);
    trace_free(&t);
    check_replay(&again);
    journal_free(&again);
}
END_TEST

START_TEST(a_killed_recorder_leaves_what_it_had)
{
    struct trace_writer w;
    struct journal j, again;
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    record(&w, &j);
    trace_writer_free(&w); /* no end, no index */
    journal_free(&j);
    struct trace t = parsed();
    ck_assert(t.truncated && !t.has_end);
    ck_assert_str_eq(last_line, "trace: the recorder did not come to its end");
    trace_into_journal(&t, &again);
    trace_free(&t);
    check_replay(&again);
    journal_free(&again);
}
END_TEST

START_TEST(images_may_be_left_out)
{
    struct trace_writer w;
    struct journal j, again;
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    w.no_images = true;
    record(&w, &j);
    ck_assert(trace_writer_finish(&w));
    journal_free(&j);

    struct trace t = parsed();
    ck_assert_uint_eq(t.image_count, 3);
    ck_assert(!t.images[0].here);
    ck_assert_uint_eq(t.images[0].size, 6);
    ck_assert(trace_lacks(&t, 6) && !trace_lacks(&t, 7));
    ck_assert(!trace_supply_image(&t, "another", 7));
    ck_assert(trace_supply_image(&t, "kernel", 6));
    ck_assert(!trace_supply_image(&t, "kernel", 6)); /* has it now */
    ck_assert(trace_supply_image(&t, "initrd", 6));
    ck_assert(!trace_lacks(&t, 6));
    ck_assert(trace_supply_image(&t, "the device tree", 15));
    trace_into_journal(&t, &again);
    trace_free(&t);
    check_replay(&again);
    journal_free(&again);
}
END_TEST

START_TEST(a_missing_image_is_noticed)
{
    struct trace_writer w;
    struct journal j, again;
    struct bytes got = {0};
    struct error e = {0};
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    w.no_images = true;
    record(&w, &j);
    ck_assert(trace_writer_finish(&w));
    journal_free(&j);
    struct trace t = parsed();
    trace_into_journal(&t, &again);
    trace_free(&t);
    ck_assert(!journal_pull(&again, PULL_FILE, "kernel", 0, &got, &e));
    ck_assert_str_eq(
        e.text, "the trace does not hold the file 'kernel', nor is it here with the same contents");
    bytes_free(&got);
    journal_free(&again);
}
END_TEST

/* One key at a time, each safe at once: the file never ends in less than a whole chunk. */
START_TEST(an_input_costs_its_bytes_and_eight)
{
    struct trace_writer w;
    struct journal j = {.mode = JOURNAL_RECORD};
    set_up();
    ck_assert(trace_writer_begin(&w, places, 0) && trace_write_config(&w, configs, 2));
    size_t before = file.size;
    for (uint64_t i = 1; i <= 3000; i++) {
        uint8_t key = (uint8_t)(i * 7);
        struct push p = {i * i * 1000, PUSH_CONSOLE, 1, 1, &key};
        struct error e = {0};
        journal_put_push(&j.pushes, (i - 1) * (i - 1) * 1000, &p);
        ck_assert(trace_record_step(&w, &j, &e));
        if (i % 97 == 0) {
            struct trace t = parsed();
            ck_assert(t.pushes.size == j.pushes.size &&
                      memcmp(t.pushes.data, j.pushes.data, j.pushes.size) == 0);
            trace_free(&t);
        }
    }
    ck_assert_uint_le(file.size - before, 3000 * (1 + 8));
    ck_assert(trace_writer_finish(&w));
    journal_free(&j);
}
END_TEST

START_TEST(a_sink_that_refuses_is_asked_once)
{
    for (unsigned allowed = 0; allowed < 8; allowed++) {
        struct trace_writer w;
        struct journal j = {.mode = JOURNAL_RECORD};
        struct error e = {0};
        set_up();
        writes_allowed = allowed;
        bool good = trace_writer_begin(&w, memory, 0) && trace_write_config(&w, configs, 2);
        bytes_put(&j.pulls, pulls, 10);
        bytes_put(&j.pushes, pushes, 6);
        good = trace_record_step(&w, &j, &e);
        ck_assert_int_eq(good, allowed >= 7); /* header 1, then 2 a chunk */
        writes_allowed = 100;                 /* too late */
        size_t size = file.size;
        ck_assert_int_eq(trace_write_pulls(&w, pulls, 10), good);
        ck_assert_int_eq(file.size > size, good);
        if (!good)
            ck_assert_msg(strstr(e.text, "the trace cannot be written"), "%s", e.text);
        trace_writer_free(&w);
        journal_free(&j);
    }
}
END_TEST

START_TEST(the_writer_keeps_the_limits)
{
    struct trace_writer w;
    struct journal j = {0};
    struct error e = {0};
    set_up();
    ck_assert(trace_writer_begin(&w, memory, 0));
    ck_assert(!trace_write_pulls(&w, pulls, (size_t)TRACE_CHUNK_MAX + 1));
    ck_assert(!trace_write_pulls(&w, pulls, 1)); /* or there would be a gap */
    ck_assert(!trace_record_step(&w, &j, &e));
    ck_assert_msg(strstr(e.text, "too large for a trace"), "%s", e.text);
    trace_writer_free(&w);

    ck_assert(trace_writer_begin(&w, memory, 0));
    w.no_images = true;
    w.images_written = TRACE_IMAGES_MAX - 10;
    for (unsigned i = 0; i < 10; i++)
        ck_assert(trace_write_image(&w, sha256_of(&i, sizeof i), NULL, 0));
    ck_assert(!trace_write_image(&w, sha256_of("", 0), NULL, 0));
    ck_assert(w.too_large);
    trace_writer_free(&w);

    ck_assert(trace_writer_begin(&w, memory, 0));
    w.raw_total = TRACE_TOTAL_MAX - 5;
    ck_assert(trace_write_pushes(&w, pushes, 5));
    ck_assert(!trace_write_pushes(&w, pushes, 1));
    ck_assert(w.too_large);
    trace_writer_free(&w);
}
END_TEST

/* ---- Files that lie. Their checksums are right. ---- */

static void put_header(uint64_t version, uint64_t quirks)
{
    set_up();
    bytes_put(&file, TRACE_MAGIC, 4);
    bytes_put_int(&file, version, 4);
    bytes_put_int(&file, quirks, 4);
    bytes_put_int(&file, compress_crc32(file.data, file.size), 4);
}

static void put_chunk_as(uint32_t type, uint64_t flags, uint64_t raw_size, uint64_t stored_size,
                         const void *data, size_t size)
{
    size_t from = file.size;
    bytes_put_int(&file, type, 4);
    bytes_put_int(&file, flags, 4);
    bytes_put_int(&file, raw_size, 8);
    bytes_put_int(&file, stored_size, 8);
    bytes_put_int(&file, compress_crc32(data, size), 4);
    bytes_put_int(&file, compress_crc32(file.data + from, 28), 4);
    bytes_put(&file, data, size);
}

static void put_chunk(uint32_t type, const void *data, size_t size)
{
    put_chunk_as(type, 0, size, size, data, size);
}

#define ZEROS8     "\0\0\0\0\0\0\0\0"
#define ZEROS32    ZEROS8 ZEROS8 ZEROS8 ZEROS8
#define VARINT_MAX "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"

static const struct {
    uint32_t type;
    const char *data;
    size_t size;
    const char *text;
} lies[] = {
#define LIE(type, data, text)                                                                      \
    {                                                                                              \
        TRACE_##type, data, sizeof data - 1, text                                                  \
    }
    LIE(CONF, "", "the list has the wrong size"),
    LIE(CONF, "\0", "the configuration has no VM"),
    LIE(CONF, "\1", "a text is cut off"),
    LIE(CONF, "\1\1a\2b", "a text is cut off"),
    LIE(CONF, "\1\1\0\1b", "holds a NUL"),
    LIE(CONF, "\1\1a\1b\0", "the list has the wrong size"),
    LIE(CONF, "\xff\xff\xff\xff\xff\x7f", "longer than any"),
    LIE(CONF, "\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", "a text is cut off"),
    LIE(CONF, "\1\1a" VARINT_MAX "b", "a text is cut off"),
    LIE(MACH, "\1", "a text is cut off"),
    LIE(IMAG, "", "a file has no digest"),
    LIE(IMAG, ZEROS32, "does not have the size"),
    LIE(IMAG, ZEROS32 "\2" ZEROS8, "does not have the size"),
    LIE(IMAG, ZEROS32 "\2\0\0\0\0\0\0\0a", "does not have the size"),
    LIE(IMAG, ZEROS32 "\1\0\0\0\0\0\0\0a", "do not have the digest"),
    LIE(IMAG, ZEROS32 ZEROS8, "do not have the digest"),
    LIE(PULL, "\2\3rng\4abc", "a pulled input is malformed"),
    LIE(PULL, "\3\3rng" ZEROS8 ZEROS8 ZEROS8, "a pulled input is malformed"),
    LIE(PULL, "\2", "a pulled input is malformed"),
    LIE(PULL, "\2" VARINT_MAX, "a pulled input is malformed"),
    LIE(PULL, "\2\0" VARINT_MAX, "a pulled input is malformed"),
    LIE(PULL, "\5\1f\0\0" ZEROS32, "a pulled input is malformed"),             /* no bytes */
    LIE(PULL, "\5\1f\0\x81\x80\x40" ZEROS32, "a pulled input is malformed"),   /* too many */
    LIE(PULL, "\5\1f" VARINT_MAX "\1" ZEROS32, "a pulled input is malformed"), /* offset */
    LIE(PULL, "\5\1f\0\1" ZEROS8 ZEROS8 ZEROS8, "a pulled input is malformed"),
    LIE(PULL, "\x85\1f\0\1\1", "a pulled input is malformed"),
    LIE(PULL, "\4\1f\7\0\0\0\0\0\0\0", "a pulled input is malformed"),      /* a size of 7 bytes */
    LIE(PULL, "\4\1f\10\0\0\0\0\0\0\0\x80", "a pulled input is malformed"), /* of 2^63 */
    LIE(PULL, "\x84\1f\10" ZEROS8, "a pulled input is malformed"),
    LIE(PUSH, "\1\1\1\2a", "a pushed input is malformed"),
    LIE(PUSH, "\1\1\xff\xff\4\0", "a pushed input is malformed"), /* target */
    LIE(PUSH, "\1\1\1" VARINT_MAX, "a pushed input is malformed"),
    LIE(PUSH, "\1\0\1\0", "a pushed input is malformed"), /* kinds that there are not */
    LIE(PUSH, "\1\11\1\4abcd", "a pushed input is malformed"),
    LIE(PUSH, "\1\xff\1\0", "a pushed input is malformed"),
    LIE(PUSH, "\1\10\1\3abc", "a pushed input is malformed"), /* a window of 3 bytes */
    LIE(PUSH, "\1\10\1\5abcde", "a pushed input is malformed"),
    LIE(PUSH, "\1\7\1\0", "a pushed input is malformed"),          /* a frame of nothing */
    LIE(PUSH, "\1\7\1\x81\x80\4a", "a pushed input is malformed"), /* of 65537 bytes */
    LIE(PUSH, "\1\7\1\x81\2abc", "a pushed input is malformed"),   /* cut off */
    LIE(PUSH, "\1\7\xff\xff\4\1a", "a pushed input is malformed"),
    LIE(PUSH, "\1\1\0\0" VARINT_MAX "\1\0\0", "a pushed input is malformed"), /* tick */
    LIE(DIGS, "\1", "a list of digests is cut off"),
    LIE(DIGS, "\1" ZEROS32 "\0" ZEROS32, "do not rise"),
    LIE(DIGS, "\1" ZEROS32 VARINT_MAX ZEROS32, "too large"),
    LIE(ENDV, "", "the record of the end is cut off"),
    LIE(ENDV, ZEROS32 ZEROS32 ZEROS8 ZEROS8 "\0\0\0\0", "the record of the end has the wrong size"),
    LIE(ENDV, ZEROS32 ZEROS32 ZEROS8 ZEROS8 "\0\0\0\0\1", "the record of the end has the wrong"),
};

static void put_config(void)
{
    put_chunk(TRACE_CONF, "\1\1a\1b", 5);
}

START_TEST(lies_are_refused)
{
    put_header(TRACE_VERSION, 0);
    if (lies[_i].type != TRACE_CONF)
        put_config();
    put_chunk(lies[_i].type, lies[_i].data, lies[_i].size);
    refused(lies[_i].text);
}
END_TEST

/* Who recorded before there was a quirk has its flag not set; who records now has. */
START_TEST(quirks_come_back)
{
    static const uint32_t all[] = {0, 1, MACHINE_QUIRKS & ~1u, MACHINE_QUIRKS};
    struct trace_writer w;
    struct trace t;
    struct error e = {0};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        set_up();
        ck_assert(trace_writer_begin(&w, memory, all[i]) && trace_write_config(&w, configs, 2));
        ck_assert(trace_writer_finish(&w));
        ck_assert_uint_eq(load_le(file.data + 8, 4), MACHINE_QUIRKS & ~all[i]);
        ck_assert(trace_parse(&t, file.data, file.size, NULL, &e));
        ck_assert_uint_eq(t.quirks, all[i]);
        trace_free(&t);
    }
}
END_TEST

/* What is for people is shown as it was read. */
START_TEST(what_is_shown_is_printable)
{
    put_header(TRACE_VERSION, 0);
    put_chunk(TRACE_CONF, "\1\2a\33\1b", 6);
    put_chunk(TRACE_MACH, "\1\2q\n\3\33[m", 8);
    put_chunk(TRACE_ENDV, ZEROS32 ZEROS32 ZEROS8 ZEROS8 "\0\0\0\0\2\rx", 87);
    struct trace t = parsed();
    ck_assert_str_eq(t.configs[0].name, "a?");
    ck_assert_str_eq(t.machine[0].name, "q?");
    ck_assert_str_eq(t.machine[0].text, "?[m");
    ck_assert_str_eq(t.end.sentence, "?x");
    trace_free(&t);
}
END_TEST

START_TEST(every_version_is_read)
{
    for (uint64_t version = 1; version <= TRACE_VERSION; version++) {
        put_header(version, 0);
        put_config();
        put_chunk(TRACE_PUSH, "\5\1\1\2hi", 6);
        struct trace t = parsed();
        ck_assert_uint_eq(t.pushes.size, 6);
        trace_free(&t);
    }
}
END_TEST

START_TEST(other_versions_are_refused)
{
    put_header(TRACE_VERSION + 1, 0);
    refused("the trace has format version 3, and this program reads versions 1 to 2");
    put_header(0, 0);
    refused("the trace has format version 0, and this program reads versions 1 to 2");
    put_header(TRACE_VERSION, 0x80000000);
    refused(
        "the trace is of a newer machine, whose behaviour this program does not know (quirk flags "
        "0x80000000)");
    set_up();
    refused("this is not a trace file");
    bytes_put(&file, "ELF?............", 16);
    refused("this is not a trace file");
    put_header(TRACE_VERSION, 0);
    file.size--;
    refused("the trace ends inside its header");
    put_header(TRACE_VERSION, 0);
    refused("the trace holds no configuration");
}
END_TEST

START_TEST(unknown_chunks_are_skipped)
{
    put_header(TRACE_VERSION, 0);
    put_chunk_as(TRACE_TYPE('W', 'H', 'A', 'T'), 0xffffffff, UINT64_MAX, 3, "???", 3);
    put_config();
    struct trace t = parsed();
    ck_assert_uint_eq(t.warnings, 2);
    trace_free(&t);
    put_chunk(0x01020304, "", 0);
    put_chunk_as(TRACE_INDX, 0, 100, 100, "", 0); /* torn */
    t = parsed();
    ck_assert_uint_eq(t.warnings, 3);
    ck_assert_msg(strstr(last_line, "the file ends inside the chunk at byte"), "%s", last_line);
    ck_assert(t.truncated);
    trace_free(&t);
}
END_TEST

START_TEST(a_wrong_index_is_ignored)
{
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk(TRACE_INDX, ZEROS8 ZEROS8, 16);
    struct trace t = parsed();
    ck_assert_uint_eq(t.warnings, 1);
    ck_assert_msg(strstr(last_line, "does not agree"), "%s", last_line);
    ck_assert(!t.truncated);
    trace_free(&t);
}
END_TEST

START_TEST(a_file_that_is_there_twice_is_kept_once)
{
    struct bytes contents = {0};
    struct digest digest = sha256_of("abc", 3);
    bytes_put(&contents, digest.b, 32);
    bytes_put_int(&contents, 3, 8);
    bytes_put(&contents, "abc", 3);
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk(TRACE_IMAG, contents.data, contents.size);
    put_chunk(TRACE_IMAG, contents.data, contents.size);
    bytes_free(&contents);
    struct trace t = parsed();
    ck_assert_uint_eq(t.image_count, 1);
    ck_assert_uint_eq(t.warnings, 2);
    trace_free(&t);
}
END_TEST

START_TEST(chunks_in_the_wrong_place_are_refused)
{
    static const char end[] = ZEROS32 ZEROS32 ZEROS8 ZEROS8 "\0\0\0\0\0";
    put_header(TRACE_VERSION, 0);
    put_config();
    size_t size = file.size;
    put_config();
    refused("a second configuration");
    file.size = size;
    put_chunk(TRACE_MACH, "\0", 1);
    put_chunk(TRACE_MACH, "\0", 1);
    refused("described twice");
    file.size = size;
    put_chunk(TRACE_ENDV, end, sizeof end - 1);
    put_chunk(TRACE_PUSH, "", 0);
    refused("goes on behind its end");
    file.size = size;
    put_chunk(TRACE_ENDV, end, sizeof end - 1);
    put_chunk(TRACE_ENDV, end, sizeof end - 1);
    refused("goes on behind its end");
}
END_TEST

START_TEST(digests_rise_across_chunks)
{
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk(TRACE_DIGS, "\5" ZEROS32, 33);
    put_chunk(TRACE_DIGS, "\5" ZEROS32, 33);
    refused("do not rise");
}
END_TEST

START_TEST(sizes_that_lie_cost_nothing)
{
    struct bytes packed = {0};
    static const uint8_t zeros[1 << 20];
    ck_assert(compress_zstd(zeros, sizeof zeros, COMPRESS_QUICKLY, &packed));
    static const struct {
        uint64_t flags, raw_size;
        const char *text;
    } tries[] = {
        {1, (1 << 20) - 1, "expands to more than 1048575 bytes"},
        {1, (1 << 20) + 1, "a chunk expands to less than it says"},
        {1, TRACE_CHUNK_MAX, "a chunk expands to less than it says"},
        {1, TRACE_CHUNK_MAX + 1, "a chunk expands to more than any"},
        {1, UINT64_MAX, "a chunk expands to more than any"},
        {1, 0, "contradict each other"},
        {1, 1, "contradict each other"},
        {0, 1 << 20, "contradict each other"},
        {0, UINT64_MAX, "a chunk expands to more than any"},
        {2, 1 << 20, "flags that this program does not know"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        put_header(TRACE_VERSION, 0);
        put_config();
        put_chunk_as(TRACE_EXIT, tries[i].flags, tries[i].raw_size, packed.size, packed.data,
                     packed.size);
        refused(tries[i].text);
    }
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk_as(TRACE_EXIT, 1, 1 << 20, packed.size, packed.data, packed.size);
    struct trace t = parsed();
    ck_assert_uint_eq(t.exits.size, 1 << 20);
    trace_free(&t);
    bytes_free(&packed);
}
END_TEST

START_TEST(a_stored_size_behind_the_end_is_a_torn_tail)
{
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk_as(TRACE_EXIT, 0, UINT64_MAX, UINT64_MAX, "abc", 3);
    struct trace t = parsed();
    ck_assert(t.truncated);
    ck_assert_uint_eq(t.exits.size, 0);
    trace_free(&t);
}
END_TEST

START_TEST(compressed_rubbish_is_refused)
{
    put_header(TRACE_VERSION, 0);
    put_config();
    put_chunk_as(TRACE_EXIT, 1, 100, 8, "rubbish.", 8);
    refused("the zstd data is damaged");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("trace");
    tcase_add_test(tests, everything_comes_back);
    tcase_add_test(tests, the_end_comes_back);
    tcase_add_test(tests, writing_is_deterministic);
    tcase_add_test(tests, the_last_bytes_lead_to_the_index);
    tcase_add_test(tests, every_cut_reads_as_a_prefix_or_is_refused);
    tcase_add_test(tests, every_damaged_byte_is_noticed);
    tcase_add_test(tests, something_behind_the_end_is_refused);
    tcase_add_test(tests, the_documented_example_is_written);
    tcase_add_test(tests, a_recorded_journal_replays);
    tcase_add_test(tests, a_killed_recorder_leaves_what_it_had);
    tcase_add_test(tests, images_may_be_left_out);
    tcase_add_test(tests, a_missing_image_is_noticed);
    tcase_add_test(tests, a_sink_that_refuses_is_asked_once);
    tcase_add_test(tests, the_writer_keeps_the_limits);
    tcase_add_loop_test(tests, lies_are_refused, 0, (int)(sizeof lies / sizeof lies[0]));
    tcase_add_test(tests, quirks_come_back);
    tcase_add_test(tests, what_is_shown_is_printable);
    tcase_add_test(tests, every_version_is_read);
    tcase_add_test(tests, other_versions_are_refused);
    tcase_add_test(tests, unknown_chunks_are_skipped);
    tcase_add_test(tests, a_wrong_index_is_ignored);
    tcase_add_test(tests, a_file_that_is_there_twice_is_kept_once);
    tcase_add_test(tests, chunks_in_the_wrong_place_are_refused);
    tcase_add_test(tests, digests_rise_across_chunks);
    tcase_add_test(tests, sizes_that_lie_cost_nothing);
    tcase_add_test(tests, a_stored_size_behind_the_end_is_a_torn_tail);
    tcase_add_test(tests, an_input_costs_its_bytes_and_eight);
    tcase_add_test(tests, compressed_rubbish_is_refused);
    return suite_main("trace", tests);
}
