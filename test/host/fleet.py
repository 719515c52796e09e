#!/usr/bin/env python3
"""The fleet commands against a running server: what they print, and with which exit status they say no. Called with the source and build folder."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import urllib.request
import ssl
import base64

BUILD = os.path.abspath(sys.argv[2])
MUSTER, SERVER, FLEET = (os.path.join(BUILD, name) for name in ("muster", "muster-server", "muster-fleet"))
WORK = tempfile.mkdtemp(prefix="muster-fleet-")
STATE = os.path.join(WORK, "server")
failures = 0


def check(what, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(program, *arguments, **more):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, cwd=WORK, **more)


def fails(what, status, word, *arguments):
    done = run(FLEET, *arguments)
    check(what, done.returncode == status and word in done.stderr and not done.stdout, f"{done.returncode} {done.stderr} {done.stdout}")
    check(f"{what}: one line", done.stderr.count("\n") == 1, done.stderr)


def api(url, password, path):
    context = ssl.create_default_context(cafile=os.path.join(STATE, "pki", "ca.crt"))
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    request = urllib.request.Request(url + path, headers={"Authorization": "Basic " + login})
    return json.load(urllib.request.urlopen(request, context=context, timeout=20))


def ask(url, password):
    """With an endpoint there: the commands print what the API says."""
    listed = run(FLEET, "endpoint", "list", "--json", "--state", STATE)
    check("list --json is the API's document", listed.returncode == 0 and json.loads(listed.stdout) == api(url, password, "/api/v1/endpoints"), listed.stdout)
    shown = run(FLEET, "endpoint", "show", "node-1", "--json", "--state", STATE)
    document = json.loads(shown.stdout)
    expected = api(url, password, "/api/v1/endpoints/node-1")
    expected["at"] = None
    expected["findings"] = []
    expected["software"] = api(url, password, "/api/v1/endpoints/node-1/software?limit=1000")["items"]
    check("show --json is the endpoint with its software", document == expected, shown.stdout[:500])
    check("its schema stands first", shown.stdout.startswith('{"schema":"muster.endpoint/1",'))
    check("by number it is the same", json.loads(run(FLEET, "endpoint", "show", str(document["id"]), "--json", "--state", STATE).stdout) == document)
    past = json.loads(run(FLEET, "endpoint", "show", "node-1", "--at", "2026-01-01T00:30:00Z", "--json", "--state", STATE).stdout)
    check("show --at tells the software of then", past["at"] == "2026-01-01T00:30:00Z" and len(past["software"]) == 1, past)
    table = run(FLEET, "endpoint", "list", "--state", STATE).stdout
    title, row = table.splitlines()[:2]
    check("its columns stand below their titles, whatever the texts are", columns_of(title)[:2] == columns_of(row)[:2], table)
    check("the table has titles and the endpoint", re.search(r"^ID +NAME .*\n\d+ +node-1 +Debian ", table) is not None, table)
    plain = run(FLEET, "endpoint", "list", "--plain", "--state", STATE).stdout
    check("--plain is tabs and no titles", re.fullmatch(r"\d+\tnode-1\tDebian\t[^\t]*\t2\t[^\t]*\tallowed\tcompliant\n", plain) is not None, repr(plain))
    fails("an unknown endpoint", 4, "no endpoint", "endpoint", "show", "node-2", "--state", STATE)
    fails("a name with a slash", 4, "no endpoint", "endpoint", "show", "../../admin.txt", "--state", STATE)
    fails("a time that is none", 2, "--at", "endpoint", "show", "node-1", "--at", "soon", "--state", STATE)


def references(url, password):
    """A tag becomes a reference, and its files are found."""
    folder, tag = os.path.join(WORK, "thing"), os.path.join(WORK, "thing.swidtag")
    os.makedirs(folder)
    for name, text in (("one", "1\n"), ("two", "2\n")):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    made = run(MUSTER, "tag", "--evidence", folder, "--name", "thing", "--version-string", "1")
    with open(tag, "w", encoding="utf-8") as file:
        file.write(made.stdout)
    done = run(MUSTER, "tag", "import", tag, "--state", STATE)
    check("a tag is imported", done.returncode == 0 and re.fullmatch(r"\S+-thing-1: reference with 2 files, from .*thing.swidtag\n", done.stdout) is not None, f"{done.returncode} {done.stderr} {done.stdout}")
    again = run(MUSTER, "tag", "import", "-", "--json", "--state", STATE, input=made.stdout)
    check("once more, as JSON", again.returncode == 0 and json.loads(again.stdout)["items"][0]["files"] == 2, f"{again.stderr} {again.stdout}")
    items = api(url, password, "/api/v1/tags")["items"]
    check("it is a reference", [i["kind"] for i in items if i["software_id"].endswith("-thing-1")] == ["reference"], items)
    one = os.path.join(folder, "one")
    found = run(FLEET, "file", one, "--plain", "--state", STATE)
    check("a file here is found there", found.returncode == 0 and re.fullmatch(r"reference\t[^\t]*/thing/one\tthing\t1\t\t\n", found.stdout) is not None, f"{found.returncode} {found.stderr} {found.stdout!r}")
    digest = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"
    document = json.loads(run(FLEET, "file", digest, "--json", "--state", STATE).stdout)
    check("a digest, too", [i["path"].rsplit("/", 1)[1] for i in document["items"]] == ["one"], document)
    check("people read it", "thing/one" in run(FLEET, "file", digest, "--state", STATE).stdout)
    fails("a file that no tag tells", 4, "no tag", "file", os.path.join(STATE, "server.json"), "--state", STATE)
    fails("a file that is not there", 4, "No such file", "file", "/nonexistent/x", "--state", STATE)
    two = run(MUSTER, "tag", "--evidence", folder, "--name", "other", "--version-string", "1").stdout
    done = run(MUSTER, "tag", "import", "-", "--plain", "--state", STATE, input=made.stdout + "<x/>\n" + two)
    check("several tags in one stream, and which is none", done.returncode == 2 and [line.rsplit("\t", 1)[1] for line in done.stdout.splitlines()] == ["-#1", "-#3"]
          and "-#2: not imported" in done.stderr, f"{done.returncode} {done.stderr} {done.stdout!r}")
    done = run(MUSTER, "tag", "import", "-", "--state", STATE, input="!<arch>\ndebian-binary")
    check("a package on standard input is refused, and it is said why", done.returncode == 2 and done.stderr.count("\n") == 1 and "by its name" in done.stderr, done.stderr)
    for what, status, content, word in (("garbage", 2, "!<arch>\n", "no package"), ("no tag", 2, "<x/>", "422"), ("nothing", 2, "", "400")):
        bad = os.path.join(WORK, "thing.deb")
        with open(bad, "w", encoding="utf-8") as file:
            file.write(content)
        done = run(MUSTER, "tag", "import", bad, "--state", STATE)
        check(f"{what} is refused", done.returncode == status and word in done.stderr and not done.stdout, f"{done.returncode} {done.stderr} {done.stdout}")


def bounds_of_an_endpoint():
    """Packages that came at some time before the logs begin, the times of whose files differ: on the server none of them is "not installed" before."""
    root = os.path.join(WORK, "old")
    make_root(root, ("one", "two", "three"), "2026-01-01 03:00:00 install three:amd64 <none> 1\n2026-01-01 03:00:00 status installed three:amd64 1\n")
    for name, hour in (("one", 1), ("two", 2)):
        path = os.path.join(root, f"var/lib/dpkg/info/{name}.list")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8"):
            pass
        os.utime(path, (1767225600 + hour * 3600,) * 2)
    assess("old-1", root)
    for at, expected in (("01:30", {"one": None, "two": None}), ("02:30", {"one": True, "two": True}), ("03:30", {"one": True, "two": True, "three": True})):
        done = run(FLEET, "endpoint", "show", "old-1", "--at", f"2026-01-01T{at}:00Z", "--json", "--state", STATE)
        document = json.loads(done.stdout)
        found = {i["software_id"].split("-")[-2]: i["installed"] for i in document["software"]}
        check(f"at {at}", found == expected and done.returncode == (3 if None in expected.values() else 0), f"{done.returncode} {done.stderr} {document}")
    done = run(FLEET, "endpoint", "show", "old-1", "--at", "2026-01-01", "--state", STATE)
    check("and a person is told how many", done.returncode == 3 and "nothing is known of old-1" in done.stderr, done.stderr)


def columns_of(line):
    """Where the columns of a line begin, as a terminal shows it: wide characters take two."""
    places, at, gap = [], 0, True
    for c in line:
        if c != " " and gap:
            places.append(at)
        gap = c == " "
        at += 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
    return places


def when_nothing_is_known():
    """A time before all history is unknown, not empty."""
    for form in ((), ("--json",), ("--plain",)):
        done = run(FLEET, "endpoint", "show", "node-1", "--at", "2019-01-01", *form, "--state", STATE)
        check(f"show --at before all history {' '.join(form)}: 3, and since when it is known",
              done.returncode == 3 and "2026-01-01T00:00:00Z" in done.stderr and done.stderr.count("\n") == 1, f"{done.returncode} {done.stderr}")
        if form == ("--json",):
            document = json.loads(done.stdout)
            check("nor does the document say that nothing was there", document["known_since"] == "2026-01-01T00:00:00Z"
                  and [(i["installed"], i["precision"]) for i in document["software"]] == [(None, "bound")], document)
        elif form == ("--plain",):
            check("--plain says it in the last column", "\tbound\tunknown\n" in done.stdout, done.stdout)
        else:
            check("people read it", "unknown: by 2026-01-01T00:00:00Z\n" in done.stdout, done.stdout)
    done = run(FLEET, "endpoint", "show", "node-1", "--at", "2026-01-01T00:00:00Z", "--state", STATE)
    check("at its first moment it is known", done.returncode == 0 and not done.stderr, done.stderr)
    check("what may have been there before is a bound", "by 2026-01-01T00:00:00Z" in done.stdout, done.stdout)
    shown = run(FLEET, "endpoint", "show", "node-1", "--state", STATE).stdout
    check("what came later is not", re.search(r" 2026-01-01T01:00:00Z\n", shown) and "by 2026-01-01T01" not in shown, shown)
    plain = run(FLEET, "endpoint", "show", "node-1", "--plain", "--state", STATE).stdout
    check("--plain tells it in a column", "\t2026-01-01T00:00:00Z\tbound\tyes\n" in plain and "\t2026-01-01T01:00:00Z\treported\tyes\n" in plain, plain)


def from_elsewhere(url):
    """As the help says it: with the token, by curl and by the client."""
    ca, token = os.path.join(STATE, "pki", "ca.crt"), os.path.join(STATE, "token.txt")
    done = run(FLEET, "endpoint", "list", "--plain", "--server", url, "--ca", ca, "--token-file", token)
    check("--server with --token-file", done.returncode == 0 and "node-1" in done.stdout, done.stderr)
    with open(token, encoding="utf-8") as file:
        done = run(FLEET, "endpoint", "list", "--plain", "--server", url, "--ca", ca, "--token-file", "-", input=file.read())
    check("the token on standard input", done.returncode == 0 and "node-1" in done.stdout, done.stderr)
    check("the token is its owner's", os.stat(token).st_mode & 0o777 == 0o600)
    text = run(MUSTER, "serve", "--help").stdout
    example = re.search(r"^  (printf .*)\n +(curl .*)", text, re.M)
    check("the help has an example", example is not None and "token.txt" in text and "admin.txt" in text, text)
    if example and shutil.which("curl"):
        script = " ".join(example.groups()).replace("https://127.0.0.1:8443", url).replace("STATE", STATE)
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=30)
        check("which works", done.returncode == 0 and '"muster.endpoints/1"' in done.stdout, script + done.stdout + done.stderr)
    check("account add says whose passwords they are", "token.txt" in run(MUSTER, "account", "add", "--help").stdout)


def helps():
    for noun, verbs in (("pki", ("issue",)), ("account", ("add", "list", "remove")), ("endpoint", ("list", "show", "reassess"))):
        for word in ("--help", "-h", "help"):
            done = run(MUSTER, noun, word)
            check(f"{noun} {word}", done.returncode == 0 and not done.stderr and all(f"  {noun} {verb}" in done.stdout for verb in verbs), done.stderr)
        done = run(MUSTER, noun)
        check(f"{noun} alone is wrong usage", done.returncode == 2 and not done.stdout, done.stdout)
    for words in (("serve",), ("endpoint", "list"), ("list",)):
        done = run(MUSTER, *words, "--version")
        check(f"{' '.join(words)} --version", (done.returncode, done.stdout) == (0, run(MUSTER, "--version").stdout), done.stdout)


def refuse(url):
    token = os.path.join(WORK, "token")
    with open(token, "w", encoding="utf-8") as file:
        file.write("not-a-token\n")
    ca = os.path.join(STATE, "pki", "ca.crt")
    fails("a token file that is not there", 2, "No such file", "endpoint", "list", "--server", url, "--token-file", token + "-none", "--ca", ca)
    fails("an authority file that is not there", 2, "none.crt", "endpoint", "list", "--server", url, "--token-file", token, "--ca", "none.crt")
    fails("no token", 2, "--token-file", "endpoint", "list", "--server", url)
    fails("no TLS", 2, "https://", "endpoint", "list", "--server", "http" + url[5:], "--token-file", token)
    fails("an authority that is not known", 5, "certificate", "endpoint", "list", "--server", url, "--token-file", token)
    fails("a token that is none", 5, "401", "endpoint", "list", "--server", url, "--token-file", token, "--ca", ca)
    fails("a state folder without a server", 5, "server.json", "endpoint", "list", "--state", WORK)
    fails("nobody listens", 5, "cannot ask", "endpoint", "list", "--server", "https://127.0.0.1:1", "--token-file", token, "--ca", ca)
    # The certificate's names are checked: the same server under a name that it has not.
    with open(os.path.join(STATE, "server.json"), encoding="utf-8") as file:
        known = file.read()
    other = os.path.join(WORK, "other")
    shutil.copytree(STATE, other)
    with open(os.path.join(other, "server.json"), "w", encoding="utf-8") as file:
        file.write(known.replace("https://127.0.0.1", "https://127.0.0.2"))
    fails("a wrong host name", 5, "127.0.0.2", "endpoint", "list", "--state", other)


def make_root(root, packages, log):
    files = {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "var/lib/dpkg/arch": "amd64\n",
        "var/lib/dpkg/status": "".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n" for name in packages),
        "var/log/dpkg.log": log,
    }
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def assess(name, root):
    check("a certificate is issued", run(MUSTER, "pki", "issue", name, "--state", STATE, "--out", WORK).returncode == 0)
    with open(os.path.join(STATE, "server.json"), encoding="utf-8") as file:
        listen = json.load(file)["listen"]
    done = run(MUSTER, "assess", "localhost:" + listen.split(":")[-1], "--root", root, "--state", os.path.join(WORK, name), "--ca",
               os.path.join(STATE, "pki", "ca.crt"), "--cert", name + ".crt", "--key", name + ".key", env={**os.environ, "TZ": "UTC"})
    check("an endpoint is assessed", done.returncode == 0, done.stdout + done.stderr)


def endpoint():
    """A root with two packages, one of them installed an hour after the other, assessed once."""
    root = os.path.join(WORK, "root")
    make_root(root, ("one", "two"), "".join(f"2026-01-01 0{hour}:00:00 install {name}:amd64 <none> 1\n2026-01-01 0{hour}:00:00 status installed {name}:amd64 1\n"
                                            for hour, name in enumerate(("one", "two"))))
    assess("node-1", root)


def main():
    if not all(os.path.exists(program) for program in (MUSTER, SERVER, FLEET)):
        print("muster, muster-server and muster-fleet are not all built")
        return 77
    server = subprocess.Popen([SERVER, "serve", "--state", STATE, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        ready = server.stdout.readline()
        check("the server is ready", ready.startswith("ready"), ready)
        with open(os.path.join(STATE, "server.json"), encoding="utf-8") as file:
            url = json.load(file)["http"]
        with open(os.path.join(STATE, "admin.txt"), encoding="utf-8") as file:
            password = re.search("password: (.*)", file.read()).group(1)
        empty = run(FLEET, "endpoint", "list", "--state", STATE)
        check("an empty fleet says what to do", empty.returncode == 0 and not empty.stdout and "muster assess" in empty.stderr, empty.stderr)
        check("an empty fleet is an empty list", json.loads(run(FLEET, "endpoint", "list", "--json", "--state", STATE).stdout)["items"] == [])
        endpoint()
        ask(url, password)
        references(url, password)
        when_nothing_is_known()
        bounds_of_an_endpoint()
        from_elsewhere(url)
        helps()
        refuse(url)
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
