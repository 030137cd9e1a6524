/* What an A64 load, store or address-taking instruction at PC does with memory: enough to find the
 * exact address of an abort (only the page is known to the engine) and to carry out a trapped
 * access. All that the models advertise (Armv8.0, FEAT_LSE, FEAT_LRCPC2); what is unallocated, and
 * prefetches, which never fault, do nothing with it. Encodings: Arm ARM C4.1.91 "Loads and Stores",
 * C4.1.90 (system instructions). */
#ifndef CPU_ARM64_INSN_H
#define CPU_ARM64_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/engine.h"

enum insn_memory_class {
    INSN_NOT_MEMORY,
    INSN_SINGLE,    /* one general-purpose register */
    INSN_PAIR,      /* LDP, STP, LDPSW, LDNP, STNP */
    INSN_EXCLUSIVE, /* LDXR, STXR, LDXP, STXP and the acquire/release forms */
    INSN_ATOMIC,    /* LSE: LDADD..., SWP, CAS, CASP */
    INSN_VECTOR,    /* SIMD and FP loads and stores of every form */
    INSN_ZERO,      /* DC ZVA */
    INSN_CACHE,     /* DC and IC by VA */
};

struct insn_memory {
    enum insn_memory_class class;
    uint64_t address;     /* of the first byte */
    uint64_t size;        /* bytes in all */
    uint64_t argument;    /* INSN_ZERO, INSN_CACHE: the register's value, which FAR_ELx shows */
    bool is_write;        /* data goes to memory (atomics: also) */
    bool unprivileged;    /* LDTR, STTR */
    unsigned access_size; /* of one register's access, or of one element of a SIMD structure */
    bool sign_extend;     /* SSE */
    bool to_64;           /* SF: the destination is an X register */
    bool ordered;         /* AR: acquire/release */
    unsigned rt, rt2, rn; /* rn 31 = SP */
    unsigned registers;   /* whole ones that are moved: 1, 2; 0: it is another kind of access */
    bool writeback;
    uint64_t writeback_value;
    bool syndrome_valid; /* ISV: a hypervisor gets a full syndrome for it */
};

/* Decodes `word` at `pc`, with registers from the engine. */
struct insn_memory insn_memory_decode(struct engine *e, uint64_t pc, uint32_t word);
/* ISS of a Data Abort, as far as the instruction decides it: ISV, SAS, SSE, SRT, SF, AR, CM
 * (D19.2.37). EL1 sees only CM of it. */
#define ISS_CM (1u << 8)
uint32_t insn_syndrome(const struct insn_memory *m);
/* What of a value that was read goes to the register; and what the access does to its base. */
uint64_t insn_extended(uint64_t value, const struct insn_memory *m);
void insn_write_back(struct engine *e, const struct insn_memory *m);
/* What the address must be a multiple of, where alignment is checked at all (Arm ARM B2.9.2). */
static inline unsigned insn_alignment(const struct insn_memory *m)
{
    bool whole = m->class == INSN_EXCLUSIVE || m->class == INSN_ATOMIC;
    return whole ? (unsigned)m->size : m->access_size;
}
/* LDTR*, STTR*: an access with EL0's rights. */
bool insn_is_unprivileged(uint32_t word);
/* LDXR*, LDAXR*, LDXP, LDAXP: sets the exclusive monitor. */
bool insn_is_load_exclusive(uint32_t word);
/* In the groups of LDAR and STLR, of LDAPUR and STLUR, or of LDAPR. */
bool insn_may_be_ordered(uint32_t word);
/* A load or store whose address is a base plus a register. */
bool insn_has_register_offset(uint32_t word);
/* In the groups that have acquires, releases and atomics: none that every Armv8.0 core has. */
bool insn_is_after_v8_0(uint32_t word);
/* General registers that it may write, and more; SP (31) if it may leave it misaligned. */
uint32_t insn_may_change_bases(uint32_t word);
/* Leaves SP elsewhere than a multiple of 16 from where it was, or may do so. */
bool insn_misaligns_sp(uint32_t word);
/* Reads or writes the FP and SIMD registers, so that CPACR_EL1.FPEN may trap it. */
bool insn_is_fp(uint32_t word);

/* What an instruction does to event registers (D1.16.1), at most. */
enum insn_event {
    INSN_SETS_EVENT = 1,  /* its CPU's: SEV, SEVL, an exception return */
    INSN_SENDS_EVENT = 2, /* another's: SEV, a store where that one's monitor may be */
};
enum insn_event insn_event(uint32_t word);

#endif
