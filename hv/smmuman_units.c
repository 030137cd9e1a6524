/* The SMMUs of smmuman: their registers, their commands, the entries of their stream tables; and
 * which devices, of which VM, are behind them. */
#include <string.h>

#include "emu/check.h"
#include "hv/smmuman_internal.h"

/* A stream's translations are kept under its VM's VMID, or, where its group has tables of its own,
 * under the group's. */
static uint16_t vmid_of_vm(const struct vm *vm)
{
    return (uint16_t)(vm->number + 1);
}

static uint16_t vmid_of_group(size_t group)
{
    return (uint16_t)(BOARD_VMS_MAX + 1 + group);
}

/* Registers and commands --------------------------------------------------------------------------
 */

static uint64_t access(struct smmuman_unit *u, uint64_t offset, bool is_write, uint64_t value,
                       uint8_t size)
{
    struct bus_access a = {.offset = offset, .value = value, .size = size, .is_write = is_write};
    CHECK(u->v->type->access(u->v, 0, &a) == BUS_HANDLED);
    return a.value;
}

void smmuman_units_put(struct smmuman_unit *u, uint64_t offset, uint64_t value, uint8_t size)
{
    access(u, offset, true, value, size);
}

uint32_t smmuman_units_get(struct smmuman_unit *u, uint64_t offset)
{
    return (uint32_t)access(u, offset, false, 0, 4);
}

static bool read_own(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                     struct dma_fault *fault)
{
    const struct board *b = p->context;
    const void *at = memory_at((struct memory *)&b->memory, hpa(from.v), size, MEMORY_READ);
    (void)fault;
    CHECK(at);
    memcpy(to, at, (size_t)size);
    return true;
}

/* Consumed at once. What the SMMU reads then is ours and the same in every replay, so it is in no
 * exit log. */
static void command(struct board *b, struct smmuman_unit *u, uint64_t low, uint64_t high)
{
    uint32_t prod = smmuman_units_get(u, SMMU_CMDQ_PROD),
             slot = prod & ((1u << SMMUMAN_COMMAND_BITS) - 1);
    uint8_t *at = memory_at(&b->memory, hpa(u->commands.v + slot * SMMU_COMMAND_SIZE),
                            SMMU_COMMAND_SIZE, MEMORY_WRITE);
    struct dma_port port = u->v->dma;
    store_le(at, low, 8);
    store_le(at + 8, high, 8);
    u->v->dma.read = read_own;
    smmuman_units_put(u, SMMU_CMDQ_PROD, (prod + 1) & ((2u << SMMUMAN_COMMAND_BITS) - 1), 4);
    u->v->dma = port;
    CHECK(smmuman_units_get(u, SMMU_CMDQ_CONS) == smmuman_units_get(u, SMMU_CMDQ_PROD));
}

/* Who is who --------------------------------------------------------------------------------------
 */

struct smmuman_unit *smmuman_units_of(struct smmuman *s, uint32_t stream)
{
    for (size_t i = 0; i < s->count; i++)
        if (stream - s->units[i].config->first_stream < s->units[i].config->stream_count)
            return &s->units[i];
    return NULL;
}

bool smmuman_units_know(const struct board *b, const struct board_device *d)
{
    return d->has_stream && board_smmu_of(b->config, d->stream) < b->config->smmu_count;
}

/* One without a stream is alone. */
size_t smmuman_units_group(const struct board *b, size_t device)
{
    const struct board_device *all = b->config->devices, *d = &all[device];
    for (size_t i = 0; i < device && d->dma && d->has_stream; i++)
        if (all[i].dma && all[i].has_stream && all[i].stream == d->stream)
            return i;
    return device;
}

bool smmuman_units_is_its(const struct vm *vm, size_t device)
{
    const struct board_device *d = &vm->board->config->devices[device];
    return vm->board->device_owner[device] == vm && d->dma && d->type;
}

bool smmuman_units_first(const struct vm *vm, size_t group, size_t *device)
{
    for (*device = group; *device < vm->board->config->device_count; ++*device)
        if (smmuman_units_is_its(vm, *device) && smmuman_units_group(vm->board, *device) == group)
            return true;
    return false;
}

bool smmuman_units_has_client(const struct vm *vm)
{
    for (size_t i = 0; i < vm->config->vdev_count; i++)
        if (vm->config->vdevs[i].type == &smmu_page_type)
            return true;
    return false;
}

/* Streams -----------------------------------------------------------------------------------------
 */

static void set_ste(struct board *b, struct smmuman_unit *u, uint32_t stream,
                    const struct smmu_ste *ste)
{
    uint8_t *at = memory_at(&b->memory, hpa(u->streams.v + (uint64_t)stream * SMMUMAN_STE_SIZE),
                            SMMUMAN_STE_SIZE, MEMORY_WRITE);
    for (unsigned i = 0; i < SMMU_WORDS; i++)
        store_le(at + 8 * i, ste->word[i], 8);
    command(b, u, CMD_CFGI_STE | (uint64_t)stream << 32, 1); /* Leaf */
}

static void invalidate(struct board *b, struct smmuman_unit *u, uint16_t vmid)
{
    command(b, u, CMD_TLBI_S12_VMALL | (uint64_t)vmid << 32, 0);
}

void smmuman_units_use_tables(struct vm *vm, size_t group)
{
    struct board *b = vm->board;
    const struct smmuman_group *g = &b->smmuman->groups[group];
    uint32_t stream = b->config->devices[group].stream;
    struct smmuman_unit *u = smmuman_units_of(b->smmuman, stream);
    struct smmu_ste ste;
    smmu_ste_contain(&ste, g->tables ? g->tables : b->smmuman->of_vm[vm->number],
                     g->tables ? vmid_of_group(group) : vmid_of_vm(vm));
    set_ste(b, u, stream, &ste);
    if (g->tables)
        invalidate(b, u, vmid_of_group(group));
}

/* Whatever its devices still do. */
void smmuman_units_use_nothing(struct vm *vm, size_t group)
{
    static const struct smmu_ste none;
    struct board *b = vm->board;
    struct smmuman_group *g = &b->smmuman->groups[group];
    uint32_t stream = b->config->devices[group].stream;
    struct smmuman_unit *u = smmuman_units_of(b->smmuman, stream);
    set_ste(b, u, stream, &none);
    invalidate(b, u, g->tables ? vmid_of_group(group) : vmid_of_vm(vm));
    g->reach = REACHES_NOTHING;
}

void smmuman_units_release(struct vm *vm)
{
    struct board *b = vm->board;
    for (size_t i = 0; b->smmuman && i < b->config->device_count; i++)
        if (smmuman_units_is_its(vm, i) && smmuman_units_know(b, &b->config->devices[i]))
            smmuman_units_use_nothing(vm, smmuman_units_group(b, i));
}
