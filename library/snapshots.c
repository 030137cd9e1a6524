/* Snapshots of machines, in memory. */
#include <stdlib.h>

#include "hv/snapshot/snapshot.h"
#include "library/library_internal.h"

struct qvm_snapshot {
    struct bytes data;
};

struct qvm_snapshot *qvm_snapshot_take(struct qvm_machine *m, struct qvm_error *e)
{
    struct guard g;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g), NULL;
    struct qvm_snapshot *s = calloc(1, sizeof *s);
    CHECK_ROOM(s);
    snapshot_take(m->board, &s->data);
    guard_leave(&g);
    return s;
}

/* Pages are looked up in the data when they are used first: the machine has a copy, and the one of
 * the snapshot before it until this one is there. */
static bool restore(struct qvm_machine *m, const struct qvm_snapshot *s, struct error *e)
{
    struct bytes data = {0};
    bytes_put(&data, s->data.data, s->data.size);
    bool ok = snapshot_restore(m->board, data.data, data.size, e);
    bytes_free(&m->restored);
    m->restored = data;
    m->failed = !ok;
    library_forget_input(m);
    return ok;
}

bool qvm_snapshot_restore(struct qvm_machine *m, const struct qvm_snapshot *s, struct qvm_error *e)
{
    struct guard g;
    struct error error = {0};
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    bool ok = restore(m, s, &error);
    guard_leave(&g);
    return ok || failure_of(e, &error, QVM_USAGE);
}

void qvm_snapshot_free(struct qvm_snapshot *s)
{
    if (s)
        bytes_free(&s->data);
    free(s);
}
