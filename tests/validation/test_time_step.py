"""Homing at steps of 30 min against steps of 6 min: the same events, by sub-steps of what is fast."""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.validation import bootstrap_interval, interval_text

pytestmark = pytest.mark.slow
COUNTS = ("arrested:tumour", "cleared:tumour", "entered marrow:tumour", "bound:tumour", "bound:hpc", "released:hpc")


@pytest.fixture(scope="module")
def differences(seeds):
    """Events of two days, at 30 min less at 6 min, and their mean at 6 min; 300 um boxes, one row a seed."""
    rows = {6: [], 30: []}
    for seed in seeds(40):
        for step, found in rows.items():
            overrides = {"geometry.size": ["300 um"] * 3, "time.step": f"{step} min", "time.duration": "2 d"}
            simulation = Simulation.from_scenario("homing", seed=seed, threads=1, overrides=overrides)
            simulation.run()
            found.append([simulation.state.tallies.get(name, 0) for name in COUNTS])
    short, long = (np.array(found, dtype=float) for found in rows.values())
    return long - short, short.mean(axis=0)


@pytest.mark.parametrize("name", COUNTS)
def test_long_steps_have_the_events_of_short_ones(differences, record_property, name):
    """The 99 % interval of the paired difference includes 0 (six counts are looked at)."""
    change, mean = (values[..., COUNTS.index(name)] for values in differences)
    found = bootstrap_interval(change, level=0.99)
    record_property("Time step", f"{name} | {mean:.1f} | {interval_text(found, 1)}")
    assert found[1] <= 0 <= found[2]
