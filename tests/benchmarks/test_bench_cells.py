"""Cost of the kernels whose work is per cell, and of a whole step; one thread."""

import math

import numpy as np
import pytest

from marrowsim.config import load_config
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES, Clock
from marrowsim.simulation import Simulation


@pytest.fixture(scope="module")
def homing():
    """A homing run of 0.4 mm, two hours old: cells in the blood, at the walls, in the marrow."""
    overrides = {"geometry.size": ["400 um", "400 um", "400 um"]}
    simulation = Simulation(load_config("homing", PROCESSES, overrides), threads=1)
    simulation.run(steps=20)
    return simulation, np.frombuffer(simulation.state.hash().encode(), dtype=np.uint8)


WALKER = {
    "label": "walker", "cxcr4": 1.0, "motility": "200 um^2/h", "chemotactic_sensitivity": 20.0,
    "persistence_time": "30 min", "motility_gain": 1.0, "division_time": "36 h", "death_rate": "0.2 /d",
    "niche_affinity": 1.0, "displacement_rate": "1 /d",
}  # fmt: skip
SUBSTEP = 0.5  # min, in which the fastest walker hops with probability 0.2


@pytest.fixture
def crowd(request, make_state):
    """100^3 voxels of medium, a share of them motile cells in a CXCL12 gradient."""
    share = getattr(request, "param", 0.3)
    sites = np.flatnonzero(np.arange(10**6) * 2654435761 % 2**32 < share * 2**32)
    state = make_state((100, 100, 100), {"walker": sites}, {"walker": WALKER}, slots=np.arange(500, 10**6, 400))
    state.fields["cxcl12"][...] = np.linspace(0.2, 2.0, 100, dtype=np.float32)
    return state


def automaton(edge, cells):
    """The scenario of a one-per-site model: each step of a minute a cell dies or divides with probability 0.01
    each, and tries to hop with 0.5."""
    half = -math.log(1.0 - 0.02) / 2.0
    size, none = f"{10 * edge} um", dict.fromkeys(("car", "fibroblast", "slots", "hpc_free"), "0 /mm^3")
    cell = {
        "label": "automaton", "motility": f"{0.5 * 100 / 6!r} um^2/min",
        "division_time": f"{math.log(2.0) / half!r} min", "death_rate": f"{half!r} /min",
    }  # fmt: skip
    return {
        "time": {"step": "1 min", "duration": "10 d"},
        "geometry": {"kind": "dish", "size": [size, size, size], "voxel": "10 um"},
        "vessels": {"source": "none"},
        "stroma": none | {"lining": "0 /mm^2"},
        "fields": {"oxygen": {"held_at": "150 mmHg"}, "cxcl12": {"held_at": "0 nM"}},
        "cells": {"automaton": cell},
        "seeding": [{"cell": "automaton", "density": f"{cells / (edge * 0.01) ** 3!r} /mm^3"}],
        "processes": {"cycle": {"oxygen_half": "1e-9 mmHg"}, "motility": {"attempts": 0.6}}
        | {name: {"enabled": False} for name in ("injection", "fields", "hypoxia", "niche", "circulation")},
        "output": dict.fromkeys(("readouts_every", "frames_every", "checkpoint_every"), "1000 d"),
    }


def hashed(state):
    """What `record` compares: it does not depend on the order of the rows."""
    return np.frombuffer(state.hash().encode(), dtype=np.uint8)


def per_cell(benchmark, cells):
    """Note the nanoseconds for one cell in the fastest round."""
    if benchmark.stats is not None:
        benchmark.extra_info["ns_per_cell"] = 1e9 * benchmark.stats.stats.min / cells


@pytest.mark.parametrize("name", ["motility", "cycle", "niche"])
def test_process_on_a_crowd(crowd, benchmark, record, name):
    process = crowd.config.processes[name]
    process.update(crowd, Clock(0, 1.0, 1, 1))
    outcome = hashed(crowd)
    steps = iter(range(1, 10**6))
    benchmark.pedantic(lambda: process.update(crowd, Clock(next(steps), 1.0, 1, 1)), rounds=8)
    record(benchmark, outcome)


@pytest.mark.parametrize("crowd", [0.2, 0.5], indirect=True)
def test_sub_step_of_motion(crowd, benchmark, record):
    """With chemotaxis and persistence."""
    process = crowd.config.processes["motility"]
    process.update(crowd, Clock(0, SUBSTEP, 1, 1))
    outcome = hashed(crowd)
    steps = iter(range(1, 10**6))
    benchmark.pedantic(lambda: process.update(crowd, Clock(next(steps), SUBSTEP, 1, 1)), rounds=20)
    per_cell(benchmark, len(crowd.cells))
    record(benchmark, outcome)


@pytest.mark.parametrize(("edge", "cells"), [(100, 10**5), (200, 10**6)])
def test_birth_death_and_motion(benchmark, record, edge, cells):
    """Whole steps."""
    simulation = Simulation.from_scenario(automaton(edge, cells), seed=1, threads=1)
    simulation.run(steps=5)
    outcome = hashed(simulation.state)
    benchmark.pedantic(lambda: simulation.run(steps=5), rounds=8)
    per_cell(benchmark, 5 * len(simulation.state.cells))
    record(benchmark, outcome)


@pytest.mark.parametrize("name", ["fields", "hypoxia", "motility", "cycle", "niche", "circulation"])
def test_process_in_homing(homing, benchmark, record, name):
    simulation, outcome = homing
    process = simulation.config.processes[name]
    steps = iter(range(100, 10**6))
    benchmark.pedantic(lambda: process.update(simulation.state, Clock(next(steps), 6.0, 1, 1)), rounds=30)
    record(benchmark, outcome)


def test_geometry(benchmark, record):
    config = load_config("homing", PROCESSES, {"geometry.size": ["300 um", "300 um", "300 um"]})
    geometry = benchmark.pedantic(build_geometry, (config,), rounds=3)
    record(benchmark, geometry.tissue, geometry.slots, *geometry.residents.values())
