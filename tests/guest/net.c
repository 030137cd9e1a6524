/* Two VMs exchange frames by virtio-net (virtio 1.2, 5.1), driven by interrupts. Which of them a
 * program is, and what they do, its card's address says (net-a.qvmconf, net-b.qvmconf):
 *
 * 02:00:00:00:00:0a asks and :0b answers: frames of many sizes, one by one; then bursts of more
 * than the other has buffers for, so that some wait. Each comes back with all its bytes changed.
 *
 * 02:00:00:00:01:0a, likewise with :0b, starts again in the middle, while frames wait for it and
 * some of its own for the other: those for it are gone, its own arrive. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"
#include "virtio.h"

#define DEVICE 0x0a003e00u
enum { INTID = 79 };
enum { RECEIVE, TRANSMIT, QUEUES };
enum { HEADER = 12, ADDRESSES = 12, ADDRESS = 6, ROOM = 2048 };

/* A frame behind its addresses: what it is, a number, bytes. */
enum kind { PROBE, HELLO, WELCOME, DATA, ANSWER, END };
enum { KIND = ADDRESSES, NUMBER, BYTES, SHORTEST = 60 };

static struct queue queues[QUEUES];
static uint16_t taken; /* of the received frames */
static uint8_t buffers[QUEUES][SIZE][HEADER + ROOM] __attribute__((aligned(16)));
static uint8_t own[ADDRESS];
static bool asks;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    CHECK_EQ("interrupt", id, INTID);
    write32(DEVICE + InterruptACK, read32(DEVICE + InterruptStatus));
    GIC_WRITE(ICC_EOIR1, id);
}

/* The card ----------------------------------------------------------------------------------------
 */

static void make_available(unsigned queue, unsigned head, uint32_t size, uint16_t flags)
{
    struct descriptor *d = &queues[queue].descriptors[head];
    *d = (struct descriptor){(uint64_t)buffers[queue][head], size, flags, 0};
    virtio_make_available(&queues[queue], head);
    virtio_kick(DEVICE, queue);
}

static void set_queue(unsigned queue)
{
    write32(DEVICE + QueueSel, queue);
    write32(DEVICE + QueueNum, SIZE);
    virtio_set_area(DEVICE + QueueDesc, queues[queue].descriptors);
    virtio_set_area(DEVICE + QueueDriver, &queues[queue].available);
    virtio_set_area(DEVICE + QueueDevice, &queues[queue].used);
    write32(DEVICE + QueueReady, 1);
}

static void start(void)
{
    write32(DEVICE + Status, 0);
    write32(DEVICE + Status, ACKNOWLEDGE | DRIVER);
    write32(DEVICE + DriverFeaturesSel, 1);
    write32(DEVICE + DriverFeatures, VERSION_1 >> 32);
    write32(DEVICE + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    for (unsigned queue = 0; queue < QUEUES; queue++)
        set_queue(queue);
    write32(DEVICE + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    queues[TRANSMIT].available.flags = 1; /* no interrupts: it is done when it has been said */
    for (unsigned i = 0; i < ADDRESS; i++)
        own[i] = *(volatile uint8_t *)(uint64_t)(DEVICE + Config + i);
}

static void give(unsigned head)
{
    make_available(RECEIVE, head, HEADER + ROOM, DESC_WRITE);
}

static void give_all(void)
{
    for (unsigned head = 0; head < SIZE; head++)
        give(head);
}

static uint8_t pattern(unsigned number, unsigned i)
{
    return (uint8_t)(number * 7 + i * 13);
}

static void send(enum kind kind, unsigned number, unsigned size)
{
    uint8_t *frame = buffers[TRANSMIT][0] + HEADER;
    for (unsigned i = 0; i < ADDRESS; i++)
        frame[i] = frame[ADDRESS + i] = own[i];
    frame[ADDRESS - 1] ^= 1; /* from 0a to 0b, and back */
    frame[KIND] = (uint8_t)kind;
    frame[NUMBER] = (uint8_t)number;
    for (unsigned i = BYTES; i < size; i++)
        frame[i] = pattern(number, i) ^ (kind == ANSWER ? 0xff : 0);
    make_available(TRANSMIT, 0, HEADER + size, 0);
}

static bool has_frame(void)
{
    return __atomic_load_n(&queues[RECEIVE].used.index, __ATOMIC_ACQUIRE) != taken;
}

/* Interrupts are masked between the look and the sleep, so none is missed. */
static void sleep_until_frame(void)
{
    ASM("msr daifset, #2");
    while (!has_frame())
        ASM("wfi\nmsr daifclr, #2\nisb\nmsr daifset, #2");
    ASM("msr daifclr, #2\nisb");
}

/* The next frame and its size, in *head's buffer until that is given back. Probes are answered on
 * the way. */
static const uint8_t *receive(unsigned *head, unsigned *size)
{
    const struct queue *q = &queues[RECEIVE];
    for (;;) {
        sleep_until_frame();
        *head = q->used.ring[taken % SIZE].head;
        *size = q->used.ring[taken++ % SIZE].written - HEADER;
        const uint8_t *frame = buffers[RECEIVE][*head] + HEADER;
        if (frame[KIND] != PROBE)
            return frame;
        if (!asks)
            send(PROBE, 0, SHORTEST);
        give(*head);
    }
}

static void wait_for_the_other(void)
{
    for (unsigned i = 0; i < 100000; i++)
        ASM("yield");
}

/* A frame for a driver that is not there yet is lost. */
static void meet(void)
{
    for (; !has_frame(); wait_for_the_other())
        send(PROBE, 0, SHORTEST);
}

static unsigned expect(enum kind kind, unsigned number, unsigned size)
{
    unsigned head, got, wrong = 0;
    const uint8_t *frame = receive(&head, &got);
    CHECK_EQ("kind", frame[KIND], kind);
    CHECK_EQ("number", frame[NUMBER], number);
    CHECK_EQ("size", got, size);
    for (unsigned i = BYTES; i < size; i++)
        wrong += frame[i] != (pattern(number, i) ^ (kind == ANSWER ? 0xff : 0));
    CHECK_EQ("bytes that are wrong", wrong, 0);
    return head;
}

/* An exchange -------------------------------------------------------------------------------------
 */

enum { ALONE = 12, BURSTS = 3, BURST = 2 * SIZE };

static unsigned size_of(unsigned number)
{
    return SHORTEST + number * 167 % (ROOM - SHORTEST + 1);
}

static void ask(void)
{
    for (unsigned i = 0; i < ALONE; i++) {
        send(DATA, i, size_of(i));
        give(expect(ANSWER, i, size_of(i)));
    }
    for (unsigned burst = 0; burst < BURSTS; burst++) {
        for (unsigned i = 0; i < BURST; i++)
            send(DATA, i, size_of(i));
        for (unsigned i = 0; i < BURST; i++)
            give(expect(ANSWER, i, size_of(i)));
    }
    send(END, 0, SHORTEST);
}

static void answer(void)
{
    for (unsigned count = 0;; count++) {
        unsigned head, size;
        const uint8_t *frame = receive(&head, &size);
        if (frame[KIND] == END) {
            CHECK_EQ("frames", count, ALONE + BURSTS * BURST);
            return;
        }
        CHECK_EQ("kind", frame[KIND], DATA);
        send(ANSWER, frame[NUMBER], size);
        give(head);
    }
}

/* Another start -----------------------------------------------------------------------------------
 */

enum { WAITING = 2 * SIZE };
#define PSCI_SYSTEM_RESET 0x84000009

/* It takes as many of them as it has buffers, each once; what is left waits. In its second life the
 * first that comes is the welcome to that. */
static void start_again(void)
{
    unsigned head, size;
    for (unsigned i = 0; i < WAITING; i++)
        send(HELLO, i, SHORTEST);
    const uint8_t *frame = receive(&head, &size);
    CHECK_EQ("kind", frame[KIND], WELCOME);
    unsigned life = frame[NUMBER];
    print("life %u\n", life);
    for (unsigned i = 0; i < SIZE - 1; i++)
        expect(DATA, i, SHORTEST);
    wait_for_the_other();
    if (life == 1)
        hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
    CHECK_EQ("life", life, 2);
}

/* All that either life sent, in order, whenever it is taken. */
static void welcome(void)
{
    for (unsigned life = 1; life <= 2; life++) {
        give(expect(HELLO, 0, SHORTEST));
        send(WELCOME, life, SHORTEST);
        for (unsigned i = 0; i < WAITING; i++)
            send(DATA, i, SHORTEST);
        for (unsigned i = 1; i < WAITING; i++) {
            wait_for_the_other();
            give(expect(HELLO, i, SHORTEST));
        }
    }
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    gic_enable(INTID, 0x80);
    start();
    ASM("msr daifclr, #2\nisb");
    give_all();
    asks = own[5] == 0x0a;
    if (asks)
        meet();
    if (own[4] == 0)
        (asks ? ask : answer)();
    else
        (asks ? start_again : welcome)();
    finish();
}
