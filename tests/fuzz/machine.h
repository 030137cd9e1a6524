/* A small machine for fuzz targets that need one: an exit log is its guest, nothing executes code,
 * and the host has nothing to offer. */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "hv/exitlog/exit_log.h"

struct fuzz_machine {
    struct board_config board_config;
    struct vm_config configs[2];
    size_t vm_count;
    struct journal journal;
    struct exit_log exit_log;
    struct board *board;
    const struct bytes *file; /* what every file of the host holds; NULL: nothing */
};

/* Two vCPUs and a device of each kind that a bare guest meets. */
extern const char fuzz_machine_words[];

/* The configurations of VMs are separated by '+'. `exit_log` NULL: the guest does nothing. False,
 * with the error: the board refuses; the machine is closed in any case. */
bool fuzz_machine_open(struct fuzz_machine *m, const char *words, const struct bytes *exit_log,
                       const struct bytes *file, struct error *e);
/* It comes to an end, whatever its guest does. */
void fuzz_machine_run(struct fuzz_machine *m);
void fuzz_machine_close(struct fuzz_machine *m);

/* The exit log of a guest that makes exits of each reason. */
void fuzz_put_run(struct bytes *out);
/* A refusal is one sentence. */
void fuzz_check_refusal(const struct error *e);

#endif
