"""The parts of a picture that matplotlib draws: views, sections, legend, scale and colour bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from marrowsim.tissues import BONE
from marrowsim.viz import palette
from marrowsim.viz.layers import Box, groups, whole
from marrowsim.viz.legend import Bar, Entry, written
from marrowsim.viz.sections import Shade, paint, pale

INK = "#222222"
DENSE_BONE = "#B79F6A"

# Smallest type of the legend, in points.
LEAST_FONT = 4.0

# Most that a line of the legend is high.
LINE_INCHES = 0.28

# Smallest width of a cell's mark in points, so that the few are seen on a large section.
LEAST_POINTS = {"tumour": 4.0, "hpc": 2.5}

HALO = [withStroke(linewidth=3, foreground="white")]


def reach(text: Text) -> tuple[float, float]:
    """Where a text begins and ends, in units of its axes."""
    box = text.get_window_extent()
    (left, _), (right, _) = text.axes.transData.inverted().transform([box.min, box.max])
    return left, right


def fit(text: Text, end: float) -> None:
    """Make the type of a text smaller until it ends before a place of its axes; how wide it is depends on the dpi."""
    while reach(text)[1] > end and text.get_fontsize() > LEAST_FONT:
        text.set_fontsize(0.97 * text.get_fontsize())


def draw_legend(axes, entries: Sequence[Entry], partial: bool) -> None:
    """Write the legend into empty axes, from their top, in lines as high as suits the type."""
    room = axes.get_position().height * axes.figure.get_figheight()
    lines = max(room / LINE_INCHES, len(entries) + 1)
    axes.set(xlim=(0, 1), ylim=(lines, 0))
    axes.set_axis_off()
    axes.set_label("legend")
    if any(entry.total is not None for entry in entries):
        axes.text(0.84 if partial else 1.0, 0.4, "number", fontsize=7.5, color="#666666", ha="right", va="center")
        if partial:
            axes.text(1.0, 0.4, "drawn", fontsize=7.5, color="#666666", ha="right", va="center")
    for row, entry in enumerate(entries):
        height = row + 0.5
        heading = not entry.marker and entry.total is None
        if heading:
            fit(axes.text(0, height, entry.label, fontsize=7.5, color="#666666", fontweight="bold", va="center"), 1.0)
            continue
        if entry.marker == "-":
            axes.plot([0.005, 0.045], [height, height], color=entry.colour, lw=2.5)
        elif entry.marker == "cage":
            axes.scatter(0.025, height, s=58, marker="s", facecolor="none", edgecolor=INK, linewidth=1)
        elif entry.marker:
            axes.scatter(
                0.025,
                height,
                s=52,
                marker=entry.marker,
                color=entry.colour,
                edgecolor="#55555588",
                linewidth=0.5,
            )
        label, end = axes.text(0.065, height, entry.label, fontsize=8.5, color=INK, va="center"), 1.0
        if entry.total is not None:
            right = 0.84 if partial else 1.0
            number = axes.text(right, height, written(entry.total), fontsize=8.5, ha="right", va="center", color=INK)
            end = reach(number)[0] - 0.015
            if partial:
                axes.text(1.0, height, written(entry.shown), fontsize=8.5, ha="right", va="center", color="#666666")
        fit(label, end)


def round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50 ... um that is not longer than `most` um."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))


def draw_scale_bar(axes, um_per_unit: float, *, share: float = 0.25) -> float:
    """Draw a bar of a round length in the lower left corner of axes that show a picture; return its um.

    Parameters
    ----------
    um_per_unit : um for one unit of the axes' horizontal coordinate.
    share : the most that the bar may take of the axes' width.
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    length = round_length(share * abs(right - left) * um_per_unit)
    x, y = left + 0.035 * (right - left), bottom + 0.02 * (top - bottom)
    line = axes.plot([x, x + length / um_per_unit], [y, y], color=INK, lw=3, solid_capstyle="butt")[0]
    line.set(gid="scale bar", path_effects=HALO)
    label = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    axes.annotate(
        label,
        (x + length / um_per_unit / 2, y),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        color=INK,
        path_effects=HALO,
    )
    return length


def draw_orientation(axes, right: np.ndarray, up: np.ndarray, at: tuple[float, float] = (0.4, 0.025)) -> list:
    """Draw the directions of x, y and z as arrows, from a place in the axes: at the foot beside the scale bar.

    Returns the arrows, which can be removed.
    """
    arrows = []
    for axis, name in enumerate("xyz"):
        reach = np.array([right[axis], up[axis]])
        if np.hypot(*reach) < 0.12:
            continue
        arrow = axes.annotate(
            name,
            xy=at,
            xycoords="axes fraction",
            xytext=30 * reach,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "<-", "color": INK, "lw": 1.0, "shrinkA": 4, "shrinkB": 0},
        )
        arrows.append(arrow)
    return arrows


def draw_view(axes, view, label: str) -> None:
    """Show a rendered view pixel for pixel, with scale bar and orientation."""
    height, width = view.image.shape[:2]
    axes.imshow(view.image, extent=(0, width, height, 0), interpolation="none", aspect="auto")
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.set_label(label)
    draw_scale_bar(axes, view.um_per_pixel)


def draw_outline(axes, view, box: Box, spacing: float) -> None:
    """Draw the edges of a box into a view."""
    bounds = box.bounds(spacing)
    corners = np.array([[x, y, z] for x in bounds[:, 0] for y in bounds[:, 1] for z in bounds[:, 2]])
    places = view.project(corners)
    for first in range(8):
        for second in range(first + 1, 8):
            if (first ^ second).bit_count() == 1:
                line = axes.plot(*places[[first, second]].T, color=INK, lw=1.1)[0]
                line.set_path_effects([withStroke(linewidth=2.4, foreground="white")])


def draw_colour_bar(figure, axes, scale: Bar, place=(0.55, 0.035, 0.42, 0.014)):
    """Draw the colour scale of a field, with its unit, at a place in the axes."""
    bar = axes.inset_axes(place)
    bar.set_label("colour bar")
    mappable = ScalarMappable(Normalize(scale.low, scale.high), ListedColormap(scale.colours / 255))
    figure.colorbar(mappable, cax=bar, orientation="horizontal", extend="both")
    bar.set_title(scale.title, fontsize=8, pad=3, color=INK)
    bar.tick_params(labelsize=7.5, length=2)
    bar.locator_params(nbins=5)


def draw_section(axes, frame, layers, box: Box, axis: int, shading: Shade | None, label: str) -> None:
    """Draw the middle section of a box across an axis (0 z, 1 y, 2 x), with the box's cells on it.

    Rows and columns are the two other axes of the lattice; coordinates in um.
    """
    middle = (box.low[axis] + box.high[axis]) // 2
    rows, columns = (other for other in range(3) if other != axis)
    index = list(box.slices)
    index[axis] = middle
    values = None if shading is None else frame.fields[shading.name][tuple(index)]
    scale = max(1, min(4, 1200 // max(values.shape if values is not None else (300,))))
    change = None if frame.bone_change is None else frame.bone_change[tuple(index)]
    picture = paint(frame.tissue[tuple(index)], values, shading, layers, scale, 0.8, change)
    voxels = (box.low[columns], box.high[columns], box.low[rows], box.high[rows])
    _show_plane(axes, picture, voxels, frame.spacing, rows, columns)
    axes.set_label(label)
    _scatter(axes, frame, layers, box, rows, columns)
    draw_scale_bar(axes, 1.0)


def draw_projection(axes, frame, layers, axis: int, label: str) -> None:
    """Draw the whole lattice seen along an axis: the share of bone behind each other, every tumour cell."""
    rows, columns = (other for other in range(3) if other != axis)
    shape = frame.tissue.shape
    share = (frame.tissue == BONE).mean(axis=axis)[..., None] if "bone" in layers else np.zeros((1, 1, 1))
    picture = 1 - share / max(share.max(), 1e-9) * (1 - pale(DENSE_BONE, 1.0))
    _show_plane(axes, picture, (0, shape[columns], 0, shape[rows]), frame.spacing, rows, columns)
    axes.set_label(label)
    tumour = [name for name in layers if name == "tumour"]
    _scatter(axes, frame, tumour, whole(frame), rows, columns, least=0.6)
    draw_scale_bar(axes, 1.0)


def _show_plane(axes, picture, voxels, spacing: float, rows: int, columns: int) -> None:
    """Show a picture of the voxels (first and last column, first and last row) in um, with its directions."""
    extent = [edge * spacing for edge in voxels]
    axes.imshow(picture, origin="lower", extent=extent, interpolation="bilinear")
    axes.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])
    axes.set_xlabel(f"{'zyx'[columns]} →", fontsize=8, loc="left", labelpad=2)
    axes.set_ylabel(f"{'zyx'[rows]} →", fontsize=8, loc="bottom", labelpad=2)


def _scatter(axes, frame, layers, box, rows, columns, least=1.0) -> None:
    """Mark the cells and niche places of a box on a section."""
    low, high = np.array(box.low) * frame.spacing, np.array(box.high) * frame.spacing
    place = axes.get_position()
    points = 72 * min(place.width * axes.figure.get_figwidth(), place.height * axes.figure.get_figheight())
    voxel = points * frame.spacing / max(high[columns] - low[columns], high[rows] - low[rows])
    across, upward = "zyx"[columns], "zyx"[rows]
    if "niches" in layers:
        slots = box.inside(frame.slots, frame.spacing)
        axes.scatter(
            slots[across],
            slots[upward],
            s=(1.2 * voxel) ** 2,
            marker="s",
            facecolor="none",
            edgecolor=INK,
            linewidth=0.5,
        )
    for kind, status, inside in groups(box.inside(frame.cells, frame.spacing), layers):
        style = palette.cell_style(kind, status)
        axes.scatter(
            inside[across],
            inside[upward],
            s=max(style.size * voxel, least * LEAST_POINTS.get(kind, 0.8)) ** 2,
            color=style.colour,
            edgecolor="white",
            linewidth=0.4 * least if kind in LEAST_POINTS else 0,
            gid=f"{kind} {status}",
        )
