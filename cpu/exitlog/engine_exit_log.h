/* The engine that executes nothing: a register file, and an exit log that says when the guest does
 * something that others see. Everything behind the guest's code (exits, devices, time, scheduling)
 * runs as it does with the other engine, in milliseconds and on hosts that allow no new code. */
#ifndef CPU_EXITLOG_ENGINE_EXIT_LOG_H
#define CPU_EXITLOG_ENGINE_EXIT_LOG_H

#include "cpu/engine.h"

struct engine_exit_log {
    /* The instruction, counted like engine_executed, at which something happens next: an act of
     * this vCPU, or a reason to stop there. UINT64_MAX: never again. */
    uint64_t (*next)(void *context);
    /* It is reached: does it, and says how the engine stops. May be called several times at the
     * same instruction. */
    enum engine_stop (*act)(void *context);
    void *context;
};

struct engine *engine_exit_log_new(const struct engine_exit_log *exit_log); /* copied */

#endif
