"""Readouts over the marrow: the same numbers as NumPy's, without its copies."""

import tracemalloc

import numpy as np
import pytest

from marrowsim.readouts import summary

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
    assert summary(values, tissue, 1, (0, 5, 50, 95, 100)) == pytest.approx(expected, rel=1e-13)


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
