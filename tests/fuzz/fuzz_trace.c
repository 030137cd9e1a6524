/* Fuzzes the reader of trace files: every input as it is, and with its checksums put right, or
 * hardly any change would get past them. What is read must keep what emu/trace.h promises, and a
 * journal must be able to replay it. */
#include <string.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "emu/journal_records.h"
#include "emu/trace.h"
#include "emu/text.h"
#include "emu/trace_format.h"
#include "tests/fuzz/fuzz.h"

static void check_sentence(const char *text)
{
    CHECK(text[0] && !strchr(text, '\n'));
}

static void check_promises(const struct trace *t)
{
    CHECK(t->config_count);
    for (size_t i = 0; i < t->config_count; i++)
        CHECK(t->configs[i].name && t->configs[i].text);
    for (size_t i = 1; i < t->digest_count; i++)
        CHECK(t->digests[i - 1].instructions < t->digests[i].instructions);
    for (size_t i = 0; i < t->image_count; i++)
        CHECK(t->images[i].here ? t->images[i].size == t->images[i].image.contents.size
                                : t->images[i].image.contents.size == 0);
    CHECK(!t->has_end || t->end.sentence);
    CHECK(!t->truncated || t->warnings);
}

/* Each range that the stream names, in its place: it is given, or there is a sentence. */
static void check_ranges(struct journal *j)
{
    struct pull_record r;
    struct bytes got = {0};
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    for (size_t at = 0; journal_next_pull(&in, &r); at = in.at) {
        char path[64] = "";
        enum range_answer answer;
        struct error e = {0};
        if (r.kind != PULL_RANGE || r.key_size >= sizeof path || memchr(r.key, 0, r.key_size))
            continue;
        memcpy(path, r.key, r.key_size);
        text_make_printable(path);
        if (memcmp(path, r.key, r.key_size) != 0) /* no user has such a file */
            continue;
        j->pull_reader.at = at;
        bytes_clear(&got);
        if (!journal_pull_range(j, path, r.offset, (size_t)r.length, &got, &answer, &e))
            check_sentence(e.text);
        else
            CHECK(answer == RANGE_GIVEN ? got.size == r.length : *range_answer_text(answer));
    }
    j->pull_reader.at = 0;
    bytes_free(&got);
}

/* Pushes until there are none, and pulls until one fails, which it does with a sentence. */
static void replay(struct trace *t)
{
    static const char *const keys[] = {"rng", "kernel", "clock"};
    struct journal j;
    struct push p;
    struct bytes got = {0};
    struct error e = {0};
    uint64_t tick = 0;
    trace_into_journal(t, &j);
    while (journal_push(&j, UINT64_MAX, &p)) {
        CHECK(p.tick >= tick && journal_push_is_good(p.kind, p.size));
        bytes_put(&got, p.data, p.size);
        tick = p.tick;
    }
    CHECK(j.push_reader.at == j.push_reader.size);
    check_ranges(&j);
    for (size_t i = 0; i < 3; i++)
        if (!journal_pull(&j, i == 1 ? PULL_FILE : PULL_ENTROPY, keys[i], 4, &got, &e)) {
            check_sentence(e.text);
            break;
        }
    CHECK(j.pull_reader.at <= j.pull_reader.size);
    bytes_free(&got);
    journal_free(&j);
}

static void try(const uint8_t *data, size_t size)
{
    struct trace t;
    struct error e = {0};
    if (!trace_parse(&t, data, size, NULL, &e)) {
        check_sentence(e.text);
        return;
    }
    check_promises(&t);
    replay(&t);
    trace_free(&t);
}

static void put_checksums_right(uint8_t *data, size_t size)
{
    if (size < TRACE_HEADER_SIZE)
        return;
    store_le(data + 12, compress_crc32(data, 12), 4);
    size_t at = TRACE_HEADER_SIZE;
    while (size - at >= TRACE_CHUNK_SIZE) {
        uint8_t *header = data + at;
        uint64_t stored = load_le(header + 16, 8);
        at += TRACE_CHUNK_SIZE;
        if (stored <= size - at) {
            store_le(header + 24, compress_crc32(data + at, (size_t)stored), 4);
            at += (size_t)stored;
        } else {
            at = size;
        }
        store_le(header + 28, compress_crc32(header, 28), 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes copy = {0};
    try(data, size);
    if (size == 0)
        return 0;
    bytes_put(&copy, data, size);
    put_checksums_right(copy.data, copy.size);
    try(copy.data, copy.size);
    bytes_free(&copy);
    return 0;
}

static bool keep(void *context, const void *data, size_t size)
{
    bytes_put(context, data, size);
    return true;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const struct trace_text texts[] = {{"a", "system a\n"}, {"b", ""}};
    static const uint8_t pulls[] = "\2\3rng\4abcd\1\5clock\1x",
                         pushes[] = "\5\1\1\2hi\0\3\0\0\1\7\2\4eth0";
    static const uint8_t image[200] = "an image";
    struct digest d = sha256_of(image, sizeof image);
    struct trace_digest digests[] = {{0, d}, {1000, d}};
    struct trace_end end = {.state = d, .output = d, .sentence = "the end"};
    struct trace_writer w;
    struct bytes ranges = {0};
    if (number > 2)
        return false;
    bytes_put(&ranges, "\4\4disk\10\0\20\0\0\0\0\0\0\5\4disk\0\310\1", 15 + 9);
    bytes_put(&ranges, d.b, sizeof d.b);
    bytes_put(&ranges, "\205\4disk\1\7\1\3", 10);
    CHECK(trace_writer_begin(&w, (struct trace_sink){.write = keep, .context = out}, 0));
    w.no_images = number == 1;
    CHECK(trace_write_config(&w, texts, number == 0 ? 1 : 2));
    if (number > 0)
        CHECK(trace_write_machine(&w, texts, 2) && trace_write_image(&w, d, image, sizeof image) &&
              trace_write_pulls(&w, pulls, sizeof pulls - 1) &&
              trace_write_pulls(&w, ranges.data, ranges.size) &&
              trace_write_pushes(&w, pushes, sizeof pushes - 1) &&
              trace_write_digests(&w, digests, 2) && trace_write_exits(&w, pulls, 5) &&
              trace_write_end(&w, &end));
    CHECK(trace_writer_finish(&w));
    bytes_free(&ranges);
    return true;
}
