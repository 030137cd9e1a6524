/* The port of a device that masters for its VM: behind it is the VM's guest-physical space. An iova
 * is a guest-physical address, and goes through stage 2 as a vCPU's access does: a device is as
 * little allowed to write ROM, or to read what is for writing only, as the guest is. */

#include "hv/exitlog/exit_log.h"
#include "hv/hv_internal.h"

static bool refuse(struct dma_fault *fault, enum dma_fault_kind kind, gpa_t at, const char *where)
{
    fault->kind = kind;
    fault->at = (iova_t){at.v};
    fault->where = where;
    return false;
}

static bool translate(struct vm *vm, gpa_t at, enum dma_kind kind, struct guest_page *leaf,
                      struct dma_fault *fault)
{
    unsigned permit = kind == DMA_WRITE ? PERMIT_W : PERMIT_R;
    if (!guest_tables_find(vm->tables, &vm->board->memory, at, leaf))
        return refuse(fault, DMA_FAULT_TRANSLATION, at, "stage 2");
    return leaf->permits & permit || refuse(fault, DMA_FAULT_PERMISSION, at, "stage 2");
}

/* Bytes from `at` that its leaf maps, at most `size`. */
static uint64_t in_leaf(gpa_t at, uint64_t size, const struct guest_page *leaf)
{
    uint64_t rest = leaf->size - (at.v & (leaf->size - 1));
    return rest < size ? rest : size;
}

static bool is_permitted(struct vm *vm, gpa_t at, uint64_t size, enum dma_kind kind,
                         struct dma_fault *fault)
{
    struct guest_page leaf;
    for (uint64_t done = 0; done < size; done += in_leaf(gpa(at.v + done), size - done, &leaf))
        if (!translate(vm, gpa(at.v + done), kind, &leaf, fault))
            return false;
    return true;
}

/* Mapping -----------------------------------------------------------------------------------------
 */

static bool span_at(struct vm *vm, gpa_t at, uint64_t size, enum dma_kind kind,
                    struct dma_span *span, struct dma_fault *fault)
{
    struct guest_page leaf;
    if (!translate(vm, at, kind, &leaf, fault))
        return false;
    hpa_t place = hpa(leaf.page.v + (at.v & PAGE_MASK));
    span->place = place.v;
    span->size = in_leaf(at, size, &leaf);
    span->host = memory_at(&vm->board->memory, place, span->size, MEMORY_READ);
    return span->host || refuse(fault, DMA_FAULT_BUS, at, "the board");
}

/* Guest-physical neighbours are one span if they are neighbours in a bank of the board. */
static bool extends(struct memory *m, const struct dma_span *span, const struct dma_span *next)
{
    return span->place + span->size == next->place &&
           memory_at(m, hpa(span->place), span->size + next->size, MEMORY_READ);
}

/* What the guest put into memory is in the exit log, one entry for each read: a board that writes,
 * expects or plays one sees them all. */
static size_t guest_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                        struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    struct vm *vm = p->context;
    struct dma_span next;
    size_t count = 0;
    if (kind == DMA_READ && vm->board->options.exit_log)
        return 0;
    for (uint64_t done = 0; done < size; done += next.size) {
        if (!span_at(vm, gpa(at.v + done), size - done, kind, &next, fault))
            return 0;
        if (count && count <= room && extends(&vm->board->memory, &spans[count - 1], &next))
            spans[count - 1].size += next.size;
        else if (count < room)
            spans[count++] = next;
        else
            count = room + 1; /* the rest is looked at, and not given */
    }
    return count < room ? count : room;
}

/* Transfers ---------------------------------------------------------------------------------------
 */

static bool guest_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                       struct dma_fault *fault)
{
    struct vm *vm = p->context;
    gpa_t at = gpa(from.v);
    if (!vm->board->options.exit_log)
        return dma_read_by_map(p, from, to, size, fault);
    return is_permitted(vm, at, size, DMA_READ, fault) &&
           (exit_log_read_gpa(vm, at, to, size) || refuse(fault, DMA_FAULT_BUS, at, "the board"));
}

/* As on hardware, a message is a write like any other: to the frame of the interrupt controller. */
static bool send_message(struct vm *vm, iova_t to, const void *from, uint64_t size)
{
    const struct bus_region *region = size == 4 ? bus_find(&vm->bus, gpa(to.v)) : NULL;
    if (!region || !vm->pic || region->vdev != &vm->pic->v ||
        !pic_is_message_frame(vm->pic, region->index))
        return false;
    struct bus_access a = {.size = 4, .is_write = true, .value = load_le32(from)};
    return bus_access(&vm->bus, gpa(to.v), &a) == BUS_HANDLED;
}

/* Registers of a device of the board may follow the guest's memory: what lies before them is
 * written. */
static bool guest_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                        struct dma_fault *fault)
{
    struct vm *vm = p->context;
    struct dma_fault ignored;
    if (dma_write_by_map(p, to, from, size, fault))
        return true;
    if (fault->kind == DMA_FAULT_TRANSLATION && send_message(vm, to, from, size))
        return true;
    if (fault->kind == DMA_FAULT_BUS && is_permitted(vm, gpa(to.v), size, DMA_WRITE, &ignored))
        vm_write(vm, gpa(to.v), from, size);
    return false;
}

static void guest_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    struct vm *vm = p->context;
    CHECK(memory_at(&vm->board->memory, hpa(place), size, MEMORY_WRITE));
}

static void guest_changed(const struct dma_port *p)
{
    guest_dma_changed(p->context);
}

struct dma_port guest_dma_port(struct vm *vm, unsigned channel)
{
    return (struct dma_port){
        .read = guest_read,
        .write = guest_write,
        .map = guest_map,
        .before_write = guest_before_write,
        .changed = guest_changed,
        .generation = &vm->dma_generation,
        .stream = channel,
        .substream = DMA_NO_SUBSTREAM,
        .context = vm,
    };
}

void guest_dma_changed(struct vm *vm)
{
    vm->dma_generation++;
}
