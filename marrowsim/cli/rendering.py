"""`render`: pictures, contact sheets, comparisons and films of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from marrowsim.cli.console import Stages, output
from marrowsim.errors import Fault, RenderError, RunFolderError
from marrowsim.storage import open_run
from marrowsim.storage.runs import Run
from marrowsim.units import convert
from marrowsim.viz.description import WHOLE, Scene
from marrowsim.viz.figure import picture
from marrowsim.viz.files import FILM, FORMATS, target_faults
from marrowsim.viz.film import FPS, SIZE, film
from marrowsim.viz.sheet import Row, sheet
from marrowsim.viz.tracks import tracks_of


def render_run(
    path: Path,
    out: Path | None,
    *,
    frame: str | None,
    at: str | None,
    beside: Path | None,
    scene: dict[str, str | None],
    as_sheet: bool,
    size: str | None,
    dpi: float,
    transparent: bool,
    turn: float,
    fps: float,
    force: bool,
) -> None:
    """Draw frames of a run, in the way that the name of the file and the number of frames ask for."""
    runs = [open_run(path), *([open_run(beside)] if beside else [])]
    target = out or runs[0].path / "picture.png"
    moving = target.suffix.lower() == FILM
    described = scene_of(scene)
    faults = [
        *target_faults(target, (*FORMATS, FILM), force=force),
        *_misfits(moving, as_sheet, dpi, transparent, turn, fps),
        *_idle(described),
    ]
    if faults:
        raise RenderError(*faults)
    pixels = pixels_of(size)
    chosen = [steps_of(run, frame, at, usual="all" if moving else "last") for run in runs]
    title = runs[0].record["title"]
    look: dict[str, Any] = {"force": force} | ({"size": pixels} if pixels else {})
    with Stages("reading") as stages:
        if moving:
            look["size"] = pixels or SIZE
            rows = _rows(runs, chosen, described)
            done = film(rows, described, target, title=title, fps=fps, turn=turn, progress=_shown(stages), **look)
            said = f"film: {target} ({done} pictures, {done / fps:g} s)"
        elif as_sheet or beside:
            stages.say("drawing")
            rows = _rows(runs, chosen, described)
            sheet(rows, described, target, title=title, dpi=dpi, transparent=transparent, **look)
            said = f"picture: {target}"
        else:
            stages.say("drawing")
            run, (steps,) = runs[0], chosen
            tracks = tracks_of(run.frames, described.tracks) if described.tracks else None
            for step, name in zip(steps, _names(target, steps), strict=True):
                look |= {"title": title, "scene": described, "tracks": tracks}
                picture(run.frames.at(step), run.readouts, name, dpi=dpi, transparent=transparent, **look)
            said = "\n".join(f"picture: {name}" for name in _names(target, steps))
    output().print(said)


def _misfits(moving: bool, as_sheet: bool, dpi: float, transparent: bool, turn: float, fps: float) -> Iterator[Fault]:
    """Options that do not go together."""
    if moving and (as_sheet or transparent or dpi != 100.0):
        what = "a film is no sheet, has a background, and its size is in pixels"
        yield Fault(what, remedy="leave out --sheet, --transparent and --dpi, or name the file .png")
    if turn and not moving:
        yield Fault("only films turn", given=f"--turn {turn:g}", remedy="name the file .mp4, or choose a --camera")
    if fps != FPS and not moving:
        yield Fault("only films have a speed", given=f"--fps {fps:g}", remedy="name the file .mp4, or leave --fps out")


def _idle(scene: Scene) -> Iterator[Fault]:
    """Options of a way of drawing a field that is not the one asked for."""
    for option, way, given in (("levels", "isosurface", scene.levels), ("slices", "slices", scene.slices)):
        if given is not None and scene.field_as != way:
            what = f"--{option} belongs to --as {way}"
            yield Fault(what, given=f"--as {scene.field_as}", remedy=f"add --as {way}, or leave --{option} out")
    for option, given in (("field", scene.field), ("limits", scene.limits)):
        if given is not None and scene.field_as == "none":
            remedy = f"leave out --as none or --{option}"
            yield Fault(f"--{option} belongs to a field that is drawn", given="--as none", remedy=remedy)


def _rows(runs: list[Run], chosen: list[list[int]], scene: Scene) -> list[Row]:
    names = [run.path.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(Path(run.path.parent.name, run.path.name)) for run in runs]
    return [
        Row(
            name,
            [partial(run.frames.at, step) for step in steps],
            tracks_of(run.frames, scene.tracks) if scene.tracks else None,
            run.readouts,
        )
        for name, run, steps in zip(names, runs, chosen, strict=True)
    ]


def _names(target: Path, steps: list[int]) -> list[Path]:
    """A file a frame: the target itself, or with the step behind its name where there are several."""
    if len(steps) == 1:
        return [target]
    return [target.with_name(f"{target.stem}-{step:08d}{target.suffix}") for step in steps]


def _shown(stages: Stages) -> Callable[[int, int], None]:
    def progress(done: int, todo: int) -> None:
        if done < todo:
            stages.parts(done, todo, "drawing the film")

    return progress


def steps_of(run: Run, frame: str | None, at: str | None, usual: str) -> list[int]:
    """Steps of the frames that are meant by --frame, or are nearest to the times of --at.

    Raises
    ------
    RunFolderError : where the run has no frames, or none of that step.
    RenderError : where the text is not understood.
    """
    known = run.frames.steps
    if not known:
        remedy = f"let the run go on: marrowsim resume {run.path}"
        raise RunFolderError(Fault("the run has no frames yet", given=str(run.path), remedy=remedy))
    if frame is not None and at is not None:
        raise RenderError(Fault("frames are chosen by step or by time", "--frame or --at", "both", "leave one out"))
    if at is not None:
        times = [_minutes(part) for part in at.split(",")]
        minutes = run.record["step_minutes"]
        return sorted({min(known, key=lambda step: (abs(step * minutes - time), step)) for time in times})
    text = frame or usual
    if text in ("all", "first", "last"):
        return {"all": known, "first": known[:1], "last": known[-1:]}[text]
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        allowed = "a step, steps with commas between, first, last or all"
        raise RenderError(Fault("the frame is not understood", allowed, text, f"there are {known}")) from None
    for step in steps:
        if step not in known:
            run.frames.at(step)
    return steps


def _minutes(text: str) -> float:
    try:
        return convert(text.strip(), "min")
    except ValueError as error:
        raise RenderError(Fault("the time is not understood", "such as 7d or 12h,36h", text, str(error))) from None


def pixels_of(size: str | None) -> tuple[int, int] | None:
    """A size such as "1600x1000" in pixels.

    Raises
    ------
    RenderError : where it is none.
    """
    if size is None:
        return None
    try:
        width, height = (int(part) for part in size.lower().split("x"))
    except ValueError:
        raise RenderError(Fault("the size is not understood", "WIDTHxHEIGHT in pixels", size, "1600x1000")) from None
    return width, height


def scene_of(texts: dict[str, str | None]) -> Scene:
    """The scene that options describe: `layers`, `field`, `field_as`, `slices`, `levels`, `limits`, `clip`, `camera`,
    `tracks` as texts; None for what was not given.

    Raises
    ------
    RenderError : with every text that is not understood, or what `Scene` finds.
    """
    readers = {
        "slices": _numbers,
        "levels": _numbers,
        "limits": _numbers,
        "clip": _clip,
        "camera": lambda text: text if text[:1].isalpha() else _numbers(text),
        "tracks": lambda text: tuple(int(part) for part in text.split(",")),
    }
    hints = {
        "slices": "x,y,z in um",
        "levels": "numbers with commas between",
        "limits": "low,high",
        "clip": "axis:um, such as x:250 or -y:100; y:400-500 for a slab; none",
        "camera": "a name, or azimuth,elevation in degrees",
        "tracks": "ids of cells with commas between",
    }
    parts: dict[str, Any] = {}
    faults = []
    for name, text in texts.items():
        if text is not None:
            try:
                parts[name] = readers.get(name, str)(text)
            except ValueError:
                option = {"tracks": "track", "field_as": "as"}.get(name, name)
                faults.append(Fault("this is not understood", hints[name], text, where=f"--{option}"))
    if faults:
        raise RenderError(*faults)
    return Scene(**parts)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _clip(text: str) -> tuple[str, float] | tuple[str, float, float] | str:
    """A clipping plane ("x:250"), a slab ("x:250-350") or "none"."""
    if text.strip() == WHOLE:
        return WHOLE
    axis, colon, places = text.partition(":")
    if not colon:
        raise ValueError
    low, dash, high = places.strip().removesuffix("um").removesuffix("µm").strip().partition("-")
    if not low:
        return axis.strip(), float(dash + high)
    return (axis.strip(), float(low), float(high)) if dash else (axis.strip(), float(low))
