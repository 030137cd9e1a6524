/* Values as the configuration language writes them, for config_print and config_report. Everything
 * appends to `out`. */
#ifndef HV_CONFIG_CONFIG_TEXT_H
#define HV_CONFIG_CONFIG_TEXT_H

#include "emu/bytes.h"
#include "hv/config/config.h"

/* A word as the lexer reads it back: quoted if need be; what quotes cannot hold becomes $char{}. */
void config_text_word(struct bytes *out, const char *word);
void config_text_severities(struct bytes *out, unsigned severities,
                            bool is_vdev);                                      /* "fatal,error" */
void config_text_sched(struct bytes *out, const struct cpu_config *cpu);        /* "10r" */
void config_text_runmask(struct bytes *out, uint64_t runmask);                  /* "0,2" */
void config_text_attributes(struct bytes *out, const struct pass_config *pass); /* "rwn" */
/* "smmu0:3" */
void config_text_stream(const struct vdev_config *vdev, struct bytes *out);
/* " hostdev - delayed 1": options of a type as they were written; `type` may be NULL if there are
 * none. */
void config_text_options(struct bytes *out, const struct vdev_type *type,
                         const struct vdev_option *options, size_t count);
const char *config_text_destination(const struct logger_config *logger); /* "stderr" */
const char *config_text_blob_type(enum blob_type type); /* "" when no word was given */
void config_text_inject(const struct inject_config *inject, struct bytes *out);
const char *config_text_action(enum unsupported_action action);

#endif
