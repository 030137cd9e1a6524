#include "emu/text.h"
#include "qvm/verdict.h"

#include <inttypes.h>
#include <stdio.h>

struct trace_end verdict_of(struct board *b, int status, char *sentence, size_t size)
{
    struct sha256 all;
    sha256_init(&all);
    size_t used = 0;
    for (size_t i = 0; i < b->vm_count; i++) {
        struct sha256 output = b->vms[i]->output;
        struct digest printed = sha256_end(&output);
        sha256_add(&all, printed.b, sizeof printed.b);
        if (b->vm_count == 1)
            snprintf(sentence, size, "%s", b->vms[i]->ending);
        else if (used < size)
            used += (size_t)snprintf(sentence + used, size - used, "%s%s: %s", i ? "; " : "",
                                     b->vms[i]->name, b->vms[i]->ending);
    }
    return (struct trace_end){
        .exit_status = status,
        .instructions = b->vtime.instructions,
        .ticks = vtime_ticks(&b->vtime),
        .state = board_digest(b),
        .output = sha256_end(&all),
        .sentence = sentence,
    };
}

/* " (150000 accesses that nobody answers)", or nothing; they are not in snapshots. */
static void print_lost(const struct vm *vm)
{
    const struct lost_accesses *l = &vm->lost;
    if (!l->unanswered && !l->refused)
        return;
    fprintf(stderr, " (");
    if (l->unanswered)
        fprintf(stderr, "%" PRIu64 " %s that nobody answers%s", l->unanswered,
                text_plural(l->unanswered, "access", "accesses"), l->refused ? ", " : "");
    if (l->refused)
        fprintf(stderr, "%" PRIu64 "%s that its memory does not permit", l->refused,
                l->unanswered ? "" : text_plural(l->refused, " access", " accesses"));
    if (vm->board->restored_at)
        fprintf(stderr, " since instruction %" PRIu64, vm->board->restored_at);
    fputc(')', stderr);
}

/* Of who was stopped, or does not get on: what it was about. */
static void print_places(struct vm *vm)
{
    char text[512] = "";
    if (vm->was_stopped)
        vm_places_text(vm, text, sizeof text);
    if (*text)
        fprintf(stderr, " (%s)", text);
}

void verdict_print(const struct board *b, const struct trace_end *end)
{
    char hex[DIGEST_TEXT];
    digest_text(end->state, hex);
    uint64_t ns = vtime_ns(&b->vtime);
    for (size_t i = 0; i < b->vm_count && b->vm_count > 1; i++) {
        fprintf(stderr, "qvm: %s: %s", b->vms[i]->name, b->vms[i]->ending);
        print_places(b->vms[i]);
        print_lost(b->vms[i]);
        fprintf(stderr, " (exit status %d)\n", b->vms[i]->exit_status);
    }
    if (b->vm_count > 1) {
        fprintf(stderr, "qvm: %zu VMs", b->vm_count);
    } else {
        fprintf(stderr, "qvm: %s", end->sentence);
        print_places(b->vms[0]);
        print_lost(b->vms[0]);
    }
    fprintf(stderr, "; %" PRIu64 " %s, %" PRIu64 ".%09" PRIu64 " s virtual, digest %s\n",
            end->instructions, text_plural(end->instructions, "instruction", "instructions"),
            ns / 1000000000, ns % 1000000000, hex);
}

/* Of several VMs each says its name. */
static const char *name_of(const struct vm *vm)
{
    return vm->board->vm_count > 1 ? vm->name : "";
}

static void print_exits(const struct vm *vm)
{
    uint64_t all = vm_exits(vm);
    fprintf(stderr, "qvm: stats: %s%sexits %" PRIu64, name_of(vm), *name_of(vm) ? ": " : "", all);
    for (unsigned i = 0; i < EXIT_REASONS; i++)
        if (vm->exits[i])
            fprintf(stderr, ", %s %" PRIu64, arch_exit_name(vm->arch->cpu, i), vm->exits[i]);
    fputc('\n', stderr);
}

static void print_devices(const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++) {
        uint64_t reads, writes;
        bus_counts(&vm->bus, vm->vdevs[i], &reads, &writes);
        fprintf(stderr, "qvm: stats: %s%s%s: %" PRIu64 " %s, %" PRIu64 " %s\n", name_of(vm),
                *name_of(vm) ? ": " : "", vm->vdevs[i]->name, reads,
                text_plural(reads, "read", "reads"), writes,
                text_plural(writes, "write", "writes"));
    }
}

void verdict_print_stats(const struct board *b, uint64_t cpu_ns)
{
    double seconds = (double)cpu_ns / 1e9;
    fprintf(stderr, "qvm: stats: %.3f s CPU, %.0f MIPS%s\n", seconds,
            seconds > 0 ? (double)b->vtime.instructions / seconds / 1e6 : 0, engine_interposed());
    for (size_t i = 0; i < b->vm_count; i++) {
        print_exits(b->vms[i]);
        print_devices(b->vms[i]);
    }
}
