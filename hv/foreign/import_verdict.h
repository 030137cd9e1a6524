/* What the model gives where a board gave this exit: under the same configuration, would there be
 * one, of which class, and who would answer? */
#ifndef HV_FOREIGN_IMPORT_VERDICT_H
#define HV_FOREIGN_IMPORT_VERDICT_H

#include "emu/text.h"
#include "hv/explain/guest_place.h"
#include "hv/foreign/observed_arch.h"

struct import_verdict {
    bool is_judged; /* false: the model has nothing to say about such an exit; it agrees */
    bool agrees;
    char model[320]; /* what it gives, a sentence without capital and full stop */
    char why[160];   /* what differs; empty if it agrees */
    /* Of an abort: whether the model has one, too, and with which syndrome; how the address is
     * translated, as text. */
    bool has_fault;
    uint64_t model_syndrome;
    struct bytes walk; /* owned */
};

/* On a board of the configuration that has not run: devices are really asked, so their state goes
 * on with every import_verdict. `lazy`: the other hypervisor maps RAM when it is first used, as
 * Linux does. The caller frees with import_verdict_free. */
void import_verdict(struct vm *vm, const struct observed_exit *x, bool lazy,
                    struct import_verdict *j);
void import_verdict_free(struct import_verdict *j);

/* For architectures: what the model gives; that it differs, and in what; that it has nothing to
 * say, and why. */
void import_verdict_say(struct import_verdict *j, const char *format, ...) TEXT_PRINTF(2, 3);
void import_verdict_differ(struct import_verdict *j, const char *format, ...) TEXT_PRINTF(2, 3);
void import_verdict_none(struct import_verdict *j, const char *why);
/* The access is permitted. `is_late`: the other hypervisor has not mapped it so far. */
void import_verdict_on_mapped(struct import_verdict *j, const struct guest_place *place,
                              bool is_late);
/* It is `fault`: whoever is there is asked, as the guest did. */
void import_verdict_on_refused(struct vm *vm, const struct observed_exit *x, gpa_t at,
                               const struct guest_place *place, const char *fault,
                               struct import_verdict *j);

/* observed_text.c: "data abort from a lower Exception level, translation fault, level 3, write of 4
 * bytes, ipa 0x9000018, PC 0x40080000", as much as is known. */
void observed_text(const struct observed_exit *x, struct bytes *out);
/* What it accessed, by what was seen and the syndrome. */
struct observed_access observed_access(const struct observed_exit *x);

/* observed_event.c: an exit of the model itself, all of it known. False: the event is none. */
struct board_event;
bool observed_of_event(const struct board_event *event, struct observed_exit *x);

/* observed_compare.c: the first of the fields that both know and in which they differ; NULL: none.
 * `values` gets "A, B" of it. What devices answered is not compared. */
const char *observed_differs(const struct observed_exit *a, const struct observed_exit *b,
                             char *values, size_t size);

#endif
