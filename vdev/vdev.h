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
#include "vdev/dma.h"
#include "vdev/frame.h"

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

struct vdev; /* each device embeds it first */
struct pic;  /* vdev/pic.h */
struct pic_type;
struct bytes;
struct shmem_regions;    /* vdev/shmem/shmem_regions.h */
struct smmu_client_call; /* vdev/smmu/smmu_client.h */

/* A region where the device answers. */
struct vdev_region {
    uint64_t base; /* guest-physical, resolved */
    uint64_t size;
    /* index of the region within the device is passed to `access` */
};

#define VDEV_RANGE_MAX ((size_t)1 << 20)

/* What a device sees of the world. One per VM, borrowed by its devices. */
struct vdev_env {
    const struct vtime *vtime;
    struct event_queue *events;
    const struct log *log;
    const char *vm_name;
    unsigned vcpu_count;
    uint32_t quirks;       /* of an older machine (emu/machine.h) */
    uint64_t wall_clock_s; /* seconds since 1970 at tick 0, from the journal */
    /* Output goes to sinks, it is not an input. `channel` is the device's number in the VM, or
     * that of one of its further ports (vdev_channel). */
    void (*output)(void *context, unsigned channel, const void *data, size_t size);
    void (*send_frame)(void *context, unsigned channel, const struct vdev_frame *frame);
    /* Is there somebody, or a switch, at the other end of its network link? Never changes. */
    bool (*link_is_up)(void *context, unsigned channel);
    /* The device has room for frames: those that wait are offered now, not later. */
    void (*frames_wanted)(void *context, unsigned channel);
    /* The device asks the VM to end with this status and sentence. */
    void (*request_exit)(void *context, int exit_status, const char *why);
    /* A dump of the guest, if the configuration says where to; `why` is a sentence. */
    void (*request_dump)(void *context, const char *why);
    /* Random bytes of the host, at most 256 at once; through the journal. */
    bool (*entropy)(void *context, void *to, size_t size);
    /* A host file that is read by ranges; its size does not change. For `create`. */
    bool (*open_file)(void *context, const char *path, uint64_t *size, struct error *e);
    /* `size` bytes, 1 to VDEV_RANGE_MAX, that lie within the size of an opened file. False: they
     * cannot be had any more, which the VM's log says once for each device. */
    bool (*read_file)(void *context, unsigned channel, const char *path, uint64_t offset, void *to,
                      size_t size);
    /* What goes to such a file, too, inside its size: output, so it goes there live only. */
    void (*write_file)(void *context, unsigned channel, const char *path, uint64_t offset,
                       const void *from, size_t size);
    /* A free range of guest-physical addresses for something that comes while the VM runs; `size`
     * is a multiple of 4 KiB. 0: there is none. The same requests give the same places. */
    gpa_t (*find_place)(void *context, uint64_t size);
    /* Memory of the board appears in the guest, readable and writable, and goes away again. */
    bool (*map_memory)(void *context, gpa_t at, hpa_t memory, uint64_t size);
    void (*unmap_memory)(void *context, gpa_t at, uint64_t size);
    /* One more region in which the device answers, and one less. `index` is what `access` gets,
     * VDEV_REGIONS_MAX or above. False: it overlaps something. */
    bool (*open_region)(void *context, struct vdev *v, unsigned index, struct vdev_region region);
    void (*close_region)(void *context, struct vdev *v, unsigned index);
    /* The board's named regions of shared memory; NULL: there are none. */
    struct shmem_regions *shmem;
    /* What the VM's client asks of smmuman, which answers in the same struct. */
    void (*ask_smmuman)(void *context, struct smmu_client_call *call);
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
    const struct pic *pic; /* what interrupts go to */
    /* The phandle of its frame of messages, where whoever can sends them; 0: there is none, or
     * nobody who can. */
    uint32_t message_frame;
};
/* Phandles are fixed numbers, so that devices can refer to them. The last one plus its channel is
 * for a node of a device's own. */
enum { PHANDLE_PIC = 1, PHANDLE_CLOCK_24MHZ = 2, PHANDLE_VDEVS = 16 };

struct vdev_option {
    const char *name;  /* as in the configuration */
    const char *value; /* "" for options without argument */
    const char *file;  /* where it was written, for error_at */
    unsigned line;
};

/* An option of a type beyond loc, intr, name and log. The parser, `qvm vdev TYPE ?` and
 * docs/vdevs.md are made from these. */
struct vdev_option_type {
    const char *name;
    const char *form;    /* its argument, for people; NULL: it has none */
    const char *initial; /* what holds when it is not given; NULL: nothing to say */
    const char *summary; /* one line */
    bool repeatable;     /* otherwise the last one wins */
    bool no_effect;      /* understood, and means nothing in this model */
};
#define VDEV_OPTIONS_END                                                                           \
    {                                                                                              \
        NULL, NULL, NULL, NULL, false, false                                                       \
    }

/* A port is one end of a line for bytes: where a device's `hostdev` leads. Most devices have one,
 * by the number 0. Each option `port NAME` begins one more, and what stands behind it in the
 * configuration is that port's. */
#define VDEV_PORT_OPTION "port"

/* A register of 4 bytes and its manual's name, or so many of them in a row, numbered from 0. Tables
 * end with VDEV_REGISTERS_END. */
struct vdev_register {
    uint64_t offset;
    const char *name;
    unsigned count; /* 0: one, without a number */
};
/* clang-format off */
#define VDEV_REGISTER(name) {name, #name, 0}
#define VDEV_REGISTERS_END {0, NULL, 0}
/* clang-format on */

/* An access of a stream that somebody asks about. `read`: the memory behind the SMMU, as it is.
 * `json`: the answer is members of the object that is open there; NULL: it is lines. */
struct stream_question {
    uint32_t stream, substream; /* or DMA_NO_SUBSTREAM */
    iova_t at;
    enum dma_kind kind;
    bool (*read)(void *context, uint64_t at, void *to, size_t size);
    void *context;
    struct json *json;
};

/* A part of a device's state that not every device of its type has. */
struct vdev_part {
    void *object;
    const struct field *fields; /* NULL: there is no such part */
};

struct vdev_type {
    const char *name;
    const char *summary; /* one line, for the device table */
    size_t size;         /* of the device struct */
    const struct field *fields;
    /* State beyond that, as the device's options want it: its parts, numbered from 0. The same ones
     * as long as the device lives. NULL: there is no more. */
    struct vdev_part (*part)(struct vdev *v, unsigned number);
    uint64_t default_loc; /* 0: `loc` is mandatory */
    bool needs_intr;
    bool is_placed;      /* where neither `loc` nor `intr` says it: some place, and some line */
    bool masters;        /* reads and writes memory itself: `dma` is its port */
    bool sends_messages; /* in place of its interrupt, where its driver wants that */
    /* Of an SMMU: what a device behind it masters through, and how many bits a stream's number has.
     * NULL: it is none. */
    struct dma_port (*stream_port)(struct vdev *v, uint32_t stream, uint32_t substream);
    unsigned stream_bits;
    /* Of an SMMU, for people: what would become of an access, step by step, without any effect.
     * True: it would pass, and leads to *at. May be NULL. */
    bool (*explain_stream)(const struct vdev *v, const struct stream_question *q, struct bytes *out,
                           uint64_t *at);
    const struct vdev_option_type *options; /* ends with VDEV_OPTIONS_END; may be NULL */
    const struct pic_type *pic;             /* of an interrupt controller; NULL: it is none */
    /* Says where the device answers (vdev_add_region), from `loc`, its options and the number of
     * vCPUs. The configuration asks, too, to see what overlaps: of a device that has nothing but a
     * type, `loc` and options. False: an option is wrong, which the error says with its place. */
    bool (*ranges)(struct vdev *v, unsigned vcpus, struct error *e);
    /* How many bytes the device keeps beside its fields (`store`). Asked when nothing but its type,
     * its options and env's open_file are there, and nothing else changes what it answers. False:
     * an option is wrong. NULL: none; its `hostdev`, if there is one, is what it prints to. */
    bool (*store)(const struct vdev *v, uint64_t *size, struct error *e);
    /* Validates options, registers events. The struct is zeroed, the base filled, also with its
     * regions. May be NULL. */
    bool (*create)(struct vdev *v, struct error *e);
    enum bus_answer (*access)(struct vdev *v, unsigned region, struct bus_access *a);
    /* The names of a region's registers; a repeating frame may bring `offset` back to its first.
     * May be NULL, and give NULL. */
    const struct vdev_register *(*registers)(const struct vdev *v, unsigned region,
                                             uint64_t *offset);
    /* Bytes arriving from the host for a port of this device (console input). May be NULL. Returns
     * how many it took. */
    size_t (*input)(struct vdev *v, unsigned port, const uint8_t *data, size_t size);
    /* One whole frame, from the host or another guest, for devices without `input`. Work is left
     * in it only as `does_work` allows. False: the device has no room, has taken nothing of it, and
     * is offered it again. May be NULL. */
    bool (*frame)(struct vdev *v, const struct vdev_frame *frame);
    /* Would its driver do this now? NULL: never. */
    bool (*does_work)(const struct vdev *v, const struct frame_work *work);
    /* The window that shows its console has another size now, in characters. NULL: its guest cannot
     * know. */
    void (*resize)(struct vdev *v, uint16_t columns, uint16_t rows);
    /* A BREAK on the serial line. NULL: there is no such line. */
    void (*line_break)(struct vdev *v);
    void (*describe)(struct vdev *v, const struct describer *d);
    /* A few words for the status report, appended to `text`. May be NULL. */
    void (*status)(const struct vdev *v, char *text, size_t size);
    /* The power button was pressed: true if the device told the guest, so that the VM may go on
     * until the guest ends it. May be NULL. */
    bool (*button)(struct vdev *v);
    /* Will it end the VM if the guest does nothing more? May be NULL. */
    bool (*watches)(const struct vdev *v);
    /* The VM has ended, and its memory is still there: let go of what others hold too. May be
     * NULL; called once. */
    void (*terminate)(struct vdev *v);
    void (*restored)(struct vdev *v);
    void (*destroy)(struct vdev *v);
};

/* What a device keeps that is too large for its fields: bytes that no guest reaches, zero at first,
 * and state of the machine like any other. They outlive the device when its VM starts again. */
struct vdev_store {
    /* [offset, offset + size), which is inside it; `for_write` before each change, which who keeps
     * something of the state has to hear of. */
    uint8_t *(*at)(const struct vdev_store *s, uint64_t offset, size_t size, bool for_write);
    uint64_t size, base; /* `base` is for `at` */
    void *context;
};

#define VDEV_REGIONS_MAX 3
struct vdev {
    const struct vdev_type *type;
    const struct vdev_env *env;
    char name[64];
    unsigned channel;       /* number of the device in the VM, and its first port's */
    unsigned more_channels; /* that of the second port; the others' follow */
    unsigned port_count;    /* 1 or more: its options say */
    uint64_t loc;           /* resolved location */
    const struct vdev_option *options;
    size_t option_count;
    struct wire irq; /* wired by the assembly; `irq_line` is the PIC's line number */
    unsigned irq_line;
    struct dma_port dma;     /* wired by the assembly, if the type masters */
    struct vdev_store store; /* the same, if the type has one */
    bool is_translated; /* `dma` is an SMMU's: addresses are what the guest's driver maps there */
    struct vdev_region regions[VDEV_REGIONS_MAX];
    const char *region_names[VDEV_REGIONS_MAX]; /* of a device with several, for people */
    size_t region_count;
};

/* A device whose base is filled gets its regions, and comes into being. */
bool vdev_create(struct vdev *v, struct error *e);
/* For a type's `ranges`: one region more. `name`: which of several it is ("distributor"), or NULL.
 */
void vdev_add_region(struct vdev *v, uint64_t base, uint64_t size, const char *name);
/* `ranges` of types that answer in one page, at `loc`. */
bool vdev_one_page(struct vdev *v, unsigned vcpus, struct error *e);

/* All device types there are (vdev/all.c), NULL-terminated. */
extern const struct vdev_type *const vdev_types[];
const struct vdev_type *vdev_type_find(const char *name); /* vdev/types.c */
/* The option of a type, or NULL. */
const struct vdev_option_type *vdev_option_type_find(const struct vdev_type *type,
                                                     const char *name);
/* The last option of that name, or NULL. */
const struct vdev_option *vdev_option_find(const struct vdev *v, const char *name);

/* How many ports its options give a device; the options of one of them; its name, "" of the first;
 * and its number in the VM. */
unsigned vdev_port_count(const struct vdev *v);
const struct vdev_option *vdev_port_options(const struct vdev *v, unsigned port, size_t *count);
const char *vdev_port_name(const struct vdev *v, unsigned port);
static inline unsigned vdev_channel(const struct vdev *v, unsigned port)
{
    return port ? v->more_channels + port - 1 : v->channel;
}
/* Goes through all state of a device: its fields and its parts. */
struct state;
void vdev_visit(struct vdev *v, struct state *s);

/* A number as the configuration language writes it: digits in `base` (16 for addresses, 10 for
 * everything else) unless 0x, 0d or a multiplier K, M, G says otherwise. False: not a number. */
bool vdev_number(const char *text, size_t length, unsigned base, uint64_t *value);
/* *value stays as it is when the option is not given. False, with the error set, if it is wrong. */
bool vdev_option_number(const struct vdev *v, const char *name, unsigned base, uint64_t *value,
                        struct error *e);
/* The same for a guest-physical address, which has 48 bits. */
bool vdev_option_address(const struct vdev *v, const char *name, uint64_t *value, struct error *e);

/* `delayed SEC|forever`, of devices with a `hostdev`: is each of them one of both? */
bool vdev_check_delayed(const struct vdev *v, struct error *e);

/* "UARTDR", or "register offset 0x4c" if it has no name. */
void vdev_register_name(const struct vdev *v, unsigned region, uint64_t offset, char *name,
                        size_t size);

/* Begins the node "NAME@LOC" of a device, with its `compatible` (`size` bytes of strings) and its
 * `reg`. */
void vdev_describe_begin(const struct vdev *v, const struct describer *d, const char *name,
                         const char *compatible, size_t size);
/* Properties that most nodes have: `reg` in 2-cell form; `interrupts`, a line that is high while it
 * asks for one, in the cells of the describer's interrupt controller. */
void vdev_describe_reg(const struct describer *d, const struct vdev_region *regions, size_t count);
void pic_describe_interrupt(const struct describer *d, unsigned line);
/* The same of a line where edges count. */
void pic_describe_edge(const struct describer *d, unsigned line);

#endif
