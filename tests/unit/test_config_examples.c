/* The forms that real configurations use, with the vdev types that this version has. A
 * configuration must parse and print, or be refused only because a type it names is not available
 * here. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config.h"
#include "suite.h"

static const char *const arm[] = {
    /* MMIO devices, peer network, an argument and options on the next line */
    "system cockpit  ram 0x80000000,256M  cpu  load cockpit.ifs\n"
    "vdev gic msi 0x30000000,0x50,0x100              # MSI range\n"
    "vdev pl011 loc 0x1c090000 intr gic:37 hostdev >-\n"
    "vdev virtio-console loc 0x20000000 intr gic:42  # no hostdev\n"
    "vdev shmem loc 0x1c050000 intr\n"
    "    gic:38 create frames,0x200000 allow frames\n"
    "vdev virtio-net loc 0x1c0c0000 intr gic:40 name link_a peer /dev/qvm/media/link_b"
    " mac 02:00:00:00:00:0a\n"
    "vdev virtio-net loc 0x20040000 intr gic:43 name uplink peer /dev/vdevpeers/vp0"
    " peerfeats 0x00007fc3\n"
    "vdev virtio-blk loc 0x1c0d0000 intr gic:41 hostdev /dev/guestdisk0\n"
    "vdev wdt-sp805 loc 0x1c0f0000 intr gic:44  vdev smmu\n"
    "pass loc mem:0xfd120000,0x1000,rwn intr gic:46=112  pass loc 0xfd121000,0x1000,rwn\n",
    /* an explicit GIC, the console on stdin and stdout, a disk in a file, a string over two lines
     */
    "system media  ram 0x80000000,1G  vdev gic version 2  load Image\n"
    "cmdline \"console=ttyAMA0,115200 earlycon=pl011,mmio32,0x1c090000\n"
    "         root=/dev/vda rw\"\n"
    "vdev pl011 loc 0x1c090000 intr gic:37 hostdev -\n"
    "vdev virtio-blk loc 0x1c0d0000 intr gic:41 hostdev disk.img\n"
    "vdev virtio-net loc 0x1c0c0000 intr gic:40 name link_b peer /dev/qvm/cockpit/link_a\n",
    /* set after system, everything logged to stdout, a merged device tree, a UART without hostdev
     */
    "system droid  set pointer-authentication off\n"
    "logger debug,verbose,info,warn,error,fatal stdout\n"
    "set host-paddr-gicd 0xff841000  set host-paddr-gich 0xff844000\n"
    "set host-paddr-gicv 0xff846000\n"
    "cpu cpu  ram 0x80000000,4G  vdev gic version 2 gicd 0x08000000 gicc 0x08010000\n"
    "vdev pl011 loc 0x1c090000 intr gic:37\n"
    "vdev virtio-blk loc 0x1c0d0000 intr gic:41 hostdev userdata.img\n"
    "fdt load board.dtb  load Image  initrd load ramdisk.img\n"
    "cmdline \"console=ttyAMA0 androidboot.hardware=board loglevel=7\"\n",
    /* clusters, three vCPUs, the console on a pty */
    "system worker  cpu cluster _cpu-1  cpu cluster _cpu-1  cpu cluster _cpu-1\n"
    "logger error,fatal,internal,warn,info stderr\n"
    "ram 0x80000000,512M  load kernel.img  initrd load rootfs.cpio  cmdline \"console=hvc0\"\n"
    "vdev virtio-console loc 0x20000000 intr gic:42 hostdev /dev/ptyp0\n",
    /* the old spelling of a vdev, an explicit guest blob, UART output to a file */
    "ram 0x80000000,256M  guest load /dev/shmem/kernel.img\n"
    "initrd load /dev/shmem/initrd.img\n"
    "vdev vdev-pl011 loc 0x1c090000 intr gic:37 hostdev >/data/console.log\n",
    /* a bare-metal ELF */
    ("ram 0x80000000,64M  vdev gic version 2  load ./app.elf\n"
     "vdev pl011 loc 0x1c090000 intr gic:37\n"),
};

/* What is refused of a PC in this version: its devices, PCI and ports. Devices that are on PCI
 * there have no place here. */
static const char *const x86[] = {
    "system gateway  ram 0xa0000  rom 0xc0000,0x40000  ram 512M  cpu  load gateway.ifs\n"
    "vdev ioapic loc 0xf8000000 intr apic name ioapic0\n"
    "vdev ser8250 intr ioapic0:4 hostdev >-\n"
    "vdev timer8254 intr ioapic0:0  vdev mc146818  vdev shmem  vdev pckeyboard\n"
    "vdev virtio-net peer /dev/vdevpeers/vp0 peerfeats 0x0382\n"
    "vdev virtio-blk hostdev /dev/guestdisk1\n"
    "vdev 8259 loc 0x20  vdev 8259 loc 0xa0  vdev hpet loc 0xf8008000 intr ioapic0:2\n",
    "system lx86  ram 512M  vdev ioapic loc 0xf8000000 intr apic name ioapic0  load bzImage\n"
    "vdev mc146818 reg 0x0b,0x02  vdev hpet loc 0xf8008000 intr ioapic0:0,ioapic0:8,ioapic0:11\n"
    "vdev virtio-net loc pci:0:1 peer /dev/vdevpeers/vp1  pass loc pci:0:4.0=pci:0:20.0\n"
    "pass loc pci:0x8086/0x1533  vdev pci-dummy clone pci:0:31.0\n",
};
static const char *const x86_refusals[][4] = {
    {"vdev type 'ioapic' is not available in this version (x86 guests only)",
     "vdev type 'ser8250' is not available in this version (x86 guests only)",
     "vdev type '8259' is not available in this version (x86 guests only)",
     "vdev shmem needs 'loc ADDRESS'"},
    {"vdev type 'mc146818' is not available in this version (x86 guests only)",
     "vdev type 'hpet' is not available in this version (x86 guests only)",
     "there is no PCI bus in this version",
     "vdev type 'pci-dummy' is not available in this version"},
};

static uint8_t *read_text(void *context, const char *path, size_t *size, struct error *e)
{
    (void)path;
    (void)e;
    *size = strlen(context);
    uint8_t *copy = malloc(*size + 1);
    if (copy)
        memcpy(copy, context, *size + 1);
    return copy;
}

static bool parse(struct vm_config *config, const char *text, size_t size, struct error *e)
{
    static const char *const words[] = {"@vm.qvmconf"};
    char *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    const struct config_reader reader = {.read_file = read_text, .context = copy};
    *e = (struct error){0};
    bool ok = config_parse(config, words, 1, &reader, e);
    free(copy);
    return ok;
}

/* Every line of the error says that something is not available. */
static void check_only_unavailable(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_msg(strstr(line, "is not available in this version") ||
                          strstr(line, "there is no PCI bus in this version") ||
                          strstr(line, "needs 'loc ADDRESS'") ||
                          strstr(line, "needs 'intr PIC:LINE'"),
                      "%s", line);
}

static void check_round_trip(const struct vm_config *config)
{
    struct bytes printed = {0}, again = {0};
    struct vm_config copy;
    struct error e;
    config_print(config, &printed);
    ck_assert_msg(parse(&copy, (const char *)printed.data, printed.size, &e), "%s", e.text);
    config_print(&copy, &again);
    ck_assert_uint_eq(again.size, printed.size);
    ck_assert_mem_eq(again.data, printed.data, printed.size);
    config_free(&copy);
    bytes_free(&printed);
    bytes_free(&again);
}

START_TEST(arm_forms_parse)
{
    struct vm_config config;
    struct error e;
    if (!parse(&config, arm[_i], strlen(arm[_i]), &e)) {
        check_only_unavailable(e.text);
        return;
    }
    ck_assert_str_eq(config.vdevs[0].type->name, "gic");
    check_round_trip(&config);
    config_free(&config);
}
END_TEST

START_TEST(bare_metal_needs_nothing_that_is_missing)
{
    struct vm_config config;
    struct error e;
    ck_assert_msg(parse(&config, arm[_i], strlen(arm[_i]), &e), "%s", e.text);
    config_free(&config);
}
END_TEST

START_TEST(x86_forms_are_refused_by_name)
{
    struct vm_config config;
    struct error e;
    ck_assert(!parse(&config, x86[_i], strlen(x86[_i]), &e));
    ck_assert_int_eq(e.exit_status, 65);
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(strstr(e.text, x86_refusals[_i][i]), "%s", e.text);
    check_only_unavailable(e.text);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("examples");
    tcase_add_loop_test(tests, arm_forms_parse, 0, (int)(sizeof arm / sizeof *arm));
    tcase_add_loop_test(tests, bare_metal_needs_nothing_that_is_missing, 4, 6);
    tcase_add_loop_test(tests, x86_forms_are_refused_by_name, 0, (int)(sizeof x86 / sizeof *x86));
    return suite_main("config_examples", tests);
}
