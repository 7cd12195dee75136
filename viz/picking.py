"""What is under a pixel: a ray through the lattice, so that no rendering is needed to find out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim.viz import palette
from marrowsim.viz.layers import TISSUE_LAYERS, Box

# Samples of the ray a voxel edge.
SAMPLES = 4

SPOKEN = {"cxcr4": "CXCR4", "id": "cell"}


@dataclass(frozen=True)
class Picked:
    """What was found under a pixel.

    kind : "cell" or "voxel"; point : x, y, z (um), of the cell or where the ray meets the voxel; voxel : its index
    (z, y, x); values : name to (value, unit), for a cell also its id, type, status and what its table holds.
    """

    kind: str
    point: tuple[float, float, float]
    voxel: tuple[int, int, int]
    values: dict[str, tuple[Any, str]]


def describe(frame, point, kind: str = "voxel", cell=None) -> Picked:
    """The values at a point (x, y, z) in um, and those of the cell there if one is given (a row of the table)."""
    voxel = tuple(
        int(np.clip(at // frame.spacing, 0, n - 1)) for at, n in zip(point[::-1], frame.tissue.shape, strict=True)
    )
    values: dict[str, tuple[Any, str]] = {}
    if cell is not None:
        for name, value in cell.items():
            if name not in "xyz":
                values[str(name)] = (value.item() if isinstance(value, np.generic) else value, "")
    values["tissue"] = (tissues.NAMES.get(int(frame.tissue[voxel]), str(frame.tissue[voxel])).replace("_", " "), "")
    if frame.bone_change is not None and frame.bone_change[voxel]:
        values["bone change"] = ("lost" if frame.bone_change[voxel] < 0 else "formed", "")
    for name, field in frame.fields.items():
        values[name] = (float(field[voxel]), palette.field_style(name).unit)
    return Picked(kind, tuple(float(at) for at in point), voxel, values)


def spoken(values: Mapping[str, tuple[Any, str]]) -> list[tuple[str, str]]:
    """Names and values of what was found as they are read: labels, three digits, units."""
    return [
        (SPOKEN.get(name, palette.field_style(name).label if name in palette.FIELDS else name), _text(*value))
        for name, value in values.items()
    ]


def _text(value, unit: str) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".strip()


def pick(frame, origin, direction, box: Box, layers, groups, planes) -> Picked | None:
    """The first thing that a ray meets.

    Parameters
    ----------
    origin, direction : of the ray: a point in um before the lattice, and a unit vector, each (x, y, z).
    box : the part of the lattice that is drawn.
    layers : names of the layers that are drawn.
    groups : pairs (cells, radius in um) that are drawn.
    planes : pairs (axis of the lattice, place in um) of the slices that are drawn.
    """
    origin, direction = np.asarray(origin, float), np.asarray(direction, float)
    entry, leave = _through(origin, direction, box.bounds(frame.spacing))
    solid, solid_point = np.inf, None
    see_through, first_point = np.inf, None
    if entry < leave:
        along = np.arange(entry, leave, frame.spacing / SAMPLES) + 1e-6
        points = origin + along[:, None] * direction
        index = np.clip((points[:, ::-1] / frame.spacing).astype(int), box.low, np.array(box.high) - 1)
        codes = frame.tissue[tuple(index.T)]
        hit = np.flatnonzero(codes == tissues.BONE) if "bone" in layers else []
        if len(hit):
            solid, solid_point = along[hit[0]], points[hit[0]]
        drawn = [code for name, code in TISSUE_LAYERS.items() if name in layers and name != "bone"]
        hit = np.flatnonzero(np.isin(codes, drawn))
        if len(hit):
            see_through, first_point = along[hit[0]], points[hit[0]]
        for axis, place in planes:
            slope = direction[2 - axis]
            far = (place - origin[2 - axis]) / slope if slope else np.inf
            if entry <= far <= leave and far < solid:
                solid, solid_point = far, origin + far * direction
    cell, nearest = None, solid
    for cells, radius in groups:
        away = cells[["x", "y", "z"]].to_numpy(float) - origin
        depth = away @ direction
        off = (away**2).sum(1) - depth**2
        front = np.where(off <= radius**2, depth - np.sqrt(np.maximum(radius**2 - off, 0)), np.inf)
        if len(front) and front.min() < nearest:
            nearest, cell = front.min(), cells.iloc[int(front.argmin())]
    if cell is not None:
        return describe(frame, (cell["x"], cell["y"], cell["z"]), "cell", cell)
    if see_through < solid:
        return describe(frame, first_point)
    return None if solid_point is None else describe(frame, solid_point)


def _through(origin, direction, bounds) -> tuple[float, float]:
    """Where a ray enters and leaves a box (um along it); enters after leaving where it misses the box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (bounds - origin) / direction
    ends = np.where(np.isnan(ends), [[-np.inf], [np.inf]], ends)
    return float(ends.min(0).max()), float(ends.max(0).min())
