/* What a guest exit changes: fields of devices, and interrupt lines of vCPUs. */
#ifndef QVM_ASK_EXIT_CHANGES_H
#define QVM_ASK_EXIT_CHANGES_H

#include "emu/bytes.h"
#include "hv/board.h"

struct exit_changes {
    struct bytes before; /* owned: state of every device, lines of every vCPU */
};

/* The exit begins to be handled. */
void exit_changes_begin(struct exit_changes *c, const struct board *b);
/* It is handled: calls `tell` for each field that is another one, with its name ("vdev pl011:
 * rx[3]"). At most `limit`; returns how many there are. */
size_t exit_changes_end(const struct exit_changes *c, const struct board *b, size_t limit,
                        void (*tell)(void *context, const char *what, uint64_t from, uint64_t to),
                        void *context);
void exit_changes_free(struct exit_changes *c);

#endif
