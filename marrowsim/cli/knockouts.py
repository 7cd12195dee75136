"""`knockout`: causal experiments with a report folder each."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from marrowsim.cli.console import Stages, messages, output, short
from marrowsim.cli.options import in_micrometres
from marrowsim.errors import ExperimentError, Fault, MarrowsimError
from marrowsim.experiments import CLAIMS, experiment_text, load_experiment
from marrowsim.experiments.bone import OwnBone
from marrowsim.experiments.files import arm_configs, has_bone
from marrowsim.experiments.overview import overview_text
from marrowsim.experiments.report import with_interval
from marrowsim.experiments.run import Outcome, check, knockout, own_bone
from marrowsim.storage.files import disk_errors, write_atomically

FOLDERS = {False: Path("knockouts"), True: Path("knockouts-bounded")}
FIGURE, OVERVIEW, MATRIX = "figure.png", "overview.md", "overview.png"
ALL = "all"


def list_experiments() -> None:
    """The experiments of the program."""
    table = Table("experiment", "title", "arms", "replicates", "claim")
    for name in CLAIMS:
        experiment = load_experiment(name).experiment
        table.add_row(name, experiment.title, ", ".join(experiment.arms), str(experiment.replicates), experiment.claim)
    output().print(table)


def print_experiment(names: list[str]) -> None:
    """The file of one experiment."""
    if len(names) != 1:
        raise ExperimentError(Fault("which one to print?", ", ".join(CLAIMS), " ".join(names), "give one name"))
    typer.echo(experiment_text(names[0])[0], nl=False)


def run_experiments(
    names: list[str],
    out: Path | None,
    *,
    bounded: bool,
    replicates: int | None,
    processes: int | None,
    scheduler: str | None,
    seed: int,
    bone: str | None,
    spacing: str | None,
) -> None:
    """Run experiments one after the other, each into its folder, and print the verdicts.

    Parameters
    ----------
    names : bundled names and files; `all` are the bundled ones.
    out : folder of the report, or of the folders of several.
    bounded, replicates, processes, scheduler, seed, bone, spacing : see `marrowsim.experiments.run.knockout`.

    Raises
    ------
    ExperimentError
        With the faults of every experiment before any is run, or of those that failed after all were.
    """
    own = own_bone(bone, None if spacing is None else in_micrometres(spacing))
    every = CLAIMS if own is None or ALL not in names else _in_bone(bounded, seed)
    wanted = list(dict.fromkeys(name for item in names for name in (every if item == ALL else (item,))))
    if not wanted:
        remedy = "name one or more, or: marrowsim knockout --list"
        raise ExperimentError(
            Fault("no experiment is named", f"{', '.join(CLAIMS)}, {ALL}, or a TOML file", "", remedy)
        )
    several = len(wanted) > 1
    base = out or FOLDERS[bounded]
    folders = _folders(wanted, base, several or out is None, bounded, seed, own)
    outcomes, faults, unfinished = [], [], []
    for name, folder in folders.items():
        with Stages(f"experiment {name}") as stages:
            try:
                outcome = knockout(
                    name, bounded=bounded, output=folder, replicates=replicates, processes=processes,
                    scheduler=scheduler, seed=seed, bone=own and own.file, spacing=own and own.spacing,
                    progress=stages.points(name),
                )  # fmt: skip
            except ExperimentError as error:
                faults += error.faults
                unfinished.append(name)
                continue
            stages.say(f"experiment {name}: figure")
            _draw(outcome)
        outcomes.append(outcome)
        _print(outcome)
    if several and outcomes:
        from marrowsim.viz.matrix import draw_matrix  # noqa: PLC0415

        with disk_errors(base):
            draw_matrix(outcomes, base / MATRIX)
            write_atomically(base / OVERVIEW, overview_text(outcomes, MATRIX, unfinished))
        output().print(f"claims and verdicts: {short(base / OVERVIEW)}")
    if faults:
        raise ExperimentError(*faults)


def _in_bone(bounded: bool, seed: int) -> list[str]:
    """The experiments of the program that have bone; the others are named to the user."""
    sources = {name: load_experiment(name) for name in CLAIMS}
    found = [
        name
        for name, source in sources.items()
        if any(map(has_bone, arm_configs(source, bounded=bounded, seed=seed).values()))
    ]
    messages().print(f"left out, as they have no bone: {', '.join(name for name in CLAIMS if name not in found)}")
    return found


def _folders(
    names: list[str], base: Path, below: bool, bounded: bool, seed: int, bone: OwnBone | None
) -> dict[str, Path]:
    """Folder of each experiment; the faults of all of them come at once."""
    folders, faults = {}, []
    for name in names:
        try:
            source = load_experiment(name)
            check(source, bounded=bounded, seed=seed, bone=bone)
        except MarrowsimError as error:
            faults += error.faults
            continue
        path = base / source.experiment.id if below else base
        if path in folders.values():
            given = f"'{source.experiment.id}' in {name}"
            faults.append(Fault("two experiments of one id", "an id of its own", given, "change id", name))
        folders[name] = path
    if faults:
        raise ExperimentError(*faults)
    return folders


def _draw(outcome: Outcome) -> None:
    from marrowsim.viz.experiments import draw_experiment  # noqa: PLC0415

    with disk_errors(outcome.folder):
        draw_experiment(outcome, outcome.folder / FIGURE)


def _print(outcome: Outcome) -> None:
    """The rules with their estimates, and the verdict."""
    experiment = outcome.experiment
    title = f"{experiment.id}: {experiment.title}"
    table = Table("rule", "estimate [95 % interval]", "support", "holds", title=title, title_justify="left")
    for item in outcome.judgements:
        found = item.effect
        estimate = with_interval(found.estimate, found.low, found.high) if found.defined else found.note
        condition = item.rule.supports or item.rule.falsifies
        holds = item.holds if item.rule.supports else item.falsifies
        words = "" if condition is None else ("" if item.rule.supports else "falsified if ") + str(condition)
        table.add_row(item.rule.name, estimate, words, {True: "yes", False: "no", None: ""}[holds])
    console = output()
    console.print(table)
    form = " (quick form)" if outcome.bounded else ""
    console.print(f"{experiment.id}{form}, {len(outcome.seeds)} replicates: {outcome.verdict}")
    console.print(f"report: {short(outcome.folder)}")
    if outcome.bounded:
        messages().print("the quick form decides nothing for good: run it without --bounded for that")
