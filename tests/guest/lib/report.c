/* Output, checks and the end of the run. */
#include <stdarg.h>

#include "guest.h"
#include "trap.h"

__attribute__((noinline)) uint64_t semihost(uint64_t operation, const void *parameters)
{
    register uint64_t x0 __asm__("x0") = operation;
    register uint64_t x1 __asm__("x1") = (uint64_t)parameters;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}

int64_t hvc(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    /* SMCCC: x4-x17 may be clobbered by older firmware. */
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
    /* Functions without bit 30 answer in W0. */
    return function & 1u << 30 ? (int64_t)x0 : (int32_t)x0;
}

void *memset(void *to, int byte, size_t count)
{
    volatile uint8_t *at = to;
    while (count--)
        *at++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
    volatile uint8_t *at = to;
    const volatile uint8_t *source = from;
    while (count--)
        *at++ = *source++;
    return to;
}

struct line {
    char text[256];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length < sizeof line->text - 1)
        line->text[line->length++] = c;
}

static void put_number(struct line *line, uint64_t value, unsigned base)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(line, digits[--count]);
}

static void put_string(struct line *line, const char *s)
{
    while (*s)
        put(line, *s++);
}

void print(const char *format, ...)
{
    struct line line = {.length = 0};
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(&line, *format);
            continue;
        }
        format++;
        if (*format == 's') {
            put_string(&line, va_arg(arguments, const char *));
        } else if (*format == 'x') {
            put_string(&line, "0x");
            put_number(&line, va_arg(arguments, uint64_t), 16);
        } else {
            put_number(&line, va_arg(arguments, uint64_t), 10);
        }
    }
    va_end(arguments);
    line.text[line.length] = 0;
    semihost(SYS_WRITE0, line.text);
}

enum { MESSAGES_MAX = 100 };
static uint64_t passed, failed, known, gaps, gaps_before;
static const char *gap_why;
static const char *context;
static uint64_t context_number;
static const char *known_why;

void check_context(const char *prefix, uint64_t number)
{
    context = prefix;
    context_number = number;
}

void known_begin(const char *why)
{
    known_why = why;
}

void known_end(void)
{
    known_why = NULL;
}

void gap_begin(const char *why)
{
    gap_why = on_qemu() ? NULL : why;
    gaps_before = gaps;
}

void gap_end(void)
{
    if (gap_why && gaps == gaps_before) {
        print("FAILED, the gap is closed: %s\n", gap_why);
        failed++;
    }
    gap_why = NULL;
}

/* Prints what the check found; the caller counts. */
static void print_check(const char *verdict, const char *what, int line, uint64_t got,
                        uint64_t expected, const char *why)
{
    print("%s, line %u: ", verdict, (uint64_t)line);
    if (context)
        print("%s %x: ", context, context_number);
    print("%s: expected %x, got %x", what, expected, got);
    if (why)
        print(" (%s)", why);
    print("\n");
}

bool check_eq(const char *what, int line, uint64_t got, uint64_t expected)
{
    if (got == expected) {
        passed++;
        return true;
    }
    bool excused = known_why && on_qemu();
    uint64_t *count = excused ? &known : gap_why ? &gaps : &failed;
    if ((*count)++ < MESSAGES_MAX)
        print_check(excused   ? "differs under QEMU"
                    : gap_why ? "known gap"
                              : "FAILED",
                    what, line, got, expected, excused ? known_why : gap_why);
    return false;
}

/* fw_cfg: selector 0 at offset 8 (big endian), data at offset 0: "QEMU". */
static uint64_t ask_fw_cfg(void)
{
    __asm__ volatile("strh wzr, [%0, #8]" ::"r"(0x09020000ull) : "memory");
    uint64_t text = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t byte;
        __asm__ volatile("ldrb %w0, [%1]" : "=r"(byte) : "r"(0x09020000ull) : "memory");
        text = text << 8 | byte;
    }
    return text;
}

bool on_qemu(void)
{
    static enum { UNKNOWN, NO, YES } answer;
    if (answer == UNKNOWN) {
        struct trap t = trap_el1((const void *)ask_fw_cfg, 0, 0, 0);
        answer = !t.taken && t.x[0] == 0x51454d55 ? YES : NO;
    }
    return answer == YES;
}

uint64_t checks_failed(void)
{
    return failed;
}

void quit(uint64_t status)
{
    uint64_t block[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
    for (;;)
        semihost(SYS_EXIT_EXTENDED, block);
}

void finish(void)
{
    print("%u checks passed, %u failed", passed, failed);
    if (known)
        print(", %u known differences of QEMU", known);
    if (gaps)
        print(", %u known gaps", gaps);
    print("\n");
    quit(failed ? 1 : 0);
}
