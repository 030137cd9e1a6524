/* The breakpoints and watchpoints that a debugger has set. */
#ifndef QVM_GDB_GDB_POINTS_H
#define QVM_GDB_GDB_POINTS_H

#include "qvm/gdb/gdb_target.h"

struct gdb_points {
    struct {
        enum gdb_point point;
        uint64_t address, size;
    } list[256];
    size_t count;
};

/* Of one that is there already, or is not there, nothing changes. False: there are too many. */
bool gdb_points_insert(struct gdb_points *p, struct gdb_target *target, enum gdb_point point,
                       uint64_t address, uint64_t size);
void gdb_points_remove(struct gdb_points *p, struct gdb_target *target, enum gdb_point point,
                       uint64_t address, uint64_t size);
void gdb_points_remove_all(struct gdb_points *p, struct gdb_target *target);
bool gdb_points_has(const struct gdb_points *p, enum gdb_point point, uint64_t address);

#endif
