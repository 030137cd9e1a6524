/* The `cpu` context. */
#include "hv/config/config_internal.h"

#include <string.h>

#define PRIORITY_MAX 255

HANDLER(config_word_cpu)
{
    (void)arguments;
    struct vm_config *c = p->config;
    if (c->cpu_count == CONFIG_VCPUS_MAX && !p->said_too_many_cpus) {
        p->said_too_many_cpus = true;
        parser_error(p, option, "more than %d vCPUs", CONFIG_VCPUS_MAX);
    }
    c->cpus = array_grow(c->cpus, c->cpu_count, sizeof *c->cpus);
    c->cpus[c->cpu_count++] = (struct cpu_config){
        .place = option->place, .priority = CONFIG_PRIORITY_DEFAULT, .policy = 'r'};
}

static struct cpu_config *current(struct parser *p)
{
    return &p->config->cpus[p->config->cpu_count - 1];
}

/* HI,LO,MAXREPL,PERIOD,BUDGETs; the `s` may also be a word of its own. */
static void sporadic(struct parser *p, const struct word *word, struct piece text)
{
    struct cpu_config cpu = *current(p);
    uint64_t priority;
    if (text.text[text.size - 1] == 's')
        text.size--;
    if (!parser_number_in(p, word, "priority", piece_next(&text, ','), 1, PRIORITY_MAX, &priority))
        return;
    for (unsigned i = 0; i < 4; i++) {
        if (!text.text) {
            parser_error(p, word, "'%s' is not HI,LO,MAXREPL,PERIOD,BUDGETs", word->text);
            return;
        }
        struct piece piece = i < 3 ? piece_next(&text, ',') : text;
        static const char *const names[] = {"low priority", "number of replenishments", "period",
                                            "budget"};
        uint64_t most = i == 0 ? PRIORITY_MAX : UINT64_MAX;
        /* A low priority and a replenishment there must be. */
        if (!parser_number_in(p, word, names[i], piece, i <= 1, most, &cpu.sporadic[i]))
            return;
    }
    cpu.priority = (unsigned)priority;
    cpu.policy = 's';
    *current(p) = cpu;
}

HANDLER(config_word_sched)
{
    (void)option;
    struct piece text = config_parse_word_piece(arguments);
    if (arguments->bad)
        return;
    if (text.size && strchr(text.text, ',')) {
        sporadic(p, arguments, text);
        return;
    }
    char policy = 'r';
    if (text.size && strchr("rfo", text.text[text.size - 1]))
        policy = text.text[--text.size];
    uint64_t priority;
    if (!parser_number_in(p, arguments, "priority", text, 1, PRIORITY_MAX, &priority))
        return;
    struct cpu_config *cpu = current(p);
    memset(cpu->sporadic, 0, sizeof cpu->sporadic);
    cpu->priority = (unsigned)priority;
    cpu->policy = policy;
}

HANDLER(config_word_sched_suffix)
{
    (void)arguments;
    if (current(p)->policy != 's')
        parser_error(p, option, "'s' belongs behind 'sched HI,LO,MAXREPL,PERIOD,BUDGET'");
}

HANDLER(config_word_runmask)
{
    (void)option;
    const struct board_config *board = p->words.reader->board;
    struct piece rest = config_parse_word_piece(arguments);
    uint64_t mask = 0, last = board ? board->cpu_count - 1 : BOARD_CPUS_MAX - 1;
    while (rest.text) {
        uint64_t number;
        if (!parser_number_in(p, arguments, "CPU", piece_next(&rest, ','), 0, last, &number))
            return;
        mask |= (uint64_t)1 << number;
    }
    current(p)->runmask = mask;
}

static void check_cluster(struct parser *p, const struct word *word,
                          const struct board_config *board)
{
    uint64_t cpus;
    if (word->bad || board_cluster_find(board, word->text, &cpus))
        return;
    struct nearest nearest = nearest_to(word->text);
    nearest_try(&nearest, "_all");
    for (size_t i = 0; i < board->cluster_count; i++)
        nearest_try(&nearest, board->clusters[i].name);
    char suggestion[NEAREST_TEXT];
    parser_error(p, word, "board '%s' has %u CPUs and no cluster '%.64s'%s", board->name,
                 board->cpu_count, word->text, nearest_text(&nearest, suggestion));
}

HANDLER(config_word_cluster)
{
    (void)option;
    if (p->words.reader->board)
        check_cluster(p, arguments, p->words.reader->board);
    current(p)->cluster = parser_keep(p, config_parse_word_piece(arguments));
}

HANDLER(config_word_partition)
{
    parser_accept(p, option, "cpu partition %s", arguments->text);
}
