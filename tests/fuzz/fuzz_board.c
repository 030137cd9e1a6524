/* Fuzzes the board language, and VM configurations on such a board. An input is a board and, behind
 * a form feed, a VM. What is accepted must print a canonical form that parses again and prints the
 * same; what is not must say why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/config/board_config.h"
#include "tests/fuzz/fuzz.h"

struct file {
    const uint8_t *data;
    size_t size;
};

static uint8_t *read_file(void *context, const char *path, size_t *size, struct error *e)
{
    const struct file *file = context;
    (void)path;
    (void)e;
    *size = file->size;
    uint8_t *copy = malloc(*size + !*size); /* as large as it says, for the sanitizer */
    CHECK(copy);
    if (*size)
        memcpy(copy, file->data, *size);
    return copy;
}

static const char *const words[] = {"@0"};

static bool parse(struct board_config *board, const uint8_t *data, size_t size)
{
    struct file file = {data, size};
    struct error e = {0};
    bool ok = board_config_parse(
        board, words, 1, &(struct config_reader){.read_file = read_file, .context = &file}, &e);
    CHECK(ok || (e.text[0] && e.exit_status == 65));
    return ok;
}

static void try_vm(const struct board_config *board, const uint8_t *data, size_t size)
{
    struct file file = {data, size};
    struct config_reader reader = {.read_file = read_file, .context = &file, .board = board};
    struct vm_config vm;
    struct error e = {0};
    if (config_parse(&vm, words, 1, &reader, &e))
        config_free(&vm);
    else
        CHECK(e.text[0] && e.exit_status == 65);
}

static void check_fields(const struct board_config *board)
{
    uint64_t cpus;
    CHECK(board->name && board->bank_count && board->bank_count <= BOARD_BANKS_MAX);
    CHECK(board->cpu_count && board->cpu_count <= BOARD_CPUS_MAX);
    CHECK(board_cluster_find(board, "_all", &cpus) && cpus);
    for (size_t i = 0; i < board->region_count; i++)
        CHECK(board_region_find(board, board->regions[i].name) == &board->regions[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];
    struct board_config board;
    struct bytes first = {0}, second = {0};
    const uint8_t *feed = size ? memchr(data, '\f', size) : NULL;
    size_t length = feed ? (size_t)(feed - data) : size;
    if (!parse(&board, size ? data : nothing, length))
        return 0;
    check_fields(&board);
    if (feed)
        try_vm(&board, feed + 1, size - length - 1);
    board_config_print(&board, &first);
    board_config_free(&board);
    CHECK(parse(&board, first.data, first.size));
    board_config_print(&board, &second);
    board_config_free(&board);
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    bytes_free(&first);
    bytes_free(&second);
    return 0;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const char *const seeds[] = {
        "board b\nram 0x80000000,1G\n",
        ("board two cpus 8 cluster little 0,1,2,3 cluster big 4,5\nram 0x80000000,1G\n"
         "ram 0x880000000,3G region frames 0xb8000000,64M hole 0xc0000000,0x1000\n"
         "region gicd 0x2f000000,0x10000 region uart1 0x1c0a0000,0x1000\n"
         "device pl011 name uart1 loc 0x1c0a0000 intr 38 hostdev >- hostdev <in\n"
         "device none name camera loc 0x1d000000,0x10000 intr 112 stream 5 dma on\n"
         "smmu smmu0 loc 0x2b400000 streams 0,256\n\f"
         "ram 0x80000000,64M cpu cluster big cpu cluster _cpu-7 runmask 0,7\n"
         "pass loc $asinfo_start{uart1},$asinfo_length{uart1},rwn intr gic:38\n"),
        ("board dma ram 0x80000000,64M region frames 0x82000000,16M smmu smmu0 loc 0x2b400000 "
         "streams 0,256 device dma-master loc 0x0a100000 stream 5 dma on smmuman @0 smmuman "
         "\"foreground smmu smmuv3 debug 2 allow frames 0x82000000,64K,r allow \" smmuman "
         "\"allow f 0x82010000,64K device mmio:0x0a100000,4K f reserved mmio:0x0a100000,4K "
         "0x82100000,4K,rwx\"\n\fram 0x80000000,64M pass loc 0x0a100000,0x1000,rwd vdev smmu"),
        ("board dma ram 0x80000000,64M region frames 0x82000000,16M smmu smmu0 loc 0x2b400000 "
         "streams 0,256 device dma-master loc 0x0a100000 stream 5 dma on smmuman "
         "\"foreground smmu smmuv3 debug 2 allow frames 0x82000000,64K,r\" smmuman "
         "\"device mmio:0x0a100000,4K frames reserved mmio:0x0a100000,4K 0x82100000,4K,rwx\"\n"),
        ("board x86 # a PC\ncpus 4 ram 0,0xa0000 hole 0xa0000,0x20000 hole 0xc0000,0x40000\n"
         "ram 1M,2047M ram 4G,2G region guestmem1 0x40000000,256M"),
        "",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return false;
    bytes_put(out, seeds[number], strlen(seeds[number]));
    return true;
}
