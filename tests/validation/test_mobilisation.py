"""Mobilisation by plerixafor against Liles 2003 (Blood 102:2728): fold at 9 h, and its order by dose (B12)."""

import itertools

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.validation import bootstrap_interval, interval_text

pytestmark = pytest.mark.slow
SEEDS = 20
DOSES = ("80 ug/kg", "160 ug/kg", "240 ug/kg")
HOURS = (2, 4, 6, 9, 12, 18)


@pytest.fixture(scope="module")
def counts(seeds):
    """HPCs in the blood, and all HPCs, every half hour, by dose: shape (seeds, times, 2)."""
    found = {dose: [] for dose in DOSES}
    for dose, rows in found.items():
        for seed in seeds(SEEDS):
            changes = {"dose.0.amount": dose, "output.readouts_every": "30 min", "time.step": "30 min"}
            simulation = Simulation.from_scenario("mobilisation", seed=seed, overrides=changes)
            simulation.run(days=42.5 / 24)
            places = [simulation.readouts[f"hpc {where} (cells)"] for where in ("in blood", "in niches", "free")]
            rows.append(np.stack([places[0], sum(places)], axis=1))
    return {dose: np.array(rows, dtype=float) for dose, rows in found.items()}


def ratio_of_means(pairs, axis):
    """Mean of the first over mean of the second, since single boxes hold few cells."""
    means = pairs.mean(axis=axis)
    return means[..., 0] / means[..., 1]


def fold(values, hour):
    """HPCs in the blood around an hour after the dose over those of the 14 h before it, with its interval."""
    before, after = values[:, 20:49, 0].mean(axis=1), values[:, 47 + 2 * hour : 50 + 2 * hour, 0].mean(axis=1)
    return bootstrap_interval(np.stack([after, before], axis=1), ratio_of_means)


def test_table(counts, record_property):
    for dose, values in counts.items():
        folds = (interval_text(fold(values, hour), 1) for hour in HOURS)
        record_property("Mobilisation", f"{dose}, at {HOURS} h | {' | '.join(folds)}")
    assert set(counts) == set(DOSES)


def test_about_one_in_a_hundred_progenitors_is_in_healthy_blood(counts):
    """The blood starts empty; after a day it is a little below the 1 % of later weeks."""
    healthy = counts["240 ug/kg"][:, 20:49].mean(axis=1)
    _, low, high = bootstrap_interval(healthy, ratio_of_means)
    assert low < 0.0125
    assert high > 0.005


def test_the_blood_fills_for_hours_and_empties_again(counts):
    course = {hour: fold(counts["240 ug/kg"], hour)[0] for hour in HOURS}
    assert course[6] > 1.2 * course[2]
    assert course[18] < 0.8 * course[9]


def test_fold_at_nine_hours_misses_its_target_where_it_was_measured(counts):
    """Target B12: 15.5-fold, +- 50 %; the rise is there, but too small."""
    estimate, low, _ = fold(counts["240 ug/kg"], 9)
    assert low > 2.0
    assert 3.0 < estimate < 6.0


def test_more_drug_mobilises_more(counts):
    at_nine = [counts[dose][:, 65:68, 0].mean(axis=1) for dose in DOSES]
    for less, more in itertools.pairwise(at_nine):
        assert bootstrap_interval(more - less)[1] > 0
