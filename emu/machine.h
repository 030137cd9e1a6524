/* What the machine did otherwise in the past. A recording says which machine it was made on, and
 * its replay is on that machine: each bit here asks for a behaviour that is history, none of them
 * for the machine of today. Where it is kept, and what it was, is said at its one user.
 *
 * In the header of a trace the bits are the other way round (docs/trace-format.md): a file made
 * before there was any of them has 0 there. A new one goes to the end: a program that does not know
 * it refuses the trace. */
#ifndef EMU_MACHINE_H
#define EMU_MACHINE_H

enum machine_quirk {
    QUIRK_WFE_RUNS = 1u << 0,         /* WFE ends a turn at most; it does not wait */
    QUIRK_GICR_ASLEEP = 1u << 1,      /* redistributors start asleep */
    QUIRK_NO_SEEDS = 1u << 2,         /* /chosen has no kaslr-seed and no rng-seed */
    QUIRK_OLD_PMU = 1u << 3,          /* a cycle counter is all there is */
    QUIRK_UNALIGNED_DEVICE = 1u << 4, /* unaligned accesses to Device memory that is RAM work */
    QUIRK_STALE_CODE = 1u << 5,       /* code changed without IC maintenance runs as it was */
    QUIRK_OLD_PART_IDS = 1u << 6,     /* PrimeCell identification registers */
    QUIRK_NO_16K = 1u << 7,           /* cpu-model max has no 16 KiB granule */
    QUIRK_LOOPS_RUN = 1u << 8,        /* exceptions that repeat for ever do not end a VM */
    QUIRK_ATOMICS_WRITE = 1u << 9,    /* ESR_EL1.WnR = 1 for every abort of an atomic */
    QUIRK_OLD_LOADS = 1u << 10,  /* a file without a type is no device tree and lies at the start
                                    of RAM; phandles of users' trees get new numbers */
    QUIRK_WATCH_LESS = 1u << 11, /* watchpoints miss atomics' reads, tags, the last addresses */
    QUIRK_TLBS_APART = 1u << 12, /* a walk fills the TLB of its own vCPU only */
    QUIRK_RESTARTED_LAST = 1u << 13, /* events of a VM that started again are behind equal ones */
    QUIRK_ZEN = 1u << 14,       /* CPACR_EL1.ZEN keeps what was written; max executes SVE then */
    QUIRK_UNALIGNED = 1u << 15, /* alignment is checked where stage 1 says Device only */
    QUIRK_FETCHED_READS = 1u << 16, /* no watchpoint and no alignment of Device memory is looked at
                                       where the page has just been fetched from */
    QUIRK_ONE_PAGE = 1u << 17, /* of an access over two pages, the engine not getting one of them,
                                  only that one is looked at: watchpoints, Device memory */
    QUIRK_INITRDS = 1u << 18,  /* a second initrd that has an address replaces the first */
    QUIRK_STXR = 1u << 19,     /* STXR that fails does not mind where its address and SP are */
    QUIRK_FETCHES_FIRST = 1u << 20, /* what is due where the next instruction cannot be fetched,
                                       such as an event or an interrupt, comes behind the attempt */
    QUIRK_DEVICE_NAMES = 1u << 21, /* semihosting opens files that are called as Windows' devices */
    QUIRK_INPUT_WAITS = 1u << 22,  /* input that no device has room for keeps a VM waiting */
    QUIRK_ILLEGAL_FIRST = 1u << 23, /* an Illegal State exception comes before those of fetching */
    QUIRK_SPLIT_RINGS = 1u << 24,   /* virtio devices do not offer VIRTIO_F_RING_PACKED, _IN_ORDER
                                       and _RING_RESET */
    QUIRK_RECORDS_STAY = 1u << 25,  /* smmuman leaves records in the SMMUs' queues */
};
#define MACHINE_QUIRKS 0x3ffffffu /* all of them */

#endif
