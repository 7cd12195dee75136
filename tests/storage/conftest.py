"""A small simulation whose only process is plain NumPy, so that storage is tested by itself."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.config import load_config
from marrowsim.geometry.build import Geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.state import State, Status

SHAPE = (9, 10, 11)


class Drift:
    """Changes everything that a checkpoint holds, by a rule of the step and the ids alone."""

    name = "drift"

    def update(self, state, clock):
        for number, values in enumerate(state.fields.values()):
            values[...] += np.float32(0.1 + number) * np.sin(
                np.arange(values.size, dtype=np.float32) + clock.step
            ).reshape(SHAPE)
        cells = state.cells
        cells.cxcr4[:] += np.float32(0.01) * (cells.id + clock.step).astype(np.float32)
        free = np.flatnonzero((state.tissue.ravel() == tissues.MARROW) & (state.occupant.ravel() < 0))
        state.add_cells(0, free[clock.step % 7 : clock.step % 7 + 1], np.ones(1, np.float32), Status.FREE)
        state.add_cells(1, np.full(1, -1), np.ones(1, np.float32), Status.CIRCULATING)
        state.tally("drifted", np.flatnonzero(cells.type == 0)[:1])
        state.tissue.reshape(-1)[clock.step] = tissues.BONE


def scenario(**time):
    """A dish of a few voxels with everything written down often, but not every step."""
    return {
        "time": {"step": "6 min", "duration": "2 h"} | time,
        "geometry": {"kind": "dish", "size": ["110 um", "100 um", "90 um"]},
        "vessels": {"source": "none"},
        "output": {"readouts_every": "12 min", "frames_every": "24 min", "checkpoint_every": "30 min"},
    }


def lattice():
    """Marrow with a block of bone and a tube of sinusoid, some cells and slots."""
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[:3] = tissues.BONE
    tissue[:, 4:6, 4:6] = tissues.SINUSOID
    tissue[-1, -1] = tissues.OUTSIDE
    marrow = np.flatnonzero(tissue == tissues.MARROW)
    return Geometry(
        tissue=tissue,
        spacing=10.0,
        residents={"car": marrow[100:120], "hpc": marrow[130:133], "lining": marrow[:0]},
        slots=marrow[140:150],
        held=marrow[140:145],
        report={"source": "test", "voxels": np.int64(tissue.size), "fraction": np.float64(0.25)},
    )


@pytest.fixture
def simulate():
    """A function that makes the simulation; a schedule and a duration may be given."""

    def make(*, schedule=None, **time):
        config = load_config(scenario(**time), PROCESSES)
        return Simulation(config, geometry=lattice(), schedule=(Drift(),) if schedule is None else schedule, threads=1)

    return make


@pytest.fixture
def drift():
    return Drift()


@pytest.fixture(scope="session")
def large():
    """A state of four million voxels with smooth fields."""
    shape = (160, 161, 162)
    config = load_config(
        scenario() | {"geometry": {"kind": "dish", "size": ["1620 um", "1610 um", "1600 um"]}}, PROCESSES
    )
    tissue = np.full(shape, tissues.MARROW, np.uint8)
    tissue[:40] = tissues.BONE
    slots = np.arange(1_100_000, 1_300_000, 1000)
    state = State(config, Geometry(tissue, 10.0, {}, slots, slots[:0]))
    place = np.arange(tissue.size, dtype=np.float32).reshape(shape)
    for number, field in enumerate(state.fields.values()):
        np.sin(place / (3000 + 700 * number), out=field)
    return state
