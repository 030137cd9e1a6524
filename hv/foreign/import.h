/* Records of guest exits, and cores of guests, that come from elsewhere, read from the bytes of a
 * file: pure functions that take the file for hostile. What each format looks like:
 * docs/import.md. */
#ifndef HV_FOREIGN_IMPORT_H
#define HV_FOREIGN_IMPORT_H

#include "cpu/vcpu.h"
#include "emu/error.h"
#include "hv/foreign/observed_exit.h"
#include "hv/vm_arch.h"

struct observed_arch;

/* Exit streams ------------------------------------------------------------------------------------
 */

struct import {
    const char *file;           /* its name, for errors */
    const struct vm_arch *arch; /* of the VM that it is imported for */
    struct observed_stream stream;
    uint64_t lines;
    uint64_t skipped;       /* lines that say nothing about guest exits */
    uint64_t first_skipped; /* number of the first of those; 0: there is none */
    uint64_t other_vms;     /* lines about VMs other than the first one named */
    uint64_t vcpus_unknown; /* exits of which the text names the physical CPU, not the vCPU */
};

/* A format: more of them (an SMMU's event queue, say) are more rows. */
struct import_format {
    const char *name;
    /* A line at the beginning of the file looks like one of these. */
    bool (*recognise)(const char *line, size_t size);
    /* All of the text. False: an error that names the line. */
    bool (*parse)(struct import *i, const char *text, size_t size, struct error *e);
};
/* NULL behind the last. */
const struct import_format *import_format(unsigned number);
/* The format of that name, or with `name` NULL the one that the text looks like; NULL, with the
 * error: there is none. */
const struct import_format *import_choose(const char *name, const char *text, size_t size,
                                          struct error *e);
/* Parses, and refuses a text without a single exit. The caller frees the stream in any case. */
bool import_text(const struct import_format *format, struct import *i, const char *text,
                 size_t size, struct error *e);

/* A line of its heading, or with a tracepoint; `arch` NULL: the heading alone. */
bool import_ftrace_recognise(const struct observed_arch *arch, const char *line, size_t size);
bool import_ftrace(struct import *i, const char *text, size_t size, struct error *e);
bool import_traceprinter_recognise(const char *line, size_t size);
bool import_traceprinter(struct import *i, const char *text, size_t size, struct error *e);

/* Cores -------------------------------------------------------------------------------------------
 */

#define IMPORT_CORE_VCPUS_MAX 8 /* as many as a configuration may have */

struct import_core_vcpu {
    struct vcpu_registers r;
    const uint8_t *state; /* of our own cores: every register by name (vcpu_visit); or NULL */
    size_t state_size;
};

struct import_core_segment {
    uint64_t gpa, size;  /* of its contents */
    const uint8_t *data; /* borrowed */
};

struct import_core {
    const struct vm_arch *arch; /* by e_machine */
    struct import_core_vcpu vcpus[IMPORT_CORE_VCPUS_MAX];
    unsigned vcpu_count;
    struct import_core_segment *segments; /* owned; none overlaps one before it wholly */
    size_t segment_count;
    bool has_time; /* our own cores: how far the board had come */
    uint64_t instructions, idle_ticks;
};

bool import_core_recognise(const void *data, size_t size);
/* The caller frees with import_core_free in any case. `data` is borrowed. */
bool import_core(struct import_core *c, const char *file, const void *data, size_t size,
                 struct error *e);
void import_core_free(struct import_core *c);

/* The owner of our notes in cores and their types (hv/dump.c). */
#define IMPORT_NOTE_OWNER "QVM"
enum import_note {
    IMPORT_NOTE_VCPU = 1, /* of the vCPU of the NT_PRSTATUS before it: string name, varint size,
                             bytes, for each register */
    IMPORT_NOTE_TIME = 2, /* instructions (8), idle ticks (8) */
};

#endif
