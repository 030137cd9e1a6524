/* The report as JSON. */
#include "hv/config/config_report_json.h"

#include <stdlib.h>

#include "emu/json.h"
#include "hv/config/config_ranges.h"
#include "emu/text.h"
#include "hv/config/config_text.h"

/* The member gets what `text_...` wrote into the scratch buffer, which is emptied. */
static void member_text(struct json *j, const char *key, struct bytes *text)
{
    json_bytes(j, key, text->data, text->size);
    bytes_clear(text);
}

static void place(struct json *j, struct place where)
{
    if (!where.line)
        return;
    json_string(j, "file", where.file);
    json_number(j, "line", where.line);
}

static void vcpus(struct json *j, const struct vm_config *c, struct bytes *text)
{
    json_open(j, "vcpus", '[');
    for (size_t i = 0; i < c->cpu_count; i++) {
        json_open(j, NULL, '{');
        config_text_sched(text, &c->cpus[i]);
        member_text(j, "sched", text);
        config_text_runmask(text, c->cpus[i].runmask);
        member_text(j, "runmask", text);
        json_string(j, "cluster", c->cpus[i].cluster);
        place(j, c->cpus[i].place);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void memory(struct json *j, const struct vm_config *c)
{
    size_t count;
    struct config_range *ranges = config_ranges(c, &count);
    json_open(j, "memory", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(j, NULL, '{');
        json_number(j, "start", ranges[i].start);
        json_number(j, "end", ranges[i].start + ranges[i].size - 1);
        json_number(j, "size", ranges[i].size);
        json_string(j, "kind", range_kind_name(ranges[i].kind));
        json_string(j, "what", ranges[i].what);
        place(j, ranges[i].place);
        json_close(j, '}');
    }
    json_close(j, ']');
    free(ranges);
}

static void options(struct json *j, const struct vdev_config *vdev)
{
    json_open(j, "options", '[');
    for (size_t i = 0; i < vdev->option_count; i++) {
        json_open(j, NULL, '{');
        json_string(j, "name", vdev->options[i].name);
        json_string(j, "value", vdev->options[i].value);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void loggers(struct json *j, const struct logger_config *logger, size_t count,
                    struct bytes *text)
{
    json_open(j, "loggers", '[');
    for (; count--; logger++) {
        json_open(j, NULL, '{');
        config_text_severities(text, logger->severities, false);
        member_text(j, "severities", text);
        json_string(j, "destination", config_text_destination(logger));
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void devices(struct json *j, const struct vm_config *c, struct bytes *text)
{
    json_open(j, "devices", '[');
    for (size_t i = 0; i < c->vdev_count; i++) {
        const struct vdev_config *vdev = &c->vdevs[i];
        json_open(j, NULL, '{');
        json_string(j, "name", vdev->name);
        json_string(j, "type", vdev->type->name);
        json_string(j, "summary", vdev->type->summary);
        json_number(j, "loc", vdev->loc);
        if (vdev->has_intr) {
            json_string(j, "pic", vdev->intr_pic);
            json_number(j, "line_number", vdev->intr_line);
        }
        if (vdev->has_stream) {
            json_string(j, "smmu", vdev->smmu);
            json_number(j, "stream", vdev->stream);
        }
        options(j, vdev);
        loggers(j, vdev->loggers, vdev->logger_count, text);
        place(j, vdev->place);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void passes(struct json *j, const struct vm_config *c, struct bytes *text)
{
    json_open(j, "passes", '[');
    for (size_t i = 0; i < c->pass_count; i++) {
        const struct pass_config *pass = &c->passes[i];
        json_open(j, NULL, '{');
        json_string(j, "space", pass->is_io ? "io" : "mem");
        json_number(j, "guest", pass->guest);
        json_number(j, "host", pass->host);
        json_number(j, "size", pass->length);
        config_text_attributes(text, pass);
        member_text(j, "attributes", text);
        place(j, pass->place);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "pass_interrupts", '[');
    for (size_t i = 0; i < c->pass_intr_count; i++) {
        json_open(j, NULL, '{');
        json_string(j, "pic", c->pass_intrs[i].pic);
        json_number(j, "line_number", c->pass_intrs[i].line);
        json_number(j, "host_vector", c->pass_intrs[i].host_vector);
        place(j, c->pass_intrs[i].place);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void reserves(struct json *j, const struct vm_config *c)
{
    json_open(j, "reserved", '[');
    for (size_t i = 0; i < c->reserve_count; i++) {
        json_open(j, NULL, '{');
        json_number(j, "start", c->reserves[i].base);
        json_number(j, "size", c->reserves[i].length);
        place(j, c->reserves[i].place);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "reserved_interrupts", '[');
    for (size_t i = 0; i < c->reserve_intr_count; i++)
        json_number(j, NULL, c->reserve_intrs[i].number);
    json_close(j, ']');
}

static void injects(struct json *j, const struct vm_config *c)
{
    json_open(j, "faults", '[');
    for (size_t i = 0; i < c->inject_count; i++) {
        struct bytes text = {0};
        config_text_inject(&c->injects[i], &text);
        json_open(j, NULL, '{');
        json_bytes(j, "what", text.data, text.size);
        place(j, c->injects[i].place);
        json_close(j, '}');
        bytes_free(&text);
    }
    json_close(j, ']');
}

static void loads(struct json *j, const struct vm_config *c)
{
    json_open(j, "loads", '[');
    for (size_t i = 0; i < c->load_count; i++) {
        json_open(j, NULL, '{');
        json_string(j, "type", config_text_blob_type(c->loads[i].type));
        if (c->loads[i].has_address)
            json_number(j, "address", c->loads[i].address);
        json_string(j, "path", c->loads[i].path);
        place(j, c->loads[i].place);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void policies(struct json *j, const struct vm_config *c, struct bytes *text)
{
    json_open(j, "unsupported", '{');
    json_string(j, "instruction", config_text_action(c->unsupported_instruction));
    json_string(j, "reference", config_text_action(c->unsupported_reference));
    json_string(j, "register", config_text_action(c->unsupported_register));
    json_close(j, '}');
    loggers(j, c->loggers, c->logger_count, text);
    text_put(text, "0x%llx", (unsigned long long)c->counter_offset);
    member_text(j, "counter_offset", text);
    json_string(j, "icache", c->icache_exact ? "exact" : "coherent");
    json_bool(j, "semihosting", c->semihosting_dir != NULL);
    json_string(j, "semihosting_dir", c->semihosting_dir);
    json_string(j, "fdt_dump_file", c->fdt_dump_file);
    json_string(j, "dump", c->dump);
    json_bool(j, "dryrun", c->dryrun);
}

void report_json(const struct vm_config *c, struct bytes *out)
{
    struct json j = {.out = out};
    struct bytes text = {0};
    json_open(&j, NULL, '{');
    json_string(&j, "system", c->system);
    json_string(&j, "cpu_model", c->cpu_model);
    json_number(&j, "clock_rate_hz", c->clock_rate_hz);
    vcpus(&j, c, &text);
    memory(&j, c);
    reserves(&j, c);
    injects(&j, c);
    devices(&j, c, &text);
    passes(&j, c, &text);
    loads(&j, c);
    json_string(&j, "cmdline", c->cmdline);
    policies(&j, c, &text);
    json_open(&j, "notes", '[');
    for (size_t i = 0; i < c->note_count; i++)
        json_string(&j, NULL, c->notes[i]);
    json_close(&j, ']');
    json_open(&j, "accepted_without_effect", '[');
    for (size_t i = 0; i < c->accepted_count; i++)
        json_string(&j, NULL, c->accepted[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    text_put(out, "\n");
    bytes_free(&text);
}
