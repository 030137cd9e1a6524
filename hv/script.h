/* The script of a run: what its guests did, as everything behind them saw it, and what came of it.
 * A recorder writes it; a replay expects it, and the first entry that differs is the first
 * instruction that went another way; and the exit logic alone can be run from it, on an engine that
 * executes nothing (cpu/engine_script.h). */
#ifndef HV_SCRIPT_H
#define HV_SCRIPT_H

#include "hv/board.h"
#include "hv/script_entry.h"

enum script_mode {
    SCRIPT_WRITES,  /* entries are appended to `out` */
    SCRIPT_EXPECTS, /* they are compared; nothing more behind the first difference */
    SCRIPT_PLAYS,   /* guests do what the script says, the rest is compared to its end */
};

struct script_difference {
    const struct board *board;
    uint64_t instructions;
    const struct script_entry *recorded, *now; /* one may be NULL: only the other happened */
    const char *what;                          /* differs, if both are there */
    struct script_values values;
};

struct script {
    enum script_mode mode;
    struct bytes out; /* owned */
    uint64_t out_last;
    struct reader in;
    uint8_t version; /* of `in` */
    bool has_head;
    struct script_entry head; /* the next one that is expected */
    uint64_t in_last;         /* its instruction count */
    uint64_t unsure_at;       /* expects: where the run began, see script_skip; or UINT64_MAX */
    struct script_entry exit; /* that is being handled: */
    bool in_exit;
    bool is_whole; /* expects: the recorder came to its end, so nothing follows the last entry */
    uint64_t entries, exits, differences;
    void (*differs)(void *context, const struct script_difference *d);
    void *context;
    struct board *board; /* plays: set by script_engine */
    bool is_lost;        /* plays: other vCPUs run than did: it cannot go on */
};

void script_write(struct script *s);
/* `data` is borrowed. */
void script_expect(struct script *s, enum script_mode mode, const void *data, size_t size,
                   void (*differs)(void *context, const struct script_difference *d),
                   void *context);
void script_free(struct script *s);
/* The instruction of the last entry; 0: there is none. */
uint64_t script_last(const void *data, size_t size);
/* The run begins at a snapshot: entries before that instruction have happened. Of those at it some
 * may come yet: a vCPU that waited when it was taken is woken without an instruction, and a timer
 * write is told before its own counts. */
void script_skip(struct script *s, uint64_t instructions);
/* All has happened that the script says. */
bool script_is_over(const struct script *s);
/* The data is no script, from the head on. */
bool script_is_broken(const struct script *s);

/* What the board tells it; without a script these do nothing (or only the work). */
void script_exit(struct vm *vm, const struct vcpu *v, const struct guest_exit *x);
void script_result(struct vm *vm, const struct vcpu *v, const struct guest_exit *x,
                   enum exit_result result);
void script_lines(struct vm *vm, unsigned vcpu, bool irq, bool fiq);
void script_pmu(struct vm *vm, unsigned vcpu, bool level);
/* Their event, about to be handled; `changes`: the interrupt does, next. */
void script_pmu_due(struct vm *vm, unsigned vcpu, uint64_t due_ticks, bool changes);
void script_timer(struct vm *vm, unsigned vcpu, bool physical, unsigned op2, uint64_t value);
void script_turn(struct board *b, const struct turn *t);
void script_loop(struct board *b, const struct turn *t);
void script_wait(struct board *b, const struct turn *t);

/* Guest memory for the exit logic: by gpa as a device sees it, by gva as the vCPU does. */
bool script_read_gpa(struct vm *vm, gpa_t from, void *to, uint64_t size);
bool script_read_gva(struct vm *vm, struct vcpu *v, gva_t from, void *to, uint64_t size);
bool script_write_gva(struct vm *vm, struct vcpu *v, gva_t to, const void *from, uint64_t size);

/* The board has come to its end, and the head never happened: reported, if there is one. */
void script_end(struct script *s, struct board *b);

/* Plays: monitors whose event comes next know when. After the board is assembled or restored; later
 * by itself. */
void script_arm(struct script *s);

/* For script_play.c. The head should have happened by now: it is reported, and left out. */
void script_missed(struct script *s);
/* The head belongs to a vCPU that does not run: reported, and the end of the run. */
void script_lose(struct script *s);

/* script_play.c: the engine of a board whose script plays. */
struct engine *script_engine(struct script *s, struct board *b);

#endif
