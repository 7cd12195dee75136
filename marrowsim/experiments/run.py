"""Running an experiment into a folder: replicates x arms in processes of their own, each point once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w
from filelock import FileLock, Timeout

from marrowsim.errors import ExperimentError, Fault
from marrowsim.experiments.bone import OwnBone
from marrowsim.experiments.files import Source, arm_configs, load_experiment
from marrowsim.experiments.model import Experiment
from marrowsim.experiments.points import Point, content_digest, cost_of
from marrowsim.experiments.report import report_text, table_of
from marrowsim.experiments.verdict import Judgement, judge_all, verdict
from marrowsim.experiments.workers import fault_of, require_one_place, run_points
from marrowsim.provenance import software
from marrowsim.simulation import processors
from marrowsim.storage.files import disk_errors, write_atomically

Progress = Callable[[int, int], None]
RECORD, COPY, POINTS, SCENARIOS = "experiment.json", "experiment.toml", "points", "scenarios"
DIGITS = 12
"""Of a digest in the name of a result."""
TABLE, REPORT = "table.csv", "report.md"


@dataclass(frozen=True)
class Outcome:
    """A finished experiment.

    Attributes
    ----------
    experiment : Experiment
    bounded : whether it is the quick form.
    seeds : of the replicates, in the order of `values`.
    values : readout to arm to float64 array over seeds; NaN where a number was not defined.
    judgements : one a rule.
    folder : where the report is; None where it was not kept.
    bone : the image that its bone is of, and its BV/TV, in words; None for generated bone.
    """

    experiment: Experiment
    bounded: bool
    seeds: tuple[int, ...]
    values: dict[str, dict[str, np.ndarray]]
    judgements: list[Judgement]
    folder: Path | None
    bone: str | None = None

    @property
    def verdict(self) -> str:
        """Supported, not supported or falsified."""
        return verdict(self.judgements)

    @property
    def table(self) -> pd.DataFrame:
        """One row an arm, seed and readout."""
        return table_of(self.experiment, self.seeds, self.values)

    @property
    def report(self) -> str:
        """The report as Markdown."""
        return report_text(self)


def knockout(
    name: str | Path,
    *,
    bounded: bool = False,
    output: str | Path | None = None,
    replicates: int | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
    seed: int = 1,
    bone: str | Path | None = None,
    spacing: Any = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run an experiment, or what of it is not in the folder yet, and judge it.

    >>> import marrowsim as ms
    >>> ms.knockout("S8", bounded=True).verdict

    Parameters
    ----------
    name : a bundled experiment or a TOML file.
    bounded : the quick form.
    output : folder for the report; points that are in it are not run again. Nothing is kept where not given.
    replicates : seeds instead of the file's number.
    processes : worker processes, one thread each; the processors there are where not given. They never change a result.
    scheduler : address of a Dask scheduler whose workers are used instead, such as `"tcp://127.0.0.1:8786"`.
    seed : of the first replicate; the others follow.
    bone : an image whose bone takes the place of generated bone: of each arm's size, from the middle of the image. The
        bone of all replicates is the same then; their vessels, stroma and cells are not.
    spacing : voxel size in that image, such as `"19.5 um"`, where its header does not tell.
    progress : called with points done and points to do.

    Raises
    ------
    ExperimentError
        An experiment that cannot be run, a folder of another one, or points that failed.
    ImageError
        An image that cannot be read, or is smaller than the experiment's box.
    """
    require_one_place(processes, scheduler)
    source = load_experiment(name)
    own = own_bone(bone, spacing)
    count = _count("replicates", replicates, 2) or (
        source.experiment.bounded.replicates if bounded else source.experiment.replicates
    )
    workers = _count("processes", processes, 1) or processors()
    check(source, bounded=bounded, seed=seed, bone=own)
    if output is None:
        with tempfile.TemporaryDirectory(prefix="marrowsim-") as scratch:
            return _run(source, Path(scratch), False, bounded, count, workers, scheduler, seed, own, progress)
    path = Path(output)
    with disk_errors(path), _own(path, source, bounded, own):
        return _run(source, path, True, bounded, count, workers, scheduler, seed, own, progress)


def own_bone(image: str | Path | None, spacing: Any) -> OwnBone | None:
    """The bone of an image, or none.

    Raises
    ------
    ExperimentError
        A voxel size without an image.
    """
    if image is not None:
        return OwnBone.at(image, spacing)
    if spacing is not None:
        what, remedy = "a voxel size without an image", "name the image by bone (--bone), or leave the size out"
        raise ExperimentError(Fault(what, given=str(spacing), remedy=remedy, where="spacing"))
    return None


def check(source: Source, *, bounded: bool, seed: int, bone: OwnBone | None) -> None:
    """Find everything that is wrong with an experiment before anything is written or run.

    Raises
    ------
    ExperimentError, ImageError
        As `knockout`.
    """
    configs = arm_configs(source, bounded=bounded, seed=seed, bone=bone)
    if bone is not None:
        for config in configs.values():
            cost_of(config)  # reads the image


def _count(name: str, given: int | None, fewest: int) -> int | None:
    if given is not None and given < fewest:
        raise ExperimentError(Fault(f"too few {name}", f"{fewest} or more", str(given), where=name))
    return given


@contextmanager
def _own(path: Path, source: Source, bounded: bool, bone: OwnBone | None) -> Iterator[None]:
    """The folder, made or found to be of this experiment, with no other process in it."""
    record = path / RECORD
    known = {"id": source.experiment.id, "bounded": bounded, "bone": bone and bone.record()}
    if record.is_file():
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or any(found.get(key) != value for key, value in known.items()):
            raise _refusal("the folder is of another experiment", source, path)
    elif path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise _refusal("there is something else in the place of the experiment", source, path)
    path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path / ".lock", timeout=0):
            known |= {"software": software()}
            write_atomically(record, json.dumps(known, indent=1) + "\n")
            yield
    except Timeout:
        remedy = "wait for it, or choose another folder with -o DIR"
        raise ExperimentError(Fault("another process is in this folder", given=str(path), remedy=remedy)) from None


def _refusal(what: str, source: Source, path: Path) -> ExperimentError:
    allowed = f"a folder that does not exist or is empty, or one of {source.experiment.id} in the same form and bone"
    return ExperimentError(Fault(what, allowed, str(path), "choose another folder with -o DIR"))


def _run(
    source: Source,
    path: Path,
    kept: bool,
    bounded: bool,
    count: int,
    workers: int,
    scheduler: str | None,
    seed: int,
    bone: OwnBone | None,
    progress: Progress | None,
) -> Outcome:
    experiment, seeds = source.experiment, tuple(range(seed, seed + count))
    for folder in (POINTS, SCENARIOS):
        (path / folder).mkdir(exist_ok=True)
    points = points_of(source, path, bounded=bounded, seeds=seeds, bone=bone)
    _write_scenarios(source, points, path)
    _run_all(points, workers, scheduler, progress or (lambda done, todo: None))
    values = _values(experiment, points, seeds)
    words = bone and bone.described(arm_configs(source, bounded=bounded, seed=seeds[0], bone=bone).values())
    outcome = Outcome(experiment, bounded, seeds, values, judge_all(experiment, values), path if kept else None, words)
    write_atomically(path / TABLE, outcome.table.to_csv(index=False))
    write_atomically(path / REPORT, outcome.report)
    return outcome


def points_of(
    source: Source, path: Path, *, bounded: bool, seeds: tuple[int, ...], bone: OwnBone | None = None
) -> list[Point]:
    """All points of an experiment, seed by seed, with their files below `path`.

    These bear the digest of the content, so that a changed arm leaves the results of what it was before.
    """
    readouts = tuple(item.model_dump(mode="json", exclude_none=True) for item in source.experiment.readout)
    configs = arm_configs(source, bounded=bounded, seed=seeds[0], bone=bone)
    known = {arm: (config.resolved(), cost_of(config).memory) for arm, config in configs.items()}
    points = []
    for seed in seeds:
        for arm, (scenario, memory) in known.items():
            own = scenario | {"seed": seed}
            file = path / POINTS / f"{arm}-{seed}-{content_digest(own, readouts)[:DIGITS]}.json"
            points.append(Point(arm, seed, own, readouts, file, memory))
    return points


def _write_scenarios(source: Source, points: list[Point], path: Path) -> None:
    write_atomically(path / COPY, source.text)
    for point in points[: len(source.experiment.arms)]:
        write_atomically(path / SCENARIOS / f"{point.name}.toml", tomli_w.dumps(point.scenario, multiline_strings=True))


def _run_all(points: list[Point], workers: int, scheduler: str | None, progress: Progress) -> None:
    """Run what is not done; what fails does not stop the rest."""
    missing = [point for point in points if point.result() is None]
    done = len(points) - len(missing)
    progress(done, len(points))

    def count(kept: int) -> None:
        progress(done + kept, len(points))

    failed = run_points(missing, processes=workers, scheduler=scheduler, after=count)
    faults = [fault for point, error in failed for fault in fault_of(point, error)]
    if faults:
        raise ExperimentError(*faults)


def _values(experiment: Experiment, points: list[Point], seeds: tuple[int, ...]) -> dict[str, dict[str, np.ndarray]]:
    """Readout to arm to values over seeds."""
    results: Mapping[tuple[str, int], Mapping] = {(point.name, point.seed): point.result() for point in points}
    return {
        readout.name: {
            arm: np.array([results[arm, seed][readout.name] for seed in seeds], dtype=float) for arm in experiment.arms
        }
        for readout in experiment.readout
    }
