"""`calibrate`: the values of parameters that meet targets, into a folder."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from marrowsim.calibration import BUNDLED, calibrate, calibration_text, load_calibration
from marrowsim.calibration.posterior import FEWEST
from marrowsim.calibration.run import CalibrationOutcome
from marrowsim.cli.console import Stages, messages, output, short
from marrowsim.cli.sweeping import FIGURE, show_forecast, tell_failures
from marrowsim.errors import ExperimentError, Fault
from marrowsim.experiments.report import with_interval
from marrowsim.storage.files import disk_errors

FOLDER = Path("calibrations")
POSTERIOR_FIGURE = "posterior.png"


def list_calibrations() -> None:
    """The calibrations of the program."""
    table = Table("calibration", "title", "parameters", "targets")
    for name in BUNDLED:
        item = load_calibration(name).sweep
        keys = ", ".join(parameter.key for parameter in item.parameter)
        table.add_row(name, item.title, keys, ", ".join(target.readout for target in item.target))
    output().print(table)


def _named(name: str | None) -> str:
    if name is None:
        allowed = f"a TOML file, or {', '.join(BUNDLED)}"
        remedy = "name one, or: marrowsim calibrate --list"
        raise ExperimentError(Fault("no calibration is named", allowed, remedy=remedy))
    return name


def print_calibration(name: str | None) -> None:
    """The file of a calibration."""
    typer.echo(calibration_text(_named(name))[0], nl=False)


def forecast_calibration(name: str | None, out: Path | None, processes: int | None, threads: int) -> None:
    """What a calibration will take on this machine."""
    source = load_calibration(_named(name))
    show_forecast(source, out or FOLDER / source.sweep.id, processes, threads)


def run_calibration(
    name: str | None, out: Path | None, *, processes: int | None, scheduler: str | None, threads: int
) -> bool:
    """Run a calibration into its folder, and print the posterior.

    Parameters
    ----------
    name : bundled name or file.
    out : folder; below `calibrations` where not given.
    processes, scheduler, threads : see `marrowsim.sweeps.sweep`.

    Returns
    -------
    Whether every run gave a result.
    """
    item = load_calibration(_named(name)).sweep
    folder = out or FOLDER / item.id
    with Stages(f"calibration {item.id}") as stages:
        outcome = calibrate(
            name, output=folder, processes=processes, scheduler=scheduler, threads=threads,
            progress=stages.points(item.id),
        )  # fmt: skip
        stages.say(f"calibration {item.id}: figures")
        from marrowsim.viz.calibration import draw_calibration  # noqa: PLC0415
        from marrowsim.viz.sweeps import draw_sweep  # noqa: PLC0415

        with disk_errors(folder):
            draw_sweep(outcome.sweep, folder / FIGURE)
            draw_calibration(outcome, folder / POSTERIOR_FIGURE)
    _print(outcome)
    tell_failures(outcome.sweep)
    return outcome.sweep.failures.empty


def _print(outcome: CalibrationOutcome) -> None:
    """Posterior and targets, and where the rest is."""
    item = outcome.calibration
    table = Table(
        "parameter", "prior", "median [95 % interval]", title=f"{item.id}: {item.title}", title_justify="left"
    )
    for parameter, row in zip(item.parameter, outcome.table.to_dict("records"), strict=True):
        found = with_interval(row["50 %"], row["2.5 %"], row["97.5 %"])
        table.add_row(parameter.title, f"{parameter.low} to {parameter.high}, {parameter.scale}", found)
    targets = Table("target", "aim", "in the posterior", "met")
    for row in outcome.check.itertuples():
        found = with_interval(row.median, row.low, row.high)
        targets.add_row(row.readout, f"{row.aim:g} +- {row.sd:g}", found, "yes" if row.met else "no")
    console = output()
    console.print(table)
    console.print(targets)
    effective = f"{outcome.posterior.effective:.3g} effective points of {outcome.sweep.points}"
    console.print(f"{effective}; report: {short(outcome.sweep.folder)}")
    if not outcome.reliable:
        messages().print(f"fewer than {FEWEST} effective points: give more samples, or a larger accept")
