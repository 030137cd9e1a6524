#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include "qvm/host/host_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "emu/array.h"
#include "emu/check.h"

extern char **environ;

/* Children ----------------------------------------------------------------------------------------
 */

struct host_child {
    pid_t pid;
    int out;  /* what it prints comes from here */
    int life; /* its input: nothing, until this is closed */
};

static bool program_path(char *path, size_t size)
{
#ifdef __APPLE__
    uint32_t room = (uint32_t)size;
    return _NSGetExecutablePath(path, &room) == 0;
#else
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    return true;
#endif
}

static bool spawn(struct host_child *c, int in, int out, char *const *arguments)
{
    char path[PATH_MAX];
    posix_spawn_file_actions_t actions;
    if (!program_path(path, sizeof path) || posix_spawn_file_actions_init(&actions) != 0)
        return false;
    bool ok = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO) == 0;
    int why_not = ok ? posix_spawn(&c->pid, path, &actions, NULL, arguments, environ) : ENOMEM;
    posix_spawn_file_actions_destroy(&actions);
    errno = why_not;
    return why_not == 0;
}

/* Whose ends only those get that they are given to. */
static bool own_pipe(int ends[2])
{
    return pipe(ends) == 0 && fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
}

static void close_end(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct host_child *host_child_start(char *const *arguments, struct error *e)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    size_t count = 0;
    while (arguments[count])
        count++;
    char **all = calloc(count + 2, sizeof *all);
    struct host_child *c = calloc(1, sizeof *c);
    CHECK_ROOM(all && c);
    all[0] = (char *)"qvm";
    memcpy(all + 1, arguments, count * sizeof *all);
    bool ok = own_pipe(in) && own_pipe(out) && spawn(c, in[0], out[1], all);
    free(all);
    close_end(in[0]);
    close_end(out[1]);
    c->out = out[0];
    c->life = in[1];
    if (ok)
        return c;
    error_set(e, "no other process can be started: %s", strerror(errno));
    close_end(out[0]);
    close_end(in[1]);
    free(c);
    return NULL;
}

bool host_child_is_alone(void)
{
    struct host_source input = {STDIN_FILENO};
    return host_wait(&input, 1, 0);
}

struct host_source host_child_source(const struct host_child *c)
{
    return (struct host_source){c->out};
}

size_t host_child_read(struct host_child *c, void *to, size_t size, bool *ended)
{
    struct host_source source = host_child_source(c);
    if (!host_wait(&source, 1, 0))
        return 0;
    ssize_t got = read(c->out, to, size);
    *ended |= got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
    return got > 0 ? (size_t)got : 0;
}

void host_child_kill(struct host_child *c)
{
    kill(c->pid, SIGKILL);
}

int host_child_end(struct host_child *c)
{
    int status = 0;
    close(c->out);
    close(c->life);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    free(c);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

unsigned host_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

bool host_output_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

/* Folders -----------------------------------------------------------------------------------------
 */

bool host_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct host_entry *)a)->name, ((const struct host_entry *)b)->name);
}

/* A link to a folder is none: it may lead around in a circle. */
static void find_kind(const char *folder, struct host_entry *entry)
{
    char path[PATH_MAX];
    struct stat st;
    int size = snprintf(path, sizeof path, "%s/%s", folder, entry->name);
    if (size < 0 || (size_t)size >= sizeof path)
        return;
    entry->is_folder = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
    entry->is_special = stat(path, &st) == 0 && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode);
}

bool host_folder_read(const char *path, struct host_folder *f, struct error *e)
{
    DIR *folder = opendir(path);
    *f = (struct host_folder){0};
    if (!folder)
        return error_set(e, "cannot read the folder '%s': %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        f->entries = array_grow(f->entries, f->count, sizeof *f->entries);
        char *name = malloc(strlen(entry->d_name) + 1);
        CHECK_ROOM(name);
        f->entries[f->count] = (struct host_entry){.name = strcpy(name, entry->d_name)};
        find_kind(path, &f->entries[f->count++]);
    }
    closedir(folder);
    if (f->count)
        qsort(f->entries, f->count, sizeof *f->entries, by_name);
    return true;
}

void host_folder_free(struct host_folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->entries[i].name);
    free(f->entries);
    *f = (struct host_folder){0};
}

bool host_folder_make(const char *path, struct error *e)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && host_is_folder(path)))
        return true;
    return error_set(e, "cannot make the folder '%s': %s", path, strerror(errno));
}

void host_folder_drop(const char *path)
{
    rmdir(path);
}

bool host_scratch_make(char *path, size_t size, struct error *e)
{
    snprintf(path, size, "%s/qvm-XXXXXX", host_temporary_folder());
    return mkdtemp(path) || error_set(e, "cannot make a folder '%s': %s", path, strerror(errno));
}

void host_scratch_remove(const char *path)
{
    struct host_folder f;
    struct error ignored = {0};
    if (!host_folder_read(path, &f, &ignored))
        return;
    for (size_t i = 0; i < f.count; i++) {
        char inside[PATH_MAX];
        snprintf(inside, sizeof inside, "%s/%s", path, f.entries[i].name);
        if (f.entries[i].is_folder)
            host_scratch_remove(inside);
        else
            unlink(inside);
    }
    host_folder_free(&f);
    rmdir(path);
}

bool host_remove(const char *path)
{
    return unlink(path) == 0;
}

bool host_rename(const char *from, const char *to)
{
    return rename(from, to) == 0;
}
