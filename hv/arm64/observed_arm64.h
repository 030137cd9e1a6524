/* Shared inside hv/arm64/ only: the functions of arm64_observed. ESR_EL2: Arm ARM D19.2.38. */
#ifndef HV_ARM64_OBSERVED_ARM64_H
#define HV_ARM64_OBSERVED_ARM64_H

#include "hv/foreign/import_verdict.h"
#include "hv/foreign/observed_arch.h"

#define CLASS_MAX 0x3fu /* of the exception class */

/* Fields of the ISS, of which an exit may know some only. */
#define ISS_ALL       0x1ffffffu
#define ISS_STATUS    0x3fu /* IFSC, DFSC */
#define ISS_S1PTW     (1u << 7)
#define ISS_WNR       (1u << 6)
#define ISS_ISV       (1u << 24)
#define ISS_SAS       (3u << 22)
#define ISS_IMMEDIATE 0xffffu   /* of HVC and SMC */
#define ISS_WFE       1u        /* TI, of WFI and WFE */
#define ISS_READ      1u        /* of MSR and MRS: the direction, */
#define ISS_REGISTER  0x3ffc1fu /* and all but Rt: Op0, Op2, Op1, CRn, CRm and the direction */

/* Knows the exit all of these bits? */
static inline bool arm64_knows(const struct observed_exit *x, uint32_t bits)
{
    return (x->syndrome_known & bits) == bits;
}

/* ftrace_arm64.c */
extern const struct ftrace_event arm64_tracepoints[];
bool arm64_take_kvm_exit(struct ftrace_reading *r, struct ftrace_line *v, struct error *e);
void arm64_put_ftrace_entry(const struct board_event *e, struct bytes *out);
void arm64_put_ftrace_exit(const struct board_event *e, uint64_t x0, struct bytes *out);

/* verdict_arm64.c */
void arm64_verdict(struct vm *vm, struct vcpu *v, const struct observed_exit *x, bool lazy,
                   struct import_verdict *j);

#endif
