/* The board and the VMs on it: what the `qvm` process is. Assembled once (assemble.c, reads top to
 * bottom), then run (run.c). The board owns every part and frees them in reverse order. */
#ifndef HV_BOARD_H
#define HV_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"
#include "emu/check.h"
#include "emu/event.h"
#include "emu/hash.h"
#include "emu/journal.h"
#include "emu/log.h"
#include "emu/text.h"
#include "emu/vtime.h"
#include "hv/config/board_config.h"
#include "hv/chaos.h"
#include "hv/config/config.h"
#include "hv/events.h"
#include "hv/schedule.h"
#include "hv/vm_arch.h"
#include "mmu/memory.h"
#include "vdev/bus.h"
#include "vdev/pic.h"
#include "vdev/shmem/shmem_regions.h"

/* Exit status of a run (reference: the configuration document's table). */
enum exit_status {
    STATUS_OK = 0,
    STATUS_USAGE = 2,
    STATUS_POWER_CUT = 3,
    STATUS_WATCHDOG = 4,
    STATUS_UNSUPPORTED = 5,
    STATUS_VDEV = 6,
    STATUS_UNEXPECTED = 7,
    STATUS_USER = 32, /* to 63 */
    STATUS_NOT_STARTED = 64,
    STATUS_CONFIGURATION = 65,
    STATUS_DIVERGED = 66,
    STATUS_LIMIT = 67,
    STATUS_STARTED = 96,
};

struct board;
struct smmuman;
struct stores;

/* Bytes that arrived for a device and that it had no room for yet; or frames, each behind its size
 * in 4 bytes. */
struct pending_input {
    uint8_t *data; /* allocated while the VM is assembled */
    size_t size;
    uint64_t frames_lost; /* for want of room. Not saved: no guest sees it */
};
#define PENDING_INPUT_MAX  65536
#define PENDING_FRAMES_MAX (4 * 65536)

/* Where lines of each severity go; one for the VM, one for each device that has its own `log`. */
struct log_routes {
    struct vm *vm;
    unsigned to_stdout, to_stderr; /* sets of severities */
};
/* Accesses that come to nothing: the first of a page is told, the others are counted. Not saved:
 * what the guest sees does not depend on it. */
#define LOST_PAGES_MAX 16
struct lost_accesses {
    uint64_t unanswered, refused; /* no device or register there; not permitted by stage 2 */
    gpa_t pages[LOST_PAGES_MAX];  /* that were told of */
    unsigned page_count;
    bool full; /* and this, too */
};
/* What a vCPU reads again and again, and nothing else of any device. For people: no state. */
struct asked_register {
    gpa_t at;
    uint64_t times,
        last; /* how often, and after how many instructions of the board the last time */
};
#define VM_VDEVS_MAX 64
/* Where a VM's bytes come from and go to: its devices by their numbers, behind VM_VDEVS_MAX the
 * further ports of some of them, and, as the last, what no device prints (semihosting). */
enum { VM_CHANNELS = 256, VM_CHANNEL_OF_CALLS = VM_CHANNELS - 1, VM_CHANNEL_NAME = 160 };
#define VM_NAME_SIZE 64

struct vm {
    struct board *board;
    unsigned number;
    const struct vm_config *config;
    const struct vm_arch *arch;
    struct guest_tables *tables; /* owned */
    unsigned ipa_bits;           /* of guest-physical addresses */
    uint64_t dma_generation;     /* no state: see guest_dma_changed */
    struct dma_watch dma_watch;  /* of its devices' ports */
    struct vcpu_world world;
    struct vcpu *vcpus[CONFIG_VCPUS_MAX];
    unsigned vcpu_count;
    struct bus bus;
    struct vdev *vdevs[VM_VDEVS_MAX];
    size_t vdev_count;
    unsigned channel_count;             /* VM_VDEVS_MAX, and the further ports */
    struct pic *pic;                    /* the first of them: the others' wires go there */
    struct vdev_env envs[VM_VDEVS_MAX]; /* equal but for their logs */
    struct log vdev_logs[VM_VDEVS_MAX];
    struct log_routes vdev_routes[VM_VDEVS_MAX];
    struct log log;
    struct log_routes routes;
    struct semihosting *semihosting; /* NULL when off */
    struct pending_input pending[VM_CHANNELS];
    struct event input_retry;
    struct chaos_delay delays[CONFIG_VCPUS_MAX]; /* vm NULL: no chaos */
    struct injected_line *injected_lines;        /* faults on purpose; owned */
    size_t injected_line_count;
    uint64_t *injected_counts; /* owned: of each `inject` */
    bool refuses;              /* one of them is of a device's accesses */
    bool injecting_is_muted;   /* devices say again what was said before */
    char name[VM_NAME_SIZE];
    bool ended;
    bool finished; /* and its devices know */
    bool may_restart;
    bool button_pressed;
    char dump_why[200]; /* a dump is due; empty: none is */
    unsigned restarts;
    unsigned devices_added; /* the event queue's `added` before its devices */
    uint64_t entropy_pulls;
    bool lost_file[VM_VDEVS_MAX]; /* told that a device's file is not what it was. No state */
    int exit_status;
    char ending[512]; /* how it ended, one sentence */
    bool was_stopped; /* not by itself: then where its vCPUs were matters */
    uint64_t exits[EXIT_REASONS];
    struct lost_accesses lost;
    struct asked_register asked[CONFIG_VCPUS_MAX];
    struct sha256 output; /* everything it printed, by channel */
};

/* What leaves the board. None of it comes back: outputs are not inputs. NULL: nobody wants it. */
struct board_sinks {
    void (*output)(void *context, unsigned vm, unsigned channel, const void *data, size_t size);
    /* Any frame, when it is sent, at most PUSH_FRAME_MAX bytes: by a device; or by the host to a
     * switch, which network.h numbers. */
    void (*frame)(void *context, unsigned vm, unsigned channel, const void *data, size_t size);
    /* A disk is going to write through to this file, which is open and which nobody else may write
     * to. NULL: it does not, whatever its configuration says. */
    bool (*disk_claim)(void *context, const char *path, struct error *e);
    /* What it writes, inside the file's size. */
    void (*disk)(void *context, const char *path, uint64_t offset, const void *data, size_t size);
    /* A frame that leaves the board by the host's end of a switch. */
    void (*host_frame)(void *context, unsigned number, const void *data, size_t size);
    /* A file the guest wrote (semihosting), complete, at its close: the guest made up its name, and
     * it stays below `folder`. Without one it is the user's. */
    bool (*file)(void *context, const char *folder, const char *name, const void *data, size_t size,
                 struct error *e);
    /* A dump of a guest, in pieces; data NULL: so many zeros. dump_begin NULL, or false without an
     * error: nobody wants it. */
    bool (*dump_begin)(void *context, const struct vm *vm, struct error *e);
    bool (*dump_write)(void *context, const void *data, size_t size);
    void (*dump_end)(void *context, const struct vm *vm, bool complete, const char *why);
    /* Live only, and there then: nothing to do for `ns` of virtual time (UINT64_MAX: until the host
     * offers something). Says how much of it has passed: all at once, or in step with the host's
     * clock. False: it was for ever and the host will never offer anything. */
    bool (*idle)(void *context, uint64_t ns, uint64_t *passed_ns);
    /* A line of a VM's log, for standard output, standard error or both. */
    void (*log)(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                const char *line);
    /* Something a hypervisor's trace would show; NULL: nobody watches. */
    void (*event)(void *context, const struct board_event *event);
    /* A guest exit begins to be handled, and has been; NULL: nobody measures. */
    void (*exit_begins)(void *context);
    void (*exit_ends)(void *context, const struct vm *vm, const struct guest_exit *x);
    /* A snapshot is due; NULL: it is for nobody. */
    void (*snapshot)(void *context, struct board *b);
    /* A state digest was taken. */
    void (*digest)(void *context, uint64_t instructions, struct digest d);
    void *context;
};

enum log_outlet { OUTLET_STDOUT = 1, OUTLET_STDERR = 2 };

/* What a VM's end means for the board. */
enum on_exit {
    ON_EXIT_ALL,     /* nothing: the run ends with the last VM */
    ON_EXIT_STOP,    /* the run ends with the first */
    ON_EXIT_RESTART, /* it is assembled and started anew, unless it powered itself off */
};

/* What --on-exit calls it; traces do, too. NULL behind the last. */
const char *vm_on_exit_name(unsigned what);

/* Of struct board_options, in an initializer: as long as it takes. */
#define BOARD_NO_LIMITS                                                                            \
    .limit_ns = UINT64_MAX, .limit_ticks = UINT64_MAX, .limit_instructions = UINT64_MAX

struct board_options {
    uint64_t limit_ns;           /* virtual time; UINT64_MAX: none */
    uint64_t limit_ticks;        /* the same in ticks; the earlier one counts */
    uint64_t limit_instructions; /* UINT64_MAX: none */
    uint64_t digest_every;       /* instructions; 0: only at the end */
    uint64_t snapshot_at;        /* instruction; 0, UINT64_MAX: none */
    uint64_t snapshot_at_ns;     /* virtual time; 0: none */
    uint64_t snapshot_every;     /* instructions; 0: none */
    bool snapshot_on_call;       /* when a guest asks for one (docs/exits.md) */
    bool from_snapshot;          /* assembled without images and inputs: a snapshot comes */
    uint64_t quantum;            /* instructions a vCPU runs while others wait */
    struct chaos chaos;
    uint32_t quirks; /* of an older machine (emu/machine.h) */
    enum on_exit on_exit;
    unsigned log_severities; /* of every VM; 0: as the configurations say */
    struct exit_log
        *exit_log; /* borrowed (hv/exitlog/exit_log.h); NULL: none is written or expected */
};

#define BOARD_VMS_MAX 64
struct board {
    const struct board_config *config; /* borrowed; or the default one: */
    struct board_config default_config;
    struct vm *device_owner[BOARD_DEVICES_MAX]; /* of the board's devices; NULL: nobody */
    struct memory memory;
    uint64_t dma_generation;     /* no state: of what was mapped of it (hv/board_dma.c) */
    struct smmuman *smmuman;     /* owned: hv/smmuman.c; NULL: no guest has what it is for */
    struct stores *stores;       /* owned: hv/stores.c */
    struct shmem_regions *shmem; /* NULL: no VM has a vdev shmem */
    uint8_t *frame_buffer;       /* owned: frames_finish */
    struct network *network;     /* owned */
    struct engine *engine;
    struct vtime vtime;
    struct event_queue events;
    struct journal *journal; /* borrowed */
    struct bytes range; /* owned: of a file, for a device. Kept, as new memory costs the host */
    struct board_sinks sinks;
    struct board_options options;
    struct vm *vms[BOARD_VMS_MAX];
    size_t vm_count;
    struct schedule schedule;
    struct vcpu *current; /* in the engine; NULL before the first run */
    uint64_t pause_at;    /* instruction count: whoever runs the board wants it back */
    uint64_t run_until;   /* the tick that the running budget ends at, if nothing else is sooner */
    bool pause_wanted;
    /* Somebody may want a pause at any time: asked between runs of the engine, which are short
     * then. NULL: nobody. */
    bool (*wants_pause)(void *context);
    void *wants_pause_context;
    const struct sched_entity *pause_before; /* pause when it is its turn; NULL: at nobody's */
    uint64_t next_snapshot;                  /* instruction count */
    uint64_t next_snapshot_ticks;
    bool snapshot_wanted;    /* at the next instruction boundary */
    bool save_wanted;        /* and it is the one that the user asked for */
    uint64_t next_digest;    /* instruction count */
    uint64_t next_injection; /* the same, of a fault on purpose */
    uint64_t end_ticks;      /* of virtual time: of its rate alone, and asked for in every turn */
    uint64_t next_poll;      /* tick; live only, no state */
    uint64_t wall_clock_s;
    uint64_t restored_at;              /* no state: the instruction of the snapshot it is from */
    uint64_t last_tick, turns_at_tick; /* no state: a guard against standing still */
    struct check_context where;        /* for messages of CHECK */
};

/* Whether this host has room for such a board's memory; the error says what is too much. */
bool board_fits_host(const struct board_config *config, const struct vm_config *configs,
                     size_t count, struct error *e);

/* Assembles a board for these configurations (borrowed until board_free); `config` NULL: the
 * default one, as large as they need. Errors carry the exit
 * status: 64 for a shortage, 65 for something wrong with the configuration. */
struct board *board_new(const struct board_config *config, const struct vm_config *configs,
                        size_t count, struct journal *journal, const struct board_options *options,
                        const struct board_sinks *sinks, struct error *e);
void board_free(struct board *b);
/* Runs until every VM has ended or a limit is reached; returns the exit status. */
int board_run(struct board *b);
/* Runs until that many instructions were executed, something set `pause_wanted`, `wants_pause` said
 * so or it is the turn of `pause_before`: false. True: every VM has ended, or a limit was reached.
 * May be called again; where it paused makes no difference to the run. */
bool board_run_to(struct board *b, uint64_t instructions);
/* SHA-256 of the whole machine state: time, vCPUs, devices, memory. Only between runs. */
struct digest board_digest(struct board *b);
/* What a VM is called: its `system`, or vm1, vm2... by its place on the board. */
void vm_name(const struct vm_config *config, size_t number, char *name, size_t size);
/* What is at the other end of a channel. NULL: nothing is. */
struct vdev *vm_device_of(const struct vm *vm, unsigned channel, unsigned *port);
/* "uart0"; "console.log", of a further port; "semihosting". */
void vm_channel_name(const struct vm *vm, unsigned channel, char *name, size_t size);
/* The channel of that name which takes input, or VM_CHANNELS. NULL: the first one. */
unsigned vm_input_channel(const struct vm *vm, const char *name);
/* Guest exits of all reasons. */
uint64_t vm_exits(const struct vm *vm);
/* Where its vCPUs are by name, and what register of a device they read again and again: of what is
 * known of this part of the run and its files, which is no state. */
void vm_places_text(struct vm *vm, char *text, size_t size);
/* SIGUSR1: what it is doing, to its log. */
void vm_log_status(const struct vm *vm);
/* Ends a VM: status and sentence; the first ending counts. */
void vm_end(struct vm *vm, int status, const char *format, ...) TEXT_PRINTF(3, 4);

/* The local design safe state: a condition that the model has no answer to, confined to one VM. It
 * ends with status 96, dumped if the configuration wants that; the others go on. */
void vm_safe_state(struct vm *vm, const char *format, ...) TEXT_PRINTF(2, 3);
/* A dump of the guest where the configuration wants it, if it does, at the next instruction
 * boundary. `why` is a sentence. */
void vm_dump(struct vm *vm, const char *why);
/* The dump itself, to the board's sinks, whatever the configuration says. Only between runs. */
void dump_write(struct vm *vm, const char *why);

/* Guest-physical memory of a VM, through its stage 2. False if not all of it is RAM or ROM. */
bool vm_read(struct vm *vm, gpa_t from, void *to, uint64_t size);
bool vm_write(struct vm *vm, gpa_t to, const void *from, uint64_t size);

#endif
