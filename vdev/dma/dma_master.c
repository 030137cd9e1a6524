/* `vdev dma-master`: a master for tests. It makes any access its registers ask for, at any iova, in
 * any size, for any stream, wrong ones too, and says what became of it: what stands between a
 * master and memory is tested with it. docs/dma-master.md has its registers.
 *
 * A command is made of transactions of UNIT bytes. So many as BUDGET says are done at once, and the
 * rest after a pause in virtual time, again and again: the guest runs in between, and may change
 * what translates the addresses. */
#include <string.h>

#include "emu/bytes.h"
#include "vdev/vdev.h"

enum {
    ID = 0x000,
    FEATURES = 0x004,
    COMMAND = 0x008,
    CONTROL = 0x00c,
    STATUS = 0x010,
    FAULT = 0x014,
    FAULT_ADDRESS = 0x018,
    IOVA = 0x020,
    SECOND = 0x028,
    SIZE = 0x030,
    PATTERN = 0x038,
    STREAM = 0x040,
    SUBSTREAM = 0x044,
    UNIT = 0x048,
    BUDGET = 0x04c,
    PAUSE = 0x050,
    LIST_COUNT = 0x054,
    LIST = 0x058,
    LIST_INDEX = 0x060,
    DONE = 0x068,
    HASH = 0x070,
    COMMANDS = 0x078,
    ACCESSES = 0x080,
    FAULTS = 0x088,
    BYTES = 0x090,
    WINDOW = 0x100,
};
#define ID_VALUE 0x314d4451u /* "QDM1" */

/* COMMAND, and the first word of an entry of a list. */
enum command_kind {
    KIND_STOP,
    KIND_READ,
    KIND_WRITE,
    KIND_FILL,
    KIND_COPY,
    KIND_COMPARE,
    KIND_CHECK,
    KIND_HASH,
    KIND_LIST,
    KIND_BITS = 0xf,
    HAS_STREAM = 1 << 4,
    HAS_SUBSTREAM = 1 << 5,
    GOES_ON = 1 << 6,
    TELLS_RESULT = 1 << 7,
    IS_PRIVILEGED = 1 << 8,
    IS_FETCH = 1 << 9,
    COMMAND_BITS = 0x3ff,
};
enum { FEATURE_ANY_STREAM = 1 << 0 };
enum { CONTROL_IRQ = 1 << 0 };
enum {
    STATUS_BUSY = 1 << 0,
    STATUS_DONE = 1 << 1,
    STATUS_FAULT = 1 << 2,
    STATUS_MISMATCH = 1 << 3,
    STATUS_ERROR = 1 << 4,
    STATUS_BITS = 0x1f,
};
/* Of an entry whose accesses are over, but for its result: STATUS, above its command. */
enum { ENDED_SHIFT = 16 };
/* FAULT: the kind, and which access it was. */
enum { FAULT_WRITE = 1 << 8, FAULT_SECOND = 1 << 9, FAULT_LIST = 1 << 10, FAULT_BITS = 0x70f };

enum { WINDOW_SIZE = 256, UNIT_MAX = WINDOW_SIZE };
enum { BUDGET_DEFAULT = 256, BUDGET_MAX = 4096, PAUSE_DEFAULT_NS = 1000 };

/* An entry of a list. */
enum {
    ENTRY_COMMAND = 0x00,
    ENTRY_UNIT = 0x04,
    ENTRY_IOVA = 0x08,
    ENTRY_SECOND = 0x10,
    ENTRY_SIZE = 0x18,
    ENTRY_PATTERN = 0x20,
    ENTRY_STREAM = 0x28,
    ENTRY_SUBSTREAM = 0x2c,
    ENTRY_RESULT = 0x30, /* STATUS, FAULT, and FAULT_ADDRESS or HASH */
    ENTRY_SIZE_BYTES = 0x40,
    ENTRY_RESULT_BYTES = ENTRY_SIZE_BYTES - ENTRY_RESULT,
};

struct dma_master {
    struct vdev v;
    struct event work;
    uint64_t work_ticks; /* when that event is due, or EVENT_NEVER */
    uint64_t iova, second, size, pattern, list;
    uint64_t list_index, done, hash, fault_address;
    uint64_t commands, accesses, faults, bytes;
    uint32_t control, status, fault, stream, substream, unit, budget, pause_ns, list_count;
    uint32_t command;                       /* what was asked for last */
    uint32_t entry;                         /* that of the list, if it is one; 0: none yet */
    uint32_t entry_stream, entry_substream; /* of that one */
    uint8_t window[WINDOW_SIZE];
    bool is_held;        /* no state: an access of this step is to come again */
    bool has_any_stream; /* from the configuration */
};

static const struct field dma_master_fields[] = {
    FIELD(struct dma_master, work_ticks),
    FIELD(struct dma_master, iova),
    FIELD(struct dma_master, second),
    FIELD(struct dma_master, size),
    FIELD(struct dma_master, pattern),
    FIELD(struct dma_master, list),
    FIELD(struct dma_master, list_index),
    FIELD(struct dma_master, done),
    FIELD(struct dma_master, hash),
    FIELD(struct dma_master, fault_address),
    FIELD(struct dma_master, commands),
    FIELD(struct dma_master, accesses),
    FIELD(struct dma_master, faults),
    FIELD(struct dma_master, bytes),
    FIELD_UP_TO(struct dma_master, control, CONTROL_IRQ),
    FIELD_UP_TO(struct dma_master, status, STATUS_BITS),
    FIELD_UP_TO(struct dma_master, fault, FAULT_BITS),
    FIELD(struct dma_master, stream),
    FIELD(struct dma_master, substream),
    FIELD(struct dma_master, unit),
    FIELD(struct dma_master, budget),
    FIELD(struct dma_master, pause_ns),
    FIELD(struct dma_master, list_count),
    FIELD_UP_TO(struct dma_master, command, COMMAND_BITS),
    FIELD_UP_TO(struct dma_master, entry, COMMAND_BITS | STATUS_BITS << ENDED_SHIFT),
    FIELD(struct dma_master, entry_stream),
    FIELD(struct dma_master, entry_substream),
    FIELD_ARRAY(struct dma_master, window),
    FIELD_END,
};

static struct dma_master *dma_master_of(struct vdev *v)
{
    return (struct dma_master *)(void *)v;
}

static void update_irq(struct dma_master *m)
{
    wire_set(&m->v.irq, m->control & CONTROL_IRQ && m->status & STATUS_DONE);
}

/* Accesses ----------------------------------------------------------------------------------------
 */

static bool is_list(const struct dma_master *m)
{
    return (m->command & KIND_BITS) == KIND_LIST;
}

/* The device's port, under another name and with the attributes that the command says. */
static struct dma_port port_for(const struct dma_master *m, uint32_t command, uint32_t stream,
                                uint32_t substream)
{
    struct dma_port p = m->v.dma;
    if (command & HAS_STREAM && m->has_any_stream)
        p.stream = stream;
    if (command & HAS_SUBSTREAM)
        p.substream = substream;
    p.is_privileged = command & IS_PRIVILEGED;
    p.is_fetch = command & IS_FETCH;
    return p;
}

/* What an SMMU stalls is no fault, and not over: the same access is made again after the pause. */
static bool note_fault(struct dma_master *m, const struct dma_fault *f, uint32_t which)
{
    m->is_held = f->kind == DMA_FAULT_STALLED;
    if (m->is_held)
        return false;
    m->accesses++;
    m->fault = (uint32_t)f->kind | (f->is_write ? FAULT_WRITE : 0) | which;
    m->fault_address = f->at.v;
    m->faults++;
    return false;
}

/* The bytes `offset` behind `base`; there are none beyond 2^64. */
static bool transact(struct dma_master *m, const struct dma_port *p, uint64_t base, uint64_t offset,
                     uint8_t *bytes, uint64_t size, enum dma_kind kind, uint32_t which)
{
    struct dma_fault fault = {
        .kind = DMA_FAULT_RANGE, .at = {base + offset}, .is_write = kind == DMA_WRITE};
    if (offset > UINT64_MAX - base)
        return note_fault(m, &fault, which);
    bool ok = kind == DMA_WRITE ? dma_write(p, fault.at, bytes, size, &fault)
                                : dma_read(p, fault.at, bytes, size, &fault);
    if (!ok)
        return note_fault(m, &fault, which);
    m->accesses++;
    m->bytes += size;
    return true;
}

/* FNV-1a. */
#define HASH_OF_NOTHING UINT64_C(0xcbf29ce484222325)
static void add_to_hash(struct dma_master *m, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        m->hash = (m->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void put_pattern(const struct dma_master *m, uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(m->pattern >> 8 * ((m->done + i) % 8));
}

/* What is read should be `wanted`. */
static uint32_t compare(struct dma_master *m, const uint8_t *bytes, const uint8_t *wanted,
                        uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (bytes[i] != wanted[i]) {
            m->fault_address = m->iova + m->done + i;
            return STATUS_MISMATCH;
        }
    return 0;
}

/* One of the command's transactions, of so many bytes: bits of STATUS if it is to end with that. */
static uint32_t go_on_with(struct dma_master *m, const struct dma_port *p, enum command_kind kind,
                           uint64_t size)
{
    uint8_t bytes[UNIT_MAX], others[UNIT_MAX];
    bool is_window = kind == KIND_READ || kind == KIND_WRITE;
    if (is_window && m->size > WINDOW_SIZE)
        return STATUS_ERROR;
    if (kind == KIND_WRITE || kind == KIND_FILL) {
        put_pattern(m, bytes, size);
        uint8_t *from = is_window ? m->window + m->done : bytes;
        return transact(m, p, m->iova, m->done, from, size, DMA_WRITE, 0) ? 0 : STATUS_FAULT;
    }
    if (!transact(m, p, m->iova, m->done, bytes, size, DMA_READ, 0))
        return STATUS_FAULT;
    if (is_window)
        memcpy(m->window + m->done, bytes, (size_t)size);
    put_pattern(m, others, size);
    if (kind == KIND_COPY &&
        !transact(m, p, m->second, m->done, bytes, size, DMA_WRITE, FAULT_SECOND))
        return STATUS_FAULT;
    if (kind == KIND_COMPARE &&
        !transact(m, p, m->second, m->done, others, size, DMA_READ, FAULT_SECOND))
        return STATUS_FAULT;
    add_to_hash(m, bytes, size);
    return kind == KIND_COMPARE || kind == KIND_CHECK ? compare(m, bytes, others, size) : 0;
}

/* Commands ----------------------------------------------------------------------------------------
 */

static void finish(struct dma_master *m, uint32_t outcome)
{
    m->status = (m->status & ~(uint32_t)STATUS_BUSY) | STATUS_DONE | outcome;
    m->entry = 0;
    update_irq(m);
}

/* False: it was refused, which ends the list, or is to come again. */
static bool access_list(struct dma_master *m, uint64_t offset, uint8_t *bytes, uint64_t size,
                        enum dma_kind kind)
{
    struct dma_port p = port_for(m, m->command, m->stream, m->substream);
    uint64_t base = m->list + m->list_index * ENTRY_SIZE_BYTES;
    if (transact(m, &p, base, offset, bytes, size, kind, FAULT_LIST))
        return true;
    if (!m->is_held)
        finish(m, STATUS_FAULT);
    return false;
}

static void begin_entry(struct dma_master *m)
{
    uint8_t entry[ENTRY_SIZE_BYTES];
    if (m->list_index >= m->list_count) {
        finish(m, 0);
        return;
    }
    if (!access_list(m, 0, entry, sizeof entry, DMA_READ))
        return;
    m->entry = load_le32(entry + ENTRY_COMMAND) & COMMAND_BITS;
    if ((m->entry & KIND_BITS) == KIND_STOP) {
        finish(m, 0);
        return;
    }
    m->unit = load_le32(entry + ENTRY_UNIT);
    m->iova = load_le64(entry + ENTRY_IOVA);
    m->second = load_le64(entry + ENTRY_SECOND);
    m->size = load_le64(entry + ENTRY_SIZE);
    m->pattern = load_le64(entry + ENTRY_PATTERN);
    m->entry_stream = load_le32(entry + ENTRY_STREAM);
    m->entry_substream = load_le32(entry + ENTRY_SUBSTREAM);
    m->done = 0;
    m->hash = HASH_OF_NOTHING;
}

/* The list goes on behind an entry that went wrong only if that says so. */
static void end_entry(struct dma_master *m)
{
    uint32_t outcome = m->entry >> ENDED_SHIFT & ~(uint32_t)STATUS_DONE;
    uint8_t result[ENTRY_RESULT_BYTES];
    bool is_wrong = outcome & (STATUS_FAULT | STATUS_ERROR | STATUS_MISMATCH);
    uint32_t command = m->entry & COMMAND_BITS;
    store_le(result, STATUS_DONE | outcome, 4);
    store_le(result + 4, outcome & STATUS_FAULT ? m->fault : 0, 4);
    store_le(result + 8, is_wrong ? m->fault_address : m->hash, 8);
    if (command & TELLS_RESULT && !access_list(m, ENTRY_RESULT, result, sizeof result, DMA_WRITE))
        return;
    m->entry = 0;
    m->list_index++;
    m->status |= outcome;
    if (is_wrong && !(command & GOES_ON))
        finish(m, outcome);
}

static void end_command(struct dma_master *m, uint32_t outcome)
{
    m->commands++;
    if (!is_list(m)) {
        finish(m, outcome);
        return;
    }
    m->entry |= (STATUS_DONE | outcome) << ENDED_SHIFT;
    end_entry(m);
}

static void do_transaction(struct dma_master *m)
{
    uint32_t command = is_list(m) ? m->entry : m->command;
    enum command_kind kind = (enum command_kind)(command & KIND_BITS);
    struct dma_port p = is_list(m) ? port_for(m, command, m->entry_stream, m->entry_substream)
                                   : port_for(m, command, m->stream, m->substream);
    uint64_t unit = m->unit && m->unit < UNIT_MAX ? m->unit : UNIT_MAX;
    if (m->done > m->size) /* as a snapshot may say */
        m->done = m->size;
    uint64_t part = m->size - m->done < unit ? m->size - m->done : unit;
    if (kind < KIND_READ || kind > KIND_HASH) {
        end_command(m, STATUS_ERROR);
        return;
    }
    uint32_t outcome = go_on_with(m, &p, kind, part);
    if (m->is_held)
        return;
    m->done += outcome ? 0 : part;
    if (outcome || m->done >= m->size)
        end_command(m, outcome);
}

/* Some of the work, and the rest later. */
static void work(struct dma_master *m)
{
    unsigned budget = m->budget && m->budget < BUDGET_MAX ? m->budget : BUDGET_MAX;
    m->is_held = false;
    while (m->status & STATUS_BUSY && !m->is_held && budget--)
        if (is_list(m) && m->entry >> ENDED_SHIFT)
            end_entry(m);
        else if (is_list(m) && !m->entry)
            begin_entry(m);
        else
            do_transaction(m);
    m->work_ticks = EVENT_NEVER;
    if (m->status & STATUS_BUSY) {
        const struct vtime *t = m->v.env->vtime;
        uint64_t pause = vtime_scale(m->pause_ns, t->rate_hz, 1000000000);
        m->work_ticks = vtime_ticks(t) + (pause ? pause : 1);
    }
    event_at(m->v.env->events, &m->work, m->work_ticks);
}

static void work_fires(void *context, uint64_t due_ticks)
{
    (void)due_ticks;
    work(context);
}

/* A command that is stopped is not done, and no interrupt follows. */
static void begin(struct dma_master *m, uint32_t command)
{
    if ((command & KIND_BITS) == KIND_STOP) {
        m->status &= ~(uint32_t)STATUS_BUSY;
        m->entry = 0;
    } else if (m->status & STATUS_BUSY) {
        log_guest(m->v.env->log, "%s: command %#x while another is at work", m->v.name,
                  (unsigned)command);
        return;
    } else {
        m->command = command & COMMAND_BITS;
        m->status = STATUS_BUSY;
        m->fault = 0;
        m->fault_address = m->list_index = m->done = 0;
        m->hash = HASH_OF_NOTHING;
        m->entry = 0;
        update_irq(m);
    }
    work(m);
}

/* Registers ---------------------------------------------------------------------------------------
 */

/* Those that are nothing but a value; of 8 bytes, the lower half first. */
static const struct value_register {
    uint64_t offset;
    size_t member;
    unsigned size;
    bool is_parameter; /* it can be written while no command is at work */
} values[] = {
    {STATUS, offsetof(struct dma_master, status), 4, false},
    {CONTROL, offsetof(struct dma_master, control), 4, false},
    {FAULT, offsetof(struct dma_master, fault), 4, false},
    {FAULT_ADDRESS, offsetof(struct dma_master, fault_address), 8, false},
    {IOVA, offsetof(struct dma_master, iova), 8, true},
    {SECOND, offsetof(struct dma_master, second), 8, true},
    {SIZE, offsetof(struct dma_master, size), 8, true},
    {PATTERN, offsetof(struct dma_master, pattern), 8, true},
    {STREAM, offsetof(struct dma_master, stream), 4, true},
    {SUBSTREAM, offsetof(struct dma_master, substream), 4, true},
    {UNIT, offsetof(struct dma_master, unit), 4, true},
    {BUDGET, offsetof(struct dma_master, budget), 4, true},
    {PAUSE, offsetof(struct dma_master, pause_ns), 4, true},
    {LIST_COUNT, offsetof(struct dma_master, list_count), 4, true},
    {LIST, offsetof(struct dma_master, list), 8, true},
    {LIST_INDEX, offsetof(struct dma_master, list_index), 8, false},
    {DONE, offsetof(struct dma_master, done), 8, false},
    {HASH, offsetof(struct dma_master, hash), 8, false},
    {COMMANDS, offsetof(struct dma_master, commands), 8, false},
    {ACCESSES, offsetof(struct dma_master, accesses), 8, false},
    {FAULTS, offsetof(struct dma_master, faults), 8, false},
    {BYTES, offsetof(struct dma_master, bytes), 8, false},
};

static const struct value_register *find_value(uint64_t offset)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (offset - values[i].offset < values[i].size)
            return &values[i];
    return NULL;
}

static uint64_t value_of(const struct dma_master *m, const struct value_register *r)
{
    const void *at = (const uint8_t *)m + r->member;
    return r->size == 4 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

/* A half of 8 bytes, or all of 4. */
static void write_value(struct dma_master *m, const struct value_register *r, uint64_t offset,
                        uint32_t value)
{
    void *at = (uint8_t *)m + r->member;
    unsigned shift = offset == r->offset ? 0 : 32;
    uint64_t others = value_of(m, r) & ~(UINT64_C(0xffffffff) << shift);
    if (!r->is_parameter || m->status & STATUS_BUSY)
        log_guest(m->v.env->log, "%s: write to register +%#x, which %s", m->v.name,
                  (unsigned)offset, r->is_parameter ? "a command uses" : "is read-only");
    else if (r->size == 4)
        *(uint32_t *)at = value;
    else
        *(uint64_t *)at = others | (uint64_t)value << shift;
}

static void write_register(struct dma_master *m, uint64_t offset, uint32_t value)
{
    const struct value_register *r = find_value(offset);
    if (offset == COMMAND) {
        begin(m, value);
    } else if (offset == CONTROL) {
        m->control = value & CONTROL_IRQ;
        update_irq(m);
    } else if (offset == STATUS) {
        m->status &= ~value | STATUS_BUSY;
        update_irq(m);
    } else if (r) {
        write_value(m, r, offset, value);
    }
}

static uint32_t read_register(const struct dma_master *m, uint64_t offset)
{
    const struct value_register *r = find_value(offset);
    uint64_t whole = r ? value_of(m, r) : 0;
    if (offset == ID)
        return ID_VALUE;
    if (offset == FEATURES)
        return m->has_any_stream ? FEATURE_ANY_STREAM : 0;
    if (offset == COMMAND)
        return m->command;
    return (uint32_t)(r && offset != r->offset ? whole >> 32 : whole);
}

static enum bus_answer access_window(struct dma_master *m, struct bus_access *a)
{
    if (!range_inside(a->offset - WINDOW, a->size, WINDOW_SIZE))
        return BUS_NOBODY;
    uint8_t *at = m->window + (a->offset - WINDOW);
    if (a->is_write)
        store_le(at, a->value, a->size);
    else
        a->value = load_le(at, a->size);
    return BUS_HANDLED;
}

static enum bus_answer dma_master_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct dma_master *m = dma_master_of(v);
    (void)region;
    if (a->offset >= WINDOW)
        return access_window(m, a);
    if (a->size != 4 || a->offset % 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(m, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(m, a->offset);
    return BUS_HANDLED;
}

static const struct vdev_register *dma_master_registers(const struct vdev *v, unsigned region,
                                                        uint64_t *offset)
{
    /* clang-format off */
    static const struct vdev_register table[] = {
        VDEV_REGISTER(ID), VDEV_REGISTER(FEATURES), VDEV_REGISTER(COMMAND),
        VDEV_REGISTER(CONTROL), VDEV_REGISTER(STATUS), VDEV_REGISTER(FAULT),
        {FAULT_ADDRESS, "FAULT_ADDRESS", 2}, {IOVA, "IOVA", 2}, {SECOND, "SECOND", 2},
        {SIZE, "SIZE", 2}, {PATTERN, "PATTERN", 2}, VDEV_REGISTER(STREAM),
        VDEV_REGISTER(SUBSTREAM), VDEV_REGISTER(UNIT), VDEV_REGISTER(BUDGET),
        VDEV_REGISTER(PAUSE), VDEV_REGISTER(LIST_COUNT), {LIST, "LIST", 2},
        {LIST_INDEX, "LIST_INDEX", 2}, {DONE, "DONE", 2}, {HASH, "HASH", 2},
        {COMMANDS, "COMMANDS", 2}, {ACCESSES, "ACCESSES", 2}, {FAULTS, "FAULTS", 2},
        {BYTES, "BYTES", 2}, {WINDOW, "WINDOW", WINDOW_SIZE / 4}, VDEV_REGISTERS_END,
    };
    /* clang-format on */
    (void)v;
    (void)region;
    (void)offset;
    return table;
}

/* Life --------------------------------------------------------------------------------------------
 */

static bool dma_master_create(struct vdev *v, struct error *e)
{
    struct dma_master *m = dma_master_of(v);
    (void)e;
    m->has_any_stream = vdev_option_find(v, "any-stream") != NULL;
    m->unit = UNIT_MAX;
    m->budget = BUDGET_DEFAULT;
    m->pause_ns = PAUSE_DEFAULT_NS;
    m->hash = HASH_OF_NOTHING;
    m->work_ticks = EVENT_NEVER;
    m->work = (struct event){.name = "dma-master work", .fire = work_fires, .context = m};
    event_add(v->env->events, &m->work);
    return true;
}

static void dma_master_restored(struct vdev *v)
{
    struct dma_master *m = dma_master_of(v);
    event_at(v->env->events, &m->work, m->work_ticks);
    update_irq(m);
}

static void dma_master_destroy(struct vdev *v)
{
    event_at(v->env->events, &dma_master_of(v)->work, EVENT_NEVER);
}

static void dma_master_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "qvm,dma-master";
    vdev_describe_begin(v, d, "dma", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->empty(d->context, "dma-coherent");
    d->end_node(d->context);
}

static const struct vdev_option_type dma_master_options[] = {
    {"any-stream", NULL, NULL, "it may say itself what stream its accesses are of", false, false},
    VDEV_OPTIONS_END,
};

const struct vdev_type dma_master_type = {
    .name = "dma-master",
    .summary = "makes any DMA access on command, wrong ones too: for tests (docs/dma-master.md)",
    .size = sizeof(struct dma_master),
    .fields = dma_master_fields,
    .needs_intr = true,
    .masters = true,
    .options = dma_master_options,
    .ranges = vdev_one_page,
    .create = dma_master_create,
    .access = dma_master_access,
    .registers = dma_master_registers,
    .describe = dma_master_describe,
    .restored = dma_master_restored,
    .destroy = dma_master_destroy,
};
