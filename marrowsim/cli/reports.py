"""`new`, `check`, `info` and `compare`: what they print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.table import Column, Table

from marrowsim.cli.console import output
from marrowsim.config import SCENARIOS, load_config, scenario_text
from marrowsim.errors import Fault, ScenarioError, nearest
from marrowsim.estimate import estimate
from marrowsim.geometry.build import bone_of
from marrowsim.processes import PROCESSES
from marrowsim.storage.checkpoints import checkpoints
from marrowsim.storage.compare import compare_runs, scenario_differences
from marrowsim.storage.files import folder_size
from marrowsim.storage.runs import open_run

UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def print_scenario(name: str) -> None:
    """The text of a bundled scenario."""
    if name not in SCENARIOS:
        allowed = ", ".join(SCENARIOS)
        raise ScenarioError(Fault("there is no such scenario", allowed, f"'{name}'", nearest(name, SCENARIOS)))
    typer.echo(scenario_text(name)[0], nl=False)


def print_check(scenario: str, overrides: Mapping[str, Any]) -> None:
    """What a scenario is and will take; its faults, all at once, where it has any."""
    config = load_config(scenario, PROCESSES, overrides)
    extent = None
    if config.geometry.image:
        tissue = bone_of(config)[0]
        extent = tuple(length * config.geometry.voxel for length in tissue.shape[::-1])
    cost = estimate(config, extent)
    geometry = config.geometry
    voxels = f"{' x '.join(map(str, cost.shape))} = {cost.voxels:,} voxels of {geometry.voxel:g} um"
    table = Table(show_header=False, title=f"{scenario}: nothing is wrong with it", title_justify="left")
    table.add_row("title", config.title)
    table.add_row("geometry", geometry.kind + (f" {geometry.preset}" if geometry.kind == "trabecular" else ""))
    table.add_row("lattice", voxels)
    table.add_row(
        "time", f"{config.time.duration / 1440:g} days, {config.time.steps} steps of {config.time.step:g} min"
    )
    table.add_row("seed", str(config.seed))
    if config.knockouts:
        table.add_row("knocked out", ", ".join(config.knockouts))
    for item in config.extensions or ():
        table.add_row("extension", f"{item.name}, SHA-256 {item.sha256}")
    for entry in config.injection:
        table.add_row("injected", f"{entry.density * 1e9:g} {entry.cell} cells a mm^3 at {entry.at / 60:g} h")
    for entry in config.seeding:
        words = f", {entry.beyond:g} um or more from a centre" * bool(entry.beyond)
        words += "" if entry.within is None else f", within {entry.within:g} um"
        table.add_row("seeded", f"{entry.density * 1e9:g} {entry.cell} cells a mm^3{words}")
    table.add_row("memory", f"about {readable(cost.memory)}")
    table.add_row("time to run", f"about {duration(cost.seconds)} on one thread")
    table.add_row("disk", f"about {readable(cost.disk)}")
    output().print(table)


def readable(size: float) -> str:
    """Bytes in words."""
    for unit, scale in UNITS:
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def print_info(path: Path, *, as_json: bool) -> None:
    """What a run is, how far it is, and the hash of its state."""
    run = open_run(path)
    record = run.record
    last = run.last
    step = last[0] if last else 0
    if as_json:
        known = {
            "status": run.status,
            "checkpoint_step": step,
            "state_hash": last and last[1],
            "frames": run.frames.steps,
        }
        typer.echo(json.dumps({**record, **known}, indent=2))
        return
    days = record["step_minutes"] / 1440
    software = record["software"]
    table = Table(Column(), Column(overflow="fold"), show_header=False, title=str(path), title_justify="left")
    table.add_row("title", record["title"])
    table.add_row("status", run.status + (f": {record['error']}" if record["error"] else ""))
    table.add_row("done", f"step {step} of {record['steps']} ({step * days:g} of {record['steps'] * days:g} days)")
    table.add_row("state hash", last[1] if last else "none yet")
    table.add_row("seed", str(record["seed"]))
    table.add_row("started", record["started"] + f", resumed {len(record['resumed'])} times" * bool(record["resumed"]))
    if record["finished"]:
        table.add_row("finished", record["finished"])
    table.add_row("wall time", f"{duration(record['wall_seconds'])}, {record['threads']} thread(s)")
    table.add_row("frames", f"{len(run.frames)} (steps {', '.join(map(str, run.frames.steps))})")
    table.add_row(
        "checkpoints", ", ".join(str(int(item.stem)) for item in checkpoints(run.path / "checkpoints")) or "none"
    )
    if record["image"]:
        table.add_row("image", f"{record['image']['file']}, SHA-256 {record['image']['sha256']}")
    for name, digest in record.get("extensions", {}).items():
        table.add_row("extension", f"{name}, SHA-256 {digest}")
    if not record["shipped_schedule"]:
        table.add_row("processes", ", ".join(record["processes"]) + " (a schedule of its own)")
    table.add_row(
        "made with", f"marrowsim {software['marrowsim']}, Python {software['python']}, {software['platform']}"
    )
    table.add_row("size", readable(folder_size(run.path)))
    output().print(table)
    if run.status in ("interrupted", "failed"):
        output().print(f"To go on: marrowsim resume {path}")


def print_comparison(first: Path, second: Path) -> bool:
    """Where two runs begin to differ. Returns whether they are identical."""
    one, two = open_run(first), open_run(second)
    differences = compare_runs(one, two)
    console = output()
    for key, left, right in scenario_differences(one, two):
        console.print(f"scenario: {key}: {left} and {right}")
    for difference in differences:
        console.print(str(difference))
    if not differences:
        step = one.last[0] if one.last else 0
        console.print(f"identical: readouts, {len(one.frames)} frames, and the state at step {step}")
    return not differences
