#include "hv/explain/explain_stream.h"

#include <inttypes.h>
#include <string.h>

#include "emu/json.h"
#include "emu/text.h"
#include "hv/explain/board_place.h"
#include "hv/explain/guest_place.h"
#include "hv/hv_internal.h"
#include "mmu/guest_tables.h"

/* A stream of an SMMU. */
struct stream {
    const struct vdev *smmu;
    uint32_t number;
    bool of_board;         /* the SMMU is; or else the VM's */
    const char *device;    /* whose stream it is; NULL: nobody's */
    const struct vm *user; /* who has the device; NULL: nobody */
};

/* Who it is ---------------------------------------------------------------------------------------
 */

/* `who` NULL: whoever has the stream. */
static bool is_of_vm(const struct vm *vm, const char *who, struct stream *s)
{
    for (size_t i = 0; i < vm->config->vdev_count; i++) {
        const struct vdev_config *c = &vm->config->vdevs[i];
        const struct vdev *smmu = c->has_stream ? vm->vdevs[c->smmu_index] : NULL;
        if (!smmu || (who ? strcmp(config_vdev_name(c), who) != 0
                          : smmu != s->smmu || c->stream != s->number))
            continue;
        *s = (struct stream){smmu, c->stream, false, vm->vdevs[i]->name, vm};
        return smmu->type->explain_stream;
    }
    return false;
}

static bool is_of_board(const struct board *b, const char *who, struct stream *s)
{
    for (size_t i = 0; i < b->config->device_count; i++) {
        const struct board_device *d = &b->config->devices[i];
        const char *name = board_device_name(d);
        const struct vdev *smmu =
            d->has_stream ? smmuman_smmu(b, board_smmu_of(b->config, d->stream)) : NULL;
        if (!smmu || !name || (who ? strcmp(name, who) != 0 : d->stream != s->number))
            continue;
        *s = (struct stream){smmu, d->stream, true, name, b->device_owner[i]};
        return true;
    }
    return false;
}

static bool is_called(const struct vdev *v, const char *name, size_t length)
{
    return v && v->type->explain_stream && strlen(v->name) == length &&
           memcmp(v->name, name, length) == 0;
}

static const struct vdev *find_smmu(const struct vm *vm, const char *name, size_t length,
                                    bool *of_board)
{
    *of_board = false;
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (is_called(vm->vdevs[i], name, length))
            return vm->vdevs[i];
    *of_board = true;
    for (size_t i = 0; i < vm->board->config->smmu_count; i++)
        if (is_called(smmuman_smmu(vm->board, i), name, length))
            return smmuman_smmu(vm->board, i);
    return NULL;
}

static bool is_number(const struct vm *vm, const char *who, struct stream *s)
{
    const char *colon = strrchr(who, ':');
    uint64_t number;
    if (!colon || !vdev_number(colon + 1, strlen(colon + 1), 10, &number) || number > UINT32_MAX)
        return false;
    *s = (struct stream){.number = (uint32_t)number};
    s->smmu = find_smmu(vm, who, (size_t)(colon - who), &s->of_board);
    if (s->smmu)
        (void)(s->of_board ? is_of_board(vm->board, NULL, s) : is_of_vm(vm, NULL, s));
    return s->smmu;
}

/* Answers -----------------------------------------------------------------------------------------
 */

static bool read_guest(void *context, uint64_t at, void *to, size_t size)
{
    return vm_read(context, gpa(at), to, size);
}

static bool read_board(void *context, uint64_t at, void *to, size_t size)
{
    struct vm *vm = context;
    const void *from = memory_at(&vm->board->memory, hpa(at), size, MEMORY_READ);
    if (from)
        memcpy(to, from, size);
    return from;
}

static void put_guest_place(struct vm *vm, uint64_t at, struct bytes *out, struct json *j)
{
    struct guest_page page;
    struct guest_place place;
    bool is_mapped = guest_tables_find(vm->tables, &vm->board->memory, gpa(at), &page);
    guest_place_find(vm, gpa(at), is_mapped, &place);
    if (j) {
        json_number(j, "gpa", at);
        guest_place_json(&place, j);
        return;
    }
    text_put(out, "gpa 0x%" PRIx64 ": ", at);
    guest_place_text(vm, &place, out);
}

static void put_board_place(const struct board *b, uint64_t at, struct bytes *out, struct json *j)
{
    struct board_place place;
    board_place_find(b, hpa(at), &place);
    if (j) {
        json_number(j, "hpa", at);
        board_place_json(&place, j);
        return;
    }
    text_put(out, "hpa 0x%" PRIx64 ": ", at);
    board_place_text(&place, out);
}

static void put_question(const struct vm *vm, const struct explain_stream *q,
                         const struct stream *s, struct bytes *out)
{
    text_put(out, "instruction %" PRIu64 ", vm %s\n", vm->board->vtime.instructions, vm->name);
    text_put(out, "%s of iova 0x%" PRIx64 ", stream %#x", q->kind == DMA_WRITE ? "write" : "read",
             q->at.v, (unsigned)s->number);
    if (q->substream != DMA_NO_SUBSTREAM)
        text_put(out, ", substream %#x", (unsigned)q->substream);
    if (s->device)
        text_put(out, ", of %s", s->device);
    if (s->user && s->user != vm)
        text_put(out, " of vm %s", s->user->name);
    text_put(out, s->of_board ? ", behind the board's %s\n" : ", behind %s\n", s->smmu->name);
}

static void json_question(const struct vm *vm, const struct explain_stream *q,
                          const struct stream *s, struct json *j)
{
    json_number(j, "instruction", vm->board->vtime.instructions);
    json_string(j, "vm", vm->name);
    json_string(j, "device", s->device);
    json_string(j, "device_vm", s->user ? s->user->name : NULL);
    json_string(j, "smmu", s->smmu->name);
    json_bool(j, "smmu_of_board", s->of_board);
    json_number(j, "stream", s->number);
    if (q->substream == DMA_NO_SUBSTREAM)
        json_string(j, "substream", NULL);
    else
        json_number(j, "substream", q->substream);
    json_string(j, "access", q->kind == DMA_WRITE ? "write" : "read");
    json_number(j, "asked_iova", q->at.v);
}

static void answer(struct vm *vm, const struct explain_stream *q, const struct stream *s,
                   struct bytes *out, struct json *j)
{
    uint64_t leads_to = 0;
    const struct stream_question asked = {.stream = s->number,
                                          .substream = q->substream,
                                          .at = q->at,
                                          .kind = q->kind,
                                          .read = s->of_board ? read_board : read_guest,
                                          .context = vm,
                                          .json = j};
    if (!s->smmu->type->explain_stream(s->smmu, &asked, out, &leads_to))
        return;
    if (s->of_board)
        put_board_place(vm->board, leads_to, out, j);
    else
        put_guest_place(vm, leads_to, out, j);
}

bool explain_stream(struct vm *vm, const struct explain_stream *q, struct bytes *out,
                    struct error *e)
{
    struct stream s;
    struct json j = {.out = out};
    if (!is_of_vm(vm, q->who, &s) && !is_of_board(vm->board, q->who, &s) &&
        !is_number(vm, q->who, &s))
        return error_set(e,
                         "VM '%s' has no vdev '%s' with a stream, and the board has no such device "
                         "whose stream goes through an SMMU",
                         vm->name, q->who);
    if (!q->json) {
        put_question(vm, q, &s, out);
        answer(vm, q, &s, out, NULL);
        return true;
    }
    json_open(&j, NULL, '{');
    json_question(vm, q, &s, &j);
    answer(vm, q, &s, out, &j);
    json_close(&j, '}');
    text_put(out, "\n");
    return true;
}
