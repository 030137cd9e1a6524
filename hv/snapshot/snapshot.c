#include "hv/snapshot/snapshot.h"

#include <string.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "hv/hv_internal.h"
#include "mmu/tlb.h"

#define SNAPSHOT_VERSION 3
/* Bytes. A vCPU has about half a megabyte, open semihosting files of a VM up to 256 MiB. */
#define MACHINE_MAX ((size_t)1 << 30)

void snapshot_plan(struct board *b)
{
    const struct board_options *o = &b->options;
    uint64_t now = b->vtime.instructions;
    uint64_t ticks = vtime_scale(o->snapshot_at_ns, b->vtime.rate_hz, 1000000000);
    b->next_snapshot_ticks = ticks > vtime_ticks(&b->vtime) ? ticks : EVENT_NEVER;
    b->next_snapshot = o->snapshot_at > now ? o->snapshot_at : UINT64_MAX;
    if (o->snapshot_every && (now / o->snapshot_every + 1) * o->snapshot_every < b->next_snapshot)
        b->next_snapshot = (now / o->snapshot_every + 1) * o->snapshot_every;
}

/* Contents ----------------------------------------------------------------------------------------
 */

static void visit_rest(struct board *b, struct state *s)
{
    state_part(s, "inputs and counts");
    journal_visit(b->journal, s);
    b->wall_clock_s = state_value(s, "the wall clock at tick 0", b->wall_clock_s, 8);
    for (size_t i = 0; i < b->vm_count; i++)
        for (size_t k = 0; k < b->vms[i]->vdev_count; k++)
            b->vms[i]->envs[k].wall_clock_s = b->wall_clock_s;
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        for (unsigned k = 0; k < EXIT_REASONS; k++)
            vm->exits[k] = state_numbered(s, "exits of reason %u", k, vm->exits[k], STATE_VARINT);
        state_text(s, "how a VM ended", vm->ending, sizeof vm->ending);
    }
}

/* The state behind memory: its devices look at memory tables and make regions. The TLBs last:
 * registers of translation that are restored empty them. */
void snapshot_visit_machine(struct board *b, struct state *s)
{
    if (state_restores(s))
        engine_flush_tlb(b->engine);
    visit_rest(b, s);
    state_part(s, "memory, what is taken");
    memory_visit(&b->memory, s);
    if (state_is_good(s))
        board_visit(b, s);
    state_part(s, "TLBs");
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        tlb_visit(b->schedule.turns[i].vcpu->tlb, s);
    if (state_restores(s))
        snapshot_plan(b);
}

/* Snapshots ---------------------------------------------------------------------------------------
 */

void snapshot_save_machine(struct board *b, struct bytes *out)
{
    struct state s = state_saving(out);
    snapshot_visit_machine(b, &s);
}

bool snapshot_restore_machine(struct board *b, struct reader *in)
{
    struct state s = state_restoring(in);
    snapshot_visit_machine(b, &s);
    return state_is_good(&s);
}

static void drop_code(void *context, hpa_t page)
{
    engine_drop_code(((struct board *)context)->engine, page, PAGE_SIZE);
}

void snapshot_go_back(struct board *b, const struct bytes *machine, struct memory_images *images,
                      struct memory_image *memory)
{
    struct reader in = reader_of(machine->data, machine->size);
    images_restore(images, memory, drop_code, b);
    CHECK(snapshot_restore_machine(b, &in) && reader_at_end(&in));
}

static void save_machine(struct board *b, struct bytes *out)
{
    struct bytes machine = {0}, frame = {0};
    snapshot_save_machine(b, &machine);
    CHECK(compress_zstd(machine.data, machine.size, COMPRESS_QUICKLY, &frame));
    bytes_put_int(out, frame.size, 8);
    bytes_put(out, frame.data, frame.size);
    bytes_free(&machine);
    bytes_free(&frame);
}

void snapshot_take_next(struct board *b, struct snapshot_chain *chain, struct bytes *out)
{
    struct digest digest = board_digest(b);
    bytes_put_int(out, SNAPSHOT_VERSION, 4);
    bytes_put(out, digest.b, sizeof digest.b);
    save_machine(b, out);
    snapshot_save_pages(&b->memory, chain, out);
}

void snapshot_take(struct board *b, struct bytes *out)
{
    struct snapshot_chain alone = {{0}, 0};
    snapshot_take_next(b, &alone, out);
    snapshot_chain_free(&alone);
}

void snapshot_chain_free(struct snapshot_chain *c)
{
    bytes_free(&c->pages);
}

/* What stands before the machine. */
static bool read_head(struct reader *in, struct digest *digest)
{
    if (reader_int(in, 4) != SNAPSHOT_VERSION)
        return false;
    const uint8_t *stored = reader_bytes(in, sizeof digest->b);
    if (stored)
        memcpy(digest->b, stored, sizeof digest->b);
    return stored != NULL;
}

static const uint8_t *read_machine(struct reader *in, size_t *size)
{
    uint64_t stored = reader_int(in, 8);
    *size = (size_t)stored;
    return stored <= in->size ? reader_bytes(in, (size_t)stored) : NULL;
}

static bool restore_machine(struct board *b, struct reader *in)
{
    struct bytes machine = {0};
    struct error damaged = {0};
    size_t size;
    const uint8_t *frame = read_machine(in, &size);
    bool ok = frame && compress_expand_zstd(frame, size, MACHINE_MAX, &machine, &damaged);
    struct reader r = reader_of(machine.data, machine.size);
    ok = ok && snapshot_restore_machine(b, &r) && reader_at_end(&r) && !r.failed;
    in->refused = r.refused;
    bytes_free(&machine);
    return ok;
}

/* The part about memory. */
static bool find_pages(const void *data, size_t size, struct reader *in)
{
    struct digest ignored;
    size_t machine;
    *in = reader_of(data, size);
    return read_head(in, &ignored) && read_machine(in, &machine);
}

bool snapshot_is_whole(const void *data, size_t size)
{
    struct reader in;
    return find_pages(data, size, &in) && snapshot_pages_are_whole(&in);
}

/* From the last one that is whole on, this one last. */
static size_t find_chain(const struct trace_snapshot *s, struct reader *readers, size_t room)
{
    size_t length = 1;
    while (length <= s->before && length < room &&
           !snapshot_is_whole(s[1 - (ptrdiff_t)length].data, s[1 - (ptrdiff_t)length].size))
        length++;
    for (size_t i = 0; i < length; i++) {
        const struct trace_snapshot *part = s - (length - 1 - i);
        find_pages(part->data, part->size, &readers[i]);
    }
    return length;
}

static bool restore(struct board *b, struct reader *in, const struct trace_snapshot *s,
                    struct digest *digest)
{
    struct reader parts[SNAPSHOT_CHAIN_MAX];
    if (!read_head(in, digest) || !restore_machine(b, in))
        return false;
    size_t length = find_chain(s, parts, SNAPSHOT_CHAIN_MAX);
    return snapshot_restore_pages(&b->memory, parts, length);
}

bool snapshot_restore_from(struct board *b, const struct trace_snapshot *s, struct error *e)
{
    struct reader in = reader_of(s->data, s->size);
    struct digest recorded;
    engine_flush_code_soon(b->engine);
    bool ok = restore(b, &in, s, &recorded);
    if (!ok && in.refused)
        return error_set(e, "the snapshot is damaged: %s has a value that cannot be", in.refused);
    if (!ok)
        return error_set(
            e, "the snapshot is damaged, or of another machine or version (at byte %zu)", in.at);
    struct digest now = board_digest(b);
    if (memcmp(now.b, recorded.b, sizeof now.b) != 0)
        return error_set(e, "the snapshot was restored, and the machine's state is another one");
    b->restored_at = b->vtime.instructions;
    return true;
}

bool snapshot_restore(struct board *b, const void *data, size_t size, struct error *e)
{
    struct trace_snapshot alone = {.data = data, .size = size};
    return snapshot_restore_from(b, &alone, e);
}
