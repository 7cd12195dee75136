"""Approximate Bayesian computation: which values of the parameters the targets leave.

Each point of the sweep is a draw from the prior with its simulated readouts. A target is a measurement with an error,
so every point is given `DRAWS` of these errors, and each such draw has a distance from the targets: the root mean
square over the targets of (readout + error - aim) / sd. The accepted share of all draws, those with the smallest
distances, have Epanechnikov weights in the distance and are moved along a local linear regression of the parameters on
the readouts to where the readouts meet the targets (Beaumont, Zhang & Balding 2002, Genetics 162:2025). The regression
is of the logit of the place within the prior, so that nothing leaves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

DRAWS = 200
"""Errors of the targets that each point is given."""
FEWEST = 10
"""Effective number of points without which a posterior is not to be relied upon."""
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
EDGE = 1e-6
"""Places are kept this far from the ends of the prior, whose logit is infinite."""


@dataclass(frozen=True)
class Posterior:
    """A weighted sample of the posterior.

    Attributes
    ----------
    place : share of each parameter's prior, moved by the regression: shape (accepted, parameters).
    weight : of each draw; they sum to 1: shape (accepted,).
    of_point : weight of each point in the posterior, the sum over its draws, 0 where there is no result: shape
        (points,).
    distance : of each point's readouts from the targets; NaN where there is no result: shape (points,).
    tolerance : largest distance of an accepted draw.
    """

    place: np.ndarray
    weight: np.ndarray
    of_point: np.ndarray
    distance: np.ndarray
    tolerance: float

    @property
    def effective(self) -> float:
        """Effective number of points, 1 / (sum of their squared weights)."""
        return float(1.0 / (self.of_point**2).sum())


def posterior(place: np.ndarray, score: np.ndarray, accept: float, seed: int) -> Posterior | None:
    """The posterior of a calibration.

    Parameters
    ----------
    place : of the points in the unit cube of the prior: shape (points, parameters).
    score : (readout - aim) / sd of each target, NaN where there is no result: shape (points, targets).
    accept : share of the draws to accept.
    seed : of the errors of the targets.

    Returns
    -------
    None where too few points have a result, or too few draws are accepted, for the regression.
    """
    distance = np.sqrt((score**2).mean(axis=1))
    (known,) = np.nonzero(np.isfinite(distance))
    errors = np.random.default_rng(seed).standard_normal((len(score), DRAWS, score.shape[1]))
    drawn = (score[:, None] + errors)[known].reshape(-1, score.shape[1])
    point = np.repeat(known, DRAWS)
    away = np.sqrt((drawn**2).mean(axis=1))
    count = math.ceil(accept * len(away))
    unknowns = 1 + score.shape[1]
    if len(known) <= unknowns or count <= unknowns:
        return None
    tolerance = float(np.partition(away, count - 1)[count - 1])
    near = away < tolerance
    weight = 1.0 - (away[near] / tolerance) ** 2
    weight /= weight.sum()
    point, drawn = point[near], drawn[near]
    by_point = np.bincount(point, weight, minlength=len(score))
    if np.count_nonzero(by_point) <= unknowns:
        return None
    moved = _adjusted(logit(np.clip(place[point], EDGE, 1 - EDGE)), drawn, weight)
    return Posterior(expit(moved), weight, by_point, distance, tolerance)


def _adjusted(values: np.ndarray, drawn: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values moved to where the scores are 0, by a weighted linear regression: shape (accepted, parameters)."""
    root = np.sqrt(weight)[:, None]
    design = np.column_stack([np.ones(len(drawn)), drawn])
    slopes = np.linalg.lstsq(root * design, root * values, rcond=None)[0][1:]
    return values - drawn @ slopes


def quantiles(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted `QUANTILES` of values, interpolated between the middles of their weights: shape (quantiles,)."""
    order = np.argsort(values, kind="stable")
    middles = np.cumsum(weight[order]) - weight[order] / 2
    return np.interp(QUANTILES, middles / weight.sum(), values[order])


def correlation(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted correlation of the columns of values: shape (columns, columns)."""
    covariance = np.atleast_2d(np.cov(values, rowvar=False, aweights=weight))
    width = np.sqrt(np.diag(covariance))
    return covariance / np.outer(width, width)
