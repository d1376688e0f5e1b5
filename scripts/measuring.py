"""What the measuring scripts share: where things are, how a process is measured, and what machine this is."""

import os
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RESULTS = ROOT / "benches" / "results"
# scripts/compare-peers makes it; scripts/measure only uses its matplotlib.
VENV = TARGET / "peers" / "venv"


def say(text):
    """Prints progress, apart from results."""
    print(text, file=sys.stderr, flush=True)


def build():
    """Builds flowsift as it is released, and returns the path of the binary."""
    say("building flowsift")
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    return TARGET / "release" / "flowsift"


def generate(flowsift, folder, *options):
    """Makes a corpus with `flowsift generate` unless the folder has one, and returns the folder."""
    if not (folder / "corpus.json").exists():
        say(f"making {folder}")
        command = [flowsift, "generate", "--out", folder, "--progress", "never", "-q", "--hubs", "off", *map(str, options)]
        subprocess.run(command, check=True)
    return folder


def busy_s():
    """Returns the processor seconds that all processes of the machine have used since it started."""
    with open("/proc/stat") as stat:
        ticks = list(map(int, stat.readline().split()[1:9]))
    idle, waiting_for_disk = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting_for_disk) / os.sysconf("SC_CLK_TCK")


def measured(command, env=None):
    """Runs a command in a fresh process.

    Returns its output as text, and its wall seconds, processor seconds, peak megabytes, and the share of a
    core that all other processes used meanwhile.
    """
    busy_before, begun = busy_s(), time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env
    )
    # Both pipes are small: a line of JSON and a summary.
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begun
    cpu_s = usage.ru_utime + usage.ru_stime
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{err.decode()[-2000:]}")
    usage = {
        "process_wall_s": wall_s,
        "process_cpu_s": cpu_s,
        "peak_mb": usage.ru_maxrss / 1024,
        "others": max(0.0, (busy_s() - busy_before - cpu_s) / wall_s),
    }
    return out.decode(), usage


def processor():
    """Returns the name of the machine's processor."""
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
