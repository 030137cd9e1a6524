/* chunks unpack <TRACE >ROW; chunks pack <ROW >TRACE: a trace as a row of its chunks (type, size in
 * 8 bytes, expanded contents), and such a row as a trace with the right sizes and checksums: for
 * tests that change what is in one. Index and header are left out, and made anew. */
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
        CHECK(expand_zstd(stored, stored_size, (size_t)raw_size, &raw, &e));
    else
        bytes_put(&raw, stored, stored_size);
    if (type != TRACE_INDX) {
        bytes_put_int(out, type, 4);
        bytes_put_int(out, raw.size, 8);
        bytes_put(out, raw.data, raw.size);
    }
    bytes_free(&raw);
}

static void unpack(const struct bytes *in, struct bytes *out)
{
    struct reader r = reader_of(in->data, in->size);
    CHECK(reader_bytes(&r, TRACE_HEADER_SIZE));
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
    bytes_put_int(out, crc32_of(data, size), 4);
    bytes_put_int(out, crc32_of(out->data + header, 28), 4);
    bytes_put(out, data, size);
}

static void pack(const struct bytes *in, struct bytes *out)
{
    struct reader r = reader_of(in->data, in->size);
    struct bytes index = {0}, whole = {0};
    uint64_t count = 0;
    bytes_put(out, TRACE_MAGIC, 4);
    bytes_put_int(out, TRACE_VERSION, 4);
    bytes_put_int(out, TRACE_QUIRKS, 4);
    bytes_put_int(out, crc32_of(out->data, 12), 4);
    for (; !reader_at_end(&r); count++) {
        uint32_t type = (uint32_t)reader_int(&r, 4);
        size_t size = (size_t)reader_int(&r, 8);
        const uint8_t *data = reader_bytes(&r, size);
        CHECK(data);
        bytes_put_int(&index, type, 4);
        bytes_put_int(&index, out->size, 8);
        pack_chunk(type, data, size, out);
    }
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
