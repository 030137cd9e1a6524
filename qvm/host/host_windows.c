/* The host functions on Windows 10 and newer, but for those that wait (host_wait_windows.c). Names
 * and arguments are UTF-8 for the program, and the system's wide characters in here. */
#define _WIN32_WINNT 0x0A00
#include "qvm/host/host_windows.h"

#include "emu/check.h"
#include "hv/board.h"

#include <winternl.h>
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

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

wchar_t *windows_wide(const char *text)
{
    int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *to = calloc((size_t)length + 1, sizeof *to);
    CHECK_ROOM(to);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, to, length);
    return to;
}

char *windows_narrow(const wchar_t *text)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *to = calloc(1, (size_t)length + 1);
    CHECK_ROOM(to);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, to, length, NULL, NULL);
    return to;
}

/* Longer names than MAX_PATH are only understood whole and with a prefix, which no shorter one
 * gets: it would also make "nul" and "a/b" names of files. */
wchar_t *windows_path(const char *path)
{
    static const wchar_t prefix[] = L"\\\\?\\";
    wchar_t *name = windows_wide(path);
    DWORD size = GetFullPathNameW(name, 0, NULL, NULL);
    if (size < MAX_PATH - 12 || wcsncmp(name, L"\\\\", 2) == 0) /* 12: a folder's files as well */
        return name;
    wchar_t *whole = calloc(size + sizeof prefix / sizeof prefix[0], sizeof *whole);
    CHECK_ROOM(whole);
    wcscpy(whole, prefix);
    GetFullPathNameW(name, size, whole + wcslen(prefix), NULL);
    free(name);
    return whole;
}

/* What the last call to the system complained of, as other hosts say it where they have a word for
 * it. */
const char *windows_reason(void)
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
        to[i] = windows_narrow(words[i]);
    LocalFree(words);
    *argv = to;
}

void host_start(int *argc, char ***argv)
{
    for (int fd = 0; fd < 3; fd++) {
        if (GetFileType(windows_standard(fd)) == FILE_TYPE_UNKNOWN && GetLastError() != NO_ERROR)
            take_descriptor(fd);
        _setmode(fd, _O_BINARY);
    }
    code_page_before = GetConsoleOutputCP();
    if (code_page_before && SetConsoleOutputCP(CP_UTF8)) /* else there is no console */
        atexit(restore_code_page);
    windows_make_wakeable();
    commit_touched_memory();
    catch_faults();
    arguments_in_utf8(argc, argv);
}

/* Files -------------------------------------------------------------------------------------------
 */

HANDLE windows_open(const char *path, DWORD access, DWORD disposition, DWORD flags)
{
    wchar_t *name = windows_path(path);
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
DWORD windows_part(uint64_t size)
{
    return size < (1u << 30) ? (DWORD)size : 1u << 30;
}

/* 0: the end; -1: an error. */
int64_t windows_read(HANDLE file, void *to, size_t size)
{
    DWORD got = 0;
    if (ReadFile(file, to, windows_part(size), &got, NULL))
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

bool windows_write(HANDLE file, const void *data, size_t size)
{
    const uint8_t *from = data;
    DWORD put = 1;
    touch_all(from, size);
    for (; size && put; from += put, size -= put)
        if (!WriteFile(file, from, windows_part(size), &put, NULL))
            return false;
    return size == 0;
}

/* Up to `most` bytes. */
static bool read_part(HANDLE file, size_t most, struct bytes *out)
{
    uint8_t part[65536];
    int64_t got = 1;
    for (; most && got > 0; most -= (size_t)got) {
        got = windows_read(file, part, most < sizeof part ? most : sizeof part);
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
        got = windows_read(file, out->data + out->size, left);
        if (got <= 0)
            break;
    }
    size_t before = out->size;
    if (got < 0 || !read_part(file, HOST_STREAM_MAX + 1, out))
        return error_set(e, "cannot read '%s': %s", path, windows_reason());
    return out->size - before <= HOST_STREAM_MAX ||
           error_set(e, "'%s' goes on behind %zu MiB", path, HOST_STREAM_MAX >> 20);
}

/* `*likely`: how many bytes it may have. */
static HANDLE open_to_read(const char *path, size_t *likely, struct error *e)
{
    /* With that flag folders are opened, too, or they could not be told from what is forbidden. */
    HANDLE file = windows_open(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    BY_HANDLE_FILE_INFORMATION about = {0};
    *likely = 0;
    if (file == INVALID_HANDLE_VALUE) {
        error_set(e, "cannot open '%s': %s", path, windows_reason());
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
    HANDLE at = windows_open(folder, FILE_TRAVERSE, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
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
    HANDLE file, writing; /* `writing` is invalid until it is needed */
    BY_HANDLE_FILE_INFORMATION opened;
};

struct host_ranges *host_ranges_open(const char *path, uint64_t *size, struct error *e)
{
    struct host_ranges *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    r->writing = INVALID_HANDLE_VALUE;
    r->file = windows_open(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (r->file == INVALID_HANDLE_VALUE)
        error_set(e, "cannot open '%s': %s", path, windows_reason());
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
        if (!ReadFile(file, to, windows_part(size), &got, &place))
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

static bool same_file(const BY_HANDLE_FILE_INFORMATION *a, const BY_HANDLE_FILE_INFORMATION *b)
{
    return a->nFileIndexHigh == b->nFileIndexHigh && a->nFileIndexLow == b->nFileIndexLow &&
           a->dwVolumeSerialNumber == b->dwVolumeSerialNumber;
}

/* A stretch behind the end of any file: locks of bytes keep others from these bytes, and nobody has
 * anything to do with them. Claims alone meet there. */
static bool lock(HANDLE file)
{
    OVERLAPPED place = place_in_file(UINT64_C(1) << 62);
    return LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place) ||
           GetLastError() != ERROR_LOCK_VIOLATION;
}

/* The same file, not what has its name by now. */
bool host_ranges_claim(struct host_ranges *r, const char *path, struct error *e)
{
    BY_HANDLE_FILE_INFORMATION now;
    r->writing = windows_open(path, GENERIC_WRITE | FILE_READ_ATTRIBUTES, OPEN_EXISTING, 0);
    if (r->writing == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(r->writing, &now))
        return error_set(e, "cannot write to '%s': %s", path, windows_reason());
    if (!same_file(&now, &r->opened))
        return error_set(e, "'%s' has been replaced by another file", path);
    return lock(r->writing) ||
           error_set(e, "another disk writes to '%s', here or in another run", path);
}

static bool write_at(HANDLE file, uint64_t offset, const uint8_t *from, size_t size)
{
    DWORD put = 1;
    for (; size && put; offset += put, from += put, size -= put) {
        OVERLAPPED place = place_in_file(offset);
        if (!WriteFile(file, from, windows_part(size), &put, &place))
            return false;
    }
    return size == 0;
}

bool host_ranges_write(struct host_ranges *r, uint64_t offset, const void *from, size_t size,
                       struct error *e)
{
    bool ours = compare_files(r) == RANGE_GIVEN;
    if (!write_at(r->writing, offset, from, size))
        return error_set(e, "%s", windows_reason());
    if (ours)
        GetFileInformationByHandle(r->file, &r->opened);
    return true;
}

void host_ranges_close(struct host_ranges *r)
{
    if (r->writing != INVALID_HANDLE_VALUE)
        CloseHandle(r->writing);
    if (r->file != INVALID_HANDLE_VALUE)
        CloseHandle(r->file);
    free(r);
}

size_t host_read_start(const char *path, void *to, size_t size)
{
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE file = windows_open(path, GENERIC_READ, OPEN_EXISTING, 0);
    if (file == INVALID_HANDLE_VALUE)
        return 0;
    int64_t got = is_regular(file, &about) ? windows_read(file, to, size) : 0;
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
        error_set(e, "cannot %s '%s': %s", pipe ? "run" : "open", what, windows_reason());
        free(f);
        return NULL;
    }
    *f = (struct host_file){.handle = handle, .pipe = pipe};
    return f;
}

struct host_file *host_create(const char *path, struct error *e)
{
    return opened(windows_open(path, GENERIC_WRITE, CREATE_ALWAYS, 0), NULL, path, e);
}

struct host_file *host_create_new(const char *path, bool *taken, struct error *e)
{
    HANDLE file = windows_open(path, GENERIC_WRITE, CREATE_NEW, FILE_FLAG_OPEN_REPARSE_POINT);
    *taken = file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_EXISTS;
    return opened(file, NULL, path, e);
}

struct host_file *host_open(const char *path, struct error *e)
{
    return opened(windows_open(path, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0), NULL, path,
                  e);
}

struct host_file *host_pipe(const char *command, struct error *e)
{
    wchar_t *words = windows_wide(command);
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
    wchar_t *name = windows_path(path);
    bool exists = GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES;
    free(name);
    return exists;
}

static bool look_at(const char *path, BY_HANDLE_FILE_INFORMATION *about)
{
    HANDLE file = windows_open(path, 0, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
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
    bool ok = windows_write(f->handle, data, size);
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
    return ok || error_set(e, "cannot write '%s': %s", path, windows_reason());
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

const char *host_family(void)
{
    return "windows";
}

/* What was asked for stays as long as the program, as other hosts' variables do. */
const char *host_environment(const char *name)
{
    wchar_t *wide_name = windows_wide(name);
    const wchar_t *value = _wgetenv(wide_name);
    free(wide_name);
    return value ? windows_narrow(value) : NULL;
}

const char *host_temporary_folder(void)
{
    static char *folder;
    wchar_t path[MAX_PATH + 1];
    DWORD length = GetTempPathW(MAX_PATH + 1, path);
    if (length == 0 || length > MAX_PATH)
        wcscpy(path, L".");
    else if (path[length - 1] == '\\')
        path[length - 1] = 0;
    free(folder);
    folder = windows_narrow(path);
    for (char *c = folder; (c = strchr(c, '\\'));)
        *c = '/'; /* as the program puts behind it */
    return folder;
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

HANDLE windows_standard(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

bool host_output_is_lost(void)
{
    return output_is_lost || ferror(stdout);
}

void host_flush(void)
{
    if (!windows_write(windows_standard(1), out.data, out.size)) /* what a guest prints is lost */
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

/* Bugs of ours
 * ------------------------------------------------------------------------------------------- */

#define ABORT_STATUS 134 /* as shells of other hosts show it */

/* A page of a host_view that its file no longer has: somebody cut it short. */
static _Noreturn void lose_view(void)
{
    static const char why[] = "qvm: a file was cut short while it was in use\n";
    host_console_close();
    windows_write(windows_standard(2), why, sizeof why - 1);
    _exit(64); /* a shortage of the host's */
}

/* Of the kind that CHECK did not see. */
static LONG WINAPI on_fault(EXCEPTION_POINTERS *at)
{
    char what[64];
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
