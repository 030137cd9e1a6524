/* Shared inside smmuman only:
 *
 *     smmuman.c          making the SMMUs, and who is contained in what
 *     smmuman_units.c    their registers and commands, and the streams of their devices
 *     smmuman_reach.c    what the devices of a stream may reach at most
 *     smmuman_records.c  what they were refused
 *     smmuman_client.c   what their VM asks for
 *
 * An SMMU cannot tell devices of one stream apart: they are a group, which the number of the
 * board's first device of that stream names, and belong to one VM. */
#ifndef HV_SMMUMAN_INTERNAL_H
#define HV_SMMUMAN_INTERNAL_H

#include "hv/hv_internal.h"
#include "mmu/smmu/smmu_tables.h"
#include "vdev/smmu/smmu.h"
#include "vdev/smmu/smmu_client.h"
#include "vdev/smmu/smmu_driver.h"

/* Sizes of queues as log2 of their entries: a page each. */
enum { SMMUMAN_COMMAND_BITS = 8, SMMUMAN_EVENT_BITS = 7 };
enum { SMMUMAN_STE_SIZE = 64 };

struct smmuman_unit {
    struct board *board;
    const struct board_smmu *config;
    struct vdev *v; /* owned */
    struct vdev_env env;
    struct log log; /* off: nobody is told by itself */
    hpa_t streams, commands, events;
};

/* What the devices of a group reach. */
enum smmuman_reach {
    REACHES_EVERYTHING, /* unrestricted: no SMMU was programmed for them */
    REACHES_NOTHING,
    REACHES_VM,     /* all that their VM may give them */
    REACHES_OBJECT, /* what the VM's client maps of that */
};

#define SMMUMAN_RECORD_WORDS (SMMU_EVENT_SIZE / 8)
#define SMMUMAN_RECORDS      8  /* of a group, until its client asks */
#define SMMUMAN_OBJECTS      16 /* of a VM's client */

struct smmuman_group {
    struct guest_tables *tables; /* owned; NULL: the VM's will do */
    enum smmuman_reach reach;
    uint64_t refused;                     /* accesses, ever; */
    uint64_t first[SMMUMAN_RECORD_WORDS]; /* the record of the first */
    uint64_t kept[SMMUMAN_RECORDS * SMMUMAN_RECORD_WORDS];
    uint32_t kept_count, lost;
};

struct smmuman_object {
    bool exists, has_mappings;
    uint8_t flags; /* CLIENT_RESERVED_MANUAL */
};

struct smmuman {
    struct smmuman_unit units[BOARD_SMMUS_MAX];
    size_t count;
    bool records_stay;                              /* QUIRK_RECORDS_STAY */
    struct guest_tables *of_vm[BOARD_VMS_MAX];      /* owned: what its devices may reach; or NULL */
    struct smmuman_group groups[BOARD_DEVICES_MAX]; /* by their numbers */
    struct smmuman_object objects[BOARD_VMS_MAX][SMMUMAN_OBJECTS];
    uint8_t object_of[BOARD_DEVICES_MAX]; /* of a device, from 1; 0: none */
};

/* smmuman_units.c */
struct smmuman_unit *smmuman_units_of(struct smmuman *s, uint32_t stream);
uint32_t smmuman_units_get(struct smmuman_unit *u, uint64_t offset);
void smmuman_units_put(struct smmuman_unit *u, uint64_t offset, uint64_t value, uint8_t size);
bool smmuman_units_is_its(const struct vm *vm, size_t device);
/* The first device of that group that the VM has. False: it has none, or that is no group. */
bool smmuman_units_first(const struct vm *vm, size_t group, size_t *device);
bool smmuman_units_has_client(const struct vm *vm);
/* The group's tables have changed, or are to be used from now on; or its stream reaches nothing. */
void smmuman_units_use_tables(struct vm *vm, size_t group);
void smmuman_units_use_nothing(struct vm *vm, size_t group);

/* smmuman_reach.c: pieces, in the VM's guest-physical space, of what the group may reach at most
 * and [from, from + size) has. False as soon as `piece` is. */
struct smmuman_piece {
    gpa_t from;
    hpa_t to;
    uint64_t size;
    unsigned permits;
};
typedef bool smmuman_each(void *context, const struct smmuman_piece *piece);
bool smmuman_reach_each(struct vm *vm, size_t group, gpa_t from, uint64_t size, smmuman_each *each,
                        void *context);
/* The same of the regions that the configuration says its devices need. */
bool smmuman_reach_reserved(struct vm *vm, size_t group, smmuman_each *each, void *context);
/* Does the configuration give it more than its VM's memory? */
bool smmuman_reach_is_wider(struct vm *vm, size_t group);

/* smmuman_records.c: of all units, into their groups. */
void smmuman_records_watch(struct smmuman_unit *u);
/* The oldest that is kept of the group. False: none is. */
bool smmuman_records_take(struct smmuman_group *g, struct smmu_event *event);
void smmuman_records_visit(struct smmuman_group *g, struct state *s);

/* smmuman_client.c */
void smmuman_client_visit(struct vm *vm, struct state *s);

#endif
