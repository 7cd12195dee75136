"""The figure of a sweep: what each readout depends on, and the readout over the parameters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marrowsim.viz.experiments import MEAN, REPLICATES

if TYPE_CHECKING:
    from marrowsim.sweeps.model import Parameter
    from marrowsim.sweeps.run import SweepOutcome

MOST = 5
"""Parameters with a panel of their own; those with the largest indices where there are more."""
SECOND = "#e0a458"
NAMES = {"S1": "first order", "ST": "total", "mu_star": r"$\mu^*$", "sigma": r"$\sigma$"}


def draw_sweep(outcome: SweepOutcome, path: Path) -> None:
    """Write the figure (PNG) of a finished sweep: a row a readout, indices first."""
    sweep = outcome.sweep
    columns = 1 + min(MOST, len(sweep.parameter))
    height = max(2.6, 1.2 + 0.42 * len(sweep.parameter))
    figure = Figure(figsize=(2.0 + 3.1 * columns, 0.6 + height * len(sweep.readout)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(sweep.readout), columns, squeeze=False)
    for readout, line in zip(sweep.readout, panels, strict=True):
        indices = outcome.sensitivity[outcome.sensitivity["readout"] == readout.name]
        _indices(line[0], indices, [item.label or item.key for item in sweep.parameter])
        line[0].set_title(readout.name, fontsize=10, loc="left")
        for parameter, axes in zip(_shown(outcome, indices), line[1:], strict=False):
            _readout(axes, outcome, parameter, readout.name)
        line[1].set_ylabel(readout.name + ("" if readout.unit == "1" else f" ({readout.unit})"), fontsize=9)
    figure.suptitle(f"{sweep.id}: {sweep.title}", fontsize=11)
    scratch = path.with_name(f".{path.name}.tmp")
    figure.savefig(scratch, dpi=130, format="png")
    os.replace(scratch, path)


def _shown(outcome: SweepOutcome, indices: pd.DataFrame) -> list[Parameter]:
    parameters = outcome.sweep.parameter
    if len(parameters) <= MOST:
        return parameters
    size = indices.assign(size=indices["estimate"].abs()).groupby("parameter")["size"].max()
    largest = set(size.sort_values(ascending=False).index[:MOST])
    return [item for item in parameters if item.key in largest]


def _indices(axes: Axes, indices: pd.DataFrame, labels: list[str]) -> None:
    """Bars with their intervals, one group a parameter."""
    names = list(dict.fromkeys(indices["index"]))
    height = 0.6 / len(names)
    for number, (name, colour) in enumerate(zip(names, (MEAN, SECOND), strict=False)):
        some = indices[indices["index"] == name]
        lines = np.arange(len(some)) + (number - (len(names) - 1) / 2) * height
        axes.barh(lines, some["estimate"], height, color=colour, label=NAMES.get(name, name))
        axes.hlines(lines, some["low"], some["high"], color="#444444", linewidth=1.2)
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.margins(x=0.08)
    axes.set_ylim(max(len(labels), 2) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    if len(names) > 1:
        axes.legend(fontsize=8, frameon=False)
    else:
        axes.set_xlabel(NAMES.get(names[0], names[0]), fontsize=9)


def _readout(axes: Axes, outcome: SweepOutcome, parameter: Parameter, readout: str) -> None:
    """Replicates as pale dots, their means as dark ones, over a parameter."""
    some = outcome.results[outcome.results["readout"] == readout]
    place = {row.number: parameter.shown(row.settings[parameter.key]) for row in outcome.rows}
    if not parameter.numeric:
        words = [str(parameter.shown(value)) for value in parameter.values]
        place = {number: words.index(str(value)) for number, value in place.items()}
        axes.set_xticks(range(len(words)), words)
    if outcome.sweep.replicates > 1:
        axes.plot([place[number] for number in some["point"]], some["value"], "o", markersize=2.5, color=REPLICATES)
    axes.plot([place[row.number] for row in outcome.rows], outcome.means[readout], "o", markersize=3.5, color=MEAN)
    if parameter.scale == "log":
        axes.set_xscale("log")
    axes.set_xlabel(parameter.words, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
