"""The tables and the text of a finished sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from marrowsim import __version__
from marrowsim.experiments.files import flat
from marrowsim.experiments.report import number, with_interval
from marrowsim.sweeps.sensitivity import MEANINGS

if TYPE_CHECKING:
    from marrowsim.sweeps.run import Plan, SweepOutcome

LONGEST = 200
"""Points beyond which the report has no row for each."""


def results_of(plan: Plan) -> pd.DataFrame:
    """Tidy table: a row a point, replicate and readout; parameters in the unit of their column."""
    sweep, lines = plan.sweep, []
    for entry in plan.entries:
        known = entry.values(plan.relative)
        if known is None:
            continue
        row, point = entry.row, entry.points[0]
        shown = [item.shown(row.settings[item.key]) for item in sweep.parameter]
        for readout in sweep.readout:
            lines.append(
                (row.number, entry.replicate, point.seed, *shown, readout.name, readout.unit, known[readout.name],
                 point.digest)
            )  # fmt: skip
    heads = ["point", "replicate", "seed", *(item.title for item in sweep.parameter)]
    return pd.DataFrame(lines, columns=[*heads, "readout", "unit", "value", "digest"])


def failures_of(plan: Plan) -> pd.DataFrame:
    """A row for every point and replicate without a result, and why."""
    sweep, lines = plan.sweep, []
    for entry in plan.entries:
        row, missing = entry.row, [point for point in entry.points if not point.result()]
        if entry.points and not missing:
            continue
        shown = [item.shown(row.settings[item.key]) for item in sweep.parameter]
        why = plan.refused.get(row.number) or plan.failed.get(missing[0].digest, "not run")
        lines.append((row.number, entry.replicate, entry.points[0].seed if entry.points else "", *shown, why))
    heads = ["point", "replicate", "seed", *(item.title for item in sweep.parameter)]
    return pd.DataFrame(lines, columns=[*heads, "failure"])


def report_text(outcome: SweepOutcome) -> str:
    """Question, design, sensitivity and results of a finished sweep, as Markdown."""
    sweep = outcome.sweep
    lines = [f"# {sweep.id}: {sweep.title}", ""]
    lines += ["![sensitivity, and readouts over the parameters](figure.png)", ""]
    points = outcome.points
    samples = "" if sweep.samples is None else f", {sweep.samples} samples"
    lines += [f"Scenario `{sweep.scenario}`; {sweep.design}{samples}: {points} points, {sweep.replicates} replicates."]
    lines += [f"{_seeds(outcome)} marrowsim {__version__}.", ""]
    if len(outcome.failures):
        lines += [f"**{len(outcome.failures)} runs failed** and are left out: failures.csv.", ""]
    lines += ["| parameter | | values |", "| --- | --- | --- |"]
    for item in sweep.parameter:
        span = (
            ", ".join(map(str, item.values)) if item.values is not None else f"{item.low} to {item.high}, {item.scale}"
        )
        lines.append(f"| `{item.key}` | {item.label} | {span} |")
    if sweep.reference is not None:
        changes = [f"without `{arrow}`" for arrow in sweep.reference.knockouts]
        changes += [f"`{key} = {value!r}`" for key, value in flat(sweep.reference.set).items()]
        which = ", ".join(sweep.reference.readouts)
        lines += ["", f"Over its value in the same point and seed, changed ({'; '.join(changes)}): {which}."]
    lines += ["", "## Sensitivity", "", *_sensitivity(outcome)]
    if points <= LONGEST:
        lines += ["", "## Means of the replicates", "", *_means(outcome)]
    return "\n".join(lines) + "\n"


def _seeds(outcome: SweepOutcome) -> str:
    if outcome.sweep.random_numbers == "independent":
        return "Every point and replicate has a seed of its own (results.csv)."
    seeds = ", ".join(map(str, outcome.seeds))
    return f"The points of a replicate share its seed (common random numbers): {seeds}."


def _sensitivity(outcome: SweepOutcome) -> list[str]:
    table = outcome.sensitivity
    names = list(dict.fromkeys(table["index"]))
    lines = [f"| readout | parameter | {' | '.join(names)} |", "| --- " * (2 + len(names)) + "|"]
    for (readout, parameter), some in table.groupby(["readout", "parameter"], sort=False):
        cells = [with_interval(item.estimate, item.low, item.high) for item in some.itertuples()]
        lines.append(f"| {readout} | `{parameter}` | {' | '.join(cells)} |")
    lines += ["", *(f"- {name}: {MEANINGS[name]}" for name in names)]
    return [*lines, "", "Of the means over replicates, with 95 % intervals of the design, not of the replicates."]


def _means(outcome: SweepOutcome) -> list[str]:
    sweep = outcome.sweep
    heads = ["point", *(item.title for item in sweep.parameter)]
    heads += [item.name + ("" if item.unit == "1" else f" ({item.unit})") for item in sweep.readout]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for place, row in enumerate(outcome.rows):
        shown = (item.shown(row.settings[item.key]) for item in sweep.parameter)
        cells = [str(row.number), *(f"{value:.4g}" if isinstance(value, float) else value for value in shown)]
        cells += [number(outcome.means[item.name][place]) for item in sweep.readout]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
