/* A guest exit that was seen elsewhere: on a board, under another hypervisor, in a text somebody
 * kept. Unlike the exits of a recording it has only what its source knew: which of its fields hold
 * something is in `known`, which bits of the syndrome in `syndrome_known`. A row of them is an exit
 * stream, which a trace can hold (docs/trace-format.md, EXIT version 2). */
#ifndef HV_FOREIGN_OBSERVED_EXIT_H
#define HV_FOREIGN_OBSERVED_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/bytes.h"

enum observed_kind {
    OBSERVED_TRAP = 1,  /* to a hypervisor of AArch64, with a syndrome */
    OBSERVED_INTERRUPT, /* of the host, or another vCPU's turn: nothing that the guest did */
    OBSERVED_X86,       /* kept as it was called; x86 guests are not modelled */
    OBSERVED_KINDS
};

/* Which fields hold something. */
enum observed_known {
    OBSERVED_TIME = 1 << 0,          /* ns */
    OBSERVED_PC = 1 << 1,            /* pc; x86: rip */
    OBSERVED_GVA = 1 << 2,           /* gva */
    OBSERVED_IPA = 1 << 3,           /* ipa; x86: guest-physical */
    OBSERVED_ACCESS = 1 << 4,        /* size, is_write */
    OBSERVED_VALUE = 1 << 5,         /* value: written, read, or the first argument of a call */
    OBSERVED_QUALIFICATION = 1 << 6, /* info1, info2; x86 */
    OBSERVED_ALL = (1 << 7) - 1
};

#define OBSERVED_VERSION     2 /* a stream's first byte; exits follow */
#define OBSERVED_REASON_SIZE 32
#define OBSERVED_VCPUS_MAX   64
#define OBSERVED_EXITS_MAX   ((size_t)1 << 20)

#define OBSERVED_SYNDROME_ALL 0xffffffffu
#define OBSERVED_NO_CLASS     UINT32_MAX

struct vm_arch;

struct observed_exit {
    const struct vm_arch *arch; /* of the VM; of one in a stream, that has traps like it; or NULL */
    enum observed_kind kind;
    uint8_t vcpu;
    unsigned known;
    uint32_t line; /* of the file it came from; 0: none */
    uint32_t syndrome, syndrome_known;
    uint64_t ns, pc, gva, ipa, value, info1, info2;
    uint8_t size; /* bytes */
    bool is_write;
    char reason[OBSERVED_REASON_SIZE]; /* as the source called it; may be empty */
};

struct observed_stream {
    struct observed_exit *exits; /* owned */
    size_t count;
};

void observed_stream_free(struct observed_stream *s);
/* One more exit, all zero; NULL: there are OBSERVED_EXITS_MAX. Earlier pointers are void. */
struct observed_exit *observed_stream_add(struct observed_stream *s);
/* observed_stream.c */
void observed_stream_put(const struct observed_stream *s, struct bytes *out);
/* False, and *s empty: the data is no such stream. */
bool observed_stream_get(struct observed_stream *s, const void *data, size_t size);
/* Is it one, rather than the exit log of a recorded run? */
bool observed_stream_is(const void *data, size_t size);

/* The class of a trap if the syndrome has all of it, else OBSERVED_NO_CLASS. */
unsigned observed_class(const struct observed_exit *x);
/* The hypervisor's tables refused an access; the class is known. */
bool observed_is_abort(const struct observed_exit *x);

#endif
