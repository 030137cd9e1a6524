/* Does a program that is linked with Unicorn's archive work? One load through its slow path. */
#include <unicorn/unicorn.h>

int main(void)
{
    static const unsigned code[] = {0xf9400001, 0x14000001}; /* ldr x1, [x0]; b .+4 */
    uint64_t at = 0x1000, value = 0;
    uc_engine *uc;
    return uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &uc) || uc_mem_map(uc, 0, 0x10000, UC_PROT_ALL) ||
           uc_mem_write(uc, at, code, sizeof code) || uc_reg_write(uc, UC_ARM64_REG_X0, &at) ||
           uc_emu_start(uc, at, at + sizeof code, 0, 0) ||
           uc_reg_read(uc, UC_ARM64_REG_X1, &value) || value != 0x14000001f9400001u;
}
