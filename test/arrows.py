#!/usr/bin/env python3
"""Fails on an include that goes against the arrows of doc/architecture.md.

The page's table and the one here must agree on the rooms that are there. Three rules: a room includes only the rooms it may know; of another room only its one public header (ROOM/ROOM.h); protocol rooms include no
socket, thread, file or clock header.
"""
import os
import re
import sys

ARROWS = {
    "base": set(),
    "nea": {"base"},
    "db": {"base"},
    "swid": {"base"},
    "measure": {"base", "db"},
    "pkg": {"base"},
    "vuln": {"base", "pkg"},
    "store": {"base", "db"},
    "net": {"base"},
    "agent": {"base", "nea", "swid", "pkg", "measure", "db", "net"},
    "server": {"base", "nea", "swid", "pkg", "vuln", "store", "net"},
    "sim": {"base", "nea", "swid", "pkg", "agent", "net"},
    "tnc": {"base", "nea"},
    "cli": {"base", "nea", "db", "swid", "measure", "pkg", "vuln", "store", "net", "agent", "server", "sim", "tnc"},
}
# Rooms (and files) that are computed from their arguments alone.
PURE_ROOMS = {"nea", "swid"}
PURE_FILES = re.compile(r"^(base/(?!log\.c|time\.c)|pkg/.*_version\.c$)")
IMPURE = re.compile(
    r"^(sys/|netinet/|arpa/|net/|poll\.h|pthread\.h|threads\.h|unistd\.h|fcntl\.h|dirent\.h|time\.h|signal\.h|uv\.h|sqlite3\.h|openssl/)"
)
# stdio.h is there to format into memory; its files are not.
FILE_CALLS = re.compile(r"\b(FILE|fopen|fdopen|freopen|fread|fwrite|fgets|fputs|fprintf|printf|puts|putchar|scanf|fscanf|stdin|stdout|stderr)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def faults(source):
    for folder, _, names in os.walk(source):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".def")):
                continue
            path = os.path.relpath(os.path.join(folder, name), source)
            room = path.split(os.sep)[0]
            if room not in ARROWS:
                yield f"{path}: the folder {room}/ is no room of the house"
                continue
            pure = room in PURE_ROOMS or PURE_FILES.match(path)
            with open(os.path.join(source, path), encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if pure and FILE_CALLS.search(line.split("/*")[0]) and "__attribute__" not in line and not line.lstrip().startswith("*"):
                        yield f"src/{path}:{number}: {room}/ is computed from its arguments alone, it cannot use files"
                    found = INCLUDE.match(line)
                    if not found:
                        continue
                    ours, system = found.groups()
                    where = f"src/{path}:{number}"
                    if system and pure and IMPURE.match(system):
                        yield f"{where}: {room}/ is computed from its arguments alone, it cannot include <{system}>"
                    if not ours:
                        continue
                    target = ours.split("/")[0]
                    if "/" not in ours:
                        yield f'{where}: write "{room}/{ours}"'
                    elif target == room:
                        continue
                    elif target not in ARROWS[room]:
                        yield f"{where}: {room}/ must not know {target}/"
                    elif ours != f"{target}/{target}.h":
                        yield f"{where}: of {target}/ only {target}/{target}.h is public"


def page_faults(root):
    """Rooms whose row of doc/architecture.md says other arrows than the table above."""
    there = {room for room in ARROWS if os.path.isdir(os.path.join(root, "src", room))}
    said = {}
    with open(os.path.join(root, "doc", "architecture.md"), encoding="utf-8") as page:
        for line in page:
            row = re.match(r"\| `(\w+)` \|.*\| ([\w ]+) \|$", line)
            if row:
                said[row[1]] = there - {row[1]} if row[2] == "all" else set(row[2].split()) - {"libc"}
    for room in sorted(there):
        if room not in said:
            yield f"doc/architecture.md has no row for {room}/"
        elif said[room] & there != ARROWS[room] & there:
            yield f"doc/architecture.md says that {room} knows {sorted(said[room])}; here it may know {sorted(ARROWS[room] & there)}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    source = os.path.join(root, "src")
    found = list(faults(source)) + list(page_faults(root))
    for fault in found:
        print(fault)
    print("the arrows hold" if not found else f"{len(found)} includes against the arrows")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
