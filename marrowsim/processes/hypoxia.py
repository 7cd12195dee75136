"""The response of cells to low oxygen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np

from marrowsim._engine import hypoxia as kernel
from marrowsim.config import Config
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State


class Hypoxia(ShippedProcess):
    """The response x of a cell follows h(p) = 1 / (1 + (p / p50)^n), p the oxygen of its voxel: dx/dt = (h - x) / tau,
    with one tau for rising and one for falling. It sets the CXCR4 level, R = R_0 (1 + (F - 1) x), and what the cell
    secretes, S (1 + (F - 1) x).

    The update is exact for a constant pO2. Cells that are there at the start are in the steady state. Constants
    are in the section `hypoxia`; `hif` of a cell type says whether it responds.
    """

    name: ClassVar[str] = "hypoxia"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields")
    writes: ClassVar[tuple[str, ...]] = ("cells",)

    def prepare(self, state: State, clock: Clock) -> None:
        """Bring every cell to its steady state."""
        self.update(state, replace(clock, dt=math.inf))

    def update(self, state: State, clock: Clock) -> None:
        """Let every cell respond for the length of the step."""
        cells, hypoxia = state.cells, state.config.hypoxia
        kernel.respond(
            clock.dt, cells.site, cells.type, cells.constitutive, state.fields["oxygen"], hypoxia.blood_pressure,
            hypoxia.half_pressure, hypoxia.exponent, 1.0 / hypoxia.rise_time, 1.0 / hypoxia.fall_time,
            self._by_type(state.config), cells.hypoxia, cells.cxcr4, clock.threads,
        )  # fmt: skip

    @staticmethod
    def _by_type(config: Config) -> np.ndarray:
        """Response that a type has at once (-1 where it follows the oxygen), and induction of CXCR4, by code."""
        sensed = -1.0 if config.hypoxia.sensed is None else sensed_response(config, config.hypoxia.sensed)
        fixed = {"responsive": sensed, "absent": 0.0, "constitutive": 1.0}
        return np.array([(fixed[cell.hif], cell.cxcr4_induction) for cell in config.cells.values()])


def sensed_response(config: Config, pressure: float) -> float:
    """Steady response h(p) to a pO2 (mmHg)."""
    return kernel.steady(pressure, config.hypoxia.half_pressure, config.hypoxia.exponent)
