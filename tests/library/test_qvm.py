"""The module over the library: test_qvm.py QVM, in the root of the project. Prints what fails."""
import json
import subprocess
import sys
import threading

import qvm

HELLO = 'configs/hello-arm64.qvmconf'


def programs_digest(*words):
    done = subprocess.run([sys.argv[1], 'run', '--no-record', *words], stdin=subprocess.DEVNULL, capture_output=True)
    return done.stderr.decode().split()[-1]


def bare(name):
    return ['@configs/test-arm64.qvmconf', 'load build/guests/tests/%s.elf' % name]


def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except qvm.Error as e:
        return e.status, str(e)
    return 0, ''


def a_run_is_that_of_the_program():
    pieces, exits = [], []
    with qvm.Machine(HELLO, on_output=lambda vm, device, data: pieces.append((vm, device, data)),
                     on_exit=exits.append) as m:
        assert m.exit_status is None and m.ending() == ''
        assert m.run() is qvm.Stop.END
        assert m.digest() == programs_digest(HELLO)
        assert m.printed() == b'Hello from EL1\n' == b''.join(data for _, _, data in pieces)
        assert {(vm, device) for vm, device, _ in pieces} == {(0, 'pl011')}
        assert (m.exit_status, m.instructions, m.time_ns, m.vcpu_counts) == (0, 66, 66, [1])
        assert m.ending() == 'the guest powered off' and m.ending(1) is None
        assert exits[-1].reason == 'hvc' and exits[-1].instructions == 66, exits[-1]


def runs_stop():
    with qvm.Machine(HELLO) as m:
        first = m.register('pc')
        assert m.run(1) is qvm.Stop.INSTRUCTION and m.register('pc') == first + 4
        assert m.run_to_exit() is qvm.Stop.EXIT and m.instructions == 5
        assert m.run_to_text('from') is qvm.Stop.TEXT and m.printed() == b'Hello from'
        assert m.run() is qvm.Stop.END and m.digest() == programs_digest(HELLO)


def callbacks_may_raise():
    def on_output(*_):
        raise KeyError('enough')
    with qvm.Machine(HELLO, on_output=on_output) as m:
        try:
            m.run()
            assert False, 'it went on'
        except KeyError:
            assert m.printed() == b'H'


def input_reaches_the_guest():
    with qvm.Machine(bare('echo')) as m:
        assert m.run_to_text('> ') is qvm.Stop.TEXT
        m.input('hey\nq')
        assert m.run() is qvm.Stop.END and m.printed() == b'> hey\n> q'
    with qvm.Machine(['@tests/guest/vms/actor.qvmconf', 'cmdline wait']) as m:
        assert m.run() is qvm.Stop.WAITS
        m.end_input()
        assert m.run() is qvm.Stop.END and 'nothing will wake it' in m.ending()


def snapshots_go_back():
    with qvm.Machine(bare('lazyfp')) as m:
        m.run(600000)
        s = m.snapshot()
        m.run()
        digest = m.digest()
        m.restore(s)
        assert m.instructions == 600000
        del s
        m.run()
        assert m.digest() == digest == programs_digest('configs/test-arm64.qvmconf', 'load',
                                                       'build/guests/tests/lazyfp.elf')


def state_can_be_looked_at():
    with qvm.Machine(HELLO) as m:
        m.write(0x42000ff0, b'across a page' * 10)
        assert m.read(0x42000ff0, 130) == b'across a page' * 10
        assert m.read(m.register('pc'), 4, space=qvm.VIRTUAL) == m.read(m.register('pc'), 4)
        m.set_register('v1', 1 << 100)
        assert m.register('v1') == 1 << 100 and 'pc' in m.register_names()
        assert 'pl011' in m.explain(0x09000000, space=qvm.PHYSICAL, access=qvm.WRITE)
        assert json.loads(m.explain(m.register('pc'), access=qvm.FETCH, json=True))


def mistakes_raise():
    assert refused(qvm.Machine, 'tests/library/bad.qvmconf')[0] == 65
    assert refused(qvm.Machine, 'tests/library/bad.qvmconf')[1].startswith('[bad.qvmconf:3] ')
    m = qvm.Machine(HELLO)
    assert refused(m.read, 0x09000000, 4) == (2, 'there is no memory at guest-physical address 0x9000000')
    assert refused(m.register, 'rax') == (2, "arm64 has no register 'rax'")
    m.close()
    assert refused(m.run) == (2, 'the machine is closed')


def a_closed_machine_says_so():
    m = qvm.Machine(HELLO)
    m.run()
    s = m.snapshot()
    m.close()
    m.close()
    m.stop()
    assert m.printed() == b'Hello from EL1\n'
    closed = (2, 'the machine is closed')
    for call, *arguments in ((m.run,), (m.run_to_text, 'x'), (m.run_to_exit,), (m.input, 'x'), (m.end_input,),
                             (m.ending,), (m.digest,), (m.read, 0x40000000, 4), (m.write, 0x40000000, b'x'),
                             (m.register_names,), (m.register, 'pc'), (m.set_register, 'pc', 0),
                             (m.explain, 0x40000000), (m.snapshot,), (m.restore, s)):
        assert refused(call, *arguments) == closed, call
    for name in ('instructions', 'time_ns', 'exit_status', 'vcpu_counts'):
        assert refused(getattr, m, name) == closed, name


def several_vms_are_one_machine():
    with qvm.Machine('configs/two-vms-a.qvmconf', 'configs/two-vms-b.qvmconf', limit_instructions=200000) as m:
        m.end_input()
        m.run()
        assert len(m.vcpu_counts) == 2
        assert m.digest() == programs_digest('--limit-insns', '200000', 'configs/two-vms-a.qvmconf',
                                             'configs/two-vms-b.qvmconf')


def threads_do_not_see_each_other():
    found = {}

    def work(number, name):
        with qvm.Machine(bare(name)) as m:
            m.run()
            found[number] = m.digest()
    names = ['lazyfp', 'timers', 'lazyfp']
    threads = [threading.Thread(target=work, args=(i, name)) for i, name in enumerate(names)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, name in enumerate(names):
        assert found[i] == programs_digest('configs/test-arm64.qvmconf', 'load', 'build/guests/tests/%s.elf' % name)


failed = 0
for test in (a_run_is_that_of_the_program, runs_stop, callbacks_may_raise, input_reaches_the_guest, snapshots_go_back,
             state_can_be_looked_at, mistakes_raise, a_closed_machine_says_so, several_vms_are_one_machine,
             threads_do_not_see_each_other):
    try:
        test()
    except (AssertionError, qvm.Error) as e:
        failed += 1
        print('FAILED  %s, line %d: %s' % (test.__name__, e.__traceback__.tb_next.tb_lineno, e))
sys.exit(failed != 0)
