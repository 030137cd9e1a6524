#!/usr/bin/env bash
# testing.sh QVM: `qvm test` on tests that pass, fail, are skipped and are no tests; its reports; what it
# leaves behind. tests/guest/programs.qvmtest is the large example.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/testing.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
root="$PWD" guests="$PWD/build/guests/tests"
export root guests
mkdir "$work/t"
cd "$work/t" || exit 2

# runs STATUS ARGUMENT...: `qvm test`, whose output goes to $work/out and $work/err.
runs() {
    local status=0 expected="$1"
    shift
    limited 60 "$qvm" test "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    verdict "test $*" "$([ $status = "$expected" ] || echo "status $status instead of $expected: $(head -3 "$work/out" "$work/err")")"
}

# says TEXT...: each is in the output.
says() {
    local text
    for text; do
        verdict "says '$text'" "$(grep -qF -- "$text" "$work/out" "$work/err" || head -20 "$work/out" "$work/err")"
    done
}

# a_test: the file a.qvmtest, from standard input.
a_test() {
    cat >a.qvmtest
}

machine='vm { ram 0x40000000,128M set semihosting on vdev gic gicd 0x08000000 gicr 0x080a0000
    vdev pl011 loc 0x09000000 intr gic:33 hostdev - load $env{guests}/hello.elf }'

# What passes
a_test <<<"$machine"
runs 0
says 'passed   a.qvmtest  ' '1 passed, 0 failed in '
check 'nothing is left' [ ! -e qvm-failures ]
cat >both.qvmtest <<END
limit 1s
test hello $machine
    expect console /^Hello from EL1\$/ within 100us expect status 0 expect exit 0
    expect exits mmio >= 14 expect exits all < 100 expect no-fault expect repeatable
    expect not /panic/i expect digest 00000000
test twice matrix cpu-model a57,max matrix vcpus 1,2 tags two,quick $machine chaos seeds 2
test not-here skip if missing nowhere $machine
test elsewhere skip if env guests $machine
END
runs 1 both.qvmtest
says 'passed   both.qvmtest:twice[cpu-model=a57,vcpus=1]' 'passed   both.qvmtest:twice[cpu-model=max,vcpus=2]' \
    'skipped  both.qvmtest:not-here  there is no nowhere' 'skipped  both.qvmtest:elsewhere  guests is set' \
    'FAILED   both.qvmtest:hello' '[both.qvmtest:6] the digest is ' '    | Hello from EL1' \
    'to see it again: qvm replay qvm-failures/both.qvmtest.hello.qtrace' '4 passed, 1 failed, 2 skipped in '
digest="$(sed -n 's/.*the digest is \([0-9a-f]*\).*/\1/p' "$work/out")"
status=0
limited 60 "$qvm" replay qvm-failures/both.qvmtest.hello.qtrace >/dev/null 2>"$work/err" || status=$?
check 'its trace replays' [ $status = 0 ]
says "digest $digest"
sed -i "s/expect digest 00000000/expect digest ${digest:0:8}/" both.qvmtest
rm -r qvm-failures
runs 0 both.qvmtest
runs 0 both.qvmtest --tags quick
says '4 passed, 0 failed in '
runs 0 both.qvmtest --tags '!two'
says '1 passed, 0 failed, 2 skipped in '
runs 0 both.qvmtest:twice -j1
says '4 passed, 0 failed in '
runs 0 'both.qvmtest:twice[cpu-model=max,vcpus=2]'
says '1 passed, 0 failed in '
runs 0 --list both.qvmtest
check 'seven ways' [ "$(wc -l <"$work/out")" = 7 ]

# Images and recordings need no file
cp "$root/traces/hello.qtrace" .
runs 0 "$guests/hello.elf" hello.qtrace
runs 1 "$guests/doublefault.elf" -j 1
says 'takes the same exception for ever' 'doublefault.elf'
rm -r qvm-failures
head -c 100 hello.qtrace >cut.qtrace
runs 1 cut.qtrace
says 'the replay does not agree'
rm cut.qtrace
[ ! -e qvm-failures ] || rm -r qvm-failures

# What fails, and why
fails() {
    { echo "$machine"; echo "$1"; } >a.qvmtest
    runs 1 a.qvmtest
    shift
    says "$@"
}
fails 'expect console /Goodbye/' '[a.qvmtest:3] /Goodbye/ was not printed: the guest powered off' '    | Hello from EL1'
fails 'expect not /Hel+o/' '[a.qvmtest:3] /Hel+o/ was printed'
fails 'expect console /EL1/ within 1ns' '[a.qvmtest:3] /EL1/ did not come within 0.000000001 s'
fails 'expect console /EL1/ expect console /Hello/' '[a.qvmtest:3] /Hello/ was not printed behind /EL1/ (line 3): the guest powered off'
fails 'expect status 67' '[a.qvmtest:3] status 0, and not 67: the guest powered off'
fails 'expect exit 32' '[a.qvmtest:3] exit status 0, and not 32'
fails 'expect exits mmio < 5' 'guest exits mmio, and not less than 5'
fails 'send "x" after /Goodbye/' '[a.qvmtest:3] was not sent: /Goodbye/ was not printed; the guest powered off'
fails 'expect console /Hello/ expect console /^ from/' '[a.qvmtest:3] /^ from/ was not printed behind /Hello/ (line 3)'
fails 'limit 20ns' 'time limit reached'
fails 'limit 10 instructions' 'instruction limit reached'
fails 'expect console /x/ of another' "[a.qvmtest:3] there is no VM 'another'"
fails 'with load nowhere.elf' "cannot open 'nowhere.elf'"
fails 'expect output golden.txt' "cannot open 'golden.txt': No such file or directory (--rebaseline writes it)"
runs 0 a.qvmtest --rebaseline
runs 0 a.qvmtest
check 'the golden file' grep -q '^Hello from EL1' golden.txt
sed -i 's/EL1/EL2/' golden.txt
runs 1 a.qvmtest
says "line 1 of what was printed is 'Hello from EL1', and 'Hello from EL2' in golden.txt"

# Names: each trace is the failure of one test, and any file name will do
mkdir -p one two 'a "b"'
{ echo "$machine"; echo 'expect status 67'; } | tee one/t.qvmtest >two/t.qvmtest
sed -i 's/67/0/' two/t.qvmtest
runs 1 -j1 one two
check 'the trace of another test stays' [ -e "$(sed -n 's/.*qvm replay //p' "$work/out")" ]
odd='a "b"/$env{x} #'
cp "$guests/hello.elf" "$odd.bin"
cp hello.qtrace "$odd.qtrace"
echo "$machine" >"$odd.qvmtest"
runs 0 "$odd.bin" 'a "b"'
echo "$machine" >$'line\nfeed.qvmtest'
runs 0 $'line\nfeed.qvmtest' --tap -
check 'TAP: a name is in one line' [ "$(wc -l <"$work/out")" = 3 ]
rm -r one two 'a "b"' $'line\nfeed.qvmtest'
deep="$(printf 'deep/%.0s' {1..40})"
mkdir -p "$deep"
echo "$machine" >"$deep/t.qvmtest"
runs 2 deep
says "is too deep in its folders to be looked for: name it"
runs 0 "$deep/t.qvmtest"
rm -r deep
mkdir odd
mkfifo odd/fifo.qvmtest
echo "$machine" >odd/t.qvmtest
ln -s .. odd/loop
runs 0 odd
rm -r odd
# As many at a time as the host has room for
before="$(ulimit -Sn)"
ulimit -Sn 16
runs 0 both.qvmtest:twice -j 8
ulimit -Sn "$before"

# Reports
runs 1 a.qvmtest both.qvmtest --junit j.xml --tap t.tap --json t.json --github
says '::error file=a.qvmtest,line=3,title=a.qvmtest::line 1 of what'
check 'JUnit' python3 -c "
import xml.etree.ElementTree as E
r = E.parse('j.xml').getroot()
assert r.attrib['tests'] == '8' and r.attrib['failures'] == '1' and r.attrib['skipped'] == '2', r.attrib
assert len(r.findall('testsuite/testcase')) == 8 and len(r.findall('testsuite/testcase/failure')) == 1"
check 'JSON' python3 -c "
import json
lines = [json.loads(l) for l in open('t.json')]
assert lines[-1]['passed'] == 5 and lines[-1]['failed'] == 1 and len(lines) == 9
assert [l for l in lines if l.get('digest', '').startswith('${digest:0:8}')]"
check 'TAP' [ "$(sed -n 1,2p t.tap | tr '\n' ' ')" = 'TAP version 14 1..8 ' ]
check 'TAP: not ok' [ "$(grep -c '^not ok' t.tap)" = 1 ]
check 'TAP: skipped' [ "$(grep -c '# SKIP' t.tap)" = 2 ]
runs 1 a.qvmtest --tap -
check 'TAP alone on standard output' [ "$(head -1 "$work/out")" = 'TAP version 14' ]
GITHUB_ACTIONS=true runs 1 a.qvmtest
says '::error file=a.qvmtest'

# What is typed: at the same instruction in each run, and in its trace
echo="${machine/hello/echo}"
a_test <<END
$echo
send "first\n" after /^> / send "second\x41q" after /^> / send "never" after /nothing/
expect repeatable
END
runs 1 a.qvmtest
says '[a.qvmtest:3] was not sent: /nothing/ was not printed' '    | > secondAq'
status=0
limited 60 "$qvm" replay --verify qvm-failures/a.qvmtest.qtrace >/dev/null 2>"$work/err" || status=$?
check 'its trace replays' [ $status = 0 ]
sed -i 's/ send "never.*//; s/"first/"\\x4/; s/ q"/q"/' a.qvmtest
runs 65 a.qvmtest
says '[a.qvmtest:3] a backslash here is for'
sed -i 's/"\\x4/"first/' a.qvmtest
runs 0 a.qvmtest
a_test <<END
$echo
send "x" after /^> /
expect console /> x/
END
runs 0 a.qvmtest --json t.json # it goes on for ever, and is ended
check 'where it ends' grep -q '"status":3,' t.json
rm -rf qvm-failures

# No tests
a_test <<'END'
expect consle /x/
limit 5 seconds
vm nothere.qvmconf
send "x\q"
expect exits mmi < 3
expect console /a(b/
test a
test a
matrix foo 1,2
chaos seeds 0
vm {
END
runs 65 a.qvmtest
says "[a.qvmtest:1] nothing can be expected of 'consle' (did you mean 'console'?)" \
    "[a.qvmtest:2] '5' is no time: a whole number and s, ms, us or ns (\`5s\`)" \
    '[a.qvmtest:4] a backslash here is for' \
    "[a.qvmtest:5] there are no guest exits 'mmi' (did you mean 'mmio'?)" \
    '[a.qvmtest:6] the regular expression /a(b/ has a ( without its )' \
    "[a.qvmtest:8] a second test 'a'" \
    "[a.qvmtest:9] 'foo' is neither \`vcpus\` nor a variable of \`set\`" \
    '[a.qvmtest:10] no seeds are no test' "[a.qvmtest:11] 'vm {' has no '}'"
{ echo "$machine"; echo 'with set cpu-model none'; } | a_test
runs 65 a.qvmtest
says "[a.qvmtest:3] unknown CPU model 'none' (a57, a53, a72 or max)"
{ echo "$machine"; echo 'with cpu'; echo 'matrix vcpus 1,2'; } | a_test
runs 65 a.qvmtest
says '[a.qvmtest:4] `matrix vcpus` is for VMs whose configuration has no `cpu`: this one has 1 of its own'
{ echo "$machine"; echo 'matrix cpu-model a57,a99'; } | a_test
runs 65 a.qvmtest
says "[a.qvmtest:3] unknown CPU model 'a99'"
{ echo "$machine"; echo 'matrix cpu-model "a57 cpu",max'; } | a_test
runs 65 a.qvmtest
says "[a.qvmtest:3] unknown CPU model 'a57 cpu'"
{ echo "$machine"; echo 'matrix vcpus 1,2,1'; echo 'matrix vcpus 1 matrix vcpus 2'; } | a_test
runs 65 a.qvmtest
says "[a.qvmtest:3] '1' is there twice" "[a.qvmtest:4] a second matrix of 'vcpus'"
many="$(seq -s, 64)"
{ echo "$machine"; printf 'matrix %s '"$many"'\n' counter-offset clock-rate grow-heap; } | a_test
runs 65 a.qvmtest
says '[a.qvmtest:5] the test would run in more than 4096 ways'
{ echo "$machine"; echo 'limit 0s'; echo 'limit 0 instructions'; } | a_test
runs 65 a.qvmtest
says '[a.qvmtest:3] a limit of 0 leaves no time to run' '[a.qvmtest:4] a limit of 0 leaves no time to run'
a_test </dev/null
runs 65 a.qvmtest
says '[a.qvmtest:1] the test has nothing to run: `vm`, `from` or `trace`'
runs 2 nowhere.qvmtest
runs 2 nowhere.elf
says "there is no 'nowhere.elf'"
echo 'some text' >text.txt
runs 2 text.txt
says "'text.txt' is no test: neither"
runs 2 both.qvmtest --junit nowhere/j.xml
says "cannot open 'nowhere/j.xml'"
runs 2 both.qvmtest:nope
says "there is no test 'nope' in 'both.qvmtest'"
runs 2 both.qvmtest --tags none
says 'there are no tests (*.qvmtest) there with such tags'
runs 2 -j 0 both.qvmtest
says "-j wants a number from 1 to 256, not '0'"
runs 2 both.qvmtest --junit both.qvmtest
says "the report would replace the test 'both.qvmtest'"
runs 2 --nope
says "unknown option '--nope' of test"

# A fault on purpose that cannot be is told as such
limited 60 "$qvm" run "$root/configs/test-arm64.qvmconf" load "$guests/hello.elf" \
    inject flip vcpu0:FPCR,0 at insn=15 >"$work/out" 2>"$work/err" </dev/null
says 'flip vcpu0:FPCR,0 at insn=15, not done: the register has no such bit'

# Interrupted: what has run is reported
printf 'limit 1000s\nexpect status 67\nvm { ram 0x40000000,128M load %s/endless.elf }\n' "$guests" >long.qvmtest
status=0
timeout -s INT 3 "$qvm" test "$guests/hello.elf" long.qvmtest --json i.json >"$work/out" 2>"$work/err" </dev/null || status=$?
says '1 passed, 0 failed in ' 'qvm: interrupted: 1 of 2 tests have not ended'
check 'its report' grep -q '"passed":1' i.json

# Whoever started it is gone: so are the processes of its tests.
rm -rf qvm-failures
printf 'limit 1000s\nexpect status 67\nvm { ram 0x40000000,128M load %s/endless.elf }\n' "$guests" >long.qvmtest
"$qvm" test long.qvmtest >/dev/null 2>&1 </dev/null &
parent=$!
for ((i = 0; i < 100; i++)); do
    child="$(pgrep -P $parent)" && break
    sleep 0.05
done
{ kill -KILL $parent; wait $parent; } 2>/dev/null
for ((i = 0; i < 100 * ${QVM_SLOWNESS:-1}; i++)); do
    kill -0 "$child" 2>/dev/null || break
    sleep 0.1
done
check 'its processes end with it' [ "$i" -lt $((100 * ${QVM_SLOWNESS:-1})) ]
finish
