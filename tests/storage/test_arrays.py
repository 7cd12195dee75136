"""Compressed arrays: read back by any HDF5, the same bytes for any number of threads, and little memory."""

import tracemalloc

import h5py
import numpy as np
import pytest

from marrowsim.storage import Frame, write_frame
from marrowsim.storage.checkpoints import read_checkpoint, write_checkpoint
from marrowsim.storage.files import new_hdf5, write_array
from marrowsim.storage.frames import rounded

SHAPES = [(1,), (600_001,), (70, 80, 90), (3, 700, 700), (5, 4, 3)]


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_are_read_back(tmp_path, dtype, shape):
    values = (1000 * np.random.default_rng(1).random(shape)).astype(dtype)
    for threads in (1, 3):
        with new_hdf5(tmp_path / f"{threads}.h5") as file:
            write_array(file, "values", values, threads=threads)
    with h5py.File(tmp_path / "1.h5") as file:
        assert file["values"].dtype == values.dtype
        assert np.array_equal(file["values"][...], values)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


def test_what_would_hardly_shrink_is_stored(tmp_path):
    """The upper bytes of a random int32 below 4 are 0, the lowest has 2 bits; random bytes stay what they are."""
    draw = np.random.default_rng(1)
    noise, few = draw.integers(0, 2**31, (70, 80, 90)).astype("i4"), draw.integers(0, 4, (70, 80, 90)).astype("i4")
    with new_hdf5(tmp_path / "file.h5") as file:
        for name, values in {"noise": noise, "few": few, "both": (few << 24) + (noise & 0xFFFFFF)}.items():
            write_array(file, name, values)
    with h5py.File(tmp_path / "file.h5") as file:
        sizes = {name: file[name].id.get_storage_size() / noise.size for name in file}
        assert np.array_equal(file["both"][...] & 0xFFFFFF, noise & 0xFFFFFF)
    assert sizes == pytest.approx({"noise": 4.0, "few": 0.27, "both": 3.26}, abs=0.05)


def test_empty_and_changed_arrays(tmp_path):
    field = np.random.default_rng(1).random((70, 80, 90), dtype=np.float32)
    with new_hdf5(tmp_path / "file.h5") as file:
        write_array(file, "none", np.empty(0, dtype=np.int64))
        write_array(file, "field", field, change=rounded)
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["none"].shape == (0,)
        assert np.array_equal(file["field"][...], rounded(field))


def test_vtk_reads_a_frame_of_many_chunks(tmp_path, large):
    pyvista = pytest.importorskip("pyvista")
    write_frame(tmp_path / "frame.vtkhdf", Frame.of(large), threads=2)
    grid = pyvista.read(tmp_path / "frame.vtkhdf")
    for name, field in large.fields.items():
        assert np.array_equal(grid.cell_data[name].reshape(field.shape), rounded(field))


def test_writing_and_hashing_copy_no_field(tmp_path, large):
    """Beyond the state: the compressed file, the cell types on the grid, and some chunks."""
    for write in (
        large.hash,
        lambda: write_frame(tmp_path / "frame.vtkhdf", Frame.of(large), threads=2),
        lambda: write_checkpoint(tmp_path, large, "text", threads=2),
    ):
        tracemalloc.start()
        write()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        packed = max((item.stat().st_size for item in tmp_path.iterdir()), default=0)
        assert peak < 1.3 * packed + large.tissue.size + 25e6


def test_reading_a_checkpoint_holds_the_state_and_its_arrays(tmp_path, large):
    path = write_checkpoint(tmp_path, large, "text")
    tracemalloc.start()
    checkpoint = read_checkpoint(path, large.config, large.geometry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checkpoint.state.hash() == large.hash()
    assert peak < 32 * large.tissue.size
