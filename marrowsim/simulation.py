"""A simulation: a state, a schedule of processes, and the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from marrowsim.config import Config, load_config
from marrowsim.config.extensions import failures_told
from marrowsim.errors import Fault, MarrowsimError, nearest
from marrowsim.geometry.build import Geometry, build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.processes.base import Clock, Process
from marrowsim.readouts import measure_readouts
from marrowsim.schedule import schedule_of, updates
from marrowsim.seeding import seeded_state
from marrowsim.state import State

VOXELS_PER_THREAD = 250_000


class Recorder(Protocol):
    """Something that writes a state down when it is due (a run folder is one)."""

    def write(self, simulation: Simulation) -> None:
        """Called after the start and after every step."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads(voxels: int) -> int:
    """Threads worth using: one for a small lattice, at most one a processor."""
    return max(1, min(processors(), voxels // VOXELS_PER_THREAD))


class Simulation:
    """A run in memory.

    Parameters
    ----------
    config : Config
    geometry : Geometry, built from the configuration where not given.
    state : State to go on from; a freshly seeded one where not given.
    schedule : tuple of processes; the shipped ones where not given.
    threads : number of threads; never changes a result.
    history : readouts of the steps before `state`, where it is gone on from.

    Attributes
    ----------
    schedule : tuple of Process
        What a step does, in this order. Replace it, or use `insert`, to add a process of your own.
    """

    def __init__(
        self,
        config: Config,
        *,
        geometry: Geometry | None = None,
        state: State | None = None,
        schedule: tuple[Process, ...] | None = None,
        threads: int | None = None,
        history: Iterable[dict[str, Any]] = (),
    ):
        self.config = config
        self.geometry = geometry or build_geometry(config)
        self.threads = threads or default_threads(self.geometry.tissue.size)
        self.schedule = schedule_of(config) if schedule is None else schedule
        self._rows = list(history)
        self.state = state or seeded_state(config, self.geometry)
        if state is None:
            with failures_told():
                for process in self.schedule:
                    if hasattr(process, "prepare"):
                        process.prepare(self.state, self._clock())

    @classmethod
    def from_scenario(
        cls,
        scenario: str | Path | Mapping[str, Any],
        *,
        seed: int | None = None,
        threads: int | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Simulation:
        """A simulation of a bundled scenario, a TOML file or nested values.

        Parameters
        ----------
        scenario : see `load_config`.
        seed : overrides the scenario's.
        threads : number of threads.
        overrides : values by dotted key, such as `{"time.step": "6 min"}`.
        """
        changes = dict(overrides or {}) | ({} if seed is None else {"seed": seed})
        return cls(load_config(scenario, PROCESSES, changes), threads=threads)

    def _clock(self) -> Clock:
        return Clock(self.state.step, self.config.time.step, self.config.seed, self.threads)

    def insert(self, process: Process, *, before: str | None = None, after: str | None = None) -> None:
        """Put a process into the schedule, before or after the one of that name, or last."""
        names = [item.name for item in self.schedule]
        anchor = before or after
        if anchor is not None and anchor not in names:
            allowed = ", ".join(names)
            raise MarrowsimError(Fault("no such process in the schedule", allowed, anchor, nearest(anchor, names)))
        position = len(names) if anchor is None else names.index(anchor) + (before is None)
        self.schedule = (*self.schedule[:position], process, *self.schedule[position:])
        if self.state.step == 0 and hasattr(process, "prepare"):
            process.prepare(self.state, self._clock())

    def run(
        self,
        *,
        days: float | None = None,
        steps: int | None = None,
        recorders: Iterable[Recorder] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Advance the simulation. The loop is:

            for each step:
                clock = Clock(step, dt, seed, threads)
                for process, part in updates(schedule, config, clock):
                    process.update(state, part)
                state.step += 1
                record: readouts in memory, then every recorder

        Parameters
        ----------
        days, steps : how far; up to the scenario's duration where neither is given.
        recorders : what writes the state down when due.
        progress : called with steps done and steps to do, after every step.

        Raises
        ------
        MarrowsimError
            Where the code of an extension failed.
        """
        with failures_told():
            self._run(self._steps(days, steps), tuple(recorders), progress)

    def _run(self, todo: int, recorders: tuple[Recorder, ...], progress: Callable[[int, int], None] | None) -> None:
        if self.state.step == 0 and not self._rows:
            self._record(recorders)
        for done in range(todo):
            clock = self._clock()
            for process, part in updates(self.schedule, self.config, clock):
                process.update(self.state, part)
            self.state.step += 1
            self._record(recorders)
            if progress:
                progress(done + 1, todo)

    def _steps(self, days: float | None, steps: int | None) -> int:
        if days is not None and steps is not None:
            raise MarrowsimError(Fault("both days and steps were given", "one of them"))
        if days is not None:
            steps = round(days * 24 * 60 / self.config.time.step)
        todo = self.config.time.steps - self.state.step if steps is None else steps
        if todo < 0:
            raise MarrowsimError(Fault("a run cannot go backwards", "0 steps or more", str(todo)))
        return todo

    def due(self, every: float) -> bool:
        """Whether something that happens every so many minutes is due at the present step."""
        return self.state.step % max(1, round(every / self.config.time.step)) == 0

    def _record(self, recorders: tuple[Recorder, ...]) -> None:
        if self.due(self.config.output.readouts_every):
            self._rows.append(measure_readouts(self.state, self.threads))
        for recorder in recorders:
            recorder.write(self)

    @property
    def row(self) -> dict[str, Any] | None:
        """The readouts measured at the present step, if they were due."""
        return self._rows[-1] if self._rows and self.due(self.config.output.readouts_every) else None

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """Readouts so far, one dict a time: what readouts.csv is written from."""
        return tuple(self._rows)

    @property
    def readouts(self) -> pd.DataFrame:
        """Readouts so far, one row a time, units in the column names."""
        return pd.DataFrame(self._rows)
