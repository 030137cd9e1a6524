/* What the commands that ask about a recording have in common: their words, a player, a place in
 * the recording, an answer. Each command is a file of its own (question_info.c, question_exits.c,
 * question_explain.c, ...). */
#ifndef QVM_ASK_QUESTION_H
#define QVM_ASK_QUESTION_H

#include "qvm/player.h"

/* One option; exactly one of the three pointers is set. */
struct question_option {
    const char *name;
    bool *flag;
    uint64_t *number;  /* takes an argument */
    const char **text; /* takes an argument */
};

/* Sorts the words behind the command: options where they belong, and exactly `wanted` others in
 * `others`. `usage` is the command with its words, for the message. */
bool question_words(char *const *words, int count, const struct question_option *options,
                    const char **others, size_t wanted, const char *usage, struct error *e);
/* A number as everywhere on the command line. `what` is for the message. */
bool question_number(const char *text, uint64_t *value, const char *what, struct error *e);

/* An address: a number, or SYMBOL[+OFFSET] of an image that these VMs were loaded from. Of a symbol
 * without an offset `*size` becomes its size if it has one, and 8 bytes at most. */
struct question_names {
    const struct journal *journal;
    const struct vm_config *configs;
    size_t count;
};
bool question_address(const struct question_names *names, const char *text, uint64_t *address,
                      uint64_t *size, const char *what, struct error *e);

/* A recording, to be played without digests or output. */
bool question_open(struct player *p, const char *path, struct error *e);
/* Plays until so many instructions were executed: board and inputs are as they were before the next
 * one. An error if the recording ends before. */
bool question_play_to(struct player *p, uint64_t instructions, const struct board_sinks *sinks,
                      struct error *e);

/* The VM of that name; NULL: the only one, or else an error that lists them. */
struct vm *question_vm(const struct board *b, const char *name, struct error *e);

/* Standard output, or with `path` a file. */
bool question_answer(const struct bytes *text, const char *path, struct error *e);

#endif
