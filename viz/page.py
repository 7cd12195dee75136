"""A run as one HTML file that opens without server or network: the lattice in 3D over time, and the readouts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path

from marrowsim.errors import Fault, RenderError
from marrowsim.viz.page_data import DETAILS, Detail, Packer, Store
from marrowsim.viz.page_model import build, thinned

LOGGER = logging.getLogger(__name__)

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
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    most = source.max_size or MOST_BYTES
    resources = files("marrowsim.viz") / "page_template"
    style, script, body = ((resources / f"page.{kind}").read_text("utf-8") for kind in ("css", "js", "html"))
    library = get_plotlyjs()
    fixed = sum(len(text.encode()) for text in (library, style, script, body))
    for detail in DETAILS:
        if _estimate(source, detail) + fixed > most:
            continue
        model, store = build(source, detail)
        page = _assemble(model, store, library, style, script, body)
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


def _estimate(source, detail: Detail) -> float:
    """Bytes of the data of a page at this detail, from its first, middle and last frame."""
    steps = thinned(source.steps, detail.frames)
    samples = thinned(steps, 3)
    store = Store()
    frames = [source.run.frames.at(step) for step in samples]
    packer = Packer(store, detail, source.fields)
    keys: dict[str, list[str]] = {}
    for frame in frames:
        for name, key in _keys(packer.pack(frame)):
            keys.setdefault(name, []).append(key)
    total = 0.0
    for found in keys.values():
        alone = len(set(found)) == 1
        total += store.size(set(found)) if alone else store.size(found) / len(samples) * len(steps)
    return total


def _keys(packed: dict) -> Iterator[tuple[str, str]]:
    """Pairs of what an array of a packed frame is and its key in the store."""
    for name in ("tissue", "cells", "slots"):
        yield name, packed[name]
    for part in ("surfaces", "fields"):
        for name, key in packed[part].items():
            yield f"{part}/{name}", key


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
