#define _WIN32_WINNT 0x0A00
#include "qvm/host/host_child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "qvm/host/host_windows.h"

/* Children ----------------------------------------------------------------------------------------
 */

#define KILLED_STATUS 137 /* as shells of other hosts show it: 128 and the signal */

struct host_child {
    HANDLE process;
    HANDLE life; /* its input: nothing, until this is closed */
    struct feed *out;
};

/* As the system takes it apart again (CommandLineToArgvW): '"' and what is '\' before it get a '\'
 */
static void put_argument(struct bytes *line, const char *argument)
{
    size_t slashes = 0;
    bytes_put(line, " \"", 2);
    for (; *argument; argument++) {
        if (*argument == '"')
            for (size_t i = 0; i < slashes + 1; i++)
                bytes_put(line, "\\", 1);
        slashes = *argument == '\\' ? slashes + 1 : 0;
        bytes_put(line, argument, 1);
    }
    for (size_t i = 0; i < slashes; i++)
        bytes_put(line, "\\", 1);
    bytes_put(line, "\"", 1);
}

static wchar_t *command_line(char *const *arguments)
{
    struct bytes line = {0};
    bytes_put(&line, "qvm", 3);
    for (; *arguments; arguments++)
        put_argument(&line, *arguments);
    bytes_put(&line, "", 1);
    wchar_t *all = windows_wide((const char *)line.data);
    bytes_free(&line);
    return all;
}

/* With these handles and no others. */
static bool spawn(struct host_child *c, HANDLE in, HANDLE out, wchar_t *line)
{
    static wchar_t path[32768];
    union {
        uint8_t room[256];
        void *align;
    } attributes;
    HANDLE handles[] = {in, out};
    SIZE_T size = sizeof attributes;
    PROCESS_INFORMATION about;
    STARTUPINFOEXW start = {
        .StartupInfo = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = in},
        .lpAttributeList = (LPPROC_THREAD_ATTRIBUTE_LIST)&attributes};
    start.StartupInfo.hStdOutput = start.StartupInfo.hStdError = out;
    if (!GetModuleFileNameW(NULL, path, sizeof path / sizeof path[0]) ||
        !InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &size))
        return false;
    bool ok = UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                        handles, sizeof handles, NULL, NULL) &&
              CreateProcessW(path, line, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                             &start.StartupInfo, &about);
    DeleteProcThreadAttributeList(start.lpAttributeList);
    if (!ok)
        return false;
    CloseHandle(about.hThread);
    c->process = about.hProcess;
    return true;
}

/* `given` is the end that a child may get. */
static bool make_pipe(HANDLE *reads, HANDLE *writes, HANDLE *given)
{
    return CreatePipe(reads, writes, NULL, 0) &&
           SetHandleInformation(*given, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

static void close_end(HANDLE end)
{
    if (end)
        CloseHandle(end);
}

struct host_child *host_child_start(char *const *arguments, struct error *e)
{
    HANDLE in = NULL, life = NULL, from = NULL, out = NULL;
    struct host_child *c = calloc(1, sizeof *c);
    CHECK_ROOM(c);
    wchar_t *line = command_line(arguments);
    bool ok = make_pipe(&in, &life, &in) && make_pipe(&from, &out, &out) && spawn(c, in, out, line);
    if (!ok)
        error_set(e, "no other process can be started: %s", windows_reason());
    free(line);
    close_end(in);
    close_end(out);
    if (ok) {
        c->life = life;
        c->out = feed_new(from);
        return c;
    }
    close_end(life);
    close_end(from);
    free(c);
    return NULL;
}

bool host_child_is_alone(void)
{
    struct host_source input = host_console_source();
    return host_wait(&input, 1, 0);
}

struct host_source host_child_source(const struct host_child *c)
{
    return feed_source(c->out);
}

size_t host_child_read(struct host_child *c, void *to, size_t size, bool *ended)
{
    bool at_end = false;
    size_t got = feed_read(c->out, to, size, &at_end);
    *ended |= at_end;
    return got;
}

void host_child_kill(struct host_child *c)
{
    TerminateProcess(c->process, KILLED_STATUS);
}

int host_child_end(struct host_child *c)
{
    DWORD status = 0;
    CloseHandle(c->life);
    WaitForSingleObject(c->process, INFINITE);
    GetExitCodeProcess(c->process, &status);
    CloseHandle(c->process);
    feed_free(c->out);
    free(c);
    bool exited = status <= 128;
    return exited ? (int)status : status < 256 ? 128 - (int)status : -(int)(status & 0x3fffffff);
}

unsigned host_cpus(void)
{
    DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count ? count : 1;
}

bool host_output_is_terminal(void)
{
    DWORD mode;
    return GetConsoleMode(windows_standard(1), &mode);
}

/* Folders -----------------------------------------------------------------------------------------
 */

/* 0: nothing of that name. */
static DWORD attributes_of(const char *path)
{
    wchar_t *name = windows_path(path);
    DWORD attributes = GetFileAttributesW(name);
    free(name);
    return attributes == INVALID_FILE_ATTRIBUTES ? 0 : attributes;
}

bool host_is_folder(const char *path)
{
    return attributes_of(path) & FILE_ATTRIBUTE_DIRECTORY;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct host_entry *)a)->name, ((const struct host_entry *)b)->name);
}

/* A link to a folder is none: it may lead around in a circle. */
static void put_entry(struct host_folder *f, const WIN32_FIND_DATAW *found)
{
    DWORD kind =
        found->dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT);
    if (wcscmp(found->cFileName, L".") == 0 || wcscmp(found->cFileName, L"..") == 0)
        return;
    f->entries = array_grow(f->entries, f->count, sizeof *f->entries);
    f->entries[f->count++] = (struct host_entry){.name = windows_narrow(found->cFileName),
                                                 .is_folder = kind == FILE_ATTRIBUTE_DIRECTORY};
}

static char *joined(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    CHECK_ROOM(path);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

bool host_folder_read(const char *path, struct host_folder *f, struct error *e)
{
    WIN32_FIND_DATAW found;
    char *all = joined(path, "*");
    wchar_t *pattern = windows_path(all);
    HANDLE search = FindFirstFileW(pattern, &found);
    free(pattern);
    free(all);
    *f = (struct host_folder){0};
    if (search == INVALID_HANDLE_VALUE)
        return error_set(e, "cannot read the folder '%s': %s", path, windows_reason());
    do
        put_entry(f, &found);
    while (FindNextFileW(search, &found));
    FindClose(search);
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
    wchar_t *name = windows_path(path);
    bool made = CreateDirectoryW(name, NULL);
    free(name);
    if (made || (GetLastError() == ERROR_ALREADY_EXISTS && host_is_folder(path)))
        return true;
    return error_set(e, "cannot make the folder '%s': %s", path, windows_reason());
}

void host_folder_drop(const char *path)
{
    wchar_t *name = windows_path(path);
    RemoveDirectoryW(name);
    free(name);
}

/* The folder of temporary files is the user's own already. */
bool host_scratch_make(char *path, size_t size, struct error *e)
{
    uint32_t number = 0;
    host_random(&number, sizeof number);
    snprintf(path, size, "%s/qvm-%08x", host_temporary_folder(), number);
    if (attributes_of(path))
        return error_set(e, "cannot make a folder '%s': File exists", path);
    return host_folder_make(path, e);
}

void host_scratch_remove(const char *path)
{
    struct host_folder f;
    struct error ignored = {0};
    if (!host_folder_read(path, &f, &ignored))
        return;
    for (size_t i = 0; i < f.count; i++) {
        char *inside = joined(path, f.entries[i].name);
        if (f.entries[i].is_folder)
            host_scratch_remove(inside);
        else
            host_remove(inside);
        free(inside);
    }
    host_folder_free(&f);
    host_folder_drop(path);
}

bool host_remove(const char *path)
{
    wchar_t *name = windows_path(path);
    bool ok = DeleteFileW(name);
    free(name);
    return ok;
}

bool host_rename(const char *from, const char *to)
{
    wchar_t *a = windows_path(from), *b = windows_path(to);
    bool ok = MoveFileExW(a, b, MOVEFILE_REPLACE_EXISTING);
    free(a);
    free(b);
    return ok;
}
