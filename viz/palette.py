"""One palette for every picture: colours, labels, colour maps and units.

The hues are those of Okabe & Ito (2008), told apart under every common colour blindness. A cell type keeps
its hue everywhere; the status of a cell is a shade of that hue.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

from marrowsim.tissues import ARTERIOLE, BONE, CAPILLARY, SINUSOID, SPROUT

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#8C8C8C"

# Brightest colour (relative luminance) of lines and words on white.
MOST_BRIGHT = 0.68


@dataclass(frozen=True)
class Style:
    """How one kind of thing looks: colour, label, and its size in voxel edges where it is a cell."""

    colour: str
    label: str
    size: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True)
class FieldStyle:
    """How one field looks: colour map, unit and label."""

    colormap: Colormap
    unit: str
    label: str


TISSUES = {
    BONE: Style("#DCD3BF", "Bone"),
    SINUSOID: Style("#D8492F", "Sinusoid (venous vessel)", opacity=0.34),
    ARTERIOLE: Style("#8E1B16", "Arteriole", opacity=0.55),
    CAPILLARY: Style("#FF7F6B", "Capillary of soft tissue", opacity=0.6),
    SPROUT: Style("#F4C2B8", "Sprout (no blood flow yet)", opacity=0.7),
}

BONE_LOST = Style("#5B1FD6", "Bone lost (mm³)", opacity=0.42)
BONE_FORMED = Style("#00707A", "Bone formed (mm³)")

CELLS = {
    "tumour": {
        "arrested": Style(SKY, "Tumour cell, arrested in a vessel", 1.3),
        "free": Style(BLUE, "Tumour cell, on the move", 1.3),
        "bound": Style("#06264A", "Tumour cell, in a niche", 1.3),
    },
    "hpc": {
        "arrested": Style("#6E4A08", "HPC, in a vessel"),
        "free": Style(YELLOW, "HPC, free (no niche)"),
        "bound": Style(ORANGE, "HPC, in a niche"),
    },
    "car": {"free": Style(GREEN, "CAR cell (makes CXCL12)", 0.62)},
    "hot_car": {"free": Style("#00C48F", "CAR cell, hot domain", 0.8)},
    "damaged_car": {"free": Style("#5E8C7D", "CAR cell, damaged by tumour", 0.62)},
    "damaged_hot_car": {"free": Style("#4FA58C", "CAR cell, hot domain, damaged", 0.8)},
    "caf": {"free": Style(VERMILLION, "Cancer-associated fibroblast (CAF)", 0.8)},
    "epc": {
        "arrested": Style("#7A3E63", "EPC, in a vessel"),
        "free": Style(PURPLE, "Endothelial progenitor (EPC)"),
    },
    "tip": {"free": Style("#B0123B", "Tip of a sprout", 1.1)},
    "osteoclast": {"free": Style("#1E0606", "Osteoclast (resorbs bone)", 2.2)},
    "ocp": {"free": Style("#8976FF", "Osteoclast precursor", 0.6)},
    "osteoblast": {"free": Style("#9DFFFF", "Osteoblast (forms bone)", 1.1)},
    "osteocyte": {"free": Style("#5B4A2F", "Osteocyte (in bone)", 0.5)},
    "lining": {"free": Style("#B79F6A", "Bone-lining cell", 0.6)},
    "fibroblast": {"free": Style("#7F9C8F", "Fibroblast", 0.6)},
}

FIELDS = {
    "cxcl12": FieldStyle(
        LinearSegmentedColormap.from_list("cxcl12", ["#FBF7FB", "#E9C9DE", PURPLE, "#8C3F77", "#431638"]),
        "nM",
        "CXCL12",
    ),
    "oxygen": FieldStyle(
        LinearSegmentedColormap.from_list("oxygen", ["#16222E", "#5B7183", "#A9B9C4", "#F4F7F9"]),
        "mmHg",
        "Oxygen",
    ),
    "vegf": FieldStyle(
        LinearSegmentedColormap.from_list("vegf", ["#FCF6F6", "#F2C9C4", "#DE8A80", "#B0123B", "#4A0717"]), "nM", "VEGF"
    ),
    "rankl": FieldStyle(
        LinearSegmentedColormap.from_list("rankl", ["#FCFAF5", "#F3D9A4", "#E59A3C", "#A34E12", "#4A1E06"]),
        "",
        "RANKL signal (1 in health)",
    ),
    "tgf_beta": FieldStyle(
        LinearSegmentedColormap.from_list("tgf_beta", ["#F7FAFA", "#BFE0DC", "#5FB3A8", "#1F7268", "#08332E"]),
        "",
        "TGF-beta",
    ),
}

# Curves of bone, by the name of the column.
BONE_CURVES = {
    "bone resorbed": BONE_LOST.colour,
    "bone formed": BONE_FORMED.colour,
    "ES/BS": BONE_LOST.colour,
    "Oc.S/BS": CELLS["osteoclast"]["free"].colour,
    "Ob.S/BS": BONE_FORMED.colour,
}

# Curves that are not of one cell type (marrow, slots, ...) and types or fields added by a catalogue.
SPARE = (PURPLE, "#7A5195", "#3C7D6B", "#A05A2C", GREY)


def cell_style(kind: str, status: str) -> Style:
    """Style of a cell of type `kind` in `status`; of a spare colour where the type is not in the palette."""
    if kind in CELLS:
        states = CELLS[kind]
        return states.get(status, states["free"])
    return Style(SPARE[sum(kind.encode()) % len(SPARE)], kind.capitalize())


def field_style(name: str) -> FieldStyle:
    """Style of a field; a neutral colour map without a unit where the field is not in the palette."""
    if name in FIELDS:
        return FIELDS[name]
    return FieldStyle(mpl.colormaps["Greys"], "", name)


def curve_colour(column: str, index: int) -> str:
    """Colour of the curve of a readout column: that of the first cell type or field it names.

    Parameters
    ----------
    column : name of the column, without its unit.
    index : the curve's place in its panel, which chooses a spare colour where nothing is named.
    """
    words = column.lower().replace("_", " ").split()
    if column in BONE_CURVES:
        return BONE_CURVES[column]
    if "tumour" in words and ("circulating" in words or "blood" in words):
        return TISSUES[SINUSOID].colour
    for kind, states in CELLS.items():
        if kind in words:
            status = next((word for word in words if word in states), None)
            if "in niches" in column.lower():
                status = "bound"
            if status is None:
                main = {"tumour": "free", "hpc": "bound"}.get(kind, "free")
                return states[main].colour
            return states[status].colour
    for name, style in FIELDS.items():
        if name in words:
            return mpl.colors.to_hex(style.colormap(0.65))
    return SPARE[index % len(SPARE)]


def legible(colour: str) -> str:
    """The colour, darkened where thin lines and words of it would be lost on white."""
    channels = np.array(mpl.colors.to_rgb(colour))
    brightness = channels @ (0.2126, 0.7152, 0.0722)
    return mpl.colors.to_hex(channels * min(1.0, MOST_BRIGHT / brightness)) if brightness else colour
