/* Assembly step 7: blobs into guest memory, the device tree, and vCPU 0's start. */
#include <string.h>

#include "hv/hv_internal.h"

#define FDT_ROOM 0x200000 /* the boot protocol wants it inside one 2 MiB block */

struct plan {
    bool has_entry;
    uint64_t entry;
    uint64_t end; /* first address behind the first image */
    struct fdt_inputs inputs;
};

static const struct ram_config *first_ram(const struct vm *vm)
{
    for (size_t i = 0; i < vm->config->ram_count; i++)
        if (!vm->config->rams[i].is_rom)
            return &vm->config->rams[i];
    return NULL;
}

/* The initial ramdisk goes to the end of the first RAM range, the device tree below it. */
static bool load_initrd(struct vm *vm, const struct load_config *load, const struct bytes *file,
                        struct plan *plan, struct error *e)
{
    const struct ram_config *ram = first_ram(vm);
    uint64_t size = (file->size + PAGE_MASK) & ~PAGE_MASK;
    if (!load->has_address && (!ram || size > ram->length))
        return error_at(e, load->place.file, load->place.line, "'%s' is larger than guest RAM",
                        load->path);
    uint64_t at = load->has_address ? load->address : ram->start + ram->length - size;
    if (at < plan->end && plan->has_entry && at + file->size > plan->entry)
        return error_at(e, load->place.file, load->place.line,
                        "'%s' does not fit into guest RAM beside the guest image", load->path);
    if (!vm_write(vm, gpa(at), file->data, file->size))
        return error_at(e, load->place.file, load->place.line,
                        "'%s' does not fit into guest memory", load->path);
    plan->inputs = (struct fdt_inputs){.initrd_start = at, .initrd_size = file->size};
    return true;
}

static bool load_one(struct vm *vm, const struct load_config *load, struct plan *plan,
                     struct error *e)
{
    struct bytes file = {0};
    struct loaded_image image = {0};
    bool ok = journal_pull(vm->board->journal, PULL_FILE, load->path, 0, &file, e);
    if (!ok) {
        struct error cause = *e;
        *e = (struct error){0};
        error_at(e, load->place.file, load->place.line, "%s", cause.text);
    } else if (load->type == BLOB_INITRD) {
        ok = load_initrd(vm, load, &file, plan, e);
    } else if (load->type == BLOB_FDT || load->type == BLOB_ACPI) {
        ok = error_at(e, load->place.file, load->place.line,
                      "'%s load' is not available in this version",
                      load->type == BLOB_FDT ? "fdt" : "acpi");
    } else {
        ok = image_load(vm, load, &file, &image, e);
        if (ok && image.has_entry && !plan->has_entry) {
            plan->has_entry = true;
            plan->entry = image.entry;
            plan->end = image.end;
        }
    }
    bytes_free(&file);
    return ok;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* Where nothing else is: below the initial ramdisk or at the end of RAM, in a 2 MiB block of its
 * own; in small or crowded RAM at its very start. */
static bool fdt_address(const struct vm *vm, const struct plan *plan, uint64_t size, uint64_t *at)
{
    const struct ram_config *ram = first_ram(vm);
    if (!ram)
        return false;
    uint64_t image = plan->entry, image_size = plan->has_entry ? plan->end - plan->entry : 0;
    if (!overlaps(ram->start, FDT_ROOM, image, image_size) && size <= ram->length) {
        *at = ram->start;
        return true;
    }
    uint64_t top = ram->start + ram->length;
    if (plan->inputs.initrd_size && plan->inputs.initrd_start < top &&
        plan->inputs.initrd_start >= ram->start)
        top = plan->inputs.initrd_start;
    if (top - ram->start < FDT_ROOM)
        return false;
    *at = (top - FDT_ROOM) & ~(uint64_t)(FDT_ROOM - 1);
    return *at >= ram->start && !overlaps(*at, size, image, image_size);
}

static bool place_fdt(struct vm *vm, const struct plan *plan, uint64_t *at, struct error *e)
{
    struct bytes tree = {0};
    bool ok = fdt_build(vm, &plan->inputs, &tree, e);
    *at = 0;
    /* A guest without room for a tree starts without one. */
    if (ok && fdt_address(vm, plan, tree.size, at))
        ok = vm_write(vm, gpa(*at), tree.data, tree.size);
    if (ok && vm->config->fdt_dump_file) {
        const struct board_sinks *sinks = &vm->board->sinks;
        ok = sinks->file(sinks->context, vm->config->fdt_dump_file, tree.data, tree.size, e);
        if (ok)
            log_write(&vm->log, LOG_INFO, "FDT saved to '%s'", vm->config->fdt_dump_file);
    }
    bytes_free(&tree);
    return ok;
}

bool load_blobs(struct vm *vm, struct error *e)
{
    struct plan plan = {0};
    uint64_t fdt = 0;
    for (size_t i = 0; i < vm->config->load_count; i++)
        if (!load_one(vm, &vm->config->loads[i], &plan, e))
            return false;
    if (!place_fdt(vm, &plan, &fdt, e))
        return false;
    if (!plan.has_entry && !vm->config->dryrun)
        return error_set(e, "nothing to run: the configuration loads no guest image");
    vcpu_power_on(vm->vcpus[0], plan.entry, fdt);
    return true;
}
