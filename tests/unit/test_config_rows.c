/* The reference's tables row by row: options, variables, policies, attributes, spellings, and the
 * configurations that must be read. Each row fails when its value lands elsewhere, is not listed as
 * accepted, or is refused in other words. The vdev types are the program's own. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config.h"
#include "hv/config/config_set.h"
#include "suite.h"

#define AT "[cmdline:1] "

static const char *env(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "HOST_DEV") == 0 ? "/dev/ser2" : NULL;
}

static bool parse(struct vm_config *config, const char *text, struct error *e)
{
    const struct config_reader reader = {.env = env};
    *e = (struct error){0};
    return config_parse(config, &text, 1, &reader, e);
}

static struct vm_config parsed(const char *text)
{
    struct vm_config config;
    struct error e;
    ck_assert_msg(parse(&config, text, &e), "%s: %s", text, e.text);
    return config;
}

/* Rows that say what is wrong, or what was accepted without effect, in exactly these words -------
 */

#define SMMU    "vdev smmuv3 loc 0x2b400000 intr gic:74 name s "
#define ENTROPY "vdev virtio-entropy loc 0x1000 intr gic:43 "

static const struct {
    const char *text, *error;
} refused[] = {
    /* lexical rules and forms that circulate but are not the language */
    {"cmdline \"open", AT "missing closing double quote"},
    {"cmdline $env{NOWHERE}", AT "environment variable 'NOWHERE' is not set"},
    {"cmdline $asinfo_start{/foo/x}", AT "no asinfo entry '/foo/x': there is no board file"},
    {"cmdline $asinfo_length{x}", AT "no asinfo entry 'x': there is no board file"},
    {"system name=x", AT "'name=x' is not a name for a system (write `system x`)"},
    {"system a/b", AT "'a/b' is not a name for a system"},
    {"ram addr=0x1000,size=4096",
     AT "'addr=0x1000,size=4096' is not [START,]LENGTH (write `ram 0x80000000,64M`)"},
    {"rom addr=0x1000", AT "'addr=0x1000' is not [START,]LENGTH (write `rom 0x80000000,64M`)"},
    {"cpu sched=21", AT "unknown option 'sched=21' (write `sched 21`)"},
    {"cpu 2", AT "unknown option '2' (one `cpu` for each vCPU: `cpu cpu` are two)"},
    {"cpus 2", AT "unknown option 'cpus' (write `cpu` once for each vCPU: `cpu cpu`)"},
    {"pass 0,0,0x1000",
     AT "unknown option '0,0,0x1000' (write `pass loc START[,LENGTH],ATTRS[=HOST]`)"},
    {"vdev gicd,addr=1",
     AT "unknown vdev type 'gicd,addr=1' (options are words of their own: `vdev "
        "TYPE loc ADDRESS intr PIC:LINE`)"},
    {"ram 1M kernel x", AT "unknown option 'kernel' (write `load FILE`)"},
    {"define x", AT "unknown option 'define'"},
    {"generate x", AT "unknown option 'generate'"},
    {"dumpdir x", AT "unknown option 'dumpdir' (write `dump DIRECTORY`)"},
    {"tolerance x", AT "unknown option 'tolerance'"},
    {"psci x", AT "unknown option 'psci' (write `set psci-supported on`)"},
    {"smmu x", AT "unknown option 'smmu' (write `vdev smmu`)"},
    {"user 5", AT "unknown option 'user'"},
    {"log error none", AT "'log' belongs behind 'vdev'"},
    /* order */
    {"set clock-rate 1000 system x", AT "'system' must be the first option"},
    {"load guest.ifs ram 32m", AT "'load' before any 'ram' or 'rom': there is nowhere to load to"},
    {"vdev pl011 loc 0x1000 intr pic:37",
     AT "unknown interrupt controller 'pic' (known here: 'gic')"},
    {"vdev pl011 loc 0x1000 intr pic:37 vdev gic name pic",
     AT "unknown interrupt controller 'pic' (known here: 'gic')"},
    /* arguments stand right behind their option */
    {"system", AT "missing argument of 'system' (NAME)"},
    {"ram", AT "missing argument of 'ram' ([START,]LENGTH)"},
    {"rom", AT "missing argument of 'rom' ([START,]LENGTH)"},
    {"cpu sched", AT "missing argument of 'sched' (PRIO[r|f|o] or HI,LO,REPL,PERIOD,BUDGETs)"},
    {"cpu runmask", AT "missing argument of 'runmask' (N{,N})"},
    {"cpu cluster", AT "missing argument of 'cluster' (NAME)"},
    {"cpu partition", AT "missing argument of 'partition' (NAME)"},
    {"ram 1M load", AT "missing argument of 'load' ([ADDRESS,]FILE)"},
    {"cmdline", AT "missing argument of 'cmdline' (\"STRING\")"},
    {"vdev wdt-sp805 intr gic:44 loc", AT "missing argument of 'loc' ([mem:]ADDRESS)"},
    {"vdev wdt-sp805 intr gic:44 name", AT "missing argument of 'name' (NAME)"},
    {"vdev wdt-sp805 intr gic:44 log error",
     AT "missing argument of 'log' (FILTER{,FILTER} DESTINATION)"},
    {"vdev gic hostvector", AT "missing argument of 'hostvector' (N)"},
    {"vdev pl011 loc 0x1000 intr gic:37 stream", AT "missing argument of 'stream' (SMMU:NUMBER)"},
    {"pass loc", AT "missing argument of 'loc' ([mem:]START[,LENGTH],ATTRS[=HOST])"},
    {"pass intr", AT "missing argument of 'intr' (PIC:LINE[,FLAGS][=VECTOR])"},
    {"reserve loc", AT "missing argument of 'loc' ([mem:]START,LENGTH)"},
    {"reserve intr", AT "missing argument of 'intr' (NUMBER)"},
    {"logger error", AT "missing argument of 'logger' (FILTER{,FILTER} DESTINATION)"},
    {"unsupported register", AT "missing argument of 'unsupported' (TYPE ACTION)"},
    {"set debug", AT "missing argument of 'set' (VARIABLE VALUE)"},
    {"dump", AT "missing argument of 'dump' (DIRECTORY or \"|COMMAND\")"},
    {"safety", AT "missing argument of 'safety' (none|warn|required)"},
    /* memory */
    {"ram 4095", AT "the length 0xfff is not a multiple of the page size 0x1000"},
    {"ram 0x100,4K", AT "the address 0x100 is not a multiple of the page size 0x1000"},
    {"rom 0", AT "the length is 0"},
    {"ram 0,8K rom 1000,4K", AT "rom 0x1000-0x1fff overlaps ram 0x0-0x1fff [cmdline:1]"},
    {"ram 512M,0x80000000", /* so this is 2 GiB at 512 MiB */
     AT "ram 0x20000000-0x9fffffff overlaps vdev gic distributor 0x2f000000-0x2f00ffff\n" AT
        "ram 0x20000000-0x9fffffff overlaps vdev gic redistributors 0x2f100000-0x2f11ffff"},
    {"ram 1M load 0x200000,x", AT "0x200000 is not in the guest memory given so far"},
    {"ram 1M load 12x,x", AT "'12x' is not an address"},
    /* cpu */
    {"cpu sched 0", AT "priority '0' is not in the range 1 to 255"},
    {"cpu sched 256", AT "priority '256' is not in the range 1 to 255"},
    {"cpu sched 8x", AT "'8x' is not a number"},
    {"cpu sched 21,10,5,100", AT "'21,10,5,100' is not HI,LO,MAXREPL,PERIOD,BUDGETs"},
    {"cpu runmask 64", AT "CPU '64' is not in the range 0 to 63"},
    {"cpu sched 8 s", AT "'s' belongs behind 'sched HI,LO,MAXREPL,PERIOD,BUDGET'"},
    {"cpu cpu cpu cpu cpu cpu cpu cpu cpu", AT "more than 8 vCPUs"},
    /* pass */
    {"pass loc 0xfd120000,0x1000",
     AT "'0xfd120000,0x1000' is not START[,LENGTH],ATTRIBUTES[=HOST]: without attributes (r, w, x "
        "and others) the guest has no right to anything there"},
    {"pass loc 0x1000", AT "'0x1000' is not START[,LENGTH],ATTRIBUTES[=HOST]: without attributes "
                           "(r, w, x and others) the guest has no right to anything there"},
    {"pass loc 0x1000,4K,rwn=10",
     AT "the guest address 0x1000 and the host address 0x10 are at different places of a page"},
    {"pass loc 0x1000,0,rwn", AT "the length is 0"},
    {"pass loc 0x1000,4K,rq", AT "unknown attribute 'q' in '0x1000,4K,rq'"},
    {"pass loc 0x1000,4K,md", AT "attributes 'd' and 'm' exclude each other"},
    {"pass loc 0x1000,4K,rwdn", AT "attributes 'd' and 'n' exclude each other"},
    {"pass loc 0x1000,4K,rd", AT "attribute 'd' needs 'r' and 'w'"},
    {"pass loc 0x1000,4K,wd", AT "attribute 'd' needs 'r' and 'w'"},
    {"pass loc io:0x3f8,8,rwn", AT "there are no I/O ports in this version"},
    {"pass loc pci:0x8086/0x1533", AT "there is no PCI bus in this version"},
    {"pass loc pci:0x8086/0x1533/1", AT "there is no PCI bus in this version"},
    {"pass loc pci:0:4.0=pci:0:20.0", AT "there is no PCI bus in this version"},
    {"pass intr gic:46,x", AT "unknown interrupt flag 'x' in 'gic:46,x'"},
    {"pass intr gic:15", AT "interrupt line '15' is not in the range 16 to 287"},
    {"pass intr gic:288", AT "interrupt line '288' is not in the range 16 to 287"},
    {"pass intr apic", AT "'apic' is not PIC:LINE"},
    {"pass loc 0x1000,4K,rwn loc 0x1000,4K,rwn",
     AT "pass from host 0x1000 0x1000-0x1fff overlaps pass from host 0x1000 0x1000-0x1fff "
        "[cmdline:1]"},
    /* faults on purpose */
    {"inject spill gpa:0,1",
     AT "'spill' is no fault that can be injected (flip, unmap, lose, double, delay, refuse)"},
    {"inject flip X3,1 at insn=1",
     AT "'flip' wants gpa:ADDRESS,BIT or vcpuN:REGISTER,BIT, not 'X3,1'"},
    {"inject flip gpa:0x1000,8 at insn=1", AT "bit of a byte '8' is not in the range 0 to 7"},
    {"inject flip vcpu8:X3,1 at insn=1", AT "vCPU '8' is not in the range 0 to 7"},
    {"inject flip vcpu1:X3,1 at insn=1", AT "inject: there is no vCPU 1"},
    {"inject flip vcpu0:X3,64 at insn=1", AT "inject: x3 has bits 0 to 63"},
    {"inject flip vcpu0:SCTLR_EL1,1 at insn=1",
     AT "inject: 'SCTLR_EL1' is no register whose bits can be flipped (general, status and "
        "vector registers)"},
    {"inject lose gic:33 at insn=1", AT "'at' wants count=N here, not 'insn=1'"},
    {"inject delay gic:33 at count=1", AT "the fault wants PIC:LINE,NS, not 'gic:33'"},
    {"inject lose gic:33,1 at count=1", AT "the fault wants PIC:LINE, not 'gic:33,1'"},
    {"inject lose gic:27 at count=1",
     AT "line 27 belongs to each vCPU: faults are of those from 32 on"},
    {"inject double pic:3 at count=1", AT "unknown interrupt controller 'pic' (known here: 'gic')"},
    {"inject refuse uart at count=1", AT "inject: there is no vdev 'uart'"},
    {"inject refuse gic", AT "inject: `at count=N` is missing"},
    {"inject unmap 0x1000 at insn=1", AT "'unmap' wants START,LENGTH, not '0x1000'"},
    {"inject unmap 0x1000,0 at insn=1", AT "inject: nothing would be unmapped"},
    {"inject unmap 0xfffffffff000,0x2000 at insn=1",
     AT "the range ends beyond the guest's 48-bit addresses"},
    {"inject flip gpa:0x1000,1", AT "inject: `at insn=N` is missing"},
    {"inject flip gpa:0x1000,1 at 5", AT "'at' wants insn=N here, not '5'"},
    {"inject flip gpa:0x1000,1 at insn=0",
     AT "instruction '0' is not in the range 1 to 18446744073709551614"},
    /* reserve */
    {"reserve loc 0x1000", AT "'0x1000' needs a length"},
    {"reserve loc 0x1000,0", AT "'0x1000,0' is not a range of guest-physical addresses"},
    {"reserve loc io:10000", AT "'io:10000' is not a range of I/O ports"},
    {"reserve loc pci:0", AT "'pci:0' is not pci:BUS:DEV[.FUNC]"},
    {"reserve loc pci:0x8086/0x1533", AT "'pci:0x8086/0x1533' is not pci:BUS:DEV[.FUNC]"},
    {"reserve loc pci:0:32", AT "device '32' is not in the range 0 to 31"},
    {"reserve loc pci:0:1.8", AT "function '8' is not in the range 0 to 7"},
    {"reserve intr gic:3", AT "'gic:3' is not a number"},
    /* vdev */
    {"vdev pl011 intr gic:37", AT "vdev pl011 needs 'loc ADDRESS'"},
    {"vdev pl011 loc 0x1000", AT "vdev pl011 needs 'intr PIC:LINE'"},
    {"vdev pl011 loc io:0x3f8 intr gic:37", AT "there are no I/O ports in this version"},
    {"vdev pl011 loc pci:0:1 intr gic:37", AT "there is no PCI bus in this version"},
    {"vdev pl011 loc 0x1000 intr gic:37 hostvector 3",
     AT "'hostvector' is for interrupt controllers only"},
    {SMMU ENTROPY "stream s", AT "'s' is not SMMU:NUMBER"},
    {SMMU ENTROPY "stream :1", AT "':1' is not SMMU:NUMBER"},
    {SMMU ENTROPY "stream s:x", AT "'x' is not a number"},
    {SMMU ENTROPY "stream t:1", AT "stream: no vdev 't' that translates DMA"},
    {SMMU ENTROPY "stream s:65536", AT "stream 65536: 's' has streams 0 to 65535"},
    {SMMU "stream s:1", AT "vdev smmuv3 has no stream: it is an SMMU itself"},
    {SMMU "vdev pl011 loc 0x1000 intr gic:37 stream s:1",
     AT "vdev pl011 has no stream: it does no DMA"},
    {SMMU ENTROPY "stream s:1 vdev virtio-console loc 0x2000 intr gic:42 stream s:1",
     AT "stream 1 of 's' belongs to vdev virtio-entropy already [cmdline:1]"},
    {"vdev gic name a:b",
     AT "the name of an interrupt controller has letters, digits, '_', '-', '.' only"},
    {"vdev gic vdev gic", AT "a second 'vdev gic'; the first is at [cmdline:1]"},
    {"vdev gic version 4", AT "vdev gic: version 4 is neither 2 nor 3"},
    {"vdev gic msi 0x30000000,80", AT "vdev gic: msi 0x30000000,80 is not ADDR,FIRST,COUNT"},
    {"vdev gic msi 0x30000000,80,8 ram 0x30000000,4K",
     AT "vdev gic msi 0x30000000-0x30000fff overlaps ram 0x30000000-0x30000fff [cmdline:1]"},
    {"vdev pl011 loc 0x1000 intr gic:37 name a vdev pl031 loc 0x2000 intr gic:38 name a",
     AT "vdev name 'a' is already taken at [cmdline:1]"},
    {"vdev pl011 loc 0x1000 intr gic:37 vdev pl031 loc 0x2000 intr gic:37",
     AT "vdev pl031: interrupt line 37 belongs to vdev pl011 already [cmdline:1]"},
    {"vdev pl011 loc 0x1000 intr gic:37 log warn none",
     NULL}, /* both spellings are understood behind a vdev */
    {"vdev pl011 loc 0x1000 intr gic:37 log loud none",
     AT "unknown severity 'loud' (fatal, internal, error, warn, info, debug or verbose)"},
    /* logger, unsupported, safety, dump */
    {"logger warning stderr", AT "unknown severity 'warning' (did you mean 'warn'?)"},
    {"logger error stdot", AT "unknown log destination 'stdot' (did you mean 'stdout'?)"},
    {"logger , stderr",
     AT "unknown severity '' (fatal, internal, error, warn, info, debug or verbose)\n" AT
        "unknown severity '' (fatal, internal, error, warn, info, debug or verbose)"},
    {"unsupported opcode fail", AT "unknown case 'opcode' (instruction, reference or register)"},
    {"unsupported register explode", AT "unknown action 'explode' (abort, fail or ignore)"},
    {"safety maybe", AT "unknown safety level 'maybe' (none, warn or required)"},
    {"dump \"\"", AT "'dump' needs a directory or a command"},
    /* variables */
    {"set nosuch 1", AT "unknown variable 'nosuch' (qvm set ? lists them)"},
    {"set counter-offset x", AT "'x' is not a number"},
    {"set counter-offset 1K", AT "'1K' is not a number"},
    {"set debug on", AT "variable 'debug' belongs behind 'vdev'"},
    {"set vdev-message-block-timeout 5",
     AT "variable 'vdev-message-block-timeout' belongs behind 'vdev'"},
    {"set exit-on-halt auto", AT "'auto' is not a boolean (on, off, 1, 0, yes, no, true, false)"},
    {"set message-block-timeout 4", AT "'4' is neither 0 nor in the range 5 to 10000"},
    {"set message-block-timeout 10001", AT "'10001' is neither 0 nor in the range 5 to 10000"},
    {"set grow-heap 4x", AT "'4x' is not an address"},
    {"set psci-supported yes", AT "'yes' is not on, off or auto"},
    {"set icache old", AT "'old' is neither coherent nor exact"},
    {"set clock-rate 999", AT "clock-rate '999' is not in the range 1000 to 1000000000000"},
    {"set cpu-model z80", AT "unknown CPU model 'z80' (a57, a53, a72 or max)"},
};

START_TEST(refused_in_these_words)
{
    struct vm_config config;
    struct error e;
    bool ok = parse(&config, refused[_i].text, &e);
    if (!refused[_i].error) {
        ck_assert_msg(ok, "%s", e.text);
        config_free(&config);
        return;
    }
    ck_assert_msg(!ok, "%s", refused[_i].text);
    ck_assert_str_eq(e.text, refused[_i].error);
    ck_assert_int_eq(e.exit_status, 65);
}
END_TEST

#define UART "vdev pl011 loc 0x1000 intr gic:37 "
static const char *const accepted[] = {
    "debug",
    "set exit-on-halt on",
    "set exit-on-halt off",
    "set grow-heap 0x4000",
    "set grow-heap 16K",
    "set message-block-timeout 0",
    "set message-block-timeout 5",
    "set message-block-timeout 10000",
    "set slog-buffer 4K",
    "set legacy-free yes",
    "set posted-interrupts no",
    "set virtual-interrupts true",
    "set gic-hwassist false",
    "set host-paddr-gicd 0xff841000",
    "set host-paddr-gich ff844000",
    "set host-paddr-gicv 0xff846000",
    "set pointer-authentication off",
    "set linux-fdt-free 1M",
    "set psci-supported on",
    "set psci-supported off",
    "set psci-supported auto",
    "set exit-on-halt 1",
    "set exit-on-halt 0",
    UART "set vdev-message-block-timeout 5000",
    UART "sched 12",
    "cpu partition drivers",
    "safety none",
    "safety warn",
    "safety required",
    "reserve loc io:0xcf8,0x8",
    "reserve loc io:80",
    "reserve loc pci:0:1",
    "reserve loc pci:0:1.7",
};

START_TEST(debug_is_the_status_report)
{
    static const struct {
        const char *text;
        bool off;
    } rows[] = {{UART "set debug off", true},
                {UART "set debug no", true},
                {UART "set debug on", false},
                {UART "set debug off set debug 1", false},
                {UART "", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vm_config config = parsed(rows[i].text);
        ck_assert_uint_eq(config.accepted_count, 0);
        ck_assert_int_eq(config.vdevs[1].not_in_status, rows[i].off);
        config_free(&config);
    }
}
END_TEST

/* What is listed is the statement without what it stands behind, or with its context's words. */
START_TEST(accepted_and_listed)
{
    const char *text = accepted[_i];
    struct vm_config config = parsed(text);
    char expected[120];
    size_t behind = strncmp(text, UART, sizeof UART - 1) == 0 ? sizeof UART - 1 : 0;
    bool is_option = behind && strncmp(text + behind, "set", 3) != 0;
    snprintf(expected, sizeof expected, AT "%s%s", is_option ? "vdev pl011 " : "", text + behind);
    ck_assert_uint_eq(config.accepted_count, 1);
    ck_assert_str_eq(config.accepted[0], expected);
    config_free(&config);
}
END_TEST

/* Values
 * -------------------------------------------------------------------------------------------
 */

static const struct {
    const char *text;
    uint64_t start, length;
    bool is_rom;
} memory[] = {
    {"ram 512M", 0, 512u << 20, false},
    {"ram 0xa0000", 0, 0xa0000, false},
    {"ram 80000000,128M", 0x80000000, 128u << 20, false},
    {"ram 0x80000000,128M", 0x80000000, 128u << 20, false},
    {"ram 4K,8k", 0x1000, 0x2000, false},
    {"ram 2G,0x80000000", 0x80000000, 0x80000000, false},
    {"ram 0d4096,8192", 0x1000, 0x2000, false},
    {"ram 1G,1g", 1u << 30, 1u << 30, false},
    {"rom 0xc0000,0x40000", 0xc0000, 0x40000, true},
    {"rom 1m", 0, 1u << 20, true},
};

START_TEST(memory_is_where_it_was_put)
{
    struct vm_config c = parsed(memory[_i].text);
    ck_assert_uint_eq(c.ram_count, 1);
    ck_assert_uint_eq(c.rams[0].start, memory[_i].start);
    ck_assert_uint_eq(c.rams[0].length, memory[_i].length);
    ck_assert(c.rams[0].is_rom == memory[_i].is_rom);
    config_free(&c);
}
END_TEST

static const struct {
    const char *text;
    struct cpu_config cpu;
} cpus[] = {
    {"ram 4K", {.priority = 10, .policy = 'r'}}, /* one vCPU if there is no `cpu` */
    {"cpu", {.priority = 10, .policy = 'r'}},
    {"cpu sched 8", {.priority = 8, .policy = 'r'}},
    {"cpu sched 8r", {.priority = 8, .policy = 'r'}},
    {"cpu sched 1f", {.priority = 1, .policy = 'f'}},
    {"cpu sched 255o", {.priority = 255, .policy = 'o'}},
    {"cpu sched 8 sched 6", {.priority = 6, .policy = 'r'}},
    {"cpu sched 21,10,5,1000,200s",
     {.priority = 21, .policy = 's', .sporadic = {10, 5, 1000, 200}}},
    {"cpu sched 21,10,5,1000,200 s",
     {.priority = 21, .policy = 's', .sporadic = {10, 5, 1000, 200}}},
    {"cpu sched 21,10,5,1000,200s sched 7f", {.priority = 7, .policy = 'f'}},
    {"cpu runmask 0", {.priority = 10, .policy = 'r', .runmask = 1}},
    {"cpu runmask 1,3,63", {.priority = 10, .policy = 'r', .runmask = 0x800000000000000a}},
    {"cpu ram 32m sched 8", {.priority = 8, .policy = 'r'}},
};

START_TEST(vcpus_are_as_written)
{
    struct vm_config c = parsed(cpus[_i].text);
    const struct cpu_config *cpu = &c.cpus[0], *expected = &cpus[_i].cpu;
    ck_assert_uint_eq(c.cpu_count, 1);
    ck_assert_uint_eq(cpu->priority, expected->priority);
    ck_assert_int_eq(cpu->policy, expected->policy);
    ck_assert_uint_eq(cpu->runmask, expected->runmask);
    ck_assert_mem_eq(cpu->sporadic, expected->sporadic, sizeof cpu->sporadic);
    ck_assert_ptr_null(cpu->cluster);
    config_free(&c);
}
END_TEST

static const struct {
    const char *text;
    enum blob_type type;
    const char *path;
    uint64_t address; /* 0: none */
} loads[] = {
    {"load guest.ifs", BLOB_SNIFF, "guest.ifs", 0},
    {"guest load k", BLOB_GUEST, "k", 0},
    {"initrd load r", BLOB_INITRD, "r", 0},
    {"fdt load b.dtb", BLOB_FDT, "b.dtb", 0},
    {"acpi load t", BLOB_ACPI, "t", 0},
    {"data load d", BLOB_DATA, "d", 0},
    {"load 0x80100000,k", BLOB_SNIFF, "k", 0x80100000},
    {"data load 80100000,d", BLOB_DATA, "d", 0x80100000},
    {"initrd load 2049M,r", BLOB_INITRD, "r", 0x80100000},
    {"load my,b", BLOB_SNIFF, "my,b", 0},
    {"load \"a file\"", BLOB_SNIFF, "a file", 0},
    {"guest\n# why\nload\n\tk", BLOB_GUEST, "k", 0},
};

START_TEST(loads_are_as_written)
{
    char text[120];
    snprintf(text, sizeof text, "ram 0x80000000,32M %s", loads[_i].text);
    struct vm_config c = parsed(text);
    ck_assert_uint_eq(c.load_count, 1);
    ck_assert_int_eq(c.loads[0].type, loads[_i].type);
    ck_assert_str_eq(c.loads[0].path, loads[_i].path);
    ck_assert(c.loads[0].has_address == (loads[_i].address != 0));
    ck_assert_uint_eq(c.loads[0].address, loads[_i].address);
    config_free(&c);
}
END_TEST

enum { R = 1, W = 2, X = 4, C = 8, E = 16, S = 32, T = 64, D = 128, N = 256, M = 512 };
static const struct {
    const char *letters;
    unsigned attributes;
} attributes[] = {
    {"", 0},
    {"r", R},
    {"rw", R | W},
    {"rwn", R | W | N},
    {"rwd", R | W | D},
    {"drw", R | W | D},
    {"x", X},
    {"c", C},
    {"e", E},
    {"s", S},
    {"t", T},
    {"n", N},
    {"m", M | R | W | X | C | S | T | N},
    {"+m", M | R | W | X | C | S | T | N},
    {"m-x", M | R | W | C | S | T | N},
    {"m-xt+e-w", M | R | C | S | N | E},
    {"rwx-w", R | X},
    {"rwx-wx+c", R | C},
    {"-r+r", R},
    {"rwd-d+n", R | W | N},
};

START_TEST(attributes_are_as_written)
{
    char text[120];
    snprintf(text, sizeof text, "pass loc 0x10000000,0x2000,%s=0x20000000", attributes[_i].letters);
    struct vm_config c = parsed(text);
    const struct pass_config *p = &c.passes[0];
    unsigned found = (p->r ? R : 0u) | (p->w ? W : 0u) | (p->x ? X : 0u) | (p->c ? C : 0u) |
                     (p->e ? E : 0u) | (p->s ? S : 0u) | (p->t ? T : 0u) | (p->d ? D : 0u) |
                     (p->n ? N : 0u) | (p->m ? M : 0u);
    ck_assert_uint_eq(found, attributes[_i].attributes);
    ck_assert(p->guest == 0x10000000 && p->length == 0x2000 && p->host == 0x20000000);
    ck_assert(p->has_host && !p->is_io);
    config_free(&c);
}
END_TEST

/* Without a length a page; of parts of pages the whole ones. */
static const struct {
    const char *text;
    uint64_t guest, length, host;
    const char *note;
} passed[] = {
    {"pass loc mem:0x2000,r=0x1000", 0x2000, 0x1000, 0x1000, NULL},
    {"pass loc 2000,0x3000,rw", 0x2000, 0x3000, 0x2000, NULL},
    {"pass loc 0x2000,0x1000,rw,=0x1000", 0x2000, 0x1000, 0x1000, NULL},
    {"pass loc 0xe6055400,0x050,rwn", 0xe6055000, 0x1000, 0xe6055000,
     AT "pass loc 0xe6055400,0x050,rwn: the guest gets whole pages, 0x1000 bytes at 0xe6055000"},
    {"pass loc 0x2ff0,0x20,rwn=0x7ff0", 0x2000, 0x2000, 0x7000,
     AT "pass loc 0x2ff0,0x20,rwn=0x7ff0: the guest gets whole pages, 0x2000 bytes at 0x2000"},
    {"pass loc 0x2010,rwn", 0x2000, 0x2000, 0x2000,
     AT "pass loc 0x2010,rwn: the guest gets whole pages, 0x2000 bytes at 0x2000"},
    /* registers of two devices in one page */
    {"pass loc 0x2400,0x50,rwn loc 0x2800,0x50,rwn", 0x2000, 0x1000, 0x2000,
     AT "pass loc 0x2400,0x50,rwn: the guest gets whole pages, 0x1000 bytes at 0x2000"},
};

START_TEST(pages_are_passed_as_written)
{
    struct vm_config c = parsed(passed[_i].text);
    ck_assert_uint_eq(c.pass_count, 1);
    ck_assert_uint_eq(c.passes[0].guest, passed[_i].guest);
    ck_assert_uint_eq(c.passes[0].length, passed[_i].length);
    ck_assert_uint_eq(c.passes[0].host, passed[_i].host);
    ck_assert(!passed[_i].note == !c.note_count);
    if (c.note_count)
        ck_assert_str_eq(c.notes[0], passed[_i].note);
    config_free(&c);
}
END_TEST

/* What `load` may use, in its order. */
START_TEST(memory_is_ram_and_what_is_passed_as_such)
{
    struct vm_config c = parsed("pass loc 0x90000000,8M,m loc 0xa0000000,4K,rwn load 0x90000000,x "
                                "rom 0x1000,4K ram 0x80000000,4M");
    static const struct memory_range expected[] = {
        {0x1000, 0x1000, true}, {0x80000000, 0x400000, false}, {0x90000000, 0x800000, false}};
    struct memory_range r;
    for (size_t i = 0; i < 3; i++) {
        ck_assert(config_memory(&c, i, &r));
        ck_assert(r.start == expected[i].start && r.length == expected[i].length);
        ck_assert(r.is_rom == expected[i].is_rom);
    }
    ck_assert(!config_memory(&c, 3, &r));
    config_free(&c);
}
END_TEST

START_TEST(pass_statements_keep_their_parts)
{
    struct vm_config c =
        parsed("vdev gic hostvector 100 data pass loc 0x1000,4K,rwn "
               "loc mem:2000,0x1000,rwd=9000 intr gic:46 intr gic:47,u=7 "
               "pass loc 0x100000000,0x100000000,m intr gic:48,t intr gic:49,tu=0");
    ck_assert_uint_eq(c.pass_count, 3);
    ck_assert(c.passes[0].statement == 0 && c.passes[1].statement == 0);
    ck_assert_uint_eq(c.passes[2].statement, 1);
    ck_assert(c.passes[0].type == BLOB_DATA && c.passes[1].type == BLOB_DATA);
    ck_assert_int_eq(c.passes[2].type, BLOB_SNIFF);
    ck_assert(!c.passes[0].has_host && c.passes[0].host == 0x1000);
    ck_assert_uint_eq(c.passes[1].host, 0x9000);
    ck_assert_uint_eq(c.passes[2].length, 0x100000000);
    static const struct pass_intr_config expected[] = {
        {.statement = 0, .line = 46, .host_vector = 146},
        {.statement = 0, .line = 47, .host_vector = 7, .unmask_at_once = true},
        {.statement = 1, .line = 48, .host_vector = 148, .thread = true},
        {.statement = 1, .line = 49, .host_vector = 0, .unmask_at_once = true, .thread = true},
    };
    ck_assert_uint_eq(c.pass_intr_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(c.pass_intrs[i].statement, expected[i].statement);
        ck_assert_uint_eq(c.pass_intrs[i].line, expected[i].line);
        ck_assert_uint_eq(c.pass_intrs[i].host_vector, expected[i].host_vector);
        ck_assert(c.pass_intrs[i].unmask_at_once == expected[i].unmask_at_once);
        ck_assert(c.pass_intrs[i].thread == expected[i].thread);
        ck_assert_str_eq(c.pass_intrs[i].pic, "gic");
    }
    config_free(&c);
}
END_TEST

static const struct {
    const char *filters;
    unsigned severities;
} severities[] = {
    {"fatal", LOG_SEVERITY_FATAL},
    {"internal", LOG_SEVERITY_INTERNAL},
    {"error", LOG_SEVERITY_ERROR},
    {"warn", LOG_SEVERITY_WARN},
    {"info", LOG_SEVERITY_INFO},
    {"debug", LOG_SEVERITY_DEBUG},
    {"verbose", LOG_SEVERITY_VERBOSE},
    {"debug,verbose,info,warn,error,fatal", LOG_SEVERITY_DEBUG | LOG_SEVERITY_VERBOSE |
                                                LOG_SEVERITY_INFO | LOG_SEVERITY_WARN |
                                                LOG_SEVERITY_ERROR | LOG_SEVERITY_FATAL},
};

START_TEST(severities_are_a_set)
{
    char text[200];
    snprintf(text, sizeof text, "logger %s stdout logger error none", severities[_i].filters);
    struct vm_config c = parsed(text);
    ck_assert_uint_eq(c.logger_count, 2);
    ck_assert_uint_eq(c.loggers[0].severities, severities[_i].severities);
    ck_assert_int_eq(c.loggers[0].destination, LOGGER_STDOUT);
    ck_assert_uint_eq(c.loggers[1].severities, LOG_SEVERITY_ERROR);
    ck_assert_int_eq(c.loggers[1].destination, LOGGER_NONE);
    config_free(&c);
    /* and behind a vdev, where `warn` is `warning` */
    bool is_warn = severities[_i].severities == LOG_SEVERITY_WARN;
    snprintf(text, sizeof text, UART "log %s slog log fatal stderr",
             is_warn ? "warning" : severities[_i].filters);
    c = parsed(text);
    ck_assert_uint_eq(c.vdevs[1].logger_count, 2);
    ck_assert_uint_eq(c.vdevs[1].loggers[0].severities, severities[_i].severities);
    ck_assert_int_eq(c.vdevs[1].loggers[0].destination, LOGGER_SLOG);
    ck_assert_int_eq(c.vdevs[1].loggers[1].destination, LOGGER_STDERR);
    ck_assert_uint_eq(c.logger_count, 1); /* the default */
    ck_assert_uint_eq(c.loggers[0].severities, LOG_SEVERITY_FATAL | LOG_SEVERITY_INTERNAL |
                                                   LOG_SEVERITY_ERROR | LOG_SEVERITY_WARN |
                                                   LOG_SEVERITY_INFO);
    ck_assert_int_eq(c.loggers[0].destination, LOGGER_STDERR);
    config_free(&c);
}
END_TEST

START_TEST(unsupported_policies_are_as_written)
{
    static const char *const actions[] = {"abort", "fail", "ignore"};
    struct vm_config c = parsed("ram 4K");
    ck_assert_int_eq(c.unsupported_instruction, UNSUPPORTED_FAIL);
    ck_assert_int_eq(c.unsupported_reference, UNSUPPORTED_IGNORE);
    ck_assert_int_eq(c.unsupported_register, UNSUPPORTED_FAIL);
    config_free(&c);
    for (int i = 0; i < 27; i++) {
        char text[120];
        snprintf(text, sizeof text,
                 "unsupported instruction %s unsupported reference %s unsupported register %s",
                 actions[i / 9], actions[i / 3 % 3], actions[i % 3]);
        c = parsed(text);
        ck_assert_int_eq(c.unsupported_instruction, i / 9);
        ck_assert_int_eq(c.unsupported_reference, i / 3 % 3);
        ck_assert_int_eq(c.unsupported_register, i % 3);
        config_free(&c);
    }
}
END_TEST

START_TEST(variables_have_their_values)
{
    struct vm_config c = parsed("ram 4K");
    ck_assert_uint_eq(c.counter_offset, UINT64_MAX);
    ck_assert_uint_eq(c.clock_rate_hz, 1000000000);
    ck_assert_str_eq(c.cpu_model, "a57");
    ck_assert(!c.semihosting_dir && !c.fdt_dump_file && !c.dump && !c.dryrun && !c.system);
    config_free(&c);
    c = parsed("system s set counter-offset 0x10 set clock-rate 1000 set cpu-model max "
               "set semihosting on set fdt-dump-file /tmp/guest.dtb dryrun dump \"|gzip >x\"");
    ck_assert_str_eq(c.system, "s");
    ck_assert_uint_eq(c.counter_offset, 16);
    ck_assert_uint_eq(c.clock_rate_hz, 1000);
    ck_assert_str_eq(c.cpu_model, "max");
    ck_assert_str_eq(c.semihosting_dir, "");
    ck_assert_str_eq(c.fdt_dump_file, "/tmp/guest.dtb");
    ck_assert_str_eq(c.dump, "|gzip >x");
    ck_assert(c.dryrun && !c.icache_exact);
    ck_assert_uint_eq(c.accepted_count, 0);
    config_free(&c);
    c = parsed("set icache exact");
    ck_assert(c.icache_exact);
    config_free(&c);
    c = parsed("set counter-offset 1 set counter-offset 0 set cpu-model a53 set semihosting off "
               "dump a dump /var/log");
    ck_assert_uint_eq(c.counter_offset, 0);
    ck_assert_str_eq(c.cpu_model, "a53");
    ck_assert_ptr_null(c.semihosting_dir);
    ck_assert_str_eq(c.dump, "/var/log");
    config_free(&c);
}
END_TEST

START_TEST(reserves_are_kept)
{
    struct vm_config c = parsed("reserve intr 39 intr 0 loc 0x1000,0x8 reserve loc mem:1M,1M");
    ck_assert_uint_eq(c.reserve_intr_count, 2);
    ck_assert(c.reserve_intrs[0].number == 39 && c.reserve_intrs[1].number == 0);
    ck_assert_uint_eq(c.reserve_count, 2);
    ck_assert(c.reserves[0].base == 0x1000 && c.reserves[0].length == 8);
    ck_assert(c.reserves[1].base == 1u << 20 && c.reserves[1].length == 1u << 20);
    ck_assert_uint_eq(c.accepted_count, 0);
    config_free(&c);
    c = parsed("ram 0xa0000 reserve loc 0xa0000,0x20000 ram 4K ram 0xa0000,4K");
    ck_assert_uint_eq(c.rams[1].start, 0xc0000);
    ck_assert_uint_eq(c.rams[2].start, 0xa0000); /* who asks for the place gets it */
    config_free(&c);
}
END_TEST

/* Devices: spellings, and the options of every row of the catalogue that this version has ---------
 */

static const struct {
    const char *text, *line; /* of the canonical form */
} devices[] = {
    {"vdev pl011 loc 0x1c090000 intr gic:37", "vdev pl011 loc 0x1c090000 intr gic:37\n"},
    {"vdev vdev-pl011 loc 0x1c090000 intr gic:37", "vdev pl011 loc 0x1c090000 intr gic:37\n"},
    {"vdev vdev-pl011.so loc 0x1c090000 intr gic:37", "vdev pl011 loc 0x1c090000 intr gic:37\n"},
    {"vdev pl011.so loc mem:1c090000 intr gic:37", "vdev pl011 loc 0x1c090000 intr gic:37\n"},
    {UART "name a:b", "vdev pl011 name a:b loc 0x1000 intr gic:37\n"},
    {UART "hostdev >-", "intr gic:37 hostdev >-\n"},
    {UART "hostdev -", "intr gic:37 hostdev -\n"},
    {UART "hostdev /dev/ser2", "intr gic:37 hostdev /dev/ser2\n"},
    {UART "hostdev $env{HOST_DEV}", "intr gic:37 hostdev /dev/ser2\n"},
    {UART "hostdev >/path/file hostdev <in", "intr gic:37 hostdev >/path/file hostdev <in\n"},
    {UART "hostdev >\"|command -x\"", "intr gic:37 hostdev \">|command -x\"\n"},
    {UART "intr gic:38 loc 0x3000", "vdev pl011 loc 0x3000 intr gic:38\n"}, /* the last wins */
    {"vdev pl031 loc 0x1000 intr gic:287", "vdev pl031 loc 0x1000 intr gic:287\n"},
    {"vdev gic", "vdev gic\n"},
    {"ram 4K", "vdev gic\n"}, /* implicit */
    {"vdev gic version 2 gicd 0x08000000 gicc 0x08010000",
     "vdev gic version 2 gicd 0x08000000 gicc 0x08010000\n"},
    {"vdev gic version 3 gicr 0x080a0000 gicd 8000000",
     "vdev gic version 3 gicr 0x080a0000 gicd 8000000\n"},
    {"vdev gic msi 0x30000000,0x50,0x100", "vdev gic msi 0x30000000,0x50,0x100\n"},
    {ENTROPY "stream s:7 " SMMU, /* wherever it is */
     "vdev gic\nvdev virtio-entropy loc 0x1000 intr gic:43 stream s:7\n"
     "vdev smmuv3 name s loc 0x2b400000 intr gic:74\n"},
    {"vdev gic hostvector 32 name pic vdev pl011 loc 0x1000 intr pic:37",
     "vdev gic name pic hostvector 32\nvdev pl011 loc 0x1000 intr pic:37\n"},
    {"vdev shmem loc 0x1c050000 intr\n gic:38 create frames,0x200000 allow frames deny a*",
     "vdev shmem loc 0x1c050000 intr gic:38 create frames,0x200000 allow frames deny a*\n"},
    {"vdev virtio-console loc 0x20000000 intr gic:42",
     "vdev virtio-console loc 0x20000000 intr gic:42\n"},
    {"vdev virtio-entropy loc 0x20000000 intr gic:42",
     "vdev virtio-entropy loc 0x20000000 intr gic:42\n"},
    {"vdev wdt-sp805 intr gic:44", "vdev wdt-sp805 intr gic:44\n"}, /* at 0x1c0f0000 */
    {"vdev pvpanic loc 0x1000 vdev pvpanic loc 0x1002",             /* it has two bytes */
     "vdev pvpanic loc 0x1000\nvdev pvpanic loc 0x1002\n"},
    {"vdev wdt-sp805 loc 0x1c0f0000 intr gic:44 action dump,terminate frequency 25000000",
     "vdev wdt-sp805 loc 0x1c0f0000 intr gic:44 action dump,terminate frequency 25000000\n"},
};

START_TEST(devices_are_as_written)
{
    struct vm_config c = parsed(devices[_i].text);
    struct bytes text = {0};
    config_print(&c, &text);
    bytes_put(&text, "", 1);
    ck_assert_msg(strstr((char *)text.data, devices[_i].line), "%s", (char *)text.data);
    config_free(&c);
    bytes_free(&text);
}
END_TEST

START_TEST(devices_have_their_default_places)
{
    struct vm_config c = parsed("vdev wdt-sp805 intr gic:44");
    ck_assert_uint_eq(c.vdevs[0].loc, 0x2f000000);
    ck_assert_uint_eq(c.vdevs[1].loc, 0x1c0f0000);
    ck_assert(!c.vdevs[1].has_loc);
    config_free(&c);
}
END_TEST

/* Types that this version has not: the catalogue's names, each with its refusal. */
static const struct {
    const char *type;
    bool is_x86;
} absent[] = {
    {"apic", true},        {"ioapic", true},      {"8259", true},          {"hpet", true},
    {"timer8254", true},   {"mc146818", true},    {"pckeyboard", true},    {"ser8250", true},
    {"wdt-ib700", true},   {"progress", true},    {"virtio-input", false}, {"virtio-fs", false},
    {"virtio-gpu", false}, {"virtio-snd", false}, {"virtio-video", false}, {"virtio-vsock", false},
    {"pci-dummy", false},  {"trace", false},      {"virtio-blk", false},   {"virtio-net", false},
    {"smmu", false},
};

START_TEST(absent_types_are_named)
{
    struct vm_config config;
    struct error e;
    char text[120], expected[160];
    if (vdev_type_find(absent[_i].type))
        return; /* it has come since */
    snprintf(text, sizeof text, "vdev vdev-%s.so loc 0x1000 intr gic:40 frob x", absent[_i].type);
    snprintf(expected, sizeof expected, AT "vdev type '%s' is not available in this version%s",
             absent[_i].type, absent[_i].is_x86 ? " (x86 guests only)" : "");
    ck_assert(!parse(&config, text, &e));
    ck_assert_str_eq(e.text, expected);
}
END_TEST

/* No row of the parser's own tables is without a row here. */
static bool is_in_a_row(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strstr(refused[i].text, name))
            return true;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        if (strstr(accepted[i], name))
            return true;
    return strcmp(name, "fdt-dump-file") == 0 || strcmp(name, "semihosting") == 0 ||
           strcmp(name, "dryrun") == 0 || strcmp(name, "data") == 0 || strcmp(name, "initrd") == 0;
}

START_TEST(every_row_is_tried)
{
    for (const struct variable *v = config_variables; v->name; v++)
        ck_assert_msg(is_in_a_row(v->name), "variable %s", v->name);
    for (const struct config_option *o = config_options; o->name; o++)
        ck_assert_msg(is_in_a_row(o->name) || o->handle == config_word_blob, "option %s", o->name);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    TCase *tests = tcase_create("rows");
    tcase_add_loop_test(tests, refused_in_these_words, 0, COUNT(refused));
    tcase_add_test(tests, debug_is_the_status_report);
    tcase_add_loop_test(tests, accepted_and_listed, 0, COUNT(accepted));
    tcase_add_loop_test(tests, memory_is_where_it_was_put, 0, COUNT(memory));
    tcase_add_loop_test(tests, vcpus_are_as_written, 0, COUNT(cpus));
    tcase_add_loop_test(tests, loads_are_as_written, 0, COUNT(loads));
    tcase_add_loop_test(tests, attributes_are_as_written, 0, COUNT(attributes));
    tcase_add_loop_test(tests, pages_are_passed_as_written, 0,
                        (int)(sizeof passed / sizeof passed[0]));
    tcase_add_test(tests, memory_is_ram_and_what_is_passed_as_such);
    tcase_add_test(tests, pass_statements_keep_their_parts);
    tcase_add_loop_test(tests, severities_are_a_set, 0, COUNT(severities));
    tcase_add_test(tests, unsupported_policies_are_as_written);
    tcase_add_test(tests, variables_have_their_values);
    tcase_add_test(tests, reserves_are_kept);
    tcase_add_loop_test(tests, devices_are_as_written, 0, COUNT(devices));
    tcase_add_test(tests, devices_have_their_default_places);
    tcase_add_test(tests, every_row_is_tried);
    tcase_add_loop_test(tests, absent_types_are_named, 0, COUNT(absent));
    return suite_main("config_rows", tests);
}
