"""How much a readout depends on each parameter: indices by SALib, or rank correlations, with 95 % intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from marrowsim.experiments.statistics import LEVEL
from marrowsim.sweeps.designs import LEVELS, Row, problem_of
from marrowsim.sweeps.model import Sweep

RESAMPLES = 1000
COLUMNS = ["readout", "parameter", "index", "estimate", "low", "high", "points"]
FEWEST = 4
"""Points, Sobol blocks or Morris trajectories without which there is no index."""
FEWEST_RANKS = 8
"""Points without which a rank correlation has no interval: resampled, a few points in order are always in order."""
MEANINGS = {
    "S1": "share of the variance that is due to the parameter alone (Sobol, first order)",
    "ST": "share of the variance in which the parameter has a part, interactions included (Sobol, total)",
    "mu_star": "mean of the absolute elementary effects, in units of the readout over the parameter's range (Morris)",
    "sigma": "their standard deviation: interactions and curvature (Morris)",
    "rank correlation": "Spearman's rank correlation of the readout with the parameter",
}


def sensitivity(sweep: Sweep, rows: list[Row], means: dict[str, np.ndarray]) -> pd.DataFrame:
    """Indices of every parameter for every readout.

    Parameters
    ----------
    sweep : Sweep
    rows : of its design, in order.
    means : readout to its mean over the replicates of each row: shape (rows,), NaN where there is none.

    Returns
    -------
    DataFrame with `COLUMNS`; the estimate is NaN where the readout does not vary or too few rows have it. Of a Sobol or
    a Morris design, a block of rows that belong together is left out as a whole.
    """
    place = np.array([row.place for row in rows])
    indices = {"sobol": _sobol, "morris": _morris}.get(sweep.design, _ranks)
    width = {"sobol": place.shape[1] + 2, "morris": place.shape[1] + 1}.get(sweep.design, 1)
    lines: list[tuple] = []
    for readout, values in means.items():
        whole = np.isfinite(values).reshape(-1, width).all(axis=1)
        kept = np.repeat(whole, width)
        y, x = values[kept], place[kept]
        if whole.sum() < FEWEST or np.ptp(y) == 0:
            undefined = (math.nan, math.nan, math.nan)
            found = ((name, index, *undefined) for name in _names(sweep) for index in _indices_of(sweep))
        else:
            found = indices(sweep, x, y)
        lines += [(readout, *item, int(kept.sum())) for item in found]
    return pd.DataFrame(lines, columns=COLUMNS)


def _names(sweep: Sweep) -> list[str]:
    return [parameter.key for parameter in sweep.parameter]


def _indices_of(sweep: Sweep) -> tuple[str, ...]:
    return {"sobol": ("S1", "ST"), "morris": ("mu_star", "sigma")}.get(sweep.design, ("rank correlation",))


def _sobol(sweep: Sweep, x: np.ndarray, y: np.ndarray) -> Iterator[tuple]:
    """First order and total indices by Saltelli's estimators; the interval is the bootstrap's normal one."""
    from SALib.analyze import sobol  # noqa: PLC0415

    found = sobol.analyze(
        problem_of(sweep), y, calc_second_order=False, num_resamples=RESAMPLES, conf_level=LEVEL, seed=sweep.seed
    )
    for number, name in enumerate(_names(sweep)):
        for index in ("S1", "ST"):
            value, half = float(found[index][number]), float(found[f"{index}_conf"][number])
            yield name, index, value, value - half, value + half


def _morris(sweep: Sweep, x: np.ndarray, y: np.ndarray) -> Iterator[tuple]:
    """mu* and sigma of the elementary effects; the interval is the percentile one of resampled trajectories."""
    from SALib.analyze import morris  # noqa: PLC0415

    problem, width = problem_of(sweep), x.shape[1] + 1

    def both(trajectories: np.ndarray) -> np.ndarray:
        rows = (trajectories[:, None] * width + np.arange(width)).reshape(-1)
        found = morris.analyze(problem, x[rows], y[rows], num_levels=LEVELS, num_resamples=2, seed=0)
        return np.array([found["mu_star"], found["sigma"]], dtype=float)

    count = len(y) // width
    picks = np.random.default_rng(sweep.seed).integers(count, size=(RESAMPLES // 2, count))
    estimate = both(np.arange(count))
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile([both(some) for some in picks], [tail, 100 - tail], axis=0)
    for number, name in enumerate(_names(sweep)):
        for line, index in enumerate(("mu_star", "sigma")):
            yield name, index, *(float(item[line, number]) for item in (estimate, low, high))


def _ranks(sweep: Sweep, x: np.ndarray, y: np.ndarray) -> Iterator[tuple]:
    """Spearman's rank correlation; the interval is the percentile one of resampled points."""

    def correlation(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        first, second = (stats.rankdata(item, axis=axis) for item in (one, other))
        first, second = (item - item.mean(axis=axis, keepdims=True) for item in (first, second))
        with np.errstate(divide="ignore", invalid="ignore"):
            return (first * second).sum(axis=axis) / np.sqrt((first**2).sum(axis=axis) * (second**2).sum(axis=axis))

    for number, name in enumerate(_names(sweep)):
        column = x[:, number]
        if np.ptp(column) == 0:
            yield name, "rank correlation", math.nan, math.nan, math.nan
            continue
        estimate = float(correlation(column, y))
        if len(y) < FEWEST_RANKS:
            yield name, "rank correlation", estimate, math.nan, math.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = stats.bootstrap(
                (column, y), correlation, paired=True, vectorized=True, n_resamples=RESAMPLES, batch=100,
                method="percentile", confidence_level=LEVEL, rng=np.random.default_rng(sweep.seed),
            ).bootstrap_distribution  # fmt: skip
        drawn = drawn[np.isfinite(drawn)]
        tail = 50 * (1 - LEVEL)
        low, high = np.percentile(drawn, [tail, 100 - tail])
        yield name, "rank correlation", estimate, float(low), float(high)
