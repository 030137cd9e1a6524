/* What a replay says whose machine is not what was recorded: a run of a small guest is recorded,
 * and replayed while the test changes one thing in the machine. The sentence must name it.
 * (Recordings that are changed on disk: tests/divergence.sh.) */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arm64/arm64_vcpu.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/ask/divergence.h"
#include "qvm/host/host_child.h"
#include "qvm/session.h"
#include "qvm/verdict.h"
#include "suite.h"

/* Adds a number 20 times and writes the sum to a device, waits for an interrupt of its timer, and
 * powers off. Assembled; it is loaded to 0x40000000. */
#define NUMBER 0x400000acu
static const uint32_t program[] = {
    0xd2a12013,               /* 00: mov x19, #0x09000000: PL011 */
    0xd2a12034,               /* 04: mov x20, #0x09010000: PL031 */
    0x10003fc0,               /* 08: adr x0, vectors */
    0xd518c000,               /* 0c: msr VBAR_EL1, x0 */
    0xb9400280,               /* 10: ldr w0, [x20]: RTCDR */
    0x100004d5,               /* 14: adr x21, number */
    0xd2a10156,               /* 18: mov x22, #0x080a0000 */
    0xb90016df,               /* 1c: str wzr, [x22, #0x14]: GICR_WAKER */
    0x914042d6,               /* 20: add x22, x22, #0x10000 */
    0x52a10000,               /* 24: mov w0, #1 << 27: the virtual timer */
    0xb90082c0,               /* 28: str w0, [x22, #0x80]: GICR_IGROUPR0 */
    0xb90102c0,               /* 2c: str w0, [x22, #0x100]: GICR_ISENABLER0 */
    0xd2a10017,               /* 30: mov x23, #0x08000000 */
    0x52800040,               /* 34: mov w0, #2 */
    0xb90002e0,               /* 38: str w0, [x23]: GICD_CTLR */
    0xd2801fe0,               /* 3c: mov x0, #255 */
    0xd5184600,               /* 40: msr ICC_PMR_EL1, x0 */
    0xd2800020,               /* 44: mov x0, #1 */
    0xd518cce0,               /* 48: msr ICC_IGRPEN1_EL1, x0 */
    0xd2800180,               /* 4c: mov x0, #12 */
    0xd51be300,               /* 50: msr CNTV_TVAL_EL0, x0 */
    0xd2800020,               /* 54: mov x0, #1 */
    0xd51be320,               /* 58: msr CNTV_CTL_EL0, x0 */
    0xd50342ff,               /* 5c: msr DAIFClr, #2 */
    0x52800285,               /* 60: mov w5, #20 */
    0xb94002a3,               /* 64: 1: ldr w3, [x21] */
    0x0b030084,               /* 68: add w4, w4, w3 */
    0x710004a5,               /* 6c: subs w5, w5, #1 */
    0x54ffffa1,               /* 70: b.ne 1b */
    0xb9002664,               /* 74: str w4, [x19, #0x24]: UARTIBRD */
    0x91000739,               /* 78: 2: add x25, x25, #1 */
    0xb4fffff8,               /* 7c: cbz x24, 2b */
    0x52b08000,               /* 80: mov w0, #0x84000000: PSCI_VERSION */
    0xd4000002,               /* 84: hvc #0 */
    0x18000140,               /* 88: ldr w0, =0x84000008: SYSTEM_OFF */
    0xd4000002,               /* 8c: hvc #0 */
    0x14000000,               /* 90: b . */
    0xd538cc1b,               /* 94: handler: mrs x27, ICC_IAR1_EL1 */
    0xd280005c,               /* 98: mov x28, #2 */
    0xd51be33c,               /* 9c: msr CNTV_CTL_EL0, x28 */
    0xd518cc3b,               /* a0: msr ICC_EOIR1_EL1, x27 */
    0xd2800038,               /* a4: mov x24, #1 */
    0xd69f03e0,               /* a8: eret */
    0x00000003,               /* ac: number: .word 3 */
    0x84000008,               /* b0: .word 0x84000008 */
    [0xa80 / 4] = 0x17fffd85, /* vectors + 0x280: b handler */
};

/* Recording ---------------------------------------------------------------------------------------
 */

static char folder[200], image[220], trace[220];

static void make_folder(void)
{
    struct error e = {0};
    ck_assert_msg(host_scratch_make(folder, sizeof folder, &e), "%s", e.text);
    snprintf(image, sizeof image, "%s/image", folder);
    snprintf(trace, sizeof trace, "%s/trace", folder);
    FILE *f = fopen(image, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(program, sizeof program, 1, f), 1);
    ck_assert_int_eq(fclose(f), 0);
}

static void remove_folder(void)
{
    remove(image);
    remove(trace);
    host_scratch_remove(folder);
}

/* What the recording holds. */
enum { EXITS = 1, DIGESTS = 2, SNAPSHOTS = 4 };

static void record(unsigned holds)
{
    const char *words[] = {"system", "test", "ram",        "0x40000000,16M", "cpu",        "vdev",
                           "gic",    "gicd", "0x08000000", "gicr",           "0x080a0000", "vdev",
                           "pl011",  "loc",  "0x09000000", "intr",           "gic:33",     "vdev",
                           "pl031",  "loc",  "0x09010000", "intr",           "gic:34",     "load",
                           image};
    struct vm_words vm = {words, sizeof words / sizeof words[0]};
    struct session_options options = {.record_path = trace, .wall_clock_s = DEFAULT_WALL_CLOCK_S};
    options.board.limit_ns = options.board.limit_ticks = UINT64_MAX;
    options.board.limit_instructions = 10000;
    options.board.snapshot_at = UINT64_MAX;
    options.board.digest_every = holds & DIGESTS ? 10 : 0;
    options.board.snapshot_every = holds & SNAPSHOTS ? 20 : 0;
    options.exits = holds & EXITS;
    ck_assert_int_eq(session_run(&vm, 1, &options), STATUS_OK);
}

/* Replaying ---------------------------------------------------------------------------------------
 */

struct replay {
    struct player player;
    struct divergence divergence;
    char said[4096]; /* lines */
};

static void say(void *context, const char *sentence)
{
    struct replay *r = context;
    size_t size = strlen(r->said);
    snprintf(r->said + size, sizeof r->said - size, "%s\n", sentence);
}

static void on_digest(void *context, uint64_t instructions, struct digest state)
{
    struct replay *r = context;
    divergence_digest(&r->divergence, instructions, state);
}

/* One cause: what a mutation does before instruction `at`, and what must be said. */
struct cause {
    const char *name;
    unsigned holds;
    uint64_t at;
    void (*change)(struct board *b);
    const char *says;
};

static void replay(struct replay *r, const struct cause *c)
{
    const struct board_options options = {BOARD_NO_LIMITS, .snapshot_at = UINT64_MAX};
    const struct board_sinks sinks = {.digest = on_digest, .context = r};
    struct error e = {0};
    char sentence[256];
    *r = (struct replay){.divergence = {.stops = true, .say = say, .context = r}};
    ck_assert_msg(player_open(&r->player, trace, &options, &e), "%s", e.text);
    divergence_begin(&r->divergence, &r->player);
    ck_assert_msg(player_start(&r->player, 0, &sinks, &e), "%s", e.text);
    struct board *b = r->player.board;
    if (c->change && c->at == 0)
        c->change(b);
    divergence_started(&r->divergence);
    if (c->change && c->at) {
        ck_assert(!board_run_to(b, c->at));
        c->change(b);
    }
    int status = divergence_run(&r->divergence);
    if (!r->divergence.found) {
        struct trace_end end = verdict_of(b, status, sentence, sizeof sentence);
        divergence_ended(&r->divergence, &end);
    }
    divergence_free(&r->divergence);
    player_close(&r->player);
}

/* Changes -----------------------------------------------------------------------------------------
 */

static struct vdev *device(struct board *b, const char *name)
{
    for (size_t i = 0; i < b->vms[0]->vdev_count; i++)
        if (strcmp(b->vms[0]->vdevs[i]->name, name) == 0)
            return b->vms[0]->vdevs[i];
    ck_abort_msg("there is no device '%s'", name);
    return NULL;
}

static void flip(struct board *b, const char *name, const char *field, size_t index, size_t byte,
                 uint8_t bits)
{
    struct vdev *v = device(b, name);
    for (const struct field *f = v->type->fields; f->name; f++)
        if (strcmp(f->name, field) == 0)
            ((uint8_t *)v)[f->offset + index * f->size + byte] ^= bits;
}

static void change_rtc(struct board *b)
{
    flip(b, "pl031", "offset", 0, 0, 1);
}

static void change_uart(struct board *b)
{
    flip(b, "pl011", "ifls", 0, 0, 2);
}

static void change_gic_enable(struct board *b)
{
    flip(b, "gic", "enabled", 0, 3, 8); /* bit 27: the timer */
}

static void change_gic_priority(struct board *b)
{
    flip(b, "gic", "priority", 40, 0, 0x10);
}

static void change_memory(struct board *b)
{
    uint8_t five = 5;
    ck_assert(vm_write(b->vms[0], gpa(NUMBER), &five, 1));
}

static void change_register(struct board *b)
{
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    r.value[ARM64_X0 + 4][0] ^= 0x100;
    vcpu_write_registers(b->vms[0]->vcpus[0], b->current, &r);
}

static void change_unused_register(struct board *b)
{
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    r.value[ARM64_X0 + 17][0] = 0x1234;
    vcpu_write_registers(b->vms[0]->vcpus[0], b->current, &r);
}

static void change_vector(struct board *b)
{
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    r.value[ARM64_V0 + 3][1] = 7;
    vcpu_write_registers(b->vms[0]->vcpus[0], b->current, &r);
}

static void skip_instruction(struct board *b)
{
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    r.value[ARM64_PC][0] += 4;
    vcpu_write_registers(b->vms[0]->vcpus[0], b->current, &r);
}

static void mask_interrupts(struct board *b)
{
    struct vcpu_registers r;
    vcpu_read_registers(b->vms[0]->vcpus[0], b->current, &r);
    r.value[ARM64_PSTATE][0] |= 1u << 7;
    vcpu_write_registers(b->vms[0]->vcpus[0], b->current, &r);
}

/* The virtual timer's event comes one instruction later. */
static void delay_timer(struct board *b)
{
    struct vcpu *v = b->vms[0]->vcpus[0];
    struct event *e = &arm64_of(v)->timer_virtual.event;
    ck_assert(e->when_ticks != EVENT_NEVER);
    event_at(&b->events, e, e->when_ticks + 1);
}

static void pass_a_tick(struct board *b)
{
    b->vtime.idle_ticks++;
}

static void change_output(struct board *b)
{
    sha256_add(&b->vms[0]->output, "!", 1);
}

static void end_the_vm(struct board *b)
{
    vm_end(b->vms[0], STATUS_POWER_CUT, "power was cut");
}

/* Causes ------------------------------------------------------------------------------------------
 */

static const struct cause causes[] = {
    {"nothing", EXITS | DIGESTS | SNAPSHOTS, 30, NULL, ""},
    {"a device's reset value", 0, 0, change_uart,
     "the replay diverged: the machines differ at the start: vm test, vdev pl011: ifls: recorded "
     "0x12, now 0x10\n"},
    {"a device's reset value, and what comes of it", EXITS, 0, change_rtc,
     "the replay diverged: the machines differ at the start: vm test, vdev pl031: offset: recorded "
     "0x65920080, now 0x65920081\n"
     "the first visible effect: instruction 5, vm test, vcpu 0, 0x40000010: ldr w0, [x20]: mmio "
     "read of 4 bytes at gpa 0x9010000 (vdev pl031, RTCDR): the value from pl031: recorded "
     "0x65920080, now 0x65920081\n"},
    {"a byte of memory at the start", EXITS, 0, change_memory,
     "the replay diverged: the machines differ at the start: memory byte, hpa 0x8804000ac, vm "
     "test, gpa 0x400000ac: recorded 0x03, now 0x05\n"
     "the first visible effect: instruction 106, vm test, vcpu 0, 0x40000074: str w4, [x19, "
     "#0x24]: mmio write of 4 bytes at gpa 0x9000024 (vdev pl011, UARTIBRD): the value written: "
     "recorded 0x3c, now 0x64\n"},
    {"a register at the start", 0, 0, change_unused_register,
     "the replay diverged: the machines differ at the start: vm test, vcpu 0\n"},
    {"a byte of memory, by digests", DIGESTS, 35, change_memory,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, vcpu 0; memory page, hpa 0x880400000, "
     "vm test, gpa 0x40000000\n"},
    {"a byte of memory, by guest exits", EXITS, 35, change_memory,
     "the replay diverged: the first visible difference: instruction 106, vm test, vcpu 0, "
     "0x40000074: str w4, [x19, #0x24]: mmio write of 4 bytes at gpa 0x9000024 (vdev pl011, "
     "UARTIBRD): the value written: recorded 0x3c, now 0x5e; machine states were equal at "
     "instruction 0\n"},
    {"a byte of memory, by snapshots", SNAPSHOTS, 110, change_memory,
     "the replay diverged: machine states are equal at instruction 0 and differ at 120 (vm test, "
     "vcpu 0, next 0x40000078: add x25, x25, #1): memory byte, hpa 0x8804000ac, vm test, gpa "
     "0x400000ac: recorded 0x3, now 0x5\n"},
    {"a register, by digests", DIGESTS, 35, change_register,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, vcpu 0: X4: recorded 0xc, now 0x10c\n"},
    {"a register, by guest exits", EXITS, 35, change_register,
     "the replay diverged: the first visible difference: instruction 106, vm test, vcpu 0, "
     "0x40000074: str w4, [x19, #0x24]: mmio write of 4 bytes at gpa 0x9000024 (vdev pl011, "
     "UARTIBRD): the value written: recorded 0x3c, now 0x13c; machine states were equal at "
     "instruction 0\n"},
    {"a register, by snapshots", SNAPSHOTS, 35, change_register,
     "the replay diverged: machine states are equal at instruction 0 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, vcpu 0: X4: recorded 0xc, now 0x10c\n"},
    {"a register, by the end", 0, 35, change_unused_register,
     "the replay diverged: the final states differ: vm test, vcpu 0: X17: recorded 0x0, now "
     "0x1234; machine states were equal at instruction 0\n"},
    {"a vector register", DIGESTS, 35, change_vector,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, vcpu 0: V3 bits 127:64: recorded 0x0, "
     "now 0x7\n"},
    {"an instruction is left out", EXITS, 35, skip_instruction,
     "the replay diverged: the first visible difference: instruction 106, vm test, vcpu 0, "
     "0x40000074: str w4, [x19, #0x24]: the guest exit mmio write of 4 bytes at gpa 0x9000024 "
     "(vdev pl011, UARTIBRD) was recorded at instruction 106, now there is the guest exit mmio "
     "write of 4 bytes at gpa 0x9000024 (vdev pl011, UARTIBRD) at 109; machine states were equal "
     "at instruction 0\n"},
    {"an instruction is left out, by digests", DIGESTS, 35, skip_instruction,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000064: ldr w3, [x21]): vm test, vcpu 0\n"},
    {"interrupts are masked", EXITS | DIGESTS, 101, mask_interrupts,
     "the replay diverged: machine states are equal at instruction 100 and differ at 110 (vm test, "
     "vcpu 0, next 0x40000078: add x25, x25, #1): vm test, vcpu 0: PSTATE: recorded 0x60000345, "
     "now 0x600003c5\n"},
    {"a timer is late by one instruction", EXITS, 35, delay_timer,
     "the replay diverged: the first visible difference: instruction 208, vm test, vcpu 0, "
     "0x4000007c: cbz x24, #0x40000078: interrupts signalled to vcpu 0: IRQ: recorded at "
     "instruction 208, now at 209; machine states were equal at instruction 0\n"},
    {"a timer is late by one instruction, by digests", DIGESTS, 35, delay_timer,
     "the replay diverged: machine states are equal at instruction 200 and differ at 210 (vm test, "
     "vcpu 0, next 0x40000094: mrs x27, icc_iar1_el1): vm test, vcpu 0; vm test, vdev gic\n"},
    {"an interrupt is lost", EXITS, 35, change_gic_enable,
     "the replay diverged: the first visible difference: instruction 208, vm test, vcpu 0, "
     "0x40000078: add x25, x25, #1: interrupts signalled to vcpu 0: IRQ was recorded and does "
     "not happen; machine states were equal at instruction 0\n"},
    {"a priority changes", DIGESTS, 35, change_gic_priority,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, vdev gic: priority[40]: recorded 0x0, "
     "now 0x10\n"},
    {"a tick passes", DIGESTS, 35, pass_a_tick,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): time: idle ticks: recorded 0x0, now 0x1\n"},
    {"a tick passes, by the end", 0, 35, pass_a_tick,
     "the replay diverged: it ended at instruction 219, tick 220 with status 0 (the guest powered "
     "off), the recording at instruction 221, tick 221 with status 0 (the guest powered off); "
     "machine states were equal at instruction 0\n"},
    {"more is printed", DIGESTS, 35, change_output,
     "the replay diverged: machine states are equal at instruction 30 and differ at 40 (vm test, "
     "vcpu 0, next 0x40000070: b.ne #0x40000064): vm test, what it printed\n"},
    {"it ends early", EXITS, 35, end_the_vm,
     "the replay diverged: the first visible difference: instruction 106, vm test, vcpu 0, "
     "0x40000074: str w4, [x19, #0x24]: the guest exit mmio write of 4 bytes at gpa 0x9000024 "
     "(vdev pl011, UARTIBRD) was recorded and does not happen; machine states were equal at "
     "instruction 0\n"},
    {"it ends early, by the end", 0, 35, end_the_vm,
     "the replay diverged: it ended at instruction 35, tick 35 with status 3 (power was cut), the "
     "recording at instruction 221, tick 221 with status 0 (the guest powered off); machine states "
     "were equal at instruction 0\n"},
};

START_TEST(each_cause_has_its_sentence)
{
    static struct replay r;
    const struct cause *c = &causes[_i];
    record(c->holds);
    replay(&r, c);
    ck_assert_msg(strcmp(r.said, c->says) == 0, "%s: it says\n%sand not\n%s", c->name, r.said,
                  c->says);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("causes");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, make_folder, remove_folder);
    tcase_add_loop_test(t, each_cause_has_its_sentence, 0, sizeof causes / sizeof causes[0]);
    return suite_main("divergence", t);
}
