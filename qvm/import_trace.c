#include "qvm/import_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/text.h"
#include "qvm/config_files.h"
#include "qvm/host/host.h"
#include "qvm/player.h"
#include "qvm/recording.h"
#include "qvm/report.h"

struct importing {
    const char *path;
    const struct vm_words *words;
    const struct import_options *options;
    struct bytes file;
    struct player p; /* of which only the board and what it is made of are used */
    char from[256];  /* "ftrace kvm.txt" */
};

/* The machine -------------------------------------------------------------------------------------
 */

static bool parse_machine(struct importing *i, const char *const *words, size_t count,
                          struct error *e)
{
    struct config_reader reader = config_files_reader();
    struct player *p = &i->p;
    if (i->options->board_file) {
        if (!board_config_parse(&p->board_config, &i->options->board_file, 1, &reader, e))
            return error_exit_status(e, STATUS_CONFIGURATION);
        p->has_board = true;
        reader.board = &p->board_config;
    }
    p->configs = calloc(1, sizeof *p->configs);
    CHECK_ROOM(p->configs);
    if (!config_parse(&p->configs[0], words, count, &reader, e))
        return error_exit_status(e, STATUS_CONFIGURATION);
    p->vm_count = 1;
    return true;
}

static bool assemble(struct importing *i, const char *const *words, size_t count, struct error *e)
{
    const struct board_sinks sinks = {0};
    i->p.options = (struct board_options){BOARD_NO_LIMITS};
    return parse_machine(i, words, count, e) && player_assemble(&i->p, &sinks, e);
}

/* Without a configuration a core has one that fits it: its memory, and as many vCPUs. */
static void fitting_words(const struct import_core *core, struct bytes *out)
{
    text_put(out, "system core");
    for (size_t i = 0; i < core->segment_count; i++) {
        const struct import_core_segment *s = &core->segments[i];
        uint64_t first = s->gpa & ~PAGE_MASK;
        text_put(out, " ram 0x%" PRIx64 ",0x%" PRIx64, first,
                 (s->size + (s->gpa - first) + PAGE_MASK) & ~PAGE_MASK);
    }
    for (unsigned i = 0; i < core->vcpu_count; i++)
        text_put(out, " cpu");
    bytes_put_int(out, 0, 1);
}

/* The trace ---------------------------------------------------------------------------------------
 */

static void note_source(struct importing *i, const char *format)
{
    const char *leaf = strrchr(i->path, '/');
    snprintf(i->from, sizeof i->from, "%s %s", format, leaf ? leaf + 1 : i->path);
}

/* Its beginning; the caller writes what is to be in it. */
static bool begin(struct importing *i, struct recording *r, struct error *e)
{
    struct recording_source source = {
        .board = i->p.board,
        .configs = i->p.configs,
        .count = i->p.vm_count,
        .board_config = i->p.has_board ? &i->p.board_config : NULL,
        .imported_from = i->from,
    };
    return recording_begin(r, i->options->to, &source, e);
}

static bool end(struct importing *i, struct recording *r, bool ok, struct error *e)
{
    ok = recording_end(r, NULL) && ok;
    return ok || error_set(e, "'%s' is not complete", i->options->to);
}

/* Exit streams ------------------------------------------------------------------------------------
 */

static void tell_stream(const struct importing *i, const struct import *in,
                        const struct import_format *format)
{
    uint64_t traps = 0;
    for (size_t k = 0; k < in->stream.count; k++)
        traps += in->stream.exits[k].kind != OBSERVED_INTERRUPT;
    fprintf(stderr,
            "qvm: %zu %s (%" PRIu64 " of them by the guest) in %" PRIu64
            " %s of %s; '%s' holds %s\n",
            in->stream.count, text_plural(in->stream.count, "exit", "exits"), traps, in->lines,
            text_plural(in->lines, "line", "lines"), format->name, i->options->to,
            text_plural(in->stream.count, "it", "them"));
    if (in->skipped)
        fprintf(stderr,
                "qvm: [%s:%" PRIu64 "] this line and %" PRIu64
                " more say nothing about guest exits: skipped\n",
                i->path, in->first_skipped, in->skipped - 1);
    if (in->other_vms)
        fprintf(stderr, "qvm: %" PRIu64 " %s about other VMs than the first: skipped\n",
                in->other_vms, text_plural(in->other_vms, "line is", "lines are"));
}

/* A VM with one vCPU has all exits, whatever physical CPU they were on. */
static void resolve_vcpus(const struct importing *i, struct import *in)
{
    unsigned count = i->p.board->vms[0]->vcpu_count;
    uint64_t foreign = 0;
    for (size_t k = 0; k < in->stream.count; k++) {
        struct observed_exit *x = &in->stream.exits[k];
        if (count == 1 && in->vcpus_unknown == in->stream.count)
            x->vcpu = 0;
        foreign += x->vcpu >= count;
    }
    if (in->vcpus_unknown && count > 1)
        fprintf(stderr,
                "qvm: the lines name physical CPUs, and a vCPU may be on any: CPU N is taken "
                "for vCPU N\n");
    if (foreign)
        fprintf(stderr,
                "qvm: %" PRIu64 " %s of vCPUs that the VM has not: it has %u (one `cpu` each)\n",
                foreign, text_plural(foreign, "exit is", "exits are"), count);
}

static bool import_stream(struct importing *i, struct error *e)
{
    const char *text = (const char *)i->file.data;
    const struct import_format *format = import_choose(i->options->format, text, i->file.size, e);
    struct import in = {.file = i->path};
    struct recording r;
    if (!format)
        return false;
    if (!i->words->count)
        return error_set(e, "import wants a configuration behind the file: the one by which the "
                            "model judges these exits");
    note_source(i, format->name);
    bool ok = assemble(i, i->words->words, i->words->count, e);
    if (ok)
        in.arch = i->p.board->vms[0]->arch;
    if (ok && !in.arch->observed)
        ok = error_set(e, "exits of other boards are not known for cpu-model %s",
                       i->p.board->vms[0]->config->cpu_model);
    ok = ok && import_text(format, &in, text, i->file.size, e);
    if (ok)
        resolve_vcpus(i, &in);
    ok = ok && begin(i, &r, e) && end(i, &r, recording_seen(&r, &in.stream), e);
    if (ok)
        tell_stream(i, &in, format);
    observed_stream_free(&in.stream);
    return ok;
}

/* Cores -------------------------------------------------------------------------------------------
 */

static void tell_core(const struct importing *i, const struct import_core *core,
                      const struct start_state *s)
{
    struct board *b = i->p.board;
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    fprintf(stderr,
            "qvm: '%s' holds the guest with %u %s; vcpu 0 is at PC %#" PRIx64
            " (qvm explain, qvm gdb, qvm run --from)\n",
            i->options->to, core->vcpu_count, text_plural(core->vcpu_count, "vCPU", "vCPUs"),
            vcpu_registers_pc(&r));
    if (s->no_sysregs && !i->options->register_count)
        fprintf(stderr, "qvm: the core has no system registers: %s and others set them\n",
                b->vms[0]->arch->without_system_registers);
    if (s->unknown)
        fprintf(stderr, "qvm: %u %s not known here\n", s->unknown,
                text_plural(s->unknown, "register of the core is", "registers of the core are"));
    if (s->bytes_outside)
        fprintf(stderr,
                "qvm: left out, as the configuration has no memory there: %" PRIu64
                " %s of the core, from guest-physical %#" PRIx64 " on\n",
                s->bytes_outside, text_plural(s->bytes_outside, "byte", "bytes"), s->first_outside);
}

static bool import_state(struct importing *i, struct error *e)
{
    struct import_core core;
    struct start_state s;
    struct recording r;
    struct bytes fitting = {0};
    bool ok = import_core(&core, i->path, i->file.data, i->file.size, e);
    if (ok && !i->words->count)
        fitting_words(&core, &fitting);
    const char *text = (const char *)fitting.data;
    note_source(i, "core");
    ok = ok &&
         (text ? assemble(i, &text, 1, e) : assemble(i, i->words->words, i->words->count, e)) &&
         start_state_apply(i->p.board, &core, i->options->registers, i->options->register_count, &s,
                           e) &&
         begin(i, &r, e) && end(i, &r, recording_snapshot(&r, i->p.board), e);
    if (ok)
        tell_core(i, &core, &s);
    bytes_free(&fitting);
    import_core_free(&core);
    return ok;
}

int import_file(const char *path, const struct vm_words *vm, const struct import_options *options)
{
    struct importing i = {.path = path, .words = vm, .options = options};
    struct error e = {0};
    bool ok = host_read_file(path, &i.file, &e);
    bool is_core = options->format ? strcmp(options->format, "core") == 0
                                   : ok && import_core_recognise(i.file.data, i.file.size);
    ok = ok && (is_core ? import_state(&i, &e) : import_stream(&i, &e));
    int status = ok ? STATUS_OK : report_error(&e, STATUS_USAGE);
    player_close(&i.p);
    bytes_free(&i.file);
    return status;
}
