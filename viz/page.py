"""A run as one HTML file that opens without server or network: the lattice in 3D over time, and the readouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from marrowsim.errors import Fault, RenderError
from marrowsim.tissues import BONE, IS_ENTERABLE, NAMES
from marrowsim.viz import curves, palette
from marrowsim.viz.cameras import CAMERAS, axes_of, facing
from marrowsim.viz.figure import caption, time_stamp
from marrowsim.viz.layers import BONE_VIEW, ON_REQUEST, STATUSES, TISSUE_LAYERS, census, choose, present, slab, whole
from marrowsim.viz.page_data import DETAILS, Detail, Packer, Store, scale, stride
from marrowsim.viz.panels import BONE_CELLS, INK
from marrowsim.viz.scene import LEAST_OTHERS, LEAST_SHARE
from marrowsim.viz.sections import shade

MOST_BYTES = 20_000_000
MOST_ROWS = 600
SHADES = 24
"""Colours that a colour map is told to the page by."""

GROWING = ("epc", "tip")


@dataclass(frozen=True)
class Page:
    """A page that was written: where, its size in bytes, and what was left out to keep it small."""

    path: Path
    size: int
    notes: tuple[str, ...]


def write_page(run, path, *, max_size: int = MOST_BYTES, force: bool = False) -> Page:
    """Write a run as one HTML page.

    The page holds its own copy of plotly, so that it opens in any browser with WebGL from the disk. Surfaces are
    decimated, fields kept at every n-th voxel, cells and frames thinned evenly until the file is small enough, and
    the page says so.

    Parameters
    ----------
    run : a run as `marrowsim.storage.open_run` gives it.
    path : where to write it: .html or .htm.
    max_size : bytes that the file may take.
    force : replace a file that is there.

    Raises
    ------
    RenderError : another suffix, a file that is there already, a run without frames, a size that cannot be kept, a
        path that cannot be written, or plotly missing.
    """
    path = Path(path)
    _require(run, path, force)
    library = _plotly()
    resources = files("marrowsim.viz") / "page_template"
    style, script, body = ((resources / f"page.{kind}").read_text("utf-8") for kind in ("css", "js", "html"))
    fixed = sum(len(text.encode()) for text in (library, style, script, body))
    for detail in DETAILS:
        if _estimate(run, detail) + fixed > max_size:
            continue
        model, store = _build(run, detail)
        page = _assemble(model, store, library, style, script, body)
        if len(page) <= max_size:
            break
    else:
        raise RenderError(
            Fault(
                "the page cannot be made that small",
                allowed=f"{fixed / 1e6:.1f} MB are the program of the page alone; what is left is for the run",
                given=f"{max_size / 1e6:g} MB",
                remedy="allow more: --max-size 20MB",
            )
        )
    partial = path.with_name(f".{path.name}.tmp")
    try:
        partial.write_bytes(page)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise RenderError(
            Fault(
                f"the page cannot be written: {error.strerror or error}",
                given=str(path),
                remedy="choose a folder that exists and can be written to",
            )
        ) from error
    return Page(path, len(page), tuple(model["notes"]))


def _require(run, path: Path, force: bool) -> None:
    """Refuse what cannot become a page before any work is done."""
    faults = []
    if path.suffix.lower() not in (".html", ".htm"):
        faults.append(Fault("a page of this kind cannot be written", ".html, .htm", path.name, "name it run.html"))
    if not path.absolute().parent.is_dir():
        given = str(path.absolute().parent)
        faults.append(Fault("there is no such folder for the page", given=given, remedy="make it, or choose another"))
    if path.is_dir():
        faults.append(Fault("there is a folder of that name", given=str(path), remedy="choose another name"))
    elif path.exists() and not force:
        faults.append(Fault("the file exists already", given=str(path), remedy="choose another name, or --force"))
    if not len(run.frames):
        remedy = f"let the run go on: marrowsim resume {run.path}"
        faults.append(Fault("the run has no frames yet", given=str(run.path), remedy=remedy))
    if faults:
        raise RenderError(*faults)


def _plotly() -> str:
    """The program of plotly for the page."""
    try:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415
    except ImportError as error:
        raise RenderError(
            Fault("a page needs plotly, which is not installed", remedy='pip install "marrowsim[web]"')
        ) from error
    return get_plotlyjs()


def thinned(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of the steps, evenly, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[index] for index in np.unique(np.round(np.linspace(0, len(steps) - 1, most)).astype(int))]


def _estimate(run, detail: Detail) -> float:
    """Bytes of the data of a page at this detail, from its first, middle and last frame."""
    steps = thinned(run.frames.steps, detail.frames)
    samples = thinned(steps, 3)
    store = Store()
    frames = [run.frames.at(step) for step in samples]
    packer = Packer(store, detail, _fields(frames[-1]))
    keys: dict[str, list[str]] = {}
    for frame in frames:
        for name, key in _keys(packer.pack(frame)):
            keys.setdefault(name, []).append(key)
    total = 0.0
    for found in keys.values():
        alone = len(set(found)) == 1
        total += store.size(set(found)) if alone else store.size(found) / len(samples) * len(steps)
    return total


def _keys(packed: dict):
    """Pairs of what an array of a packed frame is and its key in the store."""
    for name in ("tissue", "cells", "slots"):
        yield name, packed[name]
    for part in ("surfaces", "fields"):
        for name, key in packed[part].items():
            yield f"{part}/{name}", key


def _fields(frame) -> list[str]:
    return [name for name in present(frame) if name in frame.fields]


def _build(run, detail: Detail) -> tuple[dict, Store]:
    """What the page shows, as data: everything but the arrays, and the arrays."""
    store = Store()
    steps = thinned(run.frames.steps, detail.frames)
    last = run.frames[-1]
    packer = Packer(store, detail, _fields(last))
    frames, held, limits, thinning = [], [], {}, {}
    for step in steps:
        frame = last if step == last.step else run.frames.at(step)
        layers = [name for name in present(frame) if name not in held]
        held += layers
        packed = packer.pack(frame)
        for group in packed["groups"]:
            thinning[group["key"]] = max(group["every"], thinning.get(group["key"], 1))
        for name in packed["fields"]:
            found = shade(frame, name)
            low, high = limits.get(name, (found.low, found.high))
            limits[name] = (min(low, found.low), max(high, found.high))
        usual, _ = choose(frame, None)
        frames.append(
            {
                "step": frame.step,
                "minutes": frame.time,
                "label": time_stamp(frame.time),
                "caption": caption(frame, usual),
                "counts": _counts(frame),
                **packed,
            }
        )
    usual, _ = choose(last, None)
    field = next((name for name in usual if name in last.fields), None)
    bare = set(usual).difference(last.fields).issubset(BONE_VIEW)
    box = whole(last) if bare else slab(last, facing(axes_of("oblique")[2])[0])
    axis = next((axis for axis in range(3) if box.high[axis] - box.low[axis] < last.tissue.shape[axis]), 1)
    origin, step = scale(last)
    every, coarse = (stride(last.tissue.shape, most) for most in (detail.voxels, detail.samples))
    record = run.record
    model = {
        "title": record["title"],
        "seed": record["seed"],
        "software": f"marrowsim {record['software']['marrowsim']}",
        "hash": record["hash"] or "",
        "scenario": _scenario(run),
        "spacing": last.spacing,
        "shape": list(last.tissue.shape),
        "surface": {"origin": origin, "step": step},
        "tissue": {
            "stride": every,
            "shape": [-(-edge // every) for edge in last.tissue.shape],
            "enterable": [code for code in NAMES if IS_ENTERABLE[code]],
            "names": {code: NAMES[code].replace("_", " ") for code in NAMES},
            "codes": TISSUE_LAYERS,
        },
        "samples": {"stride": coarse, "shape": [-(-edge // coarse) for edge in last.tissue.shape]},
        "frames": frames,
        "layers": _layers(held, frames, usual, last),
        "fields": [_field(name, limits[name]) for name in limits],
        "field": field,
        "cut": {"axis": axis, "low": box.low[axis], "high": box.high[axis]},
        "cameras": {name: _camera(name) for name in CAMERAS},
        "curves": _curves(run.readouts),
        "blobs": store.shapes,
        "ink": INK,
    }
    model["notes"] = _notes(run, last, detail, packer, steps, thinning, coarse, every)
    return model, store


def _scenario(run) -> str:
    """The resolved scenario, as text."""
    try:
        return (run.path / "scenario.toml").read_text("utf-8")
    except OSError as error:
        remedy = "export a run folder that is whole"
        raise RenderError(Fault("the scenario of the run cannot be read", given=str(error), remedy=remedy)) from error


def _counts(frame) -> dict[str, float]:
    """Numbers by layer: cells, niche places and vacant ones, volumes (mm3) of bone lost and formed."""
    counts = {f"{kind} {status}": count for (kind, status), count in census(frame.cells).items() if status in STATUSES}
    counts["niches"] = len(frame.slots)
    counts["vacant"] = int((~frame.slots["occupied"].to_numpy(bool)).sum())
    if frame.bone_change is not None:
        voxel = (frame.spacing / 1000) ** 3
        counts["bone lost"] = np.count_nonzero(frame.bone_change < 0) * voxel
        counts["bone formed"] = np.count_nonzero(frame.bone_change > 0) * voxel
    return counts


def _layers(held: Sequence[str], frames: Sequence[dict], usual: Sequence[str], frame) -> list[dict]:
    """The lines of the legend, by heading, with all that drawing needs."""
    lines = []
    for name, code in TISSUE_LAYERS.items():
        if name in held:
            style = palette.TISSUES[code]
            opacity = 1.0 if code == BONE else style.opacity
            lines.append(_line("Tissue", name, style, "surface", opacity=opacity))
    for key, style in (("bone lost", palette.BONE_LOST), ("bone formed", palette.BONE_FORMED)):
        if any(packed["counts"].get(key) for packed in frames):
            lines.append(_line("Tissue", key, style, "surface", opacity=style.opacity, counted=True))
    extent = max(frame.tissue.shape)
    order = {}
    for packed in frames:
        order |= {group["key"]: None for group in packed["groups"]}
    for key in sorted(order, key=_rank):
        kind, status = key.rsplit(" ", 1)
        style = palette.cell_style(kind, status)
        least = LEAST_SHARE.get(kind, LEAST_OTHERS) * extent
        line = _line(_heading(kind), key, style, "cells", counted=True, on=kind not in ON_REQUEST)
        lines.append(line | {"diameter": style.size, "least": least, "type": kind, "status": status})
    if "niches" in held:
        style = palette.Style(INK, "Niche place (a cell inside: taken)")
        lines.append(_line("Stroma and niches", "niches", style, "niches", counted=True))
    headings = list(dict.fromkeys(["Tissue", *HEADINGS]))
    return sorted(lines, key=lambda line: headings.index(line["heading"]))


HEADINGS = (
    "Tumour cells",
    "Haematopoietic progenitors (HPC)",
    "Bone remodelling",
    "New vessels",
    "Stroma and niches",
)


def _heading(kind: str) -> str:
    if kind in BONE_CELLS:
        return "Bone remodelling"
    if kind in GROWING:
        return "New vessels"
    return {"tumour": "Tumour cells", "hpc": "Haematopoietic progenitors (HPC)"}.get(kind, "Stroma and niches")


def _rank(key: str) -> tuple:
    """Cells in the order of the palette, those of its list first."""
    kind, status = key.rsplit(" ", 1)
    kinds = list(palette.CELLS)
    states = list(palette.CELLS.get(kind, {}))
    return (
        kinds.index(kind) if kind in kinds else len(kinds),
        kind,
        states.index(status) if status in states else len(states),
        status,
    )


def _line(heading, key, style, what, *, opacity=1.0, counted=False, on=True) -> dict:
    return {
        "heading": heading,
        "key": key,
        "label": style.label,
        "colour": style.colour,
        "opacity": opacity,
        "what": what,
        "counted": counted,
        "on": on,
    }


def _field(name: str, limits: tuple[float, float]) -> dict:
    style = palette.field_style(name)
    colours = [to_hex(style.colormap(value)) for value in np.linspace(0, 1, SHADES)]
    return {"name": name, "label": style.label, "unit": style.unit, "limits": limits, "colours": colours}


def _camera(name: str) -> dict:
    """A camera of plotly: the eye's place in units of the picture's box, and what is up."""
    _, up, towards = axes_of(name)
    return {
        "eye": dict(zip("xyz", map(float, 1.35 * towards), strict=True)),
        "up": dict(zip("xyz", map(float, up), strict=True)),
        "center": {"x": 0, "y": 0, "z": 0},
        "projection": {"type": "orthographic"},
    }


def _curves(readouts: pd.DataFrame) -> dict | None:
    """The panels of readouts, at most `MOST_ROWS` rows of them, evenly."""
    chosen = curves.choose_panels(readouts)
    if not chosen:
        return None
    rows = thinned(range(len(readouts)), MOST_ROWS)
    times, label = curves.time_axis(readouts)
    panels = []
    for title, unit, columns in chosen:
        names = curves.short_names(columns)
        lines = []
        for index, (column, name) in enumerate(zip(columns, names, strict=True)):
            values = readouts[column].to_numpy(float)[rows]
            colour = palette.legible(palette.curve_colour(curves.split_unit(column)[0], index))
            values = [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
            lines.append({"name": name, "colour": colour, "values": values})
        unit = {"1": "fraction"}.get(unit, unit)
        panels.append({"title": title, "unit": unit, "lines": lines})
    minutes = 1440.0 if label.endswith("(d)") else 60.0 if label.endswith("(h)") else None
    return {
        "label": label,
        "minutes": minutes,
        "times": [float(f"{time:.6g}") for time in times[rows]],
        "panels": panels,
    }


def _notes(run, frame, detail, packer, steps, thinning, coarse, every) -> list[str]:
    """What was left out, in words."""
    notes = []
    total = len(run.frames.steps)
    if len(steps) < total:
        notes.append(f"{len(steps)} of {total} frames are here, evenly over time")
    if packer.kept < packer.triangles:
        share = packer.kept / packer.triangles
        notes.append(f"surfaces are drawn with {100 * share:.0f} % of their triangles")
    if coarse > 1:
        notes.append(f"fields are kept at every {coarse}th voxel along each axis ({coarse * frame.spacing:g} µm)")
    if every > 1:
        notes.append(f"cut faces of tissue are drawn from every {every}th voxel along each axis")
    for key, share in thinning.items():
        if share > 1:
            kind, status = key.rsplit(" ", 1)
            label = palette.cell_style(kind, status).label
            notes.append(f"{label}: up to {share} cells stand for each that is here (the counts are of all)")
    rows = len(run.readouts)
    if rows > MOST_ROWS:
        notes.append(f"readouts: {MOST_ROWS} of {rows} rows")
    return [note.replace("2th ", "2nd ").replace("3th ", "3rd ") for note in notes]


def _assemble(model: dict, store: Store, library: str, style: str, script: str, body: str) -> bytes:
    """The file: the body with style, library, data and program in the places that it names."""
    data = json.dumps(model, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    blobs = json.dumps(store.texts, separators=(",", ":"))
    parts = {
        "TITLE": escape(model["title"]),
        "STYLE": style,
        "LIBRARY": library,
        "MODEL": data,
        "ARRAYS": blobs,
        "SCRIPT": script,
    }
    for name, text in parts.items():
        first, mark, rest = body.partition(f"<!--{name}-->")
        if not mark:
            raise KeyError(f"page.html lacks the place {name}")
        body = first + text + rest
    return body.encode()


