"""Where pictures and films go: checked before anything is drawn, complete or not there at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from marrowsim.errors import Fault, RenderError

FORMATS = (".png", ".pdf", ".svg")
FILM = ".mp4"

# How files of these formats begin, after a few bytes that may differ.
SIGNATURES = {".png": (b"\x89PNG",), ".pdf": (b"%PDF",), ".svg": (b"<?xml", b"<svg"), FILM: (b"ftyp",)}

# Size of a picture's edges in pixels at 100 dots per inch, and of what is written.
LEAST_EDGE, MOST_EDGE, MOST_PIXELS = 320, 8000, 16000

# So that the same frame gives the same file.
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def target_faults(path: Path, formats: Sequence[str] = FORMATS, *, force: bool = False) -> Iterator[Fault]:
    """What speaks against writing a file: its kind, its folder, or a file there that is no picture."""
    kind = path.suffix.lower()
    if kind not in formats:
        remedy = f"name the file {path.stem or 'picture'}{formats[0]}"
        yield Fault("a picture of this kind cannot be written", ", ".join(formats), path.name, remedy)
    elif not path.absolute().parent.is_dir():
        given = str(path.absolute().parent)
        yield Fault("there is no such folder for the picture", given=given, remedy="make it, or choose another -o FILE")
    elif path.exists() and not force and not _is_picture(path, kind):
        remedy = "choose another name, or replace it with --force"
        yield Fault("there is a file of that name that is no picture of this kind", given=str(path), remedy=remedy)


def _is_picture(path: Path, kind: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(16)
    return any(mark in start for mark in SIGNATURES[kind])


def size_faults(size: Sequence[int], dpi: float) -> Iterator[Fault]:
    """What speaks against a size in pixels at 100 dots per inch, and against a resolution."""
    if not (
        len(size) == 2 and all(LEAST_EDGE <= edge <= MOST_EDGE for edge in size) and 1.2 <= size[0] / size[1] <= 2.4
    ):
        allowed = f"{LEAST_EDGE} to {MOST_EDGE} pixels, 1.2 to 2.4 times as wide as high"
        given, remedy = " x ".join(map(str, size)), "leave the size out for 1600 x 1000"
        yield Fault("the size of the picture is out of bounds", allowed, given, remedy)
    elif not (dpi >= 10 and max(size) * dpi / 100 <= MOST_PIXELS):
        allowed = f"at least 10, and at most {MOST_PIXELS} pixels along an edge in the end"
        yield Fault("the resolution of the picture is out of bounds", allowed, f"{dpi:g}", "such as 300")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside a file, which takes its place in the end unless something fails.

    Raises
    ------
    RenderError : where the disk refuses.
    """
    partial = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        remedy = "choose a folder that exists and can be written to"
        what = f"the picture cannot be written: {error.strerror or error}"
        raise RenderError(Fault(what, given=str(path), remedy=remedy)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_figure(figure: Figure, path: Path, *, dpi: float | None = None, transparent: bool = False) -> None:
    """Write a figure with its own resolution; the same figure gives the same bytes.

    Parameters
    ----------
    dpi : dots per inch that a PNG file names to whoever prints it; those of the figure where not given.

    Raises
    ------
    RenderError : where the disk refuses.
    """
    kind, content = path.suffix.lower().lstrip("."), BytesIO()
    named = {"pil_kwargs": {"dpi": (dpi, dpi)}} if dpi and kind == "png" else {}
    with mpl.rc_context({"svg.hashsalt": "marrowsim"}):
        figure.savefig(
            content,
            dpi=figure.dpi,
            format=kind,
            metadata=UNDATED.get(kind),
            transparent=transparent or None,
            **named,
        )
    with replacing(path) as partial:
        partial.write_bytes(content.getvalue())
