#include "hv/explain/explain_stream.h"

#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "hv/explain/guest_place.h"
#include "mmu/guest_tables.h"

/* A stream of an SMMU of the VM. */
struct stream {
    const struct vdev *smmu;
    uint32_t number;
};

static bool is_number(const struct vm *vm, const char *who, struct stream *s)
{
    const char *colon = strrchr(who, ':');
    uint64_t number;
    if (!colon || !vdev_number(colon + 1, strlen(colon + 1), 10, &number) || number > UINT32_MAX)
        return false;
    for (size_t i = 0; i < vm->vdev_count; i++) {
        const struct vdev *v = vm->vdevs[i];
        if (v->type->explain_stream && strlen(v->name) == (size_t)(colon - who) &&
            !memcmp(v->name, who, strlen(v->name))) {
            *s = (struct stream){v, (uint32_t)number};
            return true;
        }
    }
    return false;
}

static bool find(const struct vm *vm, const char *who, struct stream *s)
{
    for (size_t i = 0; i < vm->config->vdev_count; i++) {
        const struct vdev_config *c = &vm->config->vdevs[i];
        if (!c->has_stream || strcmp(config_vdev_name(c), who) != 0)
            continue;
        *s = (struct stream){vm->vdevs[c->smmu_index], c->stream};
        return s->smmu->type->explain_stream;
    }
    return is_number(vm, who, s);
}

static bool read_guest(void *context, uint64_t at, void *to, size_t size)
{
    return vm_read(context, gpa(at), to, size);
}

static void put_place(struct vm *vm, uint64_t at, struct bytes *out)
{
    struct guest_page page;
    struct guest_place place;
    bool is_mapped = guest_tables_find(vm->tables, &vm->board->memory, gpa(at), &page);
    guest_place_find(vm, gpa(at), is_mapped, &place);
    text_put(out, "gpa 0x%" PRIx64 ": ", at);
    guest_place_text(vm, &place, out);
}

bool explain_stream(struct vm *vm, const char *who, uint32_t substream, iova_t at,
                    enum dma_kind kind, struct bytes *out, struct error *e)
{
    struct stream s;
    uint64_t leads_to = 0;
    if (!find(vm, who, &s))
        return error_set(e, "VM '%s' has no vdev '%s' with a stream", vm->name, who);
    text_put(out, "instruction %" PRIu64 ", vm %s\n", vm->board->vtime.instructions, vm->name);
    text_put(out, "%s of iova 0x%" PRIx64 ", stream %#x", kind == DMA_WRITE ? "write" : "read",
             at.v, (unsigned)s.number);
    if (substream != DMA_NO_SUBSTREAM)
        text_put(out, ", substream %#x", (unsigned)substream);
    text_put(out, "\n");
    const struct stream_question q = {s.number, substream, at, kind, read_guest, vm};
    if (s.smmu->type->explain_stream(s.smmu, &q, out, &leads_to))
        put_place(vm, leads_to, out);
    return true;
}
