#include "qvm/live/chaos_search.h"

#include <inttypes.h>
#include <stdio.h>

#include "emu/text.h"
#include "qvm/host/host.h"
#include "qvm/recording.h"
#include "qvm/report.h"

static void say_failed(const struct trial *trial, uint64_t seed, int status)
{
    host_print(trial->printed.data, trial->printed.size);
    host_flush();
    fprintf(stderr, "qvm: seed %" PRIu64 " fails: %s (exit status %d)", seed, trial->ending,
            status);
    if (trial->kept[0])
        fprintf(stderr, "; to see it again: qvm replay %s", trial->kept);
    fputc('\n', stderr);
}

/* Returns the exit status; other than 0, it ends the search. */
static int try_seed(const struct vm_words *vms, size_t count, const struct session_options *options,
                    uint64_t seed)
{
    struct trial trial = {.trace_path = options->record_path};
    struct session_options one = *options;
    one.record_path = NULL;
    one.trial = &trial;
    one.board.chaos = (struct chaos){.on = true, .seed = seed};
    int status = session_run(vms, count, &one);
    if (trial.error.text[0])
        report_error(&trial.error, status);
    else if (trial.failed)
        say_failed(&trial, seed, status);
    else if (trial.interrupted)
        fprintf(stderr, "qvm: interrupted at seed %" PRIu64 "\n", seed);
    bytes_free(&trial.printed);
    /* The power button ends a run well, but not a search that has seeds left. */
    return status == STATUS_OK && trial.interrupted ? STATUS_POWER_CUT : status;
}

int chaos_search(const struct vm_words *vms, size_t count, const struct session_options *options,
                 struct chaos_seeds seeds)
{
    struct error e = {0};
    /* Now, not when there is something to keep. */
    if (options->record_path && !may_overwrite(options->record_path, true, &e))
        return report_error(&e, STATUS_USAGE);
    for (uint64_t i = 0; i < seeds.count; i++) {
        int status = try_seed(vms, count, options, seeds.first + i);
        if (status != STATUS_OK)
            return status;
    }
    fprintf(stderr, "qvm: no run failed: %" PRIu64 " %s, %" PRIu64 " to %" PRIu64 "\n", seeds.count,
            text_plural(seeds.count, "seed", "seeds"), seeds.first, seeds.first + seeds.count - 1);
    return STATUS_OK;
}
