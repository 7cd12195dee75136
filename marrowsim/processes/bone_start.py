"""The bone of a new run: cells and cavities of remodelling that has been going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes.cavities import Cavities
from marrowsim.seeding import new_cells
from marrowsim.state import State, Status

if TYPE_CHECKING:
    from marrowsim.processes.remodelling import Remodelling

PATCH_RADIUS = 2.3
"""Radius (voxel edges) of the patches of surface that are of one age; about what one osteoclast resorbs in a place."""
LAYERS = 1.4
"""Most of what the layers of cavities add to the mean life of their voxels: an osteoclast rather goes on along the
surface than down to its full depth."""
OSTEOCLASTS, PATCHES, AGES, CYTES, PRECURSORS = range(1, 6)
"""Draw numbers by which voxels are chosen, in the stream of placement at step 1 of no run."""


def seed_bone_cells(state: State, rules: Remodelling) -> None:
    """Put osteoclasts, cavities with their osteoblasts, osteocytes and precursors where a steady state has them.

    With n osteoclasts that resorb v a day, n v (W + T) l voxels are cavities at any time: W the mean wait for an
    osteoblast, T the time that it takes to fill a voxel, and l = (1 + d) / 2 where a cavity has d layers, which are
    filled one after another, but `LAYERS` at most. They are patches of the surface, of ages drawn evenly.
    """
    config, edge = state.config, state.config.geometry.voxel
    surface, faces = bone_surface(state)
    free = state.occupant.reshape(-1)[surface] < 0
    area = float(np.sqrt(faces, dtype=np.float64).sum()) * edge**2
    number = round(rules.osteoclast_density * area)
    resorbed = number * rules.resorption_rate / edge**3
    _put(state, "osteoclast", _chosen(state, surface[free], number, OSTEOCLASTS))
    free = ~np.isin(surface, state.slots) & (state.occupant.reshape(-1)[surface] < 0)
    wait = rules.reversal_time + 1.0 / rules.recruitment_rate
    fill = edge / rules.apposition_rate / float(np.sqrt(faces, dtype=np.float64).mean()) if len(faces) else 0.0
    life = (wait + fill) * min(LAYERS, (1.0 + max(1.0, rules.erosion_depth / edge)) / 2.0)
    number = round(resorbed * life * rules.coupling)
    _cut_cavities(state, surface[free], number, life - fill, fill, life - fill - 1.0 / rules.recruitment_rate)
    bone = np.flatnonzero(state.tissue.reshape(-1) == tissues.BONE)
    _put(state, "osteocyte", _chosen(state, bone, round(rules.trapped_share * len(bone)), CYTES))
    marrow = np.flatnonzero((state.tissue.reshape(-1) == tissues.MARROW) & (state.occupant.reshape(-1) < 0))
    marrow = np.setdiff1d(marrow, Cavities(state).column("pit"))
    kind = config.cells["ocp"]
    volume = np.count_nonzero(state.tissue == tissues.MARROW) * edge**3
    density = kind.renewal / kind.death_rate if kind.death_rate > 0 else 0.0
    _put(state, "ocp", _chosen(state, marrow, round(density * volume), PRECURSORS))


def bone_surface(state: State) -> tuple[np.ndarray, np.ndarray]:
    """Marrow voxels with a face on bone (flat indices, sorted), and the number of these faces."""
    solid = tissues.lookup({tissues.BONE: 1}, np.uint8)
    marrow = tissues.lookup({tissues.MARROW: 1}, np.uint8)
    faces = census.wall_faces(state.tissue, solid, marrow).reshape(-1)
    surface = np.flatnonzero((faces > 0) & (state.tissue.reshape(-1) == tissues.MARROW))
    return surface, faces[surface]


def _put(state: State, cell: str, sites: np.ndarray) -> None:
    new_cells(state, state.config.code(cell), sites, Status.FREE)


def _chosen(state: State, sites: np.ndarray, number: int, draw: int) -> np.ndarray:
    """So many of the sites (all where there are not as many), by chance: sorted."""
    keys = uniform(state.config.seed, Stream.STREAM_RECRUITMENT, 0, sites, draw + 1)
    return np.sort(sites[np.lexsort((sites, keys))[:number]])


def _cut_cavities(state: State, surface: np.ndarray, number: int, wait: float, fill: float, delay: float) -> None:
    """Declare patches of the surface cavities, with osteoblasts in those that have waited long enough.

    Parameters
    ----------
    surface : free voxels of the marrow beside bone.
    number : cavity voxels wanted; all of the surface where it has fewer.
    wait, fill : minutes from resorption to the osteoblast, and from there to a full voxel.
    delay : minutes from resorption until osteoblasts come, after reversal and the filling of deeper layers.
    """
    bone, seed = Cavities(state), state.config.seed
    number = min(number, len(surface))
    if number == 0:
        return
    points = np.stack(np.unravel_index(surface, state.tissue.shape), axis=1).astype(np.float64)
    tree = cKDTree(points)
    order = np.lexsort((surface, uniform(seed, Stream.STREAM_RECRUITMENT, 0, surface, PATCHES + 1)))
    patch = np.full(len(surface), -1, dtype=np.int64)
    taken = 0
    for centre in order:
        if taken >= number:
            break
        if patch[centre] < 0:
            members = np.array(tree.query_ball_point(points[centre], PATCH_RADIUS), dtype=np.int64)
            members = np.sort(members[patch[members] < 0])[: number - taken]
            patch[members] = surface[centre]
            taken += len(members)
    cut = patch >= 0
    age = uniform(seed, Stream.STREAM_RECRUITMENT, 0, patch[cut], AGES + 1) * (wait + fill)
    voxels = surface[cut]
    bone.depth.reshape(-1)[voxels] = 1
    steps = (np.round(time / state.config.time.step) for time in (-age, delay - age))
    bone.enter(voxels, *steps, np.ones(len(voxels)))
    works = age > wait
    bone.mineral.reshape(-1)[voxels[works]] = (age[works] - wait) / fill * 0.999
    _put(state, "osteoblast", voxels[works])
