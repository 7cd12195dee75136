"""The surface of a bone mask: its area, its normals, and the fabric that follows from them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import measure

# Smoothing of the mask before its surface is drawn (voxels): removes the steps, keeps 5-voxel rods.
SURFACE_SMOOTHING = 0.55
# The same before normals are taken: tilted plates and rods come out with a DA that is 0.02 to 0.03 small.
NORMAL_SMOOTHING = 1.0
# Directions in which intercepts are counted, on half a sphere; and steps of an axis in which normals are sorted.
DIRECTIONS = 1000
NORMAL_STEPS = 24
# Planes that are worked on at once.
SLAB = 16


@dataclass(frozen=True, eq=False)
class Fabric:
    """Mean intercept lengths of bone and marrow as an ellipsoid.

    Attributes
    ----------
    lengths : ndarray, shape (3,)
        Mean intercept length (um) along each axis, longest first: eigenvalues of the fabric tensor. Infinite along
        what nothing bounds, such as plates.
    axes : ndarray, shape (3, 3)
        Unit vector (x, y, z) of each axis, one a row: eigenvectors of the fabric tensor.
    anisotropy : float
        DA = 1 - shortest / longest: 0 where all directions are alike, 1 for plates and for rods.
    """

    lengths: np.ndarray
    axes: np.ndarray
    anisotropy: float


def surface_area(bone, region=None, threads: int = 1) -> float:
    """Area of the bone surface (voxel faces) by marching cubes on the lightly smoothed mask.

    Where bone meets the border of the array or of the region it is cut, and has no surface there: it
    is drawn as if it went on, and what lies beyond the border is not counted.
    """
    smooth, inside = _smoothed(bone, region, SURFACE_SMOOTHING)

    def area(planes) -> float:
        part = smooth[planes.start : planes.stop + 1]
        if not part.min() < 0.5 < part.max():
            return 0.0
        corners, faces, _, _ = measure.marching_cubes(part, 0.5)
        first, second, third = (corners[corner] for corner in faces.T)
        middle = np.rint((first + second + third) / np.float32(3)).astype(np.intp)
        doubled = _norms(np.cross(second - first, third - first))
        return 0.5 * float(doubled[inside[planes.start :][tuple(middle.T)]].sum(dtype=np.float64))

    return math.fsum(_by_slab(area, slice(0, len(smooth) - 1), threads))


def _by_slab(work, planes: slice, threads: int) -> list:
    """What `work` gives for the planes of each slab, in their order."""
    slabs = [slice(low, min(low + SLAB, planes.stop)) for low in range(planes.start, planes.stop, SLAB)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, slabs))


def _smoothed(bone, region, width) -> tuple[np.ndarray, np.ndarray]:
    """The bone mask smoothed by a Gaussian, and the region, both with one voxel around."""
    inside = np.ones(np.shape(bone), dtype=bool) if region is None else np.asarray(region, dtype=bool)
    inside = np.pad(inside, 1)
    bone = np.pad(np.asarray(bone, dtype=bool), 1, mode="edge")
    if region is not None:
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        bone = bone[tuple(nearest)]
    return ndimage.gaussian_filter(bone.astype(np.float32), width, mode="nearest"), inside


def surface_normals(bone, region=None, threads: int = 1) -> np.ndarray:
    """Sums of the normals (z, y, x) of those parts of the bone surface that face nearly one way, in arbitrary units.

    Opposite normals are taken as one.
    """
    smooth, inside = _smoothed(bone, region, NORMAL_SMOOTHING)
    rows = smooth.shape[1] * smooth.shape[2]
    values, within = smooth.ravel(), inside.ravel()
    places = 2 * NORMAL_STEPS + 1

    def sums(planes) -> np.ndarray:
        own = slice(planes.start * rows, planes.stop * rows)
        sites = own.start + np.flatnonzero(within[own] & (np.abs(values[own] - 0.5) < 0.499))
        vectors = np.stack([values[sites + step] - values[sites - step] for step in (rows, smooth.shape[2], 1)])
        vectors = vectors[:, (vectors != 0).any(axis=0)]
        vectors *= np.where(vectors[0] < 0, np.float32(-1), np.float32(1))
        steps = np.rint(NORMAL_STEPS * (1 + vectors / np.abs(vectors).sum(axis=0))).astype(np.intp)
        key = (steps[0] * places + steps[1]) * places + steps[2]
        return np.stack([np.bincount(key, weights=part, minlength=places**3) for part in vectors], axis=1)

    total = sum(_by_slab(sums, slice(1, len(smooth) - 1), threads))
    return total[(total != 0).any(axis=1)]


def fabric_of(normals, area, size, spacing) -> Fabric:
    """Fabric of `size` voxels with a bone surface of `area` voxel faces, of normals as `surface_normals` gives them."""
    if not len(normals) or not area:
        return Fabric(np.full(3, np.nan), np.full((3, 3), np.nan), np.nan)
    vectors = normals * (area / _norms(normals).sum())
    number = np.arange(DIRECTIONS) + 0.5
    height, turn = number / DIRECTIONS, np.pi * (1 + np.sqrt(5)) * number
    flat = np.sqrt(1 - height**2)
    direction = np.stack([height, flat * np.sin(turn), flat * np.cos(turn)], axis=1)
    # Not a matrix product, whose last digits differ with the number of threads.
    crossings = np.abs(np.einsum("ij,kj->ik", direction, vectors)).sum(axis=1) / size
    z, y, x = direction.T
    terms = np.stack([z * z, y * y, x * x, 2 * z * y, 2 * z * x, 2 * y * x], axis=1)
    zz, yy, xx, zy, zx, yx = np.linalg.lstsq(terms, crossings**2, rcond=None)[0]
    values, columns = np.linalg.eigh([[xx, yx, zx], [yx, yy, zy], [zx, zy, zz]])
    with np.errstate(divide="ignore"):
        lengths = spacing / np.sqrt(np.maximum(values, 0.0))
    return Fabric(lengths, columns.T, float(1.0 - np.sqrt(max(values[0], 0.0) / values[2])))


def _norms(vectors) -> np.ndarray:
    return np.sqrt((vectors**2).sum(axis=1))
