"""Painted sections through the lattice: bone, vessel lumen, and a field in the tissue between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize, to_rgb
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom

from marrowsim.tissues import IS_ENTERABLE, OUTSIDE
from marrowsim.viz import palette
from marrowsim.viz.layers import TISSUE_LAYERS

MOST_SAMPLES = 2_000_000

PAPER = to_rgb("#FFFFFF")
PLAIN_MARROW = to_rgb("#F6F1EE")


@dataclass(frozen=True)
class Shade:
    """The field that sections paint, and the values at the two ends of its colour bar."""

    name: str
    low: float
    high: float

    @property
    def norm(self) -> Normalize:
        return Normalize(self.low, self.high)

    @property
    def style(self) -> palette.FieldStyle:
        return palette.field_style(self.name)


def samples(frame, name: str) -> np.ndarray:
    """Values of a field in marrow and soft tissue: of a sample of the voxels of a large lattice."""
    # An odd step, so that the sample does not run along one face of the lattice.
    every = (frame.tissue.size // MOST_SAMPLES) | 1
    return frame.fields[name].ravel()[::every][IS_ENTERABLE[frame.tissue.ravel()[::every]] > 0]


def quantiles(frame, name: str, shares) -> tuple[float, ...]:
    """Quantiles of a field in marrow and soft tissue; 0 where there is neither."""
    values = samples(frame, name)
    return tuple(np.quantile(values, shares).tolist() if values.size else [0.0] * len(shares))


def shade(frame, name: str | None, limits: tuple[float, float] | None = None) -> Shade | None:
    """Colour limits of a field: those given, or percentiles 1 and 99 of marrow and soft tissue of the whole frame (0
    and twice the value where it is the same everywhere).

    One voxel beside a source must not take the contrast from all the others; values beyond the limits
    are painted as the limit, and the colour bar says so by its pointed ends.
    """
    if name is None:
        return None
    if limits is not None:
        return Shade(name, float(limits[0]), float(limits[1]))
    values = samples(frame, name)
    low, high = np.percentile(values, [1, 99]) if values.size else (0.0, 1.0)
    if high - low < 1e-3 * max(abs(high), 1e-6):
        low, high = min(0.0, 2 * low), max(0.0, 2 * high, 1e-6)
    return Shade(name, float(low), float(high))


def lasting_limits(frames, name: str) -> tuple[float, float]:
    """Colour limits of a field that hold for all of some frames; those in which it is the same everywhere do not count
    unless it is so in the last one.
    """
    varying = [frame for frame in frames if name in frame.fields and np.ptp(frame.fields[name]) > 0]
    shades = [shade(frame, name) for frame in varying or frames[-1:]]
    return min(found.low for found in shades), max(found.high for found in shades)


def pale(colour: str, strength: float) -> np.ndarray:
    """The colour mixed with white."""
    return strength * np.array(to_rgb(colour)) + (1 - strength)


def paint(tissue, values, shading: Shade | None, layers, scale: int = 4, strength: float = 0.55, change=None):
    """Picture of one layer of voxels, smoothed between voxel centres.

    Parameters
    ----------
    tissue : tissue codes (rows, columns).
    values : the field in the same voxels, or None.
    shading : colours of the field, or None to leave the marrow plain.
    layers : names of the layers to draw; a tissue that is not among them is left plain.
    scale : pixels per voxel edge.
    strength : how much of its colour a tissue has, 0 (white) to 1; pale where cells stand before it.
    change : bone lost (-1) and formed (1) in the same voxels, or None.

    Returns
    -------
    Colours (rows * scale, columns * scale, 3), 0 to 1.
    """
    options = {"order": 1, "mode": "nearest", "grid_mode": True}
    if shading is None or values is None:
        picture = np.empty((*(scale * edge for edge in tissue.shape), 3))
        picture[:] = PLAIN_MARROW
    else:
        solid = IS_ENTERABLE[tissue] == 0
        if solid.any() and not solid.all():
            nearest = distance_transform_edt(solid, return_distances=False, return_indices=True)
            values = values[tuple(nearest)]
        fine = zoom(np.asarray(values, np.float32), scale, **options)
        picture = shading.style.colormap(shading.norm(fine))[..., :3]
    colours = {OUTSIDE: PAPER} | {
        code: pale(palette.TISSUES[code].colour, strength) if name in layers else PLAIN_MARROW
        for name, code in TISSUE_LAYERS.items()
    }
    masks = [(tissue == code, colour) for code, colour in colours.items()]
    if change is not None and "bone_change" in layers:
        masks += [
            (change == sign, pale(style.colour, strength))
            for sign, style in ((-1, palette.BONE_LOST), (1, palette.BONE_FORMED))
        ]
    for mask, colour in masks:
        if mask.any():
            smooth = gaussian_filter(mask.astype(np.float32), 0.45, mode="nearest")
            picture[zoom(smooth, scale, **options) > 0.5] = colour
    return picture
