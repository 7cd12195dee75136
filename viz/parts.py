"""Which part of a lattice is drawn, where the scene does not say: what stands in front would hide the rest."""

from __future__ import annotations

from dataclasses import replace

from marrowsim.errors import Fault, RenderError
from marrowsim.viz.cameras import axes_of, facing
from marrowsim.viz.description import Scene
from marrowsim.viz.layers import BONE_VIEW, SLAB, Box, choose, close_up, slab, whole

# Voxels from which on a view that one can turn begins with a slab.
CROWDED = 500_000


def parts_of(frame, scene: Scene) -> tuple[Box, Box | None, int]:
    """The part of the lattice that a picture draws, its close-up, and the axis of the lattice that it looks along.

    A slab where the whole would hide what is in it; all of the lattice where the scene cuts it open itself, or shows
    a field or tracks through it.
    """
    drawn = choose(frame, scene.layers)[0]
    axis = facing(axes_of(scene.camera)[2])[0]
    if scene.clip is not None or scene.field_as not in ("wall", "none") or scene.tracks:
        return scene.cut(whole(frame), frame.spacing), None, axis
    bare = set(drawn).issubset(BONE_VIEW)
    box = slab(frame, axis, max(SLAB, frame.tissue.shape[axis] * frame.spacing / 3.0)) if bare else slab(frame, axis)
    return box, close_up(frame, box, axis), axis


def opened(frame, scene: Scene) -> Scene:
    """The scene that a page or window begins with: of a large lattice the slab that a picture would draw.

    Scenes that say what is cut away ("none": nothing), and lattices of less than `CROWDED` voxels, stay as they are.
    """
    if frame.tissue.size < CROWDED or scene.clip is not None:
        return scene
    box, _, axis = parts_of(frame, scene)
    if box == whole(frame):
        return scene
    return replace(scene, clip=("zyx"[axis], box.low[axis] * frame.spacing, box.high[axis] * frame.spacing))


def slices_of(frame, scene: Scene) -> dict[int, int]:
    """The layer of voxels of each of the three slices of a scene, by the axis of the lattice that it lies across.

    Raises
    ------
    RenderError : where a slice is outside the lattice.
    """
    ends = whole(frame).bounds(frame.spacing)[1]
    places = scene.slices or tuple(ends / 2)
    if not all(0 <= place <= end for place, end in zip(places, ends, strict=True)):
        allowed = ", ".join(f"{name} from 0 to {end:g} um" for name, end in zip("xyz", ends, strict=True))
        given = ",".join(f"{place:g}" for place in places)
        raise RenderError(Fault("a slice is outside the lattice", allowed, given, "leave --slices out for the middle"))
    return {2 - at: min(int(place // frame.spacing), frame.tissue.shape[2 - at] - 1) for at, place in enumerate(places)}


def planes_of(frame, scene: Scene, box: Box) -> list[tuple[int, float]]:
    """Axis of the lattice and place (um) of each slice of a scene that lies in a box, in the middle of a voxel."""
    found = []
    for axis, index in slices_of(frame, scene).items():
        if box.low[axis] <= index < box.high[axis]:
            found.append((axis, (index + 0.5) * frame.spacing))
    return found


def extent_of(frame, box: Box) -> str:
    """Where a box lies in the lattice, in words: "slab y = 870 to 970 um of 2000 um", "the whole lattice"."""
    cut = [
        f"{name} = {low * frame.spacing:g} to {high * frame.spacing:g} µm of {edge * frame.spacing:g} µm"
        for name, low, high, edge in zip("zyx", box.low, box.high, frame.tissue.shape, strict=True)
        if high - low < edge
    ]
    return "slab " + ", ".join(cut) if cut else "the whole lattice"


def measures_of(frame, box: Box) -> str:
    """The size of a lattice and of its voxels, and which part of it is drawn."""
    extent = " x ".join(f"{edge * frame.spacing / 1000:g}" for edge in frame.tissue.shape[::-1])
    return f"{extent} mm (x, y, z), voxels of {frame.spacing:g} µm; drawn: {extent_of(frame, box)}"
