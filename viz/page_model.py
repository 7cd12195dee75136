"""What the page of a run shows, as data: legend, fields, cameras, curves, counts and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from marrowsim.errors import Fault, RenderError
from marrowsim.tissues import BONE, IS_ENTERABLE, NAMES
from marrowsim.viz import curves, palette
from marrowsim.viz.cameras import CAMERAS, axes_of, facing
from marrowsim.viz.figure import caption, time_stamp
from marrowsim.viz.ingredients import LEAST_OTHERS, LEAST_SHARE, PLURALS
from marrowsim.viz.layers import BONE_VIEW, ON_REQUEST, STATUSES, TISSUE_LAYERS, census, choose, present, slab, whole
from marrowsim.viz.legend import BONE_CELLS, INK
from marrowsim.viz.page_data import Detail, Packer, Store, scale, stride
from marrowsim.viz.sections import shade

MOST_ROWS = 600
"""Rows of readouts that the page keeps at most."""
SHADES = 24
"""Colours that a colour map is told to the page by."""
MOST_DRAWN = 6000
"""Cells of one type and status that are drawn at most; of more every n-th by its number."""
MOST_SAMPLES = 30_000
"""Values of a field that the surface of one value is made of."""
USUAL_LEVEL = 0.8
"""Value of the surface of a field, as a share of the way from the lower to the upper end of its colours."""

HEADINGS = (
    "Tissue",
    "Tumour cells",
    "Haematopoietic progenitors (HPC)",
    "Bone remodelling",
    "New vessels",
    "Stroma and niches",
)
GROWING = ("epc", "tip")
STEEPEST = 89.9


def thinned(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of the steps, evenly, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[index] for index in np.unique(np.round(np.linspace(0, len(steps) - 1, most)).astype(int))]


def build(source, detail: Detail) -> tuple[dict, Store]:
    """What the page shows of a run at a level of detail: everything but the arrays, as plain data, and the arrays.

    Parameters
    ----------
    source : the part of a run that is exported (`marrowsim.export.source.Source`).
    detail : how much of it is kept.
    """
    store = Store()
    run, steps = source.run, thinned(source.steps, detail.frames)
    last = run.frames.at(steps[-1])
    packer = Packer(store, detail, source.fields)
    frames, held, limits, thinning = [], [], {}, {}
    for done, step in enumerate(steps):
        source.progress(done, len(steps))
        frame = last if step == last.step else run.frames.at(step)
        held += [name for name in present(frame) if name not in held]
        packed = entry(frame, packer)
        for group in packed["groups"]:
            thinning[group["key"]] = max(group["every"], thinning.get(group["key"], 1))
        for name in packed["fields"]:
            found = shade(frame, name)
            low, high = limits.get(name, (found.low, found.high))
            limits[name] = (min(low, found.low), max(high, found.high))
        frames.append(packed)
    source.progress(len(steps), len(steps))
    usual, _ = choose(last, None)
    field = next((name for name in [*usual, *limits] if name in limits), None)
    slab_cut = usual_slab(last)
    start = {"frame": len(frames) - 1, "field": field or "", "fieldAs": "wall", "level": USUAL_LEVEL}
    strides = tuple(stride(last.tissue.shape, most) for most in (detail.samples, detail.voxels))
    model = common(run, last, *strides) | {
        "frames": frames,
        "layers": layer_lines(held, frames, last),
        "fields": [field_line(run, name, limits[name]) for name in limits],
        "start": start | {"slices": [edge // 2 for edge in last.tissue.shape]},
        "cut": slab_cut,
        "slab": slab_cut,
        "camera": camera_of("oblique"),
        "most": MOST_DRAWN,
        "blobs": store.shapes,
        "notes": _notes(source, last, packer, steps, thinning, strides),
    }
    return model, store


def entry(frame, packer: Packer) -> dict:
    """What the page has to know of a frame: its time, numbers, and the keys of its arrays."""
    usual, _ = choose(frame, None)
    return {
        "step": frame.step,
        "minutes": frame.time,
        "label": time_stamp(frame.time),
        "caption": caption(frame, usual),
        "counts": _counts(frame),
        **packer.pack(frame),
    }


def usual_slab(frame) -> dict:
    """The part that the still picture draws: its axis, and its first voxel and the one behind its last."""
    usual, _ = choose(frame, None)
    bare = set(usual).difference(frame.fields).issubset(BONE_VIEW)
    box = whole(frame) if bare else slab(frame, facing(axes_of("oblique")[2])[0])
    axis = next((axis for axis in range(3) if box.high[axis] - box.low[axis] < frame.tissue.shape[axis]), 1)
    return {"axis": axis, "low": box.low[axis], "high": box.high[axis]}


def common(run, frame, coarse: int, every: int) -> dict:
    """What the page says of a run whatever it shows of it; fields are kept at every `coarse`-th voxel, the tissue at
    every `every`-th.
    """
    origin, step = scale(frame)
    shape = frame.tissue.shape
    samples = {"stride": coarse, "shape": [-(-edge // coarse) for edge in shape]}
    record = run.record
    return {
        "title": record["title"],
        "seed": record["seed"],
        "software": f"marrowsim {record['software']['marrowsim']}",
        "hash": record["hash"] or "",
        "scenario": _scenario(run),
        "spacing": frame.spacing,
        "shape": list(shape),
        "surface": {"origin": origin, "step": step},
        "tissue": {
            "stride": every,
            "shape": [-(-edge // every) for edge in shape],
            "enterable": [code for code in NAMES if IS_ENTERABLE[code]],
            "names": {code: NAMES[code].replace("_", " ") for code in NAMES},
            "codes": TISSUE_LAYERS,
        },
        "samples": samples,
        "mostSamples": MOST_SAMPLES,
        "planes": samples,
        "cameras": {name: camera_of(name) for name in CAMERAS},
        "curves": curves_of(run.readouts),
        "ink": INK,
    }


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


def layer_lines(held: Sequence[str], frames: Sequence[dict], frame) -> list[dict]:
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
    return sorted(lines, key=lambda line: HEADINGS.index(line["heading"]))


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


def field_line(run, name: str, limits: tuple[float, float]) -> dict:
    """A field: of the palette, or with the label and unit of the scenario where the palette has none."""
    style = palette.field_style(name)
    if name not in palette.FIELDS:
        kind = run.config.fields.get(name)
        unit, label = (kind.unit, kind.label) if kind else ("1", name)
        style = palette.FieldStyle(style.colormap, "" if unit == "1" else unit, label)
    colours = [to_hex(style.colormap(value)) for value in np.linspace(0, 1, SHADES)]
    return {"name": name, "label": style.label, "unit": style.unit, "limits": limits, "colours": colours}


def camera_of(name: str | tuple[float, float]) -> dict:
    """A camera of plotly, with z up (seen from the very top, that would leave the picture's turn open), and the axis
    of the lattice that it looks along."""
    azimuth, elevation = CAMERAS[name] if isinstance(name, str) else name
    _, _, towards = axes_of((azimuth, min(max(elevation, -STEEPEST), STEEPEST)))
    camera = {
        "eye": dict(zip("xyz", map(float, 1.35 * towards), strict=True)),
        "up": {"x": 0, "y": 0, "z": 1},
        "center": {"x": 0, "y": 0, "z": 0},
        "projection": {"type": "orthographic"},
    }
    return {"camera": camera, "axis": facing(towards)[0]}


def curves_of(readouts: pd.DataFrame) -> dict | None:
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
        panels.append({"title": title, "unit": curves.spoken_unit(unit), "lines": lines})
    minutes = 1440.0 if label.endswith("(d)") else 60.0 if label.endswith("(h)") else None
    return {
        "label": label,
        "minutes": minutes,
        "times": [float(f"{time:.6g}") for time in times[rows]],
        "panels": panels,
    }


def _notes(source, frame, packer, steps, thinning, strides) -> list[str]:
    """What was left out or drawn otherwise than it is, in words."""
    notes = []
    total = len(source.steps)
    if len(steps) < total:
        notes.append(f"{len(steps)} of {total} frames, evenly over time")
    if packer.kept < packer.triangles:
        notes.append(f"surfaces with {100 * packer.kept / packer.triangles:.0f} % of their triangles")
    for what, every in zip(("fields", "tissue in cut faces"), strides, strict=True):
        if every > 1:
            ordinal = {2: "2nd", 3: "3rd"}.get(every, f"{every}th")
            notes.append(f"{what} at every {ordinal} voxel along each axis ({every * frame.spacing:g} µm)")
    for key, share in thinning.items():
        if share > 1:
            label = palette.cell_style(*key.rsplit(" ", 1)).label
            notes.append(f"{label}: down to 1 of {share} cells (the numbers in the legend are of all)")
    if len(source.run.readouts) > MOST_ROWS:
        notes.append(f"readouts: {MOST_ROWS} of {len(source.run.readouts)} rows")
    return notes + enlarged(frame)


def enlarged(frame) -> list[str]:
    """A note on the kinds of cells that are drawn larger than they are."""
    extent = max(frame.tissue.shape)
    large = [
        plural
        for kind, plural in PLURALS.items()
        if any(LEAST_SHARE[kind] * extent > 1.2 * style.size for style in palette.CELLS[kind].values())
    ]
    return [f"{', '.join(large)} are drawn larger than they are, to be seen"] if large else []
