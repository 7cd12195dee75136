"""`measure`: morphometry of an image or of the bone of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from pydantic_core import PydanticCustomError
from rich.table import Table

from marrowsim import tissues
from marrowsim.bone_morphometry import UNITS, fabric, morphometry
from marrowsim.cli.console import output
from marrowsim.cli.options import in_micrometres
from marrowsim.errors import Fault, ImageError, ScenarioError
from marrowsim.geometry.image import read_bone
from marrowsim.geometry.reading import read_volume
from marrowsim.simulation import default_threads
from marrowsim.storage.checkpoints import read_geometry
from marrowsim.storage.runs import open_run
from marrowsim.units import In

MINUTES_PER_DAY = 1440.0


@dataclass(frozen=True)
class Specimen:
    """What is measured: tissue codes by the name of their column, inside what region, at which voxel edge (um)."""

    tissue: dict[str, np.ndarray]
    region: np.ndarray
    spacing: float


def print_morphometry(
    target: str, spacing: str | None, *, region: str | None, box: str | None, step: int | None, as_json: bool
) -> None:
    """Measure the bone of an image at its own voxel size, or that of a run on its lattice, at the start and later."""
    specimen = _specimen(Path(target), spacing, step)
    inside, edge = specimen.region, specimen.spacing
    if region is not None:
        inside = inside & _mask(region, inside.shape)
    if box is not None:
        inside = inside & _within(box, inside.shape, edge)
    threads = default_threads(inside.size)
    measured = {
        name: morphometry(tissue == tissues.BONE, edge, None if inside.all() else inside, threads)
        for name, tissue in specimen.tissue.items()
    }
    if as_json:
        region_or_all = None if inside.all() else inside
        plain = {
            name: {
                **{key: value if np.isfinite(value) else None for key, value in values.items()},
                "fabric axes (x, y, z)": _axes(specimen.tissue[name] == tissues.BONE, edge, region_or_all),
            }
            for name, values in measured.items()
        }
        values = plain if len(plain) > 1 else next(iter(plain.values()))
        typer.echo(json.dumps({"file": target, "spacing (um)": edge, **values}, indent=2))
        return
    lattice = " x ".join(map(str, inside.shape[::-1]))
    share = "" if inside.all() else f", {np.count_nonzero(inside)} of them measured"
    output().print(f"{target}: {lattice} voxels of {edge:g} um{share}", markup=False)
    table = Table("", *measured, "unit")
    for name, unit in UNITS.items():
        table.add_row(name, *(f"{values[name]:.4g}" for values in measured.values()), unit)
    output().print(table)


def _axes(bone, edge: float, region) -> list[list[float]] | None:
    """Unit vectors along MIL1, MIL2 and MIL3; none where bone has no surface."""
    axes = fabric(bone, edge, region).axes
    return axes.tolist() if np.isfinite(axes).all() else None


def _specimen(target: Path, spacing: str | None, step: int | None) -> Specimen:
    """The bone of an image or a run folder."""
    if not (target / "run.json").exists():
        if step is not None:
            what, remedy = "an image has no steps", "leave --step out"
            raise ScenarioError(Fault(what, "--step with a run only", str(step), remedy, "--step"))
        bone = read_bone(target, spacing=None if spacing is None else _edges(spacing), voxel=None)
        return Specimen({"value": bone.tissue}, tissues.IS_OF_BONE[bone.tissue].astype(bool), bone.spacing)
    if spacing is not None:
        what, remedy = "a run knows its voxel size", "leave --spacing out"
        raise ScenarioError(Fault(what, "--spacing with an image only", spacing, remedy, "--spacing"))
    run = open_run(target)
    geometry = read_geometry(run.path / "geometry.h5")
    inside = tissues.IS_OF_BONE[geometry.tissue].astype(bool)
    if step is not None or run.frames.steps:
        frame = run.frames.at(run.frames.steps[-1] if step is None else step)
        later = {f"{frame.time / MINUTES_PER_DAY:g} d": frame.tissue}
        columns = later if step is not None or frame.step == 0 else {"0 d": geometry.tissue, **later}
        return Specimen(columns, inside, geometry.spacing)
    return Specimen({"0 d": geometry.tissue}, inside, geometry.spacing)


def _mask(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """The voxels of a mask image that are not 0."""
    mask = read_volume(path).values != 0
    if mask.shape != shape:
        raise ImageError(
            Fault(
                "the region does not fit the bone",
                f"{' x '.join(map(str, shape[::-1]))} voxels",
                " x ".join(map(str, mask.shape[::-1])),
                "save the mask on the grid of the bone, or give a --box",
                path,
            )
        )
    return mask


def _within(text: str, shape: tuple[int, ...], spacing: float) -> np.ndarray:
    """The voxels whose centres lie in a box x0,y0,z0,x1,y1,z1 (um)."""
    try:
        low, high = np.array([float(part) for part in text.split(",")]).reshape(2, 3)
    except ValueError:
        remedy = "for instance --box 0,0,0,500,500,500"
        raise ScenarioError(Fault("a box has two corners", "x0,y0,z0,x1,y1,z1 in um", text, remedy, "--box")) from None
    centres = np.meshgrid(*((np.arange(length) + 0.5) * spacing for length in shape), indexing="ij", sparse=True)
    inside = np.ones(shape, dtype=bool)
    for centre, start, stop in zip(centres[::-1], low, high, strict=True):
        inside &= (centre >= start) & (centre < stop)
    if not inside.any():
        extent = " x ".join(f"{length * spacing:g}" for length in shape[::-1])
        allowed = f"x0,y0,z0,x1,y1,z1 within {extent} um, the lower corner first"
        raise ScenarioError(Fault("the box holds no voxel centre", allowed, text, "", "--box"))
    return inside


def _edges(text: str) -> list[float]:
    """One voxel edge or three, in um."""
    quantity = In("um", low=1e-3)
    lengths = in_micrometres(text)
    lengths = [lengths] * 3 if isinstance(lengths, str) else lengths
    try:
        edges = [quantity.parse(length) for length in lengths]
    except PydanticCustomError as error:
        remedy = "for instance --spacing 19.5"
        raise ScenarioError(Fault(error.message(), quantity.allowed(), text, remedy, "--spacing")) from None
    if len(edges) != 3:
        raise ScenarioError(Fault("the voxel size has one edge or three", "19.5, or x,y,z", text, "", "--spacing"))
    return edges
