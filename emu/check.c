#include "emu/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct check_context *current;

void check_set_context(const struct check_context *context)
{
    current = context;
}

static _Noreturn void keep_and_exit(const struct check_context *c)
{
    c->last_words(c->context);
    _Exit(c->exit_status);
}

/* Whatever goes wrong in here must not come here again. */
static _Noreturn void stop(void)
{
    const struct check_context *c = current;
    current = NULL;
    if (!c)
        abort();
    fprintf(stderr, "qvm: at instruction %" PRIu64 ", guest PC %#" PRIx64 "\n", c->instructions,
            c->pc);
    if (c->trace_path)
        fprintf(stderr, "qvm: to see it again: qvm replay %s --limit-insns %" PRIu64 "\n",
                c->trace_path, c->instructions);
    if (!c->last_words)
        abort();
    keep_and_exit(c);
}

void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "qvm: internal error: %s is false at %s:%d\n", expression, file, line);
    stop();
}

void check_stop(const char *what)
{
    fprintf(stderr, "qvm: internal error: %s\n", what);
    stop();
}

void check_shortage(void)
{
    const struct check_context *c = current;
    static int status = CHECK_SHORTAGE_STATUS;
    current = NULL;
    fprintf(stderr, "qvm: the host has no memory left\n");
    if (!c || !c->last_words)
        _Exit(status);
    status = c->exit_status;
    keep_and_exit(c);
}
