"""Runs that are already there: reading them, and going on with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from marrowsim import __version__, extras
from marrowsim.config import Config, load_config
from marrowsim.errors import Fault, RunFolderError, nearest
from marrowsim.processes import PROCESSES
from marrowsim.processes.base import Process
from marrowsim.schedule import schedule_of
from marrowsim.simulation import Simulation
from marrowsim.storage import series
from marrowsim.storage.checkpoints import (
    Checkpoint,
    DamagedFileError,
    checkpoint_hash,
    checkpoints,
    read_checkpoint,
    read_geometry,
)
from marrowsim.storage.frames import SUFFIX, Frame, read_frame
from marrowsim.storage.layout import is_locked
from marrowsim.storage.run_folder import FORMAT, KIND, RunFolder

if TYPE_CHECKING:
    import xarray as xr

LOGGER = logging.getLogger(__name__)
RECORD = (
    *("title", "status", "step", "steps", "step_minutes", "seed", "threads", "started", "finished", "resumed"),
    *("wall_seconds", "hash", "error", "image", "processes", "shipped_schedule", "software"),
)
"""What run.json must hold, besides kind and format."""


class Frames(Sequence):
    """The frames of a run, oldest first; each is read when it is asked for."""

    def __init__(self, folder: Path):
        self.paths = sorted(folder.glob(f"[0-9]*{SUFFIX}"))

    @property
    def steps(self) -> list[int]:
        """Step numbers of the frames."""
        return [int(path.stem) for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [read_frame(path) for path in self.paths[index]]
        return read_frame(self.paths[index])

    def __iter__(self) -> Iterator[Frame]:
        return (read_frame(path) for path in self.paths)

    def at(self, step: int) -> Frame:
        """The frame of a step.

        Raises
        ------
        RunFolderError
            Where there is no frame of that step.
        """
        if step not in self.steps:
            near = min(self.steps, key=lambda other: abs(other - step), default=None)
            remedy = "" if near is None else f"the nearest is {near}"
            allowed = ", ".join(map(str, self.steps)) or "none: the run has no frames yet"
            raise RunFolderError(Fault("there is no frame of that step", allowed, str(step), remedy))
        return read_frame(self.paths[self.steps.index(step)])

    def paths_of(self, steps: Sequence[int] | None = None) -> list[Path]:
        """Files of the frames of some steps, oldest first; of all where no steps are given.

        Raises
        ------
        RunFolderError
            Where there is no frame at all, or none of such a step.
        """
        there = dict(zip(self.steps, self.paths, strict=True))
        if not there:
            remedy = "let the run go on: marrowsim resume DIR"
            raise RunFolderError(Fault("the run has no frames yet", remedy=remedy))
        if absent := sorted(set(there if steps is None else steps).difference(there)):
            allowed, given = ", ".join(map(str, there)), ", ".join(map(str, absent))
            raise RunFolderError(Fault("there is no frame of that step", allowed, given))
        return [path for step, path in there.items() if steps is None or step in steps]


class Run:
    """A run folder that exists (see `open_run`).

    Attributes
    ----------
    path : Path
    record : dict
        run.json: provenance, versions, seed, status.
    """

    def __init__(self, path: Path, record: dict[str, Any]):
        self.path = path
        self.record = record

    @cached_property
    def config(self) -> Config:
        """The resolved configuration, to look at: code that the scenario brings is not run."""
        return load_config(self.path / "scenario.toml", PROCESSES, files=False, code=False)

    @property
    def readouts(self) -> pd.DataFrame:
        """The readouts so far, one row a time, units in the column names."""
        path = self.path / "readouts.csv"
        try:
            return pd.DataFrame(series.rows(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            remedy = f"write it anew from the last checkpoint: marrowsim resume {self.path}"
            raise RunFolderError(Fault("the readouts cannot be read", "", str(error), remedy, str(path))) from error

    @property
    def frames(self) -> Frames:
        """The frames so far."""
        return Frames(self.path / "frames")

    @property
    def provenance(self) -> dict[str, Any]:
        """Where data of this run come from, in a line each: title, program, seed, step, configuration."""
        return {
            "title": self.record["title"],
            "source": f"marrowsim {self.record['software']['marrowsim']}",
            "seed": self.record["seed"],
            "step_minutes": self.record["step_minutes"],
            "config_sha256": self.config.digest(),
            "started": self.record["started"],
        }

    def to_xarray(self, steps: Sequence[int] | None = None, fields: Collection[str] | None = None) -> xr.Dataset:
        """The lattice over time as an xarray Dataset.

        Nothing but headers is read until values are asked for, and then only the frames and planes that are. Frames
        that the run writes later are not in it.

        Parameters
        ----------
        steps : numbers of the steps of the frames; all where not given.
        fields : names of fields; all where not given.

        Returns
        -------
        xarray.Dataset
            `tissue`, `cell_type`, `bone_change` where bone changes, and the fields over (time, z, y, x), with `units`
            and `long_name`, codes with `flag_values` and `flag_meanings` (CF conventions); coordinates `time` in h,
            `step`, and the centres of the voxels in um.

        Raises
        ------
        RunFolderError
            Where there is no such frame, one is damaged, or they make no series.
        MissingPackageError
            Where xarray is not installed.
        """
        extras.load("xarray", "analysis")
        from marrowsim.storage.dataset import lattice_dataset  # noqa: PLC0415

        return lattice_dataset(self.frames.paths_of(steps), self.config, self.provenance, fields)

    @property
    def running(self) -> bool:
        """Whether a process is writing this run now."""
        return is_locked(self.path)

    @property
    def status(self) -> str:
        """`running`, `finished`, `failed` or `interrupted` (stopped, or killed without notice)."""
        status = self.record["status"]
        return "interrupted" if status == "running" and not self.running else status

    @property
    def last(self) -> tuple[int, str] | None:
        """Step and state hash of the last checkpoint; None where there is none yet."""
        paths = checkpoints(self.path / "checkpoints")
        return checkpoint_hash(paths[-1]) if paths else None

    def simulation(
        self, *, days: float | None = None, threads: int | None = None, processes: Iterable[Process] = ()
    ) -> Simulation:
        """The simulation as it was at the last checkpoint that is whole, to go on with.

        Parameters
        ----------
        days : a new duration, counted from the start of the run; that of the scenario where not given.
        threads : number of threads; never changes a result.
        processes : the processes of your own that the run was started with, if any.

        Raises
        ------
        RunFolderError
            Where the run is of another version, its files are damaged, or a process is missing.
        """
        version = self.record["software"]["marrowsim"]
        if version != __version__:
            remedy = f"install marrowsim {version}, or start anew with: marrowsim run {self.path / 'scenario.toml'}"
            what = "the run was made by another version, which need not compute the same bits"
            raise RunFolderError(
                Fault(what, f"marrowsim {__version__}", f"marrowsim {version}", remedy, str(self.path))
            )
        longer = {} if days is None else {"time.duration": f"{days!r} d"}
        config = load_config(self.path / "scenario.toml", PROCESSES, longer, files=False)
        schedule = self._schedule(config, {process.name: process for process in processes})
        geometry = read_geometry(self.path / "geometry.h5")
        checkpoint = self._checkpoint(config, geometry)
        state = checkpoint.state if checkpoint else None
        if state and state.step > config.time.steps:
            done = f"{state.minutes / 1440:g} days are done"
            raise RunFolderError(Fault("the run is farther than that", f"more than {done}", f"{days:g} days"))
        history = series.rows(checkpoint.readouts) if checkpoint else []
        return Simulation(config, geometry=geometry, state=state, schedule=schedule, threads=threads, history=history)

    def _schedule(self, config: Config, own: dict[str, Process]) -> tuple[Process, ...]:
        shipped = {process.name: process for process in schedule_of(config)}
        known = {**shipped, **own}
        names = self.record["processes"]
        missing = [name for name in names if name not in known]
        if not self.record["shipped_schedule"] and (missing or not own):
            given = ", ".join(missing or [name for name in names if name not in shipped] or names)
            remedy = f'from a script: marrowsim.open_run("{self.path}").simulation(processes=[...])'
            what = "the run was made with a schedule of its own, which only the script that made it has"
            raise RunFolderError(Fault(what, "the shipped schedule", given, remedy, str(self.path)))
        unused = [name for name in own if name not in names]
        if unused:
            raise RunFolderError(
                Fault("the run was made without that process", ", ".join(names), unused[0], nearest(unused[0], names))
            )
        return tuple(known[name] for name in names)

    def _checkpoint(self, config: Config, geometry) -> Checkpoint | None:
        """The last checkpoint that is whole; says so where it is not the last one."""
        paths = checkpoints(self.path / "checkpoints")
        faults: list[Fault] = []
        for path in reversed(paths):
            try:
                checkpoint = read_checkpoint(path, config, geometry)
            except DamagedFileError as error:
                faults += error.faults
                continue
            if faults:
                LOGGER.warning("%s", "\n".join(str(fault) for fault in faults))
                LOGGER.warning("going on from the checkpoint before it, step %d", checkpoint.state.step)
            return checkpoint
        if faults:
            raise RunFolderError(*faults)
        LOGGER.info("there is no checkpoint yet: starting from the beginning")
        return None

    def recorder(self, simulation: Simulation) -> RunFolder:
        """The folder as the recorder of a simulation that goes on with it (see `RunFolder`)."""
        return RunFolder.reopen(self.path, self.record, simulation)


def open_run(path: str | Path) -> Run:
    """Open a run folder.

    Raises
    ------
    RunFolderError
        Where there is none, or one of another format.
    """
    path = Path(path).absolute()
    record_file = path / "run.json"
    remedy = "give the folder that holds run.json, such as runs/homing-1"
    if not path.exists():
        raise RunFolderError(Fault("there is no such run folder", given=str(path), remedy=remedy))
    try:
        record = json.loads(record_file.read_text(encoding="utf-8"))
        if record["kind"] != KIND:
            raise ValueError(f"{record['kind']!r} is not {KIND!r}")
        found, version = record["format"], record["software"]["marrowsim"]
        if found == FORMAT and (missing := [key for key in RECORD if key not in record]):
            raise ValueError(f"run.json lacks {', '.join(missing)}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(Fault("this is not a run folder", "", str(error), remedy, str(path))) from error
    if found != FORMAT:
        raise RunFolderError(
            Fault("the run folder is of another format", f"{FORMAT}", f"{found}", f"use marrowsim {version}", str(path))
        )
    return Run(path, record)
