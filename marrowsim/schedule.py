"""What a step does, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from marrowsim.config import Config
from marrowsim.processes import SHIPPED, Clock, Process


def schedule_of(config: Config) -> tuple[Process, ...]:
    """The enabled processes of a configuration, in the order of a step."""
    processes = (config.processes[process.name] for process in SHIPPED)
    return tuple(process for process in processes if process.enabled)


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
