#!/usr/bin/env python3
"""The server as its administrator and its enemies meet it: options, ports, files, signals, and strangers who do not go on.

Called with the source folder and the build folder.
"""
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(sys.argv[2])
MUSTER, SERVER = os.path.join(BUILD, "muster"), os.path.join(BUILD, "muster-server")
WORK = tempfile.mkdtemp(prefix="muster-serve-")
STALLED = 1000
failures = 0


def check(what, holds, detail=""):
    global failures
    if not holds:
        failures += 1
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


class Server:
    def __init__(self, state, *options, environment=None, files=None):
        self.state = os.path.join(WORK, state)
        self.log = open(self.state + ".log", "w+", encoding="utf-8")
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
        arguments = [SERVER, "serve", "--state", self.state, *options]
        for option in ("--listen", "--http"):
            if option not in options:
                arguments += [option, "127.0.0.1:0"]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=limit,
                                        env={**os.environ, **(environment or {})})
        self.ready = self.process.stdout.readline()
        if self.ready:
            with open(os.path.join(self.state, "server.json"), encoding="utf-8") as file:
                self.addresses = json.load(file)
            self.port = int(self.addresses["listen"].rsplit(":", 1)[1])

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        return status

    def fails(self, status, *words):
        """It did not start: this exit status and one line that has the words."""
        self.process.wait(timeout=30)
        lines = self.messages().splitlines()
        self.process.stdout.close()
        self.log.close()
        return self.ready == "" and self.process.returncode == status and len(lines) == 1 and all(w in lines[0] for w in words), \
            f"exit {self.process.returncode}, {lines}"


class Endpoint:
    """An empty machine: what it is assessed for does not matter here."""

    def __init__(self, server, name):
        self.root = os.path.join(WORK, name)
        for folder in ("etc", "var/lib/dpkg", "var/log/apt"):
            os.makedirs(os.path.join(self.root, folder))
        with open(os.path.join(self.root, "etc/os-release"), "w", encoding="utf-8") as file:
            file.write('ID=debian\nVERSION_ID="12"\n')
        with open(os.path.join(self.root, "var/lib/dpkg/status"), "w", encoding="utf-8") as file:
            file.write("Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
        self.server = server
        self.name = name
        subprocess.run([SERVER, "pki", "issue", name, "--state", server.state, "--out", self.root], check=True, stdout=subprocess.DEVNULL)

    def assess(self):
        """Exit status and milliseconds."""
        before = time.monotonic()
        result = subprocess.run([MUSTER, "assess", f"localhost:{self.server.port}", "--root", self.root, "--state", self.root + "-state",
                                 "--ca", self.server.state + "/pki/ca.crt", "--cert", f"{self.root}/{self.name}.crt",
                                 "--key", f"{self.root}/{self.name}.key"], capture_output=True, text=True, timeout=60)
        return result.returncode, (time.monotonic() - before) * 1000


def stranger(port):
    """Begins a TLS record, and waits."""
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"\x16")
    return s


def is_closed(s):
    s.setblocking(False)
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


# ---- the tests -------------------------------------------------------------------------------------------------------------------


def starting_and_stopping():
    path = os.path.join(WORK, "notify")
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(path)
    server = Server("plain", environment={"NOTIFY_SOCKET": path})
    check("the ready line names both addresses", server.ready.startswith("ready: PT-TLS on 127.0.0.1:") and "https://127.0.0.1:" in server.ready,
          server.ready)
    check("systemd is told", systemd.recv(100) == b"READY=1")
    check("server.json names the process", server.addresses["pid"] == server.process.pid)
    check("what was made is said once", "admin.txt" in server.messages(), server.messages())
    Server("other").stop()  # makes what is missing, so that the next ones have nothing to say but their line
    http = server.addresses["http"].removeprefix("https://")
    for option in (["--listen", f"127.0.0.1:{server.port}"], ["--http", http]):
        good, detail = Server("other", *option).fails(2, option[1].split(":")[1], "in use")
        check(f"{option[0]}: a port in use is one line, exit 2", good, detail)
        good, detail = Server("unmade", *option).fails(2, "in use", option[0])
        check("and nothing was made for it", good and not os.path.exists(WORK + "/unmade"), detail)
    good, detail = Server("unmade", "--listen", "127.0.0.1:65011", "--http", "127.0.0.1:65011").fails(2, "in use", "--http")
    check("one port for both", good and not os.path.exists(WORK + "/unmade"), detail)
    good, detail = Server("unmade", "--db", "sqlite:/proc/none/x.db").fails(2, "/proc/none/x.db")
    check("without its database no authority, no administrator, no token", good and sorted(os.listdir(WORK + "/unmade")) == ["serve.lock"], detail)
    for word, why in (("70000", "port"), (":70000", "host"), ("127.0.0.1:70000", "port"), ("127.0.0.1:", "port"), ("[::1]", None), ("[::1", "brackets"), ("::1:2271", "brackets"),
                      ("[]:1", "host"), ("127.0.0.1:-1", "port"), ("99999999999999999999", "")):
        good, detail = Server("unmade", "--http", "0", "--listen", word).fails(2, why, "65535") if why is not None else (True, "")
        check(f"--listen {word}: exit 2, with what it may be", good, detail)
    good, detail = Server("plain").fails(2, "another server")
    check("a second server on one state folder is refused", good, detail)
    check("and leaves the first one's addresses", os.path.exists(server.state + "/server.json"))
    check("SIGTERM ends it with 0", server.stop() == 0)
    check("systemd hears of the end", systemd.recv(100) == b"STOPPING=1")
    check("server.json is gone", not os.path.exists(server.state + "/server.json"))
    again = Server("plain")
    check("the second start makes nothing", again.messages() == "", again.messages())
    check("SIGINT ends it with 0", again.stop(signal.SIGINT) == 0)


def what_cannot_be_served():
    state = os.path.join(WORK, "plain")
    for words, option in ((("--listen", "no address of"), ["--listen", "nonsense"]), (("--listen",), ["--listen", "127.0.0.1:99999"]),
                          (("oracle://x",), ["--db", "oracle://x"])):
        good, detail = Server("plain", *option).fails(2, *words)
        check(f"{' '.join(option)} is one line, exit 2", good, detail)
    for option, word in (("--workers", "1 to 64"), ("--max-message", "4096 to "), ("--max-strangers", "1 to ")):
        for value in ("0", "99999999999", "-1", "x"):
            good, detail = Server("plain", option, value).fails(2, option, word, value)
            check(f"{option} {value} is one line with the range, exit 2", good, detail)
    for name in ("*.example.org", "https://nac", "a b", ""):
        good, detail = Server("plain", "--name", name).fails(2, "--name", f'"{name}"')
        check(f'--name "{name}" is one line, exit 2', good, detail)
    Server("plain", "--listen", "192.0.2.1:2271").fails(2)  # the first time the certificate gets the new name, and that is said
    good, detail = Server("plain", "--listen", "192.0.2.1:2271").fails(2, "192.0.2.1")
    check("an address that is not ours is one line, exit 2", good, detail)
    with open(os.path.join(state, "server.db"), "r+b") as file:
        file.write(b"This is no database. ")
    with open(os.path.join(state, "server.db"), "rb") as file:
        before = file.read()
    good, detail = Server("plain").fails(70, "server.db")
    check("a damaged database is one line", good, detail)
    with open(os.path.join(state, "server.db"), "rb") as file:
        check("and is left as it is", file.read() == before)


def what_makes_no_sense():
    """Values that nobody can mean are refused before anything is made."""
    state = os.path.join(WORK, "senseless")
    for option, *words in ((("--check", ""), "--check", "empty"), (("--check", "forwarding=deny,forwarding=allow"), "forwarding", "twice"),
                           (("--check", "forwarding=deny,forwarding=deny"), "twice"), (("--name", "999.1.1.1"), "999.1.1.1"),
                           (("--name", "a..b"), "a..b"), (("--name", "-a.example"), "-a"), (("--help-uri", "javascript:alert(1)"), "https://"),
                           (("--help-uri", "file:///etc/passwd"), "https://"), (("--help-uri", "https://"), "https://"), (("--help-uri", "x"), "https://")):
        good, detail = Server("senseless", *option).fails(2, *words)
        check(f"{' '.join(option)}: one line, exit 2", good, detail)
    check("and nothing was made", not os.path.exists(state))
    for uri in ("https://help.example.org/", "http://help", "mailto:help@example.org"):
        server = Server("helpful", "--help-uri", uri, "--name", "1.nac.example.org", "--check", "forwarding=deny,default-password=allow")
        check(f"{uri} is taken", server.ready.startswith("ready"), server.messages())
        server.stop()


def files_that_cannot_be_used():
    """2 and a line that says which: permission, room, a folder in the file's place."""
    state = os.path.join(WORK, "unusable")
    Server("unusable").stop()
    for url in ("sqlite:/etc", "sqlite:" + WORK):
        good, detail = Server("unusable", "--db", url).fails(2, url.removeprefix("sqlite:"))
        check(f"--db {url}: 2", good, detail)
    os.chmod(state + "/pki/ca.key", 0o644)
    good, detail = Server("unusable").fails(2, "ca.key", "chmod 600")
    check("a key that others can read: 2", good, detail)
    os.chmod(state + "/pki/ca.key", 0o600)
    with open(state + "/pki/ca.key", encoding="utf-8") as file:
        key = file.read()
    with open(state + "/pki/ca.key", "w", encoding="utf-8") as file:
        file.write("no key")
    good, detail = Server("unusable").fails(70, "ca.key", "damaged")
    check("a key that is damaged: 70", good, detail)
    with open(state + "/pki/ca.key", "w", encoding="utf-8") as file:
        file.write(key)
    issued = os.path.join(WORK, "issued")
    os.makedirs(issued)
    os.symlink("nowhere", issued + "/web.crt")
    result = subprocess.run([SERVER, "pki", "issue", "web", "--state", state, "--out", issued], capture_output=True, text=True, timeout=30)
    check("a certificate that cannot be written: 2, and no key stays behind", result.returncode == 2 and os.listdir(issued) == ["web.crt"], result.stderr)
    unshare = shutil.which("unshare")
    room = os.path.join(WORK, "room")
    os.makedirs(room)
    full = f"mount -t tmpfs -o size=64k none {room} && exec {SERVER} serve --state {room}/state --listen 127.0.0.1:0 --http 127.0.0.1:0"
    if os.geteuid() != 0 or not unshare or subprocess.run([unshare, "-m", "mount", "-t", "tmpfs", "none", room], capture_output=True, check=False).returncode:
        print("skip a full disk: cannot mount one")
        return
    result = subprocess.run([unshare, "-m", "sh", "-c", full], capture_output=True, text=True, timeout=60)
    line = result.stderr.splitlines()[-1]
    check("a full disk: 2, and it is said", result.returncode == 2 and not result.stdout and ("full" in line or "No space" in line), f"{result.returncode} {result.stderr}")


def how_it_speaks():
    """Its lines carry times, its ready line may be JSON."""
    line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ muster: ")
    server = Server("voice", "--json")
    document = json.loads(server.ready)
    check("serve --json: one document once it is ready", document == json.load(open(server.state + "/server.json", encoding="utf-8")), server.ready)
    lines = server.messages().splitlines()
    check("lines of the log begin with their time", lines and all(line.match(one) for one in lines), lines)
    check("what was made is said, each", all(any(word in one for one in lines) for word in ("authority", "admin.txt", "token.txt")), lines)
    server.stop()
    server = Server("voice", "--name", "voice.example.org", environment={"JOURNAL_STREAM": "8:1", "MUSTER_JSON": "0"})
    check("MUSTER_JSON=0 is off", server.ready.startswith("ready: "), server.ready)
    check("journald has its own times, and a renewed certificate is no new authority",
          server.messages() == f"muster: made a new certificate for the server: {server.state}/pki/server.crt\n", server.messages())
    server.stop()


def default_port():
    """PT-R1: 271, where nobody says otherwise. Nothing listens there on this machine, or something that is no server of ours."""
    Server("port").stop()
    state = os.path.join(WORK, "port")
    endpoint = os.path.join(WORK, "port-endpoint")
    os.makedirs(os.path.join(endpoint, "var/lib/dpkg"))
    open(os.path.join(endpoint, "var/lib/dpkg/status"), "w", encoding="utf-8").close()
    subprocess.run([SERVER, "pki", "issue", "port", "--state", state, "--out", endpoint], check=True, stdout=subprocess.DEVNULL)
    for host in ("127.0.0.1", "[::1]", "localhost"):
        result = subprocess.run([MUSTER, "assess", host, "--root", endpoint, "--state", endpoint + "-state", "--ca", state + "/pki/ca.crt",
                                 "--cert", endpoint + "/port.crt", "--key", endpoint + "/port.key", "--timeout", "5"],
                                capture_output=True, text=True, timeout=60)
        check(f"assess {host} goes to port 271", result.returncode == 5 and f"{host}:271" in result.stderr, result.stderr)


def all_addresses():
    server = Server("wide", "--listen", "0")
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as s:
                s.connect((address, server.port))
            check(f"without an address it listens on {address}, too", True)
        except OSError as e:
            check(f"without an address it listens on {address}, too", family == socket.AF_INET6 and not server.ready.count("[::]"), str(e))
    server.stop()


def names():
    """A certificate that lacks a name is renewed by the same authority; one that has them all is left alone."""
    def certificate(name, *options):
        server = Server(name, *options)
        ca = os.path.join(server.state, "pki/ca.crt")
        context = ssl.create_default_context(cafile=ca)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost") as s:
            found = s.getpeercert()
        server.stop()
        with open(ca, encoding="utf-8") as file:
            return found["serialNumber"], {value for _, value in found["subjectAltName"]}, file.read()
    plain = certificate("names")
    wanted = ("--name", "nac.example.org", "--name=192.0.2.7", "--name", "2001:db8::7")
    named = certificate("names", *wanted)
    has = {"nac.example.org", "192.0.2.7", "2001:DB8:0:0:0:0:0:7"}
    check("names that are asked for come into the certificate", not has & plain[1] and has | plain[1] == named[1], str(named[1]))
    check("by the same authority", plain[2] == named[2] and plain[0] != named[0])
    check("and stay", certificate("names", *wanted)[0] == named[0])


def tls_policy():
    server = Server("policy")
    endpoint = Endpoint(server, "client")

    def handshake(certificate=True, ciphers=None, **limits):
        """The protocol and the suite, or None; with what the server says first."""
        context = ssl.create_default_context(cafile=server.state + "/pki/ca.crt")
        if certificate:
            context.load_cert_chain(f"{endpoint.root}/client.crt", f"{endpoint.root}/client.key")
        if ciphers:
            context.set_ciphers(ciphers)
        for name, value in limits.items():
            setattr(context, name, value)
        try:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=5), server_hostname="localhost") as s:
                s.sendall(bytes.fromhex("00000000000000010000001400000000") + b"\0\1\1\1")  # PT-TLS: version request
                return s.version(), s.cipher()[0], s.recv(20)
        except (ssl.SSLError, ConnectionError):
            return None

    two = ssl.TLSVersion.TLSv1_2
    answer = bytes.fromhex("00000000000000020000001400000000") + b"\0\0\0\1"
    good = handshake()
    check("TLS 1.3 is spoken, and PT-TLS in it", good and good[0] == "TLSv1.3" and good[2] == answer, str(good))
    good = handshake(maximum_version=two)
    check("TLS 1.2 with AEAD, too", good and good[0] == "TLSv1.2" and good[2] == answer and ("GCM" in good[1] or "CHACHA" in good[1]), str(good))
    check("but not with CBC", handshake(maximum_version=two, ciphers="ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA") is None)
    check("nor without ephemeral keys", handshake(maximum_version=two, ciphers="AES128-GCM-SHA256") is None)
    shutil.copy(server.state + "/pki/server.crt", endpoint.root + "/client.crt")
    shutil.copy(server.state + "/pki/server.key", endpoint.root + "/client.key")
    refused = handshake()
    check("the server's own certificate is no endpoint's", refused is None or refused[2] == b"", str(refused))
    stranger = handshake(certificate=False)
    check("without a certificate the version is, and then a login is asked for (login.py)", stranger and stranger[2] == answer, str(stranger))
    server.stop()


def stalled_strangers():
    server = Server("stalled", "--max-strangers", str(2 * STALLED))
    endpoint = Endpoint(server, "honest")
    check("an honest endpoint is allowed", endpoint.assess()[0] == 0)
    alone = sorted(endpoint.assess()[1] for _ in range(7))[3]
    strangers = [stranger(server.port) for _ in range(STALLED)]
    began = time.monotonic()
    results = [endpoint.assess() for _ in range(7)]
    beside = sorted(r[1] for r in results)[3]
    print(f"     one assessment alone {alone:.0f} ms, beside {STALLED} stalled strangers {beside:.0f} ms")
    check("beside them it is allowed", all(r[0] == 0 for r in results))
    check("and hardly later", beside < 2 * alone + 50, f"{alone:.0f} and {beside:.0f} ms")
    time.sleep(max(0.0, began + 11.5 - time.monotonic()))
    check("the deadline closes them", all(is_closed(s) for s in strangers))
    check("and they do not fill the log", len(server.messages().splitlines()) < 200)
    for s in strangers:
        s.close()
    server.stop()


def one_address():
    """Strangers of one address displace each other, nobody else, and no honest endpoint from there."""
    server = Server("share", "--workers", "1", "--max-strangers", "10")
    endpoint = Endpoint(server, "neighbour")
    elsewhere = socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0))
    strangers = [stranger(server.port) for _ in range(100)]
    check("beside strangers of its own address an endpoint is served", endpoint.assess()[0] == 0)
    check("the oldest have gone", all(is_closed(s) for s in strangers[:-10]))
    check("the last have not", not is_closed(strangers[-1]))
    check("nor has anybody from elsewhere", not is_closed(elsewhere))
    for s in [*strangers, elsewhere]:
        s.close()
    server.stop()


def no_room():
    server = Server("crowded", "--max-strangers", "100000", files=400)
    endpoint = Endpoint(server, "late")
    strangers = [stranger(server.port) for _ in range(500)]
    check("when room runs out the newest is served", endpoint.assess()[0] == 0)
    check("the oldest have gone", is_closed(strangers[0]))
    check("the youngest are still there", not is_closed(strangers[-1]))
    for s in strangers:
        s.close()
    server.stop()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for part in (starting_and_stopping, what_cannot_be_served, what_makes_no_sense, files_that_cannot_be_used, how_it_speaks, default_port, all_addresses, names, tls_policy, stalled_strangers, one_address, no_room):
        part()
    shutil.rmtree(WORK, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
