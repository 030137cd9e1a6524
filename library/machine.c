/* Machines are made and freed. */
#include <stdlib.h>
#include <string.h>

#include "cpu/engine.h"
#include "library/library_internal.h"
#include "qvm/config_files.h"
#include "qvm/host/host_lock.h"

const char *qvm_version(void)
{
    return QVM_VERSION;
}

bool qvm_runs_guests(void)
{
    return engine_is_built_in();
}

/* As of `qvm run`; no more of the caller's than he knows of. */
static struct qvm_options options_of(const struct qvm_options *given)
{
    struct qvm_options o = {.size = sizeof o};
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    if (!o.limit_instructions)
        o.limit_instructions = UINT64_MAX;
    if (!o.limit_ns)
        o.limit_ns = UINT64_MAX;
    if (!o.wall_clock_s)
        o.wall_clock_s = DEFAULT_WALL_CLOCK_S;
    return o;
}

static struct board_options board_options_of(const struct qvm_options *o)
{
    return (struct board_options){.limit_ns = o->limit_ns,
                                  .limit_ticks = UINT64_MAX,
                                  .limit_instructions = o->limit_instructions};
}

static bool parse_board(struct qvm_machine *m, const char *path, struct config_reader *reader,
                        struct error *e)
{
    char *word = malloc(strlen(path) + 2);
    CHECK_ROOM(word);
    *word = '@';
    strcpy(word + 1, path);
    m->has_board = board_config_parse(&m->board_config, (const char *const *)&word, 1, reader, e);
    free(word);
    reader->board = &m->board_config;
    return m->has_board;
}

static bool parse(struct qvm_machine *m, const struct qvm_words *vms, size_t count,
                  const struct qvm_options *o, struct error *e)
{
    struct config_reader reader = config_files_reader();
    if (o->board_file && !parse_board(m, o->board_file, &reader, e))
        return false;
    m->configs = calloc(count, sizeof *m->configs);
    CHECK_ROOM(m->configs);
    for (m->vm_count = 0; m->vm_count < count; m->vm_count++) {
        const struct qvm_words *w = &vms[m->vm_count];
        if (!config_parse(&m->configs[m->vm_count], w->words, w->count, &reader, e))
            return false;
    }
    return true;
}

static bool assemble(struct qvm_machine *m, const struct qvm_options *o, struct error *e)
{
    struct board_sinks sinks = library_sinks(m);
    struct board_options options = board_options_of(o);
    journal_live(&m->journal, JOURNAL_LIVE, library_host(m));
    m->board = board_new(m->has_board ? &m->board_config : NULL, m->configs, m->vm_count,
                         &m->journal, &options, &sinks, e);
    return m->board || error_exit_status(e, STATUS_NOT_STARTED);
}

static void free_parts(struct qvm_machine *m)
{
    board_free(m->board);
    journal_free(&m->journal);
    files_close(&m->files);
    for (size_t i = 0; i < m->vm_count; i++)
        config_free(&m->configs[i]);
    free(m->configs);
    board_config_free(&m->board_config);
    bytes_free(&m->restored);
    bytes_free(&m->input);
    text_watch_free(&m->text);
}

static struct qvm_machine *make(const struct qvm_words *vms, size_t count,
                                const struct qvm_options *o, struct error *e)
{
    struct qvm_machine *m = calloc(1, sizeof *m);
    CHECK_ROOM(m);
    m->callbacks = o->callbacks;
    m->settings.wall_clock_s = o->wall_clock_s;
    m->settings.entropy_seed = o->entropy_seed;
    if (parse(m, vms, count, o, e) && assemble(m, o, e))
        return m;
    free_parts(m);
    free(m);
    return NULL;
}

static bool is_sensible(const struct qvm_words *vms, size_t count,
                        const struct qvm_options *options, struct qvm_error *e)
{
    if (!vms || count < 1 || count > BOARD_VMS_MAX)
        return failure_set(e, QVM_USAGE, "a board has 1 to %d VMs, not %zu", BOARD_VMS_MAX, count);
    if (options && options->size < sizeof options->size)
        return failure_set(e, QVM_USAGE, "qvm_options.size is %zu, not what sizeof says",
                           options->size);
    return true;
}

/* One at a time: Unicorn fills tables of the whole process while it makes an engine. */
struct qvm_machine *qvm_load(const struct qvm_words *vms, size_t count,
                             const struct qvm_options *options, struct qvm_error *e)
{
    struct guard g;
    struct error error = {0};
    if (!is_sensible(vms, count, options, e))
        return NULL;
    if (!guard_enter(&g, NULL, e) || setjmp(g.back))
        return guard_failed(&g), NULL;
    host_lock();
    g.has_lock = true;
    struct qvm_options o = options_of(options);
    struct qvm_machine *m = make(vms, count, &o, &error);
    g.has_lock = false;
    host_unlock();
    guard_leave(&g);
    if (!m)
        failure_of(e, &error, QVM_CONFIGURATION);
    return m;
}

static struct qvm_machine *load_word(const char *word, const struct qvm_options *options,
                                     struct qvm_error *e)
{
    const struct qvm_words vm = {&word, 1};
    return qvm_load(&vm, 1, options, e);
}

struct qvm_machine *qvm_load_text(const char *text, const struct qvm_options *options,
                                  struct qvm_error *e)
{
    return load_word(text, options, e);
}

struct qvm_machine *qvm_load_file(const char *path, const struct qvm_options *options,
                                  struct qvm_error *e)
{
    char word[4096];
    if (strlen(path) + 2 > sizeof word)
        return failure_set(e, QVM_USAGE, "the file's name is longer than %zu bytes",
                           sizeof word - 2),
               NULL;
    *word = '@';
    strcpy(word + 1, path);
    return load_word(word, options, e);
}

/* What a failure left half done is not looked at again. */
void qvm_free(struct qvm_machine *m)
{
    struct guard g;
    if (!m || m->running || m->failed) {
        if (m && m->failed)
            files_close(&m->files);
        return;
    }
    if (!guard_enter(&g, m, NULL) || setjmp(g.back)) {
        guard_failed(&g);
        return;
    }
    free_parts(m);
    guard_leave(&g);
    free(m);
}
