"""A small run with everything that an export has to carry: bone that changes, cells in the blood, uneven times."""

import numpy as np
import pytest

import marrowsim as ms
from marrowsim import tissues
from marrowsim.config import load_config
from marrowsim.geometry.build import Geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.state import Status
from marrowsim.storage import RunFolder

SHAPE = (9, 10, 11)
STEPS = [0, 4, 8, 12, 16, 19]
SCENARIO = {
    "title": "a small run",
    "time": {"step": "6 min", "duration": "114 min"},
    "geometry": {"kind": "dish", "size": ["110 um", "100 um", "90 um"]},
    "vessels": {"source": "none"},
    "output": {"readouts_every": "12 min", "frames_every": "24 min", "checkpoint_every": "60 min"},
}


class Drift:
    """Changes the fields, tissue, cells and blood by a rule of the step."""

    name = "drift"

    def update(self, state, clock):
        place = np.arange(state.tissue.size, dtype=np.float32).reshape(SHAPE)
        for number, values in enumerate(state.fields.values()):
            values[...] = (1 + number) * (1.5 + np.sin(place / 50 + clock.step))
        free = np.flatnonzero((state.tissue.ravel() == tissues.MARROW) & (state.occupant.ravel() < 0))
        state.add_cells(0, free[clock.step : clock.step + 1], np.full(1, 0.25, np.float32), Status.FREE)
        state.add_cells(1, np.full(1, -1), np.ones(1, np.float32), Status.CIRCULATING)
        state.tissue.reshape(-1)[clock.step] = tissues.MARROW


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The run, finished."""
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[:3] = tissues.BONE
    tissue[:, 4:6, 4:6] = tissues.SINUSOID
    marrow = np.flatnonzero(tissue == tissues.MARROW)
    residents = {"car": marrow[100:120], "hpc": marrow[130:133]}
    geometry = Geometry(tissue, 9.75, residents, marrow[140:150], marrow[140:145], report={"source": "test"})
    config = load_config(SCENARIO, PROCESSES, {"geometry.voxel": "9.75 um"})
    simulation = Simulation(config, geometry=geometry, schedule=(Drift(),), threads=1)
    path = tmp_path_factory.mktemp("run") / "a"
    with RunFolder.create(path, simulation) as folder:
        simulation.run(recorders=[folder])
    found = ms.open_run(path)
    assert found.frames.steps == STEPS
    assert all((frame.cells["x"].isna()).any() == (frame.step > 0) for frame in found.frames)
    assert found.frames[0].bone_change is None
    assert found.frames[-1].bone_change.any()
    return found


@pytest.fixture(scope="session")
def frames(run):
    """Its frames, in memory."""
    return list(run.frames)


def grid_of(frame):
    """Cell types on the lattice: 0, or the code of the type plus 1."""
    cells = frame.cells[frame.cells["x"].notna()]
    grid = np.zeros(frame.tissue.shape, np.uint8)
    z, y, x = (np.floor(cells[axis].to_numpy() / frame.spacing).astype(int) for axis in "zyx")
    grid[z, y, x] = cells["type"].cat.codes + 1
    return grid


@pytest.fixture(scope="session")
def lattices(frames):
    """Every array of the lattice of every frame by name, from the frames themselves."""
    return [
        {
            "tissue": frame.tissue,
            "bone_change": np.zeros(SHAPE, np.int8) if frame.bone_change is None else frame.bone_change,
            "cell_type": grid_of(frame),
            **frame.fields,
        }
        for frame in frames
    ]
