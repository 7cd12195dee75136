"""Measures of a run, one number each: functions of a `Watch` whose keywords are the options of a readout.

A number that is not defined (a mean over no cells) is NaN.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

import numpy as np
from pydantic import create_model
from scipy import ndimage, stats

from marrowsim import tissues
from marrowsim.experiments.watch import Watch
from marrowsim.geometry.distance import distance_to
from marrowsim.parameters import ParameterSet
from marrowsim.state import State, Status
from marrowsim.units import DurationOrNever, Fraction, Length, Pressure

NAN = math.nan
Tissue = Literal["any", "marrow", "soft_tissue"]
ON_LATTICE = (Status.FREE, Status.BOUND, Status.ARRESTED)


@dataclass(frozen=True)
class Measure:
    """A measure: its function, what of the run it must have followed, and its options as a set of parameters."""

    function: Callable[..., float]
    follows: tuple[str, ...]
    options: type[ParameterSet]

    @property
    def meaning(self) -> str:
        """What it measures."""
        return inspect.getdoc(self.function) or ""


MEASURES: dict[str, Measure] = {}
"""The measures by the name that experiments call them by."""


def measure(name: str, *follows: str) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register a function of a `Watch` as a measure; its keywords, with their annotations, are its options."""

    def register(function: Callable[..., float]) -> Callable[..., float]:
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {
            key: (hints[key], ... if item.default is inspect.Parameter.empty else item.default)
            for key, item in inspect.signature(function).parameters.items()
            if item.kind is inspect.Parameter.KEYWORD_ONLY
        }
        MEASURES[name] = Measure(function, follows, create_model(f"{name} options", __base__=ParameterSet, **fields))
        return function

    return register


# ---- columns of readouts.csv, and tallies


@measure("column")
def column(
    watch: Watch, *, column: str, take: Literal["last", "maximum", "minimum", "mean", "slope", "fold"] = "last",
    over: DurationOrNever = "never",
) -> float:  # fmt: skip
    """A column of readouts.csv over the last so much time (all of it where not given): its last value, an extremum or
    the mean, its slope (per day), or the last value over the first.
    """
    rows = watch.simulation.rows
    hours = np.array([row["time (h)"] for row in rows])
    values = np.array([row.get(column, NAN) for row in rows], dtype=float)[hours >= hours[-1] - over / 60.0]
    if take == "slope":
        days = hours[len(hours) - len(values) :] / 24.0
        return float(np.polyfit(days, values, 1)[0]) if len(values) > 1 else NAN
    if take == "fold":
        return float(values[-1] / values[0]) if values[0] > 0 else NAN
    return float({"last": values[-1], "maximum": values.max(), "minimum": values.min(), "mean": values.mean()}[take])


@measure("share of events")
def share_of_events(watch: Watch, *, of: str, to: str) -> float:
    """Events of one tally over those of another ("entered marrow:tumour" over "injected:tumour")."""
    tallies = watch.state.tallies
    return tallies.get(of, 0) / tallies[to] if tallies.get(to) else NAN


@measure("event rate", "exposure")
def event_rate(watch: Watch, *, cell: str, event: Literal["born", "died", "necrosed", "matured"]) -> float:
    """Events per cell-day on the lattice since the start."""
    lived = watch.exposure[watch.state.config.code(cell)]
    return watch.state.tallies.get(f"{event}:{cell}", 0) / lived if lived > 0 else NAN


# ---- cells


def of_type(state: State, cell: str, *statuses: Status, tissue: Tissue = "any") -> np.ndarray:
    """Rows of the cells of a type in these statuses (on the lattice, unless told) and this tissue."""
    cells = state.cells
    rows = np.flatnonzero((cells.type == state.config.code(cell)) & np.isin(cells.status, statuses or ON_LATTICE))
    if tissue == "any":
        return rows
    return rows[state.tissue.reshape(-1)[cells.site[rows]] == tissues.CODES[tissue]]


def enterable(state: State, tissue: Tissue) -> np.ndarray:
    """Voxels that cells live in, or those of one tissue: bool, shape of the lattice."""
    if tissue == "any":
        return tissues.IS_ENTERABLE[state.tissue].astype(bool)
    return state.tissue == tissues.CODES[tissue]


def mask_of_cells(state: State, cell: str) -> np.ndarray:
    """Voxels that hold a cell of a type: bool, shape of the lattice."""
    mask = np.zeros(state.tissue.shape, dtype=bool)
    mask.reshape(-1)[state.cells.site[of_type(state, cell)]] = True
    return mask


@measure("cells")
def cells(watch: Watch, *, cell: str, tissue: Tissue = "any") -> float:
    """Cells of a type on the lattice, or in one of its tissues."""
    return float(len(of_type(watch.state, cell, tissue=tissue)))


@measure("circulating cells")
def circulating_cells(watch: Watch, *, cell: str) -> float:
    """Cells of a type in the blood."""
    return float(len(of_type(watch.state, cell, Status.CIRCULATING)))


@measure("cxcr4")
def cxcr4(
    watch: Watch, *, cell: str, tissue: Tissue = "any", inherited: bool = False,
    oxygen_above: Pressure = "0 mmHg", oxygen_below: Pressure = "1e4 mmHg",
) -> float:  # fmt: skip
    """Mean CXCR4 level of cells, present or inherited, where the pO2 is in a range."""
    state = watch.state
    rows = of_type(state, cell, tissue=tissue)
    pressure = state.fields["oxygen"].reshape(-1)[state.cells.site[rows]]
    rows = rows[(pressure >= oxygen_above) & (pressure < oxygen_below)]
    level = state.cells.constitutive if inherited else state.cells.cxcr4
    return float(level[rows].mean(dtype=float)) if len(rows) else NAN


@measure("correlation of cxcr4 and oxygen")
def correlation_of_cxcr4_and_oxygen(
    watch: Watch, *, cell: str, tissue: Tissue = "any", over_inherited: bool = False
) -> float:
    """Spearman's rank correlation of the CXCR4 level of cells, or of its ratio to the inherited one (0 where that is),
    with the pO2 of their voxels.
    """
    state = watch.state
    rows = of_type(state, cell, tissue=tissue)
    pressure = state.fields["oxygen"].reshape(-1)[state.cells.site[rows]]
    level = state.cells.cxcr4[rows]
    if over_inherited:
        inherited = state.cells.constitutive[rows]
        level = np.divide(level, inherited, out=np.zeros_like(level), where=inherited > 0)
    if len(rows) < 3 or np.ptp(pressure) == 0 or np.ptp(level) == 0:
        return NAN
    return float(stats.spearmanr(level, pressure).statistic)


# ---- movement


def _displacements(watch: Watch, cell: str) -> np.ndarray:
    """Vectors (um) from the start of the cells of a type that were there then and still are: shape (n, 3)."""
    state = watch.state
    rows, places = watch.tagged(of_type(state, cell))
    rows, places = rows[watch.sites[places] >= 0], places[watch.sites[places] >= 0]
    shape = state.tissue.shape
    now, then = (
        np.stack(np.unravel_index(sites, shape), axis=1) for sites in (state.cells.site[rows], watch.sites[places])
    )
    return (now - then) * state.config.geometry.voxel


@measure("mean squared displacement")
def mean_squared_displacement(watch: Watch, *, cell: str) -> float:
    """Mean squared displacement (um^2) since the start, of the cells of a type that were on the lattice then."""
    vectors = _displacements(watch, cell)
    return float((vectors.astype(float) ** 2).sum(axis=1).mean()) if len(vectors) else NAN


@measure("invasion depth")
def invasion_depth(watch: Watch, *, cell: str, share: Fraction = 0.95) -> float:
    """Quantile (95 %) over the cells of a type of the distance (um) from the voxels that the type held at the start."""
    state = watch.state
    rows = of_type(state, cell, Status.FREE, Status.BOUND)
    first = np.zeros(state.tissue.shape, dtype=bool)
    first.reshape(-1)[watch.sites[(watch.types == state.config.code(cell)) & (watch.sites >= 0)]] = True
    if len(rows) == 0 or not first.any():
        return NAN
    distance = distance_to(first, state.config.geometry.voxel).reshape(-1)[state.cells.site[rows]]
    return float(np.quantile(distance.astype(float), share))


@measure("detached cells")
def detached_cells(watch: Watch, *, cell: str) -> float:
    """Cells of a type that no chain of neighbours (26 around) of the type joins to the largest group of them."""
    labels, groups = ndimage.label(mask_of_cells(watch.state, cell), structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.reshape(-1))[1:]
    return float(sizes.sum() - sizes.max()) if groups else NAN


def _contacts(watch: Watch, cell: str) -> np.ndarray:
    """Time (min) of the first contact with a niche slot of the cells of a type at the start; infinite where none."""
    return watch.contacts[watch.types == watch.state.config.code(cell)]


@measure("time to a niche slot", "contacts")
def time_to_a_niche_slot(watch: Watch, *, cell: str, share: Fraction = 0.5) -> float:
    """Time (h) until this share of the cells of the start was in a niche slot or faced one, at most the run's."""
    tagged = _contacts(watch, cell)
    if len(tagged) == 0:
        return NAN
    return float(np.quantile(np.minimum(tagged, watch.state.minutes), share)) / 60.0


@measure("share that met a niche slot", "contacts")
def share_that_met_a_niche_slot(watch: Watch, *, cell: str) -> float:
    """Share of the cells of the start that have been in a niche slot or faced one."""
    tagged = _contacts(watch, cell)
    return float(np.isfinite(tagged).mean()) if len(tagged) else NAN


# ---- neighbourhood


def _near(state: State, what: tuple[str, ...], within: float) -> np.ndarray:
    """Voxels within a distance of the surface of tissues, or of voxels with cells of some types."""
    mask = np.zeros(state.tissue.shape, dtype=bool)
    for name in what:
        mask |= state.tissue == tissues.CODES[name] if name in tissues.CODES else mask_of_cells(state, name)
    return distance_to(mask, state.config.geometry.voxel) <= within


@measure("share near")
def share_near(watch: Watch, *, cell: str, near: tuple[str, ...], within: Length = "10 um") -> float:
    """Share of the cells of a type within a distance of tissues or of cells of other types."""
    state = watch.state
    rows = of_type(state, cell, Status.FREE, Status.BOUND)
    return float(_near(state, near, within).reshape(-1)[state.cells.site[rows]].mean()) if len(rows) else NAN


@measure("enrichment near")
def enrichment_near(watch: Watch, *, cell: str, near: tuple[str, ...], within: Length = "10 um") -> float:
    """That share over that of all voxels that cells may enter and no immobile cell fills: 1 is chance."""
    state = watch.state
    immobile = state.config.column("motility") == 0
    filled = state.occupant >= 0
    filled[filled] = immobile[state.cells.type[state.occupant[filled]]]
    open_ = enterable(state, "any") & ~filled
    chance = _near(state, near, within)[open_].mean() if open_.any() else 0.0
    return share_near(watch, cell=cell, near=near, within=within) / chance if chance > 0 else NAN


@measure("arrests near", "arrivals")
def arrests_near(watch: Watch, *, near: tuple[str, ...], rather_than: tuple[str, ...]) -> float:
    """Share of the cells arrested so far whose vessel voxel was nearer to cells of some types than to others."""
    state = watch.state
    sites = np.array(list(watch.arrivals.values()), dtype=np.int64)
    if len(sites) == 0:
        return NAN
    spacing = state.config.geometry.voxel
    one, other = (
        distance_to(np.any([mask_of_cells(state, name) for name in names], axis=0), spacing).reshape(-1)[sites]
        for names in (near, rather_than)
    )
    return float((one < other).mean())


# ---- fields and vessels


@measure("field")
def field(
    watch: Watch,
    *,
    field: str,
    tissue: Tissue = "any",
    oxygen_above: Pressure = "0 mmHg",
    oxygen_below: Pressure = "1e4 mmHg",
) -> float:
    """Mean of a field over the voxels that cells may enter whose pO2 is in a range."""
    state = watch.state
    pressure = state.fields["oxygen"]
    voxels = enterable(state, tissue) & (pressure >= oxygen_above) & (pressure < oxygen_below)
    return float(state.fields[field][voxels].mean(dtype=float)) if voxels.any() else NAN


@measure("field contrast by oxygen")
def field_contrast_by_oxygen(
    watch: Watch, *, field: str, low: Pressure, high: Pressure, tissue: Tissue = "any"
) -> float:
    """Mean of a field where the pO2 is below `low` over its mean where it is `high` or more."""
    state = watch.state
    pressure, inside = state.fields["oxygen"], enterable(state, tissue)
    poor, rich = inside & (pressure < low), inside & (pressure >= high)
    if not poor.any() or not rich.any():
        return NAN
    values = state.fields[field]
    return float(values[poor].mean(dtype=float) / values[rich].mean(dtype=float))


@measure("field percentile")
def field_percentile(watch: Watch, *, field: str, percent: float, tissue: Tissue = "any", around: str = "") -> float:
    """Percentile (0 to 100) of a field over the voxels that cells may enter, or those that hold a cell of a type."""
    state = watch.state
    voxels = mask_of_cells(state, around) & enterable(state, tissue) if around else enterable(state, tissue)
    return float(np.percentile(state.fields[field][voxels].astype(float), percent)) if voxels.any() else NAN


@measure("vessel density")
def vessel_density(watch: Watch, *, around: str = "", within: Length = "30 um") -> float:
    """Share of lumen in the specimen's soft parts, or in what is within a distance of the cells of a type."""
    state = watch.state
    lumen = tissues.IS_LUMEN[state.tissue].astype(bool)
    whole = lumen | enterable(state, "any")
    if around:
        whole &= _near(state, (around,), within)
    return float(lumen[whole].mean()) if whole.any() else NAN
