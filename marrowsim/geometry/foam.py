"""Distance field of a random network of struts and plates: the edges and some faces of Voronoi cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Voronoi

from .._engine.rng import Stream, uniform

# Shape of the network, in units of the cell or of the mean thickness; chosen so that BV/TV, Tb.Th and
# Tb.Sp of mouse and human bone can be had together, and by connectivity and looks beside human bone.
JITTER = 0.36
STRETCH_STRUTS, STRETCH_PLATES = 1.6, 1.1
MISSING_STRUTS = 0.4
THIN, THICK = 0.5, 1.6
PLATE_THICKNESS = 0.8
VERTICAL_PREFERENCE = 0.5
LARGEST_PLATE_SHARE = 0.6
# Distances d of struts and plates are joined as (sum of d^-p)^(-1/p), p = 2^BLEND: thickens the nodes.
BLEND = 3
MARGIN_CELLS = 3
WINDOW_VOXELS = 1 << 15

_DRAW_POSITION, _DRAW_PLATE, _DRAW_MISSING, _DRAW_THICKNESS, _DRAW_PHASE = (0, 1, 2), 3, 4, 5, (6, 7, 8)


@dataclass(frozen=True)
class Foam:
    """Struts and plates of one network.

    Attributes
    ----------
    struts : ndarray, shape (n, 2, 3)
        End points (x, y, z) in um, from the centre of the box.
    strut_thickness : ndarray, shape (n,)
        Relative thickness.
    plates : list of ndarray, shape (corners, 3)
        Convex flat polygons, corners in order (um).
    plate_thickness : ndarray, shape (plates,)
    """

    struts: np.ndarray
    strut_thickness: np.ndarray
    plates: list[np.ndarray]
    plate_thickness: np.ndarray


def grow_foam(extent, cell: float, plate_share: float, seed: int) -> Foam:
    """Voronoi cells of a perturbed lattice, stretched along z, over a box.

    Struts are the edges of the cells, of random thickness; a share is left out, less as plates are
    added. Plates are a share of the faces, upright ones preferred. The network is a function of
    place, counted from the centre of the box: a larger box holds the same network and more.

    Parameters
    ----------
    extent : edges of the box (x, y, z) in um.
    cell : edge of a lattice cell in x and y (um); `stretch(plate_share)` times that in z.
    plate_share : share of the faces that are plates, 0 to `LARGEST_PLATE_SHARE`.
    seed : of the draws of stream STREAM_BONE, one entity a lattice point.
    """
    plateness = plate_share / LARGEST_PLATE_SHARE
    cell_edges = cell * np.array([1.0, 1.0, stretch(plate_share)])
    reach = np.ceil(0.5 * np.asarray(extent) / cell_edges).astype(np.int64) + MARGIN_CELLS
    index = np.indices(2 * reach + 1).reshape(3, -1).T - reach
    entity = (index + 2**20) @ np.array([1, 2**21, 2**42])

    def draws(draw, entities=entity):
        return uniform(seed, Stream.STREAM_BONE, 0, entities, draw)

    phase = np.array([draws(draw, [0])[0] for draw in _DRAW_PHASE])
    jitter = np.stack([2.0 * draws(draw) - 1.0 for draw in _DRAW_POSITION], axis=1)
    points = index + phase + JITTER * jitter
    diagram = Voronoi(points)
    corners = diagram.vertices * cell_edges
    plate_draw, missing_draw, thickness_draw = (draws(draw) for draw in (_DRAW_PLATE, _DRAW_MISSING, _DRAW_THICKNESS))

    windows = _windows(diagram.ridge_points, plate_draw)
    sites_of_edge: dict[tuple[int, int], set[int]] = {}
    plates, plate_thickness = [], []
    for ridge, (sites, face) in enumerate(zip(diagram.ridge_points.tolist(), diagram.ridge_vertices, strict=True)):
        if -1 in face:
            continue
        for first, second in zip(face, face[1:] + face[:1], strict=True):
            sites_of_edge.setdefault((min(first, second), max(first, second)), set()).update(sites)
        upright = abs(points[sites[0], 2] - points[sites[1], 2]) < 0.5
        preference = 1.0 + VERTICAL_PREFERENCE if upright else 1.0 - VERTICAL_PREFERENCE
        if not windows[ridge] and _shared(plate_draw, sites) < plate_share * preference:
            plates.append(corners[face])
            plate_thickness.append(PLATE_THICKNESS * _thickness(_shared(thickness_draw, sites), plateness))
    edges, strut_thickness = [], []
    for edge, sites in sites_of_edge.items():
        members = sorted(sites)
        if _shared(missing_draw, members) >= MISSING_STRUTS * (1.0 - plateness):
            edges.append(edge)
            strut_thickness.append(_thickness(_shared(thickness_draw, members), plateness))
    return Foam(corners[np.array(edges)], np.array(strut_thickness), plates, np.array(plate_thickness))


def stretch(plate_share: float) -> float:
    """Height of a lattice cell over its width."""
    return STRETCH_STRUTS + (STRETCH_PLATES - STRETCH_STRUTS) * plate_share / LARGEST_PLATE_SHARE


def _shared(draw, sites) -> float:
    """One uniform number for a set of sites: the fractional part of the sum of theirs."""
    return float(draw[sites].sum() % 1.0)


def _windows(ridge_points, draw) -> np.ndarray:
    """Whether each face is the one of a cell that is never a plate, so that no cell is closed."""
    shared = draw[ridge_points].sum(axis=1) % 1.0
    largest = np.zeros(draw.size)
    for side in ridge_points.T:
        np.maximum.at(largest, side, shared)
    return (shared[:, None] == largest[ridge_points]).any(axis=1)


def _thickness(draw: float, plateness: float) -> float:
    """Relative thickness, skewed to the thin side; more alike the more plates there are."""
    return 1.0 + (1.0 - 0.8 * plateness) * (THIN - 1.0 + (THICK - THIN) * draw * draw)


def foam_field(foam: Foam, shape, spacing: float, reach: float) -> np.ndarray:
    """Distance (um) to the nearest strut or plate, each divided by its relative thickness.

    The distances to several of them are blended smoothly, a little below the least.

    Parameters
    ----------
    shape, spacing : the lattice (z, y, x) and its voxel edge (um), centred on the foam.
    reach : distances above this are given as this (um).

    Returns
    -------
    ndarray of float32, shape (z, y, x)
    """
    field = np.zeros(shape, dtype=np.float32)
    axes = [(np.arange(length) - 0.5 * (length - 1)) * spacing for length in shape[::-1]]
    for ends, thickness in zip(foam.struts, foam.strut_thickness, strict=True):
        for place, grid in _windows_near(ends, reach * thickness, axes):
            distance = _segment_distance(ends[0], ends[1], *grid) / thickness
            field[place] += _closeness(distance, reach)
    for polygon, thickness in zip(foam.plates, foam.plate_thickness, strict=True):
        for place, grid in _windows_near(polygon, reach * thickness, axes):
            _paint_plate(field[place], polygon, thickness, reach, grid)
    for _ in range(BLEND):
        np.sqrt(field, out=field)
    return reach / np.maximum(field, 1.0, out=field)


def _closeness(distance, reach):
    close = reach / np.maximum(distance, 1e-3 * reach)
    for _ in range(BLEND):
        close *= close
    return close


def _windows_near(points, margin, axes):
    """Slices [z, y, x] and open coordinate grid (x, y, z) of the voxels near some points, some planes at a time."""
    slices, grid = [], []
    for axis, (low, high) in enumerate(zip(points.min(axis=0), points.max(axis=0), strict=True)):
        start, stop = np.searchsorted(axes[axis], (low - margin, high + margin))
        slices.append(slice(start, stop))
        grid.append(axes[axis][start:stop])
    x, y, z = grid
    planes = max(1, WINDOW_VOXELS // max(1, len(x) * len(y)))
    for low in range(0, len(z) if len(x) and len(y) else 0, planes):
        place = (slice(slices[2].start + low, min(slices[2].start + low + planes, slices[2].stop)), *slices[1::-1])
        yield place, (x[None, None, :], y[None, :, None], z[low : low + planes, None, None])


def _segment_distance(start, end, x, y, z):
    along = end - start
    length2 = max(float((along * along).sum()), 1e-12)
    x, y, z = x - start[0], y - start[1], z - start[2]
    share = np.clip((x * along[0] + y * along[1] + z * along[2]) / length2, 0.0, 1.0)
    return np.sqrt((x - share * along[0]) ** 2 + (y - share * along[1]) ** 2 + (z - share * along[2]) ** 2)


def _paint_plate(field, polygon, thickness, reach, grid):
    """Lower the field to the distance from a flat convex polygon, in place."""
    centre = polygon.mean(axis=0)
    corners = polygon - centre
    normal = np.cross(corners, np.roll(corners, -1, axis=0)).sum(axis=0)
    area = np.sqrt((normal * normal).sum())
    if area < 1e-6 * reach * reach:
        return
    normal /= area
    x, y, z = (coordinate - origin for coordinate, origin in zip(grid, centre, strict=True))
    height = np.abs(x * normal[0] + y * normal[1] + z * normal[2])
    near = np.nonzero(height < reach * thickness)
    x, y, z, distance = x[0, 0, near[2]], y[0, near[1], 0], z[near[0], 0, 0], height[near]
    outside = np.zeros(distance.shape, dtype=bool)
    rim = np.full(distance.shape, np.inf)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inward = np.cross(normal, end - start)
        outside |= (x - start[0]) * inward[0] + (y - start[1]) * inward[1] + (z - start[2]) * inward[2] < 0
        rim = np.minimum(rim, _segment_distance(start, end, x, y, z))
    distance[outside] = rim[outside]
    field[near] += _closeness(distance / thickness, reach)
