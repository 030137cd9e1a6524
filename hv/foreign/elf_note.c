#include "hv/foreign/elf_note.h"

#include <string.h>

void elf_put_zeros(struct bytes *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, 0, 1);
}

/* Name and contents are padded to 4 bytes; the sizes are those without. */
void elf_put_note(struct bytes *out, const char *owner, uint32_t type, const struct bytes *contents)
{
    size_t size = strlen(owner) + 1;
    bytes_put_int(out, size, 4);
    bytes_put_int(out, contents->size, 4);
    bytes_put_int(out, type, 4);
    bytes_put(out, owner, size);
    elf_put_zeros(out, -size & 3);
    bytes_put(out, contents->data, contents->size);
    elf_put_zeros(out, -contents->size & 3);
}
