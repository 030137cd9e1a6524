#include "hv/chaos.h"

#include "hv/hv_internal.h"

/* Drawing -----------------------------------------------------------------------------------------
 */

enum purpose { PURPOSE_SPELL = 1, PURPOSE_QUANTUM, PURPOSE_LATENCY };

/* Turns of a spell are shorter than 2^11 to 2^18 instructions. Were they shorter, an operating
 * system would take minutes to boot; longer ones are the schedule without chaos. */
#define SPELL_BOUND_MIN   10
#define SPELL_BOUND_COUNT 8
#define LATENCY_BOUND     12

/* A bijection whose every output bit depends on every input bit: the finaliser of MurmurHash3. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static uint64_t draw(const struct chaos *c, enum purpose purpose, uint64_t whom, uint64_t when)
{
    uint64_t x = mix(c->seed + UINT64_C(0x9e3779b97f4a7c15));
    x = mix(x ^ ((uint64_t)purpose << 32 | whom));
    return mix(x + when);
}

/* Every order of magnitude up to the bound is as likely as any other: 2^k + anything below 2^k. */
static uint64_t length_of(uint64_t random, unsigned bound)
{
    unsigned k = (unsigned)(random >> 32) % (bound + 1);
    return ((uint64_t)1 << k) + (random & (((uint64_t)1 << k) - 1));
}

uint64_t chaos_quantum(const struct chaos *c, uint32_t turn, bool others_wait, uint64_t ticks)
{
    if (!others_wait)
        return CHAOS_ALONE_INSTRUCTIONS;
    uint64_t spell = draw(c, PURPOSE_SPELL, 0, ticks / CHAOS_SPELL_TICKS);
    unsigned bound = SPELL_BOUND_MIN + (unsigned)(spell % SPELL_BOUND_COUNT);
    return length_of(draw(c, PURPOSE_QUANTUM, turn, ticks), bound);
}

uint64_t chaos_latency(const struct chaos *c, uint32_t vm, uint32_t vcpu, uint64_t ticks)
{
    return length_of(draw(c, PURPOSE_LATENCY, vm << 8 | vcpu, ticks), LATENCY_BOUND);
}

/* Interrupts on their way -------------------------------------------------------------------------
 */

/* Of this very instruction: the board's own count is that of the last stop. */
static uint64_t instructions_now(const struct board *b)
{
    return engine_executed(b->engine);
}

static uint64_t ticks_now(const struct board *b)
{
    return instructions_now(b) + b->vtime.idle_ticks;
}

static void deliver(void *context, uint64_t due_ticks)
{
    struct chaos_delay *d = context;
    (void)due_ticks;
    deliver_interrupts(d->vm, d->vcpu, d->irq, d->fiq);
}

void chaos_signal(struct vm *vm, unsigned vcpu, bool irq, bool fiq)
{
    struct board *b = vm->board;
    struct chaos_delay *d = &vm->delays[vcpu];
    const struct vcpu *v = vm->vcpus[vcpu];
    d->irq = irq;
    d->fiq = fiq;
    deliver_interrupts(vm, vcpu, v->irq && irq, v->fiq && fiq);
    bool more = (irq && !v->irq) || (fiq && !v->fiq);
    if (!more || d->event.when_ticks != EVENT_NEVER)
        return;
    uint64_t now = ticks_now(b);
    event_at(&b->events, &d->event, now + chaos_latency(&b->options.chaos, vm->number, vcpu, now));
    engine_stop_soon(b->engine);
}

void chaos_woken(struct board *b)
{
    if (!b->options.chaos.on)
        return;
    uint64_t quantum = chaos_quantum(&b->options.chaos, b->schedule.current, true, ticks_now(b));
    schedule_shorten(&b->schedule, instructions_now(b) + quantum);
}

void chaos_start(struct board *b, uint64_t seed)
{
    bool was_on = b->vms[0]->delays[0].vm != NULL;
    b->options.chaos = (struct chaos){.on = true, .seed = seed};
    /* A quantum that ended while nobody waited: under chaos it ends in any case. */
    if (b->schedule.quantum_end <= b->vtime.instructions)
        b->schedule.current_is_over = true;
    for (size_t i = 0; i < b->vm_count && !was_on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            struct chaos_delay *d = &b->vms[i]->delays[k];
            const struct vcpu *v = b->vms[i]->vcpus[k];
            *d = (struct chaos_delay){.vm = b->vms[i], .vcpu = k, .irq = v->irq, .fiq = v->fiq};
            d->event = (struct event){.name = "late interrupt", .fire = deliver, .context = d};
            event_add(&b->events, &d->event);
        }
}

void chaos_forget(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count && vm->board->options.chaos.on; i++) {
        vm->delays[i].irq = vm->delays[i].fiq = false;
        event_at(&vm->board->events, &vm->delays[i].event, EVENT_NEVER);
    }
}

/* State -------------------------------------------------------------------------------------------
 */

void chaos_save(const struct board *b, struct bytes *out)
{
    for (size_t i = 0; i < b->vm_count && b->options.chaos.on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            const struct chaos_delay *d = &b->vms[i]->delays[k];
            bytes_put_int(out, d->irq, 1);
            bytes_put_int(out, d->fiq, 1);
            bytes_put_int(out, b->vms[i]->vcpus[k]->irq, 1);
            bytes_put_int(out, b->vms[i]->vcpus[k]->fiq, 1);
            bytes_put_int(out, d->event.when_ticks, 8);
        }
}

bool chaos_restore(struct board *b, struct reader *in)
{
    for (size_t i = 0; i < b->vm_count && b->options.chaos.on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            struct chaos_delay *d = &b->vms[i]->delays[k];
            d->irq = reader_bool(in, "a delayed interrupt");
            d->fiq = reader_bool(in, "a delayed interrupt");
            bool irq = reader_bool(in, "an interrupt line"),
                 fiq = reader_bool(in, "an interrupt line");
            vcpu_set_interrupts(b->vms[i]->vcpus[k], irq, fiq);
            event_at(&b->events, &d->event, reader_int(in, 8));
        }
    return !in->failed;
}
