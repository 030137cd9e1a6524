/* Shared inside hv/arm64/ only: the functions of vm_arch_arm64. */
#ifndef HV_ARM64_VM_ARM64_H
#define HV_ARM64_VM_ARM64_H

#include "cpu/vcpu.h"
#include "hv/vm_arch.h"
#include "mmu/arm64/stage1.h"

/* core_notes.c */
void arm64_put_core_notes(struct bytes *out, unsigned pid, const struct vcpu_registers *r);
enum core_note arm64_take_core_note(uint32_t type, const uint8_t *data, size_t size,
                                    struct vcpu_registers *r, struct error *e);
bool arm64_can_start(const struct vcpu_registers *r, struct error *why);

/* explain_arm64.c */
void arm64_explain(struct vm *vm, struct vcpu *v, const struct explain_question *q, bool json,
                   struct bytes *out);

/* exit_arm64.c */
enum exit_result arm64_call(struct vm *vm, struct vcpu *v, struct guest_exit *x);
enum exit_result arm64_debug_call(struct vm *vm, struct vcpu *v, struct guest_exit *x);
bool arm64_table_is_damaged(const struct guest_exit *x);
void arm64_trace_arguments(const struct guest_exit *x, uint32_t *reason, uint64_t *payload);

/* image_arm64.c */
extern const struct image_format arm64_image;

/* observed_arm64.c */
extern const struct observed_arch arm64_observed;

/* exception_text.c */
bool arm64_put_exception(const struct vcpu_registers *before, const struct vcpu_registers *after,
                         struct bytes *out);
void arm64_put_exception_json(const struct vcpu_registers *before,
                              const struct vcpu_registers *after, struct json *j);
unsigned arm64_level(const struct vcpu_registers *r);
const char *arm64_timer_register(unsigned timer, unsigned reg);

/* guest_tree.c */
bool arm64_build_tree(struct vm *vm, const struct fdt_inputs *inputs, struct bytes *out,
                      struct error *e);
void arm64_pass_seeds(struct vm *vm);

/* mappings.c: by which registers stage 1 translates for the vCPU: before it was ever on, and until
 * it has begun to run after power-on, it is off, whatever they hold. */
struct stage1 arm64_regime(const struct vcpu *v);
bool arm64_locate(struct vm *vm, const struct vcpu *v, gva_t at, gpa_t *place);
bool arm64_is_mapping(const struct vcpu *v);
void arm64_each_mapping(struct vm *vm, const struct vcpu *v,
                        bool (*mapping)(void *context, const struct guest_mapping *m),
                        void *context);

#endif
