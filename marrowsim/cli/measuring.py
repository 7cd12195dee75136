"""`measure`: morphometry of an image or of the bone of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import typer
from pydantic_core import PydanticCustomError
from rich.table import Table

from marrowsim import tissues
from marrowsim.bone_morphometry import UNITS, morphometry
from marrowsim.cli.console import output
from marrowsim.cli.options import in_micrometres
from marrowsim.errors import Fault, ScenarioError
from marrowsim.geometry.image import read_bone
from marrowsim.storage.checkpoints import read_geometry
from marrowsim.storage.runs import open_run
from marrowsim.units import In


def print_morphometry(target: str, spacing: str | None, *, as_json: bool) -> None:
    """Measure the bone of an image at its own voxel size, or that of a run on its lattice."""
    tissue, edge = _tissue(Path(target), spacing)
    inside = tissues.IS_OF_BONE[tissue].astype(bool)
    measured = morphometry(tissue == tissues.BONE, edge, None if inside.all() else inside)
    if as_json:
        plain = {name: None if np.isnan(value) else value for name, value in measured.items()}
        typer.echo(json.dumps({"file": target, "spacing (um)": edge, **plain}, indent=2))
        return
    lattice = " x ".join(map(str, tissue.shape[::-1]))
    output().print(f"{target}: {lattice} voxels of {edge:g} um", markup=False)
    table = Table("", "value", "unit")
    for name, value in measured.items():
        table.add_row(name, f"{value:.4g}", UNITS[name])
    output().print(table)


def _tissue(target: Path, spacing: str | None) -> tuple[np.ndarray, float]:
    """Tissue codes and voxel edge (um) of an image or a run folder."""
    if (target / "run.json").exists():
        if spacing is not None:
            what, remedy = "a run knows its voxel size", "leave --spacing out"
            raise ScenarioError(Fault(what, "--spacing with an image only", spacing, remedy, "--spacing"))
        geometry = read_geometry(open_run(target).path / "geometry.h5")
        return geometry.tissue, geometry.spacing
    bone = read_bone(target, spacing=None if spacing is None else _edges(spacing), voxel=None)
    return bone.tissue, bone.spacing


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
