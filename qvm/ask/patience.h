/* A question that takes long: the user is told how far it is, and may end it (SIGINT). */
#ifndef QVM_ASK_PATIENCE_H
#define QVM_ASK_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
    const char *question;
    uint64_t told_ns, pause_ns;
    bool is_over;
};

void patience_begin(struct patience *p, const char *question);
/* Of type gdb_user.interrupted; the context is a struct patience. */
bool patience_is_over(void *patience, uint64_t instructions);

#endif
