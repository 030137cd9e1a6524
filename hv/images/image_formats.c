/* Files that are often given as guest images and are none: each is named, with the way to one. */
#include <stdio.h>
#include <string.h>

#include "hv/images/image.h"

struct format {
    size_t at;
    const char *magic;
    size_t size;
    const char *sentence;
};

static const struct format formats[] = {
    {0,
     "\xfd"
     "7zXZ\0",
     6, "it is compressed by xz: `xz -dc` unpacks it"},
    {0, "\x5d\0\0", 3, "it is compressed by lzma: `xz --format=lzma -dc` unpacks it"},
    {0, "\x04\x22\x4d\x18", 4, "it is compressed by lz4: `lz4 -dc` unpacks it"},
    {0, "\x02\x21\x4c\x18", 4, "it is compressed by lz4, as `lz4 -l` does: `lz4 -dc` unpacks it"},
    {0, "BZh", 3, "it is compressed by bzip2: `bzip2 -dc` unpacks it"},
    {0, "\x89LZO\0", 5, "it is compressed by lzop: `lzop -dc` unpacks it"},
    {0, "\x27\x05\x19\x56", 4,
     "it is a legacy uImage of U-Boot: behind its first 64 bytes (`tail -c +65`) is the image"},
    {0, "ANDROID!", 8,
     "it is an Android boot image: `unpack_bootimg` takes kernel and ramdisk out"},
    {0, "070701", 6, "it is a cpio archive: `initrd load` hands it to the guest"},
    {0, "070702", 6, "it is a cpio archive: `initrd load` hands it to the guest"},
    {0, "PK\3\4", 4, "it is a zip archive: `unzip` unpacks it"},
    {257, "ustar", 5, "it is a tar archive: `tar -x` unpacks it"},
    {0, "hsqs", 4, "it is a squashfs file system: a disk, not a kernel"},
    {0, "QFI\xfb", 4, "it is a qcow2 disk, not a kernel"},
};

static const struct format of_other_cpus[] = {
    {0x24, "\x18\x28\x6f\x01", 4, "it is a zImage of 32-bit Arm"},
    {0x202, "HdrS", 4, "it is a bzImage of x86"},
    {0x38, "RSC\x05", 4, "it is an Image of RISC-V"},
};

static bool has(const struct bytes *f, size_t at, const char *magic, size_t size)
{
    return range_inside(at, size, f->size) && memcmp(f->data + at, magic, size) == 0;
}

/* Where the PE header is; 0: there is none. */
static uint64_t pe_header(const struct bytes *f)
{
    if (f->size < 64 || !has(f, 0, "MZ", 2))
        return 0;
    uint64_t at = load_le(f->data + 0x3c, 4);
    return at >= 64 && range_inside(at, 24, f->size) && has(f, at, "PE\0\0", 4) ? at : 0;
}

static const char *find(const struct format *list, size_t count, const struct bytes *f)
{
    for (size_t i = 0; i < count; i++)
        if (has(f, list[i].at, list[i].magic, list[i].size))
            return list[i].sentence;
    return NULL;
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

bool image_foreign(const struct bytes *f, const struct vm_arch *arch, char *text, size_t size)
{
    const char *what = find(formats, COUNT(formats), f);
    const char *other = what ? NULL : find(of_other_cpus, COUNT(of_other_cpus), f);
    if (!what && !other && pe_header(f))
        what = "it is a program for UEFI or Windows (PE): firmware that runs it is wanted";
    if (other)
        snprintf(text, size, "%s: the vCPUs have %s", other, arch->elf_machine_name);
    else if (what)
        snprintf(text, size, "%s", what);
    return what || other;
}

bool image_is_text(const struct bytes *f)
{
    size_t looked_at = f->size < 512 ? f->size : 512;
    for (size_t i = 0; i < looked_at; i++) {
        uint8_t c = f->data[i];
        if ((c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t')
            return false;
    }
    return looked_at >= 4;
}

/* Microsoft's PE format: the number of sections at 6, the size of the optional header at 20; a
 * section's SizeOfRawData and PointerToRawData at 16 and 20 of its 40 bytes. */
uint64_t image_pe_size(const struct bytes *f)
{
    uint64_t at = pe_header(f), size = 0;
    if (!at)
        return 0;
    uint64_t count = load_le(f->data + at + 6, 2), table = at + 24 + load_le(f->data + at + 20, 2);
    for (uint64_t i = 0; i < count && range_inside(table + 40 * i, 40, f->size); i++) {
        const uint8_t *section = f->data + table + 40 * i;
        uint64_t end = load_le(section + 16, 4) + load_le(section + 20, 4);
        size = end > size ? end : size;
    }
    return size;
}
