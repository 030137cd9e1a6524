#include "qvm/ask/questions.h"

#include <string.h>

#include "qvm/report.h"
#include "qvm/session.h"

const char questions_usage[] =
    "questions about a recording (docs/questions.md):\n"
    "  qvm info TRACE     what it holds\n"
    "  qvm exits TRACE [--where 'handler == pl011 and write == 1']\n"
    "                     every guest exit, one a line\n"
    "  qvm explain TRACE --at N ADDR [--vm NAME] [--vcpu I] [--gpa] [--read|--write|--fetch]\n"
    "                     how an access at instruction N is translated\n"
    "  qvm explain TRACE --at N --next\n"
    "                     what comes of the instruction that is next there\n"
    "  qvm explain TRACE --exit N\n"
    "                     why that guest exit happened\n"
    "  qvm export TRACE --format text|json|events|traceprinter|ftrace|perfetto\n"
    "                            [--from N] [--to N] [-o FILE]\n"
    "                     everything the hypervisor did, for other tools\n"
    "  qvm diff TRACE TRACE\n"
    "                     the first difference of two recordings\n"
    "  qvm dump TRACE --at N [--vm NAME] [-o FILE]\n"
    "                     a core file of a guest at instruction N\n"
    "  qvm shrink TRACE -o TRACE [--at N] [--history N]\n"
    "                     the smallest trace that ends the same way\n"
    "  qvm when TRACE --write ADDR[,LEN] [--at N] | --exec ADDR | --exit REASON [--last]\n"
    "                     at which instructions that happens\n"
    "  qvm why TRACE ADDR[,LEN]|REGISTER [--at N] [--vm NAME] [--vcpu I] [--gpa]\n"
    "                     who last wrote it\n";

static const struct {
    const char *name;
    bool (*answer)(char *const *words, int count, struct error *e);
} questions[] = {
    {"info", question_info},     {"exits", question_exits},   {"explain", question_explain},
    {"export", question_export}, {"diff", question_diff},     {"dump", question_dump},
    {"when", question_when},     {"shrink", question_shrink}, {"why", question_why},
};

#define QUESTIONS (sizeof questions / sizeof questions[0])

/* `dump` is also an option of the configuration language, with which a run may begin: a run needs
 * an image, so with less than two words behind the directory it is the question. */
static bool is_option_dump(char *const *words, int count)
{
    bool asks = strcmp(words[0], "dump") != 0 || count <= 2;
    for (int i = 1; i < count; i++)
        asks |= strcmp(words[i], "--at") == 0;
    return !asks;
}

bool questions_know(char *const *words, int count)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (count && strcmp(words[0], questions[i].name) == 0)
            return !is_option_dump(words, count);
    return false;
}

void questions_nearest(struct nearest *nearest)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        nearest_try(nearest, questions[i].name);
}

int questions_answer(const char *command, char *const *words, int count)
{
    struct error e = {0};
    for (size_t i = 0; i < QUESTIONS; i++)
        if (strcmp(command, questions[i].name) == 0 && !questions[i].answer(words, count, &e))
            return report_error(&e, STATUS_USAGE);
    return STATUS_OK;
}
