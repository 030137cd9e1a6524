#include "hv/config/config_text.h"

#include <string.h>

#include "emu/text.h"

static bool is_plain(unsigned char c)
{
    return c > ' ' && c != 0x7f && c != '#' && c != '"' && c != '$' && c != '\\';
}

void config_text_word(struct bytes *out, const char *word)
{
    size_t plain = 0;
    while (word[plain] && is_plain((unsigned char)word[plain]))
        plain++;
    if (plain && !word[plain]) {
        text_put(out, "%s", word);
        return;
    }
    text_put(out, "\"");
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (c < ' ' || c == 0x7f || c == '"' || c == '$')
            text_put(out, "$char{%02x}", c);
        else
            bytes_put(out, word, 1);
    }
    text_put(out, "\"");
}

void config_text_severities(struct bytes *out, unsigned severities, bool is_vdev)
{
    static const char *const names[] = {"fatal", "internal", "error",  "warn",
                                        "info",  "debug",    "verbose"};
    const char *separator = "";
    for (unsigned i = 0; i < 7; i++) {
        if (!(severities >> i & 1))
            continue;
        bool is_warn = 1u << i == LOG_SEVERITY_WARN;
        text_put(out, "%s%s", separator, is_warn && is_vdev ? "warning" : names[i]);
        separator = ",";
    }
}

void config_text_sched(struct bytes *out, const struct cpu_config *cpu)
{
    if (cpu->policy != 's') {
        text_put(out, "%u%c", cpu->priority, cpu->policy);
        return;
    }
    text_put(out, "%u", cpu->priority);
    for (unsigned i = 0; i < 4; i++)
        text_put(out, ",%llu", (unsigned long long)cpu->sporadic[i]);
    text_put(out, "s");
}

void config_text_runmask(struct bytes *out, uint64_t runmask)
{
    const char *separator = "";
    for (unsigned i = 0; i < 64; i++) {
        if (!(runmask >> i & 1))
            continue;
        text_put(out, "%s%u", separator, i);
        separator = ",";
    }
}

/* `m` turns on what it implies, so what was removed after it is removed again. */
void config_text_attributes(struct bytes *out, const struct pass_config *pass)
{
    const char letters[] = "rwxcstden";
    const bool on[] = {pass->r, pass->w, pass->x, pass->c, pass->s,
                       pass->t, pass->d, pass->e, pass->n};
    char removed[sizeof letters] = "";
    size_t removed_count = 0;
    if (pass->m)
        text_put(out, "m");
    for (size_t i = 0; letters[i]; i++) {
        bool implied = pass->m && strchr("rwxcstn", letters[i]);
        if (on[i] && !implied)
            text_put(out, "%c", letters[i]);
        if (!on[i] && implied)
            removed[removed_count++] = letters[i];
    }
    if (removed_count)
        text_put(out, "-%s", removed);
}

void config_text_options(struct bytes *out, const struct vdev_type *type,
                         const struct vdev_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_put(out, " %s", options[i].name);
        if (vdev_option_type_find(type, options[i].name)->form) {
            text_put(out, " ");
            config_text_word(out, options[i].value);
        }
    }
}

void config_text_stream(const struct vdev_config *vdev, struct bytes *out)
{
    struct bytes word = {0};
    text_put(&word, "%s:%u", vdev->smmu, (unsigned)vdev->stream);
    bytes_put_int(&word, 0, 1);
    config_text_word(out, (const char *)word.data);
    bytes_free(&word);
}

void config_text_inject(const struct inject_config *inject, struct bytes *out)
{
    static const char *const names[] = {
        [INJECT_FLIP_MEMORY] = "flip", [INJECT_FLIP_REGISTER] = "flip", [INJECT_UNMAP] = "unmap",
        [INJECT_LOSE] = "lose",        [INJECT_DOUBLE] = "double",      [INJECT_DELAY] = "delay",
        [INJECT_REFUSE] = "refuse"};
    text_put(out, "%s ", names[inject->kind]);
    if (inject->kind == INJECT_FLIP_MEMORY)
        text_put(out, "gpa:0x%llx,%u", (unsigned long long)inject->start, inject->bit);
    else if (inject->kind == INJECT_FLIP_REGISTER)
        text_put(out, "vcpu%u:%s,%u", inject->vcpu, inject->name, inject->bit);
    else if (inject->kind == INJECT_UNMAP)
        text_put(out, "0x%llx,0x%llx", (unsigned long long)inject->start,
                 (unsigned long long)inject->length);
    else if (inject->kind == INJECT_REFUSE)
        config_text_word(out, inject->name);
    else
        text_put(out, "%s:%u", inject->pic, inject->line);
    if (inject->kind == INJECT_DELAY)
        text_put(out, ",%llu", (unsigned long long)inject->length);
    if (inject->count)
        text_put(out, " at count=%llu", (unsigned long long)inject->count);
    else
        text_put(out, " at insn=%llu", (unsigned long long)inject->instruction);
}

const char *config_text_action(enum unsupported_action action)
{
    static const char *const names[] = {"abort", "fail", "ignore"};
    return names[action];
}

const char *config_text_destination(const struct logger_config *logger)
{
    static const char *const names[] = {"stdout", "stderr", "slog", "none"};
    return names[logger->destination];
}

const char *config_text_blob_type(enum blob_type type)
{
    static const char *const names[] = {"", "guest", "initrd", "fdt", "acpi", "data"};
    return names[type];
}
