"""Meshes of what a frame holds: surfaces of tissues and fields, outlines of niches, planes and lines (PyVista/VTK)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyvista as pv
from matplotlib.colors import to_rgb
from scipy.ndimage import gaussian_filter, map_coordinates
from vtkmodules.vtkFiltersCore import vtkBinnedDecimation

from marrowsim.tissues import BONE, IS_ENTERABLE
from marrowsim.viz.layers import Box

# Width (voxels) over which the surface of bone takes the colour of what was formed or lost there.
STAIN_WIDTH = 0.8

# Widths (voxels) of the Gaussians that make a surface smooth; tubes one voxel wide vanish under the wider one.
SMOOTHING, THIN_SMOOTHING = 0.8, 0.5

# Triangles from which on points of a surface are merged, and the width (voxels) of the cubes that they are merged in.
MERGED_FROM, MERGED_WIDTH = 250_000, 1.5

# Width (voxels) of the Gaussian over which a field is averaged for its isosurfaces.
FIELD_SMOOTHING = 1.5

# Layers of depth that translucent triangles are sorted into.
DEPTHS = 64


def lattice(frame) -> pv.ImageData:
    """The frame's voxels as VTK sees them: tissue and fields as cell data that share the frame's memory."""
    shape = frame.tissue.shape
    grid = pv.ImageData(dimensions=[edge + 1 for edge in shape[::-1]], spacing=(frame.spacing,) * 3)
    grid.cell_data["tissue"] = frame.tissue.ravel()
    if frame.bone_change is not None:
        grid.cell_data["bone_change"] = frame.bone_change.ravel()
    for name, values in frame.fields.items():
        grid.cell_data[name] = values.ravel()
    return grid


def centres(values: np.ndarray, spacing: float, name: str) -> pv.ImageData:
    """A field as VTK interpolates it: values at the centres of voxels, sharing the field's memory."""
    grid = pv.ImageData(dimensions=values.shape[::-1], spacing=(spacing,) * 3, origin=(spacing / 2,) * 3)
    grid.point_data[name] = values.ravel()
    return grid


def surface(mask: np.ndarray, spacing: float, box: Box, *, thin: bool = False) -> pv.PolyData:
    """Smooth closed surface (um) of the part of a mask of voxels that lies in a box.

    The mask is smoothed by a Gaussian and cut at the level that keeps its volume: cut at one half, tubes two voxels
    wide would shrink or vanish. Points of a surface of `MERGED_FROM` triangles or more are merged, unless it is `thin`:
    of tubes one voxel wide.
    """
    margin = 3
    low = [max(0, edge - margin) for edge in box.low]
    around = tuple(slice(a, b + margin) for a, b in zip(low, box.high, strict=True))
    inner = tuple(slice(a - c, b - c) for a, b, c in zip(box.low, box.high, low, strict=True))
    mask = mask[around]
    width = THIN_SMOOTHING if thin else SMOOTHING
    smooth = gaussian_filter(mask.astype(np.float32), width, mode="nearest")[inner]
    share = mask[inner].mean()
    level = float(np.clip(np.quantile(smooth, 1 - share), 0.3, 0.5)) if share else 0.5
    smooth = np.pad(smooth, 1)
    origin = (np.array(box.low[::-1]) - 0.5) * spacing
    grid = pv.ImageData(dimensions=smooth.shape[::-1], spacing=(spacing,) * 3, origin=origin)
    grid.point_data["inside"] = smooth.ravel()
    mesh = grid.contour([level], scalars="inside", method="flying_edges", compute_scalars=False, compute_normals=True)
    return mesh if thin or mesh.n_cells < MERGED_FROM else merged_points(mesh, MERGED_WIDTH * spacing)


def merged_points(mesh: pv.PolyData, width: float) -> pv.PolyData:
    """The mesh with one of its points for all that lie in one cube of a width (um), and without what that flattens.

    A third of the triangles for 1.5 voxels. Sinusoids, two voxels wide, lose a sixth of their volume and stay in one
    piece; in a surface from every second voxel they fall into thousands.
    """
    merging = vtkBinnedDecimation()
    merging.SetInputData(mesh)
    merging.SetPointGenerationModeToUseInputPoints()
    merging.AutoAdjustNumberOfDivisionsOff()
    merging.SetNumberOfDivisions(
        *(int(edge) for edge in np.ceil(np.ptp(np.reshape(mesh.bounds, (3, 2)), axis=1) / width))
    )
    merging.Update()
    triangles = pv.wrap(merging.GetOutput()).regular_faces
    used = np.zeros(mesh.n_points, bool)
    used[triangles] = True
    merged = pv.PolyData.from_regular_faces(mesh.points[used], (np.cumsum(used) - 1)[triangles])
    merged.point_data["Normals"] = mesh.point_data["Normals"][used]
    merged.point_data.active_normals_name = "Normals"
    return merged


def cages(points: np.ndarray, edge: float) -> pv.PolyData:
    """Outlines of cubes of an edge length around points (n, 3): one for each niche place."""
    corners = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]) * edge
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1]
    first = 8 * np.arange(len(points))[:, None, None]
    lines = np.insert((first + np.array(pairs)).reshape(-1, 2), 0, 2, axis=1)
    places = (points[:, None, :] + corners).reshape(-1, 3).astype(np.float32)
    return pv.PolyData(places, lines=lines.ravel())


def back_to_front(mesh: pv.PolyData, towards: np.ndarray) -> pv.PolyData:
    """The triangles in the order from the farthest to the nearest, seen along a direction.

    Drawn in this order translucent surfaces need one pass, where depth peeling needs one a layer
    (five times slower in software). Triangles of one of `DEPTHS` layers keep their order: neighbours that share
    points and follow each other are drawn a third faster.
    """
    triangles = mesh.regular_faces
    depth = (mesh.points @ towards.astype(np.float32))[triangles].sum(1)
    layer = ((depth - depth.min()) * (DEPTHS * 0.999 / max(np.ptp(depth), 1e-6))).astype(np.uint8)
    ordered = pv.PolyData.from_regular_faces(mesh.points, triangles[np.argsort(layer, kind="stable")])
    ordered.point_data.update(mesh.point_data)
    ordered.point_data.active_normals_name = "Normals"
    return ordered


def share_at(points: np.ndarray, part: np.ndarray, whole_of: np.ndarray, spacing: float) -> np.ndarray:
    """Share of a part in a whole, both masks of voxels, around points (um): 0 to 1, shape (n,)."""
    places = (np.asarray(points, np.float64)[:, ::-1] / spacing - 0.5).T
    near, all_of = (
        map_coordinates(gaussian_filter(mask.astype(np.float32), STAIN_WIDTH), places, order=1, mode="nearest")
        for mask in (part, whole_of)
    )
    return np.clip(near / np.maximum(all_of, 1e-6), 0.0, 1.0)


def former_surface(frame, box: Box) -> pv.PolyData:
    """The surface that bone had where it is gone by now (um).

    Without what it has in common with the present surface, so that neither is hidden by the other.
    """
    bone, lost = frame.tissue == BONE, frame.bone_change < 0
    mesh = surface(bone | lost, frame.spacing, box)
    if not mesh.n_cells:
        return mesh
    mesh.point_data["gone"] = share_at(mesh.points, lost, bone | lost, frame.spacing)
    return mesh.clip_scalar(scalars="gone", invert=False, value=0.5).triangulate()


def local_mean(frame, name: str, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a field around each voxel of a box over what cells can enter, and how much of that is around it.

    Weighted by a Gaussian of `FIELD_SMOOTHING` voxels; 0 where there is next to nothing to enter. Both float32, shape
    of the box.
    """
    margin = 4
    low = [max(0, edge - margin) for edge in box.low]
    around = tuple(slice(a, b + margin) for a, b in zip(low, box.high, strict=True))
    inner = tuple(slice(a - c, b - c) for a, b, c in zip(box.low, box.high, low, strict=True))
    enterable = IS_ENTERABLE[frame.tissue[around]] > 0
    values, weight = (
        gaussian_filter(part.astype(np.float32), FIELD_SMOOTHING, mode="nearest")[inner]
        for part in (frame.fields[name][around] * enterable, enterable)
    )
    return np.divide(values, weight, out=np.zeros_like(values), where=weight > 0.01), weight


def isosurfaces(frame, name: str, levels: Sequence[float], box: Box) -> dict[float, pv.PolyData]:
    """The surfaces (um) in a box where a field has each of some levels, through marrow and soft tissue alone.

    A cell that secretes stands in one voxel, and tissues that keep the field out have zeros there: contours of the
    field itself are a cloud of octahedra and shreds. These are contours of its `local_mean`, and end where the tissues
    begin.
    """
    mean, weight = local_mean(frame, name, box)
    grid = pv.ImageData(dimensions=mean.shape[::-1], spacing=(frame.spacing,) * 3)
    grid.origin = (np.array(box.low[::-1]) + 0.5) * frame.spacing
    grid.point_data[name] = mean.ravel()
    found = {}
    for level in levels:
        mesh = grid.contour([level], scalars=name, method="flying_edges", compute_scalars=False, compute_normals=True)
        if mesh.n_cells:
            places = (mesh.points[:, ::-1] - np.array(grid.origin)[::-1]) / frame.spacing
            mesh.point_data["open"] = map_coordinates(weight, places.T, order=1, mode="nearest")
            mesh = mesh.clip_scalar(scalars="open", invert=False, value=0.5).triangulate()
        found[level] = mesh
    return found


def plane(axis: int, place: float, bounds: np.ndarray) -> pv.PolyData:
    """A rectangle (um) across an axis of the lattice (0 z, 1 y, 2 x), with texture coordinates: first row of voxels at
    the foot, first column at the left."""
    rows, columns = (2 - other for other in range(3) if other != axis)
    corner = bounds[0].astype(float).copy()
    corner[2 - axis] = place
    corners = np.tile(corner, (3, 1))
    corners[1:, columns] = bounds[1][columns]
    corners[2, rows] = bounds[1][rows]
    mesh = pv.Rectangle(corners)
    mesh.active_texture_coordinates = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    return mesh


def polylines(lines: Sequence[np.ndarray]) -> pv.PolyData:
    """Lines through points (n, 3) in um; a line of one point is a point."""
    ends = np.cumsum([0, *map(len, lines)])
    mesh = pv.PolyData(np.concatenate(lines).astype(np.float32))
    cells = [np.arange(a, b) for a, b in pairwise(ends) if b - a > 1]
    mesh.lines = np.concatenate([np.insert(cell, 0, len(cell)) for cell in cells]) if cells else None
    return mesh


def coloured(mesh: pv.PolyData, colours: np.ndarray) -> pv.PolyData:
    """The mesh with a colour at each point: one colour for all, or (n, 3 or 4) of 0 to 1."""
    if not mesh.n_points:
        return mesh
    colours = np.atleast_2d(colours)
    shape = (mesh.n_points, colours.shape[1])
    mesh.point_data["colour"] = np.ascontiguousarray(np.broadcast_to(np.round(255 * colours), shape).astype(np.uint8))
    return mesh


def rgba(colour: str, opacity: float) -> np.ndarray:
    """Red, green, blue and opacity, 0 to 1."""
    return np.array([*to_rgb(colour), opacity])
