"""Volumes and their voxel size out of TIFF: multi-page files and folders of slices."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from ..errors import Fault, ImageError

UM_PER_UNIT = {
    "m": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "millimeter": 1e3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "nm": 1e-3,
}


def read_tiff(path):
    """Values [z, y, x] of a multi-page TIFF, voxel edges (x, y, z) in um or None, and why None."""
    with _errors_raised(), tifffile.TiffFile(path) as tiff:
        if len({page.shape for page in tiff.pages}) > 1:
            _refuse_mixed_slices(path, (page.shape for page in tiff.pages))
        end_of_file = path.stat().st_size
        for page in tiff.pages:
            segments = zip(page.dataoffsets, page.databytecounts, strict=True)
            if any(offset + count > end_of_file for offset, count in segments):
                raise OSError("the file ends before its last slice")
        return tiff.series[0].asarray(), *_tiff_spacing(tiff)


def _tiff_spacing(tiff):
    """Voxel edges (x, y, z) in um that an OME or ImageJ TIFF states with a unit, else None and why."""
    if tiff.is_ome:
        edges = [re.search(rf'PhysicalSize{axis}="([^"]+)"', tiff.ome_metadata) for axis in "XYZ"]
        units = [re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', tiff.ome_metadata) for axis in "XYZ"]
        factors = [UM_PER_UNIT.get(unit[1]) if unit else 1.0 for unit in units]
        if all(edges) and all(factors):
            return tuple(float(e[1]) * f for e, f in zip(edges, factors, strict=True)), ""
        return None, "the OME header has no size for all three axes"
    description = tiff.imagej_metadata or {}
    factor = UM_PER_UNIT.get(str(description.get("unit", "")).lower())
    tags = tiff.pages[0].tags
    if factor and "spacing" in description and "XResolution" in tags and "YResolution" in tags:
        per_unit = [np.divide(*tags[name].value) for name in ("XResolution", "YResolution")]
        return (factor / per_unit[0], factor / per_unit[1], factor * float(description["spacing"])), ""
    return None, "a TIFF states its voxel size only as ImageJ or OME metadata"


def read_slices(path):
    """Values of a folder of slices, no voxel edges, and why."""
    files = slices_of(path)
    if not files:
        raise ImageError(
            Fault(
                "the folder holds no slices",
                allowed="files ending in .tif or .tiff",
                given=f"{sum(1 for _ in path.iterdir())} other files",
                where=path.name,
            )
        )
    with _errors_raised():
        slices = [tifffile.imread(file) for file in files]
    if len({(part.shape, part.dtype) for part in slices}) > 1:
        _refuse_mixed_slices(path, (part.shape for part in slices))
    return np.stack(slices), None, "slices do not state the distance between them"


def _refuse_mixed_slices(path, shapes):
    found = sorted({" x ".join(map(str, shape[::-1])) for shape in shapes})
    raise ImageError(
        Fault(
            "the slices differ in size or type",
            allowed="slices of one size and one number type",
            given=", ".join(found[:4]),
            remedy="remove previews and logos, or pad the slices",
            where=path.name,
        )
    )


def slices_of(folder) -> list[Path]:
    """TIFF files in natural order (slice_9 before slice_10)."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in (".tif", ".tiff")]
    return sorted(
        files,
        key=lambda file: [(len(p), p) if p.isdigit() else (0, p) for p in re.split(r"(\d+)", file.name.lower())],
    )


@contextmanager
def _errors_raised():
    """What the TIFF library only logs (a chain of pages that breaks off) is an error here."""
    messages: list[str] = []
    logger = logging.getLogger("tifffile")
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: messages.append(record.getMessage())
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if messages:
        raise OSError(messages[-1])
