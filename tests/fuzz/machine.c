#include "tests/fuzz/machine.h"

#include <string.h>

#include "emu/check.h"

#define INSTRUCTIONS 20000 /* of a run */

const char fuzz_machine_words[] =
    "system fuzz cpu cpu ram 0x40000000,1M set semihosting on vdev gic gicd 0x08000000 gicr "
    "0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 vdev pl031 loc 0x09010000 intr gic:34 "
    "vdev virtio-entropy loc 0x0a003c00 intr gic:78 vdev wdt-sp805 loc 0x09030000 intr gic:35";

static bool pull(void *context, enum pull_kind kind, const char *key, size_t size,
                 struct bytes *out, struct error *e)
{
    static const uint8_t zeros[256];
    const struct bytes *file = ((struct fuzz_machine *)context)->file;
    (void)key;
    if (kind == PULL_FILE) {
        if (!file)
            return error_set(e, "there are no files");
        bytes_put(out, file->data, file->size);
        return true;
    }
    bytes_put(out, zeros, kind == PULL_WALL_CLOCK ? 8 : size);
    return true;
}

static bool poll_nothing(void *context, struct push *p)
{
    (void)context, (void)p;
    return false;
}

static bool idle(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns;
    return ns != UINT64_MAX;
}

static void on_difference(void *context, const struct exit_log_difference *d)
{
    (void)context;
    CHECK(d->now || d->recorded);
}

static void parse(struct fuzz_machine *m, const char *words)
{
    /* A small one, or most of the time goes into making memory. */
    const char *const board = "board fuzz ram 0x80000000,2M ram 0x4000000000,4M";
    const struct config_reader reader = {0};
    struct error e = {0};
    CHECK(board_config_parse(&m->board_config, &board, 1, &reader, &e));
    while (words) {
        char vm[1024];
        const char *const word = vm, *end = strchr(words, '+');
        size_t size = end ? (size_t)(end - words) : strlen(words);
        CHECK(m->vm_count < 2 && size < sizeof vm);
        memcpy(vm, words, size);
        vm[size] = 0;
        CHECK(config_parse(&m->configs[m->vm_count++], &word, 1, &reader, &e));
        words = end ? end + 1 : NULL;
    }
}

bool fuzz_machine_open(struct fuzz_machine *m, const char *words, const struct bytes *exit_log,
                       const struct bytes *file, struct error *e)
{
    static const uint8_t no_exits[] = {EXIT_LOG_VERSION};
    const struct board_options options = {.limit_ns = UINT64_MAX,
                                          .limit_ticks = 1000 * (uint64_t)INSTRUCTIONS,
                                          .limit_instructions = INSTRUCTIONS,
                                          .snapshot_at = UINT64_MAX,
                                          .exit_log = &m->exit_log};
    const struct board_sinks sinks = {.idle = idle};
    *m = (struct fuzz_machine){.file = file};
    parse(m, words);
    exit_log_expect(&m->exit_log, EXIT_LOG_PLAYS, exit_log ? exit_log->data : no_exits,
                    exit_log ? exit_log->size : sizeof no_exits, on_difference, NULL);
    journal_live(&m->journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = m});
    m->board =
        board_new(&m->board_config, m->configs, m->vm_count, &m->journal, &options, &sinks, e);
    return m->board;
}

void fuzz_machine_run(struct fuzz_machine *m)
{
    board_run(m->board);
}

void fuzz_machine_close(struct fuzz_machine *m)
{
    board_free(m->board);
    journal_free(&m->journal);
    exit_log_free(&m->exit_log);
    for (size_t i = 0; i < m->vm_count; i++)
        config_free(&m->configs[i]);
    board_config_free(&m->board_config);
}

void fuzz_put_run(struct bytes *out)
{
    static const struct guest_exit exits[] = {
        {.reason = EXIT_MMIO, .size = 4, .gpa = {0x09000018}, .pc = {0x40000000}},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x08000000}, .value = 2},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x09030000}, .value = 9},
        {.reason = EXIT_MMIO, .size = 4, .is_write = true, .gpa = {0x09030008}, .value = 3},
        {.reason = EXIT_REGISTER, .is_write = true, .detail[EXIT_NUMBER] = 0xc667, .value = 1},
        {.reason = EXIT_CALL},
        {.reason = EXIT_DEBUG},
        {.reason = EXIT_HALT},
    };
    bytes_put_int(out, EXIT_LOG_VERSION, 1);
    for (unsigned i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        struct exit_log_entry entry = {.kind = EXIT_LOG_EXIT, .instructions = 10 * (i + 1)};
        entry.exit.x = exits[i];
        entry.exit.call[0] = exits[i].reason == EXIT_CALL ? 0xc4000003u : 5; /* CPU_ON; WRITE */
        entry.exit.call[1] = exits[i].reason == EXIT_CALL ? 1 : 0x40001000;
        exit_log_entry_put(out, 10 * i, &entry);
    }
    struct exit_log_entry entry = {.kind = EXIT_LOG_TIMER, .instructions = 100};
    entry.timer.reg = 1;
    entry.timer.value = 1;
    exit_log_entry_put(out, 80, &entry);
    entry = (struct exit_log_entry){.kind = EXIT_LOG_READ, .instructions = 110};
    entry.memory.size = 3;
    entry.memory.ok = true;
    entry.memory.data = (const uint8_t *)"abc";
    exit_log_entry_put(out, 100, &entry);
    entry = (struct exit_log_entry){.kind = EXIT_LOG_TURN, .instructions = 120};
    exit_log_entry_put(out, 110, &entry);
}

void fuzz_check_refusal(const struct error *e)
{
    CHECK(e->text[0] && !strchr(e->text, '\n'));
}
