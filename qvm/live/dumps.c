#include "qvm/live/dumps.h"

#include <stdio.h>

#include "qvm/host/host.h"

/* SYSTEM-YYYYMMDD-hhmmss.gcore; if that exists, with -1 to -9 before the dot. */
static struct host_file *create(struct dumps *d, const struct vm *vm, struct error *e)
{
    char stamp[16];
    struct host_file *file = NULL;
    bool taken = true;
    host_time_stamp(stamp);
    for (unsigned i = 0; i < 10 && !file && taken; i++) {
        struct error why = {0};
        char number[4] = "";
        if (i)
            snprintf(number, sizeof number, "-%u", i);
        snprintf(d->place, sizeof d->place, "%s/%s-%s%s.gcore", vm->config->dump, vm->name, stamp,
                 number);
        file = host_create_new(d->place, &taken, &why);
        if (!file && (!taken || i == 9))
            error_set(e, "%s", why.text);
    }
    return file;
}

bool dumps_begin(struct dumps *d, const struct vm *vm, struct error *e)
{
    const char *to = vm->config->dump;
    if (to[0] == '|') {
        snprintf(d->place, sizeof d->place, "%s", to);
        d->file = host_pipe(to + 1, e);
    } else {
        d->file = create(d, vm, e);
    }
    return d->file != NULL;
}

bool dumps_write(struct dumps *d, const void *data, size_t size)
{
    return data ? host_append(d->file, data, size) : host_append_zeros(d->file, size);
}

void dumps_end(struct dumps *d, const struct vm *vm, bool complete, const char *why)
{
    complete = host_close(d->file) && complete;
    d->file = NULL;
    if (complete)
        log_write(&vm->log, LOG_SEVERITY_INFO, "guest dumped to '%s': %s", d->place, why);
    else
        log_write(&vm->log, LOG_SEVERITY_ERROR, "the dump '%s' is not complete", d->place);
}
