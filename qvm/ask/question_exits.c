/* `qvm exits TRACE [--where EXPR]`: every guest exit of a recording, one a line. */
#include "emu/text.h"
#include "qvm/ask/exit_record.h"
#include "qvm/host/host.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

struct list {
    struct where where;
    bool json;
    uint64_t number;
};

static void print(const struct list *l, const struct exit_record *r)
{
    struct bytes out = {0};
    struct json j = {.out = &out};
    if (l->json) {
        json_open(&j, NULL, '{');
        exit_record_json(r, &j);
        json_close(&j, '}');
    } else {
        exit_record_text(r, &out);
    }
    text_put(&out, "\n");
    host_print(out.data, out.size);
    bytes_free(&out);
}

static void on_event(void *context, const struct board_event *event)
{
    struct list *l = context;
    struct exit_record r = {.reg = ""};
    if (event->id != EVENT_GUEST_EXIT || !event->exit)
        return;
    exit_record_fill(&r, l->number++, event);
    if (where_holds(&l->where, exit_columns, r.values))
        print(l, &r);
}

bool question_exits(char *const *words, int count, struct error *e)
{
    struct list list = {.number = 0};
    const char *path, *where = NULL;
    struct player p;
    const struct question_option options[] = {
        {.name = "--where", .text = &where}, {.name = "--json", .flag = &list.json}, {0}};
    if (!question_words(words, count, options, &path, 1, "qvm exits TRACE [--where EXPR] [--json]",
                        e) ||
        (where && !where_parse(&list.where, where, exit_columns, e)) || !question_open(&p, path, e))
        return false;
    struct board_sinks sinks = {0};
    sinks.event = on_event;
    sinks.context = &list;
    player_without_engine(&p);
    bool ok = player_start(&p, 0, &sinks, e);
    if (ok)
        board_run(p.board);
    host_flush();
    player_close(&p);
    return ok;
}
