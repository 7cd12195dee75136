"""`sweep`: a scenario at many values of its parameters, into a folder."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from marrowsim.cli.console import Stages, messages, output, short
from marrowsim.cli.reports import duration, readable
from marrowsim.errors import ExperimentError, Fault
from marrowsim.experiments.memory import available_memory
from marrowsim.experiments.report import with_interval
from marrowsim.storage.files import disk_errors
from marrowsim.sweeps import BUNDLED, load_sweep, sweep, sweep_text
from marrowsim.sweeps.files import Source
from marrowsim.sweeps.run import FAILURES, SweepOutcome, forecast

FOLDER = Path("sweeps")
FIGURE = "figure.png"


def list_sweeps() -> None:
    """The sweeps of the program."""
    table = Table("sweep", "title", "design", "parameters", "readouts")
    for name in BUNDLED:
        item = load_sweep(name).sweep
        keys = ", ".join(parameter.key for parameter in item.parameter)
        table.add_row(name, item.title, item.design, keys, ", ".join(readout.name for readout in item.readout))
    output().print(table)


def _named(name: str | None) -> str:
    if name is None:
        allowed = f"a TOML file, or {', '.join(BUNDLED)}"
        raise ExperimentError(Fault("no sweep is named", allowed, remedy="name one, or: marrowsim sweep --list"))
    return name


def print_sweep(name: str | None) -> None:
    """The file of a sweep."""
    typer.echo(sweep_text(_named(name))[0], nl=False)


def print_forecast(name: str | None, out: Path | None, processes: int | None, threads: int) -> None:
    """What a sweep will take on this machine."""
    source = load_sweep(_named(name))
    show_forecast(source, out or FOLDER / source.sweep.id, processes, threads)


def show_forecast(source: Source, folder: Path, processes: int | None, threads: int) -> None:
    """What a sweep, or a calibration by one, will take in a folder."""
    item = source.sweep
    found = forecast(source, output=folder, processes=processes, threads=threads)
    table = Table(show_header=False, title=f"{source.where}: nothing is wrong with it", title_justify="left")
    table.add_row("title", item.title)
    table.add_row("points", f"{found.points:,} by {item.design}, {item.replicates} replicates: {found.runs:,} runs")
    table.add_row("done", f"{found.done:,} runs in {short(folder)}")
    if found.unused:
        table.add_row("not used", found.unused)
    if found.refused:
        table.add_row("refused", f"{found.refused:,} points whose scenario makes no sense; they are listed as failed")
    free = available_memory()
    short_of = f"; more than the {readable(free)} that are available" * (found.memory > free)
    table.add_row("memory", f"about {readable(found.memory)} a run, {found.together} at a time{short_of}")
    table.add_row("time", f"about {duration(found.seconds)}")
    output().print(table)


def run_sweep(
    name: str | None, out: Path | None, *, processes: int | None, scheduler: str | None, threads: int
) -> bool:
    """Run a sweep into its folder, and print what the readouts depend on.

    Parameters
    ----------
    name : bundled name or file.
    out : folder; below `sweeps` where not given.
    processes, scheduler, threads : see `marrowsim.sweeps.sweep`.

    Returns
    -------
    Whether every run gave a result.
    """
    item = load_sweep(_named(name)).sweep
    folder = out or FOLDER / item.id
    with Stages(f"sweep {item.id}") as stages:
        outcome = sweep(
            name, output=folder, processes=processes, scheduler=scheduler, threads=threads,
            progress=stages.points(item.id),
        )  # fmt: skip
        stages.say(f"sweep {item.id}: figure")
        from marrowsim.viz.sweeps import draw_sweep  # noqa: PLC0415

        with disk_errors(folder):
            draw_sweep(outcome, folder / FIGURE)
    _print(outcome)
    return outcome.failures.empty


def _print(outcome: SweepOutcome) -> None:
    """The indices, and where the rest is."""
    item = outcome.sweep
    table = Table(
        "readout", "parameter", "index", "estimate [95 % interval]", title=f"{item.id}: {item.title}",
        title_justify="left",
    )  # fmt: skip
    for line in outcome.sensitivity.itertuples(index=False):
        table.add_row(line.readout, line.parameter, line.index, with_interval(line.estimate, line.low, line.high))
    console = output()
    console.print(table)
    console.print(f"{outcome.points} points, {item.replicates} replicates; report: {short(outcome.folder)}")
    tell_failures(outcome)


def tell_failures(outcome: SweepOutcome) -> None:
    """How many runs failed, where any did."""
    if not outcome.failures.empty:
        runs = outcome.points * outcome.sweep.replicates
        messages().print(
            f"{len(outcome.failures)} of {runs} runs failed: {short(outcome.folder / FAILURES)}; "
            "the same command tries them again"
        )
