"""A frame as the page stores it: surfaces, cells and fields as small arrays, compressed."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyvista as pv

from marrowsim.errors import Fault, RenderError
from marrowsim.tissues import BONE
from marrowsim.viz.ingredients import THIN
from marrowsim.viz.layers import STATUSES, TISSUE_LAYERS, drawn_groups, whole
from marrowsim.viz.meshes import former_surface, share_at, surface

STEPS = 32
"""Steps of a surface's coordinates along the edge of a voxel."""

# Surfaces reach half a voxel beyond the lattice, where they are closed.
MARGIN = 1.0


@dataclass(frozen=True)
class Detail:
    """How much of a run the page keeps.

    frames : frames at most; triangles : of all surfaces of a frame together; samples : voxels of a field along the
    longest edge; voxels : the same of the tissue in the cut faces; cells : of one type and status.
    """

    frames: int
    triangles: int
    samples: int
    voxels: int
    cells: int


# Everything, as the server of `view` has it.
FULL = Detail(1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30)

# From the best to the least; the first that fits the size is taken.
DETAILS = (
    Detail(61, 200_000, 64, 200, 40_000),
    Detail(61, 100_000, 50, 128, 20_000),
    Detail(41, 60_000, 34, 100, 20_000),
    Detail(31, 60_000, 34, 100, 10_000),
    Detail(31, 60_000, 25, 64, 10_000),
    Detail(31, 50_000, 20, 64, 6_000),
    Detail(21, 25_000, 20, 64, 4_000),
    Detail(13, 20_000, 20, 50, 3_000),
    Detail(9, 12_000, 16, 40, 2_000),
    Detail(5, 6_000, 12, 32, 1_000),
)


def planes_of_bytes(values: np.ndarray) -> bytes:
    """The bytes of an array (little-endian), those of one significance together.

    Neighbouring coordinates and indices are compressed a third better so.
    """
    flat = np.ascontiguousarray(values).ravel()
    flat = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    return flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()


def compressed(content: bytes) -> bytes:
    """The bytes as a gzip file, always the same one."""
    return gzip.compress(content, 6, mtime=0)


class Store:
    """Arrays by the hash of their content, each kept once and compressed.

    Attributes
    ----------
    packed : dict of str to bytes
        Arrays by key, as gzip files.
    shapes : dict of str to list
        What is in each: a list of (name, dtype, length).
    """

    def __init__(self):
        self.packed: dict[str, bytes] = {}
        self.shapes: dict[str, list[tuple[str, str, int]]] = {}

    def add(self, arrays: Mapping[str, np.ndarray]) -> str:
        """Keep arrays together and return their key."""
        shapes = [(name, values.dtype.str.lstrip("<>|="), values.size) for name, values in arrays.items()]
        content = b"".join(map(planes_of_bytes, arrays.values()))
        key = hashlib.sha256(repr(shapes).encode() + content).hexdigest()[:16]
        if key not in self.packed:
            self.packed[key] = compressed(content)
            self.shapes[key] = shapes
        return key

    def forget(self, most: int) -> None:
        """Let go of the arrays that were added first, until those left take `most` bytes."""
        kept = sum(map(len, self.packed.values()))
        while kept > most:
            oldest = next(iter(self.packed))
            kept -= len(self.packed.pop(oldest))
            del self.shapes[oldest]

    def size(self, keys) -> int:
        """Bytes that these arrays take on the page, in base64."""
        return sum(4 * -(-len(self.packed[key]) // 3) for key in keys)


def stride(shape: Sequence[int], samples: int) -> int:
    """Every how many voxels a value is kept, so that there are at most `samples` along the longest edge."""
    return -(-max(shape) // samples)


class Packer:
    """Puts frames of one run into a store, at one level of detail; what did not change is made once.

    Parameters
    ----------
    store : where the arrays go.
    detail : how much is kept.
    fields : names of the fields to keep.
    """

    def __init__(self, store: Store, detail: Detail, fields: Sequence[str]):
        self.store, self.detail, self.fields = store, detail, tuple(fields)
        self.made: dict[str, tuple[dict[str, str], int, int]] = {}
        self.triangles = self.kept = 0

    def pack(self, frame) -> dict:
        """What the page has to know of a frame: keys of its arrays, and the rows of each type and status of cells."""
        return {**self._voxels(frame), "surfaces": self.surfaces(frame)}

    def _voxels(self, frame) -> dict:
        shape, detail = frame.tissue.shape, self.detail
        every = stride(shape, detail.voxels)
        coarse = stride(shape, detail.samples)
        cells, groups = self._cells(frame)
        return {
            "tissue": self.store.add({"tissue": frame.tissue[::every, ::every, ::every]}),
            "fields": {
                name: self.store.add({"values": frame.fields[name][::coarse, ::coarse, ::coarse].astype(np.float16)})
                for name in self.fields
                if name in frame.fields
            },
            "cells": cells,
            "groups": groups,
            "slots": self._slots(frame),
        }

    def pack_voxels(self, frame) -> list[tuple[str, str]]:
        """All but the surfaces, as pairs of what it is and its key."""
        packed = self._voxels(frame)
        fields = [(f"fields/{name}", key) for name, key in packed["fields"].items()]
        return [*((name, packed[name]) for name in ("tissue", "cells", "slots")), *fields]

    def _cells(self, frame) -> tuple[str, list[dict]]:
        """Cells that stand in a voxel, in the order of drawing; of too many of a kind every n-th id."""
        table = frame.cells[frame.cells["status"].isin(STATUSES)]
        pairs = [(str(kind), str(status)) for kind, status in zip(table["type"], table["status"], strict=True)]
        found = drawn_groups(set(pairs), sorted({kind for kind, _ in pairs}))
        names = np.array(["/".join(pair) for pair in pairs])
        sites = np.floor(table[["z", "y", "x"]].to_numpy(float) / frame.spacing).astype(np.int64)
        sites = np.ravel_multi_index(tuple(sites.T), frame.tissue.shape)
        ids, levels = table["id"].to_numpy(), table["cxcr4"].to_numpy(np.float32)
        rows, groups = [], []
        for kind, status in found:
            own = np.flatnonzero(names == f"{kind}/{status}")
            every = -(-own.size // self.detail.cells)
            kept = own[ids[own] % every == 0]
            rows.append(kept)
            groups.append({"key": f"{kind} {status}", "stored": int(kept.size), "every": int(every)})
        order = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        if sites.size and max(sites.max(), ids.max()) > np.iinfo(np.uint32).max:
            raise RenderError(
                Fault(
                    "the page cannot hold lattices or cell numbers beyond 2^32",
                    given=f"{frame.tissue.size} voxels, cell {ids.max()}",
                    remedy="export the run to .vtkhdf or .zarr",
                )
            )
        arrays = {
            "site": sites[order].astype(np.uint32),
            "id": ids[order].astype(np.uint32),
            "cxcr4": levels[order].astype(np.float16),
        }
        return self.store.add(arrays), groups

    def _slots(self, frame) -> str:
        sites = np.floor(frame.slots[["z", "y", "x"]].to_numpy(float) / frame.spacing).astype(np.int64)
        sites = np.ravel_multi_index(tuple(sites.T), frame.tissue.shape) if len(sites) else np.zeros(0, np.int64)
        occupied = frame.slots["occupied"].to_numpy(bool).astype(np.uint8)
        return self.store.add({"site": sites.astype(np.uint32), "occupied": occupied})

    def surfaces(self, frame) -> dict[str, str]:
        """Keys of the surfaces by layer, decimated to their share of the triangles."""
        changed = frame.bone_change is not None and frame.bone_change.any()
        content = hashlib.sha256(np.ascontiguousarray(frame.tissue))
        if changed:
            content.update(np.ascontiguousarray(frame.bone_change))
        digest = content.hexdigest()
        made = self.made.get(digest)
        if made is None or not self.store.packed.keys() >= set(made[0].values()):
            self.made[digest] = self._made(frame, changed)
        keys, full, kept = self.made[digest]
        self.triangles, self.kept = self.triangles + full, self.kept + kept
        return keys

    def _made(self, frame, changed: bool) -> tuple[dict[str, str], int, int]:
        meshes = _surfaces(frame, changed)
        full = sum(mesh.n_cells for mesh in meshes.values())
        share = min(1.0, self.detail.triangles / max(1, full))
        keys, kept = {}, 0
        origin, step = scale(frame)
        for name, mesh in meshes.items():
            reduced = _simplified(mesh, share) if share < 1 and mesh.n_cells else mesh
            if not reduced.n_cells:
                continue
            kept += reduced.n_cells
            points, faces = _compact(reduced)
            arrays = {
                "points": np.clip(np.round((points - origin) / step), 0, 65535).astype(np.uint16).T,
                "faces": below_highest(faces),
            }
            if name == "bone" and changed and (frame.bone_change > 0).any():
                new = share_at(points, frame.bone_change > 0, frame.tissue == BONE, frame.spacing)
                arrays["formed"] = np.round(255 * new).astype(np.uint8)
            keys[name] = self.store.add(arrays)
        return keys, full, kept


def scale(frame) -> tuple[float, float]:
    """Origin and step (um) of the coordinates of surfaces, which are 16-bit numbers: place = origin + step * number."""
    origin = -MARGIN * frame.spacing
    return origin, frame.spacing * max(1 / STEPS, (max(frame.tissue.shape) + 2 * MARGIN) / 65535)


def below_highest(faces: np.ndarray) -> np.ndarray:
    """How far each index of a list of triangles is below the next unused one.

    Points stand in the order in which triangles use them, so a new point is 0 and most others are small, which is
    compressed by a quarter better.
    """
    flat = faces.astype(np.int64).ravel()
    unused = np.maximum.accumulate(np.concatenate([[-1], flat]))[:-1] + 1
    return (unused - flat).astype(faces.dtype)


def _surfaces(frame, changed: bool) -> dict[str, pv.PolyData]:
    """The surfaces of tissues, and of bone that is gone, by layer."""
    everything, meshes = whole(frame), {}
    for name, code in TISSUE_LAYERS.items():
        if (frame.tissue == code).any():
            meshes[name] = surface(frame.tissue == code, frame.spacing, everything, thin=code in THIN)
    if changed and (frame.bone_change < 0).any():
        meshes["bone lost"] = former_surface(frame, everything)
    return meshes


def _simplified(mesh: pv.PolyData, share: float) -> pv.PolyData:
    """A surface with a share of its triangles (Garland & Heckbert 1997)."""
    from fast_simplification import simplify  # noqa: PLC0415

    points = np.ascontiguousarray(mesh.points, np.float32)
    return pv.PolyData.from_regular_faces(*simplify(points, mesh.regular_faces.astype(np.int32), 1 - share))


def _compact(mesh) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) and triangles (m, 3) of a surface, the points in the order in which triangles use them."""
    faces = mesh.regular_faces
    used, first = np.unique(faces.ravel(), return_index=True)
    order = used[np.argsort(first, kind="stable")]
    place = np.zeros(mesh.n_points, np.int64)
    place[order] = np.arange(order.size)
    wide = np.uint32 if order.size > np.iinfo(np.uint16).max else np.uint16
    return np.asarray(mesh.points, np.float64)[order], place[faces].astype(wide)
