#include "qvm/gdb/gdb_locate.h"

#include "hv/explain/inspect.h"

bool gdb_locate(struct gdb_board *g, unsigned thread, enum gdb_space space, uint64_t address,
                hpa_t *at)
{
    const struct sched_entity *t = &g->board->schedule.turns[thread - 1];
    if (space == GDB_HOST_PHYSICAL) {
        *at = hpa(address);
        return true;
    }
    if (space == GDB_VIRTUAL && t->vcpu->on)
        return inspect_place(t->vm, t->vcpu, gva(address), at);
    return inspect_gpa(t->vm, gpa(address), at);
}
