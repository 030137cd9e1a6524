#include "qvm/gdb/gdb_server.h"

#include <string.h>

#include "emu/text.h"
#include "qvm/gdb/gdb_hex.h"
#include "qvm/gdb/gdb_registers.h"
#include "qvm/gdb/gdb_server_internal.h"

static void ok_if(struct gdb_server *s, bool good)
{
    if (good)
        answer_ok(s);
    else
        answer_fail(s);
}

/* Threads ---------------------------------------------------------------------------------------*/

static void select_thread(struct gdb_server *s, struct reader *arguments)
{
    unsigned thread;
    bool general = text_take(arguments, "g");
    if ((!general && !text_take(arguments, "c")) || !answer_take_thread(s, arguments, &thread)) {
        answer_fail(s);
        return;
    }
    if (!general)
        s->control = thread;
    else
        s->general = thread ? thread : s->stop.thread;
    answer_ok(s);
}

static void is_alive(struct gdb_server *s, struct reader *arguments)
{
    unsigned thread;
    ok_if(s, answer_take_thread(s, arguments, &thread) && thread != 0);
}

/* Registers -------------------------------------------------------------------------------------*/

static void read_registers(struct gdb_server *s, struct vcpu_registers *r)
{
    s->target->read_registers(s->target->context, s->general, r);
}

static bool write_registers(struct gdb_server *s, const struct vcpu_registers *r)
{
    return s->target->write_registers(s->target->context, s->general, r);
}

static void get_registers(struct gdb_server *s, struct reader *arguments)
{
    struct vcpu_registers r;
    uint8_t value[16];
    (void)arguments;
    read_registers(s, &r);
    for (unsigned i = 0; i < s->general_numbers; i++) {
        register_get(&r, i, value);
        hex_put(&s->answer, value, register_size(s->target->arch, i));
    }
}

static void set_registers(struct gdb_server *s, struct reader *arguments)
{
    struct vcpu_registers r;
    uint8_t value[16];
    bool good = true;
    read_registers(s, &r);
    for (unsigned i = 0; i < s->general_numbers && good; i++) {
        good = hex_take(arguments, value, register_size(s->target->arch, i));
        if (good)
            register_set(&r, i, value);
    }
    ok_if(s, good && reader_at_end(arguments) && write_registers(s, &r));
}

static void get_register(struct gdb_server *s, struct reader *arguments)
{
    struct vcpu_registers r;
    uint8_t value[16];
    uint64_t number;
    if (!hex_take_number(arguments, &number) || number >= s->numbers) {
        answer_fail(s);
        return;
    }
    read_registers(s, &r);
    register_get(&r, (unsigned)number, value);
    hex_put(&s->answer, value, register_size(s->target->arch, (unsigned)number));
}

static void set_register(struct gdb_server *s, struct reader *arguments)
{
    struct vcpu_registers r;
    uint8_t value[16];
    uint64_t number;
    if (!hex_take_number(arguments, &number) || number >= s->general_numbers ||
        !text_take(arguments, "=") ||
        !hex_take(arguments, value, register_size(s->target->arch, (unsigned)number)) ||
        !reader_at_end(arguments)) {
        answer_fail(s);
        return;
    }
    read_registers(s, &r);
    register_set(&r, (unsigned)number, value);
    ok_if(s, write_registers(s, &r));
}

/* Memory ----------------------------------------------------------------------------------------*/

enum { MEMORY_MAX = GDB_PACKET_MAX / 2 - 2 }; /* bytes in an answer, each of two characters */

static bool take_range(struct reader *r, uint64_t *address, uint64_t *size)
{
    return hex_take_number(r, address) && text_take(r, ",") && hex_take_number(r, size);
}

/* How much could be read, at least a byte of what was asked for; else it is a failure. */
static bool read_memory(struct gdb_server *s, struct reader *arguments, uint8_t *to, size_t *got)
{
    uint64_t address, size;
    if (!take_range(arguments, &address, &size) || !reader_at_end(arguments)) {
        answer_fail(s);
        return false;
    }
    *got = s->target->read_memory(s->target->context, s->general, s->space, address, to,
                                  size < MEMORY_MAX ? size : MEMORY_MAX);
    if (*got == 0 && size > 0)
        answer_fail(s);
    return *got > 0 || size == 0;
}

static void get_memory(struct gdb_server *s, struct reader *arguments)
{
    uint8_t data[MEMORY_MAX];
    size_t got;
    if (read_memory(s, arguments, data, &got))
        hex_put(&s->answer, data, got);
}

static void get_memory_binary(struct gdb_server *s, struct reader *arguments)
{
    uint8_t data[MEMORY_MAX];
    size_t got;
    if (!read_memory(s, arguments, data, &got))
        return;
    text_put(&s->answer, "b");
    bytes_put(&s->answer, data, got);
}

static void write_memory(struct gdb_server *s, uint64_t address, const void *data, uint64_t size)
{
    /* With nothing to write, gdb asks whether the packet is known. */
    ok_if(s, size == 0 || s->target->write_memory(s->target->context, s->general, s->space, address,
                                                  data, size));
}

static void set_memory(struct gdb_server *s, struct reader *arguments)
{
    uint8_t data[GDB_PACKET_MAX / 2];
    uint64_t address, size;
    if (!take_range(arguments, &address, &size) || !text_take(arguments, ":") ||
        size > sizeof data || !hex_take(arguments, data, size) || !reader_at_end(arguments))
        answer_fail(s);
    else
        write_memory(s, address, data, size);
}

static void set_memory_binary(struct gdb_server *s, struct reader *arguments)
{
    uint64_t address, size;
    if (!take_range(arguments, &address, &size) || !text_take(arguments, ":") ||
        size != arguments->size - arguments->at)
        answer_fail(s);
    else
        write_memory(s, address, arguments->data + arguments->at, size);
}

/* Breakpoints and watchpoints -------------------------------------------------------------------*/

/* "Z0,address,size". False: answered, because it is none that we know. */
static bool take_point(struct gdb_server *s, struct reader *r, enum gdb_point *point,
                       uint64_t *address, uint64_t *size)
{
    uint64_t type;
    if (!hex_take_number(r, &type) || !text_take(r, ",") || !take_range(r, address, size) ||
        !reader_at_end(r) || *size == 0) {
        answer_fail(s);
        return false;
    }
    *point = (enum gdb_point)type;
    return type <= GDB_WATCH_ACCESS;
}

static void insert_point(struct gdb_server *s, struct reader *arguments)
{
    enum gdb_point point;
    uint64_t address, size;
    if (take_point(s, arguments, &point, &address, &size))
        ok_if(s, gdb_points_insert(&s->points, s->target, point, address, size));
}

static void remove_point(struct gdb_server *s, struct reader *arguments)
{
    enum gdb_point point;
    uint64_t address, size;
    if (!take_point(s, arguments, &point, &address, &size))
        return;
    gdb_points_remove(&s->points, s->target, point, address, size);
    answer_ok(s);
}

/* The session -----------------------------------------------------------------------------------*/

static void finish(struct gdb_server *s, enum gdb_end end)
{
    s->over = true;
    s->end = end;
}

static void detach(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    finish(s, GDB_DETACHED);
    answer_ok(s);
}

/* gdb waits for no answer. */
static void kill_now(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    finish(s, GDB_KILLED);
    s->silent = true;
}

static void kill_process(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    finish(s, GDB_KILLED);
    answer_ok(s);
}

/* Names of one letter are followed by anything; others by nothing or by a separator, which belongs
 * to the arguments. What is not here is answered by an empty packet: it is not known. */
static const struct {
    const char *name;
    gdb_answer *answer;
} packets[] = {
    {"?", run_why},
    {"D", detach},
    {"G", set_registers},
    {"H", select_thread},
    {"M", set_memory},
    {"P", set_register},
    {"QStartNoAckMode", query_no_acks},
    {"T", is_alive},
    {"X", set_memory_binary},
    {"Z", insert_point},
    {"bc", run_reverse_continue},
    {"bs", run_reverse_step},
    {"c", run_continue},
    {"g", get_registers},
    {"k", kill_now},
    {"m", get_memory},
    {"p", get_register},
    {"qAttached", query_attached},
    {"qC", query_current_thread},
    {"qHostInfo", query_host},
    {"qRcmd", query_monitor},
    {"qSupported", query_supported},
    {"qThreadExtraInfo", query_thread_text},
    {"qWatchpointSupportInfo", query_watchpoints},
    {"qXfer:features:read", query_features},
    {"qfThreadInfo", query_first_threads},
    {"qsThreadInfo", query_next_threads},
    {"s", run_step},
    {"vCont", run_actions},
    {"vCont?", run_known_actions},
    {"vKill", kill_process},
    {"x", get_memory_binary},
    {"z", remove_point},
};

static gdb_answer *find_answer(struct reader *packet)
{
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        struct reader r = *packet;
        if (text_take(&r, packets[i].name) &&
            (packets[i].name[1] == 0 || reader_at_end(&r) || strchr(":;,", r.data[r.at]))) {
            *packet = r;
            return packets[i].answer;
        }
    }
    return NULL;
}

static void serve_packet(struct gdb_server *s, struct reader packet)
{
    gdb_answer *answer = find_answer(&packet);
    bytes_clear(&s->answer);
    s->silent = false;
    if (answer)
        answer(s, &packet);
    if (!s->silent)
        packets_send(&s->packets, s->answer.data, s->answer.size);
    s->packets.no_acks |= s->no_acks_next;
}

static void start(struct gdb_server *s, struct gdb_target *target, const struct gdb_link *link)
{
    memset(s, 0, sizeof *s);
    s->target = target;
    s->packets.link = link;
    s->stop.thread = target->current_thread(target->context);
    s->general = s->stop.thread;
    s->end = GDB_LOST;
    s->numbers = target->arch->register_count;
    s->general_numbers = registers_general(target->arch);
    target->arch->describe_registers(&s->description);
}

enum gdb_end gdb_serve(struct gdb_target *target, const struct gdb_link *link)
{
    struct gdb_server s;
    struct reader packet;
    start(&s, target, link);
    while (!s.over && packets_receive(&s.packets, &packet))
        serve_packet(&s, packet);
    if (!s.packets.met)
        s.end = GDB_NOT_MET;
    gdb_points_remove_all(&s.points, target);
    packets_free(&s.packets);
    bytes_free(&s.description);
    bytes_free(&s.answer);
    return s.end;
}
