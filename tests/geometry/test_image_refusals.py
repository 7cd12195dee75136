"""Images that are refused, each with its reason."""

import gzip

import numpy as np
import pytest
import tifffile

from marrowsim.errors import ImageError
from marrowsim.geometry.image import read_bone


def broken(folder, name, values):  # noqa: PLR0912
    """A file that cannot be read as bone."""
    path = folder / "bone.npy"
    if name == "missing":
        return folder / "nowhere.nrrd"
    if name == "unknown format":
        path = folder / "bone.docx"
        path.write_bytes(b"PK")
        return path
    if name == "no volume in the archive":
        np.savez(folder / "bone.npz", a=np.zeros(3), b=np.zeros(4))
        return folder / "bone.npz"
    if name == "empty folder":
        return folder
    if name == "mixed slices":
        for edge in (20, 21):
            tifffile.imwrite(folder / f"{edge}.tif", np.zeros((edge, 20), dtype=np.uint8))
        return folder
    if name == "mixed pages":
        with tifffile.TiffWriter(folder / "bone.tif") as tiff:
            for edge in (20, 21):
                tiff.write(np.zeros((edge, 20), dtype=np.uint8))
        return folder / "bone.tif"
    if name == "flat":
        values = values[0]
    elif name == "4D":
        values = np.stack([values, values])
    elif name == "NaN":
        values[3, 4, 5] = np.nan
    elif name == "infinite":
        values[3, 4, 5] = np.inf
    elif name == "constant":
        values[:] = 3
    elif name == "complex":
        values = values.astype(np.complex64)
    elif name == "one slice":
        values = values[:1]
    elif name == "looks like labels":
        values = (np.indices(values.shape).sum(axis=0) % 4).astype(np.uint8)
    np.save(path, values)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "no such image"),
        ("unknown format", "unknown image format"),
        ("no volume in the archive", "not clear which array"),
        ("empty folder", "holds no slices"),
        ("mixed slices", "slices differ"),
        ("mixed pages", "slices differ"),
        ("flat", "not a volume"),
        ("4D", "not a volume"),
        ("NaN", "1 voxels are NaN or infinite"),
        ("infinite", "1 voxels are NaN or infinite"),
        ("constant", "bone cannot be told from marrow"),
        ("complex", "not plain numbers"),
        ("one slice", "too few voxels"),
        ("looks like labels", "looks like labels"),
    ],
)
def test_broken_images_are_refused(tmp_path, name, words, grey_bars):
    with pytest.raises(ImageError, match=words):
        read_bone(broken(tmp_path, name, grey_bars(np.float32)), spacing=20.0)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".tif", ".nii", ".nii.gz", ".nrrd", ".mha", ".vti"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_refused(tmp_path, ending, share, grey_bars, write):
    path, _ = write(tmp_path, ending, grey_bars())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match="cannot be read"):
        read_bone(path, spacing=20.0, voxel=20.0)


def test_a_header_without_its_data_is_refused(tmp_path, grey_bars, write):
    path, _ = write(tmp_path, ".mhd", grey_bars())
    (tmp_path / "bone.raw").unlink(missing_ok=True)
    (tmp_path / "bone.zraw").unlink(missing_ok=True)
    with pytest.raises(ImageError, match="cannot be read"):
        read_bone(path, voxel=20.0)


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_one_without_a_unit_is_no_voxel_size(tmp_path, ending, grey_bars, write_itk):
    path = tmp_path / f"bone{ending}"
    write_itk(path, grey_bars(), (1.0, 1.0, 1.0))
    if ending == ".nii":
        data = bytearray(path.read_bytes())
        data[123] = 0
        path.write_bytes(data)
    with pytest.raises(ImageError, match="voxel size is missing"):
        read_bone(path)
    assert read_bone(path, spacing=20.0, voxel=20.0).source["spacing_from"] == "given"


def test_missing_voxel_size_says_how_to_give_it(tmp_path, grey_bars):
    np.save(tmp_path / "bone.npy", grey_bars())
    with pytest.raises(ImageError, match=r"missing[\s\S]*--spacing 19\.5"):
        read_bone(tmp_path / "bone.npy")
    tifffile.imwrite(tmp_path / "bone.tif", grey_bars(), resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(ImageError, match="voxel size is missing"):
        read_bone(tmp_path / "bone.tif")


@pytest.mark.parametrize("spacing", [0, -10.0, np.nan, np.inf, 0.0195, 19500.0, (10, 10), "ten", (10, 10, -1)])
def test_impossible_voxel_sizes_are_refused(tmp_path, spacing, grey_bars):
    np.save(tmp_path / "bone.npy", grey_bars())
    with pytest.raises(ImageError, match="voxel size is impossible"):
        read_bone(tmp_path / "bone.npy", spacing=spacing)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop": 5000.0}, "crop does not fit"),
        ({"crop": -5.0}, "crop does not fit"),
        ({"crop": (100, 100)}, "crop does not fit"),
        ({"crop": ((0, 100), (0, 100), (300, 500))}, "crop does not fit"),
        ({"crop": ((100, 0), (0, 100), (0, 100))}, "crop does not fit"),
        ({"crop": 40.0}, "too few voxels"),
        ({"voxel": 100.0}, "too few voxels"),
        ({"voxel": 0.2}, "too many voxels"),
        ({"voxel": 0.0}, "voxel edge of the lattice is impossible"),
        ({"threshold": 500.0}, "threshold does not separate"),
        ({"threshold": np.nan}, "threshold does not separate"),
        ({"crop": ((0, 480), (0, 90), (200, 320))}, "no bone in the image"),
        ({"labels": {"bone": [7]}, "threshold": 3}, "exclude each other"),
        ({"labels": {"bone": [7]}}, "have no meaning"),
        ({"labels": {"bones": [7]}}, "did you mean 'bone'"),
        ({"labels": {"bone": [7], "marrow": [7]}}, "two meanings"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, options, words, grey_bars):
    np.save(tmp_path / "bone.npy", grey_bars())
    options = {"voxel": 10.0} | options
    with pytest.raises(ImageError, match=words):
        read_bone(tmp_path / "bone.npy", spacing=20.0, **options)


def test_labels_must_be_whole_numbers_and_leave_marrow(tmp_path, bars, grey_bars):
    np.save(tmp_path / "bone.npy", grey_bars().astype(np.float32) + 0.5)
    with pytest.raises(ImageError, match="whole numbers"):
        read_bone(tmp_path / "bone.npy", spacing=20.0, labels={"bone": [1]})
    np.save(tmp_path / "full.npy", bars().astype(np.uint8))
    with pytest.raises(ImageError, match="no marrow"):
        read_bone(tmp_path / "full.npy", spacing=20.0, labels={"bone": [0, 1]})
    with pytest.raises(ImageError, match="no bone"):
        read_bone(tmp_path / "full.npy", spacing=20.0, labels={"marrow": [0, 1]})
    marrow = read_bone(tmp_path / "full.npy", spacing=20.0, labels={"marrow": [0], "sinusoid": [1]}, require_bone=False)
    assert marrow.source["BV/TV"] == 0


def test_gzip_that_is_none_is_refused(tmp_path):
    with gzip.open(tmp_path / "bone.nii.gz", "wb") as stream:
        stream.write(b"not an image")
    with pytest.raises(ImageError, match="cannot be read"):
        read_bone(tmp_path / "bone.nii.gz", spacing=20.0)
