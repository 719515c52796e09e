#!/usr/bin/env python3
"""Fails on calls that the house does not use: unbounded string functions, shells, variable-length stack memory."""
import os
import re
import sys

BANNED = re.compile(r"\b(sprintf|vsprintf|strcpy|strcat|strtok|gets|atoi|atol|system|popen|alloca)\s*\(")


def main():
    root = os.path.join(sys.argv[1] if len(sys.argv) > 1 else ".", "src")
    count = 0
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    code = line.split("/*")[0].split("//")[0]
                    if BANNED.search(code):
                        print(f"{path}:{number}: {line.strip()}")
                        count += 1
    print("no banned call" if not count else f"{count} banned calls")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
