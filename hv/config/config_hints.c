/* Spellings that circulate and are not the language (public notes, other hypervisors): what to
 * write instead. */
#include "hv/config/config_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word, *instead;
} hints[] = {
    {"append", "cmdline \"STRING\""},
    {"bootargs", "cmdline \"STRING\""},
    {"cpus", "cpu` once for each vCPU: `cpu cpu"},
    {"dtb", "fdt load FILE"},
    {"dumpdir", "dump DIRECTORY"},
    {"image", "load FILE"},
    {"kernel", "load FILE"},
    {"memory", "ram START,LENGTH"},
    {"psci", "set psci-supported on"},
    {"ramdisk", "initrd load FILE"},
    {"smmu", "vdev smmu"},
    {"vcpu", "cpu"},
};

static bool is_number(const char *text)
{
    uint64_t value;
    return number_parse(text, strlen(text), NUMBER_PLAIN, &value) == NUMBER_OK;
}

/* `sched=21` is `sched 21`, if there is such an option here. */
static bool hint_assignment(const struct parser *p, const char *word, char text[HINT_TEXT])
{
    const char *equals = strchr(word, '=');
    size_t size = equals ? (size_t)(equals - word) : 0;
    for (const struct config_option *o = p->language->options; equals && o->name; o++)
        if (strlen(o->name) == size && memcmp(o->name, word, size) == 0 && o->arguments) {
            snprintf(text, HINT_TEXT, " (write `%s %.60s`)", o->name, equals + 1);
            return true;
        }
    return false;
}

const char *config_hint(const struct parser *p, const char *word, char text[HINT_TEXT])
{
    text[0] = '\0';
    if (hint_assignment(p, word, text))
        return text;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].word, word) == 0)
            snprintf(text, HINT_TEXT, " (write `%s`)", hints[i].instead);
    if (p->context == CONTEXT_CPU && is_number(word))
        snprintf(text, HINT_TEXT, " (one `cpu` for each vCPU: `cpu cpu` are two)");
    if (p->context == CONTEXT_PASS && strchr(word, ','))
        snprintf(text, HINT_TEXT, " (write `pass loc START[,LENGTH],ATTRS[=HOST]`)");
    return text;
}
