"""Bone from an image: voxel size, crop, segmentation and resampling to the lattice, with provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, ImageError
from ..tissues import BONE, MARROW, OUTSIDE
from .reading import Volume, checksum, read_volume
from .segmentation import (
    Grid,
    bone_field,
    resample_labels,
    same_spacing,
    tissue_of_field,
    tissue_of_labels,
)

SMALLEST_SPACING, LARGEST_SPACING = 0.1, 5000.0
FEWEST_VOXELS = 8
MOST_VOXELS = 2**30
SPACING_REMEDY = "give the voxel size in um, for instance --spacing 19.5"


@dataclass(frozen=True)
class BoneImage:
    """Bone on the lattice, read from an image.

    Attributes
    ----------
    tissue : ndarray of uint8, shape (z, y, x)
        Codes of `marrowsim.tissues`. Voxels are OUTSIDE only where the image labels them so.
    spacing : voxel edge (um), the same along all axes.
    source : what was read and how, in plain values: file, sha256, shape and spacing (x, y, z; um) of
        the image, where the spacing is from ("header" or "given") and what the header said, crop (um,
        ranges along x, y, z), segmentation, threshold, BV/TV before and after resampling.
    """

    tissue: np.ndarray
    spacing: float
    source: dict[str, Any]


def read_bone(
    path,
    *,
    spacing: float | Sequence[float] | None = None,
    threshold: float | None = None,
    labels: Mapping[str, Sequence[int]] | None = None,
    crop=None,
    voxel: float | None = 10.0,
    require_bone: bool = True,
) -> BoneImage:
    """Read bone and marrow from an image file or a folder of TIFF slices.

    Formats and the meaning of their voxel sizes: `marrowsim.geometry.reading.read_volume`.

    Parameters
    ----------
    path : file or folder.
    spacing : voxel edge, or edges (x, y, z), in um; goes before what the header says.
    threshold : grey value above which a voxel is bone; Otsu's of the whole lightly smoothed image
        unless given. Where a file holds a mask and its grey values, the mask is used unless a
        threshold is given.
    labels : meaning of the values of a label image, tissue name to values:
        ``{"bone": [2], "marrow": [1], "sinusoid": [3], "arteriole": [4], "outside": [0]}``.
    crop : edge or edges (x, y, z) in um of a box in the middle, or ((x0, x1), (y0, y1), (z0, z1))
        in um from the corner of the image; rounded to whole voxels of the lattice.
    voxel : voxel edge of the lattice (um); None keeps that of an image with equal edges, and takes
        the smallest of unequal ones.
    require_bone : refuse an image without bone.

    Raises
    ------
    ImageError
        If the image cannot be read, is not a volume of finite numbers, has no voxel size or an
        impossible one, lacks bone or marrow, or does not fit the crop, threshold or labels.
    """
    where = Path(path).name
    volume = read_volume(path)
    _check_values(volume.values, where)
    edges = _spacing(volume, spacing, where)
    voxel = min(edges) if voxel is None else _length(voxel, "the voxel edge of the lattice", where)
    low, high = _box(crop, volume.values.shape, edges, where)
    if same_spacing(edges, voxel):
        low, high = (np.rint(side / voxel) * voxel for side in (low, high))
    box, grid = _grid(low, high, edges, voxel)
    _check_size(grid.shape, high - low, voxel, where)

    if labels is not None and threshold is not None:
        raise ImageError(Fault("labels and a threshold exclude each other", "one of them", "both", where=where))
    if labels is not None:
        tissue = tissue_of_labels(volume.values[box], labels, where)
        before = _bone_fraction(tissue)
        how: dict[str, Any] = {"segmentation": "labels", "labels": {k: list(v) for k, v in labels.items()}}
        if not same_spacing(edges, voxel):
            tissue = resample_labels(tissue, grid)
    else:
        field, level, how = bone_field(volume, threshold, where)
        tissue, before = tissue_of_field(field[box], level, None if same_spacing(edges, voxel) else grid)
        if how["segmentation"] != "mask":
            how["threshold"] = level
    _check_tissue(tissue, require_bone, where)
    source = {
        "kind": "image",
        "file": where,
        "sha256": checksum(path),
        "shape": list(volume.values.shape[::-1]),
        "spacing": list(edges),
        "spacing_from": "header" if spacing is None else "given",
        "spacing_in_header": None if volume.spacing is None else list(volume.spacing),
        "crop": [[float(a), float(b)] for a, b in zip(low, high, strict=True)],
        **how,
        "BV/TV in the image": before,
        "BV/TV": _bone_fraction(tissue),
    }
    return BoneImage(np.ascontiguousarray(tissue), float(voxel), source)


def _check_values(values, where):
    if values.ndim != 3:
        raise ImageError(
            Fault(
                "the image is not a volume",
                allowed="three axes (z, y, x) and one number a voxel",
                given=f"{values.ndim} axes, shape {values.shape}",
                remedy="save one channel and one time point, all slices",
                where=where,
            )
        )
    if values.dtype.kind not in "biuf":
        raise ImageError(
            Fault("the voxels are not plain numbers", "whole or real numbers", str(values.dtype), "", where)
        )
    if values.size == 0 or min(values.shape) < 2:
        raise ImageError(
            Fault("the image has too few voxels", "2 or more along each axis", str(values.shape), "", where)
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError(
            Fault(
                "the image holds values that are not numbers",
                allowed="finite values",
                given=f"{np.count_nonzero(~np.isfinite(values))} voxels are NaN or infinite",
                remedy="replace them, for instance by the value of the background",
                where=where,
            )
        )
    if values.min() == values.max():
        raise ImageError(
            Fault(
                "the image is empty: bone cannot be told from marrow",
                allowed="at least two values",
                given=f"{values.min()} everywhere",
                remedy="check that the right file and array were saved",
                where=where,
            )
        )


def _spacing(volume: Volume, given, where) -> tuple[float, float, float]:
    stated = volume.spacing if given is None else given
    if stated is None:
        raise ImageError(
            Fault(
                "the voxel size is missing",
                allowed="a voxel edge in um, in the header or given",
                given=volume.note or "no voxel size in the file",
                remedy=SPACING_REMEDY,
                where=where,
            )
        )
    try:
        edges = tuple(float(edge) for edge in np.broadcast_to(np.asarray(stated, dtype=float), 3))
    except (ValueError, TypeError):
        edges = ()
    if not edges or not all(SMALLEST_SPACING <= edge <= LARGEST_SPACING for edge in edges):
        raise ImageError(
            Fault(
                "the voxel size is impossible, or in the wrong unit",
                allowed=f"one edge, or three (x, y, z), of {SMALLEST_SPACING:g} to {LARGEST_SPACING:g} um",
                given=f"{stated!r} um from the {'header' if given is None else 'caller'}",
                remedy=SPACING_REMEDY,
                where=where,
            )
        )
    return edges


def _length(value, what, where) -> float:
    try:
        length = float(value)
    except (TypeError, ValueError):
        length = np.nan
    if not SMALLEST_SPACING <= length <= LARGEST_SPACING:
        allowed = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g} um"
        raise ImageError(Fault(f"{what} is impossible", allowed, f"{value!r}", "", where))
    return length


def _box(crop, shape, edges, where) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (x, y, z) of the crop, in um from the corner of the image."""
    size = np.array(shape[::-1]) * edges
    if crop is None:
        return np.zeros(3), size
    try:
        numbers = np.asarray(crop, dtype=float)
        if numbers.shape != (3, 2):
            lengths = np.broadcast_to(numbers, 3)
            numbers = np.stack([0.5 * (size - lengths), 0.5 * (size + lengths)], axis=1)
    except (ValueError, TypeError):
        numbers = np.full((3, 2), np.nan)
    tolerance = 1e-6 * size
    low, high = numbers[:, 0], numbers[:, 1]
    if not ((low >= -tolerance) & (high <= size + tolerance) & (low < high)).all():
        raise ImageError(
            Fault(
                "the crop does not fit in the image",
                allowed="lengths (x, y, z) up to, or ranges within, "
                + " x ".join(f"{edge:g}" for edge in size)
                + " um",
                given=f"{crop!r}",
                remedy="choose a smaller box, or leave the crop out",
                where=where,
            )
        )
    return np.maximum(low, 0.0), np.minimum(high, size)


def _grid(low, high, edges, voxel) -> tuple[tuple[slice, ...], Grid]:
    """Slices [z, y, x] of the image that hold a box, and the lattice of the box in them."""
    first = np.floor(low / edges + 1e-6).astype(int)
    last = np.maximum(np.ceil(high / edges - 1e-6).astype(int), first + 1)
    shape = np.maximum(np.rint((high - low) / voxel), 1).astype(int)
    grid = Grid(
        shape=tuple(int(length) for length in shape[::-1]),
        ratio=tuple(float(ratio) for ratio in (voxel / np.asarray(edges))[::-1]),
        origin=tuple(float(start) for start in (low / edges - first)[::-1]),
    )
    return tuple(slice(int(a), int(b)) for a, b in zip(first[::-1], last[::-1], strict=True)), grid


def _check_size(lattice, size, voxel, where):
    if min(lattice) >= FEWEST_VOXELS and np.prod(lattice, dtype=float) <= MOST_VOXELS:
        return
    too_few = min(lattice) < FEWEST_VOXELS
    raise ImageError(
        Fault(
            f"the lattice would have too {'few' if too_few else 'many'} voxels",
            allowed=f"{FEWEST_VOXELS} or more along each axis, {MOST_VOXELS:.2g} or fewer in all",
            given=f"{' x '.join(map(str, lattice[::-1]))} voxels of {voxel:g} um for "
            + " x ".join(f"{edge:g}" for edge in size)
            + " um",
            remedy="check the voxel size of the image, "
            + ("take a larger crop or a finer lattice" if too_few else "crop it or take a coarser lattice"),
            where=where,
        )
    )


def _check_tissue(tissue, require_bone, where):
    needed = {"marrow": MARROW} | ({"bone": BONE} if require_bone else {})
    missing = [name for name, code in needed.items() if not (tissue == code).any()]
    if missing:
        raise ImageError(
            Fault(
                f"there is no {' and no '.join(missing)} in the image",
                allowed="a specimen with " + " and ".join(needed),
                given=f"BV/TV {_bone_fraction(tissue):.3g} in {tissue.size} voxels",
                remedy="check the threshold or labels, and that the crop holds both",
                where=where,
            )
        )


def _bone_fraction(tissue) -> float:
    inside = np.count_nonzero(tissue != OUTSIDE)
    return float(np.count_nonzero(tissue == BONE) / inside) if inside else 0.0
