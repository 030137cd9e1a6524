/* Transgressions. An SMMU refuses them and records them in its event queue, which is emptied at
 * once: what a device does leaves room for what others do. Nobody is told by itself. Of a group its
 * first records are kept until the VM's client asks for them, and the very first, and how many
 * there were, for the status report and the end of the VM. */
#include <inttypes.h>
#include <stdio.h>

#include "hv/smmuman_internal.h"

#define NO_GROUP SIZE_MAX

static size_t group_of_stream(const struct board *b, uint32_t stream)
{
    for (size_t i = 0; i < b->config->device_count; i++)
        if (b->config->devices[i].dma && b->config->devices[i].stream == stream)
            return i;
    return NO_GROUP;
}

static const uint8_t *record_at(const struct smmuman_unit *u, uint32_t index)
{
    uint64_t slot = index & ((1u << SMMUMAN_EVENT_BITS) - 1);
    return memory_at(&u->board->memory, hpa(u->events.v + slot * SMMU_EVENT_SIZE), SMMU_EVENT_SIZE,
                     MEMORY_READ);
}

static void keep(struct smmuman_group *g, const uint8_t *record)
{
    bool has_room = g->kept_count < SMMUMAN_RECORDS;
    for (unsigned i = 0; i < SMMUMAN_RECORD_WORDS; i++) {
        uint64_t word = load_le(record + 8 * i, 8);
        if (!g->refused)
            g->first[i] = word;
        if (has_room)
            g->kept[g->kept_count * SMMUMAN_RECORD_WORDS + i] = word;
    }
    g->refused++;
    g->kept_count += has_room;
    g->lost += !has_room && g->lost < UINT32_MAX;
}

static void take_events(struct smmuman_unit *u)
{
    uint32_t mask = (2u << SMMUMAN_EVENT_BITS) - 1, prod = smmuman_units_get(u, SMMU_EVENTQ_PROD);
    struct smmu_event event;
    for (uint32_t i = smmuman_units_get(u, SMMU_EVENTQ_CONS) & mask; i != (prod & mask);
         i = (i + 1) & mask) {
        smmu_event_get(record_at(u, i), &event);
        size_t group = group_of_stream(u->board, event.stream);
        if (group != NO_GROUP)
            keep(&u->board->smmuman->groups[group], record_at(u, i));
    }
    smmuman_units_put(u, SMMU_EVENTQ_CONS, prod, 4);
}

/* The edge with which an SMMU says that its queue is not empty any more. */
static void on_event(void *context, unsigned line, bool level)
{
    (void)line;
    if (level)
        take_events(context);
}

void smmuman_records_watch(struct smmuman_unit *u)
{
    u->v->irq = (struct wire){.set = on_event, .context = u};
    smmuman_units_put(u, SMMU_IRQ_CTRL, IRQ_EVENTQ, 4);
}

static void get_event(const uint64_t *words, struct smmu_event *event)
{
    uint8_t record[SMMU_EVENT_SIZE];
    for (unsigned i = 0; i < SMMUMAN_RECORD_WORDS; i++)
        store_le(record + 8 * i, words[i], 8);
    smmu_event_get(record, event);
}

bool smmuman_records_take(struct smmuman_group *g, struct smmu_event *event)
{
    if (!g->kept_count)
        return false;
    get_event(g->kept, event);
    g->kept_count--;
    for (size_t i = 0; i < SMMUMAN_RECORDS * SMMUMAN_RECORD_WORDS; i++)
        g->kept[i] =
            i < g->kept_count * SMMUMAN_RECORD_WORDS ? g->kept[i + SMMUMAN_RECORD_WORDS] : 0;
    return true;
}

/* Reports -----------------------------------------------------------------------------------------
 */

/* Machines of the past left the records in the queue, so far as it had room. */
static uint64_t count_queue(struct smmuman_unit *u, uint32_t stream, struct smmu_event *first)
{
    uint32_t mask = (2u << SMMUMAN_EVENT_BITS) - 1,
             end = smmuman_units_get(u, SMMU_EVENTQ_PROD) & mask;
    uint64_t found = 0;
    for (uint32_t i = smmuman_units_get(u, SMMU_EVENTQ_CONS) & mask; i != end; i = (i + 1) & mask) {
        struct smmu_event event;
        smmu_event_get(record_at(u, i), &event);
        if (event.stream == stream && !found++)
            *first = event;
    }
    return found;
}

static uint64_t count(const struct vm *vm, size_t group, struct smmu_event *first)
{
    struct smmuman *s = vm->board->smmuman;
    uint32_t stream = vm->board->config->devices[group].stream;
    struct smmuman_unit *u = smmuman_units_of(s, stream);
    if (s->records_stay)
        return u ? count_queue(u, stream, first) : 0;
    get_event(s->groups[group].first, first);
    return s->groups[group].refused;
}

/* "the device at 0xa100000", or all that the VM has of the group. */
static void name_group(const struct vm *vm, size_t group, char *text, size_t size)
{
    const struct board_config *c = vm->board->config;
    size_t used = 0;
    for (size_t i = group; i < c->device_count && used < size; i++)
        if (smmuman_units_is_its(vm, i) && smmuman_units_group(vm->board, i) == group)
            used += (size_t)snprintf(text + used, size - used, "%s at %#" PRIx64,
                                     used ? " or the one" : "the device", c->devices[i].start);
}

static void report_group(const struct vm *vm, size_t group, enum log_severity severity)
{
    struct smmu_event first;
    char text[160], who[160];
    uint64_t found = count(vm, group, &first);
    if (!found)
        return;
    smmu_event_text(&first, text, sizeof text);
    name_group(vm, group, who, sizeof who);
    log_write(&vm->log, severity,
              "smmuman: %" PRIu64 " %s of %s, stream %" PRIu32
              ", %s recorded as refused; the first: %s",
              found, text_plural(found, "access", "accesses"), who,
              vm->board->config->devices[group].stream, found == 1 ? "is" : "are", text);
}

void smmuman_records_report(const struct vm *vm, enum log_severity severity)
{
    size_t first;
    for (size_t i = 0; vm->board->smmuman && i < vm->board->config->device_count; i++)
        if (smmuman_units_first(vm, i, &first))
            report_group(vm, i, severity);
}

void smmuman_records_status(const struct vm *vm)
{
    static const char *const states[] = {
        [REACHES_EVERYTHING] = "unrestricted: it reaches all memory",
        [REACHES_NOTHING] = "contained: it reaches nothing",
        [REACHES_VM] = "contained: it reaches the VM's memory",
        [REACHES_OBJECT] = "contained: it reaches what the VM's client maps of the VM's memory",
    };
    for (size_t i = 0; vm->board->smmuman && i < vm->board->config->device_count; i++) {
        char who[160];
        size_t first;
        if (!smmuman_units_first(vm, i, &first))
            continue;
        name_group(vm, i, who, sizeof who);
        log_write(&vm->log, LOG_SEVERITY_INFO, "  smmuman: %s is %s", who,
                  states[vm->board->smmuman->groups[i].reach]);
    }
    smmuman_records_report(vm, LOG_SEVERITY_INFO);
}

/* State -------------------------------------------------------------------------------------------
 */

void smmuman_records_visit(struct smmuman_group *g, struct state *s)
{
    g->refused = state_value(s, "refused accesses", g->refused, 8);
    state_row(s, "the first", g->first, sizeof g->first[0], SMMUMAN_RECORD_WORDS);
    state_row(s, "kept records", g->kept, sizeof g->kept[0],
              SMMUMAN_RECORDS * SMMUMAN_RECORD_WORDS);
    g->kept_count =
        (uint32_t)state_up_to(s, "how many are kept", g->kept_count, 4, SMMUMAN_RECORDS);
    g->lost = (uint32_t)state_value(s, "how many were lost", g->lost, 4);
}
