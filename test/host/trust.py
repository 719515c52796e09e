#!/usr/bin/env python3
"""Tags that software brought itself, signed: what a server makes of them by whom it trusts. Called with the source and build folder."""
import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request

BUILD = os.path.abspath(sys.argv[2])
MUSTER, SERVER = BUILD + "/muster", BUILD + "/muster-server"
WORK = tempfile.mkdtemp(prefix="muster-trust-")
failures = 0


def check(what, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def run(*words):
    return subprocess.run(words, capture_output=True, timeout=120, cwd=WORK)


def openssl(*words):
    done = run("openssl", *words)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())


def make_signer(name):
    """An authority NAME-ca.pem, and a key that it vouches for."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + "-ca.key", "-subj", f"/CN={name} CA", "-days", "30", "-out", name + "-ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-subj", f"/O=Muster/CN={name}", "-out", name + ".csr")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", name + "-ca.pem", "-CAkey", name + "-ca.key", "-days", "30", "-out", name + ".pem")
    openssl("pkcs12", "-export", "-inkey", name + ".key", "-in", name + ".pem", "-passout", "pass:secret", "-out", name + ".p12")


def make_tag(name, form, signer, change=None):
    folder = f"{WORK}/thing-{name}"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/file", "w", encoding="utf-8") as file:
        file.write(name)
    sign = ("--sign", signer + ".p12", "--password-file", "password") if signer else ()
    done = run(MUSTER, "tag", "--evidence", folder, "--name", name, "--version-string", "1", "--format", form, *sign)
    check(f"a tag of {name} is made", done.returncode == 0, done.stderr)
    octets = done.stdout
    if change:
        check(f"{name} can be changed", change[0] in octets)
        octets = octets.replace(*change)
    place = f"{WORK}/root/usr/share/swidtag/{name}.{'swidtag' if form == 'swid' else 'coswid'}"
    with open(place, "wb") as file:
        file.write(octets)


class Server:
    def __init__(self, *options):
        self.state = tempfile.mkdtemp(prefix="server-", dir=WORK)
        self.log = open(self.state + ".log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([SERVER, "serve", "--state", self.state, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options], cwd=WORK,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        check("the server is ready", self.process.stdout.readline().startswith("ready"))
        with open(self.state + "/server.json", encoding="utf-8") as file:
            self.known = json.load(file)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.seek(0)
        return self.log.read()

    def ask(self, path, body=None):
        context = ssl.create_default_context(cafile=self.state + "/pki/ca.crt")
        with open(self.state + "/admin.txt", encoding="utf-8") as file:
            password = re.search("password: (.*)", file.read()).group(1)
        login = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        request = urllib.request.Request(self.known["http"] + path, data=body, headers={"Authorization": login, "Content-Type": "application/swid+xml"})
        return json.load(urllib.request.urlopen(request, context=context, timeout=30))

    def assess(self, form="swid", name="node", root="root", times=2):
        run(MUSTER, "pki", "issue", name, "--state", self.state, "--out", self.state)
        for _ in range(times):
            done = run(MUSTER, "assess", "localhost:" + self.known["listen"].rsplit(":", 1)[1], "--ca", self.state + "/pki/ca.crt", "--cert", f"{self.state}/{name}.crt",
                       "--key", f"{self.state}/{name}.key", "--root", root, "--state", f"{self.state}.{name}", "--tag-format", form)
        check("an endpoint is assessed", done.returncode == 0, done.stdout + done.stderr)

    def name_of(self, endpoint, thing):
        items = self.ask(f"/api/v1/endpoints/{endpoint}/software")["items"]
        return [i["package"] for i in items if i["software_id"].endswith(f"-{thing}-1")][0]

    def origins(self):
        return {re.search(r"-?(\w+)-1$", i["software_id"]).group(1): (i["kind"], i["who"]) for i in self.ask("/api/v1/tags")["items"] if "thing" in i["software_id"]}


def main():
    if not all(os.path.exists(program) for program in (MUSTER, SERVER, BUILD + "/muster-xmlsig")) or not shutil.which("openssl"):
        print("muster, muster-server, muster-xmlsig and openssl are not all there")
        return 77
    for folder in ("etc", "var/lib/dpkg", "usr/share/swidtag"):
        os.makedirs(f"{WORK}/root/{folder}")
    with open(WORK + "/root/etc/os-release", "w", encoding="utf-8") as file:
        file.write('ID=debian\nVERSION_ID="12"\n')
    with open(WORK + "/root/var/lib/dpkg/status", "w", encoding="utf-8") as file:
        file.write("Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
    with open(WORK + "/password", "w", encoding="utf-8") as file:
        file.write("secret\n")
    os.chmod(WORK + "/password", 0o600)
    try:
        for name in ("vendor", "stranger"):
            make_signer(name)
        make_tag("thingxml", "swid", "vendor")
        make_tag("thingcbor", "coswid", "vendor")
        make_tag("thingplain", "swid", None)
        make_tag("thingstranger", "swid", "stranger")
        make_tag("thingbroken", "swid", "vendor", (b'name="file"', b'name="life"'))
        # A tag that goes in the other format than its own is laid out anew, and its signature stays behind.
        for form, signed in (("swid", "thingxml"), ("coswid", "thingcbor")):
            server = Server("--trust-tags", "vendor-ca.pem")
            server.assess(form)
            origins = server.origins()
            for name in ("thingxml", "thingcbor", "thingplain", "thingstranger", "thingbroken"):
                want = ("reference", "CN=vendor,O=Muster") if name == signed else ("reported", "node")
                check(f"{form}, {name}: {want[0]} by {want[1]}", origins.get(name) == want, origins)
            log = server.stop()
            check("the log says who signed what", log.count("signed by CN=vendor,O=Muster") == 1 and ("changed after it was signed" in log) == (form == "swid"), log)
        # The file of certificates is read anew when it changes: nobody is trusted while it holds none.
        trusted = WORK + "/trusted.pem"
        shutil.copy(WORK + "/stranger-ca.pem", trusted)
        server = Server("--trust-tags", trusted)
        with open(trusted, "w", encoding="utf-8") as file:
            file.write("nothing")
        server.assess("coswid")
        check("damaged: nobody", "reference" not in {kind for kind, _ in server.origins().values()}, server.origins())
        shutil.copy(WORK + "/vendor-ca.pem", trusted)
        make_tag("thinglater", "coswid", "vendor")
        server.assess("coswid")
        check("mended: the vendor", server.origins().get("thinglater") == ("reference", "CN=vendor,O=Muster"), server.origins())
        check("it was said once", server.stop().count("nobody is trusted with tags") == 1)
        server = Server()
        server.assess()
        check("without --trust-tags all are reports", set(server.origins().values()) == {("reported", "node")}, server.origins())
        server.stop()
        # Who comes first and lies names nothing for others, nor does who lies later.
        shutil.copytree(WORK + "/root", WORK + "/liar")
        with open(WORK + "/liar/usr/share/swidtag/thingplain.swidtag", "rb+") as file:
            octets = file.read()
            check("a tag has a name to lie about", octets.count(b' name="thingplain"') == 1, octets)
            file.seek(0)
            file.write(octets.replace(b' name="thingplain"', b' name="innocence0"'))
        server = Server()
        server.assess(name="liar", root="liar")
        server.assess(name="node")
        check("a liar is the first to tell", server.origins()["thingplain"][1] == "liar" and server.name_of("liar", "thingplain") == "innocence0", server.origins())
        check("and names nothing for others", server.name_of("node", "thingplain") == "thingplain", server.name_of("node", "thingplain"))
        server.assess(name="third")
        server.assess(name="fourth", times=1)
        check("two against the liar", server.name_of("fourth", "thingplain") == "thingplain" and server.origins()["thingplain"][1] == "third", server.origins())
        check("whose page stays its own", server.name_of("liar", "thingplain") == "innocence0")
        server.stop()
        done = run(SERVER, "serve", "--state", WORK + "/none", "--trust-tags", "password")
        check("a file without certificates: 2", done.returncode == 2 and b"password" in done.stderr and done.stderr.count(b"\n") == 1, done.stderr)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
