#include "emu/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct check_context *current;

void check_set_context(const struct check_context *context)
{
    current = context;
}

void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "qvm: internal error: %s is false at %s:%d\n", expression, file, line);
    if (current) {
        fprintf(stderr, "qvm: at instruction %" PRIu64 ", guest PC %#" PRIx64 "\n",
                current->instructions, current->pc);
        if (current->trace_path)
            fprintf(stderr, "qvm: to see it again: qvm replay %s --limit-insns %" PRIu64 "\n",
                    current->trace_path, current->instructions);
    }
    abort();
}
