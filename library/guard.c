/* Calls that return whatever happens in them, and their errors. */
#include <stdarg.h>
#include <stdio.h>

#include "library/library_internal.h"
#include "qvm/host/host_lock.h"

bool failure_set(struct qvm_error *to, int status, const char *format, ...)
{
    if (!to)
        return false;
    va_list args;
    va_start(args, format);
    to->status = status;
    vsnprintf(to->text, sizeof to->text, format, args);
    va_end(args);
    return false;
}

bool failure_of(struct qvm_error *to, const struct error *e, int otherwise)
{
    return failure_set(to, e->exit_status ? e->exit_status : otherwise, "%s", e->text);
}

/* Of type check_caller.stopped. What is on the stack is left as it is: the machine is not used
 * again. */
static void come_back(void *context, int exit_status, const char *sentence)
{
    struct guard *g = context;
    failure_set(g->error, exit_status, "%s", sentence);
    longjmp(g->back, 1);
}

static bool may_enter(const struct qvm_machine *m, struct qvm_error *e)
{
    if (!m)
        return true;
    if (m->failed)
        return failure_set(e, QVM_FAILED, "the machine has failed before, and is of no use");
    return !m->running || failure_set(e, QVM_USAGE, "the machine runs: callbacks may only stop it");
}

bool guard_enter(struct guard *g, struct qvm_machine *m, struct qvm_error *e)
{
    g->machine = m;
    g->error = e;
    g->has_lock = false;
    g->entered = may_enter(m, e);
    if (!g->entered)
        return false;
    g->caller = (struct check_caller){come_back, g};
    g->before = check_set_caller(&g->caller);
    check_set_context(m ? &m->board->where : NULL);
    return true;
}

void guard_leave(struct guard *g)
{
    check_set_context(NULL);
    check_set_caller(g->before);
}

bool guard_failed(struct guard *g)
{
    if (!g->entered)
        return false;
    guard_leave(g);
    if (g->has_lock)
        host_unlock();
    if (g->machine) {
        g->machine->failed = true;
        g->machine->running = false;
    }
    return false;
}
