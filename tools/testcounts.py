#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of a meson testlog.json; names what failed and why a test was skipped on stderr."""
import json
import sys

counts = {"passed": 0, "failed": 0, "skipped": 0}
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        result = test["result"]
        if result == "OK":
            counts["passed"] += 1
        elif result == "SKIP":
            counts["skipped"] += 1
            said = (test.get("stdout") or "").strip().splitlines()
            print(f"skipped: {test['name']}: {said[-1] if said else 'no reason given'}", file=sys.stderr)
        else:
            counts["failed"] += 1
            print(f"FAILED: {test['name']} ({result})", file=sys.stderr)
print(counts["passed"], counts["failed"], counts["skipped"])
