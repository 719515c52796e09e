"""bench: software identifiers of a root with 2,000 packages, by muster list, process start included"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

MUSTER = os.path.join(os.environ["MUSTER_BUILD"], "muster")
PACKAGES, RUNS = 2000, 31
MARK_MS, MARK_MIB = 15, 16  # of issue 3/7; swidGenerator: 390 ms, 35 MB

failed = 0


def mark(what, value, limit, unit):
    global failed
    failed += value > limit
    print(f"{what:42} {value:8.2f} {unit} (mark {limit}) {'ok' if value <= limit else 'MISSED'}", flush=True)


def run(*words):
    """Seconds, MiB and lines of one run."""
    begin = time.perf_counter()
    process = subprocess.Popen([MUSTER, *words], stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    took = time.perf_counter() - begin
    if status:
        sys.exit(f"{words}: exit status {os.waitstatus_to_exitcode(status)}")
    return took, usage.ru_maxrss / 1024, text.count(b"\n")


with tempfile.TemporaryDirectory(prefix="muster-bench-") as work:
    root, state = work + "/root", work + "/state"
    os.makedirs(root + "/var/lib/dpkg/info")
    os.makedirs(root + "/etc")
    with open(root + "/etc/os-release", "w", encoding="ascii") as file:
        file.write("ID=debian\nVERSION_ID=12\n")
    with open(root + "/var/lib/dpkg/status", "w", encoding="ascii") as file:
        for i in range(PACKAGES):
            file.write(f"Package: package-number-{i}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: {i}\n"
                       f"Maintainer: Somebody <somebody@example.org>\nArchitecture: amd64\nSource: source-{i // 3} (1:{i}.0-1)\nVersion: 1:{i}.0+dfsg-1+b1\n"
                       f"Depends: libc6 (>= 2.34), package-number-{i // 2}\nDescription: a package\n With some lines of text that are no use here,\n and some more.\n\n")
    at = ["--root", root, "--state", state]
    took, rss, _ = run("collect", *at)
    print(f"{'the first collection':42} {took * 1000:8.2f} ms, {rss:.1f} MiB")
    runs = [run("list", "--installed", "--plain", *at) for _ in range(RUNS)]
    if {lines for _, _, lines in runs} != {PACKAGES}:
        sys.exit("bench: not all packages are listed")
    start = statistics.median(run("list", "--help")[0] for _ in range(RUNS))
    print(f"{'of it starting the process (--help)':42} {start * 1000:8.2f} ms")
    mark(f"identifiers of {PACKAGES} packages", statistics.median(r[0] for r in runs) * 1000, MARK_MS, "ms")
    mark("resident memory", max(r[1] for r in runs), MARK_MIB, "MiB")
sys.exit(failed > 0)
