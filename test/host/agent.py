#!/usr/bin/env python3
"""muster agent against a real server: each change of the packages is in the API within a second, whatever is rotated, killed or away.

Called with the source folder and the build folder. MUSTER_KILLS=100 kills server or agent so often (100).
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live import Agent, Endpoint, Server  # noqa: E402

BUILD = os.path.abspath(sys.argv[2])
WORK = tempfile.mkdtemp(prefix="muster-agent-")
KILLS = int(os.environ.get("MUSTER_KILLS", "100"))
SANITIZED = "libasan" in subprocess.run(["ldd", os.path.join(BUILD, "muster")], capture_output=True, text=True, check=True).stdout
failures = 0


def check(what, holds, detail=""):
    global failures
    if not holds:
        failures += 1
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def journal(endpoint):
    """The journal's events by EID, and whether it agrees with dpkg."""
    common = ["--root", endpoint.root, "--state", endpoint.state]
    agrees = subprocess.run([os.path.join(BUILD, "muster"), "check", *common], capture_output=True).returncode == 0
    history = json.loads(subprocess.run([os.path.join(BUILD, "muster"), "history", "--json", *common], capture_output=True, text=True, check=True).stdout)
    return {x["eid"]: (x["action"], x["software_id"]) for x in history["items"]}, agrees


def all_there(what, server, endpoint, killed=False):
    """Nothing lost, nothing doubled: soon what the server knows is the journal, event by event, and that is what dpkg says.
    How many events there are is dpkg's and the journal's affair: who reads between the line in the log and the status sees one that is not there yet.
    Who is killed while it tells what its software means is not asked that again for a day: some may be nameless then."""
    end = time.monotonic() + 60
    while True:
        events, agrees = journal(endpoint)
        named = {x["package"]: x["version"] for x in server.items(f"endpoints/{endpoint.name}/software") if x["package"] or not killed}
        known = {p: v for p, v in endpoint.packages.items() if p in named or not killed}
        if (agrees and server.last_eid(endpoint.name) == len(events) and named == known) or time.monotonic() > end:
            break
        time.sleep(0.2)
    software = [x["software_id"] for x in server.items(f"endpoints/{endpoint.name}/software")]
    stored = [(x["eid"], (x["action"], x["software_id"])) for x in server.items(f"endpoints/{endpoint.name}/events")]
    wanted = endpoint.identifiers()
    check(f"{what}: each package is known by name and version", named == known and named, f"{set(named.items()) ^ set(known.items())}"[:300])
    check(f"{what}: the software is what dpkg says", sorted(software) == wanted, f"{sorted(set(software) ^ set(wanted))[:5]}")
    check(f"{what}: each event of the journal, once", len(stored) == len(events) and dict(stored) == events, f"{len(stored)} events, {len(events)} in the journal")
    return len(events)


def live(server, agent, endpoint, eid):  # SWIMA-R23
    slowest = 0
    for i in range(10):
        eid += endpoint.change()
        took = server.wait_eid(endpoint.name, eid, 5)
        slowest = max(slowest, took if took is not None else 99)
    check("ten changes, each within a second", slowest < 1, f"{slowest:.3f} s")
    for i in range(3):
        endpoint.rotate()
        eid += endpoint.change()
        took = server.wait_eid(endpoint.name, eid, 5)
        check("a change behind a rotation within a second", took is not None and took < 1, str(took))
    for i in range(15):  # faster than the agent may wait for quiet
        eid += endpoint.change()
        time.sleep(0.06)
    took = server.wait_eid(endpoint.name, eid, 5)
    check("the last of a burst within a second", took is not None and took < 1, str(took))
    sessions = server.get("totals")["sessions"]
    check("all of it in one session", sessions == 1, str(sessions))
    all_there("live", server, endpoint)
    return eid


def vendor_tag(endpoint):
    """A product whose folder comes to be one level after the other, its uppermost not there when the agent began."""
    folder = endpoint.path("opt")
    for name in ("", "acme", "thing", "1.0", "swidtag"):
        folder = os.path.join(folder, name)
        os.mkdir(folder)
        time.sleep(0.3)
    with open(os.path.join(folder, "thing.swidtag"), "w", encoding="utf-8") as file:
        file.write("<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='thing' tagId='thing-1'>"
                   "<Entity name='Acme' regid='acme.example' role='tagCreator'/></SoftwareIdentity>")


def idle(agent):
    time.sleep(0.5)
    before = agent.ticks()
    time.sleep(3)
    check("an idle agent uses no CPU", agent.ticks() == before, f"{agent.ticks() - before} ticks in 3 s")
    if not SANITIZED:
        check("an idle agent is at most 12 MiB", agent.rss_mib() <= 12, f"{agent.rss_mib():.1f} MiB")


def reassess(server, endpoint):
    name, json_type = endpoint.name, {"Content-Type": "application/json"}
    before = server.get("totals")["sessions"]
    check("reassess wants JSON", server.ask(f"endpoints/{name}/reassess", "POST")[0] == 415)
    check("reassess is asked for", server.ask(f"endpoints/{name}/reassess", "POST", json_type)[0] == 202)
    listing = subprocess.run([os.path.join(BUILD, "muster-fleet"), "endpoint", "list", "--state", server.state], capture_output=True, text=True, timeout=60)
    check("who is connected is seen now", server.get(f"endpoints/{name}")["connected"] is True and " connected " in listing.stdout, listing.stdout)
    end = time.monotonic() + 5
    while server.get("totals")["sessions"] == before and time.monotonic() < end:
        time.sleep(0.02)
    check("and done", server.get("totals")["sessions"] == before + 1)
    check("of nobody is not found", server.ask("endpoints/nobody/reassess", "POST", json_type)[0] == 404)


def command(server, endpoint, status):
    done = subprocess.run([os.path.join(BUILD, "muster-fleet"), "endpoint", "reassess", endpoint.name, "--state", server.state], capture_output=True, text=True, timeout=60)
    check(f"muster endpoint reassess exits with {status}", done.returncode == status, f"{done.returncode} {done.stderr}")


def kills(server, agent, endpoint):
    for i in range(KILLS):
        for _ in range(random.randrange(3)):
            endpoint.change()
            time.sleep(random.random() * 0.1)
        time.sleep(random.random() * 0.4)
        victim = random.choice((server, agent))
        victim.kill()
        endpoint.change()
        time.sleep(random.random() * 0.2)
        victim.start()
    return all_there(f"after {KILLS} kills", server, endpoint, killed=True)


def away(server, agent, endpoint, eid):
    check("the server ends cleanly", server.stop() == 0)
    for i in range(5):
        eid += endpoint.change()
        time.sleep(0.15)
    server.start()
    took = server.wait_eid(endpoint.name, eid, 30)
    check("what happened while the server was away comes when it is back", took is not None)
    return all_there("server away", server, endpoint, killed=True)


def alone(agent):
    """A state folder has one agent."""
    begin = time.monotonic()
    done = subprocess.run(agent.command, capture_output=True, text=True, timeout=60)
    check("a second agent on one state is refused", done.returncode == 2 and done.stderr.count("\n") == 1 and "another agent" in done.stderr and "--state" in done.stderr,
          f"{done.returncode} {done.stderr}")
    check("at once", time.monotonic() - begin < 10)
    done = subprocess.run([*agent.command[:-1], "/proc/none"], capture_output=True, text=True, timeout=60)
    check("as is a state that cannot be made", done.returncode == 2 and done.stderr.count("\n") == 1 and "/proc/none" in done.stderr, done.stderr)


def wrong(server, keys):
    """A server that it may not trust, one that does not trust it, one that is not there: each is said with what to do, once, and tried again."""
    other = Server(BUILD, os.path.join(WORK, "other"), os.path.join(WORK, "other.log"))
    there = ["agent", f"127.0.0.1:{server.port}", "--ca", server.ca, "--cert", f"{keys}/host.crt", "--key", f"{keys}/host.key"]
    os.mkdir(os.path.join(WORK, "strange"))
    other.issue("host", os.path.join(WORK, "strange"))
    kinds = (("CA", [*there[:3], other.ca, *there[4:]], "is not signed by a CA in " + other.ca),
             ("certificate", [*there[:5], f"{WORK}/strange/host.crt", "--key", f"{WORK}/strange/host.key"], "does it trust the CA of our certificate"),
             ("port", ["agent", "127.0.0.1:1", *there[2:]], "connection refused"))
    for what, words, said in kinds:
        log = os.path.join(WORK, what + ".log")
        with open(log, "w", encoding="utf-8") as file:
            process = subprocess.Popen([os.path.join(BUILD, "muster"), *words, "--root", WORK + "/host/root", "--state", WORK + "/" + what], stderr=file)
        time.sleep(4)
        going = process.poll() is None
        process.terminate()
        status = process.wait(timeout=20)
        lines = [line for line in open(log, encoding="utf-8") if "not connected" in line]
        check(f"the wrong {what}: it goes on, and ends with 0", going and status == 0, f"{going} {status}")
        check(f"the wrong {what}: said once, with what to do", len(lines) == 1 and "warning: " in lines[0] and said in lines[0] and "tries again" in lines[0], lines)
    other.kill()


def wait(what, holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    check(what, holds())


def mutual(server, keys):
    """An agent that assesses the server: it leaves one that does not tell, and goes on with one that does, at each assessment."""
    def logged(name, what):
        with open(os.path.join(WORK, name), encoding="utf-8") as file:
            return file.read().count(what)

    careful = Endpoint(WORK, "careful", {f"base-{i}": f"{i}.0-1" for i in range(20)})
    server.issue("careful", keys)
    agent = Agent(BUILD, careful, server, keys, os.path.join(WORK, "careful.log"), "--mutual")
    verdict, left = "other direction: compliant, access allowed", "takes no part in mutual assessments"
    try:
        wait("a server that takes no part is left", lambda: logged("careful.log", left) == 1)
        wait("and the connection ended", lambda: server.last_eid("careful") == 20 and not server.get("endpoints/careful")["connected"])
        check("the agent stays", agent.process.poll() is None)
        check("the agent ends while it waits", agent.stop() == 0)
        server.stop()
        server.options = ("--mutual",)
        server.start()
        agent.start()
        wait("a server that does is assessed", lambda: logged("server.log", verdict) == 1 and logged("careful.log", "the server satisfies: ") == 1)
        eid = 20 + careful.change()
        check("and told each change", server.wait_eid("careful", eid, 5) is not None)
        server.ask("endpoints/careful/reassess", "POST", {"Content-Type": "application/json"})
        time.sleep(1)
        eid += careful.change()
        check("behind which changes are told", server.wait_eid("careful", eid, 5) is not None)
        check("and a reassessment, which is one of both: it was not left", logged("careful.log", left) == 1 and logged("careful.log", "the server satisfies: ") == 1)
        server.stop()
        server.options = ()
        server.start()
        wait("a server that takes part no more is left", lambda: logged("careful.log", left) == 2)
        check("the agent ends", agent.stop() == 0)
    finally:
        agent.kill()


def main():
    server = Server(BUILD, os.path.join(WORK, "server"), os.path.join(WORK, "server.log"))
    keys = os.path.join(WORK, "keys")
    os.mkdir(keys)
    server.issue("host", keys)
    endpoint = Endpoint(WORK, "host", {f"base-{i}": f"{i}.0-1" for i in range(300)})
    agent = Agent(BUILD, endpoint, server, keys, os.path.join(WORK, "agent.log"))
    try:
        check("the first inventory arrives", server.wait_eid("host", 300, 20) is not None)
        eid = live(server, agent, endpoint, 300)
        idle(agent)
        alone(agent)
        wrong(server, keys)
        reassess(server, endpoint)
        command(server, endpoint, 0)
        eid += endpoint.change()
        took = server.wait_eid("host", eid, 5)
        check("a change behind a reassessment within a second", took is not None and took < 1, str(took))
        eid = away(server, agent, endpoint, eid)
        eid = kills(server, agent, endpoint)
        check("SIGTERM ends the agent", agent.stop() == 0)
        time.sleep(0.2)
        command(server, endpoint, 1)
        eid += endpoint.change()
        eid += endpoint.change()
        agent.start()
        check("what happened while the agent was away comes when it is back", server.wait_eid("host", eid, 20) is not None)
        all_there("agent away", server, endpoint, killed=True)
        vendor_tag(endpoint)
        took = server.wait_eid("host", eid + 1, 5)
        check("software that brings a tag is known within a second", took is not None and took < 1, str(took))
        mutual(server, keys)
    finally:
        agent.kill()
        server.kill()
        if failures:
            for log in (name for name in ("server.log", "agent.log", "careful.log") if os.path.exists(os.path.join(WORK, name))):
                print(f"--- {log}\n" + "".join(open(os.path.join(WORK, log), encoding="utf-8").readlines()[-40:]))
        shutil.rmtree(WORK)
    sys.exit(1 if failures else 0)


main()
