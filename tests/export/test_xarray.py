"""`Run.to_xarray`, and NetCDF read by xarray."""

import numpy as np
import pytest

from marrowsim.errors import RunFolderError
from marrowsim.export import export
from marrowsim.storage import dataset as dataset_module

xarray = pytest.importorskip("xarray", reason="the extra analysis is not installed")
pytest.importorskip("h5netcdf", reason="the extra analysis is not installed")


def check(dataset, frames, lattices):
    """Every array, coordinate and unit."""
    shape = frames[0].tissue.shape
    assert dict(dataset.sizes) == dict(zip(("time", "z", "y", "x"), (len(frames), *shape), strict=True))
    np.testing.assert_array_equal(dataset["time"], [frame.time / 60 for frame in frames])
    np.testing.assert_array_equal(dataset["step"], [frame.step for frame in frames])
    for axis, length in zip("zyx", shape, strict=True):
        np.testing.assert_array_equal(dataset[axis], (np.arange(length) + 0.5) * frames[0].spacing)
        assert dataset[axis].attrs["units"] == "um"
    assert dataset["time"].attrs["units"] == "h"
    assert set(dataset.data_vars) == set(lattices[0])
    for name in lattices[0]:
        assert dataset[name].dims == ("time", "z", "y", "x")
        assert dataset[name].dtype == lattices[0][name].dtype
        np.testing.assert_array_equal(dataset[name], np.stack([lattice[name] for lattice in lattices]), err_msg=name)
    assert dataset["oxygen"].attrs == {"units": "mmHg", "long_name": "oxygen"}
    assert dataset["cxcl12"].attrs == {"units": "nM", "long_name": "CXCL12"}
    meanings = dict(
        zip(dataset["cell_type"].attrs["flag_values"], dataset["cell_type"].attrs["flag_meanings"].split(), strict=True)
    )
    assert list(meanings.values()) == ["none", *frames[0].cells["type"].cat.categories]
    assert dataset["tissue"].attrs["flag_meanings"].split()[:3] == ["outside", "marrow", "bone"]
    np.testing.assert_array_equal(dataset["bone_change"].attrs["flag_values"], [-1, 0, 1])
    assert dataset.attrs["title"] == "a small run"
    assert dataset.attrs["seed"] == 1
    assert dataset.attrs["source"].startswith("marrowsim ")


def test_to_xarray(run, frames, lattices):
    check(run.to_xarray(), frames, lattices)


def test_netcdf(run, frames, lattices, tmp_path):
    path = export(run, tmp_path / "a.nc")[0]
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        check(dataset, frames, lattices)


def test_netcdf_of_some(run, frames, tmp_path):
    path = export(run, tmp_path / "a.nc", frames="4,16", fields=["oxygen"])[0]
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert set(dataset.data_vars) == {"tissue", "bone_change", "cell_type", "oxygen"}
        np.testing.assert_array_equal(dataset["step"], [4, 16])
        np.testing.assert_array_equal(dataset["oxygen"][1], frames[4].fields["oxygen"])


def test_only_what_is_asked_for_is_read(run, frames, monkeypatch):
    reads = []
    true = dataset_module.read_voxels

    def counted(path, name, key):
        values = true(path, name, key)
        reads.append((path.stem, name, values.shape))
        return values

    monkeypatch.setattr(dataset_module, "read_voxels", counted)
    dataset = run.to_xarray()
    oxygen = dataset["oxygen"]
    assert reads == []
    np.testing.assert_array_equal(oxygen[2, 4].values, frames[2].fields["oxygen"][4])
    assert reads == [("00000008", "oxygen", (10, 11))]


@pytest.mark.parametrize(
    "key",
    [
        np.s_[1],
        np.s_[1:5:2, ::-1, 3, 2:9:3],
        np.s_[[4, 1], 2, [0, 3], :],
        np.s_[..., -1],
        np.s_[3:3],
        np.s_[::-2, 1:2],
    ],
    ids=str,
)
def test_indexing(run, frames, key):
    whole = xarray.Variable(("time", "z", "y", "x"), np.stack([frame.fields["oxygen"] for frame in frames]))
    np.testing.assert_array_equal(run.to_xarray()["oxygen"].variable[key].values, whole[key].values)


def test_select_by_time_and_place(run, frames):
    point = run.to_xarray()["oxygen"].sel(time=0.8, x=50, y=20, z=70, method="nearest")
    assert float(point) == frames[2].fields["oxygen"][7, 2, 5]


def test_a_step_without_a_frame_is_refused(run):
    with pytest.raises(RunFolderError, match="no frame of that step"):
        run.to_xarray(steps=[0, 5])


def test_an_unknown_field_is_refused(run):
    with pytest.raises(RunFolderError, match="did you mean 'oxygen'"):
        run.to_xarray(fields=["oxigen"])
