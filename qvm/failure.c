#include "qvm/failure.h"

#include <stdio.h>

#include "qvm/host.h"

bool ended_badly(int status)
{
    return status == STATUS_WATCHDOG || status == STATUS_UNSUPPORTED || status == STATUS_VDEV ||
           status == STATUS_UNEXPECTED || status == STATUS_LIMIT || status == STATUS_STARTED ||
           (status >= STATUS_USER && status < STATUS_NOT_STARTED);
}

void failure_path(const char *vm, const struct trial *trial, char *path, size_t size)
{
    char stamp[16];
    const char *folder = host_environment("TMPDIR");
    if (trial && trial->trace_path) {
        snprintf(path, size, "%s", trial->trace_path);
        return;
    }
    host_time_stamp(stamp);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, size, "%s/%s-%s-%u.qtrace", folder ? folder : "/tmp", vm, stamp, i);
        if (!host_exists(path))
            break;
    }
}
