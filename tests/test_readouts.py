"""Readouts over the marrow: the same numbers as NumPy's, without its copies."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from marrowsim._engine import census
from marrowsim.field_summary import summary
from marrowsim.readouts import column_names, measure_readouts, rows_near_slots
from marrowsim.simulation import Simulation
from marrowsim.state import Status

SHAPE = (30, 40, 50)


@pytest.fixture
def tissue():
    return (np.random.default_rng(1).random(SHAPE) < 0.7).astype(np.uint8)


@pytest.mark.parametrize(
    "make",
    [
        lambda draw: draw.random(SHAPE),
        lambda draw: draw.normal(size=SHAPE),
        lambda draw: np.exp(-50 * draw.random(SHAPE)),
        lambda draw: np.round(draw.random(SHAPE), 1),
        lambda draw: np.full(SHAPE, 40.0),
        lambda draw: np.zeros(SHAPE),
    ],
)
def test_mean_and_percentiles_are_those_of_numpy(make, tissue):
    values = make(np.random.default_rng(2)).astype(np.float32)
    inside = values[tissue == 1].astype(np.float64)
    expected = [inside.mean(), *np.percentile(inside, (0, 5, 50, 95, 100))]
    found = summary(values, tissue, 1, (0, 5, 50, 95, 100))
    assert found == pytest.approx(expected, rel=1e-13)
    assert found == summary(values, tissue, 1, (0, 5, 50, 95, 100), threads=7)


def test_few_voxels_none_and_not_a_number(tissue):
    values = np.zeros(SHAPE, dtype=np.float32)
    assert np.isnan(summary(values, tissue, 7, (5, 95))).all()
    tissue.flat[:3] = 7
    values.flat[:3] = 1.0, 2.0, 4.0
    assert summary(values, tissue, 7, (50, 75)) == pytest.approx((7 / 3, 2.0, 3.0))
    values.flat[1] = np.nan
    assert np.isnan(summary(values, tissue, 7, (5, 95))).all()


def test_the_field_is_not_copied():
    values, tissue = np.ones((128, 128, 128), dtype=np.float32), np.ones((128, 128, 128), dtype=np.uint8)
    tracemalloc.start()
    summary(values, tissue, 1, (5, 95))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_slots_are_conserved_and_dysfunction_is_the_share_of_output_lost():
    """Held and vacant slots, counted by cells and on the lattice, add up to all; half of the free HPCs lost is 1/2."""
    overrides = {"geometry.size": ["200 um"] * 3, "time.step": "30 min", "output.readouts_every": "30 min"}
    simulation = Simulation.from_scenario("homing", overrides=overrides, threads=1)
    state, cells = simulation.state, simulation.state.cells
    simulation.run(steps=48)
    rows = simulation.readouts
    held = rows["hpc in niches (cells)"] + rows["tumour in niches (cells)"]
    assert (held + rows["slots vacant (slots)"] == len(state.slots)).all()
    assert rows["slots vacant (slots)"].nunique() > 1
    assert rows["dysfunction index (1)"].iloc[0] == 0.0
    healthy = rows["haematopoietic output (cells/d)"].iloc[0]
    free = np.flatnonzero((cells.type == state.config.code("hpc")) & (cells.status == Status.FREE))
    state.remove_cells(free[: len(free) // 2])
    row = measure_readouts(state)
    assert row["dysfunction index (1)"] == pytest.approx(1 - row["haematopoietic output (cells/d)"] / healthy)
    assert row["haematopoietic output (cells/d)"] == pytest.approx((len(free) - len(free) // 2) / 2.3)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1e30, 1.0, -1e30, 1e-40],
        [3.4028235e38] * 1000 + [-1e-45],
        [2.0**24, 1.0, 2.0**-30] * 999,
        [-0.0, -1e-45, -1.1754942e-38],
    ],
)
def test_sum_is_exact(values):
    """Cancellation, subnormal numbers and sums beyond float32: the float64 that `math.fsum` gives, in any order."""
    values = np.array(values, dtype=np.float32)
    assert census.exact_sum(values) == census.exact_sum(values[::-1].copy()) == math.fsum(values.tolist())


def test_sum_of_any_bits_is_exact():
    """200,000 random bit patterns, all exponents and both signs, and their halfway sums with 2^53."""
    bits = np.random.default_rng(3).integers(0, 2**32, 200_000, dtype=np.uint32)
    values = bits.view(np.float32)
    assert np.isnan(census.exact_sum(values))
    values = values[np.isfinite(values)]
    assert census.exact_sum(values) == math.fsum(values.tolist())
    for odd in (0.0, 1.0, 2.0, 3.0):
        tie = np.array([2.0**53, odd, 1.0, -(2.0**-149)], dtype=np.float32)
        assert census.exact_sum(tie) == math.fsum(tie.tolist())


def test_cells_near_slots_are_those_that_the_six_faces_tell():
    """Against a lattice in which the slots and the voxels at their faces are marked; none in the vessels count."""
    simulation = Simulation.from_scenario("homing", overrides={"geometry.size": ["200 um"] * 3}, threads=1)
    simulation.run(steps=10)
    state, cells = simulation.state, simulation.state.cells
    assert np.count_nonzero(cells.status == Status.ARRESTED) and np.count_nonzero(cells.status == Status.CIRCULATING)
    slots = np.zeros(state.tissue.shape, bool)
    slots.reshape(-1)[state.slots] = True
    near = ndimage.binary_dilation(slots).reshape(-1)
    out = (cells.status == Status.FREE) | (cells.status == Status.BOUND)
    assert list(rows_near_slots(state)) == list(np.flatnonzero(out & near[cells.site]))


@pytest.mark.parametrize("name", ["osteolysis", "metastasis", "mobilisation"])
def test_the_columns_of_a_row_are_among_those_that_a_configuration_can_have(name):
    overrides = {"fields.oxygen.quasi_steady_check": True, "geometry.size": ["240 um"] * 3}
    simulation = Simulation.from_scenario(name, overrides=overrides if name != "metastasis" else {})
    possible = column_names(simulation.config)
    assert possible >= set(measure_readouts(simulation.state)) - {"time (h)"}
    assert "oxygen mean (nM)" not in possible
