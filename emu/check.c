#include "emu/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local const struct check_context *current;
static _Thread_local const struct check_caller *caller;

void check_set_context(const struct check_context *context)
{
    current = context;
}

const struct check_caller *check_set_caller(const struct check_caller *next)
{
    const struct check_caller *before = caller;
    caller = next;
    return before;
}

/* Nothing here ends the process, if somebody lives on. */
static void tell_caller(int exit_status, const char *sentence)
{
    const struct check_caller *c = check_set_caller(NULL);
    if (!c)
        return;
    c->stopped(c->context, exit_status, sentence);
    abort();
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

void check_stop(const char *what)
{
    char sentence[512];
    uint64_t instructions = current ? current->instructions : 0;
    snprintf(sentence, sizeof sentence, "internal error: %s (instruction %" PRIu64 ")", what,
             instructions);
    tell_caller(CHECK_FAILED_STATUS, sentence);
    fprintf(stderr, "qvm: internal error: %s\n", what);
    stop();
}

void check_failed(const char *expression, const char *file, int line)
{
    char what[400];
    snprintf(what, sizeof what, "%s is false at %s:%d", expression, file, line);
    check_stop(what);
}

void check_shortage(void)
{
    const struct check_context *c = current;
    current = NULL;
    tell_caller(CHECK_SHORTAGE_STATUS, "the host has no memory left");
    fprintf(stderr, "qvm: the host has no memory left\n");
    if (!c || !c->last_words)
        _Exit(CHECK_SHORTAGE_STATUS);
    keep_and_exit(c);
}
