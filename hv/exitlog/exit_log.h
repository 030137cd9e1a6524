/* The exit log of a run: what its guests did, as everything behind them saw it, and what came of
 * it. A recorder writes it; a replay expects it, and the first entry that differs is the first
 * instruction that went another way; and the exit logic alone can be run from it, on an engine that
 * executes nothing (cpu/exitlog/engine_exit_log.h). */
#ifndef HV_EXITLOG_EXIT_LOG_H
#define HV_EXITLOG_EXIT_LOG_H

#include "hv/board.h"
#include "hv/exitlog/exit_log_entry.h"

enum exit_log_mode {
    EXIT_LOG_WRITES,  /* entries are appended to `out` */
    EXIT_LOG_EXPECTS, /* they are compared; nothing more behind the first difference */
    EXIT_LOG_PLAYS,   /* guests do what the exit log says, the rest is compared to its end */
};

struct exit_log_difference {
    const struct board *board;
    uint64_t instructions;
    const struct exit_log_entry *recorded, *now; /* one may be NULL: only the other happened */
    const char *what;                            /* differs, if both are there */
    struct exit_log_values values;
};

struct exit_log {
    enum exit_log_mode mode;
    struct bytes out; /* owned */
    uint64_t out_last;
    uint64_t out_begin;           /* what went before `out`: see exit_log_taken */
    struct digest_index contents; /* writes: where in the log long reads are */
    struct reader in;
    uint8_t version; /* of `in` */
    bool has_head;
    struct exit_log_entry head; /* the next one that is expected */
    uint64_t in_last;           /* its instruction count */
    uint64_t unsure_at;         /* expects: where the run began, see exit_log_skip; or UINT64_MAX */
    struct exit_log_entry exit; /* that is being handled: */
    bool in_exit;
    bool is_whole; /* expects: the recorder came to its end, so nothing follows the last entry */
    uint64_t entries, exits, differences;
    void (*differs)(void *context, const struct exit_log_difference *d);
    void *context;
    struct board *board; /* plays: set by exit_log_engine */
    bool is_lost;        /* plays: other vCPUs run than did: it cannot go on */
};

void exit_log_write(struct exit_log *s);
/* What is in `out` is kept elsewhere: it is empty afterwards. */
void exit_log_taken(struct exit_log *s);
/* `data` is borrowed. */
void exit_log_expect(struct exit_log *s, enum exit_log_mode mode, const void *data, size_t size,
                     void (*differs)(void *context, const struct exit_log_difference *d),
                     void *context);
void exit_log_free(struct exit_log *s);
/* The instruction of the last entry; 0: there is none. */
uint64_t exit_log_last(const void *data, size_t size);
/* The run begins at a snapshot: entries before that instruction have happened. Of those at it some
 * may come yet: a vCPU that waited when it was taken is woken without an instruction, and a timer
 * write is told before its own counts. */
void exit_log_skip(struct exit_log *s, uint64_t instructions);
/* All has happened that the exit log says. */
bool exit_log_is_over(const struct exit_log *s);
/* The data is no exit log, from the head on. */
bool exit_log_is_broken(const struct exit_log *s);

/* What the board tells it; without an exit log these do nothing (or only the work). */
void exit_log_exit(struct vm *vm, const struct vcpu *v, const struct guest_exit *x);
void exit_log_result(struct vm *vm, const struct vcpu *v, const struct guest_exit *x,
                     enum exit_result result);
void exit_log_signals(struct vm *vm, unsigned vcpu, unsigned signals);
void exit_log_pmu(struct vm *vm, unsigned vcpu, bool level);
/* Their event, about to be handled; `changes`: the interrupt does, next. */
void exit_log_pmu_due(struct vm *vm, unsigned vcpu, uint64_t due_ticks, bool changes);
void exit_log_timer(struct vm *vm, unsigned vcpu, unsigned timer, unsigned reg, uint64_t value);
void exit_log_turn(struct board *b, const struct sched_entity *t);
void exit_log_loop(struct board *b, const struct sched_entity *t);
void exit_log_wait(struct board *b, const struct sched_entity *t);

/* Guest memory for the exit logic: by gpa as a device sees it, by gva as the vCPU does. */
bool exit_log_read_gpa(struct vm *vm, gpa_t from, void *to, uint64_t size);
/* The same by what is the board's address, of no VM: an entry of the first one. */
bool exit_log_read_hpa(struct board *b, hpa_t from, void *to, uint64_t size);
bool exit_log_read_gva(struct vm *vm, struct vcpu *v, gva_t from, void *to, uint64_t size);
bool exit_log_write_gva(struct vm *vm, struct vcpu *v, gva_t to, const void *from, uint64_t size);

/* The board has come to its end, and the head never happened: reported, if there is one. */
void exit_log_end(struct exit_log *s, struct board *b);

/* Plays: monitors whose event comes next know when. After the board is assembled or restored; later
 * by itself. */
void exit_log_arm(struct exit_log *s);

/* For exit_log_play.c. Whose the head is; NULL: the board has no such vCPU. */
struct vcpu *exit_log_vcpu(const struct exit_log *s);
/* The head should have happened by now: it is reported, and left out. */
void exit_log_missed(struct exit_log *s);
/* The head belongs to a vCPU that does not run: reported, and the end of the run. */
void exit_log_lose(struct exit_log *s);

/* exit_log_play.c: the engine of a board whose exit log plays. */
struct engine *exit_log_engine(struct exit_log *s, struct board *b);

#endif
