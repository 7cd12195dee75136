"""What a picture can show, what of it a frame holds, and which part of the lattice is drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter

from marrowsim.errors import Fault, RenderError, nearest
from marrowsim.tissues import ARTERIOLE, BONE, CAPILLARY, IS_ENTERABLE, IS_OF_BONE, SINUSOID, SOFT, SPROUT
from marrowsim.viz import palette

TISSUE_LAYERS = {
    "bone": BONE,
    "sinusoids": SINUSOID,
    "arterioles": ARTERIOLE,
    "capillaries": CAPILLARY,
    "sprouts": SPROUT,
}

# Every layer by the name a user gives it; a frame may add cell types and fields of its own.
LAYERS = (*TISSUE_LAYERS, "bone_change", "niches", *palette.CELLS, *palette.FIELDS)

# Drawn only when asked for: they hide what the picture is about.
ON_REQUEST = ("lining", "osteocyte", "fibroblast", "oxygen")

# Nothing but bone and what works on it: layers that hide little, so that a thicker part is drawn.
BONE_VIEW = ("bone", "bone_change", "osteoclast", "osteoblast", "osteocyte", "lining")

# Thickness (um) of the slab of a lattice that is drawn where the whole would hide what is in it.
SLAB = 100.0

# How the note begins that names layers which a frame does not have.
ABSENT = "not in this frame"

# Nearest to the eye last, so that the rare are not hidden by the many.
STATUSES = ("free", "arrested", "bound")


def present(frame) -> tuple[str, ...]:
    """Names of the layers that this frame holds something of."""
    names = [name for name, code in TISSUE_LAYERS.items() if (frame.tissue == code).any()]
    if frame.bone_change is not None and frame.bone_change.any():
        names.append("bone_change")
    if len(frame.slots):
        names.append("niches")
    kinds = {str(kind) for kind in frame.cells["type"].unique()}
    names += [kind for kind in palette.CELLS if kind in kinds]
    names += sorted(kinds.difference(palette.CELLS))
    names += [name for name in palette.FIELDS if name in frame.fields]
    return (*names, *sorted(set(frame.fields).difference(palette.FIELDS)))


def choose(frame, wanted: Sequence[str] | None) -> tuple[tuple[str, ...], list[str]]:
    """The layers to draw, and a note on every one that was asked for and is not in the frame.

    Parameters
    ----------
    wanted : names of layers, or None for the usual ones.

    Raises
    ------
    RenderError : where a name is no layer, with the nearest one.
    """
    held = present(frame)
    if wanted is None:
        fields = [name for name in frame.fields if name in held and name not in ON_REQUEST]
        first = "cxcl12" if "cxcl12" in fields else next(iter(sorted(fields)), None)
        usual = [name for name in held if name not in ON_REQUEST and name not in frame.fields]
        return (*usual, *([first] if first else [])), []
    known = tuple(dict.fromkeys([*LAYERS, *held]))
    if isinstance(wanted, str):
        wanted = [name.strip() for name in wanted.split(",")]
    faults = [
        Fault(
            f"there is no layer '{name}'",
            allowed=", ".join(known),
            given=str(name),
            remedy=nearest(str(name), known) or "name layers of this list",
        )
        for name in wanted
        if name not in known
    ]
    if faults:
        raise RenderError(*faults)
    absent = [name for name in dict.fromkeys(wanted) if name not in held]
    notes = [f"{ABSENT}: {', '.join(absent)}"] if absent else []
    return tuple(name for name in held if name in wanted), notes


def field_of(frame, layers: Sequence[str]) -> str | None:
    """The field that the section paints: the first one among the layers."""
    return next((name for name in layers if name in frame.fields), None)


def check_field(frame, name: str | None) -> None:
    """Refuse the name of a field that the frame does not have; None is the usual field.

    Raises
    ------
    RenderError : with the nearest name.
    """
    if name is not None and name not in frame.fields:
        remedy = nearest(name, frame.fields) or "choose one of these"
        raise RenderError(Fault(f"there is no field '{name}'", ", ".join(frame.fields) or "none", name, remedy))


def check_use(frame, layers: Sequence[str], field: str | None, field_as: str, limits) -> None:
    """Refuse a way of drawing a field, or a colour scale, where the layers have no field that it could be of.

    Raises
    ------
    RenderError : with the fields that the frame has.
    """
    way = {"wall": "", "none": ""}.get(field_as, f"--as {field_as}") or ("--limits" if limits is not None else "")
    if way and field is None and field_of(frame, layers) is None:
        allowed = ", ".join(frame.fields) or "none"
        raise RenderError(Fault(f"{way} is of a field, and the layers have none", allowed, ",".join(layers), "add one"))


def census(cells: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Number of cells of each (type, status) that occurs."""
    sizes = cells.groupby(["type", "status"], observed=True).size()
    return {(str(kind), str(status)): int(size) for (kind, status), size in sizes.items() if size}


def _tissue_at(frame, table: pd.DataFrame) -> np.ndarray:
    """Tissue code at each row of a table with columns x, y, z (um)."""
    return frame.tissue[tuple(np.floor(table[["z", "y", "x"]].to_numpy(float).T / frame.spacing).astype(int))]


def count_in_soft_tissue(frame, kind: str) -> int:
    """Number of free cells of a type that stand in soft tissue."""
    table = frame.cells[(frame.cells["type"] == kind) & (frame.cells["status"] == "free")]
    return int(np.count_nonzero(_tissue_at(frame, table) == SOFT))


def drawn_groups(found: Collection[tuple[str, str]], layers: Sequence[str]) -> list[tuple[str, str]]:
    """The (type, status) pairs that a picture shows, in the order of drawing: the rare after the many."""
    kinds = [*(name for name in layers if name not in palette.CELLS), *reversed(palette.CELLS)]
    order = [(kind, status) for kind in kinds if kind in layers for status in STATUSES]
    return [pair for pair in order if pair in found]


def groups(cells: pd.DataFrame, layers: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (type, status, cells) of the cells that stand in a voxel, in the order of drawing."""
    tables = {
        (str(kind), str(status)): table
        for (kind, status), table in cells.groupby(["type", "status"], observed=True)
        if len(table)
    }
    for kind, status in drawn_groups(tables, layers):
        yield kind, status, tables[kind, status]


@dataclass(frozen=True)
class Box:
    """A part of the lattice: voxels low <= index < high, each (z, y, x)."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        z, y, x = (slice(*pair) for pair in zip(self.low, self.high, strict=True))
        return z, y, x

    def bounds(self, spacing: float) -> np.ndarray:
        """Corners (2, 3) in um: the lowest and the highest (x, y, z)."""
        return np.array([self.low[::-1], self.high[::-1]]) * float(spacing)

    def inside(self, table: pd.DataFrame, spacing: float) -> pd.DataFrame:
        """The rows of a table with columns x, y, z (um) that lie in the box."""
        return table[self.holds(table, spacing)]

    def holds(self, table, spacing: float) -> np.ndarray:
        """Whether each row of a table with columns x, y, z (um) lies in the box."""
        points = table[["x", "y", "z"]].to_numpy()
        low, high = self.bounds(spacing)
        return ((points >= low) & (points < high)).all(1)


def whole(frame) -> Box:
    """The whole lattice."""
    z, y, x = frame.tissue.shape
    return Box((0, 0, 0), (z, y, x))


def middle(box: Box, axis: int) -> Box:
    """The middle layer of voxels of a box across an axis (0 z, 1 y, 2 x)."""
    centre = (box.low[axis] + box.high[axis]) // 2
    low, high = list(box.low), list(box.high)
    low[axis], high[axis] = centre, centre + 1
    return Box(tuple(low), tuple(high))


def _counts(frame, axes: Sequence[int], kind: str, status: str | None) -> np.ndarray:
    """Number of cells (or of vacant niche places, kind "niche", or of voxels, kind "bone lost") a voxel column, along
    the axes kept.

    Where there are niches, cells at the soft-tissue site do not count: a view of the many there shows nothing else.
    """
    if kind == "bone lost":
        return np.count_nonzero(frame.bone_change < 0, axis=tuple(set(range(3)) - set(axes))).astype(float)
    if kind == "niche":
        table = frame.slots[~frame.slots["occupied"].to_numpy(bool)]
    else:
        table = frame.cells[(frame.cells["type"] == kind) & (frame.cells["status"] == status)]
        if len(frame.slots):
            table = table[IS_OF_BONE[_tissue_at(frame, table)] > 0]
    sites = np.floor(table[["z", "y", "x"]].to_numpy(float) / frame.spacing).astype(int)
    shape = [frame.tissue.shape[axis] for axis in axes]
    flat = np.ravel_multi_index([sites[:, axis] for axis in axes], shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(float)


# What a part of the lattice is chosen for, and how much each counts.
SIGHTS = (
    ("tumour", "bound", 3.0),
    ("tumour", "arrested", 1.5),
    ("tumour", "free", 1.0),
    ("hpc", "bound", 1.0),
    ("niche", None, 0.5),
    ("bone lost", None, 1.0),
)


def _interest(frame, axes: Sequence[int], window: Sequence[int]) -> np.ndarray:
    """How much there is to see in a window centred on each voxel column.

    The logarithm of the numbers lets a window with one of each kind win over one with many of a kind.
    """
    enterable = IS_ENTERABLE[frame.tissue].mean(axis=tuple(set(range(3)) - set(axes)))
    score = uniform_filter(enterable, window, mode="constant")
    for kind, status, weight in SIGHTS:
        if kind == "bone lost" and frame.bone_change is None:
            continue
        counts = _counts(frame, axes, kind, status)
        inside = uniform_filter(counts, window, mode="constant") * np.prod(window)
        score = score + weight * np.log1p(np.maximum(inside, 0))
    return score


def _place(score: np.ndarray, window: Sequence[int]) -> list[int]:
    """First voxels of the window with the best score, kept inside; the most central one of equals."""
    middle = (np.array(score.shape) - 1) / 2
    far = sum((axis - centre) ** 2 for axis, centre in zip(np.indices(score.shape), middle, strict=True))
    order = np.lexsort((far.ravel(), -np.round(score.ravel(), 9)))
    best = np.unravel_index(order[0], score.shape)
    return [
        int(np.clip(centre - width // 2, 0, edge - width))
        for centre, width, edge in zip(best, window, score.shape, strict=True)
    ]


def slab(frame, axis: int = 1, thickness: float = SLAB) -> Box:
    """The slab across an axis, `thickness` um thick, with the most to see.

    The whole of a lattice that is thin, or a dish where neither bone nor vessels hide the cells.
    """
    everything = whole(frame)
    width = max(1, round(thickness / frame.spacing))
    if frame.tissue.shape[axis] <= 2.5 * width or IS_ENTERABLE[frame.tissue].all():
        return everything
    (start,) = _place(_interest(frame, (axis,), (width,)), (width,))
    low, high = list(everything.low), list(everything.high)
    low[axis], high[axis] = start, start + width
    return Box(tuple(low), tuple(high))


def close_up(frame, inside: Box, axis: int = 1, edge: float = 180.0) -> Box | None:
    """The part of a slab, `edge` um (at least 12 voxels) wide, with the most to see.

    None where the slab is hardly wider, or where nothing was cut off: the view is a close-up itself.
    """
    if inside == whole(frame):
        return None
    rows, columns = (other for other in range(3) if other != axis)
    width = max(12, round(edge / frame.spacing))
    low, high = list(inside.low), list(inside.high)
    if min(high[rows] - low[rows], high[columns] - low[columns]) < 2 * width:
        return None
    window = (round(0.8 * width), width)
    starts = _place(_interest(Part(frame, inside), (rows, columns), window), window)
    for other, start, length in zip((rows, columns), starts, window, strict=True):
        low[other] += start
        high[other] = low[other] + length
    return Box(tuple(low), tuple(high))


def is_crowded(frame, box: Box) -> bool:
    """Whether cells fill more than half of what they can enter in a box, so that nothing else is seen there."""
    room = np.count_nonzero(IS_ENTERABLE[frame.tissue[box.slices]])
    return len(box.inside(frame.cells, frame.spacing)) > room / 2


class Part:
    """What of a frame lies in a box, in the box's own coordinates."""

    def __init__(self, frame, box: Box):
        low = box.bounds(frame.spacing)[0]
        self.spacing = frame.spacing
        self.tissue = frame.tissue[box.slices]
        self.bone_change = None if frame.bone_change is None else frame.bone_change[box.slices]
        self.cells, self.slots = (
            box.inside(table, frame.spacing).assign(
                **{axis: lambda rows, a=axis, d=d: rows[a] - d for axis, d in zip("xyz", low, strict=True)}
            )
            for table in (frame.cells, frame.slots)
        )
