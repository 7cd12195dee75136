"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import io
import math
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from marrowsim.errors import Fault, RunFolderError

CHUNK = 1 << 18
"""At most so many values are compressed in one piece, but for planes that are larger."""
CHUNKS_PER_THREAD = 4
SHRINKS = 0.8
"""Bytes of one significance are stored as they are where coding would leave more than this share of them."""
SAMPLE = 8192
END_OF_BLOCKS = b"\x03\x00"
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


class _Guarded(io.FileIO):
    """A file that HDF5 writes to: from the first refusal of the disk on it takes everything, and keeps nothing.

    HDF5 cannot live with a refusal: it writes again when it closes its file, and brings the process down at exit
    where that fails too.
    """

    refused: OSError | None = None

    def write(self, content) -> int:
        rest = memoryview(content).cast("B")
        length = rest.nbytes
        try:
            while rest and self.refused is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.refused = error
        return length

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.refused = self.refused or error
            return 0


class GrowingHDF5(h5py.File):
    """A file of `growing_hdf5`."""

    def __init__(self, content: _Guarded):
        super().__init__(content, "w", libver=("earliest", "v110"))
        self._content = content

    def require_written(self) -> None:
        """Raise the `OSError` with which the disk has refused something so far, if it has."""
        if self._content.refused is not None:
            raise self._content.refused


@contextmanager
def growing_hdf5(path: Path) -> Iterator[GrowingHDF5]:
    """A new HDF5 file written at `path` as it is filled, so that it may be larger than the memory.

    The format is as in `new_hdf5`. What the disk refuses is told by `GrowingHDF5.require_written`, and at the end.

    Raises
    ------
    OSError
        Where the disk refused; what is at `path` is no whole file then.
    """
    with _Guarded(path, "x+") as content:
        with GrowingHDF5(content) as file:
            yield file
        if content.refused is not None:
            raise content.refused


def write_array(
    group: h5py.Group,
    name: str,
    values: np.ndarray,
    *,
    threads: int = 1,
    change: Callable[[np.ndarray], np.ndarray] = np.ascontiguousarray,
) -> None:
    """Write a compressed dataset, in chunks along the first axis; the bytes do not depend on the threads.

    Bytes of one significance are put together, and only runs of them coded (zlib's `Z_RLE`), or nothing where that
    would save little, as in the lower half of a field's mantissa: on fields that is smaller than HDF5's own gzip-1
    and several times as fast, and any HDF5 library reads it.

    Parameters
    ----------
    group, name : where.
    values : array of numbers.
    threads : how many chunks are compressed at a time.
    change : made to each chunk before it is written, so that it needs no copy of the whole.
    """
    if values.size == 0:
        group.create_dataset(name, data=values)
        return
    most = int(np.clip(CHUNK // max(1, values[0].size), 1, len(values)))
    rows = math.ceil(len(values) / math.ceil(len(values) / most))
    data = group.create_dataset(
        name, values.shape, values.dtype, chunks=(rows, *values.shape[1:]), compression="gzip", shuffle=True
    )
    starts = range(0, len(values), rows)

    def packed(start: int) -> bytes:
        chunk = change(values[start : start + rows])
        if len(chunk) < rows:
            chunk = np.concatenate([chunk, np.zeros((rows - len(chunk), *chunk.shape[1:]), dtype=chunk.dtype)])
        return _zlib_stream(np.ascontiguousarray(chunk).view(np.uint8).reshape(-1, chunk.itemsize).T)

    if len(starts) == 1:
        data.id.write_direct_chunk((0,) * values.ndim, packed(0))
        return
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(starts), threads * CHUNKS_PER_THREAD):
            some = starts[first : first + threads * CHUNKS_PER_THREAD]
            for start, content in zip(some, pool.map(packed, some), strict=True):
                data.id.write_direct_chunk((start, *(0,) * (values.ndim - 1)), content)


def _zlib_stream(planes: np.ndarray) -> bytes:
    """Planes of bytes (uint8 [plane, byte]), one after another, as a zlib stream (RFC 1950)."""
    planes = np.ascontiguousarray(planes)
    parts = [b"\x78\x01"]
    for plane in planes:
        sample = np.ascontiguousarray(plane[:: plane.size // SAMPLE | 1])
        parts.append(_coded(plane, level=1 if len(_coded(sample, level=1)) < SHRINKS * sample.size else 0))
    return b"".join([*parts, END_OF_BLOCKS, zlib.adler32(planes).to_bytes(4, "big")])


def _coded(content: np.ndarray, *, level: int) -> bytes:
    """Blocks of a zlib stream; stored bytes at level 0."""
    coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return coder.compress(content) + coder.flush(zlib.Z_SYNC_FLUSH)


def plain(value: Any) -> Any:
    """What JSON does not know, as what it knows."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
