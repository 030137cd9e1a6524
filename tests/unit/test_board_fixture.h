/* Boards on the real engine whose guests are a few instructions of a test. */
#ifndef TEST_BOARD_FIXTURE_H
#define TEST_BOARD_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hv/board.h"

/* The contents of the file that every VM loads. */
struct image {
    const uint32_t *words;
    size_t count;
};

static inline bool pull(void *context, enum pull_kind kind, const char *key, size_t size,
                        struct bytes *out, struct error *e)
{
    const struct image *image = context;
    (void)e;
    if (kind == PULL_FILE)
        bytes_put(out, image->words, image->count * sizeof image->words[0]);
    for (size_t i = 0; kind == PULL_ENTROPY && i < size; i++)
        bytes_put_int(out, (uint8_t)key[strlen(key) - 1] + i, 1);
    if (kind == PULL_WALL_CLOCK)
        bytes_put_int(out, 0, 8);
    return true;
}

static inline bool poll_nothing(void *context, struct push *p)
{
    (void)context;
    (void)p;
    return false;
}

static inline bool on_idle(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns;
    return ns != UINT64_MAX;
}

/* As a trace's sink: its context is a struct bytes, which gets what is written. */
static inline bool append(void *context, const void *data, size_t size)
{
    bytes_put(context, data, size);
    return true;
}

#define MACHINE_VMS_MAX 2
struct machine {
    struct image image;
    struct vm_config configs[MACHINE_VMS_MAX];
    size_t vm_count;
    struct journal journal;
    struct board *board;
};

/* So many VMs of this configuration, which are to load `image`; `exit_log` may be NULL. False: it
 * cannot be parsed or assembled. */
static inline bool machine_make(struct machine *m, const char *text, size_t vms,
                                struct exit_log *exit_log, struct error *e)
{
    struct config_reader reader = {0};
    struct board_options options = {BOARD_NO_LIMITS, .exit_log = exit_log};
    struct board_sinks sinks = {.idle = on_idle};
    for (; m->vm_count < vms; m->vm_count++)
        if (!config_parse(&m->configs[m->vm_count], &text, 1, &reader, e))
            return false;
    journal_live(&m->journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &m->image});
    m->board = board_new(NULL, m->configs, vms, &m->journal, &options, &sinks, e);
    return m->board != NULL;
}

/* One VM. */
static inline bool machine_try(struct machine *m, const char *text, const uint32_t *words,
                               size_t count, struct error *e)
{
    *m = (struct machine){.image = {words, count}};
    return machine_make(m, text, 1, NULL, e);
}

/* VMs with 4 MiB at 0x40000000, where the image is. */
static inline void machine_assemble(struct machine *m, const uint32_t *words, size_t count,
                                    size_t vms, struct exit_log *exit_log)
{
    struct error e = {0};
    *m = (struct machine){.image = {words, count}};
    ck_assert_msg(machine_make(m, "ram 0x40000000,4M load 0x40000000,image", vms, exit_log, &e),
                  "%s", e.text);
}

static inline void machine_open(struct machine *m, const uint32_t *words, size_t count, size_t vms)
{
    machine_assemble(m, words, count, vms, NULL);
}

static inline void machine_close(struct machine *m)
{
    board_free(m->board);
    journal_free(&m->journal);
    for (size_t i = 0; i < m->vm_count; i++)
        config_free(&m->configs[i]);
}

static inline int suite_main(const char *name, TCase *t)
{
    Suite *s = suite_create(name);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
