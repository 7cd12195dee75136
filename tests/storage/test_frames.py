"""Frames: written, read back by us and by VTK, byte for byte the same for the same state."""

import time

import h5py
import numpy as np
import pandas as pd
import pytest

from marrowsim.errors import RunFolderError
from marrowsim.storage import Frame, read_frame, write_frame
from marrowsim.storage.frames import rounded


@pytest.fixture
def state(simulate):
    simulation = simulate()
    simulation.run(steps=5)
    return simulation.state


def test_frame_of_a_state_says_what_is_in_it(state):
    frame = Frame.of(state)
    assert (frame.step, frame.time, frame.spacing) == (5, 30.0, 10.0)
    assert frame.tissue is state.tissue
    assert frame.cells["id"].is_monotonic_increasing
    assert frame.cells["type"].value_counts().to_dict() == {
        "tumour": 5,
        "hpc": 13,
        "car": 20,
        "lining": 0,
        "fibroblast": 0,
        "caf": 0,
    }
    assert frame.cells["status"].value_counts().to_dict() == {"free": 28, "bound": 5, "arrested": 0, "circulating": 5}
    assert frame.cells.loc[frame.cells.status == "circulating", ["x", "y", "z"]].isna().all(axis=None)
    car = frame.cells[frame.cells.type == "car"].iloc[0]
    z, y, x = np.unravel_index(state.geometry.residents["car"][0], state.tissue.shape)
    assert (car.x, car.y, car.z) == (10 * x + 5, 10 * y + 5, 10 * z + 5)
    assert frame.slots["occupied"].tolist() == [True] * 5 + [False] * 5


def test_frame_is_read_back_and_by_vtk(state, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    frame = Frame.of(state)
    write_frame(tmp_path / "frame.vtkhdf", frame)
    read = read_frame(tmp_path / "frame.vtkhdf")
    assert (read.step, read.time, read.spacing) == (frame.step, frame.time, frame.spacing)
    np.testing.assert_array_equal(read.tissue, frame.tissue)
    pd.testing.assert_frame_equal(read.cells, frame.cells)
    pd.testing.assert_frame_equal(read.slots, frame.slots)
    grid = pyvista.read(tmp_path / "frame.vtkhdf")
    assert grid.dimensions == tuple(n + 1 for n in frame.tissue.shape[::-1])
    assert grid.spacing == (10.0, 10.0, 10.0)
    np.testing.assert_array_equal(grid.cell_data["tissue"].reshape(frame.tissue.shape), frame.tissue)
    for name, field in frame.fields.items():
        np.testing.assert_array_equal(grid.cell_data[name].reshape(field.shape), read.fields[name])
        np.testing.assert_allclose(read.fields[name], field, rtol=2**-13, atol=0)
    types = grid.cell_data["cell_type"]
    assert np.count_nonzero(types) == (frame.cells.status != "circulating").sum()
    assert set(types[state.geometry.residents["car"]]) == {1 + state.config.code("car")}


def test_equal_frames_are_equal_files(state, tmp_path):
    write_frame(tmp_path / "one.vtkhdf", Frame.of(state))
    time.sleep(1.1)
    write_frame(tmp_path / "two.vtkhdf", read_frame(tmp_path / "one.vtkhdf"))
    assert (tmp_path / "one.vtkhdf").read_bytes() == (tmp_path / "two.vtkhdf").read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["one.vtkhdf", "two.vtkhdf"]


def test_row_order_of_cells_is_not_in_the_file(state, tmp_path):
    write_frame(tmp_path / "one.vtkhdf", Frame.of(state))
    order = np.arange(len(state.cells))[::-1].copy()
    for _, column in state.cells.arrays():
        column[:] = column[order]
    rows = state.cells.site >= 0
    state.occupant.reshape(-1)[state.cells.site[rows]] = np.flatnonzero(rows)
    write_frame(tmp_path / "two.vtkhdf", Frame.of(state))
    assert (tmp_path / "one.vtkhdf").read_bytes() == (tmp_path / "two.vtkhdf").read_bytes()


def test_rounding_is_to_nearest_even_at_12_bits():
    values = np.array(
        [0.0, -0.0, 1.0, 1 + 2**-13, 1 + 3 * 2**-13, 1 + 2**-12, -(2 - 2**-20), 1e-30, np.inf], np.float32
    )
    expected = np.array([0.0, -0.0, 1.0, 1.0, 1 + 2**-11, 1 + 2**-12, -2.0, 1e-30, np.inf], np.float32)
    result = rounded(values)
    np.testing.assert_allclose(result, expected, rtol=2**-13)
    np.testing.assert_array_equal(result[:7], expected[:7])
    assert np.signbit(result[1])


def test_frame_without_cells_and_slots(simulate, tmp_path):
    state = simulate().state
    state.remove_cells(np.ones(len(state.cells), bool))
    state.slots = state.slots[:0]
    write_frame(tmp_path / "frame.vtkhdf", Frame.of(state))
    read = read_frame(tmp_path / "frame.vtkhdf")
    assert len(read.cells) == len(read.slots) == 0
    assert list(read.cells["type"].cat.categories) == list(state.config.cell_names)


@pytest.mark.parametrize("harm", ["truncated", "text", "empty", "missing", "format", "foreign"])
def test_damaged_frames_are_refused(state, tmp_path, harm):
    path = tmp_path / "frame.vtkhdf"
    write_frame(path, Frame.of(state))
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:3000])
    elif harm == "text":
        path.write_text("not a frame")
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "missing":
        path.unlink()
    else:
        with h5py.File(path, "r+") as file:
            if harm == "format":
                file["marrowsim"].attrs["format"] = 99
            else:
                del file["marrowsim"]
    with pytest.raises(RunFolderError, match="another format" if harm == "format" else "cannot be read"):
        read_frame(path)
