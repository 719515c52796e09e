#!/usr/bin/env python3
"""muster decode as its users call it: files and pipes, binary and hexadecimal, for people and as JSON; and files that are none.

Called with the source folder and the build folder.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

SOURCE, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
WORK = tempfile.mkdtemp(prefix="muster-decode-")
failures = 0


def check(what, holds, detail=""):
    global failures
    if not holds:
        failures += 1
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)


def decode(*arguments, given=b""):
    return subprocess.run([os.path.join(BUILD, "muster"), "decode", *arguments], input=given, capture_output=True, timeout=120, cwd=WORK)


def document(*arguments, given=b""):
    done = decode("--json", *arguments, given=given)
    return done.returncode, json.loads(done.stdout)


def file(name, octets):
    path = os.path.join(WORK, name)
    with open(path, "wb") as f:
        f.write(octets)
    return path


def rows(name):
    with open(os.path.join(SOURCE, "test", "golden", name), encoding="utf-8") as f:
        return [line.split() for line in f if not line.startswith("#")]


def xxd(octets):
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        groups = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        yield f"{at:08x}: {groups:<40} {''.join(chr(c) if 32 <= c < 127 else '.' for c in row)}\n"


def hexdump(octets):
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        left, right = (" ".join(f"{c:02x}" for c in part) for part in (row[:8], row[8:]))
        yield f"{at:08x}  {left:<23}  {right:<23}  |{''.join(chr(c) if 32 <= c < 127 else '.' for c in row)}|\n"
    yield f"{len(octets):08x}\n"


def attributes(value):
    """Everything in a document that is an attribute, wherever it stands."""
    if isinstance(value, list):
        for item in value:
            yield from attributes(item)
    elif isinstance(value, dict):
        if "attributes" in value and "id" in value or "reassembled" in value:
            yield from value.get("attributes", [])
        for item in value.values():
            yield from attributes(item)


# ---- the golden vectors, as JSON that another program reads

wrong = []
for name, code, offset, text in rows("pa-vectors.txt"):
    status, d = document(given=text.encode())
    error = d.get("error", {})
    if d["schema"] != "muster.decode/1" or d["kind"] != "pa-tnc" or status != (code != "0") or status != ("error" in d):
        wrong.append(name)
    elif code.isdigit() and code != "0" and (error["code"], error["offset"]) != (int(code), int(offset)):
        wrong.append(f"{name}: {error}")
    elif any(not {"vendor", "type", "name", "value"} <= set(a) for a in attributes(d)):
        wrong.append(f"{name}: an attribute lacks a member")
check("every golden vector is explained, with the code and offset expected", not wrong, wrong)

# ---- every recorded session, each direction as one capture

streams = {}
for session, _, direction, _, text in rows("pb-sessions.txt"):
    streams.setdefault((session, direction), bytearray()).extend(bytes.fromhex(text))
wrong = [key for key, octets in streams.items() if document(given=bytes(octets))[0] != 0]
check(f"{len(streams)} recorded directions decode without a fault", not wrong, wrong)
_, d = document(given=bytes(streams["swima-id-events-segmented", "c2s"]))
whole = [a["reassembled"] for a in attributes(d) if "reassembled" in a]
check("a segmented transfer is shown as a whole too", len(whole) == 1 and whole[0]["length"] == 5087)
events = whole[0]["attributes"][0] if whole else {"value": {"events": []}}
check("with its 52 events", events["name"] == "Software Identifier Events" and len(events["value"]["events"]) == 52)
check("and what is known of its sender", [x["rule"] for x in events["departures"]] == ["SWIMA-R31", "SWIMA-R106"])

shared = os.path.join(SOURCE, "..", "shared", "vectors", "pt-tls-framing")
for path in sorted(glob.glob(os.path.join(shared, "*.txt"))):
    for side in "c2s", "s2c":
        lines = [line.split()[2] for line in open(path, encoding="utf-8") if line.startswith(side)]
        status, d = document(given="\n".join(lines).encode())
        check(f"{os.path.basename(path)} {side} is a PT-TLS stream", status == 0 and d["kind"] == "pt-tls" and len(d["messages"]) == len(lines), d)
        check("and shows no password", b"wrongpw" not in decode(given="\n".join(lines).encode()).stdout)
if not os.path.isdir(shared):
    print("skip the recorded PT-TLS streams: ../shared/vectors is not here")

# ---- however it is written

octets = bytes(streams["error-events-no-db", "c2s"])
expected = document(given=octets)[1]
for what, text in {
    "hexadecimal": octets.hex().encode(),
    "hexadecimal in groups": octets.hex(" ", 4).upper().encode(),
    "xxd": "".join(xxd(octets)).encode(),
    "hexdump -C": "".join(hexdump(octets)).encode(),
    "a comment before": b"# a capture\n\n" + octets.hex().encode(),
}.items():
    check(f"{what} means the same", document(given=text) == (0, expected))
path = file("capture.bin", octets)
check("a file means the same", document(path) == (0, expected))
check("- is standard input", document("-", given=octets) == (0, expected))
check("an outline for people", decode(path).stdout.startswith(b"kind: pb-tnc\nmessages:\n- offset: 0\n"))

# ---- what is wrong

status, d = document("--kind", "pb-tnc", given=octets[:-3])
check("a cut capture: the fault, and what stands before it", status == 1 and d["error"]["section"].startswith("RFC 5793") and len(d["messages"]) == 3, d["error"])
check("a wrong kind is a fault", document("--kind", "pa-tnc", path)[0] == 1)
for what, status, words, done in [
    ("a file that is not there", 4, b"No such file", decode("nothing.bin")),
    ("a folder", 2, b"directory", decode(WORK)),
    ("a kind that is none", 2, b"--kind takes", decode("--kind", "eap-x", path)),
    ("two files", 2, b"argument", decode(path, path)),
    ("text that is no hexadecimal", 2, b"line 2", decode(given=b"0100\nhello\n")),
    ("nothing", 2, b"nothing in it", decode(given=b"")),
    ("more than 64 MiB", 2, b"64 MiB", decode(given=bytes((64 << 20) + 1))),
]:
    check(f"{what}: exit {status}", done.returncode == status and words in done.stderr and not done.stdout, (done.returncode, done.stderr))

# ---- for scripts: a line a value

done = decode("--plain", "--kind", "pb-tnc", path)
lines = [line.split(b"\t") for line in done.stdout.splitlines()]
check("--plain: two columns", lines and all(len(line) == 2 for line in lines), done.stdout[:500])
values = {}


def flatten(value, at):
    if isinstance(value, (dict, list)):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            flatten(member, f"{at}.{key}" if at else str(key))
    else:
        values[at] = "" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


flatten(document("--kind", "pb-tnc", path)[1], "")
values.pop("schema")
said = {at.decode(): value.decode() for at, value in lines}
check("the same that --json says", said == values, {at: (said.get(at), values.get(at)) for at in set(said) | set(values) if said.get(at) != values.get(at)})

# ---- large input is explained in little more memory than it takes itself

ports = b"\x00\x06\x00\x16" * 2_000_000
large = file("large.bin", bytes.fromhex("0100000000000001 00000000 00000006") + (12 + len(ports)).to_bytes(4, "big") + ports)
code = f"""
import resource, subprocess, sys
done = subprocess.run({[os.path.join(BUILD, 'muster'), 'decode', '--json', large]!r}, stdout=open({os.path.join(WORK, 'large.json')!r}, 'wb'))
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
status, resident = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300).stdout.split()
sanitized = b"__asan_init" in open(os.path.join(BUILD, "muster"), "rb").read()
check("8 MB of port filters: 2,000,000 entries", status == "0" and open(os.path.join(WORK, "large.json")).read().count('"port":22') == 2_000_000)
check("in at most 32 MiB", sanitized or int(resident) < 32 << 10, f"{resident} KiB")

subprocess.run(["rm", "-rf", WORK], check=False)
print(f"{failures} failures")
sys.exit(1 if failures else 0)
