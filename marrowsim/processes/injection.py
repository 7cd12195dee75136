"""Cells that enter the blood of the domain, at set times or all the time."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.seeding import new_cells
from marrowsim.state import State, Status


class Injection(ShippedProcess):
    """Each `[[injection]]` puts density times tissue volume cells of a type into the blood, at its time. Types with
    an influx F enter it all the time: by time t round(F V t) cells, none where no vessel brings blood.

    The blood is the share of the body's blood that feeds the domain: rates per circulating cell do not
    depend on the size of the domain. The volume V is that of the tissue that the run started with.
    """

    name: ClassVar[str] = "injection"
    reads: ClassVar[tuple[str, ...]] = ("tissue",)
    writes: ClassVar[tuple[str, ...]] = ("cells",)

    def update(self, state: State, clock: Clock) -> None:
        """Inject what is due in this step."""
        config, volume = state.config, state.geometry.enterable_volume
        for entry in config.injection:
            if round(entry.at / clock.dt) == clock.step:
                self._enter(state, "injected", config.code(entry.cell), round(entry.density * volume))
        influx = config.column("influx")
        if not influx.any() or len(state.luminal_sites) == 0:
            return
        for code in np.flatnonzero(influx):
            before, after = (round(influx[code] * volume * (step * clock.dt)) for step in (clock.step, clock.step + 1))
            self._enter(state, "flowed in", code, after - before)

    @staticmethod
    def _enter(state: State, what: str, code: int, count: int) -> None:
        state.tally(what, new_cells(state, code, np.full(count, -1), Status.CIRCULATING))
