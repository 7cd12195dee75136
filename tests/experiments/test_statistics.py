"""Effects and intervals against cases whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from marrowsim._engine.rng import Stream, uniform
from marrowsim.experiments.statistics import cliffs_delta, effect, fieller, mean_interval


def normal(number, shape):
    """Standard normal deviates, the same in every run of the test."""
    count = int(np.prod(shape))
    draws = uniform(1000 + number, Stream.STREAM_USER, 0, np.arange(count))
    return stats.norm.ppf(draws).reshape(shape)


def test_identical_arms_have_a_ratio_of_one():
    values = np.exp(normal(1, (20, 1)))
    found = effect("ratio", np.hstack([values, values]))
    assert (found.estimate, found.low, found.high, found.cliff) == (1, 1, 1, 0)


def test_a_made_effect_is_found():
    tissue = normal(2, 20)
    noise = normal(3, (20, 2)) * 0.1
    values = np.exp(np.stack([np.log(1.5) + tissue + noise[:, 0], tissue + noise[:, 1]], axis=1))
    found = effect("ratio", values)
    assert found.low < 1.5 < found.high
    assert found.low > 1.3
    assert found.replicates == 20


@pytest.mark.parametrize("kind", ["ratio", "ratio of means", "difference", "value", "share"])
def test_intervals_are_plain_numbers(kind):
    """So that whether a condition holds is True or False, and not a NumPy scalar that is neither."""
    table = np.exp(0.1 * normal(5, (8, 3))) + np.array([2.0, 1.0, 0.0])
    found = effect(kind, table[:, : 3 if kind == "share" else 2])
    assert {type(found.estimate), type(found.low), type(found.high)} == {float}


def test_pairs_stay_together():
    """Tissue varies by a factor of e, an effect of 10 % on top of it by nothing."""
    tissue = np.exp(normal(4, 10))
    found = effect("ratio", np.stack([1.1 * tissue, tissue], axis=1))
    assert found.low == pytest.approx(1.1) and found.high == pytest.approx(1.1)


def test_share_of_an_effect():
    none = normal(5, 20)
    full = none + 10 + 0.1 * normal(6, 20)
    kept = none + 4 + 0.1 * normal(7, 20)
    found = effect("share", np.stack([kept, full, none], axis=1))
    assert found.estimate == pytest.approx(0.4, abs=0.02)
    assert 0.35 < found.low < found.estimate < found.high < 0.45


def test_share_of_an_effect_that_is_not_there_is_undefined():
    values = normal(8, (20, 3))
    found = effect("share", values)
    assert not found.defined and "includes 0" in found.note


def test_difference_and_value():
    values = np.array([[3.0, 1.0], [4.0, 1.0], [5.0, 4.0]])
    assert effect("difference", values).estimate == 2.0
    assert effect("value", values[:, :1]).estimate == 4.0
    assert effect("ratio of means", values + 10).estimate == 14 / 12


@pytest.mark.parametrize("values", [[[1.0, 0.0], [2.0, 1.0]], [[1.0, 1.0], [np.nan, 1.0]], [[1.0, 1.0]]])
def test_what_has_no_ratio_is_undefined(values):
    found = effect("ratio", np.array(values))
    assert not found.defined and np.isnan(found.estimate) and found.note


def test_replicates_without_a_value_are_left_out_and_counted():
    found = effect("difference", np.array([[3.0, 1.0], [np.nan, 1.0], [4.0, 2.0]]))
    assert (found.estimate, found.replicates, found.conclusive) == (2.0, 2, False)
    assert "1 replicates" in found.note


def test_cliffs_delta():
    assert cliffs_delta(np.array([3, 4]), np.array([1, 2])) == 1
    assert cliffs_delta(np.array([1, 2]), np.array([1, 2])) == 0
    assert cliffs_delta(np.array([1, 3]), np.array([2, 2, 4])) == pytest.approx(-1 / 3)


def test_mean_interval_is_students():
    """Of 1, 2, 3, 4, 5: mean 3, standard error sqrt(0.5), quantile of 4 degrees of freedom 2.776."""
    mean, low, high = mean_interval(np.arange(1.0, 6.0))
    assert mean == 3
    assert (high - mean, mean - low) == pytest.approx((2.7764451 * np.sqrt(0.5),) * 2)


def test_fieller_is_the_set_of_ratios_that_students_t_does_not_reject():
    values = np.exp(0.3 * normal(30, (8, 2)))
    ratio, low, high = fieller(*values.T)
    assert ratio == pytest.approx(values[:, 0].mean() / values[:, 1].mean())
    for end, inside in ((low, 1e-3), (high, -1e-3)):
        p = [stats.ttest_1samp(values[:, 0] - q * values[:, 1], 0.0).pvalue for q in (end, end + inside, end - inside)]
        assert p[0] == pytest.approx(0.05) and p[1] > 0.05 > p[2]


def test_a_ratio_of_means_over_what_may_be_zero_is_undefined():
    values = np.stack([np.ones(6), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 3.0])], axis=1)
    found = effect("ratio of means", values)
    assert not found.defined and "divided by includes 0" in found.note
    assert effect("ratio of means", values[:, ::-1]).high == pytest.approx(effect("value", values[:, 1:]).high)


def test_five_replicates_decide_nothing():
    values = np.array([[2.0, 1.0]] * 6)
    assert effect("ratio", values).conclusive
    found = effect("ratio", values[:5])
    assert found.defined and not found.conclusive and "too few" in found.note


def test_coverage_of_a_known_ratio():
    """95 % intervals hold the true ratio in 91 to 98 % of 1000 experiments of 8 replicates."""
    values = np.exp(0.25 * normal(50, (1000, 8, 2)))
    values[..., 0] *= 1.3
    found = [effect("ratio", item) for item in values]
    inside = np.mean([item.low <= 1.3 <= item.high for item in found])
    assert 0.91 < inside < 0.98
