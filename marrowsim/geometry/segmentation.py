"""From the values of an image to tissue codes on the lattice: smoothing, threshold, labels, resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, sparse
from skimage.filters import threshold_otsu

from ..errors import Fault, ImageError, nearest
from ..tissues import BONE, MARROW, NAMES

# Light smoothing before the threshold, in voxels of the image; the same rounds the steps of a mask
# that is resampled.
SMOOTHING = 0.7
OTSU_BINS = 1024
# An image of whole numbers with no more values than this (and more than two) is taken for labels.
FEW_VALUES = 8


@dataclass(frozen=True)
class Grid:
    """The lattice as seen from the image; all along z, y, x.

    Attributes
    ----------
    shape : voxels of the lattice.
    ratio : edge of a lattice voxel, in voxels of the image.
    origin : corner of the lattice, in voxels of the image from its corner.
    """

    shape: tuple[int, ...]
    ratio: tuple[float, ...]
    origin: tuple[float, ...]


def tissue_of_labels(values, labels, where: str) -> np.ndarray:
    """Tissue codes of a label image.

    Parameters
    ----------
    values : ndarray of whole numbers, shape (z, y, x)
    labels : mapping of tissue name to the values that mean it.
    where : name of the image, for errors.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)

    Raises
    ------
    ImageError
        If a tissue is unknown, a value has two meanings or none, or the image is not of whole numbers.
    """
    codes = {name: code for code, name in NAMES.items()}
    faults, meaning = [], {}
    for name, members in labels.items():
        if name not in codes:
            remedy = nearest(name, codes)
            faults.append(Fault("unknown tissue in the labels", ", ".join(codes), name, remedy, where))
            continue
        for value in members:
            if meaning.setdefault(int(value), name) != name:
                faults.append(
                    Fault(
                        "a label has two meanings",
                        "one tissue for each value",
                        f"{value} is {meaning[int(value)]} and {name}",
                        where=where,
                    )
                )
    present = np.unique(values)
    if not np.array_equal(present, np.rint(present)):
        given = f"values such as {present[present != np.rint(present)][0]:g}"
        faults.append(Fault("a label image holds whole numbers", "whole numbers", given, "leave the labels out", where))
    elif not faults and (unmapped := [int(value) for value in present if int(value) not in meaning]):
        faults.append(
            Fault(
                "some values of the image have no meaning",
                allowed="each value that occurs, named under one of " + ", ".join(codes),
                given=", ".join(map(str, unmapped[:10])) + (" ..." if len(unmapped) > 10 else ""),
                remedy="add them to the labels; 'outside' takes what is not part of the specimen",
                where=where,
            )
        )
    if faults:
        raise ImageError(*faults)
    table = np.array([codes[meaning[int(value)]] for value in present], dtype=np.uint8)
    return table[np.searchsorted(present, values)]


def bone_field(volume, threshold, where: str) -> tuple[np.ndarray, float, dict[str, Any]]:
    """A field that is above a level in bone, with that level and how it was found.

    A mask (boolean, or of two values, the higher one bone) is its own field with level 0.5; of grey
    values the field is the Gaussian-smoothed image, and the level Otsu's (1979) or the one given.
    """
    values = volume.values
    if threshold is None and (volume.kind == "mask" or values.dtype == bool or _two_valued(values)):
        return values == values.max(), 0.5, {"segmentation": "mask"}
    if threshold is not None and volume.grey is not None:
        values = volume.grey
    if threshold is None and values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        few = np.unique(values) if high - low < 256 else ()
        if 0 < len(few) <= FEW_VALUES:
            raise ImageError(
                Fault(
                    "the image looks like labels, and their meaning is not given",
                    allowed="grey values, a mask of two values, or labels with their meaning",
                    given="the values " + ", ".join(map(str, few)),
                    remedy="name the values under labels (bone, marrow, ...), or give a threshold",
                    where=where,
                )
            )
    smooth = ndimage.gaussian_filter(values.astype(np.float32), SMOOTHING, mode="nearest")
    if threshold is None:
        return smooth, float(threshold_otsu(smooth, nbins=OTSU_BINS)), {"segmentation": "Otsu"}
    if not smooth.min() < threshold < smooth.max():
        raise ImageError(
            Fault(
                "the threshold does not separate bone from marrow",
                allowed=f"between {smooth.min():g} and {smooth.max():g}",
                given=f"{threshold:g}",
                remedy="leave the threshold out to have it found (Otsu)",
                where=where,
            )
        )
    return smooth, float(threshold), {"segmentation": "threshold"}


def tissue_of_field(field, level: float, grid: Grid | None) -> tuple[np.ndarray, float]:
    """Bone and marrow on the lattice, and BV/TV before resampling.

    Where the voxel edge changes, the field is averaged (coarser) or interpolated linearly (finer) and
    cut where it gives the bone volume that it had, so that resampling neither adds nor removes bone.

    Parameters
    ----------
    field : ndarray of bool or float32, shape (z, y, x)
    level : bone is above it.
    grid : the lattice; None where its voxels are those of the field.
    """
    bone = field > level
    fraction = float(np.count_nonzero(bone) / bone.size)
    if grid is not None and 0 < fraction < 1:
        if field.dtype == bool:
            field = ndimage.gaussian_filter(field.astype(np.float32), SMOOTHING, mode="nearest")
        field = resample_field(field, grid)
        below = min(max(round((1.0 - fraction) * field.size), 1), field.size - 1)
        bone = field >= np.partition(field, below, axis=None)[below]
    elif grid is not None:
        bone = np.full(grid.shape, fraction == 1)
    return np.where(bone, np.uint8(BONE), np.uint8(MARROW)), fraction


def same_spacing(spacing, voxel: float) -> bool:
    """Whether the image has the voxel edge of the lattice already (to one part in a million)."""
    return bool(np.allclose(spacing, voxel, rtol=1e-6, atol=0.0))


def resample_field(field, grid: Grid) -> np.ndarray:
    """Field on the lattice, axis by axis: mean over the voxel where coarser, linear where finer."""
    along_z, along_y, along_x = (
        _weights(*axis) for axis in zip(field.shape, grid.shape, grid.ratio, grid.origin, strict=True)
    )
    planes = np.empty((field.shape[0], *grid.shape[1:]), dtype=np.float32)
    for index, plane in enumerate(field):
        planes[index] = along_y @ (along_x @ plane.T).T
    return (along_z @ planes.reshape(field.shape[0], -1)).reshape(grid.shape)


def resample_labels(codes, grid: Grid) -> np.ndarray:
    """Label of the nearest voxel centre of the image."""
    places = [
        np.minimum((origin + (np.arange(new) + 0.5) * ratio).astype(np.intp), old - 1)
        for old, new, ratio, origin in zip(codes.shape, grid.shape, grid.ratio, grid.origin, strict=True)
    ]
    return codes[np.ix_(*places)]


def _weights(old: int, new: int, ratio: float, origin: float) -> sparse.csr_array:
    """Rows of weights that sum to one: overlap of the voxels, at least as wide as a voxel of the image.

    The overlap of a window as wide as an old voxel with the old voxels is linear interpolation.
    """
    width = max(ratio, 1.0)
    start = origin + (np.arange(new) + 0.5) * ratio - 0.5 * width
    first = np.floor(start).astype(np.int64)
    columns = first[:, None] + np.arange(int(np.ceil(width)) + 1)
    overlap = np.minimum(columns + 1, start[:, None] + width) - np.maximum(columns, start[:, None])
    overlap = np.maximum(overlap, 0.0) / width
    rows = np.broadcast_to(np.arange(new)[:, None], columns.shape)
    entries = (rows.ravel(), np.clip(columns, 0, old - 1).ravel())
    return sparse.csr_array((overlap.ravel().astype(np.float32), entries), shape=(new, old))


def _two_valued(values) -> bool:
    low, high = values.min(), values.max()
    return bool(np.all((values == low) | (values == high)))
