#include "mmu/arm64/stage1.h"

/* Arm ARM, ESR_EL1, "ISS encoding for an exception from a Data Abort", DFSC. */
unsigned fault_status_code(const struct fault *f)
{
    unsigned level = (unsigned)f->level & 3;
    switch (f->class) {
    case FAULT_ADDRESS_SIZE:
        return 0x00 | level;
    case FAULT_TRANSLATION:
        return 0x04 | level;
    case FAULT_ACCESS_FLAG:
        return 0x08 | level;
    case FAULT_PERMISSION:
        return 0x0c | level;
    case FAULT_EXTERNAL_ON_WALK:
        return 0x14 | level;
    case FAULT_EXTERNAL:
        return 0x10;
    case FAULT_ALIGNMENT:
        return 0x21;
    case FAULT_NONE:
        break;
    }
    return 0;
}
