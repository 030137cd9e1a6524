/* `qvm dump TRACE --at N -o FILE`: a core file of a guest at any instruction of a recording. */
#include <inttypes.h>
#include <stdio.h>

#include "qvm/host/host.h"
#include "qvm/recording.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

struct core {
    const char *path;
    struct host_file *file;
    bool complete;
    struct error *e;
};

static bool on_begin(void *context, const struct vm *vm, struct error *e)
{
    struct core *c = context;
    (void)vm;
    (void)e;
    return c->path && may_overwrite(c->path, false, c->e) && (c->file = host_create(c->path, c->e));
}

static bool on_write(void *context, const void *data, size_t size)
{
    struct core *c = context;
    return data ? host_append(c->file, data, size) : host_append_zeros(c->file, size);
}

static void on_end(void *context, const struct vm *vm, bool complete, const char *why)
{
    struct core *c = context;
    (void)vm;
    (void)why;
    c->complete = host_close(c->file) && complete;
}

/* The dumps of the run itself are not wanted: the path comes when it is over. */
static bool write_core(struct player *p, struct core *c, const char *path, const char *name,
                       uint64_t at)
{
    struct vm *vm = question_vm(p->board, name, c->e);
    if (!vm)
        return false;
    c->path = path;
    dump_write(vm, "");
    if (!c->complete)
        return error_set(c->e, "'%s' is not complete", path);
    fprintf(stderr, "qvm: vm %s after instruction %" PRIu64 " dumped to '%s'\n", vm->name, at,
            path);
    return true;
}

bool question_dump(char *const *words, int count, struct error *e)
{
    uint64_t at = UINT64_MAX;
    const char *path, *to = NULL, *vm = NULL;
    const struct question_option options[] = {{.name = "--at", .number = &at},
                                              {.name = "--vm", .text = &vm},
                                              {.name = "-o", .text = &to},
                                              {0}};
    static const char usage[] = "qvm dump TRACE --at N [--vm NAME] [-o FILE]";
    struct core core = {.e = e};
    struct player p;
    char name[64];
    if (!question_words(words, count, options, &path, 1, usage, e))
        return false;
    if (at == UINT64_MAX)
        return error_set(e, "--at says at which instruction: %s", usage);
    if (!question_open(&p, path, e))
        return false;
    p.alone_too = true;
    struct board_sinks sinks = {0};
    sinks.dump_begin = on_begin;
    sinks.dump_write = on_write;
    sinks.dump_end = on_end;
    sinks.context = &core;
    snprintf(name, sizeof name, "insn-%" PRIu64 ".gcore", at);
    bool ok = question_play_to(&p, at, &sinks, e) && write_core(&p, &core, to ? to : name, vm, at);
    player_close(&p);
    return ok;
}
