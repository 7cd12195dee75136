"""Cells that enter the domain with the blood or arise in its marrow, at set times or all the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.seeding import new_cells
from marrowsim.state import State, Status


class Injection(ShippedProcess):
    """Each `[[injection]]` puts density times tissue volume cells of a type into the blood, at its time. Types with
    an influx F enter it all the time: by time t round(F V t) cells, none where no vessel brings blood. Types with a
    renewal arise as often in free voxels of the marrow, at random.

    The blood is the share of the body's blood that feeds the domain: rates per circulating cell do not
    depend on the size of the domain. The volume V is that of the tissue that the run started with.
    """

    name: ClassVar[str] = "injection"
    reads: ClassVar[tuple[str, ...]] = ("tissue", "occupant")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant")

    def update(self, state: State, clock: Clock) -> None:
        """Inject what is due in this step."""
        config, volume = state.config, state.geometry.enterable_volume
        for entry in config.injection:
            if round(entry.at / clock.dt) == clock.step:
                self._enter(state, "injected", config.code(entry.cell), round(entry.density * volume))
        if len(state.luminal_sites):
            for code, count in self._due(config.column("influx") * volume, clock):
                self._enter(state, "flowed in", code, count)
        for code, count in self._due(self._renewal(state), clock):
            self._arise(state, clock, code, count)

    @staticmethod
    def _due(rates: np.ndarray, clock: Clock) -> Iterator[tuple[int, int]]:
        """Types and numbers of the cells that come in this step, from the rates by type (1/min)."""
        for code in np.flatnonzero(rates):
            before, after = (round(rates[code] * (step * clock.dt)) for step in (clock.step, clock.step + 1))
            yield int(code), after - before

    @staticmethod
    def _renewal(state: State) -> np.ndarray:
        """Cells of each type that arise in the marrow of the start (1/min), where there are processes for them."""
        config = state.config
        rates = config.column("renewal") * state.geometry.volume_of(tissues.MARROW)
        owners = [cell.process for cell in config.cells.values()]
        return rates * [owner is None or config.processes[owner].enabled for owner in owners]

    @staticmethod
    def _arise(state: State, clock: Clock, code: int, count: int) -> None:
        """Put new cells on free voxels of the marrow; where 64 tries find none, a cell does not come to be."""
        ids = np.arange(state.next_id, state.next_id + count)
        free = (state.tissue.reshape(-1), state.occupant.reshape(-1))
        sites = np.full(count, -1)
        for attempt in range(64):
            missing = np.flatnonzero(sites < 0)
            if len(missing) == 0:
                break
            draw = uniform(clock.seed, Stream.STREAM_RENEWAL, clock.step, ids[missing], attempt)
            tried = (draw * state.tissue.size).astype(np.int64)
            good = (free[0][tried] == tissues.MARROW) & (free[1][tried] < 0) & ~np.isin(tried, sites)
            good[good] &= np.isin(np.flatnonzero(good), np.unique(tried, return_index=True)[1])
            sites[missing[good]] = tried[good]
        state.tally("arose", new_cells(state, code, sites[sites >= 0], Status.FREE))

    @staticmethod
    def _enter(state: State, what: str, code: int, count: int) -> None:
        state.tally(what, new_cells(state, code, np.full(count, -1), Status.CIRCULATING))
