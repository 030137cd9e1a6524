/* Where log lines go: the option `logger` of a VM, `log` of a device. Severities are sets, each
 * with the outlets it goes to; `slog` is standard error here. */
#include "hv/hv_internal.h"

static void write_line(void *context, enum log_severity severity, const char *line)
{
    const struct log_routes *r = context;
    const struct board_sinks *sinks = &r->vm->board->sinks;
    unsigned outlets = (r->to_stdout & severity ? (unsigned)OUTLET_STDOUT : 0) |
                       (r->to_stderr & severity ? (unsigned)OUTLET_STDERR : 0);
    if (sinks->log)
        sinks->log(sinks->context, r->vm->number, severity, outlets, line);
}

static void apply(struct log_routes *r, const struct logger_config *l)
{
    switch (l->destination) {
    case LOGGER_STDOUT:
        r->to_stdout |= l->severities;
        break;
    case LOGGER_STDERR:
    case LOGGER_SLOG:
        r->to_stderr |= l->severities;
        break;
    case LOGGER_NONE:
        r->to_stdout &= ~l->severities;
        r->to_stderr &= ~l->severities;
        break;
    }
}

static void connect(struct log *log, struct log_routes *r)
{
    unsigned asked = r->vm->board->options.log_severities;
    if (asked) {
        r->to_stdout &= asked;
        r->to_stderr = asked & ~r->to_stdout;
    }
    *log = (struct log){
        .severities = r->to_stdout | r->to_stderr,
        .vtime = &r->vm->board->vtime,
        .sink = write_line,
        .context = r,
    };
}

void loggers_init(struct vm *vm)
{
    vm->routes = (struct log_routes){.vm = vm};
    for (size_t i = 0; i < vm->config->logger_count; i++)
        apply(&vm->routes, &vm->config->loggers[i]);
    connect(&vm->log, &vm->routes);
}

/* A device's own `log` takes the place of the VM's for the severities it names, and the last one
 * that names a severity wins. */
const struct log *loggers_of_vdev(struct vm *vm, size_t i, const struct vdev_config *config)
{
    struct log_routes *r = &vm->vdev_routes[i];
    *r = vm->routes;
    for (size_t k = 0; k < config->logger_count; k++) {
        r->to_stdout &= ~config->loggers[k].severities;
        r->to_stderr &= ~config->loggers[k].severities;
        apply(r, &config->loggers[k]);
    }
    connect(&vm->vdev_logs[i], r);
    return &vm->vdev_logs[i];
}
