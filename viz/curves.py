"""The readouts of a run over time: up to four small panels, chosen by the names and units of the columns."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from marrowsim.viz.palette import curve_colour, legible

# Title and wanted columns (name without unit, as a regular expression) of each panel, the most telling first.
PANELS = (
    (
        "Tumour cells in blood and marrow",
        (
            r"tumour (in blood|circulating)",
            r"tumour arrested",
            r"tumour in marrow",
            r"tumour (in niches|bound)",
        ),
    ),
    ("BV/TV", (r"bv/tv", r"bv/tv in region")),
    ("Bone resorbed and formed", (r"bone resorbed", r"bone formed")),
    ("Bone surface with", (r"es/bs", r"oc\.s/bs", r"ob\.s/bs")),
    ("Tumour cells of the primary", (r"tumour in soft tissue",)),
    ("Tumour cells at the niches", (r"tumour at niches", r"tumour in niches")),
    ("HPCs in niches", (r"hpc (in niches|bound)",)),
    ("HPCs pushed out of niches", (r"hpc displaced",)),
    ("Who holds the niche places", (r"(slots held by|slot occupancy) \w+",)),
    ("Haematopoietic output", (r"haematopoietic output",)),
    ("CXCL12 in the marrow", (r"cxcl12 (mean|p05|p95)",)),
    ("Oxygen in the marrow", (r"oxygen (mean|p05|p95)",)),
    ("Oxygen in soft tissue", (r"oxygen in soft tissue (mean|p05|p95)",)),
    ("CXCL12 in soft tissue", (r"cxcl12 in soft tissue (mean|p05|p95)",)),
)

MOST_PANELS = 4
MOST_CURVES = 4

# The title of a panel by a column that none of its curves has: there is no marrow.
WITHOUT = {PANELS[0][0]: (r"marrow|niches|bound", "Tumour cells in blood and vessels")}

# How the name of a curve is written beside its end.
LEAST_FONT = 4.0
BESIDE = {"textcoords": "offset points", "fontsize": 8, "va": "center"}

COLUMN = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*$")
# Words of column names as a reader says them.
SPOKEN = {
    "bv/tv": "bone",
    "es/bs": "erosion",
    "oc.s/bs": "osteoclasts",
    "ob.s/bs": "osteoblasts",
    "hpc": "HPC",
    "hpcs": "HPCs",
    "cxcl12": "CXCL12",
    "bound": "in niches",
    "car": "CAR",
}

HOURS = {"min": 1 / 60, "h": 1.0, "d": 24.0, "day": 24.0, "days": 24.0}


def split_unit(column: str) -> tuple[str, str]:
    """Name and unit of a column "name (unit)"; the unit is empty where none is written."""
    match = COLUMN.match(column)
    return (match["name"], match["unit"]) if match else (column, "")


def spoken_unit(unit: str) -> str:
    """A unit of a column as it stands beside an axis."""
    return {"1": "fraction", "mm3": "mm³"}.get(unit, unit)


def time_axis(readouts: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Times of the rows with their label: hours, or days where the run is longer than four of them.

    A table without a time column is drawn over its rows.
    """
    for column in readouts.columns:
        name, unit = split_unit(str(column))
        if name.strip().lower() == "time" and unit in HOURS:
            hours = readouts[column].to_numpy(float) * HOURS[unit]
            return (hours / 24, "time (d)") if hours.max() > 96 else (hours, "time (h)")
    return np.arange(len(readouts)), "row of the table"


def choose_panels(readouts: pd.DataFrame | None) -> list[tuple[str, str, list[str]]]:
    """Title, unit and columns of each panel.

    Of the known panels those in which something changes, without the columns that are zero throughout. Where there
    are none, the first columns of the table are drawn, one panel a unit. A table of fewer than two rows
    has no curves.
    """
    if readouts is None or len(readouts) < 2:
        return []
    columns = {
        str(column): split_unit(str(column))
        for column in readouts.columns
        if pd.api.types.is_numeric_dtype(readouts[column])
        and split_unit(str(column))[0].strip().lower() not in ("time", "step", "seed")
        and np.isfinite(readouts[column].to_numpy(float)).any()
    }
    panels = []
    for title, patterns in PANELS:
        found = [
            column
            for pattern in patterns
            for column, (name, _) in columns.items()
            if re.fullmatch(pattern, name.lower().replace("_", " ")) and readouts[column].abs().max() > 0
        ]
        found = [column for column in found if columns[column][1] == columns[found[0]][1]][:MOST_CURVES]
        if any(readouts[column].nunique() > 1 for column in found):
            alone = len(found) == 1 < len(patterns)
            needed, other = WITHOUT.get(title, ("", title))
            told = title if any(re.search(needed, column) for column in found) else other
            name, unit = columns[found[0]]
            panels.append((name[:1].upper() + name[1:] if alone else told, unit, found))
    if not panels:
        for unit in dict.fromkeys(unit for _, unit in columns.values()):
            found = [column for column, (_, own) in columns.items() if own == unit][:MOST_CURVES]
            panels.append((columns[found[0]][0] if len(found) == 1 else "", unit, found))
    return panels[:MOST_PANELS]


def short_names(columns: list[str]) -> list[str]:
    """Names of the curves of one panel, without unit and without the words that all begin with."""
    words = [split_unit(column)[0].replace("_", " ").split() for column in columns]
    shared = 0
    if len(words) > 1:
        while all(len(name) > shared + 1 and name[shared] == words[0][shared] for name in words):
            shared += 1
    return [" ".join(SPOKEN.get(word.lower(), word) for word in name[shared:]) for name in words]


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """The heights of labels moved apart to at least `gap`, in the same order, as little as a sweep allows."""
    order = np.argsort(places, kind="stable")
    apart = np.array(places, float)[order]
    for upper in range(1, len(apart)):
        apart[upper] = max(apart[upper], apart[upper - 1] + gap)
    apart -= max(0.0, (apart[-1] - 1.0)) if len(apart) else 0.0
    for lower in range(len(apart) - 2, -1, -1):
        apart[lower] = min(apart[lower], apart[lower + 1] - gap)
    result = np.empty_like(apart)
    result[order] = apart
    return result


def draw(axes, readouts: pd.DataFrame, panel: tuple[str, str, list[str]]) -> None:
    """Draw one panel: its curves, each named at its right end in its own colour."""
    title, unit, columns = panel
    times, label = time_axis(readouts)
    values = {column: readouts[column].to_numpy(float) for column in columns}
    edges = [column for column in columns if re.search(r"\bp(05|95)$", split_unit(column)[0])]
    if len(edges) == 2 and len(columns) > 2:
        colour = legible(curve_colour(split_unit(edges[0])[0], 0))
        axes.fill_between(times, *(values[column] for column in edges), color=colour, alpha=0.18, lw=0)
        columns = [column for column in columns if column not in edges]
        title += ": mean, 5 to 95 %"
    lines = [values[column] for column in columns]
    colours = [legible(curve_colour(split_unit(column)[0], at)) for at, column in enumerate(columns)]
    top = max(np.nanmax(line) for line in values.values())
    bottom = min(0.0, *(np.nanmin(line) for line in values.values()))
    if len(values) == 1 and np.nanmin(lines[0]) > 0.6 * top:
        spare = max(0.15 * (top - np.nanmin(lines[0])), 0.01 * top)
        bottom, top = np.nanmin(lines[0]) - spare, top + spare
    axes.set_ylim(bottom, top + 0.06 * (top - bottom) if top > bottom else bottom + 1)
    for line, colour in zip(lines, colours, strict=True):
        axes.plot(times, line, color=colour, lw=1.8, solid_capstyle="round")
    axes.set_xlim(times[0], times[-1] if times[-1] > times[0] else times[0] + 1)
    if len(columns) > 1:
        low, high = axes.get_ylim()
        last = [line[np.isfinite(line)][-1] for line in lines]
        heights = spread((np.array(last) - low) / (high - low), 0.13)
        for name, height, colour in zip(short_names(columns), heights, colours, strict=True):
            word = axes.annotate(name, (1.0, height), (4, 0), xycoords="axes fraction", color=colour, **BESIDE)
            # How wide a word is depends on the resolution.
            while word.get_window_extent().x1 > axes.figure.bbox.x1 - 2 and word.get_fontsize() > LEAST_FONT:
                word.set_fontsize(0.97 * word.get_fontsize())
    axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
    axes.set_xlabel(label, fontsize=8, labelpad=1)
    axes.set_ylabel(spoken_unit(unit), fontsize=8, labelpad=2)
    axes.tick_params(labelsize=8, length=2.5)
    axes.locator_params(axis="y", nbins=4)
    axes.locator_params(axis="x", nbins=6)
    axes.spines[["top", "right"]].set_visible(False)


def draw_beside(axes, readouts: pd.DataFrame, panel: tuple[str, str, list[str]], dashes) -> None:
    """Add the curves of another run to a panel, in the same colours and dashed; the axes grow to hold them."""
    times, label = time_axis(readouts)
    if label != axes.get_xlabel():
        times = times * (24.0 if label.endswith("(d)") else 1 / 24)
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    for at, column in enumerate(panel[2]):
        if column in readouts:
            values = readouts[column].to_numpy(float)
            colour = legible(curve_colour(split_unit(column)[0], at))
            axes.plot(times, values, color=colour, lw=1.4, linestyle=dashes)
            low, high = min(low, np.nanmin(values)), max(high, 1.06 * np.nanmax(values))
    axes.set(xlim=(left, max(right, times[-1])), ylim=(low, high))
