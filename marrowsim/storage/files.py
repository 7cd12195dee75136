"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from marrowsim.errors import Fault, RunFolderError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_errors(path: Path, remedy: str = "") -> Iterator[None]:
    """Turns an `OSError` of writing below `path` into a `RunFolderError` that says what to do."""
    try:
        yield
    except OSError as error:
        given = f"{path}: {error.strerror or error}"
        if error.errno in FULL:
            remedy = f"make room{', then: ' + remedy if remedy else ' and try again'}"
            raise RunFolderError(Fault("the disk is full", given=given, remedy=remedy)) from error
        remedy = f"choose a folder that you may write to{', or: ' + remedy if remedy else ' (-o DIR)'}"
        raise RunFolderError(Fault("the run folder cannot be written", given=given, remedy=remedy)) from error


def write_atomically(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it into place.

    After a crash at any moment there is the old file, or the new one, whole.

    Raises
    ------
    OSError
        Where the disk refuses; the old file is untouched then.
    """
    scratch = path.with_name(f".{path.name}.tmp")
    try:
        with open(scratch, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush the entries of a folder to the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that appears at `path` when the block ends without an error.

    It is made in memory, compressed, and written in one piece: HDF5 that meets a full disk cannot
    close its file and brings the process down at exit. The format is the oldest that holds it, which
    VTK reads also when compressed, and carries no times, so that equal content gives equal bytes.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v110")) as file:
        yield file
    write_atomically(path, buffer.getbuffer())


def plain(value: Any) -> Any:
    """What JSON does not know, as what it knows."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
