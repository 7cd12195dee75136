"""Homing out of the blood, and egress into it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine import circulation as kernel
from marrowsim._engine import claims
from marrowsim._engine.circulation import Passage
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State, Status


class Circulation(ShippedProcess):
    """A circulating cell is cleared, or touches a random voxel of the vessel wall and arrests there with
    probability f + (1 - f) R theta / (R theta + K), theta from the CXCL12 behind the wall. It then crosses to
    a random free marrow voxel around, or is released where there is none. Free cells at the wall enter the
    blood at rate k (1 - theta)^2.
    """

    name: ClassVar[str] = "circulation"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant")

    def update(self, state: State, clock: Clock) -> None:
        """Decide for every cell, then let the winners of contested voxels pass."""
        cells = state.cells
        n = len(cells)
        passage, target, claim = np.zeros(n, np.uint8), np.empty(n, np.int32), np.empty(n, np.uint32)
        kernel.decide(
            clock.seed, clock.step, clock.dt, cells.id, cells.type, cells.status, cells.site, cells.cxcr4,
            state.occupant, state.tissue, tissues.IS_ENTERABLE, state.walls, state.luminal_sites,
            state.fields["cxcl12"], state.config.receptor.half_occupancy, self._traffics(state),
            passage, target, claim, clock.threads,
        )  # fmt: skip
        arriving = np.flatnonzero(passage == Passage.PASSAGE_ARREST)
        arriving = arriving[np.lexsort((cells.id[arriving], claim[arriving]))]
        arrests = arriving[np.unique(target[arriving], return_index=True)[1]]
        self._arrest(state, arrests, target[arrests])
        target[arriving] = -1
        self._cross(state, clock, target, claim)
        state.tally("released into blood", self._to_blood(state, passage == Passage.PASSAGE_RELEASE))
        state.tally("left into blood", self._to_blood(state, passage == Passage.PASSAGE_EGRESS))
        cleared = passage == Passage.PASSAGE_CLEARED
        state.tally("cleared", np.flatnonzero(cleared))
        state.remove_cells(cleared)

    @staticmethod
    def _arrest(state: State, rows: np.ndarray, sites: np.ndarray) -> None:
        state.cells.site[rows] = sites
        state.cells.status[rows] = Status.ARRESTED
        state.occupant.reshape(-1)[sites] = rows
        state.tally("arrested", rows)

    @staticmethod
    def _cross(state: State, clock: Clock, target: np.ndarray, claim: np.ndarray) -> None:
        """Arrested cells pass the wall; those whose voxel goes to another try again later."""
        cells = state.cells
        won = claims.settle(target, claim, cells.id, state.occupant, True, clock.threads)
        claims.move(won, target, cells.site, state.occupant, clock.threads)
        rows = np.flatnonzero(won)
        dormancy = np.round(state.config.column("dormancy") / clock.dt).astype(np.int32)
        cells.status[rows] = Status.FREE
        cells.heading[rows] = -1
        cells.dormant_until[rows] = clock.step + dormancy[cells.type[rows]]
        state.tally("entered marrow", rows)

    @staticmethod
    def _to_blood(state: State, leaving: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(leaving)
        state.occupant.reshape(-1)[state.cells.site[rows]] = -1
        state.cells.site[rows] = -1
        state.cells.status[rows] = Status.CIRCULATING
        return rows

    @staticmethod
    def _traffics(state: State) -> np.ndarray:
        column = state.config.column
        columns = [column(name) for name in ("clearance_rate", "arrest_rate", "arrest_floor", "arrest_half_level")]
        columns += [1.0 / column("extravasation_time"), column("egress_rate")]
        return np.ascontiguousarray(np.stack(columns, axis=1))
