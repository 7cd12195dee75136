"""Draw every bundled scenario anew, for docs/PICTURES.md: python docs/make_pictures.py [--runs DIR] [--full] [NAME ...]

Scenarios are run in a short form into DIR/<scenario> (default runs/pictures), or with --full as they are (default
runs/pictures-full); a run that is there already is drawn as it is. Pictures go to docs/pictures, and the page is
written from what is said of them here. Needs OpenGL.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from marrowsim import Simulation, open_run
from marrowsim.storage import RunFolder
from marrowsim.viz import palette
from marrowsim.viz.description import Scene
from marrowsim.viz.figure import picture
from marrowsim.viz.sheet import Row, sheet

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
SIZE = (1600, 1000)
WIDTH = 1120
BONE = "bone,bone_change,osteoclast,osteoblast"
USUAL = "`python docs/make_pictures.py`, which runs each scenario in a short form"


@dataclass(frozen=True)
class Plate:
    """One picture: the short form of its scenario (edge in um, days), the scene, days of a sheet, what is seen, and of
    which scenario it is where another has its name."""

    caption: str
    edge: int
    days: float
    scene: Mapping[str, Any] = field(default_factory=dict)
    at: tuple[float, ...] = ()
    of: str = ""


PLATES = {
    "healthy": Plate(
        "Healthy marrow. Blood flows in the sinusoids (red, seen through) between plates of bone. CAR cells "
        "(green) make CXCL12, which the far wall shows; haematopoietic progenitors sit in niches (orange, in a "
        "cage) or wander between them (yellow). The numbers stay: that is what steady state means.",
        400, 2.0,
    ),
    "homing": Plate(
        "Tumour cells given into the blood leave it within hours. Those arrested in a vessel are light blue, "
        "those on the move blue, those that have taken a niche dark blue; the first panel counts them on their "
        "way.",
        1000, 3.0,
    ),
    "displacement": Plate(
        "A tumour that grows in the marrow takes the niches of progenitors. In each frame: cages are niche "
        "places, orange progenitors in them, dark blue the tumour cells that hold one.",
        400, 12.0, {"layers": "bone,niches,hpc,tumour"}, (0, 3, 6, 12),
    ),
    "mobilisation": Plate(
        "One dose of plerixafor, a day after the start, blocks CXCR4: progenitors lose hold of their niches (the "
        "second panel falls, cages stand empty) and pass into the blood.",
        400, 2.0, {"layers": "bone,sinusoids,niches,hpc,cxcl12"},
    ),
    "primary": Plate(
        "A nodule of tumour cells in soft tissue, cut open. The slices show oxygen: dark where there is little, "
        "pale near capillaries (red). The middle of the nodule starves, and vessels sprout towards it.",
        600, 4.0,
        {"layers": "capillaries,sprouts,tip,tumour,oxygen", "field_as": "slices", "clip": ("-y", 300.0)},
    ),
    "metastasis": Plate(
        "A primary tumour in soft tissue (right, dense) and a marrow (left, with bone) that share nothing but the "
        "blood. Cells that leave the first are found in the second days later.",
        400, 7.0, {"layers": "bone,sinusoids,capillaries,niches,tumour,cxcl12"},
    ),
    "culture": Plate(
        "Tumour cells in a dish, where oxygen and CXCL12 are held at chosen values: nothing but motility, cell "
        "cycle and the answer to hypoxia is left.",
        500, 7.0,
    ),
    "remodelling": Plate(
        "Healthy bone after weeks of remodelling. Osteoclasts (black) have resorbed what is violet, osteoblasts "
        "(pale) have laid down what is green-blue. What they take and give is nearly equal (second panel); in a "
        "box as small as this BV/TV drifts a little.",
        400, 28.0, {"layers": BONE},
    ),
    "osteolysis": Plate(
        "A tumour in the marrow raises the signal for osteoclasts (black): bone goes (violet) faster than it "
        "comes (green-blue), and BV/TV falls. The tumour is left out, so that bone is seen; the next picture has it.",
        400, 14.0, {"layers": BONE},
    ),
    "osteolysis-tumour": Plate(
        "The same run with the tumour, which grows along the bone and fills the marrow around it. The strut between "
        "the upper trabeculae, where it begins, is gone by day 4.",
        400, 14.0, {"layers": "bone,osteoclast,tumour"}, (0, 4, 8, 14), "osteolysis",
    ),
}  # fmt: skip


def run(name: str, folder: Path, *, full: bool) -> None:
    """Run a scenario into a folder, in its short form unless the full one is wanted."""
    plate = PLATES[name]
    overrides: dict[str, Any] = {}
    if not full:
        every = min(plate.days / 7, 1.0) if not plate.at else float(np.gcd.reduce([int(day) for day in plate.at]))
        overrides = {
            "time.duration": f"{plate.days} d",
            "geometry.size": [f"{plate.edge} um"] * 2 + [f"{200 if name == 'culture' else plate.edge} um"],
            "output.frames_every": f"{max(6, round(24 * every / 6) * 6)} h",
        }
    simulation = Simulation.from_scenario(name, overrides=overrides)
    with RunFolder.create(folder, simulation) as recorder:
        simulation.run(recorders=[recorder])


def draw(name: str, folder: Path) -> Path:
    """Draw a run, and shrink the picture for the page."""
    plate, result, path = PLATES[name], open_run(folder), PICTURES / f"{name}.png"
    scene, title = Scene(**plate.scene), result.record["title"]
    if plate.at:
        minutes = result.record["step_minutes"]
        steps = [min(result.frames.steps, key=lambda step, d=day: abs(step * minutes - 1440 * d)) for day in plate.at]
        frames = [partial(result.frames.at, step) for step in dict.fromkeys(steps)]
        sheet([Row(name, frames)], scene, path, title=title, size=SIZE, force=True)
    else:
        picture(result.frames[-1], result.readouts, path, title=title, size=SIZE, scene=scene, force=True)
    with Image.open(path) as image:
        small = image.convert("RGB").resize(
            (WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS
        )
    with_palette(small).save(path, optimize=True)
    return path


def with_palette(image: Image.Image) -> Image.Image:
    """The picture in 256 colours: those that cells and tissues have, bright and in shade, and those that suit the rest.

    Without them the rare, which the picture is about, would take the colour of the many.
    """
    styles = [style for states in palette.CELLS.values() for style in states.values()]
    styles += [*palette.TISSUES.values(), palette.BONE_LOST, palette.BONE_FORMED]
    own = 255 * np.array([to_rgb(style.colour) for style in styles])
    own = np.unique(np.concatenate([own, 0.75 * own, [[0] * 3, [255] * 3]]).round().astype(np.uint8), axis=0)
    rest = image.quantize(256 - len(own)).getpalette()[: 3 * (256 - len(own))]
    carrier = Image.new("P", (1, 1))
    carrier.putpalette([*rest, *own.ravel().tolist()])
    return image.quantize(palette=carrier, dither=Image.Dither.NONE)


def page(*, full: bool) -> str:
    """docs/PICTURES.md."""
    how = "`python docs/make_pictures.py --full`, which runs each scenario as it is" if full else USUAL
    parts = ["# Pictures of the bundled scenarios", f"Written by {how} and draws it."]
    for name, plate in PLATES.items():
        if (PICTURES / f"{name}.png").exists():
            parts.append(f"## {name}\n\n{plate.caption}\n\n![{name}](pictures/{name}.png)")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PLATES)}; all where none is named")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="default runs/pictures, or pictures-full")
    parser.add_argument("--full", action="store_true", help="scenarios as they are, which takes hours")
    options = parser.parse_args()
    unknown = set(options.names).difference(PLATES)
    if unknown:
        parser.error(f"there is no picture of {', '.join(sorted(unknown))}")
    PICTURES.mkdir(exist_ok=True)
    runs = options.runs or Path("runs", "pictures-full" if options.full else "pictures")
    for name in options.names or PLATES:
        folder = runs / (PLATES[name].of or name)
        if not (folder / "run.json").exists():
            run(PLATES[name].of or name, folder, full=options.full)
        path = draw(name, folder)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    (HERE / "PICTURES.md").write_text(page(full=options.full), encoding="utf-8")


if __name__ == "__main__":
    main()
