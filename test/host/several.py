"""Several package managers on one root, through a real assessment: each is a source of its own, and one that goes takes only its packages along.

Called with the source folder and the build folder. rpm's part is left out where rpm is missing, or Muster was built without librpm.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

from live import Endpoint, Server
from rpm import SPEC, run

BUILD = os.path.abspath(sys.argv[2])
NUMBERS = {"dpkg": 1, "rpm": 2, "apk": 3, "pacman": 4, "snap": 5, "flatpak": 6}  # RFC 8412 §3.4.5: given once


def put(endpoint, name, text):
    os.makedirs(os.path.dirname(endpoint.path(name)), exist_ok=True)
    endpoint.write(name, text)


def fill(endpoint):
    """What of dpkg is there already; the others beside it. Returns what each one's identifiers end with."""
    put(endpoint, "lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\n\n")
    put(endpoint, "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    put(endpoint, "var/lib/pacman/local/zlib-1:1.3-1/desc", "%NAME%\nzlib\n\n%VERSION%\n1:1.3-1\n\n%ARCH%\nx86_64\n\n%INSTALLDATE%\n1700000000\n")
    put(endpoint, "var/lib/snapd/state.json", json.dumps({"data": {"snaps": {"hello": {"sequence": [{"revision": "42"}], "current": "42", "active": True}}}}))
    put(endpoint, "snap/hello/42/meta/snap.yaml", "name: hello\nversion: 2.10\narchitectures: [amd64]\n")
    put(endpoint, "var/lib/flatpak/repo/config", "[core]\n")
    put(endpoint, "var/lib/flatpak/app/org.test.Hello/x86_64/stable/" + "d5c7" * 16 + "/metadata", "[Application]\n")
    os.symlink("d5c7" * 16, endpoint.path("var/lib/flatpak/app/org.test.Hello/x86_64/stable/active"))
    want = {"dpkg": {"base-1", "shared-1"}, "apk": {"musl-1.2.4-r2"}, "pacman": {"zlib-1~1.3-1"}, "snap": {"hello-2.10~r42"}, "flatpak": {"org.test.Hello-stable~gd5c7d5c7d5c7"}}
    if shutil.which("rpmbuild") and os.path.exists(BUILD + "/muster-rpmdb"):
        top = tempfile.mkdtemp(dir=endpoint.work)
        with open(top + "/spec", "w", encoding="ascii") as file:
            file.write(SPEC.format("shared", "1", "1", ""))
        run("rpmbuild", "-bb", "--define", f"_topdir {top}", top + "/spec")
        os.makedirs(endpoint.path("var/lib/rpm"))
        packages = [p for p in glob.glob(top + "/RPMS/*/*.rpm") if "-doc-" not in p]
        run("rpm", "--dbpath", endpoint.path("var/lib/rpm"), "--nodeps", "--noscripts", "--justdb", "-i", *packages)
        want["rpm"] = {"shared-1-1." + packages[0].rsplit(".", 2)[1]}
    return want


def assess(server, endpoint, keys):
    words = ["--ca", server.ca, "--cert", f"{keys}/{endpoint.name}.crt", "--key", f"{keys}/{endpoint.name}.key", "--root", endpoint.root, "--state", endpoint.state]
    done = subprocess.run([BUILD + "/muster", "assess", f"127.0.0.1:{server.port}", *words], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"assess: {done.returncode} {done.stdout} {done.stderr}")


def by_source(items):
    names = {number: name for name, number in NUMBERS.items()}
    found = {}
    for item in items:
        found.setdefault(names[item["source"]], set()).add(item["software_id"].split("x86_64-", 1)[1])
    return found


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}:\n  have {got}\n  want {want}")


def main():
    with tempfile.TemporaryDirectory(prefix="muster-several-") as work:
        endpoint = Endpoint(work, "web1", {"base": "1", "shared": "1"})
        want = fill(endpoint)
        server = Server(BUILD, work + "/server", work + "/server.log")
        try:
            server.issue("web1", work + "/keys")
            assess(server, endpoint, work + "/keys")
            expect("at first", by_source(server.items("endpoints/web1/software")), want)
            # One manager after another goes: its packages with it, and nobody else's.
            for name, folder in (("pacman", "var/lib/pacman/local"), ("snap", "var/lib/snapd"), ("flatpak", "var/lib/flatpak"), ("rpm", "var/lib/rpm")):
                if name not in want:
                    continue
                shutil.rmtree(endpoint.path(folder))
                gone = want.pop(name)
                assess(server, endpoint, work + "/keys")
                expect(f"without {name}", by_source(server.items("endpoints/web1/software")), want)
                text = subprocess.run([BUILD + "/muster", "history", "--json", "--root", endpoint.root, "--state", endpoint.state],
                                      check=True, capture_output=True, text=True, timeout=60).stdout
                last = json.loads(text)["items"][-1]
                expect(f"the last event without {name}", (last["action"], last["software_id"].split("x86_64-", 1)[1]), ("delete", *gone))
        finally:
            server.stop()
    print("each manager is a source of its own")
    return 0


if __name__ == "__main__":
    sys.exit(main())
