"""What one looks at when one walks through a run: a stage, its timeline, and what a page or window says beside it."""

from __future__ import annotations

import base64
from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyvista as pv
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from marrowsim.storage import Frame, Run
from marrowsim.viz import palette
from marrowsim.viz.cameras import eye
from marrowsim.viz.curvesheet import Sheet, sheet
from marrowsim.viz.description import WHOLE, Scene
from marrowsim.viz.figure import time_stamp
from marrowsim.viz.layers import ON_REQUEST, SLAB, present, whole
from marrowsim.viz.legend import Bar, legend_entries, written
from marrowsim.viz.panels import draw_legend, draw_orientation, draw_scale_bar, round_length
from marrowsim.viz.parts import opened
from marrowsim.viz.picking import Picked, describe, spoken
from marrowsim.viz.sections import lasting_limits
from marrowsim.viz.stage import Stage, new_plotter
from marrowsim.viz.timeline import Timeline
from marrowsim.viz.tracks import tracks_of

SIZE = (960, 720)

# Longest scale bar, as a share of the view's height.
RULER = 0.3

# The share of the view's height that stays empty at its foot, for scale bar and directions.
FOOT = 0.07

# Pixels an inch of a screenshot's words.
DPI = 110
LEGEND_WIDTH = 430

# Of a picture for the page (JPEG, %).
QUALITY = 90


class Viewer:
    """A run, seen through a stage.

    Parameters
    ----------
    run : the run folder.
    scene : what is drawn at first.
    plotter : where it is drawn; None for one without a window, of 960 x 720 pixels.
    index : place of the first frame among the frames; the last one where not given.

    Notes
    -----
    Call `opengl.rendering_available()` before a picture is asked for: VTK ends the process where OpenGL is missing.

    Raises
    ------
    RunFolderError : where the run has no frames, or one cannot be read.
    RenderError : where the scene does not fit the frame.
    """

    def __init__(self, run: Run, scene: Scene, plotter: pv.Plotter | None = None, index: int | None = None):
        self.timeline = Timeline(run)
        self.title = run.record["title"]
        self.index = len(self.timeline) - 1 if index is None else index
        self.chosen: Picked | None = None
        self.sheet: Sheet = sheet(run.readouts)
        self._switched: dict[str, bool] = {}
        self._usual = scene.layers
        self._limits: dict[str, tuple[float, float]] = {}
        self._given = scene.limits
        self._tracks: pd.DataFrame | None = None
        scene = opened(self.timeline.frame(self.index), scene)
        if scene.tracks:
            self._tracks = tracks_of(map(self.timeline.frame, range(len(self.timeline))), scene.tracks)
        self.stage = Stage(plotter or new_plotter(SIZE), scene)
        self.stage.look(foot=FOOT)
        self.show(self.index)

    # What is shown

    @property
    def frame(self) -> Frame:
        """The frame that is shown."""
        return self.stage.frame

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are on and that the frame has."""
        return self.stage.layers

    def show(self, index: int) -> None:
        """Show the frame of a place of the timeline; layers that are off stay off, and a chosen cell is followed."""
        frame = self.timeline.frame(index)
        self.stage.scene = self._fitting(self.stage.scene, frame)
        self.stage.show(frame, self._tracks)
        self.index = index
        if self.chosen is not None:
            self.chosen = self._again(self.chosen)

    def change(self, **parts) -> None:
        """Another description of the scene (see `Stage.change`)."""
        scene = self._fitting(replace(self.stage.scene, **parts), self.frame)
        self.stage.change(**{name: getattr(scene, name) for name in (*parts, "layers", "limits")})

    def switch(self, layer: str, on: bool) -> None:
        """Switch a layer on or off, for this frame and all others."""
        self._switched[layer] = on
        self.change()

    def look(self, name: str | None = None) -> None:
        """Put the camera where a preset has it, or back to where the scene has it."""
        if name is not None:
            self.stage.change(camera=name)
        self.stage.look()

    def refresh(self) -> bool:
        """Look for new frames and readouts; says whether there are new frames."""
        fresh = self.timeline.refresh()
        if fresh:
            self.sheet = sheet(self.timeline.readouts())
        return fresh

    def read_ahead(self) -> None:
        """Read the frames beside the present one, so that they are there when they are asked for."""
        for index in (self.index + 1, self.index - 1):
            if 0 <= index < len(self.timeline):
                self.timeline.frame(index)

    def _fitting(self, scene: Scene, frame: Frame) -> Scene:
        """The scene with the layers that are on in this frame, and one colour scale for all frames."""
        layers = scene.layers
        if self._switched:
            layers = tuple(name for name in present(frame) if self._is_on(name, frame))
        name = scene.field or next((name for name in self._usual or () if name in frame.fields), None)
        if name is None and frame.fields:
            name = "cxcl12" if "cxcl12" in frame.fields else min(frame.fields)
        limits = self._given or (None if name is None or name not in frame.fields else self._scale(name))
        return replace(scene, layers=layers, field=name, limits=limits)

    def _is_on(self, name: str, frame: Frame) -> bool:
        if name in self._switched:
            return self._switched[name]
        if self._usual is not None:
            return name in self._usual
        return name not in ON_REQUEST and name not in frame.fields

    def _scale(self, name: str) -> tuple[float, float]:
        """Colour limits of a field that hold for the first and the last frame, and so for the way between them."""
        if name not in self._limits:
            ends = [self.timeline.frame(index) for index in (0, len(self.timeline) - 1)]
            self._limits[name] = lasting_limits(ends, name)
        return self._limits[name]

    # What is said beside it

    def legend(self) -> list[dict]:
        """The rows of the legend with every layer of the frame, those that are off too.

        Each with `label`, `marker` ("" for a heading), `colour`, `count`, `layer` (empty where there is nothing to
        switch) and `on`.
        """
        entries = legend_entries(self.frame, present(self.frame), self.stage.box, self.stage.legend_parts)
        rows = []
        for entry in entries:
            count = "" if entry.total is None else written(entry.shown)
            if entry.shown != entry.total:
                count += f" of {written(entry.total)}"
            rows.append(
                {
                    "label": entry.label,
                    "marker": entry.marker,
                    "colour": entry.colour,
                    "count": count,
                    "layer": entry.layer if entry.marker else "",
                    "on": not entry.layer or entry.layer in self.layers,
                }
            )
        return rows

    @property
    def field(self) -> str | None:
        """The field that is drawn."""
        return None if self.stage.shading is None else self.stage.shading.name

    def fields(self) -> list[dict]:
        """Name and label of the fields of the frame."""
        return [{"name": name, "label": palette.field_style(name).label} for name in self.frame.fields]

    def bar(self) -> dict:
        """The colour scale of the field: title, ends, and its colours as CSS; empty without a field."""
        bar = self.stage.bar
        if bar is None:
            return {}
        colours = ", ".join(to_hex(row / 255) for row in bar.colours[::17])
        ends = {"low": f"{bar.low:.3g}", "high": f"{bar.high:.3g}"}
        return {"title": bar.title, "css": f"linear-gradient(to right, {colours})", **ends}

    @property
    def clip(self) -> tuple[str, float]:
        """Axis and place (um) of the clipping plane, or "slab" with the axis and the slab's middle; no axis where
        nothing is cut away."""
        clip = self.stage.scene.clip
        if clip is None or clip == WHOLE:
            return "", 0.0
        axis, *places = clip
        return ("slab " if self.stage.scene.slab else "") + axis, sum(places) / len(places)

    def cut(self, axis: str, place: float) -> tuple | str:
        """The clip of a scene, from an axis ("x", "-x", "slab x", or "") and a place (um), as `clip` tells them.

        A slab is as thick as the one that is drawn, else as those of pictures, and stays inside the lattice.
        """
        if not axis.startswith("slab "):
            return (axis, float(place)) if axis else WHOLE
        drawn, spacing = self.stage.scene, self.frame.spacing
        width = drawn.clip[2] - drawn.clip[1] if drawn.slab else SLAB
        low = min(max(place - width / 2, 0.0), max(self.extent(axis) - width, 0.0))
        low = spacing * round(low / spacing)
        return axis[-1], low, low + width

    def extent(self, axis: str) -> float:
        """Length (um) of the lattice along an axis ("x", "-x", "slab x" ...); 0 without one."""
        return 0.0 if not axis else self.frame.tissue.shape[2 - "xyz".index(axis[-1])] * self.frame.spacing

    def ruler(self) -> dict:
        """A scale bar of a round length: its label, and its share of the view's height in percent."""
        most = RULER * self.stage.eye.um_per_pixel * self.stage.plotter.window_size[1]
        length = round_length(most)
        label = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
        return {"label": label, "share": round(100 * RULER * length / most, 3)}

    def pick(self, x: float, y: float) -> None:
        """Choose what stands under a place, as shares of the view's width and height from the upper left corner."""
        width, height = self.stage.plotter.window_size
        self.chosen = self.stage.pick(x * width, y * height)

    def picked(self) -> list[dict]:
        """Name and value of all that is known of what was chosen; empty where nothing is."""
        if self.chosen is None:
            return []
        voxel, spacing = self.chosen.voxel[::-1], self.frame.spacing
        centre = ", ".join(f"{(at + 0.5) * spacing:g}" for at in voxel)
        rows = [("voxel (x, y, z)", ", ".join(map(str, voxel))), ("centre (µm)", centre)]
        values = spoken(self.chosen.values)
        own = len(values) - len(self.frame.fields) - ("bone change" in self.chosen.values) - 1
        return [{"name": name, "value": value} for name, value in [*values[:own], *rows, *values[own:]]]

    def _again(self, chosen: Picked) -> Picked | None:
        """The same cell or voxel in the present frame; None where the cell is gone from the tissue."""
        if chosen.kind == "voxel":
            return describe(self.frame, chosen.point)
        row = self.frame.cells[self.frame.cells["id"] == chosen.values["id"][0]]
        if not len(row) or not np.isfinite(row["x"].iloc[0]):
            return None
        cell = row.iloc[0]
        return describe(self.frame, (cell["x"], cell["y"], cell["z"]), "cell", cell)

    def image(self) -> np.ndarray:
        """The view as it is: uint8, shape (height, width, 3)."""
        return self.stage.image()

    def jpeg(self) -> str:
        """The view as it is, as the data URI of a JPEG file."""
        file = BytesIO()
        Image.fromarray(self.image()).save(file, "JPEG", quality=QUALITY)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()

    def png(self) -> bytes:
        """The view as it is, with title, time, scale bar, directions, colour scale and legend, as a PNG file."""
        image = self.image()
        height, width = image.shape[:2]
        with mpl.rc_context({"font.family": "DejaVu Sans"}):
            size = ((width + LEGEND_WIDTH) / DPI, height / DPI)
            figure = Figure(figsize=size, dpi=DPI, facecolor="white")
            FigureCanvasAgg(figure)
            share = width / (width + LEGEND_WIDTH)
            view = figure.add_axes((0, 0, share, 1))
            view.imshow(image, extent=(0, width, 0, height), aspect="auto")
            view.set_axis_off()
            draw_scale_bar(view, self.stage.eye.um_per_pixel)
            draw_orientation(view, *self.directions())
            view.text(0.02, 0.98, f"{self.title}\n{time_stamp(self.frame.time)}", transform=view.transAxes, va="top")
            notes = "\n".join(self.stage.notes)
            view.text(0.98, 0.02, notes, transform=view.transAxes, fontsize=7.5, ha="right", va="bottom")
            foot = 0.0
            if self.stage.bar is not None:
                foot = 90 / height
                draw_scale(figure.add_axes((share + 0.02, 50 / height, 0.94 - share, 12 / height)), self.stage.bar)
            draw_legend(
                figure.add_axes((share, foot, 0.985 - share, 1 - foot)),
                self.stage.legend,
                self.stage.box != whole(self.frame),
            )
            file = BytesIO()
            figure.savefig(file, format="png", dpi=DPI)
        return file.getvalue()

    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Right and up in space, of the camera as it stands."""
        right, up, _ = eye(self.stage.plotter.camera)
        return right, up


def draw_scale(axes, bar: Bar) -> None:
    """Fill flat axes with the colour scale of a field, its title above."""
    axes.imshow(bar.colours[None], extent=(bar.low, bar.high, 0, 1), aspect="auto")
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.set_title(bar.title, fontsize=8.5, loc="left")
