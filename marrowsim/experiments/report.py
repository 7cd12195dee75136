"""The tables and the text of a finished experiment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marrowsim import __version__
from marrowsim.experiments.files import flat
from marrowsim.experiments.model import Arm, Experiment, Rule
from marrowsim.experiments.statistics import effect
from marrowsim.experiments.verdict import Judgement

if TYPE_CHECKING:
    from marrowsim.experiments.run import Outcome

YES_NO = {True: "yes", False: "no", None: ""}


def table_of(
    experiment: Experiment, seeds: tuple[int, ...], values: Mapping[str, Mapping[str, np.ndarray]]
) -> pd.DataFrame:
    """Tidy table: arm, seed, readout, unit, value."""
    rows = [
        (arm, seed, readout.name, readout.unit, values[readout.name][arm][number])
        for readout in experiment.readout
        for arm in experiment.arms
        for number, seed in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "readout", "unit", "value"])


def row(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def number(value: float) -> str:
    """A number in three digits."""
    return "-" if math.isnan(value) else f"{value:.3g}"


def with_interval(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval: 0.65 [0.61, 0.70]."""
    return f"{number(estimate)} [{number(low)}, {number(high)}]"


def report_text(outcome: Outcome) -> str:
    """Claim, arms, readouts and rules of a finished experiment, as Markdown."""
    experiment = outcome.experiment
    form = (
        "**Quick form: smaller, shorter and with fewer replicates than the experiment; it decides nothing for good.** "
        if outcome.bounded
        else ""
    )
    seeds = f"{outcome.seeds[0]} to {outcome.seeds[-1]}"
    lines = [f"# {experiment.id}: {experiment.title}", "", experiment.claim, ""]
    lines += [f"Verdict: **{outcome.verdict}**", ""]
    lines += [f"{form}{len(outcome.seeds)} replicates (seeds {seeds}, paired), marrowsim {__version__}.", ""]
    units = {readout.name: readout.unit for readout in experiment.readout}
    lines += ["## Rules", "", *_rules(outcome.judgements, units), ""]
    lines += [
        "Intervals are 95 % intervals over seeds by Student's t; those of ratios of means and of shares are Fieller's. "
        "Delta is Cliff's, of the first arm over the second.",
        "",
    ]
    lines += ["## Arms", "", f"Scenario `{experiment.scenario}`, with what stands in `experiment.toml`.", ""]
    if outcome.bone is not None:
        where = "the same in all replicates, where the experiment has generated bone"
        lines += [f"Bone is that in the middle of {outcome.bone}, {where}; `experiment.json` has its SHA-256.", ""]
    lines += ["| arm | | changes |", "| --- | --- | --- |"]
    lines += [row((name, arm.label, arm_changes(arm))) for name, arm in experiment.arms.items()]
    lines += ["", "## Readouts", "", *_readouts(outcome)]
    return "\n".join(lines) + "\n"


def _rules(judgements: list[Judgement], units: Mapping[str, str]) -> list[str]:
    head = "| rule | of | estimate | n | delta | expected | met | support | holds | falsification | holds |"
    lines = [head, "| --- " * head.count(" |") + "|"]
    for item in judgements:
        rule, found = item.rule, item.effect
        band = f"{rule.expected[0]:g} to {rule.expected[1]:g}" if rule.expected else ""
        estimate = with_interval(found.estimate, found.low, found.high) + (f" ({found.note})" if found.note else "")
        conditions = (str(bounds) if bounds else "" for bounds in (rule.supports, rule.falsifies))
        supports, falsifies = conditions
        cells = [
            rule.name,
            rule_text(rule, units[rule.readout]),
            estimate,
            str(found.replicates),
            number(found.cliff),
            band,
        ]
        cells += [YES_NO[item.expected], supports, YES_NO[item.holds], falsifies, YES_NO[item.falsifies]]
        lines.append(row(cells))
    return lines


def rule_text(rule: Rule, unit: str) -> str:
    """What a rule estimates: the statistic, the readout, the arms in their order, and the unit where it has one."""
    shown = f" ({unit})" if rule.kind in ("value", "difference") and unit != "1" else ""
    return f"{rule.kind} of {rule.readout}: {', '.join(rule.arms)}{shown}"


def arm_changes(arm: Arm) -> str:
    """What an arm changes, in one line of Markdown."""
    parts = [f"scenario `{arm.scenario}`"] if arm.scenario else []
    parts += [f"without `{name}`" for name in arm.knockouts]
    parts += [f"`{key} = {_shown(value)}`" for key, value in flat(arm.set).items()]
    return "; ".join(parts) or "none"


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _readouts(outcome: Outcome) -> list[str]:
    names = list(outcome.experiment.arms)
    lines = [f"| readout | {' | '.join(names)} |", "| --- " * (1 + len(names)) + "|"]
    for readout in outcome.experiment.readout:
        means = [effect("value", outcome.values[readout.name][arm][:, None]) for arm in names]
        unit = "" if readout.unit == "1" else f" ({readout.unit})"
        cells = (with_interval(mean.estimate, mean.low, mean.high) for mean in means)
        lines.append(row((readout.name + unit, *cells)))
    return lines
