"""Measures that are set beside published numbers: pure functions of a state, one a target.

Distances are from the voxel centre to the nearest surface (um), see `marrowsim.geometry.distance`. Shares are
of marrow voxels, or of the cells that are named.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marrowsim._engine.rng import Stream, uniform
from marrowsim.geometry.placement import bone_distance, touching, vessel_distance
from marrowsim.processes import Clock
from marrowsim.state import State, Status
from marrowsim.tissues import MARROW, SINUSOID

ENDOSTEAL = 30.0
"""Largest distance from bone of the endosteal region, um."""
CENTRAL = 60.0
"""Smallest distance from bone of the central marrow, um."""
NEAR_SINUSOID, FAR_FROM_SINUSOID = 15.0, 40.0
"""Bounds of the regions whose CXCL12 is compared, um."""
RESAMPLES = 5000


def bootstrap_interval(
    values: np.ndarray, statistic: Callable[..., np.ndarray] = np.mean, level: float = 0.95
) -> tuple[float, float, float]:
    """Statistic of independent values, and its percentile interval (Efron 1979, Ann Stat 7:1).

    Parameters
    ----------
    values : shape (n,), one a replicate.
    statistic : function of an array that takes `axis`.
    level : of the interval.

    Returns
    -------
    estimate, low, high : float
    """
    values = np.asarray(values, dtype=float)
    picks = uniform(1, Stream.STREAM_USER, 0, np.arange(RESAMPLES * len(values))) * len(values)
    samples = statistic(values[picks.astype(int).reshape(RESAMPLES, len(values))], axis=1)
    low, high = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)])
    return float(statistic(values, axis=0)), float(low), float(high)


def interval_text(values: tuple[float, float, float], digits: int = 2) -> str:
    """An estimate with its interval, as tables have it: 0.65 [0.61, 0.70]."""
    estimate, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{estimate} [{low}, {high}]"


def oxygen_in_marrow(state: State) -> dict[str, float]:
    """Distribution of pO2 over marrow voxels (mmHg), and where it is lowest (target B1; Spencer et al. 2014).

    Returns
    -------
    dict
        mean, p05, p95, highest, lowest; endosteal and central mean; median distance of the lowest hundredth
        of voxels from sinusoids and from bone, and of all voxels (um).
    """
    spacing = state.config.geometry.voxel
    marrow = state.tissue == MARROW
    pressure = state.fields["oxygen"][marrow].astype(float)
    sinusoid = vessel_distance(state.tissue, spacing, (SINUSOID,))[marrow]
    bone = bone_distance(state.tissue, spacing)[marrow]
    low, high = np.percentile(pressure, [5, 95])
    poorest = pressure <= np.percentile(pressure, 1)
    return {
        "mean": pressure.mean(),
        "p05": low,
        "p95": high,
        "highest": pressure.max(),
        "lowest": pressure.min(),
        "endosteal": pressure[bone <= ENDOSTEAL].mean(),
        "central": pressure[bone > CENTRAL].mean(),
        "poorest from sinusoid": float(np.median(sinusoid[poorest])),
        "poorest from bone": float(np.median(bone[poorest])),
        "all from sinusoid": float(np.median(sinusoid)),
        "all from bone": float(np.median(bone)),
    }


def gradient_magnitude(values: np.ndarray, inside: np.ndarray, spacing: float) -> np.ndarray:
    """Magnitude of the gradient by central differences, one-sided beside a voxel that is not inside.

    Parameters
    ----------
    values : float, shape (nz, ny, nx)
    inside : bool, same shape; other voxels are not read.
    spacing : voxel edge, um.

    Returns
    -------
    float64, same shape, unit of `values` per um; 0 outside.
    """
    squared = np.zeros(values.shape)
    for axis in range(3):
        value = np.moveaxis(values.astype(float), axis, 0)
        known = np.moveaxis(inside, axis, 0)
        step = np.zeros(value.shape)
        sides = np.zeros(value.shape)
        both = known[1:] & known[:-1]
        rise = np.where(both, value[1:] - value[:-1], 0.0)
        for part in (slice(1, None), slice(None, -1)):
            step[part] += rise
            sides[part] += both
        squared += np.moveaxis((step / np.maximum(sides, 1.0) / spacing) ** 2, 0, axis)
    return np.where(inside, np.sqrt(squared), 0.0)


def chemokine_in_marrow(state: State) -> dict[str, float]:
    """CXCL12 near and far from sinusoids (nM), and the share of voxels with a gradient to sense (target B3).

    Returns
    -------
    dict
        mean, near (< 15 um from a sinusoid), far (> 40 um), their ratio; share of voxels whose gradient is above
        0.002 nM/um (Chang et al. 2015), and the median relative gradient per 10 um.
    """
    spacing = state.config.geometry.voxel
    marrow = state.tissue == MARROW
    level = state.fields["cxcl12"]
    sinusoid = vessel_distance(state.tissue, spacing, (SINUSOID,))[marrow]
    slope = gradient_magnitude(level, marrow, spacing)[marrow]
    inside = level[marrow].astype(float)
    near, far = inside[sinusoid < NEAR_SINUSOID].mean(), inside[sinusoid > FAR_FROM_SINUSOID].mean()
    return {
        "mean": inside.mean(),
        "near": near,
        "far": far,
        "near/far": near / far,
        "above sensing": np.mean(slope > 0.002),
        "relative per 10 um": float(np.median(10.0 * slope / inside)),
    }


def chemokine_decay_length(state: State, reach: tuple[float, float] = (20.0, 90.0)) -> float:
    """Decay length of CXCL12 about a source in this tissue (um): the fall of what eight CAR cells contribute.

    The field is solved with and without the CAR cell nearest to the centre of each octant, and r times the mean
    difference at distance r is fitted by exp(-r / lambda), the law of a point source with decay (target A1).
    The eight CAR cells are gone from `state` afterwards.

    Parameters
    ----------
    state : State in the steady state of its fields.
    reach : shortest and longest distance of the fit, um.
    """
    spacing, shape = state.config.geometry.voxel, np.array(state.tissue.shape)
    clock = Clock(state.step, state.config.time.step, state.config.seed, 1)
    fields = state.config.processes["fields"]
    fields.prepare(state, clock)
    before = state.fields["cxcl12"].astype(float)
    car = np.flatnonzero(np.isin(state.cells.type, state.config.family("car")))
    places = np.stack(np.unravel_index(state.cells.site[car], state.tissue.shape), axis=1)
    centres = (np.stack(np.unravel_index(np.arange(8), (2, 2, 2)), axis=1) * 2 + 1) * shape / 4
    taken = [int(np.argmin(((places - centre) ** 2).sum(axis=1))) for centre in centres]
    doomed = np.zeros(len(state.cells), dtype=bool)
    doomed[car[taken]] = True
    state.remove_cells(doomed)
    fields.prepare(state, clock)
    change = before - state.fields["cxcl12"]
    grid = np.stack(np.indices(tuple(shape)), axis=-1)
    squared = [((grid - places[pick]) ** 2).sum(axis=-1) for pick in taken]
    distance = np.sqrt(np.min(squared, axis=0)) * spacing
    edges = np.arange(reach[0], reach[1] + spacing / 2, spacing)
    shells = [(state.tissue == MARROW) & (distance >= low) & (distance < low + spacing) for low in edges[:-1]]
    radius = np.array([distance[shell].mean() for shell in shells])
    height = np.array([change[shell].mean() for shell in shells])
    return float(-1.0 / np.polyfit(radius, np.log(radius * height), 1)[0])


def progenitors_in_niches(state: State) -> dict[str, float]:
    """Where progenitors in niches stand (target B6; Acar et al. 2015, Nature 526:126).

    Returns
    -------
    dict
        share within 10 um of a sinusoid, share with a face on one, share of all marrow voxels within 10 um; share
        with a face on a CAR cell; bound progenitors per 1000 marrow voxels, endosteal and central.
    """
    spacing, cells = state.config.geometry.voxel, state.cells
    marrow = state.tissue == MARROW
    sinusoid = vessel_distance(state.tissue, spacing, (SINUSOID,))
    bone = bone_distance(state.tissue, spacing)
    bound = cells.site[(cells.type == state.config.code("hpc")) & (cells.status == Status.BOUND)]
    car = np.zeros(state.tissue.shape, dtype=bool)
    car.reshape(-1)[cells.site[np.isin(cells.type, state.config.family("car"))]] = True
    beside_car = touching(car).reshape(-1)
    beside_lumen = touching(state.tissue == SINUSOID).reshape(-1)

    def density(region: np.ndarray) -> float:
        return 1000.0 * np.count_nonzero(region.reshape(-1)[bound]) / np.count_nonzero(region & marrow)

    return {
        "within 10 um": np.mean(sinusoid.reshape(-1)[bound] <= 10.0),
        "facing": np.mean(beside_lumen[bound]),
        "marrow within 10 um": np.mean(sinusoid[marrow] <= 10.0),
        "touching car": np.mean(beside_car[bound]),
        "endosteal density": density(bone <= ENDOSTEAL),
        "central density": density(bone > CENTRAL),
    }


def niche_occupancy(state: State, cell: str) -> float:
    """Share of the niche slots that a cell type holds."""
    cells = state.cells
    return np.count_nonzero((cells.type == state.config.code(cell)) & (cells.status == Status.BOUND)) / len(state.slots)
