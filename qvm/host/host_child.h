/* This program again, as a process of its own, whose output is read; and the folders that whoever
 * starts many of them needs. One implementation per host family, as of host.h. */
#ifndef QVM_HOST_HOST_CHILD_H
#define QVM_HOST_HOST_CHILD_H

#include "qvm/host/host.h"

struct host_child;
/* `arguments` are those behind the program's name, NULL behind the last. What it prints on standard
 * output and error is one stream. Its standard input is empty, and ends with whoever started it. */
struct host_child *host_child_start(char *const *arguments, struct error *e);
struct host_source host_child_source(const struct host_child *c);
/* As host_input_read. */
size_t host_child_read(struct host_child *c, void *to, size_t size, bool *ended);
void host_child_kill(struct host_child *c);
/* Waits for its end; returns its exit status, or what it died of, negated. Frees it. */
int host_child_end(struct host_child *c);
/* In such a process: is whoever started it gone? */
bool host_child_is_alone(void);
/* How many run at the same time without being in each other's way. */
unsigned host_cpus(void);
/* Is standard output a terminal? */
bool host_output_is_terminal(void);

/* What is in a folder, by name, "." and ".." not among them. */
struct host_entry {
    char *name;
    bool is_folder;
    bool is_special; /* neither that nor a file: who reads a FIFO waits for somebody */
};
struct host_folder {
    struct host_entry *entries; /* owned */
    size_t count;
};
bool host_is_folder(const char *path);
bool host_folder_read(const char *path, struct host_folder *f, struct error *e);
void host_folder_free(struct host_folder *f);
/* True if it is there afterwards. */
bool host_folder_make(const char *path, struct error *e);
/* If it is empty it is removed. */
void host_folder_drop(const char *path);
/* A new, empty one among temporary files, for this user alone; and to remove it with all files in
 * it. */
bool host_scratch_make(char *path, size_t size, struct error *e);
void host_scratch_remove(const char *path);
bool host_remove(const char *path);
bool host_rename(const char *from, const char *to);

#endif
