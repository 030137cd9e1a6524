/* The text of QNX' traceprinter for kernel trace class 10, as it prints it (`hw_reason`)
 * and as its arguments are documented (`reason`), whose meaning is the architecture's; and that
 * of `qvm export --format traceprinter`, which has the whole record of an exit behind the
 * documented arguments. White space and the order of arguments do not matter, arguments may go on
 * in the next lines; a number without 0x is decimal. */
#include <string.h>

#include "emu/vtime.h"
#include "hv/events.h"
#include "hv/foreign/import.h"
#include "hv/foreign/import_scan.h"
#include "hv/foreign/observed_arch.h"

struct reading {
    struct import *i;
    const struct observed_arch *arch;
    uint64_t cycles_per_second; /* of `t`; 0: it is in ns */
    struct scan vm;             /* the first one named; at NULL: none was */
    unsigned line;              /* of the event */
};

enum what { NOTHING, GUEST_EXIT, OTHER_EVENT };

static bool is_event(struct scan line, uint64_t number)
{
    uint64_t class, event;
    return scan_field(line, "CLASS", &class) && class == 10 && scan_field(line, "EVENT", &event) &&
           event == number;
}

static bool says(struct scan line, const char *name)
{
    return scan_to(&line, name);
}

static enum what what_is(struct scan line)
{
    uint64_t time;
    if (!scan_field(line, "t", &time))
        return NOTHING;
    if (says(line, "GUEST_EXIT") || says(line, "GUEST EXIT") || is_event(line, EVENT_GUEST_EXIT))
        return GUEST_EXIT;
    uint64_t class;
    bool is_other = says(line, "QVM") || says(line, "GUEST_ENTER") || says(line, "GUEST_ENTRY") ||
                    says(line, "GUEST ENTRY") || says(line, "GUEST ENTER") ||
                    (scan_field(line, "CLASS", &class) && class == 10);
    return is_other ? OTHER_EVENT : NOTHING;
}

bool import_traceprinter_recognise(const char *line, size_t size)
{
    struct scan s = scan_of(line, size);
    return says(s, "TRACEPRINTER version") || what_is(s) != NOTHING;
}

static void take_field(struct observed_exit *x, struct scan line, const char *key, uint64_t *to,
                       enum observed_known known)
{
    if (scan_field(line, key, to))
        x->known |= (unsigned)known;
}

/* What our own lines add. */
static void take_record(const struct reading *r, struct observed_exit *x, struct scan line)
{
    uint64_t number;
    struct observed_exit whole = *x;
    if (scan_field(line, r->i->arch->syndrome_key, &number) && number <= UINT32_MAX) {
        observed_set_syndrome(&whole, (uint32_t)number);
        if (observed_class(&whole) == observed_class(x))
            *x = whole;
    }
    take_field(x, line, "gva", &x->gva, OBSERVED_GVA);
    take_field(x, line, "gpa", &x->ipa, OBSERVED_IPA);
    struct scan exit;
    if (scan_field_word(line, "exit", &exit) && scan_is(&exit, "mmio-opaque"))
        return; /* nobody carried it out */
    bool is_write = scan_field(line, "write", &number);
    if (!is_write && !scan_field(line, "read", &number))
        return;
    x->value = number;
    x->known |= OBSERVED_VALUE;
    if (!scan_field(line, "size", &number) || number > 64)
        return;
    x->size = (uint8_t)number;
    x->is_write = is_write;
    x->known |= OBSERVED_ACCESS;
}

/* `CPU` is the physical one, and a vCPU is a thread that may be on any: only lines that name a vCPU
 * tell it. */
static uint8_t vcpu_of(struct reading *r, struct scan line)
{
    uint64_t number;
    if (scan_field(line, "vcpu", &number))
        return number < OBSERVED_VCPUS_MAX ? (uint8_t)number : 0;
    r->i->vcpus_unknown++;
    return scan_field(line, "CPU", &number) && number < OBSERVED_VCPUS_MAX ? (uint8_t)number : 0;
}

/* What `payload` is beside `hw_reason` is not documented for aborts. */
static bool take_hw_reason(const struct reading *r, struct observed_exit *x, struct scan line)
{
    uint64_t reason;
    return scan_field(line, "hw_reason", &reason) && r->arch->take_hw_reason(x, reason);
}

static bool take_reason(const struct reading *r, struct observed_exit *x, struct scan line)
{
    uint64_t reason, payload;
    if (!scan_field(line, "reason", &reason))
        return false;
    if (reason == r->i->arch->preempted_reason) {
        x->kind = OBSERVED_INTERRUPT;
        return true;
    }
    if (!r->arch->take_reason(x, reason))
        return false;
    if (scan_field(line, "hw_payload", &payload))
        r->arch->take_payload(x, payload);
    return true;
}

static bool bad_reason(const struct reading *r, struct scan line, struct error *e)
{
    uint64_t reason;
    if (scan_field(line, "hw_reason", &reason))
        return error_at(e, r->i->file, r->line, "hw_reason %#llx of a guest exit is no %s",
                        (unsigned long long)reason, r->arch->hw_reason_name);
    if (scan_field(line, "reason", &reason))
        return error_at(e, r->i->file, r->line, "reason %#llx of a guest exit is no %s",
                        (unsigned long long)reason, r->arch->reason_name);
    return error_at(e, r->i->file, r->line,
                    "a guest exit wants reason:NUMBER (or hw_reason:NUMBER) and guest_ip:NUMBER");
}

static void take_time(const struct reading *r, struct observed_exit *x, struct scan line)
{
    take_field(x, line, "t", &x->ns, OBSERVED_TIME);
    if (r->cycles_per_second)
        x->ns = x->ns / r->cycles_per_second * 1000000000 +
                vtime_scale(x->ns % r->cycles_per_second, 1000000000, r->cycles_per_second);
}

static bool take_exit(struct reading *r, struct scan line, struct error *e)
{
    struct observed_exit seen = {.arch = r->i->arch, .line = r->line, .known = OBSERVED_PC};
    if (!take_hw_reason(r, &seen, line) && !take_reason(r, &seen, line))
        return bad_reason(r, line, e);
    if (!scan_field(line, "guest_ip", &seen.pc))
        return error_at(e, r->i->file, r->line,
                        "a guest exit wants reason:NUMBER (or hw_reason:NUMBER) and "
                        "guest_ip:NUMBER");
    struct observed_exit *x = observed_stream_add(&r->i->stream);
    if (!x)
        return error_at(e, r->i->file, r->line, "more than %zu guest exits", OBSERVED_EXITS_MAX);
    *x = seen;
    x->vcpu = vcpu_of(r, line);
    take_time(r, x, line);
    if (x->kind == OBSERVED_INTERRUPT)
        return true;
    if (observed_is_abort(x) && r->arch->access(x).kind == ACCESS_FETCH) {
        x->gva = x->pc;
        x->known |= OBSERVED_GVA;
    }
    take_record(r, x, line);
    return true;
}

/* One VM is imported: that which the first line names. */
static bool is_of_vm(struct reading *r, struct scan line)
{
    struct scan vm;
    if (!scan_field_word(line, "vm", &vm))
        return true;
    if (!r->vm.at)
        r->vm = vm;
    return scan_left(&vm) == scan_left(&r->vm) && memcmp(vm.at, r->vm.at, scan_left(&vm)) == 0;
}

static bool is_empty(struct scan line)
{
    struct scan word;
    return !scan_word(&line, &word);
}

/* `key:NUMBER`, but the time, which begins an event. */
static bool is_argument(struct scan word)
{
    const char *colon = memchr(word.at, ':', scan_left(&word));
    return colon && colon + 1 < word.end && colon[1] >= '0' && colon[1] <= '9' &&
           !scan_begins(&word, "t:");
}

/* Lines that begin with an argument belong to the event before. */
static void take_continued(struct import *i, struct scan *rest, struct scan *line)
{
    struct scan behind = *rest, next;
    while (scan_line(&behind, &next)) {
        struct scan words = next, word;
        if (!scan_word(&words, &word) || !is_argument(word))
            return;
        line->end = next.end;
        *rest = behind;
        i->lines++;
    }
}

bool import_traceprinter(struct import *i, const char *text, size_t size, struct error *e)
{
    struct reading r = {.i = i, .arch = i->arch->observed};
    struct scan rest = scan_of(text, size), line;
    while (scan_line(&rest, &line)) {
        enum what what = what_is(line);
        r.line = (unsigned)++i->lines;
        if (what != NOTHING)
            take_continued(i, &rest, &line);
        if (what == NOTHING) {
            /* The header that traceprinter prints; `::` is its own. */
            if (is_empty(line) ||
                scan_after(line, "TRACE_CYCLES_PER_SEC::", 10, &r.cycles_per_second))
                continue;
            i->skipped++;
            i->first_skipped = i->first_skipped ? i->first_skipped : r.line;
        } else if (!is_of_vm(&r, line)) {
            i->other_vms++;
        } else if (what == GUEST_EXIT && !take_exit(&r, line, e)) {
            return false;
        }
    }
    return true;
}
