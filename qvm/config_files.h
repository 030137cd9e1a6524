/* What a configuration names outside itself. */
#ifndef QVM_CONFIG_FILES_H
#define QVM_CONFIG_FILES_H

#include "hv/config/config.h"

/* Files and environment of the host, for config_parse. */
struct config_reader config_files_reader(void);

#endif
