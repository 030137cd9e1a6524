/* The report as text: one table a part, parts without rows are left out. */
#include "hv/config/config_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "hv/config/config_ranges.h"
#include "hv/config/config_report_json.h"
#include "emu/text.h"
#include "hv/config/config_text.h"

static void put_place(struct bytes *out, struct place place)
{
    if (place.line)
        text_put(out, "  [%s:%u]", place.file, place.line);
    text_put(out, "\n");
}

/* 4096 -> "4K": the largest unit that divides it. */
static void put_size(struct bytes *out, uint64_t size)
{
    static const char *const units[] = {"", "K", "M", "G"};
    char text[32];
    unsigned unit = 0;
    for (; unit < 3 && size && size % 1024 == 0; unit++)
        size /= 1024;
    snprintf(text, sizeof text, "%llu%s", (unsigned long long)size, units[unit]);
    text_put(out, "%8s", text);
}

static void vcpus(const struct vm_config *c, struct bytes *out)
{
    text_put(out, "vCPUs: %zu, model %s, %llu instructions a second\n", c->cpu_count, c->cpu_model,
             (unsigned long long)c->clock_rate_hz);
    for (size_t i = 0; i < c->cpu_count; i++) {
        text_put(out, "  %zu  sched ", i);
        config_text_sched(out, &c->cpus[i]);
        if (c->cpus[i].runmask)
            text_put(out, "  runmask ");
        config_text_runmask(out, c->cpus[i].runmask);
        if (c->cpus[i].cluster)
            text_put(out, "  cluster %s", c->cpus[i].cluster);
        put_place(out, c->cpus[i].place);
    }
}

static void memory(const struct vm_config *c, struct bytes *out)
{
    size_t count;
    struct config_range *ranges = config_ranges(c, &count);
    text_put(out, "\nGuest-physical memory map\n");
    for (size_t i = 0; i < count; i++) {
        text_put(out, "  0x%012llx - 0x%012llx ", (unsigned long long)ranges[i].start,
                 (unsigned long long)(ranges[i].start + ranges[i].size - 1));
        put_size(out, ranges[i].size);
        text_put(out, "  %-4s  %s", range_kind_name(ranges[i].kind), ranges[i].what);
        put_place(out, ranges[i].place);
    }
    for (size_t i = 0; i < c->reserve_count; i++) {
        const struct reserve_config *r = &c->reserves[i];
        text_put(out, "  0x%012llx - 0x%012llx ", (unsigned long long)r->base,
                 (unsigned long long)(r->base + r->length - 1));
        put_size(out, r->length);
        text_put(out, "  kept free of automatic places");
        put_place(out, r->place);
    }
    free(ranges);
}

static void reserved_lines(const struct vm_config *c, struct bytes *out)
{
    for (size_t i = 0; i < c->reserve_intr_count; i++) {
        text_put(out, "  interrupt %u is kept from automatic assignment",
                 c->reserve_intrs[i].number);
        put_place(out, c->reserve_intrs[i].place);
    }
}

static void device(const struct vdev_config *vdev, struct bytes *out)
{
    char intr[80] = "-";
    if (vdev->has_intr)
        snprintf(intr, sizeof intr, "%s:%u", vdev->intr_pic, vdev->intr_line);
    text_put(out, "  %-16s %-16s 0x%012llx  %-10s", vdev->name ? vdev->name : "-", vdev->type->name,
             (unsigned long long)vdev->loc, intr);
    if (vdev->has_stream) {
        text_put(out, " stream ");
        config_text_stream(vdev, out);
    }
    for (size_t i = 0; i < vdev->option_count; i++) {
        text_put(out, " %s%s", vdev->options[i].name, vdev->options[i].value[0] ? " " : "");
        if (vdev->options[i].value[0])
            config_text_word(out, vdev->options[i].value);
    }
    for (size_t i = 0; i < vdev->logger_count; i++) {
        text_put(out, " log ");
        config_text_severities(out, vdev->loggers[i].severities, true);
        text_put(out, " %s", config_text_destination(&vdev->loggers[i]));
    }
    put_place(out, vdev->place);
}

static void devices(const struct vm_config *c, struct bytes *out)
{
    text_put(out, "\nDevices (name, type, loc, intr, options)\n");
    for (size_t i = 0; i < c->vdev_count; i++)
        device(&c->vdevs[i], out);
    reserved_lines(c, out);
}

static void injects(const struct vm_config *c, struct bytes *out)
{
    if (c->inject_count)
        text_put(out, "\nFaults on purpose\n");
    for (size_t i = 0; i < c->inject_count; i++) {
        text_put(out, "  ");
        config_text_inject(&c->injects[i], out);
        put_place(out, c->injects[i].place);
    }
}

static void passes(const struct vm_config *c, struct bytes *out)
{
    if (c->pass_count + c->pass_intr_count)
        text_put(out, "\nPass-through\n");
    for (size_t i = 0; i < c->pass_count; i++) {
        const struct pass_config *pass = &c->passes[i];
        text_put(out, "  %s 0x%012llx -> host 0x%012llx ",
                 pass->is_io ? "io: " : "mem:", (unsigned long long)pass->guest,
                 (unsigned long long)pass->host);
        put_size(out, pass->length);
        text_put(out, "  ");
        config_text_attributes(out, pass);
        put_place(out, pass->place);
    }
    for (size_t i = 0; i < c->pass_intr_count; i++) {
        text_put(out, "  interrupt %s:%u <- host vector %u", c->pass_intrs[i].pic,
                 c->pass_intrs[i].line, c->pass_intrs[i].host_vector);
        put_place(out, c->pass_intrs[i].place);
    }
}

static void loads(const struct vm_config *c, struct bytes *out)
{
    if (c->load_count || c->cmdline)
        text_put(out, "\nImages\n");
    for (size_t i = 0; i < c->load_count; i++) {
        text_put(out, "  %-6s ", c->loads[i].type ? config_text_blob_type(c->loads[i].type) : "-");
        config_text_word(out, c->loads[i].path);
        if (c->loads[i].has_address)
            text_put(out, " at 0x%llx", (unsigned long long)c->loads[i].address);
        put_place(out, c->loads[i].place);
    }
    if (c->cmdline) {
        text_put(out, "  command line ");
        config_text_word(out, c->cmdline);
        text_put(out, "\n");
    }
}

static void policies(const struct vm_config *c, struct bytes *out)
{
    text_put(out, "\nPolicies\n  unsupported: instruction %s, reference %s, register %s\n",
             config_text_action(c->unsupported_instruction),
             config_text_action(c->unsupported_reference),
             config_text_action(c->unsupported_register));
    for (size_t i = 0; i < c->logger_count; i++) {
        text_put(out, "  log ");
        config_text_severities(out, c->loggers[i].severities, false);
        text_put(out, " to %s\n", config_text_destination(&c->loggers[i]));
    }
    const char *dir = c->semihosting_dir;
    text_put(out, "  semihosting %s%s\n",
             !dir    ? "off"
             : !*dir ? "on, no files"
                     : "on, files in ",
             dir ? dir : "");
    if (c->icache_exact)
        text_put(out, "  instruction cache exact: code changes by IC instructions only\n");
    if (c->counter_offset == UINT64_MAX)
        text_put(out, "  guest counter starts at 0\n");
    else
        text_put(out, "  guest counter = host counter - 0x%llx\n",
                 (unsigned long long)c->counter_offset);
    if (c->fdt_dump_file)
        text_put(out, "  device tree saved to %s\n", c->fdt_dump_file);
    if (c->dump)
        text_put(out, "  guest dumps to %s\n", c->dump);
    if (c->dryrun)
        text_put(out, "  dry run\n");
}

static void report_text(const struct vm_config *c, struct bytes *out)
{
    if (c->system)
        text_put(out, "System %s\n\n", c->system);
    vcpus(c, out);
    memory(c, out);
    devices(c, out);
    passes(c, out);
    injects(c, out);
    loads(c, out);
    policies(c, out);
    if (c->note_count)
        text_put(out, "\nNotes\n");
    for (size_t i = 0; i < c->note_count; i++)
        text_put(out, "  %s\n", c->notes[i]);
    if (c->accepted_count)
        text_put(out, "\nAccepted without effect\n");
    for (size_t i = 0; i < c->accepted_count; i++)
        text_put(out, "  %s\n", c->accepted[i]);
}

void config_report(const struct vm_config *config, struct bytes *out, bool json)
{
    if (json)
        report_json(config, out);
    else
        report_text(config, out);
}
