#!/usr/bin/env python3
"""End to end on loopback: a policy server, endpoints that it assesses, and everything that goes wrong between them.

Called with the source folder and the build folder. What the server then knows must equal what each endpoint's own package database says; a
second assessment brings only what is new; a server that is killed and connections that are cut anywhere lose and double nothing.
"""
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

BUILD = os.path.abspath(sys.argv[2])
MUSTER, SERVER = os.path.join(BUILD, "muster"), os.path.join(BUILD, "muster-server")
WORK = tempfile.mkdtemp(prefix="muster-assess-")
failures = 0


def check(what, holds, detail=""):
    global failures
    if not holds:
        failures += 1
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(*arguments, program=MUSTER):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, cwd=WORK)


# ---- an endpoint: a root with a dpkg database and its log -------------------------------------------------------------------


class Endpoint:
    """A root file system, a state folder and a certificate."""

    def __init__(self, name, packages):
        self.name = name
        self.root, self.state = os.path.join(WORK, name, "root"), os.path.join(WORK, name, "state")
        self.packages, self.log, self.clock = {}, [], 0
        for folder in ("etc", "var/lib/dpkg/updates", "var/log/apt"):
            os.makedirs(os.path.join(self.root, folder))
        self.write("etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        self.write("etc/machine-id", f"{sum(name.encode()):032x}\n")
        self.write("var/lib/dpkg/arch", "amd64\n")
        self.write("var/log/apt/history.log", "")
        for package, version in packages:
            self.install(package, version)
        self.save()

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def tell(self, text):
        self.clock += 1
        self.log.append(f"2026-03-{1 + self.clock // 86400:02d} {self.clock // 3600 % 24:02d}:{self.clock // 60 % 60:02d}:{self.clock % 60:02d} {text}\n")

    def install(self, package, version):
        old = self.packages.get(package)
        self.tell(f"{'upgrade' if old else 'install'} {package}:amd64 {old or '<none>'} {version}")
        self.tell(f"status installed {package}:amd64 {version}")
        self.packages[package] = version

    def remove(self, package):
        version = self.packages.pop(package)
        self.tell(f"remove {package}:amd64 {version} <none>")
        self.tell(f"status not-installed {package}:amd64 <none>")

    def save(self):
        self.write("var/log/dpkg.log", "".join(self.log))
        self.write(
            "var/lib/dpkg/status",
            "".join(f"Package: {p}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {v}\n\n" for p, v in sorted(self.packages.items())),
        )

    def common(self):
        return ["--state", self.state, "--root", self.root]

    def assess(self, port, *more, host="127.0.0.1", ca=None, certificate=None):
        keys = certificate or os.path.join(WORK, "keys", self.name)
        return run("assess", f"{host}:{port}", "--ca", ca or CA, "--cert", keys + ".crt", "--key", keys + ".key", *self.common(), *more)

    def assess_json(self, port, *more, **others):
        result = self.assess(port, "--json", *more, **others)
        try:
            return result.returncode, json.loads(result.stdout), result.stderr
        except ValueError:
            return result.returncode, {}, result.stderr

    def installed(self):
        lines = run("list", "--installed", "--plain", *self.common()).stdout.splitlines()
        return sorted(line.split("\t")[0] for line in lines)

    def event_count(self):
        return len(json.loads(run("history", "--json", *self.common()).stdout)["items"])


# ---- the server ----------------------------------------------------------------------------------------------------------------


class Server:
    """muster serve on ports of its own choice; restarted on the same ones."""

    def __init__(self, state, *options):
        self.state, self.port, self.http, self.options = state, 0, 0, options
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SERVER, "serve", "--state", self.state, "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}", *self.options],
            stdout=subprocess.PIPE,
            stderr=open(os.path.join(WORK, "server.log"), "a", encoding="utf-8"),
            text=True,
        )
        line = self.process.stdout.readline()
        ports = re.findall(r"127\.0\.0\.1:(\d+)", line)
        if not line.startswith("ready") or len(ports) != 2:
            raise SystemExit(f"the server is not ready: {line!r}\n" + open(os.path.join(WORK, "server.log"), encoding="utf-8").read())
        self.port, self.http = map(int, ports)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def get(self, path):
        user, password = (line.split(": ", 1)[1].strip() for line in open(os.path.join(self.state, "admin.txt"), encoding="utf-8"))
        request = urllib.request.Request(f"https://127.0.0.1:{self.http}/api/v1/{path}")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=CA), timeout=30) as answer:
            return json.load(answer)

    def items(self, path):
        """All pages of a list."""
        cursor, found = None, []
        while True:
            page = self.get(path + "?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def software(self, name):
        return sorted(i["software_id"] for i in self.items(f"endpoints/{name}/software") for _ in range(i["count"]))

    def packages(self, name):
        return {i["package"]: i["version"] for i in self.items(f"endpoints/{name}/software")}

    def events(self, name):
        return self.items(f"endpoints/{name}/events")


class Relay(threading.Thread):
    """Carries connections to a port, from another address if wished, and cuts the first one after so many octets of the client."""

    def __init__(self, port, address="127.0.0.1", cut=None):
        super().__init__(daemon=True)
        self.target, self.cut = port, cut
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.target))
        back = threading.Thread(target=self.carry, args=(server, client, None), daemon=True)
        back.start()
        self.carry(client, server, self.cut)
        back.join()
        client.close()
        server.close()
        self.listener.close()

    def carry(self, source, sink, cut):
        try:
            while data := source.recv(65536):
                if cut is not None and len(data) > cut:
                    sink.sendall(data[:cut])
                    break
                if cut is not None:
                    cut -= len(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_WR if self.cut is None else socket.SHUT_RDWR)
            except OSError:
                pass


# ---- the tests ------------------------------------------------------------------------------------------------------------------

PACKAGES = [(f"pkg{i}", f"1.{i}-1") for i in range(300)] + [("libstdc++6", "1:12.2.0-14"), ("tilde", "2~rc1+b2")]


def one_line(result, status, *words):
    text = result.stderr.strip()
    return result.returncode == status and text.count("\n") == 0 and all(word in text for word in words)


def same_as_endpoint(server, endpoint, when, killed=False):
    """killed: who dies over the question what software means is not asked it for a day; some may be nameless then."""
    ours, theirs = endpoint.installed(), server.software(endpoint.name)
    check(f"{when}: the server's software of {endpoint.name} is the endpoint's own", ours == theirs and len(ours) > 0, f"{len(ours)} and {len(theirs)}")
    named = {name: version for name, version in server.packages(endpoint.name).items() if name or not killed}
    known = {name: version for name, version in (endpoint.packages or named).items() if name in named or not killed}
    check(f"{when}: it knows each package's name and exact version", named == known, str(set(named.items()) ^ set(known.items()))[:300])
    eids = [event["eid"] for event in server.events(endpoint.name)]
    count = endpoint.event_count()
    check(f"{when}: its events are 1 to {count}, each once", sorted(eids) == list(range(1, count + 1)), f"{len(eids)} of them")


def first_and_second(server, web1):
    status, verdict, errors = web1.assess_json(server.port)
    check("the first assessment is allowed", status == 0 and verdict.get("access") == "allowed", errors or str(verdict))
    check("and sends all events from EID 1", verdict.get("events_sent") == web1.event_count() > 0, str(verdict))
    check("in a document of its schema", verdict.get("schema") == "muster.assess/1" and isinstance(verdict.get("validators"), list))
    same_as_endpoint(server, web1, "first")
    status, verdict, _ = web1.assess_json(server.port)
    check("a second one with nothing new sends nothing", (status, verdict.get("events_sent")) == (0, 0), str(verdict))
    before = web1.event_count()
    web1.install("pkg7", "9.9-9")
    web1.install("brand-new", "0.1")
    web1.remove("pkg8")
    web1.save()
    status, verdict, _ = web1.assess_json(server.port)
    new = web1.event_count() - before
    check("later ones send only what is new", status == 0 and verdict.get("events_sent") == new and new >= 4, f"{verdict.get('events_sent')} of {new}")
    same_as_endpoint(server, web1, "after an upgrade")
    plain = web1.assess(server.port)
    check("plain output ends with the access", plain.stdout.splitlines()[-1:] == ["access: allowed"], plain.stdout + plain.stderr)


def killed_in_between(server, web1):
    server.kill()
    check("a dead server is said in one line, exit 5", one_line(web1.assess(server.port), 5, str(server.port)), "")
    web1.install("while-dead", "1")
    web1.save()
    check("the port is closed, exit 5", one_line(web1.assess(server.port), 5, "refused"), web1.assess(server.port).stderr)
    server.start()
    status, verdict, errors = web1.assess_json(server.port)
    check("after kill -9 the next assessment goes on where it was", status == 0 and verdict.get("events_sent") == 1, f"{verdict} {errors}")
    same_as_endpoint(server, web1, "after kill -9")


def killed_in_the_middle(server, web1):
    """The server dies at any moment of an assessment, ten times: what it had acknowledged is there, and nothing is there twice."""
    statuses = []
    for turn in range(10):
        web1.install(f"turn{turn}", "1")
        web1.save()
        timer = threading.Timer(0.004 * turn, server.process.kill)
        timer.start()
        statuses.append(web1.assess(server.port, "--timeout", "10").returncode)
        timer.join()
        server.process.wait()
        server.start()
    check("a server that dies in the middle is exit 5, and else exit 0", set(statuses) <= {0, 5}, str(statuses))
    check("the assessment after the deaths is allowed", web1.assess(server.port).returncode == 0)
    same_as_endpoint(server, web1, "after ten deaths", killed=True)


def lost_epochs(server, web1):
    """A journal that is gone, or damaged: a new epoch; the server asks anew and keeps what it knew of the old one."""
    def told():
        return [(e["time"], e["action"], e["software_id"]) for e in server.events("web1")]

    known = told()
    shutil.rmtree(web1.state)
    web1.install("between", "1")
    came = web1.log[-1][:19].replace(" ", "T") + "Z"
    web1.remove("between")
    web1.save()
    status, _, errors = web1.assess_json(server.port)
    check("an endpoint that lost its journal is allowed", status == 0, errors)
    check("the server's software is the endpoint's own in the new epoch", server.software("web1") == web1.installed())
    check("the events of the old epoch stay, and only what nobody told yet comes to them", told()[: len(known)] == known and len(told()) == len(known) + 2,
          str(told()[len(known) :]))
    then = run("endpoint", "show", "web1", "--at", came, "--state", server.state, "--json")
    check("what came and went while the journal was lost is known", then.returncode == 0 and "-between-1" in then.stdout, then.stdout + then.stderr)
    moment = int(time.mktime(time.strptime(came, "%Y-%m-%dT%H:%M:%SZ"))) - time.timezone
    with contextlib.closing(sqlite3.connect(os.path.join(server.state, "server.db"), timeout=30)) as store, store:  # as an inventory alone would leave it
        store.execute("INSERT INTO rupture(endpoint, change, until, since, learnt, whole) SELECT id, 0, ?, ?, 0, 0 FROM endpoint WHERE CAST(name AS TEXT) = 'web1'",
                      (moment - 5, moment + 5))
    for command in ("endpoint", "show", "web1"), ("sbom", "--endpoint", "web1"):
        then = run(*command, "--at", came, "--state", server.state)
        check(f"of a time that nobody told of, {command[0]} says that it is unknown", then.returncode == 3, f"{then.returncode} {then.stderr}")
    with open(os.path.join(web1.state, "journal.db"), "r+b") as file:
        file.write(b"no database" * 500)
    status, _, errors = web1.assess_json(server.port)
    kept = [name for name in os.listdir(web1.state) if "damaged" in name and not name.endswith(("-wal", "-shm"))]
    check("a damaged journal is kept aside, said so, and the endpoint allowed", status == 0 and kept and kept[0] in errors, f"{status} {kept} {errors}")
    check("the server's software is the endpoint's own in the third epoch", server.software("web1") == web1.installed())


def this_machine(server):
    """The machine that the test runs on, as it is."""
    if not os.path.exists("/var/lib/dpkg/status"):
        print("skip this machine: it has no dpkg")
        return
    here = Endpoint("here", [])
    issue("here", server)
    here.root = "/"
    status, verdict, errors = here.assess_json(server.port)
    check("this machine is allowed", status == 0, f"{verdict} {errors}")
    same_as_endpoint(server, here, "this machine")


def wrong_credentials(server, web1):
    other = os.path.join(WORK, "other")
    elsewhere = Server(other)
    elsewhere.stop()
    foreign = run("pki", "issue", web1.name, "--state", other, "--out", other, program=SERVER)
    check("another authority issues, too", foreign.returncode == 0, foreign.stderr)
    result = web1.assess(server.port, ca=os.path.join(other, "pki", "ca.crt"))
    check("a server of another CA is refused", one_line(result, 5, "not signed by a CA"), result.stderr)
    result = web1.assess(server.port, certificate=os.path.join(other, web1.name))
    check("a certificate of another CA is refused by the server", one_line(result, 5, "refused", "unknown CA"), result.stderr)
    result = web1.assess(server.port, host="localhost")
    check("a name with several addresses is tried to the end", result.returncode == 0, result.stderr)
    result = web1.assess(server.port, host="[::1]")
    check("an IPv6 address goes in brackets", one_line(result, 5, f"[::1]:{server.port}", "refused"), result.stderr)
    relay = Relay(server.port, "127.0.0.2")
    result = web1.assess(relay.port, host="127.0.0.2")
    check("a server of another name is refused", one_line(result, 5, "127.0.0.2", "another address"), result.stderr)
    result = web1.assess(server.port, ca="/nonexistent/ca.crt")
    check("a missing CA file is named", one_line(result, 2, "/nonexistent/ca.crt"), result.stderr)
    result = run("assess", "127.0.0.1:99999", "--ca", CA, "--cert", CA, "--key", CA)
    check("a port that is none is a usage error", result.returncode == 2 and "99999" in result.stderr, result.stderr)
    result = run("assess", "127.0.0.1", "--ca", CA)
    check("a missing option is named", result.returncode == 2 and "--cert" in result.stderr, result.stderr)


def expired(server, web1):
    """Certificates that have run out, where there is an openssl to make them."""
    if not shutil.which("openssl"):
        print("skip expired certificates: no openssl command here")
        return
    key, request, made = (os.path.join(WORK, "keys", "old" + suffix) for suffix in (".key", ".csr", ".crt"))
    pki = os.path.join(server.state, "pki")
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=old"], **quiet)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", CA, "-CAkey", os.path.join(pki, "ca.key"), "-days", "-1", "-out", made], **quiet)
    result = web1.assess(server.port, certificate=made[:-4])
    check("an expired certificate is refused and said so", one_line(result, 5, "expired"), result.stderr)


def twins(server, web1):
    software = server.get("totals")["software"]
    web2 = Endpoint("web2", sorted(web1.packages.items()))
    issue("web2", server)
    status, _, errors = web2.assess_json(server.port)
    check("a second endpoint with the same packages is allowed", status == 0, errors)
    same_as_endpoint(server, web2, "twin")
    check("the same packages are no new software", server.get("totals")["software"] == software)
    named = {endpoint["name"]: endpoint for endpoint in server.items("endpoints")}
    check("both endpoints are listed by their certificates' names", {"web1", "web2"} <= set(named), str(list(named)))
    check("with device IDs that are not the machine-id", named["web2"]["device_id"] not in (None, "", named["web1"]["device_id"], f"{sum(b'web2'):032x}"))


def small_messages(server):
    small = Endpoint("small", PACKAGES)
    issue("small", server)
    status, verdict, errors = small.assess_json(server.port, "--max-message", "1000")
    check("with messages of 1,000 octets everything arrives", status == 0 and verdict.get("events_sent") == small.event_count(), f"{verdict} {errors}")
    same_as_endpoint(server, small, "segmented")


def cut_anywhere(server):
    """The connection is cut after ever more octets; whatever had been stored by then, in the end each event is there once."""
    cut = Endpoint("cut", PACKAGES[:120])
    issue("cut", server)
    bad, passed = [], 0
    for octets in [*range(100, 3000, 400), *range(3000, 20000, 1100)]:
        result = cut.assess(Relay(server.port, cut=octets).port, "--timeout", "20")
        passed += result.returncode == 0
        if not (result.returncode == 0 or one_line(result, 5)):
            bad.append((octets, result.returncode, result.stderr))
    check("a cut connection is one line and exit 5, wherever it is cut", not bad, str(bad[:2]))
    check("some of them were cut too late to matter, most not", 0 < passed < 15, str(passed))
    status, _, errors = cut.assess_json(server.port)
    check("the assessment after the cuts is allowed", status == 0, errors)
    same_as_endpoint(server, cut, "after cuts")


def mutual(server):
    """Each side assesses the other, where both want it; and a server that is served with an address for help tells it."""
    result = run("serve", "--state", os.path.join(WORK, "nowhere"), "--help-uri", "help.example", program=SERVER)
    check("--help-uri takes a URI only", one_line(result, 2, "--help-uri"), result.stderr)
    both = Endpoint("both", PACKAGES[:5])
    issue("both", server)
    status, verdict, errors = both.assess_json(server.port, "--mutual")
    told = verdict.get("server", {})
    check("a server that takes no part: exit 3, and the access is told", status == 3 and verdict.get("access") == "allowed" and not told.get("took_part"), f"{status} {verdict} {errors}")
    server.stop()
    server.options = ("--mutual", "--help-uri", "https://help.example/nea")
    server.start()
    status, verdict, errors = both.assess_json(server.port, "--mutual")
    told = verdict.get("server", {})
    check("one that does is assessed, too", status == 0 and told.get("took_part") and told.get("access") == "allowed" and told.get("product"), f"{status} {verdict} {errors}")
    check("who does not ask for it hears nothing of it", "server" not in both.assess_json(server.port)[1])
    result = both.assess(server.port, "--default-password", "yes", "--language", "de, en;q=0.5")
    check("who is not let in hears why and where there is help, in its language, once", result.returncode == 1 and "Kennwort ist in Gebrauch" in result.stdout
          and result.stdout.count("remediation: https://help.example/nea\n") == 1 and result.stdout.count("Bitte") == 1, result.stdout + result.stderr)
    check("a language that no header can carry is a usage error", one_line(both.assess(server.port, "--language", "en\nX: y"), 2, "--language"))
    server.stop()
    server.options = ()
    server.start()


def unreadable(server):
    """Exit 3 only if a package database could not be read."""
    broken = Endpoint("broken", PACKAGES[:5])
    issue("broken", server)
    check("at first it is allowed", broken.assess(server.port).returncode == 0)
    broken.write("var/lib/dpkg/status", "\x00\x01 this is no dpkg status file\n" * 3)
    result = broken.assess(server.port)
    check("a package database that cannot be read is exit 3", result.returncode == 3, f"{result.returncode} {result.stderr}")
    check("and lets nobody in", result.stdout.endswith("access: denied\n"), result.stdout)
    broken.save()
    check("once it is mended, so is the access", broken.assess(server.port).returncode == 0)
    same_as_endpoint(server, broken, "mended")


def issue(name, server):
    keys = os.path.join(WORK, "keys")
    os.makedirs(keys, exist_ok=True)
    result = run("pki", "issue", name, "--state", server.state, "--out", keys, program=SERVER)
    if result.returncode != 0:
        raise SystemExit(f"pki issue {name}: {result.stderr}")


def main():
    global CA
    if not (os.path.exists(MUSTER) and os.path.exists(SERVER)):
        print("muster and muster-server are not built here: skipped")
        return 77
    state = os.path.join(WORK, "server")
    CA = os.path.join(state, "pki", "ca.crt")
    server = Server(state)
    try:
        issue("web1", server)
        web1 = Endpoint("web1", PACKAGES)
        first_and_second(server, web1)
        wrong_credentials(server, web1)
        expired(server, web1)
        twins(server, web1)
        small_messages(server)
        mutual(server)
        cut_anywhere(server)
        unreadable(server)
        this_machine(server)
        killed_in_between(server, web1)
        killed_in_the_middle(server, web1)
        lost_epochs(server, web1)
        check("SIGTERM ends the server cleanly", server.stop() == 0)
    finally:
        if server.process.poll() is None:
            server.kill()
        if failures:
            print(open(os.path.join(WORK, "server.log"), encoding="utf-8").read()[-2000:])
        shutil.rmtree(WORK, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
