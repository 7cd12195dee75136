"""The parts of a picture that matplotlib draws: views, sections, legend, scale and colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.patheffects import withStroke

from marrowsim.tissues import BONE
from marrowsim.viz import palette
from marrowsim.viz.layers import TISSUE_LAYERS, Box, census, drawn_groups, groups, whole
from marrowsim.viz.sections import Shade, paint, pale

INK = "#222222"
DENSE_BONE = "#B79F6A"
BONE_CELLS = ("osteoclast", "ocp", "osteoblast", "osteocyte", "lining")

# Smallest width of a cell's mark in points, so that the few are seen on a large section.
LEAST_POINTS = {"tumour": 4.0, "hpc": 2.5}

HALO = [withStroke(linewidth=3, foreground="white")]


@dataclass(frozen=True)
class Entry:
    """One line of the legend: a heading (no marker), or a marker with its label and counts."""

    label: str
    marker: str = ""
    colour: str = INK
    total: int | float | None = None
    shown: int | float | None = None


def legend_entries(frame, layers: Sequence[str], box: Box) -> list[Entry]:
    """What the picture shows, with how many there are in the lattice and in the box that is drawn."""

    inside = box.inside(frame.cells, frame.spacing)
    totals, shown = census(frame.cells), census(inside)
    cells: dict[str, list[Entry]] = {}
    for pair in drawn_groups(totals, layers):
        style = palette.cell_style(*pair)
        cells.setdefault(pair[0], []).append(Entry(style.label, "o", style.colour, totals[pair], shown.get(pair, 0)))
    if "tumour" in cells:
        order = [style.label for style in palette.CELLS["tumour"].values()]
        cells["tumour"].sort(key=lambda entry: order.index(entry.label))
    tissues = [
        Entry(palette.TISSUES[code].label, "s", palette.TISSUES[code].colour)
        for name, code in TISSUE_LAYERS.items()
        if name in layers and (frame.tissue[box.slices] == code).any()
    ]
    if "bone_change" in layers:
        tissues += _bone_entries(frame, box)
    niche = []
    if "niches" in layers:
        drawn, vacant = box.holds(frame.slots, frame.spacing), ~frame.slots["occupied"].to_numpy(bool)
        niche = [
            Entry("Niche place (a cell inside: taken)", "cage", INK, len(drawn), int(drawn.sum())),
            Entry("   of these vacant", "", INK, int(vacant.sum()), int((vacant & drawn).sum())),
        ]
    growing = [entry for kind in ("epc", "tip") for entry in cells.get(kind, [])]
    remodelling = [entry for kind in BONE_CELLS for entry in cells.get(kind, [])]
    apart = ("tumour", "hpc", "epc", "tip", *BONE_CELLS)
    stroma = [entry for kind in cells if kind not in apart for entry in cells[kind]]
    way = "TUMOUR CELLS"
    if "niches" in layers and "sinusoids" in layers:
        way += ", ON THEIR WAY FROM VESSEL TO NICHE"
    parts = (
        ("TISSUE", tissues),
        ("STROMA AND NICHES" if niche else "STROMA", [*stroma, *niche]),
        ("BONE REMODELLING", remodelling),
        ("NEW VESSELS", growing),
        ("HAEMATOPOIETIC PROGENITORS (HPC)", cells.get("hpc", [])),
        (way, cells.get("tumour", [])),
    )
    return [line for heading, part in parts if part for line in (Entry(heading), *part)]


def _bone_entries(frame, box: Box) -> list[Entry]:
    """Volumes (mm3) of bone lost and formed, in the lattice and in the box."""
    voxel = (frame.spacing / 1000) ** 3
    entries = []
    for sign, style in ((-1, palette.BONE_LOST), (1, palette.BONE_FORMED)):
        total = np.count_nonzero(frame.bone_change == sign)
        if total:
            shown = np.count_nonzero(frame.bone_change[box.slices] == sign)
            entries.append(Entry(style.label, "s", style.colour, total * voxel, shown * voxel))
    return entries


def _figure(value: int | float) -> str:
    """A count with its thousands apart, a volume with four decimals at most."""
    if isinstance(value, int):
        return f"{value:,}"
    return "<0.0001" if 0 < value < 1e-4 else f"{value:.4f}" if value < 1 else f"{value:.3g}"


def draw_legend(axes, entries: Sequence[Entry], partial: bool) -> None:
    """Write the legend into empty axes of a fixed number of lines."""
    lines = max(15, len(entries) + 1)
    axes.set(xlim=(0, 1), ylim=(lines, 0))
    axes.set_axis_off()
    axes.set_label("legend")
    if any(entry.total is not None for entry in entries):
        axes.text(0.84 if partial else 1.0, 0.4, "number", fontsize=7.5, color="#666666", ha="right", va="center")
        if partial:
            axes.text(1.0, 0.4, "in slab", fontsize=7.5, color="#666666", ha="right", va="center")
    for row, entry in enumerate(entries):
        height = row + 0.5
        heading = not entry.marker and entry.total is None
        if heading:
            axes.text(0, height, entry.label, fontsize=7.5, color="#666666", fontweight="bold", va="center")
            continue
        if entry.marker == "cage":
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
        axes.text(0.065, height, entry.label, fontsize=8.5, color=INK, va="center")
        if entry.total is not None:
            right = 0.84 if partial else 1.0
            axes.text(right, height, _figure(entry.total), fontsize=8.5, ha="right", va="center", color=INK)
            if partial:
                axes.text(1.0, height, _figure(entry.shown), fontsize=8.5, ha="right", va="center", color="#666666")


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


def draw_orientation(axes, right: np.ndarray, up: np.ndarray) -> None:
    """Draw the directions of x, y and z as arrows, at the foot beside the scale bar."""
    for axis, name in enumerate("xyz"):
        reach = np.array([right[axis], up[axis]])
        if np.hypot(*reach) < 0.12:
            continue
        axes.annotate(
            name,
            xy=(0.4, 0.025),
            xycoords="axes fraction",
            xytext=30 * reach,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "<-", "color": INK, "lw": 1.0, "shrinkA": 4, "shrinkB": 0},
        )


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


def draw_colour_bar(figure, axes, shading: Shade, place=(0.55, 0.035, 0.42, 0.014), where=", on the far wall"):
    """Draw the colour bar of the painted field, with its unit; `place` and `where` say where it is."""
    bar = axes.inset_axes(place)
    bar.set_label("colour bar")
    mappable = ScalarMappable(shading.norm, shading.style.colormap)
    figure.colorbar(mappable, cax=bar, orientation="horizontal", extend="both")
    unit = f" ({shading.style.unit})" if shading.style.unit else ""
    bar.set_title(f"{shading.style.label}{unit}{where}", fontsize=8, pad=3, color=INK)
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
