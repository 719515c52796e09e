#!/usr/bin/env python3
"""The API's description against the API: every route of the table is in it, every member that it describes comes in a real answer, and no other does. Called
with the source and build folder. Where openapi_spec_validator or jsonschema are installed they judge it, too."""
import base64
import contextlib
import json
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SOURCE, BUILD = (os.path.abspath(a) for a in sys.argv[1:3])
MUSTER, SERVER, PACKAGE = (os.path.join(BUILD, name) for name in ("muster", "muster-server", "muster-package"))
WORK = tempfile.mkdtemp(prefix="muster-openapi-")
STATE, ROOT = os.path.join(WORK, "server"), os.path.join(WORK, "root")
failures = 0
described, seen = set(), set()


def check(what, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(program, *arguments, **more):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, cwd=WORK, env={**os.environ, "TZ": "UTC"}, **more)


class Api:
    def __init__(self):
        with open(STATE + "/server.json", encoding="utf-8") as file:
            known = json.load(file)
        self.url, self.port = known["http"], known["listen"].rsplit(":", 1)[1]
        self.context = ssl.create_default_context(cafile=STATE + "/pki/ca.crt")
        with open(STATE + "/admin.txt", encoding="utf-8") as file:
            password = re.search("password: (.*)", file.read()).group(1)
        self.login = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()

    def ask(self, method, path, body=None, media=None):
        request = urllib.request.Request(self.url + path, method=method, data=body, headers={"Authorization": self.login, **({"Content-Type": media} if media else {})})
        try:
            answer = urllib.request.urlopen(request, context=self.context, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, answer.headers["Content-Type"], answer.read()


def names(schema, place):
    """Every member that a schema describes."""
    for name, member in schema.get("properties", {}).items():
        described.add(f"{place}.{name}")
        names(member, f"{place}.{name}")
    if "items" in schema:
        names(schema["items"], place + "[]")


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


def fits(schema, value, place):
    """What is wrong with a value; its members are noted."""
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(type(value) is TYPES[t] for t in wanted):
        return [f"{place}: {value!r} is no {wanted}"]
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r}"]
    if isinstance(value, str) and ("pattern" in schema and not re.search(schema["pattern"], value) or
                                   schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)):
        return [f"{place}: {value!r}"]
    wrong = []
    if isinstance(value, dict):
        if set(value) != set(schema["properties"]) or schema["required"] != list(schema["properties"]):
            wrong.append(f"{place}: has {sorted(value)}, described are {sorted(schema['properties'])}")
        for name in set(value) & set(schema["properties"]):
            seen.add(f"{place}.{name}")
            wrong += fits(schema["properties"][name], value[name], f"{place}.{name}")
    for item in value if isinstance(value, list) else ():
        wrong += fits(schema["items"], item, place + "[]")
    return wrong


def a_fleet(api):
    """An endpoint that has of everything: history, tags of both kinds, a file that is not as its reference says, a session."""
    for name in ("one", "two"):
        for path, text in ((f"usr/share/{name}/file", "as it was\n"), (f"var/lib/dpkg/info/{name}.list", f"/.\n/usr\n/usr/share\n/usr/share/{name}\n/usr/share/{name}/file\n")):
            os.makedirs(os.path.dirname(os.path.join(ROOT, path)), exist_ok=True)
            with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
                file.write(text)
    os.makedirs(ROOT + "/etc")
    with open(ROOT + "/etc/os-release", "w", encoding="utf-8") as file:
        file.write('ID=debian\nVERSION_ID="12"\n')
    with open(ROOT + "/var/lib/dpkg/status", "w", encoding="utf-8") as file:
        file.write("".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n" for name in ("one", "two")))
    tag = run(MUSTER, "tag", "one", "--full", "--root", ROOT, "--state", WORK + "/maker")
    with open(ROOT + "/usr/share/one/file", "w", encoding="utf-8") as file:
        file.write("as it is\n")
    run(MUSTER, "pki", "issue", "node", "--state", STATE, "--out", WORK)
    keys = ("--ca", STATE + "/pki/ca.crt", "--cert", "node.crt", "--key", "node.key", "--root", ROOT, "--state", WORK + "/node", "--tags", "full")
    status, _, body = api.ask("POST", "/api/v1/tags", tag.stdout.encode(), "application/swid+xml")
    check("a tag is taken", status == 200, tag.stderr + body.decode())
    for _ in range(3):
        done = run(MUSTER, "assess", "localhost:" + api.port, *keys)
    check("an endpoint is assessed", done.returncode == 0, done.stdout + done.stderr)
    with contextlib.closing(sqlite3.connect(STATE + "/server.db", timeout=30)) as store, store:  # as if its events had once been lost
        store.execute("INSERT INTO rupture(endpoint, change, until, since, learnt, whole) SELECT id, 0, 1000, 2000, 2000, 0 FROM endpoint")
    agent = subprocess.Popen([MUSTER, "agent", "localhost:" + api.port, *keys], cwd=WORK, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if json.loads(api.ask("GET", "/api/v1/endpoints/node")[2])["connected"]:
            break
        time.sleep(0.1)
    return tag.stdout.encode(), agent


def example(path, operation):
    """A path with values for what it wants."""
    path = path.replace("{id}", "node" if "/endpoints/" in path else "1")
    known = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
    return path + ("?path=/usr/share/one/file" if "path" in known else "")


def answers(api, document, tag):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            upload = "requestBody" in operation
            status, media, body = api.ask(method.upper(), example(path, operation), tag if upload else None,
                                          "application/swid+xml" if upload else "application/json" if method != "get" else None)
            said = operation["responses"].get(str(status))
            check(f"{method} {path}: its status is described", said is not None and status < 300, f"{status} {body[:300]}")
            check(f"{method} {path}: so is its media type", said is not None and media in said["content"], media)
            schema = said["content"].get(media, {}).get("schema") if said else None
            if schema:
                place = f"{method} {path} "
                names(schema, place)
                wrong = fits(schema, json.loads(body), place)
                check(f"{method} {path}: its members are those that are described", not wrong, wrong[:3])
                judge(schema, json.loads(body), path)
    for method, path, wanted in (("GET", "/api/v1/endpoints/none", 404), ("GET", "/api/v1/endpoints?limit=0", 400)):
        status, media, body = api.ask(method, path)
        wrong = fits(document["components"]["schemas"]["problem"], json.loads(body), "problem")
        check(f"{wanted}: a problem as it is described", status == wanted and media == "application/problem+json" and not wrong, wrong)
    check("every member that is described came", not described - seen, sorted(described - seen))


def judge(schema, value, path):
    try:
        import jsonschema
    except ImportError:
        return
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    check(f"{path}: jsonschema agrees", not errors, errors[:2])


def table(document):
    """The routes as they stand in the source, which knows nothing of this test."""
    with open(SOURCE + "/src/server/routes.c", encoding="utf-8") as file:
        rows = re.findall(r'^    \{"([A-Z]+)", "(/[^"]*)"', file.read(), re.M)
    found = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    check("every route of the table is described, and no other", len(rows) > 10 and set(rows) == found, set(rows) ^ found)
    ids = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    check("each has a name of its own", len(ids) == len(set(ids)), ids)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            arguments = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            if arguments != re.findall(r"\{(\w+)\}", path) or not operation["summary"] or any(not p["description"] for p in operation["parameters"]):
                check(f"{path}: parameters and what it is about", False, operation)


def main():
    if not all(os.path.exists(program) for program in (MUSTER, SERVER, PACKAGE)):
        print("muster, muster-server and muster-package are not all built")
        return 77
    server = subprocess.Popen([SERVER, "serve", "--state", STATE, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--verify", "8"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    agent = None
    try:
        check("the server is ready", server.stdout.readline().startswith("ready"))
        api = Api()
        status, media, body = api.ask("GET", "/api/v1/openapi.json")
        document = json.loads(body)
        check("it is served", (status, media) == (200, "application/json"))
        printed = run(SERVER, "serve", "--openapi")
        check("and printed, the same, without a server", printed.returncode == 0 and json.loads(printed.stdout) == document and printed.stdout.endswith("}\n"), printed.stderr)
        try:
            import openapi_spec_validator
            openapi_spec_validator.validate(document)
            check("openapi_spec_validator finds nothing", True)
        except ImportError:
            print("skip openapi_spec_validator: it is not installed")
        table(document)
        tag, agent = a_fleet(api)
        answers(api, document, tag)
    finally:
        for process in (agent, server):
            if process:
                process.terminate()
                process.wait(20)
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
