/* Guest exits and little else, for measuring: device reads, device writes, counter reads and
 * hypercalls. */
#include "guest.h"

enum { COUNT = 300000, UARTFR = 0x18, UARTIMSC = 0x38 };

int main(void)
{
    /* As a kernel has it: no trap of floating point (CPACR_EL1.FPEN). */
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    for (unsigned i = 0; i < COUNT; i++)
        read32(PL011 + UARTFR);
    for (unsigned i = 0; i < COUNT; i++)
        write32(PL011 + UARTIMSC, 0);
    for (unsigned i = 0; i < COUNT; i++)
        READ(cntvct_el0);
    for (unsigned i = 0; i < COUNT; i++)
        hvc(PSCI_VERSION, 0, 0, 0);
    print("done: %u of each\n", (uint64_t)COUNT);
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    return 1;
}
