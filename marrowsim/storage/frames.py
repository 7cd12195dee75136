"""Frames: one step of the lattice, for pictures and analysis, as a VTKHDF file that ParaView opens."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from marrowsim import tissues
from marrowsim.errors import Fault, RunFolderError
from marrowsim.state import State, Status
from marrowsim.storage.files import new_hdf5, write_array

FORMAT = 1
SUFFIX = ".vtkhdf"
OTHER_ARRAYS = ("tissue", "bone_change", "cell_type")
"""Arrays of the lattice that are not fields."""
STATUSES = tuple(status.name.lower() for status in Status)


@dataclass(frozen=True, eq=False)
class Frame:
    """One step of a run, as its picture needs it.

    Attributes
    ----------
    step : int
        Number of the step.
    time : float
        Simulated time in minutes.
    spacing : float
        Voxel edge in um.
    tissue : uint8, shape (nz, ny, nx)
        Codes of `marrowsim.tissues`.
    fields : dict of float32, shape (nz, ny, nx)
        Concentrations by name, in the field's unit; rounded to 12 bits of mantissa (2e-4) on the disk.
    cells : DataFrame
        `id`, `type` and `status` (free, bound, arrested, circulating), `x`, `y`, `z` of the voxel centre in
        um (NaN in the blood), `cxcr4`; sorted by id.
    slots : DataFrame
        Niche slots: `x`, `y`, `z` in um, `occupied`.
    bone_change : int8, shape (nz, ny, nx), or None
        -1 where bone of the start of the run is gone, 1 where bone is that was not there, 0 elsewhere. None where
        bone is not remodelled and is as it was.
    """

    step: int
    time: float
    spacing: float
    tissue: np.ndarray
    fields: dict[str, np.ndarray]
    cells: pd.DataFrame
    slots: pd.DataFrame
    bone_change: np.ndarray | None = None

    @classmethod
    def of(cls, state: State) -> Frame:
        """The frame of a state; arrays of the lattice are shared, not copied."""
        table = dict(state.cells.arrays())
        order = state.cells.by_id()
        holders = state.occupant.reshape(-1)[state.slots]
        occupied = holders >= 0
        occupied[occupied] = table["status"][holders[occupied]] == Status.BOUND
        return _frame(
            state.step,
            state.minutes,
            state.config.geometry.voxel,
            state.tissue,
            state.fields,
            {name: table[name][order] for name in ("id", "type", "status", "site", "cxcr4")},
            state.config.cell_names,
            state.slots,
            occupied,
            bone_change(state),
        )


def bone_change(state: State) -> np.ndarray | None:
    """Where bone went and came since the start, as `Frame.bone_change`."""
    now, start = state.tissue == tissues.BONE, state.geometry.tissue == tissues.BONE
    change = now.astype(np.int8) - start.astype(np.int8)
    return change if state.config.processes["remodelling"].enabled or change.any() else None


def _frame(step, time, spacing, tissue, fields, cells, types, slots, occupied, change) -> Frame:
    table = pd.DataFrame(
        {
            "id": cells["id"],
            "type": pd.Categorical.from_codes(cells["type"].astype(np.int16), list(types)),
            "status": pd.Categorical.from_codes(cells["status"].astype(np.int16), list(STATUSES)),
            **centres(cells["site"], tissue.shape, spacing),
            "cxcr4": cells["cxcr4"],
        }
    )
    niches = pd.DataFrame({**centres(slots, tissue.shape, spacing), "occupied": np.asarray(occupied, dtype=bool)})
    return Frame(step, time, spacing, tissue, dict(fields), table, niches, change)


def centres(sites: np.ndarray, shape: tuple[int, ...], spacing: float) -> dict[str, np.ndarray]:
    """Coordinates (um) of the centres of voxels by flat index: `x`, `y`, `z`; NaN for -1."""
    z, y, x = np.unravel_index(np.maximum(sites, 0), shape)
    axes = {"x": x, "y": y, "z": z}
    return {name: np.where(sites < 0, np.nan, (axis + 0.5) * spacing) for name, axis in axes.items()}


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 values with their mantissa rounded to 12 bits, half to even: they compress to half the size."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32(0x3FF) + ((bits >> np.uint32(11)) & np.uint32(1))
    return ((bits + half) & np.uint32(0xFFFFF800)).view(np.float32)


def write_frame(path: Path, frame: Frame, threads: int = 1) -> None:
    """Write a frame; equal frames give equal bytes, for any number of threads.

    Raises
    ------
    OSError
        Where the disk refuses; there is no file of that name then.
    """
    shape = frame.tissue.shape
    with new_hdf5(path) as file:
        grid = file.create_group("VTKHDF")
        grid.attrs["Version"] = np.array([2, 0], dtype=np.int64)
        grid.attrs.create("Type", np.bytes_("ImageData"), dtype=h5py.string_dtype("ascii", len("ImageData")))
        grid.attrs["WholeExtent"] = np.array([0, shape[2], 0, shape[1], 0, shape[0]], dtype=np.int64)
        grid.attrs["Origin"] = np.zeros(3)
        grid.attrs["Spacing"] = np.full(3, frame.spacing)
        grid.attrs["Direction"] = np.eye(3).ravel()
        voxels = grid.create_group("CellData")
        write_array(voxels, "tissue", frame.tissue, threads=threads)
        if frame.bone_change is not None:
            write_array(voxels, "bone_change", frame.bone_change, threads=threads)
        for name, field in sorted(frame.fields.items()):
            write_array(voxels, name, field, threads=threads, change=rounded)
        types = list(frame.cells["type"].cat.categories)
        sites = _sites(frame.cells, shape, frame.spacing)
        codes = frame.cells["type"].cat.codes.to_numpy(dtype=np.uint8)
        write_array(voxels, "cell_type", _cell_types(sites, codes, shape), threads=threads)

        ours = file.create_group("marrowsim")
        ours.attrs.update(format=FORMAT, step=frame.step, time=frame.time, cell_types=json.dumps(types))
        cells = ours.create_group("cells")
        write_array(cells, "id", frame.cells["id"].to_numpy(dtype=np.int64))
        write_array(cells, "type", codes)
        write_array(cells, "status", frame.cells["status"].cat.codes.to_numpy(dtype=np.uint8))
        write_array(cells, "site", sites)
        write_array(cells, "cxcr4", frame.cells["cxcr4"].to_numpy(dtype=np.float32))
        slots = ours.create_group("slots")
        write_array(slots, "site", _sites(frame.slots, shape, frame.spacing))
        write_array(slots, "occupied", frame.slots["occupied"].to_numpy(dtype=np.uint8))


def _sites(table: pd.DataFrame, shape: tuple[int, ...], spacing: float) -> np.ndarray:
    """Flat voxel indices of the rows of a table with coordinates: int64, -1 where they are NaN."""
    inside = table["x"].notna().to_numpy()
    z, y, x = (np.floor(table[axis].to_numpy()[inside] / spacing).astype(np.int64) for axis in "zyx")
    sites = np.full(len(table), -1, dtype=np.int64)
    sites[inside] = np.ravel_multi_index((z, y, x), shape)
    return sites


def _cell_types(sites: np.ndarray, codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cells on the grid, so that ParaView shows them: 0, or the code of the type plus 1."""
    grid = np.zeros(shape, dtype=np.uint8)
    grid.reshape(-1)[sites[sites >= 0]] = codes[sites >= 0] + 1
    return grid


def read_frame(path: str | Path, fields: Collection[str] | None = None) -> Frame:
    """Read a frame.

    Parameters
    ----------
    path : file of the frame.
    fields : names of the fields to read, where they are in the frame; all of them where not given.

    Raises
    ------
    RunFolderError
        Where the file is damaged, or no frame of this format.
    """
    with _opened(Path(path)) as file:
        ours, voxels = file["marrowsim"], file["VTKHDF/CellData"]
        names = [name for name in voxels if name not in OTHER_ARRAYS and (fields is None or name in fields)]
        return _frame(
            int(ours.attrs["step"]),
            float(ours.attrs["time"]),
            float(file["VTKHDF"].attrs["Spacing"][0]),
            voxels["tissue"][...],
            {name: voxels[name][...] for name in names},
            {name: data[...] for name, data in ours["cells"].items()},
            json.loads(ours.attrs["cell_types"]),
            ours["slots/site"][...],
            ours["slots/occupied"][...],
            voxels["bone_change"][...] if "bone_change" in voxels else None,
        )


@dataclass(frozen=True)
class FrameHeader:
    """What a frame holds, without its arrays.

    Attributes
    ----------
    step, time, spacing
        As in `Frame`.
    shape : tuple of int
        Voxels along z, y, x.
    voxels : dict of dtype
        Type of each array of the lattice by name: fields, and those of `OTHER_ARRAYS`.
    cell_types : tuple of str
        Names of the cell types by code; the array `cell_type` holds 0, or the code plus 1.
    """

    step: int
    time: float
    spacing: float
    shape: tuple[int, int, int]
    voxels: dict[str, np.dtype]
    cell_types: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(name for name in self.voxels if name not in OTHER_ARRAYS)


def read_header(path: str | Path) -> FrameHeader:
    """Read what a frame holds; raises as `read_frame`."""
    with _opened(Path(path)) as file:
        ours, voxels = file["marrowsim"], file["VTKHDF/CellData"]
        return FrameHeader(
            int(ours.attrs["step"]),
            float(ours.attrs["time"]),
            float(file["VTKHDF"].attrs["Spacing"][0]),
            voxels["tissue"].shape,
            {name: array.dtype for name, array in voxels.items()},
            tuple(json.loads(ours.attrs["cell_types"])),
        )


def series_of(paths: Sequence[Path]) -> tuple[FrameHeader, ...]:
    """What several frames hold, of which all have the lattice, the fields and the cell types of the first.

    Raises
    ------
    RunFolderError
        As `read_frame`, and where they make no series.
    """
    headers = tuple(read_header(path) for path in paths)
    for header, path in zip(headers, paths, strict=True):
        for part in ("shape", "spacing", "fields", "cell_types"):
            if getattr(header, part) != getattr(headers[0], part):
                what = f"the frames differ in {part.replace('_', ' ')}, so that they make no series"
                remedy = "take those that fit together"
                raise RunFolderError(Fault(what, "", str(getattr(header, part)), remedy, str(path)))
    return headers


def read_voxels(path: str | Path, name: str, key: tuple[int | slice, ...] = (...,)) -> np.ndarray:
    """Read one array of the lattice, or the part of it that `key` (z, y, x) cuts out; raises as `read_frame`.

    A frame without `bone_change` gives zeros for it: there bone is as it was.
    """
    with _opened(Path(path)) as file:
        voxels = file["VTKHDF/CellData"]
        if name == "bone_change" and name not in voxels:
            return np.zeros_like(voxels["tissue"][key], dtype=np.int8)
        return voxels[name][key]


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file of a frame, open to read; what goes wrong with it is a `RunFolderError`."""
    try:
        with h5py.File(path, "r") as file:
            ours = file["marrowsim"]
            if ours.attrs["format"] != FORMAT:
                raise RunFolderError(
                    Fault(
                        "the frame is of another format",
                        f"format {FORMAT}",
                        f"format {ours.attrs['format']}",
                        "open it with the marrowsim that wrote it (see run.json)",
                        str(path),
                    )
                )
            yield file
    except (OSError, KeyError, ValueError, RuntimeError, IndexError) as error:
        remedy = "delete it; the other frames are not touched by this"
        if not path.exists():
            remedy = "see the folder frames/ for those there are"
        raise RunFolderError(
            Fault("the frame cannot be read", given=str(error), remedy=remedy, where=str(path))
        ) from error
