/* An architecture, as the hypervisor sees it: what its vCPUs are (cpu/arch.h), and what a VM of it
 * has around them. hv/vm_arches.c is the list of them; nothing else outside their own folders knows
 * one. */
#ifndef HV_VM_ARCH_H
#define HV_VM_ARCH_H

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "emu/bytes.h"
#include "emu/error.h"
#include "emu/json.h"

struct vm;
struct fdt_inputs;
struct vdev_type;
struct image_format;
struct observed_arch;

/* One row of the virtual addresses of a guest. */
struct guest_mapping {
    uint64_t va, gpa, size;
};

/* An access that somebody asks about; as the vCPU would make it now. */
struct explain_question {
    uint64_t address;
    bool is_gpa; /* else virtual */
    enum access_kind kind;
};

enum core_note {
    CORE_NOTE_OTHER,  /* nothing of it */
    CORE_NOTE_BEGINS, /* the first of a vCPU's */
    CORE_NOTE_MORE,
    CORE_NOTE_BAD, /* with the error */
};

struct vm_arch {
    const struct arch *cpu;

    /* Guest exits that not all architectures handle alike (hv/exits.c has the others). */
    enum exit_result (*exits[EXIT_REASONS])(struct vm *vm, struct vcpu *v, struct guest_exit *x);
    /* The device tree of a VM; where none is built, what it would have asked the journal for.
     * NULL: its guests are told otherwise. */
    bool (*build_tree)(struct vm *vm, const struct fdt_inputs *inputs, struct bytes *out,
                       struct error *e);
    void (*pass_tree)(struct vm *vm);

    /* Cores of guests: e_machine of ELF (System V ABI), its name, and the notes of a vCPU as a core
     * of Linux has them, which gdb expects. */
    uint16_t elf_machine;
    const char *elf_machine_name;
    void (*put_core_notes)(struct bytes *out, unsigned pid, const struct vcpu_registers *r);
    /* What a note of the owner CORE says of a vCPU is put into `r`: of the next one if it begins
     * it, else of the last. */
    enum core_note (*take_core_note)(uint32_t type, const uint8_t *data, size_t size,
                                     struct vcpu_registers *r, struct error *e);
    /* What a vCPU does of a core that lacks them, and the option that sets the first of them. */
    const char *without_system_registers;
    const struct vdev_type *pic; /* of a VM whose configuration names none */
    /* The words of a machine for a bare image, as many of them expect one: with a console, an exit
     * device and semihosting. */
    const char *bare_machine;
    const struct image_format *kernel;    /* that it has beside ELF (hv/images/image.h), or NULL */
    const struct observed_arch *observed; /* exits from elsewhere (hv/foreign/observed_arch.h), or
                                           * NULL */
    /* Guest exits, for people: why each is one; the syndrome by its fields; the keys of
     * EXIT_SYNDROME and EXIT_ADDRESS in events and JSON; and what the guest gets where its
     * instruction is not carried out. */
    const char *exit_whys[EXIT_REASONS];
    void (*syndrome_text)(uint64_t syndrome, char *text, size_t size);
    const char *syndrome_key, *address_key, *undefined_name, *abort_name;
    /* How an access is translated, and what is there. */
    void (*explain)(struct vm *vm, struct vcpu *v, const struct explain_question *q, bool json,
                    struct bytes *out);
    /* Is the fault one of the hypervisor's own tables, which are wrong then? */
    bool (*table_is_damaged)(const struct guest_exit *x);
    /* The exit as kernel trace class 10 tells it: docs/exits.md. */
    void (*trace_arguments)(const struct guest_exit *x, uint32_t *reason, uint64_t *payload);
    uint32_t preempted_reason; /* of one that is no instruction's: another vCPU runs on */
    /* How privileged is it there? The name that goes before the number, also as a key of JSON. */
    const char *level_name, *level_key;
    unsigned (*level)(const struct vcpu_registers *r);
    /* Between these an exception was taken: what it says, in lines or members; false: none was. */
    bool (*put_exception)(const struct vcpu_registers *before, const struct vcpu_registers *after,
                          struct bytes *out);
    void (*put_exception_json)(const struct vcpu_registers *before,
                               const struct vcpu_registers *after, struct json *j);
    /* As vcpu_write_timer numbers them. */
    const char *(*timer_register)(unsigned timer, unsigned reg);
    /* Can a vCPU run on from these? False: *why is for the user. */
    bool (*can_start)(const struct vcpu_registers *r, struct error *why);
    /* Every virtual range that the vCPU's tables map, in ascending order; `mapping` may end it by
     * returning false. */
    void (*each_mapping)(struct vm *vm, const struct vcpu *v,
                         bool (*mapping)(void *context, const struct guest_mapping *m),
                         void *context);
    /* Are virtual addresses others than physical ones? */
    bool (*is_mapping)(const struct vcpu *v);
    /* Where a virtual address is, without any effect and whatever the permissions. */
    bool (*locate)(struct vm *vm, const struct vcpu *v, gva_t at, gpa_t *place);
};

/* NULL behind the last. */
extern const struct vm_arch *const vm_arches[];
/* The names of all their exits, each once, from 0; NULL behind the last. */
const char *vm_arches_exit_name(unsigned number);
/* That has this model of CPU; NULL: none has. */
const struct vm_arch *vm_arch_of(const char *model);
const struct arch_model *vm_arch_model(const char *model);

#endif
