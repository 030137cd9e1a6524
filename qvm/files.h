/* The host's files that a machine reads by ranges: opened once each, by name, and kept open. */
#ifndef QVM_FILES_H
#define QVM_FILES_H

#include "emu/journal.h"

struct open_file;

struct open_files {
    struct open_file *list; /* owned */
    size_t count;
};

/* The size of a file that is opened if it was not yet. */
bool files_open(struct open_files *f, const char *path, uint64_t *size, struct error *e);
/* As struct journal_host's `read`. */
enum range_answer files_read(struct open_files *f, const char *path, uint64_t offset, size_t size,
                             struct bytes *out);
/* `size` bytes inside the size that it has. */
bool files_write(struct open_files *f, const char *path, uint64_t offset, const void *from,
                 size_t size, struct error *e);
void files_close(struct open_files *f);

#endif
