"""Benchmarks compare ratios and results, not seconds.

`record(benchmark, outcome)` stores, after the benchmark ran, the ratio of its fastest round to the frozen
reference sweep timed in the same process, and the hash of its outcome. Times are processor times, so that a
neighbour who takes the core does not count; one who takes the memory bus still does. Both are compared with
baseline.json: another hash is a failure, and so is a ratio above

    baseline x (1 + max(FLOOR, noise))

The noise of each benchmark is how far the highest of its ratios lay above the lowest over many processes,
some on the machine as it was and some beside neighbours who copy memory on every core: noise.json, made by
`python tests/benchmarks/noise.py`. One without a measured noise is given the largest. On another model of
processor than the noise was measured on ratios are other ratios, and the limit is `ELSEWHERE` x baseline.

To accept new figures: MARROWSIM_UPDATE_BASELINE=1 pytest tests/benchmarks -m bench, and commit baseline.json
with the reason. This also appends them to history.csv, which is never rewritten.
"""

import csv
import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from marrowsim import provenance
from marrowsim._engine import reference
from marrowsim.benchmarks.machine import processor

BASELINE = Path(__file__).with_name("baseline.json")
HISTORY = Path(__file__).with_name("history.csv")
NOISE = Path(__file__).with_name("noise.json")
COLUMNS = ("date", "version", "commit", "processor", "benchmark", "ratio", "hash")
FLOOR = 0.15
ELSEWHERE = 3.0
SIZE = 96


def pytest_collection_modifyitems(config, items):
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.bench)
        item.add_marker(pytest.mark.benchmark(timer=time.process_time))
    large = [item for item in ours if item.get_closest_marker("large")]
    if large and "large" not in config.option.markexpr:
        items[:] = [item for item in items if item not in large]
        config.hook.pytest_deselected(items=large)


@pytest.fixture(scope="session")
def reference_seconds():
    """Fastest of many sweeps, measured anew at every call so that a noisy minute does not count."""
    source = np.random.default_rng(0).random((SIZE,) * 3).astype(np.float32)
    target = np.zeros_like(source)
    best = [np.inf]

    def measure():
        for _ in range(40):
            start = time.process_time()
            reference.sweep(source, target)
            best[0] = min(best[0], time.process_time() - start)
        return best[0]

    return measure


@pytest.fixture(scope="session")
def limit():
    """A function that tells the highest ratio allowed to the benchmark of that name, from its baseline."""
    noise = json.loads(NOISE.read_text())
    measured = {name: item["noise"] for name, item in noise["benchmarks"].items()}
    here = noise["processor"] == processor()

    def allowed(name, baseline):
        margin = max(FLOOR, measured.get(name, max(measured.values())))
        return baseline * (1 + margin if here else ELSEWHERE)

    return allowed


@pytest.fixture(scope="session")
def history():
    """A function that appends one figure to history.csv."""
    constant = (provenance.now(), provenance.software()["marrowsim"], provenance.git_revision(), processor())

    def append(*figure):
        fresh = not HISTORY.exists()
        with HISTORY.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if fresh:
                writer.writerow(COLUMNS)
            writer.writerow((*constant, *figure))

    return append


@pytest.fixture
def record(request, reference_seconds, limit, history):
    """A function that checks one benchmark against the baseline."""

    def check(benchmark, *outcome):
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in outcome)).hexdigest()[:16]
        stats = getattr(benchmark, "stats", None)
        ratio = None if stats is None else round(stats.stats.min / reference_seconds(), 3)
        name = request.node.name
        benchmark.extra_info.update(ratio=ratio, hash=digest)
        known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        if os.environ.get("MARROWSIM_UPDATE_BASELINE") == "1":
            if ratio is not None:
                known[name] = {"ratio": ratio, "hash": digest}
                BASELINE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
                history(name, ratio, digest)
            return
        assert name in known, "no baseline: run with MARROWSIM_UPDATE_BASELINE=1"
        baseline = known[name]["ratio"]
        assert digest == known[name]["hash"], "the result changed"
        if ratio is not None:
            assert ratio <= limit(name, baseline), f"slower: {ratio}, baseline {baseline}"

    return check
