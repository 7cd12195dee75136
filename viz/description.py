"""What is drawn and how: one description for stills, films, windows, the browser and notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np

from marrowsim.errors import Fault, RenderError, nearest
from marrowsim.viz.cameras import axes_of
from marrowsim.viz.layers import Box

FIELD_WAYS = ("wall", "slices", "isosurface", "volume", "none")
CLIPS = ("x", "y", "z", "-x", "-y", "-z")

# The clip of scenes that show the whole lattice, however large.
WHOLE = "none"


@dataclass(frozen=True)
class Scene:
    """What is drawn and how; no data. Checked at once.

    Parameters
    ----------
    layers : names of `marrowsim.viz.layers.LAYERS`, also as one text with commas between them; None for the usual
        ones of the frame (`layers.choose`).
    field : the field that is drawn; None for the first one among the layers.
    field_as : "wall" (painted on the far wall of the box), "slices" (three planes), "isosurface", "volume" or "none".
    slices : x, y, z (um) of the three planes; None for the middle.
    levels : values of the isosurfaces, in the field's unit; None for three quantiles of the frame.
    limits : the ends of the colour scale, in the field's unit; None for those of the frame. A film or a comparison
        gives one pair to all its frames.
    clip : an axis and a place (um): ("x", 250) cuts away all beyond x = 250, ("-x", 250) all below it. With two
        places a slab is left: ("x", 250, 350). Cuts go between voxels, at the boundary nearest to the place. "none"
        leaves all of a large lattice, of which pictures, pages and windows show a slab where None is given.
    camera : a name of `marrowsim.viz.cameras.CAMERAS` or (azimuth, elevation) in degrees.
    tracks : ids of cells whose way up to the frame's time is drawn.

    Raises
    ------
    RenderError : with every fault of the description. Names of layers and fields are checked when there is a frame.
    """

    layers: tuple[str, ...] | None = None
    field: str | None = None
    field_as: str = "wall"
    slices: tuple[float, float, float] | None = None
    levels: tuple[float, ...] | None = None
    limits: tuple[float, float] | None = None
    clip: tuple[str, float] | tuple[str, float, float] | str | None = None
    camera: str | tuple[float, float] = "oblique"
    tracks: tuple[int, ...] = ()

    def __post_init__(self):
        layers = self.layers
        if isinstance(layers, str):
            layers = [name.strip() for name in layers.split(",")]
        for name, value in (("layers", layers), ("slices", self.slices), ("levels", self.levels)):
            object.__setattr__(self, name, None if value is None else tuple(value))
        object.__setattr__(self, "tracks", tuple(int(name) for name in self.tracks))
        faults = list(self._faults())
        if faults:
            raise RenderError(*faults)

    def _faults(self) -> Iterator[Fault]:
        if self.field_as not in FIELD_WAYS:
            remedy = nearest(str(self.field_as), FIELD_WAYS) or "choose one of these"
            yield Fault("a field cannot be drawn like that", ", ".join(FIELD_WAYS), str(self.field_as), remedy)
        if self.slices is not None and not (len(self.slices) == 3 and _finite(self.slices)):
            yield Fault("slices need three places", "x,y,z in um", str(self.slices), "leave them out for the middle")
        if self.levels is not None and not (len(self.levels) and _finite(self.levels)):
            yield Fault("isosurfaces need levels", "numbers in the field's unit", str(self.levels), "name one at least")
        if self.limits is not None and not (
            len(self.limits) == 2 and _finite(self.limits) and self.limits[0] < self.limits[1]
        ):
            yield Fault("a colour scale needs two ends", "low,high with low < high", str(self.limits), "such as 0,20")
        if self.clip not in (None, WHOLE) and not _is_clip(self.clip):
            allowed = f"an axis ({', '.join(CLIPS)}) and a place in um, an axis and the two ends of a slab, or {WHOLE}"
            yield Fault("the clipping plane is not understood", allowed, str(self.clip), "such as x:250 or y:400-500")
        try:
            if not isinstance(self.camera, str) and not _finite(self.camera):
                raise ValueError
            axes_of(self.camera)
        except RenderError as error:
            yield from error.faults
        except (TypeError, ValueError):
            yield Fault("the camera is not understood", "a name, or azimuth and elevation", str(self.camera), "")

    @property
    def slab(self) -> bool:
        """Whether the scene cuts a slab out of the lattice, which the camera then comes near to."""
        return self.clip is not None and self.clip != WHOLE and len(self.clip) == 3

    def cut(self, box: Box, spacing: float) -> Box:
        """The part of a box that the clipping plane leaves.

        Raises
        ------
        RenderError : where it leaves nothing.
        """
        if self.clip in (None, WHOLE):
            return box
        name, *places = self.clip
        axis = 2 - "xyz".index(name[-1])
        low, high = list(box.low), list(box.high)
        ends = [round(place / spacing) for place in places]
        if len(ends) == 2 or name.startswith("-"):
            low[axis] = max(low[axis], ends[0])
        if not name.startswith("-"):
            high[axis] = min(high[axis], ends[-1])
        if low[axis] >= high[axis]:
            allowed = f"{box.low[axis] * spacing:g} to {box.high[axis] * spacing:g} um"
            given = f"{name}:{'-'.join(f'{place:g}' for place in places)}"
            remedy = "put it inside, or turn its sign" if len(ends) == 1 else "put it inside, a voxel thick at least"
            raise RenderError(Fault("the clipping plane leaves nothing", allowed, given, remedy))
        return Box(tuple(low), tuple(high))


def _is_clip(clip) -> bool:
    """Whether it is an axis and a place, or an axis without sign and two places in their order."""
    if isinstance(clip, str) or len(clip) not in (2, 3) or clip[0] not in CLIPS or not _finite(clip[1:]):
        return False
    return len(clip) == 2 or (clip[0] in "xyz" and clip[1] < clip[2])


def _finite(values) -> bool:
    return all(isinstance(value, Real) and np.isfinite(value) for value in values)
