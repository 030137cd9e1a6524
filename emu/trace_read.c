#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "emu/compress.h"
#include "emu/journal_records.h"
#include "emu/machine.h"
#include "emu/text.h"
#include "emu/trace.h"
#include "emu/trace_format.h"

struct parser {
    struct trace *t;
    const uint8_t *data;
    size_t size, at;
    uint64_t raw_total;   /* what the chunks so far expand to */
    struct bytes index;   /* rebuilt: one entry a chunk */
    uint64_t index_count; /* entries */
    bool has_index, has_machine;
    struct bytes expanded; /* the payload of the chunk that is read, if it was compressed */
    const struct log *log;
    struct error *e;
};

struct chunk {
    uint32_t type, flags;
    uint64_t raw_size;
    size_t offset; /* of its header in the file */
    const uint8_t *stored;
    size_t stored_size;
};

TEXT_PRINTF(2, 3) static void warn(struct parser *p, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_write(p->log, LOG_SEVERITY_WARN, "%s", line);
    p->t->warnings++;
}

static bool damaged(struct parser *p, size_t offset, const char *what)
{
    return error_set(p->e, "the trace is damaged at byte %zu: %s", offset, what);
}

struct type_name {
    char text[12];
};

/* The four characters, or a number if they are not four printable ones. */
static struct type_name type_name(uint32_t type)
{
    struct type_name name = {{0}};
    store_le(name.text, type, 4);
    for (size_t i = 0; i < 4; i++)
        if (name.text[i] < ' ' || name.text[i] > '~')
            snprintf(name.text, sizeof name.text, "%#" PRIx32, type);
    return name;
}

/* ---- What is in the chunks. Each gets the expanded payload. ---- */

/* A string as C has it, owned; NULL if it is cut off or holds a NUL. */
static char *read_string(struct reader *r)
{
    uint64_t size = reader_varint(r);
    const uint8_t *from = size <= r->size ? reader_bytes(r, (size_t)size) : NULL;
    if (!from || memchr(from, 0, (size_t)size))
        return NULL;
    char *s = malloc((size_t)size + 1);
    CHECK_ROOM(s);
    memcpy(s, from, (size_t)size);
    s[size] = 0;
    return s;
}

static bool read_texts(struct parser *p, const struct chunk *c, struct reader *r,
                       struct trace_text **texts, size_t *count)
{
    uint64_t stated = reader_varint(r);
    if (stated > TRACE_TEXTS_MAX)
        return damaged(p, c->offset, "a list is longer than any that is ever written");
    *texts = calloc((size_t)stated + 1, sizeof **texts);
    CHECK_ROOM(*texts);
    while (*count < stated) {
        struct trace_text *text = &(*texts)[(*count)++]; /* counted at once: freed with the rest */
        text->name = read_string(r);
        text->text = text->name ? read_string(r) : NULL;
        if (!text->text)
            return damaged(p, c->offset, "a text is cut off or holds a NUL");
        text_make_printable(text->name);
    }
    return !r->failed && reader_at_end(r) ? true
                                          : damaged(p, c->offset, "the list has the wrong size");
}

static bool read_config(struct parser *p, const struct chunk *c, struct reader *r)
{
    if (p->t->configs)
        return damaged(p, c->offset, "there is a second configuration");
    if (!read_texts(p, c, r, &p->t->configs, &p->t->config_count))
        return false;
    return p->t->config_count ? true : damaged(p, c->offset, "the configuration has no VM");
}

static bool read_board(struct parser *p, const struct chunk *c, struct reader *r)
{
    if (p->t->board)
        return damaged(p, c->offset, "there is a second board");
    if (!read_texts(p, c, r, &p->t->board, &p->t->board_count))
        return false;
    return p->t->board_count == 1 ? true : damaged(p, c->offset, "there is not one board");
}

static bool read_machine(struct parser *p, const struct chunk *c, struct reader *r)
{
    if (p->has_machine)
        return damaged(p, c->offset, "the program is described twice");
    p->has_machine = true;
    if (!read_texts(p, c, r, &p->t->machine, &p->t->machine_count))
        return false;
    for (size_t i = 0; i < p->t->machine_count; i++)
        text_make_printable(p->t->machine[i].text);
    return true;
}

static struct trace_image *find_image(struct trace *t, struct digest digest)
{
    size_t place = digest_index_find(&t->by_digest, digest);
    return place == DIGEST_NOWHERE ? NULL : &t->images[place];
}

static struct trace_image *add_image(struct trace *t, struct digest digest, uint64_t size)
{
    t->images = array_grow(t->images, t->image_count, sizeof *t->images);
    t->images[t->image_count] = (struct trace_image){.image = {.digest = digest}, .size = size};
    digest_index_add(&t->by_digest, digest, t->image_count);
    return &t->images[t->image_count++];
}

static bool digest_equal(struct digest a, struct digest b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

static bool read_digest(struct reader *r, struct digest *d)
{
    const uint8_t *from = reader_bytes(r, sizeof d->b);
    if (from)
        memcpy(d->b, from, sizeof d->b);
    return from != NULL;
}

static bool read_image(struct parser *p, const struct chunk *c, struct reader *r)
{
    struct digest digest;
    if (!read_digest(r, &digest))
        return damaged(p, c->offset, "a file has no digest");
    uint64_t size = reader_int(r, 8);
    size_t here = r->size - r->at;
    if (r->failed || (here && here != size))
        return damaged(p, c->offset, "a file does not have the size that it says");
    if ((here || !size) && !digest_equal(digest, sha256_of(r->data + r->at, here)))
        return damaged(p, c->offset, "the contents of a file do not have the digest that it says");
    if (find_image(p->t, digest)) {
        warn(p, "trace: at byte %zu is a file that the trace holds already; skipped", c->offset);
        return true;
    }
    if (p->t->image_count == TRACE_IMAGES_MAX)
        return damaged(p, c->offset, "there are more files than are ever written");
    struct trace_image *image = add_image(p->t, digest, size);
    image->here = here || !size;
    bytes_put(&image->image.contents, r->data + r->at, here);
    return true;
}

static bool read_pulls(struct parser *p, const struct chunk *c, struct reader *r)
{
    (void)c;
    bytes_put(&p->t->pulls, r->data, r->size);
    return true;
}

static bool read_pushes(struct parser *p, const struct chunk *c, struct reader *r)
{
    (void)c;
    bytes_put(&p->t->pushes, r->data, r->size);
    return true;
}

static bool read_exits(struct parser *p, const struct chunk *c, struct reader *r)
{
    (void)c;
    bytes_put(&p->t->exits, r->data, r->size);
    return true;
}

static bool read_parts(struct parser *p, const struct chunk *c, struct reader *r)
{
    (void)c;
    bytes_put(&p->t->parts, r->data, r->size);
    return true;
}

static bool read_digests(struct parser *p, const struct chunk *c, struct reader *r)
{
    struct trace *t = p->t;
    uint64_t last = 0;
    while (!reader_at_end(r)) {
        uint64_t delta = reader_varint(r);
        struct trace_digest d = {.instructions = last + delta};
        if (!read_digest(r, &d.state))
            return damaged(p, c->offset, "a list of digests is cut off");
        if (delta > UINT64_MAX - last)
            return damaged(p, c->offset, "a digest's instruction count is too large");
        if (t->digest_count && d.instructions <= t->digests[t->digest_count - 1].instructions)
            return damaged(p, c->offset, "the instruction counts of the digests do not rise");
        last = d.instructions;
        t->digests = array_grow(t->digests, t->digest_count, sizeof *t->digests);
        t->digests[t->digest_count++] = d;
    }
    return true;
}

static bool read_end(struct parser *p, const struct chunk *c, struct reader *r)
{
    struct trace_end *end = &p->t->end;
    uint32_t status = (uint32_t)reader_int(r, 4);
    memcpy(&end->exit_status, &status, sizeof status);
    end->instructions = reader_int(r, 8);
    end->ticks = reader_int(r, 8);
    if (!read_digest(r, &end->state) || !read_digest(r, &end->output))
        return damaged(p, c->offset, "the record of the end is cut off");
    p->t->end_sentence = read_string(r);
    end->sentence = p->t->end_sentence;
    if (!end->sentence || !reader_at_end(r))
        return damaged(p, c->offset, "the record of the end has the wrong size");
    text_make_printable(p->t->end_sentence);
    p->t->has_end = true;
    return true;
}

/* The index is not needed to read a whole file: it only has to agree. */
static bool read_index(struct parser *p, const struct chunk *c, struct reader *r)
{
    struct bytes expected = {0};
    bytes_put_int(&expected, p->index_count, 8);
    bytes_put(&expected, p->index.data, p->index.size);
    bytes_put_int(&expected, c->offset, 8);
    bool equal = r->size == expected.size && memcmp(r->data, expected.data, r->size) == 0;
    bytes_free(&expected);
    if (!equal)
        warn(p, "trace: the index at byte %zu does not agree with the file; ignored", c->offset);
    p->has_index = true;
    return true;
}

static bool read_snapshot(struct parser *p, const struct chunk *c, struct reader *r)
{
    struct trace *t = p->t;
    if (r->size < 8)
        return damaged(p, c->offset, "a snapshot is cut off");
    if (t->snapshot_count == TRACE_SNAPSHOTS_MAX)
        return damaged(p, c->offset, "there are more snapshots than are ever written");
    t->snapshots = array_grow(t->snapshots, t->snapshot_count, sizeof *t->snapshots);
    struct trace_snapshot *s = &t->snapshots[t->snapshot_count++];
    *s = (struct trace_snapshot){.instructions = reader_int(r, 8)};
    s->before = t->snapshot_count - 1;
    s->is_start = t->snapshot_count == 1 && !t->pulls.size && !t->pushes.size;
    /* Tens of megabytes: not copied. */
    s->chunk = p->expanded;
    p->expanded = (struct bytes){0};
    s->data = r->data + r->at;
    s->size = r->size - r->at;
    return true;
}

static const struct chunk_type {
    uint32_t type;
    bool (*read)(struct parser *p, const struct chunk *c, struct reader *r);
} chunk_types[] = {
    {TRACE_CONF, read_config},  {TRACE_BORD, read_board}, {TRACE_MACH, read_machine},
    {TRACE_IMAG, read_image},   {TRACE_PULL, read_pulls}, {TRACE_PUSH, read_pushes},
    {TRACE_DIGS, read_digests}, {TRACE_EXIT, read_exits}, {TRACE_SNAP, read_snapshot},
    {TRACE_PART, read_parts},   {TRACE_ENDV, read_end},   {TRACE_INDX, read_index},
};

static const struct chunk_type *find_type(uint32_t type)
{
    for (size_t i = 0; i < sizeof chunk_types / sizeof chunk_types[0]; i++)
        if (chunk_types[i].type == type)
            return &chunk_types[i];
    return NULL;
}

/* ---- The row of chunks. ---- */

static bool read_header(struct parser *p)
{
    if (p->size < 4 || memcmp(p->data, TRACE_MAGIC, 4) != 0)
        return error_set(p->e, "this is not a trace file");
    if (p->size < TRACE_HEADER_SIZE)
        return error_set(p->e, "the trace ends inside its header");
    if (compress_crc32(p->data, 12) != load_le(p->data + 12, 4))
        return damaged(p, 0, "the header's checksum is wrong");
    uint64_t version = load_le(p->data + 4, 4), flags = load_le(p->data + 8, 4);
    if (version == 0 || version > TRACE_VERSION)
        return error_set(p->e,
                         "the trace has format version %" PRIu64
                         ", and this program reads versions 1 to %d",
                         version, TRACE_VERSION);
    if (flags & ~(uint64_t)MACHINE_QUIRKS)
        return error_set(p->e,
                         "the trace is of a newer machine, whose behaviour this program does not "
                         "know (quirk flags %#" PRIx64 ")",
                         flags & ~(uint64_t)MACHINE_QUIRKS);
    p->t->quirks = MACHINE_QUIRKS & ~(uint32_t)flags;
    p->at = TRACE_HEADER_SIZE;
    return true;
}

/* Reads a chunk's header and checks both checksums. At a torn tail *torn is set. */
static bool next_chunk(struct parser *p, struct chunk *c, bool *torn)
{
    const uint8_t *header = p->data + p->at;
    size_t left = p->size - p->at;
    *torn = left < TRACE_CHUNK_SIZE;
    if (*torn)
        return true;
    if (compress_crc32(header, 28) != load_le(header + 28, 4))
        return damaged(p, p->at, "the checksum of a chunk's header is wrong");
    uint64_t stored_size = load_le(header + 16, 8);
    *torn = stored_size > left - TRACE_CHUNK_SIZE;
    if (*torn)
        return true;
    *c = (struct chunk){
        .type = (uint32_t)load_le(header, 4),
        .flags = (uint32_t)load_le(header + 4, 4),
        .raw_size = load_le(header + 8, 8),
        .offset = p->at,
        .stored = header + TRACE_CHUNK_SIZE,
        .stored_size = (size_t)stored_size,
    };
    if (compress_crc32(c->stored, c->stored_size) != load_le(header + 24, 4))
        return damaged(p, p->at, "the checksum of a chunk's contents is wrong");
    p->at += TRACE_CHUNK_SIZE + c->stored_size;
    return true;
}

/* May a chunk of a known type be expanded? */
static bool check_sizes(struct parser *p, const struct chunk *c)
{
    if (c->flags & ~(uint32_t)TRACE_CHUNK_ZSTD)
        return damaged(p, c->offset, "a chunk has flags that this program does not know");
    if (c->raw_size > TRACE_CHUNK_MAX)
        return damaged(p, c->offset, "a chunk expands to more than any that is ever written");
    if (c->raw_size > TRACE_TOTAL_MAX - p->raw_total)
        return damaged(p, c->offset, "the chunks expand to more than is ever written");
    p->raw_total += c->raw_size;
    bool packed = c->flags & TRACE_CHUNK_ZSTD;
    if (packed ? c->stored_size >= c->raw_size : c->stored_size != c->raw_size)
        return damaged(p, c->offset, "the two sizes of a chunk contradict each other");
    return true;
}

static bool read_payload(struct parser *p, const struct chunk *c, const struct chunk_type *type)
{
    struct reader r = reader_of(c->stored, c->stored_size);
    bool good = true;
    if (c->flags & TRACE_CHUNK_ZSTD) {
        struct error why = {0};
        good = compress_expand_zstd(c->stored, c->stored_size, (size_t)c->raw_size, &p->expanded,
                                    &why);
        if (!good)
            damaged(p, c->offset, why.text);
        else if (p->expanded.size != c->raw_size)
            good = damaged(p, c->offset, "a chunk expands to less than it says");
        r = reader_of(p->expanded.data, p->expanded.size);
    }
    good = good && type->read(p, c, &r);
    bytes_free(&p->expanded);
    return good;
}

static bool read_chunk(struct parser *p, const struct chunk *c)
{
    const struct chunk_type *type = find_type(c->type);
    if (!type)
        warn(p, "trace: skipped a chunk of the unknown type %s at byte %zu",
             type_name(c->type).text, c->offset);
    else if (p->t->has_end && c->type != TRACE_INDX)
        return damaged(p, c->offset, "the recording goes on behind its end");
    else if (!check_sizes(p, c) || !read_payload(p, c, type))
        return false;
    bytes_put_int(&p->index, c->type, 4);
    bytes_put_int(&p->index, c->offset, 8);
    p->index_count++;
    return true;
}

static bool read_chunks(struct parser *p)
{
    bool torn = false;
    while (p->at < p->size && !p->has_index) {
        struct chunk c;
        if (!next_chunk(p, &c, &torn))
            return false;
        if (torn)
            break;
        if (!read_chunk(p, &c))
            return false;
    }
    p->t->truncated = !p->has_index;
    if (torn)
        warn(p, "trace: the file ends inside the chunk at byte %zu", p->at);
    else if (!p->has_index)
        warn(p, "trace: the recorder did not come to its end");
    else if (p->at < p->size)
        return damaged(p, p->at, "something follows the end of the trace");
    return true;
}

/* ---- The journal's streams: only whole records, so that a replay never meets a torn one. ---- */

static bool check_streams(struct parser *p)
{
    struct reader pulls = reader_of(p->t->pulls.data, p->t->pulls.size);
    struct reader pushes = reader_of(p->t->pushes.data, p->t->pushes.size);
    struct pull_record pull;
    struct push push = {0};
    while (journal_next_pull(&pulls, &pull))
        continue;
    while (journal_next_push(&pushes, &push))
        continue;
    if (pulls.failed)
        return error_set(p->e, "the trace is damaged: a pulled input is malformed");
    return !pushes.failed || error_set(p->e, "the trace is damaged: a pushed input is malformed");
}

bool trace_parse(struct trace *t, const void *data, size_t size, const struct log *log,
                 struct error *e)
{
    *t = (struct trace){0};
    struct parser p = {.t = t, .data = data, .size = size, .log = log, .e = e};
    bool good = read_header(&p) && read_chunks(&p) && check_streams(&p);
    if (good && !t->config_count)
        good = error_set(e, "the trace holds no configuration");
    bytes_free(&p.index);
    if (!good)
        trace_free(t);
    return good;
}

static void free_texts(struct trace_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i].name);
        free(texts[i].text);
    }
    free(texts);
}

void trace_free(struct trace *t)
{
    free_texts(t->configs, t->config_count);
    free_texts(t->board, t->board_count);
    free_texts(t->machine, t->machine_count);
    bytes_free(&t->pulls);
    bytes_free(&t->pushes);
    bytes_free(&t->exits);
    bytes_free(&t->parts);
    for (size_t i = 0; i < t->image_count; i++)
        bytes_free(&t->images[i].image.contents);
    free(t->images);
    digest_index_free(&t->by_digest);
    for (size_t i = 0; i < t->snapshot_count; i++)
        bytes_free(&t->snapshots[i].chunk);
    free(t->snapshots);
    free(t->digests);
    free(t->end_sentence);
    *t = (struct trace){0};
}

bool trace_lacks(const struct trace *t, uint64_t size)
{
    for (size_t i = 0; i < t->image_count; i++)
        if (!t->images[i].here && t->images[i].size == size)
            return true;
    return false;
}

bool trace_supply_image(struct trace *t, const void *data, size_t size)
{
    struct trace_image *image = find_image(t, sha256_of(data, size));
    if (!image || image->here)
        return false;
    bytes_put(&image->image.contents, data, size);
    image->size = size;
    image->here = true;
    return true;
}

void trace_into_journal(struct trace *t, struct journal *j)
{
    *j = (struct journal){.pulls = t->pulls, .pushes = t->pushes};
    t->pulls = t->pushes = (struct bytes){0};
    for (size_t i = 0; i < t->image_count; i++) {
        if (!t->images[i].here)
            continue;
        j->images = array_grow(j->images, j->image_count, sizeof *j->images);
        j->images[j->image_count++] = t->images[i].image;
        t->images[i].image.contents = (struct bytes){0};
        t->images[i].here = false;
    }
    journal_replay(j);
}
