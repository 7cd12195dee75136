"""The figure of an experiment: one panel a readout, arms with their replicates and interval."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marrowsim.experiments.statistics import effect

if TYPE_CHECKING:
    from marrowsim.experiments.run import Outcome

COLUMNS = 3
REPLICATES, MEAN = "#8fb3d9", "#14365c"


def draw_experiment(outcome: Outcome, path: Path) -> None:
    """Write the figure (PNG) of a finished experiment."""
    experiment = outcome.experiment
    columns = min(COLUMNS, len(experiment.readout))
    rows = math.ceil(len(experiment.readout) / columns)
    height = 1.2 + 0.32 * len(experiment.arms)
    figure = Figure(figsize=(1.5 + 4.2 * columns, 0.8 + height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    labels = [arm.label or name for name, arm in experiment.arms.items()]
    for readout, axes in zip(experiment.readout, panels.flat, strict=False):
        _panel(axes, outcome.values[readout.name])
        axes.set_yticks(range(len(labels)), labels, fontsize=9)
        axes.set_xlabel(readout.name + ("" if readout.unit == "1" else f" ({readout.unit})"), fontsize=9)
    panels[0, 0].invert_yaxis()
    for axes in list(panels.flat)[len(experiment.readout) :]:
        axes.set_visible(False)
    form = ", quick form" if outcome.bounded else ""
    title = f"{experiment.id}: {experiment.title} ({outcome.verdict}; {len(outcome.seeds)} replicates{form})"
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130)


def _panel(axes: Axes, values: dict) -> None:
    """Replicates as dots, their mean with its interval as a bar."""
    for line, replicates in enumerate(values.values()):
        found = effect("value", replicates[:, None])
        axes.plot(replicates, [line + 0.18] * len(replicates), "o", markersize=3.5, color=REPLICATES, alpha=0.8)
        if found.defined:
            axes.plot([found.low, found.high], [line - 0.1] * 2, color=MEAN, linewidth=2)
            axes.plot(found.estimate, line - 0.1, "D", markersize=5, color=MEAN)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(y=0.12)
