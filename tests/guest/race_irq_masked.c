/* race_irq.c with the interrupt masked while the main program counts: right under every seed. */
#define MASKED
#include "race_irq.c"
