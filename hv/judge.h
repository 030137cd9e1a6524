/* What the model gives where a board gave this exit: under the same configuration, would there be
 * one, of which class, and who would answer? */
#ifndef HV_JUDGE_H
#define HV_JUDGE_H

#include "hv/explain.h"
#include "hv/seen.h"

struct judgement {
    bool is_judged; /* false: the model has nothing to say about such an exit; it agrees */
    bool agrees;
    char model[320]; /* what it gives, a sentence without capital and full stop */
    char why[160];   /* what differs; empty if it agrees */
    /* Of an abort: */
    bool has_access;
    struct explanation access;
};

/* On a board of the configuration that has not run: devices are really asked, so their state goes
 * on with every judgement. `lazy`: the other hypervisor maps RAM when it is first used, as Linux
 * does. */
void judge(struct vm *vm, const struct seen_exit *x, bool lazy, struct judgement *j);

/* seen_text.c: "data abort from a lower Exception level, translation fault, level 3, write of 4
 * bytes, ipa 0x9000018, PC 0x40080000", as much as is known. */
void seen_text(const struct seen_exit *x, struct bytes *out);
/* By what an abort was: the direction of a data access, as far as it is known (else read). */
enum access_kind seen_access_kind(const struct seen_exit *x);
bool seen_has_direction(const struct seen_exit *x);
/* Its size, from the source or the syndrome; 0: not known. */
unsigned seen_access_size(const struct seen_exit *x);

/* seen_event.c: an exit of the model itself, all of it known. False: the event is none. */
struct board_event;
bool seen_of_event(const struct board_event *event, struct seen_exit *x);

/* seen_compare.c: the first of the fields that both know and in which they differ; NULL: none.
 * `values` gets "A, B" of it. What devices answered is not compared. */
const char *seen_differs(const struct seen_exit *a, const struct seen_exit *b, char *values,
                         size_t size);

#endif
