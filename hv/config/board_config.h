/* The board language: a file that says what machine the VMs are put on. The grammar, the notation
 * of numbers and the substitutions are those of hv/config/config.h; the options are docs/boards.md.
 *
 * The result is checked: ranges are multiples of 4 KiB below 2^48 and do not overlap, names are
 * unique within their kind, clusters have CPUs that exist. Every string in it belongs to `strings`
 * and lives until board_config_free. */
#ifndef HV_CONFIG_BOARD_CONFIG_H
#define HV_CONFIG_BOARD_CONFIG_H

#include "hv/config/config.h"

#define BOARD_CPUS_MAX     64
#define BOARD_BANKS_MAX    16 /* MEMORY_BANKS_MAX */
#define BOARD_REGIONS_MAX  128
#define BOARD_HOLES_MAX    64
#define BOARD_CLUSTERS_MAX 64
#define BOARD_DEVICES_MAX  64
#define BOARD_SMMUS_MAX    8
#define BOARD_VECTOR_MAX   65535   /* of host interrupts */
#define BOARD_SMMU_SIZE    0x20000 /* two pages of 64 KiB, IHI 0070 */

/* A bank of RAM, or a hole: neither memory nor device. */
struct board_range {
    struct place place;
    uint64_t start, length;
};

/* A named range, the asinfo entry of this name: inside one bank (typed memory: the allocator keeps
 * away) or outside all of them (registers). */
struct board_region {
    struct place place;
    char *name;
    uint64_t start, length;
    bool in_bank;
};

struct board_cluster {
    struct place place;
    char *name;
    uint64_t cpus; /* a bit a CPU */
};

/* A device of the host: what `pass` can give to a guest. */
struct board_device {
    struct place place;
    const struct vdev_type *type; /* its model; NULL: `none`, a range that nobody answers */
    char *name;                   /* or NULL */
    bool has_loc;
    uint64_t start, length; /* host-physical; length 0x1000 unless it was written */
    bool has_intr;
    unsigned intr; /* host vector */
    bool has_stream;
    uint32_t stream; /* id of its DMA in the SMMU that has it */
    bool dma;
    struct vdev_option *options; /* `hostdev` and others of the type, as in vdev_config */
    size_t option_count;
};

struct board_smmu {
    struct place place;
    char *name;
    uint64_t start;                      /* BOARD_SMMU_SIZE bytes */
    uint32_t first_stream, stream_count; /* whose DMA it translates */
};

/* What smmuman is told (docs/smmu.md): addresses are host-physical. */
#define SMMUMAN_ENTRIES_MAX    64  /* of each kind */
#define SMMUMAN_STATEMENTS_MAX 256 /* `smmuman` of the board */
struct smmuman_range {
    struct place place;
    char *name; /* of the set; of a reserved region NULL */
    uint64_t start, length;
    unsigned permits; /* PERMIT_* */
};
struct smmuman_device {
    struct place place;
    uint64_t start, length; /* its registers */
    char *name;             /* of the set; of a reserved region NULL */
};
struct smmuman_reserved {
    struct smmuman_device device;
    struct smmuman_range range;
};
struct smmuman_config {
    bool is_used; /* the board says something of it */
    unsigned statement_count;
    struct smmuman_range *allows;
    size_t allow_count;
    struct smmuman_device *devices;
    size_t device_count;
    struct smmuman_reserved *reserved;
    size_t reserved_count;
    unsigned debug;
    bool foreground;
    bool has_library; /* `smmu`: the one there is */
};

struct board_config {
    char *name;
    unsigned cpu_count; /* physical, 1 to BOARD_CPUS_MAX */
    struct board_range *banks;
    size_t bank_count; /* at least one */
    struct board_range *holes;
    size_t hole_count;
    struct board_region *regions;
    size_t region_count;
    struct board_cluster *clusters; /* without `_all` and `_cpu-N`, which always exist */
    size_t cluster_count;
    struct board_device *devices;
    size_t device_count;
    struct board_smmu *smmus;
    size_t smmu_count;
    struct smmuman_config smmuman;
    struct config_strings strings;
};

/* Parses words as config_parse does, `@FILE` or text. On failure the error lists every mistake,
 * exit status 65, and *board is empty. The caller frees with board_config_free. */
bool board_config_parse(struct board_config *board, const char *const *words, size_t count,
                        const struct config_reader *reader, struct error *e);
/* The board there is when nobody gives one: two banks far apart, which together hold `ram_needed`
 * bytes, and 8 CPUs. */
void board_config_default(struct board_config *board, uint64_t ram_needed);
void board_config_free(struct board_config *board);
/* Canonical text, one statement a line, which parses to the same but for places. Appends. */
void board_config_print(const struct board_config *board, struct bytes *out);

/* The asinfo entry of this name, or NULL. */
const struct board_region *board_region_find(const struct board_config *board, const char *name);
/* What guests' devices are called, too; NULL: it has neither a name nor a model. */
const char *board_device_name(const struct board_device *d);
/* The number of the SMMU whose stream it is; smmu_count: there is none. */
size_t board_smmu_of(const struct board_config *board, uint32_t stream);
/* The CPUs of a cluster, `_all` and `_cpu-N` included. False: there is none of this name. */
bool board_cluster_find(const struct board_config *board, const char *name, uint64_t *cpus);

#endif
