"""Times as minima, the two yardsticks they are compared with, and hashes of outcomes."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marrowsim._engine import reference

ROUNDS = 200


@dataclass
class Row:
    """One figure.

    Attributes
    ----------
    group : table that it belongs to.
    name : what was timed.
    size : voxels along an edge of the lattice.
    seconds : minimum over the rounds.
    threads : threads used.
    hash : of the outcome; empty where there is none.
    values : whatever else the table shows.
    """

    group: str
    name: str
    size: int
    seconds: float
    threads: int = 1
    hash: str = ""
    values: dict[str, Any] = field(default_factory=dict)


class Yardsticks:
    """What a copy and a sweep cost on each lattice; the minimum of all measurements of a run."""

    def __init__(self) -> None:
        self._best: dict[int, list[float]] = {}

    def measure(self, size: int, seconds: float = 0.3) -> None:
        """Time both on a lattice of `size`^3 voxels for about so long; earlier minima are kept."""
        source = np.ones((size,) * 3, np.float32)
        target = np.zeros_like(source)
        best = self._best.setdefault(size, [np.inf, np.inf])
        best[0] = min(best[0], fastest(lambda: np.copyto(target, source), seconds / 2, least=5))
        best[1] = min(best[1], fastest(lambda: reference.sweep(source, target), seconds / 2, least=3))

    def copy(self, size: int) -> float:
        """Seconds of `np.copyto` between two float32 arrays of `size`^3."""
        return self._best[size][0]

    def sweep(self, size: int) -> float:
        """Seconds of one sweep of the frozen reference loop over `size`^3 voxels."""
        return self._best[size][1]


def fastest(
    call: Callable[[], Any], seconds: float, *, least: int = 3, before: Callable[[], Any] | None = None
) -> float:
    """The least time of a call, over at least `least` rounds and until about `seconds` have been spent.

    Parameters
    ----------
    call : what is timed.
    seconds : time to spend.
    least : rounds that are made in any case.
    before : done before every round, and not timed.
    """
    best, spent, rounds = np.inf, 0.0, 0
    collecting = gc.isenabled()
    gc.disable()
    try:
        while rounds < least or (spent < seconds and rounds < ROUNDS):
            if before is not None:
                before()
            start = time.perf_counter()
            call()
            took = time.perf_counter() - start
            best, spent, rounds = min(best, took), spent + took, rounds + 1
    finally:
        if collecting:
            gc.enable()
    return best


def digest(*arrays: np.ndarray) -> str:
    """First 16 hexadecimal digits of the SHA-256 of arrays."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()[:16]
