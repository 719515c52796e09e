#!/usr/bin/env python3
"""Lists every numbered rule of doc/rules.md with the code and the tests that name it: usage: rules.py SOURCE [--all]

Fails where no code or no test names a rule, unless doc/rules-exceptions.md says why; and where something names a rule that does not exist. Without
--all only what is wrong is printed.
"""
import collections
import os
import re
import sys

ROW = re.compile(r"^\| ((?:PA|PB|PT|SWIMA|SEG)-R\d+) \| ([^|]+) \| ([^|]+) \|$")
# "SWIMA-R39, R105" names two, also across the lines of a comment.
NAMED = re.compile(r"\b(PA|PB|PT|SWIMA|SEG)-(R\d+(?:,[\s*]+R\d+)*)")
CODE, TESTS = ("src",), ("test", "fuzz")


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [found.groups() for line in file if (found := ROW.match(line.rstrip()))]


def names(text):
    """Every rule that a text names, and the line of it."""
    for found in NAMED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        for number in re.findall(r"R\d+", found[2]):
            yield f"{found[1]}-{number}", line


def places(source, folders):
    """Rule: the lines of these folders that name it."""
    found = collections.defaultdict(list)
    for top in folders:
        for folder, _, files in os.walk(os.path.join(source, top)):
            for name in sorted(files):
                if not name.endswith((".c", ".h", ".py")):
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    for rule, line in dict.fromkeys(names(file.read())):
                        found[rule].append(f"{os.path.relpath(path, source)}:{line}")
    return found


def exceptions(path):
    """Rule: the reason, from rows "| rules | reason |"."""
    reasons = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = line.split("|")
            if len(cells) == 4:
                for rule, _ in names(cells[1]):
                    reasons[rule] = cells[2].strip()
    return reasons


def main():
    source = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "."
    rules = rows(os.path.join(source, "doc", "rules.md"))
    reasons = exceptions(os.path.join(source, "doc", "rules-exceptions.md"))
    code, tests = places(source, CODE), places(source, TESTS)
    known = {rule for rule, _, _ in rules}
    wrong = []
    for rule, section, text in rules:
        missing = [what for what, where in (("code", code), ("test", tests)) if not where[rule]]
        if missing and rule not in reasons:
            wrong.append(f"{rule} ({section}: {text}): no {' and no '.join(missing)} names it")
        if "--all" in sys.argv:
            print(f"{rule:10} {section}: {text}")
            print(f"{'':10}   code: {', '.join(code[rule]) or '-'}\n{'':10}   test: {', '.join(tests[rule]) or '-'}")
            if rule in reasons:
                print(f"{'':10}   {'excepted' if missing else 'excepted, though both name it'}: {reasons[rule]}")
    for what, where in (("code", code), ("a test", tests), ("doc/rules-exceptions.md", {rule: ["its table"] for rule in reasons})):
        for rule in sorted(set(where) - known):
            if where[rule]:
                wrong.append(f"{rule} is no rule of doc/rules.md, but {what} names it: {where[rule][0]}")
    print("\n".join(wrong + [f"{len(rules)} rules: {len(rules) - len(set(reasons) & known)} with code and test, {len(reasons)} excepted, {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
