"""OME-Zarr 0.5 (Zarr 3): fields as channels of an image over time, tissue and cells as label images.

Source: ngff.openmicroscopy.org/0.5.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from matplotlib.colors import to_hex, to_rgba

from marrowsim import tissues
from marrowsim.errors import ExportError, Fault
from marrowsim.export.source import Source
from marrowsim.viz import palette

LOGGER = logging.getLogger(__name__)
VERSION = "0.5"
CHUNK = 128
SMALLEST = 64
"""Edge in voxels, below which no further level is made."""
CLEAR = (0, 0, 0, 0)
LABELS = ("tissue", "cell_type", "bone_change")


def write(source: Source, folder: Path, stem: str) -> None:
    """Write `<stem>.ome.zarr`; axes t (hour), c, z, y, x (micrometer), coordinates those of voxel centres.

    Every level halves the edge in voxels. Fields are means over the voxels that are put together, labels the value of
    the first of them. The metadata that make the folder an image are written last.
    """
    if not source.fields:
        remedy = "name one with --fields, or export to .nc or .pvd"
        raise ExportError(Fault("an image needs a field at least", given="no field", remedy=remedy))
    image = zarr.create_group(folder / f"{stem}.ome.zarr", zarr_format=3)
    shapes = _levels(source.headers[0].shape)
    times, channels = len(source.steps), len(source.fields)
    fields = [_array(image, str(level), (times, channels, *shape), np.float32) for level, shape in enumerate(shapes)]
    group = image.create_group("labels")
    names = [name for name in LABELS if name in source.arrays]
    labels = {
        name: [
            _array(group, f"{name}/{level}", (times, *shape), source.dtype(name)) for level, shape in enumerate(shapes)
        ]
        for name in names
    }
    windows = np.array([[np.inf, -np.inf]] * channels)
    for number in source.each():
        for channel, name in enumerate(source.fields):
            values = source.voxels(number, name)
            windows[channel] = min(windows[channel, 0], values.min()), max(windows[channel, 1], values.max())
            for level in fields:
                _fill(level, (number, channel), values)
                values = coarser(values)
        for name, levels in labels.items():
            values = source.voxels(number, name)
            for level in levels:
                _fill(level, (number,), values)
                values = values[::2, ::2, ::2]
    for name in names:
        described = {
            "multiscales": [_multiscale(source, name, shapes, "tzyx")],
            "image-label": _image_label(source, name),
        }
        group[name].attrs["ome"] = {"version": VERSION, **described}
    group.attrs["ome"] = {"version": VERSION, "labels": names}
    image.attrs["marrowsim"] = {
        **source.run.provenance,
        "channels": [{"field": name, "unit": source.unit(name)} for name in source.fields],
        "steps": list(source.steps),
        "time (h)": source.hours,
    }
    image.attrs["ome"] = {
        "version": VERSION,
        "multiscales": [_multiscale(source, stem, shapes, "tczyx")],
        "omero": {
            "channels": [_channel(source, name, window) for name, window in zip(source.fields, windows, strict=True)]
        },
    }


def _fill(array: zarr.Array, place: tuple[int, ...], values: np.ndarray) -> None:
    """Write a volume chunk by chunk: zarr would go on with the others after one that failed, in threads of its own."""
    steps = array.chunks[-3:]
    for corner in np.ndindex(*(-(-length // step) for length, step in zip(values.shape, steps, strict=True))):
        block = tuple(slice(at * step, (at + 1) * step) for at, step in zip(corner, steps, strict=True))
        array[(*place, *block)] = values[block]


def coarser(values: np.ndarray) -> np.ndarray:
    """Means over blocks of 2 x 2 x 2 voxels, of what there is of them at the far faces: float32."""
    for axis, length in enumerate(values.shape):
        starts = np.arange(0, length, 2)
        counts = np.minimum(length - starts, 2).reshape([-1 if other == axis else 1 for other in range(3)])
        values = np.add.reduceat(values, starts, axis=axis, dtype=np.float32) / counts.astype(np.float32)
    return values


def _levels(shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """Shapes of the levels: two, and more until the longest edge is small."""
    shapes = [tuple(shape)]
    while len(shapes) < 2 or max(shapes[-1]) > SMALLEST:
        shapes.append(tuple(-(-length // 2) for length in shapes[-1]))
    return shapes


def _array(group: zarr.Group, name: str, shape: tuple[int, ...], dtype: type) -> zarr.Array:
    chunks = (*(1,) * (len(shape) - 3), *(min(length, CHUNK) for length in shape[-3:]))
    names = "tczyx" if len(shape) == 5 else "tzyx"
    return group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, dimension_names=list(names), fill_value=0)


def _multiscale(source: Source, name: str, shapes: list[tuple[int, ...]], axes: str) -> dict[str, Any]:
    """Axes with their units, and where each level lies; the time axis has a unit where the times are evenly spaced."""
    edge, times = source.headers[0].spacing, source.hours
    steps = np.diff(times)
    even = len(steps) == 0 or np.allclose(steps, steps[0])
    if not even and axes.startswith("tc"):
        LOGGER.warning("the frames are not evenly spaced in time: t counts frames, and the times are in the attributes")
    every, first = (float(steps[0]) if len(steps) else 1.0, times[0]) if even else (1.0, 0.0)
    kinds = {
        "t": {"name": "t", "type": "time", **({"unit": "hour"} if even else {})},
        "c": {"name": "c", "type": "channel"},
        **{axis: {"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"},
    }
    datasets = []
    for level in range(len(shapes)):
        size = edge * 2**level
        scale = {"t": every, "c": 1.0} | dict.fromkeys("zyx", size)
        shift = {"t": first, "c": 0.0} | dict.fromkeys("zyx", size / 2)
        transformations = [
            {"type": "scale", "scale": [scale[axis] for axis in axes]},
            {"type": "translation", "translation": [shift[axis] for axis in axes]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    return {"name": name, "axes": [kinds[axis] for axis in axes], "datasets": datasets}


def _channel(source: Source, name: str, window: np.ndarray) -> dict[str, Any]:
    """How viewers show a field: name with unit, colour of the palette, and the range of all frames."""
    low, high = (float(value) for value in window)
    unit = source.unit(name)
    return {
        "label": source.label(name) + (f" ({unit})" if unit != "1" else ""),
        "color": to_hex(palette.field_style(name).colormap(0.5))[1:].upper(),
        "window": {"min": low, "max": high, "start": low, "end": high},
        "active": name == source.fields[0],
    }


def _image_label(source: Source, name: str) -> dict[str, Any]:
    """What the values of a label image stand for, in the colours of the palette."""
    if name == "bone_change":
        values = {-1: ("lost", palette.BONE_LOST.colour), 1: ("new", palette.BONE_FORMED.colour)}
    elif name == "tissue":
        styles = palette.TISSUES
        values = {code: (word, styles[code].colour if code in styles else None) for code, word in tissues.NAMES.items()}
    else:
        kinds = enumerate(source.headers[0].cell_types, 1)
        values = {code: (kind, palette.cell_style(kind, "free").colour) for code, kind in kinds}
    return {
        "colors": [
            {"label-value": value, "rgba": [round(255 * part) for part in to_rgba(colour)] if colour else list(CLEAR)}
            for value, (_, colour) in values.items()
        ],
        "properties": [{"label-value": value, "name": word} for value, (word, _) in values.items()],
        "source": {"image": "../../"},
    }
