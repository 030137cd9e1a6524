/* Where the library puts what it translates, if it is linked statically (cmake/StaticEngine.cmake):
 * below the program, so near that its calls need no address in memory. The system is free to choose
 * another place; then everything works, a little slower. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* What would begin an architecture of the library's that the program does not have. */
_Noreturn void engine_left_out(void);
void engine_left_out(void)
{
    abort();
}

void *engine_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *engine_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    const uintptr_t gap = (uintptr_t)16 << 20, page = 4096;
    uintptr_t program = (uintptr_t)&engine_mmap64 & ~(page - 1);
    if (!at && (protection & PROT_EXEC) && program > size + 4 * gap)
        at = (void *)(program - 4 * gap - (size & ~(page - 1)));
    return mmap(at, size, protection, flags, file, offset);
}
