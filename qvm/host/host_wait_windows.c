/* The host functions on Windows that wait: for consoles, pipes, a debugger, signals. */
#define _WIN32_WINNT 0x0A00
#include "qvm/host/host_windows.h"

#include "emu/check.h"

#include <ws2tcpip.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION /* older headers lack it */
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2
#endif

/* Waiting
 * -------------------------------------------------------------------------------------------------
 */

/* Consoles, pipes and sockets cannot be waited for in one way: whatever comes, from any of them or
 * as a signal, sets one event, and then all are asked. */
static HANDLE something_came, timer;
static volatile LONG signal_came; /* since a wait was last ended by one */

void windows_make_wakeable(void)
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
    windows_make_wakeable();
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
    while (hand_over(r, typed ? read_typed(r) : windows_read(r->from, r->data, sizeof r->data)))
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

struct feed *feed_new(HANDLE from)
{
    struct feed *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    windows_make_wakeable();
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

size_t feed_read(struct feed *r, void *to, size_t size, bool *ended)
{
    if (r->thread)
        return take_read(r, to, size, ended);
    int64_t got = windows_read(r->from, to, size);
    *ended = got <= 0;
    return got > 0 ? (size_t)got : 0;
}

struct host_source feed_source(const struct feed *r)
{
    return source_of(&r->waited);
}

/* A read that the thread has not begun yet is not cancelled: another attempt is. */
void feed_free(struct feed *r)
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
    HANDLE file = windows_open(path, GENERIC_READ, OPEN_EXISTING, 0);
    struct host_input *in = calloc(1, sizeof *in);
    if (file == INVALID_HANDLE_VALUE)
        error_set(e, "cannot open '%s': %s", path, windows_reason());
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
    return feed_source(in->feed);
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
        keyboard = feed_new(windows_standard(0));
    return keyboard;
}

void host_console_close(void)
{
    if (!console.raw)
        return;
    SetConsoleMode(windows_standard(0), console.in_before);
    SetConsoleMode(windows_standard(1), console.out_before);
    console.raw = false;
}

/* Keys as a terminal sends them, Ctrl-C among them; and what the guest prints is for a terminal. */
bool host_console_open(void)
{
    HANDLE in = windows_standard(0), to = windows_standard(1);
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

/* Nothing says that it has changed: it is looked at each time. */
bool host_console_resized(uint16_t *columns, uint16_t *rows)
{
    static SMALL_RECT last;
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(windows_standard(1), &info) ||
        memcmp(&info.srWindow, &last, sizeof last) == 0)
        return false;
    last = info.srWindow;
    *columns = (uint16_t)(last.Right - last.Left + 1);
    *rows = (uint16_t)(last.Bottom - last.Top + 1);
    return true;
}

size_t host_console_read(void *to, size_t size, bool *ended)
{
    return feed_read(keyboard_feed(), to, size, ended);
}

struct host_source host_console_source(void)
{
    return feed_source(keyboard_feed());
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
    windows_make_wakeable();
    int unknown = WSAStartup(MAKEWORD(2, 2), &about);
    if (!unknown)
        unknown = getaddrinfo(host, port, &hints, &list);
    for (const struct addrinfo *at = list; at && s == INVALID_SOCKET; at = at->ai_next)
        s = listen_at(at);
    if (unknown)
        SetLastError((DWORD)unknown);
    if (s == INVALID_SOCKET)
        error_set(e, "cannot listen at '%s:%s': %s", host, port, windows_reason());
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
    return l->feed ? feed_source(l->feed) : source_of(&l->waited);
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
    int got = recv(l->socket, to, (int)windows_part(size), 0);
    *ended = got == 0 || (got < 0 && WSAGetLastError() != WSAEWOULDBLOCK);
    return got > 0 ? (size_t)got : 0;
}

void host_link_write(struct host_link *l, const void *data, size_t size)
{
    const char *from = data;
    if (l->feed) {
        windows_write((HANDLE)_get_osfhandle(l->out), data, size);
        return;
    }
    while (size) {
        int put = send(l->socket, from, (int)windows_part(size), 0);
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
    windows_make_wakeable();
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
