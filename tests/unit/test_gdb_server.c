/* The gdb server with a scripted peer and a target that is no board. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "cpu/arm64/arm64.h"
#include "qvm/gdb/gdb_server.h"
#include "suite.h"

/* The target ------------------------------------------------------------------------------------*/

enum { THREADS = 3, MEMORY = 0x1000, MEMORY_SIZE = 0x5000, POINTS = 300 };

static struct fake {
    struct vcpu_registers registers[THREADS];
    uint8_t memory[MEMORY_SIZE];
    enum gdb_space space; /* of the last access to memory */
    unsigned thread;      /* of the last access to memory or registers */
    bool refuses;         /* what is written */
    bool reverses;
    unsigned points_max, inserted, removed;
    struct gdb_stop stop; /* what the next run ends with */
    bool runs_until_interrupted;
    unsigned looks; /* for the user, of a command */
    bool works;     /* now */
    unsigned runs;
    enum gdb_resume how;
    unsigned stepped;
} fake;

static unsigned thread_count(void *context)
{
    (void)context;
    return THREADS;
}

static void thread_text(void *context, unsigned thread, char *text, size_t size)
{
    (void)context;
    snprintf(text, size, "vCPU %u", thread - 1);
}

static unsigned current_thread(void *context)
{
    (void)context;
    return 2;
}

static void read_registers(void *context, unsigned thread, struct vcpu_registers *r)
{
    (void)context;
    ck_assert(thread >= 1 && thread <= THREADS);
    fake.thread = thread;
    *r = fake.registers[thread - 1];
    r->arch = &arch_arm64;
    r->value[ARM64_SYSTEM][0] = 0x1000 * thread;
    r->value[ARM64_SYSTEM + 1][0] = 0x1000 * thread + 1;
}

static bool write_registers(void *context, unsigned thread, const struct vcpu_registers *r)
{
    (void)context;
    ck_assert(thread >= 1 && thread <= THREADS);
    if (!fake.refuses)
        fake.registers[thread - 1] = *r;
    return !fake.refuses;
}

static size_t read_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                          void *to, size_t size)
{
    (void)context;
    fake.space = space;
    fake.thread = thread;
    if (address < MEMORY || address - MEMORY >= MEMORY_SIZE)
        return 0;
    size_t left = MEMORY_SIZE - (size_t)(address - MEMORY);
    if (size > left)
        size = left;
    memcpy(to, fake.memory + (address - MEMORY), size);
    return size;
}

static bool write_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                         const void *from, size_t size)
{
    (void)context;
    fake.space = space;
    fake.thread = thread;
    if (fake.refuses || address < MEMORY || address - MEMORY >= MEMORY_SIZE ||
        size > MEMORY_SIZE - (size_t)(address - MEMORY))
        return false;
    memcpy(fake.memory + (address - MEMORY), from, size);
    return true;
}

static bool insert(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    (void)context;
    (void)address;
    ck_assert(point <= GDB_WATCH_ACCESS && size > 0);
    if (fake.inserted - fake.removed >= fake.points_max)
        return false;
    fake.inserted++;
    return true;
}

static void remove_point(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)point;
    (void)size;
    fake.removed++;
    ck_assert_uint_le(fake.removed, fake.inserted);
}

static bool can_reverse(void *context)
{
    (void)context;
    return fake.reverses;
}

static struct gdb_stop resume(void *context, enum gdb_resume how, unsigned thread,
                              const struct gdb_user *user)
{
    (void)context;
    ck_assert(thread >= 1 && thread <= THREADS);
    fake.runs++;
    fake.how = how;
    fake.stepped = thread;
    if (fake.runs_until_interrupted) {
        fake.works = true;
        while (!user->interrupted(user->context, 1))
            ;
        fake.works = false;
        return (struct gdb_stop){.reason = GDB_STOP_INTERRUPT, .thread = 1};
    }
    return fake.stop;
}

static void monitor(void *context, unsigned thread, enum gdb_space space, const char *command,
                    const struct gdb_user *user, struct bytes *out)
{
    fake.works = true;
    for (unsigned at = 1; at <= fake.looks && !user->interrupted(user->context, at); at++)
        ;
    fake.works = false;
    fake.thread = thread;
    fake.space = space;
    (void)context;
    for (unsigned i = 0; i < 1000; i++)
        bytes_put(out, command, strlen(command));
}

static struct gdb_target target = {
    .thread_count = thread_count,
    .thread_text = thread_text,
    .current_thread = current_thread,
    .read_registers = read_registers,
    .write_registers = write_registers,
    .arch = &arch_arm64,
    .read_memory = read_memory,
    .write_memory = write_memory,
    .insert = insert,
    .remove = remove_point,
    .can_reverse = can_reverse,
    .resume = resume,
    .monitor = monitor,
};

/* The peer --------------------------------------------------------------------------------------*/

static struct peer {
    struct bytes input, output;
    size_t at, most;           /* bytes of input taken, and at most in one read */
    bool packets;              /* each read gives no more than a packet */
    const char *while_running; /* bytes that come then, one at a time */
    bool leaves;               /* then, too */
} peer;

static size_t link_read(void *context, void *to, size_t size, bool wait, bool *ended)
{
    (void)context;
    if (!wait) {
        if (!fake.works)
            return 0;
        if (!peer.while_running || !*peer.while_running) {
            *ended = peer.leaves;
            return 0;
        }
        *(char *)to = *peer.while_running++;
        return 1;
    }
    const uint8_t *from = peer.input.data + peer.at;
    size_t left = peer.input.size - peer.at, count = left;
    const uint8_t *sum = peer.packets && left ? memchr(from, '#', left) : NULL;
    if (sum && (size_t)(sum - from) + 3 < left)
        count = (size_t)(sum - from) + 3;
    if (count > size)
        count = size;
    if (peer.most && count > peer.most)
        count = peer.most;
    if (count)
        memcpy(to, from, count);
    peer.at += count;
    *ended = count == 0;
    return count;
}

static void link_write(void *context, const void *data, size_t size)
{
    (void)context;
    bytes_put(&peer.output, data, size);
}

static void link_met(void *context)
{
    (void)context;
}

/* A second passes each time that somebody looks. */
static uint64_t link_now_ns(void *context)
{
    static uint64_t seconds;
    (void)context;
    return ++seconds * 1000000000;
}

static const struct gdb_link peer_link = {
    .read = link_read, .write = link_write, .met = link_met, .now_ns = link_now_ns};

static void put(const char *text)
{
    bytes_put(&peer.input, text, strlen(text));
}

static void put_packet_of(const void *payload, size_t size)
{
    const uint8_t *from = payload;
    char end[8];
    unsigned sum = 0;
    put("$");
    bytes_put(&peer.input, from, size);
    for (size_t i = 0; i < size; i++)
        sum += from[i];
    snprintf(end, sizeof end, "#%02x", sum & 0xff);
    put(end);
}

static enum gdb_end serve(void)
{
    enum gdb_end end = gdb_serve(&target, &peer_link);
    ck_assert_uint_eq(fake.inserted, fake.removed);
    bytes_put(&peer.output, "", 1);
    return end;
}

/* What was answered to packets, without frames, escapes and acknowledgements. */
static struct {
    char *text[80];
    size_t size[80];
    unsigned count;
} answers;

static void take_answers(void)
{
    const uint8_t *in = peer.output.data;
    size_t size = peer.output.size - 1, at = 0;
    while (at < size) {
        if (in[at] == '+') {
            at++;
            continue;
        }
        ck_assert_int_eq(in[at++], '$');
        unsigned sum = 0;
        struct bytes payload = {0};
        for (; in[at] != '#'; at++) {
            uint8_t c = in[at];
            sum += c;
            if (c == '}') {
                sum += in[++at];
                c = in[at] ^ 0x20;
            }
            bytes_put(&payload, &c, 1);
        }
        ck_assert_uint_eq(strtoul((char[]){(char)in[at + 1], (char)in[at + 2], 0}, NULL, 16),
                          sum & 0xff);
        at += 3;
        bytes_put(&payload, "", 1);
        ck_assert_uint_lt(answers.count, 80);
        answers.size[answers.count] = payload.size - 1;
        answers.text[answers.count++] = (char *)payload.data;
    }
}

static void put_packet(const char *payload)
{
    put_packet_of(payload, strlen(payload));
}

static void begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake.points_max = POINTS;
    fake.reverses = true;
    fake.stop = (struct gdb_stop){.reason = GDB_STOP_STEP, .thread = 1};
    for (unsigned i = 0; i < MEMORY_SIZE; i++)
        fake.memory[i] = (uint8_t)i;
    memset(&peer, 0, sizeof peer);
    peer.packets = true;
}

static void end(void)
{
    for (unsigned i = 0; i < answers.count; i++)
        free(answers.text[i]);
    answers.count = 0;
    bytes_free(&peer.input);
    bytes_free(&peer.output);
}

/* Pairs of a packet and its answer, up to NULL. */
static enum gdb_end converse(const char *const *pairs)
{
    peer.at = 0;
    bytes_clear(&peer.input);
    bytes_clear(&peer.output);
    for (unsigned i = 0; i < answers.count; i++)
        free(answers.text[i]);
    answers.count = 0;
    for (size_t i = 0; pairs[i]; i += 2)
        put_packet(pairs[i]);
    enum gdb_end how = serve();
    take_answers();
    size_t i = 0;
    for (; pairs[2 * i]; i++) {
        ck_assert_msg(i < answers.count, "no answer to %s", pairs[2 * i]);
        ck_assert_msg(strcmp(answers.text[i], pairs[2 * i + 1]) == 0, "%s is answered by %s",
                      pairs[2 * i], answers.text[i]);
    }
    ck_assert_uint_eq(answers.count, i);
    return how;
}
#define CONVERSE(...) converse((const char *const[]){__VA_ARGS__, NULL})

/* Framing ---------------------------------------------------------------------------------------*/

/* Whoever sent a good packet, which is acknowledged, is a debugger. */
static void expect_output(const char *input, const char *output)
{
    begin();
    put(input);
    ck_assert_int_eq(serve(), strchr(output, '+') ? GDB_LOST : GDB_NOT_MET);
    ck_assert_str_eq((char *)peer.output.data, output);
    end();
}

START_TEST(packets_are_acknowledged)
{
    expect_output("$qC#b4", "+$QC2#c6");
    expect_output("+++$qC#b4+", "+$QC2#c6");
    expect_output("$qC#b5", "-");
    expect_output("$qC#b5$qC#b4", "-+$QC2#c6");
    expect_output("$qC#bx", "-");
    expect_output("$qC#x$qC#b4", "+$QC2#c6");
    expect_output("$qC#b4-", "+$QC2#c6$QC2#c6");
    expect_output("-$", "");
    expect_output("$#00", "+$#00");
    expect_output("$q$qC#b4", "+$QC2#c6"); /* the first one's end got lost */
    expect_output("\x03$qC#B4", "+$QC2#c6");
    expect_output("", "");
}
END_TEST

START_TEST(who_does_not_begin_with_a_packet_is_no_debugger)
{
    expect_output("POST / HTTP/1.1\r\n\r\n$qC#b4", "");
    expect_output("+\r$qC#b4", "");
    expect_output("+$qC#b4\r\n$?#3f", "+$QC2#c6+$T05thread:2;#d8");
}
END_TEST

START_TEST(acknowledgements_end)
{
    expect_output("$QStartNoAckMode#b0+$qC#b4-+$qC#b5", "+$OK#9a$QC2#c6");
}
END_TEST

/* All at once: what piled up while nobody read. */
static void expect_output_at_once(const char *input, const char *output)
{
    begin();
    peer.packets = false;
    put(input);
    ck_assert_int_eq(serve(), GDB_LOST);
    ck_assert_str_eq((char *)peer.output.data, output);
    end();
}

START_TEST(what_a_waiting_peer_repeats_is_answered_once)
{
    expect_output_at_once("+$qC#b4$qC#b4$qC#b4", "+++$QC2#c6");
    expect_output_at_once("$qC#b4$qC#b5$qC#b4", "+-+$QC2#c6");
    expect_output_at_once("+$#00$#00", "++$#00");
    expect_output_at_once("+$qC#b4$qC#b4+$?#3f", "+++$QC2#c6$T05thread:2;#d8");
    expect_output_at_once("+$qC#b4---", "+$QC2#c6"); /* it waits for an answer */
    expect_output_at_once("$QStartNoAckMode#b0$QStartNoAckMode#b0", "++$OK#9a");
    /* The answer is on its way. */
    expect_output("+$qC#b4$qC#b4", "+$QC2#c6+");
    expect_output("+$qC#b4$qC#b4-+-", "+$QC2#c6+$QC2#c6");
    expect_output("+$qC#b4+$qC#b4", "+$QC2#c6+$QC2#c6"); /* it came: it is asked again */
    expect_output("$qC#b4$qC#b4", "+$QC2#c6+$QC2#c6");   /* one that acknowledges nothing */
}
END_TEST

START_TEST(bytes_may_come_one_by_one)
{
    begin();
    peer.most = 1;
    put("$qC#b4+$?#3f");
    serve();
    ck_assert_str_eq((char *)peer.output.data, "+$QC2#c6+$T05thread:2;#d8");
    end();
}
END_TEST

/* A payload of `size` characters, all digits: an address that is too long. */
static void put_long_packet(size_t size)
{
    char *long_one = malloc(size);
    CHECK(long_one);
    memset(long_one, '0', size);
    long_one[0] = 'm';
    put_packet_of(long_one, size);
    free(long_one);
}

START_TEST(packets_are_bounded)
{
    begin();
    put_long_packet(GDB_PACKET_MAX);
    put_long_packet(GDB_PACKET_MAX + 1);
    put_long_packet(1000000);
    put_packet("qC");
    serve();
    take_answers();
    ck_assert_uint_eq(answers.count, 4);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_str_eq(answers.text[i], "E01");
    ck_assert_str_eq(answers.text[3], "QC2");
    end();
}
END_TEST

/* Sessions --------------------------------------------------------------------------------------*/

START_TEST(what_is_supported)
{
    begin();
    CONVERSE("qSupported:swbreak+",
             "PacketSize=4000;QStartNoAckMode+;qXfer:features:read+;"
             "vContSupported+;swbreak+;hwbreak+;binary-upload+;"
             "ReverseStep+;ReverseContinue+",
             "vMustReplyEmpty", "", "!", "", "qSymbol::", "", "qCRC:0,1", "", "qTStatus", "",
             "qAttached", "1", "vCont?", "vCont;c;C;s;S", "vContX", "", "bx", "", "b", "");
    fake.reverses = false;
    CONVERSE("qSupported",
             "PacketSize=4000;QStartNoAckMode+;qXfer:features:read+;"
             "vContSupported+;swbreak+;hwbreak+;binary-upload+",
             "bc", "E01", "bs", "E01");
    ck_assert_uint_eq(fake.runs, 0);
    end();
}
END_TEST

START_TEST(sessions_end)
{
    begin();
    ck_assert_int_eq(CONVERSE("Z0,1000,4", "OK", "D", "OK"), GDB_DETACHED);
    ck_assert_int_eq(CONVERSE("D;1", "OK"), GDB_DETACHED);
    ck_assert_int_eq(CONVERSE("Z2,1000,4", "OK", "vKill;1", "OK"), GDB_KILLED);
    ck_assert_int_eq(CONVERSE("Z3,1000,4", "OK"), GDB_LOST);
    fake.stop = (struct gdb_stop){.reason = GDB_STOP_EXITED, .thread = 1, .exit_status = 65};
    ck_assert_int_eq(CONVERSE("vCont;c", "W41"), GDB_EXITED);
    bytes_clear(&peer.input);
    bytes_clear(&peer.output);
    peer.at = 0;
    put_packet("k");
    put_packet("qC");
    ck_assert_int_eq(serve(), GDB_KILLED);
    ck_assert_str_eq((char *)peer.output.data, "+");
    end();
}
END_TEST

/* All of target.xml, read in parts of so many bytes. */
static char *read_description(unsigned part)
{
    struct bytes text = {0};
    for (unsigned at = 0;; at += part) {
        char request[80];
        snprintf(request, sizeof request, "qXfer:features:read:target.xml:%x,%x", at, part);
        begin();
        put_packet(request);
        serve();
        take_answers();
        bytes_put(&text, answers.text[0] + 1, answers.size[0] - 1);
        bool last = answers.text[0][0] == 'l';
        end();
        if (last)
            break;
    }
    bytes_put(&text, "", 1);
    return (char *)text.data;
}

START_TEST(the_target_is_described)
{
    char *whole = read_description(0x10000), *parts = read_description(1000);
    ck_assert_str_eq(whole, parts);
    ck_assert_ptr_nonnull(strstr(whole, "<architecture>aarch64</architecture>"));
    ck_assert_ptr_nonnull(strstr(whole, "org.gnu.gdb.aarch64.core"));
    ck_assert_ptr_nonnull(strstr(whole, "<reg name=\"v31\" bitsize=\"128\""));
    ck_assert_ptr_nonnull(strstr(whole, "<reg name=\"TTBR0_EL1\" bitsize=\"64\""));
    unsigned count = 0;
    for (const char *at = whole; (at = strstr(at, "<reg ")) != NULL; at++)
        count++;
    ck_assert_uint_eq(count, ARM64_REGISTERS);
    free(whole);
    free(parts);
    begin();
    CONVERSE("qXfer:features:read:target.xml:fffffffffffffff0,10", "E01",
             "qXfer:features:read:other.xml:0,10", "E01", "qXfer:features:read", "E01",
             "qXfer:features:read:target.xml:0,0", "m", "qXfer:memory-map:read::0,10", "");
    end();
}
END_TEST

/* Registers -------------------------------------------------------------------------------------*/

START_TEST(registers_one_by_one)
{
    begin();
    CONVERSE("P0=efcdab8967452301", "OK", "p0", "efcdab8967452301",           /* X0 */
             "P1f=0100000000000000", "OK", "p1f", "0100000000000000",         /* SP */
             "P20=0000084000000000", "OK", "p20", "0000084000000000",         /* PC */
             "P21=c50300f0", "OK", "p21", "c50300f0",                         /* PSTATE */
             "P41=00112233445566778899aabbccddeeff", "OK",                    /* V31 */
             "p41", "00112233445566778899aabbccddeeff", "P42=78563412", "OK", /* FPSR */
             "p42", "78563412", "P43=01000000", "OK", "p43", "01000000",      /* FPCR */
             "p44", "0020000000000000", "p45", "0120000000000000",            /* ours */
             "p5a", "E01", "pffffffffffffffff", "E01", "p", "E01", "P44=0000000000000000", "E01",
             "P0=00", "E01", "P0", "E01", "P0=efcdab8967452301ff", "E01", "P0=xfcdab8967452301",
             "E01");
    const struct vcpu_registers *r = &fake.registers[1];
    ck_assert_uint_eq(r->value[ARM64_X0][0], 0x0123456789abcdef);
    ck_assert_uint_eq(r->value[ARM64_SP][0], 1);
    ck_assert_uint_eq(r->value[ARM64_PC][0], 0x40080000);
    ck_assert_uint_eq(r->value[ARM64_PSTATE][0], 0xf00003c5);
    ck_assert_uint_eq(r->value[ARM64_V0 + 31][0], 0x7766554433221100);
    ck_assert_uint_eq(r->value[ARM64_V0 + 31][1], 0xffeeddccbbaa9988);
    ck_assert_uint_eq(r->value[ARM64_FPSR][0], 0x12345678);
    ck_assert_uint_eq(r->value[ARM64_FPCR][0], 1);
    fake.refuses = true;
    CONVERSE("P0=0000000000000000", "E01");
    end();
}
END_TEST

START_TEST(registers_at_once)
{
    begin();
    put_packet("g");
    serve();
    take_answers();
    ck_assert_uint_eq(answers.size[0], 2 * (33 * 8 + 4 + 32 * 16 + 2 * 4));
    char write[2000] = "G";
    for (unsigned i = 0; i < answers.size[0]; i++)
        write[i + 1] = "0123456789abcdef"[i * 7 % 16];
    CONVERSE(write, "OK", "g", write + 1);
    CONVERSE("Hg3", "OK", write, "OK");
    for (unsigned i = 0; i < ARM64_SYSTEM; i++)
        ck_assert_mem_eq(fake.registers[1].value[i], fake.registers[2].value[i],
                         sizeof fake.registers[1].value[i]);
    CONVERSE("G", "E01", "G00", "E01", strcat(write, "00"), "E01");
    fake.refuses = true;
    write[strlen(write) - 2] = 0;
    CONVERSE(write, "E01");
    end();
}
END_TEST

/* Memory ----------------------------------------------------------------------------------------*/

START_TEST(memory_in_hex)
{
    begin();
    CONVERSE("m1001,4", "01020304", "m5fff,4", "ff", "m6000,4", "E01", "m0,1", "E01", "m1000,0", "",
             "m1000", "E01", "m1000,", "E01", "m1000,4x", "E01", "m11112222333344445,1", "E01",
             "M1001,2:aabb", "OK", "m1000,4", "00aabb03", "M1000,2:aa", "E01", "M1000,1:aabb",
             "E01", "M1000,1:ax", "E01", "M5fff,2:aabb", "E01", "M1000,ffffffffffffffff:aa", "E01");
    ck_assert_uint_eq(fake.thread, 2);
    CONVERSE("Hg1", "OK", "m1001,1", "aa");
    ck_assert_uint_eq(fake.thread, 1);
    fake.refuses = true;
    CONVERSE("M1001,2:0102", "E01", "m1001,2", "aabb");
    end();
}
END_TEST

START_TEST(memory_in_binary)
{
    static const char all[] = "X1000,6:}\x03}\x04}]}\x0a{\xff";
    begin();
    put_packet_of(all, sizeof all - 1);
    put_packet("x1000,6");
    put_packet("X1000,0:");
    put_packet("X1000,2:a");
    put_packet("X1000,2:abc");
    put_packet("x6000,1");
    serve();
    take_answers();
    ck_assert_mem_eq(fake.memory, "#$}*{\xff", 6);
    ck_assert_str_eq(answers.text[0], "OK");
    ck_assert_str_eq(answers.text[1], "b#$}*{\xff");
    ck_assert_str_eq(answers.text[2], "OK");
    for (unsigned i = 3; i < 6; i++)
        ck_assert_str_eq(answers.text[i], "E01");
    end();
}
END_TEST

START_TEST(answers_are_bounded)
{
    begin();
    put_packet("m1000,ffffffffffffffff");
    put_packet("x1000,ffffffffffffffff");
    serve();
    take_answers();
    ck_assert_uint_eq(answers.size[0], 2 * (GDB_PACKET_MAX / 2 - 2));
    ck_assert_uint_eq(answers.size[1], 1 + GDB_PACKET_MAX / 2 - 2);
    end();
}
END_TEST

/* Points ----------------------------------------------------------------------------------------*/

START_TEST(points_are_inserted_once)
{
    begin();
    CONVERSE("Z0,1000,4", "OK", "Z0,1000,4", "OK", "Z1,1000,4", "OK", "Z2,1000,8", "OK",
             "Z3,1000,8", "OK", "Z4,1000,8", "OK", "z0,1000,4", "OK", "z0,1000,4", "OK",
             "z4,2000,8", "OK", "Z5,1000,4", "", "z5,1000,4", "", "Z0,1000", "E01", "Z0", "E01",
             "Z2,1000,0", "E01", "Z0,1000,4;X1,00", "E01", "Z", "E01");
    ck_assert_uint_eq(fake.inserted, 4); /* both breakpoints are one for the target */
    CONVERSE("Z1,1000,4", "OK", "Z0,1000,4", "OK", "z1,1000,4", "OK");
    ck_assert_uint_eq(fake.inserted, 5);
    fake.points_max = 1;
    CONVERSE("Z0,1000,4", "OK", "Z0,1004,4", "E01", "z0,1000,4", "OK", "Z0,1004,4", "OK");
    end();
}
END_TEST

START_TEST(points_are_bounded)
{
    begin();
    for (unsigned i = 0; i < POINTS; i++) {
        char packet[40];
        snprintf(packet, sizeof packet, "Z1,%x,4", 0x1000 + 4 * i);
        put_packet(packet);
    }
    serve();
    ck_assert_uint_eq(fake.inserted, 256);
    end();
}
END_TEST

/* Threads ---------------------------------------------------------------------------------------*/

START_TEST(threads)
{
    begin();
    CONVERSE("qC", "QC2", "qfThreadInfo", "m1,2,3", "qsThreadInfo", "l", "qThreadExtraInfo,3",
             "764350552032", "qThreadExtraInfo,4", "E01", "qThreadExtraInfo,0", "E01",
             "qThreadExtraInfo", "E01", "T1", "OK", "T3", "OK", "T4", "E01", "T0", "E01", "T",
             "E01", "Hg1", "OK", "qC", "QC1", "Hg0", "OK", "qC", "QC2", "Hg-1", "OK", "Hg4", "E01",
             "Hx1", "E01", "H", "E01", "Hg100000001", "E01", "Hc3", "OK", "Hc-1", "OK");
    end();
}
END_TEST

/* Running ---------------------------------------------------------------------------------------*/

static void expect_run(const char *control, const char *packet, enum gdb_resume how,
                       unsigned thread)
{
    begin();
    CONVERSE(control, "OK", packet, "T05thread:1;", "qC", "QC1");
    ck_assert_uint_eq(fake.runs, 1);
    ck_assert_int_eq(fake.how, how);
    ck_assert_uint_eq(fake.stepped, thread);
    end();
}

START_TEST(who_runs_and_how)
{
    expect_run("Hc-1", "c", GDB_CONTINUE, 2);
    expect_run("Hc0", "s", GDB_STEP, 2);
    expect_run("Hc3", "s", GDB_STEP, 3);
    expect_run("Hg3", "s", GDB_STEP, 2); /* who only looks does not choose */
    expect_run("Hc0", "bs", GDB_REVERSE_STEP, 2);
    expect_run("Hc1", "bs", GDB_REVERSE_STEP, 1);
    expect_run("Hc0", "bc", GDB_REVERSE_CONTINUE, 2);
    expect_run("Hc0", "vCont;c", GDB_CONTINUE, 2);
    expect_run("Hc0", "vCont;C05", GDB_CONTINUE, 2);
    expect_run("Hc0", "vCont;s", GDB_STEP, 2);
    expect_run("Hc0", "vCont;s:3", GDB_STEP, 3);
    expect_run("Hc0", "vCont;s:3;c", GDB_STEP, 3);
    expect_run("Hc0", "vCont;c:1;s:3;s:1", GDB_STEP, 3);
    expect_run("Hc0", "vCont;S02:1;c:-1", GDB_STEP, 1);
}
END_TEST

START_TEST(what_does_not_run)
{
    begin();
    CONVERSE("vCont", "E01", "vCont;", "E01", "vCont;x", "E01", "vCont;s:4", "E01",
             "vCont;s:", "E01", "vCont;s3", "E01", "vCont;C", "E01", "vCont;c;", "E01", "c1000",
             "E01", "s1000", "E01");
    ck_assert_uint_eq(fake.runs, 0);
    end();
}
END_TEST

static void expect_stop(struct gdb_stop stop, const char *answer)
{
    begin();
    fake.registers[2].value[ARM64_PC][0] = 0x1000;
    fake.stop = stop;
    fake.stop.thread = 3;
    put_packet("qSupported:swbreak+;hwbreak+");
    put_packet("Z0,1000,4");
    put_packet("Z1,2000,4");
    put_packet("vCont;c");
    put_packet("?");
    serve();
    take_answers();
    ck_assert_str_eq(answers.text[3], answer);
    ck_assert_str_eq(answers.text[4], answer);
    end();
}

START_TEST(why_it_stopped)
{
    expect_stop((struct gdb_stop){.reason = GDB_STOP_STEP}, "T05thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_BREAK}, "T05swbreak:;thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_WATCH,
                                  .watch = GDB_WATCH_WRITE,
                                  .address = 0xffff000012345678},
                "T05watch:ffff000012345678;thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_WATCH, .watch = GDB_WATCH_READ, .address = 8},
                "T05rwatch:8;thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_WATCH, .watch = GDB_WATCH_ACCESS},
                "T05awatch:0;thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_INTERRUPT}, "T02thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_LOG_BEGIN}, "T05replaylog:begin;thread:3;");
    expect_stop((struct gdb_stop){.reason = GDB_STOP_LOG_END}, "T05replaylog:end;thread:3;");
}
END_TEST

START_TEST(what_kind_of_breakpoint)
{
    begin();
    fake.stop.reason = GDB_STOP_BREAK;
    fake.registers[0].value[ARM64_PC][0] = 0x1000;
    CONVERSE("c", "T05thread:1;");                    /* none of gdb's */
    CONVERSE("Z1,1000,4", "OK", "c", "T05thread:1;"); /* gdb does not know the word */
    put_packet("qSupported:hwbreak+");
    put_packet("Z1,1000,4");
    put_packet("c");
    peer.at = 0;
    bytes_clear(&peer.output);
    serve();
    ck_assert_ptr_nonnull(strstr((char *)peer.output.data, "$T05hwbreak:;thread:1;#"));
    end();
}
END_TEST

START_TEST(a_run_is_interrupted)
{
    begin();
    fake.runs_until_interrupted = true;
    peer.while_running = "+\x03";
    CONVERSE("vCont;c", "T02thread:1;");
    peer.while_running = "\x03";
    CONVERSE("bc", "T02thread:1;");
    end();
}
END_TEST

START_TEST(a_packet_ends_a_run)
{
    begin();
    fake.runs_until_interrupted = true;
    peer.while_running = "$qC#b4";
    put_packet("vCont;c");
    put_packet("T1");
    serve();
    take_answers();
    ck_assert_uint_eq(answers.count, 3);
    ck_assert_str_eq(answers.text[0], "T02thread:1;");
    ck_assert_str_eq(answers.text[1], "QC1");
    ck_assert_str_eq(answers.text[2], "OK");
    end();
}
END_TEST

START_TEST(a_peer_leaves_a_run)
{
    begin();
    fake.runs_until_interrupted = true;
    peer.leaves = true;
    put_packet("Z0,1000,4");
    put_packet("vCont;c");
    put_packet("T1"); /* is never read */
    ck_assert_int_eq(serve(), GDB_LOST);
    take_answers();
    ck_assert_uint_eq(answers.count, 2);
    end();
}
END_TEST

/* Monitor ---------------------------------------------------------------------------------------*/

static void put_command(const char *command)
{
    struct bytes packet = {0};
    char digits[3];
    bytes_put(&packet, "qRcmd,", 6);
    for (size_t i = 0; command[i]; i++) {
        snprintf(digits, sizeof digits, "%02x", (unsigned char)command[i]);
        bytes_put(&packet, digits, 2);
    }
    put_packet_of(packet.data, packet.size);
    bytes_free(&packet);
}

/* What the user sees. */
static struct bytes said(const char *command)
{
    struct bytes text = {0};
    put_command(command);
    serve();
    take_answers();
    ck_assert_str_eq(answers.text[answers.count - 1], "OK");
    for (unsigned i = 0; i + 1 < answers.count; i++) {
        ck_assert_int_eq(answers.text[i][0], 'O');
        ck_assert_uint_le(answers.size[i], GDB_PACKET_MAX);
        for (const char *at = answers.text[i] + 1; *at; at += 2)
            bytes_put_int(&text, strtoul((char[]){at[0], at[1], 0}, NULL, 16), 1);
    }
    bytes_put(&text, "", 1);
    return text;
}

START_TEST(monitor_text)
{
    static const char command[] = "some words that are repeated often";
    begin();
    struct bytes text = said(command);
    ck_assert_uint_eq(text.size, 1000 * (sizeof command - 1) + 1);
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_mem_eq(text.data + i * (sizeof command - 1), command, sizeof command - 1);
    bytes_free(&text);
    end();
    begin();
    text = said("help");
    ck_assert_ptr_nonnull(strstr((char *)text.data, "helphelpspace "));
    bytes_free(&text);
    end();
    begin();
    CONVERSE("qRcmd,", "OK", "qRcmd", "E01", "qRcmd,6", "E01", "qRcmd,6x", "E01");
    end();
}
END_TEST

START_TEST(a_long_command_says_how_far_it_is)
{
    begin();
    fake.looks = 3;
    struct bytes text = said("x");
    ck_assert_ptr_nonnull(
        strstr((char *)text.data, "at instruction 1\nat instruction 2\nat instruction 3\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "xxxxxxxx"));
    bytes_free(&text);
    end();
}
END_TEST

/* Whoever has given it up takes the next answer for that to its next packet. */
START_TEST(a_command_that_was_given_up_is_not_answered)
{
    begin();
    fake.looks = 1000;
    put_packet("QStartNoAckMode");
    put_command("x");
    peer.while_running = "$qC#b4";
    serve();
    take_answers();
    for (unsigned i = 1; i + 1 < answers.count; i++)
        ck_assert_str_ne(answers.text[i], "OK");
    ck_assert_str_eq(answers.text[answers.count - 1], "QC2");
    end();
}
END_TEST

START_TEST(a_long_command_is_refused)
{
    char command[600];
    memset(command, 'x', sizeof command);
    command[sizeof command - 1] = 0;
    begin();
    put_command(command);
    command[511] = 0;
    put_command(command);
    serve();
    take_answers();
    ck_assert_str_eq(answers.text[0], "E01");
    ck_assert_str_eq(answers.text[answers.count - 1], "OK");
    end();
}
END_TEST

START_TEST(the_space_of_addresses)
{
    static const struct {
        const char *command;
        enum gdb_space space;
    } cases[] = {
        {"space", GDB_VIRTUAL},
        {"space guest-physical", GDB_GUEST_PHYSICAL},
        {"space host-physical", GDB_HOST_PHYSICAL},
        {"space virtual", GDB_VIRTUAL},
        {"space virtually", GDB_VIRTUAL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        put_command(cases[i].command);
        put_packet("m1000,1");
        serve();
        take_answers();
        ck_assert_uint_eq(answers.count, 3);
        ck_assert_int_eq(fake.space, cases[i].space);
        end();
    }
}
END_TEST

/* Anything --------------------------------------------------------------------------------------*/

static uint64_t random_state;

static unsigned any(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 20) % below);
}

/* A packet made of words that mean something, cut and mixed. */
static void put_any_packet(void)
{
    static const char *const words[] = {
        "g",
        "G",
        "p",
        "P",
        "m",
        "M",
        "x",
        "X",
        "Z0,",
        "z1,",
        "Z2,",
        "Z3,",
        "Z4,",
        "vCont",
        ";s:",
        ";c",
        ";C",
        "c",
        "s",
        "bc",
        "bs",
        "Hg",
        "Hc",
        "qC",
        "qfThreadInfo",
        "qsThreadInfo",
        "qThreadExtraInfo,",
        "T",
        "qRcmd,",
        "qXfer:features:read:target.xml:",
        "qSupported:",
        "swbreak+",
        "?",
        "vCont?",
        "1000",
        "ffffffffffffffff",
        ",",
        ":",
        "=",
        "-1",
        "0",
        "4",
        "QStartNoAckMode",
        "41",
        "}",
        "*",
        "00000000000000000000000000000000",
        "space",
    };
    char payload[512] = "";
    size_t size = 0;
    for (unsigned n = 1 + any(8); n > 0; n--) {
        const char *word = words[any(sizeof words / sizeof words[0])];
        size_t length = any(16) ? strlen(word) : any((unsigned)strlen(word) + 1);
        memcpy(payload + size, word, length);
        size += length;
    }
    if (size && any(20) == 0)
        payload[any((unsigned)size)] = (char)any(256);
    put_packet_of(payload, size);
}

START_TEST(anything_may_come)
{
    random_state = 88172645463325252u + (unsigned)_i;
    begin();
    peer.packets = any(2);
    peer.most = any(3) ? 0 : 1 + any(700);
    fake.runs_until_interrupted = any(4) == 0;
    peer.leaves = true; /* or such a run would not end */
    fake.refuses = any(4) == 0;
    fake.stop.reason = any(GDB_STOP_EXITED);
    put_packet("qC");
    for (unsigned n = 0; n < 500; n++) {
        if (any(3))
            put_any_packet();
        else
            for (unsigned k = any(100); k > 0; k--)
                bytes_put_int(&peer.input, any(256), 1);
    }
    serve();
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("gdb_server");
    tcase_add_test(tests, packets_are_acknowledged);
    tcase_add_test(tests, who_does_not_begin_with_a_packet_is_no_debugger);
    tcase_add_test(tests, acknowledgements_end);
    tcase_add_test(tests, bytes_may_come_one_by_one);
    tcase_add_test(tests, what_a_waiting_peer_repeats_is_answered_once);
    tcase_add_test(tests, packets_are_bounded);
    tcase_add_test(tests, what_is_supported);
    tcase_add_test(tests, sessions_end);
    tcase_add_test(tests, the_target_is_described);
    tcase_add_test(tests, registers_one_by_one);
    tcase_add_test(tests, registers_at_once);
    tcase_add_test(tests, memory_in_hex);
    tcase_add_test(tests, memory_in_binary);
    tcase_add_test(tests, answers_are_bounded);
    tcase_add_test(tests, points_are_inserted_once);
    tcase_add_test(tests, points_are_bounded);
    tcase_add_test(tests, threads);
    tcase_add_test(tests, who_runs_and_how);
    tcase_add_test(tests, what_does_not_run);
    tcase_add_test(tests, why_it_stopped);
    tcase_add_test(tests, what_kind_of_breakpoint);
    tcase_add_test(tests, a_run_is_interrupted);
    tcase_add_test(tests, a_packet_ends_a_run);
    tcase_add_test(tests, a_peer_leaves_a_run);
    tcase_add_test(tests, monitor_text);
    tcase_add_test(tests, a_long_command_says_how_far_it_is);
    tcase_add_test(tests, a_command_that_was_given_up_is_not_answered);
    tcase_add_test(tests, a_long_command_is_refused);
    tcase_add_test(tests, the_space_of_addresses);
    tcase_add_loop_test(tests, anything_may_come, 0, 200);
    return suite_main("gdb_server", tests);
}
