#!/usr/bin/env python3
"""bench/run push [--changes N]: from the package manager's commit to the row in the API.

A server, an agent and a machine of 2,000 packages on loopback. Each of 200 changes is one run of dpkg (log, status-new, rename); measured from the
rename of the status file to the moment when the API shows the event. Marks: p50 at most 0.3 s, p99 at most 1 s, the idle agent at most
12 MiB and no CPU. 100 ms of each are the agent's wait for quiet.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get('MUSTER_BUILD', os.path.join(HERE, '..', 'build'))
sys.path.insert(0, os.path.join(HERE, '..', 'test', 'host'))
from live import Agent, Endpoint, Server  # noqa: E402


def measure(work, changes):
    server = Server(BUILD, os.path.join(work, 'server'), os.path.join(work, 'server.log'))
    keys = os.path.join(work, 'keys')
    os.mkdir(keys)
    server.issue('host', keys)
    endpoint = Endpoint(work, 'host', {'base-%d' % i: '%d.0-1' % i for i in range(2000)})
    agent = Agent(BUILD, endpoint, server, keys, os.path.join(work, 'agent.log'))
    try:
        eid, times = 2000, []
        if server.wait_eid('host', eid, 30) is None:
            sys.exit('bench: the first inventory does not arrive')
        busy = agent.ticks()
        for _ in range(changes):
            time.sleep(random.uniform(0.05, 0.15))
            eid += endpoint.change()
            took = server.wait_eid('host', eid, 30)
            if took is None:
                sys.exit('bench: a change does not arrive')
            times.append(took)
        busy = agent.ticks() - busy
        time.sleep(0.7)
        before = agent.ticks()
        time.sleep(3)
        return sorted(times), busy / os.sysconf('SC_CLK_TCK'), agent.ticks() - before, agent.rss_mib()
    finally:
        agent.kill()
        server.kill()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--changes', type=int, default=200)
    a = p.parse_args()
    work = tempfile.mkdtemp(prefix='muster-bench-')
    try:
        times, busy, idle, rss = measure(work, a.changes)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]  # noqa: E731
    print('%d changes of 2,000 packages: %.3f s at least, %.3f s at most; the agent used %.1f ms CPU a change' % (
        len(times), times[0], times[-1], 1000 * busy / len(times)))
    marks = [('p50 s', at(0.5), 0.3), ('p99 s', at(0.99), 1), ('agent idle MiB', rss, 12), ('agent idle ticks in 3 s', idle, 0)]
    for name, value, mark in marks:
        print('%-24s %7.3f  (mark %g) %s' % (name, value, mark, 'ok' if value <= mark else 'MISSED'))
    return 0 if all(value <= mark for _, value, mark in marks) else 1


if __name__ == '__main__':
    sys.exit(main())
