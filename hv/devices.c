/* A VM's devices: made in the order of its configuration, the interrupt controller first, and freed
 * in reverse. */
#include <stdio.h>
#include <stdlib.h>

#include "emu/check.h"
#include "hv/hv_internal.h"

static void make_room_for_input(struct pending_input *p, const struct vdev_type *type)
{
    if (!p->data)
        p->data = malloc(type->frame ? PENDING_FRAMES_MAX : PENDING_INPUT_MAX);
    CHECK_ROOM(p->data);
}

/* Its numbers in the VM, and what waits for each. */
static bool make_ports(struct vm *vm, struct vdev *v, const struct place *place, struct error *e)
{
    unsigned count = vdev_port_count(v);
    v->channel = (unsigned)vm->vdev_count;
    v->more_channels = vm->channel_count;
    if (count - 1 > VM_CHANNEL_OF_CALLS - vm->channel_count)
        return error_at(e, place->file, place->line, "more than %d ports beside a device's first",
                        VM_CHANNEL_OF_CALLS - VM_VDEVS_MAX);
    vm->channel_count += count - 1;
    for (unsigned port = 0; port < count; port++)
        make_room_for_input(&vm->pending[vdev_channel(v, port)], v->type);
    return true;
}

static bool make_one(struct vm *vm, const struct vdev_config *c, struct error *e)
{
    if (vm->vdev_count == VM_VDEVS_MAX)
        return error_at(e, c->place.file, c->place.line, "more than %d vdevs", VM_VDEVS_MAX);
    const struct vdev_type *pic = vm->config->vdevs[0].type;
    if (c->has_intr && c->intr_line < pic->pic->first_shared)
        return error_at(e, c->place.file, c->place.line,
                        "vdev %s: line %u of the %s belongs to each vCPU; devices use %u and up",
                        c->type->name, c->intr_line, pic->name, pic->pic->first_shared);
    struct vdev *v = calloc(1, c->type->size);
    CHECK_ROOM(v);
    v->type = c->type;
    v->env = vdev_env_init(vm, vm->vdev_count, loggers_of_vdev(vm, vm->vdev_count, c));
    v->loc = c->loc;
    v->options = c->options;
    v->option_count = c->option_count;
    v->irq_line = c->intr_line;
    if (!make_ports(vm, v, &c->place, e)) {
        free(v);
        return false;
    }
    snprintf(v->name, sizeof v->name, "%s", config_vdev_name(c));
    if (c->type->masters)
        v->dma = guest_dma_port(vm, v->channel);
    v->store = stores_of(vm->board, c->options);
    if (c->has_intr && vm->pic)
        v->irq = inject_wire(vm, c->intr_line);
    vm->vdevs[vm->vdev_count++] = v;
    return vdev_create(v, e) && bus_add(&vm->bus, v, e);
}

static void signal_interrupts(void *context, unsigned vcpu, unsigned signals)
{
    struct vm *vm = context;
    if (!vm->vcpus[vcpu])
        return;
    if (vm->delays[vcpu].vm)
        chaos_signal(vm, vcpu, signals);
    else
        interrupts_deliver(vm, vcpu, signals);
}

/* Whoever is behind an SMMU masters through that, wherever in the configuration either is. */
static void put_behind_smmus(struct vm *vm)
{
    for (size_t i = 0; i < vm->config->vdev_count; i++) {
        const struct vdev_config *c = &vm->config->vdevs[i];
        if (!c->has_stream)
            continue;
        struct vdev *smmu = vm->vdevs[c->smmu_index];
        vm->vdevs[i]->dma = smmu->type->stream_port(smmu, c->stream, DMA_NO_SUBSTREAM);
        vm->vdevs[i]->is_translated = true;
    }
}

/* An SMMU's own port is behind those of its devices. */
static void watch_dma(struct vm *vm)
{
    vm->dma_watch = (struct dma_watch){.refused = event_dma_refused, .context = vm};
    for (size_t i = 0; i < vm->vdev_count; i++) {
        struct vdev *v = vm->vdevs[i];
        v->dma.watch = v->type->stream_port ? NULL : &vm->dma_watch;
        v->dma.master = v->channel;
    }
}

bool devices_make(struct vm *vm, struct error *e)
{
    for (size_t i = 0; i < vm->config->vdev_count; i++) {
        if (!make_one(vm, &vm->config->vdevs[i], e))
            return false;
        if (i > 0)
            continue;
        /* The first is the interrupt controller; the others' wires go to it. */
        vm->pic = pic_of(vm->vdevs[0]);
        pic_connect(vm->pic, (struct pic_outputs){.set = signal_interrupts, .context = vm});
        vm->world.pic_registers = pic_has_cpu_registers(vm->pic);
    }
    put_behind_smmus(vm);
    if (!pass_devices(vm, make_one, e))
        return false;
    watch_dma(vm);
    return true;
}

void devices_free(struct vm *vm)
{
    for (size_t i = vm->vdev_count; i-- > 0;) {
        if (vm->vdevs[i]->type->destroy)
            vm->vdevs[i]->type->destroy(vm->vdevs[i]);
        free(vm->vdevs[i]);
    }
    vm->vdev_count = 0;
    vm->channel_count = VM_VDEVS_MAX;
    vm->pic = NULL;
    bus_free(&vm->bus);
}
