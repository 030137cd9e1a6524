#include "qvm/config_files.h"

#include "qvm/host/host.h"

static uint8_t *read_config_file(void *context, const char *path, size_t *size, struct error *e)
{
    struct bytes contents = {0};
    (void)context;
    if (!host_read_file(path, &contents, e)) {
        bytes_free(&contents);
        return NULL;
    }
    *size = contents.size;
    bytes_put_int(&contents, 0, 1); /* an empty file is not a missing one */
    return contents.data;
}

static const char *read_environment(void *context, const char *name)
{
    (void)context;
    return host_environment(name);
}

struct config_reader config_files_reader(void)
{
    return (struct config_reader){.read_file = read_config_file, .env = read_environment};
}
