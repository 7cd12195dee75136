"""The points of a sweep: where they are in the space of the parameters, what they set, and their seeds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from marrowsim.errors import ExperimentError, Fault
from marrowsim.experiments.points import digest_of
from marrowsim.experiments.workers import INSTALL
from marrowsim.sweeps.model import Sweep

LEVELS = 4
"""Levels of a Morris design."""
MOST = 1_000_000
"""Points of a sweep: planning alone takes an hour then."""


@dataclass(frozen=True)
class Row:
    """One combination of values.

    Attributes
    ----------
    number : counted from 1, in the order of the design.
    place : share of each parameter's range, 0 to 1.
    settings : values by key of the scenario.
    """

    number: int
    place: tuple[float, ...]
    settings: dict[str, Any]


def problem_of(sweep: Sweep) -> dict[str, Any]:
    """The parameters as SALib wants them: in the unit cube."""
    names = [parameter.key for parameter in sweep.parameter]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def require_salib(design: str) -> None:
    """Refuse a design of SALib's where that is not installed.

    Raises
    ------
    ExperimentError
    """
    try:
        import SALib  # noqa: F401, PLC0415
    except ImportError:
        raise ExperimentError(Fault(f"a {design} design needs SALib", remedy=INSTALL)) from None


def rows_of(sweep: Sweep) -> list[Row]:
    """The combinations of a sweep, in the order of its design.

    Raises
    ------
    ExperimentError
        Where there are too many, or SALib is needed and not there.
    """
    if (count := size_of(sweep)) > MOST:
        remedy = "fewer values or samples, or another design"
        raise ExperimentError(Fault("too many points", f"up to {MOST:,}", f"{count:,}", remedy, sweep.id))
    places = _grid(sweep) if sweep.design == "grid" else _drawn(sweep)
    rows = []
    for number, place in enumerate(places, start=1):
        settings = {item.key: item.at(share) for item, share in zip(sweep.parameter, place, strict=True)}
        rows.append(Row(number, tuple(map(float, place)), settings))
    return rows


def size_of(sweep: Sweep) -> int:
    """Number of points of a design."""
    if sweep.design == "grid":
        return math.prod(item.count or len(item.values) for item in sweep.parameter)
    return sweep.samples * {"sobol": len(sweep.parameter) + 2, "morris": len(sweep.parameter) + 1}.get(sweep.design, 1)


def _grid(sweep: Sweep) -> list[tuple[float, ...]]:
    """Every combination, the last parameter fastest; a value of a list stands in the middle of its share."""
    axes = [
        [(index + 0.5) / len(item.values) for index in range(len(item.values))]
        if item.values is not None
        else [index / (item.count - 1) for index in range(item.count)]
        for item in sweep.parameter
    ]
    return list(itertools.product(*axes))


def _drawn(sweep: Sweep) -> np.ndarray:
    """Places in the unit cube: shape (rows, parameters). Of all but a hypercube, more samples go on from fewer."""
    sequences = {"latin hypercube": qmc.LatinHypercube, "halton": qmc.Halton}
    if sweep.design in sequences:
        return sequences[sweep.design](len(sweep.parameter), rng=np.random.default_rng(sweep.seed)).random(
            sweep.samples
        )
    require_salib(sweep.design)
    problem = problem_of(sweep)
    if sweep.design == "sobol":
        from SALib.sample import sobol  # noqa: PLC0415

        return sobol.sample(problem, sweep.samples, calc_second_order=False, seed=sweep.seed)
    from SALib.sample import morris  # noqa: PLC0415

    return morris.sample(problem, sweep.samples, num_levels=LEVELS, seed=sweep.seed)


def seed_of(sweep: Sweep, replicate: int, row: Row) -> int:
    """Seed of a replicate (counted from 1) of a row: the first 31 bits of a SHA-256.

    It is that of the sweep's seed and the replicate, so that points differ by their parameters and not by their luck;
    with independent random numbers it is that of the settings as well.
    """
    of = [sweep.seed, replicate] + [row.settings] * (sweep.random_numbers == "independent")
    return int(digest_of(of)[:8], 16) >> 1
