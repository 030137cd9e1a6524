/* Where dumps of guests go: `dump DIRECTORY` gets a file of its own for each, `dump "|COMMAND"` the
 * bytes. */
#ifndef QVM_LIVE_DUMPS_H
#define QVM_LIVE_DUMPS_H

#include "hv/board.h"

struct host_file;

struct dumps {
    struct host_file *file; /* of the dump that is being written */
    char place[1024];       /* its name, or the command */
};

bool dumps_begin(struct dumps *d, const struct vm *vm, struct error *e);
bool dumps_write(struct dumps *d, const void *data, size_t size);
void dumps_end(struct dumps *d, const struct vm *vm, bool complete, const char *why);

#endif
