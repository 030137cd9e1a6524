/* What a guest asks of smmuman, and what that answers: the objects of its client interface, as the
 * registers of `vdev smmu` carry them (vdev/smmu/smmu_page.c). docs/smmu.md has the protocol.
 *
 * An object is a set of devices and a set of mappings: its devices reach what its mappings have, as
 * far as the VM's own memory goes. Addresses are guest-physical. */
#ifndef VDEV_SMMU_SMMU_CLIENT_H
#define VDEV_SMMU_SMMU_CLIENT_H

#include <stdint.h>

enum smmu_client_request {
    CLIENT_CREATE = 1,
    CLIENT_DESTROY,
    CLIENT_ADD_DEVICE,
    CLIENT_REMOVE_DEVICE,
    CLIENT_ADD_MAPPING,
    CLIENT_REMOVE_MAPPING,
    CLIENT_REPORT_RESERVED,
    CLIENT_STATUS,
};

/* Of CLIENT_CREATE: the client maps the regions that its devices need itself. */
enum { CLIENT_RESERVED_MANUAL = 1 };
/* Of a mapping; and of a record, what was refused. */
enum { CLIENT_READ = 1, CLIENT_WRITE = 2, CLIENT_EXEC = 4 };
/* Whom `start` and `length` name: a device by its registers; there is no PCI. */
enum { CLIENT_DEVICE_PCI = 0, CLIENT_DEVICE_MMIO = 1 };

/* Results: 0, or one of these. The numbers are those that errno.h has most often. */
enum {
    CLIENT_OK = 0,
    CLIENT_REISSUE = 1, /* done, and the object's mappings do not hold for the device yet */
    CLIENT_ENOENT = -2,
    CLIENT_EBUSY = -16,
    CLIENT_EINVAL = -22,
    CLIENT_ENOSPC = -28,
};

/* A refused access, as it was recorded. */
struct smmu_client_record {
    uint64_t hw_specific;   /* the type of the SMMU's event record; 0: there is no record */
    uint64_t fault_address; /* what the device asked for */
    uint64_t start, length; /* its registers */
    uint32_t flags;         /* CLIENT_READ, CLIENT_WRITE or CLIENT_EXEC */
    uint32_t lost;          /* records that there was no room for since the last was asked for */
};

struct smmu_client_call {
    enum smmu_client_request request;
    uint32_t object, flags, type, index;
    uint64_t start, length; /* and, of CLIENT_REPORT_RESERVED, the answer */
    int32_t result;
    uint64_t in_force; /* of CLIENT_ADD_MAPPING: bytes of it that the devices reach from now on */
    struct smmu_client_record record;
};

#endif
