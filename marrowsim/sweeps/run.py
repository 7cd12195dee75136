"""Running a sweep into a folder, each point once, on this machine or a cluster."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from marrowsim.errors import ExperimentError, Fault, ScenarioError
from marrowsim.experiments.memory import available_memory
from marrowsim.experiments.points import Point, content_digest, cost_of
from marrowsim.experiments.run import POINTS, Progress
from marrowsim.experiments.workers import SHARE, fault_of, require_cluster, require_one_place, run_points
from marrowsim.provenance import software
from marrowsim.simulation import processors
from marrowsim.storage.files import disk_errors, write_atomically
from marrowsim.storage.layout import write_code
from marrowsim.sweeps.designs import Row, require_salib, rows_of, seed_of
from marrowsim.sweeps.files import Source, load_sweep
from marrowsim.sweeps.model import Sweep
from marrowsim.sweeps.report import failures_of, report_text, results_of
from marrowsim.sweeps.sensitivity import sensitivity

LOGGER = logging.getLogger(__name__)
RECORD, COPY = "sweep.json", "sweep.toml"
RESULTS, SENSITIVITY, FAILURES, REPORT = "results.csv", "sensitivity.csv", "failures.csv", "report.md"


@dataclass(frozen=True)
class Entry:
    """One run of the design.

    Attributes
    ----------
    row : of the design.
    replicate : counted from 1.
    points : the point, and after it its reference where the sweep has one; none where the scenario refuses the row.
    """

    row: Row
    replicate: int
    points: tuple[Point, ...]

    def values(self, relative: Sequence[str]) -> dict[str, float] | None:
        """Values by readout, those of `relative` over the reference's; None where something was not run.

        NaN where a readout is not defined, or is 0 in the reference that it is compared with.
        """
        known = [point.result() for point in self.points]
        if not known or not all(known):
            return None
        found = [{name: np.nan if value is None else value for name, value in item.items()} for item in known]
        for name in relative:
            below = found[1][name]
            found[0][name] = found[0][name] / below if below else np.nan
        return found[0]


@dataclass
class Plan:
    """All points of a sweep.

    Attributes
    ----------
    sweep : Sweep
    rows : of its design.
    entries : every run.
    seconds : estimated, by digest of the point.
    refused : by number of the row, why.
    failed : by digest of the point, why.
    """

    sweep: Sweep
    rows: list[Row]
    entries: list[Entry]
    seconds: dict[str, float]
    refused: dict[int, str]
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> list[Point]:
        """What is to be run: points that differ in their content, replicate by replicate."""
        order = sorted(self.entries, key=lambda entry: entry.replicate)
        return list({point.digest: point for entry in order for point in entry.points}.values())

    @property
    def relative(self) -> list[str]:
        """Readouts that are given over those of the reference."""
        return [] if self.sweep.reference is None else self.sweep.reference.readouts


@dataclass(frozen=True)
class SweepOutcome:
    """A finished sweep.

    Attributes
    ----------
    sweep : Sweep
    rows : of its design.
    results, sensitivity, failures : as in results.csv, sensitivity.csv and failures.csv.
    means : readout to its mean over the replicates of each row: NaN where one of them is missing.
    folder : where the report is; None where it was not kept.
    """

    sweep: Sweep
    rows: list[Row]
    results: pd.DataFrame
    sensitivity: pd.DataFrame
    failures: pd.DataFrame
    means: dict[str, np.ndarray]
    folder: Path | None

    @property
    def points(self) -> int:
        """Combinations of values."""
        return len(self.rows)

    @property
    def seeds(self) -> list[int]:
        """Seeds that were used, in the order of the replicates."""
        return list(dict.fromkeys(self.results["seed"]))

    @cached_property
    def report(self) -> str:
        """The report as Markdown."""
        return report_text(self)


@dataclass(frozen=True)
class Forecast:
    """What a sweep will take.

    Attributes
    ----------
    points, runs, done : combinations of values; runs that differ; those that are in the folder already.
    unused : what is to be said of results in the folder that are of no point of this sweep.
    refused : combinations that the scenario refuses.
    memory : bytes that the largest run takes.
    together : runs that the memory and the processes allow at a time.
    seconds : until the missing runs are done.
    """

    points: int
    runs: int
    done: int
    unused: str
    refused: int
    memory: float
    together: int
    seconds: float


def forecast(
    name: str | Path | Source, *, output: str | Path | None = None, processes: int | None = None, threads: int = 1
) -> Forecast:
    """What a sweep will take on this machine, good within a factor of two or so.

    Parameters
    ----------
    name, output, processes, threads : see `sweep`.
    """
    source = name if isinstance(name, Source) else load_sweep(name)
    plan = plan_of(source, Path(output) if output else Path())
    points = plan.points
    missing = [point for point in points if output is None or point.result() is None]
    memory = max((point.memory for point in points), default=0.0)
    together = processes or max(1, processors() // threads)
    if memory:
        together = max(1, min(together, int(SHARE * available_memory() // memory)))
    seconds = sum(plan.seconds[point.digest] for point in missing) / together
    words = "" if output is None else unused(plan, Path(output))
    return Forecast(
        len(plan.rows), len(points), len(points) - len(missing), words, len(plan.refused), memory, together, seconds
    )


def sweep(
    name: str | Path | Source,
    *,
    output: str | Path | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> SweepOutcome:
    """Run a sweep, or what of it is not in the folder yet, and tell how much the readouts depend on the parameters.

    >>> import marrowsim as ms
    >>> ms.sweep("oxygen-and-cxcl12", output="sweeps/first").sensitivity

    Parameters
    ----------
    name : a bundled sweep, a TOML file, or one that was read.
    output : folder for the results; points that are in it are not run again. Nothing is kept where not given.
    processes : worker processes; as many as there are processors for their threads where not given.
    scheduler : address of a Dask scheduler whose workers are used instead, such as `"tcp://127.0.0.1:8786"`.
    threads : of each run. Neither of these three changes a result.
    progress : called with runs done and runs to do.

    Raises
    ------
    ExperimentError
        A sweep that cannot be run, or a folder of another one. Points that fail are listed in the outcome.
    """
    require_one_place(processes, scheduler)
    source = name if isinstance(name, Source) else load_sweep(name)
    for what, given in (("processes", processes), ("threads", threads)):
        if given is not None and given < 1:
            raise ExperimentError(Fault(f"too few {what}", "1 or more", str(given), where=what))
    if source.sweep.design in ("sobol", "morris"):
        require_salib(source.sweep.design)
    if scheduler is not None:
        require_cluster()
    workers = processes or max(1, processors() // threads)
    if output is None:
        with tempfile.TemporaryDirectory(prefix="marrowsim-") as scratch:
            return _run(source, Path(scratch), False, workers, scheduler, threads, progress)
    path = Path(output)
    with disk_errors(path), _own(path, source):
        return _run(source, path, True, workers, scheduler, threads, progress)


@contextmanager
def _own(path: Path, source: Source) -> Iterator[None]:
    """The folder, made or found to be of this sweep, with no other process in it."""
    record = path / RECORD
    known = {"id": source.sweep.id}
    if record.is_file():
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("id") != source.sweep.id:
            raise _refusal("the folder is of another sweep", source, path)
    elif path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise _refusal("there is something else in the place of the sweep", source, path)
    path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path / ".lock", timeout=0):
            write_atomically(record, json.dumps(known | {"software": software()}, indent=1) + "\n")
            yield
    except Timeout:
        remedy = "wait for it, or choose another folder with -o DIR"
        raise ExperimentError(Fault("another process is in this folder", given=str(path), remedy=remedy)) from None


def _refusal(what: str, source: Source, path: Path) -> ExperimentError:
    allowed = f"a folder that does not exist or is empty, or that of the sweep {source.sweep.id}"
    return ExperimentError(Fault(what, allowed, str(path), "choose another folder with -o DIR"))


def plan_of(source: Source, path: Path) -> Plan:
    """All points of a sweep, with their files below `path`."""
    item = source.sweep
    readouts = tuple(readout.model_dump(mode="json", exclude_none=True) for readout in item.readout)
    plan = Plan(item, rows_of(item), [], {}, {})
    for row in plan.rows:
        name = ", ".join(f"{key} = {value}" for key, value in row.settings.items())
        try:
            configs = {name: source.config(row.settings)}
            if item.reference is not None:
                configs[f"reference of {name}"] = source.config(row.settings, reference=True)
        except ScenarioError as error:
            plan.refused[row.number] = _line(error.faults)
            plan.entries += [Entry(row, replicate, ()) for replicate in range(1, item.replicates + 1)]
            continue
        runs = [(words, config.resolved(), cost_of(config)) for words, config in configs.items()]
        for replicate in range(1, item.replicates + 1):
            seed, points = seed_of(item, replicate, row), []
            for words, scenario, cost in runs:
                own = scenario | {"seed": seed}
                file = path / POINTS / f"{content_digest(own, readouts)}.json"
                points.append(Point(words, seed, own, readouts, file, cost.memory))
                plan.seconds[points[-1].digest] = cost.seconds
            plan.entries.append(Entry(row, replicate, tuple(points)))
    return plan


def unused(plan: Plan, path: Path) -> str:
    """What is to be said of results below `path` that are of no point of the plan; empty where there are none."""
    planned = {point.path.name for point in plan.points}
    others = sum(file.name not in planned for file in (path / POINTS).glob("*.json"))
    words = f"{others:,} results in the folder are of other points (other values, settings, readouts, code or image)"
    if plan.sweep.design == "latin hypercube":
        words += "; a Latin hypercube of more samples does not go on from one of fewer, as halton, sobol and morris do"
    return words * bool(others)


def _line(faults: tuple[Fault, ...]) -> str:
    """Faults in one line of a table."""
    return "; ".join(" ".join(str(fault).split()) for fault in faults)


def _run(
    source: Source,
    path: Path,
    kept: bool,
    workers: int,
    scheduler: str | None,
    threads: int,
    progress: Progress | None,
) -> SweepOutcome:
    (path / POINTS).mkdir(exist_ok=True)
    plan, item = plan_of(source, path), source.sweep
    write_atomically(path / COPY, source.text)
    for point in plan.points[:1]:
        write_code(path, point.scenario)
    tell = progress or (lambda done, todo: None)
    points = plan.points
    missing = [point for point in points if point.result() is None]
    done = len(points) - len(missing)
    if missing and (words := unused(plan, path)):
        LOGGER.warning("%s; they are not used, and %d runs are begun", words, len(missing))
    tell(done, len(points))
    failed = run_points(
        missing,
        processes=workers,
        scheduler=scheduler,
        threads=threads,
        after=lambda count: tell(done + count, len(points)),
    )
    plan.failed.update({point.digest: _line(tuple(fault_of(point, error))) for point, error in failed})
    results, failures = results_of(plan), failures_of(plan)
    means = _means(plan, results)
    outcome = SweepOutcome(
        item, plan.rows, results, sensitivity(item, plan.rows, means), failures, means, path if kept else None
    )
    tables = {RESULTS: results, SENSITIVITY: outcome.sensitivity, FAILURES: failures}
    for name, table in tables.items():
        write_atomically(path / name, table.to_csv(index=False))
    write_atomically(path / REPORT, outcome.report)
    return outcome


def _means(plan: Plan, results: pd.DataFrame) -> dict[str, np.ndarray]:
    """Readout to its mean over the replicates of each row; NaN where one is missing or not defined."""
    means = {}
    for readout in plan.sweep.readout:
        some = results[results["readout"] == readout.name]
        found = some.groupby("point")["value"].agg(["size", lambda values: values.mean(skipna=False)])
        whole = found[found["size"] == plan.sweep.replicates].iloc[:, 1]
        means[readout.name] = whole.reindex([row.number for row in plan.rows]).to_numpy(dtype=float)
    return means
