"""`run` and `resume`."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from marrowsim.cli.console import Stages, messages, output, short
from marrowsim.config import Config, load_config
from marrowsim.errors import Fault, MarrowsimError, RunFolderError
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run
from marrowsim.storage.layout import require_free

LOGGER = logging.getLogger(__name__)


def run_scenario(
    scenario: str,
    overrides: Mapping[str, Any],
    out: Path | None,
    *,
    threads: int | None,
    overwrite: bool,
    picture: bool,
) -> None:
    """Run a scenario into a new folder, with its picture, and say what came of it."""
    config = load_config(scenario, PROCESSES, overrides)
    path = out or free_folder(scenario, config)
    require_free(path, overwrite=overwrite)
    with Stages(f"building {config.title or scenario}") as stages:
        log = _new_run(config, path, stages, threads=threads, overwrite=overwrite)
        del config  # and with it the work space of the processes, before the picture takes its own
        if picture:
            _picture(path, log, stages)
    print_summary(path)


def _new_run(config: Config, path: Path, stages: Stages, *, threads: int | None, overwrite: bool) -> logging.Handler:
    """Build and run a scenario into a new folder; returns what writes its log."""
    early = logging.handlers.MemoryHandler(10_000, flushLevel=logging.CRITICAL + 1)
    logging.getLogger("marrowsim").addHandler(early)
    try:
        geometry = build_geometry(config, LOGGER.info)
        LOGGER.info("solving fields")
        simulation = Simulation(config, geometry=geometry, threads=threads)
        folder = RunFolder.create(path, simulation, overwrite=overwrite)
    finally:
        logging.getLogger("marrowsim").removeHandler(early)
    early.setTarget(folder.log)
    early.flush()
    _go(folder, simulation, stages)
    return folder.log


def resume_run(path: Path, *, days: float | None, threads: int | None, picture: bool) -> None:
    """Go on with a run from its last checkpoint to its end."""
    run = open_run(path)
    if run.running:
        what, remedy = "another process is writing this run", "wait until it has ended, or stop it first"
        raise RunFolderError(Fault(what, given=str(path), remedy=remedy))
    if run.status == "finished" and days is None:
        output().print(f"{path} is finished ({run.config.time.duration / 1440:g} days). To run longer: --days D")
        return
    with Stages(f"reading {path}") as stages:
        simulation = run.simulation(days=days, threads=threads)
        folder = run.recorder(simulation)
        code = ", ".join(item.name for item in simulation.config.extensions or ())
        stages.say(f"going on from step {simulation.state.step}" + f", with {code} as kept in the folder" * bool(code))
        _go(folder, simulation, stages)
        log = folder.log
        del simulation, folder, run  # and their memory, before the picture takes its own
        if picture:
            _picture(path, log, stages)
    print_summary(path)


def draw(path: Path, target: Path, layers: str | None = None) -> None:
    """Write the picture of the last frame of a run, with the usual layers or these."""
    from marrowsim.viz.description import Scene  # noqa: PLC0415
    from marrowsim.viz.figure import picture  # noqa: PLC0415

    run = open_run(path)
    frames = run.frames
    if not len(frames):
        remedy = f"let the run go on: marrowsim resume {path}"
        raise RunFolderError(Fault("the run has no frames yet", given=str(path), remedy=remedy))
    picture(frames[-1], run.readouts, target, title=run.record["title"], scene=Scene(layers=layers))


def free_folder(scenario: str, config: Config) -> Path:
    """runs/<scenario>-<seed>, with a number behind it where that is taken."""
    first = Path("runs", f"{Path(scenario).stem}-{config.seed}")
    path, number = first, 1
    while path.exists():
        number += 1
        path = first.with_name(f"{first.name}-{number}")
    return path


def _go(folder: RunFolder, simulation: Simulation, stages: Stages) -> None:
    """Run to the end of the scenario; say how to go on where it is stopped before."""
    try:
        with folder:
            stages.say(f"running into {short(folder.path)}")
            progress = stages.steps(simulation.config.time.step, simulation.state.step)
            simulation.run(recorders=[folder], progress=progress)
    except KeyboardInterrupt as stop:
        messages().print(f"{stop or 'interrupted'}; to go on: marrowsim resume {short(folder.path)}")
        raise
    except MarrowsimError:
        raise
    except Exception:
        messages().print(f"The run in {short(folder.path)} is kept up to its last checkpoint.")
        raise


def _picture(path: Path, log: logging.Handler, stages: Stages) -> None:
    """The picture at the end, and one of bone alone where it is remodelled; a run never fails for them."""
    stages.say("drawing")
    logger = logging.getLogger("marrowsim")
    logger.addHandler(log)
    try:
        draw(path, path / "picture.png")
        if any(name.startswith("bone resorbed") for name in open_run(path).readouts.columns):
            draw(path, path / "bone.png", layers="bone,bone_change,osteoclast,osteoblast")
    except Exception as error:
        reason = str(error) or type(error).__name__
        LOGGER.warning("there is no picture: %s\n    remedy: marrowsim render %s", reason, short(path))
    finally:
        logger.removeHandler(log)
        log.close()


def print_summary(path: Path) -> None:
    """What happened in a run, on a page."""
    run = open_run(path)
    console = output()
    readouts = run.readouts
    hours = readouts["time (h)"]
    table = Table("", f"{hours.iloc[0]:g} h", f"{hours.iloc[-1]:g} h", title=run.record["title"], title_justify="left")
    for name in readouts.columns[1:]:
        first, last = readouts[name].iloc[0], readouts[name].iloc[-1]
        if " p05 " not in name and " p95 " not in name and (first or last) and first == first:
            table.add_row(name, f"{first:.4g}", f"{last:.4g}")
    console.print(table)
    console.print(f"state hash: {run.record['hash']}")
    console.print(f"wall time:  {run.record['wall_seconds']:.1f} s")
    console.print(f"run folder: {short(path)}")
    if (path / "picture.png").exists():
        console.print(f"picture:    {short(path / 'picture.png')}")
    if (path / "bone.png").exists():
        console.print(f"bone:       {short(path / 'bone.png')}")
