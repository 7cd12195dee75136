"""Rules and verdicts."""

import numpy as np
import pytest
from pydantic import ValidationError

from marrowsim.experiments.model import Bounds, Rule
from marrowsim.experiments.statistics import Effect
from marrowsim.experiments.verdict import judge, verdict


def interval(low, high):
    return Effect((low + high) / 2, low, high, 20)


@pytest.mark.parametrize(
    ("bounds", "low", "high", "holds"),
    [
        ({"above": 1.0}, 1.01, 2.0, True),
        ({"above": 1.0}, 1.0, 2.0, False),
        ({"below": 1.0}, 0.5, 0.99, True),
        ({"below": 1.0}, 0.5, 1.0, False),
        ({"within": (0.9, 1.1)}, 0.9, 1.1, True),
        ({"within": (0.9, 1.1)}, 0.89, 1.0, False),
        ({"includes": 1.0}, 0.5, 1.5, True),
        ({"includes": 1.0}, 1.1, 1.5, False),
    ],
)
def test_bounds(bounds, low, high, holds):
    assert Bounds(**bounds).hold(interval(low, high)) is holds


def test_nothing_holds_without_an_interval():
    nothing = Effect(float("nan"), float("nan"), float("nan"), 1)
    for bounds in ({"above": 0.0}, {"below": 9.0}, {"within": (0.0, 9.0)}, {"includes": 1.0}):
        assert not Bounds(**bounds).hold(nothing)


@pytest.mark.parametrize("bounds", [{}, {"above": 1.0, "below": 2.0}])
def test_one_condition_only(bounds):
    with pytest.raises(ValidationError):
        Bounds(**bounds)


def rule(**keys):
    return Rule(name="rule", kind="ratio", readout="cells", of="a", to="b", **keys)


def values(ratio):
    return {"a": ratio * np.arange(1.0, 7.0), "b": np.arange(1.0, 7.0)}


SUPPORT, FALSIFICATION = {"supports": Bounds(above=1.0)}, {"falsifies": Bounds(below=1.0)}


def test_supported_where_every_condition_holds():
    assert verdict([judge(rule(**SUPPORT), values(2.0)), judge(rule(), values(0.5))]) == "supported"


def test_not_supported_where_one_does_not():
    judged = [judge(rule(**SUPPORT), values(2.0)), judge(rule(**SUPPORT), values(0.5))]
    assert verdict(judged) == "not supported"


def test_falsified_before_all():
    judged = [judge(rule(**SUPPORT), values(2.0)), judge(rule(**FALSIFICATION), values(0.5))]
    assert verdict(judged) == "falsified"


def test_the_expected_band_decides_nothing():
    missed = judge(rule(expected=(3.0, 4.0), **SUPPORT), values(2.0))
    assert missed.expected is False and verdict([missed]) == "supported"
    assert judge(rule(expected=(1.5, 4.0), **SUPPORT), values(2.0)).expected is True


def test_a_share_takes_its_arms_in_order():
    share = Rule(name="share", kind="share", readout="cells", of="part", full="all", none="zero")
    found = judge(share, {"part": np.array([2.0, 3.0]), "all": np.array([5.0, 6.0]), "zero": np.array([1.0, 2.0])})
    assert found.effect.estimate == pytest.approx(0.25)
