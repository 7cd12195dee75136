"""The frame in three dimensions (PyVista/VTK). The only module that renders.

The view is a parallel projection, so that one scale bar holds everywhere in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyvista as pv
from matplotlib.colors import to_rgb
from scipy.ndimage import gaussian_filter, map_coordinates

from marrowsim.tissues import BONE, CAPILLARY, SPROUT
from marrowsim.viz import palette
from marrowsim.viz.cameras import axes_of, facing
from marrowsim.viz.layers import TISSUE_LAYERS, Box, field_of, groups
from marrowsim.viz.sections import Shade, paint

# Cells of one kind drawn at most; beyond it every n-th is drawn and the picture says so.
MOST_POINTS = 300_000

# Smallest width of a cell as a share of the picture's height, so that the few are seen in a large block.
LEAST_SHARE = {"tumour": 0.011, "hpc": 0.0045, "osteoclast": 0.011, "osteoblast": 0.006}
LEAST_OTHERS = 0.0018
PLURALS = {"tumour": "tumour cells", "hpc": "HPCs", "osteoclast": "osteoclasts", "osteoblast": "osteoblasts"}

# Width (voxels) over which the surface of bone takes the colour of what was formed or lost there.
STAIN_WIDTH = 0.8

# Tubes one voxel wide vanish under the smoothing that suits the wide ones.
THIN, THIN_SMOOTHING = (CAPILLARY, SPROUT), 0.5

# Pictures are rendered finer than shown, and averaged.
SUPERSAMPLING = 2


@dataclass
class View:
    """A rendered picture, and where the points of the lattice are in it.

    image : uint8 (height, width, 3); um_per_pixel : um; right, up : directions of the picture's axes in
    space; focus : point (x, y, z) in um at the picture's middle; notes : what a viewer has to know.
    """

    image: np.ndarray
    um_per_pixel: float
    right: np.ndarray
    up: np.ndarray
    focus: np.ndarray
    notes: list[str] = field(default_factory=list)

    def project(self, points) -> np.ndarray:
        """Pixel positions (n, 2), column and row from the upper left corner, of points (n, 3) in um."""
        height, width = self.image.shape[:2]
        away = np.atleast_2d(points) - self.focus
        across, upward = away @ self.right / self.um_per_pixel, away @ self.up / self.um_per_pixel
        return np.column_stack([width / 2 + across, height / 2 - upward])


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


def surface(mask: np.ndarray, spacing: float, box: Box, smoothing: float = 0.8) -> pv.PolyData:
    """Smooth closed surface (um) of the part of a mask of voxels that lies in a box.

    The mask is smoothed by a Gaussian of `smoothing` voxels and cut at the level
    that keeps its volume: cut at one half, tubes two voxels wide would shrink or vanish.
    """
    margin = 3
    low = [max(0, edge - margin) for edge in box.low]
    around = tuple(slice(a, b + margin) for a, b in zip(low, box.high, strict=True))
    inner = tuple(slice(a - c, b - c) for a, b, c in zip(box.low, box.high, low, strict=True))
    mask = mask[around]
    smooth = gaussian_filter(mask.astype(np.float32), smoothing, mode="nearest")[inner]
    share = mask[inner].mean()
    level = float(np.clip(np.quantile(smooth, 1 - share), 0.3, 0.5)) if share else 0.5
    smooth = np.pad(smooth, 1)
    origin = (np.array(box.low[::-1]) - 0.5) * spacing
    grid = pv.ImageData(dimensions=smooth.shape[::-1], spacing=(spacing,) * 3, origin=origin)
    grid.point_data["inside"] = smooth.ravel()
    return grid.contour([level], scalars="inside", method="flying_edges", compute_scalars=False)


def cages(points: np.ndarray, edge: float) -> pv.PolyData:
    """Outlines of cubes of an edge length around points (n, 3): one for each niche place."""
    corners = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]) * edge
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1]
    first = 8 * np.arange(len(points))[:, None, None]
    lines = np.insert((first + np.array(pairs)).reshape(-1, 2), 0, 2, axis=1)
    places = (points[:, None, :] + corners).reshape(-1, 3).astype(np.float32)
    return pv.PolyData(places, lines=lines.ravel())


def _corners(bounds: np.ndarray) -> np.ndarray:
    """The eight corners of a box given by its lowest and highest (x, y, z)."""
    return np.array([[x, y, z] for x in bounds[:, 0] for y in bounds[:, 1] for z in bounds[:, 2]])


def back_to_front(mesh: pv.PolyData, towards: np.ndarray) -> pv.PolyData:
    """The triangles in the order from the farthest to the nearest, seen along a direction.

    Drawn in this order translucent surfaces need one pass, where depth peeling needs one a layer
    (five times slower in software).
    """
    triangles = mesh.regular_faces
    depth = (mesh.points @ towards.astype(np.float32))[triangles].sum(1)
    ordered = pv.PolyData.from_regular_faces(mesh.points, triangles[np.argsort(depth, kind="stable")])
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


def _add_bone(plotter, frame, layers, box, look) -> None:
    """The present bone, of another colour where it was formed; only what was formed without the layer "bone"."""
    bone = frame.tissue == BONE
    changed = "bone_change" in layers
    formed = frame.bone_change > 0 if changed else np.zeros_like(bone)
    mesh = surface(bone if "bone" in layers else formed, frame.spacing, box)
    if not mesh.n_cells:
        return
    if not formed.any():
        plotter.add_mesh(mesh, name="bone", color=palette.TISSUES[BONE].colour, smooth_shading=True, **look)
        return
    new = share_at(mesh.points, formed, bone, frame.spacing)[:, None]
    old, fresh = (255 * np.array(to_rgb(style.colour)) for style in (palette.TISSUES[BONE], palette.BONE_FORMED))
    mesh.point_data["colour"] = np.round((1 - new) * old + new * fresh).astype(np.uint8)
    plotter.add_mesh(mesh, name="bone", scalars="colour", rgb=True, smooth_shading=True, **look)


def _add_tissues(plotter, frame, layers, box, towards) -> None:
    look = {"ambient": 0.25, "specular": 0.15}
    translucent = []
    if "bone" in layers or "bone_change" in layers:
        _add_bone(plotter, frame, layers, box, look)
    for name, code in TISSUE_LAYERS.items():
        if name in layers and name != "bone":
            mesh = surface(frame.tissue == code, frame.spacing, box, THIN_SMOOTHING if code in THIN else 0.8)
            translucent.append((mesh, palette.TISSUES[code]))
    if "bone_change" in layers:
        translucent.append((former_surface(frame, box), palette.BONE_LOST))
    meshes = []
    for mesh, style in translucent:
        if not mesh.n_cells:
            continue
        shaded = mesh.compute_normals(cell_normals=False, split_vertices=False)
        colour = [*(255 * np.array(to_rgb(style.colour))), 255 * style.opacity]
        shaded.point_data["colour"] = np.full((shaded.n_points, 4), np.round(colour), np.uint8)
        meshes.append(shaded)
    if meshes:
        mesh = back_to_front(pv.merge(meshes, merge_points=False), towards)
        actor = plotter.add_mesh(mesh, name="translucent", scalars="colour", rgba=True, **look)
        actor.prop.interpolation = "gouraud"


def _add_section(plotter, frame, layers, box, towards, shading) -> None:
    """The box's far wall, painted with the field and the tissues of its last layer of voxels."""
    axis, upwards = facing(towards)
    last = box.high[axis] - 1 if upwards else box.low[axis]
    extent = [list(pair) for pair in zip(box.low, box.high, strict=True)]
    shape = tuple(high - low for other, (low, high) in enumerate(extent) if other != axis)
    extent[axis] = [last, last + 1]
    wall = lattice(frame).extract_subset(np.ravel(extent[::-1]))
    values = None if shading is None else wall.cell_data[shading.name].reshape(shape)
    change = None
    if frame.bone_change is not None:
        change = wall.cell_data["bone_change"].reshape(shape)
    picture = paint(wall.cell_data["tissue"].reshape(shape), values, shading, layers, change=change)
    texture = pv.Texture(np.ascontiguousarray((255 * picture).round().astype(np.uint8)[::-1]))
    texture.interpolate = True
    low, high = box.bounds(frame.spacing)
    corner = np.where(np.arange(3) == 2 - axis, high if upwards else low, low)
    rows, columns = (2 - other for other in range(3) if other != axis)
    corners = np.tile(corner, (3, 1))
    corners[1:, columns] = high[columns]
    corners[2, rows] = high[rows]
    plane = pv.Rectangle(corners)
    plane.active_texture_coordinates = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    plotter.add_mesh(plane, name="section", texture=texture, lighting=False)


def _add_cells(plotter, frame, layers, box, pixels_per_um) -> list[str]:
    notes = []
    for kind, status, cells in groups(box.inside(frame.cells, frame.spacing), layers):
        points = cells[["x", "y", "z"]].to_numpy(np.float32)
        every = -(-len(points) // MOST_POINTS)
        if every > 1:
            notes.append(f"{kind} ({status}): 1 of every {every} cells drawn")
        style = palette.cell_style(kind, status)
        true = style.size * frame.spacing * pixels_per_um
        width = max(true, plotter.window_size[1] * LEAST_SHARE.get(kind, LEAST_OTHERS))
        if width > 1.2 * true and kind in LEAST_SHARE:
            enlarged = f"{PLURALS[kind]} are drawn larger than they are, to be seen"
            notes += [enlarged] * (enlarged not in notes)
        plotter.add_mesh(
            pv.PolyData(points[::every]),
            name=f"{kind} {status}",
            color=style.colour,
            render_points_as_spheres=True,
            point_size=width,
            ambient=0.35,
            specular=0.2,
        )
    if "niches" in layers:
        places = box.inside(frame.slots, frame.spacing)[["x", "y", "z"]].to_numpy()
        if len(places):
            width = max(1.0, min(2.0, 0.08 * frame.spacing * pixels_per_um))
            mesh = cages(places, 1.15 * frame.spacing)
            plotter.add_mesh(mesh, name="niches", color="#222222", line_width=width, lighting=False)
    return notes


def render(
    frame,
    layers: Sequence[str],
    box: Box,
    size: tuple[int, int],
    *,
    camera="oblique",
    shading: Shade | None = None,
    foot: float = 0.0,
) -> View:
    """Picture of the part of a frame that lies in a box.

    Parameters
    ----------
    frame : what `marrowsim.storage` reads; any object with its attributes.
    layers : names of the layers to draw.
    box : the part of the lattice to draw.
    size : width and height in pixels.
    camera : a name of `cameras.CAMERAS`, or (azimuth, elevation) in degrees.
    shading : colours of the field on the far wall; no wall without it.
    foot : the share of the picture's height that stays empty at its foot.

    Notes
    -----
    Call `opengl.rendering_available()` first: VTK ends the process where OpenGL is missing.
    """
    right, up, towards = axes_of(camera)
    bounds = box.bounds(frame.spacing)
    corners = _corners(bounds) - bounds.mean(0)
    width, height = size
    extent = np.abs(corners @ np.array([right, up]).T).max(0) * 2
    um_per_pixel = 1.04 * max(extent[0] / width, extent[1] / height / (1 - foot))
    focus = bounds.mean(0) - foot / 2 * height * um_per_pixel * up
    plotter = pv.Plotter(
        off_screen=True,
        window_size=[SUPERSAMPLING * width, SUPERSAMPLING * height],
        lighting="light kit",
    )
    try:
        plotter.background_color = "white"
        plotter.render_window.SetMultiSamples(0)
        plotter.renderer.UseOITOff()
        _add_tissues(plotter, frame, layers, box, towards)
        if shading is not None and field_of(frame, layers):
            _add_section(plotter, frame, layers, box, towards, shading)
        notes = _add_cells(plotter, frame, layers, box, SUPERSAMPLING / um_per_pixel)
        plotter.add_mesh(pv.Box(bounds.T.ravel()).extract_all_edges(), color="#777777", line_width=1.5)
        distance = 4 * np.linalg.norm(bounds[1] - bounds[0])
        plotter.camera_position = [tuple(focus + distance * towards), tuple(focus), tuple(up)]
        plotter.enable_parallel_projection()
        plotter.camera.parallel_scale = um_per_pixel * height / 2
        plotter.reset_camera_clipping_range()
        fine = plotter.screenshot(None, return_img=True)
    finally:
        plotter.close()
    blocks = fine.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3)
    image = blocks.mean((1, 3)).round().astype(np.uint8)
    return View(image, um_per_pixel, right, up, focus, notes)
