#!/usr/bin/env python3
"""bench/run collect [--quick] [--dpkg-log]: the collector against its limit.

Generates histories of 10,000 and 100,000 apt transactions and measures the first run of `muster collect`, the run after it that finds
nothing new, their peak memory, and the limit in the same minutes: decompressing and counting the lines of the same files, and inserting
the same rows into the same schema by a bare prepared loop in one transaction (collect_limit.c). Best of three of each, taken by turns.
Marks: at most 1.5 x the limit, growth exponent at most 1.1, no-op at most 20 ms, at most 64 MiB.
"""
import argparse
import glob
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MUSTER = os.path.join(os.environ.get('MUSTER_BUILD', os.path.join(HERE, '..', 'build')), 'muster')
MAKE = os.path.join(HERE, '..', 'test', 'host', 'make_history.py')


def measure(command):
    """Wall seconds, CPU seconds, peak MiB."""
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, TZ='UTC'))
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    if status != 0:
        sys.exit('bench: %s failed' % ' '.join(command))
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def best(results):
    return tuple(min(column) for column in zip(*results))


def one_size(size, work, limit, options):
    root, state = '%s/root%d' % (work, size), '%s/state' % work
    subprocess.run([sys.executable, MAKE, str(size), root, '--rotated', '4', '--base', '500'] + options, check=True)
    logs = sorted(glob.glob(root + '/var/log/**/*.log*', recursive=True))
    first, again, bound = [], [], []
    for _ in range(3):
        shutil.rmtree(state, ignore_errors=True)
        collect = [MUSTER, 'collect', '--root', root, '--state', state]
        first.append(measure(collect))
        again += [measure(collect) for _ in range(5)]
        for old in glob.glob(work + '/limit.db*'):
            os.remove(old)
        out = subprocess.run([limit, state + '/journal.db', work + '/limit.db'] + logs, check=True, capture_output=True, text=True)
        bound.append([float(x) for x in out.stdout.split()])
    f, a, b = best(first), best(again), best(bound)
    print('%7d transactions, %d lines, %d rows' % (size, b[2], b[3]))
    print('  first run  %8.3f s  (CPU %.3f s)  %5.1f MiB' % f)
    print('  no-op      %8.4f s  (CPU %.4f s)  %5.1f MiB' % a)
    print('  limit      %8.3f s  (CPU %.3f s)' % (b[0], b[1]))
    print('  ratio      %8.2f    (CPU %.2f)' % (f[0] / b[0], f[1] / b[1]), flush=True)
    shutil.rmtree(root)
    return f, a, b


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--quick', action='store_true', help='a tenth of the sizes')
    p.add_argument('--dpkg-log', action='store_true', help='with a dpkg.log beside apt\'s history')
    a = p.parse_args()
    sizes = [1000, 10000] if a.quick else [10000, 100000]
    work = tempfile.mkdtemp(prefix='muster-bench-')
    try:
        limit = work + '/collect_limit'
        subprocess.run(['cc', '-O2', '-o', limit, HERE + '/collect_limit.c', '-lsqlite3', '-lz'], check=True)
        small, large = [one_size(s, work, limit, ['--dpkg-log'] if a.dpkg_log else []) for s in sizes]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    ratio = max(f[0] / b[0] for f, _, b in (small, large))
    exponent = math.log(large[0][0] / small[0][0], sizes[1] / sizes[0])
    noop = max(small[1][0], large[1][0]) * 1000
    memory = max(small[0][2], large[0][2])
    marks = [('ratio to the limit', ratio, 1.5), ('growth exponent', exponent, 1.1), ('no-op ms', noop, 20), ('peak MiB', memory, 64)]
    for name, value, mark in marks:
        print('%-20s %7.2f  (mark %g) %s' % (name, value, mark, 'ok' if value <= mark else 'MISSED'))
    return 0 if all(value <= mark for _, value, mark in marks) else 1


if __name__ == '__main__':
    sys.exit(main())
