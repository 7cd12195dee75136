"""Times as minima, the two yardsticks they are compared with, and hashes of outcomes."""

from __future__ import annotations

import gc
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from marrowsim._engine import reference

ROUNDS = 200


class Took(NamedTuple):
    """Seconds by two clocks: processor time of this process, and the clock on the wall.

    On an idle machine they agree for one thread. Beside busy neighbours the processor's does not count
    the time in which another process had the core, which no minimum over long rounds can avoid.
    """

    processor: float
    wall: float

    def least(self, other: Took) -> Took:
        """The smaller of each."""
        return Took(min(self.processor, other.processor), min(self.wall, other.wall))

    def times(self, factor: float) -> Took:
        """Both multiplied."""
        return Took(self.processor * factor, self.wall * factor)


NEVER = Took(math.inf, math.inf)


def clocks() -> Took:
    """Both clocks now."""
    return Took(time.process_time(), time.perf_counter())


def since(start: Took) -> Took:
    """What has passed since then."""
    now = clocks()
    return Took(now.processor - start.processor, now.wall - start.wall)


@dataclass
class Row:
    """One figure.

    Attributes
    ----------
    group : table that it belongs to.
    name : what was timed.
    size : voxels along an edge of the lattice.
    took : minimum over the rounds, by both clocks.
    threads : threads used.
    hash : of the outcome; empty where there is none.
    values : whatever else the table shows.
    """

    group: str
    name: str
    size: int
    took: Took
    threads: int = 1
    hash: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Processor time with one thread, time on the wall with several."""
        return self.took.processor if self.threads == 1 else self.took.wall


class Yardsticks:
    """What a copy and a sweep cost on each lattice; the minimum of all measurements of a run."""

    def __init__(self) -> None:
        self._best: dict[int, list[float]] = {}

    def measure(self, size: int, seconds: float = 0.3) -> None:
        """Time both on a lattice of `size`^3 voxels for about so long; earlier minima are kept."""
        source = np.ones((size,) * 3, np.float32)
        target = np.zeros_like(source)
        best = self._best.setdefault(size, [np.inf, np.inf])
        best[0] = min(best[0], fastest(lambda: np.copyto(target, source), seconds / 2, least=5).processor)
        best[1] = min(best[1], fastest(lambda: reference.sweep(source, target), seconds / 2, least=3).processor)

    def copy(self, size: int) -> float:
        """Seconds of `np.copyto` between two float32 arrays of `size`^3."""
        return self._best[size][0]

    def sweep(self, size: int) -> float:
        """Seconds of one sweep of the frozen reference loop over `size`^3 voxels."""
        return self._best[size][1]


def fastest(
    call: Callable[[], Any], seconds: float, *, least: int = 3, before: Callable[[], Any] | None = None
) -> Took:
    """The least time of a call, over at least `least` rounds and until about `seconds` have been spent.

    Parameters
    ----------
    call : what is timed.
    seconds : time to spend.
    least : rounds that are made in any case.
    before : done before every round, and not timed.
    """
    best, spent, rounds = NEVER, 0.0, 0
    collecting = gc.isenabled()
    gc.disable()
    try:
        while rounds < least or (spent < seconds and rounds < ROUNDS):
            if before is not None:
                before()
            start = clocks()
            call()
            took = since(start)
            best, spent, rounds = best.least(took), spent + took.wall, rounds + 1
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
