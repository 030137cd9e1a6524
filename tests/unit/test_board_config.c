/* The board language: good boards with their canonical form and the fields of the result, bad ones
 * with the exact error text, what VM configurations take from a board, and the boards in
 * configs/boards. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/board_config.h"
#include "suite.h"

static bool parse(struct board_config *board, const char *text, struct error *e)
{
    const struct config_reader reader = {0};
    *e = (struct error){0};
    return board_config_parse(board, &text, 1, &reader, e);
}

#define RAM  "ram 0x80000000,0x40000000\n"
#define MORE "board b\ncpus 1\n" RAM

static const struct {
    const char *text, *canonical;
} good[] = {
    {"board b ram 80000000,1G", MORE},
    /* neighbours do not overlap */
    {"board b ram 1000,4K ram 0,4K device none loc 3000 hole 2000,4K",
     "board b\ncpus 1\nram 0x1000,0x1000\nram 0x0,0x1000\nhole 0x2000,0x1000\n"
     "device none loc 0x3000,0x1000\n"},
    {"board b cpus 4 cpus 8 ram 2G,1G ram 880000000,2G cluster a 0,7 cluster c 3",
     "board b\ncpus 8\ncluster a 0,7\ncluster c 3\n" RAM "ram 0x880000000,0x80000000\n"},
    {"board b ram 80000000,1G hole 0xa0000,0x20000 hole 0xc0000,256K",
     MORE "hole 0xa0000,0x20000\nhole 0xc0000,0x40000\n"},
    {"board b ram 80000000,1G region r 0xbffff000,4K region dev 1c090000,0x1000",
     MORE "region r 0xbffff000,0x1000\nregion dev 0x1c090000,0x1000\n"},
    {"board b ram 80000000,1G device pl011 loc 1c090000 intr 38 name u hostdev >- hostdev <in",
     MORE "device pl011 name u loc 0x1c090000,0x1000 intr 38 hostdev >- hostdev <in\n"},
    /* of a type or of none; a context lasts over `ram` */
    {"board b device none ram 80000000,1G intr 5 intr 6 dma on device vdev-pl031.so loc 1000,8K",
     MORE "device none intr 6 dma on\ndevice pl031 loc 0x1000,0x2000\n"},
    {"board b ram 80000000,1G smmu s loc 2b400000 streams 0,256 smmu t loc 2b420000 streams "
     "0x100,1 device none stream 256 dma off dma on loc 3000 device none stream 256 dma on",
     MORE "smmu s loc 0x2b400000 streams 0,256\nsmmu t loc 0x2b420000 streams 256,1\n"
          "device none loc 0x3000,0x1000 stream 256 dma on\ndevice none stream 256 dma on\n"},
    /* a device inside a region */
    {"board b ram 80000000,1G region u 1c090000,64K device pl011 loc 1c091000",
     MORE "region u 0x1c090000,0x10000\ndevice pl011 loc 0x1c091000,0x1000\n"},
};

START_TEST(good_board_prints)
{
    struct board_config board;
    struct error e;
    struct bytes text = {0}, again = {0};
    ck_assert_msg(parse(&board, good[_i].text, &e), "%s", e.text);
    board_config_print(&board, &text);
    bytes_put(&text, "", 1);
    ck_assert_str_eq((char *)text.data, good[_i].canonical);
    board_config_free(&board);
    ck_assert_msg(parse(&board, (char *)text.data, &e), "%s", e.text);
    board_config_print(&board, &again);
    ck_assert_uint_eq(again.size, text.size - 1);
    ck_assert_mem_eq(again.data, text.data, again.size);
    board_config_free(&board);
    bytes_free(&text);
    bytes_free(&again);
}
END_TEST

#define IS "[cmdline:1] "
static const struct {
    const char *text, *error;
} bad[] = {
    {"", IS "a board begins with 'board NAME'\n" IS "the board has no 'ram START,LENGTH'"},
    {"system x", IS "unknown option 'system'\n" IS "a board begins with 'board NAME'\n" IS
                    "the board has no 'ram START,LENGTH'"},
    {"ram 0,4K board b", IS "'board' must be the first option"},
    {"board \"a b\" ram 0,4K", IS "'a b' is not a name: 1 to 63 letters, digits and _-.,:@+"},
    {"board b rum 0,4K ram 0,4K", IS "unknown option 'rum' (did you mean 'ram'?)"},
    {"board b ram 4K", IS "'4K' is not START,LENGTH"},
    {"board b ram 0,0", IS "the length is 0"},
    {"board b ram 0,100", IS "the length 0x64 is not a multiple of the page size 0x1000"},
    {"board b ram 10,4K", IS "the address 0x10 is not a multiple of the page size 0x1000"},
    {"board b ram 0xfffffffff000,8K", IS "the range ends beyond the 48-bit addresses"},
    {"board b ram x,8K", IS "'x' is not an address"},
    {"board b ram 0,4K cpus 0", IS "number of CPUs '0' is not in the range 1 to 64"},
    {"board b ram 0,4K cpus 65", IS "number of CPUs '65' is not in the range 1 to 64"},
    {"board b ram 0,4K cpus 2 cluster c 1,2",
     IS "cluster 'c': there is no CPU 2 (the board has 2)"},
    {"board b ram 0,4K cluster _all 0",
     IS "names that begin with '_' are the board's own: _all, _cpu-0, ..."},
    {"board b ram 0,4K cluster c 0 cluster c 0", IS "cluster 'c' exists already [cmdline:1]"},
    {"board b ram 0,4K region r 1000,4K region r 2000,4K",
     IS "region 'r' exists already [cmdline:1]"},
    {"board b ram 0,4K smmu x loc 1000 streams 0,1 device none name x",
     IS "smmu 'x' exists already [cmdline:1]"},
    {"board b ram 0,8K ram 1000,4K", IS "ram 0x1000-0x1fff overlaps ram 0x0-0x1fff [cmdline:1]"},
    {"board b ram 0,8K hole 1000,4K", IS "hole 0x1000-0x1fff overlaps ram 0x0-0x1fff [cmdline:1]"},
    {"board b ram 0,8K region r 1000,8K",
     IS "region 'r' 0x1000-0x2fff overlaps ram 0x0-0x1fff [cmdline:1]"},
    {"board b ram 0,8K region r 2000,4K region s 2000,4K",
     IS "region 's' 0x2000-0x2fff overlaps region 'r' 0x2000-0x2fff [cmdline:1]"},
    {"board b ram 0,8K hole 2000,4K region r 2000,4K",
     IS "region 'r' 0x2000-0x2fff overlaps hole 0x2000-0x2fff [cmdline:1]"},
    {"board b ram 0,8K device none loc 1000",
     IS "device 0x1000-0x1fff overlaps ram 0x0-0x1fff [cmdline:1]"},
    {"board b ram 0,8K region r 2000,4K device none loc 2000,8K",
     IS "device 0x2000-0x3fff overlaps region 'r' 0x2000-0x2fff [cmdline:1]"},
    {"board b ram 0,8K smmu s loc 10000 streams 0,1 device none name d loc 2f000",
     IS "smmu 's' 0x10000-0x2ffff overlaps device 'd' 0x2f000-0x2ffff [cmdline:1]"},
    {"board b ram 0,8K device pl011", IS "device pl011 needs 'loc START'"},
    {"board b ram 0,8K device nosuch loc 3 intr x", IS "unknown vdev type 'nosuch'"},
    {"board b ram 0,8K device gic loc 3000", IS "a board has its interrupt controller by itself"},
    {"board b ram 0,8K device none hostdev -", IS "unknown option 'hostdev'"},
    {"board b ram 0,8K device none loc 3001",
     IS "the address 0x3001 is not a multiple of the page size 0x1000"},
    {"board b ram 0,8K device none intr 65536", IS "vector '65536' is not in the range 0 to 65535"},
    {"board b ram 0,8K device none intr 5 device none intr 5",
     IS "host interrupt 5 belongs to another device already [cmdline:1]"},
    {"board b ram 0,8K device none dma maybe", IS "'maybe' is not on or off"},
    {"board b ram 0,8K device none stream 4",
     IS "a device with a 'stream' needs 'dma on'\n" IS "stream 4 belongs to no smmu"},
    {"board b ram 0,8K smmu s streams 5,1", IS "smmu 's' needs 'loc START'"},
    {"board b ram 0,8K smmu s loc 10000", IS "smmu 's' needs 'streams FIRST,COUNT'"},
    {"board b ram 0,8K smmu s loc 10000 streams 5", IS "'5' is not FIRST,COUNT"},
    {"board b ram 0,8K smmu s loc 10000 streams 5,0",
     IS "number of streams '0' is not in the range 1 to 4294967290"},
    {"board b ram 0,8K smmu s loc 10000 streams 0,9 smmu t loc 40000 streams 8,2",
     IS "smmu 't': some of its streams belong to smmu 's' already"},
    {"board b ram 0,8K smmu s loc 0xfffffffff000 streams 0,9",
     IS "the range ends beyond the 48-bit addresses"},
    {"board b ram 0,8K streams 1,2", IS "'streams' belongs behind 'smmu'"},
    {"board b ram 0,8K loc 1000", IS "'loc' belongs behind 'device', 'smmu'"},
    {"board b ram $asinfo_start{x},4K", IS "no asinfo entry 'x': there is no board file"},
};

START_TEST(bad_board_has_its_error)
{
    struct board_config board;
    struct error e;
    ck_assert(!parse(&board, bad[_i].text, &e));
    ck_assert_str_eq(e.text, bad[_i].error);
    ck_assert_int_eq(e.exit_status, 65);
}
END_TEST

START_TEST(too_many_are_refused)
{
    static const struct {
        const char *option;
        unsigned most;
    } cases[] = {{"ram", BOARD_BANKS_MAX},      {"hole", BOARD_HOLES_MAX},
                 {"region", BOARD_REGIONS_MAX}, {"cluster", BOARD_CLUSTERS_MAX},
                 {"device", BOARD_DEVICES_MAX}, {"smmu", BOARD_SMMUS_MAX}};
    static char text[65536];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t used = (size_t)snprintf(text, sizeof text, "board b ram 0xffff00000000,4K");
        for (unsigned n = i == 0; /* one bank is there */ n <= cases[i].most; n++) {
            char row[80];
            if (i < 2)
                snprintf(row, sizeof row, " %s %x000,4K", cases[i].option, n);
            else if (i == 2)
                snprintf(row, sizeof row, " region n%u %x000,4K", n, n);
            else if (i == 3)
                snprintf(row, sizeof row, " cluster n%u 0", n);
            else if (i == 4)
                snprintf(row, sizeof row, " device none");
            else
                snprintf(row, sizeof row, " smmu n%u loc %x0000000 streams %u,1", n, n, n);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", row);
        }
        struct board_config board;
        struct error e;
        char expected[80];
        ck_assert(!parse(&board, text, &e));
        snprintf(expected, sizeof expected, IS "more than %u times '%s'", cases[i].most,
                 cases[i].option);
        ck_assert_str_eq(e.text, expected);
    }
}
END_TEST

START_TEST(fields_hold_what_was_written)
{
    struct board_config b;
    struct error e;
    uint64_t cpus;
    ck_assert(parse(&b,
                    "board b cpus 3 cluster pair 0,2 ram 80000000,1G region in 80000000,4K "
                    "region out 1000,4K device pl011 loc 1c090000,8K intr 38 stream 7 dma on "
                    "hostdev >- smmu s loc 2b400000 streams 4,8",
                    &e));
    ck_assert_str_eq(b.name, "b");
    ck_assert_uint_eq(b.cpu_count, 3);
    ck_assert(board_region_find(&b, "in")->in_bank && !board_region_find(&b, "out")->in_bank);
    ck_assert_ptr_null(board_region_find(&b, "neither"));
    ck_assert(board_cluster_find(&b, "pair", &cpus) && cpus == 5);
    ck_assert(board_cluster_find(&b, "_all", &cpus) && cpus == 7);
    ck_assert(board_cluster_find(&b, "_cpu-2", &cpus) && cpus == 4);
    ck_assert(!board_cluster_find(&b, "_cpu-3", &cpus));
    ck_assert(!board_cluster_find(&b, "_cpu-02", &cpus));
    const struct board_device *d = &b.devices[0];
    ck_assert_str_eq(d->type->name, "pl011");
    ck_assert(d->has_loc && d->start == 0x1c090000 && d->length == 0x2000);
    ck_assert(d->has_intr && d->intr == 38 && d->has_stream && d->stream == 7 && d->dma);
    ck_assert_uint_eq(d->option_count, 1);
    ck_assert_str_eq(d->options[0].value, ">-");
    ck_assert(b.smmus[0].start == 0x2b400000 && b.smmus[0].first_stream == 4);
    ck_assert_uint_eq(b.smmus[0].stream_count, 8);
    board_config_free(&b);
    ck_assert_ptr_null(b.name);
}
END_TEST

START_TEST(default_board_holds_what_is_needed)
{
    struct board_config b, parsed;
    struct bytes text = {0};
    struct error e;
    board_config_default(&b, ((uint64_t)64 << 20) + 4096);
    ck_assert_uint_eq(b.cpu_count, 8);
    ck_assert_uint_eq(b.bank_count, 2);
    ck_assert_uint_eq(b.banks[0].start, 0x880000000);
    ck_assert_uint_eq(b.banks[1].start, 0x4000000000);
    ck_assert_uint_eq(b.banks[0].length, (uint64_t)34 << 20);
    ck_assert_uint_eq(b.banks[1].length, (uint64_t)34 << 20);
    board_config_print(&b, &text);
    bytes_put(&text, "", 1);
    ck_assert_str_eq((char *)text.data, "board default\ncpus 8\nram 0x880000000,0x2200000\n"
                                        "ram 0x4000000000,0x2200000\n");
    ck_assert(parse(&parsed, (char *)text.data, &e));
    board_config_free(&b);
    board_config_free(&parsed);
    bytes_free(&text);
}
END_TEST

/* What a VM's configuration takes from the board. */
static const struct {
    const char *text, *result; /* a line of the canonical form, or the error */
} vms[] = {
    {"pass loc $asinfo_start{typed},$asinfo_length{typed},rwxc",
     "pass loc mem:0x80000000,0x100000,rwxc\n"},
    {"pass loc 0x10000000,$asinfo_length{typed},rwn=$asinfo_start{typed}",
     "pass loc mem:0x10000000,0x100000,rwn=0x80000000\n"},
    {"cpu cluster _all", "cluster _all\n"},
    {"cpu cluster _cpu-1", "cluster _cpu-1\n"},
    {"cpu cluster little", "cluster little\n"},
    {"cpu runmask 0,1", "runmask 0,1\n"},
    {"cmdline $asinfo_start{type}",
     IS "board 'b' has no asinfo entry 'type' (did you mean 'typed'?)"},
    {"cmdline $asinfo_length{memory}",
     IS "board 'b' has no asinfo entry 'memory' (it has typed, uart)"},
    {"cpu cluster big", IS "board 'b' has 2 CPUs and no cluster 'big'"},
    {"cpu cluster _cpu-2", IS "board 'b' has 2 CPUs and no cluster '_cpu-2'"},
    {"cpu cluster litle",
     IS "board 'b' has 2 CPUs and no cluster 'litle' (did you mean 'little'?)"},
    {"cpu runmask 2", IS "CPU '2' is not in the range 0 to 1"},
};

START_TEST(vm_uses_the_board)
{
    struct board_config b;
    struct vm_config vm;
    struct error e;
    struct bytes text = {0};
    ck_assert(parse(&b,
                    "board b cpus 2 cluster little 0 ram 80000000,1G region typed 80000000,1M "
                    "region uart 1c090000,4K",
                    &e));
    const struct config_reader reader = {.board = &b};
    if (config_parse(&vm, &vms[_i].text, 1, &reader, &e)) {
        config_print(&vm, &text);
        bytes_put(&text, "", 1);
        ck_assert_ptr_nonnull(strstr((char *)text.data, vms[_i].result));
        config_free(&vm);
    } else {
        ck_assert_str_eq(e.text, vms[_i].result);
    }
    bytes_free(&text);
    board_config_free(&b);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("boards");
    tcase_add_loop_test(tests, good_board_prints, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tests, bad_board_has_its_error, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tests, too_many_are_refused);
    tcase_add_test(tests, fields_hold_what_was_written);
    tcase_add_test(tests, default_board_holds_what_is_needed);
    tcase_add_loop_test(tests, vm_uses_the_board, 0, sizeof vms / sizeof vms[0]);
    return suite_main("board_config", tests);
}
