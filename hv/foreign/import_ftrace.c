/* The text of Linux' tracepoints of KVM, as ftrace, trace-cmd and perf print them: what each thread
 * that runs a vCPU does between kvm_exit and kvm_entry is one exit. Arm's: kvm_exit says class and
 * PC, kvm_guest_fault the syndrome and the addresses, kvm_mmio what was accessed. x86's kvm_exit
 * says all. */
#include <inttypes.h>
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "hv/foreign/import.h"
#include "hv/foreign/import_scan.h"

#define NONE SIZE_MAX

struct thread {
    uint64_t id;
    uint8_t vcpu;
    bool of_other_vm;
    size_t open; /* its exit that has no entry yet, or NONE */
    bool
        is_told; /* an event of its own has said more about it: the next such one is another exit */
};

struct reading {
    struct import *i;
    struct thread threads[OBSERVED_VCPUS_MAX];
    size_t thread_count;
};

/* One line: what stands before the event's name, and behind. */
struct occurrence {
    struct scan arguments;
    uint64_t ns;
    bool has_time;
    struct thread *thread;
    unsigned line;
};

/* Lines -------------------------------------------------------------------------------------------
 */

/* What a line's event does; false, with the error: it is not as it should be. */
typedef bool (*take_fn)(struct reading *r, struct occurrence *v, struct error *e);

static bool take_exit(struct reading *r, struct occurrence *v, struct error *e);
static bool take_entry(struct reading *r, struct occurrence *v, struct error *e);
static bool take_fault(struct reading *r, struct occurrence *v, struct error *e);
static bool take_mmio(struct reading *r, struct occurrence *v, struct error *e);
static bool take_hvc(struct reading *r, struct occurrence *v, struct error *e);
static bool take_wfx(struct reading *r, struct occurrence *v, struct error *e);
static bool take_syndrome(struct reading *r, struct occurrence *v, struct error *e);
static bool take_page_fault(struct reading *r, struct occurrence *v, struct error *e);

static const struct {
    const char *name; /* with the colon that ends it */
    take_fn take;
} events[] = {
    {"kvm_exit:", take_exit},
    {"kvm_entry:", take_entry},
    {"kvm_guest_fault:", take_fault},
    {"kvm_mmio:", take_mmio},
    {"kvm_hvc_arm64:", take_hvc},
    {"kvm_wfx_arm64:", take_wfx},
    {"kvm_handle_sys_reg:", take_syndrome},
    {"kvm_page_fault:", take_page_fault},
};
#define EVENTS (sizeof events / sizeof events[0])

/* The event of a line; *before is what comes before its name. */
static take_fn find_event(struct scan line, struct scan *before, struct scan *arguments)
{
    struct scan rest = line, word;
    while (scan_word(&rest, &word)) {
        struct scan name = word;
        if (scan_begins(&name, "kvm:"))
            name.at += 4;
        for (size_t i = 0; i < EVENTS; i++)
            if (scan_is(&name, events[i].name)) {
                *before = (struct scan){line.at, word.at};
                *arguments = rest;
                return events[i].take;
            }
    }
    return NULL;
}

bool import_ftrace_recognise(const char *line, size_t size)
{
    struct scan s = scan_of(line, size), before, arguments;
    return scan_begins(&s, "# tracer:") || find_event(s, &before, &arguments);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The last word is the time, `seconds.fraction:`. */
static void read_time(struct scan before, struct occurrence *v)
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
static void name_thread(const struct reading *r, struct scan comm, struct thread *t)
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

static struct thread *find_thread(struct reading *r, struct scan before, struct error *e)
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
    struct thread *t = &r->threads[r->thread_count];
    *t = (struct thread){.id = id, .open = NONE};
    name_thread(r, comm, t);
    r->thread_count++;
    return t;
}

/* Exits -------------------------------------------------------------------------------------------
 */

static struct observed_exit *open_exit(const struct reading *r, const struct occurrence *v)
{
    return v->thread->open == NONE ? NULL : &r->i->stream.exits[v->thread->open];
}

static struct observed_exit *begin_exit(struct reading *r, struct occurrence *v,
                                        enum observed_kind kind, struct error *e)
{
    struct observed_exit *x = observed_stream_add(&r->i->stream);
    if (!x) {
        error_at(e, r->i->file, v->line, "more than %zu guest exits", OBSERVED_EXITS_MAX);
        return NULL;
    }
    v->thread->open = r->i->stream.count - 1;
    v->thread->is_told = false;
    x->kind = kind;
    x->vcpu = v->thread->vcpu;
    x->line = v->line;
    x->ns = v->ns;
    x->known = v->has_time ? OBSERVED_TIME : 0;
    return x;
}

static void set_pc(struct observed_exit *x, uint64_t pc)
{
    x->pc = pc;
    x->known |= OBSERVED_PC;
}

/* "reason EPT_VIOLATION rip 0x... info 181 0", in newer kernels "vcpu 0 reason ... rip 0x... info1
 * 0x... info2 0x...". */
static bool take_x86_exit(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t vcpu, rip;
    struct scan at = v->arguments, reason;
    struct observed_exit *x = begin_exit(r, v, OBSERVED_X86, e);
    if (!x)
        return false;
    if (!scan_to(&at, "reason") || !scan_word(&at, &reason) ||
        !scan_after(v->arguments, "rip", 16, &rip))
        return error_at(e, r->i->file, v->line, "kvm_exit wants `reason NAME rip 0x...`");
    scan_copy(&reason, x->reason, sizeof x->reason);
    set_pc(x, rip);
    if (scan_after(v->arguments, "vcpu", 10, &vcpu) && vcpu < OBSERVED_VCPUS_MAX)
        x->vcpu = (uint8_t)vcpu;
    bool has_info =
        scan_to(&at, "info") && scan_number(&at, 16, &x->info1) && scan_number(&at, 16, &x->info2);
    if (has_info || (scan_after(v->arguments, "info1", 16, &x->info1) &&
                     scan_after(v->arguments, "info2", 16, &x->info2)))
        x->known |= OBSERVED_QUALIFICATION;
    return true;
}

/* "TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0x...", or "IRQ: ..." of the host's. */
static bool take_exit(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t class, pc;
    struct scan at = v->arguments, kind, name;
    v->thread->open = NONE;
    if (scan_to(&at, "reason"))
        return take_x86_exit(r, v, e);
    at = v->arguments;
    if (!scan_word(&at, &kind) || !scan_after(v->arguments, "PC:", 16, &pc) ||
        !(scan_after(v->arguments, "HSR_EC:", 16, &class) ||
          scan_after(v->arguments, "ESR_EC:", 16, &class)) ||
        class > 0x3f)
        return error_at(e, r->i->file, v->line,
                        "kvm_exit wants `TRAP: HSR_EC: 0x.. (NAME), PC: 0x...`, or x86's `reason "
                        "NAME rip 0x...`");
    bool is_trap = scan_is(&kind, "TRAP:");
    struct observed_exit *x = begin_exit(r, v, is_trap ? OBSERVED_TRAP : OBSERVED_INTERRUPT, e);
    if (!x)
        return false;
    set_pc(x, pc);
    if (!is_trap) {
        kind.end -= kind.end[-1] == ':';
        scan_copy(&kind, x->reason, sizeof x->reason);
        return true;
    }
    /* HVC has been executed: its preferred return address is behind it (D1.3.1.3 of the Arm ARM).
     */
    if (class == EC_HVC)
        x->pc -= 4;
    x->esr = (uint32_t) class << ESR_EC_SHIFT;
    x->esr_known = OBSERVED_ESR_EC;
    const char *open = memchr(at.at, '(', scan_left(&at));
    const char *close = open ? memchr(open, ')', (size_t)(at.end - open)) : NULL;
    if (close) {
        name = (struct scan){open + 1, close};
        scan_copy(&name, x->reason, sizeof x->reason);
    }
    return true;
}

static bool take_entry(struct reading *r, struct occurrence *v, struct error *e)
{
    (void)r, (void)e;
    v->thread->open = NONE;
    return true;
}

/* What belongs to the exit that is open, or is alone in the file: then it is an exit, too. */
static struct observed_exit *exit_of(struct reading *r, struct occurrence *v, unsigned class,
                                     struct error *e)
{
    struct observed_exit *x = open_exit(r, v);
    bool is_another = !x || observed_class(x) != class || v->thread->is_told;
    if (!is_another) {
        v->thread->is_told = true;
        return x;
    }
    x = begin_exit(r, v, OBSERVED_TRAP, e);
    v->thread->is_told = true;
    if (x) {
        x->esr = class << ESR_EC_SHIFT;
        x->esr_known = OBSERVED_ESR_EC;
    }
    return x;
}

/* "ipa 0x..., hsr 0x..., hxfar 0x..., pc 0x...": the address is that of HPFAR_EL2, so its low bits
 * are FAR_EL2's, but for a table's (ISS.S1PTW). */
static bool take_fault(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t ipa, esr, far, pc;
    if (!scan_after(v->arguments, "ipa", 16, &ipa) ||
        !(scan_after(v->arguments, "hsr", 16, &esr) || scan_after(v->arguments, "esr", 16, &esr)) ||
        !(scan_after(v->arguments, "hxfar", 16, &far) ||
          scan_after(v->arguments, "far", 16, &far)) ||
        !scan_after(v->arguments, "pc", 16, &pc) || esr > UINT32_MAX)
        return error_at(e, r->i->file, v->line,
                        "kvm_guest_fault wants `ipa 0x..., hsr 0x..., hxfar 0x..., pc 0x...`");
    struct observed_exit *x = exit_of(r, v, (unsigned)(esr >> ESR_EC_SHIFT), e);
    if (!x)
        return false;
    x->esr = (uint32_t)esr;
    x->esr_known = OBSERVED_ESR_ALL;
    x->gva = far;
    x->ipa = ipa & 0xfff || esr & 1 << 7 ? ipa : ipa | (far & 0xfff);
    x->known |= OBSERVED_GVA | OBSERVED_IPA;
    set_pc(x, pc);
    return true;
}

static struct observed_exit *begin_access(struct reading *r, struct occurrence *v, struct error *e)
{
    struct observed_exit *x = begin_exit(r, v, OBSERVED_TRAP, e);
    if (x) {
        x->esr = (uint32_t)EC_DATA_ABORT_LOWER << ESR_EC_SHIFT;
        x->esr_known = OBSERVED_ESR_EC;
    }
    return x;
}

/* Of a fetch, too: so exports of ours have it. */
static bool is_abort(const struct observed_exit *x)
{
    unsigned class = observed_class(x);
    return class == EC_DATA_ABORT_LOWER || class == EC_INSN_ABORT_LOWER;
}

/* "mmio write len 4 gpa 0x... val 0x..."; "unsatisfied-read" when the value comes later. */
static bool take_mmio(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t length, gpa, value;
    struct scan at = v->arguments, kind;
    struct observed_exit *x = open_exit(r, v);
    if (!scan_to(&at, "mmio") || !scan_word(&at, &kind) ||
        !scan_after(v->arguments, "len", 10, &length) ||
        !scan_after(v->arguments, "gpa", 16, &gpa) || length > 64)
        return error_at(e, r->i->file, v->line,
                        "kvm_mmio wants `mmio read|write len N gpa 0x... val 0x...`");
    /* Alone in the file: each of them is an exit. */
    if (!x || (x->kind == OBSERVED_TRAP && (!is_abort(x) || x->known & OBSERVED_VALUE)))
        x = begin_access(r, v, e);
    if (!x)
        return false;
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

/* "HVC at 0x... (r0: 0x..., imm: 0x0)". */
static bool take_hvc(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t pc, x0, immediate;
    if (!scan_after(v->arguments, "HVC at", 16, &pc) || !scan_after(v->arguments, "r0:", 16, &x0) ||
        !scan_after(v->arguments, "imm:", 16, &immediate) || immediate > 0xffff)
        return error_at(e, r->i->file, v->line,
                        "kvm_hvc_arm64 wants `HVC at 0x... (r0: 0x..., imm: 0x...)`");
    struct observed_exit *x = exit_of(r, v, EC_HVC, e);
    if (!x)
        return false;
    set_pc(x, pc - 4);
    x->esr = (uint32_t)EC_HVC << ESR_EC_SHIFT | ESR_IL | (uint32_t)immediate;
    x->esr_known = OBSERVED_ESR_ALL;
    x->value = x0;
    x->known |= OBSERVED_VALUE;
    return true;
}

/* "guest executed wfi at: 0x...". */
static bool take_wfx(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t pc;
    struct scan at = v->arguments, kind;
    if (!scan_to(&at, "executed") || !scan_word(&at, &kind) ||
        !scan_after(v->arguments, "at:", 16, &pc))
        return error_at(e, r->i->file, v->line,
                        "kvm_wfx_arm64 wants `guest executed wfi|wfe at: 0x...`");
    struct observed_exit *x = exit_of(r, v, EC_WFX, e);
    if (!x)
        return false;
    set_pc(x, pc);
    x->esr |= scan_is(&kind, "wfe");
    x->esr_known |= 1;
    return true;
}

/* "HSR 0x...": the whole syndrome of a trapped register. */
static bool take_syndrome(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t esr;
    if ((!scan_after(v->arguments, "HSR", 16, &esr) &&
         !scan_after(v->arguments, "ESR", 16, &esr)) ||
        esr > UINT32_MAX)
        return error_at(e, r->i->file, v->line, "kvm_handle_sys_reg wants `HSR 0x...`");
    struct observed_exit *x = exit_of(r, v, (unsigned)(esr >> ESR_EC_SHIFT), e);
    if (!x)
        return false;
    x->esr = (uint32_t)esr;
    x->esr_known = OBSERVED_ESR_ALL;
    return true;
}

/* x86: "address ... error_code ...". */
static bool take_page_fault(struct reading *r, struct occurrence *v, struct error *e)
{
    uint64_t address;
    struct observed_exit *x = open_exit(r, v);
    if (!scan_after(v->arguments, "address", 16, &address))
        return error_at(e, r->i->file, v->line, "kvm_page_fault wants `address 0x...`");
    if (x && x->kind == OBSERVED_X86) {
        x->ipa = address;
        x->known |= OBSERVED_IPA;
    }
    return true;
}

/* The text ----------------------------------------------------------------------------------------
 */

static bool take_line(struct reading *r, struct scan line, struct error *e)
{
    struct scan before, word, in = line;
    struct occurrence v = {.line = (unsigned)r->i->lines};
    take_fn take = find_event(line, &before, &v.arguments);
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
    struct reading r = {.i = i};
    struct scan rest = scan_of(text, size), line;
    while (scan_line(&rest, &line)) {
        i->lines++;
        if (!take_line(&r, line, e))
            return false;
    }
    return true;
}
