"""Measure how far the ratios of the benchmarks scatter from process to process, and write noise.json.

    python tests/benchmarks/noise.py [--processes 15] [--neighbours 2] [--baseline]

Half of the processes run on the machine as it is, and half beside neighbours (one a core, where not said
otherwise) who copy memory.
With --baseline the medians of the first half also become the ratios of baseline.json.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from marrowsim import provenance
from marrowsim.benchmarks.machine import load, processor

FOLDER = Path(__file__).parent
NEIGHBOUR_BYTES = 2**26


def busy():
    """Copy memory until killed."""
    source = np.ones(NEIGHBOUR_BYTES, np.uint8)
    target = np.empty_like(source)
    while True:
        np.copyto(target, source)


def ratios() -> dict[str, float]:
    """The ratio of every benchmark in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-P", "-m", "pytest", str(FOLDER), "-q", "-m", "bench", "-p", "no:cacheprovider"]
        subprocess.run(
            [*command, f"--benchmark-json={report}", "--benchmark-max-time=0.3"], capture_output=True, check=False
        )
        if not report.exists():
            sys.exit("the benchmarks did not run; to see why: pytest tests/benchmarks -m bench")
        benchmarks = json.loads(report.read_text())["benchmarks"]
    return {item["name"]: item["extra_info"]["ratio"] for item in benchmarks if item["extra_info"].get("ratio")}


def main() -> None:
    """Run the processes by turns with and without neighbours, and write what was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=15, help="of each kind")
    options.add_argument("--neighbours", type=int, default=os.cpu_count(), help="who copy memory beside every second")
    options.add_argument("--baseline", action="store_true", help="make the medians the new baseline ratios")
    asked = options.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    loads = []
    for number in range(2 * asked.processes):
        kind = ("as it is", "beside neighbours")[number % 2]
        neighbours = [multiprocessing.Process(target=busy, daemon=True) for _ in range(asked.neighbours * (number % 2))]
        for neighbour in neighbours:
            neighbour.start()
        try:
            for name, ratio in ratios().items():
                found.setdefault(name, {}).setdefault(kind, []).append(ratio)
        finally:
            for neighbour in neighbours:
                neighbour.kill()
                neighbour.join()
        loads.append((load() or [None])[0])
        print(f"{number + 1} of {2 * asked.processes}, {kind}, load average {loads[-1]}", flush=True)
    write(found, loads, asked)
    if asked.baseline:
        rebase(found)


def write(found, loads, asked) -> None:
    """noise.json: the spread of each benchmark, and the medians of both kinds."""
    benchmarks = {}
    for name, kinds in sorted(found.items()):
        every = [ratio for ratios in kinds.values() for ratio in ratios]
        medians = {kind: round(statistics.median(ratios), 3) for kind, ratios in kinds.items()}
        benchmarks[name] = {"noise": round(max(every) / min(every) - 1, 3), "medians": medians}
    record = {
        "processor": processor(),
        "date": provenance.now(),
        "processes of each kind": asked.processes,
        "neighbours": asked.neighbours,
        "load averages": loads,
        "benchmarks": benchmarks,
    }
    (FOLDER / "noise.json").write_text(json.dumps(record, indent=1) + "\n")


def rebase(found) -> None:
    """Put the medians into baseline.json, for the benchmarks that it knows."""
    path = FOLDER / "baseline.json"
    known = json.loads(path.read_text())
    for name in known.keys() & found.keys():
        known[name]["ratio"] = round(statistics.median(found[name]["as it is"]), 3)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
