"""`muster package show` on package files that the real tools made, beside what those tools tell of them; and on files that lie.

Called with the source folder and the build folder. What is not installed is left out, and said.
"""
import bz2
import glob
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from xml.etree import ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pacman as pacman_host  # noqa: E402  (roots are made as in those tests)
import rpm as rpm_host  # noqa: E402

BUILD = os.path.abspath(sys.argv[2])
MUSTER = os.path.join(BUILD, "muster")
ODD = [b"plain", b"with blank", b"back\\slash", b"tab\there", b"line\nend", b"quote\"<&>", "ünï".encode(), "e\u0301".encode(), b"-dash", b"$(x)", b"*",
       b"invalid\xff\xfe", b"x" * 200]
KINDS = {tarfile.REGTYPE: "file", tarfile.LNKTYPE: "file", tarfile.SYMTYPE: "link", tarfile.DIRTYPE: "directory"}


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, timeout=300, **options)
    if done.returncode:
        sys.exit(f"{words}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def show(path, *words):
    return json.loads(run(MUSTER, "package", "show", path, "--json", *words))


def octets(entry, key):
    return bytes.fromhex(entry[key + "_octets"]) if key + "_octets" in entry else entry.get(key, "").encode()


def differ(what, theirs, ours):
    if theirs != ours:
        sys.exit(f"{what}:\ntheirs {theirs}\nours   {ours}")


def refuse(what, content, word=b""):
    """One clear line, a status that is not 0, and nothing on standard output."""
    with tempfile.NamedTemporaryFile(prefix="muster-bad-") as file:
        file.write(content)
        file.flush()
        process = subprocess.Popen([MUSTER, "package", "show", file.name, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, complaint = process.communicate(timeout=120)
        if content[:3] == b"!<a":
            tag = subprocess.run([MUSTER, "tag", "--full", "--package-file", file.name], capture_output=True, timeout=120)
            differ(f"a tag of {what}", (process.returncode, b"", 1), (tag.returncode, tag.stdout, tag.stderr.count(b"\n")))
    if process.returncode != 2 or out or complaint.count(b"\n") != 1 or word not in complaint:
        sys.exit(f"{what}: exit status {process.returncode}, {len(out)} octets of output, said {complaint!r}")
    return complaint


def make_tree(folder):
    """Files of every kind with odd names; (path to content) of the regular ones."""
    root = os.fsencode(folder)
    os.makedirs(root + b"/opt/odd/empty")
    os.makedirs(root + b"/etc")
    for name in ODD:
        with open(root + b"/opt/odd/" + name, "wb") as file:
            file.write(name * 3)
    with open(root + b"/opt/odd/large", "wb") as file:
        file.write(os.urandom(300000))
    open(root + b"/opt/odd/nothing", "wb").close()
    os.link(root + b"/opt/odd/large", root + b"/opt/odd/zz hard")
    os.symlink(b"../../nowhere\n", root + b"/opt/odd/link")
    os.chmod(root + b"/opt/odd/plain", 0o4755)
    with open(root + b"/etc/odd a.conf", "wb") as file:
        file.write(b"a = 1\n")


def tar_entries(tar):
    """path to (type, mode, size, link, sha256) of an opened tar archive, without pacman's and apk's own."""
    told = {}
    for t in tar:
        path = b"/" + os.fsencode(t.name).removeprefix(b"./").strip(b"/")
        if path in (b"/", b"/.") or path[1:2] == b".":
            continue
        link = os.fsencode(t.linkname) if t.issym() else b""
        file = tar.extractfile(t) if t.isreg() or t.islnk() else None
        content = file.read() if file else b""
        told[path] = (KINDS.get(t.type, "special"), f"{t.mode:04o}", len(content) if file else None, link,
                      hashlib.sha256(content).hexdigest() if file else None)
    return told


def our_entries(told):
    return {octets(f, "path"): (f["type"], f["mode"], f.get("size"), octets(f, "link"), f.get("sha256")) for f in told["files"]}


# ---- deb -------------------------------------------------------------------------------------------------------------------


CONTROL = """Package: odd
Version: 2:1.0~rc1+b-1
Architecture: amd64
Source: odds (2:1.0~rc1-1)
Maintainer: nobody <nobody@example.org>
Homepage: https://example.org/
Description: odd names
 and more of them
"""


def make_debs(folder):
    content = folder + "/deb"
    make_tree(content)
    os.unlink(content + "/opt/odd/line\nend")  # dpkg-deb refuses it
    os.mkfifo(content + "/opt/odd/pipe")
    os.makedirs(content + "/DEBIAN")
    with open(content + "/DEBIAN/control", "w", encoding="utf-8") as file:
        file.write(CONTROL)
    with open(content + "/DEBIAN/conffiles", "w", encoding="utf-8") as file:
        file.write("/etc/odd a.conf\nremove-on-upgrade /etc/gone\n")
    with open(content + "/DEBIAN/md5sums", "wb") as file:
        for folder_, _, names in os.walk(os.fsencode(content)):
            for path in (os.path.join(folder_, n) for n in names):
                inside = os.path.relpath(path, os.fsencode(content))
                if not inside.startswith(b"DEBIAN") and os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as one:
                        sum_ = hashlib.md5(one.read()).hexdigest().encode()
                    file.write((b"\\" if b"\\" in inside else b"") + sum_ + b"  " + inside.replace(b"\\", b"\\\\") + b"\n")
    for how in ("gzip", "xz", "zstd", "none"):
        for uniform in ("--uniform-compression", "--no-uniform-compression"):
            path = f"{folder}/{how}{uniform}.deb"
            run("dpkg-deb", "--root-owner-group", uniform, "-Z" + how, "-b", content, path)
            yield path


def check_deb(folder):
    paths = list(make_debs(folder))
    for path in paths:
        ours = show(path)
        fields = {w: run("dpkg-deb", "-f", path, f).decode().strip() for f, w in
                  (("Package", "name"), ("Version", "version"), ("Architecture", "arch"), ("Homepage", "homepage"))}
        differ(path, fields, {w: ours[w] for w in fields})
        differ(path, ("odds", "2:1.0~rc1-1", "odd names"), (ours["source_package"], ours["source_version"], ours["summary"]))
        with tarfile.open(fileobj=io.BytesIO(run("dpkg-deb", "--fsys-tarfile", path))) as tar:
            differ(path, tar_entries(tar), our_entries(ours))
        by_path = {f["path"]: f for f in ours["files"]}
        differ("conffiles", ["/etc/odd a.conf"], [p for p, f in by_path.items() if f["config"]])
        differ("md5sums", hashlib.md5(b"a = 1\n").hexdigest(), by_path["/etc/odd a.conf"]["said"]["md5"])
    root = folder + "/root"
    os.makedirs(root + "/var/lib/dpkg")
    with open(root + "/var/lib/dpkg/status", "w", encoding="utf-8") as file:
        file.write(CONTROL + "Status: install ok installed\n\n")
    same_identifier(root, folder, paths[0])
    print(f"dpkg: {len(paths)} files agree with dpkg-deb")
    return paths


def same_identifier(root, folder, *paths):
    """What a package file says of its package is what Muster tells once it is installed."""
    words = ("--root", root, "--state", tempfile.mkdtemp(prefix="state-", dir=folder))
    keys = ("software_id", "name", "version", "arch", "source_package", "source_version")
    installed = json.loads(run(MUSTER, "list", "--installed", "--json", *words))["items"]
    shown = [show(path, "--root", root) for path in paths]
    differ("installed and in the file", sorted([r[k] for k in keys] for r in installed), sorted([s[k] for k in keys] for s in shown))


# ---- rpm ---------------------------------------------------------------------------------------------------------------------

SPEC = """Name: odd
Epoch: {epoch}
Version: 1.0~rc1
Release: 2
Summary: odd names
License: MIT
URL: https://example.org/
%description
d
%package sub
Summary: nothing
BuildArch: noarch
%description sub
d
%install
cp -a {tree}/. %{{buildroot}}/
mkdir -p %{{buildroot}}/var/log
%files
/opt
%dir %attr(0700,root,root) /etc
%config(noreplace) "/etc/odd a.conf"
%ghost /var/log/odd.log
%files sub
"""


def check_rpm(folder):
    tree = folder + "/rpm-tree"
    make_tree(tree)
    for name in ODD:
        if set(name) & set(b'"\\\t\n\xff'):  # rpmbuild refuses those
            os.unlink(os.fsencode(tree) + b"/opt/odd/" + name)
    os.unlink(tree + "/opt/odd/link")
    os.symlink("nowhere", tree + "/opt/odd/link")
    paths = []
    for i, how in enumerate(("w9.gzdio", "w6.xzdio", "w9.zstdio", "w9.bzdio", "w.ufdio")):
        top = tempfile.mkdtemp(prefix="top-", dir=folder)
        with open(top + "/spec", "w", encoding="ascii") as file:
            file.write(SPEC.format(tree=tree, epoch=i))
        run("rpmbuild", "-bb", "--define", f"_topdir {top}", "--define", f"_binary_payload {how}", "--define", "_build_id_links none", top + "/spec")
        paths += glob.glob(top + "/RPMS/*/*.rpm")
    for path in paths:
        ours = show(path)
        form = "%{NAME}\x01%{EVR}\x01%{ARCH}\x01%{SUMMARY}\x01%{LICENSE}\x01%{URL}"
        theirs = run("rpm", "-qp", "--qf", form, path).decode().split("\x01")
        differ(path, theirs, [ours[k] or "(none)" for k in ("name", "version", "arch", "summary", "licence", "homepage")])
        form = "[%{FILENAMES}\x01%{FILEMODES:octal}\x01%{FILESIZES}\x01%{FILEDIGESTS}\x01%{FILELINKTOS}\x01%{FILEFLAGS}\n]"
        theirs = {}
        for line in run("rpm", "-qp", "--qf", form, path).split(b"\n")[:-1]:
            name, mode, size, digest, link, flags = line.split(b"\x01")
            if name == b"(none)":
                continue
            kind = {"10": "file", "4": "directory", "12": "link"}[mode.decode()[:-4]]
            ghost = int(flags) & 64
            theirs[name] = (kind, mode.decode()[-4:], int(size) if kind == "file" else None, link, digest.decode() if kind == "file" and not ghost else None)
        differ(path, theirs, our_entries(ours))
        if theirs:
            differ("flags", [("/etc/odd a.conf", True, False), ("/var/log/odd.log", False, True)],
                   [(f["path"], f["config"], f["optional"]) for f in ours["files"] if f["config"] or f["optional"]])
            differ("hard link", [os.path.join("/opt/odd", n) for n in ("large", "zz hard")],
                   sorted([f["path"] for f in ours["files"] if "same_as" in f] + [f["same_as"] for f in ours["files"] if "same_as" in f]))
    if os.path.exists(BUILD + "/muster-rpmdb"):
        os.mkdir(folder + "/rpm-root")
        root = rpm_host.Root(folder + "/rpm-root")
        pair = [p for p in paths if os.path.dirname(os.path.dirname(p)) == os.path.dirname(os.path.dirname(paths[-1]))]
        root.install("-i", pair)
        same_identifier(root.root, folder, *pair)
    print(f"rpm: {len(paths)} files agree with rpm")
    return [p for p in paths if "-sub-" not in p]


# ---- pacman ------------------------------------------------------------------------------------------------------------------

PKGINFO = """# Generated by makepkg
pkgname = odd
pkgbase = odds
pkgver = 1:1.0rc1-2
pkgdesc = odd names
url = https://example.org/
builddate = 1700000000
packager = nobody
size = 1
arch = x86_64
license = MIT
license = Zlib
backup = etc/odd a.conf
"""


def mtree_name(name):
    return b"".join(b"\\%03o" % c if c <= 32 or c > 126 or c in b"\\#*" else bytes([c]) for c in name)


def make_pacman(folder):
    tree = folder + "/pacman-tree"
    make_tree(tree)
    with open(tree + "/.PKGINFO", "w", encoding="ascii") as file:
        file.write(PKGINFO)
    lines = [b"#mtree", b"/set type=file uid=0 gid=0 mode=644"]
    for name in ODD:
        lines.append(b"./opt/odd/" + mtree_name(name) + b" time=1.0 size=1 sha256digest=" + hashlib.sha256(name * 3).hexdigest().encode())
    lines += [b"./" + name + b" time=1.0 mode=755 type=dir" for name in (b"etc", b"opt", b"opt/odd", b"opt/odd/empty")]
    lines += [b"./" + mtree_name(name) + b" time=1.0 size=1" for name in (b"etc/odd a.conf", b"opt/odd/large", b"opt/odd/nothing", b"opt/odd/zz hard")]
    lines.append(b"./opt/odd/link time=1.0 mode=777 type=link link=x")
    with gzip.open(tree + "/.MTREE", "wb") as file:
        file.write(b"\n".join(lines) + b"\n")
    plain = folder + "/odd.pkg.tar"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(plain, "w", format=form) as tar:
            for name in (".MTREE", ".PKGINFO", "etc", "opt"):
                tar.add(os.path.join(tree, name), name)
        with open(plain, "rb") as file:
            content = file.read()
        packed = {"": content, ".gz": gzip.compress(content), ".xz": lzma.compress(content), ".bz2": bz2.compress(content)}
        if shutil.which("zstd"):
            packed[".zst"] = subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout
        for how, octets_ in packed.items():
            path = f"{folder}/odd-{form}.pkg.tar{how}"
            with open(path, "wb") as file:
                file.write(octets_)
            yield path


def check_pacman(folder):
    paths = list(make_pacman(folder))
    for path in paths:
        ours = show(path)
        differ(path, ("odd", "1:1.0rc1-2", "x86_64", "odds", "odd names", "MIT, Zlib", "pacman"),
               tuple(ours[k] for k in ("name", "version", "arch", "source_package", "summary", "licence", "manager")))
        with tarfile.open(folder + "/odd.pkg.tar") as tar:
            differ(path, tar_entries(tar), our_entries(ours))
        differ("backup", ["/etc/odd a.conf"], [f["path"] for f in ours["files"] if f["config"]])
        differ("mtree", len(ODD), sum("said" in f for f in ours["files"]))
    if shutil.which("pacman") and os.getuid() == 0:
        os.mkdir(folder + "/pacman-root")
        root = pacman_host.Root(folder + "/pacman-root")
        root.pacman("-U", "--dbonly", paths[1])
        for path in paths:
            theirs = run("pacman", "--root", root.root, "--dbpath", root.root + "/var/lib/pacman", "--config", root.folder + "/conf", "-Qlp", path)
            prefix = b"odd " + (os.fsencode(root.root) if os.fsencode(root.root) in theirs else b"")
            mine = sorted(octets(f, "path") + (b"/" if f["type"] == "directory" else b"") for f in show(path)["files"])
            differ("pacman -Qlp", theirs, b"".join(prefix + line + b"\n" for line in mine))
        same_identifier(root.root, folder, paths[1])
    else:
        print("pacman is not installed, or this is not root: its packages are not installed")
    print(f"pacman: {len(paths)} files agree with tar")
    return paths


# ---- apk: three gzip streams, the first two without the end of a tar archive ------------------------------------------------------


def tar_of(entries, cut=False, form=tarfile.PAX_FORMAT):
    """entries: (name, content) or TarInfo with content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if content is not None:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if content is not None else None)
        end = tar.offset
    return out.getvalue()[:end] if cut else out.getvalue()


def make_apk(signed=True):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in (("etc", None), ("etc/odd.conf", b"a = 1\n"), ("etc/init.d", None), ("usr/bin/odd", b"#!/bin/sh\n")):
            info = tarfile.TarInfo(name)
            info.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            info.size = len(content or b"")
            if content is not None:
                info.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(content).hexdigest()}
            tar.addfile(info, io.BytesIO(content or b""))
    data = gzip.compress(data.getvalue())
    info = (f"# Generated by abuild 3.13\npkgname = odd\npkgver = 1.0_rc1-r2\npkgdesc = odd names\nurl = https://example.org/\narch = x86_64\n"
            f"origin = odds\nlicense = MIT\ndatahash = {hashlib.sha256(data).hexdigest()}\n").encode()
    control = gzip.compress(tar_of([(".PKGINFO", info), (".post-install", b"#!/bin/sh\n")], cut=True))
    signature = gzip.compress(tar_of([(".SIGN.RSA.nobody.rsa.pub", b"x" * 256)], cut=True)) if signed else b""
    return signature + control + data


def check_apk(folder):
    for signed in (True, False):
        path = f"{folder}/odd-{signed}.apk"
        with open(path, "wb") as file:
            file.write(make_apk(signed))
        ours = show(path)
        differ(path, ("odd", "1.0_rc1-r2", "x86_64", "odds", "odd names", "MIT", "apk"),
               tuple(ours[k] for k in ("name", "version", "arch", "source_package", "summary", "licence", "manager")))
        differ(path, [("/etc", False, None), ("/etc/init.d", False, None), ("/etc/odd.conf", True, 6), ("/usr/bin/odd", False, 10)],
               sorted((f["path"], f["config"], f.get("size")) for f in ours["files"]))
    root = folder + "/apk-root"
    os.makedirs(root + "/lib/apk/db")
    os.makedirs(root + "/etc")
    with open(root + "/etc/os-release", "w", encoding="ascii") as file:
        file.write("ID=alpine\nVERSION_ID=3.20.1\n")
    with open(root + "/lib/apk/db/installed", "w", encoding="ascii") as file:
        file.write("P:odd\nV:1.0_rc1-r2\nA:x86_64\no:odds\n\n")
    same_identifier(root, folder, path)
    print("apk: agrees with its format")
    return [path]


# ---- tags ------------------------------------------------------------------------------------------------------------------------


def tag_of(path, *words):
    return run(MUSTER, "tag", "--package-file", path, *words)


def tagged_files(tag):
    """(size, SHA-256, mutable) of each file of a tag."""
    space = {"t": "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}", "h": "{http://www.w3.org/2001/04/xmlenc#sha256}hash",
             "m": "{http://csrc.nist.gov/ns/swid/2015-extensions/1.0}mutable"}
    return sorted((int(f.get("size")), f.get(space["h"]), f.get(space["m"]) == "true") for f in ElementTree.fromstring(tag).iter(space["t"] + "File"))


def check_tags(folder, paths):
    """A tag has the identifier of the package and every file's content; one is the same whatever the package is packed with."""
    by_manager = {}
    for path in paths:
        shown, tag = show(path), tag_of(path, "--full")
        if b'tagId="' + shown["software_id"].split("__")[1].encode() + b'"' not in tag:
            sys.exit(f"{path}: {shown['software_id']} is not in {tag[:800]}")
        differ(path, sorted((f["size"], f["sha256"], f["config"]) for f in shown["files"] if "sha256" in f), tagged_files(tag))
        by_manager.setdefault((shown["manager"], shown["version"]), set()).add(tag)
    for key, tags in by_manager.items():
        differ(f"tags of {key}", 1, len(tags))
    deb = [path for path in paths if path.endswith(".deb")]
    if deb:
        run("dpkg-deb", "-x", deb[0], folder + "/unpacked")
        with open(folder + "/tag", "wb") as file:
            file.write(tag_of(deb[0], "--full", "--hierarchic", "--hash", "sha256,sha512"))
        run(MUSTER, "tag", "verify", folder + "/tag", "--root", folder + "/unpacked")
        with open(folder + "/unpacked/opt/odd/plain", "ab") as file:
            file.write(b"x")
        if subprocess.run([MUSTER, "tag", "verify", folder + "/tag", "--root", folder + "/unpacked"], capture_output=True, timeout=60).returncode != 1:
            sys.exit("a changed file was not noticed")
        two = json.loads(run(MUSTER, "tag", "--package-file", deb[0], "--package-file", paths[0], "--json"))["items"]
        differ("two files", ["odd", "odd"], [t["name"] for t in two])
        glob_ = [deb[0], folder + "/nothing.deb", *paths[:1], *deb * 60]  # as a shell leaves --package-file *.deb; one that is gone by then keeps no other back
        done = subprocess.run([MUSTER, "tag", "--json", "--package-file", *glob_], capture_output=True, timeout=300)
        differ("a glob", (4, len(glob_) - 1, 1), (done.returncode, len(json.loads(done.stdout)["items"]), done.stderr.count(b"\n")))
        both = subprocess.run([MUSTER, "tag", "--all", "--package-file", deb[0]], capture_output=True, timeout=60)
        differ("all packages and a file", (2, b""), (both.returncode, both.stdout))
    print(f"tags: of {len(paths)} files")


def check_links():
    """Within the package a link has the content that it leads to."""
    links = {"usr/lib/l1": "libx", "usr/lib/l2": "/usr/lib/l1", "etc/l3": "../../usr/./lib/l2", "etc/out": "/bin/sh", "etc/loop": "loop", "etc/folder": "/usr"}
    content = pacman_of([("usr/lib/libx", b"x"), (typed("usr/lib/hard", tarfile.LNKTYPE, "usr/lib/libx"), None)] +
                        [(typed(name, tarfile.SYMTYPE, to), None) for name, to in links.items()])
    with tempfile.NamedTemporaryFile(prefix="muster-links-") as file:
        file.write(content)
        file.flush()
        tag = tag_of(file.name, "--full").decode()
    differ("links", ["hard", "l1", "l2", "l3", "libx"], sorted(re.findall(r'<File name="([^"]*)"', tag)))
    differ("links", 1, len(set(tagged_files(tag))))


# ---- files that lie ------------------------------------------------------------------------------------------------------------


def pacman_of(entries, info=PKGINFO.encode()):
    return tar_of([(".PKGINFO", info)] + entries)


def typed(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def ar(*members):
    return b"!<arch>\n" + b"".join(b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (n, 0, 0, 0, b"100644", len(c)) + c + b"\n" * (len(c) & 1) for n, c in members)


def deb_of(data, control=CONTROL.encode(), more=()):
    return ar((b"debian-binary", b"2.0\n"), (b"control.tar.gz", gzip.compress(tar_of([("./control", control), *more]))), data)


def check_lists():
    """What a package lists of its files, beside what it brings: whichever hashes are asked for, and of a tag, too."""
    x, y = (hashlib.md5(c).hexdigest().encode() for c in (b"x", b"y"))
    files = [(typed("./usr", tarfile.DIRTYPE), None), ("./usr/a", b"x"), ("./etc/c", b"y"), (typed("./usr/l", tarfile.SYMTYPE, "a"), None)]
    conf = ("./conffiles", b"/etc/c\n")
    for what, sums, more, expected in (  # differing, unlisted, absent
            ("right", x + b"  usr/a\n", [conf], (0, 0, 0)), ("configuration is listed, too", x + b"  ./usr/a\n" + y + b"  etc/c\n", [conf], (0, 0, 0)),
            ("links and folders are listed", x + b"  usr/a\n" + x + b"  usr/l\n" + x + b"  usr\n", [conf], (0, 0, 0)), ("no list", None, [], (0, 0, 0)),
            ("an empty list", b"", [], (0, 0, 0)), ("another content", y + b"  usr/a\n", [conf], (1, 0, 0)), ("another configuration", x + b"  usr/a\n" + x + b"  etc/c\n", [conf], (1, 0, 0)),
            ("not listed", y + b"  etc/c\n", [], (0, 1, 0)), ("only listed", x + b"  usr/a\n" + x + b"  usr/gone\n" + y + b"  gone\n", [conf], (0, 0, 2)),
            ("everything", y + b"  usr/a\n" + x + b"  usr/gone\n", [], (1, 1, 1))):
        deb = deb_of((b"data.tar", tar_of(files)), more=more + ([("./md5sums", sums)] if sums is not None else []))
        lists(what, deb, expected)
    refuse("a list that climbs", deb_of((b"data.tar", tar_of(files)), more=[("./md5sums", x + b"  usr/../../up\n")]), b"leads out")
    mtree = b"#mtree\n./a type=file size=1 sha256digest=%s\n"
    for what, content, expected in (("right", b"x", (0, 0, 0)), ("another content", b"y", (1, 0, 0))):
        lists("pacman: " + what, tar_of([(".MTREE", gzip.compress(mtree % hashlib.sha256(content).hexdigest().encode())), (".PKGINFO", PKGINFO.encode()), ("a", b"x")]), expected)


def lists(what, content, expected):
    status = 1 if any(expected) else 0
    with tempfile.NamedTemporaryFile(prefix="muster-lists-") as file:
        file.write(content)
        file.flush()
        for words in (["package", "show", file.name, "--json"], ["package", "show", file.name, "--json", "--hash", "sha512"], ["package", "show", file.name, "--plain"],
                      ["tag", "--package-file", file.name], ["tag", "--full", "--hash", "sha384", "--package-file", file.name]):
            done = subprocess.run([MUSTER, *words], capture_output=True, timeout=60)
            differ(f"{what} {words}", (status, status), (done.returncode, done.stderr.count(b"\n")))
            if "--json" in words:
                told = json.loads(done.stdout)
                differ(what, expected, tuple(told[k] for k in ("differing", "unlisted", "absent")))
                differ(what, expected, tuple(sum(k in f for f in told["files"]) for k in ("differs", "unlisted", "absent")))
            if "--plain" in words:
                differ(what, expected, tuple(sum(k in line.split(b"\t")[2] for line in done.stdout.splitlines()) for k in (b"d", b"u", b"a")))


def check_lies():
    for name in ("../up", "a/../../up", "..", "/../etc/passwd", "//a/..//b"):
        refuse(name, pacman_of([(name, b"x")]), b"leads out")
        refuse(name, deb_of((b"data.tar", tar_of([(name, b"x")]))), b"leads out")
        refuse("link to " + name, pacman_of([(typed("a", tarfile.LNKTYPE, name), None)]), b"hard link")
    refuse("twice", pacman_of([("a", b"x"), ("./a", b"y")]), b"twice")
    refuse("file and folder", pacman_of([("a", b"x"), (typed("a", tarfile.DIRTYPE), None)]), b"twice")
    refuse("link to nothing", pacman_of([(typed("a", tarfile.LNKTYPE, "b"), None)]), b"no file before it")
    refuse("link to itself", pacman_of([(typed("a", tarfile.LNKTYPE, "a"), None)]), b"no file before it")
    refuse("link to a later file", pacman_of([(typed("a", tarfile.LNKTYPE, "b"), None), ("b", b"x")]), b"no file before it")
    refuse("no end", tar_of([(".PKGINFO", PKGINFO.encode()), ("a", b"x")], cut=True), b"no end")
    refuse("two archives", pacman_of([("a", b"x")]) + tar_of([("b", b"x")]), b"behind the end")
    refuse("a lone zero block", tar_of([(".PKGINFO", PKGINFO.encode())], cut=True) + bytes(512) + tar_of([("b", b"x")]), b"behind the end")
    refuse("no .PKGINFO", tar_of([("a", b"x")]), b"no .PKGINFO")
    refuse("late .PKGINFO", tar_of([("a", b"x"), (".PKGINFO", PKGINFO.encode())]), b"no .PKGINFO")
    refuse("bad name", pacman_of([], PKGINFO.replace("= odd\n", "= o d d\n").encode()), b"pkgname")
    refuse("no version", deb_of((b"data.tar", tar_of([])), b"Package: a\nArchitecture: all\n"), b"Version")
    refuse("no control", ar((b"debian-binary", b"2.0\n"), (b"data.tar", tar_of([]))), b"control.tar")
    refuse("no data", ar((b"debian-binary", b"2.0\n"), (b"control.tar", tar_of([("control", CONTROL.encode())]))), b"data.tar")
    refuse("format 3", ar((b"debian-binary", b"3.0\n")), b"format")
    refuse("packed twice", gzip.compress(gzip.compress(pacman_of([("a", b"x")]))))
    refuse("a huge ar member", deb_of((b"data.tar", b""))[:-12] + b"9999999999`\n" + tar_of([]), b"cut off")
    huge = tarfile.TarInfo("a")
    huge.size = 2**63 - 1
    head = huge.tobuf(tarfile.GNU_FORMAT)
    refuse("a member of 2^63 octets", tar_of([(".PKGINFO", PKGINFO.encode())], cut=True) + head + bytes(4096))
    for content in (b"", b"x", b"\x1f\x8b", b"!<arch>\n", b"\xed\xab\xee\xdb", b"ADBd", b"\xfd7zXZ\x00", bytes(10000), os.urandom(10000)):
        refuse(f"{content[:9]}", content)
    process = subprocess.run([MUSTER, "package", "show", "/nonexistent"], capture_output=True, timeout=60)
    if process.returncode != 4 or process.stdout:
        sys.exit(f"a missing file: {process}")


def sanitized():
    with open(os.path.join(BUILD, "muster-package"), "rb") as file:
        return b"__asan" in file.read()


def check_bombs(folder):
    """Streams of xz one behind the other unpack as one: 16 MiB take 2.5 kB."""
    zeros = lzma.compress(bytes(16 << 20))
    big = tarfile.TarInfo("zeros")
    big.size = 512 * (16 << 20)
    start = lzma.compress(tar_of([(".PKGINFO", PKGINFO.encode())], cut=True) + big.tobuf(tarfile.GNU_FORMAT))
    folder_entry = typed("a", tarfile.DIRTYPE).tobuf()
    entries = lzma.compress(folder_entry * ((16 << 20) // 512))
    first = lzma.compress(tar_of([(".PKGINFO", PKGINFO.encode())], cut=True))
    for what, content, word in (("8 GiB of zeros", start + zeros * 512, b"1,000 times"), ("millions of entries", first + entries * 400, b"")):
        path = folder + "/bomb"
        with open(path, "wb") as file:
            file.write(content)
        process = subprocess.Popen([MUSTER, "package", "show", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, said = process.stdout.read(), process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 2 or out or said.count(b"\n") != 1 or word not in said:
            sys.exit(f"{what}: exit status {process.returncode}, said {said!r}")
        limit = 1 << 40 if sanitized() else 400 << 10
        if used.ru_maxrss > limit or used.ru_utime > 60:
            sys.exit(f"{what}: {used.ru_maxrss} KiB, {used.ru_utime} s")
        print(f"{what}, {len(content)} octets packed: refused after {used.ru_utime:.1f} s, {used.ru_maxrss >> 10} MiB")


def check_cuts(paths):
    """Nothing that lacks its end is taken for a package."""
    for path in paths[::2]:
        with open(path, "rb") as file:
            content = file.read()
        ends = sorted({len(content) * i // 12 for i in range(12)} | {len(content) - 9, len(content) - 30})
        for end in ends:
            refuse(f"{path} cut at {end} of {len(content)}", content[:end])
        # Somewhere in the packed part: a checksum tells, or what comes out is no archive; a lucky guess may change but content.
        for at in (len(content) // 2, len(content) - len(content) // 5):
            spoilt = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1:]
            with tempfile.NamedTemporaryFile(prefix="muster-bad-") as file:
                file.write(spoilt)
                file.flush()
                done = subprocess.run([MUSTER, "package", "show", file.name], capture_output=True, timeout=60)
            if done.returncode not in (0, 1, 2, 4) or (done.returncode in (2, 4)) == bool(done.stdout):
                sys.exit(f"{path} spoilt at {at}: {done.returncode} {done.stderr}")


def main():
    if not os.path.exists(os.path.join(BUILD, "muster-package")):
        print("muster-package was not built: skipped")
        return 77
    with tempfile.TemporaryDirectory(prefix="muster-package-") as folder:
        paths = check_apk(folder)
        paths += [p for p in check_pacman(folder) if not p.endswith(".tar")]
        if shutil.which("dpkg-deb"):
            paths += check_deb(folder)
        else:
            print("dpkg-deb is missing: .deb is not compared")
        if shutil.which("rpmbuild"):
            paths += check_rpm(folder)
        else:
            print("rpmbuild is missing: .rpm is not compared")
        check_tags(folder, paths)
        check_links()
        check_lists()
        check_lies()
        check_bombs(folder)
        check_cuts(paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
