/* libqvm: machines of the qvm emulator inside another program.
 *
 * A machine is a board with one or more VMs on it, made from the same configurations that `qvm run`
 * takes (docs/configuration.md). It runs when it is told to, as far as it is told to, in the thread
 * that tells it; its memory, registers and snapshots are there between runs. It does what the same
 * configuration does under `qvm run`, instruction by instruction: digests are the same.
 *
 *     struct qvm_error e = {0};
 *     struct qvm_machine *m = qvm_load_file("hello.qvmconf", NULL, &e);
 *     if (!m)
 *         return fprintf(stderr, "%s\n", e.text), e.status;
 *     qvm_run(m, QVM_FOR_EVER, &e);
 *     printf("%s after %llu instructions\n", qvm_ending(m, 0),
 *            (unsigned long long)qvm_instructions(m));
 *     qvm_free(m);
 *
 * Errors. Functions that can fail take a struct qvm_error, which may be NULL; it is overwritten if
 * they fail, and left alone if not. Bad input, a guest and a want of memory never end the calling
 * process. If the library finds itself wrong, the call fails with QVM_FAILED and the machine is of
 * no use any more but for qvm_free, which gives back then what it safely can. (Unicorn, which
 * executes guest code, ends the process if it gets no memory while the guest runs.)
 *
 * Threads. A machine is for one thread at a time; which one may change from call to call. Any
 * number of machines can be used by as many threads at the same time: nothing of one is seen in
 * another. They are made one after the other, for which qvm_load waits. The library starts no
 * thread, installs no signal handler, and writes nothing to standard output and error.
 *
 * Callbacks are called in the thread that runs the machine, while it runs. They may call qvm_stop
 * and qvm_instructions; everything else is refused until the run is over. They return: neither
 * longjmp nor exceptions lead out of them.
 *
 * Numbers: VMs and vCPUs count from 0. Addresses and sizes are bytes. Texts are UTF-8 and end with
 * a 0; those that the library returns are its own. */
#ifndef QVM_H
#define QVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; qvm_version() says it of the library. While the first number is 0 the second one
 * changes with the interface. */
#define QVM_VERSION_MAJOR 0
#define QVM_VERSION_MINOR 1
#define QVM_VERSION_PATCH 0

#if defined(__GNUC__)
#define QVM_API __attribute__((visibility("default")))
#else
#define QVM_API
#endif

struct qvm_machine;
struct qvm_snapshot;

/* Statuses of errors: those that the program ends with in the same case (docs/command-line.md), */
enum qvm_status {
    QVM_USAGE = 2,          /* the call makes no sense: what of it is in the text */
    QVM_NOT_STARTED = 64,   /* the host lacks memory, or a file that is needed */
    QVM_CONFIGURATION = 65, /* something in a configuration: "[file:line] text", a line each; or
                             * this build has no engine for it */
    QVM_FAILED = 96,        /* the library is wrong */
};

struct qvm_error {
    int status;      /* enum qvm_status */
    char text[1024]; /* a sentence, or a line for each mistake of a configuration */
};

/* "0.1.0" */
QVM_API const char *qvm_version(void);
/* Can it execute guest code? A library that was built without Unicorn refuses every qvm_load, and
 * says why. */
QVM_API bool qvm_runs_guests(void);

/* Making a machine ----------------------------------------------------------------------------- */

/* A guest exit that has been handled. Borrowed by the callback, texts included. */
struct qvm_exit {
    unsigned vm, vcpu;
    const char *reason;    /* as `qvm exits` calls it, such as "mmio" */
    const char *handler;   /* who answered, such as "pl011" */
    uint64_t instructions; /* that the board has executed, this one too */
    uint64_t pc;
    uint64_t virtual_address, guest_physical; /* of an access */
    uint64_t value;                           /* written or read; of a call the immediate */
    unsigned size;                            /* bytes */
    bool is_write;
};

/* Each may be NULL. */
struct qvm_callbacks {
    /* What a guest prints, in pieces. `device` is the name of the device that does, or
     * "semihosting". */
    void (*output)(void *context, unsigned vm, const char *device, const void *data, size_t size);
    void (*guest_exit)(void *context, const struct qvm_exit *x);
    /* A line of a VM's log that its configuration wants; severities as it spells them. */
    void (*log)(void *context, unsigned vm, const char *severity, const char *line);
    /* A file that the guest wrote (semihosting) below `folder`, or that the configuration asked
     * for: `folder` is NULL then. False: it cannot be written, which the guest is told. Without
     * this callback none can: the library writes no files. */
    bool (*file)(void *context, const char *folder, const char *name, const void *data,
                 size_t size);
    void *context;
};

/* All zeros, but for `size`, are the defaults of `qvm run`. */
struct qvm_options {
    size_t size;                 /* sizeof (struct qvm_options) */
    uint64_t limit_instructions; /* the machine ends there, with status 67; 0: no limit */
    uint64_t limit_ns;           /* the same in virtual time */
    uint64_t wall_clock_s;       /* the guests' clock starts then; 0: 2024-01-01 */
    uint64_t entropy_seed;       /* of the guests' random numbers */
    const char *board_file;      /* of the board (docs/boards.md); NULL: a default one */
    struct qvm_callbacks callbacks;
};

/* The words of one VM: configuration text, and "@FILE" for what is in a file. */
struct qvm_words {
    const char *const *words;
    size_t count;
};

/* A machine with these VMs, from 1 to 64, that stands before its first instruction. Images and
 * configurations are read now; names of files are relative to the current folder. `options` NULL:
 * the defaults. NULL: the error. The caller ends it with qvm_free. */
QVM_API struct qvm_machine *qvm_load(const struct qvm_words *vms, size_t count,
                                     const struct qvm_options *options, struct qvm_error *e);
/* With one VM, from a file or a text. Places in a text are [cmdline:1]. */
QVM_API struct qvm_machine *qvm_load_file(const char *path, const struct qvm_options *options,
                                          struct qvm_error *e);
QVM_API struct qvm_machine *qvm_load_text(const char *text, const struct qvm_options *options,
                                          struct qvm_error *e);
/* NULL: nothing. */
QVM_API void qvm_free(struct qvm_machine *m);

/* Running -------------------------------------------------------------------------------------- */

enum qvm_stop {
    QVM_STOP_ERROR,       /* nothing ran, or the library failed: see the error */
    QVM_STOP_END,         /* every VM has ended, or a limit was reached: qvm_exit_status */
    QVM_STOP_INSTRUCTION, /* so many instructions have been executed */
    QVM_STOP_TEXT,        /* the text was printed */
    QVM_STOP_EXIT,        /* there was a guest exit */
    QVM_STOP_ASKED,       /* qvm_stop */
    QVM_STOP_WAITS,       /* every vCPU waits, and only input will wake one: qvm_input gives some,
                           * qvm_end_input says that there will be none */
};

#define QVM_FOR_EVER UINT64_MAX

/* Runs until the board has executed `instructions` in all, counted from its start, or stops for
 * another reason before. Where it stops makes no difference to the run. */
QVM_API enum qvm_stop qvm_run(struct qvm_machine *m, uint64_t instructions, struct qvm_error *e);
/* The same, but stops when a console has printed the text (not empty, borrowed while it runs), */
QVM_API enum qvm_stop qvm_run_to_text(struct qvm_machine *m, const char *text,
                                      uint64_t instructions, struct qvm_error *e);
/* or behind the next guest exit. */
QVM_API enum qvm_stop qvm_run_to_exit(struct qvm_machine *m, uint64_t instructions,
                                      struct qvm_error *e);
/* From a callback: the run stops as soon as it can, at most some instructions later, always at the
 * same one. Otherwise: nothing. */
QVM_API void qvm_stop(struct qvm_machine *m);

/* Input for a console: bytes that the device gets from the next instruction on, as it takes them.
 * "DEVICE.PORT": one of its further ports. `device` NULL: the first that the configuration connects
 * to standard input (`hostdev -`), or else the first that takes any. False: there is no such
 * device. */
QVM_API bool qvm_input(struct qvm_machine *m, unsigned vm, const char *device, const void *data,
                       size_t size, struct qvm_error *e);
/* No more will come: who waits for input waits for ever, and the machine ends as a program does
 * whose standard input has ended. */
QVM_API void qvm_end_input(struct qvm_machine *m);

/* How far it is ------------------------------------------------------------------------------- */

/* Executed so far by all vCPUs. */
QVM_API uint64_t qvm_instructions(const struct qvm_machine *m);
/* Virtual time. */
QVM_API uint64_t qvm_time_ns(const struct qvm_machine *m);
/* What `qvm run` would end with; -1: it has not ended. */
QVM_API int qvm_exit_status(const struct qvm_machine *m);
/* How a VM ended, a sentence; empty while it runs. Valid until the machine runs, is restored or
 * freed. NULL: there is no such VM. */
QVM_API const char *qvm_ending(const struct qvm_machine *m, unsigned vm);
/* SHA-256 of the whole state: time, vCPUs, devices and memory, as hexadecimal digits. */
#define QVM_DIGEST_SIZE 65 /* with the 0 */
QVM_API bool qvm_digest(struct qvm_machine *m, char text[QVM_DIGEST_SIZE], struct qvm_error *e);
/* How many there are; 0 vCPUs: there is no such VM. */
QVM_API unsigned qvm_vm_count(const struct qvm_machine *m);
QVM_API unsigned qvm_vcpu_count(const struct qvm_machine *m, unsigned vm);

/* Looking and changing ------------------------------------------------------------------------- */

enum qvm_space {
    QVM_PHYSICAL, /* what the guest believes is physical */
    QVM_VIRTUAL,  /* what the vCPU's own tables translate now, whatever they permit */
};

/* Memory as a vCPU of a VM sees it, RAM and ROM alike, without any effect on devices. False: not
 * all of it is memory; the text names the first address that is not, and of a write what is before
 * it is done. */
QVM_API bool qvm_read_memory(struct qvm_machine *m, unsigned vm, unsigned vcpu,
                             enum qvm_space space, uint64_t address, void *to, size_t size,
                             struct qvm_error *e);
QVM_API bool qvm_write_memory(struct qvm_machine *m, unsigned vm, unsigned vcpu,
                              enum qvm_space space, uint64_t address, const void *from, size_t size,
                              struct qvm_error *e);

/* Registers by the names that gdb has for them (x0, sp, pc, cpsr, v0) and the manual for system
 * registers, in upper or lower case. The upper half is that of bits 64 to 127. */
struct qvm_register {
    uint64_t low, high;
};
/* The name of each, from number 0 on; NULL: there are no more, or no such VM. */
QVM_API const char *qvm_register_name(const struct qvm_machine *m, unsigned vm, unsigned number);
QVM_API bool qvm_read_register(struct qvm_machine *m, unsigned vm, unsigned vcpu, const char *name,
                               struct qvm_register *value, struct qvm_error *e);
/* Not of a vCPU that is powered off, no system register, and nothing that software could not make
 * of what there is. */
QVM_API bool qvm_write_register(struct qvm_machine *m, unsigned vm, unsigned vcpu, const char *name,
                                const struct qvm_register *value, struct qvm_error *e);

enum qvm_access { QVM_READ, QVM_WRITE, QVM_FETCH };

/* How an access by that vCPU is translated now, step by step, and what is there, as `qvm explain`
 * says it; `json`: the same for programs. Into `text`, cut if `size` bytes are too few. Returns the
 * length of all of it, without the 0; 0: the error. */
QVM_API size_t qvm_explain(struct qvm_machine *m, unsigned vm, unsigned vcpu, enum qvm_space space,
                           enum qvm_access access, uint64_t address, bool json, char *text,
                           size_t size, struct qvm_error *e);

/* Snapshots ------------------------------------------------------------------------------------ */

/* The machine as it is, in memory. Taking one changes nothing. NULL: the error. The caller frees
 * it, before or behind the machine. */
QVM_API struct qvm_snapshot *qvm_snapshot_take(struct qvm_machine *m, struct qvm_error *e);
/* The machine becomes what it was, also one that has ended; so does another machine of the same
 * configuration. Input that was given and has not reached a device is forgotten. False: the machine
 * is of no use any more. The snapshot may be restored again, and freed at any time. */
QVM_API bool qvm_snapshot_restore(struct qvm_machine *m, const struct qvm_snapshot *s,
                                  struct qvm_error *e);
QVM_API void qvm_snapshot_free(struct qvm_snapshot *s);

#ifdef __cplusplus
}
#endif

#endif
