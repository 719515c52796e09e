"""muster on what the real flatpak installed: references and versions are those that flatpak itself lists.

Called with the source folder and the build folder. Skips where flatpak is missing.
"""
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[2])
METAINFO = """<?xml version="1.0"?><components version="0.8"><component type="desktop"><id>org.test.Hello.desktop</id><name>Hello</name>
<summary>s</summary><releases><release version="{}" timestamp="1700000000"/></releases></component></components>"""


class Machine:
    def __init__(self, folder):
        self.folder, self.root = folder, folder + "/root"
        os.makedirs(self.root + "/var/lib/flatpak")
        os.makedirs(self.root + "/etc")
        with open(self.root + "/etc/os-release", "w", encoding="ascii") as file:
            file.write("ID=debian\nVERSION_ID=12\n")
        self.environment = dict(os.environ, FLATPAK_SYSTEM_DIR=self.root + "/var/lib/flatpak", FLATPAK_USER_DIR=folder + "/user", HOME=folder)

    def flatpak(self, *words):
        return subprocess.run(["flatpak", *words], check=True, capture_output=True, text=True, timeout=120, env=self.environment).stdout

    def write(self, name, text):
        os.makedirs(os.path.dirname(f"{self.folder}/{name}"), exist_ok=True)
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def export(self, version, branch):
        import gzip

        self.write("app/metadata", "[Application]\nname=org.test.Hello\nruntime=org.test.Platform/x86_64/23.08\ncommand=hello\n")
        self.write("app/files/bin/hello", version)
        os.makedirs(self.folder + "/app/export", exist_ok=True)
        os.makedirs(self.folder + "/app/files/share/app-info/xmls", exist_ok=True)
        with gzip.open(self.folder + "/app/files/share/app-info/xmls/org.test.Hello.xml.gz", "wb") as file:
            file.write(METAINFO.format(version).encode())
        self.flatpak("build-export", "--disable-sandbox", "--arch=x86_64", self.folder + "/repo", self.folder + "/app", branch)

    def agree(self, what):
        """Each line of `flatpak list` is an installed package, and nothing else is."""
        words = ["--root", self.root, "--state", self.folder + "/state"]
        for command in ("collect", "check"):
            subprocess.run([BUILD + "/muster", command, *words], check=True, capture_output=True, timeout=60)
        listed = subprocess.run([BUILD + "/muster", "list", "--installed", "--plain", *words], check=True, capture_output=True, text=True, timeout=60).stdout
        ours = sorted("\t".join(line.split("\t")[1:4]) for line in listed.splitlines())
        theirs = []
        for line in self.flatpak("list", "--system", "--all", "--columns=application,version,arch,branch,active").splitlines():
            name, version, arch, branch, active = line.split("\t")
            theirs.append(f"{name}\t{version + '+' if version else ''}{branch}+g{active}\t{arch}")
        if ours != sorted(theirs) or not ours:
            sys.exit(f"{what}: flatpak has {sorted(theirs)}, muster {ours}")
        return subprocess.run([BUILD + "/muster", "history", "--plain", *words], check=True, capture_output=True, text=True, timeout=60).stdout


def main():
    if not shutil.which("flatpak") or os.getuid() != 0:
        print("flatpak is not installed, or this is not root: skipped")
        return 77
    with tempfile.TemporaryDirectory(prefix="muster-flatpak-") as folder:
        machine = Machine(folder)
        machine.write("platform/metadata", "[Runtime]\nname=org.test.Platform\n")
        os.makedirs(folder + "/platform/files")
        machine.flatpak("build-export", "--disable-sandbox", "--runtime", "--arch=x86_64", "--files=files", folder + "/repo", folder + "/platform", "23.08")
        machine.export("1.2.3", "stable")
        machine.export("2.0", "beta")
        machine.flatpak("remote-add", "--system", "--no-gpg-verify", "here", folder + "/repo")
        machine.flatpak("install", "--system", "-y", "--noninteractive", "here", "org.test.Platform", "org.test.Hello//stable")
        machine.agree("after an installation")
        machine.flatpak("install", "--system", "-y", "--noninteractive", "here", "org.test.Hello//beta")
        machine.agree("with a second branch")
        machine.export("1.2.4", "stable")
        machine.flatpak("update", "--system", "-y", "--noninteractive")
        told = [line.split("\t") for line in machine.agree("after an update").splitlines()]
        deeds = [t[3] + " " + t[4].split("org.test.")[1].split("~g")[0].split("+g")[0] for t in told]
        if deeds[-2:] != ["delete Hello-1.2.3~stable", "create Hello-1.2.4~stable"]:
            sys.exit(f"an update: {deeds}")
        machine.flatpak("uninstall", "--system", "-y", "--noninteractive", "org.test.Hello//beta")
        machine.agree("after a removal")
    print("flatpak and muster agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
