"""dnf's history on an rpm root: databases of dnf 4 and dnf 5 made from their documented tables, and the real dnf 4 where there is one.

Called with the source folder and the build folder. Skips where rpm or rpmbuild is missing, or Muster was built without librpm.
"""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from rpm import BUILD, Root, run

DNF4, DNF5 = "/var/lib/dnf/history.sqlite", "/usr/lib/sysimage/libdnf5/transaction_history.sqlite"
TRANS = "CREATE TABLE trans (id INTEGER PRIMARY KEY AUTOINCREMENT, dt_begin INTEGER NOT NULL, dt_end INTEGER, releasever TEXT, user_id INTEGER NOT NULL, "
TABLES = {
    DNF4: TRANS + "cmdline TEXT, state INTEGER NOT NULL, comment TEXT);"
    "CREATE TABLE item (id INTEGER PRIMARY KEY, item_type INTEGER NOT NULL);"
    "CREATE TABLE trans_item (id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER, item_id INTEGER, repo_id INTEGER, action INTEGER, reason INTEGER, state INTEGER);"
    "CREATE TABLE rpm (item_id INTEGER UNIQUE NOT NULL, name TEXT, epoch INTEGER, version TEXT, release TEXT, arch TEXT);",
    DNF5: TRANS + "description TEXT, comment TEXT, state_id INTEGER);"
    "CREATE TABLE pkg_names (id INTEGER PRIMARY KEY, name TEXT UNIQUE); CREATE TABLE archs (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE item (id INTEGER PRIMARY KEY);"
    "CREATE TABLE trans_item (id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER, item_id INTEGER, repo_id INTEGER, action_id INTEGER, reason_id INTEGER, state_id INTEGER);"
    "CREATE TABLE rpm (item_id INTEGER UNIQUE NOT NULL, name_id INTEGER, epoch INTEGER, version TEXT, release TEXT, arch_id INTEGER);",
}
# The numbers of the actions, as either generation counts them; what is done has this state.
ACTIONS = {DNF4: {"install": 1, "downgrade": 2, "downgraded": 3, "obsoleted": 5, "upgrade": 6, "upgraded": 7, "remove": 8, "reinstall": 9, "reinstalled": 10, "reason": 11},
           DNF5: {"install": 1, "upgrade": 2, "downgrade": 3, "reinstall": 4, "remove": 5, "upgraded": 6, "downgraded": 6, "obsoleted": 6, "reinstalled": 6, "reason": 7}}
DONE = {DNF4: 1, DNF5: 2}


class History:
    """A database as dnf writes it, in write-ahead mode and left open, as an interrupted dnf leaves it."""

    def __init__(self, root, kind):
        self.kind, self.path = kind, root + kind
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.db = sqlite3.connect(self.path)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.executescript(TABLES[kind])
        self.item = 0

    def add(self, begin, end, uid, command, *items):
        trans = self.db.execute(f"INSERT INTO trans(dt_begin, dt_end, releasever, user_id, {'cmdline' if self.kind == DNF4 else 'description'},"
                                f" {'state' if self.kind == DNF4 else 'state_id'}) VALUES(?, ?, '40', ?, ?, 1)", (begin, end, uid, command)).lastrowid
        for word in items:
            self.add_item(trans, word, DONE[self.kind])
        self.db.commit()
        return trans

    def add_item(self, trans, word, state):
        action, package = word.split(" ")
        name, version, release = package.rsplit("-", 2)
        release, arch = release.rsplit(".", 1)
        epoch, version = version.split(":") if ":" in version else (0, version)
        self.item += 1
        self.db.execute("INSERT INTO item VALUES" + ("(?, 0)" if self.kind == DNF4 else "(?)"), (self.item,))
        if self.kind == DNF5:
            for table, text in (("pkg_names", name), ("archs", arch)):
                self.db.execute(f"INSERT OR IGNORE INTO {table}(name) VALUES(?)", (text,))
            name, arch = (self.db.execute(f"SELECT id FROM {t} WHERE name = ?", (v,)).fetchone()[0] for t, v in (("pkg_names", name), ("archs", arch)))
        self.db.execute("INSERT INTO rpm VALUES(?, ?, ?, ?, ?, ?)", (self.item, name, epoch, version, release, arch))
        self.db.execute("INSERT INTO trans_item VALUES(NULL, ?, ?, 1, ?, 2, ?)", (trans, self.item, ACTIONS[self.kind][action], state))


def told(root):
    """Of each event: deed, package and version, precision; and all that is known of it, as text."""
    lines = [line.split("\t") for line in root.muster("history", "--plain").splitlines()]
    return [(t[3], t[4].split("__")[1].split("-x86_64-", 1)[1], t[2]) for t in lines], root.muster("history", "--json")


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}:\n  have {got}\n  want {want}")


def made(folder, kind):
    root = Root(folder)
    os.makedirs(root.root + "/etc", exist_ok=True)
    with open(root.root + "/etc/passwd", "w", encoding="ascii") as file:
        file.write("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    build = lambda *words: [p for p in root.build(*words) if "-doc-" not in p]
    alpha, first, second = build("alpha", "1.1", "1", "Epoch: 1\n"), build("kernel", "5.1", "1"), build("kernel", "5.2", "1")
    arch = os.path.basename(alpha[0]).rsplit(".", 2)[1]
    root.install("-i", alpha + first)
    root.install("-i", second)
    now = max(int(t) for t in root.rpm("-qa", "--qf", "%{INSTALLTIME}\n").split())
    history = History(root.root, kind)
    history.add(1700000000, 1700000005, 1000, "install alpha beta", f"install alpha-1.0-1.{arch}", f"install beta-1.0-1.{arch}", f"install gone-1-1.{arch}")
    history.add(1700001000, 1700001009, 4242, "upgrade", f"upgrade alpha-1:1.1-1.{arch}", f"upgraded alpha-1.0-1.{arch}", f"reason beta-1.0-1.{arch}")
    history.add(1700002000, 1700002000, -1, "", f"reinstall beta-1.0-1.{arch}", f"reinstalled beta-1.0-1.{arch}", f"obsoleted gone-1-1.{arch}")
    history.add(1700003000, 1700003005, 0, "remove beta", f"remove beta-1.0-1.{arch}")
    history.add(now - 60, now + 60, 0, "install kernel", f"install kernel-5.2-1.{arch}")
    flight = history.add(now + 70, None, 0, "remove kernel-5.1")
    root.agree("with a history")
    events, text = told(root)
    a = "." + arch
    expect("the events", events, [
        ("create", "alpha-1.0-1" + a, "transaction"), ("create", "beta-1.0-1" + a, "transaction"), ("create", "gone-1-1" + a, "transaction"),
        ("delete", "alpha-1.0-1" + a, "transaction"), ("create", "alpha-1.1-1" + a, "transaction"),
        ("delete", "gone-1-1" + a, "exact"), ("alter", "beta-1.0-1" + a, "exact"), ("delete", "beta-1.0-1" + a, "transaction"),
        ("create", "kernel-5.2-1" + a, "exact"), ("create", "kernel-5.1-1" + a, "exact")])
    for want in ("install alpha beta", "alice (1000)", "4242", "root (0)"):
        if want not in text:
            sys.exit(f"{want} is not in {text}")
    # What was going on has ended: only the version that it names goes.
    root.install("-e", ["kernel-5.1-1"])
    history.add_item(flight, f"remove kernel-5.1-1.{arch}", DONE[kind])
    history.db.execute("UPDATE trans SET dt_end = ? WHERE id = ?", (now + 75, flight))
    history.db.commit()
    root.agree("after the removal of one of two versions")
    expect("one version goes", told(root)[0][10:], [("delete", "kernel-5.1-1" + a, "transaction")])
    # A history that began anew tells nothing twice.
    history.db.close()
    os.remove(history.path)
    again = History(root.root, kind)
    again.add(1700003000, 1700003005, 0, "remove beta", f"remove beta-1.0-1.{arch}")
    again.db.close()
    root.agree("after the history began anew")
    expect("nothing is told twice", len(told(root)[0]), 11)
    # A damaged one is said, and the packages are rpm's all the same.
    with open(again.path, "r+b") as file:
        file.write(b"none" * 256)
    root.install("-e", ["kernel-5.2-1"])
    done = subprocess.run([BUILD + "/muster", "collect", "--root", root.root, "--state", root.folder + "/state"], capture_output=True, text=True, timeout=60)
    if done.returncode != 3 or "a log is unreadable" not in done.stdout or "dnf's history cannot be read" not in done.stderr:
        sys.exit(f"a damaged history is not said: {done}")
    os.remove(again.path)
    root.agree("without a history")
    expect("the packages without history", told(root)[0][11:], [("delete", "kernel-5.2-1" + a, "bound")])
    root.muster("check")


def real(folder):
    if os.getuid() != 0 or not shutil.which("dnf") or not shutil.which("createrepo_c"):
        print("dnf or createrepo_c is missing, or this is not root: only made databases were tried")
        return
    root = Root(folder)
    os.makedirs(folder + "/repo")
    for words in (("alpha", "1.0", "1"), ("alpha", "2.0", "1", "Epoch: 1\n"), ("beta", "1.0", "1", "Requires: alpha\n"), ("gamma", "1.0", "1"),
                  ("delta", "1.0", "1", "Obsoletes: gamma\n"), ("kernel", "5.1", "1"), ("kernel", "5.2", "1")):
        for package in root.build(*words):
            if "-doc-" not in package:
                shutil.move(package, folder + "/repo")
    run("createrepo_c", "-q", folder + "/repo")
    os.makedirs(root.root + os.path.expanduser("~"))
    os.symlink(os.path.relpath(root.db, root.root + os.path.expanduser("~")), root.root + os.path.expanduser("~/.rpmdb"))  # where Debian's rpm looks

    def dnf(*words):
        run("dnf", "-y", f"--installroot={root.root}", "--releasever=40", "--disablerepo=*", f"--repofrompath=x,{folder}/repo", "--enablerepo=x", "--nogpgcheck",
            "--setopt=installonlypkgs=kernel", f"--setopt=cachedir={folder}/cache", *words)
        root.agree(" ".join(words))

    arch = run("uname", "-m").strip()
    steps = {("install", "beta", "alpha-1.0", "kernel-5.1"): "+alpha-1.0-1 +beta-1.0-1 +kernel-5.1-1", ("install", "kernel-5.2"): "+kernel-5.2-1",
             ("upgrade",): "-alpha-1.0-1 +alpha-2.0-1", ("reinstall", "beta"): "=beta-1.0-1", ("downgrade", "alpha"): "-alpha-2.0-1 +alpha-1.0-1",
             ("remove", "kernel-5.1"): "-kernel-5.1-1", ("--setopt=obsoletes=0", "install", "gamma"): "+gamma-1.0-1", ("install", "delta"): "-gamma-1.0-1 +delta-1.0-1"}
    seen = 0
    for words, want in steps.items():
        dnf(*words)
        events, text = told(root)
        got = " ".join({"create": "+", "delete": "-", "alter": "="}[deed] + package.removesuffix("." + arch) for deed, package, _ in events[seen:])
        expect(" ".join(words), got.split(), want.split())
        if any(precision == "bound" for _, _, precision in events) or " ".join(words) not in text:
            sys.exit(f"not from dnf's history: {events[seen:]}")
        seen = len(events)
    root.muster("check")
    print("dnf and muster agree")


def main():
    if not shutil.which("rpmbuild") or not os.path.exists(BUILD + "/muster-rpmdb"):
        print("rpm or rpmbuild is missing, or muster was built without librpm: skipped")
        return 77
    for part, words in ((made, (DNF4,)), (made, (DNF5,)), (real, ())):
        with tempfile.TemporaryDirectory(prefix="muster-dnf-") as folder:
            part(folder, *words)
    print("dnf's history is told")
    return 0


if __name__ == "__main__":
    sys.exit(main())
