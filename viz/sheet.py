"""Several frames in one picture: a contact sheet of a run, or two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from marrowsim.errors import Fault, RenderError
from marrowsim.viz import opengl, panels
from marrowsim.viz.cameras import fitting_scale
from marrowsim.viz.description import Scene
from marrowsim.viz.figure import STANDARD, new_figure, time_stamp
from marrowsim.viz.files import size_faults, target_faults, write_figure
from marrowsim.viz.layers import ABSENT, Box, check_use, choose, field_of, whole
from marrowsim.viz.legend import Entry, legend_entries
from marrowsim.viz.parts import measures_of, parts_of
from marrowsim.viz.sections import shade

NEEDS_OPENGL = "sheets, comparisons and films are rendered in 3D, and there is no OpenGL here"

# Shares of the figure: its head, its foot, the column of the legend, and the line above a tile.
HEAD, FOOT, LEGEND, LINE = 0.08, 0.03, 0.235, 0.035


@dataclass
class Row:
    """The frames of one run that a picture shows: its title, a function for each that reads it, its readouts."""

    title: str
    frames: Sequence[Callable]
    tracks: pd.DataFrame | None = None
    readouts: pd.DataFrame | None = None


def require_opengl() -> None:
    """Refuse where nothing can be rendered.

    Raises
    ------
    RenderError : with the line that cures it.
    """
    if not opengl.rendering_available():
        raise RenderError(Fault(NEEDS_OPENGL, remedy=opengl.REMEDY))


@dataclass(frozen=True)
class Fixed:
    """What is the same in all frames of a sheet or film.

    scene : with one colour scale, from the lowest to the highest value of all frames, and the layers that any frame
    has; boxes : the part of each run that is drawn, chosen in its last frame, and the same for runs with lattices of
    one shape; legends : of every frame, without surfaces and tracks; part : the size of the lattices and what of
    them is drawn, in words.
    """

    scene: Scene
    boxes: list[Box]
    legends: list[list[Entry]]
    part: str


def fixed(scene: Scene, rows: Sequence[Row]) -> Fixed:
    """What is the same in all frames of the runs."""
    layers: dict[str, None] = {}
    ends, boxes, legends, parts, shape = [], [], [], [], None
    for row in rows:
        for read in row.frames:
            frame = read()
            found = choose(frame, scene.layers)[0]
            check_use(frame, found, scene.field, scene.field_as, scene.limits)
            layers.update(dict.fromkeys(found))
            legends.append(legend_entries(frame, found, whole(frame)))
            name = scene.field or field_of(frame, found)
            if name is not None and name in frame.fields and scene.limits is None and scene.field_as != "none":
                shading = shade(frame, name)
                ends.append((shading.low, shading.high))
        same = shape == (frame.tissue.shape, frame.spacing)
        boxes.append(boxes[0] if same else parts_of(frame, scene)[0])
        shape = shape or (frame.tissue.shape, frame.spacing)
        parts.append(measures_of(frame, boxes[-1]))
    limits = scene.limits
    if ends:
        limits = (min(low for low, _ in ends), max(high for _, high in ends))
    if len(set(parts)) > 1:
        parts = [f"{row.title}: {part}" for row, part in zip(rows, parts, strict=True)]
    return Fixed(replace(scene, layers=tuple(layers), limits=limits), boxes, legends, ". ".join(dict.fromkeys(parts)))


def common_scale(scene: Scene, rows: Sequence[Row], boxes: Sequence[Box], size, foot: float) -> float:
    """um a pixel at which the part of every run fits into a picture of a size."""
    return max(
        fitting_scale(box.bounds(row.frames[0]().spacing), scene.camera, size, foot)
        for row, box in zip(rows, boxes, strict=True)
    )


def all_entries(legends: Sequence[Sequence[Entry]]) -> list[Entry]:
    """The lines of several legends under their headings, each once and in its place, without numbers."""
    every: list[dict[str, dict[str, Entry]]] = []
    for legend in legends:
        lines: dict[str, Entry] = {}
        parts = {"": lines}
        for entry in legend:
            if not entry.marker and entry.total is None:
                lines = parts.setdefault(entry.label.split(",")[0], {})
            elif entry.marker:
                lines[entry.label] = replace(entry, total=None, shown=None)
        every.append({heading: lines for heading, lines in parts.items() if lines})
    result = []
    for heading in merged(every):
        found = [parts[heading] for parts in every if heading in parts]
        known = {label: entry for lines in found for label, entry in lines.items()}
        result += [Entry(heading), *(known[label] for label in merged(found))]
    return result


def merged(lists: Sequence[Iterable[str]]) -> list[str]:
    """Each word of several lists once, behind the one that it follows in the list that brings it."""
    result: list[str] = []
    for words in lists:
        place = 0
        for word in words:
            if word not in result:
                result.insert(place, word)
            place = result.index(word) + 1
    return result


def grid(rows: Sequence[Row], width: float, height: float) -> tuple[int, int]:
    """Rows and columns of tiles, as near to squares as can be: a row a run where there are several."""
    count = max(len(row.frames) for row in rows)
    if len(rows) > 1:
        return (1, 2) if count == 1 else (len(rows), count)
    columns = min(range(1, count + 1), key=lambda n: (-min(width / n, height / -(-count // n)), n))
    return -(-count // columns), columns


def compose_sheet(
    rows: Sequence[Row],
    scene: Scene,
    *,
    title: str = "",
    size: tuple[int, int] = STANDARD,
    dpi: float = 100.0,
    transparent: bool = False,
) -> tuple[Figure, list[str]]:
    """The sheet as a matplotlib figure, and its notes (see `sheet`)."""
    from marrowsim.viz.scene import Camera  # noqa: PLC0415

    require_opengl()
    asked = scene.layers or ()
    same = fixed(scene, rows)
    scene, boxes = same.scene, same.boxes
    missing = ", ".join(name for name in asked if name not in scene.layers)
    figure = new_figure(size, dpi)
    width, height = figure.get_size_inches() * figure.dpi
    down, across = grid(rows, (1 - LEGEND) * width, (1 - HEAD - FOOT) * height)
    cell = ((1 - LEGEND) / across, (1 - HEAD - FOOT) / down)
    line = LINE if down < 4 else 0.6 * LINE
    tile = (max(16, round(0.97 * cell[0] * width)), max(16, round((cell[1] - line) * height)))
    scale = common_scale(scene, rows, boxes, tile, 0.08)
    figure.text(0.0125, 0.962, title, fontsize=17, fontweight="bold", va="center")
    figure.text(0.0125, 0.932, same.part, fontsize=8.5, va="center", color="#666666")
    places = [(at // across, at % across) for at in range(down * across)]
    notes, legends, view = [f"not in these frames: {missing}"] * bool(missing), [], None
    for number, (row, box) in enumerate(zip(rows, boxes, strict=True)):
        with Camera(scene, box, tile, foot=0.08, scale=scale, transparent=transparent) as camera:
            for index, read in enumerate(row.frames):
                frame = read()
                view = camera.view(frame, row.tracks)
                place = places[index] if len(rows) == 1 else (number, index) if down > 1 else (0, number)
                left, top = place[1] * cell[0] + 0.0125, 1 - HEAD - place[0] * cell[1]
                words = time_stamp(frame.time) if len(rows) == 1 else f"{row.title}, {time_stamp(frame.time)}"
                figure.text(left, top - 0.4 * line, words, fontsize=11, fontweight="bold", va="center")
                axes = figure.add_axes((left, top - cell[1], tile[0] / width, tile[1] / height))
                panels.draw_view(axes, view, "view")
                notes += [note for note in view.notes if note not in notes and not note.startswith(ABSENT)]
                legends.append(view.legend)
    side = figure.add_axes((1 - LEGEND + 0.015, 0.14, LEGEND - 0.025, 1 - HEAD - 0.16))
    panels.draw_legend(side, all_entries(legends), False)
    foot = figure.add_axes((1 - LEGEND + 0.015, 0.0, LEGEND - 0.025, 0.13))
    foot.set_axis_off()
    if view.bar is not None:
        panels.draw_colour_bar(figure, foot, view.bar, (0.05, 0.42, 0.88, 0.1))
    panels.draw_orientation(axes, view.right, view.up)
    figure.text(0.0125, 0.008, "; ".join(notes), fontsize=8, va="center", color="#666666", gid="notes")
    return figure, notes


def sheet(
    rows: Sequence[Row],
    scene: Scene,
    path,
    *,
    title: str = "",
    size: tuple[int, int] = STANDARD,
    dpi: float = 100.0,
    transparent: bool = False,
    force: bool = False,
) -> list[str]:
    """Write frames of one run, or of two side by side, with one camera, one scale, one colour scale and one legend.

    Parameters
    ----------
    rows : the runs and their frames.
    path : .png, .pdf or .svg.
    Others as `marrowsim.viz.figure.picture`.

    Raises
    ------
    RenderError : as `picture`, and where there is no OpenGL.
    """
    path = Path(path)
    faults = [*target_faults(path, force=force), *size_faults(size, dpi)]
    if faults:
        raise RenderError(*faults)
    figure, notes = compose_sheet(rows, scene, title=title, size=size, dpi=dpi, transparent=transparent)
    write_figure(figure, path, dpi=dpi, transparent=transparent)
    return notes
