#include "qvm/gdb/gdb_session.h"

#include "qvm/gdb/gdb_board.h"
#include "qvm/gdb/gdb_link.h"
#include "qvm/player.h"
#include "qvm/report.h"

/* Whoever comes to the port and does not speak the protocol is none: the wait goes on. False: a
 * signal ended it. */
static bool serve(struct board *b, struct timeline *t, struct gdb_events *events,
                  struct gdb_link *link, bool is_port, enum gdb_end *end, struct error *e)
{
    struct gdb_board g;
    do {
        struct gdb_target target = gdb_board_target(&g, b, t, events);
        *end = gdb_serve(&target, link);
        gdb_board_leave(&g);
        if (*end != GDB_NOT_MET || !is_port)
            return true;
    } while (gdb_link_await_another(link, e));
    return false;
}

int debug_trace(const char *path, const char *where, const struct session_options *options)
{
    struct player p;
    struct gdb_link link;
    struct error e = {0};
    struct gdb_events events = {0};
    struct board_sinks sinks = {.event = gdb_events_note, .context = &events};
    if (!player_open(&p, path, &options->board, &e))
        return report_error(&e, STATUS_USAGE);
    p.alone_too = true;
    int status = STATUS_OK;
    if (!player_start(&p, options->replay_from, &sinks, &e)) {
        status = report_error(&e, STATUS_NOT_STARTED);
    } else if (!(where ? gdb_link_listen(&link, where, &e) : gdb_link_standard(&link, &e))) {
        status = report_error(&e, STATUS_USAGE);
    } else {
        struct timeline *t = timeline_new(p.board, TIMELINE_BUDGET);
        enum gdb_end end;
        if (!serve(p.board, t, &events, &link, where != NULL, &end, &e))
            status = report_error(&e, STATUS_USAGE);
        timeline_free(t);
        gdb_link_close(&link);
    }
    player_close(&p);
    return status;
}

bool debug_live(struct board *b, const char *where, struct gdb_events *events, struct console *c,
                struct error *e)
{
    struct gdb_link link;
    if (!gdb_link_listen(&link, where, e))
        return false;
    enum gdb_end end;
    c->debugger = gdb_link_host(&link);
    bool ok = serve(b, NULL, events, &link, true, &end, e);
    c->debugger = NULL;
    gdb_link_close(&link);
    for (size_t i = 0; ok && end == GDB_KILLED && i < b->vm_count; i++)
        vm_end(b->vms[i], STATUS_POWER_CUT, "ended by the debugger");
    return ok;
}
