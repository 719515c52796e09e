"""muster sbom: bills of this machine and of roots of other package managers. Valid against the official schemas, every installed package exactly once,
relations as a second reading of the same databases finds them, the same octets for the same input.

Called with the source folder and the build folder. Schemas are looked for in ../shared/spec/schemas beside the source; without them, or without
Python's jsonschema, validity is not tried, and that is said.
"""
import functools
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCHEMAS = os.environ.get("MUSTER_SCHEMAS", os.path.join(SOURCE, "../shared/spec/schemas"))


def muster(*words, status=0, **environment):
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **environment}
    done = subprocess.run([BUILD + "/muster", *words], capture_output=True, timeout=300, env=env)
    if done.returncode != status:
        sys.exit(f"{words}: exit status {done.returncode}, not {status}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}:\n  have {got}\n  want {want}")


# ---- validity -------------------------------------------------------------------------------------------------------


def validators():
    """format to its validator; empty where they cannot be had."""
    try:
        import jsonschema
        from referencing import Registry, Resource
    except ImportError:
        print("no jsonschema of Python: bills are not validated")
        return {}
    if not os.path.isdir(SCHEMAS):
        print("no schemas: bills are not validated")
        return {}

    def load(name):
        with open(os.path.join(SCHEMAS, name), encoding="utf-8") as file:
            return json.load(file)

    parts = {"spdx.schema.json": "cyclonedx-spdx.schema.json", "jsf-0.82.schema.json": "cyclonedx-jsf-0.82.schema.json"}
    registry = Registry().with_resources([("http://cyclonedx.org/schema/" + name, Resource.from_contents(load(file))) for name, file in parts.items()])
    spdx = load("spdx-2.3.schema.json")
    return {
        "cyclonedx": jsonschema.Draft7Validator(load("cyclonedx-bom-1.6.schema.json"), registry=registry),
        "spdx": jsonschema.validators.validator_for(spdx)(spdx),
    }


VALIDATORS = validators()


def validate(what, form, document):
    if form in VALIDATORS:
        faults = [f"{list(e.absolute_path)[:6]}: {e.message[:300]}" for _, e in zip(range(5), VALIDATORS[form].iter_errors(document))]
        expect(f"{what}: {form} against its schema", faults, [])


def check_references(what, cyclonedx, spdx):
    """Both say the same packages and relations; every reference leads somewhere, and is the only one of its name."""
    components = cyclonedx["components"]
    refs = {c["bom-ref"]: c for c in components}
    expect(f"{what}: unique references", len(refs), len(components))
    told = [d["ref"] for d in cyclonedx["dependencies"]]
    expect(f"{what}: who has dependencies", sorted(told), sorted(["device", *refs]))
    on = {d["ref"]: d.get("dependsOn", []) for d in cyclonedx["dependencies"]}
    expect(f"{what}: dangling references", [r for rs in on.values() for r in rs if r not in refs], [])
    expect(f"{what}: what nobody contains", set(refs) - {"os"} - set(on["os"]) - set(on["device"]), set())
    ids = [p["SPDXID"] for p in spdx["packages"]] + [f["SPDXID"] for f in spdx.get("files", [])] + ["SPDXRef-DOCUMENT"]
    expect(f"{what}: unique SPDX identifiers", len(set(ids)), len(ids))
    expect(f"{what}: characters of SPDX identifiers", [i for i in ids if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i)], [])
    ends = {r[k] for r in spdx["relationships"] for k in ("spdxElementId", "relatedSpdxElement")}
    expect(f"{what}: dangling SPDX identifiers", ends - set(ids), set())
    purl = {p["SPDXID"]: p["externalRefs"][0]["referenceLocator"] for p in spdx["packages"] if p.get("primaryPackagePurpose") != "OPERATING_SYSTEM"}
    expect(f"{what}: packages of both formats", sorted(purl.values()), sorted(c["purl"] for c in components[1:]))
    left = sorted((refs[a]["purl"], refs[b]["purl"]) for a in on if a in refs and a != "os" for b in on[a])
    right = sorted((purl[r["spdxElementId"]], purl[r["relatedSpdxElement"]]) for r in spdx["relationships"] if r["relationshipType"] == "DEPENDS_ON")
    expect(f"{what}: relations of both formats", left, right)
    known = {i["licenseId"] for i in spdx.get("hasExtractedLicensingInfos", [])}
    used = {w for p in spdx["packages"] for w in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", p["licenseDeclared"])}
    expect(f"{what}: licences that SPDX does not list", used, known)


def bills(what, *words, status=0):
    """Both bills, valid, and the same when they are made again."""
    made = {}
    for form in ("cyclonedx", "spdx"):
        text = muster("sbom", "--format", form, *words, status=status)
        expect(f"{what}: {form} made again", text == muster("sbom", "--format", form, *words, status=status), True)
        made[form] = json.loads(text)
        validate(what, form, made[form])
    check_references(what, made["cyclonedx"], made["spdx"])
    return made["cyclonedx"], made["spdx"]


# ---- dpkg: this machine ---------------------------------------------------------------------------------------------


def stanzas(text):
    for part in text.split("\n\n"):
        fields, name = {}, None
        for line in part.split("\n"):
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
        if fields.get("Package"):
            yield fields


@functools.cache
def newer(a, operator, b):
    return subprocess.run(["dpkg", "--compare-versions", a, operator, b], check=False).returncode == 0


def satisfied(one, gives):
    words = {"<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt"}
    found = re.match(r"\s*([^\s(:]+)(?::\S+)?\s*(?:\((<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?", one)
    fits = [(name, own) for name, version, own in gives.get(found[1], []) if not found[2] or (version and newer(version, words[found[2]], found[3]))]
    return {name for name, own in fits if own} or {name for name, _ in fits}


def depends(packages):
    """Name to names, by a reading of status that has nothing in common with Muster's."""
    gives = {}
    for p in packages:
        gives.setdefault(p["Package"], []).append((p["Package"], p["Version"], True))
        for given in p.get("Provides", "").split(","):
            found = re.match(r"\s*([^\s(:]+)(?::\S+)?\s*(?:\(=\s*([^)\s]+)\s*\))?", given)
            if found:
                gives.setdefault(found[1], []).append((p["Package"], found[2], False))
    told = {}
    for p in packages:
        on = set()
        for group in (p.get("Pre-Depends", "") + "," + p.get("Depends", "")).split(","):
            if group.strip():
                on |= next((s for s in (satisfied(one, gives) for one in group.split("|")) if s), set())
        told[p["Package"]] = on - {p["Package"]}
    return told


def this_machine(work):
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:
        packages = [p for p in stanzas(file.read()) if p["Status"].split()[2] not in ("config-files", "not-installed")]
    cyclonedx, _ = bills("this machine")
    have = sorted((c["name"], c["version"]) for c in cyclonedx["components"][1:] if c["purl"].startswith("pkg:deb/"))
    expect("packages", have, sorted((p["Package"], p["Version"]) for p in packages))
    if len({p["Package"] for p in packages}) == len(packages):
        names = {c["bom-ref"]: c["name"] for c in cyclonedx["components"]}
        on = {names[d["ref"]]: {names[r] for r in d.get("dependsOn", [])} for d in cyclonedx["dependencies"] if d["ref"].startswith("dpkg/")}
        want = depends(packages)
        expect("dependencies", {k: v for k, v in on.items() if v != want[k]}, {})
    output = os.path.join(work, "bill.json")
    muster("sbom", "--output", output)
    with open(output, "rb") as file:
        expect("--output", file.read(), muster("sbom"))
    expect("what --output leaves beside", os.listdir(work), ["bill.json"])
    with open(os.path.join(work, "bill.json"), encoding="utf-8") as file:
        expect("the clock", json.load(file)["metadata"]["timestamp"], "2023-11-14T22:13:20Z")


def files():
    """The files of this machine's packages, as dpkg knows them, and as they are."""
    for form in ("cyclonedx", "spdx"):
        document = json.loads(muster("sbom", "--files", "--format", form))
        if form == "spdx":
            named = {f["fileName"][1:]: f["checksums"][0] for f in document["files"]}
            expect("a file's hash", named["/usr/bin/dpkg"]["algorithm"], "MD5")
        else:
            parts = {c["name"]: {f["name"]: f for f in c.get("components", [])} for c in document["components"]}
            sum_ = next(line for line in open("/var/lib/dpkg/info/dpkg.md5sums", encoding="ascii") if line.endswith(" usr/bin/dpkg\n"))
            expect("a file's hash", parts["dpkg"]["/usr/bin/dpkg"]["hashes"], [{"alg": "MD5", "content": sum_.split()[0]}])


# ---- other package managers -------------------------------------------------------------------------------------------


def put(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def status_of(*packages):
    return "".join(f"Package: {n}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {v}\n{more}\n" for n, v, more in packages)


def measured(work):
    """--hash: what stands there now, without what is gone; odd names."""
    root = os.path.join(work, "measured")
    put(root, "etc/os-release", "ID=debian\nVERSION_ID=12\n")
    put(root, "var/lib/dpkg/status", status_of(("a", "1", ""), ("b", "1", "")))
    put(root, "var/lib/dpkg/info/a.list", "/.\n/etc\n/etc/one\n/etc/gone\n/etc/\udcff\n".encode("utf-8", "surrogateescape").decode("latin-1"))
    os.makedirs(os.path.join(root, "etc"), exist_ok=True)
    with open(os.path.join(root, "var/lib/dpkg/info/a.list"), "wb") as file:
        file.write(b"/.\n/etc\n/etc/one\n/etc/gone\n/etc/\xff\n/etc/\xfe\n")
    for name in (b"etc/one", b"etc/\xff", b"etc/\xfe"):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            file.write(b"abc")
    put(root, "var/lib/dpkg/info/b.list", "/.\n")
    cyclonedx, spdx = bills("measured files", "--root", root, "--hash", "sha256")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    parts = cyclonedx["components"][1]["components"]
    expect("measured", [(f["name"], f["hashes"][0]["content"]) for f in parts], [("/etc/one", digest), ("/etc/\ufffd", digest), ("/etc/\ufffd", digest)])
    expect("measured, SPDX", [f["checksums"] for f in spdx["files"]], [[{"algorithm": "SHA256", "checksumValue": digest}]] * 3)


def others(work):
    """The databases of other managers side by side; rpm's is test/fixtures/'s, if muster-rpmdb was built."""
    root = os.path.join(work, "others")
    put(root, "etc/os-release", 'ID=fedora\nVERSION_ID=40\nCPE_NAME="cpe:/o:fedoraproject:fedora:40"\n')
    put(root, "lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\n\nP:sh\nV:1-r0\nA:x86_64\nD:musl\n\n")
    put(root, "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    put(root, "var/lib/pacman/local/zlib-1:1.3-1/desc", "%NAME%\nzlib\n\n%VERSION%\n1:1.3-1\n\n%ARCH%\nx86_64\n\n%LICENSE%\ncustom\n\n")
    put(root, "var/lib/snapd/state.json", json.dumps({"data": {"snaps": {"hello": {"sequence": [{"revision": "42"}], "current": "42", "active": False}}}}))
    want = ["pkg:apk/fedora/musl@1.2.4-r2?arch=x86_64&distro=fedora-40", "pkg:apk/fedora/sh@1-r0?arch=x86_64&distro=fedora-40",
            "pkg:alpm/fedora/zlib@1:1.3-1?arch=x86_64&distro=fedora-40", "pkg:generic/hello@r42?arch=unknown"]
    if os.path.exists(BUILD + "/muster-rpmdb"):
        os.makedirs(os.path.join(root, "var/lib/rpm"))
        with gzip.open(os.path.join(SOURCE, "test/fixtures/rpmdb.sqlite.gz")) as packed, open(os.path.join(root, "var/lib/rpm/rpmdb.sqlite"), "wb") as file:
            shutil.copyfileobj(packed, file)
        want += ["pkg:rpm/fedora/alpha@2.0~rc1-3?arch=x86_64&distro=fedora-40&epoch=1",
                 "pkg:rpm/fedora/alpha-sub@2.0~rc1-3?arch=noarch&distro=fedora-40&epoch=1&upstream=alpha-2.0~rc1-3.src.rpm"]
    for tag_id in ("app-2", "app-1"):  # one name, two programs: told apart by their tags alone
        put(root, f"opt/acme/swidtag/{tag_id}.swidtag", '<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" name="App" '
            f'version="1.0" tagId="{tag_id}"><Entity name="Acme" regid="acme.example" role="tagCreator"/></SoftwareIdentity>')
    want += ["pkg:generic/App@1.0"] * 2
    cyclonedx, _ = bills("other managers", "--root", root)
    parts = cyclonedx["components"]
    expect("software that brought its tag", [c["swid"]["tagId"] for c in parts if c["name"] == "App"], ["app-1", "app-2"])
    expect("other managers", sorted(c["purl"] for c in parts[1:]), sorted(want))
    expect("the operating system's CPE", parts[0]["cpe"], "cpe:/o:fedoraproject:fedora:40")
    on = {d["ref"]: d.get("dependsOn") for d in cyclonedx["dependencies"]}
    expect("what apk's packages need", on["apk/sh/x86_64/1-r0"], ["apk/musl/x86_64/1.2.4-r2"])
    expect("what stands beside the system", on["device"], ["os", "tags/App//1.0", "tags/App//1.0/2", "snap/hello/unknown/r42"])
    rpm = [c.get("licenses") for c in parts[1:] if c["purl"].startswith("pkg:rpm/")]
    expect("rpm's licences", rpm, [[{"license": {"id": "MIT", "acknowledgement": "declared"}}]] * len(rpm))


def past(work):
    """--at: the journal's packages; what only today's database knows of those that have the same version still."""
    root, state = os.path.join(work, "past"), os.path.join(work, "past-state")
    put(root, "etc/os-release", "ID=debian\nVERSION_ID=12\n")
    put(root, "var/log/dpkg.log", "".join(
        f"2024-01-0{day} 10:00:00 startup archives unpack\n2024-01-0{day} 10:00:01 {what}\n2024-01-0{day} 10:00:02 status installed {name}:amd64 {version}\n"
        for day, what, name, version in ((1, "install a:amd64 <none> 1", "a", "1"), (1, "install b:amd64 <none> 1", "b", "1"),
                                         (1, "install c:amd64 <none> 1", "c", "1"), (3, "upgrade b:amd64 1 2", "b", "2"))))
    put(root, "var/lib/dpkg/status", status_of(("a", "1", "Depends: b, c\nDescription: first\n"), ("b", "2", "Depends: a\nDescription: new\n"), ("c", "1", "")))
    words = ("--root", root, "--state", state)
    muster("collect", *words, TZ="UTC")
    cyclonedx, _ = bills("the past", "--at", "2024-01-02", *words)
    expect("packages then", [(c["name"], c["version"], c.get("description")) for c in cyclonedx["components"][1:]], [("a", "1", "first"), ("b", "1", None), ("c", "1", None)])
    on = {d["ref"]: d.get("dependsOn") for d in cyclonedx["dependencies"]}
    expect("dependencies then", (on["dpkg/a/amd64/1"], on["dpkg/b/amd64/1"]), (["dpkg/c/amd64/1"], None))
    now, _ = bills("now", *words)
    expect("dependencies now", {d["ref"]: d.get("dependsOn") for d in now["dependencies"]}["dpkg/b/amd64/2"], ["dpkg/a/amd64/1"])
    before = json.loads(muster("sbom", "--at", "2020-01-01", *words, status=3))
    expect("a time before all logs", (len(before["components"]), before["compositions"][0]["aggregate"]), (1, "incomplete"))


def refusals(work):
    root = os.path.join(work, "empty")
    os.makedirs(root)
    muster("sbom", "--root", root, status=3)
    muster("sbom", "--format", "xml", status=2)
    muster("sbom", "--hash", "md5", status=2)
    muster("sbom", "--output", os.path.join(work, "no/such/folder"), status=2)
    muster("sbom", status=2, SOURCE_DATE_EPOCH="yesterday")
    put(root, "var/lib/dpkg/status", "rubbish\n")
    put(root, "lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\n\n")
    document = json.loads(muster("sbom", "--root", root, status=3))
    expect("a damaged database beside a good one", (len(document["components"]), document["compositions"][0]["aggregate"]), (2, "incomplete"))


def main():
    work = tempfile.mkdtemp(prefix="muster-sbom-")
    try:
        inner = os.path.join(work, "output")
        os.mkdir(inner)
        if os.path.exists("/var/lib/dpkg/status") and shutil.which("dpkg"):
            this_machine(inner)
            files()
        measured(work)
        others(work)
        past(work)
        refusals(work)
    finally:
        shutil.rmtree(work)
    print("bills are valid, complete and the same each time")


if __name__ == "__main__":
    main()
