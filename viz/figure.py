"""The picture of a frame: a slab of the lattice in 3D, a close-up, a legend, and the readouts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marrowsim.errors import RenderError
from marrowsim.tissues import BONE
from marrowsim.viz import curves, opengl, panels
from marrowsim.viz.cameras import axes_of
from marrowsim.viz.description import Scene
from marrowsim.viz.files import size_faults, target_faults, write_figure
from marrowsim.viz.labels import draw_labels
from marrowsim.viz.layers import (
    TISSUE_LAYERS,
    Box,
    census,
    check_field,
    check_use,
    choose,
    count_in_soft_tissue,
    field_of,
    is_crowded,
    middle,
    whole,
)
from marrowsim.viz.legend import Entry, colour_bar, legend_entries
from marrowsim.viz.parts import measures_of, parts_of
from marrowsim.viz.sections import shade

log = logging.getLogger("marrowsim.viz")

# The size in pixels at which the type has its own size; other sizes scale it.
STANDARD = (1600, 1000)
NO_OPENGL = f"no OpenGL here, so sections are drawn in place of the 3D view; remedy: {opengl.REMEDY}"

# What is shown instead of a close-up where cells hide everything.
CROWDED_FIELD = "oxygen"

WITHOUT = "not drawn without OpenGL: "


@dataclass(frozen=True)
class Picture:
    """A picture that was written: where, whether by OpenGL, and what a viewer has to know about it."""

    path: Path
    opengl: bool
    notes: tuple[str, ...]


def time_stamp(minutes: float) -> str:
    """Time in days and hours, and minutes where they are not whole hours."""
    days, rest = divmod(round(minutes), 24 * 60)
    hours, left = divmod(rest, 60)
    return f"{days} d {hours} h" + (f" {left} min" if left else "")


def caption(frame, layers: Sequence[str]) -> str:
    """What happens in the frame, in one sentence: counts of cells, or the shares of bone that went and came."""
    count = {pair: number for pair, number in census(frame.cells).items() if pair[0] in layers}
    parts = []
    tumour = {status: count.get(("tumour", status), 0) for status in ("arrested", "free", "bound")}
    total = sum(tumour.values())
    soft = count_in_soft_tissue(frame, "tumour") if "tumour" in layers else 0
    marrow = tumour["free"] - soft
    if total and (tumour["bound"] or tumour["arrested"]):
        parts.append(
            f"Of {total:,} tumour cells in the tissue {tumour['arrested']:,} are arrested in vessels"
            + f", {soft:,} are in soft tissue" * bool(soft)
            + f", {marrow:,} move through the marrow and {tumour['bound']:,} sit in niches"
            * bool(marrow or tumour["bound"] or not soft)
        )
    elif total:
        parts.append(f"{total:,} tumour cells")
    if "niches" in layers and "hpc" in layers:
        held = count.get(("hpc", "bound"), 0)
        parts.append(f"HPCs hold {held:,} of {len(frame.slots):,} niche places")
    if "bone_change" in layers and not parts:
        lost, formed = (int(np.count_nonzero(frame.bone_change == sign)) for sign in (-1, 1))
        start = int(np.count_nonzero(frame.tissue == BONE)) - formed + lost
        parts.append(
            f"{100 * lost / start:.2g} % of the bone is gone, and {100 * formed / start:.2g} % stands where none was"
        )
    return "; ".join(parts) + "." if parts else ""


def _axes(figure: Figure, left: float, top: float, width: float, height: float):
    """Axes at a place given in units of the standard size, from the upper left corner."""
    return figure.add_axes(
        (left / STANDARD[0], 1 - (top + height) / STANDARD[1], width / STANDARD[0], height / STANDARD[1])
    )


def _pixels(figure: Figure, axes) -> tuple[int, int]:
    place = axes.get_position()
    width, height = figure.get_size_inches() * figure.dpi
    return max(16, round(place.width * width)), max(16, round(place.height * height))


def _draw_rendered(figure, frame, scene, boxes, axis, tracks, spots, transparent) -> tuple[list[str], list[Entry]]:
    from marrowsim.viz.scene import render  # noqa: PLC0415

    box, near = boxes
    main = _axes(figure, *spots[0])
    view = render(frame, scene, box, _pixels(figure, main), foot=0.08, tracks=tracks, transparent=transparent)
    panels.draw_view(main, view, "view")
    panels.draw_orientation(main, view.right, view.up)
    notes = list(view.notes)
    if view.bar is not None:
        panels.draw_colour_bar(figure, main, view.bar)
    layers = choose(frame, scene.layers)[0]
    if near is not None and scene.layers is None and is_crowded(frame, near) and CROWDED_FIELD in frame.fields:
        _draw_field_section(figure, frame, layers, box, axis, spots[1])
    elif near is not None:
        panels.draw_outline(main, view, near, frame.spacing)
        axes = _axes(figure, *spots[1])
        detail = render(frame, scene, near, _pixels(figure, axes), foot=0.07, tracks=tracks, transparent=transparent)
        panels.draw_view(axes, detail, "close-up")
        draw_labels(axes, detail, frame, layers, near)
        axes.set_title("Close-up of the outlined part", fontsize=9, loc="left", fontweight="bold")
        notes += [note for note in detail.notes if note not in notes]
    else:
        draw_labels(main, view, frame, layers, box)
    return notes, view.legend


def _draw_field_section(figure, frame, layers, box: Box, axis: int, spot) -> None:
    """In the place of a close-up that would be a wall of cells: oxygen in the middle of what is drawn."""
    left, top, width, height = spot
    axes = _axes(figure, left + 20, top, width - 20, height - 60)
    shading = shade(frame, CROWDED_FIELD)
    tissues = [name for name in layers if name in TISSUE_LAYERS]
    panels.draw_section(axes, frame, tissues, box, axis, shading, "section")
    axes.set_title(f"{shading.style.label} in the middle of this part", fontsize=9, loc="left", fontweight="bold")
    foot = _axes(figure, left, top + height - 40, width, 40)
    foot.set_axis_off()
    panels.draw_colour_bar(figure, foot, colour_bar(shading, ", in the section"), (0.45, 0.3, 0.5, 0.25))


def _left_out(scene: Scene, axis: int) -> list[str]:
    """What of a scene sections cannot show, in words."""
    lost = []
    if scene.field_as not in ("wall", "none"):
        lost.append(f"{scene.field_as} of the field (the sections are painted with it)")
    if scene.tracks:
        lost.append("tracks")
    if not np.isclose(np.abs(axes_of(scene.camera)[2]).max(), 1) and scene.camera != Scene().camera:
        lost.append(f"the camera's angle (the section looks along {'zyx'[axis]})")
    return [f"{WITHOUT}{', '.join(lost)}"] if lost else []


def _draw_sections(figure, frame, layers, boxes, shading, axis, spots) -> None:
    box, near = boxes
    bold = {"fontsize": 9, "loc": "left", "fontweight": "bold"}
    left, top, width, _ = spots[0]
    everything = whole(frame)
    main = _axes(figure, left + 20, top + 22, width - 190, 595)
    panels.draw_section(main, frame, layers, box, axis, shading, "section")
    where = "the slab" if box != everything else "the lattice"
    main.set_title(f"Section through the middle of {where}, with the cells of all of it", **bold)
    others = [other for other in range(3) if other != axis]
    for index, other in enumerate(others):
        axes = _axes(figure, left + 20 + 265 * index, top + 665, 240, 190)
        name = f"Section across {'zyx'[other]}"
        panels.draw_section(axes, frame, layers, middle(everything, other), other, shading, name)
        axes.set_title(name, **bold)
    axes = _axes(figure, left + 550, top + 665, 240, 190)
    panels.draw_projection(axes, frame, layers, axis, "projection")
    axes.set_title("All of it: bone and tumour", **bold)
    if shading is not None:
        foot = _axes(figure, left + width - 165, top, 165, 600)
        foot.set_axis_off()
        panels.draw_colour_bar(figure, foot, colour_bar(shading, ", in the section"), (0.1, 0.9, 0.85, 0.02))
    left, top, width, height = spots[1]
    if near is not None:
        axes = _axes(figure, left + 20, top, width - 20, height - 20)
        panels.draw_section(axes, frame, layers, near, axis, shading, "close-up")
        axes.set_title("Close-up of the outlined part", **bold)
        rows, columns = (2 - other for other in others)
        low, high = near.bounds(frame.spacing)
        main.plot(
            [low[columns], high[columns], high[columns], low[columns], low[columns]],
            [low[rows], low[rows], high[rows], high[rows], low[rows]],
            color=panels.INK,
            lw=1.2,
        )


def new_figure(size: tuple[int, int], dpi: float) -> Figure:
    """A figure of a size in pixels at 100 dots per inch, of another resolution if asked for; type scales with it."""
    share = min(size[0] / STANDARD[0], size[1] / STANDARD[1])
    figure = Figure(figsize=(size[0] / share / 100, size[1] / share / 100), dpi=share * dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def compose(
    frame,
    readouts: pd.DataFrame | None = None,
    *,
    scene: Scene | None = None,
    title: str | None = None,
    size: tuple[int, int] = STANDARD,
    tracks: pd.DataFrame | None = None,
    dpi: float = 100.0,
    transparent: bool = False,
) -> tuple[Figure, list[str], bool]:
    """The picture as a matplotlib figure, its notes, and whether OpenGL drew it (see `picture`)."""
    scene = scene or Scene()
    drawn, notes = choose(frame, scene.layers)
    check_use(frame, drawn, scene.field, scene.field_as, scene.limits)
    box, near, axis = parts_of(frame, scene)
    plots = curves.choose_panels(readouts)
    figure = new_figure(size, dpi)
    partial = box != whole(frame)
    rendered = opengl.rendering_available()

    figure.text(0.0125, 0.967, title or "Bone marrow", fontsize=17, fontweight="bold", va="center")
    figure.text(0.9875, 0.967, time_stamp(frame.time), fontsize=17, fontweight="bold", va="center", ha="right")
    figure.text(0.0125, 0.935, caption(frame, drawn), fontsize=10.5, va="center", color=panels.INK)
    figure.text(0.0125, 0.911, measures_of(frame, box), fontsize=8.5, va="center", color="#666666")

    spots = ((10, 105, 790, 860), (815, 120, 430, 400))
    if rendered:
        notes, entries = _draw_rendered(figure, frame, scene, (box, near), axis, tracks, spots, transparent)
    else:
        check_field(frame, scene.field)
        shading = (
            None if scene.field_as == "none" else shade(frame, scene.field or field_of(frame, drawn), scene.limits)
        )
        _draw_sections(figure, frame, drawn, (box, near), shading, axis, spots)
        entries = legend_entries(frame, drawn, box)
        notes += [NO_OPENGL, *_left_out(scene, axis)]
    beside = (1265, 100, 320, 430) if near is not None else (1000, 100, 400, 430)
    panels.draw_legend(_axes(figure, *beside), entries, partial)
    for index, panel in enumerate(plots):
        row, column = divmod(index, 2)
        axes = _axes(figure, 860 + 385 * column, 575 + 205 * row, 265, 140)
        axes.set_label("readouts")
        curves.draw(axes, readouts, panel)
    figure.text(0.0125, 0.012, "; ".join(notes), fontsize=8, va="center", color="#666666", gid="notes")
    return figure, notes, rendered


def picture(
    frame,
    readouts: pd.DataFrame | None,
    path,
    *,
    title: str | None = None,
    size: tuple[int, int] = STANDARD,
    scene: Scene | None = None,
    tracks: pd.DataFrame | None = None,
    dpi: float = 100.0,
    transparent: bool = False,
    force: bool = False,
) -> Picture:
    """Write the picture of a frame.

    A slab of the lattice is drawn in three dimensions with a field on its far wall, a close-up of the
    part of it where most can be seen, a legend with counts, and the readouts over time. Without OpenGL
    sections through the same parts take the place of the 3D views.

    Parameters
    ----------
    frame : the state of a run at one time, as `marrowsim.storage` reads it: step, time (min), spacing (um),
        tissue, fields, cells, slots.
    readouts : table of a run over time, columns "name (unit)"; None for a picture without curves.
    path : where to write it: .png, .pdf or .svg.
    title : the heading.
    size : width and height in pixels, at 100 dots per inch; PDF and SVG have its proportions, and are 16 inches wide or
        10 high.
    scene : what to draw; the usual things where not given.
    tracks : the table of `marrowsim.viz.tracks.tracks_of`, where the scene has tracks.
    dpi : dots per inch: 300 gives the same picture with three times the pixels along an edge.
    transparent : without a background.
    force : replace a file of that name that is no picture.

    Raises
    ------
    RenderError : an unknown layer or field, an impossible size or format, a path that cannot be written.
    """
    path = Path(path)
    faults = [*target_faults(path, force=force), *size_faults(size, dpi)]
    if faults:
        raise RenderError(*faults)
    figure, notes, rendered = compose(
        frame, readouts, scene=scene, title=title, size=size, tracks=tracks, dpi=dpi, transparent=transparent
    )
    for note in notes:
        log.log(logging.WARNING if note.startswith((NO_OPENGL, WITHOUT)) else logging.INFO, "%s: %s", path.name, note)
    write_figure(figure, path, dpi=dpi, transparent=transparent)
    return Picture(path, rendered, tuple(notes))
