"""Trabecular morphometry of a bone mask, in the field's nomenclature (Bouxsein 2010, JBMR 25:1468)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import numpy as np
from scipy import ndimage
from skimage import measure

from ._engine import covering, distance
from .errors import Fault, ImageError

UNITS = MappingProxyType(
    {
        "BV/TV": "1",
        "BS/TV": "1/mm",
        "BS/BV": "1/mm",
        "Tb.Th": "um",
        "Tb.Th.SD": "um",
        "Tb.Sp": "um",
        "Tb.Sp.SD": "um",
        "Tb.N": "1/mm",
        "Conn.D": "1/mm3",
        "DA": "1",
        "MIL1": "um",
        "MIL2": "um",
        "MIL3": "um",
    }
)
"""Unit of each quantity that `morphometry` gives."""

UM_PER_MM = 1000.0
# Spheres of less than this radius (half voxels) are fitted on the grid of half voxels, those up to twice this radius
# (voxels) on that of voxels, larger ones on a grid coarsened to keep them above it.
FINE_RADIUS = 10.0
# Largest distance of two neighbours on that grid.
NEIGHBOUR = 3**0.5
# Spheres end at voxel centres of the other phase. So they are wider than plates by one voxel, and, as their centres too
# are on a grid, narrower than spheres by up to two thirds of one (voxels).
SPHERE_EXCESS = 0.3
# The excess of spheres that are centred on voxel centres alone.
SPHERE_EXCESS_AT_VOXELS = 0.5
# Smoothing of the mask before its surface is drawn (voxels): removes the steps, keeps 5-voxel rods.
SURFACE_SMOOTHING = 0.55
# The same before normals are taken: tilted plates and rods come out with a DA that is 0.02 to 0.03 small.
NORMAL_SMOOTHING = 1.0
# Directions in which intercepts are counted, on half a sphere; and steps of an axis in which normals are sorted.
DIRECTIONS = 1000
NORMAL_STEPS = 24


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


def morphometry(bone, spacing: float, region=None, threads: int = 1) -> dict[str, float]:
    """Bone volume, surface, thickness, separation, number, connectivity and anisotropy.

    Parameters
    ----------
    bone : array_like of bool, shape (z, y, x)
    spacing : voxel edge (um).
    region : array_like of bool, shape (z, y, x), optional
        The tissue volume TV, the whole array unless given. Voxels outside it are neither bone nor
        marrow; fitted spheres stay inside it and the bone surface along its border is not counted.
    threads : number of threads; never changes a result.

    Returns
    -------
    dict
        The quantities of `UNITS`. Tb.Th and Tb.Sp are volume-weighted means of the local thickness
        of bone and marrow (`local_thickness`), with standard deviations; Tb.N is
        1 / (Tb.Th + Tb.Sp); BS as in `surface_area`; DA and the mean intercept lengths MIL1 to MIL3
        as in `fabric`. Conn.D is (1 - `euler_characteristic`) / TV with edge correction, as BoneJ
        gives it: a block is a sample of a bone, and without the correction its Conn.D would go with
        its size. A region that is not a box has no faces to correct for: its bone is taken as it
        stands. Conn.D presumes that the bone is one piece.
        What has no value, such as the thickness of absent bone, is NaN.

    Raises
    ------
    ImageError
        If the arrays are not three-dimensional or differ in shape, the spacing is not positive, or
        the region is empty.
    """
    bone, region = _checked(bone, spacing, region)
    marrow = ~bone if region is None else region & ~bone
    total = (bone.size if region is None else np.count_nonzero(region)) * (spacing / UM_PER_MM) ** 3
    volume = np.count_nonzero(bone) * (spacing / UM_PER_MM) ** 3
    area = surface_area(bone, region)
    surface = area * (spacing / UM_PER_MM) ** 2
    intercepts = _fabric(_normals(bone, region, area), total / (spacing / UM_PER_MM) ** 3, spacing)
    thickness, thickness_sd = (spacing * value for value in thickness_moments(bone, threads=threads))
    separation, separation_sd = (spacing * value for value in thickness_moments(marrow, threads=threads))
    box = _bounds(region, bone.shape)
    connectivity = 1.0 - euler_characteristic(bone[box], edge_correction=region is None or region[box].all())
    return {
        "BV/TV": float(volume / total),
        "BS/TV": surface / total,
        "BS/BV": float(surface / volume) if volume else np.nan,
        "Tb.Th": thickness,
        "Tb.Th.SD": thickness_sd,
        "Tb.Sp": separation,
        "Tb.Sp.SD": separation_sd,
        "Tb.N": UM_PER_MM / (thickness + separation),
        "Conn.D": float(connectivity / total) if volume else np.nan,
        "DA": intercepts.anisotropy,
        **{f"MIL{number}": float(length) for number, length in enumerate(intercepts.lengths, 1)},
    }


def fabric(bone, spacing: float, region=None) -> Fabric:
    """Mean intercept lengths of all directions, and the ellipsoid of Harrigan & Mann (1984, J Mater Sci 19:761).

    MIL(w) is the length of test lines along w over the number of times that they cross the bone surface. The mean
    over all test lines needs none to be drawn: a surface element of area dA and normal n is crossed by lines along w
    in proportion to |n . w| dA, so MIL(w) = TV / sum |n . w| dA. Normals are gradients of the mask smoothed by one
    voxel, which has no steps that lines along the surface would cross; areas sum to `surface_area`. To 1 / MIL(w)^2 of
    1000 directions the quadratic form w . M w is fitted; the fabric tensor is M^(-1/2). DA as BoneJ defines it (Doube
    2010, Bone 47:1076); the ratio longest / shortest, DA of Bouxsein 2010, is 1 / (1 - DA).

    Parameters
    ----------
    bone, spacing, region : as in `morphometry`.

    Returns
    -------
    Fabric
        NaN throughout where there is no surface.

    Raises
    ------
    ImageError
        As `morphometry`.
    """
    bone, region = _checked(bone, spacing, region)
    size = bone.size if region is None else np.count_nonzero(region)
    return _fabric(_normals(bone, region, surface_area(bone, region)), size, spacing)


def thickness_moments(phase, radius_step: float = 0.0, threads: int = 1) -> tuple[float, float]:
    """Mean and standard deviation of `local_thickness` over a phase (voxels).

    NaN where the phase is empty or fills the array.
    """
    phase = np.asarray(phase, dtype=bool)
    if phase.all() or not phase.any():
        return np.nan, np.nan
    values = local_thickness(phase, radius_step, threads)[phase]
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


def local_thickness(phase, radius_step: float = 0.0, threads: int = 1) -> np.ndarray:
    """Diameter of the largest sphere inside a phase that covers each voxel (Hildebrand & Ruegsegger 1997).

    Centres are voxel centres and the points halfway between them, a sphere ends at the nearest voxel centre of the
    other phase, and covers the voxels whose centres are nearer than that. All spheres are fitted, none of them skipped.
    What the thinner ones cover is exact; those of 10 voxels in diameter and more cover on the grid of voxels, those of
    more than 40 on one coarsened so that their radius stays above 10, with an error below one of its edges in their
    reach. The array border bounds no sphere. Whatever the position of a plate, rod or sphere on the grid, the mean is
    right to the larger of one voxel and 2 %.

    Parameters
    ----------
    phase : array_like of bool, shape (z, y, x)
    radius_step : smallest step between radii, as a share of the radius: radii nearer than that are one. If above 0,
        only voxel centres are centres: quicker, and rods and spheres come out up to two voxels too thin.
    threads : number of threads; never changes a result.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Thickness in voxels, 0 outside the phase; infinite where the phase fills the array.
    """
    phase = np.asarray(phase, dtype=bool)
    thickness = np.zeros(phase.shape, dtype=np.float32)
    if phase.all():
        thickness[...] = np.inf
        return thickness
    if not phase.any():
        return thickness
    if radius_step:
        points, excess, finest = 1, SPHERE_EXCESS_AT_VOXELS, 0
        depth = squared_distance(~phase, threads)
    else:
        points, excess, finest = 2, SPHERE_EXCESS, int(FINE_RADIUS**2)
        held = int((FINE_RADIUS + NEIGHBOUR) ** 2)
        near, depth = distance.half_voxel_distance(_bytes(~phase), held, threads)
        covering.largest_cover(near, np.arange(held), threads, points, finest - 1)
        diameter = np.sqrt(np.arange(finest + 1)).astype(np.float32) - np.float32(excess)
        diameter[[0, -1]] = 0.0
        thickness = diameter[near[::2, ::2, ::2]]
        del near
    depths = np.flatnonzero(np.bincount(depth.ravel()))
    depths = depths[depths >= max(finest, 1)]
    starts = np.array(_level_starts(depths, radius_step), dtype=np.intp)
    levels = zip(starts, [*starts, depths.size][1:], strict=True)
    diameters = [2.0 / points * np.sqrt(depths[start:stop]).mean() - excess for start, stop in levels]
    factors = points * 2 ** np.maximum(0, np.log2(np.sqrt(depths[starts]) / points / FINE_RADIUS).astype(int))
    for factor in np.unique(factors):
        low, high = np.searchsorted(factors, [factor, factor + 1])
        held = high if radius_step else np.searchsorted(depths, (np.sqrt(depths[high - 1]) + NEIGHBOUR * factor) ** 2)
        smallest = depths[starts[low:held]]
        block = int(factor) // points
        coarse = depth if block == 1 else measure.block_reduce(depth, block, np.max)
        ranks = np.searchsorted(smallest, np.arange(depths[-1] + 1), side="right").astype(np.int32)
        ranks[0] = -1
        radii = np.ceil((smallest - 0.5) / factor**2).astype(np.int64)
        drawn = radii.size
        if high < starts.size:
            # The centres of coarser spheres too, all with the largest radius here: one distance transform.
            drawn = high - low - 1
            reach = squared_distance(coarse >= smallest[drawn], threads) < radii[drawn]
            ranks[smallest[-1] :] = 0
        rank = ranks[coarse]
        covering.largest_cover(rank, np.concatenate([[0], radii]), threads, 1, drawn)
        if high < starts.size:
            rank[reach] = drawn + 1
        diameter = np.array([0.0, *diameters[low:high], 0.0], dtype=np.float32)[rank]
        np.maximum(thickness, _enlarged(diameter, block, phase.shape), out=thickness)
    if not radius_step:
        # Spheres that fill a larger one are left out, but on its coarser grid it may cover a little less.
        missed = phase & (thickness == 0.0)
        thickness[missed] = 2.0 / points * np.sqrt(depth[missed]) - excess
    thickness[~phase] = 0.0
    return thickness


def squared_distance(target, threads: int = 1) -> np.ndarray:
    """Squared Euclidean distance (voxels) of each voxel to the nearest one of a target.

    `target` is boolean [z, y, x]; the result int32 of the same shape, exact, 0 in the target and 2**30
    everywhere where the target is empty.
    """
    return distance.squared_distance(_bytes(target), threads)


def _bytes(mask) -> np.ndarray:
    return np.ascontiguousarray(mask, dtype=bool).view(np.uint8)


def surface_area(bone, region=None) -> float:
    """Area of the bone surface (voxel faces) by marching cubes on the lightly smoothed mask.

    Where bone meets the border of the array or of the region it is cut, and has no surface there: it
    is drawn as if it went on, and what lies beyond the border is not counted.
    """
    smooth, inside = _smoothed(bone, region, SURFACE_SMOOTHING)
    if not smooth.min() < 0.5 < smooth.max():
        return 0.0
    corners, faces, _, _ = measure.marching_cubes(smooth, 0.5)
    middle = np.rint(corners[faces].mean(axis=1)).astype(np.intp)
    first, second, third = corners[faces[inside[tuple(middle.T)]]].transpose(1, 0, 2)
    return 0.5 * float(_norms(np.cross(second - first, third - first)).sum(dtype=np.float64))


def _smoothed(bone, region, width) -> tuple[np.ndarray, np.ndarray]:
    """The bone mask smoothed by a Gaussian, and the region, both with one voxel around."""
    inside = np.ones(np.shape(bone), dtype=bool) if region is None else np.asarray(region, dtype=bool)
    inside = np.pad(inside, 1)
    bone = np.pad(np.asarray(bone, dtype=bool), 1, mode="edge")
    if region is not None:
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        bone = bone[tuple(nearest)]
    return ndimage.gaussian_filter(bone.astype(np.float32), width, mode="nearest"), inside


def _normals(bone, region, area) -> np.ndarray:
    """Normals of the bone surface (z, y, x), as long as its parts are large (voxel faces; in total `area`)."""
    smooth, inside = _smoothed(bone, region, NORMAL_SMOOTHING)
    places = np.flatnonzero(inside & (np.abs(smooth - 0.5) < 0.499))
    values = smooth.ravel()
    steps = (smooth.shape[1] * smooth.shape[2], smooth.shape[2], 1)
    vectors = np.stack([values[places + step] - values[places - step] for step in steps], axis=1)
    total = _norms(vectors).sum(dtype=np.float64)
    return vectors * (area / total) if area and total else np.empty((0, 3))


def _norms(vectors) -> np.ndarray:
    return np.sqrt((vectors**2).sum(axis=1))


def _fabric(faces, size, spacing) -> Fabric:
    """Fabric of `size` voxels with a surface of these normals (z, y, x)."""
    if not len(faces):
        return Fabric(np.full(3, np.nan), np.full((3, 3), np.nan), np.nan)
    vectors = _sorted_by_normal(faces.astype(np.float64))
    number = np.arange(DIRECTIONS) + 0.5
    height, turn = number / DIRECTIONS, np.pi * (1 + np.sqrt(5)) * number
    flat = np.sqrt(1 - height**2)
    direction = np.stack([height, flat * np.sin(turn), flat * np.cos(turn)], axis=1)
    crossings = np.abs(direction @ vectors.T).sum(axis=1) / size
    z, y, x = direction.T
    terms = np.stack([z * z, y * y, x * x, 2 * z * y, 2 * z * x, 2 * y * x], axis=1)
    zz, yy, xx, zy, zx, yx = np.linalg.lstsq(terms, crossings**2, rcond=None)[0]
    values, columns = np.linalg.eigh([[xx, yx, zx], [yx, yy, zy], [zx, zy, zz]])
    with np.errstate(divide="ignore"):
        lengths = spacing / np.sqrt(np.maximum(values, 0.0))
    return Fabric(lengths, columns.T, float(1.0 - np.sqrt(max(values[0], 0.0) / values[2])))


def _sorted_by_normal(vectors) -> np.ndarray:
    """Sums of the vectors of nearly one direction, opposite ones taken as one."""
    vectors = vectors[(vectors != 0).any(axis=1)]
    vectors *= np.where(vectors[:, :1] < 0, -1.0, 1.0)
    steps = np.rint(NORMAL_STEPS * (1 + vectors / np.abs(vectors).sum(axis=1, keepdims=True))).astype(np.intp)
    places = 2 * NORMAL_STEPS + 1
    key = (steps[:, 0] * places + steps[:, 1]) * places + steps[:, 2]
    return np.stack([np.bincount(key, weights=part) for part in vectors.T], axis=1)


def _bounds(region, shape) -> tuple[slice, ...]:
    """The box [z, y, x] around a region."""
    if region is None:
        return tuple(slice(length) for length in shape)
    return ndimage.find_objects(region.view(np.uint8))[0]


def euler_characteristic(bone, edge_correction: bool = False) -> float:
    """Euler characteristic of the bone: pieces minus handles plus cavities.

    Bone voxels that touch by a corner are connected (26 neighbours), marrow voxels by a face.

    Parameters
    ----------
    bone : array_like of bool, shape (z, y, x)
    edge_correction : bool
        False takes the bone as a body that ends at the border of the array. True gives the share of
        the block in the bone it was cut from: half of each face, a quarter of each edge and an eighth
        of each corner of the block belongs to its neighbours (Odgaard & Gundersen 1993, Bone 14:173).
    """
    bone = np.asarray(bone, dtype=bool)
    total = float(_euler_number(bone))
    if edge_correction:
        for kept in product((slice(None), 0, -1), repeat=3):
            part = bone[kept]
            if part.ndim < 3:
                total += (-0.5) ** (3 - part.ndim) * _euler_number(part)
    return total


def _euler_number(part) -> int:
    if part.ndim == 0:
        return int(part)
    if part.ndim == 1:
        return int(part[0]) + int(np.count_nonzero(part[1:] & ~part[:-1]))
    return int(measure.euler_number(part, connectivity=part.ndim))


def _level_starts(depths, radius_step) -> list[int]:
    """Where each radius to be tried begins in the ascending squared depths."""
    starts: list[int] = []
    smallest = 0.0
    for index, depth in enumerate(depths):
        if depth >= smallest:
            starts.append(index)
            smallest = depth * (1.0 + radius_step) ** 2
    return starts


def _enlarged(mask, factor, shape) -> np.ndarray:
    if factor == 1:
        return mask
    for axis in range(3):
        mask = mask.repeat(factor, axis=axis)
    return mask[tuple(slice(length) for length in shape)]


def _checked(bone, spacing, region):
    bone = np.asarray(bone)
    if bone.ndim != 3 or 0 in bone.shape:
        raise ImageError(
            Fault(
                "morphometry needs a volume",
                allowed="an array [z, y, x] of True (bone) and False (marrow)",
                given=f"an array of shape {bone.shape}",
                remedy="stack the slices into one array",
            )
        )
    if not (np.isscalar(spacing) and np.isfinite(spacing) and spacing > 0):
        raise ImageError(
            Fault("the voxel edge is wrong", allowed="a positive number of um", given=f"spacing={spacing!r}")
        )
    bone = bone.astype(bool, copy=False)
    if region is None:
        return bone, None
    region = np.asarray(region).astype(bool, copy=False)
    if region.shape != bone.shape or not region.any():
        raise ImageError(
            Fault(
                "the region does not fit the bone",
                allowed=f"a mask of shape {bone.shape} with at least one voxel set",
                given=f"a mask of shape {region.shape} with {np.count_nonzero(region)} voxels set",
                remedy="leave the region out to measure the whole array",
            )
        )
    return bone & region, region
