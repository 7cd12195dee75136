"""Cells that enter the blood of the domain at set times."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.seeding import receptor_levels
from marrowsim.state import State, Status


class Injection(ShippedProcess):
    """Each `[[injection]]` puts density times tissue volume cells of a type into the blood, at its time.

    The blood is the share of the body's blood that feeds the domain: rates per circulating cell do not
    depend on the size of the domain.
    """

    name: ClassVar[str] = "injection"
    reads: ClassVar[tuple[str, ...]] = ("tissue",)
    writes: ClassVar[tuple[str, ...]] = ("cells",)

    def update(self, state: State, clock: Clock) -> None:
        """Inject what is due in this step."""
        for entry in state.config.injection:
            if round(entry.at / clock.dt) == clock.step:
                code = state.config.code(entry.cell)
                volume = np.count_nonzero(tissues.IS_ENTERABLE[state.geometry.tissue]) * state.config.voxel_volume
                count = round(entry.density * volume)
                ids = np.arange(state.next_id, state.next_id + count)
                levels = receptor_levels(state.config, code, ids)
                rows = state.add_cells(code, np.full(count, -1), levels, Status.CIRCULATING)
                state.tally("injected", rows)
