/* What a driver of an SMMUv3 writes (Arm IHI 0070): registers by their offsets, and commands. */
#ifndef VDEV_SMMU_SMMU_DRIVER_H
#define VDEV_SMMU_SMMU_DRIVER_H

/* 6.2.1: page 0, and what is on page 1 of the queues that the SMMU produces. */
enum {
    SMMU_IDR0 = 0x00,
    SMMU_IDR1 = 0x04,
    SMMU_IDR2 = 0x08,
    SMMU_IDR3 = 0x0c,
    SMMU_IDR4 = 0x10,
    SMMU_IDR5 = 0x14,
    SMMU_IIDR = 0x18,
    SMMU_AIDR = 0x1c,
    SMMU_CR0 = 0x20,
    SMMU_CR0ACK = 0x24,
    SMMU_CR1 = 0x28,
    SMMU_CR2 = 0x2c,
    SMMU_STATUSR = 0x40,
    SMMU_GBPA = 0x44,
    SMMU_AGBPA = 0x48,
    SMMU_IRQ_CTRL = 0x50,
    SMMU_IRQ_CTRLACK = 0x54,
    SMMU_GERROR = 0x60,
    SMMU_GERRORN = 0x64,
    SMMU_GERROR_IRQ_CFG0 = 0x68,
    SMMU_GERROR_IRQ_CFG1 = 0x70,
    SMMU_GERROR_IRQ_CFG2 = 0x74,
    SMMU_STRTAB_BASE = 0x80,
    SMMU_STRTAB_BASE_CFG = 0x88,
    SMMU_CMDQ_BASE = 0x90,
    SMMU_CMDQ_PROD = 0x98,
    SMMU_CMDQ_CONS = 0x9c,
    SMMU_EVENTQ_BASE = 0xa0,
    SMMU_EVENTQ_IRQ_CFG0 = 0xb0,
    SMMU_EVENTQ_IRQ_CFG1 = 0xb8,
    SMMU_EVENTQ_IRQ_CFG2 = 0xbc,
    SMMU_IDS = 0xfd0, /* to 0xfff */
    SMMU_PAGE1 = 0x10000,
    SMMU_EVENTQ_PROD = 0x100a8,
    SMMU_EVENTQ_CONS = 0x100ac,
};

/* 6.3.16 IRQ_CTRL */
enum { IRQ_GERROR = 1 << 0, IRQ_EVENTQ = 1 << 2 };

/* 6.3.9 */
enum { CR0_SMMUEN = 1 << 0, CR0_EVENTQEN = 1 << 2, CR0_CMDQEN = 1 << 3 };

/* 4.1.1: the first byte of a command. */
enum { SMMU_COMMAND_SIZE = 16 };
enum {
    CMD_PREFETCH_CONFIG = 0x01,
    CMD_PREFETCH_ADDR = 0x02,
    CMD_CFGI_STE = 0x03,
    CMD_CFGI_STE_RANGE = 0x04,
    CMD_CFGI_CD = 0x05,
    CMD_CFGI_CD_ALL = 0x06,
    CMD_TLBI_NH_ALL = 0x10,
    CMD_TLBI_NH_ASID = 0x11,
    CMD_TLBI_NH_VA = 0x12,
    CMD_TLBI_NH_VAA = 0x13,
    CMD_TLBI_S12_VMALL = 0x28,
    CMD_TLBI_S2_IPA = 0x2a,
    CMD_TLBI_NSNH_ALL = 0x30,
    CMD_RESUME = 0x44,
    CMD_STALL_TERM = 0x45,
    CMD_SYNC = 0x46,
};

#endif
