"""Cost per cell: motion with chemotaxis, and a one-per-site model of birth, death and migration."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from marrowsim.benchmarks.machine import PeakMemory
from marrowsim.benchmarks.measure import NEVER, Row, Took, digest, fastest
from marrowsim.processes import Clock
from marrowsim.processes.motility import Motility
from marrowsim.simulation import Simulation
from marrowsim.state import State

EDGE_UM = 10.0
ATTEMPT = 0.19
HOPS_PER_MINUTE = 1.0
DEATH, BIRTH, MOVE = 0.01, 0.01, 0.50
RAMP = 100
SEED = 1
BATCH = 5


def motion_rows(size: int, share: float, threads: Sequence[int], seconds: float) -> Iterator[Row]:
    """Sub-steps of motility with chemotaxis and persistence, in CXCL12 that rises and falls along x.

    Parameters
    ----------
    size : voxels along an edge.
    share : of the voxels that hold a cell; each is a mover, which tries to hop with a probability of 0.19.
    threads : numbers of threads.
    seconds : time to spend on each figure.
    """
    walker = {
        "label": "walker",
        "cxcr4": 1.0,
        "motility": f"{HOPS_PER_MINUTE * EDGE_UM**2 / 6!r} um^2/min",
        "motility_gain": 0.0,
        "chemotactic_sensitivity": 20.0,
        "persistence_time": "30 min",
    }
    scenario = _dish(size, share, {"walker": walker}) | {"time": {"step": f"{ATTEMPT!r} min", "duration": "10 d"}}
    wave = np.abs(np.arange(size) % (2 * RAMP) - RAMP) / RAMP
    for count in threads:
        simulation = Simulation.from_scenario(scenario, threads=count)
        state, process = simulation.state, simulation.config.processes["motility"]
        state.fields["cxcl12"][...] = (0.2 + 1.8 * wave).astype(np.float32)
        clocks = (Clock(step, ATTEMPT / HOPS_PER_MINUTE, SEED, count) for step in itertools.count())
        update = functools.partial(_update, process, state, clocks)
        update()
        outcome = state.hash()[:16]
        took = fastest(update, seconds, least=5)
        values = {"occupied": share, "movers": len(state.cells), "bytes per cell": _bytes_per_cell(state)}
        yield Row("motion", "chemotaxis and persistence", size, took, count, outcome, values)


def _update(process: Motility, state: State, clocks: Iterator[Clock]) -> None:
    process.update(state, next(clocks))


def automaton_rows(size: int, cells: int, batches: int, with_numba: bool) -> Iterator[Row]:
    """Steps in which a cell dies, divides or tries to hop with .01, .01 and .50: the model's processes, and numba.

    Parameters
    ----------
    size : voxels along an edge.
    cells : at the start; births and deaths are equally likely.
    batches : of five steps each, after one that does not count; the fastest is kept.
    with_numba : whether the loop of `numba_loops` runs as well.
    """
    memory = PeakMemory()
    simulation = Simulation.from_scenario(one_per_site(size, cells), threads=1)
    built = memory.grown()
    took = _best_per_cell(lambda: simulation.run(steps=BATCH), lambda: len(simulation.state.cells), batches)
    peak = memory.grown()
    values = {"cells": len(simulation.state.cells), "bytes per cell": _bytes_per_cell(simulation.state)}
    if built is not None and peak is not None:
        values["peak memory (MiB)"] = max(built, peak) / 2**20
    yield _automaton_row("marrowsim", size, took, simulation.state.hash()[:16], values)
    if with_numba:
        yield _numba_row(size, cells, batches)


def one_per_site(size: int, cells: int) -> dict[str, Any]:
    """The scenario: total event probability .02 a step, shared equally, and hops attempted with .50."""
    rate = -math.log(1.0 - BIRTH - DEATH) / 2.0
    cell = {
        "label": "one-per-site automaton",
        "motility": f"{MOVE * EDGE_UM**2 / 6!r} um^2/min",
        "division_time": f"{math.log(2) / rate!r} min",
        "death_rate": f"{rate!r} /min",
    }
    scenario = _dish(size, cells / size**3, {"automaton": cell})
    processes = {"cycle": {"oxygen_half": "1e-9 mmHg"}, "motility": {"attempts": 0.6}}
    scenario["processes"] = processes | {
        name: {"enabled": False} for name in ("fields", "hypoxia", "niche", "circulation")
    }
    return scenario


def _dish(size: int, share: float, cells: dict[str, Any]) -> dict[str, Any]:
    """Medium with one type of cell in a share of its voxels, and nothing else."""
    none = dict.fromkeys(("car", "fibroblast", "slots", "hpc_free"), "0 /mm^3")
    return {
        "title": "benchmark",
        "seed": SEED,
        "time": {"step": "1 min", "duration": "10 d"},
        "geometry": {"kind": "dish", "size": [f"{size * EDGE_UM!r} um"] * 3, "voxel": f"{EDGE_UM!r} um"},
        "vessels": {"source": "none"},
        "stroma": none | {"lining": "0 /mm^2"},
        "fields": {"oxygen": {"held_at": "150 mmHg"}, "cxcl12": {"held_at": "0 nM"}},
        "cells": cells,
        "seeding": [{"cell": next(iter(cells)), "density": f"{share * 1e9 / EDGE_UM**3!r} /mm^3"}],
        "output": dict.fromkeys(("readouts_every", "frames_every", "checkpoint_every"), "1000 d"),
    }


def _bytes_per_cell(state: State) -> float:
    """Bytes of the cell table, and of the occupant's number in the voxel, for one cell."""
    table = sum(column.nbytes for _, column in state.cells.arrays())
    return table / len(state.cells) + state.occupant.itemsize


def _best_per_cell(batch: Callable[[], None], count: Callable[[], int], batches: int) -> Took:
    """Time per cell and step of the fastest batch."""
    batch()
    best = NEVER
    for _ in range(batches):
        before = count()
        took = fastest(batch, 0.0, least=1)
        best = best.least(took.times(2 / BATCH / (before + count())))
    return best


def _automaton_row(name: str, size: int, per_cell: Took, outcome: str, values: dict[str, Any]) -> Row:
    shown = {"ns per cell and step": 1e9 * per_cell.processor, **values}
    return Row("automaton", name, size, per_cell.times(values["cells"]), 1, outcome, shown)


def _numba_row(size: int, cells: int, batches: int) -> Row:
    """The same model as agents, a grid and a shuffled order, by numba."""
    from marrowsim.benchmarks.numba_loops import EMPTY, automaton_step, seed_generator  # noqa: PLC0415  (optional)

    seed_generator(SEED)
    capacity = min(2 * cells, size**3)
    sites, order = np.full(capacity, EMPTY, np.int32), np.empty(capacity, np.int32)
    grid, around = np.full((size,) * 3, EMPTY, np.int32), np.empty(6, np.int32)
    sites[:cells] = np.random.Generator(np.random.Philox(SEED)).permutation(size**3)[:cells]
    grid.reshape(-1)[sites[:cells]] = np.arange(cells, dtype=np.int32)
    alive = cells

    def batch() -> None:
        nonlocal alive
        for _ in range(BATCH):
            alive = automaton_step(sites, alive, grid, order, around, DEATH, BIRTH, MOVE)

    took = _best_per_cell(batch, lambda: alive, batches)
    values = {"cells": alive, "bytes per cell": sites.itemsize + order.itemsize + grid.itemsize}
    return _automaton_row("numba, shuffled agents", size, took, digest(sites[:alive]), values)
