"""Readouts of bone that is remodelled: morphometry of bone and its surfaces, overall and in the region of interest.

Names and definitions are those of Dempster 2013 (J Bone Miner Res 28:2) for surfaces and cells, and of Bouxsein
2010 (J Bone Miner Res 25:1468) for structure. Structure is measured as `marrowsim measure` does. The shares of bone
surface are ratios of voxel surfaces: a voxel beside bone carries the area of its faces on bone by `FACE_AREA`, in the
denominator as in the numerator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from marrowsim import bone_morphometry, tissues
from marrowsim._engine import census
from marrowsim.geometry.region import specimen
from marrowsim.processes.cavities import DEPTH, MINERAL
from marrowsim.state import State, Status

UM_PER_MM = 1000.0
MINUTES_PER_DAY = 1440.0

FACE_AREA = np.array([0.0, 0.894, 1.3409, 1.5879, 2.0, 8 / 3, 10 / 3])
"""Area (voxel faces) of the bone surface in a voxel with 0 to 6 faces on bone: Mullikin & Verbeek 1993 (Bioimaging
1:6). Planes come out right on average over their directions, with a standard deviation of 2.3 %, those normal to an
axis 11 % small; spheres from a radius of 5 voxels on within 7 %."""

BONE = tissues.lookup({tissues.BONE: 1}, np.uint8)
SPACE = tissues.lookup(
    dict.fromkeys((tissues.MARROW, tissues.SINUSOID, tissues.ARTERIOLE, tissues.SPROUT), 1), np.uint8
)


class BoneCensus:
    """Bone of a state as it is now, in the specimen or in a region of it. What several readouts share is measured once.

    Parameters
    ----------
    state : State
    inside : bool, shape (nz, ny, nx), or None
        Voxels of the specimen to measure in; all of it where not given.
    """

    def __init__(self, state: State, inside: np.ndarray | None = None):
        self.state = state
        self.in_region = inside is not None
        self.inside = specimen(state.geometry.tissue) if inside is None else inside

    @cached_property
    def structure(self) -> dict[str, float]:
        """BV/TV, BS/TV and so on, from what is measured and one voxel around it, which bounds it."""
        found = [np.flatnonzero(self.inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(max(0, int(places[0]) - 1), int(places[-1]) + 2) for places in found)
        inside = self.inside[box]
        bone = self.state.tissue[box] == tissues.BONE
        return bone_morphometry.structure(bone, self.state.config.geometry.voxel, None if inside.all() else inside)

    @cached_property
    def volume(self) -> float:
        """TV, mm3."""
        return float(np.count_nonzero(self.inside)) * self.voxel

    @property
    def voxel(self) -> float:
        """Volume of a voxel, mm3."""
        return (self.state.config.geometry.voxel / UM_PER_MM) ** 3

    @property
    def area(self) -> float:
        """BS, mm2."""
        return self.structure["BS/TV"] * self.volume

    @cached_property
    def surface(self) -> tuple[np.ndarray, np.ndarray]:
        """Voxels beside bone, sorted flat indices (n,), and the area of bone surface in each, voxel faces (n,)."""
        tissue = self.state.tissue
        faces = census.wall_faces(tissue, BONE, SPACE).reshape(-1)
        sites = np.flatnonzero((faces > 0) & (SPACE[tissue.reshape(-1)] > 0) & self.inside.reshape(-1))
        return sites, FACE_AREA[faces[sites]]

    @cached_property
    def under_osteoclasts(self) -> np.ndarray:
        """Whether an osteoclast stands in or around each voxel of `surface`: nine voxels of flat bone each."""
        covered = np.zeros(self.state.tissue.shape, dtype=bool)
        places = np.unravel_index(self._sites("osteoclast"), covered.shape)
        for step in product((-1, 0, 1), repeat=3):
            moved = [place + offset for place, offset in zip(places, step, strict=True)]
            there = np.ones(len(places[0]), dtype=bool)
            for place, edge in zip(moved, covered.shape, strict=True):
                there &= (place >= 0) & (place < edge)
            covered[tuple(place[there] for place in moved)] = True
        return covered.reshape(-1)[self.surface[0]]

    @cached_property
    def under_osteoblasts(self) -> np.ndarray:
        """Whether an osteoblast stands in each voxel of `surface`."""
        return np.isin(self.surface[0], self._sites("osteoblast"))

    @cached_property
    def bare_cavity(self) -> np.ndarray:
        """Whether each voxel of `surface` lies in a cavity in which nothing was laid yet, and has no osteoblast."""
        records, sites = self.state.records, self.surface[0]
        bare = np.isin(sites, records["bone/pit"]) & (records[MINERAL].reshape(-1)[sites] <= 0)
        return bare & ~self.under_osteoblasts

    def share(self, there: np.ndarray) -> float:
        """Share of the bone surface where something is; NaN where there is none."""
        areas = self.surface[1]
        return math.fsum(areas[there]) / math.fsum(areas) if len(areas) else float("nan")

    def erosion_depth(self) -> float:
        """E.De: mean depth of bare cavities below the former surface, um, by area; NaN where there are none."""
        sites, areas = self.surface
        where = self.bare_cavity
        depths = self.state.records[DEPTH].reshape(-1)
        total = math.fsum(areas[where])
        deep = math.fsum(areas[where] * depths[sites[where]])
        return deep / total * self.state.config.geometry.voxel if total else float("nan")

    def count(self, cell: str) -> int:
        """Cells of a type out of the vessels."""
        return int(np.count_nonzero(self.inside.reshape(-1)[self._sites(cell)]))

    def moved(self, event: str) -> float:
        """Volume (mm3) of bone that was resorbed or formed since the start, by the tally of its voxels."""
        return self.state.tallies.get(self.state.region_tally(event) if self.in_region else event, 0) * self.voxel

    def turnover(self) -> float:
        """Share of the bone of the start that was replaced a day, mean of the run: (resorbed + formed) / 2 BV t."""
        start = np.count_nonzero(self.inside & (self.state.geometry.tissue == tissues.BONE)) * self.voxel
        days = self.state.minutes / MINUTES_PER_DAY
        replaced = 0.5 * (self.moved(RESORBED) + self.moved(FORMED))
        return replaced / (start * days) if start and days else float("nan")

    def _sites(self, cell: str) -> np.ndarray:
        """Voxels of the cells of a type that are out of the vessels."""
        cells = self.state.cells
        free = (cells.status == Status.FREE) | (cells.status == Status.BOUND)
        return cells.site[np.flatnonzero(free & (cells.type == self.state.config.code(cell)))]


RESORBED, FORMED = "resorbed:osteoclast", "formed:osteoblast"
"""Tallies of the voxels of bone that osteoclasts removed and osteoblasts formed."""


@dataclass(frozen=True)
class BoneReadout:
    """A readout of bone: name, unit, what it means, and how it is measured.

    `everywhere` : False where another readout tells it for the whole specimen.
    """

    name: str
    unit: str
    meaning: str
    measure: Callable[[BoneCensus], float]
    everywhere: bool = True


def _structure(name: str) -> Callable[[BoneCensus], float]:
    return lambda bone: bone.structure[name]


BONE_READOUTS: tuple[BoneReadout, ...] = (
    BoneReadout("BV/TV", "1", "bone volume fraction", _structure("BV/TV"), everywhere=False),
    BoneReadout("BS/TV", "1/mm", "bone surface over tissue volume", _structure("BS/TV")),
    BoneReadout("BS/BV", "1/mm", "bone surface over bone volume", _structure("BS/BV")),
    BoneReadout("Tb.Th", "um", "trabecular thickness, by fitted spheres", _structure("Tb.Th")),
    BoneReadout("Tb.Sp", "um", "trabecular separation, by fitted spheres", _structure("Tb.Sp")),
    BoneReadout("Tb.N", "1/mm", "trabecular number, 1 / (Tb.Th + Tb.Sp)", _structure("Tb.N")),
    BoneReadout(
        "ES/BS", "1", "eroded surface: under osteoclasts, or in a cavity before osteoblasts fill it",
        lambda bone: bone.share(bone.under_osteoclasts | bone.bare_cavity),
    ),
    BoneReadout(
        "Oc.S/BS", "1", "osteoclast surface, nine voxel faces of flat bone an osteoclast",
        lambda bone: bone.share(bone.under_osteoclasts),
    ),
    BoneReadout(
        "Ob.S/BS", "1", "osteoblast surface, one voxel an osteoblast", lambda bone: bone.share(bone.under_osteoblasts)
    ),
    BoneReadout(
        "N.Oc/BS", "1/mm2", "osteoclasts over bone surface",
        lambda bone: bone.count("osteoclast") / bone.area if bone.area else float("nan"),
    ),
    BoneReadout("erosion depth", "um", "mean depth of cavities before they are filled", BoneCensus.erosion_depth),
    BoneReadout("bone resorbed", "mm3", "by osteoclasts since the start", lambda bone: bone.moved(RESORBED)),
    BoneReadout("bone formed", "mm3", "by osteoblasts since the start", lambda bone: bone.moved(FORMED)),
    BoneReadout(
        "bone turnover", "1/d", "share of the bone of the start replaced a day, mean since then", BoneCensus.turnover
    ),
    BoneReadout("osteoclasts", "cells", "resorbing bone", lambda bone: bone.count("osteoclast")),
    BoneReadout("osteoblasts", "cells", "forming bone", lambda bone: bone.count("osteoblast")),
    BoneReadout(
        "osteoclast precursors", "cells", "out of the vessels, before they fuse", lambda bone: bone.count("ocp")
    ),
)  # fmt: skip
"""Readouts of bone where it is remodelled, for the specimen and for the region of interest."""
