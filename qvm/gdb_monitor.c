#include "qvm/gdb_monitor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config_text.h"
#include "hv/events.h"

static void when(const struct gdb_board *g, const char *argument, struct bytes *out)
{
    const struct board *b = g->board;
    uint64_t ns = vtime_ns(&b->vtime);
    (void)argument;
    text_put(out, "instruction %" PRIu64 ", %" PRIu64 ".%09" PRIu64 " s virtual\n",
             b->vtime.instructions, ns / 1000000000, ns % 1000000000);
}

static void exits(const struct gdb_board *g, const char *argument, struct bytes *out)
{
    (void)argument;
    for (size_t i = 0; i < g->board->vm_count; i++) {
        const struct vm *vm = g->board->vms[i];
        text_put(out, "VM %s: %" PRIu64 " guest exits", vm->name, vm_exits(vm));
        for (unsigned k = 0; k < EXIT_REASONS; k++)
            if (vm->exits[k])
                text_put(out, ", %s %" PRIu64, exit_reason_name(k), vm->exits[k]);
        text_put(out, "\n");
    }
}

static void vdevs(const struct gdb_board *g, const char *argument, struct bytes *out)
{
    (void)argument;
    for (size_t i = 0; i < g->board->vm_count; i++) {
        const struct vm *vm = g->board->vms[i];
        for (size_t k = 0; k < vm->vdev_count; k++) {
            const struct vdev *v = vm->vdevs[k];
            uint64_t reads, writes;
            char status[128] = "";
            bus_counts(&vm->bus, v, &reads, &writes);
            if (v->type->status)
                v->type->status(v, status, sizeof status);
            text_put(out, "VM %s: %s at %#" PRIx64 ": %" PRIu64 " reads, %" PRIu64 " writes%s%s\n",
                     vm->name, v->name, v->regions[0].base, reads, writes, *status ? ", " : "",
                     status);
        }
    }
}

/* Every table read of the two-stage walk, by the vCPU that ran last. */
static void put_step(void *context, const struct walk_step *s)
{
    struct bytes *out = context;
    text_put(out,
             "  stage %u level %d: %#" PRIx64 ", entry %u at host-physical %#" PRIx64
             ": %#018" PRIx64 "\n",
             s->stage, s->level, s->input, s->index, s->table_hpa.v, s->descriptor);
}

static void walk(const struct gdb_board *g, const char *argument, struct bytes *out)
{
    static const struct access look = {.kind = ACCESS_READ, .privileged = true, .inspect = true};
    const struct schedule *s = &g->board->schedule;
    const struct turn *t = &s->turns[s->current == SCHEDULE_NONE ? 0 : s->current];
    struct walk_observer observer = {.step = put_step, .context = out};
    struct stage1_leaf first;
    struct stage2_leaf second;
    struct fault fault = {0};
    char *end;
    uint64_t address = strtoull(argument, &end, 0);
    if (end == argument || *end) {
        text_put(out, "walk wants an address\n");
        return;
    }
    bool ok =
        stage1_walk(&t->vcpu->stage1, &t->vm->stage2, &g->board->memory, gva(address), &look,
                    &observer, &first, &fault) &&
        stage2_inspect(&t->vm->stage2, &g->board->memory, first.page, &observer, &second, &fault);
    if (ok)
        text_put(out, "guest-physical %#" PRIx64 ", host-physical %#" PRIx64 "\n",
                 first.page.v | (address & PAGE_MASK), second.page.v | (address & PAGE_MASK));
    else
        text_put(out, "stage %u fault at level %d, status code %#x\n", fault.stage, fault.level,
                 fault_status_code(&fault));
}

static void help(const struct gdb_board *g, const char *argument, struct bytes *out);

static const struct {
    const char *name;
    void (*run)(const struct gdb_board *g, const char *argument, struct bytes *out);
    const char *text;
} commands[] = {
    {"help", help, "this list"},
    {"when", when, "how many instructions were executed, and the virtual time"},
    {"seek", NULL, "seek N: go to instruction N (replays)"},
    {"exits", exits, "guest exits so far, by reason"},
    {"info vdevs", vdevs, "the virtual devices and their accesses"},
    {"walk", walk, "walk ADDR: the two-stage translation of a virtual address"},
};

static void help(const struct gdb_board *g, const char *argument, struct bytes *out)
{
    (void)g;
    (void)argument;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        text_put(out, "%-12s %s\n", commands[i].name, commands[i].text);
}

bool gdb_monitor(struct gdb_board *g, const char *command, uint64_t *instructions,
                 struct bytes *out)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        size_t length = strlen(commands[i].name);
        if (strncmp(command, commands[i].name, length) != 0 ||
            (command[length] && command[length] != ' '))
            continue;
        const char *argument = command + length + strspn(command + length, " ");
        if (commands[i].run) {
            commands[i].run(g, argument, out);
            return false;
        }
        char *end;
        *instructions = strtoull(argument, &end, 0);
        if (end != argument && !*end)
            return true;
        text_put(out, "seek wants an instruction count\n");
        return false;
    }
    text_put(out, "unknown command '%.64s': monitor help lists them\n", command);
    return false;
}
