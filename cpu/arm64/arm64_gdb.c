/* The registers as gdb has to be told of them: a target description ("Target Descriptions",
 * standard AArch64 features and one of our own). */
#include "cpu/arm64/cpu_internal.h"
#include "emu/text.h"

/* Numbered registers of one kind: X0... */
static void regs(struct bytes *out, char letter, unsigned count, unsigned bits, const char *more)
{
    for (unsigned i = 0; i < count; i++)
        text_put(out, "<reg name=\"%c%u\" bitsize=\"%u\"%s/>\n", letter, i, bits, more);
}

/* SPSR_EL1's layout (DDI 0487, C5.2.18), which is how PSTATE is shown. */
static void pstate_flags(struct bytes *out)
{
    static const struct {
        const char *name;
        unsigned from, to;
    } flags[] = {
        {"SP", 0, 0},   {"EL", 2, 3},   {"nRW", 4, 4},   {"F", 6, 6},
        {"I", 7, 7},    {"A", 8, 8},    {"D", 9, 9},     {"SSBS", 12, 12},
        {"IL", 20, 20}, {"SS", 21, 21}, {"PAN", 22, 22}, {"UAO", 23, 23},
        {"V", 28, 28},  {"C", 29, 29},  {"Z", 30, 30},   {"N", 31, 31},
    };
    text_put(out, "<flags id=\"pstate\" size=\"4\">\n");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        text_put(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", flags[i].name,
                 flags[i].from, flags[i].to);
    text_put(out, "</flags>\n");
}

static void core(struct bytes *out)
{
    text_put(out, "<feature name=\"org.gnu.gdb.aarch64.core\">\n");
    pstate_flags(out);
    regs(out, 'x', 31, 64, "");
    text_put(out, "<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/>\n"
                  "<reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>\n"
                  "<reg name=\"cpsr\" bitsize=\"32\" type=\"pstate\"/>\n"
                  "</feature>\n");
}

/* A vector register is all of $v0.d.u, $v0.d.s, $v0.d.f and so on, as with any AArch64 target. */
static const struct lane {
    char name;
    unsigned count;
    struct {
        char name;
        const char *type;
    } views[3];
} lanes[] = {
    {'d', 2, {{'f', "ieee_double"}, {'u', "uint64"}, {'s', "int64"}}},
    {'s', 4, {{'f', "ieee_single"}, {'u', "uint32"}, {'s', "int32"}}},
    {'h', 8, {{'f', "ieee_half"}, {'u', "uint16"}, {'s', "int16"}}},
    {'b', 16, {{'u', "uint8"}, {'s', "int8"}, {0, NULL}}},
    {'q', 1, {{'u', "uint128"}, {'s', "int128"}, {0, NULL}}},
};
enum { LANES = sizeof lanes / sizeof lanes[0] };

static void lane_types(struct bytes *out, const struct lane *lane)
{
    for (unsigned i = 0; i < 3 && lane->views[i].name; i++)
        text_put(out, "<vector id=\"v%c%c\" type=\"%s\" count=\"%u\"/>\n", lane->name,
                 lane->views[i].name, lane->views[i].type, lane->count);
    text_put(out, "<union id=\"v%c\">\n", lane->name);
    for (unsigned i = 0; i < 3 && lane->views[i].name; i++)
        text_put(out, "<field name=\"%c\" type=\"v%c%c\"/>\n", lane->views[i].name, lane->name,
                 lane->views[i].name);
    text_put(out, "</union>\n");
}

static void fpu(struct bytes *out)
{
    text_put(out, "<feature name=\"org.gnu.gdb.aarch64.fpu\">\n");
    for (unsigned i = 0; i < LANES; i++)
        lane_types(out, &lanes[i]);
    text_put(out, "<union id=\"lanes\">\n");
    for (unsigned i = 0; i < LANES; i++)
        text_put(out, "<field name=\"%c\" type=\"v%c\"/>\n", lanes[i].name, lanes[i].name);
    text_put(out, "</union>\n");
    regs(out, 'v', 32, 128, " type=\"lanes\"");
    text_put(out, "<reg name=\"fpsr\" bitsize=\"32\" type=\"uint32\"/>\n"
                  "<reg name=\"fpcr\" bitsize=\"32\" type=\"uint32\"/>\n"
                  "</feature>\n");
}

void arm64_describe_registers(struct bytes *out)
{
    text_put(out, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                  "<target version=\"1.0\">\n<architecture>aarch64</architecture>\n");
    core(out);
    fpu(out);
    text_put(out, "<feature name=\"org.qvm.aarch64.system\">\n");
    for (unsigned i = ARM64_SYSTEM; i < ARM64_REGISTERS; i++)
        text_put(out,
                 "<reg name=\"%s\" bitsize=\"64\" type=\"uint64\" group=\"system\""
                 " save-restore=\"no\"/>\n",
                 arm64_registers[i].name);
    text_put(out, "</feature>\n</target>\n");
}
