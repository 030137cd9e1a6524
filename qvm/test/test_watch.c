#include "qvm/test/test_watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

bool test_watch_fail(struct test_watch *w, struct place place, const char *format, ...)
{
    va_list args;
    if (w->has_failed)
        return false;
    w->has_failed = true;
    w->failure.place = place;
    va_start(args, format);
    vsnprintf(w->failure.text, sizeof w->failure.text, format, args);
    va_end(args);
    return false;
}

void test_watch_begin(struct test_watch *w, const struct test *test)
{
    size_t room = test->expectation_count + 1;
    *w = (struct test_watch){.test = test, .due_tick = EVENT_NEVER};
    w->searches = calloc(room, sizeof *w->searches);
    w->is_met = calloc(room, sizeof *w->is_met);
    w->vms = calloc(room, sizeof *w->vms);
    w->input_vms = calloc(test->input_count + 1, sizeof *w->input_vms);
    w->input_channels = calloc(test->input_count + 1, sizeof *w->input_channels);
    CHECK_ROOM(w->searches && w->is_met && w->vms && w->input_vms && w->input_channels);
    for (size_t i = 0; i < test->expectation_count; i++)
        if (test->expectations[i].pattern)
            pattern_search_begin(&w->searches[i], test->expectations[i].pattern);
}

void test_watch_free(struct test_watch *w)
{
    for (size_t i = 0; i < BOARD_VMS_MAX; i++)
        bytes_free(&w->printed[i]);
    for (size_t i = 0; i < w->test->expectation_count; i++)
        pattern_search_free(&w->searches[i]);
    pattern_search_free(&w->input_search);
    free(w->searches);
    free(w->is_met);
    free(w->vms);
    free(w->input_vms);
    free(w->input_channels);
}

/* Where it is --------------------------------------------------------------------------------- */

static uint64_t now_ns(const struct test_watch *w)
{
    return vtime_ns(&w->board->vtime) - w->start_ns;
}

/* The first tick behind so many ns since the start. */
static uint64_t tick_of(const struct test_watch *w, uint64_t ns)
{
    uint64_t at = w->start_ns + ns, rate_hz = w->board->vtime.rate_hz;
    bool is_never = at < ns || at > vtime_scale(w->board->end_ticks, 1000000000, rate_hz);
    return is_never ? EVENT_NEVER : vtime_scale(at, rate_hz, 1000000000) + 1;
}

/* What happens now has its consequence one tick later: inputs are between instructions. */
static void do_soon(struct test_watch *w)
{
    uint64_t soon = vtime_ticks(&w->board->vtime) + 1;
    if (soon < w->due_tick)
        w->due_tick = soon;
}

/* From `at` on, the next expectation that waits for something to be printed. */
static size_t next_expected(const struct test *t, size_t at)
{
    while (at < t->expectation_count && t->expectations[at].kind != EXPECT_CONSOLE)
        at++;
    return at;
}

/* Nothing is expected of how the run ends by itself, and all that is printed was. */
static bool is_complete(const struct test_watch *w)
{
    const struct test *t = w->test;
    bool waits = false;
    for (size_t i = 0; i < t->expectation_count; i++) {
        enum test_expectation_kind kind = t->expectations[i].kind;
        if (kind == EXPECT_EXIT || kind == EXPECT_STATUS || kind == EXPECT_OUTPUT)
            return false;
        waits |= kind == EXPECT_CONSOLE;
    }
    return waits && w->expected == t->expectation_count && w->sent == t->input_count;
}

static void look_for_next(struct test_watch *w)
{
    const struct test *t = w->test;
    w->expected = next_expected(t, w->expected);
    if (w->expected < t->expectation_count)
        w->searches[w->expected].line_begins = !w->is_in_line[w->vms[w->expected]];
    if (is_complete(w)) {
        w->ends = true;
        do_soon(w);
    }
}

/* The next input that waits for something to be printed: those before it can be sent. */
static void await_input(struct test_watch *w)
{
    const struct test *t = w->test;
    pattern_search_free(&w->input_search);
    while (w->awaited < t->input_count && !t->inputs[w->awaited].after)
        w->awaited++;
    if (w->awaited < t->input_count) {
        pattern_search_begin(&w->input_search, t->inputs[w->awaited].after);
        w->input_search.line_begins = !w->is_in_line[w->input_vms[w->awaited]];
    }
    if (w->sent < w->awaited)
        do_soon(w);
}

/* The run begins ------------------------------------------------------------------------------- */

static bool find_vm(const struct test_watch *w, const char *name, struct place place,
                    unsigned *number, struct error *e)
{
    const struct board *b = w->board;
    *number = 0;
    if (!name)
        return b->vm_count == 1 || error_at(e, place.file, place.line,
                                            "there are %zu VMs: `of NAME` says which", b->vm_count);
    for (unsigned i = 0; i < b->vm_count; i++)
        if (strcmp(b->vms[i]->name, name) == 0) {
            *number = i;
            return true;
        }
    return error_at(e, place.file, place.line, "there is no VM '%.40s' (the first is '%s')", name,
                    b->vms[0]->name);
}

static bool find_input(struct test_watch *w, size_t i, struct error *e)
{
    const struct test_input *input = &w->test->inputs[i];
    if (!find_vm(w, input->vm, input->place, &w->input_vms[i], e))
        return false;
    const struct vm *vm = w->board->vms[w->input_vms[i]];
    w->input_channels[i] = vm_input_channel(vm, input->to);
    if (w->input_channels[i] < VM_CHANNELS || !input->to)
        return true;
    return error_at(e, input->place.file, input->place.line,
                    "VM '%s' has no device or port '%.160s' that takes input", vm->name, input->to);
}

static bool is_of_a_vm(const struct test_expectation *x)
{
    return x->kind == EXPECT_CONSOLE || x->kind == EXPECT_NOT || x->kind == EXPECT_EXIT ||
           x->kind == EXPECT_EXITS || x->kind == EXPECT_OUTPUT;
}

static bool started(void *context, struct board *b, struct error *e)
{
    struct test_watch *w = context;
    const struct test *t = w->test;
    w->board = b;
    w->start_ns = vtime_ns(&b->vtime);
    for (size_t i = 0; i < t->expectation_count; i++)
        if (is_of_a_vm(&t->expectations[i]) &&
            !find_vm(w, t->expectations[i].vm, t->expectations[i].place, &w->vms[i], e))
            return false;
    for (size_t i = 0; i < t->input_count; i++)
        if (!find_input(w, i, e))
            return false;
    uint64_t limit = tick_of(w, t->limit_ns);
    if (limit < b->options.limit_ticks)
        b->options.limit_ticks = limit;
    if (t->limit_instructions && t->limit_instructions < UINT64_MAX - b->vtime.instructions)
        b->options.limit_instructions = b->vtime.instructions + t->limit_instructions;
    look_for_next(w);
    await_input(w);
    return true;
}

/* What is printed ------------------------------------------------------------------------------ */

static void end_in_failure(struct test_watch *w)
{
    w->ends = true;
    do_soon(w);
}

static void meet_expected(struct test_watch *w, unsigned vm, uint8_t byte)
{
    const struct test *t = w->test;
    if (w->expected == t->expectation_count || w->vms[w->expected] != vm ||
        !pattern_search_byte(&w->searches[w->expected], byte))
        return;
    const struct test_expectation *x = &t->expectations[w->expected];
    if (now_ns(w) > x->within_ns) {
        test_watch_fail(w, x->place,
                        "/%s/ came after %" PRIu64 ".%09" PRIu64 " s, which is too late",
                        x->pattern->text, now_ns(w) / 1000000000, now_ns(w) % 1000000000);
        end_in_failure(w);
        return;
    }
    w->is_met[w->expected++] = true;
    look_for_next(w);
}

static void meet_unwanted(struct test_watch *w, unsigned vm, uint8_t byte)
{
    const struct test *t = w->test;
    for (size_t i = 0; i < t->expectation_count; i++) {
        const struct test_expectation *x = &t->expectations[i];
        if (x->kind != EXPECT_NOT || w->vms[i] != vm || !pattern_search_byte(&w->searches[i], byte))
            continue;
        test_watch_fail(w, x->place, "/%s/ was printed", x->pattern->text);
        end_in_failure(w);
    }
}

static void meet_awaited(struct test_watch *w, unsigned vm, uint8_t byte)
{
    if (!w->input_search.pattern || vm != w->input_vms[w->awaited] ||
        !pattern_search_byte(&w->input_search, byte))
        return;
    w->awaited++;
    await_input(w);
}

/* What is looked for next is so behind this byte, however many a device prints at once. */
static void output(void *context, unsigned vm, const void *data, size_t size)
{
    struct test_watch *w = context;
    const uint8_t *bytes = data;
    if (!w->board || w->ends)
        return;
    size_t room = TEST_PRINTED_MAX - w->printed[vm].size;
    bytes_put(&w->printed[vm], data, size < room ? size : room);
    for (size_t i = 0; i < size && !w->ends; i++) {
        w->is_in_line[vm] = bytes[i] != '\n';
        meet_unwanted(w, vm, bytes[i]);
        meet_expected(w, vm, bytes[i]);
        meet_awaited(w, vm, bytes[i]);
    }
}

/* What is sent --------------------------------------------------------------------------------- */

static uint64_t next_input(void *context)
{
    struct test_watch *w = context;
    const struct test *t = w->test;
    if (!w->board || w->has_ended)
        return EVENT_NEVER;
    uint64_t late = w->expected < t->expectation_count
                        ? tick_of(w, t->expectations[w->expected].within_ns)
                        : EVENT_NEVER;
    return late < w->due_tick ? late : w->due_tick;
}

static void send_bytes(struct test_watch *w, struct push *p)
{
    const struct test_input *input = &w->test->inputs[w->sent];
    const struct vm *vm = w->board->vms[w->input_vms[w->sent]];
    size_t left = input->size - w->sent_bytes;
    p->kind = PUSH_CONSOLE;
    p->target = (uint16_t)(vm->number << 8 | (w->input_channels[w->sent] & 0xff));
    p->data = (const uint8_t *)input->text + w->sent_bytes;
    p->size = left < PUSH_BYTES_MAX ? (uint32_t)left : PUSH_BYTES_MAX;
    w->sent_bytes += p->size;
    if (w->sent_bytes < input->size)
        return;
    w->due_tick = EVENT_NEVER;
    w->sent_bytes = 0;
    w->sent++;
    if (w->sent < w->awaited)
        do_soon(w);
    look_for_next(w);
}

static bool input(void *context, struct push *p)
{
    struct test_watch *w = context;
    const struct test *t = w->test;
    uint64_t now = vtime_ticks(&w->board->vtime);
    if (!w->ends && w->is_wanted && !w->is_wanted()) {
        test_watch_fail(w, t->place, "whoever started the test is gone");
        end_in_failure(w);
    }
    if (now < next_input(w))
        return false;
    if (!w->ends && now < w->due_tick) {
        const struct test_expectation *x = &t->expectations[w->expected];
        test_watch_fail(w, x->place, "/%s/ did not come within %" PRIu64 ".%09" PRIu64 " s",
                        x->pattern->text, x->within_ns / 1000000000, x->within_ns % 1000000000);
        w->ends = true;
    }
    if (w->ends) {
        w->has_ended = true;
        p->kind = PUSH_POWER_CUT;
        return true;
    }
    send_bytes(w, p);
    return true;
}

struct trial_watch test_watch_for_session(struct test_watch *w)
{
    return (struct trial_watch){.started = started,
                                .output = output,
                                .next_input = next_input,
                                .input = input,
                                .context = w};
}
