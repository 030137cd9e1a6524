/* What the Linux guest's own programs share: system calls and lines of text. There is no C library;
 * a program is one file that includes this one, and build.sh links it statically. */
#include <stddef.h>
#include <stdint.h>

enum { SYS_write = 64, SYS_exit = 93 };

static long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

static _Noreturn void quit(int status)
{
    for (;;)
        syscall(SYS_exit, status, 0, 0, 0, 0, 0);
}

/* A line, whole: the other guest may share the terminal. */
struct line {
    char text[200];
    size_t size;
};

static void add(struct line *l, const char *text)
{
    while (*text && l->size < sizeof l->text)
        l->text[l->size++] = *text++;
}

static void add_number(struct line *l, uint64_t n, unsigned base)
{
    char digits[24];
    size_t i = sizeof digits;
    digits[--i] = '\0';
    do
        digits[--i] = "0123456789abcdef"[n % base];
    while (n /= base);
    add(l, digits + i);
}

static void print(struct line *l)
{
    add(l, "\n");
    syscall(SYS_write, 1, (long)l->text, (long)l->size, 0, 0, 0);
}
