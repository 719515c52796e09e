"""The files of packages, as Muster reads them and as the managers' own tools tell: dpkg on this machine, all packages; rpm and pacman on
roots that the real tools made, with odd names.

Called with the source folder and the build folder. What is not installed is left out; skips if nothing is.
"""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pacman as pacman_host  # noqa: E402  (the roots are made as in those tests)
import rpm as rpm_host  # noqa: E402

BUILD = os.path.abspath(sys.argv[2])
ODD = ["plain", "with blank", "back\\slash", "tab\there", "quote\"<&>", "ünï", "-dash", "$(x)", "*"]
ODD_BYTES = [os.fsencode(name) for name in ODD] + [b"invalid\xff\xfe"]


def run(*words, status=0):
    done = subprocess.run(words, capture_output=True, timeout=300)
    if status is not None and done.returncode != status:
        sys.exit(f"{words}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def unescape(text):
    return text.replace(b"\\\\", b"\0").replace(b"\\n", b"\n").replace(b"\\t", b"\t").replace(b"\0", b"\\")


def ours(manager, root):
    """(name, arch) to a list of (kind, flags, digest, path, real path)."""
    told = {}
    for line in run(os.path.join(BUILD, "test/files_of"), manager, root).split(b"\n")[:-1]:
        name, arch, _, kind, flags, digest, path, real = line.split(b"\t")
        told.setdefault((name, arch), []).append((kind, flags, digest, unescape(path), unescape(real)))
    return told


def differ(what, left, right):
    """left: the manager's, right: ours."""
    if sorted(left) != sorted(right):
        sys.exit(f"{what}: only the manager's {sorted(set(left) - set(right))[:5]}, only ours {sorted(set(right) - set(left))[:5]}, {len(left)} to {len(right)}")


def diverted(lines):
    """dpkg -L's lines: the paths, and where diverted ones stand."""
    paths, stands = [], {}
    for line in lines:
        for mark in (b"diverted by ", b"locally diverted to: ", b"package diverts others to: "):
            if line.startswith(mark):
                if mark != b"package diverts others to: ":
                    stands[paths[-1]] = line.split(b" to: ")[-1] if mark == b"diverted by " else line[len(mark):]
                break
        else:
            if line != b"/.":
                paths.append(line)
    return paths, stands


def check_dpkg():
    told = ours("dpkg", "/")
    form = "${binary:Package}\t${Package}\t${Architecture}\t${db:Status-Status}\n${Conffiles}\n\f"
    count = moved = configured = 0
    for stanza in run("dpkg-query", "-W", "-f", form).split(b"\f")[:-1]:
        head, *lines = stanza.strip(b"\n").split(b"\n")
        binary, name, arch, status = head.split(b"\t")
        if status in (b"config-files", b"not-installed"):
            continue
        mine = told.get((name, arch), [])
        paths, stands = diverted(run("dpkg", "-L", os.fsdecode(binary)).split(b"\n")[:-1])
        differ(f"dpkg -L {binary}", paths, [f[3] for f in mine])
        differ(f"diversions of {binary}", stands.items(), [(f[3], f[4]) for f in mine if f[3] != f[4]])
        conffiles = {}
        for line in lines:
            words = [w for w in line.strip().split(b" ") if w not in (b"obsolete", b"remove-on-upgrade")]
            if len(words) > 1 and words[0] in set(paths):
                conffiles[b" ".join(words[:-1])] = b"md5:" + words[-1]
        differ(f"conffiles of {binary}", conffiles.items(), [(f[3], f[2]) for f in mine if b"c" in f[1]])
        count, moved, configured = count + len(paths), moved + len(stands), configured + len(conffiles)
    if not count or not configured:
        sys.exit("dpkg: nothing was compared")
    print(f"dpkg: {len(told)} packages, {count} paths, {moved} diverted, {configured} configuration files")


def spec_quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*").replace("$", "\\$").replace("%", "%%") + '"'


SPEC = """Name: files
Version: 1
Release: 1
Summary: s
License: MIT
BuildArch: noarch
%description
d
%install
cp -a {0} %{{buildroot}}/opt
mkdir -p %{{buildroot}}/etc; echo x > %{{buildroot}}/etc/a.conf; echo y > %{{buildroot}}/etc/b.conf
ln -s a.conf %{{buildroot}}/etc/link
%files
/opt
%config /etc/a.conf
%config(noreplace) /etc/b.conf
/etc/link
%ghost /var/log/files.log
"""


def check_rpm(folder):
    root = rpm_host.Root(folder)
    os.makedirs(os.path.join(folder, "content"))
    for name in ODD_BYTES:
        if not set(name) & set(b'"\\\t\xff'):  # rpmbuild refuses those
            with open(os.path.join(os.fsencode(folder), b"content", name), "wb") as file:
                file.write(name)
    top = tempfile.mkdtemp(prefix="top-", dir=folder)
    with open(top + "/spec", "w", encoding="ascii") as file:
        file.write(SPEC.format(folder + "/content"))
    run("rpmbuild", "-bb", "--define", f"_topdir {top}", top + "/spec")
    root.install("-i", [top + "/RPMS/noarch/files-1-1.noarch.rpm"])
    root.install("-i", root.build("empty", "1", "1"))
    told = ours("rpm", root.root)
    form = "[%{FILENAMES}\x01%{FILEDIGESTS}\n]"
    theirs = run("rpm", "--dbpath", root.db, "-q", "--qf", form, "files").split(b"\n")[:-1]
    mine = told[(b"files", b"noarch")]
    differ("rpm digests", theirs, [f[3] + b"\x01" + f[2].split(b":")[1] for f in mine])
    differ("rpm -ql", run("rpm", "--dbpath", root.db, "-ql", "files").split(b"\n")[:-1], [f[3] for f in mine])
    differ("rpm -qc", run("rpm", "--dbpath", root.db, "-qc", "files").split(b"\n")[:-1], [f[3] for f in mine if b"c" in f[1]])
    by_path = {f[3]: f for f in mine}
    if by_path[b"/var/log/files.log"][1] != b"o" or by_path[b"/etc/link"][0] != b"l" or by_path[b"/opt"][0] != b"d":
        sys.exit(f"rpm: kinds and flags: {by_path}")
    if by_path[b"/etc/a.conf"][2] != b"sha256:" + hashlib.sha256(b"x\n").hexdigest().encode():
        sys.exit("rpm: the digest is not the content's")
    print(f"rpm: {len(mine)} paths")


def check_pacman(folder):
    root = pacman_host.Root(folder)
    path = pacman_host.make(folder, "odd", "1.0-1", "odd", "any")
    content = os.path.join(folder, "content")
    os.makedirs(content + "/etc")
    os.makedirs(content + "/opt/empty")
    with open(content + "/.PKGINFO", "a", encoding="ascii") as file:
        file.write("backup = etc/a b.conf\n")
    with open(content + "/etc/a b.conf", "w", encoding="ascii") as file:
        file.write("original\n")
    os.symlink("a b.conf", content + "/etc/link")
    lines = [b"#mtree", b"/set type=file uid=0 gid=0 mode=644"]
    for name in ODD_BYTES:
        with open(os.path.join(os.fsencode(content), b"opt", name), "wb") as file:
            file.write(name)
        quoted = b"".join(b"\\%03o" % c if c <= 32 or c > 126 or c in b"\\#*" else bytes([c]) for c in name)
        lines.append(b"./opt/" + quoted + b" time=1.0 size=1 sha256digest=" + hashlib.sha256(name).hexdigest().encode())
    for name in (b"etc", b"opt", b"opt/empty", b"usr", b"usr/share", b"usr/share/odd"):
        lines.append(b"./" + name + b" time=1.0 mode=755 type=dir")
    lines += [b"./etc/a\\040b.conf time=1.0 size=9 md5digest=" + b"0" * 32, b"./usr/share/odd/file time=1.0 size=5"]
    lines.append(b"./etc/link time=1.0 mode=777 type=link link=a\\040b.conf")
    with gzip.open(content + "/.MTREE", "wb") as file:
        file.write(b"\n".join(lines) + b"\n")
    os.unlink(path)
    run("tar", "-C", content, "-czf", path, ".PKGINFO", ".MTREE", "etc", "opt", "usr")
    root.pacman("-U", path)
    mine = ours("pacman", root.root)[(b"odd", b"any")]
    words = ["pacman", "--root", root.root, "--dbpath", root.root + "/var/lib/pacman", "--config", folder + "/conf", "-Qlq", "odd"]
    prefix = os.fsencode(root.root)
    theirs = [line[len(prefix):] if line.startswith(prefix) else line for line in run(*words).split(b"\n")[:-1]]
    differ("pacman -Ql", theirs, [f[3] + (b"/" if f[0] == b"d" else b"") for f in mine])
    by_path = {f[3]: f for f in mine}
    for name in ODD_BYTES:
        if by_path[b"/opt/" + name][2] != b"sha256:" + hashlib.sha256(name).hexdigest().encode():
            sys.exit(f"pacman: {name}: {by_path[b'/opt/' + name]}")
    config = by_path[b"/etc/a b.conf"]
    if config[1] != b"c" or config[2] != b"md5:" + b"0" * 32 or by_path[b"/etc/link"][0] != b"l":
        sys.exit(f"pacman: configuration: {config}, {by_path[b'/etc/link']}")
    print(f"pacman: {len(mine)} paths")


def main():
    if not os.path.exists(os.path.join(BUILD, "test/files_of")):
        print("test/files_of was not built: skipped")
        return 77
    done = 0
    if shutil.which("dpkg-query"):
        check_dpkg()
        done += 1
    with tempfile.TemporaryDirectory(prefix="muster-files-") as folder:
        if shutil.which("rpmbuild") and os.path.exists(BUILD + "/muster-rpmdb"):
            os.mkdir(folder + "/rpm")
            check_rpm(folder + "/rpm")
            done += 1
        if shutil.which("pacman") and os.getuid() == 0:
            os.mkdir(folder + "/pacman")
            check_pacman(folder + "/pacman")
            done += 1
    return 0 if done else 77


if __name__ == "__main__":
    sys.exit(main())
