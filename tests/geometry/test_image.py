"""Bone from images: formats, voxel sizes, segmentation, crop, resampling."""

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from marrowsim.bone_morphometry import euler_characteristic
from marrowsim.geometry.image import read_bone
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, OUTSIDE, SINUSOID

DATA = Path(os.environ.get("MARROWSIM_DATA", Path(__file__).parents[3] / "shared" / "data"))
SPECIMEN = DATA / "human_trabecular_3155.npz"
needs_specimen = pytest.mark.skipif(not SPECIMEN.exists(), reason=f"no {SPECIMEN.name} (set MARROWSIM_DATA)")


@pytest.mark.parametrize(
    "ending",
    [".npz", ".npy", ".tif", ".ome.tiff", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".vti"],
)
def test_every_format_gives_the_same_bone(tmp_path, ending, bars, grey_bars, write):
    path, said = write(tmp_path, ending, grey_bars())
    bone = read_bone(path, voxel=20.0, **said)
    np.testing.assert_array_equal(bone.tissue == BONE, bars())
    assert bone.tissue.dtype == np.uint8
    assert bone.spacing == 20.0
    assert bone.source["segmentation"] == "Otsu"
    assert 60 < bone.source["threshold"] < 180
    assert bone.source["BV/TV"] == pytest.approx(bars().mean())
    assert bone.source["spacing"] == pytest.approx([20.0, 20.0, 20.0])


def test_cells_of_a_vti_are_voxels_too(tmp_path, bars, grey_bars, write_vti):
    write_vti(tmp_path / "cells.vti", grey_bars(), (1.0, 1.0, 1.0), points=False)
    bone = read_bone(tmp_path / "cells.vti", spacing=20.0, voxel=20.0)
    np.testing.assert_array_equal(bone.tissue == BONE, bars())


def test_a_folder_of_slices_is_stacked_in_natural_order(tmp_path, bars, grey_bars):
    for index, plane in enumerate(grey_bars()):
        tifffile.imwrite(tmp_path / f"slice_{index}.tif", plane)
    bone = read_bone(tmp_path, spacing=20.0, voxel=20.0)
    np.testing.assert_array_equal(bone.tissue == BONE, bars())
    assert bone.source["spacing_from"] == "given"
    first = bone.source["sha256"]
    tifffile.imwrite(tmp_path / "slice_3.tif", grey_bars()[4])
    assert read_bone(tmp_path, spacing=20.0, voxel=20.0).source["sha256"] != first


def test_provenance_names_the_file_by_its_content(tmp_path, grey_bars, write):
    path, _ = write(tmp_path, ".nrrd", grey_bars())
    source = read_bone(path, voxel=20.0).source
    assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source["shape"] == [24, 20, 16]
    assert source["spacing_from"] == "header"


def test_given_spacing_goes_before_the_header_and_both_are_kept(tmp_path, grey_bars, write):
    path, _ = write(tmp_path, ".mha", grey_bars())
    source = read_bone(path, spacing=(40, 40, 40), voxel=40.0).source
    assert source["spacing"] == [40.0, 40.0, 40.0]
    assert source["spacing_from"] == "given"
    assert source["spacing_in_header"] == pytest.approx([20.0, 20.0, 20.0])


def test_nrrd_units_are_heeded(tmp_path, grey_bars, write):
    path, _ = write(tmp_path, ".nrrd", grey_bars())
    head, data = path.read_bytes().split(b"\n\n", 1)
    head = head.replace(b"0.02", b"20") + b'\nspace units: "um" "um" "um"'
    path.write_bytes(head + b"\n\n" + data)
    assert read_bone(path, voxel=20.0).source["spacing"] == pytest.approx([20.0, 20.0, 20.0])


def test_nifti_in_micrometres(tmp_path, grey_bars, write):
    path, _ = write(tmp_path, ".nii", grey_bars())
    data = bytearray(path.read_bytes())
    data[80:92] = struct.pack("<3f", 20.0, 20.0, 20.0)
    data[123] = 3
    # The method that places the image carries its own scale: neither is used.
    data[252:256] = struct.pack("<2h", 0, 0)
    path.write_bytes(data)
    assert read_bone(path, voxel=20.0).source["spacing"] == pytest.approx([20.0, 20.0, 20.0])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float32])
def test_two_values_are_a_mask_whatever_their_type(tmp_path, dtype, bars):
    np.save(tmp_path / "mask.npy", np.where(bars(), 1, 0).astype(dtype))
    bone = read_bone(tmp_path / "mask.npy", spacing=10.0)
    np.testing.assert_array_equal(bone.tissue == BONE, bars())
    assert bone.source["segmentation"] == "mask"


def test_packed_mask_beside_grey_values(tmp_path, bars, grey_bars):
    path = tmp_path / "both.npz"
    np.savez(path, grey=grey_bars(), bone=np.packbits(~bars()), shape=bars().shape, spacing_um=[10.0, 10.0, 10.0])
    np.testing.assert_array_equal(read_bone(path).tissue == BONE, ~bars())
    by_threshold = read_bone(path, threshold=120)
    np.testing.assert_array_equal(by_threshold.tissue == BONE, bars())
    assert by_threshold.source["threshold"] == 120


def test_labels_become_tissue(tmp_path):
    values = np.ones((16, 20, 24), dtype=np.int16)
    values[:2], values[4:8], values[9, 3:9], values[12, 3:9], values[13, 3:9] = -5, 7, 30, 40, 41
    np.save(tmp_path / "labels.npy", values)
    meaning = {"bone": [7], "marrow": [1], "sinusoid": [30], "arteriole": [40, 41], "outside": [-5]}
    bone = read_bone(tmp_path / "labels.npy", spacing=10.0, labels=meaning)
    for value, code in ((-5, OUTSIDE), (1, MARROW), (7, BONE), (30, SINUSOID), (41, ARTERIOLE)):
        assert (bone.tissue[values == value] == code).all()
    assert bone.source["BV/TV"] == pytest.approx((values == 7).sum() / (values != -5).sum())
    finer = read_bone(tmp_path / "labels.npy", spacing=10.0, labels=meaning, voxel=5.0)
    expected = bone.tissue.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(finer.tissue, expected)


def test_crop_by_edge_and_by_range(tmp_path, bars):
    np.save(tmp_path / "mask.npy", bars((30, 30, 30)))
    whole = read_bone(tmp_path / "mask.npy", spacing=10.0).tissue
    middle = read_bone(tmp_path / "mask.npy", spacing=10.0, crop=260.0)
    np.testing.assert_array_equal(middle.tissue, whole[2:28, 2:28, 2:28])
    uneven = read_bone(tmp_path / "mask.npy", spacing=10.0, crop=(100, 200, 300))
    np.testing.assert_array_equal(uneven.tissue, whole[:, 5:25, 10:20])
    ranges = read_bone(tmp_path / "mask.npy", spacing=10.0, crop=((0, 100), (20, 120), (40, 300)))
    np.testing.assert_array_equal(ranges.tissue, whole[4:30, 2:12, 0:10])
    assert ranges.source["crop"] == [[0.0, 100.0], [20.0, 120.0], [40.0, 300.0]]


def test_crop_has_the_edge_asked_for_where_voxels_do_not_divide_it(tmp_path, bars):
    np.save(tmp_path / "mask.npy", bars((30, 30, 30)))
    bone = read_bone(tmp_path / "mask.npy", spacing=19.5, crop=400.0, voxel=10.0)
    assert bone.tissue.shape == (40, 40, 40)


@pytest.mark.parametrize("voxel", [3.0, 7.0, 10.0, 16.0])
def test_resampling_keeps_the_volume_and_the_connectivity_of_a_shell(tmp_path, voxel):
    radius = np.sqrt(((np.indices((48,) * 3) - 23.5) ** 2).sum(axis=0))
    shell = (radius < 20) & (radius > 12)
    np.save(tmp_path / "shell.npy", shell)
    bone = read_bone(tmp_path / "shell.npy", spacing=8.0, voxel=voxel)
    assert bone.tissue.shape == (round(48 * 8 / voxel),) * 3
    assert bone.source["BV/TV"] == pytest.approx(shell.mean(), abs=0.01)
    assert euler_characteristic(bone.tissue == BONE) == 2


def test_anisotropic_voxels_become_cubes(tmp_path):
    z, y, x = np.indices((20, 40, 60))
    ball = ((z - 9.5) * 30) ** 2 + ((y - 19.5) * 15) ** 2 + ((x - 29.5) * 10) ** 2 < 200**2
    np.save(tmp_path / "ball.npy", ball)
    bone = read_bone(tmp_path / "ball.npy", spacing=(10, 15, 30)).tissue == BONE
    assert bone.shape == (60, 60, 60)
    extents = [np.ptp(np.argwhere(bone)[:, axis]) for axis in range(3)]
    assert max(extents) - min(extents) <= 3
    assert bone.sum() * 10.0**3 == pytest.approx(4 / 3 * np.pi * 200**3, rel=0.03)


def test_own_voxels_are_kept_on_request(tmp_path, bars):
    np.save(tmp_path / "mask.npy", bars())
    bone = read_bone(tmp_path / "mask.npy", spacing=19.5, voxel=None)
    assert bone.spacing == 19.5
    np.testing.assert_array_equal(bone.tissue == BONE, bars())


@needs_specimen
def test_human_specimen_at_its_own_spacing_and_in_a_crop():
    whole = read_bone(SPECIMEN, voxel=19.5)
    assert whole.tissue.shape == (200, 200, 200)
    assert whole.source["BV/TV"] == pytest.approx(0.194, abs=0.01)
    crop = read_bone(SPECIMEN, crop=2000.0)
    assert crop.tissue.shape == (200, 200, 200)
    assert crop.source["BV/TV"] == pytest.approx(crop.source["BV/TV in the image"], abs=0.001)


@needs_specimen
def test_grey_values_of_the_human_specimen_by_otsu(tmp_path):
    with np.load(SPECIMEN) as archive:
        np.save(tmp_path / "grey.npy", archive["grey"])
    bone = read_bone(tmp_path / "grey.npy", spacing=19.5, voxel=19.5)
    assert bone.source["BV/TV"] == pytest.approx(0.194, abs=0.01)
