/* Alignment checks that the library makes for us. Of itself it checks exclusives and atomics alone;
 * where cpu/unicorn/arm64/wrapped.c is linked, each instruction comes here before it is translated,
 * and then each access that it makes: an access that is to be aligned gets an alignment, which
 * costs nothing when it runs. A misaligned one raises an exception, of which
 * cpu/arm64/exit_perform.c finds out what it is.
 *
 * SP is looked at where an access is based on it. It needs no look where it was looked at earlier
 * in the block and has moved by multiples of 16 since; and where the address is SP plus such a
 * multiple, an alignment of 16 does it. */
#include "cpu/arm64/insn.h"
#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/arm64/unicorn_arm64.h"

#define WORD_UNDEFINED 0u

_Thread_local uint64_t engine_checks_now;
static _Thread_local struct engine *translating; /* the one that runs, if it makes checks */

void arm64_begin_run(struct engine *e)
{
    translating = e;
    engine_checks_now = e ? e->part->checks : 0;
}

bool arm64_set_checks(struct engine *e, unsigned checks)
{
    if (!e->part->makes_checks) {
        e->looks = checks != 0;
        blocks_look_at_next(e);
        return false;
    }
    e->part->checks = checks;
    if (translating == e)
        engine_checks_now = checks;
    return true;
}

static struct look *look_of(struct engine *e, uint64_t address)
{
    return &e->looked[(address >> 2) % LOOK_SLOTS];
}

bool arm64_wants_look(struct engine *e, uint64_t address, uint32_t size)
{
    const struct look *l = look_of(e, address);
    if (l->address != address || l->size != size || l->callbacks != e->callbacks ||
        l->regime != *e->callbacks->regime || l->drops != e->drops)
        return true;
    return l->kind == LOOK_ALWAYS || (l->kind == LOOK_AT_SP && engine_sp(e) % 16);
}

uint64_t arm64_look_at(struct engine *e, uint64_t address, uint32_t size)
{
    struct look *l = look_of(e, address);
    l->address = address;
    l->size = size;
    l->callbacks = e->callbacks;
    l->regime = *e->callbacks->regime;
    l->drops = e->drops;
    return e->callbacks->look(e->callbacks->cpu, address, size, &l->kind);
}

void interposed_translates_block(void)
{
    if (translating)
        translating->part->translated = (struct translated){.sp_is_known = false};
}

static bool sp_is_checked(struct engine *e)
{
    return e->part->checks & (at_el0(engine_mode(e)) ? CHECK_SP_EL0 : CHECK_SP_EL1);
}

static void note_access(struct engine *e, const struct insn_memory *m, uint32_t word)
{
    struct translated *t = &e->part->translated;
    bool always = m->class == INSN_EXCLUSIVE || m->class == INSN_ATOMIC; /* by the library */
    if (!always &&
        ((e->part->checks & CHECK_ALL) || (m->ordered && (e->part->checks & CHECK_ORDERED))))
        t->log2_alignment = (unsigned)__builtin_ctz(insn_alignment(m));
    bool is_store_exclusive = m->class == INSN_EXCLUSIVE && m->is_write;
    t->is_store_exclusive = is_store_exclusive && (e->part->checks & CHECK_STXR);
    if (t->is_store_exclusive)
        t->log2_alignment = (unsigned)__builtin_ctz(insn_alignment(m));
    if (m->rn != 31 || t->sp_is_known || !sp_is_checked(e))
        return;
    t->sp = true;
    t->sp_may_go_unseen = is_store_exclusive && !t->is_store_exclusive; /* it may fail before */
    t->sp_by_address = !insn_has_register_offset(word) && (m->address - engine_sp(e)) % 16 == 0;
}

/* Most need no decoding: what is looked for is a base of SP, or one of the groups that acquires and
 * releases are in. */
static bool may_be_checked(const struct engine *e, uint32_t word)
{
    if ((e->part->checks & CHECK_ALL) ||
        ((word >> 5 & 31) == 31 && !e->part->translated.sp_is_known))
        return true; /* CHECK_ZERO comes with CHECK_ALL */
    return (e->part->checks & (CHECK_ORDERED | CHECK_STXR)) && insn_may_be_ordered(word);
}

uint32_t interposed_translates(uint32_t word)
{
    struct engine *e = translating;
    if (!e)
        return word;
    struct translated *t = &e->part->translated;
    t->log2_alignment = 0;
    t->sp = t->is_second = t->is_store_exclusive = false;
    t->sp_is_known &= !t->sp_is_moved;
    t->sp_is_moved = insn_misaligns_sp(word);
    if (!e->part->checks || !may_be_checked(e, word))
        return word;
    struct insn_memory m = insn_memory_decode(e, 0, word);
    if (m.class == INSN_ZERO)
        return e->part->checks & CHECK_ZERO ? WORD_UNDEFINED : word;
    if (m.class != INSN_NOT_MEMORY && m.class != INSN_CACHE)
        note_access(e, &m, word);
    return word;
}

struct access_checks interposed_translates_branch(void)
{
    struct access_checks checks = {0};
    if (!translating || !translating->part->translated.is_store_exclusive)
        return checks;
    struct translated *t = &translating->part->translated;
    checks.log2_alignment = t->log2_alignment;
    checks.sp = t->sp;
    t->sp_is_known |= t->sp;
    t->sp = t->is_store_exclusive = false;
    t->log2_alignment = 0;
    return checks;
}

/* Of a big-endian access of 16 bytes the library makes the one at the higher address first. */
struct access_checks interposed_translates_access(bool is_big_endian)
{
    struct access_checks checks = {0};
    if (!translating)
        return checks;
    struct translated *t = &translating->part->translated;
    bool is_later = is_big_endian && t->log2_alignment == 4 && !t->is_second;
    if (!is_later)
        checks.log2_alignment = t->log2_alignment;
    if (t->sp && t->sp_by_address && !is_big_endian)
        checks.log2_alignment = 4;
    else
        checks.sp = t->sp;
    t->sp_is_known |= t->sp && !t->sp_may_go_unseen;
    t->sp = false;
    t->is_second = true;
    if (!is_later)
        t->log2_alignment = 0;
    return checks;
}
