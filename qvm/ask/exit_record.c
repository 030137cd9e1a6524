#include "qvm/ask/exit_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hv/board.h"
#include "emu/text.h"

static const char *result_word(unsigned index)
{
    return index <= EXIT_STOPPED ? exit_result_name((enum exit_result)index) : NULL;
}

const struct where_name exit_columns[EXIT_COLUMNS + 1] = {
    [EXIT_COLUMN_NUMBER] = {"number", false, NULL},
    [EXIT_COLUMN_INSN] = {"insn", false, NULL},
    [EXIT_COLUMN_VM] = {"vm", true, NULL},
    [EXIT_COLUMN_VCPU] = {"vcpu", false, NULL},
    [EXIT_COLUMN_REASON] = {"reason", true, vm_arches_exit_name},
    [EXIT_COLUMN_PC] = {"pc", false, NULL},
    [EXIT_COLUMN_SYNDROME] = {"syndrome", false, NULL},
    [EXIT_COLUMN_GVA] = {"gva", false, NULL},
    [EXIT_COLUMN_GPA] = {"gpa", false, NULL},
    [EXIT_COLUMN_SIZE] = {"size", false, NULL},
    [EXIT_COLUMN_WRITE] = {"write", false, NULL},
    [EXIT_COLUMN_VALUE] = {"value", false, NULL},
    [EXIT_COLUMN_REGISTER] = {"register", true, NULL},
    [EXIT_COLUMN_HANDLER] = {"handler", true, NULL},
    [EXIT_COLUMN_RESULT] = {"result", true, result_word},
    [EXIT_COLUMNS] = {NULL, false, NULL},
};

static bool is_hexadecimal(size_t column)
{
    return column == EXIT_COLUMN_PC || column == EXIT_COLUMN_SYNDROME ||
           column == EXIT_COLUMN_GVA || column == EXIT_COLUMN_GPA || column == EXIT_COLUMN_VALUE;
}

void exit_record_fill(struct exit_record *r, uint64_t number, const struct board_event *event)
{
    const struct guest_exit *x = event->exit;
    struct where_value *v = r->values;
    snprintf(r->reg, sizeof r->reg, "none");
    if (x->detail[EXIT_NUMBER])
        event->vm->arch->cpu->register_text(x->detail[EXIT_NUMBER], r->reg, sizeof r->reg);
    v[EXIT_COLUMN_NUMBER].number = number;
    v[EXIT_COLUMN_INSN].number = event->instructions;
    v[EXIT_COLUMN_VM].word = event->vm->name;
    v[EXIT_COLUMN_VCPU].number = event->vcpu;
    v[EXIT_COLUMN_REASON].word = arch_exit_name(event->vm->arch->cpu, x->reason);
    v[EXIT_COLUMN_PC].number = x->pc.v;
    v[EXIT_COLUMN_SYNDROME].number = x->detail[EXIT_SYNDROME];
    v[EXIT_COLUMN_GVA].number = x->gva.v;
    v[EXIT_COLUMN_GPA].number = x->gpa.v;
    v[EXIT_COLUMN_SIZE].number = x->size;
    v[EXIT_COLUMN_WRITE].number = x->is_write;
    v[EXIT_COLUMN_VALUE].number = x->value;
    v[EXIT_COLUMN_REGISTER].word = r->reg;
    v[EXIT_COLUMN_HANDLER].word = x->handler ? x->handler : "nobody";
    v[EXIT_COLUMN_RESULT].word = exit_result_name(event->result);
}

void exit_record_text(const struct exit_record *r, struct bytes *out)
{
    for (size_t i = 0; i < EXIT_COLUMNS; i++) {
        const char *blank = i ? " " : "", *name = exit_columns[i].name;
        if (!exit_columns[i].is_word)
            text_put(out, is_hexadecimal(i) ? "%s%s=0x%" PRIx64 : "%s%s=%" PRIu64, blank, name,
                     r->values[i].number);
        else if (strchr(r->values[i].word, ' '))
            text_put(out, "%s%s='%s'", blank, name, r->values[i].word);
        else
            text_put(out, "%s%s=%s", blank, name, r->values[i].word);
    }
}

void exit_record_json(const struct exit_record *r, struct json *j)
{
    for (size_t i = 0; i < EXIT_COLUMNS; i++)
        if (exit_columns[i].is_word)
            json_string(j, exit_columns[i].name, r->values[i].word);
        else
            json_number(j, exit_columns[i].name, r->values[i].number);
}
