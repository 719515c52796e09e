#!/usr/bin/env python3
"""Fails if muster links more than the light libraries: usage: weight.py BUILD. What is heavier belongs into a program of its own."""
import os
import subprocess
import sys

LIGHT = {"libc", "libm", "libssl", "libcrypto", "libuv", "libsqlite3", "libz", "libexpat", "libjansson", "libidn", "libcbor", "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso",
         "libpthread", "libdl", "librt", "libasan", "libubsan", "libgcc_s", "libstdc++"}

lines = subprocess.run(["ldd", os.path.join(sys.argv[1], "muster")], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
names = {os.path.basename(line.split()[0]).split(".so")[0] for line in lines if line.strip()}
heavy = sorted(names - LIGHT)
print("muster links: " + " ".join(sorted(names)))
if heavy:
    print("too heavy for muster: " + " ".join(heavy))
sys.exit(1 if heavy else 0)
