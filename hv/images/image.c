/* ELF64 (System V ABI), the kernels that the architecture has a format of its own for, gzip (RFC
 * 1952) or zstd (RFC 8878) around either, and EFI zboot; anything else is raw. */
#include "hv/images/image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/compress.h"
#include "emu/text.h"
#include "hv/hv_internal.h"

#define EXPANDED_MAX ((size_t)1 << 30)
#define PADDING_MAX  0x10000 /* of the last section, which need not be in the file */

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

static bool place(struct placement *p, const struct load_config *load, uint64_t at,
                  const uint8_t *data, uint64_t size, struct error *e)
{
    if (vm_write(p->vm, gpa(at), data, size))
        return true;
    return error_at(e, load->place.file, load->place.line,
                    "'%s' (%" PRIu64 " %s) does not fit into guest memory at %#" PRIx64, load->path,
                    size, text_plural(size, "byte", "bytes"), at);
}

static void include(struct loaded_image *image, uint64_t start, uint64_t end)
{
    if (image->end == 0 || start < image->start)
        image->start = start;
    if (end > image->end)
        image->end = end;
}

/* Where the VM's memory is, for people: the first range of it. */
static const char *memory_text(const struct vm *vm, char text[64])
{
    const struct ram_config *first = vm->config->rams;
    if (!vm->config->ram_count)
        snprintf(text, 64, "there is none");
    else
        snprintf(text, 64, "from %#" PRIx64 " to %#" PRIx64 "%s", first->start,
                 first->start + first->length - 1, vm->config->ram_count > 1 ? ", and more" : "");
    return text;
}

/* PT_LOAD: to its physical address. */
static bool load_segment(struct placement *p, const struct load_config *load, const struct bytes *f,
                         const uint8_t *header, struct error *e)
{
    uint64_t offset = load_le(header + 8, 8), at = load_le(header + 24, 8),
             size = load_le(header + 32, 8), memory_size = load_le(header + 40, 8);
    char memory[64];
    if (!range_inside(offset, size, f->size))
        return error_at(e, load->place.file, load->place.line,
                        "'%s': an ELF segment, %#" PRIx64 " bytes at %#" PRIx64
                        " of the file, is outside of it",
                        load->path, size, offset);
    if (memory_size < size)
        return error_at(e, load->place.file, load->place.line,
                        "'%s': an ELF segment at guest-physical %#" PRIx64 " has %#" PRIx64
                        " bytes in the file, which is more than the %#" PRIx64 " it has in memory",
                        load->path, at, size, memory_size);
    return (placement_is_memory(p, at, memory_size) &&
            vm_write(p->vm, gpa(at), f->data + offset, size)) ||
           error_at(e, load->place.file, load->place.line,
                    "'%s': an ELF segment, %#" PRIx64 " bytes at guest-physical %#" PRIx64
                    ", does not fit into guest memory (%s)",
                    load->path, memory_size, at, memory_text(p->vm, memory));
}

/* ELF64, little-endian, of the VM's architecture. */
static bool load_elf(struct placement *p, const struct load_config *load, const struct bytes *f,
                     struct loaded_image *image, struct error *e)
{
    if (!at_least(f, 64))
        return fail(load, e, "the ELF header is truncated");
    if (f->data[4] != 2 || f->data[5] != 1 || u16(f, 18) != p->vm->arch->elf_machine)
        return error_at(e, load->place.file, load->place.line,
                        "'%s': not a 64-bit little-endian %s ELF file", load->path,
                        p->vm->arch->elf_machine_name);
    uint64_t headers = u64(f, 32), header_size = u16(f, 54), count = u16(f, 56);
    if (header_size < 56 || !range_inside(headers, header_size * count, f->size))
        return fail(load, e, "the ELF program headers are outside of the file");
    bool empty = true;
    uint64_t entry = u64(f, 24), entry_at = entry;
    for (uint64_t i = 0; i < count; i++) {
        size_t h = (size_t)(headers + i * header_size);
        if (u32(f, h) != 1) /* PT_LOAD */
            continue;
        uint64_t va = u64(f, h + 16), at = u64(f, h + 24), memory_size = u64(f, h + 40);
        if (!load_segment(p, load, f, f->data + h, e))
            return false;
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

static bool is_whole(const struct load_config *load, const struct bytes *f, struct error *e)
{
    uint64_t size = image_pe_size(f);
    return f->size + PADDING_MAX >= size ||
           error_at(e, load->place.file, load->place.line,
                    "'%s': the kernel was cut short: its header says at least %" PRIu64
                    " bytes, the file has %zu",
                    load->path, size, f->size);
}

static bool is_kernel(const struct image_format *format, const struct bytes *f)
{
    return at_least(f, format->header_size) &&
           memcmp(f->data + format->at, format->magic, format->magic_size) == 0;
}

/* Where its header wants it, near the start of RAM. */
static bool load_kernel(struct placement *p, const struct load_config *load, const struct bytes *f,
                        struct loaded_image *image, struct error *e)
{
    struct image_layout layout;
    if (!is_whole(load, f, e) || !p->vm->arch->kernel->read(p->vm, load, f, &layout, e))
        return false;
    uint64_t at = load->address, size = layout.size > f->size ? layout.size : f->size;
    bool fits = load->has_address
                    ? placement_is_memory(p, at, size)
                    : placement_first(p, size, layout.boundary, layout.offset, false, &at);
    if (!fits)
        return fail(load, e,
                    "the kernel (image_size in its header) does not fit into guest memory");
    image->has_entry = true;
    image->was_placed = !load->has_address;
    image->entry = at;
    include(image, at, at + size);
    return place(p, load, at, f->data, f->size, e);
}

/* To the address that was given, or the first place where nothing is. */
static bool load_raw(struct placement *p, const struct load_config *load, const struct bytes *f,
                     struct loaded_image *image, struct error *e)
{
    uint64_t at = load->address;
    if (!load->has_address && !placement_first(p, f->size, PAGE_SIZE, 0, true, &at))
        return error_at(e, load->place.file, load->place.line,
                        "'%s' (%zu %s) does not fit into guest memory%s", load->path, f->size,
                        text_plural(f->size, "byte", "bytes"),
                        p->used_count ? " beside what was loaded before" : "");
    image->has_entry = load->type != BLOB_DATA;
    image->was_placed = !load->has_address;
    image->entry = at;
    include(image, at, at + f->size);
    return place(p, load, at, f->data, f->size, e);
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

/* EFI zboot header: payload offset at 8, size at 12, compression type (a string) at 24. */
static bool expand_zboot(const struct load_config *load, const struct bytes *f, struct bytes *out,
                         struct error *e)
{
    uint64_t offset = u32(f, 8), size = u32(f, 12);
    const char *type = (const char *)f->data + 24;
    if (!range_inside(offset, size, f->size))
        return fail(load, e, "the zboot payload is outside of the file");
    if (strncmp(type, "gzip", 5) == 0)
        return compress_expand_gzip(f->data + offset, (size_t)size, EXPANDED_MAX, out, e) ||
               not_expanded(load, e);
    if (strncmp(type, "zstd", 4) == 0)
        return compress_expand_zstd(f->data + offset, (size_t)size, EXPANDED_MAX, out, e) ||
               not_expanded(load, e);
    char shown[9];
    snprintf(shown, sizeof shown, "%.8s", type);
    text_make_printable(shown);
    return error_at(e, load->place.file, load->place.line,
                    "'%s': the zboot payload is neither gzip nor zstd, but '%s'", load->path,
                    shown);
}

bool image_expand(const struct load_config *load, const struct bytes *f, struct bytes *out,
                  struct error *e)
{
    bool ok;
    if (is_zboot(f))
        ok = expand_zboot(load, f, out, e);
    else if (at_least(f, 2) && memcmp(f->data, "\x1f\x8b", 2) == 0)
        ok = compress_expand_gzip(f->data, f->size, EXPANDED_MAX, out, e) || not_expanded(load, e);
    else if (at_least(f, 4) && memcmp(f->data, "\x28\xb5\x2f\xfd", 4) == 0)
        ok = compress_expand_zstd(f->data, f->size, EXPANDED_MAX, out, e) || not_expanded(load, e);
    else
        return true;
    return ok && (out->size || fail(load, e, "nothing is in it"));
}

bool image_is_tree(const struct bytes *f)
{
    return at_least(f, 4) && memcmp(f->data, "\xd0\x0d\xfe\xed", 4) == 0;
}

static bool load_guest(struct placement *p, const struct load_config *load, const struct bytes *f,
                       struct loaded_image *image, struct error *e)
{
    if (f->size == 0)
        return fail(load, e, "the file is empty");
    if (at_least(f, 4) && memcmp(f->data, "\177ELF", 4) == 0)
        return load_elf(p, load, f, image, e);
    if (p->vm->arch->kernel && is_kernel(p->vm->arch->kernel, f))
        return load_kernel(p, load, f, image, e);
    char foreign[160];
    if (image_foreign(f, p->vm->arch, foreign, sizeof foreign))
        return error_at(e, load->place.file, load->place.line,
                        "'%s': %s (`data load` copies a file as it is)", load->path, foreign);
    if (image_is_text(f))
        log_write(&p->vm->log, LOG_SEVERITY_WARN,
                  "'%s' looks like text, and is loaded as instructions", load->path);
    return load_raw(p, load, f, image, e);
}

bool image_load(struct placement *p, const struct load_config *load, const struct bytes *f,
                struct loaded_image *image, struct error *e)
{
    return load->type == BLOB_DATA ? load_raw(p, load, f, image, e)
                                   : load_guest(p, load, f, image, e);
}
