"""The options that commands share, and from them to overrides of a scenario."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from marrowsim.errors import Fault, ScenarioError
from marrowsim.scenarios import SCENARIOS

Scenario = Annotated[str, typer.Argument(help=f"A bundled name ({', '.join(SCENARIOS)}) or a TOML file.")]
Folder = Annotated[Path, typer.Argument(help="A run folder.", metavar="DIR")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw, instead of the scenario's.", min=0)]
Threads = Annotated[int | None, typer.Option(help="Threads to use; never changes a result.", min=1)]
Days = Annotated[float | None, typer.Option(help="Simulated days, instead of the scenario's duration.")]
Bone = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE", help="Use the bone of this image: NPZ, TIFF or folder of TIFFs, NIfTI, NRRD, MetaImage, VTI."
    ),
]
Spacing = Annotated[
    str | None,
    typer.Option(metavar="UM", help="Voxel size in the image, where its header does not tell: 19.5, or x,y,z."),
]
Crop = Annotated[
    str | None, typer.Option(metavar="UM", help="Use the central box of the image with these edges: 2000, or x,y,z.")
]
Voxel = Annotated[str | None, typer.Option(metavar="UM", help="Voxel edge of the lattice (default 10).")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help='Any other value of the scenario, such as time.step="3 min". Repeatable.'
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler, such as tcp://127.0.0.1:8786."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Picture = Annotated[bool, typer.Option(help="Make picture.png at the end, and bone.png where bone is remodelled.")]

# What is drawn and how (`marrowsim.viz.description.Scene`), for every command that draws.
Layers = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="What to draw: bone,bone_change,osteoclast (default: the usual).")
]
Field = Annotated[
    str | None, typer.Option(metavar="NAME", help="The field to draw (default: the first layer that is).")
]
FieldAs = Annotated[
    str | None, typer.Option("--as", metavar="WAY", help="wall (default), slices, isosurface, volume or none.")
]
Slices = Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Places of the slices in um (default: the middle).")]
Levels = Annotated[
    str | None, typer.Option(metavar="VALUE,...", help="Isosurfaces, in the field's unit (default: three quantiles).")
]
Limits = Annotated[str | None, typer.Option(metavar="LOW,HIGH", help="Ends of the colour scale, in the field's unit.")]
Clip = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS:UM",
        help="Cut away beyond x:250, or below with -x:250; y:400-500 leaves a slab, none cuts nothing.",
    ),
]
CameraOption = Annotated[
    str | None,
    typer.Option("--camera", metavar="NAME", help="oblique (default), front, side, top, corner, or azimuth,elevation."),
]
Track = Annotated[str | None, typer.Option(metavar="ID,...", help="Draw the way of these cells up to the frame.")]


def overrides_of(
    seed: int | None,
    days: float | None,
    bone: str | None,
    spacing: str | None,
    crop: str | None,
    voxel: str | None,
    settings: Iterable[str] | None,
) -> dict[str, Any]:
    """Values by dotted key, in the order in which they win: `--set` last.

    Raises
    ------
    ScenarioError
        Where a setting is not of the form KEY=VALUE.
    """
    overrides: dict[str, Any] = {}
    if seed is not None:
        overrides["seed"] = seed
    if days is not None:
        overrides["time.duration"] = f"{days!r} d"
    if bone is not None:
        overrides |= {"geometry.kind": "image", "geometry.image.file": bone}
    for key, lengths in (("geometry.image.spacing", spacing), ("geometry.image.crop", crop), ("geometry.voxel", voxel)):
        if lengths is not None:
            overrides[key] = in_micrometres(lengths)
    return overrides | dict(_setting(text) for text in settings or ())


def in_micrometres(text: str) -> str | list[str]:
    """One length or three, with commas between, as quantities; bare numbers are micrometres."""
    lengths = [f"{part} um" if _is_number(part) else part for part in (part.strip() for part in text.split(","))]
    return lengths[0] if len(lengths) == 1 else lengths


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _setting(text: str) -> tuple[str, Any]:
    """A setting as key and value: a TOML value where it is one, else text as it stands."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        what = "a setting needs a key, an equals sign and a value"
        raise ScenarioError(Fault(what, "--set KEY=VALUE", text, 'for instance: --set "time.step=3 min"', "--set"))
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
