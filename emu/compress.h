/* Compression and checksums: the only place that knows zstd and zlib. Whoever expands says how much
 * may come out, because a few bytes of input can ask for gigabytes; memory grows only as output
 * really appears, never because the input announces a size. */
#ifndef EMU_COMPRESS_H
#define EMU_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/error.h"

enum compress_effort {
    COMPRESS_QUICKLY,
    COMPRESS_MORE_QUICKLY, /* a quarter larger, in three quarters of the time */
};

/* Appends one zstd frame (RFC 8878) to `out`. False, and `out` unchanged, if the library cannot. */
bool compress_zstd(const void *data, size_t size, enum compress_effort effort, struct bytes *out);

/* Appends what one or more zstd frames hold to `out`: at most `limit` bytes. On an error (damaged,
 * ends early, more than `limit` bytes) `out` is as before. */
bool compress_expand_zstd(const void *data, size_t size, size_t limit, struct bytes *out,
                          struct error *e);

/* For many small frames, each of known size. */
struct expander;
struct expander *compress_expander_new(void);
void compress_expander_free(struct expander *x);
/* Exactly `room` bytes to `to`; false if the frame is damaged or holds more or fewer. */
bool compress_expander_expand(struct expander *x, const void *frame, size_t size, void *to,
                              size_t room);

/* Like compress_expand_zstd for gzip (RFC 1952): all members. Bytes behind the last member that do
 * not start another one are ignored (padding, an appended device tree). */
bool compress_expand_gzip(const void *data, size_t size, size_t limit, struct bytes *out,
                          struct error *e);

/* The CRC of RFC 1952 section 8: polynomial 0xedb88320, reflected. */
uint32_t compress_crc32(const void *data, size_t size);

#endif
