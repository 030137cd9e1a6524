#include "emu/journal_records.h"

#include <string.h>

static bool read_digest(struct reader *in, struct digest *d)
{
    const uint8_t *stored = reader_bytes(in, sizeof d->b);
    if (stored)
        memcpy(d->b, stored, sizeof d->b);
    return stored != NULL;
}

bool journal_pull_has_digest(const struct pull_record *r)
{
    return (r->kind == PULL_FILE || r->kind == PULL_RANGE) && !r->absent;
}

enum range_answer journal_range_answer_of(const struct pull_record *r)
{
    bool known = r->size && r->data[0] > RANGE_GIVEN && r->data[0] < RANGE_ANSWERS;
    return known ? (enum range_answer)r->data[0] : RANGE_UNREADABLE;
}

/* No host has a larger file, and no device could ask for its end. */
static bool is_size_of_a_file(const struct pull_record *r)
{
    return !r->absent && r->size == 8 && load_le(r->data, 8) <= INT64_MAX;
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
    if (r->kind == PULL_RANGE) {
        r->offset = reader_varint(in);
        r->length = reader_varint(in);
        if (!r->length || r->length > PULL_RANGE_MAX || r->offset > INT64_MAX)
            in->failed = true;
    }
    if (journal_pull_has_digest(r))
        return read_digest(in, &r->digest) && !in->failed;
    r->size = (size_t)reader_varint(in);
    r->data = reader_bytes(in, r->size);
    if (r->kind == PULL_SIZE && !in->failed && !is_size_of_a_file(r))
        in->failed = true;
    return !in->failed;
}

bool journal_next_push(struct reader *in, struct push *p)
{
    if (reader_at_end(in))
        return false;
    uint64_t delta = reader_varint(in);
    p->kind = (uint8_t)reader_int(in, 1);
    uint64_t target = reader_varint(in), size = reader_varint(in);
    if (delta > UINT64_MAX - p->tick || target > UINT16_MAX || !journal_push_is_good(p->kind, size))
        in->failed = true;
    p->data = reader_bytes(in, (size_t)size);
    if (in->failed)
        return false;
    p->tick += delta;
    p->target = (uint16_t)target;
    p->size = (uint32_t)size;
    return true;
}

bool journal_push_is_good(unsigned kind, uint64_t size)
{
    if (kind < PUSH_CONSOLE || kind >= PUSH_KINDS_END)
        return false;
    return kind == PUSH_FRAME    ? size && size <= PUSH_FRAME_MAX
           : kind == PUSH_RESIZE ? size == PUSH_RESIZE_SIZE
                                 : size <= PUSH_BYTES_MAX;
}

void journal_put_push(struct bytes *pushes, uint64_t before, const struct push *p)
{
    bytes_put_varint(pushes, p->tick - before);
    bytes_put_int(pushes, p->kind, 1);
    bytes_put_varint(pushes, p->target);
    bytes_put_varint(pushes, p->size);
    bytes_put(pushes, p->data, p->size);
}

const char *journal_pull_name(unsigned kind)
{
    return kind == PULL_WALL_CLOCK ? "wall clock"
           : kind == PULL_ENTROPY  ? "entropy"
           : kind == PULL_FILE     ? "file"
           : kind == PULL_SIZE     ? "size of file"
           : kind == PULL_RANGE    ? "range of file"
                                   : "unknown";
}

const char *journal_push_name(unsigned kind)
{
    static const char *const names[] = {
        [PUSH_CONSOLE] = "console",     [PUSH_POWER_BUTTON] = "power button",
        [PUSH_POWER_CUT] = "power cut", [PUSH_STATUS] = "status request",
        [PUSH_DUMP] = "dump request",   [PUSH_BREAK] = "break",
        [PUSH_FRAME] = "frame",         [PUSH_RESIZE] = "window size",
    };
    return kind < sizeof names / sizeof names[0] && names[kind] ? names[kind] : "unknown";
}
