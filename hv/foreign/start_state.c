#include "hv/foreign/start_state.h"

#include <stdio.h>
#include <string.h>

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
    if (is_zero(data, size) || vm_write(vm, to, data, size)) /* memory that nobody wrote is zero */
        return;
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

static bool can_start(const struct vm *vm, unsigned vcpu, const struct vcpu_registers *r,
                      struct error *e)
{
    struct error why = {0};
    return vm->arch->can_start(r, &why) ||
           error_set(e, "vCPU %u of the core is %s", vcpu, why.text);
}

/* A vCPU that was never on has nothing but zeros: no core says so otherwise. */
static bool was_never_on(const struct vcpu_registers *r)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < r->arch->register_count; i++)
        any |= r->arch->registers[i].class == REGISTER_GENERAL ? r->value[i][0] : 0;
    return !any;
}

/* The vCPU as after reset, but for the registers that every core has. */
static bool put_general(struct vm *vm, const struct import_core *core, struct error *e)
{
    for (unsigned i = 0; i < core->vcpu_count; i++) {
        const struct vcpu_registers *r = &core->vcpus[i].r;
        if (!can_start(vm, i, r, e))
            return false;
        if (was_never_on(r))
            continue;
        vcpu_power_on(vm->vcpus[i], vcpu_registers_pc(r), 0);
        vcpu_write_registers(vm->vcpus[i], NULL, r);
    }
    return true;
}

#define ITEMS_MAX 1000 /* more than a vCPU has */

/* Where each register of a vCPU is in the board's state. */
struct items {
    char vcpu[160]; /* the part of the state that it is */
    bool are_here;  /* in the part that is told */
    struct state_item list[ITEMS_MAX];
    size_t count;
};

static void begin_part(void *context, const char *name, size_t offset)
{
    struct items *items = context;
    (void)offset;
    items->are_here = strcmp(name, items->vcpu) == 0;
}

static void add_item(void *context, const struct state_item *item)
{
    struct items *items = context;
    if (items->are_here && items->count < ITEMS_MAX)
        items->list[items->count++] = *item;
}

static void find_items(struct board *b, const struct vm *vm, unsigned vcpu, struct items *items)
{
    const struct state_listener listener = {begin_part, add_item, items};
    struct bytes state = {0};
    struct state s = state_telling(&state, &listener);
    snprintf(items->vcpu, sizeof items->vcpu, "vm %s, vcpu %u", vm->name, vcpu);
    items->count = 0;
    board_visit(b, &s);
    bytes_free(&state);
}

/* NULL: there is none of the name and size. */
static const struct state_item *find_item(const struct items *items, const char *name,
                                          size_t name_size, uint64_t size)
{
    for (size_t i = 0; i < items->count; i++) {
        const struct state_item *item = &items->list[i];
        if (strlen(item->name) == name_size && memcmp(item->name, name, name_size) == 0)
            return item->size == size ? item : NULL;
    }
    return NULL;
}

/* The interrupt controller, whose outputs these are, is as after reset. */
static bool is_output(const char *name, size_t size)
{
    return (size == 3 && memcmp(name, "irq", 3) == 0) || (size == 3 && memcmp(name, "fiq", 3) == 0);
}

/* Our own note: names and contents over what is there. */
static bool put_named(const struct import_core_vcpu *from, const struct items *items,
                      uint8_t *state, struct start_state *s, struct error *e)
{
    struct reader in = reader_of(from->state, from->state_size);
    for (unsigned count = 0; !reader_at_end(&in); count++) {
        if (count == ITEMS_MAX)
            return error_set(e, "the core's note of a vCPU's registers has more than %d",
                             ITEMS_MAX);
        uint64_t name_size = reader_varint(&in);
        const char *name = (const char *)reader_bytes(&in, (size_t)name_size);
        uint64_t size = reader_varint(&in);
        const uint8_t *value = reader_bytes(&in, (size_t)size);
        if (!name || !value)
            return error_set(e, "the core's note of a vCPU's registers is damaged at byte %zu",
                             in.at);
        if (is_output(name, (size_t)name_size))
            continue;
        const struct state_item *item = find_item(items, name, (size_t)name_size, size);
        if (item)
            memcpy(state + item->offset, value, (size_t)size);
        else
            s->unknown++;
    }
    return true;
}

static bool put_given(const struct start_register *given, const struct items *items, uint8_t *state,
                      struct error *e)
{
    const struct state_item *item = find_item(items, given->name, strlen(given->name), 8);
    if (!item)
        return error_set(e, "there is no register %s of 64 bits", given->name);
    store_le(state + item->offset, given->value, 8);
    return true;
}

static void put_time(struct board *b, const char *name, uint64_t value, struct bytes *state)
{
    struct state_search time = {.whole_name = name};
    board_search(b, &time);
    store_le(state->data + time.found.offset, value, time.found.size);
}

static bool restore(struct board *b, const struct bytes *state, struct error *e)
{
    struct reader in = reader_of(state->data, state->size);
    struct state s = state_restoring(&in);
    board_visit(b, &s);
    return state_is_good(&s) ||
           error_set(e, "the core's registers make no state of this machine%s%s",
                     in.refused ? ": no vCPU can have that " : "", in.refused ? in.refused : "");
}

/* The state as a whole, changed where vCPUs are in it. */
static bool put_system(struct board *b, const struct import_core *core,
                       const struct start_register *given, size_t given_count,
                       struct start_state *s, struct error *e)
{
    struct vm *vm = b->vms[0];
    struct bytes state = {0};
    struct items items;
    bool ok = true;
    struct state saved = state_saving(&state);
    board_visit(b, &saved);
    if (core->has_time) {
        put_time(b, "time: instructions", core->instructions, &state);
        put_time(b, "time: idle ticks", core->idle_ticks, &state);
    }
    for (unsigned i = 0; i < vm->vcpu_count && ok; i++) {
        find_items(b, vm, i, &items);
        if (i < core->vcpu_count && core->vcpus[i].state)
            ok = put_named(&core->vcpus[i], &items, state.data, s, e);
        for (size_t k = 0; k < given_count && ok; k++)
            ok = put_given(&given[k], &items, state.data, e);
    }
    ok = ok && restore(b, &state, e);
    bytes_free(&state);
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
