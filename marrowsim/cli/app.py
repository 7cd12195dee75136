"""The commands. What they need is imported when they run, so that `--help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marrowsim import __version__
from marrowsim.cli.console import guarded
from marrowsim.cli.options import (
    Bone,
    CameraOption,
    Clip,
    Crop,
    Days,
    Field,
    FieldAs,
    Folder,
    Json,
    Layers,
    Levels,
    Limits,
    Picture,
    Scenario,
    Seed,
    Settings,
    Slices,
    Spacing,
    Threads,
    Track,
    Voxel,
    overrides_of,
)
from marrowsim.cli.studies import studies
from marrowsim.scenarios import SCENARIOS

EXPORTS = ".html, .pvd, .vtkhdf, .ome.zarr, .nc, .csv, .parquet"

app = typer.Typer(
    help="The niche of the bone marrow as a 3D hybrid cellular automaton.",
    epilog="A first run: marrowsim run homing",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"marrowsim {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The niche of the bone marrow as a 3D hybrid cellular automaton."""


@app.command()
@guarded
def new(name: Annotated[str, typer.Argument(help=f"{', '.join(SCENARIOS)}.")]) -> None:
    """Print a commented scenario to start from: marrowsim new homing > my.toml"""
    from marrowsim.cli.reports import print_scenario  # noqa: PLC0415

    print_scenario(name)


@app.command()
@guarded
def check(
    scenario: Scenario,
    seed: Seed = None,
    days: Days = None,
    bone: Bone = None,
    spacing: Spacing = None,
    crop: Crop = None,
    voxel: Voxel = None,
    setting: Settings = None,
) -> None:
    """Say everything that is wrong with a scenario, or what it will take to run it."""
    from marrowsim.cli.reports import print_check  # noqa: PLC0415

    print_check(scenario, overrides_of(seed, days, bone, spacing, crop, voxel, setting))


@app.command()
@guarded
def run(
    scenario: Scenario,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Run folder (default runs/<scenario>-<seed>).")
    ] = None,
    seed: Seed = None,
    threads: Threads = None,
    days: Days = None,
    bone: Bone = None,
    spacing: Spacing = None,
    crop: Crop = None,
    voxel: Voxel = None,
    setting: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older run in that folder.")] = False,
    picture: Picture = True,
) -> None:
    """Run a scenario into a new run folder; Ctrl-C stops it so that it can be resumed."""
    from marrowsim.cli.running import run_scenario  # noqa: PLC0415

    overrides = overrides_of(seed, days, bone, spacing, crop, voxel, setting)
    run_scenario(scenario, overrides, out, threads=threads, overwrite=overwrite, picture=picture)


@app.command()
@guarded
def resume(
    folder: Folder,
    days: Annotated[
        float | None, typer.Option(help="Run up to this many simulated days, counted from the start.")
    ] = None,
    threads: Threads = None,
    picture: Picture = True,
) -> None:
    """Go on with a run that was stopped or killed, or run a finished one for longer: the same bits."""
    from marrowsim.cli.running import resume_run  # noqa: PLC0415

    resume_run(folder, days=days, threads=threads, picture=picture)


@app.command()
@guarded
def info(folder: Folder, json: Json = False) -> None:
    """Say what a run is, how far it is, and the hash of its state."""
    from marrowsim.cli.reports import print_info  # noqa: PLC0415

    print_info(folder, as_json=json)


@app.command()
@guarded
def compare(
    first: Annotated[Path, typer.Argument(help="A run folder.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
) -> None:
    """Say where two runs begin to differ: step, voxel, field. Exit code 0 when identical, 1 when not."""
    from marrowsim.cli.reports import print_comparison  # noqa: PLC0415

    if not print_comparison(first, second):
        raise typer.Exit(1)


@app.command()
@guarded
def parameters(
    scenario: Annotated[
        str | None, typer.Option(metavar="FILE", help="Add what the extensions of this scenario bring.")
    ] = None,
    json: Json = False,
    arrows: Annotated[bool, typer.Option("--arrows", help="List the arrows that `knockouts` can switch off.")] = False,
    presets: Annotated[bool, typer.Option("--presets", help="List the sets of values to start from.")] = False,
) -> None:
    """List every default: symbol, value, unit, range, source, mark."""
    from marrowsim.cli.parameters import print_arrows, print_parameters, print_presets  # noqa: PLC0415

    if arrows:
        print_arrows(scenario, as_json=json)
    if presets:
        print_presets(as_json=json)
    if not arrows and not presets:
        print_parameters(scenario, as_json=json)


@app.command()
@guarded
def measure(
    target: Annotated[str, typer.Argument(help="An image of bone, or a run folder.", metavar="IMAGE_OR_RUN")],
    spacing: Spacing = None,
    region: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Measure inside this mask, an image of the same shape.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(metavar="UM", help="Measure inside this box: x0,y0,z0,x1,y1,z1 from the corner.")
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(help="Step of a run, of which there is a frame; the start and the last one if not given."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure bone: BV/TV, BS/TV, Tb.Th, Tb.Sp, Tb.N, Conn.D, DA (Bouxsein 2010)."""
    from marrowsim.cli.measuring import print_morphometry  # noqa: PLC0415

    print_morphometry(target, spacing, region=region, box=box, step=step, as_json=json)


@app.command()
@guarded
def render(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help=".png, .svg, .pdf, or .mp4 for a film (default DIR/picture.png)."
        ),
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="first, last, all, or steps with commas (default last; all for a film)."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The frame nearest to this time, such as 7d or 12h,36h.")
    ] = None,
    sheet: Annotated[bool, typer.Option("--sheet", help="Several frames in one picture.")] = False,
    beside: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Another run beside this one, with one colour scale.")
    ] = None,
    layers: Layers = None,
    field: Field = None,
    field_as: FieldAs = None,
    slices: Slices = None,
    levels: Levels = None,
    limits: Limits = None,
    clip: Clip = None,
    camera: CameraOption = None,
    track: Track = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Pixels (default 1600x1000, films 1280x800); of PDF and SVG, the proportions."
        ),
    ] = None,
    dpi: Annotated[float, typer.Option(help="Dots per inch: 300 gives three times the pixels along an edge.")] = 100.0,
    transparent: Annotated[bool, typer.Option("--transparent", help="Without a background.")] = False,
    turn: Annotated[float, typer.Option(help="Degrees that the camera of a film goes round.")] = 0.0,
    fps: Annotated[float, typer.Option(help="Frames a second of a film.")] = 8.0,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no picture.")] = False,
) -> None:
    """Draw frames of a run: a picture with its readouts, a contact sheet, two runs side by side, or a film."""
    from marrowsim.cli.rendering import render_run  # noqa: PLC0415

    scene = {
        **{"layers": layers, "field": field, "field_as": field_as, "slices": slices, "levels": levels},
        **{"limits": limits, "clip": clip, "camera": camera, "tracks": track},
    }
    files = {"frame": frame, "at": at, "beside": beside, "as_sheet": sheet, "force": force}
    render_run(folder, out, scene=scene, size=size, dpi=dpi, transparent=transparent, turn=turn, fps=fps, **files)


@app.command()
@guarded
def export(
    folder: Folder,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help=f"What to write; its ending says how: {EXPORTS}.")],
    frames: Annotated[
        str, typer.Option(metavar="all|first|last|STEP,...", help="Which frames, by their step numbers.")
    ] = "all",
    fields: Annotated[str | None, typer.Option(metavar="NAME,...", help="Which fields (default: all).")] = None,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a table: cells (default), niches or readouts.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what has that name.")] = False,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What an .html file may take (default 20MB).")
    ] = None,
) -> None:
    """Write a run for a browser, ParaView, napari, xarray or a table program: frames, fields, cells, with units."""
    from marrowsim.cli.exporting import export_run  # noqa: PLC0415

    export_run(folder, to, frames=frames, fields=fields, table=table, force=force, size=max_size)


@app.command()
@guarded
def view(
    folder: Folder,
    frame: Annotated[int | None, typer.Option(help="Step number of the first frame (default: the last).")] = None,
    layers: Layers = None,
    field: Field = None,
    field_as: FieldAs = None,
    slices: Slices = None,
    levels: Levels = None,
    limits: Limits = None,
    clip: Clip = None,
    camera: CameraOption = None,
    track: Track = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the page on this machine (default: the first free one from 8765).")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser of this machine.")] = True,
    window: Annotated[bool, typer.Option("--window", help="A window of the desktop instead of a page.")] = False,
    rendering: Annotated[
        str,
        typer.Option(
            metavar="WHO", help="Who draws: browser (small frames, slow lines), server (large ones), auto by the size."
        ),
    ] = "auto",
) -> None:
    """Look at a run in 3D, also while it goes on: a page for your own browser, under a key of its own."""
    from marrowsim.cli.viewing import view_run  # noqa: PLC0415

    scene = {
        **{"layers": layers, "field": field, "field_as": field_as, "slices": slices, "levels": levels},
        **{"limits": limits, "clip": clip, "camera": camera, "tracks": track},
    }
    view_run(folder, frame, scene, port=port, browser=browser, window=window, rendering=rendering)


@app.command()
@guarded
def benchmark(
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder of the results (default: by the date).")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two minutes instead of ten: shorter, and smaller lattices.")
    ] = False,
    sizes: Annotated[
        str | None, typer.Option(metavar="N,...", help="Edges of the lattices in voxels (default 64,128,256).")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="N,...", help="Numbers of threads to compare (default 1): 1,2.")
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Put the tables into this document as well, between its markers."),
    ] = None,
) -> None:
    """Time the engine on this machine, beside other solvers and automata on the same problems."""
    from marrowsim.cli.benchmarking import run_benchmark  # noqa: PLC0415

    run_benchmark(out, sizes, threads, update, quick=quick)


app.add_typer(studies)
