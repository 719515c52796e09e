#!/usr/bin/env python3
"""muster sbom --endpoint: bills of what a server knows, beside what the endpoint says of itself. Called with the source and build folder."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import sbom  # its validators

BUILD = sbom.BUILD
MUSTER, SERVER = BUILD + "/muster", BUILD + "/muster-server"
WORK = tempfile.mkdtemp(prefix="muster-bills-")
STATE = WORK + "/server"
MANY = 12000
failures = 0


def check(what, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(*words, **more):
    return subprocess.run([MUSTER, *words], capture_output=True, text=True, timeout=300, cwd=WORK, env={**os.environ, "TZ": "UTC"}, **more)


def make_root(name, packages):
    files = {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "var/lib/dpkg/arch": "amd64\n",
        "var/lib/dpkg/status": "".join(f"Package: {p}\nStatus: install ok installed\nArchitecture: amd64\nSource: src-{p} ({v})\nVersion: {v}+b1\n\n" for p, v in packages),
        "var/log/dpkg.log": "".join(f"2026-01-01 01:00:00 install {p}:amd64 <none> {v}+b1\n2026-01-01 01:00:00 status installed {p}:amd64 {v}+b1\n" for p, v in packages[1:]),
    }
    for path, text in files.items():
        path = os.path.join(WORK, name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def assess(name, times):
    with open(STATE + "/server.json", encoding="utf-8") as file:
        port = json.load(file)["listen"].rsplit(":", 1)[1]
    run("pki", "issue", name, "--state", STATE, "--out", WORK)
    for _ in range(times):
        done = run("assess", "localhost:" + port, "--ca", STATE + "/pki/ca.crt", "--cert", name + ".crt", "--key", name + ".key", "--root", name, "--state", name + ".state")
    check(f"{name} is assessed", done.returncode == 0, done.stdout + done.stderr)


def packages_of(form, text):
    """Package URLs of the packages; the operating system has none."""
    document = json.loads(text)
    if form == "cyclonedx":
        return sorted(c["purl"] for c in document["components"] if c.get("purl"))
    return sorted(r["referenceLocator"] for p in document["packages"] for r in p.get("externalRefs", ()) if r["referenceType"] == "purl")


def bill(*words):
    return run("sbom", "--endpoint", "node", "--state", STATE, *words)


def small():
    make_root("node", [("one", "1:2.3~rc1-4"), ("two", "7"), ("libthree", "0.1-2")])
    assess("node", 2)
    for form in ("cyclonedx", "spdx"):
        done, own = bill("--format", form), run("sbom", "--format", form, "--root", "node")
        check(f"{form}: an endpoint's bill", done.returncode == 0 and not done.stderr and done.stdout.endswith("}\n"), done.stderr)
        sbom.validate("an endpoint's bill", form, json.loads(done.stdout))
        check(f"{form}: its packages have the names that the endpoint itself gives them", packages_of(form, done.stdout) == packages_of(form, own.stdout) != [],
              f"{packages_of(form, done.stdout)} {packages_of(form, own.stdout)}")
    done = bill("--at", "2026-01-01T00:30:00Z")
    document = json.loads(done.stdout)
    check("of a moment of which little is known: 3, and the bill says so", done.returncode == 3 and "incomplete" in done.stderr and
          document["compositions"][0]["aggregate"] == "incomplete", f"{done.returncode} {done.stderr}")
    sbom.validate("an incomplete bill", "cyclonedx", document)


def refusals():
    for words, status in ((("--format", "word"), 2), (("--at", "soon"), 2), (("--files",), 2)):
        done = bill(*words, "--output", "made")
        check(f"{words[0]} that cannot be: {status}", done.returncode == status and not done.stdout and not os.path.exists(WORK + "/made"), done.stderr)
    done = run("sbom", "--endpoint", "nobody", "--state", STATE, "--output", "made")
    check("of nobody: 4, and no file", done.returncode == 4 and done.stderr.count("\n") == 1 and not os.path.exists(WORK + "/made"), done.stderr)
    done = run("sbom", "--server", "https://localhost")
    check("a server without an endpoint: 2", done.returncode == 2 and "--endpoint" in done.stderr, done.stderr)


def memory(server):
    with open(f"/proc/{server.pid}/status", encoding="utf-8") as file:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file if line.startswith("Vm")}


def large(server):
    """The document is larger than what it costs: it goes through a file."""
    make_root("many", [(f"package-{i:05}", f"{i}.0-1") for i in range(MANY)])
    assess("many", 1)
    for form in ("cyclonedx", "spdx"):
        done = run("sbom", "--endpoint", "many", "--state", STATE, "--format", form, "--output", "many.json")
        with open(WORK + "/many.json", encoding="utf-8") as file:
            text = file.read()
        count = len(json.loads(text)["components" if form == "cyclonedx" else "packages"])
        check(f"{form}: every package of many stands in it", done.returncode in (0, 3) and count >= MANY, f"{done.returncode} {done.stderr} {count}")
    size, grown = os.path.getsize(WORK + "/many.json"), 1 << 62
    for _ in range(8):  # a thread's first request opens its connection to the store, too
        with open(f"/proc/{server.pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")
        before = memory(server)["VmRSS"]
        run("sbom", "--endpoint", "many", "--state", STATE, "--output", "many.json")
        grown = min(grown, memory(server)["VmHWM"] - before)
    print(f"     a document of {size} octets made the server grow by {grown}")
    with open(SERVER, "rb") as program:
        sanitized = b"__asan_init" in program.read()
    if not sanitized:  # which keeps what was freed
        check("the server does not grow by it", grown < size, f"{grown} {size}")


def main():
    if not all(os.path.exists(program) for program in (MUSTER, SERVER, BUILD + "/muster-fleet")):
        print("muster, muster-server and muster-fleet are not all built")
        return 77
    server = subprocess.Popen([SERVER, "serve", "--state", STATE, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        check("the server is ready", server.stdout.readline().startswith("ready"))
        small()
        refusals()
        large(server)
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
