#include "emu/journal_records.h"

#include <string.h>

static bool read_digest(struct reader *in, struct digest *d)
{
    const uint8_t *stored = reader_bytes(in, sizeof d->b);
    if (stored)
        memcpy(d->b, stored, sizeof d->b);
    return stored != NULL;
}

bool journal_next_pull(struct reader *in, struct pull_record *r)
{
    if (reader_at_end(in))
        return false;
    *r = (struct pull_record){.kind = (uint8_t)reader_int(in, 1)};
    r->absent = r->kind & PULL_ABSENT;
    r->kind &= (uint8_t)~PULL_ABSENT;
    r->key_size = (size_t)reader_varint(in);
    r->key = (const char *)reader_bytes(in, r->key_size);
    if (r->kind == PULL_FILE && !r->absent)
        return read_digest(in, &r->digest) && !in->failed;
    r->size = (size_t)reader_varint(in);
    r->data = reader_bytes(in, r->size);
    return !in->failed;
}

bool journal_next_push(struct reader *in, struct push *p)
{
    if (reader_at_end(in))
        return false;
    p->tick += reader_varint(in);
    p->kind = (uint8_t)reader_int(in, 1);
    p->target = (uint16_t)reader_varint(in);
    uint64_t size = reader_varint(in);
    const uint8_t *data = size <= PUSH_BYTES_MAX ? reader_bytes(in, (size_t)size) : NULL;
    if (!data)
        return false;
    p->size = (uint16_t)size;
    memcpy(p->data, data, p->size);
    return true;
}

void journal_put_push(struct bytes *pushes, uint64_t before, const struct push *p)
{
    bytes_put_varint(pushes, p->tick - before);
    bytes_put_int(pushes, p->kind, 1);
    bytes_put_varint(pushes, p->target);
    bytes_put_varint(pushes, p->size);
    bytes_put(pushes, p->data, p->size);
}

const char *pull_kind_name(unsigned kind)
{
    return kind == PULL_WALL_CLOCK ? "wall clock"
           : kind == PULL_ENTROPY  ? "entropy"
           : kind == PULL_FILE     ? "file"
                                   : "unknown";
}

const char *push_kind_name(unsigned kind)
{
    static const char *const names[] = {
        [PUSH_CONSOLE] = "console",     [PUSH_POWER_BUTTON] = "power button",
        [PUSH_POWER_CUT] = "power cut", [PUSH_STATUS] = "status request",
        [PUSH_DUMP] = "dump request",   [PUSH_BREAK] = "break",
    };
    return kind < sizeof names / sizeof names[0] && names[kind] ? names[kind] : "unknown";
}
