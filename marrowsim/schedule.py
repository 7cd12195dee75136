"""What a step does, and in which order."""

from __future__ import annotations

from marrowsim.config import Config
from marrowsim.processes import SHIPPED, Process


def schedule_of(config: Config) -> tuple[Process, ...]:
    """The enabled processes of a configuration, in the order of a step."""
    processes = (config.processes[process.name] for process in SHIPPED)
    return tuple(process for process in processes if process.enabled)
