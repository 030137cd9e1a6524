/* What instructions do to event registers, at most: nothing that only reads may count as a store,
 * nor the other way round. Words are from an assembler. */
#include <check.h>
#include <stdlib.h>

#include "cpu/arm64/insn.h"
#include "suite.h"

#define BOTH (INSN_SETS_EVENT | INSN_SENDS_EVENT)

static const struct {
    uint32_t word;
    unsigned event;
} rows[] = {
    {0xd503209f, BOTH},             /* sev */
    {0xd50320bf, INSN_SETS_EVENT},  /* sevl */
    {0xd69f03e0, BOTH},             /* eret */
    {0xd503205f, 0},                /* wfe */
    {0xd503203f, 0},                /* yield */
    {0xd503201f, 0},                /* nop */
    {0xd5033fdf, 0},                /* isb */
    {0xd53be040, 0},                /* mrs x0, cntvct_el0 */
    {0xd65f03c0, 0},                /* ret */
    {0x8b010000, 0},                /* add x0, x0, x1 */
    {0x1e604000, 0},                /* fmov d0, d0 */
    {0xd50b7420, INSN_SENDS_EVENT}, /* dc zva, x0 */
    {0xf9400000, 0},                /* ldr x0, [x0] */
    {0xf9000000, INSN_SENDS_EVENT}, /* str x0, [x0] */
    {0x39c00000, 0},                /* ldrsb w0, [x0] */
    {0x39000000, INSN_SENDS_EVENT}, /* strb w0, [x0] */
    {0xf9800000, 0},                /* prfm pldl1keep, [x0] */
    {0xf8408400, 0},                /* ldr x0, [x0], #8 */
    {0xf8008400, INSN_SENDS_EVENT}, /* str x0, [x0], #8 */
    {0xf8616800, 0},                /* ldr x0, [x0, x1] */
    {0xf8216800, INSN_SENDS_EVENT}, /* str x0, [x0, x1] */
    {0x3dc00000, 0},                /* ldr q0, [x0] */
    {0x3d800000, INSN_SENDS_EVENT}, /* str q0, [x0] */
    {0x58000000, 0},                /* ldr x0, . */
    {0xa9400400, 0},                /* ldp x0, x1, [x0] */
    {0xa9000400, INSN_SENDS_EVENT}, /* stp x0, x1, [x0] */
    {0xc85f7c00, 0},                /* ldxr x0, [x0] */
    {0xc85ffc00, 0},                /* ldaxr x0, [x0] */
    {0xc8dffc00, 0},                /* ldar x0, [x0] */
    {0xf8bfc000, 0},                /* ldapr x0, [x0] */
    {0xc87f0400, 0},                /* ldxp x0, x1, [x0] */
    {0x887f0400, 0},                /* ldxp w0, w1, [x0] */
    {0xc8017c00, INSN_SENDS_EVENT}, /* stxr w1, x0, [x0] */
    {0xc89ffc00, INSN_SENDS_EVENT}, /* stlr x0, [x0] */
    {0xc8a17c02, INSN_SENDS_EVENT}, /* cas x1, x2, [x0] */
    {0xc8e17c02, INSN_SENDS_EVENT}, /* casa x1, x2, [x0] */
    {0x48607c02, INSN_SENDS_EVENT}, /* caspa x0, x1, x2, x3, [x0] */
    {0xf8210002, INSN_SENDS_EVENT}, /* ldadd x1, x2, [x0] */
    {0xf8e18002, INSN_SENDS_EVENT}, /* swpal x1, x2, [x0] */
    {0x4c407000, 0},                /* ld1 {v0.16b}, [x0] */
    {0x4c007000, INSN_SENDS_EVENT}, /* st1 {v0.16b}, [x0] */
};

START_TEST(an_instruction_does_that)
{
    ck_assert_msg(insn_event(rows[_i].word) == rows[_i].event, "%#x", rows[_i].word);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("insn_event");
    tcase_add_loop_test(tests, an_instruction_does_that, 0, (int)(sizeof rows / sizeof rows[0]));
    return suite_main("insn_event", tests);
}
