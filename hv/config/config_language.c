/* The language of a VM's configuration: its options, what is checked between them, and what a
 * configuration is before any. */
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_internal.h"
#include "hv/vm_arch.h"

static HANDLER(handle_system)
{
    if (p->started) {
        parser_error(p, option, "'system' must be the first option");
        return;
    }
    if (arguments->bad)
        return;
    const char *equals = strchr(arguments->text, '=');
    if (equals && equals[1])
        parser_error(p, arguments, "'%s' is not a name for a system (write `system %s`)",
                     arguments->text, equals + 1);
    else if (!arguments->text[0] || strpbrk(arguments->text, "/="))
        parser_error(p, arguments, "'%s' is not a name for a system", arguments->text);
    p->config->system = parser_keep(p, config_parse_word_piece(arguments));
}

const struct config_option config_options[] = {
    {"system", NEITHER, 1, handle_system, "NAME", "names the VM; the first option"},
    {"ram", NEITHER, 1, config_word_ram, "[START,]LENGTH", "memory, zeroed; repeatable"},
    {"rom", NEITHER, 1, config_word_rom, "[START,]LENGTH",
     "memory the guest cannot write; repeatable"},
    {"cpu", OPENS(CONTEXT_CPU), 0, config_word_cpu, "",
     "one vCPU; repeatable, one if there is none"},
    {"sched", APPLIES(CONTEXT_CPU), 1, config_word_sched,
     "PRIO[r|f|o] or HI,LO,REPL,PERIOD,BUDGETs",
     "priority 1 to 255 (default 10): round-robin, FIFO, other; or sporadic, times in ns"},
    {"s", APPLIES(CONTEXT_CPU), 0, config_word_sched_suffix, "", "the end of a sporadic sched"},
    {"runmask", APPLIES(CONTEXT_CPU), 1, config_word_runmask, "N{,N}",
     "physical CPUs it may use; default all"},
    {"cluster", APPLIES(CONTEXT_CPU), 1, config_word_cluster, "NAME",
     "the same by name: _all, _cpu-N, clusters of the board"},
    {"partition", APPLIES(CONTEXT_CPU), 1, config_word_partition, "NAME",
     "accepted without effect"},
    {"guest", NEITHER, 0, config_word_blob, "", "before load: a guest image"},
    {"initrd", NEITHER, 0, config_word_blob, "", "before load: an initial ramdisk"},
    {"fdt", NEITHER, 0, config_word_blob, "",
     "before load: a device tree, merged with the VM's own"},
    {"acpi", NEITHER, 0, config_word_blob, "", "before load: an ACPI table; x86 guests only"},
    {"data", NEITHER, 0, config_word_blob, "", "before load: a plain copy"},
    {"load", NEITHER, 1, config_word_load, "[ADDRESS,]FILE",
     "a file into guest memory; repeatable"},
    {"cmdline", NEITHER, 1, config_word_cmdline, "\"STRING\"", "handed to the guest"},
    {"vdev", OPENS(CONTEXT_VDEV), 1, config_word_vdev, "TYPE", "a virtual device; repeatable"},
    {"loc", APPLIES(CONTEXT_VDEV), 1, config_word_vdev_loc, "[mem:]ADDRESS", "where it answers"},
    {"intr", APPLIES(CONTEXT_VDEV), 1, config_word_vdev_intr, "PIC:LINE", "its interrupt"},
    {"name", APPLIES(CONTEXT_VDEV), 1, config_word_vdev_name, "NAME",
     "its name; of the interrupt controller the one that intr uses"},
    {"log", APPLIES(CONTEXT_VDEV), 2, config_word_vdev_log, "FILTER{,FILTER} DESTINATION",
     "what it logs where, instead of the VM's logger; repeatable"},
    {"stream", APPLIES(CONTEXT_VDEV), 1, config_word_vdev_stream, "SMMU:NUMBER",
     "its DMA goes through that vdev, as that stream"},
    {"hostvector", APPLIES(CONTEXT_VDEV), 1, config_word_hostvector, "N",
     "interrupt controllers: host vector of line 0"},
    {"loc", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"intr", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"name", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"log", APPLIES(CONTEXT_SKIPPED), 2, config_word_skipped, "", ""},
    {"stream", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"hostvector", APPLIES(CONTEXT_SKIPPED), 1, config_word_skipped, "", ""},
    {"pass", OPENS(CONTEXT_PASS), 0, config_word_pass, "",
     "memory and interrupts of the host for the guest; repeatable"},
    {"loc", APPLIES(CONTEXT_PASS), 1, config_word_pass_loc, "[mem:]START[,LENGTH],ATTRS[=HOST]",
     "a range of host memory; repeatable"},
    {"intr", APPLIES(CONTEXT_PASS), 1, config_word_pass_intr, "PIC:LINE[,FLAGS][=VECTOR]",
     "a host interrupt; repeatable"},
    {"reserve", OPENS(CONTEXT_RESERVE), 0, config_word_reserve, "",
     "keeps automatic placement away; repeatable"},
    {"loc", APPLIES(CONTEXT_RESERVE), 1, config_word_reserve_loc, "[mem:]START,LENGTH",
     "from a range; repeatable"},
    {"intr", APPLIES(CONTEXT_RESERVE), 1, config_word_reserve_intr, "NUMBER",
     "from an interrupt line; repeatable"},
    {"inject", OPENS(CONTEXT_INJECT), 2, config_word_inject,
     "flip gpa:ADDRESS,BIT|flip vcpuN:REGISTER,BIT|unmap START,LENGTH|lose PIC:LINE|"
     "double PIC:LINE|delay PIC:LINE,NS|refuse VDEV",
     "a fault on purpose; repeatable"},
    {"at", APPLIES(CONTEXT_INJECT), 1, config_word_inject_at, "insn=N|count=N",
     "behind the board's instruction N; at the N-th interrupt or access"},
    {"logger", NEITHER, 2, config_word_logger, "FILTER{,FILTER} DESTINATION",
     "which messages go where: stdout, stderr, slog, none; repeatable"},
    {"unsupported", NEITHER, 2, config_word_unsupported, "TYPE ACTION",
     "what follows an instruction, reference or register nobody has: abort, fail, ignore"},
    {"set", NEITHER, 2, config_word_set, "VARIABLE VALUE", "sets a variable (qvm set ?)"},
    {"dryrun", NEITHER, 0, config_word_dryrun, "", "assemble everything, then stop"},
    {"debug", NEITHER, 0, config_word_debug, "", "accepted without effect"},
    {"dump", NEITHER, 1, config_word_dump, "DIRECTORY or \"|COMMAND\"", "where guest dumps go"},
    {"safety", NEITHER, 1, config_word_safety, "none|warn|required", "accepted without effect"},
    {NULL, NEITHER, 0, NULL, NULL, NULL},
};

/* A waiting blob-type word is used up by `load` and `pass`; anything else is wrong. */
static void check_blob_word(struct parser *p, const struct config_option *option)
{
    if (!p->blob_word.text || option->handle == config_word_load ||
        option->handle == config_word_pass)
        return;
    parser_error(p, &p->blob_word, "'%s' must be followed by 'load' or 'pass'", p->blob_word.text);
    p->blob_word.text = NULL;
}

static const struct language vm_language = {
    .options = config_options,
    .before = check_blob_word,
    .other_option = vdev_type_option,
    .is_other_somewhere = vdev_some_type_option,
    .nearest_other = vdev_nearest_option,
    .finish = parser_finish,
};

bool config_parse(struct vm_config *config, const char *const *words, size_t count,
                  const struct config_reader *reader, struct error *e)
{
    struct parser p = {.language = &vm_language,
                       .config = config,
                       .words = {.arguments = words,
                                 .count = count,
                                 .reader = reader,
                                 .strings = &config->strings},
                       .pic = vm_arches[0]->pic,
                       .pic_name = vm_arches[0]->pic->name};
    *config = (struct vm_config){
        .unsupported_instruction = UNSUPPORTED_FAIL,
        .unsupported_reference = UNSUPPORTED_IGNORE,
        .unsupported_register = UNSUPPORTED_FAIL,
        .clock_rate_hz = 1000000000,
        .counter_offset = UINT64_MAX,
    };
    config->cpu_model = strings_keep(&config->strings, vm_arches[0]->cpu->models[0].name,
                                     strlen(vm_arches[0]->cpu->models[0].name));
    bool ok = parser_run(&p, e);
    if (!ok)
        config_free(config);
    return ok;
}

void config_free(struct vm_config *config)
{
    for (size_t i = 0; i < config->vdev_count; i++) {
        free(config->vdevs[i].options);
        free(config->vdevs[i].loggers);
    }
    free(config->rams);
    free(config->cpus);
    free(config->loads);
    free(config->vdevs);
    free(config->passes);
    free(config->pass_intrs);
    free(config->reserves);
    free(config->reserve_intrs);
    free(config->injects);
    free(config->loggers);
    free(config->accepted);
    free(config->notes);
    strings_free(&config->strings);
    *config = (struct vm_config){0};
}
