/* Does with disks what the words of its command line say: "at ADDRESS" chooses the virtio-blk of
 * these registers, "write SECTOR COUNT BYTE", "read SECTOR COUNT", "zero SECTOR COUNT" and "discard
 * SECTOR COUNT" are requests, and "wait N" waits for N thousands of instructions. Says the status
 * of each request, of a read also the first byte. */
#include "virtio.h"
#include "words.h"

enum { SECTOR = 512, ROOM = 64 << 10 };
enum { IN = 0, OUT = 1, DISCARD = 11, WRITE_ZEROES = 13 };
enum {
    F_DISCARD = 1 << 13,
    F_WRITE_ZEROES = 1 << 14
}; /* what a disk that may be written to offers */

static struct queue queue;
static struct {
    uint32_t type, reserved;
    uint64_t sector;
} header;
static struct {
    uint64_t sector;
    uint32_t count, flags;
} segment;
static uint8_t data[ROOM], status;
static uint64_t device;

static void choose(uint64_t registers)
{
    device = registers;
    memset(&queue, 0, sizeof queue);
    write32(device + Status, 0);
    write32(device + Status, ACKNOWLEDGE | DRIVER);
    write32(device + DeviceFeaturesSel, 0);
    write32(device + DriverFeaturesSel, 0);
    write32(device + DriverFeatures,
            read32(device + DeviceFeatures) & (F_DISCARD | F_WRITE_ZEROES));
    write32(device + DriverFeaturesSel, 1);
    write32(device + DriverFeatures, VERSION_1 >> 32);
    write32(device + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    write32(device + QueueSel, 0);
    write32(device + QueueNum, SIZE);
    virtio_set_area(device + QueueDesc, queue.descriptors);
    virtio_set_area(device + QueueDriver, &queue.available);
    virtio_set_area(device + QueueDevice, &queue.used);
    write32(device + QueueReady, 1);
    write32(device + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void say(const char *text, unsigned number)
{
    char digits[] = {' ', (char)('0' + number / 100), (char)('0' + number / 10 % 10),
                     (char)('0' + number % 10), 0};
    print(text);
    print(digits);
}

static void request(uint32_t type, uint64_t sector, void *at, uint64_t size, bool reads)
{
    header.type = type;
    header.sector = sector;
    status = 255;
    queue.descriptors[0] = (struct descriptor){(uint64_t)&header, sizeof header, DESC_NEXT, 1};
    queue.descriptors[1] = (struct descriptor){(uint64_t)at, (uint32_t)size,
                                               (uint16_t)(DESC_NEXT | (reads ? DESC_WRITE : 0)), 2};
    queue.descriptors[2] = (struct descriptor){(uint64_t)&status, 1, DESC_WRITE, 0};
    virtio_make_available(&queue, 0);
    virtio_kick(device, 0);
    while (__atomic_load_n(&queue.used.index, __ATOMIC_ACQUIRE) != queue.available.index)
        ASM("yield");
}

static void clear(uint32_t type)
{
    segment.sector = number();
    segment.count = (uint32_t)number();
    request(type, 0, &segment, sizeof segment, false);
}

static void move(uint32_t type)
{
    uint64_t sector = number(), size = number() * SECTOR;
    memset(data, type == OUT ? (int)number() : 0, sizeof data);
    request(type, sector, data, size < ROOM ? size : ROOM, type == IN);
}

static void wait(uint64_t thousands)
{
    for (uint64_t i = 0; i < thousands * 500; i++)
        ASM("nop");
}

/* False: there is no such word. */
static bool one(const char *what)
{
    bool is_request = true;
    if (is(what, "read"))
        move(IN);
    else if (is(what, "write"))
        move(OUT);
    else if (is(what, "zero"))
        clear(WRITE_ZEROES);
    else if (is(what, "discard"))
        clear(DISCARD);
    else
        is_request = false;
    if (is_request)
        say("status", status);
    else if (is(what, "at"))
        choose(number());
    else if (is(what, "wait"))
        wait(number());
    return is_request;
}

int main(void)
{
    words_start();
    for (const char *what = word(); *what; what = word()) {
        char kept[8] = {0};
        for (unsigned i = 0; i < sizeof kept - 1 && what[i]; i++)
            kept[i] = what[i];
        if (!one(kept))
            continue;
        if (is(kept, "read"))
            say(", byte", data[0]);
        print("\n");
    }
    return 0;
}
