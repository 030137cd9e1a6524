/* Exit streams as traces have them. */
#include "hv/foreign/observed_arch.h"

/* The fields that are there when their bit is known, in the order of the bits. */
static void put_known(const struct observed_exit *x, struct bytes *out)
{
    if (x->known & OBSERVED_TIME)
        bytes_put_varint(out, x->ns);
    if (x->known & OBSERVED_PC)
        bytes_put_varint(out, x->pc);
    if (x->known & OBSERVED_GVA)
        bytes_put_varint(out, x->gva);
    if (x->known & OBSERVED_IPA)
        bytes_put_varint(out, x->ipa);
    if (x->known & OBSERVED_ACCESS) {
        bytes_put_int(out, x->size, 1);
        bytes_put_int(out, x->is_write, 1);
    }
    if (x->known & OBSERVED_VALUE)
        bytes_put_varint(out, x->value);
    if (x->known & OBSERVED_QUALIFICATION) {
        bytes_put_varint(out, x->info1);
        bytes_put_varint(out, x->info2);
    }
}

void observed_stream_put(const struct observed_stream *s, struct bytes *out)
{
    bytes_put_int(out, OBSERVED_VERSION, 1);
    for (size_t i = 0; i < s->count; i++) {
        const struct observed_exit *x = &s->exits[i];
        bytes_put_int(out, x->kind, 1);
        bytes_put_int(out, x->vcpu, 1);
        bytes_put_varint(out, x->known);
        bytes_put_varint(out, x->line);
        bytes_put_varint(out, x->syndrome);
        bytes_put_varint(out, x->syndrome_known);
        bytes_put_string(out, x->reason);
        put_known(x, out);
    }
}

static void get_known(struct reader *in, struct observed_exit *x)
{
    if (x->known & OBSERVED_TIME)
        x->ns = reader_varint(in);
    if (x->known & OBSERVED_PC)
        x->pc = reader_varint(in);
    if (x->known & OBSERVED_GVA)
        x->gva = reader_varint(in);
    if (x->known & OBSERVED_IPA)
        x->ipa = reader_varint(in);
    if (x->known & OBSERVED_ACCESS) {
        x->size = (uint8_t)reader_int(in, 1);
        x->is_write = reader_int(in, 1) & 1;
    }
    if (x->known & OBSERVED_VALUE)
        x->value = reader_varint(in);
    if (x->known & OBSERVED_QUALIFICATION) {
        x->info1 = reader_varint(in);
        x->info2 = reader_varint(in);
    }
}

static const struct vm_arch *arch_of(enum observed_kind kind)
{
    for (size_t i = 0; vm_arches[i]; i++)
        if (vm_arches[i]->observed && vm_arches[i]->observed->kind == kind)
            return vm_arches[i];
    return NULL;
}

/* What goes to people must not do anything to their terminals. */
static bool get(struct reader *in, struct observed_exit *x)
{
    x->kind = (enum observed_kind)reader_int(in, 1);
    x->vcpu = (uint8_t)reader_int(in, 1);
    uint64_t known = reader_varint(in), line = reader_varint(in);
    uint64_t syndrome = reader_varint(in), syndrome_known = reader_varint(in);
    if (x->kind < OBSERVED_TRAP || x->kind >= OBSERVED_KINDS || x->vcpu >= OBSERVED_VCPUS_MAX ||
        known > OBSERVED_ALL || line > UINT32_MAX || syndrome > UINT32_MAX ||
        syndrome_known > UINT32_MAX || !reader_string(in, x->reason, sizeof x->reason))
        return false;
    x->arch = arch_of(x->kind);
    x->known = (unsigned)known;
    x->line = (uint32_t)line;
    x->syndrome = (uint32_t)syndrome;
    x->syndrome_known = (uint32_t)syndrome_known;
    get_known(in, x);
    return !in->failed;
}

bool observed_stream_is(const void *data, size_t size)
{
    return size && *(const uint8_t *)data == OBSERVED_VERSION;
}

bool observed_stream_get(struct observed_stream *s, const void *data, size_t size)
{
    struct reader in = reader_of(data, size);
    bool ok = reader_int(&in, 1) == OBSERVED_VERSION;
    *s = (struct observed_stream){0};
    while (ok && !reader_at_end(&in)) {
        struct observed_exit *x = observed_stream_add(s);
        ok = x && get(&in, x);
    }
    if (!ok)
        observed_stream_free(s);
    return ok;
}
