/* `qvm exits TRACE [--where EXPR]`: every guest exit of a recording, one a line; with --dma, every
 * access of a device that was refused. */
#include <inttypes.h>
#include <stdio.h>

#include "emu/text.h"
#include "qvm/ask/dma_record.h"
#include "qvm/ask/exit_record.h"
#include "qvm/host/host.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

static const char usage[] = "qvm exits TRACE [--dma] [--where EXPR] [--json]";

struct list {
    struct where where;
    bool json, dma;
    uint64_t number; /* of what is listed */
    uint64_t refused;
};

static void print(struct bytes *out)
{
    text_put(out, "\n");
    host_print(out->data, out->size);
    bytes_free(out);
}

static void print_exit(struct list *l, const struct board_event *event)
{
    struct exit_record r = {.reg = ""};
    struct bytes out = {0};
    struct json j = {.out = &out};
    exit_record_fill(&r, l->number++, event);
    if (!where_holds(&l->where, exit_columns, r.values))
        return;
    if (l->json) {
        json_open(&j, NULL, '{');
        exit_record_json(&r, &j);
        json_close(&j, '}');
    } else {
        exit_record_text(&r, &out);
    }
    print(&out);
}

static void print_refusal(struct list *l, const struct board_event *event)
{
    struct dma_record r = {0};
    struct bytes out = {0};
    struct json j = {.out = &out};
    dma_record_fill(&r, l->number++, event);
    if (!where_holds(&l->where, dma_columns, r.values))
        return;
    if (l->json) {
        json_open(&j, NULL, '{');
        dma_record_json(&r, &j);
        json_close(&j, '}');
    } else {
        dma_record_text(&r, &out);
    }
    print(&out);
}

static void on_event(void *context, const struct board_event *event)
{
    struct list *l = context;
    l->refused += event->id == EVENT_DMA_REFUSED;
    if (l->dma && event->id == EVENT_DMA_REFUSED)
        print_refusal(l, event);
    if (!l->dma && event->id == EVENT_GUEST_EXIT && event->exit)
        print_exit(l, event);
}

/* Whoever looks for what went wrong may not know that it was no exit. */
static void hint(const struct list *l)
{
    if (l->refused && !l->dma)
        fprintf(stderr, "qvm: %" PRIu64 " %s of devices %s refused: --dma lists %s\n", l->refused,
                text_plural(l->refused, "access", "accesses"),
                text_plural(l->refused, "was", "were"), text_plural(l->refused, "it", "them"));
}

bool question_exits(char *const *words, int count, struct error *e)
{
    struct list list = {.number = 0};
    const char *path, *where = NULL;
    struct player p;
    const struct question_option options[] = {{.name = "--where", .text = &where},
                                              {.name = "--json", .flag = &list.json},
                                              {.name = "--dma", .flag = &list.dma},
                                              {0}};
    if (!question_words(words, count, options, &path, 1, usage, e) ||
        (where && !where_parse(&list.where, where, list.dma ? dma_columns : exit_columns, e)) ||
        !question_open(&p, path, e))
        return false;
    struct board_sinks sinks = {0};
    sinks.event = on_event;
    sinks.context = &list;
    player_without_engine(&p);
    bool ok = player_start(&p, 0, &sinks, e);
    if (ok)
        board_run(p.board);
    host_flush();
    if (ok)
        hint(&list);
    player_close(&p);
    return ok;
}
