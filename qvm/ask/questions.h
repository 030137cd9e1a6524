/* The commands that ask about a recording: one table. */
#ifndef QVM_ASK_QUESTIONS_H
#define QVM_ASK_QUESTIONS_H

#include <stdbool.h>

#include "emu/error.h"
#include "hv/config/config_errors.h"

/* Do the words, the command first, ask one of them? */
bool questions_know(char *const *words, int count);
/* `words` are those behind the command. Returns the exit status. */
int questions_answer(const char *command, char *const *words, int count);
/* Their names, to suggest. */
void questions_nearest(struct nearest *nearest);
/* Lines for --help. */
extern const char questions_usage[];

/* One file each. False, with the error, if there is no answer; with an exit status alone if there
 * is one, and it is no. */
bool question_info(char *const *words, int count, struct error *e);
bool question_exits(char *const *words, int count, struct error *e);
bool question_explain(char *const *words, int count, struct error *e);
bool question_export(char *const *words, int count, struct error *e);
bool question_diff(char *const *words, int count, struct error *e);
bool question_dump(char *const *words, int count, struct error *e);
bool question_shrink(char *const *words, int count, struct error *e);
bool question_when(char *const *words, int count, struct error *e);
bool question_why(char *const *words, int count, struct error *e);

#endif
