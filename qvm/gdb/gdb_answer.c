/* What the answers to all packets have in common. */
#include "emu/text.h"
#include "qvm/gdb/gdb_hex.h"
#include "qvm/gdb/gdb_server_internal.h"

void answer_ok(struct gdb_server *s)
{
    text_put(&s->answer, "OK");
}

void answer_fail(struct gdb_server *s)
{
    bytes_clear(&s->answer);
    text_put(&s->answer, "E01");
}

bool answer_take_thread(struct gdb_server *s, struct reader *r, unsigned *thread)
{
    uint64_t number;
    *thread = 0;
    if (text_take(r, "-1"))
        return true;
    if (!hex_take_number(r, &number) || number > s->target->thread_count(s->target->context))
        return false;
    *thread = (unsigned)number;
    return true;
}
