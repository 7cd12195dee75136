"""The page of several finished experiments: claims, verdicts, what does not hold, every arm against a reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from marrowsim import __version__
from marrowsim.experiments.model import Experiment
from marrowsim.experiments.report import number, row, with_interval
from marrowsim.experiments.statistics import Effect, effect
from marrowsim.experiments.verdict import Judgement

if TYPE_CHECKING:
    from marrowsim.experiments.run import Outcome

REPORT = "report.md"
MATRIX = "## Every arm against the reference"
"""Heading below which the page is about arms and readouts instead of claims."""


def reference(experiment: Experiment) -> str:
    """The arm that others are compared with: the one that changes nothing, or the first where none is so."""
    plain = (name for name, arm in experiment.arms.items() if not (arm.set or arm.knockouts or arm.scenario))
    return next(plain, next(iter(experiment.arms)))


def matrix(outcome: Outcome) -> dict[tuple[str, str], Effect]:
    """Ratio of the means of every arm to those of the reference arm, by arm and readout.

    Returns
    -------
    dict of Effect : without an estimate where the reference's mean is not told from 0.
    """
    against = reference(outcome.experiment)
    return {
        (arm, readout): effect("ratio of means", np.stack([values[arm], values[against]], axis=1))
        for readout, values in outcome.values.items()
        for arm in outcome.experiment.arms
    }


def decisive(experiment: Experiment) -> frozenset[tuple[str, str]]:
    """Arms and readouts that a condition of the experiment is about."""
    rules = (rule for rule in experiment.rule if rule.supports or rule.falsifies)
    return frozenset((arm, rule.readout) for rule in rules for arm in rule.arms)


def overview_text(outcomes: list[Outcome], figure: str, unfinished: Sequence[str] = ()) -> str:
    """A page of claims and verdicts, of what does not hold, and of the matrix of arms and readouts.

    Parameters
    ----------
    outcomes : one an experiment, each with its report in a folder of its name.
    figure : where the picture of the matrix is, from the page.
    unfinished : names of experiments that were asked for and failed.
    """
    form = "Quick form: small boxes and few replicates; it decides nothing for good. " * any(
        item.bounded for item in outcomes
    )
    verdicts = [item.verdict for item in outcomes]
    count = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    lines = ["# Claims and verdicts", "", f"{form}{count}. marrowsim {__version__}.", ""]
    lines += [f"**Not finished: {', '.join(unfinished)}.**", ""] if unfinished else []
    bones = {item.bone: [other.experiment.id for other in outcomes if other.bone == item.bone] for item in outcomes}
    lines += [f"Bone of {', '.join(of)}: {bone}.\n" for bone, of in bones.items() if bone]
    lines += _claims(outcomes)
    rows = [line for item in outcomes for judged in item.judgements for line in _shortfalls(item.experiment.id, judged)]
    if rows:
        head = ["## What does not hold, or is not as expected", "", "| claim | rule | estimate | but |"]
        lines += ["", *head, "| --- " * 4 + "|", *rows]
    lines += ["", MATRIX, "", f"![Every arm of every experiment against its reference]({figure})", ""]
    lines += [
        "Ratio of the mean of an arm to that of the reference, with its 95 % interval over paired seeds; **bold**",
        "where a condition of the verdict reads that arm and readout. *Without* are the arrows that the arm switches",
        "off; what else it changes stands in the report. The reference is the arm that changes nothing, or the first",
        'where every arm changes something; "-" where its mean is not told from 0.',
    ]
    for item in outcomes:
        lines += ["", f"### {item.experiment.id}: {item.experiment.title}", "", *_table(item)]
    return "\n".join(lines) + "\n"


def _claims(outcomes: list[Outcome]) -> list[str]:
    """One row an experiment: claim, first rule that decides it with its estimate, verdict."""
    head = "| claim | in a sentence | first rule | estimate | replicates | rules that hold | bands met | verdict |"
    lines = [head, "| --- " * (head.count("|") - 1) + "|"]
    for item in outcomes:
        first = next(judged for judged in item.judgements if judged.rule.supports)
        cells = [f"[{item.experiment.id}]({item.experiment.id}/{REPORT})", item.experiment.claim, first.rule.name]
        cells += [_shown(first.effect), str(len(item.seeds)), _met(judged.holds for judged in item.judgements)]
        cells += [_met(judged.expected for judged in item.judgements), f"**{item.verdict}**"]
        lines.append(row(cells))
    return lines


def _shown(found: Effect) -> str:
    return with_interval(found.estimate, found.low, found.high) if found.defined else found.note


def _met(conditions: Iterable[bool | None]) -> str:
    asked = [condition for condition in conditions if condition is not None]
    return f"{sum(asked)} of {len(asked)}"


def _shortfalls(name: str, item: Judgement) -> Iterator[str]:
    """Rows for what a judgement says against the claim or the expectation."""
    rule = item.rule
    but = [f"support asks for {rule.supports}"] if item.holds is False else []
    but += [f"falsified if {rule.falsifies}"] if item.falsifies else []
    but += [f"expected {rule.expected[0]:g} to {rule.expected[1]:g}"] if item.expected is False else []
    if but:
        yield row((name, rule.name, _shown(item.effect), "; ".join(but)))


def _table(outcome: Outcome) -> list[str]:
    """Arms by readouts, the reference with its means."""
    experiment, found, read = outcome.experiment, matrix(outcome), decisive(outcome.experiment)
    against, readouts = reference(experiment), [readout.name for readout in experiment.readout]
    units = ("" if readout.unit == "1" else f" ({readout.unit})" for readout in experiment.readout)
    lines = [f"| arm | without | {' | '.join(map(''.join, zip(readouts, units, strict=True)))} |"]
    lines += ["| --- " * (len(readouts) + 2) + "|"]
    for name, arm in experiment.arms.items():
        cells = [_cell(found[name, readout], (name, readout) in read) for readout in readouts]
        if name == against:
            means = (effect("value", outcome.values[readout][name][:, None]).estimate for readout in readouts)
            cells = [f"mean {number(mean)}" for mean in means]
        lines.append(row((arm.label or name, ", ".join(arm.knockouts), *cells)))
    return lines


def _cell(found: Effect, bold: bool) -> str:
    if not found.defined:
        return "-"
    text = with_interval(found.estimate, found.low, found.high)
    return f"**{text}**" if bold else text
