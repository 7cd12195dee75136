"""What a step does, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from marrowsim.config import Config, OwnProcess
from marrowsim.errors import Fault, ScenarioError
from marrowsim.processes import PROCESSES, SHIPPED, Clock, Process


def schedule_of(config: Config) -> tuple[Process, ...]:
    """The enabled processes of a configuration, in the order of a step.

    Those of its extensions come right after the process that they name, in the order of the scenario.

    Raises
    ------
    ScenarioError
        Where the code of an extension was not run (`load_config(..., code=False)`).
    """
    order = [process.name for process in SHIPPED]
    last = order[-1]
    own = {name: process for name, process in config.processes.items() if name not in PROCESSES}
    for name, process in own.items():
        if not isinstance(process, OwnProcess):
            remedy = "read the configuration with load_config(scenario, PROCESSES)"
            raise ScenarioError(Fault("the code of the process was not run", given=name, remedy=remedy))
    while waiting := [name for name in own if name not in order]:
        ready = [name for name in waiting if (own[name].after or last) in order]
        for name in reversed(ready):
            order.insert(order.index(own[name].after or last) + 1, name)
    return tuple(process for name in order if (process := config.processes[name]).enabled)


def updates(schedule: tuple[Process, ...], config: Config, clock: Clock) -> Iterator[tuple[Process, Clock]]:
    """The updates of one step: each process once, but interleaved ones that stand together once a sub-step, in turn.

    A cell that hops, binds and is released within a step so meets its events in their order. The fastest events of
    these processes decide how many sub-steps there are.
    """
    for interleaved, group in groupby(schedule, key=lambda process: getattr(process, "interleaved", False)):
        together = tuple(group)
        rate = max(process.fastest(config) for process in together) if interleaved else 0.0
        for part in clock.split(rate):
            yield from ((process, part) for process in together)
