"""muster on a root that the real rpm made: packages are those that rpm itself tells of.

Called with the source folder and the build folder. Skips where rpm or rpmbuild is missing, or Muster was built without librpm.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[2])
SPEC = """Name: {0}
{3}Version: {1}
Release: {2}
Summary: s
License: MIT
%description
d
%package doc
Summary: s
BuildArch: noarch
%description doc
d
%files
%files doc
"""


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120, **options).stdout


class Root:
    def __init__(self, folder):
        self.folder, self.root = folder, os.path.join(folder, "root")
        self.db = self.root + "/var/lib/rpm"
        for name in (self.db, self.root + "/etc"):
            os.makedirs(name)
        with open(self.root + "/etc/os-release", "w", encoding="ascii") as file:
            file.write('ID=fedora\nVERSION_ID=40\n')

    def build(self, name, version, release, epoch=""):
        top = tempfile.mkdtemp(prefix="top-", dir=self.folder)
        with open(top + "/spec", "w", encoding="ascii") as file:
            file.write(SPEC.format(name, version, release, epoch))
        run("rpmbuild", "-bb", "--define", f"_topdir {top}", top + "/spec")
        return glob.glob(top + "/RPMS/*/*.rpm")

    def rpm(self, *words):
        return run("rpm", "--dbpath", self.db, *words)

    def install(self, how, packages):
        self.rpm("--nodeps", "--noscripts", "--justdb", how, *packages)

    def muster(self, *words):
        return run(os.path.join(BUILD, "muster"), *words, "--root", self.root, "--state", self.folder + "/state")

    def agree(self, what):
        self.muster("collect")
        ours = sorted(" ".join(line.split("\t")[1:4]) for line in self.muster("list", "--installed", "--plain").splitlines())
        theirs = sorted(self.rpm("-qa", "--qf", "%{NAME} %{EVR} %{ARCH}\n").splitlines())
        if ours != theirs or not ours:
            sys.exit(f"{what}: rpm has {theirs}, muster {ours}")


def main():
    if not shutil.which("rpmbuild") or not os.path.exists(BUILD + "/muster-rpmdb"):
        print("rpm or rpmbuild is missing, or muster was built without librpm: skipped")
        return 77
    with tempfile.TemporaryDirectory(prefix="muster-rpm-") as folder:
        root = Root(folder)
        root.install("-i", root.build("alpha", "1.0~rc1", "1.fc40", "Epoch: 2\n") + root.build("beta", "1.0^git1", "3"))
        root.agree("after an installation")
        times = {line.split("\t")[1] for line in root.muster("history", "--plain").splitlines()}
        installed = {int(t) for t in root.rpm("-qa", "--qf", "%{INSTALLTIME}\n").split()}
        stamps = {int(run("date", "-ud", t, "+%s")) for t in times}
        if stamps != installed:
            sys.exit(f"rpm installed at {installed}, muster says {stamps}")
        listed = root.muster("list", "--installed", "--plain")
        for want in ("strongswan.org__Fedora_40-x86_64-alpha-1.0~rc1-1.fc40.x86_64\talpha\t2:1.0~rc1-1.fc40",
                     "strongswan.org__Fedora_40-x86_64-alpha-doc-1.0~rc1-1.fc40.noarch\t"):
            if want not in listed:
                sys.exit(f"{want} is not in {listed}")
        root.install("-U", root.build("alpha", "1.0", "1.fc40", "Epoch: 2\n"))
        root.install("-i", [p for p in root.build("beta", "2.0", "1") if "-doc-" not in p])  # beside the old one, as kernels are
        root.agree("after an upgrade and a second version")
        root.install("-e", ["beta-2.0-1"])
        root.agree("after a removal")
        root.muster("check")
    print("rpm and muster agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
