"""OME-Zarr, read by zarr and checked against version 0.5 of the specification."""

import shutil

import numpy as np
import pytest

from marrowsim.errors import ExportError
from marrowsim.export import export

zarr = pytest.importorskip("zarr", reason="the extra analysis is not installed")
EVEN = [0, 4, 8, 12, 16]


@pytest.fixture(scope="module")
def image(run, tmp_path_factory):
    """All frames but the last, which are evenly spaced."""
    path = export(run, tmp_path_factory.mktemp("zarr") / "a.ome.zarr", frames=EVEN)[0]
    return zarr.open_group(path, mode="r")


def mean_by_hand(values):
    """Means over blocks of two voxels along each axis."""
    shape = [-(-length // 2) for length in values.shape]
    found = np.zeros(shape)
    for place in np.ndindex(*shape):
        found[place] = values[tuple(slice(2 * start, 2 * start + 2) for start in place)].astype(float).mean()
    return found


def test_fields(image, lattices):
    fields = [channel["field"] for channel in image.attrs["marrowsim"]["channels"]]
    assert fields == ["cxcl12", "oxygen", "vegf"]
    assert image["0"].dtype == image["1"].dtype == np.float32
    assert image["0"].metadata.dimension_names == ("t", "c", "z", "y", "x")
    assert image["0"].shape == (5, 3, 9, 10, 11)
    assert image["1"].shape == (5, 3, 5, 5, 6)
    for number, lattice in enumerate(lattices[: len(EVEN)]):
        for channel, name in enumerate(fields):
            np.testing.assert_array_equal(image["0"][number, channel], lattice[name])
            np.testing.assert_allclose(image["1"][number, channel], mean_by_hand(lattice[name]), rtol=1e-6)


def test_labels(image, lattices):
    names = image["labels"].attrs["ome"]["labels"]
    assert names == ["tissue", "cell_type", "bone_change"]
    for name in names:
        label = image["labels"][name]
        assert label["0"].dtype == lattices[0][name].dtype
        whole = np.stack([lattice[name] for lattice in lattices[: len(EVEN)]])
        np.testing.assert_array_equal(label["0"][...], whole)
        np.testing.assert_array_equal(label["1"][...], whole[:, ::2, ::2, ::2])


def test_axes_and_scales(image):
    """Voxel i lies at scale * i + translation: its centre, in um; frames are 0.4 h apart."""
    multiscale = image.attrs["ome"]["multiscales"][0]
    assert [(axis["name"], axis["type"], axis.get("unit")) for axis in multiscale["axes"]] == [
        ("t", "time", "hour"),
        ("c", "channel", None),
        *((name, "space", "micrometer") for name in "zyx"),
    ]
    placed = [[part.get("scale", part.get("translation")) for part in level["coordinateTransformations"]]
              for level in multiscale["datasets"]]  # fmt: skip
    assert placed == [
        [[pytest.approx(0.4), 1, 9.75, 9.75, 9.75], [0, 0, 4.875, 4.875, 4.875]],
        [[pytest.approx(0.4), 1, 19.5, 19.5, 19.5], [0, 0, 9.75, 9.75, 9.75]],
    ]


def test_names_and_windows(image, frames, lattices):
    channels = image.attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["CXCL12 (nM)", "oxygen (mmHg)", "VEGF (nM)"]
    whole = np.stack([lattice["oxygen"] for lattice in lattices[: len(EVEN)]])
    assert (channels[1]["window"]["start"], channels[1]["window"]["end"]) == (whole.min(), whole.max())
    properties = image["labels/cell_type"].attrs["ome"]["image-label"]["properties"]
    assert {entry["label-value"]: entry["name"] for entry in properties} == dict(
        enumerate(frames[0].cells["type"].cat.categories, 1)
    )
    properties = image["labels/tissue"].attrs["ome"]["image-label"]["properties"]
    assert {"label-value": 2, "name": "bone"} in properties


def test_uneven_times(run, frames, tmp_path):
    """The format has one scale for time: where that would be untrue, t counts frames and the times stand beside it."""
    image = zarr.open_group(export(run, tmp_path / "a.ome.zarr")[0], mode="r")
    multiscale = image.attrs["ome"]["multiscales"][0]
    assert multiscale["axes"][0] == {"name": "t", "type": "time"}
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"][0] == 1
    assert image.attrs["marrowsim"]["time (h)"] == [frame.time / 60 for frame in frames]


def test_no_field(run, tmp_path):
    with pytest.raises(ExportError, match="an image needs a field"):
        export(run, tmp_path / "a.ome.zarr", fields=[])
    assert list(tmp_path.iterdir()) == []


def test_by_the_models_of_the_specification(run, tmp_path):
    """Metadata of image and labels, and the arrays that they name; and that the check would find a fault."""
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    yaozarrs = pytest.importorskip("yaozarrs", reason="yaozarrs is not installed")
    for frames in ("all", EVEN):
        path = export(run, tmp_path / "a.ome.zarr", frames=frames, force=True)[0]
        yaozarrs.validate_zarr_store(path)
        for name in ("tissue", "cell_type", "bone_change"):
            yaozarrs.validate_zarr_store(path / "labels" / name)
    shutil.rmtree(path / "1")
    with pytest.raises(ValueError, match="1"):
        yaozarrs.validate_zarr_store(path)
