/* A question that takes long: the user is told how far it is, and may end it (SIGINT). */
#ifndef QVM_ASK_PATIENCE_H
#define QVM_ASK_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* When the user is to be told: after a second, then after twice as long each time. */
struct telling {
    uint64_t told_ns, pause_ns;
};

struct patience {
    const char *question;
    struct telling telling;
    bool is_over;
};

void telling_begin(struct telling *t);
/* Once for each time; whoever asks tells. */
bool telling_is_due(struct telling *t);

void patience_begin(struct patience *p, const char *question);
/* Of type gdb_user.interrupted; the context is a struct patience. */
bool patience_is_over(void *patience, uint64_t instructions);

#endif
