/* What the devices of a stream may reach at most: the RAM and the ROM of their VM, as its own
 * tables have it; and of what smmuman's configuration lets them reach, or says that they need, what
 * the VM has by `pass`. Nothing is reached that the VM itself does not reach. */
#include <string.h>

#include "hv/smmuman_internal.h"

struct range {
    uint64_t start, length;
};

static bool meet(struct range a, struct range b, struct range *both)
{
    uint64_t a_end = a.start + a.length, b_end = b.start + b.length; /* below 2^49 */
    both->start = a.start > b.start ? a.start : b.start;
    uint64_t end = a_end < b_end ? a_end : b_end;
    both->length = end > both->start ? end - both->start : 0;
    return both->length;
}

/* Memory --------------------------------------------------------------------------------------
 */

/* Its leaves, one by one: pages that lie together are one piece. */
static bool each_of_memory(struct vm *vm, const struct ram_config *ram, struct range r,
                           smmuman_each *each, void *context)
{
    struct guest_page leaf;
    for (uint64_t done = 0, part; done < r.length; done += part) {
        gpa_t at = gpa(r.start + done);
        if (!guest_tables_find(vm->tables, &vm->board->memory, at, &leaf))
            return false;
        uint64_t rest = leaf.size - (at.v & (leaf.size - 1));
        part = rest < r.length - done ? rest : r.length - done;
        const struct smmuman_piece piece = {at, leaf.page, part,
                                            PERMIT_R | (ram->is_rom ? 0u : (unsigned)PERMIT_W)};
        if (!each(context, &piece))
            return false;
    }
    return true;
}

/* Passed ranges ---------------------------------------------------------------------------------
 */

/* A range of the board that the configuration names, where the VM has it. */
static bool each_of_grant(struct vm *vm, const struct smmuman_range *grant, struct range wanted,
                          smmuman_each *each, void *context)
{
    for (size_t i = 0; i < vm->config->pass_count; i++) {
        const struct pass_config *pass = &vm->config->passes[i];
        struct range host, guest;
        if (!meet((struct range){grant->start, grant->length},
                  (struct range){pass->host, pass->length}, &host) ||
            !meet((struct range){pass->guest + (host.start - pass->host), host.length}, wanted,
                  &guest))
            continue;
        unsigned may = (pass->r ? (unsigned)PERMIT_R : 0) | (pass->w ? (unsigned)PERMIT_W : 0);
        const struct smmuman_piece piece = {gpa(guest.start),
                                            hpa(pass->host + (guest.start - pass->guest)),
                                            guest.length, may & grant->permits};
        if (piece.permits && !each(context, &piece))
            return false;
    }
    return true;
}

static bool is_in_group(const struct board *b, size_t group, const struct smmuman_device *d)
{
    for (size_t i = 0; i < b->config->device_count; i++) {
        const struct board_device *device = &b->config->devices[i];
        if (device->dma && device->start == d->start && device->length == d->length &&
            smmuman_units_group(b, i) == group)
            return true;
    }
    return false;
}

static bool each_of_sets(struct vm *vm, size_t group, struct range wanted, smmuman_each *each,
                         void *context)
{
    const struct smmuman_config *c = &vm->board->config->smmuman;
    for (size_t i = 0; i < c->device_count; i++)
        for (size_t k = 0; k < c->allow_count; k++)
            if (is_in_group(vm->board, group, &c->devices[i]) &&
                strcmp(c->allows[k].name, c->devices[i].name) == 0 &&
                !each_of_grant(vm, &c->allows[k], wanted, each, context))
                return false;
    return true;
}

static bool each_of_reserved(struct vm *vm, size_t group, struct range wanted, smmuman_each *each,
                             void *context)
{
    const struct smmuman_config *c = &vm->board->config->smmuman;
    for (size_t i = 0; i < c->reserved_count; i++)
        if (is_in_group(vm->board, group, &c->reserved[i].device) &&
            !each_of_grant(vm, &c->reserved[i].range, wanted, each, context))
            return false;
    return true;
}

/* ----------------------------------------------------------------------------------------------
 */

bool smmuman_reach_each(struct vm *vm, size_t group, gpa_t from, uint64_t size, smmuman_each *each,
                        void *context)
{
    struct range wanted = {from.v, size}, part;
    for (size_t i = 0; i < vm->config->ram_count; i++) {
        const struct ram_config *ram = &vm->config->rams[i];
        if (meet(wanted, (struct range){ram->start, ram->length}, &part) &&
            !each_of_memory(vm, ram, part, each, context))
            return false;
    }
    return each_of_sets(vm, group, wanted, each, context) &&
           each_of_reserved(vm, group, wanted, each, context);
}

bool smmuman_reach_reserved(struct vm *vm, size_t group, smmuman_each *each, void *context)
{
    struct range all = {0, (uint64_t)1 << vm->ipa_bits};
    return each_of_reserved(vm, group, all, each, context);
}

static bool is_nothing(void *context, const struct smmuman_piece *piece)
{
    (void)context;
    (void)piece;
    return false;
}

bool smmuman_reach_is_wider(struct vm *vm, size_t group)
{
    struct range all = {0, (uint64_t)1 << vm->ipa_bits};
    return !each_of_sets(vm, group, all, is_nothing, NULL) ||
           !each_of_reserved(vm, group, all, is_nothing, NULL);
}
