/* Waits for its virtual timer, longer and longer, until there is no more time. */
#include "gic.h"
#include "guest.h"

#define VIRTUAL_TIMER 27

int main(void)
{
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(VIRTUAL_TIMER, 0);
    for (uint64_t when = (uint64_t)1 << 40;; when <<= 1) {
        WRITE(cntv_cval_el0, when);
        WRITE(cntv_ctl_el0, 1);
        ASM("isb; wfi");
        CHECK("it has come", READ(cntvct_el0) >= when);
    }
}
