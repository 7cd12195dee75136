"""The frames of a run as an xarray Dataset, each array read from the disk when it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from marrowsim import tissues
from marrowsim.config import Config
from marrowsim.errors import Fault, RunFolderError, nearest
from marrowsim.storage.frames import OTHER_ARRAYS, FrameHeader, read_voxels, series_of

MINUTES_PER_HOUR = 60.0
DIMENSIONS = ("time", "z", "y", "x")


def lattice_dataset(
    paths: Sequence[Path], config: Config, provenance: dict[str, Any], fields: Collection[str] | None
) -> xr.Dataset:
    """The lattice over time (see `Run.to_xarray`).

    Parameters
    ----------
    paths : files of the frames, oldest first.
    config : configuration of the run, for units and labels.
    provenance : attributes of the dataset.
    fields : names of the fields; all where None.
    """
    headers = series_of(paths)
    header = headers[0]
    if unknown := set(fields or ()).difference(header.fields):
        name = min(unknown)
        what = f"the run has no field '{name}'"
        raise RunFolderError(Fault(what, ", ".join(header.fields), name, nearest(name, header.fields)))
    held = {name: dtype for other in headers for name, dtype in other.voxels.items()}
    variables = {
        name: xr.Variable(
            DIMENSIONS,
            indexing.LazilyIndexedArray(_Voxels(paths, name, (len(paths), *header.shape), dtype)),
            _attributes(name, header, config),
        )
        for name, dtype in sorted(held.items())
        if name in OTHER_ARRAYS or fields is None or name in fields
    }
    times = np.array([other.time for other in headers]) / MINUTES_PER_HOUR
    coordinates = {
        "time": ("time", times, {"units": "h", "long_name": "simulated time"}),
        "step": (
            "time",
            np.array([other.step for other in headers], dtype=np.int64),
            {"long_name": "number of the step"},
        ),
    }
    for axis, length in zip("zyx", header.shape, strict=True):
        centres = (np.arange(length) + 0.5) * header.spacing
        coordinates[axis] = (axis, centres, {"units": "um", "long_name": f"{axis} of the voxel centre"})
    return xr.Dataset(variables, coordinates, {"Conventions": "CF-1.11", **provenance, "voxel_um": header.spacing})


def _attributes(name: str, header: FrameHeader, config: Config) -> dict[str, Any]:
    """Unit and name of an array; of codes also what they stand for, as CF wants it."""
    if name == "tissue":
        return {"long_name": "tissue", **_flags(tissues.NAMES, np.uint8)}
    if name == "cell_type":
        names = dict(enumerate(["none", *header.cell_types]))
        return {"long_name": "type of the cell in the voxel", **_flags(names, np.uint8)}
    if name == "bone_change":
        names = {-1: "lost", 0: "unchanged", 1: "new"}
        return {"long_name": "bone compared with the start of the run", **_flags(names, np.int8)}
    kind = config.fields.get(name)
    return {"long_name": kind.label, "units": kind.unit} if kind else {"long_name": name}


def _flags(names: dict[int, str], dtype: type) -> dict[str, Any]:
    words = " ".join(word.replace(" ", "_") for word in names.values())
    return {"flag_values": np.array(list(names), dtype=dtype), "flag_meanings": words}


class _Voxels(BackendArray):
    """One array of the lattice over the frames, read as far as it is indexed."""

    def __init__(self, paths: Sequence[Path], name: str, shape: tuple[int, ...], dtype: np.dtype):
        self.paths = list(paths)
        self.name = name
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        when, where = key[0], key[1:]
        if not isinstance(when, slice):
            return read_voxels(self.paths[when], self.name, where)
        parts = [read_voxels(path, self.name, where) for path in self.paths[when]]
        return np.stack(parts) if parts else np.zeros((0, *self.shape[1:]), self.dtype)[:, *where]
