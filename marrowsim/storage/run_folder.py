"""The run folder: what a run leaves behind, so that it can be read, repeated and gone on with."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from marrowsim import provenance
from marrowsim.schedule import schedule_of
from marrowsim.simulation import Simulation
from marrowsim.storage.checkpoints import checkpoints, write_checkpoint, write_geometry
from marrowsim.storage.files import disk_errors, sync_folder, write_atomically
from marrowsim.storage.frames import SUFFIX, Frame, write_frame
from marrowsim.storage.layout import FOLDERS, LOCK, delete, locked, require_free, write_record, write_scenario
from marrowsim.storage.series import Series

FORMAT = 1
KIND = "marrowsim run"
LOGGER = logging.getLogger("marrowsim")


class Stopped(KeyboardInterrupt):
    """A run that was asked to stop, after its step was finished and a checkpoint written."""

    def __init__(self, signal_number: int):
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class _LogFile(logging.FileHandler):
    """run.log; a line that cannot be written (disk full) never disturbs the run."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class RunFolder:
    """Writes a run down while it runs. Use it as a context, and as a recorder of `Simulation.run`:

        with RunFolder.create("runs/a", simulation) as folder:
            simulation.run(recorders=[folder])

    Within the context SIGINT and SIGTERM let the step end, write a checkpoint and raise `Stopped`;
    a second one stops at once, and the run goes on from the checkpoint before.
    """

    def __init__(self, path: Path, simulation: Simulation, record: dict[str, Any], lock: FileLock, series: Series):
        self.path = path
        self.record = record
        self.log = _LogFile(path / "run.log", encoding="utf-8", delay=True)
        self.log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._lock = lock
        self._series = series
        self._simulation = simulation
        self._saved: int | None = simulation.state.step or None
        self._since = time.monotonic()
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}
        self._level = LOGGER.level

    @classmethod
    def create(cls, path: str | Path, simulation: Simulation, *, overwrite: bool = False) -> RunFolder:
        """A new run folder.

        Parameters
        ----------
        path : a folder that does not exist, or is empty.
        simulation : the run that will be recorded, with all its processes.
        overwrite : replace an older run; anything but a run folder is still refused.

        Raises
        ------
        RunFolderError
            Where the path is taken, or cannot be written. Nothing is left behind then.
        """
        path = Path(path).absolute()
        require_free(path, overwrite=overwrite)
        scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
        config = simulation.config
        record = _first_record(simulation)
        series = Series(simulation.rows)
        with disk_errors(path):
            try:
                for name in FOLDERS:
                    (scratch / name).mkdir(parents=True)
                lock = FileLock(scratch / LOCK, timeout=0)
                lock.acquire()
                write_scenario(scratch, config)
                write_geometry(scratch / "geometry.h5", simulation.geometry)
                write_atomically(scratch / "readouts.csv", series.text)
                if simulation.state.step:
                    write_checkpoint(scratch / "checkpoints", simulation.state, series.text)
                write_record(scratch, record)
                if overwrite and path.exists():
                    retired = path.with_name(f".{path.name}.{os.getpid()}.old")
                    os.rename(path, retired)
                    os.rename(scratch, path)
                    delete(retired)
                else:
                    os.rename(scratch, path)
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
            sync_folder(path.parent)
        return cls(path, simulation, record, lock, series)

    @classmethod
    def reopen(cls, path: Path, record: dict[str, Any], simulation: Simulation) -> RunFolder:
        """An existing run folder, to go on from the state of `simulation`.

        Readouts and checkpoints after that state are dropped; frames are kept, as the run makes the same ones.
        """
        lock = locked(path)
        config, step = simulation.config, simulation.state.step
        entry = {
            "at": provenance.now(),
            "step": step,
            "threads": simulation.threads,
            "command": provenance.command_line(),
        }
        record = {**record, "status": "running", "resumed": [*record["resumed"], entry], "steps": config.time.steps}
        series = Series(simulation.rows)
        record |= {"step": step, "finished": None, "hash": None, "error": None, **_processes(simulation)}
        try:
            with disk_errors(path, f"marrowsim resume {path}"):
                write_scenario(path, config)
                write_atomically(path / "readouts.csv", series.text)
                for later in checkpoints(path / "checkpoints"):
                    if int(later.stem) > step:
                        later.unlink()
                every = max(1, round(config.output.frames_every / config.time.step))
                for frame in (path / "frames").glob(f"*{SUFFIX}"):
                    if int(frame.stem) % every and int(frame.stem) != config.time.steps:
                        frame.unlink()
                write_record(path, record)
        except BaseException:
            lock.release()
            raise
        return cls(path, simulation, record, lock, series)

    def __enter__(self) -> RunFolder:
        self._level = LOGGER.level
        LOGGER.setLevel(min(self._level or logging.INFO, logging.INFO))
        LOGGER.addHandler(self.log)
        software = self.record["software"]
        LOGGER.info("marrowsim %s, seed %d, %s", software["marrowsim"], self.record["seed"], self.path)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def _stop(self, number: int, _frame: Any) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: Any) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        try:
            if error is None:
                self._close()
            else:
                stopped = isinstance(error, KeyboardInterrupt)
                self.record |= {"status": "interrupted" if stopped else "failed"}
                self.record["error"] = None if stopped else f"{type(error).__name__}: {error}"
                LOGGER.log(logging.INFO if stopped else logging.ERROR, "%s", str(error) or "interrupted")
                with suppress(OSError):
                    self._note()
        finally:
            LOGGER.removeHandler(self.log)
            LOGGER.setLevel(self._level)
            self.log.close()
            self._lock.release()

    def _close(self) -> None:
        simulation = self._simulation
        finished = simulation.state.step >= simulation.config.time.steps
        self.record["status"] = "finished" if finished else "interrupted"
        self.record["finished"] = provenance.now() if finished else None
        self.record["hash"] = simulation.state.hash()
        with disk_errors(self.path, f"marrowsim resume {self.path}"):
            self._checkpoint()
        LOGGER.info("%s at step %d, hash %s", self.record["status"], self.record["step"], self.record["hash"])

    def write(self, simulation: Simulation) -> None:
        """Write down what is due at the present step: readouts, frame, checkpoint, in this order."""
        output, state = simulation.config.output, simulation.state
        with disk_errors(self.path, f"marrowsim resume {self.path}"):
            if row := simulation.row:
                added = self._series.append(row)
                with open(self.path / "readouts.csv", "a", encoding="utf-8", newline="") as file:
                    file.write(added)
            if simulation.due(output.frames_every) or state.step == simulation.config.time.steps:
                write_frame(self.path / "frames" / f"{state.step:08d}{SUFFIX}", Frame.of(state), simulation.threads)
            if self._signal is not None:
                self._checkpoint()
                raise Stopped(self._signal)
            if simulation.due(output.checkpoint_every):
                self._checkpoint()

    def _checkpoint(self) -> None:
        simulation = self._simulation
        step = simulation.state.step
        if self._saved != step:
            with open(self.path / "readouts.csv", "rb") as file:
                os.fsync(file.fileno())
            write_checkpoint(self.path / "checkpoints", simulation.state, self._series.text, simulation.threads)
            self._saved = step
        self.record["step"] = step
        self._note()

    def _note(self) -> None:
        """Bring run.json up to date."""
        moment = time.monotonic()
        self.record["wall_seconds"] = round(self.record["wall_seconds"] + moment - self._since, 3)
        self._since = moment
        self.record |= _processes(self._simulation)
        write_record(self.path, self.record)


def _processes(simulation: Simulation) -> dict[str, Any]:
    """Names of the processes of the schedule, and whether they are just the shipped ones."""
    names = [process.name for process in simulation.schedule]
    return {"processes": names, "shipped_schedule": tuple(simulation.schedule) == tuple(schedule_of(simulation.config))}


def _first_record(simulation: Simulation) -> dict[str, Any]:
    config = simulation.config
    image = config.geometry.image
    digest = simulation.geometry.report["source"]["sha256"] if image else None
    return {
        "kind": KIND,
        "format": FORMAT,
        "title": config.title,
        "status": "running",
        "step": simulation.state.step,
        "steps": config.time.steps,
        "step_minutes": config.time.step,
        "seed": config.seed,
        "threads": simulation.threads,
        "started": provenance.now(),
        "finished": None,
        "resumed": [],
        "wall_seconds": 0.0,
        "hash": None,
        "error": None,
        "command": provenance.command_line(),
        "config_sha256": config.digest(),
        "image": {"file": str(image.file), "sha256": digest} if image else None,
        "extensions": {item.name: item.sha256 for item in config.extensions or ()},
        "geometry": simulation.geometry.report,
        **_processes(simulation),
        "software": provenance.software(),
    }
