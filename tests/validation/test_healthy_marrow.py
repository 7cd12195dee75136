"""Healthy marrow against B1, B3, B6 over five seeds; what misses its target is held at what was measured.

docs/VALIDATION.md has the table with targets, intervals and misses.
"""

import pytest

from marrowsim import Simulation
from marrowsim.validation import (
    bootstrap_interval,
    chemokine_decay_length,
    chemokine_in_marrow,
    interval_text,
    niche_occupancy,
    oxygen_in_marrow,
    progenitors_in_niches,
)

pytestmark = pytest.mark.slow
SEEDS = 5
BOX = {"geometry.size": ["600 um"] * 3}
FORTNIGHTS = 2


@pytest.fixture(scope="module")
def measured(seeds):
    """Mean and 95 % bootstrap interval of every quantity, 600 um boxes, fields solved for the first cells."""
    rows = []
    for seed in seeds(SEEDS):
        state = Simulation.from_scenario("healthy", seed=seed, overrides=BOX).state
        oxygen, chemokine = oxygen_in_marrow(state), chemokine_in_marrow(state)
        row = {"pO2 mean": oxygen.pop("mean"), "cxcl12 mean": chemokine.pop("mean")} | oxygen | chemokine
        rows.append(row | progenitors_in_niches(state) | {"decay length": chemokine_decay_length(state)})
    return {name: bootstrap_interval([row[name] for row in rows]) for name in rows[0]}


def test_table(measured, record_property):
    for name, values in measured.items():
        record_property("Healthy marrow", f"{name} | {interval_text(values)}")
    assert measured["endosteal"][2] > measured["central"][1]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("pO2 mean", 10.0, 16.0),
        ("highest", 13.0, 32.0),
        ("lowest", 9.0, 12.0),
        ("above sensing", 0.8, 1.0),
        ("within 10 um", 0.85, 0.85),
        ("touching car", 0.99, 1.0),
        ("decay length", 20.0, 50.0),
        ("cxcl12 mean", 0.7, 1.0),
    ],
)
def test_targets_that_are_met(measured, name, low, high):
    """The interval overlaps the band of the target."""
    _, below, above = measured[name]
    assert below <= high
    assert above >= low


def test_progenitors_are_denser_in_the_centre_than_near_bone(measured):
    assert measured["central density"][1] > measured["endosteal density"][2]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("p05", 11.5, 12.5),  # target 5-10 mmHg
        ("near/far", 1.38, 1.48),  # target 1.5-2.5
    ],
)
def test_targets_that_are_missed_stay_where_they_were_measured(measured, name, low, high):
    assert low < measured[name][0] < high


def test_healthy_marrow_stays_near_its_occupancy(seeds, record_property):
    """Over four weeks; the target is 0.65, the aim 0.60-0.70."""
    rows = []
    for seed in seeds(SEEDS):
        simulation = Simulation.from_scenario("healthy", seed=seed, threads=1, overrides=BOX)
        row = [niche_occupancy(simulation.state, "hpc")]
        for _ in range(FORTNIGHTS):
            simulation.run(days=14)
            row.append(niche_occupancy(simulation.state, "hpc"))
        rows.append(row)
    found = [bootstrap_interval(column) for column in zip(*rows, strict=True)]
    for fortnight, values in enumerate(found):
        record_property("Healthy marrow", f"occupancy after {2 * fortnight} weeks | {interval_text(values)}")
    assert all(0.6 < estimate < 0.7 for estimate, _, _ in found)
