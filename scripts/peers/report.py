"""The tables and the plot of scripts/compare-peers."""

import json
import statistics
import subprocess

TITLES = {
    "chdb": "ClickHouse (chdb)",
    "duckdb": "DuckDB",
    "polars": "Polars",
    "datafusion": "DataFusion",
    "flowsift": "flowsift",
}
# In the order of the report.
WORKLOADS = {
    "job": "whole job: `flowsift detect` (findings written) against the queries of a detection batch",
    "hours": "the same work on both sides: records of both directions joined to connections by 5-tuple and folded by "
             "hour, host, remote, port, protocol and role (`flowsift sql` over `pair_hours`, the whole process)",
    "columns": "the 23 columns of flowsift's scan, decoded to batches (`flowsift inspect --decode`)",
    "sums": "count, bytes and packets of accepted records (`flowsift sql`, the whole process, here and below)",
    "hosts": "per internal host: records, bytes to external addresses, distinct destinations, fullest hour",
    "groups": "per source, destination, port and protocol: count, bytes, first and last",
    "rare": "remotes of at most two hosts with over 100 MB, with their host's baseline",
    "lookup": "every record of one host in one hour, all columns",
}
HEADER = [
    "| engine | wall s, median (least to most) | CPU s | peak memory MB | million rows/s | flowsift is |",
    "| --- | --- | --- | --- | --- | --- |",
]


def tables(runs, rows, notes):
    """Returns the lines of one table for each workload, the fastest engine first, with the workload's note."""
    lines = []
    for workload, title in WORKLOADS.items():
        by_engine = {}
        for run in runs:
            if run["workload"] == workload:
                by_engine.setdefault(run["engine"], []).append(run)
        if not by_engine:
            continue
        medians = {
            engine: {key: statistics.median(run[key] for run in own) for key in ("wall_s", "cpu_s", "peak_mb")}
            for engine, own in by_engine.items()
        }
        lines += [f"{title}:", "", *HEADER]
        for engine in sorted(by_engine, key=lambda engine: medians[engine]["wall_s"]):
            lines.append(_row(engine, by_engine[engine], medians, rows))
        lines.append("")
        if workload in notes:
            lines += [notes[workload], ""]
    return lines


def _row(engine, runs, medians, rows):
    """Returns an engine's row of a table."""
    walls = [run["wall_s"] for run in runs]
    middle = medians[engine]
    times = ""
    if engine != "flowsift" and "flowsift" in medians:
        times = f"{middle['wall_s'] / medians['flowsift']['wall_s']:.1f} × as fast"
    cells = [
        f"{TITLES[engine]} {runs[0]['version']}",
        f"{middle['wall_s']:.2f} ({min(walls):.2f} to {max(walls):.2f})",
        f"{middle['cpu_s']:.2f}",
        f"{middle['peak_mb']:,.0f}",
        f"{rows / middle['wall_s'] / 1e6:.1f}",
        times,
    ]
    return f"| {' | '.join(cells)} |"


# Runs with the Python of the peers, which has matplotlib.
PLOT = """
import json
import statistics
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

runs, path = json.load(sys.stdin), sys.argv[1]
workloads = list(dict.fromkeys(run["workload"] for run in runs))
across = min(4, len(workloads))
down = -(-len(workloads) // across)
figure, axes = plt.subplots(down, across, figsize=(4.2 * across, 3.0 * down), squeeze=False)
for axis in axes.flat[len(workloads):]:
    axis.set_visible(False)
for axis, workload in zip(axes.flat, workloads):
    walls = {}
    for run in runs:
        if run["workload"] == workload:
            walls.setdefault(run["engine"], []).append(run["wall_s"])
    names = sorted(walls, key=lambda engine: statistics.median(walls[engine]))
    middle = [statistics.median(walls[engine]) for engine in names]
    below = [median - min(walls[engine]) for median, engine in zip(middle, names)]
    above = [max(walls[engine]) - median for median, engine in zip(middle, names)]
    axis.barh(names, middle, color=["#1f6f8b" if engine == "flowsift" else "#b8c4c9" for engine in names])
    axis.errorbar(middle, names, xerr=[below, above], fmt="none", ecolor="#333", capsize=2)
    axis.invert_yaxis()
    axis.set_title(workload)
    axis.set_xlabel("seconds")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
plt.rcParams["svg.hashsalt"] = "flowsift"
figure.tight_layout()
figure.savefig(path, metadata={"Date": None})
"""


def plot(python, runs, path):
    """Draws the wall seconds of all workloads as SVG."""
    subprocess.run([python, "-c", PLOT, path], input=json.dumps(runs).encode(), check=True)
