/* What the files of the library share. */
#ifndef LIBRARY_LIBRARY_INTERNAL_H
#define LIBRARY_LIBRARY_INTERNAL_H

#include <setjmp.h>

#include "emu/check.h"
#include "hv/board.h"
#include "include/qvm.h"
#include "qvm/files.h"
#include "qvm/live/text_watch.h"
#include "qvm/session.h"

/* Input that no device has got yet. */
struct input_chunk {
    uint16_t target; /* as of struct push */
    uint16_t size;
    uint8_t data[PUSH_BYTES_MAX];
};

struct qvm_machine {
    struct session_options settings; /* of what is pulled */
    struct qvm_callbacks callbacks;
    struct board_config board_config;
    bool has_board;            /* else the default one */
    struct vm_config *configs; /* owned, one a VM */
    size_t vm_count;
    struct journal journal;
    struct open_files files;
    struct board *board;
    struct bytes restored; /* the snapshot that its memory is from */
    bool failed;           /* it is of no use any more */
    bool running;
    bool input_ended;
    struct bytes input; /* struct input_chunk, one behind another */
    size_t input_used;  /* bytes of it that were given to devices; one chunk less is lent */
    uint64_t input_tick;
    /* Of the run: */
    enum qvm_stop stop;
    bool stops_at_exit;
    struct text_watch text; /* text NULL: none is waited for */
};

/* A call into the rest of the program, which returns even if a check fails in there:
 *
 *     struct guard g;
 *     if (!guard_enter(&g, m, e) || setjmp(g.back))
 *         return guard_failed(&g);
 *     ...
 *     guard_leave(&g);
 */
struct guard {
    jmp_buf back;
    struct check_caller caller;
    const struct check_caller *before;
    struct qvm_machine *machine; /* NULL: there is none yet */
    struct qvm_error *error;     /* the caller's; may be NULL */
    bool entered;
    bool has_lock; /* of the process: given back if the call fails */
};

/* False, with the error: the machine cannot be used now. */
bool guard_enter(struct guard *g, struct qvm_machine *m, struct qvm_error *e);
void guard_leave(struct guard *g);
/* Behind either kind of failure: what the call was about has not been done. Returns false. */
bool guard_failed(struct guard *g);

/* The caller's error, if he wants to know. They return false. */
bool failure_of(struct qvm_error *to, const struct error *e, int otherwise);
bool failure_set(struct qvm_error *to, int status, const char *format, ...) TEXT_PRINTF(3, 4);

/* That VM, and its vCPU; NULL, with the error. */
struct vm *library_vm(const struct qvm_machine *m, unsigned vm, struct qvm_error *e);
struct vcpu *library_vcpu(const struct qvm_machine *m, unsigned vm, unsigned vcpu,
                          struct qvm_error *e);

/* What a board of the library's has around it. */
struct board_sinks library_sinks(struct qvm_machine *m);
struct journal_host library_host(struct qvm_machine *m);
void library_forget_input(struct qvm_machine *m);

#endif
