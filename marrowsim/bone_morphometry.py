"""Trabecular morphometry of a bone mask, in the field's nomenclature (Bouxsein 2010, JBMR 25:1468)."""

from __future__ import annotations

from itertools import product
from types import MappingProxyType

import numpy as np
from scipy import ndimage
from skimage import measure

from ._engine import covering, distance
from .bone_surface import Fabric, fabric_of, surface_area, surface_normals
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
# Spheres of less than this radius (half voxels) are fitted on the grid of half voxels.
FINE_RADIUS = 10.0
# Larger ones on that of voxels, or one that is coarsened as long as their radius stays above this one. Separation in
# the human specimen comes out 0.3 % larger than without coarsening.
COARSE_RADIUS = 8.0
# Largest distance of two neighbours on that grid.
NEIGHBOUR = 3**0.5
# Spheres end at voxel centres of the other phase. So they are wider than plates by one voxel, and, as their centres too
# are on a grid, narrower than spheres by up to two thirds of one (voxels).
SPHERE_EXCESS = 0.3
# The excess of spheres that are centred on voxel centres alone.
SPHERE_EXCESS_AT_VOXELS = 0.5


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
    size = _size(bone, region)
    values = structure(bone, spacing, region, threads)
    area = values["BS/TV"] * size * spacing / UM_PER_MM
    intercepts = fabric_of(surface_normals(bone, region, threads), area, size, spacing)
    box = _bounds(region, bone.shape)
    connectivity = 1.0 - euler_characteristic(bone[box], edge_correction=region is None or region[box].all())
    return {
        **values,
        "Conn.D": connectivity / (size * (spacing / UM_PER_MM) ** 3) if values["BV/TV"] else np.nan,
        "DA": intercepts.anisotropy,
        **{f"MIL{number}": float(length) for number, length in enumerate(intercepts.lengths, 1)},
    }


def structure(bone, spacing: float, region=None, threads: int = 1) -> dict[str, float]:
    """What `morphometry` gives without connectivity and anisotropy, which cost as much again.

    Parameters, results and errors are those of `morphometry`.
    """
    bone, region = _checked(bone, spacing, region)
    marrow = ~bone if region is None else region & ~bone
    total = _size(bone, region) * (spacing / UM_PER_MM) ** 3
    volume = np.count_nonzero(bone) * (spacing / UM_PER_MM) ** 3
    surface = surface_area(bone, region, threads) * (spacing / UM_PER_MM) ** 2
    thickness, thickness_sd = (spacing * value for value in thickness_moments(bone, threads=threads))
    separation, separation_sd = (spacing * value for value in thickness_moments(marrow, threads=threads))
    return {
        "BV/TV": float(volume / total),
        "BS/TV": surface / total,
        "BS/BV": float(surface / volume) if volume else np.nan,
        "Tb.Th": thickness,
        "Tb.Th.SD": thickness_sd,
        "Tb.Sp": separation,
        "Tb.Sp.SD": separation_sd,
        "Tb.N": UM_PER_MM / (thickness + separation),
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
    area = surface_area(bone, region)
    return fabric_of(surface_normals(bone, region), area, _size(bone, region), spacing)


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
    more than 32 on one coarsened so that their radius stays above 8, with an error below one of its edges in their
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
        held_near = int((FINE_RADIUS + NEIGHBOUR) ** 2)
        near, depth = distance.half_voxel_distance(_bytes(~phase), held_near, threads)
    depths = np.flatnonzero(np.bincount(depth.ravel()))
    depths = depths[depths >= max(finest, 1)]
    starts = np.array(_level_starts(depths, radius_step), dtype=np.intp)
    levels = zip(starts, [*starts, depths.size][1:], strict=True)
    diameters = [2.0 / points * np.sqrt(depths[start:stop]).mean() - excess for start, stop in levels]
    factors = points * 2 ** np.maximum(0, np.log2(np.sqrt(depths[starts]) / points / COARSE_RADIUS).astype(int))
    for factor in np.unique(factors)[::-1]:
        low, high = np.searchsorted(factors, [factor, factor + 1])
        held = high if radius_step else np.searchsorted(depths, (np.sqrt(depths[high - 1]) + NEIGHBOUR * factor) ** 2)
        smallest = depths[starts[low:held]]
        block = int(factor) // points
        coarse = depth if block == 1 else measure.block_reduce(depth, block, np.max)
        ranks = np.searchsorted(smallest, np.arange(depths[-1] + 1), side="right").astype(np.int32)
        radii = np.ceil((smallest - 0.5) / factor**2).astype(np.int64)
        drawn = radii.size
        # What coarser spheres cover, they cover for good.
        asked = (coarse > 0) & (thickness[::block, ::block, ::block] == 0)
        if high < starts.size:
            # The centres of coarser spheres too, all with the largest radius here: one distance transform.
            drawn = high - low - 1
            asked &= squared_distance(coarse >= smallest[drawn], threads) >= radii[drawn]
            ranks[smallest[-1] :] = 0
        rank = ranks[coarse]
        covering.largest_cover(rank, np.concatenate([[0], radii]), _bytes(asked), threads, 1, drawn)
        diameter = np.array([0.0, *diameters[low:high], 0.0], dtype=np.float32)[rank]
        np.maximum(thickness, _enlarged(diameter, block, phase.shape), out=thickness)
    if not radius_step:
        asked = _bytes(phase & (thickness == 0))
        covering.largest_cover(near, np.arange(held_near), asked, threads, points, finest - 1)
        diameter = np.sqrt(np.arange(finest)).astype(np.float32) - np.float32(excess)
        diameter[0] = 0.0
        np.maximum(thickness, diameter[near[::2, ::2, ::2]], out=thickness)
        # Spheres that fill a larger one are left out, but on its coarser grid it may cover a little less.
        missed = phase & (thickness == 0)
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


def _size(bone, region) -> int:
    """Voxels of the tissue volume."""
    return bone.size if region is None else int(np.count_nonzero(region))


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
