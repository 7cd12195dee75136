"""The matrix of several experiments: every arm against the reference of its experiment, in every readout."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marrowsim.experiments.overview import decisive, matrix, reference
from marrowsim.experiments.verdict import FALSIFIED, NOT_SUPPORTED, SUPPORTED
from marrowsim.viz.palette import GREEN, GREY, VERMILLION

if TYPE_CHECKING:
    from marrowsim.experiments.run import Outcome
    from marrowsim.experiments.statistics import Effect

CELL, ROW, LABELS, HEAD, GAP = 0.62, 0.24, 2.9, 1.15, 0.35
"""Inches: width and height of a cell, width of the names of arms, height of those of readouts, and between panels."""
BAR, NARROWEST = 0.75, 8.0
"""Inches below the panels, for the colour bar, and that its label needs across."""
WRAP, TITLE = 19, 34
"""Letters in a line of the name of a readout, and of the title of an experiment."""
VERDICTS = {SUPPORTED: GREEN, NOT_SUPPORTED: GREY, FALSIFIED: VERMILLION}
COLOURS = "RdBu_r"
FOLD = 3.0
"""Powers of two at which the colours end."""
NONE = "#dddddd"
NORM = TwoSlopeNorm(0.0, -FOLD, FOLD)


def draw_matrix(outcomes: list[Outcome], path: Path) -> None:
    """Write the heat map (PNG) of the ratios of `marrowsim.experiments.overview.matrix`, a panel an experiment."""
    columns = _columns(outcomes)
    cells = [max(len(item.experiment.readout) for item in column) for column in columns]
    width = max(NARROWEST, sum(LABELS + count * CELL + GAP for count in cells))
    height = max(sum(map(_height, column)) for column in columns) + BAR
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    left = LABELS
    for column, count in zip(columns, cells, strict=True):
        top = height
        for outcome in column:
            top -= _height(outcome)
            experiment = outcome.experiment
            size = (len(experiment.readout) * CELL / width, len(experiment.arms) * ROW / height)
            _panel(figure.add_axes((left / width, (top + GAP) / height, *size)), outcome)
        left += count * CELL + GAP + LABELS
    bar = figure.add_axes((0.35, 0.42 / height, 0.3, 0.13 / height))
    colours = figure.colorbar(ScalarMappable(NORM, COLOURS), cax=bar, orientation="horizontal")
    colours.set_ticks([-3, -2, -1, 0, 1, 2, 3], labels=["1/8", "1/4", "1/2", "1", "2", "4", "8"], fontsize=8)
    what = "ratio to the reference (=); framed: read by a condition of the verdict; in brackets: interval includes 1"
    colours.set_label(what, fontsize=8)
    figure.savefig(path, dpi=110)


def _height(outcome: Outcome) -> float:
    return HEAD + ROW * len(outcome.experiment.arms) + GAP


def _columns(outcomes: list[Outcome]) -> list[list[Outcome]]:
    """The experiments in one column or two of about one height, in their order."""
    if len(outcomes) < 3:
        return [outcomes]
    heights = [_height(item) for item in outcomes]
    cut = min(range(1, len(outcomes)), key=lambda place: max(sum(heights[:place]), sum(heights[place:])))
    return [outcomes[:cut], outcomes[cut:]]


def _panel(axes: Axes, outcome: Outcome) -> None:
    experiment, found, read = outcome.experiment, matrix(outcome), decisive(outcome.experiment)
    arms, readouts = list(experiment.arms), [readout.name for readout in experiment.readout]
    against = reference(experiment)
    levels = np.array([[_level(found[arm, readout]) for readout in readouts] for arm in arms])
    axes.set_facecolor(NONE)
    axes.imshow(np.ma.masked_invalid(levels), cmap=COLOURS, norm=NORM, aspect="auto")
    for row, arm in enumerate(arms):
        for place, readout in enumerate(readouts):
            dark = abs(np.nan_to_num(levels[row, place])) > 0.6 * FOLD
            text = "=" if arm == against else _text(found[arm, readout])
            axes.text(place, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
            if (arm, readout) in read and arm != against:
                axes.add_patch(Rectangle((place - 0.47, row - 0.45), 0.94, 0.9, fill=False, linewidth=1.3))
    axes.set_yticks(range(len(arms)), [experiment.arms[arm].label or arm for arm in arms], fontsize=8)
    axes.xaxis.tick_top()
    names = ["\n".join(textwrap.wrap(name, WRAP)) for name in readouts]
    axes.set_xticks(range(len(names)), names, fontsize=6.5, rotation=40, ha="left", rotation_mode="anchor")
    axes.tick_params(length=0)
    title = "\n".join(textwrap.wrap(f"{experiment.id}: {experiment.title}", TITLE))
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 9}
    axes.annotate(title, (0, 1), (-LABELS * 72 + 12, 26), weight="bold", va="bottom", **place)
    axes.annotate(outcome.verdict, (0, 1), (-LABELS * 72 + 12, 14), color=VERDICTS[outcome.verdict], **place)


def _level(found: Effect) -> float:
    """Colour of a ratio: its power of two within the scale; not a number where there is none, or the sign changes."""
    if not found.defined or found.estimate < 0:
        return math.nan
    return -FOLD if found.estimate == 0 else min(max(math.log2(found.estimate), -FOLD), FOLD)


def _text(found: Effect) -> str:
    if not found.defined:
        return "-"
    text = f"{found.estimate:.2f}" if abs(found.estimate) < 10 else f"{found.estimate:.0f}"
    return f"({text})" if found.low <= 1 <= found.high else text
