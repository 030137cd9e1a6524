/* The gdb server's general queries, q and Q packets. */
#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "qvm/gdb/gdb_hex.h"
#include "qvm/gdb/gdb_registers.h"
#include "qvm/gdb/gdb_server_internal.h"

static bool is_among(struct reader features, const char *name)
{
    for (; features.at < features.size; features.at++)
        if (text_take(&features, name))
            return true;
    return false;
}

void query_supported(struct gdb_server *s, struct reader *arguments)
{
    s->knows_swbreak = is_among(*arguments, "swbreak+");
    s->knows_hwbreak = is_among(*arguments, "hwbreak+");
    text_put(&s->answer,
             "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+;"
             "swbreak+;hwbreak+;binary-upload+",
             GDB_PACKET_MAX);
    if (s->target->can_reverse(s->target->context))
        text_put(&s->answer, ";ReverseStep+;ReverseContinue+");
}

void query_no_acks(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    s->no_acks_next = true;
    answer_ok(s);
}

void query_features(struct gdb_server *s, struct reader *arguments)
{
    const struct bytes *xml = &s->description;
    uint64_t offset, length;
    if (!text_take(arguments, ":target.xml:") || !hex_take_number(arguments, &offset) ||
        !text_take(arguments, ",") || !hex_take_number(arguments, &length) || offset > xml->size) {
        answer_fail(s);
        return;
    }
    if (length > GDB_PACKET_MAX - 1)
        length = GDB_PACKET_MAX - 1;
    bool last = length >= xml->size - offset;
    text_put(&s->answer, last ? "l" : "m");
    bytes_put(&s->answer, xml->data + offset, last ? xml->size - offset : length);
}

/* Attached to what was there: gdb detaches when it ends. */
void query_attached(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    text_put(&s->answer, "1");
}

/* lldb asks this and the next: else it takes a watchpoint for one that is met behind its
 * instruction. */
void query_host(struct gdb_server *s, struct reader *arguments)
{
    static const char triple[] = "aarch64-unknown-none";
    (void)arguments;
    text_put(&s->answer, "triple:");
    hex_put(&s->answer, triple, sizeof triple - 1);
    text_put(&s->answer, ";endian:little;ptrsize:8;watchpoint_exceptions_received:before;");
}

void query_watchpoints(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    text_put(&s->answer, "num:%zu;", sizeof s->points.list / sizeof s->points.list[0]);
}

/* Threads ---------------------------------------------------------------------------------------*/

void query_current_thread(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    text_put(&s->answer, "QC%x", s->general);
}

/* As many as a packet holds, with some to spare for the last. */
void query_next_threads(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    unsigned count = s->target->thread_count(s->target->context);
    if (s->listed >= count)
        text_put(&s->answer, "l");
    while (s->listed < count && s->answer.size < GDB_PACKET_MAX - 16) {
        text_put(&s->answer, "%s%x", s->answer.size == 0 ? "m" : ",", ++s->listed);
    }
}

void query_first_threads(struct gdb_server *s, struct reader *arguments)
{
    s->listed = 0;
    query_next_threads(s, arguments);
}

void query_thread_text(struct gdb_server *s, struct reader *arguments)
{
    char text[200] = "";
    unsigned thread;
    if (!text_take(arguments, ",") || !answer_take_thread(s, arguments, &thread) || thread == 0) {
        answer_fail(s);
        return;
    }
    s->target->thread_text(s->target->context, thread, text, sizeof text);
    for (size_t i = 0; text[i]; i++)
        hex_put(&s->answer, &text[i], 1);
}

/* Monitor ---------------------------------------------------------------------------------------*/

/* Text for the user, in as many O packets as it takes. */
static void say(struct gdb_server *s, const struct bytes *text)
{
    enum { PART = (GDB_PACKET_MAX - 1) / 2 };
    struct bytes packet = {0};
    for (size_t at = 0; at < text->size; at += PART) {
        bytes_clear(&packet);
        text_put(&packet, "O");
        hex_put(&packet, text->data + at, text->size - at < PART ? text->size - at : PART);
        packets_send(&s->packets, packet.data, packet.size);
    }
    bytes_free(&packet);
}

/* While a command is at work gdb must hear of us, or it takes the link for broken ("set
 * remotetimeout": 2 s); the user sees how far it is. */
#define PROGRESS_NS UINT64_C(1000000000)

struct command_user {
    struct gdb_server *server;
    uint64_t told_ns;
    bool interrupted;
};

static bool is_interrupted(void *context, uint64_t instructions)
{
    struct command_user *u = context;
    const struct gdb_link *link = u->server->packets.link;
    uint64_t now = link->now_ns(link->context);
    if (now - u->told_ns >= PROGRESS_NS) {
        struct bytes text = {0};
        text_put(&text, "at instruction %" PRIu64 "\n", instructions);
        say(u->server, &text);
        bytes_free(&text);
        u->told_ns = now;
    }
    u->interrupted |= packets_interrupted(&u->server->packets);
    return u->interrupted;
}

static const char *const spaces[] = {"virtual", "guest-physical", "host-physical"};

/* `space [NAME]`, the one command that is the server's. */
static bool change_space(struct gdb_server *s, const char *command, struct bytes *out)
{
    struct reader r = reader_of(command, strlen(command));
    if (!text_take(&r, "space") || (!reader_at_end(&r) && !text_take(&r, " ")))
        return false;
    bool known = reader_at_end(&r);
    for (unsigned i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (text_take(&r, spaces[i]) && reader_at_end(&r)) {
            s->space = (enum gdb_space)i;
            known = true;
        }
    if (!known)
        text_put(out, "space wants virtual, guest-physical or host-physical\n");
    text_put(out, "addresses of memory are %s\n", spaces[s->space]);
    return true;
}

void query_monitor(struct gdb_server *s, struct reader *arguments)
{
    char command[512];
    struct bytes text = {0};
    if (!text_take(arguments, ",") || (arguments->size - arguments->at) / 2 >= sizeof command ||
        (arguments->size - arguments->at) % 2 != 0) {
        answer_fail(s);
        return;
    }
    size_t size = (arguments->size - arguments->at) / 2;
    if (!hex_take(arguments, command, size)) {
        answer_fail(s);
        return;
    }
    command[size] = 0;
    struct command_user u = {.server = s,
                             .told_ns = s->packets.link->now_ns(s->packets.link->context)};
    struct gdb_user user = {.interrupted = is_interrupted, .context = &u};
    if (!change_space(s, command, &text))
        s->target->monitor(s->target->context, s->general, s->space, command, &user, &text);
    if (strcmp(command, "help") == 0)
        text_put(&text,
                 "%-12s space [virtual|guest-physical|host-physical]: what addresses of"
                 " memory are\n",
                 "space");
    /* The peer has given the command up, and waits for the answer to its next packet. */
    s->silent = u.interrupted && packets_pending(&s->packets);
    if (!s->silent)
        say(s, &text);
    bytes_free(&text);
    answer_ok(s);
}
