/* What a VM's devices see of the world: struct vdev_env, filled in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/journal_records.h"
#include "hv/hv_internal.h"

/* Where things appear that come while the VM runs, unless the configuration reaches higher. */
#define PLACES_FROM      ((uint64_t)0x4000000000)
#define PLACES_ALIGNMENT ((uint64_t)2 << 20)

_Static_assert(VDEV_FRAME_MAX == PUSH_FRAME_MAX && VDEV_RANGE_MAX == PULL_RANGE_MAX,
               "what devices may have at once, the journal can carry");

static void on_request_exit(void *context, int exit_status, const char *why)
{
    vm_end(context, exit_status, "%s", why);
}

static void on_request_dump(void *context, const char *why)
{
    vm_dump(context, why);
}

static void on_send_frame(void *context, unsigned channel, const struct vdev_frame *frame)
{
    CHECK(journal_push_is_good(PUSH_FRAME, frame->size));
    network_send(context, channel, frame);
}

static void on_frames_wanted(void *context, unsigned channel)
{
    frames_offer_again(context, channel);
}

static bool on_link_is_up(void *context, unsigned channel)
{
    return network_link_is_up(((struct vm *)context)->board->network, context, channel);
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* Its tables are in the board's memory, and lead to nothing else. What a device wants of them comes
 * while the VM runs, when they may be damaged. */
static bool tables_are_sound(struct vm *vm, gpa_t at, uint64_t size)
{
    if (guest_tables_are_sound(vm->tables, &vm->board->memory, at, size))
        return true;
    vm_safe_state(vm, "the %s table of guest-physical %#" PRIx64 " is damaged",
                  vm->tables->type->name, at.v);
    return false;
}

static void forget_translations(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_tables_changed(vm->vcpus[i]);
    engine_flush_tlb(vm->board->engine);
    guest_dma_changed(vm);
}

static bool on_map_memory(void *context, gpa_t at, hpa_t memory, uint64_t size)
{
    struct vm *vm = context;
    struct error ignored = {0};
    if (!tables_are_sound(vm, at, size))
        return false;
    bool ok = guest_tables_map(vm->tables, &vm->board->memory, at, memory, size,
                               PERMIT_R | PERMIT_W, &ignored);
    forget_translations(vm);
    return ok;
}

bool vdev_env_unmap(struct vm *vm, gpa_t at, uint64_t size)
{
    struct error ignored = {0};
    if (!tables_are_sound(vm, at, size))
        return false;
    bool ok = guest_tables_unmap(vm->tables, &vm->board->memory, at, size, &ignored);
    forget_translations(vm);
    return ok;
}

/* Taking pages away needs memory only where a block has to be split; what was mapped in pieces is
 * unmapped in the same pieces. */
static void on_unmap_memory(void *context, gpa_t at, uint64_t size)
{
    struct vm *vm = context;
    CHECK(vdev_env_unmap(vm, at, size) || vm->ended);
}

/* Places ------------------------------------------------------------------------------------------
 */

/* The first address at or above `at` that is behind every range in the way of [at, at + size). */
static uint64_t behind_what_is_there(struct vm *vm, uint64_t at, uint64_t size)
{
    struct guest_page leaf;
    for (uint64_t offset = 0; offset < size;) {
        const struct bus_region *r = bus_next(&vm->bus, gpa(at + offset));
        if (r && ranges_overlap(r->base, r->size, at, size))
            return (r->base + r->size + PAGE_MASK) & ~PAGE_MASK;
        bool mapped = guest_tables_find(vm->tables, &vm->board->memory, gpa(at + offset), &leaf);
        if (mapped)
            return (at + offset + leaf.size) & ~(leaf.size - 1);
        offset += PAGE_SIZE;
    }
    return at;
}

/* Above everything that the configuration places, so that the place does not depend on it. */
static uint64_t first_free(const struct vm *vm)
{
    uint64_t end = PLACES_FROM;
    for (size_t i = 0; i < vm->config->ram_count; i++) {
        const struct ram_config *ram = &vm->config->rams[i];
        if (ram->start + ram->length > end)
            end = ram->start + ram->length;
    }
    for (size_t i = 0; i < vm->config->pass_count; i++) {
        const struct pass_config *pass = &vm->config->passes[i];
        if (pass->guest + pass->length > end)
            end = pass->guest + pass->length;
    }
    return (end + PLACES_ALIGNMENT - 1) & ~(uint64_t)(PLACES_ALIGNMENT - 1);
}

static gpa_t on_find_place(void *context, uint64_t size)
{
    struct vm *vm = context;
    uint64_t limit = (uint64_t)1 << vm->ipa_bits;
    uint64_t at = first_free(vm);
    while (range_inside(at, size, limit)) {
        uint64_t next = behind_what_is_there(vm, at, size);
        if (next == at)
            return gpa(at);
        at = next;
    }
    return gpa(0);
}

static bool on_open_region(void *context, struct vdev *v, unsigned index, struct vdev_region region)
{
    struct error ignored = {0};
    return bus_open(&((struct vm *)context)->bus, v, index, region, &ignored);
}

static void on_close_region(void *context, struct vdev *v, unsigned index)
{
    bus_close(&((struct vm *)context)->bus, v, index);
}

static void on_ask_smmuman(void *context, struct smmu_client_call *call)
{
    smmuman_client_call(context, call);
}

/* Randomness --------------------------------------------------------------------------------------
 */

/* Each pull has its own: what a seed gives then depends on nothing else. */
static void next_entropy_key(struct vm *vm, char key[48])
{
    snprintf(key, 48, "vm%u:%" PRIu64, vm->number + 1, vm->entropy_pulls++);
}

void vdev_env_pass_entropy(struct vm *vm)
{
    char key[48];
    next_entropy_key(vm, key);
    journal_pass(vm->board->journal, PULL_ENTROPY, key);
}

bool vdev_env_entropy(void *context, void *to, size_t size)
{
    struct vm *vm = context;
    struct bytes answer = {0};
    struct error e = {0};
    char key[48];
    next_entropy_key(vm, key);
    bool ok = journal_pull(vm->board->journal, PULL_ENTROPY, key, size, &answer, &e) &&
              answer.size == size;
    if (ok)
        memcpy(to, answer.data, size);
    else
        vm_end(vm, STATUS_VDEV, "no random numbers: %s", e.text);
    bytes_free(&answer);
    return ok;
}

/* Files -------------------------------------------------------------------------------------------
 */

static bool on_open_file(void *context, const char *path, uint64_t *size, struct error *e)
{
    return journal_open(((struct vm *)context)->board->journal, path, size, e);
}

static void tell_lost_file(struct vm *vm, unsigned channel, const char *path,
                           enum range_answer answer)
{
    if (!vm->lost_file[channel])
        log_write(vm->envs[channel].log, LOG_SEVERITY_ERROR, "%s: the file '%s' %s",
                  vm->vdevs[channel]->name, path, range_answer_text(answer));
    vm->lost_file[channel] = true;
}

static bool on_read_file(void *context, unsigned channel, const char *path, uint64_t offset,
                         void *to, size_t size)
{
    struct vm *vm = context;
    struct bytes *range = &vm->board->range;
    struct error e = {0};
    enum range_answer answer;
    range->size = 0;
    bool ok = journal_pull_range(vm->board->journal, path, offset, size, range, &answer, &e);
    if (!ok)
        vm_end(vm, STATUS_VDEV, "%s: %s", vm->vdevs[channel]->name, e.text);
    else if (answer != RANGE_GIVEN)
        tell_lost_file(vm, channel, path, answer);
    else
        memcpy(to, range->data, size);
    return ok && answer == RANGE_GIVEN;
}

static void on_write_file(void *context, unsigned channel, const char *path, uint64_t offset,
                          const void *from, size_t size)
{
    const struct board_sinks *sinks = &((struct vm *)context)->board->sinks;
    (void)channel;
    if (sinks->disk_claim)
        sinks->disk(sinks->context, path, offset, from, size);
}

const struct vdev_env *vdev_env_init(struct vm *vm, size_t i, const struct log *log)
{
    struct board *b = vm->board;
    vm->envs[i] = (struct vdev_env){
        .vtime = &b->vtime,
        .events = &b->events,
        .log = log,
        .vm_name = vm->name,
        .vcpu_count = vm->vcpu_count,
        .quirks = b->options.quirks,
        .wall_clock_s = b->wall_clock_s,
        .output = vm_output,
        .send_frame = on_send_frame,
        .link_is_up = on_link_is_up,
        .frames_wanted = on_frames_wanted,
        .request_exit = on_request_exit,
        .request_dump = on_request_dump,
        .entropy = vdev_env_entropy,
        .open_file = on_open_file,
        .read_file = on_read_file,
        .write_file = on_write_file,
        .find_place = on_find_place,
        .map_memory = on_map_memory,
        .unmap_memory = on_unmap_memory,
        .open_region = on_open_region,
        .close_region = on_close_region,
        .shmem = b->shmem,
        .ask_smmuman = on_ask_smmuman,
        .context = vm,
    };
    return &vm->envs[i];
}
