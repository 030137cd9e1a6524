/* Interrupt controllers: all that the rest of the program knows of one.
 *
 * A controller is a device whose struct begins with `struct pic` and whose type has a `struct
 * pic_type`. Devices drive lines that all vCPUs share (pic_wire); what a vCPU has of its own drives
 * lines that belong to that vCPU (pic_set_local); what the controller signals goes to the outputs.
 * Numbers of lines are the ones that `intr PIC:LINE` and the guest's handlers use. */
#ifndef VDEV_PIC_H
#define VDEV_PIC_H

#include "emu/cpu_lines.h"
#include "vdev/vdev.h"

/* Called whenever what is signalled to a vCPU changes, and for every vCPU after a restore: a set of
 * CPU_SIGNAL_*. Nothing is signalled at reset. */
struct pic_outputs {
    void (*set)(void *context, unsigned vcpu, unsigned signals);
    void *context;
};

struct pic {
    struct vdev v;
    struct pic_outputs outputs; /* set NULL: nobody listens yet */
};

#define PIC_CELLS_MAX 4

struct pic_type {
    /* `intr` may name the lines from `first_line` to `last_line`; those below `first_shared` belong
     * to each vCPU, so devices have that one and up. */
    unsigned first_line, first_shared, last_line;
    /* A shared line; with the shape of struct wire's, whose context is the controller. */
    void (*set_line)(void *pic, unsigned line, bool level);
    void (*set_local)(struct pic *pic, unsigned vcpu, enum cpu_line line, bool level);
    unsigned (*local_number)(enum cpu_line line);
    /* Is its CPU interface in registers of the CPU? NULL: it is not. */
    bool (*has_cpu_registers)(const struct pic *pic);
    /* Such a register, by the architecture's number. False: there is none, or it cannot be accessed
     * so. NULL: there are none. */
    bool (*cpu_register)(struct pic *pic, unsigned vcpu, unsigned id, bool is_write,
                         uint64_t *value);
    /* The CPU takes the interrupt that is signalled, and asks for its vector. NULL: its CPUs do not
     * ask, handlers read it from a register. */
    unsigned (*acknowledge)(struct pic *pic, unsigned vcpu);
    /* Firmware starts the vCPU. NULL: nothing to do. */
    void (*vcpu_started)(struct pic *pic, unsigned vcpu);
    /* Why the vCPU gets no interrupt: what is pending and what holds it, or that nothing is. */
    void (*explain)(const struct pic *pic, unsigned vcpu, char *text, size_t size);
    /* Is it the region where devices write their interrupts as messages? NULL: there is none. */
    bool (*is_message_frame)(const struct pic *pic, unsigned region);
    /* The line in a device tree (#interrupt-cells of the controller's node), which is high while it
     * asks, or rises when it does; returns how many. */
    size_t (*cells)(const struct pic *pic, unsigned line, bool is_edge,
                    uint32_t cells[PIC_CELLS_MAX]);
};

/* The device as what it is; its type must have a `pic`. */
struct pic *pic_of(struct vdev *v);
void pic_connect(struct pic *pic, struct pic_outputs outputs);
/* For a controller's own use. */
void pic_signal(const struct pic *pic, unsigned vcpu, unsigned signals);

/* What a device's wire to this line is. */
struct wire pic_wire(struct pic *pic, unsigned line);
void pic_set_local(struct pic *pic, unsigned vcpu, enum cpu_line line, bool level);
bool pic_has_cpu_registers(const struct pic *pic);
bool pic_cpu_register(struct pic *pic, unsigned vcpu, unsigned id, bool is_write, uint64_t *value);
void pic_vcpu_started(struct pic *pic, unsigned vcpu);
void pic_explain(const struct pic *pic, unsigned vcpu, char *text, size_t size);
/* Of its regions, where devices write their interrupts as messages. */
bool pic_has_message_frame(const struct pic *pic);
bool pic_is_message_frame(const struct pic *pic, unsigned region);
/* Of a vCPU's own line in a device tree. */
size_t pic_local_cells(const struct pic *pic, enum cpu_line line, uint32_t cells[PIC_CELLS_MAX]);

#endif
