/* Pass-through: memory and devices of the board given to a VM. Stage 2 maps the guest's addresses
 * to the board's, so accesses are no guest exits. Behind the registers is the board's device, the
 * same model that a virtual device of its type is; the VM that has it is the one that runs it. */
#include <inttypes.h>
#include <stdio.h>

#include "hv/hv_internal.h"

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b ? b - a < a_size : a - b < b_size;
}

static bool contains(uint64_t outer, uint64_t outer_size, uint64_t inner, uint64_t inner_size)
{
    return inner >= outer && range_inside(inner - outer, inner_size, outer_size);
}

static bool is_in_banks(const struct board_config *board, const struct pass_config *pass)
{
    for (size_t i = 0; i < board->bank_count; i++)
        if (overlaps(board->banks[i].start, board->banks[i].length, pass->host, pass->length))
            return true;
    return false;
}

/* Memory is the host's own unless the board sets it aside as a region. */
static bool is_set_aside(const struct board_config *board, const struct pass_config *pass)
{
    for (size_t i = 0; i < board->region_count; i++)
        if (contains(board->regions[i].start, board->regions[i].length, pass->host, pass->length))
            return true;
    return false;
}

static bool refuse(const struct pass_config *pass, struct error *e, const char *why)
{
    return error_at(e, pass->place.file, pass->place.line,
                    "pass of host addresses %#" PRIx64 " to %#" PRIx64 ": %s", pass->host,
                    pass->host + (pass->length - 1), why);
}

/* A slip, most likely: another board, or none, was meant. */
static void warn_of_nothing(struct vm *vm, const struct pass_config *pass)
{
    const struct board_config *board = vm->board->config;
    bool something = false;
    for (size_t i = 0; i < board->device_count; i++)
        something |=
            overlaps(board->devices[i].start, board->devices[i].length, pass->host, pass->length);
    for (size_t i = 0; i < board->region_count; i++)
        something |=
            overlaps(board->regions[i].start, board->regions[i].length, pass->host, pass->length);
    if (!something)
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "pass of host address %#" PRIx64 ": board %s has nothing there (--board FILE)",
                  pass->host, board->name);
}

/* What devices keep lies at addresses that the board has nothing at. */
static bool is_a_store(const struct memory *m, const struct pass_config *pass)
{
    for (size_t i = memory_ram_count(m); i < m->bank_count; i++)
        if (overlaps(m->banks[i].base.v, m->banks[i].size, pass->host, pass->length))
            return true;
    return false;
}

static bool map(struct vm *vm, const struct pass_config *pass, struct error *e)
{
    const struct board_config *board = vm->board->config;
    bool memory = is_in_banks(board, pass);
    if (board->smmuman.is_used && !pass->d && !pass->n)
        return refuse(
            pass, e, "with smmuman it says whether the devices there do DMA: attribute 'd' or 'n'");
    if (is_a_store(&vm->board->memory, pass))
        return refuse(pass, e, "that is where disks are kept, no address of the board");
    if (!memory)
        warn_of_nothing(vm, pass);
    if (memory && !is_set_aside(board, pass))
        return refuse(pass, e, "that is the host's own memory, no region of the board");
    unsigned attributes = (pass->r ? (unsigned)PERMIT_R : 0) | (pass->w ? (unsigned)PERMIT_W : 0) |
                          (pass->x ? (unsigned)PERMIT_X : 0) |
                          (memory ? 0 : (unsigned)GUEST_TABLES_DEVICE);
    return guest_tables_map(vm->tables, &vm->board->memory, gpa(pass->guest), hpa(pass->host),
                            pass->length, attributes, e) ||
           error_exit_status(e, STATUS_NOT_STARTED);
}

/* Devices -----------------------------------------------------------------------------------------
 */

/* Another VM's device of the same stream; NULL: there is none. An SMMU cannot tell them apart, so
 * each would reach what is the other's. */
static const struct vm *shares_stream(const struct vm *vm, size_t device)
{
    const struct board *b = vm->board;
    for (size_t i = 0; i < b->config->device_count && b->config->devices[device].dma; i++)
        if (b->config->devices[i].dma && b->device_owner[i] && b->device_owner[i] != vm &&
            smmuman_units_group(b, i) == smmuman_units_group(b, device))
            return b->device_owner[i];
    return NULL;
}

/* Does each of its addresses lead to the board's of the same number? */
static bool is_unity_mapped(struct vm *vm)
{
    struct memory_range r;
    struct guest_page leaf;
    size_t i = 0;
    for (; config_memory(vm->config, i, &r); i++)
        for (uint64_t done = 0; done < r.length; done += PAGE_SIZE)
            if (!guest_tables_find(vm->tables, &vm->board->memory, gpa(r.start + done), &leaf) ||
                leaf.page.v != r.start + done)
                return false;
    return i;
}

/* Why nothing contains the device; NULL: something does. */
static const char *is_not_contained(const struct board *b, const struct board_device *d)
{
    if (!d->dma)
        return NULL;
    if (!b->config->smmu_count)
        return "the device there does DMA, and the board has no SMMU to contain it";
    return smmuman_units_know(b, d) ? NULL
                                    : "the device there does DMA, and smmuman does not know it: no "
                                      "SMMU of the board has a stream of it";
}

/* Reference, rules for pass, 4: a guest whose addresses are the board's starts nevertheless. */
static bool is_excepted(struct vm *vm, const struct pass_config *pass, const char *why)
{
    if (!is_unity_mapped(vm))
        return false;
    log_write(&vm->log, LOG_SEVERITY_WARN,
              "[%s:%u] pass of host addresses %#" PRIx64 " to %#" PRIx64
              ": %s; VM %s is mapped one to one and starts all the same",
              pass->place.file, pass->place.line, pass->host, pass->host + (pass->length - 1), why,
              vm->name);
    return true;
}

/* Reference, rules for pass: DMA has to be contained, and the device must not be another's. */
static bool may_have(struct vm *vm, const struct pass_config *pass, size_t device, struct error *e)
{
    struct board *b = vm->board;
    const struct board_device *d = &b->config->devices[device];
    char why[200];
    if (b->device_owner[device] && b->device_owner[device] != vm) {
        snprintf(why, sizeof why, "the device there belongs to VM %s: VM %s cannot have it, too",
                 b->device_owner[device]->name, vm->name);
        return refuse(pass, e, why);
    }
    if (!contains(pass->host, pass->length, d->start, d->length)) {
        snprintf(why, sizeof why,
                 "of the device there, %#" PRIx64 " bytes at %#" PRIx64 ", it leaves a part out",
                 d->length, d->start);
        return refuse(pass, e, why);
    }
    if (d->dma && !pass->d)
        return refuse(pass, e, "the device there does DMA: attribute 'd' says that it may");
    if (!d->dma && pass->d)
        return refuse(pass, e, "the device there does no DMA: attribute 'n', not 'd'");
    const char *uncontained = is_not_contained(b, d);
    if (uncontained)
        return is_excepted(vm, pass, uncontained) || refuse(pass, e, uncontained);
    const struct vm *other = shares_stream(vm, device);
    if (other) {
        snprintf(why, sizeof why,
                 "the device there has stream %" PRIu32 ", as one has that belongs to VM %s: the "
                 "SMMU cannot tell them apart",
                 d->stream, other->name);
        return refuse(pass, e, why);
    }
    return true;
}

static const struct pass_intr_config *interrupt_of(const struct vm *vm,
                                                   const struct board_device *d)
{
    for (size_t i = 0; i < vm->config->pass_intr_count && d->has_intr; i++)
        if (vm->config->pass_intrs[i].host_vector == d->intr)
            return &vm->config->pass_intrs[i];
    return NULL;
}

/* The board's device as the guest sees it: at the guest's address, with the guest's interrupt. */
static bool run_device(struct vm *vm, const struct pass_config *pass, size_t device,
                       make_device *make, struct error *e)
{
    const struct board_device *d = &vm->board->config->devices[device];
    const struct pass_intr_config *intr = interrupt_of(vm, d);
    struct vdev_config c = {
        .place = d->place,
        .type = d->type,
        .name = d->name,
        .loc = pass->guest + (d->start - pass->host),
        .has_intr = intr != NULL,
        .intr_line = intr ? intr->line : 0,
        .options = d->options,
        .option_count = d->option_count,
    };
    if (!make(vm, &c, e))
        return false;
    struct vdev *v = vm->vdevs[vm->vdev_count - 1];
    if (!d->dma)
        return true;
    if (!is_not_contained(vm->board, d))
        return smmuman_contain(vm, v, device, e);
    smmuman_leave(vm, v, device);
    return true;
}

static bool give_devices(struct vm *vm, const struct pass_config *pass, make_device *make,
                         struct error *e)
{
    const struct board_config *board = vm->board->config;
    for (size_t i = 0; i < board->device_count; i++) {
        const struct board_device *d = &board->devices[i];
        if (!overlaps(d->start, d->length, pass->host, pass->length))
            continue;
        if (!may_have(vm, pass, i, e))
            return false;
        bool first = !vm->board->device_owner[i];
        vm->board->device_owner[i] = vm;
        if (d->type && first && !run_device(vm, pass, i, make, e))
            return false;
    }
    return true;
}

bool pass_map(struct vm *vm, struct error *e)
{
    for (size_t i = 0; i < vm->config->pass_count; i++)
        if (!map(vm, &vm->config->passes[i], e))
            return false;
    return true;
}

/* Each once, even if several `pass` reach it; a VM that starts again takes its own anew. */
bool pass_devices(struct vm *vm, make_device *make, struct error *e)
{
    smmuman_client_forget(vm);
    for (size_t i = 0; i < vm->board->config->device_count; i++)
        if (vm->board->device_owner[i] == vm)
            vm->board->device_owner[i] = NULL;
    for (size_t i = 0; i < vm->config->pass_count; i++)
        if (!give_devices(vm, &vm->config->passes[i], make, e))
            return false;
    return true;
}
