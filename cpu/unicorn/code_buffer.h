/* The library's buffer for the code that it makes, when it has been reserved. */
#ifndef UNICORN_CODE_BUFFER_H
#define UNICORN_CODE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Windows commits what is reserved when it is told to. The library does so where it first writes to
 * a piece, but asks for more than there is of the last one: it is refused, and the process ends
 * (issue 2290 of Unicorn, in 2.1.4). So all of it is committed here. False: the host has no memory
 * for it, or there is no such buffer. On other hosts there is nothing to do. */
bool code_buffer_commit(size_t size);

#endif
