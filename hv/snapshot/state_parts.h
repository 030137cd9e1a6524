/* The machine's state in parts: time, vCPUs, devices, memory. A recorder that takes a digest of the
 * whole can keep short hashes of the parts with it, and codes (emu/word_code.h) of the state's
 * words: then a replay whose digest is another one can name what differs, and if that is one
 * register, field or byte, that and both its values. docs/trace-format.md, PART. */
#ifndef HV_SNAPSHOT_STATE_PARTS_H
#define HV_SNAPSHOT_STATE_PARTS_H

#include "emu/word_code.h"
#include "hv/board.h"

/* In the order in which board_visit goes through them: [begin, end) of the state's bytes. */
struct state_part {
    char name[160];
    size_t begin, end;
};
struct state_parts {
    struct state_part *list; /* owned */
    size_t count;
};

/* Saves the board's state, and finds where its parts are. */
void state_parts_save(struct board *b, struct bytes *out, struct state_parts *parts);

#define STATE_PARTS_VERSION 1 /* a stream's first byte; entries follow */

/* What a recording keeps of a moment. */
struct state_parts_entry {
    uint64_t instructions;
    bool is_start;  /* the machine as it was assembled: parts have names, memory a code of words */
    uint64_t size;  /* of the state, in bytes */
    uint64_t count; /* parts, memory the last */
    uint32_t *hashes; /* owned */
    char **names;     /* owned, NULL but for the start */
    struct word_code state, pages, words;
};

/* Appends the machine as it is now; `before` is the instruction count of the entry before it, 0 for
 * the first. Only between runs. */
void state_parts_put(struct board *b, bool is_start, uint64_t before, struct bytes *out);
/* False at the end of the data, and, with in->failed, where it is something else. The caller frees
 * with state_parts_free in any case. */
bool state_parts_get(struct reader *in, uint64_t before, struct state_parts_entry *entry);
void state_parts_free(struct state_parts_entry *entry);

/* Appends what differs between the recorded moment and the machine as it is now: "vm test, vcpu 0:
 * X3: recorded 0x1, now 0x2" if it is one thing, else the names of the parts. False: nothing does.
 * Only between runs. */
bool state_parts_differ(struct board *b, const struct state_parts_entry *recorded,
                        struct bytes *text);

#endif
