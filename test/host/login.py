#!/usr/bin/env python3
"""Logins of endpoints without a certificate: accounts, muster assess --user, and strangers who speak PT-TLS octet by octet.

Called with the source folder and the build folder.
"""
import json
import os
import re
import shutil
import signal
import sqlite3
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

BUILD = os.path.abspath(sys.argv[2])
MUSTER, SERVER, FLEET = (os.path.join(BUILD, name) for name in ("muster", "muster-server", "muster-fleet"))
WORK = tempfile.mkdtemp(prefix="muster-login-")
STATE, ROOT = os.path.join(WORK, "server"), os.path.join(WORK, "root")
PASSWORD = "gr\u00fc\u00df, euch=2"
failures = 0

VERSION_REQUEST, VERSION_RESPONSE, MECHANISMS, SELECTION, DATA, RESULT, BATCH, ERROR = range(1, 9)


def check(what, holds, detail=""):
    global failures
    if not holds:
        failures += 1
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(program, *arguments, text=None):
    return subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=120, cwd=WORK)


def write(name, text, mode=0o600):
    path = os.path.join(WORK, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def account(*arguments, text=None):
    return run(SERVER, "account", *arguments, *(() if "--state" in arguments else ("--state", STATE)), text=text)


class Server:
    def __init__(self):
        self.log = open(os.path.join(WORK, "server.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([SERVER, "serve", "--state", STATE, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise SystemExit(f"the server is not ready: {line!r}")
        self.http = int(re.search(r"https://127\.0\.0\.1:(\d+)", line).group(1))
        self.port = int(re.search(r"PT-TLS on 127\.0\.0\.1:(\d+)", line).group(1))

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        return status


def assess(server, *identity, text=None):
    return run(MUSTER, "assess", f"localhost:{server.port}", "--ca", STATE + "/pki/ca.crt", "--root", ROOT, "--state", WORK + "/endpoint",
               *identity, text=text)


class Peer:
    """TLS of one version, PT-TLS by hand. Each comes from an address of its own unless one is given: who fails often waits, by address."""
    number = 1

    def __init__(self, server, version=None, address=None):
        Peer.number += 1
        context = ssl.create_default_context(cafile=STATE + "/pki/ca.crt")
        if version:
            context.minimum_version = context.maximum_version = version
        self.s = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 30, (address or f"127.0.1.{Peer.number}", 0)), server_hostname="localhost")
        self.sent = 0
        self.say(VERSION_REQUEST, bytes((0, 1, 1, 1)))
        self.hears_version = self.hear() == (VERSION_RESPONSE, bytes((0, 0, 0, 1)))

    def say(self, kind, value):
        self.s.sendall(struct.pack(">IIII", 0, kind, 16 + len(value), self.sent) + value)
        self.sent += 1

    def exactly(self, n):
        octets = b""
        while len(octets) < n:
            more = self.s.recv(n - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def hear(self):
        """(type, value), or None at the end."""
        try:
            _, kind, length, _ = struct.unpack(">IIII", self.exactly(16))
            return kind, self.exactly(length - 16)
        except (EOFError, OSError):
            return None

    def select(self, mechanism, response):
        self.say(SELECTION, bytes((len(mechanism),)) + mechanism + response)
        return self.hear()

    def plain(self, name, password):
        return self.select(b"PLAIN", b"\0" + name.encode() + b"\0" + password.encode())


# ---- the tests -------------------------------------------------------------------------------------------------------------------


def without_accounts(server):
    check("account list of nothing", account("list").stdout == "")
    result = assess(server, "--user", "carol", "--password-file", write("password", PASSWORD + "\n"))
    check("without accounts nobody gets in", result.returncode == 5 and "refused our login" in result.stderr and PASSWORD not in result.stderr, result.stderr)


def administering():
    result = account("add", "carol", "--password-file", "-", text=PASSWORD + "\n")
    check("account add", (result.returncode, result.stdout) == (0, "carol: added\n"), result.stderr)
    result = account("add", "carol", "--password-file", "-", "--json", text=PASSWORD)
    check("again: replaced", result.returncode == 0 and json.loads(result.stdout)["change"] == "replaced", result.stdout)
    account("add", "dave", "--password-file", "-", text="x")
    listed = json.loads(account("list", "--json").stdout)
    check("account list", listed["schema"] == "muster.accounts/1" and [i["name"] for i in listed["items"]] == ["carol", "dave"], str(listed))
    result = account("remove", "dave")
    check("account remove", (result.returncode, result.stdout, account("list").stdout) == (0, "dave: removed\n", "carol\n"))
    check("of nobody: 4", account("remove", "dave").returncode == 4)
    mode = os.stat(STATE + "/endpoints.passwd").st_mode & 0o777
    check("the file is its owner's, and does not hold the password", mode == 0o600 and PASSWORD not in open(STATE + "/endpoints.passwd", encoding="utf-8").read())
    for what, arguments, text in (("no password", ("add", "x"), None), ("an empty one", ("add", "x", "--password-file", "-"), ""),
                                  ("two lines", ("add", "x", "--password-file", "-"), "a\nb\n"), ("256 octets", ("add", "x", "--password-file", "-"), "x" * 256),
                                  ("a private character", ("add", "x", "--password-file", "-"), "a\ue000"),
                                  ("a control character", ("add", "x", "--password-file", "-"), "a\tb"),
                                  ("a name with a colon", ("add", "x:y", "--password-file", "-"), "x"),
                                  ("a name with a blank", ("add", "x y", "--password-file", "-"), "x"),
                                  ("a state that cannot be written", ("add", "x", "--password-file", "-", "--state", "/proc/none"), "x"),
                                  ("a state that is no folder", ("remove", "x", "--state", "/dev/null"), None),
                                  ("no such file", ("add", "x", "--password-file", WORK + "/none"), None),
                                  ("too few iterations", ("add", "x", "--password-file", "-", "--iterations", "100"), "x")):
        result = account(*arguments, text=text)
        check(f"{what}: exit 2, one line", result.returncode == 2 and result.stderr.count("\n") == 1, f"{result.returncode} {result.stderr}")


def logging_in(server):
    password, wrong = write("password", PASSWORD + "\n"), write("wrong", "euch\n")
    result = assess(server, "--user", "carol", "--password-file", password)
    check("carol is allowed, with an account that came while the server ran", result.returncode == 0 and "access: allowed" in result.stdout, result.stderr)
    result = assess(server, "--user", "carol", "--password-file", "-", text=PASSWORD)
    check("also from standard input", result.returncode == 0, result.stderr)
    result = assess(server, "--user", "carol", "--password-file", "-", text=unicodedata.normalize("NFD", PASSWORD))
    check("and from a keyboard that composes no letters", result.returncode == 0, result.stderr)
    check("and is asked for no event that it has told before", "sent:        0 events" in result.stdout, result.stdout)
    for name, file in (("carol", wrong), ("erin", password)):
        result = assess(server, "--user", name, "--password-file", file)
        check(f"{name} with {os.path.basename(file)}: exit 5, one line", result.returncode == 5 and "refused our login" in result.stderr.splitlines()[-1] and
              result.stdout == "", result.stderr)
    check("which is logged, without the password", 'login of "erin" failed' in server.messages() and PASSWORD not in server.messages())
    run(SERVER, "pki", "issue", "carol", "--state", STATE, "--out", WORK)
    keys = ("--cert", WORK + "/carol.crt", "--key", WORK + "/carol.key")
    check("carol by certificate", assess(server, *keys).returncode == 0)
    check("carol by both", assess(server, *keys, "--user", "carol", "--password-file", wrong).returncode == 0)
    items = json.loads(run(FLEET, "endpoint", "list", "--json", "--state", STATE).stdout)["items"]
    check("is one endpoint", [i["name"] for i in items] == ["carol"], str(items))
    os.chmod(password, 0o644)
    result = assess(server, "--user", "carol", "--password-file", password)
    check("a file that others can read is warned of", result.returncode == 0 and "others can read" in result.stderr, result.stderr)
    for arguments, word in (((), "--cert"), (("--user", "carol"), "--password-file"), (("--password-file", password), "--user"), (keys[:2], "--key")):
        result = assess(server, *arguments)
        check(f"{' '.join(a for a in arguments if a.startswith('--')) or 'nothing'}: exit 2, {word} is missed", result.returncode == 2 and word in result.stderr, result.stderr)


def by_hand(server):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        peer = Peer(server, version)
        check(f"{peer.s.version()}: SCRAM is offered before PLAIN", peer.hears_version and peer.hear() == (MECHANISMS, b"\x0dSCRAM-SHA-256\x05PLAIN"))
        check(f"{peer.s.version()}: PLAIN is let in", peer.plain("carol", PASSWORD) == (RESULT, b"\0\0") and peer.hear() == (MECHANISMS, b""))
        peer = Peer(server, version)
        peer.hear()
        check(f"{peer.s.version()}: with decomposed letters, too", peer.plain("carol", unicodedata.normalize("NFD", PASSWORD)) == (RESULT, b"\0\0"))
        peer = Peer(server, version)
        peer.hear()
        check(f"{peer.s.version()}: a wrong password is the end at once", peer.plain("carol", "x") == (RESULT, b"\0\2") and peer.hear() is None)
    peer = Peer(server)
    peer.hear()
    peer.say(BATCH, bytes.fromhex("0200000100000008"))
    kind, value = peer.hear()
    check("a batch instead of a login: error 4", kind == ERROR and value[4:8] == b"\0\0\0\4" and peer.hear() is None)
    peer = Peer(server)
    peer.hear()
    salts, results = set(), []
    for _ in range(3):
        kind, value = peer.select(b"SCRAM-SHA-256", b"n,,n=nobody,r=abc")
        salts.add(re.search(rb",s=([^,]*),i=4096$", value).group(1))
        peer.say(DATA, b"c=biws,r=abc,p=AAAA")
        results.append(peer.hear())
    check("three failures and no more", results == [(RESULT, b"\0\1")] * 2 + [(RESULT, b"\0\2")] and peer.hear() is None, str(results))
    check("a name without account has one salt", len(salts) == 1)


def waiting(server):
    """Behind all others: the address from which muster connects is the one that fails often."""
    def timed(action):
        before = time.monotonic()
        value = action()
        return value, time.monotonic() - before
    peers = [Peer(server, address="127.0.0.1") for _ in range(12)]
    for peer in peers:
        peer.hear()
        peer.say(SELECTION, b"\5PLAIN\0carol\0wrong")
    keys = ("--cert", WORK + "/carol.crt", "--key", WORK + "/carol.key")
    result, seconds = timed(lambda: assess(server, *keys))
    check("who has a certificate does not wait", result.returncode == 0 and seconds < 5, f"{seconds:.1f} s")
    peer = Peer(server, address="127.0.0.1")
    peer.hear()
    answer, seconds = timed(lambda: peer.plain("carol", PASSWORD))
    check("who tries often waits, and gets in", answer == (RESULT, b"\0\0") and 3 < seconds < 12, f"{answer} in {seconds:.1f} s")
    check("the others are answered, too", all(p.hear() == (RESULT, b"\0\2") for p in peers))
    goner = Peer(server, address="127.0.0.1")
    goner.hear()
    goner.say(SELECTION, b"\5PLAIN\0carol\0wrong")
    goner.s.close()


def damaged(server):
    path = STATE + "/endpoints.passwd"
    with open(path, encoding="utf-8") as file:
        before = file.read()
    write("server/endpoints.passwd", before + "erin:password\n")
    password = write("password", PASSWORD + "\n")
    result = assess(server, "--user", "carol", "--password-file", password)
    check("a damaged file lets nobody in", result.returncode == 5 and "could not verify" in result.stderr, result.stderr)
    check("and is complained of by line", "line 3 " in server.messages())
    result = account("add", "x", "--password-file", "-", text="x")
    check("nor is it changed", result.returncode == 70 and "line 3 " in result.stderr, result.stderr)
    write("server/endpoints.passwd", before)
    check("mended, it works again", assess(server, "--user", "carol", "--password-file", password).returncode == 0)
    account("remove", "carol")
    check("who is removed is out", assess(server, "--user", "carol", "--password-file", password).returncode == 5)
    for line in account("list").stdout.split():
        account("remove", line)
    result = assess(server, "--user", "carol", "--password-file", password)
    check("and so is everybody behind the last account", result.returncode == 5 and "refused our login" in result.stderr, result.stderr)
    write("server/endpoints.passwd", before)


def too_late(server):
    """What this machine has to read counts, too: a file that nobody reads in time."""
    package = re.search(r"^Package: (.+)$", open(ROOT + "/var/lib/dpkg/status", encoding="utf-8").read(), re.M).group(1)
    os.makedirs(ROOT + "/var/lib/dpkg/info")
    with open(f"{ROOT}/var/lib/dpkg/info/{package}.list", "w", encoding="utf-8") as file:
        file.write("/.\n/image\n")
    with open(ROOT + "/image", "w", encoding="utf-8") as file:
        file.truncate(400 << 30)
    begin = time.monotonic()
    result = assess(server, "--cert", WORK + "/late.crt", "--key", WORK + "/late.key", "--tags", "full", "--timeout", "2")
    seconds = time.monotonic() - begin
    check("reading files ends with the timeout", result.returncode == 5 and "within 2 s" in result.stderr.splitlines()[-1] and "--timeout" in result.stderr, result.stderr)
    check("soon", 2 <= seconds < 20, f"{seconds:.1f} s")
    os.unlink(ROOT + "/image")
    shutil.rmtree(ROOT + "/var/lib/dpkg/info")


def what_is_said(server):
    """Each thing once, and no more than is known."""
    keys = ("--cert", WORK + "/said.crt", "--key", WORK + "/said.key")
    for name in ("said", "late"):
        run(MUSTER, "pki", "issue", name, "--state", STATE, "--out", WORK)
    too_late(server)
    before = server.messages().count("assessment result")
    result = assess(server, *keys, "--tags", "full")
    check("a first assessment tells of its tags", result.returncode == 0 and re.search(r"^tags: +\d+ ", result.stdout, re.M), result.stdout)
    time.sleep(1)
    check("its result is logged once", server.messages().count("assessment result") == before + 1, server.messages())
    result = assess(server, *keys, "--tags", "full")
    check("a server that knows them asks for none, and that is said", result.returncode == 0 and re.search(r"^tags: +0 sent: the server asked for none", result.stdout, re.M), result.stdout)
    result = assess(server, "--user", "carol", "--password-file", WORK + "/password", "--capture", WORK + "/octets")
    decoded = json.loads(run(MUSTER, "decode", "--json", WORK + "/octets").stdout)
    names = json.dumps(decoded)
    check("what was said within TLS can be kept, and explained", result.returncode == 0 and not decoded["faults"] and len(decoded["messages"]) > 6 and
          "SASL" in names and "RESULT" in names, f"{result.stderr} {names[:600]}")
    check("it is its owner's", os.stat(WORK + "/octets").st_mode & 0o077 == 0, oct(os.stat(WORK + "/octets").st_mode))
    result = run(MUSTER, "assess", f"localhost:{server.http}", "--ca", STATE + "/pki/ca.crt", "--root", ROOT, "--state", WORK + "/endpoint", *keys)
    check("the port of the API is named", result.returncode == 5 and "HTTP" in result.stderr, result.stderr)
    database = sqlite3.connect(STATE + "/server.db", timeout=30)
    database.execute("ALTER TABLE change RENAME TO gone")
    database.commit()
    with open(ROOT + "/var/lib/dpkg/status", "a", encoding="utf-8") as status:
        status.write("Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
    result = assess(server, *keys)
    check("what could not be stored was not sent", result.returncode == 1 and "sent:" not in result.stdout and re.search(r"^not taken: +[1-9]", result.stdout, re.M), result.stdout)
    check("and the reason stands once", result.stdout.count("could not store") == 1, result.stdout)
    document = json.loads(assess(server, *keys, "--json").stdout)
    check("in the document, too", document["events_sent"] == 0 and document["not_taken"] > 0, document)
    database.execute("ALTER TABLE gone RENAME TO change")
    database.commit()
    database.close()
    result = assess(server, *keys)
    check("afterwards it is sent", result.returncode == 0 and re.search(r"^sent: +[1-9]", result.stdout, re.M), result.stdout)


def an_agent_that_is_refused(server):
    """It says so once, with a time, and does not knock again and again."""
    with open(WORK + "/agent.log", "w+", encoding="utf-8") as log:
        agent = subprocess.Popen([MUSTER, "agent", f"localhost:{server.port}", "--root", ROOT, "--state", WORK + "/agent-state", "--ca", STATE + "/pki/ca.crt",
                                  "--user", "carol", "--password-file", write("wrong", "euch\n")], stderr=log, stdout=subprocess.DEVNULL)
        for _ in range(300):
            log.seek(0)
            if "refused our login" in log.read():
                break
            time.sleep(0.1)
        failed = server.messages().count('login of "carol" failed')
        time.sleep(5)
        log.seek(0)
        lines = log.read().splitlines()
        agent.terminate()
        check("an agent whose password is wrong ends cleanly", agent.wait(timeout=20) == 0)
    check("says so once", sum("refused our login" in line for line in lines) == 1 and "every few minutes" in lines[-1], lines)
    check("with a time", re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ muster: ", lines[-1]) is not None, lines)
    check("and waits", server.messages().count('login of "carol" failed') == failed)


def main():
    for folder in ("etc", "var/lib/dpkg", "var/log/apt"):
        os.makedirs(os.path.join(ROOT, folder))
    write("root/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    write("root/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
    server = Server()
    without_accounts(server)
    administering()
    logging_in(server)
    damaged(server)
    by_hand(server)
    an_agent_that_is_refused(server)
    what_is_said(server)
    waiting(server)
    check("SIGTERM ends it with 0", server.stop() == 0)
    shutil.rmtree(WORK, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
