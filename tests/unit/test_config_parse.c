/* The parser: good inputs with their canonical form, bad inputs with the exact error text, the
 * report, and random changes of good inputs, which may be refused but never crash.
 *
 * The vdev types are this file's own but for the interrupt controller, so that the expected texts
 * do not depend on which devices there are and which options they take. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config.h"
#include "hv/config/config_report.h"
#include "vdev/pic.h"
#include "suite.h"

#define FLAG(name)                                                                                 \
    {                                                                                              \
        name, NULL, NULL, "", false, false                                                         \
    }
#define ONE(name)                                                                                  \
    {                                                                                              \
        name, "X", NULL, "", false, false                                                          \
    }
#define REPEATABLE(name)                                                                           \
    {                                                                                              \
        name, "X", NULL, "", true, false                                                           \
    }
#define NO_EFFECT(name)                                                                            \
    {                                                                                              \
        name, "X", NULL, "", false, true                                                           \
    }
static const struct vdev_option_type uart_options[] = {REPEATABLE("hostdev"), ONE("delayed"),
                                                       NO_EFFECT("batch"), NO_EFFECT("sched"),
                                                       VDEV_OPTIONS_END};
static const struct vdev_option_type disk_options[] = {REPEATABLE("hostdev"), FLAG("legacy"),
                                                       NO_EFFECT("dio"),      NO_EFFECT("threads"),
                                                       NO_EFFECT("sched"),    VDEV_OPTIONS_END};
static const struct vdev_option_type net_options[] = {ONE("mac"),          ONE("peer"),
                                                      ONE("peerfeats"),    NO_EFFECT("bind-mode"),
                                                      NO_EFFECT("tapdev"), VDEV_OPTIONS_END};
static const struct vdev_option_type shmem_options[] = {REPEATABLE("create"), REPEATABLE("allow"),
                                                        REPEATABLE("deny"), VDEV_OPTIONS_END};
static const struct vdev_option_type sp805_options[] = {NO_EFFECT("action"), NO_EFFECT("frequency"),
                                                        VDEV_OPTIONS_END};

static bool half_a_kilobyte(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus;
    (void)e;
    vdev_add_region(v, v->loc, 0x200, NULL);
    return true;
}

#define NEEDS_INTR .needs_intr = true, .ranges = vdev_one_page
#define IS_VIRTIO  .needs_intr = true, .ranges = half_a_kilobyte
extern const struct vdev_type gic_type;
static const struct vdev_type types[] = {
    {.name = "pl011", .summary = "UART", .options = uart_options, NEEDS_INTR},
    {.name = "virtio-blk", .options = disk_options, IS_VIRTIO},
    {.name = "virtio-console", .options = disk_options, IS_VIRTIO},
    {.name = "virtio-net", .options = net_options, IS_VIRTIO},
    {.name = "shmem", .options = shmem_options, NEEDS_INTR},
    {.name = "wdt-sp805", .default_loc = 0x1c0f0000, .options = sp805_options, NEEDS_INTR},
};
const struct vdev_type *const vdev_types[] = {&gic_type, &types[0], &types[1], &types[2],
                                              &types[3], &types[4], &types[5], NULL};

/* The one file there is. */
struct source {
    const char *text;
    size_t size;
};

static uint8_t *read_source(void *context, const char *path, size_t *size, struct error *e)
{
    const struct source *source = context;
    uint8_t *copy = malloc(source->size + 1);
    (void)path;
    (void)e;
    if (copy && source->size)
        memcpy(copy, source->text, source->size);
    *size = source->size;
    return copy;
}

static const char *env(void *context, const char *name)
{
    (void)context;
    return !strcmp(name, "HOST_DEV") ? "/dev/ser2" : NULL;
}

static bool parse(struct vm_config *config, const char *text, size_t size, struct error *e)
{
    static const char *const words[] = {"@vm.qvmconf"};
    struct source source = {text, size};
    const struct config_reader reader = {.read_file = read_source, .env = env, .context = &source};
    *e = (struct error){0};
    return config_parse(config, words, 1, &reader, e);
}

/* Parsing what was printed must give what was parsed: it prints the same. */
static void check_round_trip(const struct bytes *printed)
{
    struct vm_config config;
    struct error e;
    struct bytes again = {0};
    bool ok = parse(&config, (const char *)printed->data, printed->size, &e);
    ck_assert_msg(ok, "%s\n%.*s", e.text, (int)printed->size, (const char *)printed->data);
    config_print(&config, &again);
    ck_assert_uint_eq(again.size, printed->size);
    ck_assert_mem_eq(again.data, printed->data, printed->size);
    config_free(&config);
    bytes_free(&again);
}

/* What every configuration begins and ends with unless it says otherwise. */
#define VARIABLES                                                                                  \
    "set cpu-model a57\nset clock-rate 1000000000\nset counter-offset 0xffffffffffffffff\n"        \
    "set semihosting off\nset icache coherent\n"
#define CPU    "cpu sched 10r\n"
#define LOGGER "logger fatal,internal,error,warn,info stderr\n"
#define POLICY                                                                                     \
    "unsupported instruction fail\nunsupported reference ignore\n"                                 \
    "unsupported register fail\n"
#define BEGIN VARIABLES CPU
#define END   LOGGER POLICY
#define RAM   "ram 0x80000000,0x10000000\n"
#define GIC   "vdev gic\n"

static const struct {
    const char *text, *canonical;
    const char *accepted; /* joined by line ends */
} good[] = {
    {"", BEGIN GIC END, ""},
    {"# only a comment\n", BEGIN GIC END, ""},
    {"system one", "system one\n" BEGIN GIC END, ""},
    /* memory */
    {"ram 80000000,256M", BEGIN RAM GIC END, ""},
    {"ram 0x80000000,0d268435456", BEGIN RAM GIC END, ""},
    {"ram 2G,256m", BEGIN RAM GIC END, ""},
    {"ram 0xa0000 rom 0xc0000,0x40000 ram 512M",
     BEGIN "ram 0x0,0xa0000\nrom 0xc0000,0x40000\nram 0x100000,0x20000000\n" GIC END, ""},
    {"ram 0,0xa0000 reserve loc 0xa0000,0x20000 rom 0xc0000,0x40000 ram 1m,511m",
     BEGIN "ram 0x0,0xa0000\nrom 0xc0000,0x40000\nram 0x100000,0x1ff00000\n"
           "reserve loc mem:0xa0000,0x20000\n" GIC END,
     ""},
    {"reserve loc 0x3000,0x100 loc 0x1000,1 ram 4K ram 8K ram 4K",
     BEGIN "ram 0x0,0x1000\nram 0x4000,0x2000\nram 0x6000,0x1000\n"
           "reserve loc mem:0x3000,0x100\nreserve loc mem:0x1000,0x1\n" GIC END,
     ""},
    /* contexts: `ram` does not close `cpu`; the last one wins */
    {"cpu sched 8 ram 80000000,256M", VARIABLES "cpu sched 8r\n" RAM GIC END, ""},
    {"cpu ram 80000000,256M sched 8", VARIABLES "cpu sched 8r\n" RAM GIC END, ""},
    {"cpu sched 8 sched 6 cpu", VARIABLES "cpu sched 6r\ncpu sched 10r\n" GIC END, ""},
    {"cpu sched 8f runmask 0,2 cluster _all cpu sched 21,10,5,100,50s cpu sched 2,1,5,100,50 s",
     VARIABLES "cpu sched 8f runmask 0,2 cluster _all\ncpu sched 21,10,5,100,50s\n"
               "cpu sched 2,1,5,100,50s\n" GIC END,
     ""},
    {"cpu partition drivers sched 9o", VARIABLES "cpu sched 9o\n" GIC END,
     "[vm.qvmconf:1] cpu partition drivers"},
    {"cpu cpu cpu cpu cpu cpu cpu cpu", VARIABLES CPU CPU CPU CPU CPU CPU CPU CPU GIC END, ""},
    /* images */
    {"ram 80000000,256M load my,b.img guest load 0x80000000,k initrd load 81000000,r\n"
     "data load d\nfdt load f acpi load \"a b\" cmdline x cmdline y\\",
     BEGIN RAM GIC END "load my,b.img\nguest load 0x80000000,k\ninitrd load 0x81000000,r\n"
                       "data load d\nfdt load f\nacpi load \"a b\"\ncmdline \"y\\\"\n",
     ""},
    {"cmdline \"x\\\n  y\n z\"", BEGIN GIC END "cmdline \"x  y$char{0a} z\"\n", ""},
    {"cmdline \"a $char{22}b$char{22} $char{24}env{X}\"",
     BEGIN GIC END "cmdline \"a $char{22}b$char{22} $char{24}env{X}\"\n", ""},
    {"cmdline \"\"", BEGIN GIC END "cmdline \"\"\n", ""},
    /* devices */
    {"vdev pl011 loc 0x1c090000 intr gic:37 hostdev >- hostdev <in",
     BEGIN GIC "vdev pl011 loc 0x1c090000 intr gic:37 hostdev >- hostdev <in\n" END, ""},
    {"vdev vdev-pl011 loc mem:1c090000 intr\n gic:37 hostdev $env{HOST_DEV}",
     BEGIN GIC "vdev pl011 loc 0x1c090000 intr gic:37 hostdev /dev/ser2\n" END, ""},
    {"vdev vdev-pl011.so loc 1 loc 0x1c090000 intr gic:36 intr gic:37 delayed 1 delayed forever",
     BEGIN GIC "vdev pl011 loc 0x1c090000 intr gic:37 delayed forever\n" END, ""},
    {"vdev wdt-sp805 intr gic:44", BEGIN GIC "vdev wdt-sp805 intr gic:44\n" END, ""},
    {"vdev virtio-blk legacy loc 0x20000000 intr gic:41 hostdev disk.img name d:0",
     BEGIN GIC "vdev virtio-blk name d:0 loc 0x20000000 intr gic:41 legacy hostdev disk.img\n" END,
     ""},
    {"vdev pl011 batch 100 loc 0x1c090000 sched 12 intr gic:37 set debug off",
     BEGIN GIC "vdev pl011 loc 0x1c090000 intr gic:37 set debug off\n" END,
     "[vm.qvmconf:1] vdev pl011 batch 100\n[vm.qvmconf:1] vdev pl011 sched 12"},
    {"vdev pl011 loc 0x1c090000 intr gic:37 log warning,debug slog log error none",
     BEGIN GIC "vdev pl011 loc 0x1c090000 intr gic:37 log warning,debug slog log error none\n" END,
     ""},
    {"vdev shmem loc 0x1c050000 intr gic:38 create a,1 create b,2 deny x* allow *",
     BEGIN GIC "vdev shmem loc 0x1c050000 intr gic:38 create a,1 create b,2 deny x* allow *\n" END,
     ""},
    /* the interrupt controller comes first and may be renamed at any time */
    {"vdev pl011 loc 0x1c090000 intr gic:37 vdev gic version 2 name pic hostvector 100\n"
     "vdev wdt-sp805 intr pic:44 pass intr pic:45",
     BEGIN "vdev gic name pic hostvector 100 version 2\n"
           "vdev pl011 loc 0x1c090000 intr pic:37\nvdev wdt-sp805 intr pic:44\n"
           "pass intr pic:45=145\n" END,
     ""},
    /* pass and reserve */
    {"pass loc 0xfd120000,0x1000,rwn loc mem:fd121000,4K,m-xt=0x1000 intr gic:46 intr gic:47,ut=9\n"
     "data pass loc 0,4096,+rw+d-d+c",
     BEGIN GIC "pass loc mem:0xfd120000,0x1000,rwn loc mem:0xfd121000,0x1000,m-xt=0x1000"
               " intr gic:46=46 intr gic:47,ut=9\ndata pass loc mem:0x0,0x1000,rwc\n" END,
     ""},
    {"reserve intr 39 loc pci:0:1 loc io:0xcf8,8 intr 40 reserve",
     BEGIN "reserve intr 39\nreserve intr 40\n" GIC END,
     "[vm.qvmconf:1] reserve loc pci:0:1\n"
     "[vm.qvmconf:1] reserve loc io:0xcf8,8"},
    /* policies and variables */
    {"logger error,fatal stdout logger debug none unsupported instruction abort\n"
     "unsupported reference fail unsupported register ignore dump \"|gzip >x\" dryrun",
     BEGIN GIC "logger fatal,error stdout\nlogger debug none\nunsupported instruction abort\n"
               "unsupported reference fail\nunsupported register ignore\n"
               "dump \"|gzip >x\"\ndryrun\n",
     ""},
    {"set cpu-model max set clock-rate 24000000 set counter-offset 0 set icache exact set "
     "semihosting /tmp/x\n"
     "set fdt-dump-file out.dtb",
     "set cpu-model max\nset clock-rate 24000000\nset counter-offset 0x0\n"
     "set semihosting /tmp/x\nset icache exact\nset fdt-dump-file out.dtb\n" CPU GIC END,
     ""},
    {"set semihosting on",
     "set cpu-model a57\nset clock-rate 1000000000\n"
     "set counter-offset 0xffffffffffffffff\nset semihosting on\nset icache coherent\n" CPU GIC END,
     ""},
    {"set semihosting x set semihosting off", BEGIN GIC END, ""},
    {"set exit-on-halt no set slog-buffer 4K set message-block-timeout 0 set psci-supported auto\n"
     "safety warn",
     BEGIN GIC END,
     "[vm.qvmconf:1] set exit-on-halt no\n[vm.qvmconf:1] set slog-buffer 4K\n"
     "[vm.qvmconf:1] set message-block-timeout 0\n[vm.qvmconf:1] set psci-supported auto\n"
     "[vm.qvmconf:2] safety warn"},
    /* whole machines */
    {"system cockpit  ram 0x80000000,256M  cpu  load cockpit.ifs\n"
     "vdev gic msi 0x30000000,0x50,0x100              # MSI range\n"
     "vdev pl011 loc 0x1c090000 intr gic:37 hostdev >-  vdev virtio-console loc 0x20000000 intr "
     "gic:42  # no hostdev\n"
     "vdev shmem loc 0x1c050000 intr\n    gic:38 create frames,0x200000 allow frames\n"
     "vdev virtio-net loc 0x1c0c0000 intr gic:40 name link_a peer /dev/qvm/media/link_b mac "
     "02:00:00:00:00:0a\n"
     "pass loc mem:0xfd120000,0x1000,rwn intr gic:46=112  pass loc 0xfd121000,0x1000,rwn\n",
     "system cockpit\n" BEGIN RAM "vdev gic msi 0x30000000,0x50,0x100\n"
     "vdev pl011 loc 0x1c090000 intr gic:37 hostdev >-\n"
     "vdev virtio-console loc 0x20000000 intr gic:42\n"
     "vdev shmem loc 0x1c050000 intr gic:38 create frames,0x200000 allow frames\n"
     "vdev virtio-net name link_a loc 0x1c0c0000 intr gic:40 peer /dev/qvm/media/link_b mac "
     "02:00:00:00:00:0a\n"
     "pass loc mem:0xfd120000,0x1000,rwn intr gic:46=112\n"
     "pass loc mem:0xfd121000,0x1000,rwn\n" END "load cockpit.ifs\n",
     ""},
    {"system droid  set pointer-authentication off  logger debug,verbose,info,warn,error,fatal "
     "stdout\nset host-paddr-gicd 0xff841000\ncpu cpu  ram 0x80000000,4G  vdev gic version 2 gicd "
     "0x08000000 gicc 0x08010000\nfdt load board.dtb  load Image  initrd load ramdisk.img",
     "system droid\n" VARIABLES CPU CPU
     "ram 0x80000000,0x100000000\nvdev gic version 2 gicd 0x08000000 gicc 0x08010000\n"
     "logger fatal,error,warn,info,debug,verbose stdout\n" POLICY
     "fdt load board.dtb\nload Image\ninitrd load ramdisk.img\n",
     "[vm.qvmconf:1] set pointer-authentication off\n"
     "[vm.qvmconf:2] set host-paddr-gicd 0xff841000"},
};

static void check_accepted(const struct vm_config *config, const char *expected)
{
    struct bytes joined = {0};
    for (size_t i = 0; i < config->accepted_count; i++) {
        if (i)
            bytes_put(&joined, "\n", 1);
        bytes_put(&joined, config->accepted[i], strlen(config->accepted[i]));
    }
    bytes_put(&joined, "", 1);
    ck_assert_str_eq((const char *)joined.data, expected);
    bytes_free(&joined);
}

START_TEST(good_input_has_its_canonical_form)
{
    struct vm_config config;
    struct error e;
    struct bytes printed = {0};
    ck_assert_msg(parse(&config, good[_i].text, strlen(good[_i].text), &e), "%s", e.text);
    config_print(&config, &printed);
    check_round_trip(&printed);
    bytes_put(&printed, "", 1);
    ck_assert_str_eq((const char *)printed.data, good[_i].canonical);
    check_accepted(&config, good[_i].accepted);
    config_free(&config);
    bytes_free(&printed);
}
END_TEST

static const struct {
    const char *text, *error;
} bad[] = {
    /* unknown words */
    {"lod guest.ifs", "[vm.qvmconf:1] unknown option 'lod' (did you mean 'load'?)"},
    {"smmu x\ndefine y", "[vm.qvmconf:1] unknown option 'smmu' (write `vdev smmu`)\n"
                         "[vm.qvmconf:2] unknown option 'define'"},
    {"lod x ram 4096 rum 1M", "[vm.qvmconf:1] unknown option 'lod' (did you mean 'load'?)\n"
                              "[vm.qvmconf:1] unknown option 'rum' (did you mean 'ram'?)"},
    {"vdev pl01 loc 1", "[vm.qvmconf:1] unknown vdev type 'pl01' (did you mean 'pl011'?)"},
    {"vdev qqqqqq frob 1 intr gic:37", "[vm.qvmconf:1] unknown vdev type 'qqqqqq'"},
    {"vdev qqqqqq frob 1\nhostdev -\nfrobnicate 3", "[vm.qvmconf:1] unknown vdev type 'qqqqqq'\n"
                                                    "[vm.qvmconf:3] unknown option 'frobnicate'"},
    {"system\nram 1M\ncmdline\nload", "[vm.qvmconf:1] missing argument of 'system' (NAME)\n"
                                      "[vm.qvmconf:3] missing argument of 'cmdline' (\"STRING\")\n"
                                      "[vm.qvmconf:4] missing argument of 'load' ([ADDRESS,]FILE)"},
    {"vdev ser8250 intr ioapic0:4 hostdev >-",
     "[vm.qvmconf:1] vdev type 'ser8250' is not available in this version (x86 guests only)"},
    {"vdev virtio-gpu display 1", "[vm.qvmconf:1] vdev type 'virtio-gpu' is not available in this "
                                  "version"},
    {"vdev pl011 loc 0x1c090000 intr gic:37 hostdv -",
     "[vm.qvmconf:1] unknown option 'hostdv' (did you mean 'hostdev'?)"},
    {"vdev pl011 loc 0x1c090000 intr gic:37 peer x", "[vm.qvmconf:1] unknown option 'peer'"},
    {"set clok-rate 5", "[vm.qvmconf:1] unknown variable 'clok-rate' (did you mean 'clock-rate'?)"},
    {"cpu 2", "[vm.qvmconf:1] unknown option '2' (one `cpu` for each vCPU: `cpu cpu` are two)"},
    {"\"a\tb\"", "[vm.qvmconf:1] unknown option 'a?b'"},
    /* words out of place */
    {"loc 0x1000", "[vm.qvmconf:1] 'loc' belongs behind 'vdev', 'pass', 'reserve'"},
    {"cpu ram 4096 name x", "[vm.qvmconf:1] 'name' belongs behind 'vdev'"},
    {"set debug on", "[vm.qvmconf:1] variable 'debug' belongs behind 'vdev'"},
    {"ram 1M\nsystem late", "[vm.qvmconf:2] 'system' must be the first option"},
    {"system a/b", "[vm.qvmconf:1] 'a/b' is not a name for a system"},
    {"initrd ram 1M", "[vm.qvmconf:1] 'initrd' must be followed by 'load' or 'pass'"},
    {"initrd", "[vm.qvmconf:1] 'initrd' must be followed by 'load' or 'pass'"},
    {"cpu s", "[vm.qvmconf:1] 's' belongs behind 'sched HI,LO,MAXREPL,PERIOD,BUDGET'"},
    /* arguments */
    {"ram", "[vm.qvmconf:1] missing argument of 'ram' ([START,]LENGTH)"},
    {"unsupported register", "[vm.qvmconf:1] missing argument of 'unsupported' (TYPE ACTION)"},
    {"vdev", "[vm.qvmconf:1] missing argument of 'vdev' (TYPE)"},
    {"vdev wdt-sp805 intr", "[vm.qvmconf:1] missing argument of 'intr' (PIC:LINE)\n"
                            "[vm.qvmconf:1] vdev wdt-sp805 needs 'intr PIC:LINE'"},
    {"vdev shmem loc 1000 intr gic:37 create", "[vm.qvmconf:1] missing argument of 'create' (X)"},
    {"cmdline $env{NOPE}", "[vm.qvmconf:1] environment variable 'NOPE' is not set"},
    {"vdev $env{NOPE} loc 1", "[vm.qvmconf:1] environment variable 'NOPE' is not set"},
    {"ram $asinfo_start{x},1M", "[vm.qvmconf:1] no asinfo entry 'x': there is no board file"},
    {"cmdline \"foo", "[vm.qvmconf:1] missing closing double quote"},
    /* numbers */
    {"ram 128Q", "[vm.qvmconf:1] '128Q' is not a length"},
    {"ram x,1M", "[vm.qvmconf:1] 'x' is not an address"},
    {"ram 1,", "[vm.qvmconf:1] '' is not a length"},
    {"ram 0x10000000000000000", "[vm.qvmconf:1] '0x10000000000000000' does not fit in 64 bits"},
    {"ram 0", "[vm.qvmconf:1] the length is 0"},
    {"ram 0x101", "[vm.qvmconf:1] the length 0x101 is not a multiple of the page size 0x1000"},
    {"ram 0x10,4096", "[vm.qvmconf:1] the address 0x10 is not a multiple of the page size 0x1000"},
    {"ram 0xffffffff0000,1M", "[vm.qvmconf:1] the range ends beyond the guest's 48-bit addresses"},
    {"ram 0xfffffffffffff000", "[vm.qvmconf:1] the range ends beyond the guest's 48-bit addresses"},
    {"cpu sched 0", "[vm.qvmconf:1] priority '0' is not in the range 1 to 255"},
    {"cpu sched 10x", "[vm.qvmconf:1] '10x' is not a number"},
    {"cpu sched 10,5", "[vm.qvmconf:1] '10,5' is not HI,LO,MAXREPL,PERIOD,BUDGETs"},
    {"cpu runmask 64", "[vm.qvmconf:1] CPU '64' is not in the range 0 to 63"},
    {"cpu cpu cpu cpu cpu cpu cpu cpu\ncpu\ncpu", "[vm.qvmconf:2] more than 8 vCPUs"},
    {"set message-block-timeout 4", "[vm.qvmconf:1] '4' is neither 0 nor in the range 5 to 10000"},
    {"set exit-on-halt maybe",
     "[vm.qvmconf:1] 'maybe' is not a boolean (on, off, 1, 0, yes, no, true, false)"},
    {"set psci-supported yes", "[vm.qvmconf:1] 'yes' is not on, off or auto"},
    {"set cpu-model a76", "[vm.qvmconf:1] unknown CPU model 'a76' (a57, a53, a72 or max)"},
    {"set clock-rate 1", "[vm.qvmconf:1] clock-rate '1' is not in the range 1000 to 1000000000000"},
    {"set counter-offset 1K", "[vm.qvmconf:1] '1K' is not a number"},
    /* images */
    {"load guest.ifs\nram 32m",
     "[vm.qvmconf:1] 'load' before any 'ram' or 'rom': there is nowhere to load to"},
    {"ram 1M load 0x200000,x", "[vm.qvmconf:1] 0x200000 is not in the guest memory given so far"},
    {"ram 1M load 0z,x", "[vm.qvmconf:1] '0z' is not an address"},
    {"ram 1M load 0x0,", "[vm.qvmconf:1] 'load' needs a file name"},
    /* devices */
    {"vdev pl011", "[vm.qvmconf:1] vdev pl011 needs 'loc ADDRESS'\n"
                   "[vm.qvmconf:1] vdev pl011 needs 'intr PIC:LINE'"},
    {"vdev pl011 loc pci:0:1 intr pic:37",
     "[vm.qvmconf:1] there is no PCI bus in this version\n"
     "[vm.qvmconf:1] unknown interrupt controller 'pic' (known here: 'gic')"},
    {"vdev pl011 loc io:3f8 intr gic", "[vm.qvmconf:1] there are no I/O ports in this version\n"
                                       "[vm.qvmconf:1] 'gic' is not PIC:LINE"},
    {"vdev gic name x\nvdev wdt-sp805 intr gic:40",
     "[vm.qvmconf:2] unknown interrupt controller 'gic' (known here: 'x')"},
    {"vdev wdt-sp805 intr gic:15",
     "[vm.qvmconf:1] interrupt line '15' is not in the range 16 to 287"},
    {"vdev wdt-sp805 intr gic:288",
     "[vm.qvmconf:1] interrupt line '288' is not in the range 16 to 287"},
    {"vdev gic\nvdev gic version 2", "[vm.qvmconf:2] a second 'vdev gic'; the first is at "
                                     "[vm.qvmconf:1]"},
    {"vdev gic gicd 0x8000000\nvdev pl011 loc 0x2f000000 intr gic:37 ram 0x8000000,1M",
     "[vm.qvmconf:2] ram 0x8000000-0x80fffff overlaps vdev gic distributor 0x8000000-0x800ffff "
     "[vm.qvmconf:1]"},
    {"vdev gic\ngicr nowhere", "[vm.qvmconf:2] 'nowhere' is not a guest-physical address"},
    {"vdev gic name a:b", "[vm.qvmconf:1] the name of an interrupt controller has letters, digits, "
                          "'_', '-', '.' only"},
    {"vdev wdt-sp805 intr gic:40 hostvector 3",
     "[vm.qvmconf:1] 'hostvector' is for interrupt controllers only"},
    {"vdev wdt-sp805 intr gic:40 name w\nvdev pl011 loc 0x1000 intr gic:41 name w",
     "[vm.qvmconf:2] vdev name 'w' is already taken at [vm.qvmconf:1]"},
    {"vdev wdt-sp805 intr gic:40\nvdev pl011 loc 0x1000 intr gic:40\npass intr gic:40",
     "[vm.qvmconf:2] vdev pl011: interrupt line 40 belongs to vdev wdt-sp805 already "
     "[vm.qvmconf:1]\n"
     "[vm.qvmconf:3] pass: interrupt line 40 belongs to vdev wdt-sp805 already [vm.qvmconf:1]"},
    /* overlaps */
    {"ram 80000000,1M\nram 800ff000,1M",
     "[vm.qvmconf:2] ram 0x800ff000-0x801fefff overlaps ram 0x80000000-0x800fffff [vm.qvmconf:1]"},
    {"vdev pl011 loc 0x80000000 intr gic:37\nram 80000000,1M",
     "[vm.qvmconf:2] ram 0x80000000-0x800fffff overlaps vdev pl011 0x80000000-0x80000fff "
     "[vm.qvmconf:1]"},
    {"pass loc 0x2f000000,4K,rw",
     "[vm.qvmconf:1] pass from host 0x2f000000 0x2f000000-0x2f000fff overlaps vdev gic distributor "
     "0x2f000000-0x2f00ffff"},
    {"cpu cpu pass loc 0x2f130000,4K,rw",
     "[vm.qvmconf:1] pass from host 0x2f130000 0x2f130000-0x2f130fff overlaps vdev gic "
     "redistributors 0x2f100000-0x2f13ffff"},
    /* pass and reserve */
    {"pass loc 0x1000,0x1000,rw=0x10", "[vm.qvmconf:1] the guest address 0x1000 and the host "
                                       "address 0x10 are at different places of a page"},
    {"pass loc 0x1000,0x1000",
     "[vm.qvmconf:1] '0x1000,0x1000' is not START[,LENGTH],ATTRIBUTES[=HOST]: without attributes "
     "(r, w, x and others) the guest has no right to anything there"},
    {"pass loc 0x1000,4K,rq", "[vm.qvmconf:1] unknown attribute 'q' in '0x1000,4K,rq'"},
    {"pass loc 0x1000,4K,md", "[vm.qvmconf:1] attributes 'd' and 'm' exclude each other"},
    {"pass loc 0x1000,4K,rwdn", "[vm.qvmconf:1] attributes 'd' and 'n' exclude each other"},
    {"pass loc 0x1000,4K,rd", "[vm.qvmconf:1] attribute 'd' needs 'r' and 'w'"},
    {"pass loc pci:0x8086/0x1533", "[vm.qvmconf:1] there is no PCI bus in this version"},
    {"pass intr gic:40,z", "[vm.qvmconf:1] unknown interrupt flag 'z' in 'gic:40,z'"},
    {"reserve loc 0x1000", "[vm.qvmconf:1] '0x1000' needs a length"},
    {"reserve loc io 0xcf,0x8", "[vm.qvmconf:1] 'io' is not an address\n"
                                "[vm.qvmconf:1] unknown option '0xcf,0x8'"},
    {"reserve intr gic:3", "[vm.qvmconf:1] 'gic:3' is not a number"},
    /* policies */
    {"logger warning,eror stderr",
     "[vm.qvmconf:1] unknown severity 'warning' (did you mean 'warn'?)\n"
     "[vm.qvmconf:1] unknown severity 'eror' (did you mean 'error'?)"},
    {"logger error syslog", "[vm.qvmconf:1] unknown log destination 'syslog' "
                            "(did you mean 'slog'?)"},
    {"unsupported registers explode",
     "[vm.qvmconf:1] unknown case 'registers' (did you mean 'register'?)\n"
     "[vm.qvmconf:1] unknown action 'explode' (abort, fail or ignore)"},
    {"safety maybe", "[vm.qvmconf:1] unknown safety level 'maybe' (none, warn or required)"},
    {"dump \"\"", "[vm.qvmconf:1] 'dump' needs a directory or a command"},
};

START_TEST(bad_input_has_its_error)
{
    struct vm_config config;
    const struct vm_config empty = {0};
    struct error e;
    ck_assert_msg(!parse(&config, bad[_i].text, strlen(bad[_i].text), &e), "%s", bad[_i].text);
    ck_assert_str_eq(e.text, bad[_i].error);
    ck_assert_int_eq(e.exit_status, 65);
    ck_assert_mem_eq(&config, &empty, sizeof empty);
}
END_TEST

START_TEST(command_line_words_are_configuration_text)
{
    static const char *const words[] = {"ram",     "80000000,256M", "load",        "Image",
                                        "cmdline", "a \"b\"",       "cpu sched 5", "vdev x"};
    const struct config_reader reader = {0};
    struct vm_config config;
    struct error e = {0};
    ck_assert(config_parse(&config, words, 7, &reader, &e));
    ck_assert_str_eq(config.cmdline, "a \"b\"");
    ck_assert_uint_eq(config.cpus[0].priority, 5);
    ck_assert_str_eq(config.cpus[0].place.file, "cmdline");
    ck_assert_uint_eq(config.cpus[0].place.line, 7);
    config_free(&config);
    ck_assert(!config_parse(&config, words, 8, &reader, &e));
    ck_assert_str_eq(e.text, "[cmdline:8] unknown vdev type 'x'");
}
END_TEST

static const char reported[] =
    "system s cpu cpu sched 9f ram 80000000,1M reserve loc 0x1000,4K intr 9\n"
    "vdev pl011 loc 0x1c090000 intr gic:37 hostdev \">a$char{22}b\" name con\n"
    "pass loc 0xfd120000,4K,rwn intr gic:46 load k cmdline \"x\\y\xff$char{0a}\" safety none";

/* For people, and as JSON. */
static const char *const reports[2] = {
    "System s\n\n"
    "vCPUs: 2, model a57, 1000000000 instructions a second\n"
    "  0  sched 10r  [vm.qvmconf:1]\n"
    "  1  sched 9f  [vm.qvmconf:1]\n\n"
    "Guest-physical memory map\n"
    "  0x00001c090000 - 0x00001c090fff       4K  vdev  pl011 'con'  [vm.qvmconf:2]\n"
    "  0x00002f000000 - 0x00002f00ffff      64K  vdev  gic distributor\n"
    "  0x00002f100000 - 0x00002f13ffff     256K  vdev  gic redistributors\n"
    "  0x000080000000 - 0x0000800fffff       1M  ram     [vm.qvmconf:1]\n"
    "  0x0000fd120000 - 0x0000fd120fff       4K  pass  from host 0xfd120000  "
    "[vm.qvmconf:3]\n"
    "  0x000000001000 - 0x000000001fff       4K  kept free of automatic places  "
    "[vm.qvmconf:1]\n\n"
    "Devices (name, type, loc, intr, options)\n"
    "  -                gic              0x00002f000000  -         \n"
    "  con              pl011            0x00001c090000  gic:37     hostdev \">a$char{22}b\"  "
    "[vm.qvmconf:2]\n"
    "  interrupt 9 is kept from automatic assignment  [vm.qvmconf:1]\n\n"
    "Pass-through\n"
    "  mem: 0x0000fd120000 -> host 0x0000fd120000       4K  rwn  [vm.qvmconf:3]\n"
    "  interrupt gic:46 <- host vector 46  [vm.qvmconf:3]\n\n"
    "Images\n"
    "  -      k  [vm.qvmconf:3]\n"
    "  command line \"x\\y\xff$char{0a}\"\n\n"
    "Policies\n"
    "  unsupported: instruction fail, reference ignore, register fail\n"
    "  log fatal,internal,error,warn,info to stderr\n"
    "  semihosting off\n"
    "  guest counter starts at 0\n\n"
    "Accepted without effect\n"
    "  [vm.qvmconf:3] safety none\n",
    "{\"system\":\"s\",\"cpu_model\":\"a57\",\"clock_rate_hz\":1000000000,"
    "\"vcpus\":[{\"sched\":\"10r\",\"runmask\":\"\",\"cluster\":null,"
    "\"file\":\"vm.qvmconf\",\"line\":1},{\"sched\":\"9f\",\"runmask\":\"\","
    "\"cluster\":null,\"file\":\"vm.qvmconf\",\"line\":1}],\"memory\":["
    "{\"start\":470351872,\"end\":470355967,\"size\":4096,\"kind\":\"vdev\","
    "\"what\":\"pl011 'con'\",\"file\":\"vm.qvmconf\",\"line\":2},"
    "{\"start\":788529152,\"end\":788594687,\"size\":65536,\"kind\":\"vdev\","
    "\"what\":\"gic distributor\"},{\"start\":789577728,\"end\":789839871,"
    "\"size\":262144,\"kind\":\"vdev\",\"what\":\"gic redistributors\"},"
    "{\"start\":2147483648,\"end\":2148532223,\"size\":1048576,\"kind\":\"ram\","
    "\"what\":\"\",\"file\":\"vm.qvmconf\",\"line\":1},{\"start\":4245815296,"
    "\"end\":4245819391,\"size\":4096,\"kind\":\"pass\","
    "\"what\":\"from host 0xfd120000\",\"file\":\"vm.qvmconf\",\"line\":3}],"
    "\"reserved\":[{\"start\":4096,\"size\":4096,\"file\":\"vm.qvmconf\","
    "\"line\":1}],\"reserved_interrupts\":[9],\"faults\":[],\"devices\":[{\"name\":null,\"type\":"
    "\"gic\","
    "\"summary\":\"Arm generic interrupt controller, GICv3 or GICv2\","
    "\"loc\":788529152,\"options\":[],\"loggers\":[]},{\"name\":\"con\","
    "\"type\":\"pl011\",\"summary\":\"UART\",\"loc\":470351872,\"pic\":\"gic\","
    "\"line_number\":37,\"options\":[{\"name\":\"hostdev\",\"value\":\">a\\\"b\"}],"
    "\"loggers\":[],\"file\":\"vm.qvmconf\",\"line\":2}],\"passes\":["
    "{\"space\":\"mem\",\"guest\":4245815296,\"host\":4245815296,\"size\":4096,"
    "\"attributes\":\"rwn\",\"file\":\"vm.qvmconf\",\"line\":3}],"
    "\"pass_interrupts\":[{\"pic\":\"gic\",\"line_number\":46,\"host_vector\":46,"
    "\"file\":\"vm.qvmconf\",\"line\":3}],\"loads\":[{\"type\":\"\",\"path\":\"k\","
    "\"file\":\"vm.qvmconf\",\"line\":3}],\"cmdline\":\"x\\\\y\\ufffd\\u000a\","
    "\"unsupported\":{\"instruction\":\"fail\",\"reference\":\"ignore\","
    "\"register\":\"fail\"},\"loggers\":["
    "{\"severities\":\"fatal,internal,error,warn,info\","
    "\"destination\":\"stderr\"}],\"counter_offset\":\"0xffffffffffffffff\","
    "\"icache\":\"coherent\",\"semihosting\":false,\"semihosting_dir\":null,\"fdt_dump_file\":"
    "null,"
    "\"dump\":null,\"dryrun\":false,\"notes\":[],\"accepted_without_effect\":["
    "\"[vm.qvmconf:3] safety none\"]}\n",
};

START_TEST(the_report_shows_what_was_resolved)
{
    struct vm_config config;
    struct error e;
    struct bytes out = {0};
    ck_assert_msg(parse(&config, reported, strlen(reported), &e), "%s", e.text);
    config_report(&config, &out, _i);
    bytes_put(&out, "", 1);
    ck_assert_str_eq((const char *)out.data, reports[_i]);
    bytes_free(&out);
    config_free(&config);
}
END_TEST

/* A small generator with a fixed seed (xorshift64), so that a failure repeats. */
static uint64_t random_state = 88172645463325252;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

static void mutate(struct bytes *text)
{
    static const char *const pieces[] = {
        " ",         "\n",       "\"",      "#",          ",",      "0x",
        "K",         " loc ",    " intr ",  " vdev gic ", " pass ", "$env{",
        "}",         "=",        ":",       "\\\n",       " ram ",  " load ",
        " set ",     " cpu ",    " sched ", " log ",      " gic:",  "ffffffffffffffff",
        "$char{0a}", " reserve "};
    if (text->size == 0)
        return;
    size_t at = random_below(text->size), length = 1 + random_below(12);
    struct bytes out = {0};
    const char *piece = pieces[random_below(sizeof pieces / sizeof *pieces)];
    if (length > text->size - at)
        length = text->size - at;
    bytes_put(&out, text->data, at);
    switch (random_below(4)) {
    case 0:
        bytes_put_int(&out, random_below(256), 1);
        at++;
        break;
    case 1:
        at += length;
        break;
    case 2:
        bytes_put(&out, text->data + at, length);
        break;
    default:
        bytes_put(&out, piece, strlen(piece));
    }
    bytes_put(&out, text->data + at, text->size - at);
    bytes_free(text);
    *text = out;
}

static void try_text(const struct bytes *text)
{
    struct vm_config config;
    struct error e;
    struct bytes out = {0};
    if (!parse(&config, (const char *)text->data, text->size, &e)) {
        ck_assert_int_eq(e.exit_status, 65);
        ck_assert_int_eq(e.text[0], '[');
        return;
    }
    config_print(&config, &out);
    check_round_trip(&out);
    config_report(&config, &out, false);
    config_report(&config, &out, true);
    config_free(&config);
    bytes_free(&out);
}

START_TEST(random_changes_never_crash)
{
    for (int round = 0; round < 150; round++) {
        struct bytes text = {0};
        bytes_put(&text, good[_i].text, strlen(good[_i].text));
        for (size_t changes = 1 + random_below(6); changes > 0; changes--)
            mutate(&text);
        try_text(&text);
        bytes_free(&text);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("parse");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, good_input_has_its_canonical_form, 0,
                        (int)(sizeof good / sizeof good[0]));
    tcase_add_loop_test(tests, bad_input_has_its_error, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tests, command_line_words_are_configuration_text);
    tcase_add_loop_test(tests, the_report_shows_what_was_resolved, 0, 2);
    tcase_add_loop_test(tests, random_changes_never_crash, 0, (int)(sizeof good / sizeof good[0]));
    return suite_main("config_parse", tests);
}
