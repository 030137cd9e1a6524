#include "qvm/files.h"

#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "qvm/host/host.h"

struct open_file {
    char *path; /* owned */
    struct host_ranges *ranges;
    uint64_t size;
    bool lost; /* something was not written to it */
};

static struct open_file *find(const struct open_files *f, const char *path)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i].path, path) == 0)
            return &f->list[i];
    return NULL;
}

static char *copy_of(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    CHECK_ROOM(copy);
    return strcpy(copy, text);
}

bool files_open(struct open_files *f, const char *path, uint64_t *size, struct error *e)
{
    const struct open_file *known = find(f, path);
    if (known) {
        *size = known->size;
        return true;
    }
    struct host_ranges *ranges = host_ranges_open(path, size, e);
    if (!ranges)
        return false;
    f->list = array_grow(f->list, f->count, sizeof *f->list);
    f->list[f->count++] = (struct open_file){copy_of(path), ranges, *size, false};
    return true;
}

enum range_answer files_read(struct open_files *f, const char *path, uint64_t offset, size_t size,
                             struct bytes *out)
{
    const struct open_file *file = find(f, path);
    return file ? host_ranges_read(file->ranges, offset, size, out) : RANGE_UNREADABLE;
}

bool files_claim(struct open_files *f, const char *path, struct error *e)
{
    uint64_t size;
    return files_open(f, path, &size, e) && host_ranges_claim(find(f, path)->ranges, path, e);
}

bool files_write(struct open_files *f, const char *path, uint64_t offset, const void *from,
                 size_t size, struct error *e)
{
    struct open_file *file = find(f, path);
    CHECK(file);
    if (file->lost)
        return true;
    file->lost = !host_ranges_write(file->ranges, offset, from, size, e);
    return !file->lost;
}

void files_close(struct open_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        host_ranges_close(f->list[i].ranges);
        free(f->list[i].path);
    }
    free(f->list);
    *f = (struct open_files){0};
}
