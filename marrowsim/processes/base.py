"""What a process is, and the clock it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

from marrowsim.config import Config
from marrowsim.parameters import ParameterSet
from marrowsim.state import State

MOST_EVENTS = 0.3
"""Largest expected number of events of one cell in a sub-step."""
MOST_SUBSTEPS = 1000
"""Sub-steps that a step is divided into at most; what is faster still happens once a sub-step."""


@dataclass(frozen=True)
class Clock:
    """The time of one update, and what a draw or a kernel needs of it.

    Attributes
    ----------
    step : int
        Number of the step.
    dt : float
        Time that the update covers, in minutes.
    seed : int
        Seed of the run, for counter-based draws.
    threads : int
        Threads that kernels may use; never changes a result.
    substep : int
        Number of the sub-step within the step: the draw number, so that sub-steps draw apart.
    """

    step: int
    dt: float
    seed: int
    threads: int
    substep: int = 0

    def split(self, rate: float) -> Iterator[Clock]:
        """Sub-steps in which at most `MOST_EVENTS` events of one cell are expected.

        An event has its exact probability 1 - exp(-r dt) in a step of any length; what a long step would lose
        is the next event of the same cell. The number of sub-steps follows from `rate` and `dt` alone.

        Parameters
        ----------
        rate : float
            Of the fastest cell, summed over the events that compete for it (1/min).
        """
        count = min(max(1, math.ceil(rate * self.dt / MOST_EVENTS)), MOST_SUBSTEPS)
        for substep in range(count):
            yield replace(self, dt=self.dt / count, substep=substep)


@runtime_checkable
class Process(Protocol):
    """One biological process: anything with a name and an update.

    The shipped ones are `ShippedProcess`es. A process of your own is a class with these two; it may
    also have `prepare(state, clock)`, called once before the first step of a new run.
    """

    name: str

    def update(self, state: State, clock: Clock) -> None:
        """Advance the state by one step."""


class ShippedProcess(ParameterSet):
    """A process whose parameters are a section `[processes.<name>]` of the scenario.

    Subclasses set `name`, and say in `reads` and `writes` what of the state they touch
    (`"cells"`, `"occupant"`, `"slots"`, `"fields"`, `"tissue"`).
    """

    interleaved: ClassVar[bool] = False
    """whether it takes the sub-steps of a step together with the processes beside it"""
    enabled: bool = True
    """whether the process is in the schedule"""

    def fastest(self, config: Config) -> float:
        """Rate of the events of the fastest cell (1/min), which sub-steps must resolve; see `Clock.split`."""
        return 0.0
