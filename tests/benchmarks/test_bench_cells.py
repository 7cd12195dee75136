"""Cost of the kernels whose work is per cell, and of a whole step; one thread."""

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


@pytest.fixture
def crowd(make_state):
    """100^3 voxels of medium, 30 % of them motile cells in a CXCL12 gradient."""
    sites = np.flatnonzero(np.arange(10**6) * 2654435761 % 2**32 < 0.3 * 2**32)
    walker = {
        "label": "walker", "cxcr4": 1.0, "motility": "200 um^2/h", "chemotactic_sensitivity": 20.0,
        "persistence_time": "30 min", "motility_gain": 1.0, "division_time": "36 h", "death_rate": "0.2 /d",
        "niche_affinity": 1.0, "displacement_rate": "1 /d",
    }  # fmt: skip
    state = make_state((100, 100, 100), {"walker": sites}, {"walker": walker}, slots=np.arange(500, 10**6, 400))
    state.fields["cxcl12"][...] = np.linspace(0.2, 2.0, 100, dtype=np.float32)
    return state


@pytest.mark.parametrize("name", ["motility", "cycle", "niche"])
def test_process_on_a_crowd(crowd, benchmark, record, name):
    process = crowd.config.processes[name]
    process.update(crowd, Clock(0, 1.0, 1, 1))
    outcome = (crowd.cells.site.copy(), crowd.cells.status.copy())
    steps = iter(range(1, 10**6))
    benchmark.pedantic(lambda: process.update(crowd, Clock(next(steps), 1.0, 1, 1)), rounds=8)
    record(benchmark, *outcome)


@pytest.mark.parametrize("name", ["fields", "motility", "cycle", "niche", "circulation"])
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
