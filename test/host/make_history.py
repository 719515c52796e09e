#!/usr/bin/env python3
"""Makes a root file system with a long package history, and the truth about it.

usage: make_history.py TRANSACTIONS ROOT [--rotated K] [--seed S] [--packages P] [--base N] [--dpkg-log] [--outside SHARE] [--start DATE]

ROOT gets etc/os-release, var/lib/dpkg/status, var/log/apt/history.log (older parts as .1.gz to .K.gz), with --dpkg-log
var/log/dpkg.log likewise, and truth.json: {"installed": [[name, version, arch, state]], "events": [[time, action, name, version,
arch, automatic, command]]} in the order in which it happened (times UTC; the logs are written for TZ=UTC). --base N packages were there
before the logs began. --outside SHARE of the changes are made by dpkg alone, so that only dpkg.log tells of them.
"""
import argparse
import datetime
import gzip
import json
import os
import random


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('transactions', type=int)
    p.add_argument('root')
    p.add_argument('--rotated', type=int, default=0)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--packages', type=int, default=3000)
    p.add_argument('--base', type=int, default=0)
    p.add_argument('--dpkg-log', action='store_true')
    p.add_argument('--outside', type=float, default=0)
    p.add_argument('--start', default='2016-01-01')
    return p.parse_args()


class World:
    """What is installed, and the logs that tell how it came so."""

    def __init__(self, a):
        self.a, self.r = a, random.Random(a.seed)
        self.now = datetime.datetime.strptime(a.start, '%Y-%m-%d')
        self.packages = self.make_packages(a.packages)
        self.installed, self.order, self.place, self.past, self.counter = {}, [], {}, {}, {}
        self.apt, self.dpkg, self.events = [], [], []

    def make_packages(self, count):
        shapes = ['lib%s', 'python3-%s', 'lib%s-dev', '%s', '%s-utils', '%s-common', 'golang-%s', 'lib%s++1', 'fonts-%s.1']
        names, packages = set(), []
        while len(packages) < count:
            stem = ''.join(self.r.choice('bcdfghklmnprstvw') + self.r.choice('aeiou') for _ in range(self.r.randint(2, 4)))
            name = self.r.choice(shapes) % stem
            if name in names:
                continue
            names.add(name)
            arch = self.r.choices(['amd64', 'i386', 'all'], [88, 4, 8])[0]
            packages.append((name, arch))
            if arch == 'amd64' and self.r.random() < .03:
                packages.append((name, 'i386'))
        return packages

    def version(self, p):
        self.counter[p] = n = self.counter.get(p, 0) + 1
        v = '%d.%d.%d' % (self.r.randint(0, 9), self.r.randint(0, 30), n)
        if self.r.random() < .12:
            v = '%d:%s' % (self.r.randint(1, 4), v)
        if self.r.random() < .25:
            v += self.r.choice(['+dfsg', '+git20190101', '~rc1', '+really1.2', '+b1'])
        v += '-%d' % self.r.randint(1, 9)
        return v + ('+deb12u%d' % self.r.randint(1, 9) if self.r.random() < .35 else '')

    def put(self, p, version):
        if p not in self.installed:
            self.place[p] = len(self.order)
            self.order.append(p)
        self.installed[p] = version
        if version not in self.past.setdefault(p, []):
            self.past[p].append(version)

    def take(self, p):
        last = self.order.pop()
        if last != p:
            self.order[self.place[p]] = last
            self.place[last] = self.place[p]
        del self.place[p]
        return self.installed.pop(p)

    def tell(self, *words):
        self.dpkg.append('%s %s\n' % (self.now.strftime('%Y-%m-%d %H:%M:%S'), ' '.join(words)))

    def status(self, p, version, *states):
        for s in states:
            self.tell('status', s, '%s:%s' % p, version)

    def event(self, action, p, version, automatic, command):
        self.events.append([self.now.strftime('%Y-%m-%dT%H:%M:%SZ'), action, p[0], version, p[1], automatic, command])

    def install(self, p, version, automatic, command):
        self.tell('install', '%s:%s' % p, '<none>', version)
        self.status(p, version, 'half-installed', 'unpacked')
        self.event('create', p, version, automatic, command)
        self.put(p, version)
        return 'Install', '(%s%s)' % (version, ', automatic' if automatic else '')

    def upgrade(self, p, version, command, word):
        old = self.installed[p]
        self.tell('upgrade', '%s:%s' % p, old, version)
        self.status(p, old, 'half-configured', 'unpacked', 'half-installed')
        self.status(p, version, 'unpacked')
        self.event('delete', p, old, False, command)
        self.event('create', p, version, False, command)
        self.put(p, version)
        return word, '(%s, %s)' % (old, version)

    def reinstall(self, p, command):
        version = self.installed[p]
        self.tell('upgrade', '%s:%s' % p, version, version)
        self.status(p, version, 'half-configured', 'unpacked', 'half-installed', 'unpacked')
        self.event('alter', p, version, False, command)
        return 'Reinstall', '(%s)' % version

    def remove(self, p, purge, command):
        version = self.take(p)
        self.tell('remove', '%s:%s' % p, version, '<none>')
        self.status(p, version, 'half-configured', 'half-installed', 'config-files')
        if purge:
            self.tell('purge', '%s:%s' % p, version, '<none>')
            self.status(p, version, 'config-files')
            self.status(p, '<none>', 'not-installed')
        self.event('delete', p, version, False, command)
        return 'Purge' if purge else 'Remove', '(%s)' % version

    def change(self, p, wish, command):
        """One package's change: apt's key and what it says in brackets; None if there is nothing to do."""
        there = self.installed.get(p)
        if there is None:
            if wish not in ('install', 'mixed'):
                return None
            known = self.past.get(p)
            version = self.r.choice(known) if known and self.r.random() < .3 else self.version(p)
            return self.install(p, version, self.r.random() < .45, command)
        if wish in ('upgrade', 'mixed'):
            return self.upgrade(p, self.version(p), command, 'Upgrade')
        if wish == 'downgrade':
            older = [v for v in self.past[p] if v != there]
            return self.upgrade(p, older[-1], command, 'Downgrade') if older else None
        if wish == 'reinstall':
            return self.reinstall(p, command)
        return self.remove(p, wish == 'purge', command) if wish in ('remove', 'purge') else None

    def transaction(self):
        r = self.r
        self.now += datetime.timedelta(seconds=r.choice([0, 1, 2, 30, 300, 3600, 7200, 20000, r.randint(3, 40000)]))
        wish = 'install' if len(self.installed) < 200 else r.choices(
            ['install', 'upgrade', 'mixed', 'remove', 'purge', 'downgrade', 'reinstall'], [35, 37, 12, 8, 4, 2, 2])[0]
        outside = r.random() < self.a.outside
        command = '' if outside else r.choice(['', 'apt-get install -y foo', '/usr/bin/unattended-upgrade', "packagekit role='update-packages'"])
        pool = self.packages if wish in ('install', 'mixed') else self.order
        count = min(len(pool), r.choice([1, 1, 2, 3, 5, 8, 20]) if wish == 'upgrade' else r.randint(1, 6))
        begin, items = self.now, {}
        self.tell('startup', 'archives', 'unpack')
        for p in r.sample(pool, count):
            done = self.change(p, wish, command)
            if done:
                shown = 'amd64' if p[1] == 'all' else p[1]  # apt names the native architecture for `all`
                items.setdefault(done[0], []).append('%s:%s %s' % (p[0], shown, done[1]))
                if r.random() < .2:
                    self.now += datetime.timedelta(seconds=1)
        if not items:
            self.dpkg.pop()
            return False
        if not outside:
            self.write_apt(begin, items, command)
        return True

    def write_apt(self, begin, items, command):
        shape = '%Y-%m-%d  %H:%M:%S'
        lines = ['', 'Start-Date: ' + begin.strftime(shape)]
        if command:
            lines.append('Commandline: ' + command)
            if self.r.random() < .5:
                lines.append('Requested-By: admin (1000)')
        lines += ['%s: %s' % (key, ', '.join(texts)) for key, texts in items.items()]
        self.apt.append('\n'.join(lines + ['End-Date: ' + self.now.strftime(shape)]) + '\n')


def write_log(folder, name, parts, rotated):
    os.makedirs(folder, exist_ok=True)
    share = max(1, len(parts) // (rotated + 1))
    for i in range(rotated):
        with gzip.open('%s/%s.%d.gz' % (folder, name, rotated - i), 'wt', compresslevel=6) as f:
            f.write(''.join(parts[i * share:(i + 1) * share]))
    with open('%s/%s' % (folder, name), 'w') as f:
        f.write(''.join(parts[rotated * share:]))


def write_status(root, installed):
    os.makedirs(root + '/var/lib/dpkg', exist_ok=True)
    with open(root + '/var/lib/dpkg/status', 'w') as f:
        for name, version, arch, state in installed:
            f.write('Package: %s\nStatus: install ok %s\nPriority: optional\nArchitecture: %s\nVersion: %s\nDescription: %s\n'
                    ' A package of the test.\n .\n With two paragraphs.\n\n' % (name, state, arch, version, name))


def main():
    a = arguments()
    w = World(a)
    for p in w.packages[:a.base]:
        w.put(p, w.version(p))
        w.past[p] = [w.installed[p]]
    done = 0
    while done < a.transactions:
        done += w.transaction()
    os.makedirs(a.root + '/etc', exist_ok=True)
    with open(a.root + '/etc/os-release', 'w') as f:
        f.write('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')
    installed = sorted([p[0], v, p[1], 'installed'] for p, v in w.installed.items())
    write_status(a.root, installed)
    write_log(a.root + '/var/log/apt', 'history.log', w.apt, a.rotated)
    if a.dpkg_log:
        write_log(a.root + '/var/log', 'dpkg.log', w.dpkg, a.rotated)
    with open(a.root + '/truth.json', 'w') as f:
        json.dump({'installed': installed, 'events': w.events}, f)


if __name__ == '__main__':
    main()
