"""The figure of a calibration: the posterior of each parameter and pair, and the readouts with their targets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from marrowsim.viz.experiments import MEAN, REPLICATES
from marrowsim.viz.sweeps import SECOND

if TYPE_CHECKING:
    from marrowsim.calibration.files import Target
    from marrowsim.calibration.run import CalibrationOutcome
    from marrowsim.sweeps.model import Parameter

BINS = 25
SHOWN = 2000
"""Draws of the posterior in a panel of two parameters."""


def draw_calibration(outcome: CalibrationOutcome, path: Path) -> None:
    """Write the figure (PNG) of a finished calibration: a corner plot above, a row a target below."""
    item = outcome.calibration
    width, targets = len(item.parameter), len(item.target)
    figure = Figure(figsize=(2.2 + 3.1 * width, 0.6 + 2.5 * (width + targets)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(width + targets, width, squeeze=False)
    drawn = np.random.default_rng(item.seed).choice(len(outcome.values), SHOWN, p=outcome.posterior.weight)
    for line, other in enumerate(item.parameter):
        for column, parameter in enumerate(item.parameter):
            axes = panels[line, column]
            if column > line:
                axes.set_axis_off()
                continue
            _scaled(axes, parameter)
            if column == line:
                _posterior(axes, parameter, outcome.values[:, column], outcome.posterior.weight)
                axes.set_title(parameter.label or parameter.key, fontsize=10, loc="left")
            else:
                axes.plot(outcome.values[drawn, column], outcome.values[drawn, line], ".", ms=2, alpha=0.25, color=MEAN)
                axes.set_yscale(other.scale)
                axes.set_ylim(other.ends)
                _plain(axes.yaxis, other)
                axes.set_ylabel(other.words, fontsize=9)
    panels[0, 0].legend(fontsize=8, frameon=False)
    for target, line in zip(item.target, panels[width:], strict=True):
        unit = next(readout.unit for readout in item.readout if readout.name == target.readout)
        for number, (parameter, axes) in enumerate(zip(item.parameter, line, strict=True)):
            _scaled(axes, parameter)
            _target(axes, outcome, target, number)
        line[0].set_ylabel(target.readout + ("" if unit == "1" else f" ({unit})"), fontsize=9)
    panels[width, 0].legend(fontsize=8, frameon=False)
    figure.suptitle(f"{item.id}: {item.title}", fontsize=10, wrap=True)
    scratch = path.with_name(f".{path.name}.tmp")
    figure.savefig(scratch, dpi=130, format="png")
    os.replace(scratch, path)


def _scaled(axes: Axes, parameter: Parameter) -> None:
    """The range of the prior, in its scale."""
    axes.set_xscale(parameter.scale)
    axes.set_xlim(parameter.ends)
    axes.set_xlabel(parameter.words, fontsize=9)
    _plain(axes.xaxis, parameter)
    axes.tick_params(labelsize=8)


def _plain(axis: Axis, parameter: Parameter) -> None:
    """Numbers without powers of ten along a logarithmic axis, also where it is shorter than a decade."""
    if parameter.scale == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _posterior(axes: Axes, parameter: Parameter, values: np.ndarray, weight: np.ndarray) -> None:
    """Histogram over the prior's range in its scale, where the prior is flat."""
    low, high = parameter.ends
    edges = np.geomspace(low, high, BINS + 1) if parameter.scale == "log" else np.linspace(low, high, BINS + 1)
    axes.hist(values, edges, weights=weight * BINS, color=MEAN, alpha=0.7, label="posterior")
    axes.axhline(1.0, color="#444444", linewidth=1, linestyle="--", label="prior")
    axes.set_ylabel("density over the prior's", fontsize=9)


def _target(axes: Axes, outcome: CalibrationOutcome, target: Target, number: int) -> None:
    """The readout of all points over a parameter, those of the posterior dark; the target with one sd."""
    parameter, weight = outcome.calibration.parameter[number], outcome.posterior.of_point
    place = np.array([parameter.number(row.settings[parameter.key]) for row in outcome.sweep.rows])
    values = outcome.sweep.means[target.readout]
    aim, sd = target.normal
    axes.axhspan(aim - sd, aim + sd, color=SECOND, alpha=0.35, label="target, one sd")
    axes.axhline(aim, color=SECOND, linewidth=1)
    axes.plot(place, values, "o", markersize=4, color=REPLICATES, label="points")
    axes.scatter(place, values, 60 * weight / weight.max(), color=MEAN, zorder=3, label="in the posterior, by weight")
    axes.grid(alpha=0.3)
