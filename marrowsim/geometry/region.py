"""The region of interest: which voxels of the specimen it holds."""

from __future__ import annotations

import numpy as np

from marrowsim import tissues
from marrowsim.config.sections import Region
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry.sites import shell


def specimen(tissue: np.ndarray) -> np.ndarray:
    """Voxels of the specimen of bone, soft tissue and what is outside apart: bool [z, y, x].

    Parameters
    ----------
    tissue : uint8, shape (nz, ny, nx). Codes at the start of the run.
    """
    return tissues.IS_OF_BONE[tissue].astype(bool)


def region_mask(region: Region, tissue: np.ndarray, spacing: float) -> np.ndarray:
    """Voxels of the specimen whose centre lies in a region: bool [z, y, x].

    Parameters
    ----------
    region : ball or box; around the middle of the specimen where it has no centre.
    tissue : uint8, shape (nz, ny, nx). Codes at the start of the run.
    spacing : voxel edge, um.

    Raises
    ------
    GeometryError
        Where no voxel of the specimen lies in it.
    """
    whole = specimen(tissue)
    centre = region.centre or _middle(whole, spacing)
    if region.within is not None:
        inside = whole & shell(tissue.shape, spacing, centre, 0.0, region.within)
        words = f"within {region.within:g} um"
    else:
        inside = whole.copy()
        for axis, middle, edge in zip((2, 1, 0), centre, region.size, strict=True):
            places = (np.arange(tissue.shape[axis]) + 0.5) * spacing
            outside = np.abs(places - middle) > 0.5 * edge
            np.moveaxis(inside, axis, 0)[outside] = False
        words = "a box of " + " x ".join(f"{edge:g}" for edge in region.size) + " um"
    if not inside.any():
        extent = " x ".join(f"{edge * spacing:g}" for edge in tissue.shape[::-1])
        point = ", ".join(f"{value:g}" for value in centre)
        what = "nothing of the specimen lies in the region"
        allowed = f"a region that reaches bone or marrow in the lattice of {extent} um (x, y, z)"
        raise GeometryError(
            Fault(what, allowed, f"{words} around ({point}) um", "change centre, within or size", "region")
        )
    return inside


def _middle(whole: np.ndarray, spacing: float) -> tuple[float, ...]:
    """Middle (x, y, z) of the smallest box around a mask, um; of the lattice where the mask is empty."""
    middle = []
    for axis in (2, 1, 0):
        found = np.flatnonzero(whole.any(axis=tuple(other for other in range(3) if other != axis)))
        ends = (int(found[0]), int(found[-1])) if len(found) else (0, whole.shape[axis] - 1)
        middle.append(0.5 * spacing * (sum(ends) + 1))
    return tuple(middle)
