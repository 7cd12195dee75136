"""The commands that run many simulations: `knockout`, `sweep` and `calibrate`. They import what they need when run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marrowsim.cli.console import guarded
from marrowsim.cli.options import Bone, Scheduler, Spacing

studies = typer.Typer()


@studies.command()
@guarded
def knockout(
    names: Annotated[
        list[str] | None, typer.Argument(help="S1 to S10, TOML files of your own, or all.", metavar="EXPERIMENT...")
    ] = None,
    bounded: Annotated[bool, typer.Option("--bounded", help="The quick form: small boxes, few replicates.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of the report (default knockouts/<experiment>)."),
    ] = None,
    replicates: Annotated[int | None, typer.Option(help="Seeds, instead of the experiment's number.", min=2)] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes; never change a result.", min=1)] = None,
    scheduler: Scheduler = None,
    seed: Annotated[int, typer.Option(help="Seed of the first replicate.", min=0)] = 1,
    bone: Bone = None,
    spacing: Spacing = None,
    show: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
    text: Annotated[bool, typer.Option("--print", help="Print the file of an experiment, to copy and edit.")] = False,
) -> None:
    """Run a causal experiment: arms with arrows knocked out, effects with intervals, a verdict by a rule."""
    from marrowsim.cli.knockouts import list_experiments, print_experiment, run_experiments  # noqa: PLC0415

    if show:
        list_experiments()
    elif text:
        print_experiment(names or [])
    else:
        run_experiments(
            names or [],
            out,
            bounded=bounded,
            replicates=replicates,
            processes=processes,
            scheduler=scheduler,
            seed=seed,
            bone=bone,
            spacing=spacing,
        )


@studies.command()
@guarded
def sweep(
    name: Annotated[str | None, typer.Argument(help="A TOML file, or a bundled sweep.", metavar="FILE")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder of the results (default sweeps/<id>).")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes; never change a result.", min=1)] = None,
    scheduler: Scheduler = None,
    threads: Annotated[int, typer.Option(help="Threads of each run; never change a result.", min=1)] = 1,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say how many points, what time and memory.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the bundled sweeps.")] = False,
    text: Annotated[bool, typer.Option("--print", help="Print the file of a sweep, to copy and edit.")] = False,
) -> None:
    """Vary parameters of a scenario: a tidy table, and what the readouts depend on. Goes on after a kill."""
    from marrowsim.cli.sweeping import list_sweeps, print_forecast, print_sweep, run_sweep  # noqa: PLC0415

    if show:
        list_sweeps()
    elif text:
        print_sweep(name)
    elif dry:
        print_forecast(name, out, processes, threads)
    elif not run_sweep(name, out, processes=processes, scheduler=scheduler, threads=threads):
        raise typer.Exit(1)


@studies.command()
@guarded
def calibrate(
    name: Annotated[str | None, typer.Argument(help="A TOML file, or a bundled calibration.", metavar="FILE")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of the results (default calibrations/<id>)."),
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes; never change a result.", min=1)] = None,
    scheduler: Scheduler = None,
    threads: Annotated[int, typer.Option(help="Threads of each run; never change a result.", min=1)] = 1,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say how many points, what time and memory.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the bundled calibrations.")] = False,
    text: Annotated[bool, typer.Option("--print", help="Print the file of a calibration, to copy and edit.")] = False,
) -> None:
    """Fit parameters to targets: their posterior, and the spread of good fits. Goes on after a kill."""
    from marrowsim.cli import calibrating  # noqa: PLC0415

    if show:
        calibrating.list_calibrations()
    elif text:
        calibrating.print_calibration(name)
    elif dry:
        calibrating.forecast_calibration(name, out, processes, threads)
    elif not calibrating.run_calibration(name, out, processes=processes, scheduler=scheduler, threads=threads):
        raise typer.Exit(1)
