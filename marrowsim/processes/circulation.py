"""Homing out of the blood, and egress into it."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine import circulation as kernel
from marrowsim._engine.circulation import Passage
from marrowsim.config import Config
from marrowsim.parameters import parameter
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State, Status
from marrowsim.units import Concentration

LEFT, SEEDED = "circulation/left into blood", "circulation/arrested in marrow"
"""Records of the cells that left tissue, and that arrested in the marrow, since the start: float64, shape (types, 3):
cells, sum of their CXCR4 levels at that moment, sum of their inherited levels."""


class Circulation(ShippedProcess):
    """A circulating cell is cleared, or touches a random voxel of the vessel wall and arrests there with
    probability f + (1 - f) x^n / (x^n + K^n), x = R theta, theta from the CXCL12 behind the wall. It then crosses to
    a random free voxel of tissue around, or is released where there is none. Free cells at the wall enter the
    blood at rate k (1 - theta)^2. By the same law a circulating cell arrests for good in a competing organ, which
    has one CXCL12 level and no place on the lattice.
    """

    name: ClassVar[str] = "circulation"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant", "records")
    interleaved: ClassVar[bool] = True

    competitor_cxcl12: Concentration = parameter(
        "0.1 nM", "CXCL12 in the organ that competes for circulating cells", span="0.05-0.5 nM",
        source="an organ of low CXCL12; chosen as one seventh of the marrow's", mark="E",
    )  # fmt: skip

    def update(self, state: State, clock: Clock) -> None:
        """Decide for every cell, then let the winners of contested voxels pass."""
        cells = state.cells
        _, target, claim, passage = cells.claims()
        kernel.decide(
            clock.seed, clock.step, clock.substep, clock.dt, cells.id, cells.type, cells.status, cells.site,
            cells.cxcr4, state.occupant, state.tissue, tissues.IS_ENTERABLE, state.walls, state.luminal_sites,
            state.fields["cxcl12"], self.competitor_cxcl12, state.half_occupancy, self._traffics(state.config),
            passage, target, claim, clock.threads,
        )  # fmt: skip
        passing = np.flatnonzero(passage != Passage.PASSAGE_NONE)
        what = passage[passing]
        arresting, crossing = passing[what == Passage.PASSAGE_ARREST], passing[what == Passage.PASSAGE_CROSSING]
        arrested = self._winners(state, arresting, target, claim)
        in_marrow = state.tissue.reshape(-1)[target[arrested]] != tissues.CAPILLARY
        self._note(state, SEEDED, arrested[in_marrow])
        self._note(state, LEFT, passing[what == Passage.PASSAGE_EGRESS])
        self._arrest(state, arrested, target)
        self._cross(state, clock, self._winners(state, crossing, target, claim), target)
        state.send_into_blood("released into blood", passing[what == Passage.PASSAGE_RELEASE])
        state.send_into_blood("left into blood", passing[what == Passage.PASSAGE_EGRESS])
        cleared, elsewhere = passing[what == Passage.PASSAGE_CLEARED], passing[what == Passage.PASSAGE_ELSEWHERE]
        state.tally("cleared", cleared)
        state.tally("homed to competitor", elsewhere)
        state.remove_cells(np.concatenate([cleared, elsewhere]))

    def fastest(self, config: Config) -> float:
        """Arrest, crossing of the wall, or egress; cells that leave for good have no next event to resolve."""
        _, contact, _, _, crossing, egress, _, _ = self._traffics(config).T
        return float(np.maximum(contact, np.maximum(crossing, egress)).max())

    @staticmethod
    def _note(state: State, what: str, rows: np.ndarray) -> None:
        """Add cells and their levels to a record, whatever the order of the rows."""
        cells = state.cells
        record = state.records.setdefault(what, np.zeros((len(state.config.cells), 3)))
        for code in np.unique(cells.type[rows]):
            chosen = rows[cells.type[rows] == code]
            levels = (math.fsum(column[chosen].tolist()) for column in (cells.cxcr4, cells.constitutive))
            record[code] += (len(chosen), *levels)

    @staticmethod
    def _winners(state: State, rows: np.ndarray, target: np.ndarray, claim: np.ndarray) -> np.ndarray:
        """Of the cells in `rows`, the one of the smallest claim for each target, ties to the lowest id."""
        order = rows[np.lexsort((state.cells.id[rows], claim[rows]))]
        return order[np.unique(target[order], return_index=True)[1]]

    @staticmethod
    def _arrest(state: State, rows: np.ndarray, target: np.ndarray) -> None:
        state.cells.site[rows] = target[rows]
        state.cells.status[rows] = Status.ARRESTED
        state.occupant.reshape(-1)[target[rows]] = rows
        state.tally("arrested", rows)

    @staticmethod
    def _cross(state: State, clock: Clock, rows: np.ndarray, target: np.ndarray) -> None:
        """Arrested cells pass the wall; those whose voxel goes to another try again later."""
        cells, occupant = state.cells, state.occupant.reshape(-1)
        occupant[cells.site[rows]] = -1
        occupant[target[rows]] = rows
        cells.site[rows] = target[rows]
        cells.status[rows] = Status.FREE
        cells.heading[rows] = -1
        dormancy = np.round(state.config.column("dormancy") / state.config.time.step).astype(np.int32)
        cells.dormant_until[rows] = clock.step + dormancy[cells.type[rows]]
        entered = state.tissue.reshape(-1)[target[rows]]
        for code in tissues.ENTERABLE:
            state.tally(f"entered {tissues.NAMES[code].replace('_', ' ')}", rows[entered == code])

    @staticmethod
    def _traffics(config: Config) -> np.ndarray:
        column = config.column
        columns = [column(name) for name in ("clearance_rate", "arrest_rate", "arrest_floor", "arrest_half_level")]
        columns += [1.0 / column("extravasation_time"), column("egress_rate")]
        columns += [column("arrest_exponent"), column("competitor_contact")]
        return np.ascontiguousarray(np.stack(columns, axis=1))
