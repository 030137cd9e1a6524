/* What the gdb server (gdb_server.c) debugs: threads are vCPUs, numbered from 1. The server knows
 * the remote protocol and nothing of boards; the target (gdb_board.c) knows boards and nothing of
 * the protocol. */
#ifndef QVM_GDB_GDB_TARGET_H
#define QVM_GDB_GDB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/vcpu.h"
#include "emu/bytes.h"

enum gdb_space { GDB_VIRTUAL, GDB_GUEST_PHYSICAL, GDB_HOST_PHYSICAL };

enum gdb_point {
    GDB_BREAK_SOFTWARE, /* the guest's memory is not changed: the same as the next */
    GDB_BREAK_HARDWARE,
    GDB_WATCH_WRITE,
    GDB_WATCH_READ,
    GDB_WATCH_ACCESS,
};

enum gdb_resume { GDB_CONTINUE, GDB_STEP, GDB_REVERSE_CONTINUE, GDB_REVERSE_STEP };

enum gdb_stop_reason {
    GDB_STOP_STEP, /* the step is done */
    /* A breakpoint: PC is its address and the instruction there comes next. Backwards, something
     * was undone first. Forwards a continue may stop at once, at its very first instruction, if the
     * last stop was not this one: what was not reported (another thread's, or what is ahead again
     * after going back) must be seen. What was is passed; gdb itself takes points away for a step
     * over it. The same is true of watchpoints; and a step passes breakpoints in any case. */
    GDB_STOP_BREAK,
    /* A watchpoint of kind `watch`; `address` is inside of it. Forwards the instruction that
     * accesses it comes next, as with the architecture's own watchpoints; backwards it is the next
     * to be undone. In both cases gdb removes the watchpoints, steps over it in the same direction
     * and then compares. */
    GDB_STOP_WATCH,
    GDB_STOP_INTERRUPT, /* the user asked (`interrupted`) */
    GDB_STOP_LOG_BEGIN, /* reverse execution came to the start of the recording */
    GDB_STOP_LOG_END,   /* the replay came to its end */
    GDB_STOP_EXITED,    /* a live run ended with `exit_status` */
};

struct gdb_stop {
    enum gdb_stop_reason reason;
    unsigned thread;
    enum gdb_point watch;
    uint64_t address;
    int exit_status;
};

/* The user, while the target works for him. */
struct gdb_user {
    /* He wants it to end, or is gone; once true it stays so until the target has answered. May be
     * asked every few microseconds, with the place where the target is: `monitor` shows it now and
     * then. */
    bool (*interrupted)(void *context, uint64_t instructions);
    void *context;
};

struct gdb_target {
    const struct arch *arch; /* of all threads */
    unsigned (*thread_count)(void *context);
    /* "vm NAME, vCPU 0: runs" */
    void (*thread_text)(void *context, unsigned thread, char *text, size_t size);
    /* The vCPU that ran last. */
    unsigned (*current_thread)(void *context);
    void (*read_registers)(void *context, unsigned thread, struct vcpu_registers *r);
    bool (*write_registers)(void *context, unsigned thread, const struct vcpu_registers *r);
    /* How many bytes from the start could be read (debugger's look: no side effect). */
    size_t (*read_memory)(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                          void *to, size_t size);
    bool (*write_memory)(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                         const void *from, size_t size);
    /* False: there are too many. The server asks for each once, and removes all before it ends. */
    bool (*insert)(void *context, enum gdb_point point, uint64_t address, uint64_t size);
    void (*remove)(void *context, enum gdb_point point, uint64_t address, uint64_t size);
    bool (*can_reverse)(void *context);
    /* Runs until something happens or the user interrupts. A step is one instruction of that
     * thread; otherwise all run, and `thread` means nothing. */
    struct gdb_stop (*resume)(void *context, enum gdb_resume how, unsigned thread,
                              const struct gdb_user *user);
    /* `monitor COMMAND`: text for the user, who has selected a thread and a kind of address. */
    void (*monitor)(void *context, unsigned thread, enum gdb_space space, const char *command,
                    const struct gdb_user *user, struct bytes *out);
    void *context;
};

#endif
