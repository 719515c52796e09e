#!/usr/bin/env python3
"""Every command line of muster that a document shows is one: its command is there, and so are its options, with values where they take some. Called
with the source and build folder. What a line then does is for the test of its command."""
import os
import re
import shlex
import subprocess
import sys

DOCUMENTS = ["README.md", "HACKING.md", "SECURITY.md", "doc"]
WORDS = r"(?:build/)?muster(?:-server|-fleet|-package)? "


def documents(root):
    for name in DOCUMENTS:
        path = os.path.join(root, name)
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else [None]
        for file in inside:
            if file is None or file.endswith(".md"):
                yield os.path.join(path, file) if file else path


def command_lines(text):
    """Lines of code blocks, and what stands between backticks; of each what is a command of ours."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    for line in [line for block in blocks for line in block.splitlines()] + spans:
        for part in re.split(r"(?:^|\s)#(?:\s|$)", line)[:1]:
            for command in re.split(r"&&|[;|]", part):
                command = re.split(r"\s[<>]", command.strip())[0]
                if re.match(WORDS, command):
                    yield command


def words_of(command):
    """Without placeholders of a choice, as in [--at T] or (dpkg|rpm)."""
    return [w for w in shlex.split(command.replace("…", "")) if not re.search(r"[\[\]()]", w)][1:]


def main():
    root, build = sys.argv[1], os.path.abspath(sys.argv[2])
    count = faults = 0
    for path in documents(root):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for command in command_lines(text):
            words = words_of(command)
            if not words or not words[0].islower():
                continue
            count += 1
            # Prose may name an option without its value.
            tries = [subprocess.run([build + "/muster", *words, *more, "--help"], capture_output=True, text=True, timeout=20) for more in ([], ["X"])]
            done = tries[0]
            if all(t.returncode for t in tries):
                faults += 1
                print(f"{os.path.relpath(path, root)}: {command}: {done.stderr.strip()}")
    print(f"{count} command lines, {faults} that are none")
    return 1 if faults or count < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
