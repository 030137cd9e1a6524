#include "hv/exitlog/exit_log_entry.h"

#include <string.h>

#define MEMORY_MAX ((uint64_t)64 << 20) /* more than the logic moves at once */

bool exit_log_is_call(enum exit_reason reason)
{
    return reason == EXIT_CALL || reason == EXIT_FIRMWARE || reason == EXIT_DEBUG;
}

const char *exit_log_kind_name(enum exit_log_kind kind)
{
    static const char *const names[EXIT_LOG_KINDS] = {
        [EXIT_LOG_EXIT] = "a guest exit",
        [EXIT_LOG_RESULT] = "the end of an exit",
        [EXIT_LOG_READ] = "a read of guest memory",
        [EXIT_LOG_WRITE] = "a write of guest memory",
        [EXIT_LOG_SIGNALS] = "a change of what the interrupt controller signals",
        [EXIT_LOG_TIMER] = "a timer write",
        [EXIT_LOG_TURN] = "the end of a turn",
        [EXIT_LOG_LOOP] = "the same exception again",
        [EXIT_LOG_WAIT] = "a wait for an event",
        [EXIT_LOG_PMU] = "the performance monitors' interrupt",
        [EXIT_LOG_PMU_DUE] = "the performance monitors' event",
    };
    return names[kind];
}

/* Encoding ----------------------------------------------------------------------------------------
 */

static void put_exit(struct bytes *out, const struct exit_log_entry *entry)
{
    const struct guest_exit *x = &entry->exit.x;
    bytes_put_int(out, x->reason, 1);
    bytes_put_int(out, x->is_write, 1);
    bytes_put_int(out, x->size, 1);
    bytes_put_varint(out, x->pc.v);
    bytes_put_varint(out, x->gva.v);
    bytes_put_varint(out, x->gpa.v);
    bytes_put_varint(out, x->value);
    bytes_put_varint(out, x->next_pc.v - x->pc.v);
    for (unsigned i = 0; i < EXIT_DETAILS; i++)
        bytes_put_varint(out, x->detail[i]);
    for (unsigned i = 0; exit_log_is_call(x->reason) && i < EXIT_LOG_CALL_REGISTERS; i++)
        bytes_put_varint(out, entry->exit.call[i]);
}

/* is_quiet is bit 2, with the signals that are masked around it; then the tick plus one: never is
 * 0. */
static void put_wait(struct bytes *out, const struct vcpu_wait *w)
{
    bytes_put_int(out, (w->masked & 3) | (unsigned)w->is_quiet << 2 | w->masked >> 2 << 3, 1);
    bytes_put_varint(out, w->until_ticks + 1);
}

static void put_memory(struct bytes *out, const struct exit_log_entry *entry)
{
    bool shared = entry->memory.distance != 0;
    bytes_put_int(out,
                  (unsigned)entry->memory.physical | (unsigned)entry->memory.ok << 1 |
                      (unsigned)shared << 2,
                  1);
    bytes_put_varint(out, entry->memory.address);
    bytes_put_varint(out, entry->memory.size);
    if (shared)
        bytes_put_varint(out, entry->memory.distance);
    else if (entry->kind == EXIT_LOG_READ && entry->memory.ok)
        bytes_put(out, entry->memory.data, entry->memory.size);
}

void exit_log_entry_put(struct bytes *out, uint64_t before, const struct exit_log_entry *entry)
{
    bytes_put_int(out, entry->kind, 1);
    bytes_put_int(out, entry->vm, 1);
    bytes_put_int(out, entry->vcpu, 1);
    bytes_put_varint(out, entry->instructions - before);
    switch (entry->kind) {
    case EXIT_LOG_EXIT:
        put_exit(out, entry);
        break;
    case EXIT_LOG_RESULT:
        bytes_put_int(out, entry->result.result, 1);
        bytes_put_varint(out, entry->result.value);
        bytes_put_string(out, entry->result.handler);
        break;
    case EXIT_LOG_READ:
    case EXIT_LOG_WRITE:
        put_memory(out, entry);
        break;
    case EXIT_LOG_SIGNALS:
        bytes_put_int(out, entry->signals, 1);
        break;
    case EXIT_LOG_TIMER:
        bytes_put_int(out, (unsigned)entry->timer.number | (unsigned)entry->timer.reg << 1, 1);
        bytes_put_varint(out, entry->timer.value);
        break;
    case EXIT_LOG_WAIT:
        put_wait(out, &entry->wait);
        break;
    case EXIT_LOG_PMU:
        bytes_put_int(out, entry->pmu, 1);
        break;
    case EXIT_LOG_PMU_DUE:
        bytes_put_int(out, entry->pmu_due.changes, 1);
        bytes_put_varint(out, entry->pmu_due.tick);
        break;
    default:
        break;
    }
}

/* Decoding ----------------------------------------------------------------------------------------
 */

static void get_details(struct reader *in, struct guest_exit *x)
{
    x->next_pc.v = x->pc.v + reader_varint(in);
    for (unsigned i = 0; i < EXIT_DETAILS; i++)
        x->detail[i] = reader_varint(in);
}

/* They are of machines whose instructions have four bytes. */
static void get_old_details(struct reader *in, struct guest_exit *x)
{
    x->next_pc.v = x->pc.v + 4;
    x->detail[EXIT_NUMBER] = reader_varint(in) & 0xffff;
    x->detail[EXIT_SYNDROME] = (uint32_t)reader_varint(in);
    x->detail[EXIT_ADDRESS] = reader_varint(in);
}

static bool get_exit(struct reader *in, unsigned version, struct exit_log_entry *entry)
{
    struct guest_exit *x = &entry->exit.x;
    x->reason = (enum exit_reason)reader_int(in, 1);
    x->is_write = reader_int(in, 1) & 1;
    x->size = (uint8_t)reader_int(in, 1);
    x->pc.v = reader_varint(in);
    x->gva.v = reader_varint(in);
    x->gpa.v = reader_varint(in);
    x->value = reader_varint(in);
    if (version > EXIT_LOG_WITHOUT_NEXT)
        get_details(in, x);
    else
        get_old_details(in, x);
    if (x->reason >= EXIT_REASONS)
        return false;
    bool is_access = x->reason == EXIT_MMIO || x->reason == EXIT_PASS;
    if (is_access && x->size != 1 && x->size != 2 && x->size != 4 && x->size != 8)
        return false;
    for (unsigned i = 0; exit_log_is_call(x->reason) && i < EXIT_LOG_CALL_REGISTERS; i++)
        entry->exit.call[i] = reader_varint(in);
    return true;
}

static bool get_result(struct reader *in, struct exit_log_entry *entry)
{
    entry->result.result = (enum exit_result)reader_int(in, 1);
    entry->result.value = reader_varint(in);
    return entry->result.result <= EXIT_STOPPED &&
           reader_string(in, entry->result.handler, sizeof entry->result.handler);
}

/* What lies before the entry that begins at `begin`. NULL: it does not. */
static const uint8_t *shared_bytes(const struct reader *in, size_t begin, uint64_t distance,
                                   uint64_t size)
{
    return distance <= begin && size <= distance ? in->data + begin - distance : NULL;
}

/* `begin`: where the entry does. */
static bool get_memory(struct reader *in, unsigned version, size_t begin,
                       struct exit_log_entry *entry)
{
    unsigned flags = (unsigned)reader_int(in, 1);
    entry->memory.physical = flags & 1;
    entry->memory.ok = flags >> 1 & 1;
    entry->memory.address = reader_varint(in);
    entry->memory.size = reader_varint(in);
    if (entry->memory.size > MEMORY_MAX)
        return false;
    if (entry->kind != EXIT_LOG_READ || !entry->memory.ok)
        return true;
    if (version <= EXIT_LOG_WITHOUT_SHARED || !(flags >> 2 & 1)) {
        entry->memory.data = reader_bytes(in, (size_t)entry->memory.size);
        return true;
    }
    entry->memory.distance = reader_varint(in);
    entry->memory.data = shared_bytes(in, begin, entry->memory.distance, entry->memory.size);
    return entry->memory.data && entry->memory.distance;
}

static void get_wait(struct reader *in, struct vcpu_wait *w)
{
    unsigned flags = (unsigned)reader_int(in, 1);
    *w = (struct vcpu_wait){
        .is_on = true,
        .masked = (flags & 3) | flags >> 3 << 2,
        .is_quiet = flags >> 2 & 1,
        .until_ticks = reader_varint(in) - 1,
    };
}

static bool get_body(struct reader *in, unsigned version, size_t begin,
                     struct exit_log_entry *entry)
{
    unsigned flags;
    switch (entry->kind) {
    case EXIT_LOG_EXIT:
        return get_exit(in, version, entry);
    case EXIT_LOG_RESULT:
        return get_result(in, entry);
    case EXIT_LOG_READ:
    case EXIT_LOG_WRITE:
        return get_memory(in, version, begin, entry);
    case EXIT_LOG_SIGNALS:
        entry->signals = (unsigned)reader_int(in, 1);
        return entry->signals >> CPU_SIGNALS == 0;
    case EXIT_LOG_TIMER:
        flags = (unsigned)reader_int(in, 1);
        entry->timer.number = flags & 1;
        entry->timer.reg = (uint8_t)(flags >> 1);
        entry->timer.value = reader_varint(in);
        return true;
    case EXIT_LOG_TURN:
    case EXIT_LOG_LOOP:
        return true;
    case EXIT_LOG_WAIT:
        get_wait(in, &entry->wait);
        return true;
    case EXIT_LOG_PMU:
        entry->pmu = reader_int(in, 1);
        return true;
    case EXIT_LOG_PMU_DUE:
        entry->pmu_due.changes = reader_int(in, 1);
        entry->pmu_due.tick = reader_varint(in);
        return true;
    default:
        return false;
    }
}

bool exit_log_entry_get(struct reader *in, unsigned version, uint64_t before,
                        struct exit_log_entry *entry)
{
    size_t begin = in->at;
    *entry = (struct exit_log_entry){0};
    if (reader_at_end(in))
        return false;
    entry->kind = (enum exit_log_kind)reader_int(in, 1);
    entry->vm = (uint8_t)reader_int(in, 1);
    entry->vcpu = (uint8_t)reader_int(in, 1);
    entry->instructions = before + reader_varint(in);
    if (entry->instructions < before || !get_body(in, version, begin, entry))
        in->failed = true;
    return !in->failed;
}

/* Comparing ---------------------------------------------------------------------------------------
 */

static const char *number(const char *name, uint64_t a, uint64_t b, struct exit_log_values *values)
{
    *values = (struct exit_log_values){.a = a, .b = b};
    return a == b ? NULL : name;
}

static const char *word(const char *name, const char *a, const char *b,
                        struct exit_log_values *values)
{
    *values = (struct exit_log_values){.word_a = a, .word_b = b};
    return strcmp(a, b) == 0 ? NULL : name;
}

const char EXIT_LOG_COUNT[] = "the instruction count", EXIT_LOG_MEMORY_BYTE[] = "memory byte",
           EXIT_LOG_VALUE_READ[] = "the value";

#define COMPARE(call)                                                                              \
    do {                                                                                           \
        const char *what = call;                                                                   \
        if (what)                                                                                  \
            return what;                                                                           \
    } while (0)

static const char *detail_differs(const struct arch *arch, enum exit_detail i,
                                  const struct guest_exit *a, const struct guest_exit *b,
                                  struct exit_log_values *v)
{
    const char *name = arch->detail_names[i];
    return number(name ? name : "a detail of the exit", a->detail[i], b->detail[i], v);
}

static const char *exit_differs(const struct arch *arch, const struct exit_log_entry *a,
                                const struct exit_log_entry *b, struct exit_log_values *v)
{
    const struct guest_exit *x = &a->exit.x, *y = &b->exit.x;
    COMPARE(number("PC", x->pc.v, y->pc.v, v));
    COMPARE(word("the exit's reason", arch_exit_name(arch, x->reason),
                 arch_exit_name(arch, y->reason), v));
    COMPARE(number("the guest-physical address", x->gpa.v, y->gpa.v, v));
    COMPARE(number("the virtual address", x->gva.v, y->gva.v, v));
    COMPARE(
        word("the direction", x->is_write ? "write" : "read", y->is_write ? "write" : "read", v));
    COMPARE(number("the size", x->size, y->size, v));
    COMPARE(number("the value written", x->value, y->value, v));
    COMPARE(detail_differs(arch, EXIT_NUMBER, x, y, v));
    COMPARE(detail_differs(arch, EXIT_SYNDROME, x, y, v));
    COMPARE(detail_differs(arch, EXIT_ADDRESS, x, y, v));
    COMPARE(detail_differs(arch, EXIT_MORE, x, y, v));
    COMPARE(number("where the guest goes on", x->next_pc.v, y->next_pc.v, v));
    for (unsigned i = 0; exit_log_is_call(x->reason) && i < arch->argument_count; i++)
        COMPARE(number(arch->argument_names[i], a->exit.call[i], b->exit.call[i], v));
    return NULL;
}

static const char *memory_differs(const struct exit_log_entry *a, const struct exit_log_entry *b,
                                  struct exit_log_values *v)
{
    COMPARE(number("the address", a->memory.address, b->memory.address, v));
    COMPARE(number("the size", a->memory.size, b->memory.size, v));
    COMPARE(number("the kind of address", a->memory.physical, b->memory.physical, v));
    COMPARE(number("whether that was allowed", a->memory.ok, b->memory.ok, v));
    for (uint64_t i = 0; a->memory.data && b->memory.data && i < a->memory.size; i++)
        if (a->memory.data[i] != b->memory.data[i]) {
            number("", a->memory.data[i], b->memory.data[i], v);
            v->address = a->memory.address + i;
            return EXIT_LOG_MEMORY_BYTE;
        }
    return NULL;
}

/* Sets of them, or of what masks them. */
static const char *signals_differ(const struct arch *arch, unsigned a, unsigned b, bool is_mask,
                                  struct exit_log_values *v)
{
    for (unsigned i = 0; i < CPU_SIGNALS; i++) {
        const char *name = is_mask ? arch->signals[i].mask : arch->signals[i].name;
        COMPARE(number(name ? name : "a signal that there is not", a >> i & 1, b >> i & 1, v));
    }
    return NULL;
}

static const char *body_differs(const struct arch *arch, const struct exit_log_entry *a,
                                const struct exit_log_entry *b, struct exit_log_values *v)
{
    switch (a->kind) {
    case EXIT_LOG_EXIT:
        return exit_differs(arch, a, b, v);
    case EXIT_LOG_RESULT:
        COMPARE(word("who answers", a->result.handler, b->result.handler, v));
        COMPARE(word("the result", exit_result_name(a->result.result),
                     exit_result_name(b->result.result), v));
        return number(EXIT_LOG_VALUE_READ, a->result.value, b->result.value, v);
    case EXIT_LOG_READ:
    case EXIT_LOG_WRITE:
        return memory_differs(a, b, v);
    case EXIT_LOG_SIGNALS:
        return signals_differ(arch, a->signals, b->signals, false, v);
    case EXIT_LOG_TIMER:
        COMPARE(number("which timer", a->timer.number, b->timer.number, v));
        COMPARE(number("the timer's register", a->timer.reg, b->timer.reg, v));
        return number("the value written", a->timer.value, b->timer.value, v);
    case EXIT_LOG_WAIT:
        COMPARE(signals_differ(arch, a->wait.masked, b->wait.masked, true, v));
        COMPARE(number("whether others wait on", a->wait.is_quiet, b->wait.is_quiet, v));
        return number("the event stream's tick", a->wait.until_ticks, b->wait.until_ticks, v);
    case EXIT_LOG_PMU:
        return number("the level", a->pmu, b->pmu, v);
    case EXIT_LOG_PMU_DUE:
        COMPARE(number("the tick", a->pmu_due.tick, b->pmu_due.tick, v));
        return number("whether the interrupt changes", a->pmu_due.changes, b->pmu_due.changes, v);
    default:
        return NULL;
    }
}

const char *exit_log_entry_differs(const struct arch *arch, const struct exit_log_entry *a,
                                   const struct exit_log_entry *b, struct exit_log_values *values)
{
    COMPARE(number(EXIT_LOG_COUNT, a->instructions, b->instructions, values));
    COMPARE(word("what happens", exit_log_kind_name(a->kind), exit_log_kind_name(b->kind), values));
    COMPARE(number("the VM", a->vm, b->vm, values));
    COMPARE(number("the vCPU", a->vcpu, b->vcpu, values));
    return body_differs(arch, a, b, values);
}
