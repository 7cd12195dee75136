"""Names and places of a run folder: what is in it, who may write it, what may be deleted from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from filelock import FileLock, Timeout

from marrowsim.config import Config
from marrowsim.errors import Fault, RunFolderError
from marrowsim.storage.files import disk_errors, plain, write_atomically
from marrowsim.storage.frames import SUFFIX

LOCK = ".lock"
FILES = ("run.json", "scenario.toml", "geometry.h5", "readouts.csv", "run.log", "picture.png", "bone.png", LOCK)
FOLDERS = {"frames": SUFFIX, "checkpoints": ".h5"}
CODE = "extensions"
"""Folder of the Python files that the scenario names, where it does."""
ALL_FOLDERS = {**FOLDERS, CODE: ".py"}


def require_free(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a path that a new run folder cannot have, before any work is done.

    Raises
    ------
    RunFolderError
    """
    path = Path(path).absolute()
    with disk_errors(path):
        path.exists()
        parent = next(item for item in path.parents if item.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "the run folder cannot be made"
        raise RunFolderError(Fault(what, "a folder that you may write to", str(path), "choose another one with -o DIR"))
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    run = path.is_dir() and (path / "run.json").is_file()
    if not overwrite:
        remedy = (
            f"go on with it: marrowsim resume {path}; or replace it: --overwrite; or choose another one with -o DIR"
        )
        raise RunFolderError(
            Fault(
                "the run folder exists already" if run else "there is something else in the place of the run folder",
                "a path that does not exist yet",
                str(path),
                remedy if run else "choose another one with -o DIR",
            )
        )
    strangers = [str(item.relative_to(path)) for item in sorted(path.rglob("*")) if not _ours(item, path)]
    if not run or strangers:
        given = f"{path}" + (f" with {', '.join(strangers[:5])}" if run and strangers else "")
        remedy = "move what is yours out of it, or choose another one with -o DIR"
        raise RunFolderError(Fault("only a run folder is overwritten, and nothing else with it", "", given, remedy))
    locked(path).release()


def _ours(item: Path, folder: Path) -> bool:
    """Whether a file or folder inside a run folder was written by marrowsim."""
    parts = item.relative_to(folder).parts
    if len(parts) == 1:
        scratch = parts[0].startswith(".") and parts[0].endswith(".tmp")
        return scratch or parts[0] in FILES or (parts[0] in ALL_FOLDERS and item.is_dir())
    suffixes = (ALL_FOLDERS.get(parts[0], "/"), ".tmp")
    return len(parts) == 2 and item.is_file() and item.name.endswith(suffixes)


def delete(path: Path) -> None:
    """Remove a run folder, file by file, and only what marrowsim wrote."""
    items = sorted(path.rglob("*"), reverse=True)
    for item in items:
        if _ours(item, path):
            item.rmdir() if item.is_dir() else item.unlink()
    path.rmdir()


def locked(path: Path) -> FileLock:
    """The lock of a run folder, held.

    Raises
    ------
    RunFolderError
        Where another process is writing there.
    """
    lock = FileLock(path / LOCK, timeout=0)
    with disk_errors(path):
        try:
            lock.acquire()
        except Timeout:
            remedy = "wait until that run has ended, or stop it first"
            raise RunFolderError(Fault("another process is writing this run", given=str(path), remedy=remedy)) from None
    return lock


def write_scenario(folder: Path, config: Config) -> None:
    """Write a fully resolved scenario, and the code of its extensions beside it; it loads to an equal configuration."""
    scenario = config.resolved()
    write_code(folder, scenario)
    for item in scenario.get(CODE, []):
        del item["source"]
        item["file"] = f"{CODE}/{item.pop('name')}"
    text = "# The scenario of this run, with every default and in canonical units.\n"
    write_atomically(folder / "scenario.toml", text + tomli_w.dumps(scenario))


def write_code(folder: Path, scenario: Mapping[str, Any]) -> None:
    """Write the Python files of a resolved scenario into a folder below this one, where it has any."""
    for item in scenario.get(CODE, []):
        (folder / CODE).mkdir(exist_ok=True)
        write_atomically(folder / CODE / item["name"], item["source"])


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write run.json."""
    write_atomically(folder / "run.json", json.dumps(record, indent=2, default=plain) + "\n")


def is_locked(path: Path) -> bool:
    """Whether a process is writing a run folder."""
    if not (path / LOCK).exists():
        return False
    try:
        with FileLock(path / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
