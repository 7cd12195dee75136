"""One frame of a scene in a PyVista plotter, kept up to date: for stills, films, windows, the browser and notebooks.

Every view is a parallel projection, so that one scale bar holds everywhere in the picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyvista as pv

from marrowsim.errors import Fault, RenderError
from marrowsim.tissues import BONE
from marrowsim.viz import ingredients, meshes, palette
from marrowsim.viz.cameras import Eye, facing
from marrowsim.viz.description import Scene
from marrowsim.viz.layers import TISSUE_LAYERS, Box, check_field, choose, field_of, groups, whole
from marrowsim.viz.legend import Bar, Entry, colour_bar, legend_entries, level_entries, level_text, track_entries
from marrowsim.viz.parts import extent_of, planes_of
from marrowsim.viz.picking import Picked, pick
from marrowsim.viz.props import Props, digest
from marrowsim.viz.sections import Shade, shade
from marrowsim.viz.tracks import LONGEST_STEP, paths
from marrowsim.viz.volumes import volume_of

# Cells of one kind drawn at most; beyond it every n-th is drawn and the picture says so.
MOST_POINTS = 300_000

# Width of a track as a share of the picture's height.
TRACK_SHARE = 0.004

SURFACE_LOOK = {"ambient": 0.25, "specular": 0.15}
WHERE = {
    "wall": ", on the far wall",
    "slices": ", on the slices",
    "isosurface": ", surfaces",
    "volume": ", in the volume",
}


def new_plotter(size: tuple[int, int], *, off_screen: bool = True) -> pv.Plotter:
    """A plotter of a size in pixels. Call `opengl.rendering_available()` first: VTK ends the process without OpenGL."""
    return pv.Plotter(off_screen=off_screen, window_size=list(size), lighting="light kit")


class Stage:
    """A plotter that shows one frame of a scene and rebuilds only what changed.

    Actors are named "layer:<name>" ("layer:bone", "layer:niches", "layer:tumour bound", one a type and status of
    cells), "layer:translucent" (vessels, lost bone and isosurfaces in one mesh, whose triangles are sorted from back
    to front), "layer:wall", "layer:slice x" and so on, "layer:volume", "layer:track <type>" and "outline".

    Parameters
    ----------
    plotter : where to draw; the stage sets its background, lights and camera.
    scene : what to draw.
    box : the part of the lattice that is drawn; None for all of it.

    Attributes
    ----------
    scene, frame : what is shown.
    eye : where it is seen from (`cameras.Eye`).
    layers : names of the layers of this frame that are drawn.
    box : the part of the lattice that is drawn, after clipping.
    shading : the field that is drawn and its colour limits, or None.
    levels : values of the isosurfaces that are drawn.
    notes : what a viewer has to know: what was left out, enlarged, or not found.

    Notes
    -----
    Whoever turns or zooms the camera calls `turned` when it rests: the order of translucent triangles, the far wall
    and the size of cells in pixels follow from where the eye is.
    """

    def __init__(self, plotter: pv.Plotter, scene: Scene | None = None, box: Box | None = None):
        self.plotter = plotter
        self.props = Props(plotter)
        self.eye = Eye(plotter)
        self.scene = scene or Scene()
        self.frame = None
        self.layers: tuple[str, ...] = ()
        self.box: Box | None = None
        self.shading: Shade | None = None
        self.levels: tuple[float, ...] = ()
        self.notes: list[str] = []
        self.foot = self.side = 0.0
        self.scale: float | None = None
        self._part = box
        self._tracks: pd.DataFrame | None = None
        self._digests: dict[tuple[str, int], bytes] = {}
        self._serial = 0
        self._drawn: list[tuple[pd.DataFrame, str, str]] = []
        self._cell_names: set[str] = set()
        self._told: list[str] = []
        self._pictured = False
        plotter.background_color = "white"
        plotter.render_window.SetMultiSamples(0)
        plotter.renderer.UseOITOff()
        plotter.enable_parallel_projection()

    # What is shown.

    def show(self, frame, tracks: pd.DataFrame | None = None) -> None:
        """Show a frame. The first one also places the camera; later ones leave it where it is.

        Parameters
        ----------
        frame : what `marrowsim.storage` reads; any object with its attributes. It is kept, not copied, until the
            next one.
        tracks : the table of `tracks.tracks_of`, where the scene has tracks; that of the last call if not given.

        Raises
        ------
        RenderError : a layer or field that there is not, a clipping plane that leaves nothing, tracks without a table.
        """
        first = self.frame is None
        self._tracks = tracks if tracks is not None else self._tracks
        self._check(frame, self.scene)
        self.frame = frame
        self._serial += 1
        self._digests = {}
        if first:
            self._place_camera()
        self._draw()

    def change(self, **parts) -> None:
        """Change parts of the scene (`layers=`, `clip=`, `field=` ...); only what they touch is rebuilt.

        Raises
        ------
        RenderError : as `Scene` and `show`; the scene stays as it was then.
        """
        scene = replace(self.scene, **parts)
        if self.frame is not None:
            self._check(self.frame, scene)
        before, self.scene = self.scene, scene
        if self.frame is not None:
            if "camera" in parts or scene.slab != before.slab:
                self._place_camera()
            self._draw()

    def look(self, *, foot: float | None = None, side: float | None = None, scale: float | None = None) -> None:
        """Put the camera where the scene says.

        Parameters
        ----------
        foot, side : the shares of the picture's height and width that stay empty at its foot and at its right, from
            now on.
        scale : um a pixel from now on, where pictures have to have the same; None so that the box just fits.
        """
        self.foot = self.foot if foot is None else foot
        self.side = self.side if side is None else side
        self.scale = scale
        if self.frame is not None:
            self._place_camera()
            self._draw()

    def turned(self) -> None:
        """Bring up to date what depends on where the eye is, after somebody else has moved the camera."""
        if self.frame is not None:
            self._draw()

    def image(self, *, transparent: bool = False) -> np.ndarray:
        """The picture of a plotter without a window: uint8, shape (height, width, 3), or 4 without a background."""
        if self._pictured:
            # PyVista renders for the first screenshot alone, and hands out older pictures later.
            self.plotter.render_window.Render()
        self._pictured = True
        return self.plotter.screenshot(None, return_img=True, transparent_background=transparent)

    @property
    def actors(self) -> dict[str, Any]:
        """The actors that are in the plotter, by name."""
        return self.props.actors

    @property
    def legend(self) -> list[Entry]:
        """The lines of the legend: what is drawn, with numbers in the lattice and in the part that is drawn."""
        return legend_entries(self.frame, self.layers, self.box, self.legend_parts)

    @property
    def legend_parts(self) -> list[tuple[str, list[Entry]]]:
        """Headings and lines of the legend for what is no layer: surfaces of equal concentration, and tracks."""
        more = []
        if self.levels:
            colours = {at: ingredients.level_colour(self.shading, at) for at in self.levels}
            more.append(level_entries(self.shading.style, colours))
        ways = {name: (kind, palette.cell_style(kind, "free").colour) for name, kind, _ in self._paths()}
        return [*more, track_entries(ways)]

    @property
    def bar(self) -> Bar | None:
        """The colour scale of the field that is drawn."""
        return None if self.shading is None else colour_bar(self.shading, WHERE[self.scene.field_as])

    def pick(self, x: float, y: float) -> Picked | None:
        """The cell or voxel under a pixel (column and row from the upper left corner); None where there is nothing.

        Cells, bone and slices hide what is behind them; vessels are seen through, and found where no cell is.
        """
        if self.frame is None:
            return None
        far = 4 * np.linalg.norm(np.ptp(whole(self.frame).bounds(self.frame.spacing), axis=0))
        origin, direction = self.eye.ray(x, y, far)
        drawn = [
            (cells, self._width(kind, status)[0] / 2 * self.eye.um_per_pixel) for cells, kind, status in self._drawn
        ]
        return pick(self.frame, origin, direction, self.box, self.layers, drawn, self._planes())

    # How it is drawn.

    def _check(self, frame, scene: Scene) -> None:
        """What of a scene can only be told with a frame: layers, field, box, tracks."""
        layers, notes = choose(frame, scene.layers)
        box = scene.cut(self._part or whole(frame), frame.spacing)
        check_field(frame, scene.field)
        if scene.tracks and self._tracks is None:
            raise RenderError(Fault("tracks need the frames of the run", given=", ".join(map(str, scene.tracks))))
        name = scene.field or field_of(frame, layers)
        shading = None if scene.field_as == "none" else shade(frame, name, scene.limits)
        self.layers, self.box, self.shading, self._told = layers, box, shading, notes

    def _place_camera(self) -> None:
        box = self.box if self.scene.slab else self._part or whole(self.frame)
        self.eye.place(box.bounds(self.frame.spacing), self.scene.camera, self.foot, self.side, self.scale)

    def _draw(self) -> None:
        self.notes = list(self._told)
        if self.scene.slab:
            self.notes.append(f"drawn: {extent_of(self.frame, self.box)}")
        self._draw_bone()
        self._draw_translucent()
        self._draw_field()
        self._draw_cells()
        self._draw_niches()
        self._draw_tracks()
        outline = pv.Box(self.box.bounds(self.frame.spacing).T.ravel()).extract_all_edges()
        self.props.put("outline", outline, color="#777777", line_width=1.5)
        self.plotter.renderer.ResetCameraClippingRange()

    def _digest(self, array: str, value: int) -> bytes:
        """A digest of where an array of the frame has a value."""
        key = (array, value)
        if key not in self._digests:
            self._digests[key] = digest(getattr(self.frame, array) == value)
        return self._digests[key]

    def _draw_bone(self) -> None:
        frame, layers = self.frame, self.layers
        changed = "bone_change" in layers
        if "bone" not in layers and not changed:
            self.props.drop("layer:bone")
            return
        key = ("bone" in layers, changed, self.box, self._digest("tissue", BONE))
        if changed:
            key += (self._digest("bone_change", 1),)
        mesh = self.props.keep("bone", key, lambda: ingredients.bone(frame, layers, self.box))
        actor = self.props.put("layer:bone", mesh, scalars="colour", rgb=True, **SURFACE_LOOK)
        if actor is not None:
            actor.prop.interpolation = "gouraud"
            # Closed, so its back is never seen.
            actor.prop.culling = "back"

    def _draw_translucent(self) -> None:
        frame, parts, keys = self.frame, [], []
        for name, code in TISSUE_LAYERS.items():
            if name in self.layers and name != "bone":
                key = (self.box, self._digest("tissue", code))
                parts.append(self.props.keep(name, key, lambda code=code: ingredients.vessel(frame, code, self.box)))
                keys.append((name, key))
        if "bone_change" in self.layers:
            key = (self.box, self._digest("bone_change", -1))
            parts.append(self.props.keep("lost", key, lambda: ingredients.lost_bone(frame, self.box)))
            keys.append(("lost", key))
        self.levels = ()
        if self.shading is not None and self.scene.field_as == "isosurface":
            key = (self._serial, self.shading, self.scene.levels, self.box)
            found = self.props.keep(
                "levels", key, lambda: ingredients.isosurfaces(frame, self.shading, self.scene.levels, self.box)
            )
            parts += found.values()
            keys.append(("levels", key))
            self.levels = tuple(level for level, mesh in found.items() if mesh.n_cells)
            mean = f"mean over a Gaussian of {meshes.FIELD_SMOOTHING * frame.spacing:g} µm"
            self.notes.append(f"{self.shading.style.label}: surfaces of its {mean}")
            missing = ", ".join(level_text(level) for level in found if level not in self.levels)
            if missing:
                unit = f" {self.shading.style.unit}" if self.shading.style.unit else ""
                self.notes.append(
                    f"{self.shading.style.label} does not have the level {missing}{unit} in what is drawn"
                )
        key = (tuple(keys), tuple(np.round(self.eye.towards, 6)))
        mesh = self.props.keep("translucent", key, lambda: ingredients.merged(parts, self.eye.towards))
        actor = self.props.put("layer:translucent", mesh, scalars="colour", rgba=True, **SURFACE_LOOK)
        if actor is not None:
            actor.prop.interpolation = "gouraud"

    def _planes(self) -> list[tuple[int, float]]:
        """Axis of the lattice and place (um) of each slice that is drawn."""
        if self.shading is None or self.scene.field_as != "slices":
            return []
        return planes_of(self.frame, self.scene, self.box)

    def _draw_field(self) -> None:
        way, frame = self.scene.field_as if self.shading is not None else "none", self.frame
        wanted = {}
        if way == "wall":
            axis, upwards = facing(self.eye.towards)
            index = self.box.high[axis] - 1 if upwards else self.box.low[axis]
            wanted["layer:wall"] = (axis, index, (index + upwards) * frame.spacing, 0.55)
        for axis, place in self._planes():
            wanted[f"layer:slice {'zyx'[axis]}"] = (axis, int(place // frame.spacing), place, 0.8)
        for name, (axis, index, place, strength) in wanted.items():
            tissues = tuple(layer for layer in self.layers if layer in (*TISSUE_LAYERS, "bone_change"))
            key = (self._serial, self.shading, axis, index, tissues, self.box)
            part = (frame, self.shading, self.layers, self.box, axis, index, strength)
            picture = self.props.keep(name, key, lambda part=part: ingredients.painted(*part))
            mesh = meshes.plane(axis, place, self.box.bounds(frame.spacing))
            actor = self.props.put(name, mesh, texture=picture, lighting=False)
            actor.texture = picture
        self.props.drop_others("layer:wall", wanted)
        self.props.drop_others("layer:slice", wanted)
        if way == "volume":
            key = (self._serial, self.shading, self.box)
            volume = self.props.keep("volume", key, lambda: volume_of(frame, self.shading, self.box))
            self.props.add("layer:volume", volume)
        else:
            self.props.drop("layer:volume")

    def _width(self, kind: str, status: str) -> tuple[float, bool]:
        height = self.plotter.window_size[1]
        return ingredients.cell_width(kind, status, self.frame.spacing, self.eye.um_per_pixel, height)

    def _draw_cells(self) -> None:
        frame = self.frame
        key = (self._serial, self.box, self.layers)
        found = self.props.keep(
            "cells", key, lambda: list(groups(self.box.inside(frame.cells, frame.spacing), self.layers))
        )
        wanted, self._drawn = [], []
        for kind, status, cells in found:
            every = -(-len(cells) // MOST_POINTS)
            if every > 1:
                self.notes.append(f"{kind} ({status}): 1 of every {every} cells drawn")
            shown = cells.iloc[::every]
            self._drawn.append((shown, kind, status))
            style, (width, larger) = palette.cell_style(kind, status), self._width(kind, status)
            if larger:
                enlarged = f"{ingredients.PLURALS[kind]} are drawn larger than they are, to be seen"
                self.notes += [enlarged] * (enlarged not in self.notes)
            name = f"layer:{kind} {status}"
            points = self.props.keep(
                name, key, lambda rows=shown: pv.PolyData(rows[["x", "y", "z"]].to_numpy(np.float32))
            )
            look = {"color": style.colour, "render_points_as_spheres": True, "ambient": 0.35, "specular": 0.2}
            self.props.put(name, points, **look).prop.point_size = width
            wanted.append(name)
        for name in self._cell_names.difference(wanted):
            self.props.drop(name)
        self._cell_names = set(wanted)

    def _draw_niches(self) -> None:
        frame = self.frame
        if "niches" not in self.layers:
            self.props.drop("layer:niches")
            return
        places = self.box.inside(frame.slots, frame.spacing)[["x", "y", "z"]].to_numpy()
        mesh = meshes.cages(places, 1.15 * frame.spacing) if len(places) else None
        actor = self.props.put("layer:niches", mesh, color="#222222", lighting=False)
        if actor is not None:
            actor.prop.line_width = max(1.0, min(2.0, 0.08 * frame.spacing / self.eye.um_per_pixel))

    def _paths(self) -> list[tuple[int, str, np.ndarray]]:
        """The stretches of the scene's tracks, cut at the box."""
        if not self.scene.tracks:
            return []
        table = self._tracks[self._tracks["id"].isin(self.scene.tracks)].copy()
        table.loc[~self.box.holds(table, self.frame.spacing), ["x", "y", "z"]] = np.nan
        return paths(table, self.frame.time)

    def _draw_tracks(self) -> None:
        lines: dict[str, list[np.ndarray]] = {}
        found = self._paths()
        for _, kind, points in found:
            lines.setdefault(kind, []).append(points)
        wanted = [f"layer:track {kind}" for kind in lines]
        if sum(map(len, lines.values())) > len({name for name, _, _ in found}):
            self.notes.append(
                f"tracks have gaps where a cell went by the blood, or more than {LONGEST_STEP:g} µm a frame"
            )
        for name, (kind, points) in zip(wanted, lines.items(), strict=True):
            colour = palette.cell_style(kind, "free").colour
            actor = self.props.put(name, meshes.polylines(points), color=colour, lighting=False)
            actor.prop.line_width = TRACK_SHARE * self.plotter.window_size[1]
            actor.prop.point_size = 2 * actor.prop.line_width
        self.props.drop_others("layer:track", wanted)
