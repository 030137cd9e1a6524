/* `qvm import FILE -o TRACE CONF...`: guest exits that were seen elsewhere, or a guest's core, and
 * the configuration to judge them by, become a trace. */
#ifndef QVM_IMPORT_TRACE_H
#define QVM_IMPORT_TRACE_H

#include "hv/foreign/start_state.h"
#include "qvm/session.h"

#define IMPORT_REGISTERS_MAX 64

struct import_options {
    const char *format; /* NULL: as the file looks */
    const char *to;     /* the trace */
    const char *board_file;
    struct start_register registers[IMPORT_REGISTERS_MAX]; /* of cores without system registers */
    size_t register_count;
};

/* `vm` without words: for a core one that has its memory and vCPUs. Returns the exit status. */
int import_file(const char *path, const struct vm_words *vm, const struct import_options *options);

#endif
