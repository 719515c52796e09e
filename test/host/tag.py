#!/usr/bin/env python3
"""Tags as a user makes, reads and checks them: a package built and installed with the real tools, evidence with every odd name that Linux allows, tags
that lie. XML is read back by expat, CoSWID by a reader of CBOR that is not ours.

Called with the source folder and the build folder; skips what takes dpkg where that is missing.
"""
import base64
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

BUILD = os.path.abspath(sys.argv[2])
MUSTER = os.path.join(BUILD, "muster")
NS = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
OWN = "{urn:muster:swid:1}"
N8060 = "{http://csrc.nist.gov/ns/swid/2015-extensions/1.0}"
SHA256 = "{http://www.w3.org/2001/04/xmlenc#sha256}hash"
ODD = [b"plain", b"with blank", b"  lead", b"trail  ", b"line\nend", b"tab\there", b"cr\rx", b"<&\"'>", b"%41", b"\x01\x1b[31m", b"\x7f", b"invalid\xff\xfe",
       b"over\xc0\xaf", b"surrogate\xed\xa0\x80", "ünï€😀".encode(), b"\xef\xbf\xbd", b"\xef\xbf\xbe", b"-dash", b"$(x)", b"*", b"\\n", b"a;b", b"]]>", b"\xc2\x85"]
failures = 0


def check(what, ok, detail=""):
    global failures
    failures += not ok
    print("%s %s%s" % ("ok  " if ok else "FAIL", what, "" if ok else ": " + str(detail)[:2000]), flush=True)


def muster(*words, status=0, data=None, before=None):
    done = subprocess.run([MUSTER, *words], capture_output=True, timeout=300, input=data, preexec_fn=before)
    if status is not None:
        check(" ".join(os.fsdecode(w) for w in words[:3]) + f" exits {status}", done.returncode == status, done)
    return done


# ---- readers that are not ours


def octets_of(name, exact):
    return re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), exact.encode()) if exact is not None else name.encode()


def xml_files(text):
    """Whole path in octets: (size, SHA-256, mutable)."""
    found = {}

    def walk(node, above):
        for child in node:
            if child.tag not in (NS + "Directory", NS + "File"):
                continue
            root = octets_of(child.get("root", ""), child.get(OWN + "root"))
            path = (above + b"/" + root + b"/" + octets_of(child.get("name"), child.get(OWN + "name"))).replace(b"//", b"/").replace(b"//", b"/")
            if child.tag == NS + "File":
                check("no file twice", path not in found, path)
                found[path] = (int(child.get("size")), child.get(SHA256), child.get(N8060 + "mutable") == "true")
            else:
                walk(child, path)

    tag = ET.fromstring(text)
    for element in ("Payload", "Evidence"):
        for node in tag.iter(NS + element):
            walk(node, b"")
    return found


class Cbor:
    """RFC 8949, as much as CoSWID needs."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, n):
        self.at += n
        return self.octets[self.at - n:self.at]

    def item(self):
        head = self.take(1)[0]
        major, n = head >> 5, head & 31
        if n >= 24:
            n = int.from_bytes(self.take(1 << (n - 24)), "big")
        if major < 2:
            return n if major == 0 else -1 - n
        if major == 2:
            return self.take(n)
        if major == 3:
            return self.take(n).decode()
        if major == 4:
            return [self.item() for _ in range(n)]
        if major == 5:
            return {self.item(): self.item() for _ in range(n)}
        if major == 6:
            return self.item()
        return {20: False, 21: True, 22: None}[n]


def several(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def cbor_files(octets):
    reader, found = Cbor(octets), {}
    tag = reader.item()
    check("nothing follows the CoSWID", reader.at == len(octets))

    def walk(node, above):
        for child in several(node.get(17)) + several(node.get(16)):
            root, name = octets_of(child.get(25, ""), child.get("muster:root")), octets_of(child[24], child.get("muster:name"))
            path = (above + b"/" + root + b"/" + name).replace(b"//", b"/").replace(b"//", b"/")
            if 26 in child:
                walk(child[26], path)
            elif 20 in child or 7 in child:
                found[path] = (child[20], child[7][1].hex() if 7 in child else None, child.get("n8060:mutable") is True or child.get("n8060:mutable") == "true")

    walk(tag.get(6) or tag.get(3) or {}, b"")
    return found


# ---- a real package


def build(folder, files, conffiles):
    content = os.path.join(folder, "content")
    os.makedirs(content + "/DEBIAN")
    with open(content + "/DEBIAN/control", "w", encoding="ascii") as control:
        control.write("Package: odd\nSource: oddsource (2.0)\nVersion: 1:2.0-1+b1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: odd names\n")
    with open(content + "/DEBIAN/conffiles", "w", encoding="ascii") as list_of:
        list_of.write("".join(c + "\n" for c in conffiles))
    for path, text in files.items():
        whole = os.fsencode(content) + path
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(text)
    os.symlink("plain", content + "/opt/odd/link")
    os.symlink("nowhere", content + "/opt/odd/dangling")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", content, folder + "/odd.deb"], check=True, capture_output=True)


def installed_package(work):
    if not shutil.which("dpkg-deb") or os.getuid() != 0:
        print("skip an installed package: no dpkg-deb, or not root")
        return
    names = [n for n in ODD if b"\n" not in n]  # dpkg's own lists are lines
    files = {b"/opt/odd/" + n: n + b" content" for n in names}
    files.update({b"/etc/odd.conf": b"x=1\n", b"/usr/share/odd/empty": b"", b"/usr/share/odd/lib/deep/er/file": b"deep"})
    build(work, files, ["/etc/odd.conf"])
    root = work + "/root"
    os.makedirs(root + "/var/lib/dpkg/info")
    os.makedirs(root + "/etc", exist_ok=True)
    for name in ("status", "available"):
        open(root + "/var/lib/dpkg/" + name, "w", encoding="ascii").close()
    with open(root + "/etc/os-release", "w", encoding="ascii") as release:
        release.write("ID=debian\nVERSION_ID=12\n")
    done = subprocess.run(["dpkg", "--root=" + root, "--force-not-root", "--force-architecture", "-i", work + "/odd.deb"], capture_output=True)
    check("dpkg -i", done.returncode == 0, done)
    at = ["--root", root, "--state", work + "/state"]
    expected = {path: (len(text), hashlib.sha256(text).hexdigest(), path.startswith(b"/etc")) for path, text in files.items()}
    expected[b"/opt/odd/link"] = expected[b"/opt/odd/plain"]
    tags = {}
    for layout in ([], ["--hierarchic"], ["--pretty"], ["--format", "coswid"], ["--format", "coswid", "--hierarchic"]):
        text = muster("tag", "odd", "--full", *layout, *at).stdout
        files_told = cbor_files(text) if "coswid" in layout else xml_files(text)
        check(f"files of an installed package {layout}", files_told == expected, set(files_told.items()) ^ set(expected.items()))
        tags["".join(layout)] = text
    attributes = ET.fromstring(tags[""]).attrib
    check("identity", (attributes["name"], attributes["tagId"], attributes["version"]) == ("odd", "Debian_12-%s-odd-1~2.0-1~b1" % os.uname().machine, "1:2.0-1+b1"), attributes)
    meta = ET.fromstring(tags[""]).find(NS + "Meta")
    check("what the identifier folds", (meta.get(OWN + "source"), meta.get(OWN + "source-version"), meta.get(OWN + "arch")) == ("oddsource", "2.0", "all"), meta.attrib)
    about = ET.fromstring(muster("tag", "odd", "--meta-for", "package", "--bare", *at).stdout).find(NS + "Meta").attrib
    check("--meta-for package", about == {"product": "odd", "colloquialVersion": "1:2.0", "summary": "odd names"}, about)
    bare = ET.fromstring(muster("tag", "odd", "--bare", *at).stdout).find(NS + "Meta")
    check("--bare", set(bare.attrib) == {"product"}, bare.attrib)
    by_id = muster("tag", "--software-id", "strongswan.org__" + attributes["tagId"], "--full", *at).stdout
    check("--software-id", by_id == tags[""])
    check("--all", muster("tag", "--all", "--full", *at).stdout == tags[""])
    cached = ["--cache", work + "/hashes.db"]
    muster("tag", "odd", "--full", *at, *cached)
    check("--cache", muster("tag", "odd", "--full", *at, *cached).stdout == tags[""])
    done = muster("tag", "odd", "--full", *at, "--cache", work + "/no/such/folder/x", status=2)
    check("a cache that cannot be used", done.stdout == b"" and done.stderr.count(b"\n") == 1, done)
    check("that of the environment is for --full alone", subprocess.run([MUSTER, "tag", "odd", *at], env={**os.environ, "MUSTER_CACHE": "/no"}, capture_output=True, check=False).returncode == 0)
    three = muster("tag", "odd", "--full", "--hash", "sha256,sha384,sha512", *at).stdout
    node = next(n for n in ET.fromstring(three).iter(NS + "File") if n.get("name") == "plain")
    check("--hash", [node.get("{http://www.w3.org/2001/04/%s}hash" % n) for n in ("xmldsig-more#sha384", "xmlenc#sha512")] ==
          [getattr(hashlib, n)(b"plain content").hexdigest() for n in ("sha384", "sha512")], node.attrib)
    conversions(work, tags)
    verify_package(work, root, tags)
    told_by_the_agent(work, at, expected, "strongswan.org__" + attributes["tagId"])
    muster("tag", "nothing", *at, status=4)
    muster("tag", "--software-id", "strongswan.org__nothing", *at, status=4)
    os.unlink(root + "/usr/share/odd/empty")
    done = muster("tag", "odd", "--full", *at, status=3)
    check("a missing file is said", b"/usr/share/odd/empty: missing" in done.stderr and xml_files(done.stdout).keys() == expected.keys() - {b"/usr/share/odd/empty"}, done.stderr)
    subprocess.run(["dpkg", "--root=" + root, "--force-not-root", "--purge", "odd"], capture_output=True, check=True)
    gone = muster("tag", "--software-id", "strongswan.org__" + attributes["tagId"], "--full", *at).stdout
    check("what is gone has a tag without files", not xml_files(gone) and ET.fromstring(gone).attrib == attributes)
    muster("tag", "odd", *at, status=4)


def put(path, octets):
    with open(path, "wb") as file:
        file.write(octets)


def conversions(work, tags):
    put(work + "/tag.xml", tags[""])
    put(work + "/tag.cbor", tags["--formatcoswid"])
    check("convert to CoSWID", muster("tag", "convert", work + "/tag.xml", "--format", "coswid").stdout == tags["--formatcoswid"])
    check("convert to XML", muster("tag", "convert", work + "/tag.cbor").stdout == tags[""])
    check("convert of standard input", muster("tag", "convert", "-", "--pretty", data=tags[""]).stdout == tags["--pretty"])
    check("valid", muster("tag", "validate", work + "/tag.xml", work + "/tag.cbor").stdout.count(b": valid\n") == 2)
    done = json.loads(muster("tag", "validate", work + "/tag.xml", "--json").stdout)
    check("validate --json", done["schema"] == "muster.tag-validate/1" and done["items"][0]["valid"] and all(v["advice"] for v in done["items"][0]["violations"]), done)
    broken = tags[""].replace(b' tagId="', b' lost="').replace(b'size="0"', b'size="-1"')
    done = muster("tag", "validate", "-", data=broken, status=1)
    check("violations by number", b"ISO-1: /SoftwareIdentity: tagId" in done.stdout and b"SV-6" in done.stdout, done)


def states(done):
    return sorted((line.split(b"\t")[0].decode(), line.split(b"\t")[1]) for line in done.stdout.splitlines())


def verify_package(work, root, tags):
    for name in ("tag.xml", "tag.cbor"):
        check("verify finds nothing", muster("tag", "verify", work + "/" + name, "--root", root, "--plain").stdout == b"")
    put(root + "/opt/odd/plain", b"plain malware")  # of the same size
    put(root + "/etc/odd.conf", b"x=2\n")
    put(root + "/opt/odd/beside", b"another package's")
    os.rename(root + "/opt/odd/a;b", root + "/opt/odd/moved")
    for name in ("tag.xml", "tag.cbor"):
        done = muster("tag", "verify", work + "/" + name, "--root", root, "--plain", status=1)
        check("verify finds what changed", states(done) == [("changed", b"/opt/odd/link"), ("changed", b"/opt/odd/plain"), ("missing", b"/opt/odd/a;b"), ("mutable", b"/etc/odd.conf")], done)
    put(root + "/opt/odd/plain", b"plain content")
    os.rename(root + "/opt/odd/moved", root + "/opt/odd/a;b")
    check("mutable files differ lawfully", states(muster("tag", "verify", work + "/tag.xml", "--root", root, "--plain")) == [("mutable", b"/etc/odd.conf")])
    document = json.loads(muster("tag", "verify", work + "/tag.xml", "--root", root, "--json").stdout)
    check("verify --json", document["schema"] == "muster.tag-verify/1" and document["counts"]["mutable"] == 1 and document["items"][0]["path"] == "/etc/odd.conf", document)
    put(root + "/etc/odd.conf", b"x=1\n")


# ---- what a server hears


def told_by_the_agent(work, at, expected, software_id):
    """Both data models, each to a server that knows nothing yet."""
    if not os.path.exists(MUSTER + "-server"):
        print("skip what a server hears: muster-server was not built")
        return
    for number, options in enumerate((["--tags", "full"], ["--tags", "full", "--tag-format", "coswid"], ["--tag-format", "coswid"], [])):
        state = f"{work}/server-{number}"
        server = subprocess.Popen([MUSTER + "-server", "serve", "--state", state, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        try:
            ports = re.findall(r"127\.0\.0\.1:(\d+)", server.stdout.readline())
            subprocess.run([MUSTER + "-server", "pki", "issue", f"ep{number}", "--state", state, "--out", work], check=True, capture_output=True)
            identity = ["--ca", state + "/pki/ca.crt", "--cert", f"{work}/ep{number}.crt", "--key", f"{work}/ep{number}.key"]
            for _ in range(2):  # what was told first is asked for its tags then
                muster("assess", "127.0.0.1:" + ports[0], *identity, *at, *options)
            user, password = (line.split(": ", 1)[1].strip() for line in open(state + "/admin.txt", encoding="utf-8"))
            request = urllib.request.Request(f"https://127.0.0.1:{ports[1]}/api/v1/software/{urllib.parse.quote(software_id)}/tag")
            request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
            with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=state + "/pki/ca.crt"), timeout=30) as answer:
                kind, text = answer.headers["Content-Type"], answer.read()
            coswid = "coswid" in options
            check(f"the server has the tag {options}", kind == ("application/swid+cbor" if coswid else "application/swid+xml"), kind)
            files = cbor_files(text) if coswid else xml_files(text)
            check(f"with its files {options}", files == (expected if "full" in options else {}), files)
        finally:
            server.terminate()
            server.wait(timeout=30)


# ---- evidence


def evidence(work):
    tree = os.fsencode(work) + b"/tree"
    expected = {}
    for folder in [b"", b"/a", b"/a/b", b"/a-b", b"/" + ODD[4], b"/" + ODD[11]]:
        os.makedirs(tree + folder)
        for name in ODD:
            if os.path.isdir(tree + folder + b"/" + name):
                continue
            if folder == b"" and name in (ODD[4], ODD[11]):
                continue
            put(tree + folder + b"/" + name, folder + name)
            expected[tree + folder + b"/" + name] = (len(folder + name), hashlib.sha256(folder + name).hexdigest(), False)
    os.symlink("plain", tree + b"/a/link")
    expected[tree + b"/a/link"] = expected[tree + b"/a/plain"]
    put(os.fsencode(work) + b"/secret", b"secret")
    for name, target in ((b"out", b"../secret"), (b"absolute", os.fsencode(work) + b"/secret"), (b"loop", b"loop"), (b"to-folder", b"a")):
        os.symlink(target, tree + b"/" + name)
    os.mkfifo(tree + b"/pipe")
    for layout in ([], ["--hierarchic"], ["--format", "coswid"], ["--format", "coswid", "--hierarchic"]):
        text = muster("tag", "--evidence", tree, *layout).stdout
        told = cbor_files(text) if "coswid" in layout else xml_files(text)
        check(f"files of evidence {layout}", told == expected, set(told.items()) ^ set(expected.items()))
        moved = muster("tag", "--evidence", tree, "--new-root", "/opt/new/", "--name", "App", "--version-string", "2.0", *layout).stdout
        told = cbor_files(moved) if "coswid" in layout else xml_files(moved)
        check(f"--new-root {layout}", told == {b"/opt/new" + p[len(tree):]: v for p, v in expected.items()})
        put(work + "/evidence", text)
        check("evidence is as it was", states(muster("tag", "verify", work + "/evidence", "--plain")) == [])
        os.makedirs(tree + b"/fresh/deep")
        put(tree + b"/fresh/deep/file", b"new")
        put(tree + b"/a/added", b"new")
        put(tree + b"/a/plain", b"PLAIN!")
        os.rename(tree + b"/a/*", work + "/kept")
        done = muster("tag", "verify", work + "/evidence", "--plain", status=1)
        want = [("added", tree + b"/a/added"), ("added", tree + b"/fresh/deep/file"), ("changed", tree + b"/a/link"), ("changed", tree + b"/a/plain"), ("missing", tree + b"/a/*")]
        check("evidence that changed", states(done) == want, done)
        os.rename(work + "/kept", tree + b"/a/*")
        put(tree + b"/a/plain", b"/aplain")
        os.unlink(tree + b"/a/added")
        shutil.rmtree(tree + b"/fresh")
    folders(work)
    text = muster("tag", "--evidence", tree + b"/a/plain", "--evidence", tree + b"/a/b").stdout
    check("several pieces of evidence", set(xml_files(text)) == {tree + b"/a/plain"} | {p for p in expected if p.startswith(tree + b"/a/b/")})
    check("evidence has its default name", ET.fromstring(text).get("name").startswith(os.fsdecode(tree) + "/a/plain_"))
    done = muster("tag", "--evidence", tree, "--evidence", work + "/nothing", status=4)
    check("nothing is written of evidence that is not there", done.stdout == b"" and done.stderr.count(b"\n") == 1, done)


def folders(work):
    """Evidence that a folder holds no files of its own, or none at all, is evidence."""
    top, empty, lone = work + "/only-folders", work + "/empty", work + "/lone/file"
    for folder in (top + "/a/b", empty, work + "/lone"):
        os.makedirs(folder)
    put(top + "/a/b/file", b"1")
    put(lone, b"1")
    put(work + "/lone/neighbour", b"2")
    for layout in ([], ["--hierarchic"], ["--format", "coswid"], ["--format", "coswid", "--hierarchic"]):
        put(work + "/evidence", muster("tag", "--evidence", top, "--evidence", empty, "--evidence", lone, *layout).stdout)
        put(work + "/nothing-there", muster("tag", "--evidence", empty, *layout).stdout)
        check(f"evidence of folders is valid {layout}", muster("tag", "validate", work + "/evidence").stdout.count(b": valid\n") == 1)
        check(f"folders are as they were {layout}", states(muster("tag", "verify", work + "/evidence", "--plain")) == [])
        muster("tag", "verify", work + "/nothing-there")
        new = [top + "/fresh", top + "/a/fresh", top + "/c/d/fresh", empty + "/fresh"]
        os.makedirs(top + "/c/d")
        for path in new:
            put(path, b"new")
        done = muster("tag", "verify", work + "/evidence", "--plain", status=1)
        check(f"added in folders {layout}", states(done) == sorted(("added", os.fsencode(p)) for p in new), done)
        done = muster("tag", "verify", work + "/nothing-there", "--plain", status=1)
        check(f"added in an empty folder {layout}", states(done) == [("added", os.fsencode(empty + "/fresh"))], done)
        for path in new:
            os.unlink(path)
        shutil.rmtree(top + "/c")


# ---- a tag of a name, options, hostile input


def names():
    golden = (b'<?xml version="1.0" encoding="utf-8"?><SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd"'
              b' xmlns:n8060="http://csrc.nist.gov/ns/swid/2015-extensions/1.0" name="time" xml:lang="en-US" tagId="Debian_12-x86_64-time-1.9-0.2"'
              b' version="1.9-0.2" versionScheme="alphanumeric"><Entity name="strongSwan Project" regid="strongswan.org" role="tagCreator" />'
              b'<Meta product="Debian 12 x86_64" /></SoftwareIdentity>\n')
    named = ["tag", "--name", "time", "--version-string", "1.9-0.2", "--arch", "x86_64"]
    check("swidGenerator's tag", muster(*named, "--os", "Debian 12").stdout == golden)
    tag = ET.fromstring(muster(*named, "--id-prefix", "a/b-", "--lang", "de", "--regid", "http://example.org/x", "--entity-name", "A & \"B\" <c>").stdout)
    check("options", (tag.get("tagId"), tag.get("{http://www.w3.org/XML/1998/namespace}lang"), tag.find(NS + "Entity").attrib) ==
          ("a~b-time-1.9-0.2", "de", {"name": "A & \"B\" <c>", "regid": "http://example.org/x", "role": "tagCreator"}), ET.tostring(tag))
    meta = ET.fromstring(muster(*named, "--meta-for", "package").stdout).find(NS + "Meta").attrib
    check("--meta-for package", meta == {"product": "time", "colloquialVersion": "1.9"}, meta)
    check("--json", json.loads(muster(*named, "--json").stdout)["items"][0]["tag"].startswith("<?xml"))
    for wrong in (["tag"], ["tag", "bash", "--all"], ["tag", "--name", "x"], ["tag", "--name", "x", "--version-string", "1", "--full"], [*named, "--hash", "md5"], [*named, "--hash", ""],
                  [*named, "--lang", "x y"], [*named, "--lang", "de_DE"], [*named, "--lang", ""], [*named, "--id-prefix", "a b"], [*named, "--id-prefix", "a__b"], [*named, "--id-prefix", "a\n"],
                  [*named, "--arch", "x y"], [*named, "--cache", "/tmp/x"], ["tag", "bash", "--cache", "/tmp/x"], ["tag", "--evidence", "/etc/passwd", "--cache", "/tmp/x"], [*named, "--format", "pdf"], [*named, "--regid", "a__b"], [*named, "--regid", "a b"], [*named, "--meta-for", "me"], [*named, "--format", "coswid", "--pretty"]):
        done = muster(*wrong, status=2)
        check("one clear line", done.stdout == b"" and done.stderr.count(b"\n") == 1, done)


def little_memory():
    if "libasan" not in subprocess.run(["ldd", MUSTER], capture_output=True, text=True).stdout:
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))


def hostile(work):
    entities = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><SoftwareIdentity name="&b;" tagId="x"/>'
    external = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><SoftwareIdentity name="&a;" tagId="x"/>'
    climbing = (b'<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" name="x" tagId="x"><Entity name="x" role="tagCreator"/>'
                b'<Payload><Directory root="/usr" name=".."><File name="%s" size="1"/></Directory></Payload></SoftwareIdentity>')
    deep = b"<a>" * 100000
    for text in (entities, external, deep, b"\xa1\x06" * 10000, b"\x81" * 10000, b"\xda\x53\x57\x49\x44" * 5000, b"", b"\x00", b"\xff", b"<", b"\xa1\x00"):
        for verb in (["convert", "-"], ["convert", "-", "--format", "coswid"], ["verify", "-"]):
            done = muster("tag", *verb, status=None, data=text, before=little_memory)
            check("bad input to " + verb[0], done.returncode == 2 and done.stderr.count(b"\n") == 1 and (verb[0] == "verify" or done.stdout == b""), (text[:20], done))
        done = muster("tag", "validate", "-", status=None, data=text, before=little_memory)
        check("bad input to validate", done.returncode == 1 and done.stderr.count(b"\n") == 1, (text[:20], done))
    done = muster("tag", "verify", "-", status=2, data=climbing.replace(b"%s", b"passwd"))
    check("a path that climbs", b"climbs" in done.stderr and done.stdout == b"", done)
    with open(work + "/huge", "wb") as file:
        file.truncate(1 << 30)
    for verb in ("convert", "verify", "validate"):
        done = muster("tag", verb, work + "/huge", status=2, before=little_memory)
        check("a file of 1 GB", done.stderr.count(b"\n") == 1 and b"larger than 64 MiB" in done.stderr, done)
    muster("tag", "convert", work + "/nothing", status=4)


# ---- the first edition


def first_edition(work):
    """Beside ISO's own schema, where it is at hand."""
    schema = os.path.join(sys.argv[1], "..", "shared/spec/schemas/swid-2009.xsd")
    base = ["tag", "--name", "a  b", "--version-string", "1:2.36-9+b", "--format", "swid2009"]
    done = muster(*base)
    check("a regid of another form is told", done.stderr.count(b"\n") == 1 and b"regid.2004-03" in done.stderr, done)
    done = muster(*base, "--regid", "regid.2004-03.org.example")
    check("one of its own is not", done.stderr == b"", done)
    os.mkdir(work + "/old")
    put(work + "/old/f", b"x")
    made = muster("tag", "--evidence", work + "/old", "--full", "--format", "swid2009", "--regid", "regid.2004-03.org.example").stdout
    check("files are in it", b"/old/f</swid:name><swid:size>1</swid:size><swid:other name=\"SHA256:hash\">2d711642" in made, made)
    put(work + "/old.swidtag", made)
    muster("tag", "verify", work + "/old.swidtag")
    put(work + "/old/g", b"y")
    muster("tag", "verify", work + "/old.swidtag", status=1)
    there = muster("tag", "convert", work + "/old.swidtag").stdout
    check("there and back nothing is lost", muster("tag", "convert", "-", "--format", "swid2009", data=there).stdout == made)
    lossy = there.replace(b'name="old"', b'name="old" key="true"')
    done = muster("tag", "convert", "-", "--format", "swid2009", data=lossy, status=3)
    check("what has no place is told", done.stderr.count(b"without Directory/key,") == 1 and done.stdout == made, done)
    if not os.path.exists(schema) or not shutil.which("xmllint"):
        print("skip the schema of 2009: it is not in ../shared, or there is no xmllint")
        return
    with open(schema, encoding="utf-8") as file:
        text = re.sub(r'schemaLocation="[^"]*"', f'schemaLocation="{work}/dsig.xsd"', file.read(), count=1)
    put(work + "/2009.xsd", text.encode())
    put(work + "/dsig.xsd", b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/2000/09/xmldsig#"><xs:element name="Signature"/></xs:schema>')
    others = b'<Entity name="C" regid="regid.2010-01.com.c" role="softwareCreator"/><Entity name="L" regid="regid.2011-12.com.l" role="licensor"/><Meta'
    whole = muster("tag", "--name", "a", "--version-string", "4294967295.x", "--regid", "regid.2004-03.org.example").stdout.replace(b"<Meta", others)
    for layout in ([], ["--pretty"]):
        tag = muster("tag", "convert", "-", "--format", "swid2009", *layout, data=whole).stdout
        check("Meta is in it", b"type=\"Meta\"" in tag, tag)
        checked = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", work + "/2009.xsd", "-"], input=tag, capture_output=True, check=False)
        check(f"the schema of 2009 {layout}", checked.returncode == 0, checked)
    checked = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", work + "/2009.xsd", "-"], input=done.stdout, capture_output=True, check=False)
    check("who is unknown has a regid that is nobody's", checked.returncode == 0, checked)


# ---- several tags: one after the other, and in files of their own


def sequences(work):
    base = ["tag", "--version-string", "1"]
    xml = [muster(*base, "--name", n).stdout for n in ("one", "two")]
    pretty = muster(*base, "--name", "three", "--pretty", "--schema-location").stdout
    cbor = [muster(*base, "--name", n, "--format", "coswid").stdout for n in ("one", "two")]
    comment = b"<!-- a > b --><?pi x?>\n"
    plain = b"".join(xml)[:-1] + b"\n"
    rows = {
        "XML": (plain, 2), "XML without line ends": (xml[0].strip() + xml[1].strip(), 2), "comments between": (xml[0] + comment + xml[1] + comment, 2),
        "layouts": (pretty + xml[0] + b"\xef\xbb\xbf" + pretty + xml[1].split(b"?>", 1)[1], 4), "CBOR": (cbor[0] + cbor[1] + cbor[0], 3),
        "CBOR with a line end": (cbor[0] + b"\n" + cbor[1] + b"\n", 2), "both": (cbor[0] + xml[0] + cbor[1] + pretty, 4), "many": (plain * 300, 600),
    }
    for what, (octets, count) in rows.items():
        put(work + "/all", octets)
        done = muster("tag", "validate", work + "/all")
        check(f"validate {what}", done.stdout.decode().splitlines() == [f"{work}/all#{i + 1}: valid" for i in range(count)], done)
        done = muster("tag", "convert", work + "/all", "--json")
        check(f"convert {what}", len(json.loads(done.stdout)["items"]) == count, done)
        done = json.loads(muster("tag", "verify", "-", "--json", data=octets, status=3).stdout)
        check(f"verify {what}", [t["document"] for t in done["tags"]] == list(range(1, count + 1)) and done["tags"][0]["signature"]["state"] == "unsigned", done)
    put(work + "/all", plain)
    check("there and back", muster("tag", "convert", "-", data=muster("tag", "convert", work + "/all", "--format", "coswid").stdout).stdout == plain)
    check("files and sequences", muster("tag", "validate", work + "/all", work + "/all", "-", data=xml[0]).stdout.count(b": valid\n") == 5)
    # One that is broken keeps the others from nothing, unless nobody can tell where it ends.
    bad = xml[0].replace(b'tagId="', b'lost="')
    for what, octets, words in (("an invalid one", xml[0] + bad + xml[1], [b"#1: valid", b"#2: ISO-1", b"#3: valid"]),
                                ("another CBOR", cbor[0] + b"\xa1\x00\xa0" + cbor[1], [b"#1: valid", b"#3: valid"]),
                                ("another XML", xml[0] + b"<html/>" + xml[1], [b"#1: valid", b"#3: valid"]),
                                ("one that is cut off", xml[0] + xml[1][:300], [b"#1: valid"]), ("what is none", xml[0] + b"hello", [b"#1: valid"])):
        done = muster("tag", "validate", "-", data=octets, status=1)
        check(f"validate {what}", all(w in done.stdout for w in words) and done.stdout.count(b": valid") == sum(b"valid" in w for w in words), done)
        muster("tag", "verify", "-", data=octets, status=None if what == "an invalid one" else 2)
    os.makedirs(work + "/ev/a")
    put(work + "/ev/a/x", b"1")
    octets = muster("tag", "--evidence", work + "/ev").stdout + muster("tag", "--evidence", work + "/ev/a", "--format", "coswid").stdout
    put(work + "/all", octets)
    put(work + "/ev/a/y", b"new")
    done = muster("tag", "verify", work + "/all", "--plain", status=1)
    check("verify tells which tag", [l.split(b"\t")[2:] for l in done.stdout.splitlines()] == [[os.fsencode(work) + b"/all", b"1"], [os.fsencode(work) + b"/all", b"2"]], done)
    done = muster("tag", "verify", work + "/all", status=1)
    check("verify tells people which tag", done.stdout.count(b"/all#1: ") == 2 and done.stdout.count(b"/all#2: ") == 2, done)
    check("JSON is neither", b"neither SWID (XML) nor CoSWID" in muster("tag", "validate", "-", data=b'{"a": 1}\n', status=1).stderr)


def files_of_their_own(work):
    out = work + "/out"
    base = ["tag", "--name", "one", "--version-string", "1", "--output-dir", out]
    done = muster(*base)
    path = done.stdout.decode().strip()
    check("the path is told", os.path.dirname(path) == out and path.endswith("-one-1.swidtag") and os.listdir(out) == [os.path.basename(path)], done)
    check("it is what standard output has", open(path, "rb").read() == muster(*base[:-2]).stdout)
    muster(*base, "--lang", "de")
    check("one's own is replaced", b'xml:lang="de"' in open(path, "rb").read() and len(os.listdir(out)) == 1)
    told = json.loads(muster(*base, "--format", "coswid", "--json").stdout)["items"][0]
    check("CoSWID", told["file"].endswith("-one-1.coswid") and muster("tag", "convert", told["file"]).stdout == muster(*base[:-2]).stdout, told)
    for what, spoil in (("no tag", lambda: put(path, b"mine")), ("another's", lambda: put(path, muster(*base[:-2], "--regid", "example.org").stdout)),
                        ("a link", lambda: os.symlink(told["file"], path)), ("a folder", lambda: os.mkdir(path)), ("a pipe", lambda: os.mkfifo(path))):
        os.unlink(path)
        spoil()
        before = open(path, "rb").read() if os.path.isfile(path) else os.lstat(path)
        done = muster(*base, status=2)
        after = open(path, "rb").read() if os.path.isfile(path) else os.lstat(path)
        check(f"{what} is left alone", done.stderr.count(b"\n") == 1 and before == after and len(os.listdir(out)) == 2, done)
        if os.path.isdir(path):
            os.rmdir(path)
            put(path, b"")
    named = muster("tag", "--evidence", work + "/ev", "--name", "../..//.x y\n\u00e9__z", "--id-prefix", ".", "--output-dir", work + "/odd").stdout.decode().strip()
    check("a name that climbs", os.path.dirname(named) == work + "/odd" and re.fullmatch(r"[-A-Za-z0-9._~%+]+", os.path.basename(named)) and os.listdir(work + "/odd") == [os.path.basename(named)] and named.startswith(work + "/odd/%2E"), named)
    long = [muster("tag", "--name", "x" * 1000 + end, "--version-string", "1", "--output-dir", work + "/long").stdout for end in "ab"]
    check("long names", len(set(long)) == 2 and len(os.listdir(work + "/long")) == 2, long)
    put(work + "/twice", muster(*base[:-2]).stdout * 3)
    done = muster("tag", "convert", work + "/twice", "--output-dir", work + "/three")
    check("the same three times", sorted(n.split("-one-1")[1] for n in os.listdir(work + "/three")) == ["+2.swidtag", "+3.swidtag", ".swidtag"], done)
    muster("tag", "convert", work + "/twice", "--output-dir", work + "/three")
    check("and once more", len(os.listdir(work + "/three")) == 3)
    for where in ("/dev/null", work + "/twice", work + "/no/such/folder"):
        done = muster(*base[:-1], where, status=2)
        check("no folder", done.stdout == b"" and done.stderr.count(b"\n") == 1, done)
    tree = work + "/gone-2500"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)) or signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    done = muster("tag", "--evidence", tree, "--output-dir", work + "/full", status=2, before=limit)
    check("no half file where there is no room", os.listdir(work + "/full") == [] and done.stdout == b"" and done.stderr.count(b"\n") == 1, done)
    for delay in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        process = subprocess.Popen([MUSTER, "tag", "--evidence", tree, "--output-dir", work + "/full"], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        check("no half file of one that was killed", all(ET.parse(work + "/full/" + n) for n in os.listdir(work + "/full")), os.listdir(work + "/full"))
    done = subprocess.run([MUSTER, *base[:-1], work + "/unread"], stdout=open("/dev/full", "wb"), stderr=subprocess.PIPE, check=False)
    check("the paths cannot be told", done.returncode == 2 and len(os.listdir(work + "/unread")) == 1, done)


# ---- an output that takes nothing


def gone(work):
    """A full disk is 2 with one line; a reader that leaves is 0 without a word: as the other commands have it, however much is to be written."""
    for count in (1, 2500):
        tree = f"{work}/gone-{count}"
        os.mkdir(tree)
        for i in range(count):
            put(f"{tree}/file-{i}", b"x")
        put(work + "/gone.xml", muster("tag", "--evidence", tree).stdout)
        for words in (["--evidence", tree], ["--evidence", tree, "--json"], ["--evidence", tree, "--format", "coswid"], ["convert", work + "/gone.xml"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([MUSTER, "tag", *words], stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
            check(f"a full disk {words[0]} {count}", done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"No space left" in done.stderr, done)
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run([MUSTER, "tag", *words], stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False)
            os.close(writer)
            check(f"a reader that left {words[0]} {count}", done.returncode == 0 and done.stderr == b"", done)


def main():
    with tempfile.TemporaryDirectory(prefix="muster-tag-") as work:
        installed_package(work)
        evidence(work)
        names()
        gone(work)
        first_edition(work)
        sequences(work)
        files_of_their_own(work)
        hostile(work)
    print(f"{failures} failed" if failures else "all is well")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
