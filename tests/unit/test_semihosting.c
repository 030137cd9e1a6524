/* Semihosting without an engine: registers, guest memory and the VM's end are played here, at link
 * time; the journal is the real one, on a host of a few files. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/machine.h"
#include "emu/trace.h"
#include "hv/hv_internal.h"
#include "hv/exitlog/exit_log.h"

enum {
    OPEN = 1,
    CLOSE,
    WRITEC,
    WRITE0,
    WRITE,
    READ,
    READC,
    ISERROR,
    ISTTY,
    SEEK,
    FLEN = 0x0c,
    REMOVE = 0x0e,
    RENAME = 0x0f,
    CLOCK = 0x10,
    TIME = 0x11,
    SYSTEM = 0x12,
    ERRNO = 0x13,
    GET_CMDLINE = 0x15,
    HEAPINFO = 0x16,
    EXIT = 0x18,
    EXIT_EXTENDED_ = 0x20,
    ELAPSED = 0x30,
    TICKFREQ = 0x31,
};
#define MINUS_1 UINT64_MAX
#define MIB     ((uint64_t)1 << 20)

/* Guest memory: RAM, and one page that is seen again and again in a wide window. ------------------
 */

#define RAM       UINT64_C(0x40000000)
#define RAM_SIZE  UINT64_C(0x10000)
#define WIDE      (UINT64_C(1) << 47)
#define WIDE_SIZE (UINT64_C(1) << 46)
#define BLOCK     RAM            /* the parameter block */
#define NAME      (RAM + 0x100)  /* a name */
#define DATA      (RAM + 0x1000) /* everything else */

static uint8_t ram[RAM_SIZE], wide[PAGE_SIZE];
static uint64_t x[2], executed;

static uint8_t *byte_at(uint64_t a)
{
    if (a - RAM < RAM_SIZE)
        return &ram[a - RAM];
    return a - WIDE < WIDE_SIZE ? &wide[a % PAGE_SIZE] : NULL;
}

static bool copy(uint64_t a, uint8_t *bytes, uint64_t size, bool write)
{
    while (size) {
        uint64_t part = PAGE_SIZE - a % PAGE_SIZE < size ? PAGE_SIZE - a % PAGE_SIZE : size;
        uint8_t *at = byte_at(a);
        if (!at)
            return false;
        memcpy(write ? at : bytes, write ? bytes : at, part);
        a += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool exit_log_read_gva(struct vm *caller, struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    (void)caller, (void)v;
    return copy(from.v, to, size, false);
}

bool exit_log_write_gva(struct vm *caller, struct vcpu *v, gva_t to, const void *from,
                        uint64_t size)
{
    (void)caller, (void)v;
    return copy(to.v, (uint8_t *)(uintptr_t)from, size, true);
}

static uint64_t fake_get(struct engine *e, unsigned n)
{
    (void)e;
    return x[n];
}

static void fake_set(struct engine *e, unsigned n, uint64_t value)
{
    (void)e;
    x[n] = value;
}

static uint64_t fake_executed(const struct engine *e)
{
    (void)e;
    return executed;
}

static const struct engine_ops fake_ops = {
    .get = fake_get, .set = fake_set, .executed = fake_executed};
static struct engine_head fake_engine = {.ops = &fake_ops};

/* The VM, its output, its host. -------------------------------------------------------------------
 */

static struct board board;
static struct vm vm;
static struct vm_config config;
static struct journal journal;
static struct bytes printed;

void vm_end(struct vm *ended, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ended->ending, sizeof ended->ending, format, args);
    va_end(args);
    ended->ended = true;
    ended->exit_status = status;
}

void vm_output(void *context, unsigned channel, const void *data, size_t size)
{
    ck_assert_ptr_eq(context, &vm);
    ck_assert_uint_eq(channel, 255);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_le(size, PAGE_SIZE);
    bytes_put(&printed, data, size);
}

#define HOST_FILES 8
static struct {
    char path[128];
    struct bytes contents;
} host[HOST_FILES];
static unsigned host_asked, host_kept;
static bool host_full;

static struct bytes *host_file(const char *path, bool create)
{
    for (size_t i = 0; i < HOST_FILES; i++) {
        if (create && !host[i].path[0])
            snprintf(host[i].path, sizeof host[i].path, "%s", path);
        if (strcmp(host[i].path, path) == 0)
            return &host[i].contents;
    }
    return NULL;
}

static const char *path_below(const char *folder, const char *name)
{
    static char path[sizeof host[0].path];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static enum probe_answer host_probe(void *context, const char *folder, const char *name,
                                    size_t limit, struct bytes *out)
{
    (void)context;
    host_asked++;
    const struct bytes *file = host_file(path_below(folder, name), false);
    bytes_put(out, "torn", 4); /* a read that failed half-way */
    if (!file)
        return strcmp(name, "link") == 0 ? PROBE_REFUSED : PROBE_ABSENT;
    if (file->size > limit)
        return PROBE_TOO_LARGE;
    out->size -= 4;
    bytes_put(out, file->data, file->size);
    return PROBE_PRESENT;
}

static bool host_keep(void *context, const char *folder, const char *name, const void *data,
                      size_t size, struct error *e)
{
    const char *path = path_below(folder, name);
    (void)context;
    host_kept++;
    if (host_full)
        return error_set(e, "no room");
    struct bytes *file = host_file(path, true);
    bytes_clear(file);
    bytes_put(file, data, size);
    return true;
}

static void put_file(const char *path, const char *text)
{
    bytes_put(host_file(path, true), text, strlen(text));
}

static void begin(const char *folder)
{
    memset(ram, 0, sizeof ram);
    memset(&vm, 0, sizeof vm);
    memset(&config, 0, sizeof config);
    board.vtime = (struct vtime){.rate_hz = 1000000000};
    board.journal = &journal;
    board.sinks = (struct board_sinks){.file = host_keep};
    vm.board = &board;
    vm.world.engine = (struct engine *)(void *)&fake_engine;
    vm.config = &config;
    board.wall_clock_s = 1700000000;
    vm.semihosting = semihosting_new(folder, board.options.quirks);
}

static void end(void)
{
    semihosting_free(vm.semihosting);
    bytes_clear(&printed);
}

static void open_world(void)
{
    journal_live(&journal, JOURNAL_RECORD, (struct journal_host){.probe = host_probe});
    host_asked = host_kept = 0;
    host_full = false;
    executed = 0;
    begin("box");
}

static void close_world(void)
{
    end();
    journal_free(&journal);
    bytes_free(&printed);
    for (size_t i = 0; i < HOST_FILES; i++) {
        bytes_free(&host[i].contents);
        host[i].path[0] = '\0';
    }
}

/* Calls. ------------------------------------------------------------------------------------------
 */

static uint64_t call(uint64_t operation, uint64_t parameter)
{
    x[0] = operation;
    x[1] = parameter;
    enum exit_result result = semihosting_call(&vm, NULL);
    ck_assert_int_eq(result, vm.ended ? EXIT_STOPPED : EXIT_DONE);
    return x[0];
}

static uint64_t call3(uint64_t operation, uint64_t a, uint64_t b, uint64_t c)
{
    store_le(ram, a, 8);
    store_le(ram + 8, b, 8);
    store_le(ram + 16, c, 8);
    return call(operation, BLOCK);
}

static uint64_t field(unsigned index)
{
    return load_le(ram + 8 * index, 8);
}

static uint64_t open_name(const char *name, uint64_t mode)
{
    memcpy(ram + (NAME - RAM), name, strlen(name));
    return call3(OPEN, NAME, mode, strlen(name));
}

static uint64_t write_text(uint64_t handle, const char *text)
{
    memcpy(ram + (DATA - RAM), text, strlen(text));
    return call3(WRITE, handle, DATA, strlen(text));
}

static void assert_error(uint64_t number)
{
    ck_assert_uint_eq(call(ERRNO, 0), number);
}

static void assert_text(const struct bytes *b, const char *text)
{
    ck_assert_uint_eq(b->size, strlen(text));
    ck_assert(memcmp(b->data ? b->data : (const uint8_t *)"", text, b->size) == 0);
}

/* Reads up to `size` bytes and expects exactly `text`. */
static void assert_read(uint64_t handle, uint64_t size, const char *text)
{
    memset(ram + (DATA - RAM), '#', size + 1);
    ck_assert_uint_eq(call3(READ, handle, DATA, size), size - strlen(text));
    ck_assert(memcmp(ram + (DATA - RAM), text, strlen(text)) == 0);
    ck_assert_uint_eq(ram[DATA - RAM + strlen(text)], '#');
}

START_TEST(console_output)
{
    open_world();
    memcpy(ram + (DATA - RAM), "A", 1);
    call(WRITEC, DATA);
    /* a string over a page boundary, and one whose last byte is memory's */
    memcpy(ram + 0x1ffd, "bcdef", 6);
    ck_assert_uint_eq(call(WRITE0, RAM + 0x1ffd), 0);
    memcpy(ram + RAM_SIZE - 3, "gh", 3);
    ck_assert_uint_eq(call(WRITE0, RAM + RAM_SIZE - 3), 0);
    ck_assert_uint_eq(call(WRITE0, RAM + RAM_SIZE - 1), 0); /* empty */
    uint64_t out = open_name(":tt", 4);
    ck_assert_uint_ne(out, MINUS_1);
    ck_assert_uint_eq(write_text(out, "ij"), 0);
    ck_assert_uint_eq(call3(WRITE, out, DATA, 0), 0);
    assert_text(&printed, "Abcdefghij");
    close_world();
}
END_TEST

START_TEST(console_output_is_bounded)
{
    open_world();
    memset(wide, 'w', sizeof wide);
    ck_assert_uint_eq(call(WRITE0, WIDE + 5), MINUS_1);
    ck_assert_uint_le(printed.size, MIB + PAGE_SIZE);
    bytes_clear(&printed);
    uint64_t out = open_name(":tt", 4);
    ck_assert_uint_eq(call3(WRITE, out, WIDE, WIDE_SIZE), WIDE_SIZE - 64 * MIB);
    ck_assert_uint_eq(printed.size, 64 * MIB);
    close_world();
}
END_TEST

START_TEST(console_has_no_input)
{
    open_world();
    uint64_t in = open_name(":tt", 0);
    assert_read(in, 10, "");
    ck_assert_uint_eq(call(READC, 0), MINUS_1);
    ck_assert_uint_eq(call3(ISTTY, in, 0, 0), 1);
    ck_assert_uint_eq(call3(FLEN, in, 0, 0), MINUS_1);
    ck_assert_uint_eq(call3(SEEK, in, 0, 0), MINUS_1);
    ck_assert_uint_eq(call3(CLOSE, in, 0, 0), 0);
    ck_assert_uint_eq(host_asked + host_kept, 0);
    close_world();
}
END_TEST

START_TEST(reading)
{
    open_world();
    put_file("box/in.txt", "0123456789");
    uint64_t h = open_name("in.txt", 1);
    ck_assert_uint_ne(h, 0);
    ck_assert_uint_eq(call3(FLEN, h, 0, 0), 10);
    ck_assert_uint_eq(call3(ISTTY, h, 0, 0), 0);
    assert_read(h, 4, "0123");
    assert_read(h, 100, "456789");
    assert_read(h, 4, "");
    ck_assert_uint_eq(call3(SEEK, h, 8, 0), 0);
    assert_read(h, 4, "89");
    ck_assert_uint_eq(call3(SEEK, h, 10, 0), 0);
    ck_assert_uint_eq(call3(SEEK, h, 11, 0), MINUS_1);
    ck_assert_uint_eq(call3(SEEK, h, MINUS_1, 0), MINUS_1);
    ck_assert_uint_eq(call3(SEEK, h, 0, 0), 0);
    ck_assert_uint_eq(call3(READ, h, DATA, MINUS_1), MINUS_1 - 10);
    ck_assert_uint_eq(write_text(h, "x"), MINUS_1);
    assert_error(9);
    ck_assert_uint_eq(call3(CLOSE, h, 0, 0), 0);
    ck_assert_uint_eq(call3(CLOSE, h, 0, 0), MINUS_1);
    ck_assert_uint_eq(host_kept, 0);
    close_world();
}
END_TEST

/* What a file holds after "XY" is written right after opening, for each mode of ISO C. */
static const struct {
    const char *present, *absent; /* NULL: opening (present: writing) fails */
    bool reads;
} modes[12] = {
    {NULL, NULL, true},      {NULL, NULL, true},     {"XYcd", NULL, true},
    {"XYcd", NULL, true},    {"XY", "XY", false},    {"XY", "XY", false},
    {"XY", "XY", true},      {"XY", "XY", true},     {"abcdXY", "XY", false},
    {"abcdXY", "XY", false}, {"abcdXY", "XY", true}, {"abcdXY", "XY", true},
};

START_TEST(writing)
{
    for (unsigned present = 0; present < 2; present++) {
        open_world();
        if (present)
            put_file("box/f", "abcd");
        const char *expected = present ? modes[_i].present : modes[_i].absent;
        uint64_t h = open_name("f", (uint64_t)_i);
        if (!present && !modes[_i].absent) {
            ck_assert_uint_eq(h, MINUS_1);
            assert_error(2);
            ck_assert_ptr_null(host_file("box/f", false));
        } else {
            ck_assert_uint_ne(h, MINUS_1);
            ck_assert_uint_eq(write_text(h, "XY"), expected ? 0 : MINUS_1);
            ck_assert_uint_eq(call3(SEEK, h, 0, 0), 0);
            ck_assert_uint_eq(call3(READ, h, DATA, 1), modes[_i].reads ? 0 : MINUS_1);
            ck_assert_uint_eq(host_kept, 0);
            ck_assert_uint_eq(call3(CLOSE, h, 0, 0), 0);
            assert_text(host_file("box/f", false), expected ? expected : "abcd");
            ck_assert_uint_eq(host_kept, expected ? 1 : 0);
        }
        close_world();
    }
}
END_TEST

START_TEST(opening_is_enough_to_create_but_not_to_rewrite)
{
    open_world();
    put_file("box/old", "old");
    ck_assert_uint_eq(call3(CLOSE, open_name("old", 2), 0, 0), 0);
    ck_assert_uint_eq(call3(CLOSE, open_name("old", 8), 0, 0), 0);
    ck_assert_uint_eq(host_kept, 0);
    ck_assert_uint_eq(call3(CLOSE, open_name("new", 8), 0, 0), 0);
    ck_assert_uint_eq(call3(CLOSE, open_name("old", 4), 0, 0), 0);
    ck_assert_uint_eq(host_kept, 2);
    assert_text(host_file("box/new", false), "");
    assert_text(host_file("box/old", false), "");
    close_world();
}
END_TEST

START_TEST(append_goes_to_the_end_overwrite_does_not)
{
    open_world();
    put_file("box/f", "0123456789");
    uint64_t a = open_name("f", 10), w = open_name("f", 2);
    ck_assert_uint_eq(call3(SEEK, a, 2, 0), 0);
    assert_read(a, 2, "23");
    ck_assert_uint_eq(write_text(a, "ab"), 0);
    ck_assert_uint_eq(call3(SEEK, w, 8, 0), 0);
    ck_assert_uint_eq(write_text(w, "xyz"), 0); /* over the end */
    ck_assert_uint_eq(call3(FLEN, w, 0, 0), 11);
    call3(CLOSE, a, 0, 0);
    assert_text(host_file("box/f", false), "0123456789ab");
    call3(CLOSE, w, 0, 0);
    assert_text(host_file("box/f", false), "01234567xyz");
    close_world();
}
END_TEST

START_TEST(what_is_open_at_the_end_is_dropped)
{
    open_world();
    ck_assert_uint_eq(write_text(open_name("f", 4), "lost"), 0);
    close_world();
    ck_assert_uint_eq(host_kept, 0);
}
END_TEST

START_TEST(a_full_host_changes_nothing_for_the_guest)
{
    open_world();
    host_full = true;
    uint64_t h = open_name("f", 4);
    ck_assert_uint_eq(write_text(h, "x"), 0);
    ck_assert_uint_eq(call3(CLOSE, h, 0, 0), 0);
    ck_assert_uint_eq(host_kept, 1);
    close_world();
}
END_TEST

static const char *const refused[] = {
    "",         "/",      "/etc/passwd", ".",     "..",    "../x",        "a/..",     "a/../b",
    "a//b",     "a/",     "./a",         "a/./b", "C:x",   "C:/x",        "a\\..\\b", "..\\x",
    "a:stream", "x*",     "x?",          "a\nb",  "a\x7f", "caf\xc3\xa9", "dot./x",   "x ",
    "x /y",     ":other", "a/.../b",     "\"",    "a|b",   "<",           ">",
};
/* Windows' devices: no files there, so none anywhere. */
static const char *const devices[] = {
    "CON",    "con",  "Prn",  "aux",    "NUL",     "nul.txt", "Nul  .tar.gz", "COM1",
    "com9.x", "LPT0", "lpt3", "conin$", "CONOUT$", "a/nul",   "nul/a",        "a/Com4.d/b",
};

START_TEST(names_stay_inside)
{
    open_world();
    for (uint64_t mode = 0; mode < 12; mode += 4) {
        ck_assert_uint_eq(open_name(refused[_i], mode), MINUS_1);
        assert_error(13);
    }
    ck_assert_uint_eq(host_asked, 0);
    close_world();
}
END_TEST

/* But old recordings have them. */
START_TEST(names_of_devices)
{
    for (unsigned old = 0; old < 2; old++) {
        board.options.quirks = old ? QUIRK_DEVICE_NAMES : 0;
        open_world();
        uint64_t h = open_name(devices[_i], 4);
        if (old)
            ck_assert_uint_ne(h, MINUS_1);
        else
            assert_error(13);
        ck_assert_uint_eq(call3(CLOSE, h, 0, 0), old ? 0 : MINUS_1);
        ck_assert_uint_eq(host_kept, old);
        close_world();
    }
    board.options.quirks = 0;
}
END_TEST

START_TEST(names_that_are_fine)
{
    static const char *const names[] = {
        "a",     "a/b/c.txt", ".hidden", "..x",   "a b-c_d+e,f", "x.y.z", "console", "nul1",
        "a.con", "com",       "COM10",   "lpt.1", "com1a",       "conin", " nul",    "$"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        open_world();
        snprintf(path, sizeof path, "box/%s", names[i]);
        uint64_t h = open_name(names[i], 4);
        ck_assert_uint_ne(h, MINUS_1);
        call3(CLOSE, h, 0, 0);
        ck_assert_ptr_nonnull(host_file(path, false));
        close_world();
    }
}
END_TEST

START_TEST(name_lengths)
{
    open_world();
    memset(wide, 'n', sizeof wide);
    ck_assert_uint_ne(call3(OPEN, WIDE, 4, 255), MINUS_1);
    ck_assert_uint_eq(call3(OPEN, WIDE, 4, 256), MINUS_1);
    assert_error(36);
    ck_assert_uint_eq(call3(OPEN, WIDE, 4, MINUS_1), MINUS_1);
    memcpy(ram + (NAME - RAM), "a\0b", 3);
    ck_assert_uint_eq(call3(OPEN, NAME, 4, 3), MINUS_1);
    assert_error(13);
    ck_assert_uint_eq(call3(OPEN, NAME, 12, 1), MINUS_1);
    ck_assert_uint_eq(call3(OPEN, NAME, MINUS_1, 1), MINUS_1);
    ck_assert_uint_eq(call3(OPEN, RAM + RAM_SIZE - 1, 4, 2), MINUS_1);
    assert_error(14);
    close_world();
}
END_TEST

START_TEST(no_folder_no_files)
{
    open_world();
    end();
    begin("");
    ck_assert_uint_eq(open_name("f", 0), MINUS_1);
    assert_error(13);
    ck_assert_uint_eq(open_name("f", 4), MINUS_1);
    ck_assert_uint_eq(host_asked, 0);
    ck_assert_uint_ne(open_name(":tt", 4), MINUS_1);
    close_world();
}
END_TEST

START_TEST(sixteen_handles)
{
    open_world();
    for (uint64_t i = 1; i <= 16; i++)
        ck_assert_uint_eq(open_name("f", 4), i);
    ck_assert_uint_eq(open_name("f", 4), MINUS_1);
    assert_error(24);
    ck_assert_uint_eq(open_name(":tt", 4), MINUS_1);
    ck_assert_uint_eq(call3(CLOSE, 7, 0, 0), 0);
    ck_assert_uint_eq(open_name("g", 4), 7);
    close_world();
}
END_TEST

START_TEST(a_failed_open_leaves_nothing_behind)
{
    open_world();
    for (unsigned i = 0; i < 40; i++)
        ck_assert_uint_eq(open_name("absent", 0), MINUS_1);
    put_file("box/f", "abcd");
    uint64_t h = open_name("f", 0);
    assert_read(h, 10, "abcd");
    close_world();
}
END_TEST

START_TEST(files_are_bounded)
{
    open_world();
    uint64_t h = open_name("f", 6);
    ck_assert_uint_eq(call3(WRITE, h, WIDE, 64 * MIB - 1), 0);
    ck_assert_uint_eq(call3(WRITE, h, WIDE, WIDE_SIZE), WIDE_SIZE - 1);
    assert_error(27);
    ck_assert_uint_eq(call3(WRITE, h, WIDE, 1), 1);
    ck_assert_uint_eq(call3(FLEN, h, 0, 0), 64 * MIB);
    call3(CLOSE, h, 0, 0);
    ck_assert_uint_ne(h = open_name("f", 0), MINUS_1);
    call3(CLOSE, h, 0, 0);
    bytes_put(host_file("box/f", false), "x", 1);
    ck_assert_uint_eq(open_name("f", 0), MINUS_1);
    assert_error(27);
    close_world();
}
END_TEST

START_TEST(pointers_into_nowhere)
{
    static const uint64_t nowhere[] = {0, RAM + RAM_SIZE, MINUS_1, MINUS_1 - 4095, RAM - 1};
    open_world();
    put_file("box/f", "abcd");
    uint64_t h = open_name("f", 2);
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        static const uint64_t all[] = {OPEN,        CLOSE,    WRITEC, WRITE0,         WRITE,
                                       READ,        ISERROR,  ISTTY,  SEEK,           FLEN,
                                       GET_CMDLINE, HEAPINFO, EXIT,   EXIT_EXTENDED_, ELAPSED};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            ck_assert_uint_eq(call(all[k], nowhere[i]), MINUS_1);
            assert_error(14);
        }
        ck_assert_uint_eq(call3(WRITE, h, nowhere[i], 8), MINUS_1);
        ck_assert_uint_eq(call3(READ, h, nowhere[i], 4), MINUS_1);
        ck_assert_uint_eq(call3(GET_CMDLINE, nowhere[i], 10, 0), MINUS_1);
        ck_assert_uint_eq(call3(HEAPINFO, nowhere[i], 0, 0), MINUS_1);
    }
    ck_assert(!vm.ended);
    ck_assert_uint_eq(printed.size, 0);
    assert_read(h, 4, "abcd"); /* the position did not move */
    close_world();
}
END_TEST

START_TEST(handles_that_are_none)
{
    static const uint64_t operations[] = {CLOSE, WRITE, READ, ISTTY, SEEK, FLEN};
    static const uint64_t handles[] = {0, 2, 16, 17, MINUS_1, UINT64_C(1) << 32 | 1};
    open_world();
    ck_assert_uint_eq(open_name("f", 4), 1);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (size_t k = 0; k < sizeof handles / sizeof *handles; k++) {
            ck_assert_uint_eq(call3(operations[i], handles[k], DATA, 1), MINUS_1);
            assert_error(9);
        }
    close_world();
}
END_TEST

START_TEST(unsupported_operations)
{
    static const uint64_t operations[] = {0,    REMOVE, RENAME, SYSTEM, 0x0b,      0x0d,
                                          0x17, 0x19,   0x32,   0x100,  UINT32_MAX};
    open_world();
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        ck_assert_uint_eq(call3(operations[i], NAME, 0, 0), MINUS_1);
    /* the operation is W0: the upper half does not count */
    ck_assert_uint_eq(call(UINT64_C(0xffffffff00000000) | TICKFREQ, 0), 1000000000);
    ck_assert_uint_eq(call3(ISERROR, MINUS_1, 0, 0), 1);
    ck_assert_uint_eq(call3(ISERROR, 0, 0, 0), 0);
    ck_assert_uint_eq(call3(ISERROR, 5, 0, 0), 0);
    close_world();
}
END_TEST

START_TEST(virtual_time)
{
    open_world();
    board.vtime = (struct vtime){.instructions = 7, .idle_ticks = 500, .rate_hz = 1000};
    executed = 2500; /* the exact count, newer than the board's */
    ck_assert_uint_eq(call(CLOCK, 0), 300);
    ck_assert_uint_eq(call(TIME, 0), 1700000003);
    ck_assert_uint_eq(call(ELAPSED, BLOCK), 0);
    ck_assert_uint_eq(field(0), 3000);
    ck_assert_uint_eq(call(TICKFREQ, 0), 1000);
    close_world();
}
END_TEST

START_TEST(command_line)
{
    char text[] = "console=ttyAMA0 quiet";
    open_world();
    config.cmdline = text;
    ck_assert_uint_eq(call3(GET_CMDLINE, DATA, sizeof text - 1, 0), MINUS_1);
    ck_assert_uint_eq(call3(GET_CMDLINE, DATA, sizeof text, 0), 0);
    ck_assert_uint_eq(field(0), DATA);
    ck_assert_uint_eq(field(1), sizeof text - 1);
    ck_assert_str_eq((const char *)ram + (DATA - RAM), text);
    config.cmdline = NULL;
    ck_assert_uint_eq(call3(GET_CMDLINE, DATA, 1, 0), 0);
    ck_assert_uint_eq(field(1), 0);
    ck_assert_uint_eq(ram[DATA - RAM], 0);
    ck_assert_uint_eq(call3(GET_CMDLINE, DATA, 0, 0), MINUS_1);
    close_world();
}
END_TEST

/* What is open is part of every snapshot: together not without bound. */
START_TEST(open_files_are_bounded)
{
    open_world();
    struct bytes *largest = host_file("box/f", true);
    bytes_reserve(largest, 64 * MIB);
    memset(largest->data, 'x', 64 * MIB);
    largest->size = 64 * MIB;
    for (uint64_t i = 1; i <= 4; i++)
        ck_assert_uint_eq(open_name("f", 0), i);
    uint64_t h = open_name("g", 6);
    ck_assert_uint_eq(call3(WRITE, h, WIDE, 1), 1);
    assert_error(27);
    put_file("box/small", "x");
    ck_assert_uint_eq(open_name("small", 0), MINUS_1);
    assert_error(27);
    ck_assert_uint_ne(h, MINUS_1);
    call3(CLOSE, 1, 0, 0);
    ck_assert_uint_eq(call3(WRITE, h, WIDE, 1), 0);
    ck_assert_uint_ne(open_name("small", 0), MINUS_1);
    close_world();
}
END_TEST

static bool restore(const struct bytes *saved, const char **why)
{
    struct reader in = reader_of(saved->data, saved->size);
    struct state s = state_restoring(&in);
    semihosting_visit(vm.semihosting, &s);
    *why = in.refused;
    return state_is_good(&s) && reader_at_end(&in);
}

/* Every kind of open file comes back from a snapshot, and nothing else does. */
START_TEST(open_files_are_restored)
{
    /* Of the features: 1 + 1 + 8 bytes, then the name's length, 21 bytes of it, and the length of 5
     * bytes. */
    static const struct {
        size_t at;
        uint8_t value;
        const char *refused;
    } cases[] = {
        {0, 3, "the kind of a semihosting file"},
        {1, 0x11, "the rights to a semihosting file"},
        {1, 3, "the name of a semihosting file"}, /* they are not writable */
        {2, 6, "the position in a semihosting file"},
        {11, '/', "the name of a semihosting file"},
        {12, 0, "the name of a semihosting file"},
        {32, 0xff, "the contents of a semihosting file"},
    };
    struct bytes saved = {0};
    const char *why;
    open_world();
    uint64_t features = open_name(":semihosting-features", 0), file = open_name("f", 6);
    open_name(":tt", 4);
    write_text(file, "abcd");
    struct state s = state_saving(&saved);
    semihosting_visit(vm.semihosting, &s);
    ck_assert(restore(&saved, &why));
    assert_read(features, 100, "SHFB\x03");
    ck_assert_uint_eq(call3(FLEN, file, 0, 0), 4);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t was = saved.data[cases[i].at];
        saved.data[cases[i].at] = cases[i].value;
        ck_assert(!restore(&saved, &why));
        ck_assert_str_eq(why, cases[i].refused);
        saved.data[cases[i].at] = was;
    }
    ck_assert(restore(&saved, &why));
    bytes_free(&saved);
    close_world();
}
END_TEST

START_TEST(heap_and_features)
{
    open_world();
    memset(ram + (DATA - RAM), 0xff, 40);
    ck_assert_uint_eq(call3(HEAPINFO, DATA, 0, 0), 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(load_le(ram + (DATA - RAM) + 8 * i, 8), 0);
    ck_assert_uint_eq(ram[DATA - RAM + 32], 0xff);
    uint64_t h = open_name(":semihosting-features", 1);
    ck_assert_uint_eq(call3(FLEN, h, 0, 0), 5);
    assert_read(h, 100, "SHFB\x03");
    ck_assert_uint_eq(call3(CLOSE, h, 0, 0), 0);
    ck_assert_uint_eq(open_name(":semihosting-features", 4), MINUS_1);
    ck_assert_uint_eq(host_asked + host_kept, 0);
    close_world();
}
END_TEST

static const struct {
    uint64_t reason, code;
    int status;
    const char *sentence;
} exits[] = {
    {0x20026, 0, 0, "the guest exited with code 0"},
    {0x20026, 1, 33, "the guest exited with code 1"},
    {0x20026, 30, 62, "the guest exited with code 30"},
    {0x20026, 31, 63, "the guest exited with code 31"},
    {0x20026, 256, 63, "the guest exited with code 256"},
    {0x20026, UINT64_C(1) << 32, 63, "the guest exited with code 4294967296"},
    {0x20026, MINUS_1, 63, "the guest exited with code 18446744073709551615"},
    {0x20023, 0, 63, "the guest stopped with semihosting reason 0x20023"},
    {UINT64_C(0x100020026), 0, 63, "the guest stopped with semihosting reason 0x100020026"},
};

START_TEST(exit_statuses)
{
    for (uint64_t operation = EXIT; operation <= EXIT_EXTENDED_; operation += 8) {
        open_world();
        call3(operation, exits[_i].reason, exits[_i].code, 0);
        ck_assert(vm.ended);
        ck_assert_int_eq(vm.exit_status, exits[_i].status);
        ck_assert_str_eq(vm.ending, exits[_i].sentence);
        close_world();
    }
}
END_TEST

/* A guest that probes, reads and writes; what it sees is in `seen`. */
static void scenario(uint64_t seen[8])
{
    seen[0] = open_name("absent", 0);
    seen[1] = open_name("in", 0);
    seen[2] = call3(READ, seen[1], DATA, 10);
    seen[3] = ram[DATA - RAM];
    seen[4] = open_name("log", 8);
    seen[5] = write_text(seen[4], "entry");
    seen[6] = call3(CLOSE, seen[4], 0, 0);
    seen[7] = open_name("absent", 2);
}

START_TEST(a_replay_sees_the_same)
{
    uint64_t live[8], replayed[8];
    open_world();
    put_file("box/in", "input");
    scenario(live);
    ck_assert_uint_eq(live[0], MINUS_1);
    ck_assert_uint_eq(live[2], 5);
    ck_assert_uint_eq(host_asked, 4);
    end();

    journal_replay(&journal);
    put_file("box/absent", "not absent any more");
    begin("box");
    scenario(replayed);
    ck_assert(memcmp(live, replayed, sizeof live) == 0);
    ck_assert_uint_eq(host_asked, 4);
    ck_assert(reader_at_end(&journal.pull_reader));

    /* one more is not in the recording: the replay says so and stops */
    open_name("in", 0);
    ck_assert(vm.ended);
    ck_assert_int_eq(vm.exit_status, STATUS_DIVERGED);
    close_world();
}
END_TEST

START_TEST(a_replay_that_asks_for_another_file_stops)
{
    open_world();
    open_name("absent", 0);
    end();
    journal_replay(&journal);
    begin("box");
    ck_assert_uint_eq(open_name("other", 0), MINUS_1);
    ck_assert_int_eq(vm.exit_status, STATUS_DIVERGED);
    ck_assert_str_eq(vm.ending, "the machine asks for input 'box/other' where the trace holds "
                                "'box/absent'");
    close_world();
}
END_TEST

/* journal_probe itself. */
START_TEST(absence_in_the_stream)
{
    static const uint8_t expected[] = {0x83, 3,   'd', '/', 'k', 0,    0x83, 6,   'd', '/', 'l',
                                       'i',  'n', 'k', 1,   1,   0x82, 3,    'd', '/', 'e', 0};
    static const struct {
        const char *name;
        enum probe_answer answer;
    } files[] = {{"k", PROBE_ABSENT}, {"link", PROBE_REFUSED}};
    struct bytes out = {0};
    struct error e = {0};
    enum probe_answer answer;
    open_world();
    bytes_put(&out, "kept", 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(journal_probe(&journal, "d", files[i % 2].name, 1, &out, &answer, &e));
        ck_assert_int_eq(answer, files[i % 2].answer);
        assert_text(&out, "kept"); /* nothing of the failed attempt */
        if (i != 1)
            continue;
        bytes_put(&journal.pulls, expected + 16, 6);
        ck_assert_uint_eq(journal.pulls.size, sizeof expected);
        ck_assert(memcmp(journal.pulls.data, expected, sizeof expected) == 0);
        journal_replay(&journal);
    }
    ck_assert_str_eq(e.text, "");
    /* another kind, and a machine that cannot do without it */
    ck_assert(!journal_probe(&journal, "d", "e", 1, &out, &answer, &e));
    journal_replay(&journal);
    ck_assert(!journal_pull(&journal, PULL_FILE, "d/k", 0, &out, &e));
    bytes_free(&out);
    close_world();
}
END_TEST

START_TEST(live_keeps_no_stream)
{
    struct bytes out = {0};
    struct error e = {0};
    enum probe_answer answer;
    open_world();
    journal_live(&journal, JOURNAL_LIVE, (struct journal_host){.probe = host_probe});
    ck_assert(journal_probe(&journal, "d", "k", 1, &out, &answer, &e));
    ck_assert_int_eq(answer, PROBE_ABSENT);
    ck_assert_uint_eq(journal.pulls.size, 0);
    bytes_free(&out);
    close_world();
}
END_TEST

static bool append(void *context, const void *data, size_t size)
{
    bytes_put(context, data, size);
    return true;
}

START_TEST(absence_survives_a_trace_file)
{
    struct bytes file = {0}, out = {0};
    struct trace_writer w;
    struct trace t;
    struct error e = {0};
    enum probe_answer answer = PROBE_PRESENT;
    char name[] = "vm", text[] = "system vm";
    open_world();
    open_name("absent", 0);
    ck_assert(trace_writer_begin(&w, (struct trace_sink){.write = append, .context = &file}, 0));
    ck_assert(trace_write_config(&w, &(struct trace_text){name, text}, 1));
    ck_assert(trace_record_step(&w, &journal, &e));
    ck_assert(trace_write_end(&w, &(struct trace_end){.sentence = "end"}));
    ck_assert(trace_writer_finish(&w));
    journal_free(&journal);
    ck_assert_msg(trace_parse(&t, file.data, file.size, NULL, &e), "%s", e.text);
    trace_into_journal(&t, &journal);
    ck_assert(journal_probe(&journal, "box", "absent", 1, &out, &answer, &e));
    ck_assert_int_eq(answer, PROBE_ABSENT);
    trace_free(&t);
    bytes_free(&file);
    bytes_free(&out);
    close_world();
}
END_TEST

static TCase *console_and_files(void)
{
    TCase *t = tcase_create("console and files");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, console_output);
    tcase_add_test(t, console_output_is_bounded);
    tcase_add_test(t, console_has_no_input);
    tcase_add_test(t, reading);
    tcase_add_loop_test(t, writing, 0, 12);
    tcase_add_test(t, opening_is_enough_to_create_but_not_to_rewrite);
    tcase_add_test(t, append_goes_to_the_end_overwrite_does_not);
    tcase_add_test(t, what_is_open_at_the_end_is_dropped);
    tcase_add_test(t, a_full_host_changes_nothing_for_the_guest);
    tcase_add_loop_test(t, names_stay_inside, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_loop_test(t, names_of_devices, 0, (int)(sizeof devices / sizeof *devices));
    tcase_add_test(t, names_that_are_fine);
    tcase_add_test(t, name_lengths);
    tcase_add_test(t, no_folder_no_files);
    tcase_add_test(t, sixteen_handles);
    tcase_add_test(t, a_failed_open_leaves_nothing_behind);
    tcase_add_test(t, files_are_bounded);
    tcase_add_test(t, pointers_into_nowhere);
    tcase_add_test(t, handles_that_are_none);
    return t;
}

static TCase *everything_else(void)
{
    TCase *t = tcase_create("everything else");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, unsupported_operations);
    tcase_add_test(t, virtual_time);
    tcase_add_test(t, command_line);
    tcase_add_test(t, heap_and_features);
    tcase_add_test(t, open_files_are_bounded);
    tcase_add_test(t, open_files_are_restored);
    tcase_add_loop_test(t, exit_statuses, 0, (int)(sizeof exits / sizeof *exits));
    return t;
}

static TCase *recordings(void)
{
    TCase *t = tcase_create("recordings");
    tcase_add_test(t, a_replay_sees_the_same);
    tcase_add_test(t, a_replay_that_asks_for_another_file_stops);
    tcase_add_test(t, absence_in_the_stream);
    tcase_add_test(t, live_keeps_no_stream);
    tcase_add_test(t, absence_survives_a_trace_file);
    return t;
}

int main(void)
{
    Suite *s = suite_create("hv/semihosting");
    suite_add_tcase(s, console_and_files());
    suite_add_tcase(s, everything_else());
    suite_add_tcase(s, recordings());
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
