"""What is measured, in which order, and the results as plain data."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from marrowsim import provenance
from marrowsim.benchmarks.fields import field_rows
from marrowsim.benchmarks.machine import load, machine
from marrowsim.benchmarks.measure import Row, Yardsticks, clocks, since
from marrowsim.benchmarks.motion import automaton_rows, motion_rows
from marrowsim.benchmarks.peers import missing, peer_rows, verified
from marrowsim.benchmarks.problem import FieldProblem
from marrowsim.benchmarks.steps import step_rows

FORMAT = 1
DECAY_LENGTHS = (5, 10)
SHARES = (0.2, 0.5)
AUTOMATA = ((100, 10**5), (200, 10**6))
PEERS_UP_TO, QUICK_PEERS_UP_TO = 128, 64
THREADS_UP_TO = 256
VERIFIED_UP_TO = 64
QUICK_SIZES, SIZES = (64, 128), (64, 128, 256)
LINES = {
    "numba": "the explicit diffusion step and the one-per-site automaton",
    "pyamg": "algebraic multigrid",
}


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes
    ----------
    sizes : edges of the lattices in voxels.
    threads : numbers of threads; the first is used throughout, all of them on the largest lattice up to 256^3.
    quick : shorter rounds, and peers on a lattice of at most 64^3.
    """

    sizes: tuple[int, ...]
    threads: tuple[int, ...] = (1,)
    quick: bool = False

    @property
    def seconds(self) -> float:
        """Time to spend on a figure."""
        return 0.4 if self.quick else 1.5

    @property
    def peer_size(self) -> int:
        """Lattice of the comparison with peers: the largest asked for that is not too large for them, or just that."""
        limit = QUICK_PEERS_UP_TO if self.quick else PEERS_UP_TO
        return max((size for size in self.sizes if size <= limit), default=limit)

    @property
    def thread_size(self) -> int:
        """Lattice of the comparison between numbers of threads."""
        return max((size for size in self.sizes if size <= THREADS_UP_TO), default=min(self.sizes))

    def threads_at(self, size: int) -> tuple[int, ...]:
        """Numbers of threads on a lattice."""
        return self.threads if size == self.thread_size else self.threads[:1]

    @property
    def automata(self) -> tuple[tuple[int, int], ...]:
        """Lattices and numbers of cells of the one-per-site model."""
        largest = max(self.sizes)
        fitting = tuple((size, cells) for size, cells in AUTOMATA if size <= largest)
        return fitting or ((largest, largest**3 // 10),)


def run(plan: Plan, progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Measure everything; `progress(done, todo, what)` is called before every part.

    Returns
    -------
    dict
        "machine", "load before", "load after", "yardsticks", "rows" and "left out"; ready for JSON.
    """
    results = {"format": FORMAT, "command": provenance.command_line(), "machine": machine(), "load before": load()}
    absent = missing()
    left_out = [
        f"{LINES[name]}: {name} is not installed; to have it: pip install 'marrowsim[benchmark]'" for name in absent
    ]
    begun, yardsticks, rows = time.monotonic(), Yardsticks(), []
    parts = _parts(plan, absent, left_out)
    for done, (size, title, part) in enumerate(parts):
        progress(done, len(parts), title)
        yardsticks.measure(size)
        rows += part()
        yardsticks.measure(size)
    return results | {
        "load after": load(),
        "seconds": round(time.monotonic() - begun, 1),
        "sizes": list(plan.sizes),
        "threads": list(plan.threads),
        "yardsticks": [
            {"size": size, "copy (s)": yardsticks.copy(size), "sweep (s)": yardsticks.sweep(size)}
            for size in sorted({size for size, _, _ in parts})
        ],
        "rows": [_plain(row, yardsticks) for row in rows],
        "left out": left_out,
    }


def _parts(plan: Plan, absent: list[str], left_out: list[str]) -> list[tuple[int, str, Callable[[], Iterator[Row]]]]:
    """Lattice, title and work of every part."""
    parts = []
    for size in sorted({*plan.sizes, plan.peer_size}):
        for length in DECAY_LENGTHS:
            title = f"field, decay length {length} voxels, {size}^3"
            parts.append((size, title, functools.partial(_field_part, plan, size, length, absent, left_out)))
    for size in plan.sizes:
        for share in SHARES:
            work = functools.partial(motion_rows, size, share, plan.threads_at(size), plan.seconds)
            parts.append((size, f"motion, {share:.0%} occupied, {size}^3", work))
    for size, cells in plan.automata:
        work = functools.partial(automaton_rows, size, cells, 6 if plan.quick else 12, "numba" not in absent)
        parts.append((size, f"birth, death and migration of {cells} cells, {size}^3", work))
    for size in plan.sizes:
        rounds = 6 if plan.quick or size > 128 else 12
        parts.append((size, f"geometry and whole steps, {size}^3", functools.partial(step_rows, size, rounds)))
    return parts


def _field_part(plan: Plan, size: int, length: int, absent: list[str], left_out: list[str]) -> Iterator[Row]:
    problem = FieldProblem.make(size, length)
    if size <= VERIFIED_UP_TO or size == plan.peer_size:
        start = clocks()
        distance = verified(problem)
        values = {"decay length (voxels)": length, "distance": distance}
        yield Row("reference", "conjugate gradients in float64", size, since(start), 1, "", values)
    yield from field_rows(problem, plan.threads_at(size), plan.seconds)
    if size == plan.peer_size:
        try:
            yield from peer_rows(problem, plan.seconds, absent)
        except ArithmeticError as reason:
            left_out.append(f"peers at a decay length of {length} voxels, {size}^3, from one on: {reason}")


def _plain(row: Row, yardsticks: Yardsticks) -> dict[str, Any]:
    known = asdict(row)
    known["wall (s)"] = known.pop("took").wall
    return known | {
        "seconds": row.seconds,
        "copies": row.seconds / yardsticks.copy(row.size),
        "sweeps": row.seconds / yardsticks.sweep(row.size),
        "ns per voxel": 1e9 * row.seconds / row.size**3,
    }
