"""One point of an experiment or a sweep: a scenario with a seed, run to its end and measured."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marrowsim import __version__
from marrowsim.config import Config, load_config
from marrowsim.errors import ExperimentError, Fault
from marrowsim.estimate import Estimate, estimate
from marrowsim.experiments.measures import MEASURES
from marrowsim.experiments.model import Readout
from marrowsim.experiments.watch import Watch
from marrowsim.geometry.build import Geometry, bone_of, build_geometry
from marrowsim.geometry.reading import known_checksum
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.storage.files import write_atomically

AFTER_GEOMETRY = (
    "title", "knockouts", "extensions", "time", "receptor", "hypoxia", "injection", "drugs", "dose", "output", "cells",
    "fields", "processes",
)  # fmt: skip
"""Sections of a scenario that its geometry does not depend on."""


@dataclass(frozen=True)
class Point:
    """A scenario with a seed, as plain values, so that it can be sent to another process.

    Attributes
    ----------
    name, seed : which: the arm of an experiment, or what a sweep sets.
    scenario : the resolved scenario.
    readouts : as in the experiment file.
    path : file of the result.
    memory : bytes that its run is estimated to take.
    """

    name: str
    seed: int
    scenario: dict[str, Any]
    readouts: tuple[dict[str, Any], ...]
    path: Path
    memory: float = 0.0

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of what the result follows from."""
        return content_digest(self.scenario, self.readouts)

    @functools.cached_property
    def geometry_key(self) -> str:
        """The same for points that have one geometry."""
        return digest_of({key: value for key, value in self.scenario.items() if key not in AFTER_GEOMETRY})

    def record(self) -> dict[str, Any] | None:
        """What is known of the point, where it was run; nothing where it was not, or was another one."""
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) and known.get("digest") == self.digest else None

    def result(self) -> dict[str, float | None] | None:
        """Values by readout, where the point was run."""
        known = self.record()
        return known and known["values"]

    def keep(self, record: Mapping[str, Any]) -> None:
        """Write what `measure_point` found, whole or not at all."""
        write_atomically(self.path, json.dumps(record, indent=1) + "\n")


def digest_of(values: Any) -> str:
    """SHA-256 of plain values, whatever the order of the keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def content_digest(scenario: Mapping[str, Any], readouts: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of what a result follows from: scenario with its seed, the content of its image, readouts and version."""
    geometry = scenario["geometry"]
    if image := geometry.get("image"):
        named = {**image, "file": known_checksum(image["file"])}
        scenario = {**scenario, "geometry": {**geometry, "image": named}}
    return digest_of([__version__, scenario, list(readouts)])


_latest: tuple[str, Geometry] | None = None
"""The geometry of the last point of this process, since the next one often has the same."""


def measure_point(point: Point, threads: int = 1) -> dict[str, Any]:
    """Run a point and measure it: what its file says. The geometry of the point before is used where it is the same."""
    global _latest  # noqa: PLW0603
    begun = time.monotonic()
    config = load_config(point.scenario, PROCESSES)
    if config.geometry.image and content_digest(point.scenario, point.readouts) != point.digest:
        what, remedy = "the image is another one here than where the point was planned", "give both the same file"
        raise ExperimentError(Fault(what, given=str(config.geometry.image.file), remedy=remedy))
    known = _latest
    if known is None or known[0] != point.geometry_key:
        known = _latest = (point.geometry_key, build_geometry(config))
    values = run_point(config, known[1], [Readout(**item) for item in point.readouts], threads)
    return {
        "point": point.name,
        "seed": point.seed,
        "digest": point.digest,
        "version": __version__,
        "seconds": round(time.monotonic() - begun, 2),
        "values": {name: None if value != value else value for name, value in values.items()},
    }


_extents: dict[str, tuple[float, ...]] = {}


def cost_of(config: Config) -> Estimate:
    """What a run will take; bone from an image is read for its size, once for each image."""
    extent = None
    if config.geometry.image:
        key = config.geometry.model_dump_json()
        if key not in _extents:
            _extents[key] = tuple(length * config.geometry.voxel for length in bone_of(config)[0].shape[::-1])
        extent = _extents[key]
    return estimate(config, extent)


def run_point(config: Config, geometry: Geometry, readouts: Iterable[Readout], threads: int = 1) -> Mapping[str, float]:
    """Run a scenario to its end, and measure it."""
    due, follows = {}, set()
    for readout in readouts:
        known = MEASURES[readout.measure]
        options = known.options.model_validate(readout.options)
        keywords = {name: getattr(options, name) for name in known.options.model_fields}
        step = config.time.steps if readout.at is None else round(readout.at / config.time.step)
        due[readout.name] = (step, functools.partial(known.function, **keywords))
        follows |= set(known.follows)
    watch = Watch(due, follows)
    Simulation(config, geometry=geometry, threads=threads).run(recorders=[watch])
    return {name: watch.values[name] for name in due}
