"""Homing by mechanism: what is lost without CXCR4, and without gradients to follow (10 paired seeds)."""

import json

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.validation import bootstrap_interval

pytestmark = pytest.mark.slow
ARMS = {
    "baseline": {},
    "CXCR4-null tumour": {"knockouts": ["CXCR4"]},
    "CXCL12 flattened": {"knockouts": ["CXCL12 gradient"]},
    "tumour blind to gradients": {"cells.tumour.chemotactic_sensitivity": 0.0},
}
SEEDS = range(1, 11)


@pytest.fixture(scope="module")
def outcome():
    """Tumour cells at niches, their share of those that entered, and HPCs in niches, after three days."""
    rows = {}
    for arm, changes in ARMS.items():
        for seed in SEEDS:
            overrides = {"geometry.size": ["400 um"] * 3, **changes}
            simulation = Simulation.from_scenario("homing", seed=seed, threads=2, overrides=overrides)
            simulation.run()
            last = simulation.readouts.iloc[-1]
            at_niches = last["tumour at niches (cells)"]
            entered = simulation.state.tallies["entered marrow:tumour"]
            rows[arm, seed] = (at_niches, at_niches / entered, last["hpc in niches (cells)"])
    return rows


def paired(outcome, arm, column):
    """Mean difference of an arm from the baseline with its 95 % bootstrap interval."""
    differences = np.array([outcome[arm, seed][column] - outcome["baseline", seed][column] for seed in SEEDS])
    return bootstrap_interval(differences)


def test_table(outcome):
    table = {
        arm: [[round(float(value), 4) for value in paired(outcome, arm, column)] for column in range(3)]
        for arm in ARMS
        if arm != "baseline"
    }
    print(json.dumps(table, indent=1))
    assert np.mean([outcome["baseline", seed][0] for seed in SEEDS]) > 5


@pytest.mark.parametrize("column", [0, 1])
def test_without_cxcr4_fewer_tumour_cells_reach_the_niches(outcome, column):
    assert paired(outcome, "CXCR4-null tumour", column)[2] < 0


def test_without_cxcr4_more_progenitors_keep_their_niches(outcome):
    assert paired(outcome, "CXCR4-null tumour", 2)[1] > 0


@pytest.mark.parametrize("column", [0, 1])
def test_without_gradients_fewer_tumour_cells_reach_the_niches(outcome, column):
    assert paired(outcome, "CXCL12 flattened", column)[2] < 0


def test_without_gradients_progenitors_lose_their_own_way_back(outcome):
    """Flattening takes the gradients from progenitors too, so fewer of them, not more, hold a niche."""
    assert paired(outcome, "CXCL12 flattened", 2)[2] < 0


def test_a_tumour_alone_blind_to_gradients_has_no_clear_effect_at_ten_seeds(outcome):
    """The gradients taken from tumour cells only: in the expected direction, within the noise (told in the docs)."""
    for column in (0, 1):
        difference, low, high = paired(outcome, "tumour blind to gradients", column)
        assert difference < 0
        assert low < 0 < high
