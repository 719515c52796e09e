#!/usr/bin/env python3
"""What list, history, tag and sbom answer: never something old without a word, never "no" where nobody knows, and for whoever may only read, too."""
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE, BUILD = sys.argv[1], sys.argv[2]
MUSTER = BUILD + '/muster'
failures = 0
WORK = tempfile.mkdtemp(prefix='muster-answers-')


def check(what, ok, detail=''):
    global failures
    failures += not ok
    print('%s %s%s' % ('ok  ' if ok else 'FAIL', what, '' if ok else ': ' + str(detail)[:2000]), flush=True)


def muster(*arguments, nobody=False, full=False, **environment):
    def drop():
        if full:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
            return
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    env = dict(os.environ, TZ='UTC', **environment)
    return subprocess.run([MUSTER, *arguments], capture_output=True, text=True, env=env, preexec_fn=drop if nobody or full else None, timeout=120)


def stanza(name, version='1'):
    return 'Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: all\n\n' % (name, version)


def make_root(name, packages=('first',)):
    """A root with empty logs, whose packages were laid down in 2020, 2021 …"""
    root = WORK + '/' + name
    for path in ('var/lib/dpkg/info', 'var/log/apt', 'etc'):
        os.makedirs(root + '/' + path)
    for path, text in (('var/log/dpkg.log', ''), ('var/log/apt/history.log', ''), ('etc/os-release', 'ID=debian\nVERSION_ID="12"\n')):
        with open(root + '/' + path, 'w') as f:
            f.write(text)
    for i, package in enumerate(packages):
        path = root + '/var/lib/dpkg/info/%s.list' % package
        open(path, 'w').close()
        os.utime(path, (1577836800 + i * 366 * 86400,) * 2)
    add(root, *packages)
    return root, ['--root', root, '--state', root + '.state']


def add(root, *packages):
    with open(root + '/var/lib/dpkg/status', 'a') as f:
        f.write(''.join(stanza(p) for p in packages))


def names(run):
    return [line.split('\t')[1] for line in run.stdout.splitlines()]


def document(run):
    return json.loads(run.stdout)


def one_line(run, *words):
    return run.stderr.count('\n') == 1 and all(w in run.stderr for w in words)


def fresh():
    root, place = make_root('fresh')
    muster('collect', *place)
    add(root, 'second')
    run = muster('list', '--plain', *place)
    check('list looks at the machine first', run.returncode == 0 and names(run) == ['first', 'second'] and not run.stderr, run)
    add(root, 'third')
    run = muster('history', '--json', *place)
    check('so does history', [e['name'] for e in document(run)['items']] == ['first', 'second', 'third'] and document(run)['current'] is True, run)
    add(root, 'fourth')
    for command in ('list', 'history'):
        run = muster(command, '--no-collect', '--plain', *place)
        check(command + ' --no-collect does not, and says so', run.returncode == 0 and 'fourth' not in run.stdout and one_line(run, 'as of 2', 'the last collection', '--no-collect'), run)
        run = muster(command, '--no-collect', '--json', *place)
        check(command + ' --no-collect --json', document(run)['current'] is False and re.fullmatch(r'20\d\d-\S+Z', document(run)['collected']), run)
    run = muster('list', '--no-collect', '--plain', '--at', '2020-06-01', *place)
    check('of a moment before that nothing is stale', names(run) == ['first'] and not run.stderr, run)
    muster('collect', *place)
    run = muster('list', '--no-collect', '--json', *place)
    check('nothing changed: nothing to say', document(run)['current'] is True and len(document(run)['items']) == 4 and not run.stderr, run)
    run = muster('list', '--no-collect', '--state', root + '.none')
    check('--no-collect without a journal: 4', run.returncode == 4 and one_line(run, 'muster collect') and not os.path.exists(root + '.none'), run)
    add(root, 'fifth')
    run = muster('list', '--plain', '--state', root + '.state')
    check('a root that was not named is not collected, and that is said', 'fifth' not in run.stdout and one_line(run, 'as of 2', '--root'), run)
    run = muster('sbom', '--at', time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 1)), *place)
    check('sbom --at looks first, too', 'fifth' in [c['name'] for c in document(run)['components']], run)


def unknown():
    root, place = make_root('unknown', ('old', 'middle', 'young'))
    at = ('--at', '2020-06-01')
    run = muster('list', '--plain', *at, *place)
    rows = {r[1]: r[5:] for r in (line.split('\t') for line in run.stdout.splitlines())}
    check('what may have been there is listed as unknown', rows == {'old': ['installed', '2020-01-01T00:00:00Z', 'bound'], 'middle': ['unknown', '2021-01-01T00:00:00Z', 'bound'],
                                                                    'young': ['unknown', '2022-01-02T00:00:00Z', 'bound']}, run)
    check('with 3 and a line', run.returncode == 3 and one_line(run, '2 packages: not known whether they were installed then'), run)
    run = muster('list', *at, *place)
    check('in the table', re.search(r'^young .* unknown +by 2022', run.stdout, re.M) and run.returncode == 3, run)
    run = muster('list', '--json', *at, *place)
    items = {i['name']: (i['installed'], i['state']) for i in document(run)['items']}
    check('in JSON', items == {'old': (True, 'installed'), 'middle': (None, 'unknown'), 'young': (None, 'unknown')} and document(run)['unknown'] == 2 and run.returncode == 3, run)
    for choice, wanted in (('--installed', {'old', 'middle', 'young'}), ('--removed', {'middle', 'young'})):
        run = muster('list', choice, '--plain', *at, *place)
        check(choice + ' leaves out what is known to be otherwise', set(names(run)) == wanted and run.returncode == 3, run)
    run = muster('list', '--plain', '--at', '2021-06-01', *place)
    check('one package', run.returncode == 3 and one_line(run, '1 package: not known whether it was installed then'), run)
    run = muster('list', '--plain', '--at', '2023-06-01', *place)
    check('all are known: 0', run.returncode == 0 and len(names(run)) == 3 and 'unknown' not in run.stdout and not run.stderr, run)
    run = muster('list', '--json', '--at', '1999-01-01', *place)
    check('before all history', run.returncode == 3 and document(run)['known_since'] == '2020-01-01T00:00:00Z' and document(run)['unknown'] == 3 and one_line(run, '2020-01-01T00:00:00Z'), run)
    check('known_since now', document(muster('list', '--json', *place))['known_since'] == '2020-01-01T00:00:00Z')
    run = muster('sbom', *at, *place)
    states = {c['name']: {p['name']: p['value'] for p in c.get('properties', [])}.get('muster:state') for c in document(run)['components'] if c['type'] != 'operating-system'}
    check('in a CycloneDX bill', states == {'old': None, 'middle': 'unknown', 'young': 'unknown'} and run.returncode == 3 and one_line(run, '2 packages') and 'incomplete' in run.stdout, run)
    run = muster('sbom', '--format', 'spdx', *at, *place)
    check('in an SPDX bill', run.stdout.count('"state: unknown"') == 2 and run.returncode == 3, run)


def nothing_there():
    root = WORK + '/empty'
    os.mkdir(root)
    place = ('--root', root, '--state', root + '.state')
    for i in range(3):
        for command in ('list', 'history'):
            run = muster(command, *place)
            check('%s where there is no package manager, call %d: 3' % (command, i + 1), run.returncode == 3 and not run.stdout and one_line(run, 'no package manager'), run)
    run = muster('list', '--no-collect', *place)
    check('nothing is left behind', run.returncode == 4 and one_line(run, 'no journal yet') and not os.path.exists(root + '.state'), run)
    check('collect: 3', muster('collect', *place).returncode == 3)
    run = muster('list', '--no-collect', *place)
    check('--no-collect, too', run.returncode == 3 and one_line(run, 'no package manager'), run)


def of_somebody_else():
    if os.geteuid() != 0:
        print('skip what others may read: not root')
        return
    root, place = make_root('else')
    home = {'HOME': '/nonexistent', 'XDG_STATE_HOME': '/nonexistent'}
    muster('collect', *place)
    os.chmod(root + '.state', 0o755)
    check('the log was written back', sorted(os.listdir(root + '.state')) == ['journal.db', 'journal.db.mark'], os.listdir(root + '.state'))
    run = muster('list', '--plain', *place, nobody=True, **home)
    check('others read it', run.returncode == 0 and names(run) == ['first'] and not run.stderr, run)
    check('check, too', muster('check', *place, nobody=True, **home).returncode == 0)
    check('and tag', 'name="first"' in muster('tag', 'first', *place, nobody=True, **home).stdout)
    add(root, 'second')
    run = muster('list', '--json', *place, nobody=True, **home)
    check('and hear that it is old', run.returncode == 0 and document(run)['current'] is False and one_line(run, 'as of 2', root + '.state'), run)
    run = muster('tag', 'second', *place, nobody=True, **home)
    check('tags are of what is there now', run.returncode == 0 and 'name="second"' in run.stdout and not run.stderr, run)
    run = muster('list', '--plain', '--root', root, nobody=True, **home)
    check('who has no folder for a journal is answered without', run.returncode == 0 and names(run) == ['first', 'second'] and not run.stderr, run)
    check('and without a trace', not [n for n in os.listdir(tempfile.gettempdir()) if n.startswith('muster-') and os.stat(tempfile.gettempdir() + '/' + n).st_uid == 65534])
    check('nothing of theirs stands there', sorted(os.listdir(root + '.state')) == ['journal.db', 'journal.db.mark'])
    os.chmod(root + '.state/journal.db', 0o600)
    run = muster('list', *place, nobody=True, **home)
    check('a journal that may not be read: 2', run.returncode == 2 and not run.stdout and one_line(run, 'journal.db'), run)


def on_a_full_disk():
    root, place = make_root('full')
    muster('collect', *place)
    run = muster('list', '--plain', *place, full=True)
    check('a full disk is no reason not to answer', run.returncode == 0 and names(run) == ['first'], run)
    add(root, 'second')
    run = muster('list', '--plain', *place, full=True)
    check('but one to say as of when', run.returncode == 0 and names(run) == ['first'] and one_line(run, 'as of 2', 'full'), run)
    run = muster('list', '--plain', *place)
    check('and then there is room', names(run) == ['first', 'second'] and not run.stderr, run)


def beside_a_writer():
    root, place = make_root('busy')
    muster('collect', *place)
    add(root, 'second')
    with sqlite3.connect(root + '.state/journal.db', isolation_level=None) as writer:
        writer.execute('BEGIN IMMEDIATE')
        begin = time.monotonic()
        run = muster('list', '--plain', *place)
        check('a run that does not end holds up no answer for long', run.returncode == 0 and names(run) == ['first'] and one_line(run, 'as of 2', 'try again') and time.monotonic() - begin < 20, run)
        run = muster('tag', 'second', *place)
        check('nor a tag of what is there now', run.returncode == 0 and 'name="second"' in run.stdout, run)
        writer.execute('ROLLBACK')
    writer.close()
    check('MUSTER_NO_COLLECT', names(muster('list', '--plain', *place, MUSTER_NO_COLLECT='1')) == ['first'] and names(muster('list', '--plain', *place, MUSTER_NO_COLLECT='no')) == ['first', 'second'])


def leaves_nothing():
    """A bill that cannot be written, or that a signal ends: see also test_output."""
    folder = WORK + '/bills'
    os.mkdir(folder)
    root, place = make_root('bills', ['p%d' % i for i in range(20)])
    for i in range(20):
        with open(root + '/var/lib/dpkg/info/p%d.list' % i, 'w') as f:
            f.write('/.\n' + ''.join('/usr/share/p%d/file-%d\n' % (i, k) for k in range(20000)))
    run = muster('sbom', '--output', folder + '/no/bill', *place)
    check('a bill that cannot be written is told by its own name', run.returncode == 2 and one_line(run, folder + '/no/bill: '), run)
    before = os.listdir(folder)
    process = subprocess.Popen([MUSTER, 'sbom', '--files', '--output', folder + '/bill', *place], stdout=subprocess.DEVNULL)
    time.sleep(0.1)
    process.terminate()
    process.wait(timeout=60)
    check('a signal leaves nothing', [n for n in os.listdir(folder) if n != 'bill'] == before, os.listdir(folder))


def damaged():
    root, place = make_root('damaged')
    muster('collect', *place)
    with open(root + '.state/journal.db', 'r+b') as f:
        f.write(b'x' * 5000)
    for command in ('list', 'history', 'sbom --at 2020-06-01', 'tag --all'):
        run = muster(*command.split(), *place)
        check(command + ' leaves a damaged journal where it is', run.returncode == 70 and one_line(run, 'muster collect') and len(os.listdir(root + '.state')) == 2, run)


try:
    os.chmod(WORK, 0o755)
    fresh()
    unknown()
    nothing_there()
    of_somebody_else()
    on_a_full_disk()
    beside_a_writer()
    leaves_nothing()
    damaged()
finally:
    shutil.rmtree(WORK)
print('%d failed' % failures)
sys.exit(1 if failures else 0)
