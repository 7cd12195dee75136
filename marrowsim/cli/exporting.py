"""`export`."""

from __future__ import annotations

import re
from pathlib import Path

from marrowsim.cli.console import Stages, output, short
from marrowsim.errors import ExportError, Fault
from marrowsim.export import export
from marrowsim.storage import open_run

SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMG]?)B?\s*", re.IGNORECASE)
BYTES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def export_run(
    folder: Path,
    target: Path,
    *,
    frames: str,
    fields: str | None,
    table: str | None,
    force: bool,
    size: str | None = None,
) -> None:
    """Export a run, and say what was written."""
    run = open_run(folder)
    most = None if size is None else bytes_of(size)
    names = None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    with Stages(f"exporting to {short(target)}") as stages:
        progress = stages.points("exporting", "frames")
        options = {"frames": frames, "fields": names, "table": table, "max_size": most}
        paths = export(run, target, **options, force=force, progress=progress)
    for path in paths:
        output().print(f"written: {short(path)}", markup=False)


def bytes_of(size: str) -> int:
    """A size such as 20MB in bytes."""
    match = SIZE.fullmatch(size)
    if not match or not float(match[1]):
        raise ExportError(Fault("this is no size", "a number with kB, MB or GB", size, "such as 20MB", "--max-size"))
    return round(float(match[1]) * BYTES[match[2].lower()])
