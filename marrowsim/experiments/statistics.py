"""Effects between arms with paired seeds: estimate, bootstrap interval, rank-based effect size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from scipy.special import ndtr, stdtrit

from marrowsim._engine.rng import Stream, uniform

RESAMPLES = 5000
LEVEL = 0.95
FEWEST = 2
"""Replicates without which there is no interval."""
FEWEST_TO_JUDGE = 6
"""Replicates without which an interval decides nothing: no bootstrap interval is wider than the range of its data, and
all of n replicates lie on one side of no effect by chance with probability 2^-n, which is below 2.5 % from 6 on."""


def _ratio(values: np.ndarray) -> np.ndarray:
    return np.exp(np.log(values[..., 0] / values[..., 1]).mean(axis=-1))


def _ratio_of_means(values: np.ndarray) -> np.ndarray:
    return _over(values[..., 0].mean(axis=-1), values[..., 1].mean(axis=-1))


def _difference(values: np.ndarray) -> np.ndarray:
    return (values[..., 0] - values[..., 1]).mean(axis=-1)


def _share(values: np.ndarray) -> np.ndarray:
    kept, whole = values[..., 0] - values[..., 2], values[..., 1] - values[..., 2]
    return _over(kept.mean(axis=-1), whole.mean(axis=-1))


def _value(values: np.ndarray) -> np.ndarray:
    return values[..., 0].mean(axis=-1)


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / below


STATISTICS: MappingProxyType[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "ratio": _ratio,
        "ratio of means": _ratio_of_means,
        "difference": _difference,
        "share": _share,
        "value": _value,
    }
)
"""What is estimated from values of shape (..., replicates, arms), by the kind of a rule."""


@dataclass(frozen=True)
class Effect:
    """An estimate with its interval.

    Attributes
    ----------
    estimate, low, high : of the statistic; NaN where it is not defined.
    replicates : pairs of seeds that it was taken from.
    cliff : Cliff's delta of the first arm over the second, -1 to 1 (NaN where there is one arm only): the share of
        all pairs of replicates in which it is higher, less that in which it is lower.
    note : why the statistic is not defined, or what was left out.
    """

    estimate: float
    low: float
    high: float
    replicates: int
    cliff: float = math.nan
    note: str = ""

    @property
    def defined(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def conclusive(self) -> bool:
        """Whether there is an interval to judge by."""
        return self.defined and self.replicates >= FEWEST_TO_JUDGE


def effect(kind: str, values: np.ndarray) -> Effect:
    """The effect that a rule is about, from replicates with paired seeds.

    Parameters
    ----------
    kind : one of `STATISTICS`: geometric mean of the paired ratios a / b, ratio of the means, mean of the paired
        differences a - b, share (a - c) / (b - c) of an effect b - c that a keeps, or the mean a by itself.
    values : shape (replicates, arms), one row a seed, arms in the order a, b, c. Rows with a NaN are left out.

    Returns
    -------
    Effect : undefined where fewer than two rows are left, where a ratio meets a value that is not positive, or where
        the interval of the effect b - c includes 0, so that a share of it means nothing.
    """
    values = np.asarray(values, dtype=float)
    kept = values[np.isfinite(values).all(axis=1)]
    note = f"{len(values) - len(kept)} replicates without a value left out" if len(kept) < len(values) else ""
    if len(kept) < FEWEST:
        return _undefined(len(kept), "fewer than two replicates with a value")
    if kind == "ratio" and not (kept > 0).all():
        return _undefined(len(kept), "a ratio needs values above 0 in every replicate")
    if kind == "share":
        whole = effect("difference", kept[:, 1:])
        if whole.low <= 0 <= whole.high:
            return _undefined(len(kept), "the interval of the whole effect includes 0")
    cliff = cliffs_delta(kept[:, 0], kept[:, 1]) if kept.shape[1] > 1 else math.nan
    if len(kept) < FEWEST_TO_JUDGE:
        note = f"{note + '; ' if note else ''}too few replicates to judge"
    estimate, low, high = interval(kept, STATISTICS[kind])
    return Effect(estimate, low, high, len(kept), cliff, note)


def _undefined(replicates: int, why: str) -> Effect:
    return Effect(math.nan, math.nan, math.nan, replicates, note=why)


def interval(values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
    """Statistic and its 95 % bootstrap interval; rows are drawn as a whole, so pairs stay together.

    The percentiles are those of the expanded percentile interval (Hesterberg 2015, Am Stat 69:371), which makes up
    for the narrowness of the percentile interval of few replicates.

    Parameters
    ----------
    values : shape (n, arms), n of 2 or more.
    statistic : reduces the last two axes.

    Returns
    -------
    estimate, low, high
    """
    samples = statistic(values[_picks(len(values))])
    samples = samples[np.isfinite(samples)]
    tail = 100 * expanded_tail(len(values))
    low, high = np.percentile(samples, [tail, 100 - tail]) if len(samples) else (math.nan, math.nan)
    return float(statistic(values)), float(low), float(high)


def expanded_tail(n: int) -> float:
    """Share of bootstrap samples below the lower end: Phi(-sqrt(n / (n - 1)) t), t the quantile of Student's t."""
    return float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + LEVEL) / 2)))


@cache
def _picks(n: int) -> np.ndarray:
    """Rows of every resample: int64, shape (RESAMPLES, n), the same for equal n."""
    drawn = uniform(1, Stream.STREAM_USER, 0, np.arange(RESAMPLES * n)) * n
    return drawn.astype(np.int64).reshape(RESAMPLES, n)


def cliffs_delta(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pairs in which `one` is higher, less that in which it is lower (Cliff 1993, Psychol Bull 114:494)."""
    return float(np.sign(np.subtract.outer(one, other)).mean())
