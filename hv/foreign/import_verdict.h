/* What the model gives where a board gave this exit: under the same configuration, would there be
 * one, of which class, and who would answer? */
#ifndef HV_FOREIGN_IMPORT_VERDICT_H
#define HV_FOREIGN_IMPORT_VERDICT_H

#include "hv/arm64/explain_arm64.h"
#include "hv/foreign/observed_exit.h"

struct import_verdict {
    bool is_judged; /* false: the model has nothing to say about such an exit; it agrees */
    bool agrees;
    char model[320]; /* what it gives, a sentence without capital and full stop */
    char why[160];   /* what differs; empty if it agrees */
    /* Of an abort: */
    bool has_access;
    struct explanation access;
};

/* On a board of the configuration that has not run: devices are really asked, so their state goes
 * on with every import_verdict. `lazy`: the other hypervisor maps RAM when it is first used, as
 * Linux does. */
void import_verdict(struct vm *vm, const struct observed_exit *x, bool lazy,
                    struct import_verdict *j);

/* observed_text.c: "data abort from a lower Exception level, translation fault, level 3, write of 4
 * bytes, ipa 0x9000018, PC 0x40080000", as much as is known. */
void observed_text(const struct observed_exit *x, struct bytes *out);
/* By what an abort was: the direction of a data access, as far as it is known (else read). */
enum access_kind observed_access_kind(const struct observed_exit *x);
bool observed_has_direction(const struct observed_exit *x);
/* Its size, from the source or the syndrome; 0: not known. */
unsigned observed_access_size(const struct observed_exit *x);

/* observed_event.c: an exit of the model itself, all of it known. False: the event is none. */
struct board_event;
bool observed_of_event(const struct board_event *event, struct observed_exit *x);

/* observed_compare.c: the first of the fields that both know and in which they differ; NULL: none.
 * `values` gets "A, B" of it. What devices answered is not compared. */
const char *observed_differs(const struct observed_exit *a, const struct observed_exit *b,
                             char *values, size_t size);

#endif
