/* Fuzzes the gdb server: every input is what a peer sends, as it is, and line by line as payloads
 * of good packets. The target is a small fake whose promises are checked: threads, sizes, and that
 * each point is inserted once and removed. */
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "emu/check.h"
#include "qvm/gdb/gdb_hex.h"
#include "qvm/gdb/gdb_server.h"
#include "tests/fuzz/fuzz.h"

enum { THREADS = 2, MEMORY_SIZE = 256 };

static uint8_t memory[MEMORY_SIZE];
static struct vcpu_registers registers[THREADS];
static unsigned inserted;

/* The target ------------------------------------------------------------------------------------*/

static unsigned thread_count(void *context)
{
    (void)context;
    return THREADS;
}

static void thread_text(void *context, unsigned thread, char *text, size_t size)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS && size);
    text[0] = 0;
}

static unsigned current_thread(void *context)
{
    (void)context;
    return 1;
}

static void read_registers(void *context, unsigned thread, struct vcpu_registers *r)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS);
    *r = registers[thread - 1];
    r->arch = &arch_arm64;
}

static bool write_registers(void *context, unsigned thread, const struct vcpu_registers *r)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS);
    registers[thread - 1] = *r;
    return true;
}

static size_t read_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                          void *to, size_t size)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS && space <= GDB_HOST_PHYSICAL);
    if (address >= MEMORY_SIZE)
        return 0;
    size_t left = MEMORY_SIZE - (size_t)address;
    memcpy(to, memory + address, size < left ? size : left);
    return size < left ? size : left;
}

static bool write_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                         const void *from, size_t size)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS && space <= GDB_HOST_PHYSICAL);
    if (address >= MEMORY_SIZE || size > MEMORY_SIZE - (size_t)address)
        return false;
    memcpy(memory + address, from, size);
    return true;
}

static bool insert(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    (void)context;
    (void)address;
    CHECK(point <= GDB_WATCH_ACCESS && size);
    inserted++;
    return true;
}

static void remove_point(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    (void)context;
    (void)address;
    CHECK(point <= GDB_WATCH_ACCESS && size && inserted);
    inserted--;
}

static bool can_reverse(void *context)
{
    (void)context;
    return true;
}

static struct gdb_stop resume(void *context, enum gdb_resume how, unsigned thread,
                              const struct gdb_user *user)
{
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS && how <= GDB_REVERSE_STEP);
    user->interrupted(user->context, 1);
    return (struct gdb_stop){.reason = (enum gdb_stop_reason)how, .thread = thread};
}

static void monitor(void *context, unsigned thread, enum gdb_space space, const char *command,
                    const struct gdb_user *user, struct bytes *out)
{
    user->interrupted(user->context, 1);
    (void)context;
    CHECK(thread >= 1 && thread <= THREADS && space <= GDB_HOST_PHYSICAL);
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

static size_t link_read(void *context, void *to, size_t size, bool wait, bool *ended)
{
    struct reader *input = context;
    size_t left = input->size - input->at, got = left < size ? left : size;
    (void)wait;
    if (got)
        memcpy(to, input->data + input->at, got);
    input->at += got;
    *ended = got == 0;
    return got;
}

static void link_write(void *context, const void *data, size_t size)
{
    (void)context;
    CHECK(data || !size);
}

/* A second passes each time that somebody looks. */
static uint64_t link_now_ns(void *context)
{
    static uint64_t seconds;
    (void)context;
    return ++seconds * 1000000000;
}

static void link_met(void *context)
{
    (void)context;
}

static void try(const uint8_t *data, size_t size)
{
    struct reader input = reader_of(data, size);
    const struct gdb_link link = {.read = link_read,
                                  .write = link_write,
                                  .met = link_met,
                                  .now_ns = link_now_ns,
                                  .context = &input};
    gdb_serve(&target, &link);
    CHECK(inserted == 0);
}

/* Lines as packets, with escapes where it takes some. */
static void put_packets(const uint8_t *data, size_t size, struct bytes *out)
{
    uint8_t sum = 0;
    bytes_put(out, "$", 1);
    for (size_t i = 0; i < size; i++) {
        uint8_t c = data[i];
        if (c == '\n') {
            bytes_put(out, "#", 1);
            hex_put(out, &sum, 1);
            bytes_put(out, "$", 1);
            sum = 0;
            continue;
        }
        if (c == '$' || c == '#' || c == '}') {
            bytes_put(out, "}", 1);
            sum = (uint8_t)(sum + '}');
            c ^= 0x20;
        }
        bytes_put(out, &c, 1);
        sum = (uint8_t)(sum + c);
    }
    bytes_put(out, "#", 1);
    hex_put(out, &sum, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes packets = {0};
    try(data, size);
    put_packets(data, size, &packets);
    try(packets.data, packets.size);
    bytes_free(&packets);
    return 0;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const char *const seeds[] = {
        "+$qSupported:swbreak+;hwbreak+#00\3$?#3f-",
        "qSupported:swbreak+;hwbreak+;multiprocess+\nQStartNoAckMode\nqXfer:features:read:target."
        "xml:"
        "0,1000\n?\nqAttached\nqC\nqHostInfo\nqWatchpointSupportInfo:\nqfThreadInfo\nqsThreadInfo\n"
        "qThreadExtraInfo,2",
        "Hg1\nHc-1\nT2\ng\np0\np43\nP0=0011223344556677\nP22=00112233445566778899aabbccddeeff\nG00",
        "m0,10\nx10,ff0\nM0,4:01020304\nX4,4:abcd\nm100,1\nm0,ffffffffffffffff",
        "Z0,1000,4\nZ1,1000,4\nZ2,20,8\nZ3,20,8\nZ4,20,8\nz0,1000,4\nz4,20,8\nc\ns\nbc\nbs",
        "vCont?\nvCont;s:1;c\nvCont;C05:2;S05\nqRcmd,68656c70\nqRcmd,737061636520\nvKill;1\nk\nD",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return false;
    bytes_put(out, seeds[number], strlen(seeds[number]));
    return true;
}
