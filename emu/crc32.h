/* The greater part of a CRC-32 (RFC 1952 section 8) by carry-less multiplication, where the host
 * has an instruction for that: ten times as fast as by tables, and a trace is tens of megabytes. */
#ifndef EMU_CRC32_H
#define EMU_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_FOLDED 16 /* bytes */

/* How many bytes from the start of the data it did, a multiple of 64; perhaps none. `folded` has
 * the same remainder as they, for a register that begins with 0 instead of all ones. */
size_t crc32_fold(const uint8_t *data, size_t size, uint8_t folded[CRC32_FOLDED]);

#endif
