/* The command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "emu/check.h"
#include "emu/number.h"
#include "emu/text.h"
#include "hv/config/config_errors.h"
#include "hv/network.h"
#include "hv/config/config_help.h"
#include "mmu/memory.h"
#include "qvm/live/chaos_search.h"
#include "qvm/ask/chaos_when.h"
#include "qvm/check_config.h"
#include "qvm/gdb/gdb_session.h"
#include "qvm/ask/exit_replay.h"
#include "qvm/help.h"
#include "qvm/host/host.h"
#include "qvm/import_trace.h"
#include "qvm/ask/questions.h"
#include "qvm/report.h"
#include "qvm/session.h"
#include "qvm/test/test_command.h"

static const char usage[] =
    "usage: qvm run VM [VM...] [OPTION...]    run VMs, all on one board\n"
    "       qvm @CONF [WORD...] [+ @CONF...]  the same\n"
    "       qvm record -o TRACE VM [VM...]    run and keep a trace\n"
    "       qvm replay TRACE                  run it again and compare\n"
    "       qvm gdb TRACE [--port P|--pipe]   gdb on a recording, forwards and backwards\n"
    "       qvm chaos VM [VM...] --seeds N    run under N seeds, keep the first failure's trace\n"
    "       qvm chaos --when TRACE            from which instruction on its end was likely\n"
    "       qvm import FILE -o TRACE VM       exits or a core from elsewhere (docs/import.md)\n"
    "       qvm check VM [VM...] [--json]     validate, print memory map and devices\n"
    "       qvm fmt CONF [WORD...]            print it in canonical form; also of boards\n"
    "       qvm [OPTION] ?                    explain the language: qvm vdev ?, qvm set ?\n"
    "       qvm --version | --help\n"
    "A VM is a file NAME.qvmconf and words of its language: qvm run a.qvmconf set cpu-model max.\n"
    "The next VM begins at the next word that ends in .qvmconf, or behind a word `+`.\n"
    "options of run, record and replay:\n"
    "  --limit-insns N    stop after N instructions (exit status 67)\n"
    "  --limit-ns N       stop after N ns of virtual time (exit status 67)\n"
    "  --digest-every N   a digest of the whole machine every N instructions\n"
    "  --stats            instructions, exits by reason, MIPS\n"
    "  --verify           replay: ends at the first difference, and compares snapshots, too\n"
    "  --save-at WHEN F   a snapshot into file F: WHEN is insn=N, ns=N, guest-hypercall or\n"
    "                     console=TEXT (when that was printed)\n"
    "  --from F           run, record: go on from the snapshot in F; replay: from the last\n"
    "                     snapshot at or before instruction F\n"
    "  --trust            run --from: the file's configuration may run commands and write files\n"
    "  --snapshot-every N record: a snapshot into the trace every N instructions\n"
    "  --gdb [HOST:]PORT  run, record: wait for gdb before the first instruction\n"
    "  --events FILE      what the hypervisor did, one trace event a line (docs/exits.md)\n"
    "  --net user[,WORD]  run, record: the host is at switch vp0, with DHCP; WORD is switch=N,\n"
    "                     forward=tcp:FROM:TO (a port of 127.0.0.1 to one of the guest), or\n"
    "                     open (guests reach what this machine can); docs/networks.md\n"
    "  --pcap FILE        all frames of the board's networks, as pcapng\n"
    "  --log LIST         severities to write: fatal,internal,error,warn,info,debug,verbose\n"
    "  --wall-clock T     the guest's clock starts at T (seconds since 1970), or `now`;\n"
    "                     default 2024-01-01, so that equal runs are equal\n"
    "  --entropy N|host   where random numbers come from: a seed (default 0) or the host\n"
    "  --board FILE       the machine the VMs are put on; also of check (configs/boards/)\n"
    "  --on-exit WHAT     when one of several VMs ends: `all` others go on (default), `stop` the\n"
    "                     run, `restart` it unless it powered itself off\n"
    "  --chaos SEED       perturb turns of vCPUs and the latency of interrupts (docs/chaos.md)\n"
    "  --seeds N, --first-seed S  chaos: the seeds S to S+N-1; default 100 from 1 on\n"
    "  --budget N         chaos --when: so many runs in all (400), --seeds of them a moment (20)\n"
    "  --realtime         a halted guest waits in step with the host's clock\n"
    "  --exits            record: keep the guest exits; replay: the exit logic alone on them\n"
    "  --no-images        record: references to guest images instead of their contents\n"
    "  --no-record        run: keep no trace of a run that ends badly (status 4 to 7, 32 to 63,\n"
    "                     67, 96, SIGTERM); else it is left in $TMPDIR or /tmp, and its name said\n"
    "On a terminal Ctrl-A x ends a run, Ctrl-A b sends a BREAK.\n";

#define DEFAULT_GDB_PORT  "1234"
#define SEEDS_OF_A_MOMENT 20

struct command_line {
    struct session_options options;
    bool json;
    bool pipe;          /* gdb talks through standard input and output */
    const char **words; /* what is not an option; owned array, borrowed strings */
    size_t count;
    struct vm_words *vms; /* the words by VM; owned array */
    size_t vm_count;
    struct chaos_seeds seeds;
    bool has_seeds;
    const char *when; /* chaos --when: a recording */
    uint64_t budget;  /* of runs */
    struct import_options import;
    const char *from; /* --from: a snapshot's file, or for replay an instruction */
    char **files;     /* "@FILE" of words that are files without it; owned */
    size_t file_count;
};

/* `word`: what the option takes, too. */
static bool parse_count_or(const char *text, const char *word, uint64_t *value, struct error *e,
                           const char *option)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    if (*text >= '0' && *text <= '9' && *end == 0 && errno == 0)
        return true;
    return error_set(e, "%s wants a number%s%s, not '%s'", option, *word ? " or " : "", word, text);
}

static bool parse_count(const char *text, uint64_t *value, struct error *e, const char *option)
{
    return parse_count_or(text, "", value, e, option);
}

static bool parse_severities(const char *text, unsigned *set, struct error *e)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        unsigned found = 0;
        for (unsigned bit = LOG_SEVERITY_FATAL; bit <= LOG_SEVERITY_VERBOSE; bit <<= 1) {
            const char *name = log_severity_name(bit);
            if (strlen(name) == length && memcmp(name, text, length) == 0)
                found = bit;
        }
        if (!found)
            return error_set(e,
                             "--log: '%.*s' is not one of fatal, internal, error, warn, info, "
                             "debug, verbose",
                             (int)length, text);
        *set |= found;
        text += length + (text[length] == ',');
    }
    return true;
}

/* `run guest.qvmconf` names a file; the language's own form is @guest.qvmconf. */
static const char *as_file(struct command_line *c, const char *word)
{
    char *marked = malloc(strlen(word) + 2);
    CHECK_ROOM(marked);
    sprintf(marked, "@%s", word);
    c->files[c->file_count++] = marked;
    return marked;
}

static bool parse_on_exit(const char *text, enum on_exit *value, struct error *e)
{
    for (unsigned i = 0; vm_on_exit_name(i); i++)
        if (strcmp(text, vm_on_exit_name(i)) == 0) {
            *value = (enum on_exit)i;
            return true;
        }
    return error_set(e, "--on-exit wants all, stop or restart, not '%s'", text);
}

/* Every option, and the commands that have it. */
static const struct option_use {
    const char *option, *commands;
} option_uses[] = {
    {"-o", "run record chaos import"}, /* run has words of its own for it */
    {"--limit-insns", "run record replay chaos"},
    {"--limit-ns", "run record replay chaos"},
    {"--digest-every", "run record replay"},
    {"--stats", "run record replay"},
    {"--log", "run record replay"},
    {"--events", "run record replay"},
    {"--pcap", "run record replay"},
    {"--net", "run record"},
    {"--wall-clock", "run record chaos"},
    {"--entropy", "run record chaos"},
    {"--on-exit", "run record chaos"},
    {"--chaos", "run record"},
    {"--seeds", "chaos"},
    {"--first-seed", "chaos"},
    {"--when", "chaos"},
    {"--budget", "chaos"},
    {"--realtime", "run record"},
    {"--gdb", "run record"},
    {"--save-at", "run record"},
    {"--trust", "run record"},
    {"--no-record", "run"},
    {"--no-images", "record"},
    {"--exits", "record replay"},
    {"--snapshot-every", "record"},
    {"--board", "run record chaos check import"},
    {"--from", "run record replay gdb"},
    {"--verify", "replay"},
    {"--json", "check replay"},
    {"--format", "import"},
    {"--sysreg", "import"},
    {"--port", "gdb"},
    {"--pipe", "gdb"},
};

static const struct option_use *option_use_find(const char *option)
{
    for (size_t i = 0; i < sizeof option_uses / sizeof option_uses[0]; i++)
        if (strcmp(option, option_uses[i].option) == 0)
            return &option_uses[i];
    return NULL;
}

static bool unknown_option(const char *name, struct error *e)
{
    struct nearest nearest = nearest_to(name);
    char text[NEAREST_TEXT];
    for (size_t i = 0; i < sizeof option_uses / sizeof option_uses[0]; i++)
        nearest_try(&nearest, option_uses[i].option);
    nearest_try(&nearest, "--help");
    nearest_text(&nearest, text);
    return error_set(e, "unknown option '%s'%s", name, *text ? text : " (qvm --help lists them)");
}

/* Options that mean nothing to a command are a mistake in its use. */
static bool check_use(const char *command, char **arguments, struct error *e)
{
    for (; *arguments; arguments++) {
        const struct option_use *use = option_use_find(*arguments);
        if (use && !strstr(use->commands, command))
            return error_set(e, "%s is not for %s, but for %s", use->option, command,
                             use->commands);
    }
    return true;
}

/* `--sysreg NAME=VALUE`. */
static bool parse_register(struct import_options *o, const char *value, struct error *e)
{
    const char *equals = strchr(value, '=');
    struct start_register *r = &o->registers[o->register_count];
    if (!equals || equals == value || (size_t)(equals - value) >= sizeof r->name)
        return error_set(e, "--sysreg wants NAME=VALUE, not '%s'", value);
    if (o->register_count == IMPORT_REGISTERS_MAX)
        return error_set(e, "more than %d times --sysreg", IMPORT_REGISTERS_MAX);
    o->register_count++;
    snprintf(r->name, sizeof r->name, "%.*s", (int)(equals - value), value);
    return parse_count(equals + 1, &r->value, e, "--sysreg");
}

static bool net_number(const char *text, size_t size, uint64_t most, uint64_t *value)
{
    return size && strspn(text, "0123456789") >= size &&
           number_parse(text, size, NUMBER_PLAIN, value) == NUMBER_OK && *value <= most;
}

/* 0 would be any port, which nobody finds. */
static bool net_port(const char *text, size_t size, uint16_t *port)
{
    uint64_t number;
    bool ok = net_number(text, size, UINT16_MAX, &number) && number;
    *port = ok ? (uint16_t)number : 0;
    return ok;
}

/* "tcp:8080:80" */
static bool parse_forward(struct host_net_options *o, const char *text, size_t size)
{
    struct host_net_forward *f = &o->forwards[o->forward_count];
    const char *from = text + 4, *colon = size > 4 ? memchr(from, ':', size - 4) : NULL;
    f->is_udp = strncmp(text, "udp:", 4) == 0;
    if ((!f->is_udp && strncmp(text, "tcp:", 4) != 0) || !colon ||
        o->forward_count == HOST_NET_FORWARDS_MAX - 1 ||
        !net_port(from, (size_t)(colon - from), &f->from) ||
        !net_port(colon + 1, (size_t)(text + size - colon - 1), &f->to))
        return false;
    o->forward_count++;
    return true;
}

static bool parse_net_word(struct session_options *o, const char *word, size_t size)
{
    uint64_t number;
    if (size == 4 && memcmp(word, "user", size) == 0)
        return true;
    if (size == 4 && memcmp(word, "open", size) == 0)
        return o->net.is_open = true;
    if (size > 8 && memcmp(word, "forward=", 8) == 0)
        return parse_forward(&o->net, word + 8, size - 8);
    if (size <= 7 || memcmp(word, "switch=", 7) != 0 ||
        !net_number(word + 7, size - 7, NETWORK_SWITCHES - 1, &number))
        return false;
    o->net_switch = (unsigned)number;
    return true;
}

/* `--net user,forward=tcp:8080:80`. */
static bool parse_net(struct session_options *o, const char *text, struct error *e)
{
    const char *whole = text;
    bool ok = strncmp(text, "user", 4) == 0;
    o->has_net = true;
    while (ok && *text) {
        size_t size = strcspn(text, ",");
        ok = parse_net_word(o, text, size);
        text += size + (text[size] == ',');
    }
    return ok || error_set(e, "--net wants user[,open][,switch=N][,forward=tcp:FROM:TO], not '%s'",
                           whole);
}

/* An option with an argument: takes both. */
static bool parse_valued(struct command_line *c, const char *name, const char *value,
                         struct error *e)
{
    struct session_options *o = &c->options;
    if (!option_use_find(name))
        return unknown_option(name, e);
    if (!value)
        return error_set(e, "%s wants an argument", name);
    if (strcmp(name, "--limit-insns") == 0)
        return parse_count(value, &o->board.limit_instructions, e, name);
    if (strcmp(name, "--limit-ns") == 0)
        return parse_count(value, &o->board.limit_ns, e, name);
    if (strcmp(name, "--digest-every") == 0)
        return parse_count(value, &o->board.digest_every, e, name);
    if (strcmp(name, "--wall-clock") == 0) {
        o->clock_of_host = strcmp(value, "now") == 0;
        return o->clock_of_host || parse_count_or(value, "'now'", &o->wall_clock_s, e, name);
    }
    if (strcmp(name, "--entropy") == 0) {
        o->entropy_of_host = strcmp(value, "host") == 0;
        return o->entropy_of_host || parse_count_or(value, "'host'", &o->entropy_seed, e, name);
    }
    if (strcmp(name, "--chaos") == 0) {
        o->board.chaos.on = true;
        return parse_count(value, &o->board.chaos.seed, e, name);
    }
    if (strcmp(name, "--seeds") == 0) {
        c->has_seeds = true;
        return parse_count(value, &c->seeds.count, e, name);
    }
    if (strcmp(name, "--when") == 0) {
        c->when = value;
        return true;
    }
    if (strcmp(name, "--budget") == 0)
        return parse_count(value, &c->budget, e, name);
    if (strcmp(name, "--first-seed") == 0)
        return parse_count(value, &c->seeds.first, e, name);
    if (strcmp(name, "--board") == 0) {
        o->board_file = as_file(c, value);
        return true;
    }
    if (strcmp(name, "--from") == 0) {
        c->from = value;
        return true;
    }
    if (strcmp(name, "--gdb") == 0 || strcmp(name, "--port") == 0) {
        o->gdb = value;
        return true;
    }
    if (strcmp(name, "--snapshot-every") == 0)
        return parse_count(value, &o->board.snapshot_every, e, name);
    if (strcmp(name, "--net") == 0)
        return parse_net(o, value, e);
    if (strcmp(name, "--pcap") == 0) {
        o->pcap_path = value;
        return true;
    }
    if (strcmp(name, "--events") == 0) {
        o->events_path = value;
        return true;
    }
    if (strcmp(name, "--format") == 0) {
        c->import.format = value;
        return true;
    }
    if (strcmp(name, "--sysreg") == 0)
        return parse_register(&c->import, value, e);
    if (strcmp(name, "--on-exit") == 0)
        return parse_on_exit(value, &o->board.on_exit, e);
    if (strcmp(name, "--log") == 0)
        return parse_severities(value, &o->board.log_severities, e);
    o->record_path = value; /* -o */
    return true;
}

static bool *flag_of(struct command_line *c, const char *name)
{
    return strcmp(name, "--stats") == 0       ? &c->options.stats
           : strcmp(name, "--realtime") == 0  ? &c->options.realtime
           : strcmp(name, "--no-images") == 0 ? &c->options.no_images
           : strcmp(name, "--no-record") == 0 ? &c->options.no_record
           : strcmp(name, "--trust") == 0     ? &c->options.trust
           : strcmp(name, "--exits") == 0     ? &c->options.exits
           : strcmp(name, "--verify") == 0    ? &c->options.verify
           : strcmp(name, "--json") == 0      ? &c->json
           : strcmp(name, "--pipe") == 0      ? &c->pipe
                                              : NULL;
}

#define SAVE_AT_WANTS "--save-at wants insn=N, ns=N, console=TEXT or guest-hypercall"

static bool parse_save_number(const char *text, uint64_t *value, struct error *e,
                              const char *option)
{
    return parse_count(text, value, e, option) &&
           (*value > 0 || error_set(e, "%s: the first is 1", option));
}

/* `--save-at WHEN FILE`: two arguments. */
static bool parse_save_at(struct command_line *c, const char *when, const char *file,
                          struct error *e)
{
    struct session_options *o = &c->options;
    if (!when || !file)
        return error_set(e, SAVE_AT_WANTS ", and a file");
    o->save_path = file;
    o->board.snapshot_on_call = strcmp(when, "guest-hypercall") == 0;
    if (o->board.snapshot_on_call)
        return true;
    if (strncmp(when, "insn=", 5) == 0)
        return parse_save_number(when + 5, &o->board.snapshot_at, e, "--save-at insn=");
    if (strncmp(when, "ns=", 3) == 0)
        return parse_save_number(when + 3, &o->board.snapshot_at_ns, e, "--save-at ns=");
    if (strncmp(when, "console=", 8) != 0)
        return error_set(e, SAVE_AT_WANTS ", not '%s'", when);
    o->save_text = when + 8;
    return *o->save_text || error_set(e, "--save-at console=TEXT: there is no text");
}

static bool is_option(const char *word)
{
    return word[0] == '-' && (word[1] == '-' || strcmp(word, "-o") == 0);
}

static bool parse_arguments(struct command_line *c, char **argv, struct error *e)
{
    for (; *argv; argv++) {
        if (!is_option(*argv)) {
            c->words[c->count++] = *argv;
            continue;
        }
        if (strcmp(*argv, "--save-at") == 0) {
            if (!parse_save_at(c, argv[1], argv[1] ? argv[2] : NULL, e))
                return false;
            argv += 2;
            continue;
        }
        bool *flag = flag_of(c, *argv);
        if (flag) {
            *flag = true;
            continue;
        }
        if (!parse_valued(c, argv[0], argv[1], e))
            return false;
        argv++;
    }
    return true;
}

/* Cuts the words into VMs. The first word of a command names a file unless it is an option of the
 * language, as does each that ends in .qvmconf and is not marked with `@`: such a file begins the
 * next VM. */
static bool split_vms(struct command_line *c, struct error *e)
{
    for (size_t i = 0; i < c->count; i++) {
        bool separator = strcmp(c->words[i], "+") == 0;
        bool file =
            c->words[i][0] != '@' && !separator &&
            (text_ends_in(c->words[i], ".qvmconf") || (i == 0 && !config_is_option(c->words[i])));
        struct vm_words *last = c->vm_count ? &c->vms[c->vm_count - 1] : NULL;
        if (file)
            c->words[i] = as_file(c, c->words[i]);
        if (separator && (!last || !last->count || i + 1 == c->count))
            return error_set(e, "'+' stands between two VMs");
        if (!last || separator || (file && last->count))
            c->vms[c->vm_count++] = (struct vm_words){.words = &c->words[i + separator]};
        if (!separator)
            c->vms[c->vm_count - 1].count++;
    }
    if (c->vm_count > BOARD_VMS_MAX)
        return error_set(e, "more than %d VMs on one board", BOARD_VMS_MAX);
    return true;
}

static int need_words(const char *command)
{
    fprintf(stderr, "qvm: %s wants a configuration file (qvm --help)\n", command);
    return STATUS_USAGE;
}

static int run_or_from(struct command_line *c, const char *command)
{
    if (c->from && c->count) {
        fprintf(stderr, "qvm: --from goes on with the VMs of its file: no others can be given\n");
        return STATUS_USAGE;
    }
    if (c->from)
        return session_run_from(c->from, &c->options);
    return c->count ? session_run(c->vms, c->vm_count, &c->options) : need_words(command);
}

static int command_run(struct command_line *c)
{
    if (c->options.record_path) {
        fprintf(stderr, "qvm: -o is for record: qvm record -o %s ...\n", c->options.record_path);
        return STATUS_USAGE;
    }
    return run_or_from(c, "run");
}

static int command_record(struct command_line *c)
{
    if (!c->options.record_path) {
        fprintf(stderr, "qvm: record wants -o TRACE\n");
        return STATUS_USAGE;
    }
    return run_or_from(c, "record");
}

static int command_chaos(struct command_line *c)
{
    struct error e = {0};
    if (c->when && c->count) {
        error_set(&e, "--when is about what was recorded: no VMs can be given");
        return report_error(&e, STATUS_USAGE);
    }
    if (!c->count && !c->when)
        return need_words("chaos");
    if (!c->has_seeds && c->when)
        c->seeds.count = SEEDS_OF_A_MOMENT;
    if (!c->seeds.count || c->seeds.count - 1 > UINT64_MAX - c->seeds.first) {
        error_set(&e, "--seeds wants at least 1, and the last seed must be below 2^64");
        return report_error(&e, STATUS_USAGE);
    }
    const struct chaos_when when = {c->seeds.first, c->seeds.count, c->budget};
    if (c->when)
        return chaos_when(c->when, &when);
    return chaos_search(c->vms, c->vm_count, &c->options, c->seeds);
}

static int command_replay(struct command_line *c)
{
    if (c->count != 1) {
        fprintf(stderr, "qvm: replay wants one trace file\n");
        return STATUS_USAGE;
    }
    struct error e = {0};
    if (c->from && !parse_count(c->from, &c->options.replay_from, &e, "replay --from"))
        return report_error(&e, STATUS_USAGE);
    if (c->json && !c->options.exits) {
        fprintf(stderr, "qvm: --json is for replay --exits\n");
        return STATUS_USAGE;
    }
    if (c->options.exits)
        return exit_replay(c->words[0], &c->options, c->json);
    return session_replay(c->words[0], &c->options);
}

/* The first word is the file, the others are one VM. */
static int command_import(struct command_line *c)
{
    static const struct vm_words none = {0};
    struct error e = {0};
    if (!c->count || !c->options.record_path) {
        fprintf(stderr, "qvm: import wants a file and -o TRACE (qvm --help)\n");
        return STATUS_USAGE;
    }
    const char *path = *c->words++;
    c->count--;
    bool ok = split_vms(c, &e);
    if (ok && c->vm_count > 1)
        ok = error_set(&e, "import is for one VM");
    c->import.to = c->options.record_path;
    c->import.board_file = c->options.board_file;
    int status = ok ? import_file(path, c->vm_count ? &c->vms[0] : &none, &c->import)
                    : report_error(&e, STATUS_USAGE);
    c->words--;
    return status;
}

static int command_gdb(struct command_line *c)
{
    struct error e = {0};
    if (c->count != 1) {
        fprintf(stderr, "qvm: gdb wants one trace file\n");
        return STATUS_USAGE;
    }
    if (c->from && !parse_count(c->from, &c->options.replay_from, &e, "gdb --from"))
        return report_error(&e, STATUS_USAGE);
    return debug_trace(c->words[0],
                       c->pipe          ? NULL
                       : c->options.gdb ? c->options.gdb
                                        : DEFAULT_GDB_PORT,
                       &c->options);
}

static int command_check(struct command_line *c)
{
    if (!c->count)
        return need_words("check");
    return check_vms(c->vms, c->vm_count, c->options.board_file, c->json);
}

static int print_version(void)
{
    printf("qvm %s\nUnicorn %s\nCapstone %s\n", QVM_VERSION, engine_version(), disasm_version());
    return STATUS_OK;
}

static const struct {
    const char *name;
    int (*run)(struct command_line *c);
    bool takes_vms;
} commands[] = {
    {"run", command_run, true},        {"record", command_record, true},
    {"replay", command_replay, false}, {"check", command_check, true},
    {"gdb", command_gdb, false},       {"chaos", command_chaos, true},
    {"import", command_import, false},
};

static int run_command(size_t which, char **arguments, size_t count)
{
    struct command_line c = {
        .options.board = {BOARD_NO_LIMITS},
        .options.wall_clock_s = DEFAULT_WALL_CLOCK_S,
        .seeds = {.first = 1, .count = 100},
        .budget = 400,
    };
    struct error e = {0};
    int status;
    c.words = calloc(count + 1, sizeof *c.words);
    c.vms = calloc(count + 1, sizeof *c.vms);
    c.files = calloc(2 * count + 1, sizeof *c.files);
    CHECK_ROOM(c.words && c.vms && c.files);
    if (!check_use(commands[which].name, arguments, &e) || !parse_arguments(&c, arguments, &e) ||
        (commands[which].takes_vms && !split_vms(&c, &e)))
        status = report_error(&e, STATUS_USAGE);
    else
        status = commands[which].run(&c);
    for (size_t i = 0; i < c.file_count; i++)
        free(c.files[i]);
    free(c.files);
    free(c.vms);
    free(c.words);
    return status;
}

/* `qvm help`, and --help or -h anywhere. */
static bool asks_for_help(int argc, char **argv)
{
    bool help = argc > 1 && strcmp(argv[1], "help") == 0;
    for (int i = 1; i < argc; i++)
        help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    return help;
}

/* What stands where a command does, and is none. */
static void say_unknown_command(const char *command)
{
    static const char *const others[] = {"fmt", "test", "help", "--help", "--version"};
    struct nearest nearest = nearest_to(command);
    char text[NEAREST_TEXT];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        nearest_try(&nearest, commands[i].name);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        nearest_try(&nearest, others[i]);
    questions_nearest(&nearest);
    nearest_text(&nearest, text);
    fprintf(stderr, "qvm: unknown %s '%s'%s%s\n", command[0] == '-' ? "option" : "command", command,
            *text ? text : " (qvm --help lists them)",
            text_ends_in(command, ".qvmconf") ? ": qvm run FILE runs a configuration" : "");
}

static int answer(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--version") == 0 || strcmp(command, "-V") == 0)
        return print_version();
    if (help_is_asked(argv + 1, argc - 1))
        return help_answer(argv + 1, argc - 1);
    if (asks_for_help(argc, argv)) {
        fputs(usage, stdout);
        fputs(test_usage, stdout);
        fputs(questions_usage, stdout);
        return STATUS_OK;
    }
    if (questions_know(argv + 1, argc - 1))
        return questions_answer(command, argv + 2, argc - 2);
    if (strcmp(command, "test") == 0)
        return test_command(argv + 2, argc - 2);
    if (strcmp(command, "fmt") == 0)
        return help_format(argv + 2, argc - 2);
    if (command[0] == '@' || config_is_option(command))
        return run_command(0, argv + 1, (size_t)argc - 1);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(command, commands[i].name) == 0)
            return run_command(i, argv + 2, (size_t)argc - 2);
    if (*command)
        say_unknown_command(command);
    else
        fputs(usage, stderr);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    host_start(&argc, &argv);
    memory_use_host(&(struct memory_host){host_take_memory, host_give_memory});
    int status = answer(argc, argv);
    host_flush();
    if (fflush(stdout) == 0 && !host_output_is_lost())
        return status;
    fprintf(stderr, "qvm: standard output took no more: what was printed is not complete\n");
    return status ? status : STATUS_USAGE;
}
