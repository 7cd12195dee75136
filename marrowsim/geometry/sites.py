"""Soft tissue beside the marrow or instead of it: its voxels, its capillaries, and where a site lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marrowsim import tissues
from marrowsim.config.sections import SoftTissue
from marrowsim.errors import GeometryError
from marrowsim.geometry.vessels import grow_vessels

GAP = 2
"""Voxels outside the specimen between marrow and soft tissue: cells and substances do not pass from face to face."""

TISSUE = {"marrow": tissues.MARROW, "soft_tissue": tissues.SOFT}
"""Code of the tissue that cells live in, by site."""


def soft_tissue(shape: tuple[int, int, int], spacing: float, seed: int, section: SoftTissue) -> np.ndarray:
    """A block of soft tissue with its capillaries, a network grown as that of sinusoids is.

    Parameters
    ----------
    shape : voxels (nz, ny, nx).
    spacing : voxel edge, um.
    seed : of the run.
    section : diameter, distance and volume fraction of the capillaries.

    Returns
    -------
    uint8, shape (nz, ny, nx): SOFT and CAPILLARY.

    Raises
    ------
    GeometryError
        Where the capillaries do not fit.
    """
    try:
        grown = grow_vessels(
            np.full(shape, tissues.MARROW, dtype=np.uint8),
            spacing,
            seed=seed,
            volume_fraction=section.vessel_volume_fraction,
            diameter=section.vessel_diameter,
            distance=section.vessel_distance,
            arteriole_diameter=min(section.vessel_diameter, spacing),
            arteriole_fraction=0.0,
        )
    except GeometryError as error:
        raise GeometryError(*(replace(fault, where="soft_tissue.vessel_...") for fault in error.faults)) from None
    return np.where(grown == tissues.SINUSOID, np.uint8(tissues.CAPILLARY), np.uint8(tissues.SOFT))


def beside(tissue: np.ndarray, slab: np.ndarray) -> np.ndarray:
    """One lattice of marrow and a slab of soft tissue, which follows it along x behind a gap of `GAP` voxels."""
    gap = np.full((*tissue.shape[:2], GAP), tissues.OUTSIDE, dtype=np.uint8)
    return np.concatenate([tissue, gap, slab], axis=2)


def centre_of(tissue: np.ndarray, code: int, spacing: float) -> tuple[float, float, float]:
    """Middle (x, y, z) of the smallest box around the voxels of a tissue, um."""
    middle = []
    for axis in (2, 1, 0):
        across = (tissue == code).any(axis=tuple(other for other in range(3) if other != axis))
        found = np.flatnonzero(across)
        middle.append(0.5 * spacing * (int(found[0]) + int(found[-1]) + 1))
    return middle[0], middle[1], middle[2]


def shell(
    shape: tuple[int, ...], spacing: float, centre: tuple[float, float, float], inner: float, outer: float
) -> np.ndarray:
    """Voxels whose centre is at a distance of `inner` to `outer` (um) from a point (x, y, z): bool [z, y, x]."""
    z, y, x = (
        ((np.arange(edge) + 0.5) * spacing - middle) ** 2 for edge, middle in zip(shape, reversed(centre), strict=True)
    )
    across = y[:, None] + x
    inside = np.empty(shape, dtype=bool)
    for plane, height in zip(inside, z, strict=True):
        plane[...] = (across + height >= inner**2) & (across + height <= outer**2)
    return inside
