#include "emu/compress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "emu/check.h"
#include "emu/crc32.h"

#define LIKELY_RATIO 8
#define PIECE_SIZE   ((size_t)1 << 16) /* output is made in pieces of this size, on the stack */

static const uint8_t nothing[1];

/* The libraries do not promise to accept a null pointer with size 0. */
static const void *pointer_or_nothing(const void *data)
{
    return data ? data : nothing;
}

/* Appends a piece of output; false if that makes more than `limit` bytes behind `before`. */
static bool put_piece(struct bytes *out, size_t before, size_t limit, const uint8_t *piece,
                      size_t size, struct error *e)
{
    if (size > limit - (out->size - before))
        return error_set(e, "the compressed data expands to more than %zu bytes", limit);
    bytes_put(out, piece, size);
    return true;
}

bool compress_zstd(const void *data, size_t size, enum compress_effort effort, struct bytes *out)
{
    int level = effort == COMPRESS_MORE_QUICKLY ? -3 : 1; /* the default is 3, and twice as slow */
    bytes_reserve(out, ZSTD_compressBound(size));
    size_t used = ZSTD_compress(out->data + out->size, out->capacity - out->size,
                                pointer_or_nothing(data), size, level);
    bool good = !ZSTD_isError(used);
    if (good)
        out->size += used;
    return good;
}

static bool expand_frames(ZSTD_DCtx *context, ZSTD_inBuffer in, size_t limit, struct bytes *out,
                          struct error *e)
{
    size_t before = out->size, wanted;
    uint8_t piece[PIECE_SIZE];
    do {
        ZSTD_outBuffer to = {piece, sizeof piece, 0};
        size_t in_before = in.pos;
        wanted = ZSTD_decompressStream(context, &to, &in);
        CHECK_ROOM(ZSTD_getErrorCode(wanted) != ZSTD_error_memory_allocation);
        if (ZSTD_isError(wanted))
            return error_set(e, "the zstd data is damaged: %s", ZSTD_getErrorName(wanted));
        if (!put_piece(out, before, limit, piece, to.pos, e))
            return false;
        if (wanted && to.pos == 0 && in.pos == in_before)
            return error_set(e, "the zstd data ends early");
    } while (wanted || in.pos < in.size);
    return true;
}

bool compress_expand_zstd(const void *data, size_t size, size_t limit, struct bytes *out,
                          struct error *e)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    CHECK_ROOM(context);
    size_t before = out->size, likely = size < limit / LIKELY_RATIO ? size * LIKELY_RATIO : limit;
    ZSTD_inBuffer in = {pointer_or_nothing(data), size, 0};
    bytes_reserve(out, likely); /* whatever the data claims, no more than it may well need */
    bool good = expand_frames(context, in, limit, out, e);
    if (!good)
        out->size = before;
    ZSTD_freeDCtx(context);
    return good;
}

/* A context is larger than what it expands here. */
struct expander *compress_expander_new(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    CHECK_ROOM(context);
    return (struct expander *)context;
}

void compress_expander_free(struct expander *x)
{
    ZSTD_freeDCtx((ZSTD_DCtx *)x);
}

bool compress_expander_expand(struct expander *x, const void *frame, size_t size, void *to,
                              size_t room)
{
    return ZSTD_decompressDCtx((ZSTD_DCtx *)x, to, room, frame, size) == room;
}

/* zlib counts input in `unsigned`: hands it the next part of what is left. */
static void refill(z_stream *z, size_t *left)
{
    uInt part = *left < UINT32_MAX ? (uInt)*left : UINT32_MAX;
    if (z->avail_in == 0) {
        z->avail_in = part;
        *left -= part;
    }
}

static bool another_member(const z_stream *z, size_t left)
{
    return z->avail_in + left >= 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b;
}

static bool expand_members(z_stream *z, size_t left, size_t limit, struct bytes *out,
                           struct error *e)
{
    size_t before = out->size;
    uint8_t piece[PIECE_SIZE];
    for (;;) {
        refill(z, &left);
        z->next_out = piece;
        z->avail_out = sizeof piece;
        int result = inflate(z, Z_NO_FLUSH);
        CHECK_ROOM(result != Z_MEM_ERROR);
        if (result == Z_BUF_ERROR)
            return error_set(e, "the gzip data ends early");
        if (result != Z_OK && result != Z_STREAM_END)
            return error_set(e, "the gzip data is damaged: %s",
                             z->msg ? z->msg : "no reason known");
        if (!put_piece(out, before, limit, piece, sizeof piece - z->avail_out, e))
            return false;
        if (result == Z_STREAM_END) {
            if (!another_member(z, left))
                return true;
            inflateReset(z);
        }
    }
}

bool compress_expand_gzip(const void *data, size_t size, size_t limit, struct bytes *out,
                          struct error *e)
{
    /* zlib never writes through next_in, it only lacks the const in older versions. */
    z_stream z = {.next_in = (Bytef *)(uintptr_t)pointer_or_nothing(data)};
    CHECK_ROOM(inflateInit2(&z, 15 + 16) == Z_OK); /* 32 KiB window; + 16: gzip, not zlib, format */
    size_t before = out->size;
    bool good = expand_members(&z, size, limit, out, e);
    if (!good)
        out->size = before;
    inflateEnd(&z);
    return good;
}

uint32_t compress_crc32(const void *data, size_t size)
{
    const uint8_t *rest = pointer_or_nothing(data);
    uint8_t folded[CRC32_FOLDED];
    size_t done = crc32_fold(rest, size, folded);
    /* What was folded begins with a register of zeros; zlib shows the register inverted. */
    uLong crc = done ? crc32_z(UINT32_MAX, folded, sizeof folded) : 0;
    return (uint32_t)crc32_z(crc, rest + done, size - done);
}
