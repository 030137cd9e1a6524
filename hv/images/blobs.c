/* Assembly step 7: blobs into guest memory, the device tree, and vCPU 0's start. */
#include <inttypes.h>
#include <stdlib.h>

#include "emu/array.h"
#include "emu/machine.h"
#include "hv/tree/fdt.h"
#include "hv/images/image.h"

#define FDT_ROOM 0x200000 /* the boot protocol wants it inside one 2 MiB block */

struct plan {
    bool has_entry;
    uint64_t entry;
    struct placement placement;
    struct fdt_inputs inputs;
    struct user_tree *trees; /* to merge, in order */
    size_t tree_count;
};

/* The initial ramdisk goes to the end of the guest's home, the device tree below it. */
static bool load_initrd(struct vm *vm, const struct load_config *load, const struct bytes *file,
                        struct plan *plan, struct error *e)
{
    uint64_t size = (file->size + PAGE_MASK) & ~PAGE_MASK, at = load->address;
    bool is_old = load->has_address && vm->board->options.quirks & QUIRK_INITRDS;
    if (plan->inputs.initrd_size && !is_old)
        return error_at(e, load->place.file, load->place.line,
                        "'%s' is a second initrd, and the guest is told of one ('data load' "
                        "copies a file)",
                        load->path);
    if (!load->has_address && size > plan->placement.home.length)
        return error_at(e, load->place.file, load->place.line, "'%s' is larger than guest RAM",
                        load->path);
    if (load->has_address ? placement_is_used(&plan->placement, at, file->size)
                          : !placement_last(&plan->placement, file->size, &at))
        return error_at(e, load->place.file, load->place.line,
                        "'%s' does not fit into guest RAM beside the guest image", load->path);
    if (!vm_write(vm, gpa(at), file->data, file->size))
        return error_at(e, load->place.file, load->place.line,
                        "'%s' does not fit into guest memory", load->path);
    placement_use(&plan->placement, at, at + size);
    plan->inputs.initrd_start = at;
    plan->inputs.initrd_size = file->size;
    return true;
}

static void keep_tree(const struct load_config *load, const struct bytes *file, struct plan *plan)
{
    plan->trees = array_grow(plan->trees, plan->tree_count, sizeof *plan->trees);
    struct user_tree *tree = &plan->trees[plan->tree_count++];
    *tree = (struct user_tree){.load = load};
    bytes_put(&tree->file, file->data, file->size);
}

static void free_trees(struct plan *plan)
{
    for (size_t i = 0; i < plan->tree_count; i++)
        bytes_free(&plan->trees[i].file);
    free(plan->trees);
}

/* A file without a type, or a guest image: what it is shows inside. */
static bool load_sniffed(const struct load_config *load, const struct bytes *file,
                         struct plan *plan, struct error *e)
{
    struct loaded_image image = {0};
    struct bytes expanded = {0};
    bool ok = load->type == BLOB_DATA || image_expand(load, file, &expanded, e);
    const struct bytes *contents = expanded.size ? &expanded : file;
    bool is_old = plan->placement.vm->board->options.quirks & QUIRK_OLD_LOADS;
    bool is_tree = ok && load->type != BLOB_DATA && !is_old && image_is_tree(contents);
    if (is_tree && load->type == BLOB_GUEST) {
        ok = error_at(e, load->place.file, load->place.line,
                      "'%s': it is a device tree, no guest image: 'fdt load'", load->path);
    } else if (is_tree) {
        keep_tree(load, contents, plan);
    } else if (ok) {
        ok = image_load(&plan->placement, load, contents, &image, e);
        placement_use(&plan->placement, image.start, image.end);
    }
    bytes_free(&expanded);
    if (ok && image.has_entry && !plan->has_entry) {
        plan->has_entry = true;
        plan->entry = image.entry;
        if (image.was_placed)
            placement_settle(&plan->placement, image.entry);
    }
    return ok;
}

static bool load_one(struct vm *vm, const struct load_config *load, struct plan *plan,
                     struct error *e)
{
    const struct bytes *file = journal_pull_file(vm->board->journal, load->path, e);
    bool ok = file;
    if (!ok) {
        struct error cause = *e;
        *e = (struct error){0};
        error_at(e, load->place.file, load->place.line, "%s", cause.text);
        if (cause.exit_status)
            error_exit_status(e, cause.exit_status);
    } else if (load->type == BLOB_INITRD) {
        ok = load_initrd(vm, load, file, plan, e);
    } else if (load->type == BLOB_FDT) {
        keep_tree(load, file, plan);
    } else if (load->type == BLOB_ACPI) {
        ok = error_at(e, load->place.file, load->place.line,
                      "'acpi load' is for x86 guests; this one has a device tree ('fdt load')");
    } else {
        ok = load_sniffed(load, file, plan, e);
    }
    journal_give_back(vm->board->journal);
    return ok;
}

/* Where nothing else is: below the initial ramdisk or at the end of RAM, in a 2 MiB block of its
 * own; in small or crowded RAM at its very start. */
static bool fdt_address(const struct plan *plan, uint64_t size, uint64_t *at)
{
    const struct memory_range *home = &plan->placement.home;
    if (!home->length || home->is_rom)
        return false;
    if (!placement_is_used(&plan->placement, home->start, FDT_ROOM) && size <= home->length) {
        *at = home->start;
        return true;
    }
    uint64_t top = home->start + home->length;
    if (plan->inputs.initrd_size && plan->inputs.initrd_start < top &&
        plan->inputs.initrd_start >= home->start)
        top = plan->inputs.initrd_start;
    if (top - home->start < FDT_ROOM)
        return false;
    *at = (top - FDT_ROOM) & ~(uint64_t)(FDT_ROOM - 1);
    return *at >= home->start && !placement_is_used(&plan->placement, *at, size);
}

static bool build_tree(struct vm *vm, const struct plan *plan, struct bytes *tree, struct error *e)
{
    struct fdt_inputs inputs = plan->inputs;
    inputs.has_user_tree = plan->tree_count != 0;
    bool ok = vm->arch->build_tree(vm, &inputs, tree, e);
    return ok && (!plan->tree_count || fdt_merge(vm, tree, plan->trees, plan->tree_count, e));
}

/* Where the last `fdt load` with an address wants it; NULL: nowhere. */
static const struct load_config *wanted_address(const struct plan *plan)
{
    for (size_t i = plan->tree_count; i-- > 0;)
        if (plan->trees[i].load->has_address)
            return plan->trees[i].load;
    return NULL;
}

/* A guest without room for a tree starts without one; a tree that no boot protocol allows is a
 * mistake. */
static bool write_where_free(struct vm *vm, const struct plan *plan, const struct bytes *tree,
                             uint64_t *at, struct error *e)
{
    if (tree->size > FDT_ROOM)
        return error_set(e, "the device tree has %zu bytes, more than the %d of a guest's",
                         tree->size, FDT_ROOM);
    return !fdt_address(plan, tree->size, at) || vm_write(vm, gpa(*at), tree->data, tree->size) ||
           error_set(e, "the device tree, %zu bytes, does not fit at %#" PRIx64, tree->size, *at);
}

static bool write_fdt(struct vm *vm, const struct plan *plan, const struct bytes *tree,
                      uint64_t *at, struct error *e)
{
    const struct load_config *wanted = wanted_address(plan);
    if (!wanted)
        return write_where_free(vm, plan, tree, at, e);
    *at = wanted->address;
    return (!placement_is_used(&plan->placement, *at, tree->size) &&
            vm_write(vm, gpa(*at), tree->data, tree->size)) ||
           error_at(e, wanted->place.file, wanted->place.line,
                    "the device tree, 0x%llx bytes, does not fit at 0x%llx",
                    (unsigned long long)tree->size, (unsigned long long)*at);
}

static bool place_fdt(struct vm *vm, const struct plan *plan, uint64_t *at, struct error *e)
{
    struct bytes tree = {0};
    *at = 0;
    bool ok = build_tree(vm, plan, &tree, e) && write_fdt(vm, plan, &tree, at, e);
    if (ok && vm->config->fdt_dump_file) {
        const struct board_sinks *sinks = &vm->board->sinks;
        ok = !sinks->file ||
             sinks->file(sinks->context, NULL, vm->config->fdt_dump_file, tree.data, tree.size, e);
        if (ok)
            log_write(&vm->log, LOG_SEVERITY_INFO, "FDT saved to '%s'", vm->config->fdt_dump_file);
    }
    bytes_free(&tree);
    return ok;
}

static bool load_all(struct vm *vm, struct error *e)
{
    struct plan plan = {0};
    uint64_t fdt = 0;
    bool ok = true;
    placement_init(&plan.placement, vm);
    for (size_t i = 0; ok && i < vm->config->load_count; i++)
        ok = load_one(vm, &vm->config->loads[i], &plan, e);
    ok = ok && (!vm->arch->build_tree || place_fdt(vm, &plan, &fdt, e));
    free_trees(&plan);
    placement_free(&plan.placement);
    if (!ok)
        return false;
    if (!plan.has_entry && !vm->config->dryrun)
        return error_set(e, "nothing to run: the configuration loads no guest image");
    vcpu_power_on(vm->vcpus[0], plan.entry, fdt);
    return true;
}

/* An exit log's guest needs no code and no tree: what they are made of is not read. */
bool blobs_load(struct vm *vm, struct error *e)
{
    if (!vm->world.plays_exit_log)
        return load_all(vm, e);
    for (size_t i = 0; i < vm->config->load_count; i++)
        journal_pass(vm->board->journal, PULL_FILE, vm->config->loads[i].path);
    if (vm->arch->pass_tree)
        vm->arch->pass_tree(vm);
    vcpu_power_on(vm->vcpus[0], 0, 0);
    return true;
}
