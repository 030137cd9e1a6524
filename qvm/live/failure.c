#include "qvm/live/failure.h"

#include <stdio.h>

#include "qvm/host/host.h"

bool ended_badly(int status)
{
    return status == STATUS_WATCHDOG || status == STATUS_UNSUPPORTED || status == STATUS_VDEV ||
           status == STATUS_UNEXPECTED || status == STATUS_LIMIT || status == STATUS_STARTED ||
           (status >= STATUS_USER && status < STATUS_NOT_STARTED);
}

/* The folder is everybody's: what is there under that name already may be somebody's trap. */
struct host_file *failure_create(const char *vm, char *path, size_t size, struct error *e)
{
    char stamp[16];
    const char *folder = host_temporary_folder();
    struct host_file *file = NULL;
    bool taken = true;
    host_time_stamp(stamp);
    for (unsigned i = 0; i < 100 && !file && taken; i++) {
        struct error why = {0};
        snprintf(path, size, "%s/%s-%s-%u.qtrace", folder, vm, stamp, i);
        file = host_create_new(path, &taken, &why);
        if (!file && (!taken || i == 99))
            error_set(e, "%s", why.text);
    }
    return file;
}
