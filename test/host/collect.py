#!/usr/bin/env python3
"""The collector as a user meets it: this machine against dpkg's own list, generated histories against their truth, and what goes wrong."""
import glob
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

SOURCE, BUILD = sys.argv[1], sys.argv[2]
MUSTER = BUILD + '/muster'
MAKE = SOURCE + '/test/host/make_history.py'
SHARED = SOURCE + '/../shared/tools/gen_history.py'
failures = 0


def check(what, ok, detail=''):
    global failures
    failures += not ok
    print('%s %s%s' % ('ok  ' if ok else 'FAIL', what, '' if ok else ': ' + str(detail)[:2000]), flush=True)


def muster(*arguments, before=None, **environment):
    env = dict(os.environ, TZ='UTC', **environment)
    return subprocess.run([MUSTER, *arguments], capture_output=True, text=True, env=env, preexec_fn=before)


def rows(text):
    return [line.split('\t') for line in text.splitlines()]


def listed(state):
    return sorted(tuple(r[1:4]) for r in rows(muster('list', '--installed', '--plain', '--state', state).stdout) if r[4] != 'tags')


def this_machine(work):
    if not shutil.which('dpkg-query'):
        print('skip this machine: no dpkg-query')
        return
    own = subprocess.run(['dpkg-query', '-W', '-f', '${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n'],
                         capture_output=True, text=True, check=True).stdout
    wanted = sorted(tuple(r[1:]) for r in rows(own) if r[0] not in ('not-installed', 'config-files'))
    run = muster('collect', '--state', work + '/own')
    check('collect of this machine', run.returncode in (0, 3), run)
    check('list equals dpkg\'s own list', listed(work + '/own') == wanted, set(listed(work + '/own')) ^ set(wanted))
    check('check agrees', muster('check', '--state', work + '/own').returncode == 0)
    for command in ('collect', 'list', 'history', 'check'):
        run = muster(command, '--json', '--state', work + '/own')
        check(command + ' --json is a document', json.loads(run.stdout).get('schema') == 'muster.%s/1' % command, run.stdout[:200])
    run = muster('scan', '--json')
    check('scan --json', json.loads(run.stdout)['schema'] == 'muster.scan/1' and len([i for i in json.loads(run.stdout)['items'] if i['source'] != 'tags']) == len(wanted), run)
    check('scan', 'packages installed' in muster('scan').stdout)


def against_truth(work, name, options, exact, installed_only=False):
    """A generated root: the installed set, and every event with its time where the logs tell it."""
    root, state = '%s/%s' % (work, name), '%s/%s.state' % (work, name)
    subprocess.run([sys.executable, MAKE, *options[:1], root, *options[1:]], check=True)
    with open(root + '/truth.json') as f:
        truth = json.load(f)
    run = muster('collect', '--root', root, '--state', state)
    check(name + ': collect', run.returncode == 0, run)
    check(name + ': installed set', listed(state) == sorted(tuple(p[:3]) for p in truth['installed']))
    events = json.loads(muster('history', '--json', '--state', state).stdout)['items']
    check(name + ': EIDs', [e['eid'] for e in events] == list(range(1, len(events) + 1)))
    times = [e['time'] for e in events]
    check(name + ': EIDs ascend with the times', times == sorted(times))
    if not installed_only:
        told = [e for e in events if e['precision'] != 'bound']
        # Of a package of architecture `all` that is long gone apt's log tells no more than the native architecture.
        native = (lambda arch: arch) if exact else (lambda arch: 'amd64' if arch == 'all' else arch)
        got = sorted((e['time'] if exact else '', e['action'], e['name'], e['version'], native(e['arch']), e.get('command', '')) for e in told)
        want = sorted((e[0] if exact else '', e[1], e[2], e[3], native(e[4]), e[6]) for e in truth['events'])
        check(name + ': events', got == want, [x for x in zip(got, want) if x[0] != x[1]][:3])
        bound = [e for e in events if e['precision'] == 'bound']
        check(name + ': what is older than the logs comes first', bound == events[:len(bound)])
    check(name + ': check', muster('check', '--root', root, '--state', state).returncode == 0)
    again = muster('collect', '--json', '--root', root, '--state', state)
    check(name + ': nothing new', json.loads(again.stdout)['new_events'] == 0)
    shutil.rmtree(root)


def shared_history(work):
    """The generator that the other implementation was measured with."""
    if not os.path.exists(SHARED):
        print('skip the shared generator: not here')
        return
    for seed in '12345':
        root, state = work + '/shared' + seed, work + '/shared%s.state' % seed
        subprocess.run([sys.executable, SHARED, '4000', root + '/var/log/apt', '--rotated', '4', '--seed', seed], check=True,
                       stdout=subprocess.DEVNULL)
        with open(root + '/var/log/apt/truth.json') as f:
            truth = json.load(f)
        os.makedirs(root + '/var/lib/dpkg')
        with open(root + '/var/lib/dpkg/status', 'w') as f:
            for name, version in truth['installed'].items():
                f.write('Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n\n' % (name, truth['arch'][name], version))
        run = muster('collect', '--root', root, '--state', state)
        wanted = sorted((n, v, truth['arch'][n]) for n, v in truth['installed'].items())
        check('shared seed %s' % seed, run.returncode == 0 and listed(state) == wanted, run)
        stat = truth['stat']
        unproved = 0 # of what a run that failed reinstalled nobody knows whether it was done
        for log in glob.glob(root + '/var/log/apt/history.log*'):
            with (gzip.open if log.endswith('.gz') else open)(log, 'rt') as f:
                for transaction in f.read().split('\n\n'):
                    if '\nError:' in transaction:
                        unproved += sum(line.count(' (') for line in transaction.split('\n') if line.startswith('Reinstall:'))
        events = len(rows(muster('history', '--plain', '--state', state).stdout))
        check('shared seed %s: one event a change' % seed, events == stat['items'] + stat['upgrade'] + stat['downgrade'] - unproved, (events, unproved))
        shutil.rmtree(root)


def small_root(work, name):
    root = '%s/%s' % (work, name)
    subprocess.run([sys.executable, MAKE, '40', root, '--base', '5', '--dpkg-log'], check=True)
    return root, root + '.state'


def half(path):
    """The first half of a file's lines, and all of it."""
    with open(path) as f:
        whole = f.read()
    lines = whole.splitlines(keepends=True)
    return ''.join(lines[:len(lines) // 2]), whole


def by_steps(work):
    """The same logs, read in two runs with a rotation between them, give the same events as in one."""
    root, state = work + '/steps', work + '/steps.state'
    subprocess.run([sys.executable, MAKE, '400', root, '--base', '50', '--dpkg-log'], check=True)
    log, apt = root + '/var/log/dpkg.log', root + '/var/log/apt/history.log'
    muster('collect', '--root', root, '--state', state + '1')
    first, whole = half(log)
    first_apt = open(apt).read().split('\nStart-Date: ')
    until = first.splitlines()[-1][:19].replace(' ', '  ')
    apt_part = '\nStart-Date: '.join(t for i, t in enumerate(first_apt) if i == 0 or t[:20] <= until)
    whole_apt = open(apt).read()
    for path, text in ((log, first), (apt, apt_part)):
        with open(path, 'w') as f:
            f.write(text)
    muster('collect', '--root', root, '--state', state + '2')
    for path, text, rest in ((log, whole, ''), (apt, whole_apt, '')):
        with open(path + '.1', 'w') as f:
            f.write(text)
        with open(path, 'w') as f:
            f.write(rest)
    run = muster('collect', '--root', root, '--state', state + '2')
    check('two runs: collect', run.returncode == 0 and 'gone' not in run.stderr, run)

    def told(which):
        items = json.loads(muster('history', '--json', '--state', state + which).stdout)['items']
        return sorted((e['time'], e['action'], e['name'], e['version'], e['arch']) for e in items if e['precision'] == 'exact')
    one, two = told('1'), told('2')
    # The first of the two runs saw a dpkg that was ahead of its logs: what it settled by a bound it does not settle twice.
    check('two runs: no exact event is invented', set(two) <= set(one), set(two) - set(one))
    check('two runs: check', muster('check', '--root', root, '--state', state + '2').returncode == 0)


def small_file_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))


def as_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def what_goes_wrong(work):
    root, state = small_root(work, 'wrong')
    both = ['--root', root, '--state', state]
    run = muster('check', *both)
    check('check without a journal: 4', run.returncode == 4 and 'muster collect' in run.stderr, run)
    run = muster('list', '--plain', *both)
    check('list without a journal collects first', run.returncode == 0 and rows(run.stdout), run)
    check('history of an unknown name: 4', muster('history', 'no-such-package', *both).returncode == 4)
    run = muster('list', '--sideways', *both)
    check('unknown option: 2', run.returncode == 2 and '--sideways' in run.stderr, run)
    check('bad time: 2', muster('list', '--at', 'yesterday', *both).returncode == 2)
    with open(root + '/var/lib/dpkg/status', 'a') as f:
        f.write('Package: intruder\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n')
    run = muster('check', *both)
    check('check finds a difference: 1', run.returncode == 1 and 'intruder' in run.stdout, run)
    with open(root + '/var/log/dpkg.log', 'a') as f:
        f.write('what is this\n')
    run = muster('collect', *both)
    check('a bad line is named and skipped', run.returncode == 0 and 'dpkg.log:' in run.stderr and 'not a line of dpkg.log' in run.stderr, run)
    check('and check agrees again', muster('check', *both).returncode == 0)
    with open(root + '/var/log/dpkg.log', 'a') as f:
        f.write('what is this\n' * 100)
    run = muster('collect', *both)
    check('many bad lines are counted', len(run.stderr.splitlines()) == 21 and '80 more' in run.stderr, run.stderr)
    os.remove(root + '/var/log/dpkg.log')
    run = muster('collect', *both)
    check('a missing log is said', run.returncode == 0 and 'no such log' in run.stderr, run)
    os.rename(root + '/var/lib/dpkg/status', root + '/status')
    os.mkdir(root + '/var/lib/dpkg/status')
    for command in ('collect', 'list', 'history', 'check'):
        run = muster(command, *both)
        check(command + ' of an unreadable package database: 3', run.returncode == 3 and run.stderr, run)
    run = muster('scan', '--root', root)
    check('scan of it invents neither packages nor missing logs: 3', run.returncode == 3 and 'packages are unreadable' in run.stdout and 'no logs' not in run.stdout and
          'unknown: the packages cannot be read' in run.stdout and ' 0 packages' not in run.stdout, run)
    os.rmdir(root + '/var/lib/dpkg/status')
    os.rename(root + '/status', root + '/var/lib/dpkg/status')
    os.makedirs(root + '/var/lib/pacman/local/x-1-1')
    for name, text in (('lib/pacman/local/ALPM_DB_VERSION', '9\n'), ('lib/pacman/local/x-1-1/desc', '%NAME%\nx\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n'),
                       ('log/pacman.log', '[2021-05-04T10:00:00+0000] [ALPM] installed x (1-1)\n')):
        with open(root + '/var/' + name, 'w') as f:
            f.write(text)
    sources = {s['source']: s for s in json.loads(muster('scan', '--json', '--root', root).stdout)['sources']}
    check('each source has a last change of its own', sources['pacman']['last_change'] == '2021-05-04T10:00:00Z' != sources['dpkg']['last_change'] and sources['dpkg']['readable'], sources)
    run = muster('scan', '--root', root)
    check('and says it', run.stdout.count('last change:   2021-05-04T10:00:00Z') == 1, run)
    shutil.rmtree(root + '/var/lib/pacman')
    os.remove(root + '/var/log/pacman.log')
    with open(state + '/journal.db', 'r+b') as f:
        f.write(b'x' * 5000)
    run = muster('list', *both)
    check('a damaged journal is not read', run.returncode == 70 and 'muster collect' in run.stderr, run)
    run = muster('collect', *both)
    kept = [n for n in os.listdir(state) if n.startswith('journal.db.damaged-') and not n.endswith(('-wal', '-shm'))]
    check('it is kept aside', run.returncode == 0 and len(kept) == 1 and kept[0] in run.stderr and '(new)' in run.stdout, run)
    run = muster('collect', '--root', root, '--state', state + '2', before=small_file_limit)
    check('a full disk: one clear line', run.returncode == 2 and 'full' in run.stderr and len(run.stderr.splitlines()) <= 2, run)
    run = muster('collect', '--root', root, '--state', '/proc/none')
    check('a state that cannot be made: one clear line', run.returncode == 2 and '/proc/none' in run.stderr, run)
    os.mkdir(work + '/nothing')
    run = muster('collect', '--root', work + '/nothing', '--state', state + '3')
    check('a root without packages: 3', run.returncode == 3, run)
    for other, code in ('/nothing', 3), ('/nowhere', 2):
        run = muster('list', '--root', work + other, '--state', state + '4')
        check('list of it: %d, and no state is left' % code, run.returncode == code and len(run.stderr.splitlines()) == 1
              and not os.path.exists(state + '4'), run)


def other_roots(work):
    """What an image tells never mixes with what this machine, or another image, tells of itself."""
    (one, state), (two, _) = small_root(work, 'one'), small_root(work, 'two')
    os.chmod(work, 0o755)
    os.mkdir(work + '/home')
    os.chmod(work + '/home', 0o777)
    # Not as root, whose usual state folder is this machine's.
    nobody = {'before': as_nobody if os.geteuid() == 0 else None, 'XDG_STATE_HOME': work + '/home'}
    for root in (one, two):
        run = muster('list', '--plain', '--root', root, **nobody)
        check('list of a root without a journal', run.returncode == 0 and rows(run.stdout), run)
    own = sorted(os.listdir(work + '/home/muster/roots'))
    check('each root has a state folder of its own', len(own) == 2 and '-one-' in own[0] and '-two-' in own[1], own)
    check('and this machine is none of them', os.listdir(work + '/home/muster') == ['roots'])
    muster('collect', '--root', one, '--state', state)
    before = muster('history', '--plain', '--state', state).stdout
    for command in ('collect', 'list', 'history', 'check', 'assess'):
        rest = ['127.0.0.1:9', '--ca', 'x', '--cert', 'x', '--key', 'x'] if command == 'assess' else []
        run = muster(command, *rest, '--root', two, '--state', state)
        check(command + ' of another root than the journal\'s: 2, and said how to mend it',
              run.returncode == 2 and not run.stdout and one in run.stderr and '--adopt-root' in run.stderr and run.stderr.count('\n') == 1, run)
    check('nothing was written', before == muster('history', '--plain', '--state', state).stdout)
    run = muster('collect', '--state', state)
    check('nor is this machine taken for an image', run.returncode == 2 and '--root ' + one in run.stderr, run)
    os.rename(one, one + '-moved')
    run = muster('collect', '--json', '--root', one + '-moved', '--state', state, '--adopt-root')
    check('a root that was moved', run.returncode == 0 and json.loads(run.stdout)['new_events'] == 0 and not json.loads(run.stdout)['new_epoch'], run)
    check('and check agrees', muster('check', '--root', one + '-moved', '--state', state).returncode == 0)
    run = muster('scan', '--root', one)
    check('a root that is not there: 2', run.returncode == 2 and 'No such file' in run.stderr, run)


def plain_rows(text, columns):
    return text and all(len(r) == columns for r in rows(text))


def what_scripts_get(work):
    """--plain is a table of tabs everywhere, and what is asked of a time before all history is unknown."""
    root, state = small_root(work, 'scripts')
    os.makedirs(root + '/empty')
    with open(root + '/var/lib/dpkg/status', 'a') as f:
        f.write('\nPackage: odd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0+b1~rc1-1\n')
    place = ('--root', root, '--state', state)
    run = muster('collect', '--plain', *place)
    check('collect --plain', run.returncode == 0 and plain_rows(run.stdout, 11) and run.stdout.startswith('dpkg\t'), run)
    for command in (('list', '--plain', *place), ('scan', '--plain', '--root', root)):
        run = muster(*command)
        check(command[0] + ' --plain: with since and precision', plain_rows(run.stdout, 8) and all(r[7] in ('exact', 'transaction', 'bound') for r in rows(run.stdout)), run)
        check(command[0] + ' --plain: no titles', 'NAME' not in run.stdout and 'system:' not in run.stdout)
    run = muster('history', 'odd', *place)
    check('history shows the version as it is', '1:2.0+b1~rc1-1' in run.stdout and 'amd64' in run.stdout, run)
    run = muster('history', 'odd', '--plain', *place)
    check('history --plain, too', rows(run.stdout)[-1][6:] == ['odd', '1:2.0+b1~rc1-1', 'amd64'], run)
    run = muster('history', 'odd', '--json', *place)
    check('and --json', json.loads(run.stdout)['items'][-1]['version'] == '1:2.0+b1~rc1-1', run)
    first = min(r[1] for r in rows(muster('history', '--plain', *place).stdout))
    for form in ((), ('--json',), ('--plain',)):
        run = muster('list', '--at', '1999-01-01', *form, *place)
        check('list --at before all history %s: 3' % ' '.join(form), run.returncode == 3 and first in run.stderr and run.stderr.count('\n') == 1, run)
    check('list --at its first moment: 0', muster('list', '--at', first, *place).returncode == 0)
    for value, json_wanted in (('0', False), ('no', False), ('', False), ('1', True), ('yes', True)):
        run = muster('list', *place, MUSTER_JSON=value)
        check('MUSTER_JSON=%s' % value, run.stdout.startswith('{') == json_wanted, run.stdout[:80])
    check('an option turns on whatever the environment says', muster('list', '--json', *place, MUSTER_JSON='0').stdout.startswith('{'))
    run = muster('list', '--version', MUSTER_VERSION='1')
    check('list --version', run.returncode == 0 and run.stdout == muster('--version').stdout, run)
    check('and no variable asks for it', 'NAME' in muster('list', *place, MUSTER_VERSION='1', MUSTER_HELP='1').stdout)
    muster('collect', '--root', root + '/empty', '--state', state + '-empty')
    for form in ((), ('--json',)):
        run = muster('check', '--root', root + '/empty', '--state', state + '-empty', *form)
        check('check where there is no package manager: 3', run.returncode == 3 and 'no package manager' in run.stderr and 'agree' not in run.stdout, run)
    with open('/dev/full', 'w') as full:
        run = subprocess.run([MUSTER, 'list', *place], stdout=full, stderr=subprocess.PIPE, text=True)
    check('no room for the output: 2', run.returncode == 2 and 'No space' in run.stderr, run)


def adopting(work):
    """A root that was moved goes on with its journal; another system's does not."""
    root, state = small_root(work, 'mine')
    muster('collect', '--root', root, '--state', state)
    other = work + '/theirs'
    os.makedirs(other + '/var/lib/dpkg')
    with open(other + '/var/lib/dpkg/status', 'w') as f:
        f.write(''.join('Package: their%d\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n' % i for i in range(30)))
    before = muster('history', '--plain', '--state', state).stdout
    for place in (other, work):
        run = muster('collect', '--root', place, '--state', state, '--adopt-root')
        check('another system is not adopted', run.returncode == 2 and 'another system' in run.stderr and '--state' in run.stderr and run.stderr.count('\n') == 1, run)
    check('and nothing was written', before == muster('history', '--plain', '--state', state).stdout)
    with open(root + '/var/lib/dpkg/status') as f:
        text = f.read()
    with open(root + '/var/lib/dpkg/status', 'w') as f:
        f.write(text.replace('Version: ', 'Version: 9:')) # upgraded where it is now
    os.rename(root, root + '-moved')
    run = muster('collect', '--root', root + '-moved', '--state', state, '--adopt-root')
    check('the same one is, also upgraded', run.returncode == 0, run)


def without_rights(work):
    if os.geteuid() != 0:
        print('skip without rights: not root')
        return
    root, state = small_root(work, 'rights')
    os.chmod(work, 0o755)
    os.mkdir(state, 0o777)
    os.chmod(state, 0o777)
    os.chmod(root + '/var/log/dpkg.log', 0)
    home = {'HOME': state, 'TMPDIR': state}
    run = muster('collect', '--root', root, '--state', state, before=as_nobody, **home)
    check('an unreadable log: said, 3', run.returncode == 3 and 'cannot be read' in run.stderr, run)
    for words in (('list', '--no-collect'), ('history', '--no-collect'), ('check', '--root', root)):
        run = muster(*words, '--state', state, before=as_nobody, **home)
        check(words[0] + ' knows what is there, and says that the past is shorter: 0', run.returncode == 0 and 'could not read a log' in run.stderr, run)
    run = muster('list', '--root', root, '--state', state, '--json', before=as_nobody, **home)
    check('list says which log: 0', run.returncode == 0 and 'dpkg.log: this log cannot be read' in run.stderr and not json.loads(run.stdout)['logs_readable'], run)
    run = muster('scan', '--root', root, before=as_nobody, **home)
    check('scan needs no rights, and says what it could not read: 3', run.returncode == 3 and 'unreadable' in run.stdout and 'dpkg.log' in run.stderr, run)
    os.chmod(root + '/var/lib/dpkg/status', 0)
    run = muster('collect', '--root', root, '--state', state, before=as_nobody, **home)
    check('an unreadable database: 3', run.returncode == 3, run)
    os.chmod(state, 0o555)
    os.chmod(state + '/journal.db', 0o444)
    run = muster('collect', '--root', root, '--state', state, before=as_nobody, **home)
    check('a state that may not be written: one clear line', run.returncode == 2 and state in run.stderr and len(run.stderr.splitlines()) == 1, run)
    os.mkdir(work + '/locked', 0o755)
    for place in (work + '/locked', work + '/locked/deeper'):
        run = muster('collect', '--root', root, '--state', place, before=as_nobody, **home)
        check('a folder of somebody else: one clear line', run.returncode == 2 and place in run.stderr and 'Permission denied' in run.stderr, run)
    os.chmod(state + '/journal.db', 0)
    for command in ('list', 'history', 'check'):
        run = muster(command, '--root', root, '--state', state, before=as_nobody, **home)
        check(command + ' of a journal that may not be read: one clear line', run.returncode == 2 and not run.stdout and len(run.stderr.splitlines()) == 1, run)


def main():
    work = tempfile.mkdtemp(prefix='muster-collect-')
    try:
        this_machine(work)
        against_truth(work, 'apt', ['1000', '--rotated', '3', '--seed', '7'], exact=False)
        against_truth(work, 'apt-base', ['1000', '--base', '300', '--seed', '8'], exact=False, installed_only=True)
        for seed in '12':
            against_truth(work, 'dpkg' + seed, ['1500', '--rotated', '4', '--base', '200', '--dpkg-log', '--seed', seed], exact=True)
        against_truth(work, 'outside', ['1500', '--rotated', '2', '--base', '200', '--dpkg-log', '--outside', '.3', '--seed', '3'], exact=True)
        shared_history(work)
        by_steps(work)
        what_goes_wrong(work)
        other_roots(work)
        what_scripts_get(work)
        adopting(work)
        without_rights(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print('%d failed' % failures)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
