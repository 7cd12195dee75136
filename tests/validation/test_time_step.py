"""Homing at steps of 30 min against steps of 6 min: the same events, by sub-steps of what is fast."""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.validation import bootstrap_interval

pytestmark = pytest.mark.slow
SEEDS = range(1, 41)
COUNTS = ("arrested:tumour", "cleared:tumour", "entered marrow:tumour", "bound:tumour", "bound:hpc", "released:hpc")


@pytest.fixture(scope="module")
def differences():
    """Events of two days, at 30 min less at 6 min, and their mean at 6 min; 300 um boxes, one row a seed."""
    rows = {6: [], 30: []}
    for seed in SEEDS:
        for step, found in rows.items():
            overrides = {"geometry.size": ["300 um"] * 3, "time.step": f"{step} min", "time.duration": "2 d"}
            simulation = Simulation.from_scenario("homing", seed=seed, threads=2, overrides=overrides)
            simulation.run()
            found.append([simulation.state.tallies.get(name, 0) for name in COUNTS])
    short, long = (np.array(found, dtype=float) for found in rows.values())
    return long - short, short.mean(axis=0)


@pytest.mark.parametrize("name", COUNTS)
def test_long_steps_have_the_events_of_short_ones(differences, record_property, name):
    """The 99 % interval of the paired difference includes 0 (six counts are looked at)."""
    change, mean = (values[..., COUNTS.index(name)] for values in differences)
    found, low, high = bootstrap_interval(change, level=0.99)
    record_property("time step", f"{name}: {mean:.1f} at 6 min, {found:+.1f} [{low:.1f}, {high:.1f}] at 30 min")
    assert low <= 0 <= high
