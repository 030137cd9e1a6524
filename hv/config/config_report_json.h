#ifndef HV_CONFIG_CONFIG_REPORT_JSON_H
#define HV_CONFIG_CONFIG_REPORT_JSON_H

#include "emu/bytes.h"
#include "hv/config/config.h"

void report_json(const struct vm_config *config, struct bytes *out);

#endif
