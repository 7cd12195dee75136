"""What a stage shows of a frame, as meshes with the colours of the palette."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyvista as pv
from matplotlib.colors import to_hex, to_rgb

from marrowsim.tissues import BONE, CAPILLARY, SPROUT
from marrowsim.viz import meshes, palette
from marrowsim.viz.layers import Box
from marrowsim.viz.sections import Shade, paint, quantiles

# Tubes one voxel wide.
THIN = (CAPILLARY, SPROUT)

# Quantiles of a field in marrow and soft tissue at which isosurfaces are drawn where no levels are given.
USUAL_LEVELS = (0.8, 0.93, 0.99)
LEVEL_OPACITY = 0.38

# Smallest width of a cell as a share of the picture's height, so that the few are seen in a large block.
LEAST_SHARE = {"tumour": 0.011, "hpc": 0.0045, "osteoclast": 0.011, "osteoblast": 0.006}
LEAST_OTHERS = 0.0018
PLURALS = {"tumour": "tumour cells", "hpc": "HPCs", "osteoclast": "osteoclasts", "osteoblast": "osteoblasts"}


def bone(frame, layers: Sequence[str], box: Box) -> pv.PolyData:
    """The present bone, of another colour where it was formed; only what was formed without the layer "bone"."""
    present = frame.tissue == BONE
    formed = frame.bone_change > 0 if "bone_change" in layers else np.zeros_like(present)
    shown = present if "bone" in layers else formed
    mesh = meshes.surface(shown, frame.spacing, box)
    old, fresh = (np.array(to_rgb(style.colour)) for style in (palette.TISSUES[BONE], palette.BONE_FORMED))
    if not mesh.n_cells or not formed.any():
        return meshes.coloured(mesh, old)
    new = meshes.share_at(mesh.points, formed, present, frame.spacing)[:, None]
    return meshes.coloured(mesh, (1 - new) * old + new * fresh)


def vessel(frame, code: int, box: Box) -> pv.PolyData:
    """The surface of a tissue of vessels, translucent."""
    style = palette.TISSUES[code]
    mesh = meshes.surface(frame.tissue == code, frame.spacing, box, thin=code in THIN)
    return meshes.coloured(mesh, np.array([*to_rgb(style.colour), style.opacity]))


def lost_bone(frame, box: Box) -> pv.PolyData:
    """The surface that bone had where it is gone by now, translucent."""
    style = palette.BONE_LOST
    return meshes.coloured(meshes.former_surface(frame, box), np.array([*to_rgb(style.colour), style.opacity]))


def isosurfaces(frame, shading: Shade, levels: Sequence[float] | None, box: Box) -> dict[float, pv.PolyData]:
    """The surfaces of a field by level, translucent; those at the usual quantiles where no levels are given."""
    wanted = sorted({float(level) for level in levels or quantiles(frame, shading.name, USUAL_LEVELS)})
    found = meshes.isosurfaces(frame, shading.name, wanted, box)
    for level, mesh in found.items():
        meshes.coloured(mesh, np.array([*to_rgb(level_colour(shading, level)), LEVEL_OPACITY]))
    return found


def level_colour(shading: Shade, level: float) -> str:
    """Colour of a level of a field."""
    return to_hex(shading.style.colormap(float(shading.norm(level))))


def merged(parts: Sequence[pv.PolyData], towards: np.ndarray) -> pv.PolyData | None:
    """Translucent meshes as one, its triangles from the farthest to the nearest; None where there is nothing."""
    parts = [mesh for mesh in parts if mesh.n_cells]
    if not parts:
        return None
    return meshes.back_to_front(pv.merge(parts, merge_points=False) if len(parts) > 1 else parts[0], towards)


def painted(frame, shading: Shade, layers: Sequence[str], box: Box, axis: int, index: int, strength: float):
    """One layer of voxels of a box, painted with the field and the tissues that are drawn, as a texture."""
    cut = list(box.slices)
    cut[axis] = index
    change = None if frame.bone_change is None else frame.bone_change[tuple(cut)]
    values = frame.fields[shading.name][tuple(cut)]
    picture = paint(frame.tissue[tuple(cut)], values, shading, layers, 4, strength, change)
    texture = pv.Texture(np.ascontiguousarray((255 * picture).round().astype(np.uint8)[::-1]))
    texture.interpolate = True
    return texture


def cell_width(kind: str, status: str, spacing: float, um_per_pixel: float, height: int) -> tuple[float, bool]:
    """Width of a cell in pixels in a picture of a height, and whether that is larger than true, to be seen."""
    true = palette.cell_style(kind, status).size * spacing / um_per_pixel
    width = max(true, height * LEAST_SHARE.get(kind, LEAST_OTHERS))
    return width, width > 1.2 * true and kind in LEAST_SHARE
