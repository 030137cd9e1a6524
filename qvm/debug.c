#include "qvm/debug.h"

#include "qvm/gdb_board.h"
#include "qvm/gdb_link.h"
#include "qvm/player.h"

static enum gdb_end serve(struct board *b, struct timeline *t, struct gdb_events *events,
                          const struct gdb_link *link)
{
    struct gdb_board g;
    struct gdb_target target = gdb_board_target(&g, b, t, events);
    enum gdb_end end = gdb_serve(&target, link);
    gdb_board_leave(&g);
    return end;
}

int debug_trace(const char *path, const char *where, const struct session_options *options)
{
    struct player p;
    struct gdb_link link;
    struct error e = {0};
    struct gdb_events events = {0};
    struct board_sinks sinks = {.event = gdb_events_note, .context = &events};
    if (!player_open(&p, path, &options->board, &e))
        return session_report_error(&e, STATUS_USAGE);
    int status = STATUS_OK;
    if (!player_start(&p, options->replay_from, &sinks, &e)) {
        status = session_report_error(&e, STATUS_NOT_STARTED);
    } else if (!(where ? gdb_link_listen(&link, where, &e) : gdb_link_standard(&link, &e))) {
        status = session_report_error(&e, STATUS_USAGE);
    } else {
        struct timeline *t = timeline_new(p.board, TIMELINE_BUDGET);
        serve(p.board, t, &events, &link);
        timeline_free(t);
        gdb_link_close(&link);
    }
    player_close(&p);
    gdb_events_free(&events);
    return status;
}

bool debug_live(struct board *b, const char *where, struct gdb_events *events, struct error *e)
{
    struct gdb_link link;
    if (!gdb_link_listen(&link, where, e))
        return false;
    enum gdb_end end = serve(b, NULL, events, &link);
    gdb_link_close(&link);
    if (end == GDB_KILLED)
        for (size_t i = 0; i < b->vm_count; i++)
            vm_end(b->vms[i], STATUS_POWER_CUT, "ended by the debugger");
    return true;
}
