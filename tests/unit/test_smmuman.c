/* Containment of passed devices, against a reference that knows nothing of tables: four masters of
 * a board that belong to four VMs make accesses anywhere, while they are let go and contained
 * again. Each VM's memory is what its own device wrote, and nothing that lies outside of it is
 * reached. */
#include <stdio.h>

#include "hv/hv_internal.h"
#include "test_board_fixture.h"

enum { VMS = 4, ACCESSES = 1000000, LONGEST = 300 };

static const char board_text[] =
    "board four ram 0x80000000,64M ram 0x200000000,64M "
    "device dma-master name m0 loc 0x0a100000 intr 80 stream 3 dma on "
    "device dma-master name m1 loc 0x0a101000 intr 81 stream 70 dma on "
    "device dma-master name m2 loc 0x0a102000 intr 82 stream 9 dma on "
    "device dma-master name m3 loc 0x0a103000 intr 83 stream 64 dma on "
    "smmu smmu0 loc 0x2b400000 streams 0,64 "
    "smmu smmu1 loc 0x2b420000 streams 64,64";
static const uint32_t streams[VMS] = {3, 70, 9, 64};

/* What a VM has: two ranges of RAM, one behind the other for every second VM, and ROM. */
struct range {
    uint64_t start, size;
    bool is_rom;
    uint8_t *bytes;
};
struct subject {
    struct vm_config config;
    struct range ranges[3];
    bool is_contained;
};

struct four {
    struct board_config board_config;
    struct subject vms[VMS];
    struct journal journal;
    struct image image;
    struct board *board;
    uint64_t random;
};

static uint64_t next(struct four *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

static void make_vm_config(struct four *f, unsigned i, struct config_reader *reader)
{
    struct subject *s = &f->vms[i];
    struct error e = {0};
    char text[512];
    uint64_t second = i % 2 ? 0x40200000u + 0x100000u * i : 0x40200000u;
    snprintf(text, sizeof text,
             "system v%u ram 0x40000000,2M ram %#llx,1M rom 0x60000000,64K load 0x40000000,image "
             "pass loc 0x0a100000,0x1000,rwd=%#x intr gic:80=%u",
             i, (unsigned long long)second, 0x0a100000u + 0x1000u * i, 80 + i);
    const char *words = text;
    ck_assert_msg(config_parse(&s->config, &words, 1, reader, &e), "%s", e.text);
    s->ranges[0] = (struct range){0x40000000, 2 << 20, false, calloc(1, 2 << 20)};
    s->ranges[1] = (struct range){second, 1 << 20, false, calloc(1, 1 << 20)};
    s->ranges[2] = (struct range){0x60000000, 64 << 10, true, calloc(1, 64 << 10)};
    s->is_contained = true;
}

static void four_open(struct four *f)
{
    struct error e = {0};
    const char *words = board_text;
    struct config_reader reader = {0};
    struct board_options options = {BOARD_NO_LIMITS};
    struct board_sinks sinks = {.idle = on_idle};
    struct vm_config configs[VMS];
    ck_assert_msg(board_config_parse(&f->board_config, &words, 1, &reader, &e), "%s", e.text);
    reader.board = &f->board_config;
    for (unsigned i = 0; i < VMS; i++) {
        make_vm_config(f, i, &reader);
        configs[i] = f->vms[i].config;
    }
    static struct vm_config kept[VMS];
    memcpy(kept, configs, sizeof kept);
    journal_live(&f->journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &f->image});
    f->board = board_new(&f->board_config, kept, VMS, &f->journal, &options, &sinks, &e);
    ck_assert_msg(f->board, "%s", e.text);
}

static void four_close(struct four *f)
{
    board_free(f->board);
    journal_free(&f->journal);
    for (unsigned i = 0; i < VMS; i++) {
        config_free(&f->vms[i].config);
        for (unsigned k = 0; k < 3; k++)
            free(f->vms[i].ranges[k].bytes);
    }
    board_config_free(&f->board_config);
}

/* The reference: where the byte is kept, or NULL if the device may not have it. */
static uint8_t *byte_of(struct subject *s, uint64_t at, bool is_write)
{
    for (unsigned k = 0; k < 3; k++) {
        struct range *r = &s->ranges[k];
        if (at - r->start < r->size)
            return is_write && r->is_rom ? NULL : &r->bytes[at - r->start];
    }
    return NULL;
}

static bool may(struct subject *s, uint64_t at, size_t size, bool is_write)
{
    bool all = s->is_contained;
    for (size_t i = 0; i < size && all; i++)
        all = byte_of(s, at + i, is_write) != NULL;
    return all;
}

/* Near the ends of what somebody has, in it, at host-physical addresses, or anywhere. */
static uint64_t some_address(struct four *f)
{
    struct subject *s = &f->vms[next(f) % VMS];
    struct range *r = &s->ranges[next(f) % 3];
    uint64_t kind = next(f) % 8;
    if (kind < 2)
        return r->start + r->size - next(f) % (2 * LONGEST);
    if (kind < 6)
        return r->start + next(f) % r->size;
    if (kind == 6)
        return (next(f) & 1 ? 0x80000000 : 0x200000000) + next(f) % (64 << 20);
    return next(f);
}

static struct vdev *master_of(struct four *f, unsigned i)
{
    struct vm *vm = f->board->vms[i];
    return vm->vdevs[vm->vdev_count - 1];
}

static void one_access(struct four *f)
{
    unsigned i = (unsigned)(next(f) % VMS);
    struct subject *s = &f->vms[i];
    const struct dma_port *port = &master_of(f, i)->dma;
    uint64_t at = some_address(f);
    size_t size = 1 + next(f) % LONGEST;
    bool is_write = next(f) & 1, allowed = may(s, at, size, is_write);
    uint8_t bytes[LONGEST];
    struct dma_fault fault = {0};
    memset(bytes, (int)next(f), sizeof bytes);
    bool done = is_write ? dma_write(port, (iova_t){at}, bytes, size, &fault)
                         : dma_read(port, (iova_t){at}, bytes, size, &fault);
    if (done != allowed)
        ck_abort_msg("VM %u: %s of %#llx, %zu bytes: %s", i, is_write ? "write" : "read",
                     (unsigned long long)at, size, done ? "let through" : "refused");
    /* What lies before the refused byte may have been written. */
    for (size_t k = 0; k < size && is_write && s->is_contained; k++) {
        uint8_t *byte = byte_of(s, at + k, true);
        uint8_t now;
        if (!byte)
            break;
        if (!done && vm_read(f->board->vms[i], gpa(at + k), &now, 1) && now == *byte)
            continue;
        *byte = bytes[k];
    }
    for (size_t k = 0; k < size && done && !is_write; k++)
        if (bytes[k] != *byte_of(s, at + k, false))
            ck_abort_msg("VM %u: byte %#llx is not its own", i, (unsigned long long)(at + k));
}

static void reconfigure(struct four *f)
{
    unsigned i = (unsigned)(next(f) % VMS);
    struct vm *vm = f->board->vms[i];
    struct error e = {0};
    if (f->vms[i].is_contained)
        smmuman_release(vm);
    else
        ck_assert(smmuman_contain(vm, master_of(f, i), streams[i], &e));
    f->vms[i].is_contained = !f->vms[i].is_contained;
}

static void check_memory(struct four *f)
{
    static uint8_t now[2 << 20];
    for (unsigned i = 0; i < VMS; i++)
        for (unsigned k = 0; k < 3; k++) {
            struct range *r = &f->vms[i].ranges[k];
            ck_assert(vm_read(f->board->vms[i], gpa(r->start), now, r->size));
            ck_assert_msg(memcmp(now, r->bytes, r->size) == 0, "VM %u, range %u", i, k);
        }
}

/* The guest tree and whatever else assembly put into memory. */
static void learn_memory(struct four *f)
{
    for (unsigned i = 0; i < VMS; i++)
        for (unsigned k = 0; k < 3; k++) {
            struct range *r = &f->vms[i].ranges[k];
            ck_assert(vm_read(f->board->vms[i], gpa(r->start), r->bytes, r->size));
        }
}

START_TEST(nothing_escapes)
{
    static const uint32_t waits = 0xd503207f; /* wfi */
    static struct four f = {.image = {&waits, 1}, .random = UINT64_C(0x2545f4914f6cdd1d)};
    four_open(&f);
    learn_memory(&f);
    for (unsigned n = 0; n < ACCESSES; n++) {
        if (next(&f) % 500 == 0)
            reconfigure(&f);
        one_access(&f);
    }
    check_memory(&f);
    four_close(&f);
}
END_TEST

/* What one may reach the other could: no two VMs have devices of one stream. */
START_TEST(streams_are_not_shared)
{
    static const uint32_t waits = 0xd503207f; /* wfi */
    const char *words = "board two ram 0x80000000,64M smmu smmu0 loc 0x2b400000 streams 0,64 "
                        "device dma-master loc 0x0a100000 intr 80 stream 3 dma on "
                        "device dma-master loc 0x0a101000 intr 81 stream 3 dma on";
    const char *texts[2] = {"system a ram 0x40000000,1M load 0x40000000,image "
                            "pass loc 0x0a100000,0x1000,rwd intr gic:80=80",
                            "system b ram 0x40000000,1M load 0x40000000,image "
                            "pass loc 0x0a101000,0x1000,rwd intr gic:81=81"};
    static struct four f = {.image = {&waits, 1}};
    struct vm_config configs[2];
    struct config_reader reader = {0};
    struct board_options options = {BOARD_NO_LIMITS};
    struct board_sinks sinks = {.idle = on_idle};
    struct error e = {0};
    ck_assert_msg(board_config_parse(&f.board_config, &words, 1, &reader, &e), "%s", e.text);
    reader.board = &f.board_config;
    for (unsigned i = 0; i < 2; i++)
        ck_assert_msg(config_parse(&configs[i], &texts[i], 1, &reader, &e), "%s", e.text);
    journal_live(&f.journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &f.image});
    ck_assert_ptr_null(board_new(&f.board_config, configs, 2, &f.journal, &options, &sinks, &e));
    ck_assert_msg(strstr(e.text, "has stream 3, as one has that belongs to VM a"), "%s", e.text);
    journal_free(&f.journal);
    for (unsigned i = 0; i < 2; i++)
        config_free(&configs[i]);
    board_config_free(&f.board_config);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("smmuman");
    tcase_add_test(t, nothing_escapes);
    tcase_add_test(t, streams_are_not_shared);
    return suite_main("smmuman", t);
}
