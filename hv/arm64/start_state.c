#include "hv/arm64/start_state.h"

#include <inttypes.h>
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "hv/hv_internal.h"

/* Memory ------------------------------------------------------------------------------------------
 */

static bool is_zero(const uint8_t *data, size_t size)
{
    return !data[0] && memcmp(data, data + 1, size - 1) == 0;
}

/* A page, or the part of one that the segment has. ROM is written, too: by whoever made it. */
static void put_part(struct vm *vm, gpa_t to, const uint8_t *data, size_t size,
                     struct start_state *s)
{
    struct memory *m = &vm->board->memory;
    struct stage2_leaf leaf;
    struct fault fault = {0};
    if (is_zero(data, size)) /* as memory is that nobody wrote */
        return;
    uint8_t *host = stage2_inspect(&vm->stage2, m, gpa(to.v & ~PAGE_MASK), NULL, &leaf, &fault)
                        ? memory_at(m, hpa(leaf.page.v | (to.v & PAGE_MASK)), size, MEMORY_WRITE)
                        : NULL;
    if (host) {
        memcpy(host, data, size);
        return;
    }
    if (!s->bytes_outside)
        s->first_outside = to.v;
    s->bytes_outside += size;
}

static void put_memory(struct vm *vm, const struct import_core *core, struct start_state *s)
{
    for (size_t i = 0; i < core->segment_count; i++) {
        const struct import_core_segment *segment = &core->segments[i];
        for (uint64_t at = 0, part; at < segment->size; at += part) {
            uint64_t to = segment->gpa + at, left = segment->size - at;
            part = PAGE_SIZE - (to & PAGE_MASK);
            part = part < left ? part : left;
            put_part(vm, gpa(to), segment->data + at, (size_t)part, s);
        }
    }
}

/* Registers ---------------------------------------------------------------------------------------
 */

static bool check_pstate(unsigned vcpu, uint64_t pstate, struct error *e)
{
    uint64_t mode = pstate & 0x1f; /* M[4:0]: C5.2.18 */
    if (mode == PSTATE_EL0 || mode == PSTATE_EL1 || mode == PSTATE_EL1H)
        return true;
    return error_set(e,
                     "vCPU %u of the core is in mode %#" PRIx64
                     " (PSTATE.M): only AArch64 at EL0 and EL1 is modelled",
                     vcpu, mode);
}

/* A vCPU that was never on has nothing but zeros: no core says so otherwise. */
static bool was_never_on(const struct vcpu_registers *r)
{
    uint64_t any = r->pc | r->sp;
    for (unsigned i = 0; i < 31; i++)
        any |= r->x[i];
    return !any;
}

/* The vCPU as after reset, but for the registers that every core has. */
static bool put_general(struct vm *vm, const struct import_core *core, struct error *e)
{
    for (unsigned i = 0; i < core->vcpu_count; i++) {
        if (!check_pstate(i, core->vcpus[i].r.pstate, e))
            return false;
        if (was_never_on(&core->vcpus[i].r))
            continue;
        vcpu_power_on(vm->vcpus[i], core->vcpus[i].r.pc, 0);
        vcpu_write_registers(vm->vcpus[i], NULL, &core->vcpus[i].r);
    }
    return true;
}

#define ITEMS_MAX 1000 /* more than a vCPU has */

/* Where that register is in what vcpu_save wrote; false: there is none of the name and size. */
static bool find_item(const char *name, size_t name_size, uint64_t size, size_t state_size,
                      struct vcpu_state_item *item)
{
    *item = (struct vcpu_state_item){.size = 0};
    for (size_t at = 0; at < state_size; at += item->size) {
        vcpu_state_item(at, item);
        if (strlen(item->name) == name_size && memcmp(item->name, name, name_size) == 0)
            return item->size == size;
    }
    return false;
}

/* The interrupt controller, whose outputs these are, is as after reset. */
static bool is_output(const char *name, size_t size)
{
    return (size == 3 && memcmp(name, "irq", 3) == 0) || (size == 3 && memcmp(name, "fiq", 3) == 0);
}

/* Our own note: names and contents over what is there. */
static bool put_named(const struct import_core_vcpu *from, uint8_t *state, size_t state_size,
                      struct start_state *s, struct error *e)
{
    struct reader in = reader_of(from->state, from->state_size);
    for (unsigned items = 0; !reader_at_end(&in); items++) {
        if (items == ITEMS_MAX)
            return error_set(e, "the core's note of a vCPU's registers has more than %d",
                             ITEMS_MAX);
        uint64_t name_size = reader_varint(&in);
        const char *name = (const char *)reader_bytes(&in, (size_t)name_size);
        uint64_t size = reader_varint(&in);
        const uint8_t *value = reader_bytes(&in, (size_t)size);
        struct vcpu_state_item item;
        if (!name || !value)
            return error_set(e, "the core's note of a vCPU's registers is damaged at byte %zu",
                             in.at);
        if (is_output(name, (size_t)name_size))
            continue;
        if (find_item(name, (size_t)name_size, size, state_size, &item))
            memcpy(state + item.offset, value, (size_t)size);
        else
            s->unknown++;
    }
    return true;
}

/* What the note says of PSTATE is not better than what NT_PRSTATUS says. */
static bool check_named(unsigned vcpu, const uint8_t *state, size_t state_size, struct error *e)
{
    struct vcpu_state_item item;
    return !find_item("PSTATE", 6, 8, state_size, &item) ||
           check_pstate(vcpu, load_le(state + item.offset, 8), e);
}

static bool put_given(const struct start_register *given, uint8_t *state, size_t state_size,
                      struct error *e)
{
    struct vcpu_state_item item;
    if (!find_item(given->name, strlen(given->name), 8, state_size, &item))
        return error_set(e, "there is no register %s of 64 bits", given->name);
    store_le(state + item.offset, given->value, 8);
    return true;
}

/* The state as a whole, changed where vCPUs are in it. */
static bool put_system(struct board *b, const struct import_core *core,
                       const struct start_register *given, size_t given_count,
                       struct start_state *s, struct error *e)
{
    struct vm *vm = b->vms[0];
    struct bytes state = {0}, before = {0}, one = {0};
    bool ok = true;
    board_save_state(b, &state);
    schedule_save(&b->schedule, &before);
    size_t at = 16 + before.size; /* board_save_state: the time, the schedule, vCPUs */
    if (core->has_time) {
        store_le(state.data, core->instructions, 8);
        store_le(state.data + 8, core->idle_ticks, 8);
    }
    for (unsigned i = 0; i < vm->vcpu_count && ok; i++) {
        bytes_clear(&one);
        vcpu_save(vm->vcpus[i], b->current, &one);
        uint8_t *own = state.data + at;
        if (i < core->vcpu_count && core->vcpus[i].state)
            ok =
                put_named(&core->vcpus[i], own, one.size, s, e) && check_named(i, own, one.size, e);
        for (size_t k = 0; k < given_count && ok; k++)
            ok = put_given(&given[k], own, one.size, e);
        at += one.size;
    }
    struct reader in = reader_of(state.data, state.size);
    if (ok && !board_restore_state(b, &in))
        ok = error_set(e, "the core's registers make no state of this machine");
    bytes_free(&state);
    bytes_free(&before);
    bytes_free(&one);
    return ok;
}

bool start_state_apply(struct board *b, const struct import_core *core,
                       const struct start_register *registers, size_t register_count,
                       struct start_state *s, struct error *e)
{
    struct vm *vm = b->vms[0];
    *s = (struct start_state){.no_sysregs = !core->vcpus[0].state};
    if (core->vcpu_count > vm->vcpu_count)
        return error_set(e, "the core has %u vCPUs, the configuration %u", core->vcpu_count,
                         vm->vcpu_count);
    put_memory(vm, core, s);
    return put_general(vm, core, e) && put_system(b, core, registers, register_count, s, e);
}
