#include "qvm/check_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "emu/check.h"
#include "hv/config/config_report.h"
#include "hv/exitlog/exit_log.h"
#include "qvm/config_files.h"
#include "qvm/host/host.h"
#include "qvm/report.h"

struct checking {
    struct board_config board;
    bool has_board;
    struct vm_config *configs; /* owned */
    size_t count;
};

static int parse_all(struct checking *c, const struct vm_words *vms, size_t count,
                     const char *board_file)
{
    struct config_reader reader = config_files_reader();
    struct error e = {0};
    int worst = STATUS_OK;
    if (board_file) {
        if (!board_config_parse(&c->board, &board_file, 1, &reader, &e))
            return report_error(&e, STATUS_CONFIGURATION);
        c->has_board = true;
        reader.board = &c->board;
    }
    c->configs = calloc(count, sizeof *c->configs);
    CHECK(c->configs);
    for (; c->count < count; c->count++) {
        struct error one = {0};
        const struct vm_words *vm = &vms[c->count];
        if (!config_parse(&c->configs[c->count], vm->words, vm->count, &reader, &one)) {
            int status = report_error(&one, STATUS_CONFIGURATION);
            worst = status > worst ? status : worst;
        }
    }
    return worst;
}

/* A board without images asks for the clock and for random numbers. */
static bool pull_nothing(void *context, enum pull_kind kind, const char *key, size_t size,
                         struct bytes *out, struct error *e)
{
    (void)context, (void)kind, (void)key, (void)e;
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, 0, 1);
    return true;
}

static bool poll_nothing(void *context, struct push *p)
{
    (void)context, (void)p;
    return false;
}

/* Of a board that is known: of the default one nothing can be passed, and that is no slip. */
static void on_log(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                   const char *line)
{
    const struct checking *c = context;
    (void)vm, (void)outlets;
    if (c->has_board && severity <= LOG_SEVERITY_WARN)
        fprintf(stderr, "qvm: %s: %s\n", log_severity_name(severity), line);
}

/* On the engine that executes nothing. */
static int assemble(struct checking *c)
{
    static const uint8_t empty[] = {EXIT_LOG_VERSION};
    const struct board_config *config = c->has_board ? &c->board : NULL;
    const struct board_sinks sinks = {.log = on_log, .context = c};
    struct exit_log exit_log = {0};
    struct journal journal;
    struct error e = {0};
    if (!board_fits_host(config, c->configs, c->count, &e)) {
        report_error(&e, STATUS_OK);
        fprintf(stderr, "qvm: so what their devices need is not checked\n");
        return STATUS_OK;
    }
    exit_log_expect(&exit_log, EXIT_LOG_PLAYS, empty, sizeof empty, NULL, NULL);
    journal_live(&journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull_nothing, .poll = poll_nothing});
    const struct board_options options = {BOARD_NO_LIMITS, .exit_log = &exit_log,
                                          .from_snapshot = true};
    struct board *b = board_new(config, c->configs, c->count, &journal, &options, &sinks, &e);
    if (b)
        board_free(b);
    journal_free(&journal);
    exit_log_free(&exit_log);
    return b ? STATUS_OK : report_error(&e, STATUS_CONFIGURATION);
}

/* What is loaded need not be there yet. */
static void note_missing(const struct vm_config *config)
{
    for (size_t i = 0; i < config->load_count; i++) {
        const struct load_config *load = &config->loads[i];
        if (!host_exists(load->path))
            fprintf(stderr, "[%s:%u] '%s' is not there now\n", load->place.file, load->place.line,
                    load->path);
    }
}

static void report(const struct checking *c, bool json)
{
    struct bytes out = {0};
    bool is_list = json && c->count > 1;
    if (is_list)
        bytes_put(&out, "[", 1);
    for (size_t i = 0; i < c->count; i++) {
        config_report(&c->configs[i], &out, json);
        if (json && i + 1 < c->count)
            bytes_put(&out, ",\n", 2);
    }
    if (is_list)
        bytes_put(&out, "]\n", 2);
    host_print(out.data, out.size);
    host_flush();
    bytes_free(&out);
    for (size_t i = 0; i < c->count; i++)
        note_missing(&c->configs[i]);
}

int check_vms(const struct vm_words *vms, size_t count, const char *board_file, bool json)
{
    struct checking c = {.count = 0};
    int status = parse_all(&c, vms, count, board_file);
    if (status == STATUS_OK)
        status = assemble(&c);
    if (status == STATUS_OK)
        report(&c, json);
    for (size_t i = 0; i < c.count; i++)
        config_free(&c.configs[i]);
    free(c.configs);
    board_config_free(&c.board);
    return status;
}
