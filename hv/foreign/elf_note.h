/* Notes of ELF files (System V ABI, chapter 5), as they are written. */
#ifndef HV_FOREIGN_ELF_NOTE_H
#define HV_FOREIGN_ELF_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

void elf_put_zeros(struct bytes *out, size_t size);
void elf_put_note(struct bytes *out, const char *owner, uint32_t type,
                  const struct bytes *contents);

#endif
