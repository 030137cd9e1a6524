/* smmuman: what contains the DMA of devices that guests have of the board. It programs the board's
 * SMMUs as any driver does, by registers, tables and commands in the board's memory: the stream of
 * a device that is passed to a VM goes through tables of that VM's memory, all of it and nothing
 * else; every other stream has no valid STE, and reaches nothing.
 *
 * A VM that has a `vdev smmu` may ask for less than that (hv/smmuman_client.c), and the board's
 * configuration may give a device more of what its VM has (hv/smmuman_reach.c). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/machine.h"
#include "hv/smmuman_internal.h"

enum { STREAM_BITS_MAX = 15 };

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
static void enable(struct smmuman_unit *u)
{
    smmuman_units_put(u, SMMU_STRTAB_BASE, u->streams.v, 8);
    smmuman_units_put(u, SMMU_STRTAB_BASE_CFG, stream_bits(u->config), 4);
    smmuman_units_put(u, SMMU_CMDQ_BASE, u->commands.v | SMMUMAN_COMMAND_BITS, 8);
    smmuman_units_put(u, SMMU_EVENTQ_BASE, u->events.v | SMMUMAN_EVENT_BITS, 8);
    smmuman_units_put(u, SMMU_CR0, CR0_CMDQEN | CR0_EVENTQEN, 4);
    smmuman_units_put(u, SMMU_CR0, CR0_CMDQEN | CR0_EVENTQEN | CR0_SMMUEN, 4);
}

static bool add_unit(struct board *b, struct dma_port space, const struct board_smmu *c,
                     struct error *e)
{
    struct smmuman_unit *u = &b->smmuman->units[b->smmuman->count++];
    u->board = b;
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
    if (!vdev_create(u->v, e) ||
        !take(b, (uint64_t)SMMUMAN_STE_SIZE << stream_bits(c), &u->streams, e) ||
        !take(b, PAGE_SIZE, &u->commands, e) || !take(b, PAGE_SIZE, &u->events, e))
        return false;
    enable(u);
    if (!b->smmuman->records_stay)
        smmuman_records_watch(u);
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
    b->smmuman->records_stay = b->options.quirks & QUIRK_RECORDS_STAY;
    for (size_t i = 0; i < b->config->smmu_count; i++)
        if (!add_unit(b, space, &b->config->smmus[i], e))
            return error_exit_status(e, STATUS_NOT_STARTED);
    return true;
}

void smmuman_free(struct board *b)
{
    for (size_t i = 0; b->smmuman && i < BOARD_VMS_MAX; i++)
        guest_tables_free(b->smmuman->of_vm[i]);
    for (size_t i = 0; b->smmuman && i < BOARD_DEVICES_MAX; i++)
        guest_tables_free(b->smmuman->groups[i].tables);
    for (size_t i = 0; b->smmuman && i < b->smmuman->count; i++)
        free(b->smmuman->units[i].v);
    free(b->smmuman);
}

/* Tables ------------------------------------------------------------------------------------------
 */

struct filling {
    struct guest_tables *tables;
    struct memory *memory;
    struct error *e;
};

static bool map_piece(void *context, const struct smmuman_piece *p)
{
    const struct filling *f = context;
    return guest_tables_map(f->tables, f->memory, p->from, p->to, p->size, p->permits, f->e);
}

/* A page of each 2 MiB, and away again: its table stays, and all that a client maps later has the
 * tables that it needs. */
static bool prepare_piece(void *context, const struct smmuman_piece *p)
{
    const struct filling *f = context;
    const uint64_t block = (uint64_t)2 << 20;
    for (uint64_t done = 0; done < p->size; done += block - ((p->from.v + done) & (block - 1))) {
        gpa_t at = gpa(p->from.v + done);
        if (!guest_tables_map(f->tables, f->memory, at, hpa(p->to.v + done), PAGE_SIZE, PERMIT_R,
                              f->e) ||
            !guest_tables_unmap(f->tables, f->memory, at, PAGE_SIZE, f->e))
            return false;
    }
    return true;
}

static bool for_all(struct vm *vm, size_t group, struct guest_tables *tables, smmuman_each *each,
                    struct error *e)
{
    struct filling f = {tables, &vm->board->memory, e};
    const uint64_t size = (uint64_t)1 << vm->ipa_bits;
    if (!guest_tables_are_sound(tables, f.memory, gpa(0), size))
        return error_set(e, "the tables of stream %" PRIu32 " are damaged",
                         vm->board->config->devices[group].stream);
    return smmuman_reach_each(vm, group, gpa(0), size, each, &f) ||
           (!e->text[0] && error_set(e, "stage 2 has not all of its memory"));
}

static struct guest_tables *new_tables(struct vm *vm, struct error *e)
{
    return guest_tables_new(vm->arch->cpu->tables, &vm->board->memory, vm->ipa_bits, e);
}

/* Made once: memory of a VM stays where it is when it starts again. */
static bool make_tables_of_vm(struct vm *vm, size_t group, struct error *e)
{
    struct guest_tables **tables = &vm->board->smmuman->of_vm[vm->number];
    if (*tables)
        return true;
    *tables = new_tables(vm, e);
    return *tables && for_all(vm, group, *tables, map_piece, e);
}

/* Made once, too. Whatever a client made of them is all that the VM may give, again. */
static bool make_tables_of_group(struct vm *vm, size_t group, struct error *e)
{
    struct guest_tables **tables = &vm->board->smmuman->groups[group].tables;
    bool is_new = !*tables;
    if (is_new)
        *tables = new_tables(vm, e);
    if (!*tables)
        return false;
    if (is_new && smmuman_units_has_client(vm) && !for_all(vm, group, *tables, prepare_piece, e))
        return false;
    return for_all(vm, group, *tables, map_piece, e);
}

/* Containing --------------------------------------------------------------------------------------
 */

bool smmuman_contain(struct vm *vm, struct vdev *v, size_t device, struct error *e)
{
    struct board *b = vm->board;
    size_t group = smmuman_units_group(b, device);
    uint32_t stream = b->config->devices[device].stream;
    struct smmuman_unit *u = smmuman_units_of(b->smmuman, stream);
    bool has_own = smmuman_units_has_client(vm) || smmuman_reach_is_wider(vm, group);
    CHECK(u); /* smmuman_units_know it */
    if (!(has_own ? make_tables_of_group(vm, group, e) : make_tables_of_vm(vm, group, e)))
        return error_exit_status(e, STATUS_NOT_STARTED);
    smmuman_units_use_tables(vm, group);
    b->smmuman->groups[group].reach = REACHES_VM;
    v->dma = u->v->type->stream_port(u->v, stream, DMA_NO_SUBSTREAM);
    v->is_translated = true;
    return true;
}

void smmuman_leave(struct vm *vm, struct vdev *v, size_t device)
{
    struct board *b = vm->board;
    b->smmuman->groups[smmuman_units_group(b, device)].reach = REACHES_EVERYTHING;
    v->dma = board_dma_port(b);
}

/* State -------------------------------------------------------------------------------------------
 */

static void visit_groups(struct board *b, struct state *s)
{
    for (size_t i = 0; i < b->config->device_count; i++) {
        struct smmuman_group *g = &b->smmuman->groups[i];
        if (!b->config->devices[i].dma || smmuman_units_group(b, i) != i)
            continue;
        state_part(s, "smmuman, device at %#" PRIx64, b->config->devices[i].start);
        g->reach =
            (enum smmuman_reach)state_up_to(s, "what it reaches", g->reach, 1, REACHES_OBJECT);
        smmuman_records_visit(g, s);
    }
    for (size_t i = 0; i < b->vm_count; i++)
        if (smmuman_units_has_client(b->vms[i]))
            smmuman_client_visit(b->vms[i], s);
}

/* Its commands are consumed at once as long as it is what enable() left. */
static bool takes_commands(struct smmuman_unit *u)
{
    uint64_t base = (uint64_t)smmuman_units_get(u, SMMU_CMDQ_BASE + 4) << 32;
    return (base | smmuman_units_get(u, SMMU_CMDQ_BASE)) ==
               (u->commands.v | SMMUMAN_COMMAND_BITS) &&
           smmuman_units_get(u, SMMU_CR0) == (CR0_CMDQEN | CR0_EVENTQEN | CR0_SMMUEN) &&
           smmuman_units_get(u, SMMU_GERROR) == smmuman_units_get(u, SMMU_GERRORN) &&
           smmuman_units_get(u, SMMU_CMDQ_PROD) == smmuman_units_get(u, SMMU_CMDQ_CONS);
}

void smmuman_visit(struct board *b, struct state *s)
{
    for (size_t i = 0; b->smmuman && i < b->smmuman->count; i++) {
        struct vdev *v = b->smmuman->units[i].v;
        state_part(s, "smmu %s", v->name);
        state_fields(s, v->type->fields, v);
        if (state_restores(s) && !takes_commands(&b->smmuman->units[i]))
            state_refuse(s, "how it takes commands");
    }
    if (b->smmuman && !b->smmuman->records_stay)
        visit_groups(b, s);
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
