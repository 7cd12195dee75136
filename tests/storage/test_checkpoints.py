"""Checkpoints carry the whole state, to the last bit, and notice when they do not."""

import h5py
import numpy as np
import pytest

from marrowsim.errors import RunFolderError
from marrowsim.storage.checkpoints import (
    DamagedFileError,
    checkpoint_hash,
    checkpoints,
    identity,
    read_checkpoint,
    read_geometry,
    write_checkpoint,
    write_geometry,
)


@pytest.fixture
def state(simulate):
    simulation = simulate()
    simulation.run(steps=7)
    return simulation.state


def test_state_comes_back_to_the_last_bit(state, tmp_path):
    path = write_checkpoint(tmp_path, state, "a (1),b\n1,2.5\n")
    read = read_checkpoint(path, state.config, state.geometry)
    assert read.readouts == "a (1),b\n1,2.5\n"
    assert read.state.hash() == state.hash()
    assert (read.state.step, read.state.next_id, read.state.tallies) == (7, state.next_id, {"drifted:tumour": 7})
    for name, array in state.parts():
        np.testing.assert_array_equal(dict(read.state.parts())[name], array)
    np.testing.assert_array_equal(read.state.occupant >= 0, state.occupant >= 0)
    assert checkpoint_hash(path) == (7, state.hash())


def test_the_last_two_are_kept(simulate, tmp_path):
    simulation = simulate()
    for _ in range(4):
        simulation.run(steps=1)
        write_checkpoint(tmp_path, simulation.state, "")
    assert [path.name for path in checkpoints(tmp_path)] == ["00000003.h5", "00000004.h5"]
    assert len(list(tmp_path.iterdir())) == 2


def test_geometry_comes_back(simulate, tmp_path):
    geometry = simulate().geometry
    write_geometry(tmp_path / "geometry.h5", geometry)
    read = read_geometry(tmp_path / "geometry.h5")
    for name in ("tissue", "slots", "held"):
        one, two = getattr(read, name), getattr(geometry, name)
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype
    assert list(read.residents) == list(geometry.residents)
    for name, sites in geometry.residents.items():
        np.testing.assert_array_equal(read.residents[name], sites)
    assert read.spacing == geometry.spacing
    assert read.report == {"source": "test", "voxels": 990, "fraction": 0.25}


def _flip(path, name):
    with h5py.File(path, "r+") as file:
        values = file[name][...]
        values.reshape(-1)[0] += 1
        file[name][...] = values


HARMS = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-500]),
    "text": lambda path: path.write_text("nothing"),
    "one value": lambda path: _flip(path, "tissue"),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("harm", HARMS)
def test_damage_is_noticed(state, tmp_path, harm):
    path = write_checkpoint(tmp_path, state, "")
    write_geometry(tmp_path / "geometry.h5", state.geometry)
    HARMS[harm](path)
    HARMS[harm](tmp_path / "geometry.h5")
    with pytest.raises(DamagedFileError, match="damaged or missing"):
        read_checkpoint(path, state.config, state.geometry)
    with pytest.raises(DamagedFileError, match="damaged or missing"):
        read_geometry(tmp_path / "geometry.h5")


def test_every_truncation_is_noticed(state, tmp_path):
    path = write_checkpoint(tmp_path, state, "x\n1\n")
    whole = path.read_bytes()
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError):
            read_checkpoint(path, state.config, state.geometry)


@pytest.mark.parametrize(("name", "value"), [("format", 99), ("marrowsim", "0.0.1")])
def test_other_versions_are_refused(state, tmp_path, name, value):
    path = write_checkpoint(tmp_path, state, "")
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(RunFolderError, match="another version") as refusal:
        read_checkpoint(path, state.config, state.geometry)
    assert not isinstance(refusal.value, DamagedFileError)


def test_another_scenario_is_refused_but_not_another_duration(simulate, tmp_path):
    state = simulate().state
    path = write_checkpoint(tmp_path, state, "")
    longer = simulate(duration="9 d").config
    assert identity(longer) == identity(state.config)
    assert read_checkpoint(path, longer, state.geometry).state.hash() == state.hash()
    with pytest.raises(RunFolderError, match="another scenario"):
        read_checkpoint(path, simulate(step="12 min").config, state.geometry)
