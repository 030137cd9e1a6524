/* Where the guests' devices print and where their input comes from: `hostdev` of each device, the
 * terminal with its escape key, files, and signals as inputs. */
#ifndef QVM_CONSOLE_H
#define QVM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/journal.h"
#include "hv/board.h"
#include "qvm/host/host_net.h"

/* What a channel of a VM is connected to. Names are borrowed from the device's options. */
struct console_channel {
    const struct vdev_option *option; /* the last `hostdev`, for messages */
    bool to_stdout;
    const char *out_path, *in_path; /* NULL: neither */
    struct host_file *out;
    struct host_input *in;
    bool is_device;      /* is there already */
    bool delayed;        /* `delayed`: what cannot be opened may come later, */
    uint64_t give_up_ns; /* until this time of the host */
    struct bytes line; /* several VMs on one standard output: what waits for the end of its line */
};

struct console_vm {
    const char *name; /* borrowed from the board */
    struct console_channel channels[VM_CHANNELS];
};

struct console {
    struct console_vm *vms; /* owned */
    size_t vm_count;
    struct bytes *printed; /* instead of standard output; NULL: no */
    unsigned keyboards;    /* devices that asked for standard input */
    int input_target;      /* VM << 8 | channel that standard input feeds; -1: none */
    bool has_window;       /* and its device wants to know how large the terminal is */
    bool live, interactive, realtime;
    const struct host_link *debugger; /* who may want an end of a wait, too; NULL: nobody */
    struct host_net *net;             /* the same of a network; borrowed */
    struct host_source *sources;      /* owned: room for all that a wait is for */
    bool input_ended;
    bool output_lost; /* once closed: a file of its own does not have everything */
    bool escape;      /* the escape key was just pressed */
    bool break_due;   /* and asked for a BREAK, behind what was typed before */
    uint8_t input[PUSH_BYTES_MAX];
    size_t input_size;
    uint8_t offered[PUSH_BYTES_MAX]; /* what the last console_poll gave */
    size_t files_open;               /* channels with an input of their own, or that wait for one */
    uint64_t retry_ns;               /* when what was not there is tried again */
};

/* For the assembled VMs of a board; of several that have standard input the first gets it. */
void console_init(struct console *c, const struct board *b, bool realtime);
void console_free(struct console *c);
/* Standard output goes into `printed` instead (at most CONSOLE_PRINTED_MAX bytes of it), and
 * standard input is not read. */
#define CONSOLE_PRINTED_MAX ((size_t)1 << 20)
void console_detach(struct console *c, struct bytes *printed);
/* Says which consoles are connected to nothing. */
void console_warn(const struct console *c, const struct board *b);
/* Opens what `hostdev` names. False, with the error, if something is not there and not `delayed`.
 */
bool console_connect(struct console *c, struct error *e);
/* live: takes the terminal and signals. */
void console_open(struct console *c, bool live);
void console_close(struct console *c);
/* With several VMs on standard output whole lines come out, each with the name of its VM. */
void console_output(struct console *c, unsigned vm, unsigned channel, const void *data,
                    size_t size);
/* What the host offers now. */
bool console_poll(struct console *c, struct push *p);
/* The machine has nothing to do for `ns`: board_sinks.idle. */
bool console_idle(struct console *c, uint64_t ns, uint64_t *passed_ns);

#endif
