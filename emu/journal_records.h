/* The records of a journal's streams one by one, for whoever wants to look at inputs instead of
 * replaying them. docs/trace-format.md has the bytes. */
#ifndef EMU_JOURNAL_RECORDS_H
#define EMU_JOURNAL_RECORDS_H

#include "emu/journal.h"

/* An answer of the pull stream; `key` and `data` are borrowed from the stream, `key` has no NUL. */
struct pull_record {
    uint8_t kind; /* enum pull_kind */
    bool absent;  /* the host had none */
    const char *key;
    size_t key_size;
    struct digest digest; /* journal_pull_has_digest */
    const uint8_t *data;  /* the others */
    size_t size;
    uint64_t offset, length; /* PULL_RANGE, absent or not */
};

/* Is the answer contents that are kept apart? */
bool journal_pull_has_digest(const struct pull_record *r);
/* Of a PULL_RANGE that was not given: why. */
enum range_answer journal_range_answer_of(const struct pull_record *r);

/* The record at the reader's place; false at the end, and, with pulls->failed, where the stream
 * makes no sense. */
bool journal_next_pull(struct reader *pulls, struct pull_record *r);
/* The same; `p->tick` on entry is that of the record before, 0 for the first. */
bool journal_next_push(struct reader *pushes, struct push *p);

/* Is there such a kind, and may one have so many bytes? */
bool journal_push_is_good(unsigned kind, uint64_t size);
/* Appends one; `before` is the tick of the record before it. */
void journal_put_push(struct bytes *pushes, uint64_t before, const struct push *p);

const char *journal_pull_name(unsigned kind);
const char *journal_push_name(unsigned kind);

#endif
