/* What a VM's own smmuman asks for by `vdev smmu`: objects, which are sets of devices and of
 * mappings. The mappings are in the tables that the SMMU walks for the devices, nowhere else: each
 * group has tables of its own, made when the VM was assembled and large enough for all that the VM
 * may give, so that no request needs memory.
 *
 * A guest can only restrict. What it maps is cut to what smmuman_reach_each has, and a device that
 * it takes back reaches nothing, until it is added again or the VM starts again. */
#include <inttypes.h>
#include <string.h>

#include "hv/smmuman_internal.h"

enum { CLIENT_FLAGS = CLIENT_READ | CLIENT_WRITE | CLIENT_EXEC };

static struct smmuman_object *objects_of(struct vm *vm)
{
    return vm->board->smmuman->objects[vm->number];
}

static uint8_t *object_of(struct vm *vm, size_t device)
{
    return &vm->board->smmuman->object_of[device];
}

/* What object_of has for a device that is in the call's object; 0: there is no such object. */
static uint8_t object_number(struct vm *vm, const struct smmu_client_call *call)
{
    bool exists = call->object < SMMUMAN_OBJECTS && objects_of(vm)[call->object].exists;
    return exists ? (uint8_t)(call->object + 1) : 0;
}

/* Devices -----------------------------------------------------------------------------------------
 */

/* Where the VM has its registers. */
static bool find_registers(const struct vm *vm, size_t device, gpa_t *at)
{
    const struct board_device *d = &vm->board->config->devices[device];
    for (size_t i = 0; i < vm->config->pass_count; i++) {
        const struct pass_config *pass = &vm->config->passes[i];
        if (d->start - pass->host >= pass->length)
            continue;
        *at = gpa(pass->guest + (d->start - pass->host));
        return true;
    }
    return false;
}

static bool is_contained(const struct vm *vm, size_t device)
{
    const struct board *b = vm->board;
    const struct smmuman_group *g = &b->smmuman->groups[smmuman_units_group(b, device)];
    return smmuman_units_is_its(vm, device) && g->reach != REACHES_EVERYTHING && g->tables;
}

static int32_t find_device(const struct vm *vm, const struct smmu_client_call *call, size_t *device)
{
    if (call->type != CLIENT_DEVICE_MMIO)
        return call->type == CLIENT_DEVICE_PCI ? CLIENT_ENOENT : CLIENT_EINVAL;
    for (size_t i = 0; i < vm->board->config->device_count; i++) {
        gpa_t at;
        if (!is_contained(vm, i) || !find_registers(vm, i, &at) || at.v != call->start ||
            vm->board->config->devices[i].length != call->length)
            continue;
        *device = i;
        return CLIENT_OK;
    }
    return CLIENT_ENOENT;
}

/* Which object its group is in, by some device of it; 0: none. */
static uint8_t object_of_group(struct vm *vm, size_t group)
{
    for (size_t i = group; i < vm->board->config->device_count; i++)
        if (smmuman_units_group(vm->board, i) == group && *object_of(vm, i))
            return *object_of(vm, i);
    return 0;
}

/* The object's next group, from *group on. */
static bool next_group(struct vm *vm, uint8_t object, size_t *group)
{
    size_t first;
    for (; *group < vm->board->config->device_count; ++*group)
        if (smmuman_units_first(vm, *group, &first) && object_of_group(vm, *group) == object)
            return true;
    return false;
}

/* Mappings ----------------------------------------------------------------------------------------
 */

struct mapping {
    struct vm *vm;
    struct guest_tables *tables;
    unsigned permits;
    uint64_t in_force;
};

/* Its tables are there: smmuman.c made them for each piece. */
static void must(bool done)
{
    CHECK(done);
}

static bool map_piece(void *context, const struct smmuman_piece *p)
{
    struct mapping *m = context;
    struct memory *memory = &m->vm->board->memory;
    struct error ignored = {0};
    unsigned permits = p->permits & m->permits;
    if (permits)
        must(guest_tables_map(m->tables, memory, p->from, p->to, p->size, permits, &ignored));
    else
        must(guest_tables_unmap(m->tables, memory, p->from, p->size, &ignored));
    m->in_force += permits ? p->size : 0;
    return true;
}

/* Somebody may have damaged the tables, or the VM's: then it cannot go on. */
static bool are_sound(struct vm *vm, const struct guest_tables *tables, gpa_t at, uint64_t size)
{
    struct memory *m = &vm->board->memory;
    if (guest_tables_are_sound(tables, m, at, size) &&
        guest_tables_are_sound(vm->tables, m, at, size))
        return true;
    vm_safe_state(vm, "a table that contains its devices' DMA is damaged");
    return false;
}

/* The bytes of [at, at + size) that the group reaches from now on; `permits` 0: none. */
static uint64_t set_mapping(struct vm *vm, size_t group, gpa_t at, uint64_t size, unsigned permits)
{
    struct mapping m = {vm, vm->board->smmuman->groups[group].tables, permits, 0};
    if (!are_sound(vm, m.tables, at, size))
        return 0;
    if (!smmuman_reach_each(vm, group, at, size, map_piece, &m))
        vm_safe_state(vm, "stage 2 has not all of its memory");
    smmuman_units_use_tables(vm, group);
    return m.in_force;
}

static unsigned permits_of(uint32_t flags)
{
    return (flags & CLIENT_READ ? (unsigned)PERMIT_R : 0) |
           (flags & CLIENT_WRITE ? (unsigned)PERMIT_W : 0) |
           (flags & CLIENT_EXEC ? (unsigned)PERMIT_X : 0);
}

static uint32_t flags_of(unsigned permits)
{
    return (permits & PERMIT_R ? (uint32_t)CLIENT_READ : 0) |
           (permits & PERMIT_W ? (uint32_t)CLIENT_WRITE : 0);
}

static bool is_range(const struct vm *vm, const struct smmu_client_call *call)
{
    return call->length && !((call->start | call->length) & PAGE_MASK) &&
           range_inside(call->start, call->length, (uint64_t)1 << vm->ipa_bits);
}

static int32_t map(struct vm *vm, struct smmu_client_call *call, uint8_t object, unsigned permits)
{
    size_t group = 0;
    if (!is_range(vm, call))
        return CLIENT_EINVAL;
    if (!next_group(vm, object, &group))
        return CLIENT_ENOENT;
    call->in_force = UINT64_MAX;
    for (; next_group(vm, object, &group); group++) {
        uint64_t in_force = set_mapping(vm, group, gpa(call->start), call->length, permits);
        call->in_force = in_force < call->in_force ? in_force : call->in_force;
    }
    return CLIENT_OK;
}

/* Requests ----------------------------------------------------------------------------------------
 */

static int32_t create(struct vm *vm, struct smmu_client_call *call)
{
    struct smmuman_object *objects = objects_of(vm);
    if (call->flags & ~(uint32_t)CLIENT_RESERVED_MANUAL)
        return CLIENT_EINVAL;
    for (uint32_t i = 0; i < SMMUMAN_OBJECTS; i++)
        if (!objects[i].exists) {
            objects[i] = (struct smmuman_object){.exists = true, .flags = (uint8_t)call->flags};
            call->object = i;
            return CLIENT_OK;
        }
    return CLIENT_ENOSPC;
}

static bool map_reserved(void *context, const struct smmuman_piece *p)
{
    struct mapping *m = context;
    m->permits = p->permits;
    return map_piece(context, p);
}

/* The group was in no object so far: it reaches nothing but what it cannot do without. */
static void begin_group(struct vm *vm, size_t group, const struct smmuman_object *object)
{
    struct smmuman_group *g = &vm->board->smmuman->groups[group];
    struct mapping m = {.vm = vm, .tables = g->tables};
    set_mapping(vm, group, gpa(0), (uint64_t)1 << vm->ipa_bits, 0);
    if (!vm->ended && !(object->flags & CLIENT_RESERVED_MANUAL))
        smmuman_reach_reserved(vm, group, map_reserved, &m);
    g->reach = REACHES_OBJECT;
    smmuman_units_use_tables(vm, group);
}

/* Devices of one group are in one object. */
static int32_t add_device(struct vm *vm, struct smmu_client_call *call, uint8_t object)
{
    const struct smmuman_object *o = &objects_of(vm)[call->object];
    size_t device;
    int32_t result = find_device(vm, call, &device);
    if (result)
        return result;
    size_t group = smmuman_units_group(vm->board, device);
    uint8_t now = object_of_group(vm, group);
    if (now && now != object)
        return CLIENT_EBUSY;
    *object_of(vm, device) = object;
    if (now)
        return CLIENT_OK;
    begin_group(vm, group, o);
    return o->has_mappings ? CLIENT_REISSUE : CLIENT_OK;
}

static void take_back(struct vm *vm, size_t device)
{
    size_t group = smmuman_units_group(vm->board, device);
    *object_of(vm, device) = 0;
    if (!object_of_group(vm, group))
        smmuman_units_use_nothing(vm, group);
}

static int32_t remove_device(struct vm *vm, const struct smmu_client_call *call, uint8_t object)
{
    size_t device;
    int32_t result = find_device(vm, call, &device);
    if (result)
        return result;
    if (*object_of(vm, device) != object)
        return CLIENT_ENOENT;
    take_back(vm, device);
    return CLIENT_OK;
}

static int32_t destroy(struct vm *vm, const struct smmu_client_call *call, uint8_t object)
{
    for (size_t i = 0; i < vm->board->config->device_count; i++)
        if (smmuman_units_is_its(vm, i) && *object_of(vm, i) == object)
            take_back(vm, i);
    objects_of(vm)[call->object] = (struct smmuman_object){0};
    return CLIENT_OK;
}

static int32_t add_mapping(struct vm *vm, struct smmu_client_call *call, uint8_t object)
{
    if (!call->flags || call->flags & ~(uint32_t)CLIENT_FLAGS)
        return CLIENT_EINVAL;
    int32_t result = map(vm, call, object, permits_of(call->flags));
    if (result == CLIENT_OK)
        objects_of(vm)[call->object].has_mappings = true;
    return result;
}

/* The region of that number among those that a device needs. */
struct wanted_region {
    uint32_t index;
    struct smmu_client_call *call;
};

static bool is_not_wanted(void *context, const struct smmuman_piece *p)
{
    struct wanted_region *w = context;
    if (w->index--)
        return true;
    w->call->start = p->from.v;
    w->call->length = p->size;
    w->call->flags = flags_of(p->permits);
    return false;
}

static int32_t report_reserved(struct vm *vm, struct smmu_client_call *call)
{
    struct wanted_region w = {call->index, call};
    size_t device;
    int32_t result = find_device(vm, call, &device);
    if (result)
        return result;
    return smmuman_reach_reserved(vm, smmuman_units_group(vm->board, device), is_not_wanted, &w)
               ? CLIENT_ENOENT
               : CLIENT_OK;
}

static void fill_record(struct vm *vm, size_t group, const struct smmu_event *event,
                        struct smmu_client_record *r)
{
    struct smmuman_group *g = &vm->board->smmuman->groups[group];
    size_t device = group;
    gpa_t at = gpa(0);
    if (smmuman_units_first(vm, group, &device))
        find_registers(vm, device, &at);
    *r = (struct smmu_client_record){
        .hw_specific = event->type,
        .fault_address = event->address,
        .start = at.v,
        .length = vm->board->config->devices[device].length,
        .flags = event->ind   ? CLIENT_EXEC
                 : event->rnw ? CLIENT_READ
                              : CLIENT_WRITE,
        .lost = g->lost,
    };
    g->lost = 0;
}

/* The oldest record of the first of its groups that has one. */
static int32_t status(struct vm *vm, struct smmu_client_call *call, uint8_t object)
{
    struct smmu_event event;
    call->record = (struct smmu_client_record){0};
    for (size_t group = 0; next_group(vm, object, &group); group++)
        if (smmuman_records_take(&vm->board->smmuman->groups[group], &event)) {
            fill_record(vm, group, &event, &call->record);
            break;
        }
    return CLIENT_OK;
}

static int32_t answer(struct vm *vm, struct smmu_client_call *call, uint8_t object)
{
    switch (call->request) {
    case CLIENT_DESTROY:
        return destroy(vm, call, object);
    case CLIENT_ADD_DEVICE:
        return add_device(vm, call, object);
    case CLIENT_REMOVE_DEVICE:
        return remove_device(vm, call, object);
    case CLIENT_ADD_MAPPING:
        return add_mapping(vm, call, object);
    case CLIENT_REMOVE_MAPPING:
        return map(vm, call, object, 0);
    case CLIENT_STATUS:
        return status(vm, call, object);
    default:
        return CLIENT_EINVAL;
    }
}

/* A board none of whose guests has a device that masters needs no smmuman, and has none. */
void smmuman_client_call(struct vm *vm, struct smmu_client_call *call)
{
    if (!vm->board->smmuman) {
        call->result = CLIENT_ENOENT;
        return;
    }
    uint8_t object = object_number(vm, call);
    if (call->request == CLIENT_CREATE)
        call->result = create(vm, call);
    else if (call->request == CLIENT_REPORT_RESERVED)
        call->result = report_reserved(vm, call);
    else
        call->result = object ? answer(vm, call, object) : CLIENT_ENOENT;
}

/* Life --------------------------------------------------------------------------------------------
 */

void smmuman_client_forget(struct vm *vm)
{
    struct smmuman *s = vm->board->smmuman;
    if (!s)
        return;
    memset(objects_of(vm), 0, sizeof s->objects[0]);
    for (size_t i = 0; i < vm->board->config->device_count; i++)
        if (smmuman_units_is_its(vm, i))
            s->object_of[i] = 0;
}

/* What has no tables is in no object: there is nothing to map for it. */
static void visit_object_of(struct vm *vm, size_t device, struct state *s)
{
    const struct smmuman *m = vm->board->smmuman;
    uint8_t *object = object_of(vm, device);
    uint64_t most = m->groups[smmuman_units_group(vm->board, device)].tables ? SMMUMAN_OBJECTS : 0;
    *object = (uint8_t)state_up_to(s, "the object of a device", *object, 1, most);
}

void smmuman_client_visit(struct vm *vm, struct state *s)
{
    struct smmuman_object *o = objects_of(vm);
    state_part(s, "vm %s, objects of its smmuman", vm->name);
    for (unsigned i = 0; i < SMMUMAN_OBJECTS; i++) {
        bool *const bits[] = {&o[i].exists, &o[i].has_mappings};
        state_within(s, "object %u, ", i);
        state_bits(s, "whether it exists and has mappings", bits, 2);
        o[i].flags = (uint8_t)state_up_to(s, "flags", o[i].flags, 1, CLIENT_RESERVED_MANUAL);
    }
    state_within(s, NULL, 0);
    for (size_t i = 0; i < vm->board->config->device_count; i++)
        if (smmuman_units_is_its(vm, i))
            visit_object_of(vm, i, s);
}
