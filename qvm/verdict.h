/* How a run ended: the final line, and the statistics behind it. */
#ifndef QVM_VERDICT_H
#define QVM_VERDICT_H

#include "emu/trace.h"
#include "hv/board.h"

/* `sentence` gets how each VM ended; the result borrows it. */
struct trace_end verdict_of(struct board *b, int status, char *sentence, size_t size);
/* Of several VMs one line each; then "qvm: HOW; N instructions, S s virtual, digest HEX" on stderr.
 */
void verdict_print(const struct board *b, const struct trace_end *end);
void verdict_print_stats(const struct board *b, uint64_t cpu_ns);

#endif
