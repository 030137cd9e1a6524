/* Guest images: what kind of file a blob is, and where its parts go. ELF64 (System V ABI), the
 * arm64 Image (Documentation/arch/arm64/booting in Linux), gzip around either (RFC 1952), and EFI
 * zboot; anything else is raw. The file is hostile. */
#include <inttypes.h>
#include <string.h>

#include "emu/compress.h"
#include "hv/hv_internal.h"

#define EXPANDED_MAX ((size_t)1 << 30)

static bool at_least(const struct bytes *f, size_t size)
{
    return f->size >= size;
}

static uint64_t u16(const struct bytes *f, size_t at)
{
    return load_le(f->data + at, 2);
}

static uint64_t u32(const struct bytes *f, size_t at)
{
    return load_le(f->data + at, 4);
}

static uint64_t u64(const struct bytes *f, size_t at)
{
    return load_le(f->data + at, 8);
}

static bool fail(const struct load_config *load, struct error *e, const char *what)
{
    return error_at(e, load->place.file, load->place.line, "'%s': %s", load->path, what);
}

static bool place(struct vm *vm, const struct load_config *load, uint64_t at, const uint8_t *data,
                  uint64_t size, struct error *e)
{
    if (vm_write(vm, gpa(at), data, size))
        return true;
    return error_at(e, load->place.file, load->place.line,
                    "'%s' (%" PRIu64 " bytes) does not fit into guest memory at %#" PRIx64,
                    load->path, size, at);
}

/* Whether all of it is RAM or ROM. Ends at the first page that is not, so that no size is too large
 * and nothing wraps around. */
static bool is_memory(struct vm *vm, uint64_t at, uint64_t size)
{
    uint8_t byte;
    for (uint64_t done = 0; done < size; done += PAGE_SIZE - ((at + done) & PAGE_MASK))
        if (!vm_read(vm, gpa(at + done), &byte, 1))
            return false;
    return true;
}

static void include(struct loaded_image *image, uint64_t start, uint64_t end)
{
    if (image->end == 0 || start < image->start)
        image->start = start;
    if (end > image->end)
        image->end = end;
}

/* ELF64, little-endian, AArch64: PT_LOAD segments go to their physical addresses. */
static bool load_elf(struct vm *vm, const struct load_config *load, const struct bytes *f,
                     struct loaded_image *image, struct error *e)
{
    if (!at_least(f, 64))
        return fail(load, e, "the ELF header is truncated");
    if (f->data[4] != 2 || f->data[5] != 1 || u16(f, 18) != 183)
        return fail(load, e, "not a 64-bit little-endian AArch64 ELF file");
    uint64_t headers = u64(f, 32), header_size = u16(f, 54), count = u16(f, 56);
    if (header_size < 56 || !range_inside(headers, header_size * count, f->size))
        return fail(load, e, "the ELF program headers are outside of the file");
    bool empty = true;
    uint64_t entry = u64(f, 24), entry_at = entry;
    for (uint64_t i = 0; i < count; i++) {
        size_t h = (size_t)(headers + i * header_size);
        if (u32(f, h) != 1) /* PT_LOAD */
            continue;
        uint64_t offset = u64(f, h + 8), va = u64(f, h + 16), at = u64(f, h + 24),
                 size = u64(f, h + 32), memory_size = u64(f, h + 40);
        if (!range_inside(offset, size, f->size) || memory_size < size)
            return fail(load, e, "an ELF segment is outside of the file");
        if (!place(vm, load, at, f->data + offset, size, e))
            return false;
        if (!is_memory(vm, at, memory_size))
            return fail(load, e, "an ELF segment does not fit into guest memory");
        include(image, at, at + memory_size);
        /* The entry is a virtual address; the guest starts with stage 1 off. */
        if (entry >= va && entry - va < memory_size)
            entry_at = at + (entry - va);
        empty &= memory_size == 0;
    }
    if (empty)
        return fail(load, e, "the ELF file has nothing to load");
    image->has_entry = true;
    image->entry = entry_at;
    return true;
}

static uint64_t first_ram(const struct vm *vm)
{
    for (size_t i = 0; i < vm->config->ram_count; i++)
        if (!vm->config->rams[i].is_rom)
            return vm->config->rams[i].start;
    return vm->config->rams[0].start;
}

/* text_offset bytes behind a 2 MiB aligned base near the start of RAM. */
static bool load_linux(struct vm *vm, const struct load_config *load, const struct bytes *f,
                       struct loaded_image *image, struct error *e)
{
    uint64_t image_size = u64(f, 16);
    uint64_t text_offset = image_size ? u64(f, 8) : 0x80000; /* before Linux 3.17 */
    uint64_t base = (first_ram(vm) + 0x1fffff) & ~(uint64_t)0x1fffff;
    uint64_t at = load->has_address ? load->address : base + text_offset;
    if (!is_memory(vm, at, image_size))
        return fail(load, e,
                    "the kernel (image_size in its header) does not fit into guest memory");
    if (!place(vm, load, at, f->data, f->size, e))
        return false;
    image->has_entry = true;
    image->entry = at;
    include(image, at, at + (image_size > f->size ? image_size : f->size));
    return true;
}

static bool load_raw(struct vm *vm, const struct load_config *load, const struct bytes *f,
                     struct loaded_image *image, struct error *e)
{
    if (!load->has_address && !vm->config->ram_count)
        return fail(load, e, "there is no guest memory to load it to");
    uint64_t at = load->has_address ? load->address : vm->config->rams[0].start;
    image->has_entry = load->type != BLOB_DATA;
    image->entry = at;
    include(image, at, at + f->size);
    return place(vm, load, at, f->data, f->size, e);
}

static bool is_zboot(const struct bytes *f)
{
    return at_least(f, 64) && memcmp(f->data, "MZ\0\0zimg", 8) == 0;
}

/* What went wrong while it was expanded, and in which file. */
static bool not_expanded(const struct load_config *load, struct error *e)
{
    struct error cause = *e;
    *e = (struct error){0};
    return fail(load, e, cause.text);
}

static bool expand_raw_gzip(const struct load_config *load, const struct bytes *f,
                            struct bytes *out, struct error *e)
{
    return expand_gzip(f->data, f->size, EXPANDED_MAX, out, e) || not_expanded(load, e);
}

/* EFI zboot header: payload offset at 8, size at 12, compression type (a string) at 24. */
static bool expand_zboot(const struct load_config *load, const struct bytes *f, struct bytes *out,
                         struct error *e)
{
    uint64_t offset = u32(f, 8), size = u32(f, 12);
    const char *type = (const char *)f->data + 24;
    if (!range_inside(offset, size, f->size))
        return fail(load, e, "the zboot payload is outside of the file");
    if (strncmp(type, "gzip", 5) == 0)
        return expand_gzip(f->data + offset, (size_t)size, EXPANDED_MAX, out, e) ||
               not_expanded(load, e);
    if (strncmp(type, "zstd", 4) == 0)
        return expand_zstd(f->data + offset, (size_t)size, EXPANDED_MAX, out, e) ||
               not_expanded(load, e);
    return fail(load, e, "the zboot payload is neither gzip nor zstd");
}

static bool load_plain(struct vm *vm, const struct load_config *load, const struct bytes *f,
                       struct loaded_image *image, struct error *e)
{
    if (load->type != BLOB_DATA && f->size == 0)
        return fail(load, e, "the file is empty");
    if (load->type != BLOB_DATA && at_least(f, 4) && memcmp(f->data, "\177ELF", 4) == 0)
        return load_elf(vm, load, f, image, e);
    if (load->type != BLOB_DATA && at_least(f, 64) && memcmp(f->data + 0x38, "ARM\x64", 4) == 0)
        return load_linux(vm, load, f, image, e);
    return load_raw(vm, load, f, image, e);
}

bool image_load(struct vm *vm, const struct load_config *load, const struct bytes *file,
                struct loaded_image *image, struct error *e)
{
    struct bytes expanded = {0};
    bool ok;
    if (load->type != BLOB_DATA && at_least(file, 2) && memcmp(file->data, "\x1f\x8b", 2) == 0)
        ok = expand_raw_gzip(load, file, &expanded, e) && load_plain(vm, load, &expanded, image, e);
    else if (load->type != BLOB_DATA && is_zboot(file))
        ok = expand_zboot(load, file, &expanded, e) && load_plain(vm, load, &expanded, image, e);
    else
        ok = load_plain(vm, load, file, image, e);
    bytes_free(&expanded);
    return ok;
}
