/* Semihosting for AArch64 (Arm, "Semihosting for AArch32 and AArch64", release 2.0): HLT #0xF000
 * with the operation in W0 and in X1 a value or the address of a block of 8-byte fields; the result
 * goes to X0. Each function below is one operation; `operations` lists them.
 *
 * Files live in one folder, the sandbox. A file that is read comes whole through the journal when
 * it is opened, stays in memory, and leaves whole through a sink when it is closed, if it changed;
 * what is still open when the VM ends is dropped. Two handles on one file do not see each other.
 *
 * Every pointer, length and name is the guest's and believed in nothing: copies go in pieces
 * through exit_log_read_gva, sizes are compared with what is left, and one call moves at most
 * TRANSFER_MAX bytes, so that no instruction keeps the host busy for ever. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arm64/engine_arm64.h"
#include "emu/check.h"
#include "emu/machine.h"
#include "emu/text.h"
#include "hv/hv_internal.h"
#include "hv/exitlog/exit_log.h"

#define HANDLES      16
#define NAME_ROOM    256 /* with its NUL */
#define PIECE        4096
#define FILE_MAX     ((uint64_t)64 << 20)
#define OPEN_MAX     ((uint64_t)256 << 20) /* all open files: they are part of every snapshot */
#define TRANSFER_MAX FILE_MAX
#define STRING_MAX   ((uint64_t)1 << 20) /* SYS_WRITE0 */
#define FIELDS_MAX   3

enum operation {
    SEMIHOSTING_OPEN = 0x01,
    SEMIHOSTING_CLOSE = 0x02,
    SEMIHOSTING_WRITEC = 0x03,
    SEMIHOSTING_WRITE0 = 0x04,
    SEMIHOSTING_WRITE = 0x05,
    SEMIHOSTING_READ = 0x06,
    SEMIHOSTING_READC = 0x07,
    SEMIHOSTING_ISERROR = 0x08,
    SEMIHOSTING_ISTTY = 0x09,
    SEMIHOSTING_SEEK = 0x0a,
    SEMIHOSTING_FLEN = 0x0c,
    SEMIHOSTING_CLOCK = 0x10,
    SEMIHOSTING_TIME = 0x11,
    SEMIHOSTING_ERRNO = 0x13,
    SEMIHOSTING_GET_CMDLINE = 0x15,
    SEMIHOSTING_HEAPINFO = 0x16,
    SEMIHOSTING_EXIT = 0x18,
    SEMIHOSTING_EXIT_EXTENDED = 0x20,
    SEMIHOSTING_ELAPSED = 0x30,
    SEMIHOSTING_TICKFREQ = 0x31,
    OPERATIONS
};

#define ADP_STOPPED_APPLICATION_EXIT 0x20026

/* What SYS_ERRNO says. The specification leaves the numbers to the host; these are the same on
 * every host. */
enum guest_error {
    NOT_FOUND = 2,    /* ENOENT */
    BAD_HANDLE = 9,   /* EBADF */
    NOT_ALLOWED = 13, /* EACCES */
    BAD_ADDRESS = 14, /* EFAULT */
    BAD_VALUE = 22,   /* EINVAL */
    TOO_MANY = 24,    /* EMFILE */
    TOO_BIG = 27,     /* EFBIG */
    NO_POSITION = 29, /* ESPIPE */
    LONG_NAME = 36,   /* ENAMETOOLONG */
    UNSUPPORTED = 38, /* ENOSYS */
};

enum handle_kind { HANDLE_FREE, HANDLE_CONSOLE, HANDLE_FILE };

struct handle {
    enum handle_kind kind;
    bool readable, writable, appends;
    bool changed;
    uint64_t at; /* never behind the end */
    struct bytes contents;
    char name[NAME_ROOM];
};

struct semihosting {
    const char *folder;        /* borrowed; "" = no files */
    bool may_be_named_devices; /* files may (QUIRK_DEVICE_NAMES) */
    unsigned error;            /* of the last operation that failed */
    struct handle handles[HANDLES];
};

/* One HLT. */
struct call {
    struct vm *vm;
    struct vcpu *v;
    struct semihosting *s;
    uint64_t parameter;         /* X1 */
    uint64_t field[FIELDS_MAX]; /* of the block it points to, where there is one */
};

struct semihosting *semihosting_new(const char *folder, uint32_t quirks)
{
    struct semihosting *s = calloc(1, sizeof *s);
    CHECK_ROOM(s);
    s->folder = folder;
    s->may_be_named_devices = quirks & QUIRK_DEVICE_NAMES;
    return s;
}

void semihosting_free(struct semihosting *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < HANDLES; i++)
        bytes_free(&s->handles[i].contents);
    free(s);
}

static uint64_t fail(const struct call *c, enum guest_error error)
{
    c->s->error = error;
    return UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool put_field(const struct call *c, unsigned index, uint64_t value)
{
    uint8_t le[8];
    store_le(le, value, sizeof le);
    return exit_log_write_gva(c->vm, c->v, gva(c->parameter + 8 * index), le, sizeof le);
}

static struct vtime now(const struct call *c)
{
    struct vtime t = c->vm->board->vtime;
    t.instructions = engine_executed(c->vm->world.engine);
    return t;
}

static void print(const struct call *c, const void *data, size_t size)
{
    if (size)
        vm_output(c->vm, VM_CHANNEL_OF_CALLS, data, size);
}

/* Handles: 1 to HANDLES, as 0 is never one. ------------------------------------------------------
 */

static struct handle *handle_of(const struct call *c)
{
    uint64_t index = c->field[0] - 1;
    if (index >= HANDLES || c->s->handles[index].kind == HANDLE_FREE)
        return NULL;
    return &c->s->handles[index];
}

static struct handle *free_handle(struct semihosting *s)
{
    for (size_t i = 0; i < HANDLES; i++)
        if (s->handles[i].kind == HANDLE_FREE)
            return &s->handles[i];
    return NULL;
}

static void release(struct handle *h)
{
    bytes_free(&h->contents);
    *h = (struct handle){0};
}

/* On Windows these are devices in every folder, whatever comes behind a dot or spaces ("Win32
 * naming conventions" of Microsoft's "Naming Files, Paths, and Namespaces"). */
static bool is_device_of_windows(const char *part, size_t length)
{
    static const char *const whole[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    static const char *const numbered[] = {"COM", "LPT"};
    const char *dot = memchr(part, '.', length);
    if (dot)
        length = (size_t)(dot - part);
    while (length && part[length - 1] == ' ')
        length--;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (text_equals_in_any_case(whole[i], part, length))
            return true;
    bool has_number = length && part[length - 1] >= '0' && part[length - 1] <= '9';
    for (size_t i = 0; has_number && i < sizeof numbered / sizeof numbered[0]; i++)
        if (text_equals_in_any_case(numbered[i], part, length - 1))
            return true;
    return false;
}

/* Stays this name inside the folder on every host, and is a file's? Refused is also what only some
 * hosts read in a second way: drives and streams (':'), '\', a dot or space at the end that Windows
 * drops, its devices. */
static bool name_is_safe(const struct semihosting *s, const char *name)
{
    for (const char *p = name; *p; p++)
        if (*p < 0x20 || *p > 0x7e || strchr("\\:*?\"<>|", *p))
            return false;
    for (;;) {
        size_t length = strcspn(name, "/");
        if (length == 0 || name[length - 1] == '.' || name[length - 1] == ' ')
            return false; /* "/x", "x//y", "x/", ".", "..", "" */
        if (!s->may_be_named_devices && is_device_of_windows(name, length))
            return false;
        if (!name[length])
            return true;
        name += length + 1;
    }
}

static uint64_t open_bytes(const struct semihosting *s)
{
    uint64_t used = 0;
    for (size_t i = 0; i < HANDLES; i++)
        used += s->handles[i].contents.size;
    return used;
}

static void say_too_much(const struct call *c, const struct handle *h)
{
    log_guest(&c->vm->log,
              "semihosting: no more of '%s': a file may have %" PRIu64
              " MiB, all open ones %" PRIu64,
              h->name, FILE_MAX >> 20, OPEN_MAX >> 20);
}

/* The file's contents, for r and a. A file that is not there is an answer, an input like its
 * contents; anything else wrong means that a replay does not fit its recording. One that is there
 * and not given must not be taken for a new one: its close would empty it. */
static uint64_t pull(const struct call *c, struct handle *h, bool must_exist)
{
    struct error e = {0};
    enum probe_answer answer;
    if (!journal_probe(c->vm->board->journal, c->s->folder, h->name, (size_t)FILE_MAX, &h->contents,
                       &answer, &e)) {
        vm_end(c->vm, STATUS_DIVERGED, "%s", e.text);
        return UINT64_MAX;
    }
    if (answer == PROBE_ABSENT && must_exist)
        return fail(c, NOT_FOUND);
    if (answer == PROBE_REFUSED)
        return fail(c, NOT_ALLOWED);
    if (answer == PROBE_TOO_LARGE || h->contents.size > FILE_MAX || /* older recordings have it */
        open_bytes(c->s) > OPEN_MAX) {
        say_too_much(c, h);
        return fail(c, TOO_BIG);
    }
    h->changed = answer == PROBE_ABSENT;
    return 0;
}

/* Modes are in the order r rb r+ r+b w wb w+ w+b a ab a+ a+b. */
static uint64_t open_file(const struct call *c, struct handle *h, uint64_t mode)
{
    bool reads = mode < 4, appends = mode >= 8, both = mode & 2;
    if (!*c->s->folder || !name_is_safe(c->s, h->name))
        return fail(c, NOT_ALLOWED);
    h->readable = reads || both;
    h->writable = !reads || both;
    h->appends = appends;
    h->changed = true; /* w: created or emptied */
    return reads || appends ? pull(c, h, reads) : 0;
}

/* Section "Feature bits": a file that says which extensions there are. Here: SYS_EXIT_EXTENDED, and
 * ":tt" can be opened for stdout and stderr. */
static uint64_t open_features(const struct call *c, struct handle *h, uint64_t mode)
{
    if (mode > 1)
        return fail(c, NOT_ALLOWED);
    h->readable = true;
    bytes_put(&h->contents, "SHFB\x03", 5);
    return 0;
}

#define FEATURES ":semihosting-features"

static uint64_t open_handle(const struct call *c, struct handle *h, uint64_t mode)
{
    if (strcmp(h->name, ":tt") == 0) {
        h->kind = HANDLE_CONSOLE;
        return 0;
    }
    h->kind = HANDLE_FILE;
    return strcmp(h->name, FEATURES) == 0 ? open_features(c, h, mode) : open_file(c, h, mode);
}

/* Fields: name, mode, length of the name. */
static uint64_t sys_open(const struct call *c)
{
    uint64_t mode = c->field[1], length = c->field[2];
    struct handle *h = free_handle(c->s);
    if (!h)
        return fail(c, TOO_MANY);
    if (mode >= 12)
        return fail(c, BAD_VALUE);
    if (length >= NAME_ROOM)
        return fail(c, LONG_NAME);
    memset(h->name, 0, sizeof h->name);
    if (!exit_log_read_gva(c->vm, c->v, gva(c->field[0]), h->name, length))
        return fail(c, BAD_ADDRESS);
    if (strlen(h->name) != length)
        return fail(c, NOT_ALLOWED);
    if (open_handle(c, h, mode) != 0) {
        release(h);
        return UINT64_MAX;
    }
    return (uint64_t)(h - c->s->handles) + 1;
}

/* Whether the host could keep the file is not the guest's to know: outputs are not inputs, and a
 * replay, which keeps nothing, must go on in the same way. */
static uint64_t sys_close(const struct call *c)
{
    struct handle *h = handle_of(c);
    struct error e = {0};
    if (!h)
        return fail(c, BAD_HANDLE);
    const struct board_sinks *sinks = &c->vm->board->sinks;
    if (h->changed && sinks->file &&
        !sinks->file(sinks->context, c->s->folder, h->name, h->contents.data, h->contents.size, &e))
        log_write(&c->vm->log, LOG_SEVERITY_ERROR, "semihosting: file '%s' is lost: %s", h->name,
                  e.text);
    release(h);
    return 0;
}

/* Console and contents ---------------------------------------------------------------------------
 */

static uint64_t sys_writec(const struct call *c)
{
    uint8_t byte;
    if (!exit_log_read_gva(c->vm, c->v, gva(c->parameter), &byte, 1))
        return fail(c, BAD_ADDRESS);
    print(c, &byte, 1);
    return 0;
}

/* Page by page, as the page behind the NUL need not be there. */
static uint64_t sys_write0(const struct call *c)
{
    uint8_t piece[PAGE_SIZE];
    uint64_t at = c->parameter, printed = 0;
    while (printed < STRING_MAX) {
        uint64_t size = PAGE_SIZE - (at & PAGE_MASK);
        if (!exit_log_read_gva(c->vm, c->v, gva(at), piece, size))
            return fail(c, BAD_ADDRESS);
        const uint8_t *nul = memchr(piece, 0, size);
        print(c, piece, nul ? (size_t)(nul - piece) : size);
        if (nul)
            return 0;
        at += size;
        printed += size;
    }
    log_guest(&c->vm->log, "semihosting: a string without end at %#" PRIx64, c->parameter);
    return fail(c, TOO_BIG);
}

static void put_contents(struct handle *h, const uint8_t *data, size_t size)
{
    size_t over = (size_t)least(size, h->contents.size - h->at);
    if (over)
        memcpy(h->contents.data + h->at, data, over);
    bytes_put(&h->contents, data + over, size - over);
    h->at += size;
    h->changed = true;
}

/* Fields: handle, data, length. The result is how many bytes were not written. */
static uint64_t sys_write(const struct call *c)
{
    struct handle *h = handle_of(c);
    uint64_t from = c->field[1], length = c->field[2];
    uint8_t piece[PIECE];
    if (!h || (h->kind == HANDLE_FILE && !h->writable))
        return fail(c, BAD_HANDLE);
    if (h->appends)
        h->at = h->contents.size;
    bool is_file = h->kind == HANDLE_FILE;
    uint64_t room = h->contents.size - h->at + (OPEN_MAX - open_bytes(c->s));
    uint64_t left = least(length, is_file ? least(FILE_MAX - h->at, room) : TRANSFER_MAX);
    if (left < length)
        c->s->error = TOO_BIG;
    if (left < length && is_file)
        say_too_much(c, h);
    uint64_t not_written = length - left;
    while (left) {
        size_t size = (size_t)least(left, sizeof piece);
        if (!exit_log_read_gva(c->vm, c->v, gva(from), piece, size))
            return fail(c, BAD_ADDRESS);
        if (h->kind == HANDLE_CONSOLE)
            print(c, piece, size);
        else
            put_contents(h, piece, size);
        from += size;
        left -= size;
    }
    return not_written;
}

/* Fields: handle, buffer, length. The result is how many bytes were not filled. The console has no
 * input yet: it is always at its end. */
static uint64_t sys_read(const struct call *c)
{
    struct handle *h = handle_of(c);
    uint64_t length = c->field[2];
    if (!h || (h->kind == HANDLE_FILE && !h->readable))
        return fail(c, BAD_HANDLE);
    uint64_t size = least(length, h->contents.size - h->at);
    if (size && !exit_log_write_gva(c->vm, c->v, gva(c->field[1]), h->contents.data + h->at, size))
        return fail(c, BAD_ADDRESS);
    h->at += size;
    return length - size;
}

/* The console has no input yet; there is no other way to say so. */
static uint64_t sys_readc(const struct call *c)
{
    return fail(c, UNSUPPORTED);
}

static uint64_t sys_istty(const struct call *c)
{
    const struct handle *h = handle_of(c);
    return h ? h->kind == HANDLE_CONSOLE : fail(c, BAD_HANDLE);
}

/* Fields: handle, absolute position. Seeking behind the end is undefined; it fails. */
static uint64_t sys_seek(const struct call *c)
{
    struct handle *h = handle_of(c);
    if (!h)
        return fail(c, BAD_HANDLE);
    if (h->kind == HANDLE_CONSOLE)
        return fail(c, NO_POSITION);
    if (c->field[1] > h->contents.size)
        return fail(c, BAD_VALUE);
    h->at = c->field[1];
    return 0;
}

static uint64_t sys_flen(const struct call *c)
{
    const struct handle *h = handle_of(c);
    if (!h)
        return fail(c, BAD_HANDLE);
    return h->kind == HANDLE_CONSOLE ? fail(c, NO_POSITION) : h->contents.size;
}

/* Everything else --------------------------------------------------------------------------------
 */

static uint64_t sys_iserror(const struct call *c)
{
    return c->field[0] >> 63;
}

static uint64_t sys_errno(const struct call *c)
{
    return c->s->error;
}

static uint64_t sys_clock(const struct call *c)
{
    struct vtime t = now(c);
    return vtime_count(&t, 100);
}

static uint64_t sys_time(const struct call *c)
{
    struct vtime t = now(c);
    return c->vm->board->wall_clock_s + vtime_count(&t, 1);
}

static uint64_t sys_elapsed(const struct call *c)
{
    struct vtime t = now(c);
    return put_field(c, 0, vtime_ticks(&t)) ? 0 : fail(c, BAD_ADDRESS);
}

static uint64_t sys_tickfreq(const struct call *c)
{
    return c->vm->board->vtime.rate_hz;
}

/* Fields: buffer, its length; the second one becomes the length of the text. */
static uint64_t sys_get_cmdline(const struct call *c)
{
    const char *text = c->vm->config->cmdline ? c->vm->config->cmdline : "";
    uint64_t size = strlen(text) + 1;
    if (size > c->field[1])
        return fail(c, BAD_VALUE);
    if (!exit_log_write_gva(c->vm, c->v, gva(c->field[0]), text, size) ||
        !put_field(c, 1, size - 1))
        return fail(c, BAD_ADDRESS);
    return 0;
}

/* The field points to a block of four: heap base and limit, stack base and limit. Zero: we do not
 * know, the guest uses its own. */
static uint64_t sys_heapinfo(const struct call *c)
{
    static const uint8_t unknown[4 * 8];
    if (!exit_log_write_gva(c->vm, c->v, gva(c->field[0]), unknown, sizeof unknown))
        return fail(c, BAD_ADDRESS);
    return 0;
}

/* Fields: reason, subcode. On AArch64 SYS_EXIT takes the same block. */
static uint64_t sys_exit(const struct call *c)
{
    uint64_t reason = c->field[0], code = c->field[1];
    if (reason != ADP_STOPPED_APPLICATION_EXIT)
        vm_end(c->vm, STATUS_USER + 31, "the guest stopped with semihosting reason %#" PRIx64,
               reason);
    else
        vm_end(c->vm, code ? STATUS_USER + (int)least(code, 31) : STATUS_OK,
               "the guest exited with code %" PRIu64, code);
    return 0;
}

/* SYS_REMOVE, SYS_RENAME, SYS_SYSTEM and SYS_TMPNAM are not here: a guest changes nothing on the
 * host but the files it wrote. */
static const struct {
    uint64_t (*run)(const struct call *c);
    unsigned fields;
} operations[OPERATIONS] = {
    [SEMIHOSTING_OPEN] = {sys_open, 3},
    [SEMIHOSTING_CLOSE] = {sys_close, 1},
    [SEMIHOSTING_WRITEC] = {sys_writec, 0},
    [SEMIHOSTING_WRITE0] = {sys_write0, 0},
    [SEMIHOSTING_WRITE] = {sys_write, 3},
    [SEMIHOSTING_READ] = {sys_read, 3},
    [SEMIHOSTING_READC] = {sys_readc, 0},
    [SEMIHOSTING_ISERROR] = {sys_iserror, 1},
    [SEMIHOSTING_ISTTY] = {sys_istty, 1},
    [SEMIHOSTING_SEEK] = {sys_seek, 2},
    [SEMIHOSTING_FLEN] = {sys_flen, 1},
    [SEMIHOSTING_CLOCK] = {sys_clock, 0},
    [SEMIHOSTING_TIME] = {sys_time, 0},
    [SEMIHOSTING_ERRNO] = {sys_errno, 0},
    [SEMIHOSTING_GET_CMDLINE] = {sys_get_cmdline, 2},
    [SEMIHOSTING_HEAPINFO] = {sys_heapinfo, 1},
    [SEMIHOSTING_EXIT] = {sys_exit, 2},
    [SEMIHOSTING_EXIT_EXTENDED] = {sys_exit, 2},
    [SEMIHOSTING_ELAPSED] = {sys_elapsed, 0},
    [SEMIHOSTING_TICKFREQ] = {sys_tickfreq, 0},
};

static uint64_t run_operation(struct call *c, uint32_t operation)
{
    uint8_t block[8 * FIELDS_MAX];
    if (operation >= OPERATIONS || !operations[operation].run) {
        log_guest(&c->vm->log, "semihosting: operation %#" PRIx32 " is not supported", operation);
        return fail(c, UNSUPPORTED);
    }
    unsigned fields = operations[operation].fields;
    if (!exit_log_read_gva(c->vm, c->v, gva(c->parameter), block, 8 * fields))
        return fail(c, BAD_ADDRESS);
    for (unsigned i = 0; i < fields; i++)
        c->field[i] = load_le(block + 8 * i, 8);
    return operations[operation].run(c);
}

enum exit_result semihosting_call(struct vm *vm, struct vcpu *v)
{
    struct engine *e = vm->world.engine;
    struct call c = {.vm = vm, .v = v, .s = vm->semihosting, .parameter = engine_x(e, 1)};
    uint64_t result = run_operation(&c, (uint32_t)engine_x(e, 0));
    engine_set_x(e, 0, result);
    return vm->ended ? EXIT_STOPPED : EXIT_DONE;
}

/* What no operation makes: another name or position, more in all files than they may have. */
static void check_handle(const struct semihosting *sh, const struct handle *h, struct state *s)
{
    bool may_be = name_is_safe(sh, h->name) || (strcmp(h->name, FEATURES) == 0 && !h->writable);
    if (h->kind == HANDLE_FILE && !may_be)
        state_refuse(s, "the name of a semihosting file");
    if (h->at > h->contents.size)
        state_refuse(s, "the position in a semihosting file");
    if (open_bytes(sh) > OPEN_MAX)
        state_refuse(s, "the size of all semihosting files");
}

static void visit_handle(const struct semihosting *sh, struct handle *h, struct state *s)
{
    bool *const rights[] = {&h->readable, &h->writable, &h->appends, &h->changed};
    h->kind =
        (enum handle_kind)state_up_to(s, "the kind of a semihosting file", h->kind, 1, HANDLE_FILE);
    if (h->kind == HANDLE_FREE && state_restores(s))
        release(h);
    if (h->kind == HANDLE_FREE)
        return;
    state_bits(s, "the rights to a semihosting file", rights, 4);
    h->at = state_value(s, "the position in a semihosting file", h->at, 8);
    state_text(s, "the name of a semihosting file", h->name, sizeof h->name);
    state_contents(s, "the contents of a semihosting file", &h->contents, (size_t)FILE_MAX);
    if (state_restores(s))
        check_handle(sh, h, s);
}

void semihosting_visit(struct semihosting *sh, struct state *s)
{
    for (unsigned i = 0; i < HANDLES; i++) {
        state_within(s, "handle %u: ", i + 1);
        visit_handle(sh, &sh->handles[i], s);
    }
    state_within(s, NULL, 0);
    sh->error = (unsigned)state_value(s, "what SYS_ERRNO says", sh->error, 4);
}
