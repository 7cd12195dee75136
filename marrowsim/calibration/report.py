"""The text of a finished calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marrowsim.calibration.posterior import DRAWS, FEWEST
from marrowsim.experiments.report import number, with_interval

if TYPE_CHECKING:
    from marrowsim.calibration.run import CalibrationOutcome

MOST = 20
"""Points that the report lists; accepted.csv has all of them."""


def report_text(outcome: CalibrationOutcome) -> str:
    """Posterior, its check against the targets and the good fits, as Markdown."""
    item, found = outcome.calibration, outcome.posterior
    lines = [f"# {item.id}: {item.title}", "", "![posterior, and readouts with their targets](posterior.png)", ""]
    lines += [
        f"Approximate Bayesian computation with local linear regression: {outcome.sweep.points} points of the prior, "
        f"{item.replicates} replicates, {DRAWS} draws of the targets' errors each; the nearest {100 * item.accept:g} % "
        f"are accepted, up to a distance of {found.tolerance:.3g}. {found.effective:.3g} effective points.", "",
    ]  # fmt: skip
    if not outcome.reliable:
        lines += [f"**Fewer than {FEWEST} effective points: give more samples, or a larger accept.**", ""]
    lines += ["## Posterior", "", "| parameter | | prior | median [95 % interval] | half of it within |"]
    lines += ["| --- " * 5 + "|"]
    for parameter, row in zip(item.parameter, outcome.table.to_dict("records"), strict=True):
        unit = f" {parameter.unit}" if parameter.unit else ""
        prior = f"{parameter.low} to {parameter.high}, {parameter.scale}"
        middle = with_interval(row["50 %"], row["2.5 %"], row["97.5 %"]) + unit
        half = f"{number(row['25 %'])} to {number(row['75 %'])}{unit}"
        lines.append(f"| `{parameter.key}` | {parameter.label} | {prior} | {middle} | {half} |")
    if len(item.parameter) > 1:
        lines += ["", "Correlations in the posterior, each parameter in the scale of its prior:", ""]
        lines += [f"| | {' | '.join(f'`{key}`' for key in outcome.correlation)} |"]
        lines += ["| --- " * (1 + len(item.parameter)) + "|"]
        for key, row in outcome.correlation.iterrows():
            lines.append(f"| `{key}` | {' | '.join(f'{value:.2f}' for value in row)} |")
    lines += ["", "## Targets", "", "| readout | target | in the points of the posterior | met | source |"]
    lines += ["| --- " * 5 + "|"]
    for row in outcome.check.itertuples():
        unit = "" if row.unit == "1" else f" {row.unit}"
        shown = with_interval(row.median, row.low, row.high) + unit
        met = "yes" if row.met else "**no**"
        lines.append(f"| {row.readout} | {row.aim:g} +- {row.sd:g}{unit} | {shown} | {met} | {row.source} |")
    lines += [
        "", "Median and 95 % of the weight of the points, as they were simulated. A target is met where they reach to "
        "within one standard deviation of its aim.", "", "## Good fits", "",
    ]  # fmt: skip
    some = outcome.accepted.head(MOST)
    lines += [f"The nearest {len(some)} of {len(outcome.accepted)} points that the posterior is made of:", ""]
    lines += [f"| {' | '.join(some.columns)} |", "| --- " * len(some.columns) + "|"]
    for row in some.to_dict("records"):
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
