"""What a run can be exported to, by the ending of the target; and how a target appears whole or not at all."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from marrowsim import extras
from marrowsim.errors import ExportError, Fault
from marrowsim.export.source import Source
from marrowsim.storage.files import FULL, sync_folder
from marrowsim.storage.runs import Run


@dataclass(frozen=True)
class Format:
    """A format of export.

    Attributes
    ----------
    writer : module and function, "module:function", called as `function(source, folder, stem)`: it writes what
        `makes` names into that folder, which is empty.
    summary : what it is, in a line.
    makes : what follows the stem of the target in the names of the files (or folders) written; the target first.
    packages, extra : packages that it needs besides those of every run, and the extra that they belong to.
    tables : whether what is written are rows of a table, and no lattice.
    """

    writer: str
    summary: str
    makes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    extra: str = "analysis"
    tables: bool = False


FORMATS = {
    ".pvd": Format(
        "marrowsim.export.vtk_xml:write", "VTI and VTP by frame, for ParaView", (".pvd", "_cells.pvd", "_pvd")
    ),
    ".vtkhdf": Format(
        "marrowsim.export.vtk_hdf:write", "all frames in one file, for ParaView 5.13 up", (".vtkhdf", "_cells.vtkhdf")
    ),
    ".ome.zarr": Format("marrowsim.export.ome_zarr:write", "OME-Zarr 0.5, for napari", (".ome.zarr",), ("zarr",)),
    ".nc": Format("marrowsim.export.netcdf:write", "NetCDF 4, for xarray", (".nc",), ("xarray", "h5netcdf")),
    ".html": Format(
        "marrowsim.viz.page:write",
        "one page for any browser, without a server",
        (".html",),
        ("plotly", "fast_simplification"),
        "web",
    ),
    ".csv": Format("marrowsim.export.tables:write_csv", "table as text", (".csv",), tables=True),
    ".parquet": Format(
        "marrowsim.export.tables:write_parquet", "table for pandas, R, DuckDB", (".parquet",), ("pyarrow",), tables=True
    ),
}
"""Formats by ending; of two endings that fit, the longer one counts."""


def format_of(target: Path) -> tuple[str, str]:
    """Stem and ending of a target.

    Raises
    ------
    ExportError
        Where no format has that ending.
    """
    for ending in sorted(FORMATS, key=len, reverse=True):
        if target.name.lower().endswith(ending) and len(target.name) > len(ending):
            return target.name[: -len(ending)], ending
    allowed = "; ".join(f"{ending} ({kind.summary})" for ending, kind in FORMATS.items())
    raise ExportError(Fault("the ending names no format", allowed, str(target), "for instance: --to run.pvd", "--to"))


def export(
    run: Run,
    target: str | Path,
    *,
    frames: str | Sequence[int] = "all",
    fields: Iterable[str] | None = None,
    table: str | None = None,
    force: bool = False,
    max_size: int | None = None,
    progress: Callable[[int, int], None] = lambda done, todo: None,
) -> list[Path]:
    """Write a run in the format that the ending of the target names, one frame at a time.

    Parameters
    ----------
    run : as `marrowsim.open_run` gives it.
    target : file or folder to write; its ending is one of `FORMATS`.
    frames : "all", "first", "last", or the numbers of steps.
    fields : names of fields; all where not given. Tissues, changes of bone and types of cells are always written.
    table : of tables: "cells" (where not given), "niches" or "readouts".
    force : replace what has the names of the target.
    max_size : bytes that an .html file may take; 20 MB where not given.
    progress : called with the number of frames done, and of those to do.

    Returns
    -------
    list of Path
        What was written, the target first.

    Raises
    ------
    ExportError
        Where the target is taken, cannot be written, or makes no sense; there is no new file then.
    MissingPackageError
        Where the format needs a package that is not installed.
    RunFolderError
        Where a frame is damaged.
    """
    target = Path(target).absolute()
    stem, ending = format_of(target)
    kind = FORMATS[ending]
    if max_size is not None and ending != ".html":
        raise ExportError(Fault("only .html is made to a size", "", str(target), "leave --max-size out", "--max-size"))
    source = Source.of(run, frames, fields, table, progress, tables=kind.tables, max_size=max_size)
    paths = [target, *(target.with_name(stem + suffix) for suffix in kind.makes[1:])]
    _require_free(paths, run.path, force=force)
    for package in kind.packages:
        extras.load(package, kind.extra)
    module, function = kind.writer.split(":")
    write = getattr(importlib.import_module(module), function)
    scratch = target.with_name(f".{target.name}.tmp")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "new").mkdir(parents=True)
        write(source, scratch / "new", stem)
        _put([scratch / "new" / (stem + suffix) for suffix in kind.makes], paths, scratch)
    except OSError as error:
        what = "the disk is full" if error.errno in FULL else "the export cannot be written"
        remedy = "make room and try again" if error.errno in FULL else "choose another place with --to"
        raise ExportError(Fault(what, given=f"{target}: {error.strerror or error}", remedy=remedy)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return paths


def _require_free(paths: Sequence[Path], run: Path, *, force: bool) -> None:
    """Refuse names that are taken, folders that do not exist, and places inside the run itself."""
    parent = paths[0].parent
    if not parent.is_dir():
        raise ExportError(Fault("there is no such folder for the export", "", str(parent), "make it first", "--to"))
    if parent.resolve().is_relative_to(run.resolve()):
        remedy = f"choose a place beside it: --to {run.parent / paths[0].name}"
        raise ExportError(Fault("an export does not go into the run folder", "", str(paths[0]), remedy, "--to"))
    taken = [path for path in paths if path.exists() or path.is_symlink()]
    if taken and not force:
        remedy = "replace it: --force; or choose another name with --to"
        raise ExportError(
            Fault("there is something of that name already", "", ", ".join(map(str, taken)), remedy, "--to")
        )
    strangers = [path for path in taken if path.is_dir() and not path.is_symlink() and not _exported(path)]
    if strangers:
        what = "a folder that is no export is not replaced"
        raise ExportError(Fault(what, "", ", ".join(map(str, strangers)), "choose another name with --to", "--to"))


def _exported(folder: Path) -> bool:
    """Whether a folder holds nothing but what an export has written."""
    names = {item.name for item in folder.iterdir()}
    if "zarr.json" in names:
        return "labels" in names and (folder / "labels" / "zarr.json").is_file()
    return all(name.endswith((".vti", ".vtp")) for name in names)


def _put(made: Sequence[Path], paths: Sequence[Path], scratch: Path) -> None:
    """Give what was made its names, the target last, so that a target that is there is whole."""
    for item in made:
        for file in [item] if item.is_file() else [path for path in item.rglob("*") if path.is_file()]:
            with open(file, "rb") as content:
                os.fsync(content.fileno())
    for number, (item, path) in reversed(list(enumerate(zip(made, paths, strict=True)))):
        if path.is_dir() and not path.is_symlink():
            os.rename(path, scratch / f"old{number}")
        os.replace(item, path)
    sync_folder(paths[0].parent)
