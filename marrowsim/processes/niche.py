"""Competition for the niche slots."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from marrowsim._engine import niche as kernel
from marrowsim.config import Config
from marrowsim.parameters import parameter
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State
from marrowsim.units import In, Number, Rate


class Niche(ShippedProcess):
    """A vacant slot binds a free cell in it or at its faces at rate k_on (a / a_ref) affinity, a the CXCR4
    signal; a bound cell lets go at rate k_off exp(eps (1 - a / a_ref)); an adjacent cell i of another type takes
    a slot over at rate k_disp,i w_i / (w_holder + sum over all such cells of w), w = a affinity, and the holder goes
    where it came from.
    """

    name: ClassVar[str] = "niche"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "slots")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant")
    interleaved: ClassVar[bool] = True

    binding_rate: Rate = parameter(
        "0.02 /min", "binding to a slot at the reference signal", symbol="k_on",
        source="steady traffic through the blood: Ashcroft 2017 (order)", mark="R/E",
    )  # fmt: skip
    release_rate: Rate = parameter(
        "9.0e-5 /min", "release from a slot at the reference signal", symbol="k_off", span="1/12 h to 1/7 d",
        mark="R/C",
        source="Ashcroft 2017 (order); calibrated by hand: keeps healthy marrow near its occupancy of 0.65 for 28 d",
    )  # fmt: skip
    release_sensitivity: Number = parameter(
        2.0, "logarithm of the rise of the release rate without any signal", symbol="eps",
        source="antagonist raises release about 7-fold", mark="E",
    )  # fmt: skip
    reference_signal: Annotated[float, In("1", low=1e-6)] = parameter(
        0.15, "CXCR4 signal of an HPC in healthy marrow", symbol="a_ref", source="R = 1 at 0.85 nM", mark="C"
    )

    def update(self, state: State, clock: Clock) -> None:
        """Release, then bind and displace."""
        self._release(state, clock)
        self._bind(state, clock)

    def fastest(self, config: Config) -> float:
        """Binding, release or displacement at the reference signal."""
        binding = self.binding_rate * config.column("niche_affinity").max()
        return float(max(binding, self.release_rate, config.column("displacement_rate").max()))

    def _release(self, state: State, clock: Clock) -> None:
        cells, receptor = state.cells, state.config.receptor
        released = np.empty(len(state.slots), dtype=np.int32)
        kernel.release(
            clock.seed, clock.step, clock.substep, clock.dt, state.slots, cells.id, cells.status, cells.cxcr4,
            state.occupant, state.fields["cxcl12"], state.half_occupancy, receptor.desensitisation,
            self.release_rate, self.release_sensitivity, self.reference_signal, released, clock.threads,
        )  # fmt: skip
        state.tally("released", released[released >= 0])

    def _bind(self, state: State, clock: Clock) -> None:
        cells, config = state.cells, state.config
        candidate = np.full(len(state.slots), -1, dtype=np.int32)
        claim = np.empty(len(state.slots), dtype=np.uint32)
        holds = np.stack([config.column("niche_affinity"), config.column("displacement_rate")], axis=1)
        kernel.propose(
            clock.seed, clock.step, clock.substep, clock.dt, state.slots, cells.type, cells.status, cells.cxcr4,
            state.occupant, state.fields["cxcl12"], state.half_occupancy, config.receptor.desensitisation,
            self.binding_rate, self.reference_signal, np.ascontiguousarray(holds), candidate, claim, clock.threads,
        )  # fmt: skip
        chosen = np.flatnonzero(candidate >= 0)
        order = chosen[np.lexsort((state.slots[chosen], claim[chosen]))]
        outcome = np.zeros(len(state.slots), dtype=np.uint8)
        kernel.bind(order, state.slots, candidate, cells.status, cells.site, state.occupant, outcome)
        state.tally("bound", candidate[outcome > 0])
        state.tally("displaced another", candidate[outcome == 2])
