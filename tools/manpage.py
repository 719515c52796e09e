#!/usr/bin/env python3
"""Writes muster(1) from what the programs say of themselves: usage: manpage.py BUILD [--check FILE]

Commands and options stand once, in the tables under src/cli/; --help prints them and this page is made of that. With --check it compares instead and
fails if FILE is out of date.
"""
import os
import re
import subprocess
import sys

HEAD = r""".\" Made by tools/manpage.py from the programs' own tables; edit those.
.TH MUSTER 1 "" "muster %(version)s" "Muster"
.SH NAME
muster \- what is installed on this machine, and since when; and the policy server that asks a fleet
.SH SYNOPSIS
.B muster
.I COMMAND
.RI [ ARGUMENT ...]
.RI [ OPTION ...]
.SH DESCRIPTION
.B muster
implements the IETF Network Endpoint Assessment stack (RFC 5209, 5792, 5793, 6876) with software inventory (SWIMA, RFC 8412). It is the endpoint, which
collects what is installed and its whole history from the package managers' own databases and logs, and the policy server that endpoints report to over
PT\-TLS.
.PP
Data goes to standard output, messages to standard error. Times are printed in RFC 3339 UTC; options take RFC 3339
with its zone, a date (its first second in UTC), or an age of seconds, minutes, hours, days or weeks such as
.BR \-90s ", " \-15m ", " \-12h ", " \-7d " or " \-2w .
Every time carries its precision:
.B exact
(the second at which the package manager did it),
.B transaction
(within a run of apt that began then), or
.B bound
(at or before then; no log tells more).
.SH COMMANDS
"""
TAIL = r""".SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
the answer is no: a difference was found, access is not allowed
.TP
.B 2
wrong usage, or a folder, file or address that cannot be used as it is: permission, no room, in use, of another root; the message says how to mend it
.TP
.B 3
the answer is partly unknown: something could not be read
.TP
.B 4
not found
.TP
.B 5
could not connect to a server, or authenticate
.TP
.B 70
internal error, or a file of Muster's own that is damaged
.SH ENVIRONMENT
.TP
.B MUSTER_NAME
the value of the option
.BR \-\-name ,
unless that is given: MUSTER_STATE, MUSTER_ROOT, and so on. For an option without a value: 0, no, false and off leave it off, anything else is on.
.TP
.B TZ
the time zone in which the package managers wrote their logs, where the root itself names none (/etc/localtime, else /etc/timezone).
.SH FILES
.TP
.I /var/lib/muster
the state folder of root; of others
.IR $XDG_STATE_HOME/muster ,
else
.IR ~/.local/state/muster .
With
.BR \-\-root ,
a folder of that root's own below its
.IR roots/ ,
so that what an image tells never mixes with what this machine tells of itself.
.TP
.I STATE/journal.db
the endpoint's event database. A damaged one is renamed, never overwritten. It describes one root, the one that it was begun with, and refuses any other;
after that root was moved,
.B muster collect \-\-adopt\-root
goes on with it where it is now, if half of the packages, here as there, are the same ones in whatever version. There is no way to insist: another system
wants a journal of its own, in another folder
.RB ( \-\-state ).
.TP
.I STATE/agent.lock
is locked by the one
.B muster agent
that may use this state folder, as long as it lives.
.TP
.IR STATE/server.db ", " STATE/pki
the server's database; its authority and certificates.
.TP
.IR STATE/admin.txt ", " STATE/token.txt
who may use the server's API and page: the administrator's user and password, and a token for programs, mode 0600. See
.BR "muster serve" .
.TP
.I STATE/endpoints.passwd
verifiers of the passwords of endpoints without a certificate. See
.BR "muster account add" .
.SH STANDARDS
RFC 5792 (PA\-TNC), RFC 5793 (PB\-TNC), RFC 6876 (PT\-TLS), RFC 8412 (SWIMA), TCG IF\-M Segmentation 1.0, ISO/IEC 19770\-2 identifiers.
"""


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=30).stdout


def options(lines):
    for line in lines:
        found = re.match(r"  (--\S+(?: \S+)*)\s{2,}(.*)", line)
        if found:
            yield found.groups()


def notes(lines):
    """What stands between the options and the exit statuses; lines with two blanks in front stand as they are."""
    gap = lines.index("")
    end = next(i for i, line in enumerate(lines) if line.startswith("Exit status:"))
    out = []
    for line in lines[gap + 1 : end - 1]:
        if not line.startswith("  "):
            out.append(roff(line) if line else ".PP")
        elif out and out[-2:] == [".fi", ".RE"]:
            out[-2:-2] = [roff(line[2:])]
        else:
            out += [".RS", ".nf", roff(line[2:]), ".fi", ".RE"]
    return ([".PP"] if out else []) + out


def command_section(muster, words):
    lines = run(muster, *words, "--help").splitlines()
    usage = re.sub(r"^usage: ", "", lines[0]).replace(" [OPTION...]", "")
    if not (usage + " ").startswith(" ".join(["muster", *words, ""])):
        sys.exit(f"muster {' '.join(words)} is another command: {usage}")
    about = lines[2 : lines.index("Options:")]
    out = [f".SS {roff(usage)}"]
    out += [roff(line) if line.strip() else ".PP" for line in about if line.strip() or about.index(line)]
    while out and out[-1] == ".PP":
        out.pop()
    for option, doc in options(lines[lines.index("Options:") :]):
        name = option.split()[0]
        if name in ("--state", "--root", "--json", "--help", "--version") or name == "--plain" and ": " not in doc:
            continue
        out += [".TP", f".B {roff(option)}", roff(doc)]
    return out + notes(lines[lines.index("Options:") :])


def page(build):
    muster = os.path.join(build, "muster")
    lines = run(muster, "--help").splitlines()
    first, end = lines.index("Commands:") + 1, lines.index("Every command:")
    out = []
    for line in lines[first:end]:
        words = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)", line)
        if words:
            out += command_section(muster, words[0].split())
    out += [".SH OPTIONS", "Every command takes these:"]
    for option, doc in options(lines[end:]):
        out += [".TP", f".B {roff(option)}", roff(doc)]
    version = run(muster, "--version").split()[1]
    return HEAD % {"version": version} + "\n".join(out) + "\n" + TAIL


def main():
    text = page(sys.argv[1])
    if len(sys.argv) > 3 and sys.argv[2] == "--check":
        with open(sys.argv[3], encoding="utf-8") as file:
            if file.read() == text:
                print("the man page says what the programs say")
                return 0
        print("doc/muster.1 is out of date: tools/manpage.py build > doc/muster.1")
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
