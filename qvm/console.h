/* Where the guests' devices print and where their input comes from: `hostdev` of each device, the
 * terminal with its escape key, files, and signals as inputs. */
#ifndef QVM_CONSOLE_H
#define QVM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/journal.h"
#include "hv/board.h"

struct host_file;

struct console {
    bool to_stdout[VM_VDEVS_MAX];
    const char *path[VM_VDEVS_MAX]; /* `>FILE`: created at open */
    struct host_file *file[VM_VDEVS_MAX];
    int input_channel; /* the device that standard input feeds; -1: none */
    bool live, interactive, realtime;
    bool input_ended;
    bool escape; /* the escape key was just pressed */
    uint8_t input[PUSH_BYTES_MAX];
    size_t input_size;
};

void console_init(struct console *c, const struct vm_config *config, bool realtime);
/* Says which consoles are connected to nothing. */
void console_warn(const struct vm_config *config, const struct log *log);
/* live: takes the terminal, signals and output files. */
void console_open(struct console *c, bool live);
void console_close(struct console *c);
void console_output(struct console *c, unsigned channel, const void *data, size_t size);
/* What the host offers now. */
bool console_poll(struct console *c, struct push *p);
/* The machine has nothing to do for `ns`: board_sinks.idle. */
bool console_idle(struct console *c, uint64_t ns, uint64_t *passed_ns);

#endif
