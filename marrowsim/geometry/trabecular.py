"""Generated trabecular bone that meets a bone volume fraction, a thickness and a separation."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from ..bone_morphometry import squared_distance, thickness_moments
from ..errors import Fault, GeometryError, nearest
from ..tissues import BONE, MARROW
from .foam import LARGEST_PLATE_SHARE, foam_field, grow_foam, stretch


@dataclass(frozen=True)
class TrabecularTarget:
    """What generated bone is to measure (`marrowsim.bone_morphometry`).

    Attributes
    ----------
    bone_volume_fraction : BV/TV.
    trabecular_thickness : Tb.Th, mean of the fitted spheres (um).
    trabecular_separation : Tb.Sp, mean of the fitted spheres (um).
    """

    bone_volume_fraction: float
    trabecular_thickness: float
    trabecular_separation: float


PRESETS = MappingProxyType(
    {"mouse": TrabecularTarget(0.12, 50.0, 200.0), "human": TrabecularTarget(0.20, 130.0, 700.0)}
)
"""Mouse: young adult C57BL/6 tibia (Calcif Tissue Int 2013;93:211). Human: adult iliac crest."""

TOLERANCE = 0.10
SMALLEST_EXTENT = 100.0
SMALLEST_FRACTION, LARGEST_FRACTION = 0.03, 0.5
# Fewest voxels across a trabecula that still make a connected network.
COARSEST = 3.0
# A box is long enough to be measured, and the search for its network worth while, from this many
# trabecular periods (Tb.Th + Tb.Sp) on; the search never looks at more voxels than SEARCH_VOXELS.
SEARCH_PERIODS = 3.8
SEARCH_VOXELS = 4_500_000
SEARCH_ROUNDS = 6
SEARCH_CLOSE_ENOUGH = 0.06
SEARCH_RADIUS_STEP = 0.12
# Smoothing of the distance field, as a share of Tb.Th: rounds the joints of struts and plates.
FILLET = 0.15
CLEANING_ROUNDS = 5
PLANES = 16
# Radius of a hole through the wall of a closed marrow space, as a share of Tb.Sp.
HOLE = 0.15
# Fit of ln(Tb.Sp / Tb.Th) and of Tb.Sp per cell edge to generated bone, from where the search starts.
RATIO_AT_NO_PLATES, RATIO_PER_LOG_VOLUME, RATIO_PER_PLATE_SHARE = -0.33, -0.78, 1.65
SEPARATION_AT_NO_PLATES, SEPARATION_PER_PLATE_SHARE = 1.05, -0.4


def generate_trabecular(preset_or_target, shape, spacing: float, seed: int) -> np.ndarray:
    """Trabecular bone as a network of struts and plates.

    The network (`marrowsim.geometry.foam`) is thickened by a level of its distance field until the
    bone volume fraction is met to within a voxel layer of stray pieces. The edge of its cells and the
    share of plates are then searched for: thickness and separation both grow with the cell, their
    ratio with the share of plates.

    Parameters
    ----------
    preset_or_target : str or TrabecularTarget
        A name from `PRESETS`, or numbers of your own.
    shape : voxels (z, y, x).
    spacing : voxel edge (um).
    seed : int
        The same seed gives the same bone on every machine.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        BONE and MARROW (`marrowsim.tissues`), each one piece connected through faces. Tb.Th and Tb.Sp
        are within 10 % of the target in boxes of at least 3.8 (Tb.Th + Tb.Sp) along each axis; a
        smaller box is too short to be measured and is taken from the middle of the network that
        larger ones have on average.

    Raises
    ------
    GeometryError
        If the preset is unknown, a number is impossible, the box is too small or the voxels too
        coarse for the bone asked for, or no network meets the target.
    """
    target = _target(preset_or_target)
    _check(target, shape, spacing)
    cell, plate_share = _first_guess(target)
    period = target.trabecular_thickness + target.trabecular_separation
    if min(shape) * spacing >= SEARCH_PERIODS * period:
        cell, plate_share = _search(target, shape, spacing, seed, cell, plate_share)
    return np.where(_grow(target, shape, spacing, seed, cell, plate_share), BONE, MARROW).astype(np.uint8)


def _first_guess(target) -> tuple[float, float]:
    ratio = np.log(target.trabecular_separation / target.trabecular_thickness)
    no_plates = RATIO_AT_NO_PLATES + RATIO_PER_LOG_VOLUME * np.log(target.bone_volume_fraction)
    share = (ratio - no_plates) / RATIO_PER_PLATE_SHARE
    share = float(np.clip(share, 0.0, LARGEST_PLATE_SHARE))
    separation_of_cell = SEPARATION_AT_NO_PLATES + SEPARATION_PER_PLATE_SHARE * share
    return target.trabecular_separation / separation_of_cell, share


def _search(target, shape, spacing, seed, cell, plate_share) -> tuple[float, float]:
    """Cell edge (um) and plate share whose bone comes nearest to the target in the middle of the box."""
    period = target.trabecular_thickness + target.trabecular_separation
    extent = np.minimum(np.asarray(shape) * spacing, 1.1 * SEARCH_PERIODS * period)
    coarse = max(spacing, float(np.cbrt(extent.prod() / SEARCH_VOXELS)))
    block = tuple(int(edge) for edge in np.rint(extent / coarse))
    best = (np.inf, cell, plate_share, np.nan, np.nan)
    for _ in range(SEARCH_ROUNDS):
        bone = _grow(target, block, coarse, seed, cell, plate_share)
        thickness = thickness_moments(bone, SEARCH_RADIUS_STEP)[0] * coarse
        separation = thickness_moments(~bone, SEARCH_RADIUS_STEP)[0] * coarse
        too_thick = thickness / target.trabecular_thickness
        too_wide = separation / target.trabecular_separation
        error = max(abs(too_thick - 1.0), abs(too_wide - 1.0))
        best = min(best, (error, cell, plate_share, thickness, separation))
        if error < SEARCH_CLOSE_ENOUGH:
            break
        cell /= too_wide
        plate_share += float(np.log(too_thick / too_wide)) / RATIO_PER_PLATE_SHARE
        plate_share = min(max(plate_share, 0.0), LARGEST_PLATE_SHARE)
    error, cell, plate_share, thickness, separation = best
    if error > TOLERANCE:
        raise GeometryError(
            Fault(
                "no network of struts and plates meets the bone asked for",
                allowed="Tb.Th and Tb.Sp within 10 % of the target at its BV/TV",
                given=f"{target}; the nearest has Tb.Th {thickness:.0f} um, Tb.Sp {separation:.0f} um",
                remedy="raise BV/TV where the nearest is too thin or too wide, lower it otherwise",
            )
        )
    return cell, plate_share


def _grow(target, shape, spacing, seed, cell, plate_share) -> np.ndarray:
    """Bone mask of one network at the bone volume fraction of the target."""
    extent = np.asarray(shape[::-1]) * spacing
    foam = grow_foam(extent, cell, plate_share, seed)
    # In a box smaller than a cell the nearest strut may lie a whole cell away.
    reach = stretch(plate_share) * cell if extent.min() < 2.0 * cell else 0.5 * cell
    field = foam_field(foam, shape, spacing, reach)
    field = ndimage.gaussian_filter(field, FILLET * target.trabecular_thickness / spacing, mode="nearest")
    wanted = max(1, round(target.bone_volume_fraction * field.size))
    for _ in range(CLEANING_ROUNDS):
        bone = field < np.partition(field, wanted, axis=None)[wanted]
        stray = _stray(bone)
        field[stray] = reach
        opened = _open_pockets(field, ~bone, target, spacing, reach)
        if not (opened or stray.any()):
            break
    bone &= ~_stray(bone)
    return bone | _stray(~bone)


def _open_pockets(field, marrow, target, spacing, reach) -> int:
    """Raise the field to join closed marrow spaces to the largest, through the thinnest wall of each.

    Spaces smaller than a sphere of diameter Tb.Th are turned into bone instead. Returns how many
    spaces were changed.
    """
    spaces, count = ndimage.label(marrow)
    if count < 2:
        return 0
    sizes = _sizes(spaces, count)
    largest = int(sizes.argmax())
    gap = squared_distance(spaces == largest)
    smallest_kept = np.pi / 6.0 * (target.trabecular_thickness / spacing) ** 3
    for label, window in enumerate(ndimage.find_objects(spaces), start=1):
        if label == largest:
            continue
        pocket = spaces[window] == label
        if sizes[label] < smallest_kept:
            field[window][pocket] = 0.0
            continue
        place = np.unravel_index(np.where(pocket, gap[window], np.inf).argmin(), pocket.shape)
        centre = np.array([part.start + offset for part, offset in zip(window, place, strict=True)])
        radius = np.sqrt(gap[tuple(centre)], dtype=np.float32) + HOLE * target.trabecular_separation / spacing
        low, high = np.maximum(centre - int(radius), 0), centre + int(radius) + 1
        hole = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
        offsets = np.ogrid[tuple(slice(0, length) for length in field[hole].shape)]
        distance2 = sum((o + first - c) ** 2 for o, first, c in zip(offsets, low, centre, strict=True))
        field[hole][distance2 < radius**2] = reach
    return count - 1


def _stray(phase) -> np.ndarray:
    """The voxels of a phase that are not of its largest piece (face neighbours)."""
    pieces, count = ndimage.label(phase)
    return phase & (pieces != _sizes(pieces, count).argmax())


def _sizes(pieces, count) -> np.ndarray:
    """Voxels of each labelled piece, 0 for the background; some planes at a time, as counting copies them."""
    sizes = np.zeros(count + 1, dtype=np.int64)
    for low in range(0, len(pieces), PLANES):
        sizes += np.bincount(pieces[low : low + PLANES].ravel(), minlength=count + 1)
    sizes[0] = 0
    return sizes


def _target(preset_or_target) -> TrabecularTarget:
    if isinstance(preset_or_target, TrabecularTarget):
        return preset_or_target
    if preset_or_target in PRESETS:
        return PRESETS[preset_or_target]
    raise GeometryError(
        Fault(
            "unknown kind of generated bone",
            allowed=", ".join(PRESETS),
            given=repr(preset_or_target),
            remedy=nearest(str(preset_or_target), PRESETS) or "name a preset, or give a TrabecularTarget",
        )
    )


def _check(target, shape, spacing) -> None:
    faults = []
    volume = target.bone_volume_fraction
    thickness, separation = target.trabecular_thickness, target.trabecular_separation
    if not SMALLEST_FRACTION <= volume <= LARGEST_FRACTION:
        faults.append(Fault("BV/TV is out of range", f"{SMALLEST_FRACTION} to {LARGEST_FRACTION}", f"{volume:g}"))
    if not 0.0 < thickness < separation < np.inf:
        faults.append(
            Fault(
                "Tb.Th and Tb.Sp do not fit together",
                "0 < Tb.Th < Tb.Sp, in um",
                f"Tb.Th {thickness:g}, Tb.Sp {separation:g}",
            )
        )
    if not 0.0 < spacing < np.inf:
        faults.append(Fault("the voxel edge is wrong", "a positive number of um", f"{spacing!r}"))
    elif thickness < COARSEST * spacing:
        faults.append(
            Fault(
                "the voxels are too coarse for trabeculae this thin",
                allowed=f"a voxel edge of {thickness / COARSEST:g} um or less",
                given=f"{spacing:g} um for Tb.Th {thickness:g} um",
                remedy="choose a smaller voxel edge",
            )
        )
    elif len(shape) != 3 or min(shape) * spacing < SMALLEST_EXTENT:
        faults.append(
            Fault(
                "the box is too small for bone",
                allowed=f"three edges of {SMALLEST_EXTENT:g} um or more",
                given=" x ".join(f"{length * spacing:g}" for length in shape) + " um",
                remedy="give more voxels",
            )
        )
    if faults:
        raise GeometryError(*faults)
