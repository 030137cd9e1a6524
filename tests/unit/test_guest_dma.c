/* The port to a VM's guest-physical space: stage 2 decides, and what watches memory hears of
 * writes. */
#include <stdio.h>

#include "hv/exitlog/exit_log.h"
#include "hv/hv_internal.h"
#include "vdev/smmu/smmu.h"
#include "test_board_fixture.h"

static const uint32_t program[] = {0x14000000}; /* b . */
#define RAM  0x40000000u
#define PAGE (RAM + 0x200000u)

static struct machine m;
static struct vm *vm;
static struct dma_port port;

static void open_with(struct exit_log *exit_log)
{
    machine_assemble(&m, program, 1, 1, exit_log);
    vm = m.board->vms[0];
    port = guest_dma_port(vm, 0);
}

static hpa_t place_of(uint64_t at)
{
    struct guest_page page;
    ck_assert(guest_tables_find(vm->tables, &m.board->memory, gpa(at), &page));
    return hpa(page.page.v + (at & PAGE_MASK));
}

static uint8_t *byte_at(uint64_t at)
{
    return memory_at(&m.board->memory, place_of(at), 1, MEMORY_READ);
}

static void map(uint64_t at, hpa_t to, unsigned attributes)
{
    struct error e = {0};
    ck_assert(
        guest_tables_map(vm->tables, &m.board->memory, gpa(at), to, PAGE_SIZE, attributes, &e));
    guest_dma_changed(vm);
}

/* A device reads and writes what its guest may, and a transfer over two pages needs both. */
START_TEST(devices_keep_to_permissions)
{
    const uint64_t last = PAGE + PAGE_SIZE - 8;
    static const unsigned permits[] = {PERMIT_R, PERMIT_W, PERMIT_R | PERMIT_W};
    struct dma_mapping r = {0}, w = {0};
    struct dma_fault f;
    uint8_t bytes[16] = {0};
    open_with(NULL);
    map(PAGE, place_of(PAGE), permits[_i]);
    bool reads = permits[_i] & PERMIT_R, writes = permits[_i] & PERMIT_W;
    ck_assert(dma_read(&port, (iova_t){PAGE}, bytes, 8, &f) == reads);
    ck_assert(dma_read(&port, (iova_t){last}, bytes, 16, &f) == reads);
    ck_assert(dma_read(&port, (iova_t){PAGE - 8}, bytes, 16, &f) == reads);
    ck_assert_int_eq(f.kind, reads ? DMA_FAULT_NONE : DMA_FAULT_PERMISSION);
    ck_assert_uint_eq(f.at.v, reads ? PAGE - 8 : PAGE);
    ck_assert(dma_write(&port, (iova_t){PAGE}, bytes, 8, &f) == writes);
    ck_assert(dma_write(&port, (iova_t){PAGE - 8}, bytes, 16, &f) == writes);
    ck_assert(!dma_read(&port, (iova_t){UINT64_MAX - 7}, bytes, 16, &f));
    dma_mapping_set(&r, (iova_t){PAGE - 8}, 16, DMA_READ);
    dma_mapping_set(&w, (iova_t){PAGE - 8}, 16, DMA_WRITE);
    ck_assert(dma_mapped_read(&r, &port, 8, bytes, 8, &f) == reads);
    ck_assert(dma_mapped_write(&w, &port, 8, bytes, 8, &f) == writes);
    machine_close(&m);
}
END_TEST

/* Spans are as long as what lies together on the board, and no longer. */
START_TEST(spans_are_together_on_the_board)
{
    struct dma_span spans[4];
    struct dma_fault f = {0};
    open_with(NULL);
    hpa_t page = place_of(PAGE), next = place_of(PAGE + PAGE_SIZE);
    ck_assert_uint_eq(next.v, page.v + PAGE_SIZE);
    map(PAGE + 2 * PAGE_SIZE, page, PERMIT_R);
    ck_assert_uint_eq(port.map(&port, (iova_t){PAGE + 8}, 3 * PAGE_SIZE, DMA_READ, spans, 4, &f),
                      3);
    ck_assert_uint_eq(spans[0].size, 2 * PAGE_SIZE - 8);
    ck_assert_ptr_eq(spans[0].host, byte_at(PAGE + 8));
    ck_assert_uint_eq(spans[1].size, PAGE_SIZE);
    ck_assert_ptr_eq(spans[1].host, spans[0].host - 8);
    ck_assert_uint_eq(spans[2].size, 8);
    ck_assert_uint_eq(port.map(&port, (iova_t){PAGE + 8}, 3 * PAGE_SIZE, DMA_READ, spans, 1, &f),
                      1);
    /* All of it is looked at, whatever there is room for. */
    ck_assert_uint_eq(port.map(&port, (iova_t){PAGE + 8}, 3 * PAGE_SIZE, DMA_WRITE, spans, 1, &f),
                      0);
    ck_assert_int_eq(f.kind, DMA_FAULT_PERMISSION);
    ck_assert_uint_eq(f.at.v, PAGE + 2 * PAGE_SIZE);
    ck_assert_uint_eq(port.map(&port, (iova_t){RAM}, UINT64_MAX - RAM, DMA_READ, spans, 4, &f), 0);
    ck_assert_int_eq(f.kind, DMA_FAULT_TRANSLATION);
    machine_close(&m);
}
END_TEST

/* What a device of the board has there is not read or written; what lies before it is written. */
START_TEST(registers_are_not_memory)
{
    struct dma_fault f;
    uint8_t bytes[16];
    open_with(NULL);
    memset(bytes, 0x5a, sizeof bytes);
    map(PAGE, hpa((uint64_t)1 << 40), PERMIT_R | PERMIT_W | GUEST_TABLES_DEVICE);
    ck_assert(!dma_write(&port, (iova_t){PAGE - 8}, bytes, sizeof bytes, &f));
    ck_assert_int_eq(f.kind, DMA_FAULT_BUS);
    ck_assert_uint_eq(f.at.v, PAGE);
    ck_assert_uint_eq(*byte_at(PAGE - 1), 0x5a);
    ck_assert(!dma_read(&port, (iova_t){PAGE - 8}, bytes, sizeof bytes, &f));
    ck_assert_int_eq(f.kind, DMA_FAULT_BUS);
    machine_close(&m);
}
END_TEST

/* Messages of interrupts -------------------------------------------------------------------------
 */

#define FRAME  0x30000000u
#define SETSPI (FRAME + 0x40)

static const char with_frame[] = "ram 0x40000000,4M load 0x40000000,image vdev gic msi "
                                 "0x30000000,80,8 vdev smmuv3 loc 0x2b400000 intr gic:74";

/* A machine with an SMMU as its second device. */
static void open_words(const char *text)
{
    struct error e = {0};
    ck_assert_msg(machine_try(&m, text, program, 1, &e), "%s", e.text);
    vm = m.board->vms[0];
    port = guest_dma_port(vm, 0);
}

static bool is_pending(unsigned line)
{
    struct bus_access a = {.size = 4};
    ck_assert_int_eq(bus_access(&vm->bus, gpa(0x2f000200 + line / 32 * 4), &a), BUS_HANDLED);
    return a.value >> line % 32 & 1;
}

static bool sends(uint64_t at, uint32_t line, size_t size)
{
    struct dma_fault f;
    uint8_t bytes[8] = {0};
    store_le(bytes, line, 4);
    bool ok = dma_write(&port, (iova_t){at}, bytes, size, &f);
    ck_assert(ok || f.kind == DMA_FAULT_TRANSLATION);
    return ok;
}

/* GICv2m: a write of a line's number to MSI_SETSPI_NS makes it pending, whoever writes. */
START_TEST(a_write_to_the_frame_is_a_message)
{
    struct dma_fault f;
    uint32_t word;
    open_words(with_frame);
    ck_assert(sends(SETSPI, 81, 4) && is_pending(81) && !is_pending(80));
    ck_assert(sends(SETSPI, 79, 4) && !is_pending(79)); /* none of the frame's */
    ck_assert(sends(SETSPI + 4, 82, 4) && !is_pending(82));
    ck_assert(!sends(SETSPI, 82, 8) && !sends(SETSPI + 2, 82, 4) && !sends(SETSPI, 82, 1));
    ck_assert(!sends(0x2f000f00, 82, 4)); /* the distributor is no frame */
    ck_assert(!dma_read(&port, (iova_t){SETSPI}, &word, 4, &f));
    ck_assert(!is_pending(82));
    machine_close(&m);
    open_words("ram 0x40000000,4M load 0x40000000,image");
    ck_assert(!sends(SETSPI, 81, 4));
    machine_close(&m);
}
END_TEST

static void set_register(struct vdev *v, uint64_t offset, uint8_t size, uint64_t value)
{
    struct bus_access a = {.offset = offset, .size = size, .is_write = true, .value = value};
    ck_assert_int_eq(v->type->access(v, 0, &a), BUS_HANDLED);
}

/* IHI 0070, 3.18, 6.3.18, 6.3.28: an SMMU's three sources. */
START_TEST(an_smmu_sends_messages)
{
    enum { GERROR = 0x60, GERROR_IRQ_CFG0 = 0x68, EVENTQ_IRQ_CFG0 = 0xb0, IRQ_CTRL = 0x50 };
    const uint8_t sync[16] = {0x46, 0x10, 0, 0, 83, 0, 0, 0, 0x40, 0, 0, 0x30};
    const uint8_t wrong[16] = {0xff};
    struct dma_fault f;
    uint8_t byte;
    open_words(with_frame);
    struct vdev *v = vm->vdevs[1];
    struct dma_port device = v->type->stream_port(v, 1, DMA_NO_SUBSTREAM);
    set_register(v, 0x90, 8, PAGE | 3);
    set_register(v, 0xa0, 8, (PAGE + 0x1000) | 3);
    set_register(v, EVENTQ_IRQ_CFG0, 8, SETSPI);
    set_register(v, EVENTQ_IRQ_CFG0 + 8, 4, 81);
    set_register(v, GERROR_IRQ_CFG0, 8, SETSPI);
    set_register(v, GERROR_IRQ_CFG0 + 8, 4, 82);
    set_register(v, 0x80, 8, PAGE + 0x2000);
    set_register(v, 0x88, 4, 4);
    set_register(v, IRQ_CTRL, 4, 5);
    set_register(v, 0x20, 4, 0xd);
    ck_assert(!is_pending(81));
    ck_assert(!dma_read(&device, (iova_t){PAGE}, &byte, 1, &f)); /* C_BAD_STE */
    ck_assert(is_pending(81) && !is_pending(82) && !is_pending(74));
    ck_assert(vm_write(vm, gpa(PAGE), sync, 16) && vm_write(vm, gpa(PAGE + 16), wrong, 16));
    set_register(v, 0x98, 4, 1);
    ck_assert(is_pending(83) && !is_pending(82));
    set_register(v, 0x98, 4, 2);
    ck_assert(is_pending(82));
    struct bus_access a = {.offset = GERROR, .size = 4};
    v->type->access(v, 0, &a);
    ck_assert_uint_eq(a.value, 1); /* CMDQ_ERR: no message was aborted */
    machine_close(&m);
}
END_TEST

/* Refusals ---------------------------------------------------------------------------------------
 */

struct seen {
    unsigned count;
    struct board_event last;
};

static void see(void *context, const struct board_event *event)
{
    struct seen *s = context;
    if (event->id != EVENT_DMA_REFUSED)
        return;
    s->count++;
    s->last = *event;
}

/* Each once: by stage 2 alone, and through an SMMU with its stream and the record's name. */
START_TEST(whoever_watches_is_told)
{
    struct seen s = {0};
    struct dma_fault f;
    uint8_t byte;
    open_words("ram 0x40000000,4M load 0x40000000,image vdev smmuv3 loc 0x2b400000 intr gic:74 "
               "vdev dma-master loc 0x20000000 intr gic:75 vdev dma-master name behind loc "
               "0x20001000 intr gic:76 stream smmuv3:9");
    m.board->sinks.event = see;
    m.board->sinks.context = &s;
    ck_assert(dma_read(&vm->vdevs[2]->dma, (iova_t){PAGE}, &byte, 1, &f) && s.count == 0);
    ck_assert(!dma_read(&vm->vdevs[2]->dma, (iova_t){0x1234}, &byte, 1, &f));
    ck_assert(s.count == 1 && s.last.vm == vm && !s.last.dma.is_write && !s.last.dma.by.smmu);
    ck_assert_str_eq(s.last.dma.by.device, "dma-master");
    ck_assert_str_eq(s.last.dma.where, "stage 2");
    ck_assert_uint_eq(s.last.dma.iova, 0x1234);
    set_register(vm->vdevs[1], 0x80, 8, PAGE);
    set_register(vm->vdevs[1], 0x88, 4, 4);
    set_register(vm->vdevs[1], 0x20, 4, 1);
    ck_assert(!dma_write(&vm->vdevs[3]->dma, (iova_t){PAGE + 8}, "W", 1, &f));
    ck_assert(s.count == 2 && s.last.dma.is_write && s.last.dma.by.stream == 9);
    ck_assert_str_eq(s.last.dma.by.device, "behind");
    ck_assert_str_eq(s.last.dma.by.smmu, "smmuv3");
    ck_assert_str_eq(s.last.dma.record, "C_BAD_STE");
    ck_assert_uint_eq(s.last.dma.iova, PAGE + 8);
    ck_assert_ptr_null(vm->dma_watch.now);
    machine_close(&m);
}
END_TEST

/* A digest between two writes by the same mapping sees the second, too; so does a snapshot. */
START_TEST(mapped_writes_are_seen)
{
    struct dma_mapping w = {0};
    struct dma_fault f;
    struct digest before, after;
    open_with(NULL);
    dma_mapping_set(&w, (iova_t){PAGE}, 64, DMA_WRITE);
    for (uint8_t i = 1; i < 4; i++) {
        before = board_digest(m.board);
        memory_forget_written(&m.board->memory, MEMORY_IMAGES);
        ck_assert(!memory_is_dirty(&m.board->memory, place_of(PAGE)));
        ck_assert(dma_mapped_write(&w, &port, 8, &i, 1, &f));
        ck_assert(memory_is_dirty(&m.board->memory, place_of(PAGE)));
        after = board_digest(m.board);
        ck_assert(memcmp(&before, &after, sizeof before) != 0);
    }
    machine_close(&m);
}
END_TEST

static uint8_t found;
static uint64_t told;

static void before_code_changes(void *context, hpa_t at, uint64_t size)
{
    (void)context;
    told += size;
    found = *(uint8_t *)memory_at(&m.board->memory, at, 1, MEMORY_READ);
}

/* Whoever keeps translated code looks at what it was. */
START_TEST(mapped_writes_to_code_are_told_before)
{
    struct dma_mapping w = {0};
    struct dma_fault f;
    open_with(NULL);
    dma_mapping_set(&w, (iova_t){PAGE}, 64, DMA_WRITE);
    ck_assert(dma_mapped_write(&w, &port, 8, "1234", 4, &f));
    memory_watch_code(&m.board->memory, before_code_changes, NULL);
    memory_set_code(&m.board->memory, place_of(PAGE), true);
    ck_assert(dma_mapped_write(&w, &port, 8, "5678", 4, &f));
    ck_assert_uint_eq(told, 4);
    ck_assert_int_eq(found, '1');
    memory_set_code(&m.board->memory, place_of(PAGE), false);
    machine_close(&m);
}
END_TEST

/* Memory that a device maps into the guest, and takes away again, while another has the range. */
START_TEST(what_is_unmapped_is_gone)
{
    const struct vdev_env *env;
    struct dma_mapping r = {0};
    struct dma_fault f;
    uint8_t byte = 0;
    open_with(NULL);
    env = &vm->envs[0];
    *byte_at(PAGE) = 9;
    dma_mapping_set(&r, (iova_t){0x50000000}, 64, DMA_READ);
    ck_assert(!dma_mapped_read(&r, &port, 0, &byte, 1, &f));
    ck_assert(env->map_memory(env->context, gpa(0x50000000), place_of(PAGE), PAGE_SIZE));
    ck_assert(dma_mapped_read(&r, &port, 0, &byte, 1, &f));
    ck_assert_uint_eq(byte, 9);
    ck_assert_uint_eq(r.span_count, 1);
    env->unmap_memory(env->context, gpa(0x50000000), PAGE_SIZE);
    ck_assert(!dma_mapped_read(&r, &port, 0, &byte, 1, &f));
    ck_assert_int_eq(f.kind, DMA_FAULT_TRANSLATION);
    machine_close(&m);
}
END_TEST

/* Pages of a restored snapshot come when they are looked at, also by what was mapped before. */
START_TEST(what_is_restored_is_read)
{
    struct dma_mapping r = {0};
    struct dma_fault f;
    struct bytes snapshot = {0};
    struct error e = {0};
    uint8_t byte = 6;
    open_with(NULL);
    dma_mapping_set(&r, (iova_t){PAGE}, 64, DMA_READ);
    ck_assert(dma_write(&port, (iova_t){PAGE}, &byte, 1, &f));
    ck_assert(dma_mapped_read(&r, &port, 0, &byte, 1, &f));
    snapshot_take(m.board, &snapshot);
    byte = 7;
    ck_assert(dma_write(&port, (iova_t){PAGE}, &byte, 1, &f));
    ck_assert_msg(snapshot_restore(m.board, snapshot.data, snapshot.size, &e), "%s", e.text);
    ck_assert(dma_mapped_read(&r, &port, 0, &byte, 1, &f));
    ck_assert_uint_eq(byte, 6);
    machine_close(&m);
    bytes_free(&snapshot);
}
END_TEST

/* An exit log has each read, as long as it was, whether by a mapping or not. */
START_TEST(exit_logs_have_each_read)
{
    struct exit_log log;
    struct exit_log_entry entry;
    struct dma_mapping r = {0};
    struct dma_fault f;
    uint8_t bytes[16];
    exit_log_write(&log);
    open_with(&log);
    size_t from = log.out.size;
    uint64_t last = log.out_last;
    dma_mapping_set(&r, (iova_t){PAGE}, 64, DMA_READ);
    for (uint64_t i = 1; i <= 16; i *= 2)
        ck_assert(dma_mapped_read(&r, &port, i, bytes, i, &f));
    ck_assert(!dma_read(&port, (iova_t){0x50000000}, bytes, 1, &f)); /* nothing was read */
    struct reader in = reader_of(log.out.data + from, log.out.size - from);
    for (uint64_t i = 1; i <= 16; i *= 2) {
        ck_assert(exit_log_entry_get(&in, EXIT_LOG_VERSION, last, &entry));
        ck_assert_int_eq(entry.kind, EXIT_LOG_READ);
        ck_assert(entry.memory.physical && entry.memory.ok);
        ck_assert_uint_eq(entry.memory.address, PAGE + i);
        ck_assert_uint_eq(entry.memory.size, i);
        last = entry.instructions;
    }
    ck_assert(reader_at_end(&in));
    machine_close(&m);
    exit_log_free(&log);
}
END_TEST

/* A master behind a board's SMMU: what two tables in the board's memory say, in its own addresses.
 */
START_TEST(a_boards_smmu_is_in_front_of_the_board)
{
    static const struct log log = {0};
    static const struct vdev_env env = {.log = &log};
    struct vdev *smmu = calloc(1, smmu_board_type.size);
    struct error e = {0};
    struct dma_fault f;
    struct dma_mapping held;
    hpa_t tables;
    uint64_t word = 0;
    open_with(NULL);
    ck_assert_ptr_nonnull(smmu);
    smmu->type = &smmu_board_type;
    smmu->env = &env;
    smmu->dma = board_dma_port(m.board);
    ck_assert(smmu->type->create(smmu, &e));
    struct dma_port master = smmu->type->stream_port(smmu, 3, DMA_NO_SUBSTREAM);
    ck_assert(memory_take_aligned(&m.board->memory, 16384, &tables));
    uint64_t *ste = memory_at(&m.board->memory, tables, 4096, MEMORY_WRITE);
    uint64_t *blocks = memory_at(&m.board->memory, hpa(tables.v + 8192), 8192, MEMORY_WRITE);
    ste[8 * 3] = 1 | 6 << 1; /* stage 2 by blocks of 1 GiB: 0x40000000 is where PAGE is */
    ste[8 * 3 + 2] = UINT64_C(0x040d005800000001);
    ste[8 * 3 + 3] = tables.v + 8192;
    hpa_t page = place_of(PAGE);
    blocks[1] = (page.v & ~UINT64_C(0x3fffffff)) | 0x4fd;
    struct bus_access registers[] = {{.offset = 0x80, .value = tables.v, .size = 8},
                                     {.offset = 0x88, .value = 4, .size = 4},
                                     {.offset = 0x20, .value = 1, .size = 4}};
    for (size_t i = 0; i < 3; i++) {
        registers[i].is_write = true;
        ck_assert_int_eq(smmu->type->access(smmu, 0, &registers[i]), BUS_HANDLED);
    }
    iova_t iova = {0x40000000 | (page.v & 0x3fffffff)};
    ck_assert(dma_write(&master, iova, "\1\2\3\4\5\6\7", 8, &f));
    ck_assert(vm_read(vm, gpa(PAGE), &word, 8) && word == 0x7060504030201);
    dma_mapping_set(&held, iova, 8, DMA_READ);
    ck_assert(dma_mapped_read(&held, &master, 0, &word, 8, &f));
    ck_assert_uint_eq(held.span_count, 1);
    ck_assert(!dma_read(&master, (iova_t){PAGE_SIZE}, &word, 8, &f));
    ck_assert_str_eq(f.where, "stage 2 of the SMMU");
    blocks[1] = (UINT64_C(1) << 40) | 0x4fd; /* nothing is there, and nobody says so yet */
    ck_assert(dma_mapped_read(&held, &master, 0, &word, 8, &f));
    free(smmu);
    machine_close(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("guest dma");
    tcase_add_loop_test(t, devices_keep_to_permissions, 0, 3);
    tcase_add_test(t, spans_are_together_on_the_board);
    tcase_add_test(t, registers_are_not_memory);
    tcase_add_test(t, a_write_to_the_frame_is_a_message);
    tcase_add_test(t, an_smmu_sends_messages);
    tcase_add_test(t, whoever_watches_is_told);
    tcase_add_test(t, mapped_writes_are_seen);
    tcase_add_test(t, mapped_writes_to_code_are_told_before);
    tcase_add_test(t, what_is_unmapped_is_gone);
    tcase_add_test(t, what_is_restored_is_read);
    tcase_add_test(t, exit_logs_have_each_read);
    tcase_add_test(t, a_boards_smmu_is_in_front_of_the_board);
    return suite_main("guest dma", t);
}
