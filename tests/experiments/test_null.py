"""Type I error: how often an experiment on arms that differ by nothing but their label supports its claim."""

import numpy as np
import pytest
from scipy import stats

from marrowsim.config import load_config
from marrowsim.experiments.files import arm_configs, load_experiment
from marrowsim.experiments.model import Rule
from marrowsim.experiments.points import run_point
from marrowsim.experiments.statistics import FEWEST_TO_JUDGE, effect
from marrowsim.experiments.verdict import SUPPORTED, judge, judge_all, verdict
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES

NOMINAL = 0.025
"""A 95 % interval of arms that are alike lies above no effect, as a claim asks, in this share of experiments."""
NULLS = {
    "log-normal, sd 0.25": lambda draw, shape: np.exp(0.25 * draw.standard_normal(shape)),
    "log-normal, sd 1": lambda draw, shape: np.exp(draw.standard_normal(shape)),
    "counts of 4": lambda draw, shape: 1.0 + draw.poisson(3, shape),
    "counts of 30": lambda draw, shape: 1.0 + draw.poisson(29, shape),
    "waiting times": lambda draw, shape: draw.exponential(1.0, shape),
    "shared tissue": lambda draw, shape: np.exp(
        0.5 * draw.standard_normal((*shape[:-1], 1)) + 0.2 * draw.standard_normal(shape)
    ),
    "two populations": lambda draw, shape: np.where(draw.random(shape) < 0.3, 0.5, 1.0) * np.exp(
        0.05 * draw.standard_normal(shape)
    ),
}  # fmt: skip
"""What values of replicates look like: (replicates, arms) of one distribution."""
CULTURE = """
format = 1
id = "null"
title = "Arms that are alike"
claim = "One of two cultures that are alike has more cells, which move more and carry more CXCR4."
scenario = "culture"
replicates = 6

[set]
geometry.size = ["100 um", "100 um", "100 um"]
time.duration = "12 h"
time.step = "60 min"
seeding = [{ cell = "tumour", density = "30000 /mm^3" }]
processes.circulation.enabled = false
processes.angiogenesis.enabled = false

[arms.one]

[arms.other]

[[readout]]
name = "cells"
measure = "cells"
options = { cell = "tumour" }

[[readout]]
name = "displacement"
measure = "mean squared displacement"
options = { cell = "tumour" }

[[readout]]
name = "CXCR4"
measure = "cxcr4"
options = { cell = "tumour" }

[[rule]]
name = "more cells"
kind = "ratio"
readout = "cells"
of = "one"
to = "other"
supports = { above = 1.0 }

[[rule]]
name = "more movement"
kind = "ratio of means"
readout = "displacement"
of = "one"
to = "other"
supports = { above = 1.0 }

[[rule]]
name = "more CXCR4"
kind = "difference"
readout = "CXCR4"
of = "one"
to = "other"
supports = { above = 0.0 }
"""


@pytest.mark.parametrize("replicates", [FEWEST_TO_JUDGE, 12])
@pytest.mark.parametrize("name", NULLS)
def test_intervals_of_equal_arms_exclude_no_effect_at_the_nominal_rate(name, replicates):
    """Above or below it in 5 % of 4000 experiments or less, for every kind that compares; binomial bound at 3 sigma."""
    count, nominal = 4000, 2 * NOMINAL
    values = NULLS[name](np.random.default_rng(7), (count, replicates, 2))
    for kind, none in (("ratio", 1.0), ("ratio of means", 1.0), ("difference", 0.0)):
        found = [effect(kind, item) for item in values]
        excluded = sum(item.low > none or item.high < none for item in found)
        assert excluded <= count * nominal + 3 * np.sqrt(count * nominal * (1 - nominal)), kind


def test_a_share_that_is_at_its_threshold_is_rarely_above_it():
    """Arms that keep half of an effect, and a rule that asks for more than half."""
    values = np.random.default_rng(8).normal([5.0, 10.0, 0.0], size=(4000, FEWEST_TO_JUDGE, 3))
    rule = Rule(name="half", kind="share", readout="", of="a", full="b", none="c", supports={"above": 0.5})
    judged = [judge(rule, dict(zip("abc", item.T, strict=True))) for item in values]
    assert sum(item.holds for item in judged) <= 4000 * NOMINAL + 3 * np.sqrt(4000 * NOMINAL * (1 - NOMINAL))


def test_an_effect_at_the_margin_is_rarely_equivalent():
    """A ratio that is 1.1 in truth is found wholly within 0.9 to 1.1 in 2.5 % of experiments or less."""
    values = np.exp(0.02 * np.random.default_rng(9).standard_normal((4000, FEWEST_TO_JUDGE, 2))) * [1.1, 1.0]
    rule = Rule(name="same", kind="ratio", readout="", of="a", to="b", supports={"within": (0.9, 1.1)})
    judged = [judge(rule, dict(zip("ab", item.T, strict=True))) for item in values]
    assert sum(item.holds for item in judged) <= 4000 * NOMINAL + 3 * np.sqrt(4000 * NOMINAL * (1 - NOMINAL))


@pytest.fixture
def null(tmp_path):
    """The experiment on two cultures that are alike."""
    path = tmp_path / "null.toml"
    path.write_text(CULTURE)
    return load_experiment(path)


def runs(source, seeds):
    """Every readout of one arm with each of these seeds: dict of float64 arrays."""
    resolved = arm_configs(source, bounded=False, seed=1)["one"].resolved()
    configs = (load_config(resolved | {"seed": seed}, PROCESSES) for seed in seeds)
    rows = [run_point(config, build_geometry(config), source.experiment.readout) for config in configs]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_arms_with_one_seed_are_one_run(null):
    """Paired as an experiment pairs them, arms that are alike are the same to the bit, and support nothing."""
    configs = arm_configs(null, bounded=False, seed=3)
    assert configs["one"] == configs["other"]
    first, again = runs(null, range(6)), runs(null, range(6))
    judged = judge_all(null.experiment, {name: {"one": first[name], "other": again[name]} for name in first})
    assert [(item.effect.low, item.effect.high) for item in judged] == [(1, 1), (1, 1), (0, 0)]
    assert verdict(judged) != SUPPORTED


@pytest.mark.slow
def test_null_experiments_on_runs_are_rarely_supported(null):
    """200 experiments of two arms with 6 seeds each, none used twice, so that the arms differ by chance alone.

    The number supported is at most what a binomial of 200 and 2.5 % gives with probability 99.9 %. The same runs put
    together in other ways are 20 times as many experiments, from which the share is known to about 0.3 %.
    """
    experiments, replicates = 200, null.experiment.replicates
    values = runs(null, range(experiments * 2 * replicates))
    most = stats.binom.ppf(0.999, experiments, NOMINAL)
    shares = []
    for order in (np.arange(values["cells"].size), *(np.random.default_rng(n).permutation(values["cells"].size)
                                                     for n in range(20))):  # fmt: skip
        split = {name: column[order].reshape(experiments, 2, replicates) for name, column in values.items()}
        held = []
        for number in range(experiments):
            arms = {name: dict(zip(("one", "other"), column[number], strict=True)) for name, column in split.items()}
            judged = judge_all(null.experiment, arms)
            held.append([item.holds for item in judged] + [verdict(judged) == SUPPORTED])
        shares.append(np.mean(held, axis=0))
    again = np.mean(shares[1:], axis=0)
    for name, share, other in zip(
        [rule.name for rule in null.experiment.rule] + ["verdict"], shares[0], again, strict=True
    ):
        low, high = stats.binomtest(round(share * experiments), experiments).proportion_ci(0.95)
        print(f"{name}: {share:.3f} [{low:.3f}, {high:.3f}]; runs put together in other ways {other:.4f}")
    assert (shares[0] * experiments <= most).all()
    assert (again <= NOMINAL + 3 * np.sqrt(NOMINAL * (1 - NOMINAL) / (20 * experiments))).all()
