"""A run as one HTML file that opens without server or network: the lattice in 3D over time, and the readouts."""

from __future__ import annotations

import base64
import json
import logging
from html import escape
from importlib.resources import files
from pathlib import Path

from marrowsim.errors import Fault, RenderError
from marrowsim.viz.page_data import DETAILS, Detail, Packer, Store
from marrowsim.viz.page_model import build, thinned

LOGGER = logging.getLogger(__name__)

# Parts of the page's program, in the order in which they are joined.
SCRIPTS = (
    *("data", "state", "surfaces", "cells", "fields", "picture", "legend", "controls", "values", "curves"),
    *("screenshot", "start"),
)

MOST_BYTES = 20_000_000
"""Size of the file where none is given."""


def write(source, folder: Path, stem: str) -> None:
    """Write `stem`.html into a folder.

    The page holds its own copy of plotly, so that it opens from the disk in any browser with WebGL. Surfaces are
    decimated, fields kept at every n-th voxel, cells and frames thinned evenly until the file is as small as
    `source.max_size` bytes, and the page says so.

    Parameters
    ----------
    source : the part of a run that is exported (`marrowsim.export.source.Source`).
    folder, stem : where, and the name without its ending.

    Raises
    ------
    RenderError : where the size cannot be kept.
    """
    most = source.max_size or MOST_BYTES
    fixed = len(assemble({"title": ""}, {}))
    samples = [source.run.frames.at(step) for step in thinned(source.steps, 3)]
    weight = _weight(source, samples)
    for detail in DETAILS:
        if _estimate(source, detail, samples, weight) + fixed > most:
            continue
        model, store = build(source, detail)
        page = assemble(model, {key: base64.b64encode(data).decode() for key, data in store.packed.items()})
        if len(page) <= most:
            break
    else:
        raise RenderError(
            Fault(
                "the page cannot be made that small",
                f"more than {fixed / 1e6:.1f} MB, which the program of the page takes alone",
                f"{most / 1e6:g} MB",
                "allow more: --max-size 20MB",
                "--max-size",
            )
        )
    for note in model["notes"]:
        LOGGER.info("%s.html: %s", stem, note)
    (folder / f"{stem}.html").write_bytes(page)


def _weight(source, samples) -> dict:
    """Bytes a triangle, triangles, and whether surfaces change, from a first, middle and last frame.

    Measured once: decimation takes longer than all else, and the bytes hardly depend on it.
    """
    store = Store()
    packer = Packer(store, DETAILS[0], source.fields)
    keys = {key for frame in samples for key in packer.surfaces(frame).values()}
    return {
        "bytes": store.size(keys) / max(1, packer.kept) * (len(samples) if len(packer.made) == 1 else 1),
        "triangles": packer.triangles / len(samples),
        "changing": len(packer.made) > 1,
    }


def _estimate(source, detail: Detail, samples, weight: dict) -> float:
    """Bytes of the data of a page at this detail, from its first, middle and last frame."""
    number = len(thinned(source.steps, detail.frames))
    store = Store()
    packer = Packer(store, detail, source.fields)
    keys: dict[str, list[str]] = {}
    for frame in samples:
        for name, key in packer.pack_voxels(frame):
            keys.setdefault(name, []).append(key)
    triangles = min(detail.triangles, weight["triangles"])
    total = weight["bytes"] * triangles * (number if weight["changing"] else 1)
    for found in keys.values():
        alone = len(set(found)) == 1
        total += store.size(set(found)) if alone else store.size(found) / len(samples) * number
    return total


def script() -> str:
    """The program of the page: its parts as one."""
    resources = files("marrowsim.viz") / "page_template"
    parts = "\n".join((resources / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def assemble(model: dict, arrays: dict[str, str], connect: str = "'none'") -> bytes:
    """The page: its body with style, plotly, data and program in the places that it names.

    Parameters
    ----------
    model : what the page shows (`page_model`).
    arrays : arrays by key, compressed and in base64.
    connect : what the page may ask for, as its content policy says it.
    """
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    resources = files("marrowsim.viz") / "page_template"
    style, body = ((resources / f"page.{kind}").read_text("utf-8") for kind in ("css", "html"))
    parts = {
        "CONNECT": connect,
        "TITLE": escape(model["title"]),
        "STYLE": style,
        "LIBRARY": get_plotlyjs(),
        "MODEL": json.dumps(model, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "ARRAYS": json.dumps(arrays, separators=(",", ":")),
        "SCRIPT": script(),
    }
    return filled(body, parts).encode()


def filled(body: str, parts: dict[str, str]) -> str:
    """A text with parts in the places that it names: <!--NAME-->.

    Raises
    ------
    KeyError : where it lacks a place.
    """
    for name, text in parts.items():
        first, mark, rest = body.partition(f"<!--{name}-->")
        if not mark:
            raise KeyError(f"page.html lacks the place {name}")
        body = first + text + rest
    return body
