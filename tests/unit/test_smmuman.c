/* Containment of passed devices, against a reference that knows nothing of tables: four masters of
 * a board that belong to four VMs make accesses anywhere, while they are let go and contained
 * again, and while their VMs' own smmuman gives and takes mappings. Each VM's memory is what its
 * own device wrote, and nothing that lies outside of it is reached. */
#include <stdio.h>

#include "hv/smmuman_internal.h"
#include "vdev/smmu/smmu_client.h"
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

/* What a VM has: two ranges of RAM, one behind the other for every second VM, and ROM. */
struct range {
    uint64_t start, size;
    bool is_rom;
    uint8_t *bytes;
    uint8_t *mapped; /* of each page: CLIENT_READ, CLIENT_WRITE, as the client has it */
};
/* What the VM's client made of it: `object` -1, its device is in none, and reaches all of the VM
 * until it was in one. */
enum { OBJECTS = 16 };
struct client {
    bool exists[OBJECTS], has_mappings[OBJECTS];
    int object;
};
struct subject {
    struct vm_config config;
    struct range ranges[3];
    bool is_contained, has_client;
    struct client client;
};

struct four {
    struct board_config board_config;
    struct subject vms[VMS];
    struct journal journal;
    struct image image;
    struct board *board;
    uint64_t random;
    bool has_clients;
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
             "pass loc 0x0a100000,0x1000,rwd=%#x intr gic:80=%u%s",
             i, (unsigned long long)second, 0x0a100000u + 0x1000u * i, 80 + i,
             f->has_clients ? " vdev smmu" : "");
    const char *words = text;
    ck_assert_msg(config_parse(&s->config, &words, 1, reader, &e), "%s", e.text);
    s->ranges[0] = (struct range){.start = 0x40000000, .size = 2 << 20};
    s->ranges[1] = (struct range){.start = second, .size = 1 << 20};
    s->ranges[2] = (struct range){.start = 0x60000000, .size = 64 << 10, .is_rom = true};
    for (unsigned k = 0; k < 3; k++) {
        s->ranges[k].bytes = calloc(1, s->ranges[k].size);
        s->ranges[k].mapped = calloc(1, s->ranges[k].size / PAGE_SIZE);
    }
    s->is_contained = true;
    s->client = (struct client){.object = -1};
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
        for (unsigned k = 0; k < 3; k++) {
            free(f->vms[i].ranges[k].bytes);
            free(f->vms[i].ranges[k].mapped);
        }
    }
    board_config_free(&f->board_config);
}

/* The reference: where the byte is kept, or NULL if the device may not have it. */
static uint8_t *byte_of(struct subject *s, uint64_t at, bool is_write)
{
    for (unsigned k = 0; k < 3; k++) {
        struct range *r = &s->ranges[k];
        if (at - r->start >= r->size)
            continue;
        uint8_t now = r->mapped[(at - r->start) / PAGE_SIZE];
        bool is_mapped = s->client.object < 0 || now & (is_write ? CLIENT_WRITE : CLIENT_READ);
        return !is_mapped || (is_write && r->is_rom) ? NULL : &r->bytes[at - r->start];
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
        smmuman_units_release(vm);
    else
        ck_assert(smmuman_contain(vm, master_of(f, i), i, &e));
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

/* Clients -----------------------------------------------------------------------------------------
 */

static void forget_mappings(struct subject *s)
{
    for (unsigned k = 0; k < 3; k++)
        memset(s->ranges[k].mapped, 0, s->ranges[k].size / PAGE_SIZE);
}

/* Pages of the VM in the range; what a mapping makes of them, and how many bytes have something. */
static uint64_t map_pages(struct subject *s, const struct smmu_client_call *c, uint32_t flags)
{
    uint64_t in_force = 0;
    for (unsigned k = 0; k < 3; k++)
        for (uint64_t at = 0; at < s->ranges[k].size; at += PAGE_SIZE) {
            struct range *r = &s->ranges[k];
            if (r->start + at - c->start >= c->length)
                continue;
            r->mapped[at / PAGE_SIZE] =
                (uint8_t)(flags & (r->is_rom ? CLIENT_READ : CLIENT_READ | CLIENT_WRITE));
            in_force += r->mapped[at / PAGE_SIZE] ? PAGE_SIZE : 0;
        }
    return in_force;
}

static int32_t expect_mapping(struct subject *s, struct smmu_client_call *c, uint64_t *in_force)
{
    bool is_added = c->request == CLIENT_ADD_MAPPING;
    if (is_added && (!c->flags || c->flags & ~7u))
        return CLIENT_EINVAL;
    if (!c->length || (c->start | c->length) % PAGE_SIZE || c->start >= UINT64_C(1) << 40 ||
        c->length > (UINT64_C(1) << 40) - c->start)
        return CLIENT_EINVAL;
    if (s->client.object != (int)c->object)
        return CLIENT_ENOENT;
    *in_force = map_pages(s, c, is_added ? c->flags : 0);
    s->client.has_mappings[c->object] |= is_added;
    return CLIENT_OK;
}

static int32_t expect_device(struct subject *s, const struct smmu_client_call *c)
{
    struct client *k = &s->client;
    if (c->type != CLIENT_DEVICE_MMIO)
        return c->type ? CLIENT_EINVAL : CLIENT_ENOENT;
    if (c->start != 0x0a100000 || c->length != 0x1000)
        return CLIENT_ENOENT;
    if (c->request == CLIENT_REMOVE_DEVICE) {
        if (k->object != (int)c->object)
            return CLIENT_ENOENT;
        k->object = OBJECTS; /* nothing, and none that there is */
        forget_mappings(s);
        return CLIENT_OK;
    }
    if (k->object >= 0 && k->object < OBJECTS && k->object != (int)c->object)
        return CLIENT_EBUSY;
    if (k->object == (int)c->object)
        return CLIENT_OK;
    k->object = (int)c->object;
    forget_mappings(s);
    return k->has_mappings[c->object] ? CLIENT_REISSUE : CLIENT_OK;
}

static int32_t expect_destroy(struct subject *s, const struct smmu_client_call *c)
{
    struct client *k = &s->client;
    if (k->object == (int)c->object) {
        k->object = OBJECTS;
        forget_mappings(s);
    }
    k->exists[c->object] = k->has_mappings[c->object] = false;
    return CLIENT_OK;
}

/* The first that does not exist; OBJECTS: there is none. */
static uint32_t free_object(const struct client *k)
{
    uint32_t i = 0;
    while (i < OBJECTS && k->exists[i])
        i++;
    return i;
}

static int32_t expect(struct subject *s, struct smmu_client_call *c, uint64_t *in_force)
{
    uint32_t fresh = free_object(&s->client);
    if (c->request == CLIENT_CREATE) {
        if (c->flags > 1)
            return CLIENT_EINVAL;
        if (fresh < OBJECTS)
            s->client.exists[fresh] = true;
        return fresh < OBJECTS ? CLIENT_OK : CLIENT_ENOSPC;
    }
    if (c->object >= OBJECTS || !s->client.exists[c->object])
        return CLIENT_ENOENT;
    if (c->request == CLIENT_DESTROY)
        return expect_destroy(s, c);
    return c->request == CLIENT_ADD_DEVICE || c->request == CLIENT_REMOVE_DEVICE
               ? expect_device(s, c)
               : expect_mapping(s, c, in_force);
}

/* Often what makes sense, and sometimes anything. */
static struct smmu_client_call some_call(struct four *f, const struct subject *s)
{
    static const enum smmu_client_request often[] = {
        CLIENT_CREATE,      CLIENT_ADD_DEVICE,  CLIENT_ADD_MAPPING,    CLIENT_ADD_MAPPING,
        CLIENT_ADD_MAPPING, CLIENT_ADD_MAPPING, CLIENT_REMOVE_MAPPING, CLIENT_REMOVE_MAPPING,
    };
    uint64_t kind = next(f) % 200;
    const struct range *r = &s->ranges[next(f) % 3];
    struct smmu_client_call c = {
        .request = kind == 0   ? CLIENT_DESTROY
                   : kind == 1 ? CLIENT_REMOVE_DEVICE
                               : often[next(f) % 8],
        .object = next(f) % 8 && s->client.object >= 0 ? (uint32_t)s->client.object
                                                       : (uint32_t)(next(f) % (OBJECTS + 1)),
        .flags = (uint32_t)(next(f) % 4),
        .start = r->start + next(f) % (r->size + (64 << 10)) - (32 << 10),
        .length = next(f) % (1 << next(f) % 22),
    };
    if (next(f) % 16) {
        c.start &= ~(uint64_t)PAGE_MASK;
        c.length = (c.length + PAGE_SIZE) & ~(uint64_t)PAGE_MASK;
    }
    if (next(f) % 32 == 0)
        c.length = next(f), c.start = next(f), c.flags = (uint32_t)next(f);
    if (c.request == CLIENT_ADD_DEVICE || c.request == CLIENT_REMOVE_DEVICE) {
        c.type = next(f) % 16 ? CLIENT_DEVICE_MMIO : (uint32_t)(next(f) % 3);
        c.start = next(f) % 16 ? 0x0a100000 : next(f);
        c.length = next(f) % 16 ? 0x1000 : next(f);
    }
    return c;
}

static void ask(struct four *f)
{
    unsigned i = (unsigned)(next(f) % VMS);
    struct subject *s = &f->vms[i];
    struct smmu_client_call c = some_call(f, s), asked = c;
    uint64_t in_force = 0;
    uint32_t fresh = free_object(&s->client);
    int32_t expected = expect(s, &c, &in_force);
    smmuman_client_call(f->board->vms[i], &c);
    if (c.result != expected || c.in_force != in_force)
        ck_abort_msg("VM %u: request %u of object %u: %d, not %d; %#llx, not %#llx bytes", i,
                     asked.request, asked.object, c.result, expected,
                     (unsigned long long)c.in_force, (unsigned long long)in_force);
    if (asked.request == CLIENT_CREATE && !expected)
        ck_assert_uint_eq(c.object, fresh);
}

/* Transgressions of one are no other's, and all of them are there: those kept, and how many more.
 */
static void check_records(struct four *f)
{
    for (unsigned i = 0; i < VMS; i++) {
        struct smmu_client_call c = {.request = CLIENT_STATUS,
                                     .object = (uint32_t)f->vms[i].client.object};
        if (c.object >= OBJECTS)
            continue;
        unsigned kept = 0;
        do {
            smmuman_client_call(f->board->vms[i], &c);
            ck_assert_int_eq(c.result, CLIENT_OK);
            ck_assert(!c.record.hw_specific || c.record.start == 0x0a100000);
            kept += c.record.hw_specific != 0;
        } while (c.record.hw_specific);
        ck_assert_uint_eq(kept, 8);
    }
}

/* What smmuman and its SMMUs are, into `state`; or from there: false, if that cannot be. */
static void save(struct four *f, struct bytes *state)
{
    struct state s = state_saving(state);
    smmuman_visit(f->board, &s);
}

static bool restore(struct four *f, const struct bytes *state)
{
    struct reader in = reader_of(state->data, state->size);
    struct state s = state_restoring(&in);
    smmuman_visit(f->board, &s);
    return state_is_good(&s);
}

static uint8_t *field_of(struct vdev *v, const char *name)
{
    const struct field *field = v->type->fields;
    while (strcmp(field->name, name) != 0)
        field++;
    return (uint8_t *)v + field->offset;
}

/* Commands are what smmuman cannot do without; where its events are read from is another thing. */
START_TEST(an_smmu_that_takes_no_commands_is_not_restored)
{
    static const char *const fields[] = {"cr0",       "gerror",    "cmdq_base",
                                         "cmdq_prod", "cmdq_cons", "eventq_cons"};
    static const uint32_t waits = 0xd503207f; /* wfi */
    static struct four f = {.image = {&waits, 1}};
    struct bytes good = {0}, state = {0};
    four_open(&f);
    save(&f, &good);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        ck_assert(restore(&f, &good));
        bytes_clear(&state);
        *field_of(f.board->smmuman->units[1].v, fields[i]) ^= 1;
        save(&f, &state);
        ck_assert(restore(&f, &good));
        ck_assert_msg(restore(&f, &state) == (i == 5), "%s", fields[i]);
    }
    ck_assert(restore(&f, &good));
    bytes_free(&good);
    bytes_free(&state);
    four_close(&f);
}
END_TEST
START_TEST(nothing_escapes_clients)
{
    static const uint32_t waits = 0xd503207f; /* wfi */
    static struct four f = {
        .image = {&waits, 1}, .random = UINT64_C(0x9e3779b97f4a7c15), .has_clients = true};
    four_open(&f);
    learn_memory(&f);
    uint64_t free_before = memory_available(&f.board->memory);
    for (unsigned n = 0; n < ACCESSES; n++) {
        if (next(&f) % 20 == 0)
            ask(&f);
        one_access(&f);
    }
    check_memory(&f);
    check_records(&f);
    ck_assert_uint_eq(memory_available(&f.board->memory), free_before);
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

/* The status report, as one text. */
static char report[4096];

static void on_log(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                   const char *line)
{
    (void)context;
    (void)vm;
    (void)severity;
    (void)outlets;
    size_t used = strlen(report);
    snprintf(report + used, sizeof report - used, "%s\n", line);
}

static void status_says(const struct vm *vm, const char *what)
{
    report[0] = '\0';
    vm_log_status(vm);
    ck_assert_msg(strstr(report, what), "%s", report);
}

/* A guest whose addresses are the board's starts where nothing contains its device, which reaches
 * everything then. */
START_TEST(one_to_one_is_unrestricted)
{
    static const uint32_t waits = 0xd503207f; /* wfi */
    const char *words = "board one ram 0x40000000,64M region low 0x40000000,1M "
                        "device dma-master loc 0x0a100000 intr 80 dma on";
    const char *text = "pass loc 0x40000000,1M,rwxm load 0x40000000,image "
                       "pass loc 0x0a100000,0x1000,rwd intr gic:80=80 vdev smmu";
    static struct four f = {.image = {&waits, 1}};
    struct vm_config config;
    struct config_reader reader = {0};
    struct board_options options = {BOARD_NO_LIMITS, .log_severities = LOG_SEVERITY_INFO};
    struct board_sinks sinks = {.idle = on_idle, .log = on_log};
    struct error e = {0};
    struct dma_fault fault;
    uint64_t written = 0x1122334455667788, seen = 0;
    ck_assert_msg(board_config_parse(&f.board_config, &words, 1, &reader, &e), "%s", e.text);
    reader.board = &f.board_config;
    ck_assert_msg(config_parse(&config, &text, 1, &reader, &e), "%s", e.text);
    journal_live(&f.journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &f.image});
    f.board = board_new(&f.board_config, &config, 1, &f.journal, &options, &sinks, &e);
    ck_assert_msg(f.board, "%s", e.text);
    const struct dma_port *port = &master_of(&f, 0)->dma;
    ck_assert(dma_write(port, (iova_t){0x42000000}, &written, 8, &fault));
    ck_assert(dma_read(port, (iova_t){0x42000000}, &seen, 8, &fault) && seen == written);
    ck_assert(!dma_read(port, (iova_t){0x0a100000}, &seen, 8, &fault));
    status_says(f.board->vms[0], "the device at 0xa100000 is unrestricted: it reaches all memory");
    /* Nothing of it is its client's to contain. */
    struct smmu_client_call c = {.request = CLIENT_CREATE};
    smmuman_client_call(f.board->vms[0], &c);
    ck_assert_int_eq(c.result, CLIENT_OK);
    c = (struct smmu_client_call){.request = CLIENT_ADD_DEVICE,
                                  .type = CLIENT_DEVICE_MMIO,
                                  .start = 0x0a100000,
                                  .length = 0x1000};
    smmuman_client_call(f.board->vms[0], &c);
    ck_assert_int_eq(c.result, CLIENT_ENOENT);
    /* Nor is it so by what a snapshot says. */
    struct bytes state = {0};
    f.board->smmuman->object_of[0] = 1;
    save(&f, &state);
    ck_assert(!restore(&f, &state));
    f.board->smmuman->object_of[0] = 0;
    f.board->smmuman->groups[0].reach = REACHES_NOTHING;
    smmuman_client_call(f.board->vms[0], &c);
    ck_assert_int_eq(c.result, CLIENT_ENOENT);
    bytes_free(&state);
    board_free(f.board);
    journal_free(&f.journal);
    config_free(&config);
    board_config_free(&f.board_config);
}
END_TEST

/* Devices of one stream go into one object together, and out of it with the last. */
START_TEST(groups_are_contained_together)
{
    static const uint32_t waits = 0xd503207f; /* wfi */
    const char *words = "board two ram 0x80000000,64M smmu smmu0 loc 0x2b400000 streams 0,64 "
                        "device dma-master loc 0x0a100000 intr 80 stream 3 dma on "
                        "device dma-master loc 0x0a101000 intr 81 stream 3 dma on";
    const char *text = "ram 0x40000000,1M load 0x40000000,image vdev smmu "
                       "pass loc 0x0a100000,0x2000,rwd intr gic:80=80 intr gic:81=81";
    static const struct {
        enum smmu_client_request request;
        uint32_t object;
        uint64_t start;
        int32_t result;
        bool reaches; /* the first page, by either device */
    } steps[] = {
        {CLIENT_CREATE, 0, 0, CLIENT_OK, true},
        {CLIENT_CREATE, 0, 0, CLIENT_OK, true},
        {CLIENT_ADD_DEVICE, 0, 0x0a100000, CLIENT_OK, false},
        {CLIENT_ADD_DEVICE, 1, 0x0a101000, CLIENT_EBUSY, false},
        {CLIENT_ADD_MAPPING, 0, 0x40000000, CLIENT_OK, true},
        {CLIENT_ADD_DEVICE, 0, 0x0a101000, CLIENT_OK, true},
        {CLIENT_REMOVE_DEVICE, 0, 0x0a100000, CLIENT_OK, true},
        {CLIENT_REMOVE_DEVICE, 0, 0x0a101000, CLIENT_OK, false},
        {CLIENT_ADD_DEVICE, 0, 0x0a101000, CLIENT_REISSUE, false},
        {CLIENT_ADD_MAPPING, 0, 0x40000000, CLIENT_OK, true},
        {CLIENT_DESTROY, 0, 0, CLIENT_OK, false},
        {CLIENT_ADD_DEVICE, 1, 0x0a101000, CLIENT_OK, false},
    };
    static struct four f = {.image = {&waits, 1}};
    struct vm_config config;
    struct config_reader reader = {0};
    struct board_options options = {BOARD_NO_LIMITS, .log_severities = LOG_SEVERITY_INFO};
    struct board_sinks sinks = {.idle = on_idle, .log = on_log};
    struct error e = {0};
    ck_assert_msg(board_config_parse(&f.board_config, &words, 1, &reader, &e), "%s", e.text);
    reader.board = &f.board_config;
    ck_assert_msg(config_parse(&config, &text, 1, &reader, &e), "%s", e.text);
    journal_live(&f.journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &f.image});
    f.board = board_new(&f.board_config, &config, 1, &f.journal, &options, &sinks, &e);
    ck_assert_msg(f.board, "%s", e.text);
    struct vm *vm = f.board->vms[0];
    status_says(vm, "the device at 0xa100000 or the one at 0xa101000 is contained: it reaches the "
                    "VM's memory\n");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct smmu_client_call c = {.request = steps[i].request,
                                     .object = steps[i].object,
                                     .type = CLIENT_DEVICE_MMIO,
                                     .start = steps[i].start,
                                     .length = steps[i].request == CLIENT_CREATE ? 0 : 0x1000,
                                     .flags = steps[i].request == CLIENT_ADD_MAPPING};
        smmuman_client_call(vm, &c);
        ck_assert_msg(c.result == steps[i].result, "step %zu: %d", i, c.result);
        for (size_t k = 1; k <= 2; k++) {
            struct dma_fault fault;
            uint8_t byte;
            bool ok = dma_read(&vm->vdevs[vm->vdev_count - k]->dma, (iova_t){0x40000000}, &byte, 1,
                               &fault);
            ck_assert_msg(ok == steps[i].reaches, "step %zu, device %zu", i, k);
        }
    }
    status_says(vm, "contained: it reaches what the VM's client maps of the VM's memory");
    status_says(vm, "of the device at 0xa100000 or the one at 0xa101000, stream 3, are recorded");
    board_free(f.board);
    journal_free(&f.journal);
    config_free(&config);
    board_config_free(&f.board_config);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("smmuman");
    tcase_add_test(t, nothing_escapes);
    tcase_add_test(t, an_smmu_that_takes_no_commands_is_not_restored);
    tcase_add_test(t, nothing_escapes_clients);
    tcase_add_test(t, streams_are_not_shared);
    tcase_add_test(t, one_to_one_is_unrestricted);
    tcase_add_test(t, groups_are_contained_together);
    return suite_main("smmuman", t);
}
