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
/* Nobody else may write to it then; host_ranges_claim tells more. */
bool files_claim(struct open_files *f, const char *path, struct error *e);
/* `size` bytes inside the size that it has, of a file that was claimed. False: the first that it
 * does not take; nothing more is written to that file. */
bool files_write(struct open_files *f, const char *path, uint64_t offset, const void *from,
                 size_t size, struct error *e);
void files_close(struct open_files *f);

#endif
