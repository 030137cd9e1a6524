/* Virtual devices. A device knows its registers and a few callbacks; never the bus, the
 * configuration, a vCPU's registers or the host. One file per device, listed in vdev/all.c.
 *
 * Every access is one record (`struct bus_access`) and a three-valued answer. State that a snapshot
 * needs is in the type's field table. Restore only copies; `restored` recomputes wires. */
#ifndef VDEV_VDEV_H
#define VDEV_VDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/error.h"
#include "emu/event.h"
#include "emu/fields.h"
#include "emu/log.h"
#include "emu/vtime.h"

struct bus_access {
    uint64_t offset; /* from the start of the region */
    uint64_t value;  /* written value, or the result of a read; zero-extended */
    uint8_t size;    /* 1, 2, 4 or 8 bytes */
    bool is_write;
    uint8_t vcpu; /* who asks */
};

enum bus_answer {
    BUS_HANDLED,
    BUS_NOBODY,  /* no such register or width: the `unsupported reference` policy decides */
    BUS_REFUSED, /* a bus error: synchronous external abort into the guest */
};

/* An output wire: a device's interrupt line into an interrupt controller. */
struct wire {
    void (*set)(void *context, unsigned line, bool level);
    void *context;
    unsigned line;
};
static inline void wire_set(const struct wire *w, bool level)
{
    if (w->set)
        w->set(w->context, w->line, level);
}

/* What a device sees of the world. One per VM, borrowed by its devices. */
struct vdev_env {
    const struct vtime *vtime;
    struct event_queue *events;
    const struct log *log;
    unsigned vcpu_count;
    uint64_t wall_clock_s; /* seconds since 1970 at tick 0, from the journal */
    /* Output goes to sinks, it is not an input. `channel` is the device's number in the VM. */
    void (*output)(void *context, unsigned channel, const void *data, size_t size);
    /* The device asks the VM to end with this status and sentence. */
    void (*request_exit)(void *context, int exit_status, const char *why);
    void *context;
};

/* Device-tree text of a device, without knowing libfdt. */
struct describer {
    void (*begin_node)(void *context, const char *name);
    void (*end_node)(void *context);
    void (*cells)(void *context, const char *property, const uint32_t *cells, size_t count);
    /* strings: one or more NUL-terminated strings one after the other, total `size` bytes */
    void (*strings)(void *context, const char *property, const char *strings, size_t size);
    void (*empty)(void *context, const char *property);
    void *context;
};
/* Phandles are fixed numbers, so that devices can refer to them. */
enum { PHANDLE_GIC = 1, PHANDLE_CLOCK_24MHZ = 2 };

struct vdev; /* each device embeds it first */

/* A region where the device answers. */
struct vdev_region {
    uint64_t base; /* guest-physical, resolved */
    uint64_t size;
    /* index of the region within the device is passed to `access` */
};

struct vdev_option {
    const char *name;  /* as in the configuration */
    const char *value; /* "" for options without argument */
    const char *file;  /* where it was written, for error_at */
    unsigned line;
};

struct vdev_type {
    const char *name;
    const char *summary; /* one line, for the device table */
    size_t size;         /* of the device struct */
    const struct field *fields;
    uint64_t default_loc; /* 0: `loc` is mandatory */
    bool needs_intr;
    /* Option names accepted beyond loc, intr, name, log; NULL-terminated. May be NULL. */
    const char *const *options;
    /* Validates options, sets `regions`, registers events. The struct is zeroed, the base filled.
     */
    bool (*create)(struct vdev *v, struct error *e);
    enum bus_answer (*access)(struct vdev *v, unsigned region, struct bus_access *a);
    /* Bytes arriving from the host for this device (console input). May be NULL. Returns how many
     * it took. */
    size_t (*input)(struct vdev *v, const uint8_t *data, size_t size);
    void (*describe)(struct vdev *v, const struct describer *d);
    void (*restored)(struct vdev *v);
    void (*destroy)(struct vdev *v);
};

#define VDEV_REGIONS_MAX 3
struct vdev {
    const struct vdev_type *type;
    const struct vdev_env *env;
    char name[64];
    unsigned channel; /* number of the device in the VM */
    uint64_t loc;     /* resolved location */
    const struct vdev_option *options;
    size_t option_count;
    struct wire irq; /* wired by the assembly; `irq_line` is the PIC's line number */
    unsigned irq_line;
    struct vdev_region regions[VDEV_REGIONS_MAX];
    size_t region_count;
};

/* All device types there are (vdev/all.c), NULL-terminated. */
extern const struct vdev_type *const vdev_types[];
const struct vdev_type *vdev_type_find(const char *name);
/* The last option of that name, or NULL. */
const struct vdev_option *vdev_option_find(const struct vdev *v, const char *name);

/* A number as the configuration language writes it: digits in `base` (16 for addresses, 10 for
 * everything else) unless 0x, 0d or a multiplier K, M, G says otherwise. False: not a number. */
bool vdev_number(const char *text, size_t length, unsigned base, uint64_t *value);
/* *value stays as it is when the option is not given. False, with the error set, if it is wrong. */
bool vdev_option_number(const struct vdev *v, const char *name, unsigned base, uint64_t *value,
                        struct error *e);

/* Properties that most nodes have: `reg` in 2-cell form; `interrupts` (GIC cells, level high). */
void describe_reg(const struct describer *d, const struct vdev_region *regions, size_t count);
void describe_interrupt(const struct describer *d, unsigned line);

#endif
