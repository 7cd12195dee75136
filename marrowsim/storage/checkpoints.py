"""Checkpoints: everything that changes, to the last bit; and the geometry, which does not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from marrowsim import __version__
from marrowsim.config import Config
from marrowsim.errors import Fault, RunFolderError
from marrowsim.geometry.build import Geometry
from marrowsim.state import State
from marrowsim.storage.files import new_hdf5, plain, write_array

FORMAT = 1
KEPT = 2
DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, IndexError, AttributeError)


class DamagedFileError(RunFolderError):
    """A checkpoint or geometry that is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """A state, and the readouts up to it as the text of readouts.csv."""

    state: State
    readouts: str


def identity(config: Config) -> str:
    """Digest of a configuration without its duration, which a resumed run may change."""
    endless = config.time.model_copy(update={"duration": 0.0})
    return config.model_copy(update={"time": endless}).digest()


def write_checkpoint(folder: Path, state: State, readouts: str, threads: int = 1) -> Path:
    """Write the state under its step number, then drop all but the last `KEPT` checkpoints.

    Raises
    ------
    OSError
        Where the disk refuses; the earlier checkpoints are untouched then.
    """
    path = folder / f"{state.step:08d}.h5"
    with new_hdf5(path) as file:
        file.attrs.update(
            kind="checkpoint",
            format=FORMAT,
            marrowsim=__version__,
            config=identity(state.config),
            step=state.step,
            next_id=state.next_id,
            tallies=json.dumps(state.tallies),
            hash=state.hash(),
        )
        for name, array in state.parts():
            write_array(file, name, array, threads=threads)
        write_array(file, "readouts", np.frombuffer(readouts.encode(), dtype=np.uint8))
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("[0-9]*.h5"))


def read_checkpoint(path: Path, config: Config, geometry: Geometry) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises
    ------
    DamagedFileError
        Where it is not what was written.
    RunFolderError
        Where it is of another version, or of another configuration.
    """
    try:
        with h5py.File(path, "r") as file:
            _require_format(file, "checkpoint", path)
            if file.attrs["config"] != identity(config):
                raise RunFolderError(
                    Fault(
                        "the checkpoint belongs to another scenario than scenario.toml beside it",
                        remedy="undo the change to scenario.toml, or start anew with: "
                        f"marrowsim run {path.parent.parent / 'scenario.toml'}",
                        where=str(path),
                    )
                )
            scalars = {name: file.attrs[name] for name in ("step", "next_id")}
            scalars["tallies"] = json.loads(file.attrs["tallies"])
            arrays = {name: data for name, data in _arrays(file).items() if name != "readouts"}
            readouts = file["readouts"][...].tobytes().decode()
            state = State.restored(config, geometry, scalars, arrays)
            if state.hash() != file.attrs["hash"]:
                raise ValueError("the state does not have the hash that was written with it")
    except DAMAGE as error:
        raise _damaged("checkpoint", path, error) from error
    return Checkpoint(state, readouts)


def checkpoint_hash(path: Path) -> tuple[int, str]:
    """Step and state hash that a checkpoint carries, without reading the state."""
    try:
        with h5py.File(path, "r") as file:
            return int(file.attrs["step"]), str(file.attrs["hash"])
    except DAMAGE as error:
        raise _damaged("checkpoint", path, error) from error


def checkpoint_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the state in a checkpoint, by name."""
    try:
        with h5py.File(path, "r") as file:
            return {name: data for name, data in _arrays(file).items() if name != "readouts"}
    except DAMAGE as error:
        raise _damaged("checkpoint", path, error) from error


def write_geometry(path: Path, geometry: Geometry) -> None:
    """Write what is constant on the lattice, so that resuming needs no image and grows nothing anew."""
    arrays = _geometry_arrays(geometry)
    with new_hdf5(path) as file:
        file.attrs.update(
            kind="geometry",
            format=FORMAT,
            marrowsim=__version__,
            spacing=geometry.spacing,
            report=json.dumps(geometry.report, default=plain),
            residents=json.dumps(list(geometry.residents)),
            hash=_digest(arrays),
        )
        for name, array in arrays.items():
            write_array(file, name, array)


def read_geometry(path: Path) -> Geometry:
    """Read and verify the geometry of a run.

    Raises
    ------
    DamagedFileError
        Where it is not what was written.
    RunFolderError
        Where it is of another version.
    """
    try:
        with h5py.File(path, "r") as file:
            _require_format(file, "geometry", path)
            arrays = _arrays(file)
            if _digest(arrays) != file.attrs["hash"]:
                raise ValueError("it does not have the hash that was written with it")
            return Geometry(
                tissue=arrays["tissue"],
                spacing=float(file.attrs["spacing"]),
                residents={name: arrays[f"residents/{name}"] for name in json.loads(file.attrs["residents"])},
                slots=arrays["slots"],
                held=arrays["held"],
                report=json.loads(file.attrs["report"]),
            )
    except DAMAGE as error:
        raise _damaged("geometry", path, error) from error


def _geometry_arrays(geometry: Geometry) -> dict[str, np.ndarray]:
    residents = {f"residents/{name}": sites for name, sites in geometry.residents.items()}
    return {"tissue": geometry.tissue, "slots": geometry.slots, "held": geometry.held, **residents}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _arrays(file: h5py.File) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    file.visititems(lambda name, item: arrays.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return arrays


def _require_format(file: h5py.File, kind: str, path: Path) -> None:
    found, version = int(file.attrs["format"]), str(file.attrs["marrowsim"])
    if file.attrs["kind"] != kind:
        raise ValueError(f"it is not a {kind}")
    if (found, version) != (FORMAT, __version__):
        raise RunFolderError(
            Fault(
                f"the {kind} was written by another version, which need not compute the same bits",
                f"marrowsim {__version__} (format {FORMAT})",
                f"marrowsim {version} (format {found})",
                f"install marrowsim {version}, or start anew with: marrowsim run {_folder(path) / 'scenario.toml'}",
                str(path),
            )
        )


def _folder(path: Path) -> Path:
    return path.parent.parent if path.parent.name == "checkpoints" else path.parent


def _damaged(kind: str, path: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(
        Fault(
            f"the {kind} is damaged or missing",
            given=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy=f"start anew with: marrowsim run {_folder(path) / 'scenario.toml'}",
            where=str(path),
        )
    )
