#!/usr/bin/env python3
"""embed.py OUT.c FILE...: makes the table page_files[] (src/server/web.h) of static files; index.html becomes "/"."""
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def main():
    out, names = sys.argv[1], sys.argv[2:]
    rows, lines = [], ['#include "server/web.h"', ""]
    for number, name in enumerate(names):
        with open(name, "rb") as file:
            content = file.read()
        base = os.path.basename(name)
        path = "/" if base == "index.html" else "/" + base
        lines.append(f"static const uint8_t file_{number}[] = {{")
        lines += ["    " + ",".join(str(octet) for octet in content[at : at + 32]) + "," for at in range(0, len(content), 32)]
        lines.append("};")
        rows.append(f'    {{"{path}", "{TYPES[os.path.splitext(base)[1]]}", {{file_{number}, sizeof file_{number}}}}},')
    lines += ["const struct page_file page_files[] = {"] + rows + ["};", "const size_t page_file_count = ARRAY_LENGTH(page_files);"]
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
