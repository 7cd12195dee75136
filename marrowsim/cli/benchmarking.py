"""`benchmark`: the engine and its peers timed on this machine."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from marrowsim.cli.console import Stages, output, short
from marrowsim.errors import Fault, MarrowsimError

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SMALLEST, LARGEST = 16, 1024
FILES = ("benchmark.json", "benchmark.md", "benchmark.png")


def run_benchmark(
    out: Path | None, sizes: str | None, threads: str | None, update: Path | None, *, quick: bool
) -> None:
    """Measure, write the three files into a new folder, and say what came of it.

    Parameters
    ----------
    out : folder that does not exist or is empty; benchmark-<date> where not given.
    sizes, threads : whole numbers with commas between them.
    update : a document between whose markers the tables are put as well.
    quick : shorter rounds and smaller lattices.
    """
    for name in ONE_THREAD:  # read by the linear algebra under NumPy when it is loaded
        os.environ.setdefault(name, "1")
    from marrowsim.benchmarks.report import markdown  # noqa: PLC0415
    from marrowsim.benchmarks.suite import QUICK_SIZES, SIZES, Plan, run  # noqa: PLC0415

    chosen = _numbers("--sizes", sizes, SMALLEST, LARGEST) or (QUICK_SIZES if quick else SIZES)
    counts = _numbers("--threads", threads, 1, 1024) or (1,)
    document = _document(update)
    path = _new_folder(out)
    with Stages("benchmark") as stages:
        results = run(Plan(tuple(sorted(chosen)), counts, quick), stages.parts)
        _write(path, results, markdown(results, FILES[2]))
    if update is not None:
        _update(update, document, path, results)
    _print(results, path)


def _numbers(option: str, text: str | None, low: int, high: int) -> tuple[int, ...]:
    """Different whole numbers, in the order given; none where the option was not."""
    if text is None:
        return ()
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or not all(low <= number <= high for number in numbers):
        allowed = f"whole numbers from {low} to {high} with commas between them"
        raise MarrowsimError(Fault("not a list of numbers", allowed, text, "such as 64,128", option))
    return numbers


def _new_folder(out: Path | None) -> Path:
    """The folder of the results, made; anything that is there already is refused."""
    path = out or Path(f"benchmark-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            what, remedy = "there is something already in the place of the results", "choose another folder with -o DIR"
            raise MarrowsimError(Fault(what, "a folder that does not exist or is empty", str(path), remedy))
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        what, remedy = "the folder of the results cannot be made", "choose one that you may write to with -o DIR"
        raise MarrowsimError(Fault(what, given=f"{path}: {error.strerror}", remedy=remedy)) from error
    return path


def _document(update: Path | None) -> str:
    """The document to update, which must have the markers."""
    from marrowsim.benchmarks.report import BEGIN, END, placed  # noqa: PLC0415

    if update is None:
        return ""
    try:
        text = update.read_text(encoding="utf-8")
    except OSError as error:
        raise MarrowsimError(
            Fault("the document cannot be read", given=f"{update}: {error.strerror}", where="--update")
        ) from error
    if placed(text, "") is None:
        what, remedy = "the document has no place for the tables", f"put a line {BEGIN} and a line {END} into it"
        raise MarrowsimError(Fault(what, given=str(update), remedy=remedy, where="--update"))
    return text


def _write(path: Path, results: dict, tables: str) -> None:
    import json  # noqa: PLC0415

    from marrowsim.benchmarks.plots import plot  # noqa: PLC0415
    from marrowsim.storage.files import disk_errors, write_atomically  # noqa: PLC0415

    with disk_errors(path):
        write_atomically(path / FILES[0], json.dumps(results, indent=1) + "\n")
        write_atomically(path / FILES[1], tables)
        plot(results, path / FILES[2])


def _update(update: Path, document: str, path: Path, results: dict) -> None:
    """Put the tables into the document and the plots beside it."""
    from marrowsim.benchmarks.report import markdown, placed  # noqa: PLC0415
    from marrowsim.storage.files import disk_errors, write_atomically  # noqa: PLC0415

    with disk_errors(update):
        write_atomically(update, placed(document, markdown(results, FILES[2])))
        shutil.copyfile(path / FILES[2], update.parent / FILES[2])


def _print(results: dict, path: Path) -> None:
    """The figures in short."""
    from marrowsim.benchmarks.report import number, summary  # noqa: PLC0415

    console = output()
    table = Table("", "voxels", "threads", "ms", "copies", "sweeps", "")
    for row, what, note in summary(results["rows"]):
        figures = (number(value) for value in (1e3 * row["seconds"], row["copies"], row["sweeps"]))
        table.add_row(what, f"{row['size']}^3", str(row["threads"]), *figures, note)
    console.print(table)
    for line in results["left out"]:
        console.print(f"left out: {line}", markup=False)
    before, after = (results[key][0] if results[key] else "unknown" for key in ("load before", "load after"))
    console.print(f"load average {before} before, {after} after; {results['seconds']:.0f} s")
    console.print(f"tables and plots: {short(path)}")
