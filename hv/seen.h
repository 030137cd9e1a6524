/* A guest exit that was seen elsewhere: on a board, under another hypervisor, in a text somebody
 * kept. Unlike the exits of a recording it has only what its source knew: which of its fields hold
 * something is in `known`, which bits of the syndrome in `esr_known`. A row of them is an exit
 * stream, which a trace can hold (docs/trace-format.md, EXIT version 2). */
#ifndef HV_SEEN_H
#define HV_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/bytes.h"

enum seen_kind {
    SEEN_TRAP = 1,  /* an exception to EL2, AArch64 */
    SEEN_INTERRUPT, /* of the host, or another vCPU's turn: nothing that the guest did */
    SEEN_X86,       /* kept as it was called; x86 guests are not modelled */
    SEEN_KINDS
};

/* Which fields hold something. */
enum seen_known {
    SEEN_TIME = 1 << 0,          /* ns */
    SEEN_PC = 1 << 1,            /* pc; x86: rip */
    SEEN_GVA = 1 << 2,           /* gva: FAR_EL2 */
    SEEN_IPA = 1 << 3,           /* ipa; x86: guest-physical */
    SEEN_ACCESS = 1 << 4,        /* size, is_write */
    SEEN_VALUE = 1 << 5,         /* value: written, read, or X0 of a call */
    SEEN_QUALIFICATION = 1 << 6, /* info1, info2; x86 */
    SEEN_ALL = (1 << 7) - 1
};

#define SEEN_VERSION     2 /* a stream's first byte; exits follow */
#define SEEN_REASON_SIZE 32
#define SEEN_VCPUS_MAX   64
#define SEEN_EXITS_MAX   ((size_t)1 << 20)

#define SEEN_ESR_EC  0xfc000000u
#define SEEN_ESR_ALL 0xffffffffu

struct seen_exit {
    enum seen_kind kind;
    uint8_t vcpu;
    unsigned known;
    uint32_t line; /* of the file it came from; 0: none */
    uint32_t esr, esr_known;
    uint64_t ns, pc, gva, ipa, value, info1, info2;
    uint8_t size; /* bytes */
    bool is_write;
    char reason[SEEN_REASON_SIZE]; /* as the source called it; may be empty */
};

struct seen_stream {
    struct seen_exit *exits; /* owned */
    size_t count, capacity;
};

void seen_stream_free(struct seen_stream *s);
/* One more exit, all zero; NULL: there are SEEN_EXITS_MAX. Earlier pointers are void. */
struct seen_exit *seen_stream_add(struct seen_stream *s);
void seen_stream_put(const struct seen_stream *s, struct bytes *out);
/* False, and *s empty: the data is no such stream. */
bool seen_stream_get(struct seen_stream *s, const void *data, size_t size);
/* Is it one, rather than the script of a recorded run? */
bool seen_stream_is(const void *data, size_t size);

/* ESR_EL2.EC if it is known, else 0x40. */
unsigned seen_class(const struct seen_exit *x);
/* An abort of stage 2, with the class known. */
bool seen_is_abort(const struct seen_exit *x);

#endif
