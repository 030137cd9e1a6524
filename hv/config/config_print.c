/* The canonical form: one statement a line, nothing left to a default or to the order of files. */
#include "hv/config/config.h"

#include "emu/text.h"
#include "hv/config/config_text.h"

static void put_statement(struct bytes *out, const char *option, const char *word)
{
    if (!word)
        return;
    text_put(out, "%s ", option);
    config_text_word(out, word);
    text_put(out, "\n");
}

static void put_logger(struct bytes *out, const char *option, const struct logger_config *logger,
                       bool is_vdev)
{
    text_put(out, "%s ", option);
    config_text_severities(out, logger->severities, is_vdev);
    text_put(out, " %s", config_text_destination(logger));
}

static void put_blob_word(struct bytes *out, enum blob_type type)
{
    text_put(out, "%s%s", config_text_blob_type(type), type == BLOB_SNIFF ? "" : " ");
}

static void print_variables(const struct vm_config *c, struct bytes *out)
{
    text_put(out, "set cpu-model %s\n", c->cpu_model);
    text_put(out, "set clock-rate %llu\n", (unsigned long long)c->clock_rate_hz);
    text_put(out, "set counter-offset 0x%llx\n", (unsigned long long)c->counter_offset);
    const char *dir = c->semihosting_dir;
    put_statement(out, "set semihosting", !dir ? "off" : !*dir ? "on" : dir);
    text_put(out, "set icache %s\n", c->icache_exact ? "exact" : "coherent");
    put_statement(out, "set fdt-dump-file", c->fdt_dump_file);
}

static void print_cpu(const struct cpu_config *cpu, struct bytes *out)
{
    text_put(out, "cpu sched ");
    config_text_sched(out, cpu);
    if (cpu->runmask)
        text_put(out, " runmask ");
    config_text_runmask(out, cpu->runmask);
    if (cpu->cluster) {
        text_put(out, " cluster ");
        config_text_word(out, cpu->cluster);
    }
    text_put(out, "\n");
}

static void print_vdev(const struct vdev_config *vdev, struct bytes *out)
{
    text_put(out, "vdev %s", vdev->type->name);
    if (vdev->name) {
        text_put(out, " name ");
        config_text_word(out, vdev->name);
    }
    if (vdev->has_loc)
        text_put(out, " loc 0x%llx", (unsigned long long)vdev->loc);
    if (vdev->has_intr)
        text_put(out, " intr %s:%u", vdev->intr_pic, vdev->intr_line);
    if (vdev->has_stream) {
        text_put(out, " stream ");
        config_text_stream(vdev, out);
    }
    if (vdev->has_hostvector)
        text_put(out, " hostvector %u", vdev->hostvector);
    config_text_options(out, vdev->type, vdev->options, vdev->option_count);
    for (size_t i = 0; i < vdev->logger_count; i++)
        put_logger(out, " log", &vdev->loggers[i], true);
    if (vdev->not_in_status)
        text_put(out, " set debug off");
    text_put(out, "\n");
}

static void print_pass_intr(const struct pass_intr_config *intr, struct bytes *out)
{
    text_put(out, " intr %s:%u%s%s%s=%u", intr->pic, intr->line,
             intr->unmask_at_once || intr->thread ? "," : "", intr->unmask_at_once ? "u" : "",
             intr->thread ? "t" : "", intr->host_vector);
}

static void print_pass_loc(const struct pass_config *pass, struct bytes *out)
{
    text_put(out, " loc %s0x%llx,0x%llx,",
             pass->is_io ? "io:" : "mem:", (unsigned long long)pass->guest,
             (unsigned long long)pass->length);
    config_text_attributes(out, pass);
    if (pass->has_host)
        text_put(out, "=0x%llx", (unsigned long long)pass->host);
}

/* One line a `pass` statement, found by its number. */
static void print_passes(const struct vm_config *c, struct bytes *out)
{
    size_t loc = 0, intr = 0;
    while (loc < c->pass_count || intr < c->pass_intr_count) {
        unsigned statement = loc < c->pass_count ? c->passes[loc].statement : UINT32_MAX;
        if (intr < c->pass_intr_count && c->pass_intrs[intr].statement < statement)
            statement = c->pass_intrs[intr].statement;
        if (loc < c->pass_count && c->passes[loc].statement == statement)
            put_blob_word(out, c->passes[loc].type);
        text_put(out, "pass");
        for (; loc < c->pass_count && c->passes[loc].statement == statement; loc++)
            print_pass_loc(&c->passes[loc], out);
        for (; intr < c->pass_intr_count && c->pass_intrs[intr].statement == statement; intr++)
            print_pass_intr(&c->pass_intrs[intr], out);
        text_put(out, "\n");
    }
}

static void print_load(const struct load_config *load, struct bytes *out)
{
    put_blob_word(out, load->type);
    text_put(out, "load ");
    if (load->has_address)
        text_put(out, "0x%llx,", (unsigned long long)load->address);
    config_text_word(out, load->path);
    text_put(out, "\n");
}

static void print_policies(const struct vm_config *c, struct bytes *out)
{
    for (size_t i = 0; i < c->logger_count; i++) {
        put_logger(out, "logger", &c->loggers[i], false);
        text_put(out, "\n");
    }
    text_put(out, "unsupported instruction %s\n", config_text_action(c->unsupported_instruction));
    text_put(out, "unsupported reference %s\n", config_text_action(c->unsupported_reference));
    text_put(out, "unsupported register %s\n", config_text_action(c->unsupported_register));
    put_statement(out, "dump", c->dump);
    if (c->dryrun)
        text_put(out, "dryrun\n");
}

static void print_injects(const struct vm_config *c, struct bytes *out)
{
    for (size_t i = 0; i < c->inject_count; i++) {
        text_put(out, "inject ");
        config_text_inject(&c->injects[i], out);
        text_put(out, "\n");
    }
}

void config_print(const struct vm_config *c, struct bytes *out)
{
    put_statement(out, "system", c->system);
    print_variables(c, out);
    for (size_t i = 0; i < c->cpu_count; i++)
        print_cpu(&c->cpus[i], out);
    for (size_t i = 0; i < c->ram_count; i++)
        text_put(out, "%s 0x%llx,0x%llx\n", c->rams[i].is_rom ? "rom" : "ram",
                 (unsigned long long)c->rams[i].start, (unsigned long long)c->rams[i].length);
    for (size_t i = 0; i < c->reserve_count; i++)
        text_put(out, "reserve loc mem:0x%llx,0x%llx\n", (unsigned long long)c->reserves[i].base,
                 (unsigned long long)c->reserves[i].length);
    for (size_t i = 0; i < c->reserve_intr_count; i++)
        text_put(out, "reserve intr %u\n", c->reserve_intrs[i].number);
    for (size_t i = 0; i < c->vdev_count; i++)
        print_vdev(&c->vdevs[i], out);
    print_passes(c, out);
    print_injects(c, out);
    print_policies(c, out);
    for (size_t i = 0; i < c->load_count; i++)
        print_load(&c->loads[i], out);
    put_statement(out, "cmdline", c->cmdline);
}
