"""What a run measures of itself: one list, in the field's own names and units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim.bone_readouts import BONE_READOUTS, BoneCensus, BoneReadout
from marrowsim.config import Config, OwnProcess, OwnReadout
from marrowsim.field_summary import summary
from marrowsim.processes.circulation import LEFT, SEEDED
from marrowsim.processes.cycle import HEALTHY_OUTPUT, haematopoietic_output
from marrowsim.processes.fields import DIAGNOSTICS
from marrowsim.state import State, Status
from marrowsim.vicious_cycle import FACTORS, loop_gain

Measure = Callable[[State, "Census"], float]


@dataclass(frozen=True)
class Readout:
    """One column of readouts.csv: its name with the unit in brackets, what it means, and how it is measured.

    A run has the column where it has the tissue `site` (code) and the process of that name enabled, and a region of
    interest where the readout is of that, as far as these are given.
    """

    name: str
    meaning: str
    measure: Measure
    site: int | None = None
    process: str | None = None
    of_region: bool = False

    def applies(self, state: State) -> bool:
        """Whether a run has the column."""
        config = state.config
        return (
            (self.site is None or self.site in state.geometry.ground)
            and (self.process is None or config.processes[self.process].enabled)
            and (not self.of_region or config.region is not None)
        )


class Census:
    """Counts that several readouts share, taken once.

    Attributes
    ----------
    counts : int64, shape (types, statuses). Cells of each type and status.
    tissues : int64, shape (types, 256). Cells that are out of the vessels, by type and tissue code.
    """

    def __init__(self, state: State):
        cells, config = state.cells, state.config
        width = len(Status)
        flat = np.bincount(cells.type.astype(np.int64) * width + cells.status, minlength=len(config.cells) * width)
        self.counts = flat.reshape(-1, width)
        self.state = state
        self._places = census.places(cells.type, cells.status, cells.site, state.tissue)
        inside = np.bincount(self._places + 1, minlength=len(config.cells) * 256 + 1)[1:]
        self.tissues = inside.reshape(-1, 256)
        self.near_slot = np.bincount(cells.type[rows_near_slots(state)], minlength=len(config.cells))
        self._found: dict[tuple[int, int | None], np.ndarray] = {}

    @cached_property
    def bone(self) -> BoneCensus:
        """Bone of the specimen."""
        return BoneCensus(self.state)

    @cached_property
    def vicious_cycle(self) -> dict[str, float]:
        """Elasticities of the loop of tumour and bone."""
        return loop_gain(self.state)

    @cached_property
    def bone_in_region(self) -> BoneCensus:
        """Bone of the region of interest."""
        return BoneCensus(self.state, self.state.region)

    def count(self, cell: str, *statuses: Status) -> int:
        """Cells of a type in any of the statuses."""
        return int(self.counts[self.state.config.code(cell), list(statuses)].sum())

    def count_in(self, cell: str, code: int) -> int:
        """Cells of a type that are out of the vessels, in a tissue."""
        return int(self.tissues[self.state.config.code(cell), code])

    def near_slots(self, cell: str) -> int:
        """Cells of a type in the marrow that are in a niche slot or face one."""
        return int(self.near_slot[self.state.config.code(cell)])

    def rows(self, cell: str, tissue: int | None = None) -> np.ndarray:
        """Rows of the cells of a type that are out of the vessels, or in one tissue."""
        code = self.state.config.code(cell)
        if (code, tissue) not in self._found:
            wanted = self._places >> 8 == code if tissue is None else self._places == code * 256 + tissue
            self._found[code, tissue] = np.flatnonzero(wanted)
        return self._found[code, tissue]

    def held(self, cell: str) -> float:
        """Share of the niche slots that a type holds."""
        slots = len(self.state.slots)
        return self.count(cell, Status.BOUND) / slots if slots else float("nan")


def rows_near_slots(state: State) -> np.ndarray:
    """Rows of the cells out of the vessels that are in a niche slot or face one: int64, sorted."""
    around = census.face_sites(state.slots, *state.tissue.shape).ravel()
    held = state.occupant.reshape(-1)[np.concatenate([state.slots, around[around >= 0]])]
    rows = np.unique(held[held >= 0]).astype(np.int64)
    return rows[np.isin(state.cells.status[rows], (Status.FREE, Status.BOUND))]


def output_now(state: State, counted: Census) -> float:
    """Haematopoietic output, cells/d."""
    return haematopoietic_output(state.config, counted.counts[:, Status.FREE])


def dysfunction_index(state: State, counted: Census) -> float:
    """1 - output / healthy, healthy the haematopoietic output at the start of the run; NaN where that was none."""
    healthy = float(state.records.get(HEALTHY_OUTPUT, [0.0])[0])
    return 1.0 - output_now(state, counted) / healthy if healthy > 0 else float("nan")


def vacant_slots(state: State, _: Census) -> int:
    """Niche slots without a bound cell in their voxel, whether or not another cell stands there."""
    rows = state.occupant.reshape(-1)[state.slots]
    return int(len(rows) - np.count_nonzero(state.cells.status[rows[rows >= 0]] == Status.BOUND))


def bone_volume_fraction(state: State, _: Census) -> float:
    """BV/TV: bone over all voxels of the specimen that was there at the start, soft tissue apart."""
    total = state.geometry.voxels[tissues.IS_OF_BONE > 0].sum()
    return float(np.count_nonzero(state.tissue == tissues.BONE) / total)


def tumour_mean(column: str, tissue: int | None = None) -> Measure:
    """Mean of a column of the cell table over the tumour cells in tissue, or in one, whatever the order of the rows."""

    def measure(state: State, counted: Census) -> float:
        rows = counted.rows("tumour", tissue)
        return census.exact_sum(getattr(state.cells, column)[rows]) / len(rows) if len(rows) else float("nan")

    return measure


def tumour_mean_on_passage(record: str, column: int) -> Measure:
    """Mean level of the tumour cells in a record of the circulation; NaN where none passed."""

    def measure(state: State, _: Census) -> float:
        passed = state.records[record][state.config.code("tumour")] if record in state.records else np.zeros(3)
        return float(passed[column] / passed[0]) if passed[0] else float("nan")

    return measure


def perfused_fraction(tissue: int, *lumen: int) -> Measure:
    """Lumen with blood over that and the tissue that cells live in, in one site."""

    def measure(state: State, _: Census) -> float:
        vessels = sum(np.count_nonzero(state.tissue == code) for code in lumen)
        total = vessels + np.count_nonzero(state.tissue == tissue)
        return float(vessels / total) if total else float("nan")

    return measure


def progenitor_share(state: State, _: Census) -> float:
    """Share of the endothelium laid since the start that progenitors made; NaN where none was."""
    made = {cell: state.tallies.get(f"laid vessel wall:{cell}", 0) for cell in ("epc", "tip")}
    return made["epc"] / sum(made.values()) if any(made.values()) else float("nan")


def _of_cycle(factor: str) -> Measure:
    return lambda _, census_: census_.vicious_cycle[factor]


def _events(what: str, cell: str) -> Measure:
    return lambda state, _: state.tallies.get(f"{what}:{cell}", 0)


def _cells(cell: str, *statuses: Status) -> Measure:
    return lambda _, census_: census_.count(cell, *statuses)


def _cells_in(cell: str, code: int) -> Measure:
    return lambda _, census_: census_.count_in(cell, code)


def _of_bone(readout: BoneReadout, of_region: bool) -> Readout:
    where = " in region" * of_region
    return Readout(
        f"{readout.name}{where} ({readout.unit})",
        readout.meaning + ", in the region of interest" * of_region,
        lambda _, counted: readout.measure(counted.bone_in_region if of_region else counted.bone),
        tissues.MARROW,
        "remodelling",
        of_region,
    )


MARROW, SOFT = tissues.MARROW, tissues.SOFT
READOUTS: tuple[Readout, ...] = (
    Readout(
        "tumour in blood (cells)", "circulating in the domain's share of blood", _cells("tumour", Status.CIRCULATING)
    ),
    Readout("tumour arrested (cells)", "arrested at a vessel wall", _cells("tumour", Status.ARRESTED)),
    Readout("tumour in marrow (cells)", "out of the vessels, in the marrow", _cells_in("tumour", MARROW), MARROW),
    Readout("tumour in soft tissue (cells)", "out of the vessels, in soft tissue", _cells_in("tumour", SOFT), SOFT),
    Readout("tumour at niches (cells)", "in a niche slot or facing one", lambda _, c: c.near_slots("tumour"), MARROW),
    Readout("tumour in niches (cells)", "holding a niche slot", _cells("tumour", Status.BOUND), MARROW),
    Readout("hpc in niches (cells)", "progenitors holding a niche slot", _cells("hpc", Status.BOUND), MARROW),
    Readout("hpc free (cells)", "progenitors out of the vessels without a slot", _cells("hpc", Status.FREE), MARROW),
    Readout("hpc in blood (cells)", "circulating progenitors", _cells("hpc", Status.CIRCULATING), MARROW),
    Readout("slots held by hpc (1)", "share of niche slots", lambda _, c: c.held("hpc"), MARROW),
    Readout("slots held by tumour (1)", "share of niche slots", lambda _, c: c.held("tumour"), MARROW),
    Readout(
        "hpc displaced (events)", "slots taken over by tumour cells", _events("displaced another", "tumour"), MARROW
    ),
    Readout("slots vacant (slots)", "niche slots that no cell holds", vacant_slots, MARROW),
    Readout(
        "haematopoietic output (cells/d)",
        "mature cells formed a day",
        output_now,
        MARROW,
    ),
    Readout(
        "dysfunction index (1)",
        "1 - haematopoietic output / that of the start",
        dysfunction_index,
        MARROW,
    ),
    Readout("hpc matured (events)", "mature cells formed since the start", _events("matured", "hpc"), MARROW),
    Readout("tumour born (events)", "divisions since the start", _events("born", "tumour")),
    Readout("tumour died (events)", "deaths since the start, necrosis apart", _events("died", "tumour")),
    Readout("tumour cleared (events)", "lost from the blood to other organs", _events("cleared", "tumour")),
    Readout(
        "tumour homed to competitor (events)",
        "arrested in the competing organ",
        _events("homed to competitor", "tumour"),
    ),
    Readout("tumour CXCR4 mean (1)", "level of the tumour cells in tissue", tumour_mean("cxcr4")),
    Readout(
        "tumour CXCR4 mean in soft tissue (1)", "level of the tumour cells there", tumour_mean("cxcr4", SOFT), SOFT
    ),
    Readout(
        "tumour inherited CXCR4 mean in soft tissue (1)",
        "level without hypoxia",
        tumour_mean("constitutive", SOFT),
        SOFT,
    ),
    Readout("tumour CXCR4 mean in marrow (1)", "level of the tumour cells there", tumour_mean("cxcr4", MARROW), MARROW),
    Readout(
        "tumour inherited CXCR4 mean in marrow (1)",
        "level without hypoxia",
        tumour_mean("constitutive", MARROW),
        MARROW,
    ),
    Readout("tumour left into blood (events)", "out of tissue since the start", _events("left into blood", "tumour")),
    Readout(
        "tumour CXCR4 on leaving mean (1)",
        "level of the cells that left tissue since the start, at that moment",
        tumour_mean_on_passage(LEFT, 1),
    ),
    Readout(
        "tumour inherited CXCR4 on leaving mean (1)",
        "the same without hypoxia",
        tumour_mean_on_passage(LEFT, 2),
    ),
    Readout(
        "tumour CXCR4 on arrest in marrow mean (1)",
        "level of the cells that arrested there since the start, at that moment",
        tumour_mean_on_passage(SEEDED, 1),
        MARROW,
    ),
    Readout(
        "tumour inherited CXCR4 on arrest in marrow mean (1)",
        "the same without hypoxia",
        tumour_mean_on_passage(SEEDED, 2),
        MARROW,
    ),
    Readout("tumour hypoxia response mean (1)", "of the tumour cells in tissue, 0 to 1", tumour_mean("hypoxia")),
    Readout("sprout tips (cells)", "at the ends of growing sprouts", _cells("tip", Status.FREE)),
    Readout("EPCs in tissue (cells)", "endothelial progenitors out of the vessels", _cells("epc", Status.FREE)),
    Readout("endothelium from EPCs (1)", "share of the endothelium laid since the start", progenitor_share),
    Readout(
        "perfused vessel fraction (1)",
        "lumen over lumen and marrow",
        perfused_fraction(MARROW, tissues.SINUSOID, tissues.ARTERIOLE),
        MARROW,
    ),
    Readout(
        "perfused vessel fraction in soft tissue (1)",
        "lumen over lumen and soft tissue",
        perfused_fraction(SOFT, tissues.CAPILLARY),
        SOFT,
    ),
    *(
        Readout(f"{words} (1)", meaning, _of_cycle(factor), MARROW, "remodelling")
        for words, meaning, factor in (
            ("rankl from tumour", "share of the signal at the osteoclasts that the tumour secretes", FACTORS[0]),
            (
                "loop gain",
                "relative change of the tumour's division rate by what a relative change of that does",
                FACTORS[3],
            ),
        )
    ),
    Readout("BV/TV (1)", "bone volume fraction of the specimen", bone_volume_fraction, MARROW),
    *(_of_bone(readout, of_region=False) for readout in BONE_READOUTS if readout.everywhere),
    *(_of_bone(readout, of_region=True) for readout in BONE_READOUTS),
)
"""The readouts of every run, as far as they apply to it. Each field adds its mean, 5th and 95th percentile in the
marrow, and in the soft tissue."""

SITES = ((MARROW, ""), (SOFT, " in soft tissue"))
"""Tissues that fields are summed up in, with what the names of these columns bear after that of the field."""


def measure_readouts(state: State, threads: int = 1) -> dict[str, Any]:
    """One row of readouts.csv: time first, then `READOUTS`, drugs that are dosed, every field, processes of extensions.

    Field columns are `<field> mean (<unit>)`, `<field> p05 (<unit>)`, `<field> p95 (<unit>)`, over marrow
    voxels; `<field> in soft tissue mean (<unit>)` and so on where there is soft tissue; and the diagnostics of
    the last solution. Which sites there are is decided by the geometry, so that all rows have the same columns.
    The threads never change a number.
    """
    counted = Census(state)
    there = state.geometry.ground
    row: dict[str, Any] = {"time (h)": state.minutes / 60.0}
    for readout in READOUTS:
        if readout.applies(state):
            row[readout.name] = readout.measure(state, counted)
    row |= drug_levels(state)
    for name, field in state.config.active_fields.items():
        for code, words in SITES:
            if code in there:
                mean, low, high = summary(state.fields[name], state.tissue, code, (5, 95), threads)
                row |= dict(zip(_field_columns(name + words, field.unit), (mean, low, high), strict=True))
    row |= {f"{name} (1)": value for name, value in sorted(state.diagnostics.items())}
    return row | {name: float(own.measure(state)) for name, own in _own_readouts(state.config).items()}


def column_names(config: Config) -> set[str]:
    """Columns that a run of a configuration has, and those that it would have with other tissues and processes."""
    names = {readout.name for readout in READOUTS} | set(_own_readouts(config))
    for name in config.dosed:
        names |= {f"{name} (nM)", f"{name} in bone (nM)"}
    for name, field in config.active_fields.items():
        names |= {column for _, words in SITES for column in _field_columns(name + words, field.unit)}
        names |= {f"{name} {what} (1)" for what in DIAGNOSTICS}
    return names


def _field_columns(name: str, unit: str) -> list[str]:
    return [f"{name} {part} ({unit})" for part in ("mean", "p05", "p95")]


def _own_readouts(config: Config) -> dict[str, OwnReadout]:
    """What processes of extensions that are enabled measure, as `<process>: <name> (<unit>)`."""
    return {
        f"{process.name}: {readout.name} ({readout.unit})": readout
        for process in config.processes.values()
        if isinstance(process, OwnProcess) and process.enabled
        for readout in process.readouts
    }


def drug_levels(state: State) -> dict[str, float]:
    """Level (nM) of every drug that is dosed, at this moment, and that in bone of those that bind there."""
    config = state.config
    none = np.zeros(len(config.dosed))
    levels = {}
    for number, name in enumerate(config.dosed):
        drug = config.drugs[name]
        levels[f"{name} (nM)"] = float(drug.level(state.records.get("drugs/body", none)[number]))
        if drug.bone_share:
            levels[f"{name} in bone (nM)"] = float(drug.bone_level(state.records.get("drugs/bone", none)[number]))
    return levels
