/* chunks unpack <TRACE >ROW; chunks pack <ROW >TRACE: a trace as a row of its chunks (type, size in
 * 8 bytes, expanded contents), and such a row as a trace with the right sizes and checksums: for
 * tests that change what is in one. The header comes as a chunk of its own, first, of which the
 * checksum is made anew, and so is the index, which is left out. */
#include <stdio.h>
#include <string.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "emu/trace.h"
#include "emu/trace_format.h"

static void read_all(struct bytes *in)
{
    uint8_t part[65536];
    size_t size;
    while ((size = fread(part, 1, sizeof part, stdin)) != 0)
        bytes_put(in, part, size);
}

static int write_all(const struct bytes *out)
{
    return fwrite(out->data, 1, out->size, stdout) == out->size && fflush(stdout) == 0 ? 0 : 1;
}

/* As a chunk's type. */
#define HEADER TRACE_TYPE('H', 'E', 'A', 'D')

static void put_row(uint32_t type, const uint8_t *data, size_t size, struct bytes *out)
{
    bytes_put_int(out, type, 4);
    bytes_put_int(out, size, 8);
    bytes_put(out, data, size);
}

static void unpack_chunk(struct reader *in, struct bytes *out)
{
    uint32_t type = (uint32_t)reader_int(in, 4);
    uint64_t flags = reader_int(in, 4), raw_size = reader_int(in, 8);
    size_t stored_size = (size_t)reader_int(in, 8);
    reader_int(in, 8); /* checksums */
    const uint8_t *stored = reader_bytes(in, stored_size);
    struct bytes raw = {0};
    struct error e = {0};
    CHECK(stored);
    if (flags & TRACE_CHUNK_ZSTD)
        CHECK(compress_expand_zstd(stored, stored_size, (size_t)raw_size, &raw, &e));
    else
        bytes_put(&raw, stored, stored_size);
    if (type != TRACE_INDX)
        put_row(type, raw.data, raw.size, out);
    bytes_free(&raw);
}

static void unpack(const struct bytes *in, struct bytes *out)
{
    struct reader r = reader_of(in->data, in->size);
    const uint8_t *header = reader_bytes(&r, TRACE_HEADER_SIZE);
    CHECK(header);
    put_row(HEADER, header, TRACE_HEADER_SIZE - 4, out);
    while (!reader_at_end(&r))
        unpack_chunk(&r, out);
}

static void pack_chunk(uint32_t type, const uint8_t *data, size_t size, struct bytes *out)
{
    size_t header = out->size;
    bytes_put_int(out, type, 4);
    bytes_put_int(out, 0, 4);
    bytes_put_int(out, size, 8);
    bytes_put_int(out, size, 8);
    bytes_put_int(out, compress_crc32(data, size), 4);
    bytes_put_int(out, compress_crc32(out->data + header, 28), 4);
    bytes_put(out, data, size);
}

/* One chunk of a row; or the header, of which that is not one. */
static bool pack_next(struct reader *r, struct bytes *index, struct bytes *out)
{
    uint32_t type = (uint32_t)reader_int(r, 4);
    size_t size = (size_t)reader_int(r, 8);
    const uint8_t *data = reader_bytes(r, size);
    CHECK(data);
    if (type == HEADER) {
        bytes_put(out, data, size);
        bytes_put_int(out, compress_crc32(data, size), 4);
        return false;
    }
    bytes_put_int(index, type, 4);
    bytes_put_int(index, out->size, 8);
    pack_chunk(type, data, size, out);
    return true;
}

static void pack(const struct bytes *in, struct bytes *out)
{
    struct reader r = reader_of(in->data, in->size);
    struct bytes index = {0}, whole = {0};
    uint64_t count = 0;
    while (!reader_at_end(&r))
        count += pack_next(&r, &index, out);
    bytes_put_int(&whole, count, 8);
    bytes_put(&whole, index.data, index.size);
    bytes_put_int(&whole, out->size, 8);
    pack_chunk(TRACE_INDX, whole.data, whole.size, out);
    bytes_free(&index);
    bytes_free(&whole);
}

int main(int count, char **words)
{
    struct bytes in = {0}, out = {0};
    bool packs = count == 2 && strcmp(words[1], "pack") == 0;
    if (!packs && (count != 2 || strcmp(words[1], "unpack") != 0)) {
        fprintf(stderr, "usage: chunks unpack|pack <FILE >FILE\n");
        return 2;
    }
    read_all(&in);
    if (packs)
        pack(&in, &out);
    else
        unpack(&in, &out);
    int status = write_all(&out);
    bytes_free(&in);
    bytes_free(&out);
    return status;
}
