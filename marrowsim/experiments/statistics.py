"""Effects between arms with paired seeds: estimate, Student's interval, rank-based effect size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
FEWEST = 2
"""Replicates without which there is no interval."""
FEWEST_TO_JUDGE = 6
"""Replicates without which an interval decides nothing: all of n replicates lie on one side of no effect by chance with
probability 2^-n, which is below 2.5 % from 6 on. What fewer say hangs on the normality that the interval assumes."""


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
    kind : "ratio", the geometric mean of the paired ratios a / b; "ratio of means"; "difference", the mean of the
        paired a - b; "share", (a - c) / (b - c) of an effect b - c that a keeps, of the means; or "value", the mean a.
    values : shape (replicates, arms), one row a seed, arms in the order a, b, c. Rows with a NaN are left out.

    Returns
    -------
    Effect : undefined where fewer than two rows are left, where a ratio meets a value that is not positive, or where
        the interval of what is divided by includes 0, so that a ratio of means or a share means nothing.
    """
    values = np.asarray(values, dtype=float)
    kept = values[np.isfinite(values).all(axis=1)]
    note = f"{len(values) - len(kept)} replicates without a value left out" if len(kept) < len(values) else ""
    if len(kept) < FEWEST:
        return _undefined(len(kept), "fewer than two replicates with a value")
    if kind == "ratio" and not (kept > 0).all():
        return _undefined(len(kept), "a ratio needs values above 0 in every replicate")
    found = _interval(kind, kept)
    if found is None:
        of = "whole effect" if kind == "share" else "mean divided by"
        return _undefined(len(kept), f"the interval of the {of} includes 0")
    cliff = cliffs_delta(kept[:, 0], kept[:, 1]) if kept.shape[1] > 1 else math.nan
    if len(kept) < FEWEST_TO_JUDGE:
        note = f"{note + '; ' if note else ''}too few replicates to judge"
    return Effect(*map(float, found), len(kept), cliff, note)


def _undefined(replicates: int, why: str) -> Effect:
    return Effect(math.nan, math.nan, math.nan, replicates, note=why)


def _interval(kind: str, values: np.ndarray) -> tuple[float, float, float] | None:
    """Statistic of a kind with its interval; None where there is no bounded one."""
    one, *others = values.T
    if kind == "ratio":
        return tuple(math.exp(value) for value in mean_interval(np.log(one / others[0])))
    if kind == "ratio of means":
        return fieller(one, others[0])
    if kind == "difference":
        return mean_interval(one - others[0])
    if kind == "share":
        return fieller(one - others[1], others[0] - others[1])
    return mean_interval(one)


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of two values or more, and the lower and upper end of its 95 % interval by Student's t."""
    mean, half = float(values.mean()), _quantile(len(values)) * math.sqrt(values.var(ddof=1) / len(values))
    return mean, mean - half, mean + half


def fieller(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float] | None:
    """Ratio q of two paired means and its 95 % interval; None where the interval of the lower mean includes 0.

    These are the ratios r for which Student's t does not tell the mean of above - r below from 0 (Fieller 1954,
    J R Stat Soc B 16:175). With e = above - q below the ends r satisfy
    (r - q)^2 (B^2 - t^2 v_bb) + 2 (r - q) t^2 v_eb - t^2 v_ee = 0, where B is the mean of `below` and v are
    variances and the covariance of the means.
    """
    mean, low, high = mean_interval(below)
    if low <= 0 <= high:
        return None
    ratio = float(above.mean()) / mean
    (of_rest, shared), (_, of_below) = _quantile(len(below)) ** 2 * np.cov(above - ratio * below, below) / len(below)
    scale = mean**2 - of_below
    root = math.sqrt(shared**2 + scale * of_rest)
    return ratio, ratio + float(-shared - root) / scale, ratio + float(-shared + root) / scale


def _quantile(n: int) -> float:
    """Quantile of Student's t that the interval of n replicates reaches to."""
    return float(stdtrit(n - 1, (1 + LEVEL) / 2))


def cliffs_delta(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pairs in which `one` is higher, less that in which it is lower (Cliff 1993, Psychol Bull 114:494)."""
    return float(np.sign(np.subtract.outer(one, other)).mean())
