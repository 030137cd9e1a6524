/* The lines between a CPU and its interrupt controller. The folders of both do not know each other,
 * so the names are here; whoever puts a VM together connects them. */
#ifndef EMU_CPU_LINES_H
#define EMU_CPU_LINES_H

/* From what a CPU has of its own into the controller. Which of its inputs such a line goes to is
 * the controller's to know. */
enum cpu_line {
    CPU_LINE_TIMER_VIRTUAL,
    CPU_LINE_TIMER_PHYSICAL,
    CPU_LINE_TIMER_SECURE,     /* for the tree: there is no such timer here, */
    CPU_LINE_TIMER_HYPERVISOR, /* nor this one */
    CPU_LINE_PMU,
    CPU_LINES
};

/* From the controller to a CPU: sets of what is signalled. */
enum cpu_signal {
    CPU_SIGNAL_IRQ = 1 << 0,
    CPU_SIGNAL_FIQ = 1 << 1,
    CPU_SIGNAL_NMI = 1 << 2,
    CPU_SIGNAL_INIT = 1 << 3,
    CPU_SIGNAL_SIPI = 1 << 4,
};
#define CPU_SIGNALS 5

#endif
