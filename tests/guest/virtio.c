/* A driver for virtio over MMIO (virtio 1.2, 4.2): the console's output and the entropy source,
 * with direct and indirect descriptors, with interrupts, with event indices, a queue that is broken
 * on purpose, and packed queues. The devices are looked for in the 32 slots that QEMU's board has:
 *
 *     qemu-system-aarch64 -M virt,gic-version=3 -cpu cortex-a57 -m 128M -display none -nic none
 *         -semihosting-config enable=on,target=native -kernel virtio.elf
 *         -global virtio-mmio.force-legacy=false -device virtio-serial-device,max_ports=1,packed=on
 *         -chardev stdio,id=c -device virtconsole,chardev=c -device virtio-rng-device,packed=on */
#include "gic.h"
#include "mmu.h"
#include "trap.h"
#include "virtio.h"

#define SLOTS 0x0a000000u
enum { SLOT_SIZE = 0x200, SLOT_COUNT = 32, SLOT_INTID = 48 };
enum { MAGIC = 0x74726976, CONSOLE = 3, ENTROPY = 4 };
enum { PACKED_AVAIL = 1 << 7, PACKED_USED = 1 << 15, EVENT_DISABLE = 1, EVENT_DESC = 2 };
struct packed_queue {
    struct {
        uint64_t address;
        uint32_t size;
        uint16_t id, flags;
    } ring[SIZE] __attribute__((aligned(16)));
    struct {
        uint16_t place, flags;
    } driver __attribute__((aligned(4))), device;
};

static struct queue queue;
static struct packed_queue packed_queue;
static unsigned packed_next; /* slots that were ever made available */
static bool is_packed;
static struct descriptor table[2] __attribute__((aligned(16)));
static uint64_t device; /* the registers of the one that is tested */
static unsigned intid, queue_number;
static volatile unsigned interrupts, causes;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    uint32_t cause = read32(device + InterruptStatus);
    CHECK_EQ("interrupt", id, intid);
    CHECK("its cause", cause != 0);
    write32(device + InterruptACK, cause);
    CHECK_EQ("after InterruptACK", read32(device + InterruptStatus), 0);
    causes |= cause;
    interrupts++;
    GIC_WRITE(ICC_EOIR1, id);
}

static bool find(uint32_t id)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        device = SLOTS + slot * SLOT_SIZE;
        intid = SLOT_INTID + slot;
        if (read32(device + MagicValue) == MAGIC && read32(device + DeviceID) == id)
            return true;
    }
    return false;
}

/* Until `count` chains were used, or for very long. */
static bool wait_used(uint16_t count)
{
    for (unsigned i = 0; i < 10000000; i++) {
        if (__atomic_load_n(&queue.used.index, __ATOMIC_ACQUIRE) == count)
            return true;
        ASM("yield");
    }
    return false;
}

static void set_queue(unsigned number)
{
    memset(&queue, 0, sizeof queue);
    memset(&packed_queue, 0, sizeof packed_queue);
    packed_next = 0;
    queue_number = number;
    write32(device + QueueSel, number);
    CHECK_EQ("QueueReady before", read32(device + QueueReady), 0);
    CHECK("QueueNumMax", read32(device + QueueNumMax) >= SIZE);
    write32(device + QueueNum, SIZE);
    if (is_packed) {
        virtio_set_area(device + QueueDesc, packed_queue.ring);
        virtio_set_area(device + QueueDriver, &packed_queue.driver);
        virtio_set_area(device + QueueDevice, &packed_queue.device);
    } else {
        virtio_set_area(device + QueueDesc, queue.descriptors);
        virtio_set_area(device + QueueDriver, &queue.available);
        virtio_set_area(device + QueueDevice, &queue.used);
    }
    write32(device + QueueReady, 1);
    CHECK_EQ("QueueReady", read32(device + QueueReady), 1);
}

/* From reset to DRIVER_OK (3.1.1). */
static void start(unsigned number, uint64_t features)
{
    features |= VERSION_1;
    is_packed = features & RING_PACKED;
    write32(device + Status, 0);
    CHECK_EQ("Status after reset", read32(device + Status), 0);
    write32(device + Status, ACKNOWLEDGE);
    write32(device + Status, ACKNOWLEDGE | DRIVER);
    for (unsigned half = 0; half < 2; half++) {
        uint32_t wanted = (uint32_t)(features >> 32 * half);
        write32(device + DeviceFeaturesSel, half);
        CHECK_EQ("features offered", read32(device + DeviceFeatures) & wanted, wanted);
        write32(device + DriverFeaturesSel, half);
        write32(device + DriverFeatures, wanted);
    }
    write32(device + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    CHECK_EQ("FEATURES_OK", read32(device + Status), ACKNOWLEDGE | DRIVER | FEATURES_OK);
    set_queue(number);
    write32(device + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    interrupts = causes = 0;
}

static void put(struct descriptor *d, const void *at, size_t size, unsigned flags, unsigned next)
{
    *d = (struct descriptor){(uint64_t)at, (uint32_t)size, (uint16_t)flags, (uint16_t)next};
}

static void make_available(unsigned head)
{
    virtio_make_available(&queue, head);
}

static void kick(void)
{
    virtio_kick(device, queue_number);
}

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

static void check_used(const char *what, unsigned head, unsigned written)
{
    CHECK(what, wait_used(queue.available.index));
    unsigned last = (unsigned)(queue.used.index - 1) % SIZE;
    CHECK_EQ("its head", queue.used.ring[last].head, head);
    CHECK_EQ("bytes written", queue.used.ring[last].written, written);
}

/* Console: queue 1 sends. Two descriptors; then two more by an indirect table. */
static void send_line(const char *first, const char *second)
{
    put(&queue.descriptors[2], first, length(first), DESC_NEXT, 5);
    put(&queue.descriptors[5], second, length(second), 0, 0);
    make_available(2);
    kick();
    check_used("output used", 2, 0);
}

static void send_indirect(const char *first, const char *second)
{
    put(&table[0], first, length(first), DESC_NEXT, 1);
    put(&table[1], second, length(second), 0, 0);
    put(&queue.descriptors[0], table, sizeof table, DESC_INDIRECT, 0);
    make_available(0);
    kick();
    check_used("indirect output used", 0, 0);
}

static void console(void)
{
    start(1, 0);
    send_line("console: direct ", "descriptors\n");
    CHECK_EQ("one interrupt", interrupts, 1);
    CHECK_EQ("used buffer", causes, USED_BUFFER);
    queue.available.flags = 1; /* NO_INTERRUPT */
    send_line("console: without ", "interrupt\n");
    CHECK_EQ("no more interrupts", interrupts, 1);
    start(1, INDIRECT_DESC);
    send_indirect("console: an indirect ", "table\n");
    CHECK_EQ("an interrupt again", interrupts, 1);
}

/* VIRTIO_F_EVENT_IDX: interrupts only behind used_event. Whether there is one for the first chain
 * is left open: QEMU always sends it. */
static void event_indices(void)
{
    start(1, EVENT_IDX);
    queue.available.used_event = 3;
    send_line("event index: ", "1\n");
    unsigned before = interrupts;
    send_line("event index: ", "2\n");
    send_line("event index: ", "3\n");
    CHECK_EQ("not yet", interrupts, before);
    CHECK_EQ("available_event", queue.used.available_event, 3);
    send_line("event index: ", "4\n");
    CHECK_EQ("now", interrupts, before + 1);
    send_line("event index: ", "5\n");
    CHECK_EQ("and no more", interrupts, before + 1);
}

static uint8_t bytes[2][300];

static void check_random(const uint8_t *data, size_t size)
{
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            bits += data[i] >> bit & 1;
    CHECK("about half of the bits are set", bits > 3 * size && bits < 5 * size);
    CHECK("the end of the buffer was written", data[size - 1] | data[size - 2] | data[size - 3]);
}

static void entropy(void)
{
    start(0, INDIRECT_DESC);
    for (unsigned i = 0; i < 2; i++) {
        put(&queue.descriptors[i], bytes[i], sizeof bytes[i] - 8, DESC_WRITE, 0);
        make_available(i);
        kick();
        check_used("random bytes", i, sizeof bytes[i] - 8);
        check_random(bytes[i], sizeof bytes[i] - 8);
        CHECK_EQ("nothing behind", bytes[i][sizeof bytes[i] - 8], 0);
    }
    unsigned equal = 0;
    for (unsigned i = 0; i < sizeof bytes[0] - 8; i++)
        equal += bytes[0][i] == bytes[1][i];
    CHECK("other bytes the second time", equal < 20);
    CHECK("interrupts", interrupts > 0);
}

/* A chain whose descriptors go round: the device asks for a reset, and works after one. Looked at
 * with the interrupt masked, since a broken device of QEMU does not hear InterruptACK. */
static void broken(void)
{
    start(1, 0);
    gic_disable(intid);
    put(&queue.descriptors[0], "x", 1, DESC_NEXT, 1);
    put(&queue.descriptors[1], "x", 1, DESC_NEXT, 0);
    make_available(0);
    kick();
    for (unsigned i = 0; i < 1000000 && !read32(device + InterruptStatus); i++)
        ASM("yield");
    CHECK("configuration change", read32(device + InterruptStatus) & CONFIG_CHANGE);
    CHECK("DEVICE_NEEDS_RESET", read32(device + Status) & NEEDS_RESET);
    CHECK_EQ("nothing was used", queue.used.index, 0);
    write32(device + Status, 0);
    gic_enable(intid, 0x80);
    start(1, 0);
    send_line("console: after ", "a reset\n");
    CHECK_EQ("an interrupt", interrupts, 1);
}

/* Packed queues: chains of two descriptors, of which the first becomes the used one. The last one's
 * ID is that of the chain (2.8.6); QEMU 7.2 takes the first one's. 2.8.1: the wrap counter is 1 the
 * first time round, then 0, ... */
static void put_packed(const char *text, unsigned id, unsigned flags)
{
    unsigned slot = packed_next % SIZE, wrap = !(packed_next / SIZE & 1);
    packed_queue.ring[slot].address = (uint64_t)text;
    packed_queue.ring[slot].size = (uint32_t)length(text);
    packed_queue.ring[slot].id = (uint16_t)id;
    __atomic_store_n(&packed_queue.ring[slot].flags,
                     (uint16_t)(flags | (wrap ? PACKED_AVAIL : PACKED_USED)), __ATOMIC_RELEASE);
    packed_next++;
}

static bool wait_packed(unsigned first)
{
    const unsigned both = PACKED_AVAIL | PACKED_USED, wrap = !(first / SIZE & 1);
    for (unsigned i = 0; i < 10000000; i++) {
        unsigned flags = __atomic_load_n(&packed_queue.ring[first % SIZE].flags, __ATOMIC_ACQUIRE);
        if ((flags & both) == (wrap ? both : 0))
            return true;
        ASM("yield");
    }
    return false;
}

static void send_packed(const char *text, const char *second)
{
    unsigned first = packed_next;
    put_packed(text, first + 100, DESC_NEXT);
    put_packed(second, first + 100, 0);
    kick();
    CHECK("packed output used", wait_packed(first));
    CHECK_EQ("its buffer ID", packed_queue.ring[first % SIZE].id, first + 100);
    CHECK_EQ("nothing written", packed_queue.ring[first % SIZE].flags & DESC_WRITE, 0);
}

static void packed(void)
{
    start(1, RING_PACKED);
    for (unsigned i = 0; i < SIZE; i++) /* twice round */
        send_packed("packed: ", "a chain\n");
    CHECK_EQ("an interrupt each", interrupts, SIZE);
    packed_queue.driver.flags = EVENT_DISABLE;
    send_packed("packed: without ", "interrupt\n");
    CHECK_EQ("no more interrupts", interrupts, SIZE);
    start(1, RING_PACKED | EVENT_IDX);
    packed_queue.driver.place = 2 | 1 << 15; /* the second chain */
    packed_queue.driver.flags = EVENT_DESC;
    for (unsigned i = 0; i < SIZE; i++) {
        unsigned before = interrupts;
        send_packed("packed: event ", "of a descriptor\n");
        if (i && i % 4 != 3) /* for the first one, and at the ring's end, QEMU always interrupts */
            CHECK_EQ("at that one only", interrupts - before, i == 1);
    }
    CHECK_EQ("notifications are wanted", packed_queue.device.flags == EVENT_DISABLE, 0);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        gic_enable(SLOT_INTID + slot, 0x80);
    ASM("msr daifclr, #2\nisb");
    if (CHECK("there is a console", find(CONSOLE))) {
        CHECK_EQ("Version", read32(device + Version), 2);
        console();
        event_indices();
        broken();
        packed();
    }
    if (CHECK("there is an entropy source", find(ENTROPY)))
        entropy();
    finish();
}
