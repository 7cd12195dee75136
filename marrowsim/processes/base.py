"""What a process is, and the clock it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from marrowsim.parameters import ParameterSet
from marrowsim.state import State


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
    """

    step: int
    dt: float
    seed: int
    threads: int


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

    enabled: bool = True
    """whether the process is in the schedule"""
