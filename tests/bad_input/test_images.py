"""Bad images of bone."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile


def blocks(shape=(20, 20, 20)):
    """Grey values with plates of bone."""
    return np.where(np.arange(shape[-1]) // 5 % 2, 200, 20).astype(np.uint8) * np.ones(shape, np.uint8)


def npz(values, **more):
    np.savez("bone.npz", grey=values, **more)
    return "bone.npz"


def nifti(values, spacing=0.02):
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((spacing,) * values.ndim)
    sitk.WriteImage(image, "bone.nii")
    return "bone.nii"


def tiff(values):
    tifffile.imwrite("bone.tif", values)
    return "bone.tif"


def cut(name, share=0.6):
    """Drop the end of a file."""
    with open(name, "r+b") as file:
        file.truncate(int(os.path.getsize(name) * share))
    return name


def folder(slices=()):
    os.mkdir("slices")
    for number, values in enumerate(slices):
        tifffile.imwrite(f"slices/{number}.tif", values)
    return "slices"


def named(name, content=b"?"):
    with open(name, "wb") as file:
        file.write(content)
    return name


def broken(values, value):
    values = values.astype(np.float32)
    values[3, 4, 5] = value
    return values


AT_20 = ["--spacing", "20"]
BONY = np.ones((20, 20, 20), np.uint8)
# Images: how one is made, further options, and words of the message.
IMAGES = {
    "unknown format": (lambda: named("bone.jpg"), AT_20, ["unknown image format", ".nrrd"]),
    "no ending": (lambda: named("bone"), AT_20, ["unknown image format", ".nrrd"]),
    "no spacing": (lambda: npz(blocks()), [], ["the voxel size is missing", "--spacing 19.5"]),
    "no spacing in TIFF": (lambda: tiff(blocks()), [], ["the voxel size is missing", "--spacing 19.5"]),
    "a header that says mm": (lambda: nifti(blocks(), 4.9), [], ["98000 x 98000", "check the voxel size"]),
    "absurd spacing": (lambda: npz(blocks()), ["--spacing", "90000"], ["the voxel size is impossible", "5000 um"]),
    "absurd spacing in header": (lambda: nifti(blocks(), 20.0), [], ["the voxel size is impossible", "5000 um"]),
    "spacing of zero": (lambda: npz(blocks()), ["--spacing", "0"], ["geometry.image.spacing", "out of bounds"]),
    "NaN": (lambda: npz(broken(blocks(), np.nan)), AT_20, ["1 voxels are NaN or infinite", "replace them"]),
    "infinite": (lambda: npz(broken(blocks(), np.inf)), AT_20, ["1 voxels are NaN or infinite", "replace them"]),
    "constant": (lambda: npz(BONY), AT_20, ["the image is empty", "at least two values"]),
    "truncated npz": (lambda: cut(npz(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "truncated TIFF": (lambda: cut(tiff(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "truncated NIfTI": (lambda: cut(nifti(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "empty file": (lambda: named("bone.nrrd", b""), AT_20, ["cannot be read", "copied completely"]),
    "text named npz": (lambda: named("bone.npz", b"bone"), AT_20, ["cannot be read", "copied completely"]),
    "2D": (lambda: npz(blocks((20, 20))), AT_20, ["not a volume", "three axes"]),
    "one slice": (lambda: tiff(blocks((1, 20, 20))), AT_20, ["bone.tif"]),
    "complex numbers": (lambda: npz(blocks() * 1j), AT_20, ["not plain numbers"]),
    "two volumes": (
        lambda: (np.savez("bone.npz", a=blocks(), b=blocks()), "bone.npz")[1],
        AT_20,
        ["not clear which array", "name it grey or bone"],
    ),
    "folder without slices": (folder, AT_20, ["holds no slices", ".tif"]),
    "slices of two sizes": (
        lambda: folder([blocks((20, 20)), blocks((20, 10))]),
        AT_20,
        ["slices differ in size", "remove previews"],
    ),
    "labels without meaning": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bone=[200]}"],
        ["have no meaning", "add them to the labels"],
    ),
    "unknown label": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bon=[200], marrow=[20]}"],
        ["geometry.image.labels.bon", "'bone'"],
    ),
    "vessels of labels that label none": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bone=[200], marrow=[20]}", "--set", 'vessels.source="labels"'],
        ["the labels of the vessels are not given", "remedy"],
    ),
    "vessel labels that would be grown over": (
        lambda: npz(np.where(np.arange(20) == 2, 9, blocks())),
        [*AT_20, "--set", "geometry.image.labels={bone=[200], marrow=[20], sinusoid=[9]}"],
        ["the image labels vessels", 'set vessels.source = "labels"'],
    ),
    "crop outside": (lambda: npz(blocks()), [*AT_20, "--crop", "900"], ["crop does not fit", "400"]),
    "crop too small": (lambda: npz(blocks()), [*AT_20, "--crop", "20"], ["crop"]),
    "threshold outside": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.threshold=900"],
        ["threshold does not separate", "leave the threshold out"],
    ),
    "all bone": (
        lambda: npz(broken(BONY, 2)),
        [*AT_20, "--set", "geometry.image.labels={bone=[1, 2]}"],
        ["there is no marrow", "check the threshold or labels"],
    ),
    "all marrow": (
        lambda: npz(broken(BONY, 2).astype(int)),
        [*AT_20, "--set", "geometry.image.labels={marrow=[1, 2]}"],
        ["there is no bone", "check the threshold or labels"],
    ),
    "almost no marrow": (
        lambda: npz(np.where(np.indices((20, 20, 20)).max(axis=0) < 1, 1, 2)),
        [*AT_20, "--set", "geometry.image.labels={marrow=[1], bone=[2]}"],
        ["too little marrow", "64 marrow voxels or more"],
    ),
}


@pytest.mark.parametrize("case", IMAGES)
def test_images(case, here, refuse, tree):
    make, options, words = IMAGES[case]
    name = make()
    before = tree(here)
    refuse(["run", "homing", "--bone", name, *options], *words)
    assert tree(here) == before
