/* The host functions on Windows 10 and newer. Names and arguments are UTF-8 for the program, and
 * the system's wide characters in here. */
#define _WIN32_WINNT 0x0A00
#include "qvm/host/host.h"

#include "emu/check.h"
#include "hv/board.h"

#include <winsock2.h> /* before windows.h, which would bring its predecessor */
#include <windows.h>
#include <winternl.h>
#include <ws2tcpip.h>
#include <bcrypt.h>
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text
 * -------------------------------------------------------------------------------------------------
 */

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION /* older headers lack it */
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2
#endif

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Owned by the caller. */
static wchar_t *wide(const char *text)
{
    int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *to = calloc((size_t)length + 1, sizeof *to);
    CHECK_ROOM(to);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, to, length);
    return to;
}

/* Owned by the caller. */
static char *narrow(const wchar_t *text)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *to = calloc(1, (size_t)length + 1);
    CHECK_ROOM(to);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, to, length, NULL, NULL);
    return to;
}

/* Longer names than MAX_PATH are only understood whole and with a prefix, which no shorter one
 * gets: it would also make "nul" and "a/b" names of files. */
static wchar_t *wide_path(const char *path)
{
    static const wchar_t local[] = L"\\\\?\\", remote[] = L"\\\\?\\UNC";
    wchar_t *name = wide(path);
    DWORD length = GetFullPathNameW(name, 0, NULL, NULL);
    if (length < MAX_PATH - 12 || wcsncmp(name, L"\\\\", 2) == 0) /* 12: a folder's files as well */
        return name;
    wchar_t *whole = calloc(length + sizeof remote / sizeof remote[0], sizeof *whole);
    CHECK_ROOM(whole);
    wcscpy(whole, local);
    GetFullPathNameW(name, length, whole + wcslen(local), NULL);
    free(name);
    return whole;
}

/* What the last call to the system complained of, as other hosts say it where they have a word for
 * it. */
static const char *reason(void)
{
    static const struct {
        DWORD number;
        const char *text;
    } known[] = {
        {ERROR_FILE_NOT_FOUND, "No such file or directory"},
        {ERROR_PATH_NOT_FOUND, "No such file or directory"},
        {ERROR_INVALID_NAME, "No such file or directory"},
        {ERROR_BAD_NETPATH, "No such file or directory"},
        {ERROR_ACCESS_DENIED, "Permission denied"},
        {ERROR_DIRECTORY, "Not a directory"},
        {ERROR_FILE_EXISTS, "File exists"},
        {ERROR_DISK_FULL, "No space left on device"},
        {WSAEADDRINUSE, "Address already in use"},
    };
    static char text[200];
    wchar_t words[200];
    DWORD number = GetLastError();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].number == number)
            return known[i].text;
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  number, 0, words, sizeof words / sizeof words[0], NULL);
    while (length && wcschr(L"\r\n. ", words[length - 1]))
        length--;
    int size =
        WideCharToMultiByte(CP_UTF8, 0, words, (int)length, text, sizeof text - 1, NULL, NULL);
    text[size] = 0;
    if (size == 0)
        snprintf(text, sizeof text, "error %lu", number);
    return text;
}

/* Start -------------------------------------------------------------------------------------------
 */

static void catch_faults(void);
static void commit_touched_memory(void);
static void make_wakeable(void);
static HANDLE standard_handle(int fd);

static UINT code_page_before;

static void restore_code_page(void)
{
    SetConsoleOutputCP(code_page_before);
}

/* Each is opened so that using it fails, as it would have: what is printed is known to be lost. */
static void take_descriptor(int fd)
{
    int taken = _wopen(L"NUL", fd == 0 ? _O_WRONLY : _O_RDONLY);
    if (taken < 0 || (taken != fd && (_dup2(taken, fd) != 0 || _close(taken) != 0)))
        _exit(EXIT_FAILURE); /* there is no way to say why */
}

/* Without the C library's own idea of them: it would take ? and * for names of files. */
static void arguments_in_utf8(int *argc, char ***argv)
{
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), argc);
    char **to = words ? calloc((size_t)*argc + 1, sizeof *to) : NULL;
    CHECK_ROOM(to);
    for (int i = 0; i < *argc; i++)
        to[i] = narrow(words[i]);
    LocalFree(words);
    *argv = to;
}

void host_start(int *argc, char ***argv)
{
    for (int fd = 0; fd < 3; fd++) {
        if (GetFileType(standard_handle(fd)) == FILE_TYPE_UNKNOWN && GetLastError() != NO_ERROR)
            take_descriptor(fd);
        _setmode(fd, _O_BINARY);
    }
    code_page_before = GetConsoleOutputCP();
    if (code_page_before && SetConsoleOutputCP(CP_UTF8)) /* else there is no console */
        atexit(restore_code_page);
    make_wakeable();
    commit_touched_memory();
    catch_faults();
    arguments_in_utf8(argc, argv);
}

/* Files -------------------------------------------------------------------------------------------
 */

static HANDLE open_path(const char *path, DWORD access, DWORD disposition, DWORD flags)
{
    wchar_t *name = wide_path(path);
    HANDLE file = CreateFileW(name, access, SHARE_ALL, NULL, disposition, flags, NULL);
    DWORD why = GetLastError();
    free(name);
    SetLastError(why);
    return file;
}

static HANDLE close_keeping_error(HANDLE file)
{
    DWORD why = GetLastError();
    CloseHandle(file);
    SetLastError(why);
    return INVALID_HANDLE_VALUE;
}

static uint64_t two_halves(DWORD high, DWORD low)
{
    return (uint64_t)high << 32 | low;
}

static uint64_t file_size(const BY_HANDLE_FILE_INFORMATION *about)
{
    return two_halves(about->nFileSizeHigh, about->nFileSizeLow);
}

/* Files of a disk, that is: no devices, pipes or folders. */
static bool is_regular(HANDLE file, BY_HANDLE_FILE_INFORMATION *about)
{
    return GetFileType(file) == FILE_TYPE_DISK && GetFileInformationByHandle(file, about) &&
           !(about->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* How much of it is read or written in one call, which counts in 32 bits. */
static DWORD part_of(uint64_t size)
{
    return size < (1u << 30) ? (DWORD)size : 1u << 30;
}

/* 0: the end; -1: an error. */
static int64_t read_some(HANDLE file, void *to, size_t size)
{
    DWORD got = 0;
    if (ReadFile(file, to, part_of(size), &got, NULL))
        return got;
    return GetLastError() == ERROR_BROKEN_PIPE || GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
}

static OVERLAPPED place_in_file(uint64_t offset)
{
    OVERLAPPED place;
    memset(&place, 0, sizeof place);
    place.Offset = (DWORD)offset;
    place.OffsetHigh = (DWORD)(offset >> 32);
    return place;
}

/* The system does not touch memory as a program does (host_take_memory): it finds it committed. */
static void touch_all(const uint8_t *from, size_t size)
{
    const volatile uint8_t *data = from;
    for (size_t i = 0; i < size; i += 4096)
        (void)data[i];
    if (size)
        (void)data[size - 1];
}

static bool write_all(HANDLE file, const void *data, size_t size)
{
    const uint8_t *from = data;
    DWORD put = 1;
    touch_all(from, size);
    for (; size && put; from += put, size -= put)
        if (!WriteFile(file, from, part_of(size), &put, NULL))
            return false;
    return size == 0;
}

/* Up to `most` bytes. */
static bool read_part(HANDLE file, size_t most, struct bytes *out)
{
    uint8_t part[65536];
    int64_t got = 1;
    for (; most && got > 0; most -= (size_t)got) {
        got = read_some(file, part, most < sizeof part ? most : sizeof part);
        if (got > 0)
            bytes_put(out, part, (size_t)got);
        else
            break;
    }
    return got >= 0;
}

/* As many bytes as the file says that it has, without a copy; then those it has got since, or all
 * that a stream has. */
static bool read_all(HANDLE file, const char *path, uint64_t likely, struct bytes *out,
                     struct error *e)
{
    int64_t got = 1;
    if (!bytes_try_reserve(out, likely)) {
        error_set(e, "the host has no room for the %llu bytes of '%s'", (unsigned long long)likely,
                  path);
        return error_exit_status(e, STATUS_NOT_STARTED);
    }
    for (size_t left = (size_t)likely; left; left -= (size_t)got, out->size += (size_t)got) {
        got = read_some(file, out->data + out->size, left);
        if (got <= 0)
            break;
    }
    size_t before = out->size;
    if (got < 0 || !read_part(file, HOST_STREAM_MAX + 1, out))
        return error_set(e, "cannot read '%s': %s", path, reason());
    return out->size - before <= HOST_STREAM_MAX ||
           error_set(e, "'%s' goes on behind %zu MiB", path, HOST_STREAM_MAX >> 20);
}

/* `*likely`: how many bytes it may have. */
static HANDLE open_to_read(const char *path, size_t *likely, struct error *e)
{
    /* With that flag folders are opened, too, or they could not be told from what is forbidden. */
    HANDLE file = open_path(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    BY_HANDLE_FILE_INFORMATION about = {0};
    *likely = 0;
    if (file == INVALID_HANDLE_VALUE) {
        error_set(e, "cannot open '%s': %s", path, reason());
        return file;
    }
    if (is_regular(file, &about))
        *likely = (size_t)file_size(&about);
    if (!(about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        return file;
    error_set(e, "'%s' is a directory", path);
    return close_keeping_error(file);
}

bool host_read_file(const char *path, struct bytes *out, struct error *e)
{
    size_t likely;
    HANDLE file = open_to_read(path, &likely, e);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool ok = read_all(file, path, likely, out, e);
    CloseHandle(file);
    return ok;
}

/* A view of the whole file, or NULL. */
static const uint8_t *map_file(HANDLE file)
{
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    const uint8_t *view = mapping ? MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0) : NULL;
    if (mapping)
        CloseHandle(mapping);
    return view;
}

bool host_view_open(const char *path, struct host_view *v, struct error *e)
{
    size_t likely;
    HANDLE file = open_to_read(path, &likely, e);
    *v = (struct host_view){0};
    if (file == INVALID_HANDLE_VALUE)
        return false;
    const uint8_t *mapped = likely ? map_file(file) : NULL;
    bool ok = mapped || read_all(file, path, likely, &v->copy, e);
    CloseHandle(file);
    v->data = mapped ? mapped : v->copy.data;
    v->size = mapped ? likely : v->copy.size;
    return ok;
}

void host_view_close(struct host_view *v)
{
    if (v->data && !v->copy.data)
        UnmapViewOfFile(v->data);
    bytes_free(&v->copy);
    *v = (struct host_view){0};
}

/* Files that a guest names
 * -------------------------------------------------------------------------------------------------
 */

/* One part of a name, in the folder `above` and nowhere else: at this door of the system's a name
 * is no device and loses no dot at its end; and the link itself is opened, not what it leads to. */
static HANDLE open_part(HANDLE above, const char *part, size_t length, ACCESS_MASK access,
                        ULONG disposition, ULONG options)
{
    wchar_t name[256];
    int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, part, (int)length, name, 255);
    UNICODE_STRING counted = {(USHORT)(count * 2), (USHORT)(count * 2), name};
    OBJECT_ATTRIBUTES which;
    IO_STATUS_BLOCK done;
    HANDLE file;
    if (count == 0 || memchr(part, '\\', length) || memchr(part, ':', length)) {
        SetLastError(ERROR_ACCESS_DENIED); /* more than one part, or a stream of a file */
        return INVALID_HANDLE_VALUE;
    }
    InitializeObjectAttributes(&which, &counted, OBJ_CASE_INSENSITIVE, above, NULL);
    NTSTATUS status = NtCreateFile(
        &file, access | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &which, &done, NULL,
        FILE_ATTRIBUTE_NORMAL, SHARE_ALL, disposition,
        options | (ULONG)(FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT), NULL, 0);
    if (status >= 0)
        return file;
    SetLastError(RtlNtStatusToDosError(status));
    return INVALID_HANDLE_VALUE;
}

/* The same, unless it is a link of any kind. */
static HANDLE open_no_link(HANDLE above, const char *part, size_t length, ACCESS_MASK access,
                           ULONG disposition, ULONG options)
{
    HANDLE file = open_part(above, part, length, access, disposition, options);
    BY_HANDLE_FILE_INFORMATION about;
    if (file == INVALID_HANDLE_VALUE || (GetFileInformationByHandle(file, &about) &&
                                         !(about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)))
        return file;
    SetLastError(ERROR_ACCESS_DENIED);
    return close_keeping_error(file);
}

/* Part by part, as a link may stand for any of them. */
static HANDLE open_below(const char *folder, const char *name, ACCESS_MASK access,
                         ULONG disposition)
{
    HANDLE at = open_path(folder, FILE_TRAVERSE, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    for (const char *slash; at != INVALID_HANDLE_VALUE && (slash = strchr(name, '/'));
         name = slash + 1) {
        HANDLE above = at;
        at = open_no_link(above, name, (size_t)(slash - name), FILE_TRAVERSE, FILE_OPEN,
                          FILE_DIRECTORY_FILE);
        close_keeping_error(above);
    }
    if (at == INVALID_HANDLE_VALUE)
        return at;
    HANDLE file =
        open_no_link(at, name, strlen(name), access, disposition, FILE_NON_DIRECTORY_FILE);
    close_keeping_error(at);
    return file;
}

enum probe_answer host_read_below(const char *folder, const char *name, size_t limit,
                                  struct bytes *out)
{
    enum probe_answer answer = PROBE_REFUSED;
    size_t before = out->size;
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE file = open_below(folder, name, GENERIC_READ, FILE_OPEN);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND || GetLastError() == ERROR_PATH_NOT_FOUND
                   ? PROBE_ABSENT
                   : PROBE_REFUSED;
    if (is_regular(file, &about)) {
        bool small = file_size(&about) <= limit;
        bool read = small && read_part(file, limit + 1, out);
        answer = !small || out->size - before > limit ? PROBE_TOO_LARGE
                 : read                               ? PROBE_PRESENT
                                                      : PROBE_REFUSED;
    }
    CloseHandle(file);
    return answer;
}

/* Files that are read by ranges
 * -------------------------------------------------------------------------------------------------
 */

struct host_ranges {
    HANDLE file;
    BY_HANDLE_FILE_INFORMATION opened;
};

struct host_ranges *host_ranges_open(const char *path, uint64_t *size, struct error *e)
{
    struct host_ranges *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    r->file = open_path(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (r->file == INVALID_HANDLE_VALUE)
        error_set(e, "cannot open '%s': %s", path, reason());
    else if (!is_regular(r->file, &r->opened))
        error_set(e, "'%s' is no regular file", path);
    else {
        *size = file_size(&r->opened);
        return r;
    }
    host_ranges_close(r);
    return NULL;
}

static enum range_answer compare_files(const struct host_ranges *r)
{
    BY_HANDLE_FILE_INFORMATION now;
    FILE_STANDARD_INFO standing;
    if (!GetFileInformationByHandle(r->file, &now) ||
        !GetFileInformationByHandleEx(r->file, FileStandardInfo, &standing, sizeof standing))
        return RANGE_UNREADABLE;
    if (standing.DeletePending || standing.NumberOfLinks == 0)
        return RANGE_VANISHED;
    if (file_size(&now) < file_size(&r->opened))
        return RANGE_SHORTER;
    bool same = file_size(&now) == file_size(&r->opened) &&
                CompareFileTime(&now.ftLastWriteTime, &r->opened.ftLastWriteTime) == 0;
    return same ? RANGE_GIVEN : RANGE_CHANGED;
}

static bool read_at(HANDLE file, uint64_t offset, uint8_t *to, size_t size)
{
    DWORD got = 1;
    for (; size && got; offset += got, to += got, size -= got) {
        OVERLAPPED place = place_in_file(offset);
        if (!ReadFile(file, to, part_of(size), &got, &place))
            return false;
    }
    return size == 0;
}

/* Whether it is what it was is asked behind the read: what changes later was not read. */
enum range_answer host_ranges_read(struct host_ranges *r, uint64_t offset, size_t size,
                                   struct bytes *out)
{
    if (!bytes_try_reserve(out, size))
        return RANGE_UNREADABLE;
    bool read = read_at(r->file, offset, out->data + out->size, size);
    bool at_end = !read && GetLastError() == ERROR_HANDLE_EOF;
    enum range_answer answer = compare_files(r);
    if (answer == RANGE_GIVEN && !read)
        answer = at_end ? RANGE_SHORTER : RANGE_UNREADABLE;
    if (answer == RANGE_GIVEN)
        out->size += size;
    return answer;
}

void host_ranges_close(struct host_ranges *r)
{
    if (r->file != INVALID_HANDLE_VALUE)
        CloseHandle(r->file);
    free(r);
}

size_t host_read_start(const char *path, void *to, size_t size)
{
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE file = open_path(path, GENERIC_READ, OPEN_EXISTING, 0);
    if (file == INVALID_HANDLE_VALUE)
        return 0;
    int64_t got = is_regular(file, &about) ? read_some(file, to, size) : 0;
    CloseHandle(file);
    return got > 0 ? (size_t)got : 0;
}

/* Files that are written
 * -------------------------------------------------------------------------------------------------
 */

struct host_file {
    HANDLE handle;
    FILE *pipe; /* NULL: it is none */
    bool ends_in_hole;
    bool failed; /* something was not written */
};

static struct host_file *opened(HANDLE handle, FILE *pipe, const char *what, struct error *e)
{
    struct host_file *f = calloc(1, sizeof *f);
    if (handle == INVALID_HANDLE_VALUE || !f) {
        error_set(e, "cannot %s '%s': %s", pipe ? "run" : "open", what, reason());
        free(f);
        return NULL;
    }
    *f = (struct host_file){.handle = handle, .pipe = pipe};
    return f;
}

struct host_file *host_create(const char *path, struct error *e)
{
    return opened(open_path(path, GENERIC_WRITE, CREATE_ALWAYS, 0), NULL, path, e);
}

struct host_file *host_create_new(const char *path, bool *taken, struct error *e)
{
    HANDLE file = open_path(path, GENERIC_WRITE, CREATE_NEW, FILE_FLAG_OPEN_REPARSE_POINT);
    *taken = file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_EXISTS;
    return opened(file, NULL, path, e);
}

struct host_file *host_open(const char *path, struct error *e)
{
    return opened(open_path(path, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0), NULL, path, e);
}

struct host_file *host_pipe(const char *command, struct error *e)
{
    wchar_t *words = wide(command);
    fflush(NULL);
    FILE *pipe = _wpopen(words, L"wb");
    free(words);
    if (pipe)
        return opened((HANDLE)_get_osfhandle(_fileno(pipe)), pipe, command, e);
    error_set(e, "cannot run '%s': %s", command, strerror(errno));
    return NULL;
}

bool host_exists(const char *path)
{
    wchar_t *name = wide_path(path);
    bool exists = GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES;
    free(name);
    return exists;
}

static bool look_at(const char *path, BY_HANDLE_FILE_INFORMATION *about)
{
    HANDLE file = open_path(path, 0, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool ok = GetFileInformationByHandle(file, about);
    CloseHandle(file);
    return ok;
}

bool host_same_file(const char *a, const char *b)
{
    BY_HANDLE_FILE_INFORMATION x, y;
    if (!look_at(a, &x) || !look_at(b, &y))
        return strcmp(a, b) == 0;
    return x.dwVolumeSerialNumber == y.dwVolumeSerialNumber &&
           x.nFileIndexHigh == y.nFileIndexHigh && x.nFileIndexLow == y.nFileIndexLow;
}

/* Nothing is kept in here: whatever ends this process, the file has it. */
bool host_append(struct host_file *f, const void *data, size_t size)
{
    bool ok = write_all(f->handle, data, size);
    f->ends_in_hole &= size == 0;
    f->failed |= !ok;
    return ok;
}

static bool move_to(const struct host_file *f, uint64_t offset, DWORD from)
{
    LARGE_INTEGER place = {.QuadPart = (LONGLONG)offset};
    return SetFilePointerEx(f->handle, place, NULL, from);
}

bool host_replace(struct host_file *f, uint64_t offset, const void *data, size_t size)
{
    OVERLAPPED place = place_in_file(offset);
    DWORD put = 0;
    touch_all(data, size);
    return GetFileType(f->handle) == FILE_TYPE_DISK && size <= MAXDWORD &&
           WriteFile(f->handle, data, (DWORD)size, &put, &place) && put == size &&
           move_to(f, 0, FILE_END);
}

bool host_append_zeros(struct host_file *f, size_t size)
{
    static const uint8_t zeros[4096];
    DWORD none;
    f->ends_in_hole = GetFileType(f->handle) == FILE_TYPE_DISK && move_to(f, size, FILE_CURRENT);
    if (f->ends_in_hole) /* where the file system can, the hole takes no room */
        DeviceIoControl(f->handle, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &none, NULL);
    bool ok = true;
    for (size_t at = 0; at < size && ok && !f->ends_in_hole; at += sizeof zeros)
        ok = host_append(f, zeros, size - at < sizeof zeros ? size - at : sizeof zeros);
    return ok;
}

bool host_close(struct host_file *f)
{
    bool ok = !f->failed;
    if (f->ends_in_hole) /* a file is as long as what was written last */
        ok = SetEndOfFile(f->handle) && ok;
    ok = (f->pipe ? _pclose(f->pipe) != -1 : CloseHandle(f->handle)) && ok;
    free(f);
    return ok;
}

static bool write_whole(struct host_file *f, const char *path, const void *data, size_t size,
                        struct error *e)
{
    if (!f)
        return false;
    bool ok = host_append(f, data, size);
    DWORD why = GetLastError();
    ok = host_close(f) && ok;
    SetLastError(why);
    return ok || error_set(e, "cannot write '%s': %s", path, reason());
}

bool host_write_file(const char *path, const void *data, size_t size, struct error *e)
{
    return write_whole(host_create(path, e), path, data, size, e);
}

bool host_write_below(const char *folder, const char *name, const void *data, size_t size,
                      struct error *e)
{
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE file = open_below(folder, name, GENERIC_WRITE, FILE_OPEN_IF);
    if (file != INVALID_HANDLE_VALUE && !is_regular(file, &about)) {
        CloseHandle(file);
        return error_set(e, "it is no regular file");
    }
    if (file != INVALID_HANDLE_VALUE && !SetEndOfFile(file))
        file = close_keeping_error(file);
    return write_whole(opened(file, NULL, name, e), name, data, size, e);
}

/* Waiting
 * -------------------------------------------------------------------------------------------------
 */

/* Consoles, pipes and sockets cannot be waited for in one way: whatever comes, from any of them or
 * as a signal, sets one event, and then all are asked. */
static HANDLE something_came, timer;
static volatile LONG signal_came; /* since a wait was last ended by one */

static void make_wakeable(void)
{
    if (something_came)
        return;
    something_came = CreateEventW(NULL, TRUE, FALSE, NULL);
    timer =
        CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    if (!timer) /* Windows before 10.0.17134 */
        timer = CreateWaitableTimerExW(NULL, NULL, 0, TIMER_ALL_ACCESS);
    CHECK(something_came && timer);
}

struct waited {
    bool (*is_ready)(const struct waited *w); /* something to read, or it has ended */
};

static struct host_source source_of(const struct waited *w)
{
    return (struct host_source){(intptr_t)w};
}

static bool any_is_ready(const struct host_source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct waited *w = (const struct waited *)sources[i].handle;
        if (w->is_ready(w))
            return true;
    }
    return false;
}

#define LONGEST_NS ((uint64_t)1 << 60)

static void sleep_until_something(uint64_t ns)
{
    HANDLE both[] = {something_came, timer};
    LARGE_INTEGER due = {.QuadPart = -(LONGLONG)((ns < LONGEST_NS ? ns + 99 : LONGEST_NS) / 100)};
    SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE); /* negative: from now on */
    WaitForMultipleObjects(2, both, FALSE, INFINITE);
}

bool host_wait(const struct host_source *sources, size_t count, uint64_t ns)
{
    uint64_t from = host_monotonic_ns(), spent = 0;
    make_wakeable();
    for (;;) {
        ResetEvent(something_came); /* before they are asked: what comes later sets it again */
        bool ready = any_is_ready(sources, count);
        bool signalled = ns && InterlockedExchange(&signal_came, 0);
        if (ready || signalled || spent >= ns)
            return ready;
        sleep_until_something(ns - spent);
        spent = host_monotonic_ns() - from;
    }
}

/* Reading without waiting
 * -------------------------------------------------------------------------------------------------
 */

/* A thread waits in the system for what is read; not for files, which always have something. It
 * fills `data` only while `size` is 0, and others empty it only then. */
struct feed {
    struct waited waited;
    HANDLE from, thread; /* thread NULL: a file */
    SRWLOCK lock;        /* for what follows */
    CONDITION_VARIABLE emptied;
    uint8_t data[4096];
    size_t size, at;
    bool ended, closing;
    wchar_t half; /* of a character from a console: the other one is still to come */
};

/* A console's characters in UTF-8. */
static int64_t read_typed(struct feed *r)
{
    wchar_t typed[sizeof r->data / 3]; /* which takes three bytes for each at most */
    DWORD held = r->half ? 1 : 0, got = 0;
    typed[0] = r->half;
    if (!ReadConsoleW(r->from, typed + held, sizeof typed / sizeof typed[0] - held, &got, NULL))
        return -1;
    got += held;
    r->half = got && IS_HIGH_SURROGATE(typed[got - 1]) ? typed[--got] : 0;
    return WideCharToMultiByte(CP_UTF8, 0, typed, (int)got, (char *)r->data, sizeof r->data, NULL,
                               NULL);
}

static bool is_console(HANDLE handle)
{
    DWORD mode;
    return GetConsoleMode(handle, &mode);
}

/* Hands over what was read; false: there is nothing more to do. */
static bool hand_over(struct feed *r, int64_t got)
{
    AcquireSRWLockExclusive(&r->lock);
    r->size = got > 0 ? (size_t)got : 0;
    r->ended = got <= 0 && !r->half;
    SetEvent(something_came);
    while (r->size && !r->closing)
        SleepConditionVariableSRW(&r->emptied, &r->lock, INFINITE, 0);
    bool goes_on = !r->ended && !r->closing;
    ReleaseSRWLockExclusive(&r->lock);
    return goes_on;
}

static DWORD WINAPI read_for_ever(void *context)
{
    struct feed *r = context;
    bool typed = is_console(r->from);
    while (hand_over(r, typed ? read_typed(r) : read_some(r->from, r->data, sizeof r->data)))
        continue;
    return 0;
}

static bool feed_is_ready(const struct waited *w)
{
    struct feed *r = (struct feed *)(uintptr_t)w;
    AcquireSRWLockShared(&r->lock);
    bool ready = !r->thread || r->size || r->ended;
    ReleaseSRWLockShared(&r->lock);
    return ready;
}

/* It owns the handle. */
static struct feed *feed_new(HANDLE from)
{
    struct feed *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    make_wakeable();
    r->waited.is_ready = feed_is_ready;
    r->from = from;
    InitializeSRWLock(&r->lock);
    InitializeConditionVariable(&r->emptied);
    AcquireSRWLockExclusive(&r->lock);
    if (GetFileType(from) != FILE_TYPE_DISK)
        CHECK_ROOM(r->thread = CreateThread(NULL, 0, read_for_ever, r, 0, NULL));
    ReleaseSRWLockExclusive(&r->lock);
    return r;
}

static size_t take_read(struct feed *r, void *to, size_t size, bool *ended)
{
    AcquireSRWLockExclusive(&r->lock);
    size_t part = r->size - r->at < size ? r->size - r->at : size;
    *ended = r->ended && !part;
    memcpy(to, r->data + r->at, part);
    r->at += part;
    if (r->at == r->size)
        r->at = r->size = 0;
    WakeConditionVariable(&r->emptied);
    ReleaseSRWLockExclusive(&r->lock);
    return part;
}

static size_t feed_read(struct feed *r, void *to, size_t size, bool *ended)
{
    if (r->thread)
        return take_read(r, to, size, ended);
    int64_t got = read_some(r->from, to, size);
    *ended = got <= 0;
    return got > 0 ? (size_t)got : 0;
}

/* A read that the thread has not begun yet is not cancelled: another attempt is. */
static void feed_free(struct feed *r)
{
    AcquireSRWLockExclusive(&r->lock);
    r->closing = true;
    ReleaseSRWLockExclusive(&r->lock);
    WakeConditionVariable(&r->emptied);
    if (r->thread) {
        do
            CancelSynchronousIo(r->thread);
        while (WaitForSingleObject(r->thread, 1) == WAIT_TIMEOUT);
        CloseHandle(r->thread);
    }
    CloseHandle(r->from);
    free(r);
}

struct host_input {
    struct feed *feed;
};

struct host_input *host_input_open(const char *path, struct error *e)
{
    HANDLE file = open_path(path, GENERIC_READ, OPEN_EXISTING, 0);
    struct host_input *in = calloc(1, sizeof *in);
    if (file == INVALID_HANDLE_VALUE)
        error_set(e, "cannot open '%s': %s", path, reason());
    if (file != INVALID_HANDLE_VALUE && in) {
        in->feed = feed_new(file);
        return in;
    }
    free(in);
    return NULL;
}

size_t host_input_read(struct host_input *in, void *to, size_t size, bool *ended)
{
    return feed_read(in->feed, to, size, ended);
}

void host_input_close(struct host_input *in)
{
    feed_free(in->feed);
    free(in);
}

struct host_source host_input_source(const struct host_input *in)
{
    return source_of(&in->feed->waited);
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* What is committed counts against the memory that all programs can have together, whether it is
 * touched or not: addresses are reserved, and committed in such pieces where somebody touches them.
 */
#define COMMIT_SIZE ((size_t)1 << 20)

struct reserved {
    uint8_t *base;
    size_t size;
    struct reserved *next;
};

static struct reserved *all_reserved;

static const struct reserved *reserved_at(const uint8_t *address)
{
    const struct reserved *r = all_reserved;
    while (r && (address < r->base || (size_t)(address - r->base) >= r->size))
        r = r->next;
    return r;
}

static bool commit_at(const struct reserved *r, uint8_t *address)
{
    MEMORY_BASIC_INFORMATION about;
    size_t offset = (size_t)(address - r->base) / COMMIT_SIZE * COMMIT_SIZE;
    size_t left = r->size - offset;
    if (!VirtualQuery(address, &about, sizeof about) || about.State != MEM_RESERVE)
        return false;
    CHECK_ROOM(VirtualAlloc(r->base + offset, left < COMMIT_SIZE ? left : COMMIT_SIZE, MEM_COMMIT,
                            PAGE_READWRITE));
    return true;
}

static LONG WINAPI on_touch(EXCEPTION_POINTERS *at)
{
    const EXCEPTION_RECORD *what = at->ExceptionRecord;
    if (what->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || what->NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH;
    uint8_t *address = (uint8_t *)what->ExceptionInformation[1];
    const struct reserved *r = reserved_at(address);
    return r && commit_at(r, address) ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

static void commit_touched_memory(void)
{
    CHECK(AddVectoredExceptionHandler(1, on_touch));
}

void *host_take_memory(size_t size)
{
    struct reserved *r = calloc(1, sizeof *r);
    if (r && (r->base = VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE))) {
        r->size = size;
        r->next = all_reserved;
        all_reserved = r;
        return r->base;
    }
    free(r);
    return NULL;
}

void host_give_memory(void *memory, size_t size)
{
    struct reserved **at = &all_reserved;
    (void)size;
    while ((*at)->base != memory)
        at = &(*at)->next;
    struct reserved *r = *at;
    *at = r->next;
    VirtualFree(memory, 0, MEM_RELEASE);
    free(r);
}

/* Clock, environment, random numbers
 * ---------------------------------------------------------------- */

/* What was asked for stays as long as the program, as other hosts' variables do. */
const char *host_environment(const char *name)
{
    wchar_t *wide_name = wide(name);
    const wchar_t *value = _wgetenv(wide_name);
    free(wide_name);
    return value ? narrow(value) : NULL;
}

const char *host_temporary_folder(void)
{
    static char *folder;
    wchar_t path[MAX_PATH + 1];
    free(folder);
    DWORD length = GetTempPathW(MAX_PATH + 1, path);
    if (length == 0 || length > MAX_PATH)
        wcscpy(path, L".");
    else if (path[length - 1] == '\\')
        path[length - 1] = 0;
    return folder = narrow(path);
}

/* In units of 100 ns. */
static uint64_t file_time(FILETIME t)
{
    return two_halves(t.dwHighDateTime, t.dwLowDateTime);
}

#define FROM_1601_TO_1970_S 11644473600

uint64_t host_wall_clock_s(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return file_time(now) / 10000000 - FROM_1601_TO_1970_S;
}

void host_time_stamp(char text[16])
{
    SYSTEMTIME t;
    GetLocalTime(&t);
    snprintf(text, 16, "%04u%02u%02u-%02u%02u%02u", t.wYear % 10000u, t.wMonth % 100u,
             t.wDay % 100u, t.wHour % 100u, t.wMinute % 100u, t.wSecond % 100u);
}

uint64_t host_monotonic_ns(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    uint64_t t = (uint64_t)ticks.QuadPart, each = (uint64_t)per_second.QuadPart;
    return t / each * 1000000000 + t % each * 1000000000 / each;
}

uint64_t host_cpu_ns(void)
{
    FILETIME begun, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &begun, &ended, &kernel, &user);
    return (file_time(kernel) + file_time(user)) * 100;
}

bool host_random(void *to, size_t size)
{
    return size <= MAXDWORD &&
           BCryptGenRandom(NULL, to, (ULONG)size, BCRYPT_USE_SYSTEM_PREFERRED_RNG) >= 0;
}

/* Standard output
 * ----------------------------------------------------------------------------------- */

static struct {
    uint8_t data[4096];
    size_t size;
} out;

static bool output_is_lost;

static HANDLE standard_handle(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

bool host_output_is_lost(void)
{
    return output_is_lost || ferror(stdout);
}

void host_flush(void)
{
    if (!write_all(standard_handle(1), out.data, out.size)) /* what a guest prints is lost */
        output_is_lost |= GetLastError() != ERROR_NO_DATA && GetLastError() != ERROR_BROKEN_PIPE;
    out.size = 0;
}

void host_print(const void *data, size_t size)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < size; i++) {
        out.data[out.size++] = from[i];
        if (out.size == sizeof out.data || from[i] == '\n')
            host_flush();
    }
}

/* Console
 * ------------------------------------------------------------------------------------------- */

static struct {
    bool raw;
    DWORD in_before, out_before;
} console;

static struct feed *keyboard; /* standard input, once somebody asks for it */

static struct feed *keyboard_feed(void)
{
    if (!keyboard)
        keyboard = feed_new(standard_handle(0));
    return keyboard;
}

void host_console_close(void)
{
    if (!console.raw)
        return;
    SetConsoleMode(standard_handle(0), console.in_before);
    SetConsoleMode(standard_handle(1), console.out_before);
    console.raw = false;
}

/* Keys as a terminal sends them, Ctrl-C among them; and what the guest prints is for a terminal. */
bool host_console_open(void)
{
    HANDLE in = standard_handle(0), to = standard_handle(1);
    if (!GetConsoleMode(in, &console.in_before))
        return false;
    console.raw = SetConsoleMode(in, ENABLE_VIRTUAL_TERMINAL_INPUT);
    if (GetConsoleMode(to, &console.out_before))
        SetConsoleMode(to, console.out_before | ENABLE_PROCESSED_OUTPUT |
                               ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    if (console.raw)
        atexit(host_console_close);
    return console.raw;
}

size_t host_console_read(void *to, size_t size, bool *ended)
{
    return feed_read(keyboard_feed(), to, size, ended);
}

struct host_source host_console_source(void)
{
    return source_of(&keyboard_feed()->waited);
}

/* A debugger's connection
 * ------------------------------------------------------------------------------------------- */

struct host_link {
    struct waited waited; /* when a socket is what is waited for */
    SOCKET listener;      /* INVALID_SOCKET: nobody else may come */
    SOCKET socket;        /* INVALID_SOCKET: nobody is there, or not by a socket */
    struct feed *feed;    /* NULL: not by standard input and output */
    int out;              /* with a feed: the descriptor */
};

static bool socket_is_ready(SOCKET s, short events, int timeout_ms)
{
    WSAPOLLFD polled = {.fd = s, .events = events};
    return WSAPoll(&polled, 1, timeout_ms) > 0;
}

static bool link_is_ready(const struct waited *w)
{
    const struct host_link *l = (const struct host_link *)w;
    return socket_is_ready(l->socket != INVALID_SOCKET ? l->socket : l->listener, POLLRDNORM, 0);
}

static struct host_link *new_link(void)
{
    struct host_link *l = malloc(sizeof *l);
    CHECK_ROOM(l);
    *l = (struct host_link){
        .waited = {link_is_ready}, .listener = INVALID_SOCKET, .socket = INVALID_SOCKET};
    return l;
}

/* A socket that listens at one address, or INVALID_SOCKET. */
static SOCKET listen_at(const struct addrinfo *at)
{
    BOOL on = TRUE;
    SOCKET s = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (s == INVALID_SOCKET)
        return s;
    /* What SO_REUSEADDR is elsewhere goes without saying here, where it lets anybody take the port.
     */
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    if (bind(s, at->ai_addr, (int)at->ai_addrlen) == 0 && listen(s, 1) == 0 &&
        WSAEventSelect(s, something_came, FD_ACCEPT) == 0)
        return s;
    int why = WSAGetLastError();
    closesocket(s);
    WSASetLastError(why);
    return INVALID_SOCKET;
}

struct host_link *host_link_listen(const char *host, const char *port, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    WSADATA about;
    SOCKET s = INVALID_SOCKET;
    make_wakeable();
    int unknown = WSAStartup(MAKEWORD(2, 2), &about);
    if (!unknown)
        unknown = getaddrinfo(host, port, &hints, &list);
    for (const struct addrinfo *at = list; at && s == INVALID_SOCKET; at = at->ai_next)
        s = listen_at(at);
    if (unknown)
        SetLastError((DWORD)unknown);
    if (s == INVALID_SOCKET)
        error_set(e, "cannot listen at '%s:%s': %s", host, port, reason());
    if (list)
        freeaddrinfo(list);
    if (s == INVALID_SOCKET)
        return NULL;
    struct host_link *l = new_link();
    l->listener = s;
    return l;
}

unsigned host_link_port(const struct host_link *l)
{
    struct sockaddr_storage at;
    int size = sizeof at;
    memset(&at, 0, sizeof at);
    getsockname(l->listener, (struct sockaddr *)&at, &size);
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

struct host_source host_link_source(const struct host_link *l)
{
    return source_of(l->feed ? &l->feed->waited : &l->waited);
}

bool host_link_accept(struct host_link *l)
{
    BOOL on = TRUE;
    if (!socket_is_ready(l->listener, POLLRDNORM, 0) ||
        (l->socket = accept(l->listener, NULL, NULL)) == INVALID_SOCKET)
        return false;
    WSAEventSelect(l->socket, something_came, FD_READ | FD_CLOSE);
    setsockopt(l->socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&on,
               sizeof on); /* short packets */
    return true;
}

static void close_if_open(SOCKET *s)
{
    if (*s != INVALID_SOCKET)
        closesocket(*s);
    *s = INVALID_SOCKET;
}

void host_link_hang_up(struct host_link *l)
{
    close_if_open(&l->socket);
}

void host_link_keep(struct host_link *l)
{
    close_if_open(&l->listener);
}

struct host_link *host_link_standard(struct error *e)
{
    int empty = _wopen(L"NUL", _O_RDONLY | _O_BINARY), in = _dup(0), out_fd = _dup(1);
    host_flush();
    fflush(stdout);
    if (empty < 0 || in < 0 || out_fd < 0 || _dup2(empty, 0) != 0 || _dup2(2, 1) != 0) {
        error_set(e, "no standard input and output to talk to a debugger: %s", strerror(errno));
        return NULL;
    }
    _close(empty);
    struct host_link *l = new_link();
    l->feed = keyboard ? keyboard : feed_new((HANDLE)_get_osfhandle(in));
    l->out = out_fd;
    keyboard = NULL;
    return l;
}

size_t host_link_read(struct host_link *l, void *to, size_t size, bool *ended)
{
    if (l->feed)
        return feed_read(l->feed, to, size, ended);
    int got = recv(l->socket, to, (int)part_of(size), 0);
    *ended = got == 0 || (got < 0 && WSAGetLastError() != WSAEWOULDBLOCK);
    return got > 0 ? (size_t)got : 0;
}

void host_link_write(struct host_link *l, const void *data, size_t size)
{
    const char *from = data;
    if (l->feed) {
        write_all((HANDLE)_get_osfhandle(l->out), data, size);
        return;
    }
    while (size) {
        int put = send(l->socket, from, (int)part_of(size), 0);
        if (put < 0 && WSAGetLastError() != WSAEWOULDBLOCK)
            return;
        if (put < 0)
            socket_is_ready(l->socket, POLLWRNORM, -1);
        from += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
}

void host_link_close(struct host_link *l)
{
    close_if_open(&l->listener);
    close_if_open(&l->socket);
    if (l->feed) {
        feed_free(l->feed);
        _close(l->out);
    }
    free(l);
}

/* Signals
 * ------------------------------------------------------------------------------------------- */

static volatile LONG arrived[HOST_SIGNALS];

/* In a thread of the system's. Of the last three kinds the program is ended when this returns, and
 * in any case some seconds later: until then it may end by itself. */
static BOOL WINAPI on_control(DWORD kind)
{
    bool last =
        kind == CTRL_CLOSE_EVENT || kind == CTRL_LOGOFF_EVENT || kind == CTRL_SHUTDOWN_EVENT;
    InterlockedIncrement(&arrived[last ? HOST_SIGNAL_CUT : HOST_SIGNAL_BUTTON]);
    InterlockedExchange(&signal_came, 1);
    SetEvent(something_came);
    if (last)
        Sleep(INFINITE);
    return TRUE;
}

void host_catch_signals(void)
{
    make_wakeable();
    SetConsoleCtrlHandler(on_control, TRUE);
}

enum host_signal host_take_signal(void)
{
    for (enum host_signal s = HOST_SIGNAL_BUTTON; s < HOST_SIGNALS; s++)
        if (arrived[s]) {
            InterlockedDecrement(&arrived[s]);
            return s;
        }
    return HOST_SIGNAL_NONE;
}

/* Bugs of ours
 * ------------------------------------------------------------------------------------------- */

#define ABORT_STATUS 134 /* as shells of other hosts show it */

/* A page of a host_view that its file no longer has: somebody cut it short. */
static _Noreturn void lose_view(void)
{
    static const char why[] = "qvm: a file was cut short while it was in use\n";
    host_console_close();
    write_all(standard_handle(2), why, sizeof why - 1);
    _exit(64); /* a shortage of the host's */
}

/* Of the kind that CHECK did not see. */
static LONG WINAPI on_fault(EXCEPTION_POINTERS *at)
{
    char what[40];
    DWORD code = at->ExceptionRecord->ExceptionCode;
    SetUnhandledExceptionFilter(NULL);
    if (code == EXCEPTION_IN_PAGE_ERROR)
        lose_view();
    snprintf(what, sizeof what, "an exception, %#lx%s", code,
             code == EXCEPTION_ACCESS_VIOLATION ? " (access violation)" : "");
    check_stop(what);
}

/* Without the library's words and windows. */
static void on_abort(int number)
{
    (void)number;
    _exit(ABORT_STATUS);
}

static void catch_faults(void)
{
    ULONG for_words = 65536; /* so much of the stack is left for them when it has overflowed */
    SetThreadStackGuarantee(&for_words);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    SetUnhandledExceptionFilter(on_fault);
    signal(SIGABRT, on_abort);
}
