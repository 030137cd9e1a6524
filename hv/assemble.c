/* Assembly of a board and its VMs, from top to bottom in the documented order: stage 2 and memory,
 * vCPUs, devices, blobs, start. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/machine.h"
#include "hv/hv_internal.h"
#include "hv/exitlog/exit_log.h"

#define IPA_BITS_MIN      40
#define BOARD_SLACK_BYTES ((uint64_t)16 << 20) /* tables, and alignment losses of the allocator */
#define DEFAULT_QUANTUM   100000

/* What the VMs ask for, all together. */
static uint64_t memory_needed(const struct vm_config *configs, size_t count)
{
    uint64_t need = BOARD_SLACK_BYTES + shared_memory_need(configs, count);
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < configs[i].ram_count; r++)
            need += configs[i].rams[r].length;
    return need;
}

/* The allocator keeps away from holes and from what the board sets aside. */
static bool reserve(struct board *b, uint64_t start, uint64_t length, struct error *e)
{
    for (size_t i = 0; i < b->config->bank_count; i++) {
        const struct board_range *bank = &b->config->banks[i];
        if (start >= bank->start && start - bank->start < bank->length)
            return memory_reserve(&b->memory, hpa(start), length, e);
    }
    return true;
}

/* The default board is as large as the VMs want it: the largest of their ranges is what the host
 * has no room for. */
static bool no_room(const struct vm_config *configs, size_t count, struct error *e)
{
    const struct ram_config *largest = NULL;
    struct error cause = *e;
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < configs[i].ram_count; r++)
            if (!largest || configs[i].rams[r].length > largest->length)
                largest = &configs[i].rams[r];
    if (largest) {
        *e = (struct error){0};
        error_at(e, largest->place.file, largest->place.line,
                 "%s of 0x%" PRIx64 " bytes is too much for this host: %s",
                 largest->is_rom ? "rom" : "ram", largest->length, cause.text);
    }
    return error_exit_status(e, STATUS_NOT_STARTED);
}

static bool add_banks(struct memory *m, const struct board_config *c, struct error *e)
{
    for (size_t i = 0; i < c->bank_count; i++)
        if (!memory_add_bank(m, hpa(c->banks[i].start), c->banks[i].length, e))
            return false;
    return true;
}

static bool add_memory(struct board *b, const struct vm_config *configs, size_t count,
                       struct error *e)
{
    const struct board_config *c = b->config;
    if (!add_banks(&b->memory, c, e))
        return c == &b->default_config ? no_room(configs, count, e)
                                       : error_exit_status(e, STATUS_NOT_STARTED);
    for (size_t i = 0; i < c->hole_count; i++)
        if (!reserve(b, c->holes[i].start, c->holes[i].length, e))
            return false;
    for (size_t i = 0; i < c->region_count; i++)
        if (!reserve(b, c->regions[i].start, c->regions[i].length, e))
            return false;
    return true;
}

/* Guest-contiguous memory out of scattered host-physical chunks. */
static bool map_ram(struct vm *vm, const struct ram_config *ram, struct error *e)
{
    struct memory *m = &vm->board->memory;
    unsigned attributes = PERMIT_R | PERMIT_X | (ram->is_rom ? 0u : (unsigned)PERMIT_W);
    for (uint64_t done = 0; done < ram->length;) {
        struct memory_chunk chunk;
        if (!memory_take(m, ram->length - done, &chunk)) {
            error_at(e, ram->place.file, ram->place.line,
                     "the board has no %llu KiB left for %s of %llu KiB",
                     (unsigned long long)((ram->length - done) >> 10), ram->is_rom ? "rom" : "ram",
                     (unsigned long long)(ram->length >> 10));
            return error_exit_status(e, STATUS_NOT_STARTED);
        }
        if (!guest_tables_map(vm->tables, m, gpa(ram->start + done), chunk.base, chunk.size,
                              attributes, e))
            return error_exit_status(e, STATUS_NOT_STARTED);
        done += chunk.size;
    }
    return true;
}

/* Enough for the highest guest-physical address that is memory. */
static unsigned ipa_bits(const struct vm_config *config)
{
    unsigned bits = IPA_BITS_MIN;
    for (size_t i = 0; i < config->ram_count; i++)
        while (bits < 48 && (config->rams[i].start + config->rams[i].length - 1) >> bits)
            bits++;
    for (size_t i = 0; i < config->pass_count; i++)
        while (bits < 48 && (config->passes[i].guest + config->passes[i].length - 1) >> bits)
            bits++;
    return bits;
}

static bool map_memory(struct vm *vm, struct error *e)
{
    vm->ipa_bits = ipa_bits(vm->config);
    vm->tables = guest_tables_new(vm->arch->cpu->tables, &vm->board->memory, vm->ipa_bits, e);
    if (!vm->tables)
        return error_exit_status(e, STATUS_NOT_STARTED);
    for (size_t i = 0; i < vm->config->ram_count; i++)
        if (!map_ram(vm, &vm->config->rams[i], e))
            return false;
    return true;
}

static bool plays_exit_log(const struct board *b)
{
    return b->options.exit_log && b->options.exit_log->mode == EXIT_LOG_PLAYS;
}

/* vCPUs -------------------------------------------------------------------------------------------
 */

static void set_line(void *context, unsigned vcpu, enum cpu_line line, bool level)
{
    struct vm *vm = context;
    if (line == CPU_LINE_PMU) /* what it counts is in the guest's code; timers are ours to know */
        exit_log_pmu(vm, vcpu, level);
    pic_set_local(vm->pic, vcpu, line, level);
}

static void note_pmu_due(void *context, unsigned vcpu, uint64_t due_ticks, bool changes)
{
    exit_log_pmu_due(context, vcpu, due_ticks, changes);
}

static void note_timer(void *context, unsigned vcpu, unsigned timer, unsigned reg, uint64_t value)
{
    exit_log_timer(context, vcpu, timer, reg, value);
}

static uint64_t allowed_pcpus(const struct board *b, const struct cpu_config *cpu)
{
    uint64_t cluster;
    if (cpu->cluster && board_cluster_find(b->config, cpu->cluster, &cluster))
        return cluster;
    return cpu->runmask;
}

static bool make_vcpus(struct vm *vm, struct error *e)
{
    struct board *b = vm->board;
    uint64_t offset = vm->config->counter_offset;
    vm->world = (struct vcpu_world){
        .arch = vm->arch->cpu,
        .engine = b->engine,
        .memory = &b->memory,
        .tables = vm->tables,
        .vtime = &b->vtime,
        .events = &b->events,
        .semihosting = vm->config->semihosting_dir != NULL,
        /* All ones: the guest's counter starts at 0, as does the board's. */
        .counter_offset = offset == UINT64_MAX ? 0 : offset,
        .vcpus = vm->vcpus,
        .vcpu_count = (unsigned)vm->config->cpu_count,
        .exit = exit_dispatch,
        .set_line = set_line,
        .pmu_due = note_pmu_due,
        .timer = note_timer,
        .plays_exit_log = plays_exit_log(b),
        .quirks = b->options.quirks,
        .coherent = !vm->config->icache_exact && !(b->options.quirks & QUIRK_STALE_CODE),
        .log = &vm->log,
        .context = vm,
    };
    for (unsigned i = 0; i < vm->world.vcpu_count; i++) {
        vm->vcpus[i] = vcpu_new(&vm->world, i, e);
        if (!vm->vcpus[i])
            return false;
        vm->vcpu_count++;
        schedule_add(&b->schedule, vm->vcpus[i], vm, &vm->config->cpus[i],
                     allowed_pcpus(b, &vm->config->cpus[i]));
        event_vcpu_created(b, vm, i);
    }
    return true;
}

/* A VM, a board
 * ------------------------------------------------------------------------------------ */

static bool make_vm(struct board *b, const struct vm_config *config, struct error *e)
{
    struct vm *vm = calloc(1, sizeof *vm);
    CHECK_ROOM(vm);
    vm->board = b;
    vm->number = (unsigned)b->vm_count;
    vm->config = config;
    vm->arch = vm_arch_of(config->cpu_model);
    vm_name(config, vm->number, vm->name, sizeof vm->name);
    loggers_init(vm);
    sha256_init(&vm->output);
    vm->input_retry = (struct event){.name = "input retry", .fire = input_retry, .context = vm};
    event_add(&b->events, &vm->input_retry);
    inject_make(vm);
    b->vms[b->vm_count++] = vm;
    if (config->semihosting_dir)
        vm->semihosting = semihosting_new(config->semihosting_dir, b->options.quirks);
    if (!map_memory(vm, e) || !make_vcpus(vm, e) || !pass_map(vm, e))
        return false;
    vm->devices_added = b->events.added;
    vm->channel_count = VM_VDEVS_MAX;
    return devices_make(vm, e) && (b->options.from_snapshot || blobs_load(vm, e));
}

static void free_vm(struct vm *vm)
{
    devices_free(vm);
    inject_free(vm);
    for (size_t i = 0; i < VM_CHANNELS; i++)
        free(vm->pending[i].data);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_free(vm->vcpus[i]);
    semihosting_free(vm->semihosting);
    guest_tables_free(vm->tables);
    free(vm);
}

static bool read_wall_clock(struct board *b, struct error *e)
{
    struct bytes clock = {0};
    bool ok = journal_pull(b->journal, PULL_WALL_CLOCK, "wall clock", 8, &clock, e);
    b->wall_clock_s = clock.size == 8 ? load_le(clock.data, 8) : 0;
    bytes_free(&clock);
    return ok;
}

static bool same_engine(const struct vm_config *configs, size_t count, struct error *e)
{
    if (count > BOARD_VMS_MAX)
        return error_set(e, "more than %d VMs on one board", BOARD_VMS_MAX);
    for (size_t i = 1; i < count; i++)
        if (strcmp(configs[i].cpu_model, configs[0].cpu_model) != 0 ||
            configs[i].clock_rate_hz != configs[0].clock_rate_hz)
            return error_set(e, "VMs of one board must agree in cpu-model and clock-rate");
    return true;
}

/* A VM's name is where the host finds it, and what its console lines begin with. */
static bool different_names(const struct vm_config *configs, size_t count, struct error *e)
{
    char name[VM_NAME_SIZE], other[VM_NAME_SIZE];
    for (size_t i = 1; i < count; i++) {
        vm_name(&configs[i], i, name, sizeof name);
        for (size_t k = 0; k < i; k++) {
            vm_name(&configs[k], k, other, sizeof other);
            if (strcmp(name, other) == 0)
                return error_set(e,
                                 "VM %zu and VM %zu of the board are both called '%s': `system` "
                                 "gives each a name of its own",
                                 k + 1, i + 1, name);
        }
    }
    return true;
}

static enum engine_pause pause_on(const struct board *b, size_t vcpus)
{
    if (!(b->options.quirks & QUIRK_WFE_RUNS))
        return PAUSE_WAITS;
    return vcpus > 1 ? PAUSE_YIELDS : PAUSE_RUNS;
}

static bool assemble(struct board *b, const struct vm_config *configs, size_t count,
                     struct error *e)
{
    size_t vcpus = 0;
    for (size_t i = 0; i < count; i++)
        vcpus += configs[i].cpu_count;
    if (!same_engine(configs, count, e) || !different_names(configs, count, e) ||
        !read_wall_clock(b, e) || !add_memory(b, configs, count, e) ||
        !stores_make(b, configs, count, e))
        return false;
    schedule_init(&b->schedule, vcpus, b->config->cpu_count, &b->vtime);
    b->engine = plays_exit_log(b) ? exit_log_engine(b->options.exit_log, b)
                                  : vm_arch_of(configs[0].cpu_model)
                                        ->cpu->new_engine(configs[0].cpu_model, pause_on(b, vcpus),
                                                          &b->memory, e);
    if (!b->engine)
        return false;
    if (!shared_memory_make(b, configs, count, e) ||
        !smmuman_make(b, board_dma_port(b), configs, count, e) ||
        !network_make(configs, count, &b->network, e))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!make_vm(b, &configs[i], e))
            return false;
    return true;
}

bool board_fits_host(const struct board_config *config, const struct vm_config *configs,
                     size_t count, struct error *e)
{
    struct board_config own = {0};
    struct memory memory = {0};
    if (!config)
        board_config_default(&own, memory_needed(configs, count));
    bool fits = add_banks(&memory, config ? config : &own, e) ||
                (config ? false : no_room(configs, count, e));
    memory_free(&memory);
    board_config_free(&own);
    return fits;
}

static uint64_t earliest_limit(const struct board_options *o, uint64_t rate_hz)
{
    unsigned __int128 by_ns = (unsigned __int128)o->limit_ns * rate_hz / 1000000000;
    bool is_earlier = o->limit_ns != UINT64_MAX && by_ns < o->limit_ticks;
    return is_earlier ? (uint64_t)by_ns : o->limit_ticks;
}

struct board *board_new(const struct board_config *config, const struct vm_config *configs,
                        size_t count, struct journal *journal, const struct board_options *options,
                        const struct board_sinks *sinks, struct error *e)
{
    struct board *b = calloc(1, sizeof *b);
    CHECK_ROOM(b);
    b->journal = journal;
    b->options = *options;
    if (!b->options.quantum)
        b->options.quantum = DEFAULT_QUANTUM;
    b->next_digest = options->digest_every ? options->digest_every : UINT64_MAX;
    b->sinks = *sinks;
    b->frame_buffer = malloc(VDEV_FRAME_MAX);
    CHECK_ROOM(b->frame_buffer);
    b->vtime.rate_hz = configs[0].clock_rate_hz;
    snapshot_plan(b);
    b->end_ticks = vtime_end_ticks(b->vtime.rate_hz);
    b->options.limit_ticks = earliest_limit(options, b->vtime.rate_hz);
    check_set_context(&b->where);
    b->config = config;
    if (!config) {
        board_config_default(&b->default_config, memory_needed(configs, count));
        b->config = &b->default_config;
    }
    if (assemble(b, configs, count, e)) {
        if (options->chaos.on)
            chaos_start(b, options->chaos.seed);
        inject_plan(b);
        return b;
    }
    error_exit_status(e, STATUS_CONFIGURATION);
    board_free(b);
    return NULL;
}

void board_free(struct board *b)
{
    if (!b)
        return;
    check_set_context(NULL);
    for (size_t i = b->vm_count; i-- > 0;)
        free_vm(b->vms[i]);
    schedule_free(&b->schedule);
    engine_free(b->engine);
    shmem_regions_free(b->shmem);
    smmuman_free(b);
    network_free(b->network);
    free(b->frame_buffer);
    memory_free(&b->memory);
    stores_free(b);
    bytes_free(&b->range);
    board_config_free(&b->default_config);
    free(b);
}
