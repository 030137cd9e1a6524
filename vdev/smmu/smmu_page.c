/* `vdev smmu`: the request page of a guest's own smmuman. The guest puts what it asks for into
 * registers, and writes REQUEST: that is done before the write returns, the answer is in the same
 * registers, and STATUS.DONE interrupts if CONTROL says so. docs/smmu.md has the registers; the
 * protocol is our own, as the original's is not public.
 *
 * The page knows nothing of devices and mappings: who does is behind vdev_env. */
#include "vdev/pic.h"
#include "vdev/smmu/smmu.h"
#include "vdev/smmu/smmu_client.h"

enum {
    ID = 0x00,
    VERSION = 0x04,
    REQUEST = 0x08,
    RESULT = 0x0c,
    CONTROL = 0x10,
    STATUS = 0x14,
    OBJECT = 0x18,
    FLAGS = 0x1c,
    TYPE = 0x20,
    INDEX = 0x24,
    START = 0x28,
    LENGTH = 0x30,
    IN_FORCE = 0x38,
    HW_SPECIFIC = 0x40,
    FAULT_ADDRESS = 0x48,
    DEVICE_START = 0x50,
    DEVICE_LENGTH = 0x58,
    FAULT_FLAGS = 0x60,
    LOST = 0x64,
};
#define ID_VALUE      0x4d535651u /* "QVSM" */
#define VERSION_VALUE 1u
enum { CONTROL_IRQ = 1 << 0 };
enum { STATUS_DONE = 1 << 0 };

struct smmu_page {
    struct vdev v;
    uint32_t request, result, control, status, object, flags, type, index;
    uint64_t start, length, in_force;
    uint64_t hw_specific, fault_address, device_start, device_length;
    uint32_t fault_flags, lost;
};

static const struct field smmu_page_fields[] = {
    FIELD_UP_TO(struct smmu_page, request, CLIENT_STATUS),
    FIELD(struct smmu_page, result),
    FIELD_UP_TO(struct smmu_page, control, CONTROL_IRQ),
    FIELD_UP_TO(struct smmu_page, status, STATUS_DONE),
    FIELD(struct smmu_page, object),
    FIELD(struct smmu_page, flags),
    FIELD(struct smmu_page, type),
    FIELD(struct smmu_page, index),
    FIELD(struct smmu_page, start),
    FIELD(struct smmu_page, length),
    FIELD(struct smmu_page, in_force),
    FIELD(struct smmu_page, hw_specific),
    FIELD(struct smmu_page, fault_address),
    FIELD(struct smmu_page, device_start),
    FIELD(struct smmu_page, device_length),
    FIELD(struct smmu_page, fault_flags),
    FIELD(struct smmu_page, lost),
    FIELD_END,
};

static struct smmu_page *smmu_page_of(struct vdev *v)
{
    return (struct smmu_page *)(void *)v;
}

static void update_irq(struct vdev *v)
{
    const struct smmu_page *p = smmu_page_of(v);
    wire_set(&v->irq, p->control & CONTROL_IRQ && p->status & STATUS_DONE);
}

/* Requests ----------------------------------------------------------------------------------------
 */

static void take_record(struct smmu_page *p, const struct smmu_client_record *r)
{
    p->hw_specific = r->hw_specific;
    p->fault_address = r->fault_address;
    p->device_start = r->start;
    p->device_length = r->length;
    p->fault_flags = r->flags;
    p->lost = r->lost;
}

static void take_answer(struct smmu_page *p, const struct smmu_client_call *call)
{
    p->result = (uint32_t)call->result;
    p->object = call->object;
    p->flags = call->flags;
    p->start = call->start;
    p->length = call->length;
    p->in_force = call->in_force;
    if (call->request == CLIENT_STATUS)
        take_record(p, &call->record);
}

/* A number that is no request is answered like one whose arguments are wrong. */
static void ask(struct smmu_page *p, uint32_t request)
{
    struct smmu_client_call call = {.request = (enum smmu_client_request)request,
                                    .object = p->object,
                                    .flags = p->flags,
                                    .type = p->type,
                                    .index = p->index,
                                    .start = p->start,
                                    .length = p->length,
                                    .result = CLIENT_EINVAL};
    bool is_one = request >= CLIENT_CREATE && request <= CLIENT_STATUS;
    p->request = is_one ? request : 0;
    if (is_one && p->v.env->ask_smmuman)
        p->v.env->ask_smmuman(p->v.env->context, &call);
    take_answer(p, &call);
    p->status |= STATUS_DONE;
    update_irq(&p->v);
}

/* Registers ---------------------------------------------------------------------------------------
 */

/* Those that are nothing but a value; of 8 bytes, the lower half first. */
static const struct value_register {
    uint64_t offset;
    size_t member;
    unsigned size;
    bool is_argument;
} values[] = {
    {REQUEST, offsetof(struct smmu_page, request), 4, false},
    {RESULT, offsetof(struct smmu_page, result), 4, false},
    {CONTROL, offsetof(struct smmu_page, control), 4, false},
    {STATUS, offsetof(struct smmu_page, status), 4, false},
    {OBJECT, offsetof(struct smmu_page, object), 4, true},
    {FLAGS, offsetof(struct smmu_page, flags), 4, true},
    {TYPE, offsetof(struct smmu_page, type), 4, true},
    {INDEX, offsetof(struct smmu_page, index), 4, true},
    {START, offsetof(struct smmu_page, start), 8, true},
    {LENGTH, offsetof(struct smmu_page, length), 8, true},
    {IN_FORCE, offsetof(struct smmu_page, in_force), 8, false},
    {HW_SPECIFIC, offsetof(struct smmu_page, hw_specific), 8, false},
    {FAULT_ADDRESS, offsetof(struct smmu_page, fault_address), 8, false},
    {DEVICE_START, offsetof(struct smmu_page, device_start), 8, false},
    {DEVICE_LENGTH, offsetof(struct smmu_page, device_length), 8, false},
    {FAULT_FLAGS, offsetof(struct smmu_page, fault_flags), 4, false},
    {LOST, offsetof(struct smmu_page, lost), 4, false},
};

static const struct value_register *find_value(uint64_t offset)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (offset - values[i].offset < values[i].size)
            return &values[i];
    return NULL;
}

static uint64_t value_of(const struct smmu_page *p, const struct value_register *r)
{
    const void *at = (const uint8_t *)p + r->member;
    return r->size == 4 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static uint32_t read_register(const struct smmu_page *p, uint64_t offset)
{
    const struct value_register *r = find_value(offset);
    if (offset == ID)
        return ID_VALUE;
    if (offset == VERSION)
        return VERSION_VALUE;
    return r ? (uint32_t)(value_of(p, r) >> (offset == r->offset ? 0 : 32)) : 0;
}

static void write_value(struct smmu_page *p, const struct value_register *r, uint64_t offset,
                        uint32_t value)
{
    void *at = (uint8_t *)p + r->member;
    unsigned shift = offset == r->offset ? 0 : 32;
    uint64_t others = value_of(p, r) & ~(UINT64_C(0xffffffff) << shift);
    if (!r->is_argument)
        log_guest(p->v.env->log, "%s: write to read-only register +%#x", p->v.name,
                  (unsigned)offset);
    else if (r->size == 4)
        *(uint32_t *)at = value;
    else
        *(uint64_t *)at = others | (uint64_t)value << shift;
}

static void write_register(struct smmu_page *p, uint64_t offset, uint32_t value)
{
    const struct value_register *r = find_value(offset);
    if (offset == REQUEST)
        ask(p, value);
    else if (offset == CONTROL)
        p->control = value & CONTROL_IRQ;
    else if (offset == STATUS)
        p->status &= ~value;
    else if (r)
        write_value(p, r, offset, value);
    update_irq(&p->v);
}

static enum bus_answer smmu_page_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct smmu_page *p = smmu_page_of(v);
    (void)region;
    if (a->size != 4 || a->offset % 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(p, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(p, a->offset);
    return BUS_HANDLED;
}

static const struct vdev_register *smmu_page_registers(const struct vdev *v, unsigned region,
                                                       uint64_t *offset)
{
    /* clang-format off */
    static const struct vdev_register table[] = {
        VDEV_REGISTER(ID), VDEV_REGISTER(VERSION), VDEV_REGISTER(REQUEST), VDEV_REGISTER(RESULT),
        VDEV_REGISTER(CONTROL), VDEV_REGISTER(STATUS), VDEV_REGISTER(OBJECT), VDEV_REGISTER(FLAGS),
        VDEV_REGISTER(TYPE), VDEV_REGISTER(INDEX), {START, "START", 2}, {LENGTH, "LENGTH", 2},
        {IN_FORCE, "IN_FORCE", 2}, {HW_SPECIFIC, "HW_SPECIFIC", 2},
        {FAULT_ADDRESS, "FAULT_ADDRESS", 2}, {DEVICE_START, "DEVICE_START", 2},
        {DEVICE_LENGTH, "DEVICE_LENGTH", 2}, VDEV_REGISTER(FAULT_FLAGS), VDEV_REGISTER(LOST),
        VDEV_REGISTERS_END,
    };
    /* clang-format on */
    (void)v;
    (void)region;
    (void)offset;
    return table;
}

static void smmu_page_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "qvm,smmu";
    vdev_describe_begin(v, d, "smmu", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->end_node(d->context);
}

const struct vdev_type smmu_page_type = {
    .name = "smmu",
    .summary = "what the guest's own smmuman asks the host's for: which of the VM's memory its "
               "passed devices reach (docs/smmu.md)",
    .size = sizeof(struct smmu_page),
    .fields = smmu_page_fields,
    .needs_intr = true,
    .is_placed = true,
    .ranges = vdev_one_page,
    .access = smmu_page_access,
    .registers = smmu_page_registers,
    .describe = smmu_page_describe,
    .restored = update_irq,
};
