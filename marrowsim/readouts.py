"""What a run measures of itself: one list, in the field's own names and units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim.state import State, Status

Measure = Callable[[State, "Census"], float]


@dataclass(frozen=True)
class Readout:
    """One column of readouts.csv: its name with the unit in brackets, what it means, and how it is measured."""

    name: str
    meaning: str
    measure: Measure


class Census:
    """Counts that several readouts share, taken once.

    Attributes
    ----------
    counts : int64, shape (types, statuses). Cells of each type and status.
    """

    def __init__(self, state: State):
        cells, config = state.cells, state.config
        width = len(Status)
        flat = np.bincount(cells.type.astype(np.int64) * width + cells.status, minlength=len(config.cells) * width)
        self.counts = flat.reshape(-1, width)
        self.state = state
        self.near_slot = np.zeros(0, dtype=np.int64)
        if len(state.slots):
            rows = np.flatnonzero((cells.status == Status.FREE) | (cells.status == Status.BOUND))
            near = census.near_sites(cells.site[rows], state.slots, *state.tissue.shape)
            self.near_slot = np.bincount(cells.type[rows[near.astype(bool)]], minlength=len(config.cells))

    def count(self, cell: str, *statuses: Status) -> int:
        """Cells of a type in any of the statuses."""
        return int(self.counts[self.state.config.code(cell), list(statuses)].sum())

    def near_slots(self, cell: str) -> int:
        """Cells of a type in the marrow that are in a niche slot or face one."""
        return int(self.near_slot[self.state.config.code(cell)]) if len(self.near_slot) else 0

    def held(self, cell: str) -> float:
        """Share of the niche slots that a type holds."""
        slots = len(self.state.slots)
        return self.count(cell, Status.BOUND) / slots if slots else float("nan")


def haematopoietic_output(state: State, census_: Census) -> float:
    """Mature blood cells formed a day: free cells of each type over their time to differentiation."""
    free = census_.counts[:, Status.FREE]
    return float((free / state.config.column("differentiation_time")).sum() * 24 * 60)


def bone_volume_fraction(state: State, _: Census) -> float:
    """BV/TV: bone over all voxels of the specimen."""
    total = np.count_nonzero(state.tissue != tissues.OUTSIDE)
    return np.count_nonzero(state.tissue == tissues.BONE) / total


def _events(what: str, cell: str) -> Measure:
    return lambda state, _: state.tallies.get(f"{what}:{cell}", 0)


def _cells(cell: str, *statuses: Status) -> Measure:
    return lambda _, census_: census_.count(cell, *statuses)


READOUTS: tuple[Readout, ...] = (
    Readout(
        "tumour in blood (cells)", "circulating in the domain's share of blood", _cells("tumour", Status.CIRCULATING)
    ),
    Readout("tumour arrested (cells)", "arrested at a vessel wall", _cells("tumour", Status.ARRESTED)),
    Readout("tumour in marrow (cells)", "out of the vessels", _cells("tumour", Status.FREE, Status.BOUND)),
    Readout("tumour at niches (cells)", "in a niche slot or facing one", lambda _, c: c.near_slots("tumour")),
    Readout("tumour in niches (cells)", "holding a niche slot", _cells("tumour", Status.BOUND)),
    Readout("hpc in niches (cells)", "progenitors holding a niche slot", _cells("hpc", Status.BOUND)),
    Readout("hpc free (cells)", "progenitors in the marrow without a slot", _cells("hpc", Status.FREE)),
    Readout("hpc in blood (cells)", "circulating progenitors", _cells("hpc", Status.CIRCULATING)),
    Readout("slots held by hpc (1)", "share of niche slots", lambda _, c: c.held("hpc")),
    Readout("slots held by tumour (1)", "share of niche slots", lambda _, c: c.held("tumour")),
    Readout("hpc displaced (events)", "slots taken over by tumour cells", _events("displaced another", "tumour")),
    Readout("haematopoietic output (cells/d)", "mature cells formed a day", haematopoietic_output),
    Readout("hpc matured (events)", "mature cells formed since the start", _events("matured", "hpc")),
    Readout("tumour born (events)", "divisions since the start", _events("born", "tumour")),
    Readout("tumour died (events)", "deaths since the start, necrosis apart", _events("died", "tumour")),
    Readout("tumour cleared (events)", "lost from the blood to other organs", _events("cleared", "tumour")),
    Readout(
        "tumour homed to competitor (events)",
        "arrested in the competing organ",
        _events("homed to competitor", "tumour"),
    ),
    Readout("BV/TV (1)", "bone volume fraction of the specimen", bone_volume_fraction),
)
"""The readouts of every run. Each field adds its mean, 5th and 95th percentile in the marrow."""


def measure_readouts(state: State) -> dict[str, Any]:
    """One row of readouts.csv: time first, then `READOUTS`, the drugs that are dosed, then every field.

    Field columns are `<field> mean (<unit>)`, `<field> p05 (<unit>)`, `<field> p95 (<unit>)`, over marrow
    voxels, and the diagnostics of the last solution.
    """
    counted = Census(state)
    row: dict[str, Any] = {"time (h)": state.minutes / 60.0}
    row |= {readout.name: readout.measure(state, counted) for readout in READOUTS}
    row |= drug_levels(state)
    for name, field in state.config.fields.items():
        mean, low, high = summary(state.fields[name], state.tissue, tissues.MARROW, (5, 95))
        row |= {
            f"{name} mean ({field.unit})": mean,
            f"{name} p05 ({field.unit})": low,
            f"{name} p95 ({field.unit})": high,
        }
    row |= {f"{name} (1)": value for name, value in sorted(state.diagnostics.items())}
    return row


def drug_levels(state: State) -> dict[str, float]:
    """Level (nM) of every drug that is dosed, at this moment."""
    config = state.config
    amounts = state.records.get("drugs/body", np.zeros(len(config.dosed)))
    levels = zip(config.dosed, amounts, strict=True)
    return {f"{name} (nM)": float(config.drugs[name].level(amount)) for name, amount in levels}


def summary(values: np.ndarray, tissue: np.ndarray, code: int, percents: tuple[float, ...]) -> tuple[float, ...]:
    """Mean and percentiles of a field in one tissue, as NumPy's but without a copy of the field.

    Parameters
    ----------
    values : float32, shape (nz, ny, nx)
    tissue : uint8, shape (nz, ny, nx)
    percents : 0 to 100; between two values the percentile is interpolated linearly.

    Returns
    -------
    tuple of float : NaN where the tissue does not occur, or a value is NaN.
    """
    counts, total = census.spectrum(values, tissue, code)
    number = int(counts.sum())
    if number == 0 or np.isnan(total):
        return (float("nan"),) * (1 + len(percents))
    places = [(number - 1) * percent / 100.0 for percent in percents]
    wanted = sorted({min(int(place) + above, number - 1) for place in places for above in (0, 1)})
    ordered = dict(zip(wanted, _order_statistics(values, tissue, code, counts, wanted), strict=True))
    found = [total / number]
    for place in places:
        below, above = ordered[int(place)], ordered[min(int(place) + 1, number - 1)]
        found.append(below + (above - below) * (place - int(place)))
    return tuple(found)


def _order_statistics(values, tissue, code, counts, wanted: list[int]) -> list[float]:
    """The values at some places of the sorted order, from the `counts` of `census.spectrum`."""
    ends = np.cumsum(counts)
    upper = np.searchsorted(ends, wanted, side="right")
    kept = np.unique(upper)
    row = np.full(counts.size, len(kept), dtype=np.uint8)
    row[kept] = np.arange(len(kept))
    inner = np.cumsum(census.spectrum_within(values, tissue, code, row, len(kept)), axis=1)
    found = []
    for place, half in zip(wanted, upper, strict=True):
        lower = np.searchsorted(inner[row[half]], place - (ends[half] - counts[half]), side="right")
        rank = np.uint32((int(half) << 16) | int(lower))
        bits = rank ^ np.uint32(0x80000000) if rank >> 31 else ~rank
        found.append(float(bits.view(np.float32)))
    return found
