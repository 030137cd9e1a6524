#include "qvm/beside.h"

#include <stdio.h>

#include "hv/config/config_words.h"
#include "qvm/host/host.h"

void beside_path(const char *name, const char *beside, char *path, size_t size)
{
    snprintf(path, size, "%.*s%s", (int)(words_leaf_name(beside) - beside), beside, name);
}

void beside_find(const char *name, const char *beside, char *path, size_t size)
{
    beside_path(name, beside, path, size);
    if (name[0] == '/' || host_exists(name) || !host_exists(path))
        snprintf(path, size, "%s", name);
}
