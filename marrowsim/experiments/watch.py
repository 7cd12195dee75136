"""What measures need of a run besides its state at a time: where cells stood at the start, and what happened since."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

import numpy as np

from marrowsim.readouts import rows_near_slots
from marrowsim.simulation import Simulation
from marrowsim.state import State, Status


class Watch:
    """A recorder that follows a run and measures it when its measures are due.

    Parameters
    ----------
    due : measures to take, by name: the step, and a function of this watch.
    follows : what is followed besides the start, of "exposure", "contacts" and "arrivals".

    Attributes
    ----------
    simulation : Simulation at the present step.
    values : dict of float, what was measured so far.
    ids, sites, types : of the cells at the start, by id: int64, int32 (-1 in the blood), uint8.
    exposure : float64, shape (types,). Cell-days lived on the lattice since the start.
    contacts : float64, as `ids`. Time (min) at which the cell first was in a niche slot or faced one; infinite before.
    arrivals : dict of int. Voxel where a cell, by id, was first seen arrested.
    """

    def __init__(self, due: Mapping[str, tuple[int, Callable[[Watch], float]]], follows: Collection[str] = ()):
        self.due = dict(due)
        self.follows = frozenset(follows)
        self.values: dict[str, float] = {}

    @property
    def state(self) -> State:
        """The state at the present step."""
        return self.simulation.state

    def write(self, simulation: Simulation) -> None:
        """Follow the run for one step, then take the measures that are due."""
        self.simulation = simulation
        if simulation.state.step == 0:
            self._start()
        if "exposure" in self.follows and simulation.state.step > 0:
            lived = np.bincount(self.state.cells.type[self.state.cells.site >= 0], minlength=len(self.exposure))
            self.exposure += lived * (simulation.config.time.step / 1440.0)
        if "contacts" in self.follows:
            self._meet_slots()
        if "arrivals" in self.follows:
            cells = self.state.cells
            arrested = np.flatnonzero(cells.status == Status.ARRESTED)
            for cell, site in zip(cells.id[arrested].tolist(), cells.site[arrested].tolist(), strict=True):
                self.arrivals.setdefault(cell, site)
        for name, (step, measure) in self.due.items():
            if step == simulation.state.step:
                self.values[name] = float(measure(self))

    def _start(self) -> None:
        cells = self.state.cells
        order = np.argsort(cells.id)
        self.ids, self.sites, self.types = (column[order].copy() for column in (cells.id, cells.site, cells.type))
        self.exposure = np.zeros(len(self.state.config.cells))
        self.contacts = np.full(len(self.ids), math.inf)
        self.arrivals: dict[int, int] = {}

    def _meet_slots(self) -> None:
        _, places = self.tagged(rows_near_slots(self.state))
        self.contacts[places] = np.minimum(self.contacts[places], self.state.minutes)

    def tagged(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the cells in these rows, those that were there at the start, and their places in `ids`."""
        wanted = self.state.cells.id[rows]
        places = np.searchsorted(self.ids, wanted)
        known = places < len(self.ids)
        known[known] = self.ids[places[known]] == wanted[known]
        return rows[known], places[known]
