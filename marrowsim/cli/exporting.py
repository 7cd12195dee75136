"""`export`."""

from __future__ import annotations

from pathlib import Path

from marrowsim.cli.console import Stages, output, short
from marrowsim.export import export
from marrowsim.storage import open_run


def export_run(folder: Path, target: Path, *, frames: str, fields: str | None, table: str | None, force: bool) -> None:
    """Export a run, and say what was written."""
    run = open_run(folder)
    names = None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    with Stages(f"exporting to {short(target)}") as stages:
        progress = stages.points("exporting", "frames")
        paths = export(run, target, frames=frames, fields=names, table=table, force=force, progress=progress)
    for path in paths:
        output().print(f"written: {short(path)}", markup=False)
