/* `stream`, when all vdevs are known: who translates whose DMA. */
#include "hv/config/config_internal.h"

#include <string.h>

/* The one that is called so; with several, which only those without a name can be, the first. */
static bool find_smmu(const struct vm_config *c, struct vdev_config *vdev)
{
    for (size_t i = 0; i < c->vdev_count; i++)
        if (c->vdevs[i].type->stream_port && !strcmp(config_vdev_name(&c->vdevs[i]), vdev->smmu)) {
            vdev->smmu_index = i;
            return true;
        }
    return false;
}

static bool refuse_smmu(struct parser *p, const struct vdev_config *vdev)
{
    const struct vm_config *c = p->config;
    struct nearest nearest = nearest_to(vdev->smmu);
    char suggestion[NEAREST_TEXT];
    for (size_t i = 0; i < c->vdev_count; i++)
        if (c->vdevs[i].type->stream_port)
            nearest_try(&nearest, config_vdev_name(&c->vdevs[i]));
    errors_add(p->errors, vdev->stream_place, "stream: no vdev '%s' that translates DMA%s",
               vdev->smmu, nearest_text(&nearest, suggestion));
    return false;
}

static bool check_stream(struct parser *p, struct vdev_config *vdev)
{
    if (!vdev->type->masters || vdev->type->stream_port) {
        errors_add(p->errors, vdev->stream_place, "vdev %s has no stream: %s", vdev->type->name,
                   vdev->type->masters ? "it is an SMMU itself" : "it does no DMA");
        return false;
    }
    if (!find_smmu(p->config, vdev))
        return refuse_smmu(p, vdev);
    unsigned bits = p->config->vdevs[vdev->smmu_index].type->stream_bits;
    if (bits < 32 && vdev->stream >> bits) {
        errors_add(p->errors, vdev->stream_place, "stream %u: '%s' has streams 0 to %u",
                   (unsigned)vdev->stream, vdev->smmu, (1u << bits) - 1);
        return false;
    }
    return true;
}

void parser_check_streams(struct parser *p)
{
    struct vm_config *c = p->config;
    for (size_t i = 0; i < c->vdev_count; i++) {
        struct vdev_config *b = &c->vdevs[i];
        b->has_stream = b->has_stream && check_stream(p, b);
        for (size_t j = 0; j < i && b->has_stream; j++) {
            const struct vdev_config *a = &c->vdevs[j];
            if (a->has_stream && a->smmu_index == b->smmu_index && a->stream == b->stream)
                errors_add(p->errors, b->stream_place,
                           "stream %u of '%s' belongs to vdev %s already [%s:%u]",
                           (unsigned)b->stream, b->smmu, a->type->name, a->place.file,
                           a->place.line);
        }
    }
}
