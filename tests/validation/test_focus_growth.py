"""Growth of a focus from one cell that came to rest in the marrow (target B19): 20 seeds, 240 um boxes, two weeks.

Clin Cancer Res 2006;12:1431: single cells up to 72 h, 2-10 cells after a week, 50 and more after two weeks. Foci whose
cells died, or left into the blood, are not seen in such a count, and not counted here.
"""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.validation import bootstrap_interval, interval_text

pytestmark = pytest.mark.slow
SEEDS = 20
DAYS = (3, 7, 14)
COMMON = {
    "geometry.size": ["240 um"] * 3,
    "time.duration": "14 d",
    "output.readouts_every": "1 d",
}


def focus(seed):
    """Tumour cells a day, from a dormant one put on the free voxel nearest to the centre."""
    simulation = Simulation.from_scenario("healthy", seed=seed, threads=1, overrides=COMMON)
    state, config = simulation.state, simulation.config
    free = np.flatnonzero((state.tissue.ravel() == 1) & (state.occupant.ravel() < 0))
    places = np.stack(np.unravel_index(np.setdiff1d(free, state.slots), state.tissue.shape), axis=1)
    nearest = places[np.argmin(((places - np.array(state.tissue.shape) / 2) ** 2).sum(axis=1))]
    site = np.array([np.ravel_multi_index(nearest, state.tissue.shape)])
    tumour = config.cells["tumour"]
    row = state.add_cells(config.code("tumour"), site, np.float32(tumour.cxcr4))
    state.cells.dormant_until[row] = round(tumour.dormancy / config.time.step)
    simulation.run()
    return simulation.readouts["tumour in marrow (cells)"].to_numpy()[list(DAYS)]


@pytest.fixture(scope="module")
def foci(seeds):
    """Cells of each focus that is still there, by day."""
    counts = np.array([focus(seed) for seed in seeds(SEEDS)])
    return {day: column[column > 0] for day, column in zip(DAYS, counts.T, strict=True)}


def test_table(foci, record_property):
    for day, counts in foci.items():
        words = f"{interval_text(bootstrap_interval(counts), 1)} | {np.median(counts):.0f} | {len(counts)}"
        record_property("Growth of a focus", f"day {day} | {words}")
    assert len(foci[14]) > 5


@pytest.mark.parametrize(("day", "low", "high"), [(3, 1, 1), (7, 2, 10), (14, 50, np.inf)])
def test_cells_of_a_focus(foci, day, low, high):
    """The interval of the mean overlaps the band of the target."""
    _, below, above = bootstrap_interval(foci[day])
    assert below <= high
    assert above >= low
