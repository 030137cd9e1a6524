/* The numbers of the trace format that writer and reader share: docs/trace-format.md. */
#ifndef EMU_TRACE_FORMAT_H
#define EMU_TRACE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* Begins with a byte that is not text, so that no editor takes the file for text. */
#define TRACE_MAGIC       "\211QTR"
#define TRACE_VERSION     2 /* 1 has neither frames nor ranges of files; it is read as well */
#define TRACE_HEADER_SIZE 16
#define TRACE_CHUNK_SIZE  32 /* the chunk's header, without payload */

enum trace_chunk_flag { TRACE_CHUNK_ZSTD = 1 << 0 };

/* A chunk type: its four characters as they stand in the file, read as a little-endian integer. */
#define TRACE_TYPE(a, b, c, d)                                                                     \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define TRACE_CONF TRACE_TYPE('C', 'O', 'N', 'F')
#define TRACE_BORD TRACE_TYPE('B', 'O', 'R', 'D')
#define TRACE_MACH TRACE_TYPE('M', 'A', 'C', 'H')
#define TRACE_IMAG TRACE_TYPE('I', 'M', 'A', 'G')
#define TRACE_PULL TRACE_TYPE('P', 'U', 'L', 'L')
#define TRACE_PUSH TRACE_TYPE('P', 'U', 'S', 'H')
#define TRACE_SNAP TRACE_TYPE('S', 'N', 'A', 'P')
#define TRACE_DIGS TRACE_TYPE('D', 'I', 'G', 'S')
#define TRACE_EXIT TRACE_TYPE('E', 'X', 'I', 'T')
#define TRACE_PART TRACE_TYPE('P', 'A', 'R', 'T')
#define TRACE_ENDV TRACE_TYPE('E', 'N', 'D', 'V')
#define TRACE_INDX TRACE_TYPE('I', 'N', 'D', 'X')

#define TRACE_INDEX_ENTRY 12 /* bytes: type (4), offset (8) */

#endif
