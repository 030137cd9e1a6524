/* The host: files, clock, terminal, random numbers, environment, signals. One implementation per
 * host family (host_posix.c, host_windows.c), the only files of the project that may call these
 * things. What reaches the machine goes through the journal. */
#ifndef QVM_HOST_HOST_H
#define QVM_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/error.h"
#include "emu/journal.h"

/* Before anything else: descriptors that this program was started without are taken, so that no
 * file becomes its standard output; standard input, output and error carry bytes as they are, on
 * hosts that would translate ends of lines, too; and arguments, as all text, are UTF-8 from then on
 * where the host gives them in another form. */
void host_start(int *argc, char ***argv);

/* Appends the contents of a file (stdin is not one). What has no size that is known before, such as
 * a pipe, may have HOST_STREAM_MAX bytes. */
#define HOST_STREAM_MAX ((size_t)1 << 30)
bool host_read_file(const char *path, struct bytes *out, struct error *e);
/* A file to look at: what is not looked at is not read. It must stay as it is; where it does not,
 * the program ends and says so. */
struct host_view {
    const uint8_t *data;
    size_t size;
    struct bytes copy; /* owned: of what cannot be seen in place, such as a pipe */
};
bool host_view_open(const char *path, struct host_view *v, struct error *e);
void host_view_close(struct host_view *v);
/* A regular file that is read by ranges, as long as it stays what it was when it was opened: it has
 * its name, size and time of its last change still. */
struct host_ranges;
struct host_ranges *host_ranges_open(const char *path, uint64_t *size, struct error *e);
/* Appends `size` bytes, if the answer is RANGE_GIVEN. */
enum range_answer host_ranges_read(struct host_ranges *r, uint64_t offset, size_t size,
                                   struct bytes *out);
/* Opens it for writing, too, by its name; and nobody else may who does the same, by this name or
 * another, here or in another process, until it is closed. */
bool host_ranges_claim(struct host_ranges *r, const char *path, struct error *e);
/* Writes `size` bytes inside the file, which was claimed. Whoever else has changed it meanwhile is
 * noticed as before. */
bool host_ranges_write(struct host_ranges *r, uint64_t offset, const void *from, size_t size,
                       struct error *e);
void host_ranges_close(struct host_ranges *r);
/* The first bytes of a regular file; how many there are, 0 for anything else. */
size_t host_read_start(const char *path, void *to, size_t size);
bool host_write_file(const char *path, const void *data, size_t size, struct error *e);

/* Files that a guest names, `name` below the user's `folder`: no link is followed below it, nothing
 * but a regular file is read or written, and nothing waits for anybody. The caller has seen to it
 * that no part of the name is "..". */
enum probe_answer host_read_below(const char *folder, const char *name, size_t limit,
                                  struct bytes *out);
bool host_write_below(const char *folder, const char *name, const void *data, size_t size,
                      struct error *e);

struct host_file;
struct host_file *host_create(const char *path, struct error *e);
/* A file that is not there yet, not even as a link that leads nowhere; otherwise *taken is set. */
struct host_file *host_create_new(const char *path, bool *taken, struct error *e);
/* Something that is there already, such as a device; nothing of it is lost. */
struct host_file *host_open(const char *path, struct error *e);
/* A command that reads what is written. */
struct host_file *host_pipe(const char *command, struct error *e);
bool host_exists(const char *path);
/* Do both names mean one file (there or not yet)? */
bool host_same_file(const char *a, const char *b);
bool host_append(struct host_file *f, const void *data, size_t size);
/* Writes over what is there from the offset on, and beyond, in one call to the system. False: it is
 * as it was, or is no file that has places. */
bool host_replace(struct host_file *f, uint64_t offset, const void *data, size_t size);
/* So many zeros: a hole, where files can have one. */
bool host_append_zeros(struct host_file *f, size_t size);
bool host_close(struct host_file *f); /* false: something was not written */

/* A file or device that is read as input comes, without waiting for it. */
struct host_input;
struct host_input *host_input_open(const char *path, struct error *e);
/* How many bytes there were; sets *ended when there will never be more. */
size_t host_input_read(struct host_input *in, void *to, size_t size, bool *ended);
void host_input_close(struct host_input *in);

/* For memory_use_host: zeroed memory that is committed where it is touched, or NULL. */
void *host_take_memory(size_t size);
void host_give_memory(void *memory, size_t size);

/* "linux", "macos", "windows", or "posix" for what else is like the first two. */
const char *host_family(void);
const char *host_environment(const char *name); /* NULL: unset */
/* Where files go that nobody has named a place for; without a '/' behind it. */
const char *host_temporary_folder(void);
uint64_t host_wall_clock_s(void);
/* Now as YYYYMMDD-hhmmss, local time, for file names. */
void host_time_stamp(char text[16]);
uint64_t host_monotonic_ns(void);
uint64_t host_cpu_ns(void); /* used by this process so far */
bool host_random(void *to, size_t size);

/* Standard output, buffered; flushed at a newline, when full, and by host_flush. */
void host_print(const void *data, size_t size);
void host_flush(void);
/* Something that was printed went nowhere, and not because the reader had enough. */
bool host_output_is_lost(void);

/* Console input from standard input. A terminal is put into raw mode until host_console_close (also
 * at exit); it is interactive then. */
bool host_console_open(void); /* true: interactive */
void host_console_close(void);
/* As host_input_read. */
size_t host_console_read(void *to, size_t size, bool *ended);
/* True, with its size in characters: the interactive terminal's is another one than this said
 * before, or it is asked for the first time. A change ends a wait. */
bool host_console_resized(uint16_t *columns, uint16_t *rows);

/* A debugger's connection: one TCP client, or whoever started this program and talks to it through
 * standard input and output. */
struct host_link;
/* Where a client may come; port 0: any that is free. */
struct host_link *host_link_listen(const char *host, const char *port, struct error *e);
unsigned host_link_port(const struct host_link *l);
/* A client that is there, if one is. */
bool host_link_accept(struct host_link *l);
/* It was the wrong one: another may come. */
void host_link_hang_up(struct host_link *l);
/* It is the right one: no other may come. */
void host_link_keep(struct host_link *l);
/* From now on standard input is empty, and what is printed goes to standard error. */
struct host_link *host_link_standard(struct error *e);
/* As host_input_read. */
size_t host_link_read(struct host_link *l, void *to, size_t size, bool *ended);
/* What nobody reads any more is lost, which the next read says. */
void host_link_write(struct host_link *l, const void *data, size_t size);
void host_link_close(struct host_link *l);

/* What something may come from that is not waited for where it is read. */
struct host_source {
    intptr_t handle; /* of the host's kind */
};
struct host_source host_console_source(void);
struct host_source host_input_source(const struct host_input *in);
/* What the client says; without one, that one comes. */
struct host_source host_link_source(const struct host_link *l);
/* The one place where this program waits: up to `ns` (UINT64_MAX: for ever), until there is
 * something to read from one of the sources, or it has ended: true; or until a signal arrives. */
bool host_wait(const struct host_source *sources, size_t count, uint64_t ns);

/* Signals as inputs: each call takes one that arrived, or HOST_SIGNAL_NONE. */
enum host_signal {
    HOST_SIGNAL_NONE,
    HOST_SIGNAL_BUTTON, /* SIGTERM, SIGINT */
    HOST_SIGNAL_CUT,    /* SIGQUIT, SIGHUP */
    HOST_SIGNAL_STATUS, /* SIGUSR1 */
    HOST_SIGNAL_DUMP,   /* SIGUSR2 */
    HOST_SIGNALS,
};
void host_catch_signals(void);
enum host_signal host_take_signal(void);

#endif
