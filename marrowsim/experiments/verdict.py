"""From results to a verdict, by the rules of the experiment file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marrowsim.experiments.model import Experiment, Rule
from marrowsim.experiments.statistics import Effect, effect

SUPPORTED, NOT_SUPPORTED, FALSIFIED = "supported", "not supported", "falsified"


@dataclass(frozen=True)
class Judgement:
    """What a rule came to.

    Attributes
    ----------
    rule : Rule
    effect : Effect
    holds : whether its condition for support holds; None where it has none.
    falsifies : whether its condition for falsification holds; None where it has none.
    expected : whether the estimate is in the expected band; None where none is given.
    """

    rule: Rule
    effect: Effect
    holds: bool | None
    falsifies: bool | None
    expected: bool | None


def judge(rule: Rule, values: Mapping[str, np.ndarray]) -> Judgement:
    """Judge one rule by the values of its readout: arm to array over seeds, in the same order of seeds."""
    found = effect(rule.kind, np.stack([values[arm] for arm in rule.arms], axis=1))
    met = None if rule.expected is None else bool(rule.expected[0] <= found.estimate <= rule.expected[1])
    conditions = (None if bounds is None else bounds.hold(found) for bounds in (rule.supports, rule.falsifies))
    return Judgement(rule, found, *conditions, met)


def verdict(judgements: list[Judgement]) -> str:
    """Falsified where a condition for that holds; supported where every condition for support does; else neither."""
    if any(item.falsifies for item in judgements):
        return FALSIFIED
    return SUPPORTED if all(item.holds for item in judgements if item.holds is not None) else NOT_SUPPORTED


def judge_all(experiment: Experiment, values: Mapping[str, Mapping[str, np.ndarray]]) -> list[Judgement]:
    """Judge every rule; `values` is readout to arm to array over seeds."""
    return [judge(rule, values[rule.readout]) for rule in experiment.rule]
