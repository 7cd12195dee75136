"""The lines of a legend and its colour scale, for whoever draws them: matplotlib, a window or a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marrowsim.viz import palette
from marrowsim.viz.layers import TISSUE_LAYERS, Box, census, drawn_groups
from marrowsim.viz.sections import Shade

INK = "#222222"
BONE_CELLS = ("osteoclast", "ocp", "osteoblast", "osteocyte", "lining")


@dataclass(frozen=True)
class Entry:
    """One line of the legend: a heading (no marker), or a marker with its label and counts.

    marker : "o" cell, "s" tissue or surface, "cage" niche place, "-" track, "" none; colour : as "#rrggbb";
    total, shown : number in the lattice and in the part that is drawn (volumes in mm3); layer : the name of the
    layer, where the line stands for one.
    """

    label: str
    marker: str = ""
    colour: str = INK
    total: int | float | None = None
    shown: int | float | None = None
    layer: str = ""


@dataclass(frozen=True)
class Bar:
    """The colour scale of a field: its label and unit, its two ends, and colours (n, 3) of 0 to 255 from low to high.

    where : what of the picture it belongs to.
    """

    label: str
    unit: str
    low: float
    high: float
    colours: np.ndarray
    where: str

    @property
    def title(self) -> str:
        """Label, unit and place."""
        return f"{self.label} ({self.unit}){self.where}" if self.unit else self.label + self.where


def legend_entries(frame, layers: Sequence[str], box: Box, more: Sequence[tuple[str, list[Entry]]] = ()) -> list[Entry]:
    """What the picture shows, with how many there are in the lattice and in the box that is drawn.

    `more` are parts (heading, entries) that only the caller knows of.
    """
    inside = box.inside(frame.cells, frame.spacing)
    totals, shown = census(frame.cells), census(inside)
    cells: dict[str, list[Entry]] = {}
    for pair in drawn_groups(totals, layers):
        style = palette.cell_style(*pair)
        cells.setdefault(pair[0], []).append(
            Entry(style.label, "o", style.colour, totals[pair], shown.get(pair, 0), pair[0])
        )
    if "tumour" in cells:
        order = [style.label for style in palette.CELLS["tumour"].values()]
        cells["tumour"].sort(key=lambda entry: order.index(entry.label))
    tissues = [
        Entry(palette.TISSUES[code].label, "s", palette.TISSUES[code].colour, layer=name)
        for name, code in TISSUE_LAYERS.items()
        if name in layers and (frame.tissue[box.slices] == code).any()
    ]
    if "bone_change" in layers:
        tissues += _bone_entries(frame, box)
    niche = []
    if "niches" in layers:
        drawn, vacant = box.holds(frame.slots, frame.spacing), ~frame.slots["occupied"].to_numpy(bool)
        niche = [
            Entry("Niche place (a cell inside: taken)", "cage", INK, len(drawn), int(drawn.sum()), "niches"),
            Entry("   of these vacant", "", INK, int(vacant.sum()), int((vacant & drawn).sum()), "niches"),
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
        *more,
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
            entries.append(Entry(style.label, "s", style.colour, total * voxel, shown * voxel, "bone_change"))
    return entries


def written(value: int | float) -> str:
    """A count with its thousands apart, a volume with four decimals at most."""
    if isinstance(value, int):
        return f"{value:,}"
    return "<0.0001" if 0 < value < 1e-4 else f"{value:.4f}" if value < 1 else f"{value:.3g}"


def colour_bar(shading: Shade, where: str) -> Bar:
    """The colour scale of a field."""
    colours = (255 * shading.style.colormap(np.linspace(0, 1, 256))[:, :3]).round().astype(np.uint8)
    return Bar(shading.style.label, shading.style.unit, shading.low, shading.high, colours, where)


def level_text(value: float) -> str:
    """A level of a field in three digits."""
    return f"{value:.3g}"


def level_entries(style: palette.FieldStyle, colours: Mapping[float, str]) -> tuple[str, list[Entry]]:
    """Heading and lines of the isosurfaces of a field, from their levels and colours."""
    unit = f" {style.unit}" if style.unit else ""
    lines = [Entry(f"{style.label} = {level_text(level)}{unit}", "s", colour) for level, colour in colours.items()]
    return "SURFACES OF EQUAL CONCENTRATION" if unit else "SURFACES OF EQUAL LEVEL", lines


def track_entries(ways: Mapping[int, tuple[str, str]]) -> tuple[str, list[Entry]]:
    """Heading and lines of the tracks, from the cells' ids, types and colours."""
    return "TRACKS", [Entry(f"Way of cell {name} ({kind})", "-", colour) for name, (kind, colour) in ways.items()]
