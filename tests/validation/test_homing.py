"""Homing out of the blood at four hours (B11): by CXCR4 level, antagonist and CXCL12 of the marrow (20 seeds)."""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.state import Status
from marrowsim.validation import bootstrap_interval, interval_text

pytestmark = pytest.mark.slow
SEEDS = 20
ARMS = {
    "vehicle": {},
    "antagonist 0.1 uM": {"receptor.antagonist": "0.1 uM"},
    "antagonist 1 uM": {"receptor.antagonist": "1 uM"},
    "antagonist 10 uM": {"receptor.antagonist": "10 uM"},
    "R = 0": {"cells.tumour.cxcr4": 0.0},
    "R = 0.3": {"cells.tumour.cxcr4": 0.3},
    "R = 3": {"cells.tumour.cxcr4": 3.0},
    "CXCL12 of CAR cells x 0.2": {
        "cells.car.secretion.cxcl12": "6.8 molecule/s",
        "cells.hot_car.secretion.cxcl12": "27.2 molecule/s",
    },
}


@pytest.fixture(scope="module")
def homed(seeds):
    """Share of the injected cells in the marrow or at its vessel walls, and marrow : competitor; one row a seed."""
    rows = {}
    for arm, changes in ARMS.items():
        rows[arm] = []
        for seed in seeds(SEEDS):
            overrides = {"geometry.size": ["400 um"] * 3, **changes}
            simulation = Simulation.from_scenario("homing", seed=seed, overrides=overrides)
            simulation.run(days=4 / 24)
            cells, tallies = simulation.state.cells, simulation.state.tallies
            there = (cells.type == simulation.config.code("tumour")) & (cells.status != Status.CIRCULATING)
            elsewhere = tallies["homed to competitor:tumour"]
            rows[arm].append(
                (np.count_nonzero(there) / tallies["injected:tumour"], tallies["arrested:tumour"] / elsewhere)
            )
    return {arm: np.array(found) for arm, found in rows.items()}


def relative(homed, arm):
    """Homed share of an arm over the vehicle's, paired, with its interval."""
    return bootstrap_interval(homed[arm][:, 0] / homed["vehicle"][:, 0])


def test_table(homed, record_property):
    for arm, values in homed.items():
        share, over = bootstrap_interval(values[:, 0]), bootstrap_interval(values[:, 1])
        texts = interval_text(share, 3), interval_text(relative(homed, arm)), interval_text(over, 1)
        record_property("Homing out of the blood", f"{arm} | {' | '.join(texts)}")
    assert all(len(values) > 1 for values in homed.values())


def test_vehicle_homes_as_calibrated(homed):
    _, low, high = bootstrap_interval(homed["vehicle"][:, 0])
    assert low <= 0.38
    assert high >= 0.34


def test_antagonist_blocks_homing_down_to_a_floor(homed):
    """Target B11: 0.1-0.7 of vehicle at 1 uM, and some homing whatever the level."""
    _, low, high = relative(homed, "antagonist 1 uM")
    assert low <= 0.7
    assert high >= 0.1
    assert relative(homed, "antagonist 10 uM")[1] > 0.1
    assert relative(homed, "R = 0")[1] > 0.1


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("R = 3", "vehicle"),
        ("vehicle", "R = 0.3"),
        ("R = 0.3", "R = 0"),
        ("vehicle", "antagonist 0.1 uM"),
        ("antagonist 0.1 uM", "antagonist 1 uM"),
        ("antagonist 1 uM", "antagonist 10 uM"),
        ("vehicle", "CXCL12 of CAR cells x 0.2"),
    ],
)
def test_homing_rises_with_the_signal(homed, more, less):
    assert bootstrap_interval(homed[more][:, 0] - homed[less][:, 0])[1] > 0


def test_marrow_without_cxcl12_loses_its_advantage_over_other_organs(homed):
    assert bootstrap_interval(homed["vehicle"][:, 1])[1] > 1.5
    fall = homed["vehicle"][:, 1] - homed["CXCL12 of CAR cells x 0.2"][:, 1]
    assert bootstrap_interval(fall)[1] > 0
