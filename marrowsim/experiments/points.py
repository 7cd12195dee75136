"""One point of an experiment: an arm with a seed, run to its end and measured."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marrowsim import __version__
from marrowsim.config import Config, load_config
from marrowsim.experiments.measures import MEASURES
from marrowsim.experiments.model import Readout
from marrowsim.experiments.watch import Watch
from marrowsim.geometry.build import Geometry, build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.storage.files import write_atomically

AFTER_GEOMETRY = (
    "title", "knockouts", "time", "receptor", "hypoxia", "injection", "drugs", "dose", "output", "cells", "fields",
    "processes",
)  # fmt: skip
"""Sections of a scenario that its geometry does not depend on."""


@dataclass(frozen=True)
class Point:
    """An arm with a seed, as plain values, so that it can be sent to another process.

    Attributes
    ----------
    arm, seed : which.
    scenario : the resolved scenario.
    readouts : as in the experiment file.
    path : file of the result.
    """

    arm: str
    seed: int
    scenario: dict[str, Any]
    readouts: tuple[dict[str, Any], ...]
    path: Path

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of what the result follows from: scenario, readouts and version."""
        return _digest([__version__, self.scenario, self.readouts])

    @property
    def geometry_key(self) -> str:
        """The same for points that have one geometry."""
        return _digest({key: value for key, value in self.scenario.items() if key not in AFTER_GEOMETRY})

    def result(self) -> dict[str, float | None] | None:
        """Values by readout, where the point was run; nothing where it was not, or was another one."""
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return known["values"] if isinstance(known, dict) and known.get("digest") == self.digest else None


def _digest(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def run_points(points: Iterable[Point], after: Callable[[], None] = lambda: None) -> None:
    """Run points of one seed one after the other, and write each result; equal geometries are built once.

    Parameters
    ----------
    points : to be run.
    after : called after each of them.
    """
    geometries: dict[str, Geometry] = {}
    for point in points:
        begun = time.monotonic()
        config = load_config(point.scenario, PROCESSES)
        if point.geometry_key not in geometries:
            geometries[point.geometry_key] = build_geometry(config)
        values = run_point(config, geometries[point.geometry_key], [Readout(**item) for item in point.readouts])
        known = {
            "arm": point.arm,
            "seed": point.seed,
            "digest": point.digest,
            "seconds": round(time.monotonic() - begun, 2),
            "values": {name: None if value != value else value for name, value in values.items()},
        }
        write_atomically(point.path, json.dumps(known, indent=1) + "\n")
        after()


def run_point(config: Config, geometry: Geometry, readouts: Iterable[Readout]) -> Mapping[str, float]:
    """Run a scenario to its end on one thread, and measure it."""
    due, follows = {}, set()
    for readout in readouts:
        known = MEASURES[readout.measure]
        options = known.options.model_validate(readout.options)
        keywords = {name: getattr(options, name) for name in known.options.model_fields}
        step = config.time.steps if readout.at is None else round(readout.at / config.time.step)
        due[readout.name] = (step, functools.partial(known.function, **keywords))
        follows |= set(known.follows)
    watch = Watch(due, follows)
    Simulation(config, geometry=geometry, threads=1).run(recorders=[watch])
    return {name: watch.values[name] for name in due}
