/* The arm64 Image (Documentation/arch/arm64/booting in Linux). */
#include "cpu/arm64/arm64_vcpu.h"
#include "hv/arm64/vm_arm64.h"
#include "hv/board.h"
#include "hv/images/image.h"

#define BOUNDARY        0x200000
#define BEFORE_ITS_SIZE 0x80000 /* text_offset before Linux 3.17, which has no image_size */

/* Bits 1 and 2 of the flags: 0 does not say. */
static bool has_granule(struct vm *vm, const struct load_config *load, uint64_t flags,
                        struct error *e)
{
    unsigned kib = (unsigned[]){0, 4, 16, 64}[flags >> 1 & 3];
    if (!kib || arm64_has_granule(arm64_of(vm->vcpus[0]), kib))
        return true;
    return error_at(e, load->place.file, load->place.line,
                    "'%s': the kernel has pages of %u KiB, which cpu-model %s has not (set "
                    "cpu-model)",
                    load->path, kib, vm->config->cpu_model);
}

/* text_offset at 8, image_size at 16, the flags at 24. */
static bool read_header(struct vm *vm, const struct load_config *load, const struct bytes *f,
                        struct image_layout *layout, struct error *e)
{
    uint64_t size = load_le(f->data + 16, 8);
    *layout = (struct image_layout){
        .size = size,
        .offset = size ? load_le(f->data + 8, 8) : BEFORE_ITS_SIZE,
        .boundary = BOUNDARY,
    };
    return has_granule(vm, load, load_le(f->data + 24, 8), e);
}

const struct image_format arm64_image = {
    .header_size = 64,
    .at = 0x38,
    .magic = "ARM\x64",
    .magic_size = 4,
    .read = read_header,
};
