"""Random and directed movement of cells."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine import claims
from marrowsim._engine import migration as kernel
from marrowsim.parameters import parameter
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State
from marrowsim.units import Fraction, In


class Motility(ShippedProcess):
    """Biased, persistent random walk with exclusion on the six faces of a voxel.

    A free cell tries to hop at rate m (1 + g a / (a + a_50)), m = 6 D / h^2, with CXCR4 signal a = R theta s,
    s = 1 / (1 + beta theta); direction j has the weight exp(kappa R s dtheta_j + c cos), where dtheta_j is the
    difference of occupancy per hop and c gives the persistence time. A hop onto a voxel that is taken, or no
    marrow, does not take place; implicit haematopoietic cells may block a constant share as well. Single walkers
    settle as exp(2 kappa s theta) (Stokes & Lauffenburger 1991; Othmer & Stevens 1997).
    """

    name: ClassVar[str] = "motility"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant")
    interleaved: ClassVar[bool] = True

    free_fraction: Fraction = parameter(
        1.0, "share of hops that the implicit haematopoietic cells let pass", symbol="phi_free", span="0.3-1",
        source="hop rates come from measured net speeds, which have the crowd in them already", mark="E",
    )  # fmt: skip
    gradient_floor: Annotated[float, In("1/um")] = parameter(
        "2.5e-5 /um", "smallest occupancy gradient that is sensed", symbol="g_min",
        source="0.002 nM/um: Chang 2015, Spinosa 2017 PLoS One", mark="V/C",
    )  # fmt: skip
    attempts: Annotated[float, In("1", low=0.01, high=1.0)] = parameter(
        0.2, "largest hop probability of a sub-step; smaller is closer to the exclusion process", mark="C"
    )

    def update(self, state: State, clock: Clock) -> None:
        """Hop in as many sub-steps, within the clock's own, as the fastest cell needs."""
        state.gather_cells()
        walks = self._walks(state)
        fastest = float((walks[:, 0] * (1.0 + walks[:, 1])).max())
        substeps = math.ceil(fastest * clock.dt / self.attempts)
        first = clock.substep * substeps
        for substep in range(first, first + substeps):
            self._hop(state, clock, walks, substep, clock.dt / substeps)

    def _hop(self, state, clock, walks, substep, dt) -> None:
        cells, receptor = state.cells, state.config.receptor
        proposals = cells.claims()
        smallest = 2.0 * self.gradient_floor * state.config.geometry.voxel
        made = kernel.propose(
            clock.seed, clock.step, substep, dt, cells.id, cells.type, cells.status, cells.heading, cells.site,
            cells.cxcr4, state.occupant, state.tissue, tissues.IS_ENTERABLE, state.fields["cxcl12"],
            state.half_occupancy, receptor.desensitisation, smallest, walks, *proposals, clock.threads,
        )  # fmt: skip
        row, target, claim, direction = (column[:made] for column in proposals)
        claims.mark(row, target, claim, cells.id, state.occupant, clock.threads)
        kernel.hop(row, target, direction, cells.heading, cells.site, state.occupant, clock.threads)

    def _walks(self, state: State) -> np.ndarray:
        config = state.config
        walks = config.columns(
            "motility", "motility_gain", "motility_half_signal", "persistence_time", "chemotactic_sensitivity"
        )
        walks[:, 0] = 6.0 * walks[:, 0] / config.geometry.voxel**2 * self.free_fraction
        return walks
