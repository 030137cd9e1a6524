#include "cpu/unicorn/code_buffer.h"

bool code_buffer_commit(size_t size)
{
    return size != 0; /* the system commits pages where they are touched */
}
