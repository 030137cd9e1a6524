/* The host functions on Linux, macOS and the BSDs. */
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include "qvm/host/host.h"

#include "emu/check.h"
#include "hv/board.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Files -------------------------------------------------------------------------------------------
 */

static void catch_faults(void);

/* Each is opened so that using it fails, as it would have: what is printed is known to be lost. */
void host_start(int *argc, char ***argv)
{
    (void)argc, (void)argv; /* are bytes, and stay what they are */
    static const int useless[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
    for (int fd = 0; fd < (int)(sizeof useless / sizeof useless[0]); fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", useless[fd]) != fd)
            _exit(EXIT_FAILURE); /* there is no way to say why */
    catch_faults();
}

/* Up to `most` bytes. */
static bool read_part(int fd, size_t most, struct bytes *out)
{
    uint8_t part[65536];
    ssize_t got = 1;
    for (; most && got > 0; most -= (size_t)got) {
        got = read(fd, part, most < sizeof part ? most : sizeof part);
        if (got > 0)
            bytes_put(out, part, (size_t)got);
        else
            break;
    }
    return got >= 0;
}

#define READ_MAX ((size_t)1 << 30) /* macOS refuses more than INT_MAX bytes at once */

/* As many bytes as the file says that it has, without a copy; then those it has got since, or all
 * that a stream has. */
static bool read_all(int fd, const char *path, uint64_t likely, struct bytes *out, struct error *e)
{
    ssize_t got = 1;
    if (!bytes_try_reserve(out, likely)) {
        error_set(e, "the host has no room for the %llu bytes of '%s'", (unsigned long long)likely,
                  path);
        return error_exit_status(e, STATUS_NOT_STARTED);
    }
    for (size_t left = (size_t)likely; left; left -= (size_t)got, out->size += (size_t)got) {
        got = read(fd, out->data + out->size, left < READ_MAX ? left : READ_MAX);
        if (got <= 0)
            break;
    }
    size_t before = out->size;
    if (got < 0 || !read_part(fd, HOST_STREAM_MAX + 1, out))
        return error_set(e, "cannot read '%s': %s", path, strerror(errno));
    return out->size - before <= HOST_STREAM_MAX ||
           error_set(e, "'%s' goes on behind %zu MiB", path, HOST_STREAM_MAX >> 20);
}

/* `*likely`: how many bytes it may have. */
static int open_to_read(const char *path, size_t *likely, struct error *e)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0) {
        error_set(e, "cannot open '%s': %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        *likely = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
        return fd;
    }
    error_set(e, "'%s' is a directory", path);
    close(fd);
    return -1;
}

bool host_read_file(const char *path, struct bytes *out, struct error *e)
{
    size_t likely;
    int fd = open_to_read(path, &likely, e);
    bool ok = fd >= 0 && read_all(fd, path, likely, out, e);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool host_view_open(const char *path, struct host_view *v, struct error *e)
{
    size_t likely;
    int fd = open_to_read(path, &likely, e);
    *v = (struct host_view){0};
    if (fd < 0)
        return false;
    void *mapped = likely ? mmap(NULL, likely, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool ok = mapped != MAP_FAILED || read_all(fd, path, likely, &v->copy, e);
    close(fd);
    v->data = mapped != MAP_FAILED ? mapped : v->copy.data;
    v->size = mapped != MAP_FAILED ? likely : v->copy.size;
    return ok;
}

void host_view_close(struct host_view *v)
{
    if (v->data && !v->copy.data)
        munmap((void *)(uintptr_t)v->data, v->size);
    bytes_free(&v->copy);
    *v = (struct host_view){0};
}

static int close_keeping_errno(int fd)
{
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* Part by part, as a link may stand for any of them. */
static int open_below(const char *folder, const char *name, int flags)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char part[NAME_MAX + 1];
    for (const char *slash; at >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
        int above = at;
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        at = openat(above, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close_keeping_errno(above);
    }
    if (at < 0)
        return -1;
    int fd = openat(at, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
    close_keeping_errno(at);
    return fd;
}

enum probe_answer host_read_below(const char *folder, const char *name, size_t limit,
                                  struct bytes *out)
{
    enum probe_answer answer = PROBE_REFUSED;
    size_t before = out->size;
    struct stat st;
    int fd = open_below(folder, name, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? PROBE_ABSENT : PROBE_REFUSED;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        bool small = (uint64_t)st.st_size <= limit;
        bool read = small && read_part(fd, limit + 1, out);
        answer = !small || out->size - before > limit ? PROBE_TOO_LARGE
                 : read                               ? PROBE_PRESENT
                                                      : PROBE_REFUSED;
    }
    close(fd);
    return answer;
}

struct host_ranges {
    int fd, writing; /* `writing` -1: not claimed */
    struct stat opened;
};

struct host_ranges *host_ranges_open(const char *path, uint64_t *size, struct error *e)
{
    struct host_ranges *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    r->writing = -1;
    r->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a FIFO is not waited for */
    if (r->fd < 0 || fstat(r->fd, &r->opened) != 0)
        error_set(e, "cannot open '%s': %s", path, strerror(errno));
    else if (!S_ISREG(r->opened.st_mode))
        error_set(e, "'%s' is no regular file", path);
    if (r->fd >= 0 && S_ISREG(r->opened.st_mode)) {
        *size = (uint64_t)r->opened.st_size;
        return r;
    }
    host_ranges_close(r);
    return NULL;
}

static struct timespec changed_at(const struct stat *st)
{
#ifdef __APPLE__
    return st->st_mtimespec;
#else
    return st->st_mtim;
#endif
}

static enum range_answer compare_files(const struct stat *then, const struct stat *now)
{
    struct timespec a = changed_at(then), b = changed_at(now);
    if (now->st_nlink == 0)
        return RANGE_VANISHED;
    if (now->st_size < then->st_size)
        return RANGE_SHORTER;
    bool same = now->st_size == then->st_size && a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
    return same ? RANGE_GIVEN : RANGE_CHANGED;
}

/* Whether it is what it was is asked behind the read: what changes later was not read. */
enum range_answer host_ranges_read(struct host_ranges *r, uint64_t offset, size_t size,
                                   struct bytes *out)
{
    struct stat now;
    if (!bytes_try_reserve(out, size))
        return RANGE_UNREADABLE;
    ssize_t got = pread(r->fd, out->data + out->size, size, (off_t)offset);
    if (fstat(r->fd, &now) != 0)
        return RANGE_UNREADABLE;
    enum range_answer answer = compare_files(&r->opened, &now);
    if (answer == RANGE_GIVEN && got != (ssize_t)size)
        answer = got < 0 ? RANGE_UNREADABLE : RANGE_SHORTER;
    if (answer == RANGE_GIVEN)
        out->size += size;
    return answer;
}

/* The same file, not what has its name by now. A file system without locks is believed to have one
 * writer. */
bool host_ranges_claim(struct host_ranges *r, const char *path, struct error *e)
{
    struct stat st;
    signal(SIGXFSZ,
           SIG_IGN); /* that a file is too large for this process is said as other failures are */
    r->writing = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (r->writing < 0 || fstat(r->writing, &st) != 0)
        return error_set(e, "cannot write to '%s': %s", path, strerror(errno));
    if (st.st_ino != r->opened.st_ino || st.st_dev != r->opened.st_dev)
        return error_set(e, "'%s' has been replaced by another file", path);
    return flock(r->writing, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
           error_set(e, "another disk writes to '%s', here or in another run", path);
}

bool host_ranges_write(struct host_ranges *r, uint64_t offset, const void *from, size_t size,
                       struct error *e)
{
    struct stat now;
    const uint8_t *at = from;
    bool ours = fstat(r->fd, &now) == 0 && compare_files(&r->opened, &now) == RANGE_GIVEN;
    for (ssize_t part; size; size -= (size_t)part, offset += (size_t)part, at += part) {
        part = pwrite(r->writing, at, size, (off_t)offset);
        if (part < 0 && errno == EINTR)
            part = 0;
        else if (part <= 0)
            return error_set(e, "%s", part ? strerror(errno) : "it takes no more");
    }
    if (ours && fstat(r->fd, &now) == 0)
        r->opened = now;
    return true;
}

void host_ranges_close(struct host_ranges *r)
{
    if (r->writing >= 0)
        close(r->writing);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

size_t host_read_start(const char *path, void *to, size_t size)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, to, size);
    if (fd >= 0)
        close(fd);
    return got > 0 ? (size_t)got : 0;
}

struct host_file {
    FILE *file;
    bool is_pipe;
    bool ends_in_hole;
    bool failed; /* something was not written */
};

static struct host_file *opened(FILE *file, bool is_pipe, const char *what, struct error *e)
{
    struct host_file *f = calloc(1, sizeof *f);
    if (!file || !f) {
        error_set(e, "cannot %s '%s': %s", is_pipe ? "run" : "open", what, strerror(errno));
        free(f);
        return NULL;
    }
    f->file = file;
    f->is_pipe = is_pipe;
    return f;
}

struct host_file *host_create(const char *path, struct error *e)
{
    signal(SIGXFSZ, SIG_IGN); /* that a file may not grow is said where it is written */
    return opened(fopen(path, "wb"), false, path, e);
}

/* The file descriptor is the file's from then on; negative: it could not be opened. */
static struct host_file *opened_at(int fd, const char *path, struct error *e)
{
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    signal(SIGXFSZ, SIG_IGN); /* as above */
    if (fd >= 0 && !file)
        close_keeping_errno(fd);
    return opened(file, false, path, e);
}

struct host_file *host_create_new(const char *path, bool *taken, struct error *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    *taken = fd < 0 && errno == EEXIST;
    return opened_at(fd, path, e);
}

struct host_file *host_open(const char *path, struct error *e)
{
    return opened(fopen(path, "r+b"), false, path, e);
}

struct host_file *host_pipe(const char *command, struct error *e)
{
    fflush(NULL);
    return opened(popen(command, "w"), true, command, e);
}

bool host_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool host_same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (stat(a, &x) != 0 || stat(b, &y) != 0)
        return strcmp(a, b) == 0;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool host_append(struct host_file *f, const void *data, size_t size)
{
    /* Given to the system at once: whatever ends this process, the file has it. */
    bool ok =
        size == 0 || fwrite(data, 1, size, f->file) == size; /* without bytes no pointer either */
    f->ends_in_hole &= size == 0;
    ok = ok && fflush(f->file) == 0;
    f->failed |= !ok;
    return ok;
}

bool host_replace(struct host_file *f, uint64_t offset, const void *data, size_t size)
{
    return fflush(f->file) == 0 &&
           pwrite(fileno(f->file), data, size, (off_t)offset) == (ssize_t)size &&
           fseeko(f->file, 0, SEEK_END) == 0;
}

bool host_append_zeros(struct host_file *f, size_t size)
{
    static const uint8_t zeros[4096];
    f->ends_in_hole = !f->is_pipe && fseeko(f->file, (off_t)size, SEEK_CUR) == 0;
    bool ok = true;
    for (size_t at = 0; at < size && ok && !f->ends_in_hole; at += sizeof zeros)
        ok = host_append(f, zeros, size - at < sizeof zeros ? size - at : sizeof zeros);
    return ok;
}

bool host_close(struct host_file *f)
{
    bool ok = !f->failed;
    if (f->ends_in_hole) /* a file is as long as what was written last */
        ok = ftruncate(fileno(f->file), ftello(f->file)) == 0 && ok;
    ok = (f->is_pipe ? pclose(f->file) : fclose(f->file)) == 0 && ok;
    free(f);
    return ok;
}

static bool write_whole(struct host_file *f, const char *path, const void *data, size_t size,
                        struct error *e)
{
    if (!f)
        return false;
    bool ok = host_append(f, data, size);
    ok = host_close(f) && ok;
    return ok || error_set(e, "cannot write '%s': %s", path, strerror(errno));
}

bool host_write_file(const char *path, const void *data, size_t size, struct error *e)
{
    return write_whole(host_create(path, e), path, data, size, e);
}

bool host_write_below(const char *folder, const char *name, const void *data, size_t size,
                      struct error *e)
{
    struct stat st;
    int fd = open_below(folder, name, O_WRONLY | O_CREAT);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return error_set(e, "it is no regular file");
    }
    if (fd >= 0 && ftruncate(fd, 0) != 0)
        fd = close_keeping_errno(fd);
    return write_whole(opened_at(fd, name, e), name, data, size, e);
}

struct host_input {
    int fd;
};

struct host_input *host_input_open(const char *path, struct error *e)
{
    struct host_input *in = calloc(1, sizeof *in);
    if (in && (in->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)) >= 0)
        return in;
    error_set(e, "cannot open '%s': %s", path, strerror(errno));
    free(in);
    return NULL;
}

size_t host_input_read(struct host_input *in, void *to, size_t size, bool *ended)
{
    ssize_t got = read(in->fd, to, size);
    *ended = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
    return got > 0 ? (size_t)got : 0;
}

void host_input_close(struct host_input *in)
{
    close(in->fd);
    free(in);
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* The libraries leave large blocks to the system, which commits them page by page; and sanitizers
 * know their ends. */
/* Between pages that nobody may touch: where memory_at is wrong, the process faults at once. Not by
 * malloc, which has to mark all of it under a sanitizer, 28 MiB of marks for each 128 MiB and back.
 */
static size_t guard_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t guarded_size(size_t size)
{
    const size_t guard = guard_size();
    return (size + guard - 1) / guard * guard + 2 * guard;
}

void *host_take_memory(size_t size)
{
    const size_t guard = guard_size(), whole = guarded_size(size);
    uint8_t *all =
        whole > size ? mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0) : MAP_FAILED;
    if (all == MAP_FAILED)
        return NULL;
    if (mprotect(all + guard, whole - 2 * guard, PROT_READ | PROT_WRITE) == 0)
        return all + guard;
    munmap(all, whole);
    return NULL;
}

void host_give_memory(void *memory, size_t size)
{
    munmap((uint8_t *)memory - guard_size(), guarded_size(size));
}

/* Clock, environment, random numbers
 * ---------------------------------------------------------------- */

const char *host_family(void)
{
#if defined __linux__
    return "linux";
#elif defined __APPLE__
    return "macos";
#else
    return "posix";
#endif
}

const char *host_environment(const char *name)
{
    return getenv(name);
}

const char *host_temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder ? folder : "/tmp";
}

static uint64_t clock_ns(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t host_wall_clock_s(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000000;
}

void host_time_stamp(char text[16])
{
    time_t now = time(NULL);
    struct tm parts;
    text[0] = 0;
    if (localtime_r(&now, &parts))
        strftime(text, 16, "%Y%m%d-%H%M%S", &parts);
}

uint64_t host_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

bool host_random(void *to, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY);
    bool ok = fd >= 0 && read(fd, to, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Standard output
 * ----------------------------------------------------------------------------------- */

static struct {
    uint8_t data[4096];
    size_t size;
} out;

static bool output_is_lost;

bool host_output_is_lost(void)
{
    return output_is_lost || ferror(stdout);
}

void host_flush(void)
{
    for (size_t at = 0; at < out.size;) {
        ssize_t put = write(STDOUT_FILENO, out.data + at, out.size - at);
        if (put < 0 && errno != EINTR) {
            output_is_lost |= errno != EPIPE;
            break; /* what a guest prints is lost, the run goes on */
        }
        at += put > 0 ? (size_t)put : 0;
    }
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
    struct termios before;
} console;

void host_console_close(void)
{
    if (console.raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &console.before);
    console.raw = false;
}

bool host_console_open(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &console.before) != 0)
        return false;
    struct termios raw = console.before;
    raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    console.raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    if (console.raw)
        atexit(host_console_close);
    return console.raw;
}

/* Without waiting. */
static size_t read_ready(int fd, void *to, size_t size, bool *ended)
{
    struct host_source source = {fd};
    if (!host_wait(&source, 1, 0))
        return 0;
    ssize_t got = read(fd, to, size);
    *ended = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
    return got > 0 ? (size_t)got : 0;
}

size_t host_console_read(void *to, size_t size, bool *ended)
{
    return read_ready(STDIN_FILENO, to, size, ended);
}

/* Waiting
 * ------------------------------------------------------------------------------------------- */

struct host_source host_console_source(void)
{
    return (struct host_source){STDIN_FILENO};
}

struct host_source host_input_source(const struct host_input *in)
{
    return (struct host_source){in->fd};
}

/* A signal that arrives as a wait begins would not end it: each leaves a byte here, too. */
static int signal_pipe[2] = {-1, -1};

static void open_signal_pipe(void)
{
    if (signal_pipe[0] >= 0 || pipe(signal_pipe) != 0)
        return;
    for (size_t i = 0; i < 2; i++) {
        fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
    }
}

static void empty_signal_pipe(void)
{
    char bytes[64];
    while (signal_pipe[0] >= 0 && read(signal_pipe[0], bytes, sizeof bytes) > 0)
        continue;
}

#define SOURCES_MAX 8192 /* more than one for each device of a board */

bool host_wait(const struct host_source *sources, size_t count, uint64_t ns)
{
    static struct pollfd polled[SOURCES_MAX + 1];
    struct pollfd *signals_too = &polled[count];
    CHECK(count <= SOURCES_MAX);
    if (count == 0 && ns != UINT64_MAX) { /* as exact as the host can, which milliseconds are not */
        struct timespec t = {.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
        nanosleep(&t, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = (int)sources[i].handle, .events = POLLIN};
    *signals_too = (struct pollfd){.fd = ns ? signal_pipe[0] : -1, .events = POLLIN};
    int timeout_ms = ns >= 1000000000000 ? -1 : (int)((ns + 999999) / 1000000);
    int ready = poll(polled, (nfds_t)count + 1, timeout_ms);
    if (ns && (ready < 0 || signals_too->revents))
        empty_signal_pipe();
    return ready > (signals_too->revents ? 1 : 0);
}

/* A debugger's connection
 * ------------------------------------------------------------------------------------------- */

struct host_link {
    int listener; /* -1: nobody else may come */
    int in, out;  /* -1: nobody is there */
};

static struct host_link *new_link(void)
{
    struct host_link *l = malloc(sizeof *l);
    CHECK_ROOM(l);
    *l = (struct host_link){.listener = -1, .in = -1, .out = -1};
    signal(SIGPIPE, SIG_IGN); /* a debugger that is gone ends nothing */
    return l;
}

/* A socket that listens at one address, or -1. */
static int listen_at(const struct addrinfo *at)
{
    int on = 1, fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, 1) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

struct host_link *host_link_listen(const char *host, const char *port, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    int unknown = getaddrinfo(host, port, &hints, &list), fd = -1;
    if (unknown) {
        error_set(e, "cannot listen at '%s:%s': %s", host, port, gai_strerror(unknown));
        return NULL;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = listen_at(at);
    freeaddrinfo(list);
    if (fd < 0) {
        error_set(e, "cannot listen at '%s:%s': %s", host, port, strerror(errno));
        return NULL;
    }
    struct host_link *l = new_link();
    l->listener = fd;
    return l;
}

unsigned host_link_port(const struct host_link *l)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    memset(&at, 0, sizeof at);
    getsockname(l->listener, (struct sockaddr *)&at, &size);
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

struct host_source host_link_source(const struct host_link *l)
{
    return (struct host_source){l->in >= 0 ? l->in : l->listener};
}

bool host_link_accept(struct host_link *l)
{
    int on = 1;
    struct host_source source = {l->listener};
    if (!host_wait(&source, 1, 0) || (l->in = accept(l->listener, NULL, NULL)) < 0)
        return false;
    l->out = l->in;
    setsockopt(l->in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* packets are short */
    return true;
}

void host_link_hang_up(struct host_link *l)
{
    close(l->in);
    l->in = l->out = -1;
}

void host_link_keep(struct host_link *l)
{
    if (l->listener >= 0)
        close(l->listener);
    l->listener = -1;
}

struct host_link *host_link_standard(struct error *e)
{
    int empty = open("/dev/null", O_RDONLY), in = dup(STDIN_FILENO), out_fd = dup(STDOUT_FILENO);
    host_flush();
    fflush(stdout);
    if (empty < 0 || in < 0 || out_fd < 0 || dup2(empty, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        error_set(e, "no standard input and output to talk to a debugger: %s", strerror(errno));
        return NULL;
    }
    close(empty);
    struct host_link *l = new_link();
    l->in = in;
    l->out = out_fd;
    return l;
}

size_t host_link_read(struct host_link *l, void *to, size_t size, bool *ended)
{
    return read_ready(l->in, to, size, ended);
}

void host_link_write(struct host_link *l, const void *data, size_t size)
{
    const uint8_t *from = data;
    for (size_t at = 0; at < size;) {
        ssize_t put = write(l->out, from + at, size - at);
        if (put < 0 && errno != EINTR)
            return;
        at += put > 0 ? (size_t)put : 0;
    }
}

void host_link_close(struct host_link *l)
{
    if (l->listener >= 0)
        close(l->listener);
    if (l->out != l->in && l->out >= 0)
        close(l->out);
    if (l->in >= 0)
        close(l->in);
    free(l);
}

/* The window
 * ---------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t window_has_changed = 1;

static void end_wait(void)
{
    int before = errno;
    ssize_t ignored = write(signal_pipe[1], "", 1);
    (void)ignored;
    errno = before;
}

static void on_window(int number)
{
    (void)number;
    window_has_changed = 1;
    end_wait();
}

/* A terminal that does not know says 0. */
bool host_console_resized(uint16_t *columns, uint16_t *rows)
{
    struct winsize size;
    if (!window_has_changed)
        return false;
    window_has_changed = 0;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row)
        return false;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

/* Signals
 * ------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t arrived[HOST_SIGNALS];

static const struct {
    int number;
    enum host_signal meaning;
} signals[] = {
    {SIGTERM, HOST_SIGNAL_BUTTON}, {SIGINT, HOST_SIGNAL_BUTTON},  {SIGQUIT, HOST_SIGNAL_CUT},
    {SIGHUP, HOST_SIGNAL_CUT},     {SIGUSR1, HOST_SIGNAL_STATUS}, {SIGUSR2, HOST_SIGNAL_DUMP},
};

static void on_signal(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == number)
            arrived[signals[i].meaning]++;
    end_wait();
}

/* A page of a host_view that its file no longer has: somebody cut it short. */
static _Noreturn void lose_view(void)
{
    static const char why[] = "qvm: a file was cut short while it was in use\n";
    host_console_close();
    ssize_t ignored = write(STDERR_FILENO, why, sizeof why - 1);
    (void)ignored;
    _exit(64); /* a shortage of the host's */
}

/* Else a bug of ours, of the kind that CHECK did not see. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (number == SIGBUS && info->si_code == BUS_ADRERR)
        lose_view();
    check_stop(number == SIGSEGV  ? "a signal, SIGSEGV"
               : number == SIGBUS ? "a signal, SIGBUS"
               : number == SIGFPE ? "a signal, SIGFPE"
                                  : "a signal, SIGILL");
}

static void catch_faults(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = (int)SA_RESETHAND | SA_SIGINFO;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (sigaction(faults[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(faults[i], &action, NULL); /* a sanitizer's own handler says more */
}

void host_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    open_signal_pipe();
    action.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i].number, &action, NULL);
    action.sa_handler = on_window;
    sigaction(SIGWINCH, &action, NULL);
    action.sa_handler = SIG_IGN; /* nobody reads the output any more: it is lost, the run goes on */
    sigaction(SIGPIPE, &action, NULL);
}

enum host_signal host_take_signal(void)
{
    for (enum host_signal s = HOST_SIGNAL_BUTTON; s < HOST_SIGNALS; s++)
        if (arrived[s]) {
            arrived[s]--;
            return s;
        }
    return HOST_SIGNAL_NONE;
}
