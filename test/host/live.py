"""A live endpoint, its agent and its server, for test/host/agent.py and bench/push.py."""
import base64
import http.client
import json
import os
import random
import re
import signal
import ssl
import subprocess
import time


class Endpoint:
    """A root whose packages change the way dpkg changes them: lines in the log, status-new, rename."""

    def __init__(self, work, name, packages):
        self.work, self.name = work, name
        self.root, self.state = os.path.join(work, name, "root"), os.path.join(work, name, "state")
        self.packages, self.serial = dict(packages), 0
        for folder in ("etc", "var/lib/dpkg/updates", "var/log/apt"):
            os.makedirs(os.path.join(self.root, folder))
        self.write("etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        self.write("etc/machine-id", f"{sum(name.encode()):032x}\n")
        self.write("var/lib/dpkg/arch", "amd64\n")
        self.write("var/log/apt/history.log", "")
        self.log("".join(self.line(f"install {p}:amd64 <none> {v}") + self.line(f"status installed {p}:amd64 {v}") for p, v in self.packages.items()))
        self.commit()

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def line(text):
        return time.strftime("%Y-%m-%d %H:%M:%S ", time.gmtime()) + text + "\n"

    def log(self, text):
        with open(self.path("var/log/dpkg.log"), "a", encoding="utf-8") as file:
            file.write(text)

    def rotate(self):
        """As logrotate does: rename, then an empty one."""
        log = self.path("var/log/dpkg.log")
        for n in range(8, 0, -1):
            if os.path.exists(f"{log}.{n}"):
                os.rename(f"{log}.{n}", f"{log}.{n + 1}")
        os.rename(log, log + ".1")
        self.log("")

    def commit(self):
        text = "".join(f"Package: {p}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {v}\n\n" for p, v in sorted(self.packages.items()))
        with open(self.path("var/lib/dpkg/status-new"), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path("var/lib/dpkg/status-new"), self.path("var/lib/dpkg/status"))

    def change(self):
        """One run of dpkg: a package comes, goes or gets another version. Returns the number of events it makes."""
        self.serial += 1
        ours = [p for p in self.packages if p.startswith("live-")]
        what = random.choice(("install", "upgrade", "remove")) if ours else "install"
        package = f"live-{self.serial}" if what == "install" else random.choice(ours)
        old, new = self.packages.get(package, "<none>"), f"1.{self.serial}"
        if what == "remove":
            self.log(self.line(f"remove {package}:amd64 {old} <none>") + self.line(f"status not-installed {package}:amd64 <none>"))
            del self.packages[package]
        else:
            self.log(self.line(f"{what} {package}:amd64 {old} {new}") + self.line(f"status installed {package}:amd64 {new}"))
            self.packages[package] = new
        self.commit()
        return 2 if what == "upgrade" else 1

    def identifiers(self):
        return sorted(f"strongswan.org__Debian_12-x86_64-{p}-{v}" for p, v in self.packages.items())


class Server:
    """muster serve on ports of its own choice; restarted on the same ones."""

    def __init__(self, build, state, log):
        self.program, self.state, self.log, self.port, self.http = os.path.join(build, "muster-server"), state, log, 0, 0
        self.connection, self.options = None, ()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "serve", *self.options, "--state", self.state, "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"],
            stdout=subprocess.PIPE,
            stderr=open(self.log, "a", encoding="utf-8"),
            text=True,
        )
        line = self.process.stdout.readline()
        ports = re.findall(r"127\.0\.0\.1:(\d+)", line)
        if not line.startswith("ready") or len(ports) != 2:
            raise SystemExit(f"the server is not ready: {line!r}\n" + open(self.log, encoding="utf-8").read())
        self.port, self.http = map(int, ports)
        self.ca = os.path.join(self.state, "pki", "ca.crt")
        user, password = (line.split(": ", 1)[1].strip() for line in open(os.path.join(self.state, "admin.txt"), encoding="utf-8"))
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def issue(self, name, out):
        subprocess.run([self.program, "pki", "issue", name, "--state", self.state, "--out", out], check=True, capture_output=True)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.connection = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.connection = None
        return self.process.wait(timeout=30)

    def ask(self, path, method="GET", headers=None):
        """Status and document, over one connection that is kept."""
        for attempt in (1, 2):
            if not self.connection:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.http, timeout=30, context=ssl.create_default_context(cafile=self.ca))
            try:
                self.connection.request(method, "/api/v1/" + path, headers={**self.headers, **(headers or {})})
                answer = self.connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt == 2:
                    raise

    def get(self, path):
        return self.ask(path)[1]

    def items(self, path):
        cursor, found = None, []
        while True:
            page = self.get(path + "?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def last_eid(self, name):
        status, document = self.ask(f"endpoints/{name}")
        return document["last_eid"] if status == 200 else -1

    def wait_eid(self, name, eid, seconds):
        """Seconds until the endpoint's events up to `eid` are there; None if they do not come."""
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            if self.last_eid(name) >= eid:
                return time.monotonic() - begin
            time.sleep(0.002)
        return None


class Agent:
    def __init__(self, build, endpoint, server, keys, log, *options):
        self.command = [os.path.join(build, "muster"), "agent", f"127.0.0.1:{server.port}", "--ca", server.ca, "--cert", f"{keys}/{endpoint.name}.crt",
                        "--key", f"{keys}/{endpoint.name}.key", "--root", endpoint.root, "--state", endpoint.state, *options]
        self.log = log
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=open(self.log, "a", encoding="utf-8"), env=dict(os.environ, TZ="UTC"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def ticks(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024
