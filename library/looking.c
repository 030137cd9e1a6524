/* What a machine is like between runs: counts, memory, registers, explanations. */
#include <inttypes.h>
#include <string.h>

#include "cpu/engine.h"
#include "hv/explain/inspect.h"
#include "library/library_internal.h"

/* Counts ------------------------------------------------------------------------------------------
 */

uint64_t qvm_instructions(const struct qvm_machine *m)
{
    return m->board->vtime.instructions;
}

uint64_t qvm_time_ns(const struct qvm_machine *m)
{
    return vtime_ns(&m->board->vtime);
}

unsigned qvm_vm_count(const struct qvm_machine *m)
{
    return (unsigned)m->vm_count;
}

unsigned qvm_vcpu_count(const struct qvm_machine *m, unsigned vm)
{
    return vm < m->vm_count ? m->board->vms[vm]->vcpu_count : 0;
}

int qvm_exit_status(const struct qvm_machine *m)
{
    int status = STATUS_OK;
    for (size_t i = 0; i < m->vm_count; i++) {
        const struct vm *vm = m->board->vms[i];
        if (!vm->ended)
            return -1;
        status = vm->exit_status > status ? vm->exit_status : status;
    }
    return status;
}

const char *qvm_ending(const struct qvm_machine *m, unsigned vm)
{
    if (vm >= m->vm_count)
        return NULL;
    return m->board->vms[vm]->ended ? m->board->vms[vm]->ending : "";
}

bool qvm_digest(struct qvm_machine *m, char text[QVM_DIGEST_SIZE], struct qvm_error *e)
{
    struct guard g;
    _Static_assert(QVM_DIGEST_SIZE == DIGEST_TEXT, "room for a digest");
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    digest_text(board_digest(m->board), text);
    guard_leave(&g);
    return true;
}

/* Who is meant ------------------------------------------------------------------------------------
 */

struct vm *library_vm(const struct qvm_machine *m, unsigned vm, struct qvm_error *e)
{
    if (vm < m->vm_count)
        return m->board->vms[vm];
    failure_set(e, QVM_USAGE, "the board has %zu %s: there is no number %u", m->vm_count,
                text_plural(m->vm_count, "VM", "VMs"), vm);
    return NULL;
}

struct vcpu *library_vcpu(const struct qvm_machine *m, unsigned vm, unsigned vcpu,
                          struct qvm_error *e)
{
    const struct vm *of = library_vm(m, vm, e);
    if (of && vcpu < of->vcpu_count)
        return of->vcpus[vcpu];
    if (of)
        failure_set(e, QVM_USAGE, "VM '%s' has %u %s: there is no number %u", of->name,
                    of->vcpu_count, text_plural(of->vcpu_count, "vCPU", "vCPUs"), vcpu);
    return NULL;
}

/* Memory ------------------------------------------------------------------------------------------
 */

struct span {
    struct vm *vm;
    const struct vcpu *vcpu;
    enum qvm_space space;
    uint64_t address;
    size_t size;
};

/* A vCPU that is off translates nothing. */
static bool locate(const struct span *s, uint64_t address, hpa_t *at)
{
    return s->space == QVM_VIRTUAL && s->vcpu->on ? inspect_place(s->vm, s->vcpu, gva(address), at)
                                                  : inspect_gpa(s->vm, gpa(address), at);
}

/* Of one page: `from` is written there, or what is there goes to `to`. */
static bool copy_part(const struct span *s, size_t done, size_t part, void *to, const void *from)
{
    struct board *b = s->vm->board;
    hpa_t at;
    if (!locate(s, s->address + done, &at))
        return false;
    void *here = memory_at(&b->memory, at, part, from ? MEMORY_WRITE : MEMORY_READ);
    if (!here)
        return false;
    if (from) {
        memcpy(here, from, part);
        engine_drop_code(b->engine, at, part);
    } else {
        memcpy(to, here, part);
    }
    return true;
}

static bool copy(const struct span *s, uint8_t *to, const uint8_t *from, struct qvm_error *e)
{
    for (size_t done = 0, part; done < s->size; done += part) {
        uint64_t left = PAGE_SIZE - ((s->address + done) & PAGE_MASK);
        part = s->size - done < left ? s->size - done : (size_t)left;
        if (!copy_part(s, done, part, to ? to + done : NULL, from ? from + done : NULL))
            return failure_set(e, QVM_USAGE, "there is no memory at %s address %#" PRIx64,
                               s->space == QVM_VIRTUAL ? "virtual" : "guest-physical",
                               s->address + done);
    }
    return true;
}

static bool copy_memory(struct qvm_machine *m, unsigned vm, unsigned vcpu, struct span *s, void *to,
                        const void *from, struct qvm_error *e)
{
    struct guard g;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    s->vcpu = library_vcpu(m, vm, vcpu, e);
    s->vm = s->vcpu ? m->board->vms[vm] : NULL;
    bool ok = s->vcpu && copy(s, to, from, e);
    guard_leave(&g);
    return ok;
}

bool qvm_read_memory(struct qvm_machine *m, unsigned vm, unsigned vcpu, enum qvm_space space,
                     uint64_t address, void *to, size_t size, struct qvm_error *e)
{
    struct span s = {.space = space, .address = address, .size = size};
    return copy_memory(m, vm, vcpu, &s, to, NULL, e);
}

bool qvm_write_memory(struct qvm_machine *m, unsigned vm, unsigned vcpu, enum qvm_space space,
                      uint64_t address, const void *from, size_t size, struct qvm_error *e)
{
    struct span s = {.space = space, .address = address, .size = size};
    return copy_memory(m, vm, vcpu, &s, NULL, from, e);
}

/* Registers ---------------------------------------------------------------------------------------
 */

const char *qvm_register_name(const struct qvm_machine *m, unsigned vm, unsigned number)
{
    const struct arch *arch = vm < m->vm_count ? m->board->vms[vm]->arch->cpu : NULL;
    return arch && number < arch->register_count ? arch->registers[number].name : NULL;
}

/* False: there is no such vCPU or register. */
static bool find_register(const struct qvm_machine *m, unsigned vm, unsigned vcpu, const char *name,
                          struct vcpu **v, unsigned *id, struct qvm_error *e)
{
    *v = library_vcpu(m, vm, vcpu, e);
    if (!*v)
        return false;
    const struct arch *arch = (*v)->world->arch;
    *id = vcpu_register_find(arch, name);
    return *id < arch->register_count ||
           failure_set(e, QVM_USAGE, "%s has no register '%s'", arch->name, name);
}

bool qvm_read_register(struct qvm_machine *m, unsigned vm, unsigned vcpu, const char *name,
                       struct qvm_register *value, struct qvm_error *e)
{
    struct guard g;
    struct vcpu_registers r;
    struct vcpu *v;
    unsigned id;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    bool ok = find_register(m, vm, vcpu, name, &v, &id, e);
    if (ok) {
        vcpu_read_registers(v, m->board->current, &r);
        *value = (struct qvm_register){r.value[id][0], r.value[id][1]};
    }
    guard_leave(&g);
    return ok;
}

static bool write_register(struct qvm_machine *m, struct vcpu *v, unsigned id,
                           const struct qvm_register *value, struct qvm_error *e)
{
    struct vcpu_registers r;
    const struct arch_register *what = &v->world->arch->registers[id];
    if (what->class == REGISTER_SYSTEM)
        return failure_set(e, QVM_USAGE, "%s is a system register, which only the guest sets",
                           what->name);
    if (!v->on)
        return failure_set(e, QVM_USAGE, "vCPU %u is powered off: it begins anew when it is not",
                           v->index);
    vcpu_read_registers(v, m->board->current, &r);
    r.value[id][0] = value->low;
    r.value[id][1] = value->high;
    if (!vcpu_registers_are_possible(v, m->board->current, &r))
        return failure_set(e, QVM_USAGE, "%s cannot be %#" PRIx64 " here", what->name, value->low);
    vcpu_write_registers(v, m->board->current, &r);
    return true;
}

bool qvm_write_register(struct qvm_machine *m, unsigned vm, unsigned vcpu, const char *name,
                        const struct qvm_register *value, struct qvm_error *e)
{
    struct guard g;
    struct vcpu *v;
    unsigned id;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    bool ok = find_register(m, vm, vcpu, name, &v, &id, e) && write_register(m, v, id, value, e);
    guard_leave(&g);
    return ok;
}

/* Explaining --------------------------------------------------------------------------------------
 */

static size_t give_text(const struct bytes *from, char *text, size_t size)
{
    size_t length = from->size < size ? from->size : size ? size - 1 : 0;
    if (size) {
        memcpy(text, from->data, length);
        text[length] = '\0';
    }
    return from->size;
}

size_t qvm_explain(struct qvm_machine *m, unsigned vm, unsigned vcpu, enum qvm_space space,
                   enum qvm_access access, uint64_t address, bool json, char *text, size_t size,
                   struct qvm_error *e)
{
    struct guard g;
    struct bytes out = {0};
    static const enum access_kind kinds[] = {
        [QVM_READ] = ACCESS_READ, [QVM_WRITE] = ACCESS_WRITE, [QVM_FETCH] = ACCESS_FETCH};
    if ((unsigned)access > QVM_FETCH)
        return failure_set(e, QVM_USAGE, "%d is no kind of access", (int)access);
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    struct vcpu *v = library_vcpu(m, vm, vcpu, e);
    size_t length = 0;
    if (v) {
        const struct explain_question q = {
            .address = address, .is_gpa = space == QVM_PHYSICAL, .kind = kinds[access]};
        m->board->vms[vm]->arch->explain(m->board->vms[vm], v, &q, json, &out);
        length = give_text(&out, text, size);
        bytes_free(&out);
    }
    guard_leave(&g);
    return length;
}
