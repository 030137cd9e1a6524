#include <inttypes.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "emu/machine.h"
#include "emu/trace.h"
#include "emu/trace_format.h"

/* How large a chunk of inputs grows before the next one begins. */
#define TAIL_MAX ((size_t)1 << 14)
/* Below this size compression gains less than a chunk's header has. */
#define COMPRESS_FROM 64

static bool emit(struct trace_writer *w, const void *data, size_t size)
{
    if (!w->failed && size && !w->sink.write(w->sink.context, data, size))
        w->failed = true;
    if (!w->failed)
        w->offset += size;
    return !w->failed;
}

bool trace_writer_begin(struct trace_writer *w, struct trace_sink sink, uint32_t quirks)
{
    *w = (struct trace_writer){.sink = sink};
    struct bytes header = {0};
    bytes_put(&header, TRACE_MAGIC, 4);
    bytes_put_int(&header, TRACE_VERSION, 4);
    bytes_put_int(&header, MACHINE_QUIRKS & ~quirks, 4);
    bytes_put_int(&header, compress_crc32(header.data, header.size), 4);
    bool good = emit(w, header.data, header.size);
    bytes_free(&header);
    return good;
}

static void make_header(uint8_t header[TRACE_CHUNK_SIZE], uint32_t type, uint32_t flags,
                        uint64_t raw_size, const void *stored, size_t stored_size)
{
    store_le(header, type, 4);
    store_le(header + 4, flags, 4);
    store_le(header + 8, raw_size, 8);
    store_le(header + 16, stored_size, 8);
    store_le(header + 24, compress_crc32(stored, stored_size), 4);
    store_le(header + 28, compress_crc32(header, 28), 4);
}

static bool emit_chunk(struct trace_writer *w, uint32_t type, uint32_t flags, uint64_t raw_size,
                       const void *stored, size_t stored_size)
{
    uint8_t header[TRACE_CHUNK_SIZE];
    make_header(header, type, flags, raw_size, stored, stored_size);
    return emit(w, header, sizeof header) && emit(w, stored, stored_size);
}

static bool begin_chunk(struct trace_writer *w, uint32_t type, size_t size)
{
    CHECK(!w->ended || type == TRACE_INDX);
    if (size > TRACE_CHUNK_MAX || size > TRACE_TOTAL_MAX - w->raw_total)
        w->failed = w->too_large = true;
    if (w->failed)
        return false;
    w->raw_total += size;
    if (type != TRACE_INDX) {
        bytes_put_int(&w->index, type, 4);
        bytes_put_int(&w->index, w->offset, 8);
        w->index_count++;
    }
    return true;
}

/* Would it be smaller compressed? Then it is in `packed`. */
static bool pack(const void *data, size_t size, struct bytes *packed)
{
    return size >= COMPRESS_FROM && compress_zstd(data, size, COMPRESS_QUICKLY, packed) &&
           packed->size < size;
}

static bool write_chunk(struct trace_writer *w, uint32_t type, const void *data, size_t size)
{
    if (!begin_chunk(w, type, size))
        return false;
    struct bytes packed = {0};
    /* The index is left as it is: its last bytes are the file's. A snapshot is compressed within,
     * by frames. */
    bool smaller = type != TRACE_INDX && type != TRACE_SNAP && pack(data, size, &packed);
    bool good = smaller ? emit_chunk(w, type, TRACE_CHUNK_ZSTD, size, packed.data, packed.size)
                        : emit_chunk(w, type, 0, size, data, size);
    bytes_free(&packed);
    return good;
}

/* The same for a payload that was built for the purpose, which is freed. */
static bool write_built(struct trace_writer *w, uint32_t type, struct bytes *payload)
{
    bool good = write_chunk(w, type, payload->data, payload->size);
    bytes_free(payload);
    return good;
}

static bool write_piece(struct trace_writer *w, uint32_t type, const void *data, size_t size)
{
    return size ? write_chunk(w, type, data, size) : !w->failed;
}

static bool write_texts(struct trace_writer *w, uint32_t type, const struct trace_text *texts,
                        size_t count)
{
    CHECK(count <= TRACE_TEXTS_MAX);
    struct bytes payload = {0};
    bytes_put_varint(&payload, count);
    for (size_t i = 0; i < count; i++) {
        bytes_put_string(&payload, texts[i].name);
        bytes_put_string(&payload, texts[i].text);
    }
    return write_built(w, type, &payload);
}

bool trace_write_config(struct trace_writer *w, const struct trace_text *configs, size_t count)
{
    CHECK(count);
    return write_texts(w, TRACE_CONF, configs, count);
}

bool trace_write_board(struct trace_writer *w, const struct trace_text *board)
{
    return write_texts(w, TRACE_BORD, board, 1);
}

bool trace_write_machine(struct trace_writer *w, const struct trace_text *properties, size_t count)
{
    return write_texts(w, TRACE_MACH, properties, count);
}

bool trace_write_image(struct trace_writer *w, struct digest digest, const void *data, size_t size)
{
    if (w->images_written++ == TRACE_IMAGES_MAX || (!w->no_images && size > TRACE_CHUNK_MAX))
        w->failed = w->too_large = true;
    if (w->failed)
        return false;
    struct bytes payload = {0}, packed = {0};
    bytes_put(&payload, digest.b, sizeof digest.b);
    bytes_put_int(&payload, size, 8);
    if (w->no_images)
        return write_built(w, TRACE_IMAG, &payload);
    /* In two frames, as a copy of a large image behind its digest would cost as much again. */
    size_t raw_size = payload.size + size;
    bool good = begin_chunk(w, TRACE_IMAG, raw_size);
    if (good && compress_zstd(payload.data, payload.size, COMPRESS_QUICKLY, &packed) &&
        compress_zstd(data, size, COMPRESS_MORE_QUICKLY, &packed) && packed.size < raw_size) {
        good = emit_chunk(w, TRACE_IMAG, TRACE_CHUNK_ZSTD, raw_size, packed.data, packed.size);
    } else if (good) {
        bytes_put(&payload, data, size);
        good = emit_chunk(w, TRACE_IMAG, 0, raw_size, payload.data, payload.size);
    }
    bytes_free(&packed);
    bytes_free(&payload);
    return good;
}

bool trace_write_pulls(struct trace_writer *w, const void *data, size_t size)
{
    return write_piece(w, TRACE_PULL, data, size);
}

/* One key at a time would be a chunk of 32 bytes of header for each. The chunk never gets shorter,
 * so that nothing of the one before is left behind it. */
static bool grow_tail(struct trace_writer *w, const void *data, size_t size)
{
    bool grows = w->sink.replace && w->tail.size && w->tail_end == w->offset && !w->failed &&
                 size <= TAIL_MAX - w->tail.size && size <= TRACE_TOTAL_MAX - w->raw_total;
    if (!grows)
        return false;
    struct bytes packed = {0}, chunk = {0};
    uint8_t header[TRACE_CHUNK_SIZE];
    bytes_put(&w->tail, data, size);
    bool smaller = pack(w->tail.data, w->tail.size, &packed) &&
                   w->tail_offset + TRACE_CHUNK_SIZE + packed.size >= w->offset;
    const struct bytes *stored = smaller ? &packed : &w->tail;
    make_header(header, TRACE_PUSH, smaller ? TRACE_CHUNK_ZSTD : 0, w->tail.size, stored->data,
                stored->size);
    bytes_put(&chunk, header, sizeof header);
    bytes_put(&chunk, stored->data, stored->size);
    bool good = w->sink.replace(w->sink.context, w->tail_offset, chunk.data, chunk.size);
    if (good) {
        w->raw_total += size;
        w->offset = w->tail_end = w->tail_offset + chunk.size;
    } else {
        bytes_clear(&w->tail);
    }
    bytes_free(&packed);
    bytes_free(&chunk);
    return good;
}

bool trace_write_pushes(struct trace_writer *w, const void *data, size_t size)
{
    if (!size || grow_tail(w, data, size))
        return !w->failed;
    w->tail_offset = w->offset;
    if (!write_chunk(w, TRACE_PUSH, data, size))
        return false;
    w->tail_end = w->offset;
    bytes_clear(&w->tail);
    if (size < TAIL_MAX)
        bytes_put(&w->tail, data, size);
    return true;
}

bool trace_write_snapshot(struct trace_writer *w, uint64_t instructions, const void *data,
                          size_t size)
{
    struct bytes payload = {0};
    if (w->snapshots_written++ == TRACE_SNAPSHOTS_MAX)
        w->failed = w->too_large = true;
    bytes_put_int(&payload, instructions, 8);
    bytes_put(&payload, data, size);
    return write_built(w, TRACE_SNAP, &payload);
}

bool trace_write_exits(struct trace_writer *w, const void *data, size_t size)
{
    return write_piece(w, TRACE_EXIT, data, size);
}

bool trace_write_parts(struct trace_writer *w, const void *data, size_t size)
{
    return write_piece(w, TRACE_PART, data, size);
}

bool trace_write_digests(struct trace_writer *w, const struct trace_digest *digests, size_t count)
{
    struct bytes payload = {0};
    uint64_t last = 0; /* every chunk starts at 0, so that each can be read alone */
    for (size_t i = 0; i < count; i++) {
        CHECK(digests[i].instructions >= w->last_digest);
        bytes_put_varint(&payload, digests[i].instructions - last);
        bytes_put(&payload, digests[i].state.b, sizeof digests[i].state.b);
        last = digests[i].instructions;
        w->last_digest = last + 1;
    }
    bool good = write_piece(w, TRACE_DIGS, payload.data, payload.size);
    bytes_free(&payload);
    return good;
}

bool trace_write_end(struct trace_writer *w, const struct trace_end *end)
{
    struct bytes payload = {0};
    bytes_put_int(&payload, (uint32_t)end->exit_status, 4);
    bytes_put_int(&payload, end->instructions, 8);
    bytes_put_int(&payload, end->ticks, 8);
    bytes_put(&payload, end->state.b, sizeof end->state.b);
    bytes_put(&payload, end->output.b, sizeof end->output.b);
    bytes_put_string(&payload, end->sentence);
    bool good = write_built(w, TRACE_ENDV, &payload);
    w->ended = true;
    return good;
}

bool trace_writer_finish(struct trace_writer *w)
{
    struct bytes payload = {0};
    bytes_put_int(&payload, w->index_count, 8);
    bytes_put(&payload, w->index.data, w->index.size);
    bytes_put_int(&payload, w->offset, 8);
    bool good = write_built(w, TRACE_INDX, &payload);
    trace_writer_free(w);
    return good;
}

void trace_writer_free(struct trace_writer *w)
{
    bytes_free(&w->index);
    bytes_free(&w->tail);
    *w = (struct trace_writer){0};
}

static bool record_images(struct trace_writer *w, const struct journal *j)
{
    for (; w->images_done < j->image_count; w->images_done++) {
        const struct journal_image *image = &j->images[w->images_done];
        if (!trace_write_image(w, image->digest, image->contents.data, image->contents.size))
            return false;
    }
    return true;
}

static bool record_stream(struct trace_writer *w,
                          bool (*write)(struct trace_writer *w, const void *data, size_t size),
                          const struct bytes *stream, size_t *done)
{
    size_t from = *done;
    *done = stream->size;
    return from == stream->size ? !w->failed : write(w, stream->data + from, stream->size - from);
}

bool trace_record_step(struct trace_writer *w, const struct journal *j, struct error *e)
{
    if (record_images(w, j) && record_stream(w, trace_write_pulls, &j->pulls, &w->pulls_done) &&
        record_stream(w, trace_write_pushes, &j->pushes, &w->pushes_done))
        return true;
    if (w->too_large)
        return error_set(e,
                         "the recording is too large for a trace: %d files, %" PRIu64
                         " bytes a file and %" PRIu64 " bytes in all are the limits",
                         TRACE_IMAGES_MAX, TRACE_CHUNK_MAX, TRACE_TOTAL_MAX);
    return error_set(e, "the trace cannot be written: the host takes no more");
}
