/* One guest exit as a row of named values: for lists, conditions, JSON. */
#ifndef QVM_ASK_EXIT_RECORD_H
#define QVM_ASK_EXIT_RECORD_H

#include "emu/where.h"
#include "emu/json.h"
#include "hv/events.h"

/* In this order. */
enum exit_column {
    EXIT_COLUMN_NUMBER,
    EXIT_COLUMN_INSN,
    EXIT_COLUMN_VM,
    EXIT_COLUMN_VCPU,
    EXIT_COLUMN_REASON,
    EXIT_COLUMN_PC,
    EXIT_COLUMN_SYNDROME,
    EXIT_COLUMN_GVA,
    EXIT_COLUMN_GPA,
    EXIT_COLUMN_SIZE,
    EXIT_COLUMN_WRITE,
    EXIT_COLUMN_VALUE,
    EXIT_COLUMN_REGISTER,
    EXIT_COLUMN_HANDLER,
    EXIT_COLUMN_RESULT,
    EXIT_COLUMNS
};
extern const struct where_name exit_columns[EXIT_COLUMNS + 1];

struct exit_record {
    struct where_value values[EXIT_COLUMNS];
    char reg[24]; /* S3_0_C12_C12_0; "none" */
};

/* `event` is a guest exit with a record of its own; `number` counts them from 0. Words are borrowed
 * from it. */
void exit_record_fill(struct exit_record *r, uint64_t number, const struct board_event *event);
/* "number=0 insn=48795 vm=test ...", without a newline. */
void exit_record_text(const struct exit_record *r, struct bytes *out);
/* Members of the JSON object that is open. */
void exit_record_json(const struct exit_record *r, struct json *j);

#endif
