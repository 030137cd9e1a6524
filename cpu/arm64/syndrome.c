#include "cpu/arm64/syndrome.h"

#include <stdio.h>

#include "cpu/arm64/arm64.h"
#include "emu/text.h"

struct iss_field {
    const char *name;
    uint8_t high, low;
};

static const struct iss_field data_abort[] = {
    {"ISV", 24, 24}, {"SAS", 23, 22}, {"SSE", 21, 21}, {"SRT", 20, 16}, {"SF", 15, 15},
    {"AR", 14, 14},  {"CM", 8, 8},    {"S1PTW", 7, 7}, {"WnR", 6, 6},   {NULL, 0, 0}};
static const struct iss_field insn_abort[] = {{"S1PTW", 7, 7}, {NULL, 0, 0}};
static const struct iss_field wfx[] = {
    {"CV", 24, 24}, {"COND", 23, 20}, {"TI", 1, 0}, {NULL, 0, 0}};
static const struct iss_field call[] = {{"imm16", 15, 0}, {NULL, 0, 0}};
static const struct iss_field sysreg[] = {{"Op0", 21, 20}, {"Op2", 19, 17}, {"Op1", 16, 14},
                                          {"CRn", 13, 10}, {"Rt", 9, 5},    {"CRm", 4, 1},
                                          {"read", 0, 0},  {NULL, 0, 0}};
static const struct iss_field whole[] = {{"ISS", 24, 0}, {NULL, 0, 0}};

static const struct {
    enum esr_ec ec;
    const char *name;
    const struct iss_field *fields;
} classes[] = {
    {EC_UNKNOWN, "unknown reason", whole},
    {EC_WFX, "trapped WFI or WFE", wfx},
    {EC_FP, "trapped SIMD or FP", whole},
    {EC_ILLEGAL_STATE, "illegal execution state", whole},
    {EC_SVC, "SVC", call},
    {EC_HVC, "HVC", call},
    {EC_SMC, "SMC", call},
    {EC_SYSREG, "trapped MSR, MRS or system instruction", sysreg},
    {EC_INSN_ABORT_LOWER, "Instruction Abort from a lower Exception level", insn_abort},
    {EC_INSN_ABORT, "Instruction Abort from the same Exception level", insn_abort},
    {EC_PC_ALIGNMENT, "PC alignment fault", whole},
    {EC_DATA_ABORT_LOWER, "Data Abort from a lower Exception level", data_abort},
    {EC_DATA_ABORT, "Data Abort from the same Exception level", data_abort},
    {EC_SP_ALIGNMENT, "SP alignment fault", whole},
    {EC_BREAKPOINT_LOWER, "breakpoint from a lower Exception level", whole},
    {EC_BREAKPOINT, "breakpoint from the same Exception level", whole},
    {EC_STEP_LOWER, "software step from a lower Exception level", whole},
    {EC_STEP, "software step from the same Exception level", whole},
    {EC_WATCHPOINT_LOWER, "watchpoint from a lower Exception level", whole},
    {EC_WATCHPOINT, "watchpoint from the same Exception level", whole},
    {EC_BRK, "BRK", call},
};

#define CLASSES (sizeof classes / sizeof classes[0])

static size_t class_of(unsigned ec)
{
    size_t i = 0;
    while (i < CLASSES && classes[i].ec != ec)
        i++;
    return i;
}

const char *syndrome_class_name(unsigned ec)
{
    size_t i = class_of(ec);
    return i < CLASSES ? classes[i].name : "reserved";
}

/* D19.2.37, "ISS encoding for an exception from a Data Abort": DFSC; IFSC is the same. */
void syndrome_status_text(unsigned status, char *text, size_t size)
{
    static const char *const by_level[] = {"address size fault", "translation fault",
                                           "access flag fault", "permission fault"};
    if (status < 0x10)
        snprintf(text, size, "%s, level %u", by_level[status >> 2], status & 3);
    else if (status >= 0x14 && status <= 0x17)
        snprintf(text, size, "external abort on a table walk, level %u", status & 3);
    else
        snprintf(text, size, "%s",
                 status == 0x10   ? "external abort"
                 : status == 0x21 ? "alignment fault"
                 : status == 0x22 ? "debug exception"
                                  : "reserved");
}

static bool is_abort(unsigned ec)
{
    return ec == EC_INSN_ABORT_LOWER || ec == EC_INSN_ABORT || ec == EC_DATA_ABORT_LOWER ||
           ec == EC_DATA_ABORT;
}

void syndrome_text(uint32_t esr, char *text, size_t size)
{
    unsigned ec = esr >> ESR_EC_SHIFT;
    size_t class = class_of(ec);
    const struct iss_field *f = class < CLASSES ? classes[class].fields : whole;
    snprintf(text, size, "EC=0x%02x (%s) IL=%u", ec, syndrome_class_name(ec), esr >> 25 & 1);
    for (; f->name; f++)
        text_add(text, size, " %s=%#x", f->name, esr >> f->low & ((2u << (f->high - f->low)) - 1));
    if (!is_abort(ec))
        return;
    char status[64];
    syndrome_status_text(esr & 0x3f, status, sizeof status);
    text_add(text, size, " %s=0x%02x (%s)", classes[class].fields == data_abort ? "DFSC" : "IFSC",
             esr & 0x3f, status);
}

uint32_t syndrome_of_fault(const struct fault *f, enum access_kind kind, bool lower)
{
    bool fetch = kind == ACCESS_FETCH;
    enum esr_ec ec = fetch ? (lower ? EC_INSN_ABORT_LOWER : EC_INSN_ABORT)
                           : (lower ? EC_DATA_ABORT_LOWER : EC_DATA_ABORT);
    uint32_t write = !fetch && kind == ACCESS_WRITE;
    return (uint32_t)ec << ESR_EC_SHIFT | ESR_IL | write << 6 | fault_status_code(f);
}

unsigned syndrome_register(uint32_t esr)
{
    return SYSREG(esr >> 20 & 3, esr >> 14 & 7, esr >> 10 & 15, esr >> 1 & 15, esr >> 17 & 7);
}
