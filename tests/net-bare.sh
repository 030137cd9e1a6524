#!/usr/bin/env bash
# net-bare.sh QVM [--short]: two bare-metal guests (tests/guest/net.c) exchange frames, card to card and over a
# switch; and one of them starts again while frames wait for it, which are gone then, and some of its
# own for the other, which arrive. Each run is recorded, and ends in the same state when it is
# replayed, from a snapshot, by its exits, under chaos, and for a debugger that goes back and forth
# over the frames. Prints failures, and a count. --short: on the switch, and under one seed, for slow builds.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/net-bare.sh QVM [--short]}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" "${2:-}" <<'PYTHON'
import random
import re
import sys
from support import Peer, Run, Server, finish, verdict

qvm, work, short = sys.argv[1:]
links, seeds = (['switch'], 1) if short else (['peer', 'switch'], 12)
MODES = 'exchange', 'restart'


def pair(mode, link):
    """Files of two VMs that do that over that link."""
    files = []
    for who in 'ab':
        with open('tests/guest/net-%s.qvmconf' % who) as f:
            text = f.read().replace('00:0' + who, '%02x:0%s' % (mode, who))
        if link == 'switch':
            text = re.sub('peer .*', 'peer /dev/vdevpeers/vp3', text)
        files.append('%s/%s%d-%s.qvmconf' % (work, who, mode, link))
        with open(files[-1], 'w') as f:
            f.write(text)
    return ['--on-exit', 'restart', *files]


def problem_of(run, mode):
    """The guests' own verdicts, and how often the first has started again."""
    problem = run.problem(0)
    for who in 'ab':
        if not re.search(r'^[1-9]\d+ checks passed, 0 failed$', '\n'.join(run.of(who)), re.M):
            problem = problem or '%s says %r' % (who, run.of(who))
    if run.err.count('VM a starts again') != mode:
        problem = problem or 'starts again: %r' % run.err
    return problem


def recorded(name, mode, words):
    trace = '%s/%s.qtrace' % (work, name)
    run = Run([qvm, 'record', '-o', trace, '--exits', '--snapshot-every', '200000', *words])
    verdict(name, problem_of(run, mode))
    end = int(re.search(r'(\d+) instructions', run.err)[1])
    for options in [], ['--from', str(end // 3)], ['--from', str(end * 4 // 5)]:
        again = Run([qvm, 'replay', *options, trace])
        verdict('%s, replay %s' % (name, options),
                '' if again.digest == run.digest else again.err[-300:])
    exits = Run([qvm, 'replay', '--exits', trace])
    verdict(name + ', exits', exits.problem(0, 'all as recorded'))
    return trace, run, end


def travel(name, trace, run, end):
    """Digests at moments in the order of time, and in any other: the same; and where a breakpoint
    is met on the way back, in what both VMs execute."""
    server = Server(qvm, 'gdb', '--port', '0', trace)
    peer = Peer(server.place)
    chance = random.Random(1)
    moments = sorted(chance.randrange(end) for _ in range(12)) + [end]
    digests = {}
    for moment in moments:
        peer.monitor('seek %d' % moment)
        digests[moment] = peer.monitor('digest').strip()
    verdict(name + ', the end for gdb', '' if digests[end] == run.digest else digests[end])
    verdict(name + ', moments differ', '' if len(set(digests.values())) == len(set(moments)) else repr(digests))
    chance.shuffle(moments)
    for moment in moments:
        peer.monitor('seek %d' % moment)
        there = peer.monitor('digest').strip()
        verdict('%s, back to %d' % (name, moment), '' if there == digests[moment] else there)
    peer.monitor('seek %d' % (end // 2))
    point = peer.pc()
    peer.monitor('seek %d' % end)
    peer.ask('Z1,%x,4' % point)
    hits = []
    for _ in range(4):
        peer.ask('bc')
        when = int(re.search(r'instruction (\d+)', peer.monitor('when'))[1])
        hits.append((when, peer.monitor('digest').strip()))
    verdict(name + ', backwards to a breakpoint',
            '' if all(a > b for (a, _), (b, _) in zip(hits, hits[1:])) else repr(hits))
    for when, digest in hits[::-1]:
        peer.monitor('seek %d' % when)
        there = peer.monitor('digest').strip()
        verdict('%s, breakpoint at %d' % (name, when), '' if there == digest else there)
    peer.ask('z1,%x,4' % point)
    peer.ask('D')
    server.end()


for link in links:
    for mode, does in enumerate(MODES):
        words = pair(mode, link)
        name = '%s, %s' % (does, link)
        trace, run, end = recorded(name, mode, words)
        travel(name, trace, run, end)
        plain = Run([qvm, 'chaos', '--seeds', str(seeds), *words])
        verdict(name + ', under chaos', plain.problem(0, 'no run failed: %d seed' % seeds))
        disturbed = '%s/chaos.qtrace' % work
        run = Run([qvm, 'record', '-o', disturbed, '--exits', '--chaos', '7', *words])
        verdict(name + ', under seed 7', problem_of(run, mode))
        verdict(name + ', its replay', Run([qvm, 'replay', disturbed]).differs(run))
finish()
PYTHON
