/* The text of Linux' tracepoints of KVM, as ftrace, trace-cmd and perf print them: what each thread
 * that runs a vCPU does between kvm_exit and kvm_entry is one exit. What kvm_exit says of it, and
 * which tracepoints say more, is the architecture's; x86's kvm_exit says all, and is kept as it is.
 */
#include "hv/foreign/import_ftrace.h"

#include <string.h>

#include "hv/foreign/import.h"
#include "hv/foreign/observed_arch.h"

#define NONE SIZE_MAX

struct ftrace_thread {
    uint64_t id;
    uint8_t vcpu;
    bool of_other_vm;
    size_t open; /* its exit that has no entry yet, or NONE */
    bool
        is_told; /* an event of its own has said more about it: the next such one is another exit */
};

struct ftrace_reading {
    struct import *i;
    const struct observed_arch *arch;
    struct ftrace_thread threads[OBSERVED_VCPUS_MAX];
    size_t thread_count;
};

/* Lines -------------------------------------------------------------------------------------------
 */

static bool take_exit(struct ftrace_reading *r, struct ftrace_line *v, struct error *e);
static bool take_entry(struct ftrace_reading *r, struct ftrace_line *v, struct error *e);
static bool take_mmio(struct ftrace_reading *r, struct ftrace_line *v, struct error *e);
static bool take_page_fault(struct ftrace_reading *r, struct ftrace_line *v, struct error *e);

/* Those that all architectures have. */
static const struct ftrace_event events[] = {
    {"kvm_exit:", take_exit},
    {"kvm_entry:", take_entry},
    {"kvm_mmio:", take_mmio},
    {"kvm_page_fault:", take_page_fault},
    {NULL, NULL},
};

static ftrace_take find(const struct ftrace_event *list, const struct scan *name)
{
    for (; list->name; list++)
        if (scan_is(name, list->name))
            return list->take;
    return NULL;
}

/* The event of a line; *before is what comes before its name. */
static ftrace_take find_event(const struct observed_arch *arch, struct scan line,
                              struct scan *before, struct scan *arguments)
{
    struct scan rest = line, word;
    while (scan_word(&rest, &word)) {
        struct scan name = word;
        if (scan_begins(&name, "kvm:"))
            name.at += 4;
        ftrace_take take = find(events, &name);
        if (!take)
            take = find(arch->tracepoints, &name);
        if (take) {
            *before = (struct scan){line.at, word.at};
            *arguments = rest;
            return take;
        }
    }
    return NULL;
}

bool import_ftrace_recognise(const struct observed_arch *arch, const char *line, size_t size)
{
    struct scan s = scan_of(line, size), before, arguments;
    return (arch && find_event(arch, s, &before, &arguments)) || scan_begins(&s, "# tracer:");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The last word is the time, `seconds.fraction:`. */
static void read_time(struct scan before, struct ftrace_line *v)
{
    struct scan word, last = {before.end, before.end};
    while (scan_word(&before, &word))
        last = word;
    uint64_t seconds, ns = 0;
    if (!scan_number(&last, 10, &seconds) || seconds > UINT64_MAX / 1000000000 - 1 ||
        last.at == last.end || *last.at != '.')
        return;
    unsigned digits = 0;
    for (last.at++; last.at < last.end && is_digit(*last.at) && digits < 9; last.at++, digits++)
        ns = 10 * ns + (uint64_t)(*last.at - '0');
    for (; digits < 9; digits++)
        ns *= 10;
    v->ns = seconds * 1000000000 + ns;
    v->has_time = true;
}

/* What stands right before "[CPU]", or before a "(group)" there: "task-123", or perf's "task 123"
 * and "task 45/123". `comm` is what is before that number. */
static bool read_thread(struct scan before, uint64_t *id, struct scan *comm)
{
    const char *bracket = memchr(before.at, '[', scan_left(&before));
    if (!bracket)
        return false;
    const char *end = bracket;
    while (end > before.at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end > before.at && end[-1] == ')') {
        while (end > before.at && *end != '(')
            end--;
        while (end > before.at && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
    }
    const char *first = end;
    while (first > before.at && is_digit(first[-1]))
        first--;
    struct scan number = {first, end};
    *comm = (struct scan){before.at, first};
    return scan_number(&number, 10, id);
}

/* QEMU calls its threads "CPU 0/KVM": a second one of that name is another VM's. Others are
 * numbered as they appear. */
static void name_thread(const struct ftrace_reading *r, struct scan comm, struct ftrace_thread *t)
{
    uint64_t number;
    struct scan in = comm;
    t->vcpu = (uint8_t)r->thread_count;
    if (!scan_to(&in, "CPU ") || !scan_number(&in, 10, &number) || !scan_begins(&in, "/KVM") ||
        number >= OBSERVED_VCPUS_MAX)
        return;
    t->vcpu = (uint8_t)number;
    for (size_t i = 0; i < r->thread_count; i++)
        t->of_other_vm |= r->threads[i].vcpu == t->vcpu;
}

static struct ftrace_thread *find_thread(struct ftrace_reading *r, struct scan before,
                                         struct error *e)
{
    uint64_t id = 0;
    struct scan comm = {before.at, before.at};
    read_thread(before, &id, &comm);
    for (size_t i = 0; i < r->thread_count; i++)
        if (r->threads[i].id == id)
            return &r->threads[i];
    if (r->thread_count == OBSERVED_VCPUS_MAX) {
        error_at(e, r->i->file, (unsigned)r->i->lines, "more than %d threads run vCPUs",
                 OBSERVED_VCPUS_MAX);
        return NULL;
    }
    struct ftrace_thread *t = &r->threads[r->thread_count];
    *t = (struct ftrace_thread){.id = id, .open = NONE};
    name_thread(r, comm, t);
    r->thread_count++;
    return t;
}

/* Exits -------------------------------------------------------------------------------------------
 */

static struct observed_exit *open_exit(const struct ftrace_reading *r, const struct ftrace_line *v)
{
    return v->thread->open == NONE ? NULL : &r->i->stream.exits[v->thread->open];
}

struct observed_exit *import_ftrace_begin(struct ftrace_reading *r, struct ftrace_line *v,
                                          enum observed_kind kind, struct error *e)
{
    struct observed_exit *x = observed_stream_add(&r->i->stream);
    if (!x) {
        error_at(e, r->i->file, v->number, "more than %zu guest exits", OBSERVED_EXITS_MAX);
        return NULL;
    }
    v->thread->open = r->i->stream.count - 1;
    v->thread->is_told = false;
    x->arch = r->i->arch;
    x->kind = kind;
    x->vcpu = v->thread->vcpu;
    x->line = v->number;
    x->ns = v->ns;
    x->known = v->has_time ? OBSERVED_TIME : 0;
    return x;
}

bool import_ftrace_refuse(const struct ftrace_reading *r, const struct ftrace_line *v,
                          const char *form, struct error *e)
{
    return error_at(e, r->i->file, v->number, "%s", form);
}

void import_ftrace_set_pc(struct observed_exit *x, uint64_t pc)
{
    x->pc = pc;
    x->known |= OBSERVED_PC;
}

/* "reason EPT_VIOLATION rip 0x... info 181 0", in newer kernels "vcpu 0 reason ... rip 0x... info1
 * 0x... info2 0x...". */
static bool take_x86_exit(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t vcpu, rip;
    struct scan at = v->arguments, reason;
    struct observed_exit *x = import_ftrace_begin(r, v, OBSERVED_X86, e);
    if (!x)
        return false;
    if (!scan_to(&at, "reason") || !scan_word(&at, &reason) ||
        !scan_after(v->arguments, "rip", 16, &rip))
        return import_ftrace_refuse(r, v, "kvm_exit wants `reason NAME rip 0x...`", e);
    scan_copy(&reason, x->reason, sizeof x->reason);
    import_ftrace_set_pc(x, rip);
    if (scan_after(v->arguments, "vcpu", 10, &vcpu) && vcpu < OBSERVED_VCPUS_MAX)
        x->vcpu = (uint8_t)vcpu;
    bool has_info =
        scan_to(&at, "info") && scan_number(&at, 16, &x->info1) && scan_number(&at, 16, &x->info2);
    if (has_info || (scan_after(v->arguments, "info1", 16, &x->info1) &&
                     scan_after(v->arguments, "info2", 16, &x->info2)))
        x->known |= OBSERVED_QUALIFICATION;
    return true;
}

/* "reason ..." is of x86; what else it may be, the architecture knows. */
static bool take_exit(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    struct scan at = v->arguments;
    v->thread->open = NONE;
    return scan_to(&at, "reason") ? take_x86_exit(r, v, e) : r->arch->take_kvm_exit(r, v, e);
}

static bool take_entry(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    (void)r, (void)e;
    v->thread->open = NONE;
    return true;
}

struct observed_exit *import_ftrace_trap(struct ftrace_reading *r, struct ftrace_line *v,
                                         unsigned class, struct error *e)
{
    struct observed_exit *x = open_exit(r, v);
    bool is_another = !x || observed_class(x) != class || v->thread->is_told;
    if (is_another) {
        x = import_ftrace_begin(r, v, r->arch->kind, e);
        if (x)
            observed_set_class(x, class);
    }
    v->thread->is_told = true;
    return x;
}

/* "mmio write len 4 gpa 0x... val 0x..."; "unsatisfied-read" when the value comes later. */
static bool take_mmio(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t length, gpa, value;
    struct scan at = v->arguments, kind;
    struct observed_exit *x = open_exit(r, v);
    if (!scan_to(&at, "mmio") || !scan_word(&at, &kind) ||
        !scan_after(v->arguments, "len", 10, &length) ||
        !scan_after(v->arguments, "gpa", 16, &gpa) || length > 64)
        return import_ftrace_refuse(
            r, v, "kvm_mmio wants `mmio read|write len N gpa 0x... val 0x...`", e);
    /* Alone in the file: each of them is an exit. A fetch may have one: so exports of ours do. */
    if (!x || (x->kind == r->arch->kind && (!observed_is_abort(x) || x->known & OBSERVED_VALUE))) {
        x = import_ftrace_begin(r, v, r->arch->kind, e);
        if (!x)
            return false;
        observed_set_class(x, r->arch->access_class);
    }
    x->ipa = gpa;
    x->size = (uint8_t)length;
    x->is_write = scan_is(&kind, "write");
    x->known |= OBSERVED_IPA | OBSERVED_ACCESS;
    if (!scan_is(&kind, "unsatisfied-read") && scan_after(v->arguments, "val", 16, &value)) {
        x->value = value;
        x->known |= OBSERVED_VALUE;
    }
    return true;
}

/* x86: "address ... error_code ...". */
static bool take_page_fault(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t address;
    struct observed_exit *x = open_exit(r, v);
    if (!scan_after(v->arguments, "address", 16, &address))
        return import_ftrace_refuse(r, v, "kvm_page_fault wants `address 0x...`", e);
    if (x && x->kind == OBSERVED_X86) {
        x->ipa = address;
        x->known |= OBSERVED_IPA;
    }
    return true;
}

/* The text ----------------------------------------------------------------------------------------
 */

static bool take_line(struct ftrace_reading *r, struct scan line, struct error *e)
{
    struct scan before, word, in = line;
    struct ftrace_line v = {.number = (unsigned)r->i->lines};
    ftrace_take take = find_event(r->arch, line, &before, &v.arguments);
    if (!take) {
        if (!scan_word(&in, &word) || scan_begins(&word, "#"))
            return true; /* empty, or ftrace's own heading */
        r->i->skipped++;
        r->i->first_skipped = r->i->first_skipped ? r->i->first_skipped : r->i->lines;
        return true;
    }
    v.thread = find_thread(r, before, e);
    if (!v.thread)
        return false;
    if (v.thread->of_other_vm) {
        r->i->other_vms++;
        return true;
    }
    read_time(before, &v);
    return take(r, &v, e);
}

bool import_ftrace(struct import *i, const char *text, size_t size, struct error *e)
{
    struct ftrace_reading r = {.i = i, .arch = i->arch->observed};
    struct scan rest = scan_of(text, size), line;
    while (scan_line(&rest, &line)) {
        i->lines++;
        if (!take_line(&r, line, e))
            return false;
    }
    return true;
}
