/* smmuman: what contains the DMA of devices that guests have of the board. It programs the board's
 * SMMUs as any driver does, by registers, tables and commands in the board's memory: the stream of
 * a device that is passed to a VM goes through tables of that VM's memory, all of it and nothing
 * else; every other stream has no valid STE, and reaches nothing.
 *
 * A transgression is refused by the SMMU and recorded in its event queue, whose first records stay
 * until somebody asks: the status report and the end of the VM tell of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/hv_internal.h"
#include "mmu/smmu/smmu_tables.h"
#include "vdev/smmu/smmu.h"
#include "vdev/smmu/smmu_driver.h"

/* Sizes of queues as log2 of their entries: a page each. */
enum { COMMAND_BITS = 8, EVENT_BITS = 7, STE_SIZE = 64, STREAM_BITS_MAX = 15 };

struct unit {
    const struct board_smmu *config;
    struct vdev *v; /* owned */
    struct vdev_env env;
    struct log log; /* off: nobody is told by itself */
    hpa_t streams, commands, events;
};

struct smmuman {
    struct unit units[BOARD_SMMUS_MAX];
    size_t count;
    struct guest_tables *of_vm[BOARD_VMS_MAX]; /* owned: what its devices may reach; or NULL */
};

/* Registers and commands --------------------------------------------------------------------------
 */

static uint64_t access(struct unit *u, uint64_t offset, bool is_write, uint64_t value, uint8_t size)
{
    struct bus_access a = {.offset = offset, .value = value, .size = size, .is_write = is_write};
    CHECK(u->v->type->access(u->v, 0, &a) == BUS_HANDLED);
    return a.value;
}

static void put(struct unit *u, uint64_t offset, uint64_t value, uint8_t size)
{
    access(u, offset, true, value, size);
}

static uint32_t get(struct unit *u, uint64_t offset)
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
static void command(struct board *b, struct unit *u, uint64_t low, uint64_t high)
{
    uint32_t prod = get(u, SMMU_CMDQ_PROD), slot = prod & ((1u << COMMAND_BITS) - 1);
    uint8_t *at = memory_at(&b->memory, hpa(u->commands.v + slot * SMMU_COMMAND_SIZE),
                            SMMU_COMMAND_SIZE, MEMORY_WRITE);
    struct dma_port port = u->v->dma;
    store_le(at, low, 8);
    store_le(at + 8, high, 8);
    u->v->dma.read = read_own;
    put(u, SMMU_CMDQ_PROD, (prod + 1) & ((2u << COMMAND_BITS) - 1), 4);
    u->v->dma = port;
    CHECK(get(u, SMMU_CMDQ_CONS) == get(u, SMMU_CMDQ_PROD));
}

/* Start-up ----------------------------------------------------------------------------------------
 */

static unsigned stream_bits(const struct board_smmu *c)
{
    unsigned bits = 1;
    while (bits < 32 && (c->first_stream + (c->stream_count - 1)) >> bits)
        bits++;
    return bits;
}

static bool take(struct board *b, uint64_t size, hpa_t *at, struct error *e)
{
    uint64_t whole = PAGE_SIZE;
    while (whole < size)
        whole *= 2;
    return memory_take_aligned(&b->memory, whole, at) ||
           error_set(e, "the board has no memory left for the tables of its SMMUs");
}

/* Until it is enabled, every stream reaches everything (6.3.14, GBPA); from then on, nothing that
 * has no valid STE. */
static void enable(struct unit *u)
{
    put(u, SMMU_STRTAB_BASE, u->streams.v, 8);
    put(u, SMMU_STRTAB_BASE_CFG, stream_bits(u->config), 4);
    put(u, SMMU_CMDQ_BASE, u->commands.v | COMMAND_BITS, 8);
    put(u, SMMU_EVENTQ_BASE, u->events.v | EVENT_BITS, 8);
    put(u, SMMU_CR0, CR0_CMDQEN | CR0_EVENTQEN, 4);
    put(u, SMMU_CR0, CR0_CMDQEN | CR0_EVENTQEN | CR0_SMMUEN, 4);
}

static bool add_unit(struct board *b, struct dma_port space, const struct board_smmu *c,
                     struct error *e)
{
    struct unit *u = &b->smmuman->units[b->smmuman->count++];
    u->config = c;
    if (stream_bits(c) > STREAM_BITS_MAX)
        return error_at(e, c->place.file, c->place.line,
                        "smmu '%s': smmuman knows streams up to %u", c->name,
                        (1u << STREAM_BITS_MAX) - 1);
    u->env = (struct vdev_env){.vtime = &b->vtime, .events = &b->events, .log = &u->log};
    u->v = calloc(1, smmu_board_type.size);
    CHECK_ROOM(u->v);
    u->v->type = &smmu_board_type;
    u->v->env = &u->env;
    u->v->loc = c->start;
    u->v->dma = space;
    snprintf(u->v->name, sizeof u->v->name, "%s", c->name);
    if (!vdev_create(u->v, e) || !take(b, (uint64_t)STE_SIZE << stream_bits(c), &u->streams, e) ||
        !take(b, PAGE_SIZE, &u->commands, e) || !take(b, PAGE_SIZE, &u->events, e))
        return false;
    enable(u);
    return true;
}

static bool reaches(const struct pass_config *pass, const struct board_device *d)
{
    return d->dma && d->type && d->start - pass->host < pass->length;
}

/* Boards whose guests have no such device stay what they are. */
static bool is_needed(const struct board *b, const struct vm_config *configs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < configs[i].pass_count; p++)
            for (size_t d = 0; d < b->config->device_count; d++)
                if (reaches(&configs[i].passes[p], &b->config->devices[d]))
                    return true;
    return false;
}

bool smmuman_make(struct board *b, struct dma_port space, const struct vm_config *configs,
                  size_t count, struct error *e)
{
    if (!is_needed(b, configs, count))
        return true;
    b->smmuman = calloc(1, sizeof *b->smmuman);
    CHECK_ROOM(b->smmuman);
    for (size_t i = 0; i < b->config->smmu_count; i++)
        if (!add_unit(b, space, &b->config->smmus[i], e))
            return error_exit_status(e, STATUS_NOT_STARTED);
    return true;
}

void smmuman_free(struct board *b)
{
    for (size_t i = 0; b->smmuman && i < BOARD_VMS_MAX; i++)
        guest_tables_free(b->smmuman->of_vm[i]);
    for (size_t i = 0; b->smmuman && i < b->smmuman->count; i++)
        free(b->smmuman->units[i].v);
    free(b->smmuman);
}

/* Containing --------------------------------------------------------------------------------------
 */

static struct unit *unit_of(struct smmuman *s, uint32_t stream)
{
    for (size_t i = 0; i < s->count; i++)
        if (stream - s->units[i].config->first_stream < s->units[i].config->stream_count)
            return &s->units[i];
    return NULL;
}

/* Its RAM and ROM as its own tables have them: pages that lie together, in one piece. */
static bool map_range(struct vm *vm, struct guest_tables *to, const struct ram_config *ram,
                      struct error *e)
{
    struct memory *m = &vm->board->memory;
    struct guest_page leaf;
    for (uint64_t done = 0, part; done < ram->length; done += part) {
        gpa_t at = gpa(ram->start + done);
        if (!guest_tables_find(vm->tables, m, at, &leaf))
            return error_set(e, "stage 2 has none of its memory at %#" PRIx64, at.v);
        uint64_t rest = leaf.size - (at.v & (leaf.size - 1));
        part = rest < ram->length - done ? rest : ram->length - done;
        if (!guest_tables_map(to, m, at, leaf.page, part,
                              PERMIT_R | (ram->is_rom ? 0u : (unsigned)PERMIT_W), e))
            return false;
    }
    return true;
}

static bool map_all(struct vm *vm, struct guest_tables *to, struct error *e)
{
    for (size_t i = 0; i < vm->config->ram_count; i++)
        if (!map_range(vm, to, &vm->config->rams[i], e))
            return false;
    return true;
}

/* Made once: memory of a VM stays where it is when it starts again. */
static struct guest_tables *tables_of(struct vm *vm, struct error *e)
{
    struct guest_tables *tables = vm->board->smmuman->of_vm[vm->number];
    if (tables)
        return tables;
    tables = guest_tables_new(vm->arch->cpu->tables, &vm->board->memory, vm->ipa_bits, e);
    vm->board->smmuman->of_vm[vm->number] = tables;
    return tables && map_all(vm, tables, e) ? tables : NULL;
}

static void set_ste(struct board *b, struct unit *u, uint32_t stream, const struct smmu_ste *ste)
{
    uint8_t *at = memory_at(&b->memory, hpa(u->streams.v + (uint64_t)stream * STE_SIZE), STE_SIZE,
                            MEMORY_WRITE);
    for (unsigned i = 0; i < SMMU_WORDS; i++)
        store_le(at + 8 * i, ste->word[i], 8);
    command(b, u, CMD_CFGI_STE | (uint64_t)stream << 32, 1); /* Leaf */
}

bool smmuman_contain(struct vm *vm, struct vdev *v, uint32_t stream, struct error *e)
{
    struct unit *u = unit_of(vm->board->smmuman, stream);
    const struct guest_tables *tables = tables_of(vm, e);
    struct smmu_ste ste;
    if (!tables)
        return error_exit_status(e, STATUS_NOT_STARTED);
    CHECK(u); /* the board's configuration was checked */
    smmu_ste_contain(&ste, tables, (uint16_t)(vm->number + 1));
    set_ste(vm->board, u, stream, &ste);
    v->dma = u->v->type->stream_port(u->v, stream, DMA_NO_SUBSTREAM);
    v->is_translated = true;
    return true;
}

/* Whatever the device still does reaches nothing. */
static void let_go(struct vm *vm, uint32_t stream)
{
    static const struct smmu_ste none;
    struct unit *u = unit_of(vm->board->smmuman, stream);
    set_ste(vm->board, u, stream, &none);
    command(vm->board, u, CMD_TLBI_S12_VMALL | (uint64_t)(vm->number + 1) << 32, 0);
}

static bool is_its(const struct vm *vm, size_t device)
{
    const struct board_device *d = &vm->board->config->devices[device];
    return vm->board->device_owner[device] == vm && d->dma && d->type;
}

void smmuman_release(struct vm *vm)
{
    for (size_t i = 0; vm->board->smmuman && i < vm->board->config->device_count; i++)
        if (is_its(vm, i))
            let_go(vm, vm->board->config->devices[i].stream);
}

/* Transgressions ----------------------------------------------------------------------------------
 */

/* Of one stream, in the queue: the first, and how many. */
static unsigned recorded(struct board *b, struct unit *u, uint32_t stream, struct smmu_event *first)
{
    uint32_t mask = (2u << EVENT_BITS) - 1, end = get(u, SMMU_EVENTQ_PROD) & mask;
    unsigned found = 0;
    for (uint32_t i = get(u, SMMU_EVENTQ_CONS) & mask; i != end; i = (i + 1) & mask) {
        struct smmu_event event;
        uint64_t slot = i & (mask >> 1);
        smmu_event_get(memory_at(&b->memory, hpa(u->events.v + slot * SMMU_EVENT_SIZE),
                                 SMMU_EVENT_SIZE, MEMORY_READ),
                       &event);
        if (event.stream == stream && !found++)
            *first = event;
    }
    return found;
}

void smmuman_report(const struct vm *vm, enum log_severity severity)
{
    struct board *b = vm->board;
    for (size_t i = 0; b->smmuman && i < b->config->device_count; i++) {
        const struct board_device *d = &b->config->devices[i];
        struct smmu_event first;
        char text[160];
        unsigned found =
            is_its(vm, i) ? recorded(b, unit_of(b->smmuman, d->stream), d->stream, &first) : 0;
        if (!found)
            continue;
        smmu_event_text(&first, text, sizeof text);
        log_write(&vm->log, severity,
                  "smmuman: %u %s of the device at %#" PRIx64 ", stream %" PRIu32
                  ", %s recorded as refused; the first: %s",
                  found, text_plural(found, "access", "accesses"), d->start, d->stream,
                  found == 1 ? "is" : "are", text);
    }
}

/* State -------------------------------------------------------------------------------------------
 */

void smmuman_visit(struct board *b, struct state *s)
{
    for (size_t i = 0; b->smmuman && i < b->smmuman->count; i++) {
        struct vdev *v = b->smmuman->units[i].v;
        state_part(s, "smmu %s", v->name);
        state_fields(s, v->type->fields, v);
    }
}

void smmuman_restored(struct board *b)
{
    for (size_t i = 0; b->smmuman && i < b->smmuman->count; i++)
        b->smmuman->units[i].v->type->restored(b->smmuman->units[i].v);
}

/* Questions ---------------------------------------------------------------------------------------
 */

const struct vdev *smmuman_smmu(const struct board *b, size_t i)
{
    return b->smmuman && i < b->smmuman->count ? b->smmuman->units[i].v : NULL;
}
