/* The resolved configuration for people and programs: memory map, devices, vCPUs, images, policies,
 * and what was accepted without effect.
 *
 * The JSON form is one object on one line; addresses, sizes and counts are numbers (all below
 * 2^53), `counter_offset` is a hexadecimal string. Bytes that are not UTF-8 become U+FFFD. */
#ifndef HV_CONFIG_CONFIG_REPORT_H
#define HV_CONFIG_CONFIG_REPORT_H

#include "emu/bytes.h"
#include "hv/config/config.h"

/* Appends to `out`. */
void config_report(const struct vm_config *config, struct bytes *out, bool json);

#endif
