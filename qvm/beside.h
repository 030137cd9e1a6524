/* Where a file is that a file names: from the current folder, or beside the file that names it. */
#ifndef QVM_BESIDE_H
#define QVM_BESIDE_H

#include <stddef.h>

/* Into `path`, cut if it has no room: `name` in the folder of the file `beside`, */
void beside_path(const char *name, const char *beside, char *path, size_t size);
/* if there is such a file and none that `name` itself leads to; else `name`. */
void beside_find(const char *name, const char *beside, char *path, size_t size);

#endif
