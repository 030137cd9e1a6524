#!/usr/bin/env python3
"""A guest looked at from Python, cell by cell. In the root of the project, with libqvm built:

    QVM_LIBRARY=build/release/libqvm.so PYTHONPATH=python python3 python/tour.py
"""
# %% A machine, before its first instruction
import qvm

exits = []
m = qvm.Machine('configs/hello-arm64.qvmconf', on_exit=exits.append)
print('begins at PC', hex(m.register('pc')), 'with', m.vcpu_counts[0], 'vCPU')

# %% How the address of its UART is translated, and who answers there
print(m.explain(0x09000000, space=qvm.PHYSICAL, access=qvm.WRITE))

# %% To its first words; what it was just doing
print(m.run_to_text('Hello').name, 'after', m.instructions, 'instructions:', m.printed())
print('the last exit:', exits[-1])

# %% From here two ways: the one it goes, and one with another text in its memory
here = m.snapshot()
m.run()
print(m.printed().decode(), m.ending(), m.digest())

m.restore(here)
image = m.read(0x40080000, 4096)
m.write(0x40080000 + image.index(b'EL1'), b'EL7')
m.run()
print(m.printed().decode(), m.ending(), m.digest())

# %% How often it left to the hypervisor, and what for
for reason in sorted({x.reason for x in exits}):
    print(reason, sum(x.reason == reason for x in exits))
m.close()
