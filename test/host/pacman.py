"""muster on a root that the real pacman made: events and packages are those that pacman itself tells of.

Called with the source folder and the build folder. Skips where pacman is not installed or the caller is not root, which pacman wants to be.
"""
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

BUILD = os.path.abspath(sys.argv[2])
FIELDS = "pkgname = {0}\npkgbase = {2}\npkgver = {1}\npkgdesc = d\nurl = x\nbuilddate = 1700000000\npackager = x\nsize = 1\narch = {3}\n"


def make(folder, name, version, base, arch):
    """A package file as makepkg would leave it, but for what pacman does not need."""
    content = os.path.join(folder, "content")
    shutil.rmtree(content, ignore_errors=True)
    os.makedirs(os.path.join(content, "usr/share", name))
    with open(os.path.join(content, ".PKGINFO"), "w", encoding="ascii") as file:
        file.write(FIELDS.format(name, version, base, arch))
    with open(os.path.join(content, "usr/share", name, "file"), "w", encoding="ascii") as file:
        file.write(version)
    path = os.path.join(folder, f"{name}-{version}-{arch}.pkg.tar.gz")
    with tarfile.open(path, "w:gz") as tar:
        for entry in (".PKGINFO", "usr"):
            tar.add(os.path.join(content, entry), entry)
    return path


class Root:
    def __init__(self, folder):
        self.folder, self.root = folder, os.path.join(folder, "root")
        for name in ("var/lib/pacman", "var/log", "etc"):
            os.makedirs(os.path.join(self.root, name))
        with open(os.path.join(self.root, "etc/os-release"), "w", encoding="ascii") as file:
            file.write("ID=arch\n")
        with open(os.path.join(folder, "conf"), "w", encoding="ascii") as file:
            file.write("[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n")

    def pacman(self, *words):
        places = {"root": self.root, "dbpath": self.root + "/var/lib/pacman", "logfile": self.root + "/var/log/pacman.log",
                  "cachedir": self.folder + "/cache", "gpgdir": self.folder + "/gpg", "hookdir": self.folder + "/hooks", "config": self.folder + "/conf"}
        command = ["pacman", "--noconfirm", *[w for k, v in places.items() for w in ("--" + k, v)], *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def muster(self, *words):
        command = [os.path.join(BUILD, "muster"), *words, "--root", self.root, "--state", self.folder + "/state"]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def agree(self, what):
        """The installed set is pacman's."""
        self.muster("collect")
        ours = sorted(" ".join(line.split("\t")[1:3]) for line in self.muster("list", "--installed", "--plain").splitlines())
        theirs = sorted(self.pacman("-Q").splitlines())
        if ours != theirs:
            sys.exit(f"{what}: pacman has {theirs}, muster {ours}")


def main():
    if not shutil.which("pacman") or os.getuid() != 0:
        print("pacman is not installed, or this is not root: skipped")
        return 77
    with tempfile.TemporaryDirectory(prefix="muster-pacman-") as folder:
        root = Root(folder)
        old, new = make(folder, "foo", "1.0-1", "foo", "x86_64"), make(folder, "foo", "1.1-1", "foo", "x86_64")
        doc = make(folder, "foo-doc", "1:1.0+r3-1", "foo", "any")
        root.pacman("-U", old, doc)
        root.agree("after an installation")
        for words in (("-U", new), ("-U", old), ("-U", old), ("-R", "foo-doc")):
            root.pacman(*words)
        root.agree("after upgrade, downgrade, reinstallation and removal")
        told = [line.split("\t") for line in root.muster("history", "--plain").splitlines()]
        deeds = [" ".join((t[3], t[4].split("__")[1])) for t in told]
        want = ["create Arch-x86_64-foo-1.0-1", "create Arch-x86_64-foo-doc-1~1.0~r3-1", "delete Arch-x86_64-foo-1.0-1",
                "create Arch-x86_64-foo-1.1-1", "delete Arch-x86_64-foo-1.1-1", "create Arch-x86_64-foo-1.0-1",
                "alter Arch-x86_64-foo-1.0-1", "delete Arch-x86_64-foo-doc-1~1.0~r3-1"]
        if deeds != want:
            sys.exit(f"history: {deeds}")
        if any(t[2] != "exact" for t in told):
            sys.exit(f"times are not exact: {told}")
        removed = {line.split("\t")[1]: line.split("\t")[3] for line in root.muster("list", "--removed", "--plain").splitlines()}
        if removed != {"foo": "x86_64", "foo-doc": "any"}:
            sys.exit(f"architectures: {removed}")
        root.muster("check")
    print("pacman and muster agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
