/* Fields of an SMMUv3's structures in memory (Arm IHI 0070, 4.1 and chapter 5): of 64-bit word
 * `word`, bits `high` to `low`. As arguments of smmu_field: smmu_field(ste->word, STE_CONFIG). */
#ifndef MMU_SMMU_SMMU_FORMAT_H
#define MMU_SMMU_SMMU_FORMAT_H

#include <stdint.h>

static inline uint64_t smmu_field(const uint64_t *words, unsigned word, unsigned high, unsigned low)
{
    return words[word] >> low & (~(uint64_t)0 >> (63 - (high - low)));
}

/* 5.1 Level 1 stream table descriptor; 5.3 level 1 context descriptor */
#define L1STD_SPAN 0, 4, 0
#define L1STD_PTR  UINT64_C(0x00ffffffffffffc0)
#define L1CD_V     0, 0, 0
#define L1CD_PTR   UINT64_C(0x00fffffffffff000)

/* 5.2 Stream table entry */
#define STE_V        0, 0, 0
#define STE_CONFIG   0, 3, 1
#define STE_S1FMT    0, 5, 4
#define STE_S1CDMAX  0, 63, 59
#define STE_S1CTXPTR UINT64_C(0x00ffffffffffffc0) /* of word 0 */
#define STE_S1DSS    1, 1, 0
#define STE_S2FWB    1, 25, 25
#define STE_S1STALLD 1, 27, 27
#define STE_STRW     1, 31, 30
#define STE_PRIVCFG  1, 49, 48
#define STE_INSTCFG  1, 51, 50
#define STE_S2VMID   2, 15, 0
#define STE_S2T0SZ   2, 37, 32
#define STE_S2SL0    2, 39, 38
#define STE_S2TG     2, 47, 46
#define STE_S2PS     2, 50, 48
#define STE_S2AA64   2, 51, 51
#define STE_S2ENDI   2, 52, 52
#define STE_S2AFFD   2, 53, 53
#define STE_S2PTW    2, 54, 54
#define STE_S2HD     2, 55, 55
#define STE_S2HA     2, 56, 56
#define STE_S2S      2, 57, 57
#define STE_S2R      2, 58, 58
#define STE_S2TTB    UINT64_C(0x000ffffffffffff0) /* of word 3 */
enum { CONFIG_ABORT = 0, CONFIG_BYPASS = 4, CONFIG_STAGE1 = 1, CONFIG_STAGE2 = 2 };

/* 5.4 Context descriptor */
#define CD_T0SZ 0, 5, 0
#define CD_TG0  0, 7, 6
#define CD_EPD0 0, 14, 14
#define CD_ENDI 0, 15, 15
#define CD_T1SZ 0, 21, 16
#define CD_TG1  0, 23, 22
#define CD_EPD1 0, 30, 30
#define CD_V    0, 31, 31
#define CD_IPS  0, 34, 32
#define CD_AFFD 0, 35, 35
#define CD_WXN  0, 36, 36
#define CD_TBI0 0, 38, 38
#define CD_TBI1 0, 39, 39
#define CD_PAN  0, 40, 40
#define CD_AA64 0, 41, 41
#define CD_HD   0, 42, 42
#define CD_HA   0, 43, 43
#define CD_S    0, 44, 44
#define CD_R    0, 45, 45
#define CD_A    0, 46, 46
#define CD_ASID 0, 63, 48
#define CD_HAD0 1, 1, 1
#define CD_HAD1 2, 1, 1
#define CD_TTB  UINT64_C(0x000ffffffffffff0) /* of words 1 and 2 */
#define CD_MAIR 3, 63, 0

#endif
