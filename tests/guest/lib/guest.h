/* What every bare-metal guest program starts from: system registers, output, checks and the end of
 * the run. Programs run at EL1 of a board laid out like QEMU's `virt`, with interrupts masked and
 * the MMU off, and report by Arm semihosting (HLT 0xF000). main() returns to finish(). */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define PL011    0x09000000u
#define PL031    0x09010000u
#define GICD     0x08000000u
#define GICR     0x080a0000u
#define NOTHING  0x0a800000u /* guest-physical address where nothing answers */
#define RAM      0x40000000u
#define RAM_SIZE 0x04000000u /* what programs use of it */
#define SCRATCH  0x42000000u /* RAM beyond every image, for tests */

#define READ(reg)                                                                                  \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #reg : "=r"(value_)::"memory");                                \
        value_;                                                                                    \
    })
#define WRITE(reg, value) __asm__ volatile("msr " #reg ", %0" ::"r"((uint64_t)(value)) : "memory")
#define ISB()             __asm__ volatile("isb" ::: "memory")
#define DSB()             __asm__ volatile("dsb sy" ::: "memory")
#define ASM(text)         __asm__ volatile(text ::: "memory")

/* SCTLR_EL1 */
#define SCTLR_M    (1u << 0)
#define SCTLR_A    (1u << 1)
#define SCTLR_C    (1u << 2)
#define SCTLR_SA   (1u << 3)
#define SCTLR_SA0  (1u << 4)
#define SCTLR_UMA  (1u << 9)
#define SCTLR_I    (1u << 12)
#define SCTLR_DZE  (1u << 14)
#define SCTLR_UCT  (1u << 15)
#define SCTLR_NTWI (1u << 16)
#define SCTLR_NTWE (1u << 18)
#define SCTLR_WXN  (1u << 19)
#define SCTLR_SPAN (1u << 23)
#define SCTLR_UCI  (1u << 26)

static inline void sctlr_change(uint64_t clear, uint64_t set)
{
    WRITE(sctlr_el1, (READ(sctlr_el1) & ~clear) | set);
    ISB();
}

static inline uint32_t read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static inline void write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}
static inline uint64_t read64(uint64_t address)
{
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static inline void write64(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

/* A field of an ID register. */
static inline unsigned field(uint64_t value, unsigned low, unsigned bits)
{
    return (unsigned)(value >> low & ((1u << bits) - 1));
}

/* Semihosting: operation and parameter block. */
uint64_t semihost(uint64_t operation, const void *parameters);
enum {
    SYS_OPEN = 1,
    SYS_CLOSE = 2,
    SYS_WRITEC = 3,
    SYS_WRITE0 = 4,
    SYS_WRITE = 5,
    SYS_READ = 6,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20
};

/* Prints text; %s string, %u decimal, %x hexadecimal with 0x, %n character count is not there.
 * Numbers are 64 bits. At most 255 characters. Not for several CPUs at a time. */
void print(const char *format, ...);

/* A failed check is printed and counted, and the program goes on. */
#define CHECK_EQ(what, got, expected)                                                              \
    check_eq(what, __LINE__, (uint64_t)(got), (uint64_t)(expected))
#define CHECK(what, condition) check_eq(what, __LINE__, (condition) ? 1 : 0, 1)
bool check_eq(const char *what, int line, uint64_t got, uint64_t expected);
/* Puts `prefix` before the `what` of all checks until the next call; NULL or a number may follow.
 */
void check_context(const char *prefix, uint64_t number);
/* Checks until `known_end` where QEMU is known not to do what the manual says: under QEMU a failed
 * one is printed and not counted. */
void known_begin(const char *why);
void known_end(void);
/* Checks until `gap_end` where our engine is known not to do what the manual says (docs/engine.md,
 * "What it does not do"): failed ones are printed and counted as gaps. At least one must fail, or
 * the gap is closed and its mark must go. Nothing is excused under QEMU. */
void gap_begin(const char *why);
void gap_end(void);
/* fw_cfg of QEMU's board answers. */
bool on_qemu(void);

uint64_t checks_failed(void);
/* Ends the run with the verdict of the checks; exit status 0 or 1. */
_Noreturn void finish(void);
_Noreturn void quit(uint64_t status);

/* PSCI (DEN0022) over HVC. */
#define PSCI_VERSION       0x84000000u
#define PSCI_CPU_SUSPEND   0xc4000001u
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_FEATURES      0x8400000au
int64_t hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);

void *memset(void *to, int byte, size_t count);
void *memcpy(void *to, const void *from, size_t count);

int main(void);

#endif
