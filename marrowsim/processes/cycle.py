"""Division, death, quiescence and differentiation."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine import claims
from marrowsim._engine import cycle as kernel
from marrowsim.config import Config
from marrowsim.parameters import parameter
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State, Status
from marrowsim.units import In, Number, Pressure

HEALTHY_OUTPUT = "cycle/healthy output"
"""Record of the haematopoietic output (cells/d) at the start of the run: float64, shape (1,)."""
BONE_FACTOR = "tgf_beta"
"""Field of the growth factor that bone releases when it is resorbed."""
ABSENT = np.zeros((0, 0, 0), dtype=np.float32)


def haematopoietic_output(config: Config, free: np.ndarray) -> float:
    """Mature blood cells formed a day: free cells of each type (int64, by code) over their time to differentiation."""
    return float((free / config.column("differentiation_time")).sum() * 24 * 60)


class Cycle(ShippedProcess):
    """Division rate (ln 2 / T) p / (p + p_h) (1 + g a / (a + a_h) + g_T c / (c + K_T)), none below p_n or while
    dormant, where a is the CXCR4 signal and c the TGF-beta from bone, in runs that have it; death rate
    d (1 - s a / (a + a_h)), and necrosis below p_n; free HPCs leave as mature blood cells.

    One draw a cell and sub-step decides between the competing events. A daughter takes a random free voxel
    among the 26 around; without one there is no division. She inherits the CXCR4 level and the response to hypoxia.
    """

    name: ClassVar[str] = "cycle"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant")

    oxygen_half: Pressure = parameter("3 mmHg", "pO2 at half of the division rate", symbol="p_h", mark="E")
    oxygen_necrotic: Pressure = parameter(
        "1 mmHg", "pO2 below which cells stop dividing and necrose", symbol="p_nec", span="0.5-2.5 mmHg",
        source="spheroid literature", mark="R",
    )  # fmt: skip
    half_signal: Number = parameter(0.2, "CXCR4 signal at half of the gains in growth and survival", symbol="a_h")
    tgf_beta_half: Annotated[float, In("1", low=1e-6)] = parameter(
        0.5, "TGF-beta at half of the gain in growth", symbol="K_T", span="0.1-2",
        source="relative to the field's unit; modelling choice", mark="E",
    )  # fmt: skip

    def prepare(self, state: State, clock: Clock) -> None:
        """Keep the haematopoietic output of the start, which the dysfunction index is relative to."""
        cells, config = state.cells, state.config
        free = np.bincount(cells.type[cells.status == Status.FREE], minlength=len(config.cells))
        state.records[HEALTHY_OUTPUT] = np.array([haematopoietic_output(config, free)])

    def update(self, state: State, clock: Clock) -> None:
        """Live on in as many sub-steps as the fastest cell needs."""
        lives = self._lives(state)
        division, bound_factor, death, necrosis, differentiation, growth_gain, _, bone_gain = lives.T
        fastest = np.maximum(division * np.maximum(1.0, bound_factor) * (1.0 + growth_gain + bone_gain), necrosis)
        for part in clock.split(float((fastest + death + differentiation).max())):
            self._live(state, part, lives)

    def _live(self, state: State, clock: Clock, lives: np.ndarray) -> None:
        """Decide for every cell, place the daughters, take out the dead."""
        config, cells = state.config, state.cells
        events = cells.claims()
        made = kernel.decide(
            clock.seed, clock.step, clock.substep, clock.dt, cells.id, cells.type, cells.status, cells.site,
            cells.cxcr4, cells.dormant_until, state.occupant, state.tissue, tissues.IS_ENTERABLE,
            state.fields["oxygen"], self.oxygen_half, self.oxygen_necrotic,
            state.fields["cxcl12"], state.half_occupancy, config.receptor.desensitisation, self.half_signal,
            state.fields.get(BONE_FACTOR, ABSENT), self.tgf_beta_half, lives, *events, clock.threads,
        )  # fmt: skip
        row, target, claim, event = (column[:made] for column in events)
        divides = event == kernel.Event.EVENT_DIVISION
        mothers, target = row[divides], target[divides]
        claims.mark(mothers, target, claim[divides], cells.id, state.occupant, clock.threads)
        won = claims.winners(target, state.occupant).view(bool)
        self._divide(state, mothers[won], target[won])
        self._remove(state, row[~divides], event[~divides])

    @staticmethod
    def _lives(state: State) -> np.ndarray:
        """Rates and gains of every type, as the kernel takes them; without the field that a gain is in, it is 0."""
        lives = state.config.columns(
            "division_time", "division_factor_bound", "death_rate", "necrosis_time", "differentiation_time",
            "growth_gain", "survival_gain", "bone_growth_gain",
        )  # fmt: skip
        lives[:, 0] = math.log(2.0) / lives[:, 0]
        lives[:, 3:5] = 1.0 / lives[:, 3:5]
        if BONE_FACTOR not in state.fields:
            lives[:, 7] = 0.0
        return lives

    @staticmethod
    def _divide(state: State, mothers: np.ndarray, target: np.ndarray) -> None:
        """Daughters get ids in the order of their mothers' types and ids, so that row order has no meaning."""
        cells = state.cells
        order = np.lexsort((cells.id[mothers], cells.type[mothers]))
        mothers = mothers[order]
        daughters = state.add_cells(
            cells.type[mothers], target[order], cells.constitutive[mothers], hypoxia=cells.hypoxia[mothers]
        )
        state.tally("born", daughters)

    @staticmethod
    def _remove(state: State, rows: np.ndarray, event: np.ndarray) -> None:
        """Take out the cells that died or matured."""
        for what, kind in (
            ("died", kernel.Event.EVENT_DEATH),
            ("necrosed", kernel.Event.EVENT_NECROSIS),
            ("matured", kernel.Event.EVENT_DIFFERENTIATION),
        ):
            state.tally(what, rows[event == kind])
        state.remove_cells(rows)
