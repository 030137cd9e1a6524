#include "hv/explain/guest_place.h"

#include <inttypes.h>

#include "emu/text.h"
#include "hv/config/config_text.h"

static void find_ram(const struct vm *vm, gpa_t at, struct guest_place *p)
{
    for (size_t i = 0; i < vm->config->ram_count; i++) {
        const struct ram_config *ram = &vm->config->rams[i];
        if (at.v < ram->start || at.v - ram->start >= ram->length)
            continue;
        p->kind = ram->is_rom ? PLACE_ROM : PLACE_RAM;
        p->offset = at.v - ram->start;
    }
}

void guest_place_find(struct vm *vm, gpa_t at, bool is_mapped, struct guest_place *p)
{
    const struct bus_region *region = bus_find(&vm->bus, at);
    *p = (struct guest_place){.kind = is_mapped ? PLACE_SHARED : PLACE_NOTHING};
    if (!region) {
        find_ram(vm, at, p);
        return;
    }
    p->kind = is_mapped ? PLACE_DEVICE : PLACE_VDEV;
    p->device = region->vdev->name;
    p->offset = at.v - region->base;
}

static const char *name_of(enum guest_place_kind kind)
{
    static const char *const names[] = {
        [PLACE_NOTHING] = "nothing", [PLACE_RAM] = "RAM",       [PLACE_ROM] = "ROM",
        [PLACE_VDEV] = "vdev",       [PLACE_DEVICE] = "device", [PLACE_SHARED] = "shared memory",
    };
    return names[kind];
}

void guest_place_text(const struct vm *vm, const struct guest_place *p, struct bytes *out)
{
    switch (p->kind) {
    case PLACE_NOTHING:
        text_put(out, "nothing: unsupported reference %s\n",
                 config_text_action(vm->config->unsupported_reference));
        break;
    case PLACE_RAM:
    case PLACE_ROM:
        text_put(out, "%s, offset 0x%" PRIx64 "\n", name_of(p->kind), p->offset);
        break;
    case PLACE_VDEV:
    case PLACE_DEVICE:
        text_put(out, "%s %s, offset 0x%" PRIx64 "\n",
                 p->kind == PLACE_VDEV ? "vdev" : "the board's device", p->device, p->offset);
        break;
    case PLACE_SHARED:
        text_put(out, "shared memory\n");
        break;
    }
}

void guest_place_json(const struct guest_place *p, struct json *j)
{
    json_string(j, "place", name_of(p->kind));
    if (p->device)
        json_string(j, "device", p->device);
    json_number(j, "offset", p->offset);
}
