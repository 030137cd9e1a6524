#define _WIN32_WINNT 0x0A00
#include "cpu/unicorn/code_buffer.h"

#include <stdint.h>
#include <windows.h>

/* Of the allocation that begins at `at`: parts of it may be committed. */
static size_t allocation_size(const uint8_t *at)
{
    MEMORY_BASIC_INFORMATION part;
    size_t size = 0;
    while (VirtualQuery(at + size, &part, sizeof part) && part.AllocationBase == at)
        size += part.RegionSize;
    return size;
}

/* The library keeps its address for itself, but nobody else has so much memory for code. */
bool code_buffer_commit(size_t size)
{
    MEMORY_BASIC_INFORMATION part;
    bool found = false, ok = true;
    for (const uint8_t *at = NULL; VirtualQuery(at, &part, sizeof part);
         at = (const uint8_t *)part.BaseAddress + part.RegionSize) {
        if (part.State == MEM_FREE || part.BaseAddress != part.AllocationBase ||
            part.AllocationProtect != PAGE_EXECUTE_READWRITE ||
            allocation_size(part.AllocationBase) != size)
            continue;
        found = true;
        ok &= VirtualAlloc(part.AllocationBase, size, MEM_COMMIT, PAGE_EXECUTE_READWRITE) != NULL;
    }
    return found && ok;
}
