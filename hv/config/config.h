/* The configuration language: words from files and the command line become a `struct vm_config`.
 * Syntax and rules: docs/configuration.md. Nothing here opens a file or touches a machine; file
 * contents come in through `config_reader`.
 *
 * The result is resolved and checked: automatic places are chosen, defaults are filled in, no two
 * ranges overlap, and every type, option and variable exists. Every string in it belongs to
 * `strings` and lives until config_free; nothing is freed one by one. */
#ifndef HV_CONFIG_CONFIG_H
#define HV_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/error.h"
#include "emu/log.h"
#include "vdev/vdev.h"

/* Where a word was written. */
struct place {
    const char *file; /* leaf name, or "cmdline" */
    unsigned line;
};

/* Strings that live as long as the list. */
struct config_strings {
    char **items;
    size_t count;
};

struct ram_config {
    struct place place;
    bool is_rom;
    uint64_t start; /* resolved: guest-physical */
    uint64_t length;
};

struct cpu_config {
    struct place place;
    unsigned priority;    /* sched; default 10 */
    char policy;          /* 'r', 'f', 'o' or 's' (sporadic) */
    uint64_t runmask;     /* 0: all */
    char *cluster;        /* or NULL */
    uint64_t sporadic[4]; /* low priority, max replenishments, period ns, budget ns */
};

/* BLOB_SNIFF: no blob-type word was given. */
enum blob_type { BLOB_SNIFF, BLOB_GUEST, BLOB_INITRD, BLOB_FDT, BLOB_ACPI, BLOB_DATA };
struct load_config {
    struct place place;
    enum blob_type type;
    bool has_address;
    uint64_t address;
    char *path; /* relative to the program's current directory */
};

struct logger_config {
    unsigned severities;
    enum { LOGGER_STDOUT, LOGGER_STDERR, LOGGER_SLOG, LOGGER_NONE } destination;
};

struct vdev_config {
    struct place place;
    const struct vdev_type *type;
    char *name;   /* or NULL */
    bool has_loc; /* `loc` was written */
    uint64_t loc; /* guest-physical; the type's default if it was not written */
    bool has_intr;
    char *intr_pic; /* the interrupt controller's final name */
    unsigned intr_line;
    bool has_stream;
    struct place stream_place;
    char *smmu;        /* the name of the vdev that translates its DMA, */
    size_t smmu_index; /* and its number, */
    uint32_t stream;   /* where it is this stream */
    bool has_hostvector;
    unsigned hostvector;         /* interrupt controllers: host vector of line 0 */
    bool not_in_status;          /* `set debug off` */
    struct vdev_option *options; /* type-specific ones and hostdev, in order; of an option that is
                                  * not repeatable only the last occurrence is kept */
    size_t option_count;
    struct logger_config *loggers; /* the option `log`, in order: the last wins per severity */
    size_t logger_count;
};

/* One `loc` of a `pass` statement. */
struct pass_config {
    struct place place;
    unsigned statement;           /* number of the `pass` it belongs to, from 0 */
    enum blob_type type;          /* blob-type word before the statement, or BLOB_SNIFF */
    bool is_io;                   /* an x86 port range; this version refuses those */
    uint64_t guest, length, host; /* host = guest if it was not written */
    bool has_host;
    bool r, w, x, c, e, s, t, d, n, m; /* attribute letters after + and - are resolved */
};

/* One `intr` of a `pass` statement. */
struct pass_intr_config {
    struct place place;
    unsigned statement;
    char *pic;
    unsigned line;
    unsigned host_vector; /* resolved */
    bool unmask_at_once;  /* flag u */
    bool thread;          /* flag t */
};

/* Keeps automatic placement away from [base, base + length). */
struct reserve_config {
    struct place place;
    uint64_t base, length; /* mem: */
};

/* Keeps automatic assignment away from an interrupt line. */
struct reserve_intr_config {
    struct place place;
    unsigned number;
};

/* A fault on purpose: right behind an instruction of the board, or at the `count`-th interrupt of a
 * line or access of a device. */
enum inject_kind {
    INJECT_FLIP_MEMORY,
    INJECT_FLIP_REGISTER,
    INJECT_UNMAP,
    INJECT_LOSE, /* from here on by count */
    INJECT_DOUBLE,
    INJECT_DELAY,
    INJECT_REFUSE,
};
struct inject_config {
    struct place place;
    enum inject_kind kind;
    bool is_bad;                 /* its mistake has been told */
    uint64_t instruction, count; /* one of them; both 0: `at` is missing */
    uint64_t start, length; /* guest-physical; of INJECT_UNMAP whole pages; of INJECT_DELAY ns */
    unsigned line;          /* of the interrupt controller */
    char *pic;              /* the controller's final name */
    unsigned vcpu, bit;
    char *name; /* of a register or a device */
};

enum unsupported_action { UNSUPPORTED_ABORT, UNSUPPORTED_FAIL, UNSUPPORTED_IGNORE };

#define CONFIG_VCPUS_MAX 8 /* no interrupt controller here serves more */

/* The CPU model and clock are variables of ours (`set cpu-model a57`, `set clock-rate 1000000000`).
 */
struct vm_config {
    char *system; /* or NULL */
    struct ram_config *rams;
    size_t ram_count;
    struct cpu_config *cpus; /* 1 to CONFIG_VCPUS_MAX */
    size_t cpu_count;
    struct load_config *loads;
    size_t load_count;
    char *cmdline;             /* or NULL */
    struct vdev_config *vdevs; /* the first is the interrupt controller, mentioned or not */
    size_t vdev_count;
    struct pass_config *passes;
    size_t pass_count;
    struct pass_intr_config *pass_intrs;
    size_t pass_intr_count;
    struct reserve_config *reserves;
    size_t reserve_count;
    struct reserve_intr_config *reserve_intrs;
    size_t reserve_intr_count;
    struct inject_config *injects;
    size_t inject_count;
    struct logger_config *loggers; /* at least one */
    size_t logger_count;
    enum unsupported_action unsupported_instruction, unsupported_reference, unsupported_register;
    bool dryrun;
    char *dump;              /* or NULL */
    char *fdt_dump_file;     /* or NULL */
    char *cpu_model;         /* "a57" (default), "a53", "a72", "max" */
    uint64_t clock_rate_hz;  /* default 1000000000 */
    uint64_t counter_offset; /* default all ones = guest counter starts at 0 */
    bool icache_exact;       /* `set icache exact`: code changes by IC instructions only */
    char *semihosting_dir;   /* `set semihosting DIR`; NULL = semihosting off, "" = no files */
    char **accepted;         /* "[file:line] text": what is understood and has no effect here */
    size_t accepted_count;
    char **notes; /* "[file:line] text": what became other than it was written */
    size_t note_count;
    struct config_strings strings; /* owns every string above */
};

/* Memory of the guest: RAM and ROM in the order in which they were written, then what `pass` gives
 * with attribute m. False: there are not so many. */
struct memory_range {
    uint64_t start, length;
    bool is_rom;
};
bool config_memory(const struct vm_config *config, size_t i, struct memory_range *range);

/* What a device is called: its `name`, or else its type. */
const char *config_vdev_name(const struct vdev_config *vdev);

struct board_config;

/* How the parser reaches the outside. */
struct config_reader {
    /* Contents of a file, `*size` bytes, which the caller frees; on failure NULL and the error. */
    uint8_t *(*read_file)(void *context, const char *path, size_t *size, struct error *e);
    /* Value of an environment variable, borrowed, or NULL. */
    const char *(*env)(void *context, const char *name);
    /* What errors call the file, borrowed; a NULL, or no such function: its name without folders.
     */
    const char *(*place)(void *context, const char *path);
    void *context;
    /* The board the VM will be on (hv/config/board_config.h): its regions are the asinfo entries,
     * its clusters and CPUs those that `cpu` can name. NULL: not known, so nothing has an asinfo
     * entry and any cluster will do. */
    const struct board_config *board;
    /* The text is a recording's: what was allowed once still is. */
    bool is_recorded;
};

/* Parses a list of command-line words: `@FILE` includes a file, anything else is configuration
 * text. On failure the error lists every mistake found, one `[file:line] text` a line, with exit
 * status 65, and *config is empty. The caller frees with config_free. */
bool config_parse(struct vm_config *config, const char *const *words, size_t count,
                  const struct config_reader *reader, struct error *e);
void config_free(struct vm_config *config);
/* The whole configuration in canonical form, one statement a line, self-contained: parsing it gives
 * the same vm_config but for `place`s and `accepted` (used inside traces). Appends to `out`. */
void config_print(const struct vm_config *config, struct bytes *out);

#endif
