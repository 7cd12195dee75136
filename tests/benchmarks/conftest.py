"""Benchmarks compare ratios and results, not seconds.

`record(benchmark, outcome)` stores, after the benchmark ran, the ratio of its fastest round to the frozen
reference sweep timed in the same process, and the hash of its outcome. Both are compared with
baseline.json: another hash is a failure, and so is a ratio beyond `SLOWER`. To accept new figures, run
with MARROWSIM_UPDATE_BASELINE=1 and commit the file with the reason.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from marrowsim._engine import reference

BASELINE = Path(__file__).with_name("baseline.json")
SLOWER = 3.0
SIZE = 96


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="session")
def reference_seconds():
    """Fastest of many sweeps, measured anew at every call so that a noisy minute does not count."""
    source = np.random.default_rng(0).random((SIZE,) * 3).astype(np.float32)
    target = np.zeros_like(source)
    best = [np.inf]

    def measure():
        for _ in range(40):
            start = time.perf_counter()
            reference.sweep(source, target)
            best[0] = min(best[0], time.perf_counter() - start)
        return best[0]

    return measure


@pytest.fixture
def record(request, reference_seconds):
    """A function that checks one benchmark against the baseline."""

    def check(benchmark, *outcome):
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in outcome)).hexdigest()[:16]
        stats = getattr(benchmark, "stats", None)
        ratio = None if stats is None else stats.stats.min / reference_seconds()
        benchmark.extra_info.update(ratio=ratio, hash=digest)
        name = request.node.name
        known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        if os.environ.get("MARROWSIM_UPDATE_BASELINE") == "1":
            if ratio is not None:
                known[name] = {"ratio": round(ratio, 3), "hash": digest}
                BASELINE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            return
        assert name in known, "no baseline: run with MARROWSIM_UPDATE_BASELINE=1"
        assert digest == known[name]["hash"], "the result changed"
        if ratio is not None:
            assert ratio < SLOWER * known[name]["ratio"], f"slower: {ratio:.2f}, baseline {known[name]['ratio']:.2f}"

    return check
