/* Names of a guest's code: from the symbol tables of the ELF files that it was loaded from, as far
 * as the journal has them. For people only. */
#ifndef HV_IMAGES_SYMBOLS_H
#define HV_IMAGES_SYMBOLS_H

#include "hv/board.h"

struct symbol {
    char name[80];   /* printable, without blanks */
    uint64_t offset; /* of the address, from where it begins */
};

/* The symbol of code that an ELF64 file has at or before the address, in the same section, and, if
 * it has a size, inside of it. The file is hostile. */
bool symbol_in_elf(const void *file, size_t size, uint64_t at, struct symbol *s);
/* The same in the images of a VM, by the address that they were linked for. */
bool symbol_find(const struct vm *vm, uint64_t at, struct symbol *s);

/* The other way: an address, and the size that the file tells (0: none), of the first VM that has
 * an image with a symbol of this name, of code or data. */
struct symbol_place {
    uint64_t address, size;
};
bool symbols_find(const struct journal *j, const struct vm_config *configs, size_t count,
                  const char *name, struct symbol_place *found);

#endif
