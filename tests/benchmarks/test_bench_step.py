"""Cost of a whole step of the bundled scenarios, one thread; 256^3 only where it is asked for (-m large)."""

import numpy as np
import pytest

from marrowsim.config import load_config
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation

SIZES = [64, 128, pytest.param(256, marks=pytest.mark.large)]
SETTLED = 3
ROUNDS = {64: 30, 128: 8, 256: 4}


def configuration(scenario, size):
    return load_config(scenario, PROCESSES, {"geometry.size": [f"{10 * size} um"] * 3})


@pytest.fixture(scope="module", params=SIZES)
def place(request):
    """A lattice and its geometry, which both scenarios share."""
    return request.param, build_geometry(configuration("homing", request.param))


@pytest.mark.parametrize("scenario", ["homing", "healthy"])
def test_step(place, scenario, benchmark, record):
    size, geometry = place
    simulation = Simulation(configuration(scenario, size), geometry=geometry, threads=1)
    simulation.run(steps=SETTLED)
    outcome = np.frombuffer(simulation.state.hash().encode(), dtype=np.uint8)
    benchmark.pedantic(simulation.run, kwargs={"steps": 1}, rounds=ROUNDS[size])
    record(benchmark, outcome)


def test_first_fields(place, benchmark, record):
    size, geometry = place
    config = configuration("homing", size)
    simulation = benchmark.pedantic(Simulation, (config,), {"geometry": geometry, "threads": 1}, rounds=3)
    record(benchmark, *simulation.state.fields.values())
